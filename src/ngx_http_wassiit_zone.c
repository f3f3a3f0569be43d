
/*
 * Writers, which lay out a zone, load and change it: one at a time, by the lock
 * of the partners' file; and by the zone's mutex, as a reload may name another
 * file.
 */


#include "ngx_http_wassiit_zone_sh.h"


/*
 * How long a change, and a load, wait in all for readers that may still look at
 * what was freed, if there is no other room; and for a writer that is stopped.
 * No rule rests on these: what isn't ready by then is left as it is.
 * Milliseconds.
 */
#define ZONE_CHANGE_PATIENCE    100
#define ZONE_LOAD_PATIENCE      2000
#define ZONE_MUTEX_PATIENCE     500
#define ZONE_RELOAD_PATIENCE    2000

/*
 * Readers that are told one from another: workers, with those that drain.  One
 * for so many bytes, within these bounds.
 */
#define ZONE_SLOT_BYTES         2048
#define ZONE_SLOTS_LEAST        16
#define ZONE_SLOTS_MOST         1024

/*
 * How long a zone that takes the place of another one waits with changes: the
 * other is asked as long, by workers that accept connections.  Microseconds.
 */
#define ZONE_LEAVE              2000000

/*
 * Index entries a unit.  A partner takes two units or more, so at most half
 * of those for ids are ever taken; of those for keys no more than ZONE_KEYS()
 * allows, which few have enough keys to come near to.
 */
#define ZONE_KEY_SLOTS          3
#define ZONE_ID_SLOTS           1

/* as many keys as may be in an index of this size, and the other way round */
#define ZONE_KEYS(size)         ((size_t) (size) / 4 * 3)
#define ZONE_KEYS_SIZE(keys)    ((keys) / 3 * 4 + 4)

#define ZONE_UNIT_COST                                                       \
    (NGX_WASSIIT_UNIT + (ZONE_KEY_SLOTS + ZONE_ID_SLOTS) * sizeof(uint32_t)   \
     + sizeof(ngx_http_wassiit_free_t))

/* of a line's place: those of its length */
#define LINE_BITS               20


