
/* Webhooks: is the body's signature right, and what is it to be. */


#ifndef _NGX_HTTP_WASSIIT_WEBHOOK_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_WEBHOOK_H_INCLUDED_


#include "ngx_http_wassiit_ctx.h"


/* what wassiit_webhook_verify or wassiit_webhook_sign was given */

struct ngx_http_wassiit_webhook_s {
    ngx_str_t                      header;      /* its name, ... */
    ngx_str_t                      lowcase;     /* ... and in lower case */
    ngx_str_t                      next_header;    /* the same with -Next, */
    ngx_str_t                      next_lowcase;   /* to sign */
    ngx_array_t                   *keys;        /* ngx_wassiit_hmac_key_t */

    /* to sign with the secret of a partner, else NULL */
    ngx_http_wassiit_zone_t       *zone;
    ngx_http_complex_value_t      *partner;
};


typedef struct {
    ngx_wassiit_hmac_t             hmac;
    const ngx_wassiit_hmac_key_t  *key;
} ngx_http_wassiit_mac_t;


/* what a body is signed with besides, while a partner changes secrets over */

typedef struct {
    ngx_wassiit_hmac_key_t         key;
    ngx_http_wassiit_mac_t         mac;
    u_char                         signature[NGX_WASSIIT_HMAC_HEX];
} ngx_http_wassiit_next_t;


/* a request's part, ctx->hook */

struct ngx_http_wassiit_hook_s {

    /* to verify: the header's value, and a MAC for each secret */
    ngx_str_t                      sent;
    ngx_http_wassiit_mac_t        *macs;
    ngx_uint_t                     nmacs;

    /* to sign */
    ngx_wassiit_hmac_key_t         key;
    ngx_http_wassiit_mac_t         mac;
    ngx_http_wassiit_next_t       *next;        /* NULL: with that alone */

    /* what the body is signed by; NULL: signature is none */
    ngx_http_wassiit_webhook_t    *signed_by;
    ngx_str_t                      signed_for;  /* the partner, if by a zone */
    ngx_http_wassiit_webhook_t    *injected;    /* whose header was put in, */
    ngx_http_wassiit_next_t       *injected_next;  /* and -Next; or NULL */
    u_char                         signature[NGX_WASSIIT_HMAC_HEX];
};


/*
 * The handler of the pre-content phase, the last of ours, that puts in the
 * header of a body that was signed.
 */
ngx_int_t ngx_http_wassiit_webhook_handler(ngx_http_request_t *r);

/* Registers what looks at bodies, after ngx_http_wassiit_body_init(). */
void ngx_http_wassiit_webhook_init(void);


#endif /* _NGX_HTTP_WASSIIT_WEBHOOK_H_INCLUDED_ */
