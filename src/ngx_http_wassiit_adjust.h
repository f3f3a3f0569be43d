
/*
 * Claims of this worker: what requests are short of, and what others need, is
 * put into one call at the end of each turn of the event loop.
 */


#ifndef _NGX_HTTP_WASSIIT_ADJUST_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ADJUST_H_INCLUDED_


#include "ngx_http_wassiit_cluster.h"


/* Returns NGX_OK, or NGX_ERROR: memory is short. */
ngx_int_t ngx_http_wassiit_adjust_init(ngx_http_wassiit_cluster_t *cluster,
    ngx_cycle_t *cycle);

/* Has the partner's cap looked at, soon.  The id is copied. */
void ngx_http_wassiit_adjust_note(ngx_http_wassiit_cluster_t *cluster,
    ngx_str_t *id, ngx_http_wassiit_caps_why_e why);

/*
 * Writes a partner's numbers to *arg, and its key to *key, both at p, which has
 * room for NGX_HTTP_WASSIIT_ADJUST_LEN bytes.  Returns its end.
 */
#define NGX_HTTP_WASSIIT_ADJUST_LEN                                          \
    (7 * (NGX_INT64_LEN + 1) + sizeof("wassiit:{}:w:")                       \
     + NGX_HTTP_WASSIIT_ZONE_NAME_LEN + NGX_HTTP_WASSIIT_ID_LEN)

u_char *ngx_http_wassiit_adjust_write(u_char *p,
    ngx_http_wassiit_cluster_t *cluster, ngx_str_t *id,
    ngx_http_wassiit_claim_t *claim, ngx_str_t *key, ngx_str_t *arg);


#endif /* _NGX_HTTP_WASSIIT_ADJUST_H_INCLUDED_ */
