
#include "ngx_wassiit_rules.h"
#include "ngx_wassiit_time.h"


/* 2^53: a real that is no smaller is an integer */
#define REAL_EXACT          9007199254740992.0

#define ISO8601_LEN         (sizeof("2026-11-01T09:00:00.000Z") - 1)


typedef struct {
    json_t                    **errors;
    ngx_int_t                   rc;
} ngx_wassiit_check_t;


static void ngx_wassiit_rules_to(ngx_wassiit_check_t *ck, json_t *body);
static void ngx_wassiit_rules_text(ngx_wassiit_check_t *ck, json_t *body);
static void ngx_wassiit_rules_type(ngx_wassiit_check_t *ck, json_t *body);
static void ngx_wassiit_rules_automation(ngx_wassiit_check_t *ck,
    json_t *body);
static ngx_uint_t ngx_wassiit_rules_reference(json_t *value);
static ngx_uint_t ngx_wassiit_rules_recipient(json_t *value);
static void ngx_wassiit_rules_variables(ngx_wassiit_check_t *ck,
    json_t *value);
static void ngx_wassiit_rules_add(ngx_wassiit_check_t *ck,
    const char *pointer, const char *detail, json_t *value);
static void ngx_wassiit_rules_add_string(ngx_wassiit_check_t *ck,
    const char *pointer, const char *detail, json_t *value);
static ngx_uint_t ngx_wassiit_rules_is(ngx_uint_t (*rule)(const u_char *p,
    size_t len), json_t *value);
static size_t ngx_wassiit_rules_digits(const u_char *p, size_t len);
static size_t ngx_wassiit_rules_characters(const u_char *p, size_t len);
static ngx_int_t ngx_wassiit_rules_more(json_t *errors);
static json_t *ngx_wassiit_rules_quote(const char *detail,
    const u_char *quote, size_t len);


const char  ngx_wassiit_e164_rule[] =
    "must be a phone number such as \"+212600000000\" (E.164: \"+\" and 7 to "
    "15 digits, the first not 0)";


/* the second letters of the codes, by the first */

static const char  *ngx_wassiit_countries[] = {
    /* A */ "DEFGILMOQRSTUWXZ",
    /* B */ "ABDEFGHIJLMNOQRSTVWYZ",
    /* C */ "ACDFGHIKLMNORUVWXYZ",
    /* D */ "EJKMOZ",
    /* E */ "CEGHRST",
    /* F */ "IJKMOR",
    /* G */ "ABDEFGHILMNPQRSTUWY",
    /* H */ "KMNRTU",
    /* I */ "DELMNOQRST",
    /* J */ "EMOP",
    /* K */ "EGHIMNPRWYZ",
    /* L */ "ABCIKRSTUVY",
    /* M */ "ACDEFGHKLMNOPQRSTUVWXYZ",
    /* N */ "ACEFGILOPRUZ",
    /* O */ "M",
    /* P */ "AEFGHKLMNRSTWY",
    /* Q */ "A",
    /* R */ "EOSUW",
    /* S */ "ABCDEGHIJKLMNORSTVXYZ",
    /* T */ "CDFGHJKLMNORTVWZ",
    /* U */ "AGMSYZ",
    /* V */ "ACEGINU",
    /* W */ "FS",
    /* X */ "",
    /* Y */ "ET",
    /* Z */ "AMW"
};


ngx_int_t
ngx_wassiit_depth(ngx_wassiit_depth_t *d, const u_char *p, size_t len)
{
    ngx_uint_t     depth, string;
    const u_char  *last;

    last = p + len;
    depth = d->depth;
    string = d->string;

    if (d->escape && p < last) {
        p++;
        d->escape = 0;
    }

    for ( /* void */ ; p < last; p++) {

        if (string) {
            if (*p == '"') {
                string = 0;

            } else if (*p == '\\' && ++p == last) {
                d->escape = 1;
                break;
            }

            continue;
        }

        /* brackets and braces differ in one bit alone */

        if (*p == '"') {
            string = 1;

        } else if ((*p & ~0x20) == '[') {
            if (depth++ == NGX_WASSIIT_JSON_DEPTH) {
                return NGX_DECLINED;
            }

        } else if ((*p & ~0x20) == ']' && depth) {
            depth--;
        }
    }

    d->depth = depth;
    d->string = string;

    return NGX_OK;
}


ngx_uint_t
ngx_wassiit_shallow(const u_char *p, size_t len)
{
    ngx_uint_t     n, i;
    const u_char  *next, *last;

    n = 0;

    for (i = 0; i < 2; i++) {
        last = p + len;

        for (next = p; /* void */ ; next++) {
            next = memchr(next, i ? '[' : '{', last - next);

            if (next == NULL) {
                break;
            }

            if (n++ == NGX_WASSIIT_JSON_DEPTH) {
                return 0;
            }
        }
    }

    return 1;
}


