
/*
 * The payload rules.  Countries are held against the list that tzdata brings,
 * times against timegm() and gmtime_r(), pointers against a decoder of
 * RFC 6901 that works the other way round.
 */


#include "faults.h"

#include "ngx_wassiit_rules.h"

#include <time.h>


#define UNIT_COUNTRIES      "/usr/share/zoneinfo/iso3166.tab"
#define UNIT_RULES_TRIES    20000

#define COUNTRY "must be an assigned ISO 3166-1 alpha-2 code in capitals, "   \
                "such as \"CM\""
#define E164 "must be a phone number such as \"+212600000000\" (E.164: \"+\" "\
             "and 7 to 15 digits, the first not 0)"
#define MISSING "is missing; it "
#define NO_STRING   "must be a string; it "
#define OBJECT "must be a JSON object"
#define RECIPIENT "must be a string of 4 to 14 digits, without the "          \
                  "country's calling prefix (\"+\" or \"00\")"
#define REFERENCE "must be an integer or a string of digits"
#define SCHEDULED "must be a time of ISO 8601 with milliseconds and a zone, " \
                  "such as \"2025-09-29T12:40:14.590Z\", of a date that "     \
                  "exists"
#define TEXT "must be a string of 1 to 4096 characters"
#define TYPE "must be \"voice\" or \"video\""
#define UNTOLD "must hold strings, numbers and booleans alone, also under "   \
               "names that are too long to be told"
#define VARIABLE "must be a string, a number or a boolean"

#define TEN(s)  s s s s s s s s s s
#define C64(s)  TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) TEN(s) s s s s

#define unit_count_of(a)  (sizeof(a) / sizeof((a)[0]))


typedef ngx_uint_t (*unit_rule_pt)(const u_char *p, size_t len);


typedef struct {
    const char         *text;
    size_t              len;        /* 0: up to the NUL */
    ngx_uint_t          good;
} unit_text_t;


typedef struct {
    ngx_wassiit_rule_e  rule;
    const char         *field;
    const char         *value;      /* JSON; NULL: the field is missing */
    const char         *detail;     /* NULL: it is good */
} unit_field_t;


typedef struct {
    ngx_wassiit_rule_e  rule;
    const char         *body;
    const char         *faults;
} unit_body_t;


static void unit_rules_e164(void);
static void unit_rules_iso3166(void);
static void unit_rules_iso8601(void);
static void unit_rules_iso8601_bytes(void);
static void unit_rules_iso8601_offsets(void);
static void unit_rules_leap_seconds(void);
static ngx_uint_t unit_rules_time(const u_char *p, size_t len);
static void unit_rules_texts(unit_rule_pt rule, const char *name,
    const unit_text_t *texts, size_t n);
static ngx_uint_t unit_rules_exactly(unit_rule_pt rule, const void *p,
    size_t len);

static void unit_rules_depth(void);
static void unit_rules_depth_random(void);
static void unit_rules_shallow(void);
static ngx_uint_t unit_rules_depth_is(const char *text, ngx_int_t expected);
static ngx_int_t unit_rules_depth_pieces(const char *text, size_t at,
    size_t step);

static void unit_rules_fields(void);
static void unit_rules_bodies(void);
static void unit_rules_lengths(void);
static void unit_rules_references(void);
static void unit_rules_pointers(void);
static void unit_rules_long_names(void);
static void unit_rules_steps(void);
static void unit_rules_steps_long(void);
static void unit_rules_steps_random(void);
static void unit_rules_quotes(void);
static void unit_rules_random_quotes(void);
static void unit_rules_many(void);
static void unit_rules_memory(void);
static void unit_rules_many_memory(void);
static json_t *unit_rules_json(const char *text, size_t flags);
static const char *unit_rules_with(ngx_wassiit_rule_e rule, const char *field,
    json_t *value);
static ngx_uint_t unit_rules_are(const char *got, const char *expected,
    const char *name);
static ngx_uint_t unit_rules_decode(const char *pointer, const char *name);
static size_t unit_rules_step(char *step, const char *name);
static size_t unit_rules_characters(const char *text);
static void *unit_rules_malloc(size_t size);
static void unit_rules_free(void *p);


static const char  *unit_good[] = {
    /* message */
    "{\"to\":\"+237671234567\",\"text\":\"Hello\"}",

    /* call */
    "{\"to\":\"+237671234567\",\"type\":\"voice\"}",

    /* automation */
    ("{\"reference\":4711,\"country\":\"CM\",\"recipient\":\"671234567\","
     "\"scheduled\":\"2025-09-29T12:40:14.590Z\",\"variables\":{\"a\":\"b\"}}")
};


static ngx_int_t  unit_room = -1;       /* allocations left; -1: any number */
static ngx_int_t  unit_live;
static ngx_uint_t  unit_once;           /* just one fails */


int
main(void)
{
    unit_start();

    unit_rules_e164();
    unit_rules_iso3166();
    unit_rules_iso8601();
    unit_rules_iso8601_bytes();
    unit_rules_iso8601_offsets();
    unit_rules_leap_seconds();

    unit_rules_depth();
    unit_rules_depth_random();
    unit_rules_shallow();

    unit_rules_fields();
    unit_rules_bodies();
    unit_rules_lengths();
    unit_rules_references();
    unit_rules_pointers();
    unit_rules_long_names();
    unit_rules_steps();
    unit_rules_steps_long();
    unit_rules_steps_random();
    unit_rules_quotes();
    unit_rules_random_quotes();
    unit_rules_many();
    unit_rules_memory();
    unit_rules_many_memory();

    return unit_done();
}


static void
unit_rules_e164(void)
{
    char        text[] = "+237671234567";
    size_t      i;
    u_char      c;
    ngx_uint_t  wrong;

    static const unit_text_t  texts[] = {
        { "+1234567", 0, 1 },
        { "+123456", 0, 0 },
        { "+123456789012345", 0, 1 },
        { "+1234567890123456", 0, 0 },
        { "+237671234567", 0, 1 },
        { "+9876543210", 0, 1 },
        { "+0237671234567", 0, 0 },
        { "+01234567", 0, 0 },
        { "237671234567", 0, 0 },
        { "00237671234567", 0, 0 },
        { "++237671234567", 0, 0 },
        { "+237671234567+", 0, 0 },
        { "+237 67123456", 0, 0 },
        { " +237671234567", 0, 0 },
        { "+237671234567 ", 0, 0 },
        { "+237671234567\n", 0, 0 },
        { "+237-67123456", 0, 0 },
        { "+23767123456x", 0, 0 },
        { "+x37671234567", 0, 0 },
        { "+CALLMENOW", 0, 0 },
        { "", 0, 0 },
        { "+", 0, 0 },
        { "+1234567\0", 9, 0 },
        { "\0+1234567", 9, 0 },
        { "+123\0" "4567", 9, 0 },
        { "+\0" "1234567", 9, 0 },
        /* digits, but of Arabic */
        { "+\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5\xd9\xa6\xd9\xa7", 0, 0 }
    };

    unit_rules_texts(ngx_wassiit_e164, "E.164", texts, unit_count_of(texts));

    wrong = 0;

    for (i = 0; i < sizeof(text) - 1; i++) {
        c = 0;

        do {
            memcpy(text, "+237671234567", sizeof(text));
            text[i] = c;

            wrong += unit_rules_exactly(ngx_wassiit_e164, text,
                                        sizeof(text) - 1)
                     != (i == 0 ? c == '+'
                                : c >= (i == 1 ? '1' : '0') && c <= '9');
        } while (++c != 0);
    }

    unit_is(wrong, 0, "E.164: of 256 bytes in each place, those that belong");
}


/* Every code of two bytes, not only of letters. */

static void
unit_rules_iso3166(void)
{
    FILE         *file;
    char          line[1024], code[3];
    u_char        listed[26][26];
    ngx_uint_t    a, b, count, wrong;

    memset(listed, 0, sizeof(listed));
    count = 0;

    file = fopen(UNIT_COUNTRIES, "r");

    if (!unit_ok(file != NULL, "the list of countries, of package tzdata")) {
        unit_note("%s: %s", UNIT_COUNTRIES, strerror(errno));
        return;
    }

    while (fgets(line, sizeof(line), file)) {

        if (line[0] == '#') {
            continue;
        }

        if (line[0] < 'A' || line[0] > 'Z' || line[1] < 'A' || line[1] > 'Z'
            || line[2] != '\t')
        {
            unit_ok(0, "the list is read: %s", line);
            continue;
        }

        count += !listed[line[0] - 'A'][line[1] - 'A'];
        listed[line[0] - 'A'][line[1] - 'A'] = 1;
    }

    fclose(file);

    unit_is(count, 249, "it has 249 codes");

    wrong = 0;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            code[0] = a;
            code[1] = b;

            if (unit_rules_exactly(ngx_wassiit_iso3166, code, 2)
                != (a >= 'A' && a <= 'Z' && b >= 'A' && b <= 'Z'
                    && listed[a - 'A'][b - 'A'])
                && wrong++ == 0)
            {
                unit_note("first: %02x %02x", (unsigned) a, (unsigned) b);
            }
        }
    }

    unit_is(wrong, 0, "of all texts of two bytes, just these are countries");

    wrong = 0;

    for (a = 0; a < 26; a++) {
        code[0] = 'A' + a;
        wrong += unit_rules_exactly(ngx_wassiit_iso3166, code, 1);

        for (b = 0; b < 26; b++) {
            code[1] = 'A' + b;
            code[2] = '\0';
            wrong += unit_rules_exactly(ngx_wassiit_iso3166, code, 3);
            code[2] = 'R';
            wrong += unit_rules_exactly(ngx_wassiit_iso3166, code, 3);
        }
    }

    wrong += unit_rules_exactly(ngx_wassiit_iso3166, "", 0);

    unit_is(wrong, 0, "none has 0, 1 or 3 letters");
}


