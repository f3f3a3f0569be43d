
/* Dates and times of RFC 3339, held against timegm(). */


#include "unit.h"

#include "ngx_wassiit_time.h"

#include <time.h>


#define UNTOUCHED       ((int64_t) 0x5555555555555555)

/* the first and the last second that can be written */
#define FIRST           ((int64_t) -62167219200)
#define LAST            ((int64_t) 253402300799)


typedef struct {
    const char         *text;
    int64_t             seconds;
} unit_time_t;


static void unit_time_good(void);
static void unit_time_bad(void);
static void unit_time_every_day(void);
static void unit_time_random(void);
static void unit_time_bytes(void);
static void unit_time_short(void);
static void unit_time_known(void);
static void unit_time_clamped(void);
static void unit_time_round_trip(void);
static void unit_time_written(void);
static const char *unit_time_format(int64_t seconds);
static int64_t unit_time_parse(const char *text);
static int64_t unit_time_gm(int year, int month, int day, int hour, int min,
    int sec);


int
main(void)
{
    unit_start();

    unit_time_good();
    unit_time_bad();
    unit_time_every_day();
    unit_time_random();
    unit_time_bytes();
    unit_time_short();

    unit_time_known();
    unit_time_clamped();
    unit_time_round_trip();
    unit_time_written();

    return unit_done();
}


static void
unit_time_good(void)
{
    size_t  i;

    /* the seconds are those of date -u -d TEXT +%s */

    static const unit_time_t  good[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1969-12-31T23:59:59Z", -1 },
        { "2026-11-01T09:00:00Z", 1793523600 },
        { "2038-01-19T03:14:08Z", 2147483648 },
        { "2106-02-07T06:28:16Z", 4294967296 },
        { "0001-01-01T00:00:00Z", -62135596800 },
        { "0000-03-01T00:00:00Z", -62162035200 },
        { "0000-02-29T00:00:00Z", -62162121600 },
        { "0000-01-01T00:00:00Z", -62167219200 },
        { "9999-12-31T23:59:59Z", 253402300799 },

        { "2000-02-29T00:00:00Z", 951782400 },
        { "2024-02-29T12:00:00Z", 1709208000 },
        { "2024-03-01T00:00:00Z", 1709251200 },
        { "2023-02-28T23:59:59Z", 1677628799 },
        { "2023-03-01T00:00:00Z", 1677628800 },
        { "1900-02-28T23:59:59Z", -2203891201 },
        { "1900-03-01T00:00:00Z", -2203891200 },
        { "2100-02-28T23:59:59Z", 4107542399 },
        { "2100-03-01T00:00:00Z", 4107542400 },

        /* the examples of RFC 3339, section 5.8 */
        { "1985-04-12T23:20:50.52Z", 482196050 },
        { "1996-12-19T16:39:57-08:00", 851042397 },
        { "1990-12-31T23:59:60Z", 662688000 },
        { "1990-12-31T15:59:60-08:00", 662688000 },
        { "1937-01-01T12:00:27.87+00:20", -1041337173 },

        { "2026-11-01t09:00:00z", 1793523600 },
        { "2026-11-01T09:00:00.0Z", 1793523600 },
        { "2026-11-01T09:00:00.999999999999999999999999Z", 1793523600 },
        { "1969-12-31T23:59:59.9Z", -1 },
        { "2026-11-01T10:00:00+01:00", 1793523600 },
        { "2026-11-01T10:00:00.590+01:00", 1793523600 },
        { "2026-11-01T09:00:00+00:00", 1793523600 },
        { "2026-11-01T09:00:00-00:00", 1793523600 },
        { "2026-11-01T14:30:00+05:30", 1793523600 },
        { "2026-11-01T05:30:00-03:30", 1793523600 },
        { "2026-11-02T08:59:00+23:59", 1793523600 },
        { "2026-10-31T09:01:00-23:59", 1793523600 },
        { "2026-11-01T09:00:60Z", 1793523660 },
        { "2026-11-01T09:59:60Z", 1793527200 }
    };

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        unit_is(unit_time_parse(good[i].text), good[i].seconds,
                good[i].text);
    }
}


