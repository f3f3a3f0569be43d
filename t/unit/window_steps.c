
/*
 * The window, an instruction at a time.  One who takes or settles is stopped
 * between two instructions, and then either dies there, or stands still
 * while others go on, and comes back later.
 *
 * The processor's trap flag raises SIGTRAP after each instruction.  In its
 * handler we look at what a death would leave behind; or we fork: the child
 * does what others do meanwhile, returns from the handler, and so is the one
 * who comes back; then the memory is put back as it was, for the next step.
 *
 * Times are passed in, so each outcome is certain: after all that, the
 * window must have room for N less the admissions made in the W before, that
 * of the one who was stopped included as soon as it is stored.
 */


#include "unit.h"
#include "arena.h"
#include "steps.h"

#include "ngx_wassiit_window.h"

#include <sys/wait.h>


#if (UNIT_STEPS)


#define SPAN            ((uint64_t) 1000000)
#define START           (((uint64_t) 1 << 48) - 150 * SPAN)

#define CELLS           79          /* of a ring in which none is to spare */
#define LAPS            256         /* by which a cell's time has come again */
#define LINES           (2 * UNIT_ARENA_MOST)
#define ADMISSIONS      50000



typedef enum {
    OP_TAKE = 0,
    OP_SETTLE
} unit_op_e;


typedef struct {
    const char         *name;
    uint32_t            limit;
    uint32_t            next;       /* after the change, where there is one */
    ngx_uint_t          history;    /* admissions of long ago */
    ngx_uint_t          thorough;
    ngx_uint_t          pairs;
} unit_case_t;


/* what a process of its own tells of its one try */

typedef struct {
    uint32_t            paused;
    uint32_t            go;
    uint32_t            done;
    int64_t             result;
} unit_owner_t;


static void unit_steps_deaths(const unit_case_t *c);
static void unit_steps_stalls(const unit_case_t *c);
static void unit_steps_pairs(const unit_case_t *c);
static ngx_uint_t unit_steps_death(const unit_case_t *c, unit_op_e op,
    ngx_uint_t changed, ngx_uint_t filled, uint64_t pause);
static void unit_steps_died(void);
static ngx_uint_t unit_steps_look(uint64_t at, ngx_uint_t unsure);
static ngx_uint_t unit_steps_stalled_take(const unit_case_t *c,
    ngx_uint_t filled, ngx_uint_t count, ngx_uint_t changes);
static void unit_steps_during_take(void);
static ngx_uint_t unit_steps_pair(const unit_case_t *c, ngx_uint_t filled,
    uint64_t after, ngx_uint_t stores);
static void unit_steps_during_pair(void);
static void unit_steps_death_of_other(ngx_uint_t stores);
static void unit_steps_dies(void);
static ngx_uint_t unit_steps_stalled_settle(const unit_case_t *c,
    ngx_uint_t count, ngx_uint_t with_owner);
static void unit_steps_during_settle(void);
static void unit_steps_late_fill(void);
static void unit_steps_stalled(void);
static void unit_steps_back(void);
static ngx_uint_t unit_steps_cells(const unit_case_t *c);
static void unit_steps_setup(const unit_case_t *c, ngx_uint_t filled);
static void unit_steps_prepare(void);
static void unit_steps_publish(void);
static ngx_uint_t unit_steps_others(ngx_uint_t n);
static ngx_uint_t unit_steps_other(void);
static void unit_steps_admit(uint64_t at);
static ngx_uint_t unit_steps_in(uint64_t at);
static ngx_uint_t unit_steps_free(uint64_t at);
static ngx_uint_t unit_steps_wrong_room(void);
static ngx_uint_t unit_steps_room(uint32_t w, uint64_t at);
static ngx_uint_t unit_steps_blur(void);
static void unit_steps_copy(void);
static size_t unit_steps_size(void);
static ngx_uint_t unit_steps_admitted(void);
static ngx_uint_t unit_steps_changed(void);
static void unit_steps_owner_start(void);
static pid_t unit_steps_child(void);
static void unit_steps_owner_pause(void);
static int64_t unit_steps_owner_finish(void);
static int64_t unit_steps_run(unit_op_e op, uint32_t w, uint64_t at,
    void (*function)(void));


