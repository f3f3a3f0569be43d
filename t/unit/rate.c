
/* Rates, as the configuration and the partners' file write them. */


#include "unit.h"

#include "ngx_wassiit_rate.h"


typedef struct {
    const char         *text;
    uint32_t            limit;
    uint32_t            seconds;
} unit_rate_t;


static void unit_rate_good(void);
static void unit_rate_bad(void);
static void unit_rate_every(void);
static void unit_rate_long(void);
static void unit_rate_bytes(void);
static ngx_uint_t unit_rate_is(const char *p, size_t len, uint32_t limit,
    uint32_t seconds);
static ngx_uint_t unit_rate_is_none(const char *p, size_t len);


static const char  unit_rate_units[] = "smhd";

static const uint32_t  unit_rate_seconds[] = { 1, 60, 3600, 86400 };


int
main(void)
{
    unit_start();

    unit_rate_good();
    unit_rate_bad();
    unit_rate_every();
    unit_rate_long();
    unit_rate_bytes();

    return unit_done();
}


static void
unit_rate_good(void)
{
    size_t  i;

    static const unit_rate_t  good[] = {
        { "1r/s", 1, 1 },
        { "1r/m", 1, 60 },
        { "1r/h", 1, 3600 },
        { "1r/d", 1, 86400 },
        { "100r/m", 100, 60 },
        { "10r/s", 10, 1 },
        { "99999r/h", 99999, 3600 },
        { "1000000r/s", 1000000, 1 },
        { "1000000r/m", 1000000, 60 },
        { "1000000r/h", 1000000, 3600 },
        { "1000000r/d", 1000000, 86400 },
        { "999999r/d", 999999, 86400 }
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        unit_ok(unit_rate_is(good[i].text, strlen(good[i].text),
                             good[i].limit, good[i].seconds),
                "%s", good[i].text);
    }
}


static void
unit_rate_bad(void)
{
    size_t  i;

    static const char  *bad[] = {
        "", "r", "/", "s", "1", "100", "r/s", "/s", "1r", "1r/", "1/s",
        "1rs", "1 r/s", "1r /s", "1r/ s", "1r/s ", " 1r/s", "1r/ss",
        "1r/sec", "1r/s;", "1r/s\n", "\t1r/s", "1r//s", "1rr/s", "1R/s",
        "1r/S", "1r/M", "1r/H", "1r/D", "1r/w", "1r/y", "1r/1s", "1r/0",
        "1r\\s", "1r-s", "1s/r",

        /* out of the range */
        "0r/s", "0r/m", "0r/h", "0r/d", "1000001r/s", "1000001r/d",
        "9999999r/s", "10000000r/s",

        /* leading zeros */
        "01r/s", "00r/s", "0100r/m", "001000000r/d",
        "00000000000000000000000000000001r/s",

        /* no plain decimal */
        "-1r/s", "+1r/s", "1.5r/s", "1,000r/s", "1e3r/s", "0x10r/s", "10kr/s",
        "1_000r/s", "1'000r/s", "1000 000r/s", "--1r/s", "1-r/s", "1+r/s",

        /* 32 and 64 bits that run over to something good */
        "4294967295r/s", "4294967296r/s", "4294967297r/s", "4294967396r/s",
        "42949672970r/s", "8589934593r/s", "18446744073709551615r/s",
        "18446744073709551616r/s", "18446744073709551617r/s",
        "184467440737095516170r/s",
        "340282366920938463463374607431768211457r/s"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_ok(unit_rate_is_none(bad[i], strlen(bad[i])),
                "no rate: \"%s\"", bad[i][0] == '\t' ? "a tab and 1r/s"
                : strchr(bad[i], '\n') ? "1r/s and a new line" : bad[i]);
    }

    unit_ok(unit_rate_is_none("1r/s\0", 5), "no rate: 1r/s and a zero byte");
    unit_ok(unit_rate_is_none("1\0r/s", 5), "no rate: a zero byte inside");
    unit_ok(unit_rate_is("100r/mX", 6, 100, 60), "the length counts");
}


static void
unit_rate_every(void)
{
    int         len;
    char        text[32];
    uint32_t    limit;
    ngx_uint_t  k, wrong;

    wrong = 0;

    for (limit = 0; limit <= NGX_WASSIIT_RATE_MAX + 1000; limit++) {
        k = limit % 4;
        len = sprintf(text, "%ur/%c", (unsigned) limit, unit_rate_units[k]);

        if (limit == 0 || limit > NGX_WASSIIT_RATE_MAX) {
            wrong += !unit_rate_is_none(text, len);

        } else {
            wrong += !unit_rate_is(text, len, limit, unit_rate_seconds[k]);
        }
    }

    unit_is(wrong, 0, "each number from 0 to 1001000");
}


static void
unit_rate_long(void)
{
    char        text[512];
    size_t      len, i;
    ngx_uint_t  n, wrong;

    wrong = 0;

    for (n = 0; n < 200000; n++) {
        len = 8 + unit_random(n % 100 ? 24 : 480);
        text[0] = '1' + unit_random(9);

        for (i = 1; i < len; i++) {
            text[i] = '0' + unit_random(10);
        }

        text[len] = 'r';
        text[len + 1] = '/';
        text[len + 2] = unit_rate_units[unit_random(4)];

        wrong += !unit_rate_is_none(text, len + 3);
    }

    unit_is(wrong, 0, "numbers of 8 digits and more");
}


static void
unit_rate_bytes(void)
{
    char       *p, text[8];
    size_t      i, len;
    u_char      c;
    ngx_uint_t  good, wrong;

    static const char  rate[] = "12r/h";

    wrong = 0;

    for (i = 0; i < sizeof(rate) - 1; i++) {
        c = 0;

        do {
            memcpy(text, rate, sizeof(rate));
            text[i] = c;

            if (i < 2) {
                good = (c >= '0' + (i == 0) && c <= '9');

            } else if (i == 4) {
                good = (c && strchr(unit_rate_units, c));

            } else {
                good = (c == (u_char) rate[i]);
            }

            wrong += (unit_rate_is_none(text, sizeof(rate) - 1) == good);

        } while (++c != 0);
    }

    unit_is(wrong, 0, "of 256 bytes in each place, just those that belong");

    /* a sanitizer sees a read past the end */

    good = 0;

    for (len = 0; len < sizeof(rate) - 1; len++) {
        p = malloc(len ? len : 1);
        memcpy(p, rate, len);
        good += !unit_rate_is_none(p, len);
        free(p);
    }

    unit_is(good, 0, "no beginning of a rate is one");
}


static ngx_uint_t
unit_rate_is(const char *p, size_t len, uint32_t limit, uint32_t seconds)
{
    ngx_wassiit_rate_t  rate;

    memset(&rate, 0xff, sizeof(rate));

    return ngx_wassiit_rate_parse((u_char *) p, len, &rate) == NGX_OK
           && rate.limit == limit && rate.seconds == seconds;
}


static ngx_uint_t
unit_rate_is_none(const char *p, size_t len)
{
    ngx_wassiit_rate_t  rate;

    memset(&rate, 0xff, sizeof(rate));

    return ngx_wassiit_rate_parse((u_char *) p, len, &rate) == NGX_ERROR
           && rate.limit == 0xffffffff && rate.seconds == 0xffffffff;
}
