
/*
 * Changes of partners in a zone, an instruction at a time.
 *
 * The processor's trap flag raises SIGTRAP after each instruction of a writer,
 * or of a reader.  In its handler others look at the memory as it is between
 * two instructions.  To see what comes of it, we fork: the child does what
 * others do meanwhile, returns from the handler, and so is the one that goes
 * on; or it dies there, and the next writer follows.  Then the memory is put
 * back as it was, for the next step.
 */


#include "unit.h"
#include "stages.h"
#include "steps.h"

#include <dlfcn.h>
#include <sys/prctl.h>
#include <sys/wait.h>


#if (UNIT_STEPS)


/*
 * Of so many steps, one is gone on from, another one in each kind: at all of
 * them others look and take.
 */
#define SOME            3

/*
 * With the sanitizers there are more instructions, and fork() takes ten times
 * as long: there of so many, one is gone on from, or stood still at.
 */
#define THIN            1

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef THIN
#define THIN            12
#endif
#endif


/* how one goes on after a step */

typedef enum {
    GO_LOOK = 0,            /* everyone looks, at each step */
    GO_ON,                  /* a child looks, and goes on */
    GO_DIE                  /* a child dies, another one follows */
} unit_go_e;


static void unit_steps_kind(const unit_kind_t *k);
static void unit_steps_setup(void);
static void unit_steps_begun(void);
static void unit_steps_write(unit_go_e go);
static void unit_steps_looked(void);
static void unit_steps_counted(ngx_uint_t alone);
static void unit_steps_went_on(void);
static void unit_steps_died(void);
static void unit_steps_die(void);
static void unit_steps_follow(void);
static void unit_steps_read(ngx_uint_t letter, ngx_uint_t used,
    ngx_uint_t fill);
static void unit_steps_stood(void);
static ngx_uint_t unit_steps_fork(void);
static void unit_steps_exit(void);
static void unit_steps_adopt(void);
static ngx_uint_t unit_steps_stores(void);
static ngx_uint_t unit_steps_reclaim(void);
static void unit_steps_end_of(ngx_uint_t sweep);


static const unit_kind_t  unit_kinds[] = {
    { "create", 0, { { "n", "FG", 6, 3, 1, 0, 6000 } } },
    { "other scopes and secrets", 0, { { "m", "BC", 56, 3, 2, 0, 5000 } } },
    { "another key for one", 0, { { "m", "BF", 7, 3, TURNS, 0, 5000 } } },
    { "one key more", 0, { { "m", "FBC", 7, 3, TURNS, 0, 5000 } } },
    { "a key is taken, then given", 0, { { "m", "B", 7, 3, TURNS, 0, 5000 },
                                         { "t", "DC", 5, 4, 0, 0, 5000 } } },
    { "a key is given, then taken", 0, { { "t", "DC", 5, 4, 0, 0, 5000 },
                                         { "m", "B", 7, 3, TURNS, 0, 5000 } } },
    { "a lower rate", 0, { { "m", "BC", 7, 2, TURNS, 0, 5000 } } },
    { "a higher rate", 0, { { "m", "BC", 7, 5, TURNS, 0, 5000 } } },
    { "all at once", 0, { { "m", "CF", 48, 5, FORMER(1, 2), 0, 6000 } } },
    { "delete", 0, { { "m", NULL, 0, 0, 0, 0, 0 } } },
    { "amend without room", 1, { { "m", "C", 5, 3, TURNS, 0, 4000 } } },
    { "a later end without room", 1, { { "m", "BC", 7, 3, TURNS, 0, 6000 } } },
    { "disable and enable so", 1, { { "m", "BC", 5, 3, TURNS, 1, 5000 },
                                    { "m", "BC", 12, 3, TURNS, 0, 5000 } } }
};


/* the memory as it is at a change's beginning, now, and at the last step */
static u_char              *saved, *kept, *last;

/* lines that were taken for nothing; lines that are free in each stage */
static uint32_t             taken, room[CHANGES + 1];

/* in a child, which returns from the handler; the names of what is held */
static volatile ngx_uint_t  child;
static u_char               held_names[NGX_HTTP_WASSIIT_NAMES_LEN];

