
#include "ngx_http_wassiit_pieces.h"


ngx_int_t
ngx_http_wassiit_pieces_next(ngx_http_request_t *r,
    ngx_http_wassiit_place_t *place, size_t size, ngx_str_t *piece)
{
    off_t       rest;
    ssize_t     n;
    ngx_buf_t  *b;

    static u_char  slice[NGX_HTTP_WASSIIT_PIECE];

    for ( ;; ) {

        if (place->cl == NULL) {
            return NGX_DONE;
        }

        b = place->cl->buf;
        rest = ngx_buf_special(b) ? 0 : ngx_buf_size(b) - place->pos;

        if (rest > 0) {
            break;
        }

        place->cl = place->cl->next;
        place->pos = 0;
    }

    size = (rest < (off_t) size) ? (size_t) rest : size;

    if (ngx_buf_in_memory(b)) {
        piece->data = b->pos + place->pos;
        piece->len = size;

    } else {
        size = ngx_min(size, NGX_HTTP_WASSIIT_PIECE);
        n = ngx_read_file(b->file, slice, size, b->file_pos + place->pos);

        if (n <= 0) {
            ngx_log_error(NGX_LOG_ALERT, r->connection->log, 0,
                          "wassiit: the body's file \"%V\" is cut short",
                          &b->file->name);
            return NGX_ERROR;
        }

        piece->data = slice;
        piece->len = n;
    }

    place->pos += piece->len;

    return NGX_OK;
}


void
ngx_http_wassiit_pieces_seek(ngx_http_wassiit_place_t *place, off_t offset)
{
    off_t  size;

    for ( /* void */ ; place->cl; place->cl = place->cl->next) {
        size = ngx_buf_special(place->cl->buf) ? 0
                                               : ngx_buf_size(place->cl->buf);

        if (offset < size) {
            break;
        }

        offset -= size;
    }

    place->pos = offset;
}
