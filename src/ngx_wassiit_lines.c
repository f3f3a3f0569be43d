
#include "ngx_wassiit_lines.h"


/*
 * A word of the bitmap has a bit for each of 64 lines, set if the line is
 * taken.  Each word that was ever used and has a free line stands in a list:
 * that of its kind and its longest run, or that of whole words, which have no
 * kind.  A request takes the shortest run of its kind that is long enough,
 * else a whole word, else the shortest run of any other kind, and only then
 * looks for a run that crosses words.  So holes are filled first, long runs
 * stay, and no request but the last looks at more than a few words.
 *
 * Lists name a word by its number plus 1; 0 ends them.
 */

#define LINES_WORD              64
#define LINES_NONE              ((uint32_t) -1)


typedef struct {
    uint32_t            next;
    unsigned            prev:23;
    unsigned            run:7;      /* the list it stands in; 0: in none */
    unsigned            kind:2;
} ngx_wassiit_lines_node_t;


typedef char ngx_wassiit_lines_state_is_lines[
    sizeof(ngx_wassiit_lines_t) % NGX_WASSIIT_LINE == 0 ? 1 : -1];
typedef char ngx_wassiit_lines_node_is_short[
    sizeof(ngx_wassiit_lines_node_t) == 8 ? 1 : -1];
typedef char ngx_wassiit_lines_kind_is_any[
    NGX_WASSIIT_LINES_KINDS == 4 ? 1 : -1];


static uint32_t ngx_wassiit_lines_within(ngx_wassiit_lines_t *lines,
    ngx_uint_t kind, uint32_t n);
static ngx_uint_t ngx_wassiit_lines_run(ngx_wassiit_lines_t *lines,
    ngx_uint_t kind, uint32_t n);
static uint32_t ngx_wassiit_lines_across(ngx_wassiit_lines_t *lines,
    uint32_t n);
static uint32_t ngx_wassiit_lines_scan(ngx_wassiit_lines_t *lines, uint32_t n,
    uint32_t from, uint32_t to);
static ngx_uint_t ngx_wassiit_lines_are(ngx_wassiit_lines_t *lines,
    uint32_t bit, uint32_t n, ngx_uint_t taken);
static void ngx_wassiit_lines_used(ngx_wassiit_lines_t *lines, uint32_t word);
static void ngx_wassiit_lines_list(ngx_wassiit_lines_t *lines, uint32_t word);
static void ngx_wassiit_lines_unlist(ngx_wassiit_lines_t *lines,
    uint32_t word);
static uint32_t *ngx_wassiit_lines_head(ngx_wassiit_lines_t *lines,
    ngx_wassiit_lines_node_t *node);
static uint32_t ngx_wassiit_lines_longest(uint64_t taken);
static uint32_t ngx_wassiit_lines_best(uint64_t taken, uint32_t n);


static ngx_inline uint32_t
ngx_wassiit_lines_words(uint32_t size)
{
    return (size + LINES_WORD - 1) / LINES_WORD;
}


static ngx_inline uint64_t *
ngx_wassiit_lines_bitmap(ngx_wassiit_lines_t *lines)
{
    return (uint64_t *) (lines + 1);
}


static ngx_inline ngx_wassiit_lines_node_t *
ngx_wassiit_lines_nodes(ngx_wassiit_lines_t *lines)
{
    return (ngx_wassiit_lines_node_t *)
               (ngx_wassiit_lines_bitmap(lines)
                + ngx_wassiit_lines_words(lines->size));
}


/* words all of whose bits are lines; one more may follow */

static ngx_inline uint32_t
ngx_wassiit_lines_full(ngx_wassiit_lines_t *lines)
{
    return lines->size / LINES_WORD;
}


/* the bits bit .. bit + n - 1 that lie in the word of the first one */

static ngx_inline uint64_t
ngx_wassiit_lines_mask(uint32_t bit, uint32_t n)
{
    uint32_t  low;

    low = bit % LINES_WORD;
    n = ngx_min(n, LINES_WORD - low);

    return ((uint64_t) -1 >> (LINES_WORD - n)) << low;
}


size_t
ngx_wassiit_lines_size(uint32_t lines)
{
    return sizeof(ngx_wassiit_lines_t)
           + ngx_align((size_t) ngx_wassiit_lines_words(lines)
                       * (sizeof(uint64_t) + sizeof(ngx_wassiit_lines_node_t)),
                       NGX_WASSIIT_LINE);
}


