
/*
 * The module's face: directives, configuration, variables, and where each
 * handler hooks in.
 */


#include "ngx_http_wassiit_access.h"
#include "ngx_http_wassiit_admin.h"
#include "ngx_http_wassiit_body.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_egress.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_payload.h"
#include "ngx_http_wassiit_reply.h"
#include "ngx_http_wassiit_secret.h"
#include "ngx_http_wassiit_turn.h"
#include "ngx_http_wassiit_upstream.h"
#include "ngx_http_wassiit_webhook.h"


/* a scope named in the configuration, before all are declared */

typedef struct {
    ngx_str_t                      name;
    ngx_http_wassiit_required_t   *required;
    u_char                        *conf_file;
    ngx_uint_t                     conf_line;
} ngx_http_wassiit_literal_t;


/* a directive that asks something of a partner, and where it is written */

typedef struct {
    ngx_str_t                      directive;
    ngx_http_wassiit_loc_conf_t   *block;
    ngx_uint_t                     type;        /* cf->cmd_type */
    ngx_str_t                      location;
    u_char                        *conf_file;
    ngx_uint_t                     conf_line;
} ngx_http_wassiit_demand_t;


static ngx_int_t ngx_http_wassiit_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_wassiit_init(ngx_conf_t *cf);
static void *ngx_http_wassiit_create_main_conf(ngx_conf_t *cf);
static ngx_http_wassiit_main_conf_t *ngx_http_wassiit_former(
    ngx_cycle_t *cycle);
static char *ngx_http_wassiit_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_wassiit_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_wassiit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_wassiit_init_module(ngx_cycle_t *cycle);
static void ngx_http_wassiit_leave_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf);
static ngx_uint_t ngx_http_wassiit_same(ngx_str_t *a, ngx_str_t *b);
static ngx_int_t ngx_http_wassiit_init_process(ngx_cycle_t *cycle);

