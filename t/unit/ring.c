
/*
 * Rings, wide and narrow: where their cells lie, what they take and give back,
 * in lines that are all free, in lines of which few adjacent ones are, and at
 * random.
 */


#include "unit.h"

#include "ngx_wassiit_ring.h"


#define RING_PAINT          0xa5

#define RING_LINES          4000    /* of a zone in these tests, at most */
#define RING_RINGS          200
#define RING_ROUNDS         120
#define RING_STEPS          1000

/* a ring of no more lines lies in one extent, if there is one */
#define RING_WHOLE          16

/* what a line is used for; else it is the number of a ring */

#define RING_FREE           0
#define RING_OTHER          1
#define RING_FIRST          2
#define RING_TABLE          0x8000  /* a ring's table */


typedef struct {
    ngx_wassiit_ring_t      ring;
    uint64_t                number;
} unit_ring_t;


/* lines, their memory, and what is known of each */

typedef struct {
    ngx_wassiit_lines_t    *lines;
    ngx_wassiit_lines_t    *twin;   /* a copy of the state */
    size_t                  size;   /* of the state */
    uint32_t                first;
    uint32_t                count;
    uint32_t                left;
    u_char                 *memory;
    u_char                 *base;   /* of line 0, which is none of them */
    uint16_t               *use;
    uint64_t                number; /* of the last ring */
    ngx_uint_t              nrings;
    unit_ring_t             rings[RING_RINGS];
} unit_zone_t;


static void unit_ring_edges(void);
static void unit_ring_words(ngx_uint_t wide);
static void unit_ring_far(ngx_uint_t wide);
static void unit_ring_small(ngx_uint_t wide);
static void unit_ring_large(ngx_uint_t wide);
static void unit_ring_pieces(void);
static void unit_ring_none(ngx_uint_t wide);
static void unit_ring_random(void);
static void unit_ring_sweep(unit_zone_t *z);
static void unit_ring_create(unit_zone_t *z, uint32_t first, uint32_t count);
static void unit_ring_destroy(unit_zone_t *z);
static void unit_ring_fill(unit_zone_t *z);
static void unit_ring_release(unit_zone_t *z, uint32_t i, uint32_t n);
static ngx_int_t unit_ring_alloc(unit_zone_t *z, uint32_t cells,
    ngx_uint_t wide);
static void unit_ring_check(unit_zone_t *z, unit_ring_t *r);
static void unit_ring_write(unit_zone_t *z, unit_ring_t *r);
static void unit_ring_put(unit_zone_t *z, unit_ring_t *r, uint32_t i,
    uint64_t cell);
static uint64_t unit_ring_value(const unit_ring_t *r, uint32_t i);
static uint64_t unit_ring_ones(ngx_uint_t wide);
static void unit_ring_free(unit_zone_t *z, ngx_uint_t i);
static uint32_t unit_ring_table(uint32_t pieces);
static ngx_uint_t unit_ring_has_room(unit_zone_t *z, uint32_t cells,
    ngx_uint_t wide);
static void unit_ring_untouched(unit_zone_t *z);
static void unit_ring_tried(unit_zone_t *z);
static void unit_ring_empty(unit_zone_t *z);
static ngx_uint_t unit_ring_unused(const u_char *p, size_t size);
static ngx_uint_t unit_ring_painted(const u_char *p, size_t size);
static void unit_ring_wrong(const char *what);
static const char *unit_ring_name(ngx_uint_t wide, const char *name);


static unit_zone_t  zone;
static ngx_uint_t   wrong;


int
main(void)
{
    ngx_uint_t  wide;

    unit_start();

    unit_ring_edges();

    for (wide = 0; wide < 2; wide++) {
        unit_ring_words(wide);
        unit_ring_far(wide);
        unit_ring_small(wide);
        unit_ring_large(wide);
        unit_ring_none(wide);
    }

    unit_ring_pieces();
    unit_ring_random();

    return unit_done();
}


static void
unit_ring_edges(void)
{
    unit_is(sizeof(ngx_wassiit_ring_t), 8, "a ring is named by 8 bytes");

    unit_is(NGX_WASSIIT_RING_LINE(1), 8, "a line has 8 wide cells");
    unit_is(ngx_wassiit_ring_lines(1, 1), 1, "1 wide cell takes a line");
    unit_is(ngx_wassiit_ring_lines(8, 1), 1, "8 wide cells take one too");
    unit_is(ngx_wassiit_ring_lines(9, 1), 2, "9 wide cells take two");
    unit_is(ngx_wassiit_ring_lines(NGX_WASSIIT_RING_CELLS, 1), 1256,
            "the most wide cells take 1256");

    unit_is(NGX_WASSIIT_RING_LINE(0), 16, "a line has 16 narrow cells");
    unit_is(ngx_wassiit_ring_lines(1, 0), 1, "1 narrow cell takes a line");
    unit_is(ngx_wassiit_ring_lines(16, 0), 1, "16 narrow cells take one too");
    unit_is(ngx_wassiit_ring_lines(17, 0), 2, "17 narrow cells take two");
    unit_is(ngx_wassiit_ring_lines(NGX_WASSIIT_RING_CELLS, 0), 628,
            "the most narrow cells take 628");

    unit_is(NGX_WASSIIT_RING_EXTENTS, 1257,
            "a ring of single lines lies in 1256 extents, and a table's");
}


