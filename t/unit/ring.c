
/*
 * Rings: where their cells lie, what they take and give back, in lines that
 * are all free, in lines of which few adjacent ones are, and at random.
 */


#include "unit.h"

#include "ngx_wassiit_ring.h"


#define RING_PAINT          0xa5

#define RING_LINES          4000    /* of a zone in these tests, at most */
#define RING_RINGS          200
#define RING_ROUNDS         60
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
static void unit_ring_far(void);
static void unit_ring_small(void);
static void unit_ring_large(void);
static void unit_ring_pieces(void);
static void unit_ring_none(void);
static void unit_ring_random(void);
static void unit_ring_sweep(unit_zone_t *z);
static void unit_ring_create(unit_zone_t *z, uint32_t first, uint32_t count);
static void unit_ring_destroy(unit_zone_t *z);
static void unit_ring_fill(unit_zone_t *z);
static void unit_ring_release(unit_zone_t *z, uint32_t i, uint32_t n);
static ngx_int_t unit_ring_alloc(unit_zone_t *z, uint32_t cells);
static void unit_ring_check(unit_zone_t *z, unit_ring_t *r);
static void unit_ring_write(unit_zone_t *z, unit_ring_t *r);
static void unit_ring_free(unit_zone_t *z, ngx_uint_t i);
static uint32_t unit_ring_table(uint32_t pieces);
static ngx_uint_t unit_ring_has_room(unit_zone_t *z, uint32_t cells);
static void unit_ring_untouched(unit_zone_t *z);
static void unit_ring_tried(unit_zone_t *z);
static void unit_ring_empty(unit_zone_t *z);
static ngx_uint_t unit_ring_unused(const u_char *p, size_t size);
static ngx_uint_t unit_ring_painted(const u_char *p, size_t size);
static void unit_ring_wrong(const char *what);


static unit_zone_t  zone;
static ngx_uint_t   wrong;


int
main(void)
{
    unit_start();

    unit_ring_edges();
    unit_ring_far();
    unit_ring_small();
    unit_ring_large();
    unit_ring_pieces();
    unit_ring_none();
    unit_ring_random();

    return unit_done();
}


static void
unit_ring_edges(void)
{
    unit_is(sizeof(ngx_wassiit_ring_t), 8, "a ring is named by 8 bytes");
    unit_is(NGX_WASSIIT_RING_LINE, 8, "a line has 8 cells");
    unit_is(ngx_wassiit_ring_lines(1), 1, "1 cell takes a line");
    unit_is(ngx_wassiit_ring_lines(8), 1, "8 cells take one too");
    unit_is(ngx_wassiit_ring_lines(9), 2, "9 cells take two");
    unit_is(ngx_wassiit_ring_lines(NGX_WASSIIT_RING_CELLS), 1256,
            "the most cells take 1256");
    unit_is(NGX_WASSIIT_RING_EXTENTS, 1257,
            "a ring of single lines lies in 1256 extents, and a table's");
}


/* At the end of 16 GiB, where 32 bits don't do. */

static void
unit_ring_far(void)
{
    uint32_t            place, n;
    ngx_int_t           rc;
    ngx_wassiit_ring_t  ring;

    wrong = 0;
    unit_ring_create(&zone, NGX_WASSIIT_LINES_PLACES - 1400, 1400);

    rc = unit_ring_alloc(&zone, 3);
    unit_is(rc, NGX_OK, "a small ring");

    ring = zone.rings[0].ring;

    unit_ok(ring.cells == 8 && ring.piece == NGX_WASSIIT_RING_WHOLE,
            "has the cells of a line");
    unit_ok((u_char *) ngx_wassiit_ring_cell(zone.base, &ring, 7)
            == zone.memory
               + (size_t) (ring.place - zone.first) * NGX_WASSIIT_LINE + 56,
            "the last of them is at its end");

    rc = ngx_wassiit_ring_extent(zone.base, &ring, 0, &place, &n);
    unit_ok(rc == NGX_OK && place == ring.place && n == 1,
            "its extent is that line");
    rc = ngx_wassiit_ring_extent(zone.base, &ring, 1, &place, &n);
    unit_is(rc, NGX_DONE, "there is no other");

    rc = unit_ring_alloc(&zone, NGX_WASSIIT_RING_CELLS);
    unit_is(rc, NGX_OK, "the largest ring");

    ring = zone.rings[1].ring;

    unit_ok(ring.cells == NGX_WASSIIT_RING_CELLS && ring.piece == 4,
            "is cut into pieces of 16 lines");
    rc = ngx_wassiit_ring_extent(zone.base, &ring, 78, &place, &n);
    unit_ok(rc == NGX_OK && n == 8, "the last piece has the 8 lines left");
    rc = ngx_wassiit_ring_extent(zone.base, &ring, 79, &place, &n);
    unit_ok(rc == NGX_OK && place == ring.place && n == 5,
            "the table comes after 79 pieces");
    rc = ngx_wassiit_ring_extent(zone.base, &ring, 80, &place, &n);
    unit_is(rc, NGX_DONE, "then there is no more");
    rc = ngx_wassiit_ring_extent(zone.base, &ring, (ngx_uint_t) -1, &place,
                                 &n);
    unit_is(rc, NGX_DONE, "nor is there for a wild number");

    unit_ring_free(&zone, 0);
    unit_ring_free(&zone, 0);
    unit_ring_empty(&zone);
    unit_ring_destroy(&zone);

    unit_is(wrong, 0, "at the end of 16 GiB cells are where they ought to be");
}