static void
unit_time_bad(void)
{
    size_t  i;

    static const char  *bad[] = {
        "",
        "2026-11-01",
        "2026-11-01T09:00Z",
        "2026-11-01T09:00:00",
        "2026-11-01T09:00:00 ",
        "2026-11-01T09:00:00ZZ",
        "2026-11-01T09:00:00Z ",
        " 2026-11-01T09:00:00Z",
        "2026-11-01 09:00:00Z",
        "2026-11-01_09:00:00Z",
        "2026/11/01T09:00:00Z",
        "2026-11-01T09.00.00Z",
        "20261101T090000Z    ",
        "26-11-01T09:00:00Z  ",
        "12026-11-01T09:00:00Z",
        "+2026-11-01T09:00:00Z",
        "-2026-11-01T09:00:00Z",
        "2026-1-01T09:00:00Z ",
        "2026-W44-7T09:00:00Z",
        "2026-305T09:00:00Z  ",

        /* dates and times that don't exist */
        "2026-00-01T09:00:00Z",
        "2026-13-01T09:00:00Z",
        "2026-11-00T09:00:00Z",
        "2026-01-32T09:00:00Z",
        "2026-02-29T09:00:00Z",
        "2024-02-30T09:00:00Z",
        "2026-03-32T09:00:00Z",
        "2026-04-31T09:00:00Z",
        "2026-05-32T09:00:00Z",
        "2026-06-31T09:00:00Z",
        "2026-07-32T09:00:00Z",
        "2026-08-32T09:00:00Z",
        "2026-09-31T09:00:00Z",
        "2026-10-32T09:00:00Z",
        "2026-11-31T09:00:00Z",
        "2026-12-32T09:00:00Z",
        "1900-02-29T09:00:00Z",
        "2100-02-29T09:00:00Z",
        "2000-02-30T09:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T09:60:00Z",
        "2026-11-01T09:00:61Z",

        /* fractions */
        "2026-11-01T09:00:00.Z",
        "2026-11-01T09:00:00.",
        "2026-11-01T09:00:00.5",
        "2026-11-01T09:00:00,5Z",
        "2026-11-01T09:00:00.5.5Z",
        "2026-11-01T09:00:00.-5Z",
        "2026-11-01T09:00:00.5xZ",
        "2026-11-01T09:00:00.+01:00",

        /* offsets */
        "2026-11-01T09:00:00+",
        "2026-11-01T09:00:00+1:00",
        "2026-11-01T09:00:00+01",
        "2026-11-01T09:00:00+01:",
        "2026-11-01T09:00:00+01:0",
        "2026-11-01T09:00:00+0100",
        "2026-11-01T09:00:00+01000",
        "2026-11-01T09:00:00+01:000",
        "2026-11-01T09:00:00+01-00",
        "2026-11-01T09:00:00+01:00Z",
        "2026-11-01T09:00:00Z+01:00",
        "2026-11-01T09:00:00 +01:00",
        "2026-11-01T09:00:00+24:00",
        "2026-11-01T09:00:00+01:60",
        "2026-11-01T09:00:00-99:00",
        "2026-11-01T09:00:00*01:00",
        "2026-11-01T09:00:00UTC",
        "2026-11-01T09:00:00GMT+00",

        /* signs and blanks where digits belong */
        "2026-11-01T09:00:+0Z",
        "2026-11-01T09:00: 0Z",
        "2026-11-01T-9:00:00Z",
        "2026--1-01T09:00:00Z",
        "2026-11-+1T09:00:00Z",
        " 026-11-01T09:00:00Z",
        "2026-11-01T09:00:00+-1:00",
        "2026-11-01T09:00:00+01:+0",
        "2026-11-01T09:00:00.5+01:0x"
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_ok(unit_time_parse(bad[i]) == UNTOUCHED, "no time: \"%s\"",
                bad[i]);
    }
}


/*
 * Each day of 400 years, also those that don't exist, and of all the other
 * years from 0 to 9999 the ends of February.
 */

