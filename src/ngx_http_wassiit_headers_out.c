
#include "ngx_http_wassiit_headers_out.h"
#include "ngx_http_wassiit_limit.h"


static ngx_uint_t ngx_http_wassiit_is_limit_header(ngx_str_t *name);
static ngx_int_t ngx_http_wassiit_add_header(ngx_http_request_t *r,
    ngx_uint_t name, u_char *value, u_char *last);
static u_char *ngx_http_wassiit_number(u_char *p, ngx_uint_t n);


enum {
    HEADER_POLICY = 0,
    HEADER_NOW,
    HEADER_LIMIT,
    HEADER_REMAINING,
    HEADER_RESET,
    HEADER_RETRY_AFTER,
    HEADER_WWW_AUTHENTICATE,
    HEADER_CACHE_CONTROL,
    HEADER_ACCEPT_ENCODING,
    HEADERS
};


static ngx_str_t  ngx_http_wassiit_header_names[] = {
    ngx_string("RateLimit-Policy"),
    ngx_string("RateLimit"),
    ngx_string("X-RateLimit-Limit"),
    ngx_string("X-RateLimit-Remaining"),
    ngx_string("X-RateLimit-Reset"),
    ngx_string("Retry-After"),
    ngx_string("WWW-Authenticate"),
    ngx_string("Cache-Control"),
    ngx_string("Accept-Encoding")
};


ngx_int_t
ngx_http_wassiit_limit_headers(ngx_http_request_t *r,
    ngx_wassiit_usage_t *usage)
{
    u_char  *p, *policy, *limit, *limit_end, *now, *remaining,
            *remaining_end, *reset;

    p = ngx_pnalloc(r->pool, sizeof("\"default\";q=;w=") - 1
                             + sizeof("\"default\";r=;t=") - 1
                             + 3 * NGX_INT32_LEN + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    policy = p;
    p = ngx_cpymem(p, "\"default\";q=", sizeof("\"default\";q=") - 1);
    limit = p;
    p = ngx_http_wassiit_number(p, usage->limit);
    limit_end = p;
    p = ngx_cpymem(p, ";w=", sizeof(";w=") - 1);
    p = ngx_http_wassiit_number(p, usage->seconds);

    now = p;
    p = ngx_cpymem(p, "\"default\";r=", sizeof("\"default\";r=") - 1);
    remaining = p;
    p = ngx_http_wassiit_number(p, usage->remaining);
    remaining_end = p;
    p = ngx_cpymem(p, ";t=", sizeof(";t=") - 1);
    reset = p;
    p = ngx_http_wassiit_number(p, ngx_http_wassiit_reset(usage));

    if (ngx_http_wassiit_add_header(r, HEADER_POLICY, policy, now) != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_NOW, now, p) != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_LIMIT, limit, limit_end)
           != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_REMAINING, remaining,
                                       remaining_end)
           != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_RESET, reset, p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_wassiit_drop_limit_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_wassiit_is_limit_header(&h[i].key)) {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_uint_t
ngx_http_wassiit_is_limit_header(ngx_str_t *name)
{
    ngx_str_t   *limit;
    ngx_uint_t   i;

    if (name->len < sizeof("RateLimit") - 1
        || (((name->data[0] | 0x20) != 'r') && (name->data[0] | 0x20) != 'x'))
    {
        /* most are none */
        return 0;
    }

    for (i = HEADER_POLICY; i <= HEADER_RESET; i++) {
        limit = &ngx_http_wassiit_header_names[i];

        if (name->len == limit->len
            && ngx_strncasecmp(name->data, limit->data, limit->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_wassiit_no_store(ngx_http_request_t *r)
{
    static u_char  value[] = "no-store";

    return ngx_http_wassiit_add_header(r, HEADER_CACHE_CONTROL, value,
                                       value + sizeof(value) - 1);
}


ngx_int_t
ngx_http_wassiit_refusal_header(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    u_char           *p, *value;
    ngx_uint_t        retry;
    const ngx_str_t  *what;

    static u_char  identity[] = "identity";

    if (r->err_status == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE) {

        if (ctx->form->media != NGX_HTTP_WASSIIT_MEDIA_CODING) {
            return NGX_OK;
        }

        /* RFC 9110, section 15.5.16 */

        return ngx_http_wassiit_add_header(r, HEADER_ACCEPT_ENCODING, identity,
                                           identity + sizeof(identity) - 1);
    }

    what = ctx->webhook ? ctx->webhook : &ctx->zone->name;

    value = ngx_pnalloc(r->pool, sizeof("HMAC-SHA256 header=\"\"") - 1
                                 + NGX_INT_T_LEN + what->len);
    if (value == NULL) {
        return NGX_ERROR;
    }

    switch (r->err_status) {

    case NGX_HTTP_UNAUTHORIZED:
        p = ngx_sprintf(value,
                        ctx->webhook ? "HMAC-SHA256 header=\"%V\""
                                             : "ApiKey realm=\"%V\"", what);

        return ngx_http_wassiit_add_header(r, HEADER_WWW_AUTHENTICATE, value,
                                           p);

    case NGX_HTTP_TOO_MANY_REQUESTS:
        retry = ngx_http_wassiit_reset(&ctx->usage);
        p = ngx_http_wassiit_number(value, ngx_max(retry, 1));

        return ngx_http_wassiit_add_header(r, HEADER_RETRY_AFTER, value, p);

    default:
        return NGX_OK;
    }
}


void
ngx_http_wassiit_clear_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i, name;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (name = 0; name < HEADERS; name++) {

                /* ours, not one of another's of the same name */

                if (h[i].key.data == ngx_http_wassiit_header_names[name].data) {
                    h[i].hash = 0;
                }
            }
        }
    }
}


static ngx_int_t
ngx_http_wassiit_add_header(ngx_http_request_t *r, ngx_uint_t name,
    u_char *value, u_char *last)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key = ngx_http_wassiit_header_names[name];
    h->value.len = last - value;
    h->value.data = value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


static u_char *
ngx_http_wassiit_number(u_char *p, ngx_uint_t n)
{
    u_char  *digit, digits[NGX_INT_T_LEN];

    digit = digits + NGX_INT_T_LEN;

    do {
        *--digit = '0' + n % 10;
        n /= 10;
    } while (n);

    return ngx_cpymem(p, digit, digits + NGX_INT_T_LEN - digit);
}
