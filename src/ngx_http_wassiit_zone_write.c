
/*
 * Writers, which change the partners of a zone: one at a time, by the lock of
 * the partners' file; and by the zone's mutex, as a reload may name another
 * file.
 */


#include "ngx_http_wassiit_zone_load.h"


/*
 * How long a change waits for readers that may still look at what was freed, if
 * there is no other room; and for a writer that is stopped.  No rule rests on
 * these: what isn't ready by then is left as it is.  Milliseconds.
 */
#define ZONE_CHANGE_PATIENCE    100
#define ZONE_MUTEX_PATIENCE     500

/*
 * How long a zone that takes the place of another one waits with changes: the
 * other is asked as long, by workers that accept connections.  Microseconds.
 */
#define ZONE_LEAVE              2000000


static void ngx_http_wassiit_zone_inherit(ngx_http_wassiit_zone_t *former,
    ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_zone_wants(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan);
static void ngx_http_wassiit_zone_discard(ngx_http_wassiit_zone_t *zone);
static ngx_int_t ngx_http_wassiit_zone_current(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_zone_note_gone(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_record_t *rec);


static ngx_inline void
ngx_http_wassiit_zone_set_span(ngx_http_wassiit_span_t *span,
    ngx_http_wassiit_profile_t *profile)
{
    span->offset = profile->span >> PARTNER_SPAN_BITS;
    span->len = profile->span & (((uint64_t) 1 << PARTNER_SPAN_BITS) - 1);
}


void
ngx_http_wassiit_zone_leave(ngx_http_wassiit_zone_t *former,
    ngx_http_wassiit_zone_t *zone)
{
    uint64_t  time;

    if (ngx_http_wassiit_zone_is_sound(former)) {
        ngx_http_wassiit_zone_inherit(former, zone);
    }

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
    uint32_t                      at, place;
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_zone_sh_t   *sh;
    ngx_http_wassiit_zone_key_t  *key, *ours;

    if (ngx_http_wassiit_mend_lock(former, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        return;
    }

    if (ngx_http_wassiit_mend_lock(zone, ZONE_RELOAD_PATIENCE) != NGX_OK) {
        ngx_http_wassiit_mend_unlock(former);
        return;
    }

    sh = former->sh;
    at = 0;

    for ( ;; ) {
        place = ngx_http_wassiit_zone_each_key(sh, &at);

        if (place == 0) {
            break;
        }

        key = ngx_http_wassiit_zone_at(sh, place);

        if (!(key->flags & ZONE_MADE)) {
            continue;
        }

        place = ngx_http_wassiit_zone_lookup_key(zone->sh, key->digest,
                                                 &probe);
        if (place == 0) {
            continue;
        }

        ours = ngx_http_wassiit_zone_at(zone->sh, place);

        if (ours->exact_created == key->exact_created) {
            store(&ours->flags, ours->flags | ZONE_MADE);
            store(&ours->created, 0);
        }
    }

    ngx_http_wassiit_mend_unlock(zone);
    ngx_http_wassiit_mend_unlock(former);
}


/* As ngx_http_wassiit_zone_known() returns it; under the mutex. */

static ngx_int_t
ngx_http_wassiit_zone_current(ngx_http_wassiit_zone_t *zone)
{
    if (load(&zone->sh->left) || load(&zone->sh->head.superseded)
        || zone->sh->loads != zone->loads
        || ngx_memcmp(zone->sh->digest, zone->digest, NGX_WASSIIT_DIGEST_LEN)
           != 0)
    {
        return NGX_DECLINED;
    }

    return (ngx_http_wassiit_zone_clock() < load(&zone->sh->opens))
           ? NGX_AGAIN : NGX_OK;
}


ngx_uint_t
ngx_http_wassiit_zone_takes_changes(ngx_http_wassiit_zone_t *zone)
{
    return load(&zone->sh->left) == 0
           && load(&zone->sh->head.superseded) == 0
           && ngx_memcmp(zone->sh->digest, zone->digest,
                         NGX_WASSIIT_DIGEST_LEN)
              == 0;
}


ngx_int_t
ngx_http_wassiit_zone_known(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_journal_t *journal)
{
    ngx_int_t  rc;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_AGAIN;
    }

    zone->loads = zone->sh->loads;

    rc = ngx_http_wassiit_zone_current(zone);

    if (rc == NGX_OK) {
        ngx_http_wassiit_journal_get(&zone->sh->journals, journal);
    }

    ngx_http_wassiit_mend_unlock(zone);

    return rc;
}


ngx_pid_t
ngx_http_wassiit_zone_is_superseded(ngx_http_wassiit_zone_t *zone)
{
    return (ngx_pid_t) load(&zone->sh->head.superseded);
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
    uint32_t             place;
    ngx_int_t            rc;
    ngx_wassiit_probe_t  probe;

    rc = NGX_ABORT;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return rc;
    }

    if (ngx_http_wassiit_zone_current(zone) == NGX_OK) {
        place = ngx_http_wassiit_zone_lookup_id(zone->sh, id->data, id->len,
                                                &probe);
        rc = NGX_DECLINED;

        if (place) {
            ngx_http_wassiit_zone_set_span(span,
                                     ngx_http_wassiit_zone_at(zone->sh, place));
            rc = NGX_OK;
        }
    }

    ngx_http_wassiit_mend_unlock(zone);

    return rc;
}


void
ngx_http_wassiit_zone_mend(ngx_http_wassiit_zone_t *zone)
{
    if (ngx_http_wassiit_mend_trylock(zone) == NGX_OK) {
        ngx_http_wassiit_mend_unlock(zone);
    }
}


void
ngx_http_wassiit_zone_tag_seed(ngx_http_wassiit_zone_t *zone,
    u_char seed[NGX_HTTP_WASSIIT_TAG_SEED])
{
    ngx_memcpy(seed, zone->sh->tags[load(&zone->sh->tag)].seed,
               NGX_HTTP_WASSIIT_TAG_SEED);
}


/*
 * The other one is written, then it counts.  Whoever stands still while it is
 * written once more makes a tag that matches none, so its change is refused.
 */

void
ngx_http_wassiit_zone_share_tags(ngx_http_wassiit_zone_t *zone,
    const u_char seed[NGX_HTTP_WASSIIT_TAG_SEED], const u_char *key,
    size_t len)
{
    u_char                       mac[NGX_WASSIIT_HMAC_LEN];
    uint32_t                     tag;
    ngx_wassiit_hmac_t           hmac;
    ngx_http_wassiit_tags_t      tags;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    tag = load(&sh->tag);

    ngx_memcpy(tags.seed, seed, NGX_HTTP_WASSIIT_TAG_SEED);
    ngx_wassiit_hmac_key(&tags.key, key ? key : seed,
                         key ? len : NGX_HTTP_WASSIIT_TAG_SEED);

    if (key) {
        ngx_wassiit_hmac_init(&hmac, &tags.key);
        ngx_wassiit_hmac_update(&hmac, seed, NGX_HTTP_WASSIIT_TAG_SEED);
        ngx_wassiit_hmac_final(&hmac, &tags.key, mac);
        ngx_wassiit_hmac_key(&tags.key, mac, sizeof(mac));
        ngx_explicit_memzero(mac, sizeof(mac));
    }

    if (ngx_memcmp(sh->tags[tag].seed, tags.seed, sizeof(tags.seed)) != 0
        || ngx_memcmp(&sh->tags[tag].key, &tags.key, sizeof(tags.key)) != 0)
    {
        sh->tags[!tag] = tags;
        store(&sh->tag, !tag);
    }

    ngx_explicit_memzero(&tags, sizeof(tags));
}


uint64_t
ngx_http_wassiit_zone_tag(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    return ngx_http_wassiit_etag(&sh->tags[load(&sh->tag)].key, rec);
}


ngx_uint_t
ngx_http_wassiit_zone_clashes(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, ngx_log_t *log)
{
    uint32_t                      place;
    ngx_str_t                     id;
    ngx_uint_t                    i, clashes;
    ngx_wassiit_probe_t           probe;
    ngx_http_wassiit_zone_key_t  *key;

    if (rec->nkeys == 0
        || ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK)
    {
        return 0;
    }

    clashes = 0;

    for (i = 0; i < rec->nkeys && !clashes; i++) {
        place = ngx_http_wassiit_zone_lookup_key(zone->sh, rec->keys[i].digest,
                                                 &probe);
        if (place == 0) {
            continue;
        }

        key = ngx_http_wassiit_zone_at(zone->sh, place);
        id.len = key->id_len;
        id.data = key->names;

        clashes = (id.len != rec->id.len
                   || ngx_memcmp(id.data, rec->id.data, id.len) != 0);

        if (clashes) {
            ngx_log_error(NGX_LOG_ERR, log, 0,
                          "a line of partner \"%V\" that another node has made "
                          "isn't taken into wassiit_zone \"%V\": its "
                          "keys[%ui] is partner \"%V\"'s here; delete the one "
                          "that is too many", &rec->id, &zone->name, i, &id);
        }
    }

    ngx_http_wassiit_mend_unlock(zone);

    return clashes;
}


ngx_int_t
ngx_http_wassiit_zone_room(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    uint32_t                     place;
    ngx_int_t                    rc;
    ngx_http_wassiit_plan_t      plan;
    ngx_http_wassiit_zone_sh_t  *sh;

    if (rec->deleted) {
        return NGX_OK;
    }

    sh = zone->sh;
    zone->empty = 0;
    zone->tight = 0;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_AGAIN;
    }

    ngx_http_wassiit_zone_discard(zone);

    ngx_http_wassiit_plan_make(zone, rec,
                               ngx_http_wassiit_plan_lookup(zone, rec), &plan);

    zone->patience = ZONE_CHANGE_PATIENCE;
    place = 0;

    if (ngx_wassiit_index_used(&sh->keys) + plan.new_keys
        <= ngx_http_wassiit_zone_most(sh->keys.size)
        && ngx_wassiit_index_used(&sh->ids) + (plan.former == 0)
           <= ngx_http_wassiit_zone_most(sh->ids.size))
    {
        place = ngx_http_wassiit_partner_prepare(zone, &plan);
        rc = ngx_http_wassiit_zone_wants(zone, &plan);

    } else {
        rc = NGX_DECLINED;
    }

    if (place) {
        rc = NGX_OK;

        zone->prepared = rec;
        zone->replaces = plan.former;
        zone->prepares = ++sh->prepares;
        sh->prepared = place;

    } else if (plan.amendable) {
        rc = NGX_OK;
    }

    ngx_http_wassiit_mend_unlock(zone);

    return rc;
}