static void
unit_ring_small(void)
{
    uint32_t             i, cells;
    uint64_t            *cell;
    ngx_wassiit_ring_t  *ring;

    wrong = 0;
    unit_ring_create(&zone, 64, 100);

    ring = &zone.rings[0].ring;

    for (cells = 1; cells <= RING_WHOLE * NGX_WASSIIT_RING_LINE; cells++) {

        if (unit_ring_alloc(&zone, cells) != NGX_OK) {
            unit_ring_wrong("a small ring has no room");
            break;
        }

        if (ring->piece != NGX_WASSIIT_RING_WHOLE) {
            unit_ring_wrong("a small ring is cut into pieces");
        }

        cell = ngx_wassiit_ring_cell(zone.base, ring, 0);

        for (i = 1; i < ring->cells; i++) {
            if (ngx_wassiit_ring_cell(zone.base, ring, i) != cell + i) {
                unit_ring_wrong("a small ring isn't contiguous");
            }
        }

        unit_ring_free(&zone, 0);
    }

    unit_ring_empty(&zone);
    unit_ring_destroy(&zone);

    unit_is(wrong, 0, "rings of up to 128 cells are contiguous");
}


static void
unit_ring_large(void)
{
    uint32_t  cells;

    wrong = 0;
    unit_ring_create(&zone, 1, 1256 + 5 + 64);

    for (cells = 129; cells <= NGX_WASSIIT_RING_CELLS; cells += 7) {

        if (unit_ring_alloc(&zone, cells) != NGX_OK) {
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

    unit_is(wrong, 0, "rings of more are in pieces of 16 lines");
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
        uint32_t     cells;
        u_char       piece;
        const char  *name;
    } cases[] = {
        { 64, 0, 10048, 4, "10048 cells, 64 lines at a stretch: 16 a piece" },
        { 16, 0, 10048, 4, "10048 cells, 16 lines: 16 a piece" },
        { 15, 20, 10048, 2, "10048 cells, 15 lines: 4 a piece" },
        { 4, 20, 10048, 2, "10048 cells, 4 lines: 4 a piece" },
        { 3, 79, 10048, 0, "10048 cells, 3 lines: 1 a piece" },
        { 1, 79, 10048, 0, "10048 cells, single lines: 1 a piece" },
        { 16, 0, 1000, 4, "1000 cells, 16 lines: 16 a piece" },
        { 16, 0, 128, NGX_WASSIIT_RING_WHOLE, "128 cells, 16 lines: in one" },
        { 15, 0, 128, 2, "128 cells, 15 lines: 4 a piece" },
        { 4, 0, 129, 2, "129 cells, 4 lines: 4 a piece" },
        { 4, 0, 32, NGX_WASSIIT_RING_WHOLE, "32 cells, 4 lines: in one" },
        { 3, 0, 32, 0, "32 cells, 3 lines: 1 a piece" },
        { 1, 2, 129, 0, "129 cells, single lines: 1 a piece" },
        { 1, 0, 128, 0, "128 cells, single lines: 1 a piece" },
        { 1, 0, 9, 0, "9 cells, single lines: 1 a piece" },
        { 1, 0, 8, NGX_WASSIIT_RING_WHOLE, "8 cells, single lines: in one" }
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

        rc = unit_ring_alloc(&zone, cases[i].cells);

        if (rc == NGX_OK) {
            wrong += (zone.rings[0].ring.piece != cases[i].piece);
            unit_ring_free(&zone, 0);
        }

        unit_ring_untouched(&zone);
        unit_ring_destroy(&zone);

        unit_ok(rc == NGX_OK && !wrong, "%s", cases[i].name);
    }
}


/* Just enough lines for a ring, none of them adjacent, and one less. */

static void
unit_ring_none(void)
{
    uint32_t    cells, total, table, k;
    ngx_int_t   rc;
    ngx_uint_t  what, lacks;

    wrong = 0;

    for (cells = 1; cells <= NGX_WASSIIT_RING_CELLS;
         cells += 1 + unit_random(cells < 200 ? 8 : 400))
    {
        total = ngx_wassiit_ring_lines(cells);
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

            rc = unit_ring_alloc(&zone, cells);

            if (rc != (lacks || what == 1 ? NGX_DECLINED : NGX_OK)) {
                unit_note("%u cells, %u: %d", (unsigned) cells,
                          (unsigned) what, (int) rc);
                wrong++;
            }

            unit_ring_untouched(&zone);
            unit_ring_destroy(&zone);
        }
    }

    unit_is(wrong, 0, "the last line counts, and who has no room takes none");
}


