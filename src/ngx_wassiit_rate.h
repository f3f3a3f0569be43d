
/* A rate, as the configuration and the partners' file write it: "100r/m". */


#ifndef _NGX_WASSIIT_RATE_H_INCLUDED_
#define _NGX_WASSIIT_RATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WASSIIT_RATE_MAX        1000000


typedef struct {
    uint32_t            limit;      /* N: 1 .. NGX_WASSIIT_RATE_MAX; 0: none */
    uint32_t            seconds;    /* W: 1, 60, 3600 or 86400 */
} ngx_wassiit_rate_t;


/*
 * Parses "100r/m": a decimal from 1 to NGX_WASSIIT_RATE_MAX, "r/" and one of
 * s, m, h, d.  p needs no zero at its end.  Returns NGX_OK and sets rate, the
 * caller's; NGX_ERROR: it is none, and rate is untouched.
 */
ngx_int_t ngx_wassiit_rate_parse(const u_char *p, size_t len,
    ngx_wassiit_rate_t *rate);


#endif /* _NGX_WASSIIT_RATE_H_INCLUDED_ */
