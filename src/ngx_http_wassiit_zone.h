
/*
 * A zone: the shared memory in which all workers see the partners, their
 * keys, windows and counters.
 *
 * Readers, which look up, take and count, neither lock nor allocate.  Writers,
 * which change partners, hold a mutex, which is free again if they are killed.
 * A process that may be stopped while it reads says so by epochs: what it reads
 * isn't used again meanwhile.
 */


#ifndef _NGX_HTTP_WASSIIT_ZONE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_epoch.h"
#include "ngx_http_wassiit_board.h"
#include "ngx_http_wassiit_claims.h"
#include "ngx_http_wassiit_memory.h"
#include "ngx_http_wassiit_store.h"
#include "ngx_wassiit_window.h"


/* the most bytes of a zone's name */
#define NGX_HTTP_WASSIIT_ZONE_NAME_LEN  200

/* digits of base62 that tags are made by: more than 256 bits */
#define NGX_HTTP_WASSIIT_TAG_SEED       43


typedef struct ngx_http_wassiit_zone_sh_s  ngx_http_wassiit_zone_sh_t;


/* where a zone's memory comes from */

enum {
    NGX_HTTP_WASSIIT_ZONE_KEPT = 0,             /* the configuration before */
    NGX_HTTP_WASSIIT_ZONE_INHERITED,            /* the program before */
    NGX_HTTP_WASSIIT_ZONE_NEW,

    /* it is new, as that of before has another ... */
    NGX_HTTP_WASSIIT_ZONE_LAYOUT,
    NGX_HTTP_WASSIIT_ZONE_SIZE,
    NGX_HTTP_WASSIIT_ZONE_NAMELESS,             /* or no names of scopes */
    NGX_HTTP_WASSIIT_ZONE_DAMAGED               /* or was written over */
};


typedef struct ngx_http_wassiit_zone_s  ngx_http_wassiit_zone_t;

struct ngx_http_wassiit_zone_s {
    ngx_str_t                     name;
    ngx_str_t                     file;
    ngx_wassiit_rate_t            rate;     /* of partners without one */
    u_char                        digest[NGX_WASSIIT_DIGEST_LEN];
                                            /* of all that gives lines sense */
    size_t                        size;     /* 0: not declared yet */
    ngx_http_wassiit_store_t     *store;    /* read, to be loaded */
    ngx_http_wassiit_zone_sh_t   *sh;
    ngx_http_wassiit_memory_t    *memory;   /* that sh is in */
    ngx_http_wassiit_board_t      board;    /* what is shown of it */
    ngx_http_wassiit_claims_t     claims;   /* what a cluster shares of it */
    ngx_http_wassiit_memory_t    *supersedes;  /* of the program before: NULL */
    ngx_uint_t                    source;   /* where memory comes from */
    uint32_t                      former_layout;  /* of memory that isn't */
    uint64_t                      former_size;  /* used on */
    uint32_t                      loads;    /* as many as a change knows of */

    /* of this process as a reader, see ngx_http_wassiit_zone_join() */
    ngx_wassiit_epoch_slot_t     *slot;     /* NULL: none was left */
    uint32_t                      turn;     /* changes whenever it unpins */
    unsigned                      joined:1;
    unsigned                      pinned:1;
    void                        (*on_pin)(ngx_http_wassiit_zone_t *zone);
    void                         *data;     /* the caller's, for on_pin() */

    /* of this process as a writer */
    ngx_uint_t                    patience; /* ms to wait for readers, still */
    ngx_http_wassiit_record_t    *prepared; /* by zone_room(), or NULL */
    uint32_t                      prepares; /* which change that is of */
    uint32_t                      replaces; /* the profile it was made for */
    ngx_http_wassiit_zone_t      *former;   /* in zone_load(), or NULL */
    const void                   *orders;   /* who orders changes first, see
                                               job.h; NULL: nobody */

    unsigned                      tight:1;  /* room only when some have gone */
    unsigned                      empty:1;  /* nothing is to be found yet */
    unsigned                      loading:1;  /* what isn't reachable counts */
    unsigned                      swept:1;  /* what wasn't reachable is free */
    unsigned                      admin:1;  /* wassiit_admin may change it */

    /* where it was first named in the configuration */
    ngx_str_t                     directive;
    u_char                       *conf_file;
    ngx_uint_t                    conf_line;
};


