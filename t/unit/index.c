
/* The index: against a plain table, beside a reader, and after deaths. */


#include "unit.h"

#include "ngx_wassiit_index.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>


#define INDEX_KEYS          512     /* keys 0 .. 511, at places */
#define INDEX_SIZE          1031    /* words that they are raced in */
#define INDEX_ROUNDS        200
#define INDEX_STEPS         5000
#define INDEX_CHANGES       1000000
#define INDEX_KILLS         500

/*
 * Keys below INDEX_STABLE are never removed while others race; each place says
 * which key it is of.  A key has two places, of which its word names one.
 */
#define INDEX_STABLE        128
#define INDEX_PLACE(key, n) (2 + (key) * 2 + (n))
#define INDEX_KEY(place)    ((place) / 2 - 1)


typedef struct {
    ngx_wassiit_index_t index;
    uint32_t            words[INDEX_SIZE];
    uint32_t            stop;
    uint64_t            step;
    uint64_t            lookups;
    uint64_t            missed;
    uint32_t            intent;     /* 1 + the key that is being changed */
    u_char              in[INDEX_KEYS];
} unit_shared_t;


static void unit_index_words(void);
static void unit_index_model(void);
static void unit_index_full(void);
static void unit_index_wraps(void);
static void unit_index_unknown(void);
static void unit_index_race(void);
static void unit_index_reader(void);
static void unit_index_deaths(void);
static void unit_index_writer(ngx_uint_t churn);
static void unit_index_change(ngx_uint_t key);
static uint32_t unit_index_find(ngx_wassiit_probe_t *probe, ngx_uint_t key);
static ngx_uint_t unit_index_same(void);
static ngx_int_t unit_index_add(ngx_uint_t key);
static void unit_index_reset(uint32_t size);
static pid_t unit_index_fork(void);


static unit_shared_t  *sh;

/* keys that share a hash with one; 3: and a tag; 7: all are at the end */
static ngx_uint_t      crowd;


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

    unit_index_words();
    unit_index_model();
    unit_index_full();
    unit_index_wraps();
    unit_index_unknown();
    unit_index_race();
    unit_index_deaths();

    return unit_done();
}


static ngx_inline uint32_t
unit_index_hash(ngx_uint_t key)
{
    uint32_t  hash;

    hash = (key / (1 + crowd) + 1) * 0x9e3779b1;
    hash = (hash ^ hash >> 15) * 0x85ebca6b;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35;

    /* all in the last words */
    return (crowd == 7) ? hash | 0xff000000 : hash;
}


static ngx_inline uint32_t
unit_index_tag(ngx_uint_t key)
{
    return (crowd == 3) ? 5 : key * 7 / 3;
}


static void
unit_index_words(void)
{
    ngx_wassiit_probe_t  probe;

    unit_is(sizeof(ngx_wassiit_index_t), 12, "three words of state");
    unit_is(NGX_WASSIIT_INDEX_WORD(0xfd, 0x0fffffff), 0xdfffffff,
            "a word of the last place");
    unit_is(NGX_WASSIIT_INDEX_PLACE(0xdfffffff), 0x0fffffff, "and its place");
    unit_is(NGX_WASSIIT_INDEX_PLACE(NGX_WASSIIT_INDEX_GONE), 0,
            "a mark has none");

    unit_index_reset(1);
    unit_is(unit_index_find(&probe, 3), 0, "nothing is in one empty word");
    unit_is(unit_index_add(3), NGX_OK, "one is inserted");
    unit_is(unit_index_find(&probe, 3), INDEX_PLACE(3, 0), "and found");
    unit_is(unit_index_find(&probe, 4), 0, "no other is");
    unit_is(unit_index_add(4), NGX_DECLINED, "nor inserted");
    (void) unit_index_find(&probe, 3);
    ngx_wassiit_index_remove(&probe, &sh->index);
    unit_is(unit_index_find(&probe, 3), 0, "it is removed");
    unit_is(unit_index_add(4), NGX_OK, "there is room again");
}