static char *ngx_http_wassiit_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_scopes(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_access(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_upstream_hmac(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static void ngx_http_wassiit_wipe_signer(void *data);
static char *ngx_http_wassiit_webhook(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_http_wassiit_webhook_t *ngx_http_wassiit_webhook_read(
    ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t sign);
static char *ngx_http_wassiit_webhook_name(ngx_conf_t *cf, ngx_str_t *name);
static ngx_int_t ngx_http_wassiit_webhook_partner(ngx_conf_t *cf,
    ngx_http_wassiit_webhook_t *webhook, ngx_str_t *value);
static char *ngx_http_wassiit_need_buffering(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *conf);
static ngx_http_handler_pt ngx_http_wassiit_grpc_handler(ngx_conf_t *cf,
    ngx_module_t *module);
static char *ngx_http_wassiit_scope(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_set_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_demand(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_wassiit_loc_conf_t *wlcf);
static ngx_int_t ngx_http_wassiit_check_demands(ngx_conf_t *cf);
static char *ngx_http_wassiit_problem(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_admin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void ngx_http_wassiit_guard(ngx_http_wassiit_loc_conf_t *block);
static char *ngx_http_wassiit_merge_admin(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *prev, ngx_http_wassiit_loc_conf_t *conf);
static ngx_http_wassiit_zone_t *ngx_http_wassiit_get_zone(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_str_t *name);
static char *ngx_http_wassiit_zone_size(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *name, ssize_t *size);
static ngx_int_t ngx_http_wassiit_read_store(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone);
static uid_t ngx_http_wassiit_user(ngx_cycle_t *cycle);
static void ngx_http_wassiit_drop_store(void *data);
static ngx_int_t ngx_http_wassiit_only_zone(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_uint_t n);
static ngx_int_t ngx_http_wassiit_zone_digest(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone);

static ngx_int_t ngx_http_wassiit_variable_partner(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_scopes(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_decision(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_signed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_webhook(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_wassiit_variable_usage(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_conf_enum_t  ngx_http_wassiit_limit[] = {
    { ngx_string("off"), NGX_HTTP_WASSIIT_LIMIT_OFF },
    { ngx_string("on"), NGX_HTTP_WASSIIT_LIMIT_ON },
    { ngx_string("dry_run"), NGX_HTTP_WASSIIT_LIMIT_DRY_RUN },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_wassiit_form[] = {
    { ngx_string("problem"), NGX_HTTP_WASSIIT_ERRORS_PROBLEM },
    { ngx_string("envelope"), NGX_HTTP_WASSIIT_ERRORS_ENVELOPE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_wassiit_egress[] = {
    { ngx_string("any"), NGX_HTTP_WASSIIT_EGRESS_ANY },
    { ngx_string("public"), NGX_HTTP_WASSIIT_EGRESS_PUBLIC },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_wassiit_payload[] = {
    { ngx_string("off"), NGX_HTTP_WASSIIT_PAYLOAD_OFF },
    { ngx_string("message"), NGX_HTTP_WASSIIT_PAYLOAD_MESSAGE },
    { ngx_string("call"), NGX_HTTP_WASSIIT_PAYLOAD_CALL },
    { ngx_string("audio"), NGX_HTTP_WASSIIT_PAYLOAD_AUDIO },
    { ngx_string("document"), NGX_HTTP_WASSIIT_PAYLOAD_DOCUMENT },
    { ngx_string("automation"), NGX_HTTP_WASSIIT_PAYLOAD_AUTOMATION },
    { ngx_null_string, 0 }
};


#define ANYWHERE  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


static ngx_command_t  ngx_http_wassiit_commands[] = {

    { ngx_string("wassiit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE23,
      ngx_http_wassiit_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_scopes"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_wassiit_scopes,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_access"),
      ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_wassiit_access,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_auth"),
      ANYWHERE|NGX_CONF_TAKE12,
      ngx_http_wassiit_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_scope"),
      ANYWHERE|NGX_CONF_1MORE,
      ngx_http_wassiit_scope,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_limit"),
      ANYWHERE|NGX_CONF_TAKE1,
      ngx_http_wassiit_set_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, limit),
      &ngx_http_wassiit_limit },

    { ngx_string("wassiit_limit_headers"),
      ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, limit_headers),
      NULL },

    { ngx_string("wassiit_errors"),
      ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, errors),
      &ngx_http_wassiit_form },

    { ngx_string("wassiit_problem"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_wassiit_problem,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_hide_credentials"),
      ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, hide_credentials),
      NULL },

    { ngx_string("wassiit_upstream_hmac"),
      ANYWHERE|NGX_CONF_TAKE12,
      ngx_http_wassiit_upstream_hmac,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_webhook_verify"),
      ANYWHERE|NGX_CONF_TAKE12,
      ngx_http_wassiit_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, verify),
      NULL },

    { ngx_string("wassiit_webhook_sign"),
      ANYWHERE|NGX_CONF_TAKE123,
      ngx_http_wassiit_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, sign),
      NULL },

    { ngx_string("wassiit_egress"),
      ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, egress),
      &ngx_http_wassiit_egress },

    { ngx_string("wassiit_payload"),
      ANYWHERE|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, payload),
      &ngx_http_wassiit_payload },

    { ngx_string("wassiit_admin"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_wassiit_admin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_wassiit_module_ctx = {
    ngx_http_wassiit_add_variables,        /* preconfiguration */
    ngx_http_wassiit_init,                 /* postconfiguration */

    ngx_http_wassiit_create_main_conf,     /* create main configuration */
    ngx_http_wassiit_init_main_conf,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_wassiit_create_loc_conf,      /* create location configuration */
    ngx_http_wassiit_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_wassiit_module = {
    NGX_MODULE_V1,
    &ngx_http_wassiit_module_ctx,          /* module context */
    ngx_http_wassiit_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_wassiit_init_module,          /* init module */
    ngx_http_wassiit_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


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
    VARIABLE_HMAC_SIGNATURE
};


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
      ngx_http_wassiit_variable_webhook, 0,
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

    if (ctx == NULL || !ctx->limit.taken) {
        v->not_found = 1;
        return NGX_OK;
    }

    switch (data) {

    case VARIABLE_LIMIT:
        value = ctx->limit.usage.limit;
        break;

    case VARIABLE_REMAINING:
        value = ctx->limit.usage.remaining;
        break;

    default: /* VARIABLE_RESET */
        value = ngx_http_wassiit_reset(&ctx->limit.usage);
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
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_http_wassiit_own_ctx(r);

    if (ctx == NULL || ctx->hook == NULL || ctx->hook->signed_by == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->len = NGX_WASSIIT_HMAC_HEX;
    v->data = ctx->hook->signature;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
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


static void *
ngx_http_wassiit_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_wassiit_main_conf_t  *wmcf, *owmcf;

    wmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_main_conf_t));
    if (wmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&wmcf->zones, cf->pool, 2,
                       sizeof(ngx_http_wassiit_zone_t *))
        != NGX_OK
        || ngx_array_init(&wmcf->literals, cf->pool, 8,
                          sizeof(ngx_http_wassiit_literal_t))
           != NGX_OK
        || ngx_array_init(&wmcf->demands, cf->pool, 8,
                          sizeof(ngx_http_wassiit_demand_t))
           != NGX_OK)
    {
        return NULL;
    }

    /* scopes keep the bits that they have in the running configuration */

    owmcf = ngx_http_wassiit_former(cf->cycle);

    ngx_wassiit_scopes_init(&wmcf->scopes, owmcf ? &owmcf->scopes : NULL);

    return wmcf;
}


/* What the configuration that runs has, if it has anything of ours. */

static ngx_http_wassiit_main_conf_t *
ngx_http_wassiit_former(ngx_cycle_t *cycle)
{
    ngx_uint_t    i;
    ngx_cycle_t  *old;

    old = cycle->old_cycle;

    if (old == NULL || old->conf_ctx == NULL || old->modules == NULL) {
        return NULL;
    }

    for (i = 0; old->modules[i]; i++) {
        if (old->modules[i] == &ngx_http_wassiit_module) {
            return ngx_http_cycle_get_module_main_conf(old,
                                                     ngx_http_wassiit_module);
        }
    }

    return NULL;
}


static char *
ngx_http_wassiit_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    uint64_t                      scope;
    ngx_str_t                     nearest, request_id;
    ngx_uint_t                    i;
    ngx_http_wassiit_zone_t     **zones;
    ngx_http_wassiit_literal_t   *literal;

    ngx_wassiit_scopes_settle(&wmcf->scopes);

    literal = wmcf->literals.elts;

    for (i = 0; i < wmcf->literals.nelts; i++) {
        scope = ngx_wassiit_scopes_find(&wmcf->scopes, literal[i].name.data,
                                        literal[i].name.len);

        if (scope == 0) {
            ngx_wassiit_scopes_nearest(&wmcf->scopes, literal[i].name.data,
                                       literal[i].name.len, &nearest);

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown scope \"%V\", the nearest is \"%V\" "
                          "in %s:%ui", &literal[i].name, &nearest,
                          literal[i].conf_file, literal[i].conf_line);
            return NGX_CONF_ERROR;
        }

        literal[i].required->set |= scope;
    }

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {

        if (zones[i]->shm_zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown wassiit_zone \"%V\" in %s:%ui",
                          &zones[i]->name, zones[i]->conf_file,
                          zones[i]->conf_line);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_wassiit_only_zone(cf, wmcf, i) != NGX_OK
            || ngx_http_wassiit_read_store(cf, wmcf, zones[i]) != NGX_OK
            || ngx_http_wassiit_zone_digest(cf, wmcf, zones[i]) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    ngx_str_set(&request_id, "request_id");

    wmcf->request_id = ngx_http_get_variable_index(cf, &request_id);

    return (wmcf->request_id == NGX_ERROR) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


/* What one zone's endpoint changes is nothing that another one could know. */

static ngx_int_t
ngx_http_wassiit_only_zone(ngx_conf_t *cf, ngx_http_wassiit_main_conf_t *wmcf,
    ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_file_info_t            fi, other;
    ngx_http_wassiit_zone_t  **zones;

    zones = wmcf->zones.elts;

    if (ngx_file_info(zones[n]->file.data, &fi) == NGX_FILE_ERROR) {
        /* who reads it says so */
        return NGX_OK;
    }

    for (i = 0; i < n; i++) {
        if ((zones[i]->admin || zones[n]->admin)
            && ngx_file_info(zones[i]->file.data, &other) != NGX_FILE_ERROR
            && fi.st_dev == other.st_dev && fi.st_ino == other.st_ino)
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "wassiit_zone \"%V\" and \"%V\" have the same file, "
                          "which wassiit_admin can't change for both",
                          &zones[i]->name, &zones[n]->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* What a line of the partners' file means depends on all that is in here. */

static ngx_int_t
ngx_http_wassiit_zone_digest(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone)
{
    u_char     *p, *text;
    uint64_t    set;
    ngx_str_t   name;

    text = ngx_pnalloc(cf->temp_pool, zone->file.len + 1 + 2 * NGX_INT32_LEN
                                      + NGX_WASSIIT_SCOPES_MAX
                                        * (3 + NGX_WASSIIT_SCOPE_LEN));
    if (text == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text, "%V%Z%uD/%uD", &zone->file, zone->rate.limit,
                    zone->rate.seconds);

    for (set = wmcf->scopes.declared; set; /* void */) {
        p = ngx_sprintf(p, " %d", __builtin_ctzll(set));
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        p = ngx_cpymem(p, name.data, name.len);
    }

    ngx_wassiit_key_digest(text, p - text, zone->digest);

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_read_store(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_zone_t *zone)
{
    ngx_uint_t                     i;
    ngx_pool_cleanup_t            *cln;
    ngx_http_wassiit_zone_t      **zones;
    ngx_http_wassiit_journals_t   *former;
    ngx_http_wassiit_main_conf_t  *owmcf;

    owmcf = ngx_http_wassiit_former(cf->cycle);
    former = NULL;

    /* what the running configuration knows of this file */

    zones = owmcf ? owmcf->zones.elts : NULL;

    for (i = 0; owmcf && i < owmcf->zones.nelts; i++) {
        if (zones[i]->sh && ngx_http_wassiit_same(&zones[i]->file, &zone->file))
        {
            former = ngx_http_wassiit_zone_journals(zones[i]);
        }
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_wassiit_drop_store;
    cln->data = zone;

    wmcf->load.scopes = &wmcf->scopes;
    wmcf->load.user = ngx_http_wassiit_user(cf->cycle);
    wmcf->load.former = former;
    wmcf->load.write = zone->admin;

    zone->store = ngx_http_wassiit_store_load(&zone->file, &wmcf->load,
                                              cf->log);

    return zone->store ? NGX_OK : NGX_ERROR;
}


/* The workers' user; nginx's default, if "user" comes after "http". */

static uid_t
ngx_http_wassiit_user(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;
    struct passwd    *pwd;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->user != (ngx_uid_t) NGX_CONF_UNSET_UINT) {
        return ccf->user;
    }

    pwd = getpwnam(NGX_USER);

    return pwd ? pwd->pw_uid : 0;
}


static void
ngx_http_wassiit_drop_store(void *data)
{
    ngx_http_wassiit_zone_t  *zone = data;

    if (zone->store) {
        ngx_http_wassiit_store_destroy(zone->store);
        zone->store = NULL;
    }
}


static void *
ngx_http_wassiit_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_loc_conf_t));
    if (wlcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     wlcf->problem = 0;
     *     wlcf->admin = NULL;
     *     wlcf->content = NULL;
     */

    wlcf->zone = NGX_CONF_UNSET_PTR;
    wlcf->required = NGX_CONF_UNSET_PTR;
    wlcf->signer = NGX_CONF_UNSET_PTR;
    wlcf->verify = NGX_CONF_UNSET_PTR;
    wlcf->sign = NGX_CONF_UNSET_PTR;
    wlcf->payload = NGX_CONF_UNSET_UINT;
    wlcf->auth = NGX_CONF_UNSET_UINT;
    wlcf->skew = NGX_CONF_UNSET;
    wlcf->limit = NGX_CONF_UNSET_UINT;
    wlcf->errors = NGX_CONF_UNSET_UINT;
    wlcf->limit_headers = NGX_CONF_UNSET;
    wlcf->hide_credentials = NGX_CONF_UNSET;
    wlcf->egress = NGX_CONF_UNSET_UINT;

    return wlcf;
}


static char *
ngx_http_wassiit_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_wassiit_loc_conf_t *prev = parent;
    ngx_http_wassiit_loc_conf_t *conf = child;

    conf->parent = prev;

    ngx_conf_merge_ptr_value(conf->zone, prev->zone, NULL);
    ngx_conf_merge_ptr_value(conf->required, prev->required, NULL);
    ngx_conf_merge_ptr_value(conf->signer, prev->signer, NULL);
    ngx_conf_merge_ptr_value(conf->verify, prev->verify, NULL);
    ngx_conf_merge_ptr_value(conf->sign, prev->sign, NULL);
    ngx_conf_merge_uint_value(conf->payload, prev->payload,
                              NGX_HTTP_WASSIIT_PAYLOAD_OFF);
    ngx_conf_merge_uint_value(conf->auth, prev->auth,
                              NGX_HTTP_WASSIIT_AUTH_KEY);
    ngx_conf_merge_value(conf->skew, prev->skew, 300);
    ngx_conf_merge_uint_value(conf->limit, prev->limit,
                              NGX_HTTP_WASSIIT_LIMIT_ON);
    ngx_conf_merge_uint_value(conf->errors, prev->errors,
                              NGX_HTTP_WASSIIT_ERRORS_PROBLEM);
    ngx_conf_merge_value(conf->limit_headers, prev->limit_headers, 1);
    ngx_conf_merge_value(conf->hide_credentials, prev->hide_credentials, 1);
    ngx_conf_merge_uint_value(conf->egress, prev->egress,
                              NGX_HTTP_WASSIIT_EGRESS_ANY);

    conf->judges = (conf->verify || conf->payload);
    conf->looks = (conf->judges || conf->sign);

    if (ngx_http_wassiit_egress_merge(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_wassiit_merge_admin(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->zone) {
        ngx_http_wassiit_guard(conf);
    }

    return ngx_http_wassiit_need_buffering(cf, conf);
}


/* Access is on in this block, so it is in those around it. */

static void
ngx_http_wassiit_guard(ngx_http_wassiit_loc_conf_t *block)
{
    for ( /* void */ ; block; block = block->parent) {
        block->guards = 1;
    }
}


static char *
ngx_http_wassiit_merge_admin(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *prev, ngx_http_wassiit_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && clcf->handler == NULL && prev->admin) {
        /* "if" or "limit_except" within the location */
        conf->admin = prev->admin;
        clcf->handler = ngx_http_wassiit_admin_handler;
    }

    if (conf->admin) {
        /* the endpoint has a limit of its own, and its own answer to it */
        clcf->client_max_body_size = 0;
    }

    if (conf->admin && conf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"wassiit_admin\" needs \"wassiit_access\" in "
                      "location \"%V\": anyone could make keys there",
                      &clcf->name);
        return NGX_CONF_ERROR;
    }

    /* a scope that a variable names may be empty, and then asks for nothing */

    if (conf->admin && conf->zone == conf->admin
        && (conf->required == NULL || conf->required->set == 0))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"wassiit_admin %V\" is guarded by \"wassiit_access "
                      "%V\" in location \"%V\": every partner could change "
                      "the partners there; add \"wassiit_scope NAME\", or "
                      "guard it by another zone",
                      &conf->admin->name, &conf->zone->name, &clcf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What is judged by its end can't be on its way before.  All modules whose
 * conf is looked at here begin it with an ngx_http_upstream_conf_t; their own
 * directives have been merged, as they come before filters.  That of gRPC
 * knows no buffering: each of its calls may go both ways at once.
 */

static char *
ngx_http_wassiit_need_buffering(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *conf)
{
    void                     **loc_conf;
    const char                *directive;
    ngx_uint_t                 i, n;
    ngx_module_t             **modules;
    ngx_http_upstream_conf_t  *upstream;
    ngx_http_core_loc_conf_t  *clcf;

    static const char  *names[] = { "proxy", "fastcgi", "uwsgi", "scgi" };

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == NULL || !conf->looks) {
        return NGX_CONF_OK;
    }

    directive = conf->verify ? "wassiit_webhook_verify"
                : conf->sign ? "wassiit_webhook_sign"
                             : "wassiit_payload";

    loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;
    modules = cf->cycle->modules;

    for (i = 0; modules[i]; i++) {

        if (modules[i]->type != NGX_HTTP_MODULE) {
            continue;
        }

        if (ngx_strcmp(modules[i]->name, "ngx_http_grpc_module") == 0
            && clcf->handler == ngx_http_wassiit_grpc_handler(cf, modules[i]))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%s\" looks at the whole body before any of it "
                          "goes upstream, and a call that \"grpc_pass\" "
                          "passes on may wait for answers before its body "
                          "ends: write \"%s off\" in location \"%V\"",
                          directive, directive, &clcf->name);
            return NGX_CONF_ERROR;
        }

        for (n = 0; n < sizeof(names) / sizeof(names[0]); n++) {

            if (ngx_strncmp(modules[i]->name, "ngx_http_", 9) != 0
                || ngx_strncmp(modules[i]->name + 9, names[n],
                               ngx_strlen(names[n]))
                   != 0
                || ngx_strcmp(modules[i]->name + 9 + ngx_strlen(names[n]),
                              "_module")
                   != 0)
            {
                continue;
            }

            upstream = loc_conf[modules[i]->ctx_index];

            if (upstream->request_buffering == 0) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "\"%s\" looks at the whole body before any of "
                              "it goes upstream, so it needs "
                              "\"%s_request_buffering on\" in location "
                              "\"%V\"",
                              directive, names[n], &clcf->name);
                return NGX_CONF_ERROR;
            }
        }
    }

    return NGX_CONF_OK;
}


/*
 * The handler that "grpc_pass" sets, which has no name that we could call it
 * by: the directive is tried in a location of no server.  An address with a
 * variable leaves nothing behind.  Returns NULL if the module doesn't say.
 */

static ngx_http_handler_pt
ngx_http_wassiit_grpc_handler(ngx_conf_t *cf, ngx_module_t *module)
{
    void                      *conf;
    ngx_conf_t                 scratch;
    ngx_array_t                args;
    ngx_command_t             *cmd;
    ngx_http_module_t         *ctx, *core;
    ngx_http_conf_ctx_t        conf_ctx;
    ngx_http_core_loc_conf_t  *clcf;

    static ngx_str_t  words[] = {
        ngx_string("grpc_pass"),
        ngx_string("$host")
    };

    for (cmd = module->commands; cmd && cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, "grpc_pass") == 0) {
            break;
        }
    }

    if (cmd == NULL || cmd->name.len == 0) {
        return NULL;
    }

    ctx = module->ctx;
    core = ngx_http_core_module.ctx;

    conf_ctx = *(ngx_http_conf_ctx_t *) cf->ctx;
    conf_ctx.loc_conf = ngx_pcalloc(cf->pool,
                                    ngx_http_max_module * sizeof(void *));

    clcf = core->create_loc_conf(cf);
    conf = ctx->create_loc_conf(cf);

    if (conf_ctx.loc_conf == NULL || clcf == NULL || conf == NULL) {
        return NULL;
    }

    conf_ctx.loc_conf[ngx_http_core_module.ctx_index] = clcf;
    conf_ctx.loc_conf[module->ctx_index] = conf;

    args.elts = words;
    args.nelts = 2;

    scratch = *cf;
    scratch.ctx = &conf_ctx;
    scratch.args = &args;

    return (cmd->set(&scratch, cmd, conf) == NGX_CONF_OK) ? clcf->handler
                                                          : NULL;
}


static char *
ngx_http_wassiit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    char                     *rv;
    ssize_t                   size;
    ngx_str_t                *value, name, file, s;
    ngx_uint_t                i, n;
    ngx_wassiit_rate_t        rate;
    ngx_http_wassiit_zone_t  *zone;

    size = 0;
    ngx_str_null(&name);
    ngx_str_null(&file);

    rate.limit = 100;
    rate.seconds = 60;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 1; n < i; n++) {
            /* "zone=", "file=" and "rate=" */

            if (ngx_strncmp(value[i].data, value[n].data, 5) == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate parameter \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        if (ngx_strncmp(value[i].data, "zone=", 5) == 0) {
            rv = ngx_http_wassiit_zone_size(cf, &value[i], &name, &size);

            if (rv != NGX_CONF_OK) {
                return rv;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "file=", 5) == 0
            && value[i].len > 5)
        {
            file.len = value[i].len - 5;
            file.data = value[i].data + 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "rate=", 5) == 0) {
            s.len = value[i].len - 5;
            s.data = value[i].data + 5;

            if (ngx_wassiit_rate_parse(s.data, s.len, &rate) != NGX_OK) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid rate \"%V\", it must be 1 to %d "
                                   "r/s, r/m, r/h or r/d",
                                   &value[i], NGX_WASSIIT_RATE_MAX);
                return NGX_CONF_ERROR;
            }

            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    if (name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"zone\"",
                           &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"file\"",
                           &cmd->name);
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    zone = ngx_http_wassiit_get_zone(cf, wmcf, &name);
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (zone->shm_zone) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate wassiit_zone \"%V\"", &name);
        return NGX_CONF_ERROR;
    }

    zone->file = file;
    zone->rate = rate;

    zone->shm_zone = ngx_shared_memory_add(cf, &zone->name, size,
                                           &ngx_http_wassiit_module);
    if (zone->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zone->shm_zone->init = ngx_http_wassiit_zone_init;
    zone->shm_zone->data = zone;

    return NGX_CONF_OK;
}


/* zone=NAME:SIZE */

static char *
ngx_http_wassiit_zone_size(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *name,
    ssize_t *size)
{
    u_char      c, *p;
    size_t      i;
    ngx_str_t   s;

    name->data = value->data + 5;
    p = (u_char *) ngx_strchr(name->data, ':');

    if (p == NULL || p == name->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone \"%V\", it must be zone=NAME:SIZE",
                           value);
        return NGX_CONF_ERROR;
    }

    name->len = p - name->data;

    /* it stands in headers and in quotes */

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\') {
            break;
        }
    }

    if (i < name->len
        || (name->len == 3 && ngx_strncmp(name->data, "off", 3) == 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone name \"%V\"",
                           name);
        return NGX_CONF_ERROR;
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    *size = ngx_parse_size(&s);

    if (*size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone size \"%V\"",
                           value);
        return NGX_CONF_ERROR;
    }

    if (*size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, the least is %uzk",
                           value, 8 * ngx_pagesize / 1024);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* The zone of this name: one for all that name it, wherever it is declared. */

