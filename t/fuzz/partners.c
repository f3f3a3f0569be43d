
/*
 * The partners' file.  A line that is good, written anew from what it says,
 * says the same; of a file, each partner's last line counts, as a second
 * reading finds it; and what is left of a last line leaves those before it.
 */


#include "fuzz.h"
#include "folder.h"
#include "../unit/objects.h"

#include "ngx_http_wassiit_store.h"
#include "ngx_wassiit_time.h"

#include <jansson.h>


/* lines of a file that a second reading looks at */
#define FUZZ_PARTNERS_LINES  200


/* a line that was parsed, with the memory for it */

typedef struct {
    ngx_int_t                    rc;
    ngx_http_wassiit_record_t   *rec;
    ngx_http_wassiit_parse_t     parse;
    u_char                      *memory;
    size_t                       size;
} fuzz_partners_line_t;


static void fuzz_partners_parse(fuzz_partners_line_t *line, const u_char *p,
    size_t len);
static void fuzz_partners_free(fuzz_partners_line_t *line);
static void fuzz_partners_fault(fuzz_partners_line_t *line, const u_char *p,
    size_t len);
static void fuzz_partners_again(fuzz_partners_line_t *line, const u_char *p,
    size_t len);
static json_t *fuzz_partners_json(ngx_http_wassiit_record_t *rec);
static json_t *fuzz_partners_string(ngx_str_t *s);
static ngx_uint_t fuzz_partners_same(ngx_http_wassiit_record_t *a,
    ngx_http_wassiit_record_t *b, ngx_uint_t secrets);
static void fuzz_partners_store(const u_char *p, size_t size);
static ngx_http_wassiit_store_t *fuzz_partners_load(const u_char *p,
    size_t size);
static void fuzz_partners_cut(const u_char *p, size_t mark, size_t size,
    ngx_uint_t partners);


static ngx_str_t                 fuzz_partners_file;
static ngx_wassiit_scopes_t      fuzz_partners_scopes;
static ngx_http_wassiit_arena_t  fuzz_partners_arena;


/* A file is parsed by this process then, so that its coverage counts. */

pid_t
fork(void)
{
    errno = EAGAIN;
    return -1;
}


/* Nobody cuts the power here. */

int
fsync(int fd)
{
    return 0;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_partners_line_t  line;

    if (size > FUZZ_SIZE) {
        return 0;
    }

    if (fuzz_partners_file.data == NULL) {
        fuzz_folder_file(&fuzz_partners_file, "partners");

        ngx_wassiit_scopes_init(&fuzz_partners_scopes, NULL);
        (void) ngx_wassiit_scopes_add(&fuzz_partners_scopes,
                                      (u_char *) "x.y", 3);
        ngx_wassiit_scopes_settle(&fuzz_partners_scopes);

        fuzz_partners_arena.size = NGX_HTTP_WASSIIT_LINE_ARENA;
        fuzz_partners_arena.start = malloc(fuzz_partners_arena.size);

        ngx_http_wassiit_arena_install();
        json_object_seed(1);
    }

    fuzz_seed(data, size);

    if (memchr(data, '\n', size) == NULL) {
        fuzz_partners_parse(&line, data, size);

        if (line.rc == NGX_OK) {
            fuzz_partners_again(&line, data, size);
        }

        fuzz_partners_free(&line);
    }

    fuzz_partners_store(data, size);

    return 0;
}


static void
fuzz_partners_parse(fuzz_partners_line_t *line, const u_char *p, size_t len)
{
    u_char  *copy;

    memset(line, 0, sizeof(fuzz_partners_line_t));

    line->size = NGX_HTTP_WASSIIT_PARSE_SIZE(1, len);
    line->memory = malloc(line->size);
    line->parse.pos = line->memory;
    line->parse.scopes = &fuzz_partners_scopes;

    copy = fuzz_copy(p, len);

    line->rc = ngx_http_wassiit_record_parse(&line->parse,
                                             &fuzz_partners_arena, copy, len,
                                             &line->rec);
    free(copy);

    fuzz_check(line->parse.pos <= line->memory + line->size);
    fuzz_check(line->rc == NGX_OK || line->rc == NGX_ERROR
               || line->rc == NGX_DONE);

    if (line->rc == NGX_ERROR) {
        fuzz_partners_fault(line, p, len);
    }
}


