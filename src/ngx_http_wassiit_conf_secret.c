
#include "ngx_http_wassiit_conf_error.h"
#include "ngx_http_wassiit_conf_secret.h"
#include "ngx_http_wassiit_conf_zone.h"
#include "ngx_http_wassiit_secret.h"
#include "ngx_http_wassiit_upstream.h"
#include "ngx_http_wassiit_webhook.h"


static char *ngx_http_wassiit_signer_key(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_str_t *key);
static ngx_uint_t ngx_http_wassiit_is_variable(ngx_conf_t *cf,
    ngx_str_t *name);
static void ngx_http_wassiit_wipe_signer(void *data);
static ngx_http_wassiit_webhook_t *ngx_http_wassiit_webhook_read(
    ngx_conf_t *cf, ngx_command_t *cmd, ngx_uint_t sign);
static char *ngx_http_wassiit_webhook_name(ngx_conf_t *cf, ngx_str_t *name);
static ngx_int_t ngx_http_wassiit_webhook_next(ngx_conf_t *cf,
    ngx_http_wassiit_webhook_t *webhook);
static ngx_int_t ngx_http_wassiit_webhook_partner(ngx_conf_t *cf,
    ngx_http_wassiit_webhook_t *webhook, ngx_str_t *value);


static const char  ngx_http_wassiit_signer_syntax[] =
    "key=STRING secret_file=PATH | off";

static const char  ngx_http_wassiit_verify_syntax[] =
    "secret_file=PATH [header=NAME] | off";

static const char  ngx_http_wassiit_sign_syntax[] =
    "secret_file=PATH [header=NAME] | zone=NAME partner=VALUE [header=NAME] "
    "| off";