static ngx_int_t ngx_http_wassiit_zone_layout(ngx_http_wassiit_zone_t *zone,
    ngx_slab_pool_t *shpool, ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_zone_lock(ngx_http_wassiit_zone_t *zone,
    ngx_uint_t patience);
static void ngx_http_wassiit_zone_mend(ngx_http_wassiit_zone_sh_t *sh);
static void ngx_http_wassiit_zone_recount(ngx_http_wassiit_index_t *index);
static void ngx_http_wassiit_zone_unlock(ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_zone_check(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_zone_too_small(ngx_http_wassiit_zone_t *zone,
    size_t units, ngx_log_t *log);
static size_t ngx_http_wassiit_zone_record_units(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec);
static size_t ngx_http_wassiit_zone_partner_units(
    ngx_http_wassiit_zone_t *zone, uint32_t unit);
static size_t ngx_http_wassiit_zone_new_units(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit, size_t *beside);
static ngx_uint_t ngx_http_wassiit_zone_new_keys(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit);
static ngx_uint_t ngx_http_wassiit_zone_new_window(
    ngx_http_wassiit_zone_t *zone, const ngx_wassiit_rate_t *rate,
    uint32_t window, ngx_uint_t *most, ngx_uint_t *smaller);
static size_t ngx_http_wassiit_zone_free_units(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_zone_mark(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_zone_sweep(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_zone_fill(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);
static void ngx_http_wassiit_zone_no_room(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_zone_add(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_zone_update(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit);
static void ngx_http_wassiit_zone_remove(ngx_http_wassiit_zone_t *zone,
    uint32_t unit);
static ngx_int_t ngx_http_wassiit_zone_add_keys(
    ngx_http_wassiit_zone_t *zone, ngx_http_wassiit_record_t *rec,
    uint32_t unit);
static void ngx_http_wassiit_zone_remove_keys(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit);
static void ngx_http_wassiit_zone_key_change(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_slot_t *slot, ngx_http_wassiit_key_t *key);
static void ngx_http_wassiit_zone_inherit(ngx_http_wassiit_zone_t *former,
    ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_zone_key_add(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_key_t *key, uint32_t unit, ngx_uint_t most);
static ngx_http_wassiit_slot_t *ngx_http_wassiit_zone_slot(
    ngx_http_wassiit_zone_sh_t *sh, uint32_t unit, ngx_uint_t n,
    uint32_t *entry);
static ngx_int_t ngx_http_wassiit_zone_window(ngx_http_wassiit_zone_t *zone,
    ngx_uint_t n, const ngx_wassiit_rate_t *rate, uint32_t from,
    uint32_t *window);
static void ngx_http_wassiit_zone_settle(ngx_http_wassiit_zone_t *zone,
    uint32_t window);
static ngx_int_t ngx_http_wassiit_zone_secrets(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t *secrets);
static ngx_uint_t ngx_http_wassiit_zone_same_secrets(
    ngx_http_wassiit_zone_sh_t *sh, ngx_http_wassiit_record_t *rec,
    uint32_t secrets);
static void ngx_http_wassiit_zone_free_secrets(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t secrets);
static void ngx_http_wassiit_zone_state(ngx_http_wassiit_entry_t *p,
    ngx_http_wassiit_state_t *state);
static uint32_t *ngx_http_wassiit_zone_lookup_id(
    ngx_http_wassiit_zone_sh_t *sh, u_char *id, size_t len);
static uint32_t ngx_http_wassiit_zone_partner(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec);
static void ngx_http_wassiit_zone_insert(ngx_http_wassiit_index_t *index,
    uint32_t hash, uint32_t entry);
static void ngx_http_wassiit_zone_delete(ngx_http_wassiit_index_t *index,
    uint32_t *entry);
static void ngx_http_wassiit_zone_changed(ngx_http_wassiit_zone_sh_t *sh);
static ngx_int_t ngx_http_wassiit_zone_alloc(ngx_http_wassiit_zone_t *zone,
    uint32_t *unit);
static void ngx_http_wassiit_zone_reclaim(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_zone_free(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t unit);
static void ngx_http_wassiit_zone_give_back(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t unit);
static void ngx_http_wassiit_zone_free_window(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t window);
static void ngx_http_wassiit_zone_order_find(ngx_http_wassiit_zone_sh_t *sh,
    u_char *id, size_t len, uint32_t *prev);
static void ngx_http_wassiit_zone_order_add(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t unit);
static void ngx_http_wassiit_zone_order_remove(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t unit);
static ngx_uint_t ngx_http_wassiit_zone_length(
    ngx_http_wassiit_zone_sh_t *sh);
static size_t ngx_http_wassiit_zone_ready_units(ngx_http_wassiit_zone_t *zone,
    size_t want);
static ngx_int_t ngx_http_wassiit_zone_current(ngx_http_wassiit_zone_t *zone);


static ngx_inline uint64_t
ngx_http_wassiit_zone_line(ngx_http_wassiit_record_t *rec)
{
    return (uint64_t) rec->offset << LINE_BITS | rec->len;
}


static ngx_inline void
ngx_http_wassiit_zone_set_span(ngx_http_wassiit_span_t *span,
    ngx_http_wassiit_entry_t *p)
{
    span->offset = p->span >> LINE_BITS;
    span->len = p->span & (((uint64_t) 1 << LINE_BITS) - 1);
}


ngx_int_t
ngx_http_wassiit_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_wassiit_zone_t  *zone = shm_zone->data;
    ngx_http_wassiit_zone_t  *former = data;

    ngx_slab_pool_t          *shpool;

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    zone->former = former;

    if (former) {
        zone->sh = former->sh;

    } else if (shm_zone->shm.exists) {
        zone->sh = shpool->data;

    } else if (ngx_http_wassiit_zone_layout(zone, shpool, shm_zone->shm.log)
               != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_wassiit_zone_check(zone, shm_zone->shm.log);
}


static ngx_inline uint32_t
ngx_http_wassiit_zone_slots(size_t size)
{
    size /= ZONE_SLOT_BYTES;

    return ngx_min(ngx_max(size, ZONE_SLOTS_LEAST), ZONE_SLOTS_MOST);
}


static ngx_int_t
ngx_http_wassiit_zone_layout(ngx_http_wassiit_zone_t *zone,
    ngx_slab_pool_t *shpool, ngx_log_t *log)
{
    size_t                       len, size;
    u_char                      *p;
    uint32_t                     slots;
    ngx_http_wassiit_zone_sh_t  *sh;

    len = sizeof(" in wassiit_zone \"\"") + zone->name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in wassiit_zone \"%V\"%Z", &zone->name);

    /* the rest of it, in one piece */

    size = shpool->pfree << ngx_pagesize_shift;

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sh = (ngx_http_wassiit_zone_sh_t *) p;
    ngx_memzero(sh, sizeof(ngx_http_wassiit_zone_sh_t));

    p += ngx_align(sizeof(ngx_http_wassiit_zone_sh_t), 64);
    size -= ngx_align(sizeof(ngx_http_wassiit_zone_sh_t), 64) + 64;

    slots = ngx_http_wassiit_zone_slots(size);

    sh->epoch = (ngx_wassiit_epoch_t *) ngx_align_ptr(p, 64);
    p = (u_char *) sh->epoch + ngx_wassiit_epoch_size(slots);
    size -= ngx_wassiit_epoch_size(slots) + 64;

    /*
     * A mutex of our own, as that of the slab pool isn't free until the master
     * hears of its holder's death, and it hears nothing in a reload.
     */

    if (ngx_wassiit_epoch_init(sh->epoch, slots) != NGX_OK
        || ngx_wassiit_robust_init(&sh->mutex) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "making the mutexes of wassiit_zone \"%V\" failed",
                      &zone->name);
        return NGX_ERROR;
    }

    sh->units = ngx_min(size / ZONE_UNIT_COST, ENTRY_UNITS);
    sh->fresh = 1;

    sh->keys.size = sh->units * ZONE_KEY_SLOTS;
    sh->keys.entries = (uint32_t *) p;
    p += sh->keys.size * sizeof(uint32_t);

    sh->ids.size = sh->units * ZONE_ID_SLOTS;
    sh->ids.entries = (uint32_t *) p;
    p += sh->ids.size * sizeof(uint32_t);

    ngx_memzero(sh->keys.entries, p - (u_char *) sh->keys.entries);

    sh->frees = (ngx_http_wassiit_free_t *) p;
    p += sh->units * sizeof(ngx_http_wassiit_free_t);

    sh->base = ngx_align_ptr(p, 64);

    zone->sh = sh;

    shpool->data = sh;

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "wassiit zone \"%V\": %uD units", &zone->name, sh->units);

    return NGX_OK;
}


/*
 * Waits for another writer: some milliseconds at most, as it may be stopped.
 * Returns NGX_OK, or NGX_BUSY.
 */

static ngx_int_t
ngx_http_wassiit_zone_lock(ngx_http_wassiit_zone_t *zone, ngx_uint_t patience)
{
    switch (ngx_wassiit_robust_lock(&zone->sh->mutex,
                                    ngx_wassiit_robust_now() + patience))
    {
    case NGX_OK:
        break;

    case NGX_DONE:
        ngx_http_wassiit_zone_mend(zone->sh);
        ngx_wassiit_robust_consistent(&zone->sh->mutex);
        break;

    case NGX_BUSY:
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "another process changes wassiit_zone \"%V\", and does "
                      "not go on: is one of nginx's processes stopped?",
                      &zone->name);
        return NGX_BUSY;

    default:
        /* can't be */
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "locking wassiit_zone \"%V\" failed", &zone->name);
        return NGX_BUSY;
    }

    zone->patience = 0;

    return NGX_OK;
}


/*
 * Partners are written so that their writer may die; what no reader sees is
 * put right after him.
 */

static void
ngx_http_wassiit_zone_mend(ngx_http_wassiit_zone_sh_t *sh)
{
    uint32_t  unit;

    for (unit = sh->free; unit; unit = sh->frees[unit].next) {
        sh->free_last = unit;
    }

    ngx_memzero(sh->finger, sizeof(sh->finger));

    ngx_http_wassiit_zone_recount(&sh->keys);
    ngx_http_wassiit_zone_recount(&sh->ids);
}


static void
ngx_http_wassiit_zone_recount(ngx_http_wassiit_index_t *index)
{
    uint32_t  i, n;

    for (i = 0, n = 0; i < index->size; i++) {
        n += (index->entries[i] != ENTRY_EMPTY
              && index->entries[i] != ENTRY_GONE);
    }

    index->used = n;
}


static void
ngx_http_wassiit_zone_unlock(ngx_http_wassiit_zone_t *zone)
{
    ngx_wassiit_robust_unlock(&zone->sh->mutex);
}


/* Is there room for what was read?  Nothing that readers see is changed. */

static ngx_int_t
ngx_http_wassiit_zone_check(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    size_t                       all, fresh, beside, gone, available, keys,
                                 new_keys, want;
    uint32_t                     unit;
    ngx_uint_t                   i, held;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    all = 0;
    fresh = 0;
    beside = 0;
    gone = 0;
    keys = 0;
    new_keys = 0;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_wassiit_zone_mark(zone);

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (rec->deleted) {
            continue;
        }

        all += ngx_http_wassiit_zone_record_units(zone, rec);

        unit = ngx_http_wassiit_zone_partner(zone, rec);

        fresh += ngx_http_wassiit_zone_new_units(zone, rec, unit, &beside);

        keys += rec->nkeys;
        new_keys += ngx_http_wassiit_zone_new_keys(zone, rec, unit);
    }

    for (i = 0; i < sh->ids.size; i++) {
        unit = ENTRY_UNIT(sh->ids.entries[i]);

        if (sh->ids.entries[i] == ENTRY_EMPTY
            || sh->ids.entries[i] == ENTRY_GONE)
        {
            continue;
        }

        p = ngx_http_wassiit_zone_at(sh, unit);

        if (p->mark != sh->load) {
            gone += ngx_http_wassiit_zone_partner_units(zone, unit);
        }
    }

    available = ngx_http_wassiit_zone_free_units(zone);

    /* a load that has begun must be able to use what it counts on */

    want = ngx_min(fresh, available);
    zone->patience = ZONE_LOAD_PATIENCE;
    held = (ngx_http_wassiit_zone_ready_units(zone, want) < want);

    ngx_http_wassiit_zone_unlock(zone);

    if (held) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "a worker that is stopped may still look at the last "
                      "room of wassiit_zone \"%V\": have it go on, or end it",
                      &zone->name);
        return NGX_ERROR;
    }

    zone->tight = (beside > available
                   || sh->keys.used + new_keys > ZONE_KEYS(sh->keys.size));
    zone->spare = zone->tight ? 0 : available - beside;

    if (fresh > available + gone) {
        all = ngx_max(all, sh->units + fresh - available - gone);

    } else if (keys <= ZONE_KEYS(sh->keys.size)) {
        return NGX_OK;
    }

    all = ngx_max(all, ZONE_KEYS_SIZE(keys) / ZONE_KEY_SLOTS);

    return ngx_http_wassiit_zone_too_small(zone, all, log);
}


static ngx_int_t
ngx_http_wassiit_zone_too_small(ngx_http_wassiit_zone_t *zone, size_t units,
    ngx_log_t *log)
{
    size_t  size, step;

    /* as ngx_slab_init() and ngx_http_wassiit_zone_layout() divide it */

    size = (units + 1) * ZONE_UNIT_COST
           + ngx_align(sizeof(ngx_http_wassiit_zone_sh_t), 64) + 128;
    size += ngx_wassiit_epoch_size(ngx_http_wassiit_zone_slots(size
                                                               + size / 16));
    size = (size / ngx_pagesize + 2)
           * (ngx_pagesize + sizeof(ngx_slab_page_t))
           + 2 * ngx_pagesize;

    step = (size < 1024 * 1024) ? 64 * 1024 : 1024 * 1024;
    size = (size + step - 1) / step * step;

    if (step == 1024 * 1024) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "wassiit_zone \"%V\" is too small for the %ui partners "
                      "of \"%V\", zone=%V:%uzm would do",
                      &zone->name, zone->store->partners, &zone->file,
                      &zone->name, size / step);

    } else {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "wassiit_zone \"%V\" is too small for the %ui partners "
                      "of \"%V\", zone=%V:%uzk would do",
                      &zone->name, zone->store->partners, &zone->file,
                      &zone->name, size / 1024);
    }

    return NGX_ERROR;
}


