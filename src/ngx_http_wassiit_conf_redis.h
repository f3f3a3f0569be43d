
/* The directive wassiit_redis: which servers a zone's nodes share. */


#ifndef _NGX_HTTP_WASSIIT_CONF_REDIS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_REDIS_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_redis.h"


/* The setter of wassiit_redis. */
char *ngx_http_wassiit_set_redis(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* That of this zone; NULL: there is none. */
ngx_http_wassiit_redis_conf_t *ngx_http_wassiit_get_redis(
    ngx_http_wassiit_main_conf_t *wmcf, ngx_str_t *zone);


#endif /* _NGX_HTTP_WASSIIT_CONF_REDIS_H_INCLUDED_ */
