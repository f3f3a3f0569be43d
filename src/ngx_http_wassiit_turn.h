
/*
 * How long a worker may work at a stretch.  Hashing and parsing take their
 * time, so all requests of a worker share turns: after a turn of work, other
 * events are seen to first.
 */


#ifndef _NGX_HTTP_WASSIIT_TURN_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_TURN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* nanoseconds: at most two turns, and a piece of work each, come between
 * events */
#define NGX_HTTP_WASSIIT_TURN    500000


typedef struct ngx_http_wassiit_turn_s  ngx_http_wassiit_turn_t;

/* one that may have to wait; all zero at first, and in the caller's memory */

struct ngx_http_wassiit_turn_s {
    ngx_queue_t                    queue;
    void                         (*resume)(ngx_http_wassiit_turn_t *turn);
    unsigned                       waiting:1;
};


/* nanoseconds that this worker has spent since other events were seen to */
extern uint64_t  ngx_http_wassiit_spent;


/* Is it time to see to other events? */
#define ngx_http_wassiit_turn_over()                                         \
    (ngx_http_wassiit_spent >= NGX_HTTP_WASSIIT_TURN)


/* Nanoseconds of a clock that only goes forward. */
uint64_t ngx_http_wassiit_turn_clock(void);

/* Notes work of so many nanoseconds. */
void ngx_http_wassiit_turn_spend(uint64_t ns, ngx_log_t *log);

/*
 * Has turn->resume() called when other events have been seen to, first come
 * first; turn doesn't wait any more then.
 */
void ngx_http_wassiit_turn_wait(ngx_http_wassiit_turn_t *turn);

/* Waits no longer, if it does.  To be called before the memory goes. */
void ngx_http_wassiit_turn_leave(ngx_http_wassiit_turn_t *turn);

/* To be called once a configuration. */
void ngx_http_wassiit_turn_init(void);


#endif /* _NGX_HTTP_WASSIIT_TURN_H_INCLUDED_ */
