
/*
 * A window's cap, an access to its memory at a time.  One that takes stands
 * still before any of them while another lowers the cap, one that lowers it
 * stands still while others take, and each may die there: never are more
 * admitted than the cap in force, and none is lost that it has room for.
 *
 * The window's source is part of this program, with a call before each access.
 * There others do what they do, whereupon the one who has stood still goes on;
 * then all of it begins anew, up to the next access.
 *
 * The cap in force is what the caller goes by: that before a call that lowers
 * it until the call has returned, that after a call that raises it from the
 * call on.
 */


#include "unit.h"
#include "arena.h"

#include "ngx_wassiit_atomic.h"

#include <setjmp.h>


static void unit_caps_point(void);


#undef ngx_wassiit_load_acquire
#define ngx_wassiit_load_acquire(p)                                          \
    (unit_caps_point(), __atomic_load_n(p, __ATOMIC_ACQUIRE))

#undef ngx_wassiit_load_ordered
#define ngx_wassiit_load_ordered(p)                                          \
    (unit_caps_point(), __atomic_load_n(p, __ATOMIC_SEQ_CST))

#undef ngx_wassiit_store_release
#define ngx_wassiit_store_release(p, value)                                  \
    (unit_caps_point(), __atomic_store_n(p, value, __ATOMIC_RELEASE))

#define ngx_wassiit_swap(p, old, value)                                      \
    (unit_caps_point(), (ngx_wassiit_swap)(p, old, value))

#define ngx_wassiit_swap_ordered(p, old, value)                              \
    (unit_caps_point(), (ngx_wassiit_swap_ordered)(p, old, value))

#include "../../src/ngx_wassiit_window.c"


#define SPAN            ((uint64_t) 1000000)
#define START           (((uint64_t) 1 << 48) - SPAN / 2)

#define LINES           (3 * UNIT_ARENA_MOST)


typedef struct {
    const char         *name;
    uint32_t            limit;
    uint32_t            batch;
    uint32_t            caps;       /* the largest, in batches */
} unit_case_t;


/* what others do while one stands still */

typedef enum {
    ACT_NOTHING = 0,                /* it dies */
    ACT_TAKE,
    ACT_FILL,
    ACT_LOWER,
    ACT_LOWER_FILL,
    ACT_TAKE_LOWER,
    ACT_LOWER_RAISE,
    ACT_LOWER_DIES
} unit_act_e;


typedef enum {
    OP_TAKE = 0,
    OP_LOWER,
    OP_SINK,
    OP_RAISE
} unit_op_e;


static void unit_caps_case(const unit_case_t *c, ngx_uint_t taken_over);
static ngx_uint_t unit_caps_stops(unit_op_e op, unit_act_e act);
static ngx_uint_t unit_caps_stop(unit_op_e op, unit_act_e act);
static void unit_caps_setup(const unit_case_t *c, ngx_uint_t taken_over);
static void unit_caps_begin(void);
static void unit_caps_run(unit_op_e op);
static void unit_caps_act(void);
static ngx_int_t unit_caps_take(uint64_t at);
static void unit_caps_fill(void);
static void unit_caps_lower(uint32_t cap);
static void unit_caps_raise(uint32_t cap);
static void unit_caps_check(const char *what);
static void unit_caps_finish(void);


static const unit_case_t  unit_cases[] = {
    { "8r/s", 8, 1, 6 },
    { "30000r/s in batches of three", 30000, 3, 3 }
};


static unit_arena_t  *arena;
static u_char        *saved;

static const unit_case_t  *test;
static uint32_t            window, older, entry;

/* the caps before and wanted, and how many were admitted before */

static uint32_t     first, wanted, used;

/* the model: the cap in force, and what was admitted in it */

static uint32_t     force, admitted;

static ngx_uint_t   inside, steps, stop, stopped, wrong, schedules;
static unit_act_e   during;
static const char  *fault;
static jmp_buf      death;


int
main(void)
{
    uint32_t  i;

    unit_start();

    arena = unit_arena_create(LINES);
    saved = malloc((size_t) LINES * NGX_WASSIIT_LINE);

    if (saved == NULL) {
        return 2;
    }


    for (i = 0; i < sizeof(unit_cases) / sizeof(unit_cases[0]); i++) {
        unit_caps_case(&unit_cases[i], 0);
        unit_caps_case(&unit_cases[i], 1);
    }

    unit_note("%u schedules", (unsigned) schedules);

    return unit_done();
}


