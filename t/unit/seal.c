
/*
 * A sealed text is what a published vector says, opens to what was sealed, and
 * for nothing else: not by another key, for another name, or if a bit of it was
 * changed.
 */


#include "unit.h"

#include "ngx_wassiit_seal.h"

#include <openssl/evp.h>
#include <sys/random.h>


#define SEAL_MOST       300


static void unit_seal_vector(void);
static void unit_seal_lengths(void);
static void unit_seal_tampered(void);
static void unit_seal_others(void);
static void unit_seal_strange(void);
static void unit_seal_random(void);
static void unit_seal_checks(void);
static size_t unit_seal_hex(u_char *to, const char *hex);
static ssize_t unit_seal_try(const u_char *p, size_t len);
static ngx_uint_t unit_seal_has(const u_char *p, size_t size,
    const u_char *text, size_t len);


/* what the next random bytes are; NULL: another number each time */
static const u_char  *unit_seal_bytes;
static ngx_uint_t     unit_seal_interrupts, unit_seal_fails;

static const u_char   unit_seal_name[] = "clinique-atlas";

static u_char         unit_seal_key[NGX_WASSIIT_SEAL_KEY_LEN];
static u_char         unit_seal_text[SEAL_MOST];
static u_char         unit_seal_sealed[NGX_WASSIIT_SEALED(SEAL_MOST) + 1];
static u_char         unit_seal_opened[NGX_WASSIIT_UNSEALED(
                                       NGX_WASSIIT_SEALED(SEAL_MOST)) + 8];


ssize_t
getrandom(void *buf, size_t len, unsigned flags)
{
    size_t  i;

    if (unit_seal_interrupts) {
        unit_seal_interrupts--;
        errno = EINTR;
        return -1;
    }

    if (unit_seal_fails) {
        errno = ENOSYS;
        return -1;
    }

    for (i = 0; i < len; i++) {
        ((u_char *) buf)[i] = unit_seal_bytes ? unit_seal_bytes[i]
                                              : unit_random(256);
    }

    return len;
}


int
main(void)
{
    size_t  i;

    unit_start();

    for (i = 0; i < sizeof(unit_seal_key); i++) {
        unit_seal_key[i] = unit_random(256);
    }

    for (i = 0; i < SEAL_MOST; i++) {
        unit_seal_text[i] = unit_random(256);
    }

    unit_seal_vector();
    unit_seal_lengths();
    unit_seal_tampered();
    unit_seal_others();
    unit_seal_strange();
    unit_seal_random();
    unit_seal_checks();

    return unit_done();
}


/*
 * McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16, which
 * was submitted to NIST.
 */

static void
unit_seal_vector(void)
{
    size_t   text_len, name_len, raw_len, len;
    u_char   key[32], raw[128], text[64], name[32], expected[200];
    ssize_t  n;

    (void) unit_seal_hex(key, "feffe9928665731c6d6a8f9467308308"
                              "feffe9928665731c6d6a8f9467308308");
    text_len = unit_seal_hex(text, "d9313225f88406e5a55909c5aff5269a"
                                   "86a7a9531534f7da2e4c303d8a318a72"
                                   "1c3c0c95956809532fcf0e2449a6b525"
                                   "b16aedf5aa0de657ba637b39");
    name_len = unit_seal_hex(name, "feedfacedeadbeeffeedfacedeadbeefabaddad2");
    raw_len = unit_seal_hex(raw, "cafebabefacedbaddecaf888"
                                 "522dc1f099567d07f47f37a32a84427d"
                                 "643a8cdcbfe5c0c97598a2bd2555d1aa"
                                 "8cb08e48590dbb3da7b08b1056828838"
                                 "c5f61e6393ba7a0abcc9f662"
                                 "76fc6ece0f4e1768cddf8853bb2d551b");

    expected[0] = '1';
    expected[1] = '.';
    len = 2 + EVP_EncodeBlock(expected + 2, raw, raw_len);

    unit_seal_bytes = raw;
    n = ngx_wassiit_seal(unit_seal_sealed, key, name, name_len, text, text_len);
    unit_seal_bytes = NULL;

    unit_ok(n == (ssize_t) len && len == NGX_WASSIIT_SEALED(text_len)
            && memcmp(unit_seal_sealed, expected, len) == 0,
            "the published text is sealed as published");

    n = ngx_wassiit_seal_open(unit_seal_opened, key, name, name_len, expected,
                              len);
    unit_ok(n == (ssize_t) text_len
            && memcmp(unit_seal_opened, text, text_len) == 0,
            "and opened");
}


static void
unit_seal_lengths(void)
{
    size_t      len;
    ssize_t     n;
    ngx_uint_t  good;

    good = 0;

    for (len = 0; len <= SEAL_MOST; len++) {
        unit_seal_sealed[NGX_WASSIIT_SEALED(len)] = 0xa5;
        memset(unit_seal_opened, 0xa5, sizeof(unit_seal_opened));

        n = ngx_wassiit_seal(unit_seal_sealed, unit_seal_key, unit_seal_name,
                             len % 15, len ? unit_seal_text : NULL, len);

        if (n != (ssize_t) NGX_WASSIIT_SEALED(len)
            || unit_seal_sealed[n] != 0xa5
            || unit_seal_has(unit_seal_sealed, n, unit_seal_text, len))
        {
            break;
        }

        n = ngx_wassiit_seal_open(unit_seal_opened, unit_seal_key,
                                  unit_seal_name, len % 15, unit_seal_sealed,
                                  n);

        good += (n == (ssize_t) len
                 && memcmp(unit_seal_opened, unit_seal_text, len) == 0
                 && unit_seal_opened[
                        NGX_WASSIIT_UNSEALED(NGX_WASSIIT_SEALED(len))]
                    == 0xa5);
    }

    unit_is(good, SEAL_MOST + 1, "texts of any length are opened again");
}


