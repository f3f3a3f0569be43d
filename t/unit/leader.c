
/*
 * What a leader says to the ledger, and what it makes of the answers: a node's
 * session, as it begins, ends, is another worker's, and begins again.  The
 * answers are the test's.
 */


#include "node.h"
#include "steps.h"

#include "ngx_http_wassiit_adjust.h"
#include "ngx_http_wassiit_leader.h"
#include "ngx_http_wassiit_park.h"
#include "ngx_http_wassiit_replica.h"
#include "ngx_http_wassiit_session.h"


#define ARGS            16
#define CALLS           32
#define POOL            (512 * 1024)


static void test_session(void);
static void test_again(void);
static void test_above(void);
static void test_follows(void);
static void test_dies(void);
static void test_errors(void);
static void test_stamp(void);
static void unit_stamp_meanwhile(void);
static void test_many(void);
static void test_copies(void);
static void unit_copies_turn(void);
static void unit_leader_answered(ngx_http_wassiit_cluster_t *c,
    ngx_str_t *id, ngx_uint_t hopeless);
static void unit_leader_new(void);
static void unit_leader_begin(void);
static void unit_leader_tick(void);
static void unit_leader_is(const char *verb, const char *name);
static void unit_leader_answer(const char *text);
static void unit_leader_refuse(void);
static void unit_leader_active(void);
#if (UNIT_STEPS)
static void unit_leader_step(void);
#endif


/* the last call that wasn't answered */
static ngx_uint_t                        ncalls;
static char                              verb[16];
static char                              args[ARGS][128];
static ngx_uint_t                        nargs;
static ngx_http_wassiit_redis_pt         handler;
static void                             *data;

/* and the ones before */
static ngx_http_wassiit_redis_pt         handlers[CALLS];
static void                             *datas[CALLS];

static ngx_http_wassiit_redis_t          redis;
static ngx_http_wassiit_cluster_conf_t   conf;
static ngx_http_wassiit_cluster_t       *cluster;

static u_char                            pool[POOL]
                                         __attribute__((aligned(64)));
static size_t                            pool_len;

#if (UNIT_STEPS)

/* what the leader knows, before a step; how many changes of it there may be */
static ngx_http_wassiit_claims_lead_t    seen;
static ngx_uint_t                        changes;

#endif


/* what the sources take from nginx and from files that aren't looked at here */

ngx_uint_t                               ngx_exiting;
sig_atomic_t                             ngx_quit, ngx_terminate;
volatile ngx_msec_t                      ngx_current_msec;
ngx_rbtree_t                             ngx_event_timer_rbtree;
ngx_queue_t                              ngx_posted_events;


void
ngx_rbtree_insert(ngx_rbtree_t *tree, ngx_rbtree_node_t *n)
{
}


void
ngx_rbtree_delete(ngx_rbtree_t *tree, ngx_rbtree_node_t *n)
{
}


void *
ngx_pcalloc(ngx_pool_t *unused, size_t size)
{
    u_char  *p;

    size = ngx_align(size, 64);

    if (pool_len + size > POOL) {
        exit(2);
    }

    p = pool + pool_len;
    pool_len += size;

    return memset(p, 0, size);
}


void *
ngx_pnalloc(ngx_pool_t *unused, size_t size)
{
    return ngx_pcalloc(unused, size);
}


ngx_uint_t
ngx_http_wassiit_log_admits(ngx_log_t *log, ngx_uint_t level,
    const ngx_str_t *kind)
{
    return 1;
}


ngx_http_wassiit_redis_t *
ngx_http_wassiit_redis_open(ngx_http_wassiit_redis_conf_t *of,
    const ngx_http_wassiit_redis_handlers_t *handlers, void *caller,
    ngx_cycle_t *cycle)
{
    return &redis;
}


void
ngx_http_wassiit_redis_close(ngx_http_wassiit_redis_t *r)
{
}


ngx_int_t
ngx_http_wassiit_redis_subscribe(ngx_http_wassiit_redis_t *r,
    ngx_str_t *channels, ngx_uint_t n)
{
    return NGX_OK;
}


void
ngx_http_wassiit_redis_flush(ngx_http_wassiit_redis_t *r)
{
}


