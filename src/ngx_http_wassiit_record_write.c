
/* A line as JSON: made, changed and written. */


#include "ngx_http_wassiit_record.h"
#include "ngx_wassiit_time.h"


static json_t *ngx_http_wassiit_record_time_text(int64_t seconds);


json_t *
ngx_http_wassiit_record_create(const ngx_str_t *id, json_t *fields)
{
    json_t  *json;

    json = json_object();

    if (json_object_set_new(json, "id",
                            json_stringn((char *) id->data, id->len))
        != 0
        || json_object_update(json, fields) != 0
        || json_object_set_new(json, "keys", json_array()) != 0)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


json_t *
ngx_http_wassiit_record_delete(const ngx_str_t *id)
{
    return json_pack("{s:s%,s:b}", "id", (char *) id->data, id->len,
                     "deleted", 1);
}


json_t *
ngx_http_wassiit_record_load(const u_char *line, size_t len)
{
    json_error_t  error;

    return json_loadb((const char *) line, len, 0, &error);
}


uint64_t
ngx_http_wassiit_record_get_rev(json_t *json)
{
    json_int_t  rev;

    /* of what isn't an integer, or isn't there, it is 0 */
    rev = json_integer_value(json_object_get(json, "rev"));

    return (rev > 0 && (uint64_t) rev <= NGX_HTTP_WASSIIT_REV_MAX) ? rev : 0;
}


ngx_int_t
ngx_http_wassiit_record_set_rev(json_t *json, uint64_t rev)
{
    if (rev == 0) {
        return NGX_OK;
    }

    return json_object_set_new(json, "rev", json_integer(rev)) == 0
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_wassiit_record_update(json_t *json, json_t *fields)
{
    json_t      *value;
    const char  *field;

    json_object_foreach(fields, field, value) {

        if (json_is_null(value)) {
            (void) json_object_del(json, field);

        } else if (json_object_set(json, field, value) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


json_t *
ngx_http_wassiit_record_get_keys(json_t *json)
{
    json_t  *keys;

    keys = json_object_get(json, "keys");

    if (keys) {
        return keys;
    }

    keys = json_array();

    return json_object_set_new(json, "keys", keys) == 0 ? keys : NULL;
}


ngx_int_t
ngx_http_wassiit_record_find_key(json_t *keys, const u_char *id, size_t len)
{
    size_t   i;
    json_t  *key, *value;

    json_array_foreach(keys, i, key) {
        value = json_object_get(key, "id");

        if (json_string_length(value) == len
            && ngx_memcmp(json_string_value(value), id, len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_wassiit_record_add_key(json_t *keys, const u_char *id, size_t len,
    const u_char *digest, int64_t created)
{
    json_t  *key;
    u_char   hex[2 * NGX_WASSIIT_DIGEST_LEN];

    ngx_hex_dump(hex, (u_char *) digest, NGX_WASSIIT_DIGEST_LEN);

    key = json_pack("{s:s%,s:s%,s:o}",
                    "id", (char *) id, len,
                    "sha256", (char *) hex, sizeof(hex),
                    "created", ngx_http_wassiit_record_time_text(created));

    return json_array_append_new(keys, key) == 0 ? NGX_OK : NGX_ERROR;
}


int64_t
ngx_http_wassiit_record_get_expires(json_t *key)
{
    json_t   *value;
    int64_t   expires;

    value = json_object_get(key, "expires");
    expires = INT64_MAX;

    if (value) {
        (void) ngx_wassiit_time_parse((u_char *) json_string_value(value),
                                      json_string_length(value), &expires);
    }

    return expires;
}


ngx_int_t
ngx_http_wassiit_record_set_expires(json_t *key, int64_t seconds)
{
    return json_object_set_new(key, "expires",
                               ngx_http_wassiit_record_time_text(seconds))
           == 0 ? NGX_OK : NGX_ERROR;
}


static json_t *
ngx_http_wassiit_record_time_text(int64_t seconds)
{
    u_char  text[NGX_WASSIIT_TIME_LEN];

    ngx_wassiit_time_format(seconds, text);

    return json_stringn((char *) text, NGX_WASSIIT_TIME_LEN);
}


ngx_int_t
ngx_http_wassiit_record_set_secret(json_t *json,
    ngx_http_wassiit_secret_e secret, const u_char *p, size_t len,
    int64_t expires)
{
    json_t      *former, *next, *made;
    const char  *plain, *second;

    if (secret == NGX_HTTP_WASSIIT_SECRET_HMAC) {
        plain = "hmac_secret";
        second = "former_hmac_secret";
        next = NULL;

    } else {
        plain = "webhook_secret";
        second = "next_webhook_secret";
        next = json_object_get(json_object_get(json, second), "value");
    }

    /* of webhooks, the last former one may be yet to take over */

    former = json_incref(next ? next : json_object_get(json, plain));
    made = json_stringn((char *) p, len);

    (void) json_object_del(json, second);

    if (former == NULL || expires == 0) {
        json_decref(former);
        return json_object_set_new(json, plain, made) == 0 ? NGX_OK
                                                           : NGX_ERROR;
    }

    next = (secret == NGX_HTTP_WASSIIT_SECRET_HMAC) ? former : made;
    made = (secret == NGX_HTTP_WASSIIT_SECRET_HMAC) ? made : former;

    next = json_pack("{s:o,s:o}", "value", next,
                     "expires", ngx_http_wassiit_record_time_text(expires));

    if (json_object_set_new(json, plain, made) != 0) {
        json_decref(next);
        return NGX_ERROR;
    }

    return json_object_set_new(json, second, next) == 0 ? NGX_OK : NGX_ERROR;
}


size_t
ngx_http_wassiit_record_write(json_t *json, u_char *buf, size_t size)
{
    return json_dumpb(json, (char *) buf, size, JSON_COMPACT);
}
