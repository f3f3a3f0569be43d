
#include "ngx_http_wassiit_adjust.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_park.h"


static ngx_int_t ngx_http_wassiit_queue(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_share(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf,
    ngx_int_t rc);


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

        if (ctx->zone->claims.sh && wlcf->limit == NGX_HTTP_WASSIIT_LIMIT_ON
            && ngx_http_wassiit_queue(r, ctx) == NGX_AGAIN)
        {
            ctx->taken = 1;
            ctx->limit_headers = wlcf->limit_headers;
            return NGX_AGAIN;
        }

        rc = ngx_http_wassiit_zone_take(ctx->zone, &ctx->partner,
                                        &ctx->usage);

        if (rc == NGX_ERROR) {
            /* removed since its key was found */
            return ngx_http_wassiit_refuse(r, ctx,
                                           NGX_HTTP_WASSIIT_INVALID_KEY);
        }

        ctx->taken = 1;
        ctx->limit_headers = wlcf->limit_headers;

        if (ctx->zone->claims.sh
            && ngx_http_wassiit_share(r, ctx, wlcf, rc) == NGX_AGAIN)
        {
            return NGX_AGAIN;
        }

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


/* Where others of its partner wait, the request waits behind them. */

static ngx_int_t
ngx_http_wassiit_queue(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ngx_http_wassiit_cluster_t  *cluster;

    cluster = ngx_http_wassiit_cluster_of(ctx->zone);

    return (cluster && ngx_http_wassiit_park_is_before(ctx, cluster))
           ? ngx_http_wassiit_park(r, ctx, cluster) : NGX_DECLINED;
}


/*
 * What a cluster makes of it: more is claimed where little is left, or nothing.
 * Returns NGX_AGAIN: the request waits for that.
 */

static ngx_int_t
ngx_http_wassiit_share(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_loc_conf_t *wlcf, ngx_int_t rc)
{
    ngx_str_t                    id;
    ngx_uint_t                   low;
    ngx_http_wassiit_cluster_t  *cluster;

    id.data = ctx->partner.names;
    id.len = ctx->partner.id_len;

    low = (ctx->usage.remaining <= ctx->partner.cap / 4);

    if (rc == NGX_OK) {
        /* what is shown is what the nodes have together, as far as is known */
        ctx->usage.remaining += ngx_http_wassiit_claims_pool(
                                     &ctx->zone->claims, &id, ctx->usage.limit,
                                     ctx->partner.cap);
        ctx->usage.remaining = ngx_min(ctx->usage.remaining,
                                       ctx->usage.limit - 1);
    }

    if (rc == NGX_OK && !low) {
        return NGX_OK;
    }

    cluster = ngx_http_wassiit_cluster_of(ctx->zone);

    if (cluster == NULL) {
        return NGX_OK;
    }

    ngx_http_wassiit_adjust_note(cluster, &id,
                                 rc == NGX_OK
                                 ? NGX_HTTP_WASSIIT_CAPS_LOW
                                 : NGX_HTTP_WASSIIT_CAPS_SHORT);
    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (wlcf->limit != NGX_HTTP_WASSIIT_LIMIT_ON) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_park(r, ctx, cluster) == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (ngx_http_wassiit_caps_is_early(ctx->zone, &ctx->partner,
                                       ctx->usage.limit))
    {
        ctx->early = 1;
        (void) ngx_wassiit_add(
            &ngx_http_wassiit_claims_counts(&ctx->zone->claims)->early, 1);
    }

    return NGX_OK;
}