static const unit_case_t  unit_cases[] = {
    { "1r/s", 1, 1, 0, 1, 1 },
    { "1r/s for long", 1, 1, LAPS * CELLS + 5, 0, 0 },
    { "2r/s, then 5r/s", 2, 5, 0, 0, 1 },
    { "5r/s, then 3r/s", 5, 3, 10, 0, 1 },
    { "79r/s, where each cell counts", CELLS, CELLS, 0, 1, 1 },
    { "80r/s, then 20r/s", CELLS + 1, 20, 0, 0, 0 },
    { "20001r/s in batches, then 5r/s", 20001, 5, 0, 0, 1 },
    { "19998r/s in batches, where each cell counts", 19998, 5, 0, 0, 0 },
    { "5r/s, then 20001r/s in batches", 5, 20001, 10, 0, 0 }
};


static unit_arena_t  *arena;
static unit_owner_t  *owner;

/* the memory before and at the last step; a copy to try things with */

static u_char  *saved, *last, *copy;

/* the windows, and the one that others come to */

static const unit_case_t  *test;
static uint32_t            window, older, newer, entry;

/* the model: the limit in force, the time, and those of all admissions */

static ngx_uint_t  limit;
static uint64_t    now;
static uint64_t    times[ADMISSIONS];
static size_t      ntimes;

/* what others do, and what came of it */

static ngx_uint_t  bad, others, at_once, change, owned, stored, unsure, spoilt;
static ngx_uint_t  late;
static void      (*during)(void);
static pid_t       pid;

/* how much later another takes, and the store after which it dies */

static uint64_t    much_later;
static ngx_uint_t  dies;

/* the one who has stood still, a child of the one who hasn't */

static ngx_uint_t  came_back;


int
main(void)
{
    size_t    size;
    uint32_t  i;

    unit_start();

    size = (size_t) LINES * NGX_WASSIIT_LINE;

    owner = unit_shared(sizeof(unit_owner_t));
    arena = unit_arena_create(LINES);
    saved = malloc(size);
    last = malloc(size);
    copy = malloc(size);

    if (saved == NULL || last == NULL || copy == NULL) {
        return 2;
    }

    unit_steps_init();

    for (i = 0; i < sizeof(unit_cases) / sizeof(unit_cases[0]); i++) {
        unit_steps_deaths(&unit_cases[i]);
        unit_steps_stalls(&unit_cases[i]);

        if (unit_cases[i].pairs) {
            unit_steps_pairs(&unit_cases[i]);
        }
    }

    spoilt += unit_arena_reset(arena);
    unit_is(spoilt, 0, "no other memory was written");

    return unit_done();
}


static void
unit_steps_deaths(const unit_case_t *c)
{
    ngx_uint_t        i, n;
    const ngx_uint_t  filled[] = {
        0, 1, 2, 3, 30, CELLS - 1, CELLS, c->limit - 1, c->limit
    };

    n = 0;

    for (i = 0; i < sizeof(filled) / sizeof(filled[0]); i++) {
        if (filled[i] <= c->limit) {
            n += unit_steps_death(c, OP_TAKE, 0, filled[i], 10);
        }

        /* after a pause that the head's time can't tell */

        if (filled[i] <= c->limit && filled[i] <= 100) {
            n += unit_steps_death(c, OP_TAKE, 0, filled[i],
                                  ((uint64_t) 1 << 42) - SPAN / 2);
        }
    }

    unit_ok(n == 0, "%s: take dies at any instruction", c->name);

    n = 0;

    for (i = 0; i < sizeof(filled) / sizeof(filled[0]); i++) {
        if (filled[i] <= c->limit && filled[i] <= 100) {
            n += unit_steps_death(c, OP_SETTLE, 1, filled[i], 10);
            n += unit_steps_death(c, OP_TAKE, 1, filled[i], 10);
        }
    }

    unit_ok(n == 0, "%s: settle dies at any instruction", c->name);
}


