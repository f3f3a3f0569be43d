
/*
 * Does the time of a comparison tell how much of a secret was right?
 *
 *     timing MEASUREMENTS
 *
 * Each function below is called with inputs of two classes, drawn at random for
 * each call: nearly right, and wrong from the first byte on.  Welch's t-test
 * says whether the mean times of the classes differ: the slowest tenth is left
 * out, as in that the machine is at something else.  A |t| of more than LEAK in
 * each of three tries is a leak; it grows with the root of the measurements if
 * there is one, and hardly passes 4.5 if there is none.  A comparison that ends
 * at the first difference is among them: if that isn't found, the measurement
 * is worth nothing.
 *
 * The idea is that of O. Reparaz, J. Balasch, I. Verbauwhede, "Dude, is my code
 * constant time?" (2017).
 */


#include "unit.h"

#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_index.h"
#include "ngx_wassiit_key.h"

#include <math.h>
#include <time.h>


#define LEAK            10.0
#define TRIES           3
#define CALLS           8           /* a measurement */
#define KEYS            1000        /* in the index */
#define KEY_LEN         40


typedef struct {
    const char             *name;
    ngx_uint_t            (*call)(const u_char *input);
    ngx_uint_t              len;    /* of an input */
    ngx_uint_t              leaks;
} timing_case_t;


static u_char                  mac[NGX_WASSIIT_HMAC_LEN];
static u_char                  right[2][NGX_WASSIIT_HMAC_HEX];
static u_char                  right_key[KEY_LEN];
static ngx_wassiit_hmac_key_t  hmac_key;
static u_char                  digests[KEYS][NGX_WASSIIT_DIGEST_LEN];
static ngx_wassiit_index_t     keys;
static uint32_t                words[4 * KEYS];
static u_char                  inputs[2][CALLS][NGX_WASSIIT_HMAC_HEX];
static u_char                  input[CALLS][NGX_WASSIIT_HMAC_HEX];
static volatile ngx_uint_t     sink;


static uint64_t
timing_now(void)
{
#if (__x86_64__)
    uint32_t  low, high;

    __asm__ volatile ("lfence; rdtsc; lfence" : "=a" (low), "=d" (high)
                      : : "memory");

    return (uint64_t) high << 32 | low;
#else
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
#endif
}


static ngx_uint_t
timing_base64(const u_char *input)
{
    return ngx_wassiit_hmac_equal(mac, input, NGX_WASSIIT_HMAC_BASE64);
}


static ngx_uint_t
timing_hex(const u_char *input)
{
    return ngx_wassiit_hmac_equal_hex(mac, input, NGX_WASSIIT_HMAC_HEX);
}


/* A signature as a request's is checked: of a message that the input is. */

static ngx_uint_t
timing_verify(const u_char *input)
{
    u_char              made[NGX_WASSIIT_HMAC_LEN];
    ngx_wassiit_hmac_t  hmac;

    ngx_wassiit_hmac_init(&hmac, &hmac_key);
    ngx_wassiit_hmac_update(&hmac, right_key, KEY_LEN);
    ngx_wassiit_hmac_final(&hmac, &hmac_key, made);

    return ngx_wassiit_hmac_equal(made, input, NGX_WASSIIT_HMAC_BASE64);
}


/* A key is looked for by its digest, which tells nothing of how near it is. */

static ngx_uint_t
timing_key(const u_char *input)
{
    u_char               digest[NGX_WASSIIT_DIGEST_LEN];
    uint32_t             word, hash;
    ngx_wassiit_probe_t  probe;

    ngx_wassiit_key_digest(input, KEY_LEN, digest);
    ngx_memcpy(&hash, digest, sizeof(uint32_t));

    word = ngx_wassiit_index_first(&probe, words, &keys, hash, digest[4]);

    while (word
           && ngx_memcmp(digests[NGX_WASSIIT_INDEX_PLACE(word) - 1], digest,
                         NGX_WASSIIT_DIGEST_LEN)
              != 0)
    {
        word = ngx_wassiit_index_next(&probe);
    }

    return word != 0;
}


/* What none of them must be like. */

static ngx_uint_t
timing_planted(const u_char *input)
{
    volatile const u_char  *p = input;
    ngx_uint_t              i;

    for (i = 0; i < NGX_WASSIIT_HMAC_BASE64; i++) {
        if (p[i] != right[0][i]) {
            return 0;
        }
    }

    return 1;
}


static const timing_case_t  cases[] = {
    { "ngx_wassiit_hmac_equal()", timing_base64, NGX_WASSIIT_HMAC_BASE64, 0 },
    { "ngx_wassiit_hmac_equal_hex()", timing_hex, NGX_WASSIIT_HMAC_HEX, 0 },
    { "a signature is checked", timing_verify, NGX_WASSIIT_HMAC_BASE64, 0 },
    { "a key is looked up", timing_key, KEY_LEN, 0 },
    { "planted: ends at the first difference", timing_planted,
      NGX_WASSIIT_HMAC_BASE64, 1 }
};


