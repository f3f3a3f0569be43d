
/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1) as it comes in: a
 * parser that keeps of a body what the rules for uploads ask for, and nothing
 * else, however long the body is.
 *
 * What a backend's parser might read in another way than this one is refused,
 * though RFC 2046 would let some of it pass: text before the first boundary or
 * behind the last, a boundary with a blank behind it or behind a line end that
 * is no CRLF, a parameter of several pieces or with blanks around "=", names
 * that some take for others, encodings, charsets.  No client sends that by
 * itself.  t/fuzz/readers holds it against such parsers.
 */


#ifndef _NGX_WASSIIT_MULTIPART_H_INCLUDED_
#define _NGX_WASSIIT_MULTIPART_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include <jansson.h>

#include "ngx_wassiit_part.h"


#define NGX_WASSIIT_BOUNDARY_MAX    70      /* RFC 2046, section 5.1.1 */
#define NGX_WASSIIT_PARTS_MAX       1000    /* of a body */
#define NGX_WASSIIT_FILES_MAX       20      /* parts that have a file name */
#define NGX_WASSIIT_TO_MAX          257     /* more than is quoted of it */
#define NGX_WASSIIT_EXTENSION_MAX   5       /* of an audio file's name */


/* all of it the parser's own */

typedef struct {
    ngx_uint_t          state;
    ngx_wassiit_part_e  role;       /* of the part at hand, that counts */
    ngx_uint_t          parts;
    const char         *error;      /* what broke it, or NULL */
    ngx_str_t           charset;    /* that a Content-Type names, not UTF-8 */

    u_char              delimiter[4 + NGX_WASSIIT_BOUNDARY_MAX];
    size_t              delimiter_len;
    size_t              matched;    /* bytes of it */

    u_char              bare_cr[3 + NGX_WASSIIT_BOUNDARY_MAX];
    size_t              cr;         /* bytes of it that the body ends with */

    size_t              to_len;     /* bytes seen, maybe more than kept */
    uint64_t            file_len;   /* bytes */
    ngx_uint_t          tos;        /* parts with this name */
    ngx_uint_t          files;
    ngx_uint_t          filed_parts;    /* parts with a file name */
    uint64_t            data_len;   /* bytes of the part at hand */
    u_char              to[NGX_WASSIIT_TO_MAX];

    unsigned            begun:1;        /* a boundary has come */
    unsigned            bare:1;         /* what has matched has no CR */
    unsigned            edge:1;         /* or no line end of its own */
    unsigned            named:1;        /* the file has a name */
    unsigned            audio:1;        /* it is sound, by type or by name */

    ngx_wassiit_part_t  part;       /* the header of the part at hand */
} ngx_wassiit_multipart_t;


/*
 * Begins, with the value of the header Content-Type.  Returns NGX_OK;
 * NGX_DECLINED: it isn't multipart/form-data; NGX_ERROR: it is, but has no
 * valid boundary, or says something in two ways: mp->error tells; NGX_ABORT:
 * it names another charset than UTF-8, which mp->charset tells.
 */
ngx_int_t ngx_wassiit_multipart_init(ngx_wassiit_multipart_t *mp,
    const u_char *type, size_t len);

/*
 * Takes the next bytes of the body, any number.  Returns NGX_OK, or NGX_ERROR
 * when it is broken for good: mp->error says how.
 */
ngx_int_t ngx_wassiit_multipart_parse(ngx_wassiit_multipart_t *mp,
    const u_char *p, size_t len);

/*
 * At the end of the body, or when it is broken: checks that there is one "to",
 * a number of E.164, and one "file" with a name and at least one byte, which
 * with audio set has to be one of sound.  Appends what is wrong to *errors
 * as ngx_wassiit_rules_check() does.  Returns NGX_OK or NGX_ERROR: memory is
 * short.
 */
ngx_int_t ngx_wassiit_multipart_check(ngx_wassiit_multipart_t *mp,
    ngx_uint_t audio, json_t **errors);


#endif /* _NGX_WASSIIT_MULTIPART_H_INCLUDED_ */
