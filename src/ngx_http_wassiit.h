
/* What the http files share: configurations, a request's context. */


#ifndef _NGX_HTTP_WASSIIT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif

#include "ngx_http_wassiit_zone.h"
#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_scope.h"


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


/* of access.c, upstream.c, webhook.c, payload.c and body.c */

typedef struct ngx_http_wassiit_required_s ngx_http_wassiit_required_t;
typedef struct ngx_http_wassiit_signer_s   ngx_http_wassiit_signer_t;
typedef struct ngx_http_wassiit_signed_s   ngx_http_wassiit_signed_t;
typedef struct ngx_http_wassiit_webhook_s  ngx_http_wassiit_webhook_t;
typedef struct ngx_http_wassiit_hook_s     ngx_http_wassiit_hook_t;
typedef struct ngx_http_wassiit_form_s     ngx_http_wassiit_form_t;
typedef struct ngx_http_wassiit_body_s     ngx_http_wassiit_body_t;


typedef struct {
    ngx_wassiit_scopes_t           scopes;
    ngx_array_t                    zones;       /* ngx_http_wassiit_zone_t * */
    ngx_array_t                    literals;    /* scopes yet to be found */
    ngx_array_t                    demands;     /* what needs access on */
    ngx_msec_t                     waited;      /* for the locks of files */
    ngx_int_t                      request_id;  /* index of the variable */
    ngx_array_t                   *egress;      /* locations; or NULL */

    /* whether any location signs requests, looks at or signs bodies */
    ngx_uint_t                     signer;
    ngx_uint_t                     looks;
    ngx_uint_t                     sign;

#if (NGX_THREADS)
    ngx_thread_pool_t             *threads;     /* for changes; or NULL */
#endif
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
    ngx_http_wassiit_zone_t       *admin;       /* NULL: no endpoint; not
                                                   inherited */
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


/*
 * A request's context: what all may ask, and parts, each of which is written
 * by the file that it is of.
 */

/* headers_in.c's: the client's credentials, which lie in its buffers */

typedef struct {
    ngx_str_t                      key;
    ngx_str_t                      timestamp;
    ngx_str_t                      signature;
    ngx_str_t                      twice;       /* the name of a header that
                                                   isn't alone; or empty */
    unsigned                       found:1;     /* they were looked for */
} ngx_http_wassiit_sent_t;


/* access.c's: what was asked of the client, and what came of it */

typedef struct {
    ngx_http_wassiit_decision_e    identity;    /* what the key alone says */
    ngx_http_wassiit_decision_e    credentials; /* as digest was made */
    u_char                         digest[NGX_WASSIIT_DIGEST_LEN];
    time_t                         skew;        /* seconds, of verified */

    uint64_t                       required;    /* scopes asked for */
    uint64_t                       missing;     /* of these */
    ngx_str_t                      undeclared;  /* asked for, unknown */
    ngx_wassiit_scopes_t          *scopes;      /* that the sets are of */

    unsigned                       verified:1;  /* the signature, in identity */
} ngx_http_wassiit_asked_t;


/* limit.c's */

typedef struct {
    ngx_wassiit_usage_t            usage;       /* if taken */
    unsigned                       taken:1;     /* the window was asked */
    unsigned                       refused:1;   /* and there was no room */
    unsigned                       headers:1;   /* shall tell of it */
} ngx_http_wassiit_taken_t;


/* decision.c's; who refuses fills in what the answer says of it */

typedef struct {
    ngx_http_wassiit_loc_conf_t   *by;          /* the last that refused */

    ngx_str_t                      header;      /* of a webhook's signature */
    ngx_str_t                      faults;      /* of a payload: JSON */
    ngx_uint_t                     media;       /* why its type is refused */
    ngx_str_t                      media_name;  /* charset or coding */

    unsigned                       webhook:1;   /* by the body's signature */
    unsigned                       multipart:1; /* what the payload must be */
    unsigned                       redirected:1;  /* by error_page, and not
                                                     to be asked again */
    unsigned                       passed:1;    /* has been where access is
                                                   off */
    unsigned                       keepalive:1; /* before the refusal */
} ngx_http_wassiit_refusal_t;


/* reply.c's */

typedef struct {
    ngx_chain_t                   *body;        /* in place of nginx's page */
    unsigned                       headers:1;   /* were added */
} ngx_http_wassiit_answer_t;


/*
 * One for each client request, made when it first meets a location with
 * access on.  It outlives internal redirects.
 */

typedef struct {
    ngx_http_wassiit_zone_t       *zone;        /* that partner is of */
    ngx_http_wassiit_decision_e    decision;

    unsigned                       errors:1;    /* the form, wassiit_errors */
    unsigned                       known:1;     /* partner is filled */
    unsigned                       refused:1;   /* decision is a refusal */
    unsigned                       counted:1;   /* as allowed */
    unsigned                       no_store:1;  /* by wassiit_admin */
    unsigned                       arriving:1;  /* body.c sees the body come */

    ngx_http_wassiit_sent_t        sent;
    ngx_http_wassiit_asked_t       asked;
    ngx_http_wassiit_taken_t       limit;
    ngx_http_wassiit_refusal_t     refusal;
    ngx_http_wassiit_answer_t      answer;

    ngx_http_wassiit_signed_t     *upstream;    /* NULL: nothing is signed */
    ngx_http_wassiit_body_t       *body;        /* NULL: nobody looks at it */
    ngx_http_wassiit_hook_t       *hook;        /* ... as a webhook */
    ngx_http_wassiit_form_t       *form;        /* ... as a payload */
    off_t                          admin_body;  /* bytes, by wassiit_admin */

    ngx_http_wassiit_partner_t     partner;
} ngx_http_wassiit_ctx_t;


extern ngx_module_t  ngx_http_wassiit_module;


#endif /* _NGX_HTTP_WASSIIT_H_INCLUDED_ */
