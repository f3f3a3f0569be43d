
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_log.h"


static void ngx_http_wassiit_decision_log(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static u_char *ngx_http_wassiit_missing_scopes(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, u_char *p);


/* the number of no counter */
#define NONE  NGX_HTTP_WASSIIT_COUNTS


const ngx_http_wassiit_verdict_t
    ngx_http_wassiit_verdicts[NGX_HTTP_WASSIIT_DECISIONS] =
{
    [NGX_HTTP_WASSIIT_UNDECIDED] =
        { ngx_null_string, 0, NONE, NGX_LOG_INFO },

    [NGX_HTTP_WASSIIT_ALLOWED] =
        { ngx_string("allowed"), 0, 0, NGX_LOG_INFO },

    [NGX_HTTP_WASSIIT_DUPLICATE_HEADER] =
        { ngx_string("duplicate_header"), 400, 3, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_MISSING_KEY] =
        { ngx_string("missing_key"), 401, NONE, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_INVALID_KEY] =
        { ngx_string("invalid_key"), 401, 4, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_EXPIRED_KEY] =
        { ngx_string("expired_key"), 401, 5, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_MISSING_SIGNATURE] =
        { ngx_string("missing_signature"), 401, 6, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_STALE_TIMESTAMP] =
        { ngx_string("stale_timestamp"), 401, 7, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_INVALID_SIGNATURE] =
        { ngx_string("invalid_signature"), 401, 8, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_PARTNER_DISABLED] =
        { ngx_string("partner_disabled"), 403, 9, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE] =
        { ngx_string("insufficient_scope"), 403, 10, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_RATE_LIMITED] =
        { ngx_string("rate_limited"), 429, 1, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_RATE_LIMITED_DRY_RUN] =
        { ngx_string("rate_limited_dry_run"), 0, 2, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_UNSUPPORTED_MEDIA_TYPE] =
        { ngx_string("unsupported_media_type"), 415, 11, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_TOO_LARGE] =
        { ngx_string("too_large"), 413, 12, NGX_LOG_WARN },

    [NGX_HTTP_WASSIIT_INVALID_PAYLOAD] =
        { ngx_string("invalid_payload"), 400, 13, NGX_LOG_WARN }
};


ngx_int_t
ngx_http_wassiit_refuse(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_decision_e decision)
{
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (ctx->refused_by == NULL) {
        /* nginx's answer to it may change that */
        ctx->keepalive = r->keepalive;
    }

    ctx->decision = decision;
    ctx->refused = 1;
    ctx->refused_by = wlcf;
    ctx->redirected = 0;
    ctx->errors = wlcf->errors;

    ngx_http_set_ctx(r, ctx, ngx_http_wassiit_module);

    ngx_http_wassiit_decision_log(r, ctx);

    if (clcf->satisfy != NGX_HTTP_SATISFY_ANY) {
        /* else another module may let it in */
        ngx_http_wassiit_count(ctx);
    }

    return ngx_http_wassiit_status(decision);
}


void
ngx_http_wassiit_note(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_decision_e decision)
{
    ctx->decision = decision;

    ngx_http_wassiit_decision_log(r, ctx);
}


void
ngx_http_wassiit_count(ngx_http_wassiit_ctx_t *ctx)
{
    ngx_uint_t  counter;

    counter = ngx_http_wassiit_verdicts[ctx->decision].counter;

    if (ctx->counted || !ctx->known || counter == NONE) {
        return;
    }

    ctx->counted = 1;
    ngx_http_wassiit_zone_count(ctx->zone, &ctx->partner, counter);
}


/* Anyone can send a wrong key, so that is worth less of the log. */

static void
ngx_http_wassiit_decision_log(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    u_char      *end;
    u_char       about[NGX_HTTP_WASSIIT_BOARD_ABOUT];
    ngx_log_t   *log;
    ngx_uint_t   level;

    log = r->connection->log;
    level = ctx->known ? ngx_http_wassiit_verdicts[ctx->decision].level
                       : NGX_LOG_INFO;

    if (!ngx_http_wassiit_log_admits(log, level,
                                     ngx_http_wassiit_code(ctx->decision)))
    {
        return;
    }

    if (ctx->known) {
        end = ngx_http_wassiit_about(r, ctx, about);

        ngx_log_error(level, log, 0,
                      "wassiit: %V, partner \"%*s\", key \"%*s\", zone \"%V\""
                      "%s%*s%s",
                      ngx_http_wassiit_code(ctx->decision),
                      (size_t) ctx->partner.id_len, ctx->partner.names,
                      (size_t) ctx->partner.key_id_len,
                      ctx->partner.names + ctx->partner.id_len,
                      &ctx->zone->name, (end == about) ? "" : ", about \"",
                      (size_t) (end - about), about,
                      (end == about) ? "" : "\"");
        return;
    }

    if (ctx->zone == NULL) {
        ngx_log_error(level, log, 0, "wassiit: %V",
                      ngx_http_wassiit_code(ctx->decision));
        return;
    }

    ngx_log_error(level, log, 0, "wassiit: %V, zone \"%V\"",
                  ngx_http_wassiit_code(ctx->decision), &ctx->zone->name);
}


u_char *
ngx_http_wassiit_about(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    u_char *p)
{
    const ngx_str_t  *about;

    static const ngx_str_t  no_secret = ngx_string("hmac_secret");

    switch (ctx->decision) {

    case NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE:
        return ngx_http_wassiit_missing_scopes(r, ctx, p);

    case NGX_HTTP_WASSIIT_DUPLICATE_HEADER:
        about = ctx->webhook ? ctx->webhook : &ctx->sent.twice;
        break;

    case NGX_HTTP_WASSIIT_INVALID_SIGNATURE:
        /* r may have been led on, and asked for a key alone */

        if (ctx->asked.identity != NGX_HTTP_WASSIIT_INVALID_SIGNATURE
            || ctx->partner.hmac)
        {
            return p;
        }

        about = &no_secret;
        break;

    case NGX_HTTP_WASSIIT_INVALID_PAYLOAD:
        about = &ctx->form->fault;
        break;

    default:
        return p;
    }

    if (about->len == 0) {
        /* r was led on, and what it was is forgotten */
        return p;
    }

    return ngx_cpymem(p, about->data,
                      ngx_min(about->len, NGX_HTTP_WASSIIT_BOARD_ABOUT));
}


static u_char *
ngx_http_wassiit_missing_scopes(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, u_char *p)
{
    u_char                        *begin, *last;
    uint64_t                       missing;
    ngx_str_t                      name;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    begin = p;
    last = p + NGX_HTTP_WASSIIT_BOARD_ABOUT;
    missing = ctx->asked.required & ~ctx->partner.scopes;
    name = ctx->asked.undeclared;

    while (name.len || missing) {

        if (name.len == 0) {
            ngx_wassiit_scopes_next(&wmcf->scopes, &missing, &name);
        }

        if (name.len + (p > begin) > (size_t) (last - p)) {
            break;
        }

        if (p > begin) {
            *p++ = ' ';
        }

        p = ngx_cpymem(p, name.data, name.len);
        name.len = 0;
    }

    return p;
}
