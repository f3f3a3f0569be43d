
/*
 * The low-level SHA-256 needs no context from the heap and costs less than
 * half of EVP's for so short a text; OpenSSL 3 still has it.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/sha.h>
#include <openssl/crypto.h>

#include "ngx_wassiit_key.h"

#include <ngx_crc32.h>


#define KEY_PREFIX      "wst_"
#define KEY_RANDOM      32
#define KEY_CHECKSUM    6
#define KEY_BODY        (sizeof(KEY_PREFIX) - 1 + KEY_RANDOM)
#define KEY_LEN         (KEY_BODY + KEY_CHECKSUM)


static ngx_int_t ngx_wassiit_key_digit(u_char c);


ngx_int_t
ngx_wassiit_key_check(const u_char *p, size_t len)
{
    size_t     i;
    uint64_t   sum;
    ngx_int_t  digit;

    if (len < NGX_WASSIIT_KEY_MIN || len > NGX_WASSIIT_KEY_MAX) {
        return NGX_DECLINED;
    }

    for (i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] > 0x7e) {
            return NGX_DECLINED;
        }
    }

    if (len != KEY_LEN
        || ngx_memcmp(p, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) != 0)
    {
        return NGX_OK;
    }

    sum = 0;

    for (i = sizeof(KEY_PREFIX) - 1; i < len; i++) {
        digit = ngx_wassiit_key_digit(p[i]);

        if (digit == NGX_ERROR) {
            /* not of our form */
            return NGX_OK;
        }

        if (i >= KEY_BODY) {
            sum = sum * 62 + digit;
        }
    }

    if (sum != ngx_crc32_long((u_char *) p, KEY_BODY)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wassiit_key_digit(u_char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'A' && c <= 'Z') {
        return c - 'A' + 10;
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 36;
    }

    return NGX_ERROR;
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
