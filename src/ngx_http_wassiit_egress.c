
/*
 * wassiit_egress: what goes upstream from here goes to public addresses only.
 *
 * nginx has no hook between the choice of an address and the connection to
 * it, so this file makes one:
 *
 * 1. The location's content handler is called with r->aio set.  It makes
 *    r->upstream and reads the body, but ngx_http_upstream_init() does
 *    nothing (egress_handler).
 * 2. The upstream gets a configuration of its own, which names another
 *    upstream{}: ours.  From here on nginx can't connect but by our
 *    peer.init() (egress_hide).
 * 3. A name that isn't an upstream{}'s is looked up by the location's
 *    resolver; addresses that aren't public are dropped (egress_lookup,
 *    egress_resolved).
 * 4. ngx_http_upstream_init() is called again, now for good.  Our peer.init()
 *    calls that of the true upstream, and stands in front of its get(), which
 *    names the very address that is connected to next (egress_init_peer,
 *    egress_get_peer).
 *
 * Who comes to step 4 without a lookup finds no address, and gets 502.
 */


#include "ngx_http_wassiit_egress.h"
#include "ngx_http_wassiit_log.h"
#include "ngx_wassiit_address.h"


/* a location that sends to public addresses only */

typedef struct {
    ngx_http_core_loc_conf_t          *clcf;
    ngx_http_wassiit_loc_conf_t       *wlcf;
} ngx_http_wassiit_egress_location_t;


/* one request on its way upstream; r->upstream->conf points to conf */

typedef struct {
    ngx_http_upstream_conf_t           conf;      /* the first member */

    /* what nginx would have looked at in place of ours */
    ngx_http_upstream_srv_conf_t      *upstream;
    ngx_http_upstream_resolved_t      *resolved;  /* NULL: by upstream */

    ngx_resolver_ctx_t                *lookup;    /* NULL: none is on its way */
    ngx_http_cleanup_t                *cleanup;   /* of lookup */

    /* the true peer's, see ngx_peer_connection_t */
    ngx_event_get_peer_pt              get_peer;
    ngx_event_free_peer_pt             free_peer;
    ngx_event_notify_peer_pt           notify_peer;
    void                              *data;
#if (NGX_HTTP_SSL)
    ngx_event_set_peer_session_pt      set_session;
    ngx_event_save_peer_session_pt     save_session;
#endif

    unsigned                           refused:1; /* what get() gave last */
} ngx_http_wassiit_egress_t;


static ngx_int_t ngx_http_wassiit_egress_handler(ngx_http_request_t *r);
static void ngx_http_wassiit_egress_reading(ngx_http_request_t *r);
static void ngx_http_wassiit_egress_hide(ngx_http_upstream_t *u,
    ngx_http_wassiit_egress_t *e);
static ngx_http_upstream_srv_conf_t *ngx_http_wassiit_egress_upstream(
    ngx_http_request_t *r, ngx_http_wassiit_egress_t *e);
static void ngx_http_wassiit_egress_lookup(ngx_http_request_t *r);
static ngx_resolver_ctx_t *ngx_http_wassiit_egress_start(
    ngx_http_request_t *r, ngx_resolver_ctx_t *temp);
static void ngx_http_wassiit_egress_watch(ngx_http_request_t *r);
static void ngx_http_wassiit_egress_resolved(ngx_resolver_ctx_t *ctx);
static void ngx_http_wassiit_egress_keep(ngx_http_request_t *r,
    ngx_http_wassiit_egress_t *e, ngx_resolver_ctx_t *ctx);
static void ngx_http_wassiit_egress_cancel(void *data);
static ngx_int_t ngx_http_wassiit_egress_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_wassiit_egress_init_address(ngx_http_request_t *r,
    ngx_http_wassiit_egress_t *e);
static ngx_int_t ngx_http_wassiit_egress_get_peer(ngx_peer_connection_t *pc,
    void *data);
static ngx_int_t ngx_http_wassiit_egress_get_nothing(
    ngx_peer_connection_t *pc, void *data);
