
#include "ngx_http_wassiit_record_id.h"


ngx_uint_t
ngx_http_wassiit_record_is_id(const u_char *p, size_t len)
{
    size_t  i;

    if (len == 0 || len > NGX_HTTP_WASSIIT_ID_LEN) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9')
              || p[i] == '.' || p[i] == '_' || p[i] == '-'))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_wassiit_record_is_name(const u_char *p, size_t len)
{
    size_t  i;

    if (len == 0 || len > NGX_HTTP_WASSIIT_NAME_LEN) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            return 0;
        }

        if (p[i] == 0xc2 && i + 1 < len && p[i + 1] < 0xa0) {
            return 0;
        }

        if (p[i] == 0xe2 && i + 2 < len
            && ((p[i + 1] == 0x80 && p[i + 2] >= 0xa8 && p[i + 2] <= 0xae)
                || (p[i + 1] == 0x81 && p[i + 2] >= 0xa6 && p[i + 2] <= 0xa9)))
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_http_wassiit_record_order(const u_char *a, size_t alen, const u_char *b,
    size_t blen)
{
    ngx_int_t  rc;

    rc = ngx_memcmp(a, b, ngx_min(alen, blen));

    return rc ? rc : (ngx_int_t) alen - (ngx_int_t) blen;
}
