
#include "ngx_http_wassiit_room.h"


static ngx_uint_t ngx_http_wassiit_room_return(ngx_http_wassiit_zone_t *zone,
    uint64_t passed);
static uint64_t ngx_http_wassiit_room_wait(ngx_http_wassiit_zone_t *zone,
    uint64_t stamp);
static void ngx_http_wassiit_room_sweep(ngx_http_wassiit_zone_t *zone);
static void ngx_http_wassiit_room_instead(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place, uint32_t n);
static void ngx_http_wassiit_room_mark(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place);
static void ngx_http_wassiit_room_mark_line(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place);
static void ngx_http_wassiit_room_wipe(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place, uint32_t n);


uint32_t
ngx_http_wassiit_room_alloc(ngx_http_wassiit_zone_t *zone, ngx_uint_t kind,
    uint32_t n)
{
    uint32_t                     place;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    for ( ;; ) {
        place = sh->torn ? 0
                         : ngx_wassiit_lines_alloc(
                               ngx_http_wassiit_zone_lines(sh), kind, n);

        if (place) {
            ngx_memzero(ngx_http_wassiit_zone_at(sh, place),
                        n * NGX_WASSIIT_LINE);
            return place;
        }

        if (ngx_http_wassiit_room_reclaim(zone) != NGX_OK) {
            return 0;
        }
    }
}


ngx_int_t
ngx_http_wassiit_room_alloc_ring(ngx_http_wassiit_zone_t *zone,
    uint32_t cells, uint32_t most, ngx_uint_t wide, ngx_wassiit_ring_t *ring)
{
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    for ( ;; ) {
        if (!sh->torn
            && ngx_wassiit_ring_alloc(ngx_http_wassiit_zone_lines(sh),
                                      ZONE_RINGS, (u_char *) sh, most, wide,
                                      ring)
               == NGX_OK)
        {
            return NGX_OK;
        }

        if (most > cells) {
            /* what readers may be at isn't worth waiting for, for that */
            (void) ngx_http_wassiit_room_return(zone,
                                       ngx_http_wassiit_room_wait(zone, 0));
            most = cells;
            continue;
        }

        if (ngx_http_wassiit_room_reclaim(zone) != NGX_OK) {
            return NGX_DECLINED;
        }
    }
}


void
ngx_http_wassiit_room_free(ngx_http_wassiit_zone_t *zone, uint32_t place,
    uint32_t n)
{
    if (zone->sh->torn) {
        /* a sweep finds it */
        return;
    }

    (void) ngx_wassiit_lines_free(ngx_http_wassiit_zone_lines(zone->sh), place,
                                  n);
}


void
ngx_http_wassiit_room_free_ring(ngx_http_wassiit_zone_t *zone,
    const ngx_wassiit_ring_t *ring)
{
    uint32_t    place, n;
    ngx_uint_t  i;

    for (i = 0;
         ngx_wassiit_ring_extent((u_char *) zone->sh, ring, i, &place, &n)
         == NGX_OK;
         i++)
    {
        ngx_http_wassiit_room_free(zone, place, n);
    }
}


void
ngx_http_wassiit_room_retire(ngx_http_wassiit_zone_t *zone, uint32_t place,
    uint32_t n, ngx_uint_t secret)
{
    ngx_http_wassiit_retired_t  *retired;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (sh->torn) {
        ngx_http_wassiit_room_lost(zone);
        return;
    }

    if (sh->newest - sh->oldest == ZONE_RETIRED
        && !ngx_http_wassiit_room_return(zone,
                                         ngx_http_wassiit_room_wait(zone, 0)))
    {
        ngx_http_wassiit_room_lost(zone);

        if (secret) {
            ngx_http_wassiit_room_instead(sh, place, n);
        }

        return;
    }

    retired = &sh->retired[sh->newest % ZONE_RETIRED];

    retired->stamp = ngx_wassiit_epoch_stamp(ngx_http_wassiit_zone_epoch(sh));
    retired->place = place;
    retired->lines = n | (secret ? ZONE_SECRET : 0);

    /* a sweep looks at those before this one */
    store(&sh->newest, sh->newest + 1);
}


/* A secret that isn't noted would not be wiped: another extent is lost. */