static void ngx_http_wassiit_egress_free_peer(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static void ngx_http_wassiit_egress_notify_peer(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t type);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_wassiit_egress_set_session(
    ngx_peer_connection_t *pc, void *data);
static void ngx_http_wassiit_egress_save_session(ngx_peer_connection_t *pc,
    void *data);
#endif
static ngx_uint_t ngx_http_wassiit_egress_refuses(ngx_log_t *log,
    struct sockaddr *sockaddr, socklen_t socklen);


/* stands in place of the true one; nginx looks at nothing else of it */

static ngx_http_upstream_srv_conf_t  ngx_http_wassiit_egress_ours = {
    .peer = { .init = ngx_http_wassiit_egress_init_peer },
    .host = ngx_string("wassiit_egress")
};

/* its lines, which clients can cause, in a sum of those left out */
static const ngx_str_t  ngx_http_wassiit_egress_name =
    ngx_string("wassiit_egress");


ngx_int_t
ngx_http_wassiit_egress_merge(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *conf)
{
    ngx_array_t                         *locations;
    ngx_http_wassiit_main_conf_t        *wmcf;
    ngx_http_wassiit_egress_location_t  *location;

    if (conf->egress != NGX_HTTP_WASSIIT_EGRESS_PUBLIC) {
        return NGX_OK;
    }

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

    if (wmcf->egress == NULL) {
        locations = ngx_array_create(cf->pool, 4,
                                  sizeof(ngx_http_wassiit_egress_location_t));
        if (locations == NULL) {
            return NGX_ERROR;
        }

        wmcf->egress = locations;
    }

    location = ngx_array_push(wmcf->egress);
    if (location == NULL) {
        return NGX_ERROR;
    }

    location->clcf = ngx_http_conf_get_module_loc_conf(cf,
                                                       ngx_http_core_module);
    location->wlcf = conf;

    return NGX_OK;
}


void
ngx_http_wassiit_egress_init(ngx_conf_t *cf)
{
    ngx_uint_t                           i;
    ngx_http_wassiit_main_conf_t        *wmcf;
    ngx_http_wassiit_egress_location_t  *location;

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

    if (wmcf->egress == NULL) {
        return;
    }

    location = wmcf->egress->elts;

    for (i = 0; i < wmcf->egress->nelts; i++) {

        /* of ours, none sends anything upstream */

        if (location[i].clcf->handler && location[i].wlcf->answer == NULL) {
            location[i].wlcf->content = location[i].clcf->handler;
            location[i].clcf->handler = ngx_http_wassiit_egress_handler;
        }
    }
}


static ngx_int_t
ngx_http_wassiit_egress_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_uint_t                    arriving;
    ngx_http_upstream_t          *u, *former;
    ngx_http_event_handler_pt     reading;
    ngx_http_wassiit_egress_t    *e;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    while (wlcf && wlcf->content == NULL) {
        /* an "if" whose location has the handler */
        wlcf = wlcf->parent;
    }

    e = ngx_pcalloc(r->pool, sizeof(ngx_http_wassiit_egress_t));

    if (wlcf == NULL || e == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    former = r->upstream;
    reading = r->read_event_handler;

    r->aio = 1;
    r->read_event_handler = ngx_http_wassiit_egress_reading;

    rc = wlcf->content(r);

    r->aio = 0;
    arriving = 0;

    if (r->read_event_handler == ngx_http_wassiit_egress_reading) {
        /* there was nothing to read */
        r->read_event_handler = reading;

    } else if (r->read_event_handler != ngx_http_block_reading) {
        arriving = (r->request_body != NULL);
    }

    u = r->upstream;

    if (u == NULL || u == former) {

        /* it sends nothing upstream, and what it answered r->aio held up */

        if (r->buffered) {
            ngx_post_event(r->connection->write, &ngx_posted_events);
        }

        return rc;
    }

    if (u->conf == NULL) {
        /* where to, it couldn't make out; it has logged why */
        return (rc == NGX_HTTP_INTERNAL_SERVER_ERROR) ? NGX_HTTP_BAD_GATEWAY
                                                      : rc;
    }

    if (rc == NGX_ERROR || rc >= NGX_HTTP_SPECIAL_RESPONSE
        || u->conf->upstream == &ngx_http_wassiit_egress_ours)
    {
        /* nothing is to be sent, or an internal redirect has sent it */
        return rc;
    }

    ngx_http_wassiit_egress_hide(u, e);

    if (e->resolved == NULL || e->resolved->sockaddr
        || ngx_http_wassiit_egress_upstream(r, e))
    {
        if (!arriving) {
            ngx_http_upstream_init(r);
        }

    } else if (arriving) {
        r->request_body->post_handler = ngx_http_wassiit_egress_lookup;

    } else {
        ngx_http_wassiit_egress_lookup(r);
    }

    return rc;
}


/* Shows, by being there still, that the content handler read no body. */

static void
ngx_http_wassiit_egress_reading(ngx_http_request_t *r)
{
    ngx_http_block_reading(r);
}


static void
ngx_http_wassiit_egress_hide(ngx_http_upstream_t *u,
    ngx_http_wassiit_egress_t *e)
{
    e->upstream = u->conf->upstream;
    e->resolved = u->resolved;

    e->conf = *u->conf;
    e->conf.upstream = &ngx_http_wassiit_egress_ours;

    u->conf = &e->conf;
    u->resolved = NULL;
}


/* The upstream{} that nginx would take, or NULL. */

static ngx_http_upstream_srv_conf_t *
ngx_http_wassiit_egress_upstream(ngx_http_request_t *r,
    ngx_http_wassiit_egress_t *e)
{
    ngx_str_t                       *host;
    ngx_uint_t                       i;
    ngx_http_upstream_srv_conf_t   **uscfp;
    ngx_http_upstream_main_conf_t   *umcf;

    if (e->resolved == NULL) {
        return e->upstream;
    }

    host = &e->resolved->host;

    umcf = ngx_http_get_module_main_conf(r, ngx_http_upstream_module);
    uscfp = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {
        if (uscfp[i]->host.len == host->len
            && ((uscfp[i]->port == 0 && e->resolved->no_port)
                || uscfp[i]->port == e->resolved->port)
            && ngx_strncasecmp(uscfp[i]->host.data, host->data, host->len)
               == 0)
        {
            return uscfp[i];
        }
    }

    return NULL;
}


/* Goes on when the name is looked up, at once if the resolver knows it. */

static void
ngx_http_wassiit_egress_lookup(ngx_http_request_t *r)
{
    ngx_resolver_ctx_t         *ctx, temp;
    ngx_http_wassiit_egress_t  *e;

    e = (ngx_http_wassiit_egress_t *) r->upstream->conf;

    ctx = ngx_http_wassiit_egress_start(r, &temp);

    if (ctx == NULL) {
        /* without an address, so that it ends as any other refusal */
        ngx_http_upstream_init(r);
        return;
    }

    e->lookup = ctx;
    e->cleanup->handler = ngx_http_wassiit_egress_cancel;

    ngx_http_wassiit_egress_watch(r);

    if (ngx_resolve_name(ctx) != NGX_OK) {
        e->lookup = NULL;
        e->cleanup->handler = NULL;
        r->read_event_handler = ngx_http_block_reading;

        ngx_http_upstream_init(r);
    }
}


/* Returns NULL, which is then logged, if there can't be a lookup. */

static ngx_resolver_ctx_t *
ngx_http_wassiit_egress_start(ngx_http_request_t *r, ngx_resolver_ctx_t *temp)
{
    ngx_str_t                   name, *host;
    ngx_resolver_ctx_t         *ctx;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_wassiit_egress_t  *e;

    e = (ngx_http_wassiit_egress_t *) r->upstream->conf;
    host = &e->resolved->host;

    /* the resolver writes into the name, which the request may still need */

    name.len = host->len;
    name.data = ngx_pstrdup(r->pool, host);
    e->cleanup = ngx_http_cleanup_add(r, 0);

    if (name.data == NULL || e->cleanup == NULL) {
        return NULL;
    }

    e->cleanup->handler = NULL;
    e->cleanup->data = e;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    temp->name = name;
    ctx = ngx_resolve_start(clcf->resolver, temp);

    if (ctx == NGX_NO_RESOLVER) {

        if (ngx_http_wassiit_log_admits(r->connection->log, NGX_LOG_ERR,
                                        &ngx_http_wassiit_egress_name))
        {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "no resolver defined to resolve %V", host);
        }

        return NULL;
    }

    if (ctx == NULL) {
        return NULL;
    }

    ctx->name = name;
    ctx->handler = ngx_http_wassiit_egress_resolved;
    ctx->data = r;
    ctx->timeout = clcf->resolver_timeout;

    return ctx;
}


