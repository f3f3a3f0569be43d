
/*
 * Uploads.  An input is a Content-Type, LF, and the body.  In pieces it is
 * what it is as a whole; what is let in has its boundaries, one "to" and one
 * file where a second reading, of the whole, finds them.
 */


#include "fuzz.h"
#include "../unit/faults.h"

#include "ngx_wassiit_multipart.h"


static ngx_int_t fuzz_multipart_run(ngx_wassiit_multipart_t *mp,
    const u_char *type, size_t len, const u_char *body, size_t size,
    ngx_uint_t pieces, ngx_uint_t audio, char *faults);
static void fuzz_multipart_reading(ngx_wassiit_multipart_t *mp,
    const u_char *p, size_t size);
static ngx_uint_t fuzz_multipart_named(const u_char *p, size_t len,
    const char *name);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                      whole[UNIT_FAULTS_SIZE];
    char                      again[UNIT_FAULTS_SIZE];
    size_t                    len;
    u_char                   *type, *body;
    ngx_int_t                 rc;
    const uint8_t            *lf;
    ngx_uint_t                i, audio;
    ngx_wassiit_multipart_t  *one, *other;

    lf = memchr(data, '\n', size);

    if (lf == NULL || size > FUZZ_SIZE) {
        return 0;
    }

    fuzz_seed(data, size);

    len = lf - data;
    size -= len + 1;
    type = fuzz_copy(data, len);
    body = fuzz_copy(lf + 1, size);
    one = malloc(sizeof(ngx_wassiit_multipart_t));
    other = malloc(sizeof(ngx_wassiit_multipart_t));

    for (audio = 0; audio < 2; audio++) {

        rc = fuzz_multipart_run(one, type, len, body, size, 0, audio, whole);

        for (i = 1; rc == NGX_OK && i < 4; i++) {
            fuzz_check(fuzz_multipart_run(other, type, len, body, size, i,
                                          audio, again)
                       == rc);
            fuzz_check(strcmp(whole, again) == 0);
            fuzz_check(one->error == other->error);
            fuzz_check(one->error
                       || (one->tos == other->tos
                           && one->files == other->files
                           && one->to_len == other->to_len
                           && one->file_len == other->file_len
                           && one->named == other->named
                           && one->audio == other->audio));
        }

        if (rc == NGX_OK && whole[0] == '\0') {
            fuzz_multipart_reading(one, body, size);
        }
    }

    free(one);
    free(other);
    free(type);
    free(body);

    return 0;
}


/* pieces: 0 whole, 1 byte by byte, else at random */

static ngx_int_t
fuzz_multipart_run(ngx_wassiit_multipart_t *mp, const u_char *type, size_t len,
    const u_char *body, size_t size, ngx_uint_t pieces, ngx_uint_t audio,
    char *faults)
{
    size_t      i, n;
    u_char     *copy;
    json_t     *errors;
    ngx_int_t   rc;

    memset(mp, 0xa5, sizeof(ngx_wassiit_multipart_t));

    rc = ngx_wassiit_multipart_init(mp, type, len);

    fuzz_check(rc == NGX_OK || rc == NGX_DECLINED || rc == NGX_ERROR
               || (rc == NGX_ABORT && mp->charset.data));

    if (rc != NGX_OK) {
        return rc;
    }

    for (i = 0; i < size; i += n) {
        n = (pieces == 0) ? size : (pieces == 1) ? 1 : fuzz_piece(size - i);

        copy = fuzz_copy(body + i, n);
        rc = ngx_wassiit_multipart_parse(mp, copy, n);
        free(copy);

        fuzz_check((rc == NGX_OK) == (mp->error == NULL));

        if (rc != NGX_OK) {
            break;
        }
    }

    errors = NULL;
    fuzz_check(ngx_wassiit_multipart_check(mp, audio, &errors) == NGX_OK);

    snprintf(faults, UNIT_FAULTS_SIZE, "%s", unit_faults(errors));
    fuzz_check(errors == NULL || faults[0]);

    json_decref(errors);

    return NGX_OK;
}


static void
fuzz_multipart_reading(ngx_wassiit_multipart_t *mp, const u_char *p,
    size_t size)
{
    size_t         len;
    ngx_uint_t     tos, files;
    const u_char  *last, *end, *data, *next;

    fuzz_check(mp->tos == 1 && mp->files == 1 && mp->named && mp->file_len);

    /* the first boundary, without a line end before it */

    last = p + size;
    len = mp->delimiter_len;
    end = memmem(p, size, mp->delimiter + 2, len - 2);
    fuzz_check(end != NULL);
    end += len - 2;

    tos = 0;
    files = 0;

    while (!(last - end >= 2 && memcmp(end, "--", 2) == 0)) {

        data = memmem(end, last - end, "\r\n\r\n", 4);
        fuzz_check(data != NULL);
        data += 4;

        /* the header's last line end may be the delimiter's */

        next = memmem(data - 2, last - data + 2, mp->delimiter, len);
        fuzz_check(next != NULL);

        if (fuzz_multipart_named(end, data - end, "to")) {
            fuzz_check(next >= data
                       && (size_t) (next - data) == mp->to_len
                       && memcmp(data, mp->to, mp->to_len) == 0);
            tos++;
        }

        if (fuzz_multipart_named(end, data - end, "file")) {
            fuzz_check(next > data
                       && (uint64_t) (next - data) == mp->file_len);
            files++;
        }

        end = next + len;
    }

    fuzz_check(tos == 1 && files == 1);
}


/*
 * Is the name in the line of Content-Disposition, or one that goes on with it,
 * as a whole word?  What may have another is refused.
 */

static ngx_uint_t
fuzz_multipart_named(const u_char *p, size_t len, const char *name)
{
    char         quoted[32];
    size_t       n;
    ngx_uint_t   ours;
    const char  *at;

    static const char  disposition[] = "content-disposition:";

    snprintf(quoted, sizeof(quoted), "\"%s\"", name);
    n = strlen(name);
    ours = 0;

    for ( /* void */ ; len > sizeof("name=") + n + 1; p++, len--) {
        if (*p == '\n' && p[1] != ' ' && p[1] != '\t') {
            ours = (len > sizeof(disposition)
                    && strncasecmp((char *) p + 1, disposition,
                                   sizeof(disposition) - 1)
                       == 0);
        }

        at = (char *) p + sizeof(" name=") - 1;

        /* a parameter's name in any case, its value as it is */

        if (ours && (*p == ' ' || *p == '\t' || *p == ';')
            && strncasecmp((char *) p + 1, "name=", sizeof("name=") - 1) == 0
            && (strncmp(at, quoted, n + 2) == 0
                || (strncmp(at, name, n) == 0 && strchr("; \t\r", at[n]))))
        {
            return 1;
        }
    }

    return 0;
}
