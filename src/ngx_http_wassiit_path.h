
/*
 * The way to a file, by descriptors: what was looked at is what is opened.
 *
 * A folder is loose if others than root and this process's own user may write
 * to it, whatever their reasons (a sticky one, too), unless it is mounted
 * read-only.  In a loose folder, anyone may have made anything: no link is
 * followed there, and a file has to be a plain one of that name alone.
 */


#ifndef _NGX_HTTP_WASSIIT_PATH_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_PATH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* where a file lies itself, links having been followed */

typedef struct {
    ngx_fd_t          folder;           /* O_PATH; NGX_INVALID_FILE: closed */
    ngx_uint_t        loose;            /* is the folder? */
    ngx_uint_t        anyone;           /* may rename what is in it? */
    const char       *fault;            /* why the file is refused */
    char              name[NAME_MAX + 1];   /* in the folder; or at fault */
} ngx_http_wassiit_path_t;


/*
 * Goes to the folder of a file, whose name ends with a zero.  Returns NGX_OK,
 * and the caller closes path; NGX_ERROR, and ngx_errno tells why; NGX_DECLINED:
 * a link is in the way that anyone may have made, and path tells which.
 */
ngx_int_t ngx_http_wassiit_path_walk(ngx_http_wassiit_path_t *path,
    ngx_str_t *file);
void ngx_http_wassiit_path_close(ngx_http_wassiit_path_t *path);

/*
 * Goes to a file and opens it with these flags of open(), which don't make one;
 * sets what fstat() tells of it.  In a loose folder it must belong to root or
 * to the user, if this process is root's.  Returns NGX_OK, and the caller
 * closes path and *fd; NGX_ERROR, and ngx_errno tells why (NGX_EAGAIN: someone
 * puts one after another in its place); NGX_DECLINED: it is refused, and path
 * tells why.
 */
ngx_int_t ngx_http_wassiit_path_open(ngx_http_wassiit_path_t *path,
    ngx_str_t *file, int flags, uid_t user, ngx_fd_t *fd, ngx_file_info_t *fi);

/* Is what path leads to the file that fi tells of? */
ngx_uint_t ngx_http_wassiit_path_leads(ngx_http_wassiit_path_t *path,
    ngx_file_info_t *fi);

/*
 * May the file be written, if it is opened for that?  If not, ngx_errno tells
 * why; yes, too, if nobody knows, as it isn't found.
 */
ngx_uint_t ngx_http_wassiit_path_writable(ngx_str_t *file);

/*
 * May this user come to the folder of the file?  A process of its own tries, as
 * that user and in all of its groups; the first is the user's own if it is
 * NGX_CONF_UNSET_UINT.  Yes, too, if nobody knows.
 */
ngx_uint_t ngx_http_wassiit_path_reachable(ngx_str_t *file, uid_t user,
    gid_t group);

/*
 * Warns of a folder that the opened file lies in, if anyone may put a file of
 * root's or the workers', as a backup is, in place of this one.
 */
void ngx_http_wassiit_path_warn(ngx_http_wassiit_path_t *path, ngx_log_t *log);

/* Logs why the file couldn't be opened, as rc, ngx_errno and path tell it. */
void ngx_http_wassiit_path_log(ngx_http_wassiit_path_t *path, ngx_int_t rc,
    ngx_str_t *file, ngx_uint_t level, ngx_log_t *log);

/*
 * The same, of the partners' file, which may be yet to be made, or belong to
 * another user than the workers'.
 */
void ngx_http_wassiit_path_log_partners(ngx_http_wassiit_path_t *path,
    ngx_int_t rc, ngx_str_t *file, ngx_uint_t level, ngx_log_t *log);

/*
 * The same at "emerg", of a file of secrets: maker is the command that prints
 * one; NULL: nobody makes it here.
 */
void ngx_http_wassiit_path_log_secret(ngx_http_wassiit_path_t *path,
    ngx_int_t rc, ngx_str_t *file, const char *maker, ngx_log_t *log);


#endif /* _NGX_HTTP_WASSIIT_PATH_H_INCLUDED_ */
