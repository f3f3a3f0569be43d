
/*
 * A wall clock that a test can step, to be preloaded (LD_PRELOAD): it is ahead
 * of the machine's by as many microseconds as the file WASSIIT_STEP holds, as
 * eight bytes.  Other clocks are as always.
 */


#define _GNU_SOURCE

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>


static volatile int64_t  *step_ahead;


__attribute__((constructor)) static void
step_open(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("WASSIIT_STEP");
    fd = name ? open(name, O_RDONLY) : -1;

    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        abort();
    }

    step_ahead = p;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int64_t  us;

    if (syscall(SYS_clock_gettime, id, ts) == -1) {
        return -1;
    }

    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) {
        us = (int64_t) ts->tv_sec * 1000000 + ts->tv_nsec / 1000
             + (step_ahead ? *step_ahead : 0);
        ts->tv_sec = us / 1000000;
        ts->tv_nsec = us % 1000000 * 1000;
    }

    return 0;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (t) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}