/* Each bit of each character. */

static void
unit_seal_tampered(void)
{
    size_t      i, bit;
    ssize_t     n;
    ngx_uint_t  opened, left;

    n = ngx_wassiit_seal(unit_seal_sealed, unit_seal_key, unit_seal_name, 14,
                         unit_seal_text, 101);
    unit_ok(unit_seal_try(unit_seal_sealed, n) == 101, "as it is, it opens");

    opened = 0;
    left = 0;

    for (i = 0; i < (size_t) n; i++) {
        for (bit = 0; bit < 8; bit++) {
            unit_seal_sealed[i] ^= 1 << bit;

            opened += (unit_seal_try(unit_seal_sealed, n) != NGX_DECLINED);
            left += unit_seal_has(unit_seal_opened, sizeof(unit_seal_opened),
                                  unit_seal_text, 101);

            unit_seal_sealed[i] ^= 1 << bit;
        }
    }

    unit_is(opened, 0, "with a bit changed it doesn't");
    unit_is(left, 0, "nor tells what it says");

    opened = 0;

    for (i = 0; i < (size_t) n; i++) {
        opened += (unit_seal_try(unit_seal_sealed, i) != NGX_DECLINED);
    }

    unit_is(opened, 0, "nor does a part of it");
}


static void
unit_seal_others(void)
{
    ssize_t  n;

    n = ngx_wassiit_seal(unit_seal_sealed, unit_seal_key, unit_seal_name, 14,
                         unit_seal_text, 100);

    unit_is(ngx_wassiit_seal_open(unit_seal_opened, unit_seal_key,
                                  unit_seal_name, 13, unit_seal_sealed, n),
            NGX_DECLINED, "not for another name");
    unit_is(ngx_wassiit_seal_open(unit_seal_opened, unit_seal_key, NULL, 0,
                                  unit_seal_sealed, n),
            NGX_DECLINED, "nor for none");

    unit_seal_key[31] ^= 1;
    unit_is(unit_seal_try(unit_seal_sealed, n), NGX_DECLINED,
            "nor by another key");
    unit_seal_key[31] ^= 1;

    unit_is(unit_seal_try(unit_seal_sealed, n), 100, "but as it was sealed");
}


/* What isn't sealed at all. */

static void
unit_seal_strange(void)
{
    ngx_uint_t  i;

    static const char *const  texts[] = {
        "", "1", "1.", "1.=", "1.A", "{\"id\":\"clinique-atlas\"}",
        "2.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "1.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\n\n\n"
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unit_is(unit_seal_try((u_char *) texts[i], strlen(texts[i])),
                NGX_DECLINED, "what isn't sealed is told");
    }
}


static void
unit_seal_random(void)
{
    ssize_t  n;
    u_char   first[NGX_WASSIIT_SEALED(20)];

    (void) ngx_wassiit_seal(first, unit_seal_key, unit_seal_name, 14,
                            unit_seal_text, 20);

    unit_seal_interrupts = 2;
    n = ngx_wassiit_seal(unit_seal_sealed, unit_seal_key, unit_seal_name, 14,
                         unit_seal_text, 20);
    unit_ok(n == sizeof(first) && memcmp(first, unit_seal_sealed, n) != 0,
            "it is never sealed in the same way");
    unit_is(unit_seal_try(first, n), 20, "but opened in either");

    unit_seal_fails = 1;
    unit_is(ngx_wassiit_seal(unit_seal_sealed, unit_seal_key, unit_seal_name,
                             14, unit_seal_text, 20),
            NGX_ERROR, "without random numbers nothing is sealed");
    unit_seal_fails = 0;
}


/* As "openssl dgst -sha256 -mac HMAC" has it, of "wassiit seal partners". */

static void
unit_seal_checks(void)
{
    size_t  i;
    u_char  key[NGX_WASSIIT_SEAL_KEY_LEN];
    u_char  check[3][NGX_WASSIIT_SEAL_CHECK_LEN];

    for (i = 0; i < sizeof(key); i++) {
        key[i] = i;
    }

    ngx_wassiit_seal_check(check[0], key, (u_char *) "partners", 8);
    unit_ok(memcmp(check[0], "c0789fcdbb2324cb0d8110e949ac1215", 32) == 0,
            "which key it is");

    ngx_wassiit_seal_check(check[1], key, (u_char *) "partner", 7);
    key[31] ^= 1;
    ngx_wassiit_seal_check(check[2], key, (u_char *) "partners", 8);

    unit_ok(memcmp(check[0], check[1], 32) != 0
            && memcmp(check[0], check[2], 32) != 0,
            "another for another zone, or another key");
}


static size_t
unit_seal_hex(u_char *to, const char *hex)
{
    size_t    n;
    unsigned  byte;

    for (n = 0; hex[2 * n]; n++) {
        (void) sscanf(&hex[2 * n], "%2x", &byte);
        to[n] = byte;
    }

    return n;
}


static ssize_t
unit_seal_try(const u_char *p, size_t len)
{
    memset(unit_seal_opened, 0, sizeof(unit_seal_opened));

    return ngx_wassiit_seal_open(unit_seal_opened, unit_seal_key,
                                 unit_seal_name, 14, p, len);
}


/* Is a part of the text there? */

static ngx_uint_t
unit_seal_has(const u_char *p, size_t size, const u_char *text, size_t len)
{
    size_t  i;

    for (i = 0; i + 8 <= len; i++) {
        if (memmem(p, size, text + i, 8)) {
            return 1;
        }
    }

    return 0;
}