static ngx_uint_t           filled, visits, nstores, nth;

/* the lock, by libc */
static int  (*clocklock)(pthread_mutex_t *mutex, clockid_t clock,
    const struct timespec *ts);
static int  (*unlock)(pthread_mutex_t *mutex);


/*
 * In libc's lock nobody is stopped: of the zone nothing is read or written
 * there, so the instruction before it stands for all of them.
 */

int
pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
    const struct timespec *ts)
{
    int         rc;
    ngx_uint_t  stepped;

    stepped = inside;
    inside = 0;
    rc = clocklock(mutex, clock, ts);
    inside = stepped;

    return rc;
}


int
pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int         rc;
    ngx_uint_t  stepped;

    stepped = inside;
    inside = 0;
    rc = unlock(mutex);
    inside = stepped;

    return rc;
}


int
main(void)
{
    char        letter;
    ngx_uint_t  i;

    unit_start();

    clocklock = dlsym(RTLD_NEXT, "pthread_mutex_clocklock");
    unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    saved = malloc(MEMORY);
    kept = malloc(MEMORY);
    last = malloc(MEMORY);

    if (clocklock == NULL || unlock == NULL || saved == NULL || kept == NULL
        || last == NULL)
    {
        return 2;
    }

    for (i = 0; i < LETTERS; i++) {
        letter = 'A' + i;
        ngx_wassiit_key_digest((u_char *) &letter, 1, digests[i]);
    }

    unit_steps_init();
    unit_stage_zone();
    ngx_memcpy(saved, zone.sh, MEMORY);

    for (i = 0; i < sizeof(unit_kinds) / sizeof(unit_kinds[0]); i++) {
        unit_steps_kind(&unit_kinds[i]);
    }

    return unit_done();
}


static void
unit_steps_kind(const unit_kind_t *k)
{
    ngx_uint_t       i, n, letter;
    unit_spec_t      spec;
    unit_partner_t  *p;

    kind = k;
    n = 0;

    for (i = 0; i < CHANGES && k->changes[i].id; i++) {
        unit_stage_make(&made[i], &k->changes[i]);
        n = i + 1;
    }

    nchanges = n;

    /* once more, and different again */

    spec = made[n - 1].rec.deleted ? unit_base[1] : k->changes[n - 1];
    spec.scopes = 1;
    spec.limit = k->full ? spec.limit : 6;
    unit_stage_make(&made[n], &spec);

    bad = 0;
    unit_steps_begun();

    for (i = 0; i <= n; i++) {
        (void) unit_steps_reclaim();
        room[i] = ngx_wassiit_lines_left(ngx_http_wassiit_zone_lines(zone.sh));

        if (i < n && unit_stage_apply(&zone, &made[i]) != NGX_OK) {
            unit_stage_differs("the change can't be made");
        }
    }

    unit_steps_write(GO_LOOK);
    unit_ok(bad == 0, "%s: all is as before or after at each of %d "
            "instructions", k->name, (int) total);

    visits = 0;
    bad = 0;
    unit_steps_write(GO_ON);
    unit_ok(bad == 0, "%s: who comes in between, tried %d times, and who "
            "changes, don't harm each other", k->name, (int) visits);

    visits = 0;
    bad = 0;
    unit_steps_write(GO_DIE);
    unit_ok(bad == 0, "%s: a death anywhere is mended, tried %d times",
            k->name, (int) visits);

    visits = 0;
    bad = 0;

    for (letter = 0; letter < LETTERS; letter++) {

        for (i = 0; i <= n; i++) {
            p = unit_stage_owner(i, letter);

            if (p && p != &base[2]) {
                break;
            }
        }

        if (i <= n && !QUIET(letter)) {
            unit_steps_read(letter, 1, 1);

            if (letter & 1) {
                unit_steps_read(letter, 2, 0);
            }
        }
    }

    unit_ok(bad == 0, "%s: who stands still in %d instructions of a request "
            "goes on, tried %d times", k->name, (int) total, (int) visits);
}


