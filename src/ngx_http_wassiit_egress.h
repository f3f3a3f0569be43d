
/* wassiit_egress: where requests may go from here. */


#ifndef _NGX_HTTP_WASSIIT_EGRESS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_EGRESS_H_INCLUDED_


#include "ngx_http_wassiit.h"


/*
 * Notes the location whose configurations are merged just now, if it sends
 * to public addresses only.  Returns NGX_OK, or
 * NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_egress_merge(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *conf);

/*
 * Puts itself in front of the content handlers of these locations; to be
 * called when all modules' configurations have been merged.
 */
void ngx_http_wassiit_egress_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_WASSIIT_EGRESS_H_INCLUDED_ */
