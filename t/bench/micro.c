
/*
 * What the parts cost, for t/bench/run: a line per part, tab-separated, of
 * its name and nanoseconds, and those of something plain of its kind.  Each
 * is the least of several runs, in time of this process.
 */


#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "unit.h"
#include "arena.h"

#include "ngx_wassiit_hmac.h"
#include "ngx_wassiit_key.h"
#include "ngx_wassiit_window.h"

#include <sys/wait.h>


#define MICRO_RUNS      7
#define MICRO_TURNS     200000
#define MICRO_KEYS      1024
#define MICRO_KEY_LEN   42
#define MICRO_CROWD     8           /* processes */
#define MICRO_CROWD_NS  300000000


typedef uint64_t (*micro_pt)(void);


static ngx_uint_t   windows = 1000000;
static u_char      *base;
static uint32_t    *window;
static uint64_t     now = 1;
static uint64_t     cold;
static u_char       keys[MICRO_KEYS][MICRO_KEY_LEN + 2];

static ngx_wassiit_hmac_key_t  secret;


static uint64_t
micro_time(clockid_t id)
{
    struct timespec  ts;

    (void) clock_gettime(id, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


static double
micro_measure(micro_pt op)
{
    double             least;
    uint64_t           start;
    ngx_uint_t         i, run;
    volatile uint64_t  sum;

    least = 0;

    for (run = 0; run < MICRO_RUNS; run++) {
        sum = 0;
        start = micro_time(CLOCK_PROCESS_CPUTIME_ID);

        for (i = 0; i < MICRO_TURNS; i++) {
            sum = sum + op();
        }

        start = micro_time(CLOCK_PROCESS_CPUTIME_ID) - start;

        if (run == 0 || start < least) {
            least = start;
        }
    }

    return least / MICRO_TURNS;
}


static void
micro_row(const char *name, micro_pt op, const char *plain, micro_pt beside)
{
    double  cost;

    cost = micro_measure(op);

    printf("%s\t%.0f\t%s\t%.0f\n", name, cost, plain, micro_measure(beside));
    fflush(stdout);
}


static uint64_t
micro_take(uint32_t w)
{
    ngx_wassiit_usage_t  usage;

    if (ngx_wassiit_window_take(base, w, now, &usage) != NGX_OK) {
        fprintf(stderr, "micro: not admitted\n");
        exit(1);
    }

    return usage.remaining;
}


/* A rate of 60r/s, and 60 requests in its second. */

static uint64_t
micro_take_hot(void)
{
    now += 16667;

    return micro_take(window[0]);
}


static uint64_t
micro_take_cold(void)
{
    now++;
    cold = (cold + 1 == windows) ? 1 : cold + 1;

    return micro_take(window[cold]);
}


static uint64_t
micro_clock(void)
{
    return micro_time(CLOCK_MONOTONIC);
}


/* The same memory, and no more than one word of it. */

static uint64_t
micro_add_cold(void)
{
    uint64_t  *p;

    cold = (cold + 1 == windows) ? 1 : cold + 1;
    p = (uint64_t *) ngx_wassiit_line(base, window[cold] + 1) - 1;

    return __atomic_fetch_add(p, 1, __ATOMIC_ACQ_REL);
}


static ngx_inline u_char *
micro_key(void)
{
    static ngx_uint_t  i;

    return keys[++i % MICRO_KEYS];
}


static uint64_t
micro_check(void)
{
    return ngx_wassiit_key_check(micro_key(), MICRO_KEY_LEN) == NGX_OK;
}


static uint64_t
micro_crc32(void)
{
    return ngx_crc32_long(micro_key(), MICRO_KEY_LEN - 6);
}


static uint64_t
micro_digest(void)
{
    u_char  digest[NGX_WASSIIT_DIGEST_LEN];

    ngx_wassiit_key_digest(micro_key(), MICRO_KEY_LEN, digest);

    return digest[0];
}


static uint64_t
micro_sha256(void)
{
    u_char  digest[NGX_WASSIIT_DIGEST_LEN];

    SHA256(micro_key(), MICRO_KEY_LEN, digest);

    return digest[0];
}


static uint64_t
micro_hmac(void)
{
    ngx_wassiit_hmac_t  hmac;
    u_char              mac[NGX_WASSIIT_HMAC_LEN], *key;

    key = micro_key();

    ngx_wassiit_hmac_init(&hmac, &secret);
    ngx_wassiit_hmac_update(&hmac, key, MICRO_KEY_LEN);
    ngx_wassiit_hmac_update(&hmac, (u_char *) "1800000000", 10);
    ngx_wassiit_hmac_final(&hmac, &secret, mac);

    return ngx_wassiit_hmac_equal(mac, key, NGX_WASSIIT_HMAC_BASE64);
}


static uint64_t
micro_openssl_hmac(void)
{
    u_char  mac[EVP_MAX_MD_SIZE];

    HMAC(EVP_sha256(), "a secret of thirty-two bytes ...", 32, micro_key(),
         MICRO_KEY_LEN, mac, NULL);

    return mac[0];
}


/* How often so many processes ask one window in a second, all together. */

static double
micro_crowd(ngx_uint_t processes)
{
    pid_t                 pid;
    uint64_t              start, asked, *total;
    ngx_uint_t            i;
    ngx_wassiit_usage_t   usage;

    total = unit_shared(sizeof(uint64_t));
    *total = 0;
    start = micro_time(CLOCK_MONOTONIC);

    for (i = 0; i < processes; i++) {
        pid = fork();

        if (pid == 0) {
            asked = 0;

            do {
                asked++;
                (void) ngx_wassiit_window_take(base, window[0],
                                    micro_time(CLOCK_MONOTONIC) / 1000, &usage);
            } while (micro_time(CLOCK_MONOTONIC) - start < MICRO_CROWD_NS);

            (void) __atomic_add_fetch(total, asked, __ATOMIC_RELAXED);
            _exit(0);
        }
    }

    while (wait(NULL) > 0) { /* void */ }

    start = micro_time(CLOCK_MONOTONIC) - start;

    return *total * 1e9 / start;
}


static void
micro_make_keys(void)
{
    uint64_t           n;
    ngx_uint_t         i, k;
    static const char  digits[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (i = 0; i < MICRO_KEYS; i++) {
        ngx_memcpy(keys[i], "wst_", 4);

        for (k = 4; k < MICRO_KEY_LEN - 6; k++) {
            keys[i][k] = digits[unit_random(62)];
        }

        n = ngx_crc32_long(keys[i], MICRO_KEY_LEN - 6);

        for (k = MICRO_KEY_LEN; k > MICRO_KEY_LEN - 6; k--) {
            keys[i][k - 1] = digits[n % 62];
            n /= 62;
        }

        if (ngx_wassiit_key_check(keys[i], MICRO_KEY_LEN) != NGX_OK) {
            fprintf(stderr, "micro: not a key\n");
            exit(1);
        }
    }
}


/* A line and a ring for each window, as a zone has them, in random order. */

static void
micro_make_windows(void)
{
    uint32_t              place, size, cells, *swap;
    ngx_uint_t            i, wide;
    ngx_wassiit_ring_t    ring;
    ngx_wassiit_lines_t  *lines;
    ngx_wassiit_rate_t    rate = { 60, 1 };

    /* from the 64th line on; two kinds leave less than 64 lines each */

    cells = ngx_wassiit_window_cells(&rate, &wide);
    size = 1 + ngx_wassiit_ring_lines(cells, wide);
    size = windows * size + 2 * 64;

    base = unit_shared((size_t) (64 + size) * NGX_WASSIIT_LINE);
    window = unit_shared(windows * sizeof(uint32_t));
    lines = unit_shared(ngx_wassiit_lines_size(size));

    ngx_wassiit_lines_init(lines, 64, size);

    for (i = 0; i < windows; i++) {
        place = ngx_wassiit_lines_alloc(lines, 0, 1);

        if (place == 0
            || ngx_wassiit_ring_alloc(lines, 1, base, cells, wide, &ring)
               != NGX_OK)
        {
            fprintf(stderr, "micro: no window\n");
            exit(1);
        }

        ngx_wassiit_window_init(base, place, &rate, &ring, 0);

        swap = &window[unit_random(i + 1)];
        window[i] = *swap;
        *swap = place;
    }
}


int
main(int argc, char **argv)
{

    if (argc > 1) {
        windows = strtoul(argv[1], NULL, 10);
    }

    micro_make_windows();

    if (argc > 2) {
        /* "crowd": of one process, and of all */
        printf("%.0f\t%.0f\n", micro_crowd(1), micro_crowd(MICRO_CROWD));
        return 0;
    }

    micro_make_keys();
    ngx_wassiit_hmac_key(&secret, (u_char *) "a secret", 8);

    micro_row("window: take, one window", micro_take_hot,
              "clock_gettime()", micro_clock);
    micro_row("window: take, each time another", micro_take_cold,
              "atomic add there", micro_add_cold);
    micro_row("key: form and checksum", micro_check,
              "CRC-32 alone", micro_crc32);
    micro_row("key: digest", micro_digest, "SHA256()", micro_sha256);
    micro_row("hmac: key and time, and its text", micro_hmac, "HMAC() of a key",
              micro_openssl_hmac);

    return 0;
}
