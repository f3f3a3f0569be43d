
#include <jansson.h>

#include "ngx_http_wassiit_store.h"
#include "ngx_wassiit_time.h"


#define STORE_BUFFER        65536       /* also the longest line */
#define STORE_POOL          (1024 * 1024)


/* A set of records by id, or of keys by digest; both are looked up here. */

typedef struct {
    void                            **slots;
    ngx_uint_t                        size;     /* a power of two */
    ngx_uint_t                        count;
} ngx_http_wassiit_set_t;


typedef struct {
    ngx_http_wassiit_store_t         *store;
    const ngx_wassiit_scopes_t       *scopes;
    ngx_http_wassiit_set_t            ids;
    ngx_http_wassiit_record_t       **last;
    ngx_str_t                        *file;
    ngx_uint_t                        line;
    ngx_log_t                        *log;
} ngx_http_wassiit_reader_t;


static ngx_int_t ngx_http_wassiit_store_read(ngx_http_wassiit_reader_t *rd);
static ngx_int_t ngx_http_wassiit_store_line(ngx_http_wassiit_reader_t *rd,
    u_char *p, size_t len);
static ngx_int_t ngx_http_wassiit_store_record(ngx_http_wassiit_reader_t *rd,
    json_t *json, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_scopes(ngx_http_wassiit_reader_t *rd,
    json_t *json, uint64_t *scopes);
static ngx_int_t ngx_http_wassiit_store_keys(ngx_http_wassiit_reader_t *rd,
    json_t *json, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_key(ngx_http_wassiit_reader_t *rd,
    json_t *json, ngx_uint_t n, ngx_http_wassiit_key_t *key);
static ngx_int_t ngx_http_wassiit_store_digest(json_t *json, u_char *digest);
static ngx_int_t ngx_http_wassiit_store_time(json_t *json, int64_t *seconds);
static ngx_int_t ngx_http_wassiit_store_base64(json_t *json);
static ngx_int_t ngx_http_wassiit_store_id(json_t *json);
static ngx_int_t ngx_http_wassiit_store_name(json_t *json);
static ngx_int_t ngx_http_wassiit_store_copy(ngx_http_wassiit_reader_t *rd,
    json_t *json, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_store_merge(ngx_http_wassiit_reader_t *rd,
    ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_unique(ngx_http_wassiit_reader_t *rd);
static ngx_int_t ngx_http_wassiit_store_grow(ngx_http_wassiit_set_t *set,
    uint32_t (*hash)(void *), ngx_log_t *log);
static uint32_t ngx_http_wassiit_store_id_hash(void *data);
static uint32_t ngx_http_wassiit_store_key_hash(void *data);
static ngx_int_t ngx_http_wassiit_store_fault(ngx_http_wassiit_reader_t *rd,
    const char *fmt, ...);


ngx_http_wassiit_store_t *
ngx_http_wassiit_store_load(ngx_str_t *file,
    const ngx_wassiit_scopes_t *scopes, ngx_log_t *log)
{
    ngx_int_t                  rc;
    ngx_pool_t                *pool;
    ngx_http_wassiit_reader_t  rd;

    pool = ngx_create_pool(STORE_POOL, log);
    if (pool == NULL) {
        return NULL;
    }

    ngx_memzero(&rd, sizeof(ngx_http_wassiit_reader_t));

    rd.scopes = scopes;
    rd.file = file;
    rd.log = log;

    rd.store = ngx_pcalloc(pool, sizeof(ngx_http_wassiit_store_t));

    if (rd.store == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    rd.store->pool = pool;
    rd.last = &rd.store->records;

    rc = ngx_http_wassiit_store_read(&rd);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_store_unique(&rd);
    }

    if (rd.ids.slots) {
        ngx_free(rd.ids.slots);
    }

    if (rc != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    return rd.store;
}


static ngx_int_t
ngx_http_wassiit_store_read(ngx_http_wassiit_reader_t *rd)
{
    size_t           len;
    u_char          *buf, *p, *last, *eol;
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_int_t        rc;
    ngx_file_info_t  fi;

    fd = ngx_open_file(rd->file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, rd->log, ngx_errno,
                      ngx_open_file_n " \"%V\" failed", rd->file);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && (fi.st_mode & S_IROTH)) {
        ngx_log_error(NGX_LOG_WARN, rd->log, 0,
                      "partners' file \"%V\" can be read by everyone, "
                      "its mode should be 0600", rd->file);
    }

    rc = NGX_ERROR;

    buf = ngx_alloc(STORE_BUFFER, rd->log);
    if (buf == NULL) {
        goto done;
    }

    last = buf;

    for ( ;; ) {
        n = ngx_read_fd(fd, last, buf + STORE_BUFFER - last);

        if (n == -1) {
            ngx_log_error(NGX_LOG_EMERG, rd->log, ngx_errno,
                          ngx_read_fd_n " \"%V\" failed", rd->file);
            goto done;
        }

        if (n == 0) {
            break;
        }

        last += n;

        for (p = buf; /* void */ ; p = eol + 1) {
            len = last - p;
            eol = ngx_strlchr(p, last, LF);

            if (eol == NULL) {
                break;
            }

            if (ngx_http_wassiit_store_line(rd, p, eol - p) != NGX_OK) {
                goto done;
            }
        }

        if (len == STORE_BUFFER) {
            rd->line++;
            (void) ngx_http_wassiit_store_fault(rd, "line too long, "
                                                "the most is %d bytes",
                                                STORE_BUFFER - 1);
            goto done;
        }

        ngx_memmove(buf, p, len);
        last = buf + len;
    }

    rc = (last == buf) ? NGX_OK
                       : ngx_http_wassiit_store_line(rd, buf, last - buf);

done:

    if (buf) {
        ngx_explicit_memzero(buf, STORE_BUFFER);
        ngx_free(buf);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, rd->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", rd->file);
    }

    return rc;
}


static ngx_int_t
ngx_http_wassiit_store_line(ngx_http_wassiit_reader_t *rd, u_char *p,
    size_t len)
{
    json_t                     *json;
    size_t                      i;
    ngx_int_t                   rc;
    json_error_t                error;
    ngx_http_wassiit_record_t   rec;

    rd->line++;

    for (i = 0; i < len; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != CR) {
            break;
        }
    }

    if (i == len) {
        return NGX_OK;
    }

    json = json_loadb((char *) p, len, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        /* jansson's own text may quote what is secret */

        if (json_error_code(&error) == json_error_duplicate_key) {
            return ngx_http_wassiit_store_fault(rd,
                                  "column %d: field given twice",
                                  error.column);
        }

        return ngx_http_wassiit_store_fault(rd, "column %d: not valid JSON",
                                            error.column);
    }

    ngx_memzero(&rec, sizeof(ngx_http_wassiit_record_t));

    rc = ngx_http_wassiit_store_record(rd, json, &rec);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_store_merge(rd, &rec);
    }

    json_decref(json);

    return rc;
}


static ngx_int_t
ngx_http_wassiit_store_record(ngx_http_wassiit_reader_t *rd, json_t *json,
    ngx_http_wassiit_record_t *rec)
{
    json_t      *value, *id;
    const char  *field;

    if (!json_is_object(json)) {
        return ngx_http_wassiit_store_fault(rd, "not a JSON object");
    }

    id = json_object_get(json, "id");

    if (id == NULL) {
        return ngx_http_wassiit_store_fault(rd, "id: missing");
    }

    if (ngx_http_wassiit_store_id(id) != NGX_OK) {
        return ngx_http_wassiit_store_fault(rd, "id: must be a string of "
                                            "1 to 64 of a-z 0-9 . _ -");
    }

    if (ngx_http_wassiit_store_copy(rd, id, &rec->id) != NGX_OK) {
        return NGX_ERROR;
    }

    rec->enabled = 1;
    rec->line = rd->line;

    json_object_foreach(json, field, value) {

        if (ngx_strcmp(field, "id") == 0) {
            continue;
        }

        if (ngx_strcmp(field, "name") == 0) {
            if (ngx_http_wassiit_store_name(value) != NGX_OK) {
                return ngx_http_wassiit_store_fault(rd, "name: must be a "
                                        "string of 1 to 128 bytes without "
                                        "control characters");
            }

            if (ngx_http_wassiit_store_copy(rd, value, &rec->name) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(field, "enabled") == 0) {
            if (!json_is_boolean(value)) {
                return ngx_http_wassiit_store_fault(rd, "enabled: must be "
                                                    "true or false");
            }

            rec->enabled = json_is_true(value);

        } else if (ngx_strcmp(field, "deleted") == 0) {
            if (!json_is_true(value) || json_object_size(json) != 2) {
                return ngx_http_wassiit_store_fault(rd, "deleted: must be "
                                                    "true, beside an id "
                                                    "alone");
            }

            rec->deleted = 1;

        } else if (ngx_strcmp(field, "scopes") == 0) {
            if (ngx_http_wassiit_store_scopes(rd, value, &rec->scopes)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(field, "rate") == 0) {
            if (!json_is_string(value)
                || ngx_wassiit_rate_parse((u_char *) json_string_value(value),
                                          json_string_length(value),
                                          &rec->rate)
                   != NGX_OK)
            {
                return ngx_http_wassiit_store_fault(rd, "rate: must be a "
                                        "string such as \"100r/m\", from 1 "
                                        "to %d, r/s, r/m, r/h or r/d",
                                        NGX_WASSIIT_RATE_MAX);
            }

        } else if (ngx_strcmp(field, "keys") == 0) {
            if (ngx_http_wassiit_store_keys(rd, value, rec) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(field, "hmac_secret") == 0) {
            if (ngx_http_wassiit_store_base64(value) != NGX_OK) {
                return ngx_http_wassiit_store_fault(rd, "hmac_secret: must "
                                                    "be a string of base64");
            }

        } else if (ngx_strcmp(field, "webhook_secret") == 0) {
            if (!json_is_string(value) || json_string_length(value) == 0) {
                return ngx_http_wassiit_store_fault(rd, "webhook_secret: "
                                                    "must be a string that "
                                                    "isn't empty");
            }

        } else {
            return ngx_http_wassiit_store_fault(rd, "%s: unknown field",
                                                field);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_scopes(ngx_http_wassiit_reader_t *rd, json_t *json,
    uint64_t *scopes)
{
    size_t      i, len;
    u_char     *p;
    json_t     *value;
    uint64_t    scope;
    ngx_str_t   nearest;

    if (!json_is_array(json)) {
        return ngx_http_wassiit_store_fault(rd, "scopes: must be an array");
    }

    json_array_foreach(json, i, value) {

        if (!json_is_string(value)) {
            return ngx_http_wassiit_store_fault(rd, "scopes[%uz]: must be a "
                                                "string", i);
        }

        p = (u_char *) json_string_value(value);
        len = json_string_length(value);

        scope = ngx_wassiit_scopes_find(rd->scopes, p, len);

        if (scope == 0) {
            ngx_wassiit_scopes_nearest(rd->scopes, p, len, &nearest);

            return ngx_http_wassiit_store_fault(rd, "scopes[%uz]: unknown "
                                      "scope \"%s\", the nearest is \"%V\"",
                                      i, p, &nearest);
        }

        *scopes |= scope;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_keys(ngx_http_wassiit_reader_t *rd, json_t *json,
    ngx_http_wassiit_record_t *rec)
{
    size_t                   i, n;
    json_t                  *value;
    ngx_http_wassiit_key_t  *keys;

    if (!json_is_array(json)) {
        return ngx_http_wassiit_store_fault(rd, "keys: must be an array");
    }

    if (json_array_size(json) > NGX_HTTP_WASSIIT_KEYS) {
        return ngx_http_wassiit_store_fault(rd, "keys: %uz of them, the most "
                                            "is %d", json_array_size(json),
                                            NGX_HTTP_WASSIIT_KEYS);
    }

    rec->nkeys = json_array_size(json);

    keys = ngx_palloc(rd->store->pool,
                      rec->nkeys * sizeof(ngx_http_wassiit_key_t));
    if (keys == NULL) {
        return NGX_ERROR;
    }

    rec->keys = keys;

    json_array_foreach(json, i, value) {

        if (ngx_http_wassiit_store_key(rd, value, i, &keys[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        for (n = 0; n < i; n++) {
            if (keys[n].id.len == keys[i].id.len
                && ngx_memcmp(keys[n].id.data, keys[i].id.data,
                              keys[i].id.len)
                   == 0)
            {
                return ngx_http_wassiit_store_fault(rd, "keys[%uz].id: "
                                          "\"%V\" is keys[%uz]'s already",
                                          i, &keys[i].id, n);
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_key(ngx_http_wassiit_reader_t *rd, json_t *json,
    ngx_uint_t n, ngx_http_wassiit_key_t *key)
{
    json_t      *value;
    const char  *field;

    if (!json_is_object(json)) {
        return ngx_http_wassiit_store_fault(rd, "keys[%ui]: must be an "
                                            "object", n);
    }

    if (json_object_get(json, "id") == NULL) {
        return ngx_http_wassiit_store_fault(rd, "keys[%ui].id: missing", n);
    }

    if (json_object_get(json, "sha256") == NULL) {
        return ngx_http_wassiit_store_fault(rd, "keys[%ui].sha256: missing",
                                            n);
    }

    key->created = INT64_MIN;
    key->expires = INT64_MAX;

    json_object_foreach(json, field, value) {

        if (ngx_strcmp(field, "id") == 0) {
            if (ngx_http_wassiit_store_id(value) != NGX_OK) {
                return ngx_http_wassiit_store_fault(rd, "keys[%ui].id: must "
                                        "be a string of 1 to 64 of "
                                        "a-z 0-9 . _ -", n);
            }

            if (ngx_http_wassiit_store_copy(rd, value, &key->id) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(field, "sha256") == 0) {
            if (ngx_http_wassiit_store_digest(value, key->digest) != NGX_OK) {
                return ngx_http_wassiit_store_fault(rd, "keys[%ui].sha256: "
                                                    "must be a string of 64 "
                                                    "hex digits", n);
            }

        } else if (ngx_strcmp(field, "created") == 0) {
            if (ngx_http_wassiit_store_time(value, &key->created) != NGX_OK) {
                return ngx_http_wassiit_store_fault(rd, "keys[%ui].created: "
                                        "must be a time such as "
                                        "\"2026-11-01T09:00:00Z\"", n);
            }

        } else if (ngx_strcmp(field, "expires") == 0) {
            if (ngx_http_wassiit_store_time(value, &key->expires) != NGX_OK) {
                return ngx_http_wassiit_store_fault(rd, "keys[%ui].expires: "
                                        "must be a time such as "
                                        "\"2026-11-01T09:00:00Z\"", n);
            }

        } else {
            return ngx_http_wassiit_store_fault(rd, "keys[%ui].%s: unknown "
                                                "field", n, field);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_digest(json_t *json, u_char *digest)
{
    ngx_uint_t   i;
    ngx_int_t    byte;
    const char  *p;

    if (!json_is_string(json)
        || json_string_length(json) != 2 * NGX_WASSIIT_DIGEST_LEN)
    {
        return NGX_ERROR;
    }

    p = json_string_value(json);

    for (i = 0; i < NGX_WASSIIT_DIGEST_LEN; i++) {
        byte = ngx_hextoi((u_char *) p + 2 * i, 2);

        if (byte == NGX_ERROR) {
            return NGX_ERROR;
        }

        digest[i] = byte;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_time(json_t *json, int64_t *seconds)
{
    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    return ngx_wassiit_time_parse((u_char *) json_string_value(json),
                                  json_string_length(json), seconds);
}


/* the standard or the URL-safe alphabet, with or without padding */

static ngx_int_t
ngx_http_wassiit_store_base64(json_t *json)
{
    size_t       i, len;
    const char  *p;

    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    p = json_string_value(json);
    len = json_string_length(json);

    for (i = 0; i < len && p[i] != '='; i++) {
        if (!((p[i] >= 'A' && p[i] <= 'Z') || (p[i] >= 'a' && p[i] <= 'z')
              || (p[i] >= '0' && p[i] <= '9')
              || p[i] == '+' || p[i] == '/' || p[i] == '-' || p[i] == '_'))
        {
            return NGX_ERROR;
        }
    }

    if (i < 2 || i % 4 == 1 || (len != i && len != ngx_align(i, 4))) {
        return NGX_ERROR;
    }

    for ( /* void */ ; i < len; i++) {
        if (p[i] != '=') {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_id(json_t *json)
{
    size_t       i, len;
    const char  *p;

    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    p = json_string_value(json);
    len = json_string_length(json);

    if (len == 0 || len > NGX_HTTP_WASSIIT_ID_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9')
              || p[i] == '.' || p[i] == '_' || p[i] == '-'))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_name(json_t *json)
{
    size_t       i, len;
    const char  *p;

    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    p = json_string_value(json);
    len = json_string_length(json);

    if (len == 0 || len > NGX_HTTP_WASSIIT_NAME_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        if ((u_char) p[i] < 0x20 || p[i] == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_copy(ngx_http_wassiit_reader_t *rd, json_t *json,
    ngx_str_t *value)
{
    value->len = json_string_length(json);
    value->data = ngx_pnalloc(rd->store->pool, value->len);

    if (value->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(value->data, json_string_value(json), value->len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_merge(ngx_http_wassiit_reader_t *rd,
    ngx_http_wassiit_record_t *rec)
{
    ngx_uint_t                   i, mask;
    ngx_http_wassiit_record_t   *next, *found;

    if (ngx_http_wassiit_store_grow(&rd->ids, ngx_http_wassiit_store_id_hash,
                                    rd->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    mask = rd->ids.size - 1;

    for (i = ngx_http_wassiit_store_id_hash(rec) & mask;
         rd->ids.slots[i];
         i = (i + 1) & mask)
    {
        found = rd->ids.slots[i];

        if (found->id.len == rec->id.len
            && ngx_memcmp(found->id.data, rec->id.data, rec->id.len) == 0)
        {
            rd->store->partners += (int) found->deleted - (int) rec->deleted;
            next = found->next;
            *found = *rec;
            found->next = next;
            return NGX_OK;
        }
    }

    found = ngx_palloc(rd->store->pool, sizeof(ngx_http_wassiit_record_t));
    if (found == NULL) {
        return NGX_ERROR;
    }

    *found = *rec;
    rd->ids.slots[i] = found;
    rd->ids.count++;
    rd->store->partners += !rec->deleted;

    *rd->last = found;
    rd->last = &found->next;

    return NGX_OK;
}


/* No two keys of the file's final state may be the same. */

static ngx_int_t
ngx_http_wassiit_store_unique(ngx_http_wassiit_reader_t *rd)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, n, mask;
    ngx_http_wassiit_set_t      set;
    ngx_http_wassiit_key_t     *key, *found;
    ngx_http_wassiit_record_t  *rec, *other;

    rc = NGX_ERROR;
    ngx_memzero(&set, sizeof(ngx_http_wassiit_set_t));

    for (rec = rd->store->records; rec; rec = rec->next) {

        for (n = 0; n < rec->nkeys; n++) {

            if (ngx_http_wassiit_store_grow(&set,
                                    ngx_http_wassiit_store_key_hash, rd->log)
                != NGX_OK)
            {
                goto done;
            }

            key = &rec->keys[n];
            mask = set.size - 1;

            for (i = ngx_http_wassiit_store_key_hash(key) & mask;
                 set.slots[i];
                 i = (i + 1) & mask)
            {
                found = set.slots[i];

                if (ngx_memcmp(found->digest, key->digest,
                               NGX_WASSIIT_DIGEST_LEN)
                    == 0)
                {
                    goto found;
                }
            }

            set.slots[i] = key;
            set.count++;
        }
    }

    rc = NGX_OK;
    goto done;

found:

    for (other = rd->store->records; other; other = other->next) {
        if (found >= other->keys && found < other->keys + other->nkeys) {
            break;
        }
    }

    rd->line = rec->line;

    (void) ngx_http_wassiit_store_fault(rd, "keys[%ui].sha256: partner "
                                        "\"%V\" has the same key, on line %ui",
                                        n, &other->id, other->line);

done:

    if (set.slots) {
        ngx_free(set.slots);
    }

    return rc;
}


/* Makes room for one more, so that at most half of the slots are taken. */

static ngx_int_t
ngx_http_wassiit_store_grow(ngx_http_wassiit_set_t *set,
    uint32_t (*hash)(void *), ngx_log_t *log)
{
    void        **slots;
    ngx_uint_t    i, n, size;

    if (set->count < set->size / 2) {
        return NGX_OK;
    }

    size = set->size ? set->size * 2 : 64;

    slots = ngx_calloc(size * sizeof(void *), log);
    if (slots == NULL) {
        return NGX_ERROR;
    }

    for (n = 0; n < set->size; n++) {
        if (set->slots[n]) {
            i = hash(set->slots[n]) & (size - 1);

            while (slots[i]) {
                i = (i + 1) & (size - 1);
            }

            slots[i] = set->slots[n];
        }
    }

    if (set->slots) {
        ngx_free(set->slots);
    }

    set->slots = slots;
    set->size = size;

    return NGX_OK;
}


static uint32_t
ngx_http_wassiit_store_id_hash(void *data)
{
    ngx_http_wassiit_record_t  *rec = data;

    return ngx_murmur_hash2(rec->id.data, rec->id.len);
}


static uint32_t
ngx_http_wassiit_store_key_hash(void *data)
{
    uint32_t                 hash;
    ngx_http_wassiit_key_t  *key = data;

    ngx_memcpy(&hash, key->digest, sizeof(uint32_t));

    return hash;
}


static ngx_int_t
ngx_http_wassiit_store_fault(ngx_http_wassiit_reader_t *rd,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;
    u_char    text[NGX_MAX_ERROR_STR / 2];

    va_start(args, fmt);
    p = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_log_error(NGX_LOG_EMERG, rd->log, 0, "%V:%ui: %*s",
                  rd->file, rd->line, p - text, text);

    return NGX_ERROR;
}
