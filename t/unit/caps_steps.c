
/*
 * Two who come to one partner's cap: one of them is stopped at an instruction,
 * or dies there, while the other does all of its work.  Whatever comes of it,
 * the ledger counts no less than there is.
 *
 * A child goes a step at a time, by the processor's trap flag.  It is stopped
 * wherever it has just stored something, and somewhere in between.
 */


#include "node.h"
#include "steps.h"


#if (UNIT_STEPS)


/* About so many stops are tried of each pair: a step takes long. */
#define SOME            12

/* with the sanitizers there are more instructions, and fork() takes longer */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef SOME
#define SOME            4
#endif
#endif


/* what one does and what the other; before it, and what follows */

typedef struct {
    const char                   *name;
    void                        (*setup)(void);
    void                        (*one)(void);
    void                        (*other)(void);
    void                        (*after)(void);
} unit_pair_t;


static void unit_pair_run(const unit_pair_t *pair);
static void unit_pair_stop(const unit_pair_t *pair, ngx_uint_t at,
    ngx_uint_t dies);
static void unit_pair_note_step(void);
static void unit_pair_stop_step(void);
static void unit_setup_claimed(void);
static void unit_setup_raised(void);
static void unit_setup_lowered(void);
static void unit_setup_answer(void);
static void unit_setup_lost(void);
static void unit_setup_gone(void);
static void unit_setup_former(void);
static void unit_do_lend(void);
static void unit_do_lend_and_tell(void);
static void unit_do_apply(void);
static void unit_do_again(void);
static void unit_do_end(void);
static void unit_do_lose(void);
static void unit_do_restate_used(void);
static void unit_do_note(void);
static void unit_do_ask(void);
static void unit_next_change(void);
static void unit_after_lent(void);
static void unit_after_changed(void);
static void unit_after_lost(void);
static void unit_after_restated(void);
static void unit_after_noted(void);
static void unit_after_asked(void);


static const unit_pair_t  unit_pairs[] = {
    { "one lends, a limit is raised", unit_setup_raised,
      unit_do_lend, unit_do_apply, unit_after_lent },
    { "a limit is raised, one lends", unit_setup_raised,
      unit_do_apply, unit_do_lend_and_tell, unit_after_changed },
    { "one lends, a limit is lowered", unit_setup_lowered,
      unit_do_lend, unit_do_apply, unit_after_lent },
    { "a limit is lowered, one lends", unit_setup_lowered,
      unit_do_apply, unit_do_lend_and_tell, unit_after_changed },
    { "one lends, a partner is made anew", unit_setup_claimed,
      unit_do_lend, unit_do_again, unit_after_lent },
    { "a partner is made anew, one lends", unit_setup_claimed,
      unit_do_again, unit_do_lend_and_tell, unit_after_changed },
    { "an answer comes, the session is lost", unit_setup_answer,
      unit_do_end, unit_do_lose, unit_after_lost },
    { "the session is lost, an answer comes", unit_setup_answer,
      unit_do_lose, unit_do_end, unit_after_lost },
    { "an answer comes, a limit is changed", unit_setup_answer,
      unit_do_end, unit_do_apply, unit_after_changed },
    { "a limit is raised, the session is lost", unit_setup_raised,
      unit_do_apply, unit_do_lose, unit_after_lost },
    { "all is lowered, a limit is raised", unit_setup_lost,
      unit_do_restate_used, unit_do_apply, unit_after_restated },
    { "a limit is raised, all is lowered", unit_setup_lost,
      unit_do_apply, unit_do_restate_used, unit_after_restated },
    { "a former life is noted, a partner comes", unit_setup_gone,
      unit_do_note, unit_do_apply, unit_after_noted },
    { "a partner comes, a former life is noted", unit_setup_gone,
      unit_do_apply, unit_do_note, unit_after_noted },
    { "one asks after a former life, a partner is made anew",
      unit_setup_former, unit_do_ask, unit_do_again, unit_after_asked },
    { "a partner is made anew, one asks after a former life",
      unit_setup_former, unit_do_again, unit_do_ask, unit_after_asked }
};


