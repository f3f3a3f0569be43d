
#include "ngx_http_wassiit_adjust.h"
#include "ngx_http_wassiit_scan.h"
#include "ngx_http_wassiit_session.h"
#include "ngx_http_wassiit_zone_sh.h"
#include "ngx_wassiit_seal.h"

#include <openssl/rand.h>


/*
 * The states of a node, the same for all its workers, and who changes them:
 *
 *   STARTING    nothing is admitted: no answer yet, or not all is lowered
 *     -> RESTATING    joined                                   session_joined
 *                     all is lowered                            session_speak
 *     -> ALONE        LEADER_START has passed                     leader_tick
 *   RESTATING   the caps that windows have; nothing is claimed
 *     -> ACTIVE       all caps that aren't standing are told   session_stated
 *   ACTIVE      the same, and claims
 *     -> RESTATING    the ledger is another                    session_answer
 *     -> ALONE        no answer until the session's end           leader_show
 *                     the ledger says that it is over          session_answer
 *     -> STARTING     the last worker exits                     session_leave
 *   ALONE       at most the standing share
 *     -> RESTATING    joined again                             session_joined
 *                     the session goes on                     session_renewed
 *     -> STARTING     joined, in a place that was another's    session_joined
 */


/* milliseconds; a session is renewed so often, or each tenth of the lease */
#define SESSION_RENEW           1000

/* entries that are looked at in one go */
#define SESSION_ENTRIES         8192

/* caps that are lowered in one go */
#define SESSION_LOWERED         128

/*
 * By how much a node's clock may run apart from the ledger's, in a lease, and
 * what one answer may be late besides.
 */
#define SESSION_DRIFT           1000    /* both clocks: a part in so many */
#define SESSION_GUARD           200     /* ms */

/* how a node that can't join differs from the others */
#define SESSION_OTHER_NODES     1
#define SESSION_OTHER_SEAL      2

/* as the ledger has it */
#define SESSION_PLACES          10000

/* characters of a session's name */
#define SESSION_SID             32

#define MS                      ((uint64_t) 1000)

#define is(s, word)                                                          \
    ((s)->len == sizeof(word) - 1                                            \
     && ngx_strncmp((s)->data, word, sizeof(word) - 1) == 0)


static void ngx_http_wassiit_session_retreat(ngx_http_wassiit_cluster_t
    *cluster);
static void ngx_http_wassiit_session_join(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);
static void ngx_http_wassiit_session_joined(ngx_wassiit_resp_t *reply, void
    *data);
static void ngx_http_wassiit_session_tags(
    ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head);
static uint64_t ngx_http_wassiit_session_ended(
    ngx_http_wassiit_answer_head_t *head, int64_t former);
static void ngx_http_wassiit_session_refused(ngx_http_wassiit_cluster_t
    *cluster, ngx_http_wassiit_answer_head_t *head);
static void ngx_http_wassiit_session_renew(ngx_http_wassiit_cluster_t
    *cluster, uint64_t now);
static void ngx_http_wassiit_session_renewed(ngx_wassiit_resp_t *reply, void
    *data);
static ngx_uint_t ngx_http_wassiit_session_answer(ngx_http_wassiit_cluster_t
    *cluster, ngx_wassiit_resp_t *reply, ngx_http_wassiit_answer_head_t *head);
static void ngx_http_wassiit_session_met(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head, ngx_uint_t extend);
static void ngx_http_wassiit_session_restate(
    ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head, ngx_uint_t state);
static void ngx_http_wassiit_session_state_all(ngx_http_wassiit_cluster_t
    *cluster);
static void ngx_http_wassiit_session_stated(ngx_wassiit_resp_t *reply, void
    *data);
static void ngx_http_wassiit_session_left(ngx_wassiit_resp_t *reply, void
    *data);


void
ngx_http_wassiit_session_speak(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    ngx_msec_t                       every;
    ngx_http_wassiit_claims_lead_t  *lead;

    if (cluster->asked) {
        return;
    }

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (cluster->lost) {
        ngx_http_wassiit_session_retreat(cluster);

        if (cluster->lost) {
            if (cluster->at) {
                ngx_http_wassiit_cluster_now(cluster);
            }

            return;
        }

        if (lead->place) {
            ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                          NGX_HTTP_WASSIIT_RESTATING);
        }
    }

    if (lead->place == 0) {
        ngx_http_wassiit_session_join(cluster, now);
        return;
    }

    if (lead->state == NGX_HTTP_WASSIIT_RESTATING) {
        /* which is what the session is renewed by */
        ngx_http_wassiit_session_state_all(cluster);
        return;
    }

    every = ngx_min(SESSION_RENEW, cluster->conf->lease / 10);

    if (cluster->renewed == 0 || now - cluster->renewed >= every * MS) {
        ngx_http_wassiit_session_renew(cluster, now);
        return;
    }

    if (lead->former && !lead->scanned) {
        ngx_http_wassiit_scan(cluster);
    }
}


