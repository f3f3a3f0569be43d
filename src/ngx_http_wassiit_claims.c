
#include "ngx_http_wassiit_claims_sh.h"


/* the number of this layout, see NGX_HTTP_WASSIIT_LAYOUT */
#ifndef NGX_HTTP_WASSIIT_CLAIMS_LAYOUT
#define NGX_HTTP_WASSIIT_CLAIMS_LAYOUT  3
#endif

/* ... and that of the counts */
#define CLAIMS_COUNTS_LAYOUT    1

/* bytes of a zone for each byte of entries */
#define CLAIMS_BYTES            4

#define SECOND                  ((uint64_t) 1000000)

/* a standing share below this waits with wait=small */
#define CLAIMS_SMALL            10


typedef struct {
    ngx_http_wassiit_memory_head_t    head;
    ngx_http_wassiit_claims_counts_t  counts;
} ngx_http_wassiit_claims_counted_t;


static ngx_int_t ngx_http_wassiit_claims_count(
    ngx_http_wassiit_claims_t *claims, ngx_str_t *name,
    ngx_http_wassiit_claims_t *former, ngx_uint_t inherited, ngx_log_t *log);
static ngx_http_wassiit_entry_t *ngx_http_wassiit_claims_entry(
    ngx_http_wassiit_claims_t *claims, ngx_str_t *id);
static ngx_int_t ngx_http_wassiit_claims_layout(
    ngx_http_wassiit_claims_t *claims, ngx_str_t *name, size_t size,
    uint32_t sets, ngx_log_t *log);
static ngx_wassiit_robust_t *ngx_http_wassiit_claims_lock_of(
    ngx_http_wassiit_claims_sh_t *sh, ngx_uint_t n, ngx_uint_t patience);


#define load(p)             ngx_wassiit_load_acquire(p)
#define store(p, v)         ngx_wassiit_store_release(p, v)


