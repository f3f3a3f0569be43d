
#include "ngx_http_wassiit_caps.h"
#include "ngx_http_wassiit_claims_sh.h"
#include "ngx_http_wassiit_zone_sh.h"


/* times in microseconds */
#define SECOND                  ((uint64_t) 1000000)
#define MS                      ((uint64_t) 1000)

/* a call that wasn't answered by then won't be */
#define CAPS_LOST             (2 * SECOND)

/* how long one that got nothing waits: doubled from the first to the second */
#define CAPS_PAUSE            (50 * MS)
#define CAPS_PAUSE_MOST       (1 * SECOND)
#define CAPS_PAUSE_WAIT       (5 * MS)    /* where requests wait for it */
#define CAPS_PAUSE_WAIT_MOST  (250 * MS)

/* who was asked for, and has lent all that it may, isn't asked again for ms */
#define CAPS_BUSY             100
#define CAPS_BUSY_WAIT        20

/* a partner that hasn't asked for so long lends all */
#define CAPS_QUIET            (SECOND / 2)

/*
 * An entry stays so long, though its partner has the standing share again: a
 * server that takes over may not have heard of that yet.
 */
#define CAPS_IDLE             (20 * 60 * SECOND)

/* looks at a window that others take the place of, and then it is left */
#define CAPS_TRIES            100

/* how long to wait for a lock, in ms */
#define CAPS_PATIENCE         5
#define CAPS_MOMENT           1


/* a partner's window, and how its cap stands */

typedef struct {
    uint32_t                        line;       /* its place */
    uint32_t                        limit;
    uint32_t                        seconds;
    uint32_t                        standing;
    uint32_t                        cap;        /* in force */
    uint32_t                        used;
    uint32_t                        free;
    uint64_t                        reset;      /* microseconds */
    uint64_t                        rev;
    ngx_uint_t                      wait;
} ngx_http_wassiit_part_t;


static ngx_wassiit_robust_t *ngx_http_wassiit_caps_open(
    ngx_http_wassiit_zone_t *zone, ngx_str_t *id, ngx_uint_t patience,
    uint64_t *now, ngx_http_wassiit_entry_t **entry);
static ngx_int_t ngx_http_wassiit_caps_want(ngx_http_wassiit_entry_t *entry,
    ngx_http_wassiit_part_t *part, uint64_t now, uint32_t *want);
static ngx_int_t ngx_http_wassiit_caps_lend(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_entry_t *entry, uint64_t now,
    ngx_http_wassiit_part_t *part, uint32_t *busy);
static ngx_int_t ngx_http_wassiit_caps_sweep(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_entry_t *entry, uint64_t now,
    ngx_http_wassiit_part_t *part, uint32_t *want);
static void ngx_http_wassiit_caps_fill(ngx_http_wassiit_claims_sh_t *sh,
    ngx_http_wassiit_entry_t *entry, ngx_http_wassiit_part_t *part,
    ngx_http_wassiit_claim_t *claim);
