
/*
 * The module's parser of uploads as a library: what it makes of a body, for
 * comparison with other readers.  See t/fuzz/readers/run.
 */


#include "../../unit/faults.h"

#include "ngx_wassiit_multipart.h"


int ours_read(const u_char *type, size_t len, const u_char *body, size_t size,
    uint64_t seed, int audio, char *out);


/*
 * Reads a body in pieces that seed decides.  Returns the bytes of "file" and
 * writes "to" to out, which needs UNIT_FAULTS_SIZE bytes; -1: it is refused,
 * and out says why.
 */

int
ours_read(const u_char *type, size_t len, const u_char *body, size_t size,
    uint64_t seed, int audio, char *out)
{
    size_t                   i, n;
    json_t                  *errors;
    ngx_int_t                rc;
    ngx_wassiit_multipart_t  mp;

    unit_state = seed;

    if (ngx_wassiit_multipart_init(&mp, type, len) != NGX_OK) {
        strcpy(out, "Content-Type");
        return -1;
    }

    for (i = 0; i < size; i += n) {
        n = 1 + unit_random(1 + unit_random(size));
        n = ngx_min(n, size - i);

        if (ngx_wassiit_multipart_parse(&mp, body + i, n) != NGX_OK) {
            break;
        }
    }

    errors = NULL;
    rc = ngx_wassiit_multipart_check(&mp, audio, &errors);

    if (rc != NGX_OK || errors) {
        strcpy(out, unit_faults(errors));
        json_decref(errors);
        return -1;
    }

    memcpy(out, mp.to, mp.to_len);
    out[mp.to_len] = '\0';

    return mp.file_len;
}
