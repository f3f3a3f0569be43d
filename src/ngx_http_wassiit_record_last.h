
/* The last line of a partners' file, which a power cut may have torn. */


#ifndef _NGX_HTTP_WASSIIT_RECORD_LAST_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_RECORD_LAST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_record.h"


/*
 * As ngx_http_wassiit_record_parse(), for the last line of a file, of len bytes
 * with its LF, if it has one.  Sets *keep to the bytes of it that count: fewer
 * than len if power was cut before the rest came to the disk.  That is what
 * just ends too early, without an LF, or all from the first zero byte on, with
 * or without one; what stands before that byte counts if it is whole.  Returns
 * NGX_DONE if *keep is zero.
 */
ngx_int_t ngx_http_wassiit_record_parse_last(ngx_http_wassiit_parse_t *parse,
    ngx_http_wassiit_arena_t *arena, u_char *p, size_t len,
    ngx_http_wassiit_record_t **rec, size_t *keep);


#endif /* _NGX_HTTP_WASSIIT_RECORD_LAST_H_INCLUDED_ */
