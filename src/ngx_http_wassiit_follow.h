
/*
 * The partners of a cluster, from Redis to this node: a log of changes, and a
 * hash that has the newest line of each partner.
 */


#ifndef _NGX_HTTP_WASSIIT_FOLLOW_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_FOLLOW_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_job.h"
#include "ngx_http_wassiit_redis.h"
#include "ngx_wassiit_seal.h"


/* the bytes of an id in a log: two numbers of 64 bits */
#define NGX_HTTP_WASSIIT_CURSOR_LEN     42


typedef struct ngx_http_wassiit_follow_s  ngx_http_wassiit_follow_t;

struct ngx_http_wassiit_follow_s {
    /* set by the caller; all else is zero at first */
    ngx_http_wassiit_zone_t       *zone;
    ngx_http_wassiit_main_conf_t  *wmcf;
    ngx_http_wassiit_redis_t      *redis;       /* for calls */
    const u_char                  *seal;        /* a key; NULL: lines lie there
                                                   as in the file */

    /* NGX_OK: all that was read is made, and the cursor has moved;
       NGX_DECLINED: all but lines that can't be made yet, at which it stays;
       NGX_ERROR: not all, and it is to be read again later.  Or NULL */
    void                         (*moved)(ngx_http_wassiit_follow_t *follow,
                                      ngx_int_t rc);
    void                          *data;

    /* the last entry of the log that is made here; len 0: it isn't known, and
       all partners are compared.  The caller may set it before it reads */
    size_t                         cursor_len;
    u_char                         cursor[NGX_HTTP_WASSIIT_CURSOR_LEN];

    /* set when all partners were compared; the caller may reset it */
    ngx_uint_t                     whole;

    /* the caller clears them; a line that can't be taken holds up no other */
    ngx_uint_t                     left;        /* there was one */
    ngx_uint_t                     clashes;     /* ... for its keys, ... */
    ngx_uint_t                     made;        /* and others were, since */

    /* follow.c's */
    ngx_uint_t                     held;        /* the cursor is, as a line
                                                   can't be made */
    size_t                         from_len;    /* where the log is read on */
    u_char                         from[NGX_HTTP_WASSIIT_CURSOR_LEN];
    ngx_pool_t                    *page;        /* of what is read; or NULL */
    ngx_array_t                    lines;       /* of the page */
    ngx_uint_t                     at;          /* the first that isn't made */
    ngx_uint_t                     more;        /* to be read after the page */
    ngx_uint_t                     compared;    /* all were, just now */
    ngx_uint_t                     count;       /* of partners in a page */
    size_t                         end_len;     /* the cursor after all */
    u_char                         end[NGX_HTTP_WASSIIT_CURSOR_LEN];
    size_t                         scan_len;    /* of the hash; 0: the log */
    u_char                         scan[24];
};


/*
 * Reads on in the log from the cursor, and makes what is new here; where the
 * log has lost what follows the cursor, the newest line of each partner.  What
 * can't be made yet is left until follow_again().  Only one worker of a node
 * does so at a time.  Returns NGX_OK: it goes on, or went on before;
 * NGX_DECLINED: Redis can't be asked now.
 */
ngx_int_t ngx_http_wassiit_follow_read(ngx_http_wassiit_follow_t *follow);
ngx_int_t ngx_http_wassiit_follow_again(ngx_http_wassiit_follow_t *follow);

/*
 * Reads "rev line" as the hash has it.  Returns NGX_OK, and line is a part of
 * value; NGX_ERROR: it isn't that.
 */
ngx_int_t ngx_http_wassiit_follow_value(const ngx_str_t *value, uint64_t *rev,
    ngx_str_t *line);

/*
 * Makes a line of what Redis has: opens it, if there is a seal, into memory of
 * the pool.  Returns NGX_OK; NGX_DECLINED: it doesn't open; NGX_ERROR: memory
 * is short.
 */
ngx_int_t ngx_http_wassiit_follow_open(const u_char *seal, ngx_pool_t *pool,
    const ngx_str_t *id, ngx_str_t *line);

/*
 * Does a line say anything else of its partner than this node has in force by
 * this rev?  It doesn't if it can't be read.
 */
ngx_uint_t ngx_http_wassiit_follow_differs(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_str_t *id, uint64_t rev,
    const ngx_str_t *line);

/* Writes the name of a zone's key; key->data is NULL: memory is short. */
void ngx_http_wassiit_follow_key(ngx_http_wassiit_zone_t *zone,
    ngx_pool_t *pool, const char *name, ngx_str_t *key);


#endif /* _NGX_HTTP_WASSIIT_FOLLOW_H_INCLUDED_ */
