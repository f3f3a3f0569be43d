
/*
 * Places in the order of their ids, bytewise: a skip list, in which one of four
 * is on the next level.  Readers need no lock beside one writer at a time, as
 * each store leaves the list whole.
 *
 * The list and the words that link places lie in shared memory.  Where these
 * words and the ids are is the caller's to say, by two functions.
 *
 * A place that was removed keeps its id and its links until no reader can be at
 * it any more.  So a walk meets each id once, in order, if it is in the list
 * from before the walk until after it.
 *
 * A writer may die at any instruction.  Whoever follows calls mend, and add for
 * each place that belongs to the list; those that are in it stay.  As only the
 * place that was being changed can be linked on some of its levels, it is
 * enough to add that one again, if the caller noted which it is.  No place is
 * in the list that doesn't belong, if the caller inserts into its index before
 * it adds here, and removes here before it removes there.
 */


#ifndef _NGX_WASSIIT_ORDER_H_INCLUDED_
#define _NGX_WASSIIT_ORDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_atomic.h"


#define NGX_WASSIIT_ORDER_LEVELS    10


/* of zeros: the empty list */

typedef struct {
    uint32_t            first[NGX_WASSIIT_ORDER_LEVELS];    /* or 0 */

    /* the writer's: places, or 0, behind which the last one was added */
    uint32_t            finger[NGX_WASSIIT_ORDER_LEVELS];
} ngx_wassiit_order_t;


/* where a list lies in this process */

typedef struct {
    ngx_wassiit_order_t *order;
    void                *data;      /* for the functions */

    /*
     * The word that links a place on a level to its follower.  A place has
     * ngx_wassiit_order_levels() of them, and is asked for no other.
     */
    uint32_t          *(*next)(void *data, uint32_t place, ngx_uint_t level);

    /* the id of a place, which never changes, and its length */
    const u_char      *(*id)(void *data, uint32_t place, size_t *len);
} ngx_wassiit_order_list_t;


/* How an id compares to another one: less than 0, 0, or more. */
ngx_int_t ngx_wassiit_order_compare(const u_char *a, size_t alen,
    const u_char *b, size_t blen);

/* The levels that an id is on: 1 .. NGX_WASSIIT_ORDER_LEVELS. */
ngx_uint_t ngx_wassiit_order_levels(const u_char *id, size_t len);

/*
 * Returns the first place whose id comes after this one, which may be empty and
 * need not be in the list; 0: there is none.
 */
uint32_t ngx_wassiit_order_after(const ngx_wassiit_order_list_t *list,
    const u_char *id, size_t len);

/*
 * Returns the place that follows this one; of 0, the first; 0: there is none.
 * The place may have been removed since the reader came to it.
 */
uint32_t ngx_wassiit_order_next(const ngx_wassiit_order_list_t *list,
    uint32_t place);

/*
 * Adds a place whose id and memory are ready for readers.  If another place has
 * this id, it is removed by this, and a walk meets the one or the other.  If
 * the place is in the list, on all of its levels or on some, it is on all of
 * them then.  Ids that come in order cost no search.
 */
void ngx_wassiit_order_add(const ngx_wassiit_order_list_t *list,
    uint32_t place);

/*
 * Removes a place, if it is in the list.  A reader may be at it, so it isn't
 * free until that reader is done.
 */
void ngx_wassiit_order_remove(const ngx_wassiit_order_list_t *list,
    uint32_t place);

/* To be called first after a writer's death. */
void ngx_wassiit_order_mend(const ngx_wassiit_order_list_t *list);


#endif /* _NGX_WASSIIT_ORDER_H_INCLUDED_ */
