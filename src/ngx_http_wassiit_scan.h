
/*
 * What a former life of this node has left in the ledger: it may have lent some
 * of its standing share.
 */


#ifndef _NGX_HTTP_WASSIIT_SCAN_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_SCAN_H_INCLUDED_


#include "ngx_http_wassiit_cluster.h"


/*
 * Asks for the next partners of whom the ledger notes anything; each is claimed
 * anew in its turn.  Sets lead->scanned when there are no more.  For the
 * leader, while no answer is awaited.
 */
void ngx_http_wassiit_scan(ngx_http_wassiit_cluster_t *cluster);


#endif /* _NGX_HTTP_WASSIIT_SCAN_H_INCLUDED_ */
