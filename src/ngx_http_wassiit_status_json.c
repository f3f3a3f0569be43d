
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_status.h"
#include "ngx_wassiit_time.h"


/* the most bytes of a partner in a list, and what follows the last one */
#define JSON_ROW    1280


static void ngx_http_wassiit_json_zone(ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_json_cluster(ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_json_counters(ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_json_limited(ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_json_refused(ngx_http_wassiit_status_t *status);
static ngx_int_t ngx_http_wassiit_json_partner(
    ngx_http_wassiit_status_t *status, ngx_http_wassiit_refusal_t *refusal,
    ngx_http_wassiit_shown_t *shown);
static void ngx_http_wassiit_json_refusal(ngx_http_wassiit_text_t *text,
    ngx_http_wassiit_refusal_t *refusal);
static void ngx_http_wassiit_json_active(ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_json_name(ngx_http_wassiit_text_t *text,
    ngx_http_wassiit_shown_t *shown);
static void ngx_http_wassiit_json_usage(ngx_http_wassiit_text_t *text,
    ngx_wassiit_usage_t *usage);
static void ngx_http_wassiit_json_time(ngx_http_wassiit_text_t *text,
    const char *name, uint64_t ms);


void
ngx_http_wassiit_status_json(ngx_http_wassiit_status_t *status)
{
    ngx_time_t                    *tp;
    ngx_http_wassiit_text_t       *text;
    ngx_http_wassiit_main_conf_t  *wmcf;

    tp = ngx_timeofday();
    text = &status->text;
    wmcf = ngx_http_get_module_main_conf(status->r, ngx_http_wassiit_module);

    ngx_http_wassiit_text_add(text, "{\"version\":\"%s\",\"nginx\":\"%s\"",
                              NGX_HTTP_WASSIIT_VERSION, NGINX_VERSION);
    ngx_http_wassiit_json_time(text, ",\"now\":",
                               (uint64_t) tp->sec * 1000 + tp->msec);
    ngx_http_wassiit_text_add(text, ",\"uptime\":%uL.%03uL",
                              status->sums.uptime / 1000,
                              status->sums.uptime % 1000);
    ngx_http_wassiit_json_time(text, ",\"loaded\":",
                               (uint64_t) wmcf->loaded * 1000);
    ngx_http_wassiit_text_add(text, ",\"generation\":%uD",
                              ngx_http_wassiit_zone_loads(status->zone));

    ngx_http_wassiit_json_zone(status);
    ngx_http_wassiit_json_cluster(status);
    ngx_http_wassiit_json_counters(status);
    ngx_http_wassiit_json_limited(status);
    ngx_http_wassiit_json_refused(status);
    ngx_http_wassiit_json_active(status);

    ngx_http_wassiit_text_add(text, ",\"truncated\":%s}",
                              status->truncated ? "true" : "false");
}


static void
ngx_http_wassiit_json_zone(ngx_http_wassiit_status_t *status)
{
    const char               *error, *quote;
    ngx_http_wassiit_zone_t  *zone;

    zone = status->zone;
    error = ngx_http_wassiit_status_file(zone);
    quote = error ? "\"" : "";

    ngx_http_wassiit_text_add(&status->text,
                              ",\"zone\":{\"name\":\"%V\",\"size\":%uz,"
                              "\"used\":%uz,\"partners\":%ui,\"disabled\":%ui,"
                              "\"changes\":%s,\"file\":{\"ok\":%s,"
                              "\"error\":%s%s%s}}",
                              &zone->name, zone->size,
                              ngx_http_wassiit_zone_used_bytes(zone),
                              ngx_http_wassiit_zone_partners(zone),
                              ngx_http_wassiit_zone_disabled(zone),
                              (zone->admin
                               && ngx_http_wassiit_zone_takes_changes(zone))
                              ? "true" : "false",
                              error ? "false" : "true",
                              quote, error ? error : "null", quote);
}


static void
ngx_http_wassiit_json_cluster(ngx_http_wassiit_status_t *status)
{
    ngx_uint_t                          i;
    ngx_http_wassiit_text_t            *text;
    ngx_http_wassiit_status_cluster_t   cluster;

    if (ngx_http_wassiit_status_cluster(status, &cluster) != NGX_OK) {
        return;
    }

    text = &status->text;

    ngx_http_wassiit_text_add(text, ",\"cluster\":{\"node\":\"%V\","
                              "\"place\":%ui,\"nodes\":%ui,\"state\":\"%V\","
                              "\"session\":%uL.%03uL,\"agrees\":%s,"
                              "\"stale\":%s,\"redis\":{\"connected\":%s",
                              &cluster.node, cluster.place, cluster.nodes,
                              cluster.state, cluster.rest / 1000,
                              cluster.rest % 1000,
                              cluster.agrees ? "true" : "false",
                              cluster.stale ? "true" : "false",
                              cluster.up ? "true" : "false");

    if (cluster.answered) {
        ngx_http_wassiit_json_time(text, ",\"answered\":", cluster.answered);

    } else {
        ngx_http_wassiit_text_add(text, ",\"answered\":null");
    }

    ngx_http_wassiit_text_add(text, "},\"caps\":%ui,\"behind\":%uL,"
                              "\"counters\":{", cluster.caps, cluster.behind);

    for (i = 0; ngx_http_wassiit_status_counts[i].name; i++) {
        ngx_http_wassiit_text_add(text, "%s\"%s\":%uL", i ? "," : "",
                                  ngx_http_wassiit_status_counts[i].name,
                                  ngx_http_wassiit_status_count(status,
                                         &ngx_http_wassiit_status_counts[i]));
    }

    ngx_http_wassiit_text_add(text, "}}");
}


static void
ngx_http_wassiit_json_counters(ngx_http_wassiit_status_t *status)
{
    uint64_t                       sum;
    uint32_t                       bound;
    ngx_uint_t                     i, n;
    ngx_http_wassiit_text_t       *text;
    ngx_http_wassiit_board_own_t  *own;

    text = &status->text;
    own = &status->sums.own;

    ngx_http_wassiit_json_time(text, ",\"counters\":{\"since\":",
                               status->sums.since);
    ngx_http_wassiit_text_add(text, ",\"decisions\":{");

    for (i = NGX_HTTP_WASSIIT_ALLOWED; i < NGX_HTTP_WASSIIT_DECISIONS; i++) {
        ngx_http_wassiit_text_add(text, "%s\"%V\":%uL",
                                  i == NGX_HTTP_WASSIIT_ALLOWED ? "" : ",",
                                  ngx_http_wassiit_code(i), own->decisions[i]);
    }

    ngx_http_wassiit_text_add(text, "},\"responses\":{");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_CLASSES; i++) {
        sum = 0;

        for (n = 0; n < NGX_HTTP_WASSIIT_BOARD_SOURCES; n++) {
            sum += own->responses[i][n];
        }

        ngx_http_wassiit_text_add(text, "%s\"%uixx\":%uL", i ? "," : "", i + 1,
                                  sum);
    }

    ngx_http_wassiit_text_add(text, "},\"upstream\":{");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_CLASSES; i++) {
        n = NGX_HTTP_WASSIIT_BOARD_UPSTREAM;
        ngx_http_wassiit_text_add(text, "%s\"%uixx\":%uL", i ? "," : "", i + 1,
                                  own->responses[i][n]);
    }

    ngx_http_wassiit_text_add(text, "},\"duration\":{\"le\":[");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_BOUNDS; i++) {
        bound = ngx_http_wassiit_board_bounds[i];
        ngx_http_wassiit_text_add(text, "%s%uD.%03uD", i ? "," : "",
                                  bound / 1000, bound % 1000);
    }

    ngx_http_wassiit_text_add(text, "],\"counts\":[");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_BUCKETS; i++) {
        ngx_http_wassiit_text_add(text, "%s%uL", i ? "," : "",
                                  own->buckets[i]);
    }

    ngx_http_wassiit_text_add(text, "],\"sum\":%uL.%03uL},"
                              "\"file_failures\":{", own->sum / 1000,
                              own->sum % 1000);

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_FAULTS; i++) {
        ngx_http_wassiit_text_add(text, "%s\"%s\":%uL", i ? "," : "",
                                  ngx_http_wassiit_status_faults[i],
                                  status->sums.rare.faults[i]);
    }

    ngx_http_wassiit_text_add(text, "}}");
}


