
/*
 * The line that each change makes of a partner's former one, byte for byte; but
 * what is made by chance in it is compared with what change says that it is.
 */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_edit.h"

#include <ctype.h>
#include <openssl/evp.h>


#define NOW         ((time_t) 1795737600)       /* 2026-11-27T00:00:00Z */
#define DAY         ((time_t) 86400)

#define SHA(c)      c "1111111" "22222222" "33333333" "44444444"             \
                    "55555555" "66666666" "77777777" "88888888"
#define KEY(id, c)                                                           \
    "{\"id\":\"" id "\",\"sha256\":\"" SHA(c) "\"}"
#define ENDS(id, c, time)                                                    \
    "{\"id\":\"" id "\",\"sha256\":\"" SHA(c) "\",\"expires\":\"" time "\"}"
#define MADE                                                                 \
    "{\"id\":\"MADE\",\"sha256\":\"SHA\",\"created\":\"2026-11-26T23:59:59Z\"}"
#define FORMER                                                               \
    "\"former_hmac_secret\":{\"value\":\"Zmlyc3Q=\","                      \
    "\"expires\":\"2026-11-27T12:00:00Z\"}"
#define NEXT                                                                 \
    "\"next_webhook_secret\":{\"value\":\"next\","                             \
    "\"expires\":\"2026-11-27T12:00:00Z\"}"
#define SIX         KEY("b", "b") "," KEY("c", "c") "," KEY("d", "d") ","    \
                    KEY("e", "e") "," KEY("f", "f") "," KEY("g", "0")


typedef struct {
    const char                   *name;
    ngx_http_wassiit_change_e     what;
    const char                   *with;     /* fields, or a key's id */
    time_t                        grace;
    const char                   *former;   /* NULL: there is none */
    const char                   *text;     /* NULL: there is none */
    ngx_http_wassiit_changed_e    changed;
} unit_edit_case_t;


static void unit_edit_is(const unit_edit_case_t *edit);
static void unit_edit_replace(char *text, const char *from, size_t len,
    const char *to);
static void unit_edit_length(void);
static void unit_edit_printable(ngx_str_t *made);
static void unit_edit_differs(void);


