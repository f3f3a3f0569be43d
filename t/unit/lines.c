
/* Lines: extents against a plain map of bytes, deaths, churn, the cost. */


#include "unit.h"

#include "ngx_wassiit_lines.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>


#define LINES_MOST          20000   /* lines of a zone in these tests */
#define LINES_EXTENTS       LINES_MOST
#define LINES_ROUNDS        30
#define LINES_STEPS         4000
#define LINES_KILLS         200
#define LINES_CHURN         250000  /* a million extents go, as many come */
#define LINES_LARGE         (NGX_WASSIIT_LINES_PLACES - 64)
#define LINES_LARGE_TRIES   1000000

/* what a partner has: its key, itself, its ring, what is cold */
#define LINES_PARTS         4


typedef struct {
    uint32_t            place;
    uint32_t            n;
} unit_extent_t;


typedef struct {
    unit_extent_t       part[LINES_PARTS];
} unit_partner_t;


/* what a child leaves to whoever follows it */

typedef struct {
    uint64_t            step;
    uint32_t            extents;
    unit_extent_t       extent[LINES_EXTENTS];
} unit_shared_t;


static void unit_lines_edges(void);
static void unit_lines_model(void);
static void unit_lines_refused(void);
static void unit_lines_kinds(void);
static void unit_lines_deaths(void);
static void unit_lines_writer(ngx_wassiit_lines_t *lines, unit_shared_t *sh);
static ngx_uint_t unit_lines_sweep(ngx_wassiit_lines_t *lines,
    unit_shared_t *sh, uint32_t size);
static void unit_lines_churn(uint32_t size, ngx_uint_t drifting,
    ngx_uint_t always);
static ngx_uint_t unit_lines_had(ngx_wassiit_lines_t *lines, ngx_uint_t pieces,
    uint32_t n);
static ngx_uint_t unit_lines_partner(ngx_wassiit_lines_t *lines,
    unit_partner_t *p, ngx_uint_t large);
static void unit_lines_leave(ngx_wassiit_lines_t *lines, unit_partner_t *p);
static void unit_lines_cost(void);
static ngx_wassiit_lines_t *unit_lines_create(uint32_t first, uint32_t size);
static void unit_lines_destroy(ngx_wassiit_lines_t *lines);
static uint32_t unit_lines_random_size(void);
static uint32_t unit_lines_longest(const u_char *map, uint32_t size);
static uint64_t unit_lines_ns(void);


static const uint32_t  unit_rings[] = { 4, 4, 4, 8, 8, 16 };


int
main(void)
{
    unit_start();

    unit_lines_edges();
    unit_lines_model();
    unit_lines_refused();
    unit_lines_kinds();
    unit_lines_deaths();

    unit_lines_churn(1600, 0, 0);
    unit_lines_churn(16000, 0, 0);
    unit_lines_churn(160000, 0, 1);
    unit_lines_churn(1600000, 0, 1);
    unit_lines_churn(160000, 1, 0);

    unit_lines_cost();

    return unit_done();
}


static void
unit_lines_edges(void)
{
    uint32_t              n, most;
    ngx_wassiit_lines_t  *lines;

    n = NGX_WASSIIT_LINES_PLACES - 1;

    unit_is(ngx_wassiit_lines_size(n), 1088 + (1 << 22) * 16,
            "the state of 16 GiB");
    unit_is(ngx_wassiit_lines_for(0), 0, "no bytes, no lines");
    unit_is(ngx_wassiit_lines_for(65), 2, "65 bytes are two lines");
    unit_ok(ngx_wassiit_line((u_char *) 64, n) == (void *) ((size_t) 64 << 28),
            "the last line's address");

    lines = unit_lines_create(1, n);

    unit_is(ngx_wassiit_lines_left(lines), n, "all lines are free");
    unit_is(ngx_wassiit_lines_alloc(lines, 0, 0), 0, "no extent of none");
    unit_is(ngx_wassiit_lines_alloc(lines, 0, n + 1), 0, "nor of too many");

    unit_is(ngx_wassiit_lines_alloc(lines, 3, n), 1, "but one of all");
    unit_is(ngx_wassiit_lines_alloc(lines, 0, 1), 0, "then there is no more");
    unit_is(ngx_wassiit_lines_free(lines, n, 1), NGX_OK, "the last is freed");
    unit_is(ngx_wassiit_lines_alloc(lines, 0, 1), n, "and had again");

    unit_lines_destroy(lines);

    for (most = 1; most < 200; most++) {
        lines = unit_lines_create(7, most);

        for (n = 0; ngx_wassiit_lines_alloc(lines, 0, 1); n++) { /* void */ }

        if (n != most) {
            break;
        }

        unit_lines_destroy(lines);
    }

    unit_is(most, 200, "zones of 1 to 199 lines fill to the last one");
}