ngx_int_t
ngx_http_wassiit_claims_map(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *name, size_t size, ngx_http_wassiit_claims_t *former,
    ngx_uint_t inherited, ngx_uint_t same, ngx_log_t *log)
{
    size_t                         bytes;
    uint32_t                       sets;
    ngx_str_t                      full;
    ngx_http_wassiit_memory_t     *memory;
    ngx_http_wassiit_claims_sh_t  *sh;
    u_char                         text[NGX_HTTP_WASSIIT_MEMORY_NAME];

    claims->made = 0;

    if (ngx_http_wassiit_claims_count(claims, name, former, inherited, log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    sets = size / CLAIMS_BYTES / sizeof(ngx_http_wassiit_claims_set_t) + 1;
    bytes = sizeof(ngx_http_wassiit_claims_sh_t)
            + sets * sizeof(ngx_http_wassiit_claims_set_t)
            + sets / CLAIMS_GROUP + 1;

    if (same && former && former->sh && former->nodes == claims->nodes
        && former->share == claims->share && former->sh->sets == sets)
    {
        claims->memory = former->memory;
        claims->sh = former->sh;
        claims->memory->users++;
        return NGX_OK;
    }

    /* no zone has a blank in its name */

    full.data = text;
    full.len = ngx_snprintf(text, sizeof(text), " claims %V", name) - text;

    memory = (same && inherited)
             ? ngx_http_wassiit_memory_inherit(&full, log) : NULL;

    if (memory) {
        sh = (ngx_http_wassiit_claims_sh_t *) memory->head;

        if (!memory->damaged
            && memory->head->layout == NGX_HTTP_WASSIIT_CLAIMS_LAYOUT
            && memory->head->size == bytes && sh->sets == sets
            && sh->nodes == claims->nodes && sh->share == claims->share)
        {
            claims->memory = memory;
            claims->sh = sh;
            return NGX_OK;
        }

        ngx_http_wassiit_memory_free(memory);
    }

    claims->made = 1;

    return ngx_http_wassiit_claims_layout(claims, &full, bytes, sets, log);
}


static ngx_int_t
ngx_http_wassiit_claims_count(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *name, ngx_http_wassiit_claims_t *former, ngx_uint_t inherited,
    ngx_log_t *log)
{
    size_t                              size;
    ngx_str_t                           full;
    ngx_http_wassiit_memory_t          *memory;
    ngx_http_wassiit_claims_counted_t  *counted;
    u_char                              text[NGX_HTTP_WASSIIT_MEMORY_NAME];

    if (former && former->counted) {
        claims->counted = former->counted;
        claims->counts = former->counts;
        claims->counted->users++;
        return NGX_OK;
    }

    size = sizeof(ngx_http_wassiit_claims_counted_t);

    full.data = text;
    full.len = ngx_snprintf(text, sizeof(text), " counts %V", name) - text;

    memory = inherited ? ngx_http_wassiit_memory_inherit(&full, log) : NULL;

    if (memory && (memory->damaged || memory->head->size != size
                   || memory->head->layout != CLAIMS_COUNTS_LAYOUT))
    {
        ngx_http_wassiit_memory_free(memory);
        memory = NULL;
    }

    if (memory == NULL) {
        memory = ngx_http_wassiit_memory_create(&full, size,
                                                CLAIMS_COUNTS_LAYOUT, log);
        if (memory == NULL) {
            return NGX_ERROR;
        }
    }

    counted = (ngx_http_wassiit_claims_counted_t *) memory->head;

    claims->counted = memory;
    claims->counts = &counted->counts;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_claims_layout(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *name, size_t size, uint32_t sets, ngx_log_t *log)
{
    ngx_uint_t                     i;
    ngx_http_wassiit_memory_t     *memory;
    ngx_http_wassiit_claims_sh_t  *sh;

    memory = ngx_http_wassiit_memory_create(name, size,
                                            NGX_HTTP_WASSIIT_CLAIMS_LAYOUT,
                                            log);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    sh = (ngx_http_wassiit_claims_sh_t *) memory->head;

    claims->memory = memory;
    claims->sh = sh;

    sh->sets = sets;
    sh->nodes = claims->nodes;
    sh->share = claims->share;

    if (ngx_wassiit_robust_init(&sh->leads.mutex) != NGX_OK) {
        goto failed;
    }

    for (i = 0; i < NGX_HTTP_WASSIIT_CLAIMS_LOCKS; i++) {
        if (ngx_wassiit_robust_init(&sh->locks[i].mutex) != NGX_OK) {
            goto failed;
        }
    }

    return NGX_OK;

failed:

    ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                  "making the mutexes of \"%V\" failed", name);
    return NGX_ERROR;
}


void
ngx_http_wassiit_claims_unmap(ngx_http_wassiit_claims_t *claims)
{
    if (claims->memory) {
        ngx_http_wassiit_memory_free(claims->memory);
        claims->memory = NULL;
        claims->sh = NULL;
    }

    if (claims->counted) {
        ngx_http_wassiit_memory_free(claims->counted);
        claims->counted = NULL;
        claims->counts = NULL;
    }
}


void
ngx_http_wassiit_claims_retire(ngx_http_wassiit_claims_t *claims)
{
    ngx_uint_t                     i;
    ngx_wassiit_robust_t          *lock;
    ngx_http_wassiit_claims_sh_t  *sh;

    sh = claims->sh;
    store(&sh->over, 1);

    /* who hasn't seen that has done by then, unless it is stopped */

    for (i = 0; i < NGX_HTTP_WASSIIT_CLAIMS_LOCKS; i++) {
        lock = ngx_http_wassiit_claims_lock_of(sh, i, 10);

        if (lock) {
            ngx_wassiit_robust_unlock(lock);
        }
    }
}


void
ngx_http_wassiit_claims_join(ngx_http_wassiit_claims_t *claims)
{
    (void) ngx_wassiit_add(&claims->sh->workers, 1);
}


ngx_uint_t
ngx_http_wassiit_claims_quit(ngx_http_wassiit_claims_t *claims)
{
    return ngx_wassiit_add(&claims->sh->workers, -1) == 1;
}


uint32_t
ngx_http_wassiit_claims_own(ngx_http_wassiit_claims_t *claims, uint32_t limit)
{
    return load(&claims->sh->lead.above)
           ? 0 : ngx_http_wassiit_claims_standing(claims, limit);
}


uint64_t
ngx_http_wassiit_claims_calm(ngx_http_wassiit_claims_t *claims)
{
    return load(&claims->sh->calm);
}


uint32_t
ngx_http_wassiit_claims_most(ngx_http_wassiit_claims_t *claims, ngx_str_t *id,
    uint32_t limit, uint32_t seconds, uint64_t now)
{
    uint32_t                         own, other;
    uint64_t                         former;
    ngx_uint_t                       known;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = &claims->sh->lead;

    if (load(&lead->state) == NGX_HTTP_WASSIIT_STARTING) {
        return 0;
    }

    known = ngx_http_wassiit_claims_knows(claims, id);

    if (!known && load(&lead->above)) {
        return 0;
    }

    former = load(&lead->former);

    if (former && !known
        && (now < former + seconds * SECOND || !load(&lead->scanned)))
    {
        /* what a former life has admitted is in the ledger, not here */
        return 0;
    }

    if (now < load(&lead->until)) {
        return NGX_HTTP_WASSIIT_CLAIMS_ALL;
    }

    if (!claims->cold && load(&lead->until) == 0) {
        return 0;
    }

    own = ngx_http_wassiit_claims_own(claims, limit);

    if (load(&lead->strange)) {
        /* what the others have left for one more node */
        other = (uint64_t) limit * load(&lead->other_share) / 1000
                / load(&lead->other_nodes);
        own = ngx_min(own, other);
    }

    return own;
}


ngx_uint_t
ngx_http_wassiit_claims_waits(ngx_http_wassiit_claims_t *claims,
    uint32_t limit, uint64_t now)
{
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = &claims->sh->lead;

    return load(&lead->state) == NGX_HTTP_WASSIIT_ACTIVE
           && now < load(&lead->until)
           && ngx_http_wassiit_claims_is_waited(claims,
                            ngx_http_wassiit_claims_standing(claims, limit));
}


ngx_uint_t
ngx_http_wassiit_claims_is_waited(ngx_http_wassiit_claims_t *claims,
    uint32_t standing)
{
    return claims->wait == NGX_HTTP_WASSIIT_WAIT_ON
           || (claims->wait == NGX_HTTP_WASSIIT_WAIT_SMALL
               && standing < CLAIMS_SMALL);
}


/* What any process may read; where none is, the table isn't touched. */

static ngx_http_wassiit_entry_t *
ngx_http_wassiit_claims_entry(ngx_http_wassiit_claims_t *claims, ngx_str_t *id)
{
    uint64_t                        whose;
    ngx_http_wassiit_claims_set_t  *set;

    set = ngx_http_wassiit_claims_set(claims->sh, id, &whose);

    if (!load(ngx_http_wassiit_claims_mark(claims->sh,
                                           set - claims->sh->set)))
    {
        return NULL;
    }

    return ngx_http_wassiit_claims_find(set, id, whose);
}


uint32_t
ngx_http_wassiit_claims_pool(ngx_http_wassiit_claims_t *claims, ngx_str_t *id,
    uint32_t limit, uint32_t cap)
{
    uint32_t                        standing;
    ngx_http_wassiit_entry_t       *entry;

    standing = ngx_http_wassiit_claims_standing(claims, limit);

    if (cap == standing) {
        return limit - standing * claims->nodes;
    }

    entry = ngx_http_wassiit_claims_entry(claims, id);

    return entry ? load(&entry->pool) : 0;
}


ngx_uint_t
ngx_http_wassiit_claims_knows(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *id)
{
    return ngx_http_wassiit_claims_entry(claims, id) != NULL;
}


ngx_uint_t
ngx_http_wassiit_claims_differs(ngx_http_wassiit_claims_t *claims,
    ngx_str_t *id)
{
    ngx_http_wassiit_entry_t  *entry;

    entry = ngx_http_wassiit_claims_entry(claims, id);

    return entry && !(load(&entry->flags) & CLAIMS_STANDING);
}


ngx_uint_t
ngx_http_wassiit_claims_told(ngx_http_wassiit_claims_t *claims, ngx_str_t *id)
{
    ngx_http_wassiit_entry_t  *entry;

    entry = ngx_http_wassiit_claims_entry(claims, id);

    return entry && (load(&entry->flags) & CLAIMS_TOLD);
}


ngx_http_wassiit_claims_counts_t *
ngx_http_wassiit_claims_counts(ngx_http_wassiit_claims_t *claims)
{
    return claims->counts;
}


ngx_http_wassiit_claims_lead_t *
ngx_http_wassiit_claims_lead(ngx_http_wassiit_claims_t *claims)
{
    return &claims->sh->lead;
}


ngx_wassiit_robust_t *
ngx_http_wassiit_claims_lock(ngx_http_wassiit_claims_t *claims)
{
    return &claims->sh->leads.mutex;
}


void
ngx_http_wassiit_claims_refresh(ngx_http_wassiit_claims_t *claims,
    uint64_t then)
{
    store(&claims->sh->fresh, then);
}


ngx_uint_t
ngx_http_wassiit_claims_is_stale(ngx_http_wassiit_claims_t *claims,
    uint64_t now)
{
    uint64_t  fresh;

    fresh = load(&claims->sh->fresh);

    return fresh == 0 || now >= fresh + claims->stale;
}


void
ngx_http_wassiit_claims_enter(ngx_http_wassiit_claims_t *claims,
    ngx_uint_t state)
{
    store(&claims->sh->lead.state, state);

    ngx_http_wassiit_claims_extend(claims, claims->sh->lead.until);
}


void
ngx_http_wassiit_claims_extend(ngx_http_wassiit_claims_t *claims,
    uint64_t until)
{
    ngx_uint_t                       calm;
    ngx_http_wassiit_claims_lead_t  *lead;

    lead = &claims->sh->lead;

    calm = (lead->former == 0 && !lead->above
            && (lead->state == NGX_HTTP_WASSIIT_RESTATING
                || lead->state == NGX_HTTP_WASSIIT_ACTIVE));

    store(&lead->until, until);
    store(&claims->sh->calm, calm ? until : 0);
}


ngx_int_t
ngx_http_wassiit_claims_each(ngx_http_wassiit_claims_t *claims, uint32_t *at,
    ngx_uint_t most, ngx_str_t *id)
{
    uint32_t                       all;
    ngx_uint_t                     n;
    ngx_http_wassiit_entry_t      *entry;
    ngx_http_wassiit_claims_sh_t  *sh;

    sh = claims->sh;
    all = sh->sets * CLAIMS_WAYS;

    for (n = 0; n < most; n++) {

        if (*at == all) {
            return NGX_DONE;
        }

        if (*at % (CLAIMS_GROUP * CLAIMS_WAYS) == 0
            && !load(ngx_http_wassiit_claims_mark(sh, *at / CLAIMS_WAYS)))
        {
            *at = ngx_min(*at + CLAIMS_GROUP * CLAIMS_WAYS, all);
            continue;
        }

        entry = &sh->set[*at / CLAIMS_WAYS].ways[*at % CLAIMS_WAYS];
        (*at)++;

        if (load(&entry->whose)) {
            id->len = entry->id_len;
            ngx_memcpy(id->data, entry->id, id->len);
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


/* NULL: another process has it for longer. */

ngx_wassiit_robust_t *
ngx_http_wassiit_claims_take_lock(ngx_http_wassiit_claims_sh_t *sh,
    ngx_http_wassiit_claims_set_t *set, ngx_uint_t patience)
{
    ngx_wassiit_robust_t  *lock;

    lock = ngx_http_wassiit_claims_lock_of(sh,
                              (set - sh->set) % NGX_HTTP_WASSIIT_CLAIMS_LOCKS,
                              patience);

    if (lock && load(&sh->over)) {
        /* others raise and lower these windows by now */
        ngx_wassiit_robust_unlock(lock);
        return NULL;
    }

    return lock;
}


static ngx_wassiit_robust_t *
ngx_http_wassiit_claims_lock_of(ngx_http_wassiit_claims_sh_t *sh, ngx_uint_t n,
    ngx_uint_t patience)
{
    ngx_int_t              rc;
    ngx_wassiit_robust_t  *lock;

    lock = &sh->locks[n].mutex;

    rc = patience ? ngx_wassiit_robust_lock(lock,
                                       ngx_wassiit_robust_now() + patience)
                  : ngx_wassiit_robust_trylock(lock);

    if (rc == NGX_DONE) {
        /* each word that it guards is right at any time */
        ngx_wassiit_robust_consistent(lock);
        rc = NGX_OK;
    }

    return (rc == NGX_OK) ? lock : NULL;
}


ngx_http_wassiit_claims_set_t *
ngx_http_wassiit_claims_set(ngx_http_wassiit_claims_sh_t *sh, ngx_str_t *id,
    uint64_t *whose)
{
    uint32_t  hash;

    hash = ngx_murmur_hash2(id->data, id->len);
    *whose = (uint64_t) 1 << 32 | hash;

    return &sh->set[hash % sh->sets];
}


ngx_http_wassiit_entry_t *
ngx_http_wassiit_claims_find(ngx_http_wassiit_claims_set_t *set, ngx_str_t *id,
    uint64_t whose)
{
    ngx_uint_t                 i;
    ngx_http_wassiit_entry_t  *entry;

    for (i = 0; i < CLAIMS_WAYS; i++) {
        entry = &set->ways[i];

        if (load(&entry->whose) == whose && entry->id_len == id->len
            && ngx_memcmp(entry->id, id->data, id->len) == 0)
        {
            return entry;
        }
    }

    return NULL;
}
