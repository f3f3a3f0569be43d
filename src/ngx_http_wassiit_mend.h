
/*
 * The mutex of a zone's writers.  A writer that dies leaves it to the next one,
 * which brings to an end what was begun.
 */


#ifndef _NGX_HTTP_WASSIIT_MEND_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_MEND_H_INCLUDED_


#include "ngx_http_wassiit_partner.h"


/*
 * Waits for another writer, so many milliseconds at most.  Returns NGX_OK; or
 * NGX_BUSY: it has the mutex still, which is logged.
 */
ngx_int_t ngx_http_wassiit_mend_lock(ngx_http_wassiit_zone_t *zone,
    ngx_uint_t patience);
ngx_int_t ngx_http_wassiit_mend_trylock(ngx_http_wassiit_zone_t *zone);
void ngx_http_wassiit_mend_unlock(ngx_http_wassiit_zone_t *zone);


#endif /* _NGX_HTTP_WASSIIT_MEND_H_INCLUDED_ */
