
/*
 * How a zone lies in shared memory: for those who read it (zone_read.c) and
 * those who lay it out and write it (zone.c), and for no one else.
 */


#ifndef _NGX_HTTP_WASSIIT_ZONE_SH_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ZONE_SH_H_INCLUDED_


#include "ngx_http_wassiit_zone.h"


/*
 * All memory is cut into units of one size, so that what one partner leaves
 * fits any other and the room needed can be told beforehand.  A partner
 * takes one unit, those of its window, one more for every five keys after
 * its first, and one for its secrets, if it has any.
 *
 * Readers find a partner through an index that is written with single
 * atomic stores, copy what they need, and look again if sh->changes has
 * moved: it moves after something was taken out of the index, before its
 * memory is used again.  What of a partner changes together stands in two
 * copies, of which partner->version names the valid one, so that a writer
 * who dies leaves a whole one behind.
 *
 * A freed unit stays as it is until no reader can still hold on to it, which
 * epochs tell.  So the list of those units lies beside, not in them.
 */

/* keys of a unit that has a partner's further ones */
#define ZONE_MORE_KEYS          5

/*
 * Partners are linked by their ids' order, too: a skip list, in which one of
 * four is on the next level.  Each store leaves it whole, so that readers need
 * no lock, and a writer may die.
 */
#define ZONE_LEVELS             10

/*
 * An index entry: a tag of 3 bits, the highest always set; 3 bits that are 0
 * for the key in a partner's unit, or 1 + the number of a key in a unit of
 * more keys; the unit.  It is small, as the index is what caches hold of a
 * zone.  An entry that was taken out is marked, as a search goes on there.
 */
#define ENTRY_UNITS             ((uint32_t) 1 << 26)
#define ENTRY_EMPTY             0
#define ENTRY_GONE              ENTRY_UNITS
#define ENTRY(hash, slot, unit)                                              \
    (0x80000000 | ((hash) & 3) << 29 | (uint32_t) (slot) << 26 | (unit))
#define ENTRY_TAG(e)            ((e) >> 29)
#define ENTRY_SLOT(e)           ((e) >> 26 & 7)
#define ENTRY_UNIT(e)           ((e) & (ENTRY_UNITS - 1))


typedef struct {
    u_char                        digest[NGX_WASSIIT_DIGEST_LEN];
    int64_t                       created;
    int64_t                       expires;
    uint32_t                      last_used;  /* seconds, or 0 */
    u_char                        used;
    u_char                        made;     /* works before created, too */
    u_char                        id_len;
    u_char                        id[NGX_HTTP_WASSIIT_ID_LEN];
} ngx_http_wassiit_slot_t;


typedef struct {
    uint64_t                      scopes;
    uint32_t                      window;
    uint32_t                      secrets;  /* unit, never changed, or 0 */
    u_char                        enabled;
    u_char                        name_len;
    u_char                        name[NGX_HTTP_WASSIIT_NAME_LEN];
} ngx_http_wassiit_state_t;


typedef struct {
    uint64_t                      serial;   /* 0: no partner lies here */
    uint64_t                      version;
    ngx_http_wassiit_slot_t       key;
    uint64_t                      counts[NGX_HTTP_WASSIIT_COUNTS];
    uint32_t                      more;     /* unit of further keys, or 0 */
    uint32_t                      mark;     /* the last load that had it */
    uint64_t                      span;     /* its line: offset, length */
    uint32_t                      next[ZONE_LEVELS];  /* by id, or 0 */
    uint32_t                      edits;    /* odd: it is being changed */
    u_char                        id_len;
    u_char                        id[NGX_HTTP_WASSIIT_ID_LEN];
    ngx_http_wassiit_state_t      state[2];
} ngx_http_wassiit_entry_t;


typedef struct {
    uint32_t                      next;     /* unit of further keys, or 0 */
    uint32_t                      owner;
    ngx_http_wassiit_slot_t       keys[ZONE_MORE_KEYS];
} ngx_http_wassiit_more_t;


typedef struct {
    uint64_t                      next:26;  /* unit, or 0 */
    uint64_t                      stamp:38; /* of the epoch, when freed */
} ngx_http_wassiit_free_t;


typedef char ngx_http_wassiit_entry_fits[
    sizeof(ngx_http_wassiit_entry_t) <= NGX_WASSIIT_UNIT ? 1 : -1];
typedef char ngx_http_wassiit_more_fits[
    sizeof(ngx_http_wassiit_more_t) <= NGX_WASSIIT_UNIT ? 1 : -1];


typedef struct {
    uint32_t                     *entries;
    uint32_t                      size;
    uint32_t                      used;
    uint32_t                      reach;    /* the longest search */
} ngx_http_wassiit_index_t;


struct ngx_http_wassiit_zone_sh_s {
    uint64_t                      changes;
    uint64_t                      left;     /* from this time on, or 0 */
    u_char                       *base;
    ngx_wassiit_epoch_t          *epoch;
    ngx_http_wassiit_index_t      keys;
    ngx_http_wassiit_index_t      ids;

