
#include "ngx_http_wassiit_access.h"
#include "ngx_http_wassiit_conf_check.h"


static ngx_http_handler_pt ngx_http_wassiit_grpc_handler(ngx_conf_t *cf,
    ngx_module_t *module);


char *
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


ngx_int_t
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


void
ngx_http_wassiit_guard(ngx_http_wassiit_loc_conf_t *block)
{
    for ( /* void */ ; block; block = block->parent) {
        block->guards = 1;
    }
}


char *
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

    /*
     * All modules whose conf is looked at here begin it with an
     * ngx_http_upstream_conf_t; their own directives have been merged, as they
     * come before filters.
     */

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
