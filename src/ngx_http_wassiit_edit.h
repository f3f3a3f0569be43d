
/* What a change makes of a partner's line: from the former text to the new. */


#ifndef _NGX_HTTP_WASSIIT_EDIT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_EDIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_change.h"


/*
 * Writes to text, which has room for NGX_HTTP_WASSIIT_LINE bytes, the line that
 * the change makes of the former one, of so many bytes, 0: the partner has none
 * that counts.  Neither has an LF.  A key or a secret that is made is left in
 * change->made.  Returns NGX_HTTP_WASSIIT_CHANGED; CHANGE_TAKEN: there is
 * such a partner; CHANGE_NO_PARTNER, CHANGE_NO_KEY; CHANGE_BUSY: whether the
 * zone has them can't be seen; CHANGE_MOST_KEYS: none of them has expired;
 * CHANGE_BAD_LINE: it would be too long; CHANGE_FAILED: memory is short, or
 * there are no random numbers.  *len is set to the bytes that text has, to be
 * wiped, if any was written.  An arena may be entered.
 */
ngx_http_wassiit_changed_e ngx_http_wassiit_edit(
    ngx_http_wassiit_change_t *change, u_char *line, size_t former,
    u_char *text, size_t *len);

/*
 * Writes an object, which is taken, or NULL, to a draft as the line of its rev.
 * draft->len is 0 then if memory is short, or the rev is above the highest.
 */
void ngx_http_wassiit_edit_draft(ngx_http_wassiit_draft_t *draft,
    json_t *json);


#endif /* _NGX_HTTP_WASSIIT_EDIT_H_INCLUDED_ */