static void
unit_steps_setup(void)
{
    unit_seen_t                  seen;
    ngx_uint_t                   i;
    ngx_wassiit_lines_t         *lines;
    ngx_http_wassiit_journal_t   journal;
    ngx_http_wassiit_partner_t   found;

    ngx_memcpy(zone.sh, saved, MEMORY);
    unit_log_forget();

    now = START;
    unit_stage_forget();

    done = 0;
    child = 0;
    taken = 0;
    unsure = 0;
    with_extra = 0;
    zone.prepared = NULL;
    reader.pinned = 0;
    holder.pinned = 0;

    if (kind->full) {
        lines = ngx_http_wassiit_zone_lines(zone.sh);

        while (ngx_wassiit_lines_left(lines)) {
            (void) ngx_wassiit_lines_alloc(lines, ZONE_COLD, 1);
            taken++;
        }
    }

    if (ngx_http_wassiit_zone_known(&zone, &journal) != NGX_OK) {
        exit(2);
    }

    for (i = 0; i < 2; i++) {
        (void) unit_stage_find(&reader, i ? 4 : 0, &found, &seen);
        ngx_memcpy(quiet[i], found.key, 2 * NGX_WASSIIT_LINE);
        ngx_memcpy(&quiet[i][2 * NGX_WASSIIT_LINE / 8],
                   ngx_http_wassiit_zone_at(zone.sh, found.line),
                   NGX_WASSIIT_LINE);
    }

    ngx_http_wassiit_zone_unpin(&reader);
}


/* The same, with two in the windows that are going to be changed. */

static void
unit_steps_begun(void)
{
    ngx_uint_t   i;
    unit_seen_t  seen;

    unit_steps_setup();

    for (i = 0; i < 2; i++) {
        (void) unit_stage_find(&reader, 1, &held, &seen);
        (void) unit_stage_take(&reader, &held);
        (void) unit_stage_find(&reader, 3, &held, &seen);
        (void) unit_stage_take(&reader, &held);
        now += SPAN / 16;
    }

    (void) unit_stage_find(&reader, 1, &held, &seen);
    ngx_http_wassiit_zone_count(&reader, &held, COUNT_REFUSED);

    ngx_http_wassiit_zone_unpin(&reader);
}


/* The writer, in single steps. */

static void
unit_steps_write(unit_go_e go)
{
    ngx_int_t    rc;
    ngx_uint_t   i;

    static void (*const  handlers[])(void) = {
        unit_steps_looked, unit_steps_went_on, unit_steps_died
    };

    unit_steps_begun();

    if (go != GO_DIE) {
        held.names = held_names;
        (void) ngx_http_wassiit_zone_find(&holder, digests[1], &held, NULL);
    }

    ngx_memcpy(last, zone.sh, MEMORY);
    nth++;
    rc = NGX_OK;

    unit_steps_begin(handlers[go]);

    for (i = 0; i < nchanges && rc == NGX_OK; i++) {
        rc = unit_stage_apply(&zone, &made[i]);
        done = i + 1;
    }

    unit_steps_end();

    if (rc != NGX_OK) {
        unit_stage_differs("the change returns %d", (int) rc);
    }

    if (!child && go != GO_LOOK) {
        return;
    }

    unit_stage_others();
    ngx_http_wassiit_zone_unpin(&holder);
    unit_steps_end_of(0);

    if (child) {
        unit_steps_exit();
    }
}


/* All look at each key; some take, as time goes on. */

static void
unit_steps_looked(void)
{
    ngx_uint_t                  i;
    unit_seen_t                 seen;
    ngx_http_wassiit_partner_t  found;

    step = steps;

    for (i = 0; i < LETTERS; i++) {
        unit_stage_look(i);
    }

    unit_steps_counted(0);

    i = steps % LETTERS;

    if (QUIET(i)) {
        now += SPAN / 16;
        (void) unit_stage_take(&holder, &held);

    } else if (unit_stage_find(&reader, i, &found, &seen) == NGX_OK) {
        (void) unit_stage_take(&reader, &found);
    }

    ngx_http_wassiit_zone_unpin(&reader);
}


/* What was counted before is never missing; nor is more, if nobody counts. */

