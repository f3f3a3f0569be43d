
#include "ngx_http_wassiit_caps.h"
#include "ngx_http_wassiit_zone_load.h"


/*
 * Readers that are told one from another: workers, with those that drain.  One
 * for so many bytes, within these bounds.
 */
#define ZONE_SLOT_BYTES         2048
#define ZONE_SLOTS_LEAST        16
#define ZONE_SLOTS_MOST         512

/*
 * Words of the indexes for each ZONE_STRETCH lines.  No more of them are ever
 * taken than ngx_http_wassiit_zone_most() says: enough for partners of one key
 * in 6 lines, the least that these take.
 */
#define ZONE_STRETCH            48
#define ZONE_STRETCH_KEYS       17
#define ZONE_STRETCH_IDS        10


static void ngx_http_wassiit_zone_mark(ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_zone_try(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_zone_try_beside(
    ngx_http_wassiit_zone_t *zone, ngx_wassiit_lines_t *lines, uint32_t words,
    uint32_t id_words);
static ngx_int_t ngx_http_wassiit_zone_try_tight(
    ngx_http_wassiit_zone_t *zone, ngx_wassiit_lines_t *lines);
static ngx_uint_t ngx_http_wassiit_zone_is_roomy(
    ngx_http_wassiit_zone_t *zone);
static ngx_uint_t ngx_http_wassiit_zone_is_held(ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_zone_too_small(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);
static void ngx_http_wassiit_zone_fill(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);
static void ngx_http_wassiit_zone_withdraw(ngx_http_wassiit_zone_t *zone);


void
ngx_http_wassiit_zone_sizes(size_t bytes, ngx_http_wassiit_zone_sizes_t *sizes)
{
    size_t    rest, slots, size;
    uint32_t  place;

    slots = bytes / ZONE_SLOT_BYTES;
    sizes->slots = ngx_min(ngx_max(slots, ZONE_SLOTS_LEAST), ZONE_SLOTS_MOST);

    /* each part begins a line, and the lines begin a page */

    rest = bytes - sizeof(ngx_http_wassiit_zone_sh_t)
           - ngx_wassiit_epoch_size(sizes->slots)
           - ngx_wassiit_lines_size(64) - 4 * NGX_WASSIIT_LINE;

    /* a line with its part of the words, and of the lines' state */

    size = rest * ZONE_STRETCH
           / (ZONE_STRETCH * NGX_WASSIIT_LINE
              + (ZONE_STRETCH_KEYS + ZONE_STRETCH_IDS) * sizeof(uint32_t)
              + ZONE_STRETCH * 16 / 64);
    size = ngx_min(size, NGX_WASSIIT_LINES_PLACES);

    sizes->keys = size * ZONE_STRETCH_KEYS / ZONE_STRETCH + 1;
    sizes->ids = size * ZONE_STRETCH_IDS / ZONE_STRETCH + 1;

    place = ngx_wassiit_lines_for(sizeof(ngx_http_wassiit_zone_sh_t));
    sizes->epoch = place;
    place += ngx_wassiit_lines_for(ngx_wassiit_epoch_size(sizes->slots));
    sizes->key_words = place;
    place += ngx_wassiit_lines_for(sizes->keys * sizeof(uint32_t));
    sizes->id_words = place;
    place += ngx_wassiit_lines_for(sizes->ids * sizeof(uint32_t));
    sizes->lines = place;
    place += ngx_wassiit_lines_for(ngx_wassiit_lines_size(size));

    sizes->first = ngx_align(place, 64);

    rest = ngx_min(bytes / NGX_WASSIIT_LINE, NGX_WASSIIT_LINES_PLACES)
           - sizes->first;
    sizes->size = ngx_min(size, rest);
}


ngx_http_wassiit_journals_t *
ngx_http_wassiit_zone_loaded(ngx_http_wassiit_zone_t *zone,
    ngx_uint_t *partners)
{
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (zone->former == NULL || load(&sh->left) || load(&sh->head.superseded)
        || ngx_memcmp(sh->digest, zone->digest, NGX_WASSIIT_DIGEST_LEN) != 0)
    {
        return NULL;
    }

    *partners = ngx_http_wassiit_zone_partners(zone);

    return &sh->journals;
}


ngx_int_t
ngx_http_wassiit_zone_check_load(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    ngx_int_t   rc;
    ngx_uint_t  held;

    if (zone->store->unchanged) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_mend_lock(zone, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_wassiit_zone_mark(zone);

    zone->patience = ZONE_LOAD_PATIENCE;
    zone->tight = 0;
    held = 0;

    rc = ngx_http_wassiit_zone_is_roomy(zone)
         ? NGX_OK : ngx_http_wassiit_zone_try(zone, log);

    if (rc == NGX_DECLINED && !zone->empty) {
        /* what this counts on must be free by the time of the load */
        held = ngx_http_wassiit_zone_is_held(zone);

        rc = ngx_http_wassiit_zone_try(zone, log);

        if (rc == NGX_DECLINED) {
            zone->tight = 1;
            rc = ngx_http_wassiit_zone_try(zone, log);
        }
    }

    ngx_http_wassiit_mend_unlock(zone);

    if (held && (rc == NGX_DECLINED || zone->tight)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "a worker that is stopped may still look at the last "
                      "room of wassiit_zone \"%V\": have it go on, or end it",
                      &zone->name);
        return NGX_ERROR;
    }

    return (rc == NGX_DECLINED) ? ngx_http_wassiit_zone_too_small(zone, log)
                                : rc;
}


/* Marks the partners that the zone has and the file has, too. */

static void
ngx_http_wassiit_zone_mark(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                     place;
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_profile_t  *profile;

    zone->sh->load++;
    zone->empty = (zone->sh->generation == 0);

    if (zone->empty) {
        return;
    }

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (rec->deleted) {
            continue;
        }

        place = ngx_http_wassiit_plan_lookup(zone, rec);

        if (place) {
            profile = ngx_http_wassiit_zone_at(zone->sh, place);
            profile->mark = zone->sh->load;
        }
    }
}


/* Is there so much room in a new zone that nothing has to be tried? */

static ngx_uint_t
ngx_http_wassiit_zone_is_roomy(ngx_http_wassiit_zone_t *zone)
{
    uint64_t                    lines, keys, ids;
    ngx_http_wassiit_plan_t     plan;
    ngx_http_wassiit_record_t  *rec;

    if (!zone->empty) {
        return 0;
    }

    lines = 0;
    keys = 0;
    ids = 0;

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (!rec->deleted) {
            ngx_http_wassiit_plan_make(zone, rec, 0, &plan);
            lines += plan.lines;
            keys += rec->nkeys;
            ids++;
        }
    }

    return lines + lines / 8
           < ngx_wassiit_lines_left(ngx_http_wassiit_zone_lines(zone->sh))
           && keys <= ngx_http_wassiit_zone_most(zone->sh->keys.size)
           && ids <= ngx_http_wassiit_zone_most(zone->sh->ids.size);
}


/*
 * Tries the load on a copy of the lines' state.  Returns NGX_OK; NGX_DECLINED:
 * there is no room; NGX_ERROR: memory is short.
 */

static ngx_int_t
ngx_http_wassiit_zone_try(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    size_t                size;
    ngx_int_t             rc;
    ngx_wassiit_lines_t  *lines, *copy;

    if (zone->sh->torn) {
        return NGX_DECLINED;
    }

    lines = ngx_http_wassiit_zone_lines(zone->sh);
    size = ngx_wassiit_lines_size(lines->size);

    copy = ngx_alloc(size, log);
    if (copy == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, lines, size);

    rc = zone->tight
         ? ngx_http_wassiit_zone_try_tight(zone, copy)
         : ngx_http_wassiit_zone_try_beside(zone, copy, zone->sh->keys.size,
                                            zone->sh->ids.size);

    ngx_free(copy);

    return rc;
}


/* Is there room for all that is new, beside all that is there? */

static ngx_int_t
ngx_http_wassiit_zone_try_beside(ngx_http_wassiit_zone_t *zone,
    ngx_wassiit_lines_t *lines, uint32_t words, uint32_t id_words)
{
    uint64_t                    keys, ids;
    ngx_http_wassiit_plan_t     plan;
    ngx_http_wassiit_record_t  *rec;

    keys = zone->empty ? 0 : ngx_wassiit_index_used(&zone->sh->keys);
    ids = zone->empty ? 0 : ngx_wassiit_index_used(&zone->sh->ids);

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (rec->deleted) {
            continue;
        }

        ngx_http_wassiit_plan_make(zone, rec,
                                    ngx_http_wassiit_plan_lookup(zone, rec),
                                    &plan);
        keys += plan.new_keys;
        ids += (plan.former == 0);

        if (keys > ngx_http_wassiit_zone_most(words)
            || ids > ngx_http_wassiit_zone_most(id_words)
            || ngx_http_wassiit_plan_try(lines, &plan) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* Is there, if what goes is gone before, and one partner changes at a time? */

static ngx_int_t
ngx_http_wassiit_zone_try_tight(ngx_http_wassiit_zone_t *zone,
    ngx_wassiit_lines_t *lines)
{
    uint32_t                     at, place;
    uint64_t                     keys, ids;
    ngx_http_wassiit_plan_t      plan;
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_profile_t  *profile;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    at = 0;
    keys = 0;
    ids = 0;

    for ( ;; ) {
        place = ngx_http_wassiit_zone_each_profile(sh, &at);

        if (place == 0) {
            break;
        }

        profile = ngx_http_wassiit_zone_at(sh, place);

        if (profile->mark != sh->load) {
            ngx_http_wassiit_plan_try_free(zone, lines, place, NULL);
        }
    }

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (rec->deleted) {
            continue;
        }

        place = ngx_http_wassiit_plan_lookup(zone, rec);
        ngx_http_wassiit_plan_make(zone, rec, place, &plan);

        if (ngx_http_wassiit_plan_try(lines, &plan) != NGX_OK) {
            if (!plan.amendable) {
                return NGX_DECLINED;
            }

        } else if (place) {
            ngx_http_wassiit_plan_try_free(zone, lines, place, &plan);
        }

        keys += rec->nkeys;
        ids++;
    }

    return (keys <= ngx_http_wassiit_zone_most(sh->keys.size)
            && ids <= ngx_http_wassiit_zone_most(sh->ids.size))
           ? NGX_OK : NGX_DECLINED;
}


/*
 * Frees what was given back, and waits for readers.  Returns 1 if one goes on
 * looking, and so may look at what a load would give back.
 */

static ngx_uint_t
ngx_http_wassiit_zone_is_held(ngx_http_wassiit_zone_t *zone)
{
    uint64_t              stamp;
    ngx_wassiit_epoch_t  *epoch;

    while (ngx_http_wassiit_room_reclaim(zone) == NGX_OK) { /* void */ }

    zone->swept = 0;

    epoch = ngx_http_wassiit_zone_epoch(zone->sh);
    stamp = ngx_wassiit_epoch_stamp(epoch);

    return ngx_wassiit_epoch_wait(epoch, stamp, zone->patience) < stamp;
}


static ngx_int_t
ngx_http_wassiit_zone_too_small(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    size_t                         size, step;
    uint64_t                       all, keys, ids;
    ngx_int_t                      rc;
    ngx_wassiit_lines_t           *lines;
    ngx_http_wassiit_plan_t        plan;
    ngx_http_wassiit_record_t     *rec;
    ngx_http_wassiit_zone_sizes_t  sizes;

    /* of a new zone, as the one that there is gives way to it */

    zone->empty = 1;
    all = 0;
    keys = 0;
    ids = 0;

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (!rec->deleted) {
            ngx_http_wassiit_plan_make(zone, rec, 0, &plan);
            all += plan.lines;
            keys += rec->nkeys;
            ids++;
        }
    }

    all = ngx_max(all, (keys * 8 / 7 + 8) * ZONE_STRETCH / ZONE_STRETCH_KEYS);
    all = ngx_max(all, (ids * 8 / 7 + 8) * ZONE_STRETCH / ZONE_STRETCH_IDS);
    size = ngx_max(all * NGX_WASSIIT_LINE, zone->size);

    /* a size that is short to write: no more than a sixteenth too large */

    step = ngx_pagesize;

    while (step * 32 < size) {
        step *= 2;
    }

    size = size / step * step;

    do {
        size += step;
        ngx_http_wassiit_zone_sizes(size, &sizes);

        if (sizes.size < all) {
            continue;
        }

        lines = ngx_alloc(ngx_wassiit_lines_size(sizes.size), log);
        if (lines == NULL) {
            return NGX_ERROR;
        }

        ngx_memzero(lines, ngx_wassiit_lines_size(sizes.size));
        ngx_wassiit_lines_init(lines, sizes.first, sizes.size);

        rc = ngx_http_wassiit_zone_try_beside(zone, lines, sizes.keys,
                                              sizes.ids);
        ngx_free(lines);

        if (rc == NGX_OK) {
            break;
        }

    } while (sizes.size < NGX_WASSIIT_LINES_PLACES / 2);

    if (size % (1024 * 1024) == 0) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "wassiit_zone \"%V\" is too small for the %ui partners "
                      "of \"%V\", zone=%V:%uzm would do",
                      &zone->name, zone->store->partners, &zone->file,
                      &zone->name, size / (1024 * 1024));

    } else {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "wassiit_zone \"%V\" is too small for the %ui partners "
                      "of \"%V\", zone=%V:%uzk would do",
                      &zone->name, zone->store->partners, &zone->file,
                      &zone->name, size / 1024);
    }

    return NGX_ERROR;
}


