
#include "ngx_http_wassiit_caps.h"
#include "ngx_http_wassiit_partner.h"


/* what a profile has counted, and its line */

typedef struct {
    uint64_t                       line[NGX_HTTP_WASSIIT_COUNT_RARE];
    uint32_t                       rare[ZONE_RARE];
} ngx_http_wassiit_counts_t;


static ngx_int_t ngx_http_wassiit_partner_lay_line(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_plan_t *plan,
    uint32_t *line);
static ngx_int_t ngx_http_wassiit_partner_lay_keys(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_plan_t *plan,
    uint32_t line, uint32_t secrets, uint32_t *keys);
static uint32_t ngx_http_wassiit_partner_lay_profile(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_plan_t *plan,
    uint32_t line, uint32_t secrets, uint32_t *keys);
static void ngx_http_wassiit_partner_free_parts(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_profile_t *former, uint32_t line, uint32_t secrets,
    uint32_t *keys, ngx_uint_t n);
static void ngx_http_wassiit_partner_add_counts(
    ngx_http_wassiit_zone_sh_t *sh, ngx_http_wassiit_profile_t *profile,
    ngx_http_wassiit_profile_t *former, ngx_http_wassiit_counts_t *counts);
static void ngx_http_wassiit_partner_count_disabled(
    ngx_http_wassiit_zone_sh_t *sh, u_char was, u_char is);
static void ngx_http_wassiit_partner_publish_key(
    ngx_http_wassiit_zone_t *zone, uint32_t place,
    ngx_http_wassiit_profile_t *former);
static void ngx_http_wassiit_partner_retire(ngx_http_wassiit_zone_t *zone,
    uint32_t place, ngx_http_wassiit_profile_t *profile);
static void ngx_http_wassiit_partner_retire_line(
    ngx_http_wassiit_zone_t *zone, uint32_t place);


uint32_t
ngx_http_wassiit_partner_prepare(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan)
{
    uint32_t                     line, secrets, place;
    uint32_t                     keys[NGX_HTTP_WASSIIT_KEYS];
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_profile_t  *former;

    if (plan->same) {
        return plan->former;
    }

    rec = plan->rec;
    former = plan->former ? ngx_http_wassiit_zone_at(zone->sh, plan->former)
                          : NULL;

again:

    zone->swept = 0;

    line = plan->line;
    secrets = plan->secrets;
    ngx_memcpy(keys, plan->keys, sizeof(keys));

    if (ngx_http_wassiit_partner_lay_line(zone, plan, &line) != NGX_OK) {
        goto failed;
    }

    if (secrets == 0 && rec->secrets) {
        secrets = ngx_http_wassiit_room_alloc(zone, ZONE_SECRETS,
                            ngx_http_wassiit_room_secrets_lines(rec->secrets));
        if (secrets == 0) {
            goto failed;
        }

        ngx_memcpy(ngx_http_wassiit_zone_at(zone->sh, secrets), rec->secrets,
                   ngx_http_wassiit_record_secrets_size(rec->secrets));
    }

    if (ngx_http_wassiit_partner_lay_keys(zone, plan, line, secrets, keys)
        != NGX_OK)
    {
        goto failed;
    }

    place = ngx_http_wassiit_partner_lay_profile(zone, plan, line, secrets,
                                                 keys);
    if (place) {
        return place;
    }

failed:

    if (zone->swept) {
        goto again;
    }

    ngx_http_wassiit_partner_free_parts(zone, former, line, secrets, keys,
                                        rec->nkeys);

    if (former && plan->optional && plan->line == 0) {
        /* the room that the new window took is worth more to the rest */
        plan->line = former->partner;
        goto again;
    }

    return 0;
}


/* Lays out a line with a window, unless *line is one that stays. */

