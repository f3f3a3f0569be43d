
#include "ngx_http_wassiit_arena.h"


static void *ngx_http_wassiit_arena_alloc(size_t size);
static void ngx_http_wassiit_arena_free(void *p);


/* payloads are parsed while a thread may be changing the partners' file */

static __thread ngx_http_wassiit_arena_t  *ngx_http_wassiit_arena;


void
ngx_http_wassiit_arena_install(void)
{
    json_set_alloc_funcs(ngx_http_wassiit_arena_alloc,
                         ngx_http_wassiit_arena_free);
}


void
ngx_http_wassiit_arena_enter(ngx_http_wassiit_arena_t *arena)
{
    arena->used = 0;
    arena->elsewhere = 0;

    ngx_http_wassiit_arena = arena;
}


void
ngx_http_wassiit_arena_leave(void)
{
    ngx_http_wassiit_arena = NULL;
}


void
ngx_http_wassiit_arena_wipe(ngx_http_wassiit_arena_t *arena)
{
    ngx_explicit_memzero(arena->start, arena->used);
    arena->used = 0;
}


static void *
ngx_http_wassiit_arena_alloc(size_t size)
{
    u_char                    *p;
    ngx_http_wassiit_arena_t  *arena;

    arena = ngx_http_wassiit_arena;

    if (arena == NULL) {
        return ngx_alloc(size, ngx_cycle->log);
    }

    size = ngx_align(size, NGX_ALIGNMENT);

    if (size > arena->size - arena->used) {
        arena->elsewhere++;
        return ngx_alloc(size, ngx_cycle->log);
    }

    p = arena->start + arena->used;
    arena->used += size;

    return p;
}


static void
ngx_http_wassiit_arena_free(void *p)
{
    ngx_http_wassiit_arena_t  *arena;

    arena = ngx_http_wassiit_arena;

    if (arena && (u_char *) p >= arena->start
        && (u_char *) p < arena->start + arena->size)
    {
        return;
    }

    ngx_free(p);
}
