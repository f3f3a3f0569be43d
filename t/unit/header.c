
/* Values of header fields: words, parameters, RFC 8187, UTF-8. */


#include "unit.h"

#include "ngx_wassiit_header.h"


#define unit_count_of(a)  (sizeof(a) / sizeof((a)[0]))


static void unit_header_parameters(void);
static const char *unit_header_says(const char *value, size_t len);
static void unit_header_ends(void);
static void unit_header_extended(void);
static void unit_header_words(void);
static void unit_header_tokens(void);
static void unit_header_charsets(void);
static void unit_header_utf8(void);
static ngx_uint_t unit_header_encode(uint32_t c, u_char *p);
static u_char *unit_header_copy(const char *text, size_t len);


int
main(void)
{
    unit_start();

    unit_header_parameters();
    unit_header_ends();
    unit_header_extended();
    unit_header_words();
    unit_header_tokens();
    unit_header_charsets();
    unit_header_utf8();

    return unit_done();
}


static void
unit_header_parameters(void)
{
    size_t       i;
    const char  *got;

    static const char  *values[][2] = {
        { "", "" },
        { ";a=b", "[a=b]" },
        { "; a=b", "[a=b]" },
        { ";\t \ta=b", "[a=b]" },
        { ";a=b;c=d", "[a=b][c=d]" },
        { ";a=\"\"", "[a=]" },
        { ";a=\"b c;d=e\"; f=g", "[a=b c;d=e][f=g]" },
        { ";A-1*='b'", "[A-1*='b']" },
        { ";a=b; a=c", "[a=b][a=c]" },

        /* what some read in another way */
        { " ;a=b", "?" },
        { "a=b", "?" },
        { ";", "?" },
        { "; ", "?" },
        { ";a", "?" },
        { ";a=", "?" },
        { ";=b", "?" },
        { ";a =b", "?" },
        { ";a= b", "?" },
        { ";a=b ", "?" },
        { ";a=b c", "?" },
        { ";a=b;", "[a=b]?" },
        { ";a=b;;c=d", "[a=b]?" },
        { ";a='b'", "?" },
        { ";a=b\"c\"", "?" },
        { ";a=\"b\"c", "[a=b]?" },
        { ";a=\"b\" ;c=d", "[a=b]?" },
        { ";a=\"b", "?" },
        { ";a b=c", "?" },
        { ";a(=c", "?" },

        /* a backslash */
        { ";a=\"b\\\"c\"", "[a=b\"c]" },
        { ";a=\"b\\\\c\"", "[a=b\\c]" },
        { ";a=\"C:\\dir\\f.mp3\"", "[a=C:\\dir\\f.mp3]" },
        { ";a=\"b\\", "?" },
        { ";a=\"b\\\"", "?" },
        { ";a=\"b\\\\\"", "?" },
        { ";a=\"b\\;\"", "?" },
        { ";a=\"b\\=\"", "?" },
        { ";a=\"b\\@c\"", "?" },
        { ";a=b\\c", "?" }
    };

    for (i = 0; i < unit_count_of(values); i++) {
        got = unit_header_says(values[i][0], strlen(values[i][0]));

        if (!unit_ok(strcmp(got, values[i][1]) == 0, "%s: %s", values[i][0],
                     values[i][1]))
        {
            unit_note("got %s", got);
        }
    }
}


/* "[name=value]" for each parameter, and "?" where it is malformed. */

static const char *
unit_header_says(const char *value, size_t len)
{
    u_char     *copy, *p, *last;
    size_t      n;
    ngx_str_t   name, text;

    static char  says[1024];

    copy = unit_header_copy(value, len);
    last = copy + len;
    says[0] = '\0';
    n = 0;

    for (p = copy; /* void */ ; /* void */ ) {
        p = ngx_wassiit_header_parameter(p, last, &name, &text);

        if (p == NULL) {
            strcpy(says + n, "?");
            break;
        }

        if (name.len == 0) {
            break;
        }

        n += snprintf(says + n, sizeof(says) - n, "[%.*s=%.*s]",
                      (int) name.len, name.data, (int) text.len, text.data);
    }

    free(copy);

    return says;
}


/* A sanitizer sees a read past the end. */

