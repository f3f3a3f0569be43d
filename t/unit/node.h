
/*
 * A node of a cluster without nginx: a zone whose partners have caps, and the
 * ledger's side of it, which is a few numbers here.  The clock is the test's.
 *
 * Of each partner the ledger counts R for the node and another number for all
 * others.  The node is right as long as R is at least its cap and what it has
 * admitted in the last W, whoever is stopped or dies, whatever gets lost.
 */


#ifndef _UNIT_NODE_H_INCLUDED_
#define _UNIT_NODE_H_INCLUDED_


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_caps.h"
#include "ngx_http_wassiit_claims_sh.h"
#include "ngx_http_wassiit_zone_load.h"


#define MEMORY          ((size_t) 96 * 1024)
#define PARTNERS        4
#define NODES           2
#define SHARE           500         /* in 1/1000 */
#define SECOND          ((uint64_t) 1000000)
#define START           (100 * SECOND)
#define LEASE           (30 * SECOND)
#define TIMES           4096        /* admissions that are known */
#define STOPS           4096        /* instructions to be stopped at */


/* what the ledger says of a partner */

typedef struct {
    uint32_t                      limit;    /* N */
    uint32_t                      has;      /* an entry of the node's */
    uint32_t                      r;        /* in it */
    uint32_t                      others;   /* the other nodes have */
    uint64_t                      seq;
    uint32_t                      most;     /* the greatest N in W */
    uint64_t                      changed;  /* when N was another last; or 0 */
} unit_ledger_t;


/* shared with children */

typedef struct {
    uint64_t                      now;
    uint32_t                      session;  /* 0: it is over */
    uint32_t                      hold;     /* nothing is granted */
    unit_ledger_t                 ledger[PARTNERS];
    uint64_t                      times[PARTNERS][TIMES];
    uint32_t                      ntimes[PARTNERS];

    /* a child that is stopped, see caps_steps.c */
    uint32_t                      nstops;
    uint32_t                      stops[STOPS];
    ngx_int_t                     rc;
    ngx_http_wassiit_claim_t      claim;
} unit_node_t;


typedef struct {
    ngx_http_wassiit_record_t     rec;
    ngx_http_wassiit_key_t        key;
    char                          id[8];
} unit_partner_t;


ngx_uint_t                       ngx_pagesize = 4096;

static unit_node_t              *node;
static ngx_http_wassiit_zone_t   zone;
static ngx_http_wassiit_store_t  store_of;
static unit_partner_t            partners[PARTNERS];
static ngx_uint_t                bad;

/* what others do at the next look at the clock, before that is told */
static void                    (*at_clock)(void);


int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    void  (*meanwhile)(void);

    (void) clock;

    ts->tv_sec = node->now / 1000000;
    ts->tv_nsec = node->now % 1000000 * 1000;

    meanwhile = at_clock;
    at_clock = NULL;

    if (meanwhile) {
        meanwhile();
    }

    return 0;
}


/* Who waits for readers waits for nothing: time is ours. */

int
nanosleep(const struct timespec *ts, struct timespec *left)
{
    (void) left;

    node->now += ts->tv_sec * 1000000 + ts->tv_nsec / 1000;

    return 0;
}


static ngx_inline ngx_http_wassiit_claims_lead_t *
unit_node_lead(void)
{
    return ngx_http_wassiit_claims_lead(&zone.claims);
}


static ngx_inline void
unit_node_partner(unit_partner_t *p, ngx_uint_t n, uint32_t limit)
{
    ngx_memzero(p, sizeof(unit_partner_t));

    (void) snprintf(p->id, sizeof(p->id), "p%d", (int) n);

    ngx_wassiit_key_digest((u_char *) p->id, strlen(p->id), p->key.digest);
    p->key.expires = INT64_MAX;
    ngx_str_set(&p->key.id, "k1");

    p->rec.id.data = (u_char *) p->id;
    p->rec.id.len = strlen(p->id);
    ngx_str_set(&p->rec.name, "A partner");
    p->rec.keys = &p->key;
    p->rec.nkeys = 1;
    p->rec.enabled = 1;
    p->rec.scopes = 63;
    p->rec.rate.limit = limit;
    p->rec.rate.seconds = 1;
}


