
/*
 * A zone with some partners, changes of them, and what is to be found there.
 * It is known from the records alone: a change leads from one stage to the
 * next, and each stage says what a key gives, whose it is, and who is in the
 * list.  Time is passed by the test, so each outcome is certain: a request is
 * admitted if fewer than N were in the W before, in whichever line.
 */


#ifndef _UNIT_STAGES_H_INCLUDED_
#define _UNIT_STAGES_H_INCLUDED_


#include "unit.h"
#include "objects.h"
#include "walk.h"

#include "ngx_http_wassiit_zone_load.h"


#define MEMORY          ((size_t) 64 * 1024)
#define SPAN            ((uint64_t) 1000000)

/* counters, by number: two of the line, and one of the profile */
#define COUNT_ALLOWED   0
#define COUNT_LIMITED   1
#define COUNT_REFUSED   NGX_HTTP_WASSIIT_COUNT_RARE
#define START           (1000 * SPAN)

#define KEYS            3           /* of one partner */
#define CHANGES         2           /* of one kind */
#define BASE            4
#define LETTERS         8           /* of keys: A to H */
#define IDS             32          /* a letter each, modulo that */
#define ADMISSIONS      16          /* of a partner, in W, at the most */
#define NOTES           5

/* A and E are of partners that nobody changes or uses */
#define QUIET(letter)   ((letter) % 4 == 0)


/* one that takes another's place, of webhooks, too: both count until OVERLAP */
#define FORMER(former, secret)  ((former) << 4 | (secret))
#define OVERLAP         8000
#define TURNS           FORMER(3, 1)


/* a partner, as its line in the file says */

typedef struct {
    const char                   *id;       /* a letter */
    const char                   *keys;     /* a letter each; NULL: deleted */
    uint64_t                      scopes;
    uint32_t                      limit;
    u_char                        secret;   /* which; 0: none; see FORMER */
    u_char                        disabled;
    int64_t                       expires;
} unit_spec_t;


typedef struct {
    const char                   *name;
    ngx_uint_t                    full;     /* no room is left */
    unit_spec_t                   changes[CHANGES];
} unit_kind_t;


typedef struct {
    ngx_http_wassiit_record_t     rec;
    ngx_http_wassiit_key_t        keys[KEYS];
    ngx_http_wassiit_secrets_t    secrets;
    ngx_http_wassiit_overlap_t    overlap;
    unit_spec_t                   spec;
} unit_partner_t;


/* what a key gives */

typedef struct {
    int64_t                       rc;
    uint64_t                      scopes;
    int64_t                       created;
    int64_t                       expires;
    uint32_t                      enabled;
    uint32_t                      secret;
    char                          names[16];
} unit_seen_t;


static const unit_spec_t  unit_base[BASE] = {
    { "a", "A", 63, 3, 0, 0, 5000 },
    { "m", "BC", 7, 3, TURNS, 0, 5000 },
    { "t", "D", 5, 4, 0, 0, 5000 },
    { "z", "E", 63, 3, 2, 0, 5000 }
};


/* to take what is free again by then */
static const unit_spec_t  unit_extra = { "x", "H", 63, 4, 3, 0, 7000 };


ngx_uint_t                         ngx_pagesize = 4096;

/* the writer, and two readers that have slots of their own */
static ngx_http_wassiit_zone_t     zone, reader, holder;
static ngx_http_wassiit_store_t    store_of;
static unit_partner_t              base[BASE], made[CHANGES + 1], extra;
static u_char                      digests[LETTERS][NGX_WASSIIT_DIGEST_LEN];

/* the kind, its changes, and how many of them are known to be made */
static const unit_kind_t          *kind;
static ngx_uint_t                  nchanges;
static volatile ngx_uint_t         done;

/* of each key the stage that was seen, of each partner that of its rate */
static ngx_uint_t                  reached[LETTERS], rated[IDS];

/* the model: the time, and those of the last admissions, by partners */
static uint64_t                    now, times[IDS][ADMISSIONS];
static ngx_uint_t                  ntimes[IDS];

