
/*
 * What the unit tests share: TAP on the standard output, random numbers that
 * a seed repeats, and what the core takes from nginx's own objects.
 *
 * Each t/unit/NAME.c is a program of its own: it includes this header once,
 * is linked with the core (src/ngx_wassiit_*.c), libcrypto and jansson, and
 * with nothing of nginx.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_crc32.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>


#define UNIT_SEED           20261101
#define UNIT_SEED_VARIABLE  "WASSIIT_UNIT_SEED"
#define UNIT_PATIENCE       600     /* seconds */
#define UNIT_STRENGTH       "WASSIIT_UNIT_STRENGTH"


uint32_t  ngx_crc32_table256[256];


static ngx_uint_t  unit_count;
static ngx_uint_t  unit_failed;
static uint64_t    unit_state;


__attribute__((constructor)) static void
unit_crc32_init(void)
{
    uint32_t    crc;
    ngx_uint_t  i, k;

    for (i = 0; i < 256; i++) {
        crc = i;

        for (k = 0; k < 8; k++) {
            crc = (crc >> 1) ^ ((crc & 1) ? 0xedb88320 : 0);
        }

        ngx_crc32_table256[i] = crc;
    }
}


/* Lines of comment; the harness shows those of a test that failed. */

__attribute__((format(printf, 1, 2))) static ngx_inline void
unit_note(const char *fmt, ...)
{
    va_list  args;

    fputs("# ", stdout);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    fputc('\n', stdout);
}


__attribute__((format(printf, 2, 3))) static ngx_inline ngx_uint_t
unit_ok(ngx_uint_t good, const char *fmt, ...)
{
    va_list  args;

    unit_count++;
    unit_failed += !good;

    printf("%sok %u - ", good ? "" : "not ", (unsigned) unit_count);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    fputc('\n', stdout);
    fflush(stdout);

    return good;
}


static ngx_inline ngx_uint_t
unit_is(int64_t got, int64_t expected, const char *name)
{
    if (!unit_ok(got == expected, "%s", name)) {
        unit_note("got %lld, expected %lld", (long long) got,
                  (long long) expected);
        return 0;
    }

    return 1;
}


/* How many times as much is tried as in "make test", by the environment. */

static ngx_inline ngx_uint_t
unit_strength(void)
{
    char        *value;
    ngx_uint_t   n;

    value = getenv(UNIT_STRENGTH);
    n = value ? strtoul(value, NULL, 10) : 1;

    return ngx_max(n, 1);
}


/*
 * A child that doesn't outlive its parent, nor an endless loop.  Returns as
 * fork() does, but never -1.
 */

static ngx_inline pid_t
unit_fork(void)
{
    pid_t  pid;

    fflush(stdout);
    pid = fork();

    if (pid == -1) {
        perror("fork()");
        exit(2);
    }

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        alarm(UNIT_PATIENCE);
    }

    return pid;
}


/* Goes on with tests in a child, which may become another user, then here. */

static ngx_inline void
unit_child(void (*tests)(void))
{
    int          status;
    pid_t        pid;
    ngx_uint_t  *counts;

    counts = mmap(NULL, 2 * sizeof(ngx_uint_t), PROT_READ|PROT_WRITE,
                  MAP_ANON|MAP_SHARED, -1, 0);

    if (counts == MAP_FAILED) {
        perror("mmap()");
        exit(2);
    }

    pid = unit_fork();

    if (pid == 0) {
        tests();

        counts[0] = unit_count;
        counts[1] = unit_failed;
        (void) fflush(stdout);
        _exit(0);
    }

    status = -1;
    (void) waitpid(pid, &status, 0);

    if (counts[0]) {
        unit_count = counts[0];
        unit_failed = counts[1];
    }

    (void) munmap(counts, 2 * sizeof(ngx_uint_t));
    unit_ok(status == 0, "the process has ended well");
}


/* Zeros that children share. */

static ngx_inline void *
unit_shared(size_t size)
{
    void  *p;

    p = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    if (p == MAP_FAILED) {
        perror("mmap()");
        exit(2);
    }

    return p;
}


/* Ends the program: the plan, and the status for its caller. */

static ngx_inline int
unit_done(void)
{
    printf("1..%u\n", (unsigned) unit_count);

    return fflush(stdout) != 0 || unit_failed || unit_count == 0;
}


/* Says why nothing is tested here; the status for the caller. */

static ngx_inline int
unit_skip(const char *reason)
{
    printf("1..0 # SKIP %s\n", reason);

    return fflush(stdout) != 0;
}


/* SplitMix64 */

static ngx_inline uint64_t
unit_random64(void)
{
    uint64_t  z;

    unit_state += 0x9e3779b97f4a7c15;

    z = unit_state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return z ^ (z >> 31);
}


/* from 0 to n - 1 */

static ngx_inline uint64_t
unit_random(uint64_t n)
{
    return unit_random64() % n;
}


/* To be called first.  An endless loop is a failure too. */

static ngx_inline void
unit_start(void)
{
    char  *value;

    alarm(UNIT_PATIENCE * unit_strength());

    unit_state = UNIT_SEED;
    value = getenv(UNIT_SEED_VARIABLE);

    if (value && *value) {
        unit_state = strtoull(value, NULL, 10);
    }

    unit_note("%s=%llu repeats this run", UNIT_SEED_VARIABLE,
              (unsigned long long) unit_state);
}


/*
 * A folder for the files of a test, below parent or, if that is NULL, below
 * TMPDIR; the path is left in dir.
 */

static ngx_inline void
unit_folder(char *dir, size_t size, const char *parent, const char *name)
{
    size_t       len;
    const char  *tmp;

    /* what mkdtemp() puts its letters in place of */
    enum { LETTERS = 6 };

    tmp = parent ? parent : getenv("TMPDIR");
    len = snprintf(dir, size, "%s/wassiit-%s-", (tmp && *tmp) ? tmp : "/tmp",
                   name);

    if (len + LETTERS >= size) {
        fprintf(stderr, "the path of a folder is too long: %s\n", dir);
        exit(2);
    }

    memset(dir + len, 'X', LETTERS);
    dir[len + LETTERS] = '\0';

    if (mkdtemp(dir) == NULL) {
        perror(dir);
        exit(2);
    }
}


#endif /* _UNIT_H_INCLUDED_ */