/* Loads the partners into the zone, with a cluster of so many nodes, or 0. */

static ngx_inline void
unit_node_load(ngx_uint_t nodes)
{
    ngx_uint_t  i;

    for (i = 0; i < PARTNERS; i++) {
        partners[i].rec.next = (i + 1 < PARTNERS) ? &partners[i + 1].rec
                                                  : NULL;
    }

    store_of.records = &partners[0].rec;
    store_of.partners = PARTNERS;
    zone.store = &store_of;

    if (nodes && zone.claims.sh == NULL) {
        zone.claims.nodes = nodes;
        zone.claims.share = SHARE;
        zone.claims.cold = 1;

        if (ngx_http_wassiit_claims_map(&zone.claims, &zone.name, zone.size,
                                        NULL, 0, 0, &unit_log)
            != NGX_OK)
        {
            exit(2);
        }
    }

    if (ngx_http_wassiit_zone_check_load(&zone, &unit_log) != NGX_OK) {
        unit_note("%s", unit_logged);
        exit(2);
    }

    ngx_http_wassiit_zone_load(&zone, &unit_log);
    ngx_http_wassiit_zone_divide(&zone);
}


/* The session has begun, or goes on: until LEASE from now, by this clock. */

static ngx_inline void
unit_node_active(void)
{
    node->session = unit_node_lead()->session;

    ngx_http_wassiit_claims_extend(&zone.claims, node->now + LEASE);
    ngx_http_wassiit_claims_enter(&zone.claims, NGX_HTTP_WASSIIT_ACTIVE);
}


/* A node in a session, each partner with its standing share of this limit. */

static ngx_inline void
unit_node_new(uint32_t limit, ngx_uint_t nodes)
{
    ngx_uint_t  i;

    ngx_http_wassiit_claims_unmap(&zone.claims);
    ngx_http_wassiit_zone_unmap(&zone);

    ngx_memzero(node, sizeof(unit_node_t));
    ngx_memzero(&zone, sizeof(ngx_http_wassiit_zone_t));
    ngx_memzero(&store_of, sizeof(ngx_http_wassiit_store_t));
    unit_log_forget();

    node->now = START;

    ngx_str_set(&zone.name, "z");
    ngx_str_set(&zone.file, "f");
    zone.rate.limit = limit;
    zone.rate.seconds = 1;
    zone.size = MEMORY;

    for (i = 0; i < PARTNERS; i++) {
        unit_node_partner(&partners[i], i, limit);
        node->ledger[i].limit = limit;
        node->ledger[i].most = limit;
        node->ledger[i].others = (uint64_t) limit * SHARE / 1000 / NODES;
    }

    if (ngx_http_wassiit_zone_map(&zone, NULL, 0, &unit_log) != NGX_OK) {
        exit(2);
    }

    unit_node_load(nodes);

    if (nodes) {
        unit_node_lead()->place = 1;
        unit_node_active();
    }
}


static ngx_inline ngx_int_t
unit_node_apply(unit_partner_t *p)
{
    ngx_int_t                   rc;
    ngx_http_wassiit_info_t     info;
    ngx_http_wassiit_journal_t  journal;

    rc = ngx_http_wassiit_zone_known(&zone, &journal);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_zone_room(&zone, &p->rec);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_zone_apply(&zone, &p->rec, &info, &unit_log);
    }

    return rc;
}


/* The place of the partner's window; 0: there is no such partner. */

static ngx_inline uint32_t
unit_node_line(ngx_uint_t i)
{
    uint32_t                     place;
    ngx_wassiit_probe_t          probe;
    ngx_http_wassiit_profile_t  *profile;

    place = ngx_http_wassiit_zone_lookup_id(zone.sh, partners[i].rec.id.data,
                                            partners[i].rec.id.len, &probe);
    if (place == 0) {
        return 0;
    }

    profile = ngx_http_wassiit_zone_at(zone.sh, place);

    return profile->partner;
}


static ngx_inline uint32_t
unit_node_cap(ngx_uint_t i)
{
    uint32_t  line;

    line = unit_node_line(i);

    return line ? ngx_wassiit_window_cap((u_char *) zone.sh, line) : 0;
}


