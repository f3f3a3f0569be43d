
/* The order of ids: against a table, beside readers, and after deaths. */


#include "unit.h"

#include "ngx_wassiit_order.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>


#define ORDER_IDS           1200    /* id i is at place 1 + i, or so much on */
#define ORDER_EACH          6       /* each 6th is never removed in a walk */
#define ORDER_STEPS         20000
#define ORDER_FEW           96      /* ids of the list that is watched */
#define ORDER_WATCHED       3000
#define ORDER_CHANGES       300000
#define ORDER_KILLS         500
#define ORDER_MANY          200000


typedef struct {
    u_char              len;
    u_char              id[15];
    uint32_t            next[NGX_WASSIIT_ORDER_LEVELS];
} unit_node_t;


typedef struct {
    ngx_wassiit_order_t order;
    uint32_t            stop;
    uint32_t            changing;   /* the id that is, or was last */
    uint64_t            step;
    uint64_t            walks;
    uint64_t            wrong;
    uint32_t            in[ORDER_IDS];  /* its place, or 0 */
    unit_node_t         node[1 + ORDER_IDS * 2];
} unit_shared_t;


static void unit_order_levels(void);
static void unit_order_table(void);
static void unit_order_steps(void);
static ngx_uint_t unit_order_whole(void);
static void unit_order_walks(void);
static void unit_order_reader(void);
static void unit_order_deaths(void);
static void unit_order_many(void);
static void unit_order_change(ngx_uint_t i);
static void unit_order_put(ngx_uint_t i);
static ngx_uint_t unit_order_same(void);
static void unit_order_reset(void);
static uint32_t *unit_order_next(void *data, uint32_t place,
    ngx_uint_t level);
static const u_char *unit_order_id(void *data, uint32_t place, size_t *len);
static int unit_order_sort(const void *one, const void *two);
static pid_t unit_order_fork(void);
static uint64_t unit_order_ns(void);


static unit_shared_t  *sh;
static unit_node_t    *node;
static ngx_uint_t      checked, bad_level;
static ngx_uint_t      sorted[ORDER_IDS];
static ngx_uint_t      watched, watching, steps, broken;

static ngx_wassiit_order_list_t  list = {
    NULL, NULL, unit_order_next, unit_order_id
};


int
main(void)
{
    unit_start();

    sh = mmap(NULL, sizeof(unit_shared_t), PROT_READ|PROT_WRITE,
              MAP_ANON|MAP_SHARED, -1, 0);

    if (sh == MAP_FAILED) {
        perror("mmap()");
        exit(2);
    }

    list.order = &sh->order;

    unit_order_levels();
    unit_order_table();
    unit_order_steps();
    unit_order_walks();
    unit_order_deaths();
    unit_order_many();

    return unit_done();
}


static void
unit_order_levels(void)
{
    char        id[16];
    size_t      len;
    ngx_uint_t  i, n, count[NGX_WASSIIT_ORDER_LEVELS + 1];

    ngx_memzero(count, sizeof(count));

    for (i = 0; i < 1 << 20; i++) {
        len = snprintf(id, sizeof(id), "partner-%u", (unsigned) i);
        count[ngx_wassiit_order_levels((u_char *) id, len)]++;
    }

    n = 1 << 20;

    for (i = 1; i <= 5; i++) {
        unit_ok(count[i] > n / 4 * 3 - n / 16 && count[i] < n / 4 * 3 + n / 16,
                "three of four ids end on level %u", (unsigned) i);
        n -= count[i];
    }

    unit_is(count[0], 0, "each id is on one");
    unit_ok(ngx_wassiit_order_compare((u_char *) "ab", 2, (u_char *) "b", 1)
            < 0, "ab comes before b");
    unit_ok(ngx_wassiit_order_compare((u_char *) "ab", 2, (u_char *) "a", 1)
            > 0, "and after a");
    unit_ok(ngx_wassiit_order_compare((u_char *) "\xff", 1, (u_char *) "a", 1)
            > 0, "bytes have no sign");
}


