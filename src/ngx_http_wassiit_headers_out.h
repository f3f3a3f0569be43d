
/* The headers of an answer: what tells of limits, and of a refusal. */


#ifndef _NGX_HTTP_WASSIIT_HEADERS_OUT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_HEADERS_OUT_H_INCLUDED_


#include "ngx_http_wassiit_ctx.h"


/*
 * Adds the headers of draft-ietf-httpapi-ratelimit-headers, RateLimit-Policy
 * and RateLimit; and the older X-RateLimit- ones, whose values are parts of the
 * new.  Returns NGX_OK; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_limit_headers(ngx_http_request_t *r,
    ngx_wassiit_usage_t *usage);

/*
 * Adds what r->err_status, which is a refusal's, is answered with.  Returns
 * NGX_OK, also if that is nothing; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_refusal_header(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);

/*
 * Adds "Cache-Control: no-store".  Returns NGX_OK; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_no_store(ngx_http_request_t *r);

/*
 * Takes out a backend's headers of limits.  Next to ours they would be joined
 * into one value, which tells nothing.
 */
void ngx_http_wassiit_drop_limit_headers(ngx_http_request_t *r);

/* Takes out what the functions above have put in. */
void ngx_http_wassiit_clear_headers(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WASSIIT_HEADERS_OUT_H_INCLUDED_ */