/* There is no room now.  Returns NGX_AGAIN: there will be; or NGX_DECLINED. */

static ngx_int_t
ngx_http_wassiit_zone_wants(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan)
{
    uint32_t  pending, free;

    pending = ngx_http_wassiit_room_pending(zone);
    free = ngx_wassiit_lines_left(ngx_http_wassiit_zone_lines(zone->sh));

    return (pending && plan->lines <= pending + free) ? NGX_AGAIN
                                                      : NGX_DECLINED;
}


/* Gives back what was prepared for a change that wasn't made. */

static void
ngx_http_wassiit_zone_discard(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                     place;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    place = sh->prepared;

    if (place == 0) {
        return;
    }

    if (zone->prepared && zone->prepares == sh->prepares) {
        store(&sh->prepared, 0);
        ngx_http_wassiit_partner_discard(zone, place, zone->replaces);

    } else {
        /* another process's, which has died or is late */
        store(&sh->prepared, 0);
        ngx_http_wassiit_room_lost(zone);
    }

    zone->prepared = NULL;
}


ngx_int_t
ngx_http_wassiit_zone_apply(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, ngx_http_wassiit_info_t *info,
    ngx_log_t *log)
{
    uint32_t                     former, place;
    ngx_int_t                    rc;
    ngx_http_wassiit_plan_t      plan;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    zone->empty = 0;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_wassiit_zone_current(zone) != NGX_OK) {
        /* a reload has named another file, and waits for no lock of ours */
        ngx_http_wassiit_zone_discard(zone);
        ngx_http_wassiit_mend_unlock(zone);
        return NGX_DECLINED;
    }

    former = ngx_http_wassiit_plan_lookup(zone, rec);
    place = 0;

    if (zone->prepared == rec && zone->prepares == sh->prepares
        && zone->replaces == former && !rec->deleted)
    {
        place = sh->prepared;
        sh->prepared = 0;
        zone->prepared = NULL;

    } else {
        ngx_http_wassiit_zone_discard(zone);
    }

    if (rec->deleted) {
        if (rec->rev) {
            ngx_http_wassiit_zone_note_gone(sh, rec);
        }

        if (former) {
            ngx_http_wassiit_partner_withdraw(zone, former);
        }

        ngx_http_wassiit_mend_unlock(zone);
        return NGX_OK;
    }

    rc = NGX_OK;

    if (place == 0) {
        ngx_http_wassiit_plan_make(zone, rec, former, &plan);
        place = ngx_http_wassiit_partner_prepare(zone, &plan);
    }

    if (place) {
        ngx_http_wassiit_partner_replace(zone, rec, place, former);

    } else if (plan.amendable) {
        ngx_http_wassiit_partner_amend(zone, &plan);

    } else {
        ngx_http_wassiit_partner_no_room(zone, &plan, log);
        rc = NGX_ERROR;
    }

    if (info && rc == NGX_OK) {
        (void) ngx_http_wassiit_zone_read_partner(sh, &rec->id, info,
                                                  ZONE_ALL);
    }

    ngx_http_wassiit_mend_unlock(zone);

    return rc;
}


