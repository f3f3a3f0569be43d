
#include "ngx_wassiit_header.h"


static u_char *ngx_wassiit_header_quoted(u_char *p, u_char *last,
    ngx_str_t *value);


u_char *
ngx_wassiit_header_parameter(u_char *p, u_char *last, ngx_str_t *name,
    ngx_str_t *value)
{
    name->len = 0;

    if (p == last) {
        return p;
    }

    if (*p++ != ';') {
        return NULL;
    }

    p = ngx_wassiit_header_blanks(p, last);

    name->data = p;

    while (p < last && *p != '=') {
        p++;
    }

    name->len = p - name->data;

    if (!ngx_wassiit_header_is_token(name) || p == last) {
        return NULL;
    }

    p++;

    if (p < last && *p == '"') {
        return ngx_wassiit_header_quoted(p + 1, last, value);
    }

    value->data = p;

    while (p < last && *p != ';') {
        p++;
    }

    value->len = p - value->data;

    /* single quotes are those of RFC 8187, or some quote by them */

    if (!ngx_wassiit_header_is_token(value)
        || (memchr(value->data, '\'', value->len)
            && name->data[name->len - 1] != '*'))
    {
        return NULL;
    }

    return p;
}


/*
 * A backslash escapes a quote or a backslash, and is else a character, as in
 * names with folders of Windows; but not before the others that RFC 2045 has
 * quoted, where it escapes to some.
 */

static u_char *
ngx_wassiit_header_quoted(u_char *p, u_char *last, ngx_str_t *value)
{
    u_char  *dst;

    dst = p;
    value->data = p;

    while (p < last && *p != '"') {

        if (*p == '\\') {

            if (last - p < 2 || ngx_strchr("()<>@,;:/[]?=", p[1])) {
                return NULL;
            }

            if (p[1] == '"') {
                p++;

            } else if (p[1] == '\\') {

                if (last - p > 2 && p[2] == '"') {
                    /* to some this quote is escaped */
                    return NULL;
                }

                p++;
            }
        }

        *dst++ = *p++;
    }

    value->len = dst - value->data;

    return (p < last) ? p + 1 : NULL;
}


ngx_int_t
ngx_wassiit_header_extended(ngx_str_t *value)
{
    u_char      c, *p, *dst, *last;
    ngx_str_t   charset;
    ngx_uint_t  i, digit;

    charset.data = value->data;
    charset.len = sizeof("utf-8''") - 1;

    if (value->data[-1] == '"' || value->len < charset.len
        || !ngx_wassiit_header_is(&charset, "utf-8''"))
    {
        return NGX_ERROR;
    }

    p = value->data + charset.len;
    last = value->data + value->len;

    dst = p;
    value->data = dst;

    while (p < last) {
        c = *p++;

        if (c == '\'' || c == '*') {
            return NGX_ERROR;
        }

        if (c == '%') {

            if (last - p < 2) {
                return NGX_ERROR;
            }

            for (c = 0, i = 0; i < 2; i++, p++) {

                if (*p >= '0' && *p <= '9') {
                    digit = *p - '0';

                } else if (ngx_tolower(*p) >= 'a' && ngx_tolower(*p) <= 'f') {
                    digit = ngx_tolower(*p) - 'a' + 10;

                } else {
                    return NGX_ERROR;
                }

                c = c << 4 | digit;
            }
        }

        *dst++ = c;
    }

    value->len = dst - value->data;

    return ngx_wassiit_header_is_utf8(value->data, value->len) ? NGX_OK
                                                               : NGX_ERROR;
}


ngx_uint_t
ngx_wassiit_header_is(const ngx_str_t *s, const char *lowcase)
{
    size_t  i;

    if (s->len != ngx_strlen(lowcase)) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {
        if (ngx_tolower(s->data[i]) != (u_char) lowcase[i]) {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_wassiit_header_count(const ngx_str_t *s, const char *lowcase)
{
    size_t      i;
    ngx_str_t   within;
    ngx_uint_t  n;

    n = 0;
    within.len = ngx_strlen(lowcase);

    for (i = 0; i + within.len <= s->len; i++) {
        within.data = s->data + i;
        n += ngx_wassiit_header_is(&within, lowcase);
    }

    return n;
}


ngx_uint_t
ngx_wassiit_header_is_token(const ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (!isalnum(s->data[i])
            && (s->data[i] == '\0'
                || ngx_strchr("!#$%&'*+-.^_`|~", s->data[i]) == NULL))
        {
            return 0;
        }
    }

    return s->len != 0;
}


ngx_uint_t
ngx_wassiit_header_is_ascii_charset(const ngx_str_t *charset)
{
    return ngx_wassiit_header_is(charset, "utf-8")
           || ngx_wassiit_header_is(charset, "us-ascii")
           || ngx_wassiit_header_is(charset, "iso-8859-1");
}


ngx_uint_t
ngx_wassiit_header_is_utf8(const u_char *p, size_t len)
{
    u_char      low, high;
    ngx_uint_t  more;

    while (len) {
        low = 0x80;
        high = 0xbf;

        if (*p < 0x80) {
            more = 0;

        } else if (*p >= 0xc2 && *p <= 0xdf) {
            more = 1;

        } else if (*p >= 0xe0 && *p <= 0xef) {
            more = 2;
            low = (*p == 0xe0) ? 0xa0 : low;
            high = (*p == 0xed) ? 0x9f : high;

        } else if (*p >= 0xf0 && *p <= 0xf4) {
            more = 3;
            low = (*p == 0xf0) ? 0x90 : low;
            high = (*p == 0xf4) ? 0x8f : high;

        } else {
            return 0;
        }

        if (len <= more) {
            return 0;
        }

        for (p++, len--; more; p++, len--, more--) {
            if (*p < low || *p > high) {
                return 0;
            }

            low = 0x80;
            high = 0xbf;
        }
    }

    return 1;
}


u_char *
ngx_wassiit_header_blanks(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}