static ngx_http_wassiit_zone_t *
ngx_http_wassiit_get_zone(ngx_conf_t *cf, ngx_http_wassiit_main_conf_t *wmcf,
    ngx_str_t *name)
{
    ngx_uint_t                 i;
    ngx_http_wassiit_zone_t   *zone, **zones;

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {
        if (zones[i]->name.len == name->len
            && ngx_strncmp(zones[i]->name.data, name->data, name->len) == 0)
        {
            return zones[i];
        }
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_zone_t));
    zones = ngx_array_push(&wmcf->zones);

    if (zone == NULL || zones == NULL) {
        return NULL;
    }

    zone->name = *name;
    zone->conf_file = cf->conf_file->file.name.data;
    zone->conf_line = cf->conf_file->line;

    *zones = zone;

    return zone;
}


static char *
ngx_http_wassiit_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        switch (ngx_wassiit_scopes_add(&wmcf->scopes, value[i].data,
                                       value[i].len))
        {
        case NGX_OK:
            break;

        case NGX_BUSY:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate scope \"%V\"", &value[i]);
            return NGX_CONF_ERROR;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid scope \"%V\", it must be 1 to %d of "
                               "a-z A-Z 0-9 . _ : -",
                               &value[i], NGX_WASSIIT_SCOPE_LEN);
            return NGX_CONF_ERROR;

        default:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "too many scopes: \"%V\" is one above the %d "
                               "that there may be",
                               &value[i], NGX_WASSIIT_SCOPES_MAX);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_access(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t                     *value;
    ngx_http_wassiit_main_conf_t  *wmcf;

    if (wlcf->zone != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        wlcf->zone = NULL;
        return NGX_CONF_OK;
    }

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

    wlcf->zone = ngx_http_wassiit_get_zone(cf, wmcf, &value[1]);

    return wlcf->zone ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_wassiit_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t  *value, s;

    if (wlcf->auth != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "key") == 0) {
        wlcf->auth = NGX_HTTP_WASSIIT_AUTH_KEY;

    } else if (ngx_strcmp(value[1].data, "hmac") == 0) {
        wlcf->auth = NGX_HTTP_WASSIIT_AUTH_HMAC;
        wlcf->skew = 300;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\", it "
                           "must be \"key\" or \"hmac\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return ngx_http_wassiit_demand(cf, cmd, wlcf);
    }

    if (wlcf->auth != NGX_HTTP_WASSIIT_AUTH_HMAC
        || ngx_strncmp(value[2].data, "skew=", 5) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    s.len = value[2].len - 5;
    s.data = value[2].data + 5;

    wlcf->skew = ngx_parse_time(&s, 1);

    if (wlcf->skew == (time_t) NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid skew \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_wassiit_demand(cf, cmd, wlcf);
}


static char *
ngx_http_wassiit_upstream_hmac(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t                  *value, key, file;
    ngx_uint_t                  i, n;
    ngx_pool_cleanup_t         *cln;
    ngx_http_wassiit_signer_t  *signer;

    if (wlcf->signer != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        wlcf->signer = NULL;
        return NGX_CONF_OK;
    }

    ngx_str_null(&key);
    ngx_str_null(&file);

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 1; n < i; n++) {
            /* "key=" and "secret_file=" */

            if (ngx_strncmp(value[i].data, value[n].data, 4) == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "duplicate parameter \"%V\"", &value[i]);
                return NGX_CONF_ERROR;
            }
        }

        if (ngx_strncmp(value[i].data, "key=", 4) == 0 && value[i].len > 4) {
            key.len = value[i].len - 4;
            key.data = value[i].data + 4;
            continue;
        }

        if (ngx_strncmp(value[i].data, "secret_file=", 12) == 0
            && value[i].len > 12)
        {
            file.len = value[i].len - 12;
            file.data = value[i].data + 12;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    if (key.len == 0 || file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"%s\"",
                           &cmd->name, key.len ? "secret_file" : "key");
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < key.len; i++) {
        if (key.data[i] < 0x20 || key.data[i] > 0x7e) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the key of \"%V\" has a character that no "
                               "header can hold", &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    signer = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_signer_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (signer == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_wassiit_wipe_signer;
    cln->data = signer;

    signer->key = key;

    if (ngx_http_wassiit_secret(&file, ngx_http_wassiit_user(cf->cycle),
                                &signer->secret, cf->log)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    wlcf->signer = signer;

    return NGX_CONF_OK;
}


static void
ngx_http_wassiit_wipe_signer(void *data)
{
    ngx_http_wassiit_signer_t  *signer = data;

    ngx_explicit_memzero(&signer->secret, sizeof(ngx_wassiit_hmac_key_t));
}


/* Sets wassiit_webhook_verify or wassiit_webhook_sign. */

static char *
ngx_http_wassiit_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                    *value;
    ngx_uint_t                    sign;
    ngx_http_wassiit_webhook_t  **webhook;

    webhook = (void *) ((u_char *) conf + cmd->offset);

    if (*webhook != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        *webhook = NULL;
        return NGX_CONF_OK;
    }

    sign = (cmd->offset == offsetof(ngx_http_wassiit_loc_conf_t, sign));
    *webhook = ngx_http_wassiit_webhook_read(cf, cmd, sign);

    return *webhook ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_http_wassiit_webhook_t *
ngx_http_wassiit_webhook_read(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_uint_t sign)
{
    ngx_str_t                     *value, s[4];
    ngx_uint_t                     i, n;
    ngx_http_wassiit_webhook_t    *webhook;
    ngx_http_wassiit_main_conf_t  *wmcf;

    enum { SECRET_FILE = 0, HEADER, ZONE, PARTNER };

    static const ngx_str_t  names[] = {
        ngx_string("secret_file="),
        ngx_string("header="),
        ngx_string("zone="),
        ngx_string("partner=")
    };

    ngx_memzero(s, sizeof(s));
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 0; n < (sign ? 4 : 2); n++) {
            if (value[i].len > names[n].len
                && ngx_strncmp(value[i].data, names[n].data, names[n].len)
                   == 0)
            {
                break;
            }
        }

        if (n == (sign ? 4 : 2)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NULL;
        }

        if (s[n].data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"%V\"", &value[i]);
            return NULL;
        }

        s[n].data = value[i].data + names[n].len;
        s[n].len = value[i].len - names[n].len;
    }

    if (s[SECRET_FILE].len && (s[ZONE].len || s[PARTNER].len)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" takes either \"secret_file\" or \"zone\" "
                           "and \"partner\"", &cmd->name);
        return NULL;
    }

    if (s[SECRET_FILE].len == 0 && (s[ZONE].len == 0 || s[PARTNER].len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"%s\"",
                           &cmd->name,
                           s[ZONE].len ? "partner"
                                       : s[PARTNER].len ? "zone"
                                                        : "secret_file");
        return NULL;
    }

    webhook = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_webhook_t));
    if (webhook == NULL) {
        return NULL;
    }

    if (s[HEADER].len == 0) {
        ngx_str_set(&s[HEADER], "X-WASSIIT-Signature");
    }

    webhook->header = s[HEADER];
    webhook->lowcase.len = s[HEADER].len;
    webhook->lowcase.data = ngx_pnalloc(cf->pool, s[HEADER].len);

    if (webhook->lowcase.data == NULL
        || ngx_http_wassiit_webhook_name(cf, &webhook->header) != NGX_CONF_OK)
    {
        return NULL;
    }

    ngx_strlow(webhook->lowcase.data, webhook->header.data,
               webhook->header.len);

    if (s[ZONE].len) {
        wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

        webhook->zone = ngx_http_wassiit_get_zone(cf, wmcf, &s[ZONE]);

        return (webhook->zone
                && ngx_http_wassiit_webhook_partner(cf, webhook, &s[PARTNER])
                   == NGX_OK)
               ? webhook : NULL;
    }

    if (ngx_conf_full_name(cf->cycle, &s[SECRET_FILE], 1) != NGX_OK) {
        return NULL;
    }

    webhook->keys = ngx_http_wassiit_secrets(&s[SECRET_FILE],
                                             ngx_http_wassiit_user(cf->cycle),
                                             cf->pool, cf->log);

    return webhook->keys ? webhook : NULL;
}


