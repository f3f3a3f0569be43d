
/*
 * What is known of the partners' file, as it lies in shared memory: writers
 * that die after any instruction, readers that others overtake at any
 * instruction, and both at random, in processes of their own.
 *
 * The processor's trap flag raises SIGTRAP after each instruction; its handler
 * is where a writer kills itself and where a reader is overtaken.
 */


#include "unit.h"

#include "ngx_http_wassiit_journal.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>


#define TRAP_FLAG       0x100

#define KILLS           100     /* of writers at random */
#define STEPS_MAX       100000  /* instructions of one call */

/* with ASan most instructions are its own, and each takes long */
#if (__SANITIZE_ADDRESS__)
#define STRIDE          16
#elif defined(__has_feature)
#if (__has_feature(address_sanitizer))
#define STRIDE          16
#endif
#endif

#ifndef STRIDE
#define STRIDE          1       /* instructions to the next one, at most */
#endif


/* what a writer and its parent share */

typedef struct {
    ngx_http_wassiit_journals_t  journals;
    uint64_t                     done;      /* the last number that is set */
} unit_shared_t;


static void unit_journal_copies(void);
static void unit_journal_dead(void);
static void unit_journal_moved(void);
static void unit_journal_spans(void);
static void unit_journal_deaths(void);
static void unit_journal_kills(void);
static void unit_journal_writes(void);

static void unit_journal_fill(ngx_http_wassiit_journal_t *journal, uint64_t n);
static ngx_uint_t unit_journal_is(ngx_http_wassiit_journal_t *journal,
    uint64_t n);
static uint64_t unit_journal_number(void);
static void unit_journal_put(uint64_t n);

#if (__x86_64__)
static void unit_journal_steps(void);
static ngx_uint_t unit_journal_dies(ngx_uint_t step);
static ngx_uint_t unit_journal_overtaken(ngx_uint_t step, ngx_uint_t count);
static void unit_journal_trap(int signo, siginfo_t *info, void *context);
static void unit_journal_trap_on(void);
#endif


static unit_shared_t  *shared;

#if (__x86_64__)
static volatile ngx_uint_t  stepping;   /* traps are asked for */
static volatile ngx_uint_t  inside;     /* what is tested runs */
static volatile ngx_uint_t  steps;      /* instructions of it so far */
static volatile ngx_uint_t  at;         /* when something happens */
static volatile ngx_uint_t  overtakes;  /* by so many; 0: it dies */
#endif


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

    unit_journal_copies();
    unit_journal_dead();
    unit_journal_moved();
    unit_journal_spans();
    unit_journal_deaths();
    unit_journal_kills();

    return unit_done();
}


static void
unit_journal_copies(void)
{
    uint64_t                    n;
    ngx_uint_t                  wrong;
    ngx_http_wassiit_journal_t  journal;

    memset(&journal, 0xa5, sizeof(journal));
    ngx_http_wassiit_journal_get(&shared->journals, &journal);
    unit_ok(unit_journal_is(&journal, 0), "memory of zeros is a journal");

    wrong = 0;

    for (n = 1; n <= 1000; n++) {
        unit_journal_put(n);
        wrong += (unit_journal_number() != n);
        wrong += (unit_journal_number() != n);
    }

    unit_is(wrong, 0, "what was set last is in force");

    unit_journal_fill(&journal, 7);
    ngx_http_wassiit_journal_set(&shared->journals, &journal);
    unit_journal_fill(&journal, 8);
    unit_is(unit_journal_number(), 7, "it is a copy");
}


