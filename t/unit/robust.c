
/* The mutex that its owner's death frees: killed, stopped, gone, at once. */


#include "unit.h"

#include "ngx_wassiit_robust.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>


#define ROBUST_KILLS        250
#define ROBUST_MENDED       10
#define ROBUST_PROCESSES    4
#define ROBUST_WAIT         10000   /* milliseconds: for what comes at once */
#define ROBUST_SHORT        50

/* at the end of a child */
#define ROBUST_STAYS        0       /* until it is killed */
#define ROBUST_EXITS        1


typedef struct {
    uint64_t              pad;      /* so that pages of two mappings differ */
    ngx_wassiit_robust_t  robust;
    uint32_t              ready;
    ngx_int_t             rc;       /* of the child's lock */
    uint32_t              owners;   /* by whom it is held */
    uint32_t              wrong;
    uint64_t              locks;
    uint64_t              mended;
    uint64_t              a, b;     /* equal whenever nobody holds the mutex */
} unit_shared_t;


static void unit_robust_alone(void);
static void unit_robust_killed(void);
static void unit_robust_exits(void);
static void unit_robust_stopped(void);
static void unit_robust_waits(void);
static void unit_robust_not_mended(void);
static void unit_robust_crowd(void);
static void unit_robust_loop(unit_shared_t *p);
static pid_t unit_robust_owner(ngx_uint_t end);
static void unit_robust_end(pid_t pid);
static ngx_int_t unit_robust_lock(uint64_t ms);
static void unit_robust_map(void);


static unit_shared_t  *sh, *other;


int
main(void)
{
    unit_start();
    unit_robust_map();

    unit_robust_alone();
    unit_robust_killed();
    unit_robust_exits();
    unit_robust_stopped();
    unit_robust_waits();
    unit_robust_crowd();
    unit_robust_not_mended();

    return unit_done();
}


static void
unit_robust_alone(void)
{
    uint64_t  start;

    unit_is(ngx_wassiit_robust_init(&sh->robust), NGX_OK, "a mutex is made");
    unit_is(unit_robust_lock(0), NGX_OK, "it is had, whatever the deadline");
    unit_is(ngx_wassiit_robust_trylock(&sh->robust), NGX_BUSY, "but once");

    start = ngx_wassiit_robust_now();
    unit_is(unit_robust_lock(ROBUST_SHORT), NGX_BUSY,
            "its owner doesn't wait for itself for ever");
    unit_ok(ngx_wassiit_robust_now() - start < ROBUST_WAIT, "nor long");

    ngx_wassiit_robust_unlock(&sh->robust);
    unit_is(ngx_wassiit_robust_trylock(&sh->robust), NGX_OK,
            "it is had again once it is unlocked");
    ngx_wassiit_robust_unlock(&sh->robust);
}


static void
unit_robust_killed(void)
{
    pid_t       pid;
    ngx_uint_t  i;

    for (i = 1; i <= 2; i++) {
        pid = unit_robust_owner(ROBUST_STAYS);

        unit_is(sh->rc, NGX_OK, "another process has it");
        unit_is(ngx_wassiit_robust_trylock(&sh->robust), NGX_BUSY,
                "it isn't ours");
        unit_is(unit_robust_lock(ROBUST_SHORT), NGX_BUSY, "nor soon");

        unit_robust_end(pid);

        unit_is(i == 1 ? unit_robust_lock(ROBUST_WAIT)
                       : ngx_wassiit_robust_trylock(&sh->robust), NGX_DONE,
                "it is ours when that is killed, and we are told");
        ngx_wassiit_robust_consistent(&sh->robust);
        ngx_wassiit_robust_unlock(&sh->robust);

        unit_is(unit_robust_lock(ROBUST_WAIT), NGX_OK, "told once");
        ngx_wassiit_robust_unlock(&sh->robust);
    }

    /* the second dies while it mends what the first has left */

    unit_robust_end(unit_robust_owner(ROBUST_STAYS));
    pid = unit_robust_owner(ROBUST_STAYS);
    unit_is(sh->rc, NGX_DONE, "the next owner is told of a death");
    unit_robust_end(pid);
    unit_is(unit_robust_lock(ROBUST_WAIT), NGX_DONE,
            "it dies before all is mended: the one after it is told, too");
    ngx_wassiit_robust_consistent(&sh->robust);
    ngx_wassiit_robust_unlock(&sh->robust);
    unit_is(unit_robust_lock(ROBUST_WAIT), NGX_OK, "then all is well");
    ngx_wassiit_robust_unlock(&sh->robust);
}


