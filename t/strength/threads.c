
/*
 * The concurrent core by threads of one process, for TSan, which sees no other
 * process: takers of a window that is replaced and whose cap changes; readers
 * of a journal; readers of what an index leads to, which a writer takes away
 * and, once the epochs say so, writes anew.
 *
 *     threads [FAULT]
 *
 * FAULT=early: it is written anew at once, which TSan must tell.
 */


#include "unit.h"

#include "ngx_http_wassiit_journal.h"
#include "ngx_wassiit_epoch.h"
#include "ngx_wassiit_index.h"
#include "ngx_wassiit_window.h"

#include <pthread.h>


#define THREADS         4
#define ROUNDS          20000       /* of a writer; times the strength */
#define LIMIT           50
#define WINDOWS         64
#define OBJECTS         8
#define WORDS           6


typedef struct {
    uint32_t                      key;
    uint32_t                      words[WORDS];
} threads_object_t;


static u_char                      *lines;
static uint32_t                     current;
static ngx_http_wassiit_journals_t  journals;
static ngx_wassiit_epoch_t         *epoch;
static ngx_wassiit_index_t          table;
static uint32_t                     words[32];
static threads_object_t             objects[OBJECTS];
static ngx_uint_t                   over, wrong, admitted, done;
static ngx_uint_t                   early, rounds;


/* Notes what is wrong; it is counted at the end. */

static void
threads_check(ngx_uint_t ok)
{
    if (!ok) {
        (void) ngx_wassiit_add(&wrong, 1);
    }
}


static void
threads_run(void *(*reader)(void *), void *(*writer)(void *))
{
    pthread_t   threads[THREADS];
    ngx_uint_t  i;

    over = 0;
    done = 0;

    for (i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, i ? reader : writer,
                           (void *) i))
        {
            perror("pthread_create()");
            exit(2);
        }
    }

    for (i = 0; i < THREADS; i++) {
        (void) pthread_join(threads[i], NULL);
    }
}


/* ---- a window; its clock is a count of tries */

static uint64_t  threads_time;


static void *
threads_taker(void *data)
{
    uint32_t              window;
    uint64_t              now;
    ngx_wassiit_usage_t   usage;

    while (!ngx_wassiit_load_acquire(&over)) {
        now = ngx_wassiit_add(&threads_time, 100);
        window = ngx_wassiit_load_acquire(&current);

        if (ngx_wassiit_window_take(lines, window, now, &usage) == NGX_OK) {
            threads_check(usage.remaining < LIMIT);
            (void) ngx_wassiit_add(&admitted, 1);
        }

        (void) ngx_wassiit_window_usage(lines, window, now, &usage);
        (void) ngx_wassiit_add(&done, 1);
    }

    return NULL;
}


/* Caps the window, and puts another in its place, some times in all. */

static void *
threads_window_writer(void *data)
{
    uint32_t             window, next, i, line;
    uint64_t             now, seen;
    ngx_uint_t           wide;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_ring_t   ring;

    rate.limit = LIMIT;
    rate.seconds = 1;

    line = 1;

    for (i = 0; i < WINDOWS; i++) {
        window = current;
        now = ngx_wassiit_load_acquire(&threads_time);

        (void) ngx_wassiit_window_lower(lines, window, LIMIT / 2, now);
        ngx_wassiit_window_raise(lines, window, LIMIT);

        ngx_memzero(&ring, sizeof(ring));
        ring.cells = ngx_max(ngx_wassiit_window_cells(&rate, &wide), 64);
        ring.wide = wide;
        ring.piece = NGX_WASSIIT_RING_WHOLE;

        next = line;
        ring.place = line + 1;
        line += 1 + ngx_wassiit_ring_lines(ring.cells, wide);

        ngx_wassiit_window_init(lines, next, &rate, &ring, window);
        ngx_wassiit_store_release(&current, next);

        if (window) {
            (void) ngx_wassiit_window_settle(lines, next);
        }

        /* until takers have come to it */

        seen = ngx_wassiit_load_acquire(&done);

        while (i && ngx_wassiit_load_acquire(&done) < seen + rounds / 64) {
            sched_yield();
        }
    }

    ngx_wassiit_store_release(&over, 1);

    return NULL;
}


static void
test_window(void)
{
    uint32_t             i;
    ngx_uint_t           wide;
    ngx_wassiit_rate_t   rate;
    ngx_wassiit_ring_t   ring;

    rate.limit = LIMIT;
    rate.seconds = 1;

    /* one that takers begin with, after the room of the others */

    i = WINDOWS * 20 + 1;
    ngx_memzero(&ring, sizeof(ring));
    ring.cells = ngx_max(ngx_wassiit_window_cells(&rate, &wide), 64);
    ring.wide = wide;
    ring.piece = NGX_WASSIIT_RING_WHOLE;
    ring.place = i + 1;

    ngx_wassiit_window_init(lines, i, &rate, &ring, 0);
    current = i;

    threads_run(threads_taker, threads_window_writer);

    unit_ok(wrong == 0, "a window, its caps and those that replace it");

    /* in each W, and in what is left of one */
    unit_ok(admitted && admitted <= (threads_time / 1000000 + 2) * LIMIT * 2,
            "admissions go on, and aren't too many");
    unit_note("%u tries, %u admitted", (unsigned) done, (unsigned) admitted);
}


