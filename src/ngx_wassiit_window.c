
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

#define UNIT_CELLS              (NGX_WASSIIT_UNIT / sizeof(uint64_t))


typedef struct {
    uint64_t            head;       /* number of the next one; 0: unsettled */
    uint64_t            oldest;     /* a number not above the oldest in W */
    uint64_t            span;       /* W in microseconds */
    uint32_t            cells;      /* size of the ring, at least depth */
    uint32_t            from;       /* the window to take over from */
    uint32_t            limit;      /* N */
    uint16_t            depth;      /* cells that make up N */
    uint16_t            batch;      /* admissions a cell */
    uint16_t            first;      /* offset of the first cell */
    uint16_t            own;        /* cells in the first unit */
    uint32_t            seconds;    /* W */
    uint32_t            units[];    /* the further units, own - 1 */
} ngx_wassiit_window_t;


static void ngx_wassiit_window_shape(ngx_wassiit_window_t *w,
    const ngx_wassiit_rate_t *rate);
static ngx_uint_t ngx_wassiit_window_offset(ngx_uint_t n);
static ngx_uint_t ngx_wassiit_window_room(ngx_wassiit_window_t *old,
    ngx_wassiit_window_t *w, uint64_t cells);
static ngx_uint_t ngx_wassiit_window_fit(ngx_uint_t cells);
static uint64_t *ngx_wassiit_window_cell(u_char *base,
    ngx_wassiit_window_t *w, uint64_t number);
static uint64_t *ngx_wassiit_window_cell_at(u_char *base,
    ngx_wassiit_window_t *w, uint32_t i);
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


static ngx_inline ngx_wassiit_window_t *
ngx_wassiit_window_at(u_char *base, uint32_t unit)
{
    return (ngx_wassiit_window_t *) (base + (size_t) unit * NGX_WASSIIT_UNIT);
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
    return (i >= n) ? i - n : i + w->cells - n;
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
    w->seconds = rate->seconds;
    w->span = (uint64_t) rate->seconds * 1000000;

    w->batch = (rate->limit + NGX_WASSIIT_WINDOW_CELLS - 1)
               / NGX_WASSIIT_WINDOW_CELLS;
    w->depth = rate->limit / w->batch;
}


/* where the first cell lies in a window of n units */

static ngx_uint_t
ngx_wassiit_window_offset(ngx_uint_t n)
{
    return ngx_align(sizeof(ngx_wassiit_window_t) + (n - 1) * sizeof(uint32_t),
                     sizeof(uint64_t));
}


/* the least number of units that have so many cells */

static ngx_uint_t
ngx_wassiit_window_fit(ngx_uint_t cells)
{
    ngx_uint_t  n;

    for (n = 1; n < NGX_WASSIIT_WINDOW_UNITS; n++) {
        if (n * UNIT_CELLS - ngx_wassiit_window_offset(n) / sizeof(uint64_t)
            >= cells)
        {
            break;
        }
    }

    return n;
}


ngx_uint_t
ngx_wassiit_window_units(const ngx_wassiit_rate_t *rate)
{
    ngx_wassiit_window_t  shape;

    ngx_wassiit_window_shape(&shape, rate);

    return ngx_wassiit_window_fit(shape.depth);
}


ngx_uint_t
ngx_wassiit_window_units_from(u_char *base, const ngx_wassiit_rate_t *rate,
    uint32_t from, uint64_t now, ngx_uint_t *most)
{
    uint64_t               head, first, used, after;
    ngx_wassiit_window_t  *old, shape;

    ngx_wassiit_window_shape(&shape, rate);
    (void) ngx_wassiit_window_settle(base, from);

    old = ngx_wassiit_window_at(base, from);
    head = load(&old->head);

    first = ngx_wassiit_window_first(base, old,
                                     ngx_max(head - old->cells, old->cells),
                                     head, head % old->cells,
                                     ngx_max(old->span, shape.span),
                                     now & TIME_MASK);

    /* with the cell under the head */
    used = head - first + 1;

    /* within the older span there are never more than its limit */

    after = (shape.span > old->span) ? ngx_min(used + old->depth, old->cells)
                                     : ngx_max(used, old->depth);

    *most = ngx_wassiit_window_room(old, &shape, after + 1);

    return ngx_wassiit_window_room(old, &shape, used);
}