void
ngx_wassiit_lines_init(ngx_wassiit_lines_t *lines, uint32_t first,
    uint32_t size)
{
    lines->first = first;
    lines->size = size;

    ngx_wassiit_lines_clear(lines);
    (void) ngx_wassiit_lines_count(lines);
}


uint32_t
ngx_wassiit_lines_alloc(ngx_wassiit_lines_t *lines, ngx_uint_t kind,
    uint32_t n)
{
    uint32_t                   bit, part, word, place;
    uint64_t                  *bitmap;
    ngx_wassiit_lines_node_t  *nodes;

    if (n == 0 || n > lines->free || n >= lines->barren) {
        return 0;
    }

    bit = (n <= LINES_WORD) ? ngx_wassiit_lines_within(lines, kind, n)
                            : LINES_NONE;

    if (bit == LINES_NONE) {
        bit = ngx_wassiit_lines_across(lines, n);
    }

    if (bit == LINES_NONE) {
        lines->barren = n;
        return 0;
    }

    place = lines->first + bit;
    ngx_wassiit_store_release(&lines->free, lines->free - n);

    bitmap = ngx_wassiit_lines_bitmap(lines);
    nodes = ngx_wassiit_lines_nodes(lines);

    for ( /* void */ ; n; n -= part, bit += part) {
        word = bit / LINES_WORD;
        part = ngx_min(n, LINES_WORD - bit % LINES_WORD);

        ngx_wassiit_lines_used(lines, word);

        if (bitmap[word] == 0) {
            ngx_wassiit_lines_unlist(lines, word);
            nodes[word].kind = kind;
        }

        bitmap[word] |= ngx_wassiit_lines_mask(bit, part);
        ngx_wassiit_lines_list(lines, word);
    }

    return place;
}


/* Returns the first bit of n, 64 at most, in one word; LINES_NONE: none is. */

static uint32_t
ngx_wassiit_lines_within(ngx_wassiit_lines_t *lines, ngx_uint_t kind,
    uint32_t n)
{
    uint32_t    word;
    uint64_t   *bitmap;
    ngx_uint_t  run, i, other, best;

    bitmap = ngx_wassiit_lines_bitmap(lines);

    run = ngx_wassiit_lines_run(lines, kind, n);

    if (run) {
        word = lines->lists[kind][run] - 1;
        return word * LINES_WORD + ngx_wassiit_lines_best(bitmap[word], n);
    }

    if (lines->whole) {
        return (lines->whole - 1) * LINES_WORD;
    }

    if (lines->fresh < ngx_wassiit_lines_full(lines)) {
        return lines->fresh * LINES_WORD;
    }

    other = 0;
    best = LINES_WORD;

    for (i = 0; i < NGX_WASSIIT_LINES_KINDS; i++) {
        run = ngx_wassiit_lines_run(lines, i, n);

        if (run && run < best) {
            best = run;
            other = i;
        }
    }

    if (best == LINES_WORD) {
        return LINES_NONE;
    }

    word = lines->lists[other][best] - 1;

    return word * LINES_WORD + ngx_wassiit_lines_best(bitmap[word], n);
}


/* The shortest run of n or more that a word of this kind has; 0: none has. */

static ngx_uint_t
ngx_wassiit_lines_run(ngx_wassiit_lines_t *lines, ngx_uint_t kind, uint32_t n)
{
    uint64_t  runs;

    if (n >= LINES_WORD) {
        return 0;
    }

    runs = lines->runs[kind] >> n << n;

    return runs ? __builtin_ctzll(runs) : 0;
}


/* Returns the first bit of n, which may cross words; LINES_NONE: none is. */

static uint32_t
ngx_wassiit_lines_across(ngx_wassiit_lines_t *lines, uint32_t n)
{
    uint32_t  bit, words, most;

    words = ngx_wassiit_lines_words(lines->size);

    bit = ngx_wassiit_lines_scan(lines, n, lines->hint, words);

    if (bit == LINES_NONE) {
        /* a run may begin before the hint and end after it */
        most = lines->hint + n / LINES_WORD + 1;
        bit = ngx_wassiit_lines_scan(lines, n, 0, ngx_min(most, words));
    }

    if (bit != LINES_NONE) {
        lines->hint = bit / LINES_WORD;
    }

    return bit;
}


