
/*
 * The way of a body: read once, after key, scope and window have passed, and
 * looked at as it arrives, on its way to memory or to a file.
 *
 * While it waits for its turn, what has come is held back, nginx's buffers fill
 * up and nothing more is read.
 *
 * Not by HTTP/2 and 3.  By HTTP/2 nginx would grant a client no more than these
 * buffers' room, padding uses that up without filling them, and only what fills
 * them is written to a file, so that the client would wait for nginx and nginx
 * for the client.  By HTTP/3 nginx forgets that a body has ended if its end is
 * held back.  Whatever comes there is saved at once, as without us, and what
 * isn't looked at yet is looked at where it was saved.
 */


#include "ngx_http_wassiit_body.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_headers_in.h"


/* what isn't longer than that needn't wait: as many as nginx sees to between
 * events fit in a turn or two */
#define BODY_SMALL          4096


static ngx_int_t ngx_http_wassiit_body_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static const void *ngx_http_wassiit_body_by(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_uint_t i);
static ngx_int_t ngx_http_wassiit_body_read(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_body_arrived(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_body_end(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_wassiit_body_refused(ngx_http_request_t *r,
    ngx_int_t rc);
static ngx_int_t ngx_http_wassiit_body_small(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_wassiit_body_pass(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_chain_t *in);
static ngx_int_t ngx_http_wassiit_body_saved(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx);
static ngx_int_t ngx_http_wassiit_body_hold(ngx_http_request_t *r,
    ngx_http_wassiit_body_t *body, ngx_chain_t *in);
static ngx_int_t ngx_http_wassiit_body_work(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_place_t *place);
static ngx_int_t ngx_http_wassiit_body_feed(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_str_t *piece);
static void ngx_http_wassiit_body_wait(ngx_http_wassiit_body_t *body);
static void ngx_http_wassiit_body_resume(ngx_http_wassiit_turn_t *turn);
static void ngx_http_wassiit_body_stop(ngx_http_wassiit_ctx_t *ctx);
static void ngx_http_wassiit_body_cleanup(void *data);


static ngx_http_request_body_filter_pt  ngx_http_wassiit_next_body_filter;

static const ngx_http_wassiit_check_t
    *ngx_http_wassiit_checks[NGX_HTTP_WASSIIT_CHECKS];
static ngx_uint_t  ngx_http_wassiit_nchecks;


ngx_int_t
ngx_http_wassiit_body_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (!wlcf->looks || wlcf->problem) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_wassiit_need_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ctx->refused) {
        ctx->errors = wlcf->errors;
        ngx_http_set_ctx(r, ctx, ngx_http_wassiit_module);
    }

    if (ctx->body && ctx->arriving) {
        /* reading failed, and error_page has led here */
        ngx_http_wassiit_body_stop(ctx);
    }

    if (ctx->body == NULL || !ctx->body->started) {

        rc = ngx_http_wassiit_body_begin(r, ctx);

        if (rc == NGX_OK) {
            rc = ngx_http_wassiit_body_read(r, ctx);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!ctx->body->done) {
        return NGX_AGAIN;
    }

    if (ctx->body->slow && ngx_http_wassiit_turn_over()) {
        /* to parse it takes time, too */
        ngx_http_wassiit_body_wait(ctx->body);
        return NGX_AGAIN;
    }

    return ngx_http_wassiit_body_end(r, ctx);
}


/*
 * Finds out what looks at the body, and refuses what needn't be read.
 * Returns NGX_OK, NGX_DECLINED if there is nothing left to do, or a status.
 */

static ngx_int_t
ngx_http_wassiit_body_begin(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_uint_t                i, n;
    ngx_pool_cleanup_t       *cln;
    ngx_http_request_body_t  *rb;
    ngx_http_wassiit_body_t  *body;

    body = ctx->body;

    if (body == NULL) {
        body = ngx_pcalloc(r->pool, sizeof(ngx_http_wassiit_body_t));
        cln = ngx_pool_cleanup_add(r->pool, 0);

        if (body == NULL || cln == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        cln->handler = ngx_http_wassiit_body_cleanup;
        cln->data = body;

        body->request = r;
        body->ctx = ctx;
        body->turn.resume = ngx_http_wassiit_body_resume;
        ctx->body = body;
    }

    n = 0;

    for (i = 0; i < ngx_http_wassiit_nchecks; i++) {
        body->by[i] = ngx_http_wassiit_body_by(r, ctx, i);
        n += (body->by[i] != NULL);
    }

    rb = r->request_body;

    if (rb && ngx_http_wassiit_has_body(r)
        && (rb->rest != 0 || !rb->last_saved)
        && n)
    {
        /* of half a body, only what has become of it can be told */

        return (r->err_status >= NGX_HTTP_BAD_REQUEST)
               ? (ngx_int_t) r->err_status : NGX_HTTP_BAD_REQUEST;
    }

    body->verdicts = 0;
    body->slow = 0;
    body->place.cl = NULL;
    body->size = 0;
    body->done = 0;

    for (i = 0; i < ngx_http_wassiit_nchecks; i++) {

        if (body->by[i] == NULL) {
            continue;
        }

        rc = ngx_http_wassiit_checks[i]->begin(r, ctx);

        if (rc == NGX_DECLINED) {
            body->by[i] = NULL;
            n--;
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        body->verdicts += ngx_http_wassiit_checks[i]->verdict;
        body->slow |= ngx_http_wassiit_checks[i]->slow;
    }

    if (n == 0) {
        ngx_http_wassiit_count(ctx);
        return NGX_DECLINED;
    }

    body->started = 1;

    return NGX_OK;
}


/*
 * What the check looks at the body by; NULL: not at all.  A subrequest's body
 * is the client's, and is judged with its request.  A request that was refused
 * came by the operator's error_page, and isn't judged by what it was, or would
 * have been, judged by there.
 */

static const void *
ngx_http_wassiit_body_by(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_uint_t i)
{
    const void                      *by;
    const ngx_http_wassiit_check_t  *check;

    check = ngx_http_wassiit_checks[i];

    by = check->wanted(r, ctx,
                       ngx_http_get_module_loc_conf(r,
                                                    ngx_http_wassiit_module));

    if (by == NULL || !check->verdict) {
        return by;
    }

    if (r != r->main || by == ctx->body->judged[i]
        || (ctx->refused && check->wanted(r, ctx, ctx->refused_by) == by))
    {
        return NULL;
    }

    return by;
}


/* Returns NGX_OK: it is done or waits for its turn; NGX_DONE; or a status. */

static ngx_int_t
ngx_http_wassiit_body_read(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_http_wassiit_body_t  *body;

    body = ctx->body;

    if (r == r->main && r->request_body == NULL && !r->discard_body
        && ngx_http_wassiit_has_body(r))
    {
        ctx->arriving = 1;
        body->small = (r->headers_in.content_length_n > 0
                       && r->headers_in.content_length_n <= BODY_SMALL);
        body->behind = 0;
        body->held = NULL;
        body->place.pos = 0;
        body->phase = r->phase_handler;

        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_wassiit_body_arrived);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            return rc;
        }

        ngx_http_finalize_request(r, NGX_DONE);

        return NGX_DONE;
    }

    /* it has been read by another module, or before a redirect */

    body->place.cl = r->request_body ? r->request_body->bufs : NULL;
    body->place.pos = 0;

    rc = ngx_http_wassiit_body_work(r, ctx, &body->place);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    body->done = (rc == NGX_OK);
    body->started = body->done;

    return rc;
}


static void
ngx_http_wassiit_body_arrived(ngx_http_request_t *r)
{
    ngx_http_wassiit_ctx_t   *ctx;
    ngx_http_wassiit_body_t  *body;

    ctx = ngx_http_wassiit_get_ctx(r);

    if (ctx == NULL) {
        /* it can't be gone, it has had the body read */
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    body = ctx->body;

    ctx->arriving = 0;

    r->write_event_handler = ngx_http_core_run_phases;

    if (body->behind) {
        body->place.cl = r->request_body->bufs;
        ngx_http_wassiit_pieces_seek(&body->place, body->size);

        ngx_http_wassiit_body_wait(body);
        return;
    }

    body->done = 1;

    ngx_http_core_run_phases(r);
}


/* All has been seen.  Returns NGX_DECLINED, for the next one, or a status. */

static ngx_int_t
ngx_http_wassiit_body_end(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    uint64_t                         start;
    ngx_int_t                        rc;
    ngx_uint_t                       i;
    ngx_http_wassiit_body_t         *body;
    const ngx_http_wassiit_check_t  *check;

    body = ctx->body;

    ngx_http_wassiit_turn_leave(&body->turn);
    body->started = 0;

    for (i = 0; i < ngx_http_wassiit_nchecks; i++) {

        if (body->by[i] == NULL) {
            continue;
        }

        check = ngx_http_wassiit_checks[i];

        start = check->slow ? ngx_http_wassiit_turn_clock() : 0;

        rc = check->end(r, ctx);

        if (check->slow) {
            ngx_http_wassiit_turn_spend(ngx_http_wassiit_turn_clock() - start,
                                        r->connection->log);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    for (i = 0; i < ngx_http_wassiit_nchecks; i++) {
        if (body->by[i]) {
            body->judged[i] = body->by[i];
        }
    }

    if (ctx->decision == NGX_HTTP_WASSIIT_UNDECIDED && body->verdicts) {
        ctx->decision = NGX_HTTP_WASSIIT_ALLOWED;
    }

    ngx_http_wassiit_count(ctx);

    return NGX_DECLINED;
}


/*
 * Passes on what has been looked at.  What hasn't stays in nginx's buffers;
 * when these are full, nothing more is read (filter_need_buffering).
 */

static ngx_int_t
ngx_http_wassiit_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                 rc;
    ngx_chain_t              *cl, *out, **last;
    ngx_http_wassiit_ctx_t   *ctx;
    ngx_http_wassiit_body_t  *body;

    ctx = ngx_http_wassiit_get_ctx(r);
    body = ctx ? ctx->body : NULL;

    if (body == NULL || !ctx->arriving) {
        return ngx_http_wassiit_next_body_filter(r, in);
    }

    if (body->small) {
        rc = ngx_http_wassiit_body_small(r, ctx, in);

        return (rc == NGX_OK) ? ngx_http_wassiit_next_body_filter(r, in)
                              : ngx_http_wassiit_body_refused(r, rc);
    }

    if (r->http_version >= NGX_HTTP_VERSION_20) {
        rc = ngx_http_wassiit_body_pass(r, ctx, in);

        if (rc != NGX_OK) {
            ngx_http_wassiit_turn_leave(&body->turn);
            return ngx_http_wassiit_body_refused(r, rc);
        }

        return ngx_http_wassiit_next_body_filter(r, in);
    }

    r->request_body->filter_need_buffering = 1;

    if (ngx_http_wassiit_body_hold(r, body, in) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->place.cl = body->held;

    rc = ngx_http_wassiit_body_work(r, ctx, &body->place);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_http_wassiit_turn_leave(&body->turn);
        return ngx_http_wassiit_body_refused(r, rc);
    }

    out = body->held;
    last = &out;

    for (cl = body->held; cl != body->place.cl; cl = cl->next) {
        last = &cl->next;
    }

    *last = NULL;
    body->held = body->place.cl;

    rc = ngx_http_wassiit_next_body_filter(r, out);

    while (out) {
        cl = out;
        out = out->next;
        ngx_free_chain(r->pool, cl);
    }

    return rc;
}


/* What is still to come of it is no request. */

static ngx_int_t
ngx_http_wassiit_body_refused(ngx_http_request_t *r, ngx_int_t rc)
{
    r->keepalive = 0;
    r->lingering_close = 1;

    return rc;
}


static ngx_int_t
ngx_http_wassiit_body_small(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_int_t                 rc;
    ngx_str_t                 piece;
    ngx_http_wassiit_place_t  place;

    place.cl = in;
    place.pos = 0;

    for ( ;; ) {
        rc = ngx_http_wassiit_pieces_next(r, &place, BODY_SMALL, &piece);

        if (rc != NGX_OK) {
            return (rc == NGX_DONE) ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        rc = ngx_http_wassiit_body_feed(r, ctx, &piece);

        if (rc != NGX_OK) {
            return rc;
        }

        /* a nanosecond a byte, nearly: to ask the clock would cost more */
        ngx_http_wassiit_turn_spend(piece.len, r->connection->log);
    }
}


/*
 * Looks at what has come by HTTP/2 or 3, in, and first at what is left from
 * before, as far as it is our turn.  Returns NGX_OK or a status.
 */

static ngx_int_t
ngx_http_wassiit_body_pass(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_int_t                 rc;
    ngx_http_wassiit_body_t  *body;
    ngx_http_wassiit_place_t  place;

    body = ctx->body;

    if (body->behind) {
        rc = ngx_http_wassiit_body_saved(r, ctx);

        if (rc != NGX_OK) {
            return (rc == NGX_AGAIN) ? NGX_OK : rc;
        }
    }

    place.cl = in;
    place.pos = 0;

    rc = ngx_http_wassiit_body_work(r, ctx, &place);

    body->behind = (rc == NGX_AGAIN);

    return body->behind ? NGX_OK : rc;
}


/* The same for what has been saved, while more is to come. */

static ngx_int_t
ngx_http_wassiit_body_saved(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx)
{
    ngx_buf_t                 buf;
    ngx_file_t                file;
    ngx_chain_t               link;
    ngx_http_request_body_t  *rb;
    ngx_http_wassiit_place_t  place;

    rb = r->request_body;
    place.cl = rb->bufs;

    if (rb->temp_file) {
        /* a copy, as to read moves the offset at which nginx writes on */

        file = rb->temp_file->file;

        ngx_memzero(&buf, sizeof(ngx_buf_t));

        buf.in_file = 1;
        buf.file = &file;
        buf.file_last = file.offset;

        /* what lies in memory comes after it */

        link.buf = &buf;
        link.next = rb->bufs;
        place.cl = &link;
    }

    ngx_http_wassiit_pieces_seek(&place, ctx->body->size);

    return ngx_http_wassiit_body_work(r, ctx, &place);
}


/* Appends in to what is held: links of our own, as nginx uses its own anew. */

static ngx_int_t
ngx_http_wassiit_body_hold(ngx_http_request_t *r,
    ngx_http_wassiit_body_t *body, ngx_chain_t *in)
{
    ngx_chain_t  *cl, **last;

    for (last = &body->held; *last; last = &(*last)->next) { /* void */ }

    for ( /* void */ ; in; in = in->next) {
        cl = ngx_alloc_chain_link(r->pool);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        cl->buf = in->buf;
        cl->next = NULL;

        *last = cl;
        last = &cl->next;
    }

    return NGX_OK;
}


/*
 * Looks at what there is from place on, as long as it is our turn.  Returns
 * NGX_OK: at all; NGX_AGAIN: it will be called again; or a status.
 */

static ngx_int_t
ngx_http_wassiit_body_work(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_http_wassiit_place_t *place)
{
    uint64_t                  start;
    ngx_int_t                 rc;
    ngx_str_t                 piece;
    ngx_http_wassiit_body_t  *body;

    body = ctx->body;

    for ( ;; ) {

        if (ngx_http_wassiit_turn_over() || body->turn.waiting) {

            if (place->cl == NULL) {
                return NGX_OK;
            }

            ngx_http_wassiit_body_wait(body);
            return NGX_AGAIN;
        }

        rc = ngx_http_wassiit_pieces_next(r, place, NGX_HTTP_WASSIIT_PIECE,
                                          &piece);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        start = ngx_http_wassiit_turn_clock();
        rc = ngx_http_wassiit_body_feed(r, ctx, &piece);
        ngx_http_wassiit_turn_spend(ngx_http_wassiit_turn_clock() - start,
                                    r->connection->log);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


static ngx_int_t
ngx_http_wassiit_body_feed(ngx_http_request_t *r, ngx_http_wassiit_ctx_t *ctx,
    ngx_str_t *piece)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_http_wassiit_body_t  *body;

    body = ctx->body;
    body->size += piece->len;

    for (i = 0; i < ngx_http_wassiit_nchecks; i++) {

        if (body->by[i] == NULL) {
            continue;
        }

        rc = ngx_http_wassiit_checks[i]->feed(r, ctx, piece);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_body_wait(ngx_http_wassiit_body_t *body)
{
    if (!body->turn.waiting) {
        ngx_log_debug1(NGX_LOG_DEBUG_HTTP, body->request->connection->log, 0,
                       "wassiit body waits for its turn, at %O", body->size);
    }

    ngx_http_wassiit_turn_wait(&body->turn);
}


/* Nothing more is looked at, whatever has come. */

static void
ngx_http_wassiit_body_stop(ngx_http_wassiit_ctx_t *ctx)
{
    ngx_http_wassiit_body_t  *body;

    body = ctx->body;

    ngx_http_wassiit_turn_leave(&body->turn);

    ctx->arriving = 0;
    body->started = 0;
    body->held = NULL;
    body->place.cl = NULL;
}


/* It is the body's turn again. */

static void
ngx_http_wassiit_body_resume(ngx_http_wassiit_turn_t *turn)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_http_request_t       *r;
    ngx_http_wassiit_ctx_t   *ctx;
    ngx_http_wassiit_body_t  *body;

    body = (ngx_http_wassiit_body_t *)
               ((u_char *) turn - offsetof(ngx_http_wassiit_body_t, turn));
    r = body->request;
    c = r->connection;
    ctx = body->ctx;

    if (ctx->arriving) {
        /* nginx asks the filter for what it has held */

        if (r->phase_handler == body->phase) {
            c->read->handler(c->read);
        }

        return;
    }

    if (!body->started) {
        /* something else has become of it */
        return;
    }

    rc = ngx_http_wassiit_body_work(r, ctx, &body->place);

    if (rc == NGX_AGAIN) {
        return;
    }

    body->done = (rc == NGX_OK);
    body->started = body->done;

    if (rc == NGX_OK) {
        ngx_http_core_run_phases(r);

    } else {
        ngx_http_finalize_request(r, rc);
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_wassiit_body_cleanup(void *data)
{
    ngx_http_wassiit_body_t  *body = data;

    ngx_http_wassiit_turn_leave(&body->turn);
}


void
ngx_http_wassiit_body_init(void)
{
    ngx_http_wassiit_nchecks = 0;

    ngx_http_wassiit_next_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_http_wassiit_body_filter;
}


void
ngx_http_wassiit_body_register(const ngx_http_wassiit_check_t *check)
{
    ngx_http_wassiit_checks[ngx_http_wassiit_nchecks++] = check;
}