static void
unit_steps_stalls(const unit_case_t *c)
{
    ngx_uint_t        i, k, n, wrong;
    const ngx_uint_t  cells = unit_steps_cells(c);

    /* around one lap, some laps, and as many as no cell can tell */

    const ngx_uint_t  counts[] = {
        0, 1, cells - 1, cells, 2 * cells + 3, 2 * CELLS + 3, LAPS * cells
    };

    n = sizeof(counts) / sizeof(counts[0]);

    if (c->limit > NGX_WASSIIT_WINDOW_CELLS) {
        n = 2;

    } else if (!c->thorough) {
        n--;
    }

    wrong = 0;

    for (i = 0; i < n; i++) {
        wrong += unit_steps_stalled_take(c, 0, counts[i], 0);
        wrong += unit_steps_stalled_take(c, ngx_min(c->limit, 100),
                                         counts[i], 0);
    }

    unit_ok(wrong == 0, "%s: take stands still at any instruction", c->name);

    wrong = 0;

    for (i = 0; i < n; i++) {
        wrong += unit_steps_stalled_take(c, ngx_min(c->limit - 1, 3),
                                         counts[i], 1);
    }

    unit_ok(wrong == 0, "%s: take stands still, the rate changes", c->name);

    for (k = 0; k < 2; k++) {
        wrong = 0;

        for (i = 0; i < n; i++) {
            wrong += unit_steps_stalled_settle(c, counts[i], k);
        }

        unit_ok(wrong == 0, "%s: settle stands still%s", c->name,
                k ? ", and one who has just been admitted" : "");
    }

    if (c->history && c->history < CELLS) {
        late = 1;
        wrong = 0;

        for (i = 0; i < n; i++) {
            wrong += unit_steps_stalled_settle(c, counts[i], 0);
        }

        late = 0;

        unit_ok(wrong == 0, "%s: settle stands still, a fill comes late",
                c->name);
    }
}


/*
 * One that takes stands still at any instruction, another takes later and dies
 * after any of its stores, the first goes on: also where cells, and the head,
 * can't tell their times from those of one that has just come.
 */

static void
unit_steps_pairs(const unit_case_t *c)
{
    ngx_uint_t        i, k, n, wrong;
    const ngx_uint_t  filled[] = { 0, c->limit - 1, c->limit };

    static const uint64_t  after[] = {
        10, SPAN / 2, SPAN, (uint64_t) 1 << 31, (uint64_t) 1 << 42,
        60 * 86400 * SPAN
    };

    wrong = 0;

    for (i = 0; i < sizeof(filled) / sizeof(filled[0]); i++) {

        if (filled[i] > 100) {
            break;
        }

        for (k = 0; k < sizeof(after) / sizeof(after[0]); k++) {
            for (n = 1; n <= 3; n++) {
                wrong += unit_steps_pair(c, filled[i], after[k], n);
            }
        }
    }

    unit_ok(wrong == 0, "%s: take stands still, another dies later", c->name);
}


/*
 * Who dies leaves the memory as it is between two instructions: each state
 * of it is looked at on the way.
 */

static ngx_uint_t
unit_steps_death(const unit_case_t *c, unit_op_e op, ngx_uint_t changed,
    ngx_uint_t filled, uint64_t pause)
{
    int64_t     rc;
    ngx_uint_t  room;

    unit_steps_setup(c, filled);

    if (changed) {
        unit_steps_prepare();
        unit_steps_publish();
    }

    now += pause;
    room = unit_steps_free(now);

    bad = unit_steps_look(now, 0);
    unsure = (op == OP_TAKE && room);

    rc = unit_steps_run(op, window, now, unit_steps_died);

    if (op == OP_SETTLE) {
        bad |= (rc != (int64_t) older);

    } else {
        bad |= (rc != (room ? NGX_OK : NGX_DECLINED));

        if (rc == NGX_OK) {
            unit_steps_admit(now);
        }
    }

    bad |= unit_steps_look(now, 0);

    if (bad) {
        unit_note("%s, with %u in W", op == OP_TAKE ? "take" : "settle",
                  (unsigned) filled);
    }

    return bad;
}


static void
unit_steps_died(void)
{
    if (unit_steps_changed()) {
        bad |= unit_steps_look(now, unsure);
    }
}


/*
 * What the others find now: room for all that the model says, or for one
 * less where the process that died may have been admitted; all of N when W
 * has passed; an older window that is closed as soon as the newer is in use,
 * and what is admitted in it before, counted.
 */

