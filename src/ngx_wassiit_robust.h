
/*
 * A mutex in memory that processes share, at whatever addresses.  If its owner
 * dies or exits, the next process gets it at once and is told so.
 *
 * Deadlines are milliseconds of CLOCK_MONOTONIC, so they hold if the wall clock
 * is set and if the owner is stopped.
 */


#ifndef _NGX_WASSIIT_ROBUST_H_INCLUDED_
#define _NGX_WASSIIT_ROBUST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <pthread.h>


typedef struct {
    pthread_mutex_t     mutex;
} ngx_wassiit_robust_t;


/*
 * Makes a mutex that nobody owns; the memory is the caller's, and no process
 * uses it yet.  Returns NGX_OK; NGX_ERROR: the system refused it, errno says
 * why.
 */
ngx_int_t ngx_wassiit_robust_init(ngx_wassiit_robust_t *robust);

/* The time now, in milliseconds of CLOCK_MONOTONIC. */
uint64_t ngx_wassiit_robust_now(void);

/*
 * Waits for the mutex until the deadline; a past one waits for nothing.
 * trylock never waits.  Both return
 *
 * NGX_OK: it is ours;
 * NGX_DONE: it is ours, and its owner died; what it guards must be mended, and
 *     ngx_wassiit_robust_consistent() called before it is unlocked;
 * NGX_BUSY: another process has it, or this one;
 * NGX_ERROR: it can't be had any more, errno says why: ENOTRECOVERABLE if
 *     someone has unlocked it without mending.
 */
ngx_int_t ngx_wassiit_robust_lock(ngx_wassiit_robust_t *robust,
    uint64_t deadline);
ngx_int_t ngx_wassiit_robust_trylock(ngx_wassiit_robust_t *robust);

/*
 * Says that what the mutex guards is mended, after NGX_DONE.  If we die before
 * it, the next process gets NGX_DONE, too.
 */
void ngx_wassiit_robust_consistent(ngx_wassiit_robust_t *robust);

/* Unlocks the mutex, which is ours. */
void ngx_wassiit_robust_unlock(ngx_wassiit_robust_t *robust);


#endif /* _NGX_WASSIIT_ROBUST_H_INCLUDED_ */
