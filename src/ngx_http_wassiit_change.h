
/*
 * A change of one partner, from what is asked for to the line in the file and
 * the state in the zone.
 */


#ifndef _NGX_HTTP_WASSIIT_CHANGE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CHANGE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>

#include "ngx_http_wassiit_zone.h"


typedef enum {
    NGX_HTTP_WASSIIT_CHANGE_CREATE = 0,
    NGX_HTTP_WASSIIT_CHANGE_PATCH,
    NGX_HTTP_WASSIIT_CHANGE_DELETE,
    NGX_HTTP_WASSIIT_CHANGE_ADD_KEY,
    NGX_HTTP_WASSIIT_CHANGE_ROTATE,
    NGX_HTTP_WASSIIT_CHANGE_REVOKE,
    NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET,
    NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET,
    NGX_HTTP_WASSIIT_CHANGE_COMPACT,        /* of no partner: the file */
    NGX_HTTP_WASSIIT_CHANGE_NONE,           /* a request that makes none */
    NGX_HTTP_WASSIIT_CHANGE_FOLLOW          /* another node's, see a draft */
} ngx_http_wassiit_change_e;


#define NGX_HTTP_WASSIIT_CHANGES    (NGX_HTTP_WASSIIT_CHANGE_COMPACT + 1)

/* one word for each, by ngx_http_wassiit_change_e */
extern const ngx_str_t
    ngx_http_wassiit_change_names[NGX_HTTP_WASSIIT_CHANGES];


/*
 * What came of it.  Nothing has changed but with the first, and where it says
 * so; yet in a file that was changed by hand, what it says of the partner may
 * be in force by now.
 */

typedef enum {
    NGX_HTTP_WASSIIT_CHANGED = 0,
    NGX_HTTP_WASSIIT_CHANGE_BUSY,           /* the file is locked: try again */
    NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER,
    NGX_HTTP_WASSIIT_CHANGE_NO_KEY,
    NGX_HTTP_WASSIIT_CHANGE_TAKEN,          /* the id */
    NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS,
    NGX_HTTP_WASSIIT_CHANGE_MISMATCH,       /* its tag isn't one of match's */
    NGX_HTTP_WASSIIT_CHANGE_BAD_LINE,       /* by hand, the partner's */
    NGX_HTTP_WASSIIT_CHANGE_ZONE_FULL,
    NGX_HTTP_WASSIIT_CHANGE_ZONE_HELD,      /* full, while one is stopped */
    NGX_HTTP_WASSIIT_CHANGE_NO_DISK,
    NGX_HTTP_WASSIIT_CHANGE_NO_FD,          /* descriptors are used up */
    NGX_HTTP_WASSIIT_CHANGE_NO_THREAD,      /* to make it in: try again */
    NGX_HTTP_WASSIIT_CHANGE_LEFT,           /* a newer configuration serves */
    NGX_HTTP_WASSIIT_CHANGE_NOT_DUE,        /* a compaction: not, or not yet */

    /* of a change that is ordered first, see job.h */
    NGX_HTTP_WASSIIT_CHANGE_AWAY,           /* it can't be ordered now */
    NGX_HTTP_WASSIIT_CHANGE_RIVALS,         /* others were always faster */
    NGX_HTTP_WASSIIT_CHANGE_UNSURE,         /* nobody can tell: but for this, */
    NGX_HTTP_WASSIIT_CHANGE_ELSEWHERE,      /* and this: it is made, not here */
    NGX_HTTP_WASSIIT_CHANGE_LOST,           /* what deleted the partner was */

    NGX_HTTP_WASSIIT_CHANGE_FAILED          /* memory, or the generator */
} ngx_http_wassiit_changed_e;


/* Is that what the partner, or who asked, is the cause of? */

static ngx_inline ngx_uint_t
ngx_http_wassiit_change_refused(ngx_http_wassiit_changed_e changed)
{
    return changed >= NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER
           && changed <= NGX_HTTP_WASSIIT_CHANGE_BAD_LINE;
}


