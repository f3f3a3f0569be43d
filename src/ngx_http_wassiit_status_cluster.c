
#include "ngx_http_wassiit_cluster.h"
#include "ngx_http_wassiit_status.h"
#include "ngx_http_wassiit_zone_sh.h"


#define MS      ((uint64_t) 1000)

#define count_of(name)                                                       \
    offsetof(ngx_http_wassiit_claims_counts_t, name)


const ngx_http_wassiit_status_count_t  ngx_http_wassiit_status_counts[] = {

    { "claims", "claims", count_of(claims),
      "Partners' caps that the ledger was asked for, or told of." },

    { "granted", "granted", count_of(granted),
      "Admissions that the ledger has granted to this node." },

    { "lent", "lent", count_of(lent),
      "Admissions that this node has given back." },

    { "early", "early_refusals", count_of(early),
      "Requests that were refused here while other nodes may have had some "
      "of the partner's limit free." },

    { "parked", "parked", count_of(parked),
      "Requests that waited for a grant." },

    { "admitted", "parked_admitted", count_of(admitted),
      "Of those that waited, the ones that were let in." },

    { "crowded", "crowded", count_of(crowded),
      "Partners' caps that weren't asked for, as too many have one of "
      "their own." },

    { "losses", "losses", count_of(losses),
      "Sessions that the ledger took for over before this node ended." },

    { "errors", "errors", count_of(errors),
      "Calls that Redis answered with an error." },

    { NULL, NULL, 0, NULL }
};


ngx_int_t
ngx_http_wassiit_status_cluster(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_status_cluster_t *cluster)
{
    uint64_t                           now, until, met;
    ngx_uint_t                         i;
    ngx_time_t                        *tp;
    ngx_http_wassiit_zone_t           *zone;
    ngx_http_wassiit_main_conf_t      *wmcf;
    ngx_http_wassiit_claims_lead_t    *lead;
    ngx_http_wassiit_cluster_conf_t  **conf;

    zone = status->zone;
    wmcf = ngx_http_get_module_main_conf(status->r, ngx_http_wassiit_module);

    if (zone->claims.sh == NULL || wmcf->clusters == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(cluster, sizeof(ngx_http_wassiit_status_cluster_t));

    conf = wmcf->clusters->elts;

    for (i = 0; i < wmcf->clusters->nelts; i++) {
        if (conf[i]->zone == zone) {
            cluster->node = conf[i]->node;
            cluster->nodes = conf[i]->nodes;
        }
    }

    lead = ngx_http_wassiit_claims_lead(&zone->claims);
    now = ngx_http_wassiit_zone_clock();

    cluster->state = ngx_http_wassiit_cluster_state(zone);
    cluster->place = load(&lead->place);
    cluster->up = load(&lead->up);
    cluster->agrees = !load(&lead->strange);
    cluster->stale = zone->claims.stale
                     && ngx_http_wassiit_claims_is_stale(&zone->claims, now);
    cluster->caps = load(&lead->caps);
    cluster->behind = load(&lead->behind);

    until = load(&lead->until);
    cluster->rest = (until > now) ? (until - now) / MS : 0;

    /* that clock tells no date */

    met = load(&lead->met);

    if (met) {
        tp = ngx_timeofday();
        cluster->answered = (uint64_t) tp->sec * 1000 + tp->msec
                            - (now > met ? (now - met) / MS : 0);
    }

    return NGX_OK;
}


uint64_t
ngx_http_wassiit_status_count(ngx_http_wassiit_status_t *status,
    const ngx_http_wassiit_status_count_t *count)
{
    u_char  *counts;

    counts = (u_char *) ngx_http_wassiit_claims_counts(&status->zone->claims);

    return load((uint64_t *) (counts + count->offset));
}
