
/* What is signed for an upstream. */


#ifndef _NGX_HTTP_WASSIIT_UPSTREAM_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_UPSTREAM_H_INCLUDED_


#include "ngx_http_wassiit_headers_in.h"


/*
 * What wassiit_upstream_hmac signs with.  A signature depends on nothing but
 * the second, so each worker makes one a second.
 */

struct ngx_http_wassiit_signer_s {
    ngx_str_t                      key;
    ngx_wassiit_hmac_key_t         secret;

    time_t                         time;        /* of what follows */
    u_char                         timestamp[NGX_HTTP_WASSIIT_TIME_LEN];
    u_char                         signature[NGX_WASSIIT_HMAC_BASE64];
};


/*
 * The signature of one request.  Its headers point here, so that it can be
 * made anew until the request is sent.
 */

struct ngx_http_wassiit_signed_s {
    ngx_http_wassiit_signer_t     *signer;
    unsigned                       settled:1;   /* a variable told it */
    u_char                         timestamp[NGX_HTTP_WASSIIT_TIME_LEN];
    u_char                         signature[NGX_WASSIIT_HMAC_BASE64];
};


/*
 * The handler of the pre-content phase, after the body's, that gives a request
 * its signature.
 */
ngx_int_t ngx_http_wassiit_sign_handler(ngx_http_request_t *r);

/*
 * Puts the filter in place that makes a signature anew when the body has come
 * in: a slow upload must not arrive with an old timestamp.
 */
void ngx_http_wassiit_upstream_init(void);

/*
 * The signature that r carries upstream, made if it hasn't been yet; it lives
 * as long as the request.  NULL: r's location signs nothing, or memory is
 * short.
 */
ngx_http_wassiit_signed_t *ngx_http_wassiit_get_signed(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WASSIIT_UPSTREAM_H_INCLUDED_ */
