
/*
 * The board of a zone: what operators are shown of it.  Counters of all that
 * was decided, who asked of late, who was refused last, and why.
 *
 * It lies in memory of its own beside the zone's, so all that an operator gives
 * a zone is the partners', and counters go on where a zone starts anew.  Nobody
 * locks.  A process counts in a place that no other one writes.  What several
 * write, ids of partners and the last refusals, is checked when it is read, and
 * what two have written at the same time is left out.
 */


#ifndef _NGX_HTTP_WASSIIT_BOARD_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_BOARD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_wassiit_epoch.h"
#include "ngx_http_wassiit_memory.h"
#include "ngx_http_wassiit_record.h"


/*
 * The number of the layout.  It isn't the zone's: counters go on where a new
 * program lays a zone out in another way.  Numbers of decisions, operations and
 * the like belong to it, as two programs may count in one board.
 */
#ifndef NGX_HTTP_WASSIIT_BOARD_LAYOUT
#define NGX_HTTP_WASSIIT_BOARD_LAYOUT       2
#endif

#define NGX_HTTP_WASSIIT_BOARD_DECISIONS    16

/* answers, by the first digit of their status and by whose they are */
#define NGX_HTTP_WASSIIT_BOARD_CLASSES      5
#define NGX_HTTP_WASSIIT_BOARD_SOURCES      3

/* upper bounds of durations; what is above them all is in one bucket more */
#define NGX_HTTP_WASSIIT_BOARD_BOUNDS       11
#define NGX_HTTP_WASSIIT_BOARD_BUCKETS      (NGX_HTTP_WASSIIT_BOARD_BOUNDS + 1)

#define NGX_HTTP_WASSIIT_BOARD_WEBHOOKS     6

/* changes of partners, by what they are and how they ended */
#define NGX_HTTP_WASSIIT_BOARD_OPERATIONS   9
#define NGX_HTTP_WASSIIT_BOARD_RESULTS      3

#define NGX_HTTP_WASSIIT_BOARD_FAULTS       4

/* the most that _active() and _refusals() give */
#define NGX_HTTP_WASSIIT_BOARD_ACTIVE       1024
#define NGX_HTTP_WASSIIT_BOARD_RECENT       256

/* who was chosen once is chosen for so long, in seconds */
#define NGX_HTTP_WASSIIT_BOARD_CHOSEN       3600

/* seconds in which it is enough to note once that someone asks */
#define NGX_HTTP_WASSIIT_BOARD_EPOCH        60

/* of so many requests, one is noted all the same: who asks often is found so */
#define NGX_HTTP_WASSIIT_BOARD_SAMPLE       64

/* bytes of a request's id */
#define NGX_HTTP_WASSIIT_BOARD_INSTANCE     16

/* the most bytes of what a refusal is about */
#define NGX_HTTP_WASSIIT_BOARD_ABOUT        70


/* whose an answer is */

enum {
    NGX_HTTP_WASSIIT_BOARD_MODULE = 0,      /* a refusal of ours */
    NGX_HTTP_WASSIIT_BOARD_NGINX,
    NGX_HTTP_WASSIIT_BOARD_UPSTREAM
};


/* what became of a webhook: in, then out */

enum {
    NGX_HTTP_WASSIIT_BOARD_VERIFIED = 0,
    NGX_HTTP_WASSIIT_BOARD_UNSIGNED,
    NGX_HTTP_WASSIIT_BOARD_FORGED,
    NGX_HTTP_WASSIIT_BOARD_SIGNED,
    NGX_HTTP_WASSIIT_BOARD_NO_SECRET,
    NGX_HTTP_WASSIIT_BOARD_NO_PARTNER
};


/* what kept a change from being made */

enum {
    NGX_HTTP_WASSIIT_BOARD_LOCKED = 0,
    NGX_HTTP_WASSIIT_BOARD_DISK,
    NGX_HTTP_WASSIIT_BOARD_BAD_LINE,
    NGX_HTTP_WASSIIT_BOARD_COMPACT
};


/* how a change ended */

enum {
    NGX_HTTP_WASSIIT_BOARD_DONE = 0,
    NGX_HTTP_WASSIIT_BOARD_REFUSED,
    NGX_HTTP_WASSIIT_BOARD_FAILED
};


/* what each process counts for itself; lines of its own */

