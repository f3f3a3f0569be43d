
#include "ngx_http_wassiit_redis_link.h"

#include <ngx_http.h>


#define NGX_HTTP_WASSIIT_REDIS_FIRST    100     /* ms of delay */
#define NGX_HTTP_WASSIIT_REDIS_LAST     5000

/* a connection that lasted so long begins with the shortest delay again */
#define NGX_HTTP_WASSIIT_REDIS_LASTED   5000    /* ms */


static void ngx_http_wassiit_redis_timer(ngx_event_t *ev);
static void ngx_http_wassiit_redis_wait(ngx_http_wassiit_redis_link_t *link);
static void ngx_http_wassiit_redis_next(ngx_http_wassiit_redis_link_t *link);
static ngx_int_t ngx_http_wassiit_redis_lookup(
    ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_server_t *server);
static void ngx_http_wassiit_redis_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_http_wassiit_redis_add(ngx_http_wassiit_redis_link_t *link,
    struct sockaddr *sockaddr, socklen_t socklen, in_port_t port);
static void ngx_http_wassiit_redis_connect(
    ngx_http_wassiit_redis_link_t *link);
static void ngx_http_wassiit_redis_connected(ngx_event_t *wev);
static ngx_int_t ngx_http_wassiit_redis_tls(
    ngx_http_wassiit_redis_link_t *link, ngx_connection_t *c);
static ngx_str_t *ngx_http_wassiit_redis_tls_name(
    ngx_http_wassiit_redis_link_t *link);
static void ngx_http_wassiit_redis_handshaken(ngx_connection_t *c);
static ngx_int_t ngx_http_wassiit_redis_is_named(ngx_connection_t *c,
    ngx_str_t *name);
static ngx_uint_t ngx_http_wassiit_redis_is_address(ngx_str_t *name);
static void ngx_http_wassiit_redis_ready(ngx_http_wassiit_redis_link_t *link,
    ngx_connection_t *c);
static void ngx_http_wassiit_redis_disconnect(
    ngx_http_wassiit_redis_link_t *link);