/* A request succeeds if and only if the map has a run of that length. */

static void
unit_lines_model(void)
{
    u_char               *map;
    uint32_t              size, first, n, k, place, used;
    ngx_uint_t            round, step, extents, wrong, none;
    unit_extent_t        *extent;
    ngx_wassiit_lines_t  *lines;

    map = malloc(LINES_MOST);
    extent = malloc(LINES_EXTENTS * sizeof(unit_extent_t));

    if (map == NULL || extent == NULL) {
        exit(2);
    }

    wrong = 0;
    none = 0;

    for (round = 0; round < LINES_ROUNDS && !wrong; round++) {
        size = 1 + unit_random(round % 3 ? 1500 : 300);
        first = 1 + unit_random(200);

        lines = unit_lines_create(first, size);
        memset(map, 0, size);
        extents = 0;
        used = 0;

        for (step = 0; step < LINES_STEPS && !wrong; step++) {

            if (extents && unit_random(100) < (step / 500 % 2 ? 60 : 35)) {
                k = unit_random(extents);
                place = extent[k].place;
                n = extent[k].n;

                if (n > 1 && unit_random(4) == 0) {
                    /* a part of one, from its end */
                    n = 1 + unit_random(n - 1);
                    extent[k].n -= n;
                    place += extent[k].n;

                } else {
                    extent[k] = extent[--extents];
                }

                wrong |= (ngx_wassiit_lines_free(lines, place, n) != NGX_OK);
                memset(map + place - first, 0, n);
                used -= n;

            } else {
                n = unit_lines_random_size();
                place = ngx_wassiit_lines_alloc(lines, unit_random(4), n);

                if (place == 0) {
                    none++;
                    wrong |= (unit_lines_longest(map, size) >= n);
                    continue;
                }

                if (place < first || place - first > size - n) {
                    wrong = 1;
                    break;
                }

                for (k = place - first; k < place - first + n; k++) {
                    wrong |= map[k];
                    map[k] = 1;
                }

                extent[extents].place = place;
                extent[extents++].n = n;
                used += n;
            }

            wrong |= (ngx_wassiit_lines_left(lines) != size - used);
        }

        unit_lines_destroy(lines);
    }

    unit_ok(!wrong && none > 1000, "%u changes are as on a map of bytes, "
            "%u of them without room", LINES_ROUNDS * LINES_STEPS,
            (unsigned) none);

    free(map);
    free(extent);
}


static void
unit_lines_refused(void)
{
    uint32_t              a;
    ngx_wassiit_lines_t  *lines;

    lines = unit_lines_create(10, 100);
    a = ngx_wassiit_lines_alloc(lines, 0, 16);

    unit_is(ngx_wassiit_lines_free(lines, a, 17), NGX_ERROR,
            "more than is taken isn't freed");
    unit_is(ngx_wassiit_lines_free(lines, 0, 1), NGX_ERROR, "nor place 0");
    unit_is(ngx_wassiit_lines_free(lines, 109, 2), NGX_ERROR,
            "nor what lies beyond the last");
    unit_is(ngx_wassiit_lines_free(lines, a, (uint32_t) -1), NGX_ERROR,
            "nor a wild length");
    unit_is(ngx_wassiit_lines_left(lines), 84, "and nothing was");
    unit_is(ngx_wassiit_lines_free(lines, a, 16), NGX_OK, "an extent is");
    unit_is(ngx_wassiit_lines_free(lines, a, 16), NGX_ERROR, "only once");

    ngx_wassiit_lines_clear(lines);
    unit_is(ngx_wassiit_lines_mark(lines, 60, 20), NGX_OK, "one is marked");
    unit_is(ngx_wassiit_lines_mark(lines, 79, 2), NGX_ERROR,
            "not what overlaps it");
    unit_is(ngx_wassiit_lines_mark(lines, 9, 2), NGX_ERROR,
            "nor what lies before the first");
    unit_is(ngx_wassiit_lines_mark(lines, 108, 3), NGX_ERROR,
            "nor what lies beyond the last");
    unit_is(ngx_wassiit_lines_count(lines), 80, "the rest is free");
    unit_is(ngx_wassiit_lines_alloc(lines, 0, 51), 0, "below it 50 are");
    unit_is(ngx_wassiit_lines_alloc(lines, 0, 50), 10, "and had");

    unit_lines_destroy(lines);
}


