
#include "ngx_http_wassiit_plan.h"

#include <openssl/crypto.h>


static void ngx_http_wassiit_plan_window(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan);
static ngx_uint_t ngx_http_wassiit_plan_same_secrets(
    ngx_http_wassiit_zone_sh_t *sh, ngx_http_wassiit_record_t *rec,
    uint32_t secrets);
static ngx_uint_t ngx_http_wassiit_plan_same_key(
    ngx_http_wassiit_zone_key_t *key, ngx_http_wassiit_record_t *rec,
    ngx_http_wassiit_key_t *from, uint32_t secrets);


uint32_t
ngx_http_wassiit_plan_lookup(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    ngx_wassiit_probe_t  probe;

    if (zone->empty) {
        return 0;
    }

    return ngx_http_wassiit_zone_lookup_id(zone->sh, rec->id.data, rec->id.len,
                                           &probe);
}


void
ngx_http_wassiit_plan_make(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t former,
    ngx_http_wassiit_plan_t *plan)
{
    uint32_t                      place;
    ngx_uint_t                    i, kept, known, new_secrets;
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_profile_t   *profile;
    ngx_http_wassiit_zone_sh_t   *sh;
    ngx_http_wassiit_zone_key_t  *key;

    sh = zone->sh;

    ngx_memzero(plan, sizeof(ngx_http_wassiit_plan_t));

    plan->rec = rec;
    plan->former = former;
    plan->profile_lines = ngx_http_wassiit_room_profile_lines(
                              ngx_wassiit_order_levels(rec->id.data,
                                                       rec->id.len)
                              + rec->nkeys,
                              rec->id.len + rec->name.len);
    plan->lines = plan->profile_lines;

    profile = former ? ngx_http_wassiit_zone_at(sh, former) : NULL;

    ngx_http_wassiit_plan_window(zone, plan);

    if (plan->line == 0) {
        plan->lines += 1 + ngx_wassiit_ring_lines(plan->cells, plan->wide);
    }

    new_secrets = (rec->secrets != NULL);

    if (profile && profile->secrets
        && ngx_http_wassiit_plan_same_secrets(sh, rec, profile->secrets))
    {
        plan->secrets = profile->secrets;
        new_secrets = 0;
    }

    if (new_secrets) {
        plan->lines += ngx_http_wassiit_room_secrets_lines(rec->secrets);
    }

    kept = 0;
    known = 0;

    for (i = 0; i < rec->nkeys; i++) {
        place = 0;

        if (!zone->empty) {
            place = ngx_http_wassiit_zone_lookup_key(sh, rec->keys[i].digest,
                                                     &probe);
        }

        plan->new_keys += (place == 0);

        if (place && profile
            && ngx_http_wassiit_profile_has(profile, place))
        {
            key = ngx_http_wassiit_zone_at(sh, place);

            known += (key->key_id_len == rec->keys[i].id.len
                      && ngx_memcmp(key->names + key->id_len,
                                    rec->keys[i].id.data, key->key_id_len)
                         == 0);

            if (!new_secrets
                && ngx_http_wassiit_plan_same_key(key, rec, &rec->keys[i],
                                                  plan->secrets))
            {
                plan->keys[i] = place;
                kept++;
                continue;
            }
        }

        plan->lines += ngx_http_wassiit_room_key_lines(
                           ngx_http_wassiit_plan_names(rec, i));
    }

    if (profile == NULL) {
        return;
    }

    plan->amendable = ((plan->line || plan->optional)
                       && !new_secrets
                       && known == rec->nkeys
                       && profile->name_len == rec->name.len
                       && ngx_memcmp(ngx_http_wassiit_zone_id(profile)
                                     + profile->id_len,
                                     rec->name.data, rec->name.len)
                          == 0);

    plan->same = (plan->amendable && plan->line
                  && plan->secrets == profile->secrets
                  && kept == rec->nkeys && kept == profile->nkeys
                  && profile->flags == ngx_http_wassiit_plan_flags(rec)
                  && profile->scopes == rec->scopes);
    if (plan->same) {
        plan->lines = 0;
    }
}


/*
 * A window stays if it is for the same rate, and not larger than it has to be.
 * With "most" cells nothing is lost of what is admitted until the new one takes
 * over.
 */

static void
ngx_http_wassiit_plan_window(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan)
{
    u_char                        *base;
    uint32_t                       have;
    ngx_wassiit_rate_t             former;
    const ngx_wassiit_rate_t      *rate;
    ngx_http_wassiit_profile_t    *profile;
    ngx_http_wassiit_zone_line_t  *line;

    base = (u_char *) zone->sh;
    rate = ngx_http_wassiit_plan_rate(zone, plan->rec);

    plan->cells = ngx_wassiit_window_cells(rate, &plan->wide);
    plan->most = plan->cells;

    if (plan->former == 0) {
        return;
    }

    profile = ngx_http_wassiit_zone_at(zone->sh, plan->former);
    line = ngx_http_wassiit_zone_at(zone->sh, profile->partner);

    ngx_wassiit_window_rate(base, profile->partner, &former);

    plan->optional = (former.limit == rate->limit
                      && former.seconds == rate->seconds);
    have = ngx_wassiit_ring_lines(line->window.ring.cells,
                                  line->window.ring.wide);

    if (plan->optional
        && have == ngx_wassiit_ring_lines(plan->cells, plan->wide))
    {
        plan->line = profile->partner;
        return;
    }

    plan->cells = ngx_wassiit_window_cells_from(base, rate, profile->partner,
                                                ngx_http_wassiit_zone_clock(),
                                                &plan->most, &plan->wide);

    if (plan->optional
        && have <= ngx_wassiit_ring_lines(plan->most, plan->wide))
    {
        plan->line = profile->partner;
    }
}