static ngx_int_t ngx_http_wassiit_caps_look(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, uint64_t now, ngx_http_wassiit_part_t *part);
static ngx_int_t ngx_http_wassiit_caps_lower(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, uint32_t cap, uint64_t now, ngx_http_wassiit_part_t *part);
static ngx_int_t ngx_http_wassiit_caps_lies(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, uint32_t line);
static ngx_uint_t ngx_http_wassiit_caps_is_bare(
    ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_caps_make(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, uint64_t now, ngx_http_wassiit_part_t *part,
    ngx_http_wassiit_entry_t **made);


ngx_int_t
ngx_http_wassiit_caps_begin(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_caps_why_e why, ngx_http_wassiit_claim_t *claim)
{
    uint32_t                       want, busy;
    uint64_t                       now;
    ngx_int_t                      rc;
    ngx_wassiit_robust_t          *lock;
    ngx_http_wassiit_part_t        part;
    ngx_http_wassiit_entry_t      *entry;
    ngx_http_wassiit_claims_sh_t  *sh;

    sh = zone->claims.sh;

    if (load(&sh->lead.state) != NGX_HTTP_WASSIIT_ACTIVE
        || !ngx_http_wassiit_zone_is_divided(zone)
        || ngx_http_wassiit_zone_clock() >= load(&sh->lead.until))
    {
        return NGX_DECLINED;
    }

    lock = ngx_http_wassiit_caps_open(zone, id, 0, &now, &entry);
    if (lock == NULL) {
        return NGX_BUSY;
    }

    rc = NGX_DECLINED;

    /* before the window, so that an answer to it is dropped if it changes */
    claim->session = load(&sh->lead.session);

    if (ngx_http_wassiit_caps_look(zone, id, now, &part) != NGX_OK) {
        goto done;
    }

    if (entry == NULL && why != NGX_HTTP_WASSIIT_CAPS_SWEEP
        && why != NGX_HTTP_WASSIIT_CAPS_FREE)
    {
        (void) ngx_http_wassiit_caps_make(zone, id, now, &part, &entry);
    }

    if (entry == NULL) {
        goto done;
    }

    if (why == NGX_HTTP_WASSIIT_CAPS_SHORT) {
        entry->ahead = ngx_min(entry->ahead * 2, part.limit);
    }

    if (why <= NGX_HTTP_WASSIIT_CAPS_SHORT) {
        entry->tries++;
        entry->seen = now;
    }

    if (entry->asked && now - entry->asked < CAPS_LOST) {
        if (why == NGX_HTTP_WASSIIT_CAPS_NEED) {
            entry->flags |= CLAIMS_NEEDED;
        }

        rc = NGX_BUSY;
        goto done;
    }

    if (entry->flags & CLAIMS_NEEDED) {
        why = NGX_HTTP_WASSIIT_CAPS_NEED;
    }

    want = 0;
    busy = (part.free == 0) ? part.reset / MS : 0;

    switch (why) {

    case NGX_HTTP_WASSIIT_CAPS_NEED:
        entry->flags &= ~CLAIMS_NEEDED;
        rc = ngx_http_wassiit_caps_lend(zone, id, entry, now, &part, &busy);
        want = part.cap;
        break;

    case NGX_HTTP_WASSIIT_CAPS_SWEEP:
        rc = ngx_http_wassiit_caps_sweep(zone, id, entry, now, &part, &want);
        break;

    case NGX_HTTP_WASSIIT_CAPS_FREE:
        entry->pause = 0;

        if (now - entry->seen > SECOND) {
            break;
        }

        /* fall through */

    default:
        rc = ngx_http_wassiit_caps_want(entry, &part, now, &want);
    }

    if (rc == NGX_OK) {
        (void) ngx_wassiit_add(&zone->claims.counts->claims, 1);

        claim->want = want;
        claim->busy = busy;
        entry->asked = now;
        ngx_http_wassiit_caps_fill(sh, entry, &part, claim);
    }

done:

    ngx_wassiit_robust_unlock(lock);

    return rc;
}


/*
 * Locks the partner's entry, sets *entry to it, or to NULL if there is none,
 * and *now: no time in it is later.  Returns the lock; NULL: another process
 * has it for longer than that, in ms, or none is to change these caps any more.
 */

static ngx_wassiit_robust_t *
ngx_http_wassiit_caps_open(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_uint_t patience, uint64_t *now, ngx_http_wassiit_entry_t **entry)
{
    uint64_t                        whose;
    ngx_wassiit_robust_t           *lock;
    ngx_http_wassiit_claims_set_t  *set;

    set = ngx_http_wassiit_claims_set(zone->claims.sh, id, &whose);
    lock = ngx_http_wassiit_claims_take_lock(zone->claims.sh, set, patience);

    if (lock) {
        *now = ngx_http_wassiit_zone_clock();
        *entry = ngx_http_wassiit_claims_find(set, id, whose);
    }

    return lock;
}


/* Is there reason to ask for more?  Then *want is set. */

static ngx_int_t
ngx_http_wassiit_caps_want(ngx_http_wassiit_entry_t *entry,
    ngx_http_wassiit_part_t *part, uint64_t now, uint32_t *want)
{
    if (now < entry->pause) {
        return (entry->flags & CLAIMS_FULL) ? NGX_ABORT : NGX_DECLINED;
    }

    if (part->free >= (entry->ahead + 1) / 2) {
        return NGX_DECLINED;
    }

    *want = ngx_min(part->limit, part->used + entry->ahead);

    return (*want > part->cap) ? NGX_OK : NGX_DECLINED;
}


/* Gives what isn't needed here, or says for how long there is nothing. */

static ngx_int_t
ngx_http_wassiit_caps_lend(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_entry_t *entry, uint64_t now,
    ngx_http_wassiit_part_t *part, uint32_t *busy)
{
    uint32_t  keep;

    keep = 0;

    if (!part->wait && now - entry->seen <= CAPS_QUIET) {
        /* half of what was tried lately, and of what is used in a second */
        keep = (entry->tries + part->used / part->seconds + 1) / 2;
        keep = ngx_min(keep, part->free);
    }

    if (part->free > keep
        && ngx_http_wassiit_caps_lower(zone, id,
                                       part->cap - (part->free - keep), now,
                                       part)
           != NGX_OK)
    {
        return NGX_BUSY;
    }

    *busy = (part->free == 0) ? part->reset / MS
                              : part->wait ? CAPS_BUSY_WAIT : CAPS_BUSY;
    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_caps_sweep(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_entry_t *entry, uint64_t now,
    ngx_http_wassiit_part_t *part, uint32_t *want)
{
    uint32_t  to;
    uint64_t  quiet, span;

    span = part->seconds * SECOND;
    quiet = now - entry->seen;

    if (entry->tries == 0 && entry->ahead > 2) {
        entry->ahead /= 2;
    }

    entry->tries /= 2;

    if (part->cap > part->standing && part->free) {
        to = part->cap;

        if (quiet > ngx_max(2 * SECOND, span / 2)) {
            to = part->cap - part->free;

        } else if (part->free > 2 * entry->ahead + 4) {
            to = part->cap - part->free + entry->ahead;
        }

        to = ngx_max(to, part->standing);

        if (to < part->cap) {
            if (ngx_http_wassiit_caps_lower(zone, id, to, now, part)
                != NGX_OK)
            {
                return NGX_BUSY;
            }

            *want = part->cap;
            return NGX_OK;
        }
    }

    if ((entry->flags & CLAIMS_LESS)
        || ((entry->flags & CLAIMS_TOLD) && entry->limit != part->limit))
    {
        /* what is given back, and whether the new limit allows what there is */
        *want = part->cap;
        return NGX_OK;
    }

    /* what was lent of a share that nobody has used here stays lent */

    if (entry->seen == 0 || quiet <= span || now < entry->pause
        || ((entry->flags & CLAIMS_STANDING) && part->cap == part->standing))
    {
        return NGX_DECLINED;
    }

    /* at the standing share the entry may go, once the ledger agrees */

    *want = ngx_max(part->standing, part->cap);

    return NGX_OK;
}


static void
ngx_http_wassiit_caps_fill(ngx_http_wassiit_claims_sh_t *sh,
    ngx_http_wassiit_entry_t *entry, ngx_http_wassiit_part_t *part,
    ngx_http_wassiit_claim_t *claim)
{
    claim->limit = part->limit;
    claim->seconds = part->seconds;
    claim->rev = part->rev;
    claim->cap = part->cap;
    claim->seq = ngx_wassiit_add(&sh->seq, 1) + 1;

    entry->flags &= ~(CLAIMS_STANDING|CLAIMS_LESS);
    entry->limit = part->limit;
    entry->seq = claim->seq;
}


ngx_int_t
ngx_http_wassiit_caps_end(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_claim_t *claim, int64_t cap, uint32_t pool,
    uint32_t full)
{
    uint32_t                   left;
    uint64_t                   now, least, most;
    ngx_int_t                  rc;
    ngx_wassiit_robust_t      *lock;
    ngx_http_wassiit_part_t    part;
    ngx_http_wassiit_entry_t  *entry;

    lock = ngx_http_wassiit_caps_open(zone, id, CAPS_MOMENT, &now, &entry);
    if (lock == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    if (entry == NULL || entry->seq != claim->seq
        || claim->session != load(&zone->claims.sh->lead.session))
    {
        goto done;
    }

    entry->asked = 0;

    if (cap >= 0) {
        store(&entry->flags, entry->flags | CLAIMS_TOLD);
    }

    if (cap < 0
        || ngx_http_wassiit_caps_look(zone, id, now, &part) != NGX_OK
        || part.limit != claim->limit || part.seconds != claim->seconds)
    {
        goto done;
    }

    rc = NGX_OK;
    entry->pool = pool;
    entry->flags &= ~CLAIMS_FULL;

    if (cap > (int64_t) part.cap) {
        cap = ngx_min(cap, (int64_t) part.limit);

        ngx_wassiit_window_raise((u_char *) zone->sh, part.line, cap);
        (void) ngx_wassiit_add(&zone->claims.counts->granted, cap - part.cap);

    } else if (cap < (int64_t) part.cap) {
        /*
         * The limit was lowered, and this part of what is too much is ours:
         * what leaves the window must not come again.
         */
        left = ngx_wassiit_window_sink((u_char *) zone->sh, part.line, cap,
                                       now);
        (void) ngx_wassiit_add(&zone->claims.counts->lent, part.cap - left);
        part.cap = left;
        entry->flags |= CLAIMS_LESS;

    } else {
        /* where it was so, that is over */
        ngx_wassiit_window_raise((u_char *) zone->sh, part.line, cap);
    }

    if (cap == (int64_t) part.standing && !(entry->flags & CLAIMS_LESS)) {
        store(&entry->flags,
              (entry->flags | CLAIMS_STANDING) & ~CLAIMS_TOLD);
        entry->stood = now / SECOND;
    }

    if (cap > (int64_t) claim->cap || cap >= (int64_t) claim->want) {
        entry->pause = 0;
        entry->backoff = 0;

    } else if (full) {
        entry->pause = now + ngx_min(full * MS, CAPS_PAUSE_MOST);
        entry->backoff = 0;
        entry->flags |= CLAIMS_FULL;

    } else {
        most = part.wait ? CAPS_PAUSE_WAIT_MOST : CAPS_PAUSE_MOST;
        least = part.wait ? CAPS_PAUSE_WAIT : CAPS_PAUSE;

        entry->backoff = ngx_max(2 * (uint64_t) entry->backoff, least);
        entry->backoff = ngx_min(entry->backoff, most);
        entry->pause = now + entry->backoff;
    }

done:

    ngx_wassiit_robust_unlock(lock);

    return rc;
}


ngx_uint_t
ngx_http_wassiit_caps_is_early(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, uint32_t limit)
{
    uint64_t                        now, whose;
    ngx_str_t                       id;
    ngx_http_wassiit_entry_t       *entry;
    ngx_http_wassiit_claims_sh_t   *sh;
    ngx_http_wassiit_claims_set_t  *set;

    sh = zone->claims.sh;
    now = ngx_http_wassiit_zone_clock();

    if (now >= load(&sh->lead.until)) {
        /* it isn't the cap that bounds the window */
        return 1;
    }

    if (ngx_wassiit_window_cap((u_char *) zone->sh, partner->line) >= limit) {
        return 0;
    }

    id.data = partner->names;
    id.len = partner->id_len;

    set = ngx_http_wassiit_claims_set(sh, &id, &whose);
    entry = ngx_http_wassiit_claims_find(set, &id, whose);

    return entry == NULL || !(load(&entry->flags) & CLAIMS_FULL)
           || now >= load(&entry->pause);
}


ngx_int_t
ngx_http_wassiit_caps_note(ngx_http_wassiit_zone_t *zone, ngx_str_t *id)
{
    uint64_t                   now;
    ngx_int_t                  rc;
    ngx_wassiit_robust_t      *lock;
    ngx_http_wassiit_part_t    part;
    ngx_http_wassiit_entry_t  *entry;

    lock = ngx_http_wassiit_caps_open(zone, id, CAPS_PATIENCE, &now, &entry);
    if (lock == NULL) {
        return NGX_BUSY;
    }

    rc = ngx_http_wassiit_caps_look(zone, id, now, &part);

    if (rc == NGX_BUSY || (entry && entry->seq)) {
        goto done;
    }

    if (rc == NGX_OK && ngx_http_wassiit_caps_is_bare(zone)) {
        /* also if there is no room to remember it */
        rc = ngx_http_wassiit_caps_lower(zone, id, 0, now, &part);

        if (rc != NGX_OK) {
            goto done;
        }
    }

    if (entry == NULL) {
        rc = ngx_http_wassiit_caps_make(zone, id, now, &part, &entry);
    }

    if (entry) {
        /* long ago */
        entry->seen = 1;
    }

done:

    ngx_wassiit_robust_unlock(lock);

    return (rc == NGX_BUSY) ? NGX_BUSY : NGX_OK;
}


void
ngx_http_wassiit_caps_drop(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_claim_t *claim)
{
    (void) ngx_http_wassiit_caps_end(zone, id, claim, -1, 0, 0);
}


ngx_int_t
ngx_http_wassiit_caps_restate(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_uint_t has, ngx_http_wassiit_claim_t *claim)
{
    uint32_t                       cap;
    uint64_t                       now;
    ngx_int_t                      rc;
    ngx_wassiit_robust_t          *lock;
    ngx_http_wassiit_part_t        part;
    ngx_http_wassiit_entry_t      *entry;
    ngx_http_wassiit_claims_sh_t  *sh;

    lock = ngx_http_wassiit_caps_open(zone, id, CAPS_PATIENCE, &now, &entry);
    if (lock == NULL) {
        return NGX_BUSY;
    }

    rc = NGX_DECLINED;
    sh = zone->claims.sh;

    if (entry == NULL) {
        goto done;
    }

    rc = ngx_http_wassiit_caps_look(zone, id, now, &part);

    if (rc != NGX_OK) {
        goto done;
    }

    if (has != NGX_HTTP_WASSIIT_CAPS_KEPT) {
        cap = (has == NGX_HTTP_WASSIIT_CAPS_USED)
              ? 0 : ngx_min(part.cap, part.standing);
        rc = ngx_http_wassiit_caps_lower(zone, id, cap, now, &part);

        if (rc != NGX_OK) {
            goto done;
        }
    }

    rc = NGX_OK;

    entry->asked = 0;
    entry->pause = 0;
    entry->backoff = 0;

    claim->session = load(&sh->lead.session);
    claim->want = part.cap;
    claim->busy = 0;
    ngx_http_wassiit_caps_fill(sh, entry, &part, claim);

    store(&entry->flags, entry->flags | CLAIMS_TOLD);

done:

    ngx_wassiit_robust_unlock(lock);

    return rc;
}


uint32_t
ngx_http_wassiit_caps_first(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, const ngx_wassiit_rate_t *rate,
    uint32_t from)
{
    uint32_t  cap, most;

    if (from == 0) {
        /* a partner of this id that has gone may have lent some */
        return ngx_http_wassiit_claims_knows(&zone->claims, id) ? 0
               : ngx_http_wassiit_claims_standing(&zone->claims, rate->limit);
    }

    most = ngx_http_wassiit_claims_told(&zone->claims, id) ? rate->limit
           : ngx_http_wassiit_claims_standing(&zone->claims, rate->limit);
    cap = ngx_wassiit_window_cap((u_char *) zone->sh, from);

    return ngx_min(cap, most);
}


void
ngx_http_wassiit_caps_bound(ngx_http_wassiit_zone_t *zone, uint32_t profile,
    uint32_t former)
{
    u_char                      *base;
    uint32_t                     cap;
    ngx_str_t                    id;
    ngx_http_wassiit_profile_t  *p, *f;

    if (zone->claims.sh == NULL) {
        return;
    }

    ngx_wassiit_fence();

    base = (u_char *) zone->sh;
    p = ngx_http_wassiit_zone_at(zone->sh, profile);

    if (former) {
        f = ngx_http_wassiit_zone_at(zone->sh, former);
        cap = ngx_wassiit_window_cap(base, f->partner);

    } else {
        id.data = ngx_http_wassiit_zone_id(p);
        id.len = p->id_len;
        cap = ngx_http_wassiit_claims_knows(&zone->claims, &id)
              ? 0 : (uint32_t) -1;
    }

    if (cap < ngx_wassiit_window_cap(base, p->partner)) {
        ngx_wassiit_window_raise(base, p->partner, cap);
    }
}


/*
 * The partner's window and cap, as they are at now.  Returns NGX_OK;
 * NGX_DECLINED: there is no such partner, and part->line is 0; NGX_BUSY: it has
 * another window whenever it is looked at.
 */

static ngx_int_t
ngx_http_wassiit_caps_look(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    uint64_t now, ngx_http_wassiit_part_t *part)
{
    uint32_t                     place;
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_wassiit_usage_t          usage;
    ngx_wassiit_probe_t          probe;
    ngx_http_wassiit_profile_t  *profile;

    ngx_http_wassiit_zone_pin(zone);

    rc = NGX_AGAIN;

    for (n = 0; n < CAPS_TRIES && rc != NGX_OK; n++) {
        place = ngx_http_wassiit_zone_lookup_id(zone->sh, id->data, id->len,
                                                &probe);
        part->line = 0;

        if (place == 0) {
            return NGX_DECLINED;
        }

        profile = ngx_http_wassiit_zone_at(zone->sh, place);

        /* not NGX_OK: another one has taken its place just now */

        part->line = profile->partner;
        rc = ngx_wassiit_window_usage((u_char *) zone->sh, part->line, now,
                                      &usage);
        part->rev = load(&profile->rev);
    }

    if (rc != NGX_OK) {
        return NGX_BUSY;
    }

    part->limit = usage.limit;
    part->seconds = usage.seconds;
    part->standing = ngx_http_wassiit_claims_own(&zone->claims, usage.limit);
    part->cap = ngx_wassiit_window_cap((u_char *) zone->sh, part->line);
    part->free = ngx_min(usage.remaining, part->cap);
    part->used = part->cap - part->free;
    part->reset = usage.reset;

    part->wait = ngx_http_wassiit_claims_is_waited(&zone->claims,
                                                   part->standing);

    return NGX_OK;
}


/*
 * Lowers the cap in force to this or, if more is in use, to that.  A writer
 * that gives the partner another window takes over the cap of the one before:
 * as long as it is at that, nobody can tell which it has read.
 */

static ngx_int_t
ngx_http_wassiit_caps_lower(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    uint32_t cap, uint64_t now, ngx_http_wassiit_part_t *part)
{
    uint32_t  was;

    was = part->cap;

    part->cap = ngx_wassiit_window_lower((u_char *) zone->sh, part->line, cap,
                                         now);
    part->used = ngx_min(part->used, part->cap);
    part->free = part->cap - part->used;

    (void) ngx_wassiit_add(&zone->claims.counts->lent, was - part->cap);

    return ngx_http_wassiit_caps_lies(zone, id, part->line);
}


/*
 * Is the partner's window still this one, or is there still none, if line is 0,
 * now that something was stored?  Returns NGX_OK: a writer that gives it
 * another one finds that; NGX_BUSY: there is one who may have missed it.
 */

static ngx_int_t
ngx_http_wassiit_caps_lies(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    uint32_t line)
{
    uint32_t                     coming, place;
    ngx_wassiit_probe_t          probe;
    ngx_http_wassiit_profile_t  *profile;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_wassiit_fence();

    coming = load(&sh->coming);

    if (coming) {
        profile = ngx_http_wassiit_zone_at(sh, coming);

        if (profile->id_len == id->len
            && ngx_memcmp(ngx_http_wassiit_zone_id(profile), id->data, id->len)
               == 0)
        {
            return NGX_BUSY;
        }
    }

    place = ngx_http_wassiit_zone_lookup_id(sh, id->data, id->len, &probe);

    if (place == 0) {
        return line ? NGX_BUSY : NGX_OK;
    }

    profile = ngx_http_wassiit_zone_at(sh, place);

    return (profile->partner == line) ? NGX_OK : NGX_BUSY;
}


/* Has the node nothing of a partner that it has no entry of?  1 or 0. */

static ngx_uint_t
ngx_http_wassiit_caps_is_bare(ngx_http_wassiit_zone_t *zone)
{
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = &zone->claims.sh->lead;

    return load(&lead->former) || load(&lead->above);
}


/*
 * An entry of nobody's, or of a partner that has its standing share.  A new one
 * means that the cap holds as the window has it: if a former life may have used
 * the standing share, that is nothing.  Sets *made to it, and returns NGX_OK;
 * else *made is NULL: NGX_DECLINED: all partners of this set have lent or
 * claimed some; NGX_BUSY: the window changes now.
 */

static ngx_int_t
ngx_http_wassiit_caps_make(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    uint64_t now, ngx_http_wassiit_part_t *part,
    ngx_http_wassiit_entry_t **made)
{
    uint64_t                        whose;
    ngx_uint_t                      i;
    ngx_http_wassiit_entry_t       *entry, *e;
    ngx_http_wassiit_claims_set_t  *set;

    set = ngx_http_wassiit_claims_set(zone->claims.sh, id, &whose);
    entry = NULL;
    *made = NULL;

    for (i = 0; i < CLAIMS_WAYS; i++) {
        e = &set->ways[i];

        if (e->whose == 0) {
            entry = e;
            break;
        }

        if ((e->flags & CLAIMS_STANDING) && e->asked == 0
            && now - e->seen > CAPS_IDLE
            && now - e->stood * SECOND > CAPS_IDLE
            && (entry == NULL || e->seen < entry->seen))
        {
            entry = e;
        }
    }

    if (entry == NULL) {
        (void) ngx_wassiit_add(&zone->claims.counts->crowded, 1);
        return NGX_DECLINED;
    }

    if (part->line && ngx_http_wassiit_caps_is_bare(zone)
        && ngx_http_wassiit_caps_lower(zone, id, 0, now, part) != NGX_OK)
    {
        return NGX_BUSY;
    }

    store(ngx_http_wassiit_claims_mark(zone->claims.sh,
                                       set - zone->claims.sh->set), 1);
    store(&entry->whose, 0);

    ngx_memzero(entry, sizeof(ngx_http_wassiit_entry_t));
    entry->ahead = 2;
    entry->id_len = id->len;
    ngx_memcpy(entry->id, id->data, id->len);

    store(&entry->whose, whose);

    if (ngx_http_wassiit_caps_lies(zone, id, part->line) != NGX_OK) {
        /* one that is new may have the share of a partner without an entry */
        store(&entry->whose, 0);
        return NGX_BUSY;
    }

    *made = entry;

    return NGX_OK;
}
