
/*
 * Files with secrets: which texts are secrets, that their keys are right, what
 * is logged of the others, and that nothing of a secret stays in memory.
 */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_secret.h"

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/stat.h>
#include <sys/wait.h>


#define SECRET_USER     60001       /* the workers' */
#define SECRET_OTHER    60002       /* and anyone else */

#define SECRET_LONG     (1024 * 1024)
#define SECRET_LINES    2000
#define SECRET_MOST     6           /* lines of a text here */

/* what is looked for in memory, in pieces */
#define SECRET_OF_BYTES 0
#define SECRET_OF_BASE64  1
#define SECRET_OF_STATES  2
#define SECRET_OF       3
#define SECRET_BYTES    96
#define SECRET_BASE64   (SECRET_BYTES / 3 * 4)
#define SECRET_STATES   sizeof(ngx_wassiit_hmac_key_t)
#define SECRET_WINDOW   8           /* bytes of a piece */
#define SECRET_MASK     0x5a
#define SECRET_REGION   (64 * 1024 * 1024)
#define SECRET_READ     (256 * 1024)

#define SECRET_BOM      "\xef\xbb\xbf"

#define TEXT(s)         { s, sizeof(s) - 1 }


typedef struct {
    const char           *data;
    size_t                len;
} unit_secret_text_t;


typedef struct {
    unit_secret_text_t    text;
    unit_secret_text_t    secrets[SECRET_MOST];     /* the last has no data */
} unit_secret_lines_t;


static void unit_secret_accepts(void);
static void unit_secret_refuses(void);
static void unit_secret_vectors(void);
static void unit_secret_seals(void);
static void unit_secret_large(void);
static void unit_secrets_accepts(void);
static void unit_secrets_refuses(void);
static void unit_secrets_many(void);
static void unit_secret_line(void);
static void unit_secret_files(void);
static void unit_secret_file_is_refused(const char *name, const char *why);
static void unit_secret_loose(void);
static void unit_secret_unreadable(void);
static void unit_secret_of_others(void);
static void unit_secret_memory_fails(void);
static void unit_secret_leaves(void);
static void unit_secret_leaves_of(const char *end, ngx_int_t rc,
    ngx_uint_t pooled, const char *what);
static void unit_secret_masked(void);
static void unit_secret_look(void);
static void unit_secret_look_at(const u_char *p, size_t n);
static size_t unit_secret_count_fds(void);


static char                    unit_secret_dir[256];
static char                    unit_secret_path[300];
static ngx_str_t               unit_secret_file;
static ngx_wassiit_hmac_key_t  unit_secret_key;
static ngx_pool_t              unit_secret_pool;

/* those that are looked for: nothing of them is in memory but by this mask */

static u_char                  unit_secret_bytes[SECRET_BYTES];
static u_char                  unit_secret_base64[SECRET_BASE64];
static u_char                  unit_secret_states[SECRET_STATES];

static ngx_uint_t              unit_secret_found[SECRET_OF];


/* one that may not be read, and one that may */
static char  unit_secret_shut[300], unit_secret_open[300];


int
main(void)
{
    size_t  fds;

    unit_start();

    unit_folder(unit_secret_dir, sizeof(unit_secret_dir), NULL, "secret");

    snprintf(unit_secret_path, sizeof(unit_secret_path), "%s/the-file",
             unit_secret_dir);

    unit_secret_file.data = (u_char *) unit_secret_path;
    unit_secret_file.len = strlen(unit_secret_path);

    fds = unit_secret_count_fds();

    unit_secret_accepts();
    unit_secret_refuses();
    unit_secret_vectors();
    unit_secret_seals();
    unit_secret_large();
    unit_secrets_accepts();
    unit_secrets_refuses();
    unit_secrets_many();
    unit_secret_line();
    unit_secret_files();
    unit_secret_loose();
    unit_secret_unreadable();
    unit_secret_memory_fails();
    unit_secret_leaves();

    unit_is(unit_secret_count_fds(), fds, "all files are closed");

    (void) unlink(unit_secret_path);
    unit_is(rmdir(unit_secret_dir), 0, "nothing else is left in the folder");

    return unit_done();
}


/* ---- helpers */

static void
unit_secret_must(ngx_uint_t good, const char *name)
{
    if (!good) {
        perror(name);
        exit(2);
    }
}


static void
unit_secret_put(const char *data, size_t len)
{
    int  fd;

    (void) unlink(unit_secret_path);
    fd = open(unit_secret_path, O_WRONLY|O_CREAT|O_EXCL, 0600);

    unit_secret_must(fd != -1 && write(fd, data, len) == (ssize_t) len
                     && close(fd) == 0, unit_secret_path);
}


static ngx_int_t
unit_secret_get(void)
{
    unit_log_forget();
    memset(&unit_secret_key, 0, sizeof(unit_secret_key));

    return ngx_http_wassiit_secret(&unit_secret_file, SECRET_USER,
                                   &unit_secret_key, &unit_log);
}


static ngx_array_t *
unit_secrets_get(void)
{
    unit_log_forget();

    return ngx_http_wassiit_secrets(&unit_secret_file, SECRET_USER,
                                    &unit_secret_pool, &unit_log);
}


/* The pool's end: is there nothing but zeros where there may be keys? */

