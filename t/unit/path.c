
/*
 * The way to a file: which folders are loose, which links are followed, which
 * files are refused; and files, folders and links that are swapped on the way.
 */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_path.h"

#include <dirent.h>
#include <ftw.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>


#define PATH_USER       60001       /* the workers' */
#define PATH_OTHER      60002       /* and anyone else */

#define PATH_MOVES      3
#define PATH_ALWAYS     1000000

/* what is done to files right before a call of these kinds */
#define PATH_ANY        0
#define PATH_WALK       'w'         /* on the way to the folder */
#define PATH_LOOK       'l'         /* at what has the name */
#define PATH_OPEN       'o'
#define PATH_STAT       's'         /* what has been opened */
#define PATH_NAMED      'n'         /* what has the name now */
#define PATH_LOST       'd'         /* has its name gone? */
#define PATH_ACCESS     'a'

#define PATH_LINK       "is a symbolic link in a folder that others"
#define PATH_NAMES      "has another name as well (a hard link)"
#define PATH_FOREIGN    "belongs neither to root nor to the workers' user"
#define PATH_ODD        "is not a regular file"


/* a walk and its end: the folder and the name in it, or what is wrong */

typedef struct {
    const char  *name;
    ngx_int_t    rc;
    int          err;
    const char  *in;
    const char  *last;
    ngx_uint_t   loose;
} unit_path_way_t;


typedef struct {
    int         at;             /* a kind of calls, */
    ngx_uint_t  from;           /* the n-th of them and */
    ngx_uint_t  times;          /* so many in all */
    int         what;
} unit_path_move_t;


static int unit_path_remove(const char *name, const struct stat *st,
    int type, struct FTW *ftw);
static void unit_path_tree(void);
static void unit_path_folders(void);
static void unit_path_ways(void);
static void unit_path_lengths(void);
static void unit_path_many_links(void);
static void unit_path_opens(void);
static void unit_path_loose_files(void);
static void unit_path_odd(void);
static void unit_path_swaps(void);
static void unit_path_swaps_of(const char *kinds, const char *what);
static ngx_uint_t unit_path_swapped(void);
static void unit_path_fails(const char *name, ngx_uint_t lost);
static void unit_path_leads(void);
static void unit_path_writable(void);
static void unit_path_logs(void);
static void unit_path_logged_none(const char *name, const char *advice);
static void unit_path_logged(ngx_int_t rc, int err, const char *expected);
static void unit_path_user(void);
static void unit_path_reaches(const char *name, uid_t user,
    ngx_uint_t expected, const char *what);
static void unit_path_user_folders(void);
static void unit_path_mounts(void);
static void unit_path_mounted(void);
static ngx_uint_t unit_path_mount(void);
static ngx_uint_t unit_path_be_root(void);
static void unit_path_skip(const char *what, const char *why);


static char                     unit_path_dir[256];
static ngx_http_wassiit_path_t  unit_path;
static ngx_fd_t                 unit_path_fd;
static ngx_file_info_t          unit_path_fi;
static int                      unit_path_err;
static ngx_uint_t               unit_path_fds;  /* open ones, before */

static unit_path_move_t         unit_path_moving[PATH_MOVES];
static ngx_uint_t               unit_path_counts[128];  /* calls, by kind */
static ngx_uint_t               unit_path_counting;
static ngx_uint_t               unit_path_opened;   /* since the last walk */
static ngx_uint_t               unit_path_follows;  /* opens through a link */
static ngx_uint_t               unit_path_failing;  /* the n-th call; 0: none */
static ngx_uint_t               unit_path_empty;    /* links say nothing */
static int                      unit_path_lost;     /* readlink() fails so */


int
main(void)
{
    unit_start();

    unit_folder(unit_path_dir, sizeof(unit_path_dir), NULL, "path");

    /* what is refused must not be so because of the mask */
    (void) umask(0);

    if (chmod(unit_path_dir, 0755) == -1 || chdir(unit_path_dir) == -1) {
        perror(unit_path_dir);
        return 2;
    }

    unit_path_tree();

    unit_path_folders();
    unit_path_ways();
    unit_path_lengths();
    unit_path_many_links();
    unit_path_opens();
    unit_path_loose_files();
    unit_path_odd();
    unit_path_swaps();
    unit_path_fails("plain/file", 0);
    unit_path_fails("links/abs", 0);
    unit_path_fails("loose/file", 1);
    unit_path_leads();
    unit_path_writable();
    unit_path_logs();
    unit_path_user();
    unit_path_mounts();

    (void) chdir("/");
    unit_is(nftw(unit_path_dir, unit_path_remove, 16,
                 FTW_DEPTH|FTW_PHYS|FTW_MOUNT),
            0, "the folder is removed");

    return unit_done();
}


/* ---- calls */

static void
unit_path_move(int what)
{
    static ngx_uint_t  n;

    char  name[32];

    switch (what) {

    case 'd':
        (void) rename("top/on", "top/off");
        (void) symlink("../kept", "top/on");
        return;

    case 'b':
        if (access("top/off", F_OK) == 0) {
            (void) unlink("top/on");
            (void) rename("top/off", "top/on");
        }

        return;

    case 'o':
        (void) rename("top/on/aside", "top/on/file");
        return;

    case 'f':

        /* another file that has its name from the beginning */

        snprintf(name, sizeof(name), "top/new%u", (unsigned) ++n);
        (void) close(open(name, O_WRONLY|O_CREAT|O_EXCL, 0600));
        (void) rename(name, "top/on/file");
        return;
    }

    if (access("top/on/aside", F_OK) == 0) {
        (void) unlink("top/on/file");

    } else {
        (void) rename("top/on/file", "top/on/aside");
    }

    if (what == 's') {
        (void) symlink("../../kept/file", "top/on/file");

    } else if (what == 'h') {
        (void) link("kept/file", "top/on/file");

    } else if (what == 'p') {
        (void) mkfifo("top/on/file", 0600);
    }
}


/* Returns 1 if the call is to fail. */

static ngx_uint_t
unit_path_called(int kind)
{
    ngx_uint_t         i, n;
    unit_path_move_t  *move;

    if (!unit_path_counting) {
        return 0;
    }

    unit_path_counts[PATH_ANY]++;
    unit_path_counts[kind]++;

    for (i = 0; i < PATH_MOVES; i++) {
        move = &unit_path_moving[i];

        if (move->times == 0 || (move->at != PATH_ANY && move->at != kind)) {
            continue;
        }

        n = unit_path_counts[move->at];

        if (n >= move->from && n < move->from + move->times) {
            unit_path_move(move->what);
        }
    }

    if (unit_path_counts[PATH_ANY] == unit_path_failing) {
        errno = EIO;
        return 1;
    }

    return 0;
}


int
openat(int fd, const char *path, int flags, ...)
{
    mode_t      mode;
    va_list     args;
    ngx_uint_t  fails;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, mode_t) : 0;
    va_end(args);

    unit_path_follows += !(flags & O_NOFOLLOW);

    if (flags & O_PATH) {
        unit_path_opened = 0;
        fails = unit_path_called(PATH_WALK);

    } else {
        fails = unit_path_called(PATH_OPEN);
        unit_path_opened = 1;
    }

    return fails ? -1 : (int) syscall(SYS_openat, fd, path, flags, mode);
}


int
fstatat(int fd, const char *path, struct stat *st, int flags)
{
    return unit_path_called(unit_path_opened ? PATH_NAMED : PATH_LOOK)
           ? -1 : (int) syscall(SYS_newfstatat, fd, path, st, flags);
}