static ngx_inline const ngx_wassiit_rate_t *
ngx_http_wassiit_zone_rate(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    return rec->rate.limit ? &rec->rate : &zone->rate;
}


/* the units that so many keys take besides the partner's own */

static ngx_inline ngx_uint_t
ngx_http_wassiit_zone_more(ngx_uint_t keys)
{
    return keys ? (keys - 1 + ZONE_MORE_KEYS - 1) / ZONE_MORE_KEYS : 0;
}


static size_t
ngx_http_wassiit_zone_record_units(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    return 1 + ngx_http_wassiit_zone_more(rec->nkeys) + (rec->secrets != NULL)
           + ngx_wassiit_window_units(ngx_http_wassiit_zone_rate(zone, rec));
}


/* what a partner of the zone has, without the window that it changes from */

static size_t
ngx_http_wassiit_zone_partner_units(ngx_http_wassiit_zone_t *zone,
    uint32_t unit)
{
    size_t                       n;
    uint32_t                     more, units[NGX_WASSIIT_WINDOW_UNITS];
    ngx_http_wassiit_more_t     *m;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    p = ngx_http_wassiit_zone_at(sh, unit);

    n = 1 + (p->state[p->version & 1].secrets != 0)
        + ngx_wassiit_window_list(sh->base,
                                  p->state[p->version & 1].window, units);

    for (more = p->more; more; more = m->next) {
        m = ngx_http_wassiit_zone_at(sh, more);
        n++;
    }

    return n;
}


/*
 * What must be allocated to make the partner, at unit or new, as rec says.
 * Adds to beside what it takes to have room for former keys and new ones
 * together, and for a window that is smaller than the one before.
 */

static size_t
ngx_http_wassiit_zone_new_units(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit, size_t *beside)
{
    size_t                     have, want, more, window;
    uint32_t                   at;
    ngx_uint_t                 n, keys, most, smaller;
    ngx_http_wassiit_slot_t   *slot;
    ngx_http_wassiit_entry_t  *p;
    ngx_http_wassiit_state_t  *state;

    if (unit == 0) {
        n = ngx_http_wassiit_zone_record_units(zone, rec);
        *beside += n;
        return n;
    }

    p = ngx_http_wassiit_zone_at(zone->sh, unit);
    keys = ngx_http_wassiit_zone_new_keys(zone, rec, unit);

    for (n = 0; /* void */ ; n++) {
        slot = ngx_http_wassiit_zone_slot(zone->sh, unit, n, &at);

        if (slot == NULL) {
            break;
        }

        keys += slot->used;
    }

    state = &p->state[p->version & 1];

    window = ngx_http_wassiit_zone_new_window(zone,
                                        ngx_http_wassiit_zone_rate(zone, rec),
                                        state->window, &most, &smaller);

    more = (rec->secrets != NULL
            && !ngx_http_wassiit_zone_same_secrets(zone->sh, rec,
                                                   state->secrets));

    if (smaller) {
        *beside += window;

    } else {
        more += window;
    }

    have = (n - 1) / ZONE_MORE_KEYS;

    want = ngx_http_wassiit_zone_more(keys);
    *beside += (want > have ? want - have : 0) + more;

    want = ngx_http_wassiit_zone_more(rec->nkeys);
    return (want > have ? want - have : 0) + more;
}


/* how many of the keys the partner, at unit or new, hasn't got */

static ngx_uint_t
ngx_http_wassiit_zone_new_keys(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit)
{
    uint32_t                  owner;
    uint32_t                 *entry;
    ngx_uint_t                i, n;
    ngx_http_wassiit_slot_t  *slot;

    if (unit == 0) {
        return rec->nkeys;
    }

    n = 0;

    for (i = 0; i < rec->nkeys; i++) {
        slot = ngx_http_wassiit_zone_lookup_key(zone->sh, rec->keys[i].digest,
                                                &entry, &owner);
        n += (slot == NULL || owner != unit);
    }

    return n;
}


/*
 * The units of the window that has to take the place of another, 0 if that
 * may stay: it is for the same rate, and not larger than it has to be.  With
 * most of them nothing is lost of what is admitted until it takes over.  If it
 * is for the same rate, smaller is set: where there is no room, it stays.
 */

static ngx_uint_t
ngx_http_wassiit_zone_new_window(ngx_http_wassiit_zone_t *zone,
    const ngx_wassiit_rate_t *rate, uint32_t window, ngx_uint_t *most,
    ngx_uint_t *smaller)
{
    u_char              *base;
    uint32_t             units[NGX_WASSIIT_WINDOW_UNITS];
    ngx_uint_t           n, have;
    ngx_wassiit_rate_t   former;

    base = zone->sh->base;

    ngx_wassiit_window_rate(base, window, &former);
    have = ngx_wassiit_window_list(base, window, units);

    *smaller = (ngx_memcmp(&former, rate, sizeof(ngx_wassiit_rate_t)) == 0);

    if (*smaller && have == ngx_wassiit_window_units(rate)) {
        return 0;
    }

    n = ngx_wassiit_window_units_from(base, rate, window,
                                      ngx_http_wassiit_zone_clock(), most);

    return (*smaller && have <= *most) ? 0 : n;
}


