
#include "ngx_http_wassiit_change.h"
#include "ngx_http_wassiit_compact.h"
#include "ngx_wassiit_time.h"

#include <openssl/crypto.h>
#include <sys/random.h>


/* lines of a file that has so many for each partner are worth compacting */
#define CHANGE_LINES        4

#define CHANGE_PARSED                                                        \
    NGX_HTTP_WASSIIT_PARSE_SIZE(2, 2 * NGX_HTTP_WASSIIT_LINE)


/* what a change takes beside: one block of memory, wiped in the end */

typedef struct {
    ngx_http_wassiit_zone_t      *zone;
    ngx_http_wassiit_file_t       file;
    ngx_http_wassiit_journal_t    known;    /* what journal points to */
    ngx_http_wassiit_journal_t   *journal;
    ngx_http_wassiit_parse_t      parse;
    ngx_http_wassiit_arena_t      arena;
    ngx_http_wassiit_span_t       span;     /* of the line, if len is set */
    size_t                        former;   /* bytes of it, if it counts */
    size_t                        len;      /* of the line as it will be */
    size_t                        wipe;     /* the most that was in line */
    u_char                        line[NGX_HTTP_WASSIIT_LINE + 1];
    u_char                        text[NGX_HTTP_WASSIIT_LINE + 1];
    u_char                        values[NGX_HTTP_WASSIIT_LINE_ARENA]
                                      __attribute__((aligned(NGX_ALIGNMENT)));
    u_char                        parsed[CHANGE_PARSED]
                                      __attribute__((aligned(NGX_ALIGNMENT)));
} ngx_http_wassiit_work_t;


