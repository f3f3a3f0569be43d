
#include "ngx_http_wassiit_scan.h"
#include "ngx_http_wassiit_zone_sh.h"


static void ngx_http_wassiit_scanned(ngx_wassiit_resp_t *reply, void *data);


void
ngx_http_wassiit_scan(ngx_http_wassiit_cluster_t *cluster)
{
    u_char     set[sizeof("wassiit:{}:ids") + NGX_HTTP_WASSIIT_ZONE_NAME_LEN];
    ngx_str_t  args[5];

    ngx_str_set(&args[0], "SSCAN");
    args[1].data = set;
    args[1].len = ngx_sprintf(set, "wassiit:{%V}:ids", &cluster->zone->name)
                  - set;
    args[2].data = cluster->scan;
    args[2].len = ngx_strlen(cluster->scan);

    if (args[2].len == 0) {
        ngx_str_set(&args[2], "0");
    }

    ngx_str_set(&args[3], "COUNT");
    ngx_str_set(&args[4], "200");

    if (ngx_http_wassiit_redis_call(cluster->redis, args, 5,
                                    ngx_http_wassiit_cluster_patience(cluster),
                                    ngx_http_wassiit_scanned, cluster)
        == NGX_OK)
    {
        cluster->asked = ngx_http_wassiit_zone_clock();
    }
}


static void
ngx_http_wassiit_scanned(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_cluster_t *cluster = data;

    ngx_uint_t                       n;
    ngx_http_wassiit_claims_lead_t  *lead;
    u_char                           scan[sizeof(cluster->scan)];

    cluster->asked = 0;
    lead = ngx_http_wassiit_claims_lead(&cluster->zone->claims);

    if (!cluster->leads || reply == NULL
        || reply->type != NGX_WASSIIT_RESP_ARRAY
        || ngx_wassiit_resp_next(reply) != NGX_OK
        || reply->text.len == 0 || reply->text.len >= sizeof(cluster->scan))
    {
        return;
    }

    (void) ngx_cpystrn(scan, reply->text.data, reply->text.len + 1);

    if (ngx_wassiit_resp_next(reply) != NGX_OK) {
        return;
    }

    for (n = reply->count; n; n--) {
        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            return;
        }

        if (reply->text.len && reply->text.len <= NGX_HTTP_WASSIIT_ID_LEN
            && ngx_http_wassiit_caps_note(cluster->zone, &reply->text)
               != NGX_OK)
        {
            /* from the beginning */
            ngx_http_wassiit_zone_mend(cluster->zone);
            cluster->scan[0] = '\0';
            return;
        }
    }

    (void) ngx_cpystrn(cluster->scan, scan, sizeof(cluster->scan));

    if (ngx_strcmp(scan, "0") == 0) {
        cluster->scan[0] = '\0';
        store(&lead->scanned, 1);
    }

    ngx_http_wassiit_cluster_now(cluster);
}
