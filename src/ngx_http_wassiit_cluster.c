
#include "ngx_http_wassiit_cluster.h"
#include "ngx_http_wassiit_log.h"
#include "ngx_http_wassiit_zone_sh.h"


#define MS                      ((uint64_t) 1000)

/* ms: the server is given so much more than it is to wait */
#define CLUSTER_LATE            2000

/* the ledger takes none that is larger, and they are told to it again */
#define CLUSTER_NUMBER          (((int64_t) 1 << 53) - 1)

/* bytes of an answer, in a line of the log */
#define CLUSTER_QUOTED          512

/* ms, or a quarter of the lease if that is less */
#define CLUSTER_PATIENCE        2000


static const ngx_str_t  ngx_http_wassiit_cluster_kind = ngx_string("redis");


/* in the order of the states */

static ngx_str_t  ngx_http_wassiit_cluster_states[] = {
    ngx_string("starting"),
    ngx_string("alone"),
    ngx_string("restating"),
    ngx_string("active")
};


/* of this process */

static ngx_http_wassiit_cluster_t  *ngx_http_wassiit_clusters;


void
ngx_http_wassiit_cluster_add(ngx_http_wassiit_cluster_t *cluster)
{
    cluster->next = ngx_http_wassiit_clusters;
    ngx_http_wassiit_clusters = cluster;
}


ngx_http_wassiit_cluster_t *
ngx_http_wassiit_cluster_first(void)
{
    return ngx_http_wassiit_clusters;
}


ngx_http_wassiit_cluster_t *
ngx_http_wassiit_cluster_of(ngx_http_wassiit_zone_t *zone)
{
    ngx_http_wassiit_cluster_t  *cluster;

    for (cluster = ngx_http_wassiit_clusters; cluster; cluster = cluster->next)
    {
        if (cluster->zone == zone) {
            return cluster;
        }
    }

    return NULL;
}


ngx_str_t *
ngx_http_wassiit_cluster_state(ngx_http_wassiit_zone_t *zone)
{
    ngx_uint_t                       state;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&zone->claims);
    state = load(&lead->state);

    if (state >= NGX_HTTP_WASSIIT_RESTATING
        && ngx_http_wassiit_zone_clock() >= load(&lead->until))
    {
        state = NGX_HTTP_WASSIIT_ALONE;
    }

    return &ngx_http_wassiit_cluster_states[state];
}


ngx_str_t *
ngx_http_wassiit_cluster_state_name(ngx_uint_t n)
{
    return (n <= NGX_HTTP_WASSIIT_ACTIVE)
           ? &ngx_http_wassiit_cluster_states[n] : NULL;
}