static void
unit_rules_iso8601(void)
{
    size_t      i;
    ngx_uint_t  wrong;

    static const unit_text_t  texts[] = {
        { "2025-09-29T12:40:14.590Z", 0, 1 },
        { "2025-09-29T12:40:14.000Z", 0, 1 },
        { "0000-01-01T00:00:00.000Z", 0, 1 },
        { "9999-12-31T23:59:59.999Z", 0, 1 },
        { "2025-09-29T23:59:59.999Z", 0, 1 },

        /* dates that don't exist */
        { "1900-02-28T00:00:00.000Z", 0, 1 },
        { "1900-02-29T00:00:00.000Z", 0, 0 },
        { "2000-02-29T00:00:00.000Z", 0, 1 },
        { "2000-02-30T00:00:00.000Z", 0, 0 },
        { "2024-02-29T00:00:00.000Z", 0, 1 },
        { "2024-02-30T00:00:00.000Z", 0, 0 },
        { "2025-02-28T00:00:00.000Z", 0, 1 },
        { "2025-02-29T00:00:00.000Z", 0, 0 },
        { "2025-04-31T00:00:00.000Z", 0, 0 },
        { "2025-12-32T00:00:00.000Z", 0, 0 },
        { "2025-00-10T00:00:00.000Z", 0, 0 },
        { "2025-13-10T00:00:00.000Z", 0, 0 },
        { "2025-10-00T00:00:00.000Z", 0, 0 },

        /* times that don't */
        { "2025-09-29T24:00:00.000Z", 0, 0 },
        { "2025-09-29T23:60:00.000Z", 0, 0 },
        { "2025-09-29T23:59:61.000Z", 0, 0 },
        { "2016-12-31T23:59:61.000Z", 0, 0 },

        /* leap seconds, most of which were none so far */
        { "2016-12-31T23:59:60.000Z", 0, 1 },
        { "2016-12-31T23:59:60.999Z", 0, 1 },
        { "2015-06-30T23:59:60.000Z", 0, 1 },
        { "2017-01-01T00:59:60.000+01:00", 0, 1 },
        { "2017-01-01T05:29:60.000+05:30", 0, 1 },
        { "2029-12-31T20:59:60.000-03:00", 0, 1 },
        { "2030-06-30T19:59:60.000-04:00", 0, 1 },
        { "2030-07-01T08:59:60.000+09:00", 0, 1 },
        { "2030-01-01T23:58:60.000+23:59", 0, 1 },
        { "2029-12-31T00:00:60.000-23:59", 0, 1 },
        { "2029-12-31T23:59:60.000-03:00", 0, 0 },
        { "2029-12-31T23:59:60.000+01:00", 0, 0 },
        { "2030-01-01T00:59:60.000Z", 0, 0 },
        { "2029-12-31T23:58:60.000Z", 0, 0 },
        { "2029-12-31T22:59:60.000Z", 0, 0 },
        { "2029-12-30T23:59:60.000Z", 0, 0 },
        { "2029-06-29T23:59:60.000Z", 0, 0 },
        { "2029-03-31T23:59:60.000Z", 0, 0 },
        { "2029-09-30T23:59:60.000Z", 0, 0 },
        { "2029-01-31T23:59:60.000Z", 0, 0 },

        /* milliseconds */
        { "2025-09-29T12:40:14Z", 0, 0 },
        { "2025-09-29T12:40:14+01:00", 0, 0 },
        { "2025-09-29T12:40:14.Z", 0, 0 },
        { "2025-09-29T12:40:14.5Z", 0, 0 },
        { "2025-09-29T12:40:14.59Z", 0, 0 },
        { "2025-09-29T12:40:14.5900Z", 0, 0 },
        { "2025-09-29T12:40:14.590000Z", 0, 0 },
        { "2025-09-29T12:40:14.59+01:00", 0, 0 },
        { "2025-09-29T12:40:14.5900+01:00", 0, 0 },
        { "2025-09-29T12:40:14,590Z", 0, 0 },
        { "2025-09-29T12:40:14:590Z", 0, 0 },

        /* zones */
        { "2025-09-29T12:40:14.590", 0, 0 },
        { "2025-09-29T12:40:14.590 ", 0, 0 },
        { "2025-09-29T12:40:14.590z", 0, 0 },
        { "2025-09-29T12:40:14.590+00:00", 0, 1 },
        { "2025-09-29T12:40:14.590-00:00", 0, 0 },
        { "2025-09-29T12:40:14.590-00:01", 0, 1 },
        { "2025-09-29T12:40:14.590-01:00", 0, 1 },
        { "2025-09-29T12:40:14.590+23:59", 0, 1 },
        { "2025-09-29T12:40:14.590-23:59", 0, 1 },
        { "2025-09-29T12:40:14.590+24:00", 0, 0 },
        { "2025-09-29T12:40:14.590+01:60", 0, 0 },
        { "2025-09-29T12:40:14.590+01", 0, 0 },
        { "2025-09-29T12:40:14.590+0100", 0, 0 },
        { "2025-09-29T12:40:14.590+1:00", 0, 0 },
        { "2025-09-29T12:40:14.590+01:00Z", 0, 0 },
        { "2025-09-29T12:40:14.590Z+01:00", 0, 0 },
        { "2025-09-29T12:40:14.590ZZ", 0, 0 },
        { "2025-09-29T12:40:14.590Z ", 0, 0 },
        { "2025-09-29T12:40:14.590Z\0", 25, 0 },

        /* other formats */
        { "2025-09-29t12:40:14.590Z", 0, 0 },
        { "2025-09-29 12:40:14.590Z", 0, 0 },
        { "20250929T124014.590Z", 0, 0 },
        { "20250929T124014.590+0100", 0, 0 },
        { "20250929T124014.590Z     ", 0, 0 },
        { "2025-W40-1T12:40:14.590Z", 0, 0 },
        { "2025-272T12:40:14.590Z", 0, 0 },
        { "+2025-09-29T12:40:14.590Z", 0, 0 },
        { "25-09-29T12:40:14.590Z", 0, 0 },
        { "2025-09-29T12:40.590Z", 0, 0 },
        { "2025-09-29", 0, 0 },
        { "", 0, 0 }
    };

    unit_rules_texts(ngx_wassiit_iso8601, "ISO 8601", texts,
                     unit_count_of(texts));

    /* what the test below compares with has to know them as well */

    wrong = 0;

    for (i = 0; i < unit_count_of(texts); i++) {
        wrong += unit_rules_time((u_char *) texts[i].text,
                                 texts[i].len ? texts[i].len
                                              : strlen(texts[i].text))
                 != texts[i].good;
    }

    unit_is(wrong, 0, "ISO 8601: the test's own rule agrees with all of this");
}


/* One byte replaced, left out or put in, everywhere; then two at random. */

static void
unit_rules_iso8601_bytes(void)
{
    size_t      i, k, n, len;
    u_char      text[64], other[64], c;
    ngx_uint_t  tries, good, wrong;

    static const char  *texts[] = {
        "2024-02-29T23:59:59.999+12:45",
        "2025-09-29T12:40:14.590Z",
        "2016-12-31T23:59:60.000Z",
        "2017-01-01T00:59:60.000+01:00",
        "2025-10-10T00:00:00.000-00:01"
    };

    static const char  alphabet[] = "0123456789012345678901234567890123456789"
                                    "-:.TZ+tz ,\0\xd9\xb0";

    good = 0;
    wrong = 0;

    for (n = 0; n < unit_count_of(texts); n++) {
        len = strlen(texts[n]);

        for (i = 0; i <= len; i++) {
            c = 0;

            do {
                memcpy(text, texts[n], len);

                if (i < len) {
                    text[i] = c;
                    wrong += unit_rules_exactly(ngx_wassiit_iso8601, text, len)
                             != unit_rules_time(text, len);
                    good += unit_rules_time(text, len);
                }

                memcpy(text, texts[n], i);
                text[i] = c;
                memcpy(text + i + 1, texts[n] + i, len - i);

                wrong += unit_rules_exactly(ngx_wassiit_iso8601, text,
                                            len + 1);
            } while (++c != 0);

            memcpy(text, texts[n], len);

            wrong += unit_rules_exactly(ngx_wassiit_iso8601, text, i)
                     != (i == len);

            if (i < len) {
                memmove(text + i, text + i + 1, len - i - 1);
                wrong += unit_rules_exactly(ngx_wassiit_iso8601, text,
                                            len - 1);
            }
        }
    }

    unit_is(wrong, 0, "ISO 8601: any byte replaced, left out or put in");
    unit_ok(good > 500, "ISO 8601: which is another time now and then");

    wrong = 0;

    for (tries = 0; tries < 10 * UNIT_RULES_TRIES; tries++) {
        n = unit_random(unit_count_of(texts));
        len = strlen(texts[n]);
        memcpy(text, texts[n], len);

        for (k = 2 + unit_random(3); k; k--) {
            i = unit_random(len);
            text[i] = alphabet[unit_random(sizeof(alphabet) - 1)];
        }

        memcpy(other, text, len);

        wrong += unit_rules_exactly(ngx_wassiit_iso8601, text, len)
                 != unit_rules_time(other, len);
    }

    unit_is(wrong, 0, "ISO 8601: several bytes replaced");
}


