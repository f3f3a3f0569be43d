
/* API keys: their form, their checksum, their digest. */


#include "unit.h"

#include "ngx_wassiit_key.h"


#define KEY_LEN         42
#define KEY_PREFIX      4
#define KEY_BODY        36

#define KEY_DIGITS      ((ngx_uint_t) 1 << 20)
#define KEY_MADE        100000

/*
 * Of 61 degrees of freedom; by chance it is more once in 10^12, and less
 * than the other once in 10^19.  Bytes modulo 62, with none left out, would
 * give 6000 and more of KEY_DIGITS.
 */
#define KEY_CHI_MOST    180
#define KEY_CHI_LEAST   6


static void unit_key_vectors(void);
static void unit_key_checksum(void);
static void unit_key_corrupted(void);
static void unit_key_foreign(void);
static void unit_key_length(void);
static void unit_key_printable(void);
static void unit_key_digest(void);
static void unit_key_random_lengths(void);
static void unit_key_random_digits(void);
static void unit_key_made(void);
static void unit_key_made_corrupted(void);
static void unit_key_made_differ(void);
static void unit_key_make(u_char *key);
static ngx_uint_t unit_key_ours(const u_char *key);
static ngx_uint_t unit_key_sum_is(const u_char *key);
static int unit_key_compare(const void *one, const void *two);
static uint32_t unit_key_crc32(const u_char *p, size_t len);
static ngx_uint_t unit_key_accepted(const void *p, size_t len);
static ngx_uint_t unit_key_digest_is(const u_char *p, size_t len,
    const char *hex);


static const char  unit_key_digits[] =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";


int
main(void)
{
    unit_start();

    unit_key_vectors();
    unit_key_checksum();
    unit_key_corrupted();
    unit_key_foreign();
    unit_key_length();
    unit_key_printable();
    unit_key_digest();

    unit_key_random_lengths();
    unit_key_random_digits();
    unit_key_made();
    unit_key_made_corrupted();
    unit_key_made_differ();

    return unit_done();
}


/* The checksums of these were computed by zlib, through Python. */

static void
unit_key_vectors(void)
{
    size_t  i;

    static const char  *keys[] = {
        "wst_0000000000000000000000000000000029nvBW",
        "wst_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz0eOUmK",
        "wst_0123456789ABCDEFGHIJKLMNOPQRSTUV2VfIkH",
        "wst_WXYZabcdefghijklmnopqrstuvwxyz010CzGnK",
        /* a small sum, so that the padding shows */
        "wst_pC62pAPXOfInmUgoLcl4iFf7jPTPNCKK0000tC"
    };

    unit_ok(unit_key_crc32((u_char *) "123456789", 9) == 0xcbf43926
            && ngx_crc32_long((u_char *) "123456789", 9) == 0xcbf43926,
            "CRC-32 of \"123456789\"");

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        unit_ok(unit_key_accepted(keys[i], strlen(keys[i])),
                "a key of our form: %s", keys[i]);
    }

    unit_ok(!unit_key_accepted("wst_0000000000000000000000000000000029nvBX",
                               KEY_LEN),
            "a sum that is one too high");

    /* 4294967296 more than the first one's: equal modulo 2^32 */

    unit_ok(!unit_key_accepted("wst_000000000000000000000000000000006qTANa",
                               KEY_LEN),
            "a sum that is right modulo 2^32 only");

    unit_ok(!unit_key_accepted("wst_00000000000000000000000000000000zzzzzz",
                               KEY_LEN),
            "the highest sum");
}


static void
unit_key_checksum(void)
{
    u_char      key[KEY_LEN];
    ngx_uint_t  i, bad;

    bad = 0;

    for (i = 0; i < 20000; i++) {
        unit_key_make(key);

        if (!unit_key_accepted(key, KEY_LEN)) {
            bad++;
        }
    }

    unit_is(bad, 0, "random keys of our form are accepted");
}