static void ngx_http_wassiit_redis_round(ngx_http_wassiit_redis_link_t *link);
static void ngx_http_wassiit_redis_tell(ngx_http_wassiit_redis_link_t *link);
static void ngx_http_wassiit_redis_say(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static ngx_resolver_t *ngx_http_wassiit_redis_resolver(ngx_cycle_t *cycle);


void
ngx_http_wassiit_redis_start(ngx_http_wassiit_redis_link_t *link)
{
    /* what a connection logs becomes the reason that is logged once */

    link->log = *link->cycle->log;
    link->log.log_level = NGX_LOG_INFO;
    link->log.connection = 0;
    link->log.handler = NULL;
    link->log.next = NULL;
    link->log.writer = ngx_http_wassiit_redis_say;
    link->log.wdata = link;

    link->nobody.fd = (ngx_socket_t) -1;
    link->nobody.data = link;

    link->timer.data = &link->nobody;
    link->timer.handler = ngx_http_wassiit_redis_timer;
    link->timer.log = link->cycle->log;
    link->timer.cancelable = 1;

    link->servers = link->redis.conf->servers.nelts;
    link->delay = NGX_HTTP_WASSIIT_REDIS_FIRST;
    link->redis.pause = NGX_HTTP_WASSIIT_REDIS_LAST;

    ngx_add_timer(&link->timer, 0);
}


void
ngx_http_wassiit_redis_enter(ngx_http_wassiit_redis_link_t *link)
{
    link->busy++;
}


void
ngx_http_wassiit_redis_leave(ngx_http_wassiit_redis_link_t *link)
{
    ngx_queue_t                    *q, *next;
    ngx_http_wassiit_redis_call_t  *call;

    if (--link->busy || !link->closed) {
        return;
    }

    ngx_queue_remove(&link->queue);

    for (q = ngx_queue_head(&link->free);
         q != ngx_queue_sentinel(&link->free);
         q = next)
    {
        next = ngx_queue_next(q);
        call = ngx_queue_data(q, ngx_http_wassiit_redis_call_t, queue);

        if (call->bytes) {
            ngx_free(call->bytes);
        }

        ngx_free(call);
    }

    for (q = ngx_queue_head(&link->channels);
         q != ngx_queue_sentinel(&link->channels);
         q = next)
    {
        next = ngx_queue_next(q);
        ngx_free(q);
    }

    if (link->out.data) {
        ngx_free(link->out.data);
    }

    if (link->in.data) {
        ngx_free(link->in.data);
    }

    ngx_free(link);
}


static void
ngx_http_wassiit_redis_timer(ngx_event_t *ev)
{
    ngx_connection_t               *nobody;
    ngx_http_wassiit_redis_link_t  *link;

    nobody = ev->data;
    link = nobody->data;

    ngx_http_wassiit_redis_enter(link);

    switch (link->state) {

    case NGX_HTTP_WASSIIT_REDIS_WAITING:
        ngx_http_wassiit_redis_next(link);
        break;

    case NGX_HTTP_WASSIIT_REDIS_CONNECTING:

        if (link->peer.connection->ssl) {
            ngx_http_wassiit_redis_fail(link,
                                        NGX_HTTP_WASSIIT_REDIS_UNTRUSTED,
                                        "doesn't begin TLS within %d ms: is "
                                        "this its port for TLS?",
                                        NGX_HTTP_WASSIIT_REDIS_CONNECT);
            break;
        }

        /* fall through */

    case NGX_HTTP_WASSIIT_REDIS_GREETING:
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "doesn't answer within %d ms",
                                    NGX_HTTP_WASSIIT_REDIS_CONNECT);
        break;

    case NGX_HTTP_WASSIIT_REDIS_UP:

        if (link->pinged || ngx_http_wassiit_redis_is_late(link)) {
            ngx_http_wassiit_redis_break(link, "no answer in time");
            break;
        }

        if (link->nchannels && ngx_queue_empty(&link->calls)) {
            ngx_http_wassiit_redis_ping(link);
        }

        break;

    default: /* LOOKUP, STOPPED */
        break;
    }

    ngx_http_wassiit_redis_leave(link);
}


/* The next address of the server, or the next server. */

static void
ngx_http_wassiit_redis_next(ngx_http_wassiit_redis_link_t *link)
{
    ngx_uint_t                        i;
    ngx_http_wassiit_redis_server_t  *server;

    if (ngx_exiting) {
        ngx_http_wassiit_redis_halt(link);
        return;
    }

    if (link->addr < link->naddrs) {
        ngx_http_wassiit_redis_connect(link);
        return;
    }

    server = link->redis.conf->servers.elts;
    server += link->server;

    link->addr = 0;
    link->naddrs = 0;
    link->name = server->text;
    link->said_len = 0;

    if (server->host.len
        && ngx_http_wassiit_redis_lookup(link, server) == NGX_OK)
    {
        return;
    }

    for (i = 0; i < server->naddrs; i++) {
        ngx_http_wassiit_redis_add(link, server->addrs[i].sockaddr,
                                   server->addrs[i].socklen, 0);
    }

    ngx_http_wassiit_redis_connect(link);
}


/* NGX_DECLINED: there is no resolver, or it can't be asked. */

static ngx_int_t
ngx_http_wassiit_redis_lookup(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_server_t *server)
{
    ngx_resolver_t      *resolver;
    ngx_resolver_ctx_t  *ctx;

    resolver = ngx_http_wassiit_redis_resolver(link->cycle);
    if (resolver == NULL) {
        return NGX_DECLINED;
    }

    ctx = ngx_resolve_start(resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        return NGX_DECLINED;
    }

    ctx->name = server->host;
    ctx->handler = ngx_http_wassiit_redis_resolved;
    ctx->data = link;
    ctx->timeout = NGX_HTTP_WASSIIT_REDIS_CONNECT;
    ctx->cancelable = 1;

    link->lookup = ctx;
    link->state = NGX_HTTP_WASSIIT_REDIS_LOOKUP;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        /* it is freed */
        link->lookup = NULL;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_redis_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                        i;
    ngx_http_wassiit_redis_link_t    *link;
    ngx_http_wassiit_redis_server_t  *server;

    link = ctx->data;

    server = link->redis.conf->servers.elts;
    server += link->server;

    link->lookup = NULL;

    if (ctx->state) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "can't be looked up: %s",
                                    ngx_resolver_strerror(ctx->state));
        ngx_resolve_name_done(ctx);
        return;
    }

    for (i = 0; i < ctx->naddrs; i++) {
        ngx_http_wassiit_redis_add(link, ctx->addrs[i].sockaddr,
                                   ctx->addrs[i].socklen, server->port);
    }

    ngx_resolve_name_done(ctx);
    ngx_http_wassiit_redis_connect(link);
}


