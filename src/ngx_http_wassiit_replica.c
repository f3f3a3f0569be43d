
#include "ngx_http_wassiit_offer.h"
#include "ngx_http_wassiit_replica.h"
#include "ngx_http_wassiit_submit.h"
#include "ngx_http_wassiit_zone_sh.h"


/* what failed is tried again: microseconds */
#define REPLICA_AGAIN           ((uint64_t) 500000)
#define REPLICA_HELD            ((uint64_t) 2000000)

/* milliseconds: how long an answer waits for all nodes, and looks for them */
#define REPLICA_SETTLE          1000
#define REPLICA_LOOK            15
#define REPLICA_TIMEOUT         1000

/* sid exp gone name life former epoch told cursor, as in the ledger */
#define REPLICA_FIELDS          9


struct ngx_http_wassiit_replica_s {
    ngx_http_wassiit_submit_t       submit;
    ngx_http_wassiit_follow_t       follow;
    ngx_http_wassiit_offer_t        offer;

    /* the leader's */
    uint64_t                        again;      /* not before; or 0 */
    uint64_t                        epoch;      /* offered in */
    uint64_t                        moved;      /* when the cursor did */
    uint32_t                        edits;      /* of the file, when it began */
    unsigned                        asked:1;    /* what Redis' disk keeps */
    unsigned                        followed:1; /* all that there was */
    unsigned                        reading:1;
    unsigned                        offering:1;
};


/* an answer that waits for other nodes */

typedef struct {
    ngx_http_wassiit_job_t         *job;
    ngx_http_wassiit_cluster_t     *cluster;
    ngx_str_t                       entry;      /* of the log */
    ngx_msec_t                      until;
    ngx_event_t                     timer;
    ngx_connection_t                dummy;
    u_char                          text[NGX_HTTP_WASSIIT_CURSOR_LEN];
} ngx_http_wassiit_replica_wait_t;


static void ngx_http_wassiit_replica_ask(
    ngx_http_wassiit_cluster_t *cluster);
