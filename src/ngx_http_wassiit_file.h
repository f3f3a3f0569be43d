
/*
 * The partners' file: JSON Lines, one partner a line; of two lines with one
 * id, the later counts.  A change is one more line.
 *
 * Who loads or changes the file holds a lock on it (flock).  All of these
 * functions may run in a thread, one at a time for one file.
 */


#ifndef _NGX_HTTP_WASSIIT_FILE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_FILE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_journal.h"
#include "ngx_http_wassiit_path.h"
#include "ngx_http_wassiit_record.h"


/* a file that is open and locked */

typedef struct ngx_http_wassiit_file_s  ngx_http_wassiit_file_t;

struct ngx_http_wassiit_file_s {
    ngx_str_t                         name;     /* ends with a zero */
    uid_t                             user;     /* the workers', if not ours */
    ngx_http_wassiit_path_t           path;     /* open as fd is */
    ngx_fd_t                          fd;       /* NGX_INVALID_FILE: closed */
    ngx_log_t                        *log;
    ngx_uint_t                        level;    /* at which errors are logged */
    uint64_t                          dev;
    uint64_t                          ino;
    off_t                             size;
    int64_t                           mtime;    /* nanoseconds */
    int64_t                           ctime;    /* the same */
    ngx_err_t                         unopened; /* why the last one wasn't */
    unsigned                          writable:1;

    /*
     * Called, if set, right before a new file, of which the journal tells, is
     * put in place of this one.  Unless it returns NGX_OK, that isn't done.
     */
    ngx_int_t                       (*moves)(ngx_http_wassiit_file_t *file);
    void                             *data;     /* the caller's */
};


typedef enum {
    NGX_HTTP_WASSIIT_FILE_READ = 0,             /* locked against writers */
    NGX_HTTP_WASSIIT_FILE_WRITE,                /* locked against everyone */
    NGX_HTTP_WASSIIT_FILE_PEEK                  /* to read, without a lock */
} ngx_http_wassiit_file_how_e;


/*
 * Opens the file and locks it.  Returns NGX_OK, and the caller closes it;
 * NGX_AGAIN: someone else has the lock, or puts one after another in its place;
 * NGX_ERROR, which is logged, and ngx_errno is what it was: a file too that
 * ngx_http_wassiit_path_open() refuses.  name, log and level are the caller's
 * to set, and user, if this process is root's.
 */
ngx_int_t ngx_http_wassiit_file_open(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_file_how_e how);
void ngx_http_wassiit_file_close(ngx_http_wassiit_file_t *file);

/*
 * Reads all of the file fd, from where it stands.  Returns its *size bytes,
 * which the caller wipes and frees, or NULL, which is logged at "emerg" with
 * the file's name; warns if everyone may read it.
 */
u_char *ngx_http_wassiit_file_read(ngx_str_t *file, ngx_fd_t fd,
    size_t *size, ngx_log_t *log);

/* What a journal keeps of the last of a file's size bytes, all in data. */
uint32_t ngx_http_wassiit_file_crc(u_char *data, off_t size);

/*
 * Compares the file with what is known of it.  Returns NGX_OK: it is as it
 * was, but for file->size - journal->size bytes at its end, as someone leaves
 * them who dies before the journal tells of them, and for its time, if he was
 * writing, which the journal is then told; NGX_DECLINED: it has been
 * changed by someone else, which the journal then says until the next load;
 * NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_file_check(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/*
 * Reads len bytes at offset into p; of a byte order mark that the file begins
 * with, blanks.  Returns NGX_OK, or NGX_ERROR, which is logged, if there are
 * fewer, too.
 */
ngx_int_t ngx_http_wassiit_file_read_at(ngx_http_wassiit_file_t *file,
    u_char *p, size_t len, off_t offset);

/*
 * Looks through the whole file for the last line of a partner, by the scopes
 * and with the memory of parse, as for ngx_http_wassiit_record_parse().
 * Returns NGX_OK and sets span; NGX_DECLINED: there is none; NGX_ABORT: it is a
 * bad one, for which parse->fault tells why; NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_file_search(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_parse_t *parse, ngx_http_wassiit_arena_t *arena,
    ngx_str_t *id, ngx_http_wassiit_span_t *span);

/*
 * What former tells of the file as dead is not in force, though it is among
 * the size bytes that data has of it: it is blanked there, or left out at the
 * end, and the journal told.  Returns the bytes that are left.
 */
