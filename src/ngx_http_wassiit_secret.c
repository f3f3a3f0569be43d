
#include "ngx_http_wassiit_file.h"
#include "ngx_http_wassiit_secret.h"


static u_char *ngx_http_wassiit_secret_base64(ngx_str_t *file, uid_t user,
    size_t *len, ngx_log_t *log);
static void ngx_http_wassiit_secrets_wipe(void *data);
static void ngx_http_wassiit_secret_wipe(void *data);
static void ngx_http_wassiit_secret_refuse(ngx_str_t *file, u_char *p,
    u_char *last, ngx_log_t *log);
static void ngx_http_wassiit_secret_doubt(ngx_str_t *file, u_char *data,
    size_t len, ngx_log_t *log);
static u_char *ngx_http_wassiit_secret_read(ngx_str_t *file, uid_t user,
    const char *maker, size_t *size, ngx_log_t *log);


ngx_int_t
ngx_http_wassiit_secret(ngx_str_t *file, uid_t user,
    ngx_wassiit_hmac_key_t *key, ngx_log_t *log)
{
    size_t   len;
    u_char  *secret;

    secret = ngx_http_wassiit_secret_base64(file, user, &len, log);
    if (secret == NULL) {
        return NGX_ERROR;
    }

    ngx_wassiit_hmac_key(key, secret, len);

    ngx_explicit_memzero(secret, len);
    ngx_free(secret);

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_secret_seal(ngx_str_t *file, uid_t user,
    u_char key[NGX_WASSIIT_SEAL_KEY_LEN], ngx_log_t *log)
{
    size_t      len;
    u_char     *secret;
    ngx_int_t   rc;

    secret = ngx_http_wassiit_secret_base64(file, user, &len, log);
    if (secret == NULL) {
        return NGX_ERROR;
    }

    if (len == NGX_WASSIIT_SEAL_KEY_LEN) {
        ngx_memcpy(key, secret, NGX_WASSIIT_SEAL_KEY_LEN);
        rc = NGX_OK;

    } else {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "secret file \"%V\" has %uz bytes in base64, a key to "
                      "seal by has %d: make one with \"openssl rand -base64 "
                      "%d\"", file, len, NGX_WASSIIT_SEAL_KEY_LEN,
                      NGX_WASSIIT_SEAL_KEY_LEN);
        rc = NGX_ERROR;
    }

    ngx_explicit_memzero(secret, len);
    ngx_free(secret);

    return rc;
}


/*
 * The secret in the file's one line: *len bytes, which the caller wipes and
 * frees, or NULL, which is logged.
 */

static u_char *
ngx_http_wassiit_secret_base64(ngx_str_t *file, uid_t user, size_t *len,
    ngx_log_t *log)
{
    u_char   *data, *p, *secret;
    size_t    size;
    ssize_t   n;

    data = ngx_http_wassiit_secret_read(file, user, "openssl rand -base64 32",
                                        &size, log);
    if (data == NULL) {
        return NULL;
    }

    p = data + size;

    if (p > data && p[-1] == LF) {
        p--;
    }

    if (p > data && p[-1] == CR) {
        p--;
    }

    secret = ngx_alloc(NGX_WASSIIT_HMAC_DECODED(size), log);
    if (secret == NULL) {
        goto done;
    }

    n = ngx_wassiit_hmac_decode(secret, data, p - data);

    if (n == NGX_ERROR) {
        ngx_http_wassiit_secret_refuse(file, data, p, log);

        ngx_explicit_memzero(secret, NGX_WASSIIT_HMAC_DECODED(size));
        ngx_free(secret);
        secret = NULL;

    } else {
        ngx_http_wassiit_secret_doubt(file, data, p - data, log);
        *len = n;
    }

done:

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    return secret;
}


/* Says what is wrong with what is no base64, its last line's end aside. */

static void
ngx_http_wassiit_secret_refuse(ngx_str_t *file, u_char *p, u_char *last,
    ngx_log_t *log)
{
    ngx_uint_t  lines;

    if (p == last) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "secret file \"%V\" is empty",
                      file);
        return;
    }

    for (lines = 1; p < last; p++) {
        lines += (*p == LF);
    }

    if (lines == 1) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "secret file \"%V\" is not one line of base64", file);
        return;
    }

    /* openssl makes lines of 64 characters */

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "secret file \"%V\" has %ui lines, its base64 must be one: "
                  "\"tr -d '\\r\\n' < %V\"", file, lines, file);
}


/*
 * Hex is base64, too, but another secret.  Base64 of random bytes has so many
 * hex digits in a row once in 10^14.
 */

