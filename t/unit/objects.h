
/*
 * What the state sources take from nginx's own objects, for a unit test that
 * is linked with them: memory, formats, a log that keeps its last lines.
 * Included once, after unit.h.
 */


#ifndef _UNIT_OBJECTS_H_INCLUDED_
#define _UNIT_OBJECTS_H_INCLUDED_


#include "unit.h"

#include <sys/mman.h>


#define UNIT_LOG_SIZE       4096


ngx_uint_t             ngx_test_config;
ngx_uint_t             ngx_process;
ngx_pid_t              ngx_pid;

static ngx_log_t       unit_log = { .log_level = NGX_LOG_DEBUG };
static ngx_cycle_t     unit_cycle = { .log = &unit_log };
volatile ngx_cycle_t  *ngx_cycle = &unit_cycle;

static char            unit_logged[UNIT_LOG_SIZE];  /* "level: text\n" ... */
static size_t          unit_logged_len;
static ngx_err_t       unit_logged_err;         /* the last line's */

static ngx_uint_t      unit_alloc_fails;        /* the n-th; 0: none */


/* FNV-1a, and what spreads its bits */

uint32_t
ngx_murmur_hash2(u_char *p, size_t len)
{
    uint32_t  h;

    h = 2166136261;

    while (len--) {
        h = (h ^ *p++) * 16777619;
    }

    return (h ^ h >> 15) * 0x5bd1e995;
}


/* As much of the text as there is room for. */

static ngx_inline u_char *
unit_put(u_char *buf, u_char *last, const void *text, size_t len)
{
    len = ngx_min(len, (size_t) (last - buf));

    return len ? ngx_cpymem(buf, text, len) : buf;
}


/* The conversions that the sources use, and no other. */

u_char *
ngx_vslprintf(u_char *buf, u_char *last, const char *fmt, va_list args)
{
    char         number[32];
    size_t       len;
    ngx_str_t   *v;
    const char  *text;

    for ( ; *fmt; fmt++) {

        if (*fmt != '%') {
            buf = unit_put(buf, last, fmt, 1);
            continue;
        }

        fmt++;
        text = number;
        len = 0;

        if (*fmt == 'V') {
            v = va_arg(args, ngx_str_t *);
            text = (char *) v->data;
            len = v->len;

        } else if (*fmt == 's') {
            text = va_arg(args, char *);
            len = strlen(text);

        } else if (fmt[0] == '*' && fmt[1] == 's') {
            len = va_arg(args, size_t);
            text = va_arg(args, char *);
            fmt++;

        } else if (fmt[0] == 'u' && (fmt[1] == 'i' || fmt[1] == 'z')) {
            len = snprintf(number, sizeof(number), "%zu",
                           va_arg(args, size_t));
            fmt++;

        } else if (fmt[0] == 'u' && fmt[1] == 'L') {
            len = snprintf(number, sizeof(number), "%llu",
                           (unsigned long long) va_arg(args, uint64_t));
            fmt++;

        } else if (fmt[0] == 'u' && fmt[1] == 'D') {
            len = snprintf(number, sizeof(number), "%u",
                           (unsigned) va_arg(args, uint32_t));
            fmt++;

        } else if (*fmt == 'L') {
            len = snprintf(number, sizeof(number), "%lld",
                           (long long) va_arg(args, int64_t));

        } else if (*fmt == 'M') {
            len = snprintf(number, sizeof(number), "%zu",
                           (size_t) va_arg(args, ngx_msec_t));

        } else if (*fmt == '%') {
            text = "%";
            len = 1;

        } else if (*fmt == 'O') {
            len = snprintf(number, sizeof(number), "%lld",
                           (long long) va_arg(args, off_t));

        } else if (*fmt == 'd') {
            len = snprintf(number, sizeof(number), "%d", va_arg(args, int));

        } else if (*fmt == 'Z') {
            text = "";
            len = 1;

        } else {
            fprintf(stderr, "no such conversion: %%%s\n", fmt);
            abort();
        }

        buf = unit_put(buf, last, text, len);
    }

    return buf;
}


u_char *
ngx_snprintf(u_char *buf, size_t max, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    buf = ngx_vslprintf(buf, buf + max, fmt, args);
    va_end(args);

    return buf;
}


u_char *
ngx_sprintf(u_char *buf, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    buf = ngx_vslprintf(buf, (void *) -1, fmt, args);
    va_end(args);

    return buf;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    va_list    args;
    u_char    *p, *last;

    static const char  *levels[] = {
        "stderr", "emerg", "alert", "crit", "error", "warn", "notice", "info",
        "debug"
    };

    unit_logged_err = err;

    p = (u_char *) unit_logged + unit_logged_len;
    last = (u_char *) unit_logged + UNIT_LOG_SIZE - 2;

    p = unit_put(p, last, levels[level], strlen(levels[level]));
    p = unit_put(p, last, ": ", 2);

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    *p++ = LF;
    *p = '\0';

    unit_logged_len = ngx_min((u_char *) unit_logged + UNIT_LOG_SIZE - 2, p)
                      - (u_char *) unit_logged;
}