char *
ngx_http_wassiit_set_signer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_wassiit_loc_conf_t *wlcf = conf;

    ngx_str_t                  *value, key, file;
    ngx_uint_t                  i, n;
    ngx_pool_cleanup_t         *cln;
    ngx_log_t                  *log;
    ngx_http_wassiit_signer_t  *signer;

    static const ngx_str_t  names[] = {
        ngx_string("key="),
        ngx_string("secret_file=")
    };

    if (ngx_http_wassiit_conf_count(cf, 1, 2, ngx_http_wassiit_signer_syntax)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (wlcf->signer != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        wlcf->signer = NULL;
        return NGX_CONF_OK;
    }

    ngx_str_null(&key);
    ngx_str_null(&file);

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 1; n < i; n++) {
            /* "key=" and "secret_file=" */

            if (ngx_strncmp(value[i].data, value[n].data, 4) == 0) {
                return ngx_http_wassiit_conf_twice(cf, &value[i]);
            }
        }

        if (ngx_strncmp(value[i].data, "key=", 4) == 0 && value[i].len > 4) {
            key.len = value[i].len - 4;
            key.data = value[i].data + 4;
            continue;
        }

        if (ngx_strncmp(value[i].data, "secret_file=", 12) == 0
            && value[i].len > 12)
        {
            file.len = value[i].len - 12;
            file.data = value[i].data + 12;
            continue;
        }

        return ngx_http_wassiit_conf_unknown(cf, &value[i], names, 2,
                                             ngx_http_wassiit_signer_syntax);
    }

    if (key.len == 0 || file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"%s\"",
                           &cmd->name, key.len ? "secret_file" : "key");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_wassiit_signer_key(cf, cmd, &key) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    log = ngx_http_wassiit_conf_log(cf, "wassiit_upstream_hmac",
                                    cf->conf_file->file.name.data,
                                    cf->conf_file->line);
    signer = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_signer_t));
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (log == NULL || signer == NULL || cln == NULL) {
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_wassiit_wipe_signer;
    cln->data = signer;

    signer->key = key;

    if (ngx_http_wassiit_secret(&file, ngx_http_wassiit_user(cf->cycle),
                                &signer->secret, log)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    wlcf->signer = signer;

    return NGX_CONF_OK;
}


/* A "$" is taken as it stands, unless the operator seems to mean a variable. */

static char *
ngx_http_wassiit_signer_key(ngx_conf_t *cf, ngx_command_t *cmd, ngx_str_t *key)
{
    size_t      i, end;
    ngx_str_t   name;
    ngx_uint_t  braces;

    for (i = 0; i < key->len; i++) {
        if (key->data[i] < 0x20 || key->data[i] > 0x7e) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the key of \"%V\" has a character that no "
                               "header can hold", &cmd->name);
            return NGX_CONF_ERROR;
        }
    }

    for (i = 0; i < key->len; i++) {

        if (key->data[i] != '$') {
            continue;
        }

        braces = (i + 1 < key->len && key->data[i + 1] == '{');
        end = i + 1 + braces;
        name.data = key->data + end;

        while (end < key->len
               && (isalnum(key->data[end]) || key->data[end] == '_'))
        {
            end++;
        }

        name.len = key->data + end - name.data;

        if (braces && (end == key->len || key->data[end] != '}')) {
            continue;
        }

        if (ngx_http_wassiit_is_variable(cf, &name)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "the key of \"%V\" can't have variables: "
                               "\"$%V\" would be sent as it stands, write the "
                               "key itself", &cmd->name, &name);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* Does nginx know the variable by now, by its name or by a prefix ("http_")? */

static ngx_uint_t
ngx_http_wassiit_is_variable(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_uint_t                  i;
    ngx_hash_key_t             *known;
    ngx_http_variable_t        *prefix;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    known = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        if (known[i].key.len == name->len
            && ngx_strncasecmp(known[i].key.data, name->data, name->len) == 0)
        {
            return 1;
        }
    }

    prefix = cmcf->prefix_variables.elts;

    for (i = 0; i < cmcf->prefix_variables.nelts; i++) {
        if (prefix[i].name.len <= name->len
            && ngx_strncasecmp(prefix[i].name.data, name->data,
                               prefix[i].name.len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_wassiit_wipe_signer(void *data)
{
    ngx_http_wassiit_signer_t  *signer = data;

    ngx_explicit_memzero(&signer->secret, sizeof(ngx_wassiit_hmac_key_t));
}


char *
ngx_http_wassiit_set_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                    *value;
    ngx_uint_t                    sign;
    ngx_http_wassiit_webhook_t  **webhook;

    webhook = (void *) ((u_char *) conf + cmd->offset);
    sign = (cmd->offset == offsetof(ngx_http_wassiit_loc_conf_t, sign));

    if (ngx_http_wassiit_conf_count(cf, 1, sign ? 3 : 2,
                                    sign ? ngx_http_wassiit_sign_syntax
                                         : ngx_http_wassiit_verify_syntax)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (*webhook != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        *webhook = NULL;
        return NGX_CONF_OK;
    }

    *webhook = ngx_http_wassiit_webhook_read(cf, cmd, sign);

    return *webhook ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_http_wassiit_webhook_t *
ngx_http_wassiit_webhook_read(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_uint_t sign)
{
    ngx_str_t                     *value, s[4];
    ngx_log_t                     *log;
    ngx_uint_t                     i, n;
    ngx_http_wassiit_webhook_t    *webhook;
    ngx_http_wassiit_main_conf_t  *wmcf;

    enum { SECRET_FILE = 0, HEADER, ZONE, PARTNER };

    static const ngx_str_t  names[] = {
        ngx_string("secret_file="),
        ngx_string("header="),
        ngx_string("zone="),
        ngx_string("partner=")
    };

    ngx_memzero(s, sizeof(s));
    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        for (n = 0; n < (sign ? 4 : 2); n++) {
            if (value[i].len > names[n].len
                && ngx_strncmp(value[i].data, names[n].data, names[n].len)
                   == 0)
            {
                break;
            }
        }

        if (n == (sign ? 4 : 2)) {
            (void) ngx_http_wassiit_conf_unknown(cf, &value[i], names,
                                        sign ? 4 : 2,
                                        sign ? ngx_http_wassiit_sign_syntax
                                             : ngx_http_wassiit_verify_syntax);
            return NULL;
        }

        if (s[n].data) {
            (void) ngx_http_wassiit_conf_twice(cf, &value[i]);
            return NULL;
        }

        s[n].data = value[i].data + names[n].len;
        s[n].len = value[i].len - names[n].len;
    }

    if (s[SECRET_FILE].len && (s[ZONE].len || s[PARTNER].len)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" takes either \"secret_file\" or \"zone\" "
                           "and \"partner\"", &cmd->name);
        return NULL;
    }

    if (s[SECRET_FILE].len == 0 && (s[ZONE].len == 0 || s[PARTNER].len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must have the parameter \"%s\"",
                           &cmd->name,
                           s[ZONE].len ? "partner"
                                       : s[PARTNER].len ? "zone"
                                                        : "secret_file");
        return NULL;
    }

    webhook = ngx_pcalloc(cf->pool, sizeof(ngx_http_wassiit_webhook_t));
    if (webhook == NULL) {
        return NULL;
    }

    if (s[HEADER].len == 0) {
        ngx_str_set(&s[HEADER], "X-WASSIIT-Signature");
    }

    webhook->header = s[HEADER];
    webhook->lowcase.len = s[HEADER].len;
    webhook->lowcase.data = ngx_pnalloc(cf->pool, s[HEADER].len);

    if (webhook->lowcase.data == NULL
        || ngx_http_wassiit_webhook_name(cf, &webhook->header) != NGX_CONF_OK)
    {
        return NULL;
    }

    ngx_strlow(webhook->lowcase.data, webhook->header.data,
               webhook->header.len);

    if (sign && ngx_http_wassiit_webhook_next(cf, webhook) != NGX_OK) {
        return NULL;
    }

    if (s[ZONE].len) {
        wmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_wassiit_module);

        webhook->zone = ngx_http_wassiit_get_zone(cf, wmcf, &s[ZONE]);

        return (webhook->zone
                && ngx_http_wassiit_webhook_partner(cf, webhook, &s[PARTNER])
                   == NGX_OK)
               ? webhook : NULL;
    }

    if (ngx_conf_full_name(cf->cycle, &s[SECRET_FILE], 1) != NGX_OK) {
        return NULL;
    }

    log = ngx_http_wassiit_conf_log(cf, (char *) cmd->name.data,
                                    cf->conf_file->file.name.data,
                                    cf->conf_file->line);
    if (log == NULL) {
        return NULL;
    }

    webhook->keys = ngx_http_wassiit_secrets(&s[SECRET_FILE],
                                             ngx_http_wassiit_user(cf->cycle),
                                             cf->pool, log);

    return webhook->keys ? webhook : NULL;
}


/* A header's name: a token (RFC 9110, section 5.1), and not one of HTTP's. */

static char *
ngx_http_wassiit_webhook_name(ngx_conf_t *cf, ngx_str_t *name)
{
    size_t        i;
    ngx_uint_t    n;

    static const char  *taken[] = {
        "connection", "content-length", "content-type", "expect", "host",
        "te", "trailer", "transfer-encoding", "upgrade"
    };

    for (i = 0; i < name->len; i++) {
        if (!isalnum(name->data[i])
            && ngx_strchr("!#$%&'*+-.^_`|~", name->data[i]) == NULL)
        {
            break;
        }
    }

    if (i == name->len && i <= 128) {

        for (n = 0; n < sizeof(taken) / sizeof(taken[0]); n++) {
            if (ngx_strcasecmp(name->data, (u_char *) taken[n]) == 0) {
                break;
            }
        }

        if (n == sizeof(taken) / sizeof(taken[0])) {
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"%V\" can't be the header of a signature: its name "
                       "has letters, digits and \"-\", 128 at most, and is "
                       "none of HTTP's own", name);

    return NGX_CONF_ERROR;
}


/* The header of a secret that is to take another's place. */

static ngx_int_t
ngx_http_wassiit_webhook_next(ngx_conf_t *cf,
    ngx_http_wassiit_webhook_t *webhook)
{
    size_t   len;
    u_char  *p;

    len = webhook->header.len + sizeof("-Next") - 1;

    p = ngx_pnalloc(cf->pool, 2 * len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    webhook->next_header.len = len;
    webhook->next_header.data = p;
    webhook->next_lowcase.len = len;
    webhook->next_lowcase.data = p + len;

    ngx_sprintf(p, "%V-Next", &webhook->header);
    ngx_strlow(p + len, p, len);

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_webhook_partner(ngx_conf_t *cf,
    ngx_http_wassiit_webhook_t *webhook, ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    webhook->partner = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (webhook->partner == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = webhook->partner;

    return ngx_http_compile_complex_value(&ccv);
}
