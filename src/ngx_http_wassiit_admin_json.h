
/* The endpoint's JSON: the fields of a change in, partners and keys out. */


#ifndef _NGX_HTTP_WASSIIT_ADMIN_JSON_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ADMIN_JSON_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_change.h"


/*
 * The bytes of r's body, which has been read; maybe before the request came
 * here.
 */
off_t ngx_http_wassiit_admin_json_size(ngx_http_request_t *r);

/*
 * Takes what the change needs from r's body, into memory of the pool's, and
 * notes it for the log of changes; or appends to *errors what is wrong with it.
 * Returns NGX_OK; NGX_ERROR: memory is short, or the body can't be read.
 */
ngx_int_t ngx_http_wassiit_admin_json_read(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, ngx_pool_t *pool, json_t **errors);

/*
 * What a change that was made is answered with; a partner, full or as one of a
 * list.  Each is the caller's.  NULL: memory is short.
 */
json_t *ngx_http_wassiit_admin_json_made(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change);
json_t *ngx_http_wassiit_admin_json_partner(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info, ngx_uint_t full);


#endif /* _NGX_HTTP_WASSIIT_ADMIN_JSON_H_INCLUDED_ */
