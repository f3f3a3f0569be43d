
/*
 * What a node knows of caps: the entries that all workers share, when they may
 * go, and what bounds a partner besides its cap in each state of the node.
 */


#include "node.h"


#define MINUTE          (60 * SECOND)


static void test_divide(void);
static void test_idle(void);
static void test_crowded(void);
static void test_late(void);
static void unit_claims_between(void);
static void test_answers(void);
static void test_told(void);
static void test_states(void);
static void unit_claims_alike(void);
static void unit_claims_fill(ngx_uint_t leave);
static void unit_claims_wait(uint64_t time);


/* a call of another worker's, in between */
static ngx_int_t                 between;
static ngx_http_wassiit_claim_t  claim;


int
main(void)
{
    unit_start();

    node = unit_shared(sizeof(unit_node_t));

    test_divide();
    test_idle();
    test_crowded();
    test_late();
    test_answers();
    test_told();
    test_states();

    return unit_done();
}


/* The cluster comes with a reload, and goes with another. */

static void
test_divide(void)
{
    ngx_uint_t                   i;
    ngx_http_wassiit_claims_t    none;

    unit_node_new(20, 0);
    unit_is(unit_node_takes(0, 25), 20, "without a cluster all is one node's");
    unit_is(unit_node_takes(1, 3), 3, "and of another one some is used");

    /* a process that is stopped has the zone */

    if (ngx_wassiit_robust_trylock(&zone.sh->mutex) != NGX_OK) {
        exit(2);
    }

    zone.claims.nodes = NODES;
    zone.claims.share = SHARE;

    if (ngx_http_wassiit_claims_map(&zone.claims, &zone.name, zone.size, NULL,
                                    0, 0, &unit_log)
        != NGX_OK)
    {
        exit(2);
    }

    ngx_http_wassiit_zone_divide(&zone);
    unit_node_lead()->place = 1;
    unit_node_active();
    unit_is(unit_node_takes(2, 9), 5, "what can't be divided yet is held to "
            "the standing share");
    unit_is(unit_node_call(2, NGX_HTTP_WASSIIT_CAPS_SHORT), NGX_DECLINED,
            "and nothing is claimed");
    ngx_wassiit_robust_unlock(&zone.sh->mutex);

    unit_node_load(NODES);
    unit_ok(!zone.pinned, "who divides holds on to nothing, nor do workers "
            "that it starts");
    unit_is(unit_node_cap(1), 5, "with one, a partner has its standing share");
    unit_is(unit_node_cap(0), 20, "or what is in use");
    unit_ok(unit_node_entry(0) && !unit_node_entry(1),
            "and the ledger will be told of that");

    unit_node_lead()->place = 1;
    unit_node_active();
    unit_is(unit_node_restate(NGX_HTTP_WASSIIT_CAPS_KEPT), NGX_OK,
            "it is told");
    unit_is(unit_ledger_r(0), 20, "of all that is in use");

    unit_claims_wait(3 * SECOND);
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SWEEP);
    unit_is(unit_node_cap(0), 5, "which goes back when it isn't any more");
    unit_is(unit_ledger_r(0), 5, "there, too");

    ngx_memzero(&none, sizeof(none));
    ngx_http_wassiit_claims_unmap(&zone.claims);
    zone.claims = none;

    unit_node_load(0);

    for (i = 0; i < PARTNERS && unit_node_cap(i) == 20; i++) { /* void */ }

    unit_is(i, PARTNERS, "without the cluster all have their limits");

    /* more of them than have room */

    unit_node_new(20, 0);
    unit_claims_alike();
    unit_is(unit_node_takes(0, 25) + unit_node_takes(1, 25), 40,
            "two of one set are in use");

    zone.claims.nodes = NODES;
    zone.claims.share = SHARE;

    if (ngx_http_wassiit_claims_map(&zone.claims, &zone.name, zone.size, NULL,
                                    0, 0, &unit_log)
        != NGX_OK)
    {
        exit(2);
    }

    unit_claims_fill(1);
    ngx_http_wassiit_zone_divide(&zone);

    unit_ok((unit_node_entry(0) == NULL) != (unit_node_entry(1) == NULL),
            "one has an entry");
    i = (unit_node_entry(0) == NULL) ? 0 : 1;
    unit_is(unit_node_cap(i), 5, "the other has its standing share, as nobody "
            "would tell more");
}


/* An entry stays until the ledger has known for long that it says nothing. */

