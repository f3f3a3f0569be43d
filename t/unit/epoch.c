
/*
 * Epochs: nothing is used again while a reader that may still see it is
 * pinned, whether it runs, is stopped or has more company than there are
 * slots; and a reader that has died, or ended, is not waited for.
 */


#include "unit.h"

#include "ngx_wassiit_epoch.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>


#define SLOTS           6
#define READERS         4
#define OBJECTS         3
#define WORDS           30
#define REUSES          4000
#define KILLS           40
#define READS           1000
#define EVERY           100         /* uses from one kill or stop to the next */
#define LONG            20000       /* ms: not reached where all is well */
#define SHORT           30


/* what readers look at: all words of an object are the same */

typedef struct {
    uint64_t                      words[WORDS];
} unit_object_t;


typedef struct {
    uint32_t                      current;
    uint32_t                      stage;
    uint64_t                      torn;
    uint64_t                      reads;
    unit_object_t                 objects[OBJECTS];
    ngx_wassiit_epoch_t           epoch;
} unit_shared_t;


static unit_shared_t  *shared;


static void unit_epoch_new(uint32_t slots);
static pid_t unit_epoch_fork(void (*run)(void));
static void unit_epoch_stage(uint32_t stage);
static void unit_epoch_end(pid_t pid, int sig);
static void unit_epoch_pinned(void);
static void unit_epoch_claims(void);
static void unit_epoch_reader(void);
static void test_order(void);
static void test_death(void);
static void test_stop(void);
static void test_crowd(void);
static void test_reuse(ngx_uint_t crowd);


int
main(void)
{
    unit_start();

    shared = mmap(NULL, sizeof(unit_shared_t) + ngx_wassiit_epoch_size(SLOTS),
                  PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap()");
        return 2;
    }

    test_order();
    test_death();
    test_stop();
    test_crowd();
    test_reuse(0);
    test_reuse(1);

    return unit_done();
}


static void
unit_epoch_new(uint32_t slots)
{
    ngx_memzero(shared, sizeof(unit_shared_t));

    if (ngx_wassiit_epoch_init(&shared->epoch, slots) != 0) {
        unit_ok(0, "an epoch is made");
    }
}


static pid_t
unit_epoch_fork(void (*run)(void))
{
    pid_t  pid;

    pid = unit_fork();

    if (pid == 0) {
        run();
        _exit(0);
    }

    return pid;
}


/* waits for a child to come so far */

static void
unit_epoch_stage(uint32_t stage)
{
    while (__atomic_load_n(&shared->stage, __ATOMIC_ACQUIRE) < stage) {
        usleep(100);
    }
}


static void
unit_epoch_end(pid_t pid, int sig)
{
    (void) kill(pid, sig);
    (void) waitpid(pid, NULL, 0);
}


static void
unit_epoch_pinned(void)
{
    ngx_wassiit_epoch_slot_t  *slot;

    slot = ngx_wassiit_epoch_claim(&shared->epoch);
    ngx_wassiit_epoch_pin(&shared->epoch, slot);
    (void) __atomic_add_fetch(&shared->stage, 1, __ATOMIC_SEQ_CST);

    if (shared->current) {
        /* it just ends, without a word */
        return;
    }

    pause();
}


static void
unit_epoch_claims(void)
{
    if (ngx_wassiit_epoch_claim(&shared->epoch)) {
        (void) __atomic_add_fetch(&shared->torn, 1, __ATOMIC_SEQ_CST);
    }

    (void) __atomic_add_fetch(&shared->stage, 1, __ATOMIC_SEQ_CST);
    pause();
}


