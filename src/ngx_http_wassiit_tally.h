
/* The log phase: what became of a request, for the board of its zone. */


#ifndef _NGX_HTTP_WASSIIT_TALLY_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_TALLY_H_INCLUDED_


#include "ngx_http_wassiit.h"


/*
 * Counts a request that a zone has decided, once, under what the log says of
 * it; notes its partner as one who asks, or its refusal.
 *
 * For the partner, it counts what ngx_http_wassiit_count() didn't so far.  It
 * knows the last word of all requests, but often comes in another turn, in
 * which the partner is looked up again: that is 8 % of a proxied request
 * (2026-11-29).
 */
ngx_int_t ngx_http_wassiit_tally_handler(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WASSIIT_TALLY_H_INCLUDED_ */