static void
test_idle(void)
{
    unit_node_new(20, NODES);
    unit_claims_alike();

    unit_is(unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_NEED), NGX_OK,
            "a partner lends");
    unit_is(unit_node_cap(0), 0, "all");
    unit_is(unit_node_entry(0) != NULL, 1, "which is noted");
    unit_node_entry(0)->seen = 1;

    unit_claims_wait(30 * MINUTE);
    unit_is(unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SWEEP), NGX_OK,
            "half an hour later it fetches it back");
    unit_is(unit_node_cap(0), 5, "all of it");

    unit_claims_fill(0);
    (void) unit_node_takes(1, 5);
    unit_is(unit_node_call(1, NGX_HTTP_WASSIIT_CAPS_SHORT), NGX_DECLINED,
            "its entry doesn't give way to another's yet");

    unit_claims_wait(21 * MINUTE);
    (void) unit_node_takes(1, 5);
    unit_is(unit_node_call(1, NGX_HTTP_WASSIIT_CAPS_SHORT), NGX_OK,
            "but 20 minutes later, when all servers know");
    unit_ok(unit_node_entry(0) == NULL && unit_node_entry(1) != NULL,
            "it is the other's then");
}


static void
test_crowded(void)
{
    uint64_t                           was;
    ngx_http_wassiit_claims_counts_t  *found;

    unit_node_new(20, NODES);
    unit_claims_fill(0);
    found = ngx_http_wassiit_claims_counts(&zone.claims);
    was = found->crowded;

    unit_is(unit_node_call(2, NGX_HTTP_WASSIIT_CAPS_SHORT), NGX_DECLINED,
            "where a set is full, no more is claimed");
    unit_is(found->crowded - was, 1, "which is counted");
    unit_is(unit_node_takes(2, 9), 5, "but the standing share is there");
    (void) unit_node_call(2, NGX_HTTP_WASSIIT_CAPS_NEED);
    unit_is(unit_node_cap(2), 5, "nor is any lent");
}


/* Who is stopped after a look at the clock comes to an entry that is newer. */

static void
test_late(void)
{
    ngx_int_t  rc;

    unit_node_new(20, NODES);
    (void) unit_node_takes(0, 5);
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT);
    (void) unit_node_takes(0, 5);

    between = NGX_DECLINED;
    at_clock = unit_claims_between;
    rc = unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &claim);

    unit_ok((rc == NGX_OK) != (between == NGX_OK),
            "of two workers one asks at a time");
}


static void
unit_claims_between(void)
{
    node->now += 1000;
    between = unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &claim);
    node->now += 1000;
}


/* Only the last call's answer counts, in the session that it was made in. */

static void
test_answers(void)
{
    int64_t                   cap;
    ngx_http_wassiit_claim_t  first;

    unit_node_new(20, NODES);
    (void) unit_node_takes(0, 5);
    (void) unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &first);
    unit_is(unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &claim), NGX_BUSY,
            "no call is made while one is under way");

    unit_claims_wait(3 * SECOND);
    (void) unit_node_takes(0, 5);
    unit_is(unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &claim), NGX_OK,
            "but seconds later it is lost");

    unit_is(unit_node_end(0, &first, 9), NGX_DECLINED,
            "its answer doesn't count");
    unit_is(unit_node_cap(0), 5, "nothing has changed");

    cap = unit_ledger_adjust(0, &claim);
    unit_node_lead()->session++;
    unit_is(unit_node_end(0, &claim, cap), NGX_DECLINED,
            "nor does one of another session");
    unit_is(unit_node_cap(0), 5, "nothing has changed");

    unit_node_lead()->session--;
    unit_is(unit_node_end(0, &claim, cap), NGX_OK, "that of this one does");
    unit_is(unit_node_cap(0), cap, "what was granted is there");
    unit_is(unit_ledger_r(0), cap, "and no more");
}


/* What the ledger counts and the node has come together again. */

static void
test_told(void)
{
    ngx_http_wassiit_claim_t  first;

    unit_node_new(20, NODES);
    (void) unit_node_takes(0, 5);
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT);
    unit_is(unit_node_takes(0, 20), 4, "what was granted is used");
    unit_is(unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SWEEP), NGX_DECLINED,
            "there is nothing to be told");

    (void) unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &first);
    (void) unit_node_limit(0, 16);
    unit_is(unit_node_cap(0), 9, "by another limit it keeps what it was told");
    unit_is(unit_node_end(0, &first, 13), NGX_DECLINED,
            "an answer by the former limit doesn't count");
    unit_is(unit_node_cap(0), 9, "nothing has changed");
    unit_is(unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SWEEP, &claim), NGX_OK,
            "the ledger is told by which limit that is");

    /* all have more than the limit together */

    unit_is(unit_node_end(0, &claim, 6), NGX_OK, "which has it lower its cap");
    unit_is(unit_node_cap(0), 9, "as soon as that isn't in use");
    unit_is(unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SWEEP, &claim), NGX_OK,
            "until then it tells again");
    unit_is(claim.cap, 9, "what there is");

    unit_is(unit_node_end(0, &claim, 9), NGX_OK, "others have given theirs");
    unit_claims_wait(2 * SECOND);
    unit_is(unit_node_takes(0, 20), 9, "so it has all of it again");
}


/* what is admitted in each state */

