
/*
 * The window of one process, held against the naive model: the list of the
 * times of all admissions ever.  A request at t is admitted if fewer than N
 * of them lie in the W before, that is in (t - W, t].
 */


#include "unit.h"
#include "arena.h"

#include "ngx_wassiit_window.h"


#define EXACT_REQUESTS  2000000
#define CHANGE_REQUESTS 1500000
#define USAGE_REQUESTS  600000

#define WRAP            ((uint64_t) 1 << 48)
#define PAUSE           ((uint64_t) 1 << 30)

#define ARENA_LINES     (9 * UNIT_ARENA_MOST)
#define TOLD            10          /* the first of what is wrong */


typedef struct {
    uint64_t            number;     /* of the case */
    uint64_t            seed;       /* at its start */
    uint32_t            window;
    ngx_wassiit_rate_t  rate;
    uint64_t            span;
    uint64_t            now;        /* not yet reduced to 48 bits */
    uint64_t            pace;
    uint64_t            requests;
    ngx_uint_t          lags;

    /* the model */

    uint64_t           *times;      /* of all admissions, ascending */
    size_t              admitted;
    size_t              room;

    /*
     * A window knows its own admissions, and the last ones that the older
     * window knew, as many as both have room for.
     */
    size_t              known;
    size_t              keeps;

    /*
     * What batches may blur at a change: so many admissions from before it
     * may seem to be younger, but not younger than the change.
     */
    uint64_t            blur;
    uint64_t            changed;

    uint64_t            allowed;
    uint64_t            refused;
    uint64_t            unknown;    /* forgotten, as said above */
    uint64_t            clock;      /* what was passed last */

    ngx_uint_t          looks;      /* is usage asked for in between? */
    uint64_t            looked;
    uint64_t            full;       /* looks before one that was refused */
    const char         *blurred;    /* a fault that only batches can have */
    uint32_t            batches;    /* the limit that had it */
    const char         *wrong;
} unit_case_t;


static void unit_window_cells(void);
static uint32_t unit_window_taken(uint32_t cells, ngx_uint_t wide);
static void unit_window_ring(void);
static void unit_window_plain(void);
static void unit_window_exact(void);
static void unit_window_large(void);
static void unit_window_settle(void);
static void unit_window_lowered(void);
static void unit_window_raised_again(void);
static void unit_window_changes(ngx_uint_t large, const char *name);
static void unit_window_usage_plain(void);
static void unit_window_usage_closed(void);
static void unit_window_usage_exact(void);
static void unit_window_usage_large(void);
static void unit_window_usage_changes(ngx_uint_t large, const char *name);
static void unit_window_begin(unit_case_t *c, uint32_t limit,
    uint32_t seconds);
static ngx_uint_t unit_window_end(unit_case_t *c);
static void unit_window_run(unit_case_t *c, uint64_t requests);
static void unit_window_request(unit_case_t *c);
static uint64_t unit_window_step(unit_case_t *c);
static void unit_window_try(unit_case_t *c, uint64_t now);
static void unit_window_look(unit_case_t *c, uint64_t now,
    ngx_wassiit_usage_t *usage);
static const char *unit_window_look_check(unit_case_t *c, uint64_t now,
    const ngx_wassiit_usage_t *usage);
static void unit_window_look_later(unit_case_t *c, uint64_t now,
    const ngx_wassiit_usage_t *usage);
static void unit_window_look_around(unit_case_t *c);
static const char *unit_window_looked(unit_case_t *c, ngx_int_t rc,
    const ngx_wassiit_usage_t *seen, const ngx_wassiit_usage_t *usage);
static const char *unit_window_check(unit_case_t *c, uint64_t now,
    uint64_t at, ngx_int_t rc, const ngx_wassiit_usage_t *usage);
static size_t unit_window_first(const unit_case_t *c, uint64_t at,
    uint64_t span);
static void unit_window_change(unit_case_t *c, const ngx_wassiit_rate_t *rate);
static size_t unit_window_keeps(const unit_case_t *c,
    const ngx_wassiit_rate_t *rate);
static size_t unit_window_least(uint32_t limit);
static size_t unit_window_known(const unit_case_t *c, uint32_t from);
static void unit_window_changed(unit_case_t *c, uint32_t from,
    const ngx_wassiit_rate_t *rate, size_t keeps);
static void unit_window_random_rate(ngx_wassiit_rate_t *rate,
    ngx_uint_t large);
static uint64_t unit_window_left(unit_case_t *c);
static uint64_t unit_window_batch(uint32_t limit);
static void unit_window_closed(unit_case_t *c, uint32_t window);


static const uint32_t  unit_window_seconds[] = { 1, 60, 3600, 86400 };

static unit_arena_t  *arena;

static uint64_t    cases;
static ngx_uint_t  told;


int
main(void)
{
    unit_start();

    arena = unit_arena_create(ARENA_LINES);

    unit_window_cells();
    unit_window_ring();
    unit_window_plain();
    unit_window_exact();
    unit_window_large();
    unit_window_settle();
    unit_window_lowered();
    unit_window_raised_again();
    unit_window_changes(0, "rates change, up to 10000");
    unit_window_changes(1, "rates change, also above 10000");

    unit_window_usage_plain();
    unit_window_usage_closed();
    unit_window_usage_exact();
    unit_window_usage_large();
    unit_window_usage_changes(0, "usage: rates change, up to 10000");
    unit_window_usage_changes(1, "usage: rates change, also above 10000");

    return unit_done();
}


/*
 * The contract: 8 bytes for each of min(N, 10000), and a constant.  Up to a
 * minute, it is 4 bytes.
 */

static void
unit_window_cells(void)
{
    size_t              size, least;
    uint32_t            n;
    ngx_uint_t          wrong, wide, k;
    ngx_wassiit_rate_t  rate;

    wrong = 0;
    k = 0;

    for (rate.limit = 1; rate.limit <= NGX_WASSIIT_RATE_MAX;
         rate.limit += (rate.limit < 30000) ? 1 : 7)
    {
        rate.seconds = unit_window_seconds[k++ % 4];

        n = ngx_wassiit_window_cells(&rate, &wide);
        size = (1 + unit_window_taken(n, wide)) * NGX_WASSIIT_LINE;

        least = (rate.seconds <= 60
                 && rate.limit <= NGX_WASSIIT_WINDOW_CELLS) ? 4 : 8;
        least *= (size_t) ngx_min(rate.limit, NGX_WASSIIT_WINDOW_CELLS);

        if (n < 2 || n > NGX_WASSIIT_WINDOW_CELLS + 1
            || (n - 1) * unit_window_batch(rate.limit)
               < unit_window_least(rate.limit)
            || size > least + 8 * NGX_WASSIIT_LINE
            || (rate.limit <= NGX_WASSIIT_WINDOW_CELLS && size <= least))
        {
            wrong++;
        }
    }

    unit_is(wrong, 0, "cells: 4 or 8 bytes each and a constant");

    rate.seconds = 60;

    rate.limit = 1;
    n = ngx_wassiit_window_cells(&rate, &wide);
    unit_ok(n == 2 && unit_window_taken(n, wide) == 1,
            "cells: 2 for a limit of 1, in one line");

    rate.limit = NGX_WASSIIT_WINDOW_CELLS;
    unit_is(ngx_wassiit_window_cells(&rate, &wide),
            NGX_WASSIIT_WINDOW_CELLS + 1,
            "cells: the most for a limit of 10000");

    unit_is(sizeof(ngx_wassiit_window_t), 40,
            "a window leaves 24 bytes of its line");
}