static void
ngx_http_wassiit_room_instead(ngx_http_wassiit_zone_sh_t *sh, uint32_t place,
    uint32_t n)
{
    uint32_t                     i;
    ngx_http_wassiit_retired_t  *retired;

    for (i = sh->newest; i != sh->oldest; i--) {
        retired = &sh->retired[(i - 1) % ZONE_RETIRED];

        if (retired->lines & ZONE_SECRET) {
            continue;
        }

        /* who dies in this leaves an entry of no lines */

        store(&retired->lines, 0);
        store(&retired->stamp, sh->unswept);
        store(&retired->place, place);
        store(&retired->lines, n | ZONE_SECRET);
        return;
    }
}


void
ngx_http_wassiit_room_retire_ring(ngx_http_wassiit_zone_t *zone,
    const ngx_wassiit_ring_t *ring)
{
    uint32_t    place, n;
    ngx_uint_t  i;

    /* the table stays as it is until it is used again */

    for (i = 0;
         ngx_wassiit_ring_extent((u_char *) zone->sh, ring, i, &place, &n)
         == NGX_OK;
         i++)
    {
        ngx_http_wassiit_room_retire(zone, place, n, 0);
    }
}


ngx_int_t
ngx_http_wassiit_room_reclaim(ngx_http_wassiit_zone_t *zone)
{
    uint64_t                     passed, stamp;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (sh->newest == sh->oldest && sh->unswept == 0) {
        return NGX_DECLINED;
    }

    passed = ngx_http_wassiit_room_wait(zone, 0);

    if (ngx_http_wassiit_room_return(zone, passed)) {
        return NGX_OK;
    }

    stamp = sh->unswept;

    if (sh->newest != sh->oldest) {
        stamp = ngx_max(stamp, sh->retired[(sh->newest - 1)
                                           % ZONE_RETIRED].stamp);
    }

    passed = ngx_http_wassiit_room_wait(zone, stamp);

    if (ngx_http_wassiit_room_return(zone, passed)) {
        return NGX_OK;
    }

    if (sh->unswept && sh->unswept <= passed && !zone->loading) {
        ngx_http_wassiit_room_sweep(zone);
        zone->swept = 1;
        return NGX_DONE;
    }

    return NGX_DECLINED;
}


/* Frees extents that were retired up to the stamp.  Returns their number. */

static ngx_uint_t
ngx_http_wassiit_room_return(ngx_http_wassiit_zone_t *zone, uint64_t passed)
{
    uint32_t                     lines;
    ngx_uint_t                   n;
    ngx_http_wassiit_retired_t  *retired;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (sh->torn) {
        return 0;
    }

    for (n = 0; sh->oldest != sh->newest; n++) {
        retired = &sh->retired[sh->oldest % ZONE_RETIRED];

        if (retired->stamp > passed) {
            break;
        }

        lines = retired->lines & ~ZONE_SECRET;

        if (retired->lines & ZONE_SECRET) {
            ngx_http_wassiit_room_wipe(sh, retired->place, lines);
        }

        /* if we die between these two, a sweep finds it */

        store(&sh->oldest, sh->oldest + 1);

        if (lines) {
            (void) ngx_wassiit_lines_free(ngx_http_wassiit_zone_lines(sh),
                                          retired->place, lines);
        }
    }

    return n;
}


/*
 * Returns the stamp up to which no reader looks at what was retired; waits
 * until that is "stamp", or above, as long as there is patience left.
 */

static uint64_t
ngx_http_wassiit_room_wait(ngx_http_wassiit_zone_t *zone, uint64_t stamp)
{
    uint64_t              start, spent, passed;
    ngx_wassiit_epoch_t  *epoch;

    epoch = ngx_http_wassiit_zone_epoch(zone->sh);

    if (stamp == 0) {
        return ngx_wassiit_epoch_passed(epoch);
    }

    start = ngx_wassiit_robust_now();

    passed = ngx_wassiit_epoch_wait(epoch, stamp, zone->patience);

    spent = ngx_wassiit_robust_now() - start;
    zone->patience -= ngx_min(zone->patience, spent);

    return passed;
}


uint32_t
ngx_http_wassiit_room_pending(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                     n, i;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;

    if (sh->unswept) {
        /* as many as there are, for all we know */
        return ngx_http_wassiit_zone_lines(sh)->size;
    }

    for (n = 0, i = sh->oldest; i != sh->newest; i++) {
        n += sh->retired[i % ZONE_RETIRED].lines & ~ZONE_SECRET;
    }

    return n;
}


void
ngx_http_wassiit_room_lost(ngx_http_wassiit_zone_t *zone)
{
    store(&zone->sh->unswept,
          ngx_wassiit_epoch_stamp(ngx_http_wassiit_zone_epoch(zone->sh)));
}