static void
unit_key_corrupted(void)
{
    size_t      i, k;
    u_char      c, key[KEY_LEN];
    ngx_uint_t  n, passed, swapped;

    passed = 0;
    swapped = 0;

    for (n = 0; n < 20; n++) {
        unit_key_make(key);

        for (i = KEY_PREFIX; i < KEY_LEN; i++) {
            c = key[i];

            for (k = 0; k < 62; k++) {
                key[i] = unit_key_digits[k];

                if (key[i] != c && unit_key_accepted(key, KEY_LEN)) {
                    passed++;
                }
            }

            key[i] = c;
        }

        for (i = KEY_PREFIX; i < KEY_LEN - 1; i++) {
            c = key[i];
            key[i] = key[i + 1];
            key[i + 1] = c;

            if (key[i] != c && unit_key_accepted(key, KEY_LEN)) {
                swapped++;
            }

            key[i + 1] = key[i];
            key[i] = c;
        }
    }

    unit_is(passed, 0, "each other digit in each place is declined");
    unit_is(swapped, 0, "each two neighbours swapped are declined");
}


static void
unit_key_foreign(void)
{
    size_t      i, k, len;
    u_char      c, key[NGX_WASSIIT_KEY_MAX];
    ngx_uint_t  refused;

    refused = 0;

    unit_key_make(key);
    key[KEY_LEN - 1] = (key[KEY_LEN - 1] == '0') ? '1' : '0';

    for (i = KEY_PREFIX; i < KEY_LEN; i++) {
        c = key[i];

        for (k = 0x20; k <= 0x7e; k++) {
            key[i] = k;

            if (strchr(unit_key_digits, k) == NULL
                && !unit_key_accepted(key, KEY_LEN))
            {
                refused++;
            }
        }

        key[i] = c;
    }

    unit_is(refused, 0, "42 characters, one not of base62: a foreign key");

    for (i = 0; i < KEY_PREFIX; i++) {
        c = key[i];
        key[i] = 'x';

        if (!unit_key_accepted(key, KEY_LEN)) {
            refused++;
        }

        key[i] = c;
    }

    unit_is(refused, 0, "42 characters, another prefix: a foreign key");

    memcpy(key, "wst_", KEY_PREFIX);
    memset(key + KEY_PREFIX, '7', sizeof(key) - KEY_PREFIX);

    for (len = NGX_WASSIIT_KEY_MIN; len <= NGX_WASSIIT_KEY_MAX; len++) {
        if (len != KEY_LEN && !unit_key_accepted(key, len)) {
            refused++;
        }
    }

    unit_is(refused, 0, "wst_ and any other length: a foreign key");
    unit_ok(!unit_key_accepted(key, KEY_LEN), "and of 42: a wrong checksum");

    unit_ok(unit_key_accepted("WST_0000000000000000000000000000000029nvBX",
                              KEY_LEN),
            "the prefix in capitals: a foreign key");
    unit_ok(unit_key_accepted("wst-0000000000000000000000000000000029nvBX",
                              KEY_LEN),
            "the prefix with a hyphen: a foreign key");
}


static void
unit_key_length(void)
{
    u_char  *p, key[NGX_WASSIIT_KEY_MAX + 1];

    memset(key, 'k', sizeof(key));

    unit_ok(!unit_key_accepted(key, 0), "0 characters are too few");
    unit_ok(!unit_key_accepted(key, 1), "1 character is too few");
    unit_ok(!unit_key_accepted(key, 7), "7 characters are too few");
    unit_ok(unit_key_accepted(key, 8), "8 characters are enough");
    unit_ok(unit_key_accepted(key, 256), "256 characters are not too many");
    unit_ok(!unit_key_accepted(key, 257), "257 characters are too many");

    /* a sanitizer sees a read past the end */

    p = malloc(7);
    memcpy(p, "wst_000", 7);
    unit_ok(!unit_key_accepted(p, 7), "a prefix and too little after it");
    free(p);

    p = malloc(8);
    memcpy(p, "wst_0000", 8);
    unit_ok(unit_key_accepted(p, 8), "a prefix and just enough after it");
    free(p);
}


static void
unit_key_printable(void)
{
    size_t      i, len;
    u_char      c, key[KEY_LEN];
    ngx_uint_t  k, wrong;

    static const size_t  lens[] = { 8, 9, KEY_LEN };

    wrong = 0;

    for (k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
        len = lens[k];
        memset(key, 'k', sizeof(key));

        for (i = 0; i < len; i++) {
            c = 0;

            do {
                key[i] = c;

                if (unit_key_accepted(key, len) != (c >= 0x20 && c <= 0x7e)) {
                    wrong++;
                }

            } while (++c != 0);

            key[i] = 'k';
        }
    }

    unit_is(wrong, 0, "of 256 bytes in each place, printable ones pass");

    unit_key_make(key);
    key[20] = 0x80;
    unit_ok(!unit_key_accepted(key, KEY_LEN),
            "a byte that isn't printable in a key of our form");
}