/* Under the mutex.  A writer that dies in this leaves none. */

static void
ngx_http_wassiit_zone_note_gone(ngx_http_wassiit_zone_sh_t *sh,
    ngx_http_wassiit_record_t *rec)
{
    ngx_http_wassiit_gone_t  *gone;

    gone = &sh->gone[sh->deletions++ % ZONE_GONE];

    store(&gone->rev, 0);
    ngx_wassiit_key_digest(rec->id.data, rec->id.len, gone->digest);
    store(&gone->rev, rec->rev);
}


uint64_t
ngx_http_wassiit_zone_gone(ngx_http_wassiit_zone_t *zone, ngx_str_t *id)
{
    u_char                    digest[NGX_WASSIIT_DIGEST_LEN];
    uint64_t                  rev;
    ngx_uint_t                i;
    ngx_http_wassiit_gone_t  *gone;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return 0;
    }

    ngx_wassiit_key_digest(id->data, id->len, digest);
    rev = 0;

    for (i = 0; i < ZONE_GONE; i++) {
        gone = &zone->sh->gone[i];

        if (gone->rev > rev
            && ngx_memcmp(gone->digest, digest, NGX_WASSIIT_DIGEST_LEN) == 0)
        {
            rev = gone->rev;
        }
    }

    ngx_http_wassiit_mend_unlock(zone);

    return rev;
}


