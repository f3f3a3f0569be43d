
/*
 * A node's session in the ledger: joined, renewed, restated where the ledger
 * has forgotten, left.  Only the leader calls these.
 */


#ifndef _NGX_HTTP_WASSIIT_SESSION_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_SESSION_H_INCLUDED_


#include "ngx_http_wassiit_cluster.h"


/*
 * Says what is to be said next, if anything is and no answer is awaited.  now
 * is as of ngx_http_wassiit_zone_clock().
 */
void ngx_http_wassiit_session_speak(ngx_http_wassiit_cluster_t *cluster,
    uint64_t now);

/* Answers to what was asked before mean nothing from here on. */
void ngx_http_wassiit_session_change(ngx_http_wassiit_cluster_t *cluster);

/*
 * What the session has is not to be used any more, and it is to be begun anew:
 * the caller sees to cluster->lost and ->has.
 */
void ngx_http_wassiit_session_end(ngx_http_wassiit_cluster_t *cluster);

/*
 * The last worker exits: nothing is admitted here any more, and the other nodes
 * needn't wait for the end of the lease.
 */
void ngx_http_wassiit_session_leave(ngx_http_wassiit_cluster_t *cluster);


#endif /* _NGX_HTTP_WASSIIT_SESSION_H_INCLUDED_ */