/* the extra one is there; one request may have been admitted, or not */
static ngx_uint_t                  with_extra, unsure;

/* what a reader has found before the change, and holds on to */
static ngx_http_wassiit_partner_t  held;

/* keys and lines of those that nobody changes or uses */
static uint64_t                    quiet[2][3 * NGX_WASSIIT_LINE / 8];

/* lines that are free in a new zone */
static uint32_t                    fresh;

/* what was found to be wrong, of this part of this kind */
static ngx_uint_t                  bad, step;


/* The clock is the test's. */

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    (void) clock;

    ts->tv_sec = now / 1000000;
    ts->tv_nsec = now % 1000000 * 1000;

    return 0;
}


/* Who waits for readers waits for nothing: time is ours. */

int
nanosleep(const struct timespec *ts, struct timespec *left)
{
    (void) left;

    now += ts->tv_sec * 1000000 + ts->tv_nsec / 1000;

    return 0;
}


static ngx_inline void
unit_stage_make(unit_partner_t *p, const unit_spec_t *spec)
{
    ngx_uint_t               i;
    ngx_http_wassiit_key_t  *key;

    ngx_memzero(p, sizeof(unit_partner_t));

    p->spec = *spec;
    p->rec.id.data = (u_char *) p->spec.id;
    p->rec.id.len = 1;
    ngx_str_set(&p->rec.name, "Name");
    p->rec.keys = p->keys;
    p->rec.enabled = !spec->disabled;
    p->rec.scopes = spec->scopes;
    p->rec.rate.limit = spec->limit;
    p->rec.rate.seconds = 1;

    if (spec->keys == NULL) {
        p->rec.deleted = 1;
        return;
    }

    for (i = 0; spec->keys[i]; i++) {
        key = &p->keys[i];
        ngx_memcpy(key->digest, digests[spec->keys[i] - 'A'],
                   NGX_WASSIIT_DIGEST_LEN);
        key->created = 1000;
        key->expires = spec->expires;
        key->id.data = (u_char *) &p->spec.keys[i];
        key->id.len = 1;
    }

    p->rec.nkeys = i;

    if (spec->secret) {
        p->rec.secrets = &p->secrets;
        p->secrets.has_hmac = 1;
        memset(&p->secrets.hmac, spec->secret & 15, sizeof(p->secrets.hmac));
    }

    if (spec->secret >> 4) {
        p->secrets.has_former = 1;
        p->secrets.former_expires = OVERLAP;
        memset(&p->overlap.former_hmac, spec->secret >> 4,
               sizeof(p->overlap.former_hmac));

        p->secrets.has_webhook = 1;
        memset(&p->secrets.webhook, spec->secret >> 4,
               sizeof(p->secrets.webhook));

        p->secrets.has_next = 1;
        p->secrets.next_expires = OVERLAP;
        memset(&p->overlap.next_webhook, spec->secret & 15,
               sizeof(p->overlap.next_webhook));
    }
}


__attribute__((format(printf, 1, 2))) static ngx_inline void
unit_stage_differs(const char *fmt, ...)
{
    va_list  args;

    bad++;

    if (bad > NOTES) {
        return;
    }

    printf("# %s, step %d: ", kind->name, (int) step);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}


static ngx_inline void
unit_stage_note(unit_seen_t *seen)
{
    if (bad <= NOTES) {
        unit_note("  it gives %d: %s, scopes %d, enabled %d, secret %d, "
                  "%lld to %lld", (int) seen->rc, seen->names,
                  (int) seen->scopes, (int) seen->enabled, (int) seen->secret,
                  (long long) seen->created, (long long) seen->expires);
    }
}


/* The partner of this id, after so many changes, or NULL. */

static ngx_inline unit_partner_t *
unit_stage_partner(ngx_uint_t stage, u_char id)
{
    ngx_uint_t  i;

    for (i = stage; i-- > 0; /* void */) {
        if (made[i].spec.id[0] == id) {
            return made[i].rec.deleted ? NULL : &made[i];
        }
    }

    for (i = 0; i < BASE; i++) {
        if (base[i].spec.id[0] == id) {
            return &base[i];
        }
    }

    return (with_extra && id == 'x') ? &extra : NULL;
}


