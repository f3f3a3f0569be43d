
/*
 * RESP2: each reply is read in one piece, in two at every place, and byte by
 * byte, from memory of just its size, and walked by the cursor.
 */


#include "unit.h"

#include "ngx_wassiit_resp.h"


#define UNIT_RESP_TEXT      4096


typedef struct {
    const char         *bytes;
    const char         *walk;       /* NULL: refused */
} unit_resp_t;


static void unit_resp_good(void);
static void unit_resp_bad(void);
static void unit_resp_longest(void);
static void unit_resp_deepest(void);
static void unit_resp_pipelined(void);
static void unit_resp_skip(void);
static void unit_resp_numbers(void);
static void unit_resp_print(void);
static void unit_resp_commands(void);
static ngx_int_t unit_resp_parse(const void *bytes, size_t len, size_t first,
    size_t piece);
static void unit_resp_walk(const void *bytes, size_t len, char *text);


static const unit_resp_t  unit_resp_replies[] = {
    { "+OK\r\n", "+OK" },
    { "+\r\n", "+" },
    { "-ERR unknown command 'x'\r\n", "-ERR unknown command 'x'" },
    { ":0\r\n", ":0" },
    { ":-0\r\n", ":0" },
    { ":0000000000000000042\r\n", ":42" },
    { ":1796000000000\r\n", ":1796000000000" },
    { ":9223372036854775807\r\n", ":9223372036854775807" },
    { ":-9223372036854775808\r\n", ":-9223372036854775808" },
    { "$0\r\n\r\n", "$" },
    { "$5\r\nhello\r\n", "$hello" },
    { "$2\r\n\r\n\r\n", "$\r\n" },
    { "$7\r\n$3\r\nabc\r\n", "$$3\r\nabc" },
    { "$-1\r\n", "nil" },
    { "*-1\r\n", "nil" },
    { "*0\r\n", "*0" },
    { "*1\r\n*0\r\n", "*1 *0" },
    { "*2\r\n*0\r\n*0\r\n", "*2 *0 *0" },
    { "*3\r\n$2\r\nOK\r\n:7\r\n$-1\r\n", "*3 $OK :7 nil" },
    { "*2\r\n*2\r\n:1\r\n+a\r\n*1\r\n-no\r\n", "*2 *2 :1 +a *1 -no" },
    { "*2\r\n*1\r\n*1\r\n:1\r\n:2\r\n", "*2 *1 *1 :1 :2" },
    { "*5\r\n$6\r\nmaster\r\n:3129659\r\n*1\r\n*3\r\n$9\r\n127.0.0.1\r\n"
      "$4\r\n9001\r\n$7\r\n3129242\r\n*-1\r\n:1\r\n",
      "*5 $master :3129659 *1 *3 $127.0.0.1 $9001 $3129242 nil :1" },

    { "OK\r\n", NULL },
    { "\r\n", NULL },
    { "+OK\n", NULL },
    { "+O\nK\r\n", NULL },
    { "+OK\rX", NULL },
    { "-ERR\r\r\n", NULL },
    { ":\r\n", NULL },
    { ":-\r\n", NULL },
    { ":--1\r\n", NULL },
    { ":1-\r\n", NULL },
    { ":+1\r\n", NULL },
    { ":1 \r\n", NULL },
    { ":1.5\r\n", NULL },
    { ":1\n", NULL },
    { ":1\r\r", NULL },
    { ":9223372036854775808\r\n", NULL },
    { ":-9223372036854775809\r\n", NULL },
    { ":00000000000000000000\r\n", NULL },
    { "$\r\n", NULL },
    { "$-2\r\n", NULL },
    { "$-0\r\n", NULL },
    { "$1\r\nab\r\n", NULL },
    { "$1\r\na\r\r", NULL },
    { "$1\r\na\n\r", NULL },
    { "$1048577\r\n", NULL },
    { "$9223372036854775807\r\n", NULL },
    { "*-2\r\n", NULL },
    { "*1048577\r\n", NULL },
    { "*1\r\nx", NULL },
    { "*2\r\n:1\r\n\r\n", NULL },
    { "_\r\n", NULL },
    { "%1\r\n+a\r\n:1\r\n", NULL }
};


int
main(void)
{
    unit_start();

    unit_resp_good();
    unit_resp_bad();
    unit_resp_longest();
    unit_resp_deepest();
    unit_resp_pipelined();
    unit_resp_skip();
    unit_resp_numbers();
    unit_resp_print();
    unit_resp_commands();

    return unit_done();
}


