
/* The module's face: where each handler and each filter hooks in. */


#include "ngx_http_wassiit_access.h"
#include "ngx_http_wassiit_admin.h"
#include "ngx_http_wassiit_arena.h"
#include "ngx_http_wassiit_body.h"
#include "ngx_http_wassiit_conf.h"
#include "ngx_http_wassiit_conf_check.h"
#include "ngx_http_wassiit_conf_zone.h"
#include "ngx_http_wassiit_egress.h"
#include "ngx_http_wassiit_job.h"
#include "ngx_http_wassiit_leader.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_http_wassiit_log.h"
#include "ngx_http_wassiit_payload.h"
#include "ngx_http_wassiit_redis.h"
#include "ngx_http_wassiit_reply.h"
#include "ngx_http_wassiit_tally.h"
#include "ngx_http_wassiit_thread.h"
#include "ngx_http_wassiit_turn.h"
#include "ngx_http_wassiit_upstream.h"
#include "ngx_http_wassiit_variables.h"
#include "ngx_http_wassiit_version.h"
#include "ngx_http_wassiit_webhook.h"


static ngx_int_t ngx_http_wassiit_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_wassiit_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_wassiit_init_process(ngx_cycle_t *cycle);
static void ngx_http_wassiit_exit_process(ngx_cycle_t *cycle);


/* a handler of a phase, if main_conf's flag at that offset is set */

typedef struct {
    ngx_uint_t                     phase;
    ngx_http_handler_pt            handler;
    size_t                         flag;        /* 0: always */
} ngx_http_wassiit_phase_t;


/* in the order in which they run */

static const ngx_http_wassiit_phase_t  ngx_http_wassiit_phases[] = {
    { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_wassiit_led_handler,
      offsetof(ngx_http_wassiit_main_conf_t, leads) },
    { NGX_HTTP_REWRITE_PHASE, ngx_http_wassiit_led_handler,
      offsetof(ngx_http_wassiit_main_conf_t, leads) },

    { NGX_HTTP_ACCESS_PHASE, ngx_http_wassiit_access_handler, 0 },

    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_wassiit_limit_handler, 0 },

    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_wassiit_body_handler,
      offsetof(ngx_http_wassiit_main_conf_t, looks) },

    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_wassiit_sign_handler,
      offsetof(ngx_http_wassiit_main_conf_t, signer) },

    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_wassiit_webhook_handler,
      offsetof(ngx_http_wassiit_main_conf_t, sign) },

    { NGX_HTTP_LOG_PHASE, ngx_http_wassiit_tally_handler, 0 }
};


static ngx_http_module_t  ngx_http_wassiit_module_ctx = {
    ngx_http_wassiit_add_variables,        /* preconfiguration */
    ngx_http_wassiit_init,                 /* postconfiguration */

    ngx_http_wassiit_create_main_conf,     /* create main configuration */
    ngx_http_wassiit_init_main_conf,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_wassiit_create_loc_conf,      /* create location configuration */
    ngx_http_wassiit_merge_loc_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_wassiit_module = {
    NGX_MODULE_V1,
    &ngx_http_wassiit_module_ctx,          /* module context */
    ngx_http_wassiit_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_wassiit_init_module,          /* init module */
    ngx_http_wassiit_init_process,         /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_wassiit_exit_process,         /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_wassiit_init(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_handler_pt             *h;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_wassiit_main_conf_t    *wmcf;
    const ngx_http_wassiit_phase_t  *phase;

    if (ngx_http_wassiit_check_demands(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

    /* nginx runs the handlers of a phase from the last to the first */

    i = sizeof(ngx_http_wassiit_phases) / sizeof(ngx_http_wassiit_phases[0]);

    while (i--) {
        phase = &ngx_http_wassiit_phases[i];

        if (phase->flag
            && *(ngx_uint_t *) ((u_char *) wmcf + phase->flag) == 0)
        {
            continue;
        }

        h = ngx_array_push(&cmcf->phases[phase->phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = phase->handler;
    }

    ngx_http_wassiit_egress_init(cf);

    /* so do the filters of a body: the last that is put in place is first */

    ngx_http_wassiit_upstream_init();
    ngx_http_wassiit_turn_init();
    ngx_http_wassiit_body_init();
    ngx_http_wassiit_admin_init();

    /* what looks at a body does so in this order */

    ngx_http_wassiit_webhook_init();
    ngx_http_wassiit_payload_init();

    ngx_http_wassiit_reply_init();

    return NGX_OK;
}


/* From here on nothing makes the configuration fail. */

static ngx_int_t
ngx_http_wassiit_init_module(ngx_cycle_t *cycle)
{
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_wassiit_module);

    if (ngx_test_config) {
        return ngx_http_wassiit_version_dump(cycle);
    }

    ngx_http_wassiit_version_compare(cycle);

    if (wmcf) {
        ngx_http_wassiit_load_zones(cycle, wmcf);

    } else {
        ngx_http_wassiit_drop_inherited(cycle, NULL);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_init_process(ngx_cycle_t *cycle)
{
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_wassiit_module);

    ngx_http_wassiit_arena_install();

    if (ngx_http_wassiit_job_init(wmcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (wmcf && ngx_process != NGX_PROCESS_SINGLE) {
        ngx_http_wassiit_seclude_zones(wmcf);
    }

    /* a process without workers changes partners between its own reads */

    if (wmcf && ngx_process == NGX_PROCESS_WORKER) {
        if (ngx_http_wassiit_join_zones(cycle, wmcf) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_http_wassiit_leader_init(cycle, wmcf);
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_exit_process(ngx_cycle_t *cycle)
{
    /* a change that is being made comes to its end */
    ngx_http_wassiit_thread_end();

    ngx_http_wassiit_leader_end();
    ngx_http_wassiit_redis_end();
    ngx_http_wassiit_log_end();
}