/* The lines that a ring takes of many that are free. */

static uint32_t
unit_window_taken(uint32_t cells, ngx_uint_t wide)
{
    uint32_t            left;
    ngx_wassiit_ring_t  ring;

    static uint64_t  state[1024];

    ngx_wassiit_lines_t  *lines = (ngx_wassiit_lines_t *) state;

    if (ngx_wassiit_lines_size(2048) > sizeof(state)) {
        exit(2);
    }

    ngx_memzero(state, sizeof(state));
    ngx_wassiit_lines_init(lines, 64, 2048);

    left = ngx_wassiit_lines_left(lines);

    if (ngx_wassiit_ring_alloc(lines, 0, NULL, cells, wide, &ring)
        != NGX_OK)
    {
        return 2048;
    }

    return left - ngx_wassiit_lines_left(lines);
}


static void
unit_window_ring(void)
{
    uint32_t               cells, from, window, first, place, n, i;
    ngx_uint_t             k, wrong, whole, wide;
    ngx_wassiit_ring_t     ring;
    ngx_wassiit_rate_t     rate, got;
    ngx_wassiit_window_t  *w;

    wrong = 0;
    whole = 0;

    for (k = 0; k < 300; k++) {
        unit_window_random_rate(&rate, k & 1);
        cells = ngx_wassiit_window_cells(&rate, &wide);
        from = 0;

        if (k % 3 == 0) {
            from = unit_arena_window(arena, &rate, 0);
        }

        first = arena->next;
        window = unit_arena_lines(arena, cells, wide, &ring);

        ngx_wassiit_window_init(arena->base, window, &rate, &ring, from);

        w = ngx_wassiit_line(arena->base, window);

        wrong += (w->from != from);
        wrong += (w->ring.cells < cells
                  || w->ring.cells >= cells + NGX_WASSIIT_RING_LINE(wide));
        wrong += (memcmp(&w->ring, &ring, sizeof(ngx_wassiit_ring_t)) != 0);

        whole += (ring.piece == NGX_WASSIIT_RING_WHOLE);

        ngx_wassiit_window_rate(arena->base, window, &got);
        wrong += (got.limit != rate.limit || got.seconds != rate.seconds);

        /* beside the line of the window, these are what the arena gave it */

        for (i = 0;
             ngx_wassiit_ring_extent(arena->base, &w->ring, i, &place, &n)
             == NGX_OK;
             i++)
        {
            while (n--) {
                wrong += (arena->line[place] != UNIT_LINE_ANY
                          && arena->line[place] != UNIT_LINE_TABLE);
                arena->line[place++] = UNIT_LINE_FREE;
            }
        }

        wrong += (arena->line[window] != UNIT_LINE_WINDOW);
        arena->line[window] = UNIT_LINE_FREE;

        for (i = first; i < arena->next; i++) {
            wrong += (arena->line[i] != UNIT_LINE_FREE);
        }

        (void) unit_arena_reset(arena);
    }

    unit_is(wrong, 0, "ring and rate tell what init was given");
    unit_ok(whole > 50 && whole < 250, "rings of one piece, and of many");
}


static void
unit_window_plain(void)
{
    uint32_t             window;
    ngx_int_t            rc;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_usage_t  usage;

    rate.limit = 2;
    rate.seconds = 60;

    window = unit_arena_window(arena, &rate, 0);

#define is(result, n, left, microseconds)                                    \
    (rc == (result) && usage.limit == (n) && usage.seconds == 60             \
     && usage.remaining == (left) && usage.reset == (microseconds))

    rc = ngx_wassiit_window_take(arena->base, window, 5000000, &usage);
    unit_ok(is(NGX_OK, 2, 1, 60000000), "2r/m at 5 s: the first of two");

    rc = ngx_wassiit_window_take(arena->base, window, 15000000, &usage);
    unit_ok(is(NGX_OK, 2, 0, 50000000), "2r/m at 15 s: the second");

    rc = ngx_wassiit_window_take(arena->base, window, 15000000, &usage);
    unit_ok(is(NGX_DECLINED, 2, 0, 50000000), "2r/m at 15 s: the third");

    rc = ngx_wassiit_window_take(arena->base, window, 64999999, &usage);
    unit_ok(is(NGX_DECLINED, 2, 0, 1), "2r/m, 1 us before one is free");

    rc = ngx_wassiit_window_take(arena->base, window, 65000000, &usage);
    unit_ok(is(NGX_OK, 2, 0, 10000000), "2r/m, one is free");

    rc = ngx_wassiit_window_take(arena->base, window, 65000000, &usage);
    unit_ok(is(NGX_DECLINED, 2, 0, 10000000), "2r/m, it was taken");

    rc = ngx_wassiit_window_take(arena->base, window, 200000000, &usage);
    unit_ok(is(NGX_OK, 2, 1, 60000000), "2r/m, after more than a minute");

#undef is

    unit_is(unit_arena_reset(arena), 0, "no other memory was written");
}


static void
unit_window_exact(void)
{
    uint64_t     limit, total, allowed, refused, least;
    ngx_uint_t   k, wrong;
    unit_case_t  c;

    /* around what lines and pieces of all sizes hold, and the largest */

    static const uint32_t  limits[] = {
        8, 1, 2, 3, 72, 7, 9, 15, 80, 16, 17, 31, 32, 33, 63, 64, 65, 71, 73,
        74, 75, 76, 127, 128, 129, 136, 153, 154, 155, 234, 256, 2000, 9992,
        9999, 10000
    };

    total = 0;
    allowed = 0;
    refused = 0;
    wrong = 0;

    for (k = 0; total < EXACT_REQUESTS; k++) {

        if (k < 4 * sizeof(limits) / sizeof(limits[0])) {
            limit = limits[k / 4];

        } else {
            /* all orders of magnitude alike */
            limit = 1 + unit_random((uint64_t) 1 << (1 + unit_random(12)));
        }

        unit_window_begin(&c, limit, unit_window_seconds[k % 4]);

        /* each cell more than once, with some small limits 256 times over */

        least = (k % 16 == 0 && limit <= 80) ? 40000 : 500;
        unit_window_run(&c, least + unit_random(5 * limit + 1));

        total += c.requests;
        allowed += c.allowed;
        refused += c.refused;
        wrong += unit_window_end(&c);
    }

    unit_note("%llu requests of %u windows: %llu admitted, %llu refused",
              (unsigned long long) total, (unsigned) k,
              (unsigned long long) allowed, (unsigned long long) refused);

    unit_is(wrong, 0, "exact: decision, remaining and reset as the model's");
    unit_ok(allowed > total / 5 && refused > total / 5,
            "exact: many were admitted, many refused");
}


