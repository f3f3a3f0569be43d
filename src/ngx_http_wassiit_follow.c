
#include "ngx_http_wassiit_follow.h"


#define FOLLOW_TIMEOUT      5000        /* of a call, milliseconds */

/* lines of a page of the log: the longest ones, sealed, are a reply still */
#define FOLLOW_PAGE         10

/* partners of a page of the hash, where lines are short, and at the least */
#define FOLLOW_MOST         500
#define FOLLOW_LEAST        5


/* a line that is to be made here */

typedef struct {
    ngx_str_t                   id;
    uint64_t                    rev;
    ngx_str_t                   line;
    ngx_str_t                   at;     /* in the log; empty: of the hash */
} ngx_http_wassiit_follow_line_t;


static ngx_int_t ngx_http_wassiit_follow_log(
    ngx_http_wassiit_follow_t *follow);
static ngx_int_t ngx_http_wassiit_follow_last(
    ngx_http_wassiit_follow_t *follow);
static ngx_int_t ngx_http_wassiit_follow_scan(
    ngx_http_wassiit_follow_t *follow);
static ngx_int_t ngx_http_wassiit_follow_ask(ngx_http_wassiit_follow_t *follow,
    const char *key, ngx_str_t *args, ngx_uint_t nargs,
    ngx_http_wassiit_redis_pt handler);
static void ngx_http_wassiit_follow_log_read(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_follow_last_read(ngx_wassiit_resp_t *reply,
    void *data);
static void ngx_http_wassiit_follow_scan_read(ngx_wassiit_resp_t *reply,
    void *data);
static ngx_int_t ngx_http_wassiit_follow_entry(ngx_wassiit_resp_t *resp,
    ngx_http_wassiit_follow_line_t *line);
static ngx_uint_t ngx_http_wassiit_follow_is_entry(const ngx_str_t *at);
static ngx_int_t ngx_http_wassiit_follow_add(ngx_http_wassiit_follow_t *follow,
    ngx_http_wassiit_follow_line_t *line);
static ngx_uint_t ngx_http_wassiit_follow_wants(
    ngx_http_wassiit_follow_t *follow, ngx_http_wassiit_follow_line_t *line);
static void ngx_http_wassiit_follow_next(ngx_http_wassiit_follow_t *follow);
static ngx_int_t ngx_http_wassiit_follow_make(
    ngx_http_wassiit_follow_t *follow, ngx_http_wassiit_follow_line_t *line);
static void ngx_http_wassiit_follow_move(ngx_http_wassiit_follow_t *follow,
    u_char *at, size_t len);
static void ngx_http_wassiit_follow_made(ngx_http_wassiit_follow_t *follow);
static void ngx_http_wassiit_follow_done(ngx_http_wassiit_job_t *job,
    void *data);
static void ngx_http_wassiit_follow_end(ngx_http_wassiit_follow_t *follow,
    ngx_int_t rc);
static void ngx_http_wassiit_follow_drop(ngx_http_wassiit_follow_t *follow);


ngx_int_t
ngx_http_wassiit_follow_read(ngx_http_wassiit_follow_t *follow)
{
    if (follow->page) {
        /* what has come since the page was read isn't in it */
        follow->more = 1;
        return NGX_OK;
    }

    if (!follow->held) {
        ngx_memcpy(follow->from, follow->cursor, follow->cursor_len);
        follow->from_len = follow->cursor_len;
    }

    return follow->from_len ? ngx_http_wassiit_follow_log(follow)
                            : ngx_http_wassiit_follow_last(follow);
}


ngx_int_t
ngx_http_wassiit_follow_again(ngx_http_wassiit_follow_t *follow)
{
    if (follow->page == NULL) {
        follow->held = 0;
    }

    return ngx_http_wassiit_follow_read(follow);
}


/* From the last entry on that was read: it is there if nothing is lost. */

static ngx_int_t
ngx_http_wassiit_follow_log(ngx_http_wassiit_follow_t *follow)
{
    u_char     count[NGX_INT_T_LEN];
    ngx_str_t  args[6];

    ngx_str_set(&args[0], "XRANGE");
    args[2].data = follow->from;
    args[2].len = follow->from_len;
    ngx_str_set(&args[3], "+");
    ngx_str_set(&args[4], "COUNT");
    args[5].data = count;
    args[5].len = ngx_sprintf(count, "%d", FOLLOW_PAGE + 1) - count;

    return ngx_http_wassiit_follow_ask(follow, "log", args, 6,
                                       ngx_http_wassiit_follow_log_read);
}


static void
ngx_http_wassiit_follow_log_read(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_follow_t *follow = data;

    ngx_uint_t                      i, n, compared;
    ngx_wassiit_resp_t              entry;
    ngx_http_wassiit_follow_line_t  line;

    compared = follow->compared;
    follow->compared = 0;

    if (reply == NULL || reply->type != NGX_WASSIIT_RESP_ARRAY) {
        ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        return;
    }

    n = reply->count;

    for (i = 0; i < n; i++) {
        (void) (i ? ngx_wassiit_resp_skip(reply)
                  : ngx_wassiit_resp_next(reply));
        entry = *reply;

        if (ngx_http_wassiit_follow_entry(&entry, &line) != NGX_OK) {

            if (line.at.len == 0) {
                ngx_http_wassiit_follow_end(follow, NGX_ERROR);
                return;
            }

            if (i) {
                ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                              "the log of wassiit_zone \"%V\" in Redis has an "
                              "entry that is none, it is passed over",
                              &follow->zone->name);
            }

            /* no partner's */
            ngx_str_set(&line.id, "");
            ngx_str_set(&line.line, "");
        }

        if (i == 0) {
            if (line.at.len != follow->from_len
                || ngx_memcmp(line.at.data, follow->from, line.at.len) != 0)
            {
                break;
            }

            continue;
        }

        if (ngx_http_wassiit_follow_add(follow, &line) != NGX_OK) {
            ngx_http_wassiit_follow_end(follow, NGX_ERROR);
            return;
        }
    }

    if (n == 0 && compared) {
        /* nothing has come since, though it lacks that entry */
        ngx_http_wassiit_follow_end(follow,
                                    follow->held ? NGX_DECLINED : NGX_OK);
        return;
    }

    if (i == 0) {
        /* the log isn't what it was: all partners are compared */
        follow->cursor_len = 0;
        follow->from_len = 0;

        if (compared) {
            /* once more, but not at once */
            ngx_http_wassiit_follow_end(follow, NGX_ERROR);
            return;
        }

        if (ngx_http_wassiit_follow_last(follow) != NGX_OK) {
            ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        }

        return;
    }

    follow->more |= (n > FOLLOW_PAGE);
    ngx_http_wassiit_follow_next(follow);
}


