
/*
 * Writers that die or are stopped at any call of a change: it is made or not
 * made, the file and the zone agree, and others go on.
 */


#include "changes.h"

#include <sys/wait.h>


#define NOTES           5
#define PAIRS           60

#define ENDLESS         "{\"id\":\"zed\",\"rate\":\"5r/s\",\"keys\":[]}"

/*
 * Of so many steps, one is tried; where the file is known, all are.  With the
 * sanitizers fork() takes long.
 */
#define SOME            2
#define THIN            1

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#undef SOME
#undef THIN
#define SOME            24
#define THIN            12
#endif
#endif


/* how the file is when a writer that dies comes to it */

typedef enum {
    MODE_KNOWN = 0,
    MODE_FOREIGN,               /* another was put in its place */
    MODE_FAILS,                 /* its disk fails at the change */
    MODE_DEAD,                  /* a change that failed ends it */
    MODE_BURIED,                /* and a line was added after that */
    MODE_ENDLESS,               /* its last line has no LF */
    MODES
} unit_change_mode_e;


static const char *unit_change_mode(const unit_change_kind_t *kind,
    unit_change_mode_e mode);
static int unit_change_child(const unit_change_kind_t *kind, ngx_uint_t fails,
    ngx_uint_t step);
static ngx_uint_t unit_change_state(ngx_uint_t n);
static ngx_uint_t unit_change_after(const unit_change_kind_t *kind,
    unit_change_mode_e mode, ngx_uint_t both);
static ngx_uint_t unit_change_cut(const unit_change_kind_t *kind,
    ngx_uint_t step, off_t at);
static ngx_uint_t unit_change_cuts(const unit_change_kind_t *kind,
    ngx_uint_t step, off_t from, off_t to);
static void unit_change_deaths(const unit_change_kind_t *kind,
    unit_change_mode_e mode);
static ngx_uint_t unit_change_ends(const unit_change_kind_t *kind);
static void unit_change_try(void);
static void unit_change_replaced(void);
static void unit_change_held(void);
static void unit_change_pairs(void);
static void unit_change_stop(unit_disk_e call, ngx_uint_t after);
static void unit_change_stops(void);


/* the states of a zone without and with a change, then with more of them */
static char                        states[2][3][STATE];


int
main(void)
{
    ngx_uint_t  i, mode;

    unit_change_init("change-deaths");

    for (mode = 0; mode < MODES; mode++) {
        for (i = 0; i < KINDS; i++) {
            unit_change_deaths(&unit_change_kinds[i], mode);
        }
    }

    unit_change_replaced();
    unit_change_held();
    unit_change_pairs();
    unit_change_stops();

    return unit_change_done();
}


static const char *
unit_change_mode(const unit_change_kind_t *kind, unit_change_mode_e mode)
{
    ngx_uint_t  compact;

    static const char *const  names[] = {
        "known", "changed by hand", "of a disk that fails",
        "with what failed", "with lines after what failed", "without an LF"
    };

    compact = (kind->line == NULL);

    unit_change_setup(compact ? BASE BASE BASE BASE : BASE);
    loose = 0;

    switch (mode) {

    case MODE_ENDLESS:
        unit_change_setup(compact ? BASE BASE BASE RIF ENDLESS
                                  : BASE ENDLESS);
        loose = 1;
        break;

    case MODE_FOREIGN:
        /* the former one's name is on the disk */
        (void) unit_change_patch("zed", "{}");
        unit_change_puts(compact ? BASE BASE BASE BASE : BASE);
        break;

    case MODE_DEAD:
    case MODE_BURIED:
        unit_change_fail();

        if (mode == MODE_BURIED) {
            unit_change_adds(ZED);
        }

        break;

    default:
        break;
    }

    return names[mode];
}


/* A process that makes a change, and dies in this step of it; its status. */

static int
unit_change_child(const unit_change_kind_t *kind, ngx_uint_t fails,
    ngx_uint_t step)
{
    int    status;
    pid_t  pid;

    pid = unit_fork();

    if (pid == 0) {
        if (fails) {
            unit_disk.fsync = kind->line ? 2 : 1;
        }

        death = step;
        _exit(unit_change_of(kind));
    }

    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) {
        unit_note("a writer came to an odd end");
        exit(2);
    }

    return WEXITSTATUS(status);
}


/* The states without the change and with it, then with two more. */

static const unit_change_kind_t  unit_change_other = {
    "another", NGX_HTTP_WASSIIT_CHANGE_PATCH, "zed", "{\"name\":\"After\"}", 0,
    NULL
};