static void
unit_steps_counted(ngx_uint_t alone)
{
    uint64_t                 allowed, refused;
    ngx_str_t                id = ngx_string("m");
    ngx_http_wassiit_info_t  info;

    if (ngx_http_wassiit_zone_get(&reader, &id, &info) == NGX_OK) {
        allowed = info.counts[COUNT_ALLOWED];
        refused = info.counts[COUNT_REFUSED];

        if (allowed < 2 || refused < 1
            || (alone && (allowed > 2 || refused > 1)))
        {
            unit_stage_differs("%d and %d are counted, not 2 and 1",
                               (int) allowed, (int) refused);
        }
    }

    ngx_http_wassiit_zone_unpin(&reader);
}


/* One comes at this step alone, and then the writer goes on. */

static void
unit_steps_went_on(void)
{
    ngx_uint_t  i;

    if ((steps + nth) % (SOME * THIN) || !unit_steps_fork()) {
        return;
    }

    unit_steps_adopt();

    if (steps & 1) {
        (void) unit_stage_take(&holder, &held);
    }

    for (i = 0; i < LETTERS; i++) {
        (void) unit_stage_fill((i + steps) % LETTERS);
    }

    (void) unit_stage_take(&holder, &held);

    stepping = 0;
}


/*
 * The writer dies here.  What it leaves is the memory alone, so those steps
 * that store nothing leave what the one before them did.
 */

static void
unit_steps_died(void)
{
    if (steps > 1 && !unit_steps_stores()) {
        return;
    }

    nstores++;

    if ((nstores + nth) % ((THIN + 2) / 3) || !unit_steps_fork()) {
        return;
    }

    stepping = 0;

    unit_steps_die();
    unit_steps_follow();
    unit_steps_exit();
}


/*
 * A process that has the lock, if the writer has it here, and its memory: the
 * kernel sees it die, and tells the next one.
 */

static void
unit_steps_die(void)
{
    int    status;
    pid_t  pid;

    fflush(stdout);
    pid = fork();

    if (pid == 0) {
        unit_steps_adopt();
        _exit(0);
    }

    if (pid == -1 || waitpid(pid, &status, 0) != pid || status != 0) {
        exit(2);
    }
}


/* The next writer, which mends, makes what was not made yet, and one more. */

static void
unit_steps_follow(void)
{
    uint32_t                    left;
    ngx_uint_t                  i, stage;
    ngx_http_wassiit_zone_t     next;
    ngx_http_wassiit_journal_t  journal;

    next = zone;
    next.prepared = NULL;

    if (ngx_http_wassiit_zone_known(&next, &journal) != NGX_OK) {
        unit_stage_differs("the next writer can't lock");
        return;
    }

    unit_steps_counted(1);

    /* what is amended lies between, until it is done again */

    stage = kind->full ? 0 : unit_stage_whole(done, done + 1);

    if (!kind->full) {
        (void) unit_steps_reclaim();
        left = ngx_wassiit_lines_left(ngx_http_wassiit_zone_lines(zone.sh));

        /* what was promised is kept until the next change */

        if (left != room[stage] && zone.sh->prepared == 0) {
            unit_stage_differs("%d lines are free, not %d", (int) left,
                               (int) room[stage]);
        }

        unit_stage_others();
    }

    for (i = stage; i < nchanges; i++) {
        if (unit_stage_apply(&next, &made[i]) != NGX_OK) {
            unit_stage_differs("it can't be done again");
        }
    }

    done = nchanges;
    (void) unit_stage_whole(nchanges, nchanges);
    now += SPAN / 2;
    unit_stage_others();
    unit_steps_end_of(1);
}


/*
 * A request, in single steps.  So many were made before; if fill is 1, others
 * take all that they get as soon as the change is made, while it stands still.
 */

