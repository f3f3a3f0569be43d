
#include "ngx_wassiit_header.h"
#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_part.h"


static ngx_int_t ngx_wassiit_part_byte(ngx_wassiit_part_t *part, u_char c);
static ngx_int_t ngx_wassiit_part_fold(ngx_wassiit_part_t *part);
static ngx_int_t ngx_wassiit_part_line(ngx_wassiit_part_t *part);
static ngx_int_t ngx_wassiit_part_disposition(ngx_wassiit_part_t *part,
    u_char *p, u_char *last);
static ngx_uint_t ngx_wassiit_part_is_list(ngx_str_t *name);
static ngx_int_t ngx_wassiit_part_field(ngx_wassiit_part_t *part,
    ngx_str_t *field);
static ngx_int_t ngx_wassiit_part_file(ngx_wassiit_part_t *part,
    ngx_str_t *file, ngx_str_t *extended);
static ngx_uint_t ngx_wassiit_part_same(ngx_str_t *file, ngx_str_t *extended);
static ngx_int_t ngx_wassiit_part_type(ngx_wassiit_part_t *part, u_char *p,
    u_char *last);
static ngx_int_t ngx_wassiit_part_length(ngx_wassiit_part_t *part, u_char *p,
    u_char *last);
static ngx_uint_t ngx_wassiit_part_plain(ngx_str_t *name);
static void ngx_wassiit_part_base(ngx_str_t *name);
static ngx_uint_t ngx_wassiit_part_sound(ngx_str_t *name);
static ngx_int_t ngx_wassiit_part_fail(ngx_wassiit_part_t *part,
    const char *error);


/* the usual names' ends; the type decides where it is told */

static const char  *ngx_wassiit_part_extensions[] = {
    "3gp", "aac", "aif", "aiff", "amr", "caf", "flac", "m4a", "m4b", "mid",
    "midi", "mka", "mp2", "mp3", "mpga", "oga", "ogg", "opus", "wav", "weba",
    "wma", NULL
};


void
ngx_wassiit_part_init(ngx_wassiit_part_t *part)
{
    ngx_memzero(part, offsetof(ngx_wassiit_part_t, header));
}


ngx_int_t
ngx_wassiit_part_parse(ngx_wassiit_part_t *part, const u_char **p,
    const u_char *last)
{
    ngx_int_t  rc;

    do {
        if (*p == last) {
            return NGX_AGAIN;
        }

        rc = ngx_wassiit_part_byte(part, *(*p)++);

    } while (rc == NGX_AGAIN);

    return rc;
}


/*
 * A line of the header is kept until the next one shows that it isn't
 * continued there.
 */

static ngx_int_t
ngx_wassiit_part_byte(ngx_wassiit_part_t *part, u_char c)
{
    if (part->headers_len++ == NGX_WASSIIT_HEADERS_MAX) {
        return ngx_wassiit_part_fail(part, "the header of a part has more "
                                     "than 8192 bytes");
    }

    if (part->cr) {

        if (c != '\n') {
            return ngx_wassiit_part_fail(part, "the header of a part has a CR "
                                         "that ends no line");
        }

        part->cr = 0;

        if (part->header_len > part->line) {
            part->line = part->header_len;
            return NGX_AGAIN;
        }

        /* the empty line after the header */

        return ngx_wassiit_part_line(part);
    }

    if (c == '\r') {
        part->cr = 1;
        return NGX_AGAIN;
    }

    if (c == '\n') {
        return ngx_wassiit_part_fail(part, "the header of a part has a line "
                                     "that ends in LF, not CRLF");
    }

    if (part->header_len && part->header_len == part->line) {

        if (c == ' ' || c == '\t') {
            if (ngx_wassiit_part_fold(part) != NGX_OK) {
                return NGX_ERROR;
            }

        } else {
            if (ngx_wassiit_part_line(part) != NGX_OK) {
                return NGX_ERROR;
            }

            part->header_len = 0;
            part->line = 0;
        }
    }

    if (part->header_len == NGX_WASSIIT_HEADER_MAX) {
        return ngx_wassiit_part_fail(part, "the header of a part has a line "
                                     "of more than 4096 bytes");
    }

    part->header[part->header_len++] = c;

    return NGX_AGAIN;
}