/*
 * Before all partners are read: what the hash has of them then is of this entry
 * or of a later one.
 */

static ngx_int_t
ngx_http_wassiit_follow_last(ngx_http_wassiit_follow_t *follow)
{
    ngx_str_t  args[3];

    ngx_str_set(&args[0], "HGET");
    ngx_str_set(&args[2], "log");

    return ngx_http_wassiit_follow_ask(follow, "c", args, 3,
                                       ngx_http_wassiit_follow_last_read);
}


static void
ngx_http_wassiit_follow_last_read(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_follow_t *follow = data;

    if (reply == NULL || reply->type == NGX_WASSIIT_RESP_ERROR
        || (reply->text.len
            && !ngx_http_wassiit_follow_is_entry(&reply->text)))
    {
        ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        return;
    }

    /* an empty log has no cursor: all are compared once more then */

    follow->end_len = reply->text.len;

    if (follow->end_len) {
        ngx_memcpy(follow->end, reply->text.data, follow->end_len);
    }

    follow->scan_len = 1;
    follow->scan[0] = '0';

    if (ngx_http_wassiit_follow_scan(follow) != NGX_OK) {
        ngx_http_wassiit_follow_end(follow, NGX_ERROR);
    }
}


/* The next page of the hash. */

static ngx_int_t
ngx_http_wassiit_follow_scan(ngx_http_wassiit_follow_t *follow)
{
    u_char     count[NGX_INT_T_LEN];
    ngx_str_t  args[5];

    if (follow->count == 0) {
        follow->count = FOLLOW_MOST;
    }

    ngx_str_set(&args[0], "HSCAN");
    args[2].data = follow->scan;
    args[2].len = follow->scan_len;
    ngx_str_set(&args[3], "COUNT");
    args[4].data = count;
    args[4].len = ngx_sprintf(count, "%ui", follow->count) - count;

    return ngx_http_wassiit_follow_ask(follow, "p", args, 5,
                                       ngx_http_wassiit_follow_scan_read);
}


