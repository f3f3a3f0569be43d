/*
 * Records what is done to the files of one folder, to be preloaded
 * (LD_PRELOAD).  Whoever reads the records knows what a disk may hold if power
 * is cut after any of them.
 *
 *     WASSIIT_POWER=FOLDER:RECORDS:CONTROL
 *
 * Each call and its record are made as one step, under a lock of the file
 * RECORDS (flock).  So the records' order is that of the calls.  Whoever kills
 * a process that records holds the lock, too, and no call goes unrecorded.
 *
 * No disk is waited for: fsync() takes the time that CONTROL says.  Its record
 * tells how long the records were when it began; what they had by then is on
 * the disk.  What others do meanwhile is not.
 *
 * CONTROL is a power_control_t, which can be changed at any time.
 */


#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>


/* what a record is of, and which of its fields are set besides */

#define POWER_CREATE    1       /* ino, data: a name */
#define POWER_WRITE     2       /* ino, at: the offset, data */
#define POWER_TRUNCATE  3       /* ino, at: the size */
#define POWER_RENAME    4       /* data: two names, a NUL between them */
#define POWER_UNLINK    5       /* data: a name */
#define POWER_SYNC      6       /* ino, at: the records' size at its begin */
#define POWER_FOLDER    7       /* at: the same, of the folder's names */

/* where a process dies that makes the last of the counted calls */

#define POWER_BEFORE    0
#define POWER_WITHIN    1
#define POWER_AFTER     2
#define POWER_LIVES     3


typedef struct {
    uint32_t             size;      /* of all of it, data included */
    uint32_t             what;
    uint64_t             ino;
    int64_t              at;
} power_record_t;


typedef struct {
    volatile int64_t     calls;     /* until one dies, 0: none does */
    volatile int64_t     what;      /* is counted, 0: any call */
    volatile int64_t     stage;     /* POWER_BEFORE, _WITHIN, _AFTER */
    volatile int64_t     part;      /* of 256, that is written before */
    volatile int64_t     sync;      /* microseconds that fsync() takes */
    volatile int64_t     all;       /* its whole process group dies */
    volatile int64_t     died;      /* the process that made the call */
} power_control_t;


int open64(const char *path, int flags, ...);
int openat64(int folder, const char *path, int flags, ...);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);


/* nginx takes the environment away from its workers */

static char             *power_folder;
static size_t            power_len;
static const char       *power_records;
static power_control_t  *power_control;

/* whoever shares an open file shares its lock, even a dead one's */

static int               power_fd = -1;
static pthread_mutex_t   power_mutex = PTHREAD_MUTEX_INITIALIZER;


static void
power_fatal(const char *what)
{
    dprintf(2, "power: %s: %s\n", what, strerror(errno));
    abort();
}


static void
power_child(void)
{
    if (power_fd != -1) {
        syscall(SYS_close, power_fd);
        power_fd = -1;
    }
}


__attribute__((constructor)) static void
power_init(void)
{
    int         fd;
    char       *text, *control;
    const char *env;

    env = getenv("WASSIIT_POWER");

    if (env == NULL) {
        return;
    }

    text = strdup(env);
    power_records = text ? strchr(text, ':') : NULL;
    control = power_records ? strchr(power_records + 1, ':') : NULL;

    if (control == NULL) {
        power_fatal(env);
    }

    *strchr(text, ':') = '\0';
    power_records++;
    *control++ = '\0';

    power_folder = realpath(text, NULL);

    if (power_folder == NULL) {
        power_fatal(text);
    }

    power_len = strlen(power_folder);

    fd = syscall(SYS_openat, AT_FDCWD, control, O_RDWR|O_CLOEXEC);
    power_control = mmap(NULL, sizeof(power_control_t), PROT_READ|PROT_WRITE,
                         MAP_SHARED, fd, 0);

    if (fd == -1 || power_control == MAP_FAILED) {
        power_fatal(control);
    }

    syscall(SYS_close, fd);

    if (pthread_atfork(NULL, NULL, power_child) != 0) {
        power_fatal("pthread_atfork()");
    }
}