/* A line may be continued where a blank may stand, before a parameter. */

static ngx_int_t
ngx_wassiit_part_fold(ngx_wassiit_part_t *part)
{
    if (part->header[part->header_len - 1] != ';') {
        return ngx_wassiit_part_fail(part, "the header of a part has a "
                                     "line that is continued elsewhere "
                                     "than behind \";\"");
    }

    return NGX_OK;
}


/* A whole line: name, colon, value. */

static ngx_int_t
ngx_wassiit_part_line(ngx_wassiit_part_t *part)
{
    u_char     *p, *last, *colon;
    ngx_str_t   name, value;

    p = part->header;
    last = p + part->header_len;

    if (p == last) {
        return NGX_OK;
    }

    colon = memchr(p, ':', last - p);

    if (colon == NULL) {
        return ngx_wassiit_part_fail(part, "the header of a part has a "
                                     "line without a colon");
    }

    name.data = p;
    name.len = colon - p;

    /* some take a line that begins with the boundary for one, "--bX:" too */

    if (!ngx_wassiit_header_is_token(&name)
        || (name.len >= 2 && ngx_memcmp(name.data, "--", 2) == 0))
    {
        return ngx_wassiit_part_fail(part, "the header of a part has a "
                                     "malformed name");
    }

    for (p = colon; p < last; p++) {
        if ((*p < 0x20 && *p != '\t') || *p == 0x7f) {
            return ngx_wassiit_part_fail(part, "the header of a part has a "
                                         "control character");
        }
    }

    if (!ngx_wassiit_header_is_utf8(colon, last - colon)) {
        return ngx_wassiit_part_fail(part, "the header of a part is not "
                                     "UTF-8");
    }

    p = ngx_wassiit_header_blanks(colon + 1, last);

    if (ngx_wassiit_header_is(&name, "content-disposition")) {
        return ngx_wassiit_part_disposition(part, p, last);
    }

    if (ngx_wassiit_header_is(&name, "content-type")) {
        return ngx_wassiit_part_type(part, p, last);
    }

    if (ngx_wassiit_header_is(&name, "content-length")) {
        return ngx_wassiit_part_length(part, p, last);
    }

    if (ngx_wassiit_header_is(&name, "content-transfer-encoding")) {

        if (part->encoded) {
            return ngx_wassiit_part_fail(part, "a part has two Content-"
                                         "Transfer-Encoding headers");
        }

        part->encoded = 1;

        value.data = p;
        value.len = last - p;

        if (!ngx_wassiit_header_is(&value, "binary")
            && !ngx_wassiit_header_is(&value, "8bit")
            && !ngx_wassiit_header_is(&value, "7bit"))
        {
            return ngx_wassiit_part_fail(part, "a part has a Content-"
                                         "Transfer-Encoding");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_wassiit_part_disposition(ngx_wassiit_part_t *part, u_char *p,
    u_char *last)
{
    u_char     *start;
    ngx_str_t   type, name, value, field, file, extended;

    if (part->disposition) {
        return ngx_wassiit_part_fail(part, "a part has two "
                                     "Content-Disposition headers");
    }

    for (start = p; p < last && *p != ';' && *p != ' ' && *p != '\t'; p++) {
        /* void */
    }

    type.data = start;
    type.len = p - start;

    if (!ngx_wassiit_header_is(&type, "form-data")) {
        return ngx_wassiit_part_fail(part, "the Content-Disposition of a "
                                     "part is not form-data");
    }

    ngx_str_null(&field);
    ngx_str_null(&file);
    ngx_str_null(&extended);

    for ( ;; ) {
        p = ngx_wassiit_header_parameter(p, last, &name, &value);

        if (p == NULL) {
            return ngx_wassiit_part_fail(part, "the Content-Disposition "
                                         "of a part is malformed");
        }

        if (name.len == 0) {
            break;
        }

        if (ngx_wassiit_header_is(&name, "name")) {

            if (field.data) {
                return ngx_wassiit_part_fail(part, "a part has two names");
            }

            field = value;

        } else if (ngx_wassiit_header_is(&name, "name*")) {
            /* RFC 7578 knows none, but some readers do */
            return ngx_wassiit_part_fail(part, "a part has a name*");

        } else if (ngx_wassiit_header_is(&name, "filename")) {

            if (file.data) {
                return ngx_wassiit_part_fail(part, "a part has two file "
                                             "names");
            }

            file = value;

        } else if (ngx_wassiit_header_is(&name, "filename*")) {

            if (ngx_wassiit_header_extended(&value) != NGX_OK) {
                return ngx_wassiit_part_fail(part, "the filename* of a "
                                             "part is malformed");
            }

            if (extended.data) {
                return ngx_wassiit_part_fail(part, "a part has two file "
                                             "names");
            }

            extended = value;

        } else if (memchr(name.data, '*', name.len)) {
            /* RFC 2231, section 3: some put such pieces together */
            return ngx_wassiit_part_fail(part, "a part has a parameter "
                                         "with \"*\" in its name");
        }
    }

    part->disposition = 1;
    part->filed = (file.data || extended.data);

    if (!ngx_wassiit_part_plain(&field)
        || !ngx_wassiit_part_plain(&file)
        || !ngx_wassiit_part_plain(&extended))
    {
        return ngx_wassiit_part_fail(part, "a part has a name that some "
                                     "take for another");
    }

    if (ngx_wassiit_part_field(part, &field) != NGX_OK) {
        return NGX_ERROR;
    }

    return part->filed ? ngx_wassiit_part_file(part, &file, &extended)
                       : NGX_OK;
}


/*
 * Are the brackets of a name, if it has any, those of "a[b][]"?  PHP takes no
 * file behind one whose aren't.
 */

static ngx_uint_t
ngx_wassiit_part_is_list(ngx_str_t *name)
{
    size_t      i;
    ngx_uint_t  open;

    open = 0;

    for (i = 0; i < name->len; i++) {

        if (name->data[i] == '[') {
            open++;

        } else if (name->data[i] == ']') {

            if (open-- == 0 || (i + 1 < name->len && name->data[i + 1] != '['))
            {
                return 0;
            }
        }
    }

    return open == 0;
}


static ngx_int_t
ngx_wassiit_part_field(ngx_wassiit_part_t *part, ngx_str_t *field)
{
    if (field->len == 0) {
        return ngx_wassiit_part_fail(part, "a part has no name");
    }

    if (field->data[0] == '\'' || memchr(field->data, '\\', field->len)
        || (field->len >= 2 && ngx_memcmp(field->data, "=?", 2) == 0)
        || (field->len >= 3 && ngx_memcmp(field->data, "to[", 3) == 0)
        || (field->len >= 5 && ngx_memcmp(field->data, "file[", 5) == 0)
        || (part->filed && !ngx_wassiit_part_is_list(field)))
    {
        return ngx_wassiit_part_fail(part, "a part has a name that some "
                                     "take for another");
    }

    if (ngx_wassiit_header_is(field, "_charset_")
        || ngx_wassiit_header_is(field, "max_file_size"))
    {
        return ngx_wassiit_part_fail(part, "a part has a name by which "
                                     "some read the others in another "
                                     "way");
    }

    if (field->len == 2 && ngx_memcmp(field->data, "to", 2) == 0) {
        if (part->filed) {
            return ngx_wassiit_part_fail(part, "\"to\" has a file name");
        }

        part->role = NGX_WASSIIT_PART_TO;

    } else if (field->len == 4 && ngx_memcmp(field->data, "file", 4) == 0) {
        part->role = NGX_WASSIIT_PART_FILE;
    }

    return NGX_OK;
}


/* There is a file name, perhaps an empty one. */

static ngx_int_t
ngx_wassiit_part_file(ngx_wassiit_part_t *part, ngx_str_t *file,
    ngx_str_t *extended)
{
    ngx_str_t  base;

    if (part->role == NGX_WASSIIT_PART_FILE) {
        part->named = (file->len != 0 || extended->len != 0);
    }

    if (file->data == NULL) {
        /* who doesn't know RFC 8187 takes it for a field */
        return ngx_wassiit_part_fail(part, "a part has a filename* without "
                                     "a filename");
    }

    if (extended->data && !ngx_wassiit_part_same(file, extended)) {
        return ngx_wassiit_part_fail(part, "a part has two file names");
    }

    base = *file;
    ngx_wassiit_part_base(&base);

    if (file->len
        && (base.len == 0 || (base.len == 1 && base.data[0] == '.')
            || (base.len == 2 && ngx_memcmp(base.data, "..", 2) == 0)))
    {
        return ngx_wassiit_part_fail(part, "a part has a file name of which "
                                     "nothing is left without its "
                                     "folder");
    }

    if (part->role == NGX_WASSIIT_PART_FILE) {
        part->audio = ngx_wassiit_part_sound(&base);
    }

    return NGX_OK;
}


/*
 * .NET sends its name twice, the first time as it is, or, if it isn't ASCII,
 * as a word of RFC 2047.  That becomes the name that it stands for.
 */

static ngx_uint_t
ngx_wassiit_part_same(ngx_str_t *file, ngx_str_t *extended)
{
    ssize_t    n;
    ngx_str_t  begin;

    begin.data = file->data;
    begin.len = sizeof("=?utf-8?B?") - 1;

    if (file->len > begin.len + 2
        && ngx_wassiit_header_is(&begin, "=?utf-8?b?")
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
ngx_wassiit_part_type(ngx_wassiit_part_t *part, u_char *p, u_char *last)
{
    u_char      *start;
    ngx_str_t    type, major, name, value;
    ngx_uint_t   charset;

    if (part->typed) {
        return ngx_wassiit_part_fail(part, "a part has two Content-Type "
                                     "headers");
    }

    part->typed = 1;

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

    if (!ngx_wassiit_header_is_token(&major)
        || !ngx_wassiit_header_is_token(&name))
    {
        part->mistyped = (start != last);
        return NGX_OK;
    }

    if (ngx_wassiit_header_is(&major, "multipart")
        || ngx_wassiit_header_is(&major, "message"))
    {
        return ngx_wassiit_part_fail(part, "a part has a Content-Type by "
                                     "which some look for parts in it");
    }

    /* of which part, the disposition may yet tell */

    part->sound = ngx_wassiit_header_is(&major, "audio");
    part->bytes = ngx_wassiit_header_is(&type, "application/octet-stream");

    for (charset = 0; /* void */ ; /* void */ ) {
        p = ngx_wassiit_header_parameter(p, last, &name, &value);

        if (p == NULL) {
            part->mistyped = 1;
            break;
        }

        if (name.len == 0) {
            break;
        }

        if (ngx_wassiit_header_count(&name, "charset")) {
            part->mistyped |= (charset++ != 0
                               || !ngx_wassiit_header_is(&name, "charset")
                               || !ngx_wassiit_header_is_ascii_charset(&value));
        }
    }

    return NGX_OK;
}


/* Some read as many bytes as it says. */

static ngx_int_t
ngx_wassiit_part_length(ngx_wassiit_part_t *part, u_char *p, u_char *last)
{
    if (part->measured) {
        return ngx_wassiit_part_fail(part, "a part has two Content-Length "
                                     "headers");
    }

    part->measured = 1;
    part->length = 0;

    if (p == last || last - p > 18) {
        p = NULL;
    }

    for ( /* void */ ; p && p < last; p++) {
        if (*p < '0' || *p > '9') {
            p = NULL;
            break;
        }

        part->length = part->length * 10 + (*p - '0');
    }

    return p ? NGX_OK
             : ngx_wassiit_part_fail(part, "a part has a Content-Length "
                                     "that is not its length");
}


/* Is it without control characters, and without blanks that some strip? */

static ngx_uint_t
ngx_wassiit_part_plain(ngx_str_t *name)
{
    size_t  i;

    if (name->data == NULL || name->len == 0) {
        return 1;
    }

    if (name->data[0] == ' ' || name->data[name->len - 1] == ' ') {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < 0x20 || name->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


/* Takes the folder off, of Unix and of Windows. */

static void
ngx_wassiit_part_base(ngx_str_t *name)
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
ngx_wassiit_part_sound(ngx_str_t *name)
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

    for (e = ngx_wassiit_part_extensions; *e; e++) {
        if (ngx_wassiit_header_is(&end, *e)) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_wassiit_part_fail(ngx_wassiit_part_t *part, const char *error)
{
    part->error = error;

    return NGX_ERROR;
}
