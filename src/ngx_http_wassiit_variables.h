
/* The variables, $wassiit_... */


#ifndef _NGX_HTTP_WASSIIT_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_VARIABLES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* Declares them.  Returns NGX_OK; NGX_ERROR: memory is short. */
ngx_int_t ngx_http_wassiit_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_WASSIIT_VARIABLES_H_INCLUDED_ */