static void
unit_window_large(void)
{
    uint64_t     requests, refused;
    ngx_uint_t   i, k, wrong;
    unit_case_t  c;

    static const uint32_t  limits[] = {
        10001, 10002, 15001, 19999, 20000, 20001, 99999, 100000, 123457,
        989999, 999999, 1000000
    };

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        wrong = 0;
        refused = 0;

        for (k = 0; k < 4; k++) {
            if (limits[i] > 200000 && k != i % 4) {
                continue;
            }

            unit_window_begin(&c, limits[i], unit_window_seconds[k]);
            c.pace = (uint64_t) 1 << unit_random(3);

            requests = 2 * (uint64_t) limits[i] + limits[i] / 2;
            unit_window_run(&c, requests);

            while (c.refused == 0 && c.wrong == NULL) {
                unit_window_try(&c, c.now);
            }

            refused += c.refused;
            wrong += unit_window_end(&c);
        }

        unit_ok(wrong == 0 && refused > 0,
                "large: %u, never too many, hardly one too early",
                (unsigned) limits[i]);
    }
}


static void
unit_window_settle(void)
{
    uint32_t             w[5];
    ngx_int_t            rc;
    ngx_uint_t           i, good;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_usage_t  usage;

    rate.limit = 10;
    rate.seconds = 60;

    w[0] = unit_arena_window(arena, &rate, 0);

    unit_is(ngx_wassiit_window_settle(arena->base, w[0]), 0,
            "settle: there is no older window");

    for (i = 0; i < 5; i++) {
        (void) ngx_wassiit_window_take(arena->base, w[0], 1000000 * i,
                                       &usage);
    }

    w[1] = unit_arena_window(arena, &rate, w[0]);

    rc = ngx_wassiit_window_take(arena->base, w[0], 5000000, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 4,
            "settle: the older one admits until it is closed");

    unit_is(ngx_wassiit_window_settle(arena->base, w[1]), w[0],
            "settle: tells the older window");
    unit_is(ngx_wassiit_window_settle(arena->base, w[1]), w[0],
            "settle: once more, the same");

    rc = ngx_wassiit_window_take(arena->base, w[0], 5000000, &usage);
    unit_is(rc, NGX_AGAIN, "settle: the older one is closed");
    rc = ngx_wassiit_window_take(arena->base, w[0], 500000000, &usage);
    unit_is(rc, NGX_AGAIN, "settle: and stays so");

    rc = ngx_wassiit_window_take(arena->base, w[1], 6000000, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 3
            && usage.reset == 60000000 - 6000000,
            "settle: nothing is forgotten");

    unit_is(ngx_wassiit_window_settle(arena->base, w[1]), w[0],
            "settle: after admissions, the same");
    rc = ngx_wassiit_window_take(arena->base, w[1], 6000000, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 2,
            "settle: and it changes nothing");

    ngx_wassiit_window_release(arena->base, w[1]);
    unit_is(ngx_wassiit_window_settle(arena->base, w[1]), 0,
            "release: the older window is forgotten");
    rc = ngx_wassiit_window_take(arena->base, w[1], 6000000, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 1,
            "release: but not its admissions");

    /* what becomes of the older one's memory is no longer our business */

    unit_arena_spoil(arena, w[0]);

    rc = ngx_wassiit_window_take(arena->base, w[1], 6000000, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 0,
            "release: its memory may be used for something else");

    /* a chain of which nothing is settled: take does it */

    w[2] = unit_arena_window(arena, &rate, w[1]);
    w[3] = unit_arena_window(arena, &rate, w[2]);
    rate.limit = 11;
    w[4] = unit_arena_window(arena, &rate, w[3]);

    rc = ngx_wassiit_window_take(arena->base, w[4], 7000000, &usage);
    unit_ok(rc == NGX_OK && usage.limit == 11 && usage.remaining == 0,
            "chain: take settles all of it");
    rc = ngx_wassiit_window_take(arena->base, w[4], 7000000, &usage);
    unit_ok(rc == NGX_DECLINED && usage.reset == 60000000 - 7000000,
            "chain: nothing is forgotten");

    good = 0;

    for (i = 1; i < 4; i++) {
        rc = ngx_wassiit_window_take(arena->base, w[i], 7000000, &usage);
        good += (rc == NGX_AGAIN);
        good += (ngx_wassiit_window_settle(arena->base, w[i + 1]) == w[i]);
    }

    unit_is(good, 6, "chain: the older ones are closed");
    unit_is(unit_arena_reset(arena), 0,
            "settle: no other memory was written");
}


/* Some are used, then the limit changes: how many are left at once? */

static void
unit_window_lowered(void)
{
    uint64_t            used, left, most, blur;
    ngx_uint_t          k, wrong;
    unit_case_t         c;
    ngx_wassiit_rate_t  rate;

    wrong = 0;

    for (k = 0; k < 300; k++) {
        unit_window_random_rate(&rate, 1);
        rate.limit = 1 + rate.limit % 40000;

        unit_window_begin(&c, 1 + unit_random(40000), rate.seconds);
        used = unit_random(c.rate.limit + 1);

        while (c.allowed < used && c.refused == 0) {
            c.now += unit_random(20);
            unit_window_try(&c, c.now);
        }

        used = c.allowed;
        blur = unit_window_batch(c.rate.limit) + unit_window_batch(rate.limit)
               - 2;

        c.window = (k & 1)
                   ? unit_arena_window(arena, &rate, c.window)
                   : unit_arena_window_from(arena, &rate, c.window,
                                            c.now % WRAP);

        left = unit_window_left(&c);
        most = (used < rate.limit) ? rate.limit - used : 0;

        if (left > most
            || left + blur + rate.limit - unit_window_least(rate.limit) < most)
        {
            if (wrong++ == 0) {
                unit_note("%ur, %llu used, then %ur: %llu left",
                          (unsigned) c.rate.limit, (unsigned long long) used,
                          (unsigned) rate.limit, (unsigned long long) left);
            }
        }

        wrong += unit_window_end(&c);
    }

    unit_is(wrong, 0, "a limit lowered or raised: what was used counts");
}


/* Down and up again, which must not set the partner's use to nothing. */