/* the most bytes that the names of a partner and of its key take */
#define NGX_HTTP_WASSIIT_NAMES_LEN                                           \
    (2 * NGX_HTTP_WASSIIT_ID_LEN + NGX_HTTP_WASSIIT_NAME_LEN)


/* what a request learns of the owner of its key; a copy, its own */

typedef struct {
    uint64_t                      scopes;
    int64_t                       created;  /* of the key: Unix seconds, or
                                               INT64_MIN: it works at once */
    int64_t                       expires;  /* of the key: Unix seconds */
    uint32_t                      line;     /* its place, in this turn */
    uint32_t                      turn;
    uint32_t                      generation;  /* which partner of its id */
    uint32_t                      cap;      /* of its window, in a cluster: as
                                               of zone_take() */

    unsigned                      enabled:1;
    unsigned                      hmac:1;   /* it has a secret */
    unsigned                      asks:1;   /* its key for the first time in
                                               NGX_HTTP_WASSIIT_BOARD_EPOCH */
    unsigned                      id_len:8;
    unsigned                      key_id_len:8;
    unsigned                      name_len:8;

    /* one behind another: the partner's id, the key's, the partner's name */
    u_char                       *names;
    void                         *key;      /* the zone's own, in this turn;
                                               NULL: it isn't known */
} ngx_http_wassiit_partner_t;


/*
 * The counters of a partner, by number: the table of decisions says what each
 * is of.  Requests that are allowed or limited, most of them, have the first
 * two, which lie where their window does; the others, of 32 bits, hold 2^32 -
 * 2^20 at the least, and stop before they would begin anew.
 */
#define NGX_HTTP_WASSIIT_COUNT_RARE  2       /* the first of the others */
#define NGX_HTTP_WASSIIT_COUNTS      14


/* what an operator learns of a partner; a copy, times in Unix seconds */

typedef struct {
    int64_t                       created;  /* INT64_MIN: none is set */
    int64_t                       expires;  /* INT64_MAX: never */
    int64_t                       last_used;  /* 0: not since nginx started */
    u_char                        id_len;
    u_char                        id[NGX_HTTP_WASSIIT_ID_LEN];
} ngx_http_wassiit_key_info_t;


typedef struct {
    uint64_t                      tag;      /* of what the file says of it */
    uint64_t                      rev;      /* of its line; 0: it has none */
    uint64_t                      scopes;
    ngx_wassiit_rate_t            rate;
    ngx_wassiit_usage_t           usage;    /* of its window, now */
    uint32_t                      generation;  /* which partner of its id */
    uint64_t                      counts[NGX_HTTP_WASSIIT_COUNTS];
    int64_t                       former_expires;  /* the former hmac secret: */
    int64_t                       next_expires;  /* INT64_MIN: there is none */
    unsigned                      enabled:1;
    unsigned                      hmac:1;   /* it has a secret */
    unsigned                      webhook:1;
    unsigned                      nkeys:8;
    u_char                        id_len;
    u_char                        name_len;
    u_char                        id[NGX_HTTP_WASSIIT_ID_LEN];
    u_char                        name[NGX_HTTP_WASSIIT_NAME_LEN];
    ngx_http_wassiit_key_info_t   keys[2 * NGX_HTTP_WASSIIT_KEYS];
} ngx_http_wassiit_info_t;


/*
 * Gives a zone its memory, which is laid out if it is new: the former zone's,
 * which has its name in the configuration before, or is NULL; or, if inherited
 * is 1, what the program whose place this one takes has of that name.  Each of
 * these if its size and layout are this zone's.  Returns NGX_OK; NGX_ERROR,
 * which is logged.
 */
ngx_int_t ngx_http_wassiit_zone_map(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_zone_t *former, ngx_uint_t inherited, ngx_log_t *log);

/* Takes its memory from a zone that is not used in this process any more. */
void ngx_http_wassiit_zone_unmap(ngx_http_wassiit_zone_t *zone);

/* Logs where a zone's memory comes from, unless it is the configuration's. */
void ngx_http_wassiit_zone_log_map(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);

/*
 * Does the zone's memory begin as memory of its size is laid out?  Returns 1,
 * or 0: something has written over it, and nothing in it may be followed.
 */
ngx_uint_t ngx_http_wassiit_zone_is_sound(ngx_http_wassiit_zone_t *zone);

/*
 * Tells another program that shares the memory that its zone is superseded by
 * this program's: it goes on answering requests, and makes no changes.
 */
