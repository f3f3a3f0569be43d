
/*
 * Memory for windows: units in random order, so that no two of a window are
 * likely to be neighbours.  Those that no window has are painted, and stay
 * so: a window that writes beyond its own units is found out.
 *
 * The arena itself lies in the shared memory that it describes, so that
 * several processes may make windows.  No unit is ever used twice before
 * unit_arena_reset().
 */


#ifndef _UNIT_ARENA_H_INCLUDED_
#define _UNIT_ARENA_H_INCLUDED_


#include "unit.h"

#include "ngx_wassiit_window.h"

#include <sys/mman.h>


#define UNIT_ARENA_PAINT    0xa5


typedef struct {
    u_char             *base;
    uint32_t            count;      /* units 0 .. count - 1; 0 is never used */
    uint32_t            next;       /* an index of order[] */
    uint32_t            order[];
} unit_arena_t;


/* Zeros that children share. */

static ngx_inline void *
unit_shared(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap()");
        exit(2);
    }

    return p;
}


static ngx_inline unit_arena_t *
unit_arena_create(uint32_t count)
{
    uint32_t       i, k, unit;
    unit_arena_t  *arena;

    arena = unit_shared(sizeof(unit_arena_t) + count * sizeof(uint32_t));

    arena->base = unit_shared((size_t) count * NGX_WASSIIT_UNIT);
    arena->count = count;

    memset(arena->base, UNIT_ARENA_PAINT, (size_t) count * NGX_WASSIIT_UNIT);

    for (i = 0; i < count - 1; i++) {
        arena->order[i] = i + 1;
    }

    for (i = count - 2; i > 0; i--) {
        k = unit_random(i + 1);
        unit = arena->order[i];
        arena->order[i] = arena->order[k];
        arena->order[k] = unit;
    }

    return arena;
}


static ngx_inline ngx_uint_t
unit_arena_painted(const unit_arena_t *arena, uint32_t unit)
{
    const u_char  *p;

    /* the first byte is, and each is as the one before */

    p = arena->base + (size_t) unit * NGX_WASSIIT_UNIT;

    return p[0] == UNIT_ARENA_PAINT
           && memcmp(p, p + 1, NGX_WASSIIT_UNIT - 1) == 0;
}


/*
 * A window of so many units.  Returns 0 if there is no room left, or a unit
 * was written by another.
 */

static ngx_inline uint32_t
unit_arena_units(unit_arena_t *arena, ngx_uint_t n,
    const ngx_wassiit_rate_t *rate, uint32_t from)
{
    uint32_t    first, units[NGX_WASSIIT_WINDOW_UNITS];
    ngx_uint_t  i;

    first = __atomic_fetch_add(&arena->next, n, __ATOMIC_RELAXED);

    if (n == 0 || n > NGX_WASSIIT_WINDOW_UNITS
        || first + n > arena->count - 1)
    {
        return 0;
    }

    for (i = 0; i < n; i++) {
        units[i] = arena->order[first + i];

        if (!unit_arena_painted(arena, units[i])) {
            return 0;
        }

        memset(arena->base + (size_t) units[i] * NGX_WASSIIT_UNIT, 0,
               NGX_WASSIIT_UNIT);
    }

    ngx_wassiit_window_init(arena->base, units, n, rate, from);

    return units[0];
}


/* A window with no more room than its rate needs. */

static ngx_inline uint32_t
unit_arena_window(unit_arena_t *arena, const ngx_wassiit_rate_t *rate,
    uint32_t from)
{
    return unit_arena_units(arena, ngx_wassiit_window_units(rate), rate, from);
}


/* A window with room for all that matters of what the older one knows. */

static ngx_inline uint32_t
unit_arena_window_from(unit_arena_t *arena, const ngx_wassiit_rate_t *rate,
    uint32_t from, uint64_t now)
{
    ngx_uint_t  most;

    (void) ngx_wassiit_window_units_from(arena->base, rate, from, now, &most);

    return unit_arena_units(arena, most, rate, from);
}


/* Frees all units; returns how many were written that no window has. */

static ngx_inline ngx_uint_t
unit_arena_reset(unit_arena_t *arena)
{
    uint32_t    i, used;
    ngx_uint_t  spoilt;

    used = ngx_min(arena->next, arena->count - 1);
    spoilt = !unit_arena_painted(arena, 0);

    for (i = used; i < arena->count - 1; i++) {
        spoilt += !unit_arena_painted(arena, arena->order[i]);
    }

    for (i = 0; i < used; i++) {
        memset(arena->base + (size_t) arena->order[i] * NGX_WASSIIT_UNIT,
               UNIT_ARENA_PAINT, NGX_WASSIIT_UNIT);
    }

    arena->next = 0;

    return spoilt;
}


#endif /* _UNIT_ARENA_H_INCLUDED_ */