/* the memory as it was before, and as it was at the last step */
static u_char         *saved[2], *last[2];
static size_t          sizes[2];
static u_char         *shared[2];
static unit_node_t     saved_node;
static unit_partner_t  saved_partners[PARTNERS];

/* Where the child stops, by the number of the instruction. */
static ngx_uint_t      target, killed;


int
main(void)
{
    ngx_uint_t  i;

    unit_start();
    unit_steps_init();

    node = unit_shared(sizeof(unit_node_t));

    for (i = 0; i < sizeof(unit_pairs) / sizeof(unit_pairs[0]); i++) {
        unit_pair_run(&unit_pairs[i]);
    }

    return unit_done();
}


static void
unit_pair_run(const unit_pair_t *pair)
{
    pid_t       pid;
    ngx_uint_t  i, n, at, tried;

    unit_node_new(20, NODES);
    pair->setup();

    shared[0] = (u_char *) zone.sh;
    sizes[0] = MEMORY;
    shared[1] = (u_char *) zone.claims.sh;
    sizes[1] = zone.claims.memory->head->size;

    for (i = 0; i < 2; i++) {
        saved[i] = realloc(saved[i], sizes[i]);
        last[i] = realloc(last[i], sizes[i]);

        if (saved[i] == NULL || last[i] == NULL) {
            exit(2);
        }

        ngx_memcpy(saved[i], shared[i], sizes[i]);
        ngx_memcpy(last[i], shared[i], sizes[i]);
    }

    saved_node = *node;
    ngx_memcpy(saved_partners, partners, sizeof(partners));

    /* where it stores something */

    pid = unit_fork();

    if (pid == 0) {
        ngx_http_wassiit_zone_join(&zone, NULL, NULL);
        unit_steps_begin(unit_pair_note_step);
        pair->one();
        unit_steps_end();
        _exit(0);
    }

    (void) waitpid(pid, NULL, 0);

    n = node->nstops;
    ngx_memcpy(saved_node.stops, node->stops, sizeof(node->stops));
    bad = 0;

    tried = 0;

    for (i = 0; i < n; i++) {

        if (unit_random(n) >= SOME * unit_strength()
            && (tried || i + 1 < n))
        {
            continue;
        }

        tried++;
        at = saved_node.stops[i];
        unit_pair_stop(pair, at, 0);
        unit_pair_stop(pair, at, 1);

        if (i + 1 < n && saved_node.stops[i + 1] > at + 2) {
            at += 1 + unit_random(saved_node.stops[i + 1] - at - 1);
            unit_pair_stop(pair, at, 0);
        }
    }

    unit_ok(bad == 0 && tried > 0, "%s: stopped and dead in %d of %d places",
            pair->name, (int) tried, (int) n);
}


/* Runs both, as they were before. */

static void
unit_pair_stop(const unit_pair_t *pair, ngx_uint_t at, ngx_uint_t dies)
{
    int         status;
    pid_t       pid;
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        ngx_memcpy(shared[i], saved[i], sizes[i]);
    }

    *node = saved_node;
    ngx_memcpy(partners, saved_partners, sizeof(partners));
    zone.prepared = NULL;
    zone.pinned = 0;

    target = at;
    killed = dies;

    pid = unit_fork();

    if (pid == 0) {
        ngx_http_wassiit_zone_join(&zone, NULL, NULL);
        unit_steps_begin(unit_pair_stop_step);
        pair->one();
        unit_steps_end();
        _exit(0);
    }

    /* it is stopped by then, or has come to its end */
    (void) waitpid(pid, &status, WUNTRACED);

    pair->other();
    (void) unit_node_holds(pair->name);

    if (!dies) {
        if (WIFSTOPPED(status)) {
            (void) kill(pid, SIGCONT);
            (void) waitpid(pid, &status, 0);
        }

        if (status && bad++ < 5) {
            unit_note("%s: the child ended by %d", pair->name, status);
        }

        (void) unit_node_holds(pair->name);
    }

    pair->after();

    if (!unit_node_holds(pair->name) && bad <= 5) {
        unit_note("%s at %d", dies ? "dead" : "stopped", (int) at);
    }
}


