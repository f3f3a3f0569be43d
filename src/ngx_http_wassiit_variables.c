
#include "ngx_http_wassiit_audit.h"
#include "ngx_http_wassiit_change.h"
#include "ngx_http_wassiit_cluster.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_upstream.h"
#include "ngx_http_wassiit_variables.h"
#include "ngx_http_wassiit_webhook.h"


/* which field of the context a variable shows */

enum {
    VARIABLE_ID = 0,
    VARIABLE_NAME,
    VARIABLE_KEY_ID,
    VARIABLE_LIMIT,
    VARIABLE_REMAINING,
    VARIABLE_RESET,
    VARIABLE_HMAC_KEY,
    VARIABLE_HMAC_TIMESTAMP,
    VARIABLE_HMAC_SIGNATURE,
    VARIABLE_SIGNATURE,
    VARIABLE_SIGNATURE_NEXT,
    VARIABLE_OPERATION,
    VARIABLE_CHANGE,
    VARIABLE_RESULT
};


static ngx_int_t ngx_http_wassiit_variable_partner(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_scopes(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_decision(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_usage(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_signed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_webhook(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_audit(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_cluster(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_http_wassiit_variables[] = {

    { ngx_string("wassiit_partner"), NULL,
      ngx_http_wassiit_variable_partner, VARIABLE_ID,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_partner_name"), NULL,
      ngx_http_wassiit_variable_partner, VARIABLE_NAME,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_key_id"), NULL,
      ngx_http_wassiit_variable_partner, VARIABLE_KEY_ID,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_scopes"), NULL,
      ngx_http_wassiit_variable_scopes, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_decision"), NULL,
      ngx_http_wassiit_variable_decision, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_limit"), NULL,
      ngx_http_wassiit_variable_usage, VARIABLE_LIMIT,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_remaining"), NULL,
      ngx_http_wassiit_variable_usage, VARIABLE_REMAINING,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_reset"), NULL,
      ngx_http_wassiit_variable_usage, VARIABLE_RESET,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_cluster"), NULL,
      ngx_http_wassiit_variable_cluster, 0,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_hmac_key"), NULL,
      ngx_http_wassiit_variable_signed, VARIABLE_HMAC_KEY,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_hmac_timestamp"), NULL,
      ngx_http_wassiit_variable_signed, VARIABLE_HMAC_TIMESTAMP,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_hmac_signature"), NULL,
      ngx_http_wassiit_variable_signed, VARIABLE_HMAC_SIGNATURE,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_webhook_signature"), NULL,
      ngx_http_wassiit_variable_webhook, VARIABLE_SIGNATURE,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_webhook_signature_next"), NULL,
      ngx_http_wassiit_variable_webhook, VARIABLE_SIGNATURE_NEXT,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_admin_operation"), NULL,
      ngx_http_wassiit_variable_audit, VARIABLE_OPERATION,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_admin_partner"), NULL,
      ngx_http_wassiit_variable_audit, VARIABLE_ID,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_admin_key_id"), NULL,
      ngx_http_wassiit_variable_audit, VARIABLE_KEY_ID,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_admin_change"), NULL,
      ngx_http_wassiit_variable_audit, VARIABLE_CHANGE,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("wassiit_admin_result"), NULL,
      ngx_http_wassiit_variable_audit, VARIABLE_RESULT,
      NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_wassiit_variable_partner(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_wassiit_ctx_t      *ctx;
    ngx_http_wassiit_partner_t  *partner;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx == NULL || !ctx->known) {
        v->not_found = 1;
        return NGX_OK;
    }

    partner = &ctx->partner;
    v->data = partner->names;

    switch (data) {

    case VARIABLE_ID:
        v->len = partner->id_len;
        break;

    case VARIABLE_KEY_ID:
        v->data += partner->id_len;
        v->len = partner->key_id_len;
        break;

    default: /* VARIABLE_NAME */
        v->data += partner->id_len + partner->key_id_len;
        v->len = partner->name_len;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = (v->len == 0);

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_variable_scopes(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    size_t                         len;
    u_char                        *p;
    uint64_t                       set;
    ngx_str_t                      name;
    ngx_http_wassiit_ctx_t        *ctx;
    ngx_http_wassiit_main_conf_t  *wmcf;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx == NULL || !ctx->known || ctx->partner.scopes == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);
    len = 0;

    for (set = ctx->partner.scopes; set; /* void */) {
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        len += name.len + 1;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;

    for (set = ctx->partner.scopes; set; /* void */) {
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        p = ngx_cpymem(p, name.data, name.len);
        *p++ = ' ';
    }

    v->len = len - 1;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_variable_decision(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_str_t         *code;
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx == NULL || ctx->decision == NGX_HTTP_WASSIIT_UNDECIDED) {
        v->not_found = 1;
        return NGX_OK;
    }

    code = ngx_http_wassiit_code(ctx->decision);

    v->len = code->len;
    v->data = code->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_variable_usage(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_uint_t               value;
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx == NULL || !ctx->taken) {
        v->not_found = 1;
        return NGX_OK;
    }

    switch (data) {

    case VARIABLE_LIMIT:
        value = ctx->usage.limit;
        break;

    case VARIABLE_REMAINING:
        value = ctx->usage.remaining;
        break;

    default: /* VARIABLE_RESET */
        value = ngx_http_wassiit_reset(&ctx->usage);
    }

    v->data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    v->len = ngx_sprintf(v->data, "%ui", value) - v->data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_variable_signed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_wassiit_ctx_t     *ctx;
    ngx_http_wassiit_signed_t  *s;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (r == r->main && (ctx == NULL || ctx->upstream == NULL)
        && (r->header_sent || (ctx && ctx->refused)))
    {
        /* it is answered, and has gone nowhere: nothing was signed */
        v->not_found = 1;
        return NGX_OK;
    }

    s = ngx_http_wassiit_get_signed(r);

    if (s == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    s->settled = 1;

    switch (data) {

    case VARIABLE_HMAC_KEY:
        v->len = s->signer->key.len;
        v->data = s->signer->key.data;
        break;

    case VARIABLE_HMAC_TIMESTAMP:
        v->len = NGX_HTTP_WASSIIT_TIME_LEN;
        v->data = s->timestamp;
        break;

    default: /* VARIABLE_HMAC_SIGNATURE */
        v->len = NGX_WASSIIT_HMAC_BASE64;
        v->data = s->signature;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_variable_webhook(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_wassiit_ctx_t   *ctx;
    ngx_http_wassiit_hook_t  *hook;

    ctx = ngx_http_wassiit_own_ctx(r);
    hook = ctx ? ctx->hook : NULL;

    if (hook == NULL || hook->signed_by == NULL
        || (data == VARIABLE_SIGNATURE_NEXT && hook->next == NULL))
    {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = NGX_WASSIIT_HMAC_HEX;
    v->data = (data == VARIABLE_SIGNATURE_NEXT) ? hook->next->signature
                                                : hook->signature;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_variable_audit(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                value;
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx == NULL || ctx->audit == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    switch (data) {

    case VARIABLE_OPERATION:
        value = ngx_http_wassiit_change_names[ctx->audit->operation];
        break;

    case VARIABLE_ID:
        value = ctx->audit->partner;
        break;

    case VARIABLE_KEY_ID:
        value = ctx->audit->key_id;
        break;

    case VARIABLE_CHANGE:
        value = ctx->audit->change;
        break;

    default: /* VARIABLE_RESULT */
        value =
             ngx_http_wassiit_audit_results[ngx_http_wassiit_audit_result(r)];
    }

    v->len = value.len;
    v->data = value.data;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = (value.len == 0);

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_wassiit_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


/* As it is now: a node's state, which no request has for itself. */

static ngx_int_t
ngx_http_wassiit_variable_cluster(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                    *state;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (wlcf->zone == NULL || wlcf->zone->claims.sh == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    state = ngx_http_wassiit_cluster_state(wlcf->zone);

    v->data = state->data;
    v->len = state->len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
