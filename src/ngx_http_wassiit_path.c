
#include "ngx_http_wassiit_path.h"

#include <sys/statvfs.h>
#include <sys/wait.h>


#define PATH_FLAGS      (O_PATH|O_DIRECTORY|O_NOFOLLOW|O_CLOEXEC)

#define PATH_LINKS      40              /* as many as the kernel follows */

#define PATH_TRIES      8               /* for what is being replaced */

#define PATH_DELETED    " (deleted)"    /* proc(5) */


/* what is known of a folder on the way */

typedef struct {
    dev_t         dev;
    ngx_uint_t    shared;               /* others may write to it, */
    ngx_uint_t    fixed;                /* but for its being read-only */
    ngx_uint_t    anyone;               /* may, and take others' files away */
} ngx_http_wassiit_folder_t;


static ngx_fd_t ngx_http_wassiit_path_start(const char *rest);
static ngx_int_t ngx_http_wassiit_path_folder(ngx_fd_t fd,
    ngx_http_wassiit_folder_t *folder);
static ngx_int_t ngx_http_wassiit_path_link(
    ngx_http_wassiit_path_t *path, const char *after, char *rest);
static ngx_int_t ngx_http_wassiit_path_enter(ngx_http_wassiit_path_t *path,
    ngx_fd_t fd);
static ngx_int_t ngx_http_wassiit_path_file(ngx_http_wassiit_path_t *path,
    int flags, uid_t user, ngx_fd_t *fd, ngx_file_info_t *fi);
static ngx_uint_t ngx_http_wassiit_path_lost(ngx_fd_t fd);
static ngx_uint_t ngx_http_wassiit_path_closed(ngx_str_t *file, uid_t user,
    gid_t group);
static ngx_uint_t ngx_http_wassiit_path_is_missing(
    ngx_http_wassiit_path_t *path, ngx_int_t rc, ngx_str_t *file);


static const char  ngx_http_wassiit_path_is_link[] =
    "is a symbolic link in a folder that others than root may write: put the "
    "file itself there, or the link into a folder that only root may write";

static const char  ngx_http_wassiit_path_has_names[] =
    "has another name as well (a hard link), in a folder that others than "
    "root may write: put a copy in its place";

static const char  ngx_http_wassiit_path_is_foreign[] =
    "belongs neither to root nor to the workers' user, in a folder that "
    "others than root may write: give it to one of them with chown, or put it "
    "into a folder that only root may write";

static const char  ngx_http_wassiit_path_is_odd[] = "is not a regular file";