static void
unit_window_raised_again(void)
{
    uint32_t             limit, seconds;
    uint64_t             left, more;
    ngx_uint_t           k, wrong, paused;
    unit_case_t          c;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_usage_t  usage;

    wrong = 0;

    for (k = 0; k < 300; k++) {
        limit = 1 + unit_random(NGX_WASSIIT_WINDOW_CELLS);
        seconds = unit_window_seconds[unit_random(4)];
        unit_window_begin(&c, limit, seconds);

        left = unit_random(limit);
        more = 0;

        while (c.allowed + left < limit) {
            c.now += unit_random(20);
            unit_window_try(&c, c.now);
        }

        /* no matter how long the partner hasn't come, if it is down but once */

        paused = (seconds > 60 && unit_random(2));

        if (paused) {
            c.now += PAUSE;
        }

        do {
            rate.limit = 1 + unit_random(limit);
            rate.seconds = unit_window_seconds[unit_random(4)];
            rate.seconds = ngx_min(rate.seconds, seconds);

            c.window = unit_arena_window_from(arena, &rate, c.window,
                                              c.now % WRAP);

            /* it may know one more, no matter how short its own span is */

            if (more == 0 && unit_random(2)) {
                c.now += unit_random(20);
                more = (ngx_wassiit_window_take(arena->base, c.window,
                                                c.now % WRAP, &usage)
                        == NGX_OK);
            }

        } while (!paused && unit_random(3)
                 && arena->next < ARENA_LINES / 2);

        rate.limit = limit;
        rate.seconds = seconds;
        c.window = unit_arena_window_from(arena, &rate, c.window,
                                          c.now % WRAP);

        if (unit_window_left(&c) + more != left) {
            if (wrong++ == 0) {
                unit_note("%u/%us, %llu left, down and up again",
                          (unsigned) limit, (unsigned) seconds,
                          (unsigned long long) left);
            }
        }

        wrong += unit_window_end(&c);
    }

    unit_is(wrong, 0, "a limit lowered and raised again: nothing is forgotten");
}


static void
unit_window_changes(ngx_uint_t large, const char *name)
{
    uint32_t            most;
    uint64_t            requests, total, allowed, refused, unknown, changes;
    ngx_uint_t          k, wrong;
    unit_case_t         c;
    ngx_wassiit_rate_t  rate;

    most = large ? NGX_WASSIIT_RATE_MAX : NGX_WASSIIT_WINDOW_CELLS;
    total = 0;
    allowed = 0;
    refused = 0;
    unknown = 0;
    changes = 0;
    wrong = 0;

    for (k = 0; total < CHANGE_REQUESTS; k++) {
        unit_window_random_rate(&rate, large);
        unit_window_begin(&c, rate.limit, rate.seconds);

        for ( ;; ) {
            requests = ngx_min(c.rate.limit, 20000);
            unit_window_run(&c, unit_random((large ? 2 : 6) * requests + 20));

            if (c.wrong || c.requests > 100000 || unit_random(8) == 0
                || arena->next > ARENA_LINES - 4 * UNIT_ARENA_MOST)
            {
                break;
            }

            rate = c.rate;

            switch (unit_random(6)) {

            case 0:
                /* the same once more */
                break;

            case 1:
                rate.seconds = unit_window_seconds[unit_random(4)];
                break;

            case 2:
                rate.limit = 1 + unit_random(rate.limit);
                break;

            case 3:
                rate.limit += 1 + unit_random(50);
                rate.limit = ngx_min(rate.limit, most);
                break;

            default:
                unit_window_random_rate(&rate, large);
            }

            unit_window_change(&c, &rate);
            changes++;
        }

        total += c.requests;
        allowed += c.allowed;
        refused += c.refused;
        unknown += c.unknown;
        wrong += unit_window_end(&c);
    }

    unit_note("%llu requests of %u partners, %llu changes: %llu admitted, "
              "%llu refused, %llu with more in W than windows keep",
              (unsigned long long) total, (unsigned) k,
              (unsigned long long) changes, (unsigned long long) allowed,
              (unsigned long long) refused, (unsigned long long) unknown);

    unit_is(wrong, 0, name);
    unit_ok(allowed > total / 20 && refused > total / 20 && changes > 20,
            "%s: many were admitted, many refused", name);
}


static void
unit_window_usage_plain(void)
{
    u_char              *before, *after;
    size_t               size;
    uint32_t             window;
    uint64_t             now;
    ngx_int_t            rc;
    ngx_uint_t           i, wrong;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_usage_t  usage;

    static const struct {
        uint32_t  limit;
        uint32_t  seconds;
    } rates[] = {
        { 1, 1 }, { 1, 86400 }, { 2, 60 }, { 100, 60 }, { 10000, 3600 },
        { 10001, 60 }, { 15001, 60 }, { 123457, 3600 }, { 999999, 1 },
        { 1000000, 86400 }
    };

    before = malloc(UNIT_ARENA_OWN * NGX_WASSIIT_LINE);
    after = malloc(UNIT_ARENA_OWN * NGX_WASSIIT_LINE);

    if (before == NULL || after == NULL) {
        exit(2);
    }

#define is(left, microseconds)                                               \
    (rc == NGX_OK && usage.limit == rate.limit                               \
     && usage.seconds == rate.seconds && usage.remaining == (left)           \
     && usage.reset == (microseconds))

    wrong = 0;

    for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        rate.limit = rates[i].limit;
        rate.seconds = rates[i].seconds;
        window = unit_arena_window(arena, &rate, 0);
        size = unit_arena_copy(arena, window, before);

        memset(&usage, 0xff, sizeof(usage));
        rc = ngx_wassiit_window_usage(arena->base, window, 0, &usage);
        wrong += !is(rate.limit, 0);

        for (now = 1; now < WRAP; now *= 3) {
            memset(&usage, 0xff, sizeof(usage));
            rc = ngx_wassiit_window_usage(arena->base, window, now, &usage);
            wrong += !is(rate.limit, 0);
        }

        (void) unit_arena_copy(arena, window, after);
        wrong += (memcmp(before, after, size) != 0);

        /* one is used, until it is W old */

        (void) ngx_wassiit_window_take(arena->base, window, 1000000, &usage);

        memset(&usage, 0xff, sizeof(usage));
        rc = ngx_wassiit_window_usage(arena->base, window, 1000000, &usage);
        wrong += !is(rate.limit - 1, (uint64_t) rate.seconds * 1000000);

        now = 1000000 + (uint64_t) rate.seconds * 1000000;

        rc = ngx_wassiit_window_usage(arena->base, window, now - 1, &usage);
        wrong += !is(rate.limit - 1, 1);

        rc = ngx_wassiit_window_usage(arena->base, window, now, &usage);
        wrong += !is(rate.limit, 0);

        (void) unit_arena_reset(arena);
    }

    unit_is(wrong, 0, "usage: of nothing, and of one");

    rate.limit = 2;
    rate.seconds = 60;

    window = unit_arena_window(arena, &rate, 0);

    (void) ngx_wassiit_window_take(arena->base, window, 5000000, &usage);

    rc = ngx_wassiit_window_usage(arena->base, window, 5000000, &usage);
    unit_ok(is(1, 60000000), "usage: 2r/m at 5 s, one used");

    (void) ngx_wassiit_window_take(arena->base, window, 15000000, &usage);

    rc = ngx_wassiit_window_usage(arena->base, window, 15000000, &usage);
    unit_ok(is(0, 50000000), "usage: 2r/m at 15 s, both used");

    rc = ngx_wassiit_window_usage(arena->base, window, 64999999, &usage);
    unit_ok(is(0, 1), "usage: 2r/m, 1 us before one is free");

    rc = ngx_wassiit_window_usage(arena->base, window, 65000000, &usage);
    unit_ok(is(1, 10000000), "usage: 2r/m, one is free");

    rc = ngx_wassiit_window_usage(arena->base, window, 74999999, &usage);
    unit_ok(is(1, 1), "usage: 2r/m, 1 us before both are");

    rc = ngx_wassiit_window_usage(arena->base, window, 75000000, &usage);
    unit_ok(is(2, 0), "usage: 2r/m, both are free");

    rc = ngx_wassiit_window_usage(arena->base, window, 14999999, &usage);
    unit_ok(is(0, 50000001), "usage: 2r/m, 1 us before the last");

    rc = ngx_wassiit_window_usage(arena->base, window, 4999999, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 0 && usage.reset >= 60000000
            && usage.reset <= 60000001,
            "usage: 2r/m, 1 us before the first");

    rc = ngx_wassiit_window_take(arena->base, window, 64999999, &usage);
    unit_ok(rc == NGX_DECLINED && usage.reset == 1,
            "usage: 2r/m, after all that nothing is free too early");

    rc = ngx_wassiit_window_take(arena->base, window, 65000000, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 0,
            "usage: 2r/m, nor too late");

