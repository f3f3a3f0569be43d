
/*
 * The board of a zone: counters of several processes, also of those that die;
 * who asked; the last refusals, also where two write one.
 */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_board.h"

#include <sys/mman.h>
#include <sys/wait.h>


#define BOARD_WORKERS       8
#define BOARD_REQUESTS      20000
#define BOARD_MANY          100     /* more processes than have a place */
#define BOARD_NOW           1800000000
#define BOARD_MS            ((uint64_t) BOARD_NOW * 1000)
#define BOARD_LATER         ((uint64_t) 1 << 60)


typedef ngx_http_wassiit_board_sums_t   sums_t;
typedef ngx_http_wassiit_refusal_t      refusal_t;
typedef ngx_http_wassiit_board_id_t     id_t_;


static void unit_board_counts(void);
static void unit_board_durations(void);
static void unit_board_processes(ngx_uint_t workers, ngx_uint_t kill_some);
static void unit_board_kept(void);
static void unit_board_active(void);
static void unit_board_chosen(void);
static void unit_board_refusals(void);
static ngx_uint_t unit_board_mixed(refusal_t *refusal);
static void unit_board_evicted(void);
static void unit_board_torn(void);
static void unit_board_damaged(void);
static void unit_board_make(ngx_http_wassiit_board_t *board);
static void unit_board_refuse(const char *id, uint32_t generation,
    ngx_uint_t decision, uint64_t time, u_char instance);
static ngx_int_t unit_board_last(const char *id, uint32_t generation);
static ngx_uint_t unit_board_is(id_t_ *id, const char *text);


static ngx_http_wassiit_board_t  board;
static refusal_t                 last;


int
main(void)
{
    unit_start();

    unit_board_counts();
    unit_board_durations();
    unit_board_processes(BOARD_WORKERS, 0);
    unit_board_processes(BOARD_WORKERS, 1);
    unit_board_processes(BOARD_MANY, 0);
    unit_board_kept();
    unit_board_active();
    unit_board_chosen();
    unit_board_refusals();
    unit_board_evicted();
    unit_board_torn();
    unit_board_damaged();

    return unit_done();
}


static void
unit_board_make(ngx_http_wassiit_board_t *b)
{
    ngx_str_t  name = ngx_string("api");

    ngx_memzero(b, sizeof(ngx_http_wassiit_board_t));

    if (ngx_http_wassiit_board_map(b, &name, NULL, 0, &unit_log) != NGX_OK) {
        printf("Bail out! no board\n");
        exit(1);
    }
}


static void
unit_board_counts(void)
{
    sums_t  sums;

    unit_board_make(&board);

    ngx_http_wassiit_board_sums(&board, &sums);
    unit_ok(sums.since > 0 && sums.own.sum == 0 && sums.own.decisions[1] == 0,
       "a new board has counted nothing");

    ngx_http_wassiit_board_count(&board, 1, 200,
                                 NGX_HTTP_WASSIIT_BOARD_UPSTREAM, 7);
    ngx_http_wassiit_board_count(&board, 1, 101,
                                 NGX_HTTP_WASSIIT_BOARD_UPSTREAM, 7);
    ngx_http_wassiit_board_count(&board, 15, 599,
                                 NGX_HTTP_WASSIIT_BOARD_NGINX, 7);
    ngx_http_wassiit_board_count(&board, 2, 0, NGX_HTTP_WASSIIT_BOARD_MODULE,
                                 7);
    ngx_http_wassiit_board_webhook(&board, NGX_HTTP_WASSIIT_BOARD_NO_PARTNER);
    ngx_http_wassiit_board_change(&board, 8, NGX_HTTP_WASSIIT_BOARD_FAILED);
    ngx_http_wassiit_board_fault(&board, NGX_HTTP_WASSIIT_BOARD_COMPACT);

    ngx_http_wassiit_board_sums(&board, &sums);
    unit_ok(sums.own.decisions[1] == 2 && sums.own.decisions[2] == 1
       && sums.own.decisions[15] == 1 && sums.own.decisions[3] == 0,
       "decisions");
    unit_ok(sums.own.responses[1][2] == 1 && sums.own.responses[0][2] == 1
       && sums.own.responses[4][1] == 1, "answers");
    unit_ok(sums.own.responses[3][0] == 1, "who has none has gone: 4xx");
    unit_ok(sums.own.webhooks[5] == 1 && sums.own.webhooks[4] == 0, "webhooks");
    unit_ok(sums.rare.changes[8][2] == 1 && sums.rare.faults[3] == 1,
       "changes and faults");

    ngx_http_wassiit_board_unmap(&board);
    unit_ok(board.memory == NULL, "it is gone");
}


