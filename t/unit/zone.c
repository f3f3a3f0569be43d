
/*
 * A zone whose readers and writers stop or die at any instruction: what they
 * left is whole for everyone else, no memory is used again that a stopped
 * reader may still write to, and whoever asks is answered.
 *
 * A child is followed by ptrace(): it goes so many instructions, and no further
 * until it is let go.  Where it stops is counted from the beginning of what it
 * does, so that the stops lie all over it.
 */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_zone_load.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>


#define MEMORY          ((size_t) 96 * 1024)
#define PARTNERS        8
#define OTHERS          150         /* as many as may find room, and more */
#define STOPS           50
#define STEPS_MOST      2000000


typedef struct {
    uint64_t                      later;    /* the clock's, in microseconds */
    uint32_t                      done;
    ngx_int_t                     rc[4];
} unit_shared_t;


typedef struct {
    ngx_http_wassiit_record_t     rec;
    ngx_http_wassiit_key_t        key;
    char                          id[16];
} unit_partner_t;


ngx_uint_t                       ngx_pagesize = 4096;

static unit_shared_t            *shared;
static ngx_http_wassiit_store_t  store_of;
static ngx_http_wassiit_zone_t   zone;
static unit_partner_t            partners[PARTNERS + OTHERS];
static u_char                    names[NGX_HTTP_WASSIIT_NAMES_LEN];


static void unit_zone_make(unit_partner_t *p, const char *id, uint32_t limit);
static ngx_int_t unit_zone_new(void);
static ngx_int_t unit_zone_reload(void);
static ngx_int_t unit_zone_apply(unit_partner_t *p);
static ngx_int_t unit_zone_find(unit_partner_t *p,
    ngx_http_wassiit_partner_t *found);
static uint64_t unit_zone_sum(ngx_uint_t from);
static ngx_uint_t unit_zone_step(void (*run)(void), ngx_uint_t steps,
    pid_t *pid);
static ngx_uint_t unit_zone_go_on(pid_t pid);
static void unit_zone_kill(pid_t pid);
static void unit_zone_request(void);
static void unit_zone_take(void);
static void unit_zone_lower(void);
static void unit_zone_delete(void);
static ngx_uint_t unit_zone_changes(ngx_uint_t *held);
static void test_find(void);
static void unit_zone_walks(const char *after, ngx_uint_t most,
    const char *expected, ngx_uint_t more);
static ngx_int_t unit_zone_meet(ngx_http_wassiit_info_t *info, void *data);
static void test_untagged(void);
static void test_tags(void);
static void test_counts(void);
static void unit_zone_between(void);
static void unit_zone_count(ngx_uint_t counter);
static void unit_zone_counted(ngx_uint_t times, const char *what);
static void test_room(void);
static void test_promise(void);
static void test_turn(void);
static void test_reader(void);
static void test_writer(void (*run)(void), const char *what);
static void test_close(void);
static void unit_zone_leave(uint32_t left);
static void test_between(void);
static void test_late(void);
static void test_keyless(void);
static void test_noted(void);
static void test_overlap(void);
static uint32_t unit_zone_left(void);
static ngx_uint_t unit_zone_former(time_t now);
static ngx_uint_t unit_zone_signs(time_t now);


/* The clock is the test's. */

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    int       rc;
    uint64_t  us;

    rc = (int) syscall(SYS_clock_gettime, clock, ts);

    us = (uint64_t) ts->tv_sec * 1000000 + ts->tv_nsec / 1000
         + (shared ? shared->later : 0);

    ts->tv_sec = us / 1000000;
    ts->tv_nsec = us % 1000000 * 1000;

    return rc;
}


int
main(void)
{
    unit_start();

    shared = mmap(NULL, sizeof(unit_shared_t), PROT_READ|PROT_WRITE,
                  MAP_ANON|MAP_SHARED, -1, 0);

    if (shared == MAP_FAILED) {
        perror("mmap()");
        return 2;
    }

    test_find();
    test_untagged();
    test_tags();
    test_counts();
    test_room();
    test_promise();
    test_turn();
    test_between();
    test_late();
    test_keyless();
    test_noted();
    test_overlap();

    test_reader();
    test_writer(unit_zone_lower, "a rate is changed");
    test_writer(unit_zone_delete, "a partner is deleted");
    test_close();

    return unit_done();
}


static void
unit_zone_make(unit_partner_t *p, const char *id, uint32_t limit)
{
    ngx_memzero(p, sizeof(unit_partner_t));

    ngx_memcpy(p->id, id, ngx_min(strlen(id), sizeof(p->id) - 1));

    ngx_wassiit_key_digest((u_char *) p->id, strlen(p->id), p->key.digest);
    p->key.expires = INT64_MAX;
    ngx_str_set(&p->key.id, "k1");

    p->rec.id.data = (u_char *) p->id;
    p->rec.id.len = strlen(p->id);
    ngx_str_set(&p->rec.name, "A partner");
    p->rec.keys = &p->key;
    p->rec.nkeys = 1;
    p->rec.enabled = 1;
    p->rec.scopes = 63;
    p->rec.rate.limit = limit;
    p->rec.rate.seconds = 1;
}


/* a zone with the first PARTNERS partners; the test's process is a writer */

