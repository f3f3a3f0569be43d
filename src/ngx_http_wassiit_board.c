
#include "ngx_http_wassiit_board_sh.h"


static ngx_int_t ngx_http_wassiit_board_layout(
    ngx_http_wassiit_board_t *board, ngx_str_t *name, ngx_log_t *log);
static void ngx_http_wassiit_board_add(ngx_http_wassiit_board_t *board,
    size_t offset, uint64_t n);


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