ngx_int_t
ngx_http_wassiit_redis_call(ngx_http_wassiit_redis_t *r, ngx_str_t *all,
    ngx_uint_t n, ngx_msec_t timeout, ngx_http_wassiit_redis_pt answered,
    void *caller)
{
    ngx_uint_t  i;

    handlers[ncalls % CALLS] = answered;
    datas[ncalls++ % CALLS] = caller;
    handler = answered;
    data = caller;
    nargs = ngx_min(n - 1, ARGS);

    (void) snprintf(verb, sizeof(verb), "%.*s", (int) all[0].len,
                    (char *) all[0].data);

    for (i = 0; i < nargs; i++) {
        (void) snprintf(args[i], sizeof(args[i]), "%.*s",
                        (int) all[i + 1].len, (char *) all[i + 1].data);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_redis_eval(ngx_http_wassiit_redis_t *r, ngx_str_t *all,
    ngx_uint_t nkeys, ngx_uint_t n, ngx_msec_t timeout,
    ngx_http_wassiit_redis_pt answered, void *caller)
{
    return ngx_http_wassiit_redis_call(r, all + nkeys, n - nkeys, timeout,
                                       answered, caller);
}


ngx_int_t
ngx_http_wassiit_park_init(ngx_http_wassiit_cluster_t *c, ngx_cycle_t *cycle)
{
    c->answered = unit_leader_answered;

    return NGX_OK;
}


static void
unit_leader_answered(ngx_http_wassiit_cluster_t *c, ngx_str_t *id,
    ngx_uint_t hopeless)
{
}


ngx_int_t
ngx_http_wassiit_replica_init(ngx_http_wassiit_cluster_t *c,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_cycle_t *cycle)
{
    return NGX_OK;
}


void
ngx_http_wassiit_replica_lead(ngx_http_wassiit_cluster_t *c)
{
}


void
ngx_http_wassiit_replica_hear(ngx_http_wassiit_cluster_t *c)
{
}


void
ngx_http_wassiit_replica_tick(ngx_http_wassiit_cluster_t *c, uint64_t now)
{
}


int
main(void)
{
    unit_start();

    node = unit_shared(sizeof(unit_node_t));

    test_session();
    test_again();
    test_above();
    test_follows();
    test_dies();
    test_errors();
    test_stamp();
    test_many();
    test_copies();

    return unit_done();
}


/* How long a session lasts, and what another server is told. */

static void
test_session(void)
{
    uint32_t                         number;
    uint64_t                         sent, until, seq;
    unsigned long long               told[7];
    ngx_http_wassiit_claims_lead_t  *lead;

    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_answer("OK 5000 7 1 0 SHARE");
    unit_leader_active();
    lead = unit_node_lead();

    node->now += 2 * SECOND;
    unit_leader_tick();
    unit_leader_is("renew", "in time");
    sent = node->now;
    node->now += SECOND;
    unit_leader_answer("OK 9000 7 0-0");
    until = lead->until;
    unit_ok(until > sent + LEASE / 2
            && until + LEASE / 1000 + SECOND / 5 <= sent + LEASE,
            "a session ends here before it does for the ledger");

    (void) unit_node_takes(0, 5);
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT);
    seq = unit_node_entry(0)->seq;
    number = lead->session;

    node->now += 2 * SECOND;
    unit_leader_tick();
    unit_leader_answer("RESTATE 12000 8");
    unit_ok(lead->session != number, "with another server no answer counts "
            "that is under way");
    unit_is(lead->until, until, "nor does the session last longer by that");
    unit_leader_tick();
    unit_leader_is("restate", "it is told what it lacks");
    unit_ok(strcmp(args[1], "1") == 0
            && sscanf(args[2], "%llu %llu %llu %llu %llu %llu %llu", &told[0],
                      &told[1], &told[2], &told[3], &told[4], &told[5],
                      &told[6]) == 7
            && told[0] == 20 && told[1] == 1000
            && told[3] == unit_node_cap(0) && told[4] == told[3],
            "all of it: %s", args[2]);
    unit_ok(told[5] > seq, "by a call later than any before: %s", args[2]);

    /* another worker leads by the time that it is answered */

    ngx_wassiit_robust_unlock(ngx_http_wassiit_claims_lock(&zone.claims));
    cluster->leads = 0;
    unit_leader_answer("OK 12001 8");
    unit_is(lead->state, NGX_HTTP_WASSIIT_RESTATING,
            "who doesn't lead any more changes nothing");
    unit_is(lead->until, until, "of the session either");
}


/* After a restart, what an earlier life may have used stays out of use. */

static void
test_again(void)
{
    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_is("join", "a node joins");
    unit_leader_answer("OK 5000 7 1 4900 NONE");
    unit_is(unit_node_takes(0, 9), 0, "an earlier life may have used all");
    unit_leader_active();
    unit_is(unit_node_takes(0, 9), 0, "also when the node is active");

    node->now += 2 * SECOND;
    unit_leader_tick();
    unit_leader_is("renew", "a while later");
    unit_leader_answer("LOST 7000 7");
    unit_is(unit_node_takes(0, 9), 0, "its session is over");
    unit_leader_tick();
    unit_leader_is("join", "it joins again");
    unit_leader_answer("OK 7001 7 1 0 KEPT");
    unit_leader_active();
    unit_is(unit_node_takes(0, 9), 0, "what the earlier one has lent isn't "
            "known yet");

    unit_leader_tick();
    unit_leader_is("SSCAN", "so it asks for that");
    unit_leader_answer("0 *");
    unit_is(unit_node_takes(0, 9), 5, "from then on it has its share");

    node->now += 86401 * SECOND;
    ngx_http_wassiit_claims_extend(&zone.claims, node->now + LEASE);
    unit_leader_tick();
    unit_is(unit_node_lead()->former, 0, "a day later no window remembers it");
}


/* A worker that follows lowers what the one before has not. */

static void
test_follows(void)
{
    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_answer("OK 5000 7 1 0 SHARE");
    unit_leader_active();

    (void) unit_node_takes(0, 5);
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT);
    node->now += 2 * SECOND;
    unit_leader_tick();
    unit_leader_answer("LOST 7000 7");
    unit_leader_tick();
    unit_is(unit_node_cap(0), 5, "what is above the share has been lowered");
    unit_leader_answer("OK 7001 7 2 6000 NONE");

    ngx_wassiit_robust_unlock(ngx_http_wassiit_claims_lock(&zone.claims));
    unit_leader_begin();
    unit_is(unit_node_takes(0, 9), 0, "in another place nothing is admitted");
    unit_leader_tick();
    unit_is(unit_node_cap(0), 0, "until all that isn't in use is lowered");
    unit_leader_is("restate", "which is told");
}


