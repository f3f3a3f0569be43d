
#include "ngx_wassiit_atomic.h"
#include "ngx_wassiit_epoch.h"


/* between two looks at those that are waited for, in microseconds */
#define EPOCH_PAUSE         50
#define EPOCH_PAUSE_MOST    2000


static ngx_uint_t ngx_wassiit_epoch_own(ngx_wassiit_epoch_slot_t *slot);
static ngx_uint_t ngx_wassiit_epoch_dead(ngx_wassiit_epoch_slot_t *slot);


ngx_int_t
ngx_wassiit_epoch_init(ngx_wassiit_epoch_t *e, uint32_t nslots)
{
    uint32_t  i;

    ngx_memzero(e, ngx_wassiit_epoch_size(nslots));

    e->epoch = 1;
    e->nslots = nslots;

    for (i = 0; i < nslots; i++) {
        if (ngx_wassiit_robust_init(&e->slots[i].owner) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_wassiit_epoch_slot_t *
ngx_wassiit_epoch_claim(ngx_wassiit_epoch_t *e)
{
    uint32_t                   i, claimed;
    ngx_wassiit_epoch_slot_t  *slot;

    for (i = 0; i < e->nslots; i++) {
        slot = &e->slots[i];

        /* before the slot may be pinned, a writer must look as far as here */

        claimed = ngx_wassiit_load_acquire(&e->claimed);

        while (claimed <= i
               && !__atomic_compare_exchange_n(&e->claimed, &claimed, i + 1, 0,
                                               __ATOMIC_SEQ_CST,
                                               __ATOMIC_SEQ_CST))
        {
            /* void */
        }

        if (ngx_wassiit_epoch_own(slot)) {
            return slot;
        }
    }

    return NULL;
}


void
ngx_wassiit_epoch_pin(ngx_wassiit_epoch_t *e, ngx_wassiit_epoch_slot_t *slot)
{
    uint64_t  epoch;

    if (slot == NULL) {
        (void) __atomic_add_fetch(&e->others, 1, __ATOMIC_SEQ_CST);
        return;
    }

    /*
     * By the fence, a writer that still sees the slot unpinned has made
     * unreachable what it frees before we read anything.  An epoch that is
     * older by now only has writers wait for longer.
     */

    epoch = ngx_wassiit_load_acquire(&e->epoch);
    ngx_wassiit_store_release(&slot->since, epoch);
    ngx_wassiit_fence();
}


void
ngx_wassiit_epoch_unpin(ngx_wassiit_epoch_t *e, ngx_wassiit_epoch_slot_t *slot)
{
    if (slot == NULL) {
        (void) __atomic_sub_fetch(&e->others, 1, __ATOMIC_RELEASE);
        return;
    }

    ngx_wassiit_store_release(&slot->since, 0);
}


uint64_t
ngx_wassiit_epoch_stamp(ngx_wassiit_epoch_t *e)
{
    /* who pins in the next epoch can't reach it any more */
    return e->epoch + 1;
}


uint64_t
ngx_wassiit_epoch_passed(ngx_wassiit_epoch_t *e)
{
    uint32_t                   i, claimed;
    uint64_t                   since, passed;
    ngx_wassiit_epoch_slot_t  *slot;

    /* all that was stamped until now was unreachable before this store */

    passed = e->epoch + 1;
    ngx_wassiit_store_release(&e->epoch, passed);

    ngx_wassiit_fence();

    if (ngx_wassiit_load_acquire(&e->others)) {
        return 0;
    }

    claimed = ngx_wassiit_load_acquire(&e->claimed);

    for (i = 0; i < claimed; i++) {
        slot = &e->slots[i];
        since = ngx_wassiit_load_acquire(&slot->since);

        if (since == 0 || since >= passed || ngx_wassiit_epoch_dead(slot)) {
            continue;
        }

        passed = since;
    }

    return passed;
}


/* Takes the slot if nobody who lives has it, and unpins it. */

static ngx_uint_t
ngx_wassiit_epoch_own(ngx_wassiit_epoch_slot_t *slot)
{
    switch (ngx_wassiit_robust_trylock(&slot->owner)) {

    case NGX_OK:
        ngx_wassiit_store_release(&slot->since, 0);
        return 1;

    case NGX_DONE:
        /* who dies before the last of these leaves it to the next one */
        ngx_wassiit_store_release(&slot->since, 0);
        ngx_wassiit_robust_consistent(&slot->owner);
        return 1;

    default:
        return 0;
    }
}


/* Unpins the slot of a reader that has died.  Returns whether it has. */

static ngx_uint_t
ngx_wassiit_epoch_dead(ngx_wassiit_epoch_slot_t *slot)
{
    if (!ngx_wassiit_epoch_own(slot)) {
        return 0;
    }

    ngx_wassiit_robust_unlock(&slot->owner);

    return 1;
}


uint64_t
ngx_wassiit_epoch_wait(ngx_wassiit_epoch_t *e, uint64_t stamp, ngx_uint_t ms)
{
    uint64_t         passed, end;
    ngx_uint_t       pause;
    struct timespec  ts;

    end = ngx_wassiit_robust_now() + ms;
    pause = EPOCH_PAUSE;

    for ( ;; ) {
        passed = ngx_wassiit_epoch_passed(e);

        if (passed >= stamp || ngx_wassiit_robust_now() >= end) {
            return passed;
        }

        ts.tv_sec = 0;
        ts.tv_nsec = pause * 1000;

        /* a signal ends it early, which does no harm */
        (void) nanosleep(&ts, NULL);

        pause = ngx_min(pause * 2, EPOCH_PAUSE_MOST);
    }
}