static void
unit_time_every_day(void)
{
    int         year, month, day, last;
    char        text[64];
    int64_t     expected;
    ngx_uint_t  wrong;

    wrong = 0;

    for (year = 0; year <= 9999; year++) {
        for (month = 1; month <= 12; month++) {
            for (day = 1; day <= 32; day++) {
                if ((year < 1800 || year >= 2200)
                    && (month > 3 || (day > 1 && day < 28)))
                {
                    continue;
                }

                last = (month == 2) ? 28
                       : (month == 4 || month == 6 || month == 9
                          || month == 11) ? 30 : 31;

                if (month == 2
                    && (year % 400 == 0 || (year % 4 == 0 && year % 100)))
                {
                    last = 29;
                }

                sprintf(text, "%04d-%02d-%02dT00:00:00Z", year, month, day);
                expected = (day > last) ? UNTOUCHED
                           : unit_time_gm(year, month, day, 0, 0, 0);

                if (unit_time_parse(text) != expected && wrong++ == 0) {
                    unit_note("first: %s", text);
                }
            }
        }
    }

    unit_is(wrong, 0, "the days of 10,000 years, as timegm() has them");
}


static void
unit_time_random(void)
{
    int         year, month, day, hour, min, sec, zone;
    char        text[64];
    size_t      len, digits;
    int64_t     expected;
    ngx_uint_t  i, wrong;

    wrong = 0;

    for (i = 0; i < 200000; i++) {
        year = unit_random(2) ? unit_random(10000) : 1950 + unit_random(200);
        month = 1 + unit_random(12);
        day = 1 + unit_random(28);
        hour = unit_random(24);
        min = unit_random(60);
        sec = unit_random(61);

        len = sprintf(text, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day,
                      hour, min, sec);

        if (unit_random(2)) {
            text[len++] = '.';

            for (digits = 1 + unit_random(12); digits; digits--) {
                text[len++] = '0' + unit_random(10);
            }
        }

        zone = 0;

        if (unit_random(3)) {
            zone = (int) unit_random(2 * 1440 - 1) - 1439;
            sprintf(text + len, "%c%02d:%02d", zone < 0 ? '-' : '+',
                    abs(zone) / 60, abs(zone) % 60);

        } else {
            text[len++] = 'Z';
            text[len] = '\0';
        }

        expected = unit_time_gm(year, month, day, hour, min, sec)
                   - (int64_t) zone * 60;

        if (unit_time_parse(text) != expected && wrong++ == 0) {
            unit_note("first: %s", text);
        }
    }

    unit_is(wrong, 0, "200,000 random times, as timegm() has them");
}


/* Any other byte at any place is either refused or another time. */

static void
unit_time_bytes(void)
{
    char        text[64];
    size_t      i;
    u_char      c;
    int64_t     seconds;
    ngx_int_t   rc;
    ngx_uint_t  wrong, digit;

    static const char  good[] = "2026-11-01T09:00:00.590+01:00";

    wrong = 0;

    for (i = 0; i < sizeof(good) - 1; i++) {
        c = 0;

        do {
            strcpy(text, good);
            text[i] = c;
            seconds = UNTOUCHED;

            rc = ngx_wassiit_time_parse((u_char *) text, sizeof(good) - 1,
                                        &seconds);
            digit = (c >= '0' && c <= '9');

            if (good[i] >= '0' && good[i] <= '9') {
                /* another digit may make a date that doesn't exist */
                wrong += (rc == NGX_OK && !digit);

            } else {
                wrong += ((rc == NGX_OK)
                          != (c == (u_char) good[i]
                              || (i == 10 && c == 't')
                              || (i == 23 && c == '-')));
            }

            wrong += (rc != NGX_OK && rc != NGX_ERROR);
            wrong += ((rc == NGX_OK) == (seconds == UNTOUCHED));

        } while (++c != 0);
    }

    unit_is(wrong, 0, "of 256 bytes in each place, just those that belong");
}


/* A sanitizer sees a read past the end. */

static void
unit_time_short(void)
{
    size_t      len;
    u_char     *p;
    int64_t     seconds;
    ngx_uint_t  good;

    static const char  text[] = "2026-11-01T09:00:00.590+01:00";

    good = 0;

    for (len = 0; len < sizeof(text) - 1; len++) {
        p = malloc(len ? len : 1);
        memcpy(p, text, len);
        good += (ngx_wassiit_time_parse(p, len, &seconds) == NGX_OK);
        free(p);
    }

    unit_is(good, 0, "no beginning of a time is one");
}


