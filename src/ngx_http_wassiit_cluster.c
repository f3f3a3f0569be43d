
#include "ngx_http_wassiit_adjust.h"
#include "ngx_http_wassiit_cluster.h"
#include "ngx_http_wassiit_log.h"
#include "ngx_http_wassiit_park.h"
#include "ngx_http_wassiit_zone_sh.h"

#include <openssl/rand.h>


/*
 * The states of a node, the same for all its workers, and who changes them:
 *
 *   STARTING    no answer yet; the cap is 0                      cluster_init
 *     -> RESTATING    joined                                   cluster_joined
 *     -> ALONE        CLUSTER_START has passed                   cluster_tick
 *   RESTATING   the caps that windows have; nothing is claimed
 *     -> ACTIVE       all caps that aren't standing are told   cluster_stated
 *   ACTIVE      the same, and claims
 *     -> RESTATING    the ledger is another                    cluster_answer
 *     -> ALONE        no answer until the session's end          cluster_tick
 *   ALONE       at most the standing share
 *     -> RESTATING    an answer came: joined again             cluster_answer
 */


/* milliseconds */
#define CLUSTER_TICK            100
#define CLUSTER_START           1000
#define CLUSTER_RENEW           1000    /* or a tenth of the lease */
#define CLUSTER_TIMEOUT         2000
#define CLUSTER_SWEEP           250

/* entries that one tick looks at */
#define CLUSTER_ENTRIES         8192

/*
 * By how much a node's clock may run apart from the ledger's, in a lease, and
 * what one answer may be late besides.
 */
#define CLUSTER_DRIFT           1000    /* both clocks: a part in so many */
#define CLUSTER_GUARD           200     /* ms */

/* seconds of the longest window */
#define CLUSTER_LONGEST         86400

/* characters of a session's name */
#define CLUSTER_SID             32

/* N W v cap seq, of a cap that is told */
#define STATED_ARGS             5

#define MS                      ((uint64_t) 1000)

#define is(s, word)                                                          \
    ((s)->len == sizeof(word) - 1                                            \
     && ngx_strncmp((s)->data, word, sizeof(word) - 1) == 0)


static ngx_int_t ngx_http_wassiit_cluster_open(ngx_cycle_t *cycle,
    ngx_http_wassiit_cluster_conf_t *conf);
static ngx_int_t ngx_http_wassiit_cluster_name(
    ngx_http_wassiit_cluster_t *cluster, ngx_pool_t *pool);
static void ngx_http_wassiit_cluster_up(ngx_http_wassiit_redis_t *redis,
    void *data);
static void ngx_http_wassiit_cluster_down(ngx_http_wassiit_redis_t *redis,
    void *data);
static void ngx_http_wassiit_cluster_quit(ngx_http_wassiit_redis_t *redis,
    void *data);
static void ngx_http_wassiit_cluster_deaf(ngx_http_wassiit_redis_t *redis,
    void *data);
static void ngx_http_wassiit_cluster_message(ngx_str_t *channel,
    ngx_str_t *text, void *data);
