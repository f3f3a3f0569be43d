
/*
 * The partners of a cluster, from this node to Redis: those that it hasn't, has
 * lost, or that were edited by hand here.
 */


#ifndef _NGX_HTTP_WASSIIT_OFFER_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_OFFER_H_INCLUDED_


#include "ngx_http_wassiit_follow.h"


typedef struct ngx_http_wassiit_offer_s  ngx_http_wassiit_offer_t;

struct ngx_http_wassiit_offer_s {
    /* set by the caller; all else is zero at first */
    ngx_http_wassiit_zone_t       *zone;        /* with orders */
    ngx_http_wassiit_main_conf_t  *wmcf;
    ngx_http_wassiit_redis_t      *redis;       /* for calls */
    const u_char                  *seal;        /* a key, or NULL */

    /* NGX_OK: all were compared, and taken or superseded; NGX_ERROR: not all,
       and it is to begin anew later */
    void                         (*done)(ngx_http_wassiit_offer_t *offer,
                                      ngx_int_t rc);
    void                          *data;

    /* offer.c's */
    ngx_pool_t                    *page;        /* NULL: none is compared */
    ngx_array_t                    partners;    /* of the page */
    ngx_uint_t                     at;          /* the next of them */
    ngx_uint_t                     count;       /* of a page, at the most */
    size_t                         last_len;    /* the last one's id */
    u_char                         last[NGX_HTTP_WASSIIT_ID_LEN];
};


/*
 * Compares all partners with what Redis has of them, and offers as changes what
 * it lacks, knows by a lower rev, or by the same one and another content.  Only
 * one worker of a node does so, after it has followed all changes.  Returns
 * NGX_OK: it has begun, or had before; NGX_DECLINED: Redis can't be asked now.
 */
ngx_int_t ngx_http_wassiit_offer(ngx_http_wassiit_offer_t *offer);


#endif /* _NGX_HTTP_WASSIIT_OFFER_H_INCLUDED_ */
