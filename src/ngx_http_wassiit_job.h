
/* The changes of a worker, which are made one after another. */


#ifndef _NGX_HTTP_WASSIIT_JOB_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_JOB_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_change.h"


typedef struct ngx_http_wassiit_job_s  ngx_http_wassiit_job_t;

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

    /* job.c's */
    ngx_queue_t                    queue;
    ngx_http_request_t            *request;     /* NULL: it has gone */
    ngx_pool_cleanup_t            *cleanup;     /* of the request */
    ngx_msec_t                     since;
    ngx_msec_t                     moved;   /* when another was last made */
    uint64_t                       told;    /* see change_told(), by then */
    ngx_http_wassiit_main_conf_t  *wmcf;
#if (NGX_THREADS)
    ngx_thread_task_t             *task;
#endif
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
 * brings that to its end.  wmcf is NULL if there is nothing of ours.
 */
void ngx_http_wassiit_job_init(ngx_http_wassiit_main_conf_t *wmcf);


#endif /* _NGX_HTTP_WASSIIT_JOB_H_INCLUDED_ */