/* A word has one wide cell, or two narrow ones, and no other bits. */

static void
unit_ring_words(ngx_uint_t wide)
{
    uint32_t            i;
    uint64_t            ones, first, second;
    ngx_wassiit_ring_t  ring;

    wrong = 0;
    ngx_memzero(&ring, sizeof(ngx_wassiit_ring_t));

    ring.cells = NGX_WASSIIT_RING_LINE(wide);
    ring.piece = NGX_WASSIIT_RING_WHOLE;
    ring.wide = wide;

    ones = unit_ring_ones(wide);

    for (i = 0; i < ring.cells; i += 2) {
        first = ngx_wassiit_ring_set(&ring, i, 0, ones);
        second = ngx_wassiit_ring_set(&ring, i + 1, 0, ones);

        if (wide ? first != ones || second != ones : first != ~second) {
            unit_ring_wrong("cells don't make up a word");
        }

        if (ngx_wassiit_ring_set(&ring, i, ~(uint64_t) 0, 0) != ~first
            || ngx_wassiit_ring_set(&ring, i + 1, ~(uint64_t) 0, 0) != ~second)
        {
            unit_ring_wrong("a cell can't be made zero");
        }

        if (ngx_wassiit_ring_cell(&ring, i, first) != ones
            || ngx_wassiit_ring_cell(&ring, i + 1, second) != ones)
        {
            unit_ring_wrong("a cell isn't what it was set to");
        }

        if (ngx_wassiit_ring_cell(&ring, i, ~first) != 0
            || ngx_wassiit_ring_cell(&ring, i + 1, ~second) != 0)
        {
            unit_ring_wrong("a cell has bits of its neighbour");
        }
    }

    unit_is(wrong, 0, unit_ring_name(wide, "cells make up their words"));
}


/* At the end of 16 GiB, where 32 bits don't do. */

static void
unit_ring_far(ngx_uint_t wide)
{
    uint32_t            place, n, last;
    ngx_int_t           rc;
    ngx_wassiit_ring_t  ring;

    wrong = 0;
    unit_ring_create(&zone, NGX_WASSIIT_LINES_PLACES - 1400, 1400);

    rc = unit_ring_alloc(&zone, 3, wide);
    unit_is(rc, NGX_OK, unit_ring_name(wide, "a small ring"));

    ring = zone.rings[0].ring;

    unit_ok(ring.cells == (wide ? 8 : 16)
            && ring.piece == NGX_WASSIIT_RING_WHOLE,
            "%s", unit_ring_name(wide, "has the cells of a line"));
    unit_ok((u_char *) ngx_wassiit_ring_word(zone.base, &ring, wide ? 7 : 15)
            == zone.memory
               + (size_t) (ring.place - zone.first) * NGX_WASSIIT_LINE + 56,
            "%s", unit_ring_name(wide, "the last of them is at its end"));

    rc = ngx_wassiit_ring_extent(zone.base, &ring, 0, &place, &n);
    unit_ok(rc == NGX_OK && place == ring.place && n == 1,
            "%s", unit_ring_name(wide, "its extent is that line"));
    rc = ngx_wassiit_ring_extent(zone.base, &ring, 1, &place, &n);
    unit_is(rc, NGX_DONE, unit_ring_name(wide, "there is no other"));

    rc = unit_ring_alloc(&zone, NGX_WASSIIT_RING_CELLS, wide);
    unit_is(rc, NGX_OK, unit_ring_name(wide, "the largest ring"));

    ring = zone.rings[1].ring;
    last = wide ? 78 : 39;

    unit_ok(ring.cells == NGX_WASSIIT_RING_CELLS && ring.piece == 4,
            "%s", unit_ring_name(wide, "is cut into pieces of 16 lines"));
    rc = ngx_wassiit_ring_extent(zone.base, &ring, last, &place, &n);
    unit_ok(rc == NGX_OK && n == (wide ? 8 : 4), "%s",
            unit_ring_name(wide, wide ? "the last piece has the 8 lines left"
                                      : "the last piece has the 4 lines left"));
    rc = ngx_wassiit_ring_extent(zone.base, &ring, last + 1, &place, &n);
    unit_ok(rc == NGX_OK && place == ring.place && n == (wide ? 5 : 3), "%s",
            unit_ring_name(wide, wide ? "the table comes after 79 pieces"
                                      : "the table comes after 40 pieces"));
    rc = ngx_wassiit_ring_extent(zone.base, &ring, last + 2, &place, &n);
    unit_is(rc, NGX_DONE, unit_ring_name(wide, "then there is no more"));
    rc = ngx_wassiit_ring_extent(zone.base, &ring, (ngx_uint_t) -1, &place,
                                 &n);
    unit_is(rc, NGX_DONE,
            unit_ring_name(wide, "nor is there for a wild number"));

    unit_ring_free(&zone, 0);
    unit_ring_free(&zone, 0);
    unit_ring_empty(&zone);
    unit_ring_destroy(&zone);

    unit_is(wrong, 0,
            unit_ring_name(wide, "at the end of 16 GiB cells are where they "
                                 "ought to be"));
}


