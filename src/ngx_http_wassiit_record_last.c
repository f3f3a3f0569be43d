
#include "ngx_http_wassiit_record_last.h"


static ngx_uint_t ngx_http_wassiit_record_torn(ngx_http_wassiit_parse_t *parse,
    u_char *p, size_t len);


ngx_int_t
ngx_http_wassiit_record_parse_last(ngx_http_wassiit_parse_t *parse,
    ngx_http_wassiit_arena_t *arena, u_char *p, size_t len,
    ngx_http_wassiit_record_t **rec, size_t *keep)
{
    size_t      line;
    u_char     *zero, *pos;
    ngx_int_t   rc;

    line = len - (len && p[len - 1] == LF);
    pos = parse->pos;
    *keep = len;

    rc = ngx_http_wassiit_record_parse(parse, arena, p, line, rec);

    if (rc != NGX_ERROR
        || !(parse->zeros
             || (line == len && ngx_http_wassiit_record_torn(parse, p, len))))
    {
        return rc;
    }

    *keep = 0;

    if (!parse->zeros) {
        return NGX_DONE;
    }

    /* what an LF and a line followed may be there, and they may be not */

    zero = memchr(p, '\0', line);

    rc = ngx_http_wassiit_record_parse(parse, arena, p, zero - p, rec);

    if (rc == NGX_OK) {
        *keep = zero - p;
        return NGX_OK;
    }

    ngx_explicit_memzero(pos, parse->pos - pos);
    parse->pos = pos;

    return NGX_DONE;
}


/* Is it the beginning of a line that is JSON? */

static ngx_uint_t
ngx_http_wassiit_record_torn(ngx_http_wassiit_parse_t *parse, u_char *p,
    size_t len)
{
    size_t  n;

    if (parse->is_json) {
        return 0;
    }

    for (n = 0; n < len; n++) {
        if (p[n] != ' ' && p[n] != '\t' && p[n] != CR) {
            break;
        }
    }

    if (n < len && p[n] != '{') {
        return 0;
    }

    switch (parse->error) {

    case json_error_premature_end_of_input:
        return 1;

    case json_error_invalid_syntax:
        /* a word such as "true" */
        return parse->error_at >= len;

    case json_error_invalid_utf8:
        /* a character of several bytes: RFC 3629, section 3 */

        for (n = 1; n < 4 && n < len && (p[len - n] & 0xc0) == 0x80; n++) {
            /* void */
        }

        return (p[len - n] >= 0xc2 && n < 2)
               || (p[len - n] >= 0xe0 && n < 3)
               || (p[len - n] >= 0xf0 && n < 4);

    default:
        return 0;
    }
}