static void
unit_rules_iso8601_offsets(void)
{
    int         sign, hour, min;
    char        text[64];
    size_t      len;
    ngx_uint_t  wrong;

    wrong = 0;

    for (sign = 0; sign < 2; sign++) {
        for (hour = 0; hour < 100; hour++) {
            for (min = 0; min < 100; min++) {
                len = sprintf(text, "2025-09-29T12:40:14.590%c%02d:%02d",
                              sign ? '-' : '+', hour, min);

                wrong += unit_rules_exactly(ngx_wassiit_iso8601, text, len)
                         != (hour < 24 && min < 60
                             && !(sign && hour == 0 && min == 0));
            }
        }
    }

    unit_is(wrong, 0, "ISO 8601: offsets up to 23:59, but not -00:00");
}


/* Of these, half are at the end of a half-year; in every zone. */

static void
unit_rules_leap_seconds(void)
{
    int         zone;
    char        text[64];
    size_t      len;
    time_t      t;
    struct tm   tm;
    ngx_uint_t  i, good, bad, wrong, expected;

    good = 0;
    bad = 0;
    wrong = 0;

    for (i = 0; i < UNIT_RULES_TRIES; i++) {
        ngx_memzero(&tm, sizeof(struct tm));

        tm.tm_year = (int) (unit_random(2) ? unit_random(9999)
                                           : 1972 + unit_random(100)) - 1900;
        tm.tm_mon = unit_random(4) ? 6 * unit_random(2) : unit_random(12);
        tm.tm_mday = 1;
        t = timegm(&tm) - 60;

        expected = (tm.tm_mon % 6 == 0);

        if (unit_random(3) == 0) {
            t += (unit_random(2) ? 60 : 86400)
                 * ((time_t) unit_random(61) - 30);
            gmtime_r(&t, &tm);
            expected = (tm.tm_hour == 23 && tm.tm_min == 59
                        && ((tm.tm_mon == 5 && tm.tm_mday == 30)
                            || (tm.tm_mon == 11 && tm.tm_mday == 31)));
        }

        zone = (int) unit_random(2 * 1440 - 1) - 1439;
        t += zone * 60;
        gmtime_r(&t, &tm);

        if (tm.tm_year < -1900 || tm.tm_year > 8099) {
            continue;
        }

        len = sprintf(text, "%04d-%02d-%02dT%02d:%02d:60.%03u",
                      tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                      tm.tm_hour, tm.tm_min, (unsigned) unit_random(1000));

        len += zone ? sprintf(text + len, "%c%02d:%02d", zone < 0 ? '-' : '+',
                              abs(zone) / 60, abs(zone) % 60)
                    : sprintf(text + len, "Z");

        good += expected;
        bad += !expected;

        if (unit_rules_exactly(ngx_wassiit_iso8601, text, len) != expected
            && wrong++ == 0)
        {
            unit_note("first: %s", text);
        }
    }

    unit_ok(wrong == 0 && good > 1000 && bad > 1000,
            "ISO 8601: second 60 at the end of June and December, of UTC");
}


/* The rule again, by the C library's calendar. */

static ngx_uint_t
unit_rules_time(const u_char *p, size_t len)
{
    int        year, month, day, hour, min, sec, zhour, zmin;
    char       text[32];
    time_t     t;
    size_t     i;
    struct tm  tm;

    static const char  form[] = "dddd-dd-ddTdd:dd:dd.ddd+dd:dd";

    if (len != 24 && len != 29) {
        return 0;
    }

    for (i = 0; i < len; i++) {

        if (i == 23) {
            if (len == 24 ? p[i] != 'Z' : (p[i] != '+' && p[i] != '-')) {
                return 0;
            }

            continue;
        }

        if (form[i] == 'd' ? (p[i] < '0' || p[i] > '9') : p[i] != form[i]) {
            return 0;
        }
    }

    memcpy(text, p, len);
    text[len] = '\0';
    zhour = 0;
    zmin = 0;

    if (sscanf(text, "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &min,
               &sec)
        != 6
        || (len == 29 && sscanf(text + 24, "%d:%d", &zhour, &zmin) != 2)
        || hour > 23 || min > 59 || sec > 60 || zhour > 23 || zmin > 59
        || strcmp(text + 23, "-00:00") == 0)
    {
        return 0;
    }

    /* a date that doesn't exist becomes another */

    ngx_memzero(&tm, sizeof(struct tm));
    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_min = min;

    t = timegm(&tm);

    if (tm.tm_year != year - 1900 || tm.tm_mon != month - 1
        || tm.tm_mday != day)
    {
        return 0;
    }

    if (sec < 60) {
        return 1;
    }

    t -= (text[23] == '-' ? -60 : 60) * (60 * zhour + zmin);
    gmtime_r(&t, &tm);

    return tm.tm_hour == 23 && tm.tm_min == 59
           && ((tm.tm_mon == 5 && tm.tm_mday == 30)
               || (tm.tm_mon == 11 && tm.tm_mday == 31));
}


static void
unit_rules_texts(unit_rule_pt rule, const char *name,
    const unit_text_t *texts, size_t n)
{
    size_t  i, len;

    for (i = 0; i < n; i++) {
        len = texts[i].len ? texts[i].len : strlen(texts[i].text);

        unit_ok(unit_rules_exactly(rule, texts[i].text, len) == texts[i].good,
                "%s %s: \"%.*s\"%s", texts[i].good ? "is" : "isn't", name,
                (int) strcspn(texts[i].text, "\n"), texts[i].text,
                texts[i].len ? " and a NUL" : "");
    }
}


/* In just as much memory, so that a sanitizer sees a read past the end. */

static ngx_uint_t
unit_rules_exactly(unit_rule_pt rule, const void *p, size_t len)
{
    u_char      *copy;
    ngx_uint_t   good;

    copy = malloc(len ? len : 1);
    memcpy(copy, p, len);

    good = rule(len ? copy : copy + 1, len);

    free(copy);

    return good;
}


static void
unit_rules_depth(void)
{
    char        text[2 * 40 + 1];
    size_t      i, k, levels;

    static const struct {
        const char  *text;
        ngx_int_t    rc;
    } texts[] = {
        { "", NGX_OK },
        { "1", NGX_OK },
        { "{\"to\":\"+237671234567\"}", NGX_OK },

        /* in a string they are text */
        { "\"" C64("[") "\"", NGX_OK },
        { "{\"" C64("{") "\":\"" C64("[") "\"}", NGX_OK },
        { "[\"a\",\"" C64("[") "\"]", NGX_OK },
        { "\"\\\"" C64("[") "\"", NGX_OK },
        { "\"\\\\\\\"" C64("[") "\"", NGX_OK },
        { "\"\\n\\u005b\\\"" C64("[") "\"", NGX_OK },
        { "\"" C64("]") "\"", NGX_OK },

        /* and behind it again none */
        { "\"\"" C64("["), NGX_DECLINED },
        { "\"a\"" C64("["), NGX_DECLINED },
        { "\"\\\"\"" C64("["), NGX_DECLINED },
        { "\"\\\\\"" C64("["), NGX_DECLINED },
        { "\"\\\\\\\\\"" C64("["), NGX_DECLINED },
        { "\\" C64("["), NGX_DECLINED },

        /* a string's end brackets end nothing */
        { TEN("[") TEN("[") TEN("[") "\"]]]]\",[[[1]]]", NGX_DECLINED },
        { TEN("[") TEN("[") TEN("[") "\"]]]]\",[[1]]", NGX_OK },

        /* one after another isn't one in another */
        { "[" C64("[],{},") "1]", NGX_OK },
        { C64("[[[[{}]]]],"), NGX_OK },

        /* no JSON, but more ends than beginnings save no levels up */
        { "]]}}" TEN("[") TEN("[") TEN("[") "[[", NGX_OK },
        { "]]}}" TEN("[") TEN("[") TEN("[") "[[[", NGX_DECLINED }
    };

    for (levels = 31; levels < 34; levels++) {
        for (k = 0; k < 3; k++) {

            for (i = 0; i < levels; i++) {
                text[i] = (k == 0 || (k == 2 && (i & 1))) ? '[' : '{';
                text[2 * levels - 1 - i] = (text[i] == '[') ? ']' : '}';
            }

            text[2 * levels] = '\0';

            unit_ok(unit_rules_depth_is(text, levels > 32 ? NGX_DECLINED
                                                          : NGX_OK),
                    "%u levels of %s are %s", (unsigned) levels,
                    k == 0 ? "arrays" : k == 1 ? "objects" : "both",
                    levels > 32 ? "too many" : "let through");
        }
    }

    for (i = 0; i < unit_count_of(texts); i++) {
        unit_ok(unit_rules_depth_is(texts[i].text, texts[i].rc),
                "depth: %s: %.40s", texts[i].rc == NGX_OK ? "good" : "bad",
                texts[i].text);
    }
}


