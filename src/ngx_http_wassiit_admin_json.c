
#include "ngx_http_wassiit_admin_json.h"
#include "ngx_http_wassiit_audit.h"
#include "ngx_http_wassiit_decision.h"
#include "ngx_http_wassiit_json.h"
#include "ngx_http_wassiit_limit.h"
#include "ngx_wassiit_rules.h"
#include "ngx_wassiit_time.h"


/* how long former keys and secrets live on, if it isn't told */
#define ADMIN_GRACE             "24h"

/* the longest that former keys and secrets may live on, seconds */
#define ADMIN_GRACE_MAX         (3650 * 86400)


static ngx_int_t ngx_http_wassiit_admin_fields(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, json_t *body, json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_field(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, const char *field, json_t *value,
    json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_scopes(ngx_http_request_t *r,
    json_t *value, json_t **errors);
static ngx_int_t ngx_http_wassiit_admin_id(ngx_http_wassiit_change_t *change,
    json_t *body, ngx_pool_t *pool, json_t **errors);
static ngx_uint_t ngx_http_wassiit_admin_has_grace(
    ngx_http_wassiit_change_t *change);
static ngx_int_t ngx_http_wassiit_admin_grace(
    ngx_http_wassiit_change_t *change, json_t *value, json_t **errors);
static json_t *ngx_http_wassiit_admin_refusal(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info);
static ngx_int_t ngx_libc_cdecl ngx_http_wassiit_admin_key_order(
    const void *one, const void *two);
static int64_t ngx_http_wassiit_admin_last_used(
    ngx_http_wassiit_info_t *info);
static json_t *ngx_http_wassiit_admin_counts(ngx_http_wassiit_info_t *info);
static json_t *ngx_http_wassiit_admin_key(ngx_http_wassiit_key_info_t *key);
static json_t *ngx_http_wassiit_admin_time(int64_t seconds, int64_t none);
static json_t *ngx_http_wassiit_admin_until(int64_t seconds);
static json_t *ngx_http_wassiit_admin_rate(ngx_wassiit_rate_t *rate);


off_t
ngx_http_wassiit_admin_json_size(ngx_http_request_t *r)
{
    off_t         size;
    ngx_chain_t  *cl;

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    return size;
}


ngx_int_t
ngx_http_wassiit_admin_json_read(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, ngx_pool_t *pool, json_t **errors)
{
    off_t        size;
    json_t      *body;
    ngx_int_t    rc;
    ngx_uint_t   needed;

    if (r->method == NGX_HTTP_DELETE) {
        return NGX_OK;
    }

    size = ngx_http_wassiit_admin_json_size(r);

    needed = (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE
              || change->what == NGX_HTTP_WASSIIT_CHANGE_PATCH);

    if (!needed && size == 0) {
        body = json_object();

        if (body == NULL) {
            return NGX_ERROR;
        }

    } else if (ngx_http_wassiit_json_value(r, &body, errors) != NGX_OK) {
        return NGX_ERROR;
    }

    if (body == NULL) {
        return NGX_OK;
    }

    if (!json_is_object(body)) {
        rc = ngx_wassiit_rules_fault(errors, "#", "must be an object", NULL,
                                     0);
        json_decref(body);
        return rc;
    }

    rc = ngx_http_wassiit_admin_fields(r, change, body, errors);

    if (rc == NGX_OK && change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE) {
        rc = ngx_http_wassiit_admin_id(change, body, pool, errors);
    }

    if (rc == NGX_OK && *errors == NULL) {
        ngx_http_wassiit_audit_change(r, body);
    }

    if (rc == NGX_OK && needed) {
        /* it goes with the line */
        (void) json_object_del(body, "id");
        change->fields = json_incref(body);
    }

    json_decref(body);

    return rc;
}


static ngx_int_t
ngx_http_wassiit_admin_fields(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, json_t *body, json_t **errors)
{
    json_t      *value;
    ngx_int_t    rc;
    const char  *field;

    if (ngx_http_wassiit_admin_has_grace(change)
        && json_object_get(body, "grace") == NULL
        && json_object_set_new(body, "grace", json_string(ADMIN_GRACE)) != 0)
    {
        return NGX_ERROR;
    }

    json_object_foreach(body, field, value) {
        rc = ngx_http_wassiit_admin_field(r, change, field, value, errors);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_admin_field(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change, const char *field, json_t *value,
    json_t **errors)
{
    size_t                len;
    ngx_uint_t            create, patch;
    const u_char         *p;
    ngx_wassiit_rate_t    rate;
    char                  pointer[1 + NGX_WASSIIT_POINTER];

    create = (change->what == NGX_HTTP_WASSIIT_CHANGE_CREATE);
    patch = (change->what == NGX_HTTP_WASSIIT_CHANGE_PATCH);

    p = (const u_char *) json_string_value(value);
    len = json_string_length(value);

    if (create && ngx_strcmp(field, "id") == 0) {
        return NGX_OK;
    }

    if (patch && json_is_null(value)
        && (ngx_strcmp(field, "name") == 0 || ngx_strcmp(field, "rate") == 0))
    {
        /* it has none of its own from then on */
        return NGX_OK;
    }

    if ((create || patch) && ngx_strcmp(field, "name") == 0) {
        return (p && ngx_http_wassiit_record_is_name(p, len))
               ? NGX_OK
               : ngx_wassiit_rules_fault(errors, "#/name",
                                         "must be a string of 1 to 128 bytes "
                                         "without control characters", NULL,
                                         0);
    }

    if ((create || patch) && ngx_strcmp(field, "scopes") == 0) {
        return ngx_http_wassiit_admin_scopes(r, value, errors);
    }

    if ((create || patch) && ngx_strcmp(field, "rate") == 0) {
        return (p && ngx_wassiit_rate_parse(p, len, &rate) == NGX_OK)
               ? NGX_OK
               : ngx_wassiit_rules_fault(errors, "#/rate",
                                         "must be a string such as "
                                         "\"100r/m\": 1 to 1000000, and r/s, "
                                         "r/m, r/h or r/d", p, len);
    }

    if (patch && ngx_strcmp(field, "enabled") == 0) {
        return json_is_boolean(value)
               ? NGX_OK
               : ngx_wassiit_rules_fault(errors, "#/enabled",
                                         "must be true or false", p, len);
    }

    if (ngx_http_wassiit_admin_has_grace(change)
        && ngx_strcmp(field, "grace") == 0)
    {
        return ngx_http_wassiit_admin_grace(change, value, errors);
    }

    pointer[0] = '#';
    ngx_wassiit_rules_pointer(&pointer[1], field);

    return ngx_wassiit_rules_fault(errors, pointer,
                                   create
                                   ? "is no field of this request: id, name, "
                                     "scopes and rate are"
                                   : patch
                                   ? "is no field of this request: name, "
                                     "scopes, rate and enabled are"
                                   : ngx_http_wassiit_admin_has_grace(change)
                                   ? "is no field of this request: grace is"
                                   : "is no field of this request: it has "
                                     "none", NULL, 0);
}


static ngx_int_t
ngx_http_wassiit_admin_scopes(ngx_http_request_t *r, json_t *value,
    json_t **errors)
{
    size_t                         i, n;
    u_char                         pointer[64], detail[128];
    json_t                        *scope;
    uint64_t                       set, bit;
    ngx_int_t                      rc;
    ngx_str_t                      nearest;
    const u_char                  *p;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    if (!json_is_array(value)) {
        return ngx_wassiit_rules_fault(errors, "#/scopes", "must be an array "
                                       "of scopes", NULL, 0);
    }

    set = 0;
    n = 0;

    json_array_foreach(value, i, scope) {

        n++;
        p = (const u_char *) json_string_value(scope);
        bit = p ? ngx_wassiit_scopes_find(&wmcf->scopes, p,
                                          json_string_length(scope)) : 0;
        if (bit & set) {
            /* once is enough */
            (void) json_array_remove(value, i--);
            continue;
        }

        if (bit) {
            set |= bit;
            continue;
        }

        ngx_sprintf(pointer, "#/scopes/%uz%Z", n - 1);

        if (p) {
            ngx_wassiit_scopes_nearest(&wmcf->scopes, p,
                                       json_string_length(scope), &nearest);
            ngx_sprintf(detail, "must be a scope that is declared, such as "
                        "\"%V\"%Z", &nearest);

        } else {
            ngx_sprintf(detail, "must be a string%Z");
        }

        rc = ngx_wassiit_rules_fault(errors, (char *) pointer,
                                     (char *) detail, p,
                                     json_string_length(scope));
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_admin_id(ngx_http_wassiit_change_t *change, json_t *body,
    ngx_pool_t *pool, json_t **errors)
{
    json_t     *value;
    ngx_str_t   id;

    value = json_object_get(body, "id");

    if (value == NULL) {
        return ngx_wassiit_rules_fault(errors, "#/id", "is missing", NULL, 0);
    }

    id.data = (u_char *) json_string_value(value);
    id.len = json_string_length(value);

    if (id.data == NULL || !ngx_http_wassiit_record_is_id(id.data, id.len)) {
        return ngx_wassiit_rules_fault(errors, "#/id", "must be a string of 1 "
                                       "to 64 of a-z 0-9 . _ -", id.data,
                                       id.len);
    }

    if ((id.len == 1 || (id.len == 2 && id.data[1] == '.'))
        && id.data[0] == '.')
    {
        return ngx_wassiit_rules_fault(errors, "#/id", "must be one that a "
                                       "path can name", id.data, id.len);
    }

    change->id.len = id.len;
    change->id.data = ngx_pstrdup(pool, &id);

    return change->id.data ? NGX_OK : NGX_ERROR;
}


/* Does what it takes the place of live on for a while? */

static ngx_uint_t
ngx_http_wassiit_admin_has_grace(ngx_http_wassiit_change_t *change)
{
    return change->what == NGX_HTTP_WASSIIT_CHANGE_ROTATE
           || change->what == NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET
           || change->what == NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET;
}


static ngx_int_t
ngx_http_wassiit_admin_grace(ngx_http_wassiit_change_t *change, json_t *value,
    json_t **errors)
{
    ngx_str_t  text;

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    change->grace = text.len ? ngx_parse_time(&text, 1) : NGX_ERROR;

    /* "24" would be seconds, and was hardly meant so */

    if (change->grace == (time_t) NGX_ERROR
        || change->grace > ADMIN_GRACE_MAX
        || (change->grace && isdigit(text.data[text.len - 1])))
    {
        return ngx_wassiit_rules_fault(errors, "#/grace",
                                       "must be a time with its unit, such as "
                                       "\"24h\" or \"30m\", or \"0\" for at "
                                       "once; ten years at most",
                                       text.data, text.len);
    }

    return NGX_OK;
}


json_t *
ngx_http_wassiit_admin_json_made(ngx_http_request_t *r,
    ngx_http_wassiit_change_t *change)
{
    json_t                       *json, *made;
    int64_t                       former;
    ngx_uint_t                    i;
    ngx_http_wassiit_info_t      *info;
    ngx_http_wassiit_key_info_t  *key;

    info = &change->info;
    made = json_stringn((char *) change->made.data, change->made.len);

    switch (change->what) {

    case NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET:
        return json_pack("{s:o,s:o}", "hmac_secret", made, "former_expires",
                         ngx_http_wassiit_admin_time(info->former_expires,
                                                     INT64_MIN));

    case NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET:
        return json_pack("{s:o,s:o}", "webhook_secret", made, "former_expires",
                         ngx_http_wassiit_admin_time(info->next_expires,
                                                     INT64_MIN));

    case NGX_HTTP_WASSIIT_CHANGE_PATCH:
        json_decref(made);
        return ngx_http_wassiit_admin_json_partner(r, info, 1);

    case NGX_HTTP_WASSIIT_CHANGE_CREATE:
        json = ngx_http_wassiit_admin_json_partner(r, info, 1);
        break;

    default:
        json = NULL;
        former = INT64_MIN;

        for (i = 0; i < info->nkeys; i++) {
            key = &info->keys[i];

            if (key->id_len == NGX_HTTP_WASSIIT_MADE_ID
                && ngx_memcmp(key->id, change->made_id,
                              NGX_HTTP_WASSIIT_MADE_ID)
                   == 0)
            {
                json = ngx_http_wassiit_admin_key(key);

            } else {
                former = ngx_max(former, key->expires);
            }
        }

        if (change->what == NGX_HTTP_WASSIIT_CHANGE_ROTATE
            && json_object_set_new(json, "former_expires",
                                   ngx_http_wassiit_admin_until(former))
               != 0)
        {
            json_decref(json);
            json = NULL;
        }
    }

    if (json_object_set_new(json, "key", made) != 0) {
        json_decref(json);
        return NULL;
    }

    return json;
}


json_t *
ngx_http_wassiit_admin_json_partner(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info, ngx_uint_t full)
{
    json_t                        *json, *scopes, *keys, *window;
    int64_t                        last_used;
    uint64_t                       set;
    ngx_str_t                      name;
    ngx_uint_t                     i;
    ngx_wassiit_usage_t           *usage;
    ngx_http_wassiit_main_conf_t  *wmcf;

    wmcf = ngx_http_get_module_main_conf(r, ngx_http_wassiit_module);

    scopes = json_array();

    for (set = info->scopes & wmcf->scopes.declared; set; /* void */) {
        ngx_wassiit_scopes_next(&wmcf->scopes, &set, &name);
        (void) json_array_append_new(scopes, json_stringn((char *) name.data,
                                                          name.len));
    }

    json = json_pack("{s:s%,s:o,s:b,s:o,s:o}",
                     "id", (char *) info->id, (size_t) info->id_len,
                     "name", info->name_len
                             ? json_stringn((char *) info->name,
                                            info->name_len)
                             : json_null(),
                     "enabled", (int) info->enabled,
                     "scopes", scopes,
                     "rate", ngx_http_wassiit_admin_rate(&info->rate));

    if (json == NULL) {
        return NULL;
    }

    if (!full) {
        last_used = ngx_http_wassiit_admin_last_used(info);

        if (json_object_set_new(json, "last_used",
                                ngx_http_wassiit_admin_time(last_used, 0))
            != 0)
        {
            json_decref(json);
            return NULL;
        }

        return json;
    }

    keys = json_array();

    ngx_sort(info->keys, info->nkeys, sizeof(ngx_http_wassiit_key_info_t),
             ngx_http_wassiit_admin_key_order);

    for (i = 0; i < info->nkeys; i++) {
        (void) json_array_append_new(keys,
                                 ngx_http_wassiit_admin_key(&info->keys[i]));
    }

    usage = &info->usage;

    window = json_pack("{s:I,s:I,s:I,s:I,s:I}",
                       "limit", (json_int_t) usage->limit,
                       "seconds", (json_int_t) usage->seconds,
                       "used", (json_int_t) usage->used,
                       "remaining", (json_int_t) usage->remaining,
                       "reset", (json_int_t) ngx_http_wassiit_reset(usage));

    if (json_object_set_new(json, "keys", keys) != 0
        || json_object_set_new(json, "has_hmac_secret",
                               json_boolean(info->hmac))
           != 0
        || json_object_set_new(json, "former_hmac_secret_expires",
                           ngx_http_wassiit_admin_until(info->former_expires))
           != 0
        || json_object_set_new(json, "has_webhook_secret",
                               json_boolean(info->webhook))
           != 0
        || json_object_set_new(json, "former_webhook_secret_expires",
                             ngx_http_wassiit_admin_until(info->next_expires))
           != 0
        || json_object_set_new(json, "window", window) != 0
        || json_object_set_new(json, "counts",
                               ngx_http_wassiit_admin_counts(info))
           != 0
        || json_object_set_new(json, "last_refusal",
                               ngx_http_wassiit_admin_refusal(r, info))
           != 0)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}


/* When one of the partner's keys was last used, Unix seconds; 0: none was. */

static int64_t
ngx_http_wassiit_admin_last_used(ngx_http_wassiit_info_t *info)
{
    int64_t     last;
    ngx_uint_t  i;

    last = 0;

    for (i = 0; i < info->nkeys; i++) {
        last = ngx_max(last, info->keys[i].last_used);
    }

    return last;
}


/* All that is counted, in the table's order, zeros too: NULL: no memory. */

static json_t *
ngx_http_wassiit_admin_counts(ngx_http_wassiit_info_t *info)
{
    json_t           *counts;
    ngx_uint_t        i, counter;
    const ngx_str_t  *code;

    counts = json_object();

    for (i = 0; i < NGX_HTTP_WASSIIT_DECISIONS; i++) {
        counter = ngx_http_wassiit_verdicts[i].counter;

        if (counter == NGX_HTTP_WASSIIT_COUNTS) {
            continue;
        }

        code = ngx_http_wassiit_code(i);

        if (json_object_set_new(counts, (char *) code->data,
                                json_integer(info->counts[counter]))
            != 0)
        {
            json_decref(counts);
            return NULL;
        }
    }

    return counts;
}


/* Why it was refused last; null: nothing is known of that. */

static json_t *
ngx_http_wassiit_admin_refusal(ngx_http_request_t *r,
    ngx_http_wassiit_info_t *info)
{
    json_t                       *about, *instance;
    u_char                        hex[2 * NGX_HTTP_WASSIIT_BOARD_INSTANCE];
    ngx_http_wassiit_refusal_t    refusal;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    if (ngx_http_wassiit_board_last(&wlcf->admin->board, info->id,
                                    info->id_len, info->generation, &refusal)
        != NGX_OK
        || refusal.decision >= NGX_HTTP_WASSIIT_DECISIONS)
    {
        return json_null();
    }

    ngx_hex_dump(hex, refusal.instance, NGX_HTTP_WASSIIT_BOARD_INSTANCE);

    instance = refusal.has_instance
               ? json_stringn((char *) hex, sizeof(hex)) : json_null();

    about = refusal.about_len
            ? json_stringn((char *) refusal.about, refusal.about_len)
            : json_null();

    return json_pack("{s:s,s:o,s:o,s:I,s:o}",
                     "code", ngx_http_wassiit_code(refusal.decision)->data,
                     "about", about,
                     "time", ngx_http_wassiit_admin_time(refusal.time / 1000,
                                                         0),
                     "count", (json_int_t) refusal.count,
                     "instance", instance);
}


/* The oldest first. */

static ngx_int_t ngx_libc_cdecl
ngx_http_wassiit_admin_key_order(const void *one, const void *two)
{
    const ngx_http_wassiit_key_info_t  *a = one;
    const ngx_http_wassiit_key_info_t  *b = two;

    return a->created > b->created;
}


static json_t *
ngx_http_wassiit_admin_key(ngx_http_wassiit_key_info_t *key)
{
    return json_pack("{s:s%,s:o,s:o,s:o}",
                     "id", (char *) key->id, (size_t) key->id_len,
                     "created", ngx_http_wassiit_admin_time(key->created,
                                                            INT64_MIN),
                     "expires", ngx_http_wassiit_admin_time(key->expires,
                                                            INT64_MAX),
                     "last_used", ngx_http_wassiit_admin_time(key->last_used,
                                                              0));
}


static json_t *
ngx_http_wassiit_admin_time(int64_t seconds, int64_t none)
{
    u_char  text[NGX_WASSIIT_TIME_LEN];

    if (seconds == none) {
        return json_null();
    }

    ngx_wassiit_time_format(seconds, text);

    return json_stringn((char *) text, NGX_WASSIIT_TIME_LEN);
}


/* When a change-over ends, if it isn't over. */

static json_t *
ngx_http_wassiit_admin_until(int64_t seconds)
{
    return (seconds > ngx_time())
           ? ngx_http_wassiit_admin_time(seconds, INT64_MIN) : json_null();
}


static json_t *
ngx_http_wassiit_admin_rate(ngx_wassiit_rate_t *rate)
{
    u_char  *p, text[NGX_INT32_LEN + sizeof("r/m")];

    p = ngx_sprintf(text, "%uDr/%c", rate->limit,
                    rate->seconds == 1 ? 's' : rate->seconds == 60 ? 'm'
                    : rate->seconds == 3600 ? 'h' : 'd');

    return json_stringn((char *) text, p - text);
}