static const unit_edit_case_t  unit_edits[] = {

    { "a partner is made", NGX_HTTP_WASSIIT_CHANGE_CREATE,
      "{\"name\":\"Atlas\",\"rate\":\"5r/s\"}", 0, NULL,
      "{\"id\":\"atlas\",\"name\":\"Atlas\",\"rate\":\"5r/s\",\"keys\":["
      MADE "]}", NGX_HTTP_WASSIIT_CHANGED },

    { "one of an id that is taken", NGX_HTTP_WASSIIT_CHANGE_CREATE, "{}", 0,
      "{\"id\":\"atlas\"}", NULL, NGX_HTTP_WASSIIT_CHANGE_TAKEN },

    { "fields are changed, others stay", NGX_HTTP_WASSIIT_CHANGE_PATCH,
      "{\"rate\":\"7r/m\",\"enabled\":false}", 0,
      "{\"id\":\"atlas\",\"name\":\"A\",\"rate\":\"5r/s\",\"keys\":["
      KEY("a", "a") "],\"webhook_secret\":\"hush\"}",
      "{\"id\":\"atlas\",\"name\":\"A\",\"rate\":\"7r/m\",\"keys\":["
      KEY("a", "a") "],\"webhook_secret\":\"hush\",\"enabled\":false}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "fields are taken away", NGX_HTTP_WASSIIT_CHANGE_PATCH,
      "{\"name\":null,\"rate\":null}", 0,
      "{\"id\":\"atlas\",\"name\":\"A\",\"scopes\":[]}",
      "{\"id\":\"atlas\",\"scopes\":[]}", NGX_HTTP_WASSIIT_CHANGED },

    { "of no partner", NGX_HTTP_WASSIIT_CHANGE_PATCH, "{}", 0, NULL, NULL,
      NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER },

    { "a partner is deleted", NGX_HTTP_WASSIIT_CHANGE_DELETE, NULL, 0,
      "{\"id\":\"atlas\",\"name\":\"A\"}",
      "{\"id\":\"atlas\",\"deleted\":true}", NGX_HTTP_WASSIIT_CHANGED },

    { "one whose line has a rev", NGX_HTTP_WASSIIT_CHANGE_DELETE, NULL, 0,
      "{\"id\":\"atlas\",\"rev\":7,\"name\":\"A\"}",
      "{\"id\":\"atlas\",\"deleted\":true,\"rev\":7}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a line keeps its rev", NGX_HTTP_WASSIIT_CHANGE_PATCH,
      "{\"name\":\"B\"}", 0, "{\"id\":\"atlas\",\"rev\":7,\"name\":\"A\"}",
      "{\"id\":\"atlas\",\"rev\":7,\"name\":\"B\"}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "one that isn't there", NGX_HTTP_WASSIIT_CHANGE_DELETE, NULL, 0, NULL,
      NULL, NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER },

    { "one that only the zone has", NGX_HTTP_WASSIIT_CHANGE_DELETE, "served",
      0, NULL, "{\"id\":\"atlas\",\"deleted\":true}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "one that the zone may have", NGX_HTTP_WASSIIT_CHANGE_DELETE, NULL, 0,
      NULL, NULL, NGX_HTTP_WASSIIT_CHANGE_BUSY },

    { "a key is added", NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, NULL, 0,
      "{\"id\":\"atlas\",\"keys\":[" KEY("a", "a") "]}",
      "{\"id\":\"atlas\",\"keys\":[" KEY("a", "a") "," MADE "]}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "an eighth key", NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, NULL, 0,
      "{\"id\":\"atlas\",\"keys\":[" SIX "," KEY("a", "a") "]}",
      "{\"id\":\"atlas\",\"keys\":[" SIX "," KEY("a", "a") "," MADE "]}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a ninth key", NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, NULL, 0,
      "{\"id\":\"atlas\",\"keys\":[" SIX "," KEY("a", "a") ","
      ENDS("h", "9", "2026-11-27T00:00:01Z") "]}", NULL,
      NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS },

    { "a ninth, and two have expired", NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, NULL,
      0, "{\"id\":\"atlas\",\"keys\":["
      ENDS("h", "9", "2026-11-27T00:00:00Z") "," SIX ","
      ENDS("i", "8", "2026-11-26T23:59:59Z") "]}",
      "{\"id\":\"atlas\",\"keys\":["
      ENDS("h", "9", "2026-11-27T00:00:00Z") "," SIX "," MADE "]}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a ninth, and one expires now", NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, NULL, 0,
      "{\"id\":\"atlas\",\"keys\":[" SIX "," KEY("a", "a") ","
      ENDS("h", "9", "2026-11-27T00:00:00Z") "]}",
      "{\"id\":\"atlas\",\"keys\":[" SIX "," KEY("a", "a") "," MADE "]}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "keys are rotated", NGX_HTTP_WASSIIT_CHANGE_ROTATE, NULL, DAY,
      "{\"id\":\"atlas\",\"keys\":[" KEY("a", "a") ","
      ENDS("b", "b", "2026-11-27T12:00:00Z") ","
      ENDS("c", "c", "2030-01-01T00:00:00Z") "]}",
      "{\"id\":\"atlas\",\"keys\":["
      ENDS("a", "a", "2026-11-28T00:00:00Z") ","
      ENDS("b", "b", "2026-11-27T12:00:00Z") ","
      ENDS("c", "c", "2026-11-28T00:00:00Z") "," MADE "]}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "keys are rotated at once", NGX_HTTP_WASSIIT_CHANGE_ROTATE, NULL, 0,
      "{\"id\":\"atlas\",\"keys\":[" SIX "," KEY("a", "a") ","
      KEY("h", "9") "]}",
      "{\"id\":\"atlas\",\"keys\":[" MADE "]}", NGX_HTTP_WASSIIT_CHANGED },

    { "a key is revoked", NGX_HTTP_WASSIIT_CHANGE_REVOKE, "a", 0,
      "{\"id\":\"atlas\",\"keys\":[" KEY("aa", "b") "," KEY("a", "a") ","
      KEY("c", "c") "]}",
      "{\"id\":\"atlas\",\"keys\":[" KEY("aa", "b") "," KEY("c", "c") "]}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a key that isn't there", NGX_HTTP_WASSIIT_CHANGE_REVOKE, "a", 0,
      "{\"id\":\"atlas\",\"keys\":[" KEY("aa", "b") "]}", NULL,
      NGX_HTTP_WASSIIT_CHANGE_NO_KEY },

    { "a key that the zone may have", NGX_HTTP_WASSIIT_CHANGE_REVOKE, "a", 0,
      "{\"id\":\"atlas\"}", NULL, NGX_HTTP_WASSIIT_CHANGE_BUSY },

    { "a key that only the zone has", NGX_HTTP_WASSIIT_CHANGE_REVOKE,
      "served", 0, "{\"id\":\"atlas\",\"keys\":[" KEY("aa", "b") "]}",
      "{\"id\":\"atlas\",\"keys\":[" KEY("aa", "b") "]}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a secret to sign with", NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET, NULL, 0,
      "{\"id\":\"atlas\",\"hmac_secret\":\"Zm9ybWVy\"," FORMER "}",
      "{\"id\":\"atlas\",\"hmac_secret\":\"MADE\"}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "one beside it", NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET, NULL, DAY,
      "{\"id\":\"atlas\",\"hmac_secret\":\"Zm9ybWVy\"," FORMER "}",
      "{\"id\":\"atlas\",\"hmac_secret\":\"MADE\",\"former_hmac_secret\":"
      "{\"value\":\"Zm9ybWVy\",\"expires\":\"2026-11-28T00:00:00Z\"}}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a first one, at once", NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET, NULL, DAY,
      "{\"id\":\"atlas\"}", "{\"id\":\"atlas\",\"hmac_secret\":\"MADE\"}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a webhook's secret", NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET, NULL, 0,
      "{\"id\":\"atlas\",\"name\":\"A\"}",
      "{\"id\":\"atlas\",\"name\":\"A\",\"webhook_secret\":\"MADE\"}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "one to take over", NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET, NULL, DAY,
      "{\"id\":\"atlas\",\"webhook_secret\":\"hush\"}",
      "{\"id\":\"atlas\",\"webhook_secret\":\"hush\","
      "\"next_webhook_secret\":{\"value\":\"MADE\","
      "\"expires\":\"2026-11-28T00:00:00Z\"}}", NGX_HTTP_WASSIIT_CHANGED },

    { "another, before it has", NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET, NULL,
      DAY, "{\"id\":\"atlas\",\"webhook_secret\":\"hush\"," NEXT "}",
      "{\"id\":\"atlas\",\"webhook_secret\":\"next\","
      "\"next_webhook_secret\":{\"value\":\"MADE\","
      "\"expires\":\"2026-11-28T00:00:00Z\"}}", NGX_HTTP_WASSIIT_CHANGED },

    { "and at once", NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET, NULL, 0,
      "{\"id\":\"atlas\",\"webhook_secret\":\"hush\"," NEXT "}",
      "{\"id\":\"atlas\",\"webhook_secret\":\"MADE\"}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "a change-over stays as it is", NGX_HTTP_WASSIIT_CHANGE_PATCH,
      "{\"rate\":\"7r/m\"}", 0,
      "{\"id\":\"atlas\",\"hmac_secret\":\"Zm9ybWVy\"," FORMER ","
      "\"webhook_secret\":\"hush\"," NEXT "}",
      "{\"id\":\"atlas\",\"hmac_secret\":\"Zm9ybWVy\"," FORMER ","
      "\"webhook_secret\":\"hush\"," NEXT ",\"rate\":\"7r/m\"}",
      NGX_HTTP_WASSIIT_CHANGED },

    { "while keys are rotated, too", NGX_HTTP_WASSIIT_CHANGE_ROTATE, NULL, 0,
      "{\"id\":\"atlas\",\"keys\":[],\"hmac_secret\":\"Zm9ybWVy\"," FORMER
      "}",
      "{\"id\":\"atlas\",\"keys\":[" MADE "],"
      "\"hmac_secret\":\"Zm9ybWVy\"," FORMER "}", NGX_HTTP_WASSIIT_CHANGED }
};


