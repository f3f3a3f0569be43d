
/*
 * Memory that processes share: those that are forked from this one, and a
 * program that takes its place by exec(), as nginx's binary upgrade does.  That
 * one finds it by its name among the descriptors that it has inherited.
 *
 * The first line of the memory is the same in all versions of this module.
 * What follows is as the layout says whose number stands in it.
 */


#ifndef _NGX_HTTP_WASSIIT_MEMORY_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_MEMORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the most bytes that a name may have */
#define NGX_HTTP_WASSIIT_MEMORY_NAME        220


/* the size of a large page */
#define NGX_HTTP_WASSIIT_MEMORY_LARGE       ((size_t) 2 * 1024 * 1024)

/* the pages that memory lies in */
#define NGX_HTTP_WASSIIT_MEMORY_SMALL       0
#define NGX_HTTP_WASSIIT_MEMORY_RESERVED    1   /* large: vm.nr_hugepages */
#define NGX_HTTP_WASSIIT_MEMORY_ADVISED     2   /* large, as far as the system
                                                   finds some */


/* the first line: 64 bytes */

typedef struct {
    u_char                      magic[8];
    uint32_t                    layout;     /* the number of what follows */
    uint32_t                    superseded; /* pid of a program that has other
                                               memory in its place, and makes
                                               the changes; or 0 */
    uint64_t                    size;       /* as it was asked for */
    uint64_t                    made;       /* when: CLOCK_MONOTONIC, in ns */
    u_char                      file[32];   /* digest of the name of the file
                                               that it is filled from */
} ngx_http_wassiit_memory_head_t;


typedef struct {
    ngx_queue_t                      queue;
    ngx_http_wassiit_memory_head_t  *head;      /* where it begins, a page */
    size_t                           mapped;    /* bytes: its size, or more */
    int                              fd;        /* -1: nobody inherits it */
    ngx_uint_t                       users;     /* of this process */
    ngx_uint_t                       pages;     /* NGX_HTTP_WASSIIT_MEMORY_SMALL
                                                   or another */
    unsigned                         inherited:1;  /* by an exec() */
    unsigned                         damaged:1;    /* it doesn't begin as ours
                                                      does */
} ngx_http_wassiit_memory_t;


/*
 * Makes memory of size bytes, all zero but for the first line; it has one user.
 * It lies in large pages if it is as large as one and the system has them; not
 * for a test of the configuration, as they are few.  If the system gives no
 * descriptor for it, it is inherited by children alone.  Its content is left
 * out of core files.  Returns NULL, which is logged: there is none.
 */
ngx_http_wassiit_memory_t *ngx_http_wassiit_memory_create(ngx_str_t *name,
    size_t size, uint32_t layout, ngx_log_t *log);

/*
 * Finds memory of that name, of any layout and size, that this process has
 * inherited by an exec() and that nobody uses: of several, the one that was
 * made last.  With name NULL, any.  It has one user.  Returns NULL: there is
 * none, or it can't be had.
 */
ngx_http_wassiit_memory_t *ngx_http_wassiit_memory_inherit(
    ngx_str_t *name, ngx_log_t *log);

/*
 * Closes the descriptor, so that no program that this process executes has it;
 * the memory stays.
 */
void ngx_http_wassiit_memory_seclude(ngx_http_wassiit_memory_t *memory);

/* Takes a user away.  After the last one the memory is gone in this process. */
void ngx_http_wassiit_memory_free(ngx_http_wassiit_memory_t *memory);


#endif /* _NGX_HTTP_WASSIIT_MEMORY_H_INCLUDED_ */
