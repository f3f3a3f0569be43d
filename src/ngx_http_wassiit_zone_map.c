
/*
 * Where a zone's memory comes from: the configuration before, the program whose
 * place this one takes, or it is new and laid out; and what becomes of that of
 * this program which isn't used.
 */


#include "ngx_http_wassiit_zone_load.h"


/*
 * A name that no zone has: the memory in which programs keep the names of
 * scopes, by the bits that stand for them in all their zones.
 */
static ngx_str_t  ngx_http_wassiit_zone_names = ngx_string(" scopes");


static ngx_uint_t ngx_http_wassiit_zone_adopt(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_memory_t *memory);
static ngx_int_t ngx_http_wassiit_zone_layout(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);
static ngx_uint_t ngx_http_wassiit_zone_are_scopes(
    ngx_http_wassiit_memory_t *memory);


/* by NGX_HTTP_WASSIIT_MEMORY_SMALL and the others */

static const char *const  ngx_http_wassiit_zone_pages[] = {
    "small pages, large ones are quicker: see vm.nr_hugepages in operating.md",
    "large pages, which are reserved",
    "large pages, as far as the system finds some"
};


static ngx_http_wassiit_memory_t  *ngx_http_wassiit_zone_scopes_memory;


ngx_int_t
ngx_http_wassiit_zone_map(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_zone_t *former, ngx_uint_t inherited, ngx_log_t *log)
{
    ngx_http_wassiit_memory_t  *memory;

    zone->source = NGX_HTTP_WASSIIT_ZONE_NEW;

    if (former && ngx_http_wassiit_zone_adopt(zone, former->memory)) {
        former->memory->users++;
        zone->former = former;
        zone->source = NGX_HTTP_WASSIIT_ZONE_KEPT;
        return NGX_OK;
    }

    memory = inherited ? ngx_http_wassiit_memory_inherit(&zone->name, log)
                       : NULL;

    if (memory) {
        if (ngx_http_wassiit_zone_adopt(zone, memory)) {
            zone->source = NGX_HTTP_WASSIIT_ZONE_INHERITED;
            return NGX_OK;
        }

        zone->supersedes = memory;
    }

    memory = ngx_http_wassiit_memory_create(&zone->name, zone->size,
                                            NGX_HTTP_WASSIIT_LAYOUT, log);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    zone->memory = memory;
    zone->sh = (ngx_http_wassiit_zone_sh_t *) memory->head;

    return ngx_http_wassiit_zone_layout(zone, log);
}


/* Returns 1: the memory is the zone's from now on; 0: it can't be. */

static ngx_uint_t
ngx_http_wassiit_zone_adopt(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_memory_t *memory)
{
    ngx_http_wassiit_memory_head_t  *head;

    head = memory->head;

    zone->former_layout = head->layout;
    zone->former_size = head->size;

    if (memory->damaged) {
        zone->source = NGX_HTTP_WASSIIT_ZONE_DAMAGED;
        return 0;
    }

    if (head->layout != NGX_HTTP_WASSIIT_LAYOUT) {
        zone->source = NGX_HTTP_WASSIIT_ZONE_LAYOUT;
        return 0;
    }

    if (memory->inherited && ngx_http_wassiit_zone_scopes_memory == NULL) {
        zone->source = NGX_HTTP_WASSIIT_ZONE_NAMELESS;
        return 0;
    }

    if (head->size != zone->size) {
        zone->source = NGX_HTTP_WASSIIT_ZONE_SIZE;
        return 0;
    }

    zone->memory = memory;
    zone->sh = (ngx_http_wassiit_zone_sh_t *) head;

    if (!ngx_http_wassiit_zone_is_sound(zone)) {
        zone->memory = NULL;
        zone->sh = NULL;
        zone->source = NGX_HTTP_WASSIIT_ZONE_DAMAGED;
        return 0;
    }

    return 1;
}


