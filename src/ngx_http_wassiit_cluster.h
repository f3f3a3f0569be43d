
/* What a cluster's files share: a node in one worker, calls and answers. */


#ifndef _NGX_HTTP_WASSIIT_CLUSTER_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CLUSTER_H_INCLUDED_


#include "ngx_http_wassiit.h"
#include "ngx_http_wassiit_caps.h"
#include "ngx_http_wassiit_redis.h"


#define NGX_HTTP_WASSIIT_NODE_LEN       64

/* partners in one call */
#define NGX_HTTP_WASSIIT_BATCH          64

/* what calls have in common, which is a few short words */
#define NGX_HTTP_WASSIIT_COMMON_LEN     512


/* what wassiit_cluster says */

typedef struct {
    ngx_http_wassiit_zone_t        *zone;
    ngx_http_wassiit_redis_conf_t  *redis;
    ngx_str_t                       node;
    ngx_uint_t                      nodes;
    ngx_uint_t                      share;      /* in 1/1000 */
    ngx_msec_t                      lease;
    ngx_uint_t                      wait;
    ngx_msec_t                      timeout;
    ngx_uint_t                      cold;       /* share before Redis is met */
    ngx_msec_t                      stale;      /* 0: off */
    ngx_uint_t                      replicas;   /* that have what counts */
    u_char                         *seal;       /* a key; NULL: partners'
                                                   lines lie there in clear */
    ngx_str_t                       check;      /* which key that is */
    u_char                         *conf_file;
    ngx_uint_t                      conf_line;
} ngx_http_wassiit_cluster_conf_t;


typedef struct ngx_http_wassiit_adjust_s  ngx_http_wassiit_adjust_t;
typedef struct ngx_http_wassiit_park_s    ngx_http_wassiit_park_t;
typedef struct ngx_http_wassiit_replica_s  ngx_http_wassiit_replica_t;


/* of a zone, in one worker */

typedef struct ngx_http_wassiit_cluster_s  ngx_http_wassiit_cluster_t;

struct ngx_http_wassiit_cluster_s {
    ngx_http_wassiit_cluster_t     *next;
    ngx_http_wassiit_cluster_conf_t  *conf;
    ngx_http_wassiit_zone_t        *zone;
    ngx_log_t                      *log;
    ngx_http_wassiit_redis_t       *redis;      /* for calls */
    ngx_http_wassiit_redis_t       *ears;       /* for messages; NULL */
    ngx_str_t                       keys[2];
    ngx_event_t                     tick;
    ngx_connection_t                dummy;      /* the tick's, for its log */
    uint64_t                        began;      /* all times: zone_clock() */

    /* the leader's */
    uint64_t                        asked;      /* a call under way; or 0 */
    uint64_t                        renewed;    /* when it was made last */
    uint64_t                        told;       /* when "last" was */
    uint64_t                        swept;
    uint32_t                        at;         /* entries swept, restated */
    uint32_t                        caps;       /* found in this sweep */
    uint32_t                        heard;      /* the place that ears are of */
    ngx_uint_t                      has;        /* what is told of it */
    ngx_uint_t                      shown;      /* the state logged last */
    u_char                          scan[24];   /* position in Redis */
    u_char                          last[NGX_HTTP_WASSIIT_CLAIMS_NAME];
                                                /* entry of the log */
    u_char                          sid[NGX_HTTP_WASSIIT_CLAIMS_NAME];
                                                /* of a session to be begun */
    unsigned                        leads:1;
    unsigned                        lost:1;     /* what was above the share
                                                   is to be lowered */
    unsigned                        done:1;     /* all are told, with this */
    unsigned                        strange:2;  /* others share otherwise:
                                                   what was logged of it */
    unsigned                        quits:1;
    unsigned                        soon:1;     /* the next tick is */
    unsigned                        stale:1;    /* and that is logged */