static void
unit_order_table(void)
{
    ngx_uint_t  step, good;

    unit_order_reset();
    good = 1;
    checked = 1;

    unit_is(ngx_wassiit_order_after(&list, (u_char *) "", 0), 0,
            "an empty list has none");
    unit_is(ngx_wassiit_order_next(&list, 0), 0, "nor a first");

    for (step = 0; step < ORDER_STEPS && good; step++) {
        unit_order_change(unit_random(ORDER_IDS));

        if (step % 64 == 0) {
            good &= unit_order_same();
        }
    }

    unit_ok(good && unit_order_same(), "%u changes are as in a sorted table",
            ORDER_STEPS);
    checked = 0;
    unit_is(bad_level, 0, "a place is asked for no level that it isn't on");
}


/* The list is whole whenever a word is asked for: at each step of a change. */

static void
unit_order_steps(void)
{
    ngx_uint_t    n;
    unit_node_t  *gone;

    unit_order_reset();
    watched = 1;

    for (n = 0; n < ORDER_WATCHED; n++) {
        sh->changing = unit_random(ORDER_FEW);

        /* nobody comes by what a place holds before it is linked */

        gone = &sh->node[1 + sh->changing];

        if (sh->in[sh->changing] == 1 + sh->changing) {
            gone += ORDER_IDS;
        }

        memset(gone->next, 0, sizeof(gone->next));

        if (unit_random(2)) {
            unit_order_put(sh->changing);

        } else {
            unit_order_change(sh->changing);
        }
    }

    watched = 0;

    unit_ok(broken == 0 && steps > ORDER_WATCHED,
            "the list is whole at each of %u steps", (unsigned) steps);
}


static ngx_uint_t
unit_order_whole(void)
{
    uint32_t    place;
    ngx_uint_t  k, i, level, below[ORDER_IDS];

    for (k = 0; k < ORDER_FEW; k++) {
        below[k] = 1;
    }

    for (level = 0; level < NGX_WASSIIT_ORDER_LEVELS; level++) {
        place = sh->order.first[level];

        for (k = 0; k < ORDER_IDS; k++) {
            i = sorted[k];

            if (i >= ORDER_FEW) {
                continue;
            }

            if (place && (place - 1) % ORDER_IDS == i) {
                if (!below[i]) {
                    return 0;
                }

                place = sh->node[place].next[level];
                continue;
            }

            below[i] = 0;

            if (level == 0 && sh->in[i] && i != sh->changing) {
                return 0;
            }
        }

        if (place) {
            return 0;
        }
    }

    return 1;
}


/* Each stable id is met once, in order, whatever is done to it meanwhile. */

static void
unit_order_walks(void)
{
    pid_t       pid;
    uint64_t    step;
    ngx_uint_t  i;

    unit_order_reset();

    for (i = 0; i < ORDER_IDS; i += ORDER_EACH) {
        unit_order_put(i);
    }

    pid = unit_order_fork();

    if (pid == 0) {
        unit_order_reader();
    }

    for (step = 0;
         step < ORDER_CHANGES
         || __atomic_load_n(&sh->walks, __ATOMIC_ACQUIRE) < 1000;
         step++)
    {
        i = unit_random(ORDER_IDS);

        if (i % ORDER_EACH) {
            unit_order_change(i);

        } else {
            unit_order_put(i);
        }
    }

    __atomic_store_n(&sh->stop, 1, __ATOMIC_RELEASE);
    (void) waitpid(pid, NULL, 0);

    unit_note("%llu walks beside %llu changes",
              (unsigned long long) sh->walks, (unsigned long long) step);
    unit_is(sh->wrong, 0, "each stable id is met once, in order");
    unit_ok(unit_order_same(), "the list is as its writer says");
}


