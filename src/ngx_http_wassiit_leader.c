
#include "ngx_http_wassiit_adjust.h"
#include "ngx_http_wassiit_leader.h"
#include "ngx_http_wassiit_park.h"
#include "ngx_http_wassiit_replica.h"
#include "ngx_http_wassiit_session.h"
#include "ngx_http_wassiit_zone_sh.h"


/* milliseconds */
#define LEADER_TICK             100
#define LEADER_START            1000
#define LEADER_SWEEP            250

/* entries that one tick looks at */
#define LEADER_ENTRIES          8192

/* seconds of the longest window */
#define LEADER_LONGEST          86400

#define MS                      ((uint64_t) 1000)


static ngx_int_t ngx_http_wassiit_leader_open(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf,
    ngx_http_wassiit_cluster_conf_t *conf);
static void ngx_http_wassiit_leader_up(ngx_http_wassiit_redis_t *redis, void
    *data);
static void ngx_http_wassiit_leader_down(ngx_http_wassiit_redis_t *redis, void
    *data);
static void ngx_http_wassiit_leader_quit(ngx_http_wassiit_redis_t *redis, void
    *data);
static void ngx_http_wassiit_leader_deaf(ngx_http_wassiit_redis_t *redis, void
    *data);
static void ngx_http_wassiit_leader_message(ngx_str_t *channel, ngx_str_t
    *text, void *data);
static void ngx_http_wassiit_leader_tick(ngx_event_t *ev);
static ngx_uint_t ngx_http_wassiit_leader_leads(ngx_http_wassiit_cluster_t
    *cluster);
static void ngx_http_wassiit_leader_resign(ngx_http_wassiit_cluster_t
    *cluster);
static void ngx_http_wassiit_leader_sweep(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);
static void ngx_http_wassiit_leader_listen(ngx_http_wassiit_cluster_t
    *cluster);