static void
unit_board_durations(void)
{
    sums_t      sums;
    ngx_uint_t  i, wrong;

    unit_board_make(&board);
    wrong = 0;

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_BOUNDS; i++) {
        ngx_http_wassiit_board_count(&board, 1, 200, 0,
                                     ngx_http_wassiit_board_bounds[i]);
        ngx_http_wassiit_board_count(&board, 1, 200, 0,
                                     ngx_http_wassiit_board_bounds[i] + 1);
    }

    ngx_http_wassiit_board_count(&board, 1, 200, 0, 0);
    ngx_http_wassiit_board_sums(&board, &sums);

    for (i = 0; i < NGX_HTTP_WASSIIT_BOARD_BUCKETS; i++) {
        wrong += (sums.own.buckets[i]
                  != (i == NGX_HTTP_WASSIIT_BOARD_BOUNDS ? 1 : 2));
    }

    unit_is(wrong, 0, "a bound is in its bucket, what is above it in the next");
    unit_is(sums.own.sum, 2 * 44440 + 11, "the sum");

    ngx_http_wassiit_board_unmap(&board);
}


/*
 * Each counts as often as it says; a killed one at least as often as it has
 * said, and once more at the most.
 */

static void
unit_board_processes(ngx_uint_t workers, ngx_uint_t kill_some)
{
    int         status;
    pid_t       pids[BOARD_MANY];
    sums_t      sums, before;
    uint64_t    n, *said;
    ngx_uint_t  i, k, back;

    unit_board_make(&board);

    said = mmap(NULL, BOARD_MANY * sizeof(uint64_t), PROT_READ|PROT_WRITE,
                MAP_SHARED|MAP_ANONYMOUS, -1, 0);

    for (i = 0; i < workers; i++) {
        pids[i] = unit_fork();

        if (pids[i] == 0) {
            ngx_http_wassiit_board_join(&board);

            for (k = 0; k < BOARD_REQUESTS || (kill_some && i % 2); k++) {
                ngx_http_wassiit_board_count(&board, 1, 200, 0, 1);
                __atomic_store_n(&said[i], k + 1, __ATOMIC_RELEASE);
            }

            _exit(0);
        }
    }

    ngx_memzero(&before, sizeof(sums_t));
    back = 0;

    for (i = 0; i < 1000; i++) {
        ngx_http_wassiit_board_sums(&board, &sums);
        back += (sums.own.decisions[1] < before.own.decisions[1]
                 || sums.own.sum < before.own.sum);
        before = sums;
    }

    for (i = 0; i < workers; i++) {
        if (kill_some && i % 2) {
            while (__atomic_load_n(&said[i], __ATOMIC_ACQUIRE) < 1000) {
                (void) sched_yield();
            }

            (void) kill(pids[i], SIGKILL);
        }
    }

    for (i = 0, n = 0; i < workers; i++) {
        (void) waitpid(pids[i], &status, 0);
        n += said[i];
    }

    ngx_http_wassiit_board_sums(&board, &sums);

    unit_is(back, 0, "no sum is less than before");
    unit_ok(sums.own.decisions[1] >= n
       && sums.own.decisions[1] <= n + (kill_some ? workers : 0),
       "all that processes have counted is there");
    unit_ok(sums.own.buckets[0] - sums.own.decisions[1]
       <= (kill_some ? workers : 0), "in each way that it is counted");

    (void) munmap(said, BOARD_MANY * sizeof(uint64_t));
    ngx_http_wassiit_board_unmap(&board);
}


/* By another configuration of this program. */

static void
unit_board_kept(void)
{
    sums_t                    sums;
    ngx_str_t                 name = ngx_string("api");
    ngx_http_wassiit_board_t  next;

    unit_board_make(&board);
    ngx_http_wassiit_board_join(&board);
    unit_ok(board.own != NULL, "a process has a place");

    ngx_http_wassiit_board_count(&board, 1, 200, 0, 1);

    ngx_memzero(&next, sizeof(next));
    unit_ok(ngx_http_wassiit_board_map(&next, &name, &board, 0, &unit_log)
       == NGX_OK && next.sh == board.sh && next.own == NULL,
       "the next configuration has the same board");

    ngx_http_wassiit_board_unmap(&board);
    ngx_http_wassiit_board_count(&next, 1, 200, 0, 1);
    ngx_http_wassiit_board_sums(&next, &sums);
    unit_is(sums.own.decisions[1], 2, "and counts on");

    ngx_http_wassiit_board_unmap(&next);
}


