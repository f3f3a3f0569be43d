
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_http_wassiit_log.h"


/* a second, to one log, of each budget */
#define NGX_HTTP_WASSIIT_LOG_LINES  10

/* more than there are */
#define NGX_HTTP_WASSIIT_LOG_KINDS  32

/* bytes of a sum's text: 32 of each kind, and their counts */
#define NGX_HTTP_WASSIIT_LOG_TEXT   1600


/*
 * Refusals, which clients cause, leave room for what an operator must mend.
 */

enum {
    LOG_ERRORS = 0,                             /* NGX_LOG_ERR and graver */
    LOG_REFUSALS,                               /* all else */
    LOG_BUDGETS
};


typedef struct {
    const ngx_str_t               *kind;
    ngx_uint_t                     lines;
} ngx_http_wassiit_left_out_t;


/* what this process writes to one log, whichever directives lead there */

typedef struct ngx_http_wassiit_log_s  ngx_http_wassiit_log_t;

struct ngx_http_wassiit_log_s {
    ngx_http_wassiit_log_t        *next;
    ngx_log_t                      log;         /* no connection's */
    time_t                         second;      /* that the rest is of */
    ngx_uint_t                     written[LOG_BUDGETS];    /* lines */
    ngx_uint_t                     left_out;    /* lines; log is set if any */
    ngx_uint_t                     level;       /* the gravest left out */
    ngx_uint_t                     kinds;
    ngx_http_wassiit_left_out_t    kind[NGX_HTTP_WASSIIT_LOG_KINDS];
};


static ngx_http_wassiit_log_t *ngx_http_wassiit_log_find(ngx_log_t *log);
static void ngx_http_wassiit_log_leave_out(ngx_http_wassiit_log_t *wlog,
    ngx_log_t *log, ngx_uint_t level, const ngx_str_t *kind);
static void ngx_http_wassiit_log_sum(ngx_http_wassiit_log_t *wlog);
static void ngx_http_wassiit_log_timer(ngx_event_t *ev);


static ngx_http_wassiit_log_t  *ngx_http_wassiit_logs;

/* what is left out is summed up, even if nothing is logged after it */
static ngx_event_t       ngx_http_wassiit_log_event;
static ngx_connection_t  ngx_http_wassiit_log_nobody;


ngx_uint_t
ngx_http_wassiit_log_admits(ngx_log_t *log, ngx_uint_t level,
    const ngx_str_t *kind)
{
    ngx_uint_t               budget;
    ngx_http_wassiit_log_t  *wlog;

    if (log->log_level < level) {
        return 0;
    }

    wlog = ngx_http_wassiit_log_find(log);
    if (wlog == NULL) {
        return 1;
    }

    if (wlog->second != ngx_time()) {
        ngx_http_wassiit_log_sum(wlog);
        wlog->second = ngx_time();
        ngx_memzero(wlog->written, sizeof(wlog->written));
    }

    budget = (level <= NGX_LOG_ERR) ? LOG_ERRORS : LOG_REFUSALS;

    if (wlog->written[budget] < NGX_HTTP_WASSIIT_LOG_LINES) {
        wlog->written[budget]++;
        return 1;
    }

    ngx_http_wassiit_log_leave_out(wlog, log, level, kind);

    return 0;
}


/*
 * A connection's log is a copy, which has the file or the writer of the log
 * that error_log names.  NULL: memory is short.
 */

static ngx_http_wassiit_log_t *
ngx_http_wassiit_log_find(ngx_log_t *log)
{
    ngx_http_wassiit_log_t  *wlog, *idle;

    idle = NULL;

    for (wlog = ngx_http_wassiit_logs; wlog; wlog = wlog->next) {

        if (wlog->log.file == log->file && wlog->log.wdata == log->wdata) {
            return wlog;
        }

        if (wlog->second != ngx_time() && wlog->left_out == 0) {
            idle = wlog;
        }
    }

    wlog = idle;

    if (wlog == NULL) {
        wlog = ngx_calloc(sizeof(ngx_http_wassiit_log_t), ngx_cycle->log);
        if (wlog == NULL) {
            return NULL;
        }

        wlog->next = ngx_http_wassiit_logs;
        ngx_http_wassiit_logs = wlog;
    }

    wlog->log.file = log->file;
    wlog->log.wdata = log->wdata;
    wlog->second = 0;

    return wlog;
}


static void
ngx_http_wassiit_log_leave_out(ngx_http_wassiit_log_t *wlog, ngx_log_t *log,
    ngx_uint_t level, const ngx_str_t *kind)
{
    ngx_uint_t    i;
    ngx_event_t  *ev;

    if (wlog->left_out++ == 0) {
        wlog->log = *log;
        wlog->log.connection = 0;
        wlog->log.handler = NULL;
        wlog->log.data = NULL;
        wlog->level = level;
    }

    wlog->level = ngx_min(wlog->level, level);

    for (i = 0; i < wlog->kinds; i++) {
        if (wlog->kind[i].kind == kind) {
            break;
        }
    }

    if (i == wlog->kinds && i < NGX_HTTP_WASSIIT_LOG_KINDS) {
        wlog->kind[i].kind = kind;
        wlog->kind[i].lines = 0;
        wlog->kinds++;
    }

    if (i < NGX_HTTP_WASSIIT_LOG_KINDS) {
        wlog->kind[i].lines++;
    }

    ev = &ngx_http_wassiit_log_event;

    if (!ev->timer_set) {
        ngx_http_wassiit_log_nobody.fd = (ngx_socket_t) -1;
        ev->data = &ngx_http_wassiit_log_nobody;
        ev->handler = ngx_http_wassiit_log_timer;
        ev->log = ngx_cycle->log;
        ev->cancelable = 1;
        ngx_add_timer(ev, 1000);
    }
}


static void
ngx_http_wassiit_log_sum(ngx_http_wassiit_log_t *wlog)
{
    u_char                       *p, *last;
    u_char                        text[NGX_HTTP_WASSIIT_LOG_TEXT];
    ngx_uint_t                    i;
    ngx_http_wassiit_left_out_t  *left_out;

    if (wlog->left_out == 0) {
        return;
    }

    p = text;
    last = text + NGX_HTTP_WASSIIT_LOG_TEXT;

    for (i = 0; i < wlog->kinds; i++) {
        left_out = &wlog->kind[i];
        p = ngx_slprintf(p, last, "%s%V %ui", i ? ", " : "", left_out->kind,
                         left_out->lines);
    }

    ngx_log_error(wlog->level, &wlog->log, 0,
                  "wassiit: %ui lines more within a second: %*s",
                  wlog->left_out, (size_t) (p - text), text);

    wlog->left_out = 0;
    wlog->kinds = 0;
}


static void
ngx_http_wassiit_log_timer(ngx_event_t *ev)
{
    ngx_http_wassiit_log_t  *wlog;

    for (wlog = ngx_http_wassiit_logs; wlog; wlog = wlog->next) {

        if (wlog->second != ngx_time()) {
            ngx_http_wassiit_log_sum(wlog);

        } else if (wlog->left_out && !ev->timer_set) {
            ngx_add_timer(ev, 1000);
        }
    }
}


void
ngx_http_wassiit_log_end(void)
{
    ngx_http_wassiit_log_t  *wlog;

    for (wlog = ngx_http_wassiit_logs; wlog; wlog = wlog->next) {
        ngx_http_wassiit_log_sum(wlog);
    }
}
