
#include "ngx_http_wassiit_admin_page.h"
#include "ngx_http_wassiit_admin_json.h"
#include "ngx_http_wassiit_admin_send.h"
#include "ngx_http_wassiit_args.h"


#define PAGE_SIZE               100     /* partners, if not told */
#define PAGE_SIZE_MAX           1000

/*
 * Partners that one request looks at: some 3 ms of a worker, as each may be in
 * memory that no cache has.
 */
#define PAGE_LOOKS              20000

#define PAGE_TEXT_MAX           128     /* bytes of q */


typedef struct {
    ngx_http_request_t             *r;
    json_t                         *partners;
    ngx_str_t                       after;
    ngx_str_t                       text;       /* folded; or empty */
    ngx_uint_t                      left;       /* how many may still come */
    ngx_uint_t                      enabled;    /* these alone */
    ngx_uint_t                      disabled;   /* ... */
    size_t                          last_len;
    u_char                          last[NGX_HTTP_WASSIIT_ID_LEN];
    u_char                          first[2];   /* of text: what folds to it */
    u_char                          folded[PAGE_TEXT_MAX];
    u_char                          again[PAGE_TEXT_MAX];
                                                /* where i + 1 bytes fit and the
                                                   next doesn't: how many of
                                                   them may still begin text */
} ngx_http_wassiit_page_t;


static ngx_int_t ngx_http_wassiit_page_limit(void *data, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_after(void *data, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_text(void *data, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_state(void *data, ngx_str_t *value);
static ngx_int_t ngx_http_wassiit_page_visit(ngx_http_wassiit_info_t *info,
    void *data);
static ngx_uint_t ngx_http_wassiit_page_contains(
    const ngx_http_wassiit_page_t *page, const u_char *text, size_t len);
static ngx_inline u_char ngx_http_wassiit_page_fold(const u_char *text,
    size_t i);


static const ngx_http_wassiit_arg_t  ngx_http_wassiit_page_known[] = {

    { ngx_string("limit"), ngx_http_wassiit_page_limit,
      "a number from 1 to 1000", 1 },

    { ngx_string("after"), ngx_http_wassiit_page_after,
      "a partner's id: 1 to 64 of a-z 0-9 . _ -", 1 },

    { ngx_string("q"), ngx_http_wassiit_page_text,
      "1 to 128 bytes that an id or a name contains", 1 },

    { ngx_string("state"), ngx_http_wassiit_page_state,
      "enabled or disabled", 1 },

    { ngx_null_string, NULL, NULL, 0 }
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

    rc = ngx_http_wassiit_args_read(r, ngx_http_wassiit_page_known,
                                    "limit, after, q and state", &page);

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


static ngx_int_t
ngx_http_wassiit_page_limit(void *data, ngx_str_t *value)
{
    ngx_http_wassiit_page_t *page = data;

    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > PAGE_SIZE_MAX) {
        return NGX_DECLINED;
    }

    page->left = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_page_after(void *data, ngx_str_t *value)
{
    ngx_http_wassiit_page_t *page = data;

    page->after = *value;

    return ngx_http_wassiit_record_is_id(value->data, value->len)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_wassiit_page_text(void *data, ngx_str_t *value)
{
    ngx_http_wassiit_page_t *page = data;

    size_t  i, n;

    if (value->len == 0 || value->len > PAGE_TEXT_MAX) {
        return NGX_DECLINED;
    }

    for (i = 0; i < value->len; i++) {
        page->folded[i] = ngx_http_wassiit_page_fold(value->data, i);
    }

    for (i = 1, n = 0; i < value->len; i++) {

        while (n && page->folded[i] != page->folded[n]) {
            n = page->again[n - 1];
        }

        n += (page->folded[i] == page->folded[n]);
        page->again[i] = n;
    }

    page->text.data = page->folded;
    page->text.len = value->len;

    /* all that is folded gets this bit, and nothing else changes */

    page->first[0] = page->folded[0];
    page->first[1] = page->folded[0] & ~0x20;

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_page_state(void *data, ngx_str_t *value)
{
    ngx_http_wassiit_page_t *page = data;

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

    ngx_str_t                     id;
    ngx_http_wassiit_info_t       shown;
    ngx_http_wassiit_loc_conf_t  *wlcf;

    page->last_len = info->id_len;
    ngx_memcpy(page->last, info->id, info->id_len);

    if ((page->enabled && !info->enabled) || (page->disabled && info->enabled)
        || !(ngx_http_wassiit_page_contains(page, info->id, info->id_len)
             || ngx_http_wassiit_page_contains(page, info->name,
                                               info->name_len)))
    {
        return NGX_OK;
    }

    wlcf = ngx_http_get_module_loc_conf(page->r, ngx_http_wassiit_module);

    id.len = info->id_len;
    id.data = info->id;

    /* with its keys, which tell when it asked last */

    if (ngx_http_wassiit_zone_get_untagged(wlcf->admin, &id, &shown)
        != NGX_OK)
    {
        /* it has gone meanwhile */
        return NGX_OK;
    }

    (void) json_array_append_new(page->partners,
                   ngx_http_wassiit_admin_json_partner(page->r, &shown, 0));

    page->left--;

    return page->left ? NGX_OK : NGX_DONE;
}


/*
 * Knuth, Morris and Pratt's: names with much of what is looked for don't hold
 * the worker longer than others.
 */

static ngx_uint_t
ngx_http_wassiit_page_contains(const ngx_http_wassiit_page_t *page,
    const u_char *text, size_t len)
{
    size_t  i, n;
    u_char  c;

    if (page->text.len == 0) {
        return 1;
    }

    for (i = 0, n = 0; i < len; i++) {

        if (n == 0 && text[i] != page->first[0] && text[i] != page->first[1]) {
            continue;
        }

        c = ngx_http_wassiit_page_fold(text, i);

        while (n && c != page->folded[n]) {
            n = page->again[n - 1];
        }

        n += (c == page->folded[n]);

        if (n == page->text.len) {
            return 1;
        }
    }

    return 0;
}


/*
 * A byte of text in lower case.  In UTF-8: the capitals of ASCII, and of
 * Latin-1's second half (U+00C0 .. DE, less the multiplication sign), as names
 * in French have them.
 */

static ngx_inline u_char
ngx_http_wassiit_page_fold(const u_char *text, size_t i)
{
    if (text[i] >= 'A' && text[i] <= 'Z') {
        return text[i] | 0x20;
    }

    if (text[i] >= 0x80 && text[i] <= 0x9e && text[i] != 0x97
        && i && text[i - 1] == 0xc3)
    {
        return text[i] | 0x20;
    }

    return text[i];
}
