
/*
 * What a writer that died has left of a change: each change brings it to its
 * end first.
 */


#ifndef _NGX_HTTP_WASSIIT_RECOVER_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_RECOVER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_zone.h"


/* a line that is read, and the one that is written */
#define NGX_HTTP_WASSIIT_WORK_PARSED                                         \
    NGX_HTTP_WASSIIT_PARSE_SIZE(2, 2 * NGX_HTTP_WASSIIT_LINE)


/*
 * What a change works with: the open file, what is known of it, and memory for
 * lines; one block, whose secrets the change wipes in the end.
 */

typedef struct {
    ngx_http_wassiit_zone_t      *zone;
    ngx_http_wassiit_file_t       file;     /* open to write */
    ngx_http_wassiit_journal_t    known;    /* what journal points to */
    ngx_http_wassiit_journal_t   *journal;
    ngx_http_wassiit_parse_t      parse;    /* its memory is parsed[] */
    ngx_http_wassiit_arena_t      arena;    /* its memory is values[] */
    ngx_http_wassiit_span_t       span;     /* of the line, if len is set */
    size_t                        former;   /* bytes of it, if it counts, */
    uint64_t                      tag;      /* and the tag of what it says */
    uint64_t                      rev;      /* of the line, if it is known */
    size_t                        len;      /* of text */
    size_t                        wipe;     /* the most that was in line */
    u_char                        line[NGX_HTTP_WASSIIT_LINE + 1];
                                            /* the partner's, as it is */
    u_char                        text[NGX_HTTP_WASSIIT_LINE + 1];
                                            /* as it will be */
    u_char                        values[NGX_HTTP_WASSIIT_LINE_ARENA]
                                      __attribute__((aligned(NGX_ALIGNMENT)));
    u_char                        parsed[NGX_HTTP_WASSIIT_WORK_PARSED]
                                      __attribute__((aligned(NGX_ALIGNMENT)));
} ngx_http_wassiit_work_t;


/*
 * Compares the file with its journal, and brings to its end what a writer that
 * died has left: a change that failed, a line, a compacted file.  Returns
 * NGX_OK: the zone knows what the file contains, and where; NGX_DECLINED: it
 * doesn't, and the journal says so; NGX_AGAIN: the zone has no room yet for
 * what was left; NGX_ERROR, which is logged.  After the last two, the next
 * change finds the same.  work->line is overwritten, work->wipe set.
 */
ngx_int_t ngx_http_wassiit_recover(ngx_http_wassiit_work_t *work);


#endif /* _NGX_HTTP_WASSIIT_RECOVER_H_INCLUDED_ */