/*
 * A client that goes ends the lookup, where it would end the request later; but
 * not where the request lives on for post_action, which takes it elsewhere.
 */

static void
ngx_http_wassiit_egress_watch(ngx_http_request_t *r)
{
    ngx_event_t               *rev;
    ngx_http_upstream_t       *u;
    ngx_http_core_loc_conf_t  *clcf;

    u = r->upstream;
    rev = r->connection->read;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (u->conf->store || u->conf->ignore_client_abort || r->post_action
        || clcf->post_action.data || r->reading_body)
    {
        return;
    }

    if (rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        return;
    }

    r->read_event_handler = ngx_http_test_reading;
}


static void
ngx_http_wassiit_egress_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                  async;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_wassiit_egress_t  *e;

    r = ctx->data;
    c = r->connection;
    e = (ngx_http_wassiit_egress_t *) r->upstream->conf;
    async = ctx->async;

    ngx_http_set_log_request(c->log, r);

    if (ctx->state
        && ngx_http_wassiit_log_admits(c->log, NGX_LOG_ERR,
                                       &ngx_http_wassiit_egress_name))
    {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "%V could not be resolved (%i: %s)",
                      &ctx->name, ctx->state,
                      ngx_resolver_strerror(ctx->state));
    }

    if (ctx->state == 0) {
        ngx_http_wassiit_egress_keep(r, e, ctx);
    }

    ngx_resolve_name_done(ctx);

    e->lookup = NULL;
    e->cleanup->handler = NULL;
    r->read_event_handler = ngx_http_block_reading;

    ngx_http_upstream_init(r);

    if (async) {
        ngx_http_run_posted_requests(c);
    }
}