static ngx_uint_t
unit_steps_look(uint64_t at, ngx_uint_t less)
{
    ngx_uint_t           room, found, blur;
    ngx_wassiit_usage_t  usage;

    room = unit_steps_free(at);
    blur = unit_steps_blur();

    unit_steps_copy();
    found = unit_steps_room(window, at);

    if (found > room || found + less + blur < room) {
        unit_note("room for %u, not %u", (unsigned) found, (unsigned) room);
        return 1;
    }

    found = unit_steps_room(window, at + SPAN);

    if (found > limit || found + blur < limit) {
        unit_note("room for %u when W has passed", (unsigned) found);
        return 1;
    }

    if (older == 0) {
        return 0;
    }

    if (ngx_wassiit_window_take(copy, older, at, &usage) != NGX_AGAIN) {
        unit_note("the older window isn't closed");
        return 1;
    }

    unit_steps_copy();

    if (ngx_wassiit_window_take(copy, older, at, &usage) == NGX_OK) {
        room -= (room > 0);
        found = unit_steps_room(window, at);

        if (found > room || found + less + blur < room) {
            unit_note("room for %u, not %u, one admitted in the older window",
                      (unsigned) found, (unsigned) room);
            return 1;
        }
    }

    return 0;
}


/* One that takes stands still; others are admitted, or the rate changes. */

static ngx_uint_t
unit_steps_stalled_take(const unit_case_t *c, ngx_uint_t filled,
    ngx_uint_t count, ngx_uint_t changes)
{
    int64_t     rc;
    uint64_t    at;
    ngx_uint_t  room, full;

    unit_steps_setup(c, filled);

    if (filled == 0) {
        /* one has died that was the first for long: nothing is in use */
        unit_steps_death_of_other(1);
    }

    unit_steps_prepare();

    now += 10;
    room = unit_steps_free(now);
    at = now;

    others = count;
    change = changes;
    during = unit_steps_during_take;

    rc = unit_steps_run(OP_TAKE, window, at, unit_steps_stalled);

    if (!came_back) {
        return bad | (rc != (room ? NGX_OK : NGX_DECLINED));
    }

    if (ntimes) {
        at = ngx_max(at, times[ntimes - 1]);
    }

    full = (unit_steps_in(at) >= c->limit);

    if (stored) {
        bad |= (rc != NGX_OK);

    } else if (rc == NGX_OK) {
        bad |= (full || (change && (others || at_once)));
        unit_steps_admit(at);

    } else if (rc == NGX_DECLINED) {
        bad |= (room && (change || !full));

    } else {
        bad |= (rc != NGX_AGAIN || !change);
    }

    bad |= unit_steps_wrong_room();
    bad |= unit_steps_others(3);

    if (bad) {
        unit_note("take stood still at %u, %u in W, %u others%s, then %d",
                  (unsigned) steps, (unsigned) filled, (unsigned) count,
                  changes ? " after a change" : "", (int) rc);
    }

    unit_steps_back();
    return 0;
}


static void
unit_steps_during_take(void)
{
    stored = unit_steps_admitted();

    if (stored) {
        unit_steps_admit(now);
    }

    if (change) {
        unit_steps_publish();
        entry = window;
    }

    at_once = unit_random(2);

    if (at_once) {
        bad |= unit_steps_other();
    }

    bad |= unit_steps_others(others);
}


static ngx_uint_t
unit_steps_pair(const unit_case_t *c, ngx_uint_t filled, uint64_t after,
    ngx_uint_t stores)
{
    int64_t     rc;
    uint64_t    at, then;
    ngx_uint_t  room, full, found;

    unit_steps_setup(c, filled);

    now += 10;
    at = now;
    room = unit_steps_free(now);

    much_later = after;
    dies = stores;
    during = unit_steps_during_pair;

    rc = unit_steps_run(OP_TAKE, window, at, unit_steps_stalled);

    if (!came_back) {
        return bad | (rc != (room ? NGX_OK : NGX_DECLINED));
    }

    then = ntimes ? ngx_max(at, times[ntimes - 1]) : at;

    if (stored) {
        bad |= (rc != NGX_OK);

    } else if (rc == NGX_OK) {
        /* at that time, or at the one which the other has told */

        full = (unit_steps_in(then) >= limit);
        bad |= (full && unit_steps_in(now) >= limit);

        unit_steps_admit(then);
        then = ngx_max(now, then + SPAN);

        unit_steps_copy();
        found = unit_steps_room(window, then);

        if (found + 1 == unit_steps_free(then)) {
            times[ntimes - 1] = now;

        } else {
            bad |= full;
        }

    } else {
        bad |= (rc != NGX_DECLINED || (room && unit_steps_in(then) < limit));
    }

    bad |= unit_steps_wrong_room();
    bad |= unit_steps_others(3);

    if (bad) {
        unit_note("take stood still at %u, %u in W, another died %llu us later "
                  "after %u stores, then %d",
                  (unsigned) steps, (unsigned) filled,
                  (unsigned long long) after, (unsigned) stores, (int) rc);
    }

    unit_steps_back();
    return 0;
}


