
#include "ngx_http_wassiit_offer.h"


#define OFFER_TIMEOUT       5000        /* of a call, milliseconds */

/* partners of a page, where lines are short, and at the least */
#define OFFER_MOST          100
#define OFFER_LEAST         5


typedef struct {
    ngx_str_t                     id;
    uint64_t                      rev;
    ngx_uint_t                    lacks;        /* Redis, this line */
} ngx_http_wassiit_offer_partner_t;


static ngx_int_t ngx_http_wassiit_offer_page(ngx_http_wassiit_offer_t *offer);
static ngx_int_t ngx_http_wassiit_offer_visit(ngx_http_wassiit_info_t *info,
    void *data);
static void ngx_http_wassiit_offer_read(ngx_wassiit_resp_t *reply, void *data);
static ngx_uint_t ngx_http_wassiit_offer_lacks(ngx_http_wassiit_offer_t *offer,
    ngx_http_wassiit_offer_partner_t *partner, ngx_str_t *value);
static void ngx_http_wassiit_offer_next(ngx_http_wassiit_offer_t *offer);
static void ngx_http_wassiit_offer_taken(ngx_http_wassiit_job_t *job,
    void *data);
static void ngx_http_wassiit_offer_end(ngx_http_wassiit_offer_t *offer,
    ngx_int_t rc);


ngx_int_t
ngx_http_wassiit_offer(ngx_http_wassiit_offer_t *offer)
{
    ngx_int_t  rc;

    if (offer->page) {
        return NGX_OK;
    }

    if (offer->count == 0) {
        offer->count = OFFER_MOST;
    }

    offer->last_len = 0;

    rc = ngx_http_wassiit_offer_page(offer);

    if (rc == NGX_DONE) {
        ngx_http_wassiit_offer_end(offer, NGX_OK);
        return NGX_OK;
    }

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (offer->page) {
        ngx_destroy_pool(offer->page);
        offer->page = NULL;
    }

    return NGX_DECLINED;
}


/* Asks for the next partners.  NGX_DONE: there are none. */

static ngx_int_t
ngx_http_wassiit_offer_page(ngx_http_wassiit_offer_t *offer)
{
    ngx_str_t                          id, *args;
    ngx_uint_t                         i, n;
    ngx_http_wassiit_offer_partner_t  *partner;

    if (offer->page) {
        ngx_destroy_pool(offer->page);
    }

    offer->at = 0;
    offer->page = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    if (offer->page == NULL
        || ngx_array_init(&offer->partners, offer->page, offer->count,
                          sizeof(ngx_http_wassiit_offer_partner_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    id.data = offer->last;
    id.len = offer->last_len;

    (void) ngx_http_wassiit_zone_walk(offer->zone, &id, offer->count,
                                      ngx_http_wassiit_offer_visit, offer);

    partner = offer->partners.elts;
    n = offer->partners.nelts;

    args = ngx_palloc(offer->page, (n + 2) * sizeof(ngx_str_t));
    if (args == NULL) {
        return NGX_ERROR;
    }

    ngx_str_set(&args[0], "HMGET");
    ngx_http_wassiit_follow_key(offer->zone, offer->page, "p", &args[1]);

    if (args[1].data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        args[2 + i] = partner[i].id;
    }

    if (n == 0) {
        return NGX_DONE;
    }

    offer->last_len = partner[n - 1].id.len;
    ngx_memcpy(offer->last, partner[n - 1].id.data, offer->last_len);

    return ngx_http_wassiit_redis_call(offer->redis, args, n + 2,
                                       OFFER_TIMEOUT,
                                       ngx_http_wassiit_offer_read, offer);
}


static ngx_int_t
ngx_http_wassiit_offer_visit(ngx_http_wassiit_info_t *info, void *data)
{
    ngx_http_wassiit_offer_t *offer = data;

    ngx_http_wassiit_offer_partner_t  *partner;

    partner = ngx_array_push(&offer->partners);
    if (partner == NULL) {
        return NGX_ERROR;
    }

    partner->rev = info->rev;
    partner->lacks = 0;
    partner->id.len = info->id_len;
    partner->id.data = ngx_pnalloc(offer->page, info->id_len);

    if (partner->id.data == NULL) {
        offer->partners.nelts--;
        return NGX_ERROR;
    }

    ngx_memcpy(partner->id.data, info->id, info->id_len);

    return NGX_OK;
}


static void
ngx_http_wassiit_offer_read(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_offer_t *offer = data;

    ngx_str_t                          value;
    ngx_uint_t                         i;
    ngx_http_wassiit_offer_partner_t  *partner;

    if (reply == NULL) {
        /* perhaps it was longer than a reply may be */
        offer->count = ngx_max(offer->count / 4, OFFER_LEAST);
    }

    if (reply == NULL || reply->type != NGX_WASSIIT_RESP_ARRAY
        || reply->count != offer->partners.nelts)
    {
        ngx_http_wassiit_offer_end(offer, NGX_ERROR);
        return;
    }

    partner = offer->partners.elts;

    for (i = 0; i < offer->partners.nelts; i++) {

        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            ngx_http_wassiit_offer_end(offer, NGX_ERROR);
            return;
        }

        value = reply->text;

        partner[i].lacks = (reply->type == NGX_WASSIIT_RESP_NIL
                            || ngx_http_wassiit_offer_lacks(offer, &partner[i],
                                                            &value));

        if (partner[i].lacks && partner[i].rev == NGX_HTTP_WASSIIT_REV_MAX) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "the line of partner \"%V\" in \"%V\" has the "
                          "highest rev that there is: the cluster can't take "
                          "it", &partner[i].id, &offer->zone->file);
            partner[i].lacks = 0;
        }
    }

    ngx_http_wassiit_offer_next(offer);
}