static void
unit_steps_read(ngx_uint_t letter, ngx_uint_t used, ngx_uint_t fill)
{
    u_char                      id;
    ngx_int_t                   rc, took;
    ngx_uint_t                  i, in;
    unit_seen_t                 seen;
    unit_partner_t             *p;
    ngx_wassiit_usage_t         usage;
    ngx_wassiit_hmac_key_t      hmac, former;
    ngx_http_wassiit_partner_t  found;
    u_char                      names[NGX_HTTP_WASSIIT_NAMES_LEN];

    unit_steps_setup();

    for (i = 0; i < used; i++) {
        if (unit_stage_find(&reader, letter, &found, &seen) == NGX_OK) {
            (void) unit_stage_take(&reader, &found);
        }
    }

    ngx_http_wassiit_zone_unpin(&reader);

    ngx_memzero(&found, sizeof(found));
    ngx_memzero(&usage, sizeof(usage));
    found.names = names;
    filled = fill;
    took = NGX_DONE;
    nth++;

    unit_steps_begin(unit_steps_stood);

    rc = ngx_http_wassiit_zone_find(&holder, digests[letter], &found, &hmac);
    unit_stage_former(&holder, &found, rc, &former);

    if (rc == NGX_OK) {
        took = ngx_http_wassiit_zone_take(&holder, &found, &usage);
        ngx_http_wassiit_zone_used(&holder, &found, 2000);
        ngx_http_wassiit_zone_count(&holder, &found, COUNT_ALLOWED);
        ngx_http_wassiit_zone_count(&holder, &found, COUNT_REFUSED);
    }

    unit_steps_end();

    if (!child) {
        return;
    }

    unit_stage_sight(&found, rc, &hmac, &former, &seen);
    unit_stage_fits(letter, &seen, 0, nchanges);

    unsure = 0;
    id = found.names[0];
    p = (rc == NGX_OK) ? unit_stage_partner(nchanges, id) : NULL;

    if (took == NGX_OK) {
        unit_stage_admit(id);
    }

    if (rc == NGX_OK) {
        in = unit_stage_in(id);

        for (i = 0; i <= nchanges; i++) {
            if (unit_stage_partner(i, id)
                && unit_stage_partner(i, id)->spec.limit == usage.limit)
            {
                break;
            }
        }

        if (took == NGX_ERROR) {
            /* it may have found what was taken away in the meantime only */
            i = (p == NULL) ? 0 : nchanges + 1;

        } else if (!fill) {
            i |= ((took == NGX_OK) != (in - (took == NGX_OK) < usage.limit))
                 ? nchanges + 1 : 0;
        }

        if (i > nchanges) {
            unit_stage_differs("key %c: told %d at %d of %d",
                               (int) ('A' + letter), (int) took, (int) in,
                               (int) usage.limit);
        }

        if (fill && p
            && in != ngx_max(p->spec.limit, used + (took == NGX_OK)))
        {
            unit_stage_differs("key %c: %d admitted, told %d",
                               (int) ('A' + letter), (int) in, (int) took);
        }
    }

    ngx_http_wassiit_zone_unpin(&holder);
    unit_stage_others();
    unit_steps_end_of(0);
    unit_steps_exit();
}


/* It stands here; then all is changed, and what is free is used again. */

static void
unit_steps_stood(void)
{
    ngx_uint_t               i;
    unit_partner_t           gone;
    ngx_http_wassiit_zone_t  w;

    static const unit_spec_t  deleted = { "x", NULL, 0, 0, 0, 0, 0 };

    if ((steps + nth) % THIN || !unit_steps_fork()) {
        return;
    }

    w = zone;

    for (i = 0; i < nchanges; i++) {
        if (unit_stage_apply(&w, &made[i]) != NGX_OK) {
            unit_stage_differs("the change can't be made");
        }
    }

    done = nchanges;
    unit_stage_make(&gone, &deleted);

    for (i = 0; i < 3; i++) {
        with_extra = (unit_stage_apply(&w, &extra) == NGX_OK);

        if (!with_extra && !kind->full) {
            unit_stage_differs("no other one can be made");
        }

        if (i < 2) {
            (void) unit_stage_apply(&w, &gone);
        }
    }

    (void) unit_stage_whole(nchanges, nchanges);
    unsure = 1;

    for (i = 0; filled && i < LETTERS; i++) {
        (void) unit_stage_fill(i);
    }

    stepping = 0;
}


/*
 * Returns 1 in a child, which is to end by unit_steps_exit(), and 0 in its
 * parent as soon as the child has done so.
 */

