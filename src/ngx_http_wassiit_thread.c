
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_channel.h>

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "ngx_wassiit_atomic.h"
#include "ngx_http_wassiit_thread.h"


/* a line that jansson goes 2,048 levels into takes a third of it */
#define THREAD_STACK    (2 * 1024 * 1024)


static ngx_err_t ngx_http_wassiit_thread_create(pthread_t *id);
static void *ngx_http_wassiit_thread_run(void *data);
static void ngx_http_wassiit_thread_done(ngx_event_t *ev);


typedef struct {
    int                 fd;         /* written to at the end of each task */
    uint32_t            ended;      /* by the thread: done() is to be called */

    void              (*task)(void *data);
    void              (*done)(void *data);
    void               *data;

    /* Nobody waits for the last thread to end, but the next one. */
    pthread_t           last;
    ngx_uint_t          started;    /* last is one */
    pthread_t           former;
    ngx_uint_t          follows;    /* former is one */
} ngx_http_wassiit_thread_t;


static ngx_http_wassiit_thread_t  ngx_http_wassiit_thread = { .fd = -1 };


ngx_int_t
ngx_http_wassiit_thread_init(ngx_cycle_t *cycle)
{
    int  fd;

    fd = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "eventfd() failed");
        return NGX_ERROR;
    }

    /* as long as the process lives, like the master's channel */

    if (ngx_add_channel_event(cycle, fd, NGX_READ_EVENT,
                              ngx_http_wassiit_thread_done)
        != NGX_OK)
    {
        (void) close(fd);
        return NGX_ERROR;
    }

    ngx_http_wassiit_thread.fd = fd;

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_thread_start(void (*task)(void *data),
    void (*done)(void *data), void *data)
{
    pthread_t                   id;
    ngx_err_t                   err;
    ngx_http_wassiit_thread_t  *thread;

    thread = &ngx_http_wassiit_thread;

    thread->task = task;
    thread->done = done;
    thread->data = data;
    thread->former = thread->last;
    thread->follows = thread->started;

    err = ngx_http_wassiit_thread_create(&id);

    if (err) {
        ngx_set_errno(err);
        return NGX_ERROR;
    }

    thread->last = id;
    thread->started = 1;

    return NGX_OK;
}


static ngx_err_t
ngx_http_wassiit_thread_create(pthread_t *id)
{
    sigset_t        all, mask;
    ngx_err_t       err;
    pthread_attr_t  attr;

    err = pthread_attr_init(&attr);
    if (err) {
        return err;
    }

    err = pthread_attr_setstacksize(&attr, THREAD_STACK);

    if (err == 0) {
        /* signals are for nginx's own; a fault is of who has caused it */

        sigfillset(&all);
        sigdelset(&all, SIGILL);
        sigdelset(&all, SIGFPE);
        sigdelset(&all, SIGSEGV);
        sigdelset(&all, SIGBUS);

        (void) pthread_sigmask(SIG_SETMASK, &all, &mask);

        err = pthread_create(id, &attr, ngx_http_wassiit_thread_run,
                             &ngx_http_wassiit_thread);

        (void) pthread_sigmask(SIG_SETMASK, &mask, NULL);
    }

    (void) pthread_attr_destroy(&attr);

    return err;
}


static void *
ngx_http_wassiit_thread_run(void *data)
{
    ngx_http_wassiit_thread_t *thread = data;

    uint64_t  n;

    if (thread->follows) {
        /* it has done its task, and is all but gone */
        (void) pthread_join(thread->former, NULL);
    }

    thread->task(thread->data);

    ngx_wassiit_store_release(&thread->ended, 1);

    n = 1;

    if (write(thread->fd, &n, sizeof(n)) != sizeof(n)) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_errno,
                      "write() to eventfd failed");
    }

    return NULL;
}


static void
ngx_http_wassiit_thread_done(ngx_event_t *ev)
{
    uint64_t                    n;
    ngx_http_wassiit_thread_t  *thread;

    thread = &ngx_http_wassiit_thread;

    if (read(thread->fd, &n, sizeof(n)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_errno,
                      "read() from eventfd failed");
    }

    if (ngx_wassiit_load_acquire(&thread->ended)) {
        thread->ended = 0;
        thread->done(thread->data);
    }
}


void
ngx_http_wassiit_thread_end(void)
{
    if (ngx_http_wassiit_thread.started) {
        (void) pthread_join(ngx_http_wassiit_thread.last, NULL);
        ngx_http_wassiit_thread.started = 0;
    }
}