static ngx_uint_t
ngx_http_wassiit_offer_lacks(ngx_http_wassiit_offer_t *offer,
    ngx_http_wassiit_offer_partner_t *partner, ngx_str_t *value)
{
    uint64_t    rev;
    ngx_str_t   line;
    ngx_uint_t  differs;

    if (ngx_http_wassiit_follow_value(value, &rev, &line) != NGX_OK
        || rev < partner->rev)
    {
        return 1;
    }

    if (ngx_http_wassiit_follow_open(offer->seal, offer->page, &partner->id,
                                     &line)
        != NGX_OK)
    {
        /* who follows reports it */
        return 0;
    }

    differs = ngx_http_wassiit_follow_differs(offer->zone, offer->wmcf,
                                              &partner->id, partner->rev,
                                              &line);

    if (offer->seal) {
        ngx_explicit_memzero(line.data, line.len);
    }

    /* one that is newer there is made here as a change that was faster */

    return differs;
}


/* Offers what Redis lacks of the page, one after another, and goes on. */

static void
ngx_http_wassiit_offer_next(ngx_http_wassiit_offer_t *offer)
{
    ngx_int_t                          rc;
    ngx_http_wassiit_offer_partner_t  *partner;

    partner = offer->partners.elts;

    while (offer->at < offer->partners.nelts && !partner[offer->at].lacks) {
        offer->at++;
    }

    if (offer->at < offer->partners.nelts) {
        partner = &partner[offer->at++];

        if (ngx_http_wassiit_job_offer(offer->zone, offer->wmcf, &partner->id,
                                       ngx_http_wassiit_offer_taken, offer)
            != NGX_OK)
        {
            ngx_http_wassiit_offer_end(offer, NGX_ERROR);
        }

        return;
    }

    rc = ngx_http_wassiit_offer_page(offer);

    if (rc != NGX_OK) {
        ngx_http_wassiit_offer_end(offer, rc == NGX_DONE ? NGX_OK : NGX_ERROR);
    }
}


static void
ngx_http_wassiit_offer_taken(ngx_http_wassiit_job_t *job, void *data)
{
    ngx_http_wassiit_offer_t *offer = data;

    switch (job->changed) {

    case NGX_HTTP_WASSIIT_CHANGED:
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "the cluster has taken the line of partner \"%V\" in "
                      "\"%V\"", &job->change.id, &offer->zone->file);
        break;

    case NGX_HTTP_WASSIIT_CHANGE_RIVALS:
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "the cluster has a newer line of partner \"%V\" than "
                      "\"%V\": that one counts", &job->change.id,
                      &offer->zone->file);
        break;

    case NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER:
    case NGX_HTTP_WASSIIT_CHANGE_BAD_LINE:
    case NGX_HTTP_WASSIIT_CHANGE_ZONE_FULL:
        /* it is logged, and must not stop all others */
        break;

    default:
        ngx_http_wassiit_offer_end(offer, NGX_ERROR);
        return;
    }

    ngx_http_wassiit_offer_next(offer);
}


static void
ngx_http_wassiit_offer_end(ngx_http_wassiit_offer_t *offer, ngx_int_t rc)
{
    if (offer->page) {
        ngx_destroy_pool(offer->page);
        offer->page = NULL;
    }

    offer->done(offer, rc);
}