static ngx_http_wassiit_changed_e
unit_change_again(const unit_change_kind_t *kind)
{
    return unit_change_patch(kind->line ? kind->id : "atlas",
                             "{\"rate\":\"3r/m\"}");
}


static void
unit_change_states(const unit_change_kind_t *kind, unit_change_mode_e mode)
{
    ngx_uint_t  i;

    for (i = 0; i < 2; i++) {
        (void) unit_change_mode(kind, mode);

        if (i) {
            (void) unit_change_of(kind);
        }

        unit_change_text(&zone, states[i][0]);
        (void) unit_change_of(&unit_change_other);
        unit_change_text(&zone, states[i][1]);
        (void) unit_change_again(kind);
        unit_change_text(&zone, states[i][2]);
    }
}


/* Is this one of the states: 1, without the change; 2, with it; or both, 3? */

static ngx_uint_t
unit_change_state(ngx_uint_t n)
{
    unit_change_text(&zone, text);

    return (strcmp(text, states[0][n]) == 0)
           + 2 * (strcmp(text, states[1][n]) == 0);
}


/*
 * A writer has died, or two have.  Changes that follow find its change made or
 * not made, by which all is as it would be.
 */

static ngx_uint_t
unit_change_after(const unit_change_kind_t *kind, unit_change_mode_e mode,
    ngx_uint_t both)
{
    ngx_uint_t                  first, state, compact;
    ngx_http_wassiit_changed_e  changed;

    /* a line that is whole may have been taken over meanwhile */

    first = unit_change_state(0) | (both ? unit_change_state(1) : 0);

    if (first == 0) {
        unit_note("in force is a part of it: %s", text);
        return 0;
    }

    if (unit_change_of(&unit_change_other) != NGX_HTTP_WASSIIT_CHANGED) {
        unit_note("no other change can be made: %s", unit_logged);
        return 0;
    }

    if (strstr(unit_logged, "was changed by another program")
        && mode != MODE_FOREIGN && mode != MODE_BURIED)
    {
        unit_note("nobody has changed the file");
        return 0;
    }

    state = unit_change_state(1);

    if (state == 0 || (first == 2 && !(state & 2))) {
        unit_note("then it is a part of it, or it is lost: %s", text);
        return 0;
    }

    if (!unit_change_agrees()) {
        return 0;
    }

    if (mode != MODE_FOREIGN && mode != MODE_BURIED && journal.foreign) {
        unit_note("it isn't known any more where lines are");
        return 0;
    }

    changed = unit_change_again(kind);
    compact = change.compact;

    if (changed != NGX_HTTP_WASSIIT_CHANGED
        && changed != NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER)
    {
        unit_note("it can't be changed: %s", unit_logged);
        return 0;
    }

    state &= unit_change_state(2);

    if (state == 0 || !unit_change_agrees()) {
        unit_note("it can't be changed right: %s", text);
        return 0;
    }

    if (mode == MODE_FOREIGN && !journal.foreign) {
        unit_note("it isn't known any more that the file was changed");
        return 0;
    }

    if (compact) {
        (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0);

        if (!(unit_change_state(2) & state) || !unit_change_agrees()
            || journal.lines > 4)
        {
            unit_note("it can't be compacted");
            return 0;
        }
    }

    if (access(other, F_OK) == 0) {
        unit_note("%s is left", other);
        return 0;
    }

    return 1;
}


/* Whoever comes next, and writes nothing, brings it to its end. */

static ngx_uint_t
unit_change_ends(const unit_change_kind_t *kind)
{
    if (unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "none", NULL, 0)
        != NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER
        || ngx_http_wassiit_change_left(&zone))
    {
        unit_note("a change is still being made: %s", unit_logged);
        return 0;
    }

    if (kind->line && !(unit_change_state(0) & 1) && late->data) {
        unit_note("what is in force isn't on the disk");
        return 0;
    }

    return 1;
}


/* Whoever comes next has a disk that fails: it is as if nobody had come. */

static void
unit_change_try(void)
{
    ngx_uint_t  n;

    for (n = 1; n < 3; n++) {
        unit_disk.fsync = n;
        (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "none", NULL, 0);
        unit_disk_heal();
    }

    unit_disk.openat = 8;
    unit_disk.ftruncate = 1;
    (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "none", NULL, 0);
    unit_disk_heal();
}


/*
 * As if power was cut: of the last line only a part is there, up to this byte;
 * or all of it is.  Memory may be gone, and is if it says what is lost.
 */