/* Brackets and strings at random, whose depth is counted as they are made. */

static void
unit_rules_depth_random(void)
{
    char        text[4096];
    size_t      i, k, len;
    ngx_uint_t  depth, most, good, bad, wrong, climb;

    static const char  *pieces[] = {
        "[", "]", "{", "}", "\\\"", "\\\\", "\\n", "a", ":", "\\u0022", ","
    };

    good = 0;
    bad = 0;
    wrong = 0;

    for (i = 0; i < UNIT_RULES_TRIES; i++) {
        depth = 0;
        most = 0;
        len = 0;
        climb = 2 + unit_random(3);

        while (len < 3000 && unit_random(200)) {

            switch (unit_random(4)) {

            case 0:
                text[len++] = '"';

                for (k = unit_random(8); k; k--) {
                    len += sprintf(text + len, "%s",
                                   pieces[unit_random(unit_count_of(pieces))]);
                }

                text[len++] = '"';
                break;

            case 1:
                text[len++] = ",:1 "[unit_random(4)];
                break;

            default:
                if (depth && unit_random(climb + 1) == 0) {
                    text[len++] = "]}"[unit_random(2)];
                    depth--;

                } else if (unit_random(2)) {
                    text[len++] = "[{"[unit_random(2)];
                    depth++;
                    most = ngx_max(most, depth);
                }
            }
        }

        text[len] = '\0';
        good += (most <= 32);
        bad += (most > 32);

        for (k = 0; k < 2; k++) {
            wrong += unit_rules_depth_pieces(text, k ? unit_random(len + 1)
                                                     : len, 0)
                     != (most > 32 ? NGX_DECLINED : NGX_OK);
        }
    }

    unit_ok(wrong == 0 && good > 1000 && bad > 1000,
            "depth: random texts in random pieces");
}


/* as a whole, in two at every byte, and byte by byte */

static ngx_uint_t
unit_rules_depth_is(const char *text, ngx_int_t expected)
{
    size_t      at, len;
    ngx_uint_t  wrong;

    len = strlen(text);
    wrong = 0;

    for (at = 0; at <= len; at++) {
        wrong += unit_rules_depth_pieces(text, at, len) != expected;
    }

    wrong += unit_rules_depth_pieces(text, 0, 1) != expected;

    return wrong == 0;
}


/* It says 1 to as many as there may be, and to no more. */

static void
unit_rules_shallow(void)
{
    char        text[40];
    ngx_uint_t  braces, all;

    for (all = 31; all <= 34; all++) {
        for (braces = 0; braces <= all; braces += 11) {
            memset(text, '[', all);
            memset(text + all - braces, '{', braces);

            unit_ok(ngx_wassiit_shallow((u_char *) text, all) == (all <= 32),
                    "%u of them, %u braces", (unsigned) all,
                    (unsigned) braces);
        }
    }

    unit_ok(ngx_wassiit_shallow((u_char *) "", 0) == 1, "nothing is shallow");
}


/* The first piece has at bytes, others step, or a random number if it is 0. */

static ngx_int_t
unit_rules_depth_pieces(const char *text, size_t at, size_t step)
{
    size_t                n, len;
    u_char               *piece;
    ngx_int_t             rc;
    ngx_uint_t            few;
    ngx_wassiit_depth_t   depth;

    ngx_memzero(&depth, sizeof(ngx_wassiit_depth_t));
    len = strlen(text);
    n = at;
    few = ngx_wassiit_shallow((const u_char *) text, len);

    for ( ;; ) {
        piece = malloc(n ? n : 1);
        memcpy(piece, text, n);
        rc = ngx_wassiit_depth(&depth, piece, n);
        free(piece);

        text += n;
        len -= n;

        if (few && rc != NGX_OK) {
            unit_note("said to be shallow");
            return NGX_ERROR;
        }

        if (rc != NGX_OK || len == 0) {
            return rc;
        }

        n = step ? step : 1 + unit_random(50);
        n = ngx_min(n, len);
    }
}


static void
unit_rules_fields(void)
{
    char           expected[1024], name[128];
    size_t         i;
    const char    *got;
    const unit_field_t  *f;

    static const unit_field_t  fields[] = {
        { NGX_WASSIIT_RULE_MESSAGE, "to", "\"+1234567\"", NULL },
        { NGX_WASSIIT_RULE_MESSAGE, "to", NULL, MISSING E164 },
        { NGX_WASSIIT_RULE_MESSAGE, "to", "237671234567", NO_STRING E164 },
        { NGX_WASSIIT_RULE_MESSAGE, "to", "null", NO_STRING E164 },
        { NGX_WASSIIT_RULE_MESSAGE, "to", "[\"+1234567\"]", NO_STRING E164 },
        { NGX_WASSIIT_RULE_MESSAGE, "to", "\"\"", E164 ", not \"\"" },
        { NGX_WASSIIT_RULE_MESSAGE, "to", "\"+0237671234567\"",
          E164 ", not \"+0237671234567\"" },
        { NGX_WASSIIT_RULE_MESSAGE, "to", "\"+1234567\\u0000\"",
          E164 ", not \"+1234567?\"" },

        { NGX_WASSIIT_RULE_MESSAGE, "text", "\"x\"", NULL },
        { NGX_WASSIIT_RULE_MESSAGE, "text", "\"\\u0000\"", NULL },
        { NGX_WASSIIT_RULE_MESSAGE, "text", "\" \"", NULL },
        { NGX_WASSIIT_RULE_MESSAGE, "text", NULL, MISSING TEXT },
        { NGX_WASSIIT_RULE_MESSAGE, "text", "\"\"", TEXT ", not \"\"" },
        { NGX_WASSIIT_RULE_MESSAGE, "text", "1", TEXT },
        { NGX_WASSIIT_RULE_MESSAGE, "text", "true", TEXT },
        { NGX_WASSIIT_RULE_MESSAGE, "text", "{\"text\":\"x\"}", TEXT },

        { NGX_WASSIIT_RULE_CALL, "to", "\"+123456789012345\"", NULL },
        { NGX_WASSIIT_RULE_CALL, "to", NULL, MISSING E164 },
        { NGX_WASSIIT_RULE_CALL, "to", "\"+1234567890123456\"",
          E164 ", not \"+1234567890123456\"" },

        { NGX_WASSIIT_RULE_CALL, "type", "\"voice\"", NULL },
        { NGX_WASSIIT_RULE_CALL, "type", "\"video\"", NULL },
        { NGX_WASSIIT_RULE_CALL, "type", NULL, MISSING TYPE },
        { NGX_WASSIIT_RULE_CALL, "type", "\"\"", TYPE ", not \"\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"Voice\"", TYPE ", not \"Voice\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"VIDEO\"", TYPE ", not \"VIDEO\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"audio\"", TYPE ", not \"audio\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"voice \"",
          TYPE ", not \"voice \"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"voic\"", TYPE ", not \"voic\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"voice\\u0000\"",
          TYPE ", not \"voice?\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"voic\\u0000\"",
          TYPE ", not \"voic?\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "\"a\\nb\"", TYPE ", not \"a\nb\"" },
        { NGX_WASSIIT_RULE_CALL, "type", "[\"voice\"]", TYPE },
        { NGX_WASSIIT_RULE_CALL, "type", "0", TYPE },

        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "0", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "-1", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "9223372036854775807",
          NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "\"0\"", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference",
          "\"12345678901234567890123456789012345678901234567890\"", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", NULL, MISSING REFERENCE },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "\"\"",
          REFERENCE ", not \"\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "\"-1\"",
          REFERENCE ", not \"-1\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "\"12a\"",
          REFERENCE ", not \"12a\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "\"12\\u0000\"",
          REFERENCE ", not \"12?\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "1.0", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "1e3", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "1e300", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "1.5", REFERENCE },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "true", REFERENCE },
        { NGX_WASSIIT_RULE_AUTOMATION, "reference", "null", REFERENCE },

        { NGX_WASSIIT_RULE_AUTOMATION, "country", "\"FR\"", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "country", NULL, MISSING COUNTRY },
        { NGX_WASSIIT_RULE_AUTOMATION, "country", "\"cm\"",
          COUNTRY ", not \"cm\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "country", "\"XX\"",
          COUNTRY ", not \"XX\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "country", "\"CMR\"",
          COUNTRY ", not \"CMR\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "country", "237", NO_STRING COUNTRY },

        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"1234\"", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"12345678901234\"",
          NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"0671234567\"", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", NULL, MISSING RECIPIENT },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"123\"",
          RECIPIENT ", not \"123\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"123456789012345\"",
          RECIPIENT ", not \"123456789012345\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"00671234567\"",
          RECIPIENT ", not \"00671234567\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"+671234567\"",
          RECIPIENT ", not \"+671234567\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"67 123 45\"",
          RECIPIENT ", not \"67 123 45\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "\"6712\\u0000\"",
          RECIPIENT ", not \"6712?\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "671234567", RECIPIENT },
        { NGX_WASSIIT_RULE_AUTOMATION, "recipient", "null", RECIPIENT },

        { NGX_WASSIIT_RULE_AUTOMATION, "scheduled",
          "\"2026-11-01T10:00:00.000+01:00\"", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "scheduled", NULL, MISSING SCHEDULED },
        { NGX_WASSIIT_RULE_AUTOMATION, "scheduled", "\"2026-11-01T10:00:00Z\"",
          SCHEDULED ", not \"2026-11-01T10:00:00Z\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "scheduled", "1793523600",
          NO_STRING SCHEDULED },
        { NGX_WASSIIT_RULE_AUTOMATION, "scheduled", "null",
          NO_STRING SCHEDULED },

        { NGX_WASSIIT_RULE_AUTOMATION, "variables", NULL, NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables", "{}", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables",
          "{\"s\":\"\",\"i\":0,\"r\":-1.5e9,\"t\":true,\"f\":false}", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables", "null",
          "must be an object" },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables", "[]", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables", "[ ]", NULL },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables", "[null]",
          "must be an object" },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables", "\"a=b\"",
          "must be an object, not \"a=b\"" },
        { NGX_WASSIIT_RULE_AUTOMATION, "variables", "false",
          "must be an object" }
    };

    for (i = 0; i < unit_count_of(fields); i++) {
        f = &fields[i];

        expected[0] = '\0';

        if (f->detail) {
            sprintf(expected, "#/%s: %s\n", f->field, f->detail);
        }

        got = unit_rules_with(f->rule, f->field,
                              f->value ? unit_rules_json(f->value, 0) : NULL);

        snprintf(name, sizeof(name), "%s %s %s%s",
                 f->rule == NGX_WASSIIT_RULE_MESSAGE ? "message:"
                 : f->rule == NGX_WASSIIT_RULE_CALL ? "call:" : "automation:",
                 f->detail ? "refused:" : "good:", f->field,
                 f->value ? "" : " missing");

        if (!unit_rules_are(got, expected, name)) {
            unit_note("with %s", f->value);
        }
    }
}