#undef is

    free(before);
    free(after);

    unit_is(unit_arena_reset(arena), 0, "usage: no other memory was written");
}


static void
unit_window_usage_closed(void)
{
    uint32_t             w[3];
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_usage_t  usage;

    rate.limit = 10;
    rate.seconds = 60;

    w[0] = unit_arena_window(arena, &rate, 0);

    for (i = 0; i < 5; i++) {
        (void) ngx_wassiit_window_take(arena->base, w[0], 1000000 * i,
                                       &usage);
    }

    rate.limit = 7;
    w[1] = unit_arena_window(arena, &rate, w[0]);
    rate.limit = 3;
    w[2] = unit_arena_window(arena, &rate, w[1]);

    rc = ngx_wassiit_window_usage(arena->base, w[0], 5000000, &usage);
    unit_ok(rc == NGX_OK && usage.limit == 10 && usage.remaining == 5
            && usage.reset == 55000000,
            "usage: the older one tells until it is closed");

    rc = ngx_wassiit_window_usage(arena->base, w[1], 5000000, &usage);
    unit_ok(rc == NGX_OK && usage.limit == 7 && usage.remaining == 2
            && usage.reset == 55000000,
            "usage: another limit, what was used counts");

    rc = ngx_wassiit_window_usage(arena->base, w[0], 5000000, &usage);
    unit_is(rc, NGX_AGAIN, "usage: the older one is closed");

    rc = ngx_wassiit_window_usage(arena->base, w[2], 5000000, &usage);
    unit_ok(rc == NGX_OK && usage.limit == 3 && usage.remaining == 0
            && usage.reset == 57000000,
            "usage: a limit below what is used");

    rc = ngx_wassiit_window_take(arena->base, w[2], 5000000, &usage);
    unit_ok(rc == NGX_DECLINED && usage.reset == 57000000,
            "usage: and so says who is refused");

    rc = ngx_wassiit_window_usage(arena->base, w[1], 5000000, &usage);
    unit_is(rc, NGX_AGAIN, "usage: this one is closed too");

    ngx_wassiit_window_release(arena->base, w[2]);
    rc = ngx_wassiit_window_usage(arena->base, w[2], 62000000, &usage);
    unit_ok(rc == NGX_OK && usage.remaining == 1 && usage.reset == 1000000,
            "usage: after a release the same admissions");

    /* a window that was freed is filled with zeros */

    ngx_memzero(ngx_wassiit_line(arena->base, w[1]),
                sizeof(ngx_wassiit_window_t));
    rc = ngx_wassiit_window_usage(arena->base, w[1], 5000000, &usage);
    unit_is(rc, NGX_AGAIN, "usage: of a window that was freed");

    unit_is(unit_arena_reset(arena), 0, "usage: no other memory was written");
}


static void
unit_window_usage_exact(void)
{
    uint64_t     limit, total, looked, full, least;
    ngx_uint_t   k, wrong;
    unit_case_t  c;

    static const uint32_t  limits[] = {
        1, 2, 8, 9, 72, 75, 100, 128, 136, 155, 9999, 10000
    };

    total = 0;
    looked = 0;
    full = 0;
    wrong = 0;

    for (k = 0; total < USAGE_REQUESTS; k++) {

        if (k < 4 * sizeof(limits) / sizeof(limits[0])) {
            limit = limits[k / 4];

        } else {
            limit = 1 + unit_random((uint64_t) 1 << (1 + unit_random(12)));
        }

        unit_window_begin(&c, limit, unit_window_seconds[k % 4]);
        c.looks = 1;

        least = (k % 16 == 0 && limit <= 80) ? 40000 : 500;
        unit_window_run(&c, least + unit_random(3 * limit + 1));

        total += c.requests;
        looked += c.looked;
        full += c.full;
        wrong += unit_window_end(&c);
    }

    unit_note("%llu looks at %u windows, %llu before a refusal",
              (unsigned long long) looked, (unsigned) k,
              (unsigned long long) full);

    unit_is(wrong, 0, "usage: as the model's, and nothing changed by it");
    unit_ok(full > looked / 20 && full < looked / 20 * 19,
            "usage: many were full, many not");
}


static void
unit_window_usage_large(void)
{
    uint64_t     full;
    ngx_uint_t   i, k, wrong, blurred;
    unit_case_t  c;

    static const uint32_t  limits[] = {
        10001, 15001, 20000, 20001, 123457, 999999, 1000000
    };

    blurred = 0;

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        unit_window_begin(&c, limits[i], unit_window_seconds[i % 4]);
        c.pace = (uint64_t) 1 << unit_random(3);

        /* almost two laps, then what usage tells */

        unit_window_run(&c, limits[i] + limits[i] / 2);

        c.looks = 1;
        unit_window_run(&c, 20000);

        for (k = 0; k < 2 * limits[i] && c.wrong == NULL; k++) {
            c.looks = (k > limits[i] - limits[i] / 16);

            full = c.refused;
            unit_window_try(&c, c.now);

            if (c.refused != full && k > limits[i]) {
                break;
            }
        }

        c.looks = 1;
        unit_window_run(&c, 5000);

        if (c.blurred && blurred++ == 0) {
            unit_note("first: limit %u: %s", (unsigned) c.batches, c.blurred);
        }

        full = c.full;
        wrong = unit_window_end(&c);

        unit_ok(wrong == 0 && full > 0, "usage: %u, as batches tell it",
                (unsigned) limits[i]);
    }

    unit_is(blurred, 0,
            "usage: above 10000, nothing left where one is refused");
}


