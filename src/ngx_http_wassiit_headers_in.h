
/*
 * The headers of a request: what the client has sent, what is taken out before
 * it goes upstream, and what is put in.
 *
 * A header is found by its exact name.  nginx's variables would take X_API_Key
 * for X-API-Key, and join two into one.
 */


#ifndef _NGX_HTTP_WASSIIT_HEADERS_IN_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_HEADERS_IN_H_INCLUDED_


#include "ngx_http_wassiit_ctx.h"


/* digits of X-API-Timestamp, from 2001 to 2286 */
#define NGX_HTTP_WASSIIT_TIME_LEN         10


/*
 * Finds the header of this name, which is in lower case.  Returns how many
 * there are, 2 if there are more, and sets value to that of the first, which
 * lies in the client's buffers; to null if there is none.
 */
ngx_uint_t ngx_http_wassiit_find_header(ngx_http_request_t *r,
    const ngx_str_t *name, ngx_str_t *value);

/*
 * Adds a header, whose value the caller sets.  name and lowcase, the same in
 * lower case, must live as long as the request.  NULL: memory is short.
 */
ngx_table_elt_t *ngx_http_wassiit_put_header(ngx_http_request_t *r,
    const ngx_str_t *name, u_char *lowcase);

/*
 * Takes all headers of this name, which is in lower case, out of the request.
 * "_" counts as "-", as it does where headers become parameters (FastCGI,
 * uwsgi, SCGI).  Returns NGX_OK; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_strip_header(ngx_http_request_t *r,
    const ngx_str_t *name);

/*
 * Gives a subrequest, which shares its parent's headers, a list that it may
 * change; a main request keeps its own.  Returns NGX_OK; NGX_ERROR: memory is
 * short.
 */
ngx_int_t ngx_http_wassiit_own_headers(ngx_http_request_t *r);

/*
 * Notes the client's credentials, which lie in its header, before anything is
 * put in their place: key, timestamp and signature of ctx, or header if one
 * stands twice.  Does nothing the second time.
 */
void ngx_http_wassiit_find_credentials(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);

/*
 * Takes the credentials, ours too, out of the request's headers, so that
 * nothing sends them upstream.  Returns NGX_OK; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_strip_credentials(ngx_http_request_t *r);

/*
 * Adds credentials of ours, whose bytes must live as long as the request.
 * Returns NGX_OK; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_put_credentials(ngx_http_request_t *r,
    const ngx_str_t *key, const ngx_str_t *timestamp,
    const ngx_str_t *signature);

/* The timestamp that put_credentials() has added, if it is there; or NULL. */
ngx_table_elt_t *ngx_http_wassiit_find_timestamp(ngx_http_request_t *r);


/* Is there a body, as far as the header says? */

static ngx_inline ngx_uint_t
ngx_http_wassiit_has_body(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}


/*
 * Is h the header of this name, which is in lower case?  With loose set, "_"
 * counts as "-".
 */

static ngx_inline ngx_uint_t
ngx_http_wassiit_is_header(ngx_table_elt_t *h, const ngx_str_t *name,
    ngx_uint_t loose)
{
    size_t  i;
    u_char  a, b;

    if (h->key.len != name->len) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        a = h->lowcase_key[i];
        b = name->data[i];

        if (loose) {
            a = (a == '_') ? '-' : a;
            b = (b == '_') ? '-' : b;
        }

        if (a != b) {
            return 0;
        }
    }

    return 1;
}


#endif /* _NGX_HTTP_WASSIIT_HEADERS_IN_H_INCLUDED_ */