/* Begins a page, with a call for a key of the zone, which is its args[1]. */

static ngx_int_t
ngx_http_wassiit_follow_ask(ngx_http_wassiit_follow_t *follow,
    const char *key, ngx_str_t *args, ngx_uint_t nargs,
    ngx_http_wassiit_redis_pt handler)
{
    if (follow->page) {
        ngx_http_wassiit_follow_drop(follow);
    }

    follow->at = 0;
    follow->more = 0;
    follow->page = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    if (follow->page == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_array_init(&follow->lines, follow->page, 16,
                       sizeof(ngx_http_wassiit_follow_line_t))
        != NGX_OK)
    {
        ngx_destroy_pool(follow->page);
        follow->page = NULL;
        return NGX_DECLINED;
    }

    ngx_http_wassiit_follow_key(follow->zone, follow->page, key, &args[1]);

    if (args[1].data == NULL
        || ngx_http_wassiit_redis_call(follow->redis, args, nargs,
                                       FOLLOW_TIMEOUT, handler, follow)
           != NGX_OK)
    {
        ngx_http_wassiit_follow_drop(follow);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_follow_scan_read(ngx_wassiit_resp_t *reply, void *data)
{
    ngx_http_wassiit_follow_t *follow = data;

    size_t                          len;
    u_char                          id[NGX_HTTP_WASSIIT_ID_LEN];
    ngx_str_t                       value;
    ngx_uint_t                      n;
    ngx_http_wassiit_follow_line_t  line;

    if (reply == NULL) {
        /* perhaps it was longer than a reply may be */
        follow->count = ngx_max(follow->count / 4, FOLLOW_LEAST);
    }

    if (reply == NULL || reply->type != NGX_WASSIIT_RESP_ARRAY
        || ngx_wassiit_resp_next(reply) != NGX_OK
        || reply->text.len == 0 || reply->text.len > sizeof(follow->scan))
    {
        ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        return;
    }

    follow->scan_len = reply->text.len;
    ngx_memcpy(follow->scan, reply->text.data, reply->text.len);

    if (ngx_wassiit_resp_next(reply) != NGX_OK
        || reply->type != NGX_WASSIIT_RESP_ARRAY)
    {
        ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        return;
    }

    for (n = reply->count / 2; n; n--) {

        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            break;
        }

        line.id = reply->text;

        if (ngx_wassiit_resp_next(reply) != NGX_OK) {
            break;
        }

        value = reply->text;
        line.at.len = 0;

        if (ngx_http_wassiit_follow_value(&value, &line.rev, &line.line)
            != NGX_OK)
        {
            len = ngx_wassiit_resp_print(&line.id, id, sizeof(id));

            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "what Redis has of partner \"%*s\" of wassiit_zone "
                          "\"%V\" is no line", len, id, &follow->zone->name);
            continue;
        }

        if (ngx_http_wassiit_follow_wants(follow, &line)
            && ngx_http_wassiit_follow_add(follow, &line) != NGX_OK)
        {
            break;
        }
    }

    if (n) {
        ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        return;
    }

    ngx_http_wassiit_follow_next(follow);
}


/* An entry of the log, whose texts it keeps; line->at is known, or empty. */

