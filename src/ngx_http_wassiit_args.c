
#include "ngx_http_wassiit_args.h"
#include "ngx_http_wassiit_admin_send.h"


#define ARGS_MOST               32
#define ARGS_NAME_MAX           64      /* bytes of a name that is told */


static ngx_int_t ngx_http_wassiit_args_set(ngx_http_request_t *r,
    const ngx_http_wassiit_arg_t *known, const char *names, void *data,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t *given);
static void ngx_http_wassiit_args_decode(ngx_str_t *value, u_char *src,
    u_char *end);
static ngx_int_t ngx_http_wassiit_args_unknown(ngx_http_request_t *r,
    ngx_str_t *name, const char *names);


ngx_int_t
ngx_http_wassiit_args_read(ngx_http_request_t *r,
    const ngx_http_wassiit_arg_t *known, const char *names, void *data)
{
    u_char      *p, *end, *last, *eq, *src;
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

        src = (eq == end) ? end : eq + 1;
        value.data = ngx_pnalloc(r->pool, end - src + 1);

        if (value.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_wassiit_args_decode(&value, src, end);

        rc = ngx_http_wassiit_args_set(r, known, names, data, &name, &value,
                                       given);
        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


/* Forms and URLSearchParams write a blank as "+". */

static void
ngx_http_wassiit_args_decode(ngx_str_t *value, u_char *src, u_char *end)
{
    size_t   i, len;
    u_char  *p, *dst;

    len = end - src;
    p = value->data;
    dst = value->data;

    for (i = 0; i < len; i++) {
        p[i] = (src[i] == '+') ? ' ' : src[i];
    }

    ngx_unescape_uri(&dst, &p, len, 0);

    value->len = dst - value->data;
}


static ngx_int_t
ngx_http_wassiit_args_set(ngx_http_request_t *r,
    const ngx_http_wassiit_arg_t *known, const char *names, void *data,
    ngx_str_t *name, ngx_str_t *value, ngx_uint_t *given)
{
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

    if (known[i].set(data, value) != NGX_OK) {
        return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                            "The argument %V must be %s.",
                                            &known[i].name, known[i].must);
    }

    return NGX_DECLINED;
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