/* One more node than there are to be has no standing share, ever. */

static void
test_above(void)
{
    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_answer("OK 5000 7 3 0 NONE");
    unit_leader_active();

    node->now += 2 * SECOND;
    unit_leader_tick();
    unit_leader_answer("LOST 7000 7");
    unit_is(unit_node_takes(0, 9), 0, "a node above the number has nothing "
            "when its session is over");

    unit_leader_tick();
    unit_leader_is("join", "it joins again");
    unit_leader_answer("OK 7001 7 3 0 KEPT");
    unit_is(unit_node_takes(1, 9), 0, "nor when it has joined");
    unit_leader_active();
    unit_is(unit_node_takes(2, 9), 0, "nor when it is active");
}


/* A leader dies while it reads the answer to a join; another one follows. */

static void
test_dies(void)
{
#if (UNIT_STEPS)
    int         status;
    pid_t       pid;
    ngx_uint_t  n, taken;

    unit_steps_init();
    taken = 0;
    status = 1;

    for (n = 0; status && taken == 0; n++) {
        unit_leader_new();
        pid = unit_fork();

        if (pid == 0) {
            unit_leader_begin();
            unit_leader_tick();
            seen = *unit_node_lead();
            changes = n;
            unit_steps_begin(unit_leader_step);
            unit_leader_answer("OK 5000 7 1 4999 NONE");
            unit_steps_end();
            _exit(0);
        }

        (void) waitpid(pid, &status, 0);

        unit_leader_begin();
        unit_leader_tick();
        taken += unit_node_takes(0, 9);

        if (strcmp(verb, "join") == 0) {
            /* its life is the last argument */
            unit_leader_answer(strcmp(args[1], args[6]) == 0
                               ? "OK 5001 7 1 5001 NONE"
                               : "OK 5001 7 1 0 KEPT");
        }

        taken += unit_node_takes(0, 9);
        unit_leader_active();
        taken += unit_node_takes(0, 9);
    }

    unit_ok(n > 10, "a leader dies that joins, after each change: %d", (int) n);
    unit_is(taken, 0, "nothing is used that an earlier life may have used");
#endif
}


/* A server that refuses what it is told isn't asked again at once. */

static void
test_errors(void)
{
    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_answer("OK 5000 7 1 0 SHARE");
    unit_is(cluster->soon, 1, "where all is well it goes on at once");

    unit_leader_tick();
    unit_leader_is("restate", "it tells");
    unit_leader_refuse();
    unit_is(cluster->soon, 0, "what is refused is told later");
    unit_leader_tick();
    unit_leader_is("restate", "it does");
    unit_leader_answer("OK 5001 7");
    unit_is(unit_node_lead()->state, NGX_HTTP_WASSIIT_ACTIVE, "it is active");

    /* one of more nodes than there can be */

    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_answer("CONFIG 5000 7 4294967296 500");
    node->now += 2 * SECOND;
    unit_leader_tick();
    unit_is(unit_node_lead()->state, NGX_HTTP_WASSIIT_ALONE, "it can't join");
    unit_is(unit_node_takes(0, 9), 0, "and has what the others leave it");
}


