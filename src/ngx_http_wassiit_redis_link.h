
/*
 * What the files of the client share: a connection, made anew whenever it
 * breaks.
 *
 *     WAITING --- timer --> LOOKUP --- resolved --> CONNECTING
 *        ^                    |                        |  connected
 *        |                    |                        v
 *        +--- _fail() --------+-------------------- GREETING -- _rise() --> UP
 *        |                                                                  |
 *        +--- _break() ----------------------------------------------------+
 *
 * _fail() goes on with the next server, and at the end of a round waits longer.
 * Both close the connection, and neither makes another before the event at hand
 * has been dealt with.  The worker quits, or it is closed: STOPPED.
 */


#ifndef _NGX_HTTP_WASSIIT_REDIS_LINK_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_REDIS_LINK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>

#include "ngx_http_wassiit_redis.h"


/* to connect, with TLS and the greeting */
#define NGX_HTTP_WASSIIT_REDIS_CONNECT  2000    /* ms */

/* a connection with channels is asked whether it lives */
#define NGX_HTTP_WASSIIT_REDIS_PING     2000    /* ms */

#define NGX_HTTP_WASSIIT_REDIS_TEXT     512     /* bytes of a reason */
#define NGX_HTTP_WASSIIT_REDIS_ADDRS    16      /* of a name */


typedef enum {
    NGX_HTTP_WASSIIT_REDIS_WAITING = 0,
    NGX_HTTP_WASSIIT_REDIS_LOOKUP,
    NGX_HTTP_WASSIIT_REDIS_CONNECTING,
    NGX_HTTP_WASSIIT_REDIS_GREETING,
    NGX_HTTP_WASSIIT_REDIS_UP,
    NGX_HTTP_WASSIIT_REDIS_STOPPED
} ngx_http_wassiit_redis_state_e;


/* why there is no master, the worst last; each is logged once until it is up */

typedef enum {
    NGX_HTTP_WASSIIT_REDIS_REPLICA = 0,
    NGX_HTTP_WASSIIT_REDIS_AWAY,        /* no connection, no answer */
    NGX_HTTP_WASSIIT_REDIS_LOADING,
    NGX_HTTP_WASSIIT_REDIS_UNFIT,       /* too old, a cluster's, no Redis */
    NGX_HTTP_WASSIIT_REDIS_UNTRUSTED,   /* TLS */
    NGX_HTTP_WASSIIT_REDIS_DENIED,      /* password, rights */
    NGX_HTTP_WASSIIT_REDIS_CAUSES
} ngx_http_wassiit_redis_cause_e;


typedef struct ngx_http_wassiit_redis_link_s  ngx_http_wassiit_redis_link_t;


typedef struct {
    ngx_queue_t                     queue;
    ngx_http_wassiit_redis_pt       handler;
    void                           *data;
    ngx_msec_t                      deadline;
    ngx_msec_t                      timeout;
    unsigned                        script:1;   /* bytes has the call */
    unsigned                        repeated:1;

    u_char                         *bytes;      /* kept for the next one */
    size_t                          size;
    size_t                          len;
} ngx_http_wassiit_redis_call_t;


typedef struct {
    u_char                         *data;
    size_t                          size;
    size_t                          start;
    size_t                          end;
} ngx_http_wassiit_redis_buf_t;


struct ngx_http_wassiit_redis_link_s {
    ngx_http_wassiit_redis_t        redis;      /* what the caller sees */
    ngx_queue_t                     queue;      /* all of the process */

    const ngx_http_wassiit_redis_handlers_t  *handlers;
    void                           *data;
    ngx_cycle_t                    *cycle;

    ngx_http_wassiit_redis_state_e  state;
    ngx_uint_t                      busy;       /* events being dealt with */
    unsigned                        closed:1;
    unsigned                        loading:1;  /* the script */
    unsigned                        pinged:1;   /* and nothing came since */

    /* where it is in a round of the servers */
    ngx_uint_t                      server;
    ngx_uint_t                      servers;    /* that are left */
    ngx_uint_t                      addr;
    ngx_uint_t                      naddrs;
    ngx_sockaddr_t                  sockaddrs[NGX_HTTP_WASSIIT_REDIS_ADDRS];
    socklen_t                       socklens[NGX_HTTP_WASSIIT_REDIS_ADDRS];
    ngx_resolver_ctx_t             *lookup;

