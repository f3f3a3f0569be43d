
/*
 * Points in time: the forms by a regular expression, the seconds by libc's
 * timegm(), and back by gmtime().
 */


#include "fuzz.h"

#include "ngx_wassiit_rules.h"
#include "ngx_wassiit_time.h"

#include <regex.h>


#define FUZZ_TIME_LEN       4096


static ngx_uint_t fuzz_time_is(const char *pattern, const char *text);
static ngx_uint_t fuzz_time_seconds(const char *text, int64_t *seconds);
static ngx_uint_t fuzz_time_leap(int64_t seconds);
static void fuzz_time_text(const uint8_t *data, size_t size);
static void fuzz_time_number(int64_t seconds);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t  seconds;

    if (size >= sizeof(int64_t)) {
        memcpy(&seconds, data, sizeof(int64_t));
        fuzz_time_number(seconds);
        fuzz_time_number(seconds >> 28);
    }

    if (size < FUZZ_TIME_LEN) {
        fuzz_time_text(data, size);
    }

    return 0;
}


static void
fuzz_time_text(const uint8_t *data, size_t size)
{
    char         text[FUZZ_TIME_LEN];
    u_char      *copy, written[NGX_WASSIIT_TIME_LEN];
    int64_t      expected, again, seconds;
    ngx_int_t    rc;
    ngx_uint_t   valid, strict;

    memcpy(text, data, size);
    text[size] = '\0';

    valid = strlen(text) == size
            && fuzz_time_is("^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:"
                            "[0-9]{2}(\\.[0-9]+)?([Zz]|[+-][0-9]{2}:"
                            "[0-9]{2})$", text)
            && fuzz_time_seconds(text, &expected);

    copy = fuzz_copy(data, size);
    seconds = 42;
    rc = ngx_wassiit_time_parse(copy, size, &seconds);

    fuzz_check(rc == (valid ? NGX_OK : NGX_ERROR));
    fuzz_check(seconds == (valid ? expected : 42));

    strict = valid
             && fuzz_time_is("^.{10}T.{8}\\.[0-9]{3}(Z|[+-].*)$", text)
             && strcmp(text + 23, "-00:00") != 0
             && (text[17] != '6' || fuzz_time_leap(expected));

    fuzz_check(ngx_wassiit_iso8601(copy, size) == strict);

    free(copy);

    if (valid) {
        fuzz_time_number(seconds);
        ngx_wassiit_time_format(seconds, written);

        /* an offset may lead out of the years that have four digits */

        fuzz_check(ngx_wassiit_time_parse(written, NGX_WASSIIT_TIME_LEN,
                                          &again)
                   == NGX_OK);
        fuzz_check(again == seconds || strncmp(text, "0000-01-01", 10) == 0
                   || strncmp(text, "9999-12-31", 10) == 0);
    }
}


static ngx_uint_t
fuzz_time_is(const char *pattern, const char *text)
{
    ngx_uint_t  i;

    static regex_t      compiled[2];
    static const char  *patterns[2];

    for (i = 0; patterns[i] != pattern; i++) {

        if (patterns[i] == NULL) {
            if (regcomp(&compiled[i], pattern, REG_EXTENDED|REG_NOSUB) != 0) {
                abort();
            }

            patterns[i] = pattern;
            break;
        }
    }

    return regexec(&compiled[i], text, 0, NULL, 0) == 0;
}


/* Of a text of this form; 0: there is no such date, or time. */

static ngx_uint_t
fuzz_time_seconds(const char *text, int64_t *seconds)
{
    int         hours, minutes;
    char        sign;
    struct tm   tm, found;
    const char *zone;

    memset(&tm, 0, sizeof(struct tm));

    if (sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &tm.tm_year, &tm.tm_mon,
               &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec)
        != 6)
    {
        return 0;
    }

    tm.tm_year -= 1900;
    tm.tm_mon--;

    if (tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60) {
        return 0;
    }

    /* timegm() takes any date, and makes it another that exists */

    found = tm;
    found.tm_hour = found.tm_min = found.tm_sec = 0;
    *seconds = timegm(&found);

    if (found.tm_mday != tm.tm_mday || found.tm_mon != tm.tm_mon) {
        return 0;
    }

    *seconds += tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec;

    zone = text + strlen(text);

    if (zone[-1] == 'Z' || zone[-1] == 'z') {
        return 1;
    }

    if (sscanf(zone - 6, "%c%2d:%2d", &sign, &hours, &minutes) != 3
        || hours > 23 || minutes > 59)
    {
        return 0;
    }

    *seconds -= (sign == '-' ? -60 : 60) * (hours * 60 + minutes);

    return 1;
}


/* Is it the second behind a June or a December, by UTC? */

static ngx_uint_t
fuzz_time_leap(int64_t seconds)
{
    time_t     t;
    struct tm  tm;

    t = seconds;
    (void) gmtime_r(&t, &tm);

    return tm.tm_mday == 1 && (tm.tm_mon == 0 || tm.tm_mon == 6)
           && tm.tm_hour == 0 && tm.tm_min == 0 && tm.tm_sec == 0
           /* the half-year that is written has four digits */
           && tm.tm_year + 1900 >= 0 && tm.tm_year + 1900 <= 9999;
}


static void
fuzz_time_number(int64_t seconds)
{
    char       expected[64];
    time_t     t;
    u_char    *written;
    struct tm  tm;

    written = fuzz_copy("--------------------", NGX_WASSIIT_TIME_LEN);
    ngx_wassiit_time_format(seconds, written);

    /* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z */

    t = ngx_min(ngx_max(seconds, -62167219200), 253402300799);
    (void) gmtime_r(&t, &tm);

    snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02dZ",
             tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec);

    fuzz_check(memcmp(written, expected, NGX_WASSIIT_TIME_LEN) == 0);

    free(written);
}