static void
power_lock(void)
{
    (void) pthread_mutex_lock(&power_mutex);

    if (power_fd == -1) {
        power_fd = syscall(SYS_openat, AT_FDCWD, power_records,
                           O_WRONLY|O_APPEND|O_CLOEXEC);
    }

    while (flock(power_fd, LOCK_EX) == -1) {
        if (errno != EINTR) {
            power_fatal("flock() of the records");
        }
    }
}


/* The caller's errno is that of the call which was recorded. */

static void
power_unlock(int saved)
{
    if (flock(power_fd, LOCK_UN) == -1) {
        power_fatal("flock() of the records");
    }

    (void) pthread_mutex_unlock(&power_mutex);
    errno = saved;
}


static int64_t
power_size(void)
{
    struct stat  st;

    if (fstat(power_fd, &st) == -1) {
        power_fatal("fstat() of the records");
    }

    return st.st_size;
}


static void
power_record(uint32_t what, uint64_t ino, int64_t at, const void *data,
    size_t len)
{
    char            *p;
    ssize_t          n;
    power_record_t   record;

    record.size = sizeof(power_record_t) + len;
    record.what = what;
    record.ino = ino;
    record.at = at;

    p = malloc(record.size);

    if (p == NULL) {
        power_fatal("malloc()");
    }

    memcpy(p, &record, sizeof(power_record_t));

    if (len) {
        memcpy(p + sizeof(power_record_t), data, len);
    }

    n = syscall(SYS_write, power_fd, p, (size_t) record.size);
    free(p);

    if (n != (ssize_t) record.size) {
        power_fatal("writing a record");
    }
}


/* Counts a call, and returns where in it the process dies. */

static int
power_stage(uint32_t what)
{
    return ((power_control->what == 0 || power_control->what == what)
            && power_control->calls > 0 && --power_control->calls == 0)
           ? (int) power_control->stage : POWER_LIVES;
}


static void
power_die(int stage, int here)
{
    if (stage != here) {
        return;
    }

    power_control->died = getpid();

    for ( ;; ) {
        (void) kill(power_control->all ? 0 : getpid(), SIGKILL);
    }
}


/* The path behind a descriptor, and whether there is one. */

static int
power_path(int fd, char *path)
{
    char     name[64];
    ssize_t  n;

    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    n = syscall(SYS_readlinkat, AT_FDCWD, name, path, (size_t) PATH_MAX - 1);
    path[n < 0 ? 0 : n] = '\0';

    return n > 0;
}


/* Is the descriptor one of a file of the folder? */

static int
power_ours(int fd, struct stat *st)
{
    int   saved, ours;
    char  path[PATH_MAX];

    if (power_folder == NULL) {
        return 0;
    }

    saved = errno;

    ours = (fstat(fd, st) == 0 && S_ISREG(st->st_mode)
            && power_path(fd, path)
            && strncmp(path, power_folder, power_len) == 0
            && path[power_len] == '/');

    errno = saved;

    return ours;
}


/* The name in the folder that is meant, NULL if it is none there. */

static const char *
power_name(int folder, const char *path)
{
    int          saved;
    char         from[PATH_MAX], real[PATH_MAX], *whole, *p;
    const char  *name, *ours;

    if (power_folder == NULL) {
        return NULL;
    }

    saved = errno;
    ours = NULL;
    from[0] = '\0';

    if (path[0] != '/' && folder != AT_FDCWD) {
        (void) power_path(folder, from);
        strcat(from, "/");
    }

    if (asprintf(&whole, "%s%s", from, path) == -1) {
        power_fatal("asprintf()");
    }

    p = strrchr(whole, '/');
    name = strrchr(path, '/');
    name = name ? name + 1 : path;

    if (p) {
        p[p == whole] = '\0';
    }

    if (realpath(p ? whole : ".", real) && strcmp(real, power_folder) == 0) {
        ours = name;
    }

    free(whole);
    errno = saved;

    return ours;
}