/*
 * The session is over: what was above the standing share has been given to
 * others.  What of it is in use stays, as the ledger counts it until then.
 */

static void
ngx_http_wassiit_session_retreat(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_int_t                 rc;
    ngx_str_t                 id;
    ngx_uint_t                n;
    ngx_http_wassiit_claim_t  claim;
    u_char                    text[NGX_HTTP_WASSIIT_ID_LEN];

    id.data = text;

    /* the rest in the next tick */

    for (n = 0; n < SESSION_LOWERED; n++) {
        rc = ngx_http_wassiit_claims_each(&cluster->zone->claims, &cluster->at,
                                          SESSION_ENTRIES, &id);
        if (rc == NGX_AGAIN) {
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
            ngx_http_wassiit_zone_mend(cluster->zone);
            cluster->at = 0;
            return;
        }
    }
}


static void
ngx_http_wassiit_session_join(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    u_char                          *p, numbers[3][NGX_INT64_LEN];
    u_char                           random[SESSION_SID / 2];
    u_char                           seed[NGX_HTTP_WASSIIT_TAG_SEED];
    uint64_t                         values[3];
    ngx_str_t                        args[2 + 10];
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
    args[4].len = SESSION_SID;
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

    args[10] = cluster->conf->check;

    ngx_http_wassiit_zone_tag_seed(cluster->zone, seed);
    args[11].data = seed;
    args[11].len = sizeof(seed);

    if (ngx_http_wassiit_redis_eval(cluster->redis, args, 2, 12,
                                    ngx_http_wassiit_cluster_patience(cluster),
                                    ngx_http_wassiit_session_joined, cluster)
        == NGX_OK)
    {
        cluster->asked = now;
    }
}


static void
ngx_http_wassiit_session_joined(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    int64_t                          place, former;
    ngx_uint_t                       none, state;
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
        ngx_http_wassiit_session_refused(cluster, &head);
        cluster->asked = 0;
        return;
    }

    if (ngx_wassiit_resp_next(&head.resp) != NGX_OK
        || ngx_wassiit_resp_number(&head.resp, &place) != NGX_OK
        || ngx_wassiit_resp_next(&head.resp) != NGX_OK
        || ngx_wassiit_resp_number(&head.resp, &former) != NGX_OK
        || ngx_wassiit_resp_next(&head.resp) != NGX_OK
        || place < 1 || place > SESSION_PLACES)
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

    ngx_http_wassiit_session_tags(cluster, &head);
    ngx_http_wassiit_session_change(cluster);

    /* a node that remembers nothing has nothing to restate */
    cluster->has = (lead->life[0] == 0) ? NGX_HTTP_WASSIIT_CAPS_KEPT
                   : none ? NGX_HTTP_WASSIIT_CAPS_USED
                          : NGX_HTTP_WASSIIT_CAPS_SHARED;

    /* until what is to be lowered is, nothing is admitted */
    cluster->lost = (cluster->has == NGX_HTTP_WASSIIT_CAPS_USED);
    state = cluster->lost ? NGX_HTTP_WASSIIT_STARTING
                          : NGX_HTTP_WASSIIT_RESTATING;

    if (cluster->lost) {
        ngx_http_wassiit_claims_enter(&cluster->zone->claims, state);
    }

    /*
     * A leader that dies here leaves a node that joins again.  What an earlier
     * life may have used is kept: to a life that it knows, the ledger doesn't
     * say that again.
     */

    if (none) {
        store(&lead->scanned, 0);
        store(&lead->former, ngx_http_wassiit_session_ended(&head, former));
    }

    store(&lead->above, place > (int64_t) cluster->conf->nodes);

    if (lead->life[0] == 0) {
        (void) ngx_cpystrn(lead->life, cluster->sid, sizeof(lead->life));
    }

    (void) ngx_cpystrn(lead->sid, cluster->sid, sizeof(lead->sid));
    (void) ngx_cpystrn(lead->check, cluster->conf->check.data,
                       cluster->conf->check.len + 1);
    store(&lead->place, place);
    store(&lead->strange, 0);

    cluster->sid[0] = '\0';
    cluster->strange = 0;

    ngx_http_wassiit_session_met(cluster, &head, 1);
    ngx_http_wassiit_session_restate(cluster, &head, state);

    cluster->asked = 0;
    ngx_http_wassiit_cluster_now(cluster);
}