static uint32_t
ngx_wassiit_lines_scan(ngx_wassiit_lines_t *lines, uint32_t n, uint32_t from,
    uint32_t to)
{
    uint32_t   word, have;
    uint64_t  *bitmap;

    bitmap = ngx_wassiit_lines_bitmap(lines);
    have = 0;

    for (word = from; word < to; word++) {

        if (bitmap[word] == 0) {
            have += LINES_WORD;

            if (have >= n) {
                return (word + 1) * LINES_WORD - have;
            }

            continue;
        }

        if (have + __builtin_ctzll(bitmap[word]) >= n) {
            return word * LINES_WORD - have;
        }

        have = __builtin_clzll(bitmap[word]);
    }

    return LINES_NONE;
}


ngx_int_t
ngx_wassiit_lines_free(ngx_wassiit_lines_t *lines, uint32_t place, uint32_t n)
{
    uint32_t   bit, part, word;
    uint64_t  *bitmap;

    bit = place - lines->first;

    if (!ngx_wassiit_lines_are(lines, bit, n, 1)) {
        return NGX_ERROR;
    }

    bitmap = ngx_wassiit_lines_bitmap(lines);

    ngx_wassiit_store_release(&lines->free, lines->free + n);
    lines->barren = LINES_NONE;

    for ( /* void */ ; n; n -= part, bit += part) {
        word = bit / LINES_WORD;
        part = ngx_min(n, LINES_WORD - bit % LINES_WORD);

        bitmap[word] &= ~ngx_wassiit_lines_mask(bit, part);
        ngx_wassiit_lines_list(lines, word);
    }

    return NGX_OK;
}


void
ngx_wassiit_lines_clear(ngx_wassiit_lines_t *lines)
{
    uint32_t   full;
    uint64_t  *bitmap;

    bitmap = ngx_wassiit_lines_bitmap(lines);
    full = ngx_wassiit_lines_full(lines);

    /* what was never used is zero; memory that is not touched costs nothing */
    lines->fresh = ngx_min(lines->fresh, full);
    ngx_memzero(bitmap, lines->fresh * sizeof(uint64_t));

    if (lines->size % LINES_WORD) {
        /* bits that are no lines are taken for ever */
        bitmap[full] = (uint64_t) -1 << lines->size % LINES_WORD;
    }
}


ngx_int_t
ngx_wassiit_lines_mark(ngx_wassiit_lines_t *lines, uint32_t place, uint32_t n)
{
    uint32_t   bit, part, word;
    uint64_t  *bitmap;

    bit = place - lines->first;

    if (!ngx_wassiit_lines_are(lines, bit, n, 0)) {
        return NGX_ERROR;
    }

    bitmap = ngx_wassiit_lines_bitmap(lines);

    for ( /* void */ ; n; n -= part, bit += part) {
        word = bit / LINES_WORD;
        part = ngx_min(n, LINES_WORD - bit % LINES_WORD);

        ngx_wassiit_lines_used(lines, word);
        bitmap[word] |= ngx_wassiit_lines_mask(bit, part);
    }

    return NGX_OK;
}


uint32_t
ngx_wassiit_lines_count(ngx_wassiit_lines_t *lines)
{
    uint32_t                   word, full, n;
    uint64_t                  *bitmap;
    ngx_wassiit_lines_node_t  *nodes;

    ngx_memzero(lines->runs, sizeof(lines->runs));
    ngx_memzero(lines->lists, sizeof(lines->lists));

    lines->whole = 0;
    lines->hint = 0;
    lines->barren = LINES_NONE;

    bitmap = ngx_wassiit_lines_bitmap(lines);
    nodes = ngx_wassiit_lines_nodes(lines);
    full = ngx_wassiit_lines_full(lines);

    n = (full - lines->fresh) * LINES_WORD;

    /* backwards, so that the lists begin with the lowest */

    for (word = ngx_wassiit_lines_words(lines->size); word--; /* void */) {

        if (word >= lines->fresh && word < full) {
            word = lines->fresh;
            continue;
        }

        nodes[word].run = 0;
        ngx_wassiit_lines_list(lines, word);

        n += LINES_WORD - __builtin_popcountll(bitmap[word]);
    }

    ngx_wassiit_store_release(&lines->free, n);

    return n;
}


/* Are n bits from bit on lines of this state that are taken, or free? */