static ngx_uint_t
ngx_http_wassiit_plan_same_secrets(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_record_t *rec, uint32_t secrets)
{
    size_t                       size;
    ngx_http_wassiit_secrets_t  *have;

    if (rec->secrets == NULL) {
        return 0;
    }

    have = ngx_http_wassiit_zone_at(sh, secrets);
    size = ngx_http_wassiit_record_secrets_size(rec->secrets);

    return ngx_http_wassiit_record_secrets_size(have) == size
           && CRYPTO_memcmp(have, rec->secrets, size) == 0;
}


/* Is the key as one of the record's, which has the same digest? */

static ngx_uint_t
ngx_http_wassiit_plan_same_key(ngx_http_wassiit_zone_key_t *key,
    ngx_http_wassiit_record_t *rec, ngx_http_wassiit_key_t *from,
    uint32_t secrets)
{
    u_char      *p, flags;
    uint32_t     created;
    ngx_uint_t   made;

    made = ngx_http_wassiit_plan_made(key, from);
    flags = ngx_http_wassiit_plan_flags(rec) | (made ? ZONE_MADE : 0);
    created = made ? 0 : ngx_http_wassiit_plan_seconds(from->created);

    /* a writer that died may have left times that are narrower than exact */

    if (key->flags != flags || key->scopes != rec->scopes
        || key->secrets != secrets
        || key->created != created
        || key->expires != ngx_http_wassiit_plan_seconds(from->expires)
        || key->exact_created != from->created
        || key->exact_expires != from->expires
        || key->key_id_len != from->id.len || key->name_len != rec->name.len)
    {
        return 0;
    }

    p = key->names + key->id_len;

    return ngx_memcmp(p, from->id.data, from->id.len) == 0
           && ngx_memcmp(p + key->key_id_len, rec->name.data, rec->name.len)
              == 0;
}


ngx_uint_t
ngx_http_wassiit_plan_made(ngx_http_wassiit_zone_key_t *key,
    ngx_http_wassiit_key_t *from)
{
    return from->made
           || ((key->flags & ZONE_MADE)
               && key->exact_created == from->created);
}


ngx_int_t
ngx_http_wassiit_plan_try(ngx_wassiit_lines_t *lines,
    ngx_http_wassiit_plan_t *plan)
{
    size_t              names;
    ngx_uint_t          i;
    ngx_wassiit_ring_t  ring;

    if (plan->same) {
        return NGX_OK;
    }

    if (plan->line == 0
        && !(ngx_wassiit_ring_alloc(lines, ZONE_RINGS, NULL, plan->most,
                                    plan->wide, &ring)
             == NGX_OK
             || (plan->most > plan->cells
                 && ngx_wassiit_ring_alloc(lines, ZONE_RINGS, NULL, plan->cells,
                                           plan->wide, &ring)
                    == NGX_OK)
             || plan->optional))
    {
        return NGX_DECLINED;
    }

    if (plan->line == 0 && ngx_wassiit_lines_alloc(lines, ZONE_HOT, 1) == 0
        && !plan->optional)
    {
        return NGX_DECLINED;
    }

    if (plan->secrets == 0 && plan->rec->secrets
        && ngx_wassiit_lines_alloc(lines, ZONE_SECRETS,
                                   ngx_http_wassiit_room_secrets_lines(
                                                        plan->rec->secrets))
           == 0)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < plan->rec->nkeys; i++) {
        names = ngx_http_wassiit_plan_names(plan->rec, i);

        if (plan->keys[i] == 0
            && ngx_wassiit_lines_alloc(lines, ZONE_HOT,
                                       ngx_http_wassiit_room_key_lines(names))
               == 0)
        {
            return NGX_DECLINED;
        }
    }

    return ngx_wassiit_lines_alloc(lines, ZONE_COLD, plan->profile_lines)
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_wassiit_plan_try_free(ngx_http_wassiit_zone_t *zone,
    ngx_wassiit_lines_t *lines, uint32_t former, ngx_http_wassiit_plan_t *plan)
{
    uint32_t                      *keys, place, n;
    ngx_uint_t                     i, k;
    ngx_http_wassiit_profile_t    *profile;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_key_t   *key;
    ngx_http_wassiit_zone_line_t  *line;

    if (plan && plan->same) {
        return;
    }

    sh = zone->sh;
    profile = ngx_http_wassiit_zone_at(sh, former);
    keys = ngx_http_wassiit_zone_keys(profile);

    for (i = 0; i < profile->nkeys; i++) {
        if (keys[i] == 0) {
            continue;
        }

        k = 0;

        while (plan && k < plan->rec->nkeys && plan->keys[k] != keys[i]) {
            k++;
        }

        if (plan && k < plan->rec->nkeys) {
            continue;
        }

        key = ngx_http_wassiit_zone_at(sh, keys[i]);
        (void) ngx_wassiit_lines_free(lines, keys[i],
                                      ngx_http_wassiit_room_key_size(key));
    }

    if (profile->secrets && !(plan && plan->secrets)) {
        (void) ngx_wassiit_lines_free(lines, profile->secrets,
                                      ngx_http_wassiit_room_secrets_size(sh,
                                                          profile->secrets));
    }

    if (!(plan && plan->line)) {
        line = ngx_http_wassiit_zone_at(sh, profile->partner);

        for (i = 0;
             ngx_wassiit_ring_extent((u_char *) sh, &line->window.ring, i,
                                     &place, &n)
             == NGX_OK;
             i++)
        {
            (void) ngx_wassiit_lines_free(lines, place, n);
        }

        (void) ngx_wassiit_lines_free(lines, profile->partner, 1);
    }

    (void) ngx_wassiit_lines_free(lines, former,
                                  ngx_http_wassiit_room_profile_size(profile));
}