static void
unit_steps_during_pair(void)
{
    stored = unit_steps_admitted();

    if (stored) {
        unit_steps_admit(now);
    }

    now += much_later;
    unit_steps_death_of_other(dies);
}


/* One takes now, and dies after so many stores, or comes to its end. */

static void
unit_steps_death_of_other(ngx_uint_t stores)
{
    pid_t                  child;
    uint64_t               head;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_line(arena->base, window);
    head = w->head;

    child = unit_steps_child();

    if (child == 0) {
        dies = stores;
        (void) unit_steps_run(OP_TAKE, window, now, unit_steps_dies);
        _exit(0);
    }

    (void) waitpid(child, NULL, 0);

    if (w->head != head) {
        unit_steps_admit(now);
    }
}


static void
unit_steps_dies(void)
{
    if (unit_steps_changed() && --dies == 0) {
        _exit(0);
    }
}


/*
 * One that settles stands still; others are admitted, in the older window as
 * long as it lets them; then one who has filled a cell and not yet moved the
 * head stands still too, until the first has done its work.
 */

static ngx_uint_t
unit_steps_stalled_settle(const unit_case_t *c, ngx_uint_t count,
    ngx_uint_t with_owner)
{
    int64_t  rc;

    unit_steps_setup(c, ngx_min(c->limit, 3));
    unit_steps_prepare();
    unit_steps_publish();

    now += 10;

    others = count;
    owned = with_owner;
    during = unit_steps_during_settle;

    rc = unit_steps_run(OP_SETTLE, window, 0, unit_steps_stalled);

    bad |= (rc != (int64_t) older);

    if (!came_back) {
        return bad;
    }

    bad |= unit_steps_wrong_room();

    if (pid) {
        bad |= (unit_steps_owner_finish() == NGX_OK) != stored;
        bad |= unit_steps_wrong_room();
    }

    bad |= unit_steps_others(3);
    bad |= unit_steps_wrong_room();

    if (bad) {
        unit_note("settle stood still at %u, %u others%s", (unsigned) steps,
                  (unsigned) count,
                  with_owner ? ", and one who filled a cell" : "");
    }

    unit_steps_back();
    return 0;
}


/* Another thought, long ago, that a batch came after a pause, and says so. */

static void
unit_steps_late_fill(void)
{
    uint32_t               i;
    uint64_t              *word;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_line(arena->base, older);

    i = ((w->head & 0x3fff) + w->ring.cells - 4) % w->ring.cells;
    word = ngx_wassiit_ring_word(arena->base, &w->ring, i);

    *word = ngx_wassiit_ring_set(&w->ring, i, *word,
                                 ngx_wassiit_ring_cell(&w->ring, i, *word)
                                 & ~(uint64_t) 1);
}


static void
unit_steps_during_settle(void)
{
    if (late) {
        unit_steps_late_fill();
    }

    bad |= unit_steps_others(others);

    if (owned && entry == older) {
        unit_steps_owner_start();
    }
}


/*
 * After each store, and after some other steps of all: more of them where
 * the others go once round the ring, which is the most instructive.  In the
 * child there are no further steps.
 */

static void
unit_steps_stalled(void)
{
    int         status;
    pid_t       child;
    ngx_uint_t  places;

    places = (test->thorough && others == unit_steps_cells(test)) ? 400 : 12;

    if (bad
        || (!unit_steps_changed() && unit_random(total / places + 1) != 0))
    {
        return;
    }

    child = unit_fork();

    if (child == 0) {
        came_back = 1;
        stepping = 0;
        during();

        return;
    }

    (void) waitpid(child, &status, 0);
    bad |= (!WIFEXITED(status) || WEXITSTATUS(status) != 0);

    memcpy(arena->base, last, unit_steps_size());
}