/* ---- a journal */

static void *
threads_journal_reader(void *data)
{
    ngx_http_wassiit_journal_t  journal;

    while (!ngx_wassiit_load_acquire(&over)) {
        ngx_http_wassiit_journal_get(&journals, &journal);
        threads_check(journal.size == (off_t) journal.crc
                      && journal.lines == journal.crc);
        (void) ngx_wassiit_add(&done, 1);
    }

    return NULL;
}


static void *
threads_journal_writer(void *data)
{
    ngx_uint_t                  i;
    ngx_http_wassiit_journal_t  journal;

    ngx_memzero(&journal, sizeof(journal));

    for (i = 1; i <= rounds; i++) {
        journal.size = i;
        journal.crc = i;
        journal.lines = i;
        ngx_http_wassiit_journal_set(&journals, &journal);
    }

    ngx_wassiit_store_release(&over, 1);

    return NULL;
}


/* ---- an index, what it leads to, and its end */

static void *
threads_reader(void *data)
{
    uint32_t                   word, place, i, key, state;
    threads_object_t          *object;
    ngx_wassiit_probe_t        probe;
    ngx_wassiit_epoch_slot_t  *slot;

    slot = ngx_wassiit_epoch_claim(epoch);
    threads_check(slot != NULL);
    state = (uintptr_t) data;

    while (!ngx_wassiit_load_acquire(&over)) {
        state = state * 1103515245 + 12345;
        key = (state >> 16) % OBJECTS;

        ngx_wassiit_epoch_pin(epoch, slot);

        word = ngx_wassiit_index_first(&probe, words, &table, key << 29, key);

        while (word) {
            place = NGX_WASSIIT_INDEX_PLACE(word);
            object = &objects[place - 1];

            if (object->key % OBJECTS == key) {
                for (i = 0; i < WORDS; i++) {
                    threads_check(object->words[i] == object->key);
                }
            }

            word = ngx_wassiit_index_next(&probe);
        }

        ngx_wassiit_epoch_unpin(epoch, slot);

        if (ngx_wassiit_add(&done, 1) % 64 == 0) {
            sched_yield();
        }
    }

    return NULL;
}


static void
threads_fill(uint32_t place, uint32_t key)
{
    ngx_uint_t  i;

    objects[place - 1].key = key;

    for (i = 0; i < WORDS; i++) {
        objects[place - 1].words[i] = key;
    }
}


static void *
threads_writer(void *data)
{
    uint32_t             key;
    uint64_t             stamp;
    ngx_uint_t           i, seen;
    ngx_wassiit_probe_t  probe;

    for (i = 0; i < rounds / 20; i++) {

        /* a writer that is alone meets no reader */

        seen = ngx_wassiit_load_relaxed(&done);

        while (i % 16 == 0 && ngx_wassiit_load_relaxed(&done) < seen + 50) {
            sched_yield();
        }
        key = i % OBJECTS;

        threads_check(ngx_wassiit_index_first(&probe, words, &table, key << 29,
                                              key) != 0);
        ngx_wassiit_index_remove(&probe, &table);

        stamp = ngx_wassiit_epoch_stamp(epoch);

        while (!early && ngx_wassiit_epoch_passed(epoch) < stamp) {
            sched_yield();
        }

        threads_fill(key + 1, key + OBJECTS * i);
        (void) ngx_wassiit_index_insert(words, &table, key << 29, key,
                                        key + 1);
    }

    ngx_wassiit_store_release(&over, 1);

    return NULL;
}


static void
test_epoch(void)
{
    uint32_t  i;

    (void) ngx_wassiit_epoch_init(epoch, THREADS);
    ngx_wassiit_index_init(&table, sizeof(words) / sizeof(uint32_t));

    for (i = 0; i < OBJECTS; i++) {
        threads_fill(i + 1, i);
        (void) ngx_wassiit_index_insert(words, &table, i << 29, i, i + 1);
    }

    threads_run(threads_reader, threads_writer);

    unit_ok(wrong == 0, "what an index leads to is whole while it is read");
    unit_note("%u reads", (unsigned) done);
}


int
main(int argc, char **argv)
{
    unit_start();

    early = (argc > 1 && strcmp(argv[1], "FAULT=early") == 0);
    rounds = ROUNDS * unit_strength();

    lines = unit_shared((WINDOWS + 2) * 20 * NGX_WASSIIT_LINE);
    epoch = unit_shared(ngx_wassiit_epoch_size(THREADS));

    test_epoch();

    if (!early) {
        test_window();

        threads_run(threads_journal_reader, threads_journal_writer);
        unit_ok(wrong == 0, "a journal is the former one or the new one");
        unit_note("%u reads", (unsigned) done);
    }

    return unit_done();
}