static ngx_uint_t
unit_secrets_end(void)
{
    size_t        i, len;
    ngx_uint_t    wiped, ended;
    ngx_array_t  *keys;

    ended = (unit_secret_pool.cleanup != NULL);
    unit_pool_cleanup(&unit_secret_pool);
    wiped = 1;

    if (unit_secret_pool.large) {
        keys = unit_secret_pool.large->alloc;
        len = keys->nalloc * keys->size;

        for (i = 0; ended && i < len; i++) {
            wiped &= (((u_char *) keys->elts)[i] == 0);
        }

        wiped &= (ended || keys->nelts == 0);
    }

    unit_pool_free(&unit_secret_pool);

    return wiped;
}


/* Is it the key of this secret, by OpenSSL's HMAC of another message each? */

static ngx_uint_t
unit_secret_is(const ngx_wassiit_hmac_key_t *key, const void *secret,
    size_t len)
{
    u_char              message[100], mac[NGX_WASSIIT_HMAC_LEN];
    u_char              expected[EVP_MAX_MD_SIZE];
    ngx_uint_t          i;
    unsigned            n;
    ngx_wassiit_hmac_t  hmac;

    for (i = 0; i < sizeof(message); i++) {
        message[i] = (u_char) unit_random(256);
    }

    ngx_wassiit_hmac_init(&hmac, key);
    ngx_wassiit_hmac_update(&hmac, message, sizeof(message));
    ngx_wassiit_hmac_final(&hmac, key, mac);

    return HMAC(EVP_sha256(), secret, len, message, sizeof(message), expected,
                &n) != NULL
           && n == NGX_WASSIIT_HMAC_LEN && memcmp(mac, expected, n) == 0;
}


/* One message at this level, with the file's name and nothing of its text. */

static ngx_uint_t
unit_secret_logged(const char *level, const char *what,
    const unit_secret_text_t *text)
{
    char    *name, *lf;
    size_t   i;

    lf = strchr(unit_logged, LF);
    name = strstr(unit_logged, unit_secret_path);

    if (lf == NULL || lf[1] != '\0' || name == NULL
        || strncmp(unit_logged, level, strlen(level)) != 0
        || strstr(unit_logged, what) == NULL)
    {
        unit_note("logged %s", unit_logged);
        return 0;
    }

    memset(name, ' ', strlen(unit_secret_path));

    for (i = 0; i + 6 <= text->len; i++) {
        if (memmem(unit_logged, unit_logged_len, text->data + i, 6)) {
            unit_note("logged of it: %s", unit_logged);
            return 0;
        }
    }

    return 1;
}


/* What would end a line of TAP, and zeros, are made visible. */

static const char *
unit_secret_visible(const unit_secret_text_t *text)
{
    u_char  c;
    size_t  i, n;

    static char  line[256];

    n = 0;

    for (i = 0; i < text->len && n < sizeof(line) - 8; i++) {
        c = text->data[i];
        n += snprintf(line + n, 8, (c > ' ' && c < 0x7f && c != '#') ? "%c"
                                   : "\\x%02x", c);
    }

    line[n] = '\0';

    return line;
}


static size_t
unit_secret_count_fds(void)
{
    DIR     *dir;
    size_t   n;

    dir = opendir("/proc/self/fd");
    unit_secret_must(dir != NULL, "/proc/self/fd");

    for (n = 0; readdir(dir); n++) { /* void */ }

    (void) closedir(dir);

    return n;
}


/* ---- one line of base64 */

static void
unit_secret_accepts(void)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    static const struct {
        unit_secret_text_t  text;
        unit_secret_text_t  secret;
    } texts[] = {

        /* RFC 4648, chapter 10, with and without the padding */

        { TEXT("Zg==\n"), TEXT("f") },
        { TEXT("Zm8=\n"), TEXT("fo") },
        { TEXT("Zm9v\n"), TEXT("foo") },
        { TEXT("Zm9vYg==\n"), TEXT("foob") },
        { TEXT("Zm9vYmE=\n"), TEXT("fooba") },
        { TEXT("Zm9vYmFy\n"), TEXT("foobar") },
        { TEXT("Zg\n"), TEXT("f") },
        { TEXT("Zm8\n"), TEXT("fo") },
        { TEXT("Zm9vYg\n"), TEXT("foob") },
        { TEXT("Zm9vYmE\n"), TEXT("fooba") },

        /* both alphabets, and all of the bits */

        { TEXT("+/+/\n"), TEXT("\xfb\xff\xbf") },
        { TEXT("-_-_\n"), TEXT("\xfb\xff\xbf") },
        { TEXT("-_+/\n"), TEXT("\xfb\xff\xbf") },
        { TEXT("_-8=\n"), TEXT("\xff\xef") },
        { TEXT("AAAA\n"), TEXT("\0\0\0") },
        { TEXT("Cg==\n"), TEXT("\n") },

        /* ends of the line */

        { TEXT("Zm9vYmFy"), TEXT("foobar") },
        { TEXT("Zm9vYmFy\r\n"), TEXT("foobar") },
        { TEXT("Zm9vYmE=\r\n"), TEXT("fooba") },
        { TEXT("Zm9vYmE="), TEXT("fooba") },
        { TEXT("Zm9vYmFy\r"), TEXT("foobar") },

        /* a byte order mark */

        { TEXT(SECRET_BOM "Zm9vYmFy\n"), TEXT("foobar") },
        { TEXT(SECRET_BOM "Zg"), TEXT("f") }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unit_secret_put(texts[i].text.data, texts[i].text.len);
        rc = unit_secret_get();

        unit_ok(rc == NGX_OK && strcmp(unit_logged, "") == 0
                && unit_secret_is(&unit_secret_key, texts[i].secret.data,
                                  texts[i].secret.len),
                "a secret: %s", unit_secret_visible(&texts[i].text));
    }
}


