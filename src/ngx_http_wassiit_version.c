
#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_version.h"


/* between "nginx -T" and its reader: a file that has but a comment */
#define DUMP_NAME  "ngx_http_wassiit_module"
#define DUMP_TEXT  "# version " NGX_HTTP_WASSIIT_VERSION                      \
                   ", built for nginx " NGINX_VERSION "\n"


#if (NGX_HAVE_DLOPEN)

/* the file that we were loaded from, as it was then */
static struct stat  ngx_http_wassiit_loaded;

#endif


ngx_int_t
ngx_http_wassiit_version_dump(ngx_cycle_t *cycle)
{
    ngx_buf_t        *buf;
    ngx_conf_dump_t  *dump;

    if (!ngx_dump_config) {
        return NGX_OK;
    }

    buf = ngx_create_temp_buf(cycle->pool, sizeof(DUMP_TEXT) - 1);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    buf->last = ngx_cpymem(buf->last, DUMP_TEXT, sizeof(DUMP_TEXT) - 1);

    dump = ngx_array_push(&cycle->config_dump);
    if (dump == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&dump->name, DUMP_NAME);
    dump->buffer = buf;

    return NGX_OK;
}


void
ngx_http_wassiit_version_compare(ngx_cycle_t *cycle)
{
#if (NGX_HAVE_DLOPEN)
    Dl_info       info;
    struct stat   file, *loaded;

    loaded = &ngx_http_wassiit_loaded;

    if (dladdr(loaded, &info) == 0 || stat(info.dli_fname, &file) == -1) {
        return;
    }

    /* this memory stays as long as we are loaded, over all configurations */

    if (loaded->st_ino == 0) {
        *loaded = file;
        return;
    }

    if (file.st_ino == loaded->st_ino
        && file.st_dev == loaded->st_dev
        && file.st_size == loaded->st_size
        && file.st_mtime == loaded->st_mtime)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                  "\"%s\" is another file than the one that runs, wassiit "
                  NGX_HTTP_WASSIIT_VERSION ", and a reload does not load it: "
                  "restart nginx, or upgrade it by USR2", info.dli_fname);
#endif
}
