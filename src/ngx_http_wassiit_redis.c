
#include "ngx_http_wassiit_redis_link.h"

#include <ngx_sha1.h>

/* made by config of conf/cluster/ledger.lua */
#include "ngx_http_wassiit_ledger.h"


#define NGX_HTTP_WASSIIT_REDIS_BUF      16384   /* bytes; grows */

/* EVALSHA SHA1 numkeys */
#define NGX_HTTP_WASSIIT_REDIS_EVAL     3


typedef struct {
    ngx_queue_t                     queue;
    ngx_str_t                       name;
} ngx_http_wassiit_redis_channel_t;


static ngx_http_wassiit_redis_call_t *ngx_http_wassiit_redis_call_get(
    ngx_http_wassiit_redis_link_t *link);
static void ngx_http_wassiit_redis_queue(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_call_t *call);
static void ngx_http_wassiit_redis_give_back(
    ngx_http_wassiit_redis_link_t *link, ngx_http_wassiit_redis_call_t *call);
static u_char *ngx_http_wassiit_redis_room(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_buf_t *buf, size_t len, size_t most);
static ngx_int_t ngx_http_wassiit_redis_reply(
    ngx_http_wassiit_redis_link_t *link, ngx_wassiit_resp_t *reply);
static ngx_int_t ngx_http_wassiit_redis_again(
    ngx_http_wassiit_redis_link_t *link, ngx_http_wassiit_redis_call_t *call,
    ngx_wassiit_resp_t *reply);
