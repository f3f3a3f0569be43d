
#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_multipart.h"
#include "ngx_wassiit_rules.h"


enum {
    STATE_DATA = 0,         /* of a part, or what precedes the first */
    STATE_DELIMITER,        /* behind a whole delimiter */
    STATE_DASH,             /* behind it and "-" */
    STATE_CR,
    STATE_HEADER,
    STATE_HEADER_CR,
    STATE_END               /* what follows the last delimiter */
};


enum {
    ROLE_NONE = 0,
    ROLE_TO,
    ROLE_FILE
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
    u_char c);
static ngx_int_t ngx_wassiit_multipart_fold(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_line(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_begin(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_disposition(
    ngx_wassiit_multipart_t *mp, u_char *p, u_char *last);
static ngx_int_t ngx_wassiit_multipart_field(ngx_wassiit_multipart_t *mp,
    ngx_str_t *field);
static ngx_int_t ngx_wassiit_multipart_file(ngx_wassiit_multipart_t *mp,
    ngx_str_t *file, ngx_str_t *extended);
static ngx_uint_t ngx_wassiit_multipart_same(ngx_str_t *file,
    ngx_str_t *extended);
static ngx_int_t ngx_wassiit_multipart_type(ngx_wassiit_multipart_t *mp,
    u_char *p, u_char *last);
static ngx_uint_t ngx_wassiit_multipart_ascii(const ngx_str_t *charset);
static ngx_int_t ngx_wassiit_multipart_length(ngx_wassiit_multipart_t *mp,
    u_char *p, u_char *last);
static u_char *ngx_wassiit_multipart_parameter(u_char *p, u_char *last,
    ngx_str_t *name, ngx_str_t *value);
static u_char *ngx_wassiit_multipart_quoted(u_char *p, u_char *last,
    ngx_str_t *value);
static ngx_int_t ngx_wassiit_multipart_extended(ngx_str_t *value);
static ngx_uint_t ngx_wassiit_multipart_plain(ngx_str_t *name);
static ngx_uint_t ngx_wassiit_multipart_utf8(const u_char *p, size_t len);
static void ngx_wassiit_multipart_base(ngx_str_t *name);
static ngx_uint_t ngx_wassiit_multipart_sound(ngx_str_t *name);
static ngx_uint_t ngx_wassiit_multipart_is(const ngx_str_t *s,
    const char *lowcase);
static ngx_uint_t ngx_wassiit_multipart_has(const ngx_str_t *s,
    const char *lowcase);
static ngx_uint_t ngx_wassiit_multipart_token(const ngx_str_t *s);
static u_char *ngx_wassiit_multipart_blanks(u_char *p, u_char *last);
static ngx_int_t ngx_wassiit_multipart_fail(ngx_wassiit_multipart_t *mp,
    const char *error);


static const char  ngx_wassiit_multipart_bare[] =
    "has a boundary that no CRLF of its own precedes";

static const char  ngx_wassiit_multipart_too_long[] =
    "the header of a part has a line of more than 4096 bytes";


/* the usual names' ends; the type decides where it is told */

static const char  *ngx_wassiit_multipart_extensions[] = {
    "3gp", "aac", "aif", "aiff", "amr", "caf", "flac", "m4a", "m4b", "mid",
    "midi", "mka", "mp2", "mp3", "mpga", "oga", "ogg", "opus", "wav", "weba",
    "wma", NULL
};


ngx_int_t
ngx_wassiit_multipart_init(ngx_wassiit_multipart_t *mp, const u_char *type,
    size_t len)
{
    size_t      i;
    u_char     *p, *last;
    ngx_str_t   name, value, boundary;

    ngx_memzero(mp, offsetof(ngx_wassiit_multipart_t, header));

    /* parsed in the room for headers, as quoted values change in place */

    last = mp->header + ngx_min(len, NGX_WASSIIT_HEADER_MAX);
    ngx_memcpy(mp->header, type, last - mp->header);

    for (p = mp->header; p < last; p++) {
        if (*p == ';' || *p == ' ' || *p == '\t') {
            break;
        }
    }

    name.data = mp->header;
    name.len = p - mp->header;

    if (!ngx_wassiit_multipart_is(&name, "multipart/form-data")) {
        return NGX_DECLINED;
    }

    mp->error = "the Content-Type has no valid boundary";

    if (len > NGX_WASSIIT_HEADER_MAX || memchr(mp->header, '\\', len)) {
        return NGX_ERROR;
    }

    /* others find it by the word, wherever that stands first or last */

    name.data = p;
    name.len = last - p;

    if (ngx_wassiit_multipart_has(&name, "boundary") > 1) {
        return NGX_ERROR;
    }

    ngx_str_null(&boundary);

    for ( ;; ) {
        p = ngx_wassiit_multipart_parameter(p, last, &name, &value);

        if (p == NULL) {
            return NGX_ERROR;
        }

        if (name.len == 0) {
            break;
        }

        if (ngx_wassiit_multipart_is(&name, "boundary")) {
            boundary = value;

        } else if (ngx_wassiit_multipart_has(&name, "charset")
                   && !(ngx_wassiit_multipart_is(&name, "charset")
                        && ngx_wassiit_multipart_ascii(&value)))
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
        case STATE_HEADER_CR:
            if (ngx_wassiit_multipart_header(mp, *p++) != NGX_OK) {
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

    if (mp->measured && mp->length != mp->data_len) {
        (void) ngx_wassiit_multipart_fail(mp, "a part has a Content-Length "
                                          "that is not its length");
        return p;
    }

    mp->begun = 1;
    mp->measured = 0;
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

    case ROLE_TO:
        if (mp->to_len < NGX_WASSIIT_TO_MAX) {
            n = ngx_min(len, NGX_WASSIIT_TO_MAX - mp->to_len);
            ngx_memcpy(mp->to + mp->to_len, p, n);
        }

        mp->to_len += len;
        break;

    case ROLE_FILE:
        mp->file_len += len;
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
    mp->role = ROLE_NONE;
    mp->disposition = 0;
    mp->typed = 0;
    mp->encoded = 0;
    mp->filed = 0;
    mp->sound = 0;
    mp->bytes = 0;
    mp->mistyped = 0;
    mp->headers_len = 0;
    mp->header_len = 0;
    mp->line = 0;
    mp->data_len = 0;

    return NGX_OK;
}


/*
 * A line of the header is kept until the next one shows that it isn't
 * continued there.
 */

static ngx_int_t
ngx_wassiit_multipart_header(ngx_wassiit_multipart_t *mp, u_char c)
{
    if (mp->headers_len++ == NGX_WASSIIT_HEADERS_MAX) {
        return ngx_wassiit_multipart_fail(mp, "the header of a part has more "
                                          "than 8192 bytes");
    }

    if (mp->state == STATE_HEADER_CR) {

        if (c != '\n') {
            return ngx_wassiit_multipart_fail(mp, "the header of a part has "
                                              "a CR that ends no line");
        }

        mp->state = STATE_HEADER;

        if (mp->header_len > mp->line) {
            mp->line = mp->header_len;
            return NGX_OK;
        }

        /* the empty line behind the header */

        if (ngx_wassiit_multipart_line(mp) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_wassiit_multipart_begin(mp) != NGX_OK) {
            return NGX_ERROR;
        }

        /* the line end that is matched belongs to the header */

        mp->state = STATE_DATA;
        mp->matched = 2;
        mp->edge = 1;
        mp->bare = 1;

        return NGX_OK;
    }

    if (c == '\r') {
        mp->state = STATE_HEADER_CR;
        return NGX_OK;
    }

    if (c == '\n') {
        return ngx_wassiit_multipart_fail(mp, "the header of a part has a "
                                          "line that ends in LF, not CRLF");
    }

    if (mp->header_len && mp->header_len == mp->line) {

        if (c == ' ' || c == '\t') {
            if (ngx_wassiit_multipart_fold(mp) != NGX_OK) {
                return NGX_ERROR;
            }

        } else {
            if (ngx_wassiit_multipart_line(mp) != NGX_OK) {
                return NGX_ERROR;
            }

            mp->header_len = 0;
            mp->line = 0;
        }
    }

    if (mp->header_len == NGX_WASSIIT_HEADER_MAX) {
        return ngx_wassiit_multipart_fail(mp, ngx_wassiit_multipart_too_long);
    }

    mp->header[mp->header_len++] = c;

    return NGX_OK;
}


/* A line may be continued where a blank may stand, before a parameter. */

static ngx_int_t
ngx_wassiit_multipart_fold(ngx_wassiit_multipart_t *mp)
{
    if (mp->header[mp->header_len - 1] != ';') {
        return ngx_wassiit_multipart_fail(mp, "the header of a part has a "
                                          "line that is continued elsewhere "
                                          "than behind \";\"");
    }

    return NGX_OK;
}


/* A whole line: name, colon, value. */

static ngx_int_t
ngx_wassiit_multipart_line(ngx_wassiit_multipart_t *mp)
{
    u_char     *p, *last, *colon;
    ngx_str_t   name, value;

    p = mp->header;
    last = p + mp->header_len;

    if (p == last) {
        return NGX_OK;
    }

    colon = memchr(p, ':', last - p);

    if (colon == NULL) {
        return ngx_wassiit_multipart_fail(mp, "the header of a part has a "
                                          "line without a colon");
    }

    name.data = p;
    name.len = colon - p;

    if (!ngx_wassiit_multipart_token(&name)) {
        return ngx_wassiit_multipart_fail(mp, "the header of a part has a "
                                          "malformed name");
    }

    for (p = colon; p < last; p++) {
        if ((*p < 0x20 && *p != '\t') || *p == 0x7f) {
            return ngx_wassiit_multipart_fail(mp, "the header of a part has a "
                                              "control character");
        }
    }

    if (!ngx_wassiit_multipart_utf8(colon, last - colon)) {
        return ngx_wassiit_multipart_fail(mp, "the header of a part is not "
                                          "UTF-8");
    }

    p = ngx_wassiit_multipart_blanks(colon + 1, last);

    if (ngx_wassiit_multipart_is(&name, "content-disposition")) {
        return ngx_wassiit_multipart_disposition(mp, p, last);
    }

    if (ngx_wassiit_multipart_is(&name, "content-type")) {
        return ngx_wassiit_multipart_type(mp, p, last);
    }

    if (ngx_wassiit_multipart_is(&name, "content-length")) {
        return ngx_wassiit_multipart_length(mp, p, last);
    }

    if (ngx_wassiit_multipart_is(&name, "content-transfer-encoding")) {

        if (mp->encoded) {
            return ngx_wassiit_multipart_fail(mp, "a part has two Content-"
                                              "Transfer-Encoding headers");
        }

        mp->encoded = 1;

        value.data = p;
        value.len = last - p;

        if (!ngx_wassiit_multipart_is(&value, "binary")
            && !ngx_wassiit_multipart_is(&value, "8bit")
            && !ngx_wassiit_multipart_is(&value, "7bit"))
        {
            return ngx_wassiit_multipart_fail(mp, "a part has a Content-"
                                              "Transfer-Encoding");
        }
    }

    return NGX_OK;
}


/* The header is over: what its lines say together. */

static ngx_int_t
ngx_wassiit_multipart_begin(ngx_wassiit_multipart_t *mp)
{
    if (!mp->disposition) {
        return ngx_wassiit_multipart_fail(mp, "a part has no name");
    }

    if (mp->filed) {
        if (mp->filed_parts++ == NGX_WASSIIT_FILES_MAX) {
            return ngx_wassiit_multipart_fail(mp, "has more than 20 files");
        }

    } else if (mp->mistyped) {
        return ngx_wassiit_multipart_fail(mp, "a part has a Content-Type that "
                                          "is malformed, or of a charset that "
                                          "is not UTF-8");
    }

    if (mp->role == ROLE_TO && mp->bytes) {
        return ngx_wassiit_multipart_fail(mp, "\"to\" has a Content-Type that "
                                          "some take for a file's");
    }

    if (mp->role == ROLE_FILE && mp->sound) {
        mp->audio = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wassiit_multipart_disposition(ngx_wassiit_multipart_t *mp, u_char *p,
    u_char *last)
{
    u_char     *start;
    ngx_str_t   type, name, value, field, file, extended;

    if (mp->disposition) {
        return ngx_wassiit_multipart_fail(mp, "a part has two "
                                          "Content-Disposition headers");
    }

    for (start = p; p < last && *p != ';' && *p != ' ' && *p != '\t'; p++) {
        /* void */
    }

    type.data = start;
    type.len = p - start;

    if (!ngx_wassiit_multipart_is(&type, "form-data")) {
        return ngx_wassiit_multipart_fail(mp, "the Content-Disposition of a "
                                          "part is not form-data");
    }

    ngx_str_null(&field);
    ngx_str_null(&file);
    ngx_str_null(&extended);

    for ( ;; ) {
        p = ngx_wassiit_multipart_parameter(p, last, &name, &value);

        if (p == NULL) {
            return ngx_wassiit_multipart_fail(mp, "the Content-Disposition "
                                              "of a part is malformed");
        }

        if (name.len == 0) {
            break;
        }

        if (ngx_wassiit_multipart_is(&name, "name")) {

            if (field.data) {
                return ngx_wassiit_multipart_fail(mp, "a part has two names");
            }

            field = value;

        } else if (ngx_wassiit_multipart_is(&name, "name*")) {
            /* RFC 7578 knows none, but some readers do */
            return ngx_wassiit_multipart_fail(mp, "a part has a name*");

        } else if (ngx_wassiit_multipart_is(&name, "filename")) {

            if (file.data) {
                return ngx_wassiit_multipart_fail(mp, "a part has two file "
                                                  "names");
            }

            file = value;

        } else if (ngx_wassiit_multipart_is(&name, "filename*")) {

            if (ngx_wassiit_multipart_extended(&value) != NGX_OK) {
                return ngx_wassiit_multipart_fail(mp, "the filename* of a "
                                                  "part is malformed");
            }

            if (extended.data) {
                return ngx_wassiit_multipart_fail(mp, "a part has two file "
                                                  "names");
            }

            extended = value;

        } else if (memchr(name.data, '*', name.len)) {
            /* RFC 2231, section 3: some put such pieces together */
            return ngx_wassiit_multipart_fail(mp, "a part has a parameter "
                                              "with \"*\" in its name");
        }
    }

    mp->disposition = 1;
    mp->filed = (file.data || extended.data);

    if (!ngx_wassiit_multipart_plain(&field)
        || !ngx_wassiit_multipart_plain(&file)
        || !ngx_wassiit_multipart_plain(&extended))
    {
        return ngx_wassiit_multipart_fail(mp, "a part has a name that some "
                                          "take for another");
    }

    if (ngx_wassiit_multipart_field(mp, &field) != NGX_OK) {
        return NGX_ERROR;
    }

    return mp->filed ? ngx_wassiit_multipart_file(mp, &file, &extended)
                     : NGX_OK;
}


static ngx_int_t
ngx_wassiit_multipart_field(ngx_wassiit_multipart_t *mp, ngx_str_t *field)
{
    if (field->len == 0) {
        return ngx_wassiit_multipart_fail(mp, "a part has no name");
    }

    if (field->data[0] == '\'' || memchr(field->data, '\\', field->len)
        || (field->len >= 2 && ngx_memcmp(field->data, "=?", 2) == 0)
        || (field->len >= 3 && ngx_memcmp(field->data, "to[", 3) == 0)
        || (field->len >= 5 && ngx_memcmp(field->data, "file[", 5) == 0))
    {
        return ngx_wassiit_multipart_fail(mp, "a part has a name that some "
                                          "take for another");
    }

    if (ngx_wassiit_multipart_is(field, "_charset_")
        || ngx_wassiit_multipart_is(field, "max_file_size"))
    {
        return ngx_wassiit_multipart_fail(mp, "a part has a name by which "
                                          "some read the others in another "
                                          "way");
    }

    if (field->len == 2 && ngx_memcmp(field->data, "to", 2) == 0) {
        if (mp->filed) {
            return ngx_wassiit_multipart_fail(mp, "\"to\" has a file name");
        }

        mp->role = ROLE_TO;
        mp->to_len = 0;
        mp->tos++;

    } else if (field->len == 4 && ngx_memcmp(field->data, "file", 4) == 0) {
        mp->role = ROLE_FILE;
        mp->files++;
        mp->named = 0;
        mp->audio = 0;
    }

    return NGX_OK;
}


/* There is a file name, perhaps an empty one. */

static ngx_int_t
ngx_wassiit_multipart_file(ngx_wassiit_multipart_t *mp, ngx_str_t *file,
    ngx_str_t *extended)
{
    ngx_str_t  base;

    if (mp->role == ROLE_FILE) {
        mp->named = (file->len != 0 || extended->len != 0);
    }

    if (file->data == NULL) {
        /* who doesn't know RFC 8187 takes it for a field */
        return ngx_wassiit_multipart_fail(mp, "a part has a filename* without "
                                          "a filename");
    }

    if (extended->data && !ngx_wassiit_multipart_same(file, extended)) {
        return ngx_wassiit_multipart_fail(mp, "a part has two file names");
    }

    base = *file;
    ngx_wassiit_multipart_base(&base);

    if (file->len
        && (base.len == 0 || (base.len == 1 && base.data[0] == '.')
            || (base.len == 2 && ngx_memcmp(base.data, "..", 2) == 0)))
    {
        return ngx_wassiit_multipart_fail(mp, "a part has a file name of which "
                                          "nothing is left without its "
                                          "folder");
    }

    if (mp->role == ROLE_FILE) {
        mp->audio = ngx_wassiit_multipart_sound(&base);
    }

    return NGX_OK;
}


/*
 * .NET sends its name twice, the first time as it is, or, if it isn't ASCII,
 * as a word of RFC 2047.  That becomes the name that it stands for.
 */

static ngx_uint_t
ngx_wassiit_multipart_same(ngx_str_t *file, ngx_str_t *extended)
{
    ssize_t    n;
    ngx_str_t  begin;

    begin.data = file->data;
    begin.len = sizeof("=?utf-8?B?") - 1;

    if (file->len > begin.len + 2
        && ngx_wassiit_multipart_is(&begin, "=?utf-8?b?")
        && ngx_memcmp(file->data + file->len - 2, "?=", 2) == 0)
    {
        /* never longer than its text, which it is written over */

        n = ngx_wassiit_hmac_decode(file->data, file->data + begin.len,
                                    file->len - begin.len - 2);
        if (n == NGX_ERROR) {
            return 0;
        }

        file->len = n;
    }

    return file->len == extended->len
           && ngx_memcmp(file->data, extended->data, file->len) == 0;
}


/* The type and subtype, and a charset; what it means depends on the part. */

static ngx_int_t
ngx_wassiit_multipart_type(ngx_wassiit_multipart_t *mp, u_char *p,
    u_char *last)
{
    u_char      *start;
    ngx_str_t    type, major, name, value;
    ngx_uint_t   charset;

    if (mp->typed) {
        return ngx_wassiit_multipart_fail(mp, "a part has two Content-Type "
                                          "headers");
    }

    mp->typed = 1;

    for (start = p; p < last && *p != ';' && *p != ' ' && *p != '\t'; p++) {
        /* void */
    }

    type.data = start;
    type.len = p - start;

    major.data = start;
    major.len = 0;

    while (major.len < type.len && start[major.len] != '/') {
        major.len++;
    }

    name.data = start + major.len + 1;
    name.len = (major.len < type.len) ? type.len - major.len - 1 : 0;

    if (!ngx_wassiit_multipart_token(&major)
        || !ngx_wassiit_multipart_token(&name))
    {
        mp->mistyped = (start != last);
        return NGX_OK;
    }

    if (ngx_wassiit_multipart_is(&major, "multipart")
        || ngx_wassiit_multipart_is(&major, "message"))
    {
        return ngx_wassiit_multipart_fail(mp, "a part has a Content-Type by "
                                          "which some look for parts in it");
    }

    /* of which part, the disposition may yet tell */

    mp->sound = ngx_wassiit_multipart_is(&major, "audio");
    mp->bytes = ngx_wassiit_multipart_is(&type, "application/octet-stream");

    for (charset = 0; /* void */ ; /* void */ ) {
        p = ngx_wassiit_multipart_parameter(p, last, &name, &value);

        if (p == NULL) {
            mp->mistyped = 1;
            break;
        }

        if (name.len == 0) {
            break;
        }

        if (ngx_wassiit_multipart_has(&name, "charset")) {
            mp->mistyped |= (charset++ != 0
                             || !ngx_wassiit_multipart_is(&name, "charset")
                             || !ngx_wassiit_multipart_ascii(&value));
        }
    }

    return NGX_OK;
}


/* Charsets that clients name, in which ASCII is what it is in UTF-8. */

static ngx_uint_t
ngx_wassiit_multipart_ascii(const ngx_str_t *charset)
{
    return ngx_wassiit_multipart_is(charset, "utf-8")
           || ngx_wassiit_multipart_is(charset, "us-ascii")
           || ngx_wassiit_multipart_is(charset, "iso-8859-1");
}


/* Some read as many bytes as it says. */

static ngx_int_t
ngx_wassiit_multipart_length(ngx_wassiit_multipart_t *mp, u_char *p,
    u_char *last)
{
    if (mp->measured) {
        return ngx_wassiit_multipart_fail(mp, "a part has two Content-Length "
                                          "headers");
    }

    mp->measured = 1;
    mp->length = 0;

    if (p == last || last - p > 18) {
        p = NULL;
    }

    for ( /* void */ ; p && p < last; p++) {
        if (*p < '0' || *p > '9') {
            p = NULL;
            break;
        }

        mp->length = mp->length * 10 + (*p - '0');
    }

    return p ? NGX_OK
             : ngx_wassiit_multipart_fail(mp, "a part has a Content-Length "
                                          "that is not its length");
}


/*
 * The next parameter behind ";": name=token or name="text", which is unquoted
 * in place.  A blank may follow the semicolon, and stand nowhere else.  Returns
 * what follows, with name->len 0 at the end; NULL: malformed.
 */

static u_char *
ngx_wassiit_multipart_parameter(u_char *p, u_char *last, ngx_str_t *name,
    ngx_str_t *value)
{
    name->len = 0;

    if (p == last) {
        return p;
    }

    if (*p++ != ';') {
        return NULL;
    }

    p = ngx_wassiit_multipart_blanks(p, last);

    name->data = p;

    while (p < last && *p != '=') {
        p++;
    }

    name->len = p - name->data;

    if (!ngx_wassiit_multipart_token(name) || p == last) {
        return NULL;
    }

    p++;

    if (p < last && *p == '"') {
        return ngx_wassiit_multipart_quoted(p + 1, last, value);
    }

    value->data = p;

    while (p < last && *p != ';') {
        p++;
    }

    value->len = p - value->data;

    /* single quotes are those of RFC 8187, or some quote by them */

    if (!ngx_wassiit_multipart_token(value)
        || (memchr(value->data, '\'', value->len)
            && name->data[name->len - 1] != '*'))
    {
        return NULL;
    }

    return p;
}


/*
 * A backslash escapes a quote or a backslash, and is else a character, as in
 * names with folders of Windows; but not before the others that RFC 2045 has
 * quoted, where it escapes to some.
 */

static u_char *
ngx_wassiit_multipart_quoted(u_char *p, u_char *last, ngx_str_t *value)
{
    u_char  *dst;

    dst = p;
    value->data = p;

    while (p < last && *p != '"') {

        if (*p == '\\') {

            if (last - p < 2 || ngx_strchr("()<>@,;:/[]?=", p[1])) {
                return NULL;
            }

            if (p[1] == '"') {
                p++;

            } else if (p[1] == '\\') {

                if (last - p > 2 && p[2] == '"') {
                    /* to some this quote is escaped */
                    return NULL;
                }

                p++;
            }
        }

        *dst++ = *p++;
    }

    value->len = dst - value->data;

    return (p < last) ? p + 1 : NULL;
}


/*
 * RFC 8187: utf-8''text, percent-encoded and without a language, as clients
 * send it that send it at all; the text takes its place.
 */

static ngx_int_t
ngx_wassiit_multipart_extended(ngx_str_t *value)
{
    u_char      c, *p, *dst, *last;
    ngx_str_t   charset;
    ngx_uint_t  i, digit;

    charset.data = value->data;
    charset.len = sizeof("utf-8''") - 1;

    if (value->data[-1] == '"' || value->len < charset.len
        || !ngx_wassiit_multipart_is(&charset, "utf-8''"))
    {
        return NGX_ERROR;
    }

    p = value->data + charset.len;
    last = value->data + value->len;

    dst = p;
    value->data = dst;

    while (p < last) {
        c = *p++;

        if (c == '\'' || c == '*') {
            return NGX_ERROR;
        }

        if (c == '%') {

            if (last - p < 2) {
                return NGX_ERROR;
            }

            for (c = 0, i = 0; i < 2; i++, p++) {

                if (*p >= '0' && *p <= '9') {
                    digit = *p - '0';

                } else if (ngx_tolower(*p) >= 'a' && ngx_tolower(*p) <= 'f') {
                    digit = ngx_tolower(*p) - 'a' + 10;

                } else {
                    return NGX_ERROR;
                }

                c = c << 4 | digit;
            }
        }

        *dst++ = c;
    }

    value->len = dst - value->data;

    return ngx_wassiit_multipart_utf8(value->data, value->len) ? NGX_OK
                                                               : NGX_ERROR;
}


/* without control characters, and blanks that some strip */

static ngx_uint_t
ngx_wassiit_multipart_plain(ngx_str_t *name)
{
    size_t  i;

    if (name->data && name->len
        && (name->data[0] == ' ' || name->data[name->len - 1] == ' '))
    {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < 0x20 || name->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


/* RFC 3629, section 4 */

static ngx_uint_t
ngx_wassiit_multipart_utf8(const u_char *p, size_t len)
{
    u_char      low, high;
    ngx_uint_t  more;

    while (len) {
        low = 0x80;
        high = 0xbf;

        if (*p < 0x80) {
            more = 0;

        } else if (*p >= 0xc2 && *p <= 0xdf) {
            more = 1;

        } else if (*p >= 0xe0 && *p <= 0xef) {
            more = 2;
            low = (*p == 0xe0) ? 0xa0 : low;
            high = (*p == 0xed) ? 0x9f : high;

        } else if (*p >= 0xf0 && *p <= 0xf4) {
            more = 3;
            low = (*p == 0xf0) ? 0x90 : low;
            high = (*p == 0xf4) ? 0x8f : high;

        } else {
            return 0;
        }

        if (len <= more) {
            return 0;
        }

        for (p++, len--; more; p++, len--, more--) {
            if (*p < low || *p > high) {
                return 0;
            }

            low = 0x80;
            high = 0xbf;
        }
    }

    return 1;
}


/* Takes the folder off, of Unix and of Windows. */

static void
ngx_wassiit_multipart_base(ngx_str_t *name)
{
    size_t  i;

    for (i = name->len; i; i--) {
        if (name->data[i - 1] == '/' || name->data[i - 1] == '\\') {
            break;
        }
    }

    name->data += i;
    name->len -= i;
}


static ngx_uint_t
ngx_wassiit_multipart_sound(ngx_str_t *name)
{
    size_t       i;
    ngx_str_t    end;
    const char **e;

    for (i = name->len; i && name->data[i - 1] != '.'; i--) { /* void */ }

    if (i == 0) {
        return 0;
    }

    end.data = name->data + i;
    end.len = name->len - i;

    for (e = ngx_wassiit_multipart_extensions; *e; e++) {
        if (ngx_wassiit_multipart_is(&end, *e)) {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_wassiit_multipart_is(const ngx_str_t *s, const char *lowcase)
{
    size_t  i;

    if (s->len != ngx_strlen(lowcase)) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {
        if (ngx_tolower(s->data[i]) != (u_char) lowcase[i]) {
            return 0;
        }
    }

    return 1;
}


/* how often the word stands in it */

static ngx_uint_t
ngx_wassiit_multipart_has(const ngx_str_t *s, const char *lowcase)
{
    size_t      i;
    ngx_str_t   within;
    ngx_uint_t  n;

    n = 0;
    within.len = ngx_strlen(lowcase);

    for (i = 0; i + within.len <= s->len; i++) {
        within.data = s->data + i;
        n += ngx_wassiit_multipart_is(&within, lowcase);
    }

    return n;
}


/* RFC 9110, section 5.6.2 */

static ngx_uint_t
ngx_wassiit_multipart_token(const ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (!isalnum(s->data[i])
            && (s->data[i] == '\0'
                || ngx_strchr("!#$%&'*+-.^_`|~", s->data[i]) == NULL))
        {
            return 0;
        }
    }

    return s->len != 0;
}


static u_char *
ngx_wassiit_multipart_blanks(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
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

    } else if ((whole || mp->role != ROLE_TO)
               && !ngx_wassiit_e164(mp->to, mp->to_len))
    {
        to = ngx_wassiit_e164_rule;
    }

    if (mp->files != 1) {
        file = mp->files ? "must stand once" : whole ? "is missing" : NULL;

    } else if (!mp->named) {
        file = "must have a file name";

    } else if (mp->file_len == 0) {
        file = (whole || mp->role != ROLE_FILE) ? "must not be empty" : NULL;

    } else if (audio && !mp->audio && (whole || mp->role != ROLE_FILE)) {
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