static void ngx_http_wassiit_cluster_tick(ngx_event_t *ev);
static void ngx_http_wassiit_cluster_leave(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_left(ngx_wassiit_resp_t *reply,
    void *data);
static ngx_uint_t ngx_http_wassiit_cluster_leads(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_resign(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_speak(
    ngx_http_wassiit_cluster_t *cluster, uint64_t now);
static void ngx_http_wassiit_cluster_retreat(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_join(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);
static void ngx_http_wassiit_cluster_joined(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_cluster_refused(
    ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head);
static void ngx_http_wassiit_cluster_renew(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);
static void ngx_http_wassiit_cluster_renewed(ngx_wassiit_resp_t *reply,
    void *data);
static ngx_uint_t ngx_http_wassiit_cluster_answer(
    ngx_http_wassiit_cluster_t *cluster, ngx_wassiit_resp_t *reply,
    ngx_http_wassiit_answer_head_t *head);
static void ngx_http_wassiit_cluster_met(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head, ngx_uint_t extend);
static void ngx_http_wassiit_cluster_session(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_restate(
    ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head);
static void ngx_http_wassiit_cluster_state_all(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_stated(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_cluster_scan(ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_scanned(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_cluster_sweep(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);
static void ngx_http_wassiit_cluster_listen(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_now(ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_cluster_show(
    ngx_http_wassiit_cluster_t *cluster);


static const ngx_http_wassiit_redis_handlers_t
    ngx_http_wassiit_cluster_handlers =
{
    ngx_http_wassiit_cluster_up,
    ngx_http_wassiit_cluster_down,
    NULL,
    ngx_http_wassiit_cluster_quit
};

static const ngx_http_wassiit_redis_handlers_t  ngx_http_wassiit_cluster_ears =
{
    NULL,
    ngx_http_wassiit_cluster_deaf,
    ngx_http_wassiit_cluster_message,
    NULL
};


static const ngx_str_t  ngx_http_wassiit_cluster_kind = ngx_string("redis");


/* in the order of the states */

static ngx_str_t  ngx_http_wassiit_cluster_states[] = {
    ngx_string("starting"),
    ngx_string("alone"),
    ngx_string("restating"),
    ngx_string("active"),
    ngx_string("leaving")
};


static ngx_http_wassiit_cluster_t  **ngx_http_wassiit_clusters;
static ngx_uint_t                    ngx_http_wassiit_nclusters;


ngx_int_t
ngx_http_wassiit_cluster_init(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                         i;
    ngx_http_wassiit_cluster_conf_t  **conf;

    if (wmcf->clusters == NULL) {
        return NGX_OK;
    }

    conf = wmcf->clusters->elts;

    ngx_http_wassiit_clusters = ngx_pcalloc(cycle->pool,
                   wmcf->clusters->nelts * sizeof(ngx_http_wassiit_cluster_t *));
    if (ngx_http_wassiit_clusters == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < wmcf->clusters->nelts; i++) {
        if (ngx_http_wassiit_cluster_open(cycle, conf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_cluster_open(ngx_cycle_t *cycle,
    ngx_http_wassiit_cluster_conf_t *conf)
{
    ngx_http_wassiit_cluster_t  *cluster;

    cluster = ngx_pcalloc(cycle->pool, sizeof(ngx_http_wassiit_cluster_t));
    if (cluster == NULL) {
        return NGX_ERROR;
    }

    cluster->conf = conf;
    cluster->zone = conf->zone;
    cluster->log = cycle->log;
    cluster->began = ngx_http_wassiit_zone_clock();
    cluster->shown = NGX_HTTP_WASSIIT_STARTING;

    if (ngx_http_wassiit_adjust_init(cluster, cycle) != NGX_OK
        || ngx_http_wassiit_park_init(cluster, cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cluster->redis = ngx_http_wassiit_redis_open(conf->redis,
                                            &ngx_http_wassiit_cluster_handlers,
                                            cluster, cycle);
    if (cluster->redis == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_wassiit_cluster_name(cluster, cycle->pool) != NGX_OK) {
        return NGX_ERROR;
    }

    cluster->dummy.fd = (ngx_socket_t) -1;
    cluster->tick.handler = ngx_http_wassiit_cluster_tick;
    cluster->tick.data = &cluster->dummy;
    cluster->tick.log = cycle->log;
    cluster->tick.cancelable = 1;
    cluster->dummy.data = cluster;

    ngx_add_timer(&cluster->tick, 1);

    ngx_http_wassiit_claims_join(&cluster->zone->claims);
    ngx_http_wassiit_clusters[ngx_http_wassiit_nclusters++] = cluster;

    return NGX_OK;
}


static ngx_int_t
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


void
ngx_http_wassiit_cluster_end(void)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_wassiit_nclusters; i++) {
        ngx_http_wassiit_cluster_resign(ngx_http_wassiit_clusters[i]);

        if (ngx_http_wassiit_claims_quit(
                              &ngx_http_wassiit_clusters[i]->zone->claims))
        {
            ngx_http_wassiit_cluster_leave(ngx_http_wassiit_clusters[i]);
        }
    }
}


/* Nothing is admitted here any more: the others needn't wait for the lease. */

static void
ngx_http_wassiit_cluster_leave(ngx_http_wassiit_cluster_t *cluster)
{
    u_char                           common[NGX_HTTP_WASSIIT_COMMON_LEN];
    ngx_str_t                        args[2 + NGX_HTTP_WASSIIT_COMMON];
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (load(&lead->place) == 0) {
        return;
    }

    ngx_http_wassiit_cluster_keys(cluster, args);
    ngx_http_wassiit_cluster_common(cluster, "leave", args + 2, common);

    if (ngx_http_wassiit_redis_eval(cluster->redis, args, 2,
                                    2 + NGX_HTTP_WASSIIT_COMMON,
                                    CLUSTER_TIMEOUT,
                                    ngx_http_wassiit_cluster_left, cluster)
        == NGX_OK)
    {
        ngx_http_wassiit_redis_flush(cluster->redis);
    }

    store(&lead->place, 0);
}


static void
ngx_http_wassiit_cluster_left(ngx_wassiit_resp_t *reply, void *data)
{
    /* nobody hears it any more */
}


ngx_http_wassiit_cluster_t *
ngx_http_wassiit_cluster_of(ngx_http_wassiit_zone_t *zone)
{
    ngx_uint_t  i;

    for (i = 0; i < ngx_http_wassiit_nclusters; i++) {
        if (ngx_http_wassiit_clusters[i]->zone == zone) {
            return ngx_http_wassiit_clusters[i];
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
    return (n <= NGX_HTTP_WASSIIT_LEAVING)
           ? &ngx_http_wassiit_cluster_states[n] : NULL;
}


static void
ngx_http_wassiit_cluster_up(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    cluster->asked = 0;
    cluster->renewed = 0;

    if (!cluster->quits) {
        ngx_add_timer(&cluster->tick, 1);
    }
}


static void
ngx_http_wassiit_cluster_down(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    cluster->asked = 0;
}


/* The new workers go on; what this one's requests are short of it still asks. */

static void
ngx_http_wassiit_cluster_quit(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    cluster->quits = 1;
    ngx_http_wassiit_cluster_resign(cluster);
}


static void
ngx_http_wassiit_cluster_deaf(ngx_http_wassiit_redis_t *redis, void *data)
{
    /* messages that are lost cost time, and nothing else */
}


static void
ngx_http_wassiit_cluster_message(ngx_str_t *channel, ngx_str_t *text,
    void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_str_t                      id;
    ngx_http_wassiit_caps_why_e  why;

    if (!cluster->leads || text->len <= 5
        || text->len > 5 + NGX_HTTP_WASSIIT_ID_LEN)
    {
        return;
    }

    if (ngx_strncmp(text->data, "need ", 5) == 0) {
        why = NGX_HTTP_WASSIIT_CAPS_NEED;

    } else if (ngx_strncmp(text->data, "free ", 5) == 0) {
        why = NGX_HTTP_WASSIIT_CAPS_FREE;

    } else {
        return;
    }

    id.data = text->data + 5;
    id.len = text->len - 5;

    ngx_http_wassiit_adjust_note(cluster, &id, why);
}


static void
ngx_http_wassiit_cluster_tick(ngx_event_t *ev)
{
    uint64_t                         now;
    ngx_connection_t                *c;
    ngx_http_wassiit_cluster_t      *cluster;
    ngx_http_wassiit_claims_lead_t  *lead;

    c = ev->data;
    cluster = c->data;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        cluster->quits = 1;
        ngx_http_wassiit_cluster_resign(cluster);
        return;
    }

    now = ngx_http_wassiit_zone_clock();

    if (ngx_http_wassiit_cluster_leads(cluster)) {
        lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

        if (lead->state == NGX_HTTP_WASSIIT_STARTING && lead->place == 0
            && now - cluster->began > CLUSTER_START * MS)
        {
            ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                          NGX_HTTP_WASSIIT_ALONE);
        }

        store(&lead->up, cluster->redis->up);

        if (cluster->redis->up) {
            ngx_http_wassiit_cluster_speak(cluster, now);
            ngx_http_wassiit_cluster_sweep(cluster, now);
        }

        ngx_http_wassiit_cluster_show(cluster);
    }

    ngx_add_timer(ev, cluster->soon ? 1 : CLUSTER_TICK);
    cluster->soon = 0;
}


/* Is this worker the leader?  If that one has died, it is from now on. */

static ngx_uint_t
ngx_http_wassiit_cluster_leads(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_int_t                        rc;
    ngx_wassiit_robust_t            *lock;
    ngx_http_wassiit_claims_lead_t  *lead;

    if (cluster->leads) {
        return 1;
    }

    lock = ngx_http_wassiit_claims_lock(&cluster->zone->claims);
    rc = ngx_wassiit_robust_trylock(lock);

    if (rc == NGX_DONE) {
        ngx_wassiit_robust_consistent(lock);
        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        return 0;
    }

    cluster->leads = 1;
    cluster->asked = 0;
    cluster->renewed = 0;
    cluster->at = 0;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);
    cluster->shown = lead->state;

    if (lead->state == NGX_HTTP_WASSIIT_RESTATING) {
        /* what the former leader has told isn't known: all is told again */
        ngx_http_wassiit_cluster_session(cluster);
    }

    /* the session was over when the former leader died, or never began */
    cluster->lost = (lead->place == 0);
    cluster->has = cluster->lost ? NGX_HTTP_WASSIIT_CAPS_SHARED
                                 : NGX_HTTP_WASSIIT_CAPS_KEPT;

    return 1;
}


static void
ngx_http_wassiit_cluster_resign(ngx_http_wassiit_cluster_t *cluster)
{
    if (!cluster->leads) {
        return;
    }

    cluster->leads = 0;

    if (cluster->ears) {
        ngx_http_wassiit_redis_close(cluster->ears);
        cluster->ears = NULL;
    }

    ngx_wassiit_robust_unlock(
                        ngx_http_wassiit_claims_lock(&cluster->zone->claims));
}


/* One call of the leader's at a time. */

static void
ngx_http_wassiit_cluster_speak(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    ngx_msec_t                       every;
    ngx_http_wassiit_claims_lead_t  *lead;

    if (cluster->asked) {
        return;
    }

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (cluster->lost) {
        ngx_http_wassiit_cluster_retreat(cluster);

        if (cluster->lost) {
            ngx_http_wassiit_cluster_now(cluster);
            return;
        }

        if (lead->place) {
            ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                          NGX_HTTP_WASSIIT_RESTATING);
        }
    }

    if (lead->place == 0) {
        ngx_http_wassiit_cluster_join(cluster, now);
        return;
    }

    if (lead->state == NGX_HTTP_WASSIIT_RESTATING) {
        /* which is what the session is renewed by */
        ngx_http_wassiit_cluster_state_all(cluster);
        return;
    }

    every = ngx_min(CLUSTER_RENEW, cluster->conf->lease / 10);

    if (cluster->renewed == 0 || now - cluster->renewed >= every * MS) {
        ngx_http_wassiit_cluster_renew(cluster, now);
        return;
    }

    if (lead->former && !lead->scanned) {
        ngx_http_wassiit_cluster_scan(cluster);
    }
}


/*
 * The session is over: what was above the standing share has been given to
 * others.  What of it is in use stays, as the ledger counts it until then.
 */

static void
ngx_http_wassiit_cluster_retreat(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_int_t                 rc;
    ngx_str_t                 id;
    ngx_http_wassiit_claim_t  claim;
    u_char                    text[NGX_HTTP_WASSIIT_ID_LEN];

    id.data = text;

    for ( ;; ) {
        rc = ngx_http_wassiit_claims_each(&cluster->zone->claims, &cluster->at,
                                          CLUSTER_ENTRIES, &id);
        if (rc == NGX_AGAIN) {
            /* the rest in the next tick */
            return;
        }

        if (rc == NGX_DONE) {
            cluster->at = 0;
            cluster->lost = 0;
            return;
        }

        if (ngx_http_wassiit_caps_restate(cluster->zone, &id,
                                            cluster->has, &claim)
            == NGX_BUSY)
        {
            /* from the beginning, as what is lowered once stays so */
            cluster->at = 0;
            return;
        }
    }
}


static void
ngx_http_wassiit_cluster_join(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    u_char                          *p, numbers[3][NGX_INT64_LEN];
    u_char                           random[CLUSTER_SID / 2];
    uint64_t                         values[3];
    ngx_str_t                        args[2 + 8];
    ngx_uint_t                       i;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (cluster->sid[0] == 0) {

        if (RAND_bytes(random, sizeof(random)) != 1) {
            ngx_log_error(NGX_LOG_ALERT, cluster->log, 0,
                          "the system gives no random bytes");
            return;
        }

        *ngx_hex_dump(cluster->sid, random, sizeof(random)) = '\0';
    }

    ngx_http_wassiit_cluster_keys(cluster, args);

    ngx_str_set(&args[2], "join");
    args[3] = cluster->conf->node;
    args[4].data = cluster->sid;
    args[4].len = CLUSTER_SID;
    args[5] = cluster->redis->run_id;

    values[0] = cluster->conf->nodes;
    values[1] = cluster->conf->share;
    values[2] = cluster->conf->lease;

    for (i = 0; i < 3; i++) {
        args[6 + i].data = numbers[i];
        p = ngx_sprintf(numbers[i], "%uL", values[i]);
        args[6 + i].len = p - numbers[i];
    }

    /* the same memory, if there was a session before */
    args[9].data = lead->life[0] ? lead->life : cluster->sid;
    args[9].len = ngx_strlen(args[9].data);

    if (ngx_http_wassiit_redis_eval(cluster->redis, args, 2, 10,
                                    CLUSTER_TIMEOUT,
                                    ngx_http_wassiit_cluster_joined, cluster)
        == NGX_OK)
    {
        cluster->asked = now;
    }
}


static void
ngx_http_wassiit_cluster_joined(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    int64_t                          place, former;
    ngx_uint_t                       none;
    ngx_http_wassiit_answer_head_t   head;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (!cluster->leads || reply == NULL
        || ngx_http_wassiit_cluster_read(cluster, reply, &head) != NGX_OK)
    {
        cluster->asked = 0;
        return;
    }

    if (!is(&head.word, "OK")) {
        ngx_http_wassiit_cluster_refused(cluster, &head);
        cluster->asked = 0;
        return;
    }

    if (ngx_wassiit_resp_next(&head.resp) != NGX_OK
        || ngx_wassiit_resp_number(&head.resp, &place) != NGX_OK
        || ngx_wassiit_resp_next(&head.resp) != NGX_OK
        || ngx_wassiit_resp_number(&head.resp, &former) != NGX_OK
        || ngx_wassiit_resp_next(&head.resp) != NGX_OK
        || place < 1)
    {
        cluster->asked = 0;
        return;
    }

    if (place > (int64_t) cluster->conf->nodes) {
        ngx_log_error(NGX_LOG_ERR, cluster->log, 0,
                      "node \"%V\" of zone \"%V\" is one above the %ui that "
                      "\"wassiit_cluster\" names: it has no standing share, "
                      "raise \"nodes\" on all of them",
                      &cluster->conf->node, &cluster->zone->name,
                      cluster->conf->nodes);
    }

    none = is(&head.resp.text, "NONE");

    ngx_http_wassiit_cluster_session(cluster);

    (void) ngx_cpystrn(lead->sid, cluster->sid, sizeof(lead->sid));

    /* a node that remembers nothing has nothing to restate */
    cluster->has = (lead->life[0] == 0) ? NGX_HTTP_WASSIIT_CAPS_KEPT
                   : none ? NGX_HTTP_WASSIIT_CAPS_USED
                          : NGX_HTTP_WASSIIT_CAPS_SHARED;

    if (lead->life[0] == 0) {
        (void) ngx_cpystrn(lead->life, cluster->sid, sizeof(lead->life));
    }

    cluster->sid[0] = '\0';
    cluster->strange = 0;

    store(&lead->strange, 0);
    store(&lead->place, place);
    store(&lead->scanned, !none);
    store(&lead->former,
          none ? ngx_http_wassiit_zone_clock()
                 - (uint64_t) ngx_max((int64_t) head.now - former, 0) * MS
               : 0);

    ngx_http_wassiit_cluster_met(cluster, &head, 1);
    ngx_http_wassiit_cluster_restate(cluster, &head);
    ngx_http_wassiit_cluster_listen(cluster);

    if (cluster->has == NGX_HTTP_WASSIIT_CAPS_USED) {
        /* until all is lowered, nothing is admitted */
        ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                      NGX_HTTP_WASSIIT_STARTING);
        cluster->lost = 1;
    }

    cluster->asked = 0;
    ngx_http_wassiit_cluster_now(cluster);
}


/* The nodes of the cluster don't agree. */

static void
ngx_http_wassiit_cluster_refused(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head)
{
    int64_t                          nodes, share;
    ngx_http_wassiit_claims_lead_t  *lead;

    nodes = 0;
    share = 0;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);
    store(&lead->met, ngx_http_wassiit_zone_clock());

    if (!is(&head->word, "CONFIG")) {
        return;
    }

    store(&lead->strange, 1);

    if (cluster->strange) {
        return;
    }

    if (ngx_wassiit_resp_next(&head->resp) == NGX_OK) {
        (void) ngx_wassiit_resp_number(&head->resp, &nodes);
    }

    if (ngx_wassiit_resp_next(&head->resp) == NGX_OK) {
        (void) ngx_wassiit_resp_number(&head->resp, &share);
    }

    cluster->strange = 1;

    ngx_log_error(NGX_LOG_ERR, cluster->log, 0,
                  "node \"%V\" of zone \"%V\" can't join: it has nodes=%ui "
                  "and share=%ui.%ui%%, those that are there nodes=%L and "
                  "share=%L.%L%%; all have to have the same",
                  &cluster->conf->node, &cluster->zone->name,
                  cluster->conf->nodes, cluster->conf->share / 10,
                  cluster->conf->share % 10, nodes, share / 10, share % 10);
}


static void
ngx_http_wassiit_cluster_renew(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    u_char     common[NGX_HTTP_WASSIIT_COMMON_LEN];
    ngx_str_t  args[2 + NGX_HTTP_WASSIIT_COMMON + 1];

    ngx_http_wassiit_cluster_keys(cluster, args);
    ngx_http_wassiit_cluster_common(cluster, "renew", args + 2, common);
    ngx_str_set(&args[2 + NGX_HTTP_WASSIIT_COMMON], "0-0");

    if (ngx_http_wassiit_redis_eval(cluster->redis, args, 2,
                                    sizeof(args) / sizeof(args[0]),
                                    CLUSTER_TIMEOUT,
                                    ngx_http_wassiit_cluster_renewed, cluster)
        == NGX_OK)
    {
        cluster->asked = now;
        cluster->renewed = now;
    }
}


static void
ngx_http_wassiit_cluster_renewed(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_http_wassiit_answer_head_t   head;
    ngx_http_wassiit_claims_lead_t  *lead;

    if (ngx_http_wassiit_cluster_answer(cluster, reply, &head)) {
        lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

        ngx_http_wassiit_cluster_met(cluster, &head, 1);

        if (lead->state == NGX_HTTP_WASSIIT_ALONE) {
            /* the ledger has taken nothing back: its clock stood still, too */
            cluster->has = NGX_HTTP_WASSIIT_CAPS_KEPT;
            ngx_http_wassiit_cluster_session(cluster);
            ngx_http_wassiit_cluster_restate(cluster, &head);
        }
    }

    cluster->asked = 0;
    ngx_http_wassiit_cluster_now(cluster);
}


/* Returns 1 if it is OK; else does what it says. */

static ngx_uint_t
ngx_http_wassiit_cluster_answer(ngx_http_wassiit_cluster_t *cluster,
    ngx_wassiit_resp_t *reply, ngx_http_wassiit_answer_head_t *head)
{
    ngx_http_wassiit_claims_lead_t  *lead;

    if (!cluster->leads || reply == NULL
        || ngx_http_wassiit_cluster_read(cluster, reply, head) != NGX_OK)
    {
        return 0;
    }

    if (is(&head->word, "OK")) {
        return 1;
    }

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (is(&head->word, "RESTATE")) {
        cluster->has = NGX_HTTP_WASSIIT_CAPS_KEPT;
        ngx_http_wassiit_cluster_session(cluster);
        ngx_http_wassiit_cluster_met(cluster, head, 0);
        ngx_http_wassiit_cluster_restate(cluster, head);
        return 0;
    }

    if (is(&head->word, "LOST")) {
        ngx_log_error(NGX_LOG_WARN, cluster->log, 0,
                      "the session of node \"%V\" of zone \"%V\" is over, it "
                      "joins again", &cluster->conf->node,
                      &cluster->zone->name);

        ngx_http_wassiit_cluster_session(cluster);
        store(&lead->place, 0);
        ngx_http_wassiit_claims_extend(&cluster->zone->claims, 1);
        ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                      NGX_HTTP_WASSIIT_ALONE);

        (void) ngx_wassiit_add(
            &ngx_http_wassiit_claims_counts(&cluster->zone->claims)->losses,
            1);

        cluster->has = NGX_HTTP_WASSIIT_CAPS_SHARED;
        cluster->lost = 1;
        cluster->at = 0;
    }

    return 0;
}


/* Answers to what was asked before mean nothing from here on. */

static void
ngx_http_wassiit_cluster_session(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    store(&lead->session, lead->session + 1);

    cluster->at = 0;
}


/*
 * The ledger has answered what was asked at cluster->asked: its clock pair, and
 * for how long the session lasts by this node's own clock.
 */

static void
ngx_http_wassiit_cluster_met(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head, ngx_uint_t extend)
{
    uint64_t                         lease;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    store(&lead->stamp, head->now);
    store(&lead->sent, cluster->asked);
    store(&lead->met, ngx_http_wassiit_zone_clock());

    if (extend) {
        lease = cluster->conf->lease * MS;

        ngx_http_wassiit_claims_extend(&cluster->zone->claims,
                                       cluster->asked + lease
                                       - lease / CLUSTER_DRIFT
                                       - CLUSTER_GUARD * MS);
    }
}


/* All that isn't the standing share is to be told. */

static void
ngx_http_wassiit_cluster_restate(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head)
{
    size_t                           len;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    len = ngx_min(cluster->redis->run_id.len, sizeof(lead->run_id) - 1);
    ngx_memcpy(lead->run_id, cluster->redis->run_id.data, len);
    lead->run_id[len] = '\0';

    store(&lead->epoch, head->epoch);

    cluster->at = 0;

    ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                  NGX_HTTP_WASSIIT_RESTATING);
}


static void
ngx_http_wassiit_cluster_state_all(ngx_http_wassiit_cluster_t *cluster)
{
    u_char                          *p;
    ngx_int_t                        rc;
    ngx_str_t                        id, *keys, *args;
    ngx_uint_t                       n;
    ngx_http_wassiit_claim_t         claim;
    u_char                           text[NGX_HTTP_WASSIIT_ID_LEN];

    static u_char     buf[NGX_HTTP_WASSIIT_BATCH
                          * NGX_HTTP_WASSIIT_ADJUST_LEN];
    static u_char     common[NGX_HTTP_WASSIIT_COMMON_LEN];
    static ngx_str_t  all[2 + NGX_HTTP_WASSIIT_BATCH];
    static ngx_str_t  rest[NGX_HTTP_WASSIIT_COMMON + 1
                           + NGX_HTTP_WASSIIT_BATCH * STATED_ARGS];
    static ngx_str_t  whole[sizeof(all) / sizeof(all[0])
                            + sizeof(rest) / sizeof(rest[0])];

    keys = all + 2;
    args = rest + NGX_HTTP_WASSIIT_COMMON + 1;
    p = buf;
    id.data = text;
    rc = NGX_OK;

    for (n = 0; n < NGX_HTTP_WASSIIT_BATCH; /* void */ ) {
        rc = ngx_http_wassiit_claims_each(&cluster->zone->claims, &cluster->at,
                                          CLUSTER_ENTRIES, &id);
        if (rc != NGX_OK) {
            break;
        }

        rc = ngx_http_wassiit_caps_restate(cluster->zone, &id, cluster->has,
                                             &claim);

        if (rc == NGX_BUSY) {
            /* what was told is told again */
            cluster->at = 0;
            return;
        }

        if (rc == NGX_OK) {
            p = ngx_http_wassiit_adjust_write(p, cluster, &id, &claim,
                                              &keys[n++], args);
            /* N W v cap, and the number in place of what is wanted */
            args[4] = args[5];
            args += STATED_ARGS;
        }
    }

    if (n == 0 && rc == NGX_AGAIN) {
        return;
    }

    ngx_http_wassiit_cluster_keys(cluster, all);
    ngx_http_wassiit_cluster_common(cluster, "restate", rest, common);

    cluster->done = (rc == NGX_DONE);
    ngx_str_set(&rest[NGX_HTTP_WASSIIT_COMMON], "0");

    if (cluster->done) {
        ngx_str_set(&rest[NGX_HTTP_WASSIIT_COMMON], "1");
    }

    ngx_memcpy(whole, all, (2 + n) * sizeof(ngx_str_t));
    ngx_memcpy(whole + 2 + n, rest, (args - rest) * sizeof(ngx_str_t));

    if (ngx_http_wassiit_redis_eval(cluster->redis, whole, 2 + n,
                                    2 + n + (args - rest), CLUSTER_TIMEOUT,
                                    ngx_http_wassiit_cluster_stated, cluster)
        == NGX_OK)
    {
        cluster->asked = ngx_http_wassiit_zone_clock();
        return;
    }

    cluster->at = 0;
}


static void
ngx_http_wassiit_cluster_stated(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_http_wassiit_answer_head_t  head;

    if (ngx_http_wassiit_cluster_answer(cluster, reply, &head)) {
        ngx_http_wassiit_cluster_met(cluster, &head, cluster->done);

        if (cluster->done) {
            ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                          NGX_HTTP_WASSIIT_ACTIVE);
        }

    } else {
        /* from the beginning */
        cluster->at = 0;
    }

    cluster->asked = 0;
    ngx_http_wassiit_cluster_now(cluster);
}


/*
 * A former life of this node may have lent some of its standing share: what it
 * left in the ledger is claimed anew, partner by partner.
 */

static void
ngx_http_wassiit_cluster_scan(ngx_http_wassiit_cluster_t *cluster)
{
    u_char     pattern[sizeof("wassiit:{}:w:*")
                       + NGX_HTTP_WASSIIT_ZONE_NAME_LEN];
    ngx_str_t  args[6];

    ngx_str_set(&args[0], "SCAN");
    args[1].data = cluster->scan;
    args[1].len = ngx_strlen(cluster->scan);

    if (args[1].len == 0) {
        ngx_str_set(&args[1], "0");
    }

    ngx_str_set(&args[2], "MATCH");
    args[3].data = pattern;
    args[3].len = ngx_sprintf(pattern, "wassiit:{%V}:w:*",
                              &cluster->zone->name) - pattern;
    ngx_str_set(&args[4], "COUNT");
    ngx_str_set(&args[5], "200");

    if (ngx_http_wassiit_redis_call(cluster->redis, args, 6, CLUSTER_TIMEOUT,
                                    ngx_http_wassiit_cluster_scanned, cluster)
        == NGX_OK)
    {
        cluster->asked = ngx_http_wassiit_zone_clock();
    }
}


static void
ngx_http_wassiit_cluster_scanned(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    size_t                           skip;
    ngx_str_t                        id;
    ngx_uint_t                       n;
    ngx_http_wassiit_claims_lead_t  *lead;

    cluster->asked = 0;
    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (!cluster->leads || reply == NULL
        || reply->type != NGX_WASSIIT_RESP_ARRAY
        || ngx_wassiit_resp_next(reply) != NGX_OK
        || reply->text.len == 0 || reply->text.len >= sizeof(cluster->scan))
    {
        return;
    }

    (void) ngx_cpystrn(cluster->scan, reply->text.data, reply->text.len + 1);

    if (ngx_wassiit_resp_next(reply) != NGX_OK) {
        return;
    }

    skip = sizeof("wassiit:{}:w:") - 1 + cluster->zone->name.len;

    for (n = reply->count; n; n--) {
        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            return;
        }

        if (reply->text.len > skip
            && reply->text.len <= skip + NGX_HTTP_WASSIIT_ID_LEN)
        {
            id.data = reply->text.data + skip;
            id.len = reply->text.len - skip;

            ngx_http_wassiit_caps_note(cluster->zone, &id);
        }
    }

    if (ngx_strcmp(cluster->scan, "0") == 0) {
        cluster->scan[0] = '\0';
        store(&lead->scanned, 1);
    }

    ngx_http_wassiit_cluster_now(cluster);
}


static void
ngx_http_wassiit_cluster_sweep(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    ngx_int_t                        rc;
    ngx_str_t                        id;
    ngx_uint_t                       n;
    ngx_http_wassiit_claims_lead_t  *lead;
    u_char                           text[NGX_HTTP_WASSIIT_ID_LEN];

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (lead->state != NGX_HTTP_WASSIIT_ACTIVE) {
        return;
    }

    if (lead->former && lead->scanned
        && now > lead->former + CLUSTER_LONGEST * 1000 * MS)
    {
        /* no window remembers the former life */
        store(&lead->former, 0);
        ngx_http_wassiit_claims_extend(&cluster->zone->claims, lead->until);
    }

    if (cluster->at == 0 && now - cluster->swept < CLUSTER_SWEEP * MS) {
        return;
    }

    if (cluster->at == 0) {
        cluster->swept = now;
        cluster->caps = 0;
    }

    id.data = text;

    /* as many as have room in one turn's calls */

    for (n = 0; n < NGX_HTTP_WASSIIT_BATCH * 2; n++) {
        rc = ngx_http_wassiit_claims_each(&cluster->zone->claims, &cluster->at,
                                          CLUSTER_ENTRIES, &id);
        if (rc == NGX_DONE) {
            cluster->at = 0;
            store(&lead->caps, cluster->caps);
            return;
        }

        if (rc == NGX_AGAIN) {
            return;
        }

        cluster->caps += ngx_http_wassiit_claims_differs(
                                                &cluster->zone->claims, &id);

        ngx_http_wassiit_adjust_note(cluster, &id,
                                     NGX_HTTP_WASSIIT_CAPS_SWEEP);
    }
}


/* Messages to the node's place come on a connection of their own. */

static void
ngx_http_wassiit_cluster_listen(ngx_http_wassiit_cluster_t *cluster)
{
    u_char                           text[2][sizeof("wassiit:{}:ch:")
                                             + NGX_HTTP_WASSIIT_ZONE_NAME_LEN
                                             + NGX_INT64_LEN];
    ngx_str_t                        names[2];
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (cluster->ears && cluster->heard == lead->place) {
        return;
    }

    if (cluster->ears) {
        ngx_http_wassiit_redis_close(cluster->ears);
    }

    cluster->heard = lead->place;
    cluster->ears = ngx_http_wassiit_redis_open(cluster->conf->redis,
                                                &ngx_http_wassiit_cluster_ears,
                                                cluster,
                                                (ngx_cycle_t *) ngx_cycle);
    if (cluster->ears == NULL) {
        return;
    }

    names[0].data = text[0];
    names[0].len = ngx_sprintf(text[0], "wassiit:{%V}:ch:%uD",
                               &cluster->zone->name, lead->place)
                   - text[0];
    names[1].data = text[1];
    names[1].len = ngx_sprintf(text[1], "wassiit:{%V}:ch",
                               &cluster->zone->name)
                   - text[1];

    (void) ngx_http_wassiit_redis_subscribe(cluster->ears, names, 2);
}


/* The leader has something to say at once. */

static void
ngx_http_wassiit_cluster_now(ngx_http_wassiit_cluster_t *cluster)
{
    cluster->soon = 1;

    if (cluster->tick.timer_set) {
        ngx_add_timer(&cluster->tick, 1);
    }
}


/* A line a transition. */

static void
ngx_http_wassiit_cluster_show(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_str_t                       *state;
    ngx_uint_t                       i, level;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (lead->state >= NGX_HTTP_WASSIIT_RESTATING
        && ngx_http_wassiit_zone_clock() >= lead->until)
    {
        ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                      NGX_HTTP_WASSIIT_ALONE);
    }

    state = ngx_http_wassiit_cluster_state(cluster->zone);
    i = state - ngx_http_wassiit_cluster_states;

    if (i == cluster->shown) {
        return;
    }

    cluster->shown = i;
    level = (i == NGX_HTTP_WASSIIT_ALONE) ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    ngx_log_error(level, cluster->log, 0,
                  "node \"%V\" of zone \"%V\" is %V%s", &cluster->conf->node,
                  &cluster->zone->name, state,
                  i == NGX_HTTP_WASSIIT_ALONE
                  ? ": it admits its standing share until Redis answers" : "");
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
    u_char                          *p;
    uint64_t                         now;
    ngx_uint_t                       i;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);
    now = ngx_http_wassiit_zone_clock();
    p = buf;

    for (i = 0; i < NGX_HTTP_WASSIIT_COMMON; i++) {
        args[i].data = p;

        switch (i) {

        case 0:
            p = ngx_sprintf(p, "%s", verb);
            break;

        case 1:
            p = ngx_sprintf(p, "%uD", load(&lead->place));
            break;

        case 2:
            p = ngx_cpystrn(p, lead->sid, sizeof(lead->sid));
            break;

        case 3:
            p = ngx_cpystrn(p, lead->run_id, sizeof(lead->run_id));
            break;

        case 4:
            p = ngx_sprintf(p, "%uL", load(&lead->epoch));
            break;

        case 5:
            p = ngx_sprintf(p, "%uL", (now - load(&lead->sent)) / MS);
            break;

        case 6:
            p = ngx_sprintf(p, "%uL", load(&lead->stamp));
            break;

        default:
            p = ngx_sprintf(p, "%M", cluster->conf->lease);
        }

        args[i].len = p - args[i].data;
    }
}


ngx_int_t
ngx_http_wassiit_cluster_read(ngx_http_wassiit_cluster_t *cluster,
    ngx_wassiit_resp_t *reply, ngx_http_wassiit_answer_head_t *head)
{
    int64_t  now, epoch;

    if (reply->type == NGX_WASSIIT_RESP_ARRAY && reply->count >= 3) {
        head->resp = *reply;
        head->n = reply->count - 3;

        if (ngx_wassiit_resp_next(&head->resp) == NGX_OK) {
            head->word = head->resp.text;

            if (ngx_wassiit_resp_next(&head->resp) == NGX_OK
                && ngx_wassiit_resp_number(&head->resp, &now) == NGX_OK
                && ngx_wassiit_resp_next(&head->resp) == NGX_OK
                && ngx_wassiit_resp_number(&head->resp, &epoch) == NGX_OK)
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
        ngx_log_error(NGX_LOG_ERR, cluster->log, 0,
                      "Redis refuses a call of zone \"%V\": \"%V\"",
                      &cluster->zone->name, &reply->text);
    }

    return NGX_ERROR;
}
