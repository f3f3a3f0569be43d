
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_limit.h"


ngx_int_t
ngx_http_wassiit_limit_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (wlcf->zone == NULL || wlcf->problem || r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_wassiit_module);

    if (ctx == NULL || ctx->redirected) {
        return NGX_DECLINED;
    }

    if (ctx->refused) {
        /*
         * By us, but with "satisfy any" another module has agreed; nobody
         * behind us may take the request for the partner's.
         */
        ngx_http_wassiit_overrule(ctx);
        return NGX_DECLINED;
    }

    if (ctx->asked.identity != NGX_HTTP_WASSIIT_ALLOWED) {
        return NGX_DECLINED;
    }

    if (wlcf->limit == NGX_HTTP_WASSIIT_LIMIT_ON && ctx->limited) {
        /* by error_page, from where there was no room */
        return ngx_http_wassiit_refuse(r, ctx, NGX_HTTP_WASSIIT_RATE_LIMITED);
    }

    if (wlcf->limit != NGX_HTTP_WASSIIT_LIMIT_OFF && !ctx->taken) {

        rc = ngx_http_wassiit_zone_take(ctx->zone, &ctx->partner,
                                        &ctx->usage);

        if (rc == NGX_ERROR) {
            /* removed since its key was found */
            return ngx_http_wassiit_refuse(r, ctx,
                                           NGX_HTTP_WASSIIT_INVALID_KEY);
        }

        ctx->taken = 1;
        ctx->limit_headers = wlcf->limit_headers;

        if (rc == NGX_DECLINED) {

            if (wlcf->limit == NGX_HTTP_WASSIIT_LIMIT_ON) {
                ctx->limited = 1;
                return ngx_http_wassiit_refuse(r, ctx,
                                               NGX_HTTP_WASSIIT_RATE_LIMITED);
            }

            ngx_http_wassiit_note(r, ctx,
                                  NGX_HTTP_WASSIIT_RATE_LIMITED_DRY_RUN);
        }
    }

    if (!wlcf->judges) {
        ngx_http_wassiit_count(ctx);
    }

    return NGX_DECLINED;
}
