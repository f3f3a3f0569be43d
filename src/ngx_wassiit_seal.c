
#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_seal.h"

#include <openssl/evp.h>
#include <sys/random.h>


#define SEAL_NONCE      NGX_WASSIIT_SEAL_NONCE_LEN
#define SEAL_TAG        NGX_WASSIIT_SEAL_TAG_LEN

/* what a sealed text begins with: which way of sealing it is */
#define SEAL_MARK       "1."
#define SEAL_MARK_LEN   2

/* what precedes the name that a key's check is made for */
#define SEAL_CHECK      "wassiit seal "


static ngx_int_t ngx_wassiit_seal_nonce(u_char nonce[SEAL_NONCE]);
static ngx_int_t ngx_wassiit_seal_crypt(EVP_CIPHER_CTX *ctx, u_char *p,
    size_t len, const u_char *key, const u_char *name, size_t name_len,
    ngx_uint_t seal);
static void ngx_wassiit_seal_base64(u_char *dst, const u_char *p, size_t len);


ssize_t
ngx_wassiit_seal(u_char *dst, const u_char key[NGX_WASSIIT_SEAL_KEY_LEN],
    const u_char *name, size_t name_len, const u_char *p, size_t len)
{
    size_t           raw, size;
    u_char          *sealed;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    if (len > INT_MAX || name_len > INT_MAX) {
        return NGX_ERROR;
    }

    raw = SEAL_NONCE + len + SEAL_TAG;
    size = NGX_WASSIIT_SEALED(len);

    /* at the end of dst: the base64 catches up with it there, and not before */
    sealed = dst + size - raw;

    if (ngx_wassiit_seal_nonce(sealed) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    if (len) {
        ngx_memcpy(sealed + SEAL_NONCE, p, len);
    }

    rc = ngx_wassiit_seal_crypt(ctx, sealed, len, key, name, name_len, 1);
    EVP_CIPHER_CTX_free(ctx);

    if (rc != NGX_OK) {
        OPENSSL_cleanse(dst, size);
        return NGX_ERROR;
    }

    ngx_memcpy(dst, SEAL_MARK, SEAL_MARK_LEN);
    ngx_wassiit_seal_base64(dst + SEAL_MARK_LEN, sealed, raw);

    return size;
}


ssize_t
ngx_wassiit_seal_open(u_char *dst, const u_char key[NGX_WASSIIT_SEAL_KEY_LEN],
    const u_char *name, size_t name_len, const u_char *p, size_t len)
{
    ssize_t          n;
    ngx_int_t        rc;
    EVP_CIPHER_CTX  *ctx;

    if (len < SEAL_MARK_LEN || len > INT_MAX || name_len > INT_MAX
        || ngx_memcmp(p, SEAL_MARK, SEAL_MARK_LEN) != 0)
    {
        return NGX_DECLINED;
    }

    n = ngx_wassiit_hmac_decode(dst, p + SEAL_MARK_LEN, len - SEAL_MARK_LEN);

    if (n < SEAL_NONCE + SEAL_TAG) {
        return NGX_DECLINED;
    }

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_wassiit_seal_crypt(ctx, dst, n - SEAL_NONCE - SEAL_TAG, key, name,
                                name_len, 0);
    EVP_CIPHER_CTX_free(ctx);

    if (rc != NGX_OK) {
        /* what was decrypted before the tag proved to be another */
        OPENSSL_cleanse(dst, n);
        return NGX_DECLINED;
    }

    ngx_memmove(dst, dst + SEAL_NONCE, n - SEAL_NONCE);

    /* what it was moved from, and the tag */
    OPENSSL_cleanse(dst + n - SEAL_NONCE - SEAL_TAG, SEAL_NONCE + SEAL_TAG);

    return n - SEAL_NONCE - SEAL_TAG;
}


void
ngx_wassiit_seal_check(u_char dst[NGX_WASSIIT_SEAL_CHECK_LEN],
    const u_char key[NGX_WASSIIT_SEAL_KEY_LEN], const u_char *name,
    size_t name_len)
{
    u_char                  mac[NGX_WASSIIT_HMAC_LEN];
    u_char                  hex[NGX_WASSIIT_HMAC_HEX];
    ngx_wassiit_hmac_t      hmac;
    ngx_wassiit_hmac_key_t  states;

    ngx_wassiit_hmac_key(&states, key, NGX_WASSIIT_SEAL_KEY_LEN);

    ngx_wassiit_hmac_init(&hmac, &states);
    ngx_wassiit_hmac_update(&hmac, (u_char *) SEAL_CHECK,
                            sizeof(SEAL_CHECK) - 1);
    ngx_wassiit_hmac_update(&hmac, name, name_len);
    ngx_wassiit_hmac_final(&hmac, &states, mac);

    ngx_wassiit_hmac_hex(hex, mac);
    ngx_memcpy(dst, hex, NGX_WASSIIT_SEAL_CHECK_LEN);

    OPENSSL_cleanse(&states, sizeof(states));
}


static ngx_int_t
ngx_wassiit_seal_nonce(u_char nonce[SEAL_NONCE])
{
    ssize_t  n;

    do {
        n = getrandom(nonce, SEAL_NONCE, 0);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    /* so few bytes come at once, or not at all */

    return (n == SEAL_NONCE) ? NGX_OK : NGX_ERROR;
}


/*
 * Encrypts or decrypts what lies between the nonce at p and its tag, in place,
 * and writes or compares the tag.  Returns NGX_OK; NGX_DECLINED: the tag is
 * another one, or memory is short.
 */

static ngx_int_t
ngx_wassiit_seal_crypt(EVP_CIPHER_CTX *ctx, u_char *p, size_t len,
    const u_char *key, const u_char *name, size_t name_len, ngx_uint_t seal)
{
    int      n;
    u_char  *text, *tag;

    text = p + SEAL_NONCE;
    tag = text + len;

    /* the nonce's 96 bits are what the cipher takes unless told otherwise */

    if (EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, p, (int) seal)
        != 1
        || (name_len
            && EVP_CipherUpdate(ctx, NULL, &n, name, (int) name_len) != 1)
        || (len && EVP_CipherUpdate(ctx, text, &n, text, (int) len) != 1))
    {
        return NGX_DECLINED;
    }

    if (!seal
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG, tag) != 1)
    {
        return NGX_DECLINED;
    }

    if (EVP_CipherFinal_ex(ctx, tag, &n) != 1) {
        return NGX_DECLINED;
    }

    return (!seal
            || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG, tag)
               == 1)
           ? NGX_OK : NGX_DECLINED;
}


/* dst may be before p in one buffer, by a third of len at the least. */

static void
ngx_wassiit_seal_base64(u_char *dst, const u_char *p, size_t len)
{
    u_char    a, b, c;

    static const u_char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for ( /* void */ ; len; len -= ngx_min(len, 3)) {
        a = p[0];
        b = (len > 1) ? p[1] : 0;
        c = (len > 2) ? p[2] : 0;

        p += ngx_min(len, 3);

        *dst++ = digits[a >> 2];
        *dst++ = digits[(a & 0x03) << 4 | b >> 4];
        *dst++ = (len > 1) ? digits[(b & 0x0f) << 2 | c >> 6] : '=';
        *dst++ = (len > 2) ? digits[c & 0x3f] : '=';
    }
}
