
/*
 * A node's part of each partner's limit, where several front doors share it.
 *
 * A partner's limit N in W is divided into caps: a node admits at most its cap
 * in any span W, and the ledger in Redis sees to it that the caps' sum is never
 * above N.  The cap in force is a word of the partner's window.  Each partner
 * has the standing share until a node asks for more, or lends some of it; who
 * does either has an entry here, in memory that all workers share.
 *
 *  1. A cap is raised after the ledger has granted it, and lowered before the
 *     ledger is told.
 *  2. Who raises or lowers a cap, but for a writer who gives a partner another
 *     window, holds the lock of its entry.
 *  3. A call has the number of its entry's last one, and of the session.  An
 *     answer to any other is dropped.
 *  4. What is above the standing share counts until the session ends, by this
 *     node's own clock, which is earlier than it does for the ledger.
 *
 * A process may stop or die between any two instructions: then the ledger
 * counts more for this node than it uses, never less.
 */


#ifndef _NGX_HTTP_WASSIIT_CLAIMS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CLAIMS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_robust.h"
#include "ngx_http_wassiit_memory.h"


/* bytes of names that are shared: a session's, a server's, a position's */
#define NGX_HTTP_WASSIIT_CLAIMS_NAME    64

/* a limit that is divided among so many, at the most */
#define NGX_HTTP_WASSIIT_NODES          1000

/* entries with one lock */
#define NGX_HTTP_WASSIIT_CLAIMS_LOCKS   64


/* what wait=off|small|on says of partners whose standing share is below 10 */

enum {
    NGX_HTTP_WASSIIT_WAIT_OFF = 0,
    NGX_HTTP_WASSIIT_WAIT_SMALL,
    NGX_HTTP_WASSIIT_WAIT_ON
};


/* a node's states, see the table in session.c */

enum {
    NGX_HTTP_WASSIIT_STARTING = 0,
    NGX_HTTP_WASSIIT_ALONE,
    NGX_HTTP_WASSIIT_RESTATING,
    NGX_HTTP_WASSIIT_ACTIVE
};


/*
 * What the status shows.  It lies in memory of its own, as counters go on where
 * the claims' own is made anew for other nodes, another share or SIZE.
 */

typedef struct {
    uint64_t                        claims;     /* calls for a partner */
    uint64_t                        granted;    /* admissions raised */
    uint64_t                        lent;       /* admissions lowered */
    uint64_t                        early;      /* refused while others may
                                                   have had some free; see
                                                   caps_is_early() */
    uint64_t                        parked;     /* that waited */
    uint64_t                        admitted;   /* of these */
    uint64_t                        crowded;    /* found no entry */
    uint64_t                        losses;     /* of the session */
    uint64_t                        errors;     /* answers with an error */
} ngx_http_wassiit_claims_counts_t;


/*
 * What the leader knows, of all workers the one that speaks for the node; it
 * alone writes it, with "lead" locked.  Times are those of
 * ngx_http_wassiit_zone_clock(), or, of the ledger's clock, milliseconds.
 */

typedef struct {
    uint32_t                        state;
    uint32_t                        session;    /* of calls, a number */
    uint32_t                        place;      /* k: 1 and above; or 0 */
    uint32_t                        above;      /* the last k was above nodes:
                                                   no standing share */
    uint32_t                        scanned;    /* the ledger's entries of a
                                                   former life are known */
    uint64_t                        until;      /* the session's end */
    uint64_t                        former;     /* end of a former life; 0 */
    uint64_t                        epoch;
    uint64_t                        stamp;      /* the ledger's time ... */
    uint64_t                        sent;       /* ... asked for at this one */
    uint64_t                        met;        /* last answer, of any kind */
    uint64_t                        behind;     /* entries of the log that
                                                   aren't applied yet */
    uint32_t                        left;       /* lines of others' that
                                                   couldn't be made here */
    uint32_t                        up;         /* the leader has a
                                                   connection */
    uint32_t                        strange;    /* others share otherwise: */
    uint32_t                        other_nodes;
    uint32_t                        other_share;  /* in 1/1000 */
    uint32_t                        caps;       /* that the ledger counts as
                                                   another than the standing
                                                   share: as of a sweep */
    uint32_t                        compared;   /* edits of the zone's file,
                                                   when Redis was asked of all
                                                   partners */
    u_char                          sid[NGX_HTTP_WASSIIT_CLAIMS_NAME];
    u_char                          life[NGX_HTTP_WASSIIT_CLAIMS_NAME];
                                                /* the first session */
    u_char                          run_id[NGX_HTTP_WASSIIT_CLAIMS_NAME];
    u_char                          check[NGX_HTTP_WASSIIT_CLAIMS_NAME];
                                                /* of the seal that it has
                                                   joined by */
    u_char                          cursor[NGX_HTTP_WASSIIT_CLAIMS_NAME];
} ngx_http_wassiit_claims_lead_t;


typedef struct ngx_http_wassiit_claims_sh_s  ngx_http_wassiit_claims_sh_t;


/* of one zone, in one process */

typedef struct {
    ngx_http_wassiit_memory_t      *memory;
    ngx_http_wassiit_claims_sh_t   *sh;         /* NULL: there is no cluster */
    ngx_http_wassiit_memory_t      *counted;    /* that counts are in */
    ngx_http_wassiit_claims_counts_t  *counts;
    uint32_t                        nodes;
    uint32_t                        share;      /* in 1/1000 */
    uint32_t                        wait;
    uint64_t                        stale;      /* microseconds; 0: off */
    unsigned                        cold:1;     /* the standing share counts
                                                   before Redis was met */
    unsigned                        made:1;     /* new, for this
                                                   configuration */
} ngx_http_wassiit_claims_t;


