
/* Webhooks: is the body's signature right, and what is the body's signature. */


#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"


static ngx_int_t ngx_http_wassiit_webhook_sent(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_webhook_t *verify);
static ngx_int_t ngx_http_wassiit_webhook_refuse(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_webhook_t *verify,
    ngx_http_wassiit_decision_e decision);
static ngx_int_t ngx_http_wassiit_webhook_key(ngx_http_request_t *r,
    ngx_http_wassiit_body_t *body, ngx_http_wassiit_webhook_t *sign);
static ngx_uint_t ngx_http_wassiit_webhook_is_id(ngx_str_t *id);


ngx_int_t
ngx_http_wassiit_webhook_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i, n;
    ngx_wassiit_hmac_key_t       *keys;
    ngx_http_wassiit_body_t      *body;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    body = ctx->body;
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    n = 0;

    if (body->verify) {
        rc = ngx_http_wassiit_webhook_sent(r, ctx, wlcf->verify);
        if (rc != NGX_OK) {
            return rc;
        }

        n += wlcf->verify->keys->nelts;
    }

    if (body->sign) {
        rc = ngx_http_wassiit_webhook_key(r, body, wlcf->sign);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }

        body->sign = (rc == NGX_OK);
        n += body->sign;
    }

    if (n == 0) {
        return NGX_OK;
    }

    body->macs = ngx_palloc(r->pool, n * sizeof(ngx_http_wassiit_mac_t));
    if (body->macs == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->nmacs = n;

    if (body->verify) {
        keys = wlcf->verify->keys->elts;

        for (i = 0; i < wlcf->verify->keys->nelts; i++) {
            body->macs[i].key = &keys[i];
        }
    }

    if (body->sign) {
        body->macs[n - 1].key = &body->key;
    }

    for (i = 0; i < n; i++) {
        ngx_wassiit_hmac_init(&body->macs[i].hmac, body->macs[i].key);
    }

    return NGX_OK;
}


/* Finds the signature: one header, of 64 digits. */

static ngx_int_t
ngx_http_wassiit_webhook_sent(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_webhook_t *verify)
{
    ngx_str_t   *sent;
    ngx_uint_t   i;

    sent = &ctx->body->sent;

    if (ngx_http_wassiit_find_header(r, &verify->lowcase, sent) > 1) {
        return ngx_http_wassiit_webhook_refuse(r, ctx, verify,
                                           NGX_HTTP_WASSIIT_DUPLICATE_HEADER);
    }

    if (sent->len == 0) {
        return ngx_http_wassiit_webhook_refuse(r, ctx, verify,
                                          NGX_HTTP_WASSIIT_MISSING_SIGNATURE);
    }

    /* what can't be one needn't be read for */

    for (i = 0; i < sent->len; i++) {
        if (!isxdigit(sent->data[i])) {
            break;
        }
    }

    if (i != NGX_WASSIIT_HMAC_HEX || sent->len != NGX_WASSIIT_HMAC_HEX) {
        return ngx_http_wassiit_webhook_refuse(r, ctx, verify,
                                          NGX_HTTP_WASSIIT_INVALID_SIGNATURE);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_webhook_refuse(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_webhook_t *verify,
    ngx_http_wassiit_decision_e decision)
{
    ctx->webhook = 1;
    ctx->header = verify->header;

    return ngx_http_wassiit_refuse(r, ctx, decision);
}


/*
 * What to sign with; without it nothing goes out.  Returns NGX_OK, NGX_DECLINED
 * if the body is signed for that partner already, or a status.
 */

static ngx_int_t
ngx_http_wassiit_webhook_key(ngx_http_request_t *r,
    ngx_http_wassiit_body_t *body, ngx_http_wassiit_webhook_t *sign)
{
    ngx_int_t   rc;
    ngx_str_t   id;

    if (sign->zone == NULL) {
        body->key = *(ngx_wassiit_hmac_key_t *) sign->keys->elts;
        body->signed_by = NULL;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, sign->partner, &id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_http_wassiit_webhook_is_id(&id)) {
        /* it may come from anywhere, so it isn't quoted */
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "wassiit_webhook_sign: the partner's id is %s",
                      id.len ? "malformed" : "empty");
        return NGX_HTTP_BAD_GATEWAY;
    }

    if (body->signed_by == sign && body->signed_for.len == id.len
        && ngx_strncmp(body->signed_for.data, id.data, id.len) == 0)
    {
        return NGX_DECLINED;
    }

    body->signed_by = NULL;
    body->signed_for = id;

    rc = ngx_http_wassiit_zone_webhook(sign->zone, &id, &body->key);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      (rc == NGX_ABORT)
                      ? "wassiit_webhook_sign: partner \"%V\" of zone \"%V\" "
                        "has no webhook_secret"
                      : "wassiit_webhook_sign: no partner \"%V\" in zone "
                        "\"%V\"",
                      &id, &sign->zone->name);
        return NGX_HTTP_BAD_GATEWAY;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_wassiit_webhook_is_id(ngx_str_t *id)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < id->len; i++) {
        c = id->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')
              || c == '.' || c == '_' || c == '-'))
        {
            return 0;
        }
    }

    return id->len > 0 && id->len <= NGX_HTTP_WASSIIT_ID_LEN;
}


ngx_int_t
ngx_http_wassiit_webhook_end(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    u_char                        mac[NGX_WASSIIT_HMAC_LEN];
    u_char                        signature[NGX_WASSIIT_HMAC_HEX];
    ngx_uint_t                    i, n, same;
    ngx_http_wassiit_mac_t       *m;
    ngx_http_wassiit_body_t      *body;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    body = ctx->body;
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (body->nmacs == 0) {
        return NGX_OK;
    }

    n = body->nmacs - body->sign;
    same = 0;

    for (i = 0; i < body->nmacs; i++) {
        m = &body->macs[i];

        ngx_wassiit_hmac_final(&m->hmac, m->key, mac);

        if (i < n) {
            /* each is compared, so that none tells by time which it was */
            same |= ngx_wassiit_hmac_equal_hex(mac, body->sent.data,
                                               body->sent.len);

        } else {
            ngx_wassiit_hmac_hex(signature, mac);
        }
    }

    ngx_explicit_memzero(mac, NGX_WASSIIT_HMAC_LEN);

    if (body->verify && !same) {
        return ngx_http_wassiit_webhook_refuse(r, ctx, wlcf->verify,
                                          NGX_HTTP_WASSIIT_INVALID_SIGNATURE);
    }

    if (body->sign) {
        ngx_memcpy(body->signature, signature, NGX_WASSIIT_HMAC_HEX);
        body->signed_by = wlcf->sign;

        ngx_explicit_memzero(&body->key, sizeof(ngx_wassiit_hmac_key_t));
    }

    return NGX_OK;
}
