
/*
 * How a zone lies in shared memory: for those who read it, and those who lay it
 * out and write it, and for no one else.
 */


#ifndef _NGX_HTTP_WASSIIT_ZONE_SH_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ZONE_SH_H_INCLUDED_


#include "ngx_http_wassiit_etag.h"
#include "ngx_http_wassiit_zone.h"
#include "ngx_wassiit_index.h"
#include "ngx_wassiit_order.h"


/*
 * The number of this layout: another one for each change of what is in here,
 * of the journal, the names of scopes, the secrets, or the core's window, ring,
 * index, order, epoch and lines, by which a program that knows the old layout
 * would misread the new one.
 */
#ifndef NGX_HTTP_WASSIIT_LAYOUT
#define NGX_HTTP_WASSIIT_LAYOUT 6
#endif


/*
 * Memory is cut into lines of 64 bytes.  A place is the number of a line from
 * the zone's first one on, so all that lies in the zone holds under whatever
 * address a process maps it.
 *
 * A partner has a profile, which an index leads to by the partner's id; a line
 * with its window, and the window's ring; an extent for each of its keys, which
 * another index leads to by the key's digest; and an extent for its secrets, if
 * it has any, which is longer while the partner changes one over.
 * Profiles, keys and secrets aren't changed, some words excepted, but replaced:
 * what is new is laid out first, then one store for each makes it reachable.
 * What it replaces stays as it is until no reader can hold on to it.  So what a
 * reader follows in a turn is whole, without a lock, whatever writers do.
 *
 * A writer that dies is followed by one that brings its change to the end, by
 * the words "coming" and "going".  See ngx_http_wassiit_mend().
 */


/* kinds of extents: those that requests read lie together */
#define ZONE_HOT                0       /* keys, and partners' lines */
#define ZONE_RINGS              1
#define ZONE_COLD               2       /* profiles */
#define ZONE_SECRETS            3

/* extents that readers may still look at, at the most */
#define ZONE_RETIRED            256
#define ZONE_SECRET             ((uint32_t) 1 << 31)

/* partners that were deleted last, of which the rev is still known */
#define ZONE_GONE               64

/* of a key and of a profile */
#define ZONE_ENABLED            0x01
#define ZONE_HMAC               0x02
#define ZONE_WEBHOOK            0x04
#define ZONE_MADE               0x08    /* works before created, too */
#define ZONE_RATE               0x10    /* has a rate of its own */

/* seconds of a key that never expires */
#define ZONE_NEVER              ((uint32_t) -1)

/* counters of 32 bits, and where each of them stops */
#define ZONE_RARE                                                            \
    (NGX_HTTP_WASSIIT_COUNTS - NGX_HTTP_WASSIIT_COUNT_RARE)
#define ZONE_RARE_MOST          ((uint32_t) -(1 << 20))


typedef struct {
    u_char                        digest[NGX_WASSIIT_DIGEST_LEN];
    uint64_t                      scopes;
    uint32_t                      created;  /* 0: it works at any time */
    uint32_t                      expires;
    uint32_t                      partner;  /* place of its line */
    uint32_t                      last_used;  /* seconds, or 0 */
    uint32_t                      secrets;  /* place, or 0 */
    u_char                        flags;
    u_char                        id_len;   /* of the partner's id */
    u_char                        key_id_len;
    u_char                        name_len;

    /* the second line: as operators wrote them, and copies of the names */
    int64_t                       exact_created;
    int64_t                       exact_expires;
    u_char                        names[];  /* as of a find */
} ngx_http_wassiit_zone_key_t;


typedef struct {
    ngx_wassiit_window_t          window;   /* its owner: the profile */
    uint32_t                      generation;  /* 0: it is no partner's */
    uint32_t                      next;     /* place of a second window: 0 */
    uint64_t                      counts[NGX_HTTP_WASSIIT_COUNT_RARE];
} ngx_http_wassiit_zone_line_t;