static void
test_states(void)
{
    ngx_http_wassiit_claims_lead_t  *lead;

    unit_node_new(20, NODES);
    lead = unit_node_lead();
    (void) unit_node_takes(0, 5);
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT);
    unit_ok(unit_node_cap(0) > 5, "a partner has more than its share");

    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_STARTING);
    unit_claims_wait(0);
    unit_is(unit_node_takes(0, 9), 0, "a node that starts admits nothing");

    unit_claims_wait(2 * SECOND);
    ngx_http_wassiit_claims_extend(&zone.claims, node->now - 1);
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_ALONE);
    unit_is(unit_node_takes(0, 20), 5, "one without a session the share");

    /* a former life ended now */

    unit_node_new(20, NODES);
    lead = unit_node_lead();
    lead->former = node->now;
    unit_node_active();

    unit_is(unit_node_takes(0, 9), 0, "after a former life nothing is free");
    unit_claims_wait(2 * SECOND);
    unit_is(unit_node_takes(0, 9), 0, "nor later, if its entries aren't known");
    lead->scanned = 1;
    unit_is(unit_node_takes(1, 9), 5, "then the share is");

    /* one node more than there are to be */

    unit_node_new(20, NODES);
    lead = unit_node_lead();
    lead->place = NODES + 1;
    lead->above = 1;
    lead->former = node->now;
    unit_node_active();

    node->ledger[0].has = 1;
    node->ledger[0].others = 10;
    unit_is(unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT), NGX_OK,
            "a node above the number claims");
    unit_is(unit_node_takes(0, 9), 4, "and has that");

    unit_claims_wait(2 * SECOND);
    lead->scanned = 1;
    unit_is(unit_node_takes(1, 9), 0, "but it has no standing share");

    ngx_http_wassiit_claims_extend(&zone.claims, node->now - 1);
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_ALONE);
    unit_is(unit_node_takes(0, 9), 0, "without a session nothing at all");

    lead->session++;
    (void) unit_node_restate(NGX_HTTP_WASSIIT_CAPS_SHARED);
    unit_is(unit_node_cap(0), 0, "and keeps nothing for the next one");

    /* ... that has asked, and has no answer yet */

    unit_node_new(20, NODES);
    lead = unit_node_lead();
    lead->above = 1;
    unit_node_active();
    unit_is(unit_node_takes(1, 9), 0, "what it hasn't asked for isn't there");
    (void) unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &claim);
    unit_is(unit_node_takes(0, 9), 0, "nor is what it has asked for, yet");

    /* one that has met no Redis, and was told to refuse */

    unit_node_new(20, NODES);
    zone.claims.cold = 0;
    ngx_http_wassiit_claims_extend(&zone.claims, 0);
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_ALONE);
    unit_is(unit_node_takes(0, 9), 0, "with cold=refuse nothing is admitted");
    ngx_http_wassiit_claims_extend(&zone.claims, node->now);
    unit_is(unit_node_takes(0, 9), 5, "but once Redis was met, the share is");
}


/* The first two partners have one set from now on. */

static void
unit_claims_alike(void)
{
    char                            c;
    uint64_t                        whose;
    ngx_http_wassiit_claims_t       some;
    ngx_http_wassiit_claims_sh_t    sh;
    ngx_http_wassiit_claims_set_t  *set;

    some.sh = zone.claims.sh;

    if (some.sh == NULL) {
        ngx_memzero(&sh, sizeof(sh));
        sh.sets = MEMORY / 4 / sizeof(ngx_http_wassiit_claims_set_t) + 1;
        some.sh = &sh;
    }

    set = ngx_http_wassiit_claims_set(some.sh, &partners[0].rec.id, &whose);

    partners[1].rec.deleted = 1;
    (void) unit_node_apply(&partners[1]);
    partners[1].rec.deleted = 0;

    for (c = 'a'; c <= 'z'; c++) {
        partners[1].id[2] = c;
        partners[1].rec.id.len = 3;

        if (ngx_http_wassiit_claims_set(some.sh, &partners[1].rec.id, &whose)
            == set)
        {
            break;
        }
    }

    if (c > 'z' || unit_node_apply(&partners[1]) != NGX_OK) {
        exit(2);
    }
}


/* Has others fill the sets of all partners, but for so many entries. */

static void
unit_claims_fill(ngx_uint_t leave)
{
    uint64_t                        whose;
    ngx_uint_t                      i, n, free;
    ngx_http_wassiit_claims_set_t  *set;

    for (i = 0; i < PARTNERS; i++) {
        set = ngx_http_wassiit_claims_set(zone.claims.sh, &partners[i].rec.id,
                                          &whose);
        free = 0;

        for (n = 0; n < CLAIMS_WAYS; n++) {
            if (set->ways[n].whose == 0 && free++ >= leave) {
                set->ways[n].whose = 1;
                set->ways[n].id_len = 1;
                set->ways[n].id[0] = 'x';
            }
        }
    }
}


/* Time goes by, and the session goes on if there is one. */

static void
unit_claims_wait(uint64_t time)
{
    node->now += time;

    if (unit_node_lead()->state == NGX_HTTP_WASSIIT_ACTIVE) {
        unit_node_active();
    }
}
