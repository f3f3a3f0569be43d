
/* The arguments of a request to what serves operators. */


#ifndef _NGX_HTTP_WASSIIT_ARGS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ARGS_H_INCLUDED_


#include "ngx_http_wassiit.h"


typedef struct {
    ngx_str_t                       name;
    ngx_int_t                     (*set)(void *data, ngx_str_t *value);
                                                /* returns NGX_OK; or another:
                                                   the value can't be */
    const char                     *must;       /* what its value must be */
    ngx_uint_t                      most;       /* how often it may be given */
} ngx_http_wassiit_arg_t;


/*
 * Hands each of r's arguments, decoded, in memory of the request's, to the one
 * of known, which ends with one without set, that has its name.  names lists
 * known for who asks for another: at most 32.  Returns NGX_DECLINED: all are
 * right; else what a content handler does: it was answered.
 */
ngx_int_t ngx_http_wassiit_args_read(ngx_http_request_t *r,
    const ngx_http_wassiit_arg_t *known, const char *names, void *data);


#endif /* _NGX_HTTP_WASSIIT_ARGS_H_INCLUDED_ */
