
#include "ngx_http_wassiit_file.h"

#include <sys/file.h>


#define FILE_TRIES          8               /* for what is being replaced */

#define FILE_ANCHOR         64              /* bytes that tell a file's end */


static ngx_int_t ngx_http_wassiit_file_try(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_file_how_e how);
static ngx_int_t ngx_http_wassiit_file_pread(ngx_http_wassiit_file_t *file,
    u_char *p, size_t len, off_t offset);
static void ngx_http_wassiit_file_blank(u_char *p, size_t len);
static ngx_int_t ngx_http_wassiit_file_name(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);
static ngx_int_t ngx_http_wassiit_file_flush(ngx_http_wassiit_file_t *file);
static ngx_uint_t ngx_http_wassiit_file_syncs(ngx_err_t err);
static int ngx_http_wassiit_file_fsync_folder(ngx_http_wassiit_file_t *file);
static ngx_int_t ngx_http_wassiit_file_overwrite(ngx_http_wassiit_file_t *file,
    u_char *p, size_t len, off_t offset);


ngx_int_t
ngx_http_wassiit_file_open(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_file_how_e how)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = NGX_DONE;

    for (i = 0; i < FILE_TRIES && rc == NGX_DONE; i++) {
        rc = ngx_http_wassiit_file_try(file, how);
    }

    return (rc == NGX_DONE) ? NGX_AGAIN : rc;
}


/* NGX_DONE: it was replaced before it was locked. */

static ngx_int_t
ngx_http_wassiit_file_try(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_file_how_e how)
{
    ngx_int_t        rc;
    ngx_err_t        err;
    ngx_file_info_t  fi;

    file->writable = (how == NGX_HTTP_WASSIIT_FILE_WRITE);

    rc = ngx_http_wassiit_path_open(&file->path, &file->name,
                                    file->writable ? O_RDWR|O_APPEND
                                                   : O_RDONLY,
                                    file->user, &file->fd, &fi);

    if (rc != NGX_OK) {

        if (rc == NGX_ERROR && ngx_errno == NGX_EAGAIN) {
            /* a file server's lease, which ends soon */
            return NGX_AGAIN;
        }

        err = ngx_errno;
        file->unopened = (rc == NGX_ERROR) ? err : 0;

        ngx_http_wassiit_path_log_partners(&file->path, rc, &file->name,
                                           file->level, file->log);
        ngx_set_errno(err);

        return NGX_ERROR;
    }

    if (how != NGX_HTTP_WASSIIT_FILE_PEEK
        && flock(file->fd, (file->writable ? LOCK_EX : LOCK_SH)|LOCK_NB) == -1)
    {
        if (ngx_errno == EWOULDBLOCK) {
            rc = NGX_AGAIN;
            goto failed;
        }

        err = ngx_errno;
        ngx_log_error(file->level, file->log, err, "flock() \"%V\" failed",
                      &file->name);
        ngx_set_errno(err);

        rc = NGX_ERROR;
        goto failed;
    }

    if (ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR) {
        err = ngx_errno;
        ngx_log_error(file->level, file->log, err,
                      ngx_fd_info_n " \"%V\" failed", &file->name);
        ngx_set_errno(err);

        rc = NGX_ERROR;
        goto failed;
    }

    file->dev = fi.st_dev;
    file->ino = fi.st_ino;
    file->size = ngx_file_size(&fi);
    file->mtime = ngx_http_wassiit_file_mtime(&fi);
    file->ctime = ngx_http_wassiit_file_ctime(&fi);

    if (ngx_http_wassiit_file_is_same(file)) {
        return NGX_OK;
    }

    rc = NGX_DONE;

failed:

    err = ngx_errno;

    ngx_http_wassiit_file_close(file);
    ngx_set_errno(err);

    return rc;
}


void
ngx_http_wassiit_file_log_unopened(ngx_http_wassiit_file_t *file,
    ngx_str_t *name)
{
    file->unopened = ngx_errno;

    ngx_http_wassiit_path_log(&file->path, NGX_ERROR, name, file->level,
                              file->log);
}


int64_t
ngx_http_wassiit_file_mtime(ngx_file_info_t *fi)
{
    return (int64_t) fi->st_mtim.tv_sec * 1000000000 + fi->st_mtim.tv_nsec;
}


int64_t
ngx_http_wassiit_file_ctime(ngx_file_info_t *fi)
{
    return (int64_t) fi->st_ctim.tv_sec * 1000000000 + fi->st_ctim.tv_nsec;
}


