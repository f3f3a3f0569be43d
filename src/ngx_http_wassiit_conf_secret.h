
/* The directives that name secrets. */


#ifndef _NGX_HTTP_WASSIIT_CONF_SECRET_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_SECRET_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* The setter of wassiit_upstream_hmac. */
char *ngx_http_wassiit_set_signer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The setter of wassiit_webhook_verify and of wassiit_webhook_sign. */
char *ngx_http_wassiit_set_webhook(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_HTTP_WASSIIT_CONF_SECRET_H_INCLUDED_ */