static void ngx_http_wassiit_replica_kept(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_replica_read(ngx_http_wassiit_cluster_t *cluster,
    ngx_int_t rc);
static void ngx_http_wassiit_replica_moved(
    ngx_http_wassiit_follow_t *follow, ngx_int_t rc);
static void ngx_http_wassiit_replica_offered(ngx_http_wassiit_offer_t *offer,
    ngx_int_t rc);
static void ngx_http_wassiit_replica_settle(ngx_http_wassiit_job_t *job,
    void *data);
static void ngx_http_wassiit_replica_look(
    ngx_http_wassiit_replica_wait_t *wait);
static void ngx_http_wassiit_replica_timer(ngx_event_t *ev);
static void ngx_http_wassiit_replica_seen(ngx_wassiit_resp_t *reply,
    void *data);
static ngx_array_t *ngx_http_wassiit_replica_pending(
    ngx_http_wassiit_job_t *job, ngx_array_t *pending, const char *name);
static ngx_array_t *ngx_http_wassiit_replica_behind(
    ngx_http_wassiit_replica_wait_t *wait, ngx_wassiit_resp_t *reply);
static ngx_uint_t ngx_http_wassiit_replica_is_behind(
    ngx_http_wassiit_replica_wait_t *wait, ngx_str_t *record,
    ngx_str_t *name);
static ngx_int_t ngx_http_wassiit_replica_compare(ngx_str_t *a, ngx_str_t *b);


ngx_int_t
ngx_http_wassiit_replica_init(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_cycle_t *cycle)
{
    ngx_http_wassiit_replica_t  *replica;

    replica = ngx_pcalloc(cycle->pool, sizeof(ngx_http_wassiit_replica_t));
    if (replica == NULL) {
        return NGX_ERROR;
    }

    replica->submit.zone = cluster->zone;
    replica->submit.redis = cluster->redis;
    replica->submit.seal = cluster->conf->seal;
    replica->submit.check = cluster->conf->check;
    replica->submit.replicas = cluster->conf->replicas;
    replica->submit.orders.settle = ngx_http_wassiit_replica_settle;

    ngx_http_wassiit_submit_init(&replica->submit);
    cluster->zone->orders = &replica->submit.orders;

    replica->follow.zone = cluster->zone;
    replica->follow.wmcf = wmcf;
    replica->follow.redis = cluster->redis;
    replica->follow.seal = cluster->conf->seal;
    replica->follow.moved = ngx_http_wassiit_replica_moved;
    replica->follow.data = cluster;

    replica->offer.zone = cluster->zone;
    replica->offer.wmcf = wmcf;
    replica->offer.redis = cluster->redis;
    replica->offer.seal = cluster->conf->seal;
    replica->offer.done = ngx_http_wassiit_replica_offered;
    replica->offer.data = cluster;

    cluster->replica = replica;

    return NGX_OK;
}


void
ngx_http_wassiit_replica_lead(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_http_wassiit_replica_t      *replica;
    ngx_http_wassiit_claims_lead_t  *lead;

    replica = cluster->replica;
    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    /* from where the former leader was; a file may have been edited by hand */

    replica->follow.cursor_len = ngx_min(ngx_strlen(lead->cursor),
                                         NGX_HTTP_WASSIIT_CURSOR_LEN);
    ngx_memcpy(replica->follow.cursor, lead->cursor,
               replica->follow.cursor_len);

    if (lead->left) {
        /* scopes may be others now, or keys: all are compared */
        store(&lead->left, 0);
        replica->follow.cursor_len = 0;
    }

    replica->followed = 0;
    replica->epoch = 0;
    replica->again = 0;
    replica->moved = ngx_http_wassiit_zone_clock();
    replica->edits = load(&cluster->zone->sh->edits);
}


void
ngx_http_wassiit_replica_tick(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    ngx_str_t                        last, cursor;
    ngx_http_wassiit_replica_t      *replica;
    ngx_http_wassiit_claims_lead_t  *lead;

    replica = cluster->replica;
    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (lead->place == 0 || now < replica->again) {
        return;
    }

    if (!replica->asked) {
        ngx_http_wassiit_replica_ask(cluster);
    }

    last.data = cluster->last;
    last.len = ngx_strlen(cluster->last);
    cursor.data = replica->follow.cursor;
    cursor.len = replica->follow.cursor_len;

    /*
     * What Redis was asked for before the cursor moved may lie behind it, and
     * while lines are being made it moves.
     */

    if (last.len && cursor.len && cluster->told > replica->moved
        && replica->follow.page == NULL
        && ngx_http_wassiit_replica_compare(&last, &cursor) < 0)
    {
        /* the log was lost */
        replica->follow.cursor_len = 0;
        replica->followed = 0;
        replica->epoch = 0;
        cursor.len = 0;
    }

    store(&lead->behind,
          last.len && ngx_http_wassiit_replica_compare(&last, &cursor) > 0);

    if (!replica->followed
        || (last.len && ngx_http_wassiit_replica_compare(&last, &cursor) > 0))
    {
        ngx_http_wassiit_replica_read(cluster,
                         ngx_http_wassiit_follow_again(&replica->follow));
        return;
    }

    if (cluster->told) {
        ngx_http_wassiit_claims_refresh(&cluster->zone->claims, cluster->told);
    }

    if (lead->state == NGX_HTTP_WASSIIT_ACTIVE && !replica->offering
        && replica->epoch != lead->epoch
        && ngx_http_wassiit_offer(&replica->offer) == NGX_OK)
    {
        replica->offering = 1;
        replica->epoch = lead->epoch;
        return;
    }

    /* a file that was edited may lack what the log says no more */

    if (lead->compared != replica->edits && !replica->offering
        && replica->epoch == lead->epoch && replica->follow.page == NULL)
    {
        replica->follow.cursor_len = 0;
        replica->followed = 0;
    }
}


/* A change that Redis has taken should be on its disk: is it? */

static void
ngx_http_wassiit_replica_ask(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_str_t  args[4];

    ngx_str_set(&args[0], "CONFIG");
    ngx_str_set(&args[1], "GET");
    ngx_str_set(&args[2], "appendonly");
    ngx_str_set(&args[3], "appendfsync");

    cluster->replica->asked =
        (ngx_http_wassiit_redis_call(cluster->redis, args, 4, REPLICA_TIMEOUT,
                                     ngx_http_wassiit_replica_kept, cluster)
         == NGX_OK);
}


static void
ngx_http_wassiit_replica_kept(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_str_t   only, sync;
    ngx_uint_t  n, is_only;

    if (reply == NULL) {
        cluster->replica->asked = 0;
        return;
    }

    if (reply->type != NGX_WASSIIT_RESP_ARRAY) {
        /* it isn't to be asked */
        return;
    }

    only.len = 0;
    sync.len = 0;

    for (n = reply->count / 2; n; n--) {
        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            return;
        }

        is_only = ngx_wassiit_resp_is(reply, "appendonly");

        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            return;
        }

        if (is_only) {
            only = reply->text;

        } else {
            sync = reply->text;
        }
    }

    if (only.len == 0 || sync.len == 0
        || (only.len == 3 && sync.len == sizeof("always") - 1))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cluster->log, 0,
                  "the Redis of zone \"%V\" has \"appendonly %V\" and "
                  "\"appendfsync %V\": a change of partners that was answered "
                  "with success may not be on its disk; set \"appendonly yes\" "
                  "and \"appendfsync always\"", &cluster->zone->name, &only,
                  &sync);
}


