
#include "ngx_wassiit_index.h"


/*
 * What a search rests on: no word between a key's home and the key's own word
 * is empty, at any time at which the key is in the index.
 */


void
ngx_wassiit_index_init(ngx_wassiit_index_t *index, uint32_t size)
{
    index->size = size;
    index->used = 0;
    index->reach = 0;
}


ngx_int_t
ngx_wassiit_index_insert(uint32_t *words, ngx_wassiit_index_t *index,
    uint32_t hash, uint32_t tag, uint32_t place)
{
    uint32_t  at, n;

    at = ngx_wassiit_index_home(index, hash);

    for (n = 0; words[at] > NGX_WASSIIT_INDEX_GONE; n++) {

        if (n + 1 == index->size) {
            return NGX_DECLINED;
        }

        at = (at + 1 == index->size) ? 0 : at + 1;
    }

    /* a reader that can see the word sees this first */

    if (n > index->reach) {
        ngx_wassiit_store_release(&index->reach, n);
    }

    ngx_wassiit_store_release(&words[at], NGX_WASSIIT_INDEX_WORD(tag, place));
    ngx_wassiit_store_release(&index->used, index->used + 1);

    return NGX_OK;
}


void
ngx_wassiit_index_remove(ngx_wassiit_probe_t *probe,
    ngx_wassiit_index_t *index)
{
    uint32_t  at, next;

    at = probe->found - probe->words;

    ngx_wassiit_store_release(probe->found, NGX_WASSIIT_INDEX_GONE);
    ngx_wassiit_store_release(&index->used, index->used - 1);

    /* marks before an empty word serve no search */

    next = (at + 1 == index->size) ? 0 : at + 1;

    while (probe->words[at] == NGX_WASSIIT_INDEX_GONE
           && probe->words[next] == NGX_WASSIIT_INDEX_EMPTY)
    {
        /*
         * A key whose search passes this mark would lie in the next word or
         * beyond it.  The next word is empty, so it isn't there, nor has any
         * search come past it.  Only this writer inserts, so none comes there
         * meanwhile.  Hence no key's way is cut, whenever a reader, who may be
         * anywhere on its own key's way, looks at this word.
         */
        ngx_wassiit_store_release(&probe->words[at], NGX_WASSIIT_INDEX_EMPTY);

        next = at;
        at = (at == 0) ? index->size - 1 : at - 1;
    }
}


uint32_t
ngx_wassiit_index_each(const uint32_t *words, const ngx_wassiit_index_t *index,
    uint32_t *at)
{
    uint32_t  word;

    while (*at < index->size) {
        word = ngx_wassiit_load_acquire(&words[(*at)++]);

        if (word > NGX_WASSIIT_INDEX_GONE) {
            return word;
        }
    }

    return 0;
}


uint32_t
ngx_wassiit_index_recount(const uint32_t *words, ngx_wassiit_index_t *index)
{
    uint32_t  at, n;

    at = 0;

    for (n = 0; ngx_wassiit_index_each(words, index, &at); n++) { /* void */ }

    ngx_wassiit_store_release(&index->used, n);

    return n;
}
