
/*
 * One window, eight processes, some of which are killed or stopped at any
 * instruction: never more than N in any W, none refused too early, and no
 * room lost when it is over.
 *
 * A process reads the clock just before and just after each try and notes
 * both.  The window knows an admission by a time between them, so that what
 * follows from these bounds alone is certain.  Where a process was killed
 * between its two notes nobody can tell whether it was admitted: it counts
 * where it may be an excuse, and doesn't where it would be an accusation.
 *
 * The clock runs faster than time does, so that many windows go by; it
 * passes 2^48 in the middle of each round.  It is 50 times as fast at most,
 * as a window only bears with a clock that lags behind by some days.
 */


#include "unit.h"
#include "arena.h"

#include "ngx_wassiit_window.h"

#include <sys/wait.h>
#include <time.h>


#define PROCESSES       8
#define ATTEMPTS        10000000    /* in all, at the least */
#define KILLS           200         /* likewise */

#define ADMISSIONS      600000      /* notes that a process can make */
#define REFUSALS        20000
#define UNSURE          20000
#define WINDOWS         2000
#define ARENA_LINES     (190 * UNIT_ARENA_MOST)

#define MS              ((uint64_t) 1000000)
#define ROUND_TIME      (700 * MS)  /* and three W, at the least */
#define ROUND_LONGEST   (15000 * MS)
#define ROUND_ATTEMPTS  (ATTEMPTS / 8)
#define STUCK           (10000 * MS)

#define CLOCK_START     ((uint64_t) 1 << 50)


/* how the rate changes while the processes are at it */

typedef enum {
    CHANGES_NONE = 0,
    CHANGES_LIMIT,
    CHANGES_FALL
} unit_changes_e;


typedef struct {
    const char         *name;
    uint32_t            limit;
    uint32_t            seconds;
    uint64_t            mul;        /* microseconds of the window's clock */
    uint64_t            div;        /* a nanosecond */
    unit_changes_e      changes;
} unit_round_t;


typedef struct {
    uint64_t            before;
    uint64_t            after;      /* 0: not known */
    uint32_t            limit;
    uint32_t            seconds;
} unit_try_t;


typedef struct {
    uint64_t            attempts;
    uint64_t            nadmitted;
    uint64_t            nrefused;
    unit_try_t         admitted[ADMISSIONS + 1];
    unit_try_t         refused[REFUSALS + 1];
} unit_log_t;


typedef struct {
    uint32_t            stop;
    uint32_t            wrong;      /* what a process found */

    uint32_t            window;     /* the one to use */
    ngx_wassiit_rate_t  rate;
    uint32_t            nwindows;
    uint32_t            windows[WINDOWS + 1];

    unit_log_t          logs[PROCESSES];
} unit_shared_t;


typedef struct {
    uint64_t            total;
    uint64_t            kills;
    uint64_t            stops;
    uint64_t            admitted;
    uint64_t            refused;
    uint64_t            changes;
    size_t              nunsure;
    unit_try_t         unsure[UNSURE];
} unit_result_t;


static void unit_processes_round(const unit_round_t *r);
static void unit_processes_start(const unit_round_t *r);
static ngx_uint_t unit_processes_disturb(const unit_round_t *r);
static void unit_processes_kill(ngx_uint_t slot, ngx_uint_t n);
static void unit_processes_stop_one(ngx_uint_t slot);
static pid_t unit_processes_fork(ngx_uint_t slot);
static void unit_processes_reap(ngx_uint_t slot);
static ngx_uint_t unit_processes_end(ngx_uint_t stuck);
static void unit_processes_take(unit_log_t *log);
static void unit_processes_try(unit_log_t *log, unit_try_t *note);
static void unit_processes_change(void);
static void unit_processes_next_rate(ngx_wassiit_rate_t *rate);
static uint64_t *unit_processes_merge(ngx_uint_t after, uint64_t longest,
    size_t *n);
static size_t unit_processes_below(const uint64_t *times, size_t n,
    uint64_t limit);
static void unit_processes_check(const unit_round_t *r);
static uint64_t unit_processes_most(const unit_round_t *r);
static uint64_t unit_processes_forgotten(void);
static uint64_t unit_processes_too_early(void);
static uint64_t unit_processes_room(void);
static void unit_processes_closed(void);
static uint64_t unit_processes_attempts(void);
static uint64_t unit_processes_clock(void);
static uint64_t unit_processes_ns(void);


