
/*
 * The partners' file: JSON Lines, one partner a line; of two lines with one
 * id, the later counts.  A change is one more line.
 *
 * Who loads or changes the file holds a lock on it (flock).  All of these
 * functions may run in a thread, one at a time for one file.
 */


#ifndef _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_record.h"


/* the most parts that a file is parsed in */
#define NGX_HTTP_WASSIIT_STORE_PARTS  4


/* a file that is open and locked */

typedef struct {
    ngx_str_t                         name;     /* ends with a zero */
    ngx_fd_t                          fd;       /* NGX_INVALID_FILE: closed */
    ngx_log_t                        *log;
    ngx_uint_t                        level;    /* at which errors are logged */
    uint64_t                          dev;
    uint64_t                          ino;
    off_t                             size;
    int64_t                           mtime;    /* nanoseconds */
    unsigned                          writable:1;
} ngx_http_wassiit_file_t;


/*
 * What those who share the partners know of their file.  Whoever reads or
 * writes it holds the file's lock.
 */

typedef struct {
    uint64_t                          dev;
    uint64_t                          ino;
    off_t                             size;     /* up to here it is in memory */
    uint32_t                          crc;      /* of the bytes before */
    uint32_t                          lines;    /* up to here */
    uint32_t                          due;      /* to compact at so many */
    int64_t                           mtime;    /* with this size */

    /* of a change that failed, and couldn't be taken back: if dead is set */
    uint64_t                          dead_dev;
    uint64_t                          dead_ino;
    off_t                             dead_from;
    off_t                             dead_to;

    u_char                            dead;
    u_char                            foreign;  /* changed by someone else */
    u_char                            folder;   /* isn't on the disk yet */
} ngx_http_wassiit_journal_t;


/* a line that counts, and what it is of */

typedef struct {
    off_t                             offset;
    size_t                            len;      /* with its LF, if it has one */
    ngx_str_t                         id;       /* of the partner */
    void                             *owner;
} ngx_http_wassiit_span_t;


typedef struct {
    ngx_http_wassiit_file_t           file;
    ngx_http_wassiit_journal_t        journal;
    ngx_shm_t                         parts[NGX_HTTP_WASSIIT_STORE_PARTS];
    ngx_uint_t                        partners;
    ngx_uint_t                        keys;     /* no fewer than there are */
    ngx_http_wassiit_record_t        *records;  /* by id, deleted ones too */
} ngx_http_wassiit_store_t;


/*
 * Reads the whole file.  Returns the store, which holds the file's lock and
 * which the caller destroys with all that it points to; or NULL when the
 * file can't be read or has a bad line, which is then logged at "emerg" as
 * "file:line: field: reason".  No secret and no part of one is ever logged.
 * With write set, the file is opened for settle() if it may be.  A last line
 * that was never written to its end is left out, with a warning; so is, if
 * former isn't NULL, what that tells of the file as dead.
 */
ngx_http_wassiit_store_t *ngx_http_wassiit_store_load(ngx_str_t *file,
    const ngx_wassiit_scopes_t *scopes, ngx_uint_t write,
    ngx_http_wassiit_journal_t *former, ngx_log_t *log);

/*
 * Makes the file one that workers can change: cuts off the line that was left
 * out, gives the file to the user uid (-1: to none) with mode 0600, and takes
 * out lines that count no more.  What fails is logged, and nothing is lost.
 */
void ngx_http_wassiit_store_settle(ngx_http_wassiit_store_t *store,
    uid_t uid);

void ngx_http_wassiit_store_destroy(ngx_http_wassiit_store_t *store);

/*
 * Opens the file and locks it: for writing, against everyone, if write is set;
 * else against those.  Returns
 * NGX_OK, and the caller closes it; NGX_AGAIN: someone else has the lock;
 * NGX_ERROR, which is logged.  name, log and level are the caller's to set.
 */
ngx_int_t ngx_http_wassiit_store_open(ngx_http_wassiit_file_t *file,
    ngx_uint_t write);
