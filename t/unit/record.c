
/* Lines of the partners' file that are written are read as they were meant. */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_record_last.h"


#define RECORD_PARSED   NGX_HTTP_WASSIIT_PARSE_SIZE(1, NGX_HTTP_WASSIIT_LINE)


static void unit_record_creates(void);
static void unit_record_deletes(void);
static void unit_record_revs(void);
static void unit_record_keys(void);
static void unit_record_secrets(void);
static void unit_record_overlaps(void);
static void unit_record_changes_over(void);
static void unit_record_set(json_t *json, ngx_http_wassiit_secret_e secret,
    const char *text, int64_t expires);
static void unit_record_names(void);
static void unit_record_is_names(void);
static void unit_record_lasts(void);
static ngx_uint_t unit_record_is(json_t *json, const char *expected);
static ngx_int_t unit_record_read(json_t *json,
    ngx_http_wassiit_record_t **rec);


static ngx_str_t                 unit_record_id = ngx_string("atlas");
static ngx_wassiit_scopes_t      unit_record_scopes;
static ngx_http_wassiit_parse_t  unit_record_parse;
static ngx_http_wassiit_arena_t  unit_record_arena;
static u_char                    unit_record_text[NGX_HTTP_WASSIIT_LINE];
static u_char                    unit_record_values[NGX_HTTP_WASSIIT_LINE_ARENA]
                                     __attribute__((aligned(NGX_ALIGNMENT)));
static u_char                    unit_record_parsed[RECORD_PARSED]
                                     __attribute__((aligned(NGX_ALIGNMENT)));


int
main(void)
{
    unit_start();

    ngx_wassiit_scopes_init(&unit_record_scopes, NULL);
    ngx_wassiit_scopes_settle(&unit_record_scopes);
    ngx_http_wassiit_arena_install();

    unit_record_parse.scopes = &unit_record_scopes;
    unit_record_arena.start = unit_record_values;
    unit_record_arena.size = NGX_HTTP_WASSIIT_LINE_ARENA;

    unit_record_creates();
    unit_record_deletes();
    unit_record_revs();
    unit_record_keys();
    unit_record_secrets();
    unit_record_overlaps();
    unit_record_changes_over();
    unit_record_names();
    unit_record_is_names();
    unit_record_lasts();

    return unit_done();
}


static void
unit_record_creates(void)
{
    json_t                     *json, *fields;
    ngx_int_t                   rc;
    ngx_http_wassiit_record_t  *rec;

    fields = json_pack("{s:s,s:[s],s:s}", "name", "Atl\303\251 \"A\"",
                       "scopes", "messages.send", "rate", "10r/m");
    json = ngx_http_wassiit_record_create(&unit_record_id, fields);
    json_decref(fields);

    unit_record_is(json, "{\"id\":\"atlas\",\"name\":\"Atl\303\251 \\\"A\\\"\","
                         "\"scopes\":[\"messages.send\"],\"rate\":\"10r/m\","
                         "\"keys\":[]}");

    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->id.len == 5 && rec->name.len == 9
            && rec->scopes && rec->rate.limit == 10 && rec->rate.seconds == 60
            && rec->enabled && !rec->deleted && rec->nkeys == 0,
            "a new partner is read");

    fields = json_pack("{s:b,s:s}", "enabled", 0, "name", "B");
    unit_is(ngx_http_wassiit_record_update(json, fields), NGX_OK,
            "fields are set");
    json_decref(fields);

    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->name.len == 1 && !rec->enabled
            && rec->rate.limit == 10, "and are read");

    unit_ok(ngx_http_wassiit_record_write(json, unit_record_text, 10) > 10,
            "it is known if there is no room");

    json_decref(json);
}


static void
unit_record_deletes(void)
{
    json_t                     *json;
    ngx_int_t                   rc;
    ngx_http_wassiit_record_t  *rec;

    json = ngx_http_wassiit_record_delete(&unit_record_id);
    unit_record_is(json, "{\"id\":\"atlas\",\"deleted\":true}");

    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->deleted && rec->id.len == 5,
            "one that is deleted is read");

    unit_is(ngx_http_wassiit_record_set_rev(json, NGX_HTTP_WASSIIT_REV_MAX),
            NGX_OK, "it gets a rev");
    unit_record_is(json, "{\"id\":\"atlas\",\"deleted\":true,"
                         "\"rev\":9007199254740991}");

    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->deleted
            && rec->rev == NGX_HTTP_WASSIIT_REV_MAX, "and is read");

    json_decref(json);
}


/* Which change of its partner a line is of. */

