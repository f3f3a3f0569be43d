
/*
 * RESP2, what Redis and Valkey speak.  A parser that finds, at any byte where
 * the network stops, how far a reply goes, and looks at no byte twice; then a
 * cursor over a reply that lies in one piece, which copies nothing.
 */


#ifndef _NGX_WASSIIT_RESP_H_INCLUDED_
#define _NGX_WASSIIT_RESP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WASSIIT_RESP_MAX    1048576     /* bytes of a reply */
#define NGX_WASSIIT_RESP_DEPTH  8           /* arrays, one in another */


typedef enum {
    NGX_WASSIIT_RESP_STATUS = 0,
    NGX_WASSIIT_RESP_ERROR,
    NGX_WASSIIT_RESP_NUMBER,
    NGX_WASSIIT_RESP_STRING,
    NGX_WASSIIT_RESP_ARRAY,
    NGX_WASSIIT_RESP_NIL        /* of a string or of an array */
} ngx_wassiit_resp_type_e;


/* all zeros: at a reply's beginning */

typedef struct {
    size_t                   len;       /* of the reply, as far as it came */
    size_t                   skip;      /* bytes of a string to come */
    ngx_uint_t               state;
    ngx_uint_t               negative;
    ngx_uint_t               digits;    /* of the number at hand */
    u_char                   type;      /* the byte that began the element */
    uint64_t                 number;
    ngx_uint_t               depth;
    uint32_t                 left[NGX_WASSIIT_RESP_DEPTH];  /* elements */
} ngx_wassiit_resp_parser_t;


/* an element of a reply: where the cursor is */

typedef struct {
    ngx_wassiit_resp_type_e  type;
    ngx_str_t                text;      /* of STATUS, ERROR, STRING; else
                                           empty.  In the reply's bytes, no
                                           zero after it */
    int64_t                  number;    /* of NUMBER; else 0 */
    ngx_uint_t               count;     /* of ARRAY, elements; else 0 */

    u_char                  *next;      /* private */
    u_char                  *last;
} ngx_wassiit_resp_t;


/*
 * Takes the next bytes, any number.  *used tells how many of them belong to
 * the reply.  Returns NGX_OK: it is complete, parser->len bytes long, and the
 * parser is to be zeroed for the next one; NGX_AGAIN: all were used, more are
 * to come; NGX_ERROR: this isn't RESP2, or is deeper or longer than allowed.
 */
ngx_int_t ngx_wassiit_resp_parse(ngx_wassiit_resp_parser_t *parser,
    const u_char *p, size_t len, size_t *used);

/* Puts a cursor on the first element of a reply that the parser has passed. */
void ngx_wassiit_resp_first(ngx_wassiit_resp_t *resp, u_char *p, size_t len);

/*
 * Moves on to the next element: the first of an array, or what follows.
 * Returns NGX_OK, or NGX_DONE: there is none, the cursor stays.
 */
ngx_int_t ngx_wassiit_resp_next(ngx_wassiit_resp_t *resp);

/* The same, but past all elements of the array at the cursor. */
ngx_int_t ngx_wassiit_resp_skip(ngx_wassiit_resp_t *resp);

/* Whether the element has a text, and this one. */
ngx_uint_t ngx_wassiit_resp_is(ngx_wassiit_resp_t *resp, const char *text);

/*
 * An element as a number: NUMBER, or a text of a sign and digits.  Returns
 * NGX_OK, or NGX_ERROR: it is none, *number stays.
 */
ngx_int_t ngx_wassiit_resp_number(ngx_wassiit_resp_t *resp, int64_t *number);

/*
 * Writes a text that a server has sent as a line of a log may have it: as much
 * as there is room for, and "?" for all but ASCII that is printed.  to may be
 * the text itself.  Returns its length.
 */
size_t ngx_wassiit_resp_print(const ngx_str_t *text, u_char *to, size_t size);

/* At most so many bytes has a command of n arguments, its name the first. */
size_t ngx_wassiit_resp_size(const ngx_str_t *args, ngx_uint_t n);

/* Writes it.  Returns where it ends. */
u_char *ngx_wassiit_resp_write(u_char *p, const ngx_str_t *args, ngx_uint_t n);


#endif /* _NGX_WASSIIT_RESP_H_INCLUDED_ */