/* Each cap, each use of it, and each lower cap. */

static void
unit_caps_case(const unit_case_t *c, ngx_uint_t taken_over)
{
    uint32_t    k, b;
    ngx_uint_t  n, taking, lowering, sinking, dying;

    b = c->batch;
    taking = 0;
    lowering = 0;
    sinking = 0;
    dying = 0;

    unit_caps_setup(c, taken_over);

    for (first = b; first <= c->caps * b; first += b) {
        for (used = 0; used <= first; used++) {
            for (wanted = 0; wanted < first; wanted += b) {

                for (k = ACT_LOWER; k <= ACT_LOWER_DIES; k++) {
                    taking += unit_caps_stops(OP_TAKE, k);
                }

                lowering += unit_caps_stops(OP_LOWER, ACT_TAKE);
                lowering += unit_caps_stops(OP_LOWER, ACT_FILL);

                sinking += unit_caps_stops(OP_SINK, ACT_TAKE);
                sinking += unit_caps_stops(OP_SINK, ACT_FILL);

                dying += unit_caps_stops(OP_LOWER, ACT_NOTHING);
                dying += unit_caps_stops(OP_SINK, ACT_NOTHING);
                dying += unit_caps_stops(OP_RAISE, ACT_NOTHING);
            }
        }
    }

#define is(n, what)                                                          \
    unit_ok((n) == 0, "%s%s: %s", c->name, taken_over ? ", taken over" : "", \
            what)

    is(taking, "take stands still while the cap falls");
    is(lowering, "lower stands still while others take");
    is(sinking, "so does sink, and nothing passes the cap from then on");
    is(dying, "lower, sink and raise die");

#undef is

    n = unit_arena_reset(arena);
    unit_is(n, 0, "no other memory was written");
}


/* One run for each access before which the operation can stand still. */

static ngx_uint_t
unit_caps_stops(unit_op_e op, unit_act_e act)
{
    ngx_uint_t  bad;

    bad = 0;

    for (stop = 1; /* void */ ; stop++) {
        bad += unit_caps_stop(op, act);

        if (!stopped || bad) {
            return bad;
        }

        schedules++;
    }
}


static ngx_uint_t
unit_caps_stop(unit_op_e op, unit_act_e act)
{
    unit_caps_begin();

    during = act;
    unit_caps_run(op);

    if (op == OP_RAISE) {
        unit_caps_fill();
    }

    if (op == OP_SINK && !stopped && admitted >= wanted && !wrong
        && unit_caps_take(START) == NGX_OK)
    {
        wrong = 1;
        fault = "admitted where more than the cap is in use";
    }

    unit_caps_check("the one who stood still");
    unit_caps_finish();

    if (wrong) {
        unit_note("%s stood still at %u while %u, cap %u with %u in use, "
                  "to %u: %s, %u admitted, cap %u",
                  op == OP_TAKE ? "take" : op == OP_LOWER ? "lower"
                  : op == OP_SINK ? "sink" : "raise",
                  (unsigned) stop, (unsigned) act, (unsigned) first,
                  (unsigned) used, (unsigned) wanted, fault,
                  (unsigned) admitted, (unsigned) force);
    }

    return wrong;
}


/* The windows as they are when all is still to come. */

static void
unit_caps_setup(const unit_case_t *c, ngx_uint_t taken_over)
{
    ngx_wassiit_rate_t  rate;

    rate.limit = c->limit;
    rate.seconds = 1;

    test = c;
    older = 0;
    window = unit_arena_window(arena, &rate, 0);

    if (taken_over) {
        older = window;
        window = unit_arena_window(arena, &rate, older);
    }

    if (window == 0) {
        exit(2);
    }

    memcpy(saved, arena->base, (size_t) arena->next * NGX_WASSIIT_LINE);
}


static void
unit_caps_begin(void)
{
    memcpy(arena->base, saved, (size_t) arena->next * NGX_WASSIIT_LINE);

    entry = older ? older : window;
    admitted = 0;
    wrong = 0;
    fault = "";

    ngx_wassiit_window_raise(arena->base, entry, first);
    ngx_wassiit_window_raise(arena->base, window, first);
    force = first;

    while (admitted < used) {
        if (unit_caps_take(START) != NGX_OK) {
            wrong = 1;
            fault = "not admitted";
            return;
        }
    }
}


/* The operation, which stands still on its way. */