typedef struct {
    uint64_t                      span;     /* its line in the file, */
    uint64_t                      rev;      /* and that one's, or 0 */
    uint64_t                      scopes;
    uint32_t                      counts[ZONE_RARE];
    uint32_t                      partner;  /* place of its line */
    uint32_t                      secrets;  /* place, or 0 */
    uint32_t                      mark;     /* the last load that had it */
    u_char                        flags;
    unsigned                      levels:4;
    unsigned                      nkeys:4;
    unsigned                      id_len:8;
    unsigned                      name_len:8;

    /* links by the order of ids, places of keys or 0; then id and name */
    uint32_t                      words[];
} ngx_http_wassiit_profile_t;


/* an extent that was taken out of use */

typedef struct {
    uint64_t                      stamp;    /* of the epoch */
    uint32_t                      place;
    uint32_t                      lines;    /* with ZONE_SECRET: to be wiped */
} ngx_http_wassiit_retired_t;


/* what tags are made by */

typedef struct {
    u_char                        seed[NGX_HTTP_WASSIIT_TAG_SEED];
    ngx_wassiit_hmac_key_t        key;
} ngx_http_wassiit_tags_t;


/* a partner that was deleted, by the SHA-256 of its id */

typedef struct {
    u_char                        digest[NGX_WASSIIT_DIGEST_LEN];
    uint64_t                      rev;      /* 0: none */
} ngx_http_wassiit_gone_t;


struct ngx_http_wassiit_zone_sh_s {
    ngx_http_wassiit_memory_head_t  head;

    /* for readers, too: a line */
    uint64_t                      left;     /* from this time on, or 0 */
    ngx_wassiit_index_t           keys;
    ngx_wassiit_index_t           ids;
    uint32_t                      key_words;  /* places, of what has a size */
    uint32_t                      id_words;
    uint32_t                      epoch;
    uint32_t                      lines;
    uint32_t                      nodes;    /* that caps are for; or 0 */
    uint32_t                      share;    /* ... in 1/1000 */
    uint32_t                      edits;    /* loads of a file that others
                                               have written to */
    uint32_t                      disabled; /* partners that are found */

    /* writers only */
    ngx_wassiit_robust_t          mutex;
    ngx_wassiit_order_t           order;
    uint32_t                      coming;   /* profile that is put in force */
    uint32_t                      going;    /* the one that it replaces */
    uint32_t                      prepared; /* a profile, for a change: or 0 */
    uint32_t                      prepares; /* which change that is */
    uint32_t                      generation;
    uint32_t                      load;     /* of loads, and tries to */
    uint32_t                      loads;    /* changes whenever one begins */
    uint32_t                      torn;     /* a sweep has been begun */
    uint64_t                      unswept;  /* stamp of extents that only a
                                               sweep finds; 0: there are none */
    uint64_t                      opens;    /* to changes, at this time */
    u_char                        digest[NGX_WASSIIT_DIGEST_LEN];
    uint32_t                      tag;      /* which of tags[] counts */
    ngx_http_wassiit_tags_t       tags[2];
    ngx_http_wassiit_journals_t   journals;
    uint32_t                      oldest;   /* of retired[], modulo its size */
    uint32_t                      newest;   /* behind the last one */
    uint32_t                      deletions;  /* modulo its size: the next */
    ngx_http_wassiit_gone_t       gone[ZONE_GONE];
    ngx_http_wassiit_retired_t    retired[ZONE_RETIRED];
};


typedef char ngx_http_wassiit_zone_key_is_two_lines[
    offsetof(ngx_http_wassiit_zone_key_t, exact_created) == NGX_WASSIIT_LINE
    ? 1 : -1];
typedef char ngx_http_wassiit_zone_line_is_one[
    sizeof(ngx_http_wassiit_zone_line_t) == NGX_WASSIIT_LINE ? 1 : -1];
