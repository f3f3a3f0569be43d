
/*
 * How a node's caps rise and fall: what it asks the ledger for, what it lends,
 * and what it makes of answers.  All of it is in a worker's own time, never in
 * a request's way.
 */


#ifndef _NGX_HTTP_WASSIIT_CAPS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CAPS_H_INCLUDED_


#include "ngx_http_wassiit_claims.h"
#include "ngx_http_wassiit_zone.h"


/* why a partner's cap is looked at */

typedef enum {
    NGX_HTTP_WASSIIT_CAPS_LOW = 0,    /* a request has left little free */
    NGX_HTTP_WASSIIT_CAPS_SHORT,      /* one found nothing free */
    NGX_HTTP_WASSIIT_CAPS_NEED,       /* another node is short */
    NGX_HTTP_WASSIIT_CAPS_FREE,       /* another node has given some back */
    NGX_HTTP_WASSIIT_CAPS_SWEEP,      /* its turn has come */
    NGX_HTTP_WASSIIT_CAPS_PARKED      /* requests wait for more */
} ngx_http_wassiit_caps_why_e;


/* what is asked of the ledger for one partner, as "adjust" takes it */

typedef struct {
    uint32_t                        limit;      /* N */
    uint32_t                        seconds;    /* W */
    uint64_t                        rev;        /* of the partner */
    uint32_t                        cap;        /* in force */
    uint32_t                        want;
    uint64_t                        seq;
    uint32_t                        busy;       /* ms that it has none free */
    uint32_t                        session;
} ngx_http_wassiit_claim_t;


/*
 * The functions that look at a partner's window are readers of the zone; see
 * ngx_http_wassiit_zone_join().
 */

/*
 * Looks at a partner's cap: claims more, lends what it doesn't use, or lets it
 * be.  Returns NGX_OK: claim is filled, and the ledger is to be asked; else
 * NGX_DECLINED: nothing is to be done; NGX_ABORT: nobody has anything to give;
 * NGX_BUSY: another process asks for it.
 */
ngx_int_t ngx_http_wassiit_caps_begin(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_caps_why_e why,
    ngx_http_wassiit_claim_t *claim);

/*
 * The ledger's answer to it: the cap that it counts, or -1; what it has left,
 * and for how many ms nobody has anything.  Raises the cap in force.  Returns
 * NGX_OK, or NGX_DECLINED: the answer is of an earlier call, or no cap.
 */
ngx_int_t ngx_http_wassiit_caps_end(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_claim_t *claim, int64_t cap,
    uint32_t pool, uint32_t full);

/*
 * A request of the partner, which has this limit, found nothing free: may
 * other nodes have had some?  Returns 0: all of it is here, or the ledger says
 * that nobody has any; else 1.  The partner is as ngx_http_wassiit_zone_take()
 * has left it.
 */
ngx_uint_t ngx_http_wassiit_caps_is_early(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, uint32_t limit);

/*
 * The ledger has an entry of the partner from a former life of this node: what
 * it counts for this one is claimed in the partner's turn, and the node has
 * none until then, also if the partner comes later.  Returns NGX_OK; NGX_BUSY:
 * it has to be noted again, as another process changes the partner, or is
 * stopped.
 */
ngx_int_t ngx_http_wassiit_caps_note(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id);

/* No answer came, and none will. */
void ngx_http_wassiit_caps_drop(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_claim_t *claim);

/* what a node has of a partner when it tells the ledger */

enum {
    NGX_HTTP_WASSIIT_CAPS_KEPT = 0,   /* what it had */
    NGX_HTTP_WASSIIT_CAPS_SHARED,     /* its standing share at most */
    NGX_HTTP_WASSIIT_CAPS_USED        /* nothing but what is in use */
};

/*
 * For the leader, once it has changed the session: fills claim with what the
 * node has of a partner from now on, one of the above, or what is in use if
 * that is more.  Returns NGX_OK; NGX_DECLINED: there is no such partner;
 * NGX_BUSY: a process is stopped that has its lock.
 */
ngx_int_t ngx_http_wassiit_caps_restate(
    ngx_http_wassiit_zone_t *zone, ngx_str_t *id, ngx_uint_t has,
    ngx_http_wassiit_claim_t *claim);

/*
 * The cap of a new window: nothing that another node may have been given.  It
 * is the former one's, if the ledger counts that, also above the new standing
 * share: it may be in use, and the ledger is told a lower one only when it
 * isn't.
 */
uint32_t ngx_http_wassiit_caps_first(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, const ngx_wassiit_rate_t *rate, uint32_t from);

/*
 * Bounds the cap of a profile that is put in force in place of a former one,
 * or of none if that is 0: the cap of the former window may have been lowered
 * since the new one was laid out; or an entry may have come, if there was none.
 * Who does either from now on sees that a new one is coming.
 */
void ngx_http_wassiit_caps_bound(ngx_http_wassiit_zone_t *zone,
    uint32_t profile, uint32_t former);


#endif /* _NGX_HTTP_WASSIIT_CAPS_H_INCLUDED_ */
