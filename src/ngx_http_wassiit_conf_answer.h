
/* Directives that answer by themselves, and what each needs in its location. */


#ifndef _NGX_HTTP_WASSIIT_CONF_ANSWER_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_ANSWER_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* the directive that answers in a location, and where it is written */

struct ngx_http_wassiit_answer_s {
    ngx_str_t                      directive;
    ngx_http_handler_pt            handler;     /* of the content */
    u_char                        *conf_file;
    ngx_uint_t                     conf_line;
};


/* The setters of wassiit_problem, wassiit_admin and wassiit_status. */
char *ngx_http_wassiit_set_problem(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_wassiit_set_admin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_wassiit_set_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * No other directive may answer in the location.  The admin endpoint and status
 * must be guarded by access, and not by their own partners alone; the endpoint
 * by nothing in place of it.  They go on into "if" and "limit_except", which
 * have no name.  Returns NGX_CONF_OK; NGX_CONF_ERROR, which is logged.
 */
char *ngx_http_wassiit_merge_answer(ngx_conf_t *cf,
    ngx_http_wassiit_loc_conf_t *prev, ngx_http_wassiit_loc_conf_t *conf);


#endif /* _NGX_HTTP_WASSIIT_CONF_ANSWER_H_INCLUDED_ */