static ngx_uint_t
ngx_wassiit_lines_are(ngx_wassiit_lines_t *lines, uint32_t bit, uint32_t n,
    ngx_uint_t taken)
{
    uint32_t   part;
    uint64_t   mask, *bitmap;

    if (n == 0 || n > lines->size || bit > lines->size - n) {
        return 0;
    }

    bitmap = ngx_wassiit_lines_bitmap(lines);

    for ( /* void */ ; n; n -= part, bit += part) {
        part = ngx_min(n, LINES_WORD - bit % LINES_WORD);
        mask = ngx_wassiit_lines_mask(bit, part);

        if ((bitmap[bit / LINES_WORD] & mask) != (taken ? mask : 0)) {
            return 0;
        }
    }

    return 1;
}


/* Notes that a word is about to be used. */

static void
ngx_wassiit_lines_used(ngx_wassiit_lines_t *lines, uint32_t word)
{
    if (word < lines->fresh || word >= ngx_wassiit_lines_full(lines)) {
        return;
    }

    lines->fresh = word + 1;

    /* bits from fresh on are zero, at whatever instruction a writer dies */
    ngx_memory_barrier();
}


/* Moves a word to the list where its bits say that it belongs. */

static void
ngx_wassiit_lines_list(ngx_wassiit_lines_t *lines, uint32_t word)
{
    uint32_t                   run, *head;
    ngx_wassiit_lines_node_t  *nodes, *node;

    nodes = ngx_wassiit_lines_nodes(lines);
    node = &nodes[word];

    run = ngx_wassiit_lines_longest(ngx_wassiit_lines_bitmap(lines)[word]);

    if (run == node->run) {
        return;
    }

    ngx_wassiit_lines_unlist(lines, word);

    if (run == 0) {
        return;
    }

    node->run = run;
    head = ngx_wassiit_lines_head(lines, node);

    node->prev = 0;
    node->next = *head;

    if (*head) {
        nodes[*head - 1].prev = word + 1;
    }

    *head = word + 1;

    if (run < LINES_WORD) {
        lines->runs[node->kind] |= (uint64_t) 1 << run;
    }
}


static void
ngx_wassiit_lines_unlist(ngx_wassiit_lines_t *lines, uint32_t word)
{
    uint32_t                  *head;
    ngx_wassiit_lines_node_t  *nodes, *node;

    nodes = ngx_wassiit_lines_nodes(lines);
    node = &nodes[word];

    if (node->run == 0) {
        return;
    }

    if (node->next) {
        nodes[node->next - 1].prev = node->prev;
    }

    if (node->prev) {
        nodes[node->prev - 1].next = node->next;

    } else {
        head = ngx_wassiit_lines_head(lines, node);
        *head = node->next;

        if (*head == 0 && node->run < LINES_WORD) {
            lines->runs[node->kind] &= ~((uint64_t) 1 << node->run);
        }
    }

    node->run = 0;
}


static uint32_t *
ngx_wassiit_lines_head(ngx_wassiit_lines_t *lines,
    ngx_wassiit_lines_node_t *node)
{
    return (node->run == LINES_WORD) ? &lines->whole
                                     : &lines->lists[node->kind][node->run];
}


/* The longest run of zeros, 0 .. 64. */

static uint32_t
ngx_wassiit_lines_longest(uint64_t taken)
{
    uint32_t  n;
    uint64_t  runs;

    if (taken == 0) {
        return LINES_WORD;
    }

    /* each turn takes the last bit of each run */

    for (n = 0, runs = ~taken; runs; n++) {
        runs &= runs << 1;
    }

    return n;
}


/* The first bit of the shortest run of n zeros or more; there is one. */

static uint32_t
ngx_wassiit_lines_best(uint64_t taken, uint32_t n)
{
    uint32_t  bit, len, best, shortest;

    if (taken == 0) {
        return 0;
    }

    best = 0;
    shortest = LINES_WORD + 1;

    for (bit = 0; bit < LINES_WORD; bit += len) {

        if (taken >> bit & 1) {
            len = __builtin_ctzll(~(taken >> bit));
            continue;
        }

        len = LINES_WORD - bit;

        if (taken >> bit) {
            len = __builtin_ctzll(taken >> bit);
        }

        if (len >= n && len < shortest) {
            shortest = len;
            best = bit;
        }
    }

    return best;
}
