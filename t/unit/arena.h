
/*
 * Memory for windows: each has a stretch of lines, in which its own line, the
 * pieces of its ring and their table lie in random order, with a free line
 * between some of them and after the last.  A ring is in one piece, or in
 * pieces of a random size.  Lines that no window has are painted, and so is
 * what a window leaves of its own line and of its table; all that stays so: a
 * window that writes beyond its own words and cells is found out.
 *
 * The arena itself lies in the shared memory that it describes, so that
 * several processes may make windows.  No line is ever used twice before
 * unit_arena_reset().
 */


#ifndef _UNIT_ARENA_H_INCLUDED_
#define _UNIT_ARENA_H_INCLUDED_


#include "unit.h"

#include "ngx_wassiit_window.h"


#define UNIT_ARENA_PAINT    0xa5

/* the lines of the largest table */
#define UNIT_ARENA_TABLE                                                     \
    (NGX_WASSIIT_RING_EXTENTS * sizeof(uint32_t) / NGX_WASSIIT_LINE + 1)

/* the lines that a window takes at most, and those of them that it may write */
#define UNIT_ARENA_MOST                                                      \
    (2 * (NGX_WASSIIT_RING_EXTENTS + 1) + UNIT_ARENA_TABLE)
#define UNIT_ARENA_OWN                                                       \
    (NGX_WASSIIT_RING_EXTENTS + UNIT_ARENA_TABLE)


/* what a line is for */

typedef enum {
    UNIT_LINE_FREE = 0,             /* painted */
    UNIT_LINE_ANY,                  /* cells, and what no longer matters */
    UNIT_LINE_TABLE,                /* as it was made */
    UNIT_LINE_WINDOW                /* painted after the window */
} unit_line_e;


typedef struct {
    u_char             *base;
    u_char             *tables;     /* what base holds, lines of tables alone */
    uint32_t            count;      /* lines 0 .. count - 1; 0 is never used */
    uint32_t            next;
    u_char              line[];     /* unit_line_e */
} unit_arena_t;


static ngx_inline unit_arena_t *
unit_arena_create(uint32_t count)
{
    unit_arena_t  *arena;

    arena = unit_shared(sizeof(unit_arena_t) + count);

    arena->base = unit_shared((size_t) count * NGX_WASSIIT_LINE);
    arena->tables = unit_shared((size_t) count * NGX_WASSIIT_LINE);
    arena->count = count;
    arena->next = 1;

    memset(arena->base, UNIT_ARENA_PAINT, (size_t) count * NGX_WASSIIT_LINE);

    return arena;
}


static ngx_inline ngx_uint_t
unit_arena_is_paint(const u_char *p, size_t size)
{
    /* the first byte is, and each is as the one before */

    return size == 0
           || (p[0] == UNIT_ARENA_PAINT && memcmp(p, p + 1, size - 1) == 0);
}


static ngx_inline ngx_uint_t
unit_arena_painted(const unit_arena_t *arena, uint32_t place, uint32_t n)
{
    return unit_arena_is_paint(ngx_wassiit_line(arena->base, place),
                               (size_t) n * NGX_WASSIIT_LINE);
}


/*
 * A line for a window, and a ring of zeros, of so many cells or what fills a
 * line.  Returns 0 if there is no room left, or a line was written by another.
 */