static ngx_uint_t
unit_steps_fork(void)
{
    int    status;
    pid_t  pid;

    if (bad >= NOTES) {
        return 0;
    }

    ngx_memcpy(kept, zone.sh, MEMORY);
    visits++;
    step = steps;
    pid = unit_fork();

    if (pid == 0) {
        child = 1;
        bad = 0;
        return 1;
    }

    if (waitpid(pid, &status, 0) != pid || status != 0) {
        if (!WIFEXITED(status)) {
            unit_note("%s: signal %d after step %d", kind->name,
                      WTERMSIG(status), (int) steps);
        }

        bad++;
    }

    ngx_memcpy(zone.sh, kept, MEMORY);

    return 0;
}


static void
unit_steps_exit(void)
{
    fflush(stdout);
    _exit(bad != 0);
}


/* The lock that the parent has, if it has, becomes the child's. */

static void
unit_steps_adopt(void)
{
    ngx_wassiit_robust_t  *mutex;

    mutex = &zone.sh->mutex;

    if (ngx_wassiit_robust_trylock(mutex) == NGX_OK) {
        ngx_wassiit_robust_unlock(mutex);
        return;
    }

    if (ngx_wassiit_robust_init(mutex) != NGX_OK
        || ngx_wassiit_robust_trylock(mutex) != NGX_OK)
    {
        exit(2);
    }
}


/* Has anything been stored since it was asked last? */

static ngx_uint_t
unit_steps_stores(void)
{
    if (memcmp(last, zone.sh, MEMORY) == 0) {
        return 0;
    }

    ngx_memcpy(last, zone.sh, MEMORY);

    return 1;
}


/* Makes all the room that there is.  Returns whether that took a sweep. */

static ngx_uint_t
unit_steps_reclaim(void)
{
    ngx_int_t                rc;
    ngx_uint_t               swept;
    ngx_http_wassiit_zone_t  w;

    w = zone;
    swept = 0;

    if (ngx_http_wassiit_mend_lock(&w, 0) != NGX_OK) {
        unit_stage_differs("the lock isn't free");
        return 0;
    }

    do {
        rc = ngx_http_wassiit_room_reclaim(&w);

        if (rc == NGX_DONE) {
            swept = 1;
            taken = 0;
        }

    } while (rc != NGX_DECLINED);

    ngx_http_wassiit_mend_unlock(&w);

    return swept;
}


/*
 * The last one is changed again, then all are deleted: nothing is left, and
 * nothing has got lost, or, if one has died, a sweep finds it.
 */

static void
unit_steps_end_of(ngx_uint_t sweep)
{
    unit_spec_t              spec;
    ngx_uint_t               i;
    const char              *id;
    unit_partner_t           gone;
    ngx_wassiit_lines_t     *lines;
    ngx_http_wassiit_zone_t  w;

    w = zone;
    w.prepared = NULL;
    lines = ngx_http_wassiit_zone_lines(zone.sh);

    if (unit_stage_partner(done, made[done].spec.id[0]) == NULL) {
        ntimes[made[done].spec.id[0] % IDS] = 0;
    }

    if (unit_stage_apply(&w, &made[done]) != NGX_OK) {
        unit_stage_differs("a second change can't be made");
    }

    done++;
    (void) unit_stage_whole(done, done);

    for (i = 0; i < LETTERS; i++) {
        (void) unit_stage_fill(i);
    }

    ngx_memzero(&spec, sizeof(spec));

    for (id = "zxtnma"; *id; id++) {
        spec.id = id;
        unit_stage_make(&gone, &spec);

        if (unit_stage_apply(&w, &gone) != NGX_OK) {
            unit_stage_differs("%c can't be deleted", *id);
        }
    }

    if (ngx_wassiit_index_used(&zone.sh->keys)
        || ngx_wassiit_index_used(&zone.sh->ids)
        || zone.sh->order.first[0])
    {
        unit_stage_differs("something is left of those that are deleted");
    }

    if (unit_steps_reclaim() && !sweep) {
        unit_stage_differs("something was lost, and had to be swept");
    }

    if (ngx_wassiit_lines_left(lines) + taken != fresh
        && !(sweep && ngx_wassiit_lines_left(lines) == fresh))
    {
        unit_stage_differs("%d lines are free, and %d taken, not %d",
                           (int) ngx_wassiit_lines_left(lines), (int) taken,
                           (int) fresh);
    }
}


#else


int
main(void)
{
    return unit_skip("single steps are known for x86-64 only");
}


#endif
