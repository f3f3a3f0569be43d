
/*
 * Files with secrets, of both forms: the keys that are made of them are those
 * of the file's lines as another reading finds them, nothing of a secret is
 * logged, and the pool's end leaves none.
 */


#include "fuzz.h"
#include "folder.h"
#include "../unit/objects.h"

#include "ngx_http_wassiit_secret.h"

#include <openssl/evp.h>


#define FUZZ_SECRETS_BOM    "\xef\xbb\xbf"


static size_t fuzz_secrets_mark(const u_char *p, size_t len);
static void fuzz_secrets_base64(const u_char *p, size_t len);
static ngx_uint_t fuzz_secrets_is_base64(const u_char *p, size_t len,
    ngx_wassiit_hmac_key_t *key);
static ngx_uint_t fuzz_secrets_is_hex(const u_char *p, size_t len);
static void fuzz_secrets_lines(const u_char *p, size_t len);
static ngx_uint_t fuzz_secrets_are(const u_char *p, size_t len,
    ngx_array_t *keys);
static void fuzz_secrets_unlogged(const u_char *p, size_t len);


static ngx_str_t  fuzz_secrets_file;


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > FUZZ_SIZE) {
        return 0;
    }

    if (fuzz_secrets_file.data == NULL) {
        fuzz_folder_file(&fuzz_secrets_file, "secret");
    }

    fuzz_folder_write(&fuzz_secrets_file, data, size);

    fuzz_secrets_base64(data, size);
    fuzz_secrets_lines(data, size);

    return 0;
}


/* A byte order mark at the beginning is the file's, and of no secret. */

static size_t
fuzz_secrets_mark(const u_char *p, size_t len)
{
    return (len >= 3 && memcmp(p, FUZZ_SECRETS_BOM, 3) == 0) ? 3 : 0;
}


static void
fuzz_secrets_base64(const u_char *p, size_t len)
{
    size_t                  mark;
    ngx_int_t               rc;
    ngx_uint_t              valid;
    ngx_wassiit_hmac_key_t  key, expected;

    unit_log_forget();
    memset(&key, 0, sizeof(key));

    rc = ngx_http_wassiit_secret(&fuzz_secrets_file, geteuid(), &key,
                                 &unit_log);

    mark = fuzz_secrets_mark(p, len);
    valid = fuzz_secrets_is_base64(p + mark, len - mark, &expected);

    fuzz_check(rc == (valid ? NGX_OK : NGX_ERROR));
    fuzz_check(!valid || memcmp(&key, &expected, sizeof(key)) == 0);

    if (valid && fuzz_secrets_is_hex(p + mark, len - mark)) {
        fuzz_check(strstr(unit_logged, "has hex digits alone") != NULL);

    } else {
        fuzz_check(valid == (unit_logged_len == 0));
    }

    fuzz_secrets_unlogged(p, len);
}


static ngx_uint_t
fuzz_secrets_is_base64(const u_char *p, size_t len,
    ngx_wassiit_hmac_key_t *key)
{
    int      n;
    size_t   i, bare, padded;
    u_char  *text, *secret;

    len -= (len && p[len - 1] == '\n');
    len -= (len && p[len - 1] == '\r');

    for (bare = len; bare && p[bare - 1] == '='; bare--) { /* void */ }

    padded = (bare + 3) / 4 * 4;

    if (bare == 0 || bare % 4 == 1 || (bare != len && len != padded)) {
        return 0;
    }

    /* OpenSSL's decoder passes over blanks, and knows one alphabet */

    text = malloc(padded);
    secret = malloc(padded);

    if (text == NULL || secret == NULL) {
        abort();
    }

    memset(text, '=', padded);
    n = 0;

    for (i = 0; i < bare; i++) {
        text[i] = (p[i] == '-') ? '+' : (p[i] == '_') ? '/' : p[i];

        if (!isalnum(text[i]) && text[i] != '+' && text[i] != '/') {
            n = -1;
        }
    }

    if (n == 0) {
        n = EVP_DecodeBlock(secret, text, padded);
    }

    if (n > 0) {
        n -= (text[padded - 1] == '=') + (text[padded - 2] == '=');
        ngx_wassiit_hmac_key(key, secret, n);
    }

    free(text);
    free(secret);

    return n > 0;
}


/* Is it so long, and of so few digits, that the operator may have meant hex? */

static ngx_uint_t
fuzz_secrets_is_hex(const u_char *p, size_t len)
{
    size_t  n;

    len -= (len && p[len - 1] == '\n');
    len -= (len && p[len - 1] == '\r');

    for (n = 0; n < len && isxdigit(p[n]); n++) { /* void */ }

    return n == len && len >= 32;
}


static void
fuzz_secrets_lines(const u_char *p, size_t len)
{
    size_t        i, bytes, mark;
    ngx_pool_t    pool;
    ngx_uint_t    valid, wiped;
    ngx_array_t  *keys;

    memset(&pool, 0, sizeof(pool));
    unit_log_forget();

    keys = ngx_http_wassiit_secrets(&fuzz_secrets_file, geteuid(), &pool,
                                    &unit_log);

    mark = fuzz_secrets_mark(p, len);
    valid = fuzz_secrets_are(p + mark, len - mark, keys);

    fuzz_check(valid);
    fuzz_check((keys == NULL) == (unit_logged_len != 0));

    fuzz_secrets_unlogged(p, len);

    unit_pool_cleanup(&pool);

    if (keys) {
        bytes = keys->nelts * keys->size;
        wiped = 1;

        for (i = 0; i < bytes; i++) {
            wiped &= (((u_char *) keys->elts)[i] == 0);
        }

        fuzz_check(wiped);
    }

    unit_pool_free(&pool);
}


/* Is it what the file should give?  NULL: it is refused. */

static ngx_uint_t
fuzz_secrets_are(const u_char *p, size_t len, ngx_array_t *keys)
{
    size_t                   start, end, next, n;
    ngx_wassiit_hmac_key_t   key, *found;

    found = keys ? keys->elts : NULL;

    for (start = 0, n = 0; start < len; start = next, n++) {

        for (end = start; end < len && p[end] != '\n'; end++) { /* void */ }

        next = end + 1;
        end -= (end > start && p[end - 1] == '\r');

        if (end == start) {
            return keys == NULL;
        }

        if (keys) {
            ngx_wassiit_hmac_key(&key, p + start, end - start);

            if (n >= keys->nelts || memcmp(&found[n], &key, sizeof(key))) {
                return 0;
            }
        }
    }

    return (keys == NULL) ? n == 0 : n == keys->nelts;
}


/*
 * No word of it that has more than small letters stands in a message, whose
 * own such words are short, but for the file's name.
 */

static void
fuzz_secrets_unlogged(const u_char *p, size_t len)
{
    char        *name;
    size_t       i, k, n;
    ngx_uint_t   marked;

    while ((name = strstr(unit_logged, (char *) fuzz_secrets_file.data))) {
        memmove(name, name + fuzz_secrets_file.len,
                strlen(name + fuzz_secrets_file.len) + 1);
    }

    for (i = 0; i < len; i += n + 1) {

        marked = 0;

        for (n = 0; i + n < len && p[i + n] > ' '; n++) {
            marked |= (p[i + n] < 'a');
        }

        if (n < 12 || !marked) {
            continue;
        }

        for (k = 0; k + n <= strlen(unit_logged); k++) {
            fuzz_check(memcmp(unit_logged + k, p + i, n) != 0);
        }
    }
}