/* From here on the partners' tags are those of all nodes. */

static void
ngx_http_wassiit_session_tags(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head)
{
    if (ngx_wassiit_resp_next(&head->resp) == NGX_OK
        && head->resp.text.len == NGX_HTTP_WASSIIT_TAG_SEED)
    {
        ngx_http_wassiit_zone_share_tags(cluster->zone, head->resp.text.data,
                                         cluster->conf->seal,
                                         NGX_WASSIIT_SEAL_KEY_LEN);
    }
}


/* When a former life ended, by this node's clock; now, if that isn't known. */

static uint64_t
ngx_http_wassiit_session_ended(ngx_http_wassiit_answer_head_t *head,
    int64_t former)
{
    uint64_t  now, ago;

    now = ngx_http_wassiit_zone_clock();
    ago = (former && former < (int64_t) head->now)
          ? (head->now - former) * MS : 0;

    return (ago < now) ? now - ago : 1;
}


/* The nodes of the cluster don't agree. */

static void
ngx_http_wassiit_session_refused(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head)
{
    int64_t                           nodes, share;
    ngx_str_t                         check;
    ngx_uint_t                        why;
    ngx_http_wassiit_claims_lead_t   *lead;
    ngx_http_wassiit_cluster_conf_t  *conf;

    conf = cluster->conf;
    nodes = 0;
    share = 0;
    check = conf->check;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);
    store(&lead->met, ngx_http_wassiit_zone_clock());

    if (!is(&head->word, "CONFIG")) {
        return;
    }

    if (ngx_wassiit_resp_next(&head->resp) == NGX_OK) {
        (void) ngx_wassiit_resp_number(&head->resp, &nodes);
    }

    if (ngx_wassiit_resp_next(&head->resp) == NGX_OK) {
        (void) ngx_wassiit_resp_number(&head->resp, &share);
    }

    if (ngx_wassiit_resp_next(&head->resp) == NGX_OK) {
        check = head->resp.text;
    }

    if (nodes == 0) {
        /* nobody has joined yet, but somebody's lines are there */
        nodes = conf->nodes;
        share = conf->share;
    }

    /* what a limit is divided by, so never 0 */
    store(&lead->other_nodes, (uint32_t) ngx_min(ngx_max(nodes, 1), INT32_MAX));
    store(&lead->other_share, (uint32_t) ngx_min(ngx_max(share, 0), 1000));
    store(&lead->strange, 1);

    why = (check.len == conf->check.len
           && ngx_memcmp(check.data, conf->check.data, check.len) == 0)
          ? SESSION_OTHER_NODES : SESSION_OTHER_SEAL;

    if (cluster->strange == why) {
        return;
    }

    cluster->strange = why;

    if (why == SESSION_OTHER_SEAL) {
        ngx_log_error(NGX_LOG_ERR, cluster->log, 0,
                      "node \"%V\" of zone \"%V\" can't join: the lines of "
                      "partners in Redis %s; give all nodes the same, or see "
                      "\"Another seal\" in cluster.md",
                      &conf->node, &cluster->zone->name,
                      (check.len == 1)
                      ? "aren't sealed, and it has a \"seal\""
                      : (conf->check.len == 1)
                      ? "are sealed, and it has no \"seal\""
                      : "are sealed by another key than that of its \"seal\"");
        return;
    }

    ngx_log_error(NGX_LOG_ERR, cluster->log, 0,
                  "node \"%V\" of zone \"%V\" can't join: it has nodes=%ui "
                  "and share=%ui.%ui%%, those that are there nodes=%L and "
                  "share=%L.%L%%; all have to have the same",
                  &conf->node, &cluster->zone->name, conf->nodes,
                  conf->share / 10, conf->share % 10, nodes, share / 10,
                  share % 10);
}