int
fstat(int fd, struct stat *st)
{
    return unit_path_called(unit_path_opened ? PATH_STAT : PATH_WALK)
           ? -1 : (int) syscall(SYS_newfstatat, fd, "", st, AT_EMPTY_PATH);
}


/* Only its flags are looked at. */

int
fstatvfs(int fd, struct statvfs *vfs)
{
    struct statfs  fs;

    if (unit_path_called(PATH_WALK) || syscall(SYS_fstatfs, fd, &fs) == -1) {
        return -1;
    }

    memset(vfs, 0, sizeof(struct statvfs));
    vfs->f_flag = fs.f_flags;

    return 0;
}


ssize_t
readlinkat(int fd, const char *path, char *to, size_t len)
{
    if (unit_path_called(PATH_WALK)) {
        return -1;
    }

    return unit_path_empty ? 0 : syscall(SYS_readlinkat, fd, path, to, len);
}


ssize_t
readlink(const char *path, char *to, size_t len)
{
    if (unit_path_called(PATH_LOST)) {
        errno = unit_path_lost;
        return -1;
    }

    return syscall(SYS_readlinkat, AT_FDCWD, path, to, len);
}


int
faccessat(int fd, const char *path, int mode, int flags)
{
    if (unit_path_called(PATH_ACCESS)) {
        return -1;
    }

    return flags ? (errno = EINVAL, -1)
                 : (int) syscall(SYS_faccessat, fd, path, mode);
}


static void
unit_path_heal(void)
{
    memset(unit_path_moving, 0, sizeof(unit_path_moving));
    unit_path_failing = 0;
}


/* ---- files */

static void
unit_path_must(ngx_uint_t good, const char *name)
{
    if (!good) {
        perror(name);
        exit(2);
    }
}


static void
unit_path_mkdir(const char *name, mode_t mode)
{
    unit_path_must(mkdir(name, 0700) == 0 && chmod(name, mode) == 0, name);
}


static void
unit_path_put(const char *name, mode_t mode)
{
    int  fd;

    fd = open(name, O_WRONLY|O_CREAT|O_EXCL, 0600);

    unit_path_must(fd != -1 && write(fd, name, strlen(name)) != -1
                   && fchmod(fd, mode) == 0 && close(fd) == 0, name);
}


static void
unit_path_symlink(const char *target, const char *name)
{
    unit_path_must(symlink(target, name) == 0, name);
}


/* Of what lies in our folder; no link is followed. */

static int
unit_path_remove(const char *name, const struct stat *st, int type,
    struct FTW *ftw)
{
    return remove(name);
}


static ngx_uint_t
unit_path_count_fds(void)
{
    DIR         *dir;
    ngx_uint_t   n;

    dir = opendir("/proc/self/fd");
    unit_path_must(dir != NULL, "/proc/self/fd");

    for (n = 0; readdir(dir); n++) { /* void */ }

    (void) closedir(dir);

    return n;
}


/* A name in our folder, as a whole. */

static ngx_str_t *
unit_path_whole(const char *name)
{
    static char       text[2 * PATH_MAX];
    static ngx_str_t  file;

    file.len = snprintf(text, sizeof(text), "%s%s%s",
                        (*name == '/') ? "" : unit_path_dir,
                        (*name == '/') ? "" : "/", name);
    file.data = (u_char *) text;

    return &file;
}


static ngx_str_t *
unit_path_relative(const char *name)
{
    static ngx_str_t  file;

    file.len = strlen(name);
    file.data = (u_char *) name;

    return &file;
}


/* From here on calls count, and are met with what is set. */

static void
unit_path_begin(void)
{
    memset(&unit_path, 0xa5, sizeof(unit_path));
    memset(&unit_path_fi, 0xa5, sizeof(unit_path_fi));
    memset(unit_path_counts, 0, sizeof(unit_path_counts));

    unit_path_fd = -2;
    unit_path_fds = unit_path_count_fds();
    unit_path_opened = 0;
    unit_path_counting = 1;
    errno = 0;
}


static void
unit_path_end(void)
{
    unit_path_err = errno;
    unit_path_counting = 0;
}


static ngx_int_t
unit_path_open(const char *name, int flags, uid_t user)
{
    ngx_int_t  rc;

    unit_path_begin();
    rc = ngx_http_wassiit_path_open(&unit_path, unit_path_whole(name), flags,
                                    user, &unit_path_fd, &unit_path_fi);
    unit_path_end();

    return rc;
}


/* All that was opened is closed, by the caller or at a refusal. */

static ngx_uint_t
unit_path_closed(void)
{
    return unit_path.folder == NGX_INVALID_FILE
           && unit_path_count_fds() == unit_path_fds;
}


static void
unit_path_close(void)
{
    if (unit_path_fd >= 0) {
        (void) close(unit_path_fd);
    }

    ngx_http_wassiit_path_close(&unit_path);
}


/* It is opened, as what it is. */

static void
unit_path_is_opened(const char *name, uid_t user, const char *what)
{
    ngx_int_t    rc;
    ngx_uint_t   good;
    struct stat  st;

    rc = unit_path_open(name, O_RDONLY, user);

    good = (rc == NGX_OK && stat(name, &st) == 0
            && st.st_ino == unit_path_fi.st_ino
            && st.st_dev == unit_path_fi.st_dev
            && fstat(unit_path_fd, &st) == 0
            && st.st_ino == unit_path_fi.st_ino
            && st.st_dev == unit_path_fi.st_dev);

    if (rc == NGX_OK) {
        unit_path_close();
    }

    if (!unit_ok(good && unit_path_closed(), "opened: %s, %s", name, what)) {
        unit_note("rc %d, errno %d, fault %s", (int) rc, unit_path_err,
                  (rc == NGX_DECLINED) ? unit_path.fault : "none");
    }
}


static void
unit_path_is_refused(const char *name, uid_t user, const char *last,
    const char *fault, const char *what)
{
    ngx_int_t  rc;

    rc = unit_path_open(name, O_RDONLY, user);

    if (!unit_ok(rc == NGX_DECLINED && unit_path_fd == NGX_INVALID_FILE
                 && unit_path_closed() && unit_path.fault
                 && strstr(unit_path.fault, fault)
                 && strcmp(unit_path.name, last) == 0,
                 "refused: %s, %s", name, what))
    {
        unit_note("rc %d, errno %d, fault %s, name %s", (int) rc,
                  unit_path_err,
                  (rc == NGX_DECLINED) ? unit_path.fault : "none",
                  unit_path.name);
    }
}


static void
unit_path_is_error(const char *name, int err, const char *what)
{
    ngx_int_t  rc;

    rc = unit_path_open(name, O_RDONLY, PATH_USER);

    if (!unit_ok(rc == NGX_ERROR && unit_path_err == err
                 && unit_path_fd == NGX_INVALID_FILE && unit_path_closed(),
                 "an error: %s, %s", name, what))
    {
        unit_note("rc %d, errno %d, fd %d", (int) rc, unit_path_err,
                  unit_path_fd);
    }
}


