
#include "ngx_http_wassiit_conf_cluster.h"
#include "ngx_http_wassiit_conf_error.h"
#include "ngx_http_wassiit_conf_redis.h"
#include "ngx_http_wassiit_conf_zone.h"
#include "ngx_http_wassiit_secret.h"


/* below so many admissions a node, caps that nobody waits for come late */
#define CLUSTER_FEW             20

/* the most replicas that anything waits for */
#define CLUSTER_REPLICAS        9


/* a parameter's text, and where it goes */

typedef struct {
    ngx_str_t                          name;
    char                            *(*set)(ngx_conf_t *cf, ngx_str_t *value,
                                        ngx_str_t *text,
                                        ngx_http_wassiit_cluster_conf_t *c);
} ngx_http_wassiit_cluster_param_t;


static char *ngx_http_wassiit_cluster_zone(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_nodes(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_node(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_share(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_lease(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_wait(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_timeout(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_cold(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_replicas(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_stale(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_seal(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c);
static ngx_int_t ngx_http_wassiit_cluster_check(ngx_conf_t *cf,
    ngx_http_wassiit_cluster_conf_t *c);
static void ngx_http_wassiit_cluster_wipe(void *data);
static ngx_int_t ngx_http_wassiit_cluster_host(ngx_conf_t *cf,
    ngx_http_wassiit_cluster_conf_t *c);
static char *ngx_http_wassiit_cluster_ms(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_int_t least, ngx_int_t most, const char *must,
    ngx_msec_t *ms);
static char *ngx_http_wassiit_cluster_invalid(ngx_conf_t *cf,
    ngx_str_t *value, const char *must);


static const char  ngx_http_wassiit_cluster_syntax[] =
    "zone=NAME nodes=N [node=NAME] [share=50%] [lease=30s] "
    "[wait=off | small | on] [timeout=50ms] [replicas=0] "
    "[stale=off | TIME] [cold=share | refuse] [seal=PATH]";


static const ngx_http_wassiit_cluster_param_t
    ngx_http_wassiit_cluster_params[] =
{
    { ngx_string("zone="), ngx_http_wassiit_cluster_zone },
    { ngx_string("nodes="), ngx_http_wassiit_cluster_nodes },
    { ngx_string("node="), ngx_http_wassiit_cluster_node },
    { ngx_string("share="), ngx_http_wassiit_cluster_share },
    { ngx_string("lease="), ngx_http_wassiit_cluster_lease },
    { ngx_string("wait="), ngx_http_wassiit_cluster_wait },
    { ngx_string("timeout="), ngx_http_wassiit_cluster_timeout },
    { ngx_string("replicas="), ngx_http_wassiit_cluster_replicas },
    { ngx_string("stale="), ngx_http_wassiit_cluster_stale },
    { ngx_string("cold="), ngx_http_wassiit_cluster_cold },
    { ngx_string("seal="), ngx_http_wassiit_cluster_seal }
};

#define CLUSTER_PARAMS                                                       \
    (sizeof(ngx_http_wassiit_cluster_params)                                 \
     / sizeof(ngx_http_wassiit_cluster_params[0]))


char *
ngx_http_wassiit_set_cluster(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_wassiit_main_conf_t *wmcf = conf;

    ngx_str_t                               *value, text;
    ngx_str_t                                names[CLUSTER_PARAMS];
    ngx_uint_t                               i, n, seen;
    ngx_http_wassiit_cluster_conf_t         *c, **conf_, **all;
    const ngx_http_wassiit_cluster_param_t  *param;

    if (ngx_http_wassiit_conf_count(cf, 1, CLUSTER_PARAMS,
                                    ngx_http_wassiit_cluster_syntax)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    c = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_cluster_conf_t));
    if (c == NULL) {
        return NGX_CONF_ERROR;
    }

    c->share = 500;
    c->lease = 30000;
    c->timeout = 50;
    c->cold = 1;
    c->conf_file = cf->conf_file->file.name.data;
    c->conf_line = cf->conf_file->line;

    for (n = 0; n < CLUSTER_PARAMS; n++) {
        names[n] = ngx_http_wassiit_cluster_params[n].name;
    }

    value = cf->args->elts;
    seen = 0;

    for (i = 1; i < cf->args->nelts; i++) {

        param = NULL;

        for (n = 0; n < CLUSTER_PARAMS; n++) {
            param = &ngx_http_wassiit_cluster_params[n];

            if (value[i].len > param->name.len
                && ngx_strncmp(value[i].data, param->name.data,
                               param->name.len)
                   == 0)
            {
                break;
            }
        }

        if (n == CLUSTER_PARAMS) {
            return ngx_http_wassiit_conf_unknown(cf, &value[i], names,
                                              CLUSTER_PARAMS,
                                              ngx_http_wassiit_cluster_syntax);
        }

        if (seen & (1u << n)) {
            return ngx_http_wassiit_conf_twice(cf, &value[i]);
        }

        seen |= 1u << n;

        text.data = value[i].data + param->name.len;
        text.len = value[i].len - param->name.len;

        if (param->set(cf, &value[i], &text, c) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (c->zone == NULL || c->nodes == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"%s\"",
                           &cmd->name, c->zone ? "nodes" : "zone");
        return NGX_CONF_ERROR;
    }

    if (c->node.len == 0 && ngx_http_wassiit_cluster_host(cf, c) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_wassiit_cluster_check(cf, c) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (wmcf->clusters == NULL) {
        wmcf->clusters = ngx_array_create(cf->pool, 1, sizeof(c));

        if (wmcf->clusters == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    all = wmcf->clusters->elts;

    for (i = 0; i < wmcf->clusters->nelts; i++) {
        if (all[i]->zone == c->zone) {
            return ngx_http_wassiit_conf_second(cf, &c->zone->name,
                                                all[i]->conf_file,
                                                all[i]->conf_line);
        }
    }

    conf_ = ngx_array_push(wmcf->clusters);
    if (conf_ == NULL) {
        return NGX_CONF_ERROR;
    }

    *conf_ = c;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_zone(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);
    c->zone = ngx_http_wassiit_get_zone(cf, wmcf, text);

    if (c->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    /* what other nodes change is changed here, as by wassiit_admin */

    c->zone->admin = 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_nodes(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_int_t  n;

    n = ngx_atoi(text->data, text->len);

    if (n == NGX_ERROR || n == 0 || n > NGX_HTTP_WASSIIT_NODES) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\", it must be 1 to %d: the most "
                           "nodes that there will be", value,
                           NGX_HTTP_WASSIIT_NODES);
        return NGX_CONF_ERROR;
    }

    c->nodes = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_node(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        ch = text->data[i];

        if (!(ch >= '0' && ch <= '9') && !(ch >= 'a' && ch <= 'z')
            && !(ch >= 'A' && ch <= 'Z') && ch != '.' && ch != '_'
            && ch != '-')
        {
            break;
        }
    }

    if (i < text->len || text->len > NGX_HTTP_WASSIIT_NODE_LEN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\", it must be 1 to %d of "
                           "a-z A-Z 0-9 . _ -", value,
                           NGX_HTTP_WASSIIT_NODE_LEN);
        return NGX_CONF_ERROR;
    }

    c->node = *text;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_share(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_int_t  n;

    n = (text->len > 1 && text->data[text->len - 1] == '%')
        ? ngx_atofp(text->data, text->len - 1, 1) : NGX_ERROR;

    if (n == NGX_ERROR || n > 1000) {
        return ngx_http_wassiit_cluster_invalid(cf, value,
                                      "0% to 100%, as in \"share=50%\"");
    }

    c->share = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_lease(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    return ngx_http_wassiit_cluster_ms(cf, value, text, 2000, 3600 * 1000,
                                       "2s to 1h, as in \"lease=30s\"",
                                       &c->lease);
}


static char *
ngx_http_wassiit_cluster_wait(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_uint_t  i;

    static const char  *words[] = { "off", "small", "on" };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (ngx_strcmp(text->data, words[i]) == 0) {
            c->wait = i;
            return NGX_CONF_OK;
        }
    }

    return ngx_http_wassiit_cluster_invalid(cf, value,
                                    "\"off\", \"small\" or \"on\"");
}


static char *
ngx_http_wassiit_cluster_timeout(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    return ngx_http_wassiit_cluster_ms(cf, value, text, 1, 10000,
                                       "1ms to 10s, as in \"timeout=50ms\"",
                                       &c->timeout);
}


static char *
ngx_http_wassiit_cluster_replicas(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_int_t  n;

    n = ngx_atoi(text->data, text->len);

    if (n == NGX_ERROR || n > CLUSTER_REPLICAS) {
        return ngx_http_wassiit_cluster_invalid(cf, value,
                                            "0 to 9, as in \"replicas=1\"");
    }

    c->replicas = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_stale(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_int_t  n;

    if (ngx_strcmp(text->data, "off") == 0) {
        return NGX_CONF_OK;
    }

    n = ngx_parse_time(text, 0);

    if (n == NGX_ERROR || n < 3000 || n > (ngx_int_t) 30 * 86400 * 1000) {
        return ngx_http_wassiit_cluster_invalid(cf, value,
                                  "\"off\" or 3s to 30d, as in \"stale=5m\"");
    }

    c->stale = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_cold(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    if (ngx_strcmp(text->data, "share") == 0) {
        c->cold = 1;

    } else if (ngx_strcmp(text->data, "refuse") == 0) {
        c->cold = 0;

    } else {
        return ngx_http_wassiit_cluster_invalid(cf, value,
                                                "\"share\" or \"refuse\"");
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_seal(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *text, ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_log_t           *log;
    ngx_str_t            file;
    ngx_pool_cleanup_t  *cln;

    file = *text;

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    log = ngx_http_wassiit_conf_log(cf, "wassiit_cluster", c->conf_file,
                                    c->conf_line);
    cln = ngx_pool_cleanup_add(cf->pool, NGX_WASSIIT_SEAL_KEY_LEN);

    if (log == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(cln->data, NGX_WASSIIT_SEAL_KEY_LEN);
    cln->handler = ngx_http_wassiit_cluster_wipe;
    c->seal = cln->data;

    if (ngx_http_wassiit_secret_seal(&file, ngx_http_wassiit_user(cf->cycle),
                                     c->seal, log)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* What the other nodes compare with theirs. */

static ngx_int_t
ngx_http_wassiit_cluster_check(ngx_conf_t *cf,
    ngx_http_wassiit_cluster_conf_t *c)
{
    if (c->seal == NULL) {
        ngx_str_set(&c->check, "-");
        return NGX_OK;
    }

    c->check.len = NGX_WASSIIT_SEAL_CHECK_LEN;
    c->check.data = ngx_pnalloc(cf->pool, c->check.len);

    if (c->check.data == NULL) {
        return NGX_ERROR;
    }

    ngx_wassiit_seal_check(c->check.data, c->seal, c->zone->name.data,
                           c->zone->name.len);

    return NGX_OK;
}


static void
ngx_http_wassiit_cluster_wipe(void *data)
{
    ngx_explicit_memzero(data, NGX_WASSIIT_SEAL_KEY_LEN);
}


static char *
ngx_http_wassiit_cluster_ms(ngx_conf_t *cf, ngx_str_t *value, ngx_str_t *text,
    ngx_int_t least, ngx_int_t most, const char *must, ngx_msec_t *ms)
{
    ngx_int_t  n;

    n = ngx_parse_time(text, 0);

    if (n == NGX_ERROR || n < least || n > most) {
        return ngx_http_wassiit_cluster_invalid(cf, value, must);
    }

    *ms = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_wassiit_cluster_invalid(ngx_conf_t *cf, ngx_str_t *value,
    const char *must)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid \"%V\", it must be %s",
                       value, must);
    return NGX_CONF_ERROR;
}


/* A node's name is its host's. */

static ngx_int_t
ngx_http_wassiit_cluster_host(ngx_conf_t *cf,
    ngx_http_wassiit_cluster_conf_t *c)
{
    ngx_str_t  text;

    text = cf->cycle->hostname;

    if (text.len == 0
        || ngx_http_wassiit_cluster_node(cf, &text, &text, c) != NGX_CONF_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the host's name can't be this node's, give it one "
                           "as in \"node=edge-1\"");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_check_clusters(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf)
{
    ngx_uint_t                         i, n;
    ngx_http_wassiit_zone_t           *zone;
    ngx_http_wassiit_redis_conf_t    **redis;
    ngx_http_wassiit_cluster_conf_t  **conf, *c;

    conf = wmcf->clusters ? wmcf->clusters->elts : NULL;
    n = conf ? wmcf->clusters->nelts : 0;

    for (i = 0; i < n; i++) {
        c = conf[i];
        zone = c->zone;

        c->redis = ngx_http_wassiit_get_redis(wmcf, &zone->name);

        if (c->redis == NULL && zone->size == 0) {
            /* an unknown zone, which is told of when they are read */
            return NGX_OK;
        }

        if (c->redis == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"wassiit_cluster\" of zone \"%V\" has no server: "
                          "add \"wassiit_redis zone=%V server=ADDRESS\" in "
                          "%s:%ui", &zone->name, &zone->name, c->conf_file,
                          c->conf_line);
            return NGX_ERROR;
        }

        zone->claims.nodes = c->nodes;
        zone->claims.share = c->share;
        zone->claims.wait = c->wait;
        zone->claims.cold = c->cold;
        zone->claims.stale = (uint64_t) c->stale * 1000;

        if (c->wait == NGX_HTTP_WASSIIT_WAIT_OFF && zone->size
            && zone->rate.limit < CLUSTER_FEW * c->nodes)
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "the limit of zone \"%V\", %uD, is less than %d for "
                          "each of %ui nodes: requests may be refused too "
                          "early, \"wait=small\" has them wait for a moment "
                          "instead in %s:%ui",
                          &zone->name, zone->rate.limit, CLUSTER_FEW,
                          c->nodes, c->conf_file, c->conf_line);
        }
    }

    if (wmcf->redis == NULL) {
        return NGX_OK;
    }

    redis = wmcf->redis->elts;

    for (i = 0; i < wmcf->redis->nelts; i++) {

        for (n = 0; conf && n < wmcf->clusters->nelts; n++) {
            if (conf[n]->redis == redis[i]) {
                break;
            }
        }

        if (conf && n < wmcf->clusters->nelts) {
            continue;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"wassiit_redis\" of zone \"%V\" serves nothing: add "
                      "\"wassiit_cluster zone=%V nodes=N\", or remove it in "
                      "%s:%ui", &redis[i]->zone, &redis[i]->zone,
                      redis[i]->conf_file, redis[i]->conf_line);
        return NGX_ERROR;
    }

    return NGX_OK;
}
