
/*
 * Readers: they look up, take and count, and neither lock nor allocate.  What
 * is called from outside pins first.
 */


#include "ngx_http_wassiit_zone_sh.h"


/* how often a reader looks again while a partner is being changed */
#define ZONE_TRIES              10000
#define ZONE_SPIN               100


static ngx_http_wassiit_entry_t *ngx_http_wassiit_zone_read_id(
    ngx_http_wassiit_zone_sh_t *sh, ngx_str_t *id);
static ngx_int_t ngx_http_wassiit_zone_read(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_entry_t *p, ngx_http_wassiit_info_t *info,
    ngx_uint_t full);
static void ngx_http_wassiit_zone_read_keys(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_entry_t *p, ngx_http_wassiit_info_t *info);
static ngx_http_wassiit_entry_t *ngx_http_wassiit_zone_follow(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_partner_t *partner);


void
ngx_http_wassiit_zone_join(ngx_http_wassiit_zone_t *zone,
    void (*on_pin)(ngx_http_wassiit_zone_t *zone), void *data)
{
    zone->slot = ngx_wassiit_epoch_claim(zone->sh->epoch);
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
        ngx_wassiit_epoch_unpin(zone->sh->epoch, zone->slot);
    }
}


ngx_http_wassiit_slot_t *
ngx_http_wassiit_zone_lookup_key(ngx_http_wassiit_zone_sh_t *sh,
    const u_char *digest, uint32_t **entry, uint32_t *unit)
{
    uint32_t                  tag, reach;
    uint32_t                 *e, at;
    ngx_uint_t                n;
    ngx_http_wassiit_more_t  *m;
    ngx_http_wassiit_slot_t  *slot;
    ngx_http_wassiit_entry_t *p;

    tag = ENTRY_TAG(ENTRY(ngx_http_wassiit_zone_word(digest, 1), 0, 0));

    e = ngx_http_wassiit_zone_first(&sh->keys,
                                    ngx_http_wassiit_zone_word(digest, 0));

    /* however many entries have gone, an unknown key costs no long search */
    reach = load(&sh->keys.reach);

    for (n = 0; n <= reach; n++) {
        at = load(e);

        if (at == ENTRY_EMPTY) {
            break;
        }

        if (ENTRY_TAG(at) == tag) {

            if (ENTRY_SLOT(at) == 0) {
                p = ngx_http_wassiit_zone_at(sh, ENTRY_UNIT(at));
                slot = &p->key;
                *unit = ENTRY_UNIT(at);
                ngx_http_wassiit_zone_prefetch_entry(p);

            } else {
                m = ngx_http_wassiit_zone_at(sh, ENTRY_UNIT(at));
                slot = &m->keys[ENTRY_SLOT(at) - 1];
                *unit = m->owner;
            }

            if (ngx_http_wassiit_zone_same(slot->digest, digest)) {
                *entry = e;
                return slot;
            }
        }

        e = ngx_http_wassiit_zone_next(&sh->keys, e);
    }

    return NULL;
}


void
ngx_http_wassiit_zone_prefetch(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN])
{
    __builtin_prefetch(ngx_http_wassiit_zone_first(&zone->sh->keys,
                                       ngx_http_wassiit_zone_word(digest, 0)));
}


void
ngx_http_wassiit_zone_prefetch_found(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN])
{
    uint32_t  *e;

    e = ngx_http_wassiit_zone_first(&zone->sh->keys,
                                    ngx_http_wassiit_zone_word(digest, 0));

    __builtin_prefetch(ngx_http_wassiit_zone_at(zone->sh,
                                                ENTRY_UNIT(load(e))));
}