void
ngx_http_wassiit_zone_load(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    ngx_http_wassiit_journal_t   journal;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (zone->former) {
        /* of a process without workers: its own */
        ngx_http_wassiit_zone_unpin(zone->former);
        zone->former = NULL;
    }

    if (ngx_http_wassiit_mend_lock(zone, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "wassiit_zone \"%V\" keeps its former partners until "
                      "the next reload", &zone->name);
        return;
    }

    zone->patience = ZONE_LOAD_PATIENCE;

    /* workers that outlive us are not to take a part of it for the whole */

    ngx_http_wassiit_journal_get(&sh->journals, &journal);
    journal.foreign = 1;
    ngx_http_wassiit_journal_set(&sh->journals, &journal);

    /* nor is a change that was begun before to go on, with what it prepared */
    sh->loads++;

    if (sh->prepared) {
        store(&sh->prepared, 0);
        ngx_http_wassiit_room_lost(zone);
    }

    store(&sh->left, 0);
    store(&sh->head.superseded, 0);
    ngx_wassiit_key_digest(zone->file.data, zone->file.len, sh->head.file);
    ngx_memcpy(sh->digest, zone->digest, NGX_WASSIIT_DIGEST_LEN);

    if (!zone->store->untouched) {
        store(&sh->edits, sh->edits + 1);
    }

    if (zone->store->unchanged) {
        /* all of it is in force */

    } else if (zone->tight) {
        ngx_http_wassiit_zone_mark(zone);
        ngx_http_wassiit_zone_withdraw(zone);
        ngx_http_wassiit_zone_fill(zone, log);

    } else {
        ngx_http_wassiit_zone_mark(zone);

        /* a key that moves from one partner to another is never unknown */
        zone->loading = 1;
        ngx_http_wassiit_zone_fill(zone, log);
        zone->loading = 0;

        ngx_http_wassiit_zone_withdraw(zone);
    }

    zone->empty = 0;

    /* so that no worker has to sweep, if that is known to be necessary */

    if (sh->unswept) {
        while (ngx_http_wassiit_room_reclaim(zone) == NGX_OK) { /* void */ }
    }

    ngx_http_wassiit_journal_set(&sh->journals, &zone->store->journal);

    ngx_http_wassiit_mend_unlock(zone);

    if (zone->supersedes) {
        ngx_http_wassiit_zone_supersede(zone->supersedes);
        ngx_http_wassiit_memory_free(zone->supersedes);
        zone->supersedes = NULL;
    }
}