void
ngx_http_wassiit_zone_forget_gone(ngx_http_wassiit_zone_t *zone)
{
    ngx_uint_t  i;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return;
    }

    for (i = 0; i < ZONE_GONE; i++) {
        store(&zone->sh->gone[i].rev, 0);
    }

    ngx_http_wassiit_mend_unlock(zone);
}


ngx_int_t
ngx_http_wassiit_zone_get_locked(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    ngx_int_t  rc;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_wassiit_zone_read_partner(zone->sh, id, info, ZONE_ALL);

    ngx_http_wassiit_mend_unlock(zone);

    return rc;
}


ngx_http_wassiit_span_t *
ngx_http_wassiit_zone_spans(ngx_http_wassiit_zone_t *zone, ngx_uint_t *n,
    ngx_log_t *log)
{
    u_char                      *ids;
    uint32_t                     at, place;
    ngx_uint_t                   i, most;
    ngx_http_wassiit_span_t     *spans;
    ngx_http_wassiit_profile_t  *profile;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    /* nobody else adds partners, as we have the file's lock */
    most = ngx_http_wassiit_zone_partners(zone);

    spans = ngx_alloc((most + 1) * (sizeof(ngx_http_wassiit_span_t)
                                    + NGX_HTTP_WASSIIT_ID_LEN), log);
    if (spans == NULL) {
        return NULL;
    }

    /* partners may go as soon as the mutex is free */
    ids = (u_char *) &spans[most + 1];

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        ngx_free(spans);
        return NULL;
    }

    if (ngx_http_wassiit_zone_current(zone) != NGX_OK) {
        ngx_http_wassiit_mend_unlock(zone);
        ngx_free(spans);
        return NULL;
    }

    at = 0;

    for (i = 0; i < most; i++) {
        place = ngx_http_wassiit_zone_each_profile(sh, &at);

        if (place == 0) {
            break;
        }

        profile = ngx_http_wassiit_zone_at(sh, place);

        ngx_http_wassiit_zone_set_span(&spans[i], profile);
        spans[i].id.len = profile->id_len;
        spans[i].id.data = ids;
        spans[i].owner = profile;

        ids = ngx_cpymem(ids, ngx_http_wassiit_zone_id(profile),
                         profile->id_len);
    }

    ngx_http_wassiit_mend_unlock(zone);

    *n = i;

    return spans;
}


ngx_int_t
ngx_http_wassiit_zone_tell(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_span_t *spans,
    ngx_uint_t n)
{
    ngx_uint_t                   i;
    ngx_http_wassiit_profile_t  *p;

    if (ngx_http_wassiit_mend_lock(zone, ZONE_MUTEX_PATIENCE) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_wassiit_zone_current(zone) != NGX_OK) {
        ngx_http_wassiit_mend_unlock(zone);
        return NGX_DECLINED;
    }

    for (i = 0; i < n; i++) {
        p = spans[i].owner;
        store(&p->span, ngx_http_wassiit_partner_span(spans[i].offset,
                                                      spans[i].len));
    }

    ngx_http_wassiit_journal_set(&zone->sh->journals, journal);

    ngx_http_wassiit_mend_unlock(zone);

    return NGX_OK;
}
