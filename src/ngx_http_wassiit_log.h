
/* The error log, where clients decide how many lines there are. */


#ifndef _NGX_HTTP_WASSIIT_LOG_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_LOG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Asks before a line that a client can cause at will.  Returns 1 if it is to be
 * written: at most 10 lines a second, in this worker, to one log, and 10 more
 * of level NGX_LOG_ERR and graver, which refusals don't use up.  Returns 0 if
 * it is left out: it is counted under kind, which lives as long as the process,
 * and another line soon says how many there were of each kind.  Returns 0 also
 * if the log takes no line of that level; it is not counted then.
 */
ngx_uint_t ngx_http_wassiit_log_admits(ngx_log_t *log, ngx_uint_t level,
    const ngx_str_t *kind);

/* Says now what was left out: the process ends. */
void ngx_http_wassiit_log_end(void);


#endif /* _NGX_HTTP_WASSIIT_LOG_H_INCLUDED_ */