static int
power_open(int folder, const char *path, int flags, mode_t mode)
{
    int          fd, there, stage;
    const char  *name;
    struct stat  st;

    name = (flags & (O_CREAT|O_TRUNC)) ? power_name(folder, path) : NULL;

    if (name == NULL) {
        return syscall(SYS_openat, folder, path, flags, mode);
    }

    power_lock();

    there = (fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) == 0);
    stage = (there && !(flags & O_TRUNC)) ? POWER_LIVES
            : power_stage(there ? POWER_TRUNCATE : POWER_CREATE);
    power_die(stage, POWER_BEFORE);

    fd = syscall(SYS_openat, folder, path, flags, mode);

    if (fd != -1 && fstat(fd, &st) == 0) {
        if (!there) {
            power_record(POWER_CREATE, st.st_ino, 0, name, strlen(name));

        } else if (flags & O_TRUNC) {
            power_record(POWER_TRUNCATE, st.st_ino, 0, NULL, 0);
        }
    }

    power_die(stage, POWER_WITHIN);
    power_die(stage, POWER_AFTER);
    power_unlock(errno);

    return fd;
}


#define power_mode(flags, mode)                                              \
    {                                                                        \
        va_list  args;                                                       \
                                                                             \
        va_start(args, flags);                                               \
        mode = (flags & (O_CREAT|O_TMPFILE)) ? va_arg(args, mode_t) : 0;     \
        va_end(args);                                                        \
    }


int
open(const char *path, int flags, ...)
{
    mode_t  mode;

    power_mode(flags, mode);

    return power_open(AT_FDCWD, path, flags, mode);
}


int
open64(const char *path, int flags, ...)
{
    mode_t  mode;

    power_mode(flags, mode);

    return power_open(AT_FDCWD, path, flags, mode);
}


int
openat(int folder, const char *path, int flags, ...)
{
    mode_t  mode;

    power_mode(flags, mode);

    return power_open(folder, path, flags, mode);
}


int
openat64(int folder, const char *path, int flags, ...)
{
    mode_t  mode;

    power_mode(flags, mode);

    return power_open(folder, path, flags, mode);
}


int
__open_2(const char *path, int flags)
{
    return power_open(AT_FDCWD, path, flags, 0);
}


int
__open64_2(const char *path, int flags)
{
    return power_open(AT_FDCWD, path, flags, 0);
}


int
__openat_2(int folder, const char *path, int flags)
{
    return power_open(folder, path, flags, 0);
}


int
__openat64_2(int folder, const char *path, int flags)
{
    return power_open(folder, path, flags, 0);
}


/* An offset of -1 is where the descriptor stands. */

static ssize_t
power_write(int fd, const void *p, size_t len, off_t offset)
{
    int          stage;
    off_t        at;
    ssize_t      n;
    struct stat  st;

    if (!power_ours(fd, &st)) {
        return (offset == -1) ? syscall(SYS_write, fd, p, len)
                              : syscall(SYS_pwrite64, fd, p, len, offset);
    }

    power_lock();

    stage = power_stage(POWER_WRITE);
    power_die(stage, POWER_BEFORE);

    if (stage == POWER_WITHIN) {
        len = len * power_control->part / 256;
    }

    at = offset;

    if (fcntl(fd, F_GETFL) & O_APPEND) {
        /* that of pwrite(), too, as Linux has it */
        at = (fstat(fd, &st) == 0) ? st.st_size : -1;

    } else if (offset == -1) {
        at = lseek(fd, 0, SEEK_CUR);
    }

    n = (offset == -1) ? syscall(SYS_write, fd, p, len)
                       : syscall(SYS_pwrite64, fd, p, len, offset);

    if (n > 0) {
        power_record(POWER_WRITE, st.st_ino, at, p, n);
    }

    power_die(stage, POWER_WITHIN);
    power_die(stage, POWER_AFTER);
    power_unlock(errno);

    return n;
}


ssize_t
write(int fd, const void *p, size_t len)
{
    return power_write(fd, p, len, -1);
}