static const unit_round_t  unit_rounds[] = {
    { "1r/s, W = 50 us", 1, 1, 20, 1, CHANGES_NONE },
    { "7r/s, W = 20 us", 7, 1, 50, 1, CHANGES_NONE },
    { "72r/s, W = 1 ms", 72, 1, 1, 1, CHANGES_NONE },
    { "73r/m, W = 2 ms", 73, 60, 30, 1, CHANGES_NONE },
    { "1000r/s, W = 2 ms", 1000, 1, 1, 2, CHANGES_NONE },
    { "2000r/h, W = 120 ms", 2000, 3600, 30, 1, CHANGES_NONE },
    { "10000r/m, W = 10 ms", 10000, 60, 6, 1, CHANGES_NONE },
    { "10000r/s, W = 1 ms", 10000, 1, 1, 1, CHANGES_NONE },
    { "20000r/s, W = 20 ms", 20000, 1, 1, 20, CHANGES_NONE },
    { "250007r/s, W = 500 ms", 250007, 1, 1, 500, CHANGES_NONE },
    { "100r/s that rises and falls, W = 2 ms", 100, 1, 1, 2, CHANGES_LIMIT },
    { "2000r/s that rises and falls, W = 5 ms", 2000, 1, 1, 5,
      CHANGES_LIMIT },
    { "from 10000r/s down, W = 2 ms or 120 ms", 10000, 1, 1, 2,
      CHANGES_FALL },
    { "from 300r/m down, W = 4 ms or 67 us", 300, 60, 15, 1, CHANGES_FALL }
};

#define ROUNDS          (sizeof(unit_rounds) / sizeof(unit_rounds[0]))


static unit_arena_t   *arena;
static unit_shared_t  *shared;
static unit_result_t   result;

static const unit_round_t  *the_round;

static uint64_t  clock_base;
static uint64_t  attempts, kills, refusals;

/* the last is the one that changes the rate */

static pid_t       pids[PROCESSES + 1];
static ngx_uint_t  stopped[PROCESSES + 1];


int
main(void)
{
    size_t      i;
    ngx_uint_t  n;

    unit_start();

    shared = unit_shared(sizeof(unit_shared_t));
    arena = unit_arena_create(ARENA_LINES);

    for (i = 0; i < ROUNDS; i++) {
        unit_processes_round(&unit_rounds[i]);
    }

    /* a slow machine may need some rounds more */

    n = unit_strength();

    for (i = 0;
         (attempts < n * ATTEMPTS || kills < n * KILLS) && !unit_failed;
         i++)
    {
        unit_processes_round(&unit_rounds[i % ROUNDS]);
    }

    unit_note("%llu attempts, %llu processes killed, %llu refusals noted",
              (unsigned long long) attempts, (unsigned long long) kills,
              (unsigned long long) refusals);
    unit_ok(attempts >= n * ATTEMPTS, "%u attempts", (unsigned) (n * ATTEMPTS));
    unit_ok(kills >= n * KILLS, "%u processes killed", (unsigned) (n * KILLS));
    unit_ok(refusals > ATTEMPTS / 1000, "many were refused");

    return unit_done();
}


static void
unit_processes_round(const unit_round_t *r)
{
    ngx_uint_t  stuck;

    unit_processes_start(r);
    stuck = unit_processes_disturb(r);

    if (!unit_processes_end(stuck)) {
        unit_ok(0, "%s: each process comes to an end", r->name);
        exit(unit_done());
    }

    unit_processes_check(r);
}


static void
unit_processes_start(const unit_round_t *r)
{
    ngx_uint_t   slot;
    unit_log_t  *log;

    ngx_memzero(&result, sizeof(unit_result_t));

    for (slot = 0; slot < PROCESSES; slot++) {
        log = &shared->logs[slot];
        ngx_memzero(log->admitted,
                    (log->nadmitted + 1) * sizeof(unit_try_t));
        log->attempts = 0;
        log->nadmitted = 0;
        log->nrefused = 0;
    }

    the_round = r;

    shared->stop = 0;
    shared->wrong = 0;
    shared->rate.limit = r->limit;
    shared->rate.seconds = r->seconds;
    shared->window = unit_arena_window(arena, &shared->rate, 0);
    shared->windows[0] = shared->window;
    shared->nwindows = 1;

    clock_base = unit_processes_ns();

    fflush(stdout);

    for (slot = 0; slot < PROCESSES + (r->changes != CHANGES_NONE); slot++) {
        pids[slot] = unit_processes_fork(slot);
    }
}


