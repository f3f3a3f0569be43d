
#include "ngx_wassiit_epoch.h"


/* between two looks at those that are waited for, in microseconds */
#define EPOCH_PAUSE         50
#define EPOCH_PAUSE_MOST    2000


static ngx_uint_t ngx_wassiit_epoch_dead(ngx_wassiit_epoch_slot_t *slot);
static uint64_t ngx_wassiit_epoch_clock(void);


#define load(p)         __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)     __atomic_store_n(p, v, __ATOMIC_RELEASE)


ngx_err_t
ngx_wassiit_epoch_init(ngx_wassiit_epoch_t *e, uint32_t nslots)
{
    uint32_t             i;
    ngx_err_t            err;
    pthread_mutexattr_t  attr;

    ngx_memzero(e, ngx_wassiit_epoch_size(nslots));

    e->epoch = 1;
    e->nslots = nslots;

    err = pthread_mutexattr_init(&attr);
    if (err) {
        return err;
    }

    err = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);

    if (err == 0) {
        err = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    }

    for (i = 0; i < nslots && err == 0; i++) {
        err = pthread_mutex_init(&e->slots[i].mutex, &attr);
    }

    (void) pthread_mutexattr_destroy(&attr);

    return err;
}


ngx_wassiit_epoch_slot_t *
ngx_wassiit_epoch_claim(ngx_wassiit_epoch_t *e)
{
    uint32_t                   i, claimed;
    ngx_err_t                  err;
    ngx_wassiit_epoch_slot_t  *slot;

    for (i = 0; i < e->nslots; i++) {
        slot = &e->slots[i];

        /* before the slot may be pinned, a writer must look as far as here */

        claimed = load(&e->claimed);

        while (claimed <= i
               && !__atomic_compare_exchange_n(&e->claimed, &claimed, i + 1, 0,
                                               __ATOMIC_SEQ_CST,
                                               __ATOMIC_SEQ_CST))
        {
            /* void */
        }

        err = pthread_mutex_trylock(&slot->mutex);

        if (err == EOWNERDEAD) {
            err = pthread_mutex_consistent(&slot->mutex);
        }

        if (err == 0) {
            store(&slot->since, 0);
            return slot;
        }
    }

    return NULL;
}


void
ngx_wassiit_epoch_pin(ngx_wassiit_epoch_t *e, ngx_wassiit_epoch_slot_t *slot)
{
    if (slot == NULL) {
        (void) __atomic_add_fetch(&e->others, 1, __ATOMIC_SEQ_CST);
        return;
    }

    /*
     * The exchange is a full fence: a writer that still sees the slot unpinned
     * has made unreachable what it frees before we read anything.  An epoch
     * that is older by now only has writers wait for longer.
     */

    (void) __atomic_exchange_n(&slot->since, load(&e->epoch),
                               __ATOMIC_SEQ_CST);
}


void
ngx_wassiit_epoch_unpin(ngx_wassiit_epoch_t *e, ngx_wassiit_epoch_slot_t *slot)
{
    if (slot == NULL) {
        (void) __atomic_sub_fetch(&e->others, 1, __ATOMIC_RELEASE);
        return;
    }

    store(&slot->since, 0);
}


uint64_t
ngx_wassiit_epoch_stamp(ngx_wassiit_epoch_t *e)
{
    /* who pins in the next epoch can't reach it any more */
    return e->epoch + 1;
}


uint64_t
ngx_wassiit_epoch_passed(ngx_wassiit_epoch_t *e, ngx_wassiit_epoch_slot_t *own)
{
    uint32_t                   i, claimed;
    uint64_t                   since, passed;
    ngx_wassiit_epoch_slot_t  *slot;

    /* all that was stamped until now was unreachable before this store */

    passed = e->epoch + 1;
    store(&e->epoch, passed);

    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    if (load(&e->others)) {
        return 0;
    }

    claimed = load(&e->claimed);

    for (i = 0; i < claimed; i++) {
        slot = &e->slots[i];
        since = load(&slot->since);

        if (since == 0 || since >= passed || slot == own
            || ngx_wassiit_epoch_dead(slot))
        {
            continue;
        }

        passed = since;
    }

    return passed;
}


/* Unpins the slot of a reader that has died.  Returns whether it has. */

static ngx_uint_t
ngx_wassiit_epoch_dead(ngx_wassiit_epoch_slot_t *slot)
{
    ngx_err_t  err;

    err = pthread_mutex_trylock(&slot->mutex);

    if (err == EOWNERDEAD) {
        err = pthread_mutex_consistent(&slot->mutex);
    }

    if (err) {
        return 0;
    }

    store(&slot->since, 0);
    (void) pthread_mutex_unlock(&slot->mutex);

    return 1;
}


uint64_t
ngx_wassiit_epoch_wait(ngx_wassiit_epoch_t *e, ngx_wassiit_epoch_slot_t *own,
    uint64_t stamp, ngx_uint_t ms)
{
    uint64_t         passed, end;
    ngx_uint_t       pause;
    struct timespec  ts;

    end = ngx_wassiit_epoch_clock() + (uint64_t) ms * 1000;
    pause = EPOCH_PAUSE;

    for ( ;; ) {
        passed = ngx_wassiit_epoch_passed(e, own);

        if (passed >= stamp || ngx_wassiit_epoch_clock() >= end) {
            return passed;
        }

        ts.tv_sec = 0;
        ts.tv_nsec = pause * 1000;

        /* a signal ends it early, which does no harm */
        (void) nanosleep(&ts, NULL);

        pause = ngx_min(pause * 2, EPOCH_PAUSE_MOST);
    }
}


/* microseconds; doesn't follow the wall clock */

static uint64_t
ngx_wassiit_epoch_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