static void
unit_secret_refuses(void)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    static const unit_secret_text_t  texts[] = {

        TEXT(""), TEXT("\n"), TEXT("\r\n"), TEXT("\r"), TEXT(SECRET_BOM),
        TEXT(SECRET_BOM "\n"),

        /* two lines */

        TEXT("Zm9vYmFy\n\n"), TEXT("Zm9vYmFy\r\n\r\n"), TEXT("\nZm9vYmFy\n"),
        TEXT("Zm9vYmFy\nZm9vYmFy\n"), TEXT("Zm9vYmFy\nZm9vYmFy"),
        TEXT("Zm9v\r\nYmFy\r\n"), TEXT("Zm9vYmFy\n\r"), TEXT("\n\n"),
        TEXT("\n\r\n"), TEXT("Zm9vYmFy\n\0"),

        /* CR alone ends none */

        TEXT("Zm9vYmFy\r\r\n"), TEXT("Zm9v\rYmFy\n"), TEXT("\r\r\n"),

        /* padding and length */

        TEXT("Z\n"), TEXT("Zm9vY\n"), TEXT("Zm9vY===\n"), TEXT("Zg=\n"),
        TEXT("Zg===\n"), TEXT("Zm9vYmFy=\n"), TEXT("Zm9vYmFy====\n"),
        TEXT("Zm8=YmFy\n"), TEXT("=\n"), TEXT("====\n"), TEXT("=m9vYmFy\n"),

        /* other characters */

        TEXT("Zm9vYmF!\n"), TEXT(" Zm9vYmFy\n"), TEXT("Zm9vYmFy \n"),
        TEXT("Zm9v YmFy\n"), TEXT("Zm9vYmFy\t\n"), TEXT("Zm9v*mFy\n"),
        TEXT("Zm9vYm\xc3\xa9\n"), TEXT("Zm9v.mFy\n"), TEXT("Zm9v,mFy\n"),
        TEXT("\0Zm9vYmF\n"), TEXT("Zm9vYmF\0\n"), TEXT("Zm9vYmFy\0\n"),
        TEXT("\0"), TEXT("Zm9v\0"),
        TEXT("Zm9v" SECRET_BOM "\n"), TEXT(SECRET_BOM SECRET_BOM "Zm9vYmFy\n"),
        TEXT("\xef\xbbZm9vYmFy\n"), TEXT("\"Zm9vYmFy\"\n")
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unit_secret_put(texts[i].data, texts[i].len);
        rc = unit_secret_get();

        unit_ok(rc == NGX_ERROR
                && unit_secret_logged("emerg: ", (i < 6) ? "is empty"
                                      : (i < 16) ? "has 2 lines, its base64 "
                                                   "must be one: "
                                      : "is not one line of base64",
                                      &texts[i]),
                "none: %s", unit_secret_visible(&texts[i]));
    }
}


/* RFC 4231 */

