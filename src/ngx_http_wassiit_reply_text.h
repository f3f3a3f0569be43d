
/* What an error says, to people and to programs. */


#ifndef _NGX_HTTP_WASSIIT_REPLY_TEXT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_REPLY_TEXT_H_INCLUDED_


#include "ngx_http_wassiit_ctx.h"


/*
 * The body for a refusal, or, with NGX_HTTP_WASSIIT_UNDECIDED, for the error in
 * r->err_status, in this form (NGX_HTTP_WASSIIT_ERRORS_...).  detail, the
 * inside of a JSON string, and faults, a JSON array, stand in place of what ctx
 * knows, if they aren't NULL.  It is the request's; NULL: memory is short.
 */
ngx_chain_t *ngx_http_wassiit_reply_text(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_decision_e refusal,
    ngx_uint_t form, ngx_str_t *detail, ngx_str_t *faults);


/*
 * The form of r's error (NGX_HTTP_WASSIIT_ERRORS_...), which no context knows:
 * that of the location in which it arose, where error_page has led to a named
 * one, as that keeps the URI; else, or if it is the default one, that of the
 * location in which r is.
 */
ngx_uint_t ngx_http_wassiit_reply_form(ngx_http_request_t *r);

/*
 * The configurations of the location that takes uri in r's server, by modules;
 * the server's own if none does.
 */
void **ngx_http_wassiit_conf_at(ngx_http_request_t *r, ngx_str_t *uri);


#endif /* _NGX_HTTP_WASSIIT_REPLY_TEXT_H_INCLUDED_ */
