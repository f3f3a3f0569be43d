
/*
 * One partner of a zone: what is planned for it is prepared beside what is in
 * force, and put in its place; or the partner is withdrawn.  For writers, who
 * have the zone's mutex.
 */


#ifndef _NGX_HTTP_WASSIIT_PARTNER_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_PARTNER_H_INCLUDED_


#include "ngx_http_wassiit_plan.h"


/*
 * Lays out what the plan says, which no reader sees yet.  Returns the place of
 * a profile, the former one if nothing is new; 0: there is no room.
 */
uint32_t ngx_http_wassiit_partner_prepare(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan);

/* Gives back what was prepared and isn't put in force. */
void ngx_http_wassiit_partner_discard(ngx_http_wassiit_zone_t *zone,
    uint32_t profile, uint32_t former);

/*
 * Puts a profile that was prepared in force; keys that the partner had, and has
 * no more, still work.  finish takes them away, and gives back all that the
 * former profile had for itself; former is 0 if there was none.
 */
void ngx_http_wassiit_partner_publish(ngx_http_wassiit_zone_t *zone,
    uint32_t profile, uint32_t former);
void ngx_http_wassiit_partner_finish(ngx_http_wassiit_zone_t *zone,
    uint32_t profile, uint32_t former);

/*
 * Where there is no room to prepare a plan that allows it: changes the partner
 * as it lies there.
 */
void ngx_http_wassiit_partner_amend(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan);

/* Takes a key out of the index, if the word leads to this place. */
void ngx_http_wassiit_partner_remove_key(ngx_http_wassiit_zone_sh_t *sh,
    uint32_t place);

/* Notes where the record's line lies in the file. */
void ngx_http_wassiit_partner_set_span(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t profile);

/* All three at once, for one change. */
void ngx_http_wassiit_partner_replace(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_record_t *rec, uint32_t profile, uint32_t former);

/* Logs that there is none, and takes the partner, if it has one, out. */
void ngx_http_wassiit_partner_no_room(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_plan_t *plan, ngx_log_t *log);

/* Takes a partner out of the zone. */
void ngx_http_wassiit_partner_withdraw(ngx_http_wassiit_zone_t *zone,
    uint32_t profile);

/* of a line's place in the file: the bits of its length */
#define PARTNER_SPAN_BITS       20


static ngx_inline uint64_t
ngx_http_wassiit_partner_span(off_t offset, size_t len)
{
    return (uint64_t) offset << PARTNER_SPAN_BITS | len;
}


#endif /* _NGX_HTTP_WASSIIT_PARTNER_H_INCLUDED_ */
