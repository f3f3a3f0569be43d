
#include "ngx_wassiit_multipart.h"
#include "ngx_wassiit_rules.h"


enum {
    STATE_DATA = 0,         /* of a part, or what precedes the first */
    STATE_DELIMITER,        /* behind a whole delimiter */
    STATE_DASH,             /* behind it and "-" */
    STATE_PADDING,          /* blanks behind it */
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
    const u_char *p, const u_char *last);
static void ngx_wassiit_multipart_keep(ngx_wassiit_multipart_t *mp,
    const u_char *p, size_t len);
static const u_char *ngx_wassiit_multipart_blank(const u_char *p,
    const u_char *last);
static void ngx_wassiit_multipart_mismatch(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_part(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_header(ngx_wassiit_multipart_t *mp,
    u_char c);
static ngx_int_t ngx_wassiit_multipart_line(ngx_wassiit_multipart_t *mp);
static ngx_int_t ngx_wassiit_multipart_disposition(
    ngx_wassiit_multipart_t *mp, u_char *p, u_char *last);
static u_char *ngx_wassiit_multipart_parameter(u_char *p, u_char *last,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_wassiit_multipart_extended(ngx_str_t *value);
static ngx_uint_t ngx_wassiit_multipart_plain(ngx_str_t *name);
static ngx_uint_t ngx_wassiit_multipart_sound(ngx_str_t *name);
static ngx_uint_t ngx_wassiit_multipart_is(const ngx_str_t *s,
    const char *lowcase);
static ngx_uint_t ngx_wassiit_multipart_token(const ngx_str_t *s);
static u_char *ngx_wassiit_multipart_blanks(u_char *p, u_char *last);
static ngx_int_t ngx_wassiit_multipart_fail(ngx_wassiit_multipart_t *mp,
    const char *error);


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
    ngx_str_t   name, value, within, boundary;

    ngx_memzero(mp, offsetof(ngx_wassiit_multipart_t, header));

    if (len > NGX_WASSIIT_HEADER_MAX) {
        return NGX_ERROR;
    }

    /* parsed in the room for headers, as quoted values change in place */

    ngx_memcpy(mp->header, type, len);

    p = mp->header;
    last = p + len;

    for (i = 0; i < len && p[i] != ';' && p[i] != ' ' && p[i] != '\t'; i++) {
        /* void */
    }

    name.data = p;
    name.len = i;

    if (!ngx_wassiit_multipart_is(&name, "multipart/form-data")) {
        return NGX_DECLINED;
    }

    p += i;

    if (memchr(mp->header, '\\', len)) {
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

        /* others might go by "xboundary", by "boundary*0", or by the second */

        within.len = sizeof("boundary") - 1;

        for (i = 0; i + within.len <= name.len; i++) {
            within.data = name.data + i;

            if (!ngx_wassiit_multipart_is(&within, "boundary")) {
                continue;
            }

            if (boundary.data || name.len != within.len) {
                return NGX_ERROR;
            }

            boundary = value;
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

    /* the first stands where the body begins, without a line end before */

    mp->matched = 2;
    mp->edge = 1;

    return NGX_OK;
}


ngx_int_t
ngx_wassiit_multipart_parse(ngx_wassiit_multipart_t *mp, const u_char *p,
    size_t len)
{
    const u_char  *last;

    if (mp->error) {
        return NGX_ERROR;
    }

    last = p + len;

    while (p < last) {

        switch (mp->state) {

        case STATE_DATA:
            p = ngx_wassiit_multipart_data(mp, p, last);

            if (mp->error) {
                return NGX_ERROR;
            }

            break;

        case STATE_DELIMITER:
            if (*p == '-') {
                mp->state = STATE_DASH;
                p++;
                break;
            }

            /* fall through */

        case STATE_PADDING:
            if (*p == ' ' || *p == '\t') {
                mp->state = STATE_PADDING;

            } else if (*p == '\r') {
                mp->state = STATE_CR;

            } else {
                return ngx_wassiit_multipart_fail(mp,
                                                "has text behind a boundary");
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

    return NGX_OK;
}


/*
 * Looks for the delimiter, which is CRLF, two dashes and the boundary.  LF
 * doesn't come again in it, so after a mismatch nothing of what has matched can
 * begin another.  Of a CR that ends a piece nobody knows yet; it is matched.
 */

static const u_char *
ngx_wassiit_multipart_data(ngx_wassiit_multipart_t *mp, const u_char *p,
    const u_char *last)
{
    size_t         cr;
    const u_char  *lf;

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
        (void) ngx_wassiit_multipart_fail(mp, "has a boundary that no CRLF of "
                                          "its own precedes");
        return p;
    }

    mp->begun = 1;
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
    mp->sound = 0;
    mp->header_len = 0;
    mp->line = 0;

    return NGX_OK;
}


/*
 * A line of the header is kept until the next one shows that it isn't
 * continued there.
 */

static ngx_int_t
ngx_wassiit_multipart_header(ngx_wassiit_multipart_t *mp, u_char c)
{
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

        if (!mp->disposition) {
            return ngx_wassiit_multipart_fail(mp, "a part has no name");
        }

        if (mp->role == ROLE_FILE && mp->sound) {
            mp->audio = 1;
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

    if (mp->header_len && mp->header_len == mp->line
        && c != ' ' && c != '\t')
    {
        if (ngx_wassiit_multipart_line(mp) != NGX_OK) {
            return NGX_ERROR;
        }

        mp->header_len = 0;
        mp->line = 0;
    }

    if (mp->header_len == NGX_WASSIIT_HEADER_MAX) {
        return ngx_wassiit_multipart_fail(mp, ngx_wassiit_multipart_too_long);
    }

    mp->header[mp->header_len++] = c;

    return NGX_OK;
}


/* A whole line: name, colon, value. */

static ngx_int_t
ngx_wassiit_multipart_line(ngx_wassiit_multipart_t *mp)
{
    u_char     *p, *last, *colon;
    ngx_str_t   name, type, value;

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

    p = ngx_wassiit_multipart_blanks(colon + 1, last);

    if (ngx_wassiit_multipart_is(&name, "content-disposition")) {
        return ngx_wassiit_multipart_disposition(mp, p, last);
    }

    if (ngx_wassiit_multipart_is(&name, "content-transfer-encoding")) {
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

    if (ngx_wassiit_multipart_is(&name, "content-type")) {
        type.data = p;
        type.len = sizeof("audio/") - 1;

        if (last - p > (ssize_t) type.len
            && ngx_wassiit_multipart_is(&type, "audio/"))
        {
            /* of which part, the disposition may yet tell */
            mp->sound = 1;
        }
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
        }
    }

    if (field.len == 0) {
        return ngx_wassiit_multipart_fail(mp, "a part has no name");
    }

    if (!ngx_wassiit_multipart_plain(&field)
        || !ngx_wassiit_multipart_plain(&file)
        || !ngx_wassiit_multipart_plain(&extended)
        || ngx_strchr(" '", field.data[0]) || field.data[field.len - 1] == ' '
        || (field.len >= 3 && ngx_memcmp(field.data, "to[", 3) == 0)
        || (field.len >= 5 && ngx_memcmp(field.data, "file[", 5) == 0))
    {
        return ngx_wassiit_multipart_fail(mp, "a part has a name that some "
                                          "take for another");
    }

    mp->disposition = 1;

    if (field.len == 2 && ngx_memcmp(field.data, "to", 2) == 0) {
        if (file.data || extended.data) {
            return ngx_wassiit_multipart_fail(mp, "\"to\" has a file name");
        }

        mp->role = ROLE_TO;
        mp->to_len = 0;
        mp->tos++;

    } else if (field.len == 4 && ngx_memcmp(field.data, "file", 4) == 0) {
        mp->role = ROLE_FILE;
        mp->files++;

        mp->named = (file.len != 0 || extended.len != 0);

        /* of two names nobody knows which a backend goes by */

        mp->audio = ((file.data == NULL || ngx_wassiit_multipart_sound(&file))
                     && (extended.data == NULL
                         || ngx_wassiit_multipart_sound(&extended))
                     && mp->named);
    }

    return NGX_OK;
}


/*
 * The next parameter behind ";": name = token or quoted string, which is
 * unquoted in place.  Returns what follows, with name->len 0 at the end; NULL:
 * malformed.
 */

static u_char *
ngx_wassiit_multipart_parameter(u_char *p, u_char *last, ngx_str_t *name,
    ngx_str_t *value)
{
    u_char  *dst;

    name->len = 0;

    p = ngx_wassiit_multipart_blanks(p, last);

    if (p == last) {
        return p;
    }

    if (*p++ != ';') {
        return NULL;
    }

    p = ngx_wassiit_multipart_blanks(p, last);

    if (p == last) {
        /* many end with one semicolon too many */
        return p;
    }

    name->data = p;

    while (p < last && *p != '=' && *p != ';' && *p != ' ' && *p != '\t') {
        p++;
    }

    name->len = p - name->data;
    p = ngx_wassiit_multipart_blanks(p, last);

    if (!ngx_wassiit_multipart_token(name) || p == last || *p++ != '=') {
        return NULL;
    }

    p = ngx_wassiit_multipart_blanks(p, last);

    if (p < last && *p == '"') {
        dst = ++p;
        value->data = dst;

        while (p < last && *p != '"') {

            if (*p == '\\' && p + 1 < last) {
                p++;
            }

            *dst++ = *p++;
        }

        value->len = dst - value->data;

        return (p < last) ? p + 1 : NULL;
    }

    value->data = p;

    while (p < last && *p != ';' && *p != ' ' && *p != '\t') {

        if (*p == ',' || *p == '"') {
            return NULL;
        }

        p++;
    }

    value->len = p - value->data;

    return p;
}


/* RFC 8187: charset'language'text, percent-encoded; the text takes its place */

static ngx_int_t
ngx_wassiit_multipart_extended(ngx_str_t *value)
{
    u_char      c, *p, *dst, *last;
    ngx_uint_t  i, digit;

    p = value->data;
    last = p + value->len;

    for (i = 0; i < 2; i++) {
        p = memchr(p, '\'', last - p);

        if (p == NULL) {
            return NGX_ERROR;
        }

        p++;
    }

    dst = p;
    value->data = dst;

    while (p < last) {
        c = *p++;

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

    return NGX_OK;
}


/* without control characters */

static ngx_uint_t
ngx_wassiit_multipart_plain(ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < 0x20 || name->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
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
