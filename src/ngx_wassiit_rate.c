
#include "ngx_wassiit_rate.h"


ngx_int_t
ngx_wassiit_rate_parse(const u_char *p, size_t len, ngx_wassiit_rate_t *rate)
{
    size_t     i;
    uint32_t   limit, seconds;

    limit = 0;

    for (i = 0; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
        limit = limit * 10 + (p[i] - '0');

        if (limit == 0 || limit > NGX_WASSIIT_RATE_MAX) {
            return NGX_ERROR;
        }
    }

    if (i == 0 || len - i != 3 || p[i] != 'r' || p[i + 1] != '/') {
        return NGX_ERROR;
    }

    switch (p[i + 2]) {
    case 's':
        seconds = 1;
        break;
    case 'm':
        seconds = 60;
        break;
    case 'h':
        seconds = 3600;
        break;
    case 'd':
        seconds = 86400;
        break;
    default:
        return NGX_ERROR;
    }

    rate->limit = limit;
    rate->seconds = seconds;

    return NGX_OK;
}