/* Several faults, in the rules' order and not the body's; what isn't one. */

static void
unit_rules_bodies(void)
{
    size_t   i;
    json_t  *body, *errors;

    static const unit_body_t  bodies[] = {
        { NGX_WASSIIT_RULE_MESSAGE, "{}",
          "#/to: " MISSING E164 "\n"
          "#/text: " MISSING TEXT "\n" },
        { NGX_WASSIIT_RULE_MESSAGE, "{\"text\":\"\",\"to\":\"1\"}",
          "#/to: " E164 ", not \"1\"\n"
          "#/text: " TEXT ", not \"\"\n" },
        { NGX_WASSIIT_RULE_CALL, "{\"type\":\"fax\",\"to\":[]}",
          "#/to: " NO_STRING E164 "\n"
          "#/type: " TYPE ", not \"fax\"\n" },
        { NGX_WASSIIT_RULE_CALL, "{}",
          "#/to: " MISSING E164 "\n"
          "#/type: " MISSING TYPE "\n" },
        { NGX_WASSIIT_RULE_AUTOMATION, "{}",
          "#/reference: " MISSING REFERENCE "\n"
          "#/country: " MISSING COUNTRY "\n"
          "#/recipient: " MISSING RECIPIENT "\n"
          "#/scheduled: " MISSING SCHEDULED "\n" },
        { NGX_WASSIIT_RULE_AUTOMATION,
          "{\"variables\":{\"b\":null,\"a\":[1],\"c\":1,\"A\":{}},"
          "\"scheduled\":\"now\",\"recipient\":1,\"country\":\"zz\","
          "\"reference\":\"x\"}",
          "#/reference: " REFERENCE ", not \"x\"\n"
          "#/country: " COUNTRY ", not \"zz\"\n"
          "#/recipient: " RECIPIENT "\n"
          "#/scheduled: " SCHEDULED ", not \"now\"\n"
          "#/variables/b: " VARIABLE "\n"
          "#/variables/a: " VARIABLE "\n"
          "#/variables/A: " VARIABLE "\n" },

        /* fields that aren't the rule's */
        { NGX_WASSIIT_RULE_MESSAGE,
          "{\"to\":\"+237671234567\",\"text\":\"x\",\"type\":\"fax\","
          "\"variables\":null,\"\":[{\"to\":1}],\"To\":1,\"reference\":{}}",
          "" },
        { NGX_WASSIIT_RULE_CALL,
          "{\"to\":\"+237671234567\",\"type\":\"video\",\"text\":\"\","
          "\"country\":1}",
          "" },
        { NGX_WASSIIT_RULE_AUTOMATION,
          "{\"to\":1,\"text\":1,\"type\":1,\"x\":{\"y\":null},"
          "\"reference\":\"1\",\"country\":\"CM\",\"recipient\":\"671234567\","
          "\"scheduled\":\"2025-09-29T12:40:14.590Z\"}",
          "" },

        /* names are told apart by case */
        { NGX_WASSIIT_RULE_MESSAGE, "{\"TO\":\"+237671234567\",\"text\":\"x\"}",
          "#/to: " MISSING E164 "\n" },

        { NGX_WASSIIT_RULE_MESSAGE, "[]", "#: " OBJECT "\n" },
        { NGX_WASSIIT_RULE_MESSAGE, "null", "#: " OBJECT "\n" },
        { NGX_WASSIIT_RULE_CALL, "1", "#: " OBJECT "\n" },
        { NGX_WASSIIT_RULE_CALL, "true", "#: " OBJECT "\n" },
        { NGX_WASSIIT_RULE_AUTOMATION, "\"{}\"",
          "#: " OBJECT ", not \"{}\"\n" }
    };

    for (i = 0; i < 3; i++) {
        body = unit_rules_json(unit_good[i], 0);
        errors = NULL;

        unit_ok(ngx_wassiit_rules_check(i, body, &errors) == NGX_OK
                && errors == NULL,
                "a good body makes no array of faults");
        json_decref(body);
    }

    for (i = 0; i < unit_count_of(bodies); i++) {
        body = unit_rules_json(bodies[i].body, 0);
        errors = NULL;

        if (ngx_wassiit_rules_check(bodies[i].rule, body, &errors)
            != NGX_OK)
        {
            unit_ok(0, "a body is checked");
        }

        unit_rules_are(unit_faults(errors), bodies[i].faults,
                       bodies[i].body);
        json_decref(errors);
        json_decref(body);
    }

    body = unit_rules_json("{\"to\":\"+237671234567\"}", 0);
    errors = NULL;

    (void) ngx_wassiit_rules_fault(&errors, "#/first", "was here", NULL, 0);
    (void) ngx_wassiit_rules_check(NGX_WASSIIT_RULE_MESSAGE, body, &errors);

    unit_rules_are(unit_faults(errors),
                   "#/first: was here\n#/text: " MISSING TEXT "\n",
                   "faults are appended to those there are");
    json_decref(errors);
    json_decref(body);
}


/* Characters aren't bytes: of each width. */

static void
unit_rules_lengths(void)
{
    char    *text, expected[1024];
    size_t   i, k, n, width;

    static const char  *characters[] = {
        "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"
    };

    static const size_t  lengths[] = { 1, 2, 64, 65, 4095, 4096, 4097, 8192 };

    for (width = 1; width <= 4; width++) {
        for (i = 0; i < unit_count_of(lengths); i++) {
            n = lengths[i];
            text = malloc(n * width);

            for (k = 0; k < n; k++) {
                memcpy(text + k * width, characters[width - 1], width);
            }

            k = 0;

            if (n > 4096) {
                k = sprintf(expected, "#/text: " TEXT ", not \"");
                memcpy(expected + k, text, 64 * width);
                k += 64 * width;
                k += sprintf(expected + k, "\"...\n");
            }

            expected[k] = '\0';

            if (!unit_rules_are(unit_rules_with(NGX_WASSIIT_RULE_MESSAGE,
                                                "text",
                                                json_stringn(text, n * width)),
                                expected, "a text of so many characters"))
            {
                unit_note("%u of %u bytes", (unsigned) n, (unsigned) width);
            }

            free(text);
        }
    }
}


/*
 * By value, whether integers come as reals, as with a number of more than 64
 * bits anywhere in the body, or not.
 */