/* nothing bounds a window but its cap */
#define NGX_HTTP_WASSIIT_CLAIMS_ALL     ((uint32_t) -1)


/*
 * Gives claims the memory of a zone of so many bytes: that of former, or what
 * an earlier program has left if inherited is 1, where it is of the same
 * windows, as the caller says, nodes and share; else new memory, and
 * claims->made is 1.  What was counted stays in any case.  Returns NGX_OK, or
 * NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_claims_map(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *name, size_t size, ngx_http_wassiit_claims_t *former,
    ngx_uint_t inherited, ngx_uint_t same, ngx_log_t *log);

/* Takes the memory away from claims that aren't used any more. */
void ngx_http_wassiit_claims_unmap(ngx_http_wassiit_claims_t *claims);

/* floor(limit * share / nodes): what each node has of each partner's limit. */

static ngx_inline uint32_t
ngx_http_wassiit_claims_standing(ngx_http_wassiit_claims_t *claims,
    uint32_t limit)
{
    return (uint64_t) limit * claims->share / 1000 / claims->nodes;
}


/* The same of this node: 0, if its place is one above the number of nodes. */
uint32_t ngx_http_wassiit_claims_own(ngx_http_wassiit_claims_t *claims,
    uint32_t limit);

/*
 * Another configuration's claims, or none, are those of the zone from here on:
 * workers that drain raise and lower no cap any more.
 */
void ngx_http_wassiit_claims_retire(ngx_http_wassiit_claims_t *claims);

/*
 * A worker begins, or ends, to use them.  quit returns 1 if it was the last
 * one, also of another program that shares the memory; never, once one was
 * killed.
 */
void ngx_http_wassiit_claims_join(ngx_http_wassiit_claims_t *claims);
ngx_uint_t ngx_http_wassiit_claims_quit(ngx_http_wassiit_claims_t *claims);

/* The time until which all caps hold as the windows have them. */
uint64_t ngx_http_wassiit_claims_calm(ngx_http_wassiit_claims_t *claims);

/*
 * After that: what bounds the partner's window besides its cap, given its
 * limit, W in seconds and the time now; NGX_HTTP_WASSIIT_CLAIMS_ALL: nothing.
 */
uint32_t ngx_http_wassiit_claims_most(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *id, uint32_t limit, uint32_t seconds, uint64_t now);

/*
 * Does a request of a partner with this limit that finds nothing free wait, as
 * other nodes may have some, and the ledger can be asked?  Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_claims_waits(ngx_http_wassiit_claims_t *claims,
    uint32_t limit, uint64_t now);

/*
 * What no node has of the partner's limit, as far as is known here, given the
 * node's own cap.
 */
uint32_t ngx_http_wassiit_claims_pool(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *id, uint32_t limit, uint32_t cap);

/* Has the partner an entry?  Returns 1 or 0. */
ngx_uint_t ngx_http_wassiit_claims_knows(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *id);

/*
 * Has it one, and the ledger counts another cap for it than the standing share?
 * Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_claims_differs(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *id);

/*
 * Does the ledger count what this node has of the partner, and not the standing
 * share, which another rate changes?  Returns 1; 0: that isn't known.
 */
ngx_uint_t ngx_http_wassiit_claims_told(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *id);

/* What is counted; any process may add to it. */
ngx_http_wassiit_claims_counts_t *ngx_http_wassiit_claims_counts(
    ngx_http_wassiit_claims_t *claims);

/*
 * What the leader knows, for all to read, a word at a time; and its lock.  The
 * names in it are written once "session" has changed: a call with one that
 * isn't whole yet is refused.
 */
ngx_http_wassiit_claims_lead_t *ngx_http_wassiit_claims_lead(
    ngx_http_wassiit_claims_t *claims);
ngx_wassiit_robust_t *ngx_http_wassiit_claims_lock(
    ngx_http_wassiit_claims_t *claims);

/*
 * All changes of partners that Redis had by this time are made here.  Once that
 * is claims->stale ago, or if it never was, partners may have been revoked
 * elsewhere: then is_stale returns 1, else 0.
 */
void ngx_http_wassiit_claims_refresh(ngx_http_wassiit_claims_t *claims,
    uint64_t then);
ngx_uint_t ngx_http_wassiit_claims_is_stale(
    ngx_http_wassiit_claims_t *claims, uint64_t now);

/* Enters a state; sets the time of claims_calm() by it. */
void ngx_http_wassiit_claims_enter(ngx_http_wassiit_claims_t *claims,
    ngx_uint_t state);

/*
 * Sets the session's end, of which only the leader knows more than the clock
 * tells: all that was asked in the session counts until then.
 */
void ngx_http_wassiit_claims_extend(ngx_http_wassiit_claims_t *claims,
    uint64_t until);


/*
 * Goes through the partners that have an entry, from *at on, which is 0 at
 * first, and looks at most entries.  Returns NGX_OK and copies an id, of
 * NGX_HTTP_WASSIIT_ID_LEN bytes at most; NGX_AGAIN: that were so many entries;
 * NGX_DONE: there are no more.
 */
ngx_int_t ngx_http_wassiit_claims_each(ngx_http_wassiit_claims_t *claims,
    uint32_t *at, ngx_uint_t most, ngx_str_t *id);


#endif /* _NGX_HTTP_WASSIIT_CLAIMS_H_INCLUDED_ */
