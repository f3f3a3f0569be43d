
#include "ngx_wassiit_scope.h"


static ngx_uint_t ngx_wassiit_scopes_distance(const u_char *a, size_t alen,
    const u_char *b, size_t blen);


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

    /* the bit that it had before, a new one, or one that isn't used now */

    taken = scopes->declared | scopes->former;

    for (n = 0; n < NGX_WASSIIT_SCOPES_MAX; n++) {
        if ((taken & bit(n)) && scopes->len[n] == len
            && ngx_memcmp(scopes->name[n], name, len) == 0)
        {
            if (scopes->declared & bit(n)) {
                return NGX_BUSY;
            }

            scopes->declared |= bit(n);
            return NGX_OK;
        }
    }

    if (taken == (uint64_t) -1) {
        taken = scopes->declared;
    }

    for (n = 0; n < NGX_WASSIIT_SCOPES_MAX; n++) {
        if (!(taken & bit(n))) {
            scopes->declared |= bit(n);
            scopes->former &= ~bit(n);
            scopes->len[n] = len;
            ngx_memcpy(scopes->name[n], name, len);
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


uint64_t
ngx_wassiit_scopes_find(const ngx_wassiit_scopes_t *scopes,
    const u_char *name, size_t len)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_WASSIIT_SCOPES_MAX; n++) {
        if ((scopes->declared & bit(n)) && scopes->len[n] == len
            && ngx_memcmp(scopes->name[n], name, len) == 0)
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


void
ngx_wassiit_scopes_nearest(const ngx_wassiit_scopes_t *scopes,
    const u_char *p, size_t len, ngx_str_t *name)
{
    uint64_t    set;
    ngx_str_t   candidate;
    ngx_uint_t  distance, least;

    least = NGX_MAX_INT32_VALUE;
    len = ngx_min(len, NGX_WASSIIT_SCOPE_LEN);

    for (set = scopes->declared; set; /* void */) {
        ngx_wassiit_scopes_next(scopes, &set, &candidate);

        distance = ngx_wassiit_scopes_distance(p, len, candidate.data,
                                               candidate.len);
        if (distance < least) {
            least = distance;
            *name = candidate;
        }
    }
}


static ngx_uint_t
ngx_wassiit_scopes_distance(const u_char *a, size_t alen, const u_char *b,
    size_t blen)
{
    size_t      i, j;
    ngx_uint_t  diagonal, above, row[NGX_WASSIIT_SCOPE_LEN + 1];

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
