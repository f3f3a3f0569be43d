
/* Payloads: does a body hold what the API asks for. */


#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"
#include "ngx_http_wassiit_arena.h"


/* jansson's memory while a body is parsed: most need no more than this */
#define PAYLOAD_MEMORY       16384


/* what jansson reads a body by that lies in pieces */

typedef struct {
    ngx_http_request_t        *request;
    ngx_http_wassiit_place_t   place;
    ngx_wassiit_depth_t        depth;
    ngx_uint_t                 deep;
    ngx_uint_t                 zeros;       /* bytes */
    ngx_uint_t                 failed;
} ngx_http_wassiit_reader_t;


static ngx_int_t ngx_http_wassiit_payload_expect(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_uint_t ngx_http_wassiit_payload_is_form(ngx_uint_t payload);
static ngx_str_t *ngx_http_wassiit_payload_type(ngx_http_request_t *r,
    ngx_http_wassiit_body_t *body);
static ngx_uint_t ngx_http_wassiit_payload_is_json(ngx_str_t *type,
    ngx_http_wassiit_body_t *body);
static ngx_int_t ngx_http_wassiit_payload_media(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_payload_form(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload);
static ngx_int_t ngx_http_wassiit_payload_json(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload);
static ngx_int_t ngx_http_wassiit_payload_parse(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload);
static json_t *ngx_http_wassiit_payload_load(ngx_http_request_t *r,
    ngx_http_wassiit_reader_t *reader, size_t flags, json_error_t *error);
static size_t ngx_http_wassiit_payload_read(void *buffer, size_t size,
    void *data);
static ngx_int_t ngx_http_wassiit_payload_broken(
    ngx_http_wassiit_reader_t *reader, json_error_t *error, json_t **errors);
static ngx_int_t ngx_http_wassiit_payload_verdict(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, json_t *errors);


static ngx_wassiit_rule_e  ngx_http_wassiit_rules[] = {
    NGX_WASSIIT_RULE_MESSAGE,               /* there is none for "off" */
    NGX_WASSIIT_RULE_MESSAGE,
    NGX_WASSIIT_RULE_CALL,
    NGX_WASSIIT_RULE_AUTOMATION
};


static u_char   ngx_http_wassiit_payload_memory[PAYLOAD_MEMORY]
    __attribute__((aligned(NGX_ALIGNMENT)));

static ngx_http_wassiit_arena_t  ngx_http_wassiit_payload_arena = {
    ngx_http_wassiit_payload_memory, PAYLOAD_MEMORY, 0, 0
};


ngx_int_t
ngx_http_wassiit_payload_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    if ((r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && r->headers_in.content_length_n <= 0)
    {
        /* by HTTP/2, only the end may tell that there is none */
        ctx->body->late = 1;
        return NGX_OK;
    }

    return ngx_http_wassiit_payload_expect(r, ctx);
}


/* What its header says of a body that is there, or to come. */

static ngx_int_t
ngx_http_wassiit_payload_expect(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_int_t                     rc;
    json_t                       *errors;
    ngx_str_t                    *type;
    ngx_http_wassiit_body_t      *body;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    body = ctx->body;
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    body->payload = wlcf->payload;

    type = ngx_http_wassiit_payload_type(r, body);

    if (!ngx_http_wassiit_payload_is_form(wlcf->payload)) {

        if (type == NULL || !ngx_http_wassiit_payload_is_json(type, body)) {
            return ngx_http_wassiit_payload_media(r, ctx);
        }

        if (r->headers_in.content_length_n > NGX_HTTP_WASSIIT_JSON_MAX) {
            return ngx_http_wassiit_refuse(r, ctx,
                                           NGX_HTTP_WASSIIT_TOO_LARGE);
        }

        return NGX_OK;
    }

    rc = NGX_DECLINED;

    if (type) {
        body->multipart = ngx_palloc(r->pool, sizeof(ngx_wassiit_multipart_t));
        if (body->multipart == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_wassiit_multipart_init(body->multipart, type->data,
                                        type->len);
    }

    if (rc == NGX_ABORT) {
        body->media = NGX_HTTP_WASSIIT_MEDIA_CHARSET;
        body->media_name = body->multipart->charset;
    }

    if (rc == NGX_DECLINED || rc == NGX_ABORT) {
        return ngx_http_wassiit_payload_media(r, ctx);
    }

    if (rc == NGX_ERROR) {
        errors = NULL;

        if (ngx_wassiit_rules_fault(&errors, "#", body->multipart->error,
                                    NULL, 0)
            != NGX_OK)
        {
            json_decref(errors);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_wassiit_payload_verdict(r, ctx, errors);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_wassiit_payload_is_form(ngx_uint_t payload)
{
    return payload >= NGX_HTTP_WASSIIT_PAYLOAD_AUDIO;
}


/*
 * The Content-Type; NULL if there is none, or two, of which a backend might
 * take the other, or a Content-Encoding, behind which it would find another
 * body than we: body->media then tells which.
 */

static ngx_str_t *
ngx_http_wassiit_payload_type(ngx_http_request_t *r,
    ngx_http_wassiit_body_t *body)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *type;

    static const ngx_str_t  names[] = {
        ngx_string("content-type"),
        ngx_string("content-encoding")
    };

    type = r->headers_in.content_type;

    for (part = &r->headers_in.headers.part; type && part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (&h[i] == type) {
                continue;
            }

            if (ngx_http_wassiit_is_header(&h[i], &names[0], 0)) {
                body->media = NGX_HTTP_WASSIIT_MEDIA_TWICE;
                return NULL;
            }

            if (ngx_http_wassiit_is_header(&h[i], &names[1], 0)) {
                body->media = NGX_HTTP_WASSIIT_MEDIA_CODING;
                body->media_name = h[i].value;
                return NULL;
            }
        }
    }

    return type ? &type->value : NULL;
}


/* A 415, with so much of the client's word as can stand in JSON as it is. */

static ngx_int_t
ngx_http_wassiit_payload_media(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    u_char     *p;
    size_t      i;
    ngx_str_t  *name;

    name = &ctx->body->media_name;
    name->len = ngx_min(name->len, NGX_WASSIIT_QUOTE);

    p = ngx_pnalloc(r->pool, NGX_WASSIIT_QUOTE);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (i = 0; i < name->len; i++) {
        p[i] = (isalnum(name->data[i])
                || ngx_strchr(" ,-._:+", name->data[i]))
               && name->data[i] ? name->data[i] : '?';
    }

    name->data = p;

    return ngx_http_wassiit_refuse(r, ctx,
                                   NGX_HTTP_WASSIIT_UNSUPPORTED_MEDIA_TYPE);
}


/* application/json, of no other charset than UTF-8 */

static ngx_uint_t
ngx_http_wassiit_payload_is_json(ngx_str_t *type,
    ngx_http_wassiit_body_t *body)
{
    u_char      *p, *last, *next;
    size_t       len;
    ngx_uint_t   i;

    static const char  *utf8[] = { "=utf-8", "=\"utf-8\"" };

    len = sizeof("application/json") - 1;

    if (type->len < len
        || ngx_strncasecmp(type->data, (u_char *) "application/json", len)
           != 0)
    {
        return 0;
    }

    p = type->data + len;
    last = type->data + type->len;

    if (p < last && *p != ';' && *p != ' ' && *p != '\t') {
        return 0;
    }

    p = ngx_strlcasestrn(p, last, (u_char *) "charset", 7 - 1);

    if (p == NULL) {
        return 1;
    }

    body->media = NGX_HTTP_WASSIIT_MEDIA_CHARSET;

    p += sizeof("charset") - 1;
    next = ngx_strlcasestrn(p, last, (u_char *) "charset", 7 - 1);

    for (i = 0; next == NULL && i < 2; i++) {
        len = ngx_strlen(utf8[i]);

        if ((size_t) (last - p) >= len
            && ngx_strncasecmp(p, (u_char *) utf8[i], len) == 0
            && (p + len == last || ngx_strchr("; \t", p[len])))
        {
            return 1;
        }
    }

    /* of two, the second is the one that is too much */

    p = next ? next + sizeof("charset") - 1 : p;

    while (p < last && ngx_strchr("= \t\"", *p)) {
        p++;
    }

    body->media_name.data = p;

    while (p < last && !ngx_strchr("; \t\"", *p)) {
        p++;
    }

    body->media_name.len = p - body->media_name.data;

    return 0;
}


ngx_int_t
ngx_http_wassiit_payload_feed(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, u_char *p, size_t len)
{
    ngx_int_t                 rc;
    ngx_http_wassiit_body_t  *body;

    body = ctx->body;

    if (body->late) {
        body->late = 0;
        rc = ngx_http_wassiit_payload_expect(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (body->multipart == NULL) {
        /* it is parsed when it is there; before, it mustn't grow too long */

        return (body->size > NGX_HTTP_WASSIIT_JSON_MAX)
               ? ngx_http_wassiit_refuse(r, ctx, NGX_HTTP_WASSIIT_TOO_LARGE)
               : NGX_OK;
    }

    if (ngx_wassiit_multipart_parse(body->multipart, p, len) == NGX_OK
        || body->verify)
    {
        /* whose signature is wrong isn't told of other faults */
        return NGX_OK;
    }

    return ngx_http_wassiit_payload_end(r, ctx);
}


ngx_int_t
ngx_http_wassiit_payload_end(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_http_wassiit_loc_conf_t  *wlcf;

    if (ctx->body->late) {
        /* nothing has come */
        return NGX_OK;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    return ngx_http_wassiit_payload_is_form(wlcf->payload)
           ? ngx_http_wassiit_payload_form(r, ctx, wlcf->payload)
           : ngx_http_wassiit_payload_json(r, ctx, wlcf->payload);
}


static ngx_int_t
ngx_http_wassiit_payload_form(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload)
{
    json_t  *errors;

    errors = NULL;

    if (ngx_wassiit_multipart_check(ctx->body->multipart,
                                    payload == NGX_HTTP_WASSIIT_PAYLOAD_AUDIO,
                                    &errors)
        != NGX_OK)
    {
        json_decref(errors);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_wassiit_payload_verdict(r, ctx, errors);
}


static ngx_int_t
ngx_http_wassiit_payload_json(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload)
{
    ngx_int_t  rc;

    ngx_http_wassiit_arena_enter(&ngx_http_wassiit_payload_arena);

    rc = ngx_http_wassiit_payload_parse(r, ctx, payload);

    ngx_http_wassiit_arena_leave();

    return rc;
}


static ngx_int_t
ngx_http_wassiit_payload_parse(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload)
{
    json_t     *json, *errors;
    ngx_int_t   rc;

    errors = NULL;

    if (ngx_http_wassiit_payload_value(r, &json, &errors) != NGX_OK) {
        json_decref(errors);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (json) {
        rc = ngx_wassiit_rules_check(ngx_http_wassiit_rules[payload], json,
                                     &errors);
        json_decref(json);

        if (rc != NGX_OK) {
            json_decref(errors);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    return ngx_http_wassiit_payload_verdict(r, ctx, errors);
}


ngx_int_t
ngx_http_wassiit_payload_value(ngx_http_request_t *r, json_t **json,
    json_t **errors)
{
    size_t                     flags;
    json_error_t               error;
    ngx_http_wassiit_reader_t  reader;

    /* JSON's integers may be longer than jansson's */

    flags = JSON_REJECT_DUPLICATES|JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL
            |JSON_ALLOW_NUL;

    *json = ngx_http_wassiit_payload_load(r, &reader, flags, &error);

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
                 : ngx_http_wassiit_payload_broken(&reader, &error, errors);
}


/* From where it lies, if that is one piece. */

static json_t *
ngx_http_wassiit_payload_load(ngx_http_request_t *r,
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

    return json_load_callback(ngx_http_wassiit_payload_read, reader, flags,
                              error);
}


static size_t
ngx_http_wassiit_payload_read(void *buffer, size_t size, void *data)
{
    ngx_http_wassiit_reader_t *reader = data;

    ngx_str_t  piece;

    switch (ngx_http_wassiit_body_next(reader->request, &reader->place, size,
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
ngx_http_wassiit_payload_broken(ngx_http_wassiit_reader_t *reader,
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


/* Takes the reference to errors; NULL: there are none. */

static ngx_int_t
ngx_http_wassiit_payload_verdict(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, json_t *errors)
{
    ngx_int_t  rc;

    if (errors == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_wassiit_payload_text(r, errors, 0, &ctx->body->faults);

    json_decref(errors);

    return (rc == NGX_OK)
           ? ngx_http_wassiit_refuse(r, ctx, NGX_HTTP_WASSIIT_INVALID_PAYLOAD)
           : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_wassiit_payload_text(ngx_http_request_t *r, json_t *json,
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
