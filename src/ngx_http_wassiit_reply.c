
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"
#include "ngx_http_wassiit_headers_out.h"
#include "ngx_http_wassiit_reply.h"
#include "ngx_http_wassiit_reply_text.h"


static ngx_int_t ngx_http_wassiit_answered(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_send(ngx_http_request_t *r,
    ngx_chain_t *out, ngx_uint_t form);
static ngx_uint_t ngx_http_wassiit_replaces(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_replace(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_keep(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_content(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_uint_t form);
static ngx_int_t ngx_http_wassiit_reply_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_own_page(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_bad_request(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_unparsed(ngx_http_request_t *r);
static ngx_http_wassiit_loc_conf_t *ngx_http_wassiit_problem_at(
    ngx_http_request_t *r, ngx_http_err_page_t *page);
static ngx_int_t ngx_http_wassiit_put(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t form, ngx_str_t *detail);
static ngx_uint_t ngx_http_wassiit_was_led(ngx_http_request_t *r);
static void ngx_http_wassiit_led_cleanup(void *data);
static ngx_int_t ngx_http_wassiit_reply_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);


static ngx_http_output_header_filter_pt  ngx_http_wassiit_next_reply_header;
static ngx_http_output_body_filter_pt    ngx_http_wassiit_next_reply_body;


ngx_int_t
ngx_http_wassiit_problem_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    form;
    ngx_chain_t                  *out;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_decision_e   refusal;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ctx = ngx_http_wassiit_get_ctx(r);

    /* nginx's own codes for requests that it couldn't read, and no code */

    if (r->err_status >= NGX_HTTP_NGINX_CODES
        && r->err_status < NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        r->err_status = NGX_HTTP_BAD_REQUEST;

    } else if (r->err_status == 0) {
        r->err_status = (ctx && ctx->refused)
                        ? ngx_http_wassiit_status(ctx->decision)
                        : ngx_http_wassiit_answered(r);
    }

    refusal = NGX_HTTP_WASSIIT_UNDECIDED;
    form = ctx ? ctx->errors : ngx_http_wassiit_reply_form(r);

    if (ctx && ctx->refused
        && (ngx_int_t) r->err_status == ngx_http_wassiit_status(ctx->decision))
    {
        refusal = ctx->decision;
    }

    out = ngx_http_wassiit_reply_text(r, ctx, refusal, form, NULL, NULL);

    return ngx_http_wassiit_send(r, out, form);
}


/*
 * "error_page CODE = @name" leaves no code behind.  The backend's is still
 * there, as nginx notes it; what else there was, nobody can tell.
 */

static ngx_int_t
ngx_http_wassiit_answered(ngx_http_request_t *r)
{
    ngx_uint_t                  status;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states && r->upstream_states->nelts) {
        state = r->upstream_states->elts;
        status = state[r->upstream_states->nelts - 1].status;

        if (status >= NGX_HTTP_BAD_REQUEST && status < 600) {
            return status;
        }
    }

    return NGX_HTTP_NOT_FOUND;
}


ngx_int_t
ngx_http_wassiit_send_error(ngx_http_request_t *r, ngx_int_t status,
    ngx_str_t *detail, ngx_str_t *errors)
{
    ngx_chain_t                  *out;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    r->err_status = status;

    out = ngx_http_wassiit_reply_text(r, ngx_http_wassiit_get_ctx(r),
                                      errors ? NGX_HTTP_WASSIIT_INVALID_PAYLOAD
                                             : NGX_HTTP_WASSIIT_UNDECIDED,
                                      wlcf->errors, detail, errors);

    return ngx_http_wassiit_send(r, out, wlcf->errors);
}


static ngx_int_t
ngx_http_wassiit_send(ngx_http_request_t *r, ngx_chain_t *out, ngx_uint_t form)
{
    ngx_int_t  rc;

    if (out == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = r->err_status;
    ngx_http_wassiit_content(r, out->buf, form);

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


static void
ngx_http_wassiit_content(ngx_http_request_t *r, ngx_buf_t *b, ngx_uint_t form)
{
    r->headers_out.content_length_n = b->last - b->pos;

    if (form == NGX_HTTP_WASSIIT_ERRORS_ENVELOPE) {
        ngx_str_set(&r->headers_out.content_type, "application/json");

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
}


/*
 * Is this nginx's page for our refusal?  Not if error_page has led elsewhere:
 * a redirect clears the module's context, and who comes back by the access
 * phase is marked.
 */

static ngx_uint_t
ngx_http_wassiit_replaces(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ngx_int_t  status;

    if (!ctx->refused || ctx->redirected
        || ngx_http_get_module_ctx(r, ngx_http_wassiit_module) != ctx)
    {
        return 0;
    }

    status = ngx_http_wassiit_status(ctx->decision);

    if ((ngx_int_t) r->err_status == status) {
        return 1;
    }

    /* with "satisfy any" another module's 401 comes before our 403 */

    return status == NGX_HTTP_FORBIDDEN
           && r->err_status == NGX_HTTP_UNAUTHORIZED;
}


static ngx_int_t
ngx_http_wassiit_replace(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ctx->reply = ngx_http_wassiit_reply_text(r, ctx, ctx->decision,
                                                   ctx->errors, NULL, NULL);
    if (ctx->reply == NULL) {
        return NGX_ERROR;
    }

    r->err_status = ngx_http_wassiit_status(ctx->decision);
    r->headers_out.status = r->err_status;

    ngx_http_wassiit_content(r, ctx->reply->buf, ctx->errors);

    if (r->err_status == NGX_HTTP_BAD_REQUEST
        || r->err_status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE)
    {
        ngx_http_wassiit_keep(r, ctx);
    }

    return NGX_OK;
}


/*
 * nginx takes a 400 and a 413 for a client that it can't follow; we could.  But
 * what follows the request must not be the rest of its body: all of that has
 * come, or nginx has discarded it (then content_length_n is 0, and isn't where
 * nginx failed to read a chunk).
 */

static void
ngx_http_wassiit_keep(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ngx_http_request_body_t  *rb;

    rb = r->request_body;

    if (ngx_http_wassiit_has_body(r)
        && (rb == NULL || rb->rest != 0 || ctx->arriving
            || (!rb->last_saved && r->headers_in.content_length_n != 0)))
    {
        r->keepalive = 0;
        r->lingering_close = 1;

    } else if (r->http_version < NGX_HTTP_VERSION_20) {
        r->keepalive = ctx->keepalive;
    }
}


static ngx_int_t
ngx_http_wassiit_reply_header_filter(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    no_store;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    if (r != r->main) {
        return ngx_http_wassiit_next_reply_header(r);
    }

    ctx = ngx_http_wassiit_get_ctx(r);
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    /* refusals, too, on whatever way error_page sends them */
    no_store = (wlcf->admin || (ctx && ctx->no_store));

    if (ctx == NULL) {
        rc = r->err_status ? ngx_http_wassiit_own_page(r, NULL) : NGX_OK;

        if (rc == NGX_OK && no_store) {
            rc = ngx_http_wassiit_no_store(r);
        }

        return (rc == NGX_OK) ? ngx_http_wassiit_next_reply_header(r) : rc;
    }

    if (r->err_status) {
        rc = ngx_http_wassiit_replaces(r, ctx)
             ? ngx_http_wassiit_replace(r, ctx)
             : ngx_http_wassiit_own_page(r, ctx);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ctx->headers) {
        /* a filter behind us has made an error of the answer */
        ngx_http_wassiit_clear_headers(r);
    }

    ctx->headers = 1;

    if (no_store && ngx_http_wassiit_no_store(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->limit_headers) {
        ngx_http_wassiit_drop_limit_headers(r);

        if (ngx_http_wassiit_limit_headers(r, &ctx->usage) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* not if error_page has put a status of another's in place of ours */

    if (ctx->refused
        && (r->err_status == NGX_HTTP_UNAUTHORIZED
            || r->err_status == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE
            || r->err_status == NGX_HTTP_TOO_MANY_REQUESTS)
        && (ngx_int_t) r->err_status == ngx_http_wassiit_status(ctx->decision)
        && ngx_http_wassiit_refusal_header(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_wassiit_next_reply_header(r);
}


/*
 * An error that nginx has just made a page of, in the form that the operator
 * wants: a 400, which error_page can't lead to wassiit_problem without our own
 * going there, too, and what is answered before there is an URI.
 */

static ngx_int_t
ngx_http_wassiit_own_page(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    if (r->err_status == NGX_HTTP_BAD_REQUEST) {
        return ngx_http_wassiit_bad_request(r, ctx);
    }

    return (r->uri.len == 0 && ctx == NULL) ? ngx_http_wassiit_unparsed(r)
                                            : NGX_OK;
}


/* Where any error of this location goes to wassiit_problem, 400 is put here. */

static ngx_int_t
ngx_http_wassiit_bad_request(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_str_t                    *detail;
    ngx_uint_t                    i, form;
    ngx_http_err_page_t          *page;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_wassiit_loc_conf_t  *to;
#if (NGX_HTTP_SSL)
    static ngx_str_t  tls = ngx_string("This port takes HTTPS, not HTTP.");
#endif

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* nginx's pages are text/html, what we answer as a handler is not */

    if (clcf->error_pages == NULL
        || r->headers_out.content_type.len != sizeof("text/html") - 1
        || ngx_strncmp(r->headers_out.content_type.data, "text/html",
                       sizeof("text/html") - 1) != 0
        || ngx_http_wassiit_was_led(r))
    {
        return NGX_OK;
    }

    page = clcf->error_pages->elts;
    to = NULL;

    for (i = 0; i < clcf->error_pages->nelts && to == NULL; i++) {
        to = ngx_http_wassiit_problem_at(r, &page[i]);
    }

    if (to == NULL) {
        return NGX_OK;
    }

    form = ngx_http_wassiit_reply_form(r);
    detail = NULL;

#if (NGX_HTTP_SSL)
    if (r->http_connection->ssl && r->connection->ssl == NULL) {
        detail = &tls;
    }
#endif

    return ngx_http_wassiit_put(r, ctx,
                                form == NGX_HTTP_WASSIIT_ERRORS_PROBLEM
                                ? to->errors : form,
                                detail);
}


/*
 * Without an URI nginx goes to no named location: it makes a 500 of the error.
 * Where that was meant for wassiit_problem, it is put right here.
 */

static ngx_int_t
ngx_http_wassiit_unparsed(ngx_http_request_t *r)
{
    ngx_uint_t                    i, status;
    ngx_http_err_page_t          *page;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_wassiit_loc_conf_t  *to;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->err_status != NGX_HTTP_INTERNAL_SERVER_ERROR
        || clcf->error_pages == NULL)
    {
        return NGX_OK;
    }

    status = NGX_HTTP_BAD_REQUEST;

    if (r->http_major > 1) {
        status = NGX_HTTP_VERSION_NOT_SUPPORTED;

    } else if (r->http_version < NGX_HTTP_VERSION_20
               && r->header_in->pos == r->header_in->end)
    {
        /* no end of the line in all of the buffer */
        status = NGX_HTTP_REQUEST_URI_TOO_LARGE;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {

        if ((ngx_uint_t) page[i].status != status) {
            continue;
        }

        to = ngx_http_wassiit_problem_at(r, &page[i]);

        if (to == NULL || page[i].value.value.data[0] != '@') {
            return NGX_OK;
        }

        r->err_status = status;
        r->headers_out.status = status;

        return ngx_http_wassiit_put(r, NULL, to->errors, NULL);
    }

    return NGX_OK;
}


/* Where this error_page leads, if wassiit_problem answers there; or NULL. */

static ngx_http_wassiit_loc_conf_t *
ngx_http_wassiit_problem_at(ngx_http_request_t *r, ngx_http_err_page_t *page)
{
    void                        **loc_conf;
    ngx_str_t                    *uri;
    ngx_http_core_loc_conf_t    **named;
    ngx_http_core_srv_conf_t     *cscf;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    uri = &page->value.value;
    loc_conf = NULL;

    if (page->value.lengths || uri->len == 0) {
        return NULL;
    }

    if (uri->data[0] == '/') {
        loc_conf = ngx_http_wassiit_conf_at(r, uri);

    } else if (uri->data[0] == '@') {
        cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

        for (named = cscf->named_locations; named && *named; named++) {
            if ((*named)->name.len == uri->len
                && ngx_strncmp((*named)->name.data, uri->data, uri->len) == 0)
            {
                loc_conf = (*named)->loc_conf;
                break;
            }
        }
    }

    if (loc_conf == NULL) {
        return NULL;
    }

    wlcf = loc_conf[ngx_http_wassiit_module.ctx_index];

    return wlcf->problem ? wlcf : NULL;
}


/* Has our error follow in place of nginx's page; ctx may be NULL. */

static ngx_int_t
ngx_http_wassiit_put(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_uint_t form, ngx_str_t *detail)
{
    if (ctx == NULL) {
        ctx = ngx_http_wassiit_create_ctx(r);
        if (ctx == NULL) {
            return NGX_ERROR;
        }
    }

    ctx->reply = ngx_http_wassiit_reply_text(r, ctx, NGX_HTTP_WASSIIT_UNDECIDED,
                                             form, detail, NULL);
    if (ctx->reply == NULL) {
        return NGX_ERROR;
    }

    /* where a redirect has cleared it, the filter of bodies needs it again */
    ngx_http_set_ctx(r, ctx, ngx_http_wassiit_module);

    ngx_http_wassiit_content(r, ctx->reply->buf, form);

    return NGX_OK;
}


/*
 * A status before there is an answer: error_page has led here, and what is
 * answered is no page of nginx's.  Nothing else of that is left.
 */

ngx_int_t
ngx_http_wassiit_led_handler(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    if (r->err_status != NGX_HTTP_BAD_REQUEST || r != r->main) {
        return NGX_DECLINED;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cln->handler = ngx_http_wassiit_led_cleanup;

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_wassiit_was_led(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_wassiit_led_cleanup) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_wassiit_led_cleanup(void *data)
{
    /* only marks the request, see ngx_http_wassiit_was_led() */
}


static ngx_int_t
ngx_http_wassiit_reply_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t             *out;
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_wassiit_module);

    if (ctx == NULL || ctx->reply == NULL || in == NULL || r != r->main) {
        return ngx_http_wassiit_next_reply_body(r, in);
    }

    /* nginx's page goes, ours is sent once */

    for (out = in; out; out = out->next) {
        out->buf->pos = out->buf->last;
    }

    out = ctx->reply;
    ctx->reply = NULL;

    return ngx_http_wassiit_next_reply_body(r, out);
}


void
ngx_http_wassiit_reply_init(void)
{
    ngx_http_wassiit_next_reply_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_wassiit_reply_header_filter;

    ngx_http_wassiit_next_reply_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_wassiit_reply_body_filter;
}
