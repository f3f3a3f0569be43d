
#include "ngx_http_wassiit_conf_error.h"


static u_char *ngx_http_wassiit_conf_log_handler(ngx_log_t *log, u_char *buf,
    size_t len);


char *
ngx_http_wassiit_conf_count(ngx_conf_t *cf, ngx_uint_t least, ngx_uint_t most,
    const char *syntax)
{
    ngx_str_t   *value;
    ngx_uint_t   n;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    if (n >= least && n <= most) {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid number of arguments in \"%V\" directive, it is "
                       "\"%V %s\"", &value[0], &value[0], syntax);

    return NGX_CONF_ERROR;
}


char *
ngx_http_wassiit_conf_unknown(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_str_t *names, ngx_uint_t n, const char *syntax)
{
    u_char           *p;
    ngx_str_t        *args, name;
    ngx_uint_t        i;
    const ngx_str_t  *nearest;

    args = cf->args->elts;
    name = *value;

    p = (u_char *) ngx_strchr(value->data, '=');
    if (p) {
        name.len = p + 1 - name.data;
    }

    for (i = 0; i < n; i++) {
        if (names[i].len == value->len
            && ngx_strncmp(names[i].data, value->data, value->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" in \"%V\" directive, "
                               "it has no value", value, &args[0]);
            return NGX_CONF_ERROR;
        }
    }

    nearest = ngx_wassiit_nearest(name.data, name.len, names, n);

    if (nearest) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%V\" directive, the "
                           "nearest is \"%V\"", value, &args[0], nearest);
    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" in \"%V\" directive, it "
                           "is \"%V %s\"", value, &args[0], &args[0], syntax);
    }

    return NGX_CONF_ERROR;
}


char *
ngx_http_wassiit_conf_twice(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_str_t  *args;

    args = cf->args->elts;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "duplicate parameter \"%V\" in \"%V\" directive", value,
                       &args[0]);

    return NGX_CONF_ERROR;
}


char *
ngx_http_wassiit_conf_second(ngx_conf_t *cf, ngx_str_t *name,
    u_char *conf_file, ngx_uint_t conf_line)
{
    ngx_str_t  *args;

    args = cf->args->elts;

    /* nginx adds where this one is */

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "duplicate %V \"%V\", the first is in %s:%ui, the "
                       "second", &args[0], name, conf_file, conf_line);

    return NGX_CONF_ERROR;
}


ngx_uint_t
ngx_http_wassiit_conf_is_directive(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t      i;
    ngx_command_t  *cmd;

    for (i = 0; cf->cycle->modules[i]; i++) {

        cmd = cf->cycle->modules[i]->commands;

        for ( /* void */ ; cmd && cmd->name.len; cmd++) {
            if (cmd->name.len == name->len
                && ngx_strncmp(cmd->name.data, name->data, name->len) == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


ngx_log_t *
ngx_http_wassiit_conf_log(ngx_conf_t *cf, const char *directive,
    u_char *conf_file, ngx_uint_t conf_line)
{
    size_t      len;
    ngx_log_t  *log;
    ngx_str_t  *where;

    len = sizeof(", \"\" in :") - 1 + ngx_strlen(directive)
          + ngx_strlen(conf_file) + NGX_INT_T_LEN;

    log = ngx_palloc(cf->pool, sizeof(ngx_log_t));
    where = ngx_palloc(cf->pool, sizeof(ngx_str_t) + len);

    if (log == NULL || where == NULL) {
        return NULL;
    }

    where->data = (u_char *) (where + 1);
    where->len = ngx_sprintf(where->data, ", \"%s\" in %s:%ui", directive,
                             conf_file, conf_line)
                 - where->data;

    *log = *cf->log;
    log->handler = ngx_http_wassiit_conf_log_handler;
    log->data = where;

    return log;
}


static u_char *
ngx_http_wassiit_conf_log_handler(ngx_log_t *log, u_char *buf, size_t len)
{
    return ngx_snprintf(buf, len, "%V", (ngx_str_t *) log->data);
}
