
#include "ngx_http_wassiit_compact.h"

#include <sys/file.h>


#define COMPACT_NAME        (NAME_MAX + sizeof(".compact"))

#define COMPACT_BUFFER      262144          /* to copy by */


static void ngx_http_wassiit_compact_name(ngx_http_wassiit_file_t *file,
    char *name);
static ngx_int_t ngx_http_wassiit_compact_replace(
    ngx_http_wassiit_file_t *file, ngx_http_wassiit_journal_t *journal,
    ngx_http_wassiit_file_t *next, ngx_uint_t lines);
static ngx_int_t ngx_http_wassiit_compact_moves(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_file_t *next,
    ngx_uint_t lines);
static ngx_int_t ngx_http_wassiit_compact_copy(ngx_http_wassiit_file_t *from,
    ngx_http_wassiit_file_t *to, ngx_http_wassiit_span_t *spans, ngx_uint_t n,
    u_char *buffer);
static ngx_int_t ngx_http_wassiit_compact_line(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_span_t *span, u_char *p);

ngx_int_t
ngx_http_wassiit_compact(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_span_t *spans,
    ngx_uint_t n)
{
    u_char                   *buffer;
    ngx_int_t                 rc;
    ngx_http_wassiit_file_t   next;
    char                      name[COMPACT_NAME];
    u_char                    full[PATH_MAX + sizeof(".compact")];

    /* if it fails: not at every change from now on */
    journal->due = ngx_max(2 * journal->lines, 4);

    ngx_http_wassiit_compact_name(file, name);

    next = *file;
    next.size = 0;
    next.name.data = full;
    next.name.len = ngx_sprintf(full, "%V.compact", &file->name) - full;

    buffer = ngx_alloc(COMPACT_BUFFER, file->log);
    if (buffer == NULL) {
        return NGX_ERROR;
    }

    /* a writer that died before the end may have left one */
    (void) unlinkat(file->path.folder, name, 0);

    next.fd = openat(file->path.folder, name,
                     O_RDWR|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (next.fd == NGX_INVALID_FILE) {
        ngx_http_wassiit_file_log_unopened(file, &next.name);
        ngx_free(buffer);
        return NGX_ERROR;
    }

    ngx_http_wassiit_spans_sort(spans, n);

    rc = ngx_http_wassiit_compact_copy(file, &next, spans, n, buffer);

    ngx_explicit_memzero(buffer, COMPACT_BUFFER);
    ngx_free(buffer);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_compact_replace(file, journal, &next, n);
    }

    journal->moving = 0;

    if (rc != NGX_OK) {
        (void) unlinkat(file->path.folder, name, 0);
        (void) ngx_close_file(next.fd);
        return rc;
    }

    ngx_http_wassiit_spans_pack(spans, n);

    (void) ngx_close_file(file->fd);

    file->fd = next.fd;
    file->size = next.size;
    file->dev = next.dev;
    file->ino = next.ino;

    journal->dev = file->dev;
    journal->ino = file->ino;
    journal->lines = n;
    journal->due = 0;
    journal->folder = (ngx_http_wassiit_file_sync_folder(file) != NGX_OK);

    return NGX_OK;
}


/* The name of the new file, in the folder of this one. */

static void
ngx_http_wassiit_compact_name(ngx_http_wassiit_file_t *file, char *name)
{
    ngx_sprintf((u_char *) name, "%s.compact%Z", file->path.name);
}


/*
 * The new file is locked before it has the name, and until the new offsets are
 * known to all.
 */

