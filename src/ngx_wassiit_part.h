
/*
 * The header of one part of a multipart/form-data body: which field it is, and
 * what else of its lines counts.  What a backend might read in another way is
 * refused, see ngx_wassiit_multipart.h.
 */


#ifndef _NGX_WASSIIT_PART_H_INCLUDED_
#define _NGX_WASSIIT_PART_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_WASSIIT_HEADER_MAX      4096    /* bytes of a line of a header */
#define NGX_WASSIIT_HEADERS_MAX     8192    /* bytes of a header */


/* the fields that are asked for */

typedef enum {
    NGX_WASSIIT_PART_OTHER = 0,
    NGX_WASSIIT_PART_TO,
    NGX_WASSIIT_PART_FILE
} ngx_wassiit_part_e;


typedef struct {
    ngx_wassiit_part_e  role;       /* once its disposition is known */
    const char         *error;      /* why it is refused, or NULL */
    uint64_t            length;     /* that it says to have, if measured */

    unsigned            disposition:1;  /* it has one */
    unsigned            typed:1;        /* and a Content-Type */
    unsigned            encoded:1;      /* and a Content-Transfer-Encoding */
    unsigned            measured:1;     /* and a Content-Length */
    unsigned            filed:1;        /* and a file name, maybe empty */
    unsigned            sound:1;        /* its type is audio/something */
    unsigned            bytes:1;        /* or one of no field */
    unsigned            mistyped:1;     /* or malformed, or of a charset */
    unsigned            named:1;        /* the file has a name */
    unsigned            audio:1;        /* which ends as a sound file's */

    /* the parser's own */
    unsigned            cr:1;           /* the last byte was one */
    size_t              headers_len;    /* bytes, all lines together */
    size_t              header_len;
    size_t              line;       /* where its last line begins */
    u_char              header[NGX_WASSIIT_HEADER_MAX];
} ngx_wassiit_part_t;


/* Begins with the header of a part. */
void ngx_wassiit_part_init(ngx_wassiit_part_t *part);

/*
 * Takes the next bytes of the header, any number, from *p to before last, and
 * sets *p to what follows those that were taken.  Returns NGX_AGAIN: all of
 * them, and the header goes on; NGX_OK: it is over, with the empty line;
 * NGX_ERROR: it is refused, and part->error says why.  part->role and what
 * comes with it count from then on that part->disposition is set.
 */
ngx_int_t ngx_wassiit_part_parse(ngx_wassiit_part_t *part, const u_char **p,
    const u_char *last);


#endif /* _NGX_WASSIIT_PART_H_INCLUDED_ */
