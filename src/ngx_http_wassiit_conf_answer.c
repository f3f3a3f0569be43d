
#include "ngx_http_wassiit_access.h"
#include "ngx_http_wassiit_admin.h"
#include "ngx_http_wassiit_conf_answer.h"
#include "ngx_http_wassiit_conf_error.h"
#include "ngx_http_wassiit_conf_zone.h"
#include "ngx_http_wassiit_reply.h"
#include "ngx_http_wassiit_status.h"


static char *ngx_http_wassiit_answer(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_wassiit_loc_conf_t *wlcf, ngx_http_handler_pt handler);
static ngx_uint_t ngx_http_wassiit_status_form(ngx_str_t *value);
static char *ngx_http_wassiit_check_guard(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *conf, ngx_http_wassiit_zone_t *zone,
    const char *anyone, const char *partner);


static const char  ngx_http_wassiit_status_syntax[] =
    "NAME [json | prometheus] [top=N]";


/* Makes handler the location's, if nothing else answers there. */

static char *
ngx_http_wassiit_answer(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_wassiit_loc_conf_t *wlcf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_wassiit_answer_t  *answer;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (wlcf->answer && wlcf->answer->handler == handler) {
        return "is duplicate";
    }

    if (wlcf->answer) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and \"%V\" both answer in location \"%V\": "
                           "give each a location of its own",
                           &wlcf->answer->directive, &cmd->name, &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (clcf->handler) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" and another directive, such as "
                           "\"proxy_pass\", both answer in location \"%V\": "
                           "give each a location of its own",
                           &cmd->name, &clcf->name);
        return NGX_CONF_ERROR;
    }

    answer = ngx_palloc(cf->pool, sizeof(ngx_http_wassiit_answer_t));
    if (answer == NULL) {
        return NGX_CONF_ERROR;
    }

    answer->directive = cmd->name;
    answer->handler = handler;
    answer->conf_file = cf->conf_file->file.name.data;
    answer->conf_line = cf->conf_file->line;

    wlcf->answer = answer;
    clcf->handler = handler;

    return NGX_CONF_OK;
}


char *
ngx_http_wassiit_set_problem(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    wlcf->problem = 1;

    return ngx_http_wassiit_answer(cf, cmd, wlcf,
                                   ngx_http_wassiit_problem_handler);
}


char *
ngx_http_wassiit_set_admin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_wassiit_main_conf_t  *wmcf;

    if (ngx_http_wassiit_conf_count(cf, 1, 1, "NAME")
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_wassiit_answer(cf, cmd, wlcf,
                                 ngx_http_wassiit_admin_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
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

    return NGX_CONF_OK;
}


char *
ngx_http_wassiit_set_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    char                          *rv;
    ngx_int_t                      top;
    ngx_str_t                     *value;
    ngx_uint_t                     i, word, form, given;
    ngx_http_wassiit_main_conf_t  *wmcf;

    static const ngx_str_t  names[] = {
        ngx_string("json"),
        ngx_string("prometheus"),
        ngx_string("top=")
    };

    if (ngx_http_wassiit_conf_count(cf, 1, 3, ngx_http_wassiit_status_syntax)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    rv = ngx_http_wassiit_answer(cf, cmd, wlcf,
                                 ngx_http_wassiit_status_handler);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;
    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

    form = NGX_CONF_UNSET_UINT;
    top = NGX_HTTP_WASSIIT_STATUS_TOP;
    given = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        word = ngx_http_wassiit_status_form(&value[i]);

        if (word != NGX_CONF_UNSET_UINT) {

            if (form != NGX_CONF_UNSET_UINT) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid parameter \"%V\" in \"%V\" "
                                   "directive, it takes \"json\" or "
                                   "\"prometheus\" once", &value[i],
                                   &cmd->name);
                return NGX_CONF_ERROR;
            }

            form = word;
            continue;
        }

        if (ngx_strncmp(value[i].data, "top=", 4) == 0) {

            if (given++) {
                return ngx_http_wassiit_conf_twice(cf, &value[i]);
            }

            top = ngx_atoi(value[i].data + 4, value[i].len - 4);

            if (top != NGX_ERROR && top <= NGX_HTTP_WASSIIT_STATUS_TOP_MAX) {
                continue;
            }

            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\" in \"%V\" directive, it "
                               "must be top=0 to top=%d", &value[i], &cmd->name,
                               NGX_HTTP_WASSIIT_STATUS_TOP_MAX);
            return NGX_CONF_ERROR;
        }

        if (ngx_http_wassiit_status_form(&value[1]) != NGX_CONF_UNSET_UINT
            || ngx_strncmp(value[1].data, "top=", 4) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"%V\" directive: "
                               "the name of the zone comes first, as in "
                               "\"%V %V %V\"", &value[i], &cmd->name,
                               &cmd->name, &value[i], &value[1]);
            return NGX_CONF_ERROR;
        }

        return ngx_http_wassiit_conf_unknown(cf, &value[i], names, 3,
                                             ngx_http_wassiit_status_syntax);
    }

    wlcf->status = ngx_http_wassiit_get_zone(cf, wmcf, &value[1]);
    if (wlcf->status == NULL) {
        return NGX_CONF_ERROR;
    }

    wlcf->status_form = (form == NGX_CONF_UNSET_UINT)
                        ? NGX_HTTP_WASSIIT_STATUS_JSON : form;
    wlcf->status_top = top;

    return NGX_CONF_OK;
}


