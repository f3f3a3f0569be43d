
/*
 * Text that a store keeps without knowing what it says: AES-256-GCM (NIST SP
 * 800-38D), by a key that the store never sees.  A sealed text is "1." and the
 * base64 (RFC 4648) of a random nonce of 96 bits, the ciphertext and the tag.
 * It is sealed for a name, of whoever it is about, and opens for no other.
 */


#ifndef _NGX_WASSIIT_SEAL_H_INCLUDED_
#define _NGX_WASSIIT_SEAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WASSIIT_SEAL_KEY_LEN    32
#define NGX_WASSIIT_SEAL_NONCE_LEN  12
#define NGX_WASSIIT_SEAL_TAG_LEN    16

/* bytes of the text that says which key it is */
#define NGX_WASSIIT_SEAL_CHECK_LEN  32


/* the bytes of a sealed text of len bytes */
#define NGX_WASSIIT_SEALED(len)                                              \
    (2 + ((len) + NGX_WASSIIT_SEAL_NONCE_LEN + NGX_WASSIIT_SEAL_TAG_LEN      \
          + 2) / 3 * 4)

/* the room that opening a sealed text of len bytes needs */
#define NGX_WASSIIT_UNSEALED(len)   ((len) / 4 * 3 + 3)


/*
 * Seals the len bytes of p for a name.  dst has NGX_WASSIIT_SEALED(len) bytes,
 * and doesn't overlap p.  Returns the length of the sealed text, which has no
 * zero at its end; NGX_ERROR: memory is short, or there are no random numbers.
 * One key may seal 2^32 texts.
 */
ssize_t ngx_wassiit_seal(u_char *dst,
    const u_char key[NGX_WASSIIT_SEAL_KEY_LEN], const u_char *name,
    size_t name_len, const u_char *p, size_t len);

/*
 * Opens a sealed text of len bytes.  dst has NGX_WASSIIT_UNSEALED(len) bytes.
 * Returns the bytes of the text, which the caller wipes; NGX_DECLINED: it isn't
 * one that was sealed by this key for this name, and dst says nothing of it;
 * NGX_ERROR: memory is short.
 */
ssize_t ngx_wassiit_seal_open(u_char *dst,
    const u_char key[NGX_WASSIIT_SEAL_KEY_LEN], const u_char *name,
    size_t name_len, const u_char *p, size_t len);

/*
 * Writes hex that is the same for the same key and name, and another for
 * others; it tells nothing of the key.
 */
void ngx_wassiit_seal_check(u_char dst[NGX_WASSIIT_SEAL_CHECK_LEN],
    const u_char key[NGX_WASSIIT_SEAL_KEY_LEN], const u_char *name,
    size_t name_len);


#endif /* _NGX_WASSIIT_SEAL_H_INCLUDED_ */