/* FIPS 180-2, appendix B, and NIST's SHA256ShortMsg.rsp. */

static void
unit_key_digest(void)
{
    u_char  *p;

    unit_ok(unit_key_digest_is((u_char *) "", 0,
            "e3b0c44298fc1c149afbf4c8996fb924"
            "27ae41e4649b934ca495991b7852b855"),
            "SHA-256 of nothing");

    unit_ok(unit_key_digest_is((u_char *) "abc", 3,
            "ba7816bf8f01cfea414140de5dae2223"
            "b00361a396177a9cb410ff61f20015ad"),
            "SHA-256 of \"abc\"");

    unit_ok(unit_key_digest_is((u_char *)
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
            "248d6a61d20638b8e5c026930c3e6039"
            "a33ce45964ff2167f6ecedd419db06c1"),
            "SHA-256 of the message of 448 bits");

    unit_ok(unit_key_digest_is((u_char *)
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
            "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu", 112,
            "cf5b16a778af8380036ce59e7b049237"
            "0b249b11e8f07a51afac45037afee9d1"),
            "SHA-256 of the message of 896 bits");

    unit_ok(unit_key_digest_is((u_char *) "\xd3", 1,
            "28969cdfa74a12c82f3bad960b0b000a"
            "ca2ac329deea5c2328ebc6f2ba9802c1"),
            "SHA-256 of the byte d3");

    p = malloc(1000000);
    memset(p, 'a', 1000000);
    unit_ok(unit_key_digest_is(p, 1000000,
            "cdc76e5c9914fb9281a1c7e284d73e67"
            "f1809a48a497200e046d39ccc7112cd0"),
            "SHA-256 of 1,000,000 times \"a\"");
    free(p);
}


/*
 * The digits of these come from the system, not from the seed: a run of them
 * isn't repeated.
 */

static void
unit_key_random_lengths(void)
{
    size_t      i, len;
    u_char     *p, paint, area[256];
    ngx_uint_t  k, failed, missing, beyond;

    failed = 0;
    missing = 0;
    beyond = 0;

    for (len = 0; len <= 200; len++) {

        /* no digit of base62; two paints, lest one is what was written */

        for (k = 0; k < 20; k++) {
            paint = (k & 1) ? 0xa5 : 0;
            memset(area, paint, sizeof(area));

            failed += (ngx_wassiit_key_random(area + 20, len) != NGX_OK);

            for (i = 0; i < sizeof(area); i++) {
                if (i >= 20 && i < 20 + len) {
                    missing += (area[i] == '\0'
                                || strchr(unit_key_digits, area[i]) == NULL);
                } else {
                    beyond += (area[i] != paint);
                }
            }
        }

        /* a sanitizer sees a write past the end */

        p = malloc(len);
        failed += (ngx_wassiit_key_random(p, len) != NGX_OK);
        free(p);
    }

    unit_is(failed, 0, "random digits: 0 to 200 of them");
    unit_is(missing, 0, "random digits: each is one of base62");
    unit_is(beyond, 0, "random digits: nothing written beyond");
}


