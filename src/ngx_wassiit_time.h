
/* Points in time, as they are written in the partners' file. */


#ifndef _NGX_WASSIIT_TIME_H_INCLUDED_
#define _NGX_WASSIIT_TIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Parses a date and time of RFC 3339, section 5.6: a date that exists, "T",
 * a time (second 60 counts as the next minute's first), an optional
 * fraction, which is dropped, and "Z" or an offset.  Sets seconds to those
 * since 1970-01-01T00:00:00Z.  Returns NGX_OK, or NGX_ERROR and leaves it.
 */
ngx_int_t ngx_wassiit_time_parse(const u_char *p, size_t len,
    int64_t *seconds);

#define NGX_WASSIIT_TIME_LEN  (sizeof("2026-11-01T09:00:00Z") - 1)

/*
 * Writes a time of the years 0000 to 9999 as the same, in UTC; seconds beyond
 * become the first or the last of these.
 */
void ngx_wassiit_time_format(int64_t seconds, u_char p[NGX_WASSIIT_TIME_LEN]);


#endif /* _NGX_WASSIIT_TIME_H_INCLUDED_ */
