
/*
 * API keys as partners send them.
 *
 * A key of our form is "wst_", 32 characters of base62 and 6 characters of
 * base62 that hold the CRC-32 (ISO 3309) of the 36 characters before them.
 * The digits of base62 are 0-9A-Za-z in this order, the most significant
 * first.  Any other string of 8 to 256 printable ASCII characters may be a
 * key too: one that a partner brought along.
 */


#ifndef _NGX_WASSIIT_KEY_H_INCLUDED_
#define _NGX_WASSIIT_KEY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WASSIIT_KEY_MIN        8
#define NGX_WASSIIT_KEY_MAX        256
#define NGX_WASSIIT_KEY_LEN        42      /* of one of our form */
#define NGX_WASSIIT_DIGEST_LEN     32


/*
 * Tells whether the bytes can be a key.  Returns NGX_OK, or NGX_DECLINED:
 * too short, too long, not printable, or of our form with a wrong checksum.
 */
ngx_int_t ngx_wassiit_key_check(const u_char *p, size_t len);

/*
 * Writes len random digits of base62, each as likely as any other, from the
 * system's generator (getrandom(2)).  Returns NGX_OK, or NGX_ERROR if that
 * gives none.
 */
ngx_int_t ngx_wassiit_key_random(u_char *p, size_t len);

/*
 * Makes a key of our form.  Returns NGX_OK, or NGX_ERROR as above.  The caller
 * wipes it.
 */
ngx_int_t ngx_wassiit_key_make(u_char key[NGX_WASSIIT_KEY_LEN]);

/* The SHA-256 (FIPS 180-4) of the key, by which it is known. */
void ngx_wassiit_key_digest(const u_char *p, size_t len,
    u_char digest[NGX_WASSIIT_DIGEST_LEN]);


#endif /* _NGX_WASSIIT_KEY_H_INCLUDED_ */
