
/* The context of a request, over redirects and subrequests. */


#ifndef _NGX_HTTP_WASSIIT_CTX_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CTX_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* Of get_ctx(), if a redirect may have cleared r's; r is a main request. */
ngx_http_wassiit_ctx_t *ngx_http_wassiit_find_ctx(ngx_http_request_t *r);

/*
 * Makes the context of a request that has none: all zero, in the request's
 * pool.  NULL: memory is short.
 */
ngx_http_wassiit_ctx_t *ngx_http_wassiit_create_ctx(ngx_http_request_t *r);

/*
 * The context of r itself, as by own_ctx(), made if there is none, with the
 * form of errors of r's location.  NULL: memory is short.
 */
ngx_http_wassiit_ctx_t *ngx_http_wassiit_need_ctx(ngx_http_request_t *r);


/* The context of the client's request that r is, or is a part of, or NULL. */

static ngx_inline ngx_http_wassiit_ctx_t *
ngx_http_wassiit_get_ctx(ngx_http_request_t *r)
{
    ngx_http_wassiit_ctx_t  *ctx;

    r = r->main;
    ctx = ngx_http_get_module_ctx(r, ngx_http_wassiit_module);

    return (ctx || !(r->internal || r->filter_finalize))
           ? ctx : ngx_http_wassiit_find_ctx(r);
}


/*
 * The context of r itself, a subrequest's own too: what goes upstream from one
 * is not what goes from the other.  NULL if it has none.
 */

static ngx_inline ngx_http_wassiit_ctx_t *
ngx_http_wassiit_own_ctx(ngx_http_request_t *r)
{
    return (r == r->main) ? ngx_http_wassiit_get_ctx(r)
                          : ngx_http_get_module_ctx(r, ngx_http_wassiit_module);
}


#endif /* _NGX_HTTP_WASSIIT_CTX_H_INCLUDED_ */