    /* writers only */
    ngx_wassiit_robust_t          mutex;
    uint64_t                      serial;
    uint32_t                      load;     /* of loads, and tries to */
    uint32_t                      loads;    /* changes whenever one begins */
    uint32_t                      units;    /* all of them, with number 0 */
    uint32_t                      fresh;    /* the first never used */
    uint32_t                      free;     /* the first freed, or 0 */
    uint32_t                      free_last;
    ngx_http_wassiit_free_t      *frees;    /* of each unit */
    uint32_t                      first[ZONE_LEVELS];   /* by id, or 0 */
    uint32_t                      finger[ZONE_LEVELS];  /* see order_find() */
    uint64_t                      passed;   /* units freed by this stamp may
                                               be used again */
    uint64_t                      opens;    /* to changes, at this time */
    u_char                        digest[NGX_WASSIIT_DIGEST_LEN];
    ngx_http_wassiit_journals_t   journals;
};


#define load(p)         __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define store(p, v)     __atomic_store_n(p, v, __ATOMIC_RELEASE)


static ngx_inline void *
ngx_http_wassiit_zone_at(ngx_http_wassiit_zone_sh_t *sh, uint32_t unit)
{
    return sh->base + (size_t) unit * NGX_WASSIIT_UNIT;
}


static ngx_inline uint32_t
ngx_http_wassiit_zone_word(const u_char *digest, ngx_uint_t n)
{
    uint32_t  word;

    ngx_memcpy(&word, digest + n * sizeof(uint32_t), sizeof(uint32_t));

    return word;
}


/* in constant time, though a digest tells nothing of its key */

static ngx_inline ngx_uint_t
ngx_http_wassiit_zone_same(const u_char *a, const u_char *b)
{
    uint64_t  x[4], y[4];

    ngx_memcpy(x, a, NGX_WASSIIT_DIGEST_LEN);
    ngx_memcpy(y, b, NGX_WASSIIT_DIGEST_LEN);

    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]))
           == 0;
}


/*
 * Asks for the lines of a partner that are about to be read, so that there is
 * one wait for memory and not one after another.
 */

static ngx_inline void
ngx_http_wassiit_zone_prefetch_entry(ngx_http_wassiit_entry_t *p)
{
    __builtin_prefetch(p);
    __builtin_prefetch(p->key.id);
    __builtin_prefetch(p->counts, 1);
    __builtin_prefetch(p->id);
    __builtin_prefetch(&p->state[0]);
    __builtin_prefetch(&p->state[1]);
}


/* the place in an index where the search for a hash begins */

static ngx_inline uint32_t *
ngx_http_wassiit_zone_first(ngx_http_wassiit_index_t *index, uint32_t hash)
{
    return index->entries + ((uint64_t) hash * index->size >> 32);
}


static ngx_inline uint32_t *
ngx_http_wassiit_zone_next(ngx_http_wassiit_index_t *index, uint32_t *entry)
{
    return (entry + 1 == index->entries + index->size) ? index->entries
                                                       : entry + 1;
}


/* what follows a partner on a level, or, for 0, the first one */

static ngx_inline uint32_t *
ngx_http_wassiit_zone_after(ngx_http_wassiit_zone_sh_t *sh, uint32_t unit,
    ngx_uint_t level)
{
    ngx_http_wassiit_entry_t  *p;

    if (unit == 0) {
        return &sh->first[level];
    }

    p = ngx_http_wassiit_zone_at(sh, unit);

    return &p->next[level];
}


/* how the id of the partner at unit compares to this one */

static ngx_inline ngx_int_t
ngx_http_wassiit_zone_compare(ngx_http_wassiit_zone_sh_t *sh, uint32_t unit,
    u_char *id, size_t len)
{
    ngx_http_wassiit_entry_t  *p;

    p = ngx_http_wassiit_zone_at(sh, unit);

    return ngx_http_wassiit_record_order(p->id, ngx_min(p->id_len,
                                                    NGX_HTTP_WASSIIT_ID_LEN),
                                         id, len);
}


/* microseconds; doesn't follow the wall clock */

static ngx_inline uint64_t
ngx_http_wassiit_zone_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/*
 * From here to the end of this turn of the event loop nothing that we reach is
 * used again.
 */

static ngx_inline void
ngx_http_wassiit_zone_pin(ngx_http_wassiit_zone_t *zone)
{
    if (zone->pinned) {
        return;
    }

    zone->pinned = 1;

    if (zone->joined) {
        if (zone->slot == NULL) {
            /* one that drained when we came may have gone */
            zone->slot = ngx_wassiit_epoch_claim(zone->sh->epoch);
        }

        ngx_wassiit_epoch_pin(zone->sh->epoch, zone->slot);
    }

    if (zone->on_pin) {
        zone->on_pin(zone);
    }
}


/*
 * Returns the slot of the key with this digest, its entry in the index and
 * the unit of its partner; NULL if there is none.  A reader looks again if
 * sh->changes has moved, and takes no unit that isn't below sh->units.
 */
ngx_http_wassiit_slot_t *ngx_http_wassiit_zone_lookup_key(
    ngx_http_wassiit_zone_sh_t *sh, const u_char *digest, uint32_t **entry,
    uint32_t *unit);

/*
 * As ngx_http_wassiit_zone_get(), for a reader that is pinned or a writer that
 * has the mutex.
 */
ngx_int_t ngx_http_wassiit_zone_read_partner(ngx_http_wassiit_zone_sh_t *sh,
    ngx_str_t *id, ngx_http_wassiit_info_t *info);


#endif /* _NGX_HTTP_WASSIIT_ZONE_SH_H_INCLUDED_ */