static void
unit_path_tree(void)
{
    /* ours and root's alone */

    unit_path_mkdir("plain", 0755);
    unit_path_mkdir("plain/deep", 0700);
    unit_path_put("plain/file", 0644);
    unit_path_put("plain/deep/file", 0600);

    unit_path_mkdir("kept", 0755);
    unit_path_put("kept/file", 0644);

    /* anyone's, and ours in it */

    unit_path_mkdir("loose", 0777);
    unit_path_put("loose/file", 0600);
    unit_path_symlink("file", "loose/link");
    unit_path_symlink("../plain", "loose/folder");
    unit_path_symlink("none", "loose/nowhere");
    unit_path_mkdir("loose/ours", 0755);
    unit_path_put("loose/ours/file", 0600);
    unit_path_symlink("file", "loose/ours/link");

    unit_path_mkdir("links", 0755);
    unit_path_symlink((char *) unit_path_whole("plain/file")->data,
                      "links/abs");
    unit_path_symlink((char *) unit_path_whole("plain")->data,
                      "links/abs-folder");
    unit_path_symlink("../plain/file", "links/rel");
    unit_path_symlink("../plain/deep/../file", "links/up");
    unit_path_symlink("../plain", "links/folder");
    unit_path_symlink("..//plain///", "links/slashes");
    unit_path_symlink(".", "links/dot");
    unit_path_symlink("rel", "links/twice");
    unit_path_symlink("dot/folder/../links/abs-folder/deep", "links/mix");
    unit_path_symlink("../loose/file", "links/into");
    unit_path_symlink("../loose", "links/into-folder");
    unit_path_symlink("../loose/link", "links/to-link");
    unit_path_symlink("../loose/folder/../plain/file", "links/by-link");
    unit_path_symlink("../loose/../plain/file", "links/through");
    unit_path_symlink("self", "links/self");
    unit_path_symlink("two", "links/one");
    unit_path_symlink("one", "links/two");
    unit_path_symlink("none", "links/nowhere");
    unit_path_symlink("../loose/none", "links/nowhere-loose");
}


/* ---- the tests */

/* A folder whose mode and owner are these. */

static void
unit_path_is_loose(mode_t mode, uid_t owner, ngx_uint_t loose)
{
    ngx_int_t  rc;

    unit_path_must(chmod("folders", mode) == 0
                   && chown("folders", owner, (gid_t) -1) == 0,
                   "folders");

    unit_path_begin();
    rc = ngx_http_wassiit_path_walk(&unit_path,
                                    unit_path_whole("folders/file"));
    unit_path_end();

    unit_ok(rc == NGX_OK && unit_path.loose == loose,
            "a folder of mode %04o of user %u is %sloose", (unsigned) mode,
            (unsigned) owner, loose ? "" : "not ");

    unit_path_close();

    /* and so a link in it isn't followed */

    unit_path_begin();
    rc = ngx_http_wassiit_path_walk(&unit_path,
                                    unit_path_whole("folders/link"));
    unit_path_end();

    unit_is(rc, loose ? NGX_DECLINED : NGX_OK, "and its links as well");

    unit_path_close();
}


static void
unit_path_folders(void)
{
    uid_t  own;

    own = geteuid();

    unit_path_mkdir("folders", 0700);
    unit_path_put("folders/file", 0600);
    unit_path_symlink("../plain/file", "folders/link");

    unit_path_is_loose(0700, own, 0);
    unit_path_is_loose(0755, own, 0);
    unit_path_is_loose(02755, own, 0);
    unit_path_is_loose(01755, own, 0);
    unit_path_is_loose(0770, own, 1);
    unit_path_is_loose(0720, own, 1);
    unit_path_is_loose(0702, own, 1);
    unit_path_is_loose(0757, own, 1);
    unit_path_is_loose(0777, own, 1);
    unit_path_is_loose(01777, own, 1);
    unit_path_is_loose(01770, own, 1);

    if (own != 0) {
        unit_path_skip("folders of others", "needs root");
        return;
    }

    unit_path_is_loose(0700, PATH_USER, 1);
    unit_path_is_loose(0555, PATH_USER, 1);
    unit_path_is_loose(0755, 0, 0);
}


/* The same walk by a whole name and by one from here. */

static void
unit_path_way(const unit_path_way_t *way)
{
    ngx_int_t    rc;
    ngx_str_t   *file;
    ngx_uint_t   i, good;
    struct stat  st, found;

    for (i = 0; i < 2; i++) {
        file = i ? unit_path_relative(way->name) : unit_path_whole(way->name);

        unit_path_begin();
        rc = ngx_http_wassiit_path_walk(&unit_path, file);
        unit_path_end();

        good = (rc == way->rc);

        if (way->rc == NGX_ERROR) {
            good &= (unit_path_err == way->err);

        } else if (way->rc == NGX_DECLINED) {
            good &= (unit_path.fault && strstr(unit_path.fault, PATH_LINK)
                     && strcmp(unit_path.name, way->last) == 0);

        } else if (good) {
            good = (unit_path.fault == NULL
                    && unit_path.loose == way->loose
                    && strcmp(unit_path.name, way->last) == 0
                    && (fcntl(unit_path.folder, F_GETFL) & O_PATH)
                    && (fcntl(unit_path.folder, F_GETFD) & FD_CLOEXEC)
                    && fstat(unit_path.folder, &found) == 0
                    && stat(way->in, &st) == 0
                    && st.st_dev == found.st_dev && st.st_ino == found.st_ino
                    && unit_path_count_fds() == unit_path_fds + 1);

            ngx_http_wassiit_path_close(&unit_path);
        }

        good &= unit_path_closed();

        if (!unit_ok(good, "the way to %s%s", way->name,
                     i ? ", from here" : ""))
        {
            unit_note("rc %d, errno %d, name %s", (int) rc, unit_path_err,
                      unit_path.name);
        }
    }
}


