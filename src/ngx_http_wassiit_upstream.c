
#include "ngx_http_wassiit_headers_in.h"
#include "ngx_http_wassiit_upstream.h"


static ngx_int_t ngx_http_wassiit_inject(ngx_http_request_t *r,
    ngx_http_wassiit_signed_t *s);
static ngx_int_t ngx_http_wassiit_take_back(ngx_http_request_t *r);
static void ngx_http_wassiit_sign(ngx_http_wassiit_signed_t *s);
static ngx_int_t ngx_http_wassiit_upstream_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_request_body_filter_pt   ngx_http_wassiit_next_upstream_filter;


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

    if (ctx && ctx->upstream
        && (wlcf->signer == NULL
            || wlcf->signer == ctx->upstream->signer))
    {
        return ctx->upstream;
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

    ctx->upstream = s;

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
    ngx_str_t         timestamp, signature;
    ngx_table_elt_t  *h;

    /* it may be for another place, or from a while ago */
    ngx_http_wassiit_sign(s);

    h = ngx_http_wassiit_find_timestamp(r);

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

    timestamp.len = NGX_HTTP_WASSIIT_TIME_LEN;
    timestamp.data = s->timestamp;
    signature.len = NGX_WASSIIT_HMAC_BASE64;
    signature.data = s->signature;

    return ngx_http_wassiit_put_credentials(r, &s->signer->key, &timestamp,
                                            &signature);
}


/*
 * What was signed for one place mustn't reach another: an internal redirect
 * takes the headers along, and a subrequest its parent's.
 */

static ngx_int_t
ngx_http_wassiit_take_back(ngx_http_request_t *r)
{
    if (ngx_http_wassiit_find_timestamp(r) == NULL) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_own_headers(r) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_wassiit_strip_credentials(r);
}


/* A body may have taken its time: the signature is made anew behind it. */

static ngx_int_t
ngx_http_wassiit_upstream_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                rc;
    ngx_http_wassiit_ctx_t  *ctx;

    rc = ngx_http_wassiit_next_upstream_filter(r, in);

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx && ctx->upstream && r->request_body->rest == 0
        && (r->upstream == NULL || r->upstream->request_bufs == NULL))
    {
        ngx_http_wassiit_sign(ctx->upstream);
    }

    return rc;
}


void
ngx_http_wassiit_upstream_init(void)
{
    ngx_http_wassiit_next_upstream_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_wassiit_upstream_filter;
}