/* the longest secret or key that is made */
#define NGX_HTTP_WASSIIT_MADE_LEN   48

/* the id of a key that is made: "k" and 8 hex digits of its SHA-256 */
#define NGX_HTTP_WASSIIT_MADE_ID    9


/*
 * A partner's line with its rev.  In a cluster a change is made in two steps:
 * the line is drafted; then, when all nodes take it as the next of its partner,
 * it is put into the file and in force on each of them.
 */

typedef struct {
    unsigned                      ordered:1;  /* by now: it is to be applied */
    unsigned                      theirs:1; /* another node has made it */
    unsigned                      anew:1;   /* a PATCH of nothing: the partner
                                               as it is, as a change */
    unsigned                      newest:1; /* they have no newer one */
    uint64_t                      rev;      /* 0: nothing was to be changed */
    size_t                        len;      /* of text, which has no LF; the
                                               caller wipes it */
    u_char                        text[NGX_HTTP_WASSIIT_LINE];
} ngx_http_wassiit_draft_t;


typedef struct {
    ngx_http_wassiit_change_e     what;
    ngx_http_wassiit_zone_t      *zone;
    const ngx_wassiit_scopes_t   *scopes;
    ngx_str_t                     id;       /* the partner's */
    ngx_str_t                     key_id;   /* to revoke */
    json_t                       *fields;   /* of CREATE and PATCH, checked */
    time_t                        now;      /* Unix seconds */
    time_t                        grace;    /* of ROTATE and the secrets,
                                               seconds; 0: at once */
    ngx_str_t                     match;    /* of If-Match; len 0: none */
    ngx_http_wassiit_draft_t     *draft;    /* NULL: it is made at once */

    ngx_http_wassiit_info_t       info;     /* the partner, unless deleted */
    ngx_str_t                     made;     /* a key or a secret, to wipe */
    u_char                        made_data[NGX_HTTP_WASSIIT_MADE_LEN];
    u_char                        made_id[NGX_HTTP_WASSIIT_MADE_ID];
    ngx_uint_t                    compact;  /* the file is due to be */
} ngx_http_wassiit_change_t;


/*
 * Makes the change: when it returns NGX_HTTP_WASSIIT_CHANGED, it is on the
 * disk and in force in all processes that share the zone.  It writes to disk
 * and waits for it, so it may run in a thread, one of a process at a time.
 * What fails is logged; nothing secret is.
 *
 * With a draft that isn't ordered, nothing is made, but the draft: a line that
 * there is room for, whose rev is one above the partner's; or its rev is set to
 * 0, if the partner is as it should be.  With one that is ordered, its line is
 * made the partner's, whatever else is asked for, unless the partner's rev is
 * that of the draft or above, and then all is left as it is.
 * CHANGE_LOST: by that rev it was deleted here, and the draft is the newest
 * that others have: it is now one that deletes the partner as the next change.
 */
ngx_http_wassiit_changed_e ngx_http_wassiit_change(
    ngx_http_wassiit_change_t *change, ngx_log_t *log);

/*
 * Is a writer adding a line to the file or putting another file in its place,
 * or has died in it?  Then the next change, or a CHANGE_COMPACT, brings to its
 * end what is left.  Takes no lock.
 */
ngx_uint_t ngx_http_wassiit_change_left(ngx_http_wassiit_zone_t *zone);

/*
 * Returns a number that changes whenever a change goes on in any process: as
 * long as it stays what it was, whoever makes one is stuck.  Takes no lock.
 */
static ngx_inline uint64_t
ngx_http_wassiit_change_told(ngx_http_wassiit_zone_t *zone)
{
    return ngx_wassiit_load_acquire(
                              &ngx_http_wassiit_zone_journals(zone)->version);
}


#endif /* _NGX_HTTP_WASSIIT_CHANGE_H_INCLUDED_ */