ngx_int_t
ngx_wassiit_rules_check(ngx_wassiit_rule_e rule, json_t *body,
    json_t **errors)
{
    ngx_wassiit_check_t  ck;

    ck.errors = errors;
    ck.rc = NGX_OK;

    if (!json_is_object(body)) {
        ngx_wassiit_rules_add(&ck, "#", "must be a JSON object", body);
        return ck.rc;
    }

    switch (rule) {

    case NGX_WASSIIT_RULE_MESSAGE:
        ngx_wassiit_rules_to(&ck, body);
        ngx_wassiit_rules_text(&ck, body);
        break;

    case NGX_WASSIIT_RULE_CALL:
        ngx_wassiit_rules_to(&ck, body);
        ngx_wassiit_rules_type(&ck, body);
        break;

    default: /* NGX_WASSIIT_RULE_AUTOMATION */
        ngx_wassiit_rules_automation(&ck, body);
    }

    return ck.rc;
}


static void
ngx_wassiit_rules_to(ngx_wassiit_check_t *ck, json_t *body)
{
    json_t  *value;

    value = json_object_get(body, "to");

    if (!ngx_wassiit_rules_is(ngx_wassiit_e164, value)) {
        ngx_wassiit_rules_add_string(ck, "#/to", ngx_wassiit_e164_rule,
                                     value);
    }
}


static void
ngx_wassiit_rules_text(ngx_wassiit_check_t *ck, json_t *body)
{
    size_t   n;
    json_t  *value;

    value = json_object_get(body, "text");

    n = json_is_string(value)
        ? ngx_wassiit_rules_characters(
                                     (const u_char *) json_string_value(value),
                                     json_string_length(value))
        : 0;

    if (n == 0 || n > NGX_WASSIIT_TEXT_MAX) {
        ngx_wassiit_rules_add(ck, "#/text",
                              "must be a string of 1 to 4096 characters",
                              value);
    }
}


static void
ngx_wassiit_rules_type(ngx_wassiit_check_t *ck, json_t *body)
{
    json_t      *value;
    const char  *s;

    value = json_object_get(body, "type");
    s = json_string_value(value);

    if (s == NULL
        || json_string_length(value) != sizeof("voice") - 1
        || (ngx_strcmp(s, "voice") != 0 && ngx_strcmp(s, "video") != 0))
    {
        ngx_wassiit_rules_add(ck, "#/type",
                              "must be \"voice\" or \"video\"", value);
    }
}


static void
ngx_wassiit_rules_automation(ngx_wassiit_check_t *ck, json_t *body)
{
    json_t  *value;

    value = json_object_get(body, "reference");

    if (!ngx_wassiit_rules_reference(value)) {
        ngx_wassiit_rules_add(ck, "#/reference",
                              "must be an integer or a string of digits",
                              value);
    }

    value = json_object_get(body, "country");

    if (!ngx_wassiit_rules_is(ngx_wassiit_iso3166, value)) {
        ngx_wassiit_rules_add_string(ck, "#/country",
                                     "must be an assigned ISO 3166-1 alpha-2 "
                                     "code in capitals, such as \"CM\"",
                                     value);
    }

    value = json_object_get(body, "recipient");

    if (!ngx_wassiit_rules_recipient(value)) {
        ngx_wassiit_rules_add(ck, "#/recipient",
                              "must be a string of 4 to 14 digits, without "
                              "the country's calling prefix (\"+\" or "
                              "\"00\")", value);
    }

    value = json_object_get(body, "scheduled");

    if (!ngx_wassiit_rules_is(ngx_wassiit_iso8601, value)) {
        ngx_wassiit_rules_add_string(ck, "#/scheduled",
                                     "must be a time of ISO 8601 with "
                                     "milliseconds and a zone, such as "
                                     "\"2025-09-29T12:40:14.590Z\", of a date "
                                     "that exists", value);
    }

    value = json_object_get(body, "variables");

    if (value) {
        ngx_wassiit_rules_variables(ck, value);
    }
}


static ngx_uint_t
ngx_wassiit_rules_reference(json_t *value)
{
    size_t  len;
    double  d;

    if (json_is_integer(value)) {
        return 1;
    }

    if (json_is_real(value)) {
        d = json_real_value(value);
        return ngx_abs(d) >= REAL_EXACT || d == (double) (int64_t) d;
    }

    if (!json_is_string(value)) {
        return 0;
    }

    len = json_string_length(value);

    return len
           && ngx_wassiit_rules_digits(
                             (const u_char *) json_string_value(value), len)
              == len;
}