static void
unit_time_known(void)
{
    size_t      i;
    ngx_uint_t  good;

    /* as date -u -d @SECONDS +%FT%TZ writes them */

    static const unit_time_t  known[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:01Z", 1 },
        { "1969-12-31T23:59:59Z", -1 },
        { "1969-12-31T00:00:00Z", -86400 },
        { "1969-12-30T23:59:59Z", -86401 },
        { "1970-12-31T23:59:59Z", 31535999 },
        { "1971-01-01T00:00:00Z", 31536000 },
        { "1972-12-31T23:59:59Z", 94694399 },
        { "2000-02-29T00:00:00Z", 951782400 },
        { "2000-12-31T23:59:59Z", 978307199 },
        { "2023-02-28T23:59:59Z", 1677628799 },
        { "2023-03-01T00:00:00Z", 1677628800 },
        { "2024-02-29T12:00:00Z", 1709208000 },
        { "2024-03-01T00:00:00Z", 1709251200 },
        { "2026-11-01T09:00:00Z", 1793523600 },
        { "2038-01-19T03:14:07Z", 2147483647 },
        { "2038-01-19T03:14:08Z", 2147483648 },
        { "2106-02-07T06:28:16Z", 4294967296 },
        { "1900-02-28T23:59:59Z", -2203891201 },
        { "1900-03-01T00:00:00Z", -2203891200 },
        { "2100-02-28T23:59:59Z", 4107542399 },
        { "2100-03-01T00:00:00Z", 4107542400 },
        { "0001-01-01T00:00:00Z", -62135596800 },
        { "0000-12-31T23:59:59Z", -62135596801 },
        { "0000-03-01T00:00:00Z", -62162035200 },
        { "0000-02-29T00:00:00Z", -62162121600 },
        { "0000-01-01T00:00:01Z", -62167219199 },
        { "0000-01-01T00:00:00Z", -62167219200 },
        { "9999-12-31T00:00:00Z", 253402214400 },
        { "9999-12-31T23:59:59Z", 253402300799 }
    };

    unit_is(NGX_WASSIIT_TIME_LEN, 20, "20 characters are written");

    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        good = (strcmp(unit_time_format(known[i].seconds), known[i].text)
                == 0);

        if (!unit_ok(good, "%lld is written as %s",
                     (long long) known[i].seconds, known[i].text))
        {
            unit_note("got %s", unit_time_format(known[i].seconds));
        }
    }
}


static void
unit_time_clamped(void)
{
    int64_t     seconds;
    ngx_uint_t  i, wrong;

    static const char  first[] = "0000-01-01T00:00:00Z";
    static const char  last[] = "9999-12-31T23:59:59Z";

    unit_ok(strcmp(unit_time_format(FIRST - 1), first) == 0,
            "a second too early: the first");
    unit_ok(strcmp(unit_time_format(FIRST - 86400), first) == 0,
            "a day too early: the first");
    unit_ok(strcmp(unit_time_format(INT64_MIN), first) == 0,
            "the lowest number: the first");
    unit_ok(strcmp(unit_time_format(INT64_MIN + 1), first) == 0,
            "the lowest but one: the first");

    unit_ok(strcmp(unit_time_format(LAST + 1), last) == 0,
            "a second too late: the last");
    unit_ok(strcmp(unit_time_format(LAST + 86400), last) == 0,
            "a day too late: the last");
    unit_ok(strcmp(unit_time_format(INT64_MAX), last) == 0,
            "the highest number: the last");
    unit_ok(strcmp(unit_time_format(INT64_MAX - 1), last) == 0,
            "the highest but one: the last");

    wrong = 0;

    for (i = 0; i < 100000; i++) {
        seconds = LAST + 1 + unit_random(INT64_MAX - LAST) / (1 + i % 100000);

        wrong += (strcmp(unit_time_format(seconds), last) != 0);
        wrong += (strcmp(unit_time_format(-seconds), first) != 0);
    }

    unit_is(wrong, 0, "random numbers beyond: the first or the last");
}


/*
 * Each day there is, counted here one by one: its first second, its last and
 * one at random.  What is written must be that day, and be read as the
 * number it was made of.
 */