static void
unit_window_usage_changes(ngx_uint_t large, const char *name)
{
    uint32_t            most;
    uint64_t            requests, total, looked, full, changes;
    ngx_uint_t          k, wrong, blurred;
    unit_case_t         c;
    ngx_wassiit_rate_t  rate;

    most = large ? NGX_WASSIIT_RATE_MAX : NGX_WASSIIT_WINDOW_CELLS;
    total = 0;
    looked = 0;
    full = 0;
    changes = 0;
    wrong = 0;
    blurred = 0;

    for (k = 0; total < (large ? 3 : 1) * USAGE_REQUESTS; k++) {
        unit_window_random_rate(&rate, large);
        unit_window_begin(&c, rate.limit, rate.seconds);

        for ( ;; ) {

            /* to fill it quickly, then to look */

            requests = ngx_min(c.rate.limit, 20000);
            c.looks = 0;
            unit_window_run(&c, unit_random(2 * requests + 20));
            c.looks = 1;
            unit_window_run(&c, unit_random(ngx_min(requests, 3000) + 20));

            if (c.wrong || c.requests > 100000 || unit_random(8) == 0
                || arena->next > ARENA_LINES - 4 * UNIT_ARENA_MOST)
            {
                break;
            }

            rate = c.rate;

            switch (unit_random(5)) {

            case 0:
                rate.seconds = unit_window_seconds[unit_random(4)];
                break;

            case 1:
                rate.limit = 1 + unit_random(rate.limit);
                break;

            case 2:
                rate.limit += 1 + unit_random(50);
                rate.limit = ngx_min(rate.limit, most);
                break;

            default:
                unit_window_random_rate(&rate, large);
            }

            c.looks = unit_random(4) != 0;
            unit_window_change(&c, &rate);
            changes++;
        }

        if (c.blurred && blurred++ == 0) {
            unit_note("first: limit %u: %s", (unsigned) c.batches, c.blurred);
        }

        total += c.requests;
        looked += c.looked;
        full += c.full;
        wrong += unit_window_end(&c);
    }

    unit_note("%llu looks at %u partners, %llu changes, %llu before a refusal",
              (unsigned long long) looked, (unsigned) k,
              (unsigned long long) changes, (unsigned long long) full);

    unit_is(wrong, 0, name);
    unit_ok(blurred == 0, "%s: nothing left where one is refused", name);
    unit_ok(full > looked / 50 && changes > 20, "%s: many were full", name);
}


static void
unit_window_begin(unit_case_t *c, uint32_t limit, uint32_t seconds)
{
    ngx_memzero(c, sizeof(unit_case_t));

    c->number = ++cases;
    c->seed = unit_state;
    c->rate.limit = limit;
    c->rate.seconds = seconds;
    c->span = (uint64_t) seconds * 1000000;
    c->keeps = unit_window_least(limit);
    c->lags = (unit_random(8) == 0);
    c->pace = (uint64_t) 1 << unit_random(5);

    c->window = unit_arena_window(arena, &c->rate, 0);

    /* the clock of 48 bits is about to start anew, or not */

    c->now = 4 * WRAP;

    switch (unit_random(4)) {
    case 0:
        c->now -= 1 + unit_random(2 * c->span);
        break;
    case 1:
        c->now -= 1 + unit_random(1000);
        break;
    case 2:
        break;
    default:
        c->now += unit_random(WRAP);
    }
}


static ngx_uint_t
unit_window_end(unit_case_t *c)
{
    if (unit_arena_reset(arena) && c->wrong == NULL) {
        c->wrong = "memory of others was written";
    }

    if (c->wrong && ++told <= TOLD) {
        unit_note("case %llu, seed %llu: %ur/%us, request %llu at %llu: %s",
                  (unsigned long long) c->number,
                  (unsigned long long) c->seed, (unsigned) c->rate.limit,
                  (unsigned) c->rate.seconds,
                  (unsigned long long) c->requests,
                  (unsigned long long) c->clock, c->wrong);
    }

    free(c->times);

    return c->wrong != NULL;
}


static void
unit_window_run(unit_case_t *c, uint64_t requests)
{
    for ( /* void */ ; requests && c->wrong == NULL; requests--) {
        unit_window_request(c);
    }
}


static void
unit_window_request(unit_case_t *c)
{
    uint64_t  now;

    c->now += unit_window_step(c);
    now = c->now;

    /* a process that read the clock long before it came to use it */

    if (c->lags && unit_random(4) == 0) {
        now -= unit_random(unit_random(4) ? 2000 : 2 * c->span);
    }

    unit_window_try(c, now);
}


static uint64_t
unit_window_step(unit_case_t *c)
{
    uint64_t  step, free;

    switch (unit_random(12)) {

    case 0:
    case 1:
    case 2:
        return 0;

    case 3:
        return unit_random(4);

    case 4:
        /* the moment when one more is free, or 1 us to either side */

        if (c->admitted < c->rate.limit || unit_random(4)) {
            return 0;
        }

        free = c->times[c->admitted - c->rate.limit] + c->span;
        free += unit_random(3);

        return (free > c->now) ? free - 1 - ngx_min(c->now, free - 1) : 0;

    case 5:
        /* seldom enough for the window to fill in between */

        if (unit_random(c->rate.limit / 2 + 1)) {
            return 0;
        }

        return c->span - 1 + unit_random(3);

    case 6:
        if (unit_random(2 * (uint64_t) c->rate.limit + 40)) {
            return 0;
        }

        return unit_random((uint64_t) 1 << (10 + unit_random(37)));

    default:
        step = 2 * c->span / c->rate.limit * c->pace / 8;
        return unit_random(step + 2);
    }
}


/* One request, in the window and in the model. */

static void
unit_window_try(unit_case_t *c, uint64_t now)
{
    uint64_t             at;
    ngx_int_t            rc;
    ngx_uint_t           looked;
    ngx_wassiit_usage_t  usage, seen;

    memset(&usage, 0xff, sizeof(usage));

    c->requests++;
    c->clock = now;
    looked = 0;

    if (c->looks) {
        unit_window_look_around(c);

        /* with this one's own time, to compare what it is given */

        if (unit_random(2)) {
            unit_window_look(c, now, &seen);
            looked = (c->wrong == NULL
                      && (c->admitted == 0
                          || now >= c->times[c->admitted - 1]));
        }

        if (c->wrong) {
            return;
        }
    }

    /* nginx may pass all the bits of its clock */

    rc = ngx_wassiit_window_take(arena->base, c->window,
                                 (c->number & 1) ? now : now % WRAP, &usage);

    /* times don't go back in a window */

    at = now;

    if (c->admitted) {
        at = ngx_max(at, c->times[c->admitted - 1]);
    }

    c->wrong = unit_window_check(c, now, at, rc, &usage);

    if (looked && c->wrong == NULL) {
        c->wrong = unit_window_looked(c, rc, &seen, &usage);
    }

    if (rc != NGX_OK) {
        c->refused++;
        return;
    }

    if (c->admitted == c->room) {
        c->room = 2 * c->room + 1024;
        c->times = realloc(c->times, c->room * sizeof(uint64_t));

        if (c->times == NULL) {
            exit(2);
        }
    }

    c->times[c->admitted++] = at;
    c->known++;
    c->allowed++;
}


/* What usage tells at now, held against the model; the model isn't told. */