/* Kills and stops processes at random.  Returns 1 if none gets on. */

static ngx_uint_t
unit_processes_disturb(const unit_round_t *r)
{
    uint64_t         now, start, done, last, progress, least;
    ngx_uint_t       slot, full;
    struct timespec  ts;

    least = 3 * (uint64_t) r->seconds * 1000000 * r->div / r->mul;
    least = ngx_max(least, ROUND_TIME);

    start = unit_processes_ns();
    progress = start;
    last = 0;

    for ( ;; ) {
        ts.tv_sec = 0;
        ts.tv_nsec = unit_random(MS);
        nanosleep(&ts, NULL);

        slot = unit_random(PROCESSES - 2);

        if (unit_random(8) == 0) {
            unit_processes_stop_one(slot);

        } else {
            unit_processes_kill(slot, 1 + unit_random(3));
        }

        if (r->changes != CHANGES_NONE && unit_random(4) == 0) {
            unit_processes_kill(PROCESSES, 1);
        }

        now = unit_processes_ns();
        done = unit_processes_attempts();

        if (done != last) {
            last = done;
            progress = now;
        }

        if (now - progress > STUCK) {
            return 1;
        }

        full = (result.nunsure == UNSURE);

        for (slot = 0; slot < PROCESSES; slot++) {
            full |= (shared->logs[slot].nadmitted == ADMISSIONS);
        }

        if (full || now - start > ROUND_LONGEST
            || (done >= ROUND_ATTEMPTS && now - start > least
                && (r->changes == CHANGES_NONE || shared->nwindows > 20)))
        {
            return 0;
        }
    }
}


static void
unit_processes_kill(ngx_uint_t slot, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = slot; i < slot + n; i++) {
        kill(pids[i], SIGKILL);
    }

    for (i = slot; i < slot + n; i++) {
        unit_processes_reap(i);
        pids[i] = unit_processes_fork(i);
        result.kills++;
    }
}


/* One that stands still for some W and then goes on with what it knew. */

static void
unit_processes_stop_one(ngx_uint_t slot)
{
    ngx_uint_t  i;

    for (i = 0; i < PROCESSES; i++) {
        if (stopped[i]) {
            kill(pids[i], SIGCONT);
            stopped[i] = 0;
        }
    }

    kill(pids[slot], SIGSTOP);
    stopped[slot] = 1;
    result.stops++;
}


static pid_t
unit_processes_fork(ngx_uint_t slot)
{
    pid_t     pid;
    uint64_t  seed;

    seed = unit_random64();
    pid = unit_fork();

    if (pid != 0) {
        return pid;
    }

    (void) nice(5);
    unit_state = seed;

    while (!__atomic_load_n(&shared->stop, __ATOMIC_ACQUIRE)) {
        if (slot == PROCESSES) {
            unit_processes_change();

        } else {
            unit_processes_take(&shared->logs[slot]);
        }
    }

    _exit(0);
}


/* What a process leaves behind: a try of which only the start is known. */

static void
unit_processes_reap(ngx_uint_t slot)
{
    unit_log_t   *log;
    unit_try_t  *note;

    (void) waitpid(pids[slot], NULL, 0);
    stopped[slot] = 0;

    if (slot == PROCESSES) {
        return;
    }

    log = &shared->logs[slot];
    note = &log->admitted[log->nadmitted];

    if (note->after) {
        log->nadmitted++;

    } else if (note->before && result.nunsure < UNSURE) {
        note->after = unit_processes_clock();
        result.unsure[result.nunsure++] = *note;
        ngx_memzero(note, sizeof(unit_try_t));
    }

    ngx_memzero(&log->admitted[log->nadmitted], sizeof(unit_try_t));
}


static ngx_uint_t
unit_processes_end(ngx_uint_t stuck)
{
    uint64_t    start;
    ngx_uint_t  slot;

    start = unit_processes_ns();
    __atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);

    for (slot = 0; slot <= PROCESSES; slot++) {
        if (pids[slot] == 0) {
            continue;
        }

        kill(pids[slot], SIGCONT);

        while (waitpid(pids[slot], NULL, WNOHANG) == 0) {
            if (stuck || unit_processes_ns() - start > STUCK) {
                stuck = 1;
                kill(pids[slot], SIGKILL);
            }

            usleep(200);
        }

        pids[slot] = 0;
        stopped[slot] = 0;
    }

    return !stuck;
}


