
/*
 * What a request at the admin endpoint is to change, and what came of it: for a
 * log of all changes, refused ones too.
 */


#ifndef _NGX_HTTP_WASSIIT_AUDIT_H_INCLUDED_
#define _NGX_HTTP_WASSIIT_AUDIT_H_INCLUDED_


#include "ngx_http_wassiit.h"

#include <jansson.h>


typedef enum {
    NGX_HTTP_WASSIIT_AUDIT_OPEN = 0,            /* as its status tells */
    NGX_HTTP_WASSIIT_AUDIT_DONE,
    NGX_HTTP_WASSIIT_AUDIT_REFUSED,
    NGX_HTTP_WASSIIT_AUDIT_FAILED
} ngx_http_wassiit_audit_e;


/* the request's context has one if the request is to change something */

struct ngx_http_wassiit_audit_s {
    ngx_http_wassiit_zone_t       *zone;
    ngx_uint_t                     operation;   /* by change_e */
    ngx_str_t                      partner;     /* its id, or empty */
    ngx_str_t                      key_id;      /* of its key, or empty */
    ngx_str_t                      change;      /* JSON, or empty */
    ngx_http_wassiit_audit_e       result;
    unsigned                       ended:1;     /* the request, if no change
                                                   is on its way */
};


/* one word for each, by ngx_http_wassiit_audit_e; the first is empty */
extern const ngx_str_t  ngx_http_wassiit_audit_results[];

/*
 * Notes in the context what a request is to change whose location is the admin
 * endpoint's, of this zone; to be called before anyone may refuse it.  Returns
 * NGX_OK, also if that is nothing; NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_wassiit_audit_begin(ngx_http_request_t *r,
    ngx_http_wassiit_ctx_t *ctx, ngx_http_wassiit_zone_t *zone);

/*
 * Notes the partner or its key, if there is an id, which is copied.  Where
 * memory is short they stay as they are.
 */
void ngx_http_wassiit_audit_partner(ngx_http_request_t *r,
    const ngx_str_t *id);
void ngx_http_wassiit_audit_key(ngx_http_request_t *r, const ngx_str_t *id);

/*
 * Notes what was asked for: the fields of the body that a log may have, as an
 * object of JSON in ASCII, 2 KiB at most; those that find no room are named in
 * its "omitted".  The body is an object whose fields have been checked, and
 * stays the caller's.  Where memory is short nothing is noted.
 */
void ngx_http_wassiit_audit_change(ngx_http_request_t *r,
    const json_t *body);

/* Notes what came of it, if it came to be a change. */
void ngx_http_wassiit_audit_end(ngx_http_request_t *r,
    ngx_http_wassiit_audit_e result);

/*
 * What came of it; NGX_HTTP_WASSIIT_AUDIT_OPEN: r is no change, or isn't
 * answered yet.  Unless it was noted, the status tells; that of a request that
 * has ended with none is "refused", as nothing was changed.
 */
ngx_http_wassiit_audit_e ngx_http_wassiit_audit_result(ngx_http_request_t *r);


#endif /* _NGX_HTTP_WASSIIT_AUDIT_H_INCLUDED_ */
