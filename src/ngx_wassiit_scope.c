
#include "ngx_wassiit_scope.h"


static ngx_uint_t ngx_wassiit_scopes_same(const ngx_wassiit_scopes_t *scopes,
    ngx_uint_t n, const u_char *name, size_t len);


#define bit(i)          ((uint64_t) 1 << (i))


static const ngx_str_t  ngx_wassiit_scopes_known[] = {
    ngx_string("messages.send"),
    ngx_string("audio.send"),
    ngx_string("files.send"),
    ngx_string("calls.initiate"),
    ngx_string("conversations.read"),
    ngx_string("webhooks.manage")
};


void
ngx_wassiit_scopes_init(ngx_wassiit_scopes_t *scopes,
    const ngx_wassiit_scopes_t *former)
{
    ngx_uint_t  i;

    if (former) {
        *scopes = *former;
        scopes->former |= scopes->declared;
        scopes->declared = 0;

    } else {
        ngx_memzero(scopes, sizeof(ngx_wassiit_scopes_t));
    }

    for (i = 0;
         i < sizeof(ngx_wassiit_scopes_known) / sizeof(ngx_str_t);
         i++)
    {
        (void) ngx_wassiit_scopes_add(scopes,
                                      ngx_wassiit_scopes_known[i].data,
                                      ngx_wassiit_scopes_known[i].len);
    }
}


ngx_int_t
ngx_wassiit_scopes_add(ngx_wassiit_scopes_t *scopes, const u_char *name,
    size_t len)
{
    size_t      i;
    u_char      c;
    uint64_t    taken;
    ngx_uint_t  n;

    if (len == 0 || len > NGX_WASSIIT_SCOPE_LEN) {
        return NGX_DECLINED;
    }

    for (i = 0; i < len; i++) {
        c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || c == '.' || c == '_' || c == ':' || c == '-'))
        {
            return NGX_DECLINED;
        }
    }

    taken = scopes->declared | scopes->former;

    for (n = 0; n < NGX_WASSIIT_SCOPES_MAX + scopes->pending; n++) {
        if (!ngx_wassiit_scopes_same(scopes, n, name, len)) {
            continue;
        }

        if (n >= NGX_WASSIIT_SCOPES_MAX || (scopes->declared & bit(n))) {
            return NGX_BUSY;
        }

        if (scopes->former & bit(n)) {
            /* the bit that it had before */
            scopes->declared |= bit(n);
            return NGX_OK;
        }
    }

    if (__builtin_popcountll(scopes->declared) + scopes->pending
        == NGX_WASSIIT_SCOPES_MAX)
    {
        return NGX_ERROR;
    }

    if (taken == (uint64_t) -1) {
        n = NGX_WASSIIT_SCOPES_MAX + scopes->pending++;

    } else {
        n = __builtin_ctzll(~taken);
        scopes->declared |= bit(n);
    }

    scopes->len[n] = len;
    ngx_memcpy(scopes->name[n], name, len);

    return NGX_OK;
}


void
ngx_wassiit_scopes_settle(ngx_wassiit_scopes_t *scopes)
{
    ngx_uint_t  n, from;

    while (scopes->pending) {
        from = NGX_WASSIIT_SCOPES_MAX + --scopes->pending;
        n = __builtin_ctzll(~scopes->declared);

        scopes->declared |= bit(n);
        scopes->len[n] = scopes->len[from];
        ngx_memcpy(scopes->name[n], scopes->name[from], scopes->len[n]);
    }
}


static ngx_uint_t
ngx_wassiit_scopes_same(const ngx_wassiit_scopes_t *scopes, ngx_uint_t n,
    const u_char *name, size_t len)
{
    return scopes->len[n] == len
           && ngx_memcmp(scopes->name[n], name, len) == 0;
}


uint64_t
ngx_wassiit_scopes_find(const ngx_wassiit_scopes_t *scopes,
    const u_char *name, size_t len)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_WASSIIT_SCOPES_MAX; n++) {
        if ((scopes->declared & bit(n))
            && ngx_wassiit_scopes_same(scopes, n, name, len))
        {
            return bit(n);
        }
    }

    return 0;
}


void
ngx_wassiit_scopes_next(const ngx_wassiit_scopes_t *scopes, uint64_t *set,
    ngx_str_t *name)
{
    ngx_uint_t  n;

    n = __builtin_ctzll(*set);

    name->len = scopes->len[n];
    name->data = (u_char *) scopes->name[n];

    *set &= *set - 1;
}


ngx_uint_t
ngx_wassiit_scopes_nearest(const ngx_wassiit_scopes_t *scopes,
    const u_char *p, size_t len, ngx_str_t *name)
{
    uint64_t    set;
    ngx_str_t   candidate;
    ngx_uint_t  distance, least;

    least = NGX_MAX_INT32_VALUE;

    for (set = scopes->declared; set; /* void */) {
        ngx_wassiit_scopes_next(scopes, &set, &candidate);

        distance = ngx_wassiit_scopes_distance(p, len, candidate.data,
                                               candidate.len);
        if (distance < least) {
            least = distance;
            *name = candidate;
        }
    }

    return least * 3 <= ngx_max(len, name->len)
           || (len >= 3 && len < name->len
               && ngx_memcmp(p, name->data, len) == 0);
}


const ngx_str_t *
ngx_wassiit_nearest(const u_char *p, size_t len, const ngx_str_t *names,
    ngx_uint_t n)
{
    size_t            longer;
    ngx_uint_t        i, distance, least;
    const ngx_str_t  *nearest;

    nearest = NULL;
    least = NGX_MAX_INT32_VALUE;

    for (i = 0; i < n; i++) {
        distance = ngx_wassiit_scopes_distance(p, len, names[i].data,
                                               names[i].len);
        longer = ngx_max(len, names[i].len);

        /* what is beyond is in no distance */

        if (distance < least
            && distance * 3 <= ngx_min(longer, NGX_WASSIIT_SCOPE_LEN))
        {
            least = distance;
            nearest = &names[i];
        }
    }

    return nearest;
}


ngx_uint_t
ngx_wassiit_scopes_distance(const u_char *a, size_t alen, const u_char *b,
    size_t blen)
{
    size_t      i, j;
    ngx_uint_t  diagonal, above, row[NGX_WASSIIT_SCOPE_LEN + 1];

    alen = ngx_min(alen, NGX_WASSIIT_SCOPE_LEN);
    blen = ngx_min(blen, NGX_WASSIIT_SCOPE_LEN);

    for (j = 0; j <= blen; j++) {
        row[j] = j;
    }

    for (i = 1; i <= alen; i++) {
        diagonal = row[0];
        row[0] = i;

        for (j = 1; j <= blen; j++) {
            above = row[j];
            row[j] = ngx_min(ngx_min(above, row[j - 1]) + 1,
                             diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }

    return row[blen];
}