static void
unit_secret_vectors(void)
{
    u_char              mac[NGX_WASSIIT_HMAC_LEN];
    u_char              hex[NGX_WASSIIT_HMAC_HEX];
    ngx_uint_t          i;
    ngx_wassiit_hmac_t  hmac;

    static const struct {
        const char  *secret;
        const char  *message;
        const char  *mac;
    } cases[] = {
        { "CwsLCwsLCwsLCwsLCwsLCwsLCws=\n", "Hi There",
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
        { "SmVmZQ==\n", "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        unit_secret_put(cases[i].secret, strlen(cases[i].secret));
        unit_is(unit_secret_get(), NGX_OK, "a secret of RFC 4231");

        ngx_wassiit_hmac_init(&hmac, &unit_secret_key);
        ngx_wassiit_hmac_update(&hmac, (u_char *) cases[i].message,
                                strlen(cases[i].message));
        ngx_wassiit_hmac_final(&hmac, &unit_secret_key, mac);
        ngx_wassiit_hmac_hex(hex, mac);

        unit_ok(memcmp(hex, cases[i].mac, NGX_WASSIIT_HMAC_HEX) == 0,
                "signs as there");
    }
}


/* A key to seal by has its bytes, and no other number of them. */

static void
unit_secret_seals(void)
{
    int         n;
    size_t      len;
    u_char      bytes[40], key[NGX_WASSIIT_SEAL_KEY_LEN];
    ngx_int_t   rc;
    ngx_uint_t  right;
    char        text[64];

    right = 0;

    for (len = 0; len < sizeof(bytes); len++) {
        bytes[len] = (u_char) unit_random(256);
    }

    for (len = 1; len < sizeof(bytes); len++) {
        n = EVP_EncodeBlock((u_char *) text, bytes, len);
        text[n++] = LF;
        unit_secret_put(text, n);
        unit_log_forget();

        rc = ngx_http_wassiit_secret_seal(&unit_secret_file, SECRET_USER, key,
                                          &unit_log);

        right += (len == sizeof(key))
                 ? (rc == NGX_OK && memcmp(key, bytes, len) == 0
                    && unit_logged[0] == '\0')
                 : (rc == NGX_ERROR
                    && strstr(unit_logged, "a key to seal by has 32: make one "
                                           "with \"openssl rand -base64 32\"")
                    && strstr(unit_logged, unit_secret_path));
    }

    unit_is(right, sizeof(bytes) - 1, "a key to seal by has 32 bytes");

    unit_secret_put("a key!\n", 7);
    unit_log_forget();
    unit_ok(ngx_http_wassiit_secret_seal(&unit_secret_file, SECRET_USER, key,
                                         &unit_log)
            == NGX_ERROR && strstr(unit_logged, "is not one line of base64"),
            "in base64");
}


/* Of any length, up to more than a line of it ever has. */

static void
unit_secret_large(void)
{
    int         n;
    size_t      len;
    u_char     *secret, *text;
    ngx_uint_t  wrong;

    secret = malloc(SECRET_LONG);
    text = malloc(SECRET_LONG / 3 * 4 + 8);
    unit_secret_must(secret && text, "malloc()");

    for (len = 0; len < SECRET_LONG; len++) {
        secret[len] = (u_char) unit_random(256);
    }

    wrong = 0;

    for (len = 1; len <= SECRET_LONG; len += (len < 140) ? 1 : len) {
        n = EVP_EncodeBlock(text, secret, len);
        unit_secret_put((char *) text, n);

        wrong += (unit_secret_get() != NGX_OK
                  || !unit_secret_is(&unit_secret_key, secret, len));
    }

    unit_is(wrong, 0, "secrets of 1 to 140 bytes, and of many more");

    /* the last character is seen, however far it is */

    n = EVP_EncodeBlock(text, secret, SECRET_LONG / 3 * 3);
    text[n - 1] = '!';
    unit_secret_put((char *) text, n);
    unit_is(unit_secret_get(), NGX_ERROR, "one whose last character is none");

    /* a line of bytes as they are */

    for (len = 0; len < SECRET_LONG; len++) {
        secret[len] += (secret[len] == LF || secret[len] == CR);
        secret[len] += (secret[len] == LF || secret[len] == CR);
    }

    secret[SECRET_LONG - 1] = LF;
    unit_secret_put((char *) secret, SECRET_LONG);
    unit_ok(unit_secrets_get() != NULL, "a long line");
    unit_ok(unit_secrets_end(), "and no more");

    free(secret);
    free(text);
}


/* ---- a secret a line */

static void
unit_secrets_accepts(void)
{
    ngx_uint_t                 i, n, good;
    ngx_array_t               *keys;
    const unit_secret_text_t  *secrets;

    static const unit_secret_lines_t  texts[] = {
        { TEXT("one\n"), { TEXT("one") } },
        { TEXT("one"), { TEXT("one") } },
        { TEXT("one\r\n"), { TEXT("one") } },
        { TEXT("one\r"), { TEXT("one") } },
        { TEXT("one\ntwo\n"), { TEXT("one"), TEXT("two") } },
        { TEXT("one\ntwo"), { TEXT("one"), TEXT("two") } },
        { TEXT("one\r\ntwo\r\n"), { TEXT("one"), TEXT("two") } },
        { TEXT("one\r\ntwo\nthree\r\nfour"),
          { TEXT("one"), TEXT("two"), TEXT("three"), TEXT("four") } },
        { TEXT("one\none\n"), { TEXT("one"), TEXT("one") } },

        /* as they are */

        { TEXT(" one \n\ttwo\n"), { TEXT(" one "), TEXT("\ttwo") } },
        { TEXT("one\r\r\n"), { TEXT("one\r") } },
        { TEXT("o\rne\n\rtwo\n"), { TEXT("o\rne"), TEXT("\rtwo") } },
        { TEXT("o\0ne\n\0\n\0two"),
          { TEXT("o\0ne"), TEXT("\0"), TEXT("\0two") } },
        { TEXT("Zm9vYmFy\n"), { TEXT("Zm9vYmFy") } },
        { TEXT("#one\n;\n"), { TEXT("#one"), TEXT(";") } },
        { TEXT(" \n"), { TEXT(" ") } },
        { TEXT(SECRET_BOM "one\n"), { TEXT("one") } },
        { TEXT(SECRET_BOM "o\n" SECRET_BOM "two"),
          { TEXT("o"), TEXT(SECRET_BOM "two") } },
        { TEXT(SECRET_BOM SECRET_BOM), { TEXT(SECRET_BOM) } },
        { TEXT("\xef\xbb\n"), { TEXT("\xef\xbb") } },
        { TEXT("\xff\xfe\n\xc3\xa9\n"), { TEXT("\xff\xfe"), TEXT("\xc3\xa9") } }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unit_secret_put(texts[i].text.data, texts[i].text.len);
        keys = unit_secrets_get();

        good = (keys != NULL && strcmp(unit_logged, "") == 0
                && keys->size == sizeof(ngx_wassiit_hmac_key_t));

        for (n = 0; good && texts[i].secrets[n].data; n++) {
            secrets = texts[i].secrets;
            good = (n < keys->nelts
                    && unit_secret_is((ngx_wassiit_hmac_key_t *) keys->elts + n,
                                      secrets[n].data, secrets[n].len));
        }

        unit_ok(good && n == keys->nelts, "secrets: %s",
                unit_secret_visible(&texts[i].text));
        unit_ok(unit_secrets_end(), "wiped at the pool's end");
    }
}


static void
unit_secrets_refuses(void)
{
    char        what[64];
    ngx_uint_t  i, good;

    static const struct {
        unit_secret_text_t  text;
        ngx_uint_t          line;
    } texts[] = {
        { TEXT(""), 0 },
        { TEXT(SECRET_BOM), 0 },
        { TEXT("\n"), 1 },
        { TEXT("\r\n"), 1 },
        { TEXT("\r"), 1 },
        { TEXT(SECRET_BOM "\n"), 1 },
        { TEXT("\nsecret\n"), 1 },
        { TEXT("\r\nsecret\n"), 1 },
        { TEXT("secret\n\n"), 2 },
        { TEXT("secret\n\r\n"), 2 },
        { TEXT("secret\n\r"), 2 },
        { TEXT("secret\r\n\r\nsecret\r\n"), 2 },
        { TEXT("secret\nsecret\n\nsecret\n"), 3 },
        { TEXT("secret\nsecret\n\n\n"), 3 },
        { TEXT("secret\nsecret\n12345678\n\n"), 4 }
    };

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        unit_secret_put(texts[i].text.data, texts[i].text.len);

        snprintf(what, sizeof(what), "has an empty line: %u\n",
                 (unsigned) texts[i].line);

        good = (unit_secrets_get() == NULL);

        /* this word is in the message anyway */

        while (strstr(unit_logged, "secret")) {
            memcpy(strstr(unit_logged, "secret"), "......", 6);
        }

        memcpy(strstr(unit_secret_path, "secret"), "......", 6);
        good &= unit_secret_logged("emerg: ", texts[i].line ? what : "is empty",
                                   &texts[i].text);
        memcpy(strstr(unit_secret_path, "......"), "secret", 6);

        unit_ok(good, "none: %s", unit_secret_visible(&texts[i].text));
        unit_ok(unit_secrets_end(), "wiped at the pool's end");
    }
}


static void
unit_secrets_many(void)
{
    char        *text;
    size_t       len;
    ngx_uint_t   i, wrong;
    ngx_array_t *keys;
    char         line[64];

    text = malloc(SECRET_LINES * sizeof(line));
    unit_secret_must(text != NULL, "malloc()");

    for (len = 0, i = 0; i < SECRET_LINES; i++) {
        len += sprintf(text + len, "line %u%s", (unsigned) i,
                       (i == SECRET_LINES - 1) ? "" : (i % 3) ? "\n" : "\r\n");
    }

    unit_secret_put(text, len);
    keys = unit_secrets_get();
    wrong = 0;

    if (unit_ok(keys && keys->nelts == SECRET_LINES, "many lines")) {

        for (i = 0; i < SECRET_LINES; i++) {
            len = sprintf(line, "line %u", (unsigned) i);
            wrong += !unit_secret_is((ngx_wassiit_hmac_key_t *) keys->elts + i,
                                     line, len);
        }
    }

    unit_is(wrong, 0, "in their order");
    unit_ok(unit_secrets_end(), "all are wiped");

    free(text);
}

/* ---- one line, as it is */

static void
unit_secret_line(void)
{
    size_t       i;
    u_char      *kept;
    ngx_int_t    rc;
    ngx_str_t    line;
    ngx_uint_t   failed, wiped;

    static const struct {
        unit_secret_text_t   text;
        unit_secret_text_t   line;
        const char          *why;
    } files[] = {
        { TEXT("pass word:1!"), TEXT("pass word:1!"), NULL },
        { TEXT("pass-word-2\n"), TEXT("pass-word-2"), NULL },
        { TEXT("pass-word-3\r\n"), TEXT("pass-word-3"), NULL },
        { TEXT(SECRET_BOM "pass-word-4\n"), TEXT("pass-word-4"), NULL },
        { TEXT(" \0 \r"), TEXT(" \0 "), NULL },
        { TEXT(""), TEXT(""), "is empty" },
        { TEXT("\n"), TEXT(""), "is empty" },
        { TEXT("\r\n"), TEXT(""), "is empty" },
        { TEXT(SECRET_BOM "\n"), TEXT(""), "is empty" },
        { TEXT("pass-word-5\nmore-of-it"), TEXT(""), "more than one line" },
        { TEXT("pass-word-6\n\n"), TEXT(""), "more than one line" }
    };

    failed = 0;
    wiped = 1;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        unit_secret_put(files[i].text.data, files[i].text.len);
        unit_log_forget();

        rc = ngx_http_wassiit_secret_line(&unit_secret_file, SECRET_USER,
                                          &line, &unit_secret_pool, &unit_log);

        if (files[i].why) {
            failed += (rc != NGX_ERROR
                       || !unit_secret_logged("emerg: ", files[i].why,
                                              &files[i].text));
            continue;
        }

        if (rc != NGX_OK || line.len != files[i].line.len
            || memcmp(line.data, files[i].line.data, line.len) != 0)
        {
            unit_note("line %u", (unsigned) i);
            failed++;
            continue;
        }

        kept = unit_secret_pool.cleanup->data;
        unit_secret_pool.cleanup->handler(kept);
        wiped &= (line.data[0] == 0 && line.data[line.len - 1] == 0);
        unit_pool_cleanup(&unit_secret_pool);
    }

    unit_is(failed, 0, "files of one line, and others");
    unit_is(wiped, 1, "the pool's end wipes it");
    unit_pool_free(&unit_secret_pool);
}


