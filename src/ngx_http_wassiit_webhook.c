
#include "ngx_http_wassiit_body.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"
#include "ngx_http_wassiit_log.h"
#include "ngx_http_wassiit_webhook.h"


static const void *ngx_http_wassiit_verify_wanted(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf);
static ngx_int_t ngx_http_wassiit_verify_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_webhook_sent(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_webhook_t *verify);
static ngx_int_t ngx_http_wassiit_webhook_refuse(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_webhook_t *verify,
    ngx_http_wassiit_decision_e decision);
static ngx_int_t ngx_http_wassiit_verify_feed(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *piece);
static ngx_int_t ngx_http_wassiit_verify_end(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_verify_wipe(ngx_http_wassiit_hook_t *hook);
static const void *ngx_http_wassiit_sign_wanted(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf);
static ngx_int_t ngx_http_wassiit_sign_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_webhook_key(ngx_http_request_t *r,
    ngx_http_wassiit_hook_t *hook, ngx_http_wassiit_webhook_t *sign);
static ngx_int_t ngx_http_wassiit_webhook_partner_keys(ngx_http_request_t *r,
    ngx_http_wassiit_hook_t *hook, ngx_http_wassiit_webhook_t *sign,
    ngx_str_t *id);
static ngx_uint_t ngx_http_wassiit_webhook_is_id(ngx_str_t *id);
static void ngx_http_wassiit_webhook_unsigned(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign, ngx_str_t *id, ngx_int_t rc);
static ngx_int_t ngx_http_wassiit_sign_feed(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *piece);
static ngx_int_t ngx_http_wassiit_sign_end(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_sign_wipe(ngx_http_wassiit_hook_t *hook);
static ngx_http_wassiit_hook_t *ngx_http_wassiit_webhook_hook(
    ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_webhook_cleanup(void *data);
static ngx_int_t ngx_http_wassiit_webhook_put(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign);
static ngx_int_t ngx_http_wassiit_webhook_strip(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign);
static ngx_int_t ngx_http_wassiit_webhook_add(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *lowcase, u_char *signature);


static const ngx_http_wassiit_check_t  ngx_http_wassiit_verify_check = {
    .wanted = ngx_http_wassiit_verify_wanted,
    .begin = ngx_http_wassiit_verify_begin,
    .feed = ngx_http_wassiit_verify_feed,
    .end = ngx_http_wassiit_verify_end,
    .verdict = 1
};


static const ngx_http_wassiit_check_t  ngx_http_wassiit_sign_check = {
    .wanted = ngx_http_wassiit_sign_wanted,
    .begin = ngx_http_wassiit_sign_begin,
    .feed = ngx_http_wassiit_sign_feed,
    .end = ngx_http_wassiit_sign_end
};


static const void *
ngx_http_wassiit_verify_wanted(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf)
{
    return wlcf->verify;
}


static ngx_int_t
ngx_http_wassiit_verify_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i, n;
    ngx_wassiit_hmac_key_t       *keys;
    ngx_http_wassiit_hook_t      *hook;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    hook = ngx_http_wassiit_webhook_hook(r, ctx);
    if (hook == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    ngx_http_wassiit_verify_wipe(hook);

    rc = ngx_http_wassiit_webhook_sent(r, ctx, wlcf->verify);
    if (rc != NGX_OK) {
        return rc;
    }

    keys = wlcf->verify->keys->elts;
    n = wlcf->verify->keys->nelts;

    hook->macs = ngx_palloc(r->pool, n * sizeof(ngx_http_wassiit_mac_t));
    if (hook->macs == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    hook->nmacs = n;

    for (i = 0; i < n; i++) {
        hook->macs[i].key = &keys[i];
        ngx_wassiit_hmac_init(&hook->macs[i].hmac, hook->macs[i].key);
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

    sent = &ctx->hook->sent;

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
    ctx->webhook = &verify->header;

    if (ctx->zone) {
        ngx_http_wassiit_board_webhook(&ctx->zone->board,
                            (decision == NGX_HTTP_WASSIIT_MISSING_SIGNATURE)
                            ? NGX_HTTP_WASSIIT_BOARD_UNSIGNED
                            : NGX_HTTP_WASSIIT_BOARD_FORGED);
    }

    return ngx_http_wassiit_refuse(r, ctx, decision);
}


static ngx_int_t
ngx_http_wassiit_verify_feed(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *piece)
{
    ngx_uint_t                i;
    ngx_http_wassiit_hook_t  *hook;

    hook = ctx->hook;

    for (i = 0; i < hook->nmacs; i++) {
        ngx_wassiit_hmac_update(&hook->macs[i].hmac, piece->data, piece->len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_verify_end(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    u_char                        mac[NGX_WASSIIT_HMAC_LEN];
    ngx_uint_t                    i, same;
    ngx_http_wassiit_mac_t       *m;
    ngx_http_wassiit_hook_t      *hook;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    hook = ctx->hook;
    same = 0;

    for (i = 0; i < hook->nmacs; i++) {
        m = &hook->macs[i];

        ngx_wassiit_hmac_final(&m->hmac, m->key, mac);

        /* each is compared, so that none tells by time which it was */
        same |= ngx_wassiit_hmac_equal_hex(mac, hook->sent.data,
                                           hook->sent.len);
    }

    ngx_explicit_memzero(mac, NGX_WASSIIT_HMAC_LEN);
    ngx_http_wassiit_verify_wipe(hook);

    if (same) {
        if (ctx->zone) {
            ngx_http_wassiit_board_webhook(&ctx->zone->board,
                                           NGX_HTTP_WASSIIT_BOARD_VERIFIED);
        }

        return NGX_OK;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    return ngx_http_wassiit_webhook_refuse(r, ctx, wlcf->verify,
                                          NGX_HTTP_WASSIIT_INVALID_SIGNATURE);
}


static void
ngx_http_wassiit_verify_wipe(ngx_http_wassiit_hook_t *hook)
{
    if (hook->macs) {
        ngx_explicit_memzero(hook->macs,
                             hook->nmacs * sizeof(ngx_http_wassiit_mac_t));
        hook->macs = NULL;
        hook->nmacs = 0;
    }
}


static const void *
ngx_http_wassiit_sign_wanted(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf)
{
    ngx_http_wassiit_webhook_t  *sign;

    sign = wlcf->sign;

    /* who a partner is may depend on what a redirect has changed */

    return (sign && sign->zone == NULL && ctx->hook
            && ctx->hook->signed_by == sign)
           ? NULL : sign;
}


static ngx_int_t
ngx_http_wassiit_sign_begin(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ngx_int_t                     rc;
    ngx_http_wassiit_hook_t      *hook;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    hook = ngx_http_wassiit_webhook_hook(r, ctx);
    if (hook == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    ngx_http_wassiit_sign_wipe(hook);

    /* whatever becomes of it, it is to be wiped */
    hook->mac.key = &hook->key;

    rc = ngx_http_wassiit_webhook_key(r, hook, wlcf->sign);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_wassiit_hmac_init(&hook->mac.hmac, &hook->key);

    if (hook->next) {
        hook->next->mac.key = &hook->next->key;
        ngx_wassiit_hmac_init(&hook->next->mac.hmac, &hook->next->key);
    }

    return NGX_OK;
}


/*
 * What to sign with; without it nothing goes out.  Returns NGX_OK, NGX_DECLINED
 * if the body is signed for that partner already, or a status.
 */

static ngx_int_t
ngx_http_wassiit_webhook_key(ngx_http_request_t *r,
    ngx_http_wassiit_hook_t *hook, ngx_http_wassiit_webhook_t *sign)
{
    ngx_str_t  id;

    if (sign->zone == NULL) {
        hook->key = *(ngx_wassiit_hmac_key_t *) sign->keys->elts;
        hook->next = NULL;
        hook->signed_by = NULL;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, sign->partner, &id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ngx_http_wassiit_webhook_is_id(&id)) {
        ngx_http_wassiit_webhook_unsigned(r, sign, &id, NGX_ERROR);

        ngx_http_wassiit_board_webhook(&sign->zone->board,
                                       NGX_HTTP_WASSIIT_BOARD_NO_PARTNER);
        return NGX_HTTP_BAD_GATEWAY;
    }

    if (hook->signed_by == sign && hook->signed_for.len == id.len
        && ngx_strncmp(hook->signed_for.data, id.data, id.len) == 0)
    {
        return NGX_DECLINED;
    }

    hook->next = NULL;
    hook->signed_by = NULL;
    hook->signed_for = id;

    return ngx_http_wassiit_webhook_partner_keys(r, hook, sign, &id);
}


/* Those of a partner now, the next one too: NGX_OK, or a status. */

static ngx_int_t
ngx_http_wassiit_webhook_partner_keys(ngx_http_request_t *r,
    ngx_http_wassiit_hook_t *hook, ngx_http_wassiit_webhook_t *sign,
    ngx_str_t *id)
{
    ngx_int_t               rc;
    ngx_uint_t              has_next;
    ngx_wassiit_hmac_key_t  next;

    rc = ngx_http_wassiit_zone_webhook(sign->zone, id, ngx_time(), &hook->key,
                                       &next, &has_next);

    if (rc != NGX_OK) {
        ngx_http_wassiit_webhook_unsigned(r, sign, id, rc);

        ngx_http_wassiit_board_webhook(&sign->zone->board,
                                       (rc == NGX_ABORT)
                                       ? NGX_HTTP_WASSIIT_BOARD_NO_SECRET
                                       : NGX_HTTP_WASSIIT_BOARD_NO_PARTNER);
        return NGX_HTTP_BAD_GATEWAY;
    }

    if (!has_next) {
        return NGX_OK;
    }

    hook->next = ngx_pcalloc(r->pool, sizeof(ngx_http_wassiit_next_t));

    if (hook->next) {
        hook->next->key = next;
    }

    ngx_explicit_memzero(&next, sizeof(ngx_wassiit_hmac_key_t));

    return hook->next ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* rc: zone_webhook()'s, or NGX_ERROR for what is no id. */

static void
ngx_http_wassiit_webhook_unsigned(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign, ngx_str_t *id, ngx_int_t rc)
{
    static const ngx_str_t  kind = ngx_string("wassiit_webhook_sign");

    ngx_log_t  *log;

    log = r->connection->log;

    if (!ngx_http_wassiit_log_admits(log, NGX_LOG_ERR, &kind)) {
        return;
    }

    if (rc == NGX_ERROR) {
        /* it may come from anywhere, so it isn't quoted */
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "wassiit_webhook_sign: the partner's id is %s",
                      id->len ? "malformed" : "empty");
        return;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0,
                  (rc == NGX_ABORT)
                  ? "wassiit_webhook_sign: partner \"%V\" of zone \"%V\" "
                    "has no webhook_secret"
                  : "wassiit_webhook_sign: no partner \"%V\" in zone \"%V\"",
                  id, &sign->zone->name);
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


static ngx_int_t
ngx_http_wassiit_sign_feed(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_str_t *piece)
{
    ngx_http_wassiit_hook_t  *hook;

    hook = ctx->hook;

    ngx_wassiit_hmac_update(&hook->mac.hmac, piece->data, piece->len);

    if (hook->next) {
        ngx_wassiit_hmac_update(&hook->next->mac.hmac, piece->data,
                                piece->len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_sign_end(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    u_char                        mac[NGX_WASSIIT_HMAC_LEN];
    ngx_http_wassiit_hook_t      *hook;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    hook = ctx->hook;
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    ngx_wassiit_hmac_final(&hook->mac.hmac, hook->mac.key, mac);
    ngx_wassiit_hmac_hex(hook->signature, mac);

    if (hook->next) {
        ngx_wassiit_hmac_final(&hook->next->mac.hmac, hook->next->mac.key, mac);
        ngx_wassiit_hmac_hex(hook->next->signature, mac);
    }

    hook->signed_by = wlcf->sign;

    if (wlcf->sign->zone) {
        ngx_http_wassiit_board_webhook(&wlcf->sign->zone->board,
                                       NGX_HTTP_WASSIIT_BOARD_SIGNED);
    }

    ngx_explicit_memzero(mac, NGX_WASSIIT_HMAC_LEN);
    ngx_http_wassiit_sign_wipe(hook);

    return NGX_OK;
}


static void
ngx_http_wassiit_sign_wipe(ngx_http_wassiit_hook_t *hook)
{
    if (hook->mac.key) {
        ngx_explicit_memzero(&hook->key, sizeof(ngx_wassiit_hmac_key_t));
        ngx_explicit_memzero(&hook->mac, sizeof(ngx_http_wassiit_mac_t));
    }

    if (hook->next) {
        ngx_explicit_memzero(&hook->next->key, sizeof(ngx_wassiit_hmac_key_t));
        ngx_explicit_memzero(&hook->next->mac, sizeof(ngx_http_wassiit_mac_t));
    }
}


/* The request's part, made if there is none.  NULL: memory is short. */

static ngx_http_wassiit_hook_t *
ngx_http_wassiit_webhook_hook(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_pool_cleanup_t  *cln;

    if (ctx->hook) {
        return ctx->hook;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_wassiit_hook_t));
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, sizeof(ngx_http_wassiit_hook_t));

    cln->handler = ngx_http_wassiit_webhook_cleanup;
    ctx->hook = cln->data;

    return ctx->hook;
}


static void
ngx_http_wassiit_webhook_cleanup(void *data)
{
    ngx_http_wassiit_hook_t  *hook = data;

    ngx_http_wassiit_verify_wipe(hook);
    ngx_http_wassiit_sign_wipe(hook);
}


ngx_int_t
ngx_http_wassiit_webhook_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (wlcf->sign == NULL && !r->internal) {
        return NGX_DECLINED;
    }

    rc = ngx_http_wassiit_webhook_put(r, wlcf->problem ? NULL : wlcf->sign);

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * The webhook's headers in place of the client's, and of those that were made
 * for a location before.
 */

static ngx_int_t
ngx_http_wassiit_webhook_put(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign)
{
    ngx_http_wassiit_ctx_t      *ctx, *main;
    ngx_http_wassiit_hook_t     *hook;
    ngx_http_wassiit_webhook_t  *former;

    ctx = ngx_http_wassiit_own_ctx(r);
    main = ngx_http_wassiit_get_ctx(r);
    former = (main && main->hook) ? main->hook->injected : NULL;

    if (former && (ctx != main || former != sign)) {
        if (ngx_http_wassiit_webhook_strip(r, former) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ctx == main) {
            main->hook->injected = NULL;
        }
    }

    if (sign == NULL) {
        return NGX_OK;
    }

    if (ctx == NULL || ctx->hook == NULL || ctx->hook->signed_by != sign) {
        /* nothing goes out unsigned */
        return NGX_ERROR;
    }

    hook = ctx->hook;

    if (hook->injected == sign && hook->injected_next == hook->next) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_webhook_strip(r, sign) != NGX_OK
        || ngx_http_wassiit_webhook_add(r, &sign->header, &sign->lowcase,
                                        hook->signature)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (hook->next
        && ngx_http_wassiit_webhook_add(r, &sign->next_header,
                                        &sign->next_lowcase,
                                        hook->next->signature)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    hook->injected = sign;
    hook->injected_next = hook->next;

    return NGX_OK;
}


/* Both headers: without a next secret the client's own -Next goes, too. */

static ngx_int_t
ngx_http_wassiit_webhook_strip(ngx_http_request_t *r,
    ngx_http_wassiit_webhook_t *sign)
{
    if (ngx_http_wassiit_own_headers(r) != NGX_OK
        || ngx_http_wassiit_strip_header(r, &sign->lowcase) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_wassiit_strip_header(r, &sign->next_lowcase);
}


static ngx_int_t
ngx_http_wassiit_webhook_add(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *lowcase, u_char *signature)
{
    ngx_table_elt_t  *h;

    h = ngx_http_wassiit_put_header(r, name, lowcase->data);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->value.len = NGX_WASSIIT_HMAC_HEX;
    h->value.data = signature;

    return NGX_OK;
}


void
ngx_http_wassiit_webhook_init(void)
{
    ngx_http_wassiit_body_register(&ngx_http_wassiit_verify_check);
    ngx_http_wassiit_body_register(&ngx_http_wassiit_sign_check);
}