static ngx_int_t
ngx_http_wassiit_partner_lay_line(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan, uint32_t *line)
{
    uint32_t                       from, place, least, cap;
    ngx_int_t                      rc;
    ngx_uint_t                     wide;
    ngx_wassiit_ring_t             ring;
    const ngx_wassiit_rate_t      *rate;
    ngx_http_wassiit_profile_t    *former;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_line_t  *new;

    if (*line) {
        return NGX_OK;
    }

    sh = zone->sh;
    from = 0;
    former = NULL;

    if (plan->former) {
        former = ngx_http_wassiit_zone_at(sh, plan->former);
        from = former->partner;
    }

    rate = ngx_http_wassiit_plan_rate(zone, plan->rec);
    least = ngx_wassiit_window_cells(rate, &wide);

    rc = ngx_http_wassiit_room_alloc_ring(zone, plan->cells, plan->most,
                                          plan->wide, &ring);

    if (rc != NGX_OK && plan->optional && !zone->swept) {
        *line = from;
        return NGX_OK;
    }

    if (rc != NGX_OK && (zone->loading || zone->tight) && !zone->swept) {
        /* more is in use than there was when the load was tried */
        rc = ngx_http_wassiit_room_alloc_ring(zone, least, least, wide, &ring);
    }

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    place = ngx_http_wassiit_room_alloc(zone, ZONE_HOT, 1);

    if (place == 0) {
        if (!zone->swept) {
            ngx_http_wassiit_room_free_ring(zone, &ring);
        }

        return NGX_DECLINED;
    }

    ngx_wassiit_window_init((u_char *) sh, place, rate, &ring, from);

    if (zone->claims.sh) {
        cap = ngx_http_wassiit_caps_first(zone, &plan->rec->id, rate, from);
        ngx_wassiit_window_raise((u_char *) sh, place, cap);
    }

    new = ngx_http_wassiit_zone_at(sh, place);

    if (former) {
        new->generation = ((ngx_http_wassiit_zone_line_t *)
                           ngx_http_wassiit_zone_at(sh, from))->generation;

    } else {
        /* 0 is no partner's */
        sh->generation += (sh->generation == (uint32_t) -1) ? 2 : 1;
        new->generation = sh->generation;
    }

    *line = place;

    return NGX_OK;
}


/* Lays out the keys whose places are 0. */

static ngx_int_t
ngx_http_wassiit_partner_lay_keys(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan, uint32_t line, uint32_t secrets,
    uint32_t *keys)
{
    u_char                       *p;
    size_t                        names;
    uint32_t                      place;
    ngx_uint_t                    i, made;
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_key_t       *from;
    ngx_http_wassiit_record_t    *rec;
    ngx_http_wassiit_profile_t   *former;
    ngx_http_wassiit_zone_sh_t   *sh;
    ngx_http_wassiit_zone_key_t  *key;

    sh = zone->sh;
    rec = plan->rec;
    former = plan->former ? ngx_http_wassiit_zone_at(sh, plan->former) : NULL;

    for (i = 0; i < rec->nkeys; i++) {
        if (keys[i]) {
            continue;
        }

        from = &rec->keys[i];
        made = from->made;

        if (former) {
            place = ngx_http_wassiit_zone_lookup_key(sh, from->digest, &probe);

            if (place && ngx_http_wassiit_profile_has(former, place)) {
                key = ngx_http_wassiit_zone_at(sh, place);
                made = ngx_http_wassiit_plan_made(key, from);
            }
        }

        names = ngx_http_wassiit_plan_names(rec, i);

        keys[i] = ngx_http_wassiit_room_alloc(zone, ZONE_HOT,
                                       ngx_http_wassiit_room_key_lines(names));
        if (keys[i] == 0) {
            return NGX_DECLINED;
        }

        key = ngx_http_wassiit_zone_at(sh, keys[i]);

        ngx_memcpy(key->digest, from->digest, NGX_WASSIIT_DIGEST_LEN);
        key->scopes = rec->scopes;
        key->created = made ? 0
                            : ngx_http_wassiit_plan_seconds(from->created);
        key->expires = ngx_http_wassiit_plan_seconds(from->expires);
        key->exact_created = from->created;
        key->exact_expires = from->expires;
        key->partner = line;
        key->secrets = secrets;
        key->flags = ngx_http_wassiit_plan_flags(rec)
                     | (made ? ZONE_MADE : 0);

        key->id_len = rec->id.len;
        key->key_id_len = from->id.len;
        key->name_len = rec->name.len;

        p = ngx_cpymem(key->names, rec->id.data, rec->id.len);
        p = ngx_cpymem(p, from->id.data, from->id.len);
        ngx_memcpy(p, rec->name.data, rec->name.len);
    }

    return NGX_OK;
}


