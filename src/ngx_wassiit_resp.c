
#include "ngx_wassiit_resp.h"


enum {
    STATE_TYPE = 0,
    STATE_LINE,             /* of a status or an error */
    STATE_LINE_LF,
    STATE_NUMBER,           /* the number itself, or that of bytes, elements */
    STATE_NUMBER_LF,
    STATE_STRING            /* and its CRLF, all that skip has of it */
};


/* of 9223372036854775808 */
#define NGX_WASSIIT_RESP_DIGITS  19


static ngx_int_t ngx_wassiit_resp_byte(ngx_wassiit_resp_parser_t *parser,
    u_char c);
static ngx_int_t ngx_wassiit_resp_type(ngx_wassiit_resp_parser_t *parser,
    u_char c);
static ngx_int_t ngx_wassiit_resp_digit(ngx_wassiit_resp_parser_t *parser,
    u_char c);
static ngx_int_t ngx_wassiit_resp_counted(ngx_wassiit_resp_parser_t *parser);
static ngx_int_t ngx_wassiit_resp_ended(ngx_wassiit_resp_parser_t *parser);
static void ngx_wassiit_resp_read(ngx_wassiit_resp_t *resp);
static ngx_int_t ngx_wassiit_resp_digits(const u_char *p, const u_char *last,
    int64_t *number);
static u_char *ngx_wassiit_resp_write_number(u_char *p, u_char type,
    size_t number);


ngx_int_t
ngx_wassiit_resp_parse(ngx_wassiit_resp_parser_t *parser, const u_char *p,
    size_t len, size_t *used)
{
    size_t         n;
    ngx_int_t      rc;
    const u_char  *start;

    start = p;
    rc = NGX_AGAIN;

    while (len && rc == NGX_AGAIN) {

        if (parser->state == STATE_STRING && parser->skip > 2) {
            n = ngx_min(len, parser->skip - 2);
            parser->skip -= n;

        } else {
            n = 1;

            /* a string that has no room is refused before it comes */

            rc = (parser->len == NGX_WASSIIT_RESP_MAX)
                 ? NGX_ERROR : ngx_wassiit_resp_byte(parser, *p);
        }

        parser->len += n;
        p += n;
        len -= n;
    }

    *used = p - start;

    return rc;
}


static ngx_int_t
ngx_wassiit_resp_byte(ngx_wassiit_resp_parser_t *parser, u_char c)
{
    switch (parser->state) {

    case STATE_TYPE:
        return ngx_wassiit_resp_type(parser, c);

    case STATE_LINE:
        if (c == LF) {
            return NGX_ERROR;
        }

        if (c == CR) {
            parser->state = STATE_LINE_LF;
        }

        return NGX_AGAIN;

    case STATE_LINE_LF:
        return (c == LF) ? ngx_wassiit_resp_ended(parser) : NGX_ERROR;

    case STATE_NUMBER:
        return ngx_wassiit_resp_digit(parser, c);

    case STATE_NUMBER_LF:
        return (c == LF) ? ngx_wassiit_resp_counted(parser) : NGX_ERROR;

    default: /* STATE_STRING */

        if (c != (parser->skip == 2 ? CR : LF)) {
            return NGX_ERROR;
        }

        return --parser->skip ? NGX_AGAIN : ngx_wassiit_resp_ended(parser);
    }
}


static ngx_int_t
ngx_wassiit_resp_type(ngx_wassiit_resp_parser_t *parser, u_char c)
{
    parser->type = c;
    parser->number = 0;
    parser->digits = 0;
    parser->negative = 0;

    switch (c) {

    case '+':
    case '-':
        parser->state = STATE_LINE;
        return NGX_AGAIN;

    case ':':
    case '$':
    case '*':
        parser->state = STATE_NUMBER;
        return NGX_AGAIN;

    default:
        return NGX_ERROR;
    }
}