/* units for the window, and for so many cells of the older one */

static ngx_uint_t
ngx_wassiit_window_room(ngx_wassiit_window_t *old, ngx_wassiit_window_t *w,
    uint64_t cells)
{
    cells = (cells * old->batch + w->batch - 1) / w->batch;

    return ngx_wassiit_window_fit(ngx_max(w->depth, cells + 1));
}


void
ngx_wassiit_window_init(u_char *base, const uint32_t *units, ngx_uint_t n,
    const ngx_wassiit_rate_t *rate, uint32_t from)
{
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, units[0]);

    ngx_wassiit_window_shape(w, rate);
    ngx_memcpy(w->units, &units[1], (n - 1) * sizeof(uint32_t));

    w->first = ngx_wassiit_window_offset(n);
    w->own = (NGX_WASSIIT_UNIT - w->first) / sizeof(uint64_t);
    w->cells = w->own + (n - 1) * UNIT_CELLS;

    w->from = from;

    if (from == 0) {
        /* numbers start in lap 1 */
        store(&w->head, w->cells);
    }
}


void
ngx_wassiit_window_rate(u_char *base, uint32_t window,
    ngx_wassiit_rate_t *rate)
{
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);

    rate->limit = w->limit;
    rate->seconds = w->seconds;
}


ngx_uint_t
ngx_wassiit_window_list(u_char *base, uint32_t window, uint32_t *units)
{
    ngx_uint_t             n;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);
    n = (w->cells - w->own) / UNIT_CELLS;

    units[0] = window;
    ngx_memcpy(&units[1], w->units, n * sizeof(uint32_t));

    return n + 1;
}


static uint64_t *
ngx_wassiit_window_cell(u_char *base, ngx_wassiit_window_t *w, uint64_t number)
{
    return ngx_wassiit_window_cell_at(base, w, number % w->cells);
}


static uint64_t *
ngx_wassiit_window_cell_at(u_char *base, ngx_wassiit_window_t *w, uint32_t i)
{
    u_char  *unit;

    if (i < w->own) {
        return (uint64_t *) ((u_char *) w + w->first) + i;
    }

    i -= w->own;
    unit = base + (size_t) w->units[i / UNIT_CELLS] * NGX_WASSIIT_UNIT;

    return (uint64_t *) unit + i % UNIT_CELLS;
}


void
ngx_wassiit_window_prefetch(u_char *base, uint32_t window)
{
    uint32_t               cells;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);
    cells = load(&w->cells);

    /* 0: freed, and used again since */

    if (cells) {
        __builtin_prefetch(ngx_wassiit_window_cell_at(base, w,
                                                   load(&w->head) % cells), 1);
    }
}


