
/*
 * How a board lies in shared memory: for those who count in it and those who
 * note partners in it, and for no one else.
 */


#ifndef _NGX_HTTP_WASSIIT_BOARD_SH_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_BOARD_SH_H_INCLUDED_


#include "ngx_wassiit_atomic.h"
#include "ngx_http_wassiit_board.h"


/* processes that count in a place of their own; others share one */
#define BOARD_PROCESSES     64

/*
 * Who asks and who is refused lie in sets, by a hash of the partner; the oldest
 * of a set goes.
 */
#define BOARD_SETS          512
#define BOARD_WAYS          8
#define BOARD_PLACES        (BOARD_SETS * BOARD_WAYS)


/* who asks; what each request looks at lies together */

typedef struct {
    uint64_t                        whose[BOARD_WAYS];  /* or 0; set last */
    uint64_t                        time[BOARD_WAYS];   /* Unix time, ms */
    ngx_http_wassiit_board_id_t     id[BOARD_WAYS];
} __attribute__((aligned(64))) ngx_http_wassiit_board_set_t;


/* who is chosen */

typedef struct {
    uint64_t                        whose;              /* or 0; set last */
    uint64_t                        until;              /* Unix seconds */
    ngx_http_wassiit_board_id_t     id;
} ngx_http_wassiit_board_cell_t;


/* the last refusal of a partner, or of those who are none */

typedef struct {
    uint64_t        whose;      /* or 0; set last */
    uint64_t        time;       /* Unix time, ms */
    uint64_t        since;
    uint32_t        count;
    uint32_t        decision;
    uint64_t        instance[2];
    uint64_t        check;      /* of all but since and count */
    u_char          id_len;
    u_char          id[NGX_HTTP_WASSIIT_ID_LEN];
    u_char          about_len;
    u_char          about[NGX_HTTP_WASSIIT_BOARD_ABOUT];
} __attribute__((aligned(64))) ngx_http_wassiit_board_refusal_t;


struct ngx_http_wassiit_board_sh_s {
    ngx_http_wassiit_memory_head_t    head;

    uint64_t                          since;    /* Unix time, ms */
    uint64_t                          dropped;  /* when one had asked that was
                                                   written over last */

    ngx_http_wassiit_board_rare_t     rare;
    ngx_http_wassiit_board_own_t      shared;   /* of who has no place */
    ngx_http_wassiit_board_own_t      own[BOARD_PROCESSES];

    ngx_http_wassiit_board_set_t      active[BOARD_SETS];
    ngx_http_wassiit_board_cell_t     chosen[NGX_HTTP_WASSIIT_BOARD_ACTIVE];

    ngx_http_wassiit_board_refusal_t  refusals[BOARD_PLACES];

    /* whose place is whose: who has a slot has the place of its number */
    union {
        ngx_wassiit_epoch_t           slots;
        u_char                        room[
                                   ngx_wassiit_epoch_size(BOARD_PROCESSES)];
    } processes __attribute__((aligned(64)));
};


#endif /* _NGX_HTTP_WASSIIT_BOARD_SH_H_INCLUDED_ */
