
/*
 * Readers: they look up, take and count, and neither lock nor allocate.  What
 * is called from outside pins first.  What they reach is whole, and stays as it
 * is until they unpin.
 */


#include "ngx_http_wassiit_zone_sh.h"


/*
 * How often a reader looks again for a line that another one has taken the
 * place of: each time a writer has changed the partner's rate meanwhile.
 */
#define ZONE_TRIES              100


static uint32_t ngx_http_wassiit_zone_bound(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, uint64_t now);
static ngx_http_wassiit_zone_line_t *ngx_http_wassiit_zone_follow(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_partner_t *partner);
static uint64_t ngx_http_wassiit_zone_read_tag(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile);
static void ngx_http_wassiit_zone_read(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info);
static void ngx_http_wassiit_zone_read_keys(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info);
static void ngx_http_wassiit_zone_read_secrets(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info);
static void ngx_http_wassiit_zone_read_counts(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info);
static uint32_t *ngx_http_wassiit_zone_next(void *data, uint32_t place,
    ngx_uint_t level);
static const u_char *ngx_http_wassiit_zone_id_at(void *data, uint32_t place,
    size_t *len);


void
ngx_http_wassiit_zone_join(ngx_http_wassiit_zone_t *zone,
    void (*on_pin)(ngx_http_wassiit_zone_t *zone), void *data)
{
    zone->slot = ngx_wassiit_epoch_claim(ngx_http_wassiit_zone_epoch(zone->sh));
    zone->joined = 1;
    zone->on_pin = on_pin;
    zone->data = data;
}


void
ngx_http_wassiit_zone_unpin(ngx_http_wassiit_zone_t *zone)
{
    if (!zone->pinned) {
        return;
    }

    zone->pinned = 0;
    zone->turn++;

    if (zone->joined) {
        ngx_wassiit_epoch_unpin(ngx_http_wassiit_zone_epoch(zone->sh),
                                zone->slot);
    }
}


void
ngx_http_wassiit_zone_prefetch(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN])
{
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_wassiit_index_prefetch(ngx_http_wassiit_zone_at(sh, sh->key_words),
                               &sh->keys,
                               ngx_http_wassiit_zone_word(digest, 0));
}


void
ngx_http_wassiit_zone_prefetch_found(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN])
{
    uint32_t                      word;
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_zone_sh_t   *sh;
    ngx_http_wassiit_zone_key_t  *key;

    sh = zone->sh;

    ngx_http_wassiit_zone_pin(zone);

    word = ngx_wassiit_index_first(&probe,
                             ngx_http_wassiit_zone_at(sh, sh->key_words),
                             &sh->keys, ngx_http_wassiit_zone_word(digest, 0),
                             ngx_http_wassiit_zone_word(digest, 1));
    if (word) {
        key = ngx_http_wassiit_zone_at(sh, NGX_WASSIIT_INDEX_PLACE(word));

        __builtin_prefetch(key);
        __builtin_prefetch(&key->exact_created);
    }
}