/* The partner whose key it is then: who got it last. */

static ngx_inline unit_partner_t *
unit_stage_owner(ngx_uint_t stage, ngx_uint_t letter)
{
    ngx_uint_t       i;
    unit_partner_t  *p;

    for (i = 0; i < stage + BASE + 1; i++) {
        p = (i < stage) ? &made[stage - 1 - i]
            : (i < stage + BASE) ? &base[i - stage] : &extra;

        if (p == unit_stage_partner(stage, p->spec.id[0])
            && strchr(p->spec.keys, 'A' + letter))
        {
            return p;
        }
    }

    return NULL;
}


static ngx_inline void
unit_stage_expected(ngx_uint_t stage, ngx_uint_t letter, unit_seen_t *seen)
{
    unit_partner_t  *p;

    ngx_memzero(seen, sizeof(unit_seen_t));

    p = unit_stage_owner(stage, letter);

    if (p == NULL) {
        seen->rc = NGX_DECLINED;
        return;
    }

    seen->rc = NGX_OK;
    seen->scopes = p->spec.scopes;
    seen->created = 1000;
    seen->expires = p->spec.expires;
    seen->enabled = !p->spec.disabled;
    seen->secret = p->spec.secret;
    (void) snprintf(seen->names, sizeof(seen->names), "%s%cName", p->spec.id,
                    (int) ('A' + letter));
}


static ngx_inline void
unit_stage_sight(ngx_http_wassiit_partner_t *found, ngx_int_t rc,
    ngx_wassiit_hmac_key_t *hmac, ngx_wassiit_hmac_key_t *former,
    unit_seen_t *seen)
{
    size_t  len;

    ngx_memzero(seen, sizeof(unit_seen_t));

    seen->rc = rc;

    if (rc != NGX_OK) {
        return;
    }

    len = found->id_len + found->key_id_len + found->name_len;

    seen->scopes = found->scopes;
    seen->created = found->created;
    seen->expires = found->expires;
    seen->enabled = found->enabled;
    seen->secret = found->hmac ? FORMER(*(u_char *) former, *(u_char *) hmac)
                               : 0;
    ngx_memcpy(seen->names, found->names,
               ngx_min(len, sizeof(seen->names) - 1));
}


/* The former secret, in its last second; zeros: there is none. */

static ngx_inline void
unit_stage_former(ngx_http_wassiit_zone_t *z,
    ngx_http_wassiit_partner_t *found, ngx_int_t rc,
    ngx_wassiit_hmac_key_t *former)
{
    ngx_memzero(former, sizeof(ngx_wassiit_hmac_key_t));

    if (rc == NGX_OK) {
        (void) ngx_http_wassiit_zone_former(z, found, OVERLAP - 1, former);
    }
}


static ngx_inline ngx_int_t
unit_stage_find(ngx_http_wassiit_zone_t *z, ngx_uint_t letter,
    ngx_http_wassiit_partner_t *found, unit_seen_t *seen)
{
    ngx_int_t               rc;
    ngx_wassiit_hmac_key_t  hmac, former;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    found->names = names;
    rc = ngx_http_wassiit_zone_find(z, digests[letter], found, &hmac);
    unit_stage_former(z, found, rc, &former);
    unit_stage_sight(found, rc, &hmac, &former, seen);

    return rc;
}


/*
 * Is it what a key gives in one of the stages?  If there was no room, it may be
 * less than that, but never more: no scope at a time, or without a signature,
 * that no stage has it for.  Returns the stage, or the last one.
 */

