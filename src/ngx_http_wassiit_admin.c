
#include "ngx_http_wassiit_admin.h"
#include "ngx_http_wassiit_admin_json.h"
#include "ngx_http_wassiit_admin_page.h"
#include "ngx_http_wassiit_admin_path.h"
#include "ngx_http_wassiit_admin_send.h"
#include "ngx_http_wassiit_audit.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_etag.h"
#include "ngx_http_wassiit_job.h"
#include "ngx_http_wassiit_json.h"
#include "ngx_http_wassiit_reply.h"


static ngx_int_t ngx_http_wassiit_admin_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_wassiit_admin_method(ngx_http_request_t *r,
    const ngx_http_wassiit_methods_t *methods);
static void ngx_http_wassiit_admin_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_admin_get(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_http_wassiit_admin_change(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_admin_reply(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job);
static ngx_int_t ngx_http_wassiit_admin_pending(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job, json_t *json);
static void ngx_http_wassiit_admin_log(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change);
static ngx_int_t ngx_http_wassiit_admin_fault(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job);
static ngx_int_t ngx_http_wassiit_admin_location(ngx_http_request_t *r,
    ngx_str_t *id);


static ngx_http_request_body_filter_pt  ngx_http_wassiit_next_admin_filter;


ngx_int_t
ngx_http_wassiit_admin_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_str_t                     id, key_id;
    ngx_uint_t                    bad_id, bad_key, bad_args;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_loc_conf_t  *wlcf;
    ngx_http_wassiit_resource_e   resource;

    ctx = ngx_http_wassiit_get_ctx(r);
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (r != r->main || ctx == NULL || ctx->redirected) {
        /* a way here that leads past wassiit_access */
        return NGX_HTTP_FORBIDDEN;
    }

    /* If-Match is for changes to judge; a GET shows what its ETag isn't of */
    r->disable_not_modified = 1;

    resource = ngx_http_wassiit_admin_resource(r, &id, &key_id);

    if (resource == NGX_HTTP_WASSIIT_ADMIN_NOTHING) {
        rc = ngx_http_discard_request_body(r);

        return (rc == NGX_OK)
               ? ngx_http_wassiit_send_error(r, NGX_HTTP_NOT_FOUND, NULL, NULL)
               : rc;
    }

    rc = ngx_http_wassiit_admin_method(r,
                                   ngx_http_wassiit_admin_methods(resource));
    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (r->headers_in.content_length_n > NGX_HTTP_WASSIIT_JSON_MAX) {
        return ngx_http_wassiit_refuse(r, ctx, NGX_HTTP_WASSIIT_TOO_LARGE);
    }

    bad_id = (id.data
              && !ngx_http_wassiit_record_is_id(id.data, id.len));
    bad_key = (key_id.data
               && !ngx_http_wassiit_record_is_id(key_id.data, key_id.len));

    bad_args = (r->args.len
                && !(resource == NGX_HTTP_WASSIIT_ADMIN_PARTNERS
                     && (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))));

    if (bad_id || bad_key || bad_args
        || (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_DELETE)))
    {
        rc = ngx_http_discard_request_body(r);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (bad_id || bad_key) {
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                            "The %s id in the path must be "
                                            "1 to 64 of a-z 0-9 . _ -",
                                            bad_id ? "partner's" : "key's");
    }

    if (bad_args) {
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                            "This request takes no arguments.");
    }

    switch (r->method) {

    case NGX_HTTP_GET:
    case NGX_HTTP_HEAD:
        ngx_http_wassiit_job_mend(wlcf->admin,
                  ngx_http_get_module_main_conf(r, ngx_http_wassiit_module));

        return id.data ? ngx_http_wassiit_admin_get(r, &id)
                       : ngx_http_wassiit_admin_page(r);

    case NGX_HTTP_DELETE:
        return ngx_http_wassiit_admin_change(r);

    default:
        rc = ngx_http_read_client_request_body(r, ngx_http_wassiit_admin_read);

        return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
    }
}


/* What arrives of a body at the endpoint mustn't grow too long. */

static ngx_int_t
ngx_http_wassiit_admin_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                     rc;
    ngx_chain_t                  *cl;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (wlcf->admin == NULL || r->discard_body) {
        return ngx_http_wassiit_next_admin_filter(r, in);
    }

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx == NULL) {
        return ngx_http_wassiit_next_admin_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        ctx->admin_body += ngx_buf_size(cl->buf);
    }

    if (ctx->admin_body <= NGX_HTTP_WASSIIT_JSON_MAX) {
        return ngx_http_wassiit_next_admin_filter(r, in);
    }

    rc = ngx_http_wassiit_refuse(r, ctx, NGX_HTTP_WASSIIT_TOO_LARGE);

    /* nginx stops in the middle, and loses what follows the body */
    ctx->keepalive = 0;
    r->keepalive = 0;
    r->lingering_close = 1;

    return rc;
}


