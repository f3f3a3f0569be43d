
#include "ngx_wassiit_window_sh.h"


/* how far a process may lag behind with its reading of the clock */
#define TIME_LAG                ((uint64_t) 1 << 46)

/* an open batch of this age is given another time, see there */
#define HEAD_AGE                ((uint64_t) 1 << 41)

/* how often usage reads a window again that changes meanwhile */
#define USAGE_TRIES             16


/*
 * A window as it was at one time.  Batches are named by their age: 0 is the
 * newest, 1 the one before.
 */

typedef struct {
    u_char                *base;
    ngx_wassiit_window_t  *w;
    uint64_t               head;
    uint64_t               tail;
    uint64_t               span;    /* W in microseconds */
    uint64_t               since;   /* the tail's time */
    uint64_t               last;    /* the head's */
    uint32_t               index;   /* the head's */
    uint32_t               recent;  /* batches after the tail */
    uint32_t               open;    /* admissions of a batch that isn't full */
} ngx_wassiit_window_view_t;


static void ngx_wassiit_window_shape(ngx_wassiit_window_t *w,
    const ngx_wassiit_rate_t *rate);
static uint32_t ngx_wassiit_window_room(ngx_wassiit_window_t *old,
    ngx_wassiit_window_t *w, uint64_t batches);
static ngx_int_t ngx_wassiit_window_look(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_view_t *v);
static uint32_t ngx_wassiit_window_count(ngx_wassiit_window_view_t *v,
    uint32_t n, uint64_t now);
static uint32_t ngx_wassiit_window_walk(ngx_wassiit_window_view_t *v,
    uint32_t most, uint64_t span, uint64_t now);
static ngx_uint_t ngx_wassiit_window_earlier(ngx_wassiit_window_view_t *v,
    uint32_t age, uint64_t *time);
static ngx_int_t ngx_wassiit_window_fill(ngx_wassiit_window_view_t *v,
    uint64_t time);
static void ngx_wassiit_window_close(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_view_t *v);
static void ngx_wassiit_window_move(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_t *old);


#define load(p)             ngx_wassiit_load_acquire(p)
#define store(p, v)         ngx_wassiit_store_release(p, v)


static ngx_inline uint64_t
ngx_wassiit_window_cell(ngx_wassiit_window_view_t *v, uint32_t age)
{
    uint32_t                   i;
    const ngx_wassiit_ring_t  *ring;

    ring = &v->w->ring;
    i = ngx_wassiit_window_back(v->w, v->index, age);

    return ngx_wassiit_ring_cell(ring, i,
                             load(ngx_wassiit_ring_word(v->base, ring, i)));
}


/* The time of a batch after the tail. */

static ngx_inline uint64_t
ngx_wassiit_window_time(ngx_wassiit_window_view_t *v, uint32_t age)
{
    uint64_t  cell;

    if (age == 0) {
        return v->last;
    }

    cell = ngx_wassiit_window_cell(v, age);

    return v->w->ring.wide
           ? cell >> 16
           : ngx_wassiit_window_until(v->last, cell >> 1, CELL_TIME_MASK);
}


/* what the rate alone says of a window */

static void
ngx_wassiit_window_shape(ngx_wassiit_window_t *w,
    const ngx_wassiit_rate_t *rate)
{
    ngx_memzero(w, sizeof(ngx_wassiit_window_t));

    w->limit = rate->limit;
    w->batch = (rate->limit + NGX_WASSIIT_WINDOW_CELLS - 1)
               / NGX_WASSIIT_WINDOW_CELLS;
    w->cap = ngx_wassiit_window_batches(w, rate->limit);
    w->held = w->cap;

    while (ngx_wassiit_window_seconds[w->period] != rate->seconds) {
        w->period++;
    }

    /* the 31 bits of a cell tell times within 35 minutes apart */
    w->ring.wide = (w->batch > 1 || w->period > 1);
}