static void
unit_journal_dead(void)
{
    ngx_http_wassiit_journal_t  journal, before;

    ngx_memzero(&journal, sizeof(journal));
    unit_ok(!ngx_http_wassiit_journal_is_dead(&journal, 0, 0, 0),
            "nothing is dead at first");

    before = journal;
    ngx_http_wassiit_journal_mark_dead(&journal, 1, 2, 30, 40);

    unit_ok(ngx_http_wassiit_journal_is_dead(&journal, 1, 2, 40),
            "bytes at the end of a file are");
    unit_ok(ngx_http_wassiit_journal_is_dead(&journal, 1, 2, 41),
            "and with others after them");
    unit_ok(!ngx_http_wassiit_journal_is_dead(&journal, 1, 2, 39),
            "not in a file that ends before");
    unit_ok(!ngx_http_wassiit_journal_is_dead(&journal, 3, 2, 40)
            && !ngx_http_wassiit_journal_is_dead(&journal, 1, 3, 40),
            "nor in another file");
    unit_ok(journal.dead_from == 30 && journal.dead_to == 40,
            "and it is known which they are");

    before.dead = 1;
    before.dead_dev = 1;
    before.dead_ino = 2;
    before.dead_from = 30;
    before.dead_to = 40;
    unit_ok(memcmp(&before, &journal, sizeof(journal)) == 0,
            "all else is what it was");

    journal.dead = 0;
    unit_ok(!ngx_http_wassiit_journal_is_dead(&journal, 1, 2, 40),
            "until they are taken out");
}


static void
unit_journal_moved(void)
{
    ngx_http_wassiit_journal_t  journal, before;

    ngx_memzero(&journal, sizeof(journal));
    unit_ok(!ngx_http_wassiit_journal_is_open(&journal), "no writer has begun");

    journal.writing = 1;
    unit_ok(ngx_http_wassiit_journal_is_open(&journal), "one adds a line");

    journal.writing = 0;
    journal.moving = 1;
    unit_ok(ngx_http_wassiit_journal_is_open(&journal), "one moves lines");

    unit_journal_fill(&journal, 9);
    journal.moving = 0;
    before = journal;
    unit_ok(!ngx_http_wassiit_journal_moved(&journal, journal.next_dev,
                                            journal.next_ino)
            && memcmp(&before, &journal, sizeof(journal)) == 0,
            "if none moves lines, a file isn't the next one");

    journal.moving = 1;
    journal.next_ino = 10;
    before = journal;
    before.moving = 0;
    before.due = 0;
    unit_ok(!ngx_http_wassiit_journal_moved(&journal, 9, 9)
            && memcmp(&before, &journal, sizeof(journal)) == 0,
            "one that died before has moved nothing");

    journal.moving = 1;
    journal.due = 5;
    journal.next_dev = 11;
    journal.next_size = 12;
    journal.next_mtime = 13;
    journal.next_crc = 14;
    journal.next_lines = 15;
    journal.folder = 0;

    unit_ok(ngx_http_wassiit_journal_moved(&journal, 11, 10),
            "one that died after has put the next file in place");
    unit_ok(journal.dev == 11 && journal.ino == 10 && journal.size == 12
            && journal.mtime == 13 && journal.crc == 14 && journal.lines == 15,
            "which the journal is of");
    unit_ok(journal.folder && !journal.moving && journal.due == 0,
            "and whose name may not be on the disk");
    unit_ok(journal.dead_from == 9 && journal.writing == 9
            && journal.foreign == 9, "all else is what it was");
}


static void
unit_journal_spans(void)
{
    size_t                   len;
    off_t                    offset;
    ngx_uint_t               i, n, wrong;
    ngx_http_wassiit_span_t  spans[50];

    wrong = 0;

    for (n = 0; n <= 50; n++) {
        len = 0;

        for (i = 0; i < n; i++) {
            spans[i].offset = unit_random(UINT64_C(1) << 40);
            spans[i].len = 1 + unit_random(65535);
            spans[i].owner = (void *) (uintptr_t)
                             (spans[i].offset ^ spans[i].len);
            len += spans[i].len;
        }

        ngx_http_wassiit_spans_sort(spans, n);

        for (i = 0; i < n; i++) {
            wrong += (i && spans[i - 1].offset > spans[i].offset);
            wrong += ((uintptr_t) spans[i].owner
                      != (uintptr_t) (spans[i].offset ^ spans[i].len));
        }

        ngx_http_wassiit_spans_pack(spans, n);
        offset = 0;

        for (i = 0; i < n; i++) {
            wrong += (spans[i].offset != offset);
            offset += spans[i].len;
        }

        wrong += ((size_t) offset != len);
    }

    unit_is(wrong, 0, "spans are sorted, and put one after another");
}


/* ---- one instruction at a time */

#if (__x86_64__)


static void
unit_journal_deaths(void)
{
    struct sigaction  sa;

    ngx_memzero(&sa, sizeof(struct sigaction));
    sa.sa_sigaction = unit_journal_trap;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &sa, NULL);

    unit_journal_steps();
}