static void
ngx_http_wassiit_redis_add(ngx_http_wassiit_redis_link_t *link,
    struct sockaddr *sockaddr, socklen_t socklen, in_port_t port)
{
    ngx_sockaddr_t  *to;

    if (link->naddrs == NGX_HTTP_WASSIIT_REDIS_ADDRS
        || socklen > (socklen_t) sizeof(ngx_sockaddr_t))
    {
        return;
    }

    to = &link->sockaddrs[link->naddrs];

    ngx_memcpy(to, sockaddr, socklen);

    if (port) {
        ngx_inet_set_port(&to->sockaddr, port);
    }

    link->socklens[link->naddrs++] = socklen;
}


static void
ngx_http_wassiit_redis_connect(ngx_http_wassiit_redis_link_t *link)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *peer;

    peer = &link->peer;
    ngx_memzero(peer, sizeof(ngx_peer_connection_t));

    link->state = NGX_HTTP_WASSIIT_REDIS_CONNECTING;
    link->said_len = 0;

    peer->sockaddr = &link->sockaddrs[link->addr].sockaddr;
    peer->socklen = link->socklens[link->addr];
    link->addr++;

    link->name.data = link->name_data;
    link->name.len = ngx_sock_ntop(peer->sockaddr, peer->socklen,
                                   link->name_data, NGX_SOCKADDR_STRLEN, 1);

    peer->name = &link->name;
    peer->get = ngx_event_get_peer;
    peer->log = &link->log;
    peer->log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(peer);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        peer->connection = NULL;
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "can't be connected to");
        return;
    }

    c = peer->connection;

    c->data = link;
    c->log = &link->log;
    c->idle = 1;
    c->read->handler = ngx_http_wassiit_redis_read;
    c->write->handler = ngx_http_wassiit_redis_connected;

    if (c->pool == NULL) {
        c->pool = ngx_create_pool(256, link->cycle->log);
        if (c->pool == NULL) {
            ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                        "memory is short");
            return;
        }
    }

    ngx_add_timer(&link->timer, NGX_HTTP_WASSIIT_REDIS_CONNECT);

    if (rc == NGX_OK) {
        ngx_http_wassiit_redis_connected(c->write);
    }
}


static void
ngx_http_wassiit_redis_connected(ngx_event_t *wev)
{
    int                             err;
    socklen_t                       len;
    ngx_connection_t               *c;
    ngx_http_wassiit_redis_link_t  *link;

    c = wev->data;
    link = c->data;

    ngx_http_wassiit_redis_enter(link);

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "connect() failed");
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "can't be connected to");

    } else if (ngx_http_wassiit_redis_tls(link, c) == NGX_OK) {
        ngx_http_wassiit_redis_ready(link, c);
    }

    ngx_http_wassiit_redis_leave(link);
}


/* Returns NGX_OK: it is in clear; NGX_DONE: it goes on, or has failed. */