static void
unit_processes_take(unit_log_t *log)
{
    unit_try_t  *note;

    if (log->nadmitted == ADMISSIONS) {
        usleep(1000);
        return;
    }

    note = &log->admitted[log->nadmitted];

    unit_processes_try(log, note);

    if (note->after) {
        __atomic_store_n(&log->nadmitted, log->nadmitted + 1,
                         __ATOMIC_RELEASE);
    }
}


static void
unit_processes_try(unit_log_t *log, unit_try_t *note)
{
    uint32_t             window;
    uint64_t             before;
    ngx_int_t            rc;
    unit_try_t         *refused;
    ngx_wassiit_usage_t  usage;

    for ( ;; ) {
        window = __atomic_load_n(&shared->window, __ATOMIC_ACQUIRE);

        before = unit_processes_clock();
        __atomic_store_n(&note->before, before, __ATOMIC_RELEASE);

        rc = ngx_wassiit_window_take(arena->base, window, before, &usage);

        log->attempts++;

        if (rc != NGX_AGAIN) {
            break;
        }

        if (__atomic_load_n(&shared->window, __ATOMIC_ACQUIRE) == window) {
            shared->wrong = 1;
            return;
        }
    }

    if (usage.reset > (uint64_t) usage.seconds * 1000000
        || usage.remaining >= usage.limit)
    {
        shared->wrong = 2;
    }

    if (rc == NGX_OK) {
        note->limit = usage.limit;
        note->seconds = usage.seconds;
        __atomic_store_n(&note->after, unit_processes_clock(),
                         __ATOMIC_RELEASE);
        return;
    }

    if (rc != NGX_DECLINED || usage.remaining != 0 || usage.reset == 0) {
        shared->wrong = 3;
    }

    if (log->nrefused < REFUSALS && unit_random(32) == 0) {
        refused = &log->refused[log->nrefused];
        refused->before = before;
        refused->after = unit_processes_clock();
        refused->limit = usage.limit;
        refused->seconds = usage.seconds;
        __atomic_store_n(&log->nrefused, log->nrefused + 1, __ATOMIC_RELEASE);
    }
}


/*
 * The writer; there is one at a time, as the zone's mutex has it.  It may be
 * killed anywhere; the next one, or whoever takes, does what is left.
 */

static void
unit_processes_change(void)
{
    uint32_t            old, window;
    ngx_wassiit_rate_t  rate;

    if (unit_random(2)) {
        usleep(unit_random(3000));
    }

    ngx_wassiit_window_rate(arena->base, shared->window, &shared->rate);

    if (shared->nwindows == WINDOWS) {
        return;
    }

    unit_processes_next_rate(&rate);

    old = shared->window;
    window = unit_arena_window_from(arena, &rate, old,
                                    unit_processes_clock());

    if (window == 0) {
        return;
    }

    /* in this order: one that nobody came to know is none to be closed */

    __atomic_store_n(&shared->window, window, __ATOMIC_SEQ_CST);
    shared->windows[shared->nwindows] = window;
    __atomic_store_n(&shared->nwindows, shared->nwindows + 1,
                     __ATOMIC_SEQ_CST);

    if (unit_random(4) == 0) {
        /* leave it to others */
        return;
    }

    if (ngx_wassiit_window_settle(arena->base, window) != old) {
        shared->wrong = 4;
    }

    if (unit_random(2)) {
        ngx_wassiit_window_release(arena->base, window);
    }
}


/*
 * Only such changes after which the window knows everything that matters: a
 * limit that rises while W does would need more than the older one has kept.
 */

static void
unit_processes_next_rate(ngx_wassiit_rate_t *rate)
{
    uint32_t  limit;

    *rate = shared->rate;

    if (the_round->changes == CHANGES_FALL) {
        rate->limit -= unit_random(rate->limit / 8 + 1);
        rate->seconds = unit_random(2) ? 1 : 60;
        return;
    }

    limit = 1 + unit_random(the_round->limit * 2);

    /* from time to time one that counts in batches, and of all it knows */

    if (unit_random(16) == 0) {
        limit = 10001 + unit_random(10);
    }

    rate->limit = limit;
}