void
ngx_http_wassiit_replica_hear(ngx_http_wassiit_cluster_t *cluster)
{
    if (cluster->leads && cluster->redis->up) {
        ngx_http_wassiit_replica_read(cluster,
                  ngx_http_wassiit_follow_read(&cluster->replica->follow));
    }
}


static void
ngx_http_wassiit_replica_read(ngx_http_wassiit_cluster_t *cluster,
    ngx_int_t rc)
{
    if (rc != NGX_OK) {
        cluster->replica->again = ngx_http_wassiit_zone_clock()
                                  + REPLICA_AGAIN;
    }
}


static void
ngx_http_wassiit_replica_moved(ngx_http_wassiit_follow_t *follow,
    ngx_int_t rc)
{
    ngx_http_wassiit_cluster_t *cluster = follow->data;

    uint64_t                         now;
    ngx_http_wassiit_replica_t      *replica;
    ngx_http_wassiit_claims_lead_t  *lead;

    replica = cluster->replica;

    now = ngx_http_wassiit_zone_clock();

    if (rc == NGX_DECLINED) {
        /* what is heard meanwhile doesn't put it off */

        if (replica->again <= now) {
            replica->again = now + REPLICA_HELD;
        }

        return;
    }

    if (rc != NGX_OK) {
        replica->again = now + REPLICA_AGAIN;
        return;
    }

    replica->again = 0;
    replica->followed = 1;
    replica->moved = now;

    if (follow->clashes && follow->made) {
        /* the key of a partner that has none of it now, perhaps */
        follow->clashes = 0;
        follow->cursor_len = 0;
        follow->from_len = 0;
        replica->followed = 0;
        replica->again = now + REPLICA_AGAIN;
        return;
    }

    if (!cluster->leads) {
        return;
    }

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (follow->left) {
        follow->left = 0;
        store(&lead->left, 1);
    }

    ngx_memcpy(lead->cursor, follow->cursor, follow->cursor_len);
    lead->cursor[follow->cursor_len] = '\0';

    if (follow->whole) {
        follow->whole = 0;

        /* Redis knows these, or none: their revs may come again */
        ngx_http_wassiit_zone_forget_gone(cluster->zone);

        lead->compared = replica->edits;
    }

    /* other nodes' answers wait for it */

    cluster->renewed = 0;
    ngx_http_wassiit_cluster_now(cluster);
}


static void
ngx_http_wassiit_replica_offered(ngx_http_wassiit_offer_t *offer,
    ngx_int_t rc)
{
    ngx_http_wassiit_cluster_t *cluster = offer->data;

    ngx_http_wassiit_replica_t  *replica;

    replica = cluster->replica;
    replica->offering = 0;

    if (rc != NGX_OK) {
        replica->epoch = 0;
        replica->again = ngx_http_wassiit_zone_clock() + REPLICA_AGAIN;
    }
}