uint32_t
ngx_wassiit_window_cells(const ngx_wassiit_rate_t *rate, ngx_uint_t *wide)
{
    ngx_wassiit_window_t  shape;

    ngx_wassiit_window_shape(&shape, rate);

    *wide = shape.ring.wide;

    return ngx_wassiit_window_depth(&shape) + 1;
}


uint32_t
ngx_wassiit_window_cells_from(u_char *base, const ngx_wassiit_rate_t *rate,
    uint32_t from, uint64_t now, uint32_t *most, ngx_uint_t *wide)
{
    uint32_t                    used, after;
    uint64_t                    span;
    ngx_wassiit_window_t       *old, shape;
    ngx_wassiit_window_view_t   v;

    ngx_wassiit_window_shape(&shape, rate);
    (void) ngx_wassiit_window_settle(base, from);

    old = ngx_wassiit_window_at(base, from);
    (void) ngx_wassiit_window_look(base, old, &v);

    *wide = (shape.ring.wide
             || (old->ring.wide && (old->limit != shape.limit
                                    || old->period != shape.period)));

    span = ngx_max(v.span, ngx_wassiit_window_span(&shape));

    /* with one that is open by the time that the older window is closed */

    used = ngx_wassiit_window_walk(&v, old->ring.cells, span, now & TIME_MASK)
           - (v.open != 0) + 1;

    /*
     * Within the older span there are never more than its limit.  How many come
     * within a longer one until the older window is closed, nobody knows.
     */

    after = (shape.period > old->period)
            ? old->ring.cells
            : ngx_max(used, ngx_wassiit_window_depth(old));

    *most = ngx_wassiit_window_room(old, &shape, after + 1);

    return ngx_wassiit_window_room(old, &shape, used);
}


/* cells for the window, and for so many batches of the older one */

static uint32_t
ngx_wassiit_window_room(ngx_wassiit_window_t *old, ngx_wassiit_window_t *w,
    uint64_t batches)
{
    batches = (batches * old->batch + w->batch - 1) / w->batch;
    batches = ngx_max(ngx_wassiit_window_depth(w), batches + 1);

    return ngx_min(batches + 1, NGX_WASSIIT_RING_CELLS);
}


void
ngx_wassiit_window_init(u_char *base, uint32_t window,
    const ngx_wassiit_rate_t *rate, const ngx_wassiit_ring_t *ring,
    uint32_t from)
{
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);

    ngx_wassiit_window_shape(w, rate);

    w->ring = *ring;
    w->from = from;

    if (from == 0) {
        store(&w->head, HEAD(0, HEAD_NONE, 0));
    }
}


void
ngx_wassiit_window_rate(u_char *base, uint32_t window,
    ngx_wassiit_rate_t *rate)
{
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);

    rate->limit = w->limit;
    rate->seconds = ngx_wassiit_window_seconds[w->period];
}


void
ngx_wassiit_window_prefetch(u_char *base, uint32_t window)
{
    uint32_t               i;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);

    i = HEAD_INDEX(load(&w->head));
    __builtin_prefetch(ngx_wassiit_ring_word(base, &w->ring, i), 1);

    i = TAIL_INDEX(load(&w->tail)) + 1;
    i = (i == w->ring.cells) ? 0 : i;
    __builtin_prefetch(ngx_wassiit_ring_word(base, &w->ring, i));
}


/*
 * Sets v to the window as it is.  Returns NGX_OK; NGX_AGAIN: it is closed;
 * NGX_DECLINED: it is unsettled, and v means nothing.
 */

static ngx_int_t
ngx_wassiit_window_look(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_view_t *v)
{
    uint32_t  count;
    uint64_t  latest;

    do {
        v->tail = load(&w->tail);
        v->head = load(&w->head);

        /* both were so at the time when the head was read */

    } while (load(&w->tail) != v->tail);

    v->base = base;
    v->w = w;
    v->span = ngx_wassiit_window_span(w);
    v->since = TAIL_TIME(v->tail);
    v->index = HEAD_INDEX(v->head);

    v->recent = ngx_wassiit_window_back(w, v->index, TAIL_INDEX(v->tail));

    count = HEAD_COUNT(v->head);
    v->open = (count < w->batch) ? count : 0;

    /*
     * No admission is W later than the tail, and if there is none after it, the
     * newest is W earlier.  What a swap has made that was late by 50 days is
     * taken for younger than it is.
     */

    latest = (v->recent || (v->tail & TAIL_CLOSED)) ? v->since + v->span
                                                    : v->since - v->span;

    v->last = ngx_wassiit_window_until(latest, HEAD_TIME(v->head),
                                       HEAD_TIME_MASK);

    if (v->head == 0) {
        return NGX_DECLINED;
    }

    return (v->head & HEAD_CLOSED) ? NGX_AGAIN : NGX_OK;
}


