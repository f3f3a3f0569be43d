
/*
 * The way of a body: read once, and looked at as it arrives by the checks that
 * were registered.
 */


#ifndef _NGX_HTTP_WASSIIT_BODY_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_BODY_H_INCLUDED_


#include "ngx_http_wassiit_ctx.h"
#include "ngx_http_wassiit_pieces.h"
#include "ngx_http_wassiit_turn.h"


/*
 * One that looks at bodies.  A body is looked at by all that want it, in the
 * order in which they were registered.
 */

typedef struct {

    /*
     * What r's body is looked at by in the location with this configuration,
     * or NULL: it isn't.  What is the same has the same address.
     */
    const void                  *(*wanted)(ngx_http_request_t *r,
                                      ngx_http_wassiit_ctx_t *ctx,
                                      ngx_http_wassiit_loc_conf_t *wlcf);

    /*
     * Before anything is read, with each piece of ctx->body, and when all has
     * been seen.  Each returns NGX_OK, or the status to answer with; begin(),
     * too, NGX_DECLINED: there is nothing left to do.
     */
    ngx_int_t                    (*begin)(ngx_http_request_t *r,
                                      ngx_http_wassiit_ctx_t *ctx);
    ngx_int_t                    (*feed)(ngx_http_request_t *r,
                                      ngx_http_wassiit_ctx_t *ctx,
                                      ngx_str_t *piece);
    ngx_int_t                    (*end)(ngx_http_request_t *r,
                                      ngx_http_wassiit_ctx_t *ctx);

    unsigned                       verdict:1;   /* it may refuse the body */
    unsigned                       slow:1;      /* end() is worth a turn */
} ngx_http_wassiit_check_t;


/* the most that may be registered */
#define NGX_HTTP_WASSIIT_CHECKS    3


/*
 * A request's body.  Made when it first meets a location that asks for that;
 * by what it has been judged stays.
 */

struct ngx_http_wassiit_body_s {
    ngx_http_request_t            *request;
    ngx_http_wassiit_ctx_t        *ctx;         /* its own, see own_ctx() */

    /* for each check: by what the body has been judged, and is looked at now */
    const void                    *judged[NGX_HTTP_WASSIIT_CHECKS];
    const void                    *by[NGX_HTTP_WASSIIT_CHECKS];
    ngx_uint_t                     verdicts;    /* of those that look at it */

    off_t                          size;        /* bytes seen */

    /* what has come and wasn't looked at, or what had come before */
    ngx_chain_t                   *held;
    ngx_http_wassiit_place_t       place;
    ngx_http_wassiit_turn_t        turn;        /* to wait for */
    ngx_int_t                      phase;       /* in which it is read */

    unsigned                       slow:1;      /* so is one of the checks */
    unsigned                       small:1;     /* too short to wait */
    unsigned                       behind:1;    /* saved, but not all seen */
    unsigned                       started:1;
    unsigned                       done:1;
};


/*
 * The handler of the pre-content phase that has the body read, where something
 * looks at it.
 */
ngx_int_t ngx_http_wassiit_body_handler(ngx_http_request_t *r);

/*
 * Puts the filter in place that sees bodies arrive, and forgets the checks of
 * the last configuration.
 */
void ngx_http_wassiit_body_init(void);

/* Adds a check, which must live as long as the process. */
void ngx_http_wassiit_body_register(const ngx_http_wassiit_check_t *check);


#endif /* _NGX_HTTP_WASSIIT_BODY_H_INCLUDED_ */
