
#include "ngx_http_wassiit_cluster.h"
#include "ngx_http_wassiit_submit.h"


#define SUBMIT_TIMEOUT      2000        /* of a call, milliseconds */
#define SUBMIT_PATIENCE     5000        /* for Redis to come back */
#define SUBMIT_RETRY        100

/* ms that replicas are waited for, at a time and in all */
#define SUBMIT_COPY         100
#define SUBMIT_COPY_MOST    1000

/* bytes of an answer, in a line of the log */
#define SUBMIT_QUOTED       512

/* entries that the log keeps at the least */
#define SUBMIT_LOG          "100000"


/* replicas are waited for; it may outlive the job */

typedef struct {
    ngx_http_wassiit_redis_t   *redis;
    ngx_uint_t                  replicas;
    ngx_msec_t                  since;
    ngx_http_wassiit_copied_e   copied;
    ngx_uint_t                  gone;       /* the job has */
} ngx_http_wassiit_submit_copy_t;


typedef struct {
    ngx_http_wassiit_submit_t  *submit;
    ngx_http_wassiit_job_t     *job;
    ngx_str_t                   line;       /* as it is sent */
    ngx_str_t                   entry;      /* in the log */
    ngx_msec_t                  since;
    ngx_uint_t                  sent;       /* it may have been executed */
    ngx_http_wassiit_submit_copy_t  *copy;  /* NULL: none was begun */
    ngx_event_t                 timer;
    ngx_connection_t            dummy;      /* the timer's, for its log */
} ngx_http_wassiit_submit_call_t;


static void ngx_http_wassiit_submit_order(ngx_http_wassiit_job_t *job,
    void *data);
static ngx_int_t ngx_http_wassiit_submit_line(
    ngx_http_wassiit_submit_call_t *call);
static void ngx_http_wassiit_submit_send(ngx_http_wassiit_submit_call_t *call);
static void ngx_http_wassiit_submit_again(ngx_event_t *ev);
static void ngx_http_wassiit_submit_answer(ngx_wassiit_resp_t *reply,
    void *data);
static ngx_http_wassiit_ordered_e ngx_http_wassiit_submit_read(
    ngx_http_wassiit_submit_call_t *call, ngx_wassiit_resp_t *reply);
static ngx_http_wassiit_ordered_e ngx_http_wassiit_submit_stale(
    ngx_http_wassiit_submit_call_t *call, ngx_str_t *value);
static void ngx_http_wassiit_submit_copy(
    ngx_http_wassiit_submit_call_t *call);
static void ngx_http_wassiit_submit_wait(
    ngx_http_wassiit_submit_copy_t *copy);
