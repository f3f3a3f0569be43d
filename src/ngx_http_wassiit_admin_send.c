
#include "ngx_http_wassiit_admin_send.h"
#include "ngx_http_wassiit_arena.h"
#include "ngx_http_wassiit_etag.h"
#include "ngx_http_wassiit_json.h"
#include "ngx_http_wassiit_reply.h"


#define ADMIN_MEMORY            262144


static void ngx_http_wassiit_admin_wipe(void *data);


/* jansson's memory while an answer is made */

static u_char  ngx_http_wassiit_admin_memory[ADMIN_MEMORY]
    __attribute__((aligned(NGX_ALIGNMENT)));

static ngx_http_wassiit_arena_t  ngx_http_wassiit_admin_arena = {
    ngx_http_wassiit_admin_memory, ADMIN_MEMORY, 0, 0
};


void
ngx_http_wassiit_admin_begin(void)
{
    ngx_http_wassiit_arena_enter(&ngx_http_wassiit_admin_arena);
}


ngx_int_t
ngx_http_wassiit_admin_send(ngx_http_request_t *r, ngx_uint_t status,
    json_t *json)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_str_t           *text;
    ngx_chain_t          out;
    ngx_pool_cleanup_t  *cln;

    b = ngx_calloc_buf(r->pool);
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));
    text = cln ? cln->data : NULL;
    rc = NGX_ERROR;

    if (json && b && text) {
        rc = ngx_http_wassiit_json_text(r, json,
                                        ngx_http_wassiit_admin_arena.used / 2,
                                        text);
    }

    json_decref(json);

    ngx_http_wassiit_arena_leave();
    ngx_http_wassiit_arena_wipe(&ngx_http_wassiit_admin_arena);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a key or a secret may be in it */
    cln->handler = ngx_http_wassiit_admin_wipe;

    r->headers_out.status = status;
    r->headers_out.content_length_n = text->len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_wassiit_admin_wipe(void *data)
{
    ngx_str_t *text = data;

    ngx_explicit_memzero(text->data, text->len);
}


ngx_int_t
ngx_http_wassiit_admin_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


/*
 * It isn't made known as headers_out.etag: nginx would make it a weak one where
 * it compresses the answer, and If-Match never matches a weak one.
 */

ngx_int_t
ngx_http_wassiit_admin_etag(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info)
{
    ngx_str_t  value;

    value.len = NGX_HTTP_WASSIIT_ETAG_LEN;
    value.data = ngx_pnalloc(r->pool, value.len);

    if (value.data == NULL) {
        return NGX_ERROR;
    }

    ngx_http_wassiit_etag_write(value.data, info->tag);

    return ngx_http_wassiit_admin_header(r, "ETag", &value);
}


ngx_int_t
ngx_http_wassiit_admin_error(ngx_http_request_t *r, ngx_int_t status,
    const char *fmt, ...)
{
    u_char     text[512];
    va_list    args;
    ngx_str_t  detail;

    va_start(args, fmt);
    detail.len = ngx_vslprintf(text, text + sizeof(text), fmt, args) - text;
    va_end(args);

    detail.data = text;

    return ngx_http_wassiit_send_error(r, status, &detail, NULL);
}