/* ---- the file */

static void
unit_secret_at(const char *name)
{
    snprintf(unit_secret_path, sizeof(unit_secret_path), "%s", name);
    unit_secret_file.len = strlen(unit_secret_path);
}


/* By both functions, and for this reason. */

static void
unit_secret_file_is_refused(const char *name, const char *why)
{
    size_t  fds;

    static const unit_secret_text_t  text = TEXT("Zm9vYmFy\n");

    unit_secret_at(name);
    fds = unit_secret_count_fds();

    unit_ok(unit_secret_get() == NGX_ERROR
            && unit_secret_logged("emerg: ", why, &text),
            "a file isn't read: %s", why);

    unit_ok(unit_secrets_get() == NULL
            && unit_secret_logged("emerg: ", why, &text),
            "nor its lines");

    unit_ok(unit_secrets_end() && unit_secret_count_fds() == fds,
            "nothing stays open");
}


/* Where the file isn't one that can be read, or others may have put it. */

static void
unit_secret_files(void)
{
    char  file[300], other[320];

    strcpy(file, unit_secret_path);
    unit_secret_put("Zm9vYmFy\n", 9);

    snprintf(other, sizeof(other), "%s/none", unit_secret_dir);
    unit_secret_file_is_refused(other, "open() ");
    unit_is(unit_logged_err, ENOENT, "as it isn't there");

    unit_secret_file_is_refused(unit_secret_dir, "open() ");
    unit_is(unit_logged_err, EISDIR, "as it is a folder");

    snprintf(other, sizeof(other), "%s/pipe", unit_secret_dir);
    unit_secret_must(mkfifo(other, 0600) == 0, other);
    (void) alarm(20);
    unit_secret_file_is_refused(other, "is not a regular file");
    (void) alarm(UNIT_PATIENCE);
    (void) unlink(other);

    unit_secret_file_is_refused("/dev/null", "is not a regular file");

    /* nobody reads that at 0 */

    unit_secret_file_is_refused("/proc/self/mem", "read() ");
    unit_is(unit_logged_err, EIO, "as that fails");

    /* it says that it has no byte */

    unit_secret_at("/proc/self/limits");
    unit_ok(unit_secret_get() == NGX_ERROR
            && strstr(unit_logged, "emerg: file \"/proc/self/limits\" grew"),
            "a file that grows isn't read");

    /* read anyway */

    unit_secret_at(file);
    (void) chmod(file, 0644);
    unit_ok(unit_secret_get() == NGX_OK
            && strstr(unit_logged, "warn: ") && strstr(unit_logged, file)
            && strstr(unit_logged, "can be read by everyone")
            && strstr(unit_logged, "Zm9v") == NULL,
            "what everyone may read is warned of");
    unit_ok(unit_secrets_get() != NULL
            && strstr(unit_logged, "warn: ") && strstr(unit_logged, file)
            && strstr(unit_logged, "Zm9v") == NULL, "with lines, too");
    unit_ok(unit_secrets_end(), "it is read");

    snprintf(other, sizeof(other), "%s/link", unit_secret_dir);
    unit_secret_must(symlink("the-file", other) == 0, other);
    (void) chmod(file, 0600);
    unit_secret_at(other);
    unit_ok(unit_secret_get() == NGX_OK
            && unit_secret_is(&unit_secret_key, "foobar", 6)
            && strcmp(unit_logged, "") == 0, "a link of ours is followed");
    (void) unlink(other);

    unit_secret_at(file);
}