void
ngx_http_wassiit_zone_log_map(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    switch (zone->source) {

    case NGX_HTTP_WASSIIT_ZONE_KEPT:
        return;

    case NGX_HTTP_WASSIIT_ZONE_INHERITED:
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "wassiit_zone \"%V\" goes on in the memory of the "
                      "program before", &zone->name);
        return;

    case NGX_HTTP_WASSIIT_ZONE_LAYOUT:
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "wassiit_zone \"%V\" starts anew, with empty windows: "
                      "its memory is of layout %uD, this program's is %d",
                      &zone->name, zone->former_layout,
                      NGX_HTTP_WASSIIT_LAYOUT);
        break;

    case NGX_HTTP_WASSIIT_ZONE_SIZE:
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "wassiit_zone \"%V\" starts anew, with empty windows: "
                      "its size was %uL and is %uz", &zone->name,
                      zone->former_size, zone->size);
        break;

    case NGX_HTTP_WASSIIT_ZONE_NAMELESS:
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "wassiit_zone \"%V\" starts anew, with empty windows: "
                      "the program before has left no names of scopes",
                      &zone->name);
        break;

    case NGX_HTTP_WASSIIT_ZONE_DAMAGED:
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "wassiit_zone \"%V\" starts anew, with empty windows: "
                      "something has written over its memory", &zone->name);
        break;

    default:
        break;
    }

    if (zone->memory->fd == -1) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "wassiit_zone \"%V\" has no descriptor: a binary upgrade "
                      "will start it anew, without a word to this program",
                      &zone->name);
    }

    if (zone->size >= NGX_HTTP_WASSIIT_MEMORY_LARGE) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "wassiit_zone \"%V\" lies in %s",
                      &zone->name,
                      ngx_http_wassiit_zone_pages[zone->memory->pages]);
    }
}


ngx_uint_t
ngx_http_wassiit_zone_is_sound(ngx_http_wassiit_zone_t *zone)
{
    ngx_wassiit_epoch_t            *epoch;
    ngx_wassiit_lines_t            *lines;
    ngx_http_wassiit_zone_sh_t     *sh;
    ngx_http_wassiit_zone_sizes_t   sizes;

    sh = zone->sh;

    ngx_http_wassiit_zone_sizes(zone->size, &sizes);

    if (sh->epoch != sizes.epoch || sh->key_words != sizes.key_words
        || sh->id_words != sizes.id_words || sh->lines != sizes.lines
        || sh->keys.size != sizes.keys || sh->ids.size != sizes.ids)
    {
        return 0;
    }

    epoch = ngx_http_wassiit_zone_epoch(sh);
    lines = ngx_http_wassiit_zone_lines(sh);

    return epoch->nslots == sizes.slots && epoch->claimed <= sizes.slots
           && lines->first == sizes.first && lines->size == sizes.size;
}


static ngx_int_t
ngx_http_wassiit_zone_layout(ngx_http_wassiit_zone_t *zone, ngx_log_t *log)
{
    u_char                          seed[NGX_HTTP_WASSIIT_TAG_SEED];
    ngx_http_wassiit_zone_sh_t     *sh;
    ngx_http_wassiit_zone_sizes_t   sizes;

    sh = zone->sh;

    if (ngx_wassiit_key_random(seed, sizeof(seed)) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "no random numbers for wassiit_zone \"%V\"",
                      &zone->name);
        return NGX_ERROR;
    }

    ngx_http_wassiit_zone_share_tags(zone, seed, NULL, 0);
    ngx_explicit_memzero(seed, sizeof(seed));

    ngx_http_wassiit_zone_sizes(zone->size, &sizes);

    sh->epoch = sizes.epoch;
    sh->key_words = sizes.key_words;
    sh->id_words = sizes.id_words;
    sh->lines = sizes.lines;

    ngx_wassiit_index_init(&sh->keys, sizes.keys);
    ngx_wassiit_index_init(&sh->ids, sizes.ids);
    ngx_wassiit_lines_init(ngx_http_wassiit_zone_lines(sh), sizes.first,
                           sizes.size);

    if (ngx_wassiit_epoch_init(ngx_http_wassiit_zone_epoch(sh), sizes.slots)
        != NGX_OK
        || ngx_wassiit_robust_init(&sh->mutex) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "making the mutexes of wassiit_zone \"%V\" failed",
                      &zone->name);
        return NGX_ERROR;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, log, 0,
                   "wassiit zone \"%V\": %uD lines", &zone->name, sizes.size);

    return NGX_OK;
}