static void
unit_resp_good(void)
{
    char                text[UNIT_RESP_TEXT];
    size_t              i, len;
    ngx_uint_t          n, failed;
    const unit_resp_t  *reply;

    for (n = 0; n < sizeof(unit_resp_replies) / sizeof(unit_resp_t); n++) {
        reply = &unit_resp_replies[n];

        if (reply->walk == NULL) {
            continue;
        }

        len = strlen(reply->bytes);
        failed = 0;

        for (i = 0; i <= len; i++) {
            failed += (unit_resp_parse(reply->bytes, len, i, len) != NGX_OK);
            failed += (unit_resp_parse(reply->bytes, len, i, 1) != NGX_OK);
        }

        for (i = 0; i < len; i++) {
            failed += (unit_resp_parse(reply->bytes, i, i, 1) != NGX_AGAIN);
        }

        unit_resp_walk(reply->bytes, len, text);

        failed += (strcmp(text, reply->walk) != 0);
        unit_is(failed, 0, strtok(text, "\r"));
    }
}


static void
unit_resp_bad(void)
{
    size_t              i, len;
    ngx_uint_t          n, passed;
    const unit_resp_t  *reply;

    passed = 0;

    for (n = 0; n < sizeof(unit_resp_replies) / sizeof(unit_resp_t); n++) {
        reply = &unit_resp_replies[n];

        if (reply->walk) {
            continue;
        }

        len = strlen(reply->bytes);

        for (i = 0; i <= len; i++) {
            if (unit_resp_parse(reply->bytes, len, i, 1) != NGX_ERROR) {
                unit_note("%s", reply->bytes);
                passed++;
                break;
            }
        }
    }

    unit_is(passed, 0, "what isn't RESP2 is refused");
}


static void
unit_resp_longest(void)
{
    int      n;
    char    *bytes;
    size_t   len, head;

    head = strlen("*2\r\n:1\r\n$1048555\r\n");
    len = NGX_WASSIIT_RESP_MAX - head - 2;

    bytes = malloc(NGX_WASSIIT_RESP_MAX + 1);
    memset(bytes, 'x', NGX_WASSIIT_RESP_MAX + 1);
    n = snprintf(bytes, NGX_WASSIIT_RESP_MAX, "*2\r\n:1\r\n$%zu\r\n", len);
    bytes[n] = 'x';
    memcpy(bytes + n + len, "\r\n", 2);

    unit_is(n + len + 2, NGX_WASSIIT_RESP_MAX, "1 MiB");
    unit_is(unit_resp_parse(bytes, NGX_WASSIIT_RESP_MAX, 7, 4096), NGX_OK,
            "a reply of 1 MiB");

    n = snprintf(bytes, NGX_WASSIIT_RESP_MAX, "*2\r\n:1\r\n$%zu\r\n", len + 1);
    unit_is(unit_resp_parse(bytes, n, 7, 4096), NGX_ERROR,
            "one of a byte more is refused by its head");

    memset(bytes, 'x', NGX_WASSIIT_RESP_MAX + 1);
    bytes[0] = '+';
    unit_is(unit_resp_parse(bytes, NGX_WASSIIT_RESP_MAX, 0, 4096), NGX_AGAIN,
            "a line of 1 MiB without an end");
    unit_is(unit_resp_parse(bytes, NGX_WASSIIT_RESP_MAX + 1, 0, 4096),
            NGX_ERROR, "... and of a byte more");

    free(bytes);
}


static void
unit_resp_deepest(void)
{
    char        bytes[64], text[UNIT_RESP_TEXT];
    ngx_uint_t  n;

    bytes[0] = '\0';

    for (n = 0; n < NGX_WASSIIT_RESP_DEPTH; n++) {
        strcat(bytes, "*1\r\n");
    }

    strcat(bytes, ":1\r\n");

    unit_is(unit_resp_parse(bytes, strlen(bytes), 0, 1), NGX_OK,
            "eight arrays, one in another");

    unit_resp_walk(bytes, strlen(bytes), text);
    unit_ok(strcmp(text, "*1 *1 *1 *1 *1 *1 *1 *1 :1") == 0, "... walked");

    memmove(bytes + 4, bytes, strlen(bytes) + 1);
    unit_is(unit_resp_parse(bytes, strlen(bytes), 0, 1), NGX_ERROR, "nine");

    strcpy(bytes + 4 * NGX_WASSIIT_RESP_DEPTH, "*0\r\n");
    unit_is(unit_resp_parse(bytes, strlen(bytes), 0, 1), NGX_ERROR,
            "nine, the last empty");
}


