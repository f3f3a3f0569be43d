
/*
 * Memory cut into lines of 64 bytes, from which extents of adjacent lines are
 * taken and given back.
 *
 * A place is the number of a line, 1 .. 2^28 - 1; 0 names none.  The state
 * holds numbers alone, so processes may map it at different addresses.  One
 * process at a time calls the functions below; no reader looks at the state.
 *
 * A writer may die at any instruction.  Then a line that it had taken, and not
 * yet given back, is taken; some others may be, too.  Whoever follows calls
 * count, which makes the state whole, and, to free those others, before that
 * clear, and mark for each extent that is reachable.
 */


#ifndef _NGX_WASSIIT_LINES_H_INCLUDED_
#define _NGX_WASSIIT_LINES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_atomic.h"


#define NGX_WASSIIT_LINE            64
#define NGX_WASSIIT_LINES_PLACES    ((uint32_t) 1 << 28)

/*
 * Extents of one kind lie together, 64 lines at a stretch, as long as there is
 * room for that.  So what requests read can be kept apart from what they don't.
 */
#define NGX_WASSIIT_LINES_KINDS     4


typedef struct {
    uint32_t            first;      /* place of the first line */
    uint32_t            size;       /* lines */
    uint32_t            free;       /* lines */
    uint32_t            fresh;      /* the first word that was never used */
    uint32_t            barren;     /* there is no run of so many lines */
    uint32_t            hint;       /* word at which a long search begins */
    uint32_t            whole;      /* list of used words that are free again */
    uint32_t            unused;

    /* words by kind and by their longest run of free lines, 1 .. 63 */
    uint64_t            runs[NGX_WASSIIT_LINES_KINDS];
    uint32_t            lists[NGX_WASSIIT_LINES_KINDS][64];
} ngx_wassiit_lines_t;


/* The address of a line; base is that of line 0 in this process. */

static ngx_inline void *
ngx_wassiit_line(u_char *base, uint32_t place)
{
    return base + (size_t) place * NGX_WASSIIT_LINE;
}


/* The lines that so many bytes take. */

static ngx_inline uint32_t
ngx_wassiit_lines_for(size_t bytes)
{
    return (bytes + NGX_WASSIIT_LINE - 1) / NGX_WASSIIT_LINE;
}


/*
 * The bytes that the state for so many lines takes, a multiple of 64: 16 for
 * each 64 lines, and 1,088.
 */
size_t ngx_wassiit_lines_size(uint32_t lines);

/*
 * Makes the state for the lines first .. first + size - 1, all free.  The
 * caller owns the memory: ngx_wassiit_lines_size(size) bytes of zeros, aligned
 * to 64.  first is 1 or more, first + size 2^28 at most.  If first is a
 * multiple of 64, no page of 4 KB holds two kinds while there is room.
 */
void ngx_wassiit_lines_init(ngx_wassiit_lines_t *lines, uint32_t first,
    uint32_t size);

/*
 * Takes n adjacent lines, 1 or more; kind is 0 .. NGX_WASSIIT_LINES_KINDS - 1.
 * The lines keep what they held.  Returns the place of the first; 0: there is
 * no such run.
 */
uint32_t ngx_wassiit_lines_alloc(ngx_wassiit_lines_t *lines, ngx_uint_t kind,
    uint32_t n);

/*
 * Gives n lines back from place on, an extent or a part of one.  Returns
 * NGX_OK; NGX_ERROR: not all of them are taken, so nothing is done.
 */
ngx_int_t ngx_wassiit_lines_free(ngx_wassiit_lines_t *lines, uint32_t place,
    uint32_t n);

/*
 * A sweep: clear frees all, mark takes n lines from place on, and count makes
 * the state ready for alloc and free again.  Nothing else is called between.
 * mark returns NGX_OK; NGX_ERROR: some of them are marked, or are no lines of
 * this state, so nothing is done.  count returns the number of free lines.
 */
void ngx_wassiit_lines_clear(ngx_wassiit_lines_t *lines);
ngx_int_t ngx_wassiit_lines_mark(ngx_wassiit_lines_t *lines, uint32_t place,
    uint32_t n);
uint32_t ngx_wassiit_lines_count(ngx_wassiit_lines_t *lines);


/* The number of free lines, also while a writer is at work. */

static ngx_inline uint32_t
ngx_wassiit_lines_left(const ngx_wassiit_lines_t *lines)
{
    return ngx_wassiit_load_relaxed(&lines->free);
}


#endif /* _NGX_WASSIIT_LINES_H_INCLUDED_ */
