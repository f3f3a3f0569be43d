
#include "ngx_http_wassiit_audit.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_tally.h"


static void ngx_http_wassiit_tally_change(ngx_http_request_t *r,
    ngx_http_wassiit_audit_t *audit);
static ngx_uint_t ngx_http_wassiit_tally_status(ngx_http_request_t *r);
static ngx_uint_t ngx_http_wassiit_tally_source(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static uint64_t ngx_http_wassiit_tally_duration(ngx_http_request_t *r);
static void ngx_http_wassiit_tally_refusal(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_uint_t ngx_http_wassiit_tally_instance(ngx_http_request_t *r,
    u_char *instance);


typedef char ngx_http_wassiit_tally_decisions_fit[
    NGX_HTTP_WASSIIT_DECISIONS <= NGX_HTTP_WASSIIT_BOARD_DECISIONS ? 1 : -1];


ngx_int_t
ngx_http_wassiit_tally_handler(ngx_http_request_t *r)
{
    ngx_time_t                *tp;
    ngx_http_wassiit_ctx_t    *ctx;
    ngx_http_wassiit_board_t  *board;

    ctx = (r == r->main) ? ngx_http_wassiit_get_ctx(r) : NULL;

    if (ctx == NULL) {
        return NGX_OK;
    }

    ngx_http_wassiit_count(ctx);

    if (ctx->audit) {
        ngx_http_wassiit_tally_change(r, ctx->audit);
    }

    if (ctx->zone == NULL || ctx->decision == NGX_HTTP_WASSIIT_UNDECIDED) {
        return NGX_OK;
    }

    board = &ctx->zone->board;

    ngx_http_wassiit_board_count(board, ctx->decision,
                                 ngx_http_wassiit_tally_status(r),
                                 ngx_http_wassiit_tally_source(r, ctx),
                                 ngx_http_wassiit_tally_duration(r));

    if (ngx_http_wassiit_status(ctx->decision)) {
        ngx_http_wassiit_tally_refusal(r, ctx);
    }

    if (ctx->known
        && (++board->requests % NGX_HTTP_WASSIIT_BOARD_SAMPLE == 0
            || ctx->partner.asks))
    {
        tp = ngx_timeofday();

        ngx_http_wassiit_board_asked(board, ctx->partner.names,
                                     ctx->partner.id_len,
                                     (uint64_t) tp->sec * 1000 + tp->msec);
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_tally_change(ngx_http_request_t *r,
    ngx_http_wassiit_audit_t *audit)
{
    ngx_uint_t  result;

    switch (ngx_http_wassiit_audit_result(r)) {

    case NGX_HTTP_WASSIIT_AUDIT_DONE:
        result = NGX_HTTP_WASSIIT_BOARD_DONE;
        break;

    case NGX_HTTP_WASSIIT_AUDIT_FAILED:
        result = NGX_HTTP_WASSIIT_BOARD_FAILED;
        break;

    default:
        result = NGX_HTTP_WASSIIT_BOARD_REFUSED;
    }

    ngx_http_wassiit_board_change(&audit->zone->board, audit->operation,
                                  result);
}


/* as $status, but for HTTP/0.9 */

static ngx_uint_t
ngx_http_wassiit_tally_status(ngx_http_request_t *r)
{
    return r->err_status ? r->err_status : r->headers_out.status;
}


/* A backend's answer that was given up, or sent elsewhere, is nginx's. */

static ngx_uint_t
ngx_http_wassiit_tally_source(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    if (r->upstream && (r->upstream->header_sent
#if (NGX_HTTP_CACHE)
                        || (r->cached && r->header_sent)
#endif
                       ))
    {
        return NGX_HTTP_WASSIIT_BOARD_UPSTREAM;
    }

    return ctx->refused ? NGX_HTTP_WASSIIT_BOARD_MODULE
                        : NGX_HTTP_WASSIIT_BOARD_NGINX;
}


/* as $request_time, in milliseconds */

static uint64_t
ngx_http_wassiit_tally_duration(ngx_http_request_t *r)
{
    ngx_time_t      *tp;
    ngx_msec_int_t   ms;

    tp = ngx_timeofday();

    ms = (ngx_msec_int_t) ((tp->sec - r->start_sec) * 1000
                           + (tp->msec - r->start_msec));

    /* the wall clock may have been set back */

    return ngx_max(ms, 0);
}


static void
ngx_http_wassiit_tally_refusal(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_time_t                  *tp;
    ngx_http_wassiit_refusal_t   refusal;

    tp = ngx_timeofday();

    if (!ctx->known
        && !ngx_http_wassiit_board_is_due(&ctx->zone->board, ctx->decision,
                                          tp->sec))
    {
        return;
    }

    refusal.time = (uint64_t) tp->sec * 1000 + tp->msec;
    refusal.decision = ctx->decision;
    refusal.has_instance = ngx_http_wassiit_tally_instance(r,
                                                           refusal.instance);

    if (ctx->known) {
        refusal.generation = ctx->partner.generation;
        refusal.id_len = ctx->partner.id_len;
        ngx_memcpy(refusal.id, ctx->partner.names, refusal.id_len);

    } else {
        refusal.generation = ctx->decision;
        refusal.id_len = 0;
    }

    refusal.about_len = ngx_http_wassiit_about(r, ctx, refusal.about)
                        - refusal.about;

    ngx_http_wassiit_board_refused(&ctx->zone->board, &refusal);
}


/* The 16 bytes that $request_id is written of.  Returns 0: it isn't. */

static ngx_uint_t
ngx_http_wassiit_tally_instance(ngx_http_request_t *r, u_char *instance)
{
    ngx_int_t                      n;
    ngx_uint_t                     i;
    ngx_http_variable_value_t     *id;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    id = ngx_http_get_indexed_variable(r, wmcf->request_id);

    ngx_memzero(instance, NGX_HTTP_WASSIIT_BOARD_INSTANCE);

    if (id == NULL || id->not_found
        || id->len != 2 * NGX_HTTP_WASSIIT_BOARD_INSTANCE)
    {
        return 0;
    }

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_INSTANCE; i++) {
        n = ngx_hextoi(id->data + 2 * i, 2);

        if (n == NGX_ERROR) {
            return 0;
        }

        instance[i] = n;
    }

    return 1;
}