static void
fuzz_partners_free(fuzz_partners_line_t *line)
{
    free(line->memory);
}


/* What is told fits a line of the log, and holds no secret. */

static void
fuzz_partners_fault(fuzz_partners_line_t *line, const u_char *p, size_t len)
{
    size_t       i, n, secret;
    json_t      *json, *value;
    const char  *text;

    static const char  *names[] = {
        "hmac_secret", "webhook_secret",
        "former_hmac_secret", "next_webhook_secret"
    };

    fuzz_check(line->parse.fault_len > 0);
    fuzz_check(line->parse.fault_len <= sizeof(line->parse.fault));

    for (i = 0; i < line->parse.fault_len; i++) {
        fuzz_check(line->parse.fault[i] >= 0x20
                   && line->parse.fault[i] != 0x7f);
    }

    json = json_loadb((char *) p, len, 0, NULL);

    for (n = 0; n < 4; n++) {
        value = json_object_get(json, names[n]);
        value = (n < 2) ? value : json_object_get(value, "value");
        text = json_string_value(value);
        secret = json_string_length(value);

        if (secret < 12 || memmem(p, len, text, secret) == NULL) {
            continue;
        }

        /* in no other field, then, which might well be told */

        i = (u_char *) memmem(p, len, text, secret) - p + 1;

        if (memmem(p + i, len - i, text, secret) == NULL
            && strpbrk(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        {
            fuzz_check(memmem(line->parse.fault, line->parse.fault_len, text,
                              secret)
                       == NULL);
        }
    }

    json_decref(json);
}


static void
fuzz_partners_again(fuzz_partners_line_t *line, const u_char *p, size_t len)
{
    char                 *text;
    json_t               *json;
    fuzz_partners_line_t  again;

    fuzz_check(ngx_http_wassiit_record_is_id(line->rec->id.data,
                                             line->rec->id.len));

    /* the same fields, in other characters */

    json = json_loadb((char *) p, len, 0, NULL);
    fuzz_check(json != NULL);

    text = json_dumps(json, JSON_ENSURE_ASCII|JSON_SORT_KEYS|JSON_INDENT(1));
    fuzz_check(text != NULL);

    if (strlen(text) < NGX_HTTP_WASSIIT_LINE) {
        fuzz_partners_parse(&again, (u_char *) text, strlen(text));
        fuzz_check(again.rc == NGX_OK);
        fuzz_check(fuzz_partners_same(line->rec, again.rec, 1));
        fuzz_partners_free(&again);
    }

    free(text);
    json_decref(json);

    /* from what it was understood to say */

    json = fuzz_partners_json(line->rec);
    text = json_dumps(json, JSON_COMPACT);
    fuzz_check(text != NULL);

    fuzz_partners_parse(&again, (u_char *) text, strlen(text));
    fuzz_check(again.rc == NGX_OK);
    fuzz_check(fuzz_partners_same(line->rec, again.rec, 0));
    fuzz_partners_free(&again);

    free(text);
    json_decref(json);
}


/* All but secrets, of which nobody can tell the text. */

static json_t *
fuzz_partners_json(ngx_http_wassiit_record_t *rec)
{
    char         rate[32], hex[2 * NGX_WASSIIT_DIGEST_LEN + 1];
    json_t      *json, *key, *list;
    uint64_t     scopes;
    ngx_str_t    s;
    ngx_uint_t   i, n;

    json = json_object();
    json_object_set_new(json, "id", fuzz_partners_string(&rec->id));

    if (rec->rev) {
        json_object_set_new(json, "rev", json_integer(rec->rev));
    }

    if (rec->deleted) {
        json_object_set_new(json, "deleted", json_true());
        return json;
    }

    if (rec->name.len) {
        json_object_set_new(json, "name", fuzz_partners_string(&rec->name));
    }

    json_object_set_new(json, "enabled", json_boolean(rec->enabled));

    list = json_array();

    for (scopes = rec->scopes; scopes; /* void */ ) {
        ngx_wassiit_scopes_next(&fuzz_partners_scopes, &scopes, &s);
        json_array_append_new(list, fuzz_partners_string(&s));
    }

    json_object_set_new(json, "scopes", list);

    if (rec->rate.limit) {
        snprintf(rate, sizeof(rate), "%ur/%c", rec->rate.limit,
                 rec->rate.seconds == 1 ? 's'
                 : rec->rate.seconds == 60 ? 'm'
                 : rec->rate.seconds == 3600 ? 'h' : 'd');
        json_object_set_new(json, "rate", json_string(rate));
    }

    list = json_array();

    for (i = 0; i < rec->nkeys; i++) {
        for (n = 0; n < NGX_WASSIIT_DIGEST_LEN; n++) {
            snprintf(hex + 2 * n, 3, "%02X", rec->keys[i].digest[n]);
        }

        key = json_object();
        json_object_set_new(key, "id",
                            fuzz_partners_string(&rec->keys[i].id));
        json_object_set_new(key, "sha256", json_string(hex));

        if (rec->keys[i].created != INT64_MIN) {
            u_char  time[NGX_WASSIIT_TIME_LEN];

            ngx_wassiit_time_format(rec->keys[i].created, time);
            json_object_set_new(key, "created",
                                json_stringn((char *) time, sizeof(time)));
        }

        if (rec->keys[i].expires != INT64_MAX) {
            u_char  time[NGX_WASSIIT_TIME_LEN];

            ngx_wassiit_time_format(rec->keys[i].expires, time);
            json_object_set_new(key, "expires",
                                json_stringn((char *) time, sizeof(time)));
        }

        json_array_append_new(list, key);
    }

    json_object_set_new(json, "keys", list);

    return json;
}


static json_t *
fuzz_partners_string(ngx_str_t *s)
{
    return json_stringn((char *) s->data, s->len);
}


/* An offset may lead a time out of the years that can be written. */

static ngx_uint_t
fuzz_partners_same_time(int64_t a, int64_t b)
{
    return a == b
           || ((a < -62167219200 || a > 253402300799) && llabs(a - b) < 86400);
}


static ngx_uint_t
fuzz_partners_same_string(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}


static ngx_uint_t
fuzz_partners_same(ngx_http_wassiit_record_t *a, ngx_http_wassiit_record_t *b,
    ngx_uint_t secrets)
{
    ngx_uint_t  i;

    if (!fuzz_partners_same_string(&a->id, &b->id)
        || !fuzz_partners_same_string(&a->name, &b->name)
        || a->scopes != b->scopes || a->nkeys != b->nkeys
        || a->enabled != b->enabled || a->deleted != b->deleted
        || a->rev != b->rev
        || a->rate.limit != b->rate.limit
        || (a->rate.limit && a->rate.seconds != b->rate.seconds))
    {
        return 0;
    }

    for (i = 0; i < a->nkeys; i++) {
        if (!fuzz_partners_same_string(&a->keys[i].id, &b->keys[i].id)
            || memcmp(a->keys[i].digest, b->keys[i].digest,
                      NGX_WASSIIT_DIGEST_LEN)
            || !fuzz_partners_same_time(a->keys[i].created,
                                        b->keys[i].created)
            || !fuzz_partners_same_time(a->keys[i].expires,
                                        b->keys[i].expires))
        {
            return 0;
        }
    }

    if (!secrets) {
        return 1;
    }

    return (a->secrets == NULL) == (b->secrets == NULL)
           && (a->secrets == NULL
               || (a->secrets->has_former == b->secrets->has_former
                   && a->secrets->has_next == b->secrets->has_next
                   && memcmp(a->secrets, b->secrets,
                             ngx_http_wassiit_record_secrets_size(a->secrets))
                      == 0));
}


/* ---- a file of several lines */

static void
fuzz_partners_store(const u_char *p, size_t size)
{
    size_t                      i, k, n, eol, mark, partners, torn;
    ngx_uint_t                  good;
    const u_char               *zero;
    fuzz_partners_line_t       *lines;
    ngx_http_wassiit_store_t   *store;
    ngx_http_wassiit_record_t  *rec;

    lines = calloc(FUZZ_PARTNERS_LINES, sizeof(fuzz_partners_line_t));
    good = 1;
    torn = 0;
    n = 0;

    /* a byte order mark that the file begins with is passed over */
    mark = (size >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) ? 3 : 0;

    for (i = mark; i < size; i = eol + 1) {

        for (eol = i; eol < size && p[eol] != '\n'; eol++) { /* void */ }

        if (n == FUZZ_PARTNERS_LINES) {
            good = 2;
            break;
        }

        fuzz_partners_parse(&lines[n], p + i, eol - i);

        if (lines[n].rc == NGX_ERROR) {
            torn = (eol >= size);
            good = 0;
            fuzz_partners_free(&lines[n]);

            zero = memchr(p + i, '\0', eol - i);

            if (eol + 1 < size || zero == NULL) {
                break;
            }

            /* what stands before the zeros may be whole, its LF among them */

            fuzz_partners_parse(&lines[n], p + i, zero - (p + i));

            if (lines[n].rc == NGX_OK) {
                n++;

            } else {
                fuzz_partners_free(&lines[n]);
            }

            break;
        }

        if (lines[n].rc == NGX_DONE) {
            fuzz_partners_free(&lines[n]);
            continue;
        }

        n++;
    }

    store = (good == 2) ? NULL : fuzz_partners_load(p, size);

    if (good == 0 && !torn) {
        /* a last line with an LF may be torn as well: NULs show it */
        fuzz_check(store == NULL || memchr(p, '\0', size));
    }

    if (store) {
        partners = 0;

        for (i = 0; i < n; i++) {

            for (k = i + 1; k < n; k++) {
                if (fuzz_partners_same_string(&lines[i].rec->id,
                                              &lines[k].rec->id))
                {
                    break;
                }
            }

            if (k < n) {
                continue;
            }

            partners += !lines[i].rec->deleted;

            for (rec = store->records; rec; rec = rec->next) {
                if (fuzz_partners_same_string(&lines[i].rec->id, &rec->id)) {
                    break;
                }
            }

            fuzz_check(rec != NULL);
            fuzz_check(fuzz_partners_same(lines[i].rec, rec, 1));
        }

        fuzz_check(store->partners == partners);

        for (rec = store->records; rec && rec->next; rec = rec->next) {
            fuzz_check(ngx_http_wassiit_record_order(rec->id.data,
                                                     rec->id.len,
                                                     rec->next->id.data,
                                                     rec->next->id.len)
                       < 0);
        }

        ngx_http_wassiit_store_destroy(store);

        if (good == 1) {
            fuzz_partners_cut(p, mark, size, partners);
        }
    }

    while (n--) {
        fuzz_partners_free(&lines[n]);
    }

    free(lines);
}


/*
 * Cuts the last line of a good file anywhere, behind the byte order mark: the
 * lines before it load as they do alone, with the rest of it or without.
 */

static void
fuzz_partners_cut(const u_char *p, size_t mark, size_t size,
    ngx_uint_t partners)
{
    size_t                     start, cut;
    ngx_uint_t                 before;
    ngx_http_wassiit_store_t  *store;

    if (size < mark + 2) {
        return;
    }

    for (start = size - 1; start > mark && p[start - 1] != '\n'; start--) {
        /* void */
    }

    store = fuzz_partners_load(p, start);

    if (store == NULL) {
        /* the last line mends the file */
        return;
    }

    before = store->partners;
    ngx_http_wassiit_store_destroy(store);

    cut = start + unit_random(size - start);
    store = fuzz_partners_load(p, cut);

    fuzz_check(store != NULL);
    fuzz_check(store->partners == before || store->partners == partners);

    ngx_http_wassiit_store_destroy(store);
}


static ngx_http_wassiit_store_t *
fuzz_partners_load(const u_char *p, size_t size)
{
    ngx_http_wassiit_load_t  how;

    fuzz_folder_write(&fuzz_partners_file, p, size);
    unit_log_forget();

    ngx_memzero(&how, sizeof(ngx_http_wassiit_load_t));

    how.scopes = &fuzz_partners_scopes;
    how.user = geteuid();
    how.write = 1;

    return ngx_http_wassiit_store_load(&fuzz_partners_file, &how, &unit_log);
}