static size_t
ngx_http_wassiit_zone_free_units(ngx_http_wassiit_zone_t *zone)
{
    size_t                       n;
    uint32_t                     unit;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    n = sh->units - sh->fresh;

    for (unit = sh->free; unit; unit = sh->frees[unit].next) {
        n++;
    }

    return n;
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

    if (ngx_http_wassiit_zone_lock(zone, ZONE_RELOAD_PATIENCE) != NGX_OK) {
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

    /* nor is a change that was begun before to go on */
    sh->loads++;

    sh->left = 0;
    ngx_memcpy(sh->digest, zone->digest, NGX_WASSIIT_DIGEST_LEN);

    ngx_http_wassiit_zone_mark(zone);

    if (zone->empty) {
        ngx_http_wassiit_zone_fill(zone, log);
        zone->empty = 0;

    } else if (zone->tight) {
        ngx_http_wassiit_zone_sweep(zone);
        ngx_http_wassiit_zone_fill(zone, log);

    } else {
        /* a key that moves from one partner to another is never unknown */
        ngx_http_wassiit_zone_fill(zone, log);
        ngx_http_wassiit_zone_sweep(zone);
    }

    ngx_http_wassiit_journal_set(&sh->journals, &zone->store->journal);

    ngx_http_wassiit_zone_unlock(zone);
}


static void
ngx_http_wassiit_zone_mark(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                    unit;
    ngx_http_wassiit_entry_t   *p;
    ngx_http_wassiit_record_t  *rec;

    zone->sh->load++;

    zone->empty = (zone->sh->serial == 0);

    if (zone->empty) {
        return;
    }

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (rec->deleted) {
            continue;
        }

        unit = ngx_http_wassiit_zone_partner(zone, rec);
        if (unit) {
            p = ngx_http_wassiit_zone_at(zone->sh, unit);
            p->mark = zone->sh->load;
        }
    }
}


static void
ngx_http_wassiit_zone_sweep(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                    *entry;
    ngx_uint_t                   i;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    for (i = 0; i < sh->ids.size; i++) {
        entry = &sh->ids.entries[i];

        if (*entry == ENTRY_EMPTY || *entry == ENTRY_GONE) {
            continue;
        }

        p = ngx_http_wassiit_zone_at(sh, ENTRY_UNIT(*entry));

        if (p->mark != sh->load) {
            ngx_http_wassiit_zone_remove(zone, ENTRY_UNIT(*entry));
        }
    }
}


static void
ngx_http_wassiit_zone_fill(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    uint32_t                    unit;
    ngx_int_t                   rc;
    ngx_http_wassiit_record_t  *rec;

    ngx_memzero(zone->sh->finger, sizeof(zone->sh->finger));

    for (rec = zone->store->records; rec; rec = rec->next) {
        if (rec->deleted) {
            continue;
        }

        unit = ngx_http_wassiit_zone_partner(zone, rec);

        rc = unit ? ngx_http_wassiit_zone_update(zone, rec, unit)
                  : ngx_http_wassiit_zone_add(zone, rec);

        if (rc == NGX_ERROR) {
            ngx_http_wassiit_zone_no_room(zone, rec, log);
            zone->store->journal.foreign = 1;
        }
    }

    if (zone->empty) {
        return;
    }

    /* former keys go last: one that moves to another partner is never lost */

    for (rec = zone->store->records; rec; rec = rec->next) {
        unit = ngx_http_wassiit_zone_partner(zone, rec);

        if (unit && !rec->deleted) {
            ngx_http_wassiit_zone_remove_keys(zone, rec, unit);
        }
    }

    /* those that had no room beside them */

    for (rec = zone->store->records; rec; rec = rec->next) {
        unit = ngx_http_wassiit_zone_partner(zone, rec);

        if (unit && !rec->deleted
            && ngx_http_wassiit_zone_add_keys(zone, rec, unit) != NGX_OK)
        {
            ngx_http_wassiit_zone_no_room(zone, rec, log);
            zone->store->journal.foreign = 1;
        }
    }
}


static void
ngx_http_wassiit_zone_no_room(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, ngx_log_t *log)
{
    ngx_log_error(NGX_LOG_ALERT, log, 0,
                  "no room in wassiit_zone \"%V\" for partner \"%V\"",
                  &zone->name, &rec->id);
}


static ngx_int_t
ngx_http_wassiit_zone_add(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    uint32_t                     unit, window, hash;
    const ngx_wassiit_rate_t    *rate;
    ngx_http_wassiit_state_t     state;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (ngx_http_wassiit_zone_alloc(zone, &unit) != NGX_OK) {
        return NGX_ERROR;
    }

    rate = ngx_http_wassiit_zone_rate(zone, rec);

    if (ngx_http_wassiit_zone_window(zone, ngx_wassiit_window_units(rate),
                                     rate, 0, &window)
        != NGX_OK)
    {
        ngx_http_wassiit_zone_give_back(sh, unit);
        return NGX_ERROR;
    }

    ngx_memzero(&state, sizeof(ngx_http_wassiit_state_t));

    if (ngx_http_wassiit_zone_secrets(zone, rec, &state.secrets) != NGX_OK) {
        ngx_http_wassiit_zone_free_window(sh, window);
        ngx_http_wassiit_zone_give_back(sh, unit);
        return NGX_ERROR;
    }

    state.scopes = rec->scopes;
    state.window = window;
    state.enabled = rec->enabled;
    state.name_len = rec->name.len;
    ngx_memcpy(state.name, rec->name.data, rec->name.len);

    p = ngx_http_wassiit_zone_at(sh, unit);

    p->mark = sh->load;
    p->span = ngx_http_wassiit_zone_line(rec);
    p->id_len = rec->id.len;
    ngx_memcpy(p->id, rec->id.data, rec->id.len);

    ngx_http_wassiit_zone_state(p, &state);
    store(&p->serial, ++sh->serial);

    hash = ngx_murmur_hash2(rec->id.data, rec->id.len);
    ngx_http_wassiit_zone_insert(&sh->ids, hash,
                                 ENTRY(hash, 0, unit));
    ngx_http_wassiit_zone_order_add(sh, unit);

    return ngx_http_wassiit_zone_add_keys(zone, rec, unit);
}


static ngx_int_t
ngx_http_wassiit_zone_update(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit)
{
    uint32_t                     window, secrets;
    ngx_int_t                    rc, keys;
    ngx_uint_t                   n, most, smaller;
    const ngx_wassiit_rate_t    *rate;
    ngx_http_wassiit_state_t     state;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    p = ngx_http_wassiit_zone_at(sh, unit);

    state = p->state[p->version & 1];
    window = state.window;
    secrets = state.secrets;

    store(&p->span, ngx_http_wassiit_zone_line(rec));

    /* a writer may have died before it was through with it */
    ngx_http_wassiit_zone_order_add(sh, unit);
    ngx_http_wassiit_zone_settle(zone, window);

    rate = ngx_http_wassiit_zone_rate(zone, rec);
    n = ngx_http_wassiit_zone_new_window(zone, rate, window, &most, &smaller);
    rc = NGX_OK;

    if (n && !(smaller && zone->tight)) {
        if (most - n <= zone->spare) {
            zone->spare -= most - n;
            n = most;
        }

        rc = ngx_http_wassiit_zone_window(zone, n, rate, window,
                                          &state.window);

        if (rc != NGX_OK && n > ngx_wassiit_window_units(rate)) {
            /* more is in use than there was at the check */
            rc = ngx_http_wassiit_zone_window(zone,
                                              ngx_wassiit_window_units(rate),
                                              rate, window, &state.window);
        }

        if (smaller) {
            rc = NGX_OK;
        }
    }

    if (!ngx_http_wassiit_zone_same_secrets(sh, rec, secrets)
        && ngx_http_wassiit_zone_secrets(zone, rec, &state.secrets) != NGX_OK)
    {
        /* an old secret is worse than none */
        state.secrets = 0;
        rc = NGX_ERROR;
    }

    /* without room the rate stays; what was revoked must go all the same */

    state.scopes = rec->scopes;
    state.enabled = rec->enabled;
    state.name_len = rec->name.len;
    ngx_memzero(state.name, NGX_HTTP_WASSIIT_NAME_LEN);
    ngx_memcpy(state.name, rec->name.data, rec->name.len);

    if (ngx_memcmp(&state, &p->state[p->version & 1],
                   sizeof(ngx_http_wassiit_state_t))
        != 0)
    {
        ngx_http_wassiit_zone_state(p, &state);
        ngx_http_wassiit_zone_settle(zone, state.window);
    }

    if (secrets && secrets != state.secrets) {
        ngx_http_wassiit_zone_changed(sh);
        ngx_http_wassiit_zone_free_secrets(sh, secrets);
    }

    keys = ngx_http_wassiit_zone_add_keys(zone, rec, unit);

    return (rc == NGX_OK) ? keys : rc;
}