static void
unit_processes_check(const unit_round_t *r)
{
    uint64_t      n, least;
    ngx_uint_t    slot;

    attempts += unit_processes_attempts();
    kills += result.kills;

    for (slot = 0; slot < PROCESSES; slot++) {
        result.admitted += shared->logs[slot].nadmitted;
        result.refused += shared->logs[slot].nrefused;
    }

    refusals += result.refused;

    unit_note("%s: %llu attempts, %llu admitted, %u + %u killed or stopped, "
              "%u unsure, %u changes", r->name,
              (unsigned long long) unit_processes_attempts(),
              (unsigned long long) result.admitted, (unsigned) result.kills,
              (unsigned) result.stops, (unsigned) result.nunsure,
              (unsigned) shared->nwindows - 1);

    unit_is(shared->wrong, 0, "nothing unheard of was returned");

    if (r->changes == CHANGES_NONE) {
        n = unit_processes_most(r);

        if (!unit_ok(n <= r->limit, "%s: never more than N in W", r->name)) {
            unit_note("%llu in W", (unsigned long long) n);
        }

    } else {
        n = unit_processes_forgotten();

        if (!unit_ok(n == 0, "%s: never more than N in W", r->name)) {
            unit_note("%llu too many", (unsigned long long) n);
        }

        unit_processes_closed();
    }

    n = unit_processes_too_early();

    if (!unit_ok(n == 0, "%s: none refused too early", r->name)) {
        unit_note("%llu of %llu", (unsigned long long) n,
                  (unsigned long long) result.refused);
    }

    n = unit_processes_room();
    ngx_wassiit_window_rate(arena->base, shared->window, &shared->rate);

    least = shared->rate.limit;
    if (least > NGX_WASSIIT_WINDOW_CELLS) {
        least -= least / 1000;
    }

    if (!unit_ok(n >= least && n <= shared->rate.limit,
                 "%s: when it is over, there is room for N", r->name))
    {
        unit_note("%llu of %u", (unsigned long long) n,
                  (unsigned) shared->rate.limit);
    }

    unit_is(unit_arena_reset(arena), 0, "no other memory was written");
}


/*
 * The most that lay in any [x, x + W) for sure: both bounds do.  As those
 * that took W or longer are left out, one that ends too late starts in it,
 * and the other way round: two counts will do.
 */

static uint64_t
unit_processes_most(const unit_round_t *r)
{
    size_t     i, n, ended;
    uint64_t   span, most, *before, *after;

    span = (uint64_t) r->seconds * 1000000;
    before = unit_processes_merge(0, span, &n);
    after = unit_processes_merge(1, span, &n);

    most = 0;
    ended = 0;

    for (i = 0; i < n; i++) {
        if (i && before[i] == before[i - 1]) {
            continue;
        }

        while (ended < n && after[ended] < before[i] + span) {
            ended++;
        }

        most = ngx_max(most, ended - i);
    }

    free(before);
    free(after);

    return most;
}


/*
 * The admissions that came when at least N were there already: ended before
 * this one began, and begun less than W before it ended.
 */

static uint64_t
unit_processes_forgotten(void)
{
    size_t        k, n;
    uint64_t      span, longest, count, wrong, *before, *after;
    ngx_uint_t    slot;
    unit_log_t   *log;
    unit_try_t  *note;

    longest = 1000000 / 4;
    before = unit_processes_merge(0, longest, &n);
    after = unit_processes_merge(1, longest, &n);

    wrong = 0;

    for (slot = 0; slot < PROCESSES; slot++) {
        log = &shared->logs[slot];

        for (k = 0; k < log->nadmitted; k++) {
            note = &log->admitted[k];
            span = (uint64_t) note->seconds * 1000000;

            if (note->after - note->before >= longest) {
                continue;
            }

            count = unit_processes_below(after, n, note->before)
                    - unit_processes_below(before, n, note->after - span + 1);

            if (count >= note->limit) {
                if (wrong++ == 0) {
                    unit_note("first: %llu in the %u s before %llu, of %u",
                              (unsigned long long) count,
                              (unsigned) note->seconds,
                              (unsigned long long) note->before,
                              (unsigned) note->limit);
                }
            }
        }
    }

    free(before);
    free(after);

    return wrong;
}


/* The refusals that can't be explained by N that may lie in the W before. */