static ngx_inline ngx_http_wassiit_entry_t *
unit_node_entry(ngx_uint_t i)
{
    uint64_t                        whose;
    ngx_http_wassiit_claims_set_t  *set;

    set = ngx_http_wassiit_claims_set(zone.claims.sh, &partners[i].rec.id,
                                      &whose);

    return ngx_http_wassiit_claims_find(set, &partners[i].rec.id, whose);
}


/* a request: what becomes of it */

static ngx_inline ngx_int_t
unit_node_take(ngx_uint_t i)
{
    ngx_int_t                   rc;
    ngx_wassiit_usage_t         usage;
    ngx_http_wassiit_partner_t  found;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    found.names = names;
    rc = ngx_http_wassiit_zone_find(&zone, partners[i].key.digest, &found,
                                    NULL);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_zone_take(&zone, &found, &usage);
    }

    ngx_http_wassiit_zone_unpin(&zone);

    if (rc == NGX_OK) {
        node->times[i][node->ntimes[i]++ % TIMES] = node->now;
    }

    return rc;
}


/* So many requests.  Returns how many were admitted. */

static ngx_inline uint32_t
unit_node_takes(ngx_uint_t i, uint32_t n)
{
    uint32_t  admitted;

    for (admitted = 0; n; n--) {
        admitted += (unit_node_take(i) == NGX_OK);
    }

    return admitted;
}


/* admitted by the node in the last W */

static ngx_inline uint32_t
unit_node_used(ngx_uint_t i)
{
    uint32_t  n, used;

    used = 0;

    for (n = 0; n < node->ntimes[i] && n < TIMES; n++) {
        used += (node->times[i][n] + SECOND > node->now);
    }

    return used;
}


static ngx_inline uint32_t
unit_ledger_standing(ngx_uint_t i)
{
    return (uint64_t) node->ledger[i].limit * SHARE / 1000 / NODES;
}


/* what the ledger counts for the node */

static ngx_inline uint32_t
unit_ledger_r(ngx_uint_t i)
{
    return node->ledger[i].has ? node->ledger[i].r : unit_ledger_standing(i);
}


static ngx_inline uint32_t
unit_ledger_pool(ngx_uint_t i)
{
    uint32_t  given;

    given = unit_ledger_r(i) + node->ledger[i].others;

    return node->ledger[i].limit > given ? node->ledger[i].limit - given : 0;
}


/* "adjust": returns the cap; -1, -2: nothing was done; -3: LOST */

static ngx_inline int64_t
unit_ledger_adjust(ngx_uint_t i, ngx_http_wassiit_claim_t *claim)
{
    uint32_t        more;
    unit_ledger_t  *l;

    l = &node->ledger[i];

    if (claim->session != node->session) {
        return -3;
    }

    if (claim->seq <= l->seq) {
        return -1;
    }

    if (claim->limit != l->limit) {
        return -2;
    }

    l->has = 1;
    l->r = claim->cap;
    l->seq = claim->seq;

    if (claim->want > l->r && !node->hold) {
        more = claim->want - l->r;
        more = ngx_min(more, unit_ledger_pool(i));
        l->r += more;
    }

    return l->r;
}


static ngx_inline void
unit_ledger_restate(ngx_uint_t i, ngx_http_wassiit_claim_t *claim)
{
    unit_ledger_t  *l;

    l = &node->ledger[i];

    if (claim->seq > l->seq) {
        l->has = 1;
        l->r = claim->cap;
        l->seq = claim->seq;
    }
}


/* What the leader does: all entries anew.  Returns NGX_OK, or NGX_BUSY. */