static ngx_inline uint32_t
unit_arena_lines(unit_arena_t *arena, uint32_t cells, ngx_uint_t wide,
    ngx_wassiit_ring_t *ring)
{
    uint32_t   i, k, n, total, size, pieces, need, first, at;
    uint32_t  *table;

    /* the pieces of the ring, then their table if there is one, the window */

    static u_char    gap[NGX_WASSIIT_RING_EXTENTS + 1];
    static uint32_t  order[NGX_WASSIIT_RING_EXTENTS + 1];
    static uint32_t  place[NGX_WASSIIT_RING_EXTENTS + 1];
    static uint32_t  lines[NGX_WASSIIT_RING_EXTENTS + 1];

    if (cells == 0 || cells > NGX_WASSIIT_RING_CELLS) {
        return 0;
    }

    total = ngx_wassiit_ring_lines(cells, wide);

    ring->cells = total * NGX_WASSIIT_RING_LINE(wide);
    ring->piece = NGX_WASSIIT_RING_WHOLE;
    ring->wide = wide;

    size = total;
    pieces = 1;

    if (unit_random(3)) {
        ring->piece = unit_random(5);
        size = (uint32_t) 1 << ring->piece;
        pieces = (total + size - 1) / size;
    }

    for (n = 0; n < pieces; n++) {
        lines[n] = ngx_min(size, total - n * size);
    }

    if (ring->piece != NGX_WASSIIT_RING_WHOLE) {
        lines[n++] = ngx_wassiit_lines_for(pieces * sizeof(uint32_t));
    }

    lines[n++] = 1;

    need = 1;

    for (i = 0; i < n; i++) {
        gap[i] = (unit_random(4) == 0);
        need += lines[i] + gap[i];

        k = unit_random(i + 1);
        order[i] = order[k];
        order[k] = i;
    }

    first = __atomic_fetch_add(&arena->next, need, __ATOMIC_RELAXED);

    if (need > arena->count || first > arena->count - need
        || !unit_arena_painted(arena, first, need))
    {
        return 0;
    }

    /* who dies in the following leaves lines in which nothing is looked for */

    for (at = first, i = 0; i < n; i++) {
        k = order[i];
        place[k] = at;
        memset(&arena->line[at], UNIT_LINE_ANY, lines[k]);
        at += lines[k] + gap[k];
    }

    for (i = 0; i < pieces; i++) {
        ngx_memzero(ngx_wassiit_line(arena->base, place[i]),
                    lines[i] * NGX_WASSIIT_LINE);
    }

    ring->place = place[0];

    if (ring->piece != NGX_WASSIIT_RING_WHOLE) {
        ring->place = place[pieces];

        table = ngx_wassiit_line(arena->base, ring->place);
        ngx_memcpy(table, place, pieces * sizeof(uint32_t));

        ngx_memcpy(ngx_wassiit_line(arena->tables, ring->place), table,
                   lines[pieces] * NGX_WASSIIT_LINE);

        memset(&arena->line[ring->place], UNIT_LINE_TABLE, lines[pieces]);
    }

    arena->line[place[n - 1]] = UNIT_LINE_WINDOW;

    return place[n - 1];
}


/* A window of so many cells. */

static ngx_inline uint32_t
unit_arena_cells(unit_arena_t *arena, uint32_t cells, ngx_uint_t wide,
    const ngx_wassiit_rate_t *rate, uint32_t from)
{
    uint32_t            window;
    ngx_wassiit_ring_t  ring;

    window = unit_arena_lines(arena, cells, wide, &ring);

    if (window) {
        ngx_wassiit_window_init(arena->base, window, rate, &ring, from);
    }

    return window;
}


/* A window with no more room than its rate needs. */

static ngx_inline uint32_t
unit_arena_window(unit_arena_t *arena, const ngx_wassiit_rate_t *rate,
    uint32_t from)
{
    uint32_t    cells;
    ngx_uint_t  wide;

    cells = ngx_wassiit_window_cells(rate, &wide);

    return unit_arena_cells(arena, cells, wide, rate, from);
}


/* A window with room for all that matters of what the older one knows. */

static ngx_inline uint32_t
unit_arena_window_from(unit_arena_t *arena, const ngx_wassiit_rate_t *rate,
    uint32_t from, uint64_t now)
{
    uint32_t    cells, most;
    ngx_uint_t  wide, least;

    cells = ngx_wassiit_window_cells_from(arena->base, rate, from, now, &most,
                                          &wide);

    if (cells < ngx_wassiit_window_cells(rate, &least) || cells > most
        || wide < least)
    {
        return 0;
    }

    return unit_arena_cells(arena, most, wide, rate, from);
}


