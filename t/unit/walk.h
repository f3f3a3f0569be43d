
/* A walk through a zone's partners, one at a time. */


#ifndef _UNIT_WALK_H_INCLUDED_
#define _UNIT_WALK_H_INCLUDED_


#include "ngx_http_wassiit_zone.h"


static ngx_inline ngx_int_t
unit_walk_met(ngx_http_wassiit_info_t *info, void *data)
{
    ngx_http_wassiit_info_t  *met = data;

    *met = *info;

    return NGX_OK;
}


/*
 * The first partner whose id comes after this one.  Returns NGX_OK and fills
 * info; NGX_DECLINED: there is none.
 */

static ngx_inline ngx_int_t
unit_walk_after(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    info->id_len = 0;

    (void) ngx_http_wassiit_zone_walk(zone, id, 1, unit_walk_met, info);

    return info->id_len ? NGX_OK : NGX_DECLINED;
}


#endif /* _UNIT_WALK_H_INCLUDED_ */
