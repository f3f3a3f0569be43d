
/* see ngx_wassiit_key.c for why the low-level functions */
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>

#include "ngx_wassiit_hmac.h"


#define HMAC_BLOCK      64


static void ngx_wassiit_hmac_pad(uint32_t state[8],
    const u_char block[HMAC_BLOCK], u_char pad);
static void ngx_wassiit_hmac_resume(SHA256_CTX *sha,
    const uint32_t state[8]);
static ngx_int_t ngx_wassiit_hmac_digit(u_char c);


static const u_char  ngx_wassiit_hmac_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";


void
ngx_wassiit_hmac_key(ngx_wassiit_hmac_key_t *key, const u_char *secret,
    size_t len)
{
    u_char      block[HMAC_BLOCK];
    SHA256_CTX  sha;

    ngx_memzero(block, HMAC_BLOCK);

    if (len > HMAC_BLOCK) {
        SHA256_Init(&sha);
        SHA256_Update(&sha, secret, len);
        SHA256_Final(block, &sha);
        OPENSSL_cleanse(&sha, sizeof(SHA256_CTX));

    } else {
        ngx_memcpy(block, secret, len);
    }

    ngx_wassiit_hmac_pad(key->inner, block, 0x36);
    ngx_wassiit_hmac_pad(key->outer, block, 0x5c);

    OPENSSL_cleanse(block, HMAC_BLOCK);
}


static void
ngx_wassiit_hmac_pad(uint32_t state[8], const u_char block[HMAC_BLOCK],
    u_char pad)
{
    u_char      padded[HMAC_BLOCK];
    ngx_uint_t  i;
    SHA256_CTX  sha;

    for (i = 0; i < HMAC_BLOCK; i++) {
        padded[i] = block[i] ^ pad;
    }

    SHA256_Init(&sha);
    SHA256_Update(&sha, padded, HMAC_BLOCK);

    for (i = 0; i < 8; i++) {
        state[i] = sha.h[i];
    }

    OPENSSL_cleanse(padded, HMAC_BLOCK);
    OPENSSL_cleanse(&sha, sizeof(SHA256_CTX));
}


/* SHA-256 as it is after the one block that made the state */

static void
ngx_wassiit_hmac_resume(SHA256_CTX *sha, const uint32_t state[8])
{
    ngx_uint_t  i;

    SHA256_Init(sha);

    for (i = 0; i < 8; i++) {
        sha->h[i] = state[i];
    }

    sha->Nl = HMAC_BLOCK * 8;
}


void
ngx_wassiit_hmac_init(ngx_wassiit_hmac_t *hmac,
    const ngx_wassiit_hmac_key_t *key)
{
    ngx_wassiit_hmac_resume(&hmac->sha, key->inner);
}


void
ngx_wassiit_hmac_update(ngx_wassiit_hmac_t *hmac, const u_char *p,
    size_t len)
{
    SHA256_Update(&hmac->sha, p, len);
}


void
ngx_wassiit_hmac_final(ngx_wassiit_hmac_t *hmac,
    const ngx_wassiit_hmac_key_t *key, u_char mac[NGX_WASSIIT_HMAC_LEN])
{
    SHA256_Final(mac, &hmac->sha);

    ngx_wassiit_hmac_resume(&hmac->sha, key->outer);
    SHA256_Update(&hmac->sha, mac, NGX_WASSIIT_HMAC_LEN);
    SHA256_Final(mac, &hmac->sha);

    OPENSSL_cleanse(hmac, sizeof(ngx_wassiit_hmac_t));
}


void
ngx_wassiit_hmac_base64(u_char *dst, const u_char mac[NGX_WASSIIT_HMAC_LEN])
{
    ngx_uint_t    i;
    const u_char *d;

    d = ngx_wassiit_hmac_digits;

    for (i = 0; i < 30; i += 3) {
        *dst++ = d[mac[i] >> 2];
        *dst++ = d[(mac[i] << 4 | mac[i + 1] >> 4) & 0x3f];
        *dst++ = d[(mac[i + 1] << 2 | mac[i + 2] >> 6) & 0x3f];
        *dst++ = d[mac[i + 2] & 0x3f];
    }

    *dst++ = d[mac[30] >> 2];
    *dst++ = d[(mac[30] << 4 | mac[31] >> 4) & 0x3f];
    *dst++ = d[(mac[31] << 2) & 0x3f];
    *dst = '=';
}


/*
 * The expected text is compared, not the bytes: so there is one text for a
 * signature, its padding excepted, and nothing to decode.
 */

ngx_uint_t
ngx_wassiit_hmac_equal(const u_char mac[NGX_WASSIIT_HMAC_LEN],
    const u_char *p, size_t len)
{
    ngx_uint_t  same;
    u_char      text[NGX_WASSIIT_HMAC_BASE64];

    if (len != NGX_WASSIIT_HMAC_BASE64 && len != NGX_WASSIIT_HMAC_BASE64 - 1) {
        return 0;
    }

    ngx_wassiit_hmac_base64(text, mac);
    same = (CRYPTO_memcmp(text, p, len) == 0);

    OPENSSL_cleanse(text, NGX_WASSIIT_HMAC_BASE64);

    return same;
}


void
ngx_wassiit_hmac_hex(u_char *dst, const u_char mac[NGX_WASSIIT_HMAC_LEN])
{
    ngx_uint_t  i;

    static const u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < NGX_WASSIIT_HMAC_LEN; i++) {
        *dst++ = hex[mac[i] >> 4];
        *dst++ = hex[mac[i] & 0xf];
    }
}


ngx_uint_t
ngx_wassiit_hmac_equal_hex(const u_char mac[NGX_WASSIIT_HMAC_LEN],
    const u_char *p, size_t len)
{
    ngx_uint_t  i, same;
    u_char      text[NGX_WASSIIT_HMAC_HEX], sent[NGX_WASSIIT_HMAC_HEX];

    if (len != NGX_WASSIIT_HMAC_HEX) {
        return 0;
    }

    for (i = 0; i < NGX_WASSIIT_HMAC_HEX; i++) {
        sent[i] = ngx_tolower(p[i]);
    }

    ngx_wassiit_hmac_hex(text, mac);
    same = (CRYPTO_memcmp(text, sent, NGX_WASSIIT_HMAC_HEX) == 0);

    OPENSSL_cleanse(text, NGX_WASSIIT_HMAC_HEX);

    return same;
}


ssize_t
ngx_wassiit_hmac_decode(u_char *dst, const u_char *p, size_t len)
{
    size_t     i, n;
    u_char    *d;
    uint32_t   bits;
    ngx_int_t  digit;

    for (n = len; n && p[n - 1] == '='; n--) { /* void */ }

    /* the rest of four is one character, or the padding is wrong */

    if (n < 2 || n % 4 == 1 || (n != len && len != ngx_align(n, 4))) {
        return NGX_ERROR;
    }

    bits = 0;
    d = dst;

    for (i = 0; i < n; i++) {
        digit = ngx_wassiit_hmac_digit(p[i]);

        if (digit == NGX_ERROR) {
            return NGX_ERROR;
        }

        bits = bits << 6 | digit;

        if (i % 4) {
            *d++ = bits >> (6 - 2 * (i % 4));
        }
    }

    return d - dst;
}


static ngx_int_t
ngx_wassiit_hmac_digit(u_char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    if (c == '+' || c == '-') {
        return 62;
    }

    if (c == '/' || c == '_') {
        return 63;
    }

    return NGX_ERROR;
}