static void
unit_rules_references(void)
{
    size_t        i, flags;
    json_t       *value;
    const char   *got;

    static const struct {
        const char  *value;
        ngx_uint_t   good;
    } references[] = {
        { "1", 1 },
        { "0", 1 },
        { "-4711", 1 },
        { "9007199254740991", 1 },
        { "9007199254740992", 1 },
        { "18446744073709551616", 1 },
        { "-18446744073709551616", 1 },
        { "123456789012345678901234567890", 1 },
        { "1.0", 1 },
        { "1e2", 1 },
        { "1E+2", 1 },
        { "100e-2", 1 },
        { "12.50e1", 1 },
        { "-0", 1 },
        { "-0.0", 1 },
        { "-3.0", 1 },
        { "9007199254740993.0", 1 },
        { "9223372036854775807", 1 },
        { "-9223372036854775808", 1 },
        { "9223372036854775808.0", 1 },
        { "1e300", 1 },
        { "-1e300", 1 },
        { "0.5", 0 },
        { "-0.5", 0 },
        { "1.5", 0 },
        { "15e-1", 0 },
        { "1e-9", 0 },
        { "-1e-300", 0 },
        { "1.0000000000000002", 0 },
        { "4503599627370495.5", 0 },
        { "-4503599627370495.5", 0 },
        { "\"4711\"", 1 },
        { "true", 0 },
        { "null", 0 }
    };

    for (i = 0; i < 2 * unit_count_of(references); i++) {
        flags = (i & 1) ? JSON_DECODE_INT_AS_REAL : 0;

        value = json_loads(references[i / 2].value, flags|JSON_DECODE_ANY,
                           NULL);

        if (value == NULL) {
            unit_ok(flags == 0, "an integer that needs the other way");
            continue;
        }

        got = unit_rules_with(NGX_WASSIIT_RULE_AUTOMATION, "reference", value);

        if (!unit_rules_are(got, references[i / 2].good
                                 ? "" : "#/reference: " REFERENCE "\n",
                            flags ? "a reference among big numbers"
                                  : "a reference"))
        {
            unit_note("%s", references[i / 2].value);
        }
    }

    unit_rules_are(unit_rules_with(NGX_WASSIIT_RULE_AUTOMATION, "variables",
                                   unit_rules_json("{\"a\":1,\"b\":1e99}",
                                                   JSON_DECODE_INT_AS_REAL)),
                   "", "variables may be big numbers");
}


static void
unit_rules_pointers(void)
{
    char        name[80], expected[1024];
    size_t      i, k, len;
    json_t     *variables, *errors, *body;
    ngx_uint_t  wrong;

    static const struct {
        const char  *name;
        const char  *escaped;
    } names[] = {
        { "plain-Name_0.9", "plain-Name_0.9" },
        { "a/b", "a~1b" },
        { "m~n", "m~0n" },
        { "~1", "~01" },
        { "~0/", "~00~1" },
        { "//", "~1~1" },
        { "a%b", "a%25b" },
        { "%41", "%2541" },
        { "k\"l", "k%22l" },
        { "i\\j", "i%5Cj" },
        { " ", "%20" },
        { "", "" },
        { "a'b", "a%27b" },
        { "a\tb\n", "a%09b%0A" },
        { "a#b?c", "a%23b%3Fc" },
        { "\xc3\xa9t\xc3\xa9", "%C3%A9t%C3%A9" },
        { "\xe2\x82\xac", "%E2%82%AC" },
        { "\xf0\x9f\x98\x80", "%F0%9F%98%80" },
        { "\x7f", "%7F" }
    };

    for (i = 0; i < unit_count_of(names); i++) {
        for (k = 0; k < 2; k++) {
            variables = json_object();
            json_object_set_new(variables, names[i].name,
                                k ? json_array() : json_null());

            sprintf(expected, "#/variables/%s: " VARIABLE "\n",
                    names[i].escaped);
            unit_rules_are(unit_rules_with(NGX_WASSIIT_RULE_AUTOMATION,
                                           "variables", variables),
                           expected, "the pointer to a variable");
        }
    }

    /* whatever the name is, who follows the pointer finds it */

    wrong = 0;

    for (i = 0; i < UNIT_RULES_TRIES; i++) {
        len = i < 0x80 ? 1 : 1 + unit_random(64);

        for (k = 0; k < len; k++) {
            name[k] = i < 0x80 ? i : 1 + unit_random(0x7f);

            if (i >= 0x80 && unit_random(2)) {
                name[k] = "~/%01"[unit_random(5)];
            }

            if (i >= 0x80 && unit_random(8) == 0 && k + 4 <= len) {
                memcpy(name + k, "\xf0\x9f\x98\x80", 4);
                k += 3;
            }
        }

        if (i == 0) {
            continue;
        }

        name[len] = '\0';

        body = unit_rules_json(unit_good[NGX_WASSIIT_RULE_AUTOMATION], 0);
        variables = json_object_get(body, "variables");
        json_object_set_new(variables, name, json_null());

        errors = NULL;
        (void) ngx_wassiit_rules_check(NGX_WASSIIT_RULE_AUTOMATION, body,
                                       &errors);

        if ((json_array_size(errors) != 1
             || !unit_rules_decode(json_string_value(
                                       json_object_get(
                                           json_array_get(errors, 0),
                                           "pointer")), name))
            && wrong++ == 0)
        {
            unit_note("first: %s", name);
        }

        json_decref(errors);
        json_decref(body);
    }

    unit_is(wrong, 0, "pointers of random names lead to them");
}


/* of 64 bytes in a pointer, of 65 not, however they are escaped */

static void
unit_rules_long_names(void)
{
    char         name[80], expected[1024];
    size_t       i, n, len;
    json_t      *variables;

    static const char  *characters[] = { "n", "~", "/", "%", "\xc3\xa9" };
    static const char  *escaped[] = { "n", "~0", "~1", "%25", "%C3%A9" };

    for (i = 0; i < unit_count_of(characters); i++) {
        for (len = 63; len <= 65; len++) {

            name[0] = '\0';

            while (strlen(name) + strlen(characters[i]) <= len) {
                strcat(name, characters[i]);
            }

            while (strlen(name) < len) {
                strcat(name, "-");
            }

            strcpy(expected, "#/variables");

            if (len <= 64) {
                strcat(expected, "/");

                for (n = 0; n + strlen(characters[i]) <= len;
                     n += strlen(characters[i]))
                {
                    strcat(expected, escaped[i]);
                }

                while (n++ < len) {
                    strcat(expected, "-");
                }
            }

            strcat(expected, len <= 64 ? ": " VARIABLE "\n"
                                       : ": " UNTOLD "\n");

            variables = json_object();
            json_object_set_new(variables, name, json_object());

            unit_rules_are(unit_rules_with(NGX_WASSIIT_RULE_AUTOMATION,
                                           "variables", variables),
                           expected, "the pointer to a long name");
        }
    }

    memset(name, 'n', 70);
    name[70] = '\0';
    variables = json_object();
    json_object_set_new(variables, name, json_string("x"));

    unit_rules_are(unit_rules_with(NGX_WASSIIT_RULE_AUTOMATION, "variables",
                                   variables),
                   "", "a long name is no fault");
}


/* One step alone, as ngx_wassiit_rules_pointer() writes it. */