static ngx_int_t
ngx_http_wassiit_follow_entry(ngx_wassiit_resp_t *resp,
    ngx_http_wassiit_follow_line_t *line)
{
    int64_t     rev;
    ngx_uint_t  n;

    ngx_memzero(line, sizeof(ngx_http_wassiit_follow_line_t));
    rev = 0;

    if (resp->type != NGX_WASSIIT_RESP_ARRAY || resp->count != 2
        || ngx_wassiit_resp_next(resp) != NGX_OK
        || !ngx_http_wassiit_follow_is_entry(&resp->text))
    {
        return NGX_ERROR;
    }

    line->at = resp->text;

    if (ngx_wassiit_resp_next(resp) != NGX_OK
        || resp->type != NGX_WASSIIT_RESP_ARRAY)
    {
        return NGX_ERROR;
    }

    for (n = resp->count / 2; n; n--) {

        if (ngx_wassiit_resp_next(resp) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_wassiit_resp_is(resp, "id")) {
            (void) ngx_wassiit_resp_next(resp);
            line->id = resp->text;

        } else if (ngx_wassiit_resp_is(resp, "rev")) {
            (void) ngx_wassiit_resp_next(resp);
            (void) ngx_wassiit_resp_number(resp, &rev);

        } else if (ngx_wassiit_resp_is(resp, "line")) {
            (void) ngx_wassiit_resp_next(resp);
            line->line = resp->text;

        } else {
            (void) ngx_wassiit_resp_next(resp);
        }
    }

    line->rev = rev;

    return (line->at.len && line->id.len && rev > 0 && line->line.len)
           ? NGX_OK : NGX_ERROR;
}


/* "N-N": Redis takes nothing else for one when it is asked by it. */

static ngx_uint_t
ngx_http_wassiit_follow_is_entry(const ngx_str_t *at)
{
    size_t      i;
    ngx_uint_t  dashes;

    if (at->len == 0 || at->len > NGX_HTTP_WASSIIT_CURSOR_LEN) {
        return 0;
    }

    for (i = 0, dashes = 0; i < at->len; i++) {

        if (at->data[i] == '-') {
            dashes++;

        } else if (at->data[i] < '0' || at->data[i] > '9') {
            return 0;
        }
    }

    return dashes == 1 && at->data[0] != '-' && at->data[i - 1] != '-';
}


/* Copies a line to the page: the answer goes before it is made. */

static ngx_int_t
ngx_http_wassiit_follow_add(ngx_http_wassiit_follow_t *follow,
    ngx_http_wassiit_follow_line_t *line)
{
    ngx_http_wassiit_follow_line_t  *to;

    to = ngx_array_push(&follow->lines);
    if (to == NULL) {
        return NGX_ERROR;
    }

    *to = *line;
    to->id.data = ngx_pstrdup(follow->page, &line->id);
    to->line.data = ngx_pstrdup(follow->page, &line->line);
    to->at.data = line->at.len ? ngx_pstrdup(follow->page, &line->at) : NULL;

    if (to->id.data == NULL || to->line.data == NULL
        || (line->at.len && to->at.data == NULL))
    {
        follow->lines.nelts--;
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Is the line newer than the partner's? */

static ngx_uint_t
ngx_http_wassiit_follow_wants(ngx_http_wassiit_follow_t *follow,
    ngx_http_wassiit_follow_line_t *line)
{
    ngx_http_wassiit_info_t  info;

    if (!ngx_http_wassiit_record_is_id(line->id.data, line->id.len)) {
        return 0;
    }

    return ngx_http_wassiit_zone_glance(follow->zone, &line->id, &info)
           != NGX_OK
           || info.rev < line->rev;
}


/* Makes the next line of the page that is new here, or reads on. */

static void
ngx_http_wassiit_follow_next(ngx_http_wassiit_follow_t *follow)
{
    ngx_int_t                        rc;
    ngx_uint_t                       more;
    ngx_http_wassiit_follow_line_t  *line;

    while (follow->at < follow->lines.nelts) {
        line = follow->lines.elts;
        line = &line[follow->at];

        rc = ngx_http_wassiit_follow_make(follow, line);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_http_wassiit_follow_end(follow, NGX_ERROR);
            return;
        }

        follow->held |= (rc == NGX_DECLINED);

        /* a change of this node's own was made before it was read */
        follow->made |= (rc == NGX_OK && line->at.len);

        ngx_http_wassiit_follow_made(follow);
    }

    if (follow->scan_len > 1
        || (follow->scan_len && follow->scan[0] != '0'))
    {
        if (ngx_http_wassiit_follow_scan(follow) != NGX_OK) {
            ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        }

        return;
    }

    more = follow->more;

    if (follow->scan_len) {
        ngx_http_wassiit_follow_move(follow, follow->end, follow->end_len);

        follow->whole = !follow->held;
        more = (follow->end_len != 0);
        follow->compared = more;
    }

    ngx_http_wassiit_follow_end(follow, follow->held ? NGX_DECLINED : NGX_OK);

    if (more && follow->page == NULL && follow->from_len) {
        (void) ngx_http_wassiit_follow_log(follow);
    }
}


/*
 * Returns NGX_AGAIN: the line is being made; NGX_OK: it needn't be;
 * NGX_DECLINED: it can't be now.
 */

static ngx_int_t
ngx_http_wassiit_follow_make(ngx_http_wassiit_follow_t *follow,
    ngx_http_wassiit_follow_line_t *line)
{
    ngx_int_t                rc;
    ngx_uint_t               here;
    ngx_http_wassiit_info_t  info;

    if (!ngx_http_wassiit_follow_wants(follow, line)) {
        return NGX_OK;
    }

    rc = ngx_http_wassiit_follow_open(follow->seal, follow->page, &line->id,
                                      &line->line);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "a line of partner \"%V\" of wassiit_zone \"%V\" in "
                      "Redis isn't sealed by this node's key", &line->id,
                      &follow->zone->name);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    /* as we write it; in a text its quotes would be escaped */

    here = (ngx_http_wassiit_zone_glance(follow->zone, &line->id, &info)
            == NGX_OK);

    if (!here && memmem(line->line.data, line->line.len, "\"deleted\":true",
                        14))
    {
        return NGX_OK;
    }

    /* files that weren't the same to begin with */

    if (here && info.rev == 0
        && ngx_http_wassiit_follow_differs(follow->zone, follow->wmcf,
                                           &line->id, 0, &line->line))
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "the cluster has a newer line of partner \"%V\" than "
                      "\"%V\": that one counts", &line->id,
                      &follow->zone->file);
    }

    return (ngx_http_wassiit_job_follow(follow->zone, follow->wmcf, &line->id,
                                        line->rev, &line->line,
                                        line->at.len == 0,
                                        ngx_http_wassiit_follow_done, follow)
            == NGX_OK)
           ? NGX_AGAIN : NGX_ERROR;
}