static void
unit_window_look(unit_case_t *c, uint64_t now, ngx_wassiit_usage_t *usage)
{
    size_t               size;
    ngx_int_t            rc;
    ngx_wassiit_usage_t  again;

    static u_char  before[UNIT_ARENA_OWN * NGX_WASSIIT_LINE];
    static u_char  after[UNIT_ARENA_OWN * NGX_WASSIIT_LINE];

    memset(usage, 0xff, sizeof(ngx_wassiit_usage_t));

    c->looked++;
    c->clock = now;

    rc = ngx_wassiit_window_usage(arena->base, c->window,
                                  (c->number & 1) ? now : now % WRAP, usage);

    if (rc != NGX_OK) {
        c->wrong = "usage is told";
        return;
    }

    c->wrong = unit_window_look_check(c, now, usage);

    if (c->wrong || unit_random(c->rate.limit / 64 + 1)) {
        return;
    }

    /*
     * Whatever it had to take over from an older one, it has by now: from
     * now on, nothing of it changes.
     */

    size = unit_arena_copy(arena, c->window, before);
    memset(&again, 0xff, sizeof(again));

    rc = ngx_wassiit_window_usage(arena->base, c->window, now % WRAP, &again);

    (void) unit_arena_copy(arena, c->window, after);

    if (memcmp(before, after, size) != 0) {
        c->wrong = "usage changes the window";

    } else if (rc != NGX_OK || again.limit != usage->limit
               || again.seconds != usage->seconds
               || again.remaining != usage->remaining
               || again.reset != usage->reset)
    {
        c->wrong = "usage, asked once more";

    } else {
        unit_window_look_later(c, now, usage);
    }
}


static const char *
unit_window_look_check(unit_case_t *c, uint64_t now,
    const ngx_wassiit_usage_t *usage)
{
    size_t    first;
    uint64_t  in, known, limit, blur, batch, used, oldest;

    limit = c->rate.limit;
    batch = unit_window_batch(limit);

    /* where now is earlier than the last of them, those after it count too */

    first = unit_window_first(c, now, c->span);
    in = c->admitted - first;
    known = ngx_min(in, c->known);
    blur = (c->changed + c->span > now) ? c->blur : 0;

    if (usage->limit != limit || usage->seconds != c->rate.seconds) {
        return "usage: limit or seconds";
    }

    if (usage->remaining > limit) {
        return "usage: more is left than there may be";
    }

    used = limit - usage->remaining;

    if (used < ngx_min(known, unit_window_least(limit))) {
        return "usage: too little is used";
    }

    /* it may be full 0.1 % early; else no more than a batch is blurred */

    blur += (used == limit) ? limit - unit_window_least(limit) : batch - 1;

    if (used > in + blur) {
        return "usage: too much is used";
    }

    if ((usage->reset == 0) != (used == 0)) {
        return "usage: reset is 0 where nothing is used, only there";
    }

    if (used == 0) {
        return NULL;
    }

    if (known != in || blur || limit > NGX_WASSIIT_WINDOW_CELLS) {
        return (usage->reset > c->span) ? "usage: reset is too long" : NULL;
    }

    if (used != ngx_min(in, limit)) {
        return "usage: used";
    }

    oldest = c->times[c->admitted - used];

    if (oldest <= now) {
        return (usage->reset != oldest + c->span - now) ? "usage: reset"
                                                        : NULL;
    }

    /* from before any of them */

    return (usage->reset < c->span || usage->reset > oldest + c->span - now)
           ? "usage: reset of what is yet to come" : NULL;
}


/* Something more is free when reset has gone by, and not 1 us before. */

static void
unit_window_look_later(unit_case_t *c, uint64_t now,
    const ngx_wassiit_usage_t *usage)
{
    ngx_wassiit_usage_t  later;

    if (usage->reset == 0
        || (c->admitted && now < c->times[c->admitted - 1]))
    {
        return;
    }

    if (ngx_wassiit_window_usage(arena->base, c->window,
                                 (now + usage->reset - 1) % WRAP, &later)
        != NGX_OK
        || later.remaining != usage->remaining || later.reset != 1)
    {
        c->wrong = "usage: 1 us before reset";
        return;
    }

    if (ngx_wassiit_window_usage(arena->base, c->window,
                                 (now + usage->reset) % WRAP, &later)
        != NGX_OK
        || later.remaining <= usage->remaining)
    {
        if (c->rate.limit <= NGX_WASSIIT_WINDOW_CELLS) {
            c->wrong = "usage: nothing more at reset";

        } else {
            c->blurred = "usage: nothing more at reset";
            c->batches = c->rate.limit;
        }
    }
}


/* At some other time: soon, or slightly before the last admission. */

static void
unit_window_look_around(unit_case_t *c)
{
    uint64_t             now;
    ngx_wassiit_usage_t  usage;

    if (unit_random(4)) {
        return;
    }

    now = c->now;

    switch (unit_random(6)) {

    case 0:
        now += unit_random(c->span + 2);
        break;

    case 1:
        now += c->span - 1 + unit_random(3);
        break;

    case 2:
        /* the moment when the last one leaves, and 1 us to either side */
        if (c->admitted) {
            now = c->times[c->admitted - 1] + c->span - 1 + unit_random(3);
        }

        break;

    case 3:
        if (c->admitted) {
            now = c->times[c->admitted - 1] - 1 - unit_random(3);
        }

        break;

    case 4:
        if (c->admitted) {
            now = c->times[c->admitted - 1] - unit_random(2000);
        }

        break;

    default:
        now -= unit_random(unit_random(2) ? c->span : 3 * c->span);
    }

    unit_window_look(c, now, &usage);
}


/*
 * Just before it, usage told what it would be given, at the same time, which
 * is no earlier than the last admission's.
 */

static const char *
unit_window_looked(unit_case_t *c, ngx_int_t rc,
    const ngx_wassiit_usage_t *seen, const ngx_wassiit_usage_t *usage)
{
    uint64_t  lost;

    if (rc == NGX_OK) {

        /* 0.1 % and no more than that */
        lost = c->rate.limit - unit_window_least(c->rate.limit);

        return (seen->remaining < usage->remaining + 1
                || seen->remaining > usage->remaining + 1 + lost)
               ? "usage before an admission" : NULL;
    }

    c->full++;

    if (seen->remaining == 0 && seen->reset == usage->reset) {
        return NULL;
    }

    if (c->rate.limit <= NGX_WASSIIT_WINDOW_CELLS) {
        return "usage before a refusal";
    }

    c->blurred = (seen->remaining) ? "something is left, but one is refused"
                                   : "another reset than who is refused";
    c->batches = c->rate.limit;

    return (seen->remaining
            > c->rate.limit - unit_window_least(c->rate.limit))
           ? "usage before a refusal" : NULL;
}