static void
ngx_http_wassiit_zone_remove(ngx_http_wassiit_zone_t *zone, uint32_t unit)
{
    uint32_t                     more, next, owner;
    uint32_t                    *entry, at;
    ngx_uint_t                   n;
    ngx_http_wassiit_slot_t     *slot;
    ngx_http_wassiit_more_t     *m;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    p = ngx_http_wassiit_zone_at(sh, unit);

    for (n = 0; /* void */ ; n++) {
        slot = ngx_http_wassiit_zone_slot(sh, unit, n, &at);

        if (slot == NULL) {
            break;
        }

        if (slot->used
            && ngx_http_wassiit_zone_lookup_key(sh, slot->digest, &entry,
                                                &owner)
               == slot)
        {
            ngx_http_wassiit_zone_delete(&sh->keys, entry);
        }
    }

    /* its id goes last: a writer who dies is followed by one who looks there */

    ngx_http_wassiit_zone_order_remove(sh, unit);

    entry = ngx_http_wassiit_zone_lookup_id(sh, p->id, p->id_len);

    if (entry && ENTRY_UNIT(*entry) == unit) {
        ngx_http_wassiit_zone_delete(&sh->ids, entry);
    }

    store(&p->serial, 0);
    ngx_http_wassiit_zone_changed(sh);

    ngx_http_wassiit_zone_free_window(sh, p->state[p->version & 1].window);

    if (p->state[p->version & 1].secrets) {
        ngx_http_wassiit_zone_free_secrets(sh,
                                           p->state[p->version & 1].secrets);
    }

    for (more = p->more; more; more = next) {
        m = ngx_http_wassiit_zone_at(sh, more);
        next = m->next;
        ngx_http_wassiit_zone_free(sh, more);
    }

    ngx_http_wassiit_zone_free(sh, unit);
}


/*
 * Gives the partner those keys of rec that it hasn't got; NGX_DECLINED: not
 * all of them, for want of slots that former keys still take.
 */