static void ngx_http_wassiit_redis_loaded(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_redis_wipe(ngx_http_wassiit_redis_buf_t *buf);
static void ngx_http_wassiit_redis_pushed(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply);
static void ngx_http_wassiit_redis_quit(ngx_http_wassiit_redis_link_t *link,
    ngx_connection_t *c);
static void ngx_http_wassiit_redis_sha1(u_char *text);


static ngx_queue_t  ngx_http_wassiit_redis_links;

static u_char  ngx_http_wassiit_redis_script[40];


ngx_http_wassiit_redis_t *
ngx_http_wassiit_redis_open(ngx_http_wassiit_redis_conf_t *conf,
    const ngx_http_wassiit_redis_handlers_t *handlers, void *data,
    ngx_cycle_t *cycle)
{
    ngx_http_wassiit_redis_link_t  *link;

    link = ngx_calloc(sizeof(ngx_http_wassiit_redis_link_t), cycle->log);
    if (link == NULL) {
        return NULL;
    }

    if (ngx_http_wassiit_redis_links.next == NULL) {
        ngx_queue_init(&ngx_http_wassiit_redis_links);
        ngx_http_wassiit_redis_sha1(ngx_http_wassiit_redis_script);
    }

    ngx_queue_insert_tail(&ngx_http_wassiit_redis_links, &link->queue);

    link->redis.conf = conf;
    link->redis.run_id.data = link->run_id;
    link->handlers = handlers;
    link->data = data;
    link->cycle = cycle;

    ngx_queue_init(&link->calls);
    ngx_queue_init(&link->free);
    ngx_queue_init(&link->channels);

    ngx_http_wassiit_redis_start(link);

    return &link->redis;
}


ngx_int_t
ngx_http_wassiit_redis_call(ngx_http_wassiit_redis_t *redis, ngx_str_t *args,
    ngx_uint_t nargs, ngx_msec_t timeout, ngx_http_wassiit_redis_pt handler,
    void *data)
{
    ngx_http_wassiit_redis_link_t *link;

    link = (ngx_http_wassiit_redis_link_t *) redis;

    if (!redis->up || link->nchannels) {
        return NGX_DECLINED;
    }

    return ngx_http_wassiit_redis_push(link, args, nargs, 0, timeout, handler,
                                       data);
}


ngx_int_t
ngx_http_wassiit_redis_eval(ngx_http_wassiit_redis_t *redis, ngx_str_t *args,
    ngx_uint_t nkeys, ngx_uint_t nargs, ngx_msec_t timeout,
    ngx_http_wassiit_redis_pt handler, void *data)
{
    ngx_http_wassiit_redis_link_t *link;

    u_char      number[NGX_INT_T_LEN];
    ngx_str_t   all[NGX_HTTP_WASSIIT_REDIS_EVAL
                    + NGX_HTTP_WASSIIT_REDIS_ARGS];

    link = (ngx_http_wassiit_redis_link_t *) redis;

    if (!redis->up || link->nchannels || nargs > NGX_HTTP_WASSIIT_REDIS_ARGS) {
        return NGX_DECLINED;
    }

    ngx_str_set(&all[0], "EVALSHA");
    all[1].data = ngx_http_wassiit_redis_script;
    all[1].len = sizeof(ngx_http_wassiit_redis_script);
    all[2].data = number;
    all[2].len = ngx_sprintf(number, "%ui", nkeys) - number;

    if (nargs) {
        ngx_memcpy(&all[NGX_HTTP_WASSIIT_REDIS_EVAL], args,
                   nargs * sizeof(ngx_str_t));
    }

    return ngx_http_wassiit_redis_push(link, all,
                                       NGX_HTTP_WASSIIT_REDIS_EVAL + nargs, 1,
                                       timeout, handler, data);
}


void
ngx_http_wassiit_redis_flush(ngx_http_wassiit_redis_t *redis)
{
    ngx_http_wassiit_redis_link_t *link;

    link = (ngx_http_wassiit_redis_link_t *) redis;

    if (link->peer.connection) {
        ngx_http_wassiit_redis_write(link->peer.connection->write);
    }
}


ngx_int_t
ngx_http_wassiit_redis_push(ngx_http_wassiit_redis_link_t *link,
    const ngx_str_t *args, ngx_uint_t nargs, ngx_uint_t script,
    ngx_msec_t timeout, ngx_http_wassiit_redis_pt handler, void *data)
{
    size_t                          size;
    u_char                         *p;
    ngx_http_wassiit_redis_call_t  *call;

    call = ngx_http_wassiit_redis_call_get(link);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    size = ngx_wassiit_resp_size(args, nargs);

    p = ngx_http_wassiit_redis_room(link, &link->out, size,
                                    NGX_HTTP_WASSIIT_REDIS_OUT);
    if (p == NULL) {
        goto declined;
    }

    if (script && call->size < size) {

        if (call->bytes) {
            ngx_free(call->bytes);
        }

        call->size = 0;
        call->bytes = ngx_alloc(size, link->cycle->log);

        if (call->bytes == NULL) {
            goto declined;
        }

        call->size = size;
    }

    call->len = ngx_wassiit_resp_write(p, args, nargs) - p;
    link->out.end += call->len;

    if (script) {
        ngx_memcpy(call->bytes, p, call->len);
    }

    call->handler = handler;
    call->data = data;
    call->timeout = timeout;
    call->deadline = ngx_current_msec + timeout;
    call->script = script;
    call->repeated = 0;

    ngx_http_wassiit_redis_queue(link, call);

    return NGX_OK;

declined:

    call->len = 0;
    ngx_http_wassiit_redis_give_back(link, call);

    return NGX_DECLINED;
}


/* One that was used before, as a rule. */

static ngx_http_wassiit_redis_call_t *
ngx_http_wassiit_redis_call_get(ngx_http_wassiit_redis_link_t *link)
{
    ngx_queue_t                    *q;
    ngx_http_wassiit_redis_call_t  *call;

    if (!ngx_queue_empty(&link->free)) {
        q = ngx_queue_head(&link->free);
        ngx_queue_remove(q);

        return ngx_queue_data(q, ngx_http_wassiit_redis_call_t, queue);
    }

    if (link->ncalls == NGX_HTTP_WASSIIT_REDIS_CALLS) {
        return NULL;
    }

    call = ngx_calloc(sizeof(ngx_http_wassiit_redis_call_t),
                      link->cycle->log);

    link->ncalls += (call != NULL);

    return call;
}


/* What it kept may be a partner's line, with secrets. */

static void
ngx_http_wassiit_redis_give_back(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_call_t *call)
{
    if (call->bytes) {
        ngx_explicit_memzero(call->bytes, ngx_min(call->len, call->size));
    }

    ngx_queue_insert_head(&link->free, &call->queue);
}


static void
ngx_http_wassiit_redis_queue(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_call_t *call)
{
    ngx_connection_t  *c;

    c = link->peer.connection;

    ngx_queue_insert_tail(&link->calls, &call->queue);

    /* all that is pushed while events are dealt with goes out at once */

    if (c->write->ready) {
        ngx_post_event(c->write, &ngx_posted_events);
    }

    if (link->state == NGX_HTTP_WASSIIT_REDIS_UP) {
        (void) ngx_http_wassiit_redis_is_late(link);
    }
}


/* Makes room for len more bytes at buf->end.  NULL: there is none. */

static u_char *
ngx_http_wassiit_redis_room(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_buf_t *buf, size_t len, size_t most)
{
    size_t   size, have;
    u_char  *p;

    have = buf->end - buf->start;

    if (buf->data && buf->size - buf->end >= len) {
        return buf->data + buf->end;
    }

    if (have + len > most) {
        return NULL;
    }

    if (buf->data && buf->size >= have + len) {
        ngx_memmove(buf->data, buf->data + buf->start, have);
        ngx_explicit_memzero(buf->data + have, buf->end - have);
        p = buf->data;

    } else {
        size = ngx_max(buf->size, NGX_HTTP_WASSIIT_REDIS_BUF);

        while (size < have + len) {
            size *= 2;
        }

        p = ngx_alloc(size, link->cycle->log);
        if (p == NULL) {
            return NULL;
        }

        if (buf->data) {
            ngx_memcpy(p, buf->data + buf->start, have);
            ngx_explicit_memzero(buf->data, buf->end);
            ngx_free(buf->data);
        }

        buf->data = p;
        buf->size = size;
    }

    buf->start = 0;
    buf->end = have;

    return p + have;
}


void
ngx_http_wassiit_redis_write(ngx_event_t *wev)
{
    ssize_t                         n;
    ngx_connection_t               *c;
    ngx_http_wassiit_redis_buf_t   *out;
    ngx_http_wassiit_redis_link_t  *link;

    c = wev->data;
    link = c->data;
    out = &link->out;

    ngx_http_wassiit_redis_enter(link);

    while (out->start < out->end && wev->ready) {
        n = c->send(c, out->data + out->start, out->end - out->start);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_wassiit_redis_break(link, "can't be written to");
            goto done;
        }

        ngx_explicit_memzero(out->data + out->start, n);
        out->start += n;
    }

    if (out->start == out->end) {
        out->start = 0;
        out->end = 0;
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_wassiit_redis_break(link, "can't be watched");
    }

done:

    ngx_http_wassiit_redis_leave(link);
}