static ngx_inline ngx_uint_t
unit_stage_fits(ngx_uint_t letter, unit_seen_t *seen, ngx_uint_t first,
    ngx_uint_t end)
{
    uint64_t     scopes;
    ngx_uint_t   i;
    unit_seen_t  e;

    scopes = 0;

    for (i = first; i <= end; i++) {
        unit_stage_expected(i, letter, &e);

        if (memcmp(seen, &e, sizeof(e)) == 0) {
            return i;
        }

        if (e.rc == NGX_OK && e.enabled && e.created <= seen->created
            && e.expires >= seen->expires
            && (e.secret == 0 || e.secret == seen->secret)
            && strcmp(e.names, seen->names) == 0)
        {
            scopes |= e.scopes;
        }
    }

    if (!kind->full || first == end || seen->rc != NGX_OK
        || (seen->enabled && (seen->scopes & ~scopes)))
    {
        unit_stage_differs("key %c isn't of stages %d to %d",
                           (int) ('A' + letter), (int) first, (int) end);
        unit_stage_note(seen);
    }

    return end;
}


static ngx_inline void
unit_stage_look(ngx_uint_t letter)
{
    ngx_uint_t                  first;
    unit_seen_t                 seen;
    ngx_http_wassiit_partner_t  found;

    first = ngx_max(reached[letter], done);

    (void) unit_stage_find(&reader, letter, &found, &seen);

    if (kind->full) {
        /* in its parts it may be of the one and the other */
        (void) unit_stage_fits(letter, &seen, done,
                               ngx_max(done, ngx_min(done + 1, nchanges)));

    } else {
        reached[letter] = unit_stage_fits(letter, &seen, first,
                                   ngx_max(first,
                                           ngx_min(done + 1, nchanges)));
    }

    if (QUIET(letter)
        && (memcmp(quiet[letter / 4], found.key, 2 * NGX_WASSIIT_LINE) != 0
            || memcmp(&quiet[letter / 4][2 * NGX_WASSIIT_LINE / 8],
                      ngx_http_wassiit_zone_at(zone.sh, found.line),
                      NGX_WASSIIT_LINE)
               != 0))
    {
        unit_stage_differs("partner of key %c differs",
                           (int) ('A' + letter));
    }

    ngx_http_wassiit_zone_unpin(&reader);
}


static ngx_inline void
unit_stage_admit(u_char id)
{
    times[id % IDS][ntimes[id % IDS]++ % ADMISSIONS] = now;
}


/* How many the model has in (now - W, now]. */

static ngx_inline ngx_uint_t
unit_stage_in(u_char id)
{
    ngx_uint_t  n;

    for (n = 0; n < ngx_min(ntimes[id % IDS], ADMISSIONS); n++) {
        if (times[id % IDS][(ntimes[id % IDS] - 1 - n) % ADMISSIONS] + SPAN
            <= now)
        {
            break;
        }
    }

    return n;
}


/* Returns what it is told; that, and the rate, are held to the model. */

static ngx_inline ngx_int_t
unit_stage_take(ngx_http_wassiit_zone_t *z, ngx_http_wassiit_partner_t *found)
{
    u_char                id;
    ngx_int_t             rc;
    ngx_uint_t            i, in, end;
    unit_partner_t       *p;
    ngx_wassiit_usage_t   usage;

    id = found->names[0];
    rc = ngx_http_wassiit_zone_take(z, found, &usage);

    end = ngx_max(done, ngx_min(done + 1, nchanges));

    for (i = ngx_max(rated[id % IDS], done); i <= end; i++) {
        p = unit_stage_partner(i, id);

        if (rc == NGX_ERROR ? p == NULL
                            : p != NULL && usage.limit == p->spec.limit)
        {
            break;
        }
    }

    if (i > end) {
        unit_stage_differs("partner %c: told %d of %d, stages %d to %d", id,
                           (int) rc, (int) usage.limit, (int) done, (int) end);

    } else {
        rated[id % IDS] = i;
    }

    if (rc == NGX_ERROR) {
        return rc;
    }

    in = unit_stage_in(id);

    if (rc != (in < usage.limit ? NGX_OK : NGX_DECLINED)
        && !(unsure && rc == NGX_DECLINED && in + 1 == usage.limit))
    {
        unit_stage_differs("partner %c: told %d, %d of %d were admitted", id,
                           (int) rc, (int) in, (int) usage.limit);
    }

    if (rc == NGX_OK) {
        unit_stage_admit(id);
    }

    ngx_http_wassiit_zone_count(z, found, rc == NGX_OK ? COUNT_ALLOWED
                                                       : COUNT_LIMITED);
    return rc;
}


