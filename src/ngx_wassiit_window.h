
/*
 * The exact sliding window: at most N admissions in any span of W.
 *
 * Admissions are counted in batches, of one each for limits up to
 * NGX_WASSIIT_WINDOW_CELLS.  A ring in memory that many processes share has a
 * cell for each batch: the time of its last admission.  The head names the
 * newest batch, the number of its admissions so far, and the time of the last
 * one; the tail names the newest batch that is known to have left the span, and
 * the time at which that was so.
 *
 *  1. An admission is one compare-and-swap of the head, and is made only while
 *     the batches after the tail are no more than make up N.
 *  2. The tail is moved first, past all that have left by the admission's time,
 *     and so is always less than W older than an admission after it.
 *  3. Times never decrease along the ring: who reads an earlier clock than
 *     another did before uses that one's time.
 *  4. The cell of a batch is filled before the head moves on from it, by
 *     whoever moves it.  So of those after the tail, only the newest one's time
 *     is not in a cell.
 *
 * By 1 and 3 no span of W has more than N.  By 2 all batches after the tail are
 * less than W older than the head, so that a cell needs no more bits than tell
 * times within W apart.  There is no lock, and a process may die between any
 * two instructions.
 *
 * Of N, a window may be held to less: its cap.  Requests are then refused as if
 * N were that.  Admissions are checked against the cap once more after 1, and
 * whoever lowers it counts them after that, so one of them sees the other.
 */


#ifndef _NGX_WASSIIT_WINDOW_H_INCLUDED_
#define _NGX_WASSIIT_WINDOW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_rate.h"
#include "ngx_wassiit_ring.h"


/* cells that a limit may take; larger limits are counted in batches */
#define NGX_WASSIIT_WINDOW_CELLS    10000

/*
 * The words of a window that requests read and write.  They begin a line of
 * memory, by whose place, from a base, a window is named; 0 names none.
 */

typedef struct {
    uint64_t            head;       /* of the newest batch; 0: unsettled */
    uint64_t            tail;       /* of the newest that has left; 0: none */
    ngx_wassiit_ring_t  ring;       /* more cells than make up N */
    unsigned            limit:20;   /* N */
    unsigned            period:4;   /* W: 0 .. 3 for s, m, h, d */
    unsigned            batch:8;    /* admissions a cell */
    uint16_t            cap;        /* what is admitted in W */
    uint16_t            held;       /* the same, until a lower one is certain */
    uint32_t            from;       /* the window to take over from */
    uint32_t            owner;      /* the caller's */
} ngx_wassiit_window_t;


typedef struct {
    uint32_t            limit;      /* N at the time of the attempt */
    uint32_t            seconds;    /* W at the time of the attempt */
    uint32_t            remaining;  /* of the cap, after the attempt */
    uint64_t            reset;      /* microseconds until one more is free */
    uint32_t            used;       /* in W; by ngx_wassiit_window_usage() */
} ngx_wassiit_usage_t;


/*
 * The cells that a window needs: 2 to NGX_WASSIIT_WINDOW_CELLS + 1.  Sets wide
 * to what its ring must be: 0 for limits up to NGX_WASSIIT_WINDOW_CELLS a
 * second or a minute, else 1.
 */
uint32_t ngx_wassiit_window_cells(const ngx_wassiit_rate_t *rate,
    ngx_uint_t *wide);

/*
 * The cells that a window of this rate needs to take over all that the window
 * from knows of the longer of both spans: more than
 * ngx_wassiit_window_cells(rate) if the limit becomes less than is used, as
 * it may be raised again; NGX_WASSIIT_RING_CELLS at most.  Sets most to the
 * number that is enough whatever from admits until it is closed, and wide to
 * what the ring must be: 1 also for another rate than that of a wide window, so
 * that nothing is forgotten if that comes back.  now as for
 * ngx_wassiit_window_take().
 */
uint32_t ngx_wassiit_window_cells_from(u_char *base,
    const ngx_wassiit_rate_t *rate, uint32_t from, uint64_t now,
    uint32_t *most, ngx_uint_t *wide);

