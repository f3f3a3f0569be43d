
/*
 * Changes of partners that this node makes, on their way to Redis, which orders
 * them: a change is the next of its partner, or another one was faster.
 */


#ifndef _NGX_HTTP_WASSIIT_SUBMIT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_SUBMIT_H_INCLUDED_


#include "ngx_http_wassiit_follow.h"


typedef struct ngx_http_wassiit_submit_s  ngx_http_wassiit_submit_t;

struct ngx_http_wassiit_submit_s {
    /* set by the caller, who puts &submit->orders into zone->orders */
    ngx_http_wassiit_orders_t      orders;      /* but for order, data */
    ngx_http_wassiit_zone_t       *zone;
    ngx_http_wassiit_redis_t      *redis;       /* for calls */
    const u_char                  *seal;        /* a key; NULL: in clear */
    ngx_str_t                      check;       /* which one that is */
    ngx_uint_t                     replicas;    /* that are to have it */
};


typedef enum {
    NGX_HTTP_WASSIIT_COPIED = 0,    /* or no replica need have it */
    NGX_HTTP_WASSIIT_COPYING,       /* that isn't known yet, and will be */
    NGX_HTTP_WASSIIT_NOT_COPIED
} ngx_http_wassiit_copied_e;


/* To be called in each worker, before the first change. */
void ngx_http_wassiit_submit_init(ngx_http_wassiit_submit_t *submit);

/* Have the replicas an ordered change? */
ngx_http_wassiit_copied_e ngx_http_wassiit_submit_copied(
    ngx_http_wassiit_job_t *job);

/* The entry of the log that an ordered change is; len 0: it isn't known. */
ngx_str_t *ngx_http_wassiit_submit_entry(ngx_http_wassiit_job_t *job);


#endif /* _NGX_HTTP_WASSIIT_SUBMIT_H_INCLUDED_ */
