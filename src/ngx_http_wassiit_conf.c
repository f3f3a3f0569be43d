
#include "ngx_http_wassiit_access.h"
#include "ngx_http_wassiit_conf.h"
#include "ngx_http_wassiit_conf_answer.h"
#include "ngx_http_wassiit_conf_check.h"
#include "ngx_http_wassiit_conf_cluster.h"
#include "ngx_http_wassiit_conf_error.h"
#include "ngx_http_wassiit_conf_redis.h"
#include "ngx_http_wassiit_conf_secret.h"
#include "ngx_http_wassiit_conf_zone.h"
#include "ngx_http_wassiit_egress.h"


/* a scope named in the configuration, before all are declared */

typedef struct {
    ngx_str_t                      name;
    ngx_http_wassiit_required_t   *required;
    u_char                        *conf_file;
    ngx_uint_t                     conf_line;
} ngx_http_wassiit_literal_t;


static void ngx_http_wassiit_no_scope(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_http_wassiit_literal_t *literal);
static ngx_uint_t ngx_http_wassiit_leads(ngx_conf_t *cf);
static char *ngx_http_wassiit_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_set_access(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_set_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_set_scope(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_set_enum(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_wassiit_set_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_enum_t  ngx_http_wassiit_limits[] = {
    { ngx_string("off"), NGX_HTTP_WASSIIT_LIMIT_OFF },
    { ngx_string("on"), NGX_HTTP_WASSIIT_LIMIT_ON },
    { ngx_string("dry_run"), NGX_HTTP_WASSIIT_LIMIT_DRY_RUN },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_wassiit_forms[] = {
    { ngx_string("problem"), NGX_HTTP_WASSIIT_ERRORS_PROBLEM },
    { ngx_string("envelope"), NGX_HTTP_WASSIIT_ERRORS_ENVELOPE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_wassiit_egresses[] = {
    { ngx_string("any"), NGX_HTTP_WASSIIT_EGRESS_ANY },
    { ngx_string("public"), NGX_HTTP_WASSIIT_EGRESS_PUBLIC },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_wassiit_payloads[] = {
    { ngx_string("off"), NGX_HTTP_WASSIIT_PAYLOAD_OFF },
    { ngx_string("message"), NGX_HTTP_WASSIIT_PAYLOAD_MESSAGE },
    { ngx_string("call"), NGX_HTTP_WASSIIT_PAYLOAD_CALL },
    { ngx_string("audio"), NGX_HTTP_WASSIIT_PAYLOAD_AUDIO },
    { ngx_string("document"), NGX_HTTP_WASSIIT_PAYLOAD_DOCUMENT },
    { ngx_string("automation"), NGX_HTTP_WASSIIT_PAYLOAD_AUTOMATION },
    { ngx_null_string, 0 }
};


#define ANYWHERE  NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF


ngx_command_t  ngx_http_wassiit_commands[] = {

    { ngx_string("wassiit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_ANY,
      ngx_http_wassiit_set_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_ANY,
      ngx_http_wassiit_set_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_cluster"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_ANY,
      ngx_http_wassiit_set_cluster,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_scopes"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_ANY,
      ngx_http_wassiit_set_scopes,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_access"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_access,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_auth"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_auth,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_scope"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_scope,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_limit"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, limit),
      &ngx_http_wassiit_limits },

    { ngx_string("wassiit_limit_headers"),
      ANYWHERE|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, limit_headers),
      NULL },

    { ngx_string("wassiit_errors"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, errors),
      &ngx_http_wassiit_forms },

    { ngx_string("wassiit_problem"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_wassiit_set_problem,
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
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_signer,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_webhook_verify"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, verify),
      NULL },

    { ngx_string("wassiit_webhook_sign"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, sign),
      NULL },

    { ngx_string("wassiit_egress"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, egress),
      &ngx_http_wassiit_egresses },

    { ngx_string("wassiit_payload"),
      ANYWHERE|NGX_CONF_ANY,
      ngx_http_wassiit_set_enum,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_wassiit_loc_conf_t, payload),
      &ngx_http_wassiit_payloads },

    { ngx_string("wassiit_admin"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_wassiit_set_admin,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("wassiit_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_wassiit_set_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


void *
ngx_http_wassiit_create_main_conf(ngx_conf_t *cf)
{
    const ngx_wassiit_scopes_t    *scopes;
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

    /*
     * Scopes keep the bits that they have in the running configuration, and in
     * that of a program that shares the zones.
     */

    owmcf = ngx_http_wassiit_former(cf->cycle);

    scopes = ngx_http_wassiit_zone_scopes(
                                     ngx_is_init_cycle(cf->cycle->old_cycle),
                                     cf->log);
    if (scopes == NULL && owmcf) {
        scopes = &owmcf->scopes;
    }

    ngx_wassiit_scopes_init(&wmcf->scopes, scopes);

    wmcf->loaded = ngx_time();

    return wmcf;
}


char *
ngx_http_wassiit_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    uint64_t                     scope;
    ngx_str_t                    request_id;
    ngx_uint_t                   i;
    ngx_http_wassiit_literal_t  *literal;

    ngx_wassiit_scopes_settle(&wmcf->scopes);

    literal = wmcf->literals.elts;

    for (i = 0; i < wmcf->literals.nelts; i++) {
        scope = ngx_wassiit_scopes_find(&wmcf->scopes, literal[i].name.data,
                                        literal[i].name.len);

        if (scope == 0) {
            ngx_http_wassiit_no_scope(cf, wmcf, &literal[i]);
            return NGX_CONF_ERROR;
        }

        literal[i].required->set |= scope;
    }

    if (ngx_http_wassiit_check_clusters(cf, wmcf) != NGX_OK
        || ngx_http_wassiit_read_zones(cf, wmcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&request_id, "request_id");

    wmcf->request_id = ngx_http_get_variable_index(cf, &request_id);

    return (wmcf->request_id == NGX_ERROR) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static void
ngx_http_wassiit_no_scope(ngx_conf_t *cf, ngx_http_wassiit_main_conf_t *wmcf,
    ngx_http_wassiit_literal_t *literal)
{
    u_char     *p, *last;
    u_char      text[NGX_WASSIIT_SCOPES_MAX * (NGX_WASSIIT_SCOPE_LEN + 1)];
    uint64_t    set;
    ngx_str_t   name;

    if (ngx_http_wassiit_conf_is_directive(cf, &literal->name)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown scope \"%V\", which is a directive: a \";\" is "
                      "missing before it in %s:%ui", &literal->name,
                      literal->conf_file, literal->conf_line);
        return;
    }

    if (ngx_strchr(literal->name.data, ',')) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown scope \"%V\", scopes are separated by blanks, "
                      "not by commas in %s:%ui", &literal->name,
                      literal->conf_file, literal->conf_line);
        return;
    }

    if (ngx_wassiit_scopes_nearest(&wmcf->scopes, literal->name.data,
                                   literal->name.len, &name))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown scope \"%V\", the nearest is \"%V\" in %s:%ui",
                      &literal->name, &name, literal->conf_file,
                      literal->conf_line);
        return;
    }

    p = text;
    last = text + sizeof(text);

    for (set = wmcf->scopes.declared; set; /* void */) {
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        p = ngx_slprintf(p, last, " %V", &name);
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "unknown scope \"%V\", there are%*s; \"wassiit_scopes\" "
                  "declares others in %s:%ui", &literal->name,
                  (size_t) (p - text), text, literal->conf_file,
                  literal->conf_line);
}


void *
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
     *     wlcf->answer = NULL;
     *     wlcf->admin = NULL;
     *     wlcf->status = NULL;
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


char *
ngx_http_wassiit_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_wassiit_loc_conf_t *prev = parent;
    ngx_http_wassiit_loc_conf_t *conf = child;

    ngx_http_wassiit_main_conf_t  *wmcf;

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

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

    wmcf->signer |= (conf->signer != NULL);
    wmcf->looks |= conf->looks;
    wmcf->sign |= (conf->sign != NULL);
    wmcf->leads |= ngx_http_wassiit_leads(cf);

    if (ngx_http_wassiit_egress_merge(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_wassiit_merge_answer(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->zone) {
        ngx_http_wassiit_guard(conf);
    }

    return ngx_http_wassiit_need_buffering(cf, conf);
}


/* Does error_page lead anything on as a 400?  nginx's core is merged first. */

static ngx_uint_t
ngx_http_wassiit_leads(ngx_conf_t *cf)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->error_pages == NULL) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if ((page[i].overwrite < 0 ? page[i].status : page[i].overwrite)
            == NGX_HTTP_BAD_REQUEST)
        {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_wassiit_set_scopes(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ngx_http_wassiit_conf_count(cf, 1, NGX_MAX_UINT32_VALUE, "NAME ...")
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

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
ngx_http_wassiit_set_access(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t                     *value;
    ngx_http_wassiit_main_conf_t  *wmcf;

    if (ngx_http_wassiit_conf_count(cf, 1, 1, "NAME | off")
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

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
ngx_http_wassiit_set_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t  *value, s;

    static const ngx_str_t  skew = ngx_string("skew=");

    if (ngx_http_wassiit_conf_count(cf, 1, 2, "key | hmac [skew=TIME]")
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

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
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\", it must be \"key\" or "
                           "\"hmac\" in \"wassiit_auth\" directive", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return ngx_http_wassiit_demand(cf, cmd, wlcf);
    }

    if (wlcf->auth != NGX_HTTP_WASSIIT_AUTH_HMAC
        || ngx_strncmp(value[2].data, "skew=", 5) != 0)
    {
        return ngx_http_wassiit_conf_unknown(cf, &value[2], &skew,
                                wlcf->auth == NGX_HTTP_WASSIIT_AUTH_HMAC,
                                "key | hmac [skew=TIME]");
    }

    s.len = value[2].len - 5;
    s.data = value[2].data + 5;

    wlcf->skew = ngx_parse_time(&s, 1);

    if (wlcf->skew == (time_t) NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid skew \"%V\" in \"wassiit_auth\" directive, "
                           "it must be a time, as in \"skew=300s\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_wassiit_demand(cf, cmd, wlcf);
}


static char *
ngx_http_wassiit_set_scope(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t                         *value;
    ngx_uint_t                         i;
    ngx_http_complex_value_t          *cv;
    ngx_http_wassiit_literal_t        *literal;
    ngx_http_wassiit_main_conf_t      *wmcf;
    ngx_http_compile_complex_value_t   ccv;

    if (ngx_http_wassiit_conf_count(cf, 1, NGX_MAX_UINT32_VALUE, "NAME ...")
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

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


/* As ngx_conf_set_enum_slot(), which names neither directive nor choices. */

static char *
ngx_http_wassiit_set_enum(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char  *p = conf;

    u_char           *last, text[128];
    ngx_str_t        *value;
    ngx_uint_t        i, *to;
    ngx_conf_enum_t  *choices;

    to = (ngx_uint_t *) (p + cmd->offset);
    value = cf->args->elts;
    choices = cmd->post;

    if (*to != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    last = text;

    for (i = 0; choices[i].name.len; i++) {

        if (cf->args->nelts == 2 && choices[i].name.len == value[1].len
            && ngx_strcasecmp(choices[i].name.data, value[1].data) == 0)
        {
            *to = choices[i].value;
            return NGX_CONF_OK;
        }

        last = ngx_slprintf(last, text + sizeof(text), "%s\"%V\"",
                            i == 0 ? "" : choices[i + 1].name.len ? ", "
                                                                  : " or ",
                            &choices[i].name);
    }

    if (cf->args->nelts != 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\" directive, "
                           "it must be %*s", &value[0],
                           (size_t) (last - text), text);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value \"%V\" in \"%V\" directive, it must be "
                       "%*s", &value[1], &value[0], (size_t) (last - text),
                       text);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_wassiit_set_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    char  *rv;

    rv = ngx_http_wassiit_set_enum(cf, cmd, conf);

    if (rv != NGX_CONF_OK || wlcf->limit == NGX_HTTP_WASSIIT_LIMIT_OFF) {
        return rv;
    }

    return ngx_http_wassiit_demand(cf, cmd, wlcf);
}