/* The change is made here: have the others made it, too? */

static void
ngx_http_wassiit_replica_settle(ngx_http_wassiit_job_t *job, void *data)
{
    ngx_http_wassiit_submit_t *submit = data;

    ngx_str_t                        *entry;
    ngx_http_wassiit_cluster_t       *cluster;
    ngx_http_wassiit_replica_wait_t  *wait;

    entry = ngx_http_wassiit_submit_entry(job);
    cluster = ngx_http_wassiit_cluster_of(submit->zone);
    wait = ngx_pcalloc(job->pool, sizeof(ngx_http_wassiit_replica_wait_t));

    if (entry->len == 0 || entry->len > NGX_HTTP_WASSIIT_CURSOR_LEN
        || cluster == NULL || wait == NULL)
    {
        /* its answer was lost, so nobody can tell who has read its entry */
        job->pending = ngx_http_wassiit_replica_pending(job, NULL, "*");

        if (ngx_http_wassiit_submit_copied(job) != NGX_HTTP_WASSIIT_COPIED) {
            job->pending = ngx_http_wassiit_replica_pending(job, job->pending,
                                                            "redis");
        }

        ngx_http_wassiit_job_settled(job);
        return;
    }

    wait->job = job;
    wait->cluster = cluster;
    wait->entry.data = wait->text;
    wait->entry.len = entry->len;
    ngx_memcpy(wait->text, entry->data, entry->len);
    wait->until = ngx_current_msec + REPLICA_SETTLE;

    wait->dummy.fd = (ngx_socket_t) -1;
    wait->dummy.data = wait;
    wait->timer.handler = ngx_http_wassiit_replica_timer;
    wait->timer.data = &wait->dummy;
    wait->timer.log = ngx_cycle->log;

    ngx_http_wassiit_replica_look(wait);
}


static void
ngx_http_wassiit_replica_look(ngx_http_wassiit_replica_wait_t *wait)
{
    ngx_str_t  args[2];

    ngx_str_set(&args[0], "HGETALL");
    args[1] = wait->cluster->keys[1];

    if (ngx_http_wassiit_redis_call(wait->cluster->redis, args, 2,
                                    REPLICA_TIMEOUT,
                                    ngx_http_wassiit_replica_seen, wait)
        != NGX_OK)
    {
        ngx_http_wassiit_replica_seen(NULL, wait);
    }
}


static void
ngx_http_wassiit_replica_timer(ngx_event_t *ev)
{
    ngx_connection_t  *c;

    c = ev->data;

    ngx_http_wassiit_replica_look(c->data);
}


static void
ngx_http_wassiit_replica_seen(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_replica_wait_t *wait = data;

    ngx_array_t                *pending;
    ngx_http_wassiit_copied_e   copied;

    pending = NULL;
    copied = ngx_http_wassiit_submit_copied(wait->job);

    if (reply && reply->type == NGX_WASSIIT_RESP_ARRAY) {
        pending = ngx_http_wassiit_replica_behind(wait, reply);

        if (pending && pending->nelts == 0
            && copied == NGX_HTTP_WASSIIT_COPIED)
        {
            ngx_http_wassiit_job_settled(wait->job);
            return;
        }
    }

    if ((ngx_msec_int_t) (ngx_current_msec - wait->until) < 0
        || copied == NGX_HTTP_WASSIIT_COPYING)
    {
        ngx_add_timer(&wait->timer, REPLICA_LOOK);
        return;
    }

    if (pending == NULL) {
        /* Redis has gone since it took the change: who has it isn't known */
        pending = ngx_http_wassiit_replica_pending(wait->job, NULL, "*");
    }

    if (copied != NGX_HTTP_WASSIIT_COPIED) {
        pending = ngx_http_wassiit_replica_pending(wait->job, pending,
                                                   "redis");
    }

    wait->job->pending = pending;
    ngx_http_wassiit_job_settled(wait->job);
}


/* One more that hasn't made the change yet. */