ngx_int_t
ngx_http_wassiit_zone_find(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN],
    ngx_http_wassiit_partner_t *partner, ngx_wassiit_hmac_key_t *hmac)
{
    u_char                         flags;
    uint64_t                       left;
    uint32_t                       place;
    ngx_uint_t                     n;
    ngx_wassiit_probe_t            probe;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_secrets_t    *secrets;
    ngx_http_wassiit_zone_key_t   *key;
    ngx_http_wassiit_zone_line_t  *line;

    sh = zone->sh;

    ngx_http_wassiit_zone_pin(zone);

    left = load(&sh->left);

    if (left && ngx_http_wassiit_zone_clock() >= left) {
        return NGX_ABORT;
    }

    for (n = 0; /* void */ ; n++) {
        place = ngx_http_wassiit_zone_lookup_key(sh, digest, &probe);

        if (place == 0 || n == ZONE_TRIES) {
            return NGX_DECLINED;
        }

        key = ngx_http_wassiit_zone_at(sh, place);

        partner->line = load(&key->partner);
        line = ngx_http_wassiit_zone_at(sh, partner->line);
        partner->generation = load(&line->generation);

        if (partner->generation) {
            break;
        }

        /* a writer has just given the partner another line, or taken it away */
    }

    ngx_wassiit_window_prefetch((u_char *) sh, partner->line);

    partner->key = key;
    partner->turn = zone->turn;

    /* in this order, as a writer without room changes them the other way */

    flags = load(&key->flags);
    partner->scopes = load(&key->scopes);

    partner->created = key->created ? (int64_t) key->created : INT64_MIN;
    partner->expires = (key->expires == ZONE_NEVER) ? INT64_MAX
                                                    : (int64_t) key->expires;
    partner->enabled = ((flags & ZONE_ENABLED) != 0);

    partner->asks = 0;
    partner->hmac = 0;
    place = load(&key->secrets);

    if (hmac && place && (flags & ZONE_HMAC)) {
        secrets = ngx_http_wassiit_zone_at(sh, place);
        partner->hmac = 1;
        *hmac = secrets->hmac;
    }

    partner->id_len = key->id_len;
    partner->key_id_len = key->key_id_len;
    partner->name_len = key->name_len;

    ngx_memcpy(partner->names, key->names,
               (size_t) key->id_len + key->key_id_len + key->name_len);

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_zone_former(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, time_t now,
    ngx_wassiit_hmac_key_t *hmac)
{
    uint32_t                      place;
    ngx_http_wassiit_secrets_t   *secrets;
    ngx_http_wassiit_zone_key_t  *key;

    if (!zone->pinned || partner->turn != zone->turn || !partner->hmac) {
        return NGX_DECLINED;
    }

    /* as the key has it now: what it had stays where it is while it's pinned */

    key = partner->key;
    place = load(&key->secrets);

    if (place == 0) {
        return NGX_DECLINED;
    }

    secrets = ngx_http_wassiit_zone_at(zone->sh, place);

    if (!secrets->has_former || now >= secrets->former_expires) {
        return NGX_DECLINED;
    }

    *hmac = ngx_http_wassiit_record_overlap(secrets)->former_hmac;

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_zone_webhook(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    time_t now, ngx_wassiit_hmac_key_t *key, ngx_wassiit_hmac_key_t *next,
    ngx_uint_t *has_next)
{
    u_char                       flags;
    uint32_t                     place;
    ngx_wassiit_probe_t          probe;
    ngx_http_wassiit_overlap_t  *overlap;
    ngx_http_wassiit_profile_t  *profile;
    ngx_http_wassiit_secrets_t  *secrets;

    ngx_http_wassiit_zone_pin(zone);

    place = ngx_http_wassiit_zone_lookup_id(zone->sh, id->data, id->len,
                                            &probe);
    if (place == 0) {
        return NGX_DECLINED;
    }

    profile = ngx_http_wassiit_zone_at(zone->sh, place);

    flags = load(&profile->flags);
    place = load(&profile->secrets);

    if (!(flags & ZONE_WEBHOOK) || place == 0) {
        return NGX_ABORT;
    }

    secrets = ngx_http_wassiit_zone_at(zone->sh, place);
    *has_next = 0;

    if (!secrets->has_next) {
        *key = secrets->webhook;
        return NGX_OK;
    }

    overlap = ngx_http_wassiit_record_overlap(secrets);

    if (now >= secrets->next_expires) {
        *key = overlap->next_webhook;
        return NGX_OK;
    }

    *key = secrets->webhook;
    *next = overlap->next_webhook;
    *has_next = 1;

    return NGX_OK;
}


ngx_uint_t
ngx_http_wassiit_zone_is_stale(ngx_http_wassiit_zone_t *zone)
{
    return ngx_http_wassiit_claims_is_stale(&zone->claims,
                                            ngx_http_wassiit_zone_clock());
}


ngx_int_t
ngx_http_wassiit_zone_take(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, ngx_wassiit_usage_t *usage)
{
    uint32_t    most;
    uint64_t    now;
    ngx_int_t   rc;
    ngx_uint_t  n;

    for (n = 0; n < ZONE_TRIES; n++) {

        if (ngx_http_wassiit_zone_follow(zone, partner) == NULL) {
            return NGX_ERROR;
        }

        now = ngx_http_wassiit_zone_clock();
        most = NGX_HTTP_WASSIIT_CLAIMS_ALL;

        if (zone->claims.sh
            && (now >= ngx_http_wassiit_claims_calm(&zone->claims)
                || !ngx_http_wassiit_zone_is_divided(zone)))
        {
            most = ngx_http_wassiit_zone_bound(zone, partner, now);
        }

        rc = ngx_wassiit_window_take_within((u_char *) zone->sh,
                                            partner->line, now, most, usage);

        if (rc != NGX_AGAIN) {

            if (zone->claims.sh) {
                partner->cap = ngx_wassiit_window_cap((u_char *) zone->sh,
                                                      partner->line);
                partner->cap = ngx_min(partner->cap, most);
            }

            return rc;
        }

        /* its rate was changed since: it has another line */
        partner->turn = zone->turn - 1;
    }

    return NGX_ERROR;
}


/* What bounds a window besides its cap, while the node's state does. */

static uint32_t
ngx_http_wassiit_zone_bound(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, uint64_t now)
{
    uint32_t            most;
    ngx_str_t           id;
    ngx_wassiit_rate_t  rate;

    id.data = partner->names;
    id.len = partner->id_len;

    ngx_wassiit_window_rate((u_char *) zone->sh, partner->line, &rate);

    most = ngx_http_wassiit_claims_most(&zone->claims, &id, rate.limit,
                                        rate.seconds, now);

    if (!ngx_http_wassiit_zone_is_divided(zone)) {
        /* its cap is still as it was without the cluster */
        most = ngx_min(most, ngx_http_wassiit_claims_own(&zone->claims,
                                                         rate.limit));
    }

    return most;
}


void
ngx_http_wassiit_zone_used(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, time_t now)
{
    ngx_http_wassiit_zone_key_t  *key;

    if (!zone->pinned || partner->turn != zone->turn) {
        /* something else may lie there by now */
        return;
    }

    key = partner->key;

    if (key && key->last_used < (uint32_t) now) {
        partner->asks |= (key->last_used / NGX_HTTP_WASSIIT_BOARD_EPOCH
                          != (uint32_t) now / NGX_HTTP_WASSIIT_BOARD_EPOCH);
        store(&key->last_used, now);
    }
}


void
ngx_http_wassiit_zone_count(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, ngx_uint_t counter)
{
    ngx_http_wassiit_profile_t    *profile;
    ngx_http_wassiit_zone_line_t  *line;

    line = ngx_http_wassiit_zone_follow(zone, partner);

    if (line == NULL) {
        return;
    }

    if (counter < NGX_HTTP_WASSIIT_COUNT_RARE) {
        (void) ngx_wassiit_add(&line->counts[counter], 1);
        return;
    }

    profile = ngx_http_wassiit_zone_at(zone->sh, load(&line->window.owner));

    ngx_http_wassiit_zone_add(
                      &profile->counts[counter - NGX_HTTP_WASSIIT_COUNT_RARE],
                      1);
}


/*
 * Returns the line of the partner that was found, in any turn, and sets
 * partner->line to its place; NULL: the partner is gone.
 */

static ngx_http_wassiit_zone_line_t *
ngx_http_wassiit_zone_follow(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner)
{
    uint32_t                       place;
    ngx_wassiit_probe_t            probe;
    ngx_http_wassiit_profile_t    *profile;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_line_t  *line;

    sh = zone->sh;

    ngx_http_wassiit_zone_pin(zone);

    /* a process that hasn't joined may have changed partners meanwhile */

    if (zone->joined && partner->turn == zone->turn) {
        line = ngx_http_wassiit_zone_at(sh, partner->line);

        if (load(&line->generation) == partner->generation) {
            return line;
        }
    }

    place = ngx_http_wassiit_zone_lookup_id(sh, partner->names,
                                            partner->id_len, &probe);
    if (place == 0) {
        return NULL;
    }

    profile = ngx_http_wassiit_zone_at(sh, place);
    line = ngx_http_wassiit_zone_at(sh, profile->partner);

    if (load(&line->generation) != partner->generation) {
        return NULL;
    }

    partner->line = profile->partner;
    partner->key = NULL;
    partner->turn = zone->turn;

    return line;
}


uint32_t
ngx_http_wassiit_zone_loads(ngx_http_wassiit_zone_t *zone)
{
    return load(&zone->sh->loads);
}


ngx_uint_t
ngx_http_wassiit_zone_partners(ngx_http_wassiit_zone_t *zone)
{
    return ngx_wassiit_index_used(&zone->sh->ids);
}


ngx_uint_t
ngx_http_wassiit_zone_disabled(ngx_http_wassiit_zone_t *zone)
{
    return load(&zone->sh->disabled);
}


ngx_int_t
ngx_http_wassiit_zone_get(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    ngx_http_wassiit_zone_pin(zone);

    return ngx_http_wassiit_zone_read_partner(zone->sh, id, info, ZONE_ALL);
}


ngx_int_t
ngx_http_wassiit_zone_get_untagged(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_http_wassiit_info_t *info)
{
    ngx_http_wassiit_zone_pin(zone);

    return ngx_http_wassiit_zone_read_partner(zone->sh, id, info, ZONE_KEYS);
}


ngx_int_t
ngx_http_wassiit_zone_glance(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    ngx_http_wassiit_zone_pin(zone);

    return ngx_http_wassiit_zone_read_partner(zone->sh, id, info, 0);
}


size_t
ngx_http_wassiit_zone_used_bytes(ngx_http_wassiit_zone_t *zone)
{
    uint32_t  left;

    left = ngx_wassiit_lines_left(ngx_http_wassiit_zone_lines(zone->sh));

    return zone->size - (size_t) left * NGX_WASSIIT_LINE;
}


ngx_int_t
ngx_http_wassiit_zone_read_partner(ngx_http_wassiit_zone_sh_t *sh,
    ngx_str_t *id, ngx_http_wassiit_info_t *info, ngx_uint_t parts)
{
    uint32_t                     place;
    ngx_uint_t                   n;
    ngx_wassiit_probe_t          probe;
    ngx_http_wassiit_profile_t  *profile;

    for (n = 0; n < ZONE_TRIES; n++) {
        place = ngx_http_wassiit_zone_lookup_id(sh, id->data, id->len, &probe);

        if (place == 0) {
            return NGX_DECLINED;
        }

        profile = ngx_http_wassiit_zone_at(sh, place);

        if (parts & ZONE_TAG) {
            /* first: if it is of an amended profile, so is all of the rest */
            info->tag = ngx_http_wassiit_zone_read_tag(sh, profile);
        }

        ngx_http_wassiit_zone_read(sh, profile, info);
        info->nkeys = 0;

        if (parts & ZONE_KEYS) {
            ngx_http_wassiit_zone_read_keys(sh, profile, info);
            ngx_http_wassiit_zone_read_secrets(sh, profile, info);
        }

        ngx_http_wassiit_zone_read_counts(sh, profile, info);

        if (ngx_wassiit_window_usage((u_char *) sh, profile->partner,
                                     ngx_http_wassiit_zone_clock(),
                                     &info->usage)
            == NGX_OK)
        {
            return NGX_OK;
        }
    }

    ngx_memzero(&info->usage, sizeof(ngx_wassiit_usage_t));

    return NGX_OK;
}


ngx_uint_t
ngx_http_wassiit_zone_walk(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_uint_t most,
    ngx_int_t (*visit)(ngx_http_wassiit_info_t *info, void *data), void *data)
{
    uint32_t                  place;
    ngx_uint_t                n;
    ngx_http_wassiit_info_t   info;
    ngx_wassiit_order_list_t  list;

    ngx_http_wassiit_zone_pin(zone);

    ngx_http_wassiit_zone_list(zone->sh, &list);

    info.nkeys = 0;
    place = ngx_wassiit_order_after(&list, id->data, id->len);

    for (n = 0; place && n < most; n++) {
        ngx_http_wassiit_zone_read(zone->sh,
                                   ngx_http_wassiit_zone_at(zone->sh, place),
                                   &info);

        place = ngx_wassiit_order_next(&list, place);

        if (visit(&info, data) != NGX_OK) {
            break;
        }
    }

    return place != 0;
}


/*
 * The tag of what the profile was made of.  What a writer is amending has one
 * that no line has.
 */

static uint64_t
ngx_http_wassiit_zone_read_tag(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile)
{
    u_char                        flags;
    uint32_t                     *places, place;
    ngx_uint_t                    i;
    ngx_http_wassiit_key_t        keys[NGX_HTTP_WASSIIT_KEYS], *to;
    ngx_http_wassiit_record_t     rec;
    ngx_http_wassiit_zone_key_t  *key;

    ngx_memzero(&rec, sizeof(ngx_http_wassiit_record_t));

    flags = load(&profile->flags);
    place = load(&profile->secrets);

    rec.id.data = ngx_http_wassiit_zone_id(profile);
    rec.id.len = profile->id_len;
    rec.name.data = rec.id.data + rec.id.len;
    rec.name.len = profile->name_len;
    rec.scopes = load(&profile->scopes);
    rec.enabled = ((flags & ZONE_ENABLED) != 0);
    rec.secrets = place ? ngx_http_wassiit_zone_at(sh, place) : NULL;
    rec.keys = keys;

    if (flags & ZONE_RATE) {
        ngx_wassiit_window_rate((u_char *) sh, profile->partner, &rec.rate);
    }

    places = ngx_http_wassiit_zone_keys(profile);

    for (i = 0; i < profile->nkeys; i++) {
        place = load(&places[i]);

        if (place == 0) {
            continue;
        }

        key = ngx_http_wassiit_zone_at(sh, place);
        to = &keys[rec.nkeys++];

        ngx_memcpy(to->digest, key->digest, NGX_WASSIIT_DIGEST_LEN);
        to->id.data = key->names + key->id_len;
        to->id.len = key->key_id_len;
        to->created = load(&key->exact_created);
        to->expires = load(&key->exact_expires);
    }

    return ngx_http_wassiit_etag(&sh->tags[load(&sh->tag)].key, &rec);
}


static void
ngx_http_wassiit_zone_read(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info)
{
    u_char  *id;

    info->rev = load(&profile->rev);
    info->scopes = profile->scopes;
    info->enabled = ((profile->flags & ZONE_ENABLED) != 0);
    info->hmac = ((profile->flags & ZONE_HMAC) != 0);
    info->webhook = ((profile->flags & ZONE_WEBHOOK) != 0);

    id = ngx_http_wassiit_zone_id(profile);

    info->id_len = profile->id_len;
    ngx_memcpy(info->id, id, profile->id_len);

    info->name_len = profile->name_len;
    ngx_memcpy(info->name, id + profile->id_len, profile->name_len);

    ngx_wassiit_window_rate((u_char *) sh, profile->partner, &info->rate);
}


static void
ngx_http_wassiit_zone_read_keys(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info)
{
    uint32_t                     *keys, place;
    ngx_uint_t                    i;
    ngx_http_wassiit_key_info_t  *to;
    ngx_http_wassiit_zone_key_t  *key;

    keys = ngx_http_wassiit_zone_keys(profile);
    info->nkeys = 0;

    for (i = 0; i < profile->nkeys; i++) {
        place = load(&keys[i]);

        if (place == 0) {
            continue;
        }

        key = ngx_http_wassiit_zone_at(sh, place);
        to = &info->keys[info->nkeys++];

        to->created = key->exact_created;
        to->expires = key->exact_expires;
        to->last_used = load(&key->last_used);
        to->id_len = key->key_id_len;
        ngx_memcpy(to->id, key->names + key->id_len, key->key_id_len);
    }
}


static void
ngx_http_wassiit_zone_read_secrets(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info)
{
    uint32_t                     place;
    ngx_http_wassiit_secrets_t  *secrets;

    info->former_expires = INT64_MIN;
    info->next_expires = INT64_MIN;

    place = load(&profile->secrets);

    if (place == 0) {
        return;
    }

    secrets = ngx_http_wassiit_zone_at(sh, place);

    if (secrets->has_former) {
        info->former_expires = secrets->former_expires;
    }

    if (secrets->has_next) {
        info->next_expires = secrets->next_expires;
    }
}


static void
ngx_http_wassiit_zone_read_counts(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_profile_t *profile, ngx_http_wassiit_info_t *info)
{
    ngx_uint_t                     i;
    ngx_http_wassiit_zone_line_t  *line;

    line = ngx_http_wassiit_zone_at(sh, profile->partner);
    info->generation = load(&line->generation);

    for (i = 0; i < NGX_HTTP_WASSIIT_COUNT_RARE; i++) {
        info->counts[i] = load(&line->counts[i]);
    }

    for ( /* void */ ; i < NGX_HTTP_WASSIIT_COUNTS; i++) {
        info->counts[i] =
            load(&profile->counts[i - NGX_HTTP_WASSIIT_COUNT_RARE]);
    }
}


void
ngx_http_wassiit_zone_list(ngx_http_wassiit_zone_sh_t *sh,
    ngx_wassiit_order_list_t *list)
{
    list->order = &sh->order;
    list->data = sh;
    list->next = ngx_http_wassiit_zone_next;
    list->id = ngx_http_wassiit_zone_id_at;
}


static uint32_t *
ngx_http_wassiit_zone_next(void *data, uint32_t place, ngx_uint_t level)
{
    ngx_http_wassiit_profile_t  *profile;

    profile = ngx_http_wassiit_zone_at(data, place);

    return &profile->words[level];
}


static const u_char *
ngx_http_wassiit_zone_id_at(void *data, uint32_t place, size_t *len)
{
    ngx_http_wassiit_profile_t  *profile;

    profile = ngx_http_wassiit_zone_at(data, place);
    *len = profile->id_len;

    return ngx_http_wassiit_zone_id(profile);
}