static void
ngx_http_wassiit_secret_doubt(ngx_str_t *file, u_char *data, size_t len,
    ngx_log_t *log)
{
    size_t  i;

    for (i = 0; i < len && isxdigit(data[i]); i++) { /* void */ }

    if (i == len && len >= 32) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "secret file \"%V\" has hex digits alone, and is read as "
                      "base64; if it is hex, make it base64: \"perl -ne "
                      "'print pack q{H*}, /(\\w+)/' %V | base64 -w 0\"",
                      file, file);
    }
}


ngx_int_t
ngx_http_wassiit_secret_line(ngx_str_t *file, uid_t user, ngx_str_t *text,
    ngx_pool_t *pool, ngx_log_t *log)
{
    u_char              *data, *p;
    size_t               size;
    ngx_str_t           *line;
    ngx_int_t            rc;
    ngx_pool_cleanup_t  *cln;

    data = ngx_http_wassiit_secret_read(file, user, NULL, &size, log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    p = data + size;

    if (p > data && p[-1] == LF) {
        p--;
    }

    if (p > data && p[-1] == CR) {
        p--;
    }

    if (p == data) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "secret file \"%V\" is empty",
                      file);
        goto done;
    }

    if (memchr(data, LF, p - data)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "secret file \"%V\" has more than one line", file);
        goto done;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_str_t) + (p - data));
    if (cln == NULL) {
        goto done;
    }

    line = cln->data;
    line->len = p - data;
    line->data = (u_char *) (line + 1);

    cln->handler = ngx_http_wassiit_secret_wipe;
    ngx_memcpy(line->data, data, line->len);

    *text = *line;
    rc = NGX_OK;

done:

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    return rc;
}


static void
ngx_http_wassiit_secret_wipe(void *data)
{
    ngx_str_t *line = data;

    ngx_explicit_memzero(line->data, line->len);
}


ngx_array_t *
ngx_http_wassiit_secrets(ngx_str_t *file, uid_t user, ngx_pool_t *pool,
    ngx_log_t *log)
{
    u_char                  *data, *p, *eol, *next, *last;
    size_t                   size;
    ngx_uint_t               line;
    ngx_array_t             *keys;
    ngx_pool_cleanup_t      *cln;
    ngx_wassiit_hmac_key_t  *key;

    data = ngx_http_wassiit_secret_read(file, user, "openssl rand -hex 32",
                                        &size, log);
    if (data == NULL) {
        return NULL;
    }

    last = data + size;
    keys = NULL;

    for (p = data, line = 1; p < last; p++) {
        line += (*p == LF);
    }

    /* no larger than it will be: as it grew it would leave copies behind */

    keys = ngx_array_create(pool, line, sizeof(ngx_wassiit_hmac_key_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (keys == NULL || cln == NULL) {
        keys = NULL;
        goto done;
    }

    cln->handler = ngx_http_wassiit_secrets_wipe;
    cln->data = keys;

    if (size == 0) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "secret file \"%V\" is empty",
                      file);
        keys = NULL;
        goto done;
    }

    for (p = data, line = 1; p < last; p = next, line++) {
        eol = memchr(p, LF, last - p);

        next = eol ? eol + 1 : last;
        eol = eol ? eol : last;

        if (eol > p && eol[-1] == CR) {
            eol--;
        }

        if (eol == p) {
            /* anyone can sign with nothing */
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "secret file \"%V\" has an empty line: %ui",
                          file, line);
            keys = NULL;
            goto done;
        }

        key = ngx_array_push(keys);
        if (key == NULL) {
            keys = NULL;
            goto done;
        }

        ngx_wassiit_hmac_key(key, p, eol - p);
    }

done:

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    return keys;
}


static void
ngx_http_wassiit_secrets_wipe(void *data)
{
    ngx_array_t *keys = data;

    ngx_explicit_memzero(keys->elts, keys->nalloc * keys->size);
}


static u_char *
ngx_http_wassiit_secret_read(ngx_str_t *file, uid_t user, const char *maker,
    size_t *size, ngx_log_t *log)
{
    size_t                    mark;
    u_char                   *data;
    ngx_fd_t                  fd;
    ngx_int_t                 rc;
    ngx_file_info_t           fi;
    ngx_http_wassiit_path_t   path;

    rc = ngx_http_wassiit_path_open(&path, file, O_RDONLY, user, &fd, &fi);

    if (rc != NGX_OK) {
        ngx_http_wassiit_path_log_secret(&path, rc, file, maker, log);
        return NULL;
    }

    ngx_http_wassiit_path_warn(&path, log);
    ngx_http_wassiit_path_close(&path);

    data = ngx_http_wassiit_file_read(file, fd, size, log);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", file);
    }

    if (data == NULL) {
        return NULL;
    }

    mark = ngx_http_wassiit_file_unmark(data, *size);

    if (mark) {
        /* blanks would be of the first secret */
        *size -= mark;
        ngx_memmove(data, data + mark, *size);
        ngx_explicit_memzero(data + *size, mark);
    }

    return data;
}
