
/*
 * The one place that forms a refusal, and the headers that tell of limits.
 *
 * A refusal leaves its phase as a status, so that nginx does what it always
 * does: error_page, "satisfy any", the discarding of a body, keepalive.
 * Where nginx then sends a page of its own, these filters put ours in its
 * place.
 */


#ifndef _NGX_HTTP_WASSIIT_REPLY_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_REPLY_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* wassiit_problem's content handler. */
ngx_int_t ngx_http_wassiit_problem_handler(ngx_http_request_t *r);

/*
 * Answers r with an error of this status, in the form of its location.  detail
 * says why, as the inside of a JSON string; NULL: what is always said of the
 * status.  errors, if not NULL, is a JSON array: what is wrong with the body.
 * Returns what a content handler does.
 */
ngx_int_t ngx_http_wassiit_send_error(ngx_http_request_t *r, ngx_int_t status,
    ngx_str_t *detail, ngx_str_t *errors);

/* Where error_page may lead a 400: marks the requests that it has led. */
ngx_int_t ngx_http_wassiit_led_handler(ngx_http_request_t *r);

/* Puts the filters that write refusals and headers in front of others. */
void ngx_http_wassiit_reply_init(void);


#endif /* _NGX_HTTP_WASSIIT_REPLY_H_INCLUDED_ */
