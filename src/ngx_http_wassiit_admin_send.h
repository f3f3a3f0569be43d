
/* How the endpoint answers: JSON, made in memory of its own, or an error. */


#ifndef _NGX_HTTP_WASSIIT_ADMIN_SEND_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ADMIN_SEND_H_INCLUDED_


#include "ngx_http_wassiit.h"

#include <jansson.h>


/* From here to the call of send() jansson's memory is the endpoint's own. */
void ngx_http_wassiit_admin_begin(void);

/*
 * Answers with this status and json, which it takes, made since begin(); NULL:
 * memory is short.  The answer's text is wiped in the end, as keys and secrets
 * may be in it.  Returns what a content handler does.
 */
ngx_int_t ngx_http_wassiit_admin_send(ngx_http_request_t *r,
    ngx_uint_t status, json_t *json);

/*
 * Adds a header to the answer, whose value is kept as it is.  Returns NGX_OK;
 * NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_admin_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);

/* Adds the ETag of a partner.  Returns as admin_header() does. */
ngx_int_t ngx_http_wassiit_admin_etag(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info);

/*
 * Answers with an error whose detail is this text, 512 bytes at most, in which
 * nothing may stand that JSON escapes.  Returns what a content handler does.
 */
ngx_int_t ngx_http_wassiit_admin_error(ngx_http_request_t *r,
    ngx_int_t status, const char *fmt, ...);


#endif /* _NGX_HTTP_WASSIIT_ADMIN_SEND_H_INCLUDED_ */
