
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_reply_text.h"

#include <openssl/rand.h>


/* more than any text below takes, lists of scopes excepted */
#define REPLY_SIZE          1024

/* bytes of an id of a request, and of how many the bytes are got at once */
#define REPLY_ID            16
#define REPLY_IDS           64


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


static ngx_http_variable_value_t *ngx_http_wassiit_request_id(
    ngx_http_request_t *r, ngx_uint_t index);
static u_char *ngx_http_wassiit_detail(u_char *p, ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_decision_e refusal,
    const ngx_str_t *detail);
static u_char *ngx_http_wassiit_scope_list(u_char *p, ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, const char *quote, const char *separator);
static const ngx_http_wassiit_error_t *ngx_http_wassiit_own_error(
    ngx_int_t status);
static off_t ngx_http_wassiit_largest(ngx_http_request_t *r);
static ngx_http_core_loc_conf_t *ngx_http_wassiit_location(ngx_str_t *uri,
    ngx_http_core_loc_conf_t *clcf, ngx_uint_t *final);
static ngx_http_core_loc_conf_t *ngx_http_wassiit_prefix(ngx_str_t *uri,
    ngx_http_location_tree_node_t *node, ngx_uint_t *exact);


#define QUOTA_EXCEEDED                                                       \
    "https://iana.org/assignments/http-problem-types#quota-exceeded"


/* whatever a backend has done before it broke off */

#define MAYBE_DONE                                                           \
    "The request may have been carried out: look before you send it again."


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
      ngx_string("A JSON body of this path may have at most 65536 bytes.") },

    [NGX_HTTP_WASSIIT_INVALID_PAYLOAD] = {
      ngx_string("Bad Request"),
      ngx_string("The body breaks the rules listed in errors.") }
};


/* errors of nginx's own, for wassiit_problem */

static const ngx_http_wassiit_error_t  ngx_http_wassiit_errors[] = {

    { 400, ngx_string("bad_request"),
      { ngx_string("Bad Request"),
        ngx_string("The request is not valid, or its header is too large.") } },

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

    { 412, ngx_string("precondition_failed"),
      { ngx_string("Precondition Failed"),
        ngx_string("What the request is about has changed since.") } },

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

    { 501, ngx_string("not_implemented"),
      { ngx_string("Not Implemented"),
        ngx_string("The server does not know the request's "
                   "Transfer-Encoding; it takes chunked.") } },

    { 502, ngx_string("bad_gateway"),
      { ngx_string("Bad Gateway"),
        ngx_string("The service behind this server did not answer properly. "
                   MAYBE_DONE) } },

    { 503, ngx_string("unavailable"),
      { ngx_string("Service Unavailable"),
        ngx_string("The service is not available. Try again later.") } },

    { 504, ngx_string("gateway_timeout"),
      { ngx_string("Gateway Timeout"),
        ngx_string("The service behind this server did not answer in time. "
                   MAYBE_DONE) } },

    { 505, ngx_string("http_version_not_supported"),
      { ngx_string("HTTP Version Not Supported"),
        ngx_string("The server does not speak this version of HTTP.") } },

    { 507, ngx_string("insufficient_storage"),
      { ngx_string("Insufficient Storage"),
        ngx_string("There is no room for this change. Nothing was "
                   "changed.") } },

    { 0, ngx_string("error"),
      { ngx_string("Error"),
        ngx_string("The server could not answer this request.") } }
};


ngx_chain_t *
ngx_http_wassiit_reply_text(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
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
        faults = faults ? faults : &ctx->form->faults;
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

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    id = ngx_http_wassiit_request_id(r, wmcf->request_id);
    if (id == NULL || id->not_found) {
        return NULL;
    }

    if (form == NGX_HTTP_WASSIIT_ERRORS_ENVELOPE) {
        p = ngx_sprintf(b->last, "{\"success\":false,\"status\":%i,"
                        "\"message\":\"%V\",\"data\":{",
                        status, code);

    } else {
        p = ngx_sprintf(b->last, "{\"type\":\"%s\",\"title\":\"%V\","
                        "\"status\":%i,\"code\":\"%V\",",
                        refusal == NGX_HTTP_WASSIIT_RATE_LIMITED
                        ? QUOTA_EXCEEDED : "about:blank",
                        &text->title, status, code);
    }

    p = ngx_sprintf(p, "\"detail\":\"");
    p = detail ? ngx_cpymem(p, detail->data, detail->len)
               : ngx_http_wassiit_detail(p, r, ctx, refusal,
                                         &text->detail);
    p = ngx_sprintf(p, "\",\"instance\":\"%v\"", id);

    if (refusal == NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE) {
        p = ngx_sprintf(p, ",\"required_scopes\":[");
        p = ngx_http_wassiit_scope_list(p, r, ctx, "\"", ",");
        *p++ = ']';
    }

    if (refusal == NGX_HTTP_WASSIIT_RATE_LIMITED) {
        p = ngx_sprintf(p, ",\"violated-policies\":[\"default\"]");
    }

    if (faults) {
        p = ngx_sprintf(p, ",\"errors\":%V", faults);
    }

    *p++ = '}';

    if (form == NGX_HTTP_WASSIIT_ERRORS_ENVELOPE) {
        *p++ = '}';
    }

    b->last = p;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return out;
}