/* The end of the one who stood still. */

static void
unit_steps_back(void)
{
    if (unit_arena_written(arena)) {
        unit_note("other memory was written");
        bad = 1;
    }

    fflush(stdout);
    _exit(bad != 0);
}


/* of the ring that the case begins with */

static ngx_uint_t
unit_steps_cells(const unit_case_t *c)
{
    uint32_t            cells;
    ngx_uint_t          wide;
    ngx_wassiit_rate_t  rate;

    rate.limit = c->limit;
    rate.seconds = 1;

    cells = ngx_wassiit_window_cells(&rate, &wide);

    return ngx_wassiit_ring_lines(cells, wide) * NGX_WASSIIT_RING_LINE(wide);
}


/* A window that has been used for a while, and so many admissions in it. */

static void
unit_steps_setup(const unit_case_t *c, ngx_uint_t filled)
{
    ngx_uint_t           i;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_usage_t  usage;

    spoilt += unit_arena_reset(arena);

    rate.limit = c->limit;
    rate.seconds = 1;

    test = c;
    older = 0;
    window = unit_arena_window(arena, &rate, 0);
    entry = window;

    limit = c->limit;
    ntimes = 0;
    now = START;

    bad = unit_steps_others(c->history);

    now += SPAN;

    for (i = 0; i < filled; i++) {
        now += 10;
        (void) ngx_wassiit_window_take(arena->base, window, now, &usage);
        unit_steps_admit(now);
    }

    others = 0;
    change = 0;
    owned = 0;
    stored = 0;
    pid = 0;
}


/* Makes the next window; no one knows of it yet. */

static void
unit_steps_prepare(void)
{
    ngx_wassiit_rate_t  rate;

    rate.limit = test->next;
    rate.seconds = 1;

    newer = unit_arena_window(arena, &rate, window);
}


static void
unit_steps_publish(void)
{
    older = window;
    window = newer;
    limit = test->next;
}


/*
 * So many requests, as many a second as are allowed, and after each of them
 * one more at once.  Returns 1 if one is admitted where there is no room, or
 * the other way round.
 */

static ngx_uint_t
unit_steps_others(ngx_uint_t n)
{
    ngx_uint_t  wrong;

    wrong = 0;

    while (n--) {
        now += SPAN / ngx_min(limit, test->limit) + 1;

        wrong |= unit_steps_other();
        wrong |= unit_steps_other();
    }

    return wrong;
}


static ngx_uint_t
unit_steps_other(void)
{
    ngx_int_t            rc;
    ngx_uint_t           in;
    ngx_wassiit_usage_t  usage;

    rc = ngx_wassiit_window_take(arena->base, entry, now, &usage);

    if (rc == NGX_AGAIN && entry == older) {
        entry = window;
        rc = ngx_wassiit_window_take(arena->base, entry, now, &usage);
    }

    in = unit_steps_in(now);

    if (rc == NGX_OK) {
        unit_steps_admit(now);
    }

    if (rc != (in < usage.limit ? NGX_OK : NGX_DECLINED)) {
        unit_note("%d, with %u of %u in W", (int) rc, (unsigned) in,
                  (unsigned) usage.limit);
        return 1;
    }

    return 0;
}


static void
unit_steps_admit(uint64_t at)
{
    if (ntimes == ADMISSIONS) {
        exit(2);
    }

    times[ntimes++] = at;
}


/* How many the model has in (at - W, at]. */

static ngx_uint_t
unit_steps_in(uint64_t at)
{
    size_t  i;

    for (i = ntimes; i > 0 && times[i - 1] + SPAN > at; i--) {
        /* void */
    }

    return ntimes - i;
}


static ngx_uint_t
unit_steps_free(uint64_t at)
{
    ngx_uint_t  in;

    in = unit_steps_in(at);

    return (in < limit) ? limit - in : 0;
}


static ngx_uint_t
unit_steps_wrong_room(void)
{
    ngx_uint_t           room, found;
    ngx_wassiit_usage_t  usage;

    room = unit_steps_free(now);

    unit_steps_copy();
    found = unit_steps_room(window, now);

    if (found > room || found + unit_steps_blur() < room) {
        unit_note("room for %u, not %u", (unsigned) found, (unsigned) room);
        return 1;
    }

    if (older
        && ngx_wassiit_window_take(copy, older, now, &usage) != NGX_AGAIN)
    {
        unit_note("the older window isn't closed");
        return 1;
    }

    return 0;
}