static ngx_int_t
ngx_http_wassiit_compact_replace(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_file_t *next,
    ngx_uint_t lines)
{
    ngx_file_info_t  fi;
    char             name[COMPACT_NAME];

    ngx_http_wassiit_compact_name(file, name);

    if (flock(next->fd, LOCK_EX|LOCK_NB) == 0
        && ngx_fd_info(file->fd, &fi) != NGX_FILE_ERROR
        && (fi.st_uid == geteuid()
            || fchown(next->fd, fi.st_uid, fi.st_gid) == 0)
        && fsync(next->fd) == 0
        && ngx_fd_info(next->fd, &fi) != NGX_FILE_ERROR
        && ngx_http_wassiit_file_is_same(file)
        && ngx_http_wassiit_compact_moves(file, journal, next, lines) == NGX_OK
        && renameat(file->path.folder, name, file->path.folder,
                    file->path.name)
           == 0)
    {
        next->dev = fi.st_dev;
        next->ino = fi.st_ino;

        return NGX_OK;
    }

    ngx_log_error(file->level, file->log, ngx_errno,
                  "putting \"%V\" in place of \"%V\" failed", &next->name,
                  &file->name);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_wassiit_compact_moves(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_file_t *next,
    ngx_uint_t lines)
{
    ngx_file_info_t  fi;

    if (file->moves == NULL) {
        return NGX_OK;
    }

    if (ngx_fd_info(next->fd, &fi) == NGX_FILE_ERROR
        || ngx_http_wassiit_file_read_crc(next, next->size, &journal->next_crc)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    journal->next_dev = fi.st_dev;
    journal->next_ino = fi.st_ino;
    journal->next_size = next->size;
    journal->next_mtime = ngx_http_wassiit_file_mtime(&fi);
    journal->next_lines = lines;
    journal->moving = 1;

    if (file->moves(file) == NGX_OK) {
        return NGX_OK;
    }

    ngx_set_errno(ECANCELED);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_wassiit_compact_moved(ngx_http_wassiit_file_t *file, off_t size,
    ngx_http_wassiit_span_t *spans, ngx_uint_t n)
{
    off_t      end;
    u_char    *buffer;
    ngx_int_t  rc;

    /* no line has moved behind the place of the next one, set or not */

    ngx_http_wassiit_spans_sort(spans, n);
    ngx_http_wassiit_spans_pack(spans, n);

    end = n ? spans[n - 1].offset + (off_t) spans[n - 1].len : 0;

    if (n && end + 1 == size) {
        /* the last one had no LF */
        spans[n - 1].len++;
        end++;
    }

    if (end != size) {
        return NGX_DECLINED;
    }

    buffer = ngx_alloc(COMPACT_BUFFER, file->log);
    if (buffer == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_wassiit_compact_copy(file, NULL, spans, n, buffer);

    ngx_explicit_memzero(buffer, COMPACT_BUFFER);
    ngx_free(buffer);

    return rc;
}


/*
 * Copies the lines one after another, as many at once as lie together; just
 * looks for them if "to" is NULL.
 * NGX_DECLINED: there is no line of this partner where it should be.
 */

static ngx_int_t
ngx_http_wassiit_compact_copy(ngx_http_wassiit_file_t *from,
    ngx_http_wassiit_file_t *to, ngx_http_wassiit_span_t *spans, ngx_uint_t n,
    u_char *buffer)
{
    u_char      *p;
    off_t        offset;
    size_t       len, before;
    ngx_uint_t   i, k;

    for (i = 0; i < n; i = k) {
        offset = spans[i].offset;
        before = (offset > 0);
        len = before;

        for (k = i; k < n; k++) {
            if (spans[k].offset != offset + (off_t) (len - before)
                || len + spans[k].len > COMPACT_BUFFER)
            {
                break;
            }

            len += spans[k].len;
        }

        if (k == i) {
            return NGX_DECLINED;
        }

        if (ngx_http_wassiit_file_read_at(from, buffer, len, offset - before)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (before && buffer[0] != LF) {
            return NGX_DECLINED;
        }

        p = buffer + before;

        for ( /* void */ ; i < k; p += spans[i].len, i++) {
            if (ngx_http_wassiit_compact_line(from, &spans[i], p) != NGX_OK) {
                return NGX_DECLINED;
            }
        }

        if (to == NULL) {
            continue;
        }

        if (ngx_http_wassiit_file_write(to, buffer + before, len - before)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (p[-1] != LF) {
            if (ngx_http_wassiit_file_write(to, (u_char *) "\n", 1)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            spans[k - 1].len++;
        }
    }

    return NGX_OK;
}


/* Is this a line, and can it be the owner's? */

static ngx_int_t
ngx_http_wassiit_compact_line(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_span_t *span, u_char *p)
{
    off_t    end;
    u_char  *eol, next;
    u_char   quoted[NGX_HTTP_WASSIIT_ID_LEN + 2];

    eol = memchr(p, LF, span->len);
    end = span->offset + span->len;
    next = LF;

    /* what was the last line without an LF has got one since */

    if (eol ? (eol != p + span->len - 1)
            : (end < file->size
               && (ngx_http_wassiit_file_read_at(file, &next, 1, end)
                   != NGX_OK
                   || next != LF)))
    {
        return NGX_DECLINED;
    }

    ngx_sprintf(quoted, "\"%V\"", &span->id);

    return (memmem(p, span->len, quoted, span->id.len + 2)
            || memmem(p, span->len, "\\u00", 4))
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_wassiit_compact_clean(ngx_http_wassiit_file_t *file)
{
    char  name[COMPACT_NAME];

    ngx_http_wassiit_compact_name(file, name);

    (void) unlinkat(file->path.folder, name, 0);
}
