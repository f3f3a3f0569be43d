
/*
 * A disk that fails when a test says so, to be preloaded (LD_PRELOAD). The file
 * WASSIIT_FAULTS is read at each call; each of its lines is
 *
 *     CALL KIND ERRNO [FROM]
 *
 * CALL is open, write (pwrite too), ftruncate, fsync or rename. KIND is what
 * it is made on: "file" ends in .jsonl, "compact" in .jsonl.compact, "folder"
 * is any folder that is opened as such. FROM is for write: a disk that is full,
 * no byte from this one on gets written, those before it do. What isn't named
 * is made as always.
 *
 *     fsync folder ERRNO FROM
 *
 * It fails in a folder whose partners.jsonl has less than FROM bytes.
 *
 *     fsync KIND -1 FROM
 *
 * Who makes the call for what has FROM bytes or more is killed after it; with
 * -2, before it.
 *
 *     fsync KIND -3
 *
 * The call waits as long as the file says so.
 *
 *     write KIND -1
 *
 * Who is about to write is killed, when the file's time has changed already.
 *
 *     rename KIND -1
 *
 * Who is about to rename is killed.
 *
 *     unlock mutex -1
 *
 * Who is about to free a mutex that outlives its holder is stopped, with it.
 *
 *     create thread ERRNO
 *
 * No thread is started.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>


#define FAULTS_SIZE     4096
#define FAULTS_MUTEXES  64


int open64(const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int openat64(int fd, const char *path, int flags, ...);
int __openat_2(int fd, const char *path, int flags);
int __openat64_2(int fd, const char *path, int flags);


/* nginx takes the environment away from its workers */

static const char  *faults_name;

/* those that workers share were made before there were any */

static pthread_mutex_t  *faults_mutexes[FAULTS_MUTEXES];
static size_t            faults_nmutexes;


__attribute__((constructor)) static void
faults_init(void)
{
    faults_name = getenv("WASSIIT_FAULTS");

    if (faults_name) {
        faults_name = strdup(faults_name);
    }
}


static int
faults_ends(const char *path, const char *end)
{
    size_t  len, n;

    len = strlen(path);
    n = strlen(end);

    return len >= n && strcmp(path + len - n, end) == 0;
}


static const char *
faults_kind(const char *path)
{
    return faults_ends(path, ".jsonl") ? "file"
           : faults_ends(path, ".jsonl.compact") ? "compact" : NULL;
}


static const char *
faults_kind_fd(int fd)
{
    char         name[64], path[FAULTS_SIZE];
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        return "folder";
    }

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlinkat, AT_FDCWD, name, path, sizeof(path) - 1);

    if (n <= 0) {
        return NULL;
    }

    path[n] = '\0';

    return faults_kind(path);
}


/* The errno that the call is to fail with, 0 if it isn't; *from, if told. */

static int
faults_errno(const char *call, const char *kind, off_t *from)
{
    int          fd, code;
    char         text[FAULTS_SIZE], *line, *next, a[16], b[16];
    ssize_t      n;
    long long    first;

    if (kind == NULL || faults_name == NULL) {
        return 0;
    }

    fd = syscall(SYS_openat, AT_FDCWD, faults_name, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        return 0;
    }

    n = syscall(SYS_read, fd, text, sizeof(text) - 1);
    syscall(SYS_close, fd);

    text[n < 0 ? 0 : n] = '\0';

    for (line = strtok_r(text, "\n", &next); line;
         line = strtok_r(NULL, "\n", &next))
    {
        first = -1;

        if (sscanf(line, "%15s %15s %d %lld", a, b, &code, &first) >= 3
            && strcmp(a, call) == 0 && strcmp(b, kind) == 0)
        {
            *from = first;
            return code;
        }
    }

    return 0;
}


/* For errno stays what it was while nothing fails. */

static int
faults_fail(const char *call, const char *kind, off_t *from)
{
    int  code, saved;

    saved = errno;
    code = faults_errno(call, kind, from);
    errno = code ? code : saved;

    return code;
}


static int
faults_openat(int fd, const char *path, int flags, mode_t mode)
{
    off_t        from;
    const char  *kind;

    /* to go to a file by is no opening of its folder */
    kind = (flags & O_PATH) ? "path"
           : (flags & O_DIRECTORY) ? "folder" : faults_kind(path);

    if (faults_fail("open", kind, &from)) {
        return -1;
    }

    return syscall(SYS_openat, fd, path, flags, mode);
}


static int
faults_open(const char *path, int flags, mode_t mode)
{
    return faults_openat(AT_FDCWD, path, flags, mode);
}


int
open(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return faults_open(path, flags, mode);
}


int
open64(const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return faults_open(path, flags, mode);
}


int
__open_2(const char *path, int flags)
{
    return faults_open(path, flags, 0);
}


int
__open64_2(const char *path, int flags)
{
    return faults_open(path, flags, 0);
}