static void
unit_key_random_digits(void)
{
    double       expected, chi, difference;
    size_t       i, len, at;
    u_char      *p;
    ngx_uint_t   k, digit, never, failed, n, count[62], pairs[62 * 62];

    p = malloc(KEY_DIGITS);
    failed = 0;

    /* in pieces of many lengths, as well as in one */

    for (k = 0; k < 2; k++) {

        for (at = 0; at < KEY_DIGITS; at += len) {
            len = (k == 0) ? KEY_DIGITS : 1 + unit_random(100);
            len = ngx_min(len, KEY_DIGITS - at);
            failed += (ngx_wassiit_key_random(p + at, len) != NGX_OK);
        }

        ngx_memzero(count, sizeof(count));
        ngx_memzero(pairs, sizeof(pairs));

        digit = 0;

        for (i = 0; i < KEY_DIGITS; i++) {
            for (n = 0; n < 61 && unit_key_digits[n] != p[i]; n++) {
                /* void */
            }

            failed += (unit_key_digits[n] != p[i]);
            count[n]++;

            if (i & 1) {
                pairs[digit * 62 + n]++;
            }

            digit = n;
        }

        never = 0;
        chi = 0;
        expected = KEY_DIGITS / 62.0;

        for (n = 0; n < 62; n++) {
            never += (count[n] == 0);
            difference = count[n] - expected;
            chi += difference * difference / expected;
        }

        unit_is(never, 0, "random digits: all 62 come");

        if (!unit_ok(chi >= KEY_CHI_LEAST && chi <= KEY_CHI_MOST,
                     "random digits: each about as often as any other"))
        {
            unit_note("chi-square of 61 degrees of freedom: %.1f", chi);
        }

        /*
         * Of 3843 degrees of freedom, the deviation being 87.7: 900 to either
         * side are more than ten of them.
         */

        chi = 0;
        expected = KEY_DIGITS / 2 / (62.0 * 62.0);

        for (n = 0; n < 62 * 62; n++) {
            difference = pairs[n] - expected;
            chi += difference * difference / expected;
        }

        if (!unit_ok(chi >= 3843 - 900 && chi <= 3843 + 900,
                     "random digits: each two in a row as often, too"))
        {
            unit_note("chi-square of 3843 degrees of freedom: %.1f", chi);
        }
    }

    unit_is(failed, 0, "random digits: as many as are asked for");

    free(p);
}


static void
unit_key_made(void)
{
    size_t      i;
    u_char     *p, area[KEY_LEN + 32];
    ngx_uint_t  k, failed, form, sum, declined, beyond;

    unit_is(NGX_WASSIIT_KEY_LEN, KEY_LEN, "a key made has 42 characters");

    failed = 0;
    form = 0;
    sum = 0;
    declined = 0;
    beyond = 0;

    for (k = 0; k < 20000; k++) {
        memset(area, (k & 1) ? 0xa5 : 0, sizeof(area));
        p = area + 16;

        failed += (ngx_wassiit_key_make(p) != NGX_OK);
        form += !unit_key_ours(p);
        declined += (ngx_wassiit_key_check(p, KEY_LEN) != NGX_OK);

        for (i = 0; i < 16; i++) {
            beyond += (area[i] != area[0] || p[KEY_LEN + i] != area[0]);
        }
        beyond += (area[0] != ((k & 1) ? 0xa5 : 0));

        sum += !unit_key_sum_is(p);
    }

    unit_is(failed, 0, "keys are made");
    unit_is(form, 0, "keys made: wst_ and 38 of base62");
    unit_is(sum, 0, "keys made: the checksum, computed another way");
    unit_is(declined, 0, "keys made are accepted");
    unit_is(beyond, 0, "keys made: nothing written beyond");

    /* a sanitizer sees a write past the end */

    p = malloc(KEY_LEN);
    unit_ok(ngx_wassiit_key_make(p) == NGX_OK && unit_key_accepted(p, KEY_LEN),
            "a key made in memory of just its size");
    free(p);
}


/* Each other byte in each place. */

static void
unit_key_made_corrupted(void)
{
    size_t      i;
    u_char      c, key[KEY_LEN];
    ngx_uint_t  n, k, passed, refused, unprintable;

    passed = 0;
    refused = 0;
    unprintable = 0;

    for (n = 0; n < 20; n++) {
        if (ngx_wassiit_key_make(key) != NGX_OK) {
            unit_ok(0, "a key made");
            return;
        }

        for (i = 0; i < KEY_LEN; i++) {
            c = key[i];

            for (k = 0; k < 256; k++) {
                if (k == c) {
                    continue;
                }

                key[i] = k;

                if (k < 0x20 || k > 0x7e) {
                    unprintable += unit_key_accepted(key, KEY_LEN);

                } else if (unit_key_ours(key)) {
                    passed += unit_key_accepted(key, KEY_LEN);

                } else {
                    refused += !unit_key_accepted(key, KEY_LEN);
                }
            }

            key[i] = c;
        }

        refused += !unit_key_accepted(key, KEY_LEN);
    }

    unit_is(passed, 0,
            "keys made: each other digit in each place is declined");
    unit_is(refused, 0, "keys made: with another character, foreign ones");
    unit_is(unprintable, 0,
            "keys made: none with a byte that isn't printable");
}