/* the key, or the partner, that the zone has; NULL: none */
static const char  *unit_edit_served;
static ngx_uint_t   unit_edit_stuck;            /* the zone can't be asked */

static u_char       unit_edit_line[NGX_HTTP_WASSIIT_LINE + 1];
static u_char       unit_edit_text[NGX_HTTP_WASSIIT_LINE + 1];


/* The zone, as far as it is asked. */

ngx_int_t
ngx_http_wassiit_zone_get_locked(ngx_http_wassiit_zone_t *zone, ngx_str_t *id,
    ngx_http_wassiit_info_t *info)
{
    if (unit_edit_stuck) {
        return NGX_ERROR;
    }

    if (unit_edit_served == NULL) {
        return NGX_DECLINED;
    }

    info->nkeys = 1;
    info->keys[0].id_len = strlen(unit_edit_served);
    ngx_memcpy(info->keys[0].id, unit_edit_served, info->keys[0].id_len);

    return NGX_OK;
}


int
main(void)
{
    ngx_uint_t  i;

    unit_start();

    for (i = 0; i < sizeof(unit_edits) / sizeof(unit_edits[0]); i++) {
        unit_edit_is(&unit_edits[i]);
    }

    unit_edit_length();
    unit_edit_differs();

    return unit_done();
}