static void ngx_http_wassiit_submit_copies(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_submit_leave(void *data);


void
ngx_http_wassiit_submit_init(ngx_http_wassiit_submit_t *submit)
{
    submit->orders.order = ngx_http_wassiit_submit_order;
    submit->orders.data = submit;
}


ngx_str_t *
ngx_http_wassiit_submit_entry(ngx_http_wassiit_job_t *job)
{
    ngx_http_wassiit_submit_call_t  *call = job->order;

    return &call->entry;
}


static void
ngx_http_wassiit_submit_order(ngx_http_wassiit_job_t *job, void *data)
{
    ngx_http_wassiit_submit_call_t  *call;

    call = job->order;

    if (call == NULL) {
        call = ngx_pcalloc(job->pool, sizeof(ngx_http_wassiit_submit_call_t));
        if (call == NULL) {
            ngx_http_wassiit_job_ordered(job, NGX_HTTP_WASSIIT_ORDER_AWAY);
            return;
        }

        call->submit = data;
        call->job = job;
        call->dummy.fd = (ngx_socket_t) -1;
        call->timer.handler = ngx_http_wassiit_submit_again;
        call->timer.log = ngx_cycle->log;
        call->timer.data = &call->dummy;
        call->dummy.data = call;
        job->order = call;
    }

    call->since = ngx_current_msec;
    call->sent = 0;
    call->entry.len = 0;
    call->copy = NULL;

    if (ngx_http_wassiit_submit_line(call) != NGX_OK) {
        ngx_http_wassiit_job_ordered(job, NGX_HTTP_WASSIIT_ORDER_AWAY);
        return;
    }

    ngx_http_wassiit_submit_send(call);
}


/* The draft as Redis is to have it. */

static ngx_int_t
ngx_http_wassiit_submit_line(ngx_http_wassiit_submit_call_t *call)
{
    ssize_t                    n;
    ngx_str_t                 *id;
    ngx_http_wassiit_draft_t  *draft;

    draft = call->job->change.draft;
    id = &call->job->change.id;

    if (call->submit->seal == NULL) {
        call->line.data = draft->text;
        call->line.len = draft->len;
        return NGX_OK;
    }

    call->line.data = ngx_pnalloc(call->job->pool,
                                  NGX_WASSIIT_SEALED(draft->len));
    if (call->line.data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_wassiit_seal(call->line.data, call->submit->seal, id->data, id->len,
                         draft->text, draft->len);
    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    call->line.len = n;

    return NGX_OK;
}


/*
 * Sends it; again if nobody knows what came of it: if it was executed then,
 * Redis has this very line.
 */

static void
ngx_http_wassiit_submit_send(ngx_http_wassiit_submit_call_t *call)
{
    u_char                   rev[NGX_INT64_LEN];
    ngx_str_t                args[10];
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_http_wassiit_job_t  *job;

    job = call->job;
    pool = job->pool;

    ngx_http_wassiit_follow_key(call->submit->zone, pool, "c", &args[0]);
    ngx_http_wassiit_follow_key(call->submit->zone, pool, "n", &args[1]);
    ngx_http_wassiit_follow_key(call->submit->zone, pool, "p", &args[2]);
    ngx_http_wassiit_follow_key(call->submit->zone, pool, "log", &args[3]);

    ngx_str_set(&args[4], "change");
    args[5] = job->change.id;
    args[6].data = rev;
    args[6].len = ngx_sprintf(rev, "%uL", job->change.draft->rev - 1) - rev;
    args[7] = call->line;
    ngx_str_set(&args[8], SUBMIT_LOG);
    args[9] = call->submit->check;

    rc = NGX_DECLINED;

    if (args[0].data && args[1].data && args[2].data && args[3].data) {
        rc = ngx_http_wassiit_redis_eval(call->submit->redis, args, 4, 10,
                                         SUBMIT_TIMEOUT,
                                         ngx_http_wassiit_submit_answer, call);
    }

    if (rc == NGX_OK) {
        return;
    }

    if (!call->sent) {
        ngx_http_wassiit_job_ordered(job, NGX_HTTP_WASSIIT_ORDER_AWAY);

    } else if (ngx_current_msec - call->since < SUBMIT_PATIENCE) {
        ngx_add_timer(&call->timer, SUBMIT_RETRY);

    } else {
        ngx_http_wassiit_job_ordered(job, NGX_HTTP_WASSIIT_ORDER_UNSURE);
    }
}


static void
ngx_http_wassiit_submit_again(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;

    ngx_http_wassiit_submit_send(c->data);
}


static void
ngx_http_wassiit_submit_answer(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_submit_call_t *call = data;

    ngx_http_wassiit_ordered_e  ordered;

    if (reply == NULL) {
        call->sent = 1;
        ngx_add_timer(&call->timer, SUBMIT_RETRY);
        return;
    }

    ordered = ngx_http_wassiit_submit_read(call, reply);

    if (ordered == NGX_HTTP_WASSIIT_ORDERED && call->entry.len) {
        ngx_http_wassiit_submit_copy(call);
    }

    ngx_http_wassiit_job_ordered(call->job, ordered);
}


static ngx_http_wassiit_ordered_e
ngx_http_wassiit_submit_read(ngx_http_wassiit_submit_call_t *call,
    ngx_wassiit_resp_t *reply)
{
    size_t                     len;
    u_char                     text[SUBMIT_QUOTED];
    int64_t                    rev;
    ngx_str_t                  value, *name;
    ngx_uint_t                 i, stale;
    ngx_http_wassiit_draft_t  *draft;

    draft = call->job->change.draft;
    name = &call->submit->zone->name;

    if (reply->type != NGX_WASSIIT_RESP_ARRAY || reply->count < 4
        || ngx_wassiit_resp_next(reply) != NGX_OK)
    {
        /* it refuses to execute it: read-only, out of memory, ... */
        len = ngx_wassiit_resp_print(&reply->text, text, sizeof(text));

        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "Redis does not take a change of partner \"%V\" of "
                      "wassiit_zone \"%V\": %*s", &call->job->change.id, name,
                      len, text);
        goto failed;
    }

    stale = ngx_wassiit_resp_is(reply, "STALE");

    if (ngx_wassiit_resp_is(reply, "CONFIG")) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "Redis does not take a change of partner \"%V\" of "
                      "wassiit_zone \"%V\": the other nodes have another "
                      "\"seal\", and couldn't read it", &call->job->change.id,
                      name);
        goto failed;
    }

    if (!stale && !ngx_wassiit_resp_is(reply, "OK")) {
        goto failed;
    }

    /* the time and the epoch, which say nothing here */

    for (i = 0; i < 3; i++) {
        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            goto failed;
        }
    }

    if (stale) {
        value = reply->text;
        return ngx_http_wassiit_submit_stale(call, &value);
    }

    if (ngx_wassiit_resp_number(reply, &rev) == NGX_OK
        && (uint64_t) rev == draft->rev
        && ngx_wassiit_resp_next(reply) == NGX_OK)
    {
        call->entry.data = ngx_pstrdup(call->job->pool, &reply->text);
        call->entry.len = call->entry.data ? reply->text.len : 0;

        return NGX_HTTP_WASSIIT_ORDERED;
    }

    call->sent = 1;

failed:

    return call->sent ? NGX_HTTP_WASSIIT_ORDER_UNSURE
                      : NGX_HTTP_WASSIIT_ORDER_AWAY;
}


