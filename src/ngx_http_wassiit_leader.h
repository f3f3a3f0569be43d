
/*
 * A node of a cluster in its workers: of all of them one, the leader, speaks
 * for the node with the ledger, and goes through its caps.
 */


#ifndef _NGX_HTTP_WASSIIT_LEADER_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_LEADER_H_INCLUDED_


#include "ngx_http_wassiit_cluster.h"


/*
 * Begins in a worker, for all zones of the configuration that have a cluster.
 * Returns NGX_OK, or NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_leader_init(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf);

/* The worker exits. */
void ngx_http_wassiit_leader_end(void);


#endif /* _NGX_HTTP_WASSIIT_LEADER_H_INCLUDED_ */