static void
unit_record_revs(void)
{
    json_t                     *json;
    ngx_uint_t                  i;
    ngx_http_wassiit_record_t  *rec;

    static const char  line[] = "{\"rev\":41,\"id\":\"atlas\"}";

    static const char *const  bad[] = {
        "0", "-7", "7.0", "\"7\"", "null", "9007199254740992"
    };

    json = ngx_http_wassiit_record_load((u_char *) line, strlen(line));
    unit_is(ngx_http_wassiit_record_get_rev(json), 41, "a line has its rev");
    unit_ok(unit_record_read(json, &rec) == NGX_OK && rec->rev == 41,
            "which is read");

    unit_ok(ngx_http_wassiit_record_set_rev(json, 0) == NGX_OK
            && ngx_http_wassiit_record_get_rev(json) == 41,
            "it stays if there is no other");
    unit_is(ngx_http_wassiit_record_set_rev(json, 42), NGX_OK,
            "another takes its place");
    unit_record_is(json, "{\"rev\":42,\"id\":\"atlas\"}");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void) json_object_set_new(json, "rev",
                                   json_loads(bad[i], JSON_DECODE_ANY, NULL));
        unit_ok(ngx_http_wassiit_record_get_rev(json) == 0
                && unit_record_read(json, &rec) == NGX_ERROR
                && memcmp(unit_record_parse.fault, "rev: ", 5) == 0,
                "%s is no rev", bad[i]);
    }

    (void) json_object_del(json, "rev");
    unit_ok(ngx_http_wassiit_record_get_rev(json) == 0
            && unit_record_read(json, &rec) == NGX_OK && rec->rev == 0,
            "a line may have none");

    json_decref(json);
}


static void
unit_record_keys(void)
{
    json_t                     *json, *keys, *key;
    u_char                      digest[NGX_WASSIIT_DIGEST_LEN];
    ngx_int_t                   rc;
    ngx_http_wassiit_record_t  *rec;

    static const char  line[] = "{\"id\":\"atlas\",\"rate\":\"1r/s\"}";

    memset(digest, 0xa5, sizeof(digest));

    json = ngx_http_wassiit_record_load((u_char *) line, strlen(line));
    keys = ngx_http_wassiit_record_get_keys(json);
    unit_ok(keys && keys == ngx_http_wassiit_record_get_keys(json),
            "a line without keys gets some");

    unit_is(ngx_http_wassiit_record_add_key(keys, (u_char *) "k1", 2, digest,
                                            1793523600),
            NGX_OK, "a key is added");
    digest[0] = 0x0f;
    unit_is(ngx_http_wassiit_record_add_key(keys, (u_char *) "k22", 3, digest,
                                            1793523600),
            NGX_OK, "and another");

    unit_is(ngx_http_wassiit_record_find_key(keys, (u_char *) "k22", 3), 1,
            "it is found by its id");
    unit_is(ngx_http_wassiit_record_find_key(keys, (u_char *) "k2", 2),
            NGX_ERROR, "as a whole");

    key = json_array_get(keys, 1);
    unit_ok(ngx_http_wassiit_record_get_expires(key) == INT64_MAX,
            "it doesn't expire");
    unit_ok(ngx_http_wassiit_record_set_expires(key, 1793527200) == NGX_OK
            && ngx_http_wassiit_record_get_expires(key) == 1793527200,
            "until it is told to");

    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->nkeys == 2 && rec->rate.limit == 1
            && rec->keys[0].created == 1793523600
            && rec->keys[0].expires == INT64_MAX
            && rec->keys[0].digest[0] == 0xa5
            && rec->keys[1].expires == 1793527200
            && rec->keys[1].id.len == 3
            && memcmp(rec->keys[1].digest, digest, sizeof(digest)) == 0,
            "all of it is read");

    json_decref(json);
}


static void
unit_record_secrets(void)
{
    json_t                     *json, *fields;
    ngx_int_t                   rc;
    ngx_http_wassiit_record_t  *rec;

    fields = json_object();
    json = ngx_http_wassiit_record_create(&unit_record_id, fields);
    json_decref(fields);

    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->secrets == NULL, "no secret at first");

    unit_is(ngx_http_wassiit_record_set_secret(json,
                                           NGX_HTTP_WASSIIT_SECRET_HMAC,
                                           (u_char *) "c2VjcmV0", 8, 0),
            NGX_OK, "one to sign by is set");
    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->secrets && rec->secrets->has_hmac
            && !rec->secrets->has_webhook, "and read");

    unit_is(ngx_http_wassiit_record_set_secret(json,
                                           NGX_HTTP_WASSIIT_SECRET_WEBHOOK,
                                           (u_char *) "hush", 4, 0),
            NGX_OK, "one of webhooks, too");
    unit_record_is(json, "{\"id\":\"atlas\",\"keys\":[],\"hmac_secret\":"
                         "\"c2VjcmV0\",\"webhook_secret\":\"hush\"}");
    rc = unit_record_read(json, &rec);
    unit_ok(rc == NGX_OK && rec->secrets && rec->secrets->has_hmac
            && rec->secrets->has_webhook, "both are read");

    json_decref(json);
}