/* Kinds share no word while there is room, and all room when there is none. */

static void
unit_lines_kinds(void)
{
    u_char               *kind;
    uint32_t              place, i, n;
    ngx_uint_t            k, mixed;
    ngx_wassiit_lines_t  *lines;

    lines = unit_lines_create(64, 6400);
    kind = calloc(101, 1);

    if (kind == NULL) {
        exit(2);
    }

    mixed = 0;

    for (i = 0; i < 1000; i++) {
        k = unit_random(4);
        n = 1 + unit_random(4);
        place = ngx_wassiit_lines_alloc(lines, k, n);
        mixed |= (kind[place / 64] && kind[place / 64] != k + 1);
        kind[place / 64] = k + 1;
    }

    unit_ok(!mixed, "kinds lie apart");

    for (n = 0; ngx_wassiit_lines_alloc(lines, 2, 1); n++) { /* void */ }

    unit_is(ngx_wassiit_lines_left(lines), 0, "one kind gets all there is");

    free(kind);
    unit_lines_destroy(lines);
}


static void
unit_lines_deaths(void)
{
    pid_t                 pid;
    uint32_t              size;
    uint64_t              steps;
    ngx_uint_t            i, good;
    unit_shared_t        *sh;
    struct timespec       ts;
    ngx_wassiit_lines_t  *lines;

    sh = mmap(NULL, sizeof(unit_shared_t), PROT_READ|PROT_WRITE,
              MAP_ANON|MAP_SHARED, -1, 0);

    if (sh == MAP_FAILED) {
        exit(2);
    }

    size = 6007;
    lines = unit_lines_create(64, size);
    good = 0;
    steps = 0;

    for (i = 0; i < LINES_KILLS; i++) {
        sh->step = 0;
        fflush(stdout);
        pid = fork();

        if (pid == 0) {
            unit_state += i;
            unit_lines_writer(lines, sh);
        }

        while (__atomic_load_n(&sh->step, __ATOMIC_ACQUIRE) == 0) {
            ngx_sched_yield();
        }

        ts.tv_sec = 0;
        ts.tv_nsec = unit_random(1000000);
        nanosleep(&ts, NULL);

        kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);

        steps += sh->step;
        good += unit_lines_sweep(lines, sh, size);
    }

    unit_is(good, LINES_KILLS, "a sweep mends what a killed writer left");
    unit_note("%llu changes by writers that were killed",
              (unsigned long long) steps);

    unit_lines_destroy(lines);
    (void) munmap(sh, sizeof(unit_shared_t));
}


/* An extent is reachable from the store of sh->extents on. */

static void
unit_lines_writer(ngx_wassiit_lines_t *lines, unit_shared_t *sh)
{
    uint32_t       k, n, last;
    unit_extent_t  gone;

    for ( ;; ) {
        n = unit_lines_random_size();
        last = sh->extents;

        if (last && unit_random(2)) {
            /* the last is freed only when nothing leads to it */
            k = unit_random(last);
            gone = sh->extent[k];
            __atomic_store_n(&sh->extents, k, __ATOMIC_SEQ_CST);

            for ( ;; ) {
                if (ngx_wassiit_lines_free(lines, gone.place, gone.n)
                    != NGX_OK)
                {
                    _exit(1);
                }

                if (++k == last) {
                    break;
                }

                gone = sh->extent[k];
            }

        } else if (last < LINES_EXTENTS) {
            sh->extent[last].n = n;
            sh->extent[last].place = ngx_wassiit_lines_alloc(lines, n & 3, n);

            if (sh->extent[last].place) {
                __atomic_store_n(&sh->extents, last + 1, __ATOMIC_SEQ_CST);
            }
        }

        __atomic_store_n(&sh->step, sh->step + 1, __ATOMIC_RELEASE);
    }
}