static ngx_int_t
ngx_http_wassiit_redis_tls(ngx_http_wassiit_redis_link_t *link,
    ngx_connection_t *c)
{
    ngx_str_t  *name;

    if (link->peer.sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "can't be connected to");
        return NGX_DONE;
    }

    if (link->redis.conf->ssl == NULL) {
        return NGX_OK;
    }

    name = ngx_http_wassiit_redis_tls_name(link);

    if (ngx_ssl_create_connection(link->redis.conf->ssl, c, NGX_SSL_CLIENT)
        != NGX_OK
        /* an address isn't sent: RFC 6066, section 3 */
        || (!ngx_http_wassiit_redis_is_address(name)
            && SSL_set_tlsext_host_name(c->ssl->connection,
                                        (char *) name->data)
               == 0))
    {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNTRUSTED,
                                    "can't be spoken to with TLS");
        return NGX_DONE;
    }

    /* at its end it is closed, and nothing more is said */

    c->ssl->no_wait_shutdown = 1;
    c->ssl->no_send_shutdown = 1;

    if (ngx_ssl_handshake(c) == NGX_AGAIN) {
        c->ssl->handler = ngx_http_wassiit_redis_handshaken;

    } else {
        ngx_http_wassiit_redis_handshaken(c);
    }

    return NGX_DONE;
}


/* The certificate's: it ends in a zero. */

static ngx_str_t *
ngx_http_wassiit_redis_tls_name(ngx_http_wassiit_redis_link_t *link)
{
    ngx_http_wassiit_redis_server_t  *server;

    if (link->redis.conf->ssl_name.len) {
        return &link->redis.conf->ssl_name;
    }

    server = link->redis.conf->servers.elts;

    return &server[link->server].ssl_name;
}


static void
ngx_http_wassiit_redis_handshaken(ngx_connection_t *c)
{
    long                            rc;
    ngx_str_t                      *name;
    ngx_http_wassiit_redis_link_t  *link;

    link = c->data;

    ngx_http_wassiit_redis_enter(link);

    if (!c->ssl->handshaked) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNTRUSTED,
                                    "can't be spoken to with TLS");
        goto done;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNTRUSTED,
                                    "has a certificate that isn't trusted: "
                                    "%s; \"ssl_trusted_certificate\" names "
                                    "whose are",
                                    X509_verify_cert_error_string(rc));
        goto done;
    }

    name = ngx_http_wassiit_redis_tls_name(link);

    if (ngx_http_wassiit_redis_is_named(c, name) != NGX_OK) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNTRUSTED,
                                    "has a certificate that isn't for \"%V\"; "
                                    "\"ssl_name\" says for which name it is",
                                    name);
        goto done;
    }

    ngx_http_wassiit_redis_ready(link, c);

done:

    ngx_http_wassiit_redis_leave(link);
}


