
/*
 * Room in a zone's memory: extents are taken, and given back when no reader can
 * look at them any more.  For writers, who have the zone's mutex.
 */


#ifndef _NGX_HTTP_WASSIIT_ROOM_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ROOM_H_INCLUDED_


#include "ngx_http_wassiit_zone_sh.h"


/*
 * Takes n lines of a kind, filled with zeros.  Waits for readers that may still
 * look at the room that is left, zone->patience milliseconds at most.  Returns
 * a place; 0: there is no room, or, if zone->swept is set by this, all that
 * can't be reached is free now: also what the caller has taken for the same
 * purpose, who begins anew.
 */
uint32_t ngx_http_wassiit_room_alloc(ngx_http_wassiit_zone_t *zone,
    ngx_uint_t kind, uint32_t n);

/*
 * Takes a ring of "most" cells if there is room at once, else of fewer, but no
 * fewer than "cells", and waits for that as above.  Returns NGX_OK, or
 * NGX_DECLINED: there is no room, or, as above, all is free.
 */
ngx_int_t ngx_http_wassiit_room_alloc_ring(ngx_http_wassiit_zone_t *zone,
    uint32_t cells, uint32_t most, ngx_uint_t wide, ngx_wassiit_ring_t *ring);

/* Gives back what no reader has ever seen: it may be used at once. */
void ngx_http_wassiit_room_free(ngx_http_wassiit_zone_t *zone, uint32_t place,
    uint32_t n);
void ngx_http_wassiit_room_free_ring(ngx_http_wassiit_zone_t *zone,
    const ngx_wassiit_ring_t *ring);

/*
 * Gives back what can't be reached any more, as soon as no reader looks at it.
 * What is secret is wiped then.
 */
void ngx_http_wassiit_room_retire(ngx_http_wassiit_zone_t *zone,
    uint32_t place, uint32_t n, ngx_uint_t secret);
void ngx_http_wassiit_room_retire_ring(ngx_http_wassiit_zone_t *zone,
    const ngx_wassiit_ring_t *ring);

/*
 * Makes room of what was given back, and waits for readers as above.  Returns
 * NGX_OK: there is more than before; NGX_DONE: all that can't be reached is
 * free, and zone->swept is set; NGX_DECLINED: there is no more.
 */
ngx_int_t ngx_http_wassiit_room_reclaim(ngx_http_wassiit_zone_t *zone);

/* The lines that were given back, and aren't free yet. */
uint32_t ngx_http_wassiit_room_pending(ngx_http_wassiit_zone_t *zone);

/* Says that extents were lost: a sweep finds them, when it is needed. */
void ngx_http_wassiit_room_lost(ngx_http_wassiit_zone_t *zone);

/* Makes room whole again after a writer's death. */
void ngx_http_wassiit_room_mend(ngx_http_wassiit_zone_t *zone);


/* The lines of each kind of extent. */

static ngx_inline uint32_t
ngx_http_wassiit_room_key_lines(size_t names)
{
    return ngx_wassiit_lines_for(sizeof(ngx_http_wassiit_zone_key_t) + names);
}


static ngx_inline uint32_t
ngx_http_wassiit_room_profile_lines(ngx_uint_t words, size_t names)
{
    return ngx_wassiit_lines_for(sizeof(ngx_http_wassiit_profile_t)
                                 + words * sizeof(uint32_t) + names);
}


static ngx_inline uint32_t
ngx_http_wassiit_room_secrets_lines(const ngx_http_wassiit_secrets_t *secrets)
{
    return ngx_wassiit_lines_for(ngx_http_wassiit_record_secrets_size(secrets));
}


/* The same of those that lie at this place. */

static ngx_inline uint32_t
ngx_http_wassiit_room_secrets_size(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place)
{
    return ngx_http_wassiit_room_secrets_lines(
                                         ngx_http_wassiit_zone_at(sh, place));
}


static ngx_inline uint32_t
ngx_http_wassiit_room_key_size(ngx_http_wassiit_zone_key_t *key)
{
    return ngx_http_wassiit_room_key_lines((size_t) key->id_len
                                           + key->key_id_len + key->name_len);
}


static ngx_inline uint32_t
ngx_http_wassiit_room_profile_size(ngx_http_wassiit_profile_t *profile)
{
    return ngx_http_wassiit_room_profile_lines((ngx_uint_t) profile->levels
                                               + profile->nkeys,
                                               (size_t) profile->id_len
                                               + profile->name_len);
}


#endif /* _NGX_HTTP_WASSIIT_ROOM_H_INCLUDED_ */
