
#include "ngx_http_wassiit_redis_link.h"


/* of a server's text, in a line of the log */
#define NGX_HTTP_WASSIIT_REDIS_QUOTED   200


/* what is asked of an operator, once a connection */

typedef struct {
    ngx_str_t                       prefix;     /* of the answer */
    ngx_uint_t                      leave;      /* another is the master */
    const char                     *text;       /* NULL: isn't logged here */
} ngx_http_wassiit_redis_complaint_t;


static void ngx_http_wassiit_redis_authed(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_redis_denied(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply);
static void ngx_http_wassiit_redis_server(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_redis_persistence(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_redis_role(ngx_wassiit_resp_t *reply, void *data);
static void ngx_http_wassiit_redis_replica(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply);
static ngx_uint_t ngx_http_wassiit_redis_begins(ngx_wassiit_resp_t *reply,
    const char *prefix);
static ngx_uint_t ngx_http_wassiit_redis_field(ngx_str_t *info,
    const char *name, ngx_str_t *value);
static ngx_uint_t ngx_http_wassiit_redis_version(ngx_str_t *text);


static const char  ngx_http_wassiit_redis_cluster[] =
    "is part of a Redis Cluster, which isn't supported: name a master and its "
    "replicas";

static const char  ngx_http_wassiit_redis_forbids[] =
    "forbids the user something that is needed, see conf/cluster/users.acl";


static const ngx_http_wassiit_redis_complaint_t
    ngx_http_wassiit_redis_complaints[] =
{
    { ngx_string("READONLY"), 1, NULL },
    { ngx_string("LOADING"), 1, NULL },
    { ngx_string("MASTERDOWN"), 1, NULL },
    { ngx_string("NOAUTH"), 1, NULL },
    { ngx_string("MOVED"), 0, ngx_http_wassiit_redis_cluster },
    { ngx_string("ASK"), 0, ngx_http_wassiit_redis_cluster },
    { ngx_string("CLUSTERDOWN"), 0, ngx_http_wassiit_redis_cluster },
    { ngx_string("NOPERM"), 0, ngx_http_wassiit_redis_forbids },
    { ngx_string("ERR The user executing the script"), 0,
      ngx_http_wassiit_redis_forbids },
    /* the same by Redis 8, and by Valkey */
    { ngx_string("ERR ACL failure in script"), 0,
      ngx_http_wassiit_redis_forbids },
    { ngx_string("OOM"), 0, "has no memory left" },
    { ngx_string("MISCONF"), 0, "can't write to its disk" },
    { ngx_string("NOREPLICAS"), 0, "has too few replicas" }
};


void
ngx_http_wassiit_redis_greet(ngx_http_wassiit_redis_link_t *link)
{
    ngx_int_t                       rc;
    ngx_str_t                       args[3];
    ngx_uint_t                      n;
    ngx_msec_t                      timeout;
    ngx_http_wassiit_redis_conf_t  *conf;

    conf = link->redis.conf;
    timeout = NGX_HTTP_WASSIIT_REDIS_CONNECT;
    rc = NGX_OK;

    if (conf->password.len) {
        n = 0;
        ngx_str_set(&args[n], "AUTH");

        if (conf->user.len) {
            args[++n] = conf->user;
        }

        args[++n] = conf->password;

        rc = ngx_http_wassiit_redis_push(link, args, n + 1, 0, timeout,
                                         ngx_http_wassiit_redis_authed, link);
    }

    if (rc == NGX_OK) {
        ngx_str_set(&args[0], "INFO");
        ngx_str_set(&args[1], "server");
        rc = ngx_http_wassiit_redis_push(link, args, 2, 0, timeout,
                                         ngx_http_wassiit_redis_server, link);
    }

    if (rc == NGX_OK) {
        ngx_str_set(&args[1], "persistence");
        rc = ngx_http_wassiit_redis_push(link, args, 2, 0, timeout,
                                         ngx_http_wassiit_redis_persistence,
                                         link);
    }

    if (rc == NGX_OK) {
        ngx_str_set(&args[0], "ROLE");
        rc = ngx_http_wassiit_redis_push(link, args, 1, 0, timeout,
                                         ngx_http_wassiit_redis_role, link);
    }

    if (rc != NGX_OK) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "memory is short");
    }
}


static void
ngx_http_wassiit_redis_authed(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_redis_link_t *link = data;

    if (reply && reply->type == NGX_WASSIIT_RESP_ERROR) {
        ngx_http_wassiit_redis_denied(link, reply);
    }
}


/*
 * A server that knows no AUTH quotes the password: of its answer only what it
 * begins with is logged.
 */

static void
ngx_http_wassiit_redis_denied(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply)
{
    size_t                          len;
    ngx_http_wassiit_redis_conf_t  *conf;

    conf = link->redis.conf;

    if (ngx_http_wassiit_redis_begins(reply, "WRONGPASS")) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_DENIED,
                                    "refuses the password of the user \"%s\": "
                                    "it isn't the one that \"password_file\" "
                                    "holds, or the user is off, or unknown "
                                    "there",
                                    conf->user.len ? (char *) conf->user.data
                                                   : "default");
        return;
    }

    if (ngx_http_wassiit_redis_begins(reply, "ERR AUTH <password> called")) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_DENIED,
                                    "has no password for its default user: "
                                    "leave out \"password_file\", or name the "
                                    "\"user\"");
        return;
    }

    if (ngx_http_wassiit_redis_begins(reply, "LOADING")
        || ngx_http_wassiit_redis_begins(reply, "DENIED")
        || ngx_http_wassiit_redis_begins(reply, "ERR max number of clients"))
    {
        ngx_http_wassiit_redis_refuse(link, reply);
        return;
    }

    for (len = 0; len < reply->text.len && reply->text.data[len] != ' '; len++)
    {
        /* void */
    }

    ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_DENIED,
                                "doesn't take a password: %*s",
                                ngx_min(len, 32), reply->text.data);
}