static ngx_uint_t
unit_board_is(id_t_ *id, const char *text)
{
    return id->len == strlen(text) && memcmp(id->id, text, id->len) == 0;
}


static void
unit_board_ask(const char *id, uint64_t now)
{
    ngx_http_wassiit_board_asked(&board, (u_char *) id, strlen(id), now);
}


static void
unit_board_active(void)
{
    char        text[NGX_HTTP_WASSIIT_ID_LEN + 1];
    id_t_       ids[NGX_HTTP_WASSIIT_BOARD_ACTIVE];
    ngx_uint_t  i, n, truncated;

    unit_board_make(&board);

    n = ngx_http_wassiit_board_active(&board, 0, BOARD_LATER, ids,
                                      NGX_HTTP_WASSIIT_BOARD_ACTIVE,
                                      &truncated);
    unit_ok(n == 0 && truncated == 0, "nobody has asked");

    unit_board_ask("first", BOARD_MS - 15000);
    unit_board_ask("old", BOARD_MS - 60000);
    unit_board_ask("a", BOARD_MS - 20000);
    unit_board_ask("b", BOARD_MS - 1);
    unit_board_ask("a", BOARD_MS);

    n = ngx_http_wassiit_board_active(&board, BOARD_MS - 20000, BOARD_LATER,
                                      ids, 10, &truncated);
    unit_ok(n == 3 && unit_board_is(&ids[0], "a") && unit_board_is(&ids[1], "b")
            && unit_board_is(&ids[2], "first") && truncated == 0,
            "each once, the last first, of that time");

    n = ngx_http_wassiit_board_active(&board, BOARD_MS - 20000, BOARD_LATER,
                                      ids, 1, &truncated);
    unit_ok(n == 1 && truncated == 1, "not more than asked for");

    for (i = 0; i < 30; i++) {
        for (n = 0; n < 60; n++) {
            (void) snprintf(text, sizeof(text), "busy-%d", (int) n);
            unit_board_ask(text, BOARD_MS + 10000 * (i + 1));
        }
    }

    n = ngx_http_wassiit_board_active(&board, BOARD_MS - 20000, BOARD_LATER,
                                      ids, 100, &truncated);
    unit_ok(n == 63 && truncated == 0 && unit_board_is(&ids[60], "a"),
            "whoever asks all the time takes no place of others");

    for (i = 0; i < 20000; i++) {
        (void) snprintf(text, sizeof(text), "%.*s%d", (int) (i % 60),
                        "pppppppppppppppppppppppppppppppppppppppppppppppppppp"
                        "pppppppp", (int) i);
        unit_board_ask(text, BOARD_MS + 400000 + i);
    }

    n = ngx_http_wassiit_board_active(&board, BOARD_MS, BOARD_LATER, ids,
                                      NGX_HTTP_WASSIIT_BOARD_ACTIVE,
                                      &truncated);
    unit_ok(n == NGX_HTTP_WASSIIT_BOARD_ACTIVE && truncated == 1
       && unit_board_is(&ids[0], text), "the last of more than it holds");

    for (i = 0, n = 0; i < 10; i++) {
        unit_board_ask("late", BOARD_MS + 800000 + i);
    }

    n = ngx_http_wassiit_board_active(&board, BOARD_MS + 800000, BOARD_LATER,
                                      ids, NGX_HTTP_WASSIIT_BOARD_ACTIVE,
                                      &truncated);
    unit_ok(n == 1 && truncated == 0, "later on, those are all");

    /*
     * The clock is set back.  Whatever is of times to come is written over
     * first, so those who ask now don't push each other out.
     */

    for (i = 0; i < 1000; i++) {
        (void) snprintf(text, sizeof(text), "back-%d", (int) i);
        unit_board_ask(text, BOARD_MS - 3600000 + i);
    }

    n = ngx_http_wassiit_board_active(&board, BOARD_MS - 3900000,
                                      BOARD_MS - 3590000, ids,
                                      NGX_HTTP_WASSIIT_BOARD_ACTIVE,
                                      &truncated);
    unit_ok(n == 1000 && truncated == 0,
            "a clock is set back: they alone are told of");

    for (i = 0; i < 1000; i++) {
        (void) snprintf(text, sizeof(text), "back-%d", (int) i);
        unit_board_ask(text, BOARD_MS + 900000);
    }

    n = ngx_http_wassiit_board_active(&board, BOARD_MS + 900000, BOARD_LATER,
                                      ids, NGX_HTTP_WASSIIT_BOARD_ACTIVE,
                                      &truncated);
    unit_ok(n == 1000 && truncated == 0, "also when a clock is set back");

    ngx_http_wassiit_board_unmap(&board);
}