void
ngx_http_wassiit_redis_read(ngx_event_t *rev)
{
    u_char                         *p;
    size_t                          used, left;
    ssize_t                         n;
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_wassiit_resp_t              reply;
    ngx_http_wassiit_redis_buf_t   *in;
    ngx_http_wassiit_redis_link_t  *link;

    c = rev->data;
    link = c->data;
    in = &link->in;

    ngx_http_wassiit_redis_enter(link);

    if (c->close) {
        ngx_http_wassiit_redis_quit(link, c);
        goto done;
    }

    /* a connection that fails is told of by its write event */

    if (link->state == NGX_HTTP_WASSIIT_REDIS_CONNECTING) {
        goto done;
    }

    for ( ;; ) {
        p = ngx_http_wassiit_redis_room(link, in, 4096,
                                        NGX_WASSIIT_RESP_MAX + 4096);
        if (p == NULL) {
            ngx_http_wassiit_redis_break(link, "memory is short");
            goto done;
        }

        n = c->recv(c, p, in->size - in->end);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || n == 0) {
            ngx_http_wassiit_redis_break(link, n ? "can't be read from"
                                                 : "it closed the connection");
            goto done;
        }

        link->pinged = 0;

        /* what was there before has been parsed, and is a reply's beginning */

        in->end += n;
        left = n;

        while (left) {
            p = in->data + in->end - left;
            rc = ngx_wassiit_resp_parse(&link->parser, p, left, &used);
            left -= used;

            if (rc == NGX_AGAIN) {
                break;
            }

            if (rc == NGX_ERROR) {
                ngx_http_wassiit_redis_fail(link,
                                            NGX_HTTP_WASSIIT_REDIS_UNFIT,
                                            "doesn't answer as Redis does");
                goto done;
            }

            p = in->data + in->start;
            used = link->parser.len;
            ngx_wassiit_resp_first(&reply, p, used);
            in->start += used;
            ngx_memzero(&link->parser, sizeof(ngx_wassiit_resp_parser_t));

            rc = ngx_http_wassiit_redis_reply(link, &reply);
            ngx_explicit_memzero(p, used);
            if (rc != NGX_OK) {
                goto done;
            }
        }

        if (in->start == in->end) {
            in->start = 0;
            in->end = 0;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_wassiit_redis_break(link, "can't be watched");
    }

done:

    ngx_http_wassiit_redis_leave(link);
}