static uint32_t
ngx_http_wassiit_partner_lay_profile(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan, uint32_t line, uint32_t secrets,
    uint32_t *keys)
{
    u_char                      *p;
    uint32_t                     place;
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_profile_t  *profile;

    rec = plan->rec;

    place = ngx_http_wassiit_room_alloc(zone, ZONE_COLD, plan->profile_lines);
    if (place == 0) {
        return 0;
    }

    profile = ngx_http_wassiit_zone_at(zone->sh, place);

    profile->scopes = rec->scopes;
    profile->partner = line;
    profile->secrets = secrets;
    profile->mark = zone->sh->load;
    profile->flags = ngx_http_wassiit_plan_flags(rec);
    profile->levels = ngx_wassiit_order_levels(rec->id.data, rec->id.len);
    profile->nkeys = rec->nkeys;
    profile->id_len = rec->id.len;
    profile->name_len = rec->name.len;

    ngx_memcpy(ngx_http_wassiit_zone_keys(profile), keys,
               rec->nkeys * sizeof(uint32_t));

    p = ngx_cpymem(ngx_http_wassiit_zone_id(profile), rec->id.data,
                   rec->id.len);
    ngx_memcpy(p, rec->name.data, rec->name.len);

    return place;
}


void
ngx_http_wassiit_partner_discard(ngx_http_wassiit_zone_t *zone,
    uint32_t profile, uint32_t former)
{
    ngx_http_wassiit_profile_t  *p;

    if (profile == former) {
        return;
    }

    p = ngx_http_wassiit_zone_at(zone->sh, profile);

    ngx_http_wassiit_partner_free_parts(zone,
                           former ? ngx_http_wassiit_zone_at(zone->sh, former)
                                  : NULL,
                           p->partner, p->secrets,
                           ngx_http_wassiit_zone_keys(p), p->nkeys);

    ngx_http_wassiit_room_free(zone, profile,
                               ngx_http_wassiit_room_profile_size(p));
}


/* Frees what was laid out, and isn't the former profile's. */

static void
ngx_http_wassiit_partner_free_parts(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_profile_t *former, uint32_t line, uint32_t secrets,
    uint32_t *keys, ngx_uint_t n)
{
    uint32_t                       lines;
    ngx_uint_t                     i;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_line_t  *p;

    sh = zone->sh;

    for (i = 0; i < n; i++) {
        if (keys[i]
            && !(former && ngx_http_wassiit_profile_has(former, keys[i])))
        {
            ngx_http_wassiit_room_free(zone, keys[i],
                                       ngx_http_wassiit_room_key_size(
                                           ngx_http_wassiit_zone_at(sh,
                                                                   keys[i])));
        }
    }

    if (secrets && !(former && former->secrets == secrets)) {
        lines = ngx_http_wassiit_room_secrets_size(sh, secrets);

        ngx_explicit_memzero(ngx_http_wassiit_zone_at(sh, secrets),
                             lines * NGX_WASSIIT_LINE);
        ngx_http_wassiit_room_free(zone, secrets, lines);
    }

    if (line && !(former && former->partner == line)) {
        p = ngx_http_wassiit_zone_at(sh, line);

        ngx_http_wassiit_room_free_ring(zone, &p->window.ring);
        ngx_http_wassiit_room_free(zone, line, 1);
    }
}


