
/*
 * What operators are shown of a zone: what the board and the zone know, as
 * JSON and as Prometheus reads it.
 */


#ifndef _NGX_HTTP_WASSIIT_STATUS_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_STATUS_H_INCLUDED_


#include "ngx_http_wassiit.h"


#define NGX_HTTP_WASSIIT_STATUS_JSON        0
#define NGX_HTTP_WASSIIT_STATUS_PROMETHEUS  1

/* partners that are shown: if not told, and at the most */
#define NGX_HTTP_WASSIIT_STATUS_TOP         100
#define NGX_HTTP_WASSIIT_STATUS_TOP_MAX     1000

/* partners that a request may ask for by their ids */
#define NGX_HTTP_WASSIIT_STATUS_IDS         20


/* text that is being written, in buffers of the request's */

typedef struct {
    ngx_pool_t                    *pool;
    ngx_chain_t                   *first;
    ngx_chain_t                   *last;
    off_t                          size;
    ngx_uint_t                     failed;  /* memory is short */
} ngx_http_wassiit_text_t;


/* a partner that is shown */

typedef struct {
    ngx_http_wassiit_board_id_t    id;
    u_char                         name_len;
    u_char                         enabled;
    u_char                         name[NGX_HTTP_WASSIIT_NAME_LEN];
    uint64_t                       allowed;
    uint64_t                       limited;
    uint64_t                       refused;
    uint32_t                       generation;
    ngx_wassiit_usage_t            usage;
} ngx_http_wassiit_shown_t;


/* what is shown */

typedef struct {
    ngx_http_request_t            *r;
    ngx_http_wassiit_zone_t       *zone;

    /* as asked for */
    ngx_uint_t                     top;
    ngx_uint_t                     top_max;
    ngx_uint_t                     nids;
    ngx_http_wassiit_board_id_t    ids[NGX_HTTP_WASSIIT_STATUS_IDS];

    ngx_http_wassiit_board_sums_t  sums;
    ngx_http_wassiit_refusal_t    *refusals;
    ngx_uint_t                     nrefusals;
    ngx_http_wassiit_shown_t      *shown;
    ngx_uint_t                     nshown;
    ngx_uint_t                     truncated;  /* more have asked of late */

    ngx_http_wassiit_text_t        text;
} ngx_http_wassiit_status_t;


/* a node of a cluster, as it is now */

typedef struct {
    ngx_str_t                     *state;
    ngx_str_t                      node;
    ngx_uint_t                     nodes;
    ngx_uint_t                     place;      /* 0: it has none yet */
    uint64_t                       rest;       /* ms that the session lasts */
    uint64_t                       answered;   /* Unix time, ms, of the
                                                  ledger's last answer; 0 */
    ngx_uint_t                     up;         /* Redis is connected */
    ngx_uint_t                     agrees;     /* with the other nodes */
    ngx_uint_t                     stale;      /* it lets no partner in */
    ngx_uint_t                     caps;       /* not the standing share */
    uint64_t                       behind;     /* entries of the log */
} ngx_http_wassiit_status_cluster_t;


/* what it counts: as JSON and Prometheus name it; the last name is NULL */

typedef struct {
    const char                    *name;
    const char                    *metric;
    size_t                         offset;
    const char                    *help;
} ngx_http_wassiit_status_count_t;

extern const ngx_http_wassiit_status_count_t  ngx_http_wassiit_status_counts[];

/* what each of NGX_HTTP_WASSIIT_BOARD_LOCKED and so on is called */
extern const char  *const
    ngx_http_wassiit_status_faults[NGX_HTTP_WASSIIT_BOARD_FAULTS];

/* wassiit_status's content handler. */
ngx_int_t ngx_http_wassiit_status_handler(ngx_http_request_t *r);

/*
 * Appends up to 2048 bytes, as by ngx_sprintf().  If memory is short, it sets
 * text->failed.
 */
void ngx_http_wassiit_text_add(ngx_http_wassiit_text_t *text, const char *fmt,
    ...);

/*
 * Is there room for so many bytes more?  A text has 64 KiB, and as much for
 * each hundred partners of top above the first.  If not, it is truncated.
 */
ngx_uint_t ngx_http_wassiit_status_has_room(ngx_http_wassiit_status_t *status,
    size_t bytes);

/*
 * Fills shown with the partner of this id.  Returns NGX_OK; NGX_DECLINED: there
 * is none.
 */
ngx_int_t ngx_http_wassiit_status_look(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_board_id_t *id, ngx_http_wassiit_shown_t *shown);

/* How much of its limit is used, 0 to the limit. */
#define ngx_http_wassiit_status_used(usage)                                  \
    ((usage)->used)

/*
 * What keeps the partners' file from being as the zone has it; NULL: nothing.
 * A text that stays.
 */
const char *ngx_http_wassiit_status_file(ngx_http_wassiit_zone_t *zone);

/* Returns NGX_OK and fills cluster; NGX_DECLINED: the zone has none. */
ngx_int_t ngx_http_wassiit_status_cluster(ngx_http_wassiit_status_t *status,
    ngx_http_wassiit_status_cluster_t *cluster);

/* One of those above, of a zone that has a cluster. */
uint64_t ngx_http_wassiit_status_count(ngx_http_wassiit_status_t *status,
    const ngx_http_wassiit_status_count_t *count);

/* Write what status has to its text. */
void ngx_http_wassiit_status_json(ngx_http_wassiit_status_t *status);
void ngx_http_wassiit_status_prometheus(ngx_http_wassiit_status_t *status);


#endif /* _NGX_HTTP_WASSIIT_STATUS_H_INCLUDED_ */