static void
unit_path_ways(void)
{
    ngx_uint_t  i;

    static const unit_path_way_t  ways[] = {
        { "plain/file", NGX_OK, 0, "plain", "file", 0 },
        { "plain/deep/file", NGX_OK, 0, "plain/deep", "file", 0 },
        { "plain//.///deep/../deep/file", NGX_OK, 0, "plain/deep", "file", 0 },
        { "../../../../../../../../usr", NGX_OK, 0, "/", "usr", 0 },
        { "plain", NGX_OK, 0, ".", "plain", 0 },

        { "plain/", NGX_ERROR, EISDIR, NULL, NULL, 0 },
        { "plain/.", NGX_ERROR, EISDIR, NULL, NULL, 0 },
        { "plain/..", NGX_ERROR, EISDIR, NULL, NULL, 0 },
        { "plain/deep/../", NGX_ERROR, EISDIR, NULL, NULL, 0 },
        { "plain/none", NGX_ERROR, ENOENT, NULL, NULL, 0 },
        { "none/file", NGX_ERROR, ENOENT, NULL, NULL, 0 },
        { "plain/file/file", NGX_ERROR, ENOTDIR, NULL, NULL, 0 },
        { "plain/file/", NGX_ERROR, ENOTDIR, NULL, NULL, 0 },
        { "plain/file/..", NGX_ERROR, ENOTDIR, NULL, NULL, 0 },

        /* links in folders of ours */

        { "links/abs", NGX_OK, 0, "plain", "file", 0 },
        { "links/rel", NGX_OK, 0, "plain", "file", 0 },
        { "links/up", NGX_OK, 0, "plain", "file", 0 },
        { "links/twice", NGX_OK, 0, "plain", "file", 0 },
        { "links/folder/file", NGX_OK, 0, "plain", "file", 0 },
        { "links/abs-folder/deep/file", NGX_OK, 0, "plain/deep", "file", 0 },
        { "links/abs-folder/../kept/file", NGX_OK, 0, "kept", "file", 0 },
        { "links/slashes/file", NGX_OK, 0, "plain", "file", 0 },
        { "links/slashes", NGX_ERROR, EISDIR, NULL, NULL, 0 },
        { "links/dot/dot/./dot/rel", NGX_OK, 0, "plain", "file", 0 },
        { "links/mix/file", NGX_OK, 0, "plain/deep", "file", 0 },
        { "links/folder", NGX_OK, 0, ".", "plain", 0 },
        { "links/rel/file", NGX_ERROR, ENOTDIR, NULL, NULL, 0 },
        { "links/nowhere", NGX_ERROR, ENOENT, NULL, NULL, 0 },
        { "links/nowhere-loose", NGX_ERROR, ENOENT, NULL, NULL, 0 },
        { "links/self", NGX_ERROR, ELOOP, NULL, NULL, 0 },
        { "links/one", NGX_ERROR, ELOOP, NULL, NULL, 0 },
        { "links/one/file", NGX_ERROR, ELOOP, NULL, NULL, 0 },

        /* only the folder that it lies in has to be tight */

        { "loose/file", NGX_OK, 0, "loose", "file", 1 },
        { "loose/ours/file", NGX_OK, 0, "loose/ours", "file", 0 },
        { "loose/ours/link", NGX_OK, 0, "loose/ours", "file", 0 },
        { "loose/ours/../file", NGX_OK, 0, "loose", "file", 1 },
        { "loose/../plain/file", NGX_OK, 0, "plain", "file", 0 },
        { "loose/none", NGX_ERROR, ENOENT, NULL, NULL, 0 },
        { "links/into", NGX_OK, 0, "loose", "file", 1 },
        { "links/into-folder/file", NGX_OK, 0, "loose", "file", 1 },
        { "links/through", NGX_OK, 0, "plain", "file", 0 },

        /* links that anyone may have made */

        { "loose/link", NGX_DECLINED, 0, NULL, "link", 0 },
        { "loose/nowhere", NGX_DECLINED, 0, NULL, "nowhere", 0 },
        { "loose/folder/file", NGX_DECLINED, 0, NULL, "folder", 0 },
        { "loose/folder/none", NGX_DECLINED, 0, NULL, "folder", 0 },
        { "loose/folder/../plain/file", NGX_DECLINED, 0, NULL, "folder", 0 },
        { "links/to-link", NGX_DECLINED, 0, NULL, "link", 0 },
        { "links/into-folder/link", NGX_DECLINED, 0, NULL, "link", 0 },
        { "links/by-link", NGX_DECLINED, 0, NULL, "folder", 0 }
    };

    static const unit_path_way_t  tops[] = {
        { "/usr", NGX_OK, 0, "/", "usr", 0 },
        { "///usr", NGX_OK, 0, "/", "usr", 0 },
        { "/../usr", NGX_OK, 0, "/", "usr", 0 },
        { "/", NGX_ERROR, EISDIR, NULL, NULL, 0 },
        { "/.", NGX_ERROR, EISDIR, NULL, NULL, 0 }
    };

    for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        unit_path_way(&ways[i]);
    }

    for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
        unit_path_way(&tops[i]);
    }

    unit_path_begin();
    unit_is(ngx_http_wassiit_path_walk(&unit_path, unit_path_relative("")),
            NGX_ERROR, "no name at all");
    unit_path_end();
    unit_ok(unit_path_err != 0 && unit_path_closed(), "is an error");

    ngx_http_wassiit_path_close(&unit_path);
    unit_ok(unit_path_closed(), "what is closed may be closed again");

    unit_path_empty = 1;
    unit_path_is_error("links/rel", ENOENT, "links that say nothing");
    unit_path_empty = 0;
}


/* A name of so many bytes that leads to what this one does. */

static char *
unit_path_long(const char *name, size_t len)
{
    char    *p;
    size_t   n;

    static char  text[2 * PATH_MAX];

    p = text;
    n = strlen(name);

    while (len - n >= 2) {
        *p++ = '.';
        *p++ = '/';
        len -= 2;
    }

    if (len > n) {
        /* one slash more than there has to be */
        p[-1] = '/';
        *p++ = '/';
    }

    memcpy(p, name, n + 1);

    return text;
}


static void
unit_path_lengths(void)
{
    size_t           len;
    unit_path_way_t  way;

    char  name[NAME_MAX + 64], longer[PATH_MAX + 64];

    memset(&way, 0, sizeof(way));

    unit_path_mkdir("long", 0755);
    memset(name, 'n', sizeof(name));
    memcpy(name, "long/", 5);
    name[5 + NAME_MAX] = '\0';
    unit_path_put(name, 0600);

    way.name = name;
    way.rc = NGX_OK;
    way.in = "long";
    way.last = name + 5;
    unit_path_way(&way);

    unit_path_must(unlink(name) == 0, name);
    unit_path_mkdir(name, 0755);
    strcpy(name + 5 + NAME_MAX, "/file");
    unit_path_put(name, 0600);
    name[5 + NAME_MAX] = '\0';
    way.in = strdup(name);
    name[5 + NAME_MAX] = '/';
    way.last = "file";
    unit_path_way(&way);
    free((char *) way.in);

    memset(name + 5, 'n', NAME_MAX + 1);
    name[5 + NAME_MAX + 1] = '\0';
    way.rc = NGX_ERROR;
    way.err = ENAMETOOLONG;
    unit_path_way(&way);
    unit_path_symlink(name + 5, "long/name");
    way.name = "long/name";
    unit_path_way(&way);

    /* a whole name, at most one byte less than there is room for */

    for (len = PATH_MAX - 2; len <= PATH_MAX + 1; len++) {
        unit_path_begin();
        unit_is(ngx_http_wassiit_path_walk(&unit_path, unit_path_relative(
                                         unit_path_long("plain/file", len))),
                (len < PATH_MAX) ? NGX_OK : NGX_ERROR, "a long name");
        unit_path_end();
        unit_ok(len < PATH_MAX || unit_path_err == ENAMETOOLONG,
                "of %u bytes", (unsigned) len);

        ngx_http_wassiit_path_close(&unit_path);
        unit_ok(unit_path_closed(), "is left");
    }

    /* and so what a link says, with what comes after it */

    for (len = PATH_MAX - 7; len < PATH_MAX - 3; len++) {
        (void) unlink("long/link");
        unit_path_symlink(unit_path_long("../plain", len), "long/link");

        snprintf(longer, sizeof(longer), "long/link/file");
        way.name = longer;
        way.in = "plain";
        way.last = "file";
        way.err = ENAMETOOLONG;
        way.rc = (len + 5 < PATH_MAX) ? NGX_OK : NGX_ERROR;
        unit_path_way(&way);
    }

    (void) unlink("long/link");
    unit_path_symlink(unit_path_long("../plain/file", PATH_MAX - 1),
                      "long/link");
    way.name = "long/link";
    way.rc = NGX_OK;
    unit_path_way(&way);
}


/* As many as the kernel follows. */

static void
unit_path_many_links(void)
{
    char         name[64], target[64];
    ngx_uint_t   i;
    struct stat  st;

    unit_path_mkdir("chain", 0755);
    unit_path_symlink("../plain/file", "chain/1");

    for (i = 2; i <= 42; i++) {
        snprintf(name, sizeof(name), "chain/%u", (unsigned) i);
        snprintf(target, sizeof(target), "%u", (unsigned) i - 1);
        unit_path_symlink(target, name);
    }

    for (i = 38; i <= 42; i++) {
        snprintf(name, sizeof(name), "chain/%u", (unsigned) i);

        if (stat(name, &st) == 0) {
            unit_path_is_opened(name, PATH_USER, "so many links");

        } else {
            unit_path_is_error(name, errno, "too many links");
        }
    }

    unit_is(unit_path_err, ELOOP, "more than the kernel follows");
}