static ngx_uint_t
unit_lines_sweep(ngx_wassiit_lines_t *lines, unit_shared_t *sh, uint32_t size)
{
    uint32_t    used, i, place, n;
    ngx_uint_t  good;

    used = 0;
    good = 1;

    ngx_wassiit_lines_clear(lines);

    for (i = 0; i < sh->extents; i++) {
        good &= (ngx_wassiit_lines_mark(lines, sh->extent[i].place,
                                        sh->extent[i].n)
                 == NGX_OK);
        used += sh->extent[i].n;
    }

    good &= (ngx_wassiit_lines_count(lines) == size - used);

    /* each line that is free can be had, and no other */

    for (n = 0; n < size - used; n++) {
        place = ngx_wassiit_lines_alloc(lines, n & 3, 1);
        good &= (place >= 64 && place - 64 < size);
    }

    good &= (ngx_wassiit_lines_alloc(lines, 0, 1) == 0);

    ngx_wassiit_lines_clear(lines);

    for (i = 0; i < sh->extents; i++) {
        (void) ngx_wassiit_lines_mark(lines, sh->extent[i].place,
                                      sh->extent[i].n);
    }

    (void) ngx_wassiit_lines_count(lines);

    return good;
}


/*
 * Partners come and go at random while 95 % of the lines are taken.  drifting:
 * the mix of rings drifts from small to large and back.  always: a run of 16
 * lines is always to be had.  Four runs of 4 are in any case.
 */

static void
unit_lines_churn(uint32_t size, ngx_uint_t drifting, ngx_uint_t always)
{
    uint32_t              k, n, least;
    uint64_t              start;
    ngx_uint_t            i, tries, fails, pieces, early, large;
    unit_partner_t       *partner;
    ngx_wassiit_lines_t  *lines;

    lines = unit_lines_create(64, size);
    least = size / 20;

    partner = calloc(size / 9 + 1, sizeof(unit_partner_t));

    if (partner == NULL) {
        exit(2);
    }

    n = 0;
    tries = 0;
    fails = 0;
    pieces = 0;
    early = 0;
    large = 0;

    start = unit_lines_ns();

    for (i = 0; i < LINES_CHURN; i++) {

        if (drifting) {
            k = i % 100000;
            large = ngx_min(k, 100000 - k) / 500;
        }

        while (ngx_wassiit_lines_left(lines) >= least + 21) {
            if (!unit_lines_partner(lines, &partner[n], large)) {
                early++;
                break;
            }

            n++;
        }

        k = unit_random(n);
        unit_lines_leave(lines, &partner[k]);
        partner[k] = partner[--n];

        if (i % 8 == 0 && ngx_wassiit_lines_left(lines) >= least) {
            tries++;
            fails += !unit_lines_had(lines, 1, 16);
            pieces += !unit_lines_had(lines, 4, 4);
        }
    }

    unit_note("%u lines, %s mix, %u partners: of %u requests for 16 lines %u "
              "failed, for four times 4 %u, and of 250,000 for a partner %u; "
              "%u ns a partner", (unsigned) size,
              drifting ? "drifting" : "steady", (unsigned) n, (unsigned) tries,
              (unsigned) fails, (unsigned) pieces, (unsigned) early,
              (unsigned) ((unit_lines_ns() - start) / LINES_CHURN));

    unit_ok(pieces == 0 && (!always || (fails == 0 && early == 0)),
            "what fits is had where 5 %% of %u lines are free",
            (unsigned) size);

    free(partner);
    unit_lines_destroy(lines);
}


/* Are so many extents of n lines to be had now?  They are given back. */

static ngx_uint_t
unit_lines_had(ngx_wassiit_lines_t *lines, ngx_uint_t pieces, uint32_t n)
{
    uint32_t    place[4];
    ngx_uint_t  i, had;

    for (i = 0; i < pieces; i++) {
        place[i] = ngx_wassiit_lines_alloc(lines, 1, n);

        if (place[i] == 0) {
            break;
        }
    }

    had = (i == pieces);

    while (i--) {
        (void) ngx_wassiit_lines_free(lines, place[i], n);
    }

    return had;
}


static ngx_uint_t
unit_lines_partner(ngx_wassiit_lines_t *lines, unit_partner_t *p,
    ngx_uint_t large)
{
    ngx_uint_t  i;

    static const uint32_t  kinds[] = { 0, 0, 1, 0 };

    p->part[0].n = 2;
    p->part[1].n = 1;
    p->part[2].n = unit_rings[unit_random(6)];
    p->part[3].n = 2 + (unit_random(8) == 0);

    if (unit_random(100) < large) {
        p->part[2].n = 16;
    }

    for (i = 0; i < LINES_PARTS; i++) {
        p->part[i].place = ngx_wassiit_lines_alloc(lines, kinds[i],
                                                   p->part[i].n);

        if (p->part[i].place == 0) {
            while (i--) {
                (void) ngx_wassiit_lines_free(lines, p->part[i].place,
                                              p->part[i].n);
            }

            return 0;
        }
    }

    return 1;
}