static void
unit_board_chosen(void)
{
    char        text[32];
    id_t_       ids[NGX_HTTP_WASSIIT_BOARD_ACTIVE];
    size_t      len;
    time_t      end;
    ngx_uint_t  i, n;

    unit_board_make(&board);

    end = BOARD_NOW + NGX_HTTP_WASSIIT_BOARD_CHOSEN;

    ngx_http_wassiit_board_choose(&board, (u_char *) "a", 1, BOARD_NOW);
    ngx_http_wassiit_board_choose(&board, (u_char *) "b", 1, BOARD_NOW);
    unit_is(ngx_http_wassiit_board_chosen(&board, end - 1, ids), 2,
            "who was chosen is for an hour");

    ngx_http_wassiit_board_choose(&board, (u_char *) "a", 1, BOARD_NOW + 1);
    n = ngx_http_wassiit_board_chosen(&board, end, ids);
    unit_ok(n == 1 && unit_board_is(&ids[0], "a"), "from the last time on");
    unit_is(ngx_http_wassiit_board_chosen(&board, end + 1, ids), 0,
            "and no longer");

    for (i = 0; i < 100; i++) {
        len = snprintf(text, sizeof(text), "partner-%d", (int) i);
        ngx_http_wassiit_board_choose(&board, (u_char *) text, len, end + 1);
    }

    unit_is(ngx_http_wassiit_board_chosen(&board, end + 2, ids), 100,
            "there is room for many");

    for (i = 0; i < 5000; i++) {
        len = snprintf(text, sizeof(text), "other-%d", (int) i);
        ngx_http_wassiit_board_choose(&board, (u_char *) text, len, end + 2);
    }

    n = ngx_http_wassiit_board_chosen(&board, end + 3, ids);

    for (i = 0, len = 0; i < n; i++) {
        len += (ids[i].id[0] == 'p');
    }

    unit_ok(n > 1000 && n <= NGX_HTTP_WASSIIT_BOARD_ACTIVE && len == 100,
       "others don't take their places");

    ngx_http_wassiit_board_unmap(&board);
}


static void
unit_board_refuse(const char *id, uint32_t generation, ngx_uint_t decision,
    uint64_t time, u_char instance)
{
    refusal_t  refusal;

    ngx_memzero(&refusal, sizeof(refusal));

    refusal.time = time;
    refusal.generation = generation;
    refusal.decision = decision;
    refusal.id_len = strlen(id);
    refusal.has_instance = (instance != 0);
    ngx_memcpy(refusal.id, id, refusal.id_len);
    ngx_memset(refusal.instance, instance, sizeof(refusal.instance));

    /* as long as the instance says, of its letters */
    refusal.about_len = instance % (NGX_HTTP_WASSIIT_BOARD_ABOUT + 1);
    ngx_memset(refusal.about, 'a' + instance % 26, refusal.about_len);

    ngx_http_wassiit_board_refused(&board, &refusal);
}


static ngx_int_t
unit_board_last(const char *id, uint32_t generation)
{
    ngx_memzero(&last, sizeof(last));

    return ngx_http_wassiit_board_last(&board, (u_char *) id, strlen(id),
                                       generation, &last);
}