static void
unit_edit_is(const unit_edit_case_t *edit)
{
    char                         text[NGX_HTTP_WASSIIT_LINE + 1], sha[65];
    u_char                       digest[NGX_WASSIIT_DIGEST_LEN];
    size_t                       len, former;
    ngx_http_wassiit_change_t    change;
    ngx_http_wassiit_changed_e   changed;

    ngx_memzero(&change, sizeof(change));
    change.what = edit->what;
    change.now = NOW;
    change.grace = edit->grace;
    ngx_str_set(&change.id, "atlas");

    unit_edit_served = NULL;
    unit_edit_stuck = (edit->changed == NGX_HTTP_WASSIIT_CHANGE_BUSY);

    if (edit->what == NGX_HTTP_WASSIIT_CHANGE_CREATE
        || edit->what == NGX_HTTP_WASSIIT_CHANGE_PATCH)
    {
        change.fields = json_loads(edit->with, 0, NULL);

    } else if (edit->with) {
        unit_edit_served = strcmp(edit->with, "served") == 0 ? edit->with
                                                             : NULL;
    }

    if (edit->what == NGX_HTTP_WASSIIT_CHANGE_REVOKE) {
        change.key_id.data = (u_char *) edit->with;
        change.key_id.len = strlen(edit->with);
    }

    former = edit->former ? strlen(edit->former) : 0;
    ngx_memcpy(unit_edit_line, edit->former ? edit->former : "", former);
    len = 0;

    changed = ngx_http_wassiit_edit(&change, unit_edit_line, former,
                                    unit_edit_text, &len);

    unit_is(changed, edit->changed, edit->name);

    if (edit->text) {
        ngx_memcpy(text, unit_edit_text, len);
        text[len] = '\0';

        if (change.made.len == NGX_WASSIIT_KEY_LEN) {
            ngx_wassiit_key_digest(change.made.data, change.made.len, digest);
            *ngx_hex_dump((u_char *) sha, digest, sizeof(digest)) = '\0';
            unit_edit_replace(text, sha, 64, "SHA");
            unit_edit_replace(text, (char *) change.made_id,
                              NGX_HTTP_WASSIIT_MADE_ID, "MADE");

        } else if (change.made.len) {
            unit_edit_replace(text, (char *) change.made.data,
                              change.made.len, "MADE");
        }

        if (!unit_ok(strcmp(text, edit->text) == 0, "%s: the line",
                     edit->name))
        {
            unit_note("got %s", text);
            unit_note("expected %s", edit->text);
        }

    } else {
        unit_is(len, 0, "no line is written");
    }

    json_decref(change.fields);
}


/* Puts another text in place of the first such one. */