static ngx_inline void
unit_log_forget(void)
{
    unit_logged_len = 0;
    unit_logged_err = 0;
    unit_logged[0] = '\0';
}


/* Is there no memory this time?  Logs it, as nginx does. */

static ngx_inline ngx_uint_t
unit_alloc_failed(ngx_log_t *log)
{
    if (unit_alloc_fails == 0 || --unit_alloc_fails) {
        return 0;
    }

    ngx_log_error(NGX_LOG_EMERG, log, ENOMEM, "no memory");

    return 1;
}


void *
ngx_alloc(size_t size, ngx_log_t *log)
{
    void  *p;

    if (unit_alloc_failed(log)) {
        return NULL;
    }

    p = malloc(size);

    if (p) {
        /* what is read before it is written shows */
        memset(p, 0xa5, size);
    }

    return p;
}


void *
ngx_calloc(size_t size, ngx_log_t *log)
{
    return unit_alloc_failed(log) ? NULL : calloc(1, size);
}


void
ngx_explicit_memzero(void *buf, size_t n)
{
    ngx_memzero(buf, n);
    ngx_memory_barrier();
}


u_char *
ngx_hex_dump(u_char *dst, u_char *src, size_t len)
{
    static const char  hex[] = "0123456789abcdef";

    while (len--) {
        *dst++ = hex[*src >> 4];
        *dst++ = hex[*src++ & 0xf];
    }

    return dst;
}


u_char *
ngx_cpystrn(u_char *dst, u_char *src, size_t n)
{
    size_t  len;

    len = ngx_min(strlen((char *) src), n - 1);

    dst = ngx_cpymem(dst, src, len);
    *dst = '\0';

    return dst;
}


ngx_int_t
ngx_shm_alloc(ngx_shm_t *shm)
{
    shm->addr = mmap(NULL, shm->size, PROT_READ|PROT_WRITE,
                     MAP_ANON|MAP_SHARED, -1, 0);

    return (shm->addr == MAP_FAILED) ? NGX_ERROR : NGX_OK;
}


void
ngx_shm_free(ngx_shm_t *shm)
{
    (void) munmap(shm->addr, shm->size);
}


/*
 * Pools are only what secrets' files are read into: an array of a size that is
 * known, and what is to be done at the pool's end.
 */

ngx_array_t *
ngx_array_create(ngx_pool_t *pool, ngx_uint_t n, size_t size)
{
    ngx_array_t       *array;
    ngx_pool_large_t  *large;

    if (unit_alloc_failed(&unit_log)) {
        return NULL;
    }

    large = calloc(1, sizeof(ngx_pool_large_t));
    array = malloc(sizeof(ngx_array_t) + n * size);

    if (large == NULL || array == NULL) {
        abort();
    }

    large->alloc = array;
    large->next = pool->large;
    pool->large = large;

    array->elts = array + 1;
    array->nelts = 0;
    array->size = size;
    array->nalloc = n;
    array->pool = pool;

    return array;
}


void *
ngx_array_push(ngx_array_t *array)
{
    if (array->nelts == array->nalloc) {
        abort();
    }

    return (u_char *) array->elts + array->size * array->nelts++;
}


ngx_pool_cleanup_t *
ngx_pool_cleanup_add(ngx_pool_t *pool, size_t size)
{
    ngx_pool_cleanup_t  *cln;

    if (unit_alloc_failed(&unit_log)) {
        return NULL;
    }

    cln = calloc(1, sizeof(ngx_pool_cleanup_t) + size);

    if (cln == NULL) {
        abort();
    }

    cln->data = size ? cln + 1 : NULL;
    cln->next = pool->cleanup;
    pool->cleanup = cln;

    return cln;
}


/* The pool's end, less its memory, in which a test may look for secrets. */

static ngx_inline void
unit_pool_cleanup(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    while (pool->cleanup) {
        cln = pool->cleanup;
        pool->cleanup = cln->next;

        if (cln->handler) {
            cln->handler(cln->data);
        }

        free(cln);
    }
}


static ngx_inline void
unit_pool_free(ngx_pool_t *pool)
{
    ngx_pool_large_t  *large;

    while (pool->large) {
        large = pool->large;
        pool->large = large->next;

        free(large->alloc);
        free(large);
    }
}


#endif /* _UNIT_OBJECTS_H_INCLUDED_ */
