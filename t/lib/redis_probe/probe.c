
/*
 * A module of the tests alone: it opens connections, logs what becomes of them,
 * and makes calls for who asks by HTTP.
 *
 *     redis_probe_redis zone=...;  http: as wassiit_redis, of no cluster
 *     redis_probe;             a location: /?SET&a&1 calls, and answers with
 *                              the reply; /eval?1&key&arg runs the ledger's
 *                              script; with X-Timeout: MS
 *     redis_probe_channels a b;    http: another connection, with channels
 *     redis_probe_quit;            http: quit is heeded, and PING called in it
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_conf_redis.h"
#include "ngx_http_wassiit_redis.h"


#define PROBE_ARGS  64
#define PROBE_TEXT  262144


typedef struct {
    ngx_http_wassiit_main_conf_t  redis;    /* in place of the module's */
    ngx_array_t                 channels;
    ngx_flag_t                  quit;
} probe_conf_t;


typedef struct {
    ngx_http_request_t         *r;      /* NULL: it has gone */
    ngx_uint_t                  answered;
} probe_call_t;


static void *probe_create_conf(ngx_conf_t *cf);
static char *probe_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *probe_set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *probe_set_channels(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t probe_init(ngx_cycle_t *cycle);
static void probe_up(ngx_http_wassiit_redis_t *redis, void *data);
static void probe_down(ngx_http_wassiit_redis_t *redis, void *data);
static void probe_message(ngx_str_t *channel, ngx_str_t *text, void *data);
static void probe_quit(ngx_http_wassiit_redis_t *redis, void *data);
static void probe_last(ngx_wassiit_resp_t *reply, void *data);
static ngx_int_t probe_handler(ngx_http_request_t *r);
static void probe_answer(ngx_wassiit_resp_t *reply, void *data);
static void probe_forget(void *data);
static ngx_int_t probe_send(ngx_http_request_t *r, ngx_uint_t status,
    u_char *p, size_t len);
static size_t probe_walk(ngx_wassiit_resp_t *reply, u_char *p, u_char *last);


ngx_module_t  ngx_http_redis_probe_module;

char *ngx_module_names[] = { "ngx_http_redis_probe_module", NULL };
char *ngx_module_order[] = { NULL };
ngx_module_t *ngx_modules[] = { &ngx_http_redis_probe_module, NULL };

static ngx_http_wassiit_redis_t  *probe_calls;
static ngx_http_wassiit_redis_t  *probe_channels;


static ngx_http_wassiit_redis_handlers_t  probe_handlers[] = {
    { probe_up, probe_down, NULL, NULL },
    { probe_up, probe_down, probe_message, NULL }
};


static ngx_command_t  probe_commands[] = {

    { ngx_string("redis_probe"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      probe_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("redis_probe_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_ANY,
      probe_set_redis,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("redis_probe_channels"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      probe_set_channels,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("redis_probe_quit"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(probe_conf_t, quit),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  probe_ctx = {
    NULL, NULL, probe_create_conf, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  ngx_http_redis_probe_module = {
    NGX_MODULE_V1,
    &probe_ctx,
    probe_commands,
    NGX_HTTP_MODULE,
    NULL,
    NULL,
    probe_init,
    NULL,
    NULL,
    NULL,
    NULL,
    NGX_MODULE_V1_PADDING
};


static void *
probe_create_conf(ngx_conf_t *cf)
{
    probe_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(probe_conf_t));

    if (conf == NULL
        || ngx_array_init(&conf->redis.zones, cf->pool, 1,
                          sizeof(ngx_http_wassiit_zone_t *))
           != NGX_OK
        || ngx_array_init(&conf->channels, cf->pool, 1, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NULL;
    }

    conf->quit = NGX_CONF_UNSET;

    return conf;
}


static char *
probe_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = probe_handler;

    return NGX_CONF_OK;
}


static char *
probe_set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    probe_conf_t  *pcf = conf;

    return ngx_http_wassiit_set_redis(cf, cmd, &pcf->redis);
}


static char *
probe_set_channels(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    probe_conf_t  *pcf = conf;

    ngx_str_t   *value, *channel;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        channel = ngx_array_push(&pcf->channels);
        if (channel == NULL) {
            return NGX_CONF_ERROR;
        }

        *channel = value[i];
    }

    return NGX_CONF_OK;
}


static ngx_int_t
probe_init(ngx_cycle_t *cycle)
{
    probe_conf_t                    *pcf;
    ngx_http_wassiit_redis_conf_t  **confs;

    pcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_redis_probe_module);

    if (pcf == NULL || pcf->redis.redis == NULL
        || ngx_process != NGX_PROCESS_WORKER)
    {
        return NGX_OK;
    }

    confs = pcf->redis.redis->elts;

    if (pcf->quit == 1) {
        probe_handlers[0].quit = probe_quit;
    }

    probe_calls = ngx_http_wassiit_redis_open(confs[0], &probe_handlers[0],
                                              "calls", cycle);
    if (probe_calls == NULL) {
        return NGX_ERROR;
    }

    if (pcf->channels.nelts == 0) {
        return NGX_OK;
    }

    probe_channels = ngx_http_wassiit_redis_open(confs[0], &probe_handlers[1],
                                                 "channels", cycle);

    if (probe_channels == NULL) {
        return NGX_ERROR;
    }

    probe_channels->quiet = 1;

    return ngx_http_wassiit_redis_subscribe(probe_channels, pcf->channels.elts,
                                            pcf->channels.nelts);
}


static void
probe_up(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "probe: %s up, %s %ui, run_id %V, waitaof %d", data,
                  redis->valkey ? "valkey" : "redis", redis->version,
                  &redis->run_id, redis->waitaof);
}


static void
probe_down(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "probe: %s down%s", data,
                  redis->up ? ", and yet up" : "");
}


static void
probe_message(ngx_str_t *channel, ngx_str_t *text, void *data)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "probe: %V says \"%V\"",
                  channel, text);
}