static ngx_uint_t
ngx_wassiit_rules_recipient(json_t *value)
{
    size_t       len;
    const char  *p;

    p = json_string_value(value);

    if (p == NULL) {
        return 0;
    }

    len = json_string_length(value);

    return len >= 4 && len <= 14
           && ngx_wassiit_rules_digits((const u_char *) p, len) == len
           && ngx_strncmp(p, "00", 2) != 0;
}


static void
ngx_wassiit_rules_variables(ngx_wassiit_check_t *ck, json_t *value)
{
    void        *iter;
    char         pointer[sizeof("#/variables") + NGX_WASSIIT_POINTER];
    size_t       len;
    json_t      *variable;
    const char  *name;

    if (json_is_array(value) && json_array_size(value) == 0) {
        /* PHP's encoder can't tell an empty object from an empty array */
        return;
    }

    if (!json_is_object(value)) {
        ngx_wassiit_rules_add(ck, "#/variables", "must be an object", value);
        return;
    }

    for (iter = json_object_iter(value); iter;
         iter = json_object_iter_next(value, iter))
    {
        variable = json_object_iter_value(iter);

        if (json_is_string(variable) || json_is_number(variable)
            || json_is_boolean(variable))
        {
            continue;
        }

        name = json_object_iter_key(iter);
        len = ngx_strlen(name);

        ngx_memcpy(pointer, "#/variables", sizeof("#/variables"));
        ngx_wassiit_rules_pointer(pointer + sizeof("#/variables") - 1, name);

        ngx_wassiit_rules_add(ck, pointer,
                              (len <= NGX_WASSIIT_QUOTE)
                              ? "must be a string, a number or a boolean"
                              : "must hold strings, numbers and booleans "
                                "alone, also under names that are too long "
                                "to be told", variable);
    }
}


void
ngx_wassiit_rules_pointer(char *p, const char *name)
{
    size_t  i, len;

    static const char  hex[] = "0123456789ABCDEF";

    len = ngx_strlen(name);

    if (len <= NGX_WASSIIT_QUOTE) {
        *p++ = '/';

        for (i = 0; i < len; i++) {
            if (name[i] == '~' || name[i] == '/') {
                *p++ = '~';
                *p++ = (name[i] == '~') ? '0' : '1';

            } else if (isalnum((u_char) name[i])
                       || ngx_strchr("-._", name[i]))
            {
                *p++ = name[i];

            } else {
                *p++ = '%';
                *p++ = hex[(u_char) name[i] >> 4];
                *p++ = hex[(u_char) name[i] & 0xf];
            }
        }
    }

    *p = '\0';
}


/* A fault with the value at hand, if that is a string; NULL: it is missing. */

static void
ngx_wassiit_rules_add(ngx_wassiit_check_t *ck, const char *pointer,
    const char *detail, json_t *value)
{
    char  missing[256];

    if (value == NULL) {
        (void) snprintf(missing, sizeof(missing), "is missing; it %s", detail);
        detail = missing;
    }

    if (ngx_wassiit_rules_fault(ck->errors, pointer, detail,
                                (const u_char *) json_string_value(value),
                                json_string_length(value))
        != NGX_OK)
    {
        ck->rc = NGX_ERROR;
    }
}


/* The same for a rule of strings that doesn't say so by itself. */

static void
ngx_wassiit_rules_add_string(ngx_wassiit_check_t *ck, const char *pointer,
    const char *detail, json_t *value)
{
    char  text[256];

    if (value && !json_is_string(value)) {
        (void) snprintf(text, sizeof(text), "must be a string; it %s", detail);
        detail = text;
    }

    ngx_wassiit_rules_add(ck, pointer, detail, value);
}


ngx_int_t
ngx_wassiit_rules_fault(json_t **errors, const char *pointer,
    const char *detail, const u_char *quote, size_t len)
{
    json_t  *fault, *text;

    if (*errors == NULL) {
        *errors = json_array();
    }

    if (json_array_size(*errors) >= NGX_WASSIIT_FAULTS) {
        return ngx_wassiit_rules_more(*errors);
    }

    fault = json_object();
    text = quote ? ngx_wassiit_rules_quote(detail, quote, len)
                 : json_string(detail);

    if (json_object_set_new(fault, "pointer", json_string(pointer)) != 0
        || json_object_set(fault, "detail", text) != 0
        || json_array_append(*errors, fault) != 0)
    {
        json_decref(fault);
        json_decref(text);
        return NGX_ERROR;
    }

    json_decref(fault);
    json_decref(text);

    return NGX_OK;
}


/* One fault more than are told. */