static ngx_uint_t
unit_change_cut(const unit_change_kind_t *kind, ngx_uint_t step, off_t at)
{
    (void) unit_change_mode(kind, MODE_KNOWN);
    (void) unit_change_child(kind, 0, step);

    /* what just lacks its LF counts, and is given one */
    loose = 1;

    if (at && truncate(path, at) == -1) {
        perror(path);
        exit(2);
    }

    if (at == 0 || at % 3 == 0 || unit_change_state(0) != 1) {
        unit_log_forget();

        if (unit_change_load(&zone, 1) != NGX_OK) {
            unit_note("the file can't be loaded: %s", unit_logged);
            return 0;
        }
    }

    return unit_change_after(kind, MODE_KNOWN, 0);
}


/* Returns how often that was wrong. */

static ngx_uint_t
unit_change_cuts(const unit_change_kind_t *kind, ngx_uint_t step, off_t from,
    off_t to)
{
    off_t       cut;
    ngx_uint_t  i, wrong;

    wrong = 0;

    if (step % 4 == 0) {
        wrong += !unit_change_cut(kind, step, 0);
    }

    for (i = 0; i < 3 && to > from + 2; i++) {
        cut = (i == 0) ? from + 1 : (i == 1) ? (from + to) / 2 : to - 1;

        if (!unit_change_cut(kind, step, cut)) {
            unit_note("from %d to %d, cut to %d", (int) from, (int) to,
                      (int) cut);
            wrong++;
        }
    }

    return wrong;
}


static void
unit_change_deaths(const unit_change_kind_t *kind, unit_change_mode_e mode)
{
    int          status;
    ngx_uint_t   step, each, deaths, wrong;
    const char  *name;
    struct stat  st, then;

    unit_change_states(kind, mode);

    name = "";
    wrong = 0;
    deaths = 0;
    each = (mode == MODE_KNOWN) ? THIN : SOME;

    for (step = 1 + unit_random(each); step < STEPS && wrong < NOTES;
         step += each)
    {
        name = unit_change_mode(kind, mode);
        (void) stat(path, &st);
        status = unit_change_child(kind, mode == MODE_FAILS, step);
        (void) stat(path, &then);

        if (status != DIED) {
            break;
        }

        deaths++;

        if (deaths % 3 == 0) {
            unit_change_try();

        } else if (deaths % 3 == 1 && !unit_change_ends(kind)) {
            unit_note("after a death in step %d", (int) step);
            wrong++;
        }

        if (!unit_change_after(kind, mode, 0)) {
            unit_note("after a death in step %d", (int) step);
            wrong++;
        }

        if (mode == MODE_KNOWN) {
            wrong += unit_change_cuts(kind, step, st.st_size,
                                      then.st_ino == st.st_ino ? then.st_size
                                                               : 0);
        }
    }

    unit_ok(wrong == 0 && deaths > 8 / each && step < STEPS,
            "%s, a file %s: %d deaths are mended", kind->name, name,
            (int) deaths);
}


/* A writer has died, and then someone puts another file in its place. */

static void
unit_change_replaced(void)
{
    ngx_uint_t  step, left, wrong;

    left = 0;
    wrong = 0;

    for (step = 1; step < STEPS; step++) {
        unit_change_setup(BASE);

        if (unit_change_child(&unit_change_other, 0, step) != DIED) {
            break;
        }

        if (!ngx_http_wassiit_change_left(&zone)) {
            continue;
        }

        left++;
        unit_change_puts(BASE RIF);

        if (unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "none", NULL, 0)
            != NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER
            || ngx_http_wassiit_change_left(&zone)
            || unit_change_patch("zed", "{}") != NGX_HTTP_WASSIIT_CHANGED
            || !unit_change_agrees() || !journal.foreign)
        {
            unit_note("after a death in step %d", (int) step);
            wrong++;
        }
    }

    unit_ok(wrong == 0 && left > 5 && step < STEPS,
            "what was left of a file that is gone, %d times, is gone",
            (int) left);
}


/*
 * There was room for what a writer has left when it died, and there is none for
 * it as long as a reader looks at what it had prepared.
 */

