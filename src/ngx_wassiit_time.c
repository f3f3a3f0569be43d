
#include "ngx_wassiit_time.h"


static ngx_int_t ngx_wassiit_time_number(const u_char *p, size_t n);
static int64_t ngx_wassiit_time_days(ngx_int_t year, ngx_int_t month,
    ngx_int_t day);
static void ngx_wassiit_time_digits(u_char *p, ngx_uint_t n, ngx_uint_t value);


ngx_int_t
ngx_wassiit_time_parse(const u_char *p, size_t len, int64_t *seconds)
{
    size_t     n;
    int64_t    t;
    ngx_int_t  year, month, day, hour, min, sec, zhour, zmin, sign, last;

    static const u_char  days[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    if (len < sizeof("2026-11-01T09:00:00Z") - 1
        || p[4] != '-' || p[7] != '-' || (p[10] != 'T' && p[10] != 't')
        || p[13] != ':' || p[16] != ':')
    {
        return NGX_ERROR;
    }

    year = ngx_wassiit_time_number(p, 4);
    month = ngx_wassiit_time_number(p + 5, 2);
    day = ngx_wassiit_time_number(p + 8, 2);
    hour = ngx_wassiit_time_number(p + 11, 2);
    min = ngx_wassiit_time_number(p + 14, 2);
    sec = ngx_wassiit_time_number(p + 17, 2);

    if (year < 0 || month < 1 || month > 12 || day < 1
        || hour < 0 || hour > 23 || min < 0 || min > 59
        || sec < 0 || sec > 60)
    {
        return NGX_ERROR;
    }

    last = days[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        last++;
    }

    if (day > last) {
        return NGX_ERROR;
    }

    p += 19;
    len -= 19;

    if (*p == '.') {
        for (n = 1; n < len && p[n] >= '0' && p[n] <= '9'; n++) {
            /* void */
        }

        if (n == 1 || n == len) {
            return NGX_ERROR;
        }

        p += n;
        len -= n;
    }

    t = ngx_wassiit_time_days(year, month, day) * 86400
        + hour * 3600 + min * 60 + sec;

    if (len == 1 && (*p == 'Z' || *p == 'z')) {
        *seconds = t;
        return NGX_OK;
    }

    if (len != sizeof("+01:00") - 1 || (*p != '+' && *p != '-')
        || p[3] != ':')
    {
        return NGX_ERROR;
    }

    sign = (*p == '+') ? 1 : -1;
    zhour = ngx_wassiit_time_number(p + 1, 2);
    zmin = ngx_wassiit_time_number(p + 4, 2);

    if (zhour < 0 || zhour > 23 || zmin < 0 || zmin > 59) {
        return NGX_ERROR;
    }

    *seconds = t - sign * (zhour * 3600 + zmin * 60);

    return NGX_OK;
}


static ngx_int_t
ngx_wassiit_time_number(const u_char *p, size_t n)
{
    ngx_int_t  value;

    for (value = 0; n--; p++) {
        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        value = value * 10 + (*p - '0');
    }

    return value;
}


/*
 * Days from 1970-01-01.  The year begins in March, so that a leap day ends
 * it, and 400 years early, so that nothing is below zero.
 */

static int64_t
ngx_wassiit_time_days(ngx_int_t year, ngx_int_t month, ngx_int_t day)
{
    if (month <= 2) {
        month += 12;
        year--;
    }

    year += 400;

    return 365 * (int64_t) year + year / 4 - year / 100 + year / 400
           + (153 * (month - 3) + 2) / 5 + day - 719469 - 146097;
}


void
ngx_wassiit_time_format(int64_t seconds, u_char p[NGX_WASSIIT_TIME_LEN])
{
    int64_t    days;
    ngx_int_t  year, month, second;

    seconds = ngx_max(seconds, ngx_wassiit_time_days(0, 1, 1) * 86400);
    seconds = ngx_min(seconds, ngx_wassiit_time_days(10000, 1, 1) * 86400 - 1);

    days = (seconds + 86400 * 1000000LL) / 86400 - 1000000;
    second = seconds - days * 86400;

    /* an estimate that is never too late, and early by a year or two */

    year = 1970 + (days - 365) * 400 / 146097 - 1;

    while (ngx_wassiit_time_days(year + 1, 1, 1) <= days) {
        year++;
    }

    month = 1;

    while (month < 12 && ngx_wassiit_time_days(year, month + 1, 1) <= days) {
        month++;
    }

    ngx_memcpy(p, "0000-00-00T00:00:00Z", NGX_WASSIIT_TIME_LEN);

    ngx_wassiit_time_digits(p, 4, year);
    ngx_wassiit_time_digits(p + 5, 2, month);
    ngx_wassiit_time_digits(p + 8, 2,
                            days - ngx_wassiit_time_days(year, month, 1) + 1);
    ngx_wassiit_time_digits(p + 11, 2, second / 3600);
    ngx_wassiit_time_digits(p + 14, 2, second / 60 % 60);
    ngx_wassiit_time_digits(p + 17, 2, second % 60);
}


static void
ngx_wassiit_time_digits(u_char *p, ngx_uint_t n, ngx_uint_t value)
{
    while (n--) {
        p[n] = '0' + value % 10;
        value /= 10;
    }
}