static void
unit_index_model(void)
{
    uint32_t    size;
    ngx_uint_t  round, step, good;

    good = 1;

    for (round = 0; round < INDEX_ROUNDS && good; round++) {
        crowd = round % 8;
        size = 1 + unit_random(INDEX_SIZE);
        unit_index_reset(size);

        for (step = 0; step < INDEX_STEPS; step++) {
            unit_index_change(unit_random(ngx_min(size, INDEX_KEYS)));

            if (step % 128 == 0) {
                good &= unit_index_same();
            }
        }

        good &= unit_index_same();
    }

    crowd = 0;

    unit_ok(good, "%u changes are as in a plain table",
            INDEX_ROUNDS * INDEX_STEPS);
}


static void
unit_index_full(void)
{
    ngx_uint_t           key, good;
    ngx_wassiit_probe_t  probe;

    unit_index_reset(100);
    good = 1;

    for (key = 0; key < 100; key++) {
        good &= (unit_index_add(key) == NGX_OK);
        sh->in[key] = 1;
    }

    unit_ok(good && unit_index_same(), "each word of an index can be taken");
    unit_is(unit_index_add(100), NGX_DECLINED, "then no more is inserted");
    unit_is(unit_index_find(&probe, 100), 0, "and a search for more ends");

    for (key = 0; key < 100; key++) {
        unit_index_change(key);
        good &= unit_index_same();
    }

    unit_ok(good && ngx_wassiit_index_used(&sh->index) == 0,
            "all of them can be removed");
}


static void
unit_index_wraps(void)
{
    uint32_t    at, n;
    ngx_uint_t  key, good;

    crowd = 7;
    unit_index_reset(64);

    for (key = 0; key < 20; key++) {
        (void) unit_index_add(key);
        sh->in[key] = 1;
    }

    unit_ok(sh->words[0] > 1 && unit_index_same(),
            "what begins at the end goes on at the start");

    at = 0;

    for (n = 0; ngx_wassiit_index_each(sh->words, &sh->index, &at); n++) {
        /* void */
    }

    unit_is(n, 20, "each is gone through");

    good = 1;

    for (key = 0; key < 20; key++) {
        unit_index_change(key);
        good &= unit_index_same();
    }

    for (at = 0; at < 64; at++) {
        good &= (sh->words[at] == NGX_WASSIIT_INDEX_EMPTY);
    }

    unit_ok(good, "marks before an empty word are cleared");
    crowd = 0;
}


/* However many have gone, a search for an unknown key is short. */

static void
unit_index_unknown(void)
{
    uint32_t  i;

    unit_index_reset(INDEX_SIZE);

    for (i = 0; i < INDEX_CHANGES; i++) {
        unit_index_change(unit_random(INDEX_KEYS));
    }

    unit_note("reach is %u of %u words after %u changes at a load of 1/4",
              (unsigned) sh->index.reach, INDEX_SIZE, INDEX_CHANGES);
    unit_ok(sh->index.reach < 100, "searches stay short");
}


/* A reader never misses a key that is stable, whatever the writer does. */

static void
unit_index_race(void)
{
    pid_t       pid;
    uint64_t    step;
    ngx_uint_t  round, key;

    for (round = 0; round < 2; round++) {
        crowd = round ? 7 : 0;
        unit_index_reset(round ? INDEX_KEYS : INDEX_SIZE);

        for (key = 0; key < INDEX_STABLE; key++) {
            /* others come before them, and go */
            (void) unit_index_add(INDEX_KEYS - 1 - key);
            sh->in[INDEX_KEYS - 1 - key] = 1;
            (void) unit_index_add(key);
            sh->in[key] = 1;
        }

        sh->stop = 0;
        sh->lookups = 0;
        sh->missed = 0;

        pid = unit_index_fork();

        if (pid == 0) {
            unit_index_reader();
        }

        for (step = 0;
             step < INDEX_CHANGES / 2
             || __atomic_load_n(&sh->lookups, __ATOMIC_ACQUIRE) < 100000;
             step++)
        {
            unit_index_writer(1);
        }

        __atomic_store_n(&sh->stop, 1, __ATOMIC_RELEASE);
        (void) waitpid(pid, NULL, 0);

        unit_note("%llu look-ups beside %llu changes",
                  (unsigned long long) sh->lookups,
                  (unsigned long long) step);
        unit_is(sh->missed, 0, "no stable key is missed");
        unit_ok(unit_index_same(), "the index is as its writer says");
    }

    crowd = 0;
}