static void
unit_rules_steps(void)
{
    char        step[NGX_WASSIIT_POINTER], name[2], expected[8];
    size_t      i;
    ngx_uint_t  c, wrong;

    static const struct {
        const char  *name;
        const char  *step;
    } names[] = {
        /* RFC 6901, sections 5 and 6 */
        { "foo", "/foo" },
        { "", "/" },
        { "a/b", "/a~1b" },
        { "c%d", "/c%25d" },
        { "e^f", "/e%5Ef" },
        { "g|h", "/g%7Ch" },
        { "i\\j", "/i%5Cj" },
        { "k\"l", "/k%22l" },
        { " ", "/%20" },
        { "m~n", "/m~0n" },

        { "~", "/~0" },
        { "/", "/~1" },
        { "~0", "/~00" },
        { "~1", "/~01" },
        { "/~/", "/~1~0~1" },
        { "%7E", "/%257E" },
        { "%2F", "/%252F" },
        { "-._", "/-._" },
        { "#", "/%23" },
        { "last_used", "/last_used" },
        { "\xc3\xa9t\xc3\xa9", "/%C3%A9t%C3%A9" },
        { "\xff\x80", "/%FF%80" },
        { "\x01\x1f\x7f", "/%01%1F%7F" }
    };

    for (i = 0; i < unit_count_of(names); i++) {
        (void) unit_rules_step(step, names[i].name);

        if (!unit_ok(strcmp(step, names[i].step) == 0, "the step %s",
                     names[i].step))
        {
            unit_note("got %s", step);
        }
    }

    /* of each byte that may be in a name */

    wrong = 0;
    name[1] = '\0';

    for (c = 1; c < 256; c++) {
        name[0] = c;
        (void) unit_rules_step(step, name);

        if (c == '~' || c == '/') {
            sprintf(expected, "/~%c", c == '~' ? '0' : '1');

        } else if (c < 0x80
                   && strchr("-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "abcdefghijklmnopqrstuvwxyz", c))
        {
            sprintf(expected, "/%c", (int) c);

        } else {
            sprintf(expected, "/%%%02X", (unsigned) c);
        }

        if (strcmp(step, expected) != 0 && wrong++ == 0) {
            unit_note("first: %s, not %s", step, expected);
        }
    }

    unit_is(wrong, 0, "the steps of all names of one byte");
}


/* The longest name, in its longest form, fills what there is to the last. */

static void
unit_rules_steps_long(void)
{
    char        step[NGX_WASSIIT_POINTER], name[400], expected[400], *p;
    size_t      i, n, len, written;
    ngx_uint_t  wrong;

    static const char   characters[] = "n~/% \xa9\xff\x01";
    static const char  *escaped[] = {
        "n", "~0", "~1", "%25", "%20", "%A9", "%FF", "%01"
    };

    unit_is(NGX_WASSIIT_POINTER, 1 + 3 * 64 + 1,
            "a step is a slash, 64 bytes escaped and a zero at the most");

    wrong = 0;

    for (i = 0; i < unit_count_of(escaped); i++) {
        for (len = 0; len < sizeof(name); len++) {

            memset(name, characters[i], len);
            name[len] = '\0';

            p = expected;
            *p = '\0';

            if (len <= 64) {
                *p++ = '/';

                for (n = 0; n < len; n++) {
                    p += sprintf(p, "%s", escaped[i]);
                }

                *p = '\0';
            }

            written = unit_rules_step(step, name);

            if ((strcmp(step, expected) != 0
                 || written != strlen(expected) + 1)
                && wrong++ == 0)
            {
                unit_note("first: %u of %s: %u bytes, %s", (unsigned) len,
                          escaped[i], (unsigned) written, step);
            }
        }
    }

    unit_is(wrong, 0, "steps of 0 to 64 bytes, and nothing for longer ones");

    memset(name, '\xff', 64);
    name[64] = '\0';
    unit_is(unit_rules_step(step, name), NGX_WASSIIT_POINTER,
            "the longest step fills all there is");

    name[64] = 'n';
    name[65] = '\0';
    unit_is(unit_rules_step(step, name), 1,
            "a name that is too long: a zero, no more");
}


/* Whatever the name is, who follows the step finds it. */

static void
unit_rules_steps_random(void)
{
    char        step[NGX_WASSIIT_POINTER], name[100];
    char        pointer[sizeof("#/variables") + NGX_WASSIIT_POINTER];
    size_t      i, k, len, written;
    ngx_uint_t  wrong;

    wrong = 0;

    for (i = 0; i < UNIT_RULES_TRIES; i++) {
        len = unit_random(70);

        for (k = 0; k < len; k++) {
            name[k] = 1 + unit_random(255);

            if (unit_random(2)) {
                name[k] = "~/%01aZ-"[unit_random(8)];
            }
        }

        name[len] = '\0';

        written = unit_rules_step(step, name);
        sprintf(pointer, "#/variables%s", step);

        if ((written != strlen(step) + 1
             || (len <= 64 ? !unit_rules_decode(pointer, name) : *step))
            && wrong++ == 0)
        {
            unit_note("first: %s, of %u bytes", step, (unsigned) len);
        }
    }

    unit_is(wrong, 0, "steps of random names lead to them");
}


static void
unit_rules_quotes(void)
{
    char     expected[1024];
    size_t   i, len;
    u_char  *quote;
    json_t  *errors;

    static const struct {
        const char  *quote;
        size_t       len;           /* 0: up to the NUL */
        const char  *shown;
    } quotes[] = {
        { "", 0, "\"\"" },
        { "a", 0, "\"a\"" },
        { "a\"b\\c", 0, "\"a\"b\\c\"" },
        { "%s%n", 0, "\"%s%n\"" },
        { C64("a"), 0, "\"" C64("a") "\"" },
        { C64("a") "b", 0, "\"" C64("a") "\"..." },
        { C64("a") C64("b"), 0, "\"" C64("a") "\"..." },
        { C64("\xc3\xa9"), 0, "\"" C64("\xc3\xa9") "\"" },
        { C64("\xc3\xa9") "b", 0, "\"" C64("\xc3\xa9") "\"..." },
        { C64("\xe2\x82\xac"), 0, "\"" C64("\xe2\x82\xac") "\"" },
        { C64("\xe2\x82\xac") "\xe2\x82\xac", 0,
          "\"" C64("\xe2\x82\xac") "\"..." },
        { C64("\xf0\x9f\x98\x80"), 0, "\"" C64("\xf0\x9f\x98\x80") "\"" },
        { C64("\xf0\x9f\x98\x80") "x", 0,
          "\"" C64("\xf0\x9f\x98\x80") "\"..." },
        { C64("\xf0\x9f\x98\x80") "\xf0\x9f\x98\x80", 0,
          "\"" C64("\xf0\x9f\x98\x80") "\"..." },
        { "a\0b", 3, "\"a?b\"" },
        { "\0", 1, "\"?\"" },
        { "\0\0\0", 3, "\"???\"" },

        /* what isn't UTF-8, and what is in UTF-8 no character */
        { "\xff", 0, "\"?\"" },
        { "a\xffz", 0, "\"a?z\"" },
        { "a\xc3", 0, "\"a?\"" },
        { "\x80z", 0, "\"?z\"" },
        { "\xc0\xaf", 0, "\"??\"" },
        { "\xed\xa0\x80", 0, "\"???\"" },
        { "\xf4\x90\x80\x80", 0, "\"????\"" },
        { "\xe2\x82", 0, "\"??\"" }
    };

    for (i = 0; i < unit_count_of(quotes); i++) {
        len = quotes[i].len ? quotes[i].len : strlen(quotes[i].quote);
        quote = malloc(len ? len : 1);
        memcpy(quote, quotes[i].quote, len);

        errors = NULL;
        sprintf(expected, "#/x: wrong, not %s\n", quotes[i].shown);

        if (ngx_wassiit_rules_fault(&errors, "#/x", "wrong", quote, len)
            != NGX_OK)
        {
            unit_ok(0, "a fault is told");
        }

        unit_rules_are(unit_faults(errors), expected, "a quote");

        json_decref(errors);
        free(quote);
    }
}


/* A detail never quotes more than 64 characters, nor anything but UTF-8. */

static void
unit_rules_random_quotes(void)
{
    char         *text;
    size_t        i, k, len, n;
    u_char       *quote;
    json_t       *errors;
    const char   *detail, *end;
    ngx_uint_t    kind, wrong, failed;

    wrong = 0;
    failed = 0;

    for (i = 0; i < UNIT_RULES_TRIES; i++) {
        len = unit_random(400);
        quote = malloc(len ? len : 1);
        kind = unit_random(4);

        for (k = 0; k < len; k++) {
            quote[k] = kind == 0 ? unit_random(256)
                       : kind == 1 ? 0x80 + unit_random(0x40)
                       : kind == 2 ? 0xc0 + unit_random(0x40)
                       : (u_char) "a\x80\xc3\xf0"[unit_random(4)];
        }

        errors = NULL;

        if (ngx_wassiit_rules_fault(&errors, "#", "", quote, len) != NGX_OK) {
            failed++;
            free(quote);
            json_decref(errors);
            continue;
        }

        detail = json_string_value(json_object_get(json_array_get(errors, 0),
                                                   "detail"));
        text = json_dumps(errors, JSON_COMPACT);
        end = strrchr(detail, '"');
        n = unit_rules_characters(detail)
            - (sizeof(", not \"\"") - 1) - strlen(end + 1);

        if ((text == NULL || n > 64
             || (n < 64 && end[1] != '\0')
             || strcmp(end + 1, end[1] ? "..." : "") != 0)
            && wrong++ == 0)
        {
            unit_note("first: %u characters of %u bytes, the first %02x",
                      (unsigned) n, (unsigned) len, len ? quote[0] : 0);
        }

        free(text);
        free(quote);
        json_decref(errors);
    }

    unit_is(failed, 0, "any bytes can be quoted");
    unit_is(wrong, 0, "no detail quotes more than 64 characters of them");
}


/* Of faults, the first 100 are told, and the number of the others. */

static void
unit_rules_many(void)
{
    char          pointer[32], expected[UNIT_FAULTS_SIZE], *p;
    size_t        i, n;
    json_t       *errors, *variables;
    const char   *got;

    static const size_t  counts[] = {
        1, 99, 100, 101, 102, 109, 110, 200, 201, 1100, 100100
    };

    for (i = 0; i < unit_count_of(counts); i++) {
        p = expected;
        errors = NULL;
        variables = json_object();

        for (n = 0; n < counts[i]; n++) {
            sprintf(pointer, "#/variables/%u", (unsigned) n);

            if (ngx_wassiit_rules_fault(&errors, pointer, VARIABLE, NULL, 0)
                != NGX_OK)
            {
                unit_ok(0, "a fault is told");
            }

            json_object_set_new(variables, strrchr(pointer, '/') + 1,
                                json_null());

            if (n < NGX_WASSIIT_FAULTS) {
                p += sprintf(p, "%s: " VARIABLE "\n", pointer);
            }
        }

        if (n > NGX_WASSIIT_FAULTS) {
            sprintf(p, "#: has %u more faults\n",
                    (unsigned) n - NGX_WASSIIT_FAULTS);
        }

        unit_rules_are(unit_faults(errors), expected, "many faults");
        unit_is(json_array_size(errors), n <= 100 ? n : 101,
                "not all of which are kept");

        got = unit_rules_with(NGX_WASSIIT_RULE_AUTOMATION, "variables",
                              variables);
        unit_rules_are(got, expected, "many faults of a body");

        json_decref(errors);
    }

    /* the text that is quoted doesn't matter there */

    errors = NULL;

    for (n = 0; n < 102; n++) {
        (void) ngx_wassiit_rules_fault(&errors, "#/x", "wrong",
                                       (u_char *) "9", 1);
    }

    unit_ok(strcmp(json_string_value(json_object_get(json_array_get(errors,
                                                                    99),
                                                     "detail")),
                   "wrong, not \"9\"") == 0
            && strcmp(json_string_value(json_object_get(json_array_get(errors,
                                                                       100),
                                                        "detail")),
                      "has 2 more faults") == 0,
            "the last quotes nothing");

    json_decref(errors);
}


/* Memory that runs short is told, and what was taken given back. */

static void
unit_rules_memory(void)
{
    json_t      *body, *errors;
    ngx_int_t    n, rc, live;
    ngx_uint_t   refused, wrong, leaks;

    static const char  text[] =
        "{\"reference\":\"x\",\"country\":\"zz\",\"recipient\":\"1\","
        "\"variables\":{\"a\":null}}";

    json_set_alloc_funcs(unit_rules_malloc, unit_rules_free);

    wrong = 0;
    leaks = 0;

    for (unit_once = 0; unit_once < 2; unit_once++) {
        refused = 0;

        for (n = 0; n < 1000; n++) {
            body = unit_rules_json(text, 0);
            errors = NULL;
            live = unit_live;

            unit_room = n;
            rc = ngx_wassiit_rules_check(NGX_WASSIIT_RULE_AUTOMATION, body,
                                         &errors);
            wrong += (rc == NGX_OK && json_array_size(errors) != 5);
            wrong += (rc != NGX_OK && rc != NGX_ERROR);
            refused += (rc == NGX_ERROR);
            wrong += (rc == NGX_ERROR && unit_room > 0);

            n = (unit_room > 0) ? 1000 : n;
            unit_room = -1;

            json_decref(errors);
            leaks += (unit_live != live);
            json_decref(body);
        }

        unit_ok(refused > 10, "memory that is short is told");
    }

    unit_is(wrong, 0, "and told only then");
    unit_is(leaks, 0, "what was taken is given back");

    json_set_alloc_funcs(malloc, free);
}


/* The same where faults are no more told but counted. */

static void
unit_rules_many_memory(void)
{
    json_t      *body, *variables, *errors;
    char         name[16];
    ngx_int_t    n, rc, live, full;
    ngx_uint_t   refused, wrong, leaks;

    json_set_alloc_funcs(unit_rules_malloc, unit_rules_free);

    body = unit_rules_json(unit_good[NGX_WASSIIT_RULE_AUTOMATION], 0);
    variables = json_object_get(body, "variables");

    for (n = 0; n < 4; n++) {
        sprintf(name, "%d", (int) n);
        json_object_set_new(variables, name, json_null());
    }

    wrong = 0;
    leaks = 0;

    for (unit_once = 0; unit_once < 2; unit_once++) {
        refused = 0;

        for (n = 0; n < 1000; n++) {
            errors = NULL;
            live = unit_live;

            for (full = 0; full < NGX_WASSIIT_FAULTS - 1; full++) {
                (void) ngx_wassiit_rules_fault(&errors, "#", "x", NULL, 0);
            }

            unit_room = n;
            rc = ngx_wassiit_rules_check(NGX_WASSIIT_RULE_AUTOMATION, body,
                                         &errors);
            wrong += (rc == NGX_OK && json_array_size(errors) != 101);
            wrong += (rc != NGX_OK && rc != NGX_ERROR);
            refused += (rc == NGX_ERROR);
            wrong += (rc == NGX_ERROR && unit_room > 0);

            n = (unit_room > 0) ? 1000 : n;
            unit_room = -1;

            json_decref(errors);
            leaks += (unit_live != live);
        }

        unit_ok(refused > 10, "memory that is short for many faults is told");
    }

    unit_is(wrong, 0, "and told only then");
    unit_is(leaks, 0, "what was taken for them is given back");

    json_decref(body);
    json_set_alloc_funcs(malloc, free);
}


static json_t *
unit_rules_json(const char *text, size_t flags)
{
    json_t        *json;
    json_error_t   error;

    json = json_loads(text, flags|JSON_DECODE_ANY|JSON_ALLOW_NUL, &error);

    if (json == NULL) {
        printf("Bail out! %s: %s\n", text, error.text);
        exit(2);
    }

    return json;
}


/* What is said of a good body with one field changed, or without it. */

static const char *
unit_rules_with(ngx_wassiit_rule_e rule, const char *field, json_t *value)
{
    json_t      *body, *errors;
    const char  *lines;

    body = unit_rules_json(unit_good[rule], 0);
    errors = NULL;

    if (value) {
        json_object_set_new(body, field, value);

    } else {
        json_object_del(body, field);
    }

    lines = "not checked\n";

    if (ngx_wassiit_rules_check(rule, body, &errors) == NGX_OK) {
        lines = unit_faults(errors);
    }

    json_decref(errors);
    json_decref(body);

    return lines;
}


static ngx_uint_t
unit_rules_are(const char *got, const char *expected, const char *name)
{
    if (!unit_ok(strcmp(got, expected) == 0, "%s", name)) {
        unit_visible("got", got);
        unit_visible("expected", expected);
        return 0;
    }

    return 1;
}


/*
 * Reads a pointer as its reader does: as a URI fragment (RFC 3986, section
 * 3.5), then by RFC 6901, section 4.  Is it this variable?
 */

static ngx_uint_t
unit_rules_decode(const char *pointer, const char *name)
{
    char          decoded[256], *d;
    const char   *p;
    unsigned int  byte;

    static const char  start[] = "#/variables/";

    if (pointer == NULL || strncmp(pointer, start, sizeof(start) - 1) != 0) {
        return 0;
    }

    d = decoded;

    for (p = pointer + sizeof(start) - 1; *p; p++) {

        if (*p == '%') {
            if (sscanf(p + 1, "%2x", &byte) != 1) {
                return 0;
            }

            *d++ = byte;
            p += 2;
            continue;
        }

        if (!isalnum((u_char) *p) && !strchr("-._~!$&'()*+,;=:@?", *p)) {
            return 0;
        }

        *d++ = *p;
    }

    *d = '\0';

    for (p = decoded; *p; p++, name++) {

        if (*p != '~') {
            if (*p != *name) {
                return 0;
            }

            continue;
        }

        p++;

        if (*name != (*p == '0' ? '~' : *p == '1' ? '/' : '\0')) {
            return 0;
        }
    }

    return *name == '\0';
}


/*
 * Writes the step to memory of just its size, where a sanitizer sees a write
 * past the end, and to memory painted in two ways.  Returns the number of
 * bytes up to the last that was written: 0 if any is beyond what may be, or
 * both aren't the same.
 */

static size_t
unit_rules_step(char *step, const char *name)
{
    char        one[3 * NGX_WASSIIT_POINTER], two[3 * NGX_WASSIIT_POINTER], *p;
    size_t      i, last;
    ngx_uint_t  wrong;

    p = malloc(NGX_WASSIIT_POINTER);
    memset(p, 'x', NGX_WASSIIT_POINTER);
    ngx_wassiit_rules_pointer(p, name);
    memcpy(step, p, NGX_WASSIIT_POINTER);
    free(p);

    memset(one, 0xa5, sizeof(one));
    memset(two, 0x5a, sizeof(two));

    ngx_wassiit_rules_pointer(one + NGX_WASSIIT_POINTER, name);
    ngx_wassiit_rules_pointer(two + NGX_WASSIIT_POINTER, name);

    wrong = 0;
    last = 0;

    for (i = 0; i < sizeof(one); i++) {

        if (one[i] == (char) 0xa5 && two[i] == 0x5a) {
            continue;
        }

        wrong += (one[i] != two[i] || i < NGX_WASSIIT_POINTER
                  || i >= 2 * NGX_WASSIIT_POINTER
                  || one[i] != step[i - NGX_WASSIIT_POINTER]);

        last = i + 1 - NGX_WASSIIT_POINTER;
    }

    return wrong ? 0 : last;
}


static size_t
unit_rules_characters(const char *text)
{
    size_t  n;

    for (n = 0; *text; text++) {
        n += ((*text & 0xc0) != 0x80);
    }

    return n;
}


static void *
unit_rules_malloc(size_t size)
{
    void  *p;

    if (unit_room == 0) {
        unit_room = unit_once ? -1 : 0;
        return NULL;
    }

    if (unit_room > 0) {
        unit_room--;
    }

    p = malloc(size);
    unit_live += (p != NULL);

    return p;
}


static void
unit_rules_free(void *p)
{
    unit_live -= (p != NULL);
    free(p);
}