static void
unit_pair_note_step(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        if (memcmp(last[i], shared[i], sizes[i]) != 0) {
            ngx_memcpy(last[i], shared[i], sizes[i]);

            if (node->nstops < STOPS
                && (node->nstops == 0
                    || node->stops[node->nstops - 1] != steps))
            {
                node->stops[node->nstops++] = steps;
            }
        }
    }
}


static void
unit_pair_stop_step(void)
{
    if (steps != target) {
        return;
    }

    if (killed) {
        (void) kill(getpid(), SIGKILL);
    }

    (void) raise(SIGSTOP);
}


/* The first partner has claimed all that was left, and used some. */

static void
unit_setup_claimed(void)
{
    (void) unit_node_takes(0, 3);
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT);
    (void) unit_node_takes(0, 3);

    unit_node_entry(0)->ahead = 20;
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_SHORT);

    if (unit_node_cap(0) != 15 || unit_ledger_r(0) != 15) {
        unit_note("the setup: cap %d", (int) unit_node_cap(0));
        bad++;
    }

    /* an hour ago */
    unit_node_entry(0)->seen = 1;
    node->rc = NGX_DECLINED;
}


static void
unit_setup_raised(void)
{
    unit_setup_claimed();

    partners[0].rec.rate.limit = 24;
    node->ledger[0].limit = 24;
    node->ledger[0].most = 24;
    node->ledger[0].changed = node->now;
}


static void
unit_setup_lowered(void)
{
    unit_setup_claimed();

    partners[0].rec.rate.limit = 12;
    node->ledger[0].changed = node->now;
}


/* The answer to a call is under way: more is granted. */

static void
unit_setup_answer(void)
{
    (void) unit_node_takes(0, 5);
    (void) unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &node->claim);

    if (unit_ledger_adjust(0, &node->claim) <= 5) {
        bad++;
    }

    partners[0].rec.rate.limit = 24;
    node->ledger[0].most = 24;
    node->ledger[0].changed = node->now;
}


/* The place was another's meanwhile: the ledger counts nothing. */

static void
unit_setup_lost(void)
{
    unit_setup_raised();

    node->ledger[0].r = 0;
    node->ledger[0].seq = 0;
    node->ledger[0].most = 40;
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_STARTING);
}


/* A former life had a partner's share lent, and the partner isn't there. */

static void
unit_setup_gone(void)
{
    partners[0].rec.deleted = 1;
    (void) unit_node_apply(&partners[0]);
    partners[0].rec.deleted = 0;

    unit_setup_former();
}


static void
unit_setup_former(void)
{
    unit_node_lead()->former = node->now;
    unit_node_active();

    node->ledger[0].has = 1;
    node->ledger[0].r = 0;
    node->rc = NGX_DECLINED;
}


static void
unit_do_lend(void)
{
    node->rc = unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_NEED, &node->claim);
}


static void
unit_do_lend_and_tell(void)
{
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_NEED);
}


static void
unit_do_apply(void)
{
    (void) unit_node_apply(&partners[0]);
}


static void
unit_do_again(void)
{
    partners[0].rec.deleted = 1;
    (void) unit_node_apply(&partners[0]);

    partners[0].rec.deleted = 0;
    node->ntimes[0] = 0;
    (void) unit_node_apply(&partners[0]);
}


static void
unit_do_end(void)
{
    (void) unit_node_end(0, &node->claim, node->ledger[0].r);
}


