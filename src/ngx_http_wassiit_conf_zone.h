
/*
 * The zones of a configuration: declared, read with their partners, and loaded
 * when nothing makes the configuration fail any more.
 */


#ifndef _NGX_HTTP_WASSIIT_CONF_ZONE_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_CONF_ZONE_H_INCLUDED_


#include "ngx_http_wassiit.h"


/* The setter of wassiit_zone. */
char *ngx_http_wassiit_set_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * The zone of this name: one for all that name it, wherever it is declared.
 * NULL: memory is short.
 */
ngx_http_wassiit_zone_t *ngx_http_wassiit_get_zone(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_str_t *name);

/*
 * Gives all zones their memory, and reads their files.  Returns NGX_OK, or
 * NGX_ERROR, which is then logged: a zone was never declared, its file is
 * refused, or the partners in it have no room.
 */
ngx_int_t ngx_http_wassiit_read_zones(ngx_conf_t *cf,
    ngx_http_wassiit_main_conf_t *wmcf);

/*
 * Has the zones take what was read.  To be called when nothing makes the
 * configuration fail any more.
 */
void ngx_http_wassiit_load_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf);

/*
 * In a program's first configuration: lets go of what of an earlier program's
 * memory isn't used.  wmcf is NULL if nothing of ours is configured; else
 * ngx_http_wassiit_load_zones() does it.
 */
void ngx_http_wassiit_drop_inherited(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf);

/*
 * Keeps the zones' memory from programs that this process, which is not the
 * master, executes.
 */
void ngx_http_wassiit_seclude_zones(ngx_http_wassiit_main_conf_t *wmcf);

/*
 * Makes a worker a reader of all zones: what it reads of one in a turn of the
 * event loop stays as it is to the end of that turn.  Returns NGX_OK, or
 * NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_join_zones(ngx_cycle_t *cycle,
    ngx_http_wassiit_main_conf_t *wmcf);

/* What the configuration that runs has; NULL: it has nothing of ours. */
ngx_http_wassiit_main_conf_t *ngx_http_wassiit_former(ngx_cycle_t *cycle);

/* The workers' user; nginx's default, if "user" comes after "http". */
uid_t ngx_http_wassiit_user(ngx_cycle_t *cycle);


#endif /* _NGX_HTTP_WASSIIT_CONF_ZONE_H_INCLUDED_ */
