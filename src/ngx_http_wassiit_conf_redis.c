
#include "ngx_http_wassiit_conf_error.h"
#include "ngx_http_wassiit_conf_redis.h"
#include "ngx_http_wassiit_conf_zone.h"
#include "ngx_http_wassiit_secret.h"


#define NGX_HTTP_WASSIIT_REDIS_PORT     6379
#define NGX_HTTP_WASSIIT_REDIS_SERVERS  16      /* of a zone */


enum {
    ZONE = 0,
    SERVER,
    USER,
    PASSWORD_FILE,
    TRUSTED,
    TLS_NAME,
    TLS,
    NAMES
};


static const ngx_str_t  ngx_http_wassiit_redis_names[] = {
    ngx_string("zone="),
    ngx_string("server="),
    ngx_string("user="),
    ngx_string("password_file="),
    ngx_string("ssl_trusted_certificate="),
    ngx_string("ssl_name="),
    ngx_string("ssl")
};

static const char  ngx_http_wassiit_redis_syntax[] =
    "zone=NAME server=ADDRESS [server=ADDRESS ...] [user=NAME] "
    "[password_file=PATH] [ssl] [ssl_trusted_certificate=PATH] "
    "[ssl_name=NAME]";


static char *ngx_http_wassiit_redis_check(ngx_conf_t *cf, ngx_str_t *values);
static char *ngx_http_wassiit_redis_add_server(ngx_conf_t *cf,
    ngx_http_wassiit_redis_conf_t *rcf, ngx_str_t *text);
static ngx_int_t ngx_http_wassiit_redis_name_server(ngx_conf_t *cf,
    ngx_http_wassiit_redis_server_t *server, ngx_url_t *url);
static char *ngx_http_wassiit_redis_read_password(ngx_conf_t *cf,
    ngx_http_wassiit_redis_conf_t *rcf, ngx_str_t *file);
static char *ngx_http_wassiit_redis_set_ssl(ngx_conf_t *cf,
    ngx_http_wassiit_redis_conf_t *rcf, ngx_str_t *values);