static void
unit_order_reader(void)
{
    size_t         len;
    uint32_t       place, last;
    ngx_uint_t     met, by_id;
    const u_char  *id;
    unit_node_t   *n;
    u_char         seen[16];

    while (!__atomic_load_n(&sh->stop, __ATOMIC_ACQUIRE)) {
        met = 0;
        last = 0;
        by_id = unit_random(2);
        place = ngx_wassiit_order_next(&list, 0);

        while (place) {
            n = &sh->node[place];

            if (last
                && ngx_wassiit_order_compare(sh->node[last].id,
                                             sh->node[last].len, n->id, n->len)
                   >= 0)
            {
                sh->wrong++;
            }

            met += ((place - 1) % ORDER_IDS % ORDER_EACH == 0);
            last = place;

            if (by_id) {
                id = unit_order_id(NULL, place, &len);
                ngx_memcpy(seen, id, len);
                place = ngx_wassiit_order_after(&list, seen, len);

            } else {
                place = ngx_wassiit_order_next(&list, place);
            }
        }

        sh->wrong += (met != ORDER_IDS / ORDER_EACH);

        __atomic_store_n(&sh->walks, sh->walks + 1, __ATOMIC_RELEASE);
    }

    _exit(0);
}


static void
unit_order_deaths(void)
{
    pid_t            pid;
    uint64_t         steps;
    ngx_uint_t       i, k, good;
    struct timespec  ts;

    unit_order_reset();
    good = 1;
    steps = 0;

    for (i = 0; i < ORDER_KILLS && good; i++) {
        sh->step = 0;
        pid = unit_order_fork();

        if (pid == 0) {
            for ( ;; ) {
                k = unit_random(ORDER_IDS);
                __atomic_store_n(&sh->changing, k, __ATOMIC_SEQ_CST);
                unit_order_change(k);
                __atomic_store_n(&sh->step, sh->step + 1, __ATOMIC_RELEASE);
            }
        }

        while (__atomic_load_n(&sh->step, __ATOMIC_ACQUIRE) == 0) {
            ngx_sched_yield();
        }

        ts.tv_sec = 0;
        ts.tv_nsec = unit_random(500000);
        nanosleep(&ts, NULL);
        kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        steps += sh->step;

        ngx_wassiit_order_mend(&list);

        for (k = 0; k < ORDER_IDS; k++) {
            if (sh->in[k] && (i % 2 || k == sh->changing)) {
                ngx_wassiit_order_add(&list, sh->in[k]);
            }
        }

        good &= unit_order_same();
    }

    unit_note("%llu changes by writers that were killed",
              (unsigned long long) steps);
    unit_ok(good, "a list is whole again after each of %u deaths",
            ORDER_KILLS);
}


static void
unit_order_many(void)
{
    uint32_t    i, n, swap, *at;
    uint64_t    start, in_order, random, again;

    node = calloc(1 + ORDER_MANY, sizeof(unit_node_t));
    at = malloc(ORDER_MANY * sizeof(uint32_t));

    if (node == NULL || at == NULL) {
        exit(2);
    }

    for (i = 0; i < ORDER_MANY; i++) {
        at[i] = i + 1;
        node[i + 1].len = snprintf((char *) node[i + 1].id, 15, "p-%06u",
                                   (unsigned) i);
    }

    ngx_memzero(&sh->order, sizeof(ngx_wassiit_order_t));
    start = unit_order_ns();

    for (i = 1; i <= ORDER_MANY; i++) {
        ngx_wassiit_order_add(&list, i);
    }

    in_order = (unit_order_ns() - start) / ORDER_MANY;

    for (i = ORDER_MANY - 1; i > 0; i--) {
        n = unit_random(i + 1);
        swap = at[i];
        at[i] = at[n];
        at[n] = swap;
    }

    start = unit_order_ns();

    for (i = 0; i < ORDER_MANY; i++) {
        ngx_wassiit_order_add(&list, at[i]);
    }

    again = (unit_order_ns() - start) / ORDER_MANY;

    ngx_memzero(&sh->order, sizeof(ngx_wassiit_order_t));
    start = unit_order_ns();

    for (i = 0; i < ORDER_MANY; i++) {
        ngx_wassiit_order_add(&list, at[i]);
    }

    random = (unit_order_ns() - start) / ORDER_MANY;

    unit_note("%u ids: %u ns each in order, %u at random, %u again",
              ORDER_MANY, (unsigned) in_order, (unsigned) random,
              (unsigned) again);
    unit_ok(in_order < random, "ids that come in order cost less");

    n = ngx_wassiit_order_next(&list, 0);

    for (i = 1; n == i; i++) {
        n = ngx_wassiit_order_next(&list, n);
    }

    unit_is(i, ORDER_MANY + 1, "all are in order");

    free(node);
    free(at);
    node = NULL;
}