static void
unit_board_refusals(void)
{
    refusal_t   refusals[NGX_HTTP_WASSIIT_BOARD_RECENT];
    ngx_uint_t  n;

    unit_board_make(&board);

    unit_is(unit_board_last("atlas", 1), NGX_DECLINED, "nobody was refused");

    unit_board_refuse("atlas", 1, 5, 1000000, 1);
    unit_ok(unit_board_last("atlas", 1) == NGX_OK && last.decision == 5
       && last.count == 1 && last.time == 1000000 && last.since == 1000000
       && last.has_instance && last.instance[0] == 1 && last.instance[15] == 1
       && last.id_len == 5 && last.about_len == 1 && last.about[0] == 'b',
       "one was");
    unit_is(unit_board_last("atlas", 2), NGX_DECLINED,
           "another one of its id was not");
    unit_is(unit_board_last("atla", 1), NGX_DECLINED, "nor one of another id");

    unit_board_refuse("atlas", 1, 5, 1000500, 2);
    unit_board_refuse("atlas", 1, 5, 1001000, 3);
    unit_ok(unit_board_last("atlas", 1) == NGX_OK && last.count == 3
       && last.time == 1001000 && last.since == 1000000
       && last.instance[7] == 3, "three times in a row");

    unit_board_refuse("atlas", 1, 6, 1002000, 0);
    unit_ok(unit_board_last("atlas", 1) == NGX_OK && last.count == 1
       && last.since == 1002000 && last.decision == 6 && !last.has_instance
       && last.about_len == 0,
       "then for another reason, by a request without an id");

    unit_board_refuse("", 3, 3, 1003000, 4);
    unit_board_refuse("busy", 9, 5, 1003001, 5);

    n = ngx_http_wassiit_board_refusals(&board, 1002000, BOARD_LATER, refusals);
    unit_is(n, 3, "three parties of late");
    n = ngx_http_wassiit_board_refusals(&board, 1002001, BOARD_LATER, refusals);
    unit_is(n, 2, "two if not so long ago");
    unit_ok(refusals[0].id_len == 4 && refusals[0].generation == 9
       && refusals[1].id_len == 0 && refusals[1].generation == 3,
       "the newest first");

    unit_ok(ngx_http_wassiit_board_is_due(&board, 3, 10)
       && !ngx_http_wassiit_board_is_due(&board, 3, 10)
       && ngx_http_wassiit_board_is_due(&board, 4, 10)
       && ngx_http_wassiit_board_is_due(&board, 3, 11),
       "strangers are noted once a second, by each reason");

    ngx_http_wassiit_board_unmap(&board);
}


/* Whoever was refused last is known as long as there are not too many. */

static void
unit_board_evicted(void)
{
    char        text[32];
    refusal_t   refusals[NGX_HTTP_WASSIIT_BOARD_RECENT];
    ngx_uint_t  i, n, known;

    unit_board_make(&board);

    for (i = 0; i < 20000; i++) {
        (void) snprintf(text, sizeof(text), "partner-%d", (int) i);
        unit_board_refuse(text, i + 1, 5, 1000000 + i, 1);
    }

    for (i = 19000, known = 0; i < 20000; i++) {
        (void) snprintf(text, sizeof(text), "partner-%d", (int) i);
        known += (unit_board_last(text, i + 1) == NGX_OK
                  && last.time == 1000000 + i);
    }

    unit_ok(known > 980, "of 20,000, the last thousand are known: %d",
            (int) known);
    unit_is(unit_board_last("partner-0", 1), NGX_DECLINED, "the first isn't");

    unit_board_refuse("victim", 1, 5, 2000000, 1);

    for (i = 0; i < 6000; i++) {
        (void) snprintf(text, sizeof(text), "busy-%d", (int) (i % 60));
        unit_board_refuse(text, 1, 5, 2000001 + 100 * i, 1);
    }

    n = ngx_http_wassiit_board_refusals(&board, 2000000, BOARD_LATER, refusals);
    unit_is(n, 61, "whoever is refused all the time takes no place of others");
    unit_is(ngx_http_wassiit_board_refusals(&board, 0, BOARD_LATER, refusals),
            NGX_HTTP_WASSIIT_BOARD_RECENT, "a list is as long as it may be");
    unit_ok(refusals[0].time == 2599901 && refusals[60].time == 2000000
       && refusals[61].time == 1019999, "the newest first");

    ngx_http_wassiit_board_unmap(&board);
}


/* Whether what it is about isn't what was noted with its instance. */

static ngx_uint_t
unit_board_mixed(refusal_t *refusal)
{
    u_char      c;
    ngx_uint_t  i;

    if (!refusal->has_instance) {
        return refusal->about_len != 0;
    }

    c = refusal->instance[0];

    for (i = 0; i < refusal->about_len; i++) {
        if (refusal->about[i] != 'a' + c % 26) {
            return 1;
        }
    }

    return refusal->about_len != c % (NGX_HTTP_WASSIIT_BOARD_ABOUT + 1);
}


/*
 * Many processes refuse the same few partners, and others that take their
 * places; some are killed.  Whatever is read is of one of them.
 */

