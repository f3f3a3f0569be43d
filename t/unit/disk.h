
/*
 * The calls by which the partners' file is reached: each can be made to fail,
 * and a test may do something before and after it.  No disk is waited for,
 * and time goes by only where it is waited for.  Included once, after unit.h.
 */


#ifndef _UNIT_DISK_H_INCLUDED_
#define _UNIT_DISK_H_INCLUDED_


#include "unit.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>


typedef enum {
    UNIT_DISK_LOOK = 0,         /* at a name, or at what it is of */
    UNIT_DISK_OPEN,
    UNIT_DISK_LOCK,
    UNIT_DISK_WRITE,
    UNIT_DISK_SYNC,
    UNIT_DISK_CUT,
    UNIT_DISK_RENAME,
    UNIT_DISK_DELETE,
    UNIT_DISK_CLOSE
} unit_disk_e;


/* the calls that can be made to fail, with EIO if err isn't set */

typedef struct {
    int         err;
    ngx_uint_t  fsync;          /* the n-th from now; 0: none */
    ngx_uint_t  ftruncate;
    ngx_uint_t  rename;
    ngx_uint_t  openat;
    ngx_uint_t  fsyncs;         /* how many there were */
    ngx_uint_t  forks;          /* none can be had */
    ngx_uint_t  flocks;         /* how often a lock was asked for */
    uint64_t    slept;          /* microseconds */
    off_t       full;           /* no byte gets written from here on */
    ngx_uint_t  half;           /* only half of what is to be written is */
    int         synced;         /* the last descriptor that was synced */
} unit_disk_t;


static unit_disk_t  unit_disk;

/* called, if set, before each call and, if it isn't just a look, after it */
static void       (*unit_disk_hook)(unit_disk_e call, ngx_uint_t after);


static ngx_inline void
unit_disk_heal(void)
{
    memset(&unit_disk, 0, sizeof(unit_disk));
}


static ngx_inline void
unit_disk_call(unit_disk_e call, ngx_uint_t after)
{
    int  err;

    if (unit_disk_hook) {
        err = errno;
        unit_disk_hook(call, after);
        errno = err;
    }
}


static ngx_inline ngx_uint_t
unit_disk_fails(ngx_uint_t *which)
{
    if (*which == 0 || --*which) {
        return 0;
    }

    errno = unit_disk.err ? unit_disk.err : EIO;
    return 1;
}


int
fsync(int fd)
{
    int  rc;

    unit_disk_call(UNIT_DISK_SYNC, 0);
    unit_disk.fsyncs++;
    unit_disk.synced = fd;

    /* nobody cuts the power here, so it needn't be waited for */
    rc = unit_disk_fails(&unit_disk.fsync) ? -1 : 0;

    unit_disk_call(UNIT_DISK_SYNC, 1);

    return rc;
}


int
ftruncate(int fd, off_t size)
{
    int  rc;

    unit_disk_call(UNIT_DISK_CUT, 0);

    rc = unit_disk_fails(&unit_disk.ftruncate)
         ? -1 : (int) syscall(SYS_ftruncate, fd, size);

    unit_disk_call(UNIT_DISK_CUT, 1);

    return rc;
}


int
renameat(int fd, const char *from, int fd2, const char *to)
{
    int  rc;

    unit_disk_call(UNIT_DISK_RENAME, 0);

    rc = unit_disk_fails(&unit_disk.rename)
         ? -1 : (int) syscall(SYS_renameat, fd, from, fd2, to);

    unit_disk_call(UNIT_DISK_RENAME, 1);

    return rc;
}


int
unlinkat(int fd, const char *path, int flags)
{
    int  rc;

    unit_disk_call(UNIT_DISK_DELETE, 0);
    rc = syscall(SYS_unlinkat, fd, path, flags);
    unit_disk_call(UNIT_DISK_DELETE, 1);

    return rc;
}


int
flock(int fd, int how)
{
    int  rc;

    unit_disk_call(UNIT_DISK_LOCK, 0);
    unit_disk.flocks++;
    rc = syscall(SYS_flock, fd, how);
    unit_disk_call(UNIT_DISK_LOCK, 1);

    return rc;
}


int
close(int fd)
{
    int  rc;

    unit_disk_call(UNIT_DISK_CLOSE, 0);
    rc = syscall(SYS_close, fd);
    unit_disk_call(UNIT_DISK_CLOSE, 1);

    return rc;
}


