
/*
 * Prometheus' text format, version 0.0.4:
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * Partners' ids need no escape in a label; a zone's name has neither quotes nor
 * backslashes.
 */


#include "ngx_http_wassiit_cluster.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_change.h"
#include "ngx_http_wassiit_status.h"


static void ngx_http_wassiit_prometheus_head(ngx_http_wassiit_text_t *text,
    const char *name, const char *type, const char *help);
static void ngx_http_wassiit_prometheus_build(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_prometheus_zone(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_prometheus_requests(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_prometheus_durations(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_prometheus_changes(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_prometheus_cluster(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_prometheus_node(ngx_http_wassiit_text_t *text,
    ngx_str_t *name, ngx_http_wassiit_status_cluster_t *cluster);
static void ngx_http_wassiit_prometheus_gauge(ngx_http_wassiit_text_t *text,
    ngx_str_t *name, const char *metric, uint64_t value, const char *help);
static void ngx_http_wassiit_prometheus_seconds(ngx_http_wassiit_text_t *text,
    ngx_str_t *name, const char *metric, uint64_t ms, const char *help);
static void ngx_http_wassiit_prometheus_partners(
    ngx_http_wassiit_status_t *status);


/* the bytes of a line, without the zone's name, the partner's id, the digits */
#define PROMETHEUS_REQUESTS     70
#define PROMETHEUS_RATIO        62

/* and of what follows them */
#define PROMETHEUS_REST         512


/* as they are written: a label never changes */

static const char  *ngx_http_wassiit_prometheus_bounds
    [NGX_HTTP_WASSIIT_BOARD_BUCKETS] =
{
    "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "10",
    "30", "+Inf"
};

/* by NGX_HTTP_WASSIIT_BOARD_MODULE, _VERIFIED, _LOCKED, _DONE and the others */

static const char  *ngx_http_wassiit_prometheus_sources
    [NGX_HTTP_WASSIIT_BOARD_SOURCES] =
{
    "module", "nginx", "upstream"
};

static const char  *ngx_http_wassiit_prometheus_webhooks
    [NGX_HTTP_WASSIIT_BOARD_WEBHOOKS][2] =
{
    { "in", "verified" },
    { "in", "missing_signature" },
    { "in", "invalid_signature" },
    { "out", "signed" },
    { "out", "no_secret" },
    { "out", "no_partner" }
};

static const char  *ngx_http_wassiit_prometheus_results
    [NGX_HTTP_WASSIIT_BOARD_RESULTS] =
{
    "done", "refused", "failed"
};


void
ngx_http_wassiit_status_prometheus(ngx_http_wassiit_status_t *status)
{
    if (status->nids == 0) {
        ngx_http_wassiit_prometheus_build(status);
        ngx_http_wassiit_prometheus_zone(status);
        ngx_http_wassiit_prometheus_requests(status);
        ngx_http_wassiit_prometheus_durations(status);
        ngx_http_wassiit_prometheus_changes(status);
        ngx_http_wassiit_prometheus_cluster(status);
    }

    ngx_http_wassiit_prometheus_partners(status);
}


static void
ngx_http_wassiit_prometheus_head(ngx_http_wassiit_text_t *text,
    const char *name, const char *type, const char *help)
{
    ngx_http_wassiit_text_add(text, "# HELP wassiit_%s %s\n"
                              "# TYPE wassiit_%s %s\n", name, help, name, type);
}


static void
ngx_http_wassiit_prometheus_build(ngx_http_wassiit_status_t *status)
{
    ngx_http_wassiit_text_t       *text;
    ngx_http_wassiit_main_conf_t  *wmcf;

    text = &status->text;
    wmcf = ngx_http_get_module_main_conf(status->r, ngx_http_wassiit_module);

    ngx_http_wassiit_prometheus_head(text, "build_info", "gauge",
                                     "Versions of the module and of nginx.");
    ngx_http_wassiit_text_add(text, "wassiit_build_info{version=\"%s\","
                              "nginx=\"%s\"} 1\n", NGX_HTTP_WASSIIT_VERSION,
                              NGINX_VERSION);

    ngx_http_wassiit_prometheus_head(text, "zone_start_time_seconds", "gauge",
                                     "Unix time since which the zone counts; "
                                     "reloads and binary upgrades keep it.");
    ngx_http_wassiit_text_add(text, "wassiit_zone_start_time_seconds{"
                              "zone=\"%V\"} %uL.%03uL\n", &status->zone->name,
                              status->sums.since / 1000,
                              status->sums.since % 1000);

    ngx_http_wassiit_prometheus_head(text, "config_load_time_seconds", "gauge",
                                     "Unix time at which the configuration was "
                                     "loaded.");
    ngx_http_wassiit_text_add(text, "wassiit_config_load_time_seconds{"
                              "zone=\"%V\"} %T\n", &status->zone->name,
                              wmcf->loaded);
}


static void
ngx_http_wassiit_prometheus_zone(ngx_http_wassiit_status_t *status)
{
    ngx_str_t                *name;
    ngx_uint_t                partners, disabled;
    ngx_http_wassiit_text_t  *text;

    text = &status->text;
    name = &status->zone->name;

    disabled = ngx_http_wassiit_zone_disabled(status->zone);
    partners = ngx_http_wassiit_zone_partners(status->zone);
    disabled = ngx_min(disabled, partners);

    ngx_http_wassiit_prometheus_head(text, "zone_partners", "gauge",
                                     "Partners in the zone.");
    ngx_http_wassiit_text_add(text, "wassiit_zone_partners{zone=\"%V\","
                              "state=\"enabled\"} %ui\n", name,
                              partners - disabled);
    ngx_http_wassiit_text_add(text, "wassiit_zone_partners{zone=\"%V\","
                              "state=\"disabled\"} %ui\n", name, disabled);

    ngx_http_wassiit_prometheus_head(text, "zone_size_bytes", "gauge",
                                     "Size of the zone's memory.");
    ngx_http_wassiit_text_add(text, "wassiit_zone_size_bytes{zone=\"%V\"} "
                              "%uz\n", name, status->zone->size);

    ngx_http_wassiit_prometheus_head(text, "zone_used_bytes", "gauge",
                                     "What of the zone's memory isn't free.");
    ngx_http_wassiit_text_add(text, "wassiit_zone_used_bytes{zone=\"%V\"} "
                              "%uz\n", name,
                              ngx_http_wassiit_zone_used_bytes(status->zone));

    ngx_http_wassiit_prometheus_head(text, "zone_file_current", "gauge",
                                     "1: the partners' file is as the zone has "
                                     "it; 0: it was changed by another "
                                     "program, or can't be read.");
    ngx_http_wassiit_text_add(text, "wassiit_zone_file_current{zone=\"%V\"} "
                              "%d\n", name,
                              ngx_http_wassiit_status_file(status->zone)
                              == NULL);
}


static void
ngx_http_wassiit_prometheus_requests(ngx_http_wassiit_status_t *status)
{
    ngx_str_t                     *name;
    ngx_uint_t                     i, n;
    ngx_http_wassiit_text_t       *text;
    ngx_http_wassiit_board_own_t  *own;

    text = &status->text;
    name = &status->zone->name;
    own = &status->sums.own;

    ngx_http_wassiit_prometheus_head(text, "decisions_total", "counter",
                                     "Requests, by what was decided of them.");

    for (i = NGX_HTTP_WASSIIT_ALLOWED; i < NGX_HTTP_WASSIIT_DECISIONS; i++) {
        ngx_http_wassiit_text_add(text, "wassiit_decisions_total{"
                                  "zone=\"%V\",decision=\"%V\"} %uL\n", name,
                                  ngx_http_wassiit_code(i), own->decisions[i]);
    }

    ngx_http_wassiit_prometheus_head(text, "responses_total", "counter",
                                     "Answers, by the class of their status "
                                     "and by who made them.");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_CLASSES; i++) {
        for (n = 0; n < NGX_HTTP_WASSIIT_BOARD_SOURCES; n++) {
            ngx_http_wassiit_text_add(text, "wassiit_responses_total{"
                                      "zone=\"%V\",class=\"%uixx\","
                                      "source=\"%s\"} %uL\n", name, i + 1,
                                      ngx_http_wassiit_prometheus_sources[n],
                                      own->responses[i][n]);
        }
    }
}


/*
 * The count is the sum of the buckets, so that no scrape contradicts itself.
 * The seconds may lack those of a request that is just being counted.
 */

static void
ngx_http_wassiit_prometheus_durations(ngx_http_wassiit_status_t *status)
{
    uint64_t                       count;
    ngx_str_t                     *name;
    ngx_uint_t                     i;
    ngx_http_wassiit_text_t       *text;
    ngx_http_wassiit_board_own_t  *own;

    text = &status->text;
    name = &status->zone->name;
    own = &status->sums.own;
    count = 0;

    ngx_http_wassiit_prometheus_head(text, "request_duration_seconds",
                                     "histogram",
                                     "Time from a request's first byte to the "
                                     "end of its answer.");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_BUCKETS; i++) {
        count += own->buckets[i];

        ngx_http_wassiit_text_add(text, "wassiit_request_duration_seconds_"
                                  "bucket{zone=\"%V\",le=\"%s\"} %uL\n", name,
                                  ngx_http_wassiit_prometheus_bounds[i],
                                  count);
    }

    ngx_http_wassiit_text_add(text, "wassiit_request_duration_seconds_sum{"
                              "zone=\"%V\"} %uL.%03uL\n", name,
                              own->sum / 1000, own->sum % 1000);
    ngx_http_wassiit_text_add(text, "wassiit_request_duration_seconds_count{"
                              "zone=\"%V\"} %uL\n", name, count);
}


static void
ngx_http_wassiit_prometheus_changes(ngx_http_wassiit_status_t *status)
{
    ngx_str_t                      *name;
    ngx_uint_t                      i, n;
    ngx_http_wassiit_text_t        *text;
    ngx_http_wassiit_board_sums_t  *sums;

    text = &status->text;
    name = &status->zone->name;
    sums = &status->sums;

    ngx_http_wassiit_prometheus_head(text, "admin_changes_total", "counter",
                                     "Changes asked for at the admin endpoint, "
                                     "by how they ended.");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_OPERATIONS; i++) {
        for (n = 0; n < NGX_HTTP_WASSIIT_BOARD_RESULTS; n++) {
            ngx_http_wassiit_text_add(text, "wassiit_admin_changes_total{"
                                      "zone=\"%V\",operation=\"%V\","
                                      "result=\"%s\"} %uL\n", name,
                                      &ngx_http_wassiit_change_names[i],
                                      ngx_http_wassiit_prometheus_results[n],
                                      sums->rare.changes[i][n]);
        }
    }

    ngx_http_wassiit_prometheus_head(text, "file_failures_total", "counter",
                                     "Changes that the partners' file has kept "
                                     "from being made.");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_FAULTS; i++) {
        ngx_http_wassiit_text_add(text, "wassiit_file_failures_total{"
                                  "zone=\"%V\",reason=\"%s\"} %uL\n", name,
                                  ngx_http_wassiit_status_faults[i],
                                  sums->rare.faults[i]);
    }

    ngx_http_wassiit_prometheus_head(text, "webhooks_total", "counter",
                                     "Webhooks that came and that were sent "
                                     "on, by what became of them.");

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_WEBHOOKS; i++) {
        ngx_http_wassiit_text_add(text, "wassiit_webhooks_total{zone=\"%V\","
                                  "direction=\"%s\",result=\"%s\"} %uL\n", name,
                                  ngx_http_wassiit_prometheus_webhooks[i][0],
                                  ngx_http_wassiit_prometheus_webhooks[i][1],
                                  sums->own.webhooks[i]);
    }
}


/* Where the zone has none, there is nothing of it. */

static void
ngx_http_wassiit_prometheus_cluster(ngx_http_wassiit_status_t *status)
{
    ngx_str_t                              *name;
    ngx_http_wassiit_text_t                *text;
    ngx_http_wassiit_status_cluster_t       cluster;
    const ngx_http_wassiit_status_count_t  *count;

    if (ngx_http_wassiit_status_cluster(status, &cluster) != NGX_OK) {
        return;
    }

    text = &status->text;
    name = &status->zone->name;

    ngx_http_wassiit_prometheus_node(text, name, &cluster);

    ngx_http_wassiit_prometheus_seconds(text, name, "session_seconds",
                                        cluster.rest,
                                        "How long the node's session lasts if "
                                        "Redis doesn't answer any more.");
    ngx_http_wassiit_prometheus_gauge(text, name, "redis_connected",
                                      cluster.up,
                                      "1: there is a connection to Redis.");
    ngx_http_wassiit_prometheus_seconds(text, name,
                                        "redis_answer_time_seconds",
                                        cluster.answered,
                                        "Unix time at which the ledger in "
                                        "Redis answered last; 0: never.");
    ngx_http_wassiit_prometheus_gauge(text, name, "config_agrees",
                                      cluster.agrees,
                                      "0: other nodes have other values of "
                                      "nodes, share or seal, so this one "
                                      "can't join.");
    ngx_http_wassiit_prometheus_gauge(text, name, "stale", cluster.stale,
                                      "1: it answers partners with 503, as it "
                                      "has been without Redis for \"stale\".");
    ngx_http_wassiit_prometheus_gauge(text, name, "caps", cluster.caps,
                                      "Partners whose cap on this node isn't "
                                      "the standing share.");
    ngx_http_wassiit_prometheus_gauge(text, name, "log_behind",
                                      cluster.behind,
                                      "Changes of partners by other nodes "
                                      "that aren't in force here yet.");

    for (count = ngx_http_wassiit_status_counts; count->name; count++) {
        ngx_http_wassiit_text_add(text, "# HELP wassiit_cluster_%s_total %s\n"
                                  "# TYPE wassiit_cluster_%s_total counter\n"
                                  "wassiit_cluster_%s_total{zone=\"%V\"} "
                                  "%uL\n", count->metric, count->help,
                                  count->metric, count->metric, name,
                                  ngx_http_wassiit_status_count(status,
                                                                count));
    }
}


static void
ngx_http_wassiit_prometheus_node(ngx_http_wassiit_text_t *text,
    ngx_str_t *name, ngx_http_wassiit_status_cluster_t *cluster)
{
    ngx_str_t   *state;
    ngx_uint_t   i;

    ngx_http_wassiit_prometheus_head(text, "cluster_node_info", "gauge",
                                     "The node's name.");
    ngx_http_wassiit_text_add(text, "wassiit_cluster_node_info{zone=\"%V\","
                              "node=\"%V\"} 1\n", name, &cluster->node);

    ngx_http_wassiit_prometheus_gauge(text, name, "place", cluster->place,
                                      "The node's place among them; 0: it has "
                                      "not joined yet.");
    ngx_http_wassiit_prometheus_gauge(text, name, "nodes", cluster->nodes,
                                      "Nodes that share the limits.");

    ngx_http_wassiit_prometheus_head(text, "cluster_state", "gauge",
                                     "1: the node is in this state.");

    for (i = 0; (state = ngx_http_wassiit_cluster_state_name(i)); i++) {
        ngx_http_wassiit_text_add(text, "wassiit_cluster_state{zone=\"%V\","
                                  "state=\"%V\"} %d\n", name, state,
                                  state == cluster->state);
    }
}


static void
ngx_http_wassiit_prometheus_gauge(ngx_http_wassiit_text_t *text,
    ngx_str_t *name, const char *metric, uint64_t value, const char *help)
{
    ngx_http_wassiit_text_add(text, "# HELP wassiit_cluster_%s %s\n"
                              "# TYPE wassiit_cluster_%s gauge\n"
                              "wassiit_cluster_%s{zone=\"%V\"} %uL\n",
                              metric, help, metric, metric, name, value);
}


static void
ngx_http_wassiit_prometheus_seconds(ngx_http_wassiit_text_t *text,
    ngx_str_t *name, const char *metric, uint64_t ms, const char *help)
{
    ngx_http_wassiit_text_add(text, "# HELP wassiit_cluster_%s %s\n"
                              "# TYPE wassiit_cluster_%s gauge\n"
                              "wassiit_cluster_%s{zone=\"%V\"} "
                              "%uL.%03uL\n", metric, help, metric, metric,
                              name, ms / 1000, ms % 1000);
}


static void
ngx_http_wassiit_prometheus_partners(ngx_http_wassiit_status_t *status)
{
    u_char                     digits[3 * NGX_INT64_LEN];
    size_t                     len, size, later;
    uint64_t                   used, limit;
    ngx_str_t                 *name;
    ngx_uint_t                 i;
    ngx_http_wassiit_text_t   *text;
    ngx_http_wassiit_shown_t  *shown;

    static const char  line[] = "wassiit_partner_requests_total{zone=\"%V\","
                                "partner=\"%*s\",outcome=\"%s\"} %uL\n";

    text = &status->text;
    name = &status->zone->name;

    ngx_http_wassiit_prometheus_head(text, "partner_requests_total", "counter",
                                     "Requests of the partners that are shown, "
                                     "by what became of them.");

    later = PROMETHEUS_REST + 2 * name->len;

    for (i = 0; i < status->nshown; i++) {
        shown = &status->shown[i];
        len = shown->id.len;

        size = ngx_snprintf(digits, sizeof(digits), "%uL%uL%uL", shown->allowed,
                            shown->limited, shown->refused)
               - digits + 3 * (name->len + len + PROMETHEUS_REQUESTS);

        /* whoever has these lines has one below, too */
        later += name->len + len + PROMETHEUS_RATIO;

        if (!ngx_http_wassiit_status_has_room(status, size + later)) {
            status->nshown = i;
            break;
        }

        ngx_http_wassiit_text_add(text, line, name, len, shown->id.id,
                                  "allowed", shown->allowed);
        ngx_http_wassiit_text_add(text, line, name, len, shown->id.id,
                                  "limited", shown->limited);
        ngx_http_wassiit_text_add(text, line, name, len, shown->id.id,
                                  "refused", shown->refused);
    }

    ngx_http_wassiit_prometheus_head(text, "partner_limit_used_ratio", "gauge",
                                     "What of its limit the partner has used, "
                                     "0 to 1.");

    for (i = 0; i < status->nshown; i++) {
        shown = &status->shown[i];
        limit = ngx_max(shown->usage.limit, 1);
        used = ngx_http_wassiit_status_used(&shown->usage);
        used = used * 1000000 / limit;

        ngx_http_wassiit_text_add(text, "wassiit_partner_limit_used_ratio{"
                                  "zone=\"%V\",partner=\"%*s\"} "
                                  "%uL.%06uL\n", name, (size_t) shown->id.len,
                                  shown->id.id, used / 1000000,
                                  used % 1000000);
    }

    if (status->nids) {
        return;
    }

    ngx_http_wassiit_prometheus_head(text, "partners_exported", "gauge",
                                     "Partners that are shown.");
    ngx_http_wassiit_text_add(text, "wassiit_partners_exported{zone=\"%V\"} "
                              "%ui\n", name, status->nshown);

    ngx_http_wassiit_prometheus_head(text, "partners_active_truncated",
                                     "gauge",
                                     "1: more have asked of late than are "
                                     "shown.");
    ngx_http_wassiit_text_add(text, "wassiit_partners_active_truncated{"
                              "zone=\"%V\"} %ui\n", name,
                              status->top ? status->truncated : 0);
}