ngx_int_t
ngx_http_wassiit_path_walk(ngx_http_wassiit_path_t *path, ngx_str_t *file)
{
    char                       *p;
    size_t                      len;
    dev_t                       dev;
    ngx_err_t                   err;
    ngx_int_t                   rc;
    ngx_uint_t                  links, fixed;
    ngx_http_wassiit_folder_t   folder;
    char                        rest[PATH_MAX], name[NAME_MAX + 1];

    path->folder = NGX_INVALID_FILE;
    path->fault = NULL;
    path->name[0] = '\0';

    if (file->len >= PATH_MAX) {
        ngx_set_errno(ENAMETOOLONG);
        return NGX_ERROR;
    }

    p = rest;
    ngx_cpystrn((u_char *) p, file->data, PATH_MAX);

    links = 0;
    fixed = 0;
    dev = 0;
    rc = ngx_http_wassiit_path_enter(path, ngx_http_wassiit_path_start(p));

    while (rc == NGX_OK) {

        p += strspn(p, "/");
        len = strcspn(p, "/");

        if (len == 0 || len > NAME_MAX) {
            ngx_set_errno(len ? ENAMETOOLONG : EISDIR);
            rc = NGX_ERROR;
            break;
        }

        ngx_cpystrn((u_char *) path->name, (u_char *) p, len + 1);
        p += len;

        rc = ngx_http_wassiit_path_folder(path->folder, &folder);

        if (rc != NGX_OK) {
            break;
        }

        rc = ngx_http_wassiit_path_link(path, p, rest);

        if (rc == NGX_OK) {

            if (folder.shared
                && (!folder.fixed || (fixed && folder.dev != dev)))
            {
                path->fault = ngx_http_wassiit_path_is_link;
                rc = NGX_DECLINED;
                break;
            }

            if (folder.shared) {
                fixed = 1;
                dev = folder.dev;
                ngx_cpystrn((u_char *) name, (u_char *) path->name,
                            sizeof(name));
            }

            if (++links > PATH_LINKS) {
                ngx_set_errno(ELOOP);
                rc = NGX_ERROR;
                break;
            }

            p = rest;

            if (*p == '/') {
                rc = ngx_http_wassiit_path_enter(path,
                                             ngx_http_wassiit_path_start(p));
            }

            continue;
        }

        if (rc == NGX_ERROR) {
            break;
        }

        /* NGX_DECLINED: it is none */

        if (*p == '\0' && ngx_strcmp(path->name, ".") != 0
            && ngx_strcmp(path->name, "..") != 0)
        {
            path->loose = folder.shared && !folder.fixed;
            path->anyone = folder.anyone && !folder.fixed;

            if (fixed && (!folder.fixed || folder.dev != dev)) {
                /* it may be writable elsewhere, so it may lead to itself */
                ngx_cpystrn((u_char *) path->name, (u_char *) name,
                            sizeof(name));
                path->fault = ngx_http_wassiit_path_is_link;
                rc = NGX_DECLINED;
                break;
            }

            return NGX_OK;
        }

        rc = ngx_http_wassiit_path_enter(path,
                            openat(path->folder, path->name, PATH_FLAGS));
    }

    err = ngx_errno;
    ngx_http_wassiit_path_close(path);
    ngx_set_errno(err);

    return rc;
}


static ngx_fd_t
ngx_http_wassiit_path_start(const char *rest)
{
    return openat(AT_FDCWD, (*rest == '/') ? "/" : ".", PATH_FLAGS);
}


static ngx_int_t
ngx_http_wassiit_path_enter(ngx_http_wassiit_path_t *path, ngx_fd_t fd)
{
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    ngx_http_wassiit_path_close(path);
    path->folder = fd;

    return NGX_OK;
}


/*
 * Read-only mounts are what Kubernetes makes of a ConfigMap and of a Secret:
 * their folders have mode 0777, and links in them.
 */

static ngx_int_t
ngx_http_wassiit_path_folder(ngx_fd_t fd, ngx_http_wassiit_folder_t *folder)
{
    struct statvfs   vfs;
    ngx_file_info_t  fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || fstatvfs(fd, &vfs) == -1) {
        return NGX_ERROR;
    }

    folder->dev = fi.st_dev;
    folder->shared = ((fi.st_uid != 0 && fi.st_uid != geteuid())
                      || (fi.st_mode & (S_IWGRP|S_IWOTH)));
    folder->fixed = ((vfs.f_flag & ST_RDONLY) != 0);
    folder->anyone = ((fi.st_mode & (S_IWOTH|S_ISVTX)) == S_IWOTH);

    return NGX_OK;
}


/*
 * Puts what a link says in front of what comes after it, into rest, which
 * may hold it already.  NGX_DECLINED: it is no link.
 */

static ngx_int_t
ngx_http_wassiit_path_link(ngx_http_wassiit_path_t *path, const char *after,
    char *rest)
{
    size_t   len;
    ssize_t  n;
    char     target[PATH_MAX];

    n = readlinkat(path->folder, path->name, target, PATH_MAX);

    if (n == -1) {
        return (ngx_errno == EINVAL) ? NGX_DECLINED : NGX_ERROR;
    }

    len = ngx_strlen(after);

    if (n == 0 || n + len >= PATH_MAX) {
        ngx_set_errno(n ? ENAMETOOLONG : NGX_ENOENT);
        return NGX_ERROR;
    }

    ngx_memmove(rest + n, after, len + 1);
    ngx_memcpy(rest, target, n);

    return NGX_OK;
}


