
/*
 * How a node's caps rise and fall: what the ledger counts is never less than
 * what the node has, whatever is lost, comes late or twice, and wherever a
 * process stops or dies.
 */


#include "node.h"


#define CALLS           12
#define ROUNDS          40000


/* a call of a worker's: sent, answered, or lost */

typedef struct {
    ngx_uint_t                    used;
    ngx_uint_t                    i;
    ngx_uint_t                    answered;
    int64_t                       cap;
    ngx_http_wassiit_claim_t      claim;
} unit_call_t;


static unit_call_t  calls[CALLS];
static ngx_uint_t   counts[16];


static void test_random(void);
static void unit_random_step(void);
static void unit_random_call(unit_call_t *call);
static void unit_random_session(void);
static void unit_random_change(ngx_uint_t i);


int
main(void)
{
    unit_start();

    node = unit_shared(sizeof(unit_node_t));

    test_random();

    return unit_done();
}


static void
test_random(void)
{
    ngx_uint_t  n;

    unit_node_new(20, NODES);
    ngx_memzero(calls, sizeof(calls));
    bad = 0;

    for (n = 0; n < ROUNDS * unit_strength() && bad == 0; n++) {
        unit_random_step();
    }

    unit_ok(bad == 0, "the ledger never counts less than there is, %d steps",
            (int) n);

    unit_note("%d calls, %d answers that counted, %d that did not, %d lost, "
              "%d sessions, %d changes, %d admitted", (int) counts[0],
              (int) counts[1], (int) counts[2], (int) counts[3],
              (int) counts[4], (int) counts[5], (int) counts[6]);
    unit_ok(counts[0] > n / 50 && counts[1] > n / 100 && counts[2] > n / 1000
            && counts[4] > n / 1000 && counts[6] > n / 20,
            "all of it was tried often");
}


static void
unit_random_step(void)
{
    ngx_uint_t      i, n;
    unit_call_t    *call;
    unit_ledger_t  *l;

    i = unit_random(PARTNERS);
    l = &node->ledger[i];
    call = &calls[unit_random(CALLS)];

    switch (unit_random(16)) {

    case 0:
    case 1:
    case 2:
        counts[6] += unit_node_takes(i, 1 + unit_random(4));
        (void) unit_node_holds("a request");
        return;

    case 3:
        node->now += 1 + unit_random(SECOND / 4);
        (void) unit_node_holds("a while");
        return;

    case 4:
        /* the others */
        n = unit_random(8);
        l->others = (unit_random(2)) ? l->others - ngx_min(n, l->others)
                                     : l->others
                                       + ngx_min(n, unit_ledger_pool(i));
        (void) unit_node_holds("the others");
        return;

    case 5:
        if (unit_random(8) == 0) {
            unit_random_session();
        }

        return;

    case 6:
        if (unit_random(8) == 0) {
            unit_random_change(i);
        }

        return;

    case 7:
        /* no partner asks, for longer than a sweep waits for */
        if (unit_random(16) == 0) {
            node->now += unit_random(4 * SECOND);

            if (node->now < unit_node_lead()->until) {
                unit_node_active();
            }
        }

        return;

    default:
        if (call->used) {
            unit_random_call(call);
            return;
        }

        call->i = i;

        if (unit_node_begin(i, unit_random(NGX_HTTP_WASSIIT_CAPS_SWEEP + 1),
                            &call->claim)
            == NGX_OK)
        {
            counts[0]++;
            call->used = 1;
            call->answered = 0;
        }

        (void) unit_node_holds("a call begins");
    }
}


/* The ledger gets it, the answer comes, or either is lost, or comes again. */