static ngx_array_t *
ngx_http_wassiit_replica_pending(ngx_http_wassiit_job_t *job,
    ngx_array_t *pending, const char *name)
{
    ngx_str_t  *pushed;

    if (pending == NULL) {
        pending = ngx_array_create(job->pool, 1, sizeof(ngx_str_t));
    }

    pushed = pending ? ngx_array_push(pending) : NULL;

    if (pushed) {
        pushed->data = (u_char *) name;
        pushed->len = ngx_strlen(name);
    }

    return pending;
}


/* The names of the live nodes that are behind; NULL: they can't be told. */

static ngx_array_t *
ngx_http_wassiit_replica_behind(ngx_http_wassiit_replica_wait_t *wait,
    ngx_wassiit_resp_t *reply)
{
    ngx_str_t     name, *pushed;
    ngx_uint_t    n;
    ngx_array_t  *pending;

    pending = ngx_array_create(wait->job->pool, 4, sizeof(ngx_str_t));
    if (pending == NULL) {
        return NULL;
    }

    for (n = reply->count / 2; n; n--) {
        if (ngx_wassiit_resp_next(reply) != NGX_OK
            || ngx_wassiit_resp_next(reply) != NGX_OK)
        {
            return NULL;
        }

        if (!ngx_http_wassiit_replica_is_behind(wait, &reply->text, &name)) {
            continue;
        }

        pushed = ngx_array_push(pending);
        if (pushed == NULL) {
            return NULL;
        }

        pushed->data = ngx_pstrdup(wait->job->pool, &name);
        pushed->len = name.len;

        if (pushed->data == NULL) {
            return NULL;
        }

        /* what is no UTF-8 is no JSON, and could not be answered */
        (void) ngx_wassiit_resp_print(pushed, pushed->data, pushed->len);
    }

    return pending;
}


static ngx_uint_t
ngx_http_wassiit_replica_is_behind(ngx_http_wassiit_replica_wait_t *wait,
    ngx_str_t *record, ngx_str_t *name)
{
    u_char                          *p, *last;
    uint64_t                         now;
    ngx_int_t                        exp;
    ngx_str_t                        fields[REPLICA_FIELDS];
    ngx_uint_t                       n;
    ngx_http_wassiit_claims_lead_t  *lead;

    if (record->len == 0) {
        return 0;
    }

    p = record->data;
    last = p + record->len;

    for (n = 0; n < REPLICA_FIELDS && p < last; n++) {
        fields[n].data = p;

        while (p < last && *p != ' ') {
            p++;
        }

        fields[n].len = p - fields[n].data;
        p += (p < last);
    }

    if (n < REPLICA_FIELDS) {
        return 0;
    }

    lead = ngx_http_wassiit_claims_lead(&wait->cluster->zone->claims);

    now = load(&lead->stamp)
          + (ngx_http_wassiit_zone_clock() - load(&lead->sent)) / 1000;
    exp = ngx_atoi(fields[1].data, fields[1].len);

    *name = fields[3];

    return exp != NGX_ERROR && (uint64_t) exp > now
           && fields[2].len == 1 && fields[2].data[0] == '0'
           && ngx_http_wassiit_replica_compare(&fields[8], &wait->entry) < 0;
}


/* The order of two ids of a log, "N-N"; what is none comes first. */

static ngx_int_t
ngx_http_wassiit_replica_compare(ngx_str_t *a, ngx_str_t *b)
{
    size_t      i, len[2];
    ngx_uint_t  n;
    ngx_str_t  *s;
    uint64_t    parts[2][2];

    for (n = 0; n < 2; n++) {
        s = n ? b : a;

        for (len[n] = 0; len[n] < s->len && s->data[len[n]] != '-'; len[n]++) {
            /* void */
        }

        parts[n][0] = 0;
        parts[n][1] = 0;

        for (i = 0; i < s->len; i++) {
            if (s->data[i] >= '0' && s->data[i] <= '9') {
                parts[n][i > len[n]] = parts[n][i > len[n]] * 10
                                       + (s->data[i] - '0');
            }
        }
    }

    for (n = 0; n < 2; n++) {
        if (parts[0][n] != parts[1][n]) {
            return parts[0][n] < parts[1][n] ? -1 : 1;
        }
    }

    return 0;
}