ngx_int_t
ngx_http_wassiit_zone_find(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN],
    ngx_http_wassiit_partner_t *partner, ngx_wassiit_hmac_key_t *hmac)
{
    u_char                      *names;
    uint32_t                     unit, window, secrets;
    uint32_t                    *entry;
    uint64_t                     left, changes, version;
    ngx_http_wassiit_slot_t     *slot;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_state_t    *state;
    ngx_http_wassiit_zone_sh_t  *sh;
    ngx_http_wassiit_secrets_t  *s;

    sh = zone->sh;

    ngx_http_wassiit_zone_pin(zone);

    left = load(&sh->left);

    if (left && ngx_http_wassiit_zone_clock() >= left) {
        return NGX_ABORT;
    }

    for ( ;; ) {
        changes = load(&sh->changes);

        slot = ngx_http_wassiit_zone_lookup_key(sh, digest, &entry, &unit);

        if (slot == NULL) {
            __atomic_thread_fence(__ATOMIC_ACQUIRE);

            if (load(&sh->changes) == changes) {
                return NGX_DECLINED;
            }

            continue;
        }

        if (unit >= sh->units) {
            /* read from memory that was used again meanwhile */
            continue;
        }

        p = ngx_http_wassiit_zone_at(sh, unit);

        version = load(&p->version);
        state = &p->state[version & 1];

        window = state->window;
        __builtin_prefetch(ngx_http_wassiit_zone_at(sh, window));

        partner->unit = unit;
        partner->turn = zone->turn;
        partner->slot = slot;
        partner->serial = p->serial;
        partner->created = slot->made ? INT64_MIN : slot->created;
        partner->expires = slot->expires;
        partner->enabled = state->enabled;
        partner->scopes = state->scopes;

        secrets = state->secrets;
        partner->hmac = 0;

        if (hmac && secrets && secrets < sh->units) {
            s = ngx_http_wassiit_zone_at(sh, secrets);
            partner->hmac = (s->has_hmac != 0);
            *hmac = s->hmac;
        }

        /* lengths of what isn't valid any more may be anything */

        partner->id_len = ngx_min(p->id_len, NGX_HTTP_WASSIIT_ID_LEN);
        partner->key_id_len = ngx_min(slot->id_len, NGX_HTTP_WASSIIT_ID_LEN);
        partner->name_len = ngx_min(state->name_len,
                                    NGX_HTTP_WASSIIT_NAME_LEN);

        names = ngx_cpymem(partner->names, p->id, partner->id_len);
        names = ngx_cpymem(names, slot->id, partner->key_id_len);
        ngx_memcpy(names, state->name, partner->name_len);

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (load(&p->version) == version && load(&sh->changes) == changes) {
            ngx_wassiit_window_prefetch(sh->base, window);
            return NGX_OK;
        }
    }
}


ngx_int_t
ngx_http_wassiit_zone_webhook(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_wassiit_hmac_key_t *key)
{
    uint32_t                     secrets;
    uint64_t                     changes, version;
    ngx_uint_t                   has;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;
    ngx_http_wassiit_secrets_t  *s;

    sh = zone->sh;

    ngx_http_wassiit_zone_pin(zone);

    for ( ;; ) {
        changes = load(&sh->changes);

        p = ngx_http_wassiit_zone_read_id(sh, id);
        version = 0;
        has = 0;

        if (p) {
            version = load(&p->version);
            secrets = p->state[version & 1].secrets;

            if (secrets && secrets < sh->units) {
                s = ngx_http_wassiit_zone_at(sh, secrets);
                has = s->has_webhook;
                *key = s->webhook;
            }
        }

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (load(&sh->changes) != changes
            || (p && load(&p->version) != version))
        {
            continue;
        }

        return (p == NULL) ? NGX_DECLINED : has ? NGX_OK : NGX_ABORT;
    }
}


