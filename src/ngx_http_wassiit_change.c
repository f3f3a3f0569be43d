
#include "ngx_wassiit_atomic.h"
#include "ngx_http_wassiit_change.h"
#include "ngx_http_wassiit_compact.h"
#include "ngx_http_wassiit_edit.h"
#include "ngx_http_wassiit_etag.h"
#include "ngx_http_wassiit_recover.h"


/* lines of a file that has so many for each partner are worth compacting */
#define CHANGE_LINES        4

/* how far the clocks of nodes may be apart: seconds */
#define CHANGE_SKEW         300


static ngx_http_wassiit_changed_e ngx_http_wassiit_change_no_file(
    ngx_http_wassiit_file_t *file);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_locked(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_partner(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_int_t known);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_follow(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_int_t known);
static ngx_int_t ngx_http_wassiit_change_check(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_draft(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_uint_t ngx_http_wassiit_change_matches(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
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
static ngx_uint_t ngx_http_wassiit_change_is_new(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_key_t *key);
static void ngx_http_wassiit_change_place(ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_room(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_http_wassiit_record_t *rec);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_apply(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work,
    ngx_http_wassiit_record_t *rec);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_bad_line(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_http_wassiit_changed_e ngx_http_wassiit_change_compact(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);
static ngx_int_t ngx_http_wassiit_change_moves(ngx_http_wassiit_file_t *file);
static ngx_uint_t ngx_http_wassiit_change_due(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_work_t *work);


const ngx_str_t  ngx_http_wassiit_change_names[NGX_HTTP_WASSIIT_CHANGES] = {
    ngx_string("partner_create"),
    ngx_string("partner_patch"),
    ngx_string("partner_delete"),
    ngx_string("key_create"),
    ngx_string("key_rotate"),
    ngx_string("key_revoke"),
    ngx_string("hmac_secret"),
    ngx_string("webhook_secret"),
    ngx_string("compact")
};


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
    work->rev = 0;
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

    known = ngx_http_wassiit_recover(work);

    if (known == NGX_ERROR) {
        changed = NGX_HTTP_WASSIIT_CHANGE_NO_DISK;

    } else if (known == NGX_AGAIN) {
        changed = NGX_HTTP_WASSIIT_CHANGE_BUSY;

    } else if (change->what == NGX_HTTP_WASSIIT_CHANGE_COMPACT) {
        changed = ngx_http_wassiit_change_compact(change, work);

    } else if (change->draft && change->draft->ordered) {
        changed = ngx_http_wassiit_change_follow(change, work, known);
        change->compact = ngx_http_wassiit_change_due(change, work);

    } else {
        changed = ngx_http_wassiit_change_partner(change, work, known);
        change->compact = ngx_http_wassiit_change_due(change, work);
    }

    (void) ngx_http_wassiit_zone_tell(change->zone, work->journal, NULL, 0);

    return changed;
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

    changed = ngx_http_wassiit_edit(change, work->line, work->former,
                                    work->text, &work->len);

    ngx_http_wassiit_arena_leave();
    ngx_http_wassiit_arena_wipe(&work->arena);

    if (changed == NGX_HTTP_WASSIIT_CHANGED && change->match.len
        && !ngx_http_wassiit_change_matches(change, work))
    {
        changed = NGX_HTTP_WASSIIT_CHANGE_MISMATCH;
    }

    switch (changed) {

    case NGX_HTTP_WASSIIT_CHANGED:

        /* another node may have changed what this one takes for the same */

        if ((change->draft == NULL && work->len == work->former
             && ngx_memcmp(work->text, work->line, work->len) == 0)
            || (change->what == NGX_HTTP_WASSIIT_CHANGE_PATCH
                && json_object_size(change->fields) == 0
                && !(change->draft && change->draft->anew)))
        {
            /* as it should be, but perhaps neither on the disk nor known */
            changed = ngx_http_wassiit_change_agree(change, work, changed);

            if (change->draft) {
                change->draft->rev = 0;
            }

        } else if (change->draft) {
            changed = ngx_http_wassiit_change_draft(change, work);

        } else {
            changed = ngx_http_wassiit_change_write(change, work);
        }

        break;

    case NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER:
    case NGX_HTTP_WASSIIT_CHANGE_NO_KEY:
    case NGX_HTTP_WASSIIT_CHANGE_TAKEN:
    case NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS:
    case NGX_HTTP_WASSIIT_CHANGE_MISMATCH:

        if (work->journal->foreign && work->span.len) {
            /* who is told what the file says is to find it so */
            changed = ngx_http_wassiit_change_agree(change, work, changed);
        }

        break;

    default:
        break;
    }

    return changed;
}


/*
 * Makes the draft's line the partner's, if it is the newer one.  A bad line by
 * hand has no rev, and goes.
 */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_follow(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_int_t known)
{
    ngx_int_t                  rc;
    ngx_http_wassiit_draft_t  *draft;

    draft = change->draft;

    if (ngx_http_wassiit_change_check(change, work) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, work->file.log, 0,
                      "a line of partner \"%V\" that another node has made "
                      "can't be taken into \"%V\": %*s", &change->id,
                      &work->file.name, work->parse.fault_len,
                      work->parse.fault);

        return NGX_HTTP_WASSIIT_CHANGE_BAD_LINE;
    }

    rc = ngx_http_wassiit_change_find(change, work, known);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_WASSIIT_CHANGE_NO_DISK;
    }

    if (rc == NGX_AGAIN) {
        return NGX_HTTP_WASSIIT_CHANGE_LEFT;
    }

    if (rc == NGX_DECLINED && work->rev == 0) {
        work->rev = ngx_http_wassiit_zone_gone(change->zone, &change->id);
    }

    if (work->rev < draft->rev) {
        ngx_memcpy(work->text, draft->text, draft->len);
        work->len = draft->len;
        return ngx_http_wassiit_change_write(change, work);
    }

    if (rc == NGX_DECLINED && draft->newest) {
        /* others have lost what deleted it, and would let it in again */
        draft->rev = work->rev + 1;
        ngx_http_wassiit_edit_draft(draft, ngx_http_wassiit_record_delete(
                                               &change->id));

        return draft->len ? NGX_HTTP_WASSIIT_CHANGE_LOST
                          : NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    if (work->journal->foreign && work->span.len) {
        return ngx_http_wassiit_change_agree(change, work,
                                             NGX_HTTP_WASSIIT_CHANGED);
    }

    /* who has ordered the change tells what came of it */

    return (ngx_http_wassiit_zone_get_locked(change->zone, &change->id,
                                             &change->info)
            == NGX_ERROR)
           ? NGX_HTTP_WASSIIT_CHANGE_BUSY : NGX_HTTP_WASSIIT_CHANGED;
}


/* Is the draft a line of its partner, with its rev? */

static ngx_int_t
ngx_http_wassiit_change_check(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    u_char                     *pos;
    ngx_int_t                   rc;
    ngx_http_wassiit_draft_t   *draft;
    ngx_http_wassiit_record_t  *rec;

    draft = change->draft;
    pos = work->parse.pos;

    rc = ngx_http_wassiit_record_parse(&work->parse, &work->arena, draft->text,
                                       draft->len, &rec);

    if (rc == NGX_DONE
        || (rc == NGX_OK
            && (rec->rev == 0 || rec->rev != draft->rev
                || rec->id.len != change->id.len
                || ngx_memcmp(rec->id.data, change->id.data, rec->id.len) != 0
                /* a blank to JSON, but two lines in the file */
                || memchr(draft->text, LF, draft->len))))
    {
        work->parse.fault_len = ngx_sprintf(work->parse.fault,
                                            "it is of another partner, has "
                                            "another rev, or a line feed")
                                - work->parse.fault;
        rc = NGX_ERROR;

    } else if (rc == NGX_OK && rec->deleted) {
        draft->newest = 0;
    }

    ngx_explicit_memzero(pos, work->parse.pos - pos);
    work->parse.pos = pos;

    return rc;
}


/* Leaves the line that was made, with the next rev, to who has it ordered. */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_draft(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    ngx_http_wassiit_draft_t    *draft;
    ngx_http_wassiit_record_t   *rec;

    draft = change->draft;

    if (work->rev == 0 && work->former == 0) {
        work->rev = ngx_http_wassiit_zone_gone(change->zone, &change->id);
    }

    draft->rev = work->rev + 1;

    ngx_http_wassiit_arena_enter(&work->arena);

    ngx_http_wassiit_edit_draft(draft, ngx_http_wassiit_record_load(work->text,
                                                                  work->len));

    ngx_http_wassiit_arena_leave();
    ngx_http_wassiit_arena_wipe(&work->arena);

    if (draft->len == 0) {
        return NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    if (draft->len >= NGX_HTTP_WASSIIT_LINE) {
        /* as edit() says it of a line without a rev */
        draft->len = NGX_HTTP_WASSIIT_LINE;
        return NGX_HTTP_WASSIIT_CHANGE_BAD_LINE;
    }

    if (ngx_http_wassiit_record_parse(&work->parse, &work->arena, draft->text,
                                      draft->len, &rec)
        != NGX_OK)
    {
        return ngx_http_wassiit_change_bad_line(change, work);
    }

    /* what others have taken, this node must not be the one to lack */

    return ngx_http_wassiit_change_room(change, work, rec);
}


/*
 * Is the partner, as the change finds it, one that its If-Match header names?
 * What is refused for other reasons isn't asked: RFC 9110, section 13.2.1.
 */

static ngx_uint_t
ngx_http_wassiit_change_matches(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work)
{
    uint64_t  tag;

    if (work->former) {
        tag = work->tag;

    } else if (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE) {
        return 0;

    } else {
        /* the file has it no more, and it is still served: see edit() */
        tag = change->info.tag;
    }

    return ngx_http_wassiit_etag_match(&change->match, tag) == NGX_OK;
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
        work->rev = rec->rev;
        rc = NGX_DECLINED;

    } else {
        work->rev = rec->rev;
        work->tag = ngx_http_wassiit_zone_tag(work->zone, rec);
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


/*
 * A key that is made now works at once, whatever the wall clock does next; also
 * where another node has made it.
 */

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
                        == 0)
                    || (change->draft && change->draft->theirs
                        && ngx_http_wassiit_change_is_new(change, key));
    }
}


/*
 * Has an endpoint just made this key, by whatever clock?  It has the id that it
 * is given by one then.
 */

static ngx_uint_t
ngx_http_wassiit_change_is_new(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_key_t *key)
{
    u_char  id[NGX_HTTP_WASSIIT_MADE_ID];

    id[0] = 'k';
    ngx_hex_dump(&id[1], key->digest, (NGX_HTTP_WASSIIT_MADE_ID - 1) / 2);

    return key->id.len == NGX_HTTP_WASSIIT_MADE_ID
           && ngx_memcmp(key->id.data, id, key->id.len) == 0
           && key->created > change->now - CHANGE_SKEW
           && key->created < change->now + CHANGE_SKEW;
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

    /* what has a key twice can't be loaded */

    if (change->draft
        && ngx_http_wassiit_zone_clashes(change->zone, rec, work->file.log))
    {
        return NGX_HTTP_WASSIIT_CHANGE_TAKEN;
    }

    rc = ngx_http_wassiit_zone_room(change->zone, rec);

    if (rc == NGX_OK) {
        return NGX_HTTP_WASSIIT_CHANGED;
    }

    if (rc == NGX_AGAIN) {
        return NGX_HTTP_WASSIIT_CHANGE_ZONE_HELD;
    }

    ngx_log_error(NGX_LOG_ERR, work->file.log, 0,
                  "no room in wassiit_zone \"%V\" to change partner \"%V\"",
                  &change->zone->name, &change->id);

    return NGX_HTTP_WASSIIT_CHANGE_ZONE_FULL;
}


/* The record is of the line at work->span. */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_change_apply(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_work_t *work, ngx_http_wassiit_record_t *rec)
{
    rec->offset = work->span.offset;
    rec->len = work->span.len;

    switch (ngx_http_wassiit_zone_apply(change->zone, rec, &change->info,
                                        work->file.log))
    {

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
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_http_wassiit_span_t     *spans;
    ngx_http_wassiit_changed_e   changed;

    if (!ngx_http_wassiit_change_due(change, work)) {
        /* another worker has done it */
        return NGX_HTTP_WASSIIT_CHANGE_NOT_DUE;
    }

    spans = ngx_http_wassiit_zone_spans(change->zone, &n, work->file.log);
    if (spans == NULL) {
        return NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    work->file.level = NGX_LOG_WARN;
    work->file.moves = ngx_http_wassiit_change_moves;
    work->file.data = work;

    changed = NGX_HTTP_WASSIIT_CHANGED;
    rc = ngx_http_wassiit_compact(&work->file, work->journal, spans, n);

    if (rc == NGX_OK) {
        if (ngx_http_wassiit_file_known(&work->file, work->journal, 0)
            == NGX_OK)
        {
            (void) ngx_http_wassiit_zone_tell(change->zone, work->journal,
                                              spans, n);
        }

    } else if (rc == NGX_DECLINED) {
        changed = NGX_HTTP_WASSIIT_CHANGE_NOT_DUE;
        work->journal->foreign = 1;

        ngx_log_error(NGX_LOG_NOTICE, work->file.log, 0,
                      "\"%V\" was changed by another program: it is not "
                      "compacted until the next reload", &work->file.name);

    } else {
        changed = NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    ngx_free(spans);

    return changed;
}


/* Has the zone know the file that is about to be put in place of this one. */

static ngx_int_t
ngx_http_wassiit_change_moves(ngx_http_wassiit_file_t *file)
{
    ngx_http_wassiit_work_t  *work = file->data;

    return ngx_http_wassiit_zone_tell(work->zone, work->journal, NULL, 0);
}