typedef struct {
    uint64_t        sum;            /* of durations, ms */
    uint64_t        buckets[NGX_HTTP_WASSIIT_BOARD_BUCKETS];
    uint64_t        decisions[NGX_HTTP_WASSIIT_BOARD_DECISIONS];
    uint64_t        responses[NGX_HTTP_WASSIIT_BOARD_CLASSES]
                             [NGX_HTTP_WASSIIT_BOARD_SOURCES];
    uint64_t        webhooks[NGX_HTTP_WASSIIT_BOARD_WEBHOOKS];
} __attribute__((aligned(64))) ngx_http_wassiit_board_own_t;


/* what is counted so rarely that all may do it in one place */

typedef struct {
    uint64_t        changes[NGX_HTTP_WASSIIT_BOARD_OPERATIONS]
                           [NGX_HTTP_WASSIIT_BOARD_RESULTS];
    uint64_t        faults[NGX_HTTP_WASSIIT_BOARD_FAULTS];
} ngx_http_wassiit_board_rare_t;


/* all counters, summed up: a copy */

typedef struct {
    ngx_http_wassiit_board_own_t   own;
    ngx_http_wassiit_board_rare_t  rare;
    uint64_t                       since;   /* Unix time, ms */
    uint64_t                       uptime;  /* ms since then, by a clock that
                                               nobody sets */
} ngx_http_wassiit_board_sums_t;


/* the last refusal of a partner, or of those who are none */

typedef struct {
    uint64_t        time;           /* Unix time, ms */
    uint64_t        since;          /* ... of the first of count */
    uint32_t        count;          /* refusals in a row with this decision */
    uint32_t        generation;     /* which partner of its id; of those who are
                                       none: the decision */
    u_char          decision;       /* its number, not 0 */
    u_char          id_len;         /* 0: of those who are none */
    u_char          has_instance;
    u_char          instance[NGX_HTTP_WASSIIT_BOARD_INSTANCE];
    u_char          id[NGX_HTTP_WASSIIT_ID_LEN];
    u_char          about_len;
    u_char          about[NGX_HTTP_WASSIIT_BOARD_ABOUT];
} ngx_http_wassiit_refusal_t;


/* a partner, by its id */

typedef struct {
    u_char          len;
    u_char          id[NGX_HTTP_WASSIIT_ID_LEN];
} ngx_http_wassiit_board_id_t;


typedef struct ngx_http_wassiit_board_sh_s  ngx_http_wassiit_board_sh_t;

typedef struct {
    ngx_http_wassiit_memory_t     *memory;  /* NULL: it isn't mapped */
    ngx_http_wassiit_board_sh_t   *sh;
    ngx_http_wassiit_board_own_t  *own;     /* NULL: in the place of all those
                                               who have none */
    time_t                         noted[NGX_HTTP_WASSIIT_BOARD_DECISIONS];
                                            /* by this process, of strangers */
    ngx_uint_t                     requests;    /* of partners, in it */
} ngx_http_wassiit_board_t;


/*
 * Gives a zone of this name its board: that of former, if it isn't NULL; else,
 * if inherited is 1, what the program whose place this one takes has of that
 * name and of this layout; else a new one.  Returns NGX_OK; NGX_ERROR, which is
 * logged.
 */
ngx_int_t ngx_http_wassiit_board_map(ngx_http_wassiit_board_t *board,
    ngx_str_t *name, ngx_http_wassiit_board_t *former, ngx_uint_t inherited,
    ngx_log_t *log);

/* Takes its memory from a board that isn't used in this process any more. */
void ngx_http_wassiit_board_unmap(ngx_http_wassiit_board_t *board);

/*
 * Gives the calling thread a place to count in until it ends, if there is one
 * left.  A thread that hasn't joined counts in the place of all such.
 */
void ngx_http_wassiit_board_join(ngx_http_wassiit_board_t *board);

/*
 * Counts a request: its decision, less than NGX_HTTP_WASSIIT_BOARD_DECISIONS;
 * the status that it was answered with, 0: none; whose the answer is; and how
 * long it took, in milliseconds.
 */
void ngx_http_wassiit_board_count(ngx_http_wassiit_board_t *board,
    ngx_uint_t decision, ngx_uint_t status, ngx_uint_t source, uint64_t ms);

