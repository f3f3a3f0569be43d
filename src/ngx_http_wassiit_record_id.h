
/* Ids and names of a record: what may be one, and the order of ids. */


#ifndef _NGX_HTTP_WASSIIT_RECORD_ID_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_RECORD_ID_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_HTTP_WASSIIT_ID_LEN     64      /* of a partner, of a key */
#define NGX_HTTP_WASSIIT_NAME_LEN   128     /* bytes of UTF-8 */


/* Is it an id: 1 to NGX_HTTP_WASSIIT_ID_LEN of a-z 0-9 . _ - ? */
ngx_uint_t ngx_http_wassiit_record_is_id(const u_char *p, size_t len);

/*
 * Is it a name: 1 to NGX_HTTP_WASSIIT_NAME_LEN bytes of UTF-8 without control
 * characters: C0, DEL, C1, line and paragraph separators, and those that turn
 * the direction of a text (U+202A .. E, U+2066 .. 9)?
 */
ngx_uint_t ngx_http_wassiit_record_is_name(const u_char *p, size_t len);

/* Compares two ids, bytewise; below 0, 0 or above 0 as memcmp() says it. */
ngx_int_t ngx_http_wassiit_record_order(const u_char *a, size_t alen,
    const u_char *b, size_t blen);


#endif /* _NGX_HTTP_WASSIIT_RECORD_ID_H_INCLUDED_ */