static ngx_int_t
ngx_wassiit_rules_more(json_t *errors)
{
    json_t       *last;
    ngx_uint_t    n;
    const char   *detail;

    if (json_array_size(errors) == NGX_WASSIIT_FAULTS
        && json_array_append_new(errors, json_object()) != 0)
    {
        return NGX_ERROR;
    }

    last = json_array_get(errors, NGX_WASSIIT_FAULTS);
    detail = json_string_value(json_object_get(last, "detail"));
    n = detail ? strtoul(detail + sizeof("has ") - 1, NULL, 10) : 0;

    if (json_object_set_new(last, "pointer", json_string("#")) != 0
        || json_object_set_new(last, "detail",
                               json_sprintf("has %u more faults",
                                            (unsigned) n + 1))
           != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* jansson escapes it; here it is cut, and made UTF-8 if it isn't. */

static json_t *
ngx_wassiit_rules_quote(const char *detail, const u_char *quote, size_t len)
{
    size_t       i, n, cut;
    u_char       copy[4 * NGX_WASSIIT_QUOTE];
    json_t      *text;
    const char  *more;

    for (n = 0, cut = 0; cut < len; n++) {

        if (n == NGX_WASSIIT_QUOTE) {
            break;
        }

        do {
            cut++;
        } while (cut < len && (quote[cut] & 0xc0) == 0x80
                 && cut < sizeof(copy));
    }

    cut = ngx_min(cut, sizeof(copy));
    more = (cut < len) ? "..." : "";

    for (i = 0; i < cut; i++) {
        copy[i] = quote[i] ? quote[i] : '?';
    }

    text = json_sprintf("%s, not \"%.*s\"%s", detail, (int) cut,
                        (char *) copy, more);

    if (text == NULL) {
        /* of what isn't UTF-8, each byte is a character */

        if (cut > NGX_WASSIIT_QUOTE) {
            cut = NGX_WASSIIT_QUOTE;
            more = "...";
        }

        for (i = 0; i < cut; i++) {
            if (copy[i] >= 0x80) {
                copy[i] = '?';
            }
        }

        text = json_sprintf("%s, not \"%.*s\"%s", detail, (int) cut,
                            (char *) copy, more);
    }

    return text;
}


static ngx_uint_t
ngx_wassiit_rules_is(ngx_uint_t (*rule)(const u_char *p, size_t len),
    json_t *value)
{
    return json_is_string(value)
           && rule((const u_char *) json_string_value(value),
                   json_string_length(value));
}


/* how many digits p begins with */

static size_t
ngx_wassiit_rules_digits(const u_char *p, size_t len)
{
    size_t  i;

    for (i = 0; i < len && p[i] >= '0' && p[i] <= '9'; i++) { /* void */ }

    return i;
}


/* code points of what is known to be UTF-8 */

static size_t
ngx_wassiit_rules_characters(const u_char *p, size_t len)
{
    size_t  i, n;

    for (i = 0, n = 0; i < len; i++) {
        n += ((p[i] & 0xc0) != 0x80);
    }

    return n;
}


ngx_uint_t
ngx_wassiit_e164(const u_char *p, size_t len)
{
    return len >= 8 && len <= 16 && p[0] == '+' && p[1] != '0'
           && ngx_wassiit_rules_digits(p + 1, len - 1) == len - 1;
}


ngx_uint_t
ngx_wassiit_iso3166(const u_char *p, size_t len)
{
    return len == 2 && p[0] >= 'A' && p[0] <= 'Z'
           && p[1] >= 'A' && p[1] <= 'Z'
           && ngx_strchr(ngx_wassiit_countries[p[0] - 'A'], p[1]) != NULL;
}


ngx_uint_t
ngx_wassiit_iso8601(const u_char *p, size_t len)
{
    int64_t     t, begin;
    u_char      half[] = "0000-01-01T00:00:00Z";
    ngx_int_t   year;
    ngx_uint_t  i, k;

    if (len < ISO8601_LEN
        || p[10] != 'T' || p[19] != '.'
        || ngx_wassiit_rules_digits(p + 20, len - 20) != 3
        || p[23] == 'z'
        || (len == sizeof("2026-11-01T09:00:00.000+01:00") - 1
            && ngx_memcmp(p + 23, "-00:00", 6) == 0)
        || ngx_wassiit_time_parse(p, len, &t) != NGX_OK)
    {
        return 0;
    }

    if (p[17] != '6') {
        return 1;
    }

    /*
     * t is the second after.  It has to begin a half-year, of the year that
     * is written or, by the offset, of the next.
     */

    for (i = 0; i < 4; i++) {

        year = 0;

        for (k = 0; k < 4; k++) {
            year = year * 10 + (p[k] - '0');
        }

        year += i / 2;

        for (k = 4; k--; year /= 10) {
            half[k] = '0' + year % 10;
        }

        half[6] = (i & 1) ? '7' : '1';

        if (ngx_wassiit_time_parse(half, sizeof(half) - 1, &begin) == NGX_OK
            && begin == t)
        {
            return 1;
        }
    }

    return 0;
}