/*
 * $request_id, as nginx makes it, but the random bytes of many at once: for
 * each request alone they cost more than all the rest of a refusal.
 */

static ngx_http_variable_value_t *
ngx_http_wassiit_request_id(ngx_http_request_t *r, ngx_uint_t index)
{
    u_char                     *p;
    ngx_http_variable_value_t  *v;

    static u_char      bytes[REPLY_IDS][REPLY_ID];
    static ngx_uint_t  left;
    static ngx_pid_t   pid;

    v = &r->variables[index];

    if (v->valid || v->not_found) {
        return v;
    }

    if (left == 0 || pid != ngx_pid) {
        left = 0;
        pid = ngx_pid;

        if (RAND_bytes(bytes[0], sizeof(bytes)) != 1) {
            return ngx_http_get_indexed_variable(r, index);
        }

        left = REPLY_IDS;
    }

    p = ngx_pnalloc(r->pool, 2 * REPLY_ID);
    if (p == NULL) {
        return NULL;
    }

    left--;
    (void) ngx_hex_dump(p, bytes[left], REPLY_ID);

    v->len = 2 * REPLY_ID;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = p;

    return v;
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
            return ngx_sprintf(p, "A body of this path may have at most %O "
                               "bytes.", largest);
        }
    }

    switch (refusal) {

    case NGX_HTTP_WASSIIT_DUPLICATE_HEADER:
        return ngx_sprintf(p, "The header %V stands twice. Send it once.",
                           ctx->webhook ? ctx->webhook : &ctx->sent.twice);

    case NGX_HTTP_WASSIIT_MISSING_SIGNATURE:
        if (!ctx->webhook) {
            break;
        }

        return ngx_sprintf(p, "Sign the body: send its hex HMAC-SHA256 in "
                           "%V.", ctx->webhook);

    case NGX_HTTP_WASSIIT_INVALID_SIGNATURE:
        if (!ctx->webhook) {
            break;
        }

        return ngx_sprintf(p, "The signature in %V is not the hex "
                           "HMAC-SHA256 of the body, byte for byte, under "
                           "our common secret: 64 digits, without sha256= "
                           "before them.", ctx->webhook);

    case NGX_HTTP_WASSIIT_UNSUPPORTED_MEDIA_TYPE:
        switch (ctx->form->media) {

        case NGX_HTTP_WASSIIT_MEDIA_TWICE:
            return ngx_sprintf(p, "The header Content-Type stands twice. Send "
                               "it once.");

        case NGX_HTTP_WASSIIT_MEDIA_CHARSET:
            return ngx_sprintf(p, "Send the body in UTF-8. Content-Type names "
                               "the charset %V; it may name utf-8, or none.",
                               &ctx->form->media_name);

        case NGX_HTTP_WASSIIT_MEDIA_CODING:
            return ngx_sprintf(p, "Send the body as it is, without the "
                               "Content-Encoding %V.",
                               &ctx->form->media_name);

        default:
            break;
        }

        return ngx_sprintf(p, "Send the body as %s, and say so in "
                           "Content-Type.",
                           ctx->form->is_form
                           ? "multipart/form-data" : "application/json");

    case NGX_HTTP_WASSIIT_STALE_TIMESTAMP:
        return ngx_sprintf(p, "The timestamp in X-API-Timestamp must be Unix "
                           "seconds, digits only, at most %T from the "
                           "server's time, which is %T.",
                           ctx->asked.skew, ngx_time());

    case NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE:
        p = ngx_sprintf(p, "This request needs a scope that you do not hold: ");
        p = ngx_http_wassiit_scope_list(p, r, ctx, "", ", ");
        *p++ = '.';
        return p;

    case NGX_HTTP_WASSIIT_RATE_LIMITED:
        usage = &ctx->usage;
        retry = ngx_max(ngx_http_wassiit_reset(usage), 1);

        return ngx_sprintf(p, "%sour limit of %uD request%s in %uD second%s "
                           "is %s. Try again in %ui second%s.",
                           ctx->early ? "Nothing of y" : "Y",
                           usage->limit, usage->limit == 1 ? "" : "s",
                           usage->seconds, usage->seconds == 1 ? "" : "s",
                           ctx->early ? "free here at the moment" : "used up",
                           retry, retry == 1 ? "" : "s");

    default:
        break;
    }

    return ngx_cpymem(p, detail->data, detail->len);
}


