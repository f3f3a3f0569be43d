
/*
 * What those who share the partners know of their file: how far it is in
 * memory, and what a writer that dies leaves unfinished.  It lies in shared
 * memory; whoever writes it holds the file's lock.
 */


#ifndef _NGX_HTTP_WASSIIT_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_JOURNAL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    uint64_t                          dev;
    uint64_t                          ino;
    off_t                             size;     /* up to here it is in memory */
    uint32_t                          crc;      /* of the bytes before */
    uint32_t                          lines;    /* up to here */
    uint32_t                          due;      /* to compact at so many */
    int64_t                           mtime;    /* nanoseconds, at this size */
    int64_t                           ctime;    /* the same; 0: not known */

    /* a change that failed and is still in the file: if dead is set */
    uint64_t                          dead_dev;
    uint64_t                          dead_ino;
    off_t                             dead_from;
    off_t                             dead_to;

    u_char                            dead;
    u_char                            writing;  /* a line, or died in it */
    u_char                            foreign;  /* changed by someone else */
    u_char                            folder;   /* isn't on the disk yet */

    /* the file that is put in this one's place: if moving is set */
    uint64_t                          next_dev;
    uint64_t                          next_ino;
    off_t                             next_size;
    int64_t                           next_mtime;
    uint32_t                          next_crc;
    uint32_t                          next_lines;

    u_char                            moving;   /* lines, or died in it */
} ngx_http_wassiit_journal_t;


/*
 * A journal as it lies in shared memory, all of it zero at first.  A writer
 * that dies leaves the former journal or the new one in force.
 */

typedef struct {
    uint64_t                          version;  /* the lowest bit: which copy */
    ngx_http_wassiit_journal_t        copies[2];
} ngx_http_wassiit_journals_t;


/* a line that counts, and the partner it is of */

typedef struct {
    off_t                             offset;
    size_t                            len;      /* with its LF, if it has one */
    ngx_str_t                         id;       /* the partner's */
    void                             *owner;    /* the caller's */
} ngx_http_wassiit_span_t;


/*
 * Copies the journal in force to *journal, the caller's.  Takes no lock, and
 * a writer that is stopped or dead isn't waited for.
 */
void ngx_http_wassiit_journal_get(ngx_http_wassiit_journals_t *journals,
    ngx_http_wassiit_journal_t *journal);

/* Puts a copy of *journal in force; one process at a time may do so. */
void ngx_http_wassiit_journal_set(ngx_http_wassiit_journals_t *journals,
    ngx_http_wassiit_journal_t *journal);

/*
 * Marks the bytes of a file from "from" to before "to" as a change that
 * failed: they don't count, and are taken out by the next writer.
 */
void ngx_http_wassiit_journal_mark_dead(ngx_http_wassiit_journal_t *journal,
    uint64_t dev, uint64_t ino, off_t from, off_t to);

/*
 * Are bytes of this file marked as a change that failed, all of them within
 * its size?  Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_journal_is_dead(
    ngx_http_wassiit_journal_t *journal, uint64_t dev, uint64_t ino,
    off_t size);

/*
 * Is a writer adding a line or putting another file in this one's place, or
 * has it died in that?  Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_journal_is_open(
    ngx_http_wassiit_journal_t *journal);

/*
 * Ends the moving of lines to another file, whose writer has died.  Returns 1:
 * the file of these numbers is that one, and the journal is of it from now on;
 * 0: it is not, or none was moving.
 */
ngx_uint_t ngx_http_wassiit_journal_moved(ngx_http_wassiit_journal_t *journal,
    uint64_t dev, uint64_t ino);

/* Sorts n spans by their offsets. */
void ngx_http_wassiit_spans_sort(ngx_http_wassiit_span_t *spans, ngx_uint_t n);

/* Sets the offsets of n spans as if each followed the one before it, from 0. */
void ngx_http_wassiit_spans_pack(ngx_http_wassiit_span_t *spans, ngx_uint_t n);


#endif /* _NGX_HTTP_WASSIIT_JOURNAL_H_INCLUDED_ */
