
/*
 * What a window's words say, and times: for the window, and for no one else.
 */


#ifndef _NGX_WASSIIT_WINDOW_SH_H_INCLUDED_
#define _NGX_WASSIIT_WINDOW_SH_H_INCLUDED_


#include "ngx_wassiit_window.h"


/*
 * The head: time, the lowest 42 bits; number of admissions in the newest batch,
 * 7 bits, or HEAD_NONE: nothing was ever admitted; closed, 1 bit; index of its
 * cell, 14 bits.
 */
#define HEAD(time, count, index)                                             \
    ((uint64_t) (time) << 22 | (uint64_t) (count) << 15 | (index))
#define HEAD_TIME(head)         ((head) >> 22)
#define HEAD_COUNT(head)        ((uint32_t) ((head) >> 15) & 0x7f)
#define HEAD_INDEX(head)        ((uint32_t) (head) & 0x3fff)
#define HEAD_CLOSED             0x4000
#define HEAD_NONE               0x7f

/*
 * The tail: time, 48 bits; set, 1 bit; closed, 1 bit; index, 14 bits.  That of
 * a window that was moved has the number of the batches that are known instead.
 */
#define TAIL(time, index)       ((uint64_t) (time) << 16 | TAIL_SET | (index))
#define TAIL_TIME(tail)         ((tail) >> 16)
#define TAIL_INDEX(tail)        ((uint32_t) (tail) & 0x3fff)
#define TAIL_SET                0x8000
#define TAIL_CLOSED             0x4000

/*
 * A cell of a wide ring: time, 48 bits; 1.  One of another: time, the lowest 31
 * bits; 1, or 0 if somebody who would have made the next batch came CELL_PAUSE
 * later or more.  A 0 ends what is known of the past, as does a cell that was
 * never filled.
 */
#define CELL_PAUSE              ((uint64_t) 1 << 30)

/*
 * A cap: batches, 14 bits; all of N, 1 bit, also of an N that isn't a whole
 * number of batches.
 */
#define CAP_BATCHES(cap)        ((uint32_t) (cap) & 0x3fff)
#define CAP_ALL                 0x8000

/* times are in microseconds */
#define TIME_MASK               (((uint64_t) 1 << 48) - 1)
#define HEAD_TIME_MASK          (((uint64_t) 1 << 42) - 1)
#define CELL_TIME_MASK          (((uint64_t) 1 << 31) - 1)


/* W by a window's period, in seconds */

static const uint32_t  ngx_wassiit_window_seconds[] = { 1, 60, 3600, 86400 };


static ngx_inline ngx_wassiit_window_t *
ngx_wassiit_window_at(u_char *base, uint32_t place)
{
    return ngx_wassiit_line(base, place);
}


/* W in microseconds */

static ngx_inline uint64_t
ngx_wassiit_window_span(const ngx_wassiit_window_t *w)
{
    return (uint64_t) ngx_wassiit_window_seconds[w->period] * 1000000;
}


/* the batches that make up N */

static ngx_inline uint32_t
ngx_wassiit_window_depth(const ngx_wassiit_window_t *w)
{
    return w->limit / w->batch;
}


/* a cap of so many admissions, and the admissions of a cap */

static ngx_inline uint32_t
ngx_wassiit_window_batches(const ngx_wassiit_window_t *w, uint32_t admissions)
{
    return (admissions >= w->limit) ? ngx_wassiit_window_depth(w) | CAP_ALL
                                    : admissions / w->batch;
}


static ngx_inline uint32_t
ngx_wassiit_window_admissions(const ngx_wassiit_window_t *w, uint32_t cap)
{
    return (cap & CAP_ALL) ? w->limit : cap * w->batch;
}


/* microseconds from then to now, now being the later */

static ngx_inline uint64_t
ngx_wassiit_window_age(uint64_t now, uint64_t then)
{
    return (now - then) & TIME_MASK;
}


/* A time after now counts as one that hasn't left. */

static ngx_inline ngx_uint_t
ngx_wassiit_window_left(uint64_t time, uint64_t span, uint64_t now)
{
    uint64_t  age;

    age = ngx_wassiit_window_age(now, time);

    return age >= span && age <= TIME_MASK / 2;
}


/* microseconds from now on until a time leaves the span */

static ngx_inline uint64_t
ngx_wassiit_window_reset(uint64_t time, uint64_t span, uint64_t now)
{
    uint64_t  age;

    age = ngx_wassiit_window_age(now, time);

    return (age > TIME_MASK / 2) ? span : span - ngx_min(span, age);
}


/* The time that has the lowest bits of "bits", and is latest or before it. */

static ngx_inline uint64_t
ngx_wassiit_window_until(uint64_t latest, uint64_t bits, uint64_t mask)
{
    return (latest - ((latest - bits) & mask)) & TIME_MASK;
}


/* The index of the cell n before the one at i, n being less than all. */

static ngx_inline uint32_t
ngx_wassiit_window_back(const ngx_wassiit_window_t *w, uint32_t i, uint32_t n)
{
    return (i >= n) ? i - n : i + w->ring.cells - n;
}


/* what the cell of a batch holds if the next one has come at that time */

static ngx_inline uint64_t
ngx_wassiit_window_value(const ngx_wassiit_window_t *w, uint64_t time,
    uint64_t next)
{
    if (w->ring.wide) {
        return time << 16 | 1;
    }

    return (time & CELL_TIME_MASK) << 1
           | (ngx_wassiit_window_age(next, time) < CELL_PAUSE);
}


#endif /* _NGX_WASSIIT_WINDOW_SH_H_INCLUDED_ */
