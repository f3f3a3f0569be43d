
/* The changes of a worker, which are made one after another. */


#ifndef _NGX_HTTP_WASSIIT_JOB_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_JOB_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_change.h"


typedef struct ngx_http_wassiit_job_s  ngx_http_wassiit_job_t;


/*
 * Who has the changes of a zone ordered before they are made: of two nodes that
 * change a partner at the same time, one is first, and the other changes what
 * that has made.  zone->orders points to one, or is NULL.
 */

typedef struct {
    /*
     * Has job->change.draft taken as the next line of its partner by all nodes.
     * Calls ngx_http_wassiit_job_ordered() once, now or later.
     */
    void                         (*order)(ngx_http_wassiit_job_t *job,
                                      void *data);

    /*
     * The change is made here.  Calls ngx_http_wassiit_job_settled() once, as
     * soon as all other nodes have made it, or when that takes too long.  NULL:
     * nobody waits for them.
     */
    void                         (*settle)(ngx_http_wassiit_job_t *job,
                                      void *data);
    void                          *data;
} ngx_http_wassiit_orders_t;


typedef enum {
    NGX_HTTP_WASSIIT_ORDERED = 0,
    NGX_HTTP_WASSIIT_ORDER_STALE,       /* the draft is now the line, with its
                                           rev, that was ordered before */
    NGX_HTTP_WASSIIT_ORDER_AWAY,        /* nothing is ordered */
    NGX_HTTP_WASSIIT_ORDER_UNSURE       /* it is, or isn't */
} ngx_http_wassiit_ordered_e;


/*
 * A change on its way.  It outlives its request if the client goes away, as
 * what has been begun is made to its end.
 */

struct ngx_http_wassiit_job_s {
    ngx_http_wassiit_change_t      change;
    ngx_http_wassiit_changed_e     changed;     /* for answer() */
    ngx_pool_t                    *pool;        /* of the job's own */

    /* returns what a content handler does, if the client is still there */
    ngx_int_t                    (*answer)(ngx_http_request_t *r,
                                      ngx_http_wassiit_job_t *job);

    /* of a job without a request, or NULL */
    void                         (*done)(ngx_http_wassiit_job_t *job,
                                      void *data);
    void                          *data;

    /* set by settle(), in the pool: names of nodes, ngx_str_t, that haven't
       made it yet; NULL: all have */
    ngx_array_t                   *pending;
    void                          *order;       /* order()'s and settle()'s */

    /* job.c's */
    const ngx_http_wassiit_orders_t  *orders;
    ngx_uint_t                     step;
    ngx_uint_t                     tries;
    ngx_queue_t                    queue;
    ngx_http_request_t            *request;     /* NULL: it has gone */
    ngx_pool_cleanup_t            *cleanup;     /* of the request */
    ngx_msec_t                     since;
    ngx_msec_t                     moved;   /* when another was last made */
    uint64_t                       told;    /* see change_told(), by then */
    ngx_http_wassiit_main_conf_t  *wmcf;
    ngx_err_t                      err;     /* of CHANGE_NO_THREAD */
};


/*
 * Makes a job, with what the zone and the configuration say of its change; the
 * caller sets the rest, and answer.  NULL: memory is short.
 */
ngx_http_wassiit_job_t *ngx_http_wassiit_job_create(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_main_conf_t *wmcf);

/*
 * Has the change made, and r answered then.  Returns NGX_DONE, and the job is
 * the caller's no more; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_job_post(ngx_http_wassiit_job_t *job,
    ngx_http_request_t *r);

/*
 * What came of order() and of settle().  After the last one, or an order that
 * failed, the job is gone.
 */
void ngx_http_wassiit_job_ordered(ngx_http_wassiit_job_t *job,
    ngx_http_wassiit_ordered_e ordered);
void ngx_http_wassiit_job_settled(ngx_http_wassiit_job_t *job);

/*
 * Has a line of a partner, with its rev, that another node has made, taken
 * here, unless the partner's own is as new; the line is copied, and checked.
 * If it is the newest that Redis has, and the partner was deleted here after
 * it, that is ordered anew.
 * done is called with job->changed when it is on the disk and in force.
 * Returns NGX_OK; NGX_ERROR: memory is short, and done isn't called.
 */
ngx_int_t ngx_http_wassiit_job_follow(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf, const ngx_str_t *id, uint64_t rev,
    const ngx_str_t *line, ngx_uint_t newest,
    void (*done)(ngx_http_wassiit_job_t *job, void *data), void *data);

/*
 * Has a partner's line, as it is, ordered as its next change: one that was
 * edited by hand, or that the other nodes haven't.  If they have a newer one,
 * that is taken here.  done is called as above, with CHANGE_RIVALS then.
 */
ngx_int_t ngx_http_wassiit_job_offer(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf, const ngx_str_t *id,
    void (*done)(ngx_http_wassiit_job_t *job, void *data), void *data);

/* Frees a job that wasn't posted, and wipes what was made. */
void ngx_http_wassiit_job_free(ngx_http_wassiit_job_t *job);

/*
 * Whoever looks on finds in the end what stands in the file: a worker that died
 * in a change may have none in its place yet, or for ever.  What is left of it
 * is brought to its end, unless changes are on their way.
 */
void ngx_http_wassiit_job_mend(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf);

/*
 * What a worker does before the first change; where another has died in one, it
 * brings that to its end.  wmcf is NULL if there is nothing of ours.  Returns
 * NGX_OK; NGX_ERROR: that failed, and was logged.
 */
ngx_int_t ngx_http_wassiit_job_init(ngx_http_wassiit_main_conf_t *wmcf);


#endif /* _NGX_HTTP_WASSIIT_JOB_H_INCLUDED_ */