/* NGX_CONF_UNSET_UINT: it is none. */

static ngx_uint_t
ngx_http_wassiit_status_form(ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "json") == 0) {
        return NGX_HTTP_WASSIIT_STATUS_JSON;
    }

    if (ngx_strcmp(value->data, "prometheus") == 0) {
        return NGX_HTTP_WASSIIT_STATUS_PROMETHEUS;
    }

    return NGX_CONF_UNSET_UINT;
}


char *
ngx_http_wassiit_merge_answer(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *prev, ngx_http_wassiit_loc_conf_t *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->noname && clcf->handler == NULL && (prev->admin || prev->status))
    {
        /* "if" or "limit_except" within the location */

        conf->answer = prev->answer;
        conf->admin = prev->admin;
        conf->status = prev->status;
        conf->status_form = prev->status_form;
        conf->status_top = prev->status_top;
        clcf->handler = prev->answer->handler;
    }

    if (conf->answer == NULL) {
        return NGX_CONF_OK;
    }

    if (clcf->handler != conf->answer->handler) {
        /* a directive that stands further down */

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" and another directive, such as \"proxy_pass\", "
                      "both answer in location \"%V\": give each a location of "
                      "its own in %s:%ui",
                      &conf->answer->directive, &clcf->name,
                      conf->answer->conf_file, conf->answer->conf_line);
        return NGX_CONF_ERROR;
    }

    if (conf->admin) {
        /* the endpoint has a limit of its own, and its own answer to it */
        clcf->client_max_body_size = 0;

        if (conf->zone && clcf->satisfy == NGX_HTTP_SATISFY_ANY) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%V\" can't stand with \"satisfy any\" in location "
                          "\"%V\": whom \"allow\" or \"auth_basic\" lets in "
                          "could change the partners without a key; write "
                          "\"satisfy all\" there in %s:%ui",
                          &conf->answer->directive, &clcf->name,
                          conf->answer->conf_file, conf->answer->conf_line);
            return NGX_CONF_ERROR;
        }

        return ngx_http_wassiit_check_guard(cf, conf, conf->admin, "make keys",
                                            "change the partners");
    }

    if (conf->status) {
        return ngx_http_wassiit_check_guard(cf, conf, conf->status,
                                            "see who the partners are",
                                            "see the others");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_check_guard(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *conf, ngx_http_wassiit_zone_t *zone,
    const char *anyone, const char *partner)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_wassiit_answer_t  *answer;

    answer = conf->answer;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" needs \"wassiit_access\" in location "
                      "\"%V\": anyone could %s there; add "
                      "\"wassiit_access ZONE\" in %s:%ui",
                      &answer->directive, &clcf->name, anyone,
                      answer->conf_file, answer->conf_line);
        return NGX_CONF_ERROR;
    }

    /* a scope that a variable names may be empty, and then asks for nothing */

    if (conf->zone == zone
        && (conf->required == NULL || conf->required->set == 0))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V %V\" is guarded by \"wassiit_access %V\" in "
                      "location \"%V\": every partner could %s there; add "
                      "\"wassiit_scope NAME\", or guard it by another zone "
                      "in %s:%ui",
                      &answer->directive, &zone->name, &conf->zone->name,
                      &clcf->name, partner, answer->conf_file,
                      answer->conf_line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