void
ngx_http_wassiit_admin_init(void)
{
    ngx_http_wassiit_next_admin_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_wassiit_admin_filter;
}


/* Returns NGX_DECLINED if the path takes the method; else it has answered. */

static ngx_int_t
ngx_http_wassiit_admin_method(ngx_http_request_t *r,
    const ngx_http_wassiit_methods_t *methods)
{
    ngx_int_t  rc;
    ngx_str_t  allow;

    if (r->method & methods->methods) {
        return NGX_DECLINED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    allow = methods->allow;

    if (ngx_http_wassiit_admin_header(r, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_wassiit_admin_error(r, NGX_HTTP_NOT_ALLOWED,
                                        "This path takes %V.", &allow);
}


static void
ngx_http_wassiit_admin_read(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_wassiit_admin_change(r));
}


static ngx_int_t
ngx_http_wassiit_admin_get(ngx_http_request_t *r, ngx_str_t *id)
{
    ngx_http_wassiit_info_t       info;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (ngx_http_wassiit_zone_get(wlcf->admin, id, &info) != NGX_OK) {
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_NOT_FOUND,
                                            "There is no partner %V.", id);
    }

    if (ngx_http_wassiit_admin_etag(r, &info) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_wassiit_admin_begin();

    return ngx_http_wassiit_admin_send(r, NGX_HTTP_OK,
                            ngx_http_wassiit_admin_json_partner(r, &info, 1));
}


/* Makes a job of the request, whose body has been read, and queues it. */

static ngx_int_t
ngx_http_wassiit_admin_change(ngx_http_request_t *r)
{
    json_t                       *errors;
    ngx_int_t                     rc;
    ngx_str_t                     id, key_id, faults;
    ngx_table_elt_t              *match;
    ngx_http_wassiit_job_t       *job;
    ngx_http_wassiit_change_t    *change;
    ngx_http_wassiit_loc_conf_t  *wlcf;
    ngx_http_wassiit_resource_e   resource;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (r->method != NGX_HTTP_DELETE
        && ngx_http_wassiit_admin_json_size(r) > NGX_HTTP_WASSIIT_JSON_MAX)
    {
        return ngx_http_wassiit_refuse(r, ngx_http_wassiit_get_ctx(r),
                                       NGX_HTTP_WASSIIT_TOO_LARGE);
    }

    match = r->headers_in.if_match;

    if (match
        && ngx_http_wassiit_etag_match(&match->value, 0) == NGX_ERROR)
    {
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                            "The header If-Match must be * or "
                                            "ETags, each in its quotes, with "
                                            "commas between.");
    }

    job = ngx_http_wassiit_job_create(wlcf->admin,
                  ngx_http_get_module_main_conf(r, ngx_http_wassiit_module));
    if (job == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (match) {
        job->change.match = match->value;
        job->change.match.data = ngx_pstrdup(job->pool, &match->value);

        if (job->change.match.data == NULL) {
            ngx_http_wassiit_job_free(job);
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    resource = ngx_http_wassiit_admin_resource(r, &id, &key_id);

    job->answer = ngx_http_wassiit_admin_reply;

    change = &job->change;
    change->what = ngx_http_wassiit_admin_what(r, resource);
    change->now = ngx_time();

    change->id.len = id.len;
    change->id.data = ngx_pstrdup(job->pool, &id);
    change->key_id.len = key_id.len;
    change->key_id.data = ngx_pstrdup(job->pool, &key_id);

    errors = NULL;

    rc = ((id.len && change->id.data == NULL)
          || (key_id.len && change->key_id.data == NULL))
         ? NGX_ERROR
         : ngx_http_wassiit_admin_json_read(r, change, job->pool, &errors);

    ngx_http_wassiit_audit_partner(r, &change->id);

    if (rc == NGX_OK && errors == NULL) {
        rc = ngx_http_wassiit_job_post(job, r);

        if (rc == NGX_DONE) {
            return rc;
        }
    }

    ngx_http_wassiit_job_free(job);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_json_text(r, errors, 0, &faults);
    }

    json_decref(errors);

    return (rc == NGX_OK)
           ? ngx_http_wassiit_send_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                         &faults)
           : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_wassiit_admin_reply(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job)
{
    ngx_str_t                   key_id;
    ngx_uint_t                  status;
    ngx_http_wassiit_change_t  *change;

    change = &job->change;

    if (job->changed != NGX_HTTP_WASSIIT_CHANGED) {
        return ngx_http_wassiit_admin_fault(r, job);
    }

    /* whether an answer gets there or not */
    ngx_http_wassiit_audit_end(r, NGX_HTTP_WASSIIT_AUDIT_DONE);

    if (change->made.len == NGX_WASSIIT_KEY_LEN) {
        key_id.len = NGX_HTTP_WASSIIT_MADE_ID;
        key_id.data = change->made_id;
        ngx_http_wassiit_audit_key(r, &key_id);
    }

    ngx_http_wassiit_admin_log(r, change);

    if (change->what != NGX_HTTP_WASSIIT_CHANGE_DELETE
        && ngx_http_wassiit_admin_etag(r, &change->info) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_DELETE
        || change->what == NGX_HTTP_WASSIIT_CHANGE_REVOKE)
    {
        if (job->pending) {
            ngx_http_wassiit_admin_begin();
            return ngx_http_wassiit_admin_pending(r, job, json_object());
        }

        r->headers_out.status = NGX_HTTP_NO_CONTENT;
        r->header_only = 1;

        return ngx_http_send_header(r);
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE
        && ngx_http_wassiit_admin_location(r, &change->id) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status = (change->what == NGX_HTTP_WASSIIT_CHANGE_PATCH)
             ? NGX_HTTP_OK : NGX_HTTP_CREATED;

    ngx_http_wassiit_admin_begin();

    if (job->pending) {
        return ngx_http_wassiit_admin_pending(r, job,
                                   ngx_http_wassiit_admin_json_made(r, change));
    }

    return ngx_http_wassiit_admin_send(r, status,
                                   ngx_http_wassiit_admin_json_made(r, change));
}


/*
 * Answers that some nodes of the cluster haven't made the change yet.  json is
 * taken; NULL: memory is short.
 */

static ngx_int_t
ngx_http_wassiit_admin_pending(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job, json_t *json)
{
    json_t      *pending;
    ngx_str_t   *name;
    ngx_uint_t   i;

    pending = json_array();
    name = job->pending->elts;

    for (i = 0; i < job->pending->nelts; i++) {
        if (json_array_append_new(pending, json_stringn((char *) name[i].data,
                                                        name[i].len))
            != 0)
        {
            json_decref(pending);
            pending = NULL;
            break;
        }
    }

    if (json_object_set_new(json, "pending", pending) != 0) {
        json_decref(json);
        json = NULL;
    }

    return ngx_http_wassiit_admin_send(r, NGX_HTTP_ACCEPTED, json);
}


/* Who did what: for those who ask later. */

static void
ngx_http_wassiit_admin_log(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change)
{
    ngx_str_t                by, key;
    ngx_http_wassiit_ctx_t  *ctx;

    static const char  *done[] = {
        "was created",
        "was changed",
        "was deleted",
        "has one more key",
        "has a new key in place of its others",
        "has lost a key",
        "has a new hmac_secret",
        "has a new webhook_secret"
    };

    ctx = ngx_http_wassiit_get_ctx(r);
    ngx_str_set(&by, "-");

    if (ctx && ctx->known) {
        by.len = ctx->partner.id_len;
        by.data = ctx->partner.names;
    }

    key = change->key_id;

    if (change->made.len == NGX_WASSIIT_KEY_LEN) {
        key.len = NGX_HTTP_WASSIIT_MADE_ID;
        key.data = change->made_id;
    }

    ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                  "wassiit: partner \"%V\" %s%s%V, by \"%V\", zone \"%V\"",
                  &change->id, done[change->what], key.len ? ", " : "", &key,
                  &by, &change->zone->name);
}


static ngx_int_t
ngx_http_wassiit_admin_fault(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job)
{
    ngx_pid_t                   pid;
    ngx_uint_t                  ended;
    ngx_http_wassiit_change_t  *change;

    change = &job->change;

    ngx_http_wassiit_audit_end(r,
                               ngx_http_wassiit_change_refused(job->changed)
                               ? NGX_HTTP_WASSIIT_AUDIT_REFUSED
                               : NGX_HTTP_WASSIIT_AUDIT_FAILED);

    switch (job->changed) {

    case NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_NOT_FOUND,
                                            "There is no partner %V.",
                                            &change->id);

    case NGX_HTTP_WASSIIT_CHANGE_NO_KEY:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_NOT_FOUND,
                                            "Partner %V has no key %V.",
                                            &change->id, &change->key_id);

    case NGX_HTTP_WASSIIT_CHANGE_TAKEN:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_CONFLICT,
                                            "There is a partner %V already.",
                                            &change->id);

    case NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_CONFLICT,
                                            "Partner %V has %d keys, the most "
                                            "that it may have. Delete one "
                                            "first.", &change->id,
                                            NGX_HTTP_WASSIIT_KEYS);

    case NGX_HTTP_WASSIIT_CHANGE_MISMATCH:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_PRECONDITION_FAILED,
                                            change->what
                                            == NGX_HTTP_WASSIIT_CHANGE_CREATE
                                            ? "There is no partner %V yet: "
                                              "create it without If-Match."
                                            : "Partner %V has changed since: "
                                              "GET it again, and repeat the "
                                              "change with its new ETag.",
                                            &change->id);

    case NGX_HTTP_WASSIIT_CHANGE_BAD_LINE:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_CONFLICT,
                                            "The partners' file has a line of "
                                            "partner %V that can't be "
                                            "changed, see the error log.",
                                            &change->id);

    case NGX_HTTP_WASSIIT_CHANGE_ZONE_FULL:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                            "The zone has no room for this. "
                                            "Nothing was changed. Give "
                                            "wassiit_zone more memory.");

    case NGX_HTTP_WASSIIT_CHANGE_ZONE_HELD:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The zone's room for this is still "
                                            "in use by a worker that is "
                                            "stopped or very slow. Nothing was "
                                            "changed. Try again.");

    case NGX_HTTP_WASSIIT_CHANGE_NO_DISK:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                            "The partners' file can't be "
                                            "written, see the error log. "
                                            "Nothing was changed.");

    case NGX_HTTP_WASSIIT_CHANGE_NO_FD:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "All file descriptors are in use, "
                                            "see the error log. Nothing was "
                                            "changed. Try again, and raise "
                                            "worker_rlimit_nofile.");

    case NGX_HTTP_WASSIIT_CHANGE_NO_THREAD:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The system lets nginx start no "
                                            "thread, see the error log. "
                                            "Nothing was changed. Try again, "
                                            "and raise the limit of "
                                            "processes.");

    case NGX_HTTP_WASSIIT_CHANGE_BUSY:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "Another process changes the "
                                            "partners, or has locked their "
                                            "file, and does not go on. Nothing "
                                            "was changed. Try again.");

    case NGX_HTTP_WASSIIT_CHANGE_AWAY:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The cluster's Redis can't be "
                                            "reached, or does not take "
                                            "changes. Nothing was changed. "
                                            "Try again.");

    case NGX_HTTP_WASSIIT_CHANGE_RIVALS:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "Other nodes change partner %V all "
                                            "the time. Nothing was changed. "
                                            "Try again.", &change->id);

    case NGX_HTTP_WASSIIT_CHANGE_UNSURE:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The cluster's Redis has not "
                                            "answered: partner %V may have "
                                            "been changed, or not. GET it "
                                            "before you try again.",
                                            &change->id);

    case NGX_HTTP_WASSIIT_CHANGE_ELSEWHERE:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The cluster has changed partner "
                                            "%V, but this node can't yet, see "
                                            "the error log. Don't repeat the "
                                            "change.", &change->id);

    case NGX_HTTP_WASSIIT_CHANGE_LEFT:
        r->keepalive = 0;

        pid = ngx_http_wassiit_zone_is_superseded(change->zone);

        if (pid) {
            ended = (kill(pid, 0) == -1 && ngx_errno == NGX_ESRCH);

            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "wassiit_zone \"%V\" is superseded by a newer nginx "
                          "program, %P, which %s", &change->zone->name, pid,
                          ended ? "has ended: reload this one"
                                : "makes the changes");

            return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "A newer nginx program %s. Nothing "
                                            "was changed. %s.",
                                            ended ? "took over, and has ended"
                                                  : "makes the changes",
                                            ended ? "Reload nginx first"
                                                  : "Try again");
        }

        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The configuration has just been "
                                            "replaced. Nothing was changed. "
                                            "Try again.");

    default:
        return ngx_http_wassiit_send_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                           NULL, NULL);
    }
}


static ngx_int_t
ngx_http_wassiit_admin_location(ngx_http_request_t *r, ngx_str_t *id)
{
    u_char     *p;
    uintptr_t   escape;
    ngx_str_t   value;

    escape = 2 * ngx_escape_uri(NULL, r->uri.data, r->uri.len,
                                NGX_ESCAPE_URI);

    p = ngx_pnalloc(r->pool, r->uri.len + escape + 1 + id->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;

    p = (u_char *) ngx_escape_uri(p, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
    *p++ = '/';
    p = ngx_cpymem(p, id->data, id->len);

    value.len = p - value.data;

    return ngx_http_wassiit_admin_header(r, "Location", &value);
}