static ngx_inline ngx_int_t
unit_node_restate(ngx_uint_t has)
{
    uint32_t                  at;
    ngx_int_t                 rc;
    ngx_str_t                 id;
    ngx_http_wassiit_claim_t  claim;
    u_char                    text[NGX_HTTP_WASSIIT_ID_LEN];

    at = 0;
    id.data = text;

    for ( ;; ) {
        rc = ngx_http_wassiit_claims_each(&zone.claims, &at, 100, &id);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc == NGX_AGAIN) {
            continue;
        }

        rc = ngx_http_wassiit_caps_restate(&zone, &id, has, &claim);
        ngx_http_wassiit_zone_unpin(&zone);

        if (rc == NGX_BUSY) {
            return NGX_BUSY;
        }

        if (rc == NGX_OK && text[0] == 'p') {
            unit_ledger_restate(text[1] - '0', &claim);
        }
    }
}


static ngx_inline ngx_int_t
unit_node_begin(ngx_uint_t i, ngx_http_wassiit_caps_why_e why,
    ngx_http_wassiit_claim_t *claim)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_caps_begin(&zone, &partners[i].rec.id, why, claim);
    ngx_http_wassiit_zone_unpin(&zone);

    return rc;
}


static ngx_inline ngx_int_t
unit_node_end(ngx_uint_t i, ngx_http_wassiit_claim_t *claim, int64_t cap)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_caps_end(&zone, &partners[i].rec.id, claim, cap, 0,
                                   0);
    ngx_http_wassiit_zone_unpin(&zone);

    return rc;
}


/* A call and its answer, at once.  Returns what begin does. */

static ngx_inline ngx_int_t
unit_node_call(ngx_uint_t i, ngx_http_wassiit_caps_why_e why)
{
    ngx_int_t                 rc;
    ngx_http_wassiit_claim_t  claim;

    rc = unit_node_begin(i, why, &claim);

    if (rc == NGX_OK) {
        (void) unit_node_end(i, &claim, unit_ledger_adjust(i, &claim));
    }

    return rc;
}


/*
 * Is all as it must be?  What the ledger counts is no less than the cap, if the
 * session lasts, and than what was used; that is counted by the greater limit
 * if it was another in the last W.
 */

static ngx_inline ngx_uint_t
unit_node_holds(const char *after)
{
    uint32_t        cap, most, used, r;
    ngx_uint_t      i, good;
    unit_ledger_t  *l;

    good = 1;

    for (i = 0; i < PARTNERS; i++) {
        l = &node->ledger[i];

        if (l->changed && node->now - l->changed > SECOND) {
            /* the others have heard of it, too */
            r = unit_ledger_r(i);
            l->others = ngx_min(l->others, l->limit - ngx_min(r, l->limit));
            l->changed = 0;
            l->most = l->limit;
        }

        cap = unit_node_cap(i);

        if (node->now >= ngx_http_wassiit_claims_calm(&zone.claims)) {
            most = ngx_http_wassiit_claims_most(&zone.claims,
                                                &partners[i].rec.id,
                                                partners[i].rec.rate.limit, 1,
                                                node->now);
            cap = ngx_min(cap, most);
        }

        used = unit_node_used(i);
        r = unit_ledger_r(i);

        if (cap > r
            || (l->changed ? used + l->others > l->most : used > r))
        {
            good = 0;

            if (bad++ < 5) {
                unit_note("after %s: p%d, N %d, most %d: cap %d, used %d, "
                          "the ledger counts %d, for others %d", after,
                          (int) i, (int) l->limit, (int) l->most,
                          (int) cap, (int) used, (int) r, (int) l->others);
            }
        }
    }

    return good;
}


/* Changes a partner's limit, in the ledger's sight and here. */

static ngx_inline ngx_int_t
unit_node_limit(ngx_uint_t i, uint32_t limit)
{
    ngx_int_t       rc;
    uint32_t        was;
    unit_ledger_t  *l;

    (void) unit_node_holds("a while");

    l = &node->ledger[i];
    was = partners[i].rec.rate.limit;

    if (limit > l->limit) {
        l->limit = limit;
    }

    partners[i].rec.rate.limit = limit;
    rc = unit_node_apply(&partners[i]);

    if (rc != NGX_OK) {
        partners[i].rec.rate.limit = was;
        limit = was;
    }

    l->limit = limit;
    was = ngx_max(was, limit);
    l->most = (l->changed && l->most > was) ? l->most : was;
    l->changed = node->now;

    return rc;
}


#endif /* _UNIT_NODE_H_INCLUDED_ */
