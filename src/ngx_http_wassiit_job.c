
#include "ngx_http_wassiit_job.h"
#include "ngx_http_wassiit_thread.h"


/* how often and how long one waits for the lock of the file, milliseconds */
#define JOB_RETRY        2
#define JOB_PATIENCE     30000
#define JOB_STUCK        2000    /* no one else has made a change, either */

/*
 * How often a change is drafted anew, as another one was faster: of twelve at
 * once from as many connections, the last one is it some ten times.
 */
#define JOB_TRIES        20

/* steps of a change that is ordered first; of another there is but one */
#define JOB_MAKE         0
#define JOB_DRAFT        1
#define JOB_CATCH_UP     2       /* what another node was faster with is made */
#define JOB_APPLY        3
#define JOB_SETTLE       4


typedef char ngx_http_wassiit_job_changes_fit[
    NGX_HTTP_WASSIIT_CHANGES <= NGX_HTTP_WASSIIT_BOARD_OPERATIONS ? 1 : -1];


static ngx_http_wassiit_job_t *ngx_http_wassiit_job_without(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_main_conf_t *wmcf,
    const ngx_str_t *id, void (*done)(ngx_http_wassiit_job_t *job, void *data),
    void *data);
static ngx_int_t ngx_http_wassiit_job_set_draft(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_job_insert(ngx_http_wassiit_job_t *job,
    ngx_uint_t first);
static void ngx_http_wassiit_job_forget(void *data);
static void ngx_http_wassiit_job_start(void);
static void ngx_http_wassiit_job_timeout(ngx_event_t *ev);
static void ngx_http_wassiit_job_run(void *data);
static void ngx_http_wassiit_job_done(void *data);
static ngx_uint_t ngx_http_wassiit_job_waits(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_job_finish(ngx_http_wassiit_job_t *job);
static ngx_int_t ngx_http_wassiit_job_next(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_job_idle(void);
static void ngx_http_wassiit_job_end(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_job_count(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_job_count_compaction(
    ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_job_compact(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf);


/* the changes of this worker: they are made one after another */

static ngx_queue_t  ngx_http_wassiit_jobs;
static ngx_uint_t   ngx_http_wassiit_job_busy;
static ngx_uint_t   ngx_http_wassiit_job_away;        /* at who orders them */
static ngx_uint_t   ngx_http_wassiit_job_waiting;     /* to try again */
static ngx_event_t  ngx_http_wassiit_job_timer;


ngx_http_wassiit_job_t *
ngx_http_wassiit_job_create(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_pool_t              *pool;
    ngx_http_wassiit_job_t  *job;

    pool = ngx_create_pool(sizeof(ngx_http_wassiit_job_t) + 1024,
                           ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_http_wassiit_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    job->pool = pool;
    job->since = ngx_current_msec;
    job->moved = ngx_current_msec;
    job->told = ngx_http_wassiit_change_told(zone);
    job->change.zone = zone;
    job->change.scopes = &wmcf->scopes;
    job->wmcf = wmcf;

    return job;
}


ngx_int_t
ngx_http_wassiit_job_post(ngx_http_wassiit_job_t *job, ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    job->orders = job->change.zone->orders;

    if (job->orders) {
        if (ngx_http_wassiit_job_set_draft(job) != NGX_OK) {
            return NGX_ERROR;
        }

        job->step = JOB_DRAFT;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_wassiit_job_forget;
    cln->data = job;

    job->request = r;
    job->cleanup = cln;

    r->main->count++;

    /* a log is to know what came of it, though the client has gone */
    r->main->blocked++;

    ngx_http_wassiit_job_insert(job, 0);

    return NGX_DONE;
}


ngx_int_t
ngx_http_wassiit_job_follow(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf, const ngx_str_t *id, uint64_t rev,
    const ngx_str_t *line, ngx_uint_t newest,
    void (*done)(ngx_http_wassiit_job_t *job, void *data), void *data)
{
    ngx_http_wassiit_job_t    *job;
    ngx_http_wassiit_draft_t  *draft;

    job = ngx_http_wassiit_job_without(zone, wmcf, id, done, data);
    if (job == NULL) {
        return NGX_ERROR;
    }

    draft = job->change.draft;
    draft->ordered = 1;
    draft->theirs = 1;
    draft->newest = newest;
    draft->rev = rev;

    /* one that is too long is no line, and refused as such */
    draft->len = ngx_min(line->len, NGX_HTTP_WASSIIT_LINE);
    ngx_memcpy(draft->text, line->data, draft->len);

    job->change.what = NGX_HTTP_WASSIIT_CHANGE_FOLLOW;
    ngx_http_wassiit_job_insert(job, 0);

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_job_offer(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf, const ngx_str_t *id,
    void (*done)(ngx_http_wassiit_job_t *job, void *data), void *data)
{
    ngx_http_wassiit_job_t  *job;

    if (zone->orders == NULL) {
        return NGX_ERROR;
    }

    job = ngx_http_wassiit_job_without(zone, wmcf, id, done, data);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->change.what = NGX_HTTP_WASSIIT_CHANGE_PATCH;
    job->change.draft->anew = 1;
    job->change.fields = json_object();

    if (job->change.fields == NULL) {
        ngx_http_wassiit_job_free(job);
        return NGX_ERROR;
    }

    job->orders = zone->orders;
    job->step = JOB_DRAFT;
    ngx_http_wassiit_job_insert(job, 0);

    return NGX_OK;
}


/* A job that is nobody's request, with a draft. */

static ngx_http_wassiit_job_t *
ngx_http_wassiit_job_without(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf, const ngx_str_t *id,
    void (*done)(ngx_http_wassiit_job_t *job, void *data), void *data)
{
    ngx_http_wassiit_job_t  *job;

    job = ngx_http_wassiit_job_create(zone, wmcf);
    if (job == NULL) {
        return NULL;
    }

    job->done = done;
    job->data = data;
    job->change.now = ngx_time();
    job->change.id.len = id->len;
    job->change.id.data = ngx_pstrdup(job->pool, (ngx_str_t *) id);

    if (job->change.id.data == NULL
        || ngx_http_wassiit_job_set_draft(job) != NGX_OK)
    {
        ngx_http_wassiit_job_free(job);
        return NULL;
    }

    return job;
}


/* It is large, and wiped with the job. */

static ngx_int_t
ngx_http_wassiit_job_set_draft(ngx_http_wassiit_job_t *job)
{
    job->change.draft = ngx_pcalloc(job->pool,
                                    sizeof(ngx_http_wassiit_draft_t));

    return job->change.draft ? NGX_OK : NGX_ERROR;
}


/* Queues a job, as the next one or the last one. */

static void
ngx_http_wassiit_job_insert(ngx_http_wassiit_job_t *job, ngx_uint_t first)
{
    if (first) {
        ngx_queue_insert_head(&ngx_http_wassiit_jobs, &job->queue);

    } else {
        ngx_queue_insert_tail(&ngx_http_wassiit_jobs, &job->queue);
    }

    if (ngx_http_wassiit_job_busy) {
        return;
    }

    if (ngx_process == NGX_PROCESS_WORKER) {
        ngx_http_wassiit_job_start();
        return;
    }

    /* made at once, it could end the request in its own handler */

    ngx_http_wassiit_job_busy = 1;
    ngx_http_wassiit_job_waiting = 1;
    ngx_add_timer(&ngx_http_wassiit_job_timer, 0);
}


void
ngx_http_wassiit_job_free(ngx_http_wassiit_job_t *job)
{
    if (job->change.draft) {
        ngx_explicit_memzero(job->change.draft,
                             sizeof(ngx_http_wassiit_draft_t));
    }

    json_decref(job->change.fields);
    ngx_explicit_memzero(job->change.made_data, NGX_HTTP_WASSIIT_MADE_LEN);
    ngx_destroy_pool(job->pool);
}


void
ngx_http_wassiit_job_mend(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    if (!ngx_http_wassiit_job_busy && ngx_http_wassiit_change_left(zone)) {
        ngx_http_wassiit_job_compact(zone, wmcf);
        ngx_http_wassiit_job_start();
    }
}


/* Makes the first change of the queue. */

static void
ngx_http_wassiit_job_start(void)
{
    ngx_queue_t             *q;
    ngx_http_wassiit_job_t  *job;

    ngx_http_wassiit_job_waiting = 0;

    if (ngx_queue_empty(&ngx_http_wassiit_jobs)) {
        ngx_http_wassiit_job_busy = 0;

        if (ngx_http_wassiit_job_away) {
            /* a worker that is to exit waits for these, too */
            ngx_add_timer(&ngx_http_wassiit_job_timer, JOB_PATIENCE);

        } else if (ngx_http_wassiit_job_timer.timer_set) {
            ngx_del_timer(&ngx_http_wassiit_job_timer);
        }

        return;
    }

    ngx_http_wassiit_job_busy = 1;
    ngx_add_timer(&ngx_http_wassiit_job_timer, JOB_PATIENCE);

    q = ngx_queue_head(&ngx_http_wassiit_jobs);
    job = ngx_queue_data(q, ngx_http_wassiit_job_t, queue);

    if (ngx_process != NGX_PROCESS_WORKER) {
        /* a single process reads and changes in turns; what was read may go */
        ngx_http_wassiit_zone_unpin(job->change.zone);

        ngx_http_wassiit_job_run(job);
        ngx_http_wassiit_job_finish(job);
        return;
    }

    if (ngx_http_wassiit_thread_start(ngx_http_wassiit_job_run,
                                      ngx_http_wassiit_job_done, job)
        != NGX_OK)
    {
        job->err = ngx_errno;
        job->changed = NGX_HTTP_WASSIIT_CHANGE_NO_THREAD;
        ngx_http_wassiit_job_finish(job);
    }
}


/*
 * There is a timer as long as there is a change: a worker that is to exit waits
 * for it.  It is short if the file is locked by someone else.
 */

static void
ngx_http_wassiit_job_timeout(ngx_event_t *ev)
{
    if (ngx_http_wassiit_job_waiting) {
        ngx_http_wassiit_job_start();

    } else {
        ngx_add_timer(ev, JOB_PATIENCE);
    }
}


static void
ngx_http_wassiit_job_run(void *data)
{
    ngx_http_wassiit_job_t *job = data;

    job->changed = ngx_http_wassiit_change(&job->change, ngx_cycle->log);
}


static void
ngx_http_wassiit_job_done(void *data)
{
    ngx_http_wassiit_job_finish(data);
}


static void
ngx_http_wassiit_job_finish(ngx_http_wassiit_job_t *job)
{
    if ((job->changed == NGX_HTTP_WASSIIT_CHANGE_BUSY
         || job->changed == NGX_HTTP_WASSIIT_CHANGE_ZONE_HELD
         || job->changed == NGX_HTTP_WASSIIT_CHANGE_NO_THREAD)
        && ngx_http_wassiit_job_waits(job))
    {
        ngx_http_wassiit_job_waiting = 1;
        ngx_add_timer(&ngx_http_wassiit_job_timer, JOB_RETRY);
        return;
    }

    ngx_queue_remove(&job->queue);

    if (ngx_http_wassiit_job_next(job) != NGX_AGAIN) {
        ngx_http_wassiit_job_end(job);
    }

    ngx_http_wassiit_job_start();
}


/*
 * Begins the next step of a change that is ordered first: NGX_AGAIN; there is
 * none, or the last one has failed: NGX_OK.
 */

static ngx_int_t
ngx_http_wassiit_job_next(ngx_http_wassiit_job_t *job)
{
    ngx_http_wassiit_draft_t         *draft;
    const ngx_http_wassiit_orders_t  *orders;

    draft = job->change.draft;
    orders = job->orders;

    switch (job->step) {

    case JOB_DRAFT:

        if (job->changed != NGX_HTTP_WASSIIT_CHANGED || draft->rev == 0) {
            return NGX_OK;
        }

        ngx_http_wassiit_job_away++;
        orders->order(job, orders->data);

        return NGX_AGAIN;

    case JOB_CATCH_UP:

        if (job->changed != NGX_HTTP_WASSIIT_CHANGED) {
            return NGX_OK;
        }

        if (draft->anew || ++job->tries == JOB_TRIES) {
            job->changed = NGX_HTTP_WASSIIT_CHANGE_RIVALS;
            return NGX_OK;
        }

        draft->ordered = 0;
        draft->theirs = 0;

        job->step = JOB_DRAFT;
        ngx_queue_insert_head(&ngx_http_wassiit_jobs, &job->queue);

        return NGX_AGAIN;

    case JOB_APPLY:

        if (job->changed != NGX_HTTP_WASSIIT_CHANGED) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                          "a change of partner \"%V\" that the cluster has "
                          "taken could not be made in \"%V\" (%d)",
                          &job->change.id, &job->change.zone->file,
                          (int) job->changed);

            job->changed = NGX_HTTP_WASSIIT_CHANGE_ELSEWHERE;
            return NGX_OK;
        }

        if (orders->settle == NULL || draft->anew) {
            /* nobody waits for what is offered to be made by all */
            return NGX_OK;
        }

        job->step = JOB_SETTLE;
        ngx_http_wassiit_job_away++;
        orders->settle(job, orders->data);

        return NGX_AGAIN;

    default: /* JOB_MAKE */

        if (job->changed != NGX_HTTP_WASSIIT_CHANGE_LOST) {
            return NGX_OK;
        }

        draft->ordered = 0;
        draft->theirs = 0;
        draft->newest = 0;
        draft->anew = 1;

        job->orders = job->change.zone->orders;
        ngx_http_wassiit_job_away++;
        job->orders->order(job, job->orders->data);

        return NGX_AGAIN;
    }
}


void
ngx_http_wassiit_job_ordered(ngx_http_wassiit_job_t *job,
    ngx_http_wassiit_ordered_e ordered)
{
    ngx_http_wassiit_draft_t  *draft;

    draft = job->change.draft;
    ngx_http_wassiit_job_away--;

    /* it has waited for others, and not for the file */
    job->since = ngx_current_msec;
    job->moved = ngx_current_msec;

    switch (ordered) {

    case NGX_HTTP_WASSIIT_ORDERED:
    case NGX_HTTP_WASSIIT_ORDER_STALE:
        draft->ordered = 1;
        draft->theirs = (ordered == NGX_HTTP_WASSIIT_ORDER_STALE);

        job->step = draft->theirs ? JOB_CATCH_UP : JOB_APPLY;
        ngx_http_wassiit_job_insert(job, 1);
        return;

    case NGX_HTTP_WASSIIT_ORDER_AWAY:
        job->changed = NGX_HTTP_WASSIIT_CHANGE_AWAY;
        break;

    default: /* NGX_HTTP_WASSIIT_ORDER_UNSURE */
        job->changed = NGX_HTTP_WASSIIT_CHANGE_UNSURE;
    }

    ngx_http_wassiit_job_end(job);
    ngx_http_wassiit_job_idle();
}


void
ngx_http_wassiit_job_settled(ngx_http_wassiit_job_t *job)
{
    ngx_http_wassiit_job_away--;

    ngx_http_wassiit_job_end(job);
    ngx_http_wassiit_job_idle();
}


/* Lets a worker exit that has no change on its way any more. */

static void
ngx_http_wassiit_job_idle(void)
{
    if (!ngx_http_wassiit_job_busy) {
        ngx_http_wassiit_job_start();
    }
}


/* Tells who asked for it what came of the change, which isn't queued. */

static void
ngx_http_wassiit_job_end(ngx_http_wassiit_job_t *job)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    ngx_http_wassiit_job_count(job);

    if (job->change.compact) {
        ngx_http_wassiit_job_compact(job->change.zone, job->wmcf);
    }

    r = job->request;

    if (r) {
        /* it may live on for longer than the job */
        job->cleanup->handler = NULL;
        r->main->blocked--;

        c = r->connection;
        ngx_http_set_log_request(c->log, r);

        ngx_http_finalize_request(r, job->answer(r, job));
        ngx_http_run_posted_requests(c);
    }

    if (job->done) {
        job->done(job, job->data);
    }

    ngx_http_wassiit_job_free(job);
}


/* What the file has kept from being made. */

static void
ngx_http_wassiit_job_count(ngx_http_wassiit_job_t *job)
{
    ngx_uint_t                fault;
    ngx_http_wassiit_zone_t  *zone;

    zone = job->change.zone;

    if (job->changed == NGX_HTTP_WASSIIT_CHANGE_NO_THREAD) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, job->err,
                      "no thread could be started to change \"%V\"",
                      &zone->file);
    }

    if (job->change.what == NGX_HTTP_WASSIIT_CHANGE_COMPACT) {
        ngx_http_wassiit_job_count_compaction(job);
        return;
    }

    switch (job->changed) {

    case NGX_HTTP_WASSIIT_CHANGE_BUSY:
        fault = NGX_HTTP_WASSIIT_BOARD_LOCKED;

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "a change of partner \"%V\" was given up, as another "
                      "process changes or has locked \"%V\" and does not go "
                      "on: \"lslocks\" or \"fuser -v %V\" tells by which one "
                      "it is locked", &job->change.id, &zone->file,
                      &zone->file);
        break;

    case NGX_HTTP_WASSIIT_CHANGE_NO_DISK:
    case NGX_HTTP_WASSIIT_CHANGE_NO_FD:
        fault = NGX_HTTP_WASSIIT_BOARD_DISK;
        break;

    case NGX_HTTP_WASSIIT_CHANGE_BAD_LINE:
        fault = NGX_HTTP_WASSIIT_BOARD_BAD_LINE;
        break;

    default:
        return;
    }

    ngx_http_wassiit_board_fault(&zone->board, fault);
}


/* A compaction is nobody's request, which would be counted when it ends. */

static void
ngx_http_wassiit_job_count_compaction(ngx_http_wassiit_job_t *job)
{
    ngx_uint_t                 result;
    ngx_http_wassiit_board_t  *board;

    board = &job->change.zone->board;

    switch (job->changed) {

    case NGX_HTTP_WASSIIT_CHANGE_NOT_DUE:
    case NGX_HTTP_WASSIIT_CHANGE_LEFT:
        return;

    case NGX_HTTP_WASSIIT_CHANGED:
        result = NGX_HTTP_WASSIIT_BOARD_DONE;
        break;

    default:
        result = NGX_HTTP_WASSIIT_BOARD_FAILED;
        ngx_http_wassiit_board_fault(board, NGX_HTTP_WASSIIT_BOARD_COMPACT);
    }

    ngx_http_wassiit_board_change(board, job->change.what, result);
}


/*
 * What someone has left is brought to its end, and the file compacted if that
 * is due.  Nobody waits for it.
 */

static void
ngx_http_wassiit_job_compact(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_http_wassiit_job_t  *job;

    job = ngx_http_wassiit_job_create(zone, wmcf);

    if (job) {
        job->change.what = NGX_HTTP_WASSIIT_CHANGE_COMPACT;
        ngx_queue_insert_tail(&ngx_http_wassiit_jobs, &job->queue);
    }
}


/* The client has gone, or has been answered. */

static void
ngx_http_wassiit_job_forget(void *data)
{
    ngx_http_wassiit_job_t  *job = data;

    job->request = NULL;
}


ngx_int_t
ngx_http_wassiit_job_init(ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                 i, changes;
    ngx_http_wassiit_zone_t  **zones;

    static ngx_connection_t    dummy;

    ngx_queue_init(&ngx_http_wassiit_jobs);

    dummy.fd = (ngx_socket_t) -1;

    ngx_http_wassiit_job_timer.handler = ngx_http_wassiit_job_timeout;
    ngx_http_wassiit_job_timer.log = ngx_cycle->log;
    ngx_http_wassiit_job_timer.data = &dummy;     /* debug logs look there */

    if (wmcf == NULL || ngx_process != NGX_PROCESS_WORKER) {
        return NGX_OK;
    }

    zones = wmcf->zones.elts;
    changes = 0;

    for (i = 0; i < wmcf->zones.nelts; i++) {

        if (!zones[i]->admin) {
            continue;
        }

        changes = 1;

        if (ngx_http_wassiit_change_left(zones[i])) {
            ngx_http_wassiit_job_compact(zones[i], wmcf);
        }
    }

    if (changes
        && ngx_http_wassiit_thread_init((ngx_cycle_t *) ngx_cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_wassiit_job_start();

    return NGX_OK;
}


/* As long as others' changes go on, but not for ever. */

static ngx_uint_t
ngx_http_wassiit_job_waits(ngx_http_wassiit_job_t *job)
{
    uint64_t  told;

    told = ngx_http_wassiit_change_told(job->change.zone);

    if (told != job->told) {
        job->told = told;
        job->moved = ngx_current_msec;
    }

    return ngx_current_msec - job->moved < JOB_STUCK
           && ngx_current_msec - job->since < JOB_PATIENCE;
}