/*
 * How many of the newest n batches, all after the tail, haven't left the span?
 * Steps double from the oldest on until one is found, then halve: the usual
 * case, nothing or one to pass over, reads one or two cells.  If the newest
 * has left, all have, which is so for partners that seldom ask.
 */

static uint32_t
ngx_wassiit_window_count(ngx_wassiit_window_view_t *v, uint32_t n, uint64_t now)
{
    uint32_t  low, high, mid, step;

    if (n == 0 || ngx_wassiit_window_left(v->last, v->span, now)) {
        return 0;
    }

    /* of the batches, "low" haven't left for sure, and at most "high" */

    high = n;
    step = 1;

    for (low = n; low > 1; step *= 2) {
        if (!ngx_wassiit_window_left(ngx_wassiit_window_time(v, low - 1),
                                     v->span, now))
        {
            break;
        }

        high = low - 1;
        low = (low > step + 1) ? low - step : 1;
    }

    while (low < high) {
        mid = high - (high - low) / 2;

        if (ngx_wassiit_window_left(ngx_wassiit_window_time(v, mid - 1),
                                    v->span, now))
        {
            high = mid - 1;

        } else {
            low = mid;
        }
    }

    return low;
}


/* The same, of up to "most" batches that are known, also before the tail. */

static uint32_t
ngx_wassiit_window_walk(ngx_wassiit_window_view_t *v, uint32_t most,
    uint64_t span, uint64_t now)
{
    uint32_t  n;
    uint64_t  time;

    if (HEAD_COUNT(v->head) == HEAD_NONE) {
        return 0;
    }

    time = v->last;

    for (n = 0; n < most; /* void */ ) {
        if (ngx_wassiit_window_left(time, span, now)) {
            break;
        }

        n++;

        if (!ngx_wassiit_window_earlier(v, n, &time)) {
            break;
        }
    }

    return n;
}


/*
 * Given the time of the batch after it, sets *time to that of the batch of this
 * age, 1 or more.  Returns 0 if that isn't known: then it means nothing.
 */

static ngx_uint_t
ngx_wassiit_window_earlier(ngx_wassiit_window_view_t *v, uint32_t age,
    uint64_t *time)
{
    uint64_t  cell;

    if (age >= v->w->ring.cells) {
        return 0;
    }

    cell = ngx_wassiit_window_cell(v, age);

    *time = v->w->ring.wide
            ? cell >> 16
            : ngx_wassiit_window_until(*time, cell >> 1, CELL_TIME_MASK);

    return cell & 1;
}


