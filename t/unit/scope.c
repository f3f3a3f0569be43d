
/* Scopes: names to bits, and what a reload makes of them. */


#include "unit.h"

#include "ngx_wassiit_scope.h"


#define KNOWN           6


static void unit_scope_known(void);
static void unit_scope_names(void);
static void unit_scope_full(void);
static void unit_scope_reload(void);
static void unit_scope_reload_full(void);
static void unit_scope_reload_random(void);
static void unit_scope_next(void);
static void unit_scope_nearest(void);
static void unit_scope_nearest_random(void);
static ngx_int_t unit_scope_add(ngx_wassiit_scopes_t *scopes,
    const char *name);
static uint64_t unit_scope_find(ngx_wassiit_scopes_t *scopes,
    const char *name);
static ngx_uint_t unit_scope_nearest_is(const ngx_wassiit_scopes_t *scopes,
    const char *p, const char *name);
static ngx_uint_t unit_scope_distance(const u_char *a, size_t alen,
    const u_char *b, size_t blen);


static const char  *unit_scope_six[KNOWN] = {
    "messages.send", "audio.send", "files.send",
    "calls.initiate", "conversations.read", "webhooks.manage"
};


int
main(void)
{
    unit_start();

    unit_scope_known();
    unit_scope_names();
    unit_scope_full();
    unit_scope_reload();
    unit_scope_reload_full();
    unit_scope_reload_random();
    unit_scope_next();
    unit_scope_nearest();
    unit_scope_nearest_random();

    return unit_done();
}


static void
unit_scope_known(void)
{
    uint64_t              bit, all;
    ngx_uint_t            i, single;
    ngx_wassiit_scopes_t  scopes;

    /* what stood there before doesn't matter */
    memset(&scopes, 0xff, sizeof(scopes));

    ngx_wassiit_scopes_init(&scopes, NULL);

    all = 0;
    single = 0;

    for (i = 0; i < KNOWN; i++) {
        bit = unit_scope_find(&scopes, unit_scope_six[i]);
        single += (bit != 0 && (bit & (bit - 1)) == 0 && !(all & bit));
        all |= bit;
    }

    unit_is(single, KNOWN, "the six are known, each by a bit of its own");
    unit_ok(scopes.declared == all, "and no other");

    unit_ok(unit_scope_find(&scopes, "messages") == 0
            && unit_scope_find(&scopes, "messages.sen") == 0
            && unit_scope_find(&scopes, "messages.send.") == 0
            && unit_scope_find(&scopes, "Messages.send") == 0
            && unit_scope_find(&scopes, "") == 0,
            "names that are nearly one of them aren't found");

    for (i = 0; i < KNOWN; i++) {
        if (unit_scope_add(&scopes, unit_scope_six[i]) != NGX_BUSY) {
            break;
        }
    }

    unit_ok(i == KNOWN && scopes.declared == all,
            "none of the six can be declared once more");
}


static void
unit_scope_names(void)
{
    u_char                c, name[NGX_WASSIIT_SCOPE_LEN + 1];
    ngx_int_t             rc;
    ngx_uint_t            wrong;
    ngx_wassiit_scopes_t  scopes;

    static const char  allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";

    ngx_wassiit_scopes_init(&scopes, NULL);
    memset(name, 'n', sizeof(name));

    unit_ok(ngx_wassiit_scopes_add(&scopes, name, 0) == NGX_DECLINED,
            "no name of 0 characters");
    unit_ok(ngx_wassiit_scopes_add(&scopes, name, 65) == NGX_DECLINED,
            "no name of 65 characters");
    unit_ok(ngx_wassiit_scopes_add(&scopes, name, 64) == NGX_OK
            && ngx_wassiit_scopes_find(&scopes, name, 64) != 0,
            "a name of 64 characters");
    unit_ok(ngx_wassiit_scopes_add(&scopes, name, 64) == NGX_BUSY,
            "it can't be declared twice");
    unit_ok(ngx_wassiit_scopes_add(&scopes, name, 63) == NGX_OK
            && ngx_wassiit_scopes_find(&scopes, name, 63) != 0
            && ngx_wassiit_scopes_find(&scopes, name, 63)
               != ngx_wassiit_scopes_find(&scopes, name, 64),
            "its beginning is another name");
    unit_ok(ngx_wassiit_scopes_add(&scopes, (u_char *) "n", 1) == NGX_OK,
            "a name of 1 character");

    wrong = 0;
    c = 0;

    do {
        ngx_wassiit_scopes_init(&scopes, NULL);

        memcpy(name, "a.b", 3);
        name[1] = c;
        rc = ngx_wassiit_scopes_add(&scopes, name, 3);
        wrong += (rc != (c && strchr(allowed, c) ? NGX_OK : NGX_DECLINED));
        wrong += ((rc == NGX_OK)
                  != (ngx_wassiit_scopes_find(&scopes, name, 3) != 0));

    } while (++c != 0);

    unit_is(wrong, 0, "of 256 bytes, a name takes a-z A-Z 0-9 . _ : -");
}