/* Counts a webhook, NGX_HTTP_WASSIIT_BOARD_VERIFIED or another. */
void ngx_http_wassiit_board_webhook(ngx_http_wassiit_board_t *board,
    ngx_uint_t result);

/* Counts a change of partners: its operation's number, and how it ended. */
void ngx_http_wassiit_board_change(ngx_http_wassiit_board_t *board,
    ngx_uint_t operation, ngx_uint_t result);

/* Counts what kept a change from being made. */
void ngx_http_wassiit_board_fault(ngx_http_wassiit_board_t *board,
    ngx_uint_t fault);

/*
 * Sums up what was counted.  No sum is ever less than one that was given
 * before, by any process.
 */
void ngx_http_wassiit_board_sums(ngx_http_wassiit_board_t *board,
    ngx_http_wassiit_board_sums_t *sums);

/* The upper bounds of durations, in milliseconds. */
extern const uint32_t
    ngx_http_wassiit_board_bounds[NGX_HTTP_WASSIIT_BOARD_BOUNDS];

/*
 * Notes that the partner with this id asks at now, Unix time in ms: to be
 * called for the first request that it makes in NGX_HTTP_WASSIIT_BOARD_EPOCH
 * seconds, and for one of NGX_HTTP_WASSIIT_BOARD_SAMPLE, whosever it is.
 */
void ngx_http_wassiit_board_asked(ngx_http_wassiit_board_t *board, u_char *id,
    size_t len, uint64_t now);

/*
 * Fills ids with the partners that have asked since that time, Unix time in ms,
 * as is now, the last first: most at the most, and at most
 * NGX_HTTP_WASSIIT_BOARD_ACTIVE.  What is later than now counts as old.
 * Sets *truncated to 1 if there were more of them, else to 0.  Returns how
 * many.
 */
ngx_uint_t ngx_http_wassiit_board_active(ngx_http_wassiit_board_t *board,
    uint64_t since, uint64_t now, ngx_http_wassiit_board_id_t *ids,
    ngx_uint_t most, ngx_uint_t *truncated);

/*
 * Anyone may ask without a key, and that is refused often: once a second and
 * process it is enough to note one.  Returns 1, once, if at now, Unix seconds,
 * the refusal of a stranger by this decision is to be noted.
 */
ngx_uint_t ngx_http_wassiit_board_is_due(ngx_http_wassiit_board_t *board,
    ngx_uint_t decision, time_t now);

/*
 * Notes a refusal: all of it is set but since and count.  As the partner's last
 * it is known until thousands of others have been refused.
 */
void ngx_http_wassiit_board_refused(ngx_http_wassiit_board_t *board,
    ngx_http_wassiit_refusal_t *refusal);

/*
 * The last refusal of the partner with this id and generation.  Returns NGX_OK
 * and fills refusal; NGX_DECLINED: none is known.
 */
ngx_int_t ngx_http_wassiit_board_last(ngx_http_wassiit_board_t *board,
    u_char *id, size_t len, uint32_t generation,
    ngx_http_wassiit_refusal_t *refusal);

/*
 * Fills refusals with the last ones, of each partner one, that are of the time
 * since, or later, Unix time in ms as is now: at most
 * NGX_HTTP_WASSIIT_BOARD_RECENT, the newest first.  What is later than now
 * counts as old.  Returns how many.
 */
ngx_uint_t ngx_http_wassiit_board_refusals(ngx_http_wassiit_board_t *board,
    uint64_t since, uint64_t now, ngx_http_wassiit_refusal_t *refusals);

/*
 * Notes that a partner was chosen at now, Unix seconds, to be told of.  If
 * NGX_HTTP_WASSIIT_BOARD_ACTIVE others are, it isn't noted.
 */
void ngx_http_wassiit_board_choose(ngx_http_wassiit_board_t *board,
    u_char *id, size_t len, time_t now);

/*
 * Fills ids with those that were chosen in the time before now, in no order;
 * at most NGX_HTTP_WASSIIT_BOARD_ACTIVE.  Returns how many.
 */
ngx_uint_t ngx_http_wassiit_board_chosen(ngx_http_wassiit_board_t *board,
    time_t now, ngx_http_wassiit_board_id_t *ids);


#endif /* _NGX_HTTP_WASSIIT_BOARD_H_INCLUDED_ */
