
/*
 * The payload rules: what a body of the API must hold.
 *
 * Faults are collected as JSON, an array of {"pointer": ..., "detail": ...}
 * with pointers of RFC 6901 written as URI fragments, and made only when there
 * is one.  Of a client's text a detail quotes NGX_WASSIIT_QUOTE characters at
 * most.
 */


#ifndef _NGX_WASSIIT_RULES_H_INCLUDED_
#define _NGX_WASSIIT_RULES_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <jansson.h>


/* characters, that is code points */
#define NGX_WASSIIT_QUOTE           64
#define NGX_WASSIIT_TEXT_MAX        4096

/* that are told of one body, and a last one that tells how many more */
#define NGX_WASSIIT_FAULTS          100

/* levels of objects and arrays in one another */
#define NGX_WASSIIT_JSON_DEPTH      32


typedef enum {
    NGX_WASSIIT_RULE_MESSAGE = 0,
    NGX_WASSIIT_RULE_CALL,
    NGX_WASSIIT_RULE_AUTOMATION
} ngx_wassiit_rule_e;


/*
 * A check of nesting, over text that comes in pieces; all of it zero to begin
 * with.  It believes that the text is JSON, which the parser tells.
 */

typedef struct {
    ngx_uint_t          depth;
    unsigned            string:1;
    unsigned            escape:1;
} ngx_wassiit_depth_t;


/* Returns NGX_OK, or NGX_DECLINED: nested deeper than there may be. */
ngx_int_t ngx_wassiit_depth(ngx_wassiit_depth_t *d, const u_char *p,
    size_t len);

/*
 * Has the whole text so few brackets and braces that it can't be nested too
 * deep?  Quicker than ngx_wassiit_depth().  Returns 1, or 0: it may be.
 */
ngx_uint_t ngx_wassiit_shallow(const u_char *p, size_t len);

/*
 * Checks a parsed body by a rule.  It may have been parsed with
 * JSON_DECODE_INT_AS_REAL, which takes integers of any length: a number counts
 * as an integer by its value.  Appends what is wrong to *errors, made if it is
 * NULL; the caller drops the reference.  Returns NGX_OK or NGX_ERROR: memory is
 * short.
 */
ngx_int_t ngx_wassiit_rules_check(ngx_wassiit_rule_e rule, json_t *body,
    json_t **errors);

/*
 * Appends a fault to *errors, or, if it has NGX_WASSIIT_FAULTS already, counts
 * it in a last one.  quote, if not NULL, is the client's text, of
 * any bytes, which is put behind the detail and ", not".  Returns NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_wassiit_rules_fault(json_t **errors, const char *pointer,
    const char *detail, const u_char *quote, size_t len);

/* the most that the next one writes, with a zero */
#define NGX_WASSIIT_POINTER         (3 * NGX_WASSIIT_QUOTE + 2)

/*
 * Writes the step of a JSON pointer, in a URI's fragment, to a field of this
 * name (RFC 6901, sections 3 and 6), and a zero: nothing else if the name is
 * longer than NGX_WASSIIT_QUOTE.
 */
void ngx_wassiit_rules_pointer(char *p, const char *name);

/* what is said of a number that isn't one of E.164 */
extern const char  ngx_wassiit_e164_rule[];

/*
 * ITU-T E.164, written with "+": 7 to 15 digits, the first not 0.  Returns 1
 * or 0, as do the next two.
 */
ngx_uint_t ngx_wassiit_e164(const u_char *p, size_t len);

/* A code of ISO 3166-1 alpha-2 that is assigned, in capitals. */
ngx_uint_t ngx_wassiit_iso3166(const u_char *p, size_t len);

/*
 * ISO 8601-1, extended format: YYYY-MM-DDThh:mm:ss.sss and "Z" or an offset
 * +hh:mm.  The date has to exist; 24:00 doesn't, second 60 does where there
 * may be a leap second: 23:59:60 UTC at the end of June or December.
 */
ngx_uint_t ngx_wassiit_iso8601(const u_char *p, size_t len);


#endif /* _NGX_WASSIIT_RULES_H_INCLUDED_ */
