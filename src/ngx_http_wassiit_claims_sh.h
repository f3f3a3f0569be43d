
/*
 * How claims lie in shared memory: for those who keep them and those who raise
 * and lower caps by them, and for no one else.
 */


#ifndef _NGX_HTTP_WASSIIT_CLAIMS_SH_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CLAIMS_SH_H_INCLUDED_


#include "ngx_wassiit_atomic.h"
#include "ngx_http_wassiit_claims.h"
#include "ngx_http_wassiit_record_id.h"


/* entries of partners with one hash lie in a set */
#define CLAIMS_WAYS             8

/* sets with one mark: none of them has an entry, as long as it is 0 */
#define CLAIMS_GROUP            64

/* of an entry */
#define CLAIMS_STANDING         0x01    /* the ledger counts the standing
                                           share, as for who has no entry */
#define CLAIMS_NEEDED           0x02    /* another was short meanwhile */
#define CLAIMS_LESS             0x10    /* lowered, and not told yet */
#define CLAIMS_FULL             0x04    /* nobody has any, until "pause" */
#define CLAIMS_TOLD             0x08    /* the ledger counts what it was told
                                           or has granted, whatever the rate */


typedef struct {
    uint64_t                        whose;      /* a hash, set last; or 0 */
    uint64_t                        seq;        /* of the last call */
    uint64_t                        asked;      /* when it was made; 0: it was
                                                   answered */
    uint64_t                        seen;       /* when one was short last */
    uint64_t                        pause;      /* no claim before */
    uint32_t                        backoff;    /* microseconds */
    uint32_t                        ahead;      /* that are to be free */
    uint32_t                        tries;      /* halved with each sweep */
    uint32_t                        pool;       /* what the ledger had left */
    uint32_t                        limit;      /* that was told last */
    uint32_t                        stood;      /* seconds: the standing share
                                                   since then */
    u_char                          flags;
    u_char                          id_len;
    u_char                          id[NGX_HTTP_WASSIIT_ID_LEN];
} __attribute__((aligned(64))) ngx_http_wassiit_entry_t;


typedef struct {
    ngx_http_wassiit_entry_t        ways[CLAIMS_WAYS];
} ngx_http_wassiit_claims_set_t;


typedef struct {
    ngx_wassiit_robust_t            mutex;
} __attribute__((aligned(64))) ngx_http_wassiit_claims_lock_t;


struct ngx_http_wassiit_claims_sh_s {
    ngx_http_wassiit_memory_head_t  head;

    /* what each request reads: a line */
    uint64_t                        calm;
    uint64_t                        fresh;      /* partners, as of then */
    uint32_t                        sets;
    uint32_t                        nodes;
    uint32_t                        share;

    uint64_t                        seq         /* the last one given */
                                    __attribute__((aligned(64)));
    uint64_t                        workers;    /* that use it */
    uint32_t                        over;       /* another table is in use */

    ngx_http_wassiit_claims_lead_t  lead __attribute__((aligned(64)));
    ngx_http_wassiit_claims_lock_t  leads;
    ngx_http_wassiit_claims_lock_t  locks[NGX_HTTP_WASSIIT_CLAIMS_LOCKS];

    ngx_http_wassiit_claims_set_t   set[]  __attribute__((aligned(64)));
    /* and behind them, a byte for each group of sets, its mark */
};


/* The mark of a set's group; it is set before an entry, and stays. */

static ngx_inline u_char *
ngx_http_wassiit_claims_mark(ngx_http_wassiit_claims_sh_t *sh, uint32_t set)
{
    return (u_char *) &sh->set[sh->sets] + set / CLAIMS_GROUP;
}


/* The set that a partner's entry lies in, and how that is marked. */
ngx_http_wassiit_claims_set_t *ngx_http_wassiit_claims_set(
    ngx_http_wassiit_claims_sh_t *sh, ngx_str_t *id, uint64_t *whose);

/* The partner's entry; NULL: it has none. */
ngx_http_wassiit_entry_t *ngx_http_wassiit_claims_find(
    ngx_http_wassiit_claims_set_t *set, ngx_str_t *id, uint64_t whose);

/*
 * Locks the entries of a set, and waits for so many milliseconds at the most.
 * Returns the lock, to be unlocked; NULL: another process has it for longer.
 */
ngx_wassiit_robust_t *ngx_http_wassiit_claims_take_lock(
    ngx_http_wassiit_claims_sh_t *sh, ngx_http_wassiit_claims_set_t *set,
    ngx_uint_t patience);

/* Do requests of a partner with this standing share wait?  1 or 0. */
ngx_uint_t ngx_http_wassiit_claims_is_waited(
    ngx_http_wassiit_claims_t *claims, uint32_t standing);


#endif /* _NGX_HTTP_WASSIIT_CLAIMS_SH_H_INCLUDED_ */