ssize_t
pwrite(int fd, const void *p, size_t len, off_t offset)
{
    return power_write(fd, p, len, offset);
}


ssize_t
pwrite64(int fd, const void *p, size_t len, off_t offset)
{
    return power_write(fd, p, len, offset);
}


int
ftruncate(int fd, off_t size)
{
    int          rc, stage;
    struct stat  st;

    if (!power_ours(fd, &st)) {
        return syscall(SYS_ftruncate, fd, size);
    }

    power_lock();

    stage = power_stage(POWER_TRUNCATE);
    power_die(stage, POWER_BEFORE);

    rc = syscall(SYS_ftruncate, fd, size);

    if (rc == 0) {
        power_record(POWER_TRUNCATE, st.st_ino, size, NULL, 0);
    }

    power_die(stage, POWER_WITHIN);
    power_die(stage, POWER_AFTER);
    power_unlock(errno);

    return rc;
}


int
ftruncate64(int fd, off_t size)
{
    return ftruncate(fd, size);
}


static int
power_sync(int fd, long call)
{
    int          stage;
    char         path[PATH_MAX];
    int64_t      begin;
    uint32_t     what;
    struct stat  st;

    if (power_ours(fd, &st)) {
        what = POWER_SYNC;

    } else if (power_folder && power_path(fd, path)
               && strcmp(path, power_folder) == 0)
    {
        what = POWER_FOLDER;
        st.st_ino = 0;

    } else {
        return syscall(call, fd);
    }

    /* as others work on meanwhile, it isn't one step */

    power_lock();
    stage = power_stage(what);
    power_die(stage, POWER_BEFORE);
    begin = power_size();
    power_unlock(0);

    if (power_control->sync) {
        (void) usleep(power_control->sync);
    }

    power_lock();
    power_die(stage, POWER_WITHIN);
    power_record(what, st.st_ino, begin, NULL, 0);
    power_die(stage, POWER_AFTER);
    power_unlock(0);

    return 0;
}


int
fsync(int fd)
{
    return power_sync(fd, SYS_fsync);
}


int
fdatasync(int fd)
{
    return power_sync(fd, SYS_fdatasync);
}


int
renameat2(int from_folder, const char *from, int to_folder, const char *to,
    unsigned int flags)
{
    int          rc, stage;
    char         names[2 * NAME_MAX + 2];
    const char  *old, *new;

    old = power_name(from_folder, from);
    new = power_name(to_folder, to);

    if (old == NULL && new == NULL) {
        return syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
    }

    if (old == NULL || new == NULL || flags) {
        errno = ENOSYS;
        power_fatal("renaming from folder to folder");
    }

    power_lock();

    stage = power_stage(POWER_RENAME);
    power_die(stage, POWER_BEFORE);

    rc = syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);

    if (rc == 0) {
        snprintf(names, sizeof(names), "%s%c%s", old, '\0', new);
        power_record(POWER_RENAME, 0, 0, names,
                     strlen(old) + 1 + strlen(new));
    }

    power_die(stage, POWER_WITHIN);
    power_die(stage, POWER_AFTER);
    power_unlock(errno);

    return rc;
}


int
renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    return renameat2(from_folder, from, to_folder, to, 0);
}


int
rename(const char *from, const char *to)
{
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}


int
unlinkat(int folder, const char *path, int flags)
{
    int          rc, stage;
    const char  *name;
    struct stat  st;

    name = power_name(folder, path);

    if (name == NULL) {
        return syscall(SYS_unlinkat, folder, path, flags);
    }

    power_lock();

    stage = (fstatat(folder, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            ? power_stage(POWER_UNLINK) : POWER_LIVES;
    power_die(stage, POWER_BEFORE);

    rc = syscall(SYS_unlinkat, folder, path, flags);

    if (rc == 0) {
        power_record(POWER_UNLINK, 0, 0, name, strlen(name));
    }

    power_die(stage, POWER_WITHIN);
    power_die(stage, POWER_AFTER);
    power_unlock(errno);

    return rc;
}


int
unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}