ngx_int_t
ngx_wassiit_window_usage(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage)
{
    uint64_t               head, cell, low, used, age;
    uint32_t               i, open;
    ngx_wassiit_window_t  *w;

    (void) ngx_wassiit_window_settle(base, window);

    w = ngx_wassiit_window_at(base, window);
    head = load(&w->head);

    if (head == 0 || w->cells == 0) {
        return NGX_AGAIN;
    }

    i = head % w->cells;
    cell = load(ngx_wassiit_window_cell_at(base, w, i));

    if (cell & CELL_CLOSED) {
        return NGX_AGAIN;
    }

    usage->limit = w->limit;
    usage->seconds = w->seconds;

    open = (CELL_LAP(cell) == ((head / w->cells) & 0xff)) ? CELL_COUNT(cell)
                                                          : 0;

    /* in the smallest ring, a cell that is open has taken the oldest's place */

    low = ngx_wassiit_window_first(base, w, head - w->depth
                                            + (open && w->cells == w->depth),
                                   head, i, w->span, now);

    if (open && ngx_wassiit_window_left(base, w, i, w->span, now)) {
        open = 0;
    }

    used = (head - low) * w->batch + open;

    if (used >= (uint64_t) w->depth * w->batch) {
        used = w->limit;
    }

    usage->remaining = w->limit - used;
    usage->reset = 0;

    if (used) {
        cell = load(ngx_wassiit_window_cell_at(base, w,
                                 ngx_wassiit_window_back(w, i, head - low)));
        age = ngx_wassiit_window_age(now, CELL_TIME(cell));

        /* who filled it may have read its clock after us */
        usage->reset = (age > TIME_MASK / 2) ? w->span
                                             : w->span - ngx_min(w->span, age);
    }

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_window_take(u_char *base, uint32_t window, uint64_t now,
    ngx_wassiit_usage_t *usage)
{
    uint64_t               head, cell, prev, last, time, age, value;
    uint64_t              *p;
    uint32_t               i, lap, filled;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_window_at(base, window);

    usage->limit = w->limit;
    usage->seconds = w->seconds;

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

        i = head % w->cells;
        lap = (head / w->cells) & 0xff;
        p = ngx_wassiit_window_cell_at(base, w, i);
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
                      : load(ngx_wassiit_window_cell_at(base, w,
                                            ngx_wassiit_window_back(w, i, 1)));

        if (load(&w->oldest) > head - w->depth) {
            /* it has left the span already */
            last = 0;

        } else if (w->cells > w->depth) {
            last = load(ngx_wassiit_window_cell_at(base, w,
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

        if (CELL_COUNT(last) && age < w->span) {
            usage->remaining = 0;
            usage->reset = w->span - age;
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
    uint64_t  low, oldest, now;
    uint32_t  used;

    now = CELL_TIME(cell);
    low = head + 1 - w->depth;
    oldest = load(&w->oldest);

    if (oldest > low && oldest <= head) {
        low = oldest;
    }

    low = ngx_wassiit_window_first(base, w, low, head, i, w->span, now);

    if (low != oldest) {
        store(&w->oldest, low);
    }

    used = (uint32_t) (head - low) * w->batch + CELL_COUNT(cell);
    usage->remaining = (uint32_t) w->depth * w->batch - used;

    if (low != head) {
        cell = load(ngx_wassiit_window_cell_at(base, w,
                                 ngx_wassiit_window_back(w, i, head - low)));
    }

    usage->reset = w->span - ngx_min(w->span,
                               ngx_wassiit_window_age(now, CELL_TIME(cell)));
}


/*
 * The first number from low to head that is still in a span; head, whose cell
 * is at i, counts as one that is.
 * Steps double until one is found, then halve: the usual case, nothing or
 * one to pass over, reads one or two cells.
 */

static uint64_t
ngx_wassiit_window_first(u_char *base, ngx_wassiit_window_t *w, uint64_t low,
    uint64_t head, uint32_t i, uint64_t span, uint64_t now)
{
    uint64_t  high, mid, step;

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

    cell = load(ngx_wassiit_window_cell_at(base, w, i));
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
            && CELL_LAP(cell) == ((head / w->cells) & 0xff))
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
    uint32_t  open, count;

    head = ngx_wassiit_window_close(base, old);
    first = ngx_max(head - old->cells, old->cells);

    cell = load(ngx_wassiit_window_cell(base, old, head));
    open = 0;

    if (CELL_COUNT(cell) && CELL_LAP(cell) == ((head / old->cells) & 0xff)) {
        open = CELL_COUNT(cell);
        first = ngx_max(head - old->cells + 1, old->cells);
    }

    total = (head - first) * old->batch + open;
    keep = ngx_min(total, (uint64_t) w->cells * w->batch);
    skip = total - keep;
    groups = (keep + w->batch - 1) / w->batch;

    for (group = 0; group < groups && load(&w->head) == 0; group++) {

        /* a batch bears the time of its last admission */

        at = ngx_min((group + 1) * w->batch, keep);
        count = at - group * w->batch;
        cell = load(ngx_wassiit_window_cell(base, old,
                                     first + (skip + at - 1) / old->batch));

        number = w->cells + group;
        cell = CELL(CELL_TIME(cell), count, number / w->cells);

        (void) ngx_wassiit_window_swap(ngx_wassiit_window_cell(base, w, number),
                                       0, cell);
    }

    (void) ngx_wassiit_window_swap(&w->head, 0, w->cells + keep / w->batch);
}
