
#include "ngx_http_wassiit_admin_path.h"


/* by ngx_http_wassiit_resource_e */

static const ngx_http_wassiit_methods_t  ngx_http_wassiit_methods[] = {
    { NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_POST,
      ngx_string("GET, HEAD, POST") },
    { NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_PATCH|NGX_HTTP_DELETE,
      ngx_string("GET, HEAD, PATCH, DELETE") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_POST|NGX_HTTP_DELETE, ngx_string("POST, DELETE") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_POST, ngx_string("POST") }
};


ngx_http_wassiit_resource_e
ngx_http_wassiit_admin_resource(ngx_http_request_t *r, ngx_str_t *id,
    ngx_str_t *key_id)
{
    u_char                    *p, *last, *slash;
    ngx_str_t                  part[4];
    ngx_uint_t                 n;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_str_null(id);
    ngx_str_null(key_id);

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->uri.len < clcf->name.len) {
        /* a rewrite within the location */
        return NGX_HTTP_WASSIIT_ADMIN_NOTHING;
    }

    p = r->uri.data + clcf->name.len;
    last = r->uri.data + r->uri.len;

    if (p > r->uri.data && p[-1] != '/') {
        if (p == last || *p != '/') {
            return NGX_HTTP_WASSIIT_ADMIN_NOTHING;
        }

        p++;
    }

    for (n = 0; n < 4; n++) {
        slash = ngx_strlchr(p, last, '/');
        slash = slash ? slash : last;

        part[n].data = p;
        part[n].len = slash - p;

        if (slash == last) {
            n++;
            break;
        }

        p = slash + 1;
    }

    if (part[n - 1].data + part[n - 1].len != last
        || part[0].len != sizeof("partners") - 1
        || ngx_strncmp(part[0].data, "partners", part[0].len) != 0)
    {
        return NGX_HTTP_WASSIIT_ADMIN_NOTHING;
    }

    if (n == 1) {
        return NGX_HTTP_WASSIIT_ADMIN_PARTNERS;
    }

    *id = part[1];

    if (n == 2) {
        return id->len ? NGX_HTTP_WASSIIT_ADMIN_PARTNER
                       : NGX_HTTP_WASSIIT_ADMIN_NOTHING;
    }

    if (n == 3 && part[2].len == sizeof("hmac_secret") - 1
        && ngx_strncmp(part[2].data, "hmac_secret", part[2].len) == 0)
    {
        return NGX_HTTP_WASSIIT_ADMIN_HMAC_SECRET;
    }

    if (n == 3 && part[2].len == sizeof("webhook_secret") - 1
        && ngx_strncmp(part[2].data, "webhook_secret", part[2].len) == 0)
    {
        return NGX_HTTP_WASSIIT_ADMIN_WEBHOOK_SECRET;
    }

    if (part[2].len != sizeof("keys") - 1
        || ngx_strncmp(part[2].data, "keys", part[2].len) != 0)
    {
        return NGX_HTTP_WASSIIT_ADMIN_NOTHING;
    }

    if (n == 3) {
        return NGX_HTTP_WASSIIT_ADMIN_KEYS;
    }

    *key_id = part[3];

    if (key_id->len == sizeof("rotate") - 1
        && ngx_strncmp(key_id->data, "rotate", key_id->len) == 0)
    {
        return NGX_HTTP_WASSIIT_ADMIN_ROTATE;
    }

    return key_id->len ? NGX_HTTP_WASSIIT_ADMIN_KEY
                       : NGX_HTTP_WASSIIT_ADMIN_NOTHING;
}


const ngx_http_wassiit_methods_t *
ngx_http_wassiit_admin_methods(ngx_http_wassiit_resource_e resource)
{
    return &ngx_http_wassiit_methods[resource];
}


ngx_http_wassiit_change_e
ngx_http_wassiit_admin_what(ngx_http_request_t *r,
    ngx_http_wassiit_resource_e resource)
{
    if (resource == NGX_HTTP_WASSIIT_ADMIN_NOTHING
        || !(r->method & ngx_http_wassiit_methods[resource].methods
             & (NGX_HTTP_POST|NGX_HTTP_PATCH|NGX_HTTP_DELETE)))
    {
        return NGX_HTTP_WASSIIT_CHANGE_NONE;
    }

    switch (resource) {

    case NGX_HTTP_WASSIIT_ADMIN_PARTNERS:
        return NGX_HTTP_WASSIIT_CHANGE_CREATE;

    case NGX_HTTP_WASSIIT_ADMIN_PARTNER:
        return (r->method == NGX_HTTP_DELETE) ? NGX_HTTP_WASSIIT_CHANGE_DELETE
                                              : NGX_HTTP_WASSIIT_CHANGE_PATCH;

    case NGX_HTTP_WASSIIT_ADMIN_KEYS:
        return NGX_HTTP_WASSIIT_CHANGE_ADD_KEY;

    case NGX_HTTP_WASSIIT_ADMIN_ROTATE:
        /* a key may have this id */
        return (r->method == NGX_HTTP_DELETE) ? NGX_HTTP_WASSIIT_CHANGE_REVOKE
                                              : NGX_HTTP_WASSIIT_CHANGE_ROTATE;

    case NGX_HTTP_WASSIIT_ADMIN_HMAC_SECRET:
        return NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET;

    case NGX_HTTP_WASSIIT_ADMIN_WEBHOOK_SECRET:
        return NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET;

    default: /* NGX_HTTP_WASSIIT_ADMIN_KEY */
        return NGX_HTTP_WASSIIT_CHANGE_REVOKE;
    }
}