static void
unit_change_held(void)
{
    ngx_uint_t                  step;
    ngx_wassiit_lines_t        *lines;
    ngx_wassiit_epoch_t        *epoch;
    ngx_http_wassiit_changed_e  changed;

    static const unit_change_kind_t  big = {
        "big", NGX_HTTP_WASSIIT_CHANGE_CREATE, "new", "{\"rate\":\"3000r/d\"}",
        0, ""
    };

    changed = NGX_HTTP_WASSIIT_CHANGED;
    epoch = NULL;

    for (step = 1; step < STEPS && changed == NGX_HTTP_WASSIIT_CHANGED; step++)
    {
        unit_change_setup(BASE);

        if (unit_change_child(&big, 0, step) != DIED) {
            break;
        }

        lines = ngx_http_wassiit_zone_lines(zone.sh);
        epoch = ngx_http_wassiit_zone_epoch(zone.sh);

        while (ngx_wassiit_lines_left(lines) > 30) {
            (void) ngx_wassiit_lines_alloc(lines, ZONE_COLD, 1);
        }

        ngx_wassiit_epoch_pin(epoch, NULL);
        changed = unit_change_patch("rif", "{\"name\":\"Next\"}");

        if (changed == NGX_HTTP_WASSIIT_CHANGED) {
            ngx_wassiit_epoch_unpin(epoch, NULL);
        }
    }

    unit_is(changed, NGX_HTTP_WASSIIT_CHANGE_BUSY,
            "who finds no room for what was left waits");
    unit_ok(ngx_http_wassiit_change_left(&zone), "and leaves it as it is");

    if (epoch) {
        ngx_wassiit_epoch_unpin(epoch, NULL);
    }

    unit_is(unit_change_patch("rif", "{\"name\":\"Next\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "then it goes on");
    unit_ok(unit_change_agrees() && !journal.foreign && strstr(text, "new"),
            "and brings that to its end");
}


/* The one who comes next dies as well. */

static void
unit_change_pairs(void)
{
    ngx_uint_t                 i, n, step, steps, wrong;
    unit_change_mode_e         mode;
    const unit_change_kind_t  *kind;

    wrong = 0;

    for (i = 0; i < PAIRS / THIN; i++) {
        kind = &unit_change_kinds[unit_random(KINDS)];
        mode = unit_random(MODES);
        unit_change_states(kind, mode);

        /* steps of the change, in this process */

        (void) unit_change_mode(kind, mode);

        if (mode == MODE_FAILS) {
            unit_disk.fsync = kind->line ? 2 : 1;
        }

        (void) unit_change_of(kind);
        n = nsteps;

        (void) unit_change_mode(kind, mode);

        step = 1 + unit_random(n);
        steps = 1 + unit_random(30);
        (void) unit_change_child(kind, mode == MODE_FAILS, step);
        (void) unit_change_child(&unit_change_other, 0, steps);

        if (!unit_change_after(kind, mode, 1)) {
            unit_note("%s, mode %d, after deaths in steps %d and %d",
                      kind->name, mode, (int) step, (int) steps);
            wrong++;
        }
    }

    unit_is(wrong, 0, "two who die one after the other are mended");
}


/* ---- a writer that is stopped */

static void
unit_change_stop(unit_disk_e call, ngx_uint_t after)
{
    if (call != UNIT_DISK_LOOK && locked && ++ncalls == when) {
        (void) raise(SIGSTOP);
    }
}


static void
unit_change_stops(void)
{
    int                         status;
    pid_t                       pid;
    ngx_uint_t                  wrong;
    ngx_http_wassiit_changed_e  changed, compacted;

    wrong = 0;

    for (when = 1; when < STEPS && wrong < NOTES; when += THIN) {
        unit_change_setup(BASE);
        pid = unit_fork();

        if (pid == 0) {
            at_call = unit_change_stop;
            _exit(unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL,
                              0));
        }

        if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) {
            wrong += !WIFEXITED(status) || WEXITSTATUS(status);
            break;
        }

        unit_change_begin();
        changed = unit_change_patch("zed", "{\"name\":\"Z\"}");
        compacted = unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0);

        if ((changed != NGX_HTTP_WASSIIT_CHANGE_BUSY
             || compacted != NGX_HTTP_WASSIIT_CHANGE_BUSY
             || !unit_change_untouched())
            && changed != NGX_HTTP_WASSIIT_CHANGED)
        {
            unit_note("answer %d at stop %d", changed, (int) when);
            wrong++;
        }

        wrong += (changed == NGX_HTTP_WASSIIT_CHANGED && !unit_change_has(0));

        (void) kill(pid, SIGCONT);

        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)
            || WEXITSTATUS(status) != NGX_HTTP_WASSIIT_CHANGED
            || !unit_change_has(MADE))
        {
            unit_note("it doesn't go on after stop %d", (int) when);
            wrong++;
        }

        if (unit_change_patch("zed", "{\"name\":\"Z\"}")
            != NGX_HTTP_WASSIIT_CHANGED
            || !unit_change_agrees() || !strstr(text, "'Z'")
            || !unit_change_has(MADE))
        {
            unit_note("no change follows after stop %d", (int) when);
            wrong++;
        }
    }

    unit_ok(wrong == 0 && when > THIN && when < STEPS,
            "a writer is stopped anywhere: others are told, and it goes on");
}