char *
ngx_http_wassiit_set_redis(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    char                            *rv;
    ngx_str_t                       *value, values[NAMES], s;
    ngx_uint_t                       i, n;
    ngx_http_wassiit_redis_conf_t   *rcf, *first, **confs;

    if (ngx_http_wassiit_conf_count(cf, 2, NAMES
                                           + NGX_HTTP_WASSIIT_REDIS_SERVERS,
                                    ngx_http_wassiit_redis_syntax)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    rcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_redis_conf_t));

    if (rcf == NULL
        || ngx_array_init(&rcf->servers, cf->pool, 2,
                          sizeof(ngx_http_wassiit_redis_server_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rcf->conf_file = cf->conf_file->file.name.data;
    rcf->conf_line = cf->conf_file->line;

    value = cf->args->elts;
    ngx_memzero(values, sizeof(values));

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 0; n < NAMES; n++) {
            s = ngx_http_wassiit_redis_names[n];

            if (n == TLS ? value[i].len == s.len : value[i].len > s.len) {
                if (ngx_strncmp(value[i].data, s.data, s.len) == 0) {
                    break;
                }
            }
        }

        if (n == NAMES) {
            return ngx_http_wassiit_conf_unknown(cf, &value[i],
                                                 ngx_http_wassiit_redis_names,
                                                 NAMES,
                                                 ngx_http_wassiit_redis_syntax);
        }

        s.data = value[i].data + s.len;
        s.len = value[i].len - s.len;

        if (n == SERVER) {
            rv = ngx_http_wassiit_redis_add_server(cf, rcf, &s);
            if (rv != NGX_CONF_OK) {
                return rv;
            }

        } else if (values[n].data) {
            return ngx_http_wassiit_conf_twice(cf, &value[i]);
        }

        values[n] = s;
    }

    if (ngx_http_wassiit_redis_check(cf, values) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    rcf->zone = values[ZONE];
    rcf->user = values[USER];

    first = ngx_http_wassiit_get_redis(wmcf, &rcf->zone);

    if (first) {
        return ngx_http_wassiit_conf_second(cf, &rcf->zone, first->conf_file,
                                            first->conf_line);
    }

    if (ngx_http_wassiit_redis_read_password(cf, rcf, &values[PASSWORD_FILE])
        != NGX_CONF_OK
        || ngx_http_wassiit_redis_set_ssl(cf, rcf, values) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* a zone that isn't declared is told of when all are read */

    if (ngx_http_wassiit_get_zone(cf, wmcf, &rcf->zone) == NULL) {
        return NGX_CONF_ERROR;
    }

    if (wmcf->redis == NULL) {
        wmcf->redis = ngx_array_create(cf->pool, 1,
                                     sizeof(ngx_http_wassiit_redis_conf_t *));
        if (wmcf->redis == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    confs = ngx_array_push(wmcf->redis);
    if (confs == NULL) {
        return NGX_CONF_ERROR;
    }

    *confs = rcf;

    return NGX_CONF_OK;
}


/* What is missing, or is there without what it belongs to. */

static char *
ngx_http_wassiit_redis_check(ngx_conf_t *cf, ngx_str_t *values)
{
    ngx_str_t   *args;
    ngx_uint_t   n, lacks;

    args = cf->args->elts;

    if (values[ZONE].data == NULL || values[SERVER].data == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"%s\"", &args[0],
                           values[ZONE].data ? "server" : "zone");
        return NGX_CONF_ERROR;
    }

    for (n = USER; n < TLS; n++) {

        lacks = (n == USER) ? PASSWORD_FILE
                            : (n == PASSWORD_FILE) ? PASSWORD_FILE : TLS;

        if (values[n].data && values[lacks].data == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V%V\" in \"%V\" directive needs \"%V\"",
                               &ngx_http_wassiit_redis_names[n], &values[n],
                               &args[0], &ngx_http_wassiit_redis_names[lacks]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_redis_add_server(ngx_conf_t *cf,
    ngx_http_wassiit_redis_conf_t *rcf, ngx_str_t *text)
{
    ngx_url_t                         url;
    ngx_str_t                        *args;
    ngx_uint_t                        i;
    ngx_http_wassiit_redis_server_t  *server;

    args = cf->args->elts;
    server = rcf->servers.elts;

    for (i = 0; i < rcf->servers.nelts; i++) {
        if (server[i].text.len == text->len
            && ngx_strncmp(server[i].text.data, text->data, text->len) == 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate parameter \"server=%V\" in \"%V\" "
                               "directive", text, &args[0]);
            return NGX_CONF_ERROR;
        }
    }

    if (rcf->servers.nelts == NGX_HTTP_WASSIIT_REDIS_SERVERS) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" has more than %d servers", &args[0],
                           NGX_HTTP_WASSIIT_REDIS_SERVERS);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&url, sizeof(ngx_url_t));

    url.url = *text;
    url.default_port = NGX_HTTP_WASSIIT_REDIS_PORT;

    if (ngx_parse_url(cf->pool, &url) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"server=%V\" in \"%V\" directive, it is a "
                           "name or an address, as in \"server=10.0.0.5:6379\","
                           " or \"server=unix:PATH\"",
                           url.err ? url.err : "no memory", text, &args[0]);
        return NGX_CONF_ERROR;
    }

    server = ngx_array_push(&rcf->servers);
    if (server == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_wassiit_redis_server_t));

    server->text = *text;
    server->addrs = url.addrs;
    server->naddrs = url.naddrs;
    server->port = url.port;

    return (ngx_http_wassiit_redis_name_server(cf, server, &url) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_wassiit_redis_name_server(ngx_conf_t *cf,
    ngx_http_wassiit_redis_server_t *server, ngx_url_t *url)
{
    u_char     *p;
    ngx_str_t   host;

    if (url->family == AF_UNIX) {
        return NGX_OK;
    }

    host = url->host;

    if (host.len > 2 && host.data[0] == '[') {
        host.data++;
        host.len -= 2;

    } else if (ngx_inet_addr(host.data, host.len) == INADDR_NONE) {
        server->host = host;
    }

    p = ngx_pnalloc(cf->pool, host.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p, host.data, host.len + 1);

    server->ssl_name.data = p;
    server->ssl_name.len = host.len;

    return NGX_OK;
}


static char *
ngx_http_wassiit_redis_read_password(ngx_conf_t *cf,
    ngx_http_wassiit_redis_conf_t *rcf, ngx_str_t *file)
{
    ngx_log_t  *log;

    if (file->data == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    log = ngx_http_wassiit_conf_log(cf, "wassiit_redis", rcf->conf_file,
                                    rcf->conf_line);

    if (log == NULL
        || ngx_http_wassiit_secret_line(file, ngx_http_wassiit_user(cf->cycle),
                                        &rcf->password, cf->pool, log)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_redis_set_ssl(ngx_conf_t *cf,
    ngx_http_wassiit_redis_conf_t *rcf, ngx_str_t *values)
{
    ngx_str_t                        *args;
    ngx_uint_t                        i;
    ngx_pool_cleanup_t               *cln;
    ngx_http_wassiit_redis_server_t  *server;

    if (values[TLS].data == NULL) {
        return NGX_CONF_OK;
    }

    args = cf->args->elts;
    server = rcf->servers.elts;
    rcf->ssl_name = values[TLS_NAME];

    for (i = 0; i < rcf->servers.nelts; i++) {
        if (server[i].ssl_name.len == 0 && rcf->ssl_name.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"server=%V\" with \"ssl\" in \"%V\" directive "
                               "needs \"ssl_name=\", that of its certificate",
                               &server[i].text, &args[0]);
            return NGX_CONF_ERROR;
        }
    }

    rcf->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (rcf->ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    rcf->ssl->log = cf->log;

    if (ngx_ssl_create(rcf->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(rcf->ssl);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = rcf->ssl;

    if (values[TRUSTED].data) {

        /* what OpenSSL says of a file that isn't there has no line */

        if (ngx_conf_full_name(cf->cycle, &values[TRUSTED], 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (access((char *) values[TRUSTED].data, R_OK) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "\"ssl_trusted_certificate=%V\" in \"%V\" "
                               "directive can't be read", &values[TRUSTED],
                               &args[0]);
            return NGX_CONF_ERROR;
        }

        return (ngx_ssl_trusted_certificate(cf, rcf->ssl, &values[TRUSTED], 9)
                == NGX_OK)
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    /* the system's */

    if (SSL_CTX_set_default_verify_paths(rcf->ssl->ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_http_wassiit_redis_conf_t *
ngx_http_wassiit_get_redis(ngx_http_wassiit_main_conf_t *wmcf,
    ngx_str_t *zone)
{
    ngx_uint_t                       i;
    ngx_http_wassiit_redis_conf_t  **confs;

    if (wmcf->redis == NULL) {
        return NULL;
    }

    confs = wmcf->redis->elts;

    for (i = 0; i < wmcf->redis->nelts; i++) {
        if (confs[i]->zone.len == zone->len
            && ngx_strncmp(confs[i]->zone.data, zone->data, zone->len) == 0)
        {
            return confs[i];
        }
    }

    return NULL;
}
