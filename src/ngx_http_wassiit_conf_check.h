
/* What directives mustn't stand together, or without others. */


#ifndef _NGX_HTTP_WASSIIT_CONF_CHECK_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_CHECK_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* a directive that asks something of a partner, and where it is written */

typedef struct {
    ngx_str_t                      directive;
    ngx_http_wassiit_loc_conf_t   *block;
    ngx_uint_t                     type;        /* cf->cmd_type */
    ngx_str_t                      location;
    u_char                        *conf_file;
    ngx_uint_t                     conf_line;
} ngx_http_wassiit_demand_t;


/*
 * Notes a directive of wlcf's block that without wassiit_access would ask
 * nobody.  Returns NGX_CONF_OK; NGX_CONF_ERROR: memory is short.
 */
char *ngx_http_wassiit_demand(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_wassiit_loc_conf_t *wlcf);

/*
 * What a location asks must be asked there; what a block does, in it.  To be
 * called when all has been merged.  Returns NGX_OK; NGX_ERROR: it isn't, which
 * is logged.
 */
ngx_int_t ngx_http_wassiit_check_demands(ngx_conf_t *cf);

/* Access is on in this block, so it is in those around it. */
void ngx_http_wassiit_guard(ngx_http_wassiit_loc_conf_t *block);

/*
 * What is judged by its end can't be on its way before.  gRPC knows no
 * buffering: each of its calls may go both ways at once.  Returns NGX_CONF_OK;
 * NGX_CONF_ERROR, which is logged.
 */
char *ngx_http_wassiit_need_buffering(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *conf);


#endif /* _NGX_HTTP_WASSIIT_CONF_CHECK_H_INCLUDED_ */