static void
unit_ring_small(ngx_uint_t wide)
{
    uint32_t             i, cells;
    uint64_t            *word;
    ngx_wassiit_ring_t  *ring;

    wrong = 0;
    unit_ring_create(&zone, 64, 100);

    ring = &zone.rings[0].ring;

    for (cells = 1; cells <= (wide ? 128 : 256); cells++) {

        if (unit_ring_alloc(&zone, cells, wide) != NGX_OK) {
            unit_ring_wrong("a small ring has no room");
            break;
        }

        if (ring->piece != NGX_WASSIIT_RING_WHOLE) {
            unit_ring_wrong("a small ring is cut into pieces");
        }

        word = ngx_wassiit_ring_word(zone.base, ring, 0);

        for (i = 1; i < ring->cells; i++) {
            if (ngx_wassiit_ring_word(zone.base, ring, i)
                != word + (wide ? i : i / 2))
            {
                unit_ring_wrong("a small ring isn't contiguous");
            }
        }

        unit_ring_free(&zone, 0);
    }

    unit_ring_empty(&zone);
    unit_ring_destroy(&zone);

    unit_is(wrong, 0,
            unit_ring_name(wide, wide ? "rings of up to 128 cells are "
                                        "contiguous"
                                      : "rings of up to 256 cells are "
                                        "contiguous"));
}


static void
unit_ring_large(ngx_uint_t wide)
{
    uint32_t  cells;

    wrong = 0;
    unit_ring_create(&zone, 1, (wide ? 1256 + 5 : 628 + 3) + 64);

    for (cells = wide ? 129 : 257; cells <= NGX_WASSIIT_RING_CELLS; cells += 7)
    {
        if (unit_ring_alloc(&zone, cells, wide) != NGX_OK) {
            unit_ring_wrong("a large ring has no room");
            break;
        }

        if (zone.rings[0].ring.piece != 4) {
            unit_ring_wrong("a large ring isn't cut into pieces of 16 lines");
        }

        unit_ring_free(&zone, 0);
    }

    unit_ring_empty(&zone);
    unit_ring_destroy(&zone);

    unit_is(wrong, 0,
            unit_ring_name(wide, "rings of more are in pieces of 16 lines"));
}


/* What is had where no more than so many adjacent lines are free. */