void
ngx_http_wassiit_file_close(ngx_http_wassiit_file_t *file)
{
    if (file->fd == NGX_INVALID_FILE) {
        return;
    }

    if (ngx_close_file(file->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, file->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &file->name);
    }

    file->fd = NGX_INVALID_FILE;

    ngx_http_wassiit_path_close(&file->path);
}


u_char *
ngx_http_wassiit_file_read(ngx_str_t *file, ngx_fd_t fd, size_t *size,
    ngx_log_t *log)
{
    u_char           *data;
    size_t            room, used;
    ssize_t           n;
    ngx_uint_t        grows;
    ngx_file_info_t   fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_fd_info_n " \"%V\" failed", file);
        return NULL;
    }

    if (!ngx_is_file(&fi) && !ngx_is_dir(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "file \"%V\" is not a regular file", file);
        return NULL;
    }

    if (fi.st_mode & (S_IROTH|S_IWOTH)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "file \"%V\" can be %s by everyone, "
                      "its mode should be 0600: \"chmod 600 %V\"", file,
                      !(fi.st_mode & S_IWOTH) ? "read"
                      : fi.st_mode & S_IROTH ? "read and written" : "written",
                      file);
    }

    /* who only signals the master holds no lock, so it may well grow then */
    grows = (ngx_process == NGX_PROCESS_SIGNALLER);

    room = ngx_file_size(&fi) + 1;
    used = 0;

    data = ngx_alloc(room, log);
    if (data == NULL) {
        return data;
    }

    while (used < room) {
        n = ngx_read_fd(fd, data + used, room - grows - used);

        if (n == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          ngx_read_fd_n " \"%V\" failed", file);
            goto failed;
        }

        if (n == 0) {
            *size = used;
            return data;
        }

        used += n;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "file \"%V\" grew while it was read", file);

failed:

    ngx_explicit_memzero(data, used);
    ngx_free(data);

    return NULL;
}


ngx_int_t
ngx_http_wassiit_file_read_at(ngx_http_wassiit_file_t *file, u_char *p,
    size_t len, off_t offset)
{
    u_char      mark[NGX_HTTP_WASSIIT_FILE_MARK];
    ngx_int_t   rc;
    ngx_uint_t  i;

    rc = ngx_http_wassiit_file_pread(file, p, len, offset);

    if (rc != NGX_OK || offset >= (off_t) sizeof(mark)
        || file->size < (off_t) sizeof(mark))
    {
        return rc;
    }

    if (offset == 0 && len >= sizeof(mark)) {
        (void) ngx_http_wassiit_file_unmark(p, len);
        return NGX_OK;
    }

    /* all who look at these bytes, or take their sum, are to see the same */

    rc = ngx_http_wassiit_file_pread(file, mark, sizeof(mark), 0);

    if (rc == NGX_OK && ngx_http_wassiit_file_unmark(mark, sizeof(mark))) {
        for (i = offset; i < sizeof(mark) && i - offset < len; i++) {
            p[i - offset] = ' ';
        }
    }

    return rc;
}


static ngx_int_t
ngx_http_wassiit_file_pread(ngx_http_wassiit_file_t *file, u_char *p,
    size_t len, off_t offset)
{
    ssize_t  n;

    while (len) {
        n = pread(file->fd, p, len, offset);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            ngx_log_error(file->level, file->log, (n == -1) ? ngx_errno : 0,
                          "pread() of %uz bytes at %O from \"%V\" failed",
                          len, offset, &file->name);
            return NGX_ERROR;
        }

        p += n;
        len -= n;
        offset += n;
    }

    return NGX_OK;
}


uint32_t
ngx_http_wassiit_file_crc(u_char *data, off_t size)
{
    size_t  n;

    n = ngx_min(size, FILE_ANCHOR);

    return ngx_crc32_long(data + size - n, n);
}


