
#include "ngx_http_wassiit_admin.h"
#include "ngx_http_wassiit_change.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_json.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_reply.h"
#include "ngx_wassiit_rules.h"
#include "ngx_wassiit_time.h"


#define ADMIN_MEMORY            262144

#define ADMIN_PAGE              100     /* partners, if not told */
#define ADMIN_PAGE_MAX          1000

/* how often and how long one waits for the lock of the file, milliseconds */
#define ADMIN_RETRY             2
#define ADMIN_PATIENCE          30000

#define ADMIN_GRACE             86400
#define ADMIN_GRACE_MAX         (3650 * 86400)


/* what a path names */

typedef enum {
    ADMIN_PARTNERS = 0,
    ADMIN_PARTNER,
    ADMIN_KEYS,
    ADMIN_ROTATE,
    ADMIN_KEY,
    ADMIN_HMAC_SECRET,
    ADMIN_WEBHOOK_SECRET,
    ADMIN_NOTHING
} ngx_http_wassiit_resource_e;


typedef struct {
    ngx_uint_t                     methods;
    ngx_str_t                      allow;
} ngx_http_wassiit_methods_t;


/*
 * A change on its way.  It outlives its request if the client goes away, as
 * what has been begun is made to its end.
 */

typedef struct {
    ngx_http_wassiit_change_t      change;
    ngx_http_wassiit_changed_e     changed;
    ngx_queue_t                    queue;
    ngx_pool_t                    *pool;
    ngx_http_request_t            *request;     /* NULL: it has gone */
    ngx_pool_cleanup_t            *cleanup;     /* of the request */
    ngx_msec_t                     since;
    ngx_http_wassiit_main_conf_t  *wmcf;
#if (NGX_THREADS)
    ngx_thread_task_t             *task;
#endif
} ngx_http_wassiit_job_t;


static ngx_int_t ngx_http_wassiit_admin_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_http_wassiit_resource_e ngx_http_wassiit_admin_resource(
    ngx_http_request_t *r, ngx_str_t *id, ngx_str_t *key_id);
static ngx_int_t ngx_http_wassiit_admin_method(ngx_http_request_t *r,
    ngx_http_wassiit_methods_t *methods);
