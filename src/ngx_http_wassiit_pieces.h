
/* The next bytes of a body, in memory or in a file. */


#ifndef _NGX_HTTP_WASSIIT_PIECES_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_PIECES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* the most bytes of a piece that is read from a file */
#define NGX_HTTP_WASSIIT_PIECE    32768


/* a place in a body that lies in memory, in a file, or in both */

typedef struct {
    ngx_chain_t                   *cl;
    off_t                          pos;         /* bytes of cl that are done */
} ngx_http_wassiit_place_t;


/*
 * The next bytes from place on, size at most, which stay valid until the next
 * call.  Returns NGX_OK and moves place; NGX_DONE: there are none;
 * NGX_ERROR: the body's file can't be read, which is logged.
 */
ngx_int_t ngx_http_wassiit_pieces_next(ngx_http_request_t *r,
    ngx_http_wassiit_place_t *place, size_t size, ngx_str_t *piece);

/* Sets place, at the beginning of a body, to this many bytes behind it. */
void ngx_http_wassiit_pieces_seek(ngx_http_wassiit_place_t *place,
    off_t offset);


#endif /* _NGX_HTTP_WASSIIT_PIECES_H_INCLUDED_ */