static void
unit_lines_leave(ngx_wassiit_lines_t *lines, unit_partner_t *p)
{
    ngx_uint_t  i;

    for (i = 0; i < LINES_PARTS; i++) {
        (void) ngx_wassiit_lines_free(lines, p->part[i].place, p->part[i].n);
    }
}


/* 2^28 lines, of which nine tenths are taken. */

static void
unit_lines_cost(void)
{
    uint32_t              place, n, *places;
    uint64_t              start, ns;
    ngx_uint_t            i, fails;
    ngx_wassiit_lines_t  *lines;

    start = unit_lines_ns();
    lines = unit_lines_create(64, LINES_LARGE);
    unit_note("a state for %u lines is made in %u us", LINES_LARGE,
              (unsigned) ((unit_lines_ns() - start) / 1000));

    for (i = 0; i < LINES_LARGE / 64; i++) {
        (void) ngx_wassiit_lines_alloc(lines, i & 1, 64);
    }

    unit_is(ngx_wassiit_lines_left(lines), 0, "16 GiB are filled");

    while (ngx_wassiit_lines_left(lines) < LINES_LARGE / 10) {
        n = 1 + unit_random(16);
        place = 64 + unit_random(LINES_LARGE - n);
        (void) ngx_wassiit_lines_free(lines, place, n);
    }

    places = malloc(LINES_LARGE_TRIES * 2 * sizeof(uint32_t));

    if (places == NULL) {
        exit(2);
    }

    fails = 0;
    start = unit_lines_ns();

    for (i = 0; i < LINES_LARGE_TRIES; i++) {
        n = 1 + unit_random(16);
        places[2 * i] = ngx_wassiit_lines_alloc(lines, unit_random(4), n);
        places[2 * i + 1] = n;
        fails += (places[2 * i] == 0);
    }

    ns = (unit_lines_ns() - start) / LINES_LARGE_TRIES;
    unit_note("90%% taken at random: %u ns an extent of 1 to 16 lines",
              (unsigned) ns);
    unit_is(fails, 0, "none fails");
    unit_ok(ns < 10000, "less than 10 us each");

    start = unit_lines_ns();

    for (i = 0; i < LINES_LARGE_TRIES; i++) {
        (void) ngx_wassiit_lines_free(lines, places[2 * i],
                                      places[2 * i + 1]);
    }

    unit_note("%u ns to give one back", (unsigned)
              ((unit_lines_ns() - start) / LINES_LARGE_TRIES));

    start = unit_lines_ns();
    place = ngx_wassiit_lines_alloc(lines, 0, 640);
    unit_note("%u us for 640 lines, %s", (unsigned)
              ((unit_lines_ns() - start) / 1000), place ? "had" : "of none");

    start = unit_lines_ns();
    place = ngx_wassiit_lines_alloc(lines, 0, 640);
    unit_note("%u us for the next 640 lines", (unsigned)
              ((unit_lines_ns() - start) / 1000));

    free(places);
    unit_lines_destroy(lines);
}


static ngx_wassiit_lines_t *
unit_lines_create(uint32_t first, uint32_t size)
{
    size_t                len;
    ngx_wassiit_lines_t  *lines;

    len = ngx_wassiit_lines_size(size);

    lines = mmap(NULL, len, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    if (lines == MAP_FAILED) {
        perror("mmap()");
        exit(2);
    }

    ngx_wassiit_lines_init(lines, first, size);

    return lines;
}


static void
unit_lines_destroy(ngx_wassiit_lines_t *lines)
{
    (void) munmap(lines, ngx_wassiit_lines_size(lines->size));
}


static uint32_t
unit_lines_random_size(void)
{
    return unit_random(50) ? 1 + unit_random(unit_random(5) ? 16 : 70)
                           : 1 + unit_random(640);
}


static uint32_t
unit_lines_longest(const u_char *map, uint32_t size)
{
    uint32_t  i, n, longest;

    for (i = 0, n = 0, longest = 0; i < size; i++) {
        n = map[i] ? 0 : n + 1;
        longest = ngx_max(longest, n);
    }

    return longest;
}


static uint64_t
unit_lines_ns(void)
{
    struct timespec  ts;

    /* of this process, as others may be busy */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