void
ngx_http_wassiit_zone_supersede(ngx_http_wassiit_memory_t *memory)
{
    store(&memory->head->superseded, (uint32_t) ngx_pid);
}


void
ngx_http_wassiit_zone_drop_inherited(ngx_http_wassiit_zone_t **zones,
    ngx_uint_t n, ngx_log_t *log)
{
    ngx_uint_t                  i;
    ngx_http_wassiit_memory_t  *memory;

    for ( ;; ) {
        memory = ngx_http_wassiit_memory_inherit(NULL, log);

        if (memory == NULL) {
            return;
        }

        for (i = 0; i < n; i++) {
            if (!memory->damaged
                && ngx_memcmp(memory->head->file, zones[i]->sh->head.file,
                              NGX_WASSIIT_DIGEST_LEN) == 0)
            {
                ngx_http_wassiit_zone_supersede(memory);
            }
        }

        ngx_http_wassiit_memory_free(memory);
    }
}


const ngx_wassiit_scopes_t *
ngx_http_wassiit_zone_scopes(ngx_uint_t inherited, ngx_log_t *log)
{
    ngx_http_wassiit_memory_t  *memory;

    memory = ngx_http_wassiit_zone_scopes_memory;

    if (memory == NULL && inherited) {
        memory = ngx_http_wassiit_memory_inherit(&ngx_http_wassiit_zone_names,
                                                 log);

        if (memory && !ngx_http_wassiit_zone_are_scopes(memory)) {
            ngx_http_wassiit_memory_free(memory);
            memory = NULL;
        }

        ngx_http_wassiit_zone_scopes_memory = memory;
    }

    return memory ? (ngx_wassiit_scopes_t *) (memory->head + 1) : NULL;
}


static ngx_uint_t
ngx_http_wassiit_zone_are_scopes(ngx_http_wassiit_memory_t *memory)
{
    ngx_uint_t             i;
    ngx_wassiit_scopes_t  *scopes;

    if (memory->damaged || memory->head->layout != NGX_HTTP_WASSIIT_LAYOUT
        || memory->head->size != sizeof(ngx_http_wassiit_memory_head_t)
                                 + sizeof(ngx_wassiit_scopes_t))
    {
        return 0;
    }

    scopes = (ngx_wassiit_scopes_t *) (memory->head + 1);

    for (i = 0; i < 2 * NGX_WASSIIT_SCOPES_MAX; i++) {
        if (scopes->len[i] > NGX_WASSIIT_SCOPE_LEN) {
            return 0;
        }
    }

    return scopes->pending == 0;
}


void
ngx_http_wassiit_zone_keep_scopes(const ngx_wassiit_scopes_t *scopes,
    ngx_log_t *log)
{
    ngx_http_wassiit_memory_t  *memory;

    memory = ngx_http_wassiit_zone_scopes_memory;

    if (memory == NULL) {
        memory = ngx_http_wassiit_memory_create(&ngx_http_wassiit_zone_names,
                                         sizeof(ngx_http_wassiit_memory_head_t)
                                         + sizeof(ngx_wassiit_scopes_t),
                                         NGX_HTTP_WASSIIT_LAYOUT, log);
        if (memory == NULL) {
            return;
        }

        ngx_http_wassiit_zone_scopes_memory = memory;
    }

    *(ngx_wassiit_scopes_t *) (memory->head + 1) = *scopes;
}


void
ngx_http_wassiit_zone_seclude_scopes(void)
{
    if (ngx_http_wassiit_zone_scopes_memory) {
        ngx_http_wassiit_memory_seclude(ngx_http_wassiit_zone_scopes_memory);
    }
}


void
ngx_http_wassiit_zone_unmap(ngx_http_wassiit_zone_t *zone)
{
    if (zone->supersedes) {
        ngx_http_wassiit_memory_free(zone->supersedes);
        zone->supersedes = NULL;
    }

    if (zone->memory) {
        ngx_http_wassiit_memory_free(zone->memory);
        zone->memory = NULL;
        zone->sh = NULL;
    }
}