void
ngx_http_wassiit_path_close(ngx_http_wassiit_path_t *path)
{
    if (path->folder != NGX_INVALID_FILE) {
        (void) ngx_close_file(path->folder);
        path->folder = NGX_INVALID_FILE;
    }
}


ngx_int_t
ngx_http_wassiit_path_open(ngx_http_wassiit_path_t *path, ngx_str_t *file,
    int flags, uid_t user, ngx_fd_t *fd, ngx_file_info_t *fi)
{
    ngx_int_t   rc;
    ngx_err_t   err;
    ngx_uint_t  i;

    rc = NGX_AGAIN;

    for (i = 0; i < PATH_TRIES && rc == NGX_AGAIN; i++) {

        rc = ngx_http_wassiit_path_walk(path, file);

        if (rc == NGX_OK) {
            rc = ngx_http_wassiit_path_file(path, flags, user, fd, fi);

            if (rc == NGX_OK) {
                return NGX_OK;
            }

            err = (rc == NGX_AGAIN) ? NGX_EAGAIN : ngx_errno;
            ngx_http_wassiit_path_close(path);
            ngx_set_errno(err);
        }
    }

    *fd = NGX_INVALID_FILE;

    return (rc == NGX_AGAIN) ? NGX_ERROR : rc;
}


/* NGX_AGAIN: another one has taken its place meanwhile. */

static ngx_int_t
ngx_http_wassiit_path_file(ngx_http_wassiit_path_t *path, int flags,
    uid_t user, ngx_fd_t *fd, ngx_file_info_t *fi)
{
    ngx_int_t        rc;
    ngx_err_t        err;
    ngx_file_info_t  named;

    path->fault = NULL;

    /* to open a device may do something by itself */

    if (fstatat(path->folder, path->name, fi, AT_SYMLINK_NOFOLLOW) == -1) {
        return NGX_ERROR;
    }

    if (ngx_is_dir(fi)) {
        ngx_set_errno(EISDIR);
        return NGX_ERROR;
    }

    if (ngx_is_link(fi)) {
        return NGX_AGAIN;
    }

    if (!ngx_is_file(fi)) {
        path->fault = ngx_http_wassiit_path_is_odd;
        return NGX_DECLINED;
    }

    /* a pipe is to be refused, not waited for */
    *fd = openat(path->folder, path->name,
                 flags|O_NOFOLLOW|O_NONBLOCK|O_CLOEXEC);

    if (*fd == NGX_INVALID_FILE) {
        return (ngx_errno == ELOOP) ? NGX_AGAIN : NGX_ERROR;
    }

    if (ngx_fd_info(*fd, fi) == NGX_FILE_ERROR
        || fstatat(path->folder, path->name, &named, AT_SYMLINK_NOFOLLOW)
           == -1)
    {
        rc = NGX_ERROR;

    } else if (fi->st_dev != named.st_dev || fi->st_ino != named.st_ino) {
        rc = NGX_AGAIN;

    } else if (!ngx_is_file(fi)) {
        path->fault = ngx_http_wassiit_path_is_odd;
        rc = NGX_DECLINED;

    } else if (path->loose && (fi->st_nlink > 1 || named.st_nlink > 1)) {
        path->fault = ngx_http_wassiit_path_has_names;
        rc = NGX_DECLINED;

    } else if (path->loose && ngx_http_wassiit_path_lost(*fd)) {
        rc = NGX_AGAIN;

    } else if (path->loose && geteuid() == 0 && fi->st_uid != 0
               && fi->st_uid != user)
    {
        path->fault = ngx_http_wassiit_path_is_foreign;
        rc = NGX_DECLINED;

    } else {
        return NGX_OK;
    }

    err = ngx_errno;
    (void) ngx_close_file(*fd);
    ngx_set_errno(err);

    return rc;
}


