
/*
 * Where a zone's memory comes from: the configuration before, the program whose
 * place this one takes, or it is new and laid out.
 */


#include "ngx_http_wassiit_zone_load.h"


static ngx_uint_t ngx_http_wassiit_zone_adopt(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_memory_t *memory, ngx_log_t *log);
static ngx_uint_t ngx_http_wassiit_zone_is_sound(ngx_http_wassiit_zone_sh_t *sh,
    size_t size);
static ngx_int_t ngx_http_wassiit_zone_layout(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);


/* by NGX_HTTP_WASSIIT_MEMORY_SMALL and the others */

static const char *const  ngx_http_wassiit_zone_pages[] = {
    "small pages, large ones are quicker: see vm.nr_hugepages in the README",
    "large pages, which are reserved",
    "large pages, as far as the system finds some"
};


ngx_int_t
ngx_http_wassiit_zone_map(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_zone_t *former, ngx_uint_t inherited, ngx_log_t *log)
{
    ngx_http_wassiit_memory_t  *memory;

    if (former
        && ngx_http_wassiit_zone_adopt(zone, former->memory, log))
    {
        former->memory->users++;
        zone->former = former;
        return NGX_OK;
    }

    memory = inherited ? ngx_http_wassiit_memory_inherit(&zone->name, log)
                       : NULL;

    if (memory) {
        if (ngx_http_wassiit_zone_adopt(zone, memory, log)) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "wassiit_zone \"%V\" goes on in the memory of the "
                          "program before", &zone->name);
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

    if (zone->size >= NGX_HTTP_WASSIIT_MEMORY_LARGE && !ngx_test_config) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "wassiit_zone \"%V\" lies in %s",
                      &zone->name, ngx_http_wassiit_zone_pages[memory->pages]);
    }

    return ngx_http_wassiit_zone_layout(zone, log);
}


/* Returns 1: the memory is the zone's from now on; 0: it can't be. */

static ngx_uint_t
ngx_http_wassiit_zone_adopt(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_memory_t *memory, ngx_log_t *log)
{
    ngx_http_wassiit_memory_head_t   *head;
    ngx_http_wassiit_zone_sh_t  *sh;

    head = memory->head;
    sh = (ngx_http_wassiit_zone_sh_t *) head;

    if (head->layout != NGX_HTTP_WASSIIT_LAYOUT) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "wassiit_zone \"%V\" starts anew, with empty windows: "
                      "its memory is of layout %uD, this program's is %d",
                      &zone->name, head->layout, NGX_HTTP_WASSIIT_LAYOUT);
        return 0;
    }

    if (head->size != zone->size) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "wassiit_zone \"%V\" starts anew, with empty windows: "
                      "its size was %uL and is %uz", &zone->name,
                      (uint64_t) head->size, zone->size);
        return 0;
    }

    if (!ngx_http_wassiit_zone_is_sound(sh, zone->size)) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "wassiit_zone \"%V\" starts anew, with empty windows: "
                      "something has written over its memory", &zone->name);
        return 0;
    }

    zone->memory = memory;
    zone->sh = sh;

    return 1;
}


/* Does the memory begin as memory of that size is laid out? */

static ngx_uint_t
ngx_http_wassiit_zone_is_sound(ngx_http_wassiit_zone_sh_t *sh, size_t size)
{
    ngx_wassiit_epoch_t            *epoch;
    ngx_wassiit_lines_t            *lines;
    ngx_http_wassiit_zone_sizes_t   sizes;

    ngx_http_wassiit_zone_sizes(size, &sizes);

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
    ngx_http_wassiit_zone_sh_t     *sh;
    ngx_http_wassiit_zone_sizes_t   sizes;

    sh = zone->sh;

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