/* What follows a reply is left to the next one. */

static void
unit_resp_pipelined(void)
{
    size_t                     used, at;
    ngx_int_t                  rc;
    ngx_uint_t                 replies;
    ngx_wassiit_resp_parser_t  parser;

    static const char  bytes[] = "*2\r\n:1\r\n$1\r\n\n\r\n+OK\r\n$0\r\n\r\n:1";

    memset(&parser, 0, sizeof(parser));
    at = 0;
    replies = 0;

    for ( ;; ) {
        rc = ngx_wassiit_resp_parse(&parser, (u_char *) bytes + at,
                                    sizeof(bytes) - 1 - at, &used);
        at += used;

        if (rc != NGX_OK) {
            break;
        }

        replies++;

        if (parser.len != used) {
            break;
        }

        memset(&parser, 0, sizeof(parser));
    }

    unit_ok(replies == 3 && rc == NGX_AGAIN && at == sizeof(bytes) - 1
            && parser.len == 2, "three replies, and the fourth's beginning");
}


static void
unit_resp_skip(void)
{
    size_t              len;
    ngx_wassiit_resp_t  resp;

    static u_char  bytes[] = "*4\r\n*2\r\n*1\r\n:1\r\n*0\r\n:2\r\n*0\r\n"
                             "*1\r\n:3\r\n";

    len = sizeof(bytes) - 1;

    ngx_wassiit_resp_first(&resp, bytes, len);
    unit_is(resp.count, 4, "an array's elements are counted");
    unit_ok(ngx_wassiit_resp_skip(&resp) == NGX_DONE && resp.count == 4,
            "nothing follows it");

    (void) ngx_wassiit_resp_next(&resp);
    unit_ok(ngx_wassiit_resp_skip(&resp) == NGX_OK && resp.number == 2,
            "past arrays of arrays");
    unit_ok(ngx_wassiit_resp_skip(&resp) == NGX_OK && resp.count == 0
            && ngx_wassiit_resp_skip(&resp) == NGX_OK && resp.count == 1
            && ngx_wassiit_resp_skip(&resp) == NGX_DONE && resp.count == 1,
            "past others");
    unit_ok(ngx_wassiit_resp_next(&resp) == NGX_OK && resp.number == 3
            && ngx_wassiit_resp_next(&resp) == NGX_DONE && resp.number == 3,
            "the last stays");
}


static void
unit_resp_numbers(void)
{
    size_t              i;
    int64_t             number;
    ngx_int_t           rc;
    ngx_uint_t          failed;
    ngx_wassiit_resp_t  resp;

    static const struct {
        const char     *bytes;
        ngx_int_t       rc;
        int64_t         number;
    } texts[] = {
        { ":-5\r\n", NGX_OK, -5 },
        { "+12\r\n", NGX_OK, 12 },
        { "$2\r\n-7\r\n", NGX_OK, -7 },
        { "$19\r\n9223372036854775807\r\n", NGX_OK, INT64_MAX },
        { "$20\r\n-9223372036854775808\r\n", NGX_OK, INT64_MIN },
        { "$19\r\n9223372036854775808\r\n", NGX_ERROR, 42 },
        { "$20\r\n00000000000000000001\r\n", NGX_ERROR, 42 },
        { "$0\r\n\r\n", NGX_ERROR, 42 },
        { "$1\r\n-\r\n", NGX_ERROR, 42 },
        { "$2\r\n1a\r\n", NGX_ERROR, 42 },
        { "-12\r\n", NGX_ERROR, 42 },
        { "$-1\r\n", NGX_ERROR, 42 },
        { "*0\r\n", NGX_ERROR, 42 }
    };

    failed = 0;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        number = 42;
        ngx_wassiit_resp_first(&resp, (u_char *) texts[i].bytes,
                               strlen(texts[i].bytes));
        rc = ngx_wassiit_resp_number(&resp, &number);
        failed += (rc != texts[i].rc || number != texts[i].number);
    }

    unit_is(failed, 0, "elements as numbers");

    ngx_wassiit_resp_first(&resp, (u_char *) "$2\r\nOK\r\n", 8);
    unit_ok(ngx_wassiit_resp_is(&resp, "OK") && !ngx_wassiit_resp_is(&resp, "O")
            && !ngx_wassiit_resp_is(&resp, "OKs"), "an element's text");

    ngx_wassiit_resp_first(&resp, (u_char *) "*-1\r\n", 5);
    unit_ok(!ngx_wassiit_resp_is(&resp, ""),
            "no text, which isn't an empty one");
}