typedef char ngx_http_wassiit_profile_is_packed[
    offsetof(ngx_http_wassiit_profile_t, words)
    == 40 + ZONE_RARE * sizeof(uint32_t)
    && NGX_WASSIIT_ORDER_LEVELS < 16 && NGX_HTTP_WASSIIT_KEYS < 16
    && NGX_HTTP_WASSIIT_ID_LEN < 256 && NGX_HTTP_WASSIIT_NAME_LEN < 256
    ? 1 : -1];
typedef char ngx_http_wassiit_zone_sh_readers_line[
    offsetof(ngx_http_wassiit_zone_sh_t, left) == NGX_WASSIIT_LINE
    && offsetof(ngx_http_wassiit_zone_sh_t, mutex) == 2 * NGX_WASSIIT_LINE
    ? 1 : -1];


#define load(p)         ngx_wassiit_load_acquire(p)
#define store(p, v)     ngx_wassiit_store_release(p, v)


/* The address of a place: of a line that has another type in each use. */

static ngx_inline void *
ngx_http_wassiit_zone_at(ngx_http_wassiit_zone_sh_t *sh, uint32_t place)
{
    return ngx_wassiit_line((u_char *) sh, place);
}


static ngx_inline ngx_wassiit_epoch_t *
ngx_http_wassiit_zone_epoch(ngx_http_wassiit_zone_sh_t *sh)
{
    return ngx_http_wassiit_zone_at(sh, sh->epoch);
}


