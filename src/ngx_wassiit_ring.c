
#include "ngx_wassiit_ring.h"


/* a ring of no more lines lies in one extent, if there is one */
#define RING_WHOLE_LINES        16


static ngx_int_t ngx_wassiit_ring_pieces(ngx_wassiit_lines_t *lines,
    ngx_uint_t kind, u_char *base, uint32_t total, ngx_uint_t piece,
    uint32_t *places);


/* the sizes of pieces that are tried, one after another */
static const u_char  ngx_wassiit_ring_sizes[] = { 4, 2, 0 };


/* the lines of the table of a ring in so many pieces */

static ngx_inline uint32_t
ngx_wassiit_ring_table(uint32_t pieces)
{
    return ngx_wassiit_lines_for(pieces * sizeof(uint32_t));
}


ngx_int_t
ngx_wassiit_ring_alloc(ngx_wassiit_lines_t *lines, ngx_uint_t kind,
    u_char *base, uint32_t cells, ngx_uint_t wide, ngx_wassiit_ring_t *ring)
{
    uint32_t    total, pieces, size, places[NGX_WASSIIT_RING_EXTENTS];
    ngx_uint_t  i;

    total = ngx_wassiit_ring_lines(cells, wide);

    ring->cells = total * NGX_WASSIIT_RING_LINE(wide);
    ring->piece = NGX_WASSIIT_RING_WHOLE;
    ring->wide = wide;

    if (total <= RING_WHOLE_LINES) {
        ring->place = ngx_wassiit_lines_alloc(lines, kind, total);

        if (ring->place) {
            if (base) {
                ngx_memzero(ngx_wassiit_line(base, ring->place),
                            total * NGX_WASSIIT_LINE);
            }

            return NGX_OK;
        }
    }

    for (i = 0; i < sizeof(ngx_wassiit_ring_sizes); i++) {
        ring->piece = ngx_wassiit_ring_sizes[i];
        size = (uint32_t) 1 << ring->piece;

        if (total <= size) {
            continue;
        }

        pieces = (total + size - 1) / size;

        ring->place = ngx_wassiit_lines_alloc(lines, kind,
                                              ngx_wassiit_ring_table(pieces));
        if (ring->place == 0) {
            continue;
        }

        if (ngx_wassiit_ring_pieces(lines, kind, base, total, ring->piece,
                                    places)
            == NGX_OK)
        {
            if (base) {
                ngx_memcpy(ngx_wassiit_line(base, ring->place), places,
                           pieces * sizeof(uint32_t));
            }

            return NGX_OK;
        }

        (void) ngx_wassiit_lines_free(lines, ring->place,
                                      ngx_wassiit_ring_table(pieces));
    }

    return NGX_DECLINED;
}


/* Takes the pieces of so many lines in all, or none. */

static ngx_int_t
ngx_wassiit_ring_pieces(ngx_wassiit_lines_t *lines, ngx_uint_t kind,
    u_char *base, uint32_t total, ngx_uint_t piece, uint32_t *places)
{
    uint32_t  n, i, size, pieces;

    size = (uint32_t) 1 << piece;
    pieces = (total + size - 1) / size;

    for (i = 0; i < pieces; i++) {
        n = ngx_min(size, total - i * size);
        places[i] = ngx_wassiit_lines_alloc(lines, kind, n);

        if (places[i] == 0) {
            break;
        }
    }

    if (i < pieces) {

        while (i--) {
            /* the last piece wasn't taken, so all of these are whole */
            (void) ngx_wassiit_lines_free(lines, places[i], size);
        }

        return NGX_DECLINED;
    }

    while (base && i--) {
        n = ngx_min(size, total - i * size);
        ngx_memzero(ngx_wassiit_line(base, places[i]), n * NGX_WASSIIT_LINE);
    }

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_ring_extent(u_char *base, const ngx_wassiit_ring_t *ring,
    ngx_uint_t number, uint32_t *place, uint32_t *n)
{
    uint32_t   size, total, pieces;
    uint32_t  *table;

    total = ngx_wassiit_ring_lines(ring->cells, ring->wide);

    if (ring->piece == NGX_WASSIIT_RING_WHOLE) {
        *place = ring->place;
        *n = total;
        return (number == 0) ? NGX_OK : NGX_DONE;
    }

    size = (uint32_t) 1 << ring->piece;
    pieces = (total + size - 1) / size;

    if (number > pieces) {
        return NGX_DONE;
    }

    /* the table goes last, as the others are read from it */

    if (number == pieces) {
        *place = ring->place;
        *n = ngx_wassiit_ring_table(pieces);
        return NGX_OK;
    }

    table = ngx_wassiit_line(base, ring->place);

    *place = table[number];
    *n = ngx_min(size, total - (uint32_t) number * size);

    return NGX_OK;
}