/* Copies the public ones of the addresses, as the resolver keeps them not. */

static void
ngx_http_wassiit_egress_keep(ngx_http_request_t *r,
    ngx_http_wassiit_egress_t *e, ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t            i, n;
    ngx_resolver_addr_t  *addrs;

    addrs = ngx_pcalloc(r->pool, ctx->naddrs * sizeof(ngx_resolver_addr_t));
    if (addrs == NULL) {
        return;
    }

    n = 0;

    for (i = 0; i < ctx->naddrs; i++) {

        if (ngx_http_wassiit_egress_refuses(r->connection->log,
                                            ctx->addrs[i].sockaddr,
                                            ctx->addrs[i].socklen))
        {
            continue;
        }

        addrs[n].socklen = ctx->addrs[i].socklen;
        addrs[n].sockaddr = ngx_pnalloc(r->pool, addrs[n].socklen);

        if (addrs[n].sockaddr == NULL) {
            return;
        }

        ngx_memcpy(addrs[n].sockaddr, ctx->addrs[i].sockaddr,
                   addrs[n].socklen);
        n++;
    }

    e->resolved->addrs = addrs;
    e->resolved->naddrs = n;
}


static void
ngx_http_wassiit_egress_cancel(void *data)
{
    ngx_http_wassiit_egress_t *e = data;

    ngx_resolve_name_done(e->lookup);
    e->lookup = NULL;
}


/* Does what nginx would have done with the upstream that was hidden. */

