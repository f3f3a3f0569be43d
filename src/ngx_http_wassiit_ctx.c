
#include "ngx_http_wassiit_ctx.h"


static void ngx_http_wassiit_ctx_cleanup(void *data);


ngx_http_wassiit_ctx_t *
ngx_http_wassiit_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    /* a redirect clears the contexts, but not the cleanups */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_wassiit_ctx_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


ngx_http_wassiit_ctx_t *
ngx_http_wassiit_create_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t      *cln;
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_wassiit_ctx_t));
    if (ctx == NULL) {
        return NULL;
    }

    if (r == r->main) {
        cln = ngx_pool_cleanup_add(r->pool, 0);
        if (cln == NULL) {
            return NULL;
        }

        cln->handler = ngx_http_wassiit_ctx_cleanup;
        cln->data = ctx;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_wassiit_module);

    return ctx;
}


ngx_http_wassiit_ctx_t *
ngx_http_wassiit_need_ctx(ngx_http_request_t *r)
{
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    ctx = ngx_http_wassiit_own_ctx(r);

    if (ctx == NULL) {
        ctx = ngx_http_wassiit_create_ctx(r);
        if (ctx == NULL) {
            return NULL;
        }

        wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);
        ctx->errors = wlcf->errors;
    }

    return ctx;
}


static void
ngx_http_wassiit_ctx_cleanup(void *data)
{
    /* only marks the context, see ngx_http_wassiit_find_ctx() */
}