/* The secrets of a change-over, and what is wrong with others. */

static void
unit_record_overlaps(void)
{
    size_t                       i;
    ngx_int_t                    rc;
    ngx_wassiit_hmac_key_t       former, next;
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_overlap_t  *overlap;

    static const char  good[] = "{\"former_hmac_secret\":{\"expires\":"
        "\"2026-11-01T09:00:00Z\",\"value\":\"Zm9ybWVy\"},"
        "\"next_webhook_secret\":{\"value\":\"next\",\"expires\":"
        "\"2026-11-02T09:00:00Z\"},\"id\":\"atlas\",\"hmac_secret\":"
        "\"c2VjcmV0\",\"webhook_secret\":\"hush\"}";

#define HMAC_OF(second)                                                      \
    "{\"id\":\"a\",\"hmac_secret\":\"AAAA\",\"former_hmac_secret\":"        \
    second "}"
#define WEBHOOK_OF(second)                                                   \
    "{\"id\":\"a\",\"webhook_secret\":\"a\",\"next_webhook_secret\":"       \
    second "}"

    static const struct {
        const char  *line;
        const char  *fault;
    } bad[] = {
        { "{\"id\":\"a\",\"former_hmac_secret\":{\"value\":\"AAAA\","
          "\"expires\":\"2026-11-01T09:00:00Z\"}}",
          "former_hmac_secret: must be beside hmac_secret" },
        { "{\"id\":\"a\",\"hmac_secret\":\"AAAA\",\"next_webhook_secret\":"
          "{\"value\":\"a\",\"expires\":\"2026-11-01T09:00:00Z\"}}",
          "next_webhook_secret: must be beside webhook_secret" },
        { HMAC_OF("\"AAAA\""),
          "former_hmac_secret: must be an object with value and expires" },
        { HMAC_OF("{\"value\":\"AAAA\"}"),
          "former_hmac_secret: must be an object with value and expires" },
        { WEBHOOK_OF("{\"expires\":\"2026-11-01T09:00:00Z\"}"),
          "next_webhook_secret: must be an object with value and expires" },
        { HMAC_OF("{\"value\":\"A\",\"expires\":\"2026-11-01T09:00:00Z\"}"),
          "former_hmac_secret.value: must be a string of base64" },
        { WEBHOOK_OF("{\"value\":\"\","
                     "\"expires\":\"2026-11-01T09:00:00Z\"}"),
          "next_webhook_secret.value: must be a string that isn't empty" },
        { WEBHOOK_OF("{\"value\":1,\"expires\":\"2026-11-01T09:00:00Z\"}"),
          "next_webhook_secret.value: must be a string that isn't empty" },
        { HMAC_OF("{\"value\":\"AAAA\",\"expires\":\"2026-11-31T09:00:00Z\"}"),
          "former_hmac_secret.expires: must be a time such as "
          "\"2026-11-01T09:00:00Z\"" },
        { WEBHOOK_OF("{\"value\":\"a\",\"expires\":null}"),
          "next_webhook_secret.expires: must be a time such as "
          "\"2026-11-01T09:00:00Z\"" },
        { HMAC_OF("{\"value\":\"AAAA\",\"expires\":\"2026-11-01T09:00:00Z\","
                  "\"from\":1}"), "former_hmac_secret.from: unknown field" }
    };

    ngx_wassiit_hmac_key(&former, (u_char *) "former", 6);
    ngx_wassiit_hmac_key(&next, (u_char *) "next", 4);

    ngx_memcpy(unit_record_text, good, sizeof(good) - 1);
    unit_record_parse.pos = unit_record_parsed;
    rc = ngx_http_wassiit_record_parse(&unit_record_parse, &unit_record_arena,
                                       unit_record_text, sizeof(good) - 1,
                                       &rec);

    if (unit_ok(rc == NGX_OK && rec->secrets && rec->secrets->has_hmac
                && rec->secrets->has_webhook && rec->secrets->has_former
                && rec->secrets->has_next, "a change-over of both is read"))
    {
        overlap = ngx_http_wassiit_record_overlap(rec->secrets);

        unit_ok(rec->secrets->former_expires == 1793523600
                && rec->secrets->next_expires == 1793610000, "its times");
        unit_ok(memcmp(&overlap->former_hmac, &former, sizeof(former)) == 0
                && memcmp(&overlap->next_webhook, &next, sizeof(next)) == 0,
                "and its keys");
        unit_is(ngx_http_wassiit_record_secrets_size(rec->secrets),
                sizeof(ngx_http_wassiit_secrets_t)
                + sizeof(ngx_http_wassiit_overlap_t), "its size");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ngx_memcpy(unit_record_text, bad[i].line, strlen(bad[i].line));
        unit_record_parse.pos = unit_record_parsed;

        rc = ngx_http_wassiit_record_parse(&unit_record_parse,
                                           &unit_record_arena,
                                           unit_record_text,
                                           strlen(bad[i].line), &rec);

        if (!unit_ok(rc == NGX_ERROR
                     && unit_record_parse.fault_len == strlen(bad[i].fault)
                     && memcmp(unit_record_parse.fault, bad[i].fault,
                               strlen(bad[i].fault)) == 0,
                     "refused: %s", bad[i].fault))
        {
            unit_note("got %.*s", (int) unit_record_parse.fault_len,
                      unit_record_parse.fault);
        }
    }
}


