
/*
 * Whoever makes a certain step of a change of the partners' file dies in it, to
 * be preloaded (LD_PRELOAD): kill from outside hardly ever hits. The file
 * WASSIIT_DEATHS holds what Wassiit::Deaths writes there, see deaths_t.
 *
 * A step is a call that writes to the file, syncs it or renames another to its
 * name (WRITES); or any call by which the file, its folder or the zone's mutex
 * is changed, before and after it (CALLS); or each store to the memory of the
 * zone (STORES).
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>


#define DEATHS_MAPS     64

enum { WRITES = 1, CALLS, STORES };

/* the names of these are in Wassiit::Deaths */
enum {
    IN_WRITE = 1, BEFORE_SYNC, AFTER_SYNC, BEFORE_RENAME, AFTER_RENAME,
    BEFORE_WRITE, AFTER_WRITE, BEFORE_CUT, AFTER_CUT, BEFORE_DELETE,
    AFTER_DELETE, BEFORE_OPEN, AFTER_OPEN, BEFORE_LOCK, AFTER_LOCK,
    BEFORE_UNLOCK, AFTER_UNLOCK, BEFORE_STORE
};


typedef struct {
    int64_t  left;      /* steps until then; 0: nobody dies */
    int64_t  pid;       /* who has died last */
    int64_t  how;
    int64_t  next;      /* steps from then on until the next one dies */
    int64_t  kind;
    int64_t  spared;    /* the pid of one who makes no steps */
    int64_t  deaths;
} deaths_t;


typedef struct {
    char    *start;
    size_t   size;
    int      closed;    /* in this process, to stores */
} deaths_map_t;


int open64(const char *path, int flags, ...);
int openat64(int folder, const char *path, int flags, ...);


static volatile deaths_t  *deaths;

/* what processes share was mapped before there were any */
static deaths_map_t        deaths_maps[DEATHS_MAPS];
static size_t              deaths_nmaps;
static pthread_mutex_t    *deaths_mutexes[DEATHS_MAPS];
static size_t              deaths_nmutexes;


__attribute__((constructor)) static void
deaths_open(void)
{
    int          fd;
    const char  *name;

    name = getenv("WASSIIT_DEATHS");
    fd = name ? syscall(SYS_openat, AT_FDCWD, name, O_RDWR|O_CLOEXEC) : -1;

    deaths = mmap(NULL, sizeof(deaths_t), PROT_READ|PROT_WRITE, MAP_SHARED, fd,
                  0);

    if (fd == -1 || deaths == MAP_FAILED) {
        abort();
    }
}


static int
deaths_count(int kind)
{
    return deaths && deaths->left > 0
           && (deaths->kind == kind
               || (kind == WRITES && deaths->kind == CALLS))
           && getpid() != deaths->spared;
}


static void
deaths_here(int how)
{
    size_t  i;

    /* the system frees a mutex by writing to it */
    for (i = 0; i < deaths_nmaps; i++) {
        (void) mprotect(deaths_maps[i].start, deaths_maps[i].size,
                        PROT_READ|PROT_WRITE);
    }

    deaths->how = how;
    deaths->pid = getpid();
    deaths->deaths++;
    deaths->left = deaths->next;
    deaths->next = 0;

    for ( ;; ) {
        (void) kill(getpid(), SIGKILL);
    }
}


/* Is this the step to die in? */

static int
deaths_now(int kind)
{
    return deaths_count(kind)
           && __atomic_sub_fetch(&deaths->left, 1, __ATOMIC_SEQ_CST) == 0;
}


static void
deaths_step(int kind, int how)
{
    if (deaths_now(kind)) {
        deaths_here(how);
    }
}


static int
deaths_ours(const char *path)
{
    return strstr(path, ".jsonl") != NULL;
}


/* Logs and notices to oneself are written, too. */

static int
deaths_ours_fd(int fd)
{
    char         link[64], path[4096];
    ssize_t      n;
    struct stat  st;

    if (deaths == NULL || deaths->left <= 0) {
        return 0;
    }

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return 1;
    }

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';

    return deaths_ours(path);
}


