
/*
 * Scopes: names of permissions, each a bit of a 64-bit set.
 *
 * A name keeps its bit for as long as nginx runs: the table of a new
 * configuration starts from the one before, so that workers of either read
 * the sets in shared memory alike.  Only when every bit has been some name's
 * is one used again.
 */


#ifndef _NGX_WASSIIT_SCOPE_H_INCLUDED_
#define _NGX_WASSIIT_SCOPE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WASSIIT_SCOPES_MAX     64
#define NGX_WASSIIT_SCOPE_LEN      64


typedef struct {
    uint64_t            declared;   /* the bits in use */
    uint64_t            former;     /* the bits of names used before */
    ngx_uint_t          pending;    /* names without a bit, at the end */
    u_char              len[2 * NGX_WASSIIT_SCOPES_MAX];
    u_char              name[2 * NGX_WASSIIT_SCOPES_MAX]
                            [NGX_WASSIIT_SCOPE_LEN];
} ngx_wassiit_scopes_t;


/*
 * Fills the table with the six scopes of the Partner API.  former, if it
 * isn't NULL, is the table of the configuration before.
 */
void ngx_wassiit_scopes_init(ngx_wassiit_scopes_t *scopes,
    const ngx_wassiit_scopes_t *former);

/*
 * Declares a name: 1 to NGX_WASSIIT_SCOPE_LEN of a-z A-Z 0-9 . _ : -
 * Returns NGX_OK, NGX_BUSY if it is declared already, NGX_DECLINED if it is
 * no such name, NGX_ERROR if NGX_WASSIIT_SCOPES_MAX are.
 */
ngx_int_t ngx_wassiit_scopes_add(ngx_wassiit_scopes_t *scopes,
    const u_char *name, size_t len);

/*
 * To be called when all names are declared, before any of the functions
 * below: gives a bit to names that found none which no other had before.
 */
void ngx_wassiit_scopes_settle(ngx_wassiit_scopes_t *scopes);

/* Returns the set that holds just this scope, 0 if no one declared it. */
uint64_t ngx_wassiit_scopes_find(const ngx_wassiit_scopes_t *scopes,
    const u_char *name, size_t len);

/*
 * Takes the lowest scope out of the set, which must not be empty, and sets
 * name to it; the bytes belong to the table.
 */
void ngx_wassiit_scopes_next(const ngx_wassiit_scopes_t *scopes,
    uint64_t *set, ngx_str_t *name);

/*
 * Sets name to the declared name that needs the fewest changes of single
 * characters to become this one (Levenshtein's distance).  Returns 1 if it
 * may be meant: a third of its characters is enough, or this one is its
 * beginning; or 0.
 */
ngx_uint_t ngx_wassiit_scopes_nearest(const ngx_wassiit_scopes_t *scopes,
    const u_char *p, size_t len, ngx_str_t *name);

/*
 * Of n names the nearest to this one; NULL: none is near, which is one that a
 * change of a third of its characters makes.
 */
const ngx_str_t *ngx_wassiit_nearest(const u_char *p, size_t len,
    const ngx_str_t *names, ngx_uint_t n);

/* The distance of two names; of each, the first 64 bytes count. */
ngx_uint_t ngx_wassiit_scopes_distance(const u_char *a, size_t alen,
    const u_char *b, size_t blen);


#endif /* _NGX_WASSIIT_SCOPE_H_INCLUDED_ */