/* What becomes of the secrets of a line as they are changed over. */

static void
unit_record_changes_over(void)
{
    json_t  *json;

    static const char  line[] = "{\"id\":\"atlas\"}";

    json = ngx_http_wassiit_record_load((u_char *) line, strlen(line));

    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_HMAC, "AAAA", 1793523600);
    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_WEBHOOK, "a", 1793523600);
    unit_record_is(json, "{\"id\":\"atlas\",\"hmac_secret\":\"AAAA\","
                         "\"webhook_secret\":\"a\"}");

    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_HMAC, "BBBB", 1793523600);
    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_WEBHOOK, "b", 1793610000);
    unit_record_is(json, "{\"id\":\"atlas\",\"hmac_secret\":\"BBBB\","
                         "\"webhook_secret\":\"a\",\"former_hmac_secret\":"
                         "{\"value\":\"AAAA\",\"expires\":"
                         "\"2026-11-01T09:00:00Z\"},\"next_webhook_secret\":"
                         "{\"value\":\"b\",\"expires\":"
                         "\"2026-11-02T09:00:00Z\"}}");

    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_HMAC, "CCCC", 1793610000);
    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_WEBHOOK, "c", 1793523600);
    unit_record_is(json, "{\"id\":\"atlas\",\"hmac_secret\":\"CCCC\","
                         "\"webhook_secret\":\"b\",\"former_hmac_secret\":"
                         "{\"value\":\"BBBB\",\"expires\":"
                         "\"2026-11-02T09:00:00Z\"},\"next_webhook_secret\":"
                         "{\"value\":\"c\",\"expires\":"
                         "\"2026-11-01T09:00:00Z\"}}");

    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_HMAC, "DDDD", 0);
    unit_record_set(json, NGX_HTTP_WASSIIT_SECRET_WEBHOOK, "d", 0);
    unit_record_is(json, "{\"id\":\"atlas\",\"hmac_secret\":\"DDDD\","
                         "\"webhook_secret\":\"d\"}");

    json_decref(json);
}


static void
unit_record_set(json_t *json, ngx_http_wassiit_secret_e secret,
    const char *text, int64_t expires)
{
    unit_is(ngx_http_wassiit_record_set_secret(json, secret, (u_char *) text,
                                               strlen(text), expires),
            NGX_OK, text);
}


static void
unit_record_names(void)
{
    size_t      i;
    u_char     *p;
    ngx_uint_t  rc;

    static const struct {
        const char  *line;
        ngx_uint_t   ours;
    } lines[] = {
        { "{\"id\":\"a\",", 1 },
        { "{\"id\" \t:\t \"a\"", 1 },
        { "{\"x\":\"id\",\"id\":\"a\"", 1 },
        { "{\"id\":\"ab\"", 0 },
        { "{\"id\":\"a", 0 },
        { "{\"id\"", 0 },
        { "{\"name\":\"a\"", 0 },
        { "", 0 }
    };

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        p = malloc(strlen(lines[i].line) + 1);
        memcpy(p, lines[i].line, strlen(lines[i].line));

        rc = ngx_http_wassiit_record_names(p, p + strlen(lines[i].line),
                                           (u_char *) "\"a\"", 3);
        unit_ok(rc == lines[i].ours, "%s: %s", lines[i].line,
                lines[i].ours ? "the partner's" : "another's");
        free(p);
    }
}


