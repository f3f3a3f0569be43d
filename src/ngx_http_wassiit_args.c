
#include "ngx_http_wassiit_args.h"
#include "ngx_http_wassiit_admin_send.h"


#define ARGS_MOST               32
#define ARGS_NAME_MAX           64      /* bytes of a name that is told */


static ngx_int_t ngx_http_wassiit_args_set(ngx_http_request_t *r,
    const ngx_http_wassiit_arg_t *known, const char *names, void *data,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t *given);
static ngx_int_t ngx_http_wassiit_args_decode(ngx_pool_t *pool,
    ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_args_unknown(ngx_http_request_t *r,
    ngx_str_t *name, const char *names);


ngx_int_t
ngx_http_wassiit_args_read(ngx_http_request_t *r,
    const ngx_http_wassiit_arg_t *known, const char *names, void *data)
{
    u_char      *p, *end, *last, *eq;
    ngx_int_t    rc;
    ngx_str_t    name, value;
    ngx_uint_t   given[ARGS_MOST];

    if (r->args.len == 0) {
        return NGX_DECLINED;
    }

    ngx_memzero(given, sizeof(given));

    p = r->args.data;
    last = p + r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        end = end ? end : last;

        if (end == p) {
            continue;
        }

        eq = ngx_strlchr(p, end, '=');
        eq = eq ? eq : end;

        name.data = p;
        name.len = eq - p;

        value.data = (eq == end) ? end : eq + 1;
        value.len = end - value.data;

        rc = ngx_http_wassiit_args_set(r, known, names, data, &name, &value,
                                       given);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_wassiit_args_set(ngx_http_request_t *r,
    const ngx_http_wassiit_arg_t *known, const char *names, void *data,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t *given)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; known[i].set; i++) {
        if (known[i].name.len == name->len
            && ngx_strncmp(known[i].name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (known[i].set == NULL) {
        return ngx_http_wassiit_args_unknown(r, name, names);
    }

    if (given[i]++ == known[i].most) {
        return (known[i].most == 1)
               ? ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                              "The argument %V stands twice.",
                                              &known[i].name)
               : ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                              "The argument %V may be given "
                                              "%ui times.",
                                              &known[i].name, known[i].most);
    }

    rc = ngx_http_wassiit_args_decode(r->pool, value);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                            "The argument %V has a %% without "
                                            "two hex digits after it.",
                                            &known[i].name);
    }

    if (known[i].set(data, value) != NGX_OK) {
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                            "The argument %V must be %s.",
                                            &known[i].name, known[i].must);
    }

    return NGX_DECLINED;
}


/*
 * Forms and URLSearchParams write a blank as "+".  Returns NGX_DECLINED if a
 * "%" isn't followed by two hex digits: ngx_unescape_uri() would drop it.
 */

static ngx_int_t
ngx_http_wassiit_args_decode(ngx_pool_t *pool, ngx_str_t *value)
{
    size_t   i;
    u_char  *p, *src, *dst;

    p = ngx_pnalloc(pool, value->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {

        if (value->data[i] == '%'
            && (value->len - i < 3 || !isxdigit(value->data[i + 1])
                || !isxdigit(value->data[i + 2])))
        {
            return NGX_DECLINED;
        }

        p[i] = (value->data[i] == '+') ? ' ' : value->data[i];
    }

    src = p;
    dst = p;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->data = p;
    value->len = dst - p;

    return NGX_OK;
}


/* It is told, if it is what a name of one may be. */

static ngx_int_t
ngx_http_wassiit_args_unknown(ngx_http_request_t *r, ngx_str_t *name,
    const char *names)
{
    ngx_uint_t  i, plain;

    plain = (name->len <= ARGS_NAME_MAX);

    for (i = 0; plain && i < name->len; i++) {
        plain = (name->data[i] == '_'
                 || (name->data[i] >= '0' && name->data[i] <= '9')
                 || ((name->data[i] | 0x20) >= 'a'
                     && (name->data[i] | 0x20) <= 'z'));
    }

    if (name->len == 0 || !plain) {
        ngx_str_set(name, "of that name");
    }

    return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                        "There is no argument %V: %s are.",
                                        name, names);
}
