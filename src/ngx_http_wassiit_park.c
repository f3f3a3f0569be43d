
#include "ngx_http_wassiit_adjust.h"
#include "ngx_http_wassiit_caps.h"
#include "ngx_http_wassiit_park.h"
#include "ngx_http_wassiit_zone_sh.h"


/* requests of one worker that wait: for one zone's partners, for one of them */
#define PARK_MOST               1024
#define PARK_EACH               64

/* partners that had nothing free in this turn: others of them needn't try */
#define PARK_TRIED              16

/* how often what other workers were given is looked at: ms */
#define PARK_TICK               2


typedef struct {
    ngx_queue_t                     queue;
    ngx_http_request_t             *request;    /* NULL: it doesn't wait */
    ngx_http_wassiit_ctx_t         *ctx;
    ngx_http_wassiit_cluster_t     *cluster;
    ngx_msec_t                      until;
} ngx_http_wassiit_parked_t;


struct ngx_http_wassiit_park_s {
    ngx_queue_t                     queue;      /* the longest wait first */
    ngx_uint_t                      n;
    ngx_event_t                     tick;
    ngx_connection_t                dummy;
};


static ngx_uint_t ngx_http_wassiit_park_of(ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_cluster_t *cluster, ngx_uint_t most);
static void ngx_http_wassiit_park_answered(
    ngx_http_wassiit_cluster_t *cluster, ngx_str_t *id, ngx_uint_t hopeless);
static void ngx_http_wassiit_park_tick(ngx_event_t *ev);
static void ngx_http_wassiit_park_try(ngx_http_wassiit_parked_t *parked);
static void ngx_http_wassiit_park_leave(ngx_http_wassiit_parked_t *parked,
    ngx_uint_t limited);
static void ngx_http_wassiit_park_remove(ngx_http_wassiit_parked_t *parked);
static void ngx_http_wassiit_park_cleanup(void *data);
static void ngx_http_wassiit_park_wait(ngx_http_request_t *r);
static void ngx_http_wassiit_park_resume(ngx_http_request_t *r);
static ngx_uint_t ngx_http_wassiit_park_is_of(
    ngx_http_wassiit_parked_t *parked, ngx_str_t *id);


ngx_int_t
ngx_http_wassiit_park_init(ngx_http_wassiit_cluster_t *cluster,
    ngx_cycle_t *cycle)
{
    ngx_http_wassiit_park_t  *park;

    park = ngx_pcalloc(cycle->pool, sizeof(ngx_http_wassiit_park_t));
    if (park == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&park->queue);

    park->dummy.fd = (ngx_socket_t) -1;
    park->dummy.data = cluster;
    park->tick.handler = ngx_http_wassiit_park_tick;
    park->tick.data = &park->dummy;
    park->tick.log = cycle->log;

    cluster->park = park;
    cluster->answered = ngx_http_wassiit_park_answered;

    return NGX_OK;
}


ngx_uint_t
ngx_http_wassiit_park_is_before(ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_cluster_t *cluster)
{
    return cluster->park->n
           && ngx_http_wassiit_park_of(ctx, cluster, 1);
}


/* How many of the partner's wait?  most of them are counted. */

static ngx_uint_t
ngx_http_wassiit_park_of(ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_cluster_t *cluster, ngx_uint_t most)
{
    ngx_str_t                   id;
    ngx_uint_t                  n;
    ngx_queue_t                *q;
    ngx_http_wassiit_park_t    *park;
    ngx_http_wassiit_parked_t  *parked;

    park = cluster->park;
    id.data = ctx->partner.names;
    id.len = ctx->partner.id_len;
    n = 0;

    for (q = ngx_queue_head(&park->queue);
         q != ngx_queue_sentinel(&park->queue) && n < most;
         q = ngx_queue_next(q))
    {
        parked = ngx_queue_data(q, ngx_http_wassiit_parked_t, queue);
        n += ngx_http_wassiit_park_is_of(parked, &id);
    }

    return n;
}


ngx_int_t
ngx_http_wassiit_park(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_cluster_t *cluster)
{
    ngx_http_cleanup_t         *cln;
    ngx_http_wassiit_park_t    *park;
    ngx_http_wassiit_parked_t  *parked;

    park = cluster->park;

    if (!cluster->redis->up || park->n == PARK_MOST
        || ngx_http_wassiit_park_of(ctx, cluster, PARK_EACH) == PARK_EACH
        || !ngx_http_wassiit_claims_waits(&cluster->zone->claims,
                                          ctx->usage.limit,
                                          ngx_http_wassiit_zone_clock()))
    {
        return NGX_DECLINED;
    }

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_wassiit_parked_t));
    if (cln == NULL) {
        return NGX_DECLINED;
    }

    cln->handler = ngx_http_wassiit_park_cleanup;
    parked = cln->data;

    parked->request = r;
    parked->ctx = ctx;
    parked->cluster = cluster;
    parked->until = ngx_current_msec + cluster->conf->timeout;

    ngx_queue_insert_tail(&park->queue, &parked->queue);
    park->n++;

    if (!park->tick.timer_set) {
        ngx_add_timer(&park->tick, PARK_TICK);
    }

    (void) ngx_wassiit_add(
        &ngx_http_wassiit_claims_counts(&cluster->zone->claims)->parked, 1);

    /* a client that goes away is noticed */

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_wassiit_park_remove(parked);
        return NGX_DECLINED;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_wassiit_park_wait;

    return NGX_AGAIN;
}


