
/* Files with secrets that are read once, with the configuration. */


#ifndef _NGX_HTTP_WASSIIT_SECRET_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_SECRET_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_seal.h"


/*
 * Reads the secret in the first line of a file, base64 as the function
 * ngx_wassiit_hmac_decode() takes it, and makes its key.  A byte order mark at
 * the file's beginning is passed over.  Returns NGX_OK or
 * NGX_ERROR, which is then logged at "emerg" with the file's name: a file too
 * that ngx_http_wassiit_path_open() refuses, where user is the workers'.
 */
ngx_int_t ngx_http_wassiit_secret(ngx_str_t *file, uid_t user,
    ngx_wassiit_hmac_key_t *key, ngx_log_t *log);

/*
 * Reads a secret that is sent as it is: the file's one line, up to its LF or
 * CRLF.  *text is in the pool, whose end wipes it.  Returns NGX_OK or
 * NGX_ERROR, which is then logged at "emerg" with the file's name: it is empty,
 * or has more than a line.  The file is opened, and its mark passed over, as by
 * ngx_http_wassiit_secret().
 */
ngx_int_t ngx_http_wassiit_secret_line(ngx_str_t *file, uid_t user,
    ngx_str_t *text, ngx_pool_t *pool, ngx_log_t *log);

/*
 * As ngx_http_wassiit_secret(), for a key to seal by: base64 of
 * NGX_WASSIIT_SEAL_KEY_LEN bytes, which the caller wipes.
 */
ngx_int_t ngx_http_wassiit_secret_seal(ngx_str_t *file, uid_t user,
    u_char key[NGX_WASSIIT_SEAL_KEY_LEN], ngx_log_t *log);

/*
 * Reads a secret a line: the bytes of each, as they are, up to its LF or CRLF.
 * Returns an array of ngx_wassiit_hmac_key_t from the pool, at least one, which
 * the pool's end wipes; or NULL, which is then logged at "emerg" with the
 * file's name: a file without a line, or with an empty one, is an error.  The
 * file is opened, and its mark passed over, as by ngx_http_wassiit_secret().
 */
ngx_array_t *ngx_http_wassiit_secrets(ngx_str_t *file, uid_t user,
    ngx_pool_t *pool, ngx_log_t *log);


#endif /* _NGX_HTTP_WASSIIT_SECRET_H_INCLUDED_ */