static void
unit_path_opens(void)
{
    char  text[64];

    unit_path_is_opened("plain/file", PATH_USER, "a plain file");
    unit_path_is_opened("links/mix/file", PATH_USER, "by links");
    unit_path_is_opened("loose/ours/link", PATH_USER, "by a link of ours");

    unit_is(unit_path_open("plain/file", O_RDWR, PATH_USER), NGX_OK,
            "it is opened by the flags that are asked for");
    unit_ok(unit_path.folder >= 0 && strcmp(unit_path.name, "file") == 0
            && unit_path.loose == 0 && unit_path.fault == NULL,
            "and path leads to it");
    unit_is(unit_path_fi.st_size, strlen("plain/file"), "fi tells its size");
    unit_is(pread(unit_path_fd, text, sizeof(text), 0),
            strlen("plain/file"), "it is read");
    unit_is(pwrite(unit_path_fd, "P", 1, 0), 1, "and written");
    unit_ok(fcntl(unit_path_fd, F_GETFD) & FD_CLOEXEC,
            "no other program gets it");
    unit_path_close();
    unit_ok(unit_path_closed(), "nothing else is open");

    unit_is(unit_path_open("plain/file", O_RDONLY, PATH_USER), NGX_OK,
            "opened to be read");
    unit_ok(pwrite(unit_path_fd, "p", 1, 0) == -1, "it isn't written");
    unit_path_close();

    unit_path_is_error("plain/none", ENOENT, "not there");
    unit_path_is_error("none/file", ENOENT, "no such folder");
    unit_path_is_error("plain", EISDIR, "a folder");
    unit_path_is_error("plain/", EISDIR, "a folder with a slash");
    unit_path_is_error("plain/deep/..", EISDIR, "a folder above");
    unit_path_is_error("loose/ours", EISDIR, "a folder in a loose one");
    unit_path_is_error("links/one", ELOOP, "a loop");
    unit_path_is_refused("loose/link", PATH_USER, "link", PATH_LINK,
                         "a loose link");
    unit_path_is_refused("links/by-link", PATH_USER, "folder", PATH_LINK,
                         "a loose link on the way");

    /* what it tells of one is nothing of the next */

    unit_is(unit_path_open("links/into", O_RDONLY, geteuid()), NGX_OK,
            "one in a loose folder is opened");
    unit_ok(unit_path.loose == 1 && unit_path.fault == NULL
            && strcmp(unit_path.name, "file") == 0, "which is told");
    unit_path_close();
}


static void
unit_path_loose_files(void)
{
    unit_path_is_opened("loose/file", (uid_t) -1, "our own");

    /* of that name alone */

    unit_path_must(link("kept/file", "loose/named") == 0, "loose/named");
    unit_path_is_refused("loose/named", PATH_USER, "named", PATH_NAMES,
                         "a hard link");
    unit_path_is_opened("kept/file", PATH_USER,
                        "in a folder of ours it may have two names");
    unit_path_must(unlink("loose/named") == 0, "loose/named");

    if (geteuid() != 0) {
        unit_path_skip("files of others in loose folders", "needs root");
        return;
    }

    unit_path_must(chown("loose/file", PATH_USER, (gid_t) -1) == 0
                   && chown("plain/file", PATH_OTHER, (gid_t) -1) == 0,
                   "file");

    unit_path_is_opened("loose/file", PATH_USER, "the workers'");
    unit_path_is_refused("loose/file", PATH_OTHER, "file", PATH_FOREIGN,
                         "another user's");
    unit_path_is_refused("loose/file", (uid_t) -1, "file", PATH_FOREIGN,
                         "another user's, with no user of the workers'");
    unit_path_is_refused("links/into", 0, "file", PATH_FOREIGN,
                         "another user's, by a link of ours");
    unit_path_is_opened("plain/file", PATH_USER,
                        "anyone's in a folder of ours");

    unit_path_must(link("loose/file", "loose/named") == 0, "loose/named");
    unit_path_is_refused("loose/file", PATH_USER, "file", PATH_NAMES,
                         "the workers' with two names");
    unit_path_must(unlink("loose/named") == 0, "loose/named");

    unit_path_must(chown("loose/file", 0, (gid_t) -1) == 0
                   && chown("plain/file", 0, (gid_t) -1) == 0, "file");
}


/* They aren't opened, nor waited for. */

static void
unit_path_odd(void)
{
    int                 fd;
    ngx_uint_t          i;
    struct sockaddr_un  sun;

    static const char  *names[] = { "plain/pipe", "loose/pipe", "plain/socket",
                                    "/dev/null" };

    unit_path_must(mkfifo("plain/pipe", 0600) == 0
                   && mkfifo("loose/pipe", 0600) == 0, "pipe");

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;
    strcpy(sun.sun_path, "plain/socket");
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    unit_path_must(fd != -1
                   && bind(fd, (struct sockaddr *) &sun, sizeof(sun)) == 0,
                   "socket");
    (void) close(fd);

    (void) alarm(20);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        unit_path_is_refused(names[i], PATH_USER, strrchr(names[i], '/') + 1,
                             PATH_ODD, "neither file nor folder");
        unit_is(unit_path_counts[PATH_OPEN], 0, "and never opened");
    }

    (void) alarm(UNIT_PATIENCE);
}


/* ---- someone changes files on the way */

/* One more thing that is done, right before so many calls of this kind. */

static void
unit_path_script(int at, ngx_uint_t times, int what)
{
    ngx_uint_t  i;

    for (i = 0; unit_path_moving[i].times; i++) { /* void */ }

    unit_path_moving[i].at = at;
    unit_path_moving[i].from = 1;
    unit_path_moving[i].times = times;
    unit_path_moving[i].what = what;
}


static void
unit_path_restore(void)
{
    unit_path_heal();
    unit_path_move('b');
    unit_path_move('o');

    (void) unlink("top/on/file");
    (void) unlink("top/on/aside");
    unit_path_put("top/on/file", 0600);
}