static void
unit_header_ends(void)
{
    char        text[64];
    size_t      i, len;
    ngx_uint_t  n;

    static const char  bytes[] = ";;==\"\"\\\\ \tab'*@";

    for (n = 0; n < 200000; n++) {
        len = unit_random(20);

        for (i = 0; i < len; i++) {
            text[i] = bytes[unit_random(sizeof(bytes) - 1)];
        }

        if (len) {
            text[0] = ';';
        }

        (void) unit_header_says(text, len);
    }

    unit_ok(1, "200000 values of any kind end where they end");
}


static void
unit_header_extended(void)
{
    size_t      i, len;
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   value;

    static const struct {
        const char  *text;
        const char  *value;         /* NULL: it is none */
    } values[] = {
        { "=utf-8''a", "a" },
        { "=UTF-8''a.mp3", "a.mp3" },
        { "=utf-8''", "" },
        { "=utf-8''%41%62", "Ab" },
        { "=utf-8''%e2%82%AC", "\342\202\254" },
        { "=utf-8''%", NULL },
        { "=utf-8''%4", NULL },
        { "=utf-8''%4g", NULL },
        { "=utf-8''%g4", NULL },
        { "=utf-8''%ff", NULL },
        { "=utf-8''%e2%82", NULL },
        { "=utf-8''a'b", NULL },
        { "=utf-8''a*b", NULL },
        { "=utf-8'en'a", NULL },
        { "=iso-8859-1''a", NULL },
        { "=utf-8'", NULL },
        { "=", NULL },
        { "\"utf-8''a", NULL }
    };

    for (i = 0; i < unit_count_of(values); i++) {
        len = strlen(values[i].text);
        p = unit_header_copy(values[i].text, len);

        value.data = p + 1;
        value.len = len - 1;
        rc = ngx_wassiit_header_extended(&value);

        if (values[i].value) {
            unit_ok(rc == NGX_OK && value.len == strlen(values[i].value)
                    && memcmp(value.data, values[i].value, value.len) == 0,
                    "%s is decoded", values[i].text);

        } else {
            unit_is(rc, NGX_ERROR, values[i].text);
        }

        free(p);
    }
}


static void
unit_header_words(void)
{
    u_char     *p, *blank;
    ngx_str_t   s;

    ngx_str_set(&s, "Form-DATA");
    unit_ok(ngx_wassiit_header_is(&s, "form-data"), "a word, in any case");
    unit_ok(!ngx_wassiit_header_is(&s, "form-dat")
            && !ngx_wassiit_header_is(&s, "form-datax"),
            "and as a whole");

    s.len = 0;
    unit_ok(ngx_wassiit_header_is(&s, "") && !ngx_wassiit_header_is(&s, "a"),
            "an empty one");

    ngx_str_set(&s, "xBoundary=BOUNDARYboundarboundary");
    unit_is(ngx_wassiit_header_count(&s, "boundary"), 3, "it comes thrice");
    ngx_str_set(&s, "aaa");
    unit_is(ngx_wassiit_header_count(&s, "aa"), 2, "also over itself");
    unit_is(ngx_wassiit_header_count(&s, "aaaa"), 0, "not if it is longer");

    p = unit_header_copy(" \t x", 4);
    blank = ngx_wassiit_header_blanks(p, p + 4);
    unit_is(blank - p, 3, "blanks are passed over");
    blank = ngx_wassiit_header_blanks(p, p + 2);
    unit_is(blank - p, 2, "up to the end");
    free(p);
}


static void
unit_header_tokens(void)
{
    u_char      c, text[3];
    ngx_str_t   s;
    ngx_uint_t  i, wrong, token;

    wrong = 0;
    s.data = text;
    s.len = 3;
    c = 0;

    do {
        token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z')
                || (c && strchr("!#$%&'*+-.^_`|~", c));

        for (i = 0; i < 3; i++) {
            memcpy(text, "abc", 3);
            text[i] = c;
            wrong += (ngx_wassiit_header_is_token(&s) != token);
        }
    } while (++c != 0);

    s.len = 0;
    wrong += ngx_wassiit_header_is_token(&s);

    unit_is(wrong, 0, "of 256 bytes just those of a token, and at least one");
}