static void
unit_scope_full(void)
{
    char                  name[16];
    uint64_t              bit, all;
    ngx_uint_t            i, good;
    ngx_wassiit_scopes_t  scopes;

    ngx_wassiit_scopes_init(&scopes, NULL);

    all = scopes.declared;
    good = 0;

    for (i = KNOWN; i < NGX_WASSIIT_SCOPES_MAX; i++) {
        sprintf(name, "scope:%u", (unsigned) i);

        if (unit_scope_add(&scopes, name) != NGX_OK) {
            break;
        }

        bit = unit_scope_find(&scopes, name);
        good += (bit != 0 && (bit & (bit - 1)) == 0 && !(all & bit));
        all |= bit;
    }

    unit_is(good, NGX_WASSIIT_SCOPES_MAX - KNOWN,
            "58 more can be declared, each with a bit of its own");
    unit_ok(scopes.declared == (uint64_t) -1, "which makes 64 of them");

    unit_ok(unit_scope_add(&scopes, "one.more") == NGX_ERROR
            && unit_scope_find(&scopes, "one.more") == 0,
            "the 65th can't");
    unit_ok(unit_scope_add(&scopes, "scope:63") == NGX_BUSY,
            "one of the 64 is declared already, now as before");
    unit_ok(unit_scope_add(&scopes, "one more") == NGX_DECLINED,
            "and a bad name is a bad name");

    good = 0;

    for (i = KNOWN; i < NGX_WASSIIT_SCOPES_MAX; i++) {
        sprintf(name, "scope:%u", (unsigned) i);
        good += (unit_scope_find(&scopes, name) != 0);
    }

    unit_is(good, NGX_WASSIIT_SCOPES_MAX - KNOWN, "all are found");
}


static void
unit_scope_reload(void)
{
    uint64_t              a, b, c;
    ngx_uint_t            i, same;
    ngx_wassiit_scopes_t  first, second, third;

    ngx_wassiit_scopes_init(&first, NULL);
    unit_scope_add(&first, "a");
    unit_scope_add(&first, "b");
    a = unit_scope_find(&first, "a");
    b = unit_scope_find(&first, "b");

    ngx_wassiit_scopes_init(&second, &first);

    same = 0;

    for (i = 0; i < KNOWN; i++) {
        same += (unit_scope_find(&second, unit_scope_six[i])
                 == unit_scope_find(&first, unit_scope_six[i]));
    }

    unit_is(same, KNOWN, "reload: the six keep their bits");
    unit_ok(unit_scope_find(&second, "a") == 0
            && unit_scope_find(&second, "b") == 0,
            "reload: names that aren't declared again aren't found");

    unit_ok(unit_scope_add(&second, "c") == NGX_OK, "reload: a new name");
    c = unit_scope_find(&second, "c");
    unit_ok(c && !(c & (a | b | first.declared)),
            "reload: it gets a bit that no name had before");

    unit_ok(unit_scope_add(&second, "b") == NGX_OK
            && unit_scope_find(&second, "b") == b,
            "reload: a name declared again has its bit again");
    unit_ok(unit_scope_add(&second, "b") == NGX_BUSY,
            "reload: but can't be declared twice");

    ngx_wassiit_scopes_init(&third, &second);

    unit_ok(unit_scope_add(&third, "a") == NGX_OK
            && unit_scope_find(&third, "a") == a,
            "reload: a name has its bit again after a pause");
    unit_ok(unit_scope_add(&third, "d") == NGX_OK
            && !(unit_scope_find(&third, "d") & (a | b | c)),
            "reload: the bits of those before are kept, in or out of use");
    unit_ok(unit_scope_find(&first, "a") == a
            && unit_scope_find(&first, "c") == 0,
            "reload: the table before stays as it was");
}


