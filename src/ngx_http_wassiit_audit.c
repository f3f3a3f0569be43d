
#include "ngx_http_wassiit_admin_path.h"
#include "ngx_http_wassiit_audit.h"
#include "ngx_http_wassiit_ctx.h"


/* bytes of the text of a change, and of them those for what is omitted */
#define AUDIT_CHANGE            2048
#define AUDIT_OMITTED           64


static void ngx_http_wassiit_audit_cleanup(void *data);
static ngx_http_wassiit_audit_t *ngx_http_wassiit_audit(
    ngx_http_request_t *r);
static void ngx_http_wassiit_audit_copy(ngx_http_request_t *r, ngx_str_t *to,
    const ngx_str_t *id);
static void ngx_http_wassiit_audit_keep(ngx_http_request_t *r, ngx_str_t *to,
    const u_char *data, size_t len);


/* by ngx_http_wassiit_audit_e */

const ngx_str_t  ngx_http_wassiit_audit_results[] = {
    ngx_string(""),
    ngx_string("done"),
    ngx_string("refused"),
    ngx_string("failed")
};


/* All that a log may have: neither a key nor a secret is a value of these. */

static const char  *ngx_http_wassiit_audit_fields[] = {
    "id",
    "name",
    "enabled",
    "rate",
    "grace",
    "scopes",
    NULL
};


ngx_int_t
ngx_http_wassiit_audit_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_zone_t *zone)
{
    ngx_str_t                     id, key_id;
    ngx_http_cleanup_t           *cln;
    ngx_http_wassiit_audit_t     *audit;
    ngx_http_wassiit_change_e     what;
    ngx_http_wassiit_resource_e   resource;

    if (ctx->audit) {
        return NGX_OK;
    }

    resource = ngx_http_wassiit_admin_resource(r, &id, &key_id);
    what = ngx_http_wassiit_admin_what(r, resource);

    if (what == NGX_HTTP_WASSIIT_CHANGE_NONE) {
        return NGX_OK;
    }

    audit = ngx_pcalloc(r->pool, sizeof(ngx_http_wassiit_audit_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (audit == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_wassiit_audit_cleanup;
    cln->data = audit;

    audit->zone = zone;
    audit->operation = what;
    ctx->audit = audit;

    ngx_http_wassiit_audit_partner(r, &id);

    if (what == NGX_HTTP_WASSIIT_CHANGE_REVOKE) {
        ngx_http_wassiit_audit_key(r, &key_id);
    }

    return NGX_OK;
}


/* The request is about to be logged, or to be once its change is made. */

static void
ngx_http_wassiit_audit_cleanup(void *data)
{
    ngx_http_wassiit_audit_t  *audit = data;

    audit->ended = 1;
}


static ngx_http_wassiit_audit_t *
ngx_http_wassiit_audit(ngx_http_request_t *r)
{
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_http_wassiit_get_ctx(r);

    return ctx ? ctx->audit : NULL;
}


void
ngx_http_wassiit_audit_partner(ngx_http_request_t *r, const ngx_str_t *id)
{
    ngx_http_wassiit_audit_t  *audit;

    audit = ngx_http_wassiit_audit(r);

    if (audit) {
        ngx_http_wassiit_audit_copy(r, &audit->partner, id);
    }
}


void
ngx_http_wassiit_audit_key(ngx_http_request_t *r, const ngx_str_t *id)
{
    ngx_http_wassiit_audit_t  *audit;

    audit = ngx_http_wassiit_audit(r);

    if (audit) {
        ngx_http_wassiit_audit_copy(r, &audit->key_id, id);
    }
}


/* What is no id may be anything, which is for no log. */

static void
ngx_http_wassiit_audit_copy(ngx_http_request_t *r, ngx_str_t *to,
    const ngx_str_t *id)
{
    if (ngx_http_wassiit_record_is_id(id->data, id->len)) {
        ngx_http_wassiit_audit_keep(r, to, id->data, id->len);
    }
}


static void
ngx_http_wassiit_audit_keep(ngx_http_request_t *r, ngx_str_t *to,
    const u_char *data, size_t len)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, len);

    if (p) {
        ngx_memcpy(p, data, len);
        to->data = p;
        to->len = len;
    }
}


void
ngx_http_wassiit_audit_change(ngx_http_request_t *r, const json_t *body)
{
    size_t                     len, room;
    u_char                    *p, *last, *from, *o;
    u_char                     text[AUDIT_CHANGE], omitted[AUDIT_OMITTED];
    const char               **field;
    const json_t              *value;
    ngx_http_wassiit_audit_t  *audit;

    audit = ngx_http_wassiit_audit(r);

    if (audit == NULL) {
        return;
    }

    p = text;
    last = text + AUDIT_CHANGE - AUDIT_OMITTED;
    o = omitted;

    for (field = ngx_http_wassiit_audit_fields; *field; field++) {
        value = json_object_get(body, *field);

        if (value == NULL) {
            continue;
        }

        from = ngx_slprintf(p, last, "%c\"%s\":", p == text ? '{' : ',',
                            *field);
        room = last - from;

        len = json_dumpb(value, (char *) from, room,
                         JSON_COMPACT|JSON_ENSURE_ASCII|JSON_ENCODE_ANY);

        if (len == 0 || len > room) {
            o = ngx_sprintf(o, ",\"%s\"", *field);
            continue;
        }

        p = from + len;
    }

    if (o > omitted) {
        p = ngx_sprintf(p, "%c\"omitted\":[%*s]", p == text ? '{' : ',',
                        (size_t) (o - omitted) - 1, &omitted[1]);
    }

    if (p == text) {
        return;
    }

    *p++ = '}';

    ngx_http_wassiit_audit_keep(r, &audit->change, text, p - text);
}


void
ngx_http_wassiit_audit_end(ngx_http_request_t *r,
    ngx_http_wassiit_audit_e result)
{
    ngx_http_wassiit_audit_t  *audit;

    audit = ngx_http_wassiit_audit(r);

    if (audit) {
        audit->result = result;
    }
}


ngx_http_wassiit_audit_e
ngx_http_wassiit_audit_result(ngx_http_request_t *r)
{
    ngx_uint_t                 status;
    ngx_http_wassiit_audit_t  *audit;
    ngx_http_wassiit_audit_e   result;

    r = r->main;

    audit = ngx_http_wassiit_audit(r);
    result = audit ? audit->result : NGX_HTTP_WASSIIT_AUDIT_OPEN;

    if (audit && result == NGX_HTTP_WASSIIT_AUDIT_OPEN) {
        status = r->err_status ? r->err_status : r->headers_out.status;

        if (status || audit->ended) {
            result = (status >= NGX_HTTP_INTERNAL_SERVER_ERROR)
                     ? NGX_HTTP_WASSIIT_AUDIT_FAILED
                     : NGX_HTTP_WASSIIT_AUDIT_REFUSED;
        }
    }

    return result;
}