static void
unit_header_charsets(void)
{
    size_t      i;
    ngx_str_t   s;
    ngx_uint_t  wrong;

    static const char  *good[] = { "utf-8", "UTF-8", "us-ascii", "US-ASCII",
                                   "iso-8859-1", "ISO-8859-1" };
    static const char  *bad[] = { "", "utf-16", "utf8", "utf-7", "ascii",
                                  "iso-8859-15", "ebcdic", "utf-8 " };

    wrong = 0;

    for (i = 0; i < unit_count_of(good); i++) {
        s.data = (u_char *) good[i];
        s.len = strlen(good[i]);
        wrong += !ngx_wassiit_header_is_ascii_charset(&s);
    }

    for (i = 0; i < unit_count_of(bad); i++) {
        s.data = (u_char *) bad[i];
        s.len = strlen(bad[i]);
        wrong += ngx_wassiit_header_is_ascii_charset(&s);
    }

    unit_is(wrong, 0, "charsets that have ASCII");
}


static void
unit_header_utf8(void)
{
    u_char      c, text[8], *copy;
    size_t      i, len;
    uint32_t    code;
    ngx_uint_t  n, wrong, valid;

    wrong = 0;

    for (code = 0; code < 0x110000; code++) {
        len = unit_header_encode(code, text);
        valid = (code < 0xd800 || code > 0xdfff);
        wrong += (ngx_wassiit_header_is_utf8(text, len) != valid);
    }

    unit_is(wrong, 0, "each character but the surrogates");

    wrong = 0;

    for (code = 0x80; code < 0x110000; code += 1 + code / 64) {
        len = unit_header_encode(code, text);

        for (i = 1; i < len; i++) {
            copy = unit_header_copy((char *) text, i);
            wrong += ngx_wassiit_header_is_utf8(copy, i);
            free(copy);

            c = text[i];
            text[i] ^= 0xc0;
            wrong += ngx_wassiit_header_is_utf8(text, len);
            text[i] = c;
        }
    }

    unit_is(wrong, 0, "no part of one, and none with a foreign byte");

    /* more bytes than it takes, and more than there are characters */

    wrong = 0;

    for (n = 0; n < 2; n++) {
        for (c = 0x80; c < 0xc0; c++) {
            text[0] = 0xc0 + n;
            text[1] = c;
            wrong += ngx_wassiit_header_is_utf8(text, 2);
        }
    }

    wrong += ngx_wassiit_header_is_utf8((u_char *) "\xe0\x9f\xbf", 3);
    wrong += ngx_wassiit_header_is_utf8((u_char *) "\xf0\x8f\xbf\xbf", 4);
    wrong += ngx_wassiit_header_is_utf8((u_char *) "\xf4\x90\x80\x80", 4);
    wrong += ngx_wassiit_header_is_utf8((u_char *) "\xf5\x80\x80\x80", 4);
    wrong += ngx_wassiit_header_is_utf8((u_char *) "\xff", 1);
    wrong += !ngx_wassiit_header_is_utf8((u_char *) "", 0);

    unit_is(wrong, 0, "nor one that is too long or too large");
}


/* Surrogates too. */

static ngx_uint_t
unit_header_encode(uint32_t c, u_char *p)
{
    if (c < 0x80) {
        p[0] = c;
        return 1;
    }

    if (c < 0x800) {
        p[0] = 0xc0 | (c >> 6);
        p[1] = 0x80 | (c & 0x3f);
        return 2;
    }

    if (c < 0x10000) {
        p[0] = 0xe0 | (c >> 12);
        p[1] = 0x80 | ((c >> 6) & 0x3f);
        p[2] = 0x80 | (c & 0x3f);
        return 3;
    }

    p[0] = 0xf0 | (c >> 18);
    p[1] = 0x80 | ((c >> 12) & 0x3f);
    p[2] = 0x80 | ((c >> 6) & 0x3f);
    p[3] = 0x80 | (c & 0x3f);

    return 4;
}


/* Memory that ends where the text does. */

static u_char *
unit_header_copy(const char *text, size_t len)
{
    u_char  *p;

    p = malloc(len ? len : 1);

    if (p == NULL) {
        abort();
    }

    memcpy(p, text, len);

    return p;
}