void ngx_http_wassiit_store_close(ngx_http_wassiit_file_t *file);

/*
 * Compares the file with what is known of it.  Returns NGX_OK: it is as it
 * was, but for file->size - journal->size bytes at its end, as someone leaves
 * them who dies before the journal tells of them; NGX_DECLINED: it has been
 * changed by someone else, which the journal then says until the next load;
 * NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_store_check(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/*
 * Reads len bytes at offset into p.  Returns NGX_OK, or NGX_ERROR, which is
 * logged, if there are fewer, too.
 */
ngx_int_t ngx_http_wassiit_store_read_at(ngx_http_wassiit_file_t *file,
    u_char *p, size_t len, off_t offset);

/*
 * Looks through the whole file for the last line of a partner, by the scopes
 * and with the memory of parse, as for ngx_http_wassiit_record_parse().
 * Returns NGX_OK and sets span; NGX_DECLINED: there is none; NGX_ABORT: it is a
 * bad one, for which parse->fault tells why; NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_store_search(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_parse_t *parse, ngx_http_wassiit_arena_t *arena,
    ngx_str_t *id, ngx_http_wassiit_span_t *span);

/*
 * Takes out of the file what the journal tells of it as dead.  Returns NGX_OK,
 * or NGX_ERROR.
 */
ngx_int_t ngx_http_wassiit_store_bury(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/* Tells the journal that the file's time is the one that it has now. */
void ngx_http_wassiit_store_stamp(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/* Cuts the file to this size, on the disk.  Returns NGX_OK, or NGX_ERROR. */
ngx_int_t ngx_http_wassiit_store_cut(ngx_http_wassiit_file_t *file,
    off_t size);

/* Waits until all of it is on the disk.  Returns NGX_OK, or NGX_ERROR. */
ngx_int_t ngx_http_wassiit_store_sync(ngx_http_wassiit_file_t *file);

/*
 * Adds a line of len bytes, its LF included, and waits until it is on the
 * disk.  Returns NGX_OK and sets span to where it lies; NGX_ERROR, which is
 * logged, and the file is what it was; NGX_AGAIN: someone has written to it
 * since it was opened.  It is for the caller to tell the journal, when the line
 * is in force.
 */
ngx_int_t ngx_http_wassiit_store_append(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, u_char *line, size_t len,
    ngx_http_wassiit_span_t *span);

/*
 * Tells the journal that all lines, so many more, are in memory.  Returns
 * NGX_OK, or NGX_ERROR if that isn't sure: then the file is a foreign one.
 */
ngx_int_t ngx_http_wassiit_store_known(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_uint_t lines);

/*
 * Puts a new file in place of this one, with n of its lines, which must not
 * overlap; sets their new offsets and sorts spans by them.  The journal is told
 * of all but what ngx_http_wassiit_store_known() tells.  The lock holds on.
 * Returns NGX_OK; NGX_ERROR, which is logged; NGX_DECLINED: a span is not of a
 * line that has its id; all is then what it was.
 */
ngx_int_t ngx_http_wassiit_store_compact(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_span_t *spans,
    ngx_uint_t n);

/*
 * Reads the secret in the first line of a file, base64 as the function
 * ngx_wassiit_hmac_decode() takes it, and makes its key.  Returns NGX_OK or
 * NGX_ERROR, which is then logged at "emerg" with the file's name.
 */
ngx_int_t ngx_http_wassiit_store_secret(ngx_str_t *file,
    ngx_wassiit_hmac_key_t *key, ngx_log_t *log);

/*
 * Reads a secret a line: the bytes of each, as they are, up to its LF or CRLF.
 * Returns an array of ngx_wassiit_hmac_key_t from the pool, at least one, which
 * the pool's end wipes; or NULL, which is then logged at "emerg" with the
 * file's name: a file without a line, or with an empty one, is an error.
 */
ngx_array_t *ngx_http_wassiit_store_secrets(ngx_str_t *file,
    ngx_pool_t *pool, ngx_log_t *log);


#endif /* _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_ */
