
/*
 * HMAC-SHA256 (RFC 2104, FIPS 198-1), and its texts: hex, base64 (RFC 4648).
 *
 * A key is kept as the two states of SHA-256 after its padded blocks, so
 * that a short message costs two compressions and not four, and so that the
 * key itself needn't be kept.  The states are as secret as the key.
 */


#ifndef _NGX_WASSIIT_HMAC_H_INCLUDED_
#define _NGX_WASSIIT_HMAC_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <openssl/sha.h>


#define NGX_WASSIIT_HMAC_LEN        32

/* characters of its base64, padding included, and of its hex */
#define NGX_WASSIIT_HMAC_BASE64     44
#define NGX_WASSIIT_HMAC_HEX        64


typedef struct {
    uint32_t            inner[8];
    uint32_t            outer[8];
} ngx_wassiit_hmac_key_t;


typedef struct {
    SHA256_CTX          sha;
} ngx_wassiit_hmac_t;


/* Makes the states of a key of any length, 0 included. */
void ngx_wassiit_hmac_key(ngx_wassiit_hmac_key_t *key, const u_char *secret,
    size_t len);

/*
 * The HMAC of a message that comes in pieces.  final() writes it to mac and
 * wipes the context, which init() makes fit for use again.
 */
void ngx_wassiit_hmac_init(ngx_wassiit_hmac_t *hmac,
    const ngx_wassiit_hmac_key_t *key);
void ngx_wassiit_hmac_update(ngx_wassiit_hmac_t *hmac, const u_char *p,
    size_t len);
void ngx_wassiit_hmac_final(ngx_wassiit_hmac_t *hmac,
    const ngx_wassiit_hmac_key_t *key, u_char mac[NGX_WASSIIT_HMAC_LEN]);

/*
 * Is this text the base64 of mac, with or without padding?  Takes the same
 * time whatever it holds; its length is no secret.  Returns 1 or 0.
 */
ngx_uint_t ngx_wassiit_hmac_equal(const u_char mac[NGX_WASSIIT_HMAC_LEN],
    const u_char *p, size_t len);

/* Writes the base64, NGX_WASSIIT_HMAC_BASE64 characters without a zero. */
void ngx_wassiit_hmac_base64(u_char *dst,
    const u_char mac[NGX_WASSIIT_HMAC_LEN]);

/* Writes the hex, NGX_WASSIIT_HMAC_HEX digits in lower case. */
void ngx_wassiit_hmac_hex(u_char *dst,
    const u_char mac[NGX_WASSIIT_HMAC_LEN]);

/* As ngx_wassiit_hmac_equal(), for hex of either case. */
ngx_uint_t ngx_wassiit_hmac_equal_hex(const u_char mac[NGX_WASSIIT_HMAC_LEN],
    const u_char *p, size_t len);

/* the most bytes that base64 of this length stands for */
#define NGX_WASSIIT_HMAC_DECODED(len)  ((len) / 4 * 3 + 3)

/*
 * Decodes a secret: base64 of the standard or the URL-safe alphabet, padded
 * or not.  dst needs NGX_WASSIIT_HMAC_DECODED(len) bytes.  Returns their
 * number, or NGX_ERROR if it is empty or isn't base64.
 */
ssize_t ngx_wassiit_hmac_decode(u_char *dst, const u_char *p, size_t len);


#endif /* _NGX_WASSIIT_HMAC_H_INCLUDED_ */
