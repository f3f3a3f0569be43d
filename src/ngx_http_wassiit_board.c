
/*
 * Partners are noted in cells: a word that says whose a cell is, and the id
 * itself.  Who writes a cell sets the word to 0 first and at the end to a hash
 * of the id, so a cell of which two have written parts belongs to nobody, and
 * is written over by the next one.
 */


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

/* ms that processes' clocks may be apart; what is later is of a wrong clock */
#define BOARD_SKEW          10000

/* cells that are looked at for one that is chosen */
#define BOARD_PROBES        16

/* twice as many as there may be ids: of a table, while a list is made */
#define BOARD_SEEN          (2 * NGX_HTTP_WASSIIT_BOARD_ACTIVE)

/* looks at an id of a request that is being written */
#define BOARD_TRIES         10


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


/* the number of a partner's set; the last bit of whose is always 1 */
#define board_set(whose)  ((((whose) ^ ((whose) >> 32)) >> 1) % BOARD_SETS)

/* What was noted at a time to come, the clock being set back, is old. */
#define board_age(time, now)  ((time) > (now) + BOARD_SKEW ? 0 : (time))

/* Is one chosen that was until then?  Not for longer than one can be. */
#define board_chosen(until, now)                                             \
    ((until) > (uint64_t) (now)                                              \
     && (until) <= (uint64_t) (now) + NGX_HTTP_WASSIIT_BOARD_CHOSEN)


typedef char ngx_http_wassiit_board_refusal_is_three_lines[
    sizeof(ngx_http_wassiit_board_refusal_t) == 192 ? 1 : -1];
typedef char ngx_http_wassiit_board_lists_fit[
    NGX_HTTP_WASSIIT_BOARD_RECENT <= NGX_HTTP_WASSIIT_BOARD_ACTIVE ? 1 : -1];


/* the partners that a list has by now */

typedef struct {
    uint64_t        whose[BOARD_SEEN];
} ngx_http_wassiit_board_seen_t;


/* what is worth a look, for a list */

typedef struct {
    uint64_t        time;
    ngx_uint_t      place;
} ngx_http_wassiit_board_look_t;


static ngx_int_t ngx_http_wassiit_board_layout(
    ngx_http_wassiit_board_t *board, ngx_str_t *name, ngx_log_t *log);
static void ngx_http_wassiit_board_add(ngx_http_wassiit_board_t *board,
    size_t offset, uint64_t n);
static uint64_t ngx_http_wassiit_board_whose(u_char *id, size_t len,
    uint32_t generation);
static void ngx_http_wassiit_board_write(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, uint64_t *when, u_char *id, size_t len,
    uint64_t time);
static ngx_uint_t ngx_http_wassiit_board_is(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, uint64_t its, u_char *id, size_t len);
static ngx_uint_t ngx_http_wassiit_board_read(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, ngx_http_wassiit_board_id_t *id);
static int ngx_libc_cdecl ngx_http_wassiit_board_by_time(const void *one,
    const void *two);
static ngx_uint_t ngx_http_wassiit_board_first(
    ngx_http_wassiit_board_seen_t *seen, uint64_t whose);
static ngx_http_wassiit_board_refusal_t *ngx_http_wassiit_board_find(
    ngx_http_wassiit_board_t *board, uint64_t whose, u_char *id, size_t len,
    uint64_t now, ngx_http_wassiit_board_refusal_t **oldest);
static uint64_t ngx_http_wassiit_board_check(
    ngx_http_wassiit_refusal_t *refusal);
static ngx_int_t ngx_http_wassiit_board_copy(
    ngx_http_wassiit_board_refusal_t *cell,
    ngx_http_wassiit_refusal_t *refusal);


const uint32_t  ngx_http_wassiit_board_bounds[NGX_HTTP_WASSIIT_BOARD_BOUNDS] =
    { 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 10000, 30000 };