/* Takes all that is left by a key, unless it is one of the quiet ones. */

static ngx_inline ngx_uint_t
unit_stage_fill(ngx_uint_t letter)
{
    ngx_uint_t                  n;
    unit_seen_t                 seen;
    ngx_http_wassiit_partner_t  found;

    n = 0;

    if (!QUIET(letter)
        && unit_stage_find(&reader, letter, &found, &seen) == NGX_OK)
    {
        while (unit_stage_take(&reader, &found) == NGX_OK) {
            n++;
        }
    }

    ngx_http_wassiit_zone_unpin(&reader);

    return n;
}


/* Are webhooks to the partner signed as its line says, at this time? */

static ngx_inline ngx_uint_t
unit_stage_signs(unit_partner_t *p, time_t time)
{
    ngx_int_t               rc;
    ngx_uint_t              has_next, first, second;
    ngx_wassiit_hmac_key_t  key, next;

    has_next = 0;
    first = p->spec.secret >> 4;
    second = p->spec.secret & 15;

    rc = ngx_http_wassiit_zone_webhook(&reader, &p->rec.id, time, &key, &next,
                                       &has_next);
    if (first == 0) {
        return rc == NGX_ABORT;
    }

    if (time >= OVERLAP) {
        return rc == NGX_OK && !has_next && *(u_char *) &key == second;
    }

    return rc == NGX_OK && has_next && *(u_char *) &key == first
           && *(u_char *) &next == second;
}


static ngx_inline ngx_uint_t
unit_stage_is(ngx_uint_t stage, ngx_uint_t loud)
{
    ngx_str_t                   id;
    ngx_uint_t                  i, same;
    const char                 *ids;
    unit_seen_t                 seen, expected;
    unit_partner_t             *p;
    ngx_http_wassiit_info_t     info;
    ngx_http_wassiit_partner_t  found;

    same = 1;

    for (i = 0; i < LETTERS; i++) {
        (void) unit_stage_find(&reader, i, &found, &seen);
        unit_stage_expected(stage, i, &expected);

        if (memcmp(&seen, &expected, sizeof(seen)) != 0) {
            same = 0;

            if (loud) {
                unit_stage_differs("key %c isn't of stage %d",
                                   (int) ('A' + i), (int) stage);
                unit_stage_note(&seen);
            }
        }
    }

    ngx_str_set(&id, "");

    for (ids = "amntxz"; *ids; ids++) {
        p = unit_stage_partner(stage, *ids);

        if (p == NULL) {
            continue;
        }

        ngx_memzero(&info, sizeof(info));

        if (unit_walk_after(&reader, &id, &info) != NGX_OK
            || info.id_len != 1 || info.id[0] != *ids
            || ngx_http_wassiit_zone_get(&reader, &p->rec.id, &info) != NGX_OK
            || info.id_len != 1 || info.id[0] != *ids
            || info.scopes != p->spec.scopes
            || info.rate.limit != p->spec.limit
            || info.usage.limit != p->spec.limit
            || info.enabled != p->rec.enabled
            || info.hmac != (p->spec.secret != 0)
            || (info.former_expires == OVERLAP) != (p->spec.secret >> 4 != 0)
            || (info.next_expires == OVERLAP) != (p->spec.secret >> 4 != 0)
            || !unit_stage_signs(p, OVERLAP - 1)
            || !unit_stage_signs(p, OVERLAP)
            || info.nkeys != p->rec.nkeys)
        {
            same = 0;

            if (loud) {
                unit_stage_differs("partner %c isn't of stage %d", *ids,
                                   (int) stage);
            }
        }

        id = p->rec.id;
    }

    if (unit_walk_after(&reader, &id, &info) != NGX_DECLINED) {
        same = 0;

        if (loud) {
            unit_stage_differs("there are more partners than in stage %d",
                               (int) stage);
        }
    }

    ngx_http_wassiit_zone_unpin(&reader);

    return same;
}


