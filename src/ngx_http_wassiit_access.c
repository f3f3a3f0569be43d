
#include "ngx_http_wassiit_access.h"
#include "ngx_http_wassiit_audit.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"
#include "ngx_http_wassiit_log.h"


static ngx_http_wassiit_zone_t *ngx_http_wassiit_administers(
    ngx_http_request_t *r, ngx_http_wassiit_loc_conf_t *wlcf);
static ngx_uint_t ngx_http_wassiit_was_asked(ngx_http_wassiit_loc_conf_t *a,
    ngx_http_wassiit_loc_conf_t *b);
static ngx_http_wassiit_decision_e ngx_http_wassiit_read_credentials(
    ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_identify(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_loc_conf_t *wlcf);
static ngx_http_wassiit_decision_e ngx_http_wassiit_verify(
    ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_wassiit_hmac_key_t *hmac);
static ngx_uint_t ngx_http_wassiit_is_signed(ngx_http_wassiit_ctx_t *ctx,
    ngx_wassiit_hmac_key_t *key);
static ngx_int_t ngx_http_wassiit_check_scopes(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_required_t *required);
static ngx_int_t ngx_http_wassiit_require(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *names);
static ngx_int_t ngx_http_wassiit_undeclared(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *name);


ngx_int_t
ngx_http_wassiit_access_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    read;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_zone_t      *zone;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (wlcf->problem
        || (wlcf->zone == NULL && !r->internal
            && wlcf->errors == NGX_HTTP_WASSIIT_ERRORS_PROBLEM))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_wassiit_get_ctx(r);

    if (wlcf->zone == NULL && ctx && ctx->refused) {
        /* what is closed asks it, whatever leads there from here */
        ctx->passed = 1;
    }

    if (wlcf->zone == NULL
        && wlcf->errors == NGX_HTTP_WASSIIT_ERRORS_PROBLEM)
    {
        return NGX_DECLINED;
    }

    if (ctx == NULL) {
        ctx = ngx_http_wassiit_create_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else {
        ngx_http_set_ctx(r, ctx, ngx_http_wassiit_module);
    }

    ctx->no_store |= (wlcf->admin || wlcf->status);

    zone = ngx_http_wassiit_administers(r, wlcf);

    if (zone && ngx_http_wassiit_audit_begin(r, ctx, zone) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (wlcf->zone) {
        read = (ctx->asked.credentials == NGX_HTTP_WASSIIT_UNDECIDED);

        /*
         * The zone's memory is far away: what a look-up reads first is asked
         * for as soon as the digest is known, and comes meanwhile.
         */

        if (read) {
            ctx->asked.credentials = ngx_http_wassiit_read_credentials(r, ctx);
            read = (ctx->asked.credentials == NGX_HTTP_WASSIIT_ALLOWED);

            if (read) {
                ngx_http_wassiit_zone_prefetch(wlcf->zone, ctx->asked.digest);
            }
        }

        if (wlcf->hide_credentials
            && ngx_http_wassiit_strip_credentials(r) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (read) {
            ngx_http_wassiit_zone_prefetch_found(wlcf->zone, ctx->asked.digest);

            if (ngx_wassiit_key_check(ctx->sent.key.data, ctx->sent.key.len)
                != NGX_OK)
            {
                ctx->asked.credentials = NGX_HTTP_WASSIIT_INVALID_KEY;
            }
        }
    }

    if (ctx->refused) {
        /* the operator's error_page has sent the refused request here */

        if (wlcf->zone == NULL
            || (!ctx->passed
                && ngx_http_wassiit_was_asked(ctx->refused_by, wlcf)))
        {
            ctx->redirected = 1;
            return NGX_DECLINED;
        }

        ngx_http_wassiit_reopen(ctx);
    }

    ctx->errors = wlcf->errors;

    if (wlcf->zone == NULL) {
        return NGX_DECLINED;
    }

    if (ctx->zone != wlcf->zone
        || (wlcf->auth == NGX_HTTP_WASSIIT_AUTH_HMAC
            && (!ctx->verified || wlcf->skew < ctx->asked.skew)))
    {
        rc = ngx_http_wassiit_identify(r, ctx, wlcf);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (ctx->asked.identity != NGX_HTTP_WASSIIT_ALLOWED) {
        return ngx_http_wassiit_refuse(r, ctx, ctx->asked.identity);
    }

    if (wlcf->required) {
        rc = ngx_http_wassiit_check_scopes(r, ctx, wlcf->required);

        if (rc == NGX_DECLINED) {
            return ngx_http_wassiit_refuse(r, ctx,
                                       NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE);
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->decision == NGX_HTTP_WASSIIT_UNDECIDED) {
        ctx->decision = NGX_HTTP_WASSIIT_ALLOWED;
    }

    return NGX_OK;
}


/*
 * The zone of the admin endpoint whose location it is, or of which it is a
 * limit_except; or NULL.
 */

static ngx_http_wassiit_zone_t *
ngx_http_wassiit_administers(ngx_http_request_t *r,
    ngx_http_wassiit_loc_conf_t *wlcf)
{
    ngx_http_core_loc_conf_t  *clcf;

    if (wlcf->admin) {
        return wlcf->admin;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return (clcf->lmt_excpt && wlcf->parent) ? wlcf->parent->admin : NULL;
}


/*
 * Does b ask of a request what a has asked?  Then error_page leads from a to b
 * unasked.  Anywhere else it would open what is closed.
 */

static ngx_uint_t
ngx_http_wassiit_was_asked(ngx_http_wassiit_loc_conf_t *a,
    ngx_http_wassiit_loc_conf_t *b)
{
    if (a->zone != b->zone || a->auth != b->auth
        || (b->auth == NGX_HTTP_WASSIIT_AUTH_HMAC && a->skew != b->skew))
    {
        return 0;
    }

    if (b->required && b->required->values) {
        /* variables may make another thing of it here */
        return 0;
    }

    return a->required == b->required
           || (a->required && a->required->values == NULL
               && b->required && a->required->set == b->required->set);
}


/* Makes the digest of what may be a key. */

static ngx_http_wassiit_decision_e
ngx_http_wassiit_read_credentials(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_http_wassiit_find_credentials(r, ctx);

    if (ctx->sent.twice.len) {
        return NGX_HTTP_WASSIIT_DUPLICATE_HEADER;
    }

    if (ctx->sent.key.len == 0) {
        return NGX_HTTP_WASSIIT_MISSING_KEY;
    }

    if (ctx->sent.key.len > NGX_WASSIIT_KEY_MAX) {
        return NGX_HTTP_WASSIIT_INVALID_KEY;
    }

    ngx_wassiit_key_digest(ctx->sent.key.data, ctx->sent.key.len,
                           ctx->asked.digest);

    return NGX_HTTP_WASSIIT_ALLOWED;
}


/* Sets ctx->asked.identity.  Returns NGX_OK, or the status to answer with. */

static ngx_int_t
ngx_http_wassiit_identify(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_loc_conf_t *wlcf)
{
    size_t                        len;
    time_t                        now;
    ngx_int_t                     rc;
    ngx_wassiit_hmac_key_t        hmac;
    ngx_http_wassiit_partner_t   *partner;
    ngx_http_wassiit_decision_e   verdict;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    ctx->zone = wlcf->zone;
    ctx->known = 0;
    ctx->verified = 0;

    if (ctx->asked.credentials != NGX_HTTP_WASSIIT_ALLOWED) {
        ctx->asked.identity = ctx->asked.credentials;
        return NGX_OK;
    }

    partner = &ctx->partner;
    partner->names = names;
    verdict = NGX_HTTP_WASSIIT_ALLOWED;

    if (wlcf->auth == NGX_HTTP_WASSIIT_AUTH_HMAC) {

        /* a key that nobody has costs the same time: it gets some secret */
        ngx_memzero(&hmac, sizeof(ngx_wassiit_hmac_key_t));

        rc = ngx_http_wassiit_zone_find(ctx->zone, ctx->asked.digest, partner,
                                        &hmac);
        ctx->known = (rc == NGX_OK);
        ctx->verified = 1;
        ctx->asked.skew = wlcf->skew;

        verdict = ngx_http_wassiit_verify(r, ctx, &hmac);
        ngx_explicit_memzero(&hmac, sizeof(ngx_wassiit_hmac_key_t));

    } else {
        rc = ngx_http_wassiit_zone_find(ctx->zone, ctx->asked.digest, partner,
                                        NULL);
        ctx->known = (rc == NGX_OK);
    }

    if (rc == NGX_ABORT) {
        /* this worker drains: the next connection is a newer one's */
        ctx->zone = NULL;
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    if (!ctx->known) {
        ctx->asked.identity = NGX_HTTP_WASSIIT_INVALID_KEY;
        return NGX_OK;
    }

    /* most are far shorter than they may be */

    len = partner->id_len + partner->key_id_len + partner->name_len;
    partner->names = ngx_pnalloc(r->pool, len);

    if (partner->names == NULL) {
        ctx->zone = NULL;
        ctx->known = 0;
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(partner->names, names, len);

    now = ngx_time();

    if (now < partner->created) {
        ctx->asked.identity = NGX_HTTP_WASSIIT_INVALID_KEY;

    } else if (now >= partner->expires) {
        ctx->asked.identity = NGX_HTTP_WASSIIT_EXPIRED_KEY;

    } else if (verdict != NGX_HTTP_WASSIIT_ALLOWED) {
        ctx->asked.identity = verdict;

    } else if (!partner->enabled) {
        ctx->asked.identity = NGX_HTTP_WASSIIT_PARTNER_DISABLED;

    } else if (ctx->zone->claims.stale
               && ngx_http_wassiit_zone_is_stale(ctx->zone))
    {
        /* who would be let in may have been revoked elsewhere */
        ctx->zone = NULL;
        ctx->known = 0;
        return NGX_HTTP_SERVICE_UNAVAILABLE;

    } else {
        ctx->asked.identity = NGX_HTTP_WASSIIT_ALLOWED;
        ngx_http_wassiit_zone_used(ctx->zone, partner, now);
    }

    return NGX_OK;
}


/*
 * Is the request signed now, with the partner's secret, or with its former one
 * until the time of that is over?
 */

static ngx_http_wassiit_decision_e
ngx_http_wassiit_verify(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_wassiit_hmac_key_t *key)
{
    time_t                  now, time;
    ngx_uint_t              same;
    ngx_wassiit_hmac_key_t  former;

    if (ctx->sent.timestamp.data == NULL || ctx->sent.signature.len == 0) {
        return NGX_HTTP_WASSIIT_MISSING_SIGNATURE;
    }

    /* digits alone, and no more of them than seconds have until 2286 */

    time = (ctx->sent.timestamp.len <= NGX_HTTP_WASSIIT_TIME_LEN)
           ? ngx_atotm(ctx->sent.timestamp.data, ctx->sent.timestamp.len)
           : NGX_ERROR;
    now = ngx_time();

    if (time == NGX_ERROR || ngx_abs(time - now) > ctx->asked.skew) {
        return NGX_HTTP_WASSIIT_STALE_TIMESTAMP;
    }

    same = ngx_http_wassiit_is_signed(ctx, key);

    if (!same && ctx->known
        && ngx_http_wassiit_zone_former(ctx->zone, &ctx->partner, now, &former)
           == NGX_OK)
    {
        same = ngx_http_wassiit_is_signed(ctx, &former);
        ngx_explicit_memzero(&former, sizeof(ngx_wassiit_hmac_key_t));
    }

    if (ctx->known && !ctx->partner.hmac) {
        return NGX_HTTP_WASSIIT_INVALID_SIGNATURE;
    }

    return same ? NGX_HTTP_WASSIIT_ALLOWED
                : NGX_HTTP_WASSIIT_INVALID_SIGNATURE;
}


/* Is the signature the HMAC of the API key followed by the timestamp? */

static ngx_uint_t
ngx_http_wassiit_is_signed(ngx_http_wassiit_ctx_t *ctx,
    ngx_wassiit_hmac_key_t *key)
{
    ngx_uint_t          same;
    ngx_wassiit_hmac_t  hmac;
    u_char              mac[NGX_WASSIIT_HMAC_LEN];

    ngx_wassiit_hmac_init(&hmac, key);
    ngx_wassiit_hmac_update(&hmac, ctx->sent.key.data, ctx->sent.key.len);
    ngx_wassiit_hmac_update(&hmac, ctx->sent.timestamp.data,
                            ctx->sent.timestamp.len);
    ngx_wassiit_hmac_final(&hmac, key, mac);

    same = ngx_wassiit_hmac_equal(mac, ctx->sent.signature.data,
                                  ctx->sent.signature.len);

    ngx_explicit_memzero(mac, NGX_WASSIIT_HMAC_LEN);

    return same;
}


/* Returns NGX_OK, NGX_DECLINED if a scope isn't held, or NGX_ERROR. */

static ngx_int_t
ngx_http_wassiit_check_scopes(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_required_t *required)
{
    ngx_str_t                  names;
    ngx_uint_t                 i;
    ngx_http_complex_value_t  *values;

    ctx->asked.required = required->set;
    ngx_str_null(&ctx->asked.undeclared);

    if (required->values) {
        values = required->values->elts;

        for (i = 0; i < required->values->nelts; i++) {
            if (ngx_http_complex_value(r, &values[i], &names) != NGX_OK
                || ngx_http_wassiit_require(r, ctx, &names) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return ((ctx->asked.required & ~ctx->partner.scopes)
            || ctx->asked.undeclared.len)
           ? NGX_DECLINED : NGX_OK;
}


/* Adds the names, which spaces part, to the scopes that the request needs. */

static ngx_int_t
ngx_http_wassiit_require(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_str_t *names)
{
    u_char                        *p, *last;
    uint64_t                       scope;
    ngx_str_t                      name;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    p = names->data;
    last = p + names->len;

    while (p < last) {

        if (*p == ' ') {
            p++;
            continue;
        }

        name.data = p;

        while (p < last && *p != ' ') {
            p++;
        }

        name.len = p - name.data;
        scope = ngx_wassiit_scopes_find(&wmcf->scopes, name.data, name.len);

        if (scope == 0 && ngx_http_wassiit_undeclared(r, ctx, &name) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ctx->asked.required |= scope;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_undeclared(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *name)
{
    static const ngx_str_t  kind = ngx_string("wassiit_scope");

    u_char      c;
    ngx_str_t  *undeclared;
    ngx_uint_t  i;

    /* it may come from anywhere, and is quoted in the log and in the body */

    undeclared = &ctx->asked.undeclared;

    undeclared->len = ngx_min(name->len, NGX_WASSIIT_SCOPE_LEN);
    undeclared->data = ngx_pnalloc(r->pool, undeclared->len);

    if (undeclared->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < undeclared->len; i++) {
        c = name->data[i];

        undeclared->data[i] = (c <= 0x20 || c >= 0x7f || c == '"' || c == '\\')
                              ? '?' : c;
    }

    if (ngx_http_wassiit_log_admits(r->connection->log, NGX_LOG_ERR, &kind)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "wassiit_scope asks for \"%V\", which is not a declared "
                      "scope", undeclared);
    }

    return NGX_OK;
}
