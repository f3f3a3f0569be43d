
#include "ngx_http_wassiit_turn.h"
#include <ngx_event.h>


static void ngx_http_wassiit_turn_begin(ngx_event_t *ev);
static void ngx_http_wassiit_turn_post(void);


uint64_t            ngx_http_wassiit_spent;

static ngx_queue_t  ngx_http_wassiit_waiting;
static ngx_event_t  ngx_http_wassiit_turn_event;
#if (NGX_DEBUG)
static uint64_t     ngx_http_wassiit_longest;
#endif


uint64_t
ngx_http_wassiit_turn_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/*
 * What little requests take adds up until it is worth an event, so that they
 * needn't each have one.
 */

void
ngx_http_wassiit_turn_spend(uint64_t ns, ngx_log_t *log)
{
    ngx_http_wassiit_spent += ns;

    if (ngx_http_wassiit_spent < NGX_HTTP_WASSIIT_TURN / 4) {
        return;
    }

#if (NGX_DEBUG)
    if (ngx_http_wassiit_spent > ngx_http_wassiit_longest) {
        ngx_http_wassiit_longest = ngx_http_wassiit_spent;

        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, log, 0,
                       "wassiit longest stretch: %uL ns",
                       ngx_http_wassiit_longest);
    }
#endif

    ngx_http_wassiit_turn_post();
}


void
ngx_http_wassiit_turn_wait(ngx_http_wassiit_turn_t *turn)
{
    if (!turn->waiting) {
        turn->waiting = 1;
        ngx_queue_insert_tail(&ngx_http_wassiit_waiting, &turn->queue);
    }

    ngx_http_wassiit_turn_post();
}


void
ngx_http_wassiit_turn_leave(ngx_http_wassiit_turn_t *turn)
{
    if (turn->waiting) {
        ngx_queue_remove(&turn->queue);
        turn->waiting = 0;
    }
}


/* Other events have been seen to: those that wait go on, first come first. */

static void
ngx_http_wassiit_turn_begin(ngx_event_t *ev)
{
    ngx_queue_t              *q;
    ngx_http_wassiit_turn_t  *turn;

    ngx_http_wassiit_spent = 0;

    while (!ngx_http_wassiit_turn_over()
           && !ngx_queue_empty(&ngx_http_wassiit_waiting))
    {
        q = ngx_queue_head(&ngx_http_wassiit_waiting);
        turn = ngx_queue_data(q, ngx_http_wassiit_turn_t, queue);

        ngx_http_wassiit_turn_leave(turn);
        turn->resume(turn);
    }

    if (!ngx_queue_empty(&ngx_http_wassiit_waiting)) {
        ngx_http_wassiit_turn_post();
    }
}


static void
ngx_http_wassiit_turn_post(void)
{
    /* that of the last configuration is gone */
    ngx_http_wassiit_turn_event.log = ngx_cycle->log;

    ngx_post_event(&ngx_http_wassiit_turn_event, &ngx_posted_next_events);
}


void
ngx_http_wassiit_turn_init(void)
{
    if (ngx_http_wassiit_waiting.next == NULL) {
        /* a single process may be configured anew while some wait */
        ngx_queue_init(&ngx_http_wassiit_waiting);
    }

    ngx_http_wassiit_turn_event.handler = ngx_http_wassiit_turn_begin;
}
