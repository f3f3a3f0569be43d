
#include "ngx_http_wassiit_compact.h"
#include "ngx_http_wassiit_record_last.h"
#include "ngx_http_wassiit_recover.h"


static ngx_int_t ngx_http_wassiit_recover_dead(ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_recover_seen(ngx_http_wassiit_work_t *work,
    ngx_uint_t moved);
static ngx_int_t ngx_http_wassiit_recover_moved(ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_recover_tail(ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_recover_end(ngx_http_wassiit_work_t *work);


ngx_int_t
ngx_http_wassiit_recover(ngx_http_wassiit_work_t *work)
{
    ngx_int_t                    rc;
    ngx_uint_t                   foreign, moved;
    ngx_http_wassiit_file_t     *file;
    ngx_http_wassiit_journal_t  *journal, former;

    file = &work->file;
    journal = work->journal;

    if (journal->dead && ngx_http_wassiit_recover_dead(work) != NGX_OK) {
        return NGX_ERROR;
    }

    former = *journal;
    foreign = journal->foreign;

    moved = ngx_http_wassiit_journal_moved(journal, file->dev, file->ino);

    if (journal->writing) {
        /* in any file: it was known where the line would begin */
        journal->foreign = 0;
    }

    rc = ngx_http_wassiit_recover_seen(work, moved);

    if (rc == NGX_ERROR || rc == NGX_AGAIN) {
        /* it is left for the next one */
        former.mtime = journal->mtime;
        *journal = former;
        return rc;
    }

    if (rc == NGX_DECLINED || foreign) {
        journal->foreign = 1;
        journal->writing = 0;
        return ngx_http_wassiit_recover_end(work);
    }

    return NGX_OK;
}


/*
 * Takes out a change that failed.  A writer that dies here has changed the
 * file's time, so the zone is told of that beforehand.
 */

static ngx_int_t
ngx_http_wassiit_recover_dead(ngx_http_wassiit_work_t *work)
{
    ngx_int_t                    rc;
    ngx_uint_t                   ours, writing;
    ngx_http_wassiit_file_t     *file;
    ngx_http_wassiit_journal_t  *journal;

    file = &work->file;
    journal = work->journal;

    writing = journal->writing;
    ours = (writing || file->mtime == journal->mtime);

    if (ours) {
        journal->writing = 1;
        (void) ngx_http_wassiit_zone_tell(work->zone, journal, NULL, 0);
    }

    rc = ngx_http_wassiit_file_bury(file, journal);

    if (ours) {
        ngx_http_wassiit_file_stamp(file, journal);
    }

    journal->writing = writing;

    /* if we die, the next writer must not take out what is there by then */
    (void) ngx_http_wassiit_zone_tell(work->zone, journal, NULL, 0);

    return rc;
}


/*
 * Compares the file with what is known of it, and takes over what was done to
 * it but not told.  Returns as ngx_http_wassiit_recover() does.
 */

static ngx_int_t
ngx_http_wassiit_recover_seen(ngx_http_wassiit_work_t *work, ngx_uint_t moved)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_file_check(&work->file, work->journal);

    if (rc == NGX_OK && moved) {
        rc = ngx_http_wassiit_recover_moved(work);
    }

    if (rc == NGX_OK && work->file.size > work->journal->size) {
        rc = ngx_http_wassiit_recover_tail(work);
    }

    return rc;
}


/*
 * A writer died between putting a compacted file in place and telling where its
 * lines are.
 */

static ngx_int_t
ngx_http_wassiit_recover_moved(ngx_http_wassiit_work_t *work)
{
    ngx_int_t                 rc;
    ngx_uint_t                n;
    ngx_http_wassiit_span_t  *spans;

    spans = ngx_http_wassiit_zone_spans(work->zone, &n, work->file.log);
    if (spans == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_wassiit_compact_moved(&work->file, work->journal->size,
                                        spans, n);

    if (rc == NGX_OK
        && ngx_http_wassiit_zone_tell(work->zone, work->journal, spans, n)
           != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    ngx_free(spans);

    return rc;
}


/*
 * The file contains more than the journal says: a line whose writer has died,
 * or its beginning, or one that was added by hand.
 */

static ngx_int_t
ngx_http_wassiit_recover_tail(ngx_http_wassiit_work_t *work)
{
    off_t                       offset;
    u_char                     *p, *eol;
    size_t                      len, keep;
    ngx_int_t                   rc;
    ngx_http_wassiit_file_t    *file;
    ngx_http_wassiit_record_t  *rec;

    file = &work->file;
    offset = work->journal->size;

    if (file->size - offset > NGX_HTTP_WASSIIT_LINE) {
        return NGX_DECLINED;
    }

    p = work->line;
    len = file->size - offset;
    work->wipe = len;

    if (ngx_http_wassiit_file_read_at(file, p, len, offset) != NGX_OK) {
        return NGX_ERROR;
    }

    if (*p == LF) {
        /* it ends a line that had no end */
        p++;
        len--;
        offset++;
    }

    eol = memchr(p, LF, len);

    if (eol && eol != p + len - 1) {
        return NGX_DECLINED;
    }

    rc = ngx_http_wassiit_record_parse_last(&work->parse, &work->arena, p, len,
                                            &rec, &keep);

    if (rc == NGX_ERROR) {
        return NGX_DECLINED;
    }

    if (keep < len) {
        ngx_log_error(NGX_LOG_WARN, file->log, 0,
                      "\"%V\" ends in the middle of a line, whose %uz bytes "
                      "are cut off", &file->name, len - keep);

        if (ngx_http_wassiit_file_cut(file, keep ? offset + (off_t) keep
                                                 : work->journal->size)
            != NGX_OK)
        {
            ngx_http_wassiit_file_stamp(file, work->journal);
            return NGX_ERROR;
        }

        if (keep == 0) {
            ngx_http_wassiit_file_stamp(file, work->journal);
            return NGX_OK;
        }

        len = keep;
    }

    if (rc == NGX_OK) {
        rec->offset = offset;
        rec->len = len;

        rc = ngx_http_wassiit_zone_room(work->zone, rec);

        if (rc != NGX_OK) {
            return rc;
        }

        /* its writer may have died before that */

        if (ngx_http_wassiit_file_sync(file, work->journal) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_wassiit_zone_apply(work->zone, rec, NULL, file->log)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return ngx_http_wassiit_file_known(file, work->journal, len != 0);
}


/*
 * A foreign file may end in the middle of a line, too.  That is cut off, so
 * that no line is added to it, which would be a bad one.  Returns NGX_DECLINED
 * or NGX_ERROR.
 */

static ngx_int_t
ngx_http_wassiit_recover_end(ngx_http_wassiit_work_t *work)
{
    u_char                     *p, *eol, *pos;
    size_t                      len, keep;
    ngx_http_wassiit_file_t    *file;
    ngx_http_wassiit_record_t  *rec;

    file = &work->file;
    p = work->line;
    len = ngx_min(file->size, NGX_HTTP_WASSIIT_LINE);
    work->wipe = ngx_max(work->wipe, len);

    if (ngx_http_wassiit_file_read_at(file, p, len, file->size - len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    eol = len ? memrchr(p, LF, len - 1) : NULL;

    if (eol) {
        len -= eol + 1 - p;
        p = eol + 1;

    } else if ((off_t) len < file->size) {
        return NGX_DECLINED;
    }

    if (len == 0) {
        return NGX_DECLINED;
    }

    pos = work->parse.pos;
    (void) ngx_http_wassiit_record_parse_last(&work->parse, &work->arena, p,
                                              len, &rec, &keep);
    ngx_explicit_memzero(pos, work->parse.pos - pos);
    work->parse.pos = pos;

    if (keep < len) {
        ngx_log_error(NGX_LOG_WARN, file->log, 0,
                      "\"%V\" ends in the middle of a line, whose %uz bytes "
                      "are cut off", &file->name, len - keep);

        if (ngx_http_wassiit_file_cut(file, file->size - (len - keep))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_DECLINED;
}