/* The line at hand is made, or needn't be, or can't. */

static void
ngx_http_wassiit_follow_made(ngx_http_wassiit_follow_t *follow)
{
    ngx_http_wassiit_follow_line_t  *line;

    line = follow->lines.elts;
    line = &line[follow->at++];

    if (line->at.len) {
        ngx_http_wassiit_follow_move(follow, line->at.data, line->at.len);
    }
}


static void
ngx_http_wassiit_follow_move(ngx_http_wassiit_follow_t *follow, u_char *at,
    size_t len)
{
    ngx_memcpy(follow->from, at, len);
    follow->from_len = len;

    if (!follow->held) {
        ngx_memcpy(follow->cursor, at, len);
        follow->cursor_len = len;
    }
}


static void
ngx_http_wassiit_follow_done(ngx_http_wassiit_job_t *job, void *data)
{
    ngx_http_wassiit_follow_t *follow = data;

    switch (job->changed) {

    case NGX_HTTP_WASSIIT_CHANGED:
    case NGX_HTTP_WASSIIT_CHANGE_RIVALS:    /* a newer one is made */
        follow->made = 1;
        break;

    case NGX_HTTP_WASSIIT_CHANGE_TAKEN:
        /* what is to come may set that right */
        follow->clashes = 1;
        follow->made = 0;
        follow->left = 1;
        break;

    case NGX_HTTP_WASSIIT_CHANGE_BAD_LINE:
        /* it is logged, and must not stop all others */
        follow->left = 1;
        break;

    case NGX_HTTP_WASSIIT_CHANGE_ZONE_FULL:
    case NGX_HTTP_WASSIIT_CHANGE_ZONE_HELD:
        /* nor must this, but there may be room later */
        follow->held = 1;
        break;

    default:
        ngx_http_wassiit_follow_end(follow, NGX_ERROR);
        return;
    }

    ngx_http_wassiit_follow_made(follow);
    ngx_http_wassiit_follow_next(follow);
}


static void
ngx_http_wassiit_follow_end(ngx_http_wassiit_follow_t *follow, ngx_int_t rc)
{
    follow->scan_len = 0;

    if (follow->page) {
        ngx_http_wassiit_follow_drop(follow);
    }

    if (follow->moved) {
        follow->moved(follow, rc);
    }
}


