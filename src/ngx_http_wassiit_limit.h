
/* The limit of a partner: its window is asked, and told to the client. */


#ifndef _NGX_HTTP_WASSIIT_LIMIT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_LIMIT_H_INCLUDED_


#include "ngx_http_wassiit.h"


/*
 * The handler of the pre-content phase, the first of ours: after every handler
 * of the access phase has agreed, so that what another of them refuses isn't
 * counted.
 */
ngx_int_t ngx_http_wassiit_limit_handler(ngx_http_request_t *r);


/* Seconds, rounded up, until one more request is free. */

static ngx_inline ngx_uint_t
ngx_http_wassiit_reset(ngx_wassiit_usage_t *usage)
{
    return (usage->reset + 999999) / 1000000;
}


#endif /* _NGX_HTTP_WASSIIT_LIMIT_H_INCLUDED_ */