ngx_int_t
ngx_http_wassiit_cluster_name(ngx_http_wassiit_cluster_t *cluster,
    ngx_pool_t *pool)
{
    size_t       len;
    u_char      *p;
    ngx_uint_t   i;

    len = sizeof("wassiit:{}:c") + cluster->zone->name.len;

    for (i = 0; i < 2; i++) {
        p = ngx_pnalloc(pool, len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        cluster->keys[i].data = p;
        cluster->keys[i].len = ngx_sprintf(p, "wassiit:{%V}:%s",
                                           &cluster->zone->name,
                                           i ? "n" : "c")
                               - p;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_cluster_copy(ngx_http_wassiit_redis_t *redis,
    ngx_uint_t replicas, ngx_msec_t patience,
    ngx_http_wassiit_redis_pt handler, void *data)
{
    u_char     numbers[2][NGX_INT_T_LEN];
    ngx_str_t  args[3];

    ngx_str_set(&args[0], "WAIT");
    args[1].data = numbers[0];
    args[1].len = ngx_sprintf(numbers[0], "%ui", replicas) - numbers[0];
    args[2].data = numbers[1];
    args[2].len = ngx_sprintf(numbers[1], "%M", patience) - numbers[1];

    return ngx_http_wassiit_redis_call(redis, args, 3,
                                       patience + CLUSTER_LATE, handler, data);
}


ngx_uint_t
ngx_http_wassiit_cluster_is_copied(ngx_wassiit_resp_t *reply,
    ngx_uint_t replicas)
{
    int64_t  n;

    return reply && ngx_wassiit_resp_number(reply, &n) == NGX_OK
           && n >= (int64_t) replicas;
}


ngx_msec_t
ngx_http_wassiit_cluster_patience(ngx_http_wassiit_cluster_t *cluster)
{
    return ngx_min(CLUSTER_PATIENCE, cluster->conf->lease / 4);
}


void
ngx_http_wassiit_cluster_now(ngx_http_wassiit_cluster_t *cluster)
{
    cluster->soon = 1;

    if (cluster->tick.timer_set) {
        /* one that is due within 300 ms would be left as it is */
        ngx_del_timer(&cluster->tick);
        ngx_add_timer(&cluster->tick, 1);
    }
}


void
ngx_http_wassiit_cluster_keys(ngx_http_wassiit_cluster_t *cluster,
    ngx_str_t keys[2])
{
    keys[0] = cluster->keys[0];
    keys[1] = cluster->keys[1];
}


void
ngx_http_wassiit_cluster_common(ngx_http_wassiit_cluster_t *cluster,
    const char *verb, ngx_str_t args[NGX_HTTP_WASSIIT_COMMON],
    u_char buf[NGX_HTTP_WASSIIT_COMMON_LEN])
{
    uint64_t                         stamp, sent, elapsed;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    /*
     * In this order, while the leader sets "sent" first: the stamp may be of an
     * earlier call than that, by which the ledger's clock may be late, but not
     * of a later one.
     */

    stamp = load(&lead->stamp);
    sent = load(&lead->sent);
    elapsed = (ngx_http_wassiit_zone_clock() - sent) / MS;

    args[0].data = (u_char *) verb;
    args[0].len = ngx_strlen(verb);

    /* run_id: of the server that hears it, which may be another by now */

    args[1].data = buf;
    args[1].len = ngx_snprintf(buf, NGX_HTTP_WASSIIT_COMMON_LEN,
                               "%uD %s %V %uL %uL %uL %M", load(&lead->place),
                               lead->sid, &cluster->redis->run_id,
                               load(&lead->epoch), elapsed, stamp,
                               cluster->conf->lease)
                  - buf;
}


ngx_int_t
ngx_http_wassiit_cluster_read(ngx_http_wassiit_cluster_t *cluster,
    ngx_wassiit_resp_t *reply, ngx_http_wassiit_answer_head_t *head)
{
    size_t   len;
    u_char   text[CLUSTER_QUOTED];
    int64_t  now, epoch;

    if (reply->type == NGX_WASSIIT_RESP_ARRAY && reply->count >= 3) {
        head->resp = *reply;
        head->n = reply->count - 3;

        if (ngx_wassiit_resp_next(&head->resp) == NGX_OK) {
            head->word = head->resp.text;

            if (ngx_wassiit_resp_next(&head->resp) == NGX_OK
                && ngx_wassiit_resp_number(&head->resp, &now) == NGX_OK
                && ngx_wassiit_resp_next(&head->resp) == NGX_OK
                && ngx_wassiit_resp_number(&head->resp, &epoch) == NGX_OK
                && now >= 0 && now <= CLUSTER_NUMBER
                && epoch >= 0 && epoch <= CLUSTER_NUMBER)
            {
                head->now = now;
                head->epoch = epoch;
                return NGX_OK;
            }
        }
    }

    (void) ngx_wassiit_add(
        &ngx_http_wassiit_claims_counts(&cluster->zone->claims)->errors, 1);

    if (ngx_http_wassiit_log_admits(cluster->log, NGX_LOG_ERR,
                                    &ngx_http_wassiit_cluster_kind))
    {
        len = ngx_wassiit_resp_print(&reply->text, text, sizeof(text));

        ngx_log_error(NGX_LOG_ERR, cluster->log, 0,
                      "Redis refuses a call of zone \"%V\": \"%*s\"",
                      &cluster->zone->name, len, text);
    }

    return NGX_ERROR;
}