ngx_int_t
ngx_http_wassiit_file_read_crc(ngx_http_wassiit_file_t *file, off_t size,
    uint32_t *crc)
{
    size_t  n;
    u_char  data[FILE_ANCHOR];

    n = ngx_min(size, FILE_ANCHOR);

    if (ngx_http_wassiit_file_read_at(file, data, n, size - n) != NGX_OK) {
        return NGX_ERROR;
    }

    *crc = ngx_http_wassiit_file_crc(data, n);
    ngx_explicit_memzero(data, n);

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_file_check(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    uint32_t  crc;

    if (journal->foreign) {
        return NGX_DECLINED;
    }

    if (file->dev == journal->dev && file->ino == journal->ino
        && (file->size > journal->size
            || (file->size == journal->size
                && (file->mtime == journal->mtime || journal->writing))))
    {
        if (ngx_http_wassiit_file_read_crc(file, journal->size, &crc)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (crc == journal->crc) {
            if (journal->writing) {
                journal->mtime = file->mtime;
                journal->ctime = file->ctime;
                journal->writing = 0;
            }

            return NGX_OK;
        }
    }

    journal->foreign = 1;

    ngx_log_error(NGX_LOG_NOTICE, file->log, 0,
                  "\"%V\" was changed by another program: until the next "
                  "reload each change looks through all of it", &file->name);

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_wassiit_file_is_unchanged(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    uint32_t  crc;

    if (journal->foreign || journal->dead
        || ngx_http_wassiit_journal_is_open(journal)
        || journal->ctime == 0)
    {
        return 0;
    }

    return file->dev == journal->dev && file->ino == journal->ino
           && file->size == journal->size && file->mtime == journal->mtime
           && file->ctime == journal->ctime
           && ngx_http_wassiit_file_read_crc(file, journal->size, &crc)
              == NGX_OK
           && crc == journal->crc;
}


/*
 * A link on the way to it may lead to another folder now.  No descriptor is
 * needed: they may be used up, and that would look as if someone had changed
 * the file.
 */

ngx_uint_t
ngx_http_wassiit_file_is_same(ngx_http_wassiit_file_t *file)
{
    ngx_file_info_t  fi, named;

    return ngx_fd_info(file->fd, &fi) != NGX_FILE_ERROR
           && ngx_file_size(&fi) == file->size
           && ngx_http_wassiit_path_leads(&file->path, &fi)
           && ngx_file_info(file->name.data, &named) != NGX_FILE_ERROR
           && named.st_dev == fi.st_dev && named.st_ino == fi.st_ino;
}


ngx_int_t
ngx_http_wassiit_file_search(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_parse_t *parse, ngx_http_wassiit_arena_t *arena,
    ngx_str_t *id, ngx_http_wassiit_span_t *span)
{
    u_char                     *data, *p, *eol, *pos;
    u_char                      quoted[NGX_HTTP_WASSIIT_ID_LEN + 2];
    ngx_int_t                   rc, parsed;
    ngx_uint_t                  ours;
    ngx_http_wassiit_record_t  *rec;

    if (file->size == 0) {
        return NGX_DECLINED;
    }

    data = ngx_alloc(file->size, file->log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_wassiit_file_read_at(file, data, file->size, 0);

    if (rc == NGX_OK) {
        ngx_sprintf(quoted, "\"%V\"", id);
        pos = parse->pos;
        rc = NGX_DECLINED;

        for (eol = data + file->size; rc == NGX_DECLINED && eol > data;
             eol = p)
        {
            p = memrchr(data, LF, eol - 1 - data);
            p = p ? p + 1 : data;

            span->offset = p - data;
            span->len = eol - p;

            /* most lines needn't be parsed to know that they are another's */

            if (memmem(p, eol - p, quoted, id->len + 2) == NULL
                && memmem(p, eol - p, "\\u00", 4) == NULL)
            {
                continue;
            }

            rec = NULL;
            parsed = ngx_http_wassiit_record_parse(parse, arena, p,
                                                   eol - p - (eol[-1] == LF),
                                                   &rec);

            if (parsed == NGX_ERROR && (rec == NULL || rec->id.len == 0)) {
                /* not even JSON */
                ours = ngx_http_wassiit_record_names(p, eol, quoted,
                                                     id->len + 2);
            } else {
                ours = (parsed != NGX_DONE && rec->id.len == id->len
                        && ngx_memcmp(rec->id.data, id->data, id->len) == 0);
            }

            if (ours) {
                rc = (parsed == NGX_OK) ? NGX_OK : NGX_ABORT;
            }

            ngx_explicit_memzero(pos, parse->pos - pos);
            parse->pos = pos;
        }
    }

    ngx_explicit_memzero(data, file->size);
    ngx_free(data);

    return rc;
}


size_t
ngx_http_wassiit_file_alive(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_journals_t *former,
    u_char *data, size_t size)
{
    ngx_http_wassiit_journal_t  known;

    ngx_http_wassiit_journal_get(former, &known);

    if (!ngx_http_wassiit_journal_is_dead(&known, file->dev, file->ino, size)) {
        return size;
    }

    ngx_http_wassiit_journal_mark_dead(journal, known.dead_dev, known.dead_ino,
                                       known.dead_from, known.dead_to);

    if (known.dead_to == (off_t) size) {
        return known.dead_from;
    }

    ngx_http_wassiit_file_blank(data + known.dead_from,
                                known.dead_to - known.dead_from);

    return size;
}


ngx_int_t
ngx_http_wassiit_file_bury(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    u_char     *p;
    size_t      len;
    ngx_int_t   rc;

    if (!journal->dead) {
        return NGX_OK;
    }

    if (!ngx_http_wassiit_journal_is_dead(journal, file->dev, file->ino,
                                          file->size))
    {
        /* someone has put another in its place */
        journal->dead = 0;
        return NGX_OK;
    }

    if (file->size == journal->dead_to) {
        rc = ngx_http_wassiit_file_cut(file, journal->dead_from);

        /* once it is cut off, what comes to stand there is another's */
        journal->dead = (file->size == journal->dead_to);

        return rc;
    }

    /* someone has added lines to it */

    len = journal->dead_to - journal->dead_from;
    rc = NGX_ERROR;

    p = ngx_alloc(len, file->log);

    if (p) {
        ngx_http_wassiit_file_blank(p, len);
        rc = ngx_http_wassiit_file_overwrite(file, p, len,
                                             journal->dead_from);
        ngx_free(p);
    }

    if (rc != NGX_OK) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "taking a change that failed out of \"%V\" failed",
                      &file->name);
        return NGX_ERROR;
    }

    if (ngx_http_wassiit_file_flush(file) != NGX_OK) {
        return NGX_ERROR;
    }

    journal->dead = 0;

    return NGX_OK;
}


/* The file that is open adds, wherever it is told to write: not meanwhile. */

static ngx_int_t
ngx_http_wassiit_file_overwrite(ngx_http_wassiit_file_t *file, u_char *p,
    size_t len, off_t offset)
{
    int        flags;
    ssize_t    n;
    ngx_err_t  err;

    flags = fcntl(file->fd, F_GETFL);

    if (flags == -1 || !ngx_http_wassiit_file_is_same(file)
        || fcntl(file->fd, F_SETFL, flags & ~O_APPEND) == -1)
    {
        return NGX_ERROR;
    }

    n = pwrite(file->fd, p, len, offset);
    err = ngx_errno;

    if (fcntl(file->fd, F_SETFL, flags) == -1) {
        return NGX_ERROR;
    }

    ngx_set_errno(err);

    return (n == (ssize_t) len) ? NGX_OK : NGX_ERROR;
}


/* Blank lines, whatever stands before and behind. */

static void
ngx_http_wassiit_file_blank(u_char *p, size_t len)
{
    ngx_memset(p, ' ', len);
    p[0] = LF;
    p[len - 1] = LF;
}


ngx_int_t
ngx_http_wassiit_file_cut(ngx_http_wassiit_file_t *file, off_t size)
{
    if (!ngx_http_wassiit_file_is_same(file)) {
        ngx_log_error(file->level, file->log, 0,
                      "\"%V\" changed while it was looked at", &file->name);
        return NGX_ERROR;
    }

    if (ftruncate(file->fd, size) == -1) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "cutting \"%V\" to %O bytes failed", &file->name, size);
        return NGX_ERROR;
    }

    file->size = size;

    return ngx_http_wassiit_file_flush(file);
}


