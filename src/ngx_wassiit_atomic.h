
/*
 * Words that several processes share: of 1, 2, 4 or 8 bytes, at their natural
 * alignment.  Each of these is one access to the word that p points to; a value
 * has the word's type, and p is evaluated once.
 *
 * Whoever finds a value by load_acquire also finds all that its writer wrote
 * before the store_release of it.  No lock is needed, and a process may die
 * before or after any of these.
 */


#ifndef _NGX_WASSIIT_ATOMIC_H_INCLUDED_
#define _NGX_WASSIIT_ATOMIC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Returns the word; what follows in the program reads memory after that. */
#define ngx_wassiit_load_acquire(p)                                          \
    __atomic_load_n(p, __ATOMIC_ACQUIRE)

/* The same, not before an ngx_wassiit_swap_ordered() that precedes. */
#define ngx_wassiit_load_ordered(p)                                          \
    __atomic_load_n(p, __ATOMIC_SEQ_CST)

/* Returns the word, at any time before or after the accesses around it. */
#define ngx_wassiit_load_relaxed(p)                                          \
    __atomic_load_n(p, __ATOMIC_RELAXED)

/* Sets the word, once all that precedes in the program is read and written. */
#define ngx_wassiit_store_release(p, value)                                  \
    __atomic_store_n(p, value, __ATOMIC_RELEASE)

/*
 * Adds n to the word and returns what it was before, at any time before or
 * after the accesses around it: for counters.
 */
#define ngx_wassiit_add(p, n)                                                \
    __atomic_fetch_add(p, n, __ATOMIC_RELAXED)

/* What precedes is read before what follows is read or written. */
#define ngx_wassiit_fence_acquire()                                          \
    __atomic_thread_fence(__ATOMIC_ACQUIRE)

/* What precedes is read and written before what follows is written. */
#define ngx_wassiit_fence_release()                                          \
    __atomic_thread_fence(__ATOMIC_RELEASE)

/* What precedes is read and written before what follows is either. */
#define ngx_wassiit_fence()                                                  \
    __atomic_thread_fence(__ATOMIC_SEQ_CST)


/*
 * Sets a word to value if it is still old.  Returns 1: it was, and this is a
 * load_acquire and a store_release; 0: it wasn't, it stays what it is, and this
 * is a load_acquire.
 */

static ngx_inline ngx_uint_t
ngx_wassiit_swap(uint64_t *p, uint64_t old, uint64_t value)
{
    return __atomic_compare_exchange_n(p, &old, value, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}


/*
 * The same.  Of one process that swaps here and then reads another word by
 * ngx_wassiit_load_ordered(), and one that sets that word, then comes to an
 * ngx_wassiit_fence() and reads this one, at least one finds the other's value.
 */

static ngx_inline ngx_uint_t
ngx_wassiit_swap_ordered(uint64_t *p, uint64_t old, uint64_t value)
{
    return __atomic_compare_exchange_n(p, &old, value, 0, __ATOMIC_SEQ_CST,
                                       __ATOMIC_ACQUIRE);
}


static ngx_inline ngx_uint_t
ngx_wassiit_swap32(uint32_t *p, uint32_t old, uint32_t value)
{
    return __atomic_compare_exchange_n(p, &old, value, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}


#endif /* _NGX_WASSIIT_ATOMIC_H_INCLUDED_ */