static ssize_t
deaths_write(int fd, const void *p, size_t n, off_t offset)
{
    struct iovec  all = { (void *) p, n };

    if (n && deaths_ours_fd(fd)) {
        deaths_step(CALLS, BEFORE_WRITE);

        if (deaths_now(WRITES)) {
            all.iov_len = (deaths->kind == CALLS) ? n / 2
                                                  : (size_t) rand() % n;

            if (offset == -1) {
                (void) writev(fd, &all, 1);
            } else {
                (void) pwritev(fd, &all, 1, offset);
            }

            deaths_here(IN_WRITE);
        }

        /* not by the calls that stand in place of these */
        n = (offset == -1) ? writev(fd, &all, 1)
                           : pwritev(fd, &all, 1, offset);

        deaths_step(CALLS, AFTER_WRITE);
        return n;
    }

    return (offset == -1) ? writev(fd, &all, 1) : pwritev(fd, &all, 1, offset);
}


ssize_t
write(int fd, const void *p, size_t n)
{
    return deaths_write(fd, p, n, -1);
}


ssize_t
pwrite64(int fd, const void *p, size_t n, off_t offset)
{
    return deaths_write(fd, p, n, offset);
}


int
fsync(int fd)
{
    deaths_step(WRITES, BEFORE_SYNC);

    if (syscall(SYS_fsync, fd) != 0) {
        return -1;
    }

    deaths_step(WRITES, AFTER_SYNC);

    return 0;
}


int
rename(const char *from, const char *to)
{
    int  rc;

    deaths_step(WRITES, BEFORE_RENAME);

    rc = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);

    deaths_step(WRITES, AFTER_RENAME);

    return rc;
}


int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    int  rc;

    deaths_step(WRITES, BEFORE_RENAME);

    rc = syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);

    deaths_step(WRITES, AFTER_RENAME);

    return rc;
}


int
ftruncate64(int fd, off_t size)
{
    int  rc;

    deaths_step(CALLS, BEFORE_CUT);

    rc = syscall(SYS_ftruncate, fd, size);

    deaths_step(CALLS, AFTER_CUT);

    return rc;
}


int
unlink(const char *path)
{
    int  rc, ours;

    ours = deaths_ours(path);

    if (ours) {
        deaths_step(CALLS, BEFORE_DELETE);
    }

    rc = syscall(SYS_unlinkat, AT_FDCWD, path, 0);

    if (ours) {
        deaths_step(CALLS, AFTER_DELETE);
    }

    return rc;
}


int
unlinkat(int fd, const char *path, int flags)
{
    int  rc, ours;

    ours = deaths_ours(path);

    if (ours) {
        deaths_step(CALLS, BEFORE_DELETE);
    }

    rc = syscall(SYS_unlinkat, fd, path, flags);

    if (ours) {
        deaths_step(CALLS, AFTER_DELETE);
    }

    return rc;
}


static int
deaths_openat(int folder, const char *path, int flags, mode_t mode)
{
    int  fd, ours;

    ours = (flags & O_CREAT) && deaths_ours(path);

    if (ours) {
        deaths_step(CALLS, BEFORE_OPEN);
    }

    fd = syscall(SYS_openat, folder, path, flags, mode);

    if (ours) {
        deaths_step(CALLS, AFTER_OPEN);
    }

    return fd;
}


int
open64(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return deaths_openat(AT_FDCWD, path, flags, mode);
}


int
openat64(int folder, const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return deaths_openat(folder, path, flags, mode);
}


/* ---- the memory that processes share */

