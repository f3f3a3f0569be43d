
/*
 * Partners are noted in cells: a word that says whose a cell is, and the id
 * itself.  Who writes a cell sets the word to 0 first and at the end to a hash
 * of the id, so a cell of which two have written parts belongs to nobody, and
 * is written over by the next one.
 */


#include "ngx_http_wassiit_board_sh.h"


/* ms that processes' clocks may be apart; what is later is of a wrong clock */
#define BOARD_SKEW          10000

/* cells that are looked at for one that is chosen */
#define BOARD_PROBES        16

/* twice as many as there may be ids: of a table, while a list is made */
#define BOARD_SEEN          (2 * NGX_HTTP_WASSIIT_BOARD_ACTIVE)

/* looks at an id of a request that is being written */
#define BOARD_TRIES         10

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


static uint64_t ngx_http_wassiit_board_whose(u_char *id, size_t len,
    uint32_t generation);
static void ngx_http_wassiit_board_write(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, uint64_t *when, u_char *id, size_t len,
    uint64_t time);
static ngx_uint_t ngx_http_wassiit_board_is(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, uint64_t its, u_char *id, size_t len);
static ngx_uint_t ngx_http_wassiit_board_read(uint64_t *whose,
    ngx_http_wassiit_board_id_t *cell, ngx_http_wassiit_board_id_t *id);
static ngx_uint_t ngx_http_wassiit_board_newest(
    ngx_http_wassiit_board_look_t *look, ngx_uint_t n, ngx_uint_t most);
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

    if (board_age(ngx_wassiit_load_relaxed(&board->sh->dropped), now) < least)
    {
        ngx_wassiit_store_release(&board->sh->dropped, least);
    }

    ngx_http_wassiit_board_write(&set->whose[oldest], &set->id[oldest],
                                 &set->time[oldest], id, len, now);
}


ngx_uint_t
ngx_http_wassiit_board_active(ngx_http_wassiit_board_t *board, uint64_t since,
    uint64_t now, ngx_http_wassiit_board_id_t *ids, ngx_uint_t most,
    ngx_uint_t *truncated)
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
        time = board_age(ngx_wassiit_load_relaxed(&set->time[i % BOARD_WAYS]),
                         now);

        if (time && time >= since) {
            look[looks].time = time;
            look[looks].place = i;
            looks++;
        }
    }

    dropped = board_age(ngx_wassiit_load_acquire(&board->sh->dropped), now);
    *truncated = (looks > most || (dropped && dropped >= since));

    looks = ngx_http_wassiit_board_newest(look, looks, most);

    ngx_memzero(&seen, sizeof(ngx_http_wassiit_board_seen_t));
    n = 0;

    for (i = 0; i < looks; i++) {
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


/*
 * Sorts the newest ones of n to the front, at most so many: these are found
 * first (Hoare's quickselect), as all may be far more.  Returns how many.
 */

static ngx_uint_t
ngx_http_wassiit_board_newest(ngx_http_wassiit_board_look_t *look,
    ngx_uint_t n, ngx_uint_t most)
{
    uint64_t                       pivot;
    ngx_int_t                      i, k, from, to, end;
    ngx_http_wassiit_board_look_t  swap;

    most = ngx_min(n, most);
    end = most;
    from = 0;
    to = (ngx_int_t) n - 1;

    while (end < (ngx_int_t) n && from < to) {
        pivot = look[(from + to) / 2].time;
        i = from;
        k = to;

        while (i <= k) {

            while (look[i].time > pivot) {
                i++;
            }

            while (look[k].time < pivot) {
                k--;
            }

            if (i <= k) {
                swap = look[i];
                look[i++] = look[k];
                look[k--] = swap;
            }
        }

        if (end <= k) {
            to = k;

        } else if (end >= i) {
            from = i;

        } else {
            break;
        }
    }

    ngx_qsort(look, most, sizeof(ngx_http_wassiit_board_look_t),
              ngx_http_wassiit_board_by_time);

    return most;
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
    uint64_t since, uint64_t now, ngx_http_wassiit_refusal_t *refusals)
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
        time = board_age(ngx_wassiit_load_relaxed(&cells[i].time), now);

        if (time && time >= since) {
            look[looks].time = time;
            look[looks].place = i;
            looks++;
        }
    }

    looks = ngx_http_wassiit_board_newest(look, looks,
                                          NGX_HTTP_WASSIIT_BOARD_RECENT);

    ngx_memzero(&seen, sizeof(ngx_http_wassiit_board_seen_t));
    n = 0;

    for (i = 0; i < looks; i++) {
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