/* Returns the stage that all that is to be seen is in, if it is one. */

static ngx_inline ngx_uint_t
unit_stage_whole(ngx_uint_t first, ngx_uint_t end)
{
    ngx_uint_t  i;

    end = ngx_max(first, ngx_min(end, nchanges));

    for (i = first; i <= end; i++) {
        if (unit_stage_is(i, 0)) {
            return i;
        }
    }

    (void) unit_stage_is(first, 1);

    if (end != first) {
        (void) unit_stage_is(end, 1);
    }

    return end;
}


/* What is refused is counted, by what is in force. */

static ngx_inline void
unit_stage_refuse(ngx_http_wassiit_zone_t *z,
    ngx_http_wassiit_partner_t *found)
{
    uint32_t                     place;
    uint32_t                     before;
    ngx_wassiit_probe_t          probe;
    ngx_http_wassiit_profile_t  *profile;

    place = ngx_http_wassiit_zone_lookup_id(zone.sh, found->names,
                                            found->id_len, &probe);
    if (place == 0) {
        return;
    }

    profile = ngx_http_wassiit_zone_at(zone.sh, place);
    before = profile->counts[0];

    ngx_http_wassiit_zone_count(z, found, COUNT_REFUSED);

    if (profile->counts[0] != before + 1) {
        unit_stage_differs("partner %c: not counted", found->names[0]);
    }
}


/* All is as it is to be, now and when time passes. */

static ngx_inline void
unit_stage_others(void)
{
    ngx_uint_t  i, k;

    if (holder.pinned) {
        unit_stage_refuse(&holder, &held);
    }

    for (k = 0; k < 3; k++) {

        for (i = 0; i < LETTERS; i++) {
            unit_stage_look(i);
            (void) unit_stage_fill(i);
        }

        if (holder.pinned) {
            (void) unit_stage_take(&holder, &held);
        }

        now += (k == 0) ? SPAN / 2 : SPAN;
    }
}


static ngx_inline void
unit_stage_forget(void)
{
    ngx_memzero(reached, sizeof(reached));
    ngx_memzero(rated, sizeof(rated));
    ngx_memzero(ntimes, sizeof(ntimes));
}


/* A zone that nobody has used. */

static ngx_inline void
unit_stage_zone(void)
{
    ngx_uint_t  i;

    now = START;

    ngx_str_set(&zone.name, "z");
    ngx_str_set(&zone.file, "f");
    zone.rate.limit = 50;
    zone.rate.seconds = 1;
    zone.store = &store_of;
    zone.size = MEMORY;

    for (i = 0; i < BASE; i++) {
        unit_stage_make(&base[i], &unit_base[i]);
        base[i].rec.next = (i + 1 < BASE) ? &base[i + 1].rec : NULL;
    }

    unit_stage_make(&extra, &unit_extra);

    store_of.records = &base[0].rec;
    store_of.partners = BASE;

    if (ngx_http_wassiit_zone_map(&zone, NULL, 0, &unit_log) != NGX_OK) {
        unit_note("%s", unit_logged);
        exit(2);
    }

    fresh = ngx_wassiit_lines_left(ngx_http_wassiit_zone_lines(zone.sh));

    if (ngx_http_wassiit_zone_check_load(&zone, &unit_log) != NGX_OK) {
        unit_note("%s", unit_logged);
        exit(2);
    }

    ngx_http_wassiit_zone_load(&zone, &unit_log);

    reader = zone;
    holder = zone;
    ngx_http_wassiit_zone_join(&reader, NULL, NULL);
    ngx_http_wassiit_zone_join(&holder, NULL, NULL);

    if (reader.slot == NULL || holder.slot == NULL
        || reader.slot == holder.slot)
    {
        exit(2);
    }
}


static ngx_inline ngx_int_t
unit_stage_apply(ngx_http_wassiit_zone_t *z, unit_partner_t *p)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_zone_room(z, &p->rec);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_wassiit_zone_apply(z, &p->rec, NULL, &unit_log);
}


#endif /* _UNIT_STAGES_H_INCLUDED_ */