static void
unit_ring_random(void)
{
    uint32_t    i, n, place, count;
    ngx_uint_t  round, step, rings, none, whole, op, had[5];

    rings = 0;
    none = 0;
    whole = 0;
    wrong = 0;
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

                if (unit_ring_alloc(&zone, n) != NGX_OK) {
                    none++;
                    continue;
                }

                rings++;

                i = zone.rings[zone.nrings - 1].ring.piece;

                if (i == NGX_WASSIIT_RING_WHOLE) {
                    whole++;

                } else {
                    had[i]++;
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

    unit_note("%u rings: %u in one, in pieces of 16, 4, 1 lines: %u, %u, %u; "
              "%u had no room",
              (unsigned) rings, (unsigned) whole, (unsigned) had[4],
              (unsigned) had[2], (unsigned) had[0], (unsigned) none);

    unit_is(wrong, 0, "at random: cells, extents and lines agree");
    unit_ok(whole > 500 && had[4] > 500 && had[2] > 50 && had[0] > 50
            && none > 500,
            "at random: of all kinds there were many");
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
unit_ring_alloc(unit_zone_t *z, uint32_t cells)
{
    ngx_int_t            rc;
    ngx_uint_t           kind, room;
    unit_ring_t         *r;
    ngx_wassiit_ring_t   ring;

    r = &z->rings[z->nrings];
    kind = unit_random(NGX_WASSIIT_LINES_KINDS);
    room = unit_ring_has_room(z, cells);

    memset(&ring, 0xff, sizeof(ngx_wassiit_ring_t));
    memset(&r->ring, 0xff, sizeof(ngx_wassiit_ring_t));
    ngx_memcpy(z->twin, z->lines, z->size);

    rc = ngx_wassiit_ring_alloc(z->twin, kind, kind, NULL, cells, &ring);
    unit_ring_untouched(z);

    if (ngx_wassiit_ring_alloc(z->lines, kind, kind, z->base, cells, &r->ring)
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

    if (r->ring.cells < cells || r->ring.cells > cells + 7) {
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
    lines = ngx_wassiit_ring_lines(r->ring.cells);
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

    if (total * NGX_WASSIIT_RING_LINE != r->ring.cells) {
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
    uint64_t  *cell;

    for (i = 0; i < r->ring.cells; i++) {
        cell = ngx_wassiit_ring_cell(z->base, &r->ring, i);
        at = (u_char *) cell - z->memory;

        if (at % sizeof(uint64_t) || at / NGX_WASSIIT_LINE >= z->count
            || z->use[at / NGX_WASSIIT_LINE] != r->number)
        {
            unit_ring_wrong("a cell isn't in an extent");
            return;
        }

        if (*cell) {
            unit_ring_wrong("a cell isn't zero, or is another's too");
        }

        *cell = r->number << 32 | (i + 1);
    }
}


/* Gives a ring back, extent by extent; each is gone before the next. */

static void
unit_ring_free(unit_zone_t *z, ngx_uint_t k)
{
    uint32_t     i, place, n;
    ngx_uint_t   number;
    unit_ring_t  r;

    r = z->rings[k];
    z->rings[k] = z->rings[--z->nrings];

    for (i = 0; i < r.ring.cells; i++) {
        if (*ngx_wassiit_ring_cell(z->base, &r.ring, i)
            != (r.number << 32 | (i + 1)))
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
unit_ring_has_room(unit_zone_t *z, uint32_t cells)
{
    uint32_t  i, run, longest, total, table;

    longest = 0;
    run = 0;

    for (i = 0; i < z->count; i++) {
        run = (z->use[i] == RING_FREE) ? run + 1 : 0;
        longest = ngx_max(longest, run);
    }

    total = ngx_wassiit_ring_lines(cells);
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
