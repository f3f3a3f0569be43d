
/*
 * RESP2: replies of any bytes, in pieces of any size, against a reader that has
 * all bytes at once and calls itself for an array's elements.  What the cursor
 * walks is what that reader found.
 */


#include "fuzz.h"

#include "ngx_wassiit_resp.h"


#define FUZZ_RESP_ELEMENTS  8192
#define FUZZ_RESP_MORE      ((size_t) -1)   /* may become a reply */
#define FUZZ_RESP_BROKEN    ((size_t) -2)


static size_t fuzz_resp_read(const u_char *p, size_t len, ngx_uint_t depth);
static size_t fuzz_resp_line(const u_char *p, size_t len);
static size_t fuzz_resp_number(const u_char *p, size_t len, int64_t *number);
static void fuzz_resp_walk(const u_char *p, size_t len);


static const uint8_t      *fuzz_resp_data;
static ngx_uint_t          fuzz_resp_n;
static ngx_wassiit_resp_t  fuzz_resp_found[FUZZ_RESP_ELEMENTS];


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                      at, n, used, expected;
    u_char                     *copy;
    ngx_int_t                   rc;
    ngx_wassiit_resp_parser_t   parser;

    if (size > FUZZ_SIZE) {
        return 0;
    }

    fuzz_seed(data, size);
    fuzz_resp_n = 0;
    fuzz_resp_data = data;
    expected = fuzz_resp_read(data, size, 0);

    memset(&parser, 0, sizeof(parser));
    rc = NGX_AGAIN;

    for (at = 0; at < size && rc == NGX_AGAIN; at += used) {
        n = fuzz_piece(size - at);
        copy = fuzz_copy(data + at, n);
        rc = ngx_wassiit_resp_parse(&parser, copy, n, &used);
        free(copy);

        fuzz_check(used <= n && (used == n || rc != NGX_AGAIN));
    }

    if (expected == FUZZ_RESP_MORE) {
        fuzz_check(rc == NGX_AGAIN);

    } else if (expected == FUZZ_RESP_BROKEN) {
        fuzz_check(rc == NGX_ERROR);

    } else {
        fuzz_check(rc == NGX_OK && at == expected && parser.len == expected);
        fuzz_resp_walk(data, expected);
    }

    return 0;
}


/* How long the element is that begins at p. */

static size_t
fuzz_resp_read(const u_char *p, size_t len, ngx_uint_t depth)
{
    size_t               used, n;
    int64_t              number;
    ngx_wassiit_resp_t  *found;

    if (len == 0) {
        return FUZZ_RESP_MORE;
    }

    found = &fuzz_resp_found[fuzz_resp_n];
    memset(found, 0, sizeof(ngx_wassiit_resp_t));
    fuzz_resp_n += (fuzz_resp_n < FUZZ_RESP_ELEMENTS - 1);

    if (*p == '+' || *p == '-') {
        used = fuzz_resp_line(p + 1, len - 1);

        if (used == FUZZ_RESP_MORE || used == FUZZ_RESP_BROKEN) {
            return used;
        }

        found->type = (*p == '+') ? NGX_WASSIIT_RESP_STATUS
                                  : NGX_WASSIIT_RESP_ERROR;
        found->text.len = used - 2;
        found->text.data = (u_char *) p + 1;

        return 1 + used;
    }

    if (*p != ':' && *p != '$' && *p != '*') {
        return FUZZ_RESP_BROKEN;
    }

    used = fuzz_resp_number(p + 1, len - 1, &number);

    if (used == FUZZ_RESP_MORE || used == FUZZ_RESP_BROKEN) {
        return used;
    }

    used++;

    if (*p == ':') {
        found->type = NGX_WASSIIT_RESP_NUMBER;
        found->number = number;
        return used;
    }

    if (p[1] == '-') {
        found->type = NGX_WASSIIT_RESP_NIL;
        return (number == -1) ? used : FUZZ_RESP_BROKEN;
    }

    if (number > NGX_WASSIIT_RESP_MAX) {
        return FUZZ_RESP_BROKEN;
    }

    if (*p == '$') {
        n = number;

        if (p + used + n + 2 - fuzz_resp_data > NGX_WASSIIT_RESP_MAX) {
            return FUZZ_RESP_BROKEN;
        }

        if (len - used > n && p[used + n] != '\r') {
            return FUZZ_RESP_BROKEN;
        }

        if (len - used > n + 1 && p[used + n + 1] != '\n') {
            return FUZZ_RESP_BROKEN;
        }

        found->type = NGX_WASSIIT_RESP_STRING;
        found->text.len = n;
        found->text.data = (u_char *) p + used;

        return (len - used < n + 2) ? FUZZ_RESP_MORE : used + n + 2;
    }

    if (depth == NGX_WASSIIT_RESP_DEPTH) {
        return FUZZ_RESP_BROKEN;
    }

    found->type = NGX_WASSIIT_RESP_ARRAY;
    found->count = number;

    while (number--) {
        n = fuzz_resp_read(p + used, len - used, depth + 1);

        if (n == FUZZ_RESP_MORE || n == FUZZ_RESP_BROKEN) {
            return n;
        }

        used += n;
    }

    return used;
}