void *
mmap64(void *p, size_t size, int rights, int flags, int fd, off_t offset)
{
    void  *at;

    at = (void *) syscall(SYS_mmap, p, size, rights, flags, fd, offset);

    /* a zone's memory has a descriptor, and its size is sealed */

    if (at != MAP_FAILED && (flags & MAP_SHARED)
        && ((flags & MAP_ANONYMOUS) || fcntl(fd, F_GET_SEALS) != -1)
        && deaths_nmaps < DEATHS_MAPS)
    {
        deaths_maps[deaths_nmaps].start = at;
        deaths_maps[deaths_nmaps++].size = size;
    }

    return at;
}


void *
mmap(void *p, size_t size, int rights, int flags, int fd, off_t offset)
{
    return mmap64(p, size, rights, flags, fd, offset);
}


static deaths_map_t *
deaths_map(void *p)
{
    size_t  i;

    for (i = 0; i < deaths_nmaps; i++) {
        if ((char *) p >= deaths_maps[i].start
            && (char *) p < deaths_maps[i].start + deaths_maps[i].size)
        {
            return &deaths_maps[i];
        }
    }

    return NULL;
}


#if defined(__x86_64__)

#define TRAP_FLAG  0x100

/* A store to memory that is closed to it: it is made alone, then closed. */

static void
deaths_store(int signal, siginfo_t *info, void *context)
{
    size_t         i;
    ucontext_t    *uc = context;
    deaths_map_t  *map;

    if (signal == SIGTRAP) {
        uc->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;

        for (i = 0; i < deaths_nmaps; i++) {
            map = &deaths_maps[i];

            if (map->closed && deaths_count(STORES)) {
                (void) mprotect(map->start, map->size, PROT_READ);
            } else {
                map->closed = 0;
            }
        }

        return;
    }

    map = deaths_map(info->si_addr);

    if (map == NULL) {
        /* a true one: it comes again */
        (void) sigaction(SIGSEGV, &(struct sigaction) { .sa_handler = SIG_DFL },
                         NULL);
        return;
    }

    deaths_step(STORES, BEFORE_STORE);

    (void) mprotect(map->start, map->size, PROT_READ|PROT_WRITE);

    uc->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
    (void) sigdelset(&uc->uc_sigmask, SIGTRAP);
}


static void
deaths_close(void *p)
{
    deaths_map_t      *map;
    struct sigaction   action;

    map = deaths_map(p);

    if (map == NULL || map->closed || !deaths_count(STORES)) {
        return;
    }

    memset(&action, 0, sizeof(struct sigaction));
    action.sa_sigaction = deaths_store;
    action.sa_flags = SA_SIGINFO;

    (void) sigaction(SIGSEGV, &action, NULL);
    (void) sigaction(SIGTRAP, &action, NULL);

    map->closed = 1;
    (void) mprotect(map->start, map->size, PROT_READ);
}

#else

static void
deaths_close(void *p)
{
    (void) deaths_map(p);
}

#endif


static int
deaths_ours_mutex(pthread_mutex_t *mutex)
{
    size_t  i;

    for (i = 0; i < deaths_nmutexes; i++) {
        if (deaths_mutexes[i] == mutex) {
            return 1;
        }
    }

    return 0;
}


/* No mutex but that of a zone is waited for so long and no longer. */

int
pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
    const struct timespec *end)
{
    int  rc;

    static int  (*real)(pthread_mutex_t *, clockid_t,
                        const struct timespec *);

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "pthread_mutex_clocklock");
    }

    if (!deaths_ours_mutex(mutex) && deaths_nmutexes < DEATHS_MAPS) {
        deaths_mutexes[deaths_nmutexes++] = mutex;
    }

    deaths_close(mutex);
    deaths_step(CALLS, BEFORE_LOCK);

    rc = real(mutex, clock, end);

    deaths_step(CALLS, AFTER_LOCK);

    return rc;
}


int
pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int  rc;

    static int  (*real)(pthread_mutex_t *);

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    }

    if (!deaths_ours_mutex(mutex)) {
        return real(mutex);
    }

    deaths_step(CALLS, BEFORE_UNLOCK);

    rc = real(mutex);

    deaths_step(CALLS, AFTER_UNLOCK);

    return rc;
}
