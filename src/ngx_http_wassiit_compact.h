
/*
 * Compaction: a new file with only the lines that count takes the place of the
 * partners' file.  It is made beside it, as NAME.compact, comes to the disk,
 * and is renamed.
 */


#ifndef _NGX_HTTP_WASSIIT_COMPACT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_COMPACT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_file.h"


/*
 * Puts a new file in place of this one, which is open to write, with n of its
 * lines, which must not overlap; sets their new offsets and sorts spans by
 * them.  The journal is told of all but what ngx_http_wassiit_file_known()
 * tells.  The lock holds on.  Returns NGX_OK; NGX_ERROR, which is logged;
 * NGX_DECLINED: a span is not of a line that has its id; all is then what it
 * was, but for the order of spans.
 */
ngx_int_t ngx_http_wassiit_compact(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_span_t *spans,
    ngx_uint_t n);

/*
 * Sets spans to where the n lines lie in a file of size bytes that
 * ngx_http_wassiit_compact() has made of them, and sorts them.  The first of
 * them, in the order of the former file, may be set already.  Returns NGX_OK;
 * NGX_DECLINED: the lines don't lie there; NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_compact_moved(ngx_http_wassiit_file_t *file,
    off_t size, ngx_http_wassiit_span_t *spans, ngx_uint_t n);

/* Deletes the new file of a writer that died before it was renamed. */
void ngx_http_wassiit_compact_clean(ngx_http_wassiit_file_t *file);


#endif /* _NGX_HTTP_WASSIIT_COMPACT_H_INCLUDED_ */