static ngx_int_t
ngx_http_wassiit_egress_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_upstream_t        *u;
    ngx_http_wassiit_egress_t  *e;

    u = r->upstream;
    e = (ngx_http_wassiit_egress_t *) u->conf;

    u->resolved = e->resolved;
    us = ngx_http_wassiit_egress_upstream(r, e);
    u->upstream = us;

    if (us == NULL) {

        if (ngx_http_wassiit_egress_init_address(r, e) != NGX_OK) {
            return NGX_ERROR;
        }

    } else {
#if (NGX_HTTP_SSL)
        u->ssl_name = us->host;
#endif

        if (us->peer.init(r, us) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    e->get_peer = u->peer.get;
    e->free_peer = u->peer.free;
    e->notify_peer = u->peer.notify;
    e->data = u->peer.data;

    u->peer.get = ngx_http_wassiit_egress_get_peer;
    u->peer.free = ngx_http_wassiit_egress_free_peer;
    u->peer.notify = e->notify_peer ? ngx_http_wassiit_egress_notify_peer
                                    : NULL;
    u->peer.data = e;

#if (NGX_HTTP_SSL)
    e->set_session = u->peer.set_session;
    e->save_session = u->peer.save_session;

    u->peer.set_session = ngx_http_wassiit_egress_set_session;
    u->peer.save_session = ngx_http_wassiit_egress_save_session;
#endif

    return NGX_OK;
}


/* The peers of an address, or of a name that was looked up. */

static ngx_int_t
ngx_http_wassiit_egress_init_address(ngx_http_request_t *r,
    ngx_http_wassiit_egress_t *e)
{
    ngx_http_upstream_t           *u;
    ngx_http_upstream_resolved_t  *resolved;

    u = r->upstream;
    resolved = e->resolved;

    if (resolved == NULL) {
        ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                      "no upstream configuration");
        return NGX_ERROR;
    }

#if (NGX_HTTP_SSL)
    u->ssl_name = resolved->host;
#endif

    if (resolved->port == 0
        && (resolved->sockaddr == NULL
            || resolved->sockaddr->sa_family != AF_UNIX))
    {
        if (ngx_http_wassiit_log_admits(r->connection->log, NGX_LOG_ERR,
                                        &ngx_http_wassiit_egress_name))
        {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "no port in upstream \"%V\"", &resolved->host);
        }

    } else if (resolved->naddrs) {
        return ngx_http_upstream_create_round_robin_peer(r, resolved);
    }

    u->peer.get = ngx_http_wassiit_egress_get_nothing;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_egress_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_wassiit_egress_t *e = data;

    ngx_int_t  rc;

    rc = e->get_peer(pc, e->data);

    if (rc == NGX_ERROR || rc == NGX_BUSY || rc == NGX_DECLINED) {
        return rc;
    }

    if (pc->sockaddr
        && !ngx_http_wassiit_egress_refuses(pc->log, pc->sockaddr,
                                            pc->socklen))
    {
        return rc;
    }

    /* the next one, if there is one; a kept connection isn't another try */

    e->refused = 1;
    pc->cached = 0;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_wassiit_egress_get_nothing(ngx_peer_connection_t *pc, void *data)
{
    return NGX_DECLINED;
}


/* To be refused says nothing of a server's health. */

static void
ngx_http_wassiit_egress_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_wassiit_egress_t *e = data;

    if (e->refused) {
        e->refused = 0;
        state &= ~NGX_PEER_FAILED;
    }

    e->free_peer(pc, e->data, state);
}


static void
ngx_http_wassiit_egress_notify_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_wassiit_egress_t *e = data;

    e->notify_peer(pc, e->data, type);
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_wassiit_egress_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_wassiit_egress_t *e = data;

    return e->set_session(pc, e->data);
}


static void
ngx_http_wassiit_egress_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_wassiit_egress_t *e = data;

    e->save_session(pc, e->data);
}

#endif


/* Returns 1 for an address that isn't public, which is then logged. */

static ngx_uint_t
ngx_http_wassiit_egress_refuses(ngx_log_t *log, struct sockaddr *sockaddr,
    socklen_t socklen)
{
    size_t       len;
    u_char       text[NGX_SOCKADDR_STRLEN];
    const char  *special;

    special = ngx_wassiit_address_special(sockaddr, socklen);

    if (special == NULL) {
        return 0;
    }

    if (ngx_http_wassiit_log_admits(log, NGX_LOG_ERR,
                                    &ngx_http_wassiit_egress_name))
    {
        len = ngx_sock_ntop(sockaddr, socklen, text, NGX_SOCKADDR_STRLEN, 0);

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "wassiit_egress: nothing goes to %*s, which is %s",
                      len, text, special);
    }

    return 1;
}
