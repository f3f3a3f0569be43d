
/* The admin endpoint: partners and their keys over HTTP, in JSON. */


#ifndef _NGX_HTTP_WASSIIT_ADMIN_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ADMIN_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* wassiit_admin's content handler. */
ngx_int_t ngx_http_wassiit_admin_handler(ngx_http_request_t *r);

/* Puts the filter in place that ends a body that is too large for it. */
void ngx_http_wassiit_admin_init(void);


#endif /* _NGX_HTTP_WASSIIT_ADMIN_H_INCLUDED_ */