static void
ngx_http_wassiit_json_limited(ngx_http_wassiit_status_t *status)
{
    ngx_uint_t                   i, n, most;
    ngx_http_wassiit_text_t     *text;
    ngx_http_wassiit_shown_t     shown;
    ngx_http_wassiit_refusal_t  *refusal;

    text = &status->text;
    most = status->nids ? status->nids : status->top;
    n = 0;

    ngx_http_wassiit_text_add(text, ",\"limited\":[");

    for (i = 0; i < status->nrefusals && n < most; i++) {
        refusal = &status->refusals[i];

        if (refusal->decision != NGX_HTTP_WASSIIT_RATE_LIMITED
            || ngx_http_wassiit_json_partner(status, refusal, &shown)
               != NGX_OK)
        {
            continue;
        }

        if (!ngx_http_wassiit_status_has_room(status, JSON_ROW)) {
            break;
        }

        ngx_http_wassiit_text_add(text, "%s{\"id\":\"%*s\"", n++ ? "," : "",
                                  (size_t) shown.id.len, shown.id.id);
        ngx_http_wassiit_json_name(text, &shown);
        ngx_http_wassiit_json_refusal(text, refusal);
        ngx_http_wassiit_text_add(text, ",\"limited\":%uL", shown.limited);
        ngx_http_wassiit_json_usage(text, &shown.usage);
        ngx_http_wassiit_text_add(text, "}");
    }

    ngx_http_wassiit_text_add(text, "]");
}