/* As ngx_http_wassiit_path_open() refuses it, where user is the workers'. */

static void
unit_secret_loose(void)
{
    char  file[300], other[320];

    strcpy(file, unit_secret_path);
    unit_secret_put("Zm9vYmFy\n", 9);
    (void) chmod(unit_secret_dir, 01777);

    snprintf(other, sizeof(other), "%s/link", unit_secret_dir);
    unit_secret_must(symlink("the-file", other) == 0, other);
    unit_secret_file_is_refused(other, "is a symbolic link in a folder");
    (void) unlink(other);

    unit_secret_must(link(file, other) == 0, other);
    unit_secret_file_is_refused(other, "has another name as well");
    (void) unlink(other);

    unit_secret_at(file);
    unit_ok(unit_secret_get() == NGX_OK && strcmp(unit_logged, "") == 0,
            "our own is read where others write");

    (void) chmod(unit_secret_dir, 0777);
    unit_ok(unit_secret_get() == NGX_OK
            && strstr(unit_logged, "can be written by everyone, who may"),
            "with a warning, if they may put another in its place");
    (void) chmod(unit_secret_dir, 01777);

    if (geteuid() != 0) {
        unit_ok(1, "files of others # SKIP needs root");

    } else {
        unit_secret_must(chown(file, SECRET_USER, (gid_t) -1) == 0, file);
        unit_ok(unit_secret_get() == NGX_OK && strcmp(unit_logged, "") == 0,
                "the workers' is, too");
        unit_ok(unit_secrets_get() != NULL && strcmp(unit_logged, "") == 0,
                "or its lines");
        unit_ok(unit_secrets_end(), "and no more");

        unit_secret_must(chown(file, SECRET_OTHER, (gid_t) -1) == 0, file);
        unit_secret_file_is_refused(file, "belongs neither to root nor to the "
                                          "workers' user");
    }

    (void) chmod(unit_secret_dir, 0700);
}