static void
unit_index_reader(void)
{
    ngx_wassiit_probe_t  probe;

    while (!__atomic_load_n(&sh->stop, __ATOMIC_ACQUIRE)) {
        sh->missed += (unit_index_find(&probe, unit_random(INDEX_STABLE))
                       == 0);
        __atomic_store_n(&sh->lookups, sh->lookups + 1, __ATOMIC_RELEASE);
    }

    _exit(0);
}


static void
unit_index_deaths(void)
{
    pid_t                pid;
    uint32_t             at;
    uint64_t             steps;
    ngx_uint_t           i, key, good;
    struct timespec      ts;
    ngx_wassiit_probe_t  probe;

    unit_index_reset(INDEX_SIZE);
    good = 1;
    steps = 0;

    for (i = 0; i < INDEX_KILLS; i++) {
        crowd = i / 64 % 2 ? 1 : 0;

        if (i % 64 == 0) {
            unit_index_reset(INDEX_SIZE);
        }

        sh->step = 0;
        pid = unit_index_fork();

        if (pid == 0) {
            for ( ;; ) {
                unit_index_writer(0);
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

        /* the change that it died in is done, or not */

        if (sh->intent) {
            key = sh->intent - 1;
            sh->in[key] = (unit_index_find(&probe, key) != 0);
        }

        (void) ngx_wassiit_index_recount(sh->words, &sh->index);
        good &= unit_index_same();

        for (at = 0; at < sh->index.size; at++) {
            good &= (sh->words[at] <= NGX_WASSIIT_INDEX_GONE
                     || NGX_WASSIIT_INDEX_PLACE(sh->words[at]) != 0);
        }
    }

    unit_note("%llu changes by writers that were killed",
              (unsigned long long) steps);
    unit_ok(good, "the index holds all after each of %u deaths", INDEX_KILLS);
    crowd = 0;
}


/* One change; churn: those of stable keys only replace their places. */

static void
unit_index_writer(ngx_uint_t churn)
{
    uint32_t             place;
    ngx_uint_t           key;
    ngx_wassiit_probe_t  probe;

    key = unit_random(INDEX_KEYS);

    if (churn && key < INDEX_STABLE) {
        place = unit_index_find(&probe, key);
        ngx_wassiit_index_replace(&probe, place ^ 1);

        return;
    }

    __atomic_store_n(&sh->intent, key + 1, __ATOMIC_SEQ_CST);
    unit_index_change(key);
    __atomic_store_n(&sh->intent, 0, __ATOMIC_SEQ_CST);
}


/* Inserts the key, or removes it. */

static void
unit_index_change(ngx_uint_t key)
{
    ngx_wassiit_probe_t  probe;

    if (sh->in[key]) {
        (void) unit_index_find(&probe, key);
        ngx_wassiit_index_remove(&probe, &sh->index);
        sh->in[key] = 0;
        return;
    }

    sh->in[key] = (unit_index_add(key) == NGX_OK);
}


/* Returns the key's place; 0: it isn't in the index. */

static uint32_t
unit_index_find(ngx_wassiit_probe_t *probe, ngx_uint_t key)
{
    uint32_t  word;

    word = ngx_wassiit_index_first(probe, sh->words, &sh->index,
                                   unit_index_hash(key), unit_index_tag(key));

    while (word && INDEX_KEY(NGX_WASSIIT_INDEX_PLACE(word)) != key) {
        word = ngx_wassiit_index_next(probe);
    }

    return NGX_WASSIIT_INDEX_PLACE(word);
}


static ngx_int_t
unit_index_add(ngx_uint_t key)
{
    return ngx_wassiit_index_insert(sh->words, &sh->index,
                                    unit_index_hash(key), unit_index_tag(key),
                                    INDEX_PLACE(key, 0));
}


/* Is the index as the plain table is? */

static ngx_uint_t
unit_index_same(void)
{
    uint32_t             n;
    ngx_uint_t           key;
    ngx_wassiit_probe_t  probe;

    for (key = 0, n = 0; key < INDEX_KEYS; key++) {
        n += sh->in[key];

        if ((unit_index_find(&probe, key) != 0) != sh->in[key]) {
            unit_note("key %u is wrong", (unsigned) key);
            return 0;
        }
    }

    return ngx_wassiit_index_used(&sh->index) == n;
}


static void
unit_index_reset(uint32_t size)
{
    ngx_memzero(sh, sizeof(unit_shared_t));
    ngx_wassiit_index_init(&sh->index, size);
}


static pid_t
unit_index_fork(void)
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