static ngx_inline ngx_wassiit_lines_t *
ngx_http_wassiit_zone_lines(ngx_http_wassiit_zone_sh_t *sh)
{
    return ngx_http_wassiit_zone_at(sh, sh->lines);
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
 * Adds n to a counter of 32 bits.  As it stops so long before it would begin
 * anew, those who add at the same time needn't know of each other.
 */

static ngx_inline void
ngx_http_wassiit_zone_add(uint32_t *counter, uint32_t n)
{
    uint32_t  was;

    was = ngx_wassiit_load_relaxed(counter);

    if (was < ZONE_RARE_MOST) {
        (void) ngx_wassiit_add(counter, ngx_min(n, ZONE_RARE_MOST - was));
    }
}


/* Returns the place of the key with this digest; 0: there is none. */

static ngx_inline uint32_t
ngx_http_wassiit_zone_lookup_key(ngx_http_wassiit_zone_sh_t *sh,
    const u_char *digest, ngx_wassiit_probe_t *probe)
{
    uint32_t                      word, place;
    ngx_http_wassiit_zone_key_t  *key;

    word = ngx_wassiit_index_first(probe,
                             ngx_http_wassiit_zone_at(sh, sh->key_words),
                             &sh->keys, ngx_http_wassiit_zone_word(digest, 0),
                             ngx_http_wassiit_zone_word(digest, 1));

    for ( /* void */ ; word; word = ngx_wassiit_index_next(probe)) {
        place = NGX_WASSIIT_INDEX_PLACE(word);
        key = ngx_http_wassiit_zone_at(sh, place);

        __builtin_prefetch(&key->exact_created);

        if (ngx_http_wassiit_zone_same(key->digest, digest)) {
            return place;
        }
    }

    return 0;
}


/* the words of a profile: its links, and the places of its keys */

static ngx_inline uint32_t *
ngx_http_wassiit_zone_keys(ngx_http_wassiit_profile_t *profile)
{
    return profile->words + profile->levels;
}


static ngx_inline u_char *
ngx_http_wassiit_zone_id(ngx_http_wassiit_profile_t *profile)
{
    return (u_char *) (profile->words + profile->levels + profile->nkeys);
}


/* Returns the place of the profile with this id; 0: there is none. */

static ngx_inline uint32_t
ngx_http_wassiit_zone_lookup_id(ngx_http_wassiit_zone_sh_t *sh, u_char *id,
    size_t len, ngx_wassiit_probe_t *probe)
{
    uint32_t                     word, hash, place;
    ngx_http_wassiit_profile_t  *profile;

    hash = ngx_murmur_hash2(id, len);

    word = ngx_wassiit_index_first(probe,
                                   ngx_http_wassiit_zone_at(sh, sh->id_words),
                                   &sh->ids, hash, hash);

    for ( /* void */ ; word; word = ngx_wassiit_index_next(probe)) {
        place = NGX_WASSIIT_INDEX_PLACE(word);
        profile = ngx_http_wassiit_zone_at(sh, place);

        if (profile->id_len == len
            && ngx_memcmp(ngx_http_wassiit_zone_id(profile), id, len) == 0)
        {
            return place;
        }
    }

    return 0;
}


/*
 * Go through all profiles, and all keys, that are in the index, in no order;
 * *at is 0 at first.  Return the place of the next one; 0: that was all.  A
 * writer may take out the one that was returned.
 */

static ngx_inline uint32_t
ngx_http_wassiit_zone_each_profile(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t *at)
{
    uint32_t  word;

    word = ngx_wassiit_index_each(ngx_http_wassiit_zone_at(sh, sh->id_words),
                                  &sh->ids, at);

    return NGX_WASSIIT_INDEX_PLACE(word);
}


static ngx_inline uint32_t
ngx_http_wassiit_zone_each_key(ngx_http_wassiit_zone_sh_t *sh, uint32_t *at)
{
    uint32_t  word;

    word = ngx_wassiit_index_each(ngx_http_wassiit_zone_at(sh, sh->key_words),
                                  &sh->keys, at);

    return NGX_WASSIIT_INDEX_PLACE(word);
}


/* Sets list to the list of profiles, by the order of their ids. */
void ngx_http_wassiit_zone_list(ngx_http_wassiit_zone_sh_t *sh,
    ngx_wassiit_order_list_t *list);


/* Are the caps of all partners those of the zone's cluster? */

static ngx_inline ngx_uint_t
ngx_http_wassiit_zone_is_divided(ngx_http_wassiit_zone_t *zone)
{
    return load(&zone->sh->nodes) == zone->claims.nodes
           && load(&zone->sh->share) == zone->claims.share;
}


/*
 * Microseconds; doesn't follow the wall clock, and goes on while the machine is
 * suspended, as the ledger's clock does.
 */

static ngx_inline uint64_t
ngx_http_wassiit_zone_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_BOOTTIME, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


/*
 * From here to the end of this turn of the event loop nothing that we reach is
 * used again.
 */

static ngx_inline void
ngx_http_wassiit_zone_pin(ngx_http_wassiit_zone_t *zone)
{
    ngx_wassiit_epoch_t  *epoch;

    if (zone->pinned) {
        return;
    }

    zone->pinned = 1;

    if (zone->joined) {
        epoch = ngx_http_wassiit_zone_epoch(zone->sh);

        if (zone->slot == NULL) {
            /* one that drained when we came may have gone */
            zone->slot = ngx_wassiit_epoch_claim(epoch);
        }

        ngx_wassiit_epoch_pin(epoch, zone->slot);
    }

    if (zone->on_pin) {
        zone->on_pin(zone);
    }
}


/* what is read of a partner beside the rest */

#define ZONE_KEYS               0x1   /* and secrets' times */
#define ZONE_TAG                0x2
#define ZONE_ALL                (ZONE_KEYS | ZONE_TAG)

/*
 * As ngx_http_wassiit_zone_get(), for a reader that is pinned or a writer that
 * has the mutex; parts are of ZONE_KEYS and ZONE_TAG.
 */
ngx_int_t ngx_http_wassiit_zone_read_partner(ngx_http_wassiit_zone_sh_t *sh,
    ngx_str_t *id, ngx_http_wassiit_info_t *info, ngx_uint_t parts);


#endif /* _NGX_HTTP_WASSIIT_ZONE_SH_H_INCLUDED_ */
