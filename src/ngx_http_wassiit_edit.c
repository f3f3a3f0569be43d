
#include "ngx_http_wassiit_edit.h"


static json_t *ngx_http_wassiit_edit_delete(
    ngx_http_wassiit_change_t *change, u_char *line, size_t former);
static ngx_http_wassiit_changed_e ngx_http_wassiit_edit_served(
    ngx_http_wassiit_change_t *change, ngx_http_wassiit_changed_e not);
static ngx_http_wassiit_changed_e ngx_http_wassiit_edit_object(
    ngx_http_wassiit_change_t *change, json_t *json);
static ngx_http_wassiit_changed_e ngx_http_wassiit_edit_keys(
    ngx_http_wassiit_change_t *change, json_t *json);
static ngx_http_wassiit_changed_e ngx_http_wassiit_edit_add_key(
    ngx_http_wassiit_change_t *change, json_t *keys);
static void ngx_http_wassiit_edit_drop_expired(json_t *keys, time_t now);
static ngx_http_wassiit_changed_e ngx_http_wassiit_edit_secret(
    ngx_http_wassiit_change_t *change, json_t *json);


ngx_http_wassiit_changed_e
ngx_http_wassiit_edit(ngx_http_wassiit_change_t *change, u_char *line,
    size_t former, u_char *text, size_t *len)
{
    json_t                      *json;
    ngx_http_wassiit_changed_e   changed;

    if (former == 0 && change->what == NGX_HTTP_WASSIIT_CHANGE_DELETE) {
        changed = ngx_http_wassiit_edit_served(change,
                                          NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER);
        if (changed != NGX_HTTP_WASSIIT_CHANGED) {
            return changed;
        }
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE) {
        if (former) {
            return NGX_HTTP_WASSIIT_CHANGE_TAKEN;
        }

        json = ngx_http_wassiit_record_create(&change->id, change->fields);

    } else if (change->what == NGX_HTTP_WASSIIT_CHANGE_DELETE) {
        json = ngx_http_wassiit_edit_delete(change, line, former);

    } else if (former == 0) {
        return NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER;

    } else {
        json = ngx_http_wassiit_record_load(line, former);
    }

    changed = json ? ngx_http_wassiit_edit_object(change, json)
                   : NGX_HTTP_WASSIIT_CHANGE_FAILED;

    if (changed == NGX_HTTP_WASSIIT_CHANGED) {
        *len = ngx_http_wassiit_record_write(json, text,
                                             NGX_HTTP_WASSIIT_LINE);

        if (*len == 0 || *len >= NGX_HTTP_WASSIIT_LINE) {
            /* the former was written by hand, and is almost as long */
            *len = ngx_min(*len, NGX_HTTP_WASSIIT_LINE);
            changed = NGX_HTTP_WASSIIT_CHANGE_BAD_LINE;
        }
    }

    json_decref(json);

    return changed;
}


void
ngx_http_wassiit_edit_draft(ngx_http_wassiit_draft_t *draft, json_t *json)
{
    draft->len = 0;

    if (json && draft->rev <= NGX_HTTP_WASSIIT_REV_MAX
        && ngx_http_wassiit_record_set_rev(json, draft->rev) == NGX_OK)
    {
        draft->len = ngx_http_wassiit_record_write(json, draft->text,
                                                   NGX_HTTP_WASSIIT_LINE);
    }

    json_decref(json);
}


/* What says so keeps the rev of the former line. */

static json_t *
ngx_http_wassiit_edit_delete(ngx_http_wassiit_change_t *change, u_char *line,
    size_t former)
{
    json_t    *json, *was;
    uint64_t   rev;

    rev = 0;

    if (former) {
        was = ngx_http_wassiit_record_load(line, former);

        if (was == NULL) {
            return NULL;
        }

        rev = ngx_http_wassiit_record_get_rev(was);
        json_decref(was);
    }

    json = ngx_http_wassiit_record_delete(&change->id);

    if (json && ngx_http_wassiit_record_set_rev(json, rev) != NGX_OK) {
        json_decref(json);
        return NULL;
    }

    return json;
}


/*
 * Is the partner, or the key to revoke, still served, though the file has it
 * no more?  Someone took it out by hand, and whoever revokes it means it.
 * Returns CHANGED, or what the answer is if it isn't; CHANGE_BUSY: it can't be
 * seen now.
 */

