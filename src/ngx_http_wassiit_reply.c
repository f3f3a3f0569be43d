
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_reply.h"


/* more than any text below takes, lists of scopes excepted */
#define REPLY_SIZE          1024


typedef struct {
    ngx_str_t                        title;
    ngx_str_t                        detail;
} ngx_http_wassiit_text_t;


/* an error that isn't one of our decisions */

typedef struct {
    ngx_int_t                        status;
    ngx_str_t                        code;
    ngx_http_wassiit_text_t          text;
} ngx_http_wassiit_error_t;


static const ngx_http_wassiit_error_t *ngx_http_wassiit_own_error(
    ngx_int_t status);
static ngx_chain_t *ngx_http_wassiit_reply_body(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_decision_e refusal,
    ngx_uint_t form, ngx_str_t *detail, ngx_str_t *faults);
static ngx_int_t ngx_http_wassiit_send(ngx_http_request_t *r,
    ngx_chain_t *out, ngx_uint_t form);
static u_char *ngx_http_wassiit_detail(u_char *p, ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_decision_e refusal,
    const ngx_str_t *detail);
static off_t ngx_http_wassiit_largest(ngx_http_request_t *r);
static ngx_http_core_loc_conf_t *ngx_http_wassiit_location(ngx_str_t *uri,
    ngx_http_core_loc_conf_t *clcf);
static ngx_http_core_loc_conf_t *ngx_http_wassiit_prefix(ngx_str_t *uri,
    ngx_http_location_tree_node_t *node, ngx_uint_t *exact);
static u_char *ngx_http_wassiit_scope_list(u_char *p,
    ngx_http_wassiit_ctx_t *ctx, const char *quote, const char *separator);
