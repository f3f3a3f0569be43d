
/*
 * The low-level SHA-256 needs no context from the heap and costs less than
 * half of EVP's for so short a text; OpenSSL 3 still has it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/sha.h>
#include <openssl/crypto.h>

#include "ngx_wassiit_key.h"

#include <ngx_crc32.h>
#include <sys/random.h>


#define KEY_PREFIX      "wst_"
#define KEY_RANDOM      32
#define KEY_CHECKSUM    6
#define KEY_BODY        (sizeof(KEY_PREFIX) - 1 + KEY_RANDOM)
#define KEY_LEN         NGX_WASSIIT_KEY_LEN


/*
 * Of each character: its digit in base62, P for others that are printable, N
 * for those that aren't.  A table, as branches on random characters would
 * cost more than all the rest.
 */

#define P  0x40
#define N  0x80

static const u_char  ngx_wassiit_key_chars[256] = {
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     P,  P,  P,  P,  P,  P,  P,  P,  P,  P,  P,  P,  P,  P,  P,  P,
     0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  P,  P,  P,  P,  P,  P,
     P, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
    25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35,  P,  P,  P,  P,  P,
     P, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50,
    51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61,  P,  P,  P,  P,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,
     N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N,  N
};


static const u_char  ngx_wassiit_key_digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";


ngx_int_t
ngx_wassiit_key_check(const u_char *p, size_t len)
{
    size_t      i;
    u_char      seen;
    uint64_t    sum;
    ngx_uint_t  ours;

    if (len < NGX_WASSIIT_KEY_MIN || len > NGX_WASSIIT_KEY_MAX) {
        return NGX_DECLINED;
    }

    seen = 0;
    ours = (len == KEY_LEN
            && ngx_memcmp(p, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) == 0);

    for (i = ours ? sizeof(KEY_PREFIX) - 1 : 0; i < len; i++) {
        seen |= ngx_wassiit_key_chars[p[i]];
    }

    if (seen & N) {
        return NGX_DECLINED;
    }

    if (!ours || (seen & P)) {
        return NGX_OK;
    }

    sum = 0;

    for (i = KEY_BODY; i < KEY_LEN; i++) {
        sum = sum * 62 + ngx_wassiit_key_chars[p[i]];
    }

    if (sum != ngx_crc32_long((u_char *) p, KEY_BODY)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_key_random(u_char *p, size_t len)
{
    u_char      random[64];
    ssize_t     n;
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = NGX_OK;

    while (len) {
        n = getrandom(random, sizeof(random), 0);

        if (n <= 0) {
            if (n == -1 && ngx_errno == NGX_EINTR) {
                continue;
            }

            rc = NGX_ERROR;
            break;
        }

        for (i = 0; i < (ngx_uint_t) n && len; i++) {

            /* the rest of a byte would make some digits likelier */

            if (random[i] < 256 / 62 * 62) {
                *p++ = ngx_wassiit_key_digits[random[i] % 62];
                len--;
            }
        }
    }

    OPENSSL_cleanse(random, sizeof(random));

    return rc;
}


ngx_int_t
ngx_wassiit_key_make(u_char key[NGX_WASSIIT_KEY_LEN])
{
    uint32_t    sum;
    ngx_uint_t  i;

    ngx_memcpy(key, KEY_PREFIX, sizeof(KEY_PREFIX) - 1);

    if (ngx_wassiit_key_random(key + sizeof(KEY_PREFIX) - 1, KEY_RANDOM)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    sum = ngx_crc32_long(key, KEY_BODY);

    for (i = KEY_LEN; i > KEY_BODY; i--) {
        key[i - 1] = ngx_wassiit_key_digits[sum % 62];
        sum /= 62;
    }

    return NGX_OK;
}


void
ngx_wassiit_key_digest(const u_char *p, size_t len,
    u_char digest[NGX_WASSIIT_DIGEST_LEN])
{
    SHA256_CTX  sha;

    SHA256_Init(&sha);
    SHA256_Update(&sha, p, len);
    SHA256_Final(digest, &sha);

    OPENSSL_cleanse(&sha, sizeof(sha));
}
