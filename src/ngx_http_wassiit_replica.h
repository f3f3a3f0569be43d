
/*
 * The partners of a cluster in this worker: its changes are ordered by Redis
 * and answered when all nodes have made them; of each node the leader follows
 * what others change, and offers what Redis lacks.
 */


#ifndef _NGX_HTTP_WASSIIT_REPLICA_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_REPLICA_H_INCLUDED_


#include "ngx_http_wassiit_cluster.h"


/* Begins in a worker.  Returns NGX_OK, or NGX_ERROR: memory is short. */
ngx_int_t ngx_http_wassiit_replica_init(ngx_http_wassiit_cluster_t *cluster,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_cycle_t *cycle);

/* This worker is the leader from now on. */
void ngx_http_wassiit_replica_lead(ngx_http_wassiit_cluster_t *cluster);

/* The leader's turn, while Redis is connected: reads on where it has to. */
void ngx_http_wassiit_replica_tick(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);

/* A node has changed a partner: reads it at once. */
void ngx_http_wassiit_replica_hear(ngx_http_wassiit_cluster_t *cluster);


#endif /* _NGX_HTTP_WASSIIT_REPLICA_H_INCLUDED_ */