static ngx_int_t
unit_zone_new(void)
{
    ngx_uint_t  i;
    char        id[16];

    ngx_http_wassiit_zone_unmap(&zone);

    ngx_memzero(shared, sizeof(unit_shared_t));
    ngx_memzero(&zone, sizeof(ngx_http_wassiit_zone_t));
    ngx_memzero(&store_of, sizeof(ngx_http_wassiit_store_t));
    unit_log_forget();

    ngx_str_set(&zone.name, "z");
    ngx_str_set(&zone.file, "f");
    zone.rate.limit = 50;
    zone.rate.seconds = 1;
    zone.store = &store_of;

    zone.size = MEMORY;

    for (i = 0; i < PARTNERS + OTHERS; i++) {
        (void) snprintf(id, sizeof(id), i < PARTNERS ? "p%d" : "o%d", (int) i);
        unit_zone_make(&partners[i], id, 50);
    }

    for (i = 0; i < PARTNERS - 1; i++) {
        partners[i].rec.next = &partners[i + 1].rec;
    }

    store_of.records = &partners[0].rec;
    store_of.partners = PARTNERS;

    if (ngx_http_wassiit_zone_map(&zone, NULL, 0, &unit_log) != NGX_OK
        || ngx_http_wassiit_zone_check_load(&zone, &unit_log) != NGX_OK)
    {
        unit_note("%s", unit_logged);
        return NGX_ERROR;
    }

    ngx_http_wassiit_zone_load(&zone, &unit_log);

    return NGX_OK;
}


