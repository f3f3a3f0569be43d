
/*
 * A partner's ETag is the same as long as its line says the same, and another
 * one for all else that a line can say; and what an If-Match header names.
 */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_etag.h"


#define ETAG_PARSED     NGX_HTTP_WASSIIT_PARSE_SIZE(1, NGX_HTTP_WASSIIT_LINE)

#define SHA(c)      c "1111111" "22222222" "33333333" "44444444"             \
                    "55555555" "66666666" "77777777" "88888888"
#define KEY(id, c, more)                                                     \
    "{\"id\":\"" id "\",\"sha256\":\"" SHA(c) "\"" more "}"
#define FROM        ",\"created\":\"2026-11-01T09:00:00Z\""
#define UNTIL       ",\"expires\":\"2026-12-01T00:00:00Z\""


static void unit_etag_same(void);
static void unit_etag_differs(void);
static void unit_etag_by_key(void);
static void unit_etag_writes(void);
static void unit_etag_matches(void);
static uint64_t unit_etag_of(const char *line);


static ngx_wassiit_scopes_t      unit_etag_scopes;
static ngx_wassiit_hmac_key_t    unit_etag_key;
static ngx_http_wassiit_parse_t  unit_etag_parse;
static ngx_http_wassiit_arena_t  unit_etag_arena;
static u_char                    unit_etag_values[NGX_HTTP_WASSIIT_LINE_ARENA]
                                     __attribute__((aligned(NGX_ALIGNMENT)));
static u_char                    unit_etag_parsed[ETAG_PARSED]
                                     __attribute__((aligned(NGX_ALIGNMENT)));


/* No two of these say the same. */

static const char *const  unit_etag_lines[] = {
    "{\"id\":\"a\"}",
    "{\"id\":\"ab\"}",
    "{\"id\":\"a\",\"name\":\"b\"}",
    "{\"id\":\"a\",\"name\":\"c\"}",
    "{\"id\":\"a\",\"enabled\":false}",
    "{\"id\":\"a\",\"scopes\":[\"messages.send\"]}",
    "{\"id\":\"a\",\"scopes\":[\"files.send\"]}",
    "{\"id\":\"a\",\"rate\":\"60r/m\"}",
    "{\"id\":\"a\",\"rate\":\"61r/m\"}",
    "{\"id\":\"a\",\"rate\":\"60r/h\"}",
    "{\"id\":\"a\",\"hmac_secret\":\"c2VjcmV0\"}",
    "{\"id\":\"a\",\"hmac_secret\":\"c2VjcmV1\"}",
    "{\"id\":\"a\",\"webhook_secret\":\"secret\"}",
    "{\"id\":\"a\",\"webhook_secret\":\"secrets\"}",
    "{\"id\":\"a\",\"webhook_secret\":\"secret\","
        "\"next_webhook_secret\":{\"value\":\"next\","
        "\"expires\":\"2027-01-01T00:00:00Z\"}}",
    "{\"id\":\"a\",\"webhook_secret\":\"secret\","
        "\"next_webhook_secret\":{\"value\":\"nexts\","
        "\"expires\":\"2027-01-01T00:00:00Z\"}}",
    "{\"id\":\"a\",\"webhook_secret\":\"secret\","
        "\"next_webhook_secret\":{\"value\":\"next\","
        "\"expires\":\"2027-01-01T00:00:01Z\"}}",
    "{\"id\":\"a\",\"hmac_secret\":\"c2VjcmV0\",\"webhook_secret\":\"secret\"}",
    "{\"id\":\"a\",\"keys\":[" KEY("k", "a", "") "]}",
    "{\"id\":\"a\",\"keys\":[" KEY("l", "a", "") "]}",
    "{\"id\":\"a\",\"keys\":[" KEY("k", "b", "") "]}",
    "{\"id\":\"a\",\"keys\":[" KEY("k", "a", FROM) "]}",
    "{\"id\":\"a\",\"keys\":[" KEY("k", "a", UNTIL) "]}",
    "{\"id\":\"a\",\"keys\":[" KEY("k", "a", FROM UNTIL) "]}",
    "{\"id\":\"a\",\"keys\":["
        KEY("k", "a", ",\"created\":\"2026-11-01T09:00:01Z\"") "]}",
    "{\"id\":\"a\",\"keys\":["
        KEY("k", "a", ",\"created\":\"2026-12-01T00:00:00Z\"") "]}",
    "{\"id\":\"a\",\"keys\":[" KEY("k", "a", "") "," KEY("l", "b", "") "]}",
    "{\"id\":\"a\",\"keys\":[" KEY("k", "b", "") "," KEY("l", "a", "") "]}"
};

#define ETAG_LINES  (sizeof(unit_etag_lines) / sizeof(unit_etag_lines[0]))


int
main(void)
{
    unit_start();

    ngx_wassiit_scopes_init(&unit_etag_scopes, NULL);
    ngx_wassiit_scopes_settle(&unit_etag_scopes);
    ngx_http_wassiit_arena_install();

    unit_etag_parse.scopes = &unit_etag_scopes;
    unit_etag_arena.start = unit_etag_values;
    unit_etag_arena.size = NGX_HTTP_WASSIIT_LINE_ARENA;

    ngx_wassiit_hmac_key(&unit_etag_key, (u_char *) "a key", 5);

    unit_etag_same();
    unit_etag_differs();
    unit_etag_by_key();
    unit_etag_writes();
    unit_etag_matches();

    return unit_done();
}


