
/*
 * An index: open addressing of 32-bit words, each of which names a place by a
 * hash.  Many readers look places up without a lock, beside one writer at a
 * time.
 *
 * A word that is taken has bit 31 set, a tag of 3 bits from the hash in bits 28
 * to 30, and the place, 1 .. 2^28 - 1, in bits 0 to 27.  Only the tag is
 * compared here, so the caller compares the key at the place that it is given.
 *
 * The index and its words lie in shared memory, which may be mapped at another
 * address in each process: words is their address in this one.  The caller owns
 * both, and keeps at most seven eighths of the words taken, half as a rule, so
 * that searches are short.
 *
 * A writer may die at any instruction.  Then each key is found, or not, as
 * before or after its change, and whoever follows calls recount.
 *
 * A reader never misses a key that is in the index from before its search until
 * after it, and a search ends after size words at the latest.  A key that gets
 * another place must be replaced: if it were removed and inserted, or the other
 * way round, a reader could miss both.
 */


#ifndef _NGX_WASSIIT_INDEX_H_INCLUDED_
#define _NGX_WASSIIT_INDEX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_atomic.h"


#define NGX_WASSIIT_INDEX_EMPTY     0   /* a search ends here */
#define NGX_WASSIIT_INDEX_GONE      1   /* a search goes on here */

#define NGX_WASSIIT_INDEX_PLACES    ((uint32_t) 1 << 28)
#define NGX_WASSIIT_INDEX_TAG(tag)  (8 | ((tag) & 7))
#define NGX_WASSIIT_INDEX_WORD(tag, place)                                   \
    (NGX_WASSIIT_INDEX_TAG((uint32_t) (tag)) << 28 | (place))

/* the place of a word that is taken; 0 for another */
#define NGX_WASSIIT_INDEX_PLACE(word)                                        \
    (((word) & 0x80000000) ? (word) & (NGX_WASSIIT_INDEX_PLACES - 1) : 0)


typedef struct {
    uint32_t            size;       /* words, 1 or more */
    uint32_t            used;       /* words that are taken */
    uint32_t            reach;      /* the longest way of a word from home */
} ngx_wassiit_index_t;


/* a search; on the stack of its process */

typedef struct {
    uint32_t           *words;
    uint32_t           *found;      /* the word that was returned last */
    uint32_t            size;
    uint32_t            next;       /* the number of the word to be read */
    uint32_t            left;       /* words that may still be read */
    uint32_t            tag;        /* the upper 4 bits of a word */
} ngx_wassiit_probe_t;


/* The number of the word at which the search for a hash begins. */

static ngx_inline uint32_t
ngx_wassiit_index_home(const ngx_wassiit_index_t *index, uint32_t hash)
{
    return (uint64_t) hash * index->size >> 32;
}


/* Asks for the memory that a search for a hash reads first. */

static ngx_inline void
ngx_wassiit_index_prefetch(const uint32_t *words,
    const ngx_wassiit_index_t *index, uint32_t hash)
{
    __builtin_prefetch(words + ngx_wassiit_index_home(index, hash));
}


/*
 * Returns the next word with the tag of the search; 0: there is none.  What the
 * writer wrote at the word's place before it was inserted can be read then.
 */

static ngx_inline uint32_t
ngx_wassiit_index_next(ngx_wassiit_probe_t *probe)
{
    uint32_t  word;

    while (probe->left) {
        probe->left--;
        probe->found = probe->words + probe->next;

        word = ngx_wassiit_load_acquire(probe->found);

        if (word == NGX_WASSIIT_INDEX_EMPTY) {
            probe->left = 0;
            return 0;
        }

        probe->next = (probe->next + 1 == probe->size) ? 0 : probe->next + 1;

        if (word >> 28 == probe->tag) {
            return word;
        }
    }

    return 0;
}


/*
 * Begins a search for a hash and the lowest 3 bits of tag, which other bits of
 * the key should make up than the upper ones of hash.  Returns the first word
 * that may be the key's; 0: the key isn't in the index.  E.g.
 *
 *  word = ngx_wassiit_index_first(&probe, words, index, hash, tag);
 *
 *  while (word && !same(NGX_WASSIIT_INDEX_PLACE(word), key)) {
 *      word = ngx_wassiit_index_next(&probe);
 *  }
 */

static ngx_inline uint32_t
ngx_wassiit_index_first(ngx_wassiit_probe_t *probe, uint32_t *words,
    const ngx_wassiit_index_t *index, uint32_t hash, uint32_t tag)
{
    probe->words = words;
    probe->size = index->size;
    probe->next = ngx_wassiit_index_home(index, hash);
    probe->tag = NGX_WASSIIT_INDEX_TAG(tag);

    /* reach is set before a word is, so it is enough for all that are found */
    probe->left = ngx_wassiit_load_acquire(&index->reach) + 1;
    probe->left = ngx_min(probe->left, probe->size);

    return ngx_wassiit_index_next(probe);
}


/* The number of words that are taken, also while a writer is at work. */

static ngx_inline uint32_t
ngx_wassiit_index_used(const ngx_wassiit_index_t *index)
{
    return ngx_wassiit_load_relaxed(&index->used);
}


/* Makes an empty index of size words, 1 or more, which are zeros. */
void ngx_wassiit_index_init(ngx_wassiit_index_t *index, uint32_t size);

/*
 * The functions of the writer.  insert adds a place by its hash and tag; the
 * key must not be in the index.  All that readers look at lies at the place by
 * then.  Returns NGX_OK; NGX_DECLINED: each word is taken, so nothing is done.
 */
ngx_int_t ngx_wassiit_index_insert(uint32_t *words, ngx_wassiit_index_t *index,
    uint32_t hash, uint32_t tag, uint32_t place);

/*
 * Has another place take that of the word that the search returned last: the
 * key's hash and tag are the same.  A reader finds the one or the other.
 */

static ngx_inline void
ngx_wassiit_index_replace(ngx_wassiit_probe_t *probe, uint32_t place)
{
    ngx_wassiit_store_release(probe->found,
                              NGX_WASSIIT_INDEX_WORD(probe->tag, place));
}


/*
 * Removes the word that the search returned last.  A reader may have read it
 * before, so its place isn't free until that reader is done.
 */
void ngx_wassiit_index_remove(ngx_wassiit_probe_t *probe,
    ngx_wassiit_index_t *index);

/*
 * Goes through all words that are taken: *at is 0 at first.  Returns the next
 * one; 0: that was all.
 */
uint32_t ngx_wassiit_index_each(const uint32_t *words,
    const ngx_wassiit_index_t *index, uint32_t *at);

/* Sets used after a writer's death, and returns it. */
uint32_t ngx_wassiit_index_recount(const uint32_t *words,
    ngx_wassiit_index_t *index);


#endif /* _NGX_WASSIIT_INDEX_H_INCLUDED_ */