ngx_int_t
ngx_http_wassiit_zone_take(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, ngx_wassiit_usage_t *usage)
{
    uint32_t                     window;
    uint64_t                     version;
    ngx_int_t                    rc;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    p = ngx_http_wassiit_zone_follow(zone, partner);

    if (p == NULL) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        version = load(&p->version);
        window = p->state[version & 1].window;

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (load(&p->serial) != partner->serial) {
            return NGX_ERROR;
        }

        if (load(&p->version) != version) {
            continue;
        }

        rc = ngx_wassiit_window_take(sh->base, window,
                                     ngx_http_wassiit_zone_clock(), usage);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


void
ngx_http_wassiit_zone_used(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, time_t now)
{
    ngx_http_wassiit_slot_t  *slot;

    if (!zone->pinned || partner->turn != zone->turn) {
        /* the slot may be another key's by now */
        return;
    }

    slot = partner->slot;

    if (slot->last_used < (uint32_t) now) {
        store(&slot->last_used, now);
    }
}


void
ngx_http_wassiit_zone_count(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner, ngx_uint_t counter)
{
    ngx_http_wassiit_entry_t  *p;

    p = ngx_http_wassiit_zone_follow(zone, partner);

    if (p) {
        (void) __atomic_fetch_add(&p->counts[counter], 1, __ATOMIC_RELAXED);
    }
}


/* Returns the partner that was found, in any turn; NULL: it is gone. */

static ngx_http_wassiit_entry_t *
ngx_http_wassiit_zone_follow(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_partner_t *partner)
{
    uint64_t                     changes;
    ngx_str_t                    id;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_http_wassiit_zone_pin(zone);

    /* who hasn't joined may have changed partners meanwhile */

    if (zone->joined && partner->turn == zone->turn) {
        p = ngx_http_wassiit_zone_at(sh, partner->unit);
        return (load(&p->serial) == partner->serial) ? p : NULL;
    }

    id.len = partner->id_len;
    id.data = partner->names;

    do {
        changes = load(&sh->changes);
        p = ngx_http_wassiit_zone_read_id(sh, &id);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);

    } while (p == NULL && load(&sh->changes) != changes);

    if (p == NULL || load(&p->serial) != partner->serial) {
        return NULL;
    }

    partner->unit = ((u_char *) p - sh->base) / NGX_WASSIIT_UNIT;
    partner->turn = zone->turn;

    return p;
}


ngx_uint_t
ngx_http_wassiit_zone_partners(ngx_http_wassiit_zone_t *zone)
{
    return load(&zone->sh->ids.used);
}


ngx_int_t
ngx_http_wassiit_zone_get(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    ngx_http_wassiit_zone_pin(zone);

    return ngx_http_wassiit_zone_read_partner(zone->sh, id, info);
}


ngx_int_t
ngx_http_wassiit_zone_read_partner(ngx_http_wassiit_zone_sh_t *sh,
    ngx_str_t *id, ngx_http_wassiit_info_t *info)
{
    uint64_t                   changes;
    ngx_http_wassiit_entry_t  *p;

    for ( ;; ) {
        changes = load(&sh->changes);

        p = ngx_http_wassiit_zone_read_id(sh, id);

        if (p == NULL) {
            __atomic_thread_fence(__ATOMIC_ACQUIRE);

            if (load(&sh->changes) == changes) {
                return NGX_DECLINED;
            }

            continue;
        }

        if (ngx_http_wassiit_zone_read(sh, p, info, 1) == NGX_OK
            && info->id_len == id->len
            && ngx_memcmp(info->id, id->data, id->len) == 0)
        {
            return NGX_OK;
        }
    }
}


ngx_int_t
ngx_http_wassiit_zone_get_after(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    uint32_t                     unit, next;
    uint64_t                     changes;
    ngx_uint_t                   level;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_http_wassiit_zone_pin(zone);

again:

    changes = load(&sh->changes);
    unit = 0;
    next = 0;

    for (level = ZONE_LEVELS; level--; /* void */) {
        for ( ;; ) {
            next = load(ngx_http_wassiit_zone_after(sh, unit, level));

            if (next >= sh->units) {
                goto again;
            }

            if (next == 0
                || ngx_http_wassiit_zone_compare(sh, next, id->data, id->len)
                   > 0)
            {
                break;
            }

            unit = next;

            if (load(&sh->changes) != changes) {
                /* it may have been a partner's no more */
                goto again;
            }
        }
    }

    if (next == 0) {
        return NGX_DECLINED;
    }

    if (ngx_http_wassiit_zone_read(sh, ngx_http_wassiit_zone_at(sh, next),
                                   info, 0)
        != NGX_OK
        || load(&sh->changes) != changes)
    {
        goto again;
    }

    return NGX_OK;
}


/* Returns the partner of this id, or NULL: sh->changes tells if that holds. */