/* Another line is the newest; or it is this one, whose answer was lost. */

static ngx_http_wassiit_ordered_e
ngx_http_wassiit_submit_stale(ngx_http_wassiit_submit_call_t *call,
    ngx_str_t *value)
{
    uint64_t                   rev;
    ngx_str_t                  line;
    ngx_http_wassiit_draft_t  *draft;

    draft = call->job->change.draft;

    if (ngx_http_wassiit_follow_value(value, &rev, &line) != NGX_OK) {

        /* none: it has lost what this node has, and nobody has told it yet */

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "Redis does not have partner \"%V\" of wassiit_zone "
                      "\"%V\", whose rev is %uL here", &call->job->change.id,
                      &call->submit->zone->name, draft->rev - 1);
        goto failed;
    }

    if (call->sent && rev == draft->rev && line.len == call->line.len
        && ngx_memcmp(line.data, call->line.data, line.len) == 0)
    {
        return NGX_HTTP_WASSIIT_ORDERED;
    }

    if (call->sent && rev > draft->rev) {
        /* it may have been made, and changed by others since */
        return NGX_HTTP_WASSIIT_ORDER_UNSURE;
    }

    if (ngx_http_wassiit_follow_open(call->submit->seal, call->job->pool,
                                     &call->job->change.id, &line)
        != NGX_OK
        || line.len >= NGX_HTTP_WASSIIT_LINE)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "the line of partner \"%V\" of wassiit_zone \"%V\" in "
                      "Redis isn't sealed by this node's key",
                      &call->job->change.id, &call->submit->zone->name);
        goto failed;
    }

    draft->rev = rev;
    draft->len = line.len;
    ngx_memcpy(draft->text, line.data, line.len);

    if (call->submit->seal) {
        ngx_explicit_memzero(line.data, line.len);
    }

    return NGX_HTTP_WASSIIT_ORDER_STALE;

failed:

    return call->sent ? NGX_HTTP_WASSIIT_ORDER_UNSURE
                      : NGX_HTTP_WASSIIT_ORDER_AWAY;
}


/*
 * The change is made here and elsewhere meanwhile.  Only the connection that
 * has written it can wait for it, and does nothing else then: so it waits for a
 * moment, again and again.
 */

static void
ngx_http_wassiit_submit_copy(ngx_http_wassiit_submit_call_t *call)
{
    ngx_pool_cleanup_t              *cln;
    ngx_http_wassiit_submit_copy_t  *copy;

    if (call->submit->replicas == 0) {
        return;
    }

    cln = ngx_pool_cleanup_add(call->job->pool, 0);
    if (cln == NULL) {
        return;
    }

    copy = ngx_calloc(sizeof(ngx_http_wassiit_submit_copy_t), ngx_cycle->log);
    if (copy == NULL) {
        return;
    }

    cln->handler = ngx_http_wassiit_submit_leave;
    cln->data = copy;

    copy->redis = call->submit->redis;
    copy->replicas = call->submit->replicas;
    copy->since = ngx_current_msec;
    call->copy = copy;

    ngx_http_wassiit_submit_wait(copy);
}


static void
ngx_http_wassiit_submit_wait(ngx_http_wassiit_submit_copy_t *copy)
{
    copy->copied = NGX_HTTP_WASSIIT_COPYING;

    if (ngx_http_wassiit_cluster_copy(copy->redis, copy->replicas, SUBMIT_COPY,
                                      ngx_http_wassiit_submit_copies, copy)
        != NGX_OK)
    {
        copy->copied = NGX_HTTP_WASSIIT_NOT_COPIED;
    }
}


static void
ngx_http_wassiit_submit_copies(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_submit_copy_t *copy = data;

    if (copy->gone) {
        ngx_free(copy);
        return;
    }

    if (ngx_http_wassiit_cluster_is_copied(reply, copy->replicas)) {
        copy->copied = NGX_HTTP_WASSIIT_COPIED;

    } else if (reply && ngx_current_msec - copy->since < SUBMIT_COPY_MOST) {
        ngx_http_wassiit_submit_wait(copy);

    } else {
        copy->copied = NGX_HTTP_WASSIIT_NOT_COPIED;
    }
}


/* The job's pool goes. */

static void
ngx_http_wassiit_submit_leave(void *data)
{
    ngx_http_wassiit_submit_copy_t *copy = data;

    if (copy->copied == NGX_HTTP_WASSIIT_COPYING) {
        copy->gone = 1;

    } else {
        ngx_free(copy);
    }
}


ngx_http_wassiit_copied_e
ngx_http_wassiit_submit_copied(ngx_http_wassiit_job_t *job)
{
    ngx_http_wassiit_submit_call_t  *call = job->order;

    if (call->copy) {
        return call->copy->copied;
    }

    return call->submit->replicas ? NGX_HTTP_WASSIIT_NOT_COPIED
                                  : NGX_HTTP_WASSIIT_COPIED;
}