/*
 * Has the name gone that this was opened by?  It may be there again: but what
 * had one name since it was opened, and has this one still, had no other.  What
 * lies too deep to be told of counts as gone; without /proc nothing is known.
 */

static ngx_uint_t
ngx_http_wassiit_path_lost(ngx_fd_t fd)
{
    ssize_t  n;
    u_char   link[sizeof("/proc/self/fd/") + NGX_INT_T_LEN];
    char     name[PATH_MAX + sizeof(PATH_DELETED)];

    ngx_sprintf(link, "/proc/self/fd/%d%Z", fd);

    n = readlink((char *) link, name, sizeof(name));

    if (n == -1) {
        return ngx_errno != NGX_ENOENT && ngx_errno != NGX_EACCES;
    }

    return n >= (ssize_t) sizeof(PATH_DELETED) - 1
           && ngx_memcmp(name + n - (sizeof(PATH_DELETED) - 1), PATH_DELETED,
                         sizeof(PATH_DELETED) - 1)
              == 0;
}


ngx_uint_t
ngx_http_wassiit_path_leads(ngx_http_wassiit_path_t *path,
    ngx_file_info_t *fi)
{
    ngx_file_info_t  named;

    return fstatat(path->folder, path->name, &named, AT_SYMLINK_NOFOLLOW) == 0
           && named.st_dev == fi->st_dev && named.st_ino == fi->st_ino;
}


ngx_uint_t
ngx_http_wassiit_path_writable(ngx_str_t *file)
{
    int                       rc;
    ngx_err_t                 err;
    ngx_http_wassiit_path_t   path;

    if (ngx_http_wassiit_path_walk(&path, file) != NGX_OK) {
        return 1;
    }

    rc = faccessat(path.folder, path.name, W_OK, 0);

    err = ngx_errno;
    ngx_http_wassiit_path_close(&path);
    ngx_set_errno(err);

    return rc == 0 || err == NGX_ENOENT;
}


ngx_uint_t
ngx_http_wassiit_path_reachable(ngx_str_t *file, uid_t user, gid_t group)
{
    int       status;
    pid_t     pid;
    sigset_t  set, former;

    /* nginx's own handler would take it for a worker */

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &set, &former);

    pid = fork();

    if (pid == 0) {
        _exit(ngx_http_wassiit_path_closed(file, user, group));
    }

    status = 0;

    while (pid != -1 && waitpid(pid, &status, 0) == -1
           && ngx_errno == NGX_EINTR)
    {
        /* void */
    }

    (void) sigprocmask(SIG_SETMASK, &former, NULL);

    return !(WIFEXITED(status) && WEXITSTATUS(status));
}


/* In the process that becomes that user's. */

static ngx_uint_t
ngx_http_wassiit_path_closed(ngx_str_t *file, uid_t user, gid_t group)
{
    struct passwd            *pwd;
    ngx_http_wassiit_path_t   path;

    pwd = getpwuid(user);

    if (group == (gid_t) NGX_CONF_UNSET_UINT) {

        if (pwd == NULL) {
            return 0;
        }

        group = pwd->pw_gid;
    }

    if ((pwd && initgroups(pwd->pw_name, group) == -1)
        || setgid(group) == -1 || setuid(user) == -1)
    {
        return 0;
    }

    return ngx_http_wassiit_path_walk(&path, file) == NGX_ERROR
           && ngx_errno == NGX_EACCES;
}


void
ngx_http_wassiit_path_warn(ngx_http_wassiit_path_t *path, ngx_log_t *log)
{
    ssize_t  len;
    char     self[sizeof("/proc/self/fd/") + NGX_INT_T_LEN], real[PATH_MAX];

    if (!path->anyone) {
        return;
    }

    /* links may lead to the folder, and not be the same any more */

    (void) snprintf(self, sizeof(self), "/proc/self/fd/%d", path->folder);

    len = readlink(self, real, sizeof(real));
    if (len == -1) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "folder \"%*s\" can be written by everyone, who may put a "
                  "former file in place of \"%s\": \"chmod o-w %*s\"",
                  (size_t) len, real, path->name, (size_t) len, real);
}