void
ngx_http_wassiit_file_stamp(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    ngx_file_info_t  fi;

    if (ngx_fd_info(file->fd, &fi) != NGX_FILE_ERROR) {
        file->mtime = ngx_http_wassiit_file_mtime(&fi);
        file->ctime = ngx_http_wassiit_file_ctime(&fi);
    }

    journal->mtime = file->mtime;
    journal->ctime = file->ctime;
}


ngx_int_t
ngx_http_wassiit_file_sync(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    return (ngx_http_wassiit_file_name(file, journal) == NGX_OK)
           ? ngx_http_wassiit_file_flush(file) : NGX_ERROR;
}


ngx_int_t
ngx_http_wassiit_file_sync_read(ngx_http_wassiit_file_t *file)
{
    if (fsync(file->fd) == -1 && ngx_http_wassiit_file_syncs(ngx_errno)) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "fsync() \"%V\" failed, so what was read may be gone "
                      "after a power cut", &file->name);
        return NGX_ERROR;
    }

    if (ngx_http_wassiit_file_fsync_folder(file) == -1
        && ngx_http_wassiit_file_syncs(ngx_errno))
    {
        if (ngx_errno == EMFILE || ngx_errno == ENFILE) {
            ngx_http_wassiit_file_log_unopened(file, &file->name);
            return NGX_ERROR;
        }

        ngx_log_error(file->level, file->log, ngx_errno,
                      "fsync() of the folder of \"%V\" failed, so the file "
                      "may be another one after a power cut", &file->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Is it an error of a file system that can be waited for at all? */

static ngx_uint_t
ngx_http_wassiit_file_syncs(ngx_err_t err)
{
    return err != EROFS && err != NGX_EINVAL && err != NGX_ENOSYS
           && err != NGX_EOPNOTSUPP;
}


/*
 * The file is found by its name after a crash.  Whoever changes a file by hand
 * may put another in its place, each time.
 */

static ngx_int_t
ngx_http_wassiit_file_name(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    if (journal->folder || journal->foreign) {
        if (ngx_http_wassiit_file_sync_folder(file) != NGX_OK) {
            return NGX_ERROR;
        }

        journal->folder = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_file_flush(ngx_http_wassiit_file_t *file)
{
    if (fsync(file->fd) == -1) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "fsync() \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_file_append(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, u_char *line, size_t len,
    ngx_http_wassiit_span_t *span)
{
    off_t   offset;
    u_char  c;

    if (ngx_http_wassiit_file_name(file, journal) != NGX_OK) {
        return NGX_ERROR;
    }

    /* of a power cut no line before the last one is to know */

    if (journal->foreign && ngx_http_wassiit_file_flush(file) != NGX_OK) {
        return NGX_ERROR;
    }

    offset = file->size;
    c = LF;

    if (offset
        && ngx_http_wassiit_file_read_at(file, &c, 1, offset - 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_wassiit_file_is_same(file)) {
        /* by someone who knows of no lock */
        return NGX_AGAIN;
    }

    /* an editor may leave the last line without one */

    if ((c == LF
         || ngx_http_wassiit_file_write(file, (u_char *) "\n", 1) == NGX_OK)
        && ngx_http_wassiit_file_write(file, line, len) == NGX_OK
        && ngx_http_wassiit_file_flush(file) == NGX_OK)
    {
        span->offset = file->size - len;
        span->len = len;

        return NGX_OK;
    }

    if (file->size > offset && ftruncate(file->fd, offset) == -1) {
        ngx_log_error(NGX_LOG_CRIT, file->log, ngx_errno,
                      "taking back a change of \"%V\" failed, what stands "
                      "from %O to %O doesn't count", &file->name, offset,
                      file->size);

        ngx_http_wassiit_journal_mark_dead(journal, file->dev, file->ino,
                                           offset, file->size);
    }

    file->size = offset;

    if (!journal->foreign) {
        ngx_http_wassiit_file_stamp(file, journal);
    }

    (void) fsync(file->fd);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_wassiit_file_write(ngx_http_wassiit_file_t *file, u_char *p,
    size_t len)
{
    ssize_t  n;

    while (len) {
        n = write(file->fd, p, len);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            ngx_log_error(file->level, file->log, (n == -1) ? ngx_errno : 0,
                          "write() to \"%V\" failed", &file->name);
            return NGX_ERROR;
        }

        p += n;
        len -= n;
        file->size += n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_file_known(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_uint_t lines)
{
    uint32_t  crc;

    /* if someone else wrote beside us, it isn't known where */

    if (!ngx_http_wassiit_file_is_same(file)
        || ngx_http_wassiit_file_read_crc(file, file->size, &crc) != NGX_OK)
    {
        journal->foreign = 1;
        return NGX_ERROR;
    }

    journal->crc = crc;
    journal->lines += lines;
    journal->size = file->size;
    ngx_http_wassiit_file_stamp(file, journal);

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_file_sync_folder(ngx_http_wassiit_file_t *file)
{
    if (ngx_http_wassiit_file_fsync_folder(file) == 0) {
        return NGX_OK;
    }

    if (ngx_errno == EMFILE || ngx_errno == ENFILE) {
        ngx_http_wassiit_file_log_unopened(file, &file->name);

    } else {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "fsync() of the folder of \"%V\" failed", &file->name);
    }

    return NGX_ERROR;
}


/* A folder that may not be read can't be opened: its file system is synced. */

static int
ngx_http_wassiit_file_fsync_folder(ngx_http_wassiit_file_t *file)
{
    int        rc;
    ngx_fd_t   fd;
    ngx_err_t  err;

    fd = openat(file->path.folder, ".", O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return (ngx_errno == NGX_EACCES) ? syncfs(file->fd) : -1;
    }

    rc = fsync(fd);

    err = ngx_errno;
    (void) ngx_close_file(fd);
    ngx_set_errno(err);

    return rc;
}
