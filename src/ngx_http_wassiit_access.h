
/* From a request's credentials to a decision. */


#ifndef _NGX_HTTP_WASSIIT_ACCESS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ACCESS_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* what wassiit_scope was given */

struct ngx_http_wassiit_required_s {
    uint64_t                       set;         /* of the literal names */
    ngx_array_t                   *values;      /* ngx_http_complex_value_t */
};


/* The handler of the access phase: key, signature, partner, scopes. */
ngx_int_t ngx_http_wassiit_access_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WASSIIT_ACCESS_H_INCLUDED_ */
