
/* What a configuration loads: the partners' file, whole. */


#ifndef _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_file.h"


/* the most parts that a file is parsed in */
#define NGX_HTTP_WASSIIT_STORE_PARTS  4


typedef struct {
    ngx_http_wassiit_file_t           file;
    ngx_http_wassiit_journal_t        journal;
    ngx_shm_t                         parts[NGX_HTTP_WASSIIT_STORE_PARTS];
    ngx_uint_t                        partners;
    ngx_uint_t                        keys;     /* no fewer than there are */
    ngx_http_wassiit_record_t        *records;  /* by id, deleted ones too */
    ngx_uint_t                        untouched;  /* all that was written was
                                                     by the zone's processes */
    ngx_uint_t                        unchanged;  /* no record was read, as all
                                                   are known */
} ngx_http_wassiit_store_t;


/* how to load a file, and what all files of one configuration share */

typedef struct {
    const ngx_wassiit_scopes_t       *scopes;
    uid_t                             user;     /* the workers' */
    gid_t                             group;    /* NGX_CONF_UNSET_UINT: user's
                                                   own */
    ngx_msec_t                        waited;   /* for locks, all together */
    ngx_http_wassiit_journals_t      *former;   /* or NULL */
    ngx_http_wassiit_journals_t      *loaded;   /* all that it tells of is in
                                                   force; or NULL */
    ngx_uint_t                        partners; /* as many are in force */
    ngx_uint_t                        write;    /* open it for settle() */
} ngx_http_wassiit_load_t;


/*
 * Reads the whole file.  Returns the store, which holds the file's lock and
 * which the caller destroys with all that it points to; or NULL when the
 * file can't be read, is refused or has a bad line, which is then logged at
 * "emerg" as "file:line: field: reason".  No secret and no part of one is ever
 * logged.  With load->write set, the file is opened for settle() if it may be.
 * A last line that was never written to its end is left out, with a warning;
 * so is what load->former tells of the file as dead.  All of it is on the disk
 * then, unless this is a test of the configuration.
 *
 * Nothing is read, and store->unchanged set, if by load->loaded the file is as
 * it was when it was loaded, and has a line for each partner and no other.
 */
ngx_http_wassiit_store_t *ngx_http_wassiit_store_load(ngx_str_t *file,
    ngx_http_wassiit_load_t *load, ngx_log_t *log);

/*
 * Makes the file one that workers can change: cuts off the line that was left
 * out, gives the file to the user uid (-1: to none) with mode 0600, and takes
 * out lines that count no more.  What fails is logged, and nothing is lost.
 */
void ngx_http_wassiit_store_settle(ngx_http_wassiit_store_t *store,
    uid_t uid);

void ngx_http_wassiit_store_destroy(ngx_http_wassiit_store_t *store);


#endif /* _NGX_HTTP_WASSIIT_STORE_H_INCLUDED_ */