static void
unit_path_swaps(void)
{
    ngx_uint_t   loose;
    struct stat  kept;

    unit_path_mkdir("top", 0777);
    unit_path_mkdir("top/on", 0777);
    unit_path_put("top/on/file", 0600);

    for (loose = 0; loose < 2; loose++) {
        unit_path_must(chmod("top", loose ? 0777 : 0755) == 0
                       && chmod("top/on", loose ? 0777 : 0755) == 0, "top");
        unit_note("in a %s folder", loose ? "loose" : "tight");

        /* another file in its place */

        unit_path_script(PATH_OPEN, 1, 'f');
        unit_path_is_opened("top/on/file", PATH_USER,
                            "another file right before it is opened");
        unit_is(unit_path_counts[PATH_OPEN], 1, "it is the one");

        unit_path_restore();
        unit_path_script(PATH_STAT, 1, 'f');
        unit_path_is_opened("top/on/file", PATH_USER,
                            "another file right after it was opened");
        unit_is(unit_path_counts[PATH_OPEN], 2, "that is opened, too");

        unit_path_restore();
        unit_path_script(PATH_NAMED, 5, 'f');
        unit_path_is_opened("top/on/file", PATH_USER,
                            "several, one after another");
        unit_is(unit_path_counts[PATH_OPEN], 6, "the last is opened");

        unit_path_restore();
        unit_path_script(PATH_NAMED, PATH_ALWAYS, 'f');
        unit_path_is_error("top/on/file", NGX_EAGAIN,
                           "one after another, without end");

        /* a link in its place */

        unit_path_restore();
        unit_path_script(PATH_WALK, PATH_ALWAYS, 'o');
        unit_path_script(PATH_OPEN, PATH_ALWAYS, 's');
        unit_path_is_error("top/on/file", NGX_EAGAIN,
                           "file and link in turn, seen when it is opened");

        unit_path_restore();
        unit_path_script(PATH_WALK, PATH_ALWAYS, 'o');
        unit_path_script(PATH_LOOK, PATH_ALWAYS, 's');
        unit_path_is_error("top/on/file", NGX_EAGAIN,
                           "file and link in turn, seen when it is looked at");
        unit_is(unit_path_counts[PATH_OPEN], 0, "it isn't opened");

        unit_path_restore();
        unit_path_script(PATH_OPEN, 1, 's');

        if (loose) {
            unit_path_is_refused("top/on/file", PATH_USER, "file", PATH_LINK,
                                 "a link in its place, that stays");

        } else {
            unit_path_is_opened("top/on/file", PATH_USER,
                                "a link in its place, that stays");
            (void) stat("kept/file", &kept);
            unit_ok(unit_path_fi.st_ino == kept.st_ino, "it is followed");
        }

        /* a pipe: who waits for a writer is ended */

        (void) alarm(20);
        unit_path_restore();
        unit_path_script(PATH_OPEN, 1, 'p');
        unit_path_is_refused("top/on/file", PATH_USER, "file", PATH_ODD,
                             "a pipe in its place");
        (void) alarm(UNIT_PATIENCE);

        /* it goes */

        unit_path_restore();
        unit_path_script(PATH_LOOK, 1, '-');
        unit_path_is_error("top/on/file", ENOENT, "gone before it is seen");
        unit_path_restore();
        unit_path_script(PATH_OPEN, 1, '-');
        unit_path_is_error("top/on/file", ENOENT, "gone before it is opened");
        unit_path_restore();
        unit_path_script(PATH_STAT, 1, '-');
        unit_path_is_error("top/on/file", ENOENT, "gone when it is open");

        /* its folder becomes a link, which isn't gone through */

        unit_path_restore();
        unit_path_script(PATH_LOOK, 1, 'd');
        unit_is(unit_path_open("top/on/file", O_RDONLY, PATH_USER), NGX_OK,
                "the folder becomes a link");
        (void) stat("top/off/file", &kept);
        unit_ok(unit_path_fi.st_ino == kept.st_ino, "it isn't gone through");
        unit_path_close();

        unit_path_restore();
    }

    /* the name of another file, that is gone while names are counted */

    unit_path_script(PATH_LOOK, 1, 'h');
    unit_path_script(PATH_STAT, 1, '-');
    unit_path_script(PATH_NAMED, 1, 'h');
    unit_path_is_refused("top/on/file", PATH_USER, "file", PATH_NAMES,
                         "a hard link that goes and comes again");
    unit_is(unit_path_counts[PATH_OPEN], 1, "as it has both names again");
    unit_path_restore();

    (void) alarm(60);
    unit_path_swaps_of("so", "a symbolic link in its place");
    unit_path_swaps_of("ho", "a hard link in its place");
    unit_path_swaps_of("h-", "a hard link that goes and comes again");
    unit_path_swaps_of("po", "a pipe in its place");
    unit_path_swaps_of("db", "a link in place of its folder");
    (void) alarm(UNIT_PATIENCE);

    unit_path_restore();

    /* what is there may do something when it is opened */
    unit_is(unit_path_follows, 0, "the system is never let follow a link");
}


/* These two in turn, before any two calls. */

static void
unit_path_swaps_of(const char *kinds, const char *what)
{
    ngx_uint_t  i, k, most, wrong, fds;

    unit_path_restore();
    k = 0;
    wrong = unit_path_swapped();
    most = unit_path_counts[PATH_ANY];
    fds = unit_path_count_fds();

    for (i = 1; i <= most && wrong == 0; i++) {
        for (k = i; k <= most + 1 && wrong == 0; k++) {
            unit_path_restore();
            unit_path_script(PATH_ANY, 1, kinds[0]);
            unit_path_script(PATH_ANY, 1, kinds[1]);
            unit_path_script(PATH_ANY, 1, kinds[0]);
            unit_path_moving[0].from = i;
            unit_path_moving[1].from = k;
            unit_path_moving[2].from = k + unit_random(4);

            wrong = unit_path_swapped();
        }
    }

    if (!unit_ok(wrong == 0 && most > 10 && unit_path_count_fds() == fds,
                 "%s, between any two calls", what))
    {
        unit_note("before calls %u and %u of %u", (unsigned) i,
                  (unsigned) k, (unsigned) most);
    }
}


/* Is the other file opened? */

static ngx_uint_t
unit_path_swapped(void)
{
    ngx_int_t    rc;
    ngx_uint_t   wrong;
    struct stat  kept;

    (void) stat("kept/file", &kept);
    rc = unit_path_open("top/on/file", O_RDONLY, PATH_USER);

    wrong = (rc == NGX_OK)
            ? unit_path_fi.st_ino == kept.st_ino || unit_path_fd < 0
            : unit_path_fd != NGX_INVALID_FILE
              || unit_path.folder != NGX_INVALID_FILE
              || (rc == NGX_DECLINED && unit_path.fault == NULL);

    unit_path_close();

    return wrong;
}


/* Every call in turn fails, which is told, and nothing stays open. */

static void
unit_path_fails(const char *name, ngx_uint_t lost)
{
    ngx_int_t   rc;
    ngx_uint_t  i, most, wrong;

    unit_is(unit_path_open(name, O_RDONLY, geteuid()), NGX_OK,
            "nothing fails at first");
    unit_path_close();

    most = unit_path_counts[PATH_ANY] - lost;
    wrong = 0;

    unit_is(unit_path_counts[PATH_LOST], lost,
            "at last, in a loose folder, whether its name has gone is asked");

    for (i = 1; i <= most && wrong == 0; i++) {
        unit_path_failing = i;
        rc = unit_path_open(name, O_RDONLY, geteuid());

        wrong = (rc != NGX_ERROR || unit_path_err != EIO
                 || unit_path_fd != NGX_INVALID_FILE || !unit_path_closed());
    }

    if (!unit_ok(wrong == 0 && most > 10, "%s: each call may fail", name)) {
        unit_note("call %u of %u", (unsigned) i - 1, (unsigned) most);
    }

    if (lost) {
        unit_path_failing = most + 1;
        unit_path_lost = ENOENT;
        unit_is(unit_path_open(name, O_RDONLY, geteuid()), NGX_OK,
                "where there is no /proc, nothing is known of that");
        unit_path_close();

        unit_path_failing = most + 1;
        unit_path_lost = ENAMETOOLONG;
        unit_ok(unit_path_open(name, O_RDONLY, geteuid()) == NGX_OK
                && unit_path_counts[PATH_OPEN] == 2,
                "what can't be told is opened again");
        unit_path_close();
    }

    unit_path_heal();
}