size_t ngx_http_wassiit_file_alive(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_journals_t *former,
    u_char *data, size_t size);

/*
 * Takes out of the file what the journal tells of it as dead.  Returns NGX_OK,
 * or NGX_ERROR.
 */
ngx_int_t ngx_http_wassiit_file_bury(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/* Tells the journal that the file's time is the one that it has now. */
void ngx_http_wassiit_file_stamp(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/* Cuts the file to this size, on the disk.  Returns NGX_OK, or NGX_ERROR. */
ngx_int_t ngx_http_wassiit_file_cut(ngx_http_wassiit_file_t *file,
    off_t size);

/*
 * Waits until all of it, and its name, is on the disk.  Returns NGX_OK, or
 * NGX_ERROR.
 */
ngx_int_t ngx_http_wassiit_file_sync(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/*
 * The same for what was only read.  A file system that is read-only, or knows
 * nothing of this, has nothing to wait for.
 */
ngx_int_t ngx_http_wassiit_file_sync_read(ngx_http_wassiit_file_t *file);

/*
 * Adds a line of len bytes, its LF included, and waits until it is on the
 * disk.  Returns NGX_OK and sets span to where it lies; NGX_ERROR, which is
 * logged, and the file is what it was, or the journal tells what of it is dead;
 * NGX_AGAIN: someone has written to it since it was opened.  It is for the
 * caller to tell the journal, when the line is in force.
 */
ngx_int_t ngx_http_wassiit_file_append(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, u_char *line, size_t len,
    ngx_http_wassiit_span_t *span);

/*
 * Tells the journal that all lines, so many more, are in memory.  Returns
 * NGX_OK, or NGX_ERROR if that isn't sure: then the file is a foreign one.
 */
ngx_int_t ngx_http_wassiit_file_known(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_uint_t lines);

/*
 * Is the file, as far as it was read, still the one of its name?  Returns 1 or
 * 0, also if that can't be found out.
 */
ngx_uint_t ngx_http_wassiit_file_is_same(ngx_http_wassiit_file_t *file);

/*
 * Appends len bytes, and adds to file->size those that were written.  Returns
 * NGX_OK, or NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_file_write(ngx_http_wassiit_file_t *file,
    u_char *p, size_t len);

/*
 * Sets *crc to what a journal keeps of the first size bytes.  Returns NGX_OK,
 * or NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_file_read_crc(ngx_http_wassiit_file_t *file,
    off_t size, uint32_t *crc);

/*
 * Waits until what was made or renamed in the file's folder is on the disk.
 * Returns NGX_OK, or NGX_ERROR, which is logged.
 */
ngx_int_t ngx_http_wassiit_file_sync_folder(ngx_http_wassiit_file_t *file);

/*
 * Logs that a file of this name, or its folder, couldn't be opened, as
 * ngx_errno says, and keeps that in file->unopened.
 */
void ngx_http_wassiit_file_log_unopened(ngx_http_wassiit_file_t *file,
    ngx_str_t *name);

/*
 * Is the file, which is open, the very one that the journal tells of, and has
 * nobody written to it or changed its owner, mode or name since?  Returns 1: it
 * is; 0: perhaps not.
 */
ngx_uint_t ngx_http_wassiit_file_is_unchanged(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal);

/*
 * When the file was written to last, and when anything of it was changed:
 * nanoseconds since 1970.
 */
int64_t ngx_http_wassiit_file_mtime(ngx_file_info_t *fi);
int64_t ngx_http_wassiit_file_ctime(ngx_file_info_t *fi);


/* the bytes of a byte order mark */
#define NGX_HTTP_WASSIIT_FILE_MARK  3

/*
 * Overwrites the byte order mark that a file may begin with by blanks, in what
 * data has of it: its first size bytes.  Returns how many it overwrote, or 0.
 */

static ngx_inline size_t
ngx_http_wassiit_file_unmark(u_char *data, size_t size)
{
    if (size < NGX_HTTP_WASSIIT_FILE_MARK
        || ngx_memcmp(data, "\xef\xbb\xbf", NGX_HTTP_WASSIIT_FILE_MARK) != 0)
    {
        return 0;
    }

    ngx_memset(data, ' ', NGX_HTTP_WASSIIT_FILE_MARK);

    return NGX_HTTP_WASSIIT_FILE_MARK;
}


#endif /* _NGX_HTTP_WASSIIT_FILE_H_INCLUDED_ */
