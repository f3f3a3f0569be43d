
/* What travels upstream, and what doesn't. */


#include "ngx_http_wassiit_ctx.h"


static ngx_int_t ngx_http_wassiit_strip(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *webhook);
static ngx_int_t ngx_http_wassiit_sign_body(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign);
static ngx_int_t ngx_http_wassiit_inject(ngx_http_request_t *r,
    ngx_http_wassiit_signed_t *s);
static ngx_int_t ngx_http_wassiit_take_back(ngx_http_request_t *r);
static ngx_table_elt_t *ngx_http_wassiit_injected(ngx_http_request_t *r);
static ngx_table_elt_t *ngx_http_wassiit_push(ngx_http_request_t *r,
    const ngx_str_t *name, u_char *lowcase);
static ngx_int_t ngx_http_wassiit_own_headers(ngx_http_request_t *r);
static void ngx_http_wassiit_sign(ngx_http_wassiit_signed_t *s);
static ngx_int_t ngx_http_wassiit_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_wassiit_unlink(ngx_http_request_t *r,
    ngx_list_part_t *part, ngx_uint_t i);


static const ngx_str_t  ngx_http_wassiit_credentials[] = {
    ngx_string("x-api-key"),
    ngx_string("x-api-timestamp"),
    ngx_string("x-api-signature")
};

static const ngx_str_t  ngx_http_wassiit_credential_names[] = {
    ngx_string("X-API-Key"),
    ngx_string("X-API-Timestamp"),
    ngx_string("X-API-Signature")
};


static ngx_http_request_body_filter_pt   ngx_http_next_request_body_filter;


