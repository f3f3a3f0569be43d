
#include "ngx_wassiit_window.h"


/*
 * A cell: time of the (last) admission in microseconds, 48 bits; closed, 1
 * bit; number of admissions, 7 bits (0: never filled); lap, 8 bits.  The
 * lap tells a cell that is filled under the head from one of the lap before.
 */
#define CELL_TIME(c)            ((c) >> 16)
#define CELL_COUNT(c)           ((uint32_t) ((c) >> 8) & 0x7f)
#define CELL_LAP(c)             ((uint32_t) (c) & 0xff)
#define CELL_CLOSED             0x8000
#define CELL(time, count, lap)                                               \
    (((uint64_t) (time) << 16) | ((uint64_t) (count) << 8) | ((lap) & 0xff))

#define TIME_MASK               (((uint64_t) 1 << 48) - 1)

/* how far a process may lag behind with its reading of the clock */
#define TIME_LAG                ((uint64_t) 1 << 38)

static void ngx_wassiit_window_shape(ngx_wassiit_window_t *w,
    const ngx_wassiit_rate_t *rate);
static uint32_t ngx_wassiit_window_room(ngx_wassiit_window_t *old,
    ngx_wassiit_window_t *w, uint64_t cells);
static uint64_t *ngx_wassiit_window_cell(u_char *base,
    ngx_wassiit_window_t *w, uint64_t number);
static uint64_t ngx_wassiit_window_close(u_char *base,
    ngx_wassiit_window_t *w);
static void ngx_wassiit_window_move(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_t *old);
static void ngx_wassiit_window_used(u_char *base, ngx_wassiit_window_t *w,
    uint64_t head, uint32_t i, uint64_t cell, ngx_wassiit_usage_t *usage);
static uint64_t ngx_wassiit_window_first(u_char *base,
    ngx_wassiit_window_t *w, uint64_t low, uint64_t head, uint32_t i,
    uint64_t span, uint64_t now);
static ngx_uint_t ngx_wassiit_window_left(u_char *base,
    ngx_wassiit_window_t *w, uint32_t i, uint64_t span, uint64_t now);


#define load(p)         __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)     __atomic_store_n(p, v, __ATOMIC_RELEASE)


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