/* How many are admitted, in the copy. */

static ngx_uint_t
unit_steps_room(uint32_t w, uint64_t at)
{
    ngx_uint_t           n;
    ngx_wassiit_usage_t  usage;

    for (n = 0; n <= NGX_WASSIIT_RATE_MAX; n++) {
        if (ngx_wassiit_window_take(copy, w, at, &usage) != NGX_OK) {
            break;
        }
    }

    return n;
}


/* What batches may hide: an open one, and one that holds older ones too. */

static ngx_uint_t
unit_steps_blur(void)
{
    return 2 * ((limit - 1) / NGX_WASSIIT_WINDOW_CELLS);
}


static void
unit_steps_copy(void)
{
    memcpy(copy, arena->base, unit_steps_size());
}


/* of the lines that were ever in use */

static size_t
unit_steps_size(void)
{
    return (size_t) arena->next * NGX_WASSIIT_LINE;
}


/* Has one been admitted since the start, in the window that others come to? */

static ngx_uint_t
unit_steps_admitted(void)
{
    ngx_wassiit_window_t  *before, *w;

    before = ngx_wassiit_line(saved, entry);
    w = ngx_wassiit_line(arena->base, entry);

    return w->head != before->head;
}


/* Has anything been stored since it was asked last? */

static ngx_uint_t
unit_steps_changed(void)
{
    if (memcmp(last, arena->base, unit_steps_size()) == 0) {
        return 0;
    }

    memcpy(last, arena->base, unit_steps_size());

    return 1;
}


/*
 * Another process, that tries and stands still as soon as it is admitted; or it
 * isn't, and comes to its end.
 */

static void
unit_steps_owner_start(void)
{
    now += SPAN / test->limit + 1;

    ngx_memzero(owner, sizeof(unit_owner_t));

    pid = unit_steps_child();

    if (pid == 0) {
        owner->result = unit_steps_run(OP_TAKE, older, now,
                                       unit_steps_owner_pause);

        __atomic_store_n(&owner->done, 1, __ATOMIC_SEQ_CST);
        _exit(0);
    }

    while (!__atomic_load_n(&owner->paused, __ATOMIC_SEQ_CST)
           && !__atomic_load_n(&owner->done, __ATOMIC_SEQ_CST))
    {
        usleep(20);
    }

    stored = owner->paused;

    if (stored) {
        unit_steps_admit(now);
    }
}


/* A child of a handler of steps, that can go through steps of its own. */

static pid_t
unit_steps_child(void)
{
    pid_t     child;
    sigset_t  set;

    child = unit_fork();

    if (child == 0) {
        sigemptyset(&set);
        sigaddset(&set, SIGTRAP);
        sigprocmask(SIG_UNBLOCK, &set, NULL);

        inside = 0;
    }

    return child;
}


static void
unit_steps_owner_pause(void)
{
    if (owner->paused || !unit_steps_admitted()) {
        return;
    }

    __atomic_store_n(&owner->paused, 1, __ATOMIC_SEQ_CST);

    while (!__atomic_load_n(&owner->go, __ATOMIC_SEQ_CST)) {
        usleep(20);
    }
}


static int64_t
unit_steps_owner_finish(void)
{
    __atomic_store_n(&owner->go, 1, __ATOMIC_SEQ_CST);
    (void) waitpid(pid, NULL, 0);

    return owner->done ? owner->result : NGX_ABORT;
}


/* Runs the operation in single steps; the function is called after each. */

static int64_t
unit_steps_run(unit_op_e op, uint32_t w, uint64_t at,
    void (*function)(void))
{
    int64_t              rc;
    ngx_wassiit_usage_t  usage;

    memcpy(saved, arena->base, unit_steps_size());
    memcpy(last, arena->base, unit_steps_size());

    unit_steps_begin(function);

    if (op == OP_TAKE) {
        rc = ngx_wassiit_window_take(arena->base, w, at, &usage);

    } else {
        rc = ngx_wassiit_window_settle(arena->base, w);
    }

    unit_steps_end();

    return rc;
}


#else


int
main(void)
{
    return unit_skip("single steps are known for x86-64 only");
}


#endif