static void ngx_http_wassiit_leader_show(ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_leader_age(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);


static const ngx_http_wassiit_redis_handlers_t
    ngx_http_wassiit_leader_calls =
{
    ngx_http_wassiit_leader_up,
    ngx_http_wassiit_leader_down,
    NULL,
    ngx_http_wassiit_leader_quit
};

static const ngx_http_wassiit_redis_handlers_t  ngx_http_wassiit_leader_ears =
{
    NULL,
    ngx_http_wassiit_leader_deaf,
    ngx_http_wassiit_leader_message,
    NULL
};


ngx_int_t
ngx_http_wassiit_leader_init(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                         i;
    ngx_http_wassiit_cluster_conf_t  **conf;

    if (wmcf->clusters == NULL) {
        return NGX_OK;
    }

    conf = wmcf->clusters->elts;

    for (i = 0; i < wmcf->clusters->nelts; i++) {
        if (ngx_http_wassiit_leader_open(cycle, wmcf, conf[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_leader_open(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_cluster_conf_t *conf)
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
                                            &ngx_http_wassiit_leader_calls,
                                            cluster, cycle);
    if (cluster->redis == NULL) {
        return NGX_ERROR;
    }

    /* a ledger that was emptied must know of it before it lends its share */
    cluster->redis->pause = ngx_min(cluster->redis->pause, conf->lease / 4);

    if (ngx_http_wassiit_cluster_name(cluster, cycle->pool) != NGX_OK
        || ngx_http_wassiit_replica_init(cluster, wmcf, cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    cluster->dummy.fd = (ngx_socket_t) -1;
    cluster->tick.handler = ngx_http_wassiit_leader_tick;
    cluster->tick.data = &cluster->dummy;
    cluster->tick.log = cycle->log;
    cluster->tick.cancelable = 1;
    cluster->dummy.data = cluster;

    ngx_add_timer(&cluster->tick, 1);

    ngx_http_wassiit_claims_join(&cluster->zone->claims);
    ngx_http_wassiit_cluster_add(cluster);

    return NGX_OK;
}


void
ngx_http_wassiit_leader_end(void)
{
    ngx_http_wassiit_cluster_t  *cluster;

    for (cluster = ngx_http_wassiit_cluster_first();
         cluster;
         cluster = cluster->next)
    {
        ngx_http_wassiit_leader_resign(cluster);

        if (ngx_http_wassiit_claims_quit(&cluster->zone->claims)) {
            ngx_http_wassiit_session_leave(cluster);
        }
    }
}


static void
ngx_http_wassiit_leader_up(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    cluster->asked = 0;
    cluster->renewed = 0;

    if (!cluster->quits) {
        ngx_http_wassiit_cluster_now(cluster);
    }
}


static void
ngx_http_wassiit_leader_down(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    cluster->asked = 0;
}


/* New workers go on.  What this one's requests are short of, it still asks. */

static void
ngx_http_wassiit_leader_quit(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    cluster->quits = 1;
    ngx_http_wassiit_leader_resign(cluster);
}


static void
ngx_http_wassiit_leader_deaf(ngx_http_wassiit_redis_t *redis, void *data)
{
    /* messages that are lost cost time, and nothing else */
}


static void
ngx_http_wassiit_leader_message(ngx_str_t *channel, ngx_str_t *text,
    void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_str_t                      id;
    ngx_http_wassiit_caps_why_e  why;

    if (text->len == 3 && ngx_strncmp(text->data, "log", 3) == 0) {
        ngx_http_wassiit_replica_hear(cluster);
        return;
    }

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
ngx_http_wassiit_leader_tick(ngx_event_t *ev)
{
    uint64_t                         now;
    ngx_connection_t                *c;
    ngx_http_wassiit_cluster_t      *cluster;
    ngx_http_wassiit_claims_lead_t  *lead;

    c = ev->data;
    cluster = c->data;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        cluster->quits = 1;
        ngx_http_wassiit_leader_resign(cluster);
        return;
    }

    now = ngx_http_wassiit_zone_clock();

    if (ngx_http_wassiit_leader_leads(cluster)) {
        lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

        if (lead->state == NGX_HTTP_WASSIIT_STARTING && lead->place == 0
            && now - cluster->began > LEADER_START * MS)
        {
            ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                          NGX_HTTP_WASSIIT_ALONE);
        }

        store(&lead->up, cluster->redis->up);

        if (cluster->heard != lead->place) {
            ngx_http_wassiit_leader_listen(cluster);
        }

        if (cluster->redis->up) {
            ngx_http_wassiit_session_speak(cluster, now);
            ngx_http_wassiit_replica_tick(cluster, now);
            ngx_http_wassiit_leader_sweep(cluster, now);
        }

        ngx_http_wassiit_leader_show(cluster);

        if (cluster->conf->stale) {
            ngx_http_wassiit_leader_age(cluster, now);
        }
    }

    ngx_add_timer(ev, cluster->soon ? 1 : LEADER_TICK);
    cluster->soon = 0;
}


/* Is this worker the leader?  If that one has died, it is from now on. */

static ngx_uint_t
ngx_http_wassiit_leader_leads(ngx_http_wassiit_cluster_t *cluster)
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
    cluster->told = 0;
    cluster->at = 0;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);
    cluster->shown = lead->state;

    if (lead->place
        && (ngx_strlen(lead->check) != cluster->conf->check.len
            || ngx_memcmp(lead->check, cluster->conf->check.data,
                          cluster->conf->check.len) != 0))
    {
        /* with the seal that it has now this node has not joined */
        ngx_http_wassiit_session_end(cluster);
    }

    /* what the former leader has logged */
    cluster->stale = cluster->conf->stale
                     && lead->state != NGX_HTTP_WASSIIT_STARTING
                     && ngx_http_wassiit_claims_is_stale(
                                              &cluster->zone->claims,
                                              ngx_http_wassiit_zone_clock());

    /* what the former leader has told isn't known: all is told again */

    if (lead->place && lead->state != NGX_HTTP_WASSIIT_ACTIVE) {
        ngx_http_wassiit_session_change(cluster);
    }

    /*
     * The session was over when it died, or never began; or what isn't in use
     * was being lowered.
     */

    cluster->lost = (lead->place == 0
                     || lead->state == NGX_HTTP_WASSIIT_STARTING);
    cluster->has = (lead->place == 0) ? NGX_HTTP_WASSIIT_CAPS_SHARED
                   : cluster->lost ? NGX_HTTP_WASSIIT_CAPS_USED
                                   : NGX_HTTP_WASSIIT_CAPS_KEPT;
    ngx_http_wassiit_replica_lead(cluster);

    return 1;
}


static void
ngx_http_wassiit_leader_resign(ngx_http_wassiit_cluster_t *cluster)
{
    if (!cluster->leads) {
        return;
    }

    cluster->leads = 0;

    if (cluster->ears) {
        ngx_http_wassiit_redis_close(cluster->ears);
        cluster->ears = NULL;
        cluster->heard = 0;
    }

    ngx_wassiit_robust_unlock(
                        ngx_http_wassiit_claims_lock(&cluster->zone->claims));
}


static void
ngx_http_wassiit_leader_sweep(ngx_http_wassiit_cluster_t *cluster,
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
        && now > lead->former + LEADER_LONGEST * 1000 * MS)
    {
        /* no window remembers the former life */
        store(&lead->former, 0);
        ngx_http_wassiit_claims_extend(&cluster->zone->claims, lead->until);
    }

    if (cluster->at == 0 && now - cluster->swept < LEADER_SWEEP * MS) {
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
                                          LEADER_ENTRIES, &id);
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
ngx_http_wassiit_leader_listen(ngx_http_wassiit_cluster_t *cluster)
{
    u_char                           text[2][sizeof("wassiit:{}:ch:")
                                             + NGX_HTTP_WASSIIT_ZONE_NAME_LEN
                                             + NGX_INT64_LEN];
    ngx_str_t                        names[2];
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (cluster->ears) {
        ngx_http_wassiit_redis_close(cluster->ears);
    }

    cluster->ears = NULL;
    cluster->heard = lead->place;

    if (cluster->heard == 0) {
        return;
    }

    cluster->ears = ngx_http_wassiit_redis_open(cluster->conf->redis,
                                                &ngx_http_wassiit_leader_ears,
                                                cluster,
                                                (ngx_cycle_t *) ngx_cycle);
    if (cluster->ears == NULL) {
        return;
    }

    /* what there is to say of the server the other one says */
    cluster->ears->quiet = 1;

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


/* A line a transition. */

static void
ngx_http_wassiit_leader_show(ngx_http_wassiit_cluster_t *cluster)
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

    i = lead->state;

    if (i == cluster->shown) {
        return;
    }

    cluster->shown = i;
    state = ngx_http_wassiit_cluster_state_name(i);
    level = (i == NGX_HTTP_WASSIIT_ALONE) ? NGX_LOG_WARN : NGX_LOG_NOTICE;

    ngx_log_error(level, cluster->log, 0,
                  "node \"%V\" of zone \"%V\" is %V%s", &cluster->conf->node,
                  &cluster->zone->name, state,
                  i == NGX_HTTP_WASSIIT_ALONE
                  ? ": it admits its standing share until it joins again" : "");
}


/* A line when partners are too old to be let in, and when they aren't. */

static void
ngx_http_wassiit_leader_age(ngx_http_wassiit_cluster_t *cluster, uint64_t now)
{
    ngx_uint_t  stale;

    stale = ngx_http_wassiit_claims_is_stale(&cluster->zone->claims, now);

    if (stale == cluster->stale
        || (stale && now - cluster->began < LEADER_START * MS))
    {
        return;
    }

    cluster->stale = stale;

    if (stale) {
        ngx_log_error(NGX_LOG_ERR, cluster->log, 0,
                      "node \"%V\" of zone \"%V\" has known of no changes for "
                      "%M ms: it answers partners with 503 until Redis answers",
                      &cluster->conf->node, &cluster->zone->name,
                      cluster->conf->stale);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, cluster->log, 0,
                      "node \"%V\" of zone \"%V\" knows of all changes: it "
                      "lets partners in", &cluster->conf->node,
                      &cluster->zone->name);
    }
}