ngx_int_t
ngx_wassiit_window_usage(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage)
{
    uint32_t                    n, most, used, open, cap, all;
    uint64_t                    time;
    ngx_uint_t                  i;
    ngx_wassiit_window_t       *w;
    ngx_wassiit_window_view_t   v;

    (void) ngx_wassiit_window_settle(base, window);

    w = ngx_wassiit_window_at(base, window);
    now &= TIME_MASK;

    usage->limit = w->limit;
    usage->seconds = ngx_wassiit_window_seconds[w->period];

    for (i = 0; i < USAGE_TRIES; i++) {

        if (ngx_wassiit_window_look(base, w, &v) != NGX_OK) {
            return NGX_AGAIN;
        }

        cap = load(&w->cap);
        all = ngx_wassiit_window_admissions(w, cap);
        cap = CAP_BATCHES(cap);

        /* of a limit that was lowered, more may be in use than make it up */

        most = cap + (v.open != 0);

        n = (ngx_wassiit_window_age(now, v.since) <= TIME_MASK / 2)
            ? ngx_wassiit_window_count(&v, v.recent, now)
            : ngx_wassiit_window_walk(&v, most, v.span, now);
        n = ngx_min(n, most);

        open = n ? v.open : 0;
        used = (n - (open != 0)) * w->batch + open;

        if (used >= cap * w->batch) {
            used = all;
        }

        usage->used = used;
        usage->remaining = all - used;
        usage->reset = 0;

        if (n && cap) {
            time = ngx_wassiit_window_time(&v, n - 1);
            usage->reset = ngx_wassiit_window_reset(time, v.span, now);
        }

        if (load(&w->tail) == v.tail && load(&w->head) == v.head) {
            break;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_window_take_within(u_char *base, uint32_t window, uint64_t now,
    uint32_t most, ngx_wassiit_usage_t *usage)
{
    uint32_t                    n, i, cap;
    uint64_t                    time, seen, oldest, head, tail;
    ngx_int_t                   rc;
    ngx_wassiit_window_t       *w;
    ngx_wassiit_window_view_t   v;

    w = ngx_wassiit_window_at(base, window);

    usage->limit = w->limit;
    usage->seconds = ngx_wassiit_window_seconds[w->period];

    for ( ;; ) {
        rc = ngx_wassiit_window_look(base, w, &v);

        if (rc == NGX_DECLINED) {
            if (ngx_wassiit_window_settle(base, window) == 0
                && load(&w->head) == 0)
            {
                /* freed since: the caller looks again */
                return NGX_AGAIN;
            }

            continue;
        }

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        seen = now & TIME_MASK;

        if (v.recent && ngx_wassiit_window_age(v.last, seen) < TIME_LAG) {
            seen = v.last;
        }

        time = seen;

        if ((v.tail & TAIL_SET)
            && ngx_wassiit_window_age(v.since, time) < TIME_LAG)
        {
            time = v.since;
        }

        n = ngx_wassiit_window_count(&v, v.recent, time);

        if (n == 0 && v.open) {
            /* the tail doesn't pass a batch that isn't full */
            n = 1;

            if (ngx_wassiit_window_age(time, v.last) > HEAD_AGE) {
                /*
                 * The tail's new time wouldn't tell the head's: let that be
                 * one that leaves the span just now.
                 */

                v.last = time - v.span;
                head = HEAD(v.last, v.open, v.index);

                if (!ngx_wassiit_swap(&w->head, v.head, head)) {
                    continue;
                }

                v.head = head;
            }
        }

        if (n != v.recent || !(v.tail & TAIL_SET)
            || ngx_wassiit_window_age(time, v.since) >= v.span)
        {
            tail = TAIL(time, ngx_wassiit_window_back(w, v.index, n));

            if (!ngx_wassiit_swap(&w->tail, v.tail, tail)) {
                continue;
            }
        }

        cap = ngx_min(CAP_BATCHES(load(&w->cap)), most / w->batch);

        if (n + (v.open == 0) > cap) {
            usage->remaining = 0;
            usage->reset = 0;

            if (cap == 0) {
                return NGX_DECLINED;
            }

            oldest = ngx_wassiit_window_time(&v, cap - (v.open == 0));

            if (load(&w->head) != v.head) {
                continue;
            }

            usage->reset = ngx_wassiit_window_reset(oldest, v.span, seen);
            return NGX_DECLINED;
        }

        /* with nothing else in the span this one is the oldest */

        n -= (v.open != 0);
        oldest = n ? ngx_wassiit_window_time(&v, n - (v.open == 0)) : time;

        i = v.index;

        if (v.open == 0) {
            if (ngx_wassiit_window_fill(&v, time) != NGX_OK) {
                continue;
            }

            i = (i + 1 == w->ring.cells) ? 0 : i + 1;
        }

        if (!ngx_wassiit_swap_ordered(&w->head, v.head,
                                      HEAD(time, v.open + 1, i)))
        {
            continue;
        }

        /*
         * A cap that was lowered by one who hasn't counted this admission is
         * found here.  If it is too many then, it stays, but isn't admitted.
         */

        cap = ngx_min(CAP_BATCHES(ngx_wassiit_load_ordered(&w->cap)),
                      most / w->batch);

        if (n < cap) {
            break;
        }
    }

    usage->remaining = (cap - n) * w->batch - (v.open + 1);
    usage->reset = ngx_wassiit_window_reset(oldest, v.span, seen);

    return NGX_OK;
}


/*
 * Fills the cell of the newest batch, which is full, for one that is to come at
 * that time.  What the cell holds by then was read while the head was as in v.
 * So of swaps that come late, after the head has moved on, those in the same
 * lap of the ring may make the next batch come after a pause, and others fail.
 * Returns NGX_OK; NGX_AGAIN: the head has moved on.
 */

static ngx_int_t
ngx_wassiit_window_fill(ngx_wassiit_window_view_t *v, uint64_t time)
{
    uint64_t             word, cell, value, *p;
    ngx_wassiit_ring_t  *ring;

    if (HEAD_COUNT(v->head) == HEAD_NONE) {
        return NGX_OK;
    }

    ring = &v->w->ring;
    p = ngx_wassiit_ring_word(v->base, ring, v->index);
    value = ngx_wassiit_window_value(v->w, v->last, time);

    for ( ;; ) {
        word = load(p);
        cell = ngx_wassiit_ring_cell(ring, v->index, word);

        if (load(&v->w->head) != v->head) {
            return NGX_AGAIN;
        }

        /* another may have filled it, also for a time that makes it a pause */

        if (cell == value || (cell && cell == (value & ~(uint64_t) 1))) {
            return NGX_OK;
        }

        if (ngx_wassiit_swap(p, word,
                             ngx_wassiit_ring_set(ring, v->index, word,
                                                  value)))
        {
            return NGX_OK;
        }
    }
}


uint32_t
ngx_wassiit_window_cap(u_char *base, uint32_t window)
{
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);

    return ngx_wassiit_window_admissions(w, load(&w->held));
}


void
ngx_wassiit_window_raise(u_char *base, uint32_t window, uint32_t cap)
{
    uint16_t               high;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);
    high = ngx_wassiit_window_batches(w, cap);

    /* in this order: what is admitted is in force */

    store(&w->held, high);
    store(&w->cap, high);
}


/*
 * An admission that is stored before the fence is counted.  One that is stored
 * later finds the cap, and isn't made if it is too many.  It is counted by the
 * next who lowers, though, so that more may be counted than was ever in force.
 */

static uint32_t
ngx_wassiit_window_hold(u_char *base, uint32_t window, uint32_t cap,
    uint64_t now, ngx_uint_t back)
{
    uint32_t                    used;
    uint16_t                    held, low;
    ngx_wassiit_window_t       *w;
    ngx_wassiit_window_view_t   v;

    (void) ngx_wassiit_window_settle(base, window);

    w = ngx_wassiit_window_at(base, window);
    held = load(&w->held);

    if (ngx_wassiit_window_look(base, w, &v) != NGX_OK) {
        return ngx_wassiit_window_admissions(w, held);
    }

    low = ngx_wassiit_window_batches(w, cap);

    store(&w->cap, low);
    ngx_wassiit_fence();

    do {
        if (ngx_wassiit_window_look(base, w, &v) != NGX_OK) {
            return ngx_wassiit_window_admissions(w, held);
        }

        used = ngx_wassiit_window_count(&v, v.recent, now & TIME_MASK);

    } while (load(&w->head) != v.head);

    if (used > CAP_BATCHES(low)) {
        low = (used < CAP_BATCHES(held)) ? used : held;

        if (back) {
            store(&w->cap, low);
        }
    }

    store(&w->held, low);

    return ngx_wassiit_window_admissions(w, low);
}


uint32_t
ngx_wassiit_window_lower(u_char *base, uint32_t window, uint32_t cap,
    uint64_t now)
{
    return ngx_wassiit_window_hold(base, window, cap, now, 1);
}


uint32_t
ngx_wassiit_window_sink(u_char *base, uint32_t window, uint32_t cap,
    uint64_t now)
{
    return ngx_wassiit_window_hold(base, window, cap, now, 0);
}


uint32_t
ngx_wassiit_window_settle(u_char *base, uint32_t window)
{
    uint32_t               from;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);
    from = load(&w->from);

    if (load(&w->head) == 0 && from) {
        (void) ngx_wassiit_window_settle(base, from);
        ngx_wassiit_window_move(base, w, ngx_wassiit_window_at(base, from));
    }

    return from;
}