ngx_int_t
ngx_http_wassiit_board_map(ngx_http_wassiit_board_t *board, ngx_str_t *name,
    ngx_http_wassiit_board_t *former, ngx_uint_t inherited, ngx_log_t *log)
{
    ngx_str_t                     full;
    ngx_http_wassiit_memory_t    *memory;
    ngx_http_wassiit_board_sh_t  *sh;
    u_char                        text[NGX_HTTP_WASSIIT_MEMORY_NAME];

    if (former && former->memory) {
        board->memory = former->memory;
        board->sh = former->sh;
        board->memory->users++;
        return NGX_OK;
    }

    /* no zone has a blank in its name */

    full.data = text;
    full.len = ngx_snprintf(text, sizeof(text), " board %V", name) - text;

    memory = inherited ? ngx_http_wassiit_memory_inherit(&full, log) : NULL;

    if (memory) {
        sh = (ngx_http_wassiit_board_sh_t *) memory->head;

        if (!memory->damaged
            && memory->head->layout == NGX_HTTP_WASSIIT_BOARD_LAYOUT
            && memory->head->size == sizeof(ngx_http_wassiit_board_sh_t)
            && sh->processes.slots.nslots == BOARD_PROCESSES)
        {
            board->memory = memory;
            board->sh = sh;
            board->own = NULL;
            return NGX_OK;
        }

        ngx_http_wassiit_memory_free(memory);
    }

    return ngx_http_wassiit_board_layout(board, &full, log);
}


