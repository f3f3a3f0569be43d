
/*
 * A thread of a worker for what waits for the disk, which is there for one task
 * and ends with it.  While a process has a second thread, the kernel counts
 * each use of a descriptor, and libc takes locks: that costs each request.
 */


#ifndef _NGX_HTTP_WASSIIT_THREAD_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_THREAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * What a worker does before the first task: it starts no thread yet.  Returns
 * NGX_OK; NGX_ERROR: that failed, and was logged.
 */
ngx_int_t ngx_http_wassiit_thread_init(ngx_cycle_t *cycle);

/*
 * Has task called in a thread, and then done by the event loop.  One task of a
 * process at a time: the next one from done() on.  Returns NGX_OK; NGX_ERROR:
 * no thread could be started, errno says why, and neither is called.
 */
ngx_int_t ngx_http_wassiit_thread_start(void (*task)(void *data),
    void (*done)(void *data), void *data);

/*
 * Waits until the last task has come to its end.  A worker that exits calls it
 * before anything that the task uses goes, this code included.
 */
void ngx_http_wassiit_thread_end(void);


#endif /* _NGX_HTTP_WASSIIT_THREAD_H_INCLUDED_ */
