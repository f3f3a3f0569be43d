
/*
 * What the fuzz harnesses share.  Each t/fuzz/NAME.c is a program of its own,
 * linked with libFuzzer, the core and perhaps the state sources, as the unit
 * tests are: it holds one parser against another reading of the same bytes.
 *
 * t/fuzz/corpus/NAME has inputs for it, which every "make test" goes through.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include "unit.h"


/* the largest input that is worth the time */
#define FUZZ_SIZE           65536


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* A finding: libFuzzer keeps the input. */

#define fuzz_check(condition)                                                \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__,          \
                    __LINE__, #condition);                                   \
            abort();                                                         \
        }                                                                    \
    } while (0)


/* Random numbers that the input alone decides, for unit_random(). */

static ngx_inline void
fuzz_seed(const uint8_t *data, size_t size)
{
    uint32_t  crc;

    crc = 0xffffffff;

    while (size--) {
        crc = ngx_crc32_table256[(crc ^ *data++) & 0xff] ^ (crc >> 8);
    }

    unit_state = crc;
}


/* A copy of exactly so many bytes, so that ASan sees who reads beyond. */

static ngx_inline u_char *
fuzz_copy(const void *p, size_t len)
{
    u_char  *copy;

    copy = malloc(len ? len : 1);

    if (copy == NULL) {
        abort();
    }

    memcpy(copy, p, len);

    return copy;
}


/* The length of the next piece: often short, never 0 unless left is. */

static ngx_inline size_t
fuzz_piece(size_t left)
{
    size_t  most;

    most = unit_random(4) ? 1 + unit_random(8) : 1 + unit_random(4096);
    most = 1 + unit_random(most);

    return ngx_min(most, left);
}


#endif /* _FUZZ_H_INCLUDED_ */