void
ngx_http_wassiit_path_log(ngx_http_wassiit_path_t *path, ngx_int_t rc,
    ngx_str_t *file, ngx_uint_t level, ngx_log_t *log)
{
    ngx_err_t    err;
    const char  *advice;

    err = ngx_errno;

    if (rc != NGX_DECLINED) {

        /* neither the file nor its disk is at fault */

        switch (err) {

        case EMFILE:
            advice = (ngx_process == NGX_PROCESS_WORKER)
                     ? ": all descriptors are in use, raise "
                       "worker_rlimit_nofile"
                     : ": all descriptors are in use, raise the limit of open "
                       "files (\"ulimit -n\")";
            break;

        case ENFILE:
            advice = ": all descriptors of the system are in use, raise "
                     "fs.file-max";
            break;

        default:
            advice = "";
        }

        ngx_log_error(level, log, err, ngx_open_file_n " \"%V\" failed%s",
                      file, advice);

    } else if (path->fault == ngx_http_wassiit_path_is_odd) {
        ngx_log_error(level, log, 0, "file \"%V\" %s", file, path->fault);

    } else {
        ngx_log_error(level, log, 0, "file \"%V\" is refused: \"%s\" %s",
                      file, path->name, path->fault);
    }
}


void
ngx_http_wassiit_path_log_partners(ngx_http_wassiit_path_t *path, ngx_int_t rc,
    ngx_str_t *file, ngx_uint_t level, ngx_log_t *log)
{
    ngx_err_t        err;
    ngx_file_info_t  fi;

    if (level == NGX_LOG_EMERG
        && ngx_http_wassiit_path_is_missing(path, rc, file))
    {
        ngx_log_error(level, log, ngx_errno, ngx_open_file_n " \"%V\" failed; "
                      "if it lies elsewhere, move it there; if there are no "
                      "partners yet: \"(umask 077; touch %V)\"", file, file);
        return;
    }

    err = ngx_errno;

    if (rc == NGX_ERROR && err == NGX_EACCES
        && ngx_process == NGX_PROCESS_WORKER
        && ngx_file_info(file->data, &fi) != NGX_FILE_ERROR
        && fi.st_uid != geteuid())
    {
        /* what is neither root's nor theirs a reload may refuse */

        ngx_log_error(level, log, err, ngx_open_file_n " \"%V\" failed: it "
                      "has to belong to the workers' user%s", file,
                      (fi.st_uid == 0)
                      ? ", and a reload gives it back if the master runs as "
                        "root"
                      : "");
        return;
    }

    ngx_set_errno(err);

    ngx_http_wassiit_path_log(path, rc, file, level, log);
}


void
ngx_http_wassiit_path_log_secret(ngx_http_wassiit_path_t *path, ngx_int_t rc,
    ngx_str_t *file, const char *maker, ngx_log_t *log)
{
    if (maker && ngx_http_wassiit_path_is_missing(path, rc, file)) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, ngx_open_file_n " \"%V\" "
                      "failed; if it lies elsewhere, move it there; if nobody "
                      "has given you a secret: \"(umask 077; %s > %V)\"", file,
                      maker, file);
        return;
    }

    ngx_http_wassiit_path_log(path, rc, file, NGX_LOG_EMERG, log);
}


/* Is it the file itself that isn't there, and no folder on the way? */

static ngx_uint_t
ngx_http_wassiit_path_is_missing(ngx_http_wassiit_path_t *path, ngx_int_t rc,
    ngx_str_t *file)
{
    char  *name;

    name = strrchr((char *) file->data, '/');

    return rc == NGX_ERROR && ngx_errno == NGX_ENOENT && name
           && ngx_strcmp(name + 1, path->name) == 0;
}
