
#include "ngx_http_wassiit_record.h"
#include "ngx_wassiit_time.h"


static void *ngx_http_wassiit_record_alloc(ngx_http_wassiit_parse_t *parse,
    size_t size, size_t align);
static ngx_int_t ngx_http_wassiit_record_json(ngx_http_wassiit_parse_t *parse,
    u_char *p, size_t len, ngx_http_wassiit_record_t *rec);
static const char *ngx_http_wassiit_record_reason(
    ngx_http_wassiit_parse_t *parse, u_char *p, size_t len);
static ngx_int_t ngx_http_wassiit_record_object(
    ngx_http_wassiit_parse_t *parse, json_t *json,
    ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_record_scopes(
    ngx_http_wassiit_parse_t *parse, json_t *json, uint64_t *scopes);
static ngx_int_t ngx_http_wassiit_record_keys(ngx_http_wassiit_parse_t *parse,
    json_t *json, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_record_key(ngx_http_wassiit_parse_t *parse,
    json_t *json, ngx_uint_t n, ngx_http_wassiit_key_t *key);
static ngx_int_t ngx_http_wassiit_record_digest(json_t *json, u_char *digest);
static ngx_int_t ngx_http_wassiit_record_time(json_t *json, int64_t *seconds);
static ngx_int_t ngx_http_wassiit_record_secret(
    ngx_http_wassiit_parse_t *parse, json_t *json, const char *field,
    json_t *value, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_record_second(
    ngx_http_wassiit_parse_t *parse, json_t *json, const char *field,
    ngx_uint_t base64, ngx_wassiit_hmac_key_t *key, int64_t *expires);
static ngx_int_t ngx_http_wassiit_record_hmac_key(
    ngx_http_wassiit_parse_t *parse, json_t *json, const char *field,
    ngx_uint_t base64, ngx_wassiit_hmac_key_t *key);
static ngx_uint_t ngx_http_wassiit_record_text(json_t *json,
    ngx_uint_t (*is)(const u_char *p, size_t len));
static void ngx_http_wassiit_record_copy(ngx_http_wassiit_parse_t *parse,
    json_t *json, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_record_unknown(
    ngx_http_wassiit_parse_t *parse, const char *path, const char *field,
    const ngx_str_t *names, ngx_uint_t n);
static ngx_int_t ngx_http_wassiit_fault(ngx_http_wassiit_parse_t *parse,
    const char *fmt, ...);


/* what is known in a line, in one of its keys, in a secret of a change-over */

static const ngx_str_t  ngx_http_wassiit_record_fields[] = {
    ngx_string("id"),
    ngx_string("name"),
    ngx_string("enabled"),
    ngx_string("scopes"),
    ngx_string("rate"),
    ngx_string("keys"),
    ngx_string("hmac_secret"),
    ngx_string("webhook_secret"),
    ngx_string("former_hmac_secret"),
    ngx_string("next_webhook_secret"),
    ngx_string("deleted"),
    ngx_string("rev")
};

static const ngx_str_t  ngx_http_wassiit_record_key_fields[] = {
    ngx_string("id"),
    ngx_string("sha256"),
    ngx_string("created"),
    ngx_string("expires")
};

static const ngx_str_t  ngx_http_wassiit_record_second_fields[] = {
    ngx_string("value"),
    ngx_string("expires")
};

#define NAMES(names)  names, sizeof(names) / sizeof(names[0])


/* Of the memory given to parse; there is always enough. */

static void *
ngx_http_wassiit_record_alloc(ngx_http_wassiit_parse_t *parse, size_t size,
    size_t align)
{
    u_char  *p;

    p = ngx_align_ptr(parse->pos, align);
    parse->pos = p + size;

    return p;
}


ngx_int_t
ngx_http_wassiit_record_parse(ngx_http_wassiit_parse_t *parse,
    ngx_http_wassiit_arena_t *arena, u_char *p, size_t len,
    ngx_http_wassiit_record_t **rec)
{
    size_t      i;
    u_char     *zero;
    ngx_int_t   rc;

    zero = memchr(p, '\0', len);

    parse->is_json = 1;
    parse->zeros = (zero != NULL);

    if (len >= NGX_HTTP_WASSIIT_LINE) {
        return ngx_http_wassiit_fault(parse, "line too long, the most is %d "
                                      "bytes", NGX_HTTP_WASSIIT_LINE - 1);
    }

    for (i = 0; i < len; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != CR) {
            break;
        }
    }

    if (i == len) {
        return NGX_DONE;
    }

    /* jansson passes over one behind a word or a number */

    if (zero) {
        return ngx_http_wassiit_fault(parse, "column %uz: not valid JSON, a "
                                      "zero byte", (size_t) (zero - p) + 1);
    }

    *rec = ngx_http_wassiit_record_alloc(parse,
                                         sizeof(ngx_http_wassiit_record_t),
                                         NGX_ALIGNMENT);
    ngx_memzero(*rec, sizeof(ngx_http_wassiit_record_t));

    ngx_http_wassiit_arena_enter(arena);

    rc = ngx_http_wassiit_record_json(parse, p, len, *rec);

    ngx_http_wassiit_arena_leave();
    ngx_http_wassiit_arena_wipe(arena);

    return rc;
}


static ngx_int_t
ngx_http_wassiit_record_json(ngx_http_wassiit_parse_t *parse, u_char *p,
    size_t len, ngx_http_wassiit_record_t *rec)
{
    json_t        *json;
    ngx_int_t      rc;
    json_error_t   error;

    json = json_loadb((char *) p, len, JSON_REJECT_DUPLICATES, &error);

    if (json) {
        rc = ngx_http_wassiit_record_object(parse, json, rec);
        json_decref(json);
        return rc;
    }

    parse->is_json = 0;
    parse->error = json_error_code(&error);
    parse->error_at = error.position;

    return ngx_http_wassiit_fault(parse, "column %d: %s", error.column,
                                  ngx_http_wassiit_record_reason(parse, p,
                                                                 len));
}


/* Why a line is no JSON.  Jansson's own text may quote what is secret. */

static const char *
ngx_http_wassiit_record_reason(ngx_http_wassiit_parse_t *parse, u_char *p,
    size_t len)
{
    size_t  i;

    switch (parse->error) {

    case json_error_duplicate_key:
        return "field given twice";

    case json_error_end_of_input_expected:

        /* error_at is behind what was not expected */

        if (parse->error_at > 0 && parse->error_at <= len
            && p[parse->error_at - 1] == '{')
        {
            return "a second object on this line, each needs a line of its "
                   "own";
        }

        break;

    default:
        break;
    }

    for (i = 0; i < len && (p[i] == ' ' || p[i] == '\t'); i++) { /* void */ }

    if (len - i >= 4 && ngx_strncmp(p + i, "wst_", 4) == 0) {
        return "a key, which never stands in this file: of what \"wassiit "
               "key\" prints, the second line does";
    }

    return "not valid JSON, each line must be one object";
}


static ngx_int_t
ngx_http_wassiit_record_object(ngx_http_wassiit_parse_t *parse, json_t *json,
    ngx_http_wassiit_record_t *rec)
{
    json_t      *value, *id;
    const char  *field;

    if (!json_is_object(json)) {
        return ngx_http_wassiit_fault(parse, "not a JSON object");
    }

    id = json_object_get(json, "id");

    if (id == NULL) {
        return ngx_http_wassiit_fault(parse, "id: missing");
    }

    if (!ngx_http_wassiit_record_text(id, ngx_http_wassiit_record_is_id)) {
        return ngx_http_wassiit_fault(parse, "id: must be a string of 1 to 64 "
                                      "of a-z 0-9 . _ -");
    }

    ngx_http_wassiit_record_copy(parse, id, &rec->id);
    rec->enabled = 1;
    ngx_str_set(&rec->name, "");

    json_object_foreach(json, field, value) {

        if (ngx_strcmp(field, "id") == 0) {
            continue;
        }

        if (ngx_strcmp(field, "name") == 0) {
            if (!ngx_http_wassiit_record_text(value,
                                             ngx_http_wassiit_record_is_name))
            {
                return ngx_http_wassiit_fault(parse, "name: must be a string "
                                              "of 1 to 128 bytes without "
                                              "control characters");
            }

            ngx_http_wassiit_record_copy(parse, value, &rec->name);

        } else if (ngx_strcmp(field, "enabled") == 0) {
            if (!json_is_boolean(value)) {
                return ngx_http_wassiit_fault(parse, "enabled: must be true "
                                              "or false");
            }

            rec->enabled = json_is_true(value);

        } else if (ngx_strcmp(field, "deleted") == 0) {
            if (!json_is_true(value)
                || json_object_size(json)
                   != 2 + (size_t) (json_object_get(json, "rev") != NULL))
            {
                return ngx_http_wassiit_fault(parse, "deleted: must be true, "
                                              "beside an id and its rev "
                                              "alone");
            }

            rec->deleted = 1;

        } else if (ngx_strcmp(field, "rev") == 0) {
            if (ngx_http_wassiit_record_get_rev(json) == 0) {
                return ngx_http_wassiit_fault(parse, "rev: must be an integer "
                                              "from 1 to 2^53 - 1");
            }

            rec->rev = ngx_http_wassiit_record_get_rev(json);

        } else if (ngx_strcmp(field, "scopes") == 0) {
            if (ngx_http_wassiit_record_scopes(parse, value, &rec->scopes)
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
                return ngx_http_wassiit_fault(parse, "rate: must be a string "
                                              "such as \"100r/m\", from 1 to "
                                              "%d, r/s, r/m, r/h or r/d",
                                              NGX_WASSIIT_RATE_MAX);
            }

        } else if (ngx_strcmp(field, "keys") == 0) {
            if (ngx_http_wassiit_record_keys(parse, value, rec) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (ngx_http_wassiit_record_secret(parse, json, field, value,
                                                  rec)
                   != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_record_scopes(ngx_http_wassiit_parse_t *parse, json_t *json,
    uint64_t *scopes)
{
    size_t      i, len;
    u_char     *p;
    json_t     *value;
    uint64_t    scope;
    ngx_str_t   nearest;

    if (!json_is_array(json)) {
        return ngx_http_wassiit_fault(parse, "scopes: must be an array, as "
                                      "[\"messages.send\"]");
    }

    json_array_foreach(json, i, value) {

        if (!json_is_string(value)) {
            return ngx_http_wassiit_fault(parse, "scopes[%uz]: must be a "
                                          "string", i);
        }

        p = (u_char *) json_string_value(value);
        len = json_string_length(value);

        scope = ngx_wassiit_scopes_find(parse->scopes, p, len);

        if (scope == 0) {
            ngx_wassiit_scopes_nearest(parse->scopes, p, len, &nearest);

            return ngx_http_wassiit_fault(parse, "scopes[%uz]: unknown scope "
                                          "\"%s\", the nearest is \"%V\"",
                                          i, p, &nearest);
        }

        *scopes |= scope;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_record_keys(ngx_http_wassiit_parse_t *parse, json_t *json,
    ngx_http_wassiit_record_t *rec)
{
    size_t                   i, n;
    json_t                  *value;
    ngx_http_wassiit_key_t  *keys;

    if (!json_is_array(json)) {
        return ngx_http_wassiit_fault(parse, "keys: must be an array, as "
                                      "[{\"id\":\"k1\",\"sha256\":\"...\"}]");
    }

    if (json_array_size(json) > NGX_HTTP_WASSIIT_KEYS) {
        return ngx_http_wassiit_fault(parse, "keys: %uz of them, the most is "
                                      "%d", json_array_size(json),
                                      NGX_HTTP_WASSIIT_KEYS);
    }

    rec->nkeys = json_array_size(json);

    keys = ngx_http_wassiit_record_alloc(parse, rec->nkeys
                                             * sizeof(ngx_http_wassiit_key_t),
                                       NGX_ALIGNMENT);
    rec->keys = keys;

    json_array_foreach(json, i, value) {

        if (ngx_http_wassiit_record_key(parse, value, i, &keys[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        for (n = 0; n < i; n++) {
            if (keys[n].id.len == keys[i].id.len
                && ngx_memcmp(keys[n].id.data, keys[i].id.data,
                              keys[i].id.len)
                   == 0)
            {
                return ngx_http_wassiit_fault(parse, "keys[%uz].id: \"%V\" is "
                                              "keys[%uz]'s already", i,
                                              &keys[i].id, n);
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_record_key(ngx_http_wassiit_parse_t *parse, json_t *json,
    ngx_uint_t n, ngx_http_wassiit_key_t *key)
{
    u_char       path[sizeof("keys[].") + NGX_INT_T_LEN];
    json_t      *value;
    const char  *field;

    if (!json_is_object(json)) {
        return ngx_http_wassiit_fault(parse, "keys[%ui]: must be an object, "
                                      "as {\"id\":\"k1\",\"sha256\":\"...\"}",
                                      n);
    }

    if (json_object_get(json, "id") == NULL) {
        return ngx_http_wassiit_fault(parse, "keys[%ui].id: missing", n);
    }

    if (json_object_get(json, "key")) {
        return ngx_http_wassiit_fault(parse, "keys[%ui].key: unknown field, "
                                      "the file has the key's SHA-256, as "
                                      "\"sha256\", and never the key", n);
    }

    if (json_object_get(json, "sha256") == NULL) {
        return ngx_http_wassiit_fault(parse, "keys[%ui].sha256: missing", n);
    }

    key->created = INT64_MIN;
    key->expires = INT64_MAX;
    key->made = 0;

    json_object_foreach(json, field, value) {

        if (ngx_strcmp(field, "id") == 0) {
            if (!ngx_http_wassiit_record_text(value,
                                              ngx_http_wassiit_record_is_id))
            {
                return ngx_http_wassiit_fault(parse, "keys[%ui].id: must be a "
                                              "string of 1 to 64 of a-z 0-9 . "
                                              "_ -", n);
            }

            ngx_http_wassiit_record_copy(parse, value, &key->id);

        } else if (ngx_strcmp(field, "sha256") == 0) {
            if (ngx_http_wassiit_record_digest(value, key->digest) != NGX_OK) {
                return ngx_http_wassiit_fault(parse, "keys[%ui].sha256: must "
                                              "be the 64 hex digits of the "
                                              "key's SHA-256, not the key: "
                                              "\"wassiit key\" makes both", n);
            }

        } else if (ngx_strcmp(field, "created") == 0) {
            if (ngx_http_wassiit_record_time(value, &key->created) != NGX_OK) {
                return ngx_http_wassiit_fault(parse, "keys[%ui].created: must "
                                              "be a time such as "
                                              "\"2026-11-01T09:00:00Z\"", n);
            }

        } else if (ngx_strcmp(field, "expires") == 0) {
            if (ngx_http_wassiit_record_time(value, &key->expires) != NGX_OK) {
                return ngx_http_wassiit_fault(parse, "keys[%ui].expires: must "
                                              "be a time such as "
                                              "\"2026-11-01T09:00:00Z\"", n);
            }

        } else {
            ngx_sprintf(path, "keys[%ui].%Z", n);

            return ngx_http_wassiit_record_unknown(parse, (char *) path, field,
                                    NAMES(ngx_http_wassiit_record_key_fields));
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_record_digest(json_t *json, u_char *digest)
{
    u_char         c;
    ngx_uint_t     i, valid, value;
    const char    *p;

    static uint32_t  hex[] = { 0, 0x03ff0000, 0x7e, 0x7e, 0, 0, 0, 0 };

    if (!json_is_string(json)
        || json_string_length(json) != 2 * NGX_WASSIIT_DIGEST_LEN)
    {
        return NGX_ERROR;
    }

    p = json_string_value(json);
    valid = 1;
    value = 0;

    /* without branches, as digits and letters come at random */

    for (i = 0; i < 2 * NGX_WASSIIT_DIGEST_LEN; i++) {
        c = p[i];
        valid &= hex[c >> 5] >> (c & 0x1f);
        value = (value << 4) | ((c & 0xf) + 9 * (c >> 6));
        digest[i / 2] = value;
    }

    return valid ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_wassiit_record_time(json_t *json, int64_t *seconds)
{
    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    return ngx_wassiit_time_parse((u_char *) json_string_value(json),
                                  json_string_length(json), seconds);
}


/* A field that is one of the secrets; any other is at fault. */

static ngx_int_t
ngx_http_wassiit_record_secret(ngx_http_wassiit_parse_t *parse, json_t *json,
    const char *field, json_t *value, ngx_http_wassiit_record_t *rec)
{
    size_t                       size;
    ngx_uint_t                   n;
    ngx_http_wassiit_overlap_t  *overlap;
    ngx_http_wassiit_secrets_t  *secrets;

    enum { FIELD_HMAC = 0, FIELD_WEBHOOK, FIELD_FORMER, FIELD_NEXT, FIELDS };

    static const char  *fields[] = {
        "hmac_secret", "webhook_secret",
        "former_hmac_secret", "next_webhook_secret"
    };

    for (n = 0; n < FIELDS; n++) {
        if (ngx_strcmp(field, fields[n]) == 0) {
            break;
        }
    }

    if (n == FIELDS) {
        return ngx_http_wassiit_record_unknown(parse, "", field,
                                    NAMES(ngx_http_wassiit_record_fields));
    }

    if (n >= FIELD_FORMER
        && json_object_get(json, fields[n - FIELD_FORMER]) == NULL)
    {
        return ngx_http_wassiit_fault(parse, "%s: must be beside %s",
                                      field, fields[n - FIELD_FORMER]);
    }

    if (rec->secrets == NULL) {
        size = sizeof(ngx_http_wassiit_secrets_t);

        if (json_object_get(json, fields[FIELD_FORMER])
            || json_object_get(json, fields[FIELD_NEXT]))
        {
            size += sizeof(ngx_http_wassiit_overlap_t);
        }

        rec->secrets = ngx_http_wassiit_record_alloc(parse, size,
                                                     NGX_ALIGNMENT);
        ngx_memzero(rec->secrets, size);
        parse->secrets = 1;
    }

    secrets = rec->secrets;
    overlap = ngx_http_wassiit_record_overlap(secrets);

    switch (n) {

    case FIELD_HMAC:
        secrets->has_hmac = 1;
        return ngx_http_wassiit_record_hmac_key(parse, value, field, 1,
                                                &secrets->hmac);

    case FIELD_WEBHOOK:
        secrets->has_webhook = 1;
        return ngx_http_wassiit_record_hmac_key(parse, value, field, 0,
                                                &secrets->webhook);

    case FIELD_FORMER:
        secrets->has_former = 1;
        return ngx_http_wassiit_record_second(parse, value, field, 1,
                                              &overlap->former_hmac,
                                              &secrets->former_expires);

    default: /* FIELD_NEXT */
        secrets->has_next = 1;
        return ngx_http_wassiit_record_second(parse, value, field, 0,
                                              &overlap->next_webhook,
                                              &secrets->next_expires);
    }
}


/* A secret of a change-over: an object, with the time that this ends at. */

static ngx_int_t
ngx_http_wassiit_record_second(ngx_http_wassiit_parse_t *parse, json_t *json,
    const char *field, ngx_uint_t base64, ngx_wassiit_hmac_key_t *key,
    int64_t *expires)
{
    u_char       path[32];
    json_t      *value;
    const char  *name;

    if (json_object_get(json, "value") == NULL
        || json_object_get(json, "expires") == NULL)
    {
        return ngx_http_wassiit_fault(parse, "%s: must be an object with value "
                                      "and expires", field);
    }

    json_object_foreach(json, name, value) {

        if (ngx_strcmp(name, "value") == 0) {
            ngx_sprintf(path, "%s.value%Z", field);

            if (ngx_http_wassiit_record_hmac_key(parse, value, (char *) path,
                                                 base64, key)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(name, "expires") == 0) {
            if (ngx_http_wassiit_record_time(value, expires) != NGX_OK) {
                return ngx_http_wassiit_fault(parse, "%s.expires: must be a "
                                              "time such as "
                                              "\"2026-11-01T09:00:00Z\"",
                                              field);
            }

        } else {
            ngx_sprintf(path, "%s.%Z", field);

            return ngx_http_wassiit_record_unknown(parse, (char *) path, name,
                                 NAMES(ngx_http_wassiit_record_second_fields));
        }
    }

    return NGX_OK;
}


/* Makes the key of a secret: base64, or the text itself. */

static ngx_int_t
ngx_http_wassiit_record_hmac_key(ngx_http_wassiit_parse_t *parse,
    json_t *json, const char *field, ngx_uint_t base64,
    ngx_wassiit_hmac_key_t *key)
{
    size_t   len;
    u_char  *text, *secret;
    ssize_t  n;

    text = (u_char *) json_string_value(json);
    len = json_string_length(json);

    if (!base64) {
        if (len == 0) {
            return ngx_http_wassiit_fault(parse, "%s: must be a string that "
                                          "isn't empty", field);
        }

        ngx_wassiit_hmac_key(key, text, len);
        return NGX_OK;
    }

    secret = ngx_http_wassiit_record_alloc(parse,
                                           NGX_WASSIIT_HMAC_DECODED(len), 1);
    n = ngx_wassiit_hmac_decode(secret, text, len);

    if (n != NGX_ERROR) {
        ngx_wassiit_hmac_key(key, secret, n);
    }

    ngx_explicit_memzero(secret, NGX_WASSIIT_HMAC_DECODED(len));

    return (n == NGX_ERROR)
           ? ngx_http_wassiit_fault(parse, "%s: must be a string of base64",
                                    field)
           : NGX_OK;
}


ngx_uint_t
ngx_http_wassiit_record_names(u_char *p, u_char *last, u_char *quoted,
    size_t len)
{
    while ((p = memmem(p, last - p, "\"id\"", 4)) != NULL) {
        p += 4;

        while (p < last && ngx_strchr(" \t:", *p)) {
            p++;
        }

        if ((size_t) (last - p) >= len && ngx_memcmp(p, quoted, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Is it a string of that form? */

static ngx_uint_t
ngx_http_wassiit_record_text(json_t *json,
    ngx_uint_t (*is)(const u_char *p, size_t len))
{
    return json_is_string(json)
           && is((const u_char *) json_string_value(json),
                 json_string_length(json));
}


static void
ngx_http_wassiit_record_copy(ngx_http_wassiit_parse_t *parse, json_t *json,
    ngx_str_t *value)
{
    value->len = json_string_length(json);
    value->data = ngx_http_wassiit_record_alloc(parse, value->len, 1);
    ngx_memcpy(value->data, json_string_value(json), value->len);
}


/* Says so of a field of path, and which of the n names is near. */

static ngx_int_t
ngx_http_wassiit_record_unknown(ngx_http_wassiit_parse_t *parse,
    const char *path, const char *field, const ngx_str_t *names, ngx_uint_t n)
{
    const ngx_str_t  *nearest;

    nearest = ngx_wassiit_nearest((u_char *) field, ngx_strlen(field), names,
                                  n);

    return nearest
           ? ngx_http_wassiit_fault(parse, "%s%s: unknown field, the nearest "
                                    "is \"%V\"", path, field, nearest)
           : ngx_http_wassiit_fault(parse, "%s%s: unknown field", path, field);
}


/* Always returns NGX_ERROR. */

static ngx_int_t
ngx_http_wassiit_fault(ngx_http_wassiit_parse_t *parse,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(parse->fault, parse->fault + sizeof(parse->fault), fmt,
                      args);
    va_end(args);

    parse->fault_len = p - parse->fault;

    /* names from the file are quoted: they must not make lines of the log */

    while (p-- > parse->fault) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }

    return NGX_ERROR;
}