static void
unit_time_round_trip(void)
{
    int          year, month, day, last, k;
    char         text[64];
    int64_t      midnight, second, seconds, gone;
    const char  *got;
    ngx_uint_t   wrong, lost;

    wrong = 0;
    lost = 0;
    midnight = FIRST;

    for (year = 0; year <= 9999; year++) {
        for (month = 1; month <= 12; month++) {

            last = (month == 2) ? 28
                   : (month == 4 || month == 6 || month == 9
                      || month == 11) ? 30 : 31;

            if (month == 2
                && (year % 400 == 0 || (year % 4 == 0 && year % 100)))
            {
                last = 29;
            }

            for (day = 1; day <= last; day++, midnight += 86400) {
                sprintf(text, "%04d-%02d-%02dT00:00:00Z", year, month, day);

                for (k = 0; k < 3; k++) {
                    second = (k == 0) ? 0
                             : (k == 1) ? 86399 : (int64_t) unit_random(86400);

                    text[11] = '0' + second / 36000;
                    text[12] = '0' + second / 3600 % 10;
                    text[14] = '0' + second / 600 % 6;
                    text[15] = '0' + second / 60 % 10;
                    text[17] = '0' + second / 10 % 6;
                    text[18] = '0' + second % 10;

                    seconds = midnight + second;
                    got = unit_time_format(seconds);

                    if (strcmp(got, text) != 0 && wrong++ == 0) {
                        unit_note("first: %lld is written as %s, not %s",
                                  (long long) seconds, got, text);
                    }

                    gone = unit_time_parse(got);

                    if (gone != seconds && lost++ == 0) {
                        unit_note("first: %lld is read as %lld",
                                  (long long) seconds, (long long) gone);
                    }
                }
            }
        }
    }

    unit_is(midnight - 1, LAST, "the days of 10,000 years were gone through");
    unit_is(wrong, 0, "each of them is written as it is called");
    unit_is(lost, 0, "each of them is read as what was written");
}


static void
unit_time_written(void)
{
    size_t      i;
    u_char     *p, area[64];
    int64_t     seconds;
    ngx_uint_t  k, beyond, missing;

    beyond = 0;
    missing = 0;

    for (k = 0; k < 20000; k++) {
        seconds = FIRST + (int64_t) unit_random(LAST - FIRST + 1);

        if (k % 8 == 0) {
            seconds = (int64_t) unit_random64();
        }

        memset(area, (k & 1) ? 0xa5 : 0, sizeof(area));
        ngx_wassiit_time_format(seconds, area + 22);

        for (i = 0; i < sizeof(area); i++) {
            if (i < 22 || i >= 22 + 20) {
                beyond += (area[i] != ((k & 1) ? 0xa5 : 0));

            } else {
                missing += (area[i] < '-' || area[i] > 'Z');
            }
        }
    }

    unit_is(missing, 0, "all 20 bytes are written");
    unit_is(beyond, 0, "no other byte is written");

    /* a sanitizer sees a write past the end */

    p = malloc(20);
    ngx_wassiit_time_format(1793523600, p);
    unit_ok(memcmp(p, "2026-11-01T09:00:00Z", 20) == 0,
            "a time in memory of just its size");
    free(p);
}


static const char *
unit_time_format(int64_t seconds)
{
    static char  text[NGX_WASSIIT_TIME_LEN + 1];

    memset(text, 0, sizeof(text));
    ngx_wassiit_time_format(seconds, (u_char *) text);

    return text;
}


static int64_t
unit_time_parse(const char *text)
{
    int64_t    seconds;
    ngx_int_t  rc;

    seconds = UNTOUCHED;
    rc = ngx_wassiit_time_parse((u_char *) text, strlen(text), &seconds);

    if (rc != NGX_OK && (rc != NGX_ERROR || seconds != UNTOUCHED)) {
        unit_ok(0, "\"%s\" is refused, and seconds left as they were", text);
    }

    return seconds;
}


static int64_t
unit_time_gm(int year, int month, int day, int hour, int min, int sec)
{
    struct tm  tm;

    ngx_memzero(&tm, sizeof(struct tm));

    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_min = min;
    tm.tm_sec = sec;

    return timegm(&tm);
}