static void
ngx_http_wassiit_session_renew(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now)
{
    u_char                           common[NGX_HTTP_WASSIIT_COMMON_LEN];
    ngx_str_t                        args[2 + NGX_HTTP_WASSIIT_COMMON + 1];
    ngx_http_wassiit_claims_lead_t  *lead;

    ngx_http_wassiit_cluster_keys(cluster, args);
    ngx_http_wassiit_cluster_common(cluster, "renew", args + 2, common);

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);
    ngx_str_set(&args[2 + NGX_HTTP_WASSIIT_COMMON], "0-0");

    if (lead->cursor[0]) {
        args[2 + NGX_HTTP_WASSIIT_COMMON].data = lead->cursor;
        args[2 + NGX_HTTP_WASSIIT_COMMON].len = ngx_strlen(lead->cursor);
    }

    if (ngx_http_wassiit_redis_eval(cluster->redis, args, 2,
                                    sizeof(args) / sizeof(args[0]),
                                    ngx_http_wassiit_cluster_patience(cluster),
                                    ngx_http_wassiit_session_renewed, cluster)
        == NGX_OK)
    {
        cluster->asked = now;
        cluster->renewed = now;
    }
}


static void
ngx_http_wassiit_session_renewed(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_http_wassiit_answer_head_t   head;
    ngx_http_wassiit_claims_lead_t  *lead;

    if (ngx_http_wassiit_session_answer(cluster, reply, &head)) {
        lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

        ngx_http_wassiit_session_met(cluster, &head, 1);

        if (ngx_wassiit_resp_next(&head.resp) == NGX_OK
            && head.resp.text.len < sizeof(cluster->last))
        {
            (void) ngx_cpystrn(cluster->last, head.resp.text.data,
                               head.resp.text.len + 1);
            cluster->told = cluster->asked;
        }

        if (lead->state == NGX_HTTP_WASSIIT_ALONE) {
            /* the ledger has taken nothing back: its clock stood still, too */
            cluster->has = NGX_HTTP_WASSIIT_CAPS_KEPT;
            ngx_http_wassiit_session_change(cluster);
            ngx_http_wassiit_session_restate(cluster, &head,
                                             NGX_HTTP_WASSIIT_RESTATING);
        }
    }

    cluster->asked = 0;
}


/*
 * Returns 1 if it is OK; else does what it says.  What follows is said at once,
 * but not after an error, or where no answer came.
 */