static void ngx_http_wassiit_admin_read(ngx_http_request_t *r);
static void ngx_http_wassiit_admin_look(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_admin_page(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_admin_argument(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_admin_get(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_http_wassiit_admin_change(ngx_http_request_t *r);
static ngx_http_wassiit_change_e ngx_http_wassiit_admin_what(
    ngx_http_request_t *r, ngx_http_wassiit_resource_e resource);
static off_t ngx_http_wassiit_admin_size(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_admin_body(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, ngx_pool_t *pool, json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_fields(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, json_t *body, json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_field(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, const char *field, json_t *value,
    json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_scopes(ngx_http_request_t *r,
    json_t *value, json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_id(ngx_http_wassiit_change_t *change,
    json_t *body, ngx_pool_t *pool, json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_grace(
    ngx_http_wassiit_change_t *change, json_t *value, json_t **errors);
static void ngx_http_wassiit_admin_cleanup(void *data);
static void ngx_http_wassiit_admin_free(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_admin_start(void);
static void ngx_http_wassiit_admin_timeout(ngx_event_t *ev);
#if (NGX_THREADS)
static void ngx_http_wassiit_admin_post(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_admin_thread(void *data, ngx_log_t *log);
static void ngx_http_wassiit_admin_done(ngx_event_t *ev);
#endif
static void ngx_http_wassiit_admin_finish(ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_admin_compact(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf);
static ngx_int_t ngx_http_wassiit_admin_reply(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job);
static void ngx_http_wassiit_admin_log(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change);
static ngx_int_t ngx_http_wassiit_admin_fault(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job);
static json_t *ngx_http_wassiit_admin_result(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change);
static json_t *ngx_http_wassiit_admin_partner(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info, ngx_uint_t full);
static ngx_int_t ngx_libc_cdecl ngx_http_wassiit_admin_key_order(
    const void *one, const void *two);
static json_t *ngx_http_wassiit_admin_key(ngx_http_wassiit_key_info_t *key);
static json_t *ngx_http_wassiit_admin_time(int64_t seconds, int64_t none);
static json_t *ngx_http_wassiit_admin_rate(ngx_wassiit_rate_t *rate);
static ngx_int_t ngx_http_wassiit_admin_location(ngx_http_request_t *r,
    ngx_str_t *id);
static ngx_int_t ngx_http_wassiit_admin_send(ngx_http_request_t *r,
    ngx_uint_t status, json_t *json);
static void ngx_http_wassiit_admin_wipe(void *data);
static ngx_int_t ngx_http_wassiit_admin_error(ngx_http_request_t *r,
    ngx_int_t status, const char *fmt, ...);


static ngx_http_request_body_filter_pt  ngx_http_wassiit_next_admin_filter;


/* by ngx_http_wassiit_resource_e */

static ngx_http_wassiit_methods_t  ngx_http_wassiit_admin_methods[] = {
    { NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST,
      ngx_string("GET, HEAD, POST") },
    { NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_PATCH|NGX_HTTP_DELETE,
      ngx_string("GET, HEAD, PATCH, DELETE") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_POST|NGX_HTTP_DELETE, ngx_string("POST, DELETE") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_POST, ngx_string("POST") }
};


/* the changes of this worker: they are made one after another */

static ngx_queue_t  ngx_http_wassiit_admin_jobs;
static ngx_uint_t   ngx_http_wassiit_admin_busy;
static ngx_uint_t   ngx_http_wassiit_admin_waiting;     /* to try again */
static ngx_event_t  ngx_http_wassiit_admin_timer;


/* jansson's memory while an answer is made */

static u_char  ngx_http_wassiit_admin_memory[ADMIN_MEMORY]
    __attribute__((aligned(NGX_ALIGNMENT)));

static ngx_http_wassiit_arena_t  ngx_http_wassiit_admin_arena = {
    ngx_http_wassiit_admin_memory, ADMIN_MEMORY, 0, 0
};


ngx_int_t
ngx_http_wassiit_admin_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_str_t                    id, key_id;
    ngx_uint_t                   bad_id, bad_key;
    ngx_http_wassiit_ctx_t      *ctx;
    ngx_http_wassiit_resource_e  resource;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (r != r->main || ctx == NULL || ctx->refusal.redirected) {
        /* a way here that leads past wassiit_access */
        return NGX_HTTP_FORBIDDEN;
    }

    /* If-Match and the like are of answers that have an ETag or a time */
    r->disable_not_modified = 1;

    resource = ngx_http_wassiit_admin_resource(r, &id, &key_id);

    if (resource == ADMIN_NOTHING) {
        rc = ngx_http_discard_request_body(r);

        return (rc == NGX_OK)
               ? ngx_http_wassiit_send_error(r, NGX_HTTP_NOT_FOUND, NULL, NULL)
               : rc;
    }

    rc = ngx_http_wassiit_admin_method(r,
                                   &ngx_http_wassiit_admin_methods[resource]);
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

    if (bad_id || bad_key
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

    switch (r->method) {

    case NGX_HTTP_GET:
    case NGX_HTTP_HEAD:
        ngx_http_wassiit_admin_look(r);

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
    ctx->refusal.keepalive = 0;
    r->keepalive = 0;
    r->lingering_close = 1;

    return rc;
}


void
ngx_http_wassiit_admin_filter_init(void)
{
    ngx_http_wassiit_next_admin_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_wassiit_admin_filter;
}


/* Takes the path apart: what follows the location's name. */

static ngx_http_wassiit_resource_e
ngx_http_wassiit_admin_resource(ngx_http_request_t *r, ngx_str_t *id,
    ngx_str_t *key_id)
{
    u_char                    *p, *last, *slash;
    ngx_str_t                  part[4];
    ngx_uint_t                 n;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_str_null(id);
    ngx_str_null(key_id);

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->uri.len < clcf->name.len) {
        /* a rewrite within the location */
        return ADMIN_NOTHING;
    }

    p = r->uri.data + clcf->name.len;
    last = r->uri.data + r->uri.len;

    if (p > r->uri.data && p[-1] != '/') {
        if (p == last || *p != '/') {
            return ADMIN_NOTHING;
        }

        p++;
    }

    for (n = 0; n < 4; n++) {
        slash = ngx_strlchr(p, last, '/');
        slash = slash ? slash : last;

        part[n].data = p;
        part[n].len = slash - p;

        if (slash == last) {
            n++;
            break;
        }

        p = slash + 1;
    }

    if (part[n - 1].data + part[n - 1].len != last
        || part[0].len != sizeof("partners") - 1
        || ngx_strncmp(part[0].data, "partners", part[0].len) != 0)
    {
        return ADMIN_NOTHING;
    }

    if (n == 1) {
        return ADMIN_PARTNERS;
    }

    *id = part[1];

    if (n == 2) {
        return id->len ? ADMIN_PARTNER : ADMIN_NOTHING;
    }

    if (n == 3 && part[2].len == sizeof("hmac_secret") - 1
        && ngx_strncmp(part[2].data, "hmac_secret", part[2].len) == 0)
    {
        return ADMIN_HMAC_SECRET;
    }

    if (n == 3 && part[2].len == sizeof("webhook_secret") - 1
        && ngx_strncmp(part[2].data, "webhook_secret", part[2].len) == 0)
    {
        return ADMIN_WEBHOOK_SECRET;
    }

    if (part[2].len != sizeof("keys") - 1
        || ngx_strncmp(part[2].data, "keys", part[2].len) != 0)
    {
        return ADMIN_NOTHING;
    }

    if (n == 3) {
        return ADMIN_KEYS;
    }

    *key_id = part[3];

    if (key_id->len == sizeof("rotate") - 1
        && ngx_strncmp(key_id->data, "rotate", key_id->len) == 0)
    {
        return ADMIN_ROTATE;
    }

    return key_id->len ? ADMIN_KEY : ADMIN_NOTHING;
}


/* Returns NGX_DECLINED if the path takes the method; else it has answered. */

static ngx_int_t
ngx_http_wassiit_admin_method(ngx_http_request_t *r,
    ngx_http_wassiit_methods_t *methods)
{
    ngx_int_t         rc;
    ngx_table_elt_t  *h;

    if (r->method & methods->methods) {
        return NGX_DECLINED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Allow");
    h->value = methods->allow;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return ngx_http_wassiit_admin_error(r, NGX_HTTP_NOT_ALLOWED,
                                        "This path takes %V.",
                                        &methods->allow);
}


static void
ngx_http_wassiit_admin_read(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_http_wassiit_admin_change(r));
}


/*
 * Whoever looks on finds in the end what stands in the file: a worker that died
 * in a change may have none in its place yet, or for ever.
 */

static void
ngx_http_wassiit_admin_look(ngx_http_request_t *r)
{
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (!ngx_http_wassiit_admin_busy
        && ngx_http_wassiit_change_left(wlcf->admin))
    {
        ngx_http_wassiit_admin_compact(wlcf->admin,
                  ngx_http_get_module_main_conf(r, ngx_http_wassiit_module));
        ngx_http_wassiit_admin_start();
    }
}


static ngx_int_t
ngx_http_wassiit_admin_page(ngx_http_request_t *r)
{
    json_t                       *json, *partners, *next;
    ngx_int_t                     limit;
    ngx_str_t                     value, id;
    ngx_http_wassiit_info_t       info;
    ngx_http_wassiit_loc_conf_t  *wlcf;
    u_char                        last[NGX_HTTP_WASSIIT_ID_LEN];

    limit = ADMIN_PAGE;
    ngx_str_set(&id, "");

    if (ngx_http_wassiit_admin_argument(r, "limit", &value) == NGX_OK) {
        limit = ngx_atoi(value.data, value.len);

        if (limit < 1 || limit > ADMIN_PAGE_MAX) {
            return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                                "The argument limit must be a "
                                                "number from 1 to %d.",
                                                ADMIN_PAGE_MAX);
        }
    }

    if (ngx_http_wassiit_admin_argument(r, "after", &value) == NGX_OK) {
        if (!ngx_http_wassiit_record_is_id(value.data, value.len)) {
            return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                                "The argument after must be a "
                                                "partner's id: 1 to 64 of "
                                                "a-z 0-9 . _ -");
        }

        id = value;
    }

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    ngx_http_wassiit_arena_enter(&ngx_http_wassiit_admin_arena);

    partners = json_array();

    while (limit
           && ngx_http_wassiit_zone_get_after(wlcf->admin, &id, &info)
              == NGX_OK)
    {
        (void) json_array_append_new(partners,
                                ngx_http_wassiit_admin_partner(r, &info, 0));

        id.len = info.id_len;
        id.data = last;
        ngx_memcpy(last, info.id, info.id_len);

        limit--;
    }

    next = (limit == 0
            && ngx_http_wassiit_zone_get_after(wlcf->admin, &id, &info)
               == NGX_OK)
           ? json_stringn((char *) id.data, id.len) : json_null();

    json = json_pack("{s:o,s:o}", "partners", partners, "next", next);

    return ngx_http_wassiit_admin_send(r, NGX_HTTP_OK, json);
}


/* NGX_DECLINED: it isn't there.  The value is decoded in place. */

static ngx_int_t
ngx_http_wassiit_admin_argument(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    u_char  *dst, *src;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), value) != NGX_OK) {
        return NGX_DECLINED;
    }

    src = value->data;
    dst = ngx_pnalloc(r->pool, value->len + 1);

    if (dst == NULL) {
        value->len = 0;
        return NGX_OK;
    }

    value->data = dst;
    ngx_unescape_uri(&dst, &src, value->len, 0);
    value->len = dst - value->data;

    return NGX_OK;
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

    ngx_http_wassiit_arena_enter(&ngx_http_wassiit_admin_arena);

    return ngx_http_wassiit_admin_send(r, NGX_HTTP_OK,
                               ngx_http_wassiit_admin_partner(r, &info, 1));
}


/* Makes a job of the request, whose body has been read, and queues it. */

static ngx_int_t
ngx_http_wassiit_admin_change(ngx_http_request_t *r)
{
    json_t                        *errors;
    ngx_int_t                      rc;
    ngx_str_t                      id, key_id, faults;
    ngx_pool_t                    *pool;
    ngx_pool_cleanup_t            *cln;
    ngx_http_wassiit_job_t        *job;
    ngx_http_wassiit_loc_conf_t   *wlcf;
    ngx_http_wassiit_main_conf_t  *wmcf;
    ngx_http_wassiit_resource_e    resource;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);
    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    if (r->method != NGX_HTTP_DELETE
        && ngx_http_wassiit_admin_size(r) > NGX_HTTP_WASSIIT_JSON_MAX)
    {
        return ngx_http_wassiit_refuse(r, ngx_http_wassiit_get_ctx(r),
                                       NGX_HTTP_WASSIIT_TOO_LARGE);
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    pool = ngx_create_pool(sizeof(ngx_http_wassiit_job_t) + 1024,
                           ngx_cycle->log);

    if (cln == NULL || pool == NULL) {
        goto failed;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_http_wassiit_job_t));
    if (job == NULL) {
        goto failed;
    }

    resource = ngx_http_wassiit_admin_resource(r, &id, &key_id);

    job->pool = pool;
    job->request = r;
    job->since = ngx_current_msec;

    job->change.what = ngx_http_wassiit_admin_what(r, resource);
    job->change.zone = wlcf->admin;
    job->change.scopes = &wmcf->scopes;
    job->change.now = ngx_time();
    job->change.grace = ADMIN_GRACE;
    job->wmcf = wmcf;

    job->change.id.len = id.len;
    job->change.id.data = ngx_pstrdup(pool, &id);
    job->change.key_id.len = key_id.len;
    job->change.key_id.data = ngx_pstrdup(pool, &key_id);

    if ((id.len && job->change.id.data == NULL)
        || (key_id.len && job->change.key_id.data == NULL))
    {
        goto failed;
    }

    cln->handler = ngx_http_wassiit_admin_cleanup;
    cln->data = job;
    job->cleanup = cln;

    errors = NULL;
    rc = ngx_http_wassiit_admin_body(r, &job->change, pool, &errors);

    if (rc == NGX_OK && errors == NULL) {

        ngx_queue_insert_tail(&ngx_http_wassiit_admin_jobs, &job->queue);
        r->main->count++;

        if (!ngx_http_wassiit_admin_busy) {
            ngx_http_wassiit_admin_start();
        }

        return NGX_DONE;
    }

    cln->handler = NULL;
    ngx_http_wassiit_admin_free(job);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_json_text(r, errors, 0, &faults);
    }

    json_decref(errors);

    return (rc == NGX_OK)
           ? ngx_http_wassiit_send_error(r, NGX_HTTP_BAD_REQUEST, NULL,
                                         &faults)
           : NGX_HTTP_INTERNAL_SERVER_ERROR;

failed:

    if (pool) {
        ngx_destroy_pool(pool);
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_http_wassiit_change_e
ngx_http_wassiit_admin_what(ngx_http_request_t *r,
    ngx_http_wassiit_resource_e resource)
{
    switch (resource) {

    case ADMIN_PARTNERS:
        return NGX_HTTP_WASSIIT_CHANGE_CREATE;

    case ADMIN_PARTNER:
        return (r->method == NGX_HTTP_DELETE) ? NGX_HTTP_WASSIIT_CHANGE_DELETE
                                              : NGX_HTTP_WASSIIT_CHANGE_PATCH;

    case ADMIN_KEYS:
        return NGX_HTTP_WASSIIT_CHANGE_ADD_KEY;

    case ADMIN_ROTATE:
        /* a key may have this id */
        return (r->method == NGX_HTTP_DELETE) ? NGX_HTTP_WASSIIT_CHANGE_REVOKE
                                              : NGX_HTTP_WASSIIT_CHANGE_ROTATE;

    case ADMIN_HMAC_SECRET:
        return NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET;

    case ADMIN_WEBHOOK_SECRET:
        return NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET;

    default: /* ADMIN_KEY */
        return NGX_HTTP_WASSIIT_CHANGE_REVOKE;
    }
}


/* It may have been read before the request came here. */

static off_t
ngx_http_wassiit_admin_size(ngx_http_request_t *r)
{
    off_t         size;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    return size;
}


/*
 * Takes what the change needs from the body.  Returns NGX_OK, with what is
 * wrong in *errors, or NGX_ERROR.
 */

static ngx_int_t
ngx_http_wassiit_admin_body(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, ngx_pool_t *pool, json_t **errors)
{
    off_t        size;
    json_t      *body;
    ngx_int_t    rc;
    ngx_uint_t   needed;

    if (r->method == NGX_HTTP_DELETE) {
        return NGX_OK;
    }

    size = ngx_http_wassiit_admin_size(r);

    needed = (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE
              || change->what == NGX_HTTP_WASSIIT_CHANGE_PATCH);

    if (!needed && size == 0) {
        return NGX_OK;
    }

    if (ngx_http_wassiit_json_value(r, &body, errors) != NGX_OK) {
        return NGX_ERROR;
    }

    if (body == NULL) {
        return NGX_OK;
    }

    if (!json_is_object(body)) {
        rc = ngx_wassiit_rules_fault(errors, "#", "must be an object", NULL,
                                     0);
        json_decref(body);
        return rc;
    }

    rc = ngx_http_wassiit_admin_fields(r, change, body, errors);

    if (rc == NGX_OK && change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE) {
        rc = ngx_http_wassiit_admin_id(change, body, pool, errors);
    }

    if (rc == NGX_OK && needed) {
        /* it goes with the line */
        (void) json_object_del(body, "id");
        change->fields = json_incref(body);
    }

    json_decref(body);

    return rc;
}


static ngx_int_t
ngx_http_wassiit_admin_fields(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, json_t *body, json_t **errors)
{
    json_t      *value;
    ngx_int_t    rc;
    const char  *field;

    json_object_foreach(body, field, value) {
        rc = ngx_http_wassiit_admin_field(r, change, field, value, errors);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_admin_field(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, const char *field, json_t *value,
    json_t **errors)
{
    size_t                len;
    ngx_uint_t            create, patch;
    const u_char         *p;
    ngx_wassiit_rate_t    rate;
    char                  pointer[1 + NGX_WASSIIT_POINTER];

    create = (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE);
    patch = (change->what == NGX_HTTP_WASSIIT_CHANGE_PATCH);

    p = (const u_char *) json_string_value(value);
    len = json_string_length(value);

    if (create && ngx_strcmp(field, "id") == 0) {
        return NGX_OK;
    }

    if ((create || patch) && ngx_strcmp(field, "name") == 0) {
        return (p && ngx_http_wassiit_record_is_name(p, len))
               ? NGX_OK
               : ngx_wassiit_rules_fault(errors, "#/name",
                                         "must be a string of 1 to 128 bytes "
                                         "without control characters", NULL,
                                         0);
    }

    if ((create || patch) && ngx_strcmp(field, "scopes") == 0) {
        return ngx_http_wassiit_admin_scopes(r, value, errors);
    }

    if ((create || patch) && ngx_strcmp(field, "rate") == 0) {
        return (p && ngx_wassiit_rate_parse(p, len, &rate) == NGX_OK)
               ? NGX_OK
               : ngx_wassiit_rules_fault(errors, "#/rate",
                                         "must be a string such as "
                                         "\"100r/m\": 1 to 1000000, and r/s, "
                                         "r/m, r/h or r/d", p, len);
    }

    if (patch && ngx_strcmp(field, "enabled") == 0) {
        return json_is_boolean(value)
               ? NGX_OK
               : ngx_wassiit_rules_fault(errors, "#/enabled",
                                         "must be true or false", p, len);
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_ROTATE
        && ngx_strcmp(field, "grace") == 0)
    {
        return ngx_http_wassiit_admin_grace(change, value, errors);
    }

    pointer[0] = '#';
    ngx_wassiit_rules_pointer(&pointer[1], field);

    return ngx_wassiit_rules_fault(errors, pointer,
                                   create
                                   ? "is no field of this request: id, name, "
                                     "scopes and rate are"
                                   : patch
                                   ? "is no field of this request: name, "
                                     "scopes, rate and enabled are"
                                   : change->what
                                     == NGX_HTTP_WASSIIT_CHANGE_ROTATE
                                   ? "is no field of this request: grace is"
                                   : "is no field of this request: it has "
                                     "none", NULL, 0);
}


static ngx_int_t
ngx_http_wassiit_admin_scopes(ngx_http_request_t *r, json_t *value,
    json_t **errors)
{
    size_t                         i, n;
    u_char                         pointer[64], detail[128];
    json_t                        *scope;
    uint64_t                       set, bit;
    ngx_int_t                      rc;
    ngx_str_t                      nearest;
    const u_char                  *p;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    if (!json_is_array(value)) {
        return ngx_wassiit_rules_fault(errors, "#/scopes", "must be an array "
                                       "of scopes", NULL, 0);
    }

    set = 0;
    n = 0;

    json_array_foreach(value, i, scope) {

        n++;
        p = (const u_char *) json_string_value(scope);
        bit = p ? ngx_wassiit_scopes_find(&wmcf->scopes, p,
                                          json_string_length(scope)) : 0;
        if (bit & set) {
            /* once is enough */
            (void) json_array_remove(value, i--);
            continue;
        }

        if (bit) {
            set |= bit;
            continue;
        }

        ngx_sprintf(pointer, "#/scopes/%uz%Z", n - 1);

        if (p) {
            ngx_wassiit_scopes_nearest(&wmcf->scopes, p,
                                       json_string_length(scope), &nearest);
            ngx_sprintf(detail, "must be a scope that is declared, such as "
                        "\"%V\"%Z", &nearest);

        } else {
            ngx_sprintf(detail, "must be a string%Z");
        }

        rc = ngx_wassiit_rules_fault(errors, (char *) pointer,
                                     (char *) detail, p,
                                     json_string_length(scope));
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_admin_id(ngx_http_wassiit_change_t *change, json_t *body,
    ngx_pool_t *pool, json_t **errors)
{
    json_t     *value;
    ngx_str_t   id;

    value = json_object_get(body, "id");

    if (value == NULL) {
        return ngx_wassiit_rules_fault(errors, "#/id", "is missing", NULL, 0);
    }

    id.data = (u_char *) json_string_value(value);
    id.len = json_string_length(value);

    if (id.data == NULL || !ngx_http_wassiit_record_is_id(id.data, id.len)) {
        return ngx_wassiit_rules_fault(errors, "#/id", "must be a string of 1 "
                                       "to 64 of a-z 0-9 . _ -", id.data,
                                       id.len);
    }

    if ((id.len == 1 || (id.len == 2 && id.data[1] == '.'))
        && id.data[0] == '.')
    {
        return ngx_wassiit_rules_fault(errors, "#/id", "must be one that a "
                                       "path can name", id.data, id.len);
    }

    change->id.len = id.len;
    change->id.data = ngx_pstrdup(pool, &id);

    return change->id.data ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_wassiit_admin_grace(ngx_http_wassiit_change_t *change, json_t *value,
    json_t **errors)
{
    ngx_str_t  text;

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    change->grace = text.len ? ngx_parse_time(&text, 1) : NGX_ERROR;

    if (change->grace == (time_t) NGX_ERROR
        || change->grace > ADMIN_GRACE_MAX)
    {
        return ngx_wassiit_rules_fault(errors, "#/grace",
                                       "must be a time such as \"24h\", "
                                       "\"30m\" or \"0\", ten years at most",
                                       text.data, text.len);
    }

    return NGX_OK;
}


/* The client has gone, or has been answered. */

static void
ngx_http_wassiit_admin_cleanup(void *data)
{
    ngx_http_wassiit_job_t  *job = data;

    job->request = NULL;
}


static void
ngx_http_wassiit_admin_free(ngx_http_wassiit_job_t *job)
{
    json_decref(job->change.fields);
    ngx_explicit_memzero(job->change.made_data, NGX_HTTP_WASSIIT_MADE_LEN);
    ngx_destroy_pool(job->pool);
}


/* Makes the first change of the queue. */

static void
ngx_http_wassiit_admin_start(void)
{
    ngx_queue_t             *q;
    ngx_http_wassiit_job_t  *job;

    ngx_http_wassiit_admin_waiting = 0;

    if (ngx_queue_empty(&ngx_http_wassiit_admin_jobs)) {
        ngx_http_wassiit_admin_busy = 0;

        if (ngx_http_wassiit_admin_timer.timer_set) {
            ngx_del_timer(&ngx_http_wassiit_admin_timer);
        }

        return;
    }

    ngx_http_wassiit_admin_busy = 1;
    ngx_add_timer(&ngx_http_wassiit_admin_timer, ADMIN_PATIENCE);

    q = ngx_queue_head(&ngx_http_wassiit_admin_jobs);
    job = ngx_queue_data(q, ngx_http_wassiit_job_t, queue);

#if (NGX_THREADS)

    if (ngx_process == NGX_PROCESS_WORKER) {
        ngx_http_wassiit_admin_post(job);
        return;
    }

    /* a single process has no threads any more when it was told to reload */

#endif

    job->changed = ngx_http_wassiit_change(&job->change, ngx_cycle->log);

    ngx_http_wassiit_admin_finish(job);
}


/*
 * There is a timer as long as there is a change: a worker that is to exit waits
 * for it.  It is short if the file is locked by someone else.
 */

static void
ngx_http_wassiit_admin_timeout(ngx_event_t *ev)
{
    if (ngx_http_wassiit_admin_waiting) {
        ngx_http_wassiit_admin_start();

    } else {
        ngx_add_timer(ev, ADMIN_PATIENCE);
    }
}


#if (NGX_THREADS)

static void
ngx_http_wassiit_admin_post(ngx_http_wassiit_job_t *job)
{
    if (job->task == NULL) {
        job->task = ngx_thread_task_alloc(job->pool, 0);
    }

    if (job->task) {
        job->task->ctx = job;
        job->task->handler = ngx_http_wassiit_admin_thread;
        job->task->event.data = job;
        job->task->event.handler = ngx_http_wassiit_admin_done;

        if (ngx_thread_task_post(job->wmcf->threads, job->task) == NGX_OK) {
            return;
        }
    }

    /* the pool's queue is full: try again */

    job->changed = NGX_HTTP_WASSIIT_CHANGE_BUSY;
    ngx_http_wassiit_admin_finish(job);
}


static void
ngx_http_wassiit_admin_thread(void *data, ngx_log_t *log)
{
    ngx_http_wassiit_job_t  *job = data;

    job->changed = ngx_http_wassiit_change(&job->change, log);
}


static void
ngx_http_wassiit_admin_done(ngx_event_t *ev)
{
    ngx_http_wassiit_admin_finish(ev->data);
}

#endif


static void
ngx_http_wassiit_admin_finish(ngx_http_wassiit_job_t *job)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    if (job->changed == NGX_HTTP_WASSIIT_CHANGE_BUSY
        && ngx_current_msec - job->since < ADMIN_PATIENCE)
    {
        ngx_http_wassiit_admin_waiting = 1;
        ngx_add_timer(&ngx_http_wassiit_admin_timer, ADMIN_RETRY);
        return;
    }

    ngx_queue_remove(&job->queue);

    if (job->change.compact) {
        ngx_http_wassiit_admin_compact(job->change.zone, job->wmcf);
    }

    r = job->request;

    if (r) {
        /* it may live on for longer than the job */
        job->cleanup->handler = NULL;

        c = r->connection;
        ngx_http_set_log_request(c->log, r);

        ngx_http_finalize_request(r, ngx_http_wassiit_admin_reply(r, job));
        ngx_http_run_posted_requests(c);
    }

    ngx_http_wassiit_admin_free(job);
    ngx_http_wassiit_admin_start();
}


/*
 * What someone has left is brought to its end, and the file compacted if that
 * is due.  Nobody waits for it.
 */

static void
ngx_http_wassiit_admin_compact(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_pool_t              *pool;
    ngx_http_wassiit_job_t  *job;

    pool = ngx_create_pool(sizeof(ngx_http_wassiit_job_t) + 1024,
                           ngx_cycle->log);
    if (pool == NULL) {
        return;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_http_wassiit_job_t));
    if (job == NULL) {
        ngx_destroy_pool(pool);
        return;
    }

    job->pool = pool;
    job->since = ngx_current_msec;
    job->change.what = NGX_HTTP_WASSIIT_CHANGE_COMPACT;
    job->change.zone = zone;
    job->change.scopes = &wmcf->scopes;
    job->wmcf = wmcf;

    ngx_queue_insert_tail(&ngx_http_wassiit_admin_jobs, &job->queue);
}


static ngx_int_t
ngx_http_wassiit_admin_reply(ngx_http_request_t *r,
    ngx_http_wassiit_job_t *job)
{
    ngx_uint_t                  status;
    ngx_http_wassiit_change_t  *change;

    change = &job->change;

    if (job->changed != NGX_HTTP_WASSIIT_CHANGED) {
        return ngx_http_wassiit_admin_fault(r, job);
    }

    ngx_http_wassiit_admin_log(r, change);

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_DELETE
        || change->what == NGX_HTTP_WASSIIT_CHANGE_REVOKE)
    {
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

    ngx_http_wassiit_arena_enter(&ngx_http_wassiit_admin_arena);

    return ngx_http_wassiit_admin_send(r, status,
                                   ngx_http_wassiit_admin_result(r, change));
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
    ngx_http_wassiit_change_t  *change;

    change = &job->change;

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

    case NGX_HTTP_WASSIIT_CHANGE_ZONE_RESTS:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_INSUFFICIENT_STORAGE,
                                            "The zone has no room for this "
                                            "until two seconds after the last "
                                            "change. Nothing was changed.");

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

    case NGX_HTTP_WASSIIT_CHANGE_BUSY:
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The partners' file is locked by "
                                            "another process. Nothing was "
                                            "changed.");

    case NGX_HTTP_WASSIIT_CHANGE_LEFT:
        r->keepalive = 0;
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                            "The configuration has just been "
                                            "replaced. Nothing was changed. "
                                            "Try again.");

    default:
        return ngx_http_wassiit_send_error(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                           NULL, NULL);
    }
}


static json_t *
ngx_http_wassiit_admin_result(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change)
{
    json_t                       *json, *made;
    ngx_uint_t                    i;
    ngx_http_wassiit_key_info_t  *key;

    made = json_stringn((char *) change->made.data, change->made.len);

    switch (change->what) {

    case NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET:
        return json_pack("{s:o}", "hmac_secret", made);

    case NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET:
        return json_pack("{s:o}", "webhook_secret", made);

    case NGX_HTTP_WASSIIT_CHANGE_PATCH:
        json_decref(made);
        return ngx_http_wassiit_admin_partner(r, &change->info, 1);

    case NGX_HTTP_WASSIIT_CHANGE_CREATE:
        json = ngx_http_wassiit_admin_partner(r, &change->info, 1);
        break;

    default:
        json = NULL;

        for (i = 0; i < change->info.nkeys; i++) {
            key = &change->info.keys[i];

            if (key->id_len == NGX_HTTP_WASSIIT_MADE_ID
                && ngx_memcmp(key->id, change->made_id,
                              NGX_HTTP_WASSIIT_MADE_ID)
                   == 0)
            {
                json = ngx_http_wassiit_admin_key(key);
            }
        }
    }

    if (json_object_set_new(json, "key", made) != 0) {
        json_decref(json);
        return NULL;
    }

    return json;
}


static json_t *
ngx_http_wassiit_admin_partner(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info, ngx_uint_t full)
{
    json_t                        *json, *scopes, *keys, *window;
    uint64_t                       set;
    ngx_str_t                      name;
    ngx_uint_t                     i;
    ngx_wassiit_usage_t           *usage;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    scopes = json_array();

    for (set = info->scopes & wmcf->scopes.declared; set; /* void */) {
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        (void) json_array_append_new(scopes, json_stringn((char *) name.data,
                                                          name.len));
    }

    json = json_pack("{s:s%,s:o,s:b,s:o,s:o}",
                     "id", (char *) info->id, (size_t) info->id_len,
                     "name", info->name_len
                             ? json_stringn((char *) info->name,
                                            info->name_len)
                             : json_null(),
                     "enabled", (int) info->enabled,
                     "scopes", scopes,
                     "rate", ngx_http_wassiit_admin_rate(&info->rate));

    if (!full || json == NULL) {
        return json;
    }

    keys = json_array();

    ngx_sort(info->keys, info->nkeys, sizeof(ngx_http_wassiit_key_info_t),
             ngx_http_wassiit_admin_key_order);

    for (i = 0; i < info->nkeys; i++) {
        (void) json_array_append_new(keys,
                                 ngx_http_wassiit_admin_key(&info->keys[i]));
    }

    usage = &info->usage;

    window = json_pack("{s:I,s:I,s:I,s:I,s:I}",
                       "limit", (json_int_t) usage->limit,
                       "seconds", (json_int_t) usage->seconds,
                       "used", (json_int_t) usage->limit - usage->remaining,
                       "remaining", (json_int_t) usage->remaining,
                       "reset", (json_int_t) ngx_http_wassiit_reset(usage));

    if (json_object_set_new(json, "keys", keys) != 0
        || json_object_set_new(json, "has_hmac_secret",
                               json_boolean(info->hmac))
           != 0
        || json_object_set_new(json, "has_webhook_secret",
                               json_boolean(info->webhook))
           != 0
        || json_object_set_new(json, "window", window) != 0)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


/* The oldest first. */

static ngx_int_t ngx_libc_cdecl
ngx_http_wassiit_admin_key_order(const void *one, const void *two)
{
    const ngx_http_wassiit_key_info_t  *a = one;
    const ngx_http_wassiit_key_info_t  *b = two;

    return a->created > b->created;
}


static json_t *
ngx_http_wassiit_admin_key(ngx_http_wassiit_key_info_t *key)
{
    return json_pack("{s:s%,s:o,s:o,s:o}",
                     "id", (char *) key->id, (size_t) key->id_len,
                     "created", ngx_http_wassiit_admin_time(key->created,
                                                            INT64_MIN),
                     "expires", ngx_http_wassiit_admin_time(key->expires,
                                                            INT64_MAX),
                     "last_used", ngx_http_wassiit_admin_time(key->last_used,
                                                              0));
}


static json_t *
ngx_http_wassiit_admin_time(int64_t seconds, int64_t none)
{
    u_char  text[NGX_WASSIIT_TIME_LEN];

    if (seconds == none) {
        return json_null();
    }

    ngx_wassiit_time_format(seconds, text);

    return json_stringn((char *) text, NGX_WASSIIT_TIME_LEN);
}


static json_t *
ngx_http_wassiit_admin_rate(ngx_wassiit_rate_t *rate)
{
    u_char  *p, text[NGX_INT32_LEN + sizeof("r/m")];

    p = ngx_sprintf(text, "%uDr/%c", rate->limit,
                    rate->seconds == 1 ? 's' : rate->seconds == 60 ? 'm'
                    : rate->seconds == 3600 ? 'h' : 'd');

    return json_stringn((char *) text, p - text);
}


static ngx_int_t
ngx_http_wassiit_admin_location(ngx_http_request_t *r, ngx_str_t *id)
{
    u_char           *p;
    uintptr_t         escape;
    ngx_table_elt_t  *h;

    escape = 2 * ngx_escape_uri(NULL, r->uri.data, r->uri.len,
                                NGX_ESCAPE_URI);

    p = ngx_pnalloc(r->pool, r->uri.len + escape + 1 + id->len);
    h = ngx_list_push(&r->headers_out.headers);

    if (p == NULL || h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Location");
    h->value.data = p;

    p = (u_char *) ngx_escape_uri(p, r->uri.data, r->uri.len, NGX_ESCAPE_URI);
    *p++ = '/';
    p = ngx_cpymem(p, id->data, id->len);

    h->value.len = p - h->value.data;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif

    return NGX_OK;
}


/* Takes json, made in our arena; NULL: memory is short. */

static ngx_int_t
ngx_http_wassiit_admin_send(ngx_http_request_t *r, ngx_uint_t status,
    json_t *json)
{
    ngx_int_t            rc;
    ngx_buf_t           *b;
    ngx_str_t           *text;
    ngx_chain_t          out;
    ngx_pool_cleanup_t  *cln;

    b = ngx_calloc_buf(r->pool);
    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_str_t));
    text = cln ? cln->data : NULL;
    rc = NGX_ERROR;

    if (json && b && text) {
        rc = ngx_http_wassiit_json_text(r, json,
                                        ngx_http_wassiit_admin_arena.used / 2,
                                        text);
    }

    json_decref(json);

    ngx_http_wassiit_arena_leave();
    ngx_http_wassiit_arena_wipe(&ngx_http_wassiit_admin_arena);

    if (rc != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a key or a secret may be in it */
    cln->handler = ngx_http_wassiit_admin_wipe;

    r->headers_out.status = status;
    r->headers_out.content_length_n = text->len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->pos = text->data;
    b->last = text->data + text->len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static void
ngx_http_wassiit_admin_wipe(void *data)
{
    ngx_str_t *text = data;

    ngx_explicit_memzero(text->data, text->len);
}


static ngx_int_t
ngx_http_wassiit_admin_error(ngx_http_request_t *r, ngx_int_t status,
    const char *fmt, ...)
{
    u_char     text[512];
    va_list    args;
    ngx_str_t  detail;

    va_start(args, fmt);
    detail.len = ngx_vslprintf(text, text + sizeof(text), fmt, args) - text;
    va_end(args);

    detail.data = text;

    return ngx_http_wassiit_send_error(r, status, &detail, NULL);
}


void
ngx_http_wassiit_admin_init(ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                 i;
    ngx_http_wassiit_zone_t  **zones;

    static ngx_connection_t    dummy;

    ngx_queue_init(&ngx_http_wassiit_admin_jobs);

    dummy.fd = (ngx_socket_t) -1;

    ngx_http_wassiit_admin_timer.handler = ngx_http_wassiit_admin_timeout;
    ngx_http_wassiit_admin_timer.log = ngx_cycle->log;
    ngx_http_wassiit_admin_timer.data = &dummy;     /* debug logs look there */

    if (wmcf == NULL || ngx_process != NGX_PROCESS_WORKER) {
        return;
    }

    zones = wmcf->zones.elts;

    for (i = 0; i < wmcf->zones.nelts; i++) {
        if (zones[i]->admin && ngx_http_wassiit_change_left(zones[i])) {
            ngx_http_wassiit_admin_compact(zones[i], wmcf);
        }
    }

    ngx_http_wassiit_admin_start();
}