static size_t
fuzz_resp_line(const u_char *p, size_t len)
{
    size_t  n;

    for (n = 0; n < len && p[n] != '\r' && p[n] != '\n'; n++) { /* void */ }

    if (n < len && p[n] == '\n') {
        return FUZZ_RESP_BROKEN;
    }

    if (n + 1 < len && p[n + 1] != '\n') {
        return FUZZ_RESP_BROKEN;
    }

    return (n + 2 <= len) ? n + 2 : FUZZ_RESP_MORE;
}


static size_t
fuzz_resp_number(const u_char *p, size_t len, int64_t *number)
{
    char    text[32];
    size_t  sign, n;

    sign = (len && *p == '-');

    for (n = sign; n < len && p[n] >= '0' && p[n] <= '9'; n++) {
        if (n == sign + 19) {
            return FUZZ_RESP_BROKEN;
        }
    }

    if (n == len) {
        return FUZZ_RESP_MORE;
    }

    if (n == sign || p[n] != '\r') {
        return FUZZ_RESP_BROKEN;
    }

    memcpy(text, p, n);
    text[n] = '\0';
    errno = 0;
    *number = strtoll(text, NULL, 10);

    if (errno || (n + 1 < len && p[n + 1] != '\n')) {
        return FUZZ_RESP_BROKEN;
    }

    return (n + 2 <= len) ? n + 2 : FUZZ_RESP_MORE;
}


static void
fuzz_resp_walk(const u_char *p, size_t len)
{
    u_char              *copy;
    ngx_uint_t           i;
    ngx_wassiit_resp_t   resp, *found;

    if (fuzz_resp_n == FUZZ_RESP_ELEMENTS - 1) {
        return;
    }

    copy = fuzz_copy(p, len);
    ngx_wassiit_resp_first(&resp, copy, len);

    for (i = 0; i < fuzz_resp_n; i++) {
        found = &fuzz_resp_found[i];

        fuzz_check(resp.type == found->type && resp.number == found->number
                   && resp.count == found->count
                   && resp.text.len == found->text.len);
        fuzz_check(found->text.data == NULL
                   ? resp.text.data == NULL
                   : resp.text.data - copy == found->text.data - p);

        fuzz_check(ngx_wassiit_resp_next(&resp)
                   == (i + 1 < fuzz_resp_n ? NGX_OK : NGX_DONE));
    }

    ngx_wassiit_resp_first(&resp, copy, len);
    fuzz_check(ngx_wassiit_resp_skip(&resp) == NGX_DONE);

    free(copy);
}