static void
unit_record_is_names(void)
{
    char        name[NGX_HTTP_WASSIIT_NAME_LEN + 2];
    size_t      i;
    ngx_uint_t  rc;

    static const struct {
        const char  *name;
        ngx_uint_t   good;
        const char  *what;
    } names[] = {
        { "Clinique de l'\303\211t\303\251", 1, "French" },
        { "\330\243\330\267\331\204\330\263", 1, "Arabic" },
        { "a b\302\240c", 1, "blanks, U+00A0" },
        { "\342\200\247\342\200\257\342\201\245\342\201\252", 1,
          "U+2027, U+202F, U+2065, U+206A" },
        { "", 0, "nothing" },
        { "a\tb", 0, "a tab" },
        { "\177", 0, "DEL" },
        { "\302\200", 0, "U+0080" },
        { "a\302\205", 0, "U+0085" },
        { "\302\237b", 0, "U+009F" },
        { "a\342\200\250", 0, "U+2028" },
        { "\342\200\251b", 0, "U+2029" },
        { "\342\200\252", 0, "U+202A" },
        { "a\342\200\256b", 0, "U+202E" },
        { "\342\201\246", 0, "U+2066" },
        { "\342\201\251", 0, "U+2069" }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        rc = ngx_http_wassiit_record_is_name((u_char *) names[i].name,
                                             strlen(names[i].name));
        unit_ok(rc == names[i].good, "%s: %s", names[i].what,
                names[i].good ? "a name" : "none");
    }

    memset(name, 'n', sizeof(name));
    unit_ok(ngx_http_wassiit_record_is_name((u_char *) name, 128)
            && !ngx_http_wassiit_record_is_name((u_char *) name, 129),
            "the longest");
}


/* What a power cut leaves of a last line, and one that is merely wrong. */

static void
unit_record_lasts(void)
{
    size_t                      i, keep;
    ngx_int_t                   rc;
    ngx_http_wassiit_record_t  *rec;

    static const struct {
        const char  *line;
        size_t       len;
        ngx_int_t    rc;
        size_t       keep;
        const char  *what;
    } lasts[] = {
        { "{\"id\":\"a\"}\n", 11, NGX_OK, 11, "a whole line" },
        { "{\"id\":\"a\"}", 10, NGX_OK, 10, "without its LF" },
        { "{\"id\":\"a", 8, NGX_DONE, 0, "cut in a string" },
        { "{\"id\":\"a\",\"enabled\":tr", 23, NGX_DONE, 0, "in a word" },
        { "{\"id\":\"a\",\"name\":\"\303", 20, NGX_DONE, 0,
          "in a character" },
        { "{\"id\":\"a\n", 9, NGX_ERROR, 9, "that has its LF" },
        { "{\"id\":\"A\"}", 10, NGX_ERROR, 10, "a bad id" },
        { "id", 2, NGX_ERROR, 2, "no object" },
        { "{\"id\":\"a\"}\0\0\n", 13, NGX_OK, 10, "zeros behind it" },
        { "{\"id\":\0\0\n", 9, NGX_DONE, 0, "zeros in it" }
    };

    for (i = 0; i < sizeof(lasts) / sizeof(lasts[0]); i++) {
        memcpy(unit_record_text, lasts[i].line, lasts[i].len);
        unit_record_parse.pos = unit_record_parsed;

        rc = ngx_http_wassiit_record_parse_last(&unit_record_parse,
                                                &unit_record_arena,
                                                unit_record_text,
                                                lasts[i].len, &rec, &keep);

        unit_ok(rc == lasts[i].rc && keep == lasts[i].keep,
                "the last line: %s", lasts[i].what);
    }
}


static ngx_uint_t
unit_record_is(json_t *json, const char *expected)
{
    size_t  len;

    len = ngx_http_wassiit_record_write(json, unit_record_text,
                                        NGX_HTTP_WASSIIT_LINE);

    if (!unit_ok(len == strlen(expected)
                 && memcmp(unit_record_text, expected, len) == 0,
                 "%s", expected))
    {
        unit_note("got %.*s", (int) len, unit_record_text);
        return 0;
    }

    return 1;
}


static ngx_int_t
unit_record_read(json_t *json, ngx_http_wassiit_record_t **rec)
{
    size_t  len;

    len = ngx_http_wassiit_record_write(json, unit_record_text,
                                        NGX_HTTP_WASSIIT_LINE);

    unit_record_parse.pos = unit_record_parsed;

    return ngx_http_wassiit_record_parse(&unit_record_parse,
                                         &unit_record_arena, unit_record_text,
                                         len, rec);
}
