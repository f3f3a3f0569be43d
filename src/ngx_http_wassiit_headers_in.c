
#include "ngx_http_wassiit_headers_in.h"


static ngx_uint_t ngx_http_wassiit_credential(ngx_table_elt_t *h,
    ngx_uint_t loose);
static ngx_int_t ngx_http_wassiit_unlink(ngx_http_request_t *r,
    ngx_list_part_t *part, ngx_uint_t i);


static const ngx_str_t  ngx_http_wassiit_credentials[] = {
    ngx_string("x-api-key"),
    ngx_string("x-api-timestamp"),
    ngx_string("x-api-signature")
};

static const ngx_str_t  ngx_http_wassiit_credential_names[] = {
    ngx_string("X-API-Key"),
    ngx_string("X-API-Timestamp"),
    ngx_string("X-API-Signature")
};


ngx_uint_t
ngx_http_wassiit_find_header(ngx_http_request_t *r, const ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    ngx_str_null(value);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_wassiit_is_header(&h[i], name, 0)) {
                continue;
            }

            if (n++) {
                return n;
            }

            *value = h[i].value;
        }
    }

    return n;
}


ngx_table_elt_t *
ngx_http_wassiit_put_header(ngx_http_request_t *r, const ngx_str_t *name,
    u_char *lowcase)
{
    ngx_list_t       *list;
    ngx_table_elt_t  *h;

    list = &r->headers_in.headers;

    /*
     * nginx makes the list when it begins to read the header fields, so a
     * request without any has none: HTTP/0.9, or a request line that is
     * refused and that error_page leads on.
     */

    if (list->last == NULL
        && ngx_list_init(list, r->pool, 4, sizeof(ngx_table_elt_t)) != NGX_OK)
    {
        return NULL;
    }

    h = ngx_list_push(list);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = *name;
    h->lowcase_key = lowcase;
    h->hash = ngx_hash_key(lowcase, name->len);

    return h;
}


ngx_int_t
ngx_http_wassiit_strip_header(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_t       *list;
    ngx_list_part_t  *part, *prev;
    ngx_table_elt_t  *h;

    list = &r->headers_in.headers;
    prev = NULL;
    part = &list->part;
    i = 0;

    while (part) {

        if (i >= part->nelts) {
            prev = part;
            part = part->next;
            i = 0;
            continue;
        }

        h = (ngx_table_elt_t *) part->elts + i;

        if (name ? !ngx_http_wassiit_is_header(h, name, 1)
                 : !ngx_http_wassiit_credential(h, 1))
        {
            i++;
            continue;
        }

        if (part->nelts > 1) {
            if (ngx_http_wassiit_unlink(r, part, i) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        /* nobody expects a part without elements, the only one excepted */

        if (prev) {
            prev->next = part->next;

            if (part == list->last) {
                list->last = prev;
                list->nalloc = prev->nelts;
            }

            part = prev->next;

        } else if (part->next) {
            if (part->next == list->last) {
                list->last = part;
            }

            *part = *part->next;

        } else {
            part->nelts = 0;
        }
    }

    return NGX_OK;
}


/*
 * Takes element i out of a part that has others.  These must stay where they
 * are, as r->headers_in points to some; so the part is cut in two, unless
 * the element is its first or last.
 */

static ngx_int_t
ngx_http_wassiit_unlink(ngx_http_request_t *r, ngx_list_part_t *part,
    ngx_uint_t i)
{
    ngx_list_t       *list;
    ngx_list_part_t  *rest;

    list = &r->headers_in.headers;

    if (i + 1 == part->nelts) {
        part->nelts--;
        return NGX_OK;
    }

    if (part == list->last) {
        /* what ngx_list_push() may still put behind the removed one */
        list->nalloc -= i + 1;
    }

    if (i == 0) {
        part->elts = (ngx_table_elt_t *) part->elts + 1;
        part->nelts--;
        return NGX_OK;
    }

    rest = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
    if (rest == NULL) {
        return NGX_ERROR;
    }

    rest->elts = (ngx_table_elt_t *) part->elts + i + 1;
    rest->nelts = part->nelts - i - 1;
    rest->next = part->next;

    part->nelts = i;
    part->next = rest;

    if (part == list->last) {
        list->last = rest;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_own_headers(ngx_http_request_t *r)
{
    ngx_uint_t        n;
    ngx_list_t        list;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (r == r->main) {
        return NGX_OK;
    }

    n = 3;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    if (ngx_list_init(&list, r->pool, n, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }

    h = list.part.elts;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = (ngx_table_elt_t *) ngx_cpymem(h, part->elts,
                                     part->nelts * sizeof(ngx_table_elt_t));
    }

    list.part.nelts = n - 3;

    r->headers_in.headers = list;
    r->headers_in.headers.last = &r->headers_in.headers.part;

    return NGX_OK;
}


/*
 * Which credential of the client's h is: 1 X-API-Key, 2 X-API-Timestamp,
 * 4 X-API-Signature, 0 none.  With loose set, those that we have put there
 * count as well.
 */

static ngx_uint_t
ngx_http_wassiit_credential(ngx_table_elt_t *h, ngx_uint_t loose)
{
    u_char      c;
    size_t      i;
    ngx_uint_t  n;

    if (h->key.len < sizeof("x-api-key") - 1 || h->lowcase_key[0] != 'x') {
        /* most are none */
        return 0;
    }

    for (n = 0; n < 3; n++) {

        if (h->key.len != ngx_http_wassiit_credentials[n].len) {
            continue;
        }

        if (!loose && h->key.data == ngx_http_wassiit_credential_names[n].data)
        {
            /* one of ours, put there before an internal redirect */
            continue;
        }

        for (i = 0; i < h->key.len; i++) {
            c = h->lowcase_key[i];
            c = (loose && c == '_') ? '-' : c;

            if (c != ngx_http_wassiit_credentials[n].data[i]) {
                break;
            }
        }

        if (i == h->key.len) {
            return 1 << n;
        }
    }

    return 0;
}


void
ngx_http_wassiit_find_credentials(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx)
{
    ngx_uint_t        i, seen, which;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (ctx->found) {
        return;
    }

    ctx->found = 1;
    seen = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            which = ngx_http_wassiit_credential(&h[i], 0);

            if (which == 0) {
                continue;
            }

            if (seen & which) {
                ctx->sent.twice = h[i].key;
                return;
            }

            seen |= which;

            switch (which) {

            case 1:
                ctx->sent.key = h[i].value;
                break;

            case 2:
                ctx->sent.timestamp = h[i].value;
                break;

            default:
                ctx->sent.signature = h[i].value;
            }
        }
    }
}


ngx_int_t
ngx_http_wassiit_strip_credentials(ngx_http_request_t *r)
{
    return ngx_http_wassiit_strip_header(r, NULL);
}


ngx_int_t
ngx_http_wassiit_put_credentials(ngx_http_request_t *r, const ngx_str_t *key,
    const ngx_str_t *timestamp, const ngx_str_t *signature)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;
    const ngx_str_t  *values[3];

    values[0] = key;
    values[1] = timestamp;
    values[2] = signature;

    for (i = 0; i < 3; i++) {
        h = ngx_http_wassiit_put_header(r,
                                        &ngx_http_wassiit_credential_names[i],
                                        ngx_http_wassiit_credentials[i].data);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->value = *values[i];
    }

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_wassiit_find_timestamp(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.data == ngx_http_wassiit_credential_names[1].data) {
                return &h[i];
            }
        }
    }

    return NULL;
}