static void
test_order(void)
{
    uint64_t                   before, stamp;
    ngx_wassiit_epoch_t       *e;
    ngx_wassiit_epoch_slot_t  *slot, *other;

    unit_epoch_new(SLOTS);
    e = &shared->epoch;

    slot = ngx_wassiit_epoch_claim(e);
    unit_ok(slot == &e->slots[0], "the first slot is free");

    stamp = ngx_wassiit_epoch_stamp(e);
    unit_ok(ngx_wassiit_epoch_passed(e) >= stamp,
            "without a pinned reader all has passed");

    before = ngx_wassiit_epoch_stamp(e);
    (void) ngx_wassiit_epoch_passed(e);

    ngx_wassiit_epoch_pin(e, slot);

    stamp = ngx_wassiit_epoch_stamp(e);
    unit_ok(stamp > before, "a later stamp is a higher one");

    unit_ok(ngx_wassiit_epoch_passed(e) < stamp,
            "what was stamped after the pin has not passed");
    unit_ok(ngx_wassiit_epoch_passed(e) >= before,
            "what was stamped before it has");

    ngx_wassiit_epoch_unpin(e, slot);
    ngx_wassiit_epoch_pin(e, slot);

    unit_ok(ngx_wassiit_epoch_passed(e) >= stamp,
            "a reader that has pinned anew is not waited for");

    other = ngx_wassiit_epoch_claim(e);
    unit_ok(other == &e->slots[1], "the next reader has the next slot");

    ngx_wassiit_epoch_pin(e, other);
    ngx_wassiit_epoch_unpin(e, slot);
    stamp = ngx_wassiit_epoch_stamp(e);

    unit_ok(ngx_wassiit_epoch_wait(e, stamp, SHORT) < stamp,
            "one pinned reader of two is enough to wait for");

    ngx_wassiit_epoch_unpin(e, other);
}


static void
test_death(void)
{
    pid_t       pid;
    uint64_t    stamp;
    ngx_uint_t  ends;

    for (ends = 0; ends < 2; ends++) {
        unit_epoch_new(1);
        shared->current = ends;

        pid = unit_epoch_fork(unit_epoch_pinned);
        unit_epoch_stage(1);

        stamp = ngx_wassiit_epoch_stamp(&shared->epoch);

        if (!ends) {
            unit_ok(ngx_wassiit_epoch_passed(&shared->epoch) < stamp,
                    "a pinned reader is waited for");
        }

        unit_epoch_end(pid, ends ? SIGCONT : SIGKILL);

        unit_ok(ngx_wassiit_epoch_passed(&shared->epoch) >= stamp,
                "one that %s is not", ends ? "has ended" : "was killed");

        pid = unit_epoch_fork(unit_epoch_claims);
        unit_epoch_stage(2);
        unit_is(shared->torn, 1, "its slot is free again");
        unit_epoch_end(pid, SIGKILL);
    }
}


static void
test_stop(void)
{
    int       status;
    pid_t     pid;
    uint64_t  stamp;

    unit_epoch_new(SLOTS);

    pid = unit_epoch_fork(unit_epoch_pinned);
    unit_epoch_stage(1);

    (void) kill(pid, SIGSTOP);
    (void) waitpid(pid, &status, WUNTRACED);

    stamp = ngx_wassiit_epoch_stamp(&shared->epoch);

    unit_ok(ngx_wassiit_epoch_wait(&shared->epoch, stamp, SHORT) < stamp,
            "a stopped reader is pinned, however long it is waited for");

    unit_epoch_end(pid, SIGKILL);

    unit_ok(ngx_wassiit_epoch_wait(&shared->epoch, stamp, LONG) >= stamp,
            "until it dies");
}


/* more readers than slots */

static void
test_crowd(void)
{
    pid_t       pids[SLOTS + 2];
    uint64_t    stamp;
    ngx_uint_t  i;

    unit_epoch_new(SLOTS);

    for (i = 0; i < SLOTS + 2; i++) {
        pids[i] = unit_epoch_fork(unit_epoch_claims);
    }

    unit_epoch_stage(SLOTS + 2);
    unit_is(shared->torn, SLOTS, "as many readers have a slot as there are");

    unit_ok(ngx_wassiit_epoch_claim(&shared->epoch) == NULL,
            "another one has none");

    ngx_wassiit_epoch_pin(&shared->epoch, NULL);
    stamp = ngx_wassiit_epoch_stamp(&shared->epoch);

    unit_ok(ngx_wassiit_epoch_passed(&shared->epoch) < stamp,
            "and is waited for, too");

    ngx_wassiit_epoch_unpin(&shared->epoch, NULL);

    unit_ok(ngx_wassiit_epoch_passed(&shared->epoch) >= stamp,
            "until it unpins");

    for (i = 0; i < SLOTS + 2; i++) {
        unit_epoch_end(pids[i], SIGKILL);
    }
}