/* The calls that look at names and open them. */

int
openat(int fd, const char *path, int flags, ...)
{
    int      rc;
    mode_t   mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    unit_disk_call(UNIT_DISK_OPEN, 0);

    rc = unit_disk_fails(&unit_disk.openat)
         ? -1 : (int) syscall(SYS_openat, fd, path, flags, mode);

    unit_disk_call(UNIT_DISK_OPEN, 1);

    return rc;
}


int
fstatat(int fd, const char *path, struct stat *st, int flags)
{
    unit_disk_call(UNIT_DISK_LOOK, 0);

    return syscall(SYS_newfstatat, fd, path, st, flags);
}


int
fstat(int fd, struct stat *st)
{
    unit_disk_call(UNIT_DISK_LOOK, 0);

    return syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}


ssize_t
readlink(const char *path, char *to, size_t len)
{
    unit_disk_call(UNIT_DISK_LOOK, 0);

    return syscall(SYS_readlinkat, AT_FDCWD, path, to, len);
}


ssize_t
readlinkat(int fd, const char *path, char *to, size_t len)
{
    unit_disk_call(UNIT_DISK_LOOK, 0);

    return syscall(SYS_readlinkat, fd, path, to, len);
}


/* Time goes by where it is waited for.  The wall clock is set all the time. */

int
usleep(useconds_t us)
{
    unit_disk.slept += us;

    return 0;
}


int
nanosleep(const struct timespec *ts, struct timespec *left)
{
    unit_disk.slept += ts->tv_sec * 1000000 + ts->tv_nsec / 1000;

    return 0;
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    static time_t  hours;

    ts->tv_sec = unit_disk.slept / 1000000;
    ts->tv_nsec = unit_disk.slept % 1000000 * 1000;

    if (id != CLOCK_MONOTONIC) {
        ts->tv_sec += 3600 * ++hours;
    }

    return 0;
}


/* A store parses its file itself if no process can be had. */

pid_t
fork(void)
{
    if (unit_disk.forks) {
        errno = EAGAIN;
        return -1;
    }

    return _Fork();
}


/* How many of the bytes find room; -1: none. */

static ngx_inline ssize_t
unit_disk_room(size_t len, off_t offset)
{
    if (unit_disk.half) {
        len /= 2;
    }

    if (unit_disk.full == 0) {
        return len;
    }

    if (offset >= unit_disk.full) {
        errno = ENOSPC;
        return -1;
    }

    return ngx_min((off_t) len, unit_disk.full - offset);
}


ssize_t
pwrite(int fd, const void *p, size_t len, off_t offset)
{
    ssize_t  n;

    unit_disk_call(UNIT_DISK_WRITE, 0);

    n = unit_disk_room(len, offset);

    if (n != -1) {
        n = syscall(SYS_pwrite64, fd, p, n, offset);
    }

    unit_disk_call(UNIT_DISK_WRITE, 1);

    return n;
}


ssize_t
write(int fd, const void *p, size_t len)
{
    ssize_t      n;
    struct stat  st;

    unit_disk_call(UNIT_DISK_WRITE, 0);

    /* what is written in turn here is only ever added */

    n = unit_disk_room(len, syscall(SYS_newfstatat, fd, "", &st,
                                    AT_EMPTY_PATH)
                            == 0 ? st.st_size : 0);

    if (n != -1) {
        n = syscall(SYS_write, fd, p, n);
    }

    unit_disk_call(UNIT_DISK_WRITE, 1);

    return n;
}


/* Writes a whole file, in place if there is one of this name. */

static ngx_inline void
unit_disk_put(const char *path, const char *data, size_t len)
{
    int  fd;

    fd = open(path, O_WRONLY|O_CREAT|O_TRUNC, 0600);

    if (fd == -1 || write(fd, data, len) != (ssize_t) len || close(fd) == -1) {
        perror(path);
        exit(2);
    }
}


/* Reads it, and puts a zero after it.  Returns its bytes; -1: there is none. */

static ngx_inline ssize_t
unit_disk_get(const char *path, char *data, size_t size)
{
    int      fd;
    ssize_t  n;

    fd = open(path, O_RDONLY);
    n = (fd == -1) ? -1 : read(fd, data, size - 1);

    if (fd != -1) {
        (void) close(fd);
    }

    data[n < 0 ? 0 : n] = '\0';

    return n;
}


#endif /* _UNIT_DISK_H_INCLUDED_ */
