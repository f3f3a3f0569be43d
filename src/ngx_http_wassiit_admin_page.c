
#include "ngx_http_wassiit_admin_page.h"
#include "ngx_http_wassiit_admin_json.h"
#include "ngx_http_wassiit_admin_send.h"


#define PAGE_SIZE               100     /* partners, if not told */
#define PAGE_SIZE_MAX           1000

#define PAGE_LOOKS              20000   /* partners that one request looks at */

#define PAGE_TEXT_MAX           128     /* bytes of q */
#define PAGE_NAME_MAX           64      /* ... of a name that is told */


typedef struct {
    ngx_http_request_t             *r;
    json_t                         *partners;
    ngx_str_t                       after;
    ngx_str_t                       text;       /* in lower case; or empty */
    ngx_uint_t                      left;       /* how many may still come */
    ngx_uint_t                      enabled;    /* these alone */
    ngx_uint_t                      disabled;   /* ... */
    ngx_uint_t                      given;      /* bits of the arguments */
    size_t                          last_len;
    u_char                          last[NGX_HTTP_WASSIIT_ID_LEN];
    u_char                          lowcase[PAGE_TEXT_MAX];
} ngx_http_wassiit_page_t;


typedef struct {
    ngx_str_t                       name;
    ngx_int_t                     (*set)(ngx_http_wassiit_page_t *page,
                                        ngx_str_t *value);
    const char                     *must;       /* what its value must be */
} ngx_http_wassiit_argument_t;


static ngx_int_t ngx_http_wassiit_page_arguments(
    ngx_http_wassiit_page_t *page);
static void ngx_http_wassiit_page_decode(ngx_str_t *value, u_char *src,
    u_char *end);
