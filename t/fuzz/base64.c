
/*
 * Base64 and hex of a signature against OpenSSL's and printf()'s, secrets in
 * base64 against a decoder by a table of bits; the comparison in constant time
 * against memcmp().  An input is a signature of 32 bytes, then a text.
 */


#include <openssl/evp.h>

#include "fuzz.h"

#include "ngx_wassiit_hmac.h"


#define FUZZ_BASE64_LEN     4096


static void fuzz_base64_mac(const u_char *mac, const u_char *text, size_t len);
static void fuzz_base64_secret(const u_char *text, size_t len);
static ssize_t fuzz_base64_decode(u_char *dst, const u_char *text, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char  *text;
    u_char   mac[NGX_WASSIIT_HMAC_LEN];
    size_t   n;

    if (size > FUZZ_BASE64_LEN) {
        return 0;
    }

    memset(mac, 0, sizeof(mac));
    n = ngx_min(size, sizeof(mac));
    memcpy(mac, data, n);

    text = fuzz_copy(data + n, size - n);
    fuzz_base64_mac(mac, text, size - n);
    fuzz_base64_secret(text, size - n);
    free(text);

    text = fuzz_copy(data, size);
    fuzz_base64_secret(text, size);
    free(text);

    return 0;
}


static void
fuzz_base64_mac(const u_char *mac, const u_char *text, size_t len)
{
    char        hex[NGX_WASSIIT_HMAC_HEX + 1];
    u_char     *copy;
    u_char      base64[NGX_WASSIIT_HMAC_BASE64 + 1];
    u_char      decoded[NGX_WASSIIT_HMAC_DECODED(NGX_WASSIIT_HMAC_BASE64)];
    ngx_uint_t  i, is;

    EVP_EncodeBlock(base64, mac, NGX_WASSIIT_HMAC_LEN);

    copy = fuzz_copy(base64, NGX_WASSIIT_HMAC_BASE64);
    memset(copy, 0, NGX_WASSIIT_HMAC_BASE64);
    ngx_wassiit_hmac_base64(copy, mac);
    fuzz_check(memcmp(copy, base64, NGX_WASSIIT_HMAC_BASE64) == 0);
    free(copy);

    fuzz_check(ngx_wassiit_hmac_decode(decoded, base64,
                                       NGX_WASSIIT_HMAC_BASE64)
               == NGX_WASSIIT_HMAC_LEN);
    fuzz_check(memcmp(decoded, mac, NGX_WASSIIT_HMAC_LEN) == 0);

    fuzz_check(ngx_wassiit_hmac_equal(mac, base64, NGX_WASSIIT_HMAC_BASE64));
    fuzz_check(ngx_wassiit_hmac_equal(mac, base64,
                                      NGX_WASSIIT_HMAC_BASE64 - 1));

    is = (len == NGX_WASSIIT_HMAC_BASE64 || len == NGX_WASSIIT_HMAC_BASE64 - 1)
         && memcmp(text, base64, len) == 0;

    fuzz_check(ngx_wassiit_hmac_equal(mac, text, len) == is);

    for (i = 0; i < NGX_WASSIIT_HMAC_LEN; i++) {
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    }

    copy = fuzz_copy(hex, NGX_WASSIIT_HMAC_HEX);
    memset(copy, 0, NGX_WASSIIT_HMAC_HEX);
    ngx_wassiit_hmac_hex(copy, mac);
    fuzz_check(memcmp(copy, hex, NGX_WASSIIT_HMAC_HEX) == 0);
    free(copy);

    fuzz_check(ngx_wassiit_hmac_equal_hex(mac, (u_char *) hex,
                                          NGX_WASSIIT_HMAC_HEX));

    is = (len == NGX_WASSIIT_HMAC_HEX
          && strncasecmp((char *) text, hex, len) == 0);

    fuzz_check(ngx_wassiit_hmac_equal_hex(mac, text, len) == is);
}


static void
fuzz_base64_secret(const u_char *text, size_t len)
{
    ssize_t  n, expected;
    u_char  *dst;
    u_char   reference[FUZZ_BASE64_LEN];

    dst = malloc(NGX_WASSIIT_HMAC_DECODED(len));

    if (dst == NULL) {
        abort();
    }

    n = ngx_wassiit_hmac_decode(dst, text, len);
    expected = fuzz_base64_decode(reference, text, len);

    fuzz_check(n == expected);
    fuzz_check(n == NGX_ERROR || memcmp(dst, reference, n) == 0);

    free(dst);
}


/* Bit by bit; what is left of the last character may be anything. */

static ssize_t
fuzz_base64_decode(u_char *dst, const u_char *text, size_t len)
{
    size_t       i, n, bits;
    ngx_uint_t   digit, k;
    const char  *found;

    static const char  standard[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static const char  safe[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    n = len;

    while (n > 0 && text[n - 1] == '=') {
        n--;
    }

    /* padding is left out, or fills the last four */

    if (n == 0 || n % 4 == 1 || (len != n && len != (n + 3) / 4 * 4)) {
        return NGX_ERROR;
    }

    memset(dst, 0, n);
    bits = 0;

    for (i = 0; i < n; i++) {
        found = memchr(standard, text[i], 64);

        if (found) {
            digit = found - standard;

        } else {
            found = memchr(safe, text[i], 64);

            if (found == NULL) {
                return NGX_ERROR;
            }

            digit = found - safe;
        }

        for (k = 0; k < 6; k++, bits++) {
            dst[bits / 8] |= (digit >> (5 - k) & 1) << (7 - bits % 8);
        }
    }

    return n * 6 / 8;
}