static void
unit_caps_run(unit_op_e op)
{
    uint32_t  cap;

    stopped = 0;
    steps = 0;

    if (setjmp(death)) {
        return;
    }

    if (op == OP_RAISE) {
        force = test->limit;
    }

    inside = 1;

    switch (op) {

    case OP_TAKE:
        (void) unit_caps_take(START);
        inside = 0;
        return;

    case OP_LOWER:
    case OP_SINK:
        cap = (op == OP_SINK)
              ? ngx_wassiit_window_sink(arena->base, window, wanted, START)
              : ngx_wassiit_window_lower(arena->base, window, wanted, START);
        inside = 0;

        if (cap > force) {
            wrong = 1;
            fault = "more than was in force";
        }

        force = cap;
        return;

    default:
        ngx_wassiit_window_raise(arena->base, window, test->limit);
        inside = 0;
    }
}


static void
unit_caps_point(void)
{
    if (!inside || ++steps != stop) {
        return;
    }

    stopped = 1;
    inside = 0;

    if (during == ACT_NOTHING) {
        longjmp(death, 1);
    }

    unit_caps_act();
    unit_caps_check("others");
}


static void
unit_caps_act(void)
{
    ngx_wassiit_window_t  *w;

    switch (during) {

    case ACT_TAKE:
        (void) unit_caps_take(START);
        return;

    case ACT_FILL:
        unit_caps_fill();
        return;

    case ACT_LOWER:
        unit_caps_lower(wanted);
        return;

    case ACT_LOWER_FILL:
        unit_caps_lower(wanted);
        unit_caps_fill();
        return;

    case ACT_TAKE_LOWER:
        (void) unit_caps_take(START);
        unit_caps_lower(wanted);
        return;

    case ACT_LOWER_RAISE:
        unit_caps_lower(wanted);
        unit_caps_raise(force + test->batch);
        return;

    default: /* ACT_LOWER_DIES */
        w = ngx_wassiit_line(arena->base, window);
        w->cap = wanted / test->batch;
    }
}


/* As a request does: whoever finds a window closed looks again. */

static ngx_int_t
unit_caps_take(uint64_t at)
{
    ngx_int_t            rc;
    ngx_wassiit_usage_t  usage;

    rc = ngx_wassiit_window_take(arena->base, entry, at, &usage);

    if (rc == NGX_AGAIN && entry == older) {
        rc = ngx_wassiit_window_take(arena->base, window, at, &usage);
    }

    if (rc == NGX_OK) {
        admitted++;

    } else if (rc != NGX_DECLINED || usage.remaining || usage.reset > SPAN) {
        wrong = 1;
        fault = "neither admitted nor refused";
    }

    return rc;
}


static void
unit_caps_fill(void)
{
    uint32_t  i;

    for (i = 0; unit_caps_take(START) == NGX_OK; i++) {
        if (i == test->limit) {
            break;
        }
    }
}


static void
unit_caps_lower(uint32_t cap)
{
    uint32_t  before;

    before = force;
    force = ngx_wassiit_window_lower(arena->base, window, cap, START);

    if (force > before) {
        wrong = 1;
        fault = "more than was in force";
    }
}


static void
unit_caps_raise(uint32_t cap)
{
    force = cap;
    ngx_wassiit_window_raise(arena->base, window, cap);
}


static void
unit_caps_check(const char *what)
{
    if (admitted > force && wrong == 0) {
        wrong = 1;
        fault = what;
    }
}


/*
 * What comes later: the cap falls as far as it can, and rises again, and others
 * take all that there is; W later there is room for all of the cap.
 */

static void
unit_caps_finish(void)
{
    uint32_t  n, cap;

    cap = ngx_wassiit_window_cap(arena->base, window);

    if (cap > force || cap < admitted) {
        wrong += (wrong == 0);
        fault = "the cap in force";
    }

    unit_caps_lower(0);
    unit_caps_check("a lower cap");

    unit_caps_fill();
    unit_caps_check("room below a lower cap");

    unit_caps_raise(force + test->batch);
    unit_caps_fill();
    unit_caps_check("room below a higher cap");

    cap = test->caps * test->batch;
    unit_caps_raise(cap);

    for (n = 0; n <= cap; n++) {
        if (unit_caps_take(START + SPAN) != NGX_OK) {
            break;
        }
    }

    /* a batch that isn't full yet may have begun before */

    if (wrong == 0 && (n > cap || n + test->batch - 1 < cap)) {
        wrong = 1;
        fault = "room when W has passed";
    }
}