void ngx_http_wassiit_zone_supersede(ngx_http_wassiit_memory_t *memory);

/*
 * Lets go of what was inherited and nobody uses.  Whoever fills it from the
 * file of one of these zones is told that it is superseded.
 */
void ngx_http_wassiit_zone_drop_inherited(ngx_http_wassiit_zone_t **zones,
    ngx_uint_t n, ngx_log_t *log);

/*
 * The names of scopes by the bits that they have in all zones of this program,
 * or, if inherited is 1, of the one whose place it takes: in shared memory, to
 * be copied.  NULL: nothing is known of such.  It is to be asked before any
 * zone gets its memory.
 */
const ngx_wassiit_scopes_t *ngx_http_wassiit_zone_scopes(ngx_uint_t inherited,
    ngx_log_t *log);

/* Keeps a copy of the names for who takes this program's place. */
void ngx_http_wassiit_zone_keep_scopes(const ngx_wassiit_scopes_t *scopes,
    ngx_log_t *log);

/* As ngx_http_wassiit_memory_seclude(), for these names. */
void ngx_http_wassiit_zone_seclude_scopes(void);

/*
 * The journal of a zone that the former configuration, which gave the lines of
 * the file the same sense, has loaded, and the number of its partners; NULL: it
 * is no such zone.
 */
ngx_http_wassiit_journals_t *ngx_http_wassiit_zone_loaded(
    ngx_http_wassiit_zone_t *zone, ngx_uint_t *partners);

/*
 * Is there room for the partners of zone->store?  Nothing that readers see is
 * changed.  Returns NGX_OK; NGX_ERROR: there is not, which is logged, with the
 * size that would do.
 */
ngx_int_t ngx_http_wassiit_zone_check_load(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);

/*
 * Makes the zone hold exactly the partners of zone->store.  Windows and
 * counters of those that stay are kept.  To be called when nothing can make
 * the new configuration fail any more.
 */
void ngx_http_wassiit_zone_load(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);

/*
 * Sets the caps of all partners as the zone's cluster has them, or as there is
 * none, unless they are so already.  To be called after a load.
 */
void ngx_http_wassiit_zone_divide(ngx_http_wassiit_zone_t *zone);

/*
 * Has a zone, which may be changed, take the place of a former one whose memory
 * is another: who still looks up keys in that is told, after two seconds, that
 * nothing in it holds any more; until then changes of the new one wait.  A key
 * that was made in the former zone works before its time in this one, too.
 */
void ngx_http_wassiit_zone_leave(ngx_http_wassiit_zone_t *former,
    ngx_http_wassiit_zone_t *zone);

/*
 * Makes the calling thread a reader of the zone until its process ends.  Its
 * first call of a function for readers in a turn of the event loop pins it, and
 * calls on_pin(), if that isn't NULL.  From then on no memory that it reads is
 * used again until ngx_http_wassiit_zone_unpin(), whoever changes partners.  A
 * process that hasn't joined may read only if no other one writes.
 */
void ngx_http_wassiit_zone_join(ngx_http_wassiit_zone_t *zone,
    void (*on_pin)(ngx_http_wassiit_zone_t *zone), void *data);

/*
 * The end of a turn, or the beginning of a change by the same thread: nothing
 * that it has read counts any more.  Does nothing if nothing was read.
 */
void ngx_http_wassiit_zone_unpin(ngx_http_wassiit_zone_t *zone);

/*
 * What is known of the partners' file, as it lies in the zone: others may
 * change it at any time, see ngx_http_wassiit_journal_get().
 */
ngx_http_wassiit_journals_t *ngx_http_wassiit_zone_journals(
    ngx_http_wassiit_zone_t *zone);

/*
 * Returns the pid of a program that has taken this one's place by a binary
 * upgrade, has other memory for the zone, and makes the changes in that; or 0.
 */
ngx_pid_t ngx_http_wassiit_zone_is_superseded(ngx_http_wassiit_zone_t *zone);

/*
 * Does the zone take changes of this process's configuration, as far as one may
 * tell it without the file's lock?  Returns 1; 0: a newer one has it.
 */
ngx_uint_t ngx_http_wassiit_zone_takes_changes(ngx_http_wassiit_zone_t *zone);

/*
 * The functions for one who changes partners, in any process that shares the
 * zone.  He holds the lock of the partners' file from before he asks until
 * all is told.
 */