void
ngx_http_wassiit_partner_publish(ngx_http_wassiit_zone_t *zone,
    uint32_t profile, uint32_t former)
{
    uint32_t                       place, hash, *keys;
    ngx_uint_t                     i, first;
    ngx_wassiit_probe_t            probe;
    ngx_wassiit_order_list_t       list;
    ngx_http_wassiit_profile_t    *p, *f;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_key_t   *key;
    ngx_http_wassiit_zone_line_t  *line;
    ngx_http_wassiit_counts_t      counts;

    sh = zone->sh;

    store(&sh->coming, profile);
    store(&sh->going, former);

    p = ngx_http_wassiit_zone_at(sh, profile);
    f = former ? ngx_http_wassiit_zone_at(sh, former) : NULL;

    line = ngx_http_wassiit_zone_at(sh, p->partner);

    place = zone->empty
            ? 0 : ngx_http_wassiit_zone_lookup_id(sh,
                                                  ngx_http_wassiit_zone_id(p),
                                                  p->id_len, &probe);

    /* not if a writer has died in this, and we follow */
    first = (f && place == former && load(&line->window.owner) != profile);

    ngx_memzero(&counts, sizeof(ngx_http_wassiit_counts_t));

    if (first) {
        /* which it may have begun */
        ngx_memzero(p->counts, sizeof(p->counts));

        if (p->partner != f->partner) {
            ngx_memzero(line->counts, sizeof(line->counts));
            ngx_http_wassiit_caps_bound(zone, profile, former);
        }

        ngx_http_wassiit_partner_add_counts(sh, p, f, &counts);
    }

    if (place == 0) {
        ngx_http_wassiit_caps_bound(zone, profile, 0);
    }

    store(&line->window.owner, profile);

    if (place == 0) {
        ngx_http_wassiit_partner_count_disabled(sh, ZONE_ENABLED, p->flags);

        hash = ngx_murmur_hash2(ngx_http_wassiit_zone_id(p), p->id_len);
        (void) ngx_wassiit_index_insert(ngx_http_wassiit_zone_at(sh,
                                                                 sh->id_words),
                                        &sh->ids, hash, hash, profile);

    } else if (place != profile) {
        ngx_http_wassiit_partner_count_disabled(sh,
           ((ngx_http_wassiit_profile_t *)
            ngx_http_wassiit_zone_at(sh, place))->flags, p->flags);

        ngx_wassiit_index_replace(&probe, profile);
    }

    ngx_http_wassiit_zone_list(sh, &list);
    ngx_wassiit_order_add(&list, profile);

    /*
     * Keys go after the id: whoever finds a window closed, as another key has
     * led to the new one, looks for that by the id.
     */

    keys = ngx_http_wassiit_zone_keys(p);

    for (i = 0; i < p->nkeys; i++) {
        ngx_http_wassiit_partner_publish_key(zone, keys[i], f);

        key = ngx_http_wassiit_zone_at(sh, keys[i]);

        if (key->partner != p->partner) {
            store(&key->partner, p->partner);
        }
    }

    if (first) {
        /* meanwhile; what a request counts at the former one now is lost */
        ngx_http_wassiit_partner_add_counts(sh, p, f, &counts);
    }

    store(&sh->going, 0);
    store(&sh->coming, 0);
}


/*
 * Adds what was counted for a profile since counts, which is set to that, to
 * the one that takes its place.
 */

static void
ngx_http_wassiit_partner_add_counts(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_profile_t *former,
    ngx_http_wassiit_counts_t *counts)
{
    uint32_t                       rare;
    uint64_t                       n;
    ngx_uint_t                     i;
    ngx_http_wassiit_zone_line_t  *line, *from;

    for (i = 0; i < ZONE_RARE; i++) {
        rare = load(&former->counts[i]);
        ngx_http_wassiit_zone_add(&profile->counts[i],
                                  rare - counts->rare[i]);
        counts->rare[i] = rare;
    }

    if (profile->partner == former->partner) {
        return;
    }

    line = ngx_http_wassiit_zone_at(sh, profile->partner);
    from = ngx_http_wassiit_zone_at(sh, former->partner);

    for (i = 0; i < NGX_HTTP_WASSIIT_COUNT_RARE; i++) {
        n = load(&from->counts[i]);
        (void) ngx_wassiit_add(&line->counts[i], n - counts->line[i]);
        counts->line[i] = n;
    }
}


/* If a writer dies in a change, the next one counts anew. */

static void
ngx_http_wassiit_partner_count_disabled(ngx_http_wassiit_zone_sh_t *sh,
    u_char was, u_char is)
{
    uint32_t  n;

    n = sh->disabled;
    n += !(is & ZONE_ENABLED);
    n -= !(was & ZONE_ENABLED);

    store(&sh->disabled, n);
}


static void
ngx_http_wassiit_partner_publish_key(ngx_http_wassiit_zone_t *zone,
    uint32_t place, ngx_http_wassiit_profile_t *former)
{
    uint32_t                      old;
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_zone_sh_t   *sh;
    ngx_http_wassiit_zone_key_t  *key, *was;

    sh = zone->sh;
    key = ngx_http_wassiit_zone_at(sh, place);

    old = zone->empty ? 0 : ngx_http_wassiit_zone_lookup_key(sh, key->digest,
                                                             &probe);
    if (old == 0) {
        (void) ngx_wassiit_index_insert(ngx_http_wassiit_zone_at(sh,
                                                                sh->key_words),
                                   &sh->keys,
                                   ngx_http_wassiit_zone_word(key->digest, 0),
                                   ngx_http_wassiit_zone_word(key->digest, 1),
                                   place);
        return;
    }

    if (old == place) {
        return;
    }

    was = ngx_http_wassiit_zone_at(sh, old);

    ngx_wassiit_index_replace(&probe, place);

    /* of another partner's key nothing stays */

    if (former && ngx_http_wassiit_profile_has(former, old)
        && load(&key->last_used) < load(&was->last_used))
    {
        store(&key->last_used, was->last_used);
    }
}


