
/*
 * HMAC-SHA256: the cases of RFC 4231, and those of Wycheproof, which lie in
 * hmac_sha256.json (github.com/C2SP/wycheproof, hmac_sha256_test.json); its
 * base64 against OpenSSL's, its hex against printf()'s.
 */


#include <jansson.h>
#include <openssl/evp.h>

#include "unit.h"

#include "ngx_wassiit_hmac.h"


#define UNIT_HMAC_FILE      "t/unit/hmac_sha256.json"
#define UNIT_HMAC_BYTES     1024
#define UNIT_HMAC_TRIES     20000


typedef struct {
    const char         *key;        /* hex */
    const char         *message;    /* a text */
    const char         *dump;       /* or hex */
    const char         *mac;        /* hex, perhaps truncated */
} unit_case_t;


static void unit_hmac_rfc4231(void);
static void unit_hmac_vectors(void);
static ngx_uint_t unit_hmac_vector(json_t *test, size_t bits);
static void unit_hmac_pieces(void);
static void unit_hmac_texts(void);
static void unit_hmac_other_texts(void);
static void unit_hmac_hex(void);
static void unit_hmac_other_hex(void);
static void unit_hmac_secrets(void);
static void unit_hmac_random_secrets(void);
static void unit_hmac(u_char *mac, const u_char *key, size_t key_len,
    const u_char *message, size_t len);
static size_t unit_hmac_bytes(u_char *dst, const char *hex);
static ngx_uint_t unit_hmac_accepts(const u_char *mac, const u_char *bytes,
    size_t len);


#define AA20    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define AA131   AA20 AA20 AA20 AA20 AA20 AA20 "aaaaaaaaaaaaaaaaaaaaaa"
#define DD10    "dddddddddddddddddddd"
#define CD10    "cdcdcdcdcdcdcdcdcdcd"


/* RFC 4231, section 4 */

