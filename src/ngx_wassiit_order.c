
#include "ngx_wassiit_order.h"


static void ngx_wassiit_order_find(const ngx_wassiit_order_list_t *list,
    const u_char *id, size_t len, uint32_t *prev);


/* the word that leads to a place's follower; of 0, to the first place */

static ngx_inline uint32_t *
ngx_wassiit_order_link(const ngx_wassiit_order_list_t *list, uint32_t place,
    ngx_uint_t level)
{
    return place ? list->next(list->data, place, level)
                 : &list->order->first[level];
}


static ngx_inline ngx_int_t
ngx_wassiit_order_compare_place(const ngx_wassiit_order_list_t *list,
    uint32_t place, const u_char *id, size_t len)
{
    size_t         n;
    const u_char  *p;

    p = list->id(list->data, place, &n);

    return ngx_wassiit_order_compare(p, n, id, len);
}


ngx_int_t
ngx_wassiit_order_compare(const u_char *a, size_t alen, const u_char *b,
    size_t blen)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(a, b, ngx_min(alen, blen));

    return rc ? rc : (ngx_int_t) alen - (ngx_int_t) blen;
}


ngx_uint_t
ngx_wassiit_order_levels(const u_char *id, size_t len)
{
    uint32_t    hash;
    ngx_uint_t  levels;

    /* FNV-1a, whose lower bits are mixed with the upper ones */

    hash = 0x811c9dc5;

    while (len--) {
        hash = (hash ^ *id++) * 0x01000193;
    }

    hash = (hash ^ hash >> 16) * 0x85ebca6b;
    hash ^= hash >> 13;

    for (levels = 1; levels < NGX_WASSIIT_ORDER_LEVELS; levels++) {

        if (hash & 3) {
            break;
        }

        hash >>= 2;
    }

    return levels;
}


uint32_t
ngx_wassiit_order_after(const ngx_wassiit_order_list_t *list,
    const u_char *id, size_t len)
{
    uint32_t    place, next;
    ngx_uint_t  level;

    place = 0;
    next = 0;

    for (level = NGX_WASSIIT_ORDER_LEVELS; level--; /* void */) {

        for ( ;; ) {
            next = ngx_wassiit_load_acquire(ngx_wassiit_order_link(list, place,
                                                                   level));

            if (next == 0
                || ngx_wassiit_order_compare_place(list, next, id, len) > 0)
            {
                break;
            }

            place = next;
        }
    }

    return next;
}


uint32_t
ngx_wassiit_order_next(const ngx_wassiit_order_list_t *list, uint32_t place)
{
    return ngx_wassiit_load_acquire(ngx_wassiit_order_link(list, place, 0));
}


/*
 * Sets prev[] to the places, one a level, behind which this id belongs.  The
 * search begins at the finger: where ids come in order, that is next to its
 * end.
 */

static void
ngx_wassiit_order_find(const ngx_wassiit_order_list_t *list,
    const u_char *id, size_t len, uint32_t *prev)
{
    uint32_t    place, next, *finger;
    ngx_uint_t  level, moved;

    finger = list->order->finger;

    if (finger[0]
        && ngx_wassiit_order_compare_place(list, finger[0], id, len) >= 0)
    {
        ngx_wassiit_order_mend(list);
    }

    place = 0;
    moved = 0;

    for (level = NGX_WASSIIT_ORDER_LEVELS; level--; /* void */) {

        if (!moved) {
            place = finger[level];
        }

        for ( ;; ) {
            next = *ngx_wassiit_order_link(list, place, level);

            if (next == 0
                || ngx_wassiit_order_compare_place(list, next, id, len) >= 0)
            {
                break;
            }

            place = next;
            moved = 1;
        }

        prev[level] = place;
    }
}


void
ngx_wassiit_order_add(const ngx_wassiit_order_list_t *list, uint32_t place)
{
    size_t         len;
    uint32_t       next, *link, prev[NGX_WASSIIT_ORDER_LEVELS];
    ngx_uint_t     level, levels;
    const u_char  *id;

    id = list->id(list->data, place, &len);
    levels = ngx_wassiit_order_levels(id, len);

    ngx_wassiit_order_find(list, id, len, prev);

    /* from below, so that a place is on each level below one that it is on */

    for (level = 0; level < levels; level++) {
        link = ngx_wassiit_order_link(list, prev[level], level);
        next = *link;

        if (next != place) {

            if (next
                && ngx_wassiit_order_compare_place(list, next, id, len) == 0)
            {
                /* a reader that is at it goes on as before */
                next = *ngx_wassiit_order_link(list, next, level);
            }

            /* this first: a reader comes here from the next store on */
            ngx_wassiit_store_release(ngx_wassiit_order_link(list, place,
                                                             level),
                                      next);
            ngx_wassiit_store_release(link, place);
        }

        prev[level] = place;
    }

    ngx_memcpy(list->order->finger, prev, sizeof(prev));
}


void
ngx_wassiit_order_remove(const ngx_wassiit_order_list_t *list, uint32_t place)
{
    size_t         len;
    uint32_t      *link, prev[NGX_WASSIIT_ORDER_LEVELS];
    ngx_uint_t     level;
    const u_char  *id;

    id = list->id(list->data, place, &len);

    ngx_wassiit_order_find(list, id, len, prev);

    /* from above, for the same reason */

    for (level = ngx_wassiit_order_levels(id, len); level--; /* void */) {
        link = ngx_wassiit_order_link(list, prev[level], level);

        if (*link == place) {
            /*
             * The place's own link stays, and leads a reader that is there to
             * all ids after it that are in the list now.
             */
            ngx_wassiit_store_release(link,
                                      *ngx_wassiit_order_link(list, place,
                                                              level));
        }
    }

    /* the finger is before the place, as find() has left it */
}


void
ngx_wassiit_order_mend(const ngx_wassiit_order_list_t *list)
{
    ngx_memzero(list->order->finger, sizeof(list->order->finger));
}
