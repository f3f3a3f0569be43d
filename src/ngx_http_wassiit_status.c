
#include "ngx_http_wassiit_admin_send.h"
#include "ngx_http_wassiit_args.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_status.h"


/* seconds in which one counts as active, and as limited or refused */
#define STATUS_ACTIVE       300
#define STATUS_RECENT       600

/* partners that are looked at, to find the most active, if top isn't more */
#define STATUS_LOOKS        512

#define STATUS_CANDIDATES   (NGX_HTTP_WASSIIT_BOARD_RECENT                   \
                             + 2 * NGX_HTTP_WASSIIT_BOARD_ACTIVE)

/* a power of two, and far more than there may be candidates */
#define STATUS_PLACES       4096

#define STATUS_ROOM         65536   /* bytes for a hundred partners */
#define STATUS_BUFFER       4096
#define STATUS_PIECE        2048    /* the longest that is added at once */

/* what is worth showing, in this order; below it, requests a second */
#define RANK_LIMITED        ((uint64_t) 2 << 60)
#define RANK_CHOSEN         ((uint64_t) 1 << 60)


typedef struct {
    uint64_t                       rank;
    ngx_uint_t                     active;  /* it has asked of late */
    ngx_http_wassiit_board_id_t    id;
} ngx_http_wassiit_candidate_t;


typedef struct {
    ngx_http_wassiit_candidate_t  *elts;
    ngx_uint_t                     n;
    uint16_t                       places[STATUS_PLACES];  /* plus one; by a
                                                              hash of the id */
} ngx_http_wassiit_candidates_t;