static const unit_case_t  unit_cases[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There", NULL,
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { "4a656665", "what do ya want for nothing?", NULL,
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { AA20, NULL, DD10 DD10 DD10 DD10 DD10,
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { "0102030405060708090a0b0c0d0e0f10111213141516171819", NULL,
      CD10 CD10 CD10 CD10 CD10,
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "Test With Truncation",
      NULL, "a3b6167473100ee06e0c796c2955552b" },
    { AA131, "Test Using Larger Than Block-Size Key - Hash Key First", NULL,
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { AA131, "This is a test using a larger than block-size key and a larger "
      "than block-size data. The key needs to be hashed before being used by "
      "the HMAC algorithm.", NULL,
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" }
};


int
main(void)
{
    unit_start();

    unit_hmac_rfc4231();
    unit_hmac_vectors();
    unit_hmac_pieces();
    unit_hmac_texts();
    unit_hmac_other_texts();
    unit_hmac_hex();
    unit_hmac_other_hex();
    unit_hmac_secrets();
    unit_hmac_random_secrets();

    return unit_done();
}


static void
unit_hmac_rfc4231(void)
{
    size_t              i, key_len, len, mac_len;
    u_char              key[UNIT_HMAC_BYTES], message[UNIT_HMAC_BYTES];
    u_char              expected[UNIT_HMAC_BYTES], mac[NGX_WASSIIT_HMAC_LEN];
    const unit_case_t  *c;

    for (i = 0; i < sizeof(unit_cases) / sizeof(unit_cases[0]); i++) {
        c = &unit_cases[i];

        key_len = unit_hmac_bytes(key, c->key);
        mac_len = unit_hmac_bytes(expected, c->mac);

        if (c->dump) {
            len = unit_hmac_bytes(message, c->dump);

        } else {
            len = strlen(c->message);
            memcpy(message, c->message, len);
        }

        unit_hmac(mac, key, key_len, message, len);

        unit_ok(memcmp(mac, expected, mac_len) == 0,
                "RFC 4231, case %u", (unsigned) i + 1);
        unit_ok(unit_hmac_accepts(mac, expected, mac_len)
                == (mac_len == NGX_WASSIIT_HMAC_LEN),
                "RFC 4231, case %u, is %s", (unsigned) i + 1,
                mac_len == NGX_WASSIIT_HMAC_LEN ? "accepted"
                                                : "truncated: refused");
    }
}


static void
unit_hmac_vectors(void)
{
    size_t         i, k, bits, count, wrong;
    json_t        *file, *group, *test;
    json_error_t   error;

    file = json_load_file(UNIT_HMAC_FILE, 0, &error);

    if (!unit_ok(file != NULL, UNIT_HMAC_FILE)) {
        unit_note("%s", error.text);
        return;
    }

    count = 0;

    json_array_foreach(json_object_get(file, "testGroups"), i, group) {
        bits = json_integer_value(json_object_get(group, "tagSize"));
        wrong = 0;

        json_array_foreach(json_object_get(group, "tests"), k, test) {
            count++;

            if (!unit_hmac_vector(test, bits)) {
                wrong++;
                unit_note("tcId %d", (int) json_integer_value(
                                         json_object_get(test, "tcId")));
            }
        }

        unit_ok(wrong == 0 && k > 0, "Wycheproof, a key of %d bits, a tag of "
                "%u: %u cases", (int) json_integer_value(
                json_object_get(group, "keySize")), (unsigned) bits,
                (unsigned) k);
    }

    unit_is(count, json_integer_value(json_object_get(file, "numberOfTests")),
            "all of them");

    json_decref(file);
}


/* A valid tag is the HMAC or, truncated, its start: that is refused too. */

static ngx_uint_t
unit_hmac_vector(json_t *test, size_t bits)
{
    size_t       key_len, len, tag_len;
    u_char       key[UNIT_HMAC_BYTES], message[UNIT_HMAC_BYTES];
    u_char       tag[UNIT_HMAC_BYTES], mac[NGX_WASSIIT_HMAC_LEN];
    ngx_uint_t   valid;

    key_len = unit_hmac_bytes(key, json_string_value(
                                       json_object_get(test, "key")));
    len = unit_hmac_bytes(message, json_string_value(
                                       json_object_get(test, "msg")));
    tag_len = unit_hmac_bytes(tag, json_string_value(
                                       json_object_get(test, "tag")));

    valid = strcmp(json_string_value(json_object_get(test, "result")), "valid")
            == 0;

    unit_hmac(mac, key, key_len, message, len);

    return tag_len == bits / 8
           && (memcmp(mac, tag, tag_len) == 0) == valid
           && unit_hmac_accepts(mac, tag, tag_len)
              == (valid && tag_len == NGX_WASSIIT_HMAC_LEN);
}


static void
unit_hmac_pieces(void)
{
    size_t                   i, at, n, len, wrong;
    u_char                   message[UNIT_HMAC_BYTES];
    u_char                   whole[NGX_WASSIIT_HMAC_LEN];
    u_char                   mac[NGX_WASSIIT_HMAC_LEN];
    ngx_wassiit_hmac_t       hmac;
    ngx_wassiit_hmac_key_t   key;

    wrong = 0;

    for (i = 0; i < UNIT_HMAC_TRIES; i++) {
        len = unit_random(300);

        for (at = 0; at < len; at++) {
            message[at] = unit_random(256);
        }

        unit_hmac(whole, message, len / 2, message, len);

        ngx_wassiit_hmac_key(&key, message, len / 2);
        ngx_wassiit_hmac_init(&hmac, &key);

        for (at = 0; at < len; at += n) {
            n = unit_random(80);
            n = ngx_min(n, len - at);
            ngx_wassiit_hmac_update(&hmac, message + at, n);
        }

        ngx_wassiit_hmac_final(&hmac, &key, mac);

        wrong += memcmp(whole, mac, NGX_WASSIIT_HMAC_LEN) != 0;
    }

    unit_is(wrong, 0, "in pieces it is the same");
}


static void
unit_hmac_texts(void)
{
    size_t  i, k, wrong;
    u_char  mac[NGX_WASSIIT_HMAC_LEN], text[64], expected[64];

    wrong = 0;

    for (i = 0; i < UNIT_HMAC_TRIES; i++) {
        for (k = 0; k < NGX_WASSIIT_HMAC_LEN; k++) {
            mac[k] = unit_random(256);
        }

        ngx_wassiit_hmac_base64(text, mac);
        (void) EVP_EncodeBlock(expected, mac, NGX_WASSIIT_HMAC_LEN);

        wrong += memcmp(text, expected, NGX_WASSIIT_HMAC_BASE64) != 0;
        wrong += !ngx_wassiit_hmac_equal(mac, expected,
                                         NGX_WASSIIT_HMAC_BASE64);
        wrong += !ngx_wassiit_hmac_equal(mac, expected,
                                         NGX_WASSIIT_HMAC_BASE64 - 1);
    }

    unit_is(wrong, 0, "base64 is OpenSSL's, padded or not");
}


/* Every text that differs in one character, and every other length. */

static void
unit_hmac_other_texts(void)
{
    size_t  i, c, len, accepted;
    u_char  mac[NGX_WASSIIT_HMAC_LEN], text[64], saved;

    for (i = 0; i < NGX_WASSIIT_HMAC_LEN; i++) {
        mac[i] = unit_random(256);
    }

    memset(text, '=', sizeof(text));
    ngx_wassiit_hmac_base64(text, mac);
    accepted = 0;

    for (i = 0; i < NGX_WASSIIT_HMAC_BASE64; i++) {
        saved = text[i];

        for (c = 0; c < 256; c++) {
            text[i] = c;

            if (c != saved) {
                accepted += ngx_wassiit_hmac_equal(mac, text,
                                                   NGX_WASSIIT_HMAC_BASE64);
            }
        }

        text[i] = saved;
    }

    unit_is(accepted, 0, "no text with another character is accepted");

    accepted = 0;

    for (len = 0; len < sizeof(text); len++) {
        if (len != NGX_WASSIIT_HMAC_BASE64
            && len != NGX_WASSIIT_HMAC_BASE64 - 1)
        {
            accepted += ngx_wassiit_hmac_equal(mac, text, len);
        }
    }

    unit_is(accepted, 0, "none of another length is");
}


static void
unit_hmac_hex(void)
{
    char    lower[NGX_WASSIIT_HMAC_HEX + 1], upper[NGX_WASSIIT_HMAC_HEX + 1];
    size_t  i, k, wrong, refused;
    u_char  mac[NGX_WASSIIT_HMAC_LEN], *text;

    /* just as much memory: a sanitizer sees what is written behind it */
    text = malloc(NGX_WASSIIT_HMAC_HEX);

    wrong = 0;
    refused = 0;

    for (i = 0; i < UNIT_HMAC_TRIES; i++) {
        for (k = 0; k < NGX_WASSIIT_HMAC_LEN; k++) {
            mac[k] = unit_random(256);
            sprintf(lower + 2 * k, "%02x", mac[k]);
            sprintf(upper + 2 * k, "%02X", mac[k]);
        }

        ngx_wassiit_hmac_hex(text, mac);
        wrong += memcmp(text, lower, NGX_WASSIIT_HMAC_HEX) != 0;

        refused += !ngx_wassiit_hmac_equal_hex(mac, text,
                                               NGX_WASSIIT_HMAC_HEX);
        memcpy(text, upper, NGX_WASSIIT_HMAC_HEX);
        refused += !ngx_wassiit_hmac_equal_hex(mac, text,
                                               NGX_WASSIIT_HMAC_HEX);

        for (k = 0; k < NGX_WASSIIT_HMAC_HEX; k++) {
            text[k] = unit_random(2) ? lower[k] : upper[k];
        }

        refused += !ngx_wassiit_hmac_equal_hex(mac, text,
                                               NGX_WASSIIT_HMAC_HEX);
    }

    free(text);

    unit_is(wrong, 0, "hex is printf()'s, in lower case");
    unit_is(refused, 0, "it is accepted in lower, upper and mixed case");
}


/* Every other byte at every place, every other length, other forms of hex. */

static void
unit_hmac_other_hex(void)
{
    char    text[2 * NGX_WASSIIT_HMAC_HEX], good[NGX_WASSIIT_HMAC_HEX + 1];
    size_t  i, c, len, wrong, accepted;
    u_char  mac[NGX_WASSIIT_HMAC_LEN], *copy;

    for (i = 0; i < NGX_WASSIIT_HMAC_LEN; i++) {
        mac[i] = i < 16 ? 0x11 * i : unit_random(256);
        sprintf(good + 2 * i, "%02x", mac[i]);
    }

    wrong = 0;
    memcpy(text, good, NGX_WASSIIT_HMAC_HEX);

    for (i = 0; i < NGX_WASSIIT_HMAC_HEX; i++) {
        for (c = 0; c < 256; c++) {
            text[i] = c;
            wrong += ngx_wassiit_hmac_equal_hex(mac, (u_char *) text,
                                                NGX_WASSIIT_HMAC_HEX)
                     != (c == (size_t) good[i]
                         || (good[i] >= 'a' && c == (size_t) good[i] - 32));
        }

        text[i] = good[i];
    }

    unit_is(wrong, 0, "no hex with another digit, or with none, is accepted");

    accepted = 0;

    for (len = 0; len < sizeof(text); len++) {

        if (len == NGX_WASSIIT_HMAC_HEX) {
            continue;
        }

        copy = malloc(len ? len : 1);

        for (i = 0; i < len; i++) {
            copy[i] = good[i % NGX_WASSIIT_HMAC_HEX];
        }

        accepted += ngx_wassiit_hmac_equal_hex(mac, copy, len);
        free(copy);
    }

    unit_is(accepted, 0, "no hex of another length, 63 or 65 digits, is");

    sprintf(text, "0x%.64s", good);
    accepted = ngx_wassiit_hmac_equal_hex(mac, (u_char *) text, 66)
               + ngx_wassiit_hmac_equal_hex(mac, (u_char *) text, 64);

    sprintf(text, " %.64s", good);
    accepted += ngx_wassiit_hmac_equal_hex(mac, (u_char *) text, 65)
                + ngx_wassiit_hmac_equal_hex(mac, (u_char *) text, 64);

    ngx_wassiit_hmac_base64((u_char *) text, mac);
    accepted += ngx_wassiit_hmac_equal_hex(mac, (u_char *) text,
                                           NGX_WASSIIT_HMAC_BASE64);

    unit_is(accepted, 0, "nor with a prefix or a blank, nor base64");
}


static void
unit_hmac_secrets(void)
{
    size_t   i, len;
    u_char   dst[64];
    ssize_t  n;

    static const struct {
        const char  *text;
        const char  *bytes;         /* NULL: it is none */
    } secrets[] = {
        { "c2VjcmV0", "secret" },
        { "c2VjcmV0cw==", "secrets" },
        { "c2VjcmV0cw", "secrets" },
        { "c2VjcmV0ZWQ=", "secreted" },
        { "c2VjcmV0ZWQ", "secreted" },
        { "+/+/", "\xfb\xff\xbf" },
        { "-_-_", "\xfb\xff\xbf" },
        { "AA==", "" },
        { "", NULL },
        { "=", NULL },
        { "==", NULL },
        { "====", NULL },
        { "A", NULL },
        { "A===", NULL },
        { "AA=", NULL },
        { "AA===", NULL },
        { "AAA==", NULL },
        { "AAAA=", NULL },
        { "AAAA====", NULL },
        { "AAAAA", NULL },
        { "AA=A", NULL },
        { "AA A", NULL },
        { " AAAA", NULL },
        { "AAAA ", NULL },
        { "AAAA\n", NULL },
        { "AA\nAA", NULL },
        { "AA*A", NULL },
        { "AAAA,", NULL },
        { "\xc3\xa9""AA", NULL }
    };

    for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        len = strlen(secrets[i].text);
        memset(dst, 0, sizeof(dst));

        n = ngx_wassiit_hmac_decode(dst, (u_char *) secrets[i].text, len);

        if (secrets[i].bytes == NULL) {
            unit_is(n, NGX_ERROR, "no base64 of a secret");
            continue;
        }

        len = ngx_max(strlen(secrets[i].bytes), 1);

        unit_ok(n == (ssize_t) len && memcmp(dst, secrets[i].bytes, len) == 0,
                "base64 of a secret: %s", secrets[i].text);
    }
}


/* Of each length, in four forms; nothing behind the bytes is written. */

static void
unit_hmac_random_secrets(void)
{
    size_t   len, i, form, wrong;
    int      text_len;
    u_char   secret[200], text[300], dst[300];
    ssize_t  n;

    wrong = 0;

    for (len = 1; len < sizeof(secret); len++) {
        for (i = 0; i < len; i++) {
            secret[i] = unit_random(256);
        }

        for (form = 0; form < 4; form++) {
            text_len = EVP_EncodeBlock(text, secret, len);

            for (i = 0; (form & 1) && text[i]; i++) {
                text[i] = (text[i] == '+') ? '-' : (text[i] == '/') ? '_'
                                                                   : text[i];
            }

            while ((form & 2) && text[text_len - 1] == '=') {
                text_len--;
            }

            memset(dst, 0x5a, sizeof(dst));
            n = ngx_wassiit_hmac_decode(dst, text, text_len);

            wrong += n != (ssize_t) len || memcmp(dst, secret, len) != 0
                     || dst[NGX_WASSIIT_HMAC_DECODED(text_len)] != 0x5a;
        }
    }

    unit_is(wrong, 0, "secrets of every length in every form");
}


static void
unit_hmac(u_char *mac, const u_char *key, size_t key_len,
    const u_char *message, size_t len)
{
    ngx_wassiit_hmac_t      hmac;
    ngx_wassiit_hmac_key_t  states;

    ngx_wassiit_hmac_key(&states, key, key_len);
    ngx_wassiit_hmac_init(&hmac, &states);
    ngx_wassiit_hmac_update(&hmac, message, len);
    ngx_wassiit_hmac_final(&hmac, &states, mac);
}


static size_t
unit_hmac_bytes(u_char *dst, const char *hex)
{
    size_t        i, len;
    unsigned int  byte;

    len = strlen(hex) / 2;

    if (len > UNIT_HMAC_BYTES) {
        exit(2);
    }

    for (i = 0; i < len; i++) {
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            exit(2);
        }

        dst[i] = byte;
    }

    return len;
}


static ngx_uint_t
unit_hmac_accepts(const u_char *mac, const u_char *bytes, size_t len)
{
    u_char  text[2 * UNIT_HMAC_BYTES];
    int     n;

    n = EVP_EncodeBlock(text, bytes, len);

    return ngx_wassiit_hmac_equal(mac, text, n);
}