int
openat(int fd, const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return faults_openat(fd, path, flags, mode);
}


int
openat64(int fd, const char *path, int flags, ...)
{
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;
    va_end(args);

    return faults_openat(fd, path, flags, mode);
}


int
__openat_2(int fd, const char *path, int flags)
{
    return faults_openat(fd, path, flags, 0);
}


int
__openat64_2(int fd, const char *path, int flags)
{
    return faults_openat(fd, path, flags, 0);
}


/* How many of the bytes may be written; -1: the call fails. */

static ssize_t
faults_room(int fd, size_t len, off_t offset)
{
    int          code;
    off_t        from;
    struct stat  st;

    code = faults_fail("write", faults_kind_fd(fd), &from);

    if (code == 0) {
        return len;
    }

    while (code == -1) {
        (void) futimens(fd, NULL);
        (void) kill(getpid(), SIGKILL);
    }

    if (offset == -1) {
        offset = (fcntl(fd, F_GETFL) & O_APPEND) && fstat(fd, &st) == 0
                 ? st.st_size : lseek(fd, 0, SEEK_CUR);
    }

    if (from == -1 || offset >= from) {
        return -1;
    }

    return ((off_t) len > from - offset) ? (ssize_t) (from - offset)
                                         : (ssize_t) len;
}


ssize_t
write(int fd, const void *p, size_t len)
{
    ssize_t  n;

    n = faults_room(fd, len, -1);

    return (n == -1) ? -1 : syscall(SYS_write, fd, p, n);
}


ssize_t
pwrite(int fd, const void *p, size_t len, off_t offset)
{
    ssize_t  n;

    n = faults_room(fd, len, offset);

    return (n == -1) ? -1 : syscall(SYS_pwrite64, fd, p, n, offset);
}


ssize_t
pwrite64(int fd, const void *p, size_t len, off_t offset)
{
    return pwrite(fd, p, len, offset);
}


int
ftruncate(int fd, off_t size)
{
    off_t  from;

    return faults_fail("ftruncate", faults_kind_fd(fd), &from)
           ? -1 : (int) syscall(SYS_ftruncate, fd, size);
}


int
ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}


int
fsync(int fd)
{
    int          code;
    off_t        from;
    struct stat  st;

    code = faults_fail("fsync", faults_kind_fd(fd), &from);

    if (code > 0 && (from == -1
                     || (fstatat(fd, "partners.jsonl", &st, 0) == 0
                         && st.st_size < from)))
    {
        errno = code;
        return -1;
    }

    if (code > 0) {
        code = 0;
    }

    while (code == -3) {
        (void) usleep(1000);
        code = faults_fail("fsync", faults_kind_fd(fd), &from);
    }

    while (code == -2 && fstat(fd, &st) == 0 && st.st_size >= from) {
        (void) kill(getpid(), SIGKILL);
    }

    if (syscall(SYS_fsync, fd) == -1) {
        return -1;
    }

    while (code && fstat(fd, &st) == 0 && st.st_size >= from) {
        (void) kill(getpid(), SIGKILL);
    }

    return 0;
}


int
rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}


int
renameat(int fd, const char *from, int fd2, const char *to)
{
    int    code;
    off_t  first;

    code = faults_fail("rename", faults_kind(from), &first);

    while (code == -1) {
        (void) kill(getpid(), SIGKILL);
    }

    return code ? -1 : (int) syscall(SYS_renameat2, fd, from, fd2, to, 0);
}


int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*start)(void *), void *arg)
{
    int    code;
    off_t  from;

    static int  (*real)(pthread_t *, const pthread_attr_t *,
                        void *(*)(void *), void *);

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "pthread_create");
    }

    code = faults_errno("create", "thread", &from);

    return code ? code : real(thread, attr, start, arg);
}


/* No mutex but that of a zone is waited for so long and no longer. */

int
pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
    const struct timespec *end)
{
    size_t  i;

    static int  (*real)(pthread_mutex_t *, clockid_t,
                        const struct timespec *);

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "pthread_mutex_clocklock");
    }

    for (i = 0; i < faults_nmutexes && faults_mutexes[i] != mutex; i++) {
        /* void */
    }

    if (i == faults_nmutexes && i < FAULTS_MUTEXES) {
        faults_mutexes[faults_nmutexes++] = mutex;
    }

    return real(mutex, clock, end);
}


int
pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    off_t   from;
    size_t  i;

    static int  (*real)(pthread_mutex_t *);

    if (real == NULL) {
        real = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    }

    for (i = 0; i < faults_nmutexes; i++) {
        if (faults_mutexes[i] == mutex
            && faults_fail("unlock", "mutex", &from))
        {
            /* unlike kill(), it stops this thread before it goes on */
            (void) raise(SIGSTOP);
        }
    }

    return real(mutex);
}
