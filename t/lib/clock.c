
/*
 * A wall clock that a test sets, to be preloaded (LD_PRELOAD): it stands at
 * the Unix second that the file WASSIIT_CLOCK holds, as eight bytes. nginx
 * takes its own time from gettimeofday(), and its timers from another clock.
 */


#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>


static volatile int64_t  *clock_now;


__attribute__((constructor)) static void
clock_open(void)
{
    int          fd;
    void        *p;
    const char  *name;

    name = getenv("WASSIIT_CLOCK");
    fd = name ? open(name, O_RDONLY) : -1;

    if (fd == -1) {
        abort();
    }

    p = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        abort();
    }

    clock_now = p;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
    tv->tv_sec = *clock_now;
    tv->tv_usec = 0;

    return 0;
}
