
/* What the http files share: configurations, a request's context. */


#ifndef _NGX_HTTP_WASSIIT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_wassiit_zone.h"
#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_scope.h"


/* Semantic versioning.  This is the only place; CHANGES.md tells its story. */
#define NGX_HTTP_WASSIIT_VERSION  "1.0.0"


/* a decision: what became of a request, and why; see decision.c */

typedef enum {
    NGX_HTTP_WASSIIT_UNDECIDED = 0,
    NGX_HTTP_WASSIIT_ALLOWED,
    NGX_HTTP_WASSIIT_DUPLICATE_HEADER,
    NGX_HTTP_WASSIIT_MISSING_KEY,
    NGX_HTTP_WASSIIT_INVALID_KEY,
    NGX_HTTP_WASSIIT_EXPIRED_KEY,
    NGX_HTTP_WASSIIT_MISSING_SIGNATURE,
    NGX_HTTP_WASSIIT_STALE_TIMESTAMP,
    NGX_HTTP_WASSIIT_INVALID_SIGNATURE,
    NGX_HTTP_WASSIIT_PARTNER_DISABLED,
    NGX_HTTP_WASSIIT_INSUFFICIENT_SCOPE,
    NGX_HTTP_WASSIIT_RATE_LIMITED,
    NGX_HTTP_WASSIIT_RATE_LIMITED_DRY_RUN,
    NGX_HTTP_WASSIIT_UNSUPPORTED_MEDIA_TYPE,
    NGX_HTTP_WASSIIT_TOO_LARGE,
    NGX_HTTP_WASSIIT_INVALID_PAYLOAD,
    NGX_HTTP_WASSIIT_DECISIONS
} ngx_http_wassiit_decision_e;


/* values of wassiit_limit, of wassiit_errors, of wassiit_auth, ... */

#define NGX_HTTP_WASSIIT_LIMIT_OFF        0
#define NGX_HTTP_WASSIIT_LIMIT_ON         1
#define NGX_HTTP_WASSIIT_LIMIT_DRY_RUN    2

#define NGX_HTTP_WASSIIT_ERRORS_PROBLEM   0
#define NGX_HTTP_WASSIIT_ERRORS_ENVELOPE  1

#define NGX_HTTP_WASSIIT_AUTH_KEY         0
#define NGX_HTTP_WASSIIT_AUTH_HMAC        1

#define NGX_HTTP_WASSIIT_EGRESS_ANY       0
#define NGX_HTTP_WASSIIT_EGRESS_PUBLIC    1

/* ... and of wassiit_payload */

#define NGX_HTTP_WASSIIT_PAYLOAD_OFF         0
#define NGX_HTTP_WASSIIT_PAYLOAD_MESSAGE     1
#define NGX_HTTP_WASSIIT_PAYLOAD_CALL        2
#define NGX_HTTP_WASSIIT_PAYLOAD_AUTOMATION  3
#define NGX_HTTP_WASSIIT_PAYLOAD_AUDIO       4
#define NGX_HTTP_WASSIIT_PAYLOAD_DOCUMENT    5

/* what is wrong with a Content-Type, or with what stands beside it */

#define NGX_HTTP_WASSIIT_MEDIA_TYPE          0
#define NGX_HTTP_WASSIIT_MEDIA_TWICE         1
#define NGX_HTTP_WASSIIT_MEDIA_CHARSET       2
#define NGX_HTTP_WASSIIT_MEDIA_CODING        3


/* of access.c, upstream.c, webhook.c, conf_answer.c, payload.c and body.c */

typedef struct ngx_http_wassiit_required_s ngx_http_wassiit_required_t;
typedef struct ngx_http_wassiit_signer_s   ngx_http_wassiit_signer_t;
typedef struct ngx_http_wassiit_signed_s   ngx_http_wassiit_signed_t;
typedef struct ngx_http_wassiit_webhook_s  ngx_http_wassiit_webhook_t;
typedef struct ngx_http_wassiit_answer_s   ngx_http_wassiit_answer_t;
typedef struct ngx_http_wassiit_hook_s     ngx_http_wassiit_hook_t;
typedef struct ngx_http_wassiit_form_s     ngx_http_wassiit_form_t;
typedef struct ngx_http_wassiit_audit_s    ngx_http_wassiit_audit_t;
typedef struct ngx_http_wassiit_body_s     ngx_http_wassiit_body_t;


typedef struct {
    ngx_wassiit_scopes_t           scopes;
    ngx_array_t                    zones;       /* ngx_http_wassiit_zone_t * */
    ngx_array_t                    literals;    /* scopes yet to be found */
    ngx_array_t                    demands;     /* what needs access on */
    ngx_msec_t                     waited;      /* for the locks of files */
    ngx_int_t                      request_id;  /* index of the variable */
    time_t                         loaded;      /* Unix seconds */
    ngx_array_t                   *egress;      /* locations; or NULL */
    ngx_array_t                   *redis;       /* their confs; or NULL */
    ngx_array_t                   *clusters;    /* wassiit_cluster; or NULL */

    /* whether any location signs requests, looks at or signs bodies, or
       has a page of its own for 400 */
    ngx_uint_t                     signer;
    ngx_uint_t                     looks;
    ngx_uint_t                     sign;
    ngx_uint_t                     leads;
} ngx_http_wassiit_main_conf_t;


typedef struct ngx_http_wassiit_loc_conf_s  ngx_http_wassiit_loc_conf_t;