/* Returns NGX_OK, or NGX_ABORT: the connection is no more. */

static ngx_int_t
ngx_http_wassiit_redis_reply(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply)
{
    ngx_uint_t                      leave;
    ngx_queue_t                    *q;
    ngx_wassiit_resp_t              error;
    ngx_http_wassiit_redis_call_t  *call;

    if (ngx_queue_empty(&link->calls)) {

        if (link->nchannels) {
            ngx_http_wassiit_redis_pushed(link, reply);

        } else {
            ngx_http_wassiit_redis_fail(link, NGX_HTTP_WASSIIT_REDIS_UNFIT,
                                        "answers what it wasn't asked");
        }

        return link->peer.connection ? NGX_OK : NGX_ABORT;
    }

    q = ngx_queue_head(&link->calls);
    call = ngx_queue_data(q, ngx_http_wassiit_redis_call_t, queue);

    if (call->script
        && ngx_http_wassiit_redis_again(link, call, reply) == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_queue_remove(q);
    ngx_http_wassiit_redis_give_back(link, call);

    error = *reply;
    leave = 0;

    if (link->redis.up && reply->type == NGX_WASSIIT_RESP_ERROR) {
        leave = ngx_http_wassiit_redis_heed(link, &error);
    }

    call->handler(reply, call->data);

    /* nothing more holds up the end of the worker */

    if (link->redis.linger && ngx_queue_empty(&link->calls)
        && link->nchannels == 0 && link->timer.timer_set)
    {
        ngx_del_timer(&link->timer);
    }

    if (leave && link->peer.connection) {
        ngx_http_wassiit_redis_break(link, "%V", &error.text);
    }

    return link->peer.connection ? NGX_OK : NGX_ABORT;
}


/* NGX_OK: the server hasn't the script, and is asked again. */

static ngx_int_t
ngx_http_wassiit_redis_again(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_call_t *call, ngx_wassiit_resp_t *reply)
{
    u_char     *p;
    ngx_str_t   args[3];

    if (call->repeated || reply->type != NGX_WASSIIT_RESP_ERROR
        || reply->text.len < sizeof("NOSCRIPT") - 1
        || ngx_strncmp(reply->text.data, "NOSCRIPT", sizeof("NOSCRIPT") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    if (!link->loading) {
        ngx_str_set(&args[0], "SCRIPT");
        ngx_str_set(&args[1], "LOAD");
        args[2].data = (u_char *) ngx_http_wassiit_ledger;
        args[2].len = sizeof(ngx_http_wassiit_ledger);

        if (ngx_http_wassiit_redis_push(link, args, 3, 0, call->timeout,
                                        ngx_http_wassiit_redis_loaded, link)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        link->loading = 1;
    }

    p = ngx_http_wassiit_redis_room(link, &link->out, call->len,
                                    NGX_HTTP_WASSIIT_REDIS_OUT);
    if (p == NULL) {
        return NGX_DECLINED;
    }

    ngx_memcpy(p, call->bytes, call->len);
    link->out.end += call->len;

    call->repeated = 1;

    ngx_queue_remove(&call->queue);
    ngx_http_wassiit_redis_queue(link, call);

    return NGX_OK;
}


static void
ngx_http_wassiit_redis_loaded(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_redis_link_t *link = data;

    link->loading = 0;
}


/* On a connection with channels. */

static void
ngx_http_wassiit_redis_pushed(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply)
{
    ngx_str_t    channel, text;
    ngx_uint_t   message;

    if (reply->type == NGX_WASSIIT_RESP_ERROR) {
        ngx_http_wassiit_redis_refuse(link, reply);
        return;
    }

    if (reply->type != NGX_WASSIIT_RESP_ARRAY
        || ngx_wassiit_resp_next(reply) != NGX_OK
        || ngx_wassiit_resp_is(reply, "pong"))
    {
        return;
    }

    message = ngx_wassiit_resp_is(reply, "message");

    if (ngx_wassiit_resp_is(reply, "subscribe")) {

        if (++link->subscribed == link->nchannels && !link->redis.up) {
            ngx_http_wassiit_redis_rise(link);
        }

        return;
    }

    if (!message || ngx_wassiit_resp_next(reply) != NGX_OK) {
        return;
    }

    channel = reply->text;

    if (ngx_wassiit_resp_next(reply) != NGX_OK) {
        return;
    }

    text = reply->text;

    if (link->redis.up && link->handlers->message) {
        link->handlers->message(&channel, &text, link->data);
    }
}


/* The worker was told to quit, or, if it takes too long, to end. */

static void
ngx_http_wassiit_redis_quit(ngx_http_wassiit_redis_link_t *link,
    ngx_connection_t *c)
{
    if (!link->redis.up || link->handlers->quit == NULL || c->error) {
        ngx_http_wassiit_redis_halt(link);
        return;
    }

    c->close = 0;
    link->handlers->quit(&link->redis, link->data);

    /* no event is being dealt with, after which what is posted would run */

    if (link->peer.connection) {
        ngx_http_wassiit_redis_write(c->write);
    }
}


ngx_int_t
ngx_http_wassiit_redis_subscribe(ngx_http_wassiit_redis_t *redis,
    ngx_str_t *channels, ngx_uint_t n)
{
    ngx_http_wassiit_redis_link_t *link;

    ngx_uint_t                         i, asked;
    ngx_queue_t                       *last;
    ngx_http_wassiit_redis_channel_t  *channel;

    link = (ngx_http_wassiit_redis_link_t *) redis;
    last = ngx_queue_last(&link->channels);
    asked = (link->nchannels && link->state == NGX_HTTP_WASSIIT_REDIS_GREETING
             && ngx_queue_empty(&link->calls));

    for (i = 0; i < n; i++) {
        channel = ngx_alloc(sizeof(ngx_http_wassiit_redis_channel_t)
                            + channels[i].len, link->cycle->log);
        if (channel == NULL) {
            return NGX_ERROR;
        }

        channel->name.len = channels[i].len;
        channel->name.data = (u_char *) (channel + 1);
        ngx_memcpy(channel->name.data, channels[i].data, channels[i].len);

        ngx_queue_insert_tail(&link->channels, &channel->queue);
        link->nchannels++;
    }

    if (n && (link->redis.up || asked)) {
        return ngx_http_wassiit_redis_push_channels(link, ngx_queue_next(last));
    }

    return NGX_OK;
}


/* It is answered by an array for each, and so is no call. */

ngx_int_t
ngx_http_wassiit_redis_push_channels(ngx_http_wassiit_redis_link_t *link,
    ngx_queue_t *q)
{
    u_char                            *p;
    ngx_str_t                          args[2];
    ngx_http_wassiit_redis_channel_t  *channel;

    ngx_str_set(&args[0], "SUBSCRIBE");

    for ( /* void */ ; q != ngx_queue_sentinel(&link->channels);
         q = ngx_queue_next(q))
    {
        channel = ngx_queue_data(q, ngx_http_wassiit_redis_channel_t, queue);
        args[1] = channel->name;

        p = ngx_http_wassiit_redis_room(link, &link->out,
                                        ngx_wassiit_resp_size(args, 2),
                                        NGX_HTTP_WASSIIT_REDIS_OUT);
        if (p == NULL) {
            return NGX_ERROR;
        }

        link->out.end += ngx_wassiit_resp_write(p, args, 2) - p;
    }

    if (link->peer.connection->write->ready) {
        ngx_post_event(link->peer.connection->write, &ngx_posted_events);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_wassiit_redis_is_late(ngx_http_wassiit_redis_link_t *link)
{
    ngx_msec_int_t                  left, least;
    ngx_queue_t                    *q;
    ngx_http_wassiit_redis_call_t  *call;

    least = NGX_MAX_INT32_VALUE;

    for (q = ngx_queue_head(&link->calls);
         q != ngx_queue_sentinel(&link->calls);
         q = ngx_queue_next(q))
    {
        call = ngx_queue_data(q, ngx_http_wassiit_redis_call_t, queue);
        left = call->deadline - ngx_current_msec;

        if (left <= 0) {
            return 1;
        }

        least = ngx_min(least, left);
    }

    if (link->nchannels) {
        least = ngx_min(least, NGX_HTTP_WASSIIT_REDIS_PING);
    }

    /* a timer that comes too early looks again */

    link->timer.cancelable = !link->redis.linger;

    if (least != NGX_MAX_INT32_VALUE
        && (!link->timer.timer_set
            || (ngx_msec_int_t) (link->timer.timer.key - ngx_current_msec)
               > least))
    {
        ngx_add_timer(&link->timer, least);
    }

    return 0;
}


void
ngx_http_wassiit_redis_ping(ngx_http_wassiit_redis_link_t *link)
{
    u_char     *p;
    ngx_str_t   ping = ngx_string("PING");

    p = ngx_http_wassiit_redis_room(link, &link->out,
                                    ngx_wassiit_resp_size(&ping, 1),
                                    NGX_HTTP_WASSIIT_REDIS_OUT);

    if (p) {
        link->out.end += ngx_wassiit_resp_write(p, &ping, 1) - p;
    }

    link->pinged = 1;
    ngx_post_event(link->peer.connection->write, &ngx_posted_events);
}


/* Forgets what is in it; the reply at hand is before that. */

static void
ngx_http_wassiit_redis_wipe(ngx_http_wassiit_redis_buf_t *buf)
{
    if (buf->data) {
        ngx_explicit_memzero(buf->data + buf->start, buf->end - buf->start);
    }

    buf->start = 0;
    buf->end = 0;
}


void
ngx_http_wassiit_redis_drop(ngx_http_wassiit_redis_link_t *link)
{
    ngx_queue_t                    *q;
    ngx_http_wassiit_redis_call_t  *call;

    ngx_http_wassiit_redis_wipe(&link->out);
    ngx_http_wassiit_redis_wipe(&link->in);

    link->loading = 0;
    link->pinged = 0;
    link->subscribed = 0;
    ngx_memzero(&link->parser, sizeof(ngx_wassiit_resp_parser_t));

    while (!ngx_queue_empty(&link->calls)) {
        q = ngx_queue_head(&link->calls);
        call = ngx_queue_data(q, ngx_http_wassiit_redis_call_t, queue);

        ngx_queue_remove(q);
        ngx_http_wassiit_redis_give_back(link, call);

        call->handler(NULL, call->data);
    }
}


void
ngx_http_wassiit_redis_close(ngx_http_wassiit_redis_t *redis)
{
    ngx_http_wassiit_redis_link_t *link;

    link = (ngx_http_wassiit_redis_link_t *) redis;

    ngx_http_wassiit_redis_enter(link);

    link->closed = 1;
    ngx_http_wassiit_redis_halt(link);

    ngx_http_wassiit_redis_leave(link);
}


void
ngx_http_wassiit_redis_end(void)
{
    ngx_queue_t                    *q;
    ngx_http_wassiit_redis_link_t  *link;

    if (ngx_http_wassiit_redis_links.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_http_wassiit_redis_links)) {
        q = ngx_queue_head(&ngx_http_wassiit_redis_links);
        link = ngx_queue_data(q, ngx_http_wassiit_redis_link_t, queue);

        ngx_http_wassiit_redis_close(&link->redis);
    }
}


static void
ngx_http_wassiit_redis_sha1(u_char *text)
{
    u_char      digest[20];
    ngx_sha1_t  sha1;

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, ngx_http_wassiit_ledger,
                    sizeof(ngx_http_wassiit_ledger));
    ngx_sha1_final(digest, &sha1);

    (void) ngx_hex_dump(text, digest, sizeof(digest));
}