/* What was read goes, and its secrets. */

static void
ngx_http_wassiit_follow_drop(ngx_http_wassiit_follow_t *follow)
{
    ngx_uint_t                       i;
    ngx_http_wassiit_follow_line_t  *line;

    line = follow->lines.elts;

    for (i = 0; i < follow->lines.nelts; i++) {
        ngx_explicit_memzero(line[i].line.data, line[i].line.len);
    }

    ngx_destroy_pool(follow->page);
    follow->page = NULL;
}


ngx_int_t
ngx_http_wassiit_follow_value(const ngx_str_t *value, uint64_t *rev,
    ngx_str_t *line)
{
    u_char  *p, *last;

    *rev = 0;

    if (value->len == 0) {
        return NGX_ERROR;
    }

    last = value->data + value->len;

    for (p = value->data; p < last && *p >= '0' && *p <= '9'; p++) {
        *rev = *rev * 10 + (*p - '0');

        if (*rev > NGX_HTTP_WASSIIT_REV_MAX) {
            return NGX_ERROR;
        }
    }

    if (*rev == 0 || last - p < 2 || *p != ' ') {
        return NGX_ERROR;
    }

    line->data = p + 1;
    line->len = last - line->data;

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_follow_open(const u_char *seal, ngx_pool_t *pool,
    const ngx_str_t *id, ngx_str_t *line)
{
    u_char   *p;
    ssize_t   n;

    if (seal == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, NGX_WASSIIT_UNSEALED(line->len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    n = ngx_wassiit_seal_open(p, seal, id->data, id->len, line->data,
                              line->len);
    if (n < 0) {
        return n;
    }

    line->data = p;
    line->len = n;

    return NGX_OK;
}


ngx_uint_t
ngx_http_wassiit_follow_differs(ngx_http_wassiit_zone_t *zone,
    ngx_http_wassiit_main_conf_t *wmcf, ngx_str_t *id, uint64_t rev,
    const ngx_str_t *line)
{
    size_t                      size;
    u_char                     *memory;
    ngx_uint_t                  differs;
    ngx_http_wassiit_info_t     info;
    ngx_http_wassiit_parse_t    parse;
    ngx_http_wassiit_arena_t    arena;
    ngx_http_wassiit_record_t  *rec;

    /* another rev by now: a change of the cluster's was made meanwhile */

    if (ngx_http_wassiit_zone_get(zone, id, &info) != NGX_OK
        || info.rev != rev)
    {
        return 0;
    }

    size = NGX_HTTP_WASSIIT_LINE_ARENA + NGX_ALIGNMENT
           + NGX_HTTP_WASSIIT_PARSE_SIZE(1, line->len);

    memory = ngx_alloc(size, ngx_cycle->log);
    if (memory == NULL) {
        return 0;
    }

    ngx_memzero(&parse, sizeof(ngx_http_wassiit_parse_t));
    ngx_memzero(&arena, sizeof(ngx_http_wassiit_arena_t));

    arena.start = ngx_align_ptr(memory, NGX_ALIGNMENT);
    arena.size = NGX_HTTP_WASSIIT_LINE_ARENA;
    parse.scopes = &wmcf->scopes;
    parse.pos = arena.start + arena.size;

    differs = ngx_http_wassiit_record_parse(&parse, &arena, line->data,
                                            line->len, &rec)
              == NGX_OK
              && (rec->deleted
                  || ngx_http_wassiit_zone_tag(zone, rec) != info.tag);

    ngx_explicit_memzero(memory, size);
    ngx_free(memory);

    return differs;
}


void
ngx_http_wassiit_follow_key(ngx_http_wassiit_zone_t *zone, ngx_pool_t *pool,
    const char *name, ngx_str_t *key)
{
    size_t  len;

    len = sizeof("wassiit:{}:") - 1 + zone->name.len + ngx_strlen(name);

    key->len = len;
    key->data = ngx_pnalloc(pool, len);

    if (key->data) {
        (void) ngx_snprintf(key->data, len, "wassiit:{%V}:%s", &zone->name,
                            name);
    }
}