static void
unit_do_lose(void)
{
    node->session = 0;

    store(&unit_node_lead()->session, unit_node_lead()->session + 1);
    ngx_http_wassiit_claims_extend(&zone.claims, 1);
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_ALONE);

    node->rc = unit_node_restate(NGX_HTTP_WASSIIT_CAPS_SHARED);
}


static void
unit_do_restate_used(void)
{
    node->rc = unit_node_restate(NGX_HTTP_WASSIIT_CAPS_USED);
}


static void
unit_do_note(void)
{
    node->rc = ngx_http_wassiit_caps_note(&zone, &partners[0].rec.id);
    ngx_http_wassiit_zone_unpin(&zone);
}


static void
unit_do_ask(void)
{
    node->rc = unit_node_begin(0, NGX_HTTP_WASSIIT_CAPS_SHORT, &node->claim);
}


/* The call reaches the ledger; then the next one begins. */

static void
unit_after_lent(void)
{
    if (node->rc == NGX_OK) {
        (void) unit_ledger_adjust(0, &node->claim);
        (void) unit_node_holds("the call came");
    }

    unit_after_changed();
}


/* A writer goes on from where one has died. */

static void
unit_next_change(void)
{
    ngx_http_wassiit_journal_t  journal;

    (void) ngx_http_wassiit_zone_known(&zone, &journal);

    if (unit_node_line(0) == 0) {
        /* the one to come is another */
        node->ntimes[0] = 0;
    }

    partners[0].rec.deleted = 0;
    (void) unit_node_apply(&partners[0]);
}


static void
unit_after_changed(void)
{
    unit_next_change();
    (void) unit_node_holds("the next change");

    node->ledger[0].limit = partners[0].rec.rate.limit;
    node->now++;
    (void) unit_node_call(0, NGX_HTTP_WASSIIT_CAPS_NEED);
}


/* The leader, or the next one, goes on; then the share is all that is left. */

static void
unit_after_lost(void)
{
    if (killed && node->rc == NGX_BUSY) {
        /* it doesn't take another change */
        ngx_http_wassiit_zone_mend(&zone);
        unit_do_lose();

        if (node->rc != NGX_OK) {
            unit_note("what a dead writer began isn't ended");
            bad++;
        }
    }

    if (unit_node_lead()->state != NGX_HTTP_WASSIIT_ALONE
        || node->rc != NGX_OK || killed)
    {
        unit_after_changed();
        unit_do_lose();
    }

    if (node->rc != NGX_OK) {
        bad++;
    }

    node->now += SECOND + 1;
    node->ledger[0].r = ngx_min(node->ledger[0].r, unit_ledger_standing(0));
    (void) unit_node_holds("it is over");

    unit_do_lose();
    unit_node_active();
}


static void
unit_after_restated(void)
{
    (void) unit_node_apply(&partners[0]);

    if (node->rc != NGX_OK || killed) {
        unit_do_restate_used();
    }

    if (node->rc != NGX_OK) {
        bad++;
    }

    unit_node_active();
}


static void
unit_after_noted(void)
{
    (void) unit_node_apply(&partners[0]);

    if (killed || node->rc != NGX_OK) {
        unit_do_note();
    }

    if (node->rc != NGX_OK) {
        bad++;
    }

    unit_node_lead()->scanned = 1;
    node->now += SECOND + 1;
    unit_node_active();
}


static void
unit_after_asked(void)
{
    unit_next_change();

    if (node->rc == NGX_OK) {
        (void) unit_node_end(0, &node->claim,
                             unit_ledger_adjust(0, &node->claim));
    }

    /* its turn comes */
    unit_do_note();

    if (node->rc != NGX_OK) {
        bad++;
    }

    unit_node_lead()->scanned = 1;
    node->now += SECOND + 1;
    unit_node_active();
}


#else

int
main(void)
{
    return unit_skip("there is no trap flag");
}

#endif