struct ngx_http_wassiit_loc_conf_s {
    ngx_http_wassiit_loc_conf_t   *parent;      /* the block around it */
    ngx_uint_t                     guards;      /* access is on in here */
    ngx_http_wassiit_zone_t       *zone;        /* NULL: access is off */
    ngx_http_wassiit_required_t   *required;    /* NULL: no scope */
    ngx_http_wassiit_signer_t     *signer;      /* NULL: nothing is signed */
    ngx_http_wassiit_webhook_t    *verify;      /* NULL: no webhooks here */
    ngx_http_wassiit_webhook_t    *sign;        /* NULL: none are sent */
    ngx_http_wassiit_answer_t     *answer;      /* NULL: nothing of ours does;
                                                   not inherited */
    ngx_http_wassiit_zone_t       *admin;       /* NULL: no endpoint; not
                                                   inherited */
    ngx_http_wassiit_zone_t       *status;      /* NULL: it isn't shown here;
                                                   not inherited */
    ngx_uint_t                     status_form;
    ngx_uint_t                     status_top;  /* partners, at the most */
    ngx_uint_t                     payload;
    ngx_uint_t                     looks;       /* at the body: verify, sign
                                                   or payload is set */
    ngx_uint_t                     judges;      /* it: verify or payload */
    ngx_uint_t                     auth;
    time_t                         skew;        /* seconds */
    ngx_uint_t                     limit;
    ngx_uint_t                     errors;
    ngx_flag_t                     limit_headers;
    ngx_flag_t                     hide_credentials;
    ngx_flag_t                     problem;     /* not inherited */

    ngx_uint_t                     egress;
    ngx_http_handler_pt            content;     /* behind wassiit_egress; NULL:
                                                   the parent's, or none */
};


/* headers_in.c's: the client's credentials, which lie in its buffers */

typedef struct {
    ngx_str_t                      key;
    ngx_str_t                      timestamp;
    ngx_str_t                      signature;
    ngx_str_t                      twice;       /* the name of a header that
                                                   isn't alone; or empty */
} ngx_http_wassiit_sent_t;


/* access.c's: what was asked of the client, and what came of it */

typedef struct {
    ngx_http_wassiit_decision_e    identity;    /* what the key alone says */
    ngx_http_wassiit_decision_e    credentials; /* as digest was made */
    u_char                         digest[NGX_WASSIIT_DIGEST_LEN];
    time_t                         skew;        /* seconds, if verified */
    uint64_t                       required;    /* scopes */
    ngx_str_t                      undeclared;  /* scope, that is unknown */
} ngx_http_wassiit_asked_t;


/* payload.c's */

struct ngx_http_wassiit_form_s {
    void                          *multipart;   /* its parser; NULL: none */
    ngx_str_t                      faults;      /* JSON, if any were found */
    ngx_str_t                      fault;       /* field of the first */
    ngx_uint_t                     media;       /* why the type is refused */
    ngx_str_t                      media_name;  /* charset or coding */
    unsigned                       is_form:1;   /* what the body must be */
    unsigned                       late:1;      /* a body, if any comes */
};


/*
 * A request's context: one for each client request, made when it first meets a
 * location with access on.  It outlives internal redirects.  All may read it;
 * each part, and each flag, is written by the file that it is of.
 *
 * It is kept small: with 100 bytes more, a request that is answered at once
 * would need another block of its pool.
 */

typedef struct {
    ngx_http_wassiit_zone_t       *zone;        /* that partner is of */
    ngx_http_wassiit_decision_e    decision;

    unsigned                       errors:1;    /* the form, wassiit_errors;
                                                   of who answers last */

    /* headers_in.c's */
    unsigned                       found:1;     /* sent was looked for */

    /* access.c's */
    unsigned                       known:1;     /* partner is filled */
    unsigned                       verified:1;  /* the signature, in identity */
    unsigned                       passed:1;    /* refused, and has been where
                                                   access is off */
    unsigned                       no_store:1;  /* by wassiit_admin */

    /* limit.c's */
    unsigned                       taken:1;     /* the window was asked */
    unsigned                       limited:1;   /* and refused it */
    unsigned                       early:1;     /* others of a cluster may
                                                   have had some free */
    unsigned                       limit_headers:1;

    /* decision.c's */
    unsigned                       refused:1;   /* decision is a refusal */
    unsigned                       redirected:1;  /* by error_page, and not
                                                     to be asked again */
    unsigned                       counted:1;   /* for its partner */
    unsigned                       keepalive:1; /* before the refusal */

    /* reply.c's, body.c's */
    unsigned                       headers:1;   /* were added */
    unsigned                       arriving:1;  /* body.c sees the body come */

    ngx_http_wassiit_sent_t        sent;
    ngx_http_wassiit_asked_t       asked;
    ngx_wassiit_usage_t            usage;       /* if taken */

    ngx_http_wassiit_loc_conf_t   *refused_by;  /* the last that did */
    const ngx_str_t               *webhook;     /* the header whose signature
                                                   was refused; or NULL */
    ngx_chain_t                   *reply;       /* in place of nginx's page */

    ngx_http_wassiit_signed_t     *upstream;    /* NULL: nothing is signed */
    ngx_http_wassiit_body_t       *body;        /* NULL: nobody looks at it */
    ngx_http_wassiit_hook_t       *hook;        /* ... as a webhook */
    ngx_http_wassiit_form_t       *form;        /* ... as a payload */
    ngx_http_wassiit_audit_t      *audit;       /* NULL: no change of ours */
    off_t                          admin_body;  /* bytes, by wassiit_admin */

    ngx_http_wassiit_partner_t     partner;
} ngx_http_wassiit_ctx_t;


extern ngx_module_t  ngx_http_wassiit_module;


#endif /* _NGX_HTTP_WASSIIT_H_INCLUDED_ */
