
/* The directive wassiit_cluster: what a zone's nodes agree on. */


#ifndef _NGX_HTTP_WASSIIT_CONF_CLUSTER_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_CLUSTER_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_cluster.h"


/* The setter of wassiit_cluster. */
char *ngx_http_wassiit_set_cluster(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Looks whether each wassiit_cluster has a wassiit_redis, and each of these one
 * of those, and tells the zones what they share.  To be called before the zones
 * get their memory.  Returns NGX_OK, or NGX_ERROR, which is then logged.
 */
ngx_int_t ngx_http_wassiit_check_clusters(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf);


#endif /* _NGX_HTTP_WASSIIT_CONF_CLUSTER_H_INCLUDED_ */
