
/*
 * A connection to Redis or Valkey on nginx's event loop.  It is made in the
 * background, to the one of several servers that is the master, and anew
 * whenever it breaks.  Nothing here waits, and a call makes no system call.
 */


#ifndef _NGX_HTTP_WASSIIT_REDIS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_wassiit_resp.h"


/* versions as numbers: 7.0.15 */
#define NGX_HTTP_WASSIIT_REDIS_VERSION(major, minor, patch)                   \
    ((major) * 10000 + (minor) * 100 + (patch))

/* a call that would make more bytes wait for the socket is declined */
#define NGX_HTTP_WASSIIT_REDIS_OUT    1048576

/* arguments of the script, keys among them */
#define NGX_HTTP_WASSIIT_REDIS_ARGS   1024

/* calls under way, of one connection */
#define NGX_HTTP_WASSIIT_REDIS_CALLS  1024

#define NGX_HTTP_WASSIIT_REDIS_RUN_ID  64      /* bytes at most; 40 */


typedef struct {
    ngx_str_t                       text;       /* as it is configured */
    ngx_str_t                       host;       /* a name; else empty */
    ngx_str_t                       ssl_name;   /* of its certificate: a name
                                                   or an address; ends in 0 */
    in_port_t                       port;       /* of the name */
    ngx_addr_t                     *addrs;      /* as of the start */
    ngx_uint_t                      naddrs;
} ngx_http_wassiit_redis_server_t;


/* what wassiit_redis says */

typedef struct {
    ngx_str_t                       zone;
    ngx_array_t                     servers;    /* of the above */
    ngx_str_t                       user;       /* empty: none is sent */
    ngx_str_t                       password;   /* empty: no AUTH */
    ngx_str_t                       ssl_name;   /* ends in 0; empty: the
                                                   servers' own */
    ngx_ssl_t                      *ssl;        /* NULL: in clear */
    u_char                         *conf_file;
    ngx_uint_t                      conf_line;
} ngx_http_wassiit_redis_conf_t;


/* what is known of the server; the rest is redis.c's */

typedef struct {
    ngx_http_wassiit_redis_conf_t  *conf;
    ngx_str_t                       run_id;     /* the rest: while it is up,
                                                   and as it was last */
    ngx_uint_t                      version;    /* a number as above; of
                                                   Valkey its own */
    ngx_msec_t                      pause;      /* the caller may make it less:
                                                   at most, until a connection
                                                   that broke is tried again */
    unsigned                        up:1;       /* calls are taken */
    unsigned                        valkey:1;
    unsigned                        waitaof:1;  /* the server knows WAITAOF */

    /* the caller's: calls under way hold up the end of a worker that
       quits; another connection says when this server comes and goes */
    unsigned                        linger:1;
    unsigned                        quiet:1;
} ngx_http_wassiit_redis_t;


/*
 * All may call, subscribe and close.  Each may be NULL.
 */

typedef struct {
    /* a master, authenticated; the channels, if any, are subscribed to */
    void (*up)(ngx_http_wassiit_redis_t *redis, void *data);

    /* follows each up once; calls under way have been answered with NULL */
    void (*down)(ngx_http_wassiit_redis_t *redis, void *data);

    /* on a channel that is subscribed to; both live until it returns */
    void (*message)(ngx_str_t *channel, ngx_str_t *text, void *data);

    /*
     * The worker was told to quit, and the connection is up.  It stays so while
     * requests are finished: until it breaks, until redis_close(), or until the
     * process exits, which waits for calls only if linger is set.  NULL: the
     * connection is closed at once.
     */
    void (*quit)(ngx_http_wassiit_redis_t *redis, void *data);
} ngx_http_wassiit_redis_handlers_t;


/*
 * The reply lives until the handler returns.  NULL: the connection broke, or no
 * answer came in time: the call may have been executed or not.
 */
typedef void (*ngx_http_wassiit_redis_pt)(ngx_wassiit_resp_t *reply,
    void *data);


/*
 * Connects in the background.  To be called in a worker; conf and handlers live
 * as long as the process.  NULL: memory is short.
 */
ngx_http_wassiit_redis_t *ngx_http_wassiit_redis_open(
    ngx_http_wassiit_redis_conf_t *conf,
    const ngx_http_wassiit_redis_handlers_t *handlers, void *data,
    ngx_cycle_t *cycle);

/*
 * Sends a command of nargs arguments, its name the first, and has the handler
 * called with the answer, never before this returns.  The arguments are
 * copied.
 * A call that isn't answered within timeout breaks the connection, as answers
 * come in order.  Returns NGX_OK, or NGX_DECLINED, and the handler isn't
 * called: it isn't up, channels are subscribed to, or too much waits already.
 */
ngx_int_t ngx_http_wassiit_redis_call(ngx_http_wassiit_redis_t *redis,
    ngx_str_t *args, ngx_uint_t nargs, ngx_msec_t timeout,
    ngx_http_wassiit_redis_pt handler, void *data);

/*
 * The same for the ledger's script, of which args are nkeys keys, then the rest
 * of nargs.  If the server hasn't the script (any more), it is loaded, and the
 * call repeated within its timeout.
 */
ngx_int_t ngx_http_wassiit_redis_eval(ngx_http_wassiit_redis_t *redis,
    ngx_str_t *args, ngx_uint_t nkeys, ngx_uint_t nargs, ngx_msec_t timeout,
    ngx_http_wassiit_redis_pt handler, void *data);

/* Sends at once what was called, as far as the socket takes it: the last words
   of a process that exits, which gets no answers. */
void ngx_http_wassiit_redis_flush(ngx_http_wassiit_redis_t *redis);

/*
 * Subscribes to n more channels, now or as soon as there is a connection, and
 * again after each new one.  From then on it takes no calls.  Their names are
 * copied.  Returns NGX_OK or NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_redis_subscribe(ngx_http_wassiit_redis_t *redis,
    ngx_str_t *channels, ngx_uint_t n);

/*
 * Closes and frees it.  Calls under way are answered with NULL first; down
 * isn't called.
 */
void ngx_http_wassiit_redis_close(ngx_http_wassiit_redis_t *redis);

/* Closes all that this process has: it exits. */
void ngx_http_wassiit_redis_end(void);


#endif /* _NGX_HTTP_WASSIIT_REDIS_H_INCLUDED_ */
