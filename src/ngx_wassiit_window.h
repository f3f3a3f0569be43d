
/*
 * The exact sliding window: at most N admissions in any span of W.
 *
 * A window is a ring of 64-bit cells in memory that many processes share.
 * Each cell stands for one admission, or, for limits above
 * NGX_WASSIIT_WINDOW_CELLS, for a batch of them.  The admissions of a ring
 * are numbered; number n lies in cell n modulo the ring's size.  Number n is
 * made only when number n - depth is at least W old, and times never
 * decrease along the ring.  Hence two admissions whose numbers differ by
 * depth or more lie at least W apart, and no span shorter than W holds more
 * than depth of them, in whatever order processes read their clocks.
 *
 * A cell is filled by one compare-and-swap and the head moved by a second;
 * who finds a filled cell under the head moves the head for its owner.  So
 * there is no lock, and a process may die between any two instructions.
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
    uint64_t            head;       /* number of the next one; 0: unsettled */
    uint64_t            oldest;     /* a number not above the oldest in W */
    ngx_wassiit_ring_t  ring;       /* at least depth cells */
    uint32_t            limit;      /* N */
    uint16_t            depth;      /* cells that make up N */
    u_char              batch;      /* admissions a cell */
    u_char              period;     /* W: 0 .. 3 for s, m, h, d */
    uint32_t            from;       /* the window to take over from */
    uint32_t            owner;      /* the caller's */
} ngx_wassiit_window_t;


typedef struct {
    uint32_t            limit;      /* N at the time of the attempt */
    uint32_t            seconds;    /* W at the time of the attempt */
    uint32_t            remaining;  /* what is left after the attempt */
    uint64_t            reset;      /* microseconds until one more is free */
} ngx_wassiit_usage_t;


/* The cells that a window needs: 1 to NGX_WASSIIT_WINDOW_CELLS. */
uint32_t ngx_wassiit_window_cells(const ngx_wassiit_rate_t *rate);

/*
 * The cells that a window of this rate needs to take over all that the window
 * from has admitted in the longer of both spans: more than
 * ngx_wassiit_window_cells(rate) if the limit becomes less than is used, as
 * it may be raised again; NGX_WASSIIT_RING_CELLS at most.  Sets most to the
 * number that is enough whatever from admits until it is closed.  now as for
 * ngx_wassiit_window_take().
 */
uint32_t ngx_wassiit_window_cells_from(u_char *base,
    const ngx_wassiit_rate_t *rate, uint32_t from, uint64_t now,
    uint32_t *most);

/*
 * Makes a window in a line, with a ring of at least as many cells as
 * ngx_wassiit_window_cells() says, all of them zeros.  What follows the window
 * in its line is the caller's.  With from == 0 the window is empty.  Else from
 * names an older window, whose admissions it takes over: not now, but at the
 * first of ngx_wassiit_window_settle(), ngx_wassiit_window_usage() or
 * ngx_wassiit_window_take(), so that it can be published before the older one
 * is closed.
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

/* Asks for the memory that the next ngx_wassiit_window_take() reads. */
void ngx_wassiit_window_prefetch(u_char *base, uint32_t window);

/*
 * Fills usage with what is left at now, without an attempt; reset then tells
 * when one more than that is free, 0 if all is.  Returns NGX_OK, or NGX_AGAIN:
 * the window was closed, another one has taken over.  now as below.
 */
ngx_int_t ngx_wassiit_window_usage(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage);

/*
 * Tries to admit one request at now: microseconds of a monotonic clock,
 * modulo 2^48, the same clock for all processes.  Fills usage and returns
 * NGX_OK if admitted, NGX_DECLINED if not; usage->reset then tells when a
 * try will succeed.  NGX_AGAIN: the window was closed, another one has
 * taken over; nothing of usage counts.
 */
ngx_int_t ngx_wassiit_window_take(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage);


#endif /* _NGX_WASSIIT_WINDOW_H_INCLUDED_ */
