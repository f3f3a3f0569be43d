
/* A body as JSON, and JSON as text. */


#ifndef _NGX_HTTP_WASSIIT_JSON_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <jansson.h>


/* the most bytes of a body that is read as JSON; the callers see to it */
#define NGX_HTTP_WASSIIT_JSON_MAX    65536


/*
 * The whole body, which has been read, as JSON.  Returns NGX_OK and sets json,
 * the caller's, or json to NULL and appends to *errors what is wrong with it;
 * NGX_ERROR: its file can't be read, or memory is short.
 */
ngx_int_t ngx_http_wassiit_json_value(ngx_http_request_t *r, json_t **json,
    json_t **errors);

/*
 * Writes JSON, in ASCII, to memory of the request's.  guess is the bytes that
 * it will most likely fit in, or 0.  Returns NGX_OK; NGX_ERROR: memory is
 * short.
 */
ngx_int_t ngx_http_wassiit_json_text(ngx_http_request_t *r, json_t *json,
    size_t guess, ngx_str_t *text);


#endif /* _NGX_HTTP_WASSIIT_JSON_H_INCLUDED_ */