static void
unit_epoch_reader(void)
{
    uint64_t                   word;
    ngx_uint_t                 i, n;
    unit_object_t             *object;
    ngx_wassiit_epoch_slot_t  *slot;

    slot = ngx_wassiit_epoch_claim(&shared->epoch);

    for ( ;; ) {
        ngx_wassiit_epoch_pin(&shared->epoch, slot);

        object = &shared->objects[__atomic_load_n(&shared->current,
                                                  __ATOMIC_ACQUIRE)];

        for (n = 0; n < 20; n++) {
            word = __atomic_load_n(&object->words[0], __ATOMIC_RELAXED);

            for (i = 1; i < WORDS; i++) {
                if (__atomic_load_n(&object->words[i], __ATOMIC_RELAXED)
                    != word)
                {
                    (void) __atomic_add_fetch(&shared->torn, 1,
                                              __ATOMIC_RELAXED);
                    break;
                }
            }

            if (n % 5 == 0) {
                /* others run meanwhile */
                usleep(1);
            }
        }

        ngx_wassiit_epoch_unpin(&shared->epoch, slot);
        (void) __atomic_add_fetch(&shared->reads, 1, __ATOMIC_RELAXED);
        usleep(20);
    }
}


/*
 * A writer puts one object after another in the place of the last, and uses
 * that again as soon as it may, while readers are killed and stopped.  Without
 * slots enough none is killed: it might be pinned.
 */

static void
test_reuse(ngx_uint_t crowd)
{
    pid_t       pids[READERS];
    uint32_t    next, former, head, used;
    uint64_t    value, passed, stamps[OBJECTS], reused;
    uint32_t    queue[OBJECTS];
    ngx_uint_t  i, kills, waits, victim, stopped;

    unit_epoch_new(crowd ? READERS / 2 : READERS);

    for (i = 0; i < READERS; i++) {
        pids[i] = unit_epoch_fork(unit_epoch_reader);
    }

    /* queue[] holds what is to be used again, the longest out of use first */

    for (i = 1; i < OBJECTS; i++) {
        queue[i - 1] = i;
        stamps[i - 1] = 0;
    }

    head = 0;
    used = OBJECTS - 1;
    value = 0;
    passed = 0;
    reused = 0;
    kills = 0;
    waits = 0;
    stopped = READERS;

    while (reused < REUSES || kills < KILLS
           || __atomic_load_n(&shared->reads, __ATOMIC_RELAXED) < READS)
    {
        if (reused % EVERY == 0) {
            usleep(200);
        }

        if (reused >= kills * EVERY && kills < KILLS) {
            victim = unit_random(READERS);
            kills++;

            if (stopped < READERS) {
                (void) kill(pids[stopped], SIGCONT);
                stopped = READERS;

            } else if (crowd || unit_random(3) == 0) {
                (void) kill(pids[victim], SIGSTOP);
                stopped = victim;

            } else {
                unit_epoch_end(pids[victim], SIGKILL);
                pids[victim] = unit_epoch_fork(unit_epoch_reader);
            }
        }

        if (stamps[head] > passed) {
            passed = ngx_wassiit_epoch_passed(&shared->epoch);

            if (stamps[head] > passed) {
                /* not yet: what a stopped reader may see stays as it is */
                usleep(20);

                if (stopped < READERS && ++waits % EVERY == 0) {
                    (void) kill(pids[stopped], SIGCONT);
                    stopped = READERS;
                }

                continue;
            }
        }

        next = queue[head];
        head = (head + 1) % OBJECTS;
        used--;

        value++;
        reused++;

        for (i = 0; i < WORDS; i++) {
            __atomic_store_n(&shared->objects[next].words[i], value,
                             __ATOMIC_RELAXED);
        }

        former = shared->current;
        __atomic_store_n(&shared->current, next, __ATOMIC_RELEASE);

        i = (head + used) % OBJECTS;
        queue[i] = former;
        stamps[i] = ngx_wassiit_epoch_stamp(&shared->epoch);
        used++;
    }

    if (stopped < READERS) {
        (void) kill(pids[stopped], SIGCONT);
    }

    for (i = 0; i < READERS; i++) {
        unit_epoch_end(pids[i], SIGKILL);
    }

    unit_note("%llu uses, %llu reads, %llu kills and stops",
              (unsigned long long) reused,
              (unsigned long long) shared->reads, (unsigned long long) kills);
    unit_is(shared->torn, 0,
            crowd ? "with less slots than readers, none has seen memory that "
                    "was used again"
                  : "no reader has seen memory that was used again");
    unit_ok(reused > OBJECTS && shared->reads > 0, "memory was used again");
}