static void
unit_journal_steps(void)
{
    uint64_t    former, number;
    ngx_uint_t  step, count, died, wrong, older, newer;

    wrong = 0;
    older = 0;
    newer = 0;

    for (step = 1; step < STEPS_MAX; step += 1 + unit_random(STRIDE)) {
        former = unit_journal_number();
        died = unit_journal_dies(step);
        number = unit_journal_number();

        if (number == former) {
            /* once it is in force, it stays so */
            wrong += (newer != 0);
            older++;

        } else if (number == former + 1) {
            newer++;

        } else {
            wrong++;
        }

        if (!died) {
            break;
        }

        /* whoever comes next can go on from either */

        unit_journal_put(former + 2);
        wrong += (unit_journal_number() != former + 2);
    }

    unit_is(wrong, 0, "a writer that dies leaves the former one or the new");
    unit_ok(older > 2 && newer > 0 && step < STEPS_MAX,
            "each of them was seen");
    unit_note("%u deaths left the former one, %u the new",
              (unsigned) older, (unsigned) newer);

    for (count = 1; count <= 3; count++) {
        wrong = 0;

        for (step = 1; step < STEPS_MAX; step += 1 + unit_random(STRIDE)) {
            died = unit_journal_overtaken(step, count);

            if (died == 2) {
                break;
            }

            wrong += died;
        }

        unit_is(wrong, 0, "a reader that writers overtake gets a whole one");
        unit_ok(step > 2 && step < STEPS_MAX, "after any of %u instructions",
                (unsigned) step);
    }
}


/* Returns 1: the child died in the call; 0: it came to its end. */

static ngx_uint_t
unit_journal_dies(ngx_uint_t step)
{
    int                         status;
    pid_t                       pid;
    ngx_http_wassiit_journal_t  journal;

    unit_journal_fill(&journal, unit_journal_number() + 1);
    pid = unit_fork();

    if (pid == 0) {
        at = step;
        overtakes = 0;
        unit_journal_trap_on();

        inside = 1;
        ngx_http_wassiit_journal_set(&shared->journals, &journal);
        inside = 0;

        _exit(0);
    }

    (void) waitpid(pid, &status, 0);

    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return 0;
    }

    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        unit_ok(0, "it dies of nothing else");
    }

    return 1;
}


/*
 * Reads, and after so many instructions others set so many journals.  Returns
 * 0: what was read is one that was in force meanwhile; 1: it isn't; 2: it was
 * read before.
 */

static ngx_uint_t
unit_journal_overtaken(ngx_uint_t step, ngx_uint_t count)
{
    uint64_t                    former;
    ngx_uint_t                  i, rc;
    ngx_http_wassiit_journal_t  journal;

    former = unit_journal_number();
    memset(&journal, 0xa5, sizeof(journal));

    at = step;
    overtakes = count;
    unit_journal_trap_on();

    inside = 1;
    ngx_http_wassiit_journal_get(&shared->journals, &journal);
    inside = 0;
    stepping = 0;

    rc = 1;

    for (i = 0; i <= count; i++) {
        if (unit_journal_is(&journal, former + i)) {
            rc = 0;
        }
    }

    return (rc == 0 && steps < step) ? 2 : rc;
}


static void
unit_journal_trap_on(void)
{
    steps = 0;
    stepping = 1;

    raise(SIGTRAP);
}


/* The flag is off in the handler; what it returns with is to be told. */

static void
unit_journal_trap(int signo, siginfo_t *info, void *context)
{
    uint64_t    number;
    ngx_uint_t  i;
    ucontext_t  *uc;

    (void) signo;
    (void) info;

    if (stepping && inside) {
        inside = 0;

        if (++steps == at) {

            if (overtakes == 0) {
                kill(getpid(), SIGKILL);
            }

            number = unit_journal_number();

            for (i = 1; i <= overtakes; i++) {
                unit_journal_put(number + i);
            }

            stepping = 0;
        }

        inside = 1;
    }

    uc = context;

    if (stepping) {
        uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;

    } else {
        uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    }
}


#else


static void
unit_journal_deaths(void)
{
    unit_note("single steps are known for x86-64 only");
}


#endif


/* ---- at random */

