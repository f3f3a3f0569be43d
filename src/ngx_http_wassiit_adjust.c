
#include "ngx_http_wassiit_adjust.h"


/* calls under way, of one worker for one zone */
#define ADJUST_CALLS            16

/* partners to be looked at in this turn */
#define ADJUST_NOTES            256

/* an answer that isn't there by then won't come: ms */
#define ADJUST_TIMEOUT          2000

/* ms that replicas are waited for */
#define ADJUST_COPY             100


typedef struct {
    ngx_str_t                       id;
    ngx_http_wassiit_claim_t        claim;
    int64_t                         numbers[3]; /* cap, pool, full */
    u_char                          text[NGX_HTTP_WASSIIT_ID_LEN];
} ngx_http_wassiit_adjust_part_t;


typedef struct {
    ngx_http_wassiit_cluster_t     *cluster;    /* NULL: it is free */
    ngx_uint_t                      n;
    unsigned                        granted:1;  /* replicas are to have it */
    unsigned                        copies:1;   /* that is asked for */
    ngx_http_wassiit_adjust_part_t  parts[NGX_HTTP_WASSIIT_BATCH];
} ngx_http_wassiit_adjust_call_t;


typedef struct {
    ngx_http_wassiit_caps_why_e   why;
    u_char                          len;
    u_char                          id[NGX_HTTP_WASSIIT_ID_LEN];
} ngx_http_wassiit_adjust_note_t;


struct ngx_http_wassiit_adjust_s {
    ngx_event_t                     event;
    ngx_uint_t                      copying;    /* replicas are waited for */
    ngx_uint_t                      uncopied;   /* they hadn't it, last time */
    ngx_uint_t                      n;
    ngx_http_wassiit_adjust_note_t  notes[ADJUST_NOTES];
    ngx_http_wassiit_adjust_call_t  calls[ADJUST_CALLS];
};


static void ngx_http_wassiit_adjust_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_wassiit_adjust_begin(
    ngx_http_wassiit_cluster_t *cluster, ngx_http_wassiit_adjust_call_t *call,
    ngx_uint_t from);