void
ngx_http_wassiit_room_mend(ngx_http_wassiit_zone_t *zone)
{
    /* a sweep that was begun is begun anew, when there is need of room */

    if (!zone->sh->torn) {
        (void) ngx_wassiit_lines_count(ngx_http_wassiit_zone_lines(zone->sh));
    }

    ngx_http_wassiit_room_lost(zone);
}


/*
 * Frees all that can't be reached.  By now no reader looks at what was lost;
 * what was retired since stays taken.
 */

static void
ngx_http_wassiit_room_sweep(ngx_http_wassiit_zone_t *zone)
{
    uint32_t                     place, at, i;
    ngx_wassiit_lines_t         *lines;
    ngx_http_wassiit_retired_t  *retired;
    ngx_http_wassiit_zone_sh_t  *sh;

    sh = zone->sh;
    lines = ngx_http_wassiit_zone_lines(sh);

    /* who dies in this leaves lines that aren't whole */
    store(&sh->torn, 1);

    ngx_wassiit_lines_clear(lines);

    at = 0;

    for ( ;; ) {
        place = ngx_http_wassiit_zone_each_profile(sh, &at);

        if (place == 0) {
            break;
        }

        ngx_http_wassiit_room_mark(sh, place);
    }

    if (sh->prepared) {
        ngx_http_wassiit_room_mark(sh, sh->prepared);
    }

    for (i = sh->oldest; i != sh->newest; i++) {
        retired = &sh->retired[i % ZONE_RETIRED];

        if (retired->lines) {
            (void) ngx_wassiit_lines_mark(lines, retired->place,
                                          retired->lines & ~ZONE_SECRET);
        }
    }

    (void) ngx_wassiit_lines_count(lines);

    store(&sh->unswept, 0);
    store(&sh->torn, 0);
}


/* Marks a profile and all that it leads to. */

static void
ngx_http_wassiit_room_mark(ngx_http_wassiit_zone_sh_t *sh, uint32_t place)
{
    uint32_t                     *keys;
    ngx_uint_t                    i;
    ngx_wassiit_lines_t          *lines;
    ngx_http_wassiit_profile_t   *profile;
    ngx_http_wassiit_zone_key_t  *key;

    lines = ngx_http_wassiit_zone_lines(sh);
    profile = ngx_http_wassiit_zone_at(sh, place);

    (void) ngx_wassiit_lines_mark(lines, place,
                                  ngx_http_wassiit_room_profile_size(profile));

    keys = ngx_http_wassiit_zone_keys(profile);

    for (i = 0; i < profile->nkeys; i++) {
        if (keys[i] == 0) {
            continue;
        }

        key = ngx_http_wassiit_zone_at(sh, keys[i]);

        /* one that two profiles share is marked once */
        (void) ngx_wassiit_lines_mark(lines, keys[i],
                                      ngx_http_wassiit_room_key_size(key));
    }

    if (profile->secrets) {
        (void) ngx_wassiit_lines_mark(lines, profile->secrets,
                                      ngx_http_wassiit_room_secrets_size(sh,
                                                          profile->secrets));
    }

    ngx_http_wassiit_room_mark_line(sh, profile->partner);
}


/* The same of a partner's line and its ring, and of those it takes over. */

static void
ngx_http_wassiit_room_mark_line(ngx_http_wassiit_zone_sh_t *sh, uint32_t place)
{
    uint32_t                       at, n;
    ngx_uint_t                     i;
    ngx_wassiit_lines_t           *lines;
    ngx_http_wassiit_zone_line_t  *line;

    lines = ngx_http_wassiit_zone_lines(sh);

    while (place) {
        if (ngx_wassiit_lines_mark(lines, place, 1) != NGX_OK) {
            return;
        }

        line = ngx_http_wassiit_zone_at(sh, place);

        for (i = 0;
             ngx_wassiit_ring_extent((u_char *) sh, &line->window.ring, i, &at,
                                     &n)
             == NGX_OK;
             i++)
        {
            (void) ngx_wassiit_lines_mark(lines, at, n);
        }

        place = line->window.from;
    }
}


static void
ngx_http_wassiit_room_wipe(ngx_http_wassiit_zone_sh_t *sh, uint32_t place,
    uint32_t n)
{
    ngx_explicit_memzero(ngx_http_wassiit_zone_at(sh, place),
                         n * NGX_WASSIIT_LINE);
}