/* By a process that may not read it, as root may all. */

static void
unit_secret_unreadable(void)
{
    snprintf(unit_secret_shut, sizeof(unit_secret_shut), "%s",
             unit_secret_path);
    snprintf(unit_secret_open, sizeof(unit_secret_open), "%.250s/read",
             unit_secret_dir);

    unit_secret_put("Zm9vYmFy\n", 9);
    unit_secret_must(rename(unit_secret_shut, unit_secret_open) == 0
                     && chmod(unit_secret_open, 0444) == 0, unit_secret_open);
    unit_secret_put("Zm9vYmFy\n", 9);
    (void) chmod(unit_secret_path, 0200);
    (void) chmod(unit_secret_dir, 0755);

    unit_child(unit_secret_of_others);

    (void) unlink(unit_secret_open);
    (void) chmod(unit_secret_dir, 0700);
}


static void
unit_secret_of_others(void)
{
    unit_secret_must(geteuid() != 0
                     || setresuid(SECRET_USER, SECRET_USER, SECRET_USER) == 0,
                     "setresuid()");

    unit_secret_file_is_refused(unit_secret_shut, "open() ");
    unit_is(unit_logged_err, EACCES, "as it may not be read");

    unit_secret_at(unit_secret_open);
    unit_ok(unit_secret_get() == NGX_OK
            && unit_secret_is(&unit_secret_key, "foobar", 6),
            "one that may only be read is read");
}


static void
unit_secret_memory_fails(void)
{
    ngx_uint_t  i;

    unit_secret_put("Zm9vYmFy\n", 9);

    for (i = 1; i < 10; i++) {
        unit_alloc_fails = i;

        if (unit_secret_get() == NGX_OK) {
            break;
        }

        unit_ok(strncmp(unit_logged, "emerg: ", 7) == 0,
                "no memory for a secret, the %u. time", (unsigned) i);
    }

    unit_ok(i > 1 && unit_alloc_fails, "there is enough");

    for (i = 1; i < 10; i++) {
        unit_alloc_fails = i;

        if (unit_secrets_get()) {
            break;
        }

        unit_ok(strncmp(unit_logged, "emerg: ", 7) == 0,
                "no memory for lines, the %u. time", (unsigned) i);
        unit_ok(unit_secrets_end(), "nothing is left");
    }

    unit_ok(i > 3 && unit_alloc_fails, "there is enough");
    unit_ok(unit_secrets_end(), "and it is wiped");
    unit_alloc_fails = 0;
}


/* ---- what stays in memory, on the heap, the stack or anywhere */

static void
unit_secret_leaves(void)
{
    u_char      *p;
    ngx_uint_t   i;

    unit_secret_masked();

    /* would it be found? */

    p = malloc(2 * SECRET_BYTES);
    unit_secret_must(p != NULL, "malloc()");

    for (i = 0; i < SECRET_BYTES; i++) {
        p[SECRET_BYTES + i] = unit_secret_bytes[i] ^ SECRET_MASK;
    }

    ngx_memory_barrier();
    unit_secret_look();
    unit_is(unit_secret_found[SECRET_OF_BYTES], SECRET_BYTES / SECRET_WINDOW,
            "a secret in memory is found");
    ngx_explicit_memzero(p, 2 * SECRET_BYTES);
    free(p);
    unit_secret_look();
    unit_is(unit_secret_found[SECRET_OF_BYTES], 0, "until it is wiped");

    unit_secret_leaves_of("\n", NGX_OK, 0, "a secret is read");
    unit_secret_leaves_of("", NGX_OK, 0, "one without an end");
    unit_secret_leaves_of("!\n", NGX_ERROR, 0, "one that is none");

    /* of these, much is decoded before it is known */

    unit_secret_leaves_of("MOR!\n", NGX_ERROR, 0, "one that ends as none");
    unit_secret_leaves_of("\nMOR\n", NGX_ERROR, 0, "one of two lines");

    unit_alloc_fails = 2;
    unit_secret_leaves_of("\n", NGX_ERROR, 0, "without memory for it");

    unit_secret_leaves_of("\n", NGX_OK, 1, "lines are read");
    unit_secret_leaves_of("\r\nmore", NGX_OK, 1, "two lines are");
    unit_secret_leaves_of("\n\n", NGX_ERROR, 1, "with an empty line");

    for (i = 2; i <= 3; i++) {
        unit_alloc_fails = i;
        unit_secret_leaves_of("\n", NGX_ERROR, 1, "without memory for them");
    }

    unit_alloc_fails = 0;
}


/* Reads it, followed by this end, as a secret or in a pool as lines. */