static uint64_t
unit_processes_too_early(void)
{
    size_t        i, k, n;
    uint64_t      span, least, count, wrong, *before, *after;
    ngx_uint_t    slot;
    unit_log_t   *log;
    unit_try_t  *note, *unsure;

    before = unit_processes_merge(0, (uint64_t) -1, &n);
    after = unit_processes_merge(1, (uint64_t) -1, &n);

    wrong = 0;

    for (slot = 0; slot < PROCESSES; slot++) {
        log = &shared->logs[slot];

        for (k = 0; k < log->nrefused; k++) {
            note = &log->refused[k];
            span = (uint64_t) note->seconds * 1000000;

            count = unit_processes_below(before, n, note->after + 1)
                    - unit_processes_below(after, n, note->before - span + 1);

            for (i = 0; i < result.nunsure; i++) {
                unsure = &result.unsure[i];
                count += (unsure->before <= note->after
                          && unsure->after > note->before - span);
            }

            least = note->limit;

            if (the_round->changes == CHANGES_LIMIT) {
                /* batches of two may have been regrouped */
                least -= ngx_min(least, 4);
            }

            if (note->limit > NGX_WASSIIT_WINDOW_CELLS) {
                least -= note->limit / 1000;
            }

            wrong += (count < least);
        }
    }

    free(before);
    free(after);

    return wrong;
}


/* How many are admitted when W has passed. */

static uint64_t
unit_processes_room(void)
{
    uint64_t             now, n;
    ngx_wassiit_usage_t  usage;

    now = unit_processes_clock() + 2 * (uint64_t) 86400 * 1000000;

    for (n = 0; n <= 2 * NGX_WASSIIT_RATE_MAX; n++) {
        if (ngx_wassiit_window_take(arena->base, shared->window, now, &usage)
            != NGX_OK)
        {
            break;
        }

        if (usage.limit <= NGX_WASSIIT_WINDOW_CELLS
            && usage.remaining + n + 1 != usage.limit)
        {
            unit_note("%u remain after %llu", (unsigned) usage.remaining,
                      (unsigned long long) n + 1);
            return 0;
        }
    }

    return n;
}


static void
unit_processes_closed(void)
{
    uint32_t             i, n;
    ngx_int_t            rc;
    ngx_uint_t           open;
    ngx_wassiit_usage_t  usage;

    (void) ngx_wassiit_window_settle(arena->base, shared->window);

    n = shared->nwindows;
    open = 0;

    for (i = 0; i < n && shared->windows[i] != shared->window; i++) {
        rc = ngx_wassiit_window_take(arena->base, shared->windows[i],
                                     unit_processes_clock(), &usage);
        open += (rc != NGX_AGAIN);
    }

    unit_ok(open == 0 && n > 10, "%u changes, the older windows are closed",
            (unsigned) n - 1);
}


/* All notes of tries shorter than that, in order. */

static uint64_t *
unit_processes_merge(ngx_uint_t after, uint64_t longest, size_t *n)
{
    size_t        at[PROCESSES], total;
    uint64_t     *times, time, least;
    ngx_uint_t    slot, next;
    unit_log_t   *log;
    unit_try_t  *note;

    total = 1;

    for (slot = 0; slot < PROCESSES; slot++) {
        at[slot] = 0;
        total += shared->logs[slot].nadmitted;
    }

    times = malloc(total * sizeof(uint64_t));

    if (times == NULL) {
        exit(2);
    }

    for (*n = 0; /* void */ ; /* void */) {
        least = (uint64_t) -1;
        next = PROCESSES;

        for (slot = 0; slot < PROCESSES; slot++) {
            log = &shared->logs[slot];

            if (at[slot] == log->nadmitted) {
                continue;
            }

            note = &log->admitted[at[slot]];
            time = after ? note->after : note->before;

            if (time < least) {
                least = time;
                next = slot;
            }
        }

        if (next == PROCESSES) {
            return times;
        }

        note = &shared->logs[next].admitted[at[next]++];

        if (note->after - note->before < longest) {
            times[(*n)++] = least;
        }
    }
}


static size_t
unit_processes_below(const uint64_t *times, size_t n, uint64_t limit)
{
    size_t  low, high, mid;

    low = 0;
    high = n;

    while (low < high) {
        mid = low + (high - low) / 2;

        if (times[mid] < limit) {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return low;
}


static uint64_t
unit_processes_attempts(void)
{
    uint64_t    n;
    ngx_uint_t  slot;

    n = 0;

    for (slot = 0; slot < PROCESSES; slot++) {
        n += __atomic_load_n(&shared->logs[slot].attempts, __ATOMIC_RELAXED);
    }

    return n;
}


/* It passes a multiple of 2^48 when half of the round's time has passed. */

static uint64_t
unit_processes_clock(void)
{
    uint64_t  ns;

    ns = unit_processes_ns() - clock_base;

    return CLOCK_START + (ns * the_round->mul / the_round->div)
           - (ROUND_TIME / 2 * the_round->mul / the_round->div);
}


static uint64_t
unit_processes_ns(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