static void
probe_quit(ngx_http_wassiit_redis_t *redis, void *data)
{
    ngx_int_t  rc;
    ngx_str_t  args[3];

    ngx_str_set(&args[0], "SET");
    ngx_str_set(&args[1], "farewell");
    ngx_str_set(&args[2], "said");

    redis->linger = 1;
    rc = ngx_http_wassiit_redis_call(redis, args, 3, 1000, probe_last, redis);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "probe: quit, %i", rc);
}


static void
probe_last(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "probe: last words %s",
                  reply ? "heard" : "lost");

    ngx_http_wassiit_redis_close(data);
    probe_calls = NULL;
}


static ngx_int_t
probe_handler(ngx_http_request_t *r)
{
    u_char              *p, *end, *last;
    ngx_int_t            rc, keys;
    ngx_str_t            args[PROBE_ARGS];
    ngx_uint_t           n;
    ngx_msec_t           timeout;
    probe_call_t        *call;
    ngx_list_part_t     *part;
    ngx_table_elt_t     *header;
    ngx_pool_cleanup_t  *cln;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    timeout = 1000;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        header = part->elts;

        for (n = 0; n < part->nelts; n++) {
            if (header[n].key.len == sizeof("x-timeout") - 1
                && ngx_strncmp(header[n].lowcase_key, "x-timeout",
                               header[n].key.len)
                   == 0)
            {
                timeout = ngx_atoi(header[n].value.data, header[n].value.len);
            }
        }
    }

    last = r->args.data + r->args.len;
    n = 0;

    for (p = r->args.data; p < last && n < PROBE_ARGS; p = end + 1, n++) {
        end = ngx_strlchr(p, last, '&');
        end = end ? end : last;
        args[n].data = p;
        args[n].len = end - p;
    }

    if (probe_calls == NULL || n == 0) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    /* it outlives the request */

    call = ngx_alloc(sizeof(probe_call_t), r->connection->log);
    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (call == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    call->r = r;
    call->answered = 0;

    if (r->uri.len >= 5
        && ngx_strncmp(r->uri.data + r->uri.len - 5, "/eval", 5) == 0)
    {
        keys = ngx_atoi(args[0].data, args[0].len);
        rc = ngx_http_wassiit_redis_eval(probe_calls, &args[1], keys, n - 1,
                                         timeout, probe_answer, call);
    } else {
        rc = ngx_http_wassiit_redis_call(probe_calls, args, n, timeout,
                                         probe_answer, call);
    }

    if (rc != NGX_OK) {
        ngx_free(call);
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    cln->handler = probe_forget;
    cln->data = call;
    r->main->count++;

    return NGX_DONE;
}


static void
probe_forget(void *data)
{
    probe_call_t  *call = data;

    call->r = NULL;

    if (call->answered) {
        ngx_free(call);
    }
}


static void
probe_answer(ngx_wassiit_resp_t *reply, void *data)
{
    u_char              *p;
    size_t               len;
    ngx_int_t            rc;
    probe_call_t        *call = data;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = call->r;

    if (r == NULL) {
        ngx_free(call);
        return;
    }

    call->answered = 1;
    c = r->connection;

    if (reply == NULL) {
        rc = NGX_HTTP_GATEWAY_TIME_OUT;

    } else {
        p = ngx_pnalloc(r->pool, PROBE_TEXT);
        len = p ? probe_walk(reply, p, p + PROBE_TEXT) : 0;
        rc = probe_send(r, NGX_HTTP_OK, p, len);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
probe_send(ngx_http_request_t *r, ngx_uint_t status, u_char *p, size_t len)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = len;

    rc = ngx_http_send_header(r);
    if (rc != NGX_OK || len == 0) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = p;
    b->last = p + len;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static size_t
probe_walk(ngx_wassiit_resp_t *reply, u_char *p, u_char *last)
{
    u_char  *start;

    start = p;

    do {
        if (p > start) {
            p = ngx_slprintf(p, last, " ");
        }

        switch (reply->type) {

        case NGX_WASSIIT_RESP_NUMBER:
            p = ngx_slprintf(p, last, ":%L", reply->number);
            break;

        case NGX_WASSIIT_RESP_ARRAY:
            p = ngx_slprintf(p, last, "*%ui", reply->count);
            break;

        case NGX_WASSIIT_RESP_NIL:
            p = ngx_slprintf(p, last, "nil");
            break;

        default:
            p = ngx_slprintf(p, last, "%c%V", "+-:$"[reply->type],
                             &reply->text);
        }

    } while (ngx_wassiit_resp_next(reply) == NGX_OK);

    return p - start;
}