void
ngx_wassiit_window_release(u_char *base, uint32_t window)
{
    store(&ngx_wassiit_window_at(base, window)->from, 0);
}


/*
 * From the return on, nothing is admitted in w any more, and all agree on what
 * is known of it, even if a fill that comes late makes a pause.  Sets v to it.
 */

static void
ngx_wassiit_window_close(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_view_t *v)
{
    uint32_t  n;
    uint64_t  head;

    do {
        head = load(&w->head);
    } while (!(head & HEAD_CLOSED)
             && !ngx_wassiit_swap(&w->head, head, head | HEAD_CLOSED));

    for ( ;; ) {
        (void) ngx_wassiit_window_look(base, w, v);

        if (v->tail & TAIL_CLOSED) {
            return;
        }

        /* nothing leaves so long a span, so this counts all that is known */
        n = ngx_wassiit_window_walk(v, w->ring.cells, TIME_MASK, v->last);

        (void) ngx_wassiit_swap(&w->tail, v->tail,
                                TAIL(v->recent ? v->since
                                               : v->last + v->span, n)
                                | TAIL_CLOSED);
    }
}


/*
 * Whoever calls it computes the same from the closed window, and sets only what
 * is still zero; once the head is set, it is done.  Batches are made of what is
 * known, from cell 1 on; the last of them is the head's.
 */