/* The table says first that an id is there, and last that it isn't. */

static void
unit_order_change(ngx_uint_t i)
{
    if (sh->in[i] && unit_random(3)) {
        ngx_wassiit_order_remove(&list, sh->in[i]);
        __atomic_store_n(&sh->in[i], 0, __ATOMIC_RELEASE);
        return;
    }

    unit_order_put(i);
}


/* Has the id be at a place, another one than it may be at. */

static void
unit_order_put(ngx_uint_t i)
{
    uint32_t  place;

    place = 1 + i;

    if (sh->in[i] == place) {
        place += ORDER_IDS;
    }

    __atomic_store_n(&sh->in[i], place, __ATOMIC_RELEASE);
    ngx_wassiit_order_add(&list, place);
}


/* Is each level as the table is? */

static ngx_uint_t
unit_order_same(void)
{
    uint32_t      place;
    ngx_uint_t    i, k, level;
    unit_node_t  *n;

    for (level = 0; level < NGX_WASSIIT_ORDER_LEVELS; level++) {
        place = sh->order.first[level];

        for (k = 0; k < ORDER_IDS; k++) {
            i = sorted[k];
            n = &sh->node[1 + i];

            if (sh->in[i] == 0
                || ngx_wassiit_order_levels(n->id, n->len) <= level)
            {
                continue;
            }

            if (place != sh->in[i]) {
                unit_note("place %u is on level %u instead of %u",
                          (unsigned) place, (unsigned) level,
                          (unsigned) sh->in[i]);
                return 0;
            }

            place = sh->node[place].next[level];
        }

        if (place) {
            return 0;
        }
    }

    /* after an id, which may be there or not, comes the next that is */

    k = unit_random(ORDER_IDS);
    n = &sh->node[1 + sorted[k]];
    place = ngx_wassiit_order_after(&list, n->id, n->len);

    for (k++; k < ORDER_IDS && sh->in[sorted[k]] == 0; k++) { /* void */ }

    return place == ((k == ORDER_IDS) ? 0 : sh->in[sorted[k]]);
}


static void
unit_order_reset(void)
{
    ngx_uint_t    i, k;
    unit_node_t  *n;

    ngx_memzero(sh, sizeof(unit_shared_t));

    for (i = 0; i < ORDER_IDS; i++) {
        sorted[i] = i;

        for (k = 0; k < 2; k++) {
            n = &sh->node[1 + i + k * ORDER_IDS];
            n->len = snprintf((char *) n->id, sizeof(n->id), "%s%u",
                              &"partner"[i % 8], (unsigned) i / 8);
        }
    }

    qsort(sorted, ORDER_IDS, sizeof(ngx_uint_t), unit_order_sort);
}


static uint32_t *
unit_order_next(void *data, uint32_t place, ngx_uint_t level)
{
    unit_node_t  *n;

    n = node ? &node[place] : &sh->node[place];

    if (checked) {
        bad_level += (level >= ngx_wassiit_order_levels(n->id, n->len));
    }

    if (watched && !watching) {
        watching = 1;
        steps++;
        broken += !unit_order_whole();
        watching = 0;
    }

    return &n->next[level];
}


static const u_char *
unit_order_id(void *data, uint32_t place, size_t *len)
{
    unit_node_t  *n;

    n = node ? &node[place] : &sh->node[place];
    *len = n->len;

    return n->id;
}


static int
unit_order_sort(const void *one, const void *two)
{
    int           rc;
    unit_node_t  *a, *b;

    a = &sh->node[1 + *(const ngx_uint_t *) one];
    b = &sh->node[1 + *(const ngx_uint_t *) two];

    rc = memcmp(a->id, b->id, ngx_min(a->len, b->len));

    return rc ? rc : a->len - b->len;
}


static pid_t
unit_order_fork(void)
{
    pid_t     pid;
    uint64_t  seed;

    seed = unit_random64();
    pid = unit_fork();

    if (pid == 0) {
        unit_state = seed;
    }

    return pid;
}


static uint64_t
unit_order_ns(void)
{
    struct timespec  ts;

    /* of this process, as others may be busy */
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}