void
ngx_http_wassiit_zone_divide(ngx_http_wassiit_zone_t *zone)
{
    u_char                        *base;
    uint32_t                       at, place, cap, nodes, share;
    uint64_t                       now;
    ngx_str_t                      id;
    ngx_wassiit_rate_t             rate;
    ngx_http_wassiit_profile_t    *profile;
    ngx_http_wassiit_zone_sh_t    *sh;

    sh = zone->sh;
    nodes = zone->claims.sh ? zone->claims.nodes : 0;
    share = zone->claims.sh ? zone->claims.share : 0;

    if (sh->nodes == nodes && sh->share == share && !zone->claims.made) {
        return;
    }

    if (ngx_http_wassiit_mend_lock(zone, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        /* requests are held to the standing share, and nothing is claimed */
        store(&sh->nodes, 0);
        return;
    }

    base = (u_char *) sh;
    now = ngx_http_wassiit_zone_clock();
    at = 0;

    while ((place = ngx_http_wassiit_zone_each_profile(sh, &at)) != 0) {
        profile = ngx_http_wassiit_zone_at(sh, place);
        ngx_wassiit_window_rate(base, profile->partner, &rate);

        if (nodes == 0) {
            ngx_wassiit_window_raise(base, profile->partner, rate.limit);
            continue;
        }

        cap = ngx_http_wassiit_claims_standing(&zone->claims, rate.limit);

        if (ngx_wassiit_window_lower(base, profile->partner, cap, now) > cap) {
            /* more is in use: the ledger is told, if there is an entry */
            id.data = ngx_http_wassiit_zone_id(profile);
            id.len = profile->id_len;
            (void) ngx_http_wassiit_caps_note(zone, &id);

            if (ngx_http_wassiit_claims_knows(&zone->claims, &id)) {
                continue;
            }
        }

        /* nobody would lower it later: what is in use is from before */
        ngx_wassiit_window_raise(base, profile->partner, cap);
    }

    /* workers begin as we are: one that is pinned by then never pins itself */
    ngx_http_wassiit_zone_unpin(zone);

    store(&sh->share, share);
    store(&sh->nodes, nodes);
    zone->claims.made = 0;

    ngx_http_wassiit_mend_unlock(zone);
}


static void
ngx_http_wassiit_zone_fill(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    uint32_t                    place;
    ngx_http_wassiit_plan_t     plan;
    ngx_http_wassiit_record_t  *rec;

    for (rec = zone->store->records; rec; rec = rec->next) {
        rec->former = 0;

        if (rec->deleted) {
            continue;
        }

        rec->former = ngx_http_wassiit_plan_lookup(zone, rec);

        if (zone->tight) {
            /* each waits for what the one before has given back */
            zone->patience = ZONE_LOAD_PATIENCE;
        }

        ngx_http_wassiit_plan_make(zone, rec, rec->former, &plan);
        place = ngx_http_wassiit_partner_prepare(zone, &plan);

        if (place == 0 && plan.amendable) {
            ngx_http_wassiit_partner_amend(zone, &plan);
            rec->former = 0;

        } else if (place == 0) {
            ngx_http_wassiit_partner_no_room(zone, &plan, log);
            zone->store->journal.foreign = 1;
            rec->former = 0;

        } else if (zone->tight) {
            ngx_http_wassiit_partner_replace(zone, rec, place, rec->former);
            rec->former = 0;

        } else if (place == rec->former) {
            ngx_http_wassiit_partner_set_span(zone, rec, place);
            rec->former = 0;

        } else {
            ngx_http_wassiit_partner_set_span(zone, rec, place);
            ngx_http_wassiit_partner_publish(zone, place, rec->former);
        }
    }

    if (zone->empty || zone->tight) {
        return;
    }

    /* former keys go last: one that moves to another partner is never lost */

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (rec->former) {
            place = ngx_http_wassiit_plan_lookup(zone, rec);
            ngx_http_wassiit_partner_finish(zone, place, rec->former);
        }
    }
}


/* Takes the partners out that aren't marked: the file has them no more. */

static void
ngx_http_wassiit_zone_withdraw(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                     at, place;
    ngx_http_wassiit_profile_t  *profile;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (zone->empty) {
        return;
    }

    at = 0;

    for ( ;; ) {
        place = ngx_http_wassiit_zone_each_profile(sh, &at);

        if (place == 0) {
            return;
        }

        profile = ngx_http_wassiit_zone_at(sh, place);

        if (profile->mark != sh->load) {
            ngx_http_wassiit_partner_withdraw(zone, place);
        }
    }
}