static void
unit_edit_replace(char *text, const char *from, size_t len, const char *to)
{
    char  *p;

    p = memmem(text, strlen(text), from, len);

    if (p) {
        memmove(p + strlen(to), p + len, strlen(p + len) + 1);
        ngx_memcpy(p, to, strlen(to));
    }
}


/* A line may be one byte shorter than the most, with its LF. */

static void
unit_edit_length(void)
{
    size_t                       len, n;
    ngx_uint_t                   i;
    ngx_http_wassiit_change_t    change;
    ngx_http_wassiit_changed_e   changed;

    static const char  head[] = "{\"id\":\"atlas\",\"name\":\"";

    ngx_memzero(&change, sizeof(change));
    change.what = NGX_HTTP_WASSIIT_CHANGE_PATCH;
    change.fields = json_pack("{s:b}", "enabled", 1);
    ngx_str_set(&change.id, "atlas");

    /* with ",\"enabled\":true", 15 bytes, it is to have so many */

    for (i = 0; i < 2; i++) {
        n = NGX_HTTP_WASSIIT_LINE - 1 + i - 15;

        memset(unit_edit_line, 'n', n);
        ngx_memcpy(unit_edit_line, head, sizeof(head) - 1);
        ngx_memcpy(unit_edit_line + n - 2, "\"}", 2);

        len = 0;
        changed = ngx_http_wassiit_edit(&change, unit_edit_line, n,
                                        unit_edit_text, &len);

        unit_is(changed, i ? NGX_HTTP_WASSIIT_CHANGE_BAD_LINE
                           : NGX_HTTP_WASSIIT_CHANGED,
                i ? "a line too long" : "the longest line");
        unit_is(len, NGX_HTTP_WASSIIT_LINE - 1 + i, "its length");
    }

    json_decref(change.fields);
}


/* A shell's word can hold what such a secret is the base64 of. */

static void
unit_edit_printable(ngx_str_t *made)
{
    int         len;
    u_char      secret[NGX_HTTP_WASSIIT_MADE_LEN];
    ngx_uint_t  i, printable;

    len = EVP_DecodeBlock(secret, made->data, made->len);
    printable = 0;

    for (i = 0; len > 0 && i < NGX_WASSIIT_HMAC_LEN; i++) {
        printable += (isalnum(secret[i]) != 0);
    }

    unit_is(printable, NGX_WASSIIT_HMAC_LEN, "its bytes are printable");
}


/* What is made is another one each time, of the form that it is to have. */

static void
unit_edit_differs(void)
{
    u_char                      first[NGX_HTTP_WASSIIT_MADE_LEN];
    size_t                      len;
    ngx_uint_t                  i, k;
    ngx_http_wassiit_change_t   change;

    static const struct {
        ngx_http_wassiit_change_e   what;
        size_t                      len;
        const char                 *name;
    } made[] = {
        { NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, NGX_WASSIIT_KEY_LEN, "a key" },
        { NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET, NGX_WASSIIT_HMAC_BASE64,
          "a secret to sign with" },
        { NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET, NGX_HTTP_WASSIIT_MADE_LEN,
          "a webhook's secret" }
    };

    for (i = 0; i < sizeof(made) / sizeof(made[0]); i++) {

        for (k = 0; k < 2; k++) {
            ngx_memzero(&change, sizeof(change));
            change.what = made[i].what;
            change.now = NOW;
            ngx_str_set(&change.id, "atlas");

            ngx_memcpy(unit_edit_line, "{\"id\":\"atlas\"}", 14);
            (void) ngx_http_wassiit_edit(&change, unit_edit_line, 14,
                                         unit_edit_text, &len);

            unit_is(change.made.len, made[i].len, made[i].name);

            if (k == 0) {
                ngx_memcpy(first, change.made.data, change.made.len);
            }
        }

        if (made[i].what == NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET) {
            unit_edit_printable(&change.made);
        }

        unit_ok(memcmp(first, change.made.data, change.made.len) != 0,
                "%s: another each time", made[i].name);
        unit_ok(strncmp((char *) first, "wst_", 4) == 0 || i,
                "%s: as it should begin", made[i].name);
    }
}