static void
unit_etag_same(void)
{
    unit_ok(unit_etag_of("{\"id\":\"a\",\"scopes\":[\"files.send\","
                         "\"messages.send\"],\"rate\":\"5r/s\",\"keys\":["
                         KEY("k", "a", FROM) "]}")
            == unit_etag_of(" { \"keys\": [" KEY("k", "A", FROM) "], "
                            "\"rate\":\"5r/s\", \"enabled\":true, "
                            "\"scopes\":[\"messages.send\",\"files.send\","
                            "\"files.send\"],\"id\":\"\\u0061\" } "),
            "another spelling of the same is the same");

    unit_ok(unit_etag_of("{\"id\":\"a\"}")
            == unit_etag_of("{\"id\":\"a\",\"scopes\":[],\"keys\":[]}"),
            "what is missing is as what is empty");

    unit_ok(unit_etag_of("{\"id\":\"a\"}")
            == unit_etag_of("{\"id\":\"a\",\"rev\":7}"),
            "which change a line is of says nothing of its partner");
}


static void
unit_etag_differs(void)
{
    ngx_uint_t  i, k, same;
    uint64_t    tags[ETAG_LINES];

    same = 0;

    for (i = 0; i < ETAG_LINES; i++) {
        tags[i] = unit_etag_of(unit_etag_lines[i]);

        for (k = 0; k < i; k++) {
            if (tags[k] == tags[i]) {
                unit_note("%s and %s", unit_etag_lines[k],
                          unit_etag_lines[i]);
                same++;
            }
        }
    }

    unit_is(same, 0, "what says something else has another tag");
}


static void
unit_etag_by_key(void)
{
    uint64_t  tag;

    tag = unit_etag_of("{\"id\":\"a\"}");

    ngx_wassiit_hmac_key(&unit_etag_key, (u_char *) "another", 7);

    unit_ok(tag != unit_etag_of("{\"id\":\"a\"}"),
            "nobody can tell a tag without the key");
}


static void
unit_etag_writes(void)
{
    u_char  text[NGX_HTTP_WASSIIT_ETAG_LEN + 1];

    text[NGX_HTTP_WASSIIT_ETAG_LEN] = '!';

    ngx_http_wassiit_etag_write(text, 0x0123456789abcdefULL);

    unit_ok(ngx_memcmp(text, "\"0123456789abcdef\"!",
                       NGX_HTTP_WASSIIT_ETAG_LEN + 1)
            == 0,
            "a tag's text has all of its digits");
}


static void
unit_etag_matches(void)
{
    ngx_uint_t  i;
    ngx_str_t   value;

    static const struct {
        const char  *value;
        ngx_int_t    rc;
    } values[] = {
        { "\"00000000000000ff\"", NGX_OK },
        { " \t\"00000000000000ff\" \t", NGX_OK },
        { "*", NGX_OK },
        { " * ", NGX_OK },
        { "\"x\", \"00000000000000ff\"", NGX_OK },
        { "\"00000000000000ff\",\"x\"", NGX_OK },
        { ",, \"00000000000000ff\" ,\t,", NGX_OK },
        { "W/\"x\" , \"00000000000000ff\"", NGX_OK },
        { "\"a,b\",\"00000000000000ff\"", NGX_OK },

        { "\"00000000000000fe\"", NGX_DECLINED },
        { "\"00000000000000FF\"", NGX_DECLINED },
        { "\"ff\"", NGX_DECLINED },
        { "\"00000000000000ff0\"", NGX_DECLINED },
        { "W/\"00000000000000ff\"", NGX_DECLINED },
        { "\"\"", NGX_DECLINED },
        { "\"*\"", NGX_DECLINED },
        { "\"\303\251\\\"", NGX_DECLINED },
        { "\",\"", NGX_DECLINED },

        { "", NGX_ERROR },
        { "  ", NGX_ERROR },
        { ",", NGX_ERROR },
        { " , ,", NGX_ERROR },
        { "00000000000000ff", NGX_ERROR },
        { "\"00000000000000ff", NGX_ERROR },
        { "00000000000000ff\"", NGX_ERROR },
        { "\"", NGX_ERROR },
        { "\"00000000000000ff\" \"x\"", NGX_ERROR },
        { "\"00000000000000ff\"x", NGX_ERROR },
        { "\"00000000000000ff\", x", NGX_ERROR },
        { "\"00000000000000ff\", *", NGX_ERROR },
        { "*, \"00000000000000ff\"", NGX_ERROR },
        { "**", NGX_ERROR },
        { "w/\"00000000000000ff\"", NGX_ERROR },
        { "W/", NGX_ERROR },
        { "W/\"", NGX_ERROR },
        { "W \"x\"", NGX_ERROR },
        { "'x'", NGX_ERROR },
        { "\"a b\"", NGX_ERROR },
        { "\"a\tb\"", NGX_ERROR },
        { "\"a\177\"", NGX_ERROR }
    };

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {

        /* of this length, so that ASan sees who reads on */

        value.len = strlen(values[i].value);
        value.data = malloc(value.len + 1);
        ngx_memcpy(value.data + 1, values[i].value, value.len);
        value.data++;

        unit_is(ngx_http_wassiit_etag_match(&value, 0xff), values[i].rc,
                values[i].value);

        free(value.data - 1);
    }
}


static uint64_t
unit_etag_of(const char *line)
{
    ngx_http_wassiit_record_t  *rec;

    unit_etag_parse.pos = unit_etag_parsed;

    if (ngx_http_wassiit_record_parse(&unit_etag_parse, &unit_etag_arena,
                                      (u_char *) line, strlen(line), &rec)
        != NGX_OK)
    {
        unit_ok(0, "%s: %.*s", line, (int) unit_etag_parse.fault_len,
                unit_etag_parse.fault);
        return unit_random64();
    }

    return ngx_http_wassiit_etag(&unit_etag_key, rec);
}
