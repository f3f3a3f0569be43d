
#include "ngx_wassiit_header.h"
#include "ngx_wassiit_multipart.h"
#include "ngx_wassiit_rules.h"


enum {
    STATE_DATA = 0,         /* of a part, or what precedes the first */
    STATE_DELIMITER,        /* behind a whole delimiter */
    STATE_DASH,             /* behind it and "-" */
    STATE_CR,
    STATE_HEADER,
    STATE_END               /* what follows the last delimiter */
};


static const u_char *ngx_wassiit_multipart_data(ngx_wassiit_multipart_t *mp,
    const u_char *p, const u_char *last, const u_char *dashes);
static void ngx_wassiit_multipart_keep(ngx_wassiit_multipart_t *mp,
    const u_char *p, size_t len);
static const u_char *ngx_wassiit_multipart_bare_cr(
    ngx_wassiit_multipart_t *mp, const u_char *p, const u_char *last,
    const u_char *dashes);
static const u_char *ngx_wassiit_multipart_blank(const u_char *p,
    const u_char *last);
static void ngx_wassiit_multipart_mismatch(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_part(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_header(ngx_wassiit_multipart_t *mp,
    const u_char **p, const u_char *last);
static ngx_int_t ngx_wassiit_multipart_begin(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_fail(ngx_wassiit_multipart_t *mp,
    const char *error);


static const char  ngx_wassiit_multipart_bare[] =
    "has a boundary that no CRLF of its own precedes";


ngx_int_t
ngx_wassiit_multipart_init(ngx_wassiit_multipart_t *mp, const u_char *type,
    size_t len)
{
    size_t      i;
    u_char     *p, *last;
    ngx_str_t   name, value, boundary;
    ngx_uint_t  words;

    ngx_memzero(mp, offsetof(ngx_wassiit_multipart_t, part.header));

    /* parsed in the room for headers, as quoted values change in place */

    last = mp->part.header + ngx_min(len, NGX_WASSIIT_HEADER_MAX);
    ngx_memcpy(mp->part.header, type, last - mp->part.header);

    for (p = mp->part.header; p < last; p++) {
        if (*p == ';' || *p == ' ' || *p == '\t') {
            break;
        }
    }

    name.data = mp->part.header;
    name.len = p - mp->part.header;

    if (!ngx_wassiit_header_is(&name, "multipart/form-data")) {
        return NGX_DECLINED;
    }

    mp->error = "the Content-Type has no valid boundary";

    if (len > NGX_WASSIIT_HEADER_MAX || memchr(mp->part.header, '\\', len)) {
        return NGX_ERROR;
    }

    /*
     * Others find it by the word, wherever that stands first or last, and the
     * "=" that follows. Browsers have the word in the value, too, where none
     * follows. PHP looks for it in small letters first.
     */

    name.data = p;
    name.len = last - p;
    words = ngx_wassiit_header_count(&name, "boundary");

    while (name.len && name.data[name.len - 1] != '=') {
        name.len--;
    }

    if (ngx_wassiit_header_count(&name, "boundary") > 1) {
        return NGX_ERROR;
    }

    ngx_str_null(&boundary);

    for ( ;; ) {
        p = ngx_wassiit_header_parameter(p, last, &name, &value);

        if (p == NULL) {
            return NGX_ERROR;
        }

        if (name.len == 0) {
            break;
        }

        if (ngx_wassiit_header_is(&name, "boundary")) {

            if (words > 1
                && ngx_memcmp(name.data, "boundary", name.len) != 0)
            {
                return NGX_ERROR;
            }

            boundary = value;

        } else if (ngx_wassiit_header_count(&name, "charset")
                   && !(ngx_wassiit_header_is(&name, "charset")
                        && ngx_wassiit_header_is_ascii_charset(&value)))
        {
            mp->charset = value;
            return NGX_ABORT;
        }
    }

    if (boundary.len == 0 || boundary.len > NGX_WASSIIT_BOUNDARY_MAX
        || boundary.data[0] == ' ' || boundary.data[boundary.len - 1] == ' ')
    {
        return NGX_ERROR;
    }

    for (i = 0; i < boundary.len; i++) {
        if (!isalnum(boundary.data[i])
            && (boundary.data[i] == '\0'
                || ngx_strchr("'()+_,-./:=? ", boundary.data[i]) == NULL))
        {
            return NGX_ERROR;
        }
    }

    ngx_memcpy(mp->delimiter, "\r\n--", 4);
    ngx_memcpy(mp->delimiter + 4, boundary.data, boundary.len);
    mp->delimiter_len = 4 + boundary.len;

    mp->bare_cr[0] = '\r';
    ngx_memcpy(mp->bare_cr + 1, mp->delimiter + 2, mp->delimiter_len - 2);

    /* the first stands where the body begins, without a line end before */

    mp->matched = 2;
    mp->edge = 1;
    mp->error = NULL;

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_multipart_parse(ngx_wassiit_multipart_t *mp, const u_char *p,
    size_t len)
{
    const u_char  *last, *bare, *dashes;

    if (mp->error) {
        return NGX_ERROR;
    }

    /* the first "--" and boundary, of a delimiter or not */

    last = p + len;
    dashes = memmem(p, len, mp->bare_cr + 1, mp->delimiter_len - 2);
    dashes = dashes ? dashes : last;

    bare = ngx_wassiit_multipart_bare_cr(mp, p, last, dashes);
    last = bare ? bare : last;

    while (p < last) {

        switch (mp->state) {

        case STATE_DATA:
            p = ngx_wassiit_multipart_data(mp, p, last, dashes);

            if (mp->error) {
                return NGX_ERROR;
            }

            break;

        case STATE_DELIMITER:
            if (*p == '-') {
                mp->state = STATE_DASH;

            } else if (*p == '\r') {
                mp->state = STATE_CR;

            } else {
                /* RFC 2046 lets blanks pass, few readers do */
                return ngx_wassiit_multipart_fail(mp,
                                                (*p == ' ' || *p == '\t')
                                                ? "has a blank behind a "
                                                  "boundary"
                                                : "has text behind a "
                                                  "boundary");
            }

            p++;
            break;

        case STATE_DASH:
            if (*p != '-') {
                return ngx_wassiit_multipart_fail(mp,
                                                "has text behind a boundary");
            }

            p++;
            mp->state = STATE_END;
            break;

        case STATE_CR:
            if (*p != '\n') {
                return ngx_wassiit_multipart_fail(mp,
                                                "has text behind a boundary");
            }

            p++;

            if (ngx_wassiit_multipart_part(mp) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case STATE_HEADER:
            if (ngx_wassiit_multipart_header(mp, &p, last) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        default: /* STATE_END */
            if (ngx_wassiit_multipart_blank(p, last) != last) {
                return ngx_wassiit_multipart_fail(mp,
                                           "has text behind the last boundary");
            }

            return NGX_OK;
        }
    }

    return bare ? ngx_wassiit_multipart_fail(mp, ngx_wassiit_multipart_bare)
                : NGX_OK;
}


/*
 * Some take a CR alone for a line end, also the one before a boundary.  Returns
 * what follows such a boundary; NULL: there is none.  The pieces before are
 * known by the bytes of it that they end with.
 */

static const u_char *
ngx_wassiit_multipart_bare_cr(ngx_wassiit_multipart_t *mp, const u_char *p,
    const u_char *last, const u_char *dashes)
{
    size_t         len;
    const u_char  *found;

    len = mp->delimiter_len - 1;

    for ( /* void */ ; mp->cr && p < last; p++) {

        if (*p != mp->bare_cr[mp->cr]) {
            /* CR doesn't come again in it */
            mp->cr = 0;
            break;
        }

        if (++mp->cr == len) {
            mp->cr = 0;
            return p + 1;
        }
    }

    if (dashes != last) {
        found = memmem(p, last - p, mp->bare_cr, len);

        if (found) {
            return found + len;
        }
    }

    for (found = last; found > p && (size_t) (last - found) < len - 1; ) {

        if (*--found == '\r') {
            if (ngx_memcmp(found, mp->bare_cr, last - found) == 0) {
                mp->cr = last - found;
            }

            break;
        }
    }

    return NULL;
}


/*
 * Looks for the delimiter, which is CRLF, two dashes and the boundary.  LF
 * doesn't come again in it, so after a mismatch nothing of what has matched can
 * begin another.  Of a CR that ends a piece nobody knows yet; it is matched.
 */

static const u_char *
ngx_wassiit_multipart_data(ngx_wassiit_multipart_t *mp, const u_char *p,
    const u_char *last, const u_char *dashes)
{
    size_t         cr, len;
    const u_char  *lf;

    /* none begins earlier than with the line end before the dashes */

    len = ngx_min(last - p, ngx_max(dashes - p, 0));

    if (mp->matched == 0 && len > mp->delimiter_len) {
        len -= mp->delimiter_len;
        ngx_wassiit_multipart_keep(mp, p, len);
        p += len;
    }

    if (mp->matched < 2) {
        lf = memchr(p, '\n', last - p);
        cr = 0;

        if (mp->matched && p != lf) {
            ngx_wassiit_multipart_keep(mp, (u_char *) "\r", 1);
            mp->matched = 0;
        }

        if (lf == NULL) {
            mp->matched = (last[-1] == '\r');
            ngx_wassiit_multipart_keep(mp, p, last - p - mp->matched);
            return last;
        }

        if (lf > p) {
            cr = (lf[-1] == '\r');
            ngx_wassiit_multipart_keep(mp, p, lf - p - cr);
        }

        mp->bare = (mp->matched == 0 && cr == 0);
        mp->matched = 2;
        p = lf + 1;
    }

    while (p < last && mp->matched < mp->delimiter_len) {

        if (*p != mp->delimiter[mp->matched]) {
            ngx_wassiit_multipart_mismatch(mp);
            return p;
        }

        mp->matched++;
        p++;
    }

    if (mp->matched < mp->delimiter_len) {
        return p;
    }

    if (mp->bare) {
        (void) ngx_wassiit_multipart_fail(mp, ngx_wassiit_multipart_bare);
        return p;
    }

    if (mp->part.measured && mp->part.length != mp->data_len) {
        (void) ngx_wassiit_multipart_fail(mp, "a part has a Content-Length "
                                          "that is not its length");
        return p;
    }

    mp->begun = 1;
    mp->part.measured = 0;
    mp->state = STATE_DELIMITER;

    return p;
}


/* What looked like a delimiter is data. */

static void
ngx_wassiit_multipart_mismatch(ngx_wassiit_multipart_t *mp)
{
    /* before the first one, and behind a header, the line end isn't data */

    if (mp->edge) {
        ngx_wassiit_multipart_keep(mp, mp->delimiter + 2, mp->matched - 2);

    } else {
        ngx_wassiit_multipart_keep(mp, mp->delimiter + mp->bare,
                                   mp->matched - mp->bare);
    }

    mp->edge = 0;
    mp->matched = 0;
}


static void
ngx_wassiit_multipart_keep(ngx_wassiit_multipart_t *mp, const u_char *p,
    size_t len)
{
    size_t  n;

    if (!mp->begun) {
        if (mp->error == NULL
            && ngx_wassiit_multipart_blank(p, p + len) != p + len)
        {
            mp->error = "has text before the first boundary";
        }

        return;
    }

    mp->data_len += len;

    switch (mp->role) {

    case NGX_WASSIIT_PART_TO:
        if (mp->to_len < NGX_WASSIIT_TO_MAX) {
            n = ngx_min(len, NGX_WASSIIT_TO_MAX - mp->to_len);
            ngx_memcpy(mp->to + mp->to_len, p, n);
        }

        mp->to_len += len;
        break;

    case NGX_WASSIIT_PART_FILE:
        mp->file_len += len;
        break;

    default: /* NGX_WASSIIT_PART_OTHER */
        break;
    }
}


/* blanks and line ends that p begins with */

static const u_char *
ngx_wassiit_multipart_blank(const u_char *p, const u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n'))
    {
        p++;
    }

    return p;
}


/* behind a delimiter's line */

static ngx_int_t
ngx_wassiit_multipart_part(ngx_wassiit_multipart_t *mp)
{
    if (mp->parts++ == NGX_WASSIIT_PARTS_MAX) {
        return ngx_wassiit_multipart_fail(mp, "has more than 1000 parts");
    }

    mp->state = STATE_HEADER;
    mp->role = NGX_WASSIIT_PART_OTHER;
    mp->data_len = 0;

    ngx_wassiit_part_init(&mp->part);

    return NGX_OK;
}


/* A field counts as soon as its name is known, whatever follows. */

static ngx_int_t
ngx_wassiit_multipart_header(ngx_wassiit_multipart_t *mp, const u_char **p,
    const u_char *last)
{
    ngx_int_t            rc;
    ngx_wassiit_part_t  *part;

    part = &mp->part;
    rc = ngx_wassiit_part_parse(part, p, last);

    if (mp->role != part->role) {
        mp->role = part->role;

        if (mp->role == NGX_WASSIIT_PART_TO) {
            mp->to_len = 0;
            mp->tos++;

        } else {
            mp->files++;
            mp->named = part->named;
            mp->audio = part->audio;
        }
    }

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return ngx_wassiit_multipart_fail(mp, part->error);
    }

    return ngx_wassiit_multipart_begin(mp);
}


/* The header is over: what its lines say together. */

static ngx_int_t
ngx_wassiit_multipart_begin(ngx_wassiit_multipart_t *mp)
{
    ngx_wassiit_part_t  *part;

    part = &mp->part;

    if (!part->disposition) {
        return ngx_wassiit_multipart_fail(mp, "a part has no name");
    }

    if (part->filed) {
        if (mp->filed_parts++ == NGX_WASSIIT_FILES_MAX) {
            return ngx_wassiit_multipart_fail(mp, "has more than 20 files");
        }

    } else if (part->mistyped) {
        return ngx_wassiit_multipart_fail(mp, "a part has a Content-Type that "
                                          "is malformed, or of a charset that "
                                          "is not UTF-8");
    }

    if (mp->role == NGX_WASSIIT_PART_TO && part->bytes) {
        return ngx_wassiit_multipart_fail(mp, "\"to\" has a Content-Type that "
                                          "some take for a file's");
    }

    if (mp->role == NGX_WASSIIT_PART_FILE && part->sound) {
        mp->audio = 1;
    }

    /* the line end that is matched belongs to the header */

    mp->state = STATE_DATA;
    mp->matched = 2;
    mp->edge = 1;
    mp->bare = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_wassiit_multipart_fail(ngx_wassiit_multipart_t *mp, const char *error)
{
    if (mp->error == NULL) {
        mp->error = error;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_wassiit_multipart_check(ngx_wassiit_multipart_t *mp, ngx_uint_t audio,
    json_t **errors)
{
    const char  *to, *file;
    ngx_uint_t   whole;

    if (mp->error == NULL && mp->state != STATE_END) {
        mp->error = mp->begun ? "the last boundary is missing"
                              : "the boundary that Content-Type names is "
                                "not in the body";
    }

    /* of a broken body, only what no more of it could mend */

    whole = (mp->error == NULL);
    to = NULL;
    file = NULL;

    if (mp->tos != 1) {
        to = mp->tos ? "must stand once" : whole ? "is missing" : NULL;

    } else if ((whole || mp->role != NGX_WASSIIT_PART_TO)
               && !ngx_wassiit_e164(mp->to, mp->to_len))
    {
        to = ngx_wassiit_e164_rule;
    }

    if (mp->files != 1) {
        file = mp->files ? "must stand once" : whole ? "is missing" : NULL;

    } else if (!mp->named) {
        file = "must have a file name";

    } else if (mp->file_len == 0) {
        file = (whole || mp->role != NGX_WASSIIT_PART_FILE)
               ? "must not be empty" : NULL;

    } else if (audio && !mp->audio
               && (whole || mp->role != NGX_WASSIIT_PART_FILE))
    {
        file = "must be a sound file: of a type audio/*, or with a name that "
               "ends as one's";
    }

    if ((!whole
         && ngx_wassiit_rules_fault(errors, "#", mp->error, NULL, 0) != NGX_OK)
        || (to
            && ngx_wassiit_rules_fault(errors, "#/to", to,
                             (to == ngx_wassiit_e164_rule) ? mp->to : NULL,
                             ngx_min(mp->to_len, NGX_WASSIIT_TO_MAX))
               != NGX_OK)
        || (file
            && ngx_wassiit_rules_fault(errors, "#/file", file, NULL, 0)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