void
ngx_http_wassiit_redis_refuse(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply)
{
    size_t                          len;
    const char                     *text;
    ngx_http_wassiit_redis_cause_e  cause;

    if (reply->type != NGX_WASSIIT_RESP_ERROR) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNFIT,
                                    "doesn't answer as Redis does");
        return;
    }

    if (link->redis.quiet) {
        /* nothing else would say so: another connection's calls may go on */
        (void) ngx_http_wassiit_redis_heed(link, reply);
    }

    len = ngx_min(reply->text.len, NGX_HTTP_WASSIIT_REDIS_QUOTED);
    cause = NGX_HTTP_WASSIIT_REDIS_DENIED;

    if (ngx_http_wassiit_redis_begins(reply, "NOAUTH")) {
        text = "wants a password, which \"user\" and \"password_file\" give";

    } else if (ngx_http_wassiit_redis_begins(reply, "NOPERM")) {
        text = ngx_http_wassiit_redis_forbids;

    } else if (ngx_http_wassiit_redis_begins(reply, "LOADING")) {
        text = "is reading its data yet";
        cause = NGX_HTTP_WASSIIT_REDIS_LOADING;

    } else if (ngx_http_wassiit_redis_begins(reply, "ERR max number")) {
        text = "takes no more connections";
        cause = NGX_HTTP_WASSIIT_REDIS_AWAY;

    } else {
        text = "refuses";
        cause = NGX_HTTP_WASSIIT_REDIS_UNFIT;
    }

    ngx_http_wassiit_redis_fail(link, cause, "%s: %*s", text, len,
                                reply->text.data);
}


static void
ngx_http_wassiit_redis_server(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_redis_link_t *link = data;

    ngx_str_t                  value;
    ngx_uint_t                 least;
    ngx_http_wassiit_redis_t  *redis;

    if (reply == NULL) {
        return;
    }

    redis = &link->redis;

    if (reply->type != NGX_WASSIIT_RESP_STRING
        || !ngx_http_wassiit_redis_field(&reply->text, "redis_version",
                                         &value))
    {
        ngx_http_wassiit_redis_refuse(link, reply);
        return;
    }

    redis->version = ngx_http_wassiit_redis_version(&value);
    redis->waitaof = (redis->version
                      >= NGX_HTTP_WASSIIT_REDIS_VERSION(7, 2, 0));
    redis->valkey = ngx_http_wassiit_redis_field(&reply->text,
                                                 "valkey_version", &value);
    least = NGX_HTTP_WASSIIT_REDIS_VERSION(7, 0, 0);

    if (redis->valkey) {
        redis->version = ngx_http_wassiit_redis_version(&value);
        least = NGX_HTTP_WASSIIT_REDIS_VERSION(7, 2, 0);
    }

    if (redis->version < least) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNFIT,
                                    "is %s %V: Redis 7.0 or Valkey 7.2, or a "
                                    "newer one, is needed",
                                    redis->valkey ? "Valkey" : "Redis",
                                    &value);
        return;
    }

    if (ngx_http_wassiit_redis_field(&reply->text, "redis_mode", &value)
        && value.len == 7)
    {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNFIT, "%s",
                                    ngx_http_wassiit_redis_cluster);
        return;
    }

    if (!ngx_http_wassiit_redis_field(&reply->text, "run_id", &value)
        || value.len > NGX_HTTP_WASSIIT_REDIS_RUN_ID)
    {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNFIT,
                                    "has no run_id");
        return;
    }

    redis->run_id.len = value.len;
    ngx_memcpy(redis->run_id.data, value.data, value.len);
}


/* While it reads its data ROLE says "master" already. */