static void
timing_secrets(void)
{
    u_char      key[KEY_LEN];
    uint32_t    hash;
    ngx_uint_t  i, k;

    static const u_char  secret[] = "a secret of thirty-two characters";

    ngx_wassiit_hmac_key(&hmac_key, secret, sizeof(secret) - 1);
    ngx_wassiit_index_init(&keys, 4 * KEYS);

    for (i = 0; i < KEYS; i++) {
        for (k = 0; k < KEY_LEN; k++) {
            key[k] = 'a' + unit_random(26);
        }

        ngx_wassiit_key_digest(key, KEY_LEN, digests[i]);
        ngx_memcpy(&hash, digests[i], sizeof(uint32_t));
        (void) ngx_wassiit_index_insert(words, &keys, hash, digests[i][4],
                                        i + 1);
    }

    ngx_memcpy(right_key, key, KEY_LEN);
}


/* What is right to a case, in the form that it takes. */

static const u_char *
timing_right(const timing_case_t *c)
{
    ngx_wassiit_hmac_t  hmac;

    if (c->call == timing_key) {
        return right_key;
    }

    ngx_wassiit_hmac_init(&hmac, &hmac_key);
    ngx_wassiit_hmac_update(&hmac, right_key, KEY_LEN);
    ngx_wassiit_hmac_final(&hmac, &hmac_key, mac);

    ngx_wassiit_hmac_base64(right[0], mac);
    ngx_wassiit_hmac_hex(right[1], mac);

    return right[c->call == timing_hex];
}


/*
 * Inputs for one measurement, new ones for each: an input alone may take longer
 * than another, as by where its digest leads to.  Class 0 differs in the last
 * four alone, which are as many that their digests lead to all places as often,
 * class 1 from the first on.  Both are made, then one is copied, so that the
 * processor comes to each in the same way.
 */

static void
timing_inputs(const timing_case_t *c, const u_char *text, ngx_uint_t class)
{
    ngx_uint_t  i, k, from;

    for (i = 0; i < CALLS; i++) {
        for (k = 0; k < c->len; k++) {
            from = c->len - 4;

            inputs[0][i][k] = (k < from) ? text[k] : 'a' + unit_random(26);
            inputs[1][i][k] = (k < from) ? 'a' + unit_random(26) : text[k];

            if (inputs[1][i][0] == text[0]) {
                inputs[1][i][0] = 'A';
            }
        }

        if (inputs[0][i][c->len - 1] == text[c->len - 1]) {
            inputs[0][i][c->len - 1] = (text[c->len - 1] == 'x') ? 'y' : 'x';
        }
    }

    ngx_memcpy(input, inputs[class], sizeof(input));
}


static int ngx_libc_cdecl
timing_order(const void *one, const void *two)
{
    uint64_t  a = *(const uint64_t *) one, b = *(const uint64_t *) two;

    return (a > b) - (a < b);
}


/* The t of the two classes' times, over so many measurements. */

static double
timing_t(const timing_case_t *c, const u_char *text, ngx_uint_t n)
{
    double      mean[2], sum[2], count[2], d;
    u_char     *which;
    uint64_t   *times, *sorted, most, start;
    ngx_uint_t  i, class;

    times = calloc(n, sizeof(uint64_t));
    sorted = calloc(n, sizeof(uint64_t));
    which = calloc(n, 1);

    if (times == NULL || sorted == NULL || which == NULL) {
        perror("calloc()");
        exit(2);
    }

    for (i = 0; i < n; i++) {
        class = unit_random(2);
        timing_inputs(c, text, class);

        start = timing_now();

        sink += c->call(input[0]);
        sink += c->call(input[1]);
        sink += c->call(input[2]);
        sink += c->call(input[3]);
        sink += c->call(input[4]);
        sink += c->call(input[5]);
        sink += c->call(input[6]);
        sink += c->call(input[7]);

        times[i] = timing_now() - start;
        sorted[i] = times[i];
        which[i] = class;
    }

    qsort(sorted, n, sizeof(uint64_t), timing_order);
    most = sorted[n - n / 10];

    ngx_memzero(mean, sizeof(mean));
    ngx_memzero(sum, sizeof(sum));
    ngx_memzero(count, sizeof(count));

    for (i = 0; i < n; i++) {
        if (times[i] >= most) {
            continue;
        }

        class = which[i];
        count[class]++;
        d = times[i] - mean[class];
        mean[class] += d / count[class];
        sum[class] += d * (times[i] - mean[class]);
    }

    free(times);
    free(sorted);
    free(which);

    d = sum[0] / (count[0] - 1) / count[0] + sum[1] / (count[1] - 1) / count[1];

    unit_note("%s: %.2f and %.2f ticks a call", c->name, mean[0] / CALLS,
              mean[1] / CALLS);

    return (mean[0] - mean[1]) / sqrt(d + 1e-12);
}


int
main(int argc, char **argv)
{
    double                t;
    ngx_uint_t            i, try, n;
    const timing_case_t  *c;

    n = (argc > 1) ? (ngx_uint_t) atol(argv[1]) : 1000000;

    if (n < 1000) {
        fprintf(stderr, "timing: %s: not 1000 measurements or more\n",
                argv[1]);
        return 2;
    }

    unit_start();
    timing_secrets();

    for (i = 0; i < sizeof(cases) / sizeof(timing_case_t); i++) {
        c = &cases[i];

        for (try = 0; try < TRIES; try++) {
            t = timing_t(c, timing_right(c), n);
            unit_note("%s: t = %.2f", c->name, t);

            if (c->leaks ? fabs(t) > LEAK : fabs(t) <= LEAK) {
                break;
            }
        }

        unit_ok(try < TRIES, c->name);
    }

    return unit_done();
}