static void
unit_robust_exits(void)
{
    (void) waitpid(unit_robust_owner(ROBUST_EXITS), NULL, 0);

    unit_is(unit_robust_lock(ROBUST_WAIT), NGX_DONE,
            "who exits and holds it counts as dead");
    ngx_wassiit_robust_consistent(&sh->robust);
    ngx_wassiit_robust_unlock(&sh->robust);
}


static void
unit_robust_stopped(void)
{
    int       status;
    pid_t     pid;
    uint64_t  start, end;

    pid = unit_robust_owner(ROBUST_STAYS);

    kill(pid, SIGSTOP);
    (void) waitpid(pid, &status, WUNTRACED);
    unit_ok(WIFSTOPPED(status), "the owner is stopped");

    start = ngx_wassiit_robust_now();
    unit_is(unit_robust_lock(ROBUST_SHORT), NGX_BUSY, "it isn't waited for");
    end = ngx_wassiit_robust_now();

    /* the end of a millisecond may be cut off */
    unit_ok(end - start >= ROBUST_SHORT - 1 && end - start < ROBUST_WAIT,
            "longer than until the deadline, nor shorter");

    unit_robust_end(pid);
    unit_is(unit_robust_lock(ROBUST_WAIT), NGX_DONE,
            "it is killed as it stands still: that is told");
    ngx_wassiit_robust_consistent(&sh->robust);
    ngx_wassiit_robust_unlock(&sh->robust);
}


/* Whoever is waiting already when the owner dies gets it. */

static void
unit_robust_waits(void)
{
    pid_t       pid;
    ngx_int_t   rc;
    ngx_uint_t  i, told;

    for (i = 0, told = 0; i < 20; i++) {
        pid = unit_robust_owner(ROBUST_STAYS);

        if (fork() == 0) {
            usleep(unit_random(5000));
            kill(pid, SIGKILL);
            _exit(0);
        }

        rc = unit_robust_lock(ROBUST_WAIT);
        told += (rc == NGX_DONE);

        if (rc == NGX_DONE) {
            ngx_wassiit_robust_consistent(&sh->robust);
            ngx_wassiit_robust_unlock(&sh->robust);
        }

        while (wait(NULL) > 0) { /* void */ }
    }

    unit_is(told, 20, "who waits is woken by a death");
}


/* Many that are killed at random: never two owners, no lock lost. */

static void
unit_robust_crowd(void)
{
    pid_t            pids[ROBUST_PROCESSES];
    ngx_uint_t       i, k;
    struct timespec  ts;

    ngx_memzero(pids, sizeof(pids));
    sh->locks = 0;

    for (i = 0; i < ROBUST_KILLS || sh->mended < ROBUST_MENDED; i++) {
        k = i % ROBUST_PROCESSES;

        if (pids[k]) {
            ts.tv_sec = 0;
            ts.tv_nsec = unit_random(2000000);
            nanosleep(&ts, NULL);
            unit_robust_end(pids[k]);
        }

        fflush(stdout);
        pids[k] = fork();

        if (pids[k] == 0) {
            /* at another address */
            unit_robust_loop((k & 1) ? other : sh);
        }
    }

    for (k = 0; k < ROBUST_PROCESSES; k++) {
        unit_robust_end(pids[k]);
    }

    unit_note("%llu locks, %llu times mended", (unsigned long long) sh->locks,
              (unsigned long long) sh->mended);
    unit_ok(sh->locks > ROBUST_KILLS, "many had it");
    unit_is(sh->wrong, 0, "one at a time, and each was told of a death");

    if (unit_robust_lock(ROBUST_WAIT) == NGX_DONE) {
        ngx_wassiit_robust_consistent(&sh->robust);
    }

    ngx_wassiit_robust_unlock(&sh->robust);
    unit_is(ngx_wassiit_robust_trylock(&sh->robust), NGX_OK,
            "it is free when all are dead");
    ngx_wassiit_robust_unlock(&sh->robust);
}