static void
unit_ring_pieces(void)
{
    uint32_t    k;
    ngx_int_t   rc;
    ngx_uint_t  i;

    static const struct {
        uint32_t     run;           /* adjacent lines */
        uint32_t     table;         /* but once, for a table */
        ngx_uint_t   wide;
        uint32_t     cells;
        u_char       piece;
        const char  *name;
    } cases[] = {
        { 64, 0, 1, 10048, 4,
          "10048 cells, 64 lines at a stretch: 16 a piece" },
        { 16, 0, 1, 10048, 4, "10048 cells, 16 lines: 16 a piece" },
        { 15, 20, 1, 10048, 2, "10048 cells, 15 lines: 4 a piece" },
        { 4, 20, 1, 10048, 2, "10048 cells, 4 lines: 4 a piece" },
        { 3, 79, 1, 10048, 0, "10048 cells, 3 lines: 1 a piece" },
        { 1, 79, 1, 10048, 0, "10048 cells, single lines: 1 a piece" },
        { 16, 0, 1, 1000, 4, "1000 cells, 16 lines: 16 a piece" },
        { 16, 0, 1, 128, NGX_WASSIIT_RING_WHOLE,
          "128 cells, 16 lines: in one" },
        { 15, 0, 1, 128, 2, "128 cells, 15 lines: 4 a piece" },
        { 4, 0, 1, 129, 2, "129 cells, 4 lines: 4 a piece" },
        { 4, 0, 1, 32, NGX_WASSIIT_RING_WHOLE, "32 cells, 4 lines: in one" },
        { 3, 0, 1, 32, 0, "32 cells, 3 lines: 1 a piece" },
        { 1, 2, 1, 129, 0, "129 cells, single lines: 1 a piece" },
        { 1, 0, 1, 128, 0, "128 cells, single lines: 1 a piece" },
        { 1, 0, 1, 9, 0, "9 cells, single lines: 1 a piece" },
        { 1, 0, 1, 8, NGX_WASSIIT_RING_WHOLE, "8 cells, single lines: in one" },

        { 64, 0, 0, 10048, 4,
          "10048 cells, 64 lines at a stretch: 16 a piece" },
        { 16, 0, 0, 10048, 4, "10048 cells, 16 lines: 16 a piece" },
        { 15, 10, 0, 10048, 2, "10048 cells, 15 lines: 4 a piece" },
        { 4, 10, 0, 10048, 2, "10048 cells, 4 lines: 4 a piece" },
        { 3, 40, 0, 10048, 0, "10048 cells, 3 lines: 1 a piece" },
        { 1, 40, 0, 10048, 0, "10048 cells, single lines: 1 a piece" },
        { 16, 0, 0, 2000, 4, "2000 cells, 16 lines: 16 a piece" },
        { 16, 0, 0, 256, NGX_WASSIIT_RING_WHOLE,
          "256 cells, 16 lines: in one" },
        { 15, 0, 0, 256, 2, "256 cells, 15 lines: 4 a piece" },
        { 4, 0, 0, 257, 2, "257 cells, 4 lines: 4 a piece" },
        { 4, 0, 0, 64, NGX_WASSIIT_RING_WHOLE, "64 cells, 4 lines: in one" },
        { 3, 0, 0, 64, 0, "64 cells, 3 lines: 1 a piece" },
        { 1, 2, 0, 257, 0, "257 cells, single lines: 1 a piece" },
        { 1, 0, 0, 256, 0, "256 cells, single lines: 1 a piece" },
        { 1, 0, 0, 17, 0, "17 cells, single lines: 1 a piece" },
        { 1, 0, 0, 16, NGX_WASSIIT_RING_WHOLE,
          "16 cells, single lines: in one" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wrong = 0;

        unit_ring_create(&zone, 64 + i, RING_LINES);
        unit_ring_fill(&zone);

        unit_ring_release(&zone, 0, cases[i].table);

        for (k = cases[i].table + 1; k + cases[i].run < RING_LINES;
             k += cases[i].run + 1)
        {
            unit_ring_release(&zone, k, cases[i].run);
        }

        rc = unit_ring_alloc(&zone, cases[i].cells, cases[i].wide);

        if (rc == NGX_OK) {
            wrong += (zone.rings[0].ring.piece != cases[i].piece);
            unit_ring_free(&zone, 0);
        }

        unit_ring_untouched(&zone);
        unit_ring_destroy(&zone);

        unit_ok(rc == NGX_OK && !wrong, "%s",
                unit_ring_name(cases[i].wide, cases[i].name));
    }
}


/* Just enough lines for a ring, none of them adjacent, and one less. */

static void
unit_ring_none(ngx_uint_t wide)
{
    uint32_t    cells, total, table, k;
    ngx_int_t   rc;
    ngx_uint_t  what, lacks;

    wrong = 0;

    for (cells = 1; cells <= NGX_WASSIIT_RING_CELLS;
         cells += 1 + unit_random(cells < (wide ? 200 : 400) ? 8 : 400))
    {
        total = ngx_wassiit_ring_lines(cells, wide);
        table = (total > 1) ? unit_ring_table(total) : 0;

        for (what = 0; what < 3; what++) {
            unit_ring_create(&zone, 1 + unit_random(200), RING_LINES);
            unit_ring_fill(&zone);

            /* enough; a line is missing; one is, but the table's alone */

            lacks = (what == 2 && table > 1);

            unit_ring_release(&zone, 0, table - lacks);

            for (k = 0; k < total + lacks - (what == 1); k++) {
                unit_ring_release(&zone, table + 1 + 2 * k, 1);
            }

            rc = unit_ring_alloc(&zone, cells, wide);

            if (rc != (lacks || what == 1 ? NGX_DECLINED : NGX_OK)) {
                unit_note("%u cells, %u: %d", (unsigned) cells,
                          (unsigned) what, (int) rc);
                wrong++;
            }

            unit_ring_untouched(&zone);
            unit_ring_destroy(&zone);
        }
    }

    unit_is(wrong, 0,
            unit_ring_name(wide, "the last line counts, and who has no room "
                                 "takes none"));
}


static void
unit_ring_random(void)
{
    uint32_t    i, n, place, count;
    ngx_uint_t  round, step, op, wide, rings[2], none[2], whole[2], had[2][5];

    wrong = 0;
    ngx_memzero(rings, sizeof(rings));
    ngx_memzero(none, sizeof(none));
    ngx_memzero(whole, sizeof(whole));
    ngx_memzero(had, sizeof(had));

    for (round = 0; round < RING_ROUNDS && !wrong; round++) {
        count = 1 + unit_random(round % 3 ? RING_LINES : 300);
        unit_ring_create(&zone, 1 + unit_random(200), count);

        for (step = 0; step < RING_STEPS && !wrong; step++) {

            op = unit_random(100);

            if (op < 35) {
                /* something else, that may part what is free */

                n = 1 + unit_random(1 + unit_random(6));
                place = ngx_wassiit_lines_alloc(zone.lines, unit_random(4), n);

                for (i = place - zone.first; place && n; n--, i++) {
                    zone.use[i] = RING_OTHER;
                    zone.left--;
                }

            } else if (op < 65) {

                for (n = 4 + (step / 200 % 2) * 6; n; n--) {
                    i = unit_random(zone.count);

                    if (zone.use[i] == RING_OTHER) {
                        unit_ring_release(&zone, i, 1);
                    }
                }

            } else if (op < 85 && zone.nrings < RING_RINGS) {

                n = 1 + unit_random(NGX_WASSIIT_RING_CELLS
                                    >> unit_random(13));
                wide = unit_random(2);

                if (unit_ring_alloc(&zone, n, wide) != NGX_OK) {
                    none[wide]++;
                    continue;
                }

                rings[wide]++;

                i = zone.rings[zone.nrings - 1].ring.piece;

                if (i == NGX_WASSIIT_RING_WHOLE) {
                    whole[wide]++;

                } else {
                    had[wide][i]++;
                }

            } else if (zone.nrings) {
                unit_ring_free(&zone, unit_random(zone.nrings));
            }

            if (ngx_wassiit_lines_left(zone.lines) != zone.left) {
                unit_ring_wrong("lines are lost, or found");
            }
        }

        unit_ring_untouched(&zone);
        unit_ring_sweep(&zone);

        while (zone.nrings) {
            unit_ring_free(&zone, unit_random(zone.nrings));
        }

        for (i = 0; i < zone.count; i++) {
            if (zone.use[i] == RING_OTHER) {
                unit_ring_release(&zone, i, 1);
            }
        }

        unit_ring_empty(&zone);
        unit_ring_destroy(&zone);
    }

    unit_is(wrong, 0, "at random: cells, extents and lines agree");

    for (wide = 0; wide < 2; wide++) {
        unit_note("%u rings: %u in one, in pieces of 16, 4, 1 lines: "
                  "%u, %u, %u; %u had no room",
                  (unsigned) rings[wide], (unsigned) whole[wide],
                  (unsigned) had[wide][4], (unsigned) had[wide][2],
                  (unsigned) had[wide][0], (unsigned) none[wide]);

        unit_ok(whole[wide] > 500 && had[wide][4] > 500 && had[wide][2] > 50
                && had[wide][0] > 50 && none[wide] > 500, "%s",
                unit_ring_name(wide, "at random: of all kinds there were "
                                     "many"));
    }
}


/* Finds by its extents all that a ring has. */

static void
unit_ring_sweep(unit_zone_t *z)
{
    uint32_t      i, place, n;
    ngx_uint_t    k, number;
    unit_ring_t  *r;

    ngx_wassiit_lines_clear(z->lines);

    for (i = 0; i < z->count; i++) {
        if (z->use[i] == RING_OTHER
            && ngx_wassiit_lines_mark(z->lines, z->first + i, 1) != NGX_OK)
        {
            unit_ring_wrong("a line can't be marked");
        }
    }

    for (k = 0; k < z->nrings; k++) {
        r = &z->rings[k];

        for (number = 0;
             ngx_wassiit_ring_extent(z->base, &r->ring, number, &place, &n)
             == NGX_OK;
             number++)
        {
            if (ngx_wassiit_lines_mark(z->lines, place, n) != NGX_OK) {
                unit_ring_wrong("an extent can't be marked");
            }
        }
    }

    if (ngx_wassiit_lines_count(z->lines) != z->left) {
        unit_ring_wrong("a sweep finds other lines");
    }
}


/* Lines that are all free, and painted. */

static void
unit_ring_create(unit_zone_t *z, uint32_t first, uint32_t count)
{
    void    *state;
    size_t   size;

    ngx_memzero(z, sizeof(unit_zone_t));

    z->size = ngx_wassiit_lines_size(count);
    z->first = first;
    z->count = count;
    z->left = count;
    z->number = RING_FIRST;

    size = (size_t) count * NGX_WASSIIT_LINE;

    if (posix_memalign(&state, NGX_WASSIIT_LINE, z->size) != 0) {
        exit(2);
    }

    z->lines = state;
    ngx_memzero(z->lines, z->size);

    if (posix_memalign(&state, NGX_WASSIIT_LINE, z->size) != 0) {
        exit(2);
    }

    z->twin = state;

    if (posix_memalign(&state, NGX_WASSIIT_LINE, size) != 0) {
        exit(2);
    }

    z->memory = state;
    z->base = z->memory - (size_t) first * NGX_WASSIIT_LINE;
    memset(z->memory, RING_PAINT, size);

    z->use = calloc(count, sizeof(uint16_t));

    if (z->use == NULL) {
        exit(2);
    }

    ngx_wassiit_lines_init(z->lines, first, count);
}


static void
unit_ring_destroy(unit_zone_t *z)
{
    free(z->lines);
    free(z->twin);
    free(z->memory);
    free(z->use);
}


/* Takes all lines for something else. */

static void
unit_ring_fill(unit_zone_t *z)
{
    uint32_t  i;

    if (ngx_wassiit_lines_alloc(z->lines, 0, z->count) != z->first) {
        unit_ring_wrong("lines aren't all free at first");
    }

    for (i = 0; i < z->count; i++) {
        z->use[i] = RING_OTHER;
    }

    z->left = 0;
}


/* Gives some of these lines back. */

static void
unit_ring_release(unit_zone_t *z, uint32_t i, uint32_t n)
{
    if (n
        && ngx_wassiit_lines_free(z->lines, z->first + i, n) != NGX_OK)
    {
        unit_ring_wrong("a line isn't freed");
    }

    z->left += n;

    for ( /* void */ ; n; n--, i++) {
        z->use[i] = RING_FREE;
    }
}


/* The next ring, looked at from all sides; and if there is room for one. */

static ngx_int_t
unit_ring_alloc(unit_zone_t *z, uint32_t cells, ngx_uint_t wide)
{
    ngx_int_t            rc;
    ngx_uint_t           kind, room;
    unit_ring_t         *r;
    ngx_wassiit_ring_t   ring;

    r = &z->rings[z->nrings];
    kind = unit_random(NGX_WASSIIT_LINES_KINDS);
    room = unit_ring_has_room(z, cells, wide);

    memset(&ring, 0xff, sizeof(ngx_wassiit_ring_t));
    memset(&r->ring, 0xff, sizeof(ngx_wassiit_ring_t));
    ngx_memcpy(z->twin, z->lines, z->size);

    rc = ngx_wassiit_ring_alloc(z->twin, kind, NULL, cells, wide, &ring);
    unit_ring_untouched(z);

    if (ngx_wassiit_ring_alloc(z->lines, kind, z->base, cells, wide,
                               &r->ring)
        != rc)
    {
        unit_ring_wrong("without memory the answer is another");
        return NGX_ERROR;
    }

    if (memcmp(z->twin, z->lines, z->size) != 0) {
        unit_ring_wrong("without memory the state is another");
    }

    if (rc != NGX_OK) {

        if (rc != NGX_DECLINED || room) {
            unit_ring_wrong("there is room, and none is found");
        }

        if (ngx_wassiit_lines_left(z->lines) != z->left) {
            unit_ring_wrong("who has no room takes some");
        }

        unit_ring_tried(z);

        return rc;
    }

    if (memcmp(&ring, &r->ring, sizeof(ngx_wassiit_ring_t)) != 0) {
        unit_ring_wrong("without memory the ring is another");
    }

    if (r->ring.wide != wide) {
        unit_ring_wrong("a ring's cells have another width");
    }

    if (r->ring.cells < cells || r->ring.cells > cells + (wide ? 7 : 15)) {
        unit_ring_wrong("a ring has too few cells, or too many");
    }

    r->number = z->number++;
    z->nrings++;

    unit_ring_check(z, r);
    unit_ring_tried(z);
    unit_ring_write(z, r);

    return NGX_OK;
}


/* Extents are what was taken; the last of a ring in pieces is its table. */

static void
unit_ring_check(unit_zone_t *z, unit_ring_t *r)
{
    uint32_t    place, n, i, size, left, lines, total, pieces;
    uint32_t   *table;
    ngx_uint_t  number;

    total = 0;
    pieces = 0;
    left = z->left;
    table = NULL;
    lines = ngx_wassiit_ring_lines(r->ring.cells, r->ring.wide);
    size = lines;

    if (r->ring.piece != NGX_WASSIIT_RING_WHOLE) {
        table = ngx_wassiit_line(z->base, r->ring.place);
        size = (uint32_t) 1 << r->ring.piece;
        pieces = (lines + size - 1) / size;
    }

    for (number = 0;
         ngx_wassiit_ring_extent(z->base, &r->ring, number, &place, &n)
         == NGX_OK;
         number++)
    {
        if (number > pieces || n == 0 || place < z->first
            || n > z->count || place - z->first > z->count - n)
        {
            unit_ring_wrong("an extent is none of these lines");
            return;
        }

        left -= n;

        if (table && number == pieces) {
            if (place != r->ring.place || n != unit_ring_table(pieces)) {
                unit_ring_wrong("the last extent isn't the table");
            }

            if (!unit_ring_unused((u_char *) (table + pieces),
                                  n * NGX_WASSIIT_LINE
                                  - pieces * sizeof(uint32_t)))
            {
                unit_ring_wrong("more than a table is written");
            }

        } else {
            if (n != ngx_min(size, lines - total)) {
                unit_ring_wrong("a piece is too long, or too short");
            }

            total += n;

            if (table && table[number] != place) {
                unit_ring_wrong("the table names another piece");
            }
        }

        for (i = place - z->first; n; n--, i++) {
            if (z->use[i] != RING_FREE) {
                unit_ring_wrong("a line is used already");
            }

            z->use[i] = r->number | (table && number == pieces ? RING_TABLE
                                                               : 0);
        }
    }

    if (number != (table ? pieces + 1 : 1)
        || number > NGX_WASSIIT_RING_EXTENTS)
    {
        unit_ring_wrong("extents are missing");
    }

    if (total * NGX_WASSIIT_RING_LINE(r->ring.wide) != r->ring.cells) {
        unit_ring_wrong("extents have more lines than cells, or less");
    }

    z->left = left;

    if (ngx_wassiit_lines_left(z->lines) != left) {
        unit_ring_wrong("extents aren't all that was taken");
    }
}


/* All cells are zeros, in the ring's lines; and remember what is theirs. */

static void
unit_ring_write(unit_zone_t *z, unit_ring_t *r)
{
    size_t     at;
    uint32_t   i;
    uint64_t  *word, ones;

    ones = unit_ring_ones(r->ring.wide);

    for (i = 0; i < r->ring.cells; i++) {
        word = ngx_wassiit_ring_word(z->base, &r->ring, i);
        at = (u_char *) word - z->memory;

        if (at % sizeof(uint64_t) || at / NGX_WASSIIT_LINE >= z->count
            || z->use[at / NGX_WASSIIT_LINE] != r->number)
        {
            unit_ring_wrong("a cell isn't in an extent");
            return;
        }

        if (ngx_wassiit_ring_cell(&r->ring, i, *word)) {
            unit_ring_wrong("a cell isn't zero, or is another's too");
        }

        unit_ring_put(z, r, i, unit_ring_value(r, i) ^ ones);
    }

    /* once more: now no cell's neighbour is zero, and all bits change */

    for (i = 0; i < r->ring.cells; i++) {
        word = ngx_wassiit_ring_word(z->base, &r->ring, i);

        if (ngx_wassiit_ring_cell(&r->ring, i, *word)
            != (unit_ring_value(r, i) ^ ones))
        {
            unit_ring_wrong("a cell isn't what was written");
        }

        unit_ring_put(z, r, i, unit_ring_value(r, i));
    }
}


/* Writes a cell; the other one of its word, if there is one, stays. */

static void
unit_ring_put(unit_zone_t *z, unit_ring_t *r, uint32_t i, uint64_t cell)
{
    uint64_t  *word, next;

    word = ngx_wassiit_ring_word(z->base, &r->ring, i);
    next = ngx_wassiit_ring_set(&r->ring, i, *word, cell);

    if (ngx_wassiit_ring_cell(&r->ring, i, next) != cell) {
        unit_ring_wrong("a cell isn't what it was set to");
    }

    if (!r->ring.wide) {

        if (ngx_wassiit_ring_word(z->base, &r->ring, i ^ 1) != word) {
            unit_ring_wrong("a cell's neighbour is in another word");
        }

        if (ngx_wassiit_ring_cell(&r->ring, i ^ 1, next)
            != ngx_wassiit_ring_cell(&r->ring, i ^ 1, *word))
        {
            unit_ring_wrong("a cell's neighbour doesn't keep its value");
        }
    }

    *word = next;
}


/* What is written to a cell: no two cells of any rings have the same. */

static uint64_t
unit_ring_value(const unit_ring_t *r, uint32_t i)
{
    return r->number << (r->ring.wide ? 32 : 16) | (i + 1);
}


static uint64_t
unit_ring_ones(ngx_uint_t wide)
{
    return wide ? ~(uint64_t) 0 : 0xffffffff;
}


/* Gives a ring back, extent by extent; each is gone before the next. */

static void
unit_ring_free(unit_zone_t *z, ngx_uint_t k)
{
    uint32_t     i, place, n;
    uint64_t    *word;
    ngx_uint_t   number;
    unit_ring_t  r;

    r = z->rings[k];
    z->rings[k] = z->rings[--z->nrings];

    for (i = 0; i < r.ring.cells; i++) {
        word = ngx_wassiit_ring_word(z->base, &r.ring, i);

        if (ngx_wassiit_ring_cell(&r.ring, i, *word)
            != unit_ring_value(&r, i))
        {
            unit_ring_wrong("a cell was written by another");
        }
    }

    for (number = 0;
         ngx_wassiit_ring_extent(z->base, &r.ring, number, &place, &n)
         == NGX_OK;
         number++)
    {
        if (ngx_wassiit_lines_free(z->lines, place, n) != NGX_OK) {
            unit_ring_wrong("an extent isn't freed");
            return;
        }

        z->left += n;

        for (i = place - z->first; n; n--, i++) {
            z->use[i] = RING_FREE;
            memset(z->memory + (size_t) i * NGX_WASSIIT_LINE, RING_PAINT,
                   NGX_WASSIIT_LINE);
        }
    }

    if (ngx_wassiit_lines_left(z->lines) != z->left) {
        unit_ring_wrong("a ring isn't given back");
    }
}


static uint32_t
unit_ring_table(uint32_t pieces)
{
    return (pieces * 4 + 63) / 64;
}


/*
 * Is there room for sure: in one extent, or in single lines and a table?
 * Larger pieces may find room where the table of single lines has none.
 */

static ngx_uint_t
unit_ring_has_room(unit_zone_t *z, uint32_t cells, ngx_uint_t wide)
{
    uint32_t  i, run, longest, total, table;

    longest = 0;
    run = 0;

    for (i = 0; i < z->count; i++) {
        run = (z->use[i] == RING_FREE) ? run + 1 : 0;
        longest = ngx_max(longest, run);
    }

    total = ngx_wassiit_ring_lines(cells, wide);
    table = unit_ring_table(total);

    if (total <= RING_WHOLE && longest >= total) {
        return 1;
    }

    return total > 1 && longest >= table && z->left >= total + table;
}


/* Of lines that no ring has, nothing was written. */

static void
unit_ring_untouched(unit_zone_t *z)
{
    uint32_t  i;

    for (i = 0; i < z->count; i++) {
        if (z->use[i] < RING_FIRST
            && !unit_ring_painted(z->memory + (size_t) i * NGX_WASSIIT_LINE,
                                  NGX_WASSIIT_LINE))
        {
            unit_ring_wrong("a line of others was written");
            return;
        }
    }
}


/*
 * After an attempt free lines may be zeros, as they were pieces of a size of
 * which there weren't enough.  They are painted again.
 */

static void
unit_ring_tried(unit_zone_t *z)
{
    u_char    *line;
    uint32_t   i;

    for (i = 0; i < z->count; i++) {
        line = z->memory + (size_t) i * NGX_WASSIIT_LINE;

        if (z->use[i] == RING_FREE && line[0] == 0
            && memcmp(line, line + 1, NGX_WASSIIT_LINE - 1) == 0)
        {
            memset(line, RING_PAINT, NGX_WASSIIT_LINE);
        }
    }

    unit_ring_untouched(z);
}


static void
unit_ring_empty(unit_zone_t *z)
{
    unit_ring_untouched(z);

    if (z->left != z->count || ngx_wassiit_lines_left(z->lines) != z->count
        || ngx_wassiit_lines_alloc(z->lines, 0, z->count) != z->first)
    {
        unit_ring_wrong("lines aren't all free at last");
    }
}


/* Of a table, what names no piece. */

static ngx_uint_t
unit_ring_unused(const u_char *p, size_t size)
{
    while (size--) {
        if (p[size] != RING_PAINT && p[size] != 0) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
unit_ring_painted(const u_char *p, size_t size)
{
    return size == 0
           || (p[0] == RING_PAINT && memcmp(p, p + 1, size - 1) == 0);
}


static void
unit_ring_wrong(const char *what)
{
    if (wrong++ == 0) {
        unit_note("first: %s", what);
    }
}


/* What is asserted, and of which rings. */

static const char *
unit_ring_name(ngx_uint_t wide, const char *name)
{
    static char  buf[128];

    snprintf(buf, sizeof(buf), "%s: %s", wide ? "wide" : "narrow", name);

    return buf;
}