ngx_uint_t
ngx_http_wassiit_credential(ngx_table_elt_t *h, ngx_uint_t loose)
{
    u_char      c;
    size_t      i;
    ngx_uint_t  n;

    if (h->key.len < sizeof("x-api-key") - 1 || h->lowcase_key[0] != 'x') {
        /* most are none */
        return 0;
    }

    for (n = 0; n < 3; n++) {

        if (h->key.len != ngx_http_wassiit_credentials[n].len) {
            continue;
        }

        if (!loose && h->key.data == ngx_http_wassiit_credential_names[n].data)
        {
            /* one of ours, put there before an internal redirect */
            continue;
        }

        for (i = 0; i < h->key.len; i++) {
            c = h->lowcase_key[i];
            c = (loose && c == '_') ? '-' : c;

            if (c != ngx_http_wassiit_credentials[n].data[i]) {
                break;
            }
        }

        if (i == h->key.len) {
            return 1 << n;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_wassiit_strip_credentials(ngx_http_request_t *r)
{
    return ngx_http_wassiit_strip(r, NULL);
}


/* Takes out the webhook's header, or, without a webhook, the credentials. */

static ngx_int_t
ngx_http_wassiit_strip(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *webhook)
{
    ngx_uint_t        i;
    ngx_list_t       *list;
    ngx_list_part_t  *part, *prev;
    ngx_table_elt_t  *h;

    list = &r->headers_in.headers;
    prev = NULL;
    part = &list->part;
    i = 0;

    while (part) {

        if (i >= part->nelts) {
            prev = part;
            part = part->next;
            i = 0;
            continue;
        }

        h = (ngx_table_elt_t *) part->elts + i;

        if (webhook ? !ngx_http_wassiit_webhook_header(webhook, h, 1)
                    : !ngx_http_wassiit_credential(h, 1))
        {
            i++;
            continue;
        }

        if (part->nelts > 1) {
            if (ngx_http_wassiit_unlink(r, part, i) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        /* nobody expects a part without elements, the only one excepted */

        if (prev) {
            prev->next = part->next;

            if (part == list->last) {
                list->last = prev;
                list->nalloc = prev->nelts;
            }

            part = prev->next;

        } else if (part->next) {
            if (part->next == list->last) {
                list->last = part;
            }

            *part = *part->next;

        } else {
            part->nelts = 0;
        }
    }

    return NGX_OK;
}


/*
 * Takes element i out of a part that has others.  These must stay where they
 * are, as r->headers_in points to some; so the part is cut in two, unless
 * the element is its first or last.
 */

static ngx_int_t
ngx_http_wassiit_unlink(ngx_http_request_t *r, ngx_list_part_t *part,
    ngx_uint_t i)
{
    ngx_list_t       *list;
    ngx_list_part_t  *rest;

    list = &r->headers_in.headers;

    if (i + 1 == part->nelts) {
        part->nelts--;
        return NGX_OK;
    }

    if (part == list->last) {
        /* what ngx_list_push() may still put behind the removed one */
        list->nalloc -= i + 1;
    }

    if (i == 0) {
        part->elts = (ngx_table_elt_t *) part->elts + 1;
        part->nelts--;
        return NGX_OK;
    }

    rest = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
    if (rest == NULL) {
        return NGX_ERROR;
    }

    rest->elts = (ngx_table_elt_t *) part->elts + i + 1;
    rest->nelts = part->nelts - i - 1;
    rest->next = part->next;

    part->nelts = i;
    part->next = rest;

    if (part == list->last) {
        list->last = rest;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_sign_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_wassiit_signed_t    *s;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (wlcf->signer == NULL || wlcf->problem) {
        rc = r->internal ? ngx_http_wassiit_take_back(r) : NGX_OK;

    } else {
        s = ngx_http_wassiit_get_signed(r);
        rc = s ? ngx_http_wassiit_inject(r, s) : NGX_ERROR;
    }

    if (rc == NGX_OK && (wlcf->sign || r->internal)) {
        rc = ngx_http_wassiit_sign_body(r, wlcf->problem ? NULL : wlcf->sign);
    }

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_http_wassiit_signed_t *
ngx_http_wassiit_get_signed(ngx_http_request_t *r)
{
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_signed_t    *s;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);
    ctx = ngx_http_wassiit_own_ctx(r);

    if (ctx && ctx->signed_upstream
        && (wlcf->signer == NULL
            || wlcf->signer == ctx->signed_upstream->signer))
    {
        return ctx->signed_upstream;
    }

    if (wlcf->signer == NULL) {
        return NULL;
    }

    ctx = ngx_http_wassiit_need_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    s = ngx_pcalloc(r->pool, sizeof(ngx_http_wassiit_signed_t));
    if (s == NULL) {
        return NULL;
    }

    s->signer = wlcf->signer;
    ngx_http_wassiit_sign(s);

    ctx->signed_upstream = s;

    return s;
}


static void
ngx_http_wassiit_sign(ngx_http_wassiit_signed_t *s)
{
    u_char                     mac[NGX_WASSIIT_HMAC_LEN];
    ngx_wassiit_hmac_t         hmac;
    ngx_http_wassiit_signer_t *signer;

    signer = s->signer;

    if (s->settled) {
        return;
    }

    if (signer->time != ngx_time()) {
        signer->time = ngx_time();
        ngx_sprintf(signer->timestamp, "%010T", signer->time);

        ngx_wassiit_hmac_init(&hmac, &signer->secret);
        ngx_wassiit_hmac_update(&hmac, signer->key.data, signer->key.len);
        ngx_wassiit_hmac_update(&hmac, signer->timestamp,
                                NGX_HTTP_WASSIIT_TIME_LEN);
        ngx_wassiit_hmac_final(&hmac, &signer->secret, mac);

        ngx_wassiit_hmac_base64(signer->signature, mac);
    }

    ngx_memcpy(s->timestamp, signer->timestamp, NGX_HTTP_WASSIIT_TIME_LEN);
    ngx_memcpy(s->signature, signer->signature, NGX_WASSIIT_HMAC_BASE64);
}


/* Puts our headers in place of the client's. */

static ngx_int_t
ngx_http_wassiit_inject(ngx_http_request_t *r, ngx_http_wassiit_signed_t *s)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    /* it may be for another place, or from a while ago */
    ngx_http_wassiit_sign(s);

    h = ngx_http_wassiit_injected(r);

    if (h && h->value.data == s->timestamp) {
        return NGX_OK;
    }

    if (r == r->main) {
        /* a location with access on may follow */
        ngx_http_wassiit_find_credentials(r, ngx_http_wassiit_get_ctx(r));
    }

    if (ngx_http_wassiit_own_headers(r) != NGX_OK
        || ngx_http_wassiit_strip_credentials(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < 3; i++) {
        h = ngx_http_wassiit_push(r, &ngx_http_wassiit_credential_names[i],
                                  ngx_http_wassiit_credentials[i].data);
        if (h == NULL) {
            return NGX_ERROR;
        }

        switch (i) {

        case 0:
            h->value = s->signer->key;
            break;

        case 1:
            h->value.len = NGX_HTTP_WASSIIT_TIME_LEN;
            h->value.data = s->timestamp;
            break;

        default:
            h->value.len = NGX_WASSIIT_HMAC_BASE64;
            h->value.data = s->signature;
        }
    }

    return NGX_OK;
}


/*
 * The webhook's header in place of the client's, and of the one that was made
 * for a location before.
 */

static ngx_int_t
ngx_http_wassiit_sign_body(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign)
{
    ngx_table_elt_t         *h;
    ngx_http_wassiit_ctx_t  *ctx, *main;

    ctx = ngx_http_wassiit_own_ctx(r);
    main = ngx_http_wassiit_get_ctx(r);

    if (main && main->body && main->body->injected
        && (ctx != main || main->body->injected != sign))
    {
        if (ngx_http_wassiit_own_headers(r) != NGX_OK
            || ngx_http_wassiit_strip(r, main->body->injected) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (ctx == main) {
            main->body->injected = NULL;
        }
    }

    if (sign == NULL) {
        return NGX_OK;
    }

    if (ctx == NULL || ctx->body == NULL || ctx->body->signed_by != sign) {
        /* nothing goes out unsigned */
        return NGX_ERROR;
    }

    if (ctx->body->injected == sign) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_own_headers(r) != NGX_OK
        || ngx_http_wassiit_strip(r, sign) != NGX_OK)
    {
        return NGX_ERROR;
    }

    h = ngx_http_wassiit_push(r, &sign->header, sign->lowcase);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.len = NGX_WASSIIT_HMAC_HEX;
    h->value.data = ctx->body->signature;

    ctx->body->injected = sign;

    return NGX_OK;
}


/*
 * What was signed for one place mustn't reach another: an internal redirect
 * takes the headers along, and a subrequest its parent's.
 */

static ngx_int_t
ngx_http_wassiit_take_back(ngx_http_request_t *r)
{
    if (ngx_http_wassiit_injected(r) == NULL) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_own_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_wassiit_strip_credentials(r);
}


/* The timestamp among the headers, if it is one of ours, or NULL. */

static ngx_table_elt_t *
ngx_http_wassiit_injected(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.data == ngx_http_wassiit_credential_names[1].data) {
                return &h[i];
            }
        }
    }

    return NULL;
}


/*
 * Adds a header without a value.  nginx makes the list when it begins to read
 * the header fields, so a request without any has none: HTTP/0.9, or a request
 * line that is refused and that error_page leads on.
 */

static ngx_table_elt_t *
ngx_http_wassiit_push(ngx_http_request_t *r, const ngx_str_t *name,
    u_char *lowcase)
{
    ngx_list_t       *list;
    ngx_table_elt_t  *h;

    list = &r->headers_in.headers;

    if (list->last == NULL
        && ngx_list_init(list, r->pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK)
    {
        return NULL;
    }

    h = ngx_list_push(list);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = *name;
    h->lowcase_key = lowcase;
    h->hash = ngx_hash_key(lowcase, name->len);

    return h;
}


/* Gives a subrequest, which shares its parent's, a list that it may change. */

static ngx_int_t
ngx_http_wassiit_own_headers(ngx_http_request_t *r)
{
    ngx_uint_t        n;
    ngx_list_t        list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r == r->main) {
        return NGX_OK;
    }

    n = 3;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    if (ngx_list_init(&list, r->pool, n, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    h = list.part.elts;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = (ngx_table_elt_t *) ngx_cpymem(h, part->elts,
                                     part->nelts * sizeof(ngx_table_elt_t));
    }

    list.part.nelts = n - 3;

    r->headers_in.headers = list;
    r->headers_in.headers.last = &r->headers_in.headers.part;

    return NGX_OK;
}


/* A body may have taken its time: the signature is made anew behind it. */

static ngx_int_t
ngx_http_wassiit_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                rc;
    ngx_http_wassiit_ctx_t  *ctx;

    rc = ngx_http_next_request_body_filter(r, in);

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx && ctx->signed_upstream && r->request_body->rest == 0
        && (r->upstream == NULL || r->upstream->request_bufs == NULL))
    {
        ngx_http_wassiit_sign(ctx->signed_upstream);
    }

    return rc;
}


void
ngx_http_wassiit_upstream_init(void)
{
    ngx_http_next_request_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_wassiit_request_body_filter;
}