static void
unit_journal_kills(void)
{
    int                         status;
    pid_t                       pid;
    uint64_t                    number, last, told, until;
    ngx_uint_t                  i, reads, torn, back, lost;
    ngx_http_wassiit_journal_t  journal;

    torn = 0;
    back = 0;
    lost = 0;
    reads = 0;
    last = 1;

    unit_journal_put(last);
    shared->done = last;
    fflush(stdout);

    for (i = 0; i < KILLS; i++) {
        pid = unit_fork();

        if (pid == 0) {
            unit_journal_writes();
        }

        for (until = last + 1 + unit_random(500); last < until; reads++) {
            told = __atomic_load_n(&shared->done, __ATOMIC_ACQUIRE);

            memset(&journal, 0xa5, sizeof(journal));
            ngx_http_wassiit_journal_get(&shared->journals, &journal);
            number = journal.dev;

            torn += !unit_journal_is(&journal, number);
            back += (number < last || number < told);
            last = number;
        }

        if (i % 2) {
            /* a writer that stands still is waited for by nobody */
            kill(pid, SIGSTOP);
            (void) waitpid(pid, &status, WUNTRACED);

            ngx_http_wassiit_journal_get(&shared->journals, &journal);
            torn += !unit_journal_is(&journal, journal.dev);
        }

        kill(pid, SIGKILL);
        (void) waitpid(pid, &status, 0);

        number = unit_journal_number();
        lost += (number != shared->done && number != shared->done + 1);
        shared->done = number;
        last = number;
    }

    unit_is(torn, 0, "what is read while others write is whole");
    unit_is(back, 0, "and never older than what was read before");
    unit_is(lost, 0, "what a killed writer has set stays in force");
    unit_note("%u reads of %u journals", (unsigned) reads, (unsigned) last);
}


static void
unit_journal_writes(void)
{
    uint64_t  n;

    for (n = unit_journal_number() + 1; ; n++) {
        unit_journal_put(n);
        __atomic_store_n(&shared->done, n, __ATOMIC_RELEASE);
    }
}


/* A journal whose fields all say n. */

static void
unit_journal_fill(ngx_http_wassiit_journal_t *journal, uint64_t n)
{
    ngx_memzero(journal, sizeof(ngx_http_wassiit_journal_t));

    journal->dev = n;
    journal->ino = n;
    journal->size = n;
    journal->crc = n;
    journal->lines = n;
    journal->due = n;
    journal->mtime = n;
    journal->dead_dev = n;
    journal->dead_ino = n;
    journal->dead_from = n;
    journal->dead_to = n;
    journal->dead = n;
    journal->writing = n;
    journal->foreign = n;
    journal->folder = n;
    journal->next_dev = n;
    journal->next_ino = n;
    journal->next_size = n;
    journal->next_mtime = n;
    journal->next_crc = n;
    journal->next_lines = n;
    journal->moving = n;
}


static ngx_uint_t
unit_journal_is(ngx_http_wassiit_journal_t *journal, uint64_t n)
{
    return journal->dev == n && journal->ino == n
           && journal->size == (off_t) n && journal->crc == (uint32_t) n
           && journal->lines == (uint32_t) n && journal->due == (uint32_t) n
           && journal->mtime == (int64_t) n && journal->dead_dev == n
           && journal->dead_ino == n && journal->dead_from == (off_t) n
           && journal->dead_to == (off_t) n && journal->dead == (u_char) n
           && journal->writing == (u_char) n && journal->foreign == (u_char) n
           && journal->folder == (u_char) n && journal->next_dev == n
           && journal->next_ino == n && journal->next_size == (off_t) n
           && journal->next_mtime == (int64_t) n
           && journal->next_crc == (uint32_t) n
           && journal->next_lines == (uint32_t) n
           && journal->moving == (u_char) n;
}


/* The number of the one in force; 0 if it isn't whole. */

static uint64_t
unit_journal_number(void)
{
    ngx_http_wassiit_journal_t  journal;

    ngx_http_wassiit_journal_get(&shared->journals, &journal);

    return unit_journal_is(&journal, journal.dev) ? journal.dev : 0;
}


static void
unit_journal_put(uint64_t n)
{
    ngx_http_wassiit_journal_t  journal;

    unit_journal_fill(&journal, n);
    ngx_http_wassiit_journal_set(&shared->journals, &journal);
}