/*
 * Makes a window in a line, with a ring of at least as many cells as
 * ngx_wassiit_window_cells() says, all of them zeros.  What follows the window
 * in its line is the caller's.  With from == 0 the window is empty.  Else from
 * names an older window, whose admissions it takes over: not now, but at the
 * first of ngx_wassiit_window_settle(), ngx_wassiit_window_usage() or
 * ngx_wassiit_window_take(), so that it can be published before the older one
 * is closed.  Of a window whose ring isn't wide, what lies before a pause of 18
 * minutes or longer is not known.
 */
void ngx_wassiit_window_init(u_char *base, uint32_t window,
    const ngx_wassiit_rate_t *rate, const ngx_wassiit_ring_t *ring,
    uint32_t from);

/*
 * Closes the older window of this one, if there is one, and takes over its
 * last admissions.  May be called by any number of processes at once, and
 * again after a death half-way; returns when the work is done.  Returns the
 * number of the older window, which only a writer may free, once
 * ngx_wassiit_window_release() has made this one forget it; 0: there is none.
 */
uint32_t ngx_wassiit_window_settle(u_char *base, uint32_t window);
void ngx_wassiit_window_release(u_char *base, uint32_t window);

/* The rate that the window was made for. */
void ngx_wassiit_window_rate(u_char *base, uint32_t window,
    ngx_wassiit_rate_t *rate);

/*
 * The cap in force: so many are admitted in any W at most.  It is the limit of
 * a window that is new, whatever that of the older one is.  Caps are in whole
 * batches, smaller ones being meant if they aren't, and the limit at most.
 *
 * Only one process at a time may come to the functions below for a window,
 * by a lock of the caller's, and not for one that was freed.  It may die there:
 * less may then be admitted than is in force, until one of them is called.
 */
uint32_t ngx_wassiit_window_cap(u_char *base, uint32_t window);

/*
 * Lowers the cap, to what is used at now if that is more.  Returns the cap in
 * force from now on, of what was admitted before, too.  A window that was
 * closed meanwhile keeps its own.  Requests may be refused that the new cap
 * has room for.  now as for ngx_wassiit_window_take().
 */
uint32_t ngx_wassiit_window_lower(u_char *base, uint32_t window, uint32_t cap,
    uint64_t now);

/*
 * The same, but though more is in use and so in force, nothing that passes the
 * cap is admitted from now on.  When less is in use, one of these functions is
 * to be called again.
 */
uint32_t ngx_wassiit_window_sink(u_char *base, uint32_t window, uint32_t cap,
    uint64_t now);

/*
 * Sets the cap to no less than the one in force, or to any in a window that
 * nobody knows of yet; what that takes over should not be more.
 */
void ngx_wassiit_window_raise(u_char *base, uint32_t window, uint32_t cap);

/* Asks for the memory that the next ngx_wassiit_window_take() reads. */
void ngx_wassiit_window_prefetch(u_char *base, uint32_t window);

/*
 * Fills usage with what is left at now, without an attempt; reset then tells
 * when one more than that is free, 0 if all is, or the cap is 0.  Returns
 * NGX_OK, or NGX_AGAIN: the window was closed, another one has taken over.
 * now as below.
 */
ngx_int_t ngx_wassiit_window_usage(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage);

/*
 * Tries to admit one request at now: microseconds of a monotonic clock,
 * modulo 2^48, the same clock for all processes.  Fills usage and returns
 * NGX_OK if admitted, NGX_DECLINED if not; usage->reset then tells when a
 * try will succeed, 0: the cap is 0, so nobody knows.  NGX_AGAIN: the window
 * was closed, another one has taken over; nothing of usage counts.
 */
static ngx_inline ngx_int_t ngx_wassiit_window_take(u_char *base,
    uint32_t window, uint64_t now, ngx_wassiit_usage_t *usage);

/* The same, with a cap of most admissions at the most, if it is less. */
ngx_int_t ngx_wassiit_window_take_within(u_char *base, uint32_t window,
    uint64_t now, uint32_t most, ngx_wassiit_usage_t *usage);


static ngx_inline ngx_int_t
ngx_wassiit_window_take(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage)
{
    return ngx_wassiit_window_take_within(base, window, now, (uint32_t) -1,
                                          usage);
}


#endif /* _NGX_WASSIIT_WINDOW_H_INCLUDED_ */