static ngx_uint_t ngx_http_wassiit_replaces(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_replace(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_content(ngx_http_request_t *r, ngx_buf_t *b,
    ngx_uint_t form);
static ngx_int_t ngx_http_wassiit_reply_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_no_store(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_refusal_header(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_unparsed(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_reply_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_wassiit_limit_headers(ngx_http_request_t *r,
    ngx_wassiit_usage_t *usage);
static ngx_int_t ngx_http_wassiit_add_header(ngx_http_request_t *r,
    ngx_uint_t name, u_char *value, u_char *last);
static void ngx_http_wassiit_clear_headers(ngx_http_request_t *r);
static void ngx_http_wassiit_drop_limit_headers(ngx_http_request_t *r);
static ngx_uint_t ngx_http_wassiit_is_limit_header(ngx_str_t *name);
static u_char *ngx_http_wassiit_number(u_char *p, ngx_uint_t n);


static ngx_http_output_header_filter_pt  ngx_http_wassiit_next_reply_header;
static ngx_http_output_body_filter_pt    ngx_http_wassiit_next_reply_body;


enum {
    HEADER_POLICY = 0,
    HEADER_NOW,
    HEADER_LIMIT,
    HEADER_REMAINING,
    HEADER_RESET,
    HEADER_RETRY_AFTER,
    HEADER_WWW_AUTHENTICATE,
    HEADER_CACHE_CONTROL,
    HEADER_ACCEPT_ENCODING,
    HEADERS
};


static ngx_str_t  ngx_http_wassiit_headers[] = {
    ngx_string("RateLimit-Policy"),
    ngx_string("RateLimit"),
    ngx_string("X-RateLimit-Limit"),
    ngx_string("X-RateLimit-Remaining"),
    ngx_string("X-RateLimit-Reset"),
    ngx_string("Retry-After"),
    ngx_string("WWW-Authenticate"),
    ngx_string("Cache-Control"),
    ngx_string("Accept-Encoding")
};


#define QUOTA_EXCEEDED                                                       \
    "https://iana.org/assignments/http-problem-types#quota-exceeded"


/* of each refusal; a detail of "" is made for each request */

static const ngx_http_wassiit_text_t
    ngx_http_wassiit_texts[NGX_HTTP_WASSIIT_DECISIONS] =
{
    [NGX_HTTP_WASSIIT_DUPLICATE_HEADER] = {
      ngx_string("Bad Request"),
      ngx_string("") },

    [NGX_HTTP_WASSIIT_MISSING_KEY] = {
      ngx_string("Unauthorized"),
      ngx_string("Send your API key in the header X-API-Key.") },

    [NGX_HTTP_WASSIIT_INVALID_KEY] = {
      ngx_string("Unauthorized"),
      ngx_string("The API key in X-API-Key is not valid. Check that it is "
                 "complete, and that it was not revoked.") },

    [NGX_HTTP_WASSIIT_EXPIRED_KEY] = {
      ngx_string("Unauthorized"),
      ngx_string("The API key in X-API-Key has expired. Use your newer "
                 "key.") },

    [NGX_HTTP_WASSIIT_MISSING_SIGNATURE] = {
      ngx_string("Unauthorized"),
      ngx_string("Sign the request: send X-API-Timestamp and "
                 "X-API-Signature beside X-API-Key.") },

    [NGX_HTTP_WASSIIT_STALE_TIMESTAMP] = {
      ngx_string("Unauthorized"),
      ngx_string("") },

    [NGX_HTTP_WASSIIT_INVALID_SIGNATURE] = {
      ngx_string("Unauthorized"),
      ngx_string("The signature in X-API-Signature is not the base64 "
                 "HMAC-SHA256 of key and timestamp under your secret.") },

    [NGX_HTTP_WASSIIT_PARTNER_DISABLED] = {
      ngx_string("Forbidden"),
      ngx_string("Your access is switched off. Ask the API's operator.") },

    [NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE] = {
      ngx_string("Forbidden"),
      ngx_string("") },

    [NGX_HTTP_WASSIIT_RATE_LIMITED] = {
      ngx_string("Request cannot be satisfied as assigned quota has been "
                 "exceeded"),
      ngx_string("") },

    [NGX_HTTP_WASSIIT_UNSUPPORTED_MEDIA_TYPE] = {
      ngx_string("Unsupported Media Type"),
      ngx_string("") },

    [NGX_HTTP_WASSIIT_TOO_LARGE] = {
      ngx_string("Content Too Large"),
      ngx_string("A JSON body of this path may have 65536 bytes.") },

    [NGX_HTTP_WASSIIT_INVALID_PAYLOAD] = {
      ngx_string("Bad Request"),
      ngx_string("The body breaks the rules that stand under errors.") }
};


/* errors of nginx's own, for wassiit_problem */

static const ngx_http_wassiit_error_t  ngx_http_wassiit_errors[] = {

    { 400, ngx_string("bad_request"),
      { ngx_string("Bad Request"),
        ngx_string("The request is not valid HTTP.") } },

    { 401, ngx_string("unauthorized"),
      { ngx_string("Unauthorized"),
        ngx_string("The request needs credentials.") } },

    { 403, ngx_string("forbidden"),
      { ngx_string("Forbidden"),
        ngx_string("The request is not allowed.") } },

    { 404, ngx_string("not_found"),
      { ngx_string("Not Found"),
        ngx_string("There is nothing at this path.") } },

    { 405, ngx_string("method_not_allowed"),
      { ngx_string("Method Not Allowed"),
        ngx_string("This path does not take this method.") } },

    { 408, ngx_string("request_timeout"),
      { ngx_string("Request Timeout"),
        ngx_string("The request did not arrive in time.") } },

    { 409, ngx_string("conflict"),
      { ngx_string("Conflict"),
        ngx_string("The request does not fit what is there.") } },

    { 413, ngx_string("too_large"),
      { ngx_string("Content Too Large"),
        ngx_string("The request's body is larger than this path takes.") } },

    { 414, ngx_string("uri_too_long"),
      { ngx_string("URI Too Long"),
        ngx_string("The request's address is too long.") } },

    { 415, ngx_string("unsupported_media_type"),
      { ngx_string("Unsupported Media Type"),
        ngx_string("This path does not take this Content-Type.") } },

    { 429, ngx_string("too_many_requests"),
      { ngx_string("Too Many Requests"),
        ngx_string("Too many requests. Try again later.") } },

    { 500, ngx_string("internal_error"),
      { ngx_string("Internal Server Error"),
        ngx_string("The server failed on this request.") } },

    { 502, ngx_string("bad_gateway"),
      { ngx_string("Bad Gateway"),
        ngx_string("The service behind this server did not answer "
                   "properly.") } },

    { 503, ngx_string("unavailable"),
      { ngx_string("Service Unavailable"),
        ngx_string("The service is not available. Try again later.") } },

    { 504, ngx_string("gateway_timeout"),
      { ngx_string("Gateway Timeout"),
        ngx_string("The service behind this server did not answer in "
                   "time.") } },

    { 507, ngx_string("insufficient_storage"),
      { ngx_string("Insufficient Storage"),
        ngx_string("There is no room for this change. Nothing was "
                   "changed.") } },

    { 0, ngx_string("error"),
      { ngx_string("Error"),
        ngx_string("The server could not answer this request.") } }
};


static const ngx_http_wassiit_error_t *
ngx_http_wassiit_own_error(ngx_int_t status)
{
    const ngx_http_wassiit_error_t  *error;

    for (error = ngx_http_wassiit_errors; error->status; error++) {
        if (error->status == status) {
            break;
        }
    }

    return error;
}


ngx_int_t
ngx_http_wassiit_problem_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    form;
    ngx_chain_t                  *out;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_loc_conf_t  *wlcf;
    ngx_http_wassiit_decision_e   refusal;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);
    ctx = ngx_http_wassiit_get_ctx(r);

    /* nginx's own codes for requests that it couldn't read, and no code */

    if (r->err_status >= NGX_HTTP_NGINX_CODES
        && r->err_status < NGX_HTTP_INTERNAL_SERVER_ERROR)
    {
        r->err_status = NGX_HTTP_BAD_REQUEST;

    } else if (r->err_status == 0) {
        r->err_status = (ctx && ctx->refused)
                        ? ngx_http_wassiit_status(ctx->decision)
                        : NGX_HTTP_NOT_FOUND;
    }

    refusal = NGX_HTTP_WASSIIT_UNDECIDED;
    form = wlcf->errors;

    if (ctx) {
        form = ctx->errors;

        if (ctx->refused
            && (ngx_int_t) r->err_status
               == ngx_http_wassiit_status(ctx->decision))
        {
            refusal = ctx->decision;
        }
    }

    out = ngx_http_wassiit_reply_body(r, ctx, refusal, form, NULL, NULL);

    return ngx_http_wassiit_send(r, out, form);
}


ngx_int_t
ngx_http_wassiit_send_error(ngx_http_request_t *r, ngx_int_t status,
    ngx_str_t *detail, ngx_str_t *errors)
{
    ngx_chain_t                  *out;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    r->err_status = status;

    out = ngx_http_wassiit_reply_body(r, ngx_http_wassiit_get_ctx(r),
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


/*
 * The body for a refusal, or, with NGX_HTTP_WASSIIT_UNDECIDED, for the error
 * in r->err_status.  detail and faults stand in place of what ctx knows, if
 * they aren't NULL.
 */

static ngx_chain_t *
ngx_http_wassiit_reply_body(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_decision_e refusal, ngx_uint_t form, ngx_str_t *detail,
    ngx_str_t *faults)
{
    u_char                          *p;
    size_t                           size;
    ngx_buf_t                       *b;
    ngx_int_t                        status;
    ngx_chain_t                     *out;
    const ngx_str_t                 *code;
    ngx_http_variable_value_t       *id;
    ngx_http_wassiit_main_conf_t    *wmcf;
    const ngx_http_wassiit_text_t   *text;
    const ngx_http_wassiit_error_t  *error;

    if (refusal) {
        status = ngx_http_wassiit_status(refusal);
        code = ngx_http_wassiit_code(refusal);
        text = &ngx_http_wassiit_texts[refusal];

    } else {
        error = ngx_http_wassiit_own_error(r->err_status);

        status = r->err_status;
        code = &error->code;
        text = &error->text;
    }

    size = REPLY_SIZE;

    if (refusal == NGX_HTTP_WASSIIT_INVALID_PAYLOAD) {
        faults = faults ? faults : &ctx->refusal.faults;
        size += faults->len;
    }

    if (detail) {
        size += detail->len;
    }

    if (refusal == NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE) {
        /* once in the detail, once as a list */
        size += 2 * (NGX_WASSIIT_SCOPES_MAX + 1)
                * (NGX_WASSIIT_SCOPE_LEN + sizeof("\"\", ") - 1);
    }

    out = ngx_alloc_chain_link(r->pool);
    b = ngx_create_temp_buf(r->pool, size);

    if (out == NULL || b == NULL) {
        return NULL;
    }

    p = b->last;

    if (form == NGX_HTTP_WASSIIT_ERRORS_ENVELOPE) {
        p = ngx_sprintf(p, "{\"success\":false,\"status\":%i,"
                        "\"message\":\"%V\",\"data\":",
                        status, code);
        p = faults ? ngx_sprintf(p, "{\"errors\":%V}}", faults)
                   : ngx_sprintf(p, "null}");
        goto done;
    }

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    id = ngx_http_get_indexed_variable(r, wmcf->request_id);
    if (id == NULL || id->not_found) {
        return NULL;
    }

    p = ngx_sprintf(p, "{\"type\":\"%s\",\"title\":\"%V\",\"status\":%i,"
                    "\"code\":\"%V\",\"detail\":\"",
                    refusal == NGX_HTTP_WASSIIT_RATE_LIMITED ? QUOTA_EXCEEDED
                                                             : "about:blank",
                    &text->title, status, code);

    p = detail ? ngx_cpymem(p, detail->data, detail->len)
               : ngx_http_wassiit_detail(p, r, ctx, refusal,
                                         &text->detail);
    p = ngx_sprintf(p, "\",\"instance\":\"%v\"", id);

    if (refusal == NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE) {
        p = ngx_sprintf(p, ",\"required_scopes\":[");
        p = ngx_http_wassiit_scope_list(p, ctx, "\"", ",");
        *p++ = ']';
    }

    if (refusal == NGX_HTTP_WASSIIT_RATE_LIMITED) {
        p = ngx_sprintf(p, ",\"violated-policies\":[\"default\"]");
    }

    if (faults) {
        p = ngx_sprintf(p, ",\"errors\":%V", faults);
    }

    *p++ = '}';

done:

    b->last = p;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return out;
}


static u_char *
ngx_http_wassiit_detail(u_char *p, ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_decision_e refusal,
    const ngx_str_t *detail)
{
    off_t                 largest;
    ngx_uint_t            retry;
    ngx_wassiit_usage_t  *usage;

    if (refusal == NGX_HTTP_WASSIIT_UNDECIDED
        && r->err_status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE)
    {
        largest = ngx_http_wassiit_largest(r);

        if (largest) {
            return ngx_sprintf(p, "A body of this path may have %O bytes.",
                               largest);
        }
    }

    switch (refusal) {

    case NGX_HTTP_WASSIIT_DUPLICATE_HEADER:
        return ngx_sprintf(p, "The header %V stands twice. Send it once.",
                           ctx->refusal.webhook ? &ctx->refusal.header
                                                : &ctx->sent.twice);

    case NGX_HTTP_WASSIIT_MISSING_SIGNATURE:
        if (!ctx->refusal.webhook) {
            break;
        }

        return ngx_sprintf(p, "Sign the body: send its hex HMAC-SHA256 in "
                           "%V.", &ctx->refusal.header);

    case NGX_HTTP_WASSIIT_INVALID_SIGNATURE:
        if (!ctx->refusal.webhook) {
            break;
        }

        return ngx_sprintf(p, "The signature in %V is not the hex "
                           "HMAC-SHA256 of the body, byte for byte, under "
                           "our common secret.", &ctx->refusal.header);

    case NGX_HTTP_WASSIIT_UNSUPPORTED_MEDIA_TYPE:
        switch (ctx->refusal.media) {

        case NGX_HTTP_WASSIIT_MEDIA_TWICE:
            return ngx_sprintf(p, "The header Content-Type stands twice. Send "
                               "it once.");

        case NGX_HTTP_WASSIIT_MEDIA_CHARSET:
            return ngx_sprintf(p, "Send the body in UTF-8. Content-Type names "
                               "the charset %V; it may name utf-8, or none.",
                               &ctx->refusal.media_name);

        case NGX_HTTP_WASSIIT_MEDIA_CODING:
            return ngx_sprintf(p, "Send the body as it is, without the "
                               "Content-Encoding %V.",
                               &ctx->refusal.media_name);

        default:
            break;
        }

        return ngx_sprintf(p, "Send the body as %s, and say so in "
                           "Content-Type.",
                           ctx->refusal.multipart
                           ? "multipart/form-data" : "application/json");

    case NGX_HTTP_WASSIIT_STALE_TIMESTAMP:
        return ngx_sprintf(p, "The timestamp in X-API-Timestamp must be Unix "
                           "seconds, digits only, at most %T from the "
                           "server's time, which is %T.",
                           ctx->asked.skew, ngx_time());

    case NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE:
        p = ngx_sprintf(p, "This request needs a scope that you do not hold: ");
        p = ngx_http_wassiit_scope_list(p, ctx, "", ", ");
        *p++ = '.';
        return p;

    case NGX_HTTP_WASSIIT_RATE_LIMITED:
        usage = &ctx->limit.usage;
        retry = ngx_max(ngx_http_wassiit_reset(usage), 1);

        return ngx_sprintf(p, "Your limit of %uD request%s in %uD second%s "
                           "is used up. Try again in %ui second%s.",
                           usage->limit, usage->limit == 1 ? "" : "s",
                           usage->seconds, usage->seconds == 1 ? "" : "s",
                           retry, retry == 1 ? "" : "s");

    default:
        break;
    }

    return ngx_cpymem(p, detail->data, detail->len);
}


/*
 * The client_max_body_size that the request is beyond; 0: it isn't known.
 * nginx has left the location by then: for a named one it keeps the URI, by
 * which the location is found again.
 */

static off_t
ngx_http_wassiit_largest(ngx_http_request_t *r)
{
    off_t                      size;
    ngx_table_elt_t           *length;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->upstream || r->uri.len == 0 || !clcf->named) {
        return 0;
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    clcf = ngx_http_wassiit_location(&r->uri,
                       cscf->ctx->loc_conf[ngx_http_core_module.ctx_index]);

    /* content_length_n is less by what has been discarded */

    length = r->headers_in.content_length;
    size = length ? ngx_atoof(length->value.data, length->value.len)
                  : NGX_ERROR;

    if (clcf->client_max_body_size == 0
        || (size != NGX_ERROR && size <= clcf->client_max_body_size))
    {
        return 0;
    }

    return clcf->client_max_body_size;
}


/* The location in clcf that takes this URI, or clcf itself. */

static ngx_http_core_loc_conf_t *
ngx_http_wassiit_location(ngx_str_t *uri, ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t                 exact;
    ngx_http_core_loc_conf_t  *prefix, *found;
#if (NGX_PCRE)
    ngx_http_core_loc_conf_t **regex;
#endif

    exact = 0;
    prefix = ngx_http_wassiit_prefix(uri, clcf->static_locations, &exact);

    if (exact) {
        return prefix;
    }

    found = prefix ? ngx_http_wassiit_location(uri, prefix) : clcf;

    if (prefix && (found != prefix || prefix->noregex)) {
        return found;
    }

#if (NGX_PCRE)

    for (regex = clcf->regex_locations; regex && *regex; regex++) {
        if (ngx_regex_exec((*regex)->regex->regex, uri, NULL, 0) >= 0) {
            return ngx_http_wassiit_location(uri, *regex);
        }
    }

#endif

    return found;
}


/* The longest prefix in nginx's tree, or the name itself; NULL: none. */

static ngx_http_core_loc_conf_t *
ngx_http_wassiit_prefix(ngx_str_t *uri, ngx_http_location_tree_node_t *node,
    ngx_uint_t *exact)
{
    size_t                     n;
    ngx_int_t                  rc;
    ngx_str_t                  rest;
    ngx_http_core_loc_conf_t  *found;

    found = NULL;
    rest = *uri;

    while (node) {
        n = ngx_min(rest.len, (size_t) node->len);
        rc = ngx_filename_cmp(rest.data, node->name, n);

        if (rc == 0 && rest.len == node->len && node->exact) {
            *exact = 1;
            return node->exact;
        }

        if (rc == 0 && rest.len >= node->len && node->inclusive) {
            /* what is longer hangs in a tree of its own */

            found = node->inclusive;
            rest.data += n;
            rest.len -= n;
            node = node->tree;

        } else if (rc == 0) {
            node = (rest.len > node->len) ? node->right : node->left;

        } else {
            node = (rc < 0) ? node->left : node->right;
        }
    }

    return found;
}


/* A single missing scope alone, else all that the location asks for. */

static u_char *
ngx_http_wassiit_scope_list(u_char *p, ngx_http_wassiit_ctx_t *ctx,
    const char *quote, const char *separator)
{
    uint64_t     set;
    ngx_str_t    name;
    const char  *before;

    set = ctx->asked.required;
    before = "";

    if (ctx->asked.undeclared.len) {
        if (ctx->asked.missing == 0) {
            set = 0;
        }

        p = ngx_sprintf(p, "%s%V%s", quote, &ctx->asked.undeclared, quote);
        before = separator;

    } else if ((ctx->asked.missing & (ctx->asked.missing - 1)) == 0) {
        set = ctx->asked.missing;
    }

    while (set) {
        ngx_wassiit_scopes_next(ctx->asked.scopes, &set, &name);
        p = ngx_sprintf(p, "%s%s%V%s", before, quote, &name, quote);
        before = separator;
    }

    return p;
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

    if (!ctx->refused || ctx->refusal.redirected
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
    ctx->answer.body = ngx_http_wassiit_reply_body(r, ctx, ctx->decision,
                                                   ctx->errors, NULL, NULL);
    if (ctx->answer.body == NULL) {
        return NGX_ERROR;
    }

    r->err_status = ngx_http_wassiit_status(ctx->decision);
    r->headers_out.status = r->err_status;

    ngx_http_wassiit_content(r, ctx->answer.body->buf, ctx->errors);

    if (r->err_status == NGX_HTTP_BAD_REQUEST
        || r->err_status == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE)
    {
        /*
         * nginx takes these for a client that it can't follow; we could.  But
         * what is still to come of the body has to be read before.
         */

        if (ngx_http_wassiit_has_body(r)
            && (r->request_body == NULL
                || r->request_body->rest != 0
                || ctx->arriving))
        {
            r->lingering_close = 1;

        } else if (r->http_version < NGX_HTTP_VERSION_20) {
            r->keepalive = ctx->refusal.keepalive;
        }
    }

    return NGX_OK;
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
        rc = (r->uri.len == 0) ? ngx_http_wassiit_unparsed(r) : NGX_OK;

        if (rc == NGX_OK && no_store) {
            rc = ngx_http_wassiit_no_store(r);
        }

        return (rc == NGX_OK) ? ngx_http_wassiit_next_reply_header(r) : rc;
    }

    if (ngx_http_wassiit_replaces(r, ctx)
        && ngx_http_wassiit_replace(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->answer.headers) {
        /* a filter behind us has made an error of the answer */
        ngx_http_wassiit_clear_headers(r);
    }

    ctx->answer.headers = 1;

    if (no_store && ngx_http_wassiit_no_store(r) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ctx->limit.headers) {
        ngx_http_wassiit_drop_limit_headers(r);

        if (ngx_http_wassiit_limit_headers(r, &ctx->limit.usage) != NGX_OK) {
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


static ngx_int_t
ngx_http_wassiit_no_store(ngx_http_request_t *r)
{
    static u_char  value[] = "no-store";

    return ngx_http_wassiit_add_header(r, HEADER_CACHE_CONTROL, value,
                                       value + sizeof(value) - 1);
}


static ngx_int_t
ngx_http_wassiit_refusal_header(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    u_char      *p, *value;
    ngx_str_t   *what;
    ngx_uint_t   retry;

    static u_char  identity[] = "identity";

    if (r->err_status == NGX_HTTP_UNSUPPORTED_MEDIA_TYPE) {

        if (ctx->refusal.media != NGX_HTTP_WASSIIT_MEDIA_CODING) {
            return NGX_OK;
        }

        /* RFC 9110, section 15.5.16 */

        return ngx_http_wassiit_add_header(r, HEADER_ACCEPT_ENCODING, identity,
                                           identity + sizeof(identity) - 1);
    }

    what = ctx->refusal.webhook ? &ctx->refusal.header : &ctx->zone->name;

    value = ngx_pnalloc(r->pool, sizeof("HMAC-SHA256 header=\"\"") - 1
                                 + NGX_INT_T_LEN + what->len);
    if (value == NULL) {
        return NGX_ERROR;
    }

    switch (r->err_status) {

    case NGX_HTTP_UNAUTHORIZED:
        p = ngx_sprintf(value,
                        ctx->refusal.webhook ? "HMAC-SHA256 header=\"%V\""
                                             : "ApiKey realm=\"%V\"", what);

        return ngx_http_wassiit_add_header(r, HEADER_WWW_AUTHENTICATE, value,
                                           p);

    case NGX_HTTP_TOO_MANY_REQUESTS:
        retry = ngx_http_wassiit_reset(&ctx->limit.usage);
        p = ngx_http_wassiit_number(value, ngx_max(retry, 1));

        return ngx_http_wassiit_add_header(r, HEADER_RETRY_AFTER, value, p);

    default:
        return NGX_OK;
    }
}


/*
 * A request line that doesn't fit is answered before there is an URI, and
 * nginx goes to no named location without one: it makes a 500 of it.  Where
 * the 414 was meant for wassiit_problem, it is put right here.
 */

static ngx_int_t
ngx_http_wassiit_unparsed(ngx_http_request_t *r)
{
    ngx_str_t                     uri;
    ngx_uint_t                    i;
    ngx_http_err_page_t          *page;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_core_loc_conf_t     *clcf, **named;
    ngx_http_core_srv_conf_t     *cscf;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (r->err_status != NGX_HTTP_INTERNAL_SERVER_ERROR
        || r->request_line.len == 0
        || clcf->error_pages == NULL
        || cscf->named_locations == NULL)
    {
        return NGX_OK;
    }

    page = clcf->error_pages->elts;
    ngx_str_set(&uri, "");
    wlcf = NULL;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == NGX_HTTP_REQUEST_URI_TOO_LARGE) {
            uri = page[i].value.value;
            break;
        }
    }

    for (named = cscf->named_locations; *named; named++) {

        wlcf = (*named)->loc_conf[ngx_http_wassiit_module.ctx_index];

        if (wlcf->problem && (*named)->name.len == uri.len
            && ngx_strncmp((*named)->name.data, uri.data, uri.len) == 0)
        {
            break;
        }
    }

    if (*named == NULL) {
        return NGX_OK;
    }

    ctx = ngx_http_wassiit_create_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    r->err_status = NGX_HTTP_REQUEST_URI_TOO_LARGE;
    r->headers_out.status = r->err_status;

    ctx->answer.body = ngx_http_wassiit_reply_body(r, ctx,
                                                   NGX_HTTP_WASSIIT_UNDECIDED,
                                                   wlcf->errors, NULL, NULL);
    if (ctx->answer.body == NULL) {
        return NGX_ERROR;
    }

    ngx_http_wassiit_content(r, ctx->answer.body->buf, wlcf->errors);

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_reply_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t             *out;
    ngx_http_wassiit_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_wassiit_module);

    if (ctx == NULL || ctx->answer.body == NULL || in == NULL || r != r->main) {
        return ngx_http_wassiit_next_reply_body(r, in);
    }

    /* nginx's page goes, ours is sent once */

    for (out = in; out; out = out->next) {
        out->buf->pos = out->buf->last;
    }

    out = ctx->answer.body;
    ctx->answer.body = NULL;

    return ngx_http_wassiit_next_reply_body(r, out);
}


/*
 * draft-ietf-httpapi-ratelimit-headers: RateLimit-Policy and RateLimit; and
 * the older X-RateLimit- ones, whose values are parts of the new.
 */

static ngx_int_t
ngx_http_wassiit_limit_headers(ngx_http_request_t *r,
    ngx_wassiit_usage_t *usage)
{
    u_char  *p, *policy, *limit, *limit_end, *now, *remaining,
            *remaining_end, *reset;

    p = ngx_pnalloc(r->pool, sizeof("\"default\";q=;w=") - 1
                             + sizeof("\"default\";r=;t=") - 1
                             + 3 * NGX_INT32_LEN + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    policy = p;
    p = ngx_cpymem(p, "\"default\";q=", sizeof("\"default\";q=") - 1);
    limit = p;
    p = ngx_http_wassiit_number(p, usage->limit);
    limit_end = p;
    p = ngx_cpymem(p, ";w=", sizeof(";w=") - 1);
    p = ngx_http_wassiit_number(p, usage->seconds);

    now = p;
    p = ngx_cpymem(p, "\"default\";r=", sizeof("\"default\";r=") - 1);
    remaining = p;
    p = ngx_http_wassiit_number(p, usage->remaining);
    remaining_end = p;
    p = ngx_cpymem(p, ";t=", sizeof(";t=") - 1);
    reset = p;
    p = ngx_http_wassiit_number(p, ngx_http_wassiit_reset(usage));

    if (ngx_http_wassiit_add_header(r, HEADER_POLICY, policy, now) != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_NOW, now, p) != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_LIMIT, limit, limit_end)
           != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_REMAINING, remaining,
                                       remaining_end)
           != NGX_OK
        || ngx_http_wassiit_add_header(r, HEADER_RESET, reset, p) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_add_header(ngx_http_request_t *r, ngx_uint_t name,
    u_char *value, u_char *last)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key = ngx_http_wassiit_headers[name];
    h->value.len = last - value;
    h->value.data = value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


static void
ngx_http_wassiit_clear_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i, name;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            for (name = 0; name < HEADERS; name++) {

                /* ours, not one of another's of the same name */

                if (h[i].key.data == ngx_http_wassiit_headers[name].data) {
                    h[i].hash = 0;
                }
            }
        }
    }
}


/*
 * A backend may have limits of its own.  Next to ours they would be joined into
 * one value, which tells nothing.
 */

static void
ngx_http_wassiit_drop_limit_headers(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_wassiit_is_limit_header(&h[i].key)) {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_uint_t
ngx_http_wassiit_is_limit_header(ngx_str_t *name)
{
    ngx_str_t   *limit;
    ngx_uint_t   i;

    if (name->len < sizeof("RateLimit") - 1
        || (((name->data[0] | 0x20) != 'r') && (name->data[0] | 0x20) != 'x'))
    {
        /* most are none */
        return 0;
    }

    for (i = HEADER_POLICY; i <= HEADER_RESET; i++) {
        limit = &ngx_http_wassiit_headers[i];

        if (name->len == limit->len
            && ngx_strncasecmp(name->data, limit->data, limit->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static u_char *
ngx_http_wassiit_number(u_char *p, ngx_uint_t n)
{
    u_char  *digit, digits[NGX_INT_T_LEN];

    digit = digits + NGX_INT_T_LEN;

    do {
        *--digit = '0' + n % 10;
        n /= 10;
    } while (n);

    return ngx_cpymem(p, digit, digits + NGX_INT_T_LEN - digit);
}


void
ngx_http_wassiit_reply_init(void)
{
    ngx_http_wassiit_next_reply_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_wassiit_reply_header_filter;

    ngx_http_wassiit_next_reply_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_wassiit_reply_body_filter;
}