static void
unit_board_torn(void)
{
    char        text[32];
    pid_t       pids[BOARD_WORKERS];
    refusal_t   refusals[NGX_HTTP_WASSIIT_BOARD_RECENT], *refusal;
    ngx_uint_t  i, k, n, wrong, mixed, seen;
    unsigned    seed;

    unit_board_make(&board);

    for (i = 0; i < BOARD_WORKERS; i++) {
        pids[i] = unit_fork();

        if (pids[i] == 0) {
            seed = i;

            for (k = 0; /* void */ ; k++) {
                n = rand_r(&seed) % 7000;
                (void) snprintf(text, sizeof(text), "%.*s-%d", (int) (n % 20),
                                "pppppppppppppppppppp", (int) n);
                unit_board_refuse(text, n + 1, 1 + n % 15,
                                  1000000 + 20000 * k, 1 + n % 200);
            }
        }
    }

    wrong = 0;
    mixed = 0;
    seen = 0;

    for (k = 0; k < 3000 || seen < 10000; k++) {

        if (k == 1000) {
            for (i = 0; i < BOARD_WORKERS / 2; i++) {
                (void) kill(pids[i], SIGKILL);
            }
        }

        n = ngx_http_wassiit_board_refusals(&board, 0, BOARD_LATER, refusals);
        seen += n;

        for (i = 0; i < n; i++) {
            refusal = &refusals[i];
            (void) snprintf(text, sizeof(text), "%.*s-%d",
                            (int) ((refusal->generation - 1) % 20),
                            "pppppppppppppppppppp",
                            (int) refusal->generation - 1);

            wrong += (refusal->id_len != strlen(text)
                      || memcmp(refusal->id, text, refusal->id_len) != 0
                      || refusal->decision
                         != 1 + (refusal->generation - 1) % 15);
            mixed += unit_board_mixed(refusal);
        }
    }

    for (i = 0; i < BOARD_WORKERS; i++) {
        (void) kill(pids[i], SIGKILL);
        (void) waitpid(pids[i], NULL, 0);
    }

    unit_is(wrong, 0, "no id of one with the number or decision of another");
    unit_is(mixed, 0, "nor what one is about with another's request");

    /* whoever comes next is known, whatever those who died have left */

    for (i = 0, wrong = 0; i < 7000; i++) {
        (void) snprintf(text, sizeof(text), "%.*s-%d", (int) (i % 20),
                        "pppppppppppppppppppp", (int) i);
        unit_board_refuse(text, i + 1, 3, (uint64_t) 1 << 50, 77);

        wrong += (unit_board_last(text, i + 1) != NGX_OK || last.decision != 3
                  || last.instance[3] != 77 || !last.has_instance);
    }

    unit_is(wrong, 0, "and who is refused then is known");

    ngx_http_wassiit_board_unmap(&board);
}


/* Whatever has written over it, nobody is led astray. */

static void
unit_board_damaged(void)
{
    sums_t      sums;
    id_t_       ids[NGX_HTTP_WASSIIT_BOARD_ACTIVE];
    refusal_t   refusals[NGX_HTTP_WASSIIT_BOARD_RECENT];
    ngx_uint_t  i, truncated;

    static const u_char  over[] = { 0xff, 0x7f, 0x01, 0x00 };

    for (i = 0; i < sizeof(over); i++) {
        unit_board_make(&board);

        ngx_memset(board.memory->head + 1, over[i],
                   board.memory->head->size
                   - sizeof(ngx_http_wassiit_memory_head_t));

        ngx_http_wassiit_board_sums(&board, &sums);
        (void) ngx_http_wassiit_board_active(&board, 0, BOARD_LATER, ids,
                                             NGX_HTTP_WASSIIT_BOARD_ACTIVE,
                                             &truncated);
        (void) ngx_http_wassiit_board_chosen(&board, BOARD_NOW, ids);
        (void) ngx_http_wassiit_board_refusals(&board, 0, BOARD_LATER,
                                               refusals);
        (void) unit_board_last("atlas", 1);

        ngx_http_wassiit_board_count(&board, 1, 200, 0, 1);
        unit_board_ask("atlas", BOARD_MS);
        ngx_http_wassiit_board_choose(&board, (u_char *) "atlas", 5,
                                      BOARD_NOW);
        unit_board_refuse("atlas", 1, 5, 1000000, 1);

        ngx_http_wassiit_board_join(&board);
        unit_ok(board.own == NULL, "nobody has a place in what was written "
                "over with %02x", over[i]);

        ngx_http_wassiit_board_unmap(&board);
    }
}