void
ngx_http_wassiit_partner_finish(ngx_http_wassiit_zone_t *zone,
    uint32_t profile, uint32_t former)
{
    uint32_t                      *keys, line;
    ngx_uint_t                     i;
    ngx_http_wassiit_profile_t    *p, *f;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_line_t  *from;

    if (former == 0 || former == profile) {
        return;
    }

    sh = zone->sh;

    store(&sh->coming, profile);
    store(&sh->going, former);

    p = ngx_http_wassiit_zone_at(sh, profile);
    f = ngx_http_wassiit_zone_at(sh, former);

    keys = ngx_http_wassiit_zone_keys(f);

    for (i = 0; i < f->nkeys; i++) {
        if (keys[i] && !ngx_http_wassiit_profile_has(p, keys[i])) {
            ngx_http_wassiit_partner_remove_key(sh, keys[i]);
        }
    }

    line = f->partner;

    if (line != p->partner) {
        from = ngx_http_wassiit_zone_at(sh, line);

        /* who holds on to the former line looks the partner up again */
        store(&from->generation, 0);

        (void) ngx_wassiit_window_settle((u_char *) sh, p->partner);
        ngx_wassiit_window_release((u_char *) sh, p->partner);
    }

    store(&sh->going, 0);
    store(&sh->coming, 0);

    if (line != p->partner) {
        ngx_http_wassiit_partner_retire_line(zone, line);
    }

    ngx_http_wassiit_partner_retire(zone, former, p);
}


/*
 * Step by step: whenever it is read, a key works at no time at which neither
 * the former state nor the new one lets it.
 */

void
ngx_http_wassiit_partner_amend(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan)
{
    u_char                        flags;
    uint32_t                     *keys, place, created, expires, secrets;
    ngx_uint_t                    i, made;
    ngx_http_wassiit_key_t       *from;
    ngx_http_wassiit_record_t    *rec;
    ngx_http_wassiit_profile_t   *profile;
    ngx_http_wassiit_zone_key_t  *key;

    rec = plan->rec;
    profile = ngx_http_wassiit_zone_at(zone->sh, plan->former);
    keys = ngx_http_wassiit_zone_keys(profile);
    flags = ngx_http_wassiit_plan_flags(rec);

    ngx_http_wassiit_partner_set_span(zone, rec, plan->former);

    secrets = plan->secrets ? 0 : profile->secrets;

    ngx_http_wassiit_partner_count_disabled(zone->sh, profile->flags, flags);

    store(&profile->scopes, profile->scopes & rec->scopes);
    store(&profile->flags, flags);
    store(&profile->scopes, rec->scopes);

    for (i = 0; i < profile->nkeys; i++) {
        if (keys[i] == 0) {
            continue;
        }

        key = ngx_http_wassiit_zone_at(zone->sh, keys[i]);
        from = ngx_http_wassiit_plan_key(rec, key->digest);

        if (from == NULL) {
            ngx_http_wassiit_partner_remove_key(zone->sh, keys[i]);

            place = keys[i];
            store(&keys[i], 0);
            ngx_http_wassiit_room_retire(zone, place,
                                         ngx_http_wassiit_room_key_size(key),
                                         0);
            continue;
        }

        expires = ngx_http_wassiit_plan_seconds(from->expires);
        made = ngx_http_wassiit_plan_made(key, from);
        created = made ? 0 : ngx_http_wassiit_plan_seconds(from->created);

        store(&key->created, ngx_max(key->created, created));
        store(&key->expires, ngx_min(key->expires, expires));

        /* who sees the new flags sees no scope that is not a new one, too */

        store(&key->scopes, key->scopes & rec->scopes);
        store(&key->flags, flags | (made ? ZONE_MADE : 0));
        store(&key->scopes, rec->scopes);
        store(&key->exact_created, from->created);
        store(&key->exact_expires, from->expires);

        store(&key->created, created);
        store(&key->expires, expires);

        if (secrets) {
            store(&key->secrets, 0);
        }
    }

    if (secrets) {
        store(&profile->secrets, 0);
        ngx_http_wassiit_room_retire(zone, secrets,
                                     ngx_http_wassiit_room_secrets_size(
                                                          zone->sh, secrets),
                                     1);
    }
}


void
ngx_http_wassiit_partner_set_span(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t profile)
{
    ngx_http_wassiit_profile_t  *p;

    p = ngx_http_wassiit_zone_at(zone->sh, profile);

    store(&p->span, ngx_http_wassiit_partner_span(rec->offset, rec->len));
    store(&p->rev, rec->rev);
}