static ngx_int_t ngx_http_wassiit_status_method(ngx_http_request_t *r);
static ngx_int_t ngx_http_wassiit_status_top(void *data, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_status_partner(void *data,
    ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_status_gather(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_status_refusals(
    ngx_http_wassiit_status_t *status);
static ngx_int_t ngx_http_wassiit_status_choose(
    ngx_http_wassiit_status_t *status);
static void ngx_http_wassiit_status_limited(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates);
static void ngx_http_wassiit_status_refused(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates);
static void ngx_http_wassiit_status_chosen(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates,
    ngx_http_wassiit_board_id_t *ids);
static void ngx_http_wassiit_status_active(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates,
    ngx_http_wassiit_board_id_t *ids);
static ngx_http_wassiit_candidate_t *ngx_http_wassiit_status_candidate(
    ngx_http_wassiit_candidates_t *candidates,
    ngx_http_wassiit_board_id_t *id, uint64_t rank);
static int ngx_libc_cdecl ngx_http_wassiit_status_by_rank(const void *one,
    const void *two);
static uint64_t ngx_http_wassiit_status_rate(
    ngx_http_wassiit_shown_t *shown);
static ngx_int_t ngx_http_wassiit_status_send(
    ngx_http_wassiit_status_t *status, ngx_uint_t form);


static const ngx_http_wassiit_arg_t  ngx_http_wassiit_status_known[] = {

    { ngx_string("top"), ngx_http_wassiit_status_top,
      "a number from 0 to what wassiit_status allows", 1 },

    { ngx_string("partner"), ngx_http_wassiit_status_partner,
      "a partner's id: 1 to 64 of a-z 0-9 . _ -",
      NGX_HTTP_WASSIIT_STATUS_IDS },

    { ngx_null_string, NULL, NULL, 0 }
};


const char  *const
    ngx_http_wassiit_status_faults[NGX_HTTP_WASSIIT_BOARD_FAULTS] =
{
    "locked", "disk", "bad_line", "compact"
};


ngx_int_t
ngx_http_wassiit_status_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_http_wassiit_ctx_t       *ctx;
    ngx_http_wassiit_status_t    *status;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    ctx = ngx_http_wassiit_get_ctx(r);
    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (r != r->main || ctx == NULL || ctx->redirected) {
        /* a way here that leads past wassiit_access */
        return NGX_HTTP_FORBIDDEN;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return ngx_http_wassiit_status_method(r);
    }

    r->disable_not_modified = 1;

    /* the sums begin a line, as where they are counted */

    status = ngx_pmemalign(r->pool, sizeof(ngx_http_wassiit_status_t),
                           _Alignof(ngx_http_wassiit_status_t));
    if (status == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(status, sizeof(ngx_http_wassiit_status_t));

    status->r = r;
    status->zone = wlcf->status;
    status->top = wlcf->status_top;
    status->top_max = wlcf->status_top;
    status->text.pool = r->pool;

    rc = ngx_http_wassiit_args_read(r, ngx_http_wassiit_status_known,
                                    "top and partner", status);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_http_wassiit_status_gather(status) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (wlcf->status_form == NGX_HTTP_WASSIIT_STATUS_PROMETHEUS) {
        ngx_http_wassiit_status_prometheus(status);

    } else {
        ngx_http_wassiit_status_json(status);
    }

    return ngx_http_wassiit_status_send(status, wlcf->status_form);
}


static ngx_int_t
ngx_http_wassiit_status_method(ngx_http_request_t *r)
{
    ngx_str_t  allow = ngx_string("GET, HEAD");

    if (ngx_http_wassiit_admin_header(r, "Allow", &allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_wassiit_admin_error(r, NGX_HTTP_NOT_ALLOWED,
                                        "This path takes %V.", &allow);
}


static ngx_int_t
ngx_http_wassiit_status_top(void *data, ngx_str_t *value)
{
    ngx_http_wassiit_status_t *status = data;

    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n > (ngx_int_t) status->top_max) {
        return NGX_DECLINED;
    }

    status->top = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_status_partner(void *data, ngx_str_t *value)
{
    ngx_http_wassiit_status_t *status = data;

    ngx_uint_t                    i;
    ngx_http_wassiit_board_id_t  *id;

    if (!ngx_http_wassiit_record_is_id(value->data, value->len)) {
        return NGX_DECLINED;
    }

    for (i = 0; i < status->nids; i++) {
        id = &status->ids[i];

        if (id->len == value->len
            && ngx_memcmp(id->id, value->data, value->len) == 0)
        {
            return NGX_OK;
        }
    }

    id = &status->ids[status->nids++];
    id->len = value->len;
    ngx_memcpy(id->id, value->data, value->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_status_gather(ngx_http_wassiit_status_t *status)
{
    size_t       most;
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    pool = status->r->pool;
    most = ngx_max(status->top, NGX_HTTP_WASSIIT_STATUS_IDS);

    status->refusals = ngx_palloc(pool, NGX_HTTP_WASSIIT_BOARD_RECENT
                                        * sizeof(ngx_http_wassiit_refusal_t));
    status->shown = ngx_palloc(pool, most * sizeof(ngx_http_wassiit_shown_t));

    if (status->refusals == NULL || status->shown == NULL) {
        return NGX_ERROR;
    }

    ngx_http_wassiit_board_sums(&status->zone->board, &status->sums);

    for (i = 0; i < status->nids; i++) {
        status->nshown += (ngx_http_wassiit_status_look(status,
                                           &status->ids[i],
                                           &status->shown[status->nshown])
                           == NGX_OK);
    }

    ngx_http_wassiit_status_refusals(status);

    if (status->nids || status->top == 0) {
        return NGX_OK;
    }

    return ngx_http_wassiit_status_choose(status);
}


/* The newest first; or of those that were asked for, as they were. */

static void
ngx_http_wassiit_status_refusals(ngx_http_wassiit_status_t *status)
{
    uint64_t                     since, now;
    ngx_uint_t                   i;
    ngx_http_wassiit_shown_t    *shown;
    ngx_http_wassiit_board_t    *board;
    ngx_http_wassiit_refusal_t  *refusal;

    board = &status->zone->board;
    now = (uint64_t) ngx_time() * 1000;
    since = now - STATUS_RECENT * 1000;

    if (status->nids == 0) {
        status->nrefusals = ngx_http_wassiit_board_refusals(board, since, now,
                                                            status->refusals);
        return;
    }

    for (i = 0; i < status->nshown; i++) {
        shown = &status->shown[i];
        refusal = &status->refusals[status->nrefusals];

        status->nrefusals += (ngx_http_wassiit_board_last(board, shown->id.id,
                                                          shown->id.len,
                                                          shown->generation,
                                                          refusal)
                              == NGX_OK
                              && refusal->time >= since);
    }
}


ngx_int_t
ngx_http_wassiit_status_look(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_board_id_t *id, ngx_http_wassiit_shown_t *shown)
{
    ngx_str_t                           text;
    ngx_uint_t                          i, counter;
    ngx_http_wassiit_info_t             info;
    const ngx_http_wassiit_verdict_t   *verdict;

    text.len = id->len;
    text.data = id->id;

    if (ngx_http_wassiit_zone_glance(status->zone, &text, &info) != NGX_OK) {
        return NGX_DECLINED;
    }

    shown->id = *id;
    shown->enabled = info.enabled;
    shown->name_len = info.name_len;
    ngx_memcpy(shown->name, info.name, info.name_len);
    shown->generation = info.generation;
    shown->usage = info.usage;
    shown->allowed = 0;
    shown->limited = 0;
    shown->refused = 0;

    for (i = 0; i < NGX_HTTP_WASSIIT_DECISIONS; i++) {
        verdict = &ngx_http_wassiit_verdicts[i];
        counter = verdict->counter;

        if (counter == NGX_HTTP_WASSIIT_COUNTS) {
            continue;
        }

        if (i == NGX_HTTP_WASSIIT_RATE_LIMITED) {
            shown->limited += info.counts[counter];

        } else if (verdict->status) {
            shown->refused += info.counts[counter];

        } else {
            shown->allowed += info.counts[counter];
        }
    }

    return NGX_OK;
}


/*
 * Those who are limited come first, so that nobody looks for them in vain.  For
 * Prometheus, those who were shown within the hour are next, so that series
 * don't come and go.  The most active follow.
 */

static ngx_int_t
ngx_http_wassiit_status_choose(ngx_http_wassiit_status_t *status)
{
    ngx_uint_t                      i;
    ngx_pool_t                     *pool;
    ngx_http_wassiit_board_t       *board;
    ngx_http_wassiit_board_id_t    *ids;
    ngx_http_wassiit_loc_conf_t    *wlcf;
    ngx_http_wassiit_candidate_t   *elts;
    ngx_http_wassiit_candidates_t   candidates;

    pool = status->r->pool;
    board = &status->zone->board;
    wlcf = ngx_http_get_module_loc_conf(status->r, ngx_http_wassiit_module);

    ids = ngx_palloc(pool, NGX_HTTP_WASSIIT_BOARD_ACTIVE
                           * sizeof(ngx_http_wassiit_board_id_t));
    elts = ngx_palloc(pool, STATUS_CANDIDATES
                            * sizeof(ngx_http_wassiit_candidate_t));

    if (ids == NULL || elts == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&candidates, sizeof(ngx_http_wassiit_candidates_t));
    candidates.elts = elts;

    if (wlcf->status_form == NGX_HTTP_WASSIIT_STATUS_PROMETHEUS) {
        ngx_http_wassiit_status_limited(status, &candidates);
        ngx_http_wassiit_status_chosen(status, &candidates, ids);
    }

    ngx_http_wassiit_status_active(status, &candidates, ids);

    if (wlcf->status_form == NGX_HTTP_WASSIIT_STATUS_PROMETHEUS) {
        ngx_http_wassiit_status_refused(status, &candidates);
    }

    ngx_qsort(elts, candidates.n, sizeof(ngx_http_wassiit_candidate_t),
              ngx_http_wassiit_status_by_rank);

    for (i = 0; i < candidates.n && status->nshown < status->top; i++) {

        if (ngx_http_wassiit_status_look(status, &elts[i].id,
                                         &status->shown[status->nshown])
            != NGX_OK)
        {
            continue;
        }

        status->nshown++;

        if (wlcf->status_form == NGX_HTTP_WASSIIT_STATUS_PROMETHEUS
            && elts[i].rank != RANK_CHOSEN)
        {
            /* for an hour, and then anew if it is still worth it */
            ngx_http_wassiit_board_choose(board, elts[i].id.id, elts[i].id.len,
                                          ngx_time());
        }
    }

    for ( /* void */ ; i < candidates.n; i++) {
        status->truncated |= elts[i].active;
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_status_limited(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates)
{
    ngx_uint_t                    i;
    ngx_http_wassiit_board_id_t   id;
    ngx_http_wassiit_refusal_t   *refusal;

    for (i = 0; i < status->nrefusals; i++) {
        refusal = &status->refusals[i];

        if (refusal->decision == NGX_HTTP_WASSIIT_RATE_LIMITED) {
            id.len = refusal->id_len;
            ngx_memcpy(id.id, refusal->id, id.len);

            (void) ngx_http_wassiit_status_candidate(candidates, &id,
                                              RANK_LIMITED + refusal->time);
        }
    }
}


/* Who asks with an expired key, say, may not be among those who ask. */

static void
ngx_http_wassiit_status_refused(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates)
{
    ngx_uint_t                    i;
    ngx_http_wassiit_board_id_t   id;
    ngx_http_wassiit_refusal_t   *refusal;

    for (i = 0; i < status->nrefusals; i++) {
        refusal = &status->refusals[i];

        if (refusal->id_len) {
            id.len = refusal->id_len;
            ngx_memcpy(id.id, refusal->id, id.len);

            (void) ngx_http_wassiit_status_candidate(candidates, &id, 0);
        }
    }
}


static void
ngx_http_wassiit_status_chosen(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates,
    ngx_http_wassiit_board_id_t *ids)
{
    ngx_uint_t  i, n;

    n = ngx_http_wassiit_board_chosen(&status->zone->board, ngx_time(), ids);

    for (i = 0; i < n; i++) {
        (void) ngx_http_wassiit_status_candidate(candidates, &ids[i],
                                                 RANK_CHOSEN);
    }
}


static void
ngx_http_wassiit_status_active(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_candidates_t *candidates,
    ngx_http_wassiit_board_id_t *ids)
{
    uint64_t                       now, rank;
    ngx_uint_t                     i, n, enough;
    ngx_http_wassiit_shown_t       shown;
    ngx_http_wassiit_candidate_t  *candidate;

    /* if so many come before these, their order doesn't matter */
    enough = (candidates->n >= status->top);

    now = (uint64_t) ngx_time() * 1000;

    n = ngx_http_wassiit_board_active(&status->zone->board,
                                      now - STATUS_ACTIVE * 1000, now, ids,
                                      ngx_max(status->top, STATUS_LOOKS),
                                      &status->truncated);

    for (i = 0; i < n; i++) {
        rank = 0;

        if (!enough) {
            if (ngx_http_wassiit_status_look(status, &ids[i], &shown) != NGX_OK
                || shown.allowed + shown.limited + shown.refused == 0)
            {
                /* gone, or another one of that id */
                continue;
            }

            rank = ngx_http_wassiit_status_rate(&shown);
        }

        candidate = ngx_http_wassiit_status_candidate(candidates, &ids[i],
                                                      rank);
        candidate->active = 1;
    }
}


/* Appends one, if it isn't among them.  Returns it. */

static ngx_http_wassiit_candidate_t *
ngx_http_wassiit_status_candidate(ngx_http_wassiit_candidates_t *candidates,
    ngx_http_wassiit_board_id_t *id, uint64_t rank)
{
    ngx_uint_t                     i;
    ngx_http_wassiit_candidate_t  *elt;

    i = ngx_murmur_hash2(id->id, id->len) % STATUS_PLACES;

    for ( /* void */ ; candidates->places[i]; i = (i + 1) % STATUS_PLACES) {
        elt = &candidates->elts[candidates->places[i] - 1];

        if (elt->id.len == id->len
            && ngx_memcmp(elt->id.id, id->id, id->len) == 0)
        {
            return elt;
        }
    }

    elt = &candidates->elts[candidates->n++];
    candidates->places[i] = candidates->n;

    elt->rank = rank;
    elt->active = 0;
    elt->id = *id;

    return elt;
}


static int ngx_libc_cdecl
ngx_http_wassiit_status_by_rank(const void *one, const void *two)
{
    const ngx_http_wassiit_candidate_t  *a = one;
    const ngx_http_wassiit_candidate_t  *b = two;

    return (a->rank < b->rank) - (a->rank > b->rank);
}


/* What it was admitted of late, as a number that grows with the rate. */

static uint64_t
ngx_http_wassiit_status_rate(ngx_http_wassiit_shown_t *shown)
{
    return (uint64_t) ngx_http_wassiit_status_used(&shown->usage) * 86400
           / ngx_max(shown->usage.seconds, 1);
}


const char *
ngx_http_wassiit_status_file(ngx_http_wassiit_zone_t *zone)
{
    ngx_file_info_t              fi;
    ngx_http_wassiit_journal_t   journal;

    ngx_http_wassiit_journal_get(ngx_http_wassiit_zone_journals(zone),
                                 &journal);

    if (ngx_file_info(zone->file.data, &fi) == NGX_FILE_ERROR) {
        return (ngx_errno == NGX_ENOENT) ? "is missing" : "can't be read";
    }

    if (ngx_http_wassiit_journal_is_open(&journal)) {
        /* a change goes on */
        return NULL;
    }

    return (!journal.foreign
            && journal.dev == (uint64_t) fi.st_dev
            && journal.ino == (uint64_t) fi.st_ino
            && (journal.mtime == ngx_http_wassiit_file_mtime(&fi)
                || journal.dead))
           ? NULL : "was changed by another program: run nginx -t, then reload";
}


ngx_uint_t
ngx_http_wassiit_status_has_room(ngx_http_wassiit_status_t *status,
    size_t bytes)
{
    if ((size_t) status->text.size + bytes
        <= STATUS_ROOM * ngx_max(status->top, 100) / 100)
    {
        return 1;
    }

    status->truncated = 1;

    return 0;
}


void
ngx_http_wassiit_text_add(ngx_http_wassiit_text_t *text, const char *fmt, ...)
{
    u_char       *p;
    va_list       args;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = text->last ? text->last->buf : NULL;

    if (b == NULL || b->end - b->last < STATUS_PIECE) {
        cl = ngx_alloc_chain_link(text->pool);
        b = cl ? ngx_create_temp_buf(text->pool, STATUS_BUFFER) : NULL;

        if (b == NULL) {
            text->failed = 1;
            return;
        }

        cl->buf = b;
        cl->next = NULL;

        if (text->last) {
            text->last->next = cl;

        } else {
            text->first = cl;
        }

        text->last = cl;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(b->last, b->last + STATUS_PIECE, fmt, args);
    va_end(args);

    text->size += p - b->last;
    b->last = p;
}


static ngx_int_t
ngx_http_wassiit_status_send(ngx_http_wassiit_status_t *status,
    ngx_uint_t form)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = status->r;

    if (status->text.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    status->text.last->buf->last_buf = 1;
    status->text.last->buf->last_in_chain = 1;

    if (form == NGX_HTTP_WASSIIT_STATUS_PROMETHEUS) {
        ngx_str_set(&r->headers_out.content_type,
                    "text/plain; version=0.0.4; charset=utf-8");

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = status->text.size;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, status->text.first);
}