static void
unit_random_call(unit_call_t *call)
{
    if (unit_random(12) == 0) {
        counts[3]++;
        call->used = 0;

        if (unit_random(2)) {
            ngx_http_wassiit_caps_drop(&zone, &partners[call->i].rec.id,
                                       &call->claim);
            ngx_http_wassiit_zone_unpin(&zone);
        }

        (void) unit_node_holds("a loss");
        return;
    }

    if (!call->answered) {
        call->answered = 1;
        call->cap = unit_ledger_adjust(call->i, &call->claim);
        (void) unit_node_holds("the ledger answers");
        return;
    }

    if (call->cap == -3) {
        ngx_http_wassiit_caps_drop(&zone, &partners[call->i].rec.id,
                                   &call->claim);
        ngx_http_wassiit_zone_unpin(&zone);

    } else if (unit_node_end(call->i, &call->claim, call->cap) == NGX_OK) {
        counts[1]++;

    } else {
        counts[2]++;
    }

    call->used = (unit_random(4) == 0);
    (void) unit_node_holds("an answer");
}


/* It ends, or the ledger is another one that knows nothing. */

static void
unit_random_session(void)
{
    ngx_uint_t                       i, n;
    ngx_http_wassiit_claims_lead_t  *lead;

    counts[4]++;
    lead = unit_node_lead();

    if (unit_random(2)) {

        /* RESTATE, after a failover that has lost some */

        node->hold = 1;
        lead->session++;
        node->session = lead->session;
        ngx_http_wassiit_claims_enter(&zone.claims,
                                      NGX_HTTP_WASSIIT_RESTATING);

        for (i = 0; i < PARTNERS; i++) {
            n = unit_random(unit_ledger_r(i) + 1);

            if (node->ledger[i].has) {
                node->ledger[i].r -= n;
            }

            node->ledger[i].seq = 0;
        }

        (void) unit_node_takes(unit_random(PARTNERS), 3);

        if (unit_node_restate(NGX_HTTP_WASSIIT_CAPS_KEPT) != NGX_OK) {
            unit_node_holds("a restatement that can't be made");
            bad++;
        }

        node->hold = 0;
        unit_node_active();
        (void) unit_node_holds("the ledger is another");
        return;
    }

    /* by the node's clock it ends first */

    node->now = ngx_max(node->now, lead->until);
    (void) unit_node_holds("the session is over here");

    for (n = 0; n < 6; n++) {
        node->now += unit_random(SECOND / 2);
        (void) unit_node_takes(unit_random(PARTNERS), 8);
        (void) unit_node_holds("a request without a session");
    }

    node->session = 0;
    node->now += SECOND;

    /* E + W: what is above the standing share is others' */

    for (i = 0; i < PARTNERS; i++) {
        if (node->ledger[i].has) {
            node->ledger[i].r = ngx_min(node->ledger[i].r,
                                        unit_ledger_standing(i));
        }

        node->ledger[i].others += unit_random(unit_ledger_pool(i) + 1);
    }

    (void) unit_node_holds("the session is over there");

    /* LOST */

    lead->session++;
    ngx_http_wassiit_claims_extend(&zone.claims, 1);
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_ALONE);

    if (unit_node_restate(NGX_HTTP_WASSIIT_CAPS_SHARED) != NGX_OK) {
        unit_note("nothing is in the way of a restatement");
        bad++;
    }

    lead->session++;
    node->session = lead->session;

    if (unit_node_restate(NGX_HTTP_WASSIIT_CAPS_SHARED) != NGX_OK) {
        bad++;
    }

    unit_node_active();
    (void) unit_node_holds("another session");
}


/* another limit, another scope, or another partner of the same id */

static void
unit_random_change(ngx_uint_t i)
{
    counts[5]++;

    switch (unit_random(4)) {

    case 0:
    case 1:
        (void) unit_node_limit(i, 8 + unit_random(5) * 8);
        (void) unit_node_holds("another limit");
        return;

    case 2:
        partners[i].rec.scopes ^= 1;
        (void) unit_node_apply(&partners[i]);
        (void) unit_node_holds("another scope");
        return;

    default:
        partners[i].rec.deleted = 1;
        (void) unit_node_apply(&partners[i]);
        (void) unit_node_holds("a partner goes");

        if (unit_random(2)) {
            node->now += unit_random(SECOND);
        }

        partners[i].rec.deleted = 0;
        node->ntimes[i] = 0;
        (void) unit_node_apply(&partners[i]);
        (void) unit_node_holds("a partner comes again");
    }
}