static void ngx_http_wassiit_adjust_send(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_adjust_call_t *call);
static void ngx_http_wassiit_adjust_answer(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_adjust_read(ngx_http_wassiit_adjust_call_t *call,
    ngx_wassiit_resp_t *resp);
static void ngx_http_wassiit_adjust_copy(ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_adjust_copied(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_adjust_apply(
    ngx_http_wassiit_adjust_call_t *call);
static void ngx_http_wassiit_adjust_drop(
    ngx_http_wassiit_adjust_call_t *call);
static void ngx_http_wassiit_adjust_free(
    ngx_http_wassiit_adjust_call_t *call);


ngx_int_t
ngx_http_wassiit_adjust_init(ngx_http_wassiit_cluster_t *cluster,
    ngx_cycle_t *cycle)
{
    ngx_http_wassiit_adjust_t  *adjust;

    adjust = ngx_pcalloc(cycle->pool, sizeof(ngx_http_wassiit_adjust_t));
    if (adjust == NULL) {
        return NGX_ERROR;
    }

    adjust->event.handler = ngx_http_wassiit_adjust_handler;
    adjust->event.data = cluster;
    adjust->event.log = cycle->log;

    cluster->adjust = adjust;

    return NGX_OK;
}


void
ngx_http_wassiit_adjust_note(ngx_http_wassiit_cluster_t *cluster,
    ngx_str_t *id, ngx_http_wassiit_caps_why_e why)
{
    ngx_uint_t                       i;
    ngx_http_wassiit_adjust_t       *adjust;
    ngx_http_wassiit_adjust_note_t  *note;

    adjust = cluster->adjust;

    if (!cluster->redis->up) {
        return;
    }

    for (i = 0; i < adjust->n; i++) {
        note = &adjust->notes[i];

        if (note->why == why && note->len == id->len
            && ngx_memcmp(note->id, id->data, id->len) == 0)
        {
            return;
        }
    }

    if (adjust->n == ADJUST_NOTES) {
        /* the next request that is short says so again */
        return;
    }

    note = &adjust->notes[adjust->n++];
    note->why = why;
    note->len = id->len;
    ngx_memcpy(note->id, id->data, id->len);

    ngx_post_event(&adjust->event, &ngx_posted_events);
}


/* The end of a turn, or of a call. */

static void
ngx_http_wassiit_adjust_handler(ngx_event_t *ev)
{
    ngx_http_wassiit_cluster_t *cluster = ev->data;

    ngx_uint_t                       i, done;
    ngx_http_wassiit_adjust_t       *adjust;
    ngx_http_wassiit_adjust_call_t  *call;

    adjust = cluster->adjust;

    for (i = 0, done = 0; i < ADJUST_CALLS && done < adjust->n; i++) {
        call = &adjust->calls[i];

        if (call->cluster) {
            continue;
        }

        done = ngx_http_wassiit_adjust_begin(cluster, call, done);

        if (call->n) {
            ngx_http_wassiit_adjust_send(cluster, call);
        }
    }

    /* what has no room in a call waits for an answer to one */

    adjust->n -= done;
    ngx_memmove(adjust->notes, adjust->notes + done,
                adjust->n * sizeof(ngx_http_wassiit_adjust_note_t));
}


/* Returns the number of notes that are done. */

static ngx_uint_t
ngx_http_wassiit_adjust_begin(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_adjust_call_t *call, ngx_uint_t from)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_wassiit_adjust_t       *adjust;
    ngx_http_wassiit_adjust_note_t  *note;
    ngx_http_wassiit_adjust_part_t  *part;

    adjust = cluster->adjust;
    call->n = 0;

    for (i = from; i < adjust->n && call->n < NGX_HTTP_WASSIIT_BATCH; i++) {
        note = &adjust->notes[i];
        part = &call->parts[call->n];

        part->id.len = note->len;
        part->id.data = part->text;
        ngx_memcpy(part->text, note->id, note->len);

        rc = ngx_http_wassiit_caps_begin(cluster->zone, &part->id, note->why,
                                           &part->claim);

        if (rc == NGX_OK) {
            call->n++;

        } else if (rc == NGX_ABORT) {
            cluster->answered(cluster, &part->id, 1);
        }
    }

    return i;
}


static void
ngx_http_wassiit_adjust_send(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_adjust_call_t *call)
{
    u_char                          *p;
    ngx_str_t                       *keys, *common, *args;
    ngx_uint_t                       i;
    ngx_http_wassiit_adjust_part_t  *part;

    static u_char     buf[NGX_HTTP_WASSIIT_BATCH
                          * NGX_HTTP_WASSIIT_ADJUST_LEN];
    static u_char     text[NGX_HTTP_WASSIIT_COMMON_LEN];
    static ngx_str_t  all[2 + NGX_HTTP_WASSIIT_COMMON
                          + NGX_HTTP_WASSIIT_BATCH * 2];

    call->cluster = cluster;
    call->granted = 0;
    call->copies = 0;

    keys = all + 2;
    common = keys + call->n;
    args = common + NGX_HTTP_WASSIIT_COMMON;
    p = buf;

    ngx_http_wassiit_cluster_keys(cluster, all);
    ngx_http_wassiit_cluster_common(cluster, "adjust", common, text);

    for (i = 0; i < call->n; i++) {
        part = &call->parts[i];

        p = ngx_http_wassiit_adjust_write(p, cluster, &part->id, &part->claim,
                                          &keys[i], &args[i]);
    }

    if (ngx_http_wassiit_redis_eval(cluster->redis, all, 2 + call->n,
                                    args + call->n - all, ADJUST_TIMEOUT,
                                    ngx_http_wassiit_adjust_answer, call)
        != NGX_OK)
    {
        ngx_http_wassiit_adjust_drop(call);
    }
}


u_char *
ngx_http_wassiit_adjust_write(u_char *p, ngx_http_wassiit_cluster_t *cluster,
    ngx_str_t *id, ngx_http_wassiit_claim_t *claim, ngx_str_t *key,
    ngx_str_t *arg)
{
    key->data = p;
    p = ngx_sprintf(p, "wassiit:{%V}:w:%V", &cluster->zone->name, id);
    key->len = p - key->data;

    arg->data = p;
    p = ngx_sprintf(p, "%uD %uL %uL %uD %uD %uL %uD", claim->limit,
                    (uint64_t) claim->seconds * 1000, claim->rev, claim->cap,
                    claim->want, claim->seq, claim->busy);
    arg->len = p - arg->data;

    return p;
}


static void
ngx_http_wassiit_adjust_answer(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_adjust_call_t *call = data;

    ngx_http_wassiit_cluster_t      *cluster;
    ngx_http_wassiit_answer_head_t   head;

    cluster = call->cluster;

    if (reply && ngx_http_wassiit_cluster_read(cluster, reply, &head) == NGX_OK
        && head.word.len == 2 && ngx_strncmp(head.word.data, "OK", 2) == 0
        && head.n == call->n * 3)
    {
        ngx_http_wassiit_adjust_read(call, &head.resp);

        if (call->granted && cluster->conf->replicas) {
            ngx_http_wassiit_adjust_copy(cluster);

        } else {
            ngx_http_wassiit_adjust_apply(call);
        }

        return;
    }

    /* that the session is over, or the server another, the leader finds out */

    ngx_http_wassiit_adjust_drop(call);
}


/* An answer lies where it does only until the handler returns. */

static void
ngx_http_wassiit_adjust_read(ngx_http_wassiit_adjust_call_t *call,
    ngx_wassiit_resp_t *resp)
{
    ngx_uint_t                       i, n;
    ngx_http_wassiit_adjust_part_t  *part;

    for (i = 0; i < call->n; i++) {
        part = &call->parts[i];
        ngx_memzero(part->numbers, sizeof(part->numbers));

        for (n = 0; n < 3; n++) {
            if (ngx_wassiit_resp_next(resp) != NGX_OK
                || ngx_wassiit_resp_number(resp, &part->numbers[n]) != NGX_OK)
            {
                part->numbers[0] = -1;
                break;
            }
        }

        call->granted |= (part->numbers[0] > (int64_t) part->claim.cap);
    }
}


/*
 * What was granted counts once replicas have it: one that doesn't know of it
 * may become the master, and grant it to another.  The server does nothing else
 * for this connection meanwhile, so one wait is for all that came before it.
 */

static void
ngx_http_wassiit_adjust_copy(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_int_t                        rc;
    ngx_uint_t                       i, n;
    ngx_http_wassiit_adjust_t       *adjust;
    ngx_http_wassiit_adjust_call_t  *call;

    adjust = cluster->adjust;

    if (adjust->copying) {
        return;
    }

    for (i = 0, n = 0; i < ADJUST_CALLS; i++) {
        call = &adjust->calls[i];
        call->copies = (call->cluster && call->granted);
        n += call->copies;
    }

    if (n == 0) {
        return;
    }

    rc = ngx_http_wassiit_cluster_copy(cluster->redis, cluster->conf->replicas,
                                       ADJUST_COPY,
                                       ngx_http_wassiit_adjust_copied, cluster);

    if (rc == NGX_OK) {
        adjust->copying = 1;

    } else {
        ngx_http_wassiit_adjust_copied(NULL, cluster);
    }
}


static void
ngx_http_wassiit_adjust_copied(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_uint_t                       i, copied;
    ngx_http_wassiit_adjust_t       *adjust;
    ngx_http_wassiit_adjust_call_t  *call;

    adjust = cluster->adjust;
    adjust->copying = 0;

    copied = ngx_http_wassiit_cluster_is_copied(reply,
                                                cluster->conf->replicas);

    for (i = 0; i < ADJUST_CALLS; i++) {
        call = &adjust->calls[i];

        if (call->cluster == NULL || !call->granted
            || (reply && !call->copies))
        {
            continue;
        }

        if (copied) {
            ngx_http_wassiit_adjust_apply(call);

        } else {
            ngx_http_wassiit_adjust_drop(call);
        }
    }

    if (reply && adjust->uncopied == copied) {
        adjust->uncopied = !copied;

        if (copied) {
            ngx_log_error(NGX_LOG_NOTICE, cluster->log, 0,
                          "what Redis grants zone \"%V\" is at %ui of its "
                          "replicas again: it counts", &cluster->zone->name,
                          cluster->conf->replicas);

        } else {
            ngx_log_error(NGX_LOG_WARN, cluster->log, 0,
                          "what Redis grants zone \"%V\" isn't at %ui of its "
                          "replicas within %d ms: it doesn't count; see "
                          "\"replicas\", and Redis' INFO replication",
                          &cluster->zone->name, cluster->conf->replicas,
                          ADJUST_COPY);
        }
    }

    if (reply) {
        ngx_http_wassiit_adjust_copy(cluster);
    }
}


static void
ngx_http_wassiit_adjust_apply(ngx_http_wassiit_adjust_call_t *call)
{
    ngx_uint_t                       i;
    ngx_http_wassiit_cluster_t      *cluster;
    ngx_http_wassiit_adjust_part_t  *part;

    cluster = call->cluster;

    for (i = 0; i < call->n; i++) {
        part = &call->parts[i];

        (void) ngx_http_wassiit_caps_end(cluster->zone, &part->id,
                                           &part->claim, part->numbers[0],
                                           ngx_max(part->numbers[1], 0),
                                           ngx_max(part->numbers[2], 0));

        cluster->answered(cluster, &part->id,
                          part->numbers[0] <= (int64_t) part->claim.cap
                          && part->numbers[2] > 0);
    }

    ngx_http_wassiit_adjust_free(call);
}


static void
ngx_http_wassiit_adjust_drop(ngx_http_wassiit_adjust_call_t *call)
{
    ngx_uint_t                       i;
    ngx_http_wassiit_cluster_t      *cluster;
    ngx_http_wassiit_adjust_part_t  *part;

    cluster = call->cluster;

    for (i = 0; i < call->n; i++) {
        part = &call->parts[i];

        ngx_http_wassiit_caps_drop(cluster->zone, &part->id, &part->claim);
        cluster->answered(cluster, &part->id, 0);
    }

    ngx_http_wassiit_adjust_free(call);
}


static void
ngx_http_wassiit_adjust_free(ngx_http_wassiit_adjust_call_t *call)
{
    ngx_http_wassiit_adjust_t  *adjust;

    adjust = call->cluster->adjust;
    call->cluster = NULL;

    if (adjust->n) {
        /* some wait for a call that is free */
        ngx_post_event(&adjust->event, &ngx_posted_events);
    }
}