static ngx_int_t ngx_http_wassiit_page_argument(ngx_http_wassiit_page_t *page,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_unknown(ngx_http_request_t *r,
    ngx_str_t *name);
static ngx_int_t ngx_http_wassiit_page_limit(ngx_http_wassiit_page_t *page,
    ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_after(ngx_http_wassiit_page_t *page,
    ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_text(ngx_http_wassiit_page_t *page,
    ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_state(ngx_http_wassiit_page_t *page,
    ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_visit(ngx_http_wassiit_info_t *info,
    void *data);
static ngx_uint_t ngx_http_wassiit_page_contains(
    ngx_http_wassiit_page_t *page, u_char *text, size_t len);
static void ngx_http_wassiit_page_lowcase(u_char *dst, const u_char *src,
    size_t len);


static const ngx_http_wassiit_argument_t  ngx_http_wassiit_page_known[] = {

    { ngx_string("limit"), ngx_http_wassiit_page_limit,
      "a number from 1 to 1000" },

    { ngx_string("after"), ngx_http_wassiit_page_after,
      "a partner's id: 1 to 64 of a-z 0-9 . _ -" },

    { ngx_string("q"), ngx_http_wassiit_page_text,
      "1 to 128 bytes that an id or a name contains" },

    { ngx_string("state"), ngx_http_wassiit_page_state,
      "enabled or disabled" },

    { ngx_null_string, NULL, NULL }
};


ngx_int_t
ngx_http_wassiit_admin_page(ngx_http_request_t *r)
{
    json_t                       *json, *next;
    ngx_int_t                     rc;
    ngx_uint_t                    more;
    ngx_http_wassiit_page_t       page;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    wlcf = ngx_http_get_module_loc_conf(r, ngx_http_wassiit_module);

    ngx_memzero(&page, sizeof(ngx_http_wassiit_page_t));
    page.r = r;
    page.left = PAGE_SIZE;
    ngx_str_set(&page.after, "");

    rc = ngx_http_wassiit_page_arguments(&page);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    ngx_http_wassiit_admin_begin();

    page.partners = json_array();

    more = ngx_http_wassiit_zone_walk(wlcf->admin, &page.after, PAGE_LOOKS,
                                      ngx_http_wassiit_page_visit, &page);

    next = more ? json_stringn((char *) page.last, page.last_len)
                : json_null();

    json = json_pack("{s:o,s:o}", "partners", page.partners, "next", next);

    return ngx_http_wassiit_admin_send(r, NGX_HTTP_OK, json);
}


/* Returns NGX_DECLINED: they are right; else what a content handler does. */

static ngx_int_t
ngx_http_wassiit_page_arguments(ngx_http_wassiit_page_t *page)
{
    u_char     *p, *end, *last, *eq, *src;
    ngx_int_t   rc;
    ngx_str_t   name, value;

    if (page->r->args.len == 0) {
        return NGX_DECLINED;
    }

    p = page->r->args.data;
    last = p + page->r->args.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '&');
        end = end ? end : last;

        if (end == p) {
            continue;
        }

        eq = ngx_strlchr(p, end, '=');
        eq = eq ? eq : end;

        name.data = p;
        name.len = eq - p;

        src = (eq == end) ? end : eq + 1;
        value.data = ngx_pnalloc(page->r->pool, end - src + 1);

        if (value.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_http_wassiit_page_decode(&value, src, end);

        rc = ngx_http_wassiit_page_argument(page, &name, &value);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


/* Forms and URLSearchParams write a blank as "+". */

static void
ngx_http_wassiit_page_decode(ngx_str_t *value, u_char *src, u_char *end)
{
    size_t   i, len;
    u_char  *p, *dst;

    len = end - src;
    p = value->data;
    dst = value->data;

    for (i = 0; i < len; i++) {
        p[i] = (src[i] == '+') ? ' ' : src[i];
    }

    ngx_unescape_uri(&dst, &p, len, 0);

    value->len = dst - value->data;
}


static ngx_int_t
ngx_http_wassiit_page_argument(ngx_http_wassiit_page_t *page, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_uint_t                          i;
    const ngx_http_wassiit_argument_t  *known;

    known = ngx_http_wassiit_page_known;

    for (i = 0; known[i].set; i++) {
        if (known[i].name.len == name->len
            && ngx_strncmp(known[i].name.data, name->data, name->len) == 0)
        {
            break;
        }
    }

    if (known[i].set == NULL) {
        return ngx_http_wassiit_page_unknown(page->r, name);
    }

    if (page->given & (1 << i)) {
        return ngx_http_wassiit_admin_error(page->r, NGX_HTTP_BAD_REQUEST,
                                            "The argument %V stands twice.",
                                            &known[i].name);
    }

    page->given |= 1 << i;

    if (known[i].set(page, value) != NGX_OK) {
        return ngx_http_wassiit_admin_error(page->r, NGX_HTTP_BAD_REQUEST,
                                            "The argument %V must be %s.",
                                            &known[i].name, known[i].must);
    }

    return NGX_DECLINED;
}


/* It is told, if it is what a name of one may be. */

static ngx_int_t
ngx_http_wassiit_page_unknown(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t  i, plain;

    plain = (name->len <= PAGE_NAME_MAX);

    for (i = 0; plain && i < name->len; i++) {
        plain = (name->data[i] == '_'
                 || (name->data[i] >= '0' && name->data[i] <= '9')
                 || ((name->data[i] | 0x20) >= 'a'
                     && (name->data[i] | 0x20) <= 'z'));
    }

    if (name->len == 0 || !plain) {
        ngx_str_set(name, "of that name");
    }

    return ngx_http_wassiit_admin_error(r, NGX_HTTP_BAD_REQUEST,
                                        "There is no argument %V: limit, "
                                        "after, q and state are.", name);
}


static ngx_int_t
ngx_http_wassiit_page_limit(ngx_http_wassiit_page_t *page, ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > PAGE_SIZE_MAX) {
        return NGX_DECLINED;
    }

    page->left = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_page_after(ngx_http_wassiit_page_t *page, ngx_str_t *value)
{
    page->after = *value;

    return ngx_http_wassiit_record_is_id(value->data, value->len)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_wassiit_page_text(ngx_http_wassiit_page_t *page, ngx_str_t *value)
{
    if (value->len == 0 || value->len > PAGE_TEXT_MAX) {
        return NGX_DECLINED;
    }

    ngx_http_wassiit_page_lowcase(page->lowcase, value->data, value->len);

    page->text.data = page->lowcase;
    page->text.len = value->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_page_state(ngx_http_wassiit_page_t *page, ngx_str_t *value)
{
    page->enabled = (value->len == sizeof("enabled") - 1
                     && ngx_strncmp(value->data, "enabled", value->len) == 0);
    page->disabled = (value->len == sizeof("disabled") - 1
                      && ngx_strncmp(value->data, "disabled", value->len)
                         == 0);

    return (page->enabled || page->disabled) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_wassiit_page_visit(ngx_http_wassiit_info_t *info, void *data)
{
    ngx_http_wassiit_page_t *page = data;

    page->last_len = info->id_len;
    ngx_memcpy(page->last, info->id, info->id_len);

    if ((page->enabled && !info->enabled) || (page->disabled && info->enabled)
        || !(ngx_http_wassiit_page_contains(page, info->id, info->id_len)
             || ngx_http_wassiit_page_contains(page, info->name,
                                               info->name_len)))
    {
        return NGX_OK;
    }

    (void) json_array_append_new(page->partners,
                      ngx_http_wassiit_admin_json_partner(page->r, info, 0));

    page->left--;

    return page->left ? NGX_OK : NGX_DONE;
}


static ngx_uint_t
ngx_http_wassiit_page_contains(ngx_http_wassiit_page_t *page, u_char *text,
    size_t len)
{
    u_char  lowcase[NGX_HTTP_WASSIIT_NAME_LEN];

    if (page->text.len == 0) {
        return 1;
    }

    ngx_http_wassiit_page_lowcase(lowcase, text, len);

    return memmem(lowcase, len, page->text.data, page->text.len) != NULL;
}


/*
 * In UTF-8: the capitals of ASCII, and of Latin-1's second half (U+00C0 .. DE,
 * less the multiplication sign), as names in French have them.
 */

static void
ngx_http_wassiit_page_lowcase(u_char *dst, const u_char *src, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        dst[i] = (src[i] >= 'A' && src[i] <= 'Z') ? src[i] | 0x20 : src[i];

        if (i && src[i - 1] == 0xc3 && src[i] >= 0x80 && src[i] <= 0x9e
            && src[i] != 0x97)
        {
            dst[i] = src[i] | 0x20;
        }
    }
}
