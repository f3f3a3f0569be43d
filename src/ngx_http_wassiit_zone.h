
/*
 * A zone: the shared memory in which all workers see the partners, their
 * keys, windows and counters.
 *
 * Those who look up, take and count neither lock nor allocate.  Only those
 * who change partners hold the mutex of the slab pool.
 */


#ifndef _NGX_HTTP_WASSIIT_ZONE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_store.h"


typedef struct ngx_http_wassiit_zone_sh_s  ngx_http_wassiit_zone_sh_t;


typedef struct {
    ngx_str_t                     name;
    ngx_str_t                     file;
    ngx_wassiit_rate_t            rate;     /* of partners without one */
    ngx_shm_zone_t               *shm_zone; /* NULL: not declared yet */
    ngx_http_wassiit_store_t     *store;    /* read, to be loaded */
    ngx_http_wassiit_zone_sh_t   *sh;
    ngx_slab_pool_t              *shpool;
    size_t                        spare;    /* units that no load needs */
    unsigned                      tight:1;  /* room only when some have gone */
    unsigned                      empty:1;  /* nothing is to be found yet */

    /* where it was first named in the configuration */
    u_char                       *conf_file;
    ngx_uint_t                    conf_line;
} ngx_http_wassiit_zone_t;


/* the most bytes that the names of a partner and of its key take */
#define NGX_HTTP_WASSIIT_NAMES_LEN                                           \
    (2 * NGX_HTTP_WASSIIT_ID_LEN + NGX_HTTP_WASSIIT_NAME_LEN)


/* what a request learns of the owner of its key; a copy, its own */

typedef struct {
    uint64_t                      serial;
    uint64_t                      scopes;
    int64_t                       created;  /* of the key: Unix seconds */
    int64_t                       expires;  /* of the key: Unix seconds */
    uint32_t                      unit;

    unsigned                      enabled:1;
    unsigned                      hmac:1;   /* it has a secret */
    unsigned                      id_len:8;
    unsigned                      key_id_len:8;
    unsigned                      name_len:8;

    /* one behind another: the partner's id, the key's, the partner's name */
    u_char                       *names;
} ngx_http_wassiit_partner_t;


/* what is counted for each partner */

enum {
    NGX_HTTP_WASSIIT_COUNT_ALLOWED = 0,
    NGX_HTTP_WASSIIT_COUNT_REFUSED,
    NGX_HTTP_WASSIIT_COUNT_LIMITED,
    NGX_HTTP_WASSIIT_COUNT_LIMITED_DRY_RUN,
    NGX_HTTP_WASSIIT_COUNTS
};


/*
 * The ngx_shm_zone_init_pt of a zone; shm_zone->data is our zone, data the
 * zone of the configuration before if its memory is kept.  Lays out new
 * memory; memory that is kept stays as it is.  Returns NGX_ERROR, and logs
 * why, if the partners that were read wouldn't fit.
 */
ngx_int_t ngx_http_wassiit_zone_init(ngx_shm_zone_t *shm_zone, void *data);

/*
 * Makes the zone hold exactly the partners of zone->store.  Windows and
 * counters of those that stay are kept.  To be called when nothing can make
 * the new configuration fail any more.
 */
void ngx_http_wassiit_zone_load(ngx_http_wassiit_zone_t *zone,
    ngx_log_t *log);

/*
 * Ask for the memory that a look-up of the digest reads: first for its place
 * in the index, and, some time later, for what it most likely leads to.
 */
void ngx_http_wassiit_zone_prefetch(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN]);
void ngx_http_wassiit_zone_prefetch_found(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN]);

/*
 * Looks a key up by its digest.  Returns NGX_OK and fills partner and the
 * NGX_HTTP_WASSIIT_NAMES_LEN bytes at most that partner->names points to,
 * whatever the key's times and the partner's state; NGX_DECLINED: no one has
 * it.  hmac, if not NULL, is filled where partner->hmac is set then; the
 * caller wipes it.
 */
ngx_int_t ngx_http_wassiit_zone_find(ngx_http_wassiit_zone_t *zone,
    const u_char digest[NGX_WASSIIT_DIGEST_LEN],
    ngx_http_wassiit_partner_t *partner, ngx_wassiit_hmac_key_t *hmac);

/*
 * The key that webhooks to the partner with this id are signed with, which
 * the caller wipes.  Returns NGX_OK and fills key; NGX_DECLINED: there is no
 * such partner; NGX_ABORT: it has no webhook secret.
 */
ngx_int_t ngx_http_wassiit_zone_webhook(ngx_http_wassiit_zone_t *zone,
    ngx_str_t *id, ngx_wassiit_hmac_key_t *key);

/*
 * Tries to admit one request of the partner by its window.  Returns NGX_OK
 * or NGX_DECLINED and fills usage; NGX_ERROR: the partner is gone.
 */
ngx_int_t ngx_http_wassiit_zone_take(ngx_http_wassiit_zone_t *zone,
    const ngx_http_wassiit_partner_t *partner, ngx_wassiit_usage_t *usage);

/* Adds one to a counter of the partner, if it is still there. */
void ngx_http_wassiit_zone_count(ngx_http_wassiit_zone_t *zone,
    const ngx_http_wassiit_partner_t *partner, ngx_uint_t counter);


#endif /* _NGX_HTTP_WASSIIT_ZONE_H_INCLUDED_ */
