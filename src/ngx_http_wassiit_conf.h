
/* The directives, and the configurations that they fill. */


#ifndef _NGX_HTTP_WASSIIT_CONF_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_H_INCLUDED_


#include "ngx_http_wassiit.h"


extern ngx_command_t  ngx_http_wassiit_commands[];


/* What ngx_http_module_t names; each logs why it fails. */
void *ngx_http_wassiit_create_main_conf(ngx_conf_t *cf);
char *ngx_http_wassiit_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_wassiit_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_wassiit_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


#endif /* _NGX_HTTP_WASSIIT_CONF_H_INCLUDED_ */