static void
unit_scope_reload_full(void)
{
    char                  name[16];
    uint64_t              bit, kept;
    ngx_uint_t            i, good;
    ngx_wassiit_scopes_t  first, second, third;

    ngx_wassiit_scopes_init(&first, NULL);

    for (i = KNOWN; i < NGX_WASSIIT_SCOPES_MAX; i++) {
        sprintf(name, "old:%u", (unsigned) i);
        unit_scope_add(&first, name);
    }

    ngx_wassiit_scopes_init(&second, &first);

    unit_scope_add(&second, "old:10");
    unit_scope_add(&second, "old:63");
    kept = second.declared;
    good = 0;

    for (i = KNOWN + 2; i < NGX_WASSIIT_SCOPES_MAX; i++) {
        sprintf(name, "new:%u", (unsigned) i);

        if (unit_scope_add(&second, name) != NGX_OK) {
            break;
        }

        bit = unit_scope_find(&second, name);
        good += (bit != 0 && !(bit & kept));
        kept |= bit;
    }

    unit_is(good, NGX_WASSIIT_SCOPES_MAX - KNOWN - 2,
            "all bits taken: those of names no longer declared are reused");
    unit_ok(unit_scope_find(&second, "old:10")
            == unit_scope_find(&first, "old:10")
            && unit_scope_find(&second, "old:63")
               == unit_scope_find(&first, "old:63"),
            "those of names declared again are not");
    unit_ok(unit_scope_add(&second, "one.more") == NGX_ERROR,
            "all 64 declared: the 65th is refused");
    unit_ok(unit_scope_add(&second, "old:11") == NGX_ERROR,
            "also one whose bit was reused");

    /* one bit free, and 57 that former names hold */

    ngx_wassiit_scopes_init(&first, NULL);

    for (i = KNOWN; i < NGX_WASSIIT_SCOPES_MAX - 1; i++) {
        sprintf(name, "old:%u", (unsigned) i);
        unit_scope_add(&first, name);
    }

    ngx_wassiit_scopes_init(&second, &first);

    unit_scope_add(&second, "new:1");
    unit_ok(!(unit_scope_find(&second, "new:1") & first.declared),
            "a bit left: no former one is reused");

    unit_ok(unit_scope_add(&second, "new:2") == NGX_OK,
            "none left: one more name all the same");

    bit = unit_scope_find(&second, "new:2");
    unit_ok((bit & first.declared) && bit != unit_scope_find(&second, "new:1"),
            "none left: it reuses a former one's");

    /* in whatever order: who stays keeps its bit, new ones get the rest */

    ngx_wassiit_scopes_init(&third, &second);
    good = 0;

    for (i = 0; i < 20; i++) {
        sprintf(name, "newest:%u", (unsigned) i);
        unit_scope_add(&third, name);
    }

    unit_scope_add(&third, "new:1");
    unit_scope_add(&third, "new:2");

    for (i = 0; i < 20; i++) {
        sprintf(name, "newest:%u", (unsigned) i);
        good += (unit_scope_find(&third, name) != 0);
    }

    unit_is(good, 20, "all bits taken: new names are declared first");
    unit_ok(unit_scope_find(&third, "new:1")
            == unit_scope_find(&second, "new:1")
            && unit_scope_find(&third, "new:2")
               == unit_scope_find(&second, "new:2"),
            "and those that stay keep their bits");

    good = 0;

    for (i = KNOWN; i < NGX_WASSIIT_SCOPES_MAX - 1; i++) {
        sprintf(name, "old:%u", (unsigned) i);

        if (unit_scope_find(&first, name) == bit) {
            continue;
        }

        unit_scope_add(&second, name);
        good += (unit_scope_find(&second, name)
                 == unit_scope_find(&first, name));
    }

    unit_is(good, NGX_WASSIIT_SCOPES_MAX - 1 - KNOWN - 1,
            "names whose bits weren't reused find them again");
}


/*
 * Reloads with random names, against the rule in words: who keeps a bit
 * keeps it until all 64 were taken at once.
 */