/* A single missing scope alone, else all that the location asks for. */

static u_char *
ngx_http_wassiit_scope_list(u_char *p, ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, const char *quote, const char *separator)
{
    uint64_t                       set, missing;
    ngx_str_t                      name;
    const char                    *before;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    set = ctx->asked.required;
    missing = set & ~ctx->partner.scopes;
    before = "";

    if (ctx->asked.undeclared.len) {
        if (missing == 0) {
            set = 0;
        }

        p = ngx_sprintf(p, "%s%V%s", quote, &ctx->asked.undeclared, quote);
        before = separator;

    } else if ((missing & (missing - 1)) == 0) {
        set = missing;
    }

    while (set) {
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        p = ngx_sprintf(p, "%s%s%V%s", before, quote, &name, quote);
        before = separator;
    }

    return p;
}


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


ngx_uint_t
ngx_http_wassiit_reply_form(ngx_http_request_t *r)
{
    void                        **loc_conf;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_wassiit_loc_conf_t  *wlcf, *arose;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (r->uri.len == 0 || !clcf->named) {
        return wlcf->errors;
    }

    loc_conf = ngx_http_wassiit_conf_at(r, &r->uri);
    arose = loc_conf[ngx_http_wassiit_module.ctx_index];

    return (arose->errors == NGX_HTTP_WASSIIT_ERRORS_PROBLEM) ? wlcf->errors
                                                              : arose->errors;
}


void **
ngx_http_wassiit_conf_at(ngx_http_request_t *r, ngx_str_t *uri)
{
    ngx_uint_t                 final;
    ngx_http_core_loc_conf_t  *clcf;
    ngx_http_core_srv_conf_t  *cscf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    final = 0;
    clcf = ngx_http_wassiit_location(uri,
                        cscf->ctx->loc_conf[ngx_http_core_module.ctx_index],
                        &final);

    /* a server's own has no such list */
    return clcf->loc_conf ? clcf->loc_conf : cscf->ctx->loc_conf;
}


/*
 * The client_max_body_size that the request is beyond; 0: it isn't known.
 * nginx has left the location by then: for a named one it keeps the URI, by
 * which the location is found again.
 */

static off_t
ngx_http_wassiit_largest(ngx_http_request_t *r)
{
    off_t                       size;
    void                      **loc_conf;
    ngx_table_elt_t            *length;
    ngx_http_core_loc_conf_t   *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* a backend's own 413 is another matter, one that wasn't asked is none */

    if ((r->upstream && r->upstream->headers_in.status_n)
        || r->uri.len == 0 || !clcf->named)
    {
        return 0;
    }

    loc_conf = ngx_http_wassiit_conf_at(r, &r->uri);
    clcf = loc_conf[ngx_http_core_module.ctx_index];

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


/*
 * The location in clcf that takes this URI, or clcf itself.  Sets *final where
 * nothing outside is looked at any more: a name that is exactly the URI, or a
 * regular expression, took it.
 */

static ngx_http_core_loc_conf_t *
ngx_http_wassiit_location(ngx_str_t *uri, ngx_http_core_loc_conf_t *clcf,
    ngx_uint_t *final)
{
    ngx_http_core_loc_conf_t  *prefix, *found;
#if (NGX_PCRE)
    ngx_http_core_loc_conf_t **regex;
#endif

    prefix = ngx_http_wassiit_prefix(uri, clcf->static_locations, final);

    if (*final) {
        return prefix;
    }

    found = prefix ? ngx_http_wassiit_location(uri, prefix, final) : clcf;

    if (*final || (prefix && prefix->noregex)) {
        return found;
    }

#if (NGX_PCRE)

    for (regex = clcf->regex_locations; regex && *regex; regex++) {
        if (ngx_regex_exec((*regex)->regex->regex, uri, NULL, 0) >= 0) {
            found = ngx_http_wassiit_location(uri, *regex, final);
            *final = 1;
            return found;
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