static void
unit_key_made_differ(void)
{
    u_char      *keys;
    ngx_uint_t   i, failed, same;

    failed = 0;
    same = 0;

    keys = malloc(KEY_MADE * KEY_LEN);

    for (i = 0; i < KEY_MADE; i++) {
        failed += (ngx_wassiit_key_make(keys + i * KEY_LEN) != NGX_OK);
    }

    qsort(keys, KEY_MADE, KEY_LEN, unit_key_compare);

    for (i = 1; i < KEY_MADE; i++) {
        same += (unit_key_compare(keys + (i - 1) * KEY_LEN,
                                  keys + i * KEY_LEN)
                 == 0);
    }

    free(keys);

    unit_is(failed + same, 0, "100,000 keys made are all different");
}


/* by what is random of them */

static int
unit_key_compare(const void *one, const void *two)
{
    return memcmp((const u_char *) one + KEY_PREFIX,
                  (const u_char *) two + KEY_PREFIX, KEY_BODY - KEY_PREFIX);
}


static ngx_uint_t
unit_key_ours(const u_char *key)
{
    size_t  i;

    for (i = KEY_PREFIX; i < KEY_LEN; i++) {
        if (key[i] == '\0' || strchr(unit_key_digits, key[i]) == NULL) {
            return 0;
        }
    }

    return memcmp(key, "wst_", KEY_PREFIX) == 0;
}


static ngx_uint_t
unit_key_sum_is(const u_char *key)
{
    size_t    i;
    uint32_t  crc;

    crc = unit_key_crc32(key, KEY_BODY);

    for (i = KEY_LEN; i-- > KEY_BODY; crc /= 62) {
        if (key[i] != (u_char) unit_key_digits[crc % 62]) {
            return 0;
        }
    }

    return crc == 0;
}


static void
unit_key_make(u_char *key)
{
    size_t    i;
    uint32_t  crc;

    memcpy(key, "wst_", KEY_PREFIX);

    for (i = KEY_PREFIX; i < KEY_BODY; i++) {
        key[i] = unit_key_digits[unit_random(62)];
    }

    crc = unit_key_crc32(key, KEY_BODY);

    for (i = KEY_LEN; i-- > KEY_BODY; crc /= 62) {
        key[i] = unit_key_digits[crc % 62];
    }
}


/*
 * Bit by bit, the highest of the polynomial's first: nothing in common with
 * the table that the core uses but the definition.
 */

static uint32_t
unit_key_crc32(const u_char *p, size_t len)
{
    size_t      i;
    uint32_t    crc, reflected;
    ngx_uint_t  bit, top;

    crc = 0xffffffff;

    for (i = 0; i < len * 8; i++) {
        bit = (p[i / 8] >> (i % 8)) & 1;
        top = crc >> 31;
        crc <<= 1;

        if (top != bit) {
            crc ^= 0x04c11db7;
        }
    }

    reflected = 0;

    for (i = 0; i < 32; i++) {
        reflected |= ((crc >> i) & 1) << (31 - i);
    }

    return reflected ^ 0xffffffff;
}


static ngx_uint_t
unit_key_accepted(const void *p, size_t len)
{
    ngx_int_t  rc;

    rc = ngx_wassiit_key_check(p, len);

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        unit_ok(0, "a result that isn't one: %d", (int) rc);
    }

    return rc == NGX_OK;
}


static ngx_uint_t
unit_key_digest_is(const u_char *p, size_t len, const char *hex)
{
    char    text[2 * NGX_WASSIIT_DIGEST_LEN + 1];
    size_t  i;
    u_char  digest[NGX_WASSIIT_DIGEST_LEN];

    ngx_wassiit_key_digest(p, len, digest);

    for (i = 0; i < NGX_WASSIIT_DIGEST_LEN; i++) {
        sprintf(text + 2 * i, "%02x", digest[i]);
    }

    return strcmp(text, hex) == 0;
}