static ngx_http_wassiit_entry_t *
ngx_http_wassiit_zone_read_id(ngx_http_wassiit_zone_sh_t *sh, ngx_str_t *id)
{
    uint32_t                   hash, value;
    uint32_t                  *e;
    ngx_uint_t                 n;
    ngx_http_wassiit_entry_t  *p;

    hash = ngx_murmur_hash2(id->data, id->len);
    e = ngx_http_wassiit_zone_first(&sh->ids, hash);

    for (n = 0; n <= load(&sh->ids.reach); n++) {
        value = load(e);

        if (value == ENTRY_EMPTY) {
            break;
        }

        if (ENTRY_TAG(value) == ENTRY_TAG(ENTRY(hash, 0, 0))) {
            p = ngx_http_wassiit_zone_at(sh, ENTRY_UNIT(value));

            if (p->id_len == id->len
                && ngx_memcmp(p->id, id->data, id->len) == 0)
            {
                return p;
            }
        }

        e = ngx_http_wassiit_zone_next(&sh->ids, e);
    }

    return NULL;
}


/* Returns NGX_AGAIN if p is no partner any more. */

static ngx_int_t
ngx_http_wassiit_zone_read(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_entry_t *p, ngx_http_wassiit_info_t *info,
    ngx_uint_t full)
{
    uint32_t                     window, edits;
    uint64_t                     changes, serial, version;
    ngx_uint_t                   n;
    ngx_http_wassiit_state_t    *state;
    ngx_http_wassiit_secrets_t  *s;

    for (n = 0; /* void */ ; n++) {
        changes = load(&sh->changes);
        edits = load(&p->edits);
        serial = load(&p->serial);
        version = load(&p->version);

        if (serial == 0) {
            return NGX_AGAIN;
        }

        if ((edits & 1) && n < ZONE_TRIES) {
            /* not for ever: its writer may have died */
            ngx_cpu_pause();

            if (n > ZONE_SPIN) {
                ngx_sched_yield();
            }

            continue;
        }

        state = &p->state[version & 1];
        window = state->window;

        info->scopes = state->scopes;
        info->enabled = state->enabled;

        info->id_len = ngx_min(p->id_len, NGX_HTTP_WASSIIT_ID_LEN);
        ngx_memcpy(info->id, p->id, NGX_HTTP_WASSIIT_ID_LEN);

        info->name_len = ngx_min(state->name_len, NGX_HTTP_WASSIIT_NAME_LEN);
        ngx_memcpy(info->name, state->name, NGX_HTTP_WASSIIT_NAME_LEN);

        info->hmac = 0;
        info->webhook = 0;

        if (state->secrets && state->secrets < sh->units) {
            s = ngx_http_wassiit_zone_at(sh, state->secrets);
            info->hmac = (s->has_hmac != 0);
            info->webhook = (s->has_webhook != 0);
        }

        info->nkeys = 0;

        if (full) {
            ngx_http_wassiit_zone_read_keys(sh, p, info);
        }

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (load(&p->serial) != serial || load(&p->version) != version
            || load(&p->edits) != edits || load(&sh->changes) != changes)
        {
            continue;
        }

        ngx_wassiit_window_rate(sh->base, window, &info->rate);

        if (!full
            || ngx_wassiit_window_usage(sh->base, window,
                                        ngx_http_wassiit_zone_clock(),
                                        &info->usage)
               == NGX_OK)
        {
            return NGX_OK;
        }
    }
}


static void
ngx_http_wassiit_zone_read_keys(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_entry_t *p, ngx_http_wassiit_info_t *info)
{
    uint32_t                      more;
    ngx_uint_t                    i, n;
    ngx_http_wassiit_slot_t      *slot;
    ngx_http_wassiit_more_t      *m;
    ngx_http_wassiit_key_info_t  *key;

    slot = &p->key;
    more = load(&p->more);
    n = 1;

    for ( ;; ) {
        for (i = 0; i < n; i++, slot++) {
            if (!load(&slot->used)) {
                continue;
            }

            if (info->nkeys == 2 * NGX_HTTP_WASSIIT_KEYS) {
                return;
            }

            key = &info->keys[info->nkeys++];

            key->created = slot->created;
            key->expires = slot->expires;
            key->last_used = slot->last_used;
            key->id_len = ngx_min(slot->id_len, NGX_HTTP_WASSIIT_ID_LEN);
            ngx_memcpy(key->id, slot->id, NGX_HTTP_WASSIIT_ID_LEN);
        }

        if (more == 0 || more >= sh->units) {
            return;
        }

        m = ngx_http_wassiit_zone_at(sh, more);
        slot = m->keys;
        more = load(&m->next);
        n = ZONE_MORE_KEYS;
    }
}