static ngx_int_t
ngx_wassiit_resp_digit(ngx_wassiit_resp_parser_t *parser, u_char c)
{
    if (c >= '0' && c <= '9' && parser->digits < NGX_WASSIIT_RESP_DIGITS) {
        parser->number = parser->number * 10 + (c - '0');
        parser->digits++;
        return NGX_AGAIN;
    }

    if (c == '-' && parser->digits == 0 && !parser->negative) {
        parser->negative = 1;
        return NGX_AGAIN;
    }

    if (c == CR && parser->digits
        && parser->number <= (uint64_t) INT64_MAX + parser->negative)
    {
        parser->state = STATE_NUMBER_LF;
        return NGX_AGAIN;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_wassiit_resp_counted(ngx_wassiit_resp_parser_t *parser)
{
    if (parser->type == ':') {
        return ngx_wassiit_resp_ended(parser);
    }

    if (parser->negative) {
        return (parser->number == 1) ? ngx_wassiit_resp_ended(parser)
                                     : NGX_ERROR;
    }

    if (parser->number > NGX_WASSIIT_RESP_MAX) {
        return NGX_ERROR;
    }

    if (parser->type == '$') {
        /* len hasn't this LF yet */

        if (parser->len + 1 + parser->number + 2 > NGX_WASSIIT_RESP_MAX) {
            return NGX_ERROR;
        }

        parser->skip = parser->number + 2;
        parser->state = STATE_STRING;
        return NGX_AGAIN;
    }

    if (parser->depth == NGX_WASSIIT_RESP_DEPTH) {
        return NGX_ERROR;
    }

    if (parser->number == 0) {
        return ngx_wassiit_resp_ended(parser);
    }

    parser->left[parser->depth++] = parser->number;
    parser->state = STATE_TYPE;

    return NGX_AGAIN;
}


/* An element has ended, and with it the arrays of which it is the last. */

static ngx_int_t
ngx_wassiit_resp_ended(ngx_wassiit_resp_parser_t *parser)
{
    parser->state = STATE_TYPE;

    while (parser->depth && --parser->left[parser->depth - 1] == 0) {
        parser->depth--;
    }

    return parser->depth ? NGX_AGAIN : NGX_OK;
}


void
ngx_wassiit_resp_first(ngx_wassiit_resp_t *resp, u_char *p, size_t len)
{
    resp->next = p;
    resp->last = p + len;

    ngx_wassiit_resp_read(resp);
}


ngx_int_t
ngx_wassiit_resp_next(ngx_wassiit_resp_t *resp)
{
    if (resp->next == resp->last) {
        return NGX_DONE;
    }

    ngx_wassiit_resp_read(resp);

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_resp_skip(ngx_wassiit_resp_t *resp)
{
    ngx_uint_t          n;
    ngx_wassiit_resp_t  at;

    at = *resp;

    for (n = at.count; n; n--) {
        (void) ngx_wassiit_resp_next(&at);
        n += at.count;
    }

    if (ngx_wassiit_resp_next(&at) == NGX_DONE) {
        return NGX_DONE;
    }

    *resp = at;

    return NGX_OK;
}


/* The element that begins at resp->next: the parser has passed it. */

static void
ngx_wassiit_resp_read(ngx_wassiit_resp_t *resp)
{
    u_char   *line, *cr, type;
    int64_t   number;

    type = *resp->next;
    line = resp->next + 1;
    cr = ngx_strlchr(line, resp->last, CR);

    resp->next = cr + 2;
    resp->number = 0;
    resp->count = 0;
    ngx_str_null(&resp->text);

    if (type == '+' || type == '-') {
        resp->type = (type == '+') ? NGX_WASSIIT_RESP_STATUS
                                   : NGX_WASSIIT_RESP_ERROR;
        resp->text.data = line;
        resp->text.len = cr - line;
        return;
    }

    number = 0;
    (void) ngx_wassiit_resp_digits(line, cr, &number);

    if (type == ':') {
        resp->type = NGX_WASSIIT_RESP_NUMBER;
        resp->number = number;
        return;
    }

    if (*line == '-') {
        resp->type = NGX_WASSIIT_RESP_NIL;
        return;
    }

    if (type == '*') {
        resp->type = NGX_WASSIIT_RESP_ARRAY;
        resp->count = number;
        return;
    }

    resp->type = NGX_WASSIIT_RESP_STRING;
    resp->text.data = resp->next;
    resp->text.len = number;
    resp->next += number + 2;
}


ngx_uint_t
ngx_wassiit_resp_is(ngx_wassiit_resp_t *resp, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return resp->text.data && resp->text.len == len
           && ngx_memcmp(resp->text.data, text, len) == 0;
}


ngx_int_t
ngx_wassiit_resp_number(ngx_wassiit_resp_t *resp, int64_t *number)
{
    if (resp->type == NGX_WASSIIT_RESP_NUMBER) {
        *number = resp->number;
        return NGX_OK;
    }

    if (resp->text.data == NULL || resp->type == NGX_WASSIIT_RESP_ERROR) {
        return NGX_ERROR;
    }

    return ngx_wassiit_resp_digits(resp->text.data,
                                   resp->text.data + resp->text.len, number);
}


static ngx_int_t
ngx_wassiit_resp_digits(const u_char *p, const u_char *last, int64_t *number)
{
    uint64_t    n;
    ngx_uint_t  negative;

    negative = (p < last && *p == '-');
    p += negative;

    if (p == last || last - p > NGX_WASSIIT_RESP_DIGITS) {
        return NGX_ERROR;
    }

    for (n = 0; p < last; p++) {
        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        n = n * 10 + (*p - '0');
    }

    if (n > (uint64_t) INT64_MAX + negative) {
        return NGX_ERROR;
    }

    *number = negative ? (int64_t) (0 - n) : (int64_t) n;

    return NGX_OK;
}


size_t
ngx_wassiit_resp_print(const ngx_str_t *text, u_char *to, size_t size)
{
    size_t  i, len;

    len = ngx_min(text->len, size);

    for (i = 0; i < len; i++) {
        to[i] = (text->data[i] >= 0x20 && text->data[i] < 0x7f) ? text->data[i]
                                                                : '?';
    }

    return len;
}


size_t
ngx_wassiit_resp_size(const ngx_str_t *args, ngx_uint_t n)
{
    size_t      size;
    ngx_uint_t  i;

    size = sizeof("*") - 1 + NGX_SIZE_T_LEN + 2;

    for (i = 0; i < n; i++) {
        size += sizeof("$") - 1 + NGX_SIZE_T_LEN + 2 + args[i].len + 2;
    }

    return size;
}


u_char *
ngx_wassiit_resp_write(u_char *p, const ngx_str_t *args, ngx_uint_t n)
{
    ngx_uint_t  i;

    p = ngx_wassiit_resp_write_number(p, '*', n);

    for (i = 0; i < n; i++) {
        p = ngx_wassiit_resp_write_number(p, '$', args[i].len);

        if (args[i].len) {
            p = ngx_cpymem(p, args[i].data, args[i].len);
        }

        *p++ = CR;
        *p++ = LF;
    }

    return p;
}


static u_char *
ngx_wassiit_resp_write_number(u_char *p, u_char type, size_t number)
{
    size_t   n;
    u_char  *first;

    *p++ = type;

    for (n = number; n >= 10; n /= 10) {
        p++;
    }

    first = p++;

    for (n = number; first[0] = '0' + n % 10, n >= 10; n /= 10) {
        first--;
    }

    *p++ = CR;
    *p++ = LF;

    return p;
}