/* Those who aren't known have no id. */

static void
ngx_http_wassiit_json_refused(ngx_http_wassiit_status_t *status)
{
    ngx_uint_t                   i, n, most;
    ngx_http_wassiit_text_t     *text;
    ngx_http_wassiit_shown_t     shown;
    ngx_http_wassiit_refusal_t  *refusal;

    text = &status->text;
    most = status->nids ? status->nids : status->top;
    n = 0;

    ngx_http_wassiit_text_add(text, ",\"refused\":[");

    for (i = 0; i < status->nrefusals && n < most; i++) {
        refusal = &status->refusals[i];

        if (refusal->decision == NGX_HTTP_WASSIIT_RATE_LIMITED) {
            continue;
        }

        if (!ngx_http_wassiit_status_has_room(status, JSON_ROW)) {
            break;
        }

        if (refusal->id_len == 0) {
            ngx_http_wassiit_text_add(text, "%s{\"id\":null,\"name\":null",
                                      n++ ? "," : "");

        } else if (ngx_http_wassiit_json_partner(status, refusal, &shown)
                   == NGX_OK)
        {
            ngx_http_wassiit_text_add(text, "%s{\"id\":\"%*s\"",
                                      n++ ? "," : "", (size_t) shown.id.len,
                                      shown.id.id);
            ngx_http_wassiit_json_name(text, &shown);

        } else {
            continue;
        }

        ngx_http_wassiit_json_refusal(text, refusal);
        ngx_http_wassiit_text_add(text, "}");
    }

    ngx_http_wassiit_text_add(text, "]");
}


/* Returns NGX_DECLINED: the one who was refused is gone. */

