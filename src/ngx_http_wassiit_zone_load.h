
/*
 * Loads all partners of a file into a zone: is there room for them, and how
 * large would the zone have to be?
 */


#ifndef _NGX_HTTP_WASSIIT_ZONE_LOAD_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ZONE_LOAD_H_INCLUDED_


#include "ngx_http_wassiit_mend.h"


/* how long a load waits in all for readers, and for another writer: ms */
#define ZONE_LOAD_PATIENCE      500
#define ZONE_RELOAD_PATIENCE    2000


/* how memory is divided: places, and the sizes of what has more than one */

typedef struct {
    uint32_t            slots;      /* of readers */
    uint32_t            epoch;
    uint32_t            keys;       /* words */
    uint32_t            key_words;
    uint32_t            ids;        /* words */
    uint32_t            id_words;
    uint32_t            lines;      /* their state */
    uint32_t            first;      /* the first of them */
    uint32_t            size;       /* their number */
} ngx_http_wassiit_zone_sizes_t;


/* Divides so many bytes, 16384 or more, from the beginning of a page on. */
void ngx_http_wassiit_zone_sizes(size_t bytes,
    ngx_http_wassiit_zone_sizes_t *sizes);


/* as many as an index of so many words takes: searches stay short */

static ngx_inline uint32_t
ngx_http_wassiit_zone_most(uint32_t words)
{
    return words / 8 * 7;
}


#endif /* _NGX_HTTP_WASSIIT_ZONE_LOAD_H_INCLUDED_ */
