
/*
 * How long libcrypto takes for an HMAC-SHA256 of SIZE bytes that lie in
 * memory: the nanoseconds of each of ROUNDS, a line each.
 *
 *     hmac SIZE ROUNDS
 */


#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


static uint64_t
hmac_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


int
main(int argc, char **argv)
{
    int             rounds;
    size_t          size;
    uint64_t        start;
    unsigned int    len;
    unsigned char  *body, mac[EVP_MAX_MD_SIZE];

    if (argc != 3) {
        fprintf(stderr, "hmac SIZE ROUNDS\n");
        return 2;
    }

    size = strtoul(argv[1], NULL, 10);
    body = malloc(size);

    if (body == NULL) {
        return 1;
    }

    memset(body, 'x', size);

    for (rounds = atoi(argv[2]); rounds > 0; rounds--) {
        start = hmac_clock();

        if (HMAC(EVP_sha256(), "secret", 6, body, size, mac, &len) == NULL) {
            return 1;
        }

        printf("%llu\n", (unsigned long long) (hmac_clock() - start));
    }

    free(body);

    return 0;
}