    ngx_peer_connection_t           peer;
    ngx_str_t                       name;       /* "10.0.0.5:6379" */
    u_char                          name_data[NGX_SOCKADDR_STRLEN];
    ngx_msec_t                      since;      /* when it came up */
    ngx_msec_t                      delay;      /* of the next round */

    ngx_event_t                     timer;
    ngx_connection_t                nobody;     /* the timer's */

    ngx_queue_t                     calls;      /* in the order of answers */
    ngx_queue_t                     free;
    ngx_uint_t                      ncalls;
    ngx_http_wassiit_redis_buf_t    out;
    ngx_http_wassiit_redis_buf_t    in;
    ngx_wassiit_resp_parser_t       parser;

    ngx_queue_t                     channels;
    ngx_uint_t                      nchannels;
    ngx_uint_t                      subscribed;

    u_char                          run_id[NGX_HTTP_WASSIIT_REDIS_RUN_ID];

    /* what nginx says of the connection itself, kept instead of logged */
    ngx_log_t                       log;
    size_t                          said_len;
    u_char                          said[NGX_HTTP_WASSIIT_REDIS_TEXT];

    /* of the round: its causes, as a bit each, and their texts */
    ngx_uint_t                      cause;
    ngx_uint_t                      told;       /* causes that were logged */
    size_t                          text_len;
    u_char                          text[NGX_HTTP_WASSIIT_REDIS_TEXT];
    ngx_uint_t                      complained; /* of answers, a bit each */
};


/* redis.c */

/*
 * As ngx_http_wassiit_redis_call(), in any state that has a connection.  With
 * script set the bytes are kept, to be repeated.
 */
ngx_int_t ngx_http_wassiit_redis_push(ngx_http_wassiit_redis_link_t *link,
    const ngx_str_t *args, ngx_uint_t nargs, ngx_uint_t script,
    ngx_msec_t timeout, ngx_http_wassiit_redis_pt handler, void *data);

/* Subscribes to all channels from the one at q on. */
ngx_int_t ngx_http_wassiit_redis_push_channels(
    ngx_http_wassiit_redis_link_t *link, ngx_queue_t *q);

void ngx_http_wassiit_redis_read(ngx_event_t *rev);
void ngx_http_wassiit_redis_write(ngx_event_t *wev);

/* On one with channels: what it sends next shows that it lives. */
void ngx_http_wassiit_redis_ping(ngx_http_wassiit_redis_link_t *link);

/* Answers all calls with NULL, and forgets what came and was to go. */
void ngx_http_wassiit_redis_drop(ngx_http_wassiit_redis_link_t *link);

/* Whether a call is overdue; else sets the timer. */
ngx_uint_t ngx_http_wassiit_redis_is_late(
    ngx_http_wassiit_redis_link_t *link);

/* redis_connect.c */

void ngx_http_wassiit_redis_start(ngx_http_wassiit_redis_link_t *link);

/* It is a master, and there is nothing more to ask. */
void ngx_http_wassiit_redis_rise(ngx_http_wassiit_redis_link_t *link);

/* This server won't do: text says why, after its name. */
void ngx_http_wassiit_redis_fail(ngx_http_wassiit_redis_link_t *link,
    ngx_http_wassiit_redis_cause_e cause, const char *fmt, ...);

/* The connection is of no use any more. */
void ngx_http_wassiit_redis_break(ngx_http_wassiit_redis_link_t *link,
    const char *fmt, ...);

/* No connection from now on.  Calls are answered, down isn't called. */
void ngx_http_wassiit_redis_halt(ngx_http_wassiit_redis_link_t *link);

/* Around the handling of an event; the second frees what was closed in it. */
void ngx_http_wassiit_redis_enter(ngx_http_wassiit_redis_link_t *link);
void ngx_http_wassiit_redis_leave(ngx_http_wassiit_redis_link_t *link);

/* redis_greet.c */

/* Asks who it is, and whether it is the master. */
void ngx_http_wassiit_redis_greet(ngx_http_wassiit_redis_link_t *link);

/* The server refuses what was asked before it is up. */
void ngx_http_wassiit_redis_refuse(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply);

/*
 * An answer to a caller: says what an operator must know.  Returns 1 if it is
 * better to look for another server.
 */
ngx_uint_t ngx_http_wassiit_redis_heed(ngx_http_wassiit_redis_link_t *link,
    ngx_wassiit_resp_t *reply);


#endif /* _NGX_HTTP_WASSIIT_REDIS_LINK_H_INCLUDED_ */