/* A header's name: a token (RFC 9110, section 5.1), and not one of HTTP's. */

static char *
ngx_http_wassiit_webhook_name(ngx_conf_t *cf, ngx_str_t *name)
{
    size_t        i;
    ngx_uint_t    n;

    static const char  *taken[] = {
        "connection", "content-length", "content-type", "expect", "host",
        "te", "trailer", "transfer-encoding", "upgrade"
    };

    for (i = 0; i < name->len; i++) {
        if (!isalnum(name->data[i])
            && ngx_strchr("!#$%&'*+-.^_`|~", name->data[i]) == NULL)
        {
            break;
        }
    }

    if (i == name->len && i <= 128) {

        for (n = 0; n < sizeof(taken) / sizeof(taken[0]); n++) {
            if (ngx_strcasecmp(name->data, (u_char *) taken[n]) == 0) {
                break;
            }
        }

        if (n == sizeof(taken) / sizeof(taken[0])) {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" can't be the header of a signature", name);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_wassiit_webhook_partner(ngx_conf_t *cf,
    ngx_http_wassiit_webhook_t *webhook, ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    webhook->partner = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (webhook->partner == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = webhook->partner;

    return ngx_http_compile_complex_value(&ccv);
}


static char *
ngx_http_wassiit_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_complex_value_t          *cv;
    ngx_http_wassiit_literal_t        *literal;
    ngx_http_wassiit_main_conf_t      *wmcf;
    ngx_http_compile_complex_value_t   ccv;

    if (wlcf->required != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    wlcf->required = ngx_pcalloc(cf->pool,
                                 sizeof(ngx_http_wassiit_required_t));
    if (wlcf->required == NULL) {
        return NGX_CONF_ERROR;
    }

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_script_variables_count(&value[i]) == 0) {

            /* wassiit_scopes may stand further down */

            literal = ngx_array_push(&wmcf->literals);
            if (literal == NULL) {
                return NGX_CONF_ERROR;
            }

            literal->name = value[i];
            literal->required = wlcf->required;
            literal->conf_file = cf->conf_file->file.name.data;
            literal->conf_line = cf->conf_file->line;

            continue;
        }

        if (wlcf->required->values == NULL) {
            wlcf->required->values = ngx_array_create(cf->pool, 1,
                                            sizeof(ngx_http_complex_value_t));
            if (wlcf->required->values == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        cv = ngx_array_push(wlcf->required->values);
        if (cv == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

        ccv.cf = cf;
        ccv.value = &value[i];
        ccv.complex_value = cv;

        if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_wassiit_demand(cf, cmd, wlcf);
}


static char *
ngx_http_wassiit_set_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    char  *rv;

    rv = ngx_conf_set_enum_slot(cf, cmd, conf);

    if (rv != NGX_CONF_OK || wlcf->limit == NGX_HTTP_WASSIIT_LIMIT_OFF) {
        return rv;
    }

    return ngx_http_wassiit_demand(cf, cmd, wlcf);
}


/* Notes a directive that without wassiit_access would ask nobody. */

static char *
ngx_http_wassiit_demand(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_wassiit_loc_conf_t *wlcf)
{
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_wassiit_demand_t     *demand;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    demand = ngx_array_push(&wmcf->demands);
    if (demand == NULL) {
        return NGX_CONF_ERROR;
    }

    demand->directive = cmd->name;
    demand->block = wlcf;
    demand->type = cf->cmd_type;
    demand->location = clcf->name;
    demand->conf_file = cf->conf_file->file.name.data;
    demand->conf_line = cf->conf_file->line;

    return NGX_CONF_OK;
}


/* What a location asks must be asked there; what a block does, in it. */

static ngx_int_t
ngx_http_wassiit_check_demands(ngx_conf_t *cf)
{
    ngx_uint_t                     i;
    ngx_http_wassiit_demand_t     *demand;
    ngx_http_wassiit_loc_conf_t   *block;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);
    demand = wmcf->demands.elts;

    for (i = 0; i < wmcf->demands.nelts; i++) {

        block = demand[i].block;

        if (demand[i].type != NGX_HTTP_LOC_CONF) {

            if (block->guards
                || (block->zone && block->zone != NGX_CONF_UNSET_PTR))
            {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%V\" asks nobody: \"wassiit_access\" is off "
                          "everywhere in this \"%s\" block; add "
                          "\"wassiit_access ZONE\" where it is meant for, or "
                          "remove it in %s:%ui",
                          &demand[i].directive,
                          demand[i].type == NGX_HTTP_SRV_CONF ? "server"
                                                              : "http",
                          demand[i].conf_file, demand[i].conf_line);
            return NGX_ERROR;
        }

        if (block->zone) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" asks nobody: \"wassiit_access\" is off in "
                      "location \"%V\"; add \"wassiit_access ZONE\" there, "
                      "or remove it in %s:%ui",
                      &demand[i].directive, &demand[i].location,
                      demand[i].conf_file, demand[i].conf_line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_http_wassiit_problem(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_http_core_loc_conf_t  *clcf;

    if (wlcf->problem) {
        return "is duplicate";
    }

    wlcf->problem = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_wassiit_problem_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_admin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t                     *value;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_wassiit_main_conf_t  *wmcf;

    if (wlcf->admin) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->exact_match || clcf->named
#if (NGX_PCRE)
        || clcf->regex
#endif
       )
    {
        return "needs a location that is the beginning of a path: what it "
               "serves lies below";
    }

    value = cf->args->elts;
    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

    wlcf->admin = ngx_http_wassiit_get_zone(cf, wmcf, &value[1]);
    if (wlcf->admin == NULL) {
        return NGX_CONF_ERROR;
    }

    wlcf->admin->admin = 1;
    clcf->handler = ngx_http_wassiit_admin_handler;

#if (NGX_THREADS)

    wmcf->threads = ngx_thread_pool_add(cf, NULL);
    if (wmcf->threads == NULL) {
        return NGX_CONF_ERROR;
    }

#endif

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_wassiit_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    if (ngx_http_wassiit_check_demands(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_wassiit_access_handler;

    /* handlers run from the last to the first */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_wassiit_webhook_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_wassiit_sign_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_wassiit_body_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_wassiit_limit_handler;

    ngx_http_wassiit_egress_init(cf);
    ngx_http_wassiit_upstream_init();
    ngx_http_wassiit_turn_init();
    ngx_http_wassiit_body_init();
    ngx_http_wassiit_webhook_init();
    ngx_http_wassiit_payload_init();
    ngx_http_wassiit_admin_filter_init();
    ngx_http_wassiit_reply_init();

    return NGX_OK;
}


/*
 * From here on nothing makes the configuration fail, so the zones may take
 * what was read.
 */

static ngx_int_t
ngx_http_wassiit_init_module(ngx_cycle_t *cycle)
{
    uid_t                           uid;
    ngx_uint_t                      i;
    ngx_core_conf_t                *ccf;
    ngx_http_wassiit_zone_t       **zones;
    ngx_http_wassiit_main_conf_t   *wmcf;

    wmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_wassiit_module);

    if (wmcf == NULL || ngx_test_config) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    uid = (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT || geteuid() != 0)
          ? (uid_t) -1 : ccf->user;

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {
        if (zones[i]->admin) {
            ngx_http_wassiit_store_settle(zones[i]->store, uid);
        }

        ngx_http_wassiit_zone_load(zones[i], cycle->log);
    }

    /* as long as the files are locked: no change may get into what is left */
    ngx_http_wassiit_leave_zones(cycle, wmcf);

    for (i = 0; i < wmcf->zones.nelts; i++) {
        ngx_http_wassiit_drop_store(zones[i]);
    }

    return NGX_OK;
}


/*
 * A zone whose size or name has changed is a new one, and the former's memory
 * is still what workers use that drain.
 */

static void
ngx_http_wassiit_leave_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                      i, n;
    ngx_http_wassiit_zone_t       **zones, **former;
    ngx_http_wassiit_main_conf_t   *owmcf;

    owmcf = ngx_http_wassiit_former(cycle);

    if (owmcf == NULL) {
        return;
    }

    zones = wmcf->zones.elts;
    former = owmcf->zones.elts;

    for (i = 0; i < owmcf->zones.nelts; i++) {

        for (n = 0; n < wmcf->zones.nelts; n++) {
            if (zones[n]->sh == former[i]->sh) {
                break;
            }
        }

        if (n < wmcf->zones.nelts) {
            /* it is still one of ours */
            continue;
        }

        for (n = 0; n < wmcf->zones.nelts; n++) {
            if ((zones[n]->admin || former[i]->admin)
                && (ngx_http_wassiit_same(&zones[n]->name, &former[i]->name)
                    || ngx_http_wassiit_same(&zones[n]->file,
                                             &former[i]->file)))
            {
                ngx_http_wassiit_zone_leave(former[i], zones[n]);
            }
        }
    }
}


static ngx_uint_t
ngx_http_wassiit_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && ngx_strncmp(a->data, b->data, a->len) == 0;
}


static ngx_int_t
ngx_http_wassiit_init_process(ngx_cycle_t *cycle)
{
    ngx_http_wassiit_arena_install();
    ngx_http_wassiit_admin_init(ngx_http_cycle_get_module_main_conf(cycle,
                                                   ngx_http_wassiit_module));

    return NGX_OK;
}
