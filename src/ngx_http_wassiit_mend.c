
#include "ngx_http_wassiit_mend.h"


static ngx_int_t ngx_http_wassiit_mend_locked(ngx_http_wassiit_zone_t *zone,
    ngx_int_t rc);
static void ngx_http_wassiit_mend(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_mend_lines(ngx_http_wassiit_zone_t *zone);
static ngx_uint_t ngx_http_wassiit_mend_is_orphan(
    ngx_http_wassiit_zone_sh_t *sh, uint32_t place);


ngx_int_t
ngx_http_wassiit_mend_lock(ngx_http_wassiit_zone_t *zone, ngx_uint_t patience)
{
    ngx_int_t  rc;

    rc = ngx_wassiit_robust_lock(&zone->sh->mutex,
                                 ngx_wassiit_robust_now() + patience);

    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "another process changes wassiit_zone \"%V\", and does "
                      "not go on: is one of nginx's processes stopped?",
                      &zone->name);

    } else if (rc == NGX_ERROR) {
        /* can't be */
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "locking wassiit_zone \"%V\" failed", &zone->name);
    }

    return ngx_http_wassiit_mend_locked(zone, rc);
}


/* The same, without waiting, and without a word if there is a writer. */

ngx_int_t
ngx_http_wassiit_mend_trylock(ngx_http_wassiit_zone_t *zone)
{
    return ngx_http_wassiit_mend_locked(zone,
                                ngx_wassiit_robust_trylock(&zone->sh->mutex));
}


static ngx_int_t
ngx_http_wassiit_mend_locked(ngx_http_wassiit_zone_t *zone, ngx_int_t rc)
{
    if (rc == NGX_DONE) {
        ngx_http_wassiit_mend(zone);
        ngx_wassiit_robust_consistent(&zone->sh->mutex);

    } else if (rc != NGX_OK) {
        return NGX_BUSY;
    }

    zone->patience = 0;

    return NGX_OK;
}


void
ngx_http_wassiit_mend_unlock(ngx_http_wassiit_zone_t *zone)
{
    ngx_wassiit_robust_unlock(&zone->sh->mutex);
}


/* Brings to an end what a writer that died has begun. */

static void
ngx_http_wassiit_mend(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                     at, place, coming, going;
    ngx_wassiit_probe_t          probe;
    ngx_wassiit_order_list_t     list;
    ngx_http_wassiit_profile_t  *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    ngx_http_wassiit_room_mend(zone);

    ngx_http_wassiit_zone_list(sh, &list);
    ngx_wassiit_order_mend(&list);

    (void) ngx_wassiit_index_recount(ngx_http_wassiit_zone_at(sh,
                                                              sh->key_words),
                                     &sh->keys);
    (void) ngx_wassiit_index_recount(ngx_http_wassiit_zone_at(sh,
                                                              sh->id_words),
                                     &sh->ids);

    zone->empty = 0;

    coming = sh->coming;
    going = sh->going;

    if (coming && going == 0) {
        /* its writer died before it noted, or after it had forgotten, that */
        p = ngx_http_wassiit_zone_at(sh, coming);
        place = ngx_http_wassiit_zone_lookup_id(sh, ngx_http_wassiit_zone_id(p),
                                                p->id_len, &probe);
        going = (place == coming) ? 0 : place;
    }

    if (coming) {
        ngx_http_wassiit_partner_publish(zone, coming, going);
        ngx_http_wassiit_partner_finish(zone, coming, going);

    } else if (going) {
        ngx_http_wassiit_partner_withdraw(zone, going);
    }

    /* keys that a load, or the above, left without their partner */

    at = 0;

    for ( ;; ) {
        place = ngx_http_wassiit_zone_each_key(sh, &at);

        if (place == 0) {
            break;
        }

        if (ngx_http_wassiit_mend_is_orphan(sh, place)) {
            ngx_http_wassiit_partner_remove_key(sh, place);
        }
    }

    /* by now all keys of a partner lead to its line */
    ngx_http_wassiit_mend_lines(zone);

    /* what this has made unreachable was still to be found until now */
    ngx_http_wassiit_room_lost(zone);
}


/*
 * Lines that were put in force, and have not let go of those before them; and
 * how many partners are disabled.
 */

static void
ngx_http_wassiit_mend_lines(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                       at, place, from, disabled;
    ngx_http_wassiit_profile_t    *p;
    ngx_http_wassiit_zone_sh_t    *sh;
    ngx_http_wassiit_zone_line_t  *line, *former;

    sh = zone->sh;
    at = 0;
    disabled = 0;

    for ( ;; ) {
        place = ngx_http_wassiit_zone_each_profile(sh, &at);

        if (place == 0) {
            store(&sh->disabled, disabled);
            return;
        }

        p = ngx_http_wassiit_zone_at(sh, place);
        disabled += !(p->flags & ZONE_ENABLED);

        line = ngx_http_wassiit_zone_at(sh, p->partner);
        from = line->window.from;

        if (from == 0) {
            continue;
        }

        former = ngx_http_wassiit_zone_at(sh, from);
        store(&former->generation, 0);

        (void) ngx_wassiit_window_settle((u_char *) sh, p->partner);
        ngx_wassiit_window_release((u_char *) sh, p->partner);
    }
}


/*
 * Has the partner of this key, as it is in force, no such key?  If it has, the
 * key leads to its line.
 */

static ngx_uint_t
ngx_http_wassiit_mend_is_orphan(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place)
{
    uint32_t                      profile;
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_profile_t   *p;
    ngx_http_wassiit_zone_key_t  *key;

    key = ngx_http_wassiit_zone_at(sh, place);

    profile = ngx_http_wassiit_zone_lookup_id(sh, key->names, key->id_len,
                                              &probe);
    if (profile == 0) {
        return 1;
    }

    p = ngx_http_wassiit_zone_at(sh, profile);

    if (!ngx_http_wassiit_profile_has(p, place)) {
        return 1;
    }

    if (key->partner != p->partner) {
        store(&key->partner, p->partner);
    }

    return 0;
}