static ngx_inline ngx_uint_t
ngx_wassiit_window_swap(uint64_t *p, uint64_t old, uint64_t value)
{
    return __atomic_compare_exchange_n(p, &old, value, 0, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}


/*
 * The index of the cell n before the one at i, n being no more than there are
 * cells.  On the way of a request a division is worth avoiding.
 */

static ngx_inline uint32_t
ngx_wassiit_window_back(ngx_wassiit_window_t *w, uint32_t i, uint32_t n)
{
    return (i >= n) ? i - n : i + w->ring.cells - n;
}


/* microseconds from then to now, now being the later */

static ngx_inline uint64_t
ngx_wassiit_window_age(uint64_t now, uint64_t then)
{
    return (now - then) & TIME_MASK;
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
    w->depth = rate->limit / w->batch;

    while (ngx_wassiit_window_seconds[w->period] != rate->seconds) {
        w->period++;
    }
}


uint32_t
ngx_wassiit_window_cells(const ngx_wassiit_rate_t *rate)
{
    ngx_wassiit_window_t  shape;

    ngx_wassiit_window_shape(&shape, rate);

    return shape.depth;
}


uint32_t
ngx_wassiit_window_cells_from(u_char *base, const ngx_wassiit_rate_t *rate,
    uint32_t from, uint64_t now, uint32_t *most)
{
    uint64_t               head, first, used, after, span;
    ngx_wassiit_window_t  *old, shape;

    ngx_wassiit_window_shape(&shape, rate);
    (void) ngx_wassiit_window_settle(base, from);

    old = ngx_wassiit_window_at(base, from);
    head = load(&old->head);

    span = ngx_max(ngx_wassiit_window_span(old),
                   ngx_wassiit_window_span(&shape));

    first = ngx_max(head - old->ring.cells, (uint64_t) old->ring.cells);
    first = ngx_wassiit_window_first(base, old, first, head,
                                     head % old->ring.cells, span,
                                     now & TIME_MASK);

    /* with the cell under the head */
    used = head - first + 1;

    /* within the older span there are never more than its limit */

    after = (shape.period > old->period)
            ? ngx_min(used + old->depth, old->ring.cells)
            : ngx_max(used, old->depth);

    *most = ngx_wassiit_window_room(old, &shape, after + 1);

    return ngx_wassiit_window_room(old, &shape, used);
}


/* cells for the window, and for so many cells of the older one */

static uint32_t
ngx_wassiit_window_room(ngx_wassiit_window_t *old, ngx_wassiit_window_t *w,
    uint64_t cells)
{
    cells = (cells * old->batch + w->batch - 1) / w->batch;
    cells = ngx_max(w->depth, cells + 1);

    return ngx_min(cells, NGX_WASSIIT_RING_CELLS);
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
        /* numbers start in lap 1 */
        store(&w->head, w->ring.cells);
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


static uint64_t *
ngx_wassiit_window_cell(u_char *base, ngx_wassiit_window_t *w, uint64_t number)
{
    return ngx_wassiit_ring_cell(base, &w->ring, number % w->ring.cells);
}


void
ngx_wassiit_window_prefetch(u_char *base, uint32_t window)
{
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);

    __builtin_prefetch(ngx_wassiit_window_cell(base, w, load(&w->head)), 1);
}


ngx_int_t
ngx_wassiit_window_usage(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage)
{
    uint64_t               head, cell, low, used, age, span;
    uint32_t               i, open, lap;
    ngx_wassiit_window_t  *w;

    (void) ngx_wassiit_window_settle(base, window);

    w = ngx_wassiit_window_at(base, window);
    head = load(&w->head);

    if (head == 0) {
        return NGX_AGAIN;
    }

    i = head % w->ring.cells;
    cell = load(ngx_wassiit_ring_cell(base, &w->ring, i));

    if (cell & CELL_CLOSED) {
        return NGX_AGAIN;
    }

    usage->limit = w->limit;
    usage->seconds = ngx_wassiit_window_seconds[w->period];

    span = ngx_wassiit_window_span(w);
    lap = (head / w->ring.cells) & 0xff;
    open = (CELL_LAP(cell) == lap) ? CELL_COUNT(cell) : 0;

    /* in the smallest ring, a cell that is open has taken the oldest's place */

    low = head - w->depth + (open && w->ring.cells == w->depth);
    low = ngx_wassiit_window_first(base, w, low, head, i, span, now);

    if (open && ngx_wassiit_window_left(base, w, i, span, now)) {
        open = 0;
    }

    used = (head - low) * w->batch + open;

    if (used >= (uint64_t) w->depth * w->batch) {
        used = w->limit;
    }

    usage->remaining = w->limit - used;
    usage->reset = 0;

    if (used) {
        cell = load(ngx_wassiit_ring_cell(base, &w->ring,
                                 ngx_wassiit_window_back(w, i, head - low)));
        age = ngx_wassiit_window_age(now, CELL_TIME(cell));

        /* who filled it may have read its clock after us */
        usage->reset = (age > TIME_MASK / 2) ? span
                                             : span - ngx_min(span, age);
    }

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_window_take(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage)
{
    uint64_t               head, cell, prev, last, time, age, span, value;
    uint64_t              *p;
    uint32_t               i, lap, filled;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);
    span = ngx_wassiit_window_span(w);

    usage->limit = w->limit;
    usage->seconds = ngx_wassiit_window_seconds[w->period];

    for ( ;; ) {
        head = load(&w->head);

        if (head == 0) {
            if (ngx_wassiit_window_settle(base, window) == 0
                && load(&w->head) == 0)
            {
                /* freed since: the caller looks again */
                return NGX_AGAIN;
            }

            continue;
        }

        i = head % w->ring.cells;
        lap = (head / w->ring.cells) & 0xff;
        p = ngx_wassiit_ring_cell(base, &w->ring, i);
        cell = load(p);
        time = now & TIME_MASK;

        if (cell & CELL_CLOSED) {
            return NGX_AGAIN;
        }

        filled = (CELL_LAP(cell) == lap) ? CELL_COUNT(cell) : 0;

        if (filled >= w->batch) {
            /* help a process that hasn't yet moved the head */
            (void) ngx_wassiit_window_swap(&w->head, head, head + 1);
            continue;
        }

        prev = filled ? cell
                      : load(ngx_wassiit_ring_cell(base, &w->ring,
                                            ngx_wassiit_window_back(w, i, 1)));

        if (load(&w->oldest) > head - w->depth) {
            /* it has left the span already */
            last = 0;

        } else if (w->ring.cells > w->depth) {
            last = load(ngx_wassiit_ring_cell(base, &w->ring,
                                     ngx_wassiit_window_back(w, i, w->depth)));
        } else {
            last = filled ? 0 : cell;
        }

        if (load(&w->head) != head) {
            continue;
        }

        if (CELL_COUNT(prev)
            && ngx_wassiit_window_age(CELL_TIME(prev), time) < TIME_LAG)
        {
            time = CELL_TIME(prev);
        }

        age = ngx_wassiit_window_age(time, CELL_TIME(last));

        if (CELL_COUNT(last) && age < span) {
            usage->remaining = 0;
            usage->reset = span - age;
            return NGX_DECLINED;
        }

        value = CELL(time, filled + 1, lap);

        if (ngx_wassiit_window_swap(p, cell, value)) {
            break;
        }
    }

    if (CELL_COUNT(value) == w->batch) {
        (void) ngx_wassiit_window_swap(&w->head, head, head + 1);
    }

    ngx_wassiit_window_used(base, w, head, i, value, usage);

    return NGX_OK;
}


/*
 * Counts what stands in the window just after the admission that made the
 * cell under head, the one at i.  w->oldest never runs ahead of the truth,
 * so a store of it that comes late does no harm.
 */

static void
ngx_wassiit_window_used(u_char *base, ngx_wassiit_window_t *w, uint64_t head,
    uint32_t i, uint64_t cell, ngx_wassiit_usage_t *usage)
{
    uint64_t  low, oldest, now, span;
    uint32_t  used;

    now = CELL_TIME(cell);
    span = ngx_wassiit_window_span(w);
    low = head + 1 - w->depth;
    oldest = load(&w->oldest);

    if (oldest > low && oldest <= head) {
        low = oldest;
    }

    low = ngx_wassiit_window_first(base, w, low, head, i, span, now);

    if (low != oldest) {
        store(&w->oldest, low);
    }

    used = (uint32_t) (head - low) * w->batch + CELL_COUNT(cell);
    usage->remaining = (uint32_t) w->depth * w->batch - used;

    if (low != head) {
        cell = load(ngx_wassiit_ring_cell(base, &w->ring,
                                 ngx_wassiit_window_back(w, i, head - low)));
    }

    usage->reset = span - ngx_min(span,
                               ngx_wassiit_window_age(now, CELL_TIME(cell)));
}


/*
 * The first number from low to head that is still in a span; head, whose cell
 * is at i, counts as one that is.  If the one before head has left it, all
 * have, which is so for partners that seldom ask.  Else steps double until one
 * is found, then halve: the usual case, nothing or one to pass over, reads one
 * or two cells.
 */

static uint64_t
ngx_wassiit_window_first(u_char *base, ngx_wassiit_window_t *w, uint64_t low,
    uint64_t head, uint32_t i, uint64_t span, uint64_t now)
{
    uint64_t  high, mid, step;

    if (low < head
        && ngx_wassiit_window_left(base, w, ngx_wassiit_window_back(w, i, 1),
                                   span, now))
    {
        return head;
    }

    step = 1;
    high = low;

    while (high < head
           && ngx_wassiit_window_left(base, w,
                                      ngx_wassiit_window_back(w, i,
                                                              head - high),
                                      span, now))
    {
        low = high + 1;
        high = ngx_min(high + step, head);
        step *= 2;
    }

    while (low < high) {
        mid = low + (high - low) / 2;

        if (ngx_wassiit_window_left(base, w,
                                    ngx_wassiit_window_back(w, i, head - mid),
                                    span, now))
        {
            low = mid + 1;

        } else {
            high = mid;
        }
    }

    return high;
}


static ngx_uint_t
ngx_wassiit_window_left(u_char *base, ngx_wassiit_window_t *w,
    uint32_t i, uint64_t span, uint64_t now)
{
    uint64_t  cell, age;

    cell = load(ngx_wassiit_ring_cell(base, &w->ring, i));
    age = ngx_wassiit_window_age(now, CELL_TIME(cell));

    /* a time after now: other processes have filled the cell anew */

    return CELL_COUNT(cell) == 0 || (age >= span && age <= TIME_MASK / 2);
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


/* From the return on, no admission is made in w any more. */

static uint64_t
ngx_wassiit_window_close(u_char *base, ngx_wassiit_window_t *w)
{
    uint64_t   head, cell;
    uint64_t  *p;

    for ( ;; ) {
        head = load(&w->head);
        p = ngx_wassiit_window_cell(base, w, head);
        cell = load(p);

        if (cell & CELL_CLOSED) {
            return load(&w->head);
        }

        if (load(&w->head) != head) {
            /* the cell may be a later lap's, filled and not to be closed */
            continue;
        }

        if (CELL_COUNT(cell) >= w->batch
            && CELL_LAP(cell) == ((head / w->ring.cells) & 0xff))
        {
            (void) ngx_wassiit_window_swap(&w->head, head, head + 1);
            continue;
        }

        (void) ngx_wassiit_window_swap(p, cell, cell | CELL_CLOSED);
    }
}


/*
 * Whoever calls it computes the same cells from the closed window, and sets
 * only those that are still empty; once the head is set, it is done.
 */

static void
ngx_wassiit_window_move(u_char *base, ngx_wassiit_window_t *w,
    ngx_wassiit_window_t *old)
{
    uint64_t  head, first, total, keep, skip, group, groups, at, cell, number;
    uint32_t  open, count, lap;

    head = ngx_wassiit_window_close(base, old);
    first = ngx_max(head - old->ring.cells, (uint64_t) old->ring.cells);

    cell = load(ngx_wassiit_window_cell(base, old, head));
    open = 0;

    lap = (head / old->ring.cells) & 0xff;

    if (CELL_COUNT(cell) && CELL_LAP(cell) == lap) {
        open = CELL_COUNT(cell);
        first = ngx_max(head - old->ring.cells + 1,
                        (uint64_t) old->ring.cells);
    }

    total = (head - first) * old->batch + open;
    keep = ngx_min(total, (uint64_t) w->ring.cells * w->batch);
    skip = total - keep;
    groups = (keep + w->batch - 1) / w->batch;

    for (group = 0; group < groups && load(&w->head) == 0; group++) {

        /* a batch bears the time of its last admission */

        at = ngx_min((group + 1) * w->batch, keep);
        count = at - group * w->batch;
        cell = load(ngx_wassiit_window_cell(base, old,
                                     first + (skip + at - 1) / old->batch));

        number = w->ring.cells + group;
        cell = CELL(CELL_TIME(cell), count, number / w->ring.cells);

        (void) ngx_wassiit_window_swap(ngx_wassiit_window_cell(base, w, number),
                                       0, cell);
    }

    (void) ngx_wassiit_window_swap(&w->head, 0,
                                   w->ring.cells + keep / w->batch);
}
