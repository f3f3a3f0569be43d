
#include "ngx_http_wassiit_etag.h"


static void ngx_http_wassiit_etag_sort(const ngx_http_wassiit_record_t *rec,
    const ngx_http_wassiit_key_t **keys);
static void ngx_http_wassiit_etag_text(ngx_wassiit_hmac_t *hmac,
    const ngx_str_t *text);
static void ngx_http_wassiit_etag_number(ngx_wassiit_hmac_t *hmac,
    uint64_t number);
static const u_char *ngx_http_wassiit_etag_blanks(const u_char *p,
    const u_char *last);
static const u_char *ngx_http_wassiit_etag_quoted(const u_char *p,
    const u_char *last);


/* By their digests: a zone doesn't keep their order. */

static void
ngx_http_wassiit_etag_sort(const ngx_http_wassiit_record_t *rec,
    const ngx_http_wassiit_key_t **keys)
{
    ngx_uint_t                     i, n;
    const ngx_http_wassiit_key_t  *key;

    for (i = 0; i < rec->nkeys; i++) {
        key = &rec->keys[i];

        for (n = i; n; n--) {
            if (ngx_memcmp(keys[n - 1]->digest, key->digest,
                           NGX_WASSIIT_DIGEST_LEN)
                <= 0)
            {
                break;
            }

            keys[n] = keys[n - 1];
        }

        keys[n] = key;
    }
}


/*
 * Each part has its length before it or always the same one, so no two partners
 * are the same bytes.
 */

uint64_t
ngx_http_wassiit_etag(const ngx_wassiit_hmac_key_t *key,
    const ngx_http_wassiit_record_t *rec)
{
    u_char                         mac[NGX_WASSIIT_HMAC_LEN];
    uint64_t                       tag;
    ngx_uint_t                     i;
    ngx_wassiit_hmac_t             hmac;
    const ngx_http_wassiit_key_t  *k, *keys[NGX_HTTP_WASSIIT_KEYS];

    ngx_http_wassiit_etag_sort(rec, keys);

    ngx_wassiit_hmac_init(&hmac, key);

    ngx_http_wassiit_etag_text(&hmac, &rec->id);
    ngx_http_wassiit_etag_text(&hmac, &rec->name);
    ngx_http_wassiit_etag_number(&hmac, rec->scopes);
    ngx_http_wassiit_etag_number(&hmac, rec->rate.limit);
    ngx_http_wassiit_etag_number(&hmac, rec->rate.seconds);
    ngx_http_wassiit_etag_number(&hmac, rec->enabled);
    ngx_http_wassiit_etag_number(&hmac, rec->nkeys);

    for (i = 0; i < rec->nkeys; i++) {
        k = keys[i];

        ngx_http_wassiit_etag_text(&hmac, &k->id);
        ngx_wassiit_hmac_update(&hmac, k->digest, NGX_WASSIIT_DIGEST_LEN);
        ngx_http_wassiit_etag_number(&hmac, k->created);
        ngx_http_wassiit_etag_number(&hmac, k->expires);
    }

    /* whatever stands in there counts: what isn't set is zero */

    if (rec->secrets) {
        ngx_wassiit_hmac_update(&hmac, (u_char *) rec->secrets,
                          ngx_http_wassiit_record_secrets_size(rec->secrets));
    }

    ngx_wassiit_hmac_final(&hmac, key, mac);
    ngx_memcpy(&tag, mac, sizeof(uint64_t));

    return tag;
}


static void
ngx_http_wassiit_etag_text(ngx_wassiit_hmac_t *hmac, const ngx_str_t *text)
{
    ngx_http_wassiit_etag_number(hmac, text->len);
    ngx_wassiit_hmac_update(hmac, text->data, text->len);
}


static void
ngx_http_wassiit_etag_number(ngx_wassiit_hmac_t *hmac, uint64_t number)
{
    ngx_wassiit_hmac_update(hmac, (u_char *) &number, sizeof(uint64_t));
}


void
ngx_http_wassiit_etag_write(u_char *dst, uint64_t tag)
{
    ngx_uint_t  i;

    static const u_char  hex[] = "0123456789abcdef";

    *dst++ = '"';

    for (i = 0; i < 16; i++) {
        *dst++ = hex[tag >> 60];
        tag <<= 4;
    }

    *dst = '"';
}


ngx_int_t
ngx_http_wassiit_etag_match(const ngx_str_t *value, uint64_t tag)
{
    u_char         text[NGX_HTTP_WASSIIT_ETAG_LEN];
    ngx_int_t      rc;
    ngx_uint_t     weak, tags;
    const u_char  *p, *last, *from;

    last = value->data + value->len;
    p = ngx_http_wassiit_etag_blanks(value->data, last);

    if (p < last && *p == '*') {
        return (ngx_http_wassiit_etag_blanks(p + 1, last) == last)
               ? NGX_OK : NGX_ERROR;
    }

    ngx_http_wassiit_etag_write(text, tag);

    rc = NGX_DECLINED;
    tags = 0;

    while (p < last) {

        /* an element may be empty: RFC 9110, section 5.6.1.2 */

        if (*p == ',') {
            p = ngx_http_wassiit_etag_blanks(p + 1, last);
            continue;
        }

        weak = (last - p > 2 && p[0] == 'W' && p[1] == '/');
        from = p + 2 * weak;
        p = ngx_http_wassiit_etag_quoted(from, last);

        if (p == NULL) {
            return NGX_ERROR;
        }

        if (!weak && p - from == NGX_HTTP_WASSIIT_ETAG_LEN
            && ngx_memcmp(from, text, NGX_HTTP_WASSIIT_ETAG_LEN) == 0)
        {
            rc = NGX_OK;
        }

        tags++;
        p = ngx_http_wassiit_etag_blanks(p, last);

        if (p < last && *p != ',') {
            return NGX_ERROR;
        }
    }

    return tags ? rc : NGX_ERROR;
}


static const u_char *
ngx_http_wassiit_etag_blanks(const u_char *p, const u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


/* Returns the end of the opaque tag that begins at p; NULL: none does. */

static const u_char *
ngx_http_wassiit_etag_quoted(const u_char *p, const u_char *last)
{
    if (p == last || *p != '"') {
        return NULL;
    }

    for (p++; p < last; p++) {
        if (*p == '"') {
            return p + 1;
        }

        if (*p <= ' ' || *p == 0x7f) {
            return NULL;
        }
    }

    return NULL;
}