static ngx_int_t
ngx_http_wassiit_redis_is_named(ngx_connection_t *c, ngx_str_t *name)
{
    int    rc;
    X509  *cert;

    if (!ngx_http_wassiit_redis_is_address(name)) {
        return ngx_ssl_check_host(c, name);
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    rc = X509_check_ip_asc(cert, (char *) name->data, 0);
    X509_free(cert);

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_http_wassiit_redis_is_address(ngx_str_t *name)
{
    return ngx_inet_addr(name->data, name->len) != INADDR_NONE
           || ngx_strlchr(name->data, name->data + name->len, ':') != NULL;
}


static void
ngx_http_wassiit_redis_ready(ngx_http_wassiit_redis_link_t *link,
    ngx_connection_t *c)
{
    c->read->handler = ngx_http_wassiit_redis_read;
    c->write->handler = ngx_http_wassiit_redis_write;

    link->state = NGX_HTTP_WASSIIT_REDIS_GREETING;
    ngx_http_wassiit_redis_greet(link);
}


void
ngx_http_wassiit_redis_rise(ngx_http_wassiit_redis_link_t *link)
{
    if (ngx_exiting) {
        ngx_http_wassiit_redis_halt(link);
        return;
    }

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    link->state = NGX_HTTP_WASSIIT_REDIS_UP;
    link->redis.up = 1;
    link->since = ngx_current_msec;
    link->cause = 0;
    link->told = 0;
    link->text_len = 0;
    link->complained = 0;

    if (!link->redis.quiet) {
        ngx_log_error(NGX_LOG_NOTICE, link->cycle->log, 0,
                      "wassiit_redis: zone \"%V\" is connected to %V (%s "
                      "%ui.%ui.%ui)", &link->redis.conf->zone, &link->name,
                      link->redis.valkey ? "Valkey" : "Redis",
                      link->redis.version / 10000,
                      link->redis.version / 100 % 100,
                      link->redis.version % 100);
    }

    (void) ngx_http_wassiit_redis_is_late(link);

    if (link->handlers->up) {
        link->handlers->up(&link->redis, link->data);
    }
}


void
ngx_http_wassiit_redis_fail(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_cause_e cause, const char *fmt, ...)
{
    size_t      len;
    u_char     *p, *last, text[NGX_HTTP_WASSIIT_REDIS_TEXT];
    va_list     args;
    ngx_str_t   say;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + NGX_HTTP_WASSIIT_REDIS_TEXT, fmt, args);
    va_end(args);

    say.data = text;
    say.len = p - text;
    len = ngx_wassiit_resp_print(&say, text, say.len);

    if (link->redis.up) {
        ngx_http_wassiit_redis_break(link, "it %*s", len, text);
        return;
    }

    if (link->cause == 0 || (1u << cause) > link->cause) {
        link->cause = 1u << cause;
    }

    last = link->text + NGX_HTTP_WASSIIT_REDIS_TEXT;

    link->text_len = ngx_slprintf(link->text + link->text_len, last,
                                  "%s%V %*s%s%*s", link->text_len ? ", " : "",
                                  &link->name, len, text,
                                  link->said_len ? ": " : "", link->said_len,
                                  link->said)
                     - link->text;

    ngx_http_wassiit_redis_disconnect(link);

    if (link->state == NGX_HTTP_WASSIIT_REDIS_STOPPED) {
        return;
    }

    link->state = NGX_HTTP_WASSIIT_REDIS_WAITING;

    if (link->addr == link->naddrs) {

        link->server = (link->server + 1) % link->redis.conf->servers.nelts;

        if (--link->servers == 0) {
            ngx_http_wassiit_redis_round(link);
            return;
        }
    }

    ngx_add_timer(&link->timer, 0);
}


/* No server is the master. */

static void
ngx_http_wassiit_redis_round(ngx_http_wassiit_redis_link_t *link)
{
    ngx_http_wassiit_redis_tell(link);

    link->cause = 0;
    link->text_len = 0;
    link->servers = link->redis.conf->servers.nelts;

    ngx_http_wassiit_redis_wait(link);
}


/* Half of it, and as much again by chance, so that not all come at once. */

static void
ngx_http_wassiit_redis_wait(ngx_http_wassiit_redis_link_t *link)
{
    ngx_msec_t  delay;

    link->delay = ngx_min(link->delay, link->redis.pause);

    delay = link->delay / 2;
    delay += (ngx_msec_t) ngx_random() % (delay + 1);

    link->delay *= 2;

    ngx_add_timer(&link->timer, delay);
}


static void
ngx_http_wassiit_redis_tell(ngx_http_wassiit_redis_link_t *link)
{
    if (link->redis.quiet || (link->told & link->cause)) {
        return;
    }

    link->told |= link->cause;

    ngx_log_error(NGX_LOG_ERR, link->cycle->log, 0,
                  "wassiit_redis: zone \"%V\" has no master: %*s; it is tried "
                  "again until there is one, in %s:%ui",
                  &link->redis.conf->zone, link->text_len, link->text,
                  link->redis.conf->conf_file, link->redis.conf->conf_line);
}


void
ngx_http_wassiit_redis_break(ngx_http_wassiit_redis_link_t *link,
    const char *fmt, ...)
{
    size_t      len;
    u_char     *p, text[NGX_HTTP_WASSIIT_REDIS_TEXT];
    va_list     args;
    ngx_str_t   say;

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + NGX_HTTP_WASSIIT_REDIS_TEXT, fmt, args);
    va_end(args);

    say.data = text;
    say.len = p - text;
    len = ngx_wassiit_resp_print(&say, text, say.len);

    if (!link->redis.up) {
        ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_AWAY,
                                    "has gone%s: %*s",
                                    link->redis.conf->ssl ? ""
                                    : " (if it takes TLS alone, add \"ssl\")",
                                    len, text);
        return;
    }

    link->redis.up = 0;
    link->state = NGX_HTTP_WASSIIT_REDIS_WAITING;

    if (!link->redis.quiet && !ngx_exiting) {
        ngx_log_error(NGX_LOG_WARN, link->cycle->log, 0,
                      "wassiit_redis: zone \"%V\" has lost %V: %*s%s%*s; it "
                      "connects again", &link->redis.conf->zone, &link->name,
                      len, text, link->said_len ? ": " : "",
                      link->said_len, link->said);
    }

    /* which says, too, that it is away */
    link->told = 1u << NGX_HTTP_WASSIIT_REDIS_AWAY;

    if (ngx_current_msec - link->since >= NGX_HTTP_WASSIIT_REDIS_LASTED) {
        link->delay = NGX_HTTP_WASSIIT_REDIS_FIRST;
    }

    link->addr = 0;
    link->naddrs = 0;
    link->servers = link->redis.conf->servers.nelts;

    ngx_http_wassiit_redis_disconnect(link);

    if (link->state != NGX_HTTP_WASSIIT_REDIS_STOPPED) {
        ngx_http_wassiit_redis_wait(link);
    }

    if (link->handlers->down && !link->closed) {
        link->handlers->down(&link->redis, link->data);
    }
}