static void
unit_secret_leaves_of(const char *end, ngx_int_t rc, ngx_uint_t pooled,
    const char *what)
{
    int           fd;
    u_char        c;
    u_char       *key;
    ngx_uint_t    i;
    ngx_array_t  *keys;

    (void) unlink(unit_secret_path);
    fd = open(unit_secret_path, O_WRONLY|O_CREAT|O_EXCL, 0600);
    unit_secret_must(fd != -1, unit_secret_path);

    for (i = 0; i < SECRET_BASE64; i++) {
        c = unit_secret_base64[i] ^ SECRET_MASK;
        unit_secret_must(write(fd, &c, 1) == 1, unit_secret_path);
    }

    unit_secret_must(write(fd, end, strlen(end)) == (ssize_t) strlen(end)
                     && close(fd) == 0, unit_secret_path);

    if (pooled) {
        keys = unit_secrets_get();
        key = keys ? keys->elts : NULL;

    } else {
        key = (unit_secret_get() == NGX_OK) ? (u_char *) &unit_secret_key
                                            : NULL;
    }

    unit_is(key ? NGX_OK : NGX_ERROR, rc, what);

    for (i = 0; key && i < SECRET_STATES; i++) {
        unit_secret_states[i] = key[i] ^ SECRET_MASK;
    }

    unit_secret_look();

    unit_is(unit_secret_found[SECRET_OF_BASE64], 0,
            "nothing of the file is left");
    unit_is(unit_secret_found[SECRET_OF_BYTES], 0,
            "nor of what it stands for");

    if (key) {
        unit_is(unit_secret_found[SECRET_OF_STATES],
                SECRET_STATES / SECRET_WINDOW,
                "the key is where it was asked for, and nowhere else");
    }

    ngx_explicit_memzero(&unit_secret_key, sizeof(unit_secret_key));
    unit_pool_cleanup(&unit_secret_pool);
    unit_secret_look();

    unit_is(unit_secret_found[SECRET_OF_STATES], 0,
            "no key outlives its owner");
    unit_pool_free(&unit_secret_pool);
}


/* A secret at random, and its base64, without either of them. */

static void
unit_secret_masked(void)
{
    size_t      i, n;
    ngx_uint_t  bits;

    static const char  digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (i = 0, n = 0; i < SECRET_BYTES; i += 3) {
        bits = unit_random(1 << 24);

        unit_secret_bytes[i] = (u_char) (bits >> 16) ^ SECRET_MASK;
        unit_secret_bytes[i + 1] = (u_char) (bits >> 8) ^ SECRET_MASK;
        unit_secret_bytes[i + 2] = (u_char) bits ^ SECRET_MASK;

        unit_secret_base64[n++] = digits[bits >> 18] ^ SECRET_MASK;
        unit_secret_base64[n++] = digits[bits >> 12 & 0x3f] ^ SECRET_MASK;
        unit_secret_base64[n++] = digits[bits >> 6 & 0x3f] ^ SECRET_MASK;
        unit_secret_base64[n++] = digits[bits & 0x3f] ^ SECRET_MASK;
    }
}


/*
 * Counts the pieces of what is masked in all memory that this process may
 * write, freed or not.
 */

static void
unit_secret_look(void)
{
    int            fd, mem;
    char          *p;
    size_t         used;
    ssize_t        n;
    unsigned long  from, to, at;

    static char    maps[256 * 1024];
    static u_char  data[SECRET_READ];

    fd = open("/proc/self/maps", O_RDONLY);
    mem = open("/proc/self/mem", O_RDONLY);
    unit_secret_must(fd != -1 && mem != -1, "/proc/self/mem");

    for (used = 0; used < sizeof(maps) - 1; used += n) {
        n = read(fd, maps + used, sizeof(maps) - 1 - used);

        if (n <= 0) {
            break;
        }
    }

    maps[used] = '\0';
    memset(unit_secret_found, 0, sizeof(unit_secret_found));

    for (p = maps; p && *p; p = strchr(p, LF), p = p ? p + 1 : NULL) {

        from = strtoul(p, &p, 16);
        to = strtoul(p + 1, &p, 16);

        /* what ASan keeps of all memory is huge, and has nothing of it */

        if (strncmp(p, " rw", 3) != 0 || to - from > SECRET_REGION) {
            continue;
        }

        for (at = from; at < to; at += n) {
            n = pread(mem, data, ngx_min(to - at, sizeof(data)), at);

            if (n <= 0) {
                break;
            }

            unit_secret_look_at(data, n);

            /* it isn't to be found here once more */
            memset(data, 0, n);

            if (at + n < to) {
                /* a piece may lie across the end of this part */
                n -= SECRET_WINDOW - 1;
            }
        }
    }

    (void) close(fd);
    (void) close(mem);
}


__attribute__((no_sanitize("address", "undefined"))) static void
unit_secret_look_at(const u_char *p, size_t n)
{
    size_t         i, k, at;
    ngx_uint_t     of;
    const u_char  *piece;
    u_char         first[256];

    static const struct {
        u_char  *masked;
        size_t   len;
    } all[] = {
        { unit_secret_bytes, SECRET_BYTES },
        { unit_secret_base64, SECRET_BASE64 },
        { unit_secret_states, SECRET_STATES }
    };

    memset(first, 0, sizeof(first));

    for (of = 0; of < SECRET_OF; of++) {
        for (k = 0; k < all[of].len; k += SECRET_WINDOW) {
            first[all[of].masked[k] ^ SECRET_MASK] = 1;
        }
    }

    for (i = 0; i + SECRET_WINDOW <= n; i++) {

        if (!first[p[i]]) {
            continue;
        }

        for (of = 0; of < SECRET_OF; of++) {
            for (k = 0; k < all[of].len; k += SECRET_WINDOW) {
                piece = all[of].masked + k;

                for (at = 0; at < SECRET_WINDOW; at++) {
                    if ((p[i + at] ^ SECRET_MASK) != piece[at]) {
                        break;
                    }
                }

                unit_secret_found[of] += (at == SECRET_WINDOW);
            }
        }
    }
}