static ngx_int_t
unit_zone_reload(void)
{
    zone.store = &store_of;

    if (ngx_http_wassiit_zone_check_load(&zone, &unit_log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_wassiit_zone_load(&zone, &unit_log);

    return NGX_OK;
}


/* As a change does it: is there room, and then it is made. */

static ngx_int_t
unit_zone_apply(unit_partner_t *p)
{
    ngx_int_t                   rc;
    ngx_http_wassiit_info_t     info;
    ngx_http_wassiit_journal_t  journal;

    rc = ngx_http_wassiit_zone_known(&zone, &journal);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_wassiit_zone_room(&zone, &p->rec);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = ngx_http_wassiit_zone_apply(&zone, &p->rec, &info, &unit_log);

    if (rc == NGX_OK && !p->rec.deleted
        && info.tag != ngx_http_wassiit_zone_tag(&zone, &p->rec))
    {
        unit_note("the tag isn't of what was applied");
        return NGX_ABORT;
    }

    return rc;
}


static ngx_int_t
unit_zone_find(unit_partner_t *p, ngx_http_wassiit_partner_t *found)
{
    found->names = names;

    return ngx_http_wassiit_zone_find(&zone, p->key.digest, found, NULL);
}


/* all that is to be seen of the partners from this one on */

static uint64_t
unit_zone_sum(ngx_uint_t from)
{
    uint64_t                     sum;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_wassiit_info_t      info;
    ngx_http_wassiit_partner_t   found;

    sum = 0;

    for (i = from; i < PARTNERS + OTHERS; i++) {
        ngx_memzero(&info, sizeof(info));
        ngx_memzero(&found, sizeof(found));

        rc = ngx_http_wassiit_zone_get_locked(&zone, &partners[i].rec.id,
                                              &info);
        info.usage.reset = 0;
        sum = sum * 31 + rc;

        if (rc == NGX_OK) {
            sum = sum * 31 + ngx_murmur_hash2((u_char *) &info, sizeof(info));
        }

        rc = unit_zone_find(&partners[i], &found);
        found.names = NULL;
        found.turn = 0;
        sum = sum * 31 + rc;

        if (rc == NGX_OK) {
            sum = sum * 31 + ngx_murmur_hash2((u_char *) &found,
                                              sizeof(found));
        }

        ngx_http_wassiit_zone_unpin(&zone);
    }

    return sum;
}


/*
 * Has a child run so many instructions: it stands there, traced.  Returns how
 * many it went, less if it came to its end before.
 */

static ngx_uint_t
unit_zone_step(void (*run)(void), ngx_uint_t steps, pid_t *pid)
{
    int         status;
    ngx_uint_t  n;

    shared->done = 0;
    *pid = unit_fork();

    if (*pid == 0) {
        (void) ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        ngx_http_wassiit_zone_join(&zone, NULL, NULL);
        raise(SIGSTOP);
        run();
        __atomic_store_n(&shared->done, 1, __ATOMIC_RELEASE);
        raise(SIGSTOP);
        _exit(0);
    }

    (void) waitpid(*pid, &status, 0);

    for (n = 0; n < steps; n++) {

        if (__atomic_load_n(&shared->done, __ATOMIC_ACQUIRE)
            || ptrace(PTRACE_SINGLESTEP, *pid, NULL, NULL) == -1)
        {
            break;
        }

        if (waitpid(*pid, &status, 0) != *pid || !WIFSTOPPED(status)) {
            break;
        }
    }

    return n;
}


/* Lets it go.  Returns whether it came to its end, and that a good one. */

static ngx_uint_t
unit_zone_go_on(pid_t pid)
{
    int  status;

    for ( ;; ) {
        if (ptrace(PTRACE_CONT, pid, NULL, NULL) == -1
            || waitpid(pid, &status, 0) != pid)
        {
            return 0;
        }

        if (WIFEXITED(status)) {
            return WEXITSTATUS(status) == 0 && shared->done;
        }

        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
            /* a fault is a stop, too */
            unit_note("signal %d", WIFSTOPPED(status) ? WSTOPSIG(status)
                                                      : WTERMSIG(status));
            unit_zone_kill(pid);
            return 0;
        }
    }
}


static void
unit_zone_kill(pid_t pid)
{
    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
}


/* a request of the first partner: two of its window's admissions are over */

static void
unit_zone_request(void)
{
    ngx_wassiit_usage_t         usage;
    ngx_http_wassiit_partner_t  found;

    shared->rc[0] = unit_zone_find(&partners[0], &found);

    if (shared->rc[0] == NGX_OK) {
        shared->rc[1] = ngx_http_wassiit_zone_take(&zone, &found, &usage);
        ngx_http_wassiit_zone_used(&zone, &found, 1000000000);
        ngx_http_wassiit_zone_count(&zone, &found, 0);
    }
}


static void
unit_zone_take(void)
{
    ngx_wassiit_usage_t         usage;
    ngx_http_wassiit_partner_t  found;

    shared->rc[0] = unit_zone_find(&partners[0], &found);
    shared->rc[1] = ngx_http_wassiit_zone_take(&zone, &found, &usage);
}


static void
unit_zone_lower(void)
{
    partners[0].rec.rate.limit = 30;
    shared->rc[2] = unit_zone_apply(&partners[0]);
}


static void
unit_zone_delete(void)
{
    partners[0].rec.deleted = 1;
    shared->rc[2] = unit_zone_apply(&partners[0]);
}


/*
 * What operators do meanwhile: the first partner goes, others come until the
 * zone is full, some go, a rate changes.  Returns whether all were answered;
 * sets held if there was no room but what a stopped reader may see.
 */

static ngx_uint_t
unit_zone_changes(ngx_uint_t *held)
{
    ngx_int_t   rc;
    ngx_uint_t  i, last;

    *held = 0;

    partners[0].rec.deleted = 1;

    if (unit_zone_apply(&partners[0]) != NGX_OK) {
        return 0;
    }

    for (i = PARTNERS; i < PARTNERS + OTHERS; i++) {
        rc = unit_zone_apply(&partners[i]);

        if (rc != NGX_OK) {
            break;
        }
    }

    last = i;
    *held = (rc == NGX_AGAIN);

    if (rc != NGX_AGAIN && rc != NGX_DECLINED) {
        return 0;
    }

    /* what needs no room is done all the same */

    partners[1].rec.enabled = 0;

    if (unit_zone_apply(&partners[1]) != NGX_OK) {
        return 0;
    }

    partners[2].rec.deleted = 1;

    if (unit_zone_apply(&partners[2]) != NGX_OK || last == PARTNERS) {
        return 0;
    }

    partners[PARTNERS].rec.rate.limit = 20;
    rc = unit_zone_apply(&partners[PARTNERS]);

    return rc == NGX_OK || rc == NGX_AGAIN;
}


static void
test_find(void)
{
    ngx_wassiit_usage_t         usage;
    ngx_http_wassiit_partner_t  found;

    if (unit_zone_new() != NGX_OK) {
        unit_ok(0, "a zone is made");
        return;
    }

    unit_is(unit_zone_find(&partners[3], &found), NGX_OK, "a key is found");
    unit_ok(found.id_len == 2 && ngx_memcmp(found.names, "p3k1A partner", 13)
               == 0
            && found.scopes == 63 && found.enabled,
            "with all that is known of its partner");
    unit_is(unit_zone_find(&partners[PARTNERS], &found), NGX_DECLINED,
            "another is not");

    (void) unit_zone_find(&partners[3], &found);
    unit_is(ngx_http_wassiit_zone_take(&zone, &found, &usage), NGX_OK,
            "a request is admitted");
    unit_is(usage.remaining, 49, "and counted");

    unit_zone_walks("p3", 2, "p4p5", 1);
    unit_zone_walks("p2x", 100, "p3p4p5p6p7", 0);
    unit_zone_walks("", PARTNERS, "p0p1p2p3p4p5p6p7", 0);
    unit_zone_walks("p7", 1, "", 0);

    unit_is(unit_zone_apply(&partners[PARTNERS]), NGX_OK,
            "a partner is made");
    unit_is(unit_zone_find(&partners[PARTNERS], &found), NGX_OK,
            "its key is found");
}


/* So many at the most are met after this id, in order. */

static void
unit_zone_walks(const char *after, ngx_uint_t most, const char *expected,
    ngx_uint_t more)
{
    char        met[3 * PARTNERS + 1];
    ngx_str_t   id;
    ngx_uint_t  rc;

    met[0] = '\0';
    id.data = (u_char *) after;
    id.len = strlen(after);

    rc = ngx_http_wassiit_zone_walk(&zone, &id, most, unit_zone_meet, met);
    ngx_http_wassiit_zone_unpin(&zone);

    unit_ok(rc == more && strcmp(met, expected) == 0,
            "a walk of %d after \"%s\" meets \"%s\"", (int) most, after, met);
}


static ngx_int_t
unit_zone_meet(ngx_http_wassiit_info_t *info, void *data)
{
    char  *met = data;

    (void) strncat(met, (char *) info->id, info->id_len);

    return NGX_OK;
}


/* Who reads no tag gets all the rest. */

static void
test_untagged(void)
{
    ngx_http_wassiit_info_t  all, info;

    (void) unit_zone_new();

    ngx_memzero(&all, sizeof(all));
    ngx_memzero(&info, sizeof(info));

    (void) ngx_http_wassiit_zone_get(&zone, &partners[2].rec.id, &all);
    (void) ngx_http_wassiit_zone_get_untagged(&zone, &partners[2].rec.id,
                                              &info);
    ngx_http_wassiit_zone_unpin(&zone);

    unit_ok(all.tag != 0 && info.tag == 0, "no tag is made for a list");

    info.tag = all.tag;
    unit_ok(info.nkeys == 1 && memcmp(&info, &all, sizeof(info)) == 0,
            "and the rest is there");
}


/* Tags are a zone's own, unless two share what they are made by. */

static void
test_tags(void)
{
    ngx_uint_t               i;
    ngx_http_wassiit_info_t  info[5];
    u_char                   seed[NGX_HTTP_WASSIIT_TAG_SEED];
    u_char                   another[NGX_HTTP_WASSIIT_TAG_SEED];

    for (i = 0; i < 5; i++) {
        (void) unit_zone_new();

        if (i == 0) {
            ngx_http_wassiit_zone_tag_seed(&zone, seed);

        } else if (i > 1) {
            ngx_http_wassiit_zone_share_tags(&zone, seed,
                                             (i > 2) ? (u_char *) "k" : NULL,
                                             1);
            ngx_http_wassiit_zone_tag_seed(&zone, another);
        }

        ngx_memzero(&info[i], sizeof(info[i]));
        (void) ngx_http_wassiit_zone_get(&zone, &partners[2].rec.id, &info[i]);
        ngx_http_wassiit_zone_unpin(&zone);

        unit_ok(info[i].tag == ngx_http_wassiit_zone_tag(&zone,
                                                         &partners[2].rec),
                "a tag is what readers and writers have");
    }

    unit_ok(info[0].tag != info[1].tag, "two zones have other tags");
    unit_ok(info[0].tag == info[2].tag, "of the same seed they have the same");
    unit_ok(info[0].tag != info[3].tag, "with a key they are others");
    unit_ok(info[3].tag == info[4].tag, "and with the same key the same");
    unit_ok(memcmp(seed, another, sizeof(seed)) == 0, "the seed is told");
}


/* Each counter is its own, and goes on whatever becomes of its partner. */

static void
test_counts(void)
{
    ngx_uint_t                   i, n;
    ngx_http_wassiit_profile_t  *profile;

    (void) unit_zone_new();

    for (i = 0; i < NGX_HTTP_WASSIIT_COUNTS; i++) {
        for (n = 0; n <= i; n++) {
            unit_zone_count(i);
        }
    }

    unit_zone_counted(1, "as often as it was counted");

    partners[2].rec.scopes = 3;
    (void) unit_zone_apply(&partners[2]);
    unit_zone_counted(1, "after a change");

    partners[2].rec.rate.limit = 60;
    (void) unit_zone_apply(&partners[2]);
    unit_zone_counted(1, "after a change of its rate");

    unit_zone_between();
    unit_zone_counted(2, "also while a rate is being changed");

    (void) unit_zone_reload();
    unit_zone_counted(2, "after a reload");

    profile = ngx_http_wassiit_zone_at(zone.sh,
                                       ngx_http_wassiit_plan_lookup(&zone,
                                                       &partners[2].rec));
    profile->counts[1] = ZONE_RARE_MOST - 1;

    for (n = 0; n < 3; n++) {
        unit_zone_count(NGX_HTTP_WASSIIT_COUNT_RARE + 1);
    }

    unit_is(profile->counts[1], ZONE_RARE_MOST,
            "a small counter stops at its most");

    partners[2].rec.deleted = 1;
    (void) unit_zone_apply(&partners[2]);
    partners[2].rec.deleted = 0;
    (void) unit_zone_apply(&partners[2]);
    unit_zone_counted(0, "of one that is made anew");
}


/* A load puts all in force before it takes away what was. */

static void
unit_zone_between(void)
{
    uint32_t                 former, place;
    ngx_uint_t               i, n;
    ngx_http_wassiit_plan_t  plan;

    (void) ngx_http_wassiit_mend_lock(&zone, 1000);

    partners[2].rec.rate.limit = 70;
    former = ngx_http_wassiit_plan_lookup(&zone, &partners[2].rec);
    ngx_http_wassiit_plan_make(&zone, &partners[2].rec, former, &plan);
    place = ngx_http_wassiit_partner_prepare(&zone, &plan);

    ngx_http_wassiit_partner_publish(&zone, place, former);

    for (i = 0; i < NGX_HTTP_WASSIIT_COUNTS; i++) {
        for (n = 0; n <= i; n++) {
            unit_zone_count(i);
        }
    }

    ngx_http_wassiit_partner_finish(&zone, place, former);
    ngx_http_wassiit_mend_unlock(&zone);
}


static void
unit_zone_count(ngx_uint_t counter)
{
    ngx_http_wassiit_partner_t  found;

    (void) unit_zone_find(&partners[2], &found);
    ngx_http_wassiit_zone_count(&zone, &found, counter);
    ngx_http_wassiit_zone_unpin(&zone);
}


/* Each counter of a partner, and of the one beside it, is as it should be. */

static void
unit_zone_counted(ngx_uint_t times, const char *what)
{
    ngx_uint_t               i, wrong;
    ngx_http_wassiit_info_t  info;

    wrong = 0;

    (void) ngx_http_wassiit_zone_get(&zone, &partners[2].rec.id, &info);

    for (i = 0; i < NGX_HTTP_WASSIIT_COUNTS; i++) {
        wrong += (info.counts[i] != times * (i + 1));
    }

    (void) ngx_http_wassiit_zone_get(&zone, &partners[3].rec.id, &info);

    for (i = 0; i < NGX_HTTP_WASSIIT_COUNTS; i++) {
        wrong += (info.counts[i] != 0);
    }

    ngx_http_wassiit_zone_unpin(&zone);

    unit_ok(wrong == 0, "counters: %s", what);
}


/* A zone says yes as long as it has room, whatever was freed just before. */

static void
test_room(void)
{
    ngx_int_t   rc;
    ngx_uint_t  i, n;

    (void) unit_zone_new();
    rc = NGX_OK;

    for (n = PARTNERS; n < PARTNERS + OTHERS && rc == NGX_OK; n++) {
        rc = unit_zone_apply(&partners[n]);
    }

    n--;
    unit_is(rc, NGX_DECLINED, "a full zone says so");

    for (i = 0; i < 100; i++) {
        partners[1].rec.deleted = 1;
        rc = unit_zone_apply(&partners[1]);

        if (rc != NGX_OK) {
            break;
        }

        partners[1].rec.deleted = 0;
        rc = unit_zone_apply(&partners[1]);

        if (rc != NGX_OK) {
            break;
        }
    }

    unit_is(i, 100, "one goes and one comes, at once, a hundred times");

    partners[2].rec.deleted = 1;
    partners[n - 1].rec.deleted = 1;
    (void) unit_zone_apply(&partners[2]);
    (void) unit_zone_apply(&partners[n - 1]);

    for (i = 0; i < 1000; i++) {
        partners[3].rec.rate.limit = 40 + i % 2 * 10;

        if (unit_zone_apply(&partners[3]) != NGX_OK) {
            break;
        }
    }

    unit_is(i, 1000, "a rate is changed a thousand times, at once");
    unit_is(unit_zone_reload(), NGX_OK, "a reload finds room");
}


/* Room that a change was promised is there when it is made. */

static void
test_promise(void)
{
    ngx_int_t   rc;
    ngx_uint_t  n;

    (void) unit_zone_new();
    rc = NGX_OK;

    for (n = PARTNERS; n < PARTNERS + OTHERS && rc == NGX_OK; n++) {
        rc = unit_zone_apply(&partners[n]);
    }

    n--;
    partners[1].rec.deleted = 1;
    (void) unit_zone_apply(&partners[1]);

    unit_is(ngx_http_wassiit_zone_room(&zone, &partners[n].rec), NGX_OK,
            "what one leaves is room");

    /* while another one goes, a reader without a slot comes and stays */

    partners[2].rec.deleted = 1;
    (void) unit_zone_apply(&partners[2]);
    ngx_wassiit_epoch_pin(ngx_http_wassiit_zone_epoch(zone.sh), NULL);

    unit_is(ngx_http_wassiit_zone_room(&zone, &partners[n].rec), NGX_OK,
            "and stays room");
    unit_is(ngx_http_wassiit_zone_apply(&zone, &partners[n].rec, NULL,
                                        &unit_log),
            NGX_OK, "for who was promised it");

    ngx_wassiit_epoch_unpin(ngx_http_wassiit_zone_epoch(zone.sh), NULL);
}


/* What was found in a former turn is looked for again. */

static void
test_turn(void)
{
    ngx_wassiit_usage_t         usage;
    ngx_http_wassiit_partner_t  found;

    (void) unit_zone_new();

    (void) unit_zone_find(&partners[0], &found);
    ngx_http_wassiit_zone_unpin(&zone);

    unit_is(ngx_http_wassiit_zone_take(&zone, &found, &usage), NGX_OK,
            "a partner that is still there is found again");

    ngx_http_wassiit_zone_unpin(&zone);

    partners[0].rec.deleted = 1;
    (void) unit_zone_apply(&partners[0]);
    partners[0].rec.deleted = 0;
    (void) unit_zone_apply(&partners[0]);

    unit_is(ngx_http_wassiit_zone_take(&zone, &found, &usage), NGX_ERROR,
            "one of the same id that came after it is another one");
}


static void
test_reader(void)
{
    pid_t       pid;
    uint64_t    sum;
    ngx_uint_t  i, all, went, bad, held, helds, deaths, unanswered, late;

    if (unit_zone_new() != NGX_OK) {
        unit_ok(0, "a zone is made");
        return;
    }

    all = unit_zone_step(unit_zone_request, STEPS_MOST, &pid);
    unit_zone_kill(pid);

    unit_note("a request is %d instructions", (int) all);
    unit_ok(all > STOPS && all < STEPS_MOST, "a request comes to its end");

    bad = 0;
    helds = 0;
    deaths = 0;
    unanswered = 0;
    late = 0;

    for (i = 0; i < STOPS; i++) {
        (void) unit_zone_new();
        unit_zone_take();
        unit_zone_take();
        ngx_http_wassiit_zone_unpin(&zone);

        /* both leave the span */
        shared->later = 1050000;

        went = unit_zone_step(unit_zone_request, all * i / STOPS, &pid);

        unanswered += !unit_zone_changes(&held);
        unanswered += (unit_zone_reload() != NGX_OK);
        helds += held;

        sum = unit_zone_sum(1);

        if (!unit_zone_go_on(pid)) {
            unit_note("a worker died that was stopped at %d of %d",
                      (int) went, (int) all);
            deaths++;
        }

        if (unit_zone_sum(1) != sum) {
            unit_note("others differ after a stop at %d of %d", (int) went,
                      (int) all);
            bad++;
        }

        /* as soon as it goes on, there is room again */
        late += (unit_zone_apply(&partners[PARTNERS + OTHERS - 1]) != NGX_OK);
    }

    unit_is(unanswered, 0, "while a worker is stopped, who asks is answered");
    unit_ok(helds > STOPS / 2 && helds < STOPS,
            "what it may see is not used again (%d of %d stops)",
            (int) helds, STOPS);
    unit_is(deaths, 0, "it goes on, and lives");
    unit_is(bad, 0, "no other partner differs by a bit");
    unit_is(late, 0, "and what was held up is done");
}


/* A writer that dies anywhere: the next one, and a reload, put all right. */

static void
test_writer(void (*run)(void), const char *what)
{
    pid_t                       pid;
    ngx_int_t                   rc;
    ngx_uint_t                  i, all, torn, wrong, refused, busy;
    ngx_wassiit_usage_t         usage;
    ngx_http_wassiit_info_t     info;
    ngx_http_wassiit_partner_t  found;

    (void) unit_zone_new();

    all = unit_zone_step(run, STEPS_MOST, &pid);
    unit_zone_kill(pid);

    unit_note("%s: %d instructions", what, (int) all);

    torn = 0;
    wrong = 0;
    refused = 0;
    busy = 0;

    for (i = 0; i < STOPS; i++) {
        (void) unit_zone_new();

        (void) unit_zone_step(run, all * i / STOPS, &pid);

        /* while it is stopped, readers go on */

        rc = unit_zone_find(&partners[0], &found);

        if (rc == NGX_OK) {
            rc = ngx_http_wassiit_zone_take(&zone, &found, &usage);
            refused += (rc != NGX_OK && rc != NGX_ERROR);
        }

        ngx_http_wassiit_zone_unpin(&zone);

        if (i % 5 == 0) {
            /* which waits for a while */
            rc = unit_zone_apply(&partners[1]);
            busy += (rc != NGX_OK && rc != NGX_AGAIN && rc != NGX_DECLINED);
        }

        unit_zone_kill(pid);

        /* as the next one brings a change to its end */

        run();
        rc = shared->rc[2];
        torn += (rc != NGX_OK);

        rc = ngx_http_wassiit_zone_get_locked(&zone, &partners[0].rec.id,
                                              &info);
        wrong += partners[0].rec.deleted ? rc != NGX_DECLINED
                                         : rc != NGX_OK
                                           || info.rate.limit != 30
                                           || info.nkeys != 1;
        wrong += (unit_zone_reload() != NGX_OK);
        wrong += (ngx_http_wassiit_zone_partners(&zone)
                  != PARTNERS - (partners[0].rec.deleted != 0));
    }

    unit_is(refused, 0, "its partner's requests go on meanwhile");
    unit_is(busy, 0, "who changes another partner is answered");
    unit_is(torn, 0, "the next writer does it again");
    unit_is(wrong, 0, "and nothing is left of the dead one");
}


/*
 * A window that a dead writer has left to be moved is moved by readers; one of
 * them is stopped in that.
 */

static void
test_close(void)
{
    pid_t       writer, pid;
    uint64_t    sum;
    ngx_uint_t  i, n, all, most, at, bad, deaths, held, unanswered;

    /* the death that leaves the longest way to a reader */

    (void) unit_zone_new();
    all = unit_zone_step(unit_zone_lower, STEPS_MOST, &writer);
    unit_zone_kill(writer);

    most = 0;
    at = 0;

    for (i = STOPS / 2; i < STOPS; i++) {
        (void) unit_zone_new();
        unit_zone_take();
        ngx_http_wassiit_zone_unpin(&zone);

        (void) unit_zone_step(unit_zone_lower, all * i / STOPS, &writer);
        unit_zone_kill(writer);

        n = unit_zone_step(unit_zone_take, STEPS_MOST, &pid);
        unit_zone_kill(pid);

        if (n > most) {
            most = n;
            at = all * i / STOPS;
        }
    }

    unit_note("the longest is %d instructions", (int) most);

    bad = 0;
    deaths = 0;
    unanswered = 0;

    for (i = 0; i < STOPS; i++) {
        (void) unit_zone_new();
        unit_zone_take();
        ngx_http_wassiit_zone_unpin(&zone);

        (void) unit_zone_step(unit_zone_lower, at, &writer);
        unit_zone_kill(writer);

        (void) unit_zone_step(unit_zone_take, most * i / STOPS, &pid);

        unanswered += !unit_zone_changes(&held);
        sum = unit_zone_sum(1);

        deaths += !unit_zone_go_on(pid);
        bad += (unit_zone_sum(1) != sum);
    }

    unit_is(unanswered, 0, "a reader is stopped that closes a window: "
                           "who asks is answered");
    unit_is(deaths, 0, "it goes on, and lives");
    unit_is(bad, 0, "no other partner differs by a bit");
}


/* Takes all lines but so many, for nothing. */

static void
unit_zone_leave(uint32_t left)
{
    ngx_wassiit_lines_t  *lines;

    lines = ngx_http_wassiit_zone_lines(zone.sh);

    while (ngx_wassiit_lines_left(lines) > left) {
        (void) ngx_wassiit_lines_alloc(lines, ZONE_COLD, 1);
    }
}


/* More is in use of a window when a load begins than there was at its check. */

static void
test_between(void)
{
    ngx_uint_t                  i;
    ngx_wassiit_usage_t         usage;
    ngx_http_wassiit_partner_t  found;

    (void) unit_zone_new();

    partners[0].rec.rate.limit = 1000;
    partners[0].rec.rate.seconds = 86400;
    (void) unit_zone_reload();

    unit_zone_leave(60);
    partners[0].rec.rate.limit = 5;
    zone.store = &store_of;

    unit_is(ngx_http_wassiit_zone_check_load(&zone, &unit_log), NGX_OK,
            "a load that lowers a rate finds room");

    for (i = 0; i < 900; i++) {
        (void) unit_zone_find(&partners[0], &found);
        (void) ngx_http_wassiit_zone_take(&zone, &found, &usage);
    }

    ngx_http_wassiit_zone_unpin(&zone);
    ngx_http_wassiit_zone_load(&zone, &unit_log);

    unit_is(unit_zone_find(&partners[0], &found), NGX_OK,
            "and still does after 900 requests more");
    ngx_http_wassiit_zone_unpin(&zone);
}


/*
 * A change for which room was made waits for its disk; loads that name another
 * file don't wait for it.
 */

static void
test_late(void)
{
    uint32_t                    line, before;
    unit_partner_t              change;
    ngx_wassiit_lines_t        *lines;
    ngx_http_wassiit_zone_t     late;
    ngx_http_wassiit_journal_t  journal;
    ngx_http_wassiit_partner_t  found;

    (void) unit_zone_new();

    late = zone;
    change = partners[0];
    change.rec.keys = &change.key;
    change.rec.scopes = 7;

    (void) ngx_http_wassiit_zone_known(&late, &journal);
    unit_is(ngx_http_wassiit_zone_room(&late, &change.rec), NGX_OK,
            "there is room for a change");

    partners[0].rec.scopes = 15;
    (void) unit_zone_reload();
    partners[0].rec.scopes = 31;
    (void) unit_zone_reload();

    lines = ngx_http_wassiit_zone_lines(zone.sh);
    (void) unit_zone_find(&partners[0], &found);
    line = found.line;
    before = ngx_wassiit_lines_left(lines);
    ngx_http_wassiit_zone_unpin(&zone);

    unit_is(ngx_http_wassiit_zone_apply(&late, &change.rec, NULL, &unit_log),
            NGX_DECLINED, "which is late: others were loaded meanwhile");
    unit_is(ngx_wassiit_lines_left(lines), before, "it frees nothing");
    unit_is(ngx_wassiit_lines_mark(lines, line, 1), NGX_ERROR,
            "least of all what is in force");
}


/* Such partners are the smallest, so there are most of them. */

static void
test_keyless(void)
{
    ngx_uint_t               i, n, lost;
    static unit_partner_t    many[1000];
    ngx_http_wassiit_info_t  info;
    char                     id[16];

    (void) unit_zone_new();
    unit_log_forget();

    for (n = 0; n < 1000; n++) {
        (void) snprintf(id, sizeof(id), "%d", (int) n);
        unit_zone_make(&many[n], id, 8);
        many[n].rec.nkeys = 0;
        many[n].rec.name.len = 0;

        if (unit_zone_apply(&many[n]) != NGX_OK) {
            break;
        }
    }

    lost = 0;

    for (i = 0; i < n; i++) {
        lost += (ngx_http_wassiit_zone_get_locked(&zone, &many[i].rec.id,
                                                  &info)
                 != NGX_OK);
    }

    unit_ok(n > 200 && n < 1000, "a zone is full of %d without keys", (int) n);
    unit_is(lost, 0, "each of them is found");
}


/* A writer dies before it has noted which profile it replaces. */

static void
test_noted(void)
{
    pid_t                        pid;
    uint32_t                     former, free;
    ngx_uint_t                   i;
    ngx_wassiit_lines_t         *lines;
    ngx_http_wassiit_plan_t      plan;
    ngx_http_wassiit_partner_t   found;
    ngx_http_wassiit_profile_t  *profile;

    (void) unit_zone_new();
    lines = ngx_http_wassiit_zone_lines(zone.sh);
    free = ngx_wassiit_lines_left(lines);

    for (i = 0; i < 5; i++) {
        (void) unit_zone_find(&partners[0], &found);
        ngx_http_wassiit_zone_count(&zone, &found,
                                    NGX_HTTP_WASSIIT_COUNT_RARE);
    }

    ngx_http_wassiit_zone_unpin(&zone);

    pid = fork();

    if (pid == 0) {
        (void) ngx_http_wassiit_mend_lock(&zone, 1000);

        partners[0].rec.scopes = 3;
        former = ngx_http_wassiit_plan_lookup(&zone, &partners[0].rec);
        ngx_http_wassiit_plan_make(&zone, &partners[0].rec, former, &plan);
        zone.sh->coming = ngx_http_wassiit_partner_prepare(&zone, &plan);
        _exit(0);
    }

    (void) waitpid(pid, NULL, 0);

    (void) ngx_http_wassiit_mend_lock(&zone, 1000);

    former = ngx_http_wassiit_plan_lookup(&zone, &partners[0].rec);
    profile = ngx_http_wassiit_zone_at(zone.sh, former);

    unit_is(profile->scopes, 3, "what a dead writer had prepared is in force");
    unit_is(profile->counts[0], 5, "no counter goes back");

    zone.patience = 100;

    while (ngx_http_wassiit_room_reclaim(&zone) == NGX_OK) { /* void */ }

    unit_is(ngx_wassiit_lines_left(lines), free, "and nothing is lost");
    ngx_http_wassiit_mend_unlock(&zone);
}


/* The secrets of a change-over: when they count, and what they take. */

static void
test_overlap(void)
{
    uint32_t                 none, one, two;
    ngx_http_wassiit_info_t  info;

    static struct {
        ngx_http_wassiit_secrets_t  first;
        ngx_http_wassiit_overlap_t  second;
    } secrets;

    (void) unit_zone_new();

    memset(&secrets, 0, sizeof(secrets));
    secrets.first.has_hmac = 1;
    secrets.first.has_webhook = 1;
    memset(&secrets.first.hmac, 0x11, sizeof(secrets.first.hmac));
    memset(&secrets.first.webhook, 0x22, sizeof(secrets.first.webhook));
    secrets.second.former_hmac.inner[0] = 0x5ec2e7f0;
    secrets.second.next_webhook.inner[0] = 0x5ec2e7f1;

    none = unit_zone_left();

    partners[0].rec.secrets = &secrets.first;
    (void) unit_zone_apply(&partners[0]);
    one = unit_zone_left();
    unit_is(none - one, 3, "the secrets of a partner take three lines");
    unit_is(unit_zone_former(1000), 0, "none of them is a former one");
    unit_is(unit_zone_signs(1000), 0x22, "the one of webhooks signs");

    secrets.first.has_former = 1;
    secrets.first.former_expires = 2000;
    secrets.first.has_next = 1;
    secrets.first.next_expires = 3000;
    (void) unit_zone_apply(&partners[0]);
    two = unit_zone_left();
    unit_is(one - two, 2, "a change-over takes two more");
    unit_is(unit_zone_former(1999), 1, "the former one counts");
    unit_is(unit_zone_former(2000), 0, "until its time is over");
    unit_is(unit_zone_former(1999), 1, "by the clock, whatever was before");
    unit_is(unit_zone_signs(2999), 0x2200f1, "both of webhooks sign");
    unit_is(unit_zone_signs(3000), 0xf1, "until the next one takes over");

    (void) ngx_http_wassiit_zone_get_locked(&zone, &partners[0].rec.id, &info);
    unit_ok(info.former_expires == 2000 && info.next_expires == 3000,
            "an operator learns of it");

    secrets.second.former_hmac.inner[0]++;
    (void) unit_zone_apply(&partners[0]);
    unit_is(unit_zone_left(), two, "another one takes its place");
    unit_is(unit_zone_former(1999), 2, "and counts");

    secrets.first.has_former = 0;
    secrets.first.has_next = 0;
    (void) unit_zone_apply(&partners[0]);
    unit_is(unit_zone_left(), one, "at its end they are free");
    unit_is(unit_zone_former(1999), 0, "and count no more");

    secrets.second.former_hmac.inner[0]--;
    unit_ok(memmem(zone.sh, MEMORY, &secrets.second.former_hmac,
                   sizeof(uint32_t)) == NULL
            && memmem(zone.sh, MEMORY, &secrets.second.next_webhook,
                      sizeof(uint32_t)) == NULL,
            "nor is anything left of them");

    (void) ngx_http_wassiit_zone_get_locked(&zone, &partners[0].rec.id, &info);
    unit_ok(info.former_expires == INT64_MIN && info.next_expires == INT64_MIN,
            "which an operator learns");
    ngx_http_wassiit_zone_unpin(&zone);
}


/* The lines that are free when all is free that can be. */

static uint32_t
unit_zone_left(void)
{
    (void) ngx_http_wassiit_mend_lock(&zone, 1000);
    zone.patience = 100;

    while (ngx_http_wassiit_room_reclaim(&zone) == NGX_OK) { /* void */ }

    ngx_http_wassiit_mend_unlock(&zone);

    return ngx_wassiit_lines_left(ngx_http_wassiit_zone_lines(zone.sh));
}


/* Which former secret the first partner has then; 0: none, in no later turn. */

static ngx_uint_t
unit_zone_former(time_t now)
{
    ngx_int_t                   rc;
    ngx_wassiit_hmac_key_t      hmac, former;
    ngx_http_wassiit_partner_t  found;

    found.names = names;
    (void) ngx_http_wassiit_zone_find(&zone, partners[0].key.digest, &found,
                                      &hmac);

    rc = ngx_http_wassiit_zone_former(&zone, &found, now, &former);
    ngx_http_wassiit_zone_unpin(&zone);

    if (ngx_http_wassiit_zone_former(&zone, &found, now, &hmac)
        != NGX_DECLINED)
    {
        return 99;
    }

    return (rc == NGX_OK) ? former.inner[0] - 0x5ec2e7ef : 0;
}


/* What signs then: a byte of the one, behind it one of the next, if any. */

static ngx_uint_t
unit_zone_signs(time_t now)
{
    ngx_uint_t              has_next;
    ngx_wassiit_hmac_key_t  key, next;

    if (ngx_http_wassiit_zone_webhook(&zone, &partners[0].rec.id, now, &key,
                                      &next, &has_next)
        != NGX_OK)
    {
        return 0;
    }

    ngx_http_wassiit_zone_unpin(&zone);

    return has_next ? (key.inner[0] & 0xff) << 16 | (next.inner[0] & 0xff)
                    : (key.inner[0] & 0xff);
}
