
#include "ngx_http_wassiit_json.h"
#include "ngx_http_wassiit_pieces.h"
#include "ngx_wassiit_rules.h"


/* what jansson reads a body by that lies in pieces */

typedef struct {
    ngx_http_request_t        *request;
    ngx_http_wassiit_place_t   place;
    ngx_wassiit_depth_t        depth;
    ngx_uint_t                 deep;
    ngx_uint_t                 zeros;       /* bytes */
    ngx_uint_t                 failed;
} ngx_http_wassiit_reader_t;


static json_t *ngx_http_wassiit_json_load(ngx_http_request_t *r,
    ngx_http_wassiit_reader_t *reader, size_t flags, json_error_t *error);
static size_t ngx_http_wassiit_json_read(void *buffer, size_t size,
    void *data);
static ngx_int_t ngx_http_wassiit_json_broken(
    ngx_http_wassiit_reader_t *reader, json_error_t *error, json_t **errors);


ngx_int_t
ngx_http_wassiit_json_value(ngx_http_request_t *r, json_t **json,
    json_t **errors)
{
    size_t                     flags;
    json_error_t               error;
    ngx_http_wassiit_reader_t  reader;

    /* JSON's integers may be longer than jansson's */

    flags = JSON_REJECT_DUPLICATES|JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL
            |JSON_ALLOW_NUL;

    *json = ngx_http_wassiit_json_load(r, &reader, flags, &error);

    if (reader.failed) {
        json_decref(*json);
        *json = NULL;
        return NGX_ERROR;
    }

    if (*json && reader.zeros) {
        /* jansson passes over one that follows a number or a word */
        json_decref(*json);
        *json = NULL;

        return ngx_wassiit_rules_fault(errors, "#",
                                       "is not JSON: it has a zero byte",
                                       NULL, 0);
    }

    return *json ? NGX_OK
                 : ngx_http_wassiit_json_broken(&reader, &error, errors);
}


/* From where it lies, if that is one piece. */

static json_t *
ngx_http_wassiit_json_load(ngx_http_request_t *r,
    ngx_http_wassiit_reader_t *reader, size_t flags, json_error_t *error)
{
    size_t        len;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_memzero(reader, sizeof(ngx_http_wassiit_reader_t));

    cl = r->request_body ? r->request_body->bufs : NULL;

    if (cl && cl->next == NULL && ngx_buf_in_memory(cl->buf)) {
        b = cl->buf;
        len = b->last - b->pos;

        reader->zeros = (memchr(b->pos, '\0', len) != NULL);
        reader->deep = (!ngx_wassiit_shallow(b->pos, len)
                        && ngx_wassiit_depth(&reader->depth, b->pos, len)
                           != NGX_OK);

        return json_loadb((char *) b->pos, reader->deep ? 0 : len, flags,
                          error);
    }

    reader->request = r;
    reader->place.cl = cl;

    return json_load_callback(ngx_http_wassiit_json_read, reader, flags,
                              error);
}


static size_t
ngx_http_wassiit_json_read(void *buffer, size_t size, void *data)
{
    ngx_http_wassiit_reader_t *reader = data;

    ngx_str_t  piece;

    switch (ngx_http_wassiit_pieces_next(reader->request, &reader->place, size,
                                         &piece))
    {
    case NGX_OK:
        break;

    case NGX_DONE:
        return 0;

    default:
        reader->failed = 1;
        return (size_t) -1;
    }

    if (ngx_wassiit_depth(&reader->depth, piece.data, piece.len) != NGX_OK) {
        reader->deep = 1;
        return (size_t) -1;
    }

    reader->zeros |= (memchr(piece.data, '\0', piece.len) != NULL);

    ngx_memcpy(buffer, piece.data, piece.len);

    return piece.len;
}


/*
 * Says where it stops being JSON, and why; not in jansson's words, as these
 * quote what they like.
 */

static ngx_int_t
ngx_http_wassiit_json_broken(ngx_http_wassiit_reader_t *reader,
    json_error_t *error, json_t **errors)
{
    u_char       detail[128];
    const char  *what;

    if (reader->deep) {
        return ngx_wassiit_rules_fault(errors, "#",
                                       "is nested deeper than 32 levels",
                                       NULL, 0);
    }

    switch (json_error_code(error)) {

    case json_error_out_of_memory:
        return NGX_ERROR;

    case json_error_premature_end_of_input:
        if (error->position <= 0) {
            return ngx_wassiit_rules_fault(errors, "#", "is empty", NULL, 0);
        }

        what = "is not JSON: it ends too early";
        break;

    case json_error_invalid_utf8:
        what = "is not UTF-8";
        break;

    case json_error_duplicate_key:
        what = "has a key twice in one object";
        break;

    case json_error_numeric_overflow:
        what = "has a number that is too large";
        break;

    case json_error_null_byte_in_key:
        what = "has a key with U+0000 in it";
        break;

    default:
        what = "is not JSON";
    }

    ngx_sprintf(detail, "%s, at line %d, column %d%Z", what, error->line,
                ngx_max(error->column, 0));

    return ngx_wassiit_rules_fault(errors, "#", (char *) detail, NULL, 0);
}


ngx_int_t
ngx_http_wassiit_json_text(ngx_http_request_t *r, json_t *json,
    size_t guess, ngx_str_t *text)
{
    size_t  len, flags;

    flags = JSON_COMPACT|JSON_ENSURE_ASCII;

    text->len = guess;
    text->data = guess ? ngx_pnalloc(r->pool, guess) : NULL;

    len = json_dumpb(json, (char *) text->data, text->data ? guess : 0, flags);

    if (text->data && len <= guess) {
        text->len = len;
        return len ? NGX_OK : NGX_ERROR;
    }

    /* once more, now that its length is known; a key may be in it */

    if (text->data) {
        ngx_explicit_memzero(text->data, guess);
    }

    text->data = ngx_pnalloc(r->pool, len);
    text->len = text->data ? json_dumpb(json, (char *) text->data, len, flags)
                           : 0;

    return (len && text->len == len) ? NGX_OK : NGX_ERROR;
}