static ngx_int_t
ngx_http_wassiit_json_partner(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_refusal_t *refusal, ngx_http_wassiit_shown_t *shown)
{
    ngx_http_wassiit_board_id_t  id;

    id.len = refusal->id_len;
    ngx_memcpy(id.id, refusal->id, id.len);

    return (ngx_http_wassiit_status_look(status, &id, shown) == NGX_OK
            && shown->generation == refusal->generation)
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_wassiit_json_refusal(ngx_http_wassiit_text_t *text,
    ngx_http_wassiit_refusal_t *refusal)
{
    u_char  hex[2 * NGX_HTTP_WASSIIT_BOARD_INSTANCE];

    ngx_http_wassiit_text_add(text, ",\"decision\":\"%V\"",
                              ngx_http_wassiit_code(refusal->decision));

    if (refusal->about_len) {
        ngx_http_wassiit_text_add(text, ",\"about\":\"%*s\"",
                                  (size_t) refusal->about_len, refusal->about);

    } else {
        ngx_http_wassiit_text_add(text, ",\"about\":null");
    }

    if (refusal->id_len) {
        ngx_http_wassiit_json_time(text, ",\"since\":", refusal->since);
    }

    ngx_http_wassiit_json_time(text, ",\"last\":", refusal->time);

    if (refusal->id_len) {
        ngx_http_wassiit_text_add(text, ",\"count\":%uD", refusal->count);

    } else {
        /* how many there are of these, the counters tell */
        ngx_http_wassiit_text_add(text, ",\"count\":null");
    }

    if (refusal->has_instance) {
        ngx_hex_dump(hex, refusal->instance, NGX_HTTP_WASSIIT_BOARD_INSTANCE);
        ngx_http_wassiit_text_add(text, ",\"request_id\":\"%*s\"",
                                  sizeof(hex), hex);

    } else {
        ngx_http_wassiit_text_add(text, ",\"request_id\":null");
    }
}


static void
ngx_http_wassiit_json_active(ngx_http_wassiit_status_t *status)
{
    ngx_uint_t                 i;
    ngx_http_wassiit_text_t   *text;
    ngx_http_wassiit_shown_t  *shown;

    text = &status->text;

    ngx_http_wassiit_text_add(text, ",\"active\":[");

    for (i = 0; i < status->nshown; i++) {

        if (!ngx_http_wassiit_status_has_room(status, JSON_ROW)) {
            break;
        }

        shown = &status->shown[i];

        ngx_http_wassiit_text_add(text, "%s{\"id\":\"%*s\"", i ? "," : "",
                                  (size_t) shown->id.len, shown->id.id);
        ngx_http_wassiit_json_name(text, shown);
        ngx_http_wassiit_text_add(text, ",\"enabled\":%s,\"allowed\":%uL,"
                                  "\"limited\":%uL,\"refused\":%uL",
                                  shown->enabled ? "true" : "false",
                                  shown->allowed, shown->limited,
                                  shown->refused);
        ngx_http_wassiit_json_usage(text, &shown->usage);
        ngx_http_wassiit_text_add(text, "}");
    }

    ngx_http_wassiit_text_add(text, "]");
}


static void
ngx_http_wassiit_json_name(ngx_http_wassiit_text_t *text,
    ngx_http_wassiit_shown_t *shown)
{
    u_char  *p, name[6 * NGX_HTTP_WASSIIT_NAME_LEN];

    if (shown->name_len == 0) {
        ngx_http_wassiit_text_add(text, ",\"name\":null");
        return;
    }

    p = (u_char *) ngx_escape_json(name, shown->name, shown->name_len);

    ngx_http_wassiit_text_add(text, ",\"name\":\"%*s\"", (size_t) (p - name),
                              name);
}


static void
ngx_http_wassiit_json_usage(ngx_http_wassiit_text_t *text,
    ngx_wassiit_usage_t *usage)
{
    ngx_http_wassiit_text_add(text, ",\"used\":%uD,\"limit\":%uD,"
                              "\"seconds\":%uD,\"reset\":%uL",
                              ngx_http_wassiit_status_used(usage),
                              usage->limit, usage->seconds,
                              (uint64_t) ngx_http_wassiit_reset(usage));
}


/* The time in UTC, to the millisecond, behind its field's name. */

static void
ngx_http_wassiit_json_time(ngx_http_wassiit_text_t *text, const char *name,
    uint64_t ms)
{
    u_char  at[NGX_WASSIIT_TIME_LEN];

    ngx_wassiit_time_format(ms / 1000, at);

    /* before the Z */

    ngx_http_wassiit_text_add(text, "%s\"%*s.%03uLZ\"", name,
                              (size_t) NGX_WASSIIT_TIME_LEN - 1, at,
                              ms % 1000);
}
