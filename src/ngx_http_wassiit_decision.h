
/*
 * Decisions: the one table of what each is called, is answered with, counts as
 * and is worth of the log; and how a request is refused.
 */


#ifndef _NGX_HTTP_WASSIIT_DECISION_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_DECISION_H_INCLUDED_


#include "ngx_http_wassiit_ctx.h"


typedef struct {
    ngx_str_t                      code;    /* in bodies, logs, variables */
    ngx_int_t                      status;  /* of HTTP; 0: it refuses nothing */
    ngx_uint_t                     counter; /* of the partner: less than
                                               NGX_HTTP_WASSIIT_COUNTS, or it:
                                               none.  Two programs that share a
                                               zone agree on its number */
    ngx_uint_t                     level;   /* of the log, where the partner
                                               is known; else it is "info" */
} ngx_http_wassiit_verdict_t;


/* by ngx_http_wassiit_decision_e */
extern const ngx_http_wassiit_verdict_t  ngx_http_wassiit_verdicts[];


/* The code of a decision; empty: NGX_HTTP_WASSIIT_UNDECIDED. */
#define ngx_http_wassiit_code(decision)                                      \
    (&ngx_http_wassiit_verdicts[decision].code)

/* The HTTP status of a refusal; 0: the decision is none. */
#define ngx_http_wassiit_status(decision)                                    \
    (ngx_http_wassiit_verdicts[decision].status)


/*
 * Refuses r in the location that it is in: notes and logs the decision, and
 * counts it, unless another module may let r in.  Returns the HTTP status to
 * answer with.
 */
ngx_int_t ngx_http_wassiit_refuse(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_decision_e decision);

/* Notes and logs a decision that lets r go on.  The partner must be known. */
void ngx_http_wassiit_note(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_decision_e decision);

/*
 * Writes to p, which takes NGX_HTTP_WASSIIT_BOARD_ABOUT bytes, what the refusal
 * of r is about, in printable ASCII without quotes: the scopes that the partner
 * lacks, a space between two; "hmac_secret", if it has none to sign with; the
 * header that stands twice; the field of the body that is wrong first.  What
 * would be too long is left out, or cut.  Returns the end; p: the decision says
 * it all.
 */
u_char *ngx_http_wassiit_about(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, u_char *p);

/*
 * Counts a request for its partner, if that is known, under what was decided of
 * it, as soon as nothing of ours is to refuse it any more.  Does nothing the
 * second time: one that nginx leads on may be asked anew.
 */
void ngx_http_wassiit_count(ngx_http_wassiit_ctx_t *ctx);

/* A request that was refused is asked anew, where another thing is asked. */

static ngx_inline void
ngx_http_wassiit_reopen(ngx_http_wassiit_ctx_t *ctx)
{
    ctx->refused = 0;
    ctx->redirected = 0;
    ctx->passed = 0;
    ctx->webhook = NULL;
}


/* A request that was refused goes on all the same, and is no partner's. */

static ngx_inline void
ngx_http_wassiit_overrule(ngx_http_wassiit_ctx_t *ctx)
{
    ctx->refused = 0;
    ctx->known = 0;
    ctx->zone = NULL;
    ctx->decision = NGX_HTTP_WASSIIT_ALLOWED;
}


#endif /* _NGX_HTTP_WASSIIT_DECISION_H_INCLUDED_ */