static ngx_http_wassiit_changed_e
ngx_http_wassiit_edit_served(ngx_http_wassiit_change_t *change,
    ngx_http_wassiit_changed_e not)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_wassiit_key_info_t  *key;

    rc = ngx_http_wassiit_zone_get_locked(change->zone, &change->id,
                                          &change->info);

    if (rc != NGX_OK) {
        return (rc == NGX_ERROR) ? NGX_HTTP_WASSIIT_CHANGE_BUSY : not;
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_DELETE) {
        return NGX_HTTP_WASSIIT_CHANGED;
    }

    for (i = 0; i < change->info.nkeys; i++) {
        key = &change->info.keys[i];

        if (key->id_len == change->key_id.len
            && ngx_memcmp(key->id, change->key_id.data, key->id_len) == 0)
        {
            return NGX_HTTP_WASSIIT_CHANGED;
        }
    }

    return not;
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_edit_object(ngx_http_wassiit_change_t *change, json_t *json)
{
    switch (change->what) {

    case NGX_HTTP_WASSIIT_CHANGE_DELETE:
        return NGX_HTTP_WASSIIT_CHANGED;

    case NGX_HTTP_WASSIIT_CHANGE_PATCH:
        return ngx_http_wassiit_record_update(json, change->fields) == NGX_OK
               ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;

    case NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET:
    case NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET:
        return ngx_http_wassiit_edit_secret(change, json);

    default:
        return ngx_http_wassiit_edit_keys(change, json);
    }
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_edit_keys(ngx_http_wassiit_change_t *change, json_t *json)
{
    size_t      i;
    json_t     *keys, *key;
    int64_t     expires;
    ngx_int_t   n;

    keys = ngx_http_wassiit_record_get_keys(json);

    if (keys == NULL) {
        return NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_REVOKE) {
        n = ngx_http_wassiit_record_find_key(keys, change->key_id.data,
                                             change->key_id.len);
        if (n == NGX_ERROR) {
            return ngx_http_wassiit_edit_served(change,
                                              NGX_HTTP_WASSIIT_CHANGE_NO_KEY);
        }

        return json_array_remove(keys, n) == 0
               ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;
    }

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_ROTATE) {

        if (change->grace == 0) {
            /* an expired key would work again if the clock is stepped back */
            (void) json_array_clear(keys);
        }

        expires = change->now + change->grace;

        json_array_foreach(keys, i, key) {
            if (ngx_http_wassiit_record_get_expires(key) > expires
                && ngx_http_wassiit_record_set_expires(key, expires) != NGX_OK)
            {
                return NGX_HTTP_WASSIIT_CHANGE_FAILED;
            }
        }
    }

    return ngx_http_wassiit_edit_add_key(change, keys);
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_edit_add_key(ngx_http_wassiit_change_t *change, json_t *keys)
{
    u_char  *id, digest[NGX_WASSIIT_DIGEST_LEN];

    if (json_array_size(keys) >= NGX_HTTP_WASSIIT_KEYS) {
        ngx_http_wassiit_edit_drop_expired(keys, change->now);
    }

    if (json_array_size(keys) >= NGX_HTTP_WASSIIT_KEYS) {
        return NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS;
    }

    /* whoever finds a key can tell its id, and no id comes twice */

    id = change->made_id;

    do {
        if (ngx_wassiit_key_make(change->made_data) != NGX_OK) {
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }

        ngx_wassiit_key_digest(change->made_data, NGX_WASSIIT_KEY_LEN, digest);

        id[0] = 'k';
        ngx_hex_dump(&id[1], digest, (NGX_HTTP_WASSIIT_MADE_ID - 1) / 2);

    } while (ngx_http_wassiit_record_find_key(keys, id,
                                              NGX_HTTP_WASSIIT_MADE_ID)
             != NGX_ERROR);

    change->made.data = change->made_data;
    change->made.len = NGX_WASSIIT_KEY_LEN;

    /* created a second ago, for the workers whose clocks are behind */

    return ngx_http_wassiit_record_add_key(keys, id, NGX_HTTP_WASSIIT_MADE_ID,
                                           digest, change->now - 1)
           == NGX_OK
           ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;
}


/* Makes room for one more key, if one has expired: the one that did first. */

static void
ngx_http_wassiit_edit_drop_expired(json_t *keys, time_t now)
{
    size_t    i, first;
    json_t   *key;
    int64_t   expires, least;

    least = INT64_MAX;
    first = 0;

    json_array_foreach(keys, i, key) {
        expires = ngx_http_wassiit_record_get_expires(key);

        if (expires < least) {
            least = expires;
            first = i;
        }
    }

    if (least <= now) {
        (void) json_array_remove(keys, first);
    }
}


static ngx_http_wassiit_changed_e
ngx_http_wassiit_edit_secret(ngx_http_wassiit_change_t *change, json_t *json)
{
    u_char                     random[NGX_WASSIIT_HMAC_LEN];
    int64_t                    expires;
    ngx_http_wassiit_secret_e  secret;

    change->made.data = change->made_data;

    if (change->what == NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET) {
        secret = NGX_HTTP_WASSIIT_SECRET_HMAC;
        change->made.len = NGX_WASSIIT_HMAC_BASE64;

        /* printable, so that a shell can hand on what it has decoded */

        if (ngx_wassiit_key_random(random, sizeof(random)) != NGX_OK) {
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }

        ngx_wassiit_hmac_base64(change->made_data, random);
        ngx_explicit_memzero(random, sizeof(random));

    } else {
        secret = NGX_HTTP_WASSIIT_SECRET_WEBHOOK;
        change->made.len = NGX_HTTP_WASSIIT_MADE_LEN;

        if (ngx_wassiit_key_random(change->made_data, change->made.len)
            != NGX_OK)
        {
            return NGX_HTTP_WASSIIT_CHANGE_FAILED;
        }
    }

    /* at once: a former one in the file would revive by a clock set back */
    expires = change->grace ? change->now + change->grace : 0;

    return ngx_http_wassiit_record_set_secret(json, secret, change->made.data,
                                              change->made.len, expires)
           == NGX_OK
           ? NGX_HTTP_WASSIIT_CHANGED : NGX_HTTP_WASSIIT_CHANGE_FAILED;
}
