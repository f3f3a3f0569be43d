
/* Pages of the list of partners: which, and how many. */


#ifndef _NGX_HTTP_WASSIIT_ADMIN_PAGE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ADMIN_PAGE_H_INCLUDED_


#include "ngx_http_wassiit.h"


/*
 * Answers a GET or HEAD of the list by its arguments.  Returns what a content
 * handler does.
 */
ngx_int_t ngx_http_wassiit_admin_page(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WASSIIT_ADMIN_PAGE_H_INCLUDED_ */
