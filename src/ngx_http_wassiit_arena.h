
/*
 * jansson's memory: where a text is parsed, judged and written at once, its
 * values lie together, and to free them is to forget them.
 */


#ifndef _NGX_HTTP_WASSIIT_ARENA_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ARENA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


typedef struct {
    u_char                           *start;    /* aligned as by malloc() */
    size_t                            size;
    size_t                            used;     /* bytes, from the start */
    ngx_uint_t                        elsewhere;  /* parts that didn't fit */
} ngx_http_wassiit_arena_t;


/*
 * Has jansson take its memory by our functions from now on: from the arena
 * that the calling thread has entered, from the heap if it has entered none.
 * They are the same for all threads of a process, so a worker does it once.
 */
void ngx_http_wassiit_arena_install(void);

/*
 * What jansson allocates in this thread lies in the arena until it is left;
 * what finds no room there lies in the heap.  The memory is the caller's:
 * with arena->elsewhere 0 it may go without json_decref().
 */
void ngx_http_wassiit_arena_enter(ngx_http_wassiit_arena_t *arena);

/* To be called before the memory goes. */
void ngx_http_wassiit_arena_leave(void);

/* Wipes what was in it and makes it empty. */
void ngx_http_wassiit_arena_wipe(ngx_http_wassiit_arena_t *arena);


#endif /* _NGX_HTTP_WASSIIT_ARENA_H_INCLUDED_ */