static ngx_http_wassiit_changed_e ngx_http_wassiit_change_no_file(
    ngx_http_wassiit_file_t *file);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_locked(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_change_known(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_change_bury(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_change_seen(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_uint_t moved);
static ngx_int_t ngx_http_wassiit_change_moved(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_change_tail(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_change_end(ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_partner(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_int_t known);
static ngx_int_t ngx_http_wassiit_change_find(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_int_t known);
static ngx_int_t ngx_http_wassiit_change_line(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static size_t ngx_http_wassiit_change_length(ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_agree(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_http_wassiit_changed_e answer);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_write(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static void ngx_http_wassiit_change_made(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_record_t *rec);
static void ngx_http_wassiit_change_place(ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_room(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_http_wassiit_record_t *rec);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_apply(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_http_wassiit_record_t *rec);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_bad_line(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_edit(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_uint_t ngx_http_wassiit_change_served(
    ngx_http_wassiit_change_t *change);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_object(
    ngx_http_wassiit_change_t *change, json_t *json);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_keys(
    ngx_http_wassiit_change_t *change, json_t *json);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_add_key(
    ngx_http_wassiit_change_t *change, json_t *keys);
static void ngx_http_wassiit_change_drop_expired(json_t *keys, time_t now);
static int64_t ngx_http_wassiit_change_expires(json_t *key);
static ngx_int_t ngx_http_wassiit_change_find_key(json_t *keys, u_char *id,
    size_t len);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_secret(
    ngx_http_wassiit_change_t *change, json_t *json);
static json_t *ngx_http_wassiit_change_time(int64_t seconds);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_compact(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_change_moves(ngx_http_wassiit_file_t *file);
static ngx_uint_t ngx_http_wassiit_change_due(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);


ngx_http_wassiit_changed_e
ngx_http_wassiit_change(ngx_http_wassiit_change_t *change, ngx_log_t *log)
{
    ngx_int_t                    rc;
    ngx_http_wassiit_work_t     *work;
    ngx_http_wassiit_changed_e   changed;

    work = ngx_alloc(sizeof(ngx_http_wassiit_work_t), log);
    if (work == NULL) {
        return NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    work->file.name = change->zone->file;
    work->file.user = geteuid();
    work->file.log = log;
    work->file.level = NGX_LOG_CRIT;
    work->file.moves = NULL;
    work->file.unopened = 0;

    rc = ngx_http_wassiit_file_open(&work->file,
                                    NGX_HTTP_WASSIIT_FILE_WRITE);

    if (rc != NGX_OK) {
        changed = (rc == NGX_AGAIN)
                  ? NGX_HTTP_WASSIIT_CHANGE_BUSY
                  : ngx_http_wassiit_change_no_file(&work->file);
        ngx_free(work);

        return changed;
    }

    work->zone = change->zone;
    work->journal = &work->known;
    work->parse.scopes = change->scopes;
    work->parse.pos = work->parsed;
    work->arena.start = work->values;
    work->arena.size = NGX_HTTP_WASSIIT_LINE_ARENA;
    work->former = 0;
    work->len = 0;
    work->wipe = 0;

    changed = ngx_http_wassiit_change_locked(change, work);

    if (changed == NGX_HTTP_WASSIIT_CHANGE_NO_DISK) {
        changed = ngx_http_wassiit_change_no_file(&work->file);
    }

    ngx_http_wassiit_file_close(&work->file);

    /* the arena is wiped whenever it is left */

    ngx_explicit_memzero(work->line, work->wipe);
    ngx_explicit_memzero(work->text, work->len);
    ngx_explicit_memzero(work->parsed, work->parse.pos - work->parsed);
    ngx_free(work);

    return changed;
}


/* A file that can't be opened needn't be at fault. */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_no_file(ngx_http_wassiit_file_t *file)
{
    return (file->unopened == EMFILE || file->unopened == ENFILE)
           ? NGX_HTTP_WASSIIT_CHANGE_NO_FD : NGX_HTTP_WASSIIT_CHANGE_NO_DISK;
}


ngx_uint_t
ngx_http_wassiit_change_left(ngx_http_wassiit_zone_t *zone)
{
    ngx_http_wassiit_journal_t  journal;

    ngx_http_wassiit_journal_get(ngx_http_wassiit_zone_journals(zone),
                                 &journal);

    return ngx_http_wassiit_journal_is_open(&journal);
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_locked(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_int_t                    known;
    ngx_http_wassiit_changed_e   changed;

    /* a reload may put another in its place, and waits for no other lock */

    switch (ngx_http_wassiit_zone_known(change->zone, &work->known)) {

    case NGX_OK:
        break;

    case NGX_AGAIN:
        return NGX_HTTP_WASSIIT_CHANGE_BUSY;

    default:
        return NGX_HTTP_WASSIIT_CHANGE_LEFT;
    }

    known = ngx_http_wassiit_change_known(change, work);

    if (known == NGX_ERROR) {
        changed = NGX_HTTP_WASSIIT_CHANGE_NO_DISK;

    } else if (known == NGX_AGAIN) {
        changed = NGX_HTTP_WASSIIT_CHANGE_BUSY;

    } else if (change->what == NGX_HTTP_WASSIIT_CHANGE_COMPACT) {
        changed = ngx_http_wassiit_change_compact(change, work);

    } else {
        changed = ngx_http_wassiit_change_partner(change, work, known);
        change->compact = ngx_http_wassiit_change_due(change, work);
    }

    (void) ngx_http_wassiit_zone_tell(change->zone, work->journal, NULL, 0);

    return changed;
}


/*
 * Brings to its end what a writer that died has left.  Returns NGX_OK if the
 * zone knows what stands in the file, and where; NGX_DECLINED if it doesn't;
 * NGX_AGAIN: the zone has no room yet for what he left; NGX_ERROR.
 */

static ngx_int_t
ngx_http_wassiit_change_known(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_int_t                    rc;
    ngx_uint_t                   foreign, moved;
    ngx_http_wassiit_file_t     *file;
    ngx_http_wassiit_journal_t  *journal, former;

    file = &work->file;
    journal = work->journal;

    if (journal->dead && ngx_http_wassiit_change_bury(change, work) != NGX_OK) {
        return NGX_ERROR;
    }

    former = *journal;
    foreign = journal->foreign;

    moved = ngx_http_wassiit_journal_moved(journal, file->dev, file->ino);

    if (journal->writing) {
        /* in any file: it was known where the line would begin */
        journal->foreign = 0;
    }

    rc = ngx_http_wassiit_change_seen(change, work, moved);

    if (rc == NGX_ERROR || rc == NGX_AGAIN) {
        /* it is left for the next one */
        former.mtime = journal->mtime;
        *journal = former;
        return rc;
    }

    if (rc == NGX_DECLINED || foreign) {
        journal->foreign = 1;
        journal->writing = 0;
        return ngx_http_wassiit_change_end(work);
    }

    return NGX_OK;
}


/*
 * Takes out what is dead.  A writer that dies in this has changed the file's
 * time, of which the zone is told beforehand.
 */

static ngx_int_t
ngx_http_wassiit_change_bury(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
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
        (void) ngx_http_wassiit_zone_tell(change->zone, journal, NULL, 0);
    }

    rc = ngx_http_wassiit_file_bury(file, journal);

    if (ours) {
        ngx_http_wassiit_file_stamp(file, journal);
    }

    journal->writing = writing;

    /* what will stand there is not to be taken out after our death */
    (void) ngx_http_wassiit_zone_tell(change->zone, journal, NULL, 0);

    return rc;
}


/*
 * Compares the file with what is known of it, and takes over what was done to
 * it but not told.  Returns as ngx_http_wassiit_change_known() does.
 */

static ngx_int_t
ngx_http_wassiit_change_seen(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_uint_t moved)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_file_check(&work->file, work->journal);

    if (rc == NGX_OK && moved) {
        rc = ngx_http_wassiit_change_moved(change, work);
    }

    if (rc == NGX_OK && work->file.size > work->journal->size) {
        rc = ngx_http_wassiit_change_tail(change, work);
    }

    return rc;
}


/*
 * A file has been put in place of another by one who died before all lines'
 * places were told.
 */

static ngx_int_t
ngx_http_wassiit_change_moved(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_int_t                 rc;
    ngx_uint_t                n;
    ngx_http_wassiit_span_t  *spans;

    spans = ngx_http_wassiit_zone_spans(change->zone, &n, work->file.log);
    if (spans == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_wassiit_compact_moved(&work->file, work->journal->size,
                                        spans, n);

    if (rc == NGX_OK
        && ngx_http_wassiit_zone_tell(change->zone, work->journal, spans, n)
           != NGX_OK)
    {
        rc = NGX_ERROR;
    }

    ngx_free(spans);

    return rc;
}


/*
 * A foreign file may end in the middle of a line, too: what is added behind
 * that must not make it a bad line elsewhere.  Returns NGX_DECLINED or
 * NGX_ERROR.
 */

static ngx_int_t
ngx_http_wassiit_change_end(ngx_http_wassiit_work_t *work)
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


/*
 * There is more in the file than anyone told the journal: a line whose writer
 * has died, or its beginning, or one that was added by hand.
 */

static ngx_int_t
ngx_http_wassiit_change_tail(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
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

        rc = ngx_http_wassiit_zone_room(change->zone, rec);

        if (rc != NGX_OK) {
            return rc;
        }

        /* its writer didn't come to that, or didn't tell */

        if (ngx_http_wassiit_file_sync(file, work->journal) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_http_wassiit_zone_apply(change->zone, rec, file->log)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    return ngx_http_wassiit_file_known(file, work->journal, len != 0);
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_partner(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_int_t known)
{
    ngx_int_t                    rc;
    ngx_http_wassiit_changed_e   changed;

    rc = ngx_http_wassiit_change_find(change, work, known);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_WASSIIT_CHANGE_NO_DISK;
    }

    if (rc == NGX_ABORT) {
        return ngx_http_wassiit_change_bad_line(change, work);
    }

    if (rc == NGX_AGAIN) {
        return NGX_HTTP_WASSIIT_CHANGE_LEFT;
    }

    if (rc == NGX_DECLINED) {
        work->former = 0;
    }

    ngx_http_wassiit_arena_enter(&work->arena);

    changed = ngx_http_wassiit_change_edit(change, work);

    ngx_http_wassiit_arena_leave();
    ngx_http_wassiit_arena_wipe(&work->arena);

    switch (changed) {

    case NGX_HTTP_WASSIIT_CHANGED:

        if ((work->len == work->former
             && ngx_memcmp(work->text, work->line, work->len) == 0)
            || (change->what == NGX_HTTP_WASSIIT_CHANGE_PATCH
                && json_object_size(change->fields) == 0))
        {
            /* as it should be, but perhaps neither on the disk nor known */
            changed = ngx_http_wassiit_change_agree(change, work, changed);

        } else {
            changed = ngx_http_wassiit_change_write(change, work);
        }

        break;

    case NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER:
    case NGX_HTTP_WASSIIT_CHANGE_NO_KEY:
    case NGX_HTTP_WASSIIT_CHANGE_TAKEN:
    case NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS:

        if (work->journal->foreign && work->span.len) {
            /* who is told what the file says is to find it so */
            changed = ngx_http_wassiit_change_agree(change, work, changed);
        }

        break;

    default:
        break;
    }

    if (changed == NGX_HTTP_WASSIIT_CHANGED
        && change->what != NGX_HTTP_WASSIIT_CHANGE_DELETE
        && ngx_http_wassiit_zone_get(change->zone, &change->id, &change->info)
           != NGX_OK)
    {
        /* can't be, as no one else may change it */
        return NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    return changed;
}


/*
 * Reads the partner's line.  NGX_DECLINED: there is none that counts;
 * NGX_ABORT: it is a bad one; NGX_AGAIN: the zone isn't current any more.
 */

static ngx_int_t
ngx_http_wassiit_change_find(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_int_t known)
{
    ngx_int_t                 rc;
    ngx_http_wassiit_span_t  *span;

    span = &work->span;

    if (known == NGX_OK) {
        rc = ngx_http_wassiit_zone_span(change->zone, &change->id, span);

        if (rc != NGX_OK) {
            span->len = 0;
            return (rc == NGX_ABORT) ? NGX_AGAIN : rc;
        }

        if (span->len && span->offset + (off_t) span->len <= work->file.size
            && ngx_http_wassiit_change_line(change, work) == NGX_OK)
        {
            return NGX_OK;
        }

        /* can't be, unless someone has written to it in a clever way */
        work->journal->foreign = 1;
    }

    rc = ngx_http_wassiit_file_search(&work->file, &work->parse, &work->arena,
                                      &change->id, span);

    if (rc == NGX_OK) {
        return ngx_http_wassiit_change_line(change, work);
    }

    span->len = 0;

    return rc;
}


/* Reads what should be a line of the partner: if it isn't, the span is none. */

static ngx_int_t
ngx_http_wassiit_change_line(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    u_char                     *pos;
    ngx_int_t                   rc;
    ngx_http_wassiit_record_t  *rec;

    work->wipe = ngx_max(work->wipe, work->span.len);

    if (ngx_http_wassiit_file_read_at(&work->file, work->line, work->span.len,
                                      work->span.offset)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    work->former = ngx_http_wassiit_change_length(work);
    pos = work->parse.pos;

    rc = ngx_http_wassiit_record_parse(&work->parse, &work->arena, work->line,
                                       work->former, &rec);

    if (rc != NGX_OK || rec->id.len != change->id.len
        || ngx_memcmp(rec->id.data, change->id.data, rec->id.len) != 0)
    {
        work->span.len = 0;
        rc = NGX_DECLINED;

    } else if (rec->deleted) {
        rc = NGX_DECLINED;
    }

    ngx_explicit_memzero(pos, work->parse.pos - pos);
    work->parse.pos = pos;

    return rc;
}


/* How long work->line is without its end. */

static size_t
ngx_http_wassiit_change_length(ngx_http_wassiit_work_t *work)
{
    size_t  len;

    for (len = work->span.len; len; len--) {
        if (work->line[len - 1] != LF && work->line[len - 1] != CR) {
            break;
        }
    }

    return len;
}


/*
 * Makes the zone agree with the partner's line as it is: in a file that was
 * changed by hand it may not, nor where a writer has died.
 */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_agree(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_http_wassiit_changed_e answer)
{
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_changed_e   changed;

    if (ngx_http_wassiit_file_sync(&work->file, work->journal) != NGX_OK) {
        return NGX_HTTP_WASSIIT_CHANGE_NO_DISK;
    }

    if (ngx_http_wassiit_record_parse(&work->parse, &work->arena, work->line,
                                      ngx_http_wassiit_change_length(work),
                                      &rec)
        != NGX_OK)
    {
        /* can't be, as it was read before */
        return ngx_http_wassiit_change_bad_line(change, work);
    }

    changed = ngx_http_wassiit_change_room(change, work, rec);

    if (changed == NGX_HTTP_WASSIIT_CHANGED) {
        changed = ngx_http_wassiit_change_apply(change, work, rec);
    }

    return (changed == NGX_HTTP_WASSIIT_CHANGED) ? answer : changed;
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_write(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_int_t                    rc;
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_changed_e   changed;

    /* what can't be read again must not get into the file */

    rc = ngx_http_wassiit_record_parse(&work->parse, &work->arena, work->text,
                                       work->len, &rec);

    if (rc != NGX_OK) {
        return ngx_http_wassiit_change_bad_line(change, work);
    }

    ngx_http_wassiit_change_made(change, rec);

    changed = ngx_http_wassiit_change_room(change, work, rec);

    if (changed != NGX_HTTP_WASSIIT_CHANGED) {
        return changed;
    }

    work->text[work->len++] = LF;

    /* if we die, the next one is to know where our line begins */

    if (work->journal->foreign) {
        ngx_http_wassiit_change_place(work);
    }

    work->journal->writing = 1;

    if (ngx_http_wassiit_zone_tell(change->zone, work->journal, NULL, 0)
        != NGX_OK)
    {
        return NGX_HTTP_WASSIIT_CHANGE_LEFT;
    }

    rc = ngx_http_wassiit_file_append(&work->file, work->journal, work->text,
                                      work->len, &work->span);

    work->journal->writing = 0;

    if (rc != NGX_OK) {
        return (rc == NGX_AGAIN) ? NGX_HTTP_WASSIIT_CHANGE_BUSY
                                 : NGX_HTTP_WASSIIT_CHANGE_NO_DISK;
    }

    changed = ngx_http_wassiit_change_apply(change, work, rec);

    if (changed == NGX_HTTP_WASSIIT_CHANGE_LEFT) {
        /* nobody will be told of it, so it must not come back */
        (void) ngx_http_wassiit_file_cut(&work->file, work->span.offset);
    }

    if (!work->journal->foreign && changed == NGX_HTTP_WASSIIT_CHANGED) {
        (void) ngx_http_wassiit_file_known(&work->file, work->journal, 1);
    }

    return changed;
}


/* A key that is made now works at once, whatever the wall clock does next. */

static void
ngx_http_wassiit_change_made(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_record_t *rec)
{
    ngx_uint_t               i;
    ngx_http_wassiit_key_t  *key;

    for (i = 0; i < rec->nkeys; i++) {
        key = &rec->keys[i];

        key->made = (change->made.len == NGX_WASSIIT_KEY_LEN
                     && key->id.len == NGX_HTTP_WASSIIT_MADE_ID
                     && ngx_memcmp(key->id.data, change->made_id, key->id.len)
                        == 0);
    }
}


/* Tells the journal where a foreign file ends. */

static void
ngx_http_wassiit_change_place(ngx_http_wassiit_work_t *work)
{
    ngx_http_wassiit_journal_t  *journal;

    journal = work->journal;

    journal->dev = work->file.dev;
    journal->ino = work->file.ino;
    journal->folder = 1;

    /* if it doesn't end there any more, nothing is written */
    (void) ngx_http_wassiit_file_known(&work->file, journal, 0);
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_room(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_http_wassiit_record_t *rec)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_zone_room(change->zone, rec);

    if (rc == NGX_OK) {
        return NGX_HTTP_WASSIIT_CHANGED;
    }

    ngx_log_error(NGX_LOG_ERR, work->file.log, 0,
                  "no room in wassiit_zone \"%V\" to change partner \"%V\"",
                  &change->zone->name, &change->id);

    return (rc == NGX_AGAIN) ? NGX_HTTP_WASSIIT_CHANGE_ZONE_RESTS
                             : NGX_HTTP_WASSIIT_CHANGE_ZONE_FULL;
}


/* The record is of the line at work->span. */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_apply(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_http_wassiit_record_t *rec)
{
    rec->offset = work->span.offset;
    rec->len = work->span.len;

    switch (ngx_http_wassiit_zone_apply(change->zone, rec, work->file.log)) {

    case NGX_OK:
        return NGX_HTTP_WASSIIT_CHANGED;

    case NGX_DECLINED:
        return NGX_HTTP_WASSIIT_CHANGE_LEFT;

    default:
        /* can't be, as there was room; the file has more than the zone */
        work->journal->foreign = 1;
        return NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_bad_line(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_log_error(NGX_LOG_ERR, work->file.log, 0,
                  "the line of partner \"%V\" in \"%V\" can't be changed: %*s",
                  &change->id, &work->file.name, work->parse.fault_len,
                  work->parse.fault);

    return NGX_HTTP_WASSIIT_CHANGE_BAD_LINE;
}


/* Makes work->text of work->line. */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_edit(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    json_t                      *json;
    json_error_t                 error;
    ngx_http_wassiit_changed_e   changed;

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE) {
        if (work->former) {
            return NGX_HTTP_WASSIIT_CHANGE_TAKEN;
        }

        json = json_object();

        if (json_object_set_new(json, "id",
                                json_stringn((char *) change->id.data,
                                             change->id.len))
            != 0
            || json_object_update(json, change->fields) != 0
            || json_object_set_new(json, "keys", json_array()) != 0)
        {
            json_decref(json);
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }

    } else if (work->former == 0
               && (change->what != NGX_HTTP_WASSIIT_CHANGE_DELETE
                   || !ngx_http_wassiit_change_served(change)))
    {
        return NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER;

    } else if (change->what == NGX_HTTP_WASSIIT_CHANGE_DELETE) {
        json = json_pack("{s:s%,s:b}", "id", (char *) change->id.data,
                         change->id.len, "deleted", 1);

    } else {
        json = json_loadb((char *) work->line, work->former, 0, &error);
    }

    changed = json ? ngx_http_wassiit_change_object(change, json)
                   : NGX_HTTP_WASSIIT_CHANGE_FAILED;

    if (changed == NGX_HTTP_WASSIIT_CHANGED) {
        work->len = json_dumpb(json, (char *) work->text,
                               NGX_HTTP_WASSIIT_LINE, JSON_COMPACT);

        if (work->len == 0 || work->len >= NGX_HTTP_WASSIIT_LINE) {
            /* one that was written by hand, and is almost as long */
            work->len = ngx_min(work->len, NGX_HTTP_WASSIIT_LINE);
            changed = NGX_HTTP_WASSIIT_CHANGE_BAD_LINE;
        }
    }

    json_decref(json);

    return changed;
}


/*
 * Is the partner, or the key to revoke, still served, though the file has it
 * no more?  Someone took it out by hand, and whoever revokes it means it.
 */

static ngx_uint_t
ngx_http_wassiit_change_served(ngx_http_wassiit_change_t *change)
{
    ngx_uint_t                    i;
    ngx_http_wassiit_key_info_t  *key;

    if (ngx_http_wassiit_zone_get(change->zone, &change->id, &change->info)
        != NGX_OK)
    {
        return 0;
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_DELETE) {
        return 1;
    }

    for (i = 0; i < change->info.nkeys; i++) {
        key = &change->info.keys[i];

        if (key->id_len == change->key_id.len
            && ngx_memcmp(key->id, change->key_id.data, key->id_len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_object(ngx_http_wassiit_change_t *change, json_t *json)
{
    switch (change->what) {

    case NGX_HTTP_WASSIIT_CHANGE_DELETE:
        return NGX_HTTP_WASSIIT_CHANGED;

    case NGX_HTTP_WASSIIT_CHANGE_PATCH:
        return json_object_update(json, change->fields) == 0
               ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;

    case NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET:
    case NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET:
        return ngx_http_wassiit_change_secret(change, json);

    default:
        return ngx_http_wassiit_change_keys(change, json);
    }
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_keys(ngx_http_wassiit_change_t *change, json_t *json)
{
    size_t      i;
    json_t     *keys, *key;
    int64_t     expires;
    ngx_int_t   n;

    keys = json_object_get(json, "keys");

    if (keys == NULL) {
        keys = json_array();

        if (json_object_set_new(json, "keys", keys) != 0) {
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_REVOKE) {
        n = ngx_http_wassiit_change_find_key(keys, change->key_id.data,
                                             change->key_id.len);
        if (n == NGX_ERROR) {
            return ngx_http_wassiit_change_served(change)
                   ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_NO_KEY;
        }

        return json_array_remove(keys, n) == 0
               ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_ROTATE) {

        if (change->grace == 0) {
            /* an expired key would work again if the clock is stepped back */
            (void) json_array_clear(keys);
        }

        expires = change->now + change->grace;

        json_array_foreach(keys, i, key) {
            if (ngx_http_wassiit_change_expires(key) > expires
                && json_object_set_new(key, "expires",
                                       ngx_http_wassiit_change_time(expires))
                   != 0)
            {
                return NGX_HTTP_WASSIIT_CHANGE_FAILED;
            }
        }
    }

    return ngx_http_wassiit_change_add_key(change, keys);
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_add_key(ngx_http_wassiit_change_t *change,
    json_t *keys)
{
    json_t  *key;
    u_char  *id, digest[NGX_WASSIIT_DIGEST_LEN];
    u_char   hex[2 * NGX_WASSIIT_DIGEST_LEN];

    if (json_array_size(keys) >= NGX_HTTP_WASSIIT_KEYS) {
        ngx_http_wassiit_change_drop_expired(keys, change->now);
    }

    if (json_array_size(keys) >= NGX_HTTP_WASSIIT_KEYS) {
        return NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS;
    }

    /* who finds a key can tell its id, and no id comes twice */

    id = change->made_id;

    do {
        if (ngx_wassiit_key_make(change->made_data) != NGX_OK) {
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }

        ngx_wassiit_key_digest(change->made_data, NGX_WASSIIT_KEY_LEN, digest);
        ngx_hex_dump(hex, digest, NGX_WASSIIT_DIGEST_LEN);

        id[0] = 'k';
        ngx_memcpy(&id[1], hex, NGX_HTTP_WASSIIT_MADE_ID - 1);

    } while (ngx_http_wassiit_change_find_key(keys, id,
                                              NGX_HTTP_WASSIIT_MADE_ID)
             != NGX_ERROR);

    change->made.data = change->made_data;
    change->made.len = NGX_WASSIIT_KEY_LEN;

    /* created a second ago, for the workers whose clocks are behind */

    key = json_pack("{s:s%,s:s%,s:o}",
                    "id", (char *) id, (size_t) NGX_HTTP_WASSIIT_MADE_ID,
                    "sha256", (char *) hex, sizeof(hex),
                    "created", ngx_http_wassiit_change_time(change->now - 1));

    return json_array_append_new(keys, key) == 0
           ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;
}


/* Makes room for one more key, if one has expired: the one that did first. */

static void
ngx_http_wassiit_change_drop_expired(json_t *keys, time_t now)
{
    size_t    i, first;
    json_t   *key;
    int64_t   expires, least;

    least = INT64_MAX;
    first = 0;

    json_array_foreach(keys, i, key) {
        expires = ngx_http_wassiit_change_expires(key);

        if (expires < least) {
            least = expires;
            first = i;
        }
    }

    if (least <= now) {
        (void) json_array_remove(keys, first);
    }
}


static int64_t
ngx_http_wassiit_change_expires(json_t *key)
{
    json_t   *value;
    int64_t   expires;

    value = json_object_get(key, "expires");
    expires = INT64_MAX;

    if (value) {
        (void) ngx_wassiit_time_parse((u_char *) json_string_value(value),
                                      json_string_length(value), &expires);
    }

    return expires;
}


/* Returns the place of the key with this id, or NGX_ERROR. */

static ngx_int_t
ngx_http_wassiit_change_find_key(json_t *keys, u_char *id, size_t len)
{
    size_t   i;
    json_t  *key, *value;

    json_array_foreach(keys, i, key) {
        value = json_object_get(key, "id");

        if (json_string_length(value) == len
            && ngx_memcmp(json_string_value(value), id, len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_secret(ngx_http_wassiit_change_t *change,
    json_t *json)
{
    const char  *field;
    u_char       random[NGX_WASSIIT_HMAC_LEN];

    change->made.data = change->made_data;

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET) {
        field = "hmac_secret";
        change->made.len = NGX_WASSIIT_HMAC_BASE64;

        if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }

        ngx_wassiit_hmac_base64(change->made_data, random);
        ngx_explicit_memzero(random, sizeof(random));

    } else {
        field = "webhook_secret";
        change->made.len = NGX_HTTP_WASSIIT_MADE_LEN;

        if (ngx_wassiit_key_random(change->made_data, change->made.len)
            != NGX_OK)
        {
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }
    }

    return json_object_set_new(json, field,
                               json_stringn((char *) change->made.data,
                                            change->made.len))
           == 0
           ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;
}


static json_t *
ngx_http_wassiit_change_time(int64_t seconds)
{
    u_char  text[NGX_WASSIIT_TIME_LEN];

    ngx_wassiit_time_format(seconds, text);

    return json_stringn((char *) text, NGX_WASSIIT_TIME_LEN);
}


static ngx_uint_t
ngx_http_wassiit_change_due(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_http_wassiit_journal_t  *journal;

    journal = work->journal;

    return !journal->foreign && journal->lines >= journal->due
           && journal->lines
              >= CHANGE_LINES * ngx_http_wassiit_zone_partners(change->zone)
           && journal->lines;
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_compact(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_int_t                 rc;
    ngx_uint_t                n;
    ngx_http_wassiit_span_t  *spans;

    if (!ngx_http_wassiit_change_due(change, work)) {
        /* another worker has done it */
        return NGX_HTTP_WASSIIT_CHANGED;
    }

    spans = ngx_http_wassiit_zone_spans(change->zone, &n, work->file.log);
    if (spans == NULL) {
        return NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    work->file.level = NGX_LOG_WARN;
    work->file.moves = ngx_http_wassiit_change_moves;
    work->file.data = work;

    rc = ngx_http_wassiit_compact(&work->file, work->journal, spans, n);

    if (rc == NGX_OK) {
        if (ngx_http_wassiit_file_known(&work->file, work->journal, 0)
            == NGX_OK)
        {
            (void) ngx_http_wassiit_zone_tell(change->zone, work->journal,
                                              spans, n);
        }

    } else if (rc == NGX_DECLINED) {
        work->journal->foreign = 1;

        ngx_log_error(NGX_LOG_NOTICE, work->file.log, 0,
                      "\"%V\" was changed by another program: it is not "
                      "compacted until the next reload", &work->file.name);
    }

    ngx_free(spans);

    return NGX_HTTP_WASSIIT_CHANGED;
}


/* Has the zone know the file that is about to be put in place of this one. */

static ngx_int_t
ngx_http_wassiit_change_moves(ngx_http_wassiit_file_t *file)
{
    ngx_http_wassiit_work_t  *work = file->data;

    return ngx_http_wassiit_zone_tell(work->zone, work->journal, NULL, 0);
}
