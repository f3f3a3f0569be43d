
/* What travels upstream, and what doesn't. */


#include "ngx_http_wassiit.h"


static ngx_int_t ngx_http_wassiit_unlink(ngx_http_request_t *r,
    ngx_list_part_t *part, ngx_uint_t i);


static const ngx_str_t  ngx_http_wassiit_credentials[] = {
    ngx_string("x-api-key"),
    ngx_string("x-api-timestamp"),
    ngx_string("x-api-signature")
};


ngx_uint_t
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


ngx_int_t
ngx_http_wassiit_strip_credentials(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_t       *list;
    ngx_list_part_t  *part, *prev;

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

        if (ngx_http_wassiit_credential((ngx_table_elt_t *) part->elts + i, 1)
            == 0)
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