static void
ngx_http_wassiit_park_answered(ngx_http_wassiit_cluster_t *cluster,
    ngx_str_t *id, ngx_uint_t hopeless)
{
    ngx_queue_t                *q, *next;
    ngx_http_wassiit_park_t    *park;
    ngx_http_wassiit_parked_t  *parked;

    park = cluster->park;

    for (q = ngx_queue_head(&park->queue);
         q != ngx_queue_sentinel(&park->queue);
         q = next)
    {
        next = ngx_queue_next(q);
        parked = ngx_queue_data(q, ngx_http_wassiit_parked_t, queue);

        if (!ngx_http_wassiit_park_is_of(parked, id)) {
            continue;
        }

        ngx_http_wassiit_park_try(parked);

        if (parked->request && hopeless) {
            ngx_http_wassiit_park_leave(parked, 1);
        }
    }
}


static void
ngx_http_wassiit_park_tick(ngx_event_t *ev)
{
    ngx_str_t                    id, tried[PARK_TRIED];
    ngx_uint_t                   n, i;
    ngx_queue_t                 *q, *next;
    ngx_connection_t            *c;
    ngx_http_wassiit_park_t     *park;
    ngx_http_wassiit_parked_t   *parked;
    ngx_http_wassiit_cluster_t  *cluster;

    c = ev->data;
    cluster = c->data;
    park = cluster->park;
    n = 0;

    for (q = ngx_queue_head(&park->queue);
         q != ngx_queue_sentinel(&park->queue);
         q = next)
    {
        next = ngx_queue_next(q);
        parked = ngx_queue_data(q, ngx_http_wassiit_parked_t, queue);

        id.data = parked->ctx->partner.names;
        id.len = parked->ctx->partner.id_len;

        for (i = 0; i < n; i++) {
            if (ngx_http_wassiit_park_is_of(parked, &tried[i])) {
                break;
            }
        }

        if (i == n) {
            ngx_http_wassiit_park_try(parked);

            if (parked->request == NULL) {
                continue;
            }

            ngx_http_wassiit_adjust_note(cluster, &id,
                                         NGX_HTTP_WASSIIT_CAPS_PARKED);
            if (n < PARK_TRIED) {
                /* the name lives as long as its request waits */
                tried[n++] = id;
            }
        }

        if ((ngx_msec_int_t) (ngx_current_msec - parked->until) >= 0
            || !cluster->redis->up)
        {
            if (i < n) {
                /* which also finds out what there is to be said of the limit */
                ngx_http_wassiit_park_try(parked);

                if (parked->request == NULL) {
                    continue;
                }
            }

            for (i = 0; i < n; i++) {
                if (tried[i].data == id.data) {
                    /* the next one of its partner has nothing, too */
                    tried[i] = tried[--n];
                    break;
                }
            }

            ngx_http_wassiit_park_leave(parked, 1);
        }
    }

    if (!ngx_queue_empty(&park->queue)) {
        ngx_add_timer(ev, PARK_TICK);
    }
}


static void
ngx_http_wassiit_park_try(ngx_http_wassiit_parked_t *parked)
{
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = parked->ctx;

    switch (ngx_http_wassiit_zone_take(ctx->zone, &ctx->partner, &ctx->usage))
    {
    case NGX_OK:
        (void) ngx_wassiit_add(
           &ngx_http_wassiit_claims_counts(&ctx->zone->claims)->admitted, 1);
        ngx_http_wassiit_park_leave(parked, 0);
        break;

    case NGX_ERROR:
        /* the partner is gone, as the handler finds out for itself */
        ctx->taken = 0;
        ngx_http_wassiit_park_leave(parked, 0);
        break;

    default:
        break;
    }
}


static void
ngx_http_wassiit_park_leave(ngx_http_wassiit_parked_t *parked,
    ngx_uint_t limited)
{
    ngx_http_request_t      *r;
    ngx_http_wassiit_ctx_t  *ctx;

    r = parked->request;

    ctx = parked->ctx;
    ctx->limited = limited;

    if (limited && ctx->zone->pinned && ctx->partner.turn == ctx->zone->turn
        && ngx_http_wassiit_caps_is_early(ctx->zone, &ctx->partner,
                                          ctx->usage.limit))
    {
        (void) ngx_wassiit_add(
              &ngx_http_wassiit_claims_counts(&ctx->zone->claims)->early, 1);
    }

    ngx_http_wassiit_park_remove(parked);

    r->write_event_handler = ngx_http_wassiit_park_resume;
    ngx_post_event(r->connection->write, &ngx_posted_events);
}


static void
ngx_http_wassiit_park_remove(ngx_http_wassiit_parked_t *parked)
{
    parked->request = NULL;
    parked->cluster->park->n--;
    ngx_queue_remove(&parked->queue);
}


/* The request ends: if it still waits, its client has gone. */

static void
ngx_http_wassiit_park_cleanup(void *data)
{
    ngx_http_wassiit_parked_t *parked = data;

    if (parked->request) {
        parked->ctx->decision = NGX_HTTP_WASSIIT_RATE_LIMITED;
        ngx_http_wassiit_park_remove(parked);
    }
}


static void
ngx_http_wassiit_park_wait(ngx_http_request_t *r)
{
    /* it may be that the socket can be written to; there is nothing yet */
}


static void
ngx_http_wassiit_park_resume(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


static ngx_uint_t
ngx_http_wassiit_park_is_of(ngx_http_wassiit_parked_t *parked, ngx_str_t *id)
{
    ngx_http_wassiit_partner_t  *partner;

    partner = &parked->ctx->partner;

    return partner->id_len == id->len
           && ngx_memcmp(partner->names, id->data, id->len) == 0;
}