static void
unit_path_leads(void)
{
    ngx_file_info_t  fi;

    unit_is(unit_path_open("top/on/file", O_RDONLY, geteuid()), NGX_OK,
            "a file is open");
    fi = unit_path_fi;
    unit_ok(ngx_http_wassiit_path_leads(&unit_path, &fi), "path leads to it");

    fi.st_dev++;
    unit_ok(!ngx_http_wassiit_path_leads(&unit_path, &fi),
            "not to one of its number on another device");
    fi = unit_path_fi;

    unit_path_move('-');
    unit_ok(!ngx_http_wassiit_path_leads(&unit_path, &fi), "nor if it is gone");

    unit_path_symlink("aside", "top/on/file");
    unit_ok(!ngx_http_wassiit_path_leads(&unit_path, &fi),
            "a link isn't the file itself");

    unit_path_move('o');
    unit_ok(ngx_http_wassiit_path_leads(&unit_path, &fi), "it is back");

    unit_path_move('f');
    unit_ok(!ngx_http_wassiit_path_leads(&unit_path, &fi),
            "another one isn't it");

    unit_path_close();
}


static ngx_uint_t
unit_path_is_writable(const char *name)
{
    ngx_uint_t  yes;

    unit_path_begin();
    yes = ngx_http_wassiit_path_writable(unit_path_whole(name));
    unit_path_end();

    if (unit_path_count_fds() != unit_path_fds) {
        unit_ok(0, "something is still open");
    }

    return yes;
}


static void
unit_path_writable(void)
{
    unit_ok(unit_path_is_writable("plain/file"), "a file may be written");
    unit_ok(unit_path_is_writable("links/mix/file"), "by links, too");
    unit_ok(unit_path_is_writable("plain/none"), "nobody knows: not there");
    unit_ok(unit_path_is_writable("none/file"), "nobody knows: no folder");
    unit_ok(unit_path_is_writable("loose/link"), "nobody knows: refused");
    unit_ok(unit_path_is_writable("links/one"), "nobody knows: a loop");

    unit_path_script(PATH_ACCESS, 1, '-');
    unit_ok(unit_path_is_writable("top/on/file"), "nobody knows: gone");
    unit_is(unit_path_counts[PATH_ACCESS], 1, "after it was found");
    unit_path_restore();

    (void) unit_path_is_writable("plain/file");
    unit_path_failing = unit_path_counts[PATH_ANY];
    unit_ok(!unit_path_is_writable("plain/file") && unit_path_err == EIO,
            "not if the system says so, and why");
    unit_path_heal();
}


static void
unit_path_logged(ngx_int_t rc, int err, const char *expected)
{
    ngx_str_t  file = ngx_string("/the/file");

    unit_log_forget();
    errno = err;
    ngx_http_wassiit_path_log(&unit_path, rc, &file, NGX_LOG_CRIT, &unit_log);

    if (!unit_ok(strcmp(unit_logged, expected) == 0, "logged: %.*s",
                 (int) strcspn(expected, "\n"), expected))
    {
        unit_note("got %s", unit_logged);
    }

    unit_is(unit_logged_err, (rc == NGX_DECLINED) ? 0 : err,
            "with the system's reason, if it is one");
}


/* What is said of a partners' file that isn't there, behind "failed". */

static void
unit_path_logged_none(const char *name, const char *advice)
{
    char        text[3 * PATH_MAX], end[2 * PATH_MAX];
    ngx_int_t   rc;
    ngx_str_t  *file;

    file = unit_path_whole(name);
    snprintf(end, sizeof(end), advice, file->data);
    snprintf(text, sizeof(text), "emerg: open() \"%s\" failed%s\n",
             file->data, end);

    rc = unit_path_open(name, O_RDONLY, geteuid());

    unit_log_forget();
    errno = unit_path_err;
    ngx_http_wassiit_path_log_partners(&unit_path, rc, file, NGX_LOG_EMERG,
                                       &unit_log);

    if (!unit_ok(strcmp(unit_logged, text) == 0, "logged of partners: %s",
                 name))
    {
        unit_note("got %s", unit_logged);
    }
}


static void
unit_path_logs(void)
{
    unit_path_logged(NGX_ERROR, ENOENT,
                     "crit: open() \"/the/file\" failed\n");
    unit_path_logged(NGX_ERROR, NGX_EAGAIN,
                     "crit: open() \"/the/file\" failed\n");
    unit_path_logged(NGX_ERROR, EMFILE,
                     "crit: open() \"/the/file\" failed: all descriptors are "
                     "in use, raise the limit of open files "
                     "(\"ulimit -n\")\n");
    ngx_process = NGX_PROCESS_WORKER;
    unit_path_logged(NGX_ERROR, EMFILE,
                     "crit: open() \"/the/file\" failed: all descriptors are "
                     "in use, raise worker_rlimit_nofile\n");
    ngx_process = 0;
    unit_path_logged(NGX_ERROR, ENFILE,
                     "crit: open() \"/the/file\" failed: all descriptors of "
                     "the system are in use, raise fs.file-max\n");

    (void) unit_path_open("links/by-link", O_RDONLY, geteuid());
    unit_path_logged(NGX_DECLINED, EIO,
                     "crit: file \"/the/file\" is refused: \"folder\" is a "
                     "symbolic link in a folder that others than root may "
                     "write: put the file itself there, or the link into a "
                     "folder that only root may write\n");

    (void) unit_path_open("plain/pipe", O_RDONLY, geteuid());
    unit_path_logged(NGX_DECLINED, EMFILE,
                     "crit: file \"/the/file\" is not a regular file\n");

    unit_path_logged_none("plain/none", "; if it lies elsewhere, move it "
                          "there; if there are no partners yet: "
                          "\"(umask 077; touch %s)\"");
    unit_path_logged_none("none/file", "");

    unit_log_forget();
    unit_log.log_level = NGX_LOG_EMERG;
    ngx_http_wassiit_path_log(&unit_path, NGX_ERROR, unit_path_whole("x"),
                              NGX_LOG_CRIT, &unit_log);
    unit_ok(strcmp(unit_logged, "") == 0, "nothing below the log's level");
    unit_log.log_level = NGX_LOG_DEBUG;
}


/* ---- processes that aren't as this one */

static void
unit_path_user(void)
{
    if (geteuid() != 0) {
        unit_path_skip("a process of another user", "needs root");
        return;
    }

    unit_path_mkdir("user", 0755);
    unit_path_put("user/file", 0600);
    unit_path_put("user/read", 0444);
    unit_path_put("user/mode", 0666);
    unit_path_mkdir("user/closed", 0700);
    unit_path_put("user/closed/file", 0666);
    unit_path_must(mkdir("user/own", 0755) == 0
                   && chown("user/own", PATH_USER, PATH_USER) == 0, "user/own");
    unit_path_put("user/own/file", 0644);
    unit_path_symlink("file", "user/own/link");
    unit_path_must(chown("user/own/file", PATH_OTHER, PATH_OTHER) == 0,
                   "user/own/file");
    unit_path_must(mkdir("user/other", 0755) == 0
                   && chown("user/other", PATH_OTHER, PATH_OTHER) == 0,
                   "user/other");
    unit_path_put("user/other/file", 0644);
    unit_path_symlink("file", "user/other/link");
    unit_path_must(chown("user/other/file", PATH_OTHER, PATH_OTHER) == 0,
                   "user/other/file");

    /* root trusts none of the users */

    unit_path_is_refused("user/own/link", PATH_USER, "link", PATH_LINK,
                         "a link in the folder of the workers' user");
    unit_path_is_refused("user/own/file", PATH_USER, "file", PATH_FOREIGN,
                         "another's file in their folder");

    /* root may ask for them */

    unit_path_reaches("user/own/file", PATH_USER, 1, "their own folder");
    unit_path_reaches("user/file", PATH_USER, 1, "root's, file or not");
    unit_path_reaches("user/closed/file", PATH_USER, 0, "what is root's alone");
    unit_path_reaches("user/closed/file", 0, 1, "which workers of root's may");

    unit_path_mkdir("user/group", 0710);
    unit_path_must(chown("user/group", 0, PATH_OTHER) == 0, "user/group");
    unit_path_reaches("user/group/file", PATH_USER, 0, "what is a group's");
    unit_ok(ngx_http_wassiit_path_reachable(unit_path_whole("user/group/file"),
                                            PATH_USER, PATH_OTHER),
            "reached by that group");

    unit_child(unit_path_user_folders);
}