static ngx_int_t
ngx_http_wassiit_board_layout(ngx_http_wassiit_board_t *board, ngx_str_t *name,
    ngx_log_t *log)
{
    struct timespec             ts;
    ngx_http_wassiit_memory_t  *memory;

    memory = ngx_http_wassiit_memory_create(name,
                                            sizeof(ngx_http_wassiit_board_sh_t),
                                            NGX_HTTP_WASSIIT_BOARD_LAYOUT, log);
    if (memory == NULL) {
        return NGX_ERROR;
    }

    board->memory = memory;
    board->sh = (ngx_http_wassiit_board_sh_t *) memory->head;
    board->own = NULL;

    (void) clock_gettime(CLOCK_REALTIME, &ts);
    board->sh->since = (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;

    if (ngx_wassiit_epoch_init(&board->sh->processes.slots, BOARD_PROCESSES)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "making the mutexes of \"%V\" failed", name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_wassiit_board_unmap(ngx_http_wassiit_board_t *board)
{
    if (board->memory) {
        ngx_http_wassiit_memory_free(board->memory);
        board->memory = NULL;
        board->sh = NULL;
        board->own = NULL;
    }
}


void
ngx_http_wassiit_board_join(ngx_http_wassiit_board_t *board)
{
    ngx_wassiit_epoch_t       *slots;
    ngx_wassiit_epoch_slot_t  *slot;

    slots = &board->sh->processes.slots;
    slot = (slots->nslots == BOARD_PROCESSES) ? ngx_wassiit_epoch_claim(slots)
                                              : NULL;

    board->own = slot ? &board->sh->own[slot - slots->slots] : NULL;
}


/*
 * Adds n to the counter at this offset: a plain addition where nobody else
 * writes.
 */

static void
ngx_http_wassiit_board_add(ngx_http_wassiit_board_t *board, size_t offset,
    uint64_t n)
{
    uint64_t  *counter;

    if (board->own == NULL) {
        counter = (uint64_t *) ((u_char *) &board->sh->shared + offset);
        (void) ngx_wassiit_add(counter, n);
        return;
    }

    counter = (uint64_t *) ((u_char *) board->own + offset);
    ngx_wassiit_store_release(counter, ngx_wassiit_load_relaxed(counter) + n);
}


#define count_of(board, name, n)                                             \
    ngx_http_wassiit_board_add(board, offsetof(ngx_http_wassiit_board_own_t, \
                                               name), n)


void
ngx_http_wassiit_board_count(ngx_http_wassiit_board_t *board,
    ngx_uint_t decision, ngx_uint_t status, ngx_uint_t source, uint64_t ms)
{
    ngx_uint_t  i, class;

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_BOUNDS; i++) {
        if (ms <= ngx_http_wassiit_board_bounds[i]) {
            break;
        }
    }

    /*
     * The client has gone where there is none, as nginx's own 499 says; a
     * number that HTTP doesn't have is a backend's fault.
     */

    class = (status >= 100 && status < 600) ? status / 100 - 1
                                            : status ? 4 : 3;

    count_of(board, sum, ms);
    count_of(board, buckets[i], 1);
    count_of(board, responses[class][source], 1);
    count_of(board, decisions[decision], 1);
}


void
ngx_http_wassiit_board_webhook(ngx_http_wassiit_board_t *board,
    ngx_uint_t result)
{
    count_of(board, webhooks[result], 1);
}


void
ngx_http_wassiit_board_change(ngx_http_wassiit_board_t *board,
    ngx_uint_t operation, ngx_uint_t result)
{
    (void) ngx_wassiit_add(&board->sh->rare.changes[operation][result], 1);
}


void
ngx_http_wassiit_board_fault(ngx_http_wassiit_board_t *board, ngx_uint_t fault)
{
    (void) ngx_wassiit_add(&board->sh->rare.faults[fault], 1);
}


void
ngx_http_wassiit_board_sums(ngx_http_wassiit_board_t *board,
    ngx_http_wassiit_board_sums_t *sums)
{
    uint64_t         now, *to, *from;
    uint32_t         claimed;
    ngx_uint_t       i, n;
    struct timespec  ts;

    ngx_memzero(sums, sizeof(ngx_http_wassiit_board_sums_t));

    claimed = ngx_wassiit_load_acquire(&board->sh->processes.slots.claimed);
    claimed = ngx_min(claimed, BOARD_PROCESSES);

    for (i = 0; i <= claimed; i++) {
        from = (uint64_t *) (i < claimed ? &board->sh->own[i]
                                         : &board->sh->shared);
        to = (uint64_t *) &sums->own;

        for (n = 0; n < sizeof(sums->own) / sizeof(uint64_t); n++) {
            to[n] += ngx_wassiit_load_acquire(&from[n]);
        }
    }

    from = (uint64_t *) &board->sh->rare;
    to = (uint64_t *) &sums->rare;

    for (n = 0; n < sizeof(sums->rare) / sizeof(uint64_t); n++) {
        to[n] = ngx_wassiit_load_acquire(&from[n]);
    }

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;

    sums->since = board->sh->since;
    sums->uptime = (now - board->sh->head.made) / 1000000;
}


/* Tells partners apart.  Not 0. */

static uint64_t
ngx_http_wassiit_board_whose(u_char *id, size_t len, uint32_t generation)
{
    return (uint64_t) generation << 32 | ngx_murmur_hash2(id, len) | 1;
}


/* Writes over a cell, its time too. */

static void
ngx_http_wassiit_board_write(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, uint64_t *when, u_char *id, size_t len,
    uint64_t time)
{
    ngx_wassiit_store_release(whose, 0);
    ngx_wassiit_fence_release();

    *when = time;
    cell->len = len;
    ngx_memcpy(cell->id, id, len);

    ngx_wassiit_store_release(whose,
                              ngx_http_wassiit_board_whose(id, len, 0));
}


static ngx_uint_t
ngx_http_wassiit_board_is(uint64_t *whose, ngx_http_wassiit_board_id_t *cell,
    uint64_t its, u_char *id, size_t len)
{
    return ngx_wassiit_load_acquire(whose) == its && cell->len == len
           && ngx_memcmp(cell->id, id, len) == 0;
}


/* Returns 1 and fills id; 0: the cell is nobody's. */

static ngx_uint_t
ngx_http_wassiit_board_read(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, ngx_http_wassiit_board_id_t *id)
{
    uint64_t  its;

    its = ngx_wassiit_load_acquire(whose);

    if (its == 0) {
        return 0;
    }

    id->len = ngx_min(cell->len, NGX_HTTP_WASSIIT_ID_LEN);
    ngx_memcpy(id->id, cell->id, id->len);

    return its == ngx_http_wassiit_board_whose(id->id, id->len, 0);
}


/* Is it the first time that a list comes upon this one? */

static ngx_uint_t
ngx_http_wassiit_board_first(ngx_http_wassiit_board_seen_t *seen,
    uint64_t whose)
{
    uint64_t    i;

    /* there are more places than a list can have */

    for (i = whose % BOARD_SEEN; seen->whose[i]; i = (i + 1) % BOARD_SEEN) {
        if (seen->whose[i] == whose) {
            return 0;
        }
    }

    seen->whose[i] = whose;

    return 1;
}


void
ngx_http_wassiit_board_asked(ngx_http_wassiit_board_t *board, u_char *id,
    size_t len, uint64_t now)
{
    uint64_t                       whose, time, least;
    ngx_uint_t                     i, oldest;
    ngx_http_wassiit_board_set_t  *set;

    whose = ngx_http_wassiit_board_whose(id, len, 0);
    set = &board->sh->active[board_set(whose)];
    oldest = 0;
    least = (uint64_t) -1;

    for (i = 0; i < BOARD_WAYS; i++) {

        if (ngx_http_wassiit_board_is(&set->whose[i], &set->id[i], whose, id,
                                      len))
        {
            ngx_wassiit_store_release(&set->time[i], now);
            return;
        }

        time = board_age(ngx_wassiit_load_relaxed(&set->time[i]), now);

        if (time < least) {
            least = time;
            oldest = i;
        }
    }

    if (ngx_wassiit_load_relaxed(&board->sh->dropped) < least) {
        ngx_wassiit_store_release(&board->sh->dropped, least);
    }

    ngx_http_wassiit_board_write(&set->whose[oldest], &set->id[oldest],
                                 &set->time[oldest], id, len, now);
}


ngx_uint_t
ngx_http_wassiit_board_active(ngx_http_wassiit_board_t *board, uint64_t since,
    ngx_http_wassiit_board_id_t *ids, ngx_uint_t most, ngx_uint_t *truncated)
{
    uint64_t                        time, dropped;
    ngx_uint_t                      i, n, looks, place;
    ngx_http_wassiit_board_id_t    *id;
    ngx_http_wassiit_board_set_t   *set;
    ngx_http_wassiit_board_look_t   look[BOARD_PLACES];
    ngx_http_wassiit_board_seen_t   seen;

    looks = 0;

    for (i = 0; i < BOARD_PLACES; i++) {
        set = &board->sh->active[i / BOARD_WAYS];
        time = ngx_wassiit_load_relaxed(&set->time[i % BOARD_WAYS]);

        if (time && time >= since) {
            look[looks].time = time;
            look[looks].place = i;
            looks++;
        }
    }

    ngx_qsort(look, looks, sizeof(ngx_http_wassiit_board_look_t),
              ngx_http_wassiit_board_by_time);

    ngx_memzero(&seen, sizeof(ngx_http_wassiit_board_seen_t));
    dropped = ngx_wassiit_load_acquire(&board->sh->dropped);
    *truncated = (dropped && dropped >= since);
    n = 0;

    for (i = 0; i < looks; i++) {

        if (n == most) {
            *truncated = 1;
            break;
        }

        id = &ids[n];
        place = look[i].place % BOARD_WAYS;
        set = &board->sh->active[look[i].place / BOARD_WAYS];

        if (ngx_http_wassiit_board_read(&set->whose[place], &set->id[place],
                                        id))
        {
            n += ngx_http_wassiit_board_first(&seen,
                          ngx_http_wassiit_board_whose(id->id, id->len, 0));
        }
    }

    return n;
}


/* The last first. */

static int ngx_libc_cdecl
ngx_http_wassiit_board_by_time(const void *one, const void *two)
{
    const ngx_http_wassiit_board_look_t  *a = one;
    const ngx_http_wassiit_board_look_t  *b = two;

    return (a->time < b->time) - (a->time > b->time);
}


/*
 * Returns the place of the refusals of whose, or NULL; then *oldest is the one
 * to write over.
 */

static ngx_http_wassiit_board_refusal_t *
ngx_http_wassiit_board_find(ngx_http_wassiit_board_t *board, uint64_t whose,
    u_char *id, size_t len, uint64_t now,
    ngx_http_wassiit_board_refusal_t **oldest)
{
    uint64_t                           time, least;
    ngx_uint_t                         i;
    ngx_http_wassiit_board_refusal_t  *set;

    set = &board->sh->refusals[board_set(whose) * BOARD_WAYS];
    least = (uint64_t) -1;
    *oldest = set;

    for (i = 0; i < BOARD_WAYS; i++) {

        if (ngx_wassiit_load_acquire(&set[i].whose) == whose
            && set[i].id_len == len && ngx_memcmp(set[i].id, id, len) == 0)
        {
            return &set[i];
        }

        time = board_age(ngx_wassiit_load_relaxed(&set[i].time), now);

        if (time < least) {
            least = time;
            *oldest = &set[i];
        }
    }

    return NULL;
}


/* Says whether all is of one refusal.  Even: the request has no id. */

static uint64_t
ngx_http_wassiit_board_check(ngx_http_wassiit_refusal_t *refusal)
{
    uint64_t  check, instance[2];

    ngx_memcpy(instance, refusal->instance, NGX_HTTP_WASSIIT_BOARD_INSTANCE);

    check = instance[0] ^ (instance[1] << 1 | instance[1] >> 63)
            ^ refusal->time << 1 ^ (uint64_t) refusal->decision << 56
            ^ ngx_http_wassiit_board_whose(refusal->id, refusal->id_len,
                                           refusal->generation) << 8
            ^ (uint64_t) ngx_murmur_hash2(refusal->about, refusal->about_len)
              << 32;

    return (check & ~(uint64_t) 1) | refusal->has_instance;
}


ngx_uint_t
ngx_http_wassiit_board_is_due(ngx_http_wassiit_board_t *board,
    ngx_uint_t decision, time_t now)
{
    if (board->noted[decision] == now) {
        return 0;
    }

    board->noted[decision] = now;

    return 1;
}


void
ngx_http_wassiit_board_refused(ngx_http_wassiit_board_t *board,
    ngx_http_wassiit_refusal_t *refusal)
{
    uint64_t                           whose, instance[2];
    ngx_http_wassiit_board_refusal_t  *cell, *oldest;

    whose = ngx_http_wassiit_board_whose(refusal->id, refusal->id_len,
                                         refusal->generation);

    cell = ngx_http_wassiit_board_find(board, whose, refusal->id,
                                       refusal->id_len, refusal->time,
                                       &oldest);
    if (cell) {

        if (ngx_wassiit_load_relaxed(&cell->decision) == refusal->decision) {
            (void) ngx_wassiit_add(&cell->count, 1);

        } else {
            ngx_wassiit_store_release(&cell->since, refusal->time);
            ngx_wassiit_store_release(&cell->count, 1);
            ngx_wassiit_store_release(&cell->decision, refusal->decision);
        }

    } else {
        cell = oldest;

        ngx_wassiit_store_release(&cell->whose, 0);
        ngx_wassiit_fence_release();

        cell->since = refusal->time;
        cell->count = 1;
        cell->decision = refusal->decision;
        cell->id_len = refusal->id_len;
        ngx_memcpy(cell->id, refusal->id, refusal->id_len);
    }

    ngx_memcpy(instance, refusal->instance, NGX_HTTP_WASSIIT_BOARD_INSTANCE);

    ngx_wassiit_store_release(&cell->instance[0], instance[0]);
    ngx_wassiit_store_release(&cell->instance[1], instance[1]);
    ngx_wassiit_store_release(&cell->time, refusal->time);
    cell->about_len = refusal->about_len;
    ngx_memcpy(cell->about, refusal->about, refusal->about_len);
    ngx_wassiit_store_release(&cell->check,
                              ngx_http_wassiit_board_check(refusal));
    ngx_wassiit_store_release(&cell->whose, whose);
}


/* Returns NGX_DECLINED: the cell is nobody's. */

static ngx_int_t
ngx_http_wassiit_board_copy(ngx_http_wassiit_board_refusal_t *cell,
    ngx_http_wassiit_refusal_t *refusal)
{
    uint64_t    whose, check, instance[2];
    ngx_uint_t  i, is_whole;

    whose = ngx_wassiit_load_acquire(&cell->whose);

    refusal->id_len = ngx_min(cell->id_len, NGX_HTTP_WASSIIT_ID_LEN);
    ngx_memcpy(refusal->id, cell->id, refusal->id_len);
    refusal->generation = whose >> 32;

    if (whose == 0
        || whose != ngx_http_wassiit_board_whose(refusal->id, refusal->id_len,
                                                 refusal->generation))
    {
        return NGX_DECLINED;
    }

    is_whole = 0;

    for (i = 0; i < BOARD_TRIES && !is_whole; i++) {
        check = ngx_wassiit_load_acquire(&cell->check);
        instance[0] = ngx_wassiit_load_acquire(&cell->instance[0]);
        instance[1] = ngx_wassiit_load_acquire(&cell->instance[1]);

        refusal->decision = ngx_wassiit_load_acquire(&cell->decision);
        refusal->time = ngx_wassiit_load_acquire(&cell->time);
        refusal->has_instance = check & 1;
        ngx_memcpy(refusal->instance, instance,
                   NGX_HTTP_WASSIIT_BOARD_INSTANCE);

        refusal->about_len = ngx_min(cell->about_len,
                                     NGX_HTTP_WASSIIT_BOARD_ABOUT);
        ngx_memcpy(refusal->about, cell->about, refusal->about_len);

        is_whole = (check == ngx_http_wassiit_board_check(refusal));
    }

    if (!is_whole) {
        /* two are writing it: which request it was, nobody knows yet */
        refusal->has_instance = 0;
        refusal->about_len = 0;
    }

    refusal->count = ngx_wassiit_load_acquire(&cell->count);
    refusal->since = ngx_wassiit_load_acquire(&cell->since);

    if (refusal->decision == 0
        || refusal->decision >= NGX_HTTP_WASSIIT_BOARD_DECISIONS)
    {
        return NGX_DECLINED;
    }

    /* else another partner has its place by now */

    ngx_wassiit_fence_acquire();

    return (ngx_wassiit_load_relaxed(&cell->whose) == whose) ? NGX_OK
                                                             : NGX_DECLINED;
}


ngx_int_t
ngx_http_wassiit_board_last(ngx_http_wassiit_board_t *board, u_char *id,
    size_t len, uint32_t generation, ngx_http_wassiit_refusal_t *refusal)
{
    uint64_t                           whose;
    ngx_http_wassiit_board_refusal_t  *cell, *oldest;

    whose = ngx_http_wassiit_board_whose(id, len, generation);
    cell = ngx_http_wassiit_board_find(board, whose, id, len, 0, &oldest);

    return cell ? ngx_http_wassiit_board_copy(cell, refusal) : NGX_DECLINED;
}


ngx_uint_t
ngx_http_wassiit_board_refusals(ngx_http_wassiit_board_t *board,
    uint64_t since, ngx_http_wassiit_refusal_t *refusals)
{
    uint64_t                            time;
    ngx_uint_t                          i, n, looks;
    ngx_http_wassiit_refusal_t         *refusal;
    ngx_http_wassiit_board_look_t       look[BOARD_PLACES];
    ngx_http_wassiit_board_seen_t       seen;
    ngx_http_wassiit_board_refusal_t   *cells;

    cells = board->sh->refusals;
    looks = 0;

    for (i = 0; i < BOARD_PLACES; i++) {
        time = ngx_wassiit_load_relaxed(&cells[i].time);

        if (time && time >= since) {
            look[looks].time = time;
            look[looks].place = i;
            looks++;
        }
    }

    ngx_qsort(look, looks, sizeof(ngx_http_wassiit_board_look_t),
              ngx_http_wassiit_board_by_time);

    ngx_memzero(&seen, sizeof(ngx_http_wassiit_board_seen_t));
    n = 0;

    for (i = 0; i < looks && n < NGX_HTTP_WASSIIT_BOARD_RECENT; i++) {
        refusal = &refusals[n];

        if (ngx_http_wassiit_board_copy(&cells[look[i].place], refusal)
            == NGX_OK)
        {
            n += ngx_http_wassiit_board_first(&seen,
                     ngx_http_wassiit_board_whose(refusal->id, refusal->id_len,
                                                  refusal->generation));
        }
    }

    return n;
}


void
ngx_http_wassiit_board_choose(ngx_http_wassiit_board_t *board, u_char *id,
    size_t len, time_t now)
{
    uint64_t                        whose, until;
    ngx_uint_t                      i, n, over;
    ngx_http_wassiit_board_cell_t  *cell;

    whose = ngx_http_wassiit_board_whose(id, len, 0);
    until = now + NGX_HTTP_WASSIIT_BOARD_CHOSEN;
    over = NGX_HTTP_WASSIIT_BOARD_ACTIVE;
    n = whose ^ (whose >> 7);

    for (i = 0; i < BOARD_PROBES; i++, n++) {
        n %= NGX_HTTP_WASSIIT_BOARD_ACTIVE;
        cell = &board->sh->chosen[n];

        if (ngx_http_wassiit_board_is(&cell->whose, &cell->id, whose, id, len))
        {
            ngx_wassiit_store_release(&cell->until, until);
            return;
        }

        if (over == NGX_HTTP_WASSIIT_BOARD_ACTIVE
            && !board_chosen(ngx_wassiit_load_relaxed(&cell->until), now))
        {
            over = n;
        }
    }

    if (over < NGX_HTTP_WASSIIT_BOARD_ACTIVE) {
        cell = &board->sh->chosen[over];
        ngx_http_wassiit_board_write(&cell->whose, &cell->id, &cell->until, id,
                                     len, until);
    }
}


ngx_uint_t
ngx_http_wassiit_board_chosen(ngx_http_wassiit_board_t *board, time_t now,
    ngx_http_wassiit_board_id_t *ids)
{
    ngx_uint_t                      i, n;
    ngx_http_wassiit_board_cell_t  *cell;
    ngx_http_wassiit_board_seen_t   seen;

    ngx_memzero(&seen, sizeof(ngx_http_wassiit_board_seen_t));

    n = 0;

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_ACTIVE; i++) {

        cell = &board->sh->chosen[i];

        if (ngx_http_wassiit_board_read(&cell->whose, &cell->id, &ids[n])
            && board_chosen(ngx_wassiit_load_relaxed(&cell->until), now))
        {
            n += ngx_http_wassiit_board_first(&seen,
                     ngx_http_wassiit_board_whose(ids[n].id, ids[n].len, 0));
        }
    }

    return n;
}
