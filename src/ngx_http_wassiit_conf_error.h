
/* What is said of a mistake in the configuration, and of the way out. */


#ifndef _NGX_HTTP_WASSIIT_CONF_ERROR_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_ERROR_H_INCLUDED_


#include "ngx_http_wassiit.h"


/*
 * Looks whether the directive at hand has from least to most arguments, its
 * name aside.  Returns NGX_CONF_OK, or NGX_CONF_ERROR, which is logged with
 * its syntax, which leaves out its name.
 */
char *ngx_http_wassiit_conf_count(ngx_conf_t *cf, ngx_uint_t least,
    ngx_uint_t most, const char *syntax);

/*
 * Logs a parameter that the directive at hand doesn't know, with the nearest of
 * the n names, which end in "=", or with the syntax if none is near.  Returns
 * NGX_CONF_ERROR.
 */
char *ngx_http_wassiit_conf_unknown(ngx_conf_t *cf, ngx_str_t *value,
    const ngx_str_t *names, ngx_uint_t n, const char *syntax);

/* Logs a parameter that stands twice.  Returns NGX_CONF_ERROR. */
char *ngx_http_wassiit_conf_twice(ngx_conf_t *cf, ngx_str_t *value);

/*
 * Logs that the directive at hand is there for this name already, and where.
 * Returns NGX_CONF_ERROR.
 */
char *ngx_http_wassiit_conf_second(ngx_conf_t *cf, ngx_str_t *name,
    u_char *conf_file, ngx_uint_t conf_line);

/*
 * A log for what is read for a directive: each message ends in its name, file
 * and line.  It lives as long as cf->pool.  NULL: memory is short.
 */
ngx_log_t *ngx_http_wassiit_conf_log(ngx_conf_t *cf, const char *directive,
    u_char *conf_file, ngx_uint_t conf_line);

/* Whether any module has a directive of this name. */
ngx_uint_t ngx_http_wassiit_conf_is_directive(ngx_conf_t *cf, ngx_str_t *name);


#endif /* _NGX_HTTP_WASSIIT_CONF_ERROR_H_INCLUDED_ */
