
/*
 * What the value of a header field says: words, and parameters after them, as
 * in form-data; name="to".  All texts lie in the caller's memory, and need no
 * zero at their end.
 */


#ifndef _NGX_WASSIIT_HEADER_H_INCLUDED_
#define _NGX_WASSIIT_HEADER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Reads the next parameter of what is left of a value, from p to before last,
 * which begins with ";" or is empty: name=token or name="text", which is
 * unquoted in place.  A blank may follow the semicolon, and stand nowhere else.
 * Sets name and value to places in it.  Returns what follows, with name->len 0
 * at the end; NULL: it is malformed, or such that some read it otherwise.
 */
u_char *ngx_wassiit_header_parameter(u_char *p, u_char *last, ngx_str_t *name,
    ngx_str_t *value);

/*
 * Decodes the value of a parameter whose name ends with "*", in place, by RFC
 * 8187: utf-8''text, percent-encoded and without a language, as clients send it
 * that send it at all.  It must come from ngx_wassiit_header_parameter().
 * Returns NGX_OK and sets value to the text, which is UTF-8; NGX_ERROR: it is
 * none.
 */
ngx_int_t ngx_wassiit_header_extended(ngx_str_t *value);

/* Is it this word, which is in lower case, in any case?  Returns 1 or 0. */
ngx_uint_t ngx_wassiit_header_is(const ngx_str_t *s, const char *lowcase);

/* How often does it contain the word, which is in lower case, in any case? */
ngx_uint_t ngx_wassiit_header_count(const ngx_str_t *s, const char *lowcase);

/* Is it a token of RFC 9110, section 5.6.2?  Returns 1 or 0. */
ngx_uint_t ngx_wassiit_header_is_token(const ngx_str_t *s);

/*
 * Is it a charset that clients name, in which ASCII is what it is in UTF-8?
 * Returns 1 or 0.
 */
ngx_uint_t ngx_wassiit_header_is_ascii_charset(const ngx_str_t *charset);

/* Is it UTF-8, by RFC 3629, section 4?  Returns 1 or 0. */
ngx_uint_t ngx_wassiit_header_is_utf8(const u_char *p, size_t len);

/* Returns what follows the blanks and tabs at p, at most last. */
u_char *ngx_wassiit_header_blanks(u_char *p, u_char *last);


#endif /* _NGX_WASSIIT_HEADER_H_INCLUDED_ */