/*
 * Is the zone still as this process's configuration says?  Then journal is set
 * to what is known of the partners' file, and the zone is current until it is
 * loaded again.  Returns NGX_OK; NGX_AGAIN: it is not open to changes yet;
 * NGX_DECLINED: no.
 */
ngx_int_t ngx_http_wassiit_zone_known(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_journal_t *journal);

/*
 * Where the partner's line lies in the file.  Returns NGX_OK; NGX_DECLINED:
 * there is no such partner in the zone; NGX_ABORT: the zone isn't current any
 * more.
 */
ngx_int_t ngx_http_wassiit_zone_span(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_span_t *span);

/*
 * The rev by which the partner, which the zone hasn't, was deleted.  Returns 0
 * if that isn't known (any more): of some partners that were deleted last it
 * is.
 */
uint64_t ngx_http_wassiit_zone_gone(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id);

/* Forgets these, as their revs may come again for something else. */
void ngx_http_wassiit_zone_forget_gone(ngx_http_wassiit_zone_t *zone);

/*
 * What the zone's tags are made by: at first random, as old as its memory.
 * Copies it.
 */
void ngx_http_wassiit_zone_tag_seed(ngx_http_wassiit_zone_t *zone,
    u_char seed[NGX_HTTP_WASSIIT_TAG_SEED]);

/*
 * From now on tags are made by this, and by a key of len bytes besides if it
 * isn't NULL: zones with the same have the same.  One process at a time may
 * call it.
 */
void ngx_http_wassiit_zone_share_tags(ngx_http_wassiit_zone_t *zone,
    const u_char seed[NGX_HTTP_WASSIIT_TAG_SEED], const u_char *key,
    size_t len);

/*
 * Brings to an end what a writer that died has begun: a partner's cap can't be
 * told until then.  Waits for nobody.
 */
void ngx_http_wassiit_zone_mend(ngx_http_wassiit_zone_t *zone);

/* The tag of what the record says, as ngx_http_wassiit_info_t has it. */
uint64_t ngx_http_wassiit_zone_tag(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec);

/*
 * Has another partner of the zone a key of the record's?  Returns 1, and logs
 * whose it is; or 0, also if that can't be seen now.
 */
ngx_uint_t ngx_http_wassiit_zone_clashes(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, ngx_log_t *log);

/*
 * Is there room for what the record makes of its partner?  Returns NGX_OK;
 * NGX_AGAIN: there is, but a reader that is stopped, or very slow, may still
 * look at it, or another writer is stopped; NGX_DECLINED: no.
 */
ngx_int_t ngx_http_wassiit_zone_room(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec);

/*
 * Adds, changes or removes the partner as the record says; it is in force for
 * every look-up that begins after the return.  A key that is marked as made
 * works from then on, whatever the wall clock does, until its created is
 * changed or the zone's memory goes.  There must be room.  Returns
 * NGX_OK, and fills info, if it isn't NULL, with the partner as it is then,
 * unless it is removed; NGX_DECLINED if the zone isn't current any more, and
 * nothing is done; NGX_ERROR if there was no room, which is logged.
 */
ngx_int_t ngx_http_wassiit_zone_apply(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, ngx_http_wassiit_info_t *info,
    ngx_log_t *log);

/*
 * The lines of all partners: an array of n spans, which the caller frees, or
 * NULL: memory is short, or the zone isn't current any more.
 */
ngx_http_wassiit_span_t *ngx_http_wassiit_zone_spans(
    ngx_http_wassiit_zone_t *zone, ngx_uint_t *n, ngx_log_t *log);

/*
 * Has a journal take the place of the one that lies in the zone, and, if n
 * isn't 0, lines be where these spans say.  Returns NGX_OK; NGX_DECLINED if the
 * zone isn't current any more: nothing is done.
 */
ngx_int_t ngx_http_wassiit_zone_tell(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_span_t *spans,
    ngx_uint_t n);

/* How often the zone was loaded, or begun to be. */
uint32_t ngx_http_wassiit_zone_loads(ngx_http_wassiit_zone_t *zone);

/* The number of partners, as far as one may tell it while others change. */
ngx_uint_t ngx_http_wassiit_zone_partners(ngx_http_wassiit_zone_t *zone);

/* The number of those that are disabled, in the same way. */
ngx_uint_t ngx_http_wassiit_zone_disabled(ngx_http_wassiit_zone_t *zone);