static const char *
unit_window_check(unit_case_t *c, uint64_t now, uint64_t at, ngx_int_t rc,
    const ngx_wassiit_usage_t *usage)
{
    size_t    first;
    uint64_t  in, known, limit, blur, least, reset, oldest;

    limit = c->rate.limit;
    first = unit_window_first(c, at, c->span);
    in = c->admitted - first;
    known = ngx_min(in, c->known);
    blur = (c->changed + c->span > at) ? c->blur : 0;

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        return "neither admitted nor refused";
    }

    if (usage->limit != limit || usage->seconds != c->rate.seconds) {
        return "limit or seconds";
    }

    if (rc == NGX_OK && known >= limit) {
        return "one too many";
    }

    least = unit_window_least(limit);

    if (rc == NGX_DECLINED && in + blur < least) {
        return "refused too early";
    }

    if (rc == NGX_DECLINED && usage->remaining != 0) {
        return "remaining, of a refused one";
    }

    if (rc == NGX_OK && (usage->remaining + known + 1 > limit
                         || usage->remaining + in + blur + 1 < least))
    {
        return "remaining";
    }

    if (known != in) {
        c->unknown++;
        return NULL;
    }

    if (blur || limit > NGX_WASSIIT_WINDOW_CELLS) {
        return (usage->reset > c->span || usage->reset == 0) ? "reset" : NULL;
    }

    /* the one that has to leave, for one more to be free */

    if (rc == NGX_DECLINED) {
        oldest = c->times[c->admitted - limit];

    } else {
        oldest = in ? c->times[first] : at;
    }

    reset = oldest + c->span - at;

    /* seen from a clock that lags behind, it may be so much later */

    if (usage->reset < reset || usage->reset > reset + (at - now)) {
        return "reset";
    }

    return NULL;
}


/* The first admission in the span up to at. */

static size_t
unit_window_first(const unit_case_t *c, uint64_t at, uint64_t span)
{
    size_t  low, high, mid;

    low = 0;
    high = c->admitted;

    while (low < high) {
        mid = low + (high - low) / 2;

        if (c->times[mid] + span <= at) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


/* One of the ways in which a partner's rate may change. */

static void
unit_window_change(unit_case_t *c, const ngx_wassiit_rate_t *rate)
{
    size_t              keeps;
    uint32_t            old, window, between;
    ngx_wassiit_rate_t  other;

    keeps = unit_window_least(rate->limit);
    old = c->window;
    between = 0;

    if (unit_random(4) == 0) {
        /* the change before this one isn't settled yet */

        unit_window_random_rate(&other, 0);
        between = unit_arena_window(arena, &other, old);
        window = unit_arena_window(arena, rate, between);

    } else if (unit_random(4) == 0) {
        window = unit_arena_window(arena, rate, old);

    } else {
        keeps = unit_window_keeps(c, rate);
        window = unit_arena_window_from(arena, rate, old, c->now % WRAP);
    }

    if (window == 0) {
        c->wrong = "no room for the test's own windows";
        return;
    }

    if (unit_random(2)) {
        /* some still come to the older one, and may be admitted there */
        unit_window_run(c, unit_random(20));
    }

    if (c->wrong) {
        return;
    }

    if (between) {
        unit_window_changed(c, old, &other, unit_window_least(other.limit));

        if (unit_random(2)) {
            if (ngx_wassiit_window_settle(arena->base, between) != old) {
                c->wrong = "settle doesn't tell the older window";
            }

            unit_window_closed(c, old);

            c->window = between;
            unit_window_run(c, unit_random(20));
        }
    }

    unit_window_changed(c, between ? between : old, rate, keeps);
    c->window = window;

    if (c->wrong == NULL && unit_random(2)) {
        if (ngx_wassiit_window_settle(arena->base, window)
            != (between ? between : old))
        {
            c->wrong = "settle doesn't tell the older window";
            return;
        }

    } else {
        unit_window_run(c, 1);
    }

    unit_window_closed(c, old);

    if (between) {
        unit_window_closed(c, between);
    }

    if (c->wrong == NULL && unit_random(4) == 0) {
        unit_window_run(c, unit_random(10));
        (void) ngx_wassiit_window_settle(arena->base, window);
    }

    if (unit_random(4) == 0) {
        ngx_wassiit_window_release(arena->base, window);
    }
}


/*
 * How many a window keeps that is made for all that the older one knows of
 * the longer of both spans, and one more; there are that many cells, and a
 * limit above that is counted in batches.
 */

static size_t
unit_window_keeps(const unit_case_t *c, const ngx_wassiit_rate_t *rate)
{
    size_t    in, most;
    uint64_t  span;

    span = ngx_max(c->span, (uint64_t) rate->seconds * 1000000);
    in = c->admitted - unit_window_first(c, c->now, span);
    in = ngx_min(in, unit_window_known(c, c->window)) + 1;

    most = NGX_WASSIIT_WINDOW_CELLS * unit_window_batch(rate->limit);
    in = ngx_min(in, most);

    return ngx_max(in, unit_window_least(rate->limit));
}


/* What the limit is at the least: of large ones, 0.1 % may be lost. */

static size_t
unit_window_least(uint32_t limit)
{
    return (limit <= NGX_WASSIIT_WINDOW_CELLS) ? limit : limit - limit / 1000;
}


/*
 * What can be taken over from a window: of one whose ring isn't wide, nothing
 * from before a pause of 18 minutes.
 */

static size_t
unit_window_known(const unit_case_t *c, uint32_t from)
{
    size_t                 n, known;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_line(arena->base, from);
    known = ngx_min(c->known, c->keeps);

    if (w->ring.wide) {
        return known;
    }

    for (n = (known > 0); n < known; n++) {
        if (c->times[c->admitted - n] - c->times[c->admitted - n - 1] >= PAUSE)
        {
            break;
        }
    }

    return n;
}


/* The change in the model. */

static void
unit_window_changed(unit_case_t *c, uint32_t from,
    const ngx_wassiit_rate_t *rate, size_t keeps)
{
    c->known = ngx_min(unit_window_known(c, from), keeps);
    c->keeps = keeps;

    c->blur += unit_window_batch(c->rate.limit) - 1
               + unit_window_batch(rate->limit) - 1;
    c->changed = c->now;

    c->rate = *rate;
    c->span = (uint64_t) rate->seconds * 1000000;
}


static void
unit_window_random_rate(ngx_wassiit_rate_t *rate, ngx_uint_t large)
{
    rate->limit = 1 + unit_random((uint64_t) 1 << (1 + unit_random(12)));
    rate->seconds = unit_window_seconds[unit_random(4)];

    if (large && unit_random(2)) {
        rate->limit = 9000 + unit_random(30000);

        if (unit_random(8) == 0) {
            rate->limit = 1 + unit_random(NGX_WASSIIT_RATE_MAX);
        }
    }
}


/* How many are admitted now; the model isn't told. */

static uint64_t
unit_window_left(unit_case_t *c)
{
    uint64_t             n;
    ngx_wassiit_usage_t  usage;

    for (n = 0; n <= NGX_WASSIIT_RATE_MAX; n++) {
        if (ngx_wassiit_window_take(arena->base, c->window, c->now % WRAP,
                                    &usage)
            != NGX_OK)
        {
            break;
        }
    }

    return n;
}


/* admissions that a cell may stand for */

static uint64_t
unit_window_batch(uint32_t limit)
{
    return (limit + NGX_WASSIIT_WINDOW_CELLS - 1) / NGX_WASSIIT_WINDOW_CELLS;
}


static void
unit_window_closed(unit_case_t *c, uint32_t window)
{
    ngx_wassiit_usage_t  usage;

    if (c->wrong == NULL
        && ngx_wassiit_window_take(arena->base, window, c->now % WRAP, &usage)
           != NGX_AGAIN)
    {
        c->wrong = "an older window isn't closed";
    }
}