/* What a worker says of time is right while the leader learns of another. */

static void
test_stamp(void)
{
    ngx_str_t  common[NGX_HTTP_WASSIIT_COMMON];
    u_char     buf[NGX_HTTP_WASSIIT_COMMON_LEN];

    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_answer("OK 5000 7 1 0 SHARE");
    unit_leader_active();

    unit_node_lead()->stamp = 5000;
    unit_node_lead()->sent = node->now - SECOND;
    at_clock = unit_stamp_meanwhile;

    ngx_http_wassiit_cluster_common(cluster, "adjust", common, buf);

    buf[common[1].len] = '\0';
    unit_ok(strstr((char *) buf, " 1000 5000 ") != NULL,
            "a second has passed since that was sent that the ledger answered "
            "with this: %s", (char *) buf);
}


static void
unit_stamp_meanwhile(void)
{
    node->now += 50000;
    unit_node_lead()->sent = node->now - 1000;
    unit_node_lead()->stamp = 6050;
}


/* As many partners as there can be don't hold up requests. */

static void
test_many(void)
{
    ngx_uint_t                     i, n, ticks;
    ngx_http_wassiit_entry_t      *entry;
    ngx_http_wassiit_claims_sh_t  *sh;

    unit_leader_new();
    unit_leader_begin();
    unit_leader_tick();
    unit_leader_answer("OK 5000 7 1 0 SHARE");
    unit_leader_active();

    sh = zone.claims.sh;
    n = 0;

    for (i = 0; i < sh->sets * CLAIMS_WAYS; i++) {
        entry = &sh->set[i / CLAIMS_WAYS].ways[i % CLAIMS_WAYS];
        entry->whose = 1;
        entry->id_len = 1;
        entry->id[0] = 'x';
        *ngx_http_wassiit_claims_mark(sh, i / CLAIMS_WAYS) = 1;
        n++;
    }

    node->now += 2 * SECOND;
    unit_leader_tick();
    unit_leader_answer("LOST 7000 7");

    for (ticks = 0; ticks < 10; ticks++) {
        unit_leader_tick();

        if (ncalls) {
            break;
        }

        unit_is(cluster->tick.timer.key, 1, "the rest is soon dealt with");
    }

    unit_leader_is("join", "all are lowered");
    unit_ok(ticks > 0, "%d of them not in one go", (int) n);
}


/* Partners that wait for a call to be free get one that replicas have. */

static void
test_copies(void)
{
    u_char              reply[] = "*6\r\n$2\r\nOK\r\n:9000\r\n:7\r\n"
                                  ":7\r\n:3\r\n:0\r\n";
    u_char              one[] = ":1\r\n";
    ngx_uint_t          i, n;
    ngx_wassiit_resp_t  resp;

    unit_leader_new();
    unit_leader_begin();
    conf.replicas = 1;
    unit_leader_tick();
    unit_leader_answer("OK 5000 7 1 0 SHARE");
    unit_leader_active();

    /* calls that take so long that they count as lost */

    ncalls = 0;

    for (i = 0; i < 40; i++) {
        node->now += 3 * SECOND;
        ngx_http_wassiit_claims_extend(&zone.claims, node->now + LEASE);
        (void) unit_node_takes(0, 9);
        ngx_http_wassiit_adjust_note(cluster, &partners[0].rec.id,
                                     NGX_HTTP_WASSIIT_CAPS_SHORT);
        unit_copies_turn();
    }

    n = ncalls;
    unit_ok(n > 1 && n < 40, "there are so many calls at a time: %d", (int) n);

    /* all are answered, and the replicas don't have it yet */

    for (i = 0; i < n; i++) {
        ngx_wassiit_resp_first(&resp, reply, sizeof(reply) - 1);
        handlers[i](&resp, datas[i]);
    }

    unit_leader_is("WAIT", "replicas are waited for");
    unit_copies_turn();
    unit_is(ncalls, n + 1, "so no call is free");

    ngx_wassiit_resp_first(&resp, one, sizeof(one) - 1);
    handlers[n](&resp, datas[n]);
    ngx_memzero(verb, sizeof(verb));
    unit_copies_turn();
    unit_leader_is("adjust", "as soon as one is");
}


/* The end of a turn of the event loop. */

