
#include "ngx_http_wassiit_arena.h"
#include "ngx_http_wassiit_body.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"
#include "ngx_http_wassiit_json.h"
#include "ngx_http_wassiit_payload.h"
#include "ngx_wassiit_multipart.h"
#include "ngx_wassiit_rules.h"


/* jansson's memory while a body is parsed: most need no more than this */
#define PAYLOAD_MEMORY       16384


static const void *ngx_http_wassiit_payload_wanted(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf);
static ngx_int_t ngx_http_wassiit_payload_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_payload_expect(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_uint_t ngx_http_wassiit_payload_is_form(ngx_uint_t payload);
static ngx_str_t *ngx_http_wassiit_payload_type(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_uint_t ngx_http_wassiit_payload_is_json(ngx_str_t *type,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_payload_media(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_payload_feed(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *piece);
static ngx_int_t ngx_http_wassiit_payload_end(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_payload_form(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload);
static ngx_int_t ngx_http_wassiit_payload_json(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload);
static ngx_int_t ngx_http_wassiit_payload_parse(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t payload);
static ngx_int_t ngx_http_wassiit_payload_verdict(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, json_t *errors);


static const ngx_http_wassiit_check_t  ngx_http_wassiit_payload_check = {
    .wanted = ngx_http_wassiit_payload_wanted,
    .begin = ngx_http_wassiit_payload_begin,
    .feed = ngx_http_wassiit_payload_feed,
    .end = ngx_http_wassiit_payload_end,
    .verdict = 1,
    .slow = 1
};


/* by value of wassiit_payload; there is none for "off", nor for forms */

static const ngx_wassiit_rule_e
    ngx_http_wassiit_rules[NGX_HTTP_WASSIIT_PAYLOAD_DOCUMENT + 1] =
{
    [NGX_HTTP_WASSIIT_PAYLOAD_MESSAGE] = NGX_WASSIIT_RULE_MESSAGE,
    [NGX_HTTP_WASSIIT_PAYLOAD_CALL] = NGX_WASSIIT_RULE_CALL,
    [NGX_HTTP_WASSIIT_PAYLOAD_AUTOMATION] = NGX_WASSIIT_RULE_AUTOMATION
};


static u_char   ngx_http_wassiit_payload_memory[PAYLOAD_MEMORY]
    __attribute__((aligned(NGX_ALIGNMENT)));

static ngx_http_wassiit_arena_t  ngx_http_wassiit_payload_arena = {
    ngx_http_wassiit_payload_memory, PAYLOAD_MEMORY, 0, 0
};


static const void *
ngx_http_wassiit_payload_wanted(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf)
{
    if (wlcf->payload == NGX_HTTP_WASSIIT_PAYLOAD_OFF
        || (!ngx_http_wassiit_has_body(r)
            && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))))
    {
        return NULL;
    }

    return &ngx_http_wassiit_rules[wlcf->payload];
}


static ngx_int_t
ngx_http_wassiit_payload_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    if (ctx->form == NULL) {
        ctx->form = ngx_pcalloc(r->pool, sizeof(ngx_http_wassiit_form_t));
        if (ctx->form == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    ctx->form->multipart = NULL;
    ctx->form->late = 0;

    if ((r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && r->headers_in.content_length_n <= 0)
    {
        /* by HTTP/2, only the end may tell that there is none */
        ctx->form->late = 1;
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
    ngx_wassiit_multipart_t      *multipart;
    ngx_http_wassiit_form_t      *form;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    form = ctx->form;
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    form->is_form = ngx_http_wassiit_payload_is_form(wlcf->payload);

    type = ngx_http_wassiit_payload_type(r, ctx);

    if (!form->is_form) {

        if (type == NULL || !ngx_http_wassiit_payload_is_json(type, ctx)) {
            return ngx_http_wassiit_payload_media(r, ctx);
        }

        if (r->headers_in.content_length_n > NGX_HTTP_WASSIIT_JSON_MAX) {
            return ngx_http_wassiit_refuse(r, ctx,
                                           NGX_HTTP_WASSIIT_TOO_LARGE);
        }

        return NGX_OK;
    }

    rc = NGX_DECLINED;
    multipart = NULL;

    if (type) {
        multipart = ngx_palloc(r->pool, sizeof(ngx_wassiit_multipart_t));
        if (multipart == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        form->multipart = multipart;

        rc = ngx_wassiit_multipart_init(multipart, type->data, type->len);
    }

    if (rc == NGX_ABORT) {
        form->media = NGX_HTTP_WASSIIT_MEDIA_CHARSET;
        form->media_name = multipart->charset;
    }

    if (rc == NGX_DECLINED || rc == NGX_ABORT) {
        return ngx_http_wassiit_payload_media(r, ctx);
    }

    if (rc == NGX_ERROR) {
        errors = NULL;

        if (ngx_wassiit_rules_fault(&errors, "#", multipart->error, NULL, 0)
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
 * body than we: ctx->form->media then tells which.
 */

static ngx_str_t *
ngx_http_wassiit_payload_type(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
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
                ctx->form->media = NGX_HTTP_WASSIIT_MEDIA_TWICE;
                return NULL;
            }

            if (ngx_http_wassiit_is_header(&h[i], &names[1], 0)) {
                ctx->form->media = NGX_HTTP_WASSIIT_MEDIA_CODING;
                ctx->form->media_name = h[i].value;
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

    name = &ctx->form->media_name;
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
    ngx_http_wassiit_ctx_t *ctx)
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

    ctx->form->media = NGX_HTTP_WASSIIT_MEDIA_CHARSET;

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

    ctx->form->media_name.data = p;

    while (p < last && !ngx_strchr("; \t\"", *p)) {
        p++;
    }

    ctx->form->media_name.len = p - ctx->form->media_name.data;

    return 0;
}


static ngx_int_t
ngx_http_wassiit_payload_feed(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *piece)
{
    ngx_int_t                 rc;
    ngx_http_wassiit_form_t  *form;

    form = ctx->form;

    if (form->late) {
        form->late = 0;
        rc = ngx_http_wassiit_payload_expect(r, ctx);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (form->multipart == NULL) {
        /* it is parsed when it is there; before, it mustn't grow too long */

        return (ctx->body->size > NGX_HTTP_WASSIIT_JSON_MAX)
               ? ngx_http_wassiit_refuse(r, ctx, NGX_HTTP_WASSIIT_TOO_LARGE)
               : NGX_OK;
    }

    if (ngx_wassiit_multipart_parse(form->multipart, piece->data, piece->len)
        == NGX_OK
        || ctx->body->verdicts > 1)
    {
        /* whose signature is wrong isn't told of other faults */
        return NGX_OK;
    }

    return ngx_http_wassiit_payload_end(r, ctx);
}


static ngx_int_t
ngx_http_wassiit_payload_end(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_http_wassiit_loc_conf_t  *wlcf;

    if (ctx->form->late) {
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

    if (ngx_wassiit_multipart_check(ctx->form->multipart,
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

    if (ngx_http_wassiit_json_value(r, &json, &errors) != NGX_OK) {
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


/* Takes the reference to errors; NULL: there are none. */

static ngx_int_t
ngx_http_wassiit_payload_verdict(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, json_t *errors)
{
    ngx_int_t   rc;
    ngx_str_t   field;
    json_t     *pointer;

    if (errors == NULL) {
        return NGX_OK;
    }

    rc = ngx_http_wassiit_json_text(r, errors, 0, &ctx->form->faults);

    if (rc == NGX_OK) {
        /* "#/field", without what a client has named itself below it */

        pointer = json_object_get(json_array_get(errors, 0), "pointer");

        field.data = (u_char *) json_string_value(pointer);
        field.len = ngx_min(json_string_length(pointer), 2);
        field.len += strcspn((char *) field.data + field.len, "/");

        ctx->form->fault.data = ngx_pstrdup(r->pool, &field);
        ctx->form->fault.len = ctx->form->fault.data ? field.len : 0;
    }

    json_decref(errors);

    return (rc == NGX_OK)
           ? ngx_http_wassiit_refuse(r, ctx, NGX_HTTP_WASSIIT_INVALID_PAYLOAD)
           : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


void
ngx_http_wassiit_payload_init(void)
{
    ngx_http_wassiit_body_register(&ngx_http_wassiit_payload_check);
}