    ngx_http_wassiit_adjust_t      *adjust;     /* adjust.c's */
    ngx_http_wassiit_park_t        *park;       /* park.c's */
    ngx_http_wassiit_replica_t     *replica;    /* replica.c's */

    /* park.c's: the ledger has answered for the partner; hopeless: nobody has
       anything */
    void                          (*answered)(
                                       ngx_http_wassiit_cluster_t *cluster,
                                       ngx_str_t *id, ngx_uint_t hopeless);
};


/* the beginning of all answers */

typedef struct {
    ngx_wassiit_resp_t              resp;       /* on the last of these */
    ngx_str_t                       word;
    uint64_t                        now;        /* ms of the ledger's clock */
    uint64_t                        epoch;
    ngx_uint_t                      n;          /* elements after them */
} ngx_http_wassiit_answer_head_t;


/* One more of this process, and the first of them; see next. */
void ngx_http_wassiit_cluster_add(ngx_http_wassiit_cluster_t *cluster);
ngx_http_wassiit_cluster_t *ngx_http_wassiit_cluster_first(void);

/* That of the zone in this worker; NULL: it has none. */
ngx_http_wassiit_cluster_t *ngx_http_wassiit_cluster_of(
    ngx_http_wassiit_zone_t *zone);

/* A node's state, as $wassiit_cluster says it; all of them, the last NULL. */
ngx_str_t *ngx_http_wassiit_cluster_state(ngx_http_wassiit_zone_t *zone);
ngx_str_t *ngx_http_wassiit_cluster_state_name(ngx_uint_t n);

/* Sets cluster->keys.  Returns NGX_OK, or NGX_ERROR: memory is short. */
ngx_int_t ngx_http_wassiit_cluster_name(ngx_http_wassiit_cluster_t *cluster,
    ngx_pool_t *pool);

/*
 * Waits until the replicas that the configuration asks for have all that was
 * written on this connection, for so many milliseconds at the most.  To be
 * called while an answer is handled, as another connection knows nothing of
 * it.  The handler gets how many have it; see is_copied().  Returns as
 * ngx_http_wassiit_redis_call().
 */
ngx_int_t ngx_http_wassiit_cluster_copy(ngx_http_wassiit_redis_t *redis,
    ngx_uint_t replicas, ngx_msec_t patience,
    ngx_http_wassiit_redis_pt handler, void *data);
ngx_uint_t ngx_http_wassiit_cluster_is_copied(ngx_wassiit_resp_t *reply,
    ngx_uint_t replicas);

/* ms that the leader waits for an answer; one that isn't there won't come */
ngx_msec_t ngx_http_wassiit_cluster_patience(
    ngx_http_wassiit_cluster_t *cluster);

/* The leader has something to say at once. */
void ngx_http_wassiit_cluster_now(ngx_http_wassiit_cluster_t *cluster);

/*
 * The keys that all calls begin with; others may follow.  Then the arguments
 * that most calls have in common, which lie in buf: the verb, and what is the
 * same for all of them.
 */
#define NGX_HTTP_WASSIIT_COMMON         2

void ngx_http_wassiit_cluster_keys(ngx_http_wassiit_cluster_t *cluster,
    ngx_str_t keys[2]);
void ngx_http_wassiit_cluster_common(ngx_http_wassiit_cluster_t *cluster,
    const char *verb, ngx_str_t args[NGX_HTTP_WASSIIT_COMMON],
    u_char buf[NGX_HTTP_WASSIIT_COMMON_LEN]);

/*
 * Reads what all answers begin with.  Returns NGX_OK; NGX_ERROR: it is none,
 * which is logged.
 */
ngx_int_t ngx_http_wassiit_cluster_read(ngx_http_wassiit_cluster_t *cluster,
    ngx_wassiit_resp_t *reply, ngx_http_wassiit_answer_head_t *head);


#endif /* _NGX_HTTP_WASSIIT_CLUSTER_H_INCLUDED_ */
