
/* What a request at the admin endpoint is about, by its path and method. */


#ifndef _NGX_HTTP_WASSIIT_ADMIN_PATH_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ADMIN_PATH_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_change.h"


/* what a path names */

typedef enum {
    NGX_HTTP_WASSIIT_ADMIN_PARTNERS = 0,
    NGX_HTTP_WASSIIT_ADMIN_PARTNER,
    NGX_HTTP_WASSIIT_ADMIN_KEYS,
    NGX_HTTP_WASSIIT_ADMIN_ROTATE,
    NGX_HTTP_WASSIIT_ADMIN_KEY,
    NGX_HTTP_WASSIIT_ADMIN_HMAC_SECRET,
    NGX_HTTP_WASSIIT_ADMIN_WEBHOOK_SECRET,
    NGX_HTTP_WASSIIT_ADMIN_NOTHING
} ngx_http_wassiit_resource_e;


typedef struct {
    ngx_uint_t                     methods;
    ngx_str_t                      allow;
} ngx_http_wassiit_methods_t;


/*
 * Takes the path apart: what follows the name of r's location.  Sets id and
 * key_id to what stands where they are expected, checked by nobody, or to NULL.
 */
ngx_http_wassiit_resource_e ngx_http_wassiit_admin_resource(
    ngx_http_request_t *r, ngx_str_t *id, ngx_str_t *key_id);

/* The methods that a path takes, unless it names nothing. */
const ngx_http_wassiit_methods_t *ngx_http_wassiit_admin_methods(
    ngx_http_wassiit_resource_e resource);

/* The change that r's method makes of it; NGX_HTTP_WASSIIT_CHANGE_NONE. */
ngx_http_wassiit_change_e ngx_http_wassiit_admin_what(ngx_http_request_t *r,
    ngx_http_wassiit_resource_e resource);


#endif /* _NGX_HTTP_WASSIIT_ADMIN_PATH_H_INCLUDED_ */
