
/*
 * A ring of cells in lines of memory: in one extent, or in pieces that need not
 * be adjacent, and then a table names them, which lies in one.  So a ring finds
 * room where no extent of its size is left.
 *
 * A cell has 64 bits in a wide ring, else 32.  Either kind is read and swapped
 * by the 64-bit word that it lies in.
 */


#ifndef _NGX_WASSIIT_RING_H_INCLUDED_
#define _NGX_WASSIIT_RING_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_lines.h"


/* the most cells of a ring, and the most extents that it lies in */
#define NGX_WASSIIT_RING_CELLS      10048
#define NGX_WASSIIT_RING_EXTENTS                                             \
    (NGX_WASSIIT_RING_CELLS / NGX_WASSIIT_RING_LINE(1) + 1)

/* cells of a line, and its binary logarithm; wide is 1 or 0 */
#define NGX_WASSIIT_RING_LINE(wide)       ((uint32_t) 16 >> (wide))
#define NGX_WASSIIT_RING_LINE_BITS(wide)  (4 - (wide))

/* instead of the size of a piece: the cells lie in one extent */
#define NGX_WASSIIT_RING_WHOLE      0xff


typedef struct {
    uint32_t            place;      /* of the cells, or of the table */
    uint16_t            cells;
    u_char              piece;      /* the binary logarithm of its lines */
    u_char              wide;       /* 1: cells of 64 bits; 0: of 32 */
} ngx_wassiit_ring_t;


/*
 * The word that the cell i of a ring lies in, 0 .. cells - 1; base is that of
 * the lines.
 */

static ngx_inline uint64_t *
ngx_wassiit_ring_word(u_char *base, const ngx_wassiit_ring_t *ring, uint32_t i)
{
    uint32_t   bits, place;
    uint32_t  *table;

    place = ring->place;

    if (ring->piece != NGX_WASSIIT_RING_WHOLE) {
        table = ngx_wassiit_line(base, place);
        bits = NGX_WASSIIT_RING_LINE_BITS(ring->wide) + ring->piece;

        place = table[i >> bits];
        i &= ((uint32_t) 1 << bits) - 1;
    }

    return (uint64_t *) ngx_wassiit_line(base, place) + (i >> !ring->wide);
}


/* The cell i of a ring, out of its word; and the word with another cell. */

static ngx_inline uint64_t
ngx_wassiit_ring_cell(const ngx_wassiit_ring_t *ring, uint32_t i, uint64_t word)
{
    return ring->wide ? word : (uint32_t) (word >> 32 * (i & 1));
}


static ngx_inline uint64_t
ngx_wassiit_ring_set(const ngx_wassiit_ring_t *ring, uint32_t i, uint64_t word,
    uint64_t cell)
{
    uint64_t  mask;

    if (ring->wide) {
        return cell;
    }

    mask = (uint64_t) 0xffffffff << 32 * (i & 1);

    return (word & ~mask) | (cell << 32 * (i & 1));
}


/* The lines that a ring of so many cells takes, a table excepted. */

static ngx_inline uint32_t
ngx_wassiit_ring_lines(uint32_t cells, ngx_uint_t wide)
{
    return (cells + NGX_WASSIIT_RING_LINE(wide) - 1)
           >> NGX_WASSIIT_RING_LINE_BITS(wide);
}


/*
 * Takes lines of a kind for a ring of so many cells, or a few more, that its
 * last line has room for: 1 to NGX_WASSIIT_RING_CELLS; and those of a table, if
 * it needs one.  wide is 1 or 0.  Cells are zeros.  With base NULL nothing but
 * the state of the lines is written, and the ring is of no use: this tells
 * whether there is room.  Returns NGX_OK and sets *ring;
 * NGX_DECLINED: there is no room, nothing is taken.
 */
ngx_int_t ngx_wassiit_ring_alloc(ngx_wassiit_lines_t *lines, ngx_uint_t kind,
    u_char *base, uint32_t cells, ngx_uint_t wide, ngx_wassiit_ring_t *ring);

/*
 * The extents of a ring, by number: from 0 on, as many as there are.  Returns
 * NGX_OK and sets *place and the lines of that extent; NGX_DONE: there is none
 * of this number.
 */
ngx_int_t ngx_wassiit_ring_extent(u_char *base, const ngx_wassiit_ring_t *ring,
    ngx_uint_t number, uint32_t *place, uint32_t *n);


#endif /* _NGX_WASSIIT_RING_H_INCLUDED_ */