static void
unit_scope_reload_random(void)
{
    char                  name[16];
    uint64_t              bit, held[40], all;
    ngx_int_t             rc;
    ngx_uint_t            i, n, round, wrong, now[40];
    ngx_wassiit_scopes_t  table[2], *scopes, *former;

    wrong = 0;
    former = NULL;
    memset(held, 0, sizeof(held));

    /* 40 names and the six fit in 64 bits: no bit ever has to move */

    for (round = 0; round < 2000; round++) {
        scopes = &table[round & 1];
        ngx_wassiit_scopes_init(scopes, former);
        memset(now, 0, sizeof(now));

        for (n = unit_random(40); n; n--) {
            i = unit_random(40);
            sprintf(name, "name-%u", (unsigned) i);

            rc = unit_scope_add(scopes, name);
            wrong += (rc != (now[i] ? NGX_BUSY : NGX_OK));
            now[i] = 1;

            bit = unit_scope_find(scopes, name);
            wrong += (bit == 0 || (held[i] && held[i] != bit));
            held[i] = bit;
        }

        all = 0;

        for (i = 0; i < 40; i++) {
            sprintf(name, "name-%u", (unsigned) i);
            wrong += ((unit_scope_find(scopes, name) != 0) != now[i]);
            wrong += ((all & held[i]) != 0);
            all |= held[i];
        }

        for (i = 0; i < KNOWN; i++) {
            wrong += (unit_scope_find(scopes, unit_scope_six[i]) == 0);
            wrong += ((unit_scope_find(scopes, unit_scope_six[i]) & all) != 0);
        }

        former = scopes;
    }

    unit_is(wrong, 0, "2000 reloads: each name has one bit, always the same");
}


static void
unit_scope_next(void)
{
    char                  name[16];
    uint64_t              set, before, taken;
    ngx_str_t             got;
    ngx_uint_t            i, n, wrong;
    ngx_wassiit_scopes_t  scopes;

    ngx_wassiit_scopes_init(&scopes, NULL);

    set = unit_scope_find(&scopes, "calls.initiate");
    ngx_str_null(&got);
    ngx_wassiit_scopes_next(&scopes, &set, &got);
    unit_ok(set == 0 && got.len == 14
            && memcmp(got.data, "calls.initiate", 14) == 0,
            "next: a set of one");

    for (i = KNOWN; i < NGX_WASSIIT_SCOPES_MAX; i++) {
        sprintf(name, "scope:%u", (unsigned) i);
        unit_scope_add(&scopes, name);
    }

    wrong = 0;

    for (n = 0; n < 1000; n++) {
        set = (n == 0) ? (uint64_t) -1 : unit_random64() & unit_random64();

        while (set) {
            before = set;
            ngx_wassiit_scopes_next(&scopes, &set, &got);
            taken = before ^ set;

            wrong += (taken != (before & -before));
            wrong += (ngx_wassiit_scopes_find(&scopes, got.data, got.len)
                      != taken);
            wrong += (got.data < (u_char *) &scopes
                      || got.data >= (u_char *) (&scopes + 1));
        }
    }

    unit_is(wrong, 0, "next: takes the lowest, and names it");
}


static void
unit_scope_nearest(void)
{
    char                  text[300];
    ngx_str_t             name;
    ngx_wassiit_scopes_t  scopes, former;

    ngx_wassiit_scopes_init(&scopes, NULL);

    unit_ok(unit_scope_nearest_is(&scopes, "message.send", "messages.send"),
            "nearest: a character is missing");
    unit_ok(unit_scope_nearest_is(&scopes, "callls.initiate",
                                  "calls.initiate"),
            "nearest: a character too many");
    unit_ok(unit_scope_nearest_is(&scopes, "webhooks.manege",
                                  "webhooks.manage"),
            "nearest: another character");
    unit_ok(unit_scope_nearest_is(&scopes, "audoi.send", "audio.send"),
            "nearest: two swapped");
    unit_ok(unit_scope_nearest_is(&scopes, "Files.Send", "files.send"),
            "nearest: capitals");
    unit_ok(unit_scope_nearest_is(&scopes, "conversation_read",
                                  "conversations.read"),
            "nearest: two changes");
    unit_ok(unit_scope_nearest_is(&scopes, "files.send", "files.send"),
            "nearest: the name itself");

    /* any of them will do, but one it has to be */

    ngx_str_null(&name);
    unit_ok(unit_scope_nearest_is(&scopes, "audio", "audio.send"),
            "nearest: a beginning");
    unit_is(ngx_wassiit_scopes_nearest(&scopes, (u_char *) "", 0, &name), 0,
            "nearest: not near");
    unit_is(ngx_wassiit_scopes_nearest(&scopes, (u_char *) "zzz", 3, &name), 0,
            "nearest: nor is this");
    unit_ok(name.len && ngx_wassiit_scopes_find(&scopes, name.data, name.len),
            "nearest: to nothing");

    memset(text, 'x', sizeof(text));
    ngx_str_null(&name);
    ngx_wassiit_scopes_nearest(&scopes, (u_char *) text, sizeof(text), &name);
    unit_ok(name.len && ngx_wassiit_scopes_find(&scopes, name.data, name.len),
            "nearest: to 300 characters");

    unit_scope_add(&scopes, "reports.read");
    unit_ok(unit_scope_nearest_is(&scopes, "report.read", "reports.read"),
            "nearest: a name that was declared");

    former = scopes;
    ngx_wassiit_scopes_init(&scopes, &former);
    ngx_wassiit_scopes_nearest(&scopes, (u_char *) "reports.read", 12, &name);
    unit_ok(ngx_wassiit_scopes_find(&scopes, name.data, name.len) != 0,
            "nearest: not one that is no longer declared");
}


