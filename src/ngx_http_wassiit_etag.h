
/*
 * ETags of partners, by which an operator's change is refused if the partner is
 * no more what the operator has seen (RFC 9110, sections 8.8.3 and 13.1.1).
 */


#ifndef _NGX_HTTP_WASSIIT_ETAG_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_ETAG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_wassiit_record.h"


/* bytes of an ETag's text: 16 hex digits in quotes */
#define NGX_HTTP_WASSIIT_ETAG_LEN   18


/*
 * Returns the tag of what a line of the file says of its partner, secrets and
 * keys included: the same for lines that say the same, whichever change has
 * made them, see rev.  It is a part of an HMAC by a key that nobody knows, so
 * it tells nothing of a secret.
 */
uint64_t ngx_http_wassiit_etag(const ngx_wassiit_hmac_key_t *key,
    const ngx_http_wassiit_record_t *rec);

/* Writes a tag's text: NGX_HTTP_WASSIIT_ETAG_LEN bytes without a zero. */
void ngx_http_wassiit_etag_write(u_char *dst, uint64_t tag);

/*
 * Does the value of an If-Match header name this tag?  "*" names any; a weak
 * one, W/"...", none.  Returns NGX_OK; NGX_DECLINED: no; NGX_ERROR: it is
 * neither "*" nor a list of entity tags.
 */
ngx_int_t ngx_http_wassiit_etag_match(const ngx_str_t *value, uint64_t tag);


#endif /* _NGX_HTTP_WASSIIT_ETAG_H_INCLUDED_ */