static void
unit_copies_turn(void)
{
    ngx_queue_t  *q;
    ngx_event_t  *ev;

    while (!ngx_queue_empty(&ngx_posted_events)) {
        q = ngx_queue_head(&ngx_posted_events);
        ev = ngx_queue_data(q, ngx_event_t, queue);
        ngx_delete_posted_event(ev);
        ev->handler(ev);
    }

    ngx_http_wassiit_zone_unpin(&zone);
}


/* A node that knows nothing, in a worker that begins. */

static void
unit_leader_new(void)
{
    if (cluster && cluster->leads) {
        ngx_wassiit_robust_unlock(ngx_http_wassiit_claims_lock(&zone.claims));
        cluster = NULL;
    }

    unit_node_new(20, NODES);

    unit_node_lead()->place = 0;
    ngx_http_wassiit_claims_extend(&zone.claims, 0);
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_STARTING);
}


static void
unit_leader_begin(void)
{
    ngx_array_t                       array;
    ngx_http_wassiit_main_conf_t      wmcf;
    ngx_http_wassiit_cluster_conf_t  *elts[1];

    ngx_memzero(&conf, sizeof(conf));
    conf.zone = &zone;
    ngx_str_set(&conf.node, "edge-1");
    conf.nodes = NODES;
    conf.share = SHARE;
    conf.lease = LEASE / 1000;
    ngx_str_set(&conf.check, "-");

    ngx_str_set(&redis.run_id, "run");
    redis.up = 1;

    elts[0] = &conf;
    ngx_memzero(&array, sizeof(array));
    array.elts = elts;
    array.nelts = 1;

    ngx_memzero(&wmcf, sizeof(wmcf));
    wmcf.clusters = &array;

    pool_len = 0;
    ngx_queue_init(&ngx_posted_events);

    if (ngx_http_wassiit_leader_init(&unit_cycle, &wmcf) != NGX_OK) {
        exit(2);
    }

    cluster = ngx_http_wassiit_cluster_of(&zone);
    cluster->next = NULL;
}


/* Time for the leader to say something. */

static void
unit_leader_tick(void)
{
    ncalls = 0;
    verb[0] = '\0';
    node->now += 1000;
    cluster->tick.handler(&cluster->tick);
    ngx_http_wassiit_zone_unpin(&zone);
}


static void
unit_leader_is(const char *expected, const char *name)
{
    unit_ok(strcmp(verb, expected) == 0, "%s: it says \"%s\"", name, expected);

    if (strcmp(verb, expected) != 0) {
        unit_note("\"%s\"", verb);
    }
}


/* An array of words; the last one "*": an empty array. */

static void
unit_leader_answer(const char *text)
{
    size_t              len, used;
    u_char              body[512], reply[520], *p;
    ngx_uint_t          n;
    ngx_wassiit_resp_t  resp;

    p = body;

    for (n = 0; *text; n++) {
        len = strcspn(text, " ");

        if (*text == '*') {
            p = ngx_cpymem(p, "*0\r\n", 4);

        } else {
            p += sprintf((char *) p, "$%zu\r\n%.*s\r\n", len, (int) len, text);
        }

        text += len + (text[len] == ' ');
    }

    used = sprintf((char *) reply, "*%zu\r\n", (size_t) n);
    ngx_memcpy(reply + used, body, p - body);

    node->now += 1000;
    ncalls = 0;
    ngx_wassiit_resp_first(&resp, reply, used + (p - body));
    handler(&resp, data);
}


static void
unit_leader_refuse(void)
{
    u_char              reply[] = "-OOM command not allowed\r\n";
    ngx_wassiit_resp_t  resp;

    ncalls = 0;
    ngx_wassiit_resp_first(&resp, reply, sizeof(reply) - 1);
    handler(&resp, data);
}


/* Whatever it says, the ledger agrees, until it is active. */

static void
unit_leader_active(void)
{
    ngx_uint_t  n;

    for (n = 0; n < 10; n++) {

        if (ncalls) {
            unit_leader_answer("OK 8000 7 0-0");
        }

        if (unit_node_lead()->state == NGX_HTTP_WASSIIT_ACTIVE) {
            return;
        }

        unit_leader_tick();
    }

    unit_ok(0, "the node is active: %d", (int) unit_node_lead()->state);
}


#if (UNIT_STEPS)

static void
unit_leader_step(void)
{
    if (ngx_memcmp(&seen, unit_node_lead(), sizeof(seen)) == 0) {
        return;
    }

    if (changes-- == 0) {
        _exit(1);
    }

    seen = *unit_node_lead();
}

#endif
