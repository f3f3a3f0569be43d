
/*
 * The partners' file: JSON Lines, one partner a line; of two lines with one
 * id, the later counts.
 */


#ifndef _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_key.h"
#include "ngx_wassiit_scope.h"
#include "ngx_wassiit_window.h"


#define NGX_HTTP_WASSIIT_ID_LEN     64      /* of a partner, of a key */
#define NGX_HTTP_WASSIIT_NAME_LEN   128     /* bytes of UTF-8 */
#define NGX_HTTP_WASSIIT_KEYS       8       /* of one partner */

/* the most parts that a file is parsed in */
#define NGX_HTTP_WASSIIT_STORE_PARTS  4


typedef struct {
    u_char                            digest[NGX_WASSIIT_DIGEST_LEN];
    ngx_str_t                         id;
    int64_t                           created;  /* Unix seconds, inclusive */
    int64_t                           expires;  /* Unix seconds, exclusive */
} ngx_http_wassiit_key_t;


/* what a partner shares with us, as HMAC keys; all of it zero if unset */

typedef struct {
    ngx_wassiit_hmac_key_t            hmac;
    ngx_wassiit_hmac_key_t            webhook;
    uint32_t                          has_hmac;
    uint32_t                          has_webhook;
} ngx_http_wassiit_secrets_t;


typedef struct ngx_http_wassiit_record_s  ngx_http_wassiit_record_t;

struct ngx_http_wassiit_record_s {
    ngx_str_t                         id;
    ngx_str_t                         name;
    uint64_t                          scopes;
    ngx_wassiit_rate_t                rate;     /* limit 0: the zone's */
    ngx_http_wassiit_key_t           *keys;
    ngx_http_wassiit_secrets_t       *secrets;  /* NULL: it has none */
    unsigned                          nkeys:8;
    unsigned                          enabled:1;
    unsigned                          deleted:1;
    ngx_uint_t                        line;
    ngx_http_wassiit_record_t        *next;
};


typedef struct {
    ngx_shm_t                         parts[NGX_HTTP_WASSIIT_STORE_PARTS];
    ngx_uint_t                        partners;
    ngx_uint_t                        keys;     /* no fewer than there are */
    ngx_http_wassiit_record_t        *records;  /* deleted ones among them */
} ngx_http_wassiit_store_t;


/*
 * Reads the secret in the first line of a file, base64 as the function
 * ngx_wassiit_hmac_decode() takes it, and makes its key.  Returns NGX_OK or
 * NGX_ERROR, which is then logged at "emerg" with the file's name.
 */
ngx_int_t ngx_http_wassiit_store_secret(ngx_str_t *file,
    ngx_wassiit_hmac_key_t *key, ngx_log_t *log);

/*
 * Reads a secret a line: the bytes of each, as they are, up to its LF or CRLF.
 * Returns an array of ngx_wassiit_hmac_key_t from the pool, at least one, which
 * the pool's end wipes; or NULL, which is then logged at "emerg" with the
 * file's name: a file without a line, or with an empty one, is an error.
 */
ngx_array_t *ngx_http_wassiit_store_secrets(ngx_str_t *file,
    ngx_pool_t *pool, ngx_log_t *log);

/*
 * Reads the whole file.  Returns the store, which the caller destroys with
 * all that it points to; or NULL when the file can't be read or has a bad
 * line, which is then logged at "emerg" as "file:line: field: reason".  No
 * secret and no part of one is ever logged.
 */
ngx_http_wassiit_store_t *ngx_http_wassiit_store_load(ngx_str_t *file,
    const ngx_wassiit_scopes_t *scopes, ngx_log_t *log);

void ngx_http_wassiit_store_destroy(ngx_http_wassiit_store_t *store);


#endif /* _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_ */