/* A command is an array of strings: read as such it says the same. */

/* It can neither end a line of the log nor speak to a terminal. */

static void
unit_resp_print(void)
{
    size_t     len;
    u_char     bytes[16];
    ngx_str_t  text = ngx_string("a b\n\r\t\x1b\x7f\xc3\xa9~");

    len = ngx_wassiit_resp_print(&text, bytes, sizeof(bytes));
    unit_ok(len == text.len && memcmp(bytes, "a b???????~", len) == 0,
            "what isn't printed is ?");
    unit_is(ngx_wassiit_resp_print(&text, bytes, 3), 3, "as there is room");

    ngx_str_null(&text);
    unit_is(ngx_wassiit_resp_print(&text, bytes, 3), 0, "none");
}


static void
unit_resp_commands(void)
{
    char                text[UNIT_RESP_TEXT];
    size_t              size;
    u_char             *p, *last;
    ngx_str_t           args[12];
    ngx_uint_t          i;

    static const char  set[] = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n"
                               "$10\r\n0123456789\r\n";

    static u_char  name[] = "a name of some bytes \r\n\r\n\0 and more";

    ngx_str_set(&args[0], "SET");
    ngx_str_null(&args[1]);
    ngx_str_set(&args[2], "0123456789");

    size = ngx_wassiit_resp_size(args, 3);
    p = malloc(size);
    last = ngx_wassiit_resp_write(p, args, 3);

    unit_ok((size_t) (last - p) == strlen(set) && strlen(set) <= size
            && memcmp(p, set, strlen(set)) == 0,
            "a command's bytes");
    free(p);

    for (i = 0; i < 12; i++) {
        args[i].data = name;
        args[i].len = i * 3;
    }

    size = ngx_wassiit_resp_size(args, 12);
    p = malloc(size);
    last = ngx_wassiit_resp_write(p, args, 12);

    unit_is(unit_resp_parse(p, last - p, 3, 5), NGX_OK, "twelve arguments");
    unit_resp_walk(p, last - p, text);
    unit_ok(strncmp(text, "*12 $ $a n $a name", 18) == 0, "... walked");
    free(p);
}


/*
 * Bytes before first come as one piece, the others in pieces, each in memory
 * of its own.  NGX_OK only if all are used.
 */

static ngx_int_t
unit_resp_parse(const void *bytes, size_t len, size_t first, size_t piece)
{
    size_t                      at, n, used;
    u_char                     *copy;
    ngx_int_t                   rc;
    ngx_wassiit_resp_parser_t   parser;

    memset(&parser, 0, sizeof(parser));
    rc = NGX_AGAIN;

    for (at = 0; at < len && rc == NGX_AGAIN; at += n) {
        n = (at < first) ? first : ngx_min(piece, len - at);

        copy = malloc(n);
        memcpy(copy, (const u_char *) bytes + at, n);
        rc = ngx_wassiit_resp_parse(&parser, copy, n, &used);
        free(copy);

        if (rc == NGX_AGAIN && (used != n || parser.len != at + n)) {
            return NGX_DECLINED;
        }
    }

    return (rc == NGX_OK && (at != len || parser.len != len)) ? NGX_DECLINED
                                                              : rc;
}


static void
unit_resp_walk(const void *bytes, size_t len, char *text)
{
    char               *p, *last;
    u_char             *copy;
    ngx_wassiit_resp_t  resp;

    copy = malloc(len);
    memcpy(copy, bytes, len);

    p = text;
    last = text + UNIT_RESP_TEXT;

    ngx_wassiit_resp_first(&resp, copy, len);

    do {
        p += snprintf(p, last - p, "%s", p == text ? "" : " ");

        switch (resp.type) {

        case NGX_WASSIIT_RESP_NIL:
            p += snprintf(p, last - p, "nil");
            break;

        case NGX_WASSIIT_RESP_NUMBER:
            p += snprintf(p, last - p, ":%lld", (long long) resp.number);
            break;

        case NGX_WASSIIT_RESP_ARRAY:
            p += snprintf(p, last - p, "*%u", (unsigned) resp.count);
            break;

        default:
            p += snprintf(p, last - p, "%c%.*s", "+-:$"[resp.type],
                          (int) resp.text.len, (char *) resp.text.data);
        }

    } while (ngx_wassiit_resp_next(&resp) == NGX_OK);

    free(copy);
}