static void
unit_path_reaches(const char *name, uid_t user, ngx_uint_t expected,
    const char *what)
{
    unit_is(ngx_http_wassiit_path_reachable(unit_path_whole(name), user, user),
            expected, what);
}


static void
unit_path_user_folders(void)
{
    unit_path_must(setgroups(0, NULL) == 0
                   && setresgid(PATH_USER, PATH_USER, PATH_USER) == 0
                   && setresuid(PATH_USER, PATH_USER, PATH_USER) == 0,
                   "setresuid()");

    unit_note("as user %u", (unsigned) geteuid());

    unit_is(unit_path_open("user/own/file", O_RDONLY, (uid_t) -1), NGX_OK,
            "its own folder");
    unit_is(unit_path.loose, 0, "isn't loose");
    unit_path_close();

    unit_is(unit_path_open("user/read", O_RDONLY, (uid_t) -1), NGX_OK,
            "root's folder");
    unit_is(unit_path.loose, 0, "isn't either");
    unit_path_close();

    unit_is(unit_path_open("user/other/file", O_RDONLY, (uid_t) -1), NGX_OK,
            "another's file in another's folder is opened");
    unit_is(unit_path.loose, 1, "which is a loose one");
    unit_path_close();

    unit_path_is_opened("user/own/link", (uid_t) -1, "a link of its own");
    unit_path_is_refused("user/other/link", (uid_t) -1, "link", PATH_LINK,
                         "a link of another's");

    unit_path_is_error("user/file", EACCES, "a file of root's");
    unit_path_is_error("user/closed/file", EACCES, "a folder of root's");

    unit_ok(unit_path_is_writable("user/mode"), "what all may write");
    unit_ok(!unit_path_is_writable("user/read") && unit_path_err == EACCES,
            "what all may read isn't written, and why");
    unit_ok(unit_path_is_writable("user/closed/file"),
            "nobody knows: the folder can't be searched");
}


/* ---- what is mounted read-only */

static void
unit_path_mounts(void)
{
    unit_path_mkdir("map", 0777);
    unit_path_mkdir("map/..first", 0777);
    unit_path_put("map/..first/file", 0644);
    unit_path_symlink("..first", "map/..data");
    unit_path_symlink("..data/file", "map/file");
    unit_path_put("map/plain", 0644);
    unit_path_must(link("map/plain", "map/named") == 0, "map/named");
    unit_path_symlink("../loose/file", "map/outside");
    unit_path_symlink("../plain/file", "map/ours");
    unit_path_symlink("../mounted/file", "map/elsewhere");
    unit_path_symlink("../mounted/second", "map/twice");
    unit_path_symlink("../mounted/back", "map/round");
    unit_path_symlink("../plain", "map/out");
    unit_path_mkdir("mounted", 0777);

    if (geteuid() == 0) {
        unit_path_must(chown("map/named", PATH_OTHER, (gid_t) -1) == 0, "map");
    }

    unit_path_is_refused("map/file", PATH_USER, "file", PATH_LINK,
                         "as it isn't mounted");
    unit_path_is_refused("map/plain", PATH_USER, "plain", PATH_NAMES,
                         "nor this");

    unit_child(unit_path_mounted);
}


static void
unit_path_mounted(void)
{
    ngx_uint_t  i;

    static const struct {
        const char  *name;
        const char  *link;
        const char  *what;
    } refused[] = {
        { "map/outside", "outside", "a link to what others may write" },
        { "map/ours", "ours", "a link to what isn't read-only" },
        { "map/elsewhere", "elsewhere", "a link to another device" },
        { "map/twice", "second", "a link to another device's link" },
        { "map/round", "back", "that leads back" },
        { "map/out/file", "out", "a folder's link to what isn't read-only" }
    };

    if (!unit_path_mount()) {
        unit_path_skip("what is mounted read-only", "nothing can be mounted");
        return;
    }

    unit_path_is_opened("map/file", PATH_USER, "links of one mount");
    unit_path_is_opened("map/plain", PATH_USER,
                        "two names, another's: whatever it is");
    unit_is(unit_path_open("map/..data/file", O_RDONLY, PATH_USER), NGX_OK,
            "by a link to a folder");
    unit_is(unit_path.loose, 0, "that isn't loose");
    unit_path_close();

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        unit_is(unit_path_open(refused[i].name, O_RDONLY, PATH_USER),
                NGX_DECLINED, refused[i].what);
        unit_ok(unit_path.fault && strstr(unit_path.fault, PATH_LINK)
                && strcmp(unit_path.name, refused[i].link) == 0
                && unit_path_closed(), "is refused by the link's name");
    }

    unit_path_is_opened("mounted/file", PATH_USER, "by its own name");

    unit_ok(!unit_path_is_writable("map/file") && unit_path_err == EROFS,
            "nothing is written there, and why");
}


/* For this process alone; returns 0 if it can't be done. */

static ngx_uint_t
unit_path_mount(void)
{
    if (unshare(CLONE_NEWNS) == -1 && !unit_path_be_root()) {
        return 0;
    }

    if (mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL) == -1
        || mount("none", "mounted", "tmpfs", 0, "mode=0777") == -1)
    {
        return 0;
    }

    unit_path_put("mounted/file", 0644);
    unit_path_symlink("file", "mounted/second");
    unit_path_symlink("../map/plain", "mounted/back");

    return mount(NULL, "mounted", NULL, MS_REMOUNT|MS_RDONLY, NULL) == 0
           && mount("map", "map", NULL, MS_BIND, NULL) == 0
           && mount(NULL, "map", NULL, MS_REMOUNT|MS_BIND|MS_RDONLY, NULL)
              == 0;
}


/* The user is root in a namespace of its own */

static ngx_uint_t
unit_path_be_root(void)
{
    int          fd;
    char         maps[2][64];
    ssize_t      n, len;
    ngx_uint_t   i;
    const char  *text;

    static const char  *names[] = { "/proc/self/uid_map",
                                    "/proc/self/setgroups",
                                    "/proc/self/gid_map" };

    snprintf(maps[0], sizeof(maps[0]), "0 %u 1", (unsigned) geteuid());
    snprintf(maps[1], sizeof(maps[1]), "0 %u 1", (unsigned) getegid());

    if (unshare(CLONE_NEWUSER|CLONE_NEWNS) == -1) {
        return 0;
    }

    for (i = 0; i < 3; i++) {
        text = (i == 1) ? "deny" : maps[i / 2];
        len = strlen(text);

        fd = open(names[i], O_WRONLY);
        n = (fd == -1) ? -1 : write(fd, text, len);
        (void) close(fd);

        if (n != len) {
            return 0;
        }
    }

    return 1;
}


static void
unit_path_skip(const char *what, const char *why)
{
    unit_ok(1, "%s # SKIP %s", what, why);
}