void
ngx_http_wassiit_partner_replace(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t profile, uint32_t former)
{
    ngx_http_wassiit_partner_set_span(zone, rec, profile);

    if (profile != former) {
        ngx_http_wassiit_partner_publish(zone, profile, former);
        ngx_http_wassiit_partner_finish(zone, profile, former);
    }
}


void
ngx_http_wassiit_partner_no_room(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan, ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_ALERT, log, 0,
                  "no room in wassiit_zone \"%V\" for partner \"%V\"",
                  &zone->name, &plan->rec->id);

    /* a key, a scope or a secret that was revoked must not stay in force */

    if (plan->former) {
        ngx_http_wassiit_partner_withdraw(zone, plan->former);
    }
}


void
ngx_http_wassiit_partner_withdraw(ngx_http_wassiit_zone_t *zone,
    uint32_t profile)
{
    uint32_t                      *keys;
    ngx_uint_t                     i;
    ngx_wassiit_probe_t            probe;
    ngx_wassiit_order_list_t       list;
    ngx_http_wassiit_profile_t    *p;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_line_t  *line;

    sh = zone->sh;

    store(&sh->going, profile);

    p = ngx_http_wassiit_zone_at(sh, profile);
    line = ngx_http_wassiit_zone_at(sh, p->partner);
    keys = ngx_http_wassiit_zone_keys(p);

    for (i = 0; i < p->nkeys; i++) {
        if (keys[i]) {
            ngx_http_wassiit_partner_remove_key(sh, keys[i]);
        }
    }

    /* its id goes last: a writer that follows a dead one looks there */

    ngx_http_wassiit_zone_list(sh, &list);
    ngx_wassiit_order_remove(&list, profile);

    if (ngx_http_wassiit_zone_lookup_id(sh, ngx_http_wassiit_zone_id(p),
                                        p->id_len, &probe)
        == profile)
    {
        ngx_http_wassiit_partner_count_disabled(sh, p->flags, ZONE_ENABLED);
        ngx_wassiit_index_remove(&probe, &sh->ids);
    }

    store(&line->generation, 0);
    store(&sh->going, 0);

    ngx_http_wassiit_partner_retire_line(zone, p->partner);
    ngx_http_wassiit_partner_retire(zone, profile, NULL);
}


void
ngx_http_wassiit_partner_remove_key(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place)
{
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_zone_key_t  *key;

    key = ngx_http_wassiit_zone_at(sh, place);

    if (ngx_http_wassiit_zone_lookup_key(sh, key->digest, &probe) == place) {
        ngx_wassiit_index_remove(&probe, &sh->keys);
    }
}


/* Gives back a profile, and what of it the one after it, or NULL, hasn't. */

static void
ngx_http_wassiit_partner_retire(ngx_http_wassiit_zone_t *zone,
    uint32_t place, ngx_http_wassiit_profile_t *next)
{
    uint32_t                     *keys;
    ngx_uint_t                    i;
    ngx_http_wassiit_profile_t   *profile;
    ngx_http_wassiit_zone_key_t  *key;

    profile = ngx_http_wassiit_zone_at(zone->sh, place);
    keys = ngx_http_wassiit_zone_keys(profile);

    for (i = 0; i < profile->nkeys; i++) {
        if (keys[i] == 0
            || (next && ngx_http_wassiit_profile_has(next, keys[i])))
        {
            continue;
        }

        key = ngx_http_wassiit_zone_at(zone->sh, keys[i]);
        ngx_http_wassiit_room_retire(zone, keys[i],
                                     ngx_http_wassiit_room_key_size(key), 0);
    }

    if (profile->secrets && !(next && next->secrets == profile->secrets)) {
        ngx_http_wassiit_room_retire(zone, profile->secrets,
                                     ngx_http_wassiit_room_secrets_size(
                                                zone->sh, profile->secrets),
                                     1);
    }

    ngx_http_wassiit_room_retire(zone, place,
                                 ngx_http_wassiit_room_profile_size(profile),
                                 0);
}


static void
ngx_http_wassiit_partner_retire_line(ngx_http_wassiit_zone_t *zone,
    uint32_t place)
{
    ngx_http_wassiit_zone_line_t  *line;

    line = ngx_http_wassiit_zone_at(zone->sh, place);

    ngx_http_wassiit_room_retire_ring(zone, &line->window.ring);
    ngx_http_wassiit_room_retire(zone, place, 1, 0);
}