static void
ngx_wassiit_window_move(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_t *old)
{
    uint32_t                    n, age, its_age, i, count, left;
    uint64_t                    total, keep, number, time, next, now, word;
    ngx_wassiit_window_view_t   v;

    ngx_wassiit_window_close(base, old, &v);

    n = TAIL_INDEX(v.tail);
    total = (uint64_t) (n - (v.open != 0)) * old->batch + v.open;
    keep = ngx_min(total, (uint64_t) (w->ring.cells - 1) * w->batch);

    if (keep == 0) {
        (void) ngx_wassiit_swap(&w->head, 0, HEAD(0, HEAD_NONE, 0));
        return;
    }

    now = (ngx_wassiit_window_age(v.last, v.since) < TIME_LAG) ? v.last
                                                               : v.since;
    count = (keep + w->batch - 1) / w->batch;
    left = count;
    age = 0;
    time = v.last;
    next = v.last;
    word = 0;

    for (i = count; i > 0 && load(&w->head) == 0; i--) {

        /* a batch bears the time of its last admission */

        number = total - keep + ngx_min((uint64_t) i * w->batch, keep) - 1;
        its_age = n - 1 - (uint32_t) (number / old->batch);

        while (age < its_age) {
            age++;
            (void) ngx_wassiit_window_earlier(&v, age, &time);
        }

        if (!ngx_wassiit_window_left(time, ngx_wassiit_window_span(w), now)) {
            left = i - 1;
        }

        if (i < count) {
            word = ngx_wassiit_ring_set(&w->ring, i, word,
                                   ngx_wassiit_window_value(w, time, next));
        }

        if (w->ring.wide || i % 2 == 0 || i == 1) {
            (void) ngx_wassiit_swap(ngx_wassiit_ring_word(base, &w->ring, i),
                                    0, word);
            word = 0;
        }

        next = time;
    }

    keep -= (uint64_t) (count - 1) * w->batch;

    (void) ngx_wassiit_swap(&w->tail, 0, TAIL(now, left));
    (void) ngx_wassiit_swap(&w->head, 0, HEAD(v.last, keep, count));
}
