
/* What is said of this module's version, which stands in ngx_http_wassiit.h. */


#ifndef _NGX_HTTP_WASSIIT_VERSION_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_VERSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* Adds the version to what "nginx -T" shows. */
ngx_int_t ngx_http_wassiit_version_dump(ngx_cycle_t *cycle);

/*
 * Warns if the file of this module is another than the one that runs: nginx
 * keeps what it has once loaded, over any reload.
 */
void ngx_http_wassiit_version_compare(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_WASSIIT_VERSION_H_INCLUDED_ */
