
#include "ngx_wassiit_robust.h"


static ngx_int_t ngx_wassiit_robust_result(ngx_err_t err);


ngx_int_t
ngx_wassiit_robust_init(ngx_wassiit_robust_t *robust)
{
    ngx_err_t            err;
    pthread_mutexattr_t  attr;

    err = pthread_mutexattr_init(&attr);

    if (err == 0) {
        err = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);

        if (err == 0) {
            err = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
        }

        if (err == 0) {
            err = pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
        }

        if (err == 0) {
            err = pthread_mutex_init(&robust->mutex, &attr);
        }

        (void) pthread_mutexattr_destroy(&attr);
    }

    ngx_set_errno(err);

    return err ? NGX_ERROR : NGX_OK;
}


uint64_t
ngx_wassiit_robust_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


ngx_int_t
ngx_wassiit_robust_lock(ngx_wassiit_robust_t *robust, uint64_t deadline)
{
    struct timespec  ts;

    ts.tv_sec = deadline / 1000;
    ts.tv_nsec = deadline % 1000 * 1000000;

    return ngx_wassiit_robust_result(pthread_mutex_clocklock(&robust->mutex,
                                                             CLOCK_MONOTONIC,
                                                             &ts));
}


ngx_int_t
ngx_wassiit_robust_trylock(ngx_wassiit_robust_t *robust)
{
    return ngx_wassiit_robust_result(pthread_mutex_trylock(&robust->mutex));
}


static ngx_int_t
ngx_wassiit_robust_result(ngx_err_t err)
{
    switch (err) {

    case 0:
        return NGX_OK;

    case EOWNERDEAD:
        return NGX_DONE;

    case EBUSY:
    case ETIMEDOUT:
    case EDEADLK:
        return NGX_BUSY;

    default:
        ngx_set_errno(err);
        return NGX_ERROR;
    }
}


void
ngx_wassiit_robust_consistent(ngx_wassiit_robust_t *robust)
{
    (void) pthread_mutex_consistent(&robust->mutex);
}


void
ngx_wassiit_robust_unlock(ngx_wassiit_robust_t *robust)
{
    (void) pthread_mutex_unlock(&robust->mutex);
}