/*
 * A partner by its id.  Returns NGX_OK and fills info, all of it as it was at
 * one time, but for last uses and counts, which go on; NGX_DECLINED: there is
 * none.
 */
ngx_int_t ngx_http_wassiit_zone_get(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_info_t *info);

/* The same, but info's tag stays as it is: to make one costs an HMAC. */
ngx_int_t ngx_http_wassiit_zone_get_untagged(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_info_t *info);

/* The same, without its keys, nkeys is 0, and without its secrets' times. */
ngx_int_t ngx_http_wassiit_zone_glance(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_info_t *info);

/*
 * The bytes of the zone's memory that aren't free, as far as one may tell it
 * while others change partners.
 */
size_t ngx_http_wassiit_zone_used_bytes(ngx_http_wassiit_zone_t *zone);

/*
 * Goes through the partners whose ids come after this one, bytewise, which may
 * be empty, and calls visit for each, with all of its info but keys, secrets'
 * times, the use of its window and counts: for most of them at the most, and
 * for none after one
 * for which visit returns anything but NGX_OK.  Returns 1: there are more
 * behind the last; 0: that was all.
 */
ngx_uint_t ngx_http_wassiit_zone_walk(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_uint_t most,
    ngx_int_t (*visit)(ngx_http_wassiit_info_t *info, void *data), void *data);

/*
 * A partner by its id for a thread that changes partners, which is no reader.
 * Returns as ngx_http_wassiit_zone_get() does; NGX_ERROR: another one that
 * changes partners has the mutex, and keeps it.
 */
ngx_int_t ngx_http_wassiit_zone_get_locked(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_info_t *info);

/*
 * Ask for the memory that a look-up of the digest reads: first for its place
 * in the index, and, some time later, for what it most likely leads to.
 */
void ngx_http_wassiit_zone_prefetch(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN]);
void ngx_http_wassiit_zone_prefetch_found(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN]);

/*
 * Looks a key up by its digest.  Returns NGX_OK and fills partner and the
 * NGX_HTTP_WASSIIT_NAMES_LEN bytes at most that partner->names points to,
 * whatever the key's times and the partner's state; NGX_DECLINED: no one has
 * it; NGX_ABORT: this process's zone is one that the configuration has left.
 * hmac, if not NULL, is filled where partner->hmac is set then; the caller
 * wipes it.
 */
ngx_int_t ngx_http_wassiit_zone_find(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN],
    ngx_http_wassiit_partner_t *partner, ngx_wassiit_hmac_key_t *hmac);

/*
 * The former hmac of the partner that zone_find() has filled, in the same turn:
 * it counts beside the other until its time is over.  Returns NGX_OK and fills
 * hmac, which the caller wipes; NGX_DECLINED: at now, Unix seconds, there is
 * none.
 */
ngx_int_t ngx_http_wassiit_zone_former(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, time_t now,
    ngx_wassiit_hmac_key_t *hmac);

/*
 * The keys that webhooks to the partner with this id are signed with at now,
 * Unix seconds, which the caller wipes: the one in force, and the one that is
 * to take its place.  Returns NGX_OK, fills key, and next if *has_next is set
 * to 1; NGX_DECLINED: there is no such partner; NGX_ABORT: it has no webhook
 * secret.
 */
ngx_int_t ngx_http_wassiit_zone_webhook(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, time_t now, ngx_wassiit_hmac_key_t *key,
    ngx_wassiit_hmac_key_t *next, ngx_uint_t *has_next);

/*
 * For a zone with claims.stale: may there be changes of partners that this node
 * doesn't know, as it is cut off for so long?  Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_zone_is_stale(ngx_http_wassiit_zone_t *zone);

/*
 * Tries to admit one request of the partner by its window.  Returns NGX_OK
 * or NGX_DECLINED and fills usage; NGX_ERROR: the partner is gone.
 */
ngx_int_t ngx_http_wassiit_zone_take(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, ngx_wassiit_usage_t *usage);

/* Notes that the partner's key was used at now, Unix seconds; sets asks. */
void ngx_http_wassiit_zone_used(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, time_t now);

/*
 * Adds one to a counter of the partner, if it is still there: counter is less
 * than NGX_HTTP_WASSIIT_COUNTS.
 */
void ngx_http_wassiit_zone_count(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, ngx_uint_t counter);


#endif /* _NGX_HTTP_WASSIIT_ZONE_H_INCLUDED_ */