/*
 * Copies all the lines of a window, one after the other: UNIT_ARENA_OWN of
 * them at most.  Returns the number of bytes.
 */

static ngx_inline size_t
unit_arena_copy(const unit_arena_t *arena, uint32_t window, u_char *copy)
{
    u_char                *p;
    uint32_t               place, n;
    ngx_uint_t             i;
    ngx_wassiit_window_t  *w;

    w = ngx_wassiit_line(arena->base, window);
    p = ngx_cpymem(copy, w, NGX_WASSIIT_LINE);

    for (i = 0;
         ngx_wassiit_ring_extent(arena->base, &w->ring, i, &place, &n)
         == NGX_OK;
         i++)
    {
        p = ngx_cpymem(p, ngx_wassiit_line(arena->base, place),
                       n * NGX_WASSIIT_LINE);
    }

    return p - copy;
}


/* Has the lines of a window used for something else. */

static ngx_inline void
unit_arena_spoil(unit_arena_t *arena, uint32_t window)
{
    uint32_t             place, n;
    ngx_uint_t           i;
    ngx_wassiit_ring_t   ring;

    ring = ((ngx_wassiit_window_t *)
                ngx_wassiit_line(arena->base, window))->ring;

    memset(ngx_wassiit_line(arena->base, window), 0xff, NGX_WASSIIT_LINE);
    arena->line[window] = UNIT_LINE_ANY;

    for (i = 0;
         ngx_wassiit_ring_extent(arena->base, &ring, i, &place, &n) == NGX_OK;
         i++)
    {
        memset(ngx_wassiit_line(arena->base, place), 0xff,
               n * NGX_WASSIIT_LINE);
        memset(&arena->line[place], UNIT_LINE_ANY, n);
    }
}


/* Is a line written where no window writes? */

static ngx_inline ngx_uint_t
unit_arena_spoilt(const unit_arena_t *arena, uint32_t place)
{
    const u_char  *p;

    p = ngx_wassiit_line(arena->base, place);

    switch (arena->line[place]) {

    case UNIT_LINE_FREE:
        return !unit_arena_painted(arena, place, 1);

    case UNIT_LINE_TABLE:
        return memcmp(p, ngx_wassiit_line(arena->tables, place),
                      NGX_WASSIIT_LINE) != 0;

    case UNIT_LINE_WINDOW:
        return !unit_arena_is_paint(p + sizeof(ngx_wassiit_window_t),
                                    NGX_WASSIIT_LINE
                                    - sizeof(ngx_wassiit_window_t));

    default:
        return 0;
    }
}


/* How many lines were written where no window writes? */

static ngx_inline ngx_uint_t
unit_arena_written(const unit_arena_t *arena)
{
    uint32_t    i, used;
    ngx_uint_t  n;

    used = ngx_min(arena->next, arena->count);
    n = 0;

    for (i = 0; i < used; i++) {
        n += unit_arena_spoilt(arena, i);
    }

    /* of those that were never used, all at once */

    if (unit_arena_painted(arena, used, arena->count - used)) {
        return n;
    }

    for (i = used; i < arena->count; i++) {
        n += unit_arena_spoilt(arena, i);
    }

    return n;
}


/* Frees all lines; returns how many were written where no window writes. */

static ngx_inline ngx_uint_t
unit_arena_reset(unit_arena_t *arena)
{
    uint32_t    used;
    ngx_uint_t  n;

    n = unit_arena_written(arena);
    used = ngx_min(arena->next, arena->count);

    memset(arena->base + NGX_WASSIIT_LINE, UNIT_ARENA_PAINT,
           (size_t) (used - 1) * NGX_WASSIIT_LINE);
    memset(arena->line, UNIT_LINE_FREE, used);

    arena->next = 1;

    return n;
}


#endif /* _UNIT_ARENA_H_INCLUDED_ */