static ngx_uint_t
ngx_http_wassiit_session_answer(ngx_http_wassiit_cluster_t *cluster,
    ngx_wassiit_resp_t *reply, ngx_http_wassiit_answer_head_t *head)
{
    ngx_http_wassiit_claims_lead_t  *lead;

    if (!cluster->leads || reply == NULL
        || ngx_http_wassiit_cluster_read(cluster, reply, head) != NGX_OK)
    {
        return 0;
    }

    ngx_http_wassiit_cluster_now(cluster);

    if (is(&head->word, "OK")) {
        return 1;
    }

    if (is(&head->word, "RESTATE")) {
        cluster->has = NGX_HTTP_WASSIIT_CAPS_KEPT;
        ngx_http_wassiit_session_change(cluster);
        ngx_http_wassiit_session_met(cluster, head, 0);
        ngx_http_wassiit_session_restate(cluster, head,
                                         NGX_HTTP_WASSIIT_RESTATING);
        return 0;
    }

    if (is(&head->word, "LOST")) {
        lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

        ngx_log_error(NGX_LOG_WARN, cluster->log, 0,
                      "the session of node \"%V\" of zone \"%V\" is over%s, "
                      "it joins again", &cluster->conf->node,
                      &cluster->zone->name,
                      lead->until > ngx_http_wassiit_zone_clock()
                      ? " before its time: another node has its name, or Redis "
                        "has lost its data" : "");

        ngx_http_wassiit_session_end(cluster);

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

void
ngx_http_wassiit_session_change(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    store(&lead->session, lead->session + 1);

    cluster->at = 0;
}


void
ngx_http_wassiit_session_end(ngx_http_wassiit_cluster_t *cluster)
{
    ngx_http_wassiit_session_change(cluster);
    ngx_http_wassiit_claims_extend(&cluster->zone->claims, 1);
    ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                  NGX_HTTP_WASSIIT_ALONE);

    store(&ngx_http_wassiit_claims_lead(&cluster->zone->claims)->place, 0);
}


/*
 * The ledger has answered what was asked at cluster->asked: its clock pair, and
 * for how long the session lasts by this node's own clock.
 */

static void
ngx_http_wassiit_session_met(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head, ngx_uint_t extend)
{
    uint64_t                         lease;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    /* in this order: see cluster_common() */
    store(&lead->sent, cluster->asked);
    store(&lead->stamp, head->now);
    store(&lead->met, ngx_http_wassiit_zone_clock());

    if (extend) {
        lease = cluster->conf->lease * MS;

        ngx_http_wassiit_claims_extend(&cluster->zone->claims,
                                       cluster->asked + lease
                                       - lease / SESSION_DRIFT
                                       - SESSION_GUARD * MS);
    }
}


/* All that isn't the standing share is to be told. */

static void
ngx_http_wassiit_session_restate(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_answer_head_t *head, ngx_uint_t state)
{
    size_t                           len;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    len = ngx_min(cluster->redis->run_id.len, sizeof(lead->run_id) - 1);
    ngx_memcpy(lead->run_id, cluster->redis->run_id.data, len);
    lead->run_id[len] = '\0';

    store(&lead->epoch, head->epoch);

    cluster->at = 0;
    cluster->scan[0] = '\0';

    ngx_http_wassiit_claims_enter(&cluster->zone->claims, state);
}


static void
ngx_http_wassiit_session_state_all(ngx_http_wassiit_cluster_t *cluster)
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
                           + NGX_HTTP_WASSIIT_BATCH];
    static ngx_str_t  whole[sizeof(all) / sizeof(all[0])
                            + sizeof(rest) / sizeof(rest[0])];

    keys = all + 2;
    args = rest + NGX_HTTP_WASSIIT_COMMON + 1;
    p = buf;
    id.data = text;
    rc = NGX_OK;

    for (n = 0; n < NGX_HTTP_WASSIIT_BATCH; /* void */ ) {
        rc = ngx_http_wassiit_claims_each(&cluster->zone->claims, &cluster->at,
                                          SESSION_ENTRIES, &id);
        if (rc != NGX_OK) {
            break;
        }

        rc = ngx_http_wassiit_caps_restate(cluster->zone, &id, cluster->has,
                                             &claim);

        if (rc == NGX_BUSY) {
            /* what was told is told again */
            ngx_http_wassiit_zone_mend(cluster->zone);
            cluster->at = 0;
            return;
        }

        if (rc == NGX_OK) {
            p = ngx_http_wassiit_adjust_write(p, cluster, &id, &claim,
                                              &keys[n++], args++);
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
                                    2 + n + (args - rest),
                                    ngx_http_wassiit_cluster_patience(cluster),
                                    ngx_http_wassiit_session_stated, cluster)
        == NGX_OK)
    {
        cluster->asked = ngx_http_wassiit_zone_clock();
        return;
    }

    cluster->at = 0;
}


static void
ngx_http_wassiit_session_stated(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_http_wassiit_answer_head_t  head;

    if (ngx_http_wassiit_session_answer(cluster, reply, &head)) {
        ngx_http_wassiit_session_met(cluster, &head, cluster->done);

        if (cluster->done) {
            ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                          NGX_HTTP_WASSIIT_ACTIVE);
        }

    } else {
        /* from the beginning */
        cluster->at = 0;
    }

    cluster->asked = 0;
}


/* Nothing is admitted here any more: the others needn't wait for the lease. */

void
ngx_http_wassiit_session_leave(ngx_http_wassiit_cluster_t *cluster)
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

    /* workers that begin with this memory join anew before they admit any */

    ngx_http_wassiit_session_change(cluster);
    ngx_http_wassiit_claims_extend(&cluster->zone->claims, 1);
    ngx_http_wassiit_claims_enter(&cluster->zone->claims,
                                  NGX_HTTP_WASSIIT_STARTING);
    store(&lead->place, 0);

    if (ngx_http_wassiit_redis_eval(cluster->redis, args, 2,
                                    2 + NGX_HTTP_WASSIIT_COMMON,
                                    ngx_http_wassiit_cluster_patience(cluster),
                                    ngx_http_wassiit_session_left, cluster)
        == NGX_OK)
    {
        ngx_http_wassiit_redis_flush(cluster->redis);
    }
}


static void
ngx_http_wassiit_session_left(ngx_wassiit_resp_t *reply, void *data)
{
    /* nobody hears it any more */
}
