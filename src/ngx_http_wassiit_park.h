
/*
 * Requests that wait for a moment: nothing is free here, and other nodes may
 * have some.  They keep their order, and cost no worker.
 */


#ifndef _NGX_HTTP_WASSIIT_PARK_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_PARK_H_INCLUDED_


#include "ngx_http_wassiit_cluster.h"


/* Returns NGX_OK, or NGX_ERROR: memory is short. */
ngx_int_t ngx_http_wassiit_park_init(ngx_http_wassiit_cluster_t *cluster,
    ngx_cycle_t *cycle);

/*
 * Do others of the request's partner wait already?  Then it waits behind them,
 * without a try of its own.  Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_park_is_before(ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_cluster_t *cluster);

/*
 * Has a request that found nothing free wait, if "wait" says so and the ledger
 * can be asked.  Returns NGX_AGAIN: it waits, and the phases run again from the
 * handler that called, with ctx->taken set, and ctx->limited if there was
 * nothing for it; NGX_DECLINED: it does not.
 */
ngx_int_t ngx_http_wassiit_park(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_cluster_t *cluster);


#endif /* _NGX_HTTP_WASSIIT_PARK_H_INCLUDED_ */
