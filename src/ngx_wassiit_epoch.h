
/*
 * Who may still look at what was taken away: epochs.
 *
 * A reader pins before it follows anything in shared memory, and unpins when
 * it holds on to nothing.  A writer makes a thing unreachable, stamps it with
 * ngx_wassiit_epoch_stamp(), and uses its memory again when each reader that
 * is pinned has pinned since.  No time counts in this: a reader that stops for
 * any time, while it is pinned, is waited for, and one that dies is told by
 * the robust mutex that it holds for life.
 *
 * By the scheme of K. Fraser, "Practical lock-freedom" (2004), section 5.2.3.
 */


#ifndef _NGX_WASSIIT_EPOCH_H_INCLUDED_
#define _NGX_WASSIIT_EPOCH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_robust.h"


/* one a reader; nobody else's words are in its line of memory */

typedef struct {
    uint64_t                      since;    /* pinned in this epoch; 0: not */
    ngx_wassiit_robust_t          owner;    /* locked by it, for life */
} __attribute__((aligned(64))) ngx_wassiit_epoch_slot_t;


/* in shared memory, at a multiple of 64 */

typedef struct {
    uint64_t                      epoch;    /* from 1 on; only grows */
    uint64_t                      others;   /* pinned, for want of a slot */
    uint32_t                      nslots;
    uint32_t                      claimed;  /* no slot from here on ever was */
    ngx_wassiit_epoch_slot_t      slots[];
} ngx_wassiit_epoch_t;


/* The bytes that an epoch with n slots takes. */
#define ngx_wassiit_epoch_size(n)                                             \
    (sizeof(ngx_wassiit_epoch_t) + (n) * sizeof(ngx_wassiit_epoch_slot_t))

/*
 * Makes an epoch, with nslots slots, of ngx_wassiit_epoch_size(nslots) bytes.
 * Returns NGX_OK; NGX_ERROR, and errno tells why.
 */
ngx_int_t ngx_wassiit_epoch_init(ngx_wassiit_epoch_t *e, uint32_t nslots);

/*
 * Gives the calling thread a slot until it ends.  Returns NULL if others, who
 * live, have them all: NULL is a reader's slot too, then, and such readers
 * share a count.  One of those that dies while it is pinned is pinned for ever.
 */
ngx_wassiit_epoch_slot_t *ngx_wassiit_epoch_claim(ngx_wassiit_epoch_t *e);

/*
 * Pins the reader that has this slot, or none, until it unpins.  Not to be
 * nested.
 */
void ngx_wassiit_epoch_pin(ngx_wassiit_epoch_t *e,
    ngx_wassiit_epoch_slot_t *slot);
void ngx_wassiit_epoch_unpin(ngx_wassiit_epoch_t *e,
    ngx_wassiit_epoch_slot_t *slot);

/*
 * The functions for writers: one at a time, which is for the caller to see to.
 */

/*
 * Returns the stamp of what has been made unreachable just now, or before, and
 * has no stamp yet.
 */
uint64_t ngx_wassiit_epoch_stamp(ngx_wassiit_epoch_t *e);

/*
 * Returns the highest stamp for which all that bears it, or a lower one, may be
 * used again.  A writer that is a reader, too, unpins first.  Readers that have
 * died are unpinned.
 */
uint64_t ngx_wassiit_epoch_passed(ngx_wassiit_epoch_t *e);

/*
 * The same, but waits until it is stamp, or above: ms milliseconds at most.
 */
uint64_t ngx_wassiit_epoch_wait(ngx_wassiit_epoch_t *e, uint64_t stamp,
    ngx_uint_t ms);


#endif /* _NGX_WASSIIT_EPOCH_H_INCLUDED_ */