static void
unit_robust_loop(unit_shared_t *p)
{
    ngx_int_t  rc;

    for ( ;; ) {
        rc = ngx_wassiit_robust_lock(&p->robust, ngx_wassiit_robust_now()
                                                 + ROBUST_WAIT);

        if (rc == NGX_DONE) {
            p->b = p->a;
            p->owners = 0;
            p->mended++;
            ngx_wassiit_robust_consistent(&p->robust);

        } else if (rc != NGX_OK) {
            p->wrong = 1;
            _exit(1);
        }

        if (__atomic_add_fetch(&p->owners, 1, __ATOMIC_SEQ_CST) != 1
            || p->a != p->b)
        {
            p->wrong = 2;
        }

        __atomic_add_fetch(&p->a, 1, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&p->b, 1, __ATOMIC_SEQ_CST);

        p->locks++;

        __atomic_sub_fetch(&p->owners, 1, __ATOMIC_SEQ_CST);
        ngx_wassiit_robust_unlock(&p->robust);
    }
}


static void
unit_robust_not_mended(void)
{
    unit_robust_end(unit_robust_owner(ROBUST_STAYS));

    unit_is(unit_robust_lock(ROBUST_WAIT), NGX_DONE, "a death is told");
    ngx_wassiit_robust_unlock(&sh->robust);

    unit_is(unit_robust_lock(ROBUST_WAIT), NGX_ERROR,
            "what nobody mends can't be had any more");
    unit_is(ngx_errno, ENOTRECOVERABLE, "and that is said");
    unit_is(ngx_wassiit_robust_trylock(&sh->robust), NGX_ERROR, "each time");
}


/* A child that has locked it, as sh->rc says, at another address than ours. */

static pid_t
unit_robust_owner(ngx_uint_t end)
{
    pid_t  pid;

    sh->ready = 0;
    pid = unit_fork();

    if (pid == 0) {
        other->rc = ngx_wassiit_robust_lock(&other->robust,
                                            ngx_wassiit_robust_now()
                                            + ROBUST_WAIT);
        __atomic_store_n(&other->ready, 1, __ATOMIC_RELEASE);

        if (end == ROBUST_EXITS) {
            _exit(0);
        }

        for ( ;; ) {
            pause();
        }
    }

    while (!__atomic_load_n(&sh->ready, __ATOMIC_ACQUIRE)) {
        ngx_sched_yield();
    }

    return pid;
}


static void
unit_robust_end(pid_t pid)
{
    kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
}


static ngx_int_t
unit_robust_lock(uint64_t ms)
{
    return ngx_wassiit_robust_lock(&sh->robust,
                                   ms ? ngx_wassiit_robust_now() + ms : 0);
}


/* One memory at two addresses. */

static void
unit_robust_map(void)
{
    int  fd;

    fd = memfd_create("robust", 0);

    if (fd == -1 || ftruncate(fd, sizeof(unit_shared_t)) == -1) {
        perror("memfd_create()");
        exit(2);
    }

    sh = mmap(NULL, sizeof(unit_shared_t), PROT_READ|PROT_WRITE, MAP_SHARED,
              fd, 0);
    other = mmap(NULL, sizeof(unit_shared_t), PROT_READ|PROT_WRITE,
                 MAP_SHARED, fd, 0);

    if (sh == MAP_FAILED || other == MAP_FAILED) {
        perror("mmap()");
        exit(2);
    }

    (void) close(fd);
}