static ngx_int_t
ngx_http_wassiit_zone_add_keys(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit)
{
    uint32_t                     owner;
    uint32_t                    *entry;
    ngx_int_t                    rc;
    ngx_uint_t                   i, most;
    ngx_http_wassiit_key_t      *key;
    ngx_http_wassiit_slot_t     *slot;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    most = ngx_http_wassiit_zone_more(zone->tight ? rec->nkeys
                                                  : 2 * NGX_HTTP_WASSIIT_KEYS);

    for (i = 0; i < rec->nkeys; i++) {
        key = &rec->keys[i];

        if (!zone->empty) {
            slot = ngx_http_wassiit_zone_lookup_key(sh, key->digest, &entry,
                                                    &owner);

            if (slot && owner == unit) {
                ngx_http_wassiit_zone_key_change(sh, slot, key);
                continue;
            }
        }

        rc = ngx_http_wassiit_zone_key_add(zone, key, unit, most);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* Takes those from it that rec hasn't got. */

static void
ngx_http_wassiit_zone_remove_keys(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t unit)
{
    uint32_t                     owner;
    uint32_t                    *entry, at;
    ngx_uint_t                   i, n, ours;
    ngx_http_wassiit_slot_t     *slot;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    for (n = 0; /* void */ ; n++) {
        slot = ngx_http_wassiit_zone_slot(sh, unit, n, &at);

        if (slot == NULL) {
            break;
        }

        if (!slot->used) {
            continue;
        }

        /* not if the key is another partner's by now */
        ours = (ngx_http_wassiit_zone_lookup_key(sh, slot->digest, &entry,
                                                 &owner)
                == slot);

        for (i = 0; i < rec->nkeys; i++) {
            if (ngx_memcmp(slot->digest, rec->keys[i].digest,
                           NGX_WASSIIT_DIGEST_LEN)
                == 0)
            {
                break;
            }
        }

        if (ours && i < rec->nkeys) {
            continue;
        }

        if (ours) {
            ngx_http_wassiit_zone_delete(&sh->keys, entry);
        }

        ngx_http_wassiit_zone_changed(sh);
        store(&slot->used, 0);
    }
}


/*
 * Step by step: whenever it is read, the key works at no time at which
 * neither the former state nor the new one lets it.
 */

static void
ngx_http_wassiit_zone_key_change(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_slot_t *slot, ngx_http_wassiit_key_t *key)
{
    u_char  made;

    made = (key->made || (slot->made && slot->created == key->created));

    if (slot->made == made
        && slot->created == key->created && slot->expires == key->expires
        && slot->id_len == key->id.len
        && ngx_memcmp(slot->id, key->id.data, key->id.len) == 0)
    {
        return;
    }

    ngx_http_wassiit_zone_changed(sh);

    store(&slot->created, ngx_max(slot->created, key->created));
    store(&slot->expires, ngx_min(slot->expires, key->expires));
    store(&slot->made, made);

    slot->id_len = key->id.len;
    ngx_memcpy(slot->id, key->id.data, key->id.len);

    store(&slot->created, key->created);
    store(&slot->expires, key->expires);

    ngx_http_wassiit_zone_changed(sh);
}


static ngx_int_t
ngx_http_wassiit_zone_key_add(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_key_t *key, uint32_t unit, ngx_uint_t most)
{
    uint32_t                     more, owner;
    uint32_t                    *entry, at;
    ngx_uint_t                   n;
    ngx_http_wassiit_slot_t     *slot;
    ngx_http_wassiit_more_t     *m;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (sh->keys.used == sh->keys.size) {
        return NGX_DECLINED;
    }

    for (n = 0; /* void */ ; n++) {
        slot = ngx_http_wassiit_zone_slot(sh, unit, n, &at);

        if (slot && !slot->used) {
            break;
        }

        if (slot == NULL) {
            if (n > most * ZONE_MORE_KEYS) {
                return NGX_DECLINED;
            }

            if (ngx_http_wassiit_zone_alloc(zone, &more) != NGX_OK) {
                return NGX_ERROR;
            }

            p = ngx_http_wassiit_zone_at(sh, unit);
            m = ngx_http_wassiit_zone_at(sh, more);

            m->owner = unit;
            m->next = p->more;
            store(&p->more, more);

            /* its keys come right after the partner's own */
            n = 0;
        }
    }

    slot->created = key->created;
    slot->expires = key->expires;
    slot->last_used = 0;
    slot->made = (key->made != 0);
    slot->id_len = key->id.len;
    ngx_memcpy(slot->id, key->id.data, key->id.len);
    ngx_memcpy(slot->digest, key->digest, NGX_WASSIIT_DIGEST_LEN);
    store(&slot->used, 1);

    at |= ENTRY(ngx_http_wassiit_zone_word(key->digest, 1), 0, 0);

    if (!zone->empty
        && ngx_http_wassiit_zone_lookup_key(sh, key->digest, &entry, &owner))
    {
        /* it was another partner's until now */
        store(entry, at);
        return NGX_OK;
    }

    ngx_http_wassiit_zone_insert(&sh->keys,
                            ngx_http_wassiit_zone_word(key->digest, 0), at);

    return NGX_OK;
}


/*
 * The partner's slot number n for a key, or NULL.  Sets entry to what the
 * index will hold for it, the tag excepted.
 */

static ngx_http_wassiit_slot_t *
ngx_http_wassiit_zone_slot(ngx_http_wassiit_zone_sh_t *sh, uint32_t unit,
    ngx_uint_t n, uint32_t *entry)
{
    uint32_t                   more;
    ngx_http_wassiit_more_t   *m;
    ngx_http_wassiit_entry_t  *p;

    p = ngx_http_wassiit_zone_at(sh, unit);

    if (n == 0) {
        *entry = unit;
        return &p->key;
    }

    for (n--, more = p->more; more; n -= ZONE_MORE_KEYS, more = m->next) {
        m = ngx_http_wassiit_zone_at(sh, more);

        if (n < ZONE_MORE_KEYS) {
            *entry = ENTRY(0, n + 1, more);
            return &m->keys[n];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_wassiit_zone_window(ngx_http_wassiit_zone_t *zone, ngx_uint_t n,
    const ngx_wassiit_rate_t *rate, uint32_t from, uint32_t *window)
{
    ngx_uint_t                   i;
    ngx_http_wassiit_zone_sh_t  *sh;
    uint32_t                     units[NGX_WASSIIT_WINDOW_UNITS];

    sh = zone->sh;
    units[0] = 0;

    for (i = 0; i < n; i++) {
        if (ngx_http_wassiit_zone_alloc(zone, &units[i]) != NGX_OK) {
            while (i--) {
                ngx_http_wassiit_zone_give_back(sh, units[i]);
            }

            return NGX_ERROR;
        }
    }

    ngx_wassiit_window_init(sh->base, units, n, rate, from);
    *window = units[0];

    return NGX_OK;
}


/* Completes a change of windows: what the older one knew is in the newer. */

static void
ngx_http_wassiit_zone_settle(ngx_http_wassiit_zone_t *zone, uint32_t window)
{
    uint32_t  from;

    from = ngx_wassiit_window_settle(zone->sh->base, window);

    if (from) {
        ngx_wassiit_window_release(zone->sh->base, window);
        ngx_http_wassiit_zone_changed(zone->sh);
        ngx_http_wassiit_zone_free_window(zone->sh, from);
    }
}


/* Puts the secrets of rec where readers find them; 0: it has none. */

static ngx_int_t
ngx_http_wassiit_zone_secrets(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t *secrets)
{
    *secrets = 0;

    if (rec->secrets == NULL) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_zone_alloc(zone, secrets) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_http_wassiit_zone_at(zone->sh, *secrets), rec->secrets,
               sizeof(ngx_http_wassiit_secrets_t));

    return NGX_OK;
}


static ngx_uint_t
ngx_http_wassiit_zone_same_secrets(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_record_t *rec, uint32_t secrets)
{
    if (secrets == 0 || rec->secrets == NULL) {
        return secrets == 0 && rec->secrets == NULL;
    }

    return CRYPTO_memcmp(ngx_http_wassiit_zone_at(sh, secrets), rec->secrets,
                         sizeof(ngx_http_wassiit_secrets_t))
           == 0;
}


static void
ngx_http_wassiit_zone_free_secrets(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t secrets)
{
    ngx_explicit_memzero(ngx_http_wassiit_zone_at(sh, secrets),
                         sizeof(ngx_http_wassiit_secrets_t));
    ngx_http_wassiit_zone_free(sh, secrets);
}


/* Publishes a new state of the partner, all of it at once. */

static void
ngx_http_wassiit_zone_state(ngx_http_wassiit_entry_t *p,
    ngx_http_wassiit_state_t *state)
{
    uint64_t  version;

    version = p->version + 1;

    /* who still copies the state before the last must see the last version */
    __atomic_thread_fence(__ATOMIC_RELEASE);

    p->state[version & 1] = *state;
    store(&p->version, version);
}


/* Returns the partner's entry in the index, or NULL; writers only. */

static uint32_t *
ngx_http_wassiit_zone_lookup_id(ngx_http_wassiit_zone_sh_t *sh, u_char *id,
    size_t len)
{
    uint32_t                   hash;
    uint32_t                  *e;
    ngx_uint_t                 n;
    ngx_http_wassiit_entry_t  *p;

    hash = ngx_murmur_hash2(id, len);
    e = ngx_http_wassiit_zone_first(&sh->ids, hash);

    for (n = 0; n <= sh->ids.reach && *e != ENTRY_EMPTY; n++) {
        if (ENTRY_TAG(*e) == ENTRY_TAG(ENTRY(hash, 0, 0))) {
            p = ngx_http_wassiit_zone_at(sh, ENTRY_UNIT(*e));

            if (p->id_len == len && ngx_memcmp(p->id, id, len) == 0) {
                return e;
            }
        }

        e = ngx_http_wassiit_zone_next(&sh->ids, e);
    }

    return NULL;
}


/* Returns the unit of the record's partner, 0 if there is none. */

static uint32_t
ngx_http_wassiit_zone_partner(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    uint32_t  *entry;

    if (zone->empty) {
        return 0;
    }

    entry = ngx_http_wassiit_zone_lookup_id(zone->sh, rec->id.data,
                                            rec->id.len);

    return entry ? ENTRY_UNIT(*entry) : 0;
}


static void
ngx_http_wassiit_zone_insert(ngx_http_wassiit_index_t *index, uint32_t hash,
    uint32_t entry)
{
    uint32_t   n;
    uint32_t  *e;

    e = ngx_http_wassiit_zone_first(index, hash);

    for (n = 0; *e != ENTRY_EMPTY && *e != ENTRY_GONE; n++) {
        e = ngx_http_wassiit_zone_next(index, e);
    }

    index->used++;

    if (n > index->reach) {
        store(&index->reach, n);
    }

    store(e, entry);
}


static void
ngx_http_wassiit_zone_delete(ngx_http_wassiit_index_t *index, uint32_t *entry)
{
    store(entry, ENTRY_GONE);
    index->used--;

    /* marks at the end of a run serve no search */

    while (*entry == ENTRY_GONE
           && *ngx_http_wassiit_zone_next(index, entry) == ENTRY_EMPTY)
    {
        store(entry, ENTRY_EMPTY);

        entry = (entry == index->entries) ? index->entries + index->size - 1
                                          : entry - 1;
    }
}


/* Says that something has left the index; to be called before it is freed. */

static void
ngx_http_wassiit_zone_changed(ngx_http_wassiit_zone_sh_t *sh)
{
    store(&sh->changes, sh->changes + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}


/*
 * Sets prev[] to the partners, one a level, behind which this id belongs.  The
 * search begins at sh->finger[]: where ids come in their order, that is next
 * to its end.
 */

static void
ngx_http_wassiit_zone_order_find(ngx_http_wassiit_zone_sh_t *sh, u_char *id,
    size_t len, uint32_t *prev)
{
    uint32_t    unit, next;
    ngx_uint_t  level, moved;

    unit = sh->finger[0];

    if (unit && ngx_http_wassiit_zone_compare(sh, unit, id, len) >= 0) {
        ngx_memzero(sh->finger, sizeof(sh->finger));
    }

    unit = 0;
    moved = 0;

    for (level = ZONE_LEVELS; level--; /* void */) {

        if (!moved) {
            unit = sh->finger[level];
        }

        for ( ;; ) {
            next = *ngx_http_wassiit_zone_after(sh, unit, level);

            if (next == 0
                || ngx_http_wassiit_zone_compare(sh, next, id, len) >= 0)
            {
                break;
            }

            unit = next;
            moved = 1;
        }

        prev[level] = unit;
    }
}


/* Links the partner at unit, if it isn't yet, or not on all of its levels. */

static void
ngx_http_wassiit_zone_order_add(ngx_http_wassiit_zone_sh_t *sh, uint32_t unit)
{
    uint32_t                   hash;
    uint32_t                  *after, prev[ZONE_LEVELS];
    ngx_uint_t                 level;
    ngx_http_wassiit_entry_t  *p;

    p = ngx_http_wassiit_zone_at(sh, unit);

    ngx_http_wassiit_zone_order_find(sh, p->id, p->id_len, prev);

    hash = ngx_murmur_hash2(p->id, p->id_len);

    for (level = 0; level < ZONE_LEVELS; level++) {
        after = ngx_http_wassiit_zone_after(sh, prev[level], level);

        if (*after != unit) {
            store(&p->next[level], *after);
            store(after, unit);
        }

        prev[level] = unit;

        if (hash & 3) {
            break;
        }

        hash >>= 2;
    }

    ngx_memcpy(sh->finger, prev, sizeof(sh->finger));
}


static void
ngx_http_wassiit_zone_order_remove(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t unit)
{
    uint32_t                  *after, prev[ZONE_LEVELS];
    ngx_uint_t                 level;
    ngx_http_wassiit_entry_t  *p;

    p = ngx_http_wassiit_zone_at(sh, unit);

    ngx_http_wassiit_zone_order_find(sh, p->id, p->id_len, prev);

    for (level = ZONE_LEVELS; level--; /* void */) {
        after = ngx_http_wassiit_zone_after(sh, prev[level], level);

        if (*after == unit) {
            store(after, p->next[level]);
        }
    }

    ngx_memzero(sh->finger, sizeof(sh->finger));
}


/* A unit filled with zeros. */

static ngx_int_t
ngx_http_wassiit_zone_alloc(ngx_http_wassiit_zone_t *zone, uint32_t *unit)
{
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (sh->free && sh->frees[sh->free].stamp > sh->passed
        && sh->fresh == sh->units)
    {
        ngx_http_wassiit_zone_reclaim(zone);
    }

    if (sh->free && sh->frees[sh->free].stamp <= sh->passed) {
        *unit = sh->free;
        sh->free = sh->frees[*unit].next;
        ngx_memzero(ngx_http_wassiit_zone_at(sh, *unit), NGX_WASSIIT_UNIT);
        return NGX_OK;
    }

    if (sh->fresh < sh->units) {
        *unit = sh->fresh++;
#ifdef NGX_DEBUG_MALLOC
        /* else it is as the system has given it */
        ngx_memzero(ngx_http_wassiit_zone_at(sh, *unit), NGX_WASSIIT_UNIT);
#endif
        return NGX_OK;
    }

    return NGX_ERROR;
}


/*
 * Has all units that were freed be used again at which no reader can look any
 * more; waits for readers that can, as long as there is patience left.
 */

static void
ngx_http_wassiit_zone_reclaim(ngx_http_wassiit_zone_t *zone)
{
    uint64_t                     stamp, start, spent, passed;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    start = ngx_http_wassiit_zone_clock();
    stamp = ngx_wassiit_epoch_stamp(sh->epoch);

    passed = ngx_wassiit_epoch_wait(sh->epoch, stamp, zone->patience);

    /* what nobody could look at once, nobody can any more */
    sh->passed = ngx_max(sh->passed, passed);

    spent = (ngx_http_wassiit_zone_clock() - start) / 1000;
    zone->patience -= ngx_min(zone->patience, spent);
}


static void
ngx_http_wassiit_zone_free(ngx_http_wassiit_zone_sh_t *sh, uint32_t unit)
{
    sh->frees[unit].next = 0;
    sh->frees[unit].stamp = ngx_wassiit_epoch_stamp(sh->epoch);

    if (sh->free) {
        sh->frees[sh->free_last].next = unit;

    } else {
        store(&sh->free, unit);
    }

    sh->free_last = unit;
}


/* Gives back a unit that no reader has seen: it may be used again at once. */

static void
ngx_http_wassiit_zone_give_back(ngx_http_wassiit_zone_sh_t *sh, uint32_t unit)
{
    if (sh->free == 0) {
        sh->free_last = unit;
    }

    sh->frees[unit].next = sh->free;
    sh->frees[unit].stamp = 0;

    store(&sh->free, unit);
}


static void
ngx_http_wassiit_zone_free_window(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t window)
{
    ngx_uint_t  n;
    uint32_t    units[NGX_WASSIIT_WINDOW_UNITS];

    n = ngx_wassiit_window_list(sh->base, window, units);

    while (n--) {
        ngx_http_wassiit_zone_free(sh, units[n]);
    }
}


void
ngx_http_wassiit_zone_leave(ngx_http_wassiit_zone_t *former,
    ngx_http_wassiit_zone_t *zone)
{
    uint64_t  time;

    ngx_http_wassiit_zone_inherit(former, zone);

    /* by then no worker that uses it accepts connections any more */
    time = ngx_http_wassiit_zone_clock() + ZONE_LEAVE;

    store(&zone->sh->opens, time);
    store(&former->sh->left, time);
}


/* The wall clock may have been stepped back since a key was made. */

static void
ngx_http_wassiit_zone_inherit(ngx_http_wassiit_zone_t *former,
    ngx_http_wassiit_zone_t *zone)
{
    uint32_t                   unit, owner, at;
    uint32_t                  *entry;
    ngx_uint_t                 n;
    ngx_http_wassiit_slot_t   *slot, *ours;
    ngx_http_wassiit_entry_t  *p;

    if (ngx_http_wassiit_zone_lock(former, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        return;
    }

    if (ngx_http_wassiit_zone_lock(zone, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        ngx_http_wassiit_zone_unlock(former);
        return;
    }

    for (unit = former->sh->first[0]; unit; unit = p->next[0]) {
        p = ngx_http_wassiit_zone_at(former->sh, unit);

        for (n = 0; /* void */ ; n++) {
            slot = ngx_http_wassiit_zone_slot(former->sh, unit, n, &at);

            if (slot == NULL) {
                break;
            }

            if (!slot->used || !slot->made) {
                continue;
            }

            ours = ngx_http_wassiit_zone_lookup_key(zone->sh, slot->digest,
                                                    &entry, &owner);

            if (ours && ours->created == slot->created) {
                store(&ours->made, 1);
            }
        }
    }

    ngx_http_wassiit_zone_unlock(zone);
    ngx_http_wassiit_zone_unlock(former);
}


/* As ngx_http_wassiit_zone_known() returns it; under the mutex. */

static ngx_int_t
ngx_http_wassiit_zone_current(ngx_http_wassiit_zone_t *zone)
{
    if (load(&zone->sh->left) || zone->sh->loads != zone->loads
        || ngx_memcmp(zone->sh->digest, zone->digest, NGX_WASSIIT_DIGEST_LEN)
           != 0)
    {
        return NGX_DECLINED;
    }

    return (ngx_http_wassiit_zone_clock() < load(&zone->sh->opens))
           ? NGX_AGAIN : NGX_OK;
}


ngx_int_t
ngx_http_wassiit_zone_known(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_journal_t *journal)
{
    ngx_int_t  rc;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_AGAIN;
    }

    zone->loads = zone->sh->loads;

    rc = ngx_http_wassiit_zone_current(zone);

    if (rc == NGX_OK) {
        ngx_http_wassiit_journal_get(&zone->sh->journals, journal);
    }

    ngx_http_wassiit_zone_unlock(zone);

    return rc;
}


ngx_http_wassiit_journals_t *
ngx_http_wassiit_zone_journals(ngx_http_wassiit_zone_t *zone)
{
    return &zone->sh->journals;
}


ngx_int_t
ngx_http_wassiit_zone_span(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_span_t *span)
{
    uint32_t                  *entry;
    ngx_int_t                  rc;
    ngx_http_wassiit_entry_t  *p;

    rc = NGX_ABORT;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return rc;
    }

    if (ngx_http_wassiit_zone_current(zone) == NGX_OK) {
        entry = ngx_http_wassiit_zone_lookup_id(zone->sh, id->data, id->len);
        rc = NGX_DECLINED;

        if (entry) {
            p = ngx_http_wassiit_zone_at(zone->sh, ENTRY_UNIT(*entry));

            ngx_http_wassiit_zone_set_span(span, p);
            rc = NGX_OK;
        }
    }

    ngx_http_wassiit_zone_unlock(zone);

    return rc;
}


ngx_int_t
ngx_http_wassiit_zone_room(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    size_t                       want, beside, ready;
    uint32_t                     unit;
    ngx_int_t                    rc;
    ngx_http_wassiit_zone_sh_t  *sh;

    if (rec->deleted) {
        return NGX_OK;
    }

    sh = zone->sh;
    zone->empty = 0;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_AGAIN;
    }

    unit = ngx_http_wassiit_zone_partner(zone, rec);

    beside = 0;
    want = ngx_http_wassiit_zone_new_units(zone, rec, unit, &beside);

    /* a window may take more by the time that it is made */
    ready = ngx_http_wassiit_zone_ready_units(zone, beside
                                                    + NGX_WASSIIT_WINDOW_UNITS);

    if (ready < want) {
        zone->patience = ZONE_CHANGE_PATIENCE;
        ready = ngx_http_wassiit_zone_ready_units(zone, want);
    }

    zone->tight = (beside > ready);
    zone->spare = zone->tight ? 0 : ready - beside;

    if (sh->keys.used + ngx_http_wassiit_zone_new_keys(zone, rec, unit)
        > ZONE_KEYS(sh->keys.size))
    {
        rc = NGX_DECLINED;

    } else if (want <= ready) {
        rc = NGX_OK;

    } else {
        rc = (want <= ngx_http_wassiit_zone_free_units(zone)) ? NGX_AGAIN
                                                              : NGX_DECLINED;
    }

    ngx_http_wassiit_zone_unlock(zone);

    return rc;
}


/* The units, want at most, that can be had now, or soon enough. */

static size_t
ngx_http_wassiit_zone_ready_units(ngx_http_wassiit_zone_t *zone, size_t want)
{
    size_t                       n;
    uint32_t                     unit;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    n = sh->units - sh->fresh;

    /* those that were freed first come first */

    for (unit = sh->free; unit && n < want; unit = sh->frees[unit].next) {

        if (sh->frees[unit].stamp > sh->passed) {
            ngx_http_wassiit_zone_reclaim(zone);

            if (sh->frees[unit].stamp > sh->passed) {
                break;
            }
        }

        n++;
    }

    return ngx_min(n, want);
}


ngx_int_t
ngx_http_wassiit_zone_apply(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, ngx_log_t *log)
{
    uint32_t                     unit;
    ngx_int_t                    rc, keys;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    zone->empty = 0;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_wassiit_zone_current(zone) != NGX_OK) {
        /* a reload has named another file, and waits for no lock of ours */
        ngx_http_wassiit_zone_unlock(zone);
        return NGX_DECLINED;
    }

    ngx_memzero(sh->finger, sizeof(sh->finger));

    unit = ngx_http_wassiit_zone_partner(zone, rec);

    if (rec->deleted) {
        if (unit) {
            ngx_http_wassiit_zone_remove(zone, unit);
        }

        rc = NGX_OK;

    } else if (unit == 0) {
        rc = ngx_http_wassiit_zone_add(zone, rec);

    } else {
        p = ngx_http_wassiit_zone_at(sh, unit);
        store(&p->edits, p->edits | 1);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);

        rc = ngx_http_wassiit_zone_update(zone, rec, unit);

        ngx_http_wassiit_zone_remove_keys(zone, rec, unit);

        if (rc != NGX_OK) {
            keys = ngx_http_wassiit_zone_add_keys(zone, rec, unit);
            rc = (rc == NGX_DECLINED) ? keys : rc;
        }

        store(&p->edits, p->edits + 1);
    }

    if (rc != NGX_OK) {
        ngx_http_wassiit_zone_no_room(zone, rec, log);
    }

    ngx_http_wassiit_zone_unlock(zone);

    return (rc == NGX_OK) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_wassiit_zone_get_locked(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    ngx_int_t  rc;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_wassiit_zone_read_partner(zone->sh, id, info);

    ngx_http_wassiit_zone_unlock(zone);

    return rc;
}


/* How many partners the list has; writers only. */

static ngx_uint_t
ngx_http_wassiit_zone_length(ngx_http_wassiit_zone_sh_t *sh)
{
    uint32_t                   unit;
    ngx_uint_t                 n;
    ngx_http_wassiit_entry_t  *p;

    for (n = 0, unit = sh->first[0]; unit; n++) {
        p = ngx_http_wassiit_zone_at(sh, unit);
        unit = p->next[0];
    }

    return n;
}


ngx_http_wassiit_span_t *
ngx_http_wassiit_zone_spans(ngx_http_wassiit_zone_t *zone, ngx_uint_t *n,
    ngx_log_t *log)
{
    u_char                      *ids;
    uint32_t                     unit;
    ngx_uint_t                   i, most;
    ngx_http_wassiit_span_t     *spans;
    ngx_http_wassiit_entry_t    *p;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NULL;
    }

    most = 0;

    if (ngx_http_wassiit_zone_current(zone) == NGX_OK) {
        most = ngx_http_wassiit_zone_length(sh);
    }

    ngx_http_wassiit_zone_unlock(zone);

    spans = ngx_alloc((most + 1) * (sizeof(ngx_http_wassiit_span_t)
                                    + NGX_HTTP_WASSIIT_ID_LEN), log);
    if (spans == NULL) {
        return NULL;
    }

    /* partners may go as soon as the mutex is free */
    ids = (u_char *) &spans[most + 1];

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        ngx_free(spans);
        return NULL;
    }

    if (ngx_http_wassiit_zone_current(zone) != NGX_OK) {
        ngx_http_wassiit_zone_unlock(zone);
        ngx_free(spans);
        return NULL;
    }

    unit = sh->first[0];

    for (i = 0; unit && i < most; i++) {
        p = ngx_http_wassiit_zone_at(sh, unit);

        ngx_http_wassiit_zone_set_span(&spans[i], p);
        spans[i].id.len = p->id_len;
        spans[i].id.data = ids;
        spans[i].owner = p;

        ids = ngx_cpymem(ids, p->id, p->id_len);

        unit = p->next[0];
    }

    ngx_http_wassiit_zone_unlock(zone);

    *n = i;

    return spans;
}


ngx_int_t
ngx_http_wassiit_zone_tell(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_span_t *spans,
    ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_http_wassiit_entry_t  *p;

    if (ngx_http_wassiit_zone_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_wassiit_zone_current(zone) != NGX_OK) {
        ngx_http_wassiit_zone_unlock(zone);
        return NGX_DECLINED;
    }

    for (i = 0; i < n; i++) {
        p = spans[i].owner;
        store(&p->span, (uint64_t) spans[i].offset << LINE_BITS
                        | spans[i].len);
    }

    ngx_http_wassiit_journal_set(&zone->sh->journals, journal);

    ngx_http_wassiit_zone_unlock(zone);

    return NGX_OK;
}
