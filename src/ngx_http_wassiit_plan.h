
/*
 * What a line of the file makes of a partner: what has to be laid out for it,
 * and what may stay.  For writers, who have the zone's mutex.
 */


#ifndef _NGX_HTTP_WASSIIT_PLAN_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_PLAN_H_INCLUDED_


#include "ngx_http_wassiit_room.h"


/* what has to be laid out for a partner, and what stays as it is */

typedef struct {
    ngx_http_wassiit_record_t    *rec;
    uint32_t                      former;   /* its profile now, or 0 */
    uint32_t                      line;     /* that stays, or 0 */
    uint32_t                      cells;    /* of a new window's ring */
    uint32_t                      most;
    ngx_uint_t                    wide;     /* that ring */
    uint32_t                      secrets;  /* that stay, or 0 */
    uint32_t                      keys[NGX_HTTP_WASSIIT_KEYS];
                                            /* that stay, or 0 */
    uint32_t                      profile_lines;
    uint32_t                      lines;    /* all that has to be taken */
    ngx_uint_t                    new_keys; /* words that the index needs */
    unsigned                      optional:1;  /* the window may stay, too */
    unsigned                      same:1;   /* nothing is new but the span */
    unsigned                      amendable:1;  /* it takes no room at all */
} ngx_http_wassiit_plan_t;


/* Returns the place of the profile of the record's partner; 0: it has none. */
uint32_t ngx_http_wassiit_plan_lookup(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec);

/* Sets *plan to what makes the partner be as the record says. */
void ngx_http_wassiit_plan_make(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t former,
    ngx_http_wassiit_plan_t *plan);

/*
 * Tries a plan on a copy of the lines' state: takes what it needs, or frees
 * what is not needed any more once it is carried out, without a plan all of the
 * partner.  try returns NGX_OK; NGX_DECLINED: there is no room.
 */
ngx_int_t ngx_http_wassiit_plan_try(ngx_wassiit_lines_t *lines,
    ngx_http_wassiit_plan_t *plan);
void ngx_http_wassiit_plan_try_free(ngx_http_wassiit_zone_t *zone,
    ngx_wassiit_lines_t *lines, uint32_t former,
    ngx_http_wassiit_plan_t *plan);

/*
 * Does a key that is made of "from" in the place of this one work before it was
 * created, too?  Returns 1 or 0.
 */
ngx_uint_t ngx_http_wassiit_plan_made(ngx_http_wassiit_zone_key_t *key,
    ngx_http_wassiit_key_t *from);


static ngx_inline const ngx_wassiit_rate_t *
ngx_http_wassiit_plan_rate(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec)
{
    return rec->rate.limit ? &rec->rate : &zone->rate;
}


static ngx_inline size_t
ngx_http_wassiit_plan_names(ngx_http_wassiit_record_t *rec, ngx_uint_t i)
{
    return rec->id.len + rec->keys[i].id.len + rec->name.len;
}


/* Seconds as a request compares them: any time up to the year 2106. */

static ngx_inline uint32_t
ngx_http_wassiit_plan_seconds(int64_t seconds)
{
    return ngx_min(ngx_max(seconds, 0), (int64_t) ZONE_NEVER);
}


static ngx_inline u_char
ngx_http_wassiit_plan_flags(ngx_http_wassiit_record_t *rec)
{
    u_char  flags;

    flags = rec->enabled ? ZONE_ENABLED : 0;
    flags |= rec->rate.limit ? ZONE_RATE : 0;

    if (rec->secrets) {
        flags |= rec->secrets->has_hmac ? ZONE_HMAC : 0;
        flags |= rec->secrets->has_webhook ? ZONE_WEBHOOK : 0;
    }

    return flags;
}


/* Is the key at this place one of the profile's? */

static ngx_inline ngx_uint_t
ngx_http_wassiit_profile_has(ngx_http_wassiit_profile_t *profile,
    uint32_t place)
{
    uint32_t    *keys;
    ngx_uint_t   i;

    keys = ngx_http_wassiit_zone_keys(profile);

    for (i = 0; i < profile->nkeys; i++) {
        if (keys[i] == place) {
            return 1;
        }
    }

    return 0;
}


/* The record's key with this digest, or NULL. */

static ngx_inline ngx_http_wassiit_key_t *
ngx_http_wassiit_plan_key(ngx_http_wassiit_record_t *rec, u_char *digest)
{
    ngx_uint_t  i;

    for (i = 0; i < rec->nkeys; i++) {
        if (ngx_http_wassiit_zone_same(rec->keys[i].digest, digest)) {
            return &rec->keys[i];
        }
    }

    return NULL;
}


#endif /* _NGX_HTTP_WASSIIT_PLAN_H_INCLUDED_ */