void
ngx_http_wassiit_redis_halt(ngx_http_wassiit_redis_link_t *link)
{
    ngx_uint_t  up;

    up = link->redis.up;

    link->state = NGX_HTTP_WASSIIT_REDIS_STOPPED;
    link->redis.up = 0;

    if (link->lookup) {
        ngx_resolve_name_done(link->lookup);
        link->lookup = NULL;
    }

    ngx_http_wassiit_redis_disconnect(link);

    if (up && !link->closed && link->handlers->down) {
        link->handlers->down(&link->redis, link->data);
    }
}


/* Closes the connection, if there is one, and answers what was under way. */

static void
ngx_http_wassiit_redis_disconnect(ngx_http_wassiit_redis_link_t *link)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    link->timer.cancelable = 1;
    c = link->peer.connection;

    if (c) {
        link->peer.connection = NULL;
        pool = c->pool;

        if (c->ssl) {
            (void) ngx_ssl_shutdown(c);
        }

        ngx_close_connection(c);

        if (pool) {
            ngx_destroy_pool(pool);
        }
    }

    link->said_len = 0;

    ngx_http_wassiit_redis_drop(link);
}


/* A log's writer: keeps what a connection, or OpenSSL, says of a fault. */

static void
ngx_http_wassiit_redis_say(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    ngx_http_wassiit_redis_link_t *link = log->wdata;

    u_char  *p, *last;

    if (link->said_len) {
        /* the first is the cause of the others */
        return;
    }

    /* "2026/11/29 15:00:00 [error] 12#12: *34 connect() failed (111: ...)\n" */

    last = buf + len;

    for (p = buf; p + 2 < last; p++) {
        if (p[0] == ':' && p[1] == ' ') {
            p += 2;
            break;
        }
    }

    if (p < last && *p == '*') {
        while (p < last && *p++ != ' ') { /* void */ }
    }

    while (last > p && (last[-1] == LF || last[-1] == CR)) {
        last--;
    }

    link->said_len = ngx_min((size_t) (last - p),
                             NGX_HTTP_WASSIIT_REDIS_TEXT / 4);
    ngx_memcpy(link->said, p, link->said_len);
}


/* What http{} has; NULL: none. */

static ngx_resolver_t *
ngx_http_wassiit_redis_resolver(ngx_cycle_t *cycle)
{
    ngx_http_conf_ctx_t       *ctx;
    ngx_http_core_loc_conf_t  *clcf;

    ctx = (ngx_http_conf_ctx_t *) cycle->conf_ctx[ngx_http_module.index];
    clcf = ctx->loc_conf[ngx_http_core_module.ctx_index];

    return clcf->resolver;
}