static void
unit_scope_nearest_random(void)
{
    size_t                i, len;
    u_char                p[NGX_WASSIIT_SCOPE_LEN];
    uint64_t              set;
    ngx_str_t             name, other;
    ngx_uint_t            n, d, least, wrong;
    ngx_wassiit_scopes_t  scopes;

    wrong = 0;

    ngx_wassiit_scopes_init(&scopes, NULL);

    for (n = 0; n < 30; n++) {
        len = 1 + unit_random(NGX_WASSIIT_SCOPE_LEN);

        for (i = 0; i < len; i++) {
            p[i] = 'a' + unit_random(3);
        }

        (void) ngx_wassiit_scopes_add(&scopes, p, len);
    }

    for (n = 0; n < 500; n++) {
        len = unit_random(NGX_WASSIIT_SCOPE_LEN + 1);

        for (i = 0; i < len; i++) {
            p[i] = 'a' + unit_random(4);
        }

        ngx_wassiit_scopes_nearest(&scopes, p, len, &name);

        least = (ngx_uint_t) -1;

        for (set = scopes.declared; set; /* void */) {
            ngx_wassiit_scopes_next(&scopes, &set, &other);
            d = unit_scope_distance(p, len, other.data, other.len);
            least = ngx_min(least, d);
        }

        wrong += (unit_scope_distance(p, len, name.data, name.len) != least);
    }

    unit_is(wrong, 0, "nearest: no other name is nearer");
}


static ngx_int_t
unit_scope_add(ngx_wassiit_scopes_t *scopes, const char *name)
{
    return ngx_wassiit_scopes_add(scopes, (u_char *) name, strlen(name));
}


static uint64_t
unit_scope_find(ngx_wassiit_scopes_t *scopes, const char *name)
{
    ngx_wassiit_scopes_settle(scopes);

    return ngx_wassiit_scopes_find(scopes, (u_char *) name, strlen(name));
}


static ngx_uint_t
unit_scope_nearest_is(const ngx_wassiit_scopes_t *scopes, const char *p,
    const char *name)
{
    ngx_str_t  got;

    ngx_str_null(&got);

    if (ngx_wassiit_scopes_nearest(scopes, (u_char *) p, strlen(p), &got)
        && got.len == strlen(name) && memcmp(got.data, name, got.len) == 0) {
        return 1;
    }

    unit_note("got \"%.*s\", expected \"%s\"", (int) got.len, got.data, name);

    return 0;
}


/* The whole table of Levenshtein's distances, as the textbook has it. */

static ngx_uint_t
unit_scope_distance(const u_char *a, size_t alen, const u_char *b,
    size_t blen)
{
    size_t             i, j;
    static ngx_uint_t  d[NGX_WASSIIT_SCOPE_LEN + 1][NGX_WASSIIT_SCOPE_LEN + 1];

    for (i = 0; i <= alen; i++) {
        for (j = 0; j <= blen; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }

            d[i][j] = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            d[i][j] = ngx_min(d[i][j], d[i - 1][j] + 1);
            d[i][j] = ngx_min(d[i][j], d[i][j - 1] + 1);
        }
    }

    return d[alen][blen];
}