static void
ngx_http_wassiit_redis_persistence(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_redis_link_t *link = data;

    ngx_str_t  value;

    if (reply == NULL) {
        return;
    }

    if (reply->type != NGX_WASSIIT_RESP_STRING) {
        ngx_http_wassiit_redis_refuse(link, reply);
        return;
    }

    if (ngx_http_wassiit_redis_field(&reply->text, "loading", &value)
        && (value.len != 1 || value.data[0] != '0'))
    {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_LOADING,
                                    "is reading its data yet");
    }
}


static void
ngx_http_wassiit_redis_role(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_redis_link_t *link = data;

    if (reply == NULL) {
        return;
    }

    if (reply->type != NGX_WASSIIT_RESP_ARRAY
        || ngx_wassiit_resp_next(reply) != NGX_OK)
    {
        ngx_http_wassiit_redis_refuse(link, reply);
        return;
    }

    if (ngx_wassiit_resp_is(reply, "sentinel")) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNFIT,
                                    "is a sentinel: name the servers that it "
                                    "watches");
        return;
    }

    if (!ngx_wassiit_resp_is(reply, "master")) {
        ngx_http_wassiit_redis_replica(link, reply);
        return;
    }

    if (link->nchannels == 0) {
        ngx_http_wassiit_redis_rise(link);
        return;
    }

    if (ngx_http_wassiit_redis_push_channels(link,
                                             ngx_queue_head(&link->channels))
        != NGX_OK)
    {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "memory is short");
    }
}


/* Whose it is, is the one that has to be named: what follows in its answer. */

static void
ngx_http_wassiit_redis_replica(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply)
{
    size_t     i;
    int64_t    port;
    ngx_str_t  host;

    if (ngx_wassiit_resp_next(reply) == NGX_OK) {
        host = reply->text;

        for (i = 0; i < host.len; i++) {
            if (host.data[i] <= ' ' || host.data[i] > '~') {
                break;
            }
        }

        if (host.len && i == host.len
            && host.len <= NGX_HTTP_WASSIIT_REDIS_QUOTED
            && ngx_wassiit_resp_next(reply) == NGX_OK
            && ngx_wassiit_resp_number(reply, &port) == NGX_OK)
        {
            ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_REPLICA,
                                        "is a replica of %V:%L", &host, port);
            return;
        }
    }

    ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_REPLICA,
                                "is a replica");
}


ngx_uint_t
ngx_http_wassiit_redis_heed(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply)
{
    size_t                                     len;
    ngx_uint_t                                 i;
    const ngx_http_wassiit_redis_complaint_t  *complaint;
    u_char  text[NGX_HTTP_WASSIIT_REDIS_QUOTED];

    complaint = ngx_http_wassiit_redis_complaints;

    for (i = 0; i < sizeof(ngx_http_wassiit_redis_complaints)
                    / sizeof(ngx_http_wassiit_redis_complaint_t); i++)
    {
        if (!ngx_http_wassiit_redis_begins(reply,
                                           (char *) complaint[i].prefix.data))
        {
            continue;
        }

        if (complaint[i].text && !(link->complained & (1u << i))) {
            link->complained |= 1u << i;
            len = ngx_wassiit_resp_print(&reply->text, text, sizeof(text));

            ngx_log_error(NGX_LOG_ERR, link->cycle->log, 0,
                          "wassiit_redis: zone \"%V\": %V %s: %*s",
                          &link->redis.conf->zone, &link->name,
                          complaint[i].text, len, text);
        }

        return complaint[i].leave;
    }

    return 0;
}


static ngx_uint_t
ngx_http_wassiit_redis_begins(ngx_wassiit_resp_t *reply, const char *prefix)
{
    size_t  len;

    len = ngx_strlen(prefix);

    return reply->text.len >= len
           && ngx_strncmp(reply->text.data, prefix, len) == 0;
}


/* A line of INFO's text. */

static ngx_uint_t
ngx_http_wassiit_redis_field(ngx_str_t *info, const char *name,
    ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *last, *end;

    len = ngx_strlen(name);
    last = info->data + info->len;

    for (p = info->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, LF);
        if (end == NULL) {
            break;
        }

        if ((size_t) (end - p) > len && p[len] == ':'
            && ngx_strncmp(p, name, len) == 0)
        {
            value->data = p + len + 1;
            value->len = end - value->data;
            value->len -= (value->len && end[-1] == CR);

            return 1;
        }
    }

    return 0;
}


/* "7.0.15" */

static ngx_uint_t
ngx_http_wassiit_redis_version(ngx_str_t *text)
{
    size_t      i;
    ngx_uint_t  n, number[3];

    ngx_memzero(number, sizeof(number));

    for (i = 0, n = 0; i < text->len && n < 3; i++) {

        if (text->data[i] == '.') {
            n++;

        } else if (text->data[i] >= '0' && text->data[i] <= '9') {
            number[n] = ngx_min(number[n] * 10 + (text->data[i] - '0'), 99999);

        } else {
            break;
        }
    }

    return NGX_HTTP_WASSIIT_REDIS_VERSION(number[0], number[1], number[2]);
}
