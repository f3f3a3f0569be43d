
/*
 * Changes of partners: what each makes of the file and of the zone, what is
 * answered where one can't be made, and what they do with a file that was
 * changed by hand.
 */


#include "changes.h"


#define STACK           (1024 * 1024)

#define LINE            "{\"id\":\"zed\",\"rate\":\"5r/s\"}\n"
#define LINES8          LINE LINE LINE LINE LINE LINE LINE LINE
#define LINES           LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8 LINES8


static void unit_change_kind(const unit_change_kind_t *kind);
static void unit_change_early(unit_disk_e call, ngx_uint_t after);
static void unit_change_line(const unit_change_kind_t *kind);
static void unit_change_made(const unit_change_kind_t *kind);
static void unit_change_kept(void);
static void *unit_change_thread(void *what);
static void unit_change_stack(void);
static void unit_change_revs(void);
static void unit_change_follow(void);
static void unit_change_draft(void);
static void unit_change_nothing(void);
static void unit_change_same(const char *name);
static void unit_change_is(ngx_http_wassiit_changed_e changed,
    ngx_http_wassiit_changed_e expected, const char *log, const char *name);
static void unit_change_compact(void);
static void unit_change_compact_fails(void);
static void unit_change_compact_other(void);
static void unit_change_read_only(unit_disk_e call, ngx_uint_t after);
static void unit_change_mark(void);
static void unit_change_many(ngx_uint_t n, const char *one, const char *two);
static void unit_change_keys(void);
static void unit_change_unknown(void);
static void unit_change_busy(void);
static void unit_change_beside(unit_disk_e call, ngx_uint_t after);
static void unit_change_bad_lines(void);
static void unit_change_long(void);
static void unit_change_leave(uint32_t left);
static void unit_change_full(void);
static void unit_change_disk(void);
static void unit_change_dead(void);
static void unit_change_opens(void);
static void unit_change_reload(unit_disk_e call, ngx_uint_t after);
static void unit_change_left(void);
static void unit_change_left_meanwhile(void);
static void unit_change_match(void);
static void unit_change_match_hand(void);
static const char *unit_change_tag(const char *id);
static void unit_change_failed(void);
static void unit_change_failed_strange(void);
static void unit_change_mutex(void);
static void unit_change_hand(void);
static void unit_change_writes(const char *from, const char *to);
static void unit_change_hand_told(void);
static void unit_change_hand_ends(void);
static void unit_change_hand_long(void);
static void unit_change_hand_zeros(void);
static void unit_change_hand_end(void);


static char  base[TEXT];


int
main(void)
{
    ngx_uint_t  i;

    unit_change_init("change");

    for (i = 0; i < KINDS; i++) {
        unit_change_kind(&unit_change_kinds[i]);
    }

    unit_change_kept();
    unit_change_stack();
    unit_change_revs();
    unit_change_follow();
    unit_change_draft();
    unit_change_nothing();
    unit_change_compact();
    unit_change_mark();
    unit_change_keys();
    unit_change_unknown();
    unit_change_busy();
    unit_change_bad_lines();
    unit_change_full();
    unit_change_disk();
    unit_change_dead();
    unit_change_opens();
    unit_change_left();
    unit_change_match();
    unit_change_match_hand();
    unit_change_failed();
    unit_change_mutex();
    unit_change_hand();
    unit_change_hand_told();
    unit_change_hand_ends();
    unit_change_hand_end();

    return unit_change_done();
}


/* ---- what a change makes of the file and of the zone */

static void
unit_change_kind(const unit_change_kind_t *kind)
{
    ngx_http_wassiit_info_t     info;
    ngx_http_wassiit_changed_e  changed;

    if (kind->line == NULL) {
        return;
    }

    unit_change_setup(BASE);
    unit_change_text(&zone, before);
    at_call = unit_change_early;

    changed = unit_change_of(kind);

    at_call = NULL;

    unit_is(changed, NGX_HTTP_WASSIIT_CHANGED, kind->name);
    unit_is(ncalls, 0, "nothing is written before it is told, nor in force "
            "before it is on the disk");
    unit_is(unit_disk.fsyncs, 2, "nor before the file's name is");
    unit_ok(unit_logged[0] == '\0' && !change.compact, "nothing is logged");

    unit_change_line(kind);
    unit_ok(unit_change_agrees() && strcmp(text, before) != 0,
            "it is in force, and all else is as it was");

    if (kind->what == NGX_HTTP_WASSIIT_CHANGE_DELETE) {
        unit_is(ngx_http_wassiit_zone_get_locked(&zone, &change.id, &info),
                NGX_DECLINED, "the partner is gone");

    } else {
        unit_ok(ngx_http_wassiit_zone_get_locked(&zone, &change.id, &info)
                == NGX_OK
                && unit_change_text_info(&info, given)
                   == unit_change_text_info(&change.info, text)
                && strcmp(text, given) == 0,
                "the partner is told as it is then");
    }

    unit_change_made(kind);

    unit_disk.fsyncs = 0;
    unit_is(unit_change_patch("rif", "{\"name\":\"Next\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "another one follows");
    unit_ok(unit_disk.fsyncs == 1 && unit_change_agrees() && !journal.foreign,
            "by what is known of the file");
}


/* It is told before it is written, and in force when it is on the disk. */

static void
unit_change_early(unit_disk_e call, ngx_uint_t after)
{
    if (call == UNIT_DISK_SYNC && !after) {
        unit_change_text(&zone, text);
        ncalls += (strcmp(text, before) != 0);
    }

    if (call == UNIT_DISK_WRITE && !after) {
        ncalls += !ngx_http_wassiit_change_left(&zone);
    }
}


static void
unit_change_line(const unit_change_kind_t *kind)
{
    char    *eol;
    size_t   len;
    ssize_t  n;
    json_t  *got, *expected;

    static char  filled[TEXT];

    len = unit_change_fill(base, BASE);
    n = unit_disk_get(path, data, TEXT);

    if (!unit_ok(n > (ssize_t) len && memcmp(data, base, len) == 0,
                 "a line is added to the file"))
    {
        return;
    }

    eol = memchr(data + len, '\n', n - len);
    unit_ok(eol == data + n - 1, "just one");

    (void) unit_change_fill(filled, kind->line);

    got = json_loadb(data + len, n - len, JSON_REJECT_DUPLICATES, NULL);
    expected = json_loads(filled, JSON_REJECT_DUPLICATES, NULL);

    if (!unit_ok(expected && json_equal(got, expected),
                 "which says what is asked for"))
    {
        unit_note("it is %s", data + len);
        unit_note("it should be %s", filled);
    }

    json_decref(got);
    json_decref(expected);
}


static void
unit_change_made(const unit_change_kind_t *kind)
{
    char                        id[16];
    size_t                      i;
    u_char                      digest[NGX_WASSIIT_DIGEST_LEN];
    ngx_http_wassiit_partner_t  found;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    found.names = names;

    switch (kind->what) {

    case NGX_HTTP_WASSIIT_CHANGE_CREATE:
    case NGX_HTTP_WASSIIT_CHANGE_ADD_KEY:
    case NGX_HTTP_WASSIIT_CHANGE_ROTATE:
        ngx_wassiit_key_digest(change.made.data, change.made.len, digest);
        (void) unit_change_fill(id, "@I");

        unit_ok(change.made.len == NGX_WASSIIT_KEY_LEN
                && memcmp(change.made.data, "wst_", 4) == 0
                && ngx_wassiit_key_check(change.made.data, change.made.len)
                   == NGX_OK
                && memcmp(digest, digests[MADE], sizeof(digest)) == 0
                && memcmp(change.made_id, id, NGX_HTTP_WASSIIT_MADE_ID) == 0,
                "a key is made, its id is of its digest");

        unit_ok(ngx_http_wassiit_zone_find(&zone, digest, &found, NULL)
                == NGX_OK
                && found.created == INT64_MIN
                && memcmp(names, kind->id, found.id_len) == 0
                && memcmp(names + found.id_len, id, NGX_HTTP_WASSIIT_MADE_ID)
                   == 0,
                "it is found at once, whatever the clock says");

        if (ngx_http_wassiit_zone_find(&zone, digests[2], &found, NULL)
            == NGX_OK)
        {
            unit_ok(found.created != INT64_MIN, "others by the clock");
        }

        break;

    case NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET:
        unit_ok(change.made.len == NGX_WASSIIT_HMAC_BASE64
                && ngx_wassiit_hmac_decode((u_char *) given, change.made.data,
                                           change.made.len)
                   == NGX_WASSIIT_HMAC_LEN,
                "a secret of 32 bytes is made");
        break;

    case NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET:
        for (i = 0; i < change.made.len; i++) {
            if (!isalnum(change.made.data[i])) {
                break;
            }
        }

        unit_ok(i == 48 && change.made.len == i,
                "a secret of 48 characters is made");
        break;

    default:
        unit_is(change.made.len, 0, "nothing is made");
    }

    ngx_http_wassiit_zone_unpin(&zone);
}


/* A key that was made works at once after other changes, too. */

static void
unit_change_kept(void)
{
    ngx_http_wassiit_partner_t  found;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    found.names = names;

    unit_change_setup(BASE);
    (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0);
    (void) unit_change_patch("atlas", "{\"name\":\"Other\"}");

    unit_ok(ngx_http_wassiit_zone_find(&zone, digests[MADE], &found, NULL)
            == NGX_OK && found.created == INT64_MIN,
            "a key that was made still works at once after another change");
    ngx_http_wassiit_zone_unpin(&zone);

    /* another whose id is as long doesn't */

    unit_change_setup("{\"id\":\"atlas\",\"keys\":[{\"id\":\"k12345678\","
                      "\"sha256\":\"@1\"," CREATED "}]}\n");
    (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0);
    unit_ok(ngx_http_wassiit_zone_find(&zone, digests[1], &found, NULL)
            == NGX_OK && found.created != INT64_MIN,
            "one with an id of that length works by the clock");
    ngx_http_wassiit_zone_unpin(&zone);

    /* one of its id is there: it has another */

    unit_change_setup("{\"id\":\"atlas\",\"keys\":[{\"id\":\"@I\","
                      "\"sha256\":\"@1\"}]}\n");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "no id of a key comes twice");
    unit_ok(unit_change_agrees() && change.info.nkeys == 2, "in force or not");
}


/* A secret that is made isn't left on the stack either. */

static void *
unit_change_thread(void *what)
{
    static ngx_http_wassiit_changed_e  changed;

    changed = unit_change(*(ngx_http_wassiit_change_e *) what, "zed", NULL, 0);

    return &changed;
}


static void
unit_change_stack(void)
{
    void            *changed;
    u_char           random[NGX_WASSIIT_HMAC_LEN];
    pthread_t        thread;
    ngx_uint_t       i;
    pthread_attr_t   attr;

    static ngx_http_wassiit_change_e  whats[] = {
        NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET,
        NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET,
        NGX_HTTP_WASSIIT_CHANGE_ADD_KEY
    };

    static u_char  stack[STACK] __attribute__((aligned(4096)));

    for (i = 0; i < 3; i++) {
        unit_change_setup(BASE);
        ngx_memzero(stack, STACK);
        changed = NULL;

        (void) pthread_attr_init(&attr);
        (void) pthread_attr_setstack(&attr, stack, STACK);

        if (pthread_create(&thread, &attr, unit_change_thread, &whats[i]) == 0)
        {
            (void) pthread_join(thread, &changed);
        }

        (void) pthread_attr_destroy(&attr);

        random_state = UNIT_SEED;
        (void) getrandom(random, sizeof(random), 0);

        unit_ok(changed && *(ngx_http_wassiit_changed_e *) changed
                           == NGX_HTTP_WASSIIT_CHANGED
                && !unit_change_secret(stack, STACK)
                && !memmem(stack, STACK, random, 8)
                && !memmem(stack, STACK, random + sizeof(random) - 8, 8),
                "nothing secret is left on the stack");
    }
}


/* Without a cluster a partner's rev stays what it is. */

static void
unit_change_revs(void)
{
    ngx_str_t                id;
    ngx_http_wassiit_info_t  info;

    ngx_str_set(&id, "new");

    unit_change_setup("{\"id\":\"new\",\"rev\":9007199254740991}\n" BASE);
    unit_ok(unit_change_patch("new", "{\"name\":\"New\"}")
            == NGX_HTTP_WASSIIT_CHANGED
            && change.info.rev == NGX_HTTP_WASSIIT_REV_MAX
            && unit_change_agrees(), "a change leaves a partner's rev");

    unit_ok(unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "zed", NULL, 0)
            == NGX_HTTP_WASSIIT_CHANGED && change.info.rev == 0
            && unit_change_agrees(), "and gives none to one without");

    /* by hand, and nothing else of it */

    unit_change_adds("{\"id\":\"new\",\"rev\":7,\"name\":\"New\"}\n");
    unit_ok(unit_change_patch("new", "{}") == NGX_HTTP_WASSIIT_CHANGED
            && change.info.rev == 7, "another rev alone is seen");
    unit_ok(ngx_http_wassiit_zone_get_locked(&zone, &id, &info) == NGX_OK
            && info.rev == 7, "and kept");

    unit_change_setup("{\"id\":\"new\",\"rev\":7}\n" BASE);
    unit_ok(unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "new", NULL, 0)
            == NGX_HTTP_WASSIIT_CHANGED && unit_change_agrees()
            && unit_disk_get(path, data, TEXT) > 0
            && strstr(data, "{\"id\":\"new\",\"deleted\":true,\"rev\":7}\n"),
            "a partner is deleted with its rev");
}


/* A change that another node has made, and what is older than the partner. */

static void
unit_change_follow(void)
{
    char                         line[512];
    ngx_uint_t                   i;
    ngx_http_wassiit_partner_t   found;
    ngx_http_wassiit_changed_e   changed;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    static const int64_t  apart[] = { 298, -300, 299, -301 };

    static const char  gone[] = "{\"id\":\"atlas\",\"deleted\":true,\"rev\":9}";
    static const char  made[] = "{\"id\":\"zed\",\"rev\":1,\"keys\":[@K]}";

    static const char *const  revs[] = { FOLLOWS("7"), FOLLOWS("6") };

    static const char *const  bad[] = {
        "{\"id\":\"atlas\"}", "{\"id\":\"zed\",\"rev\":8}",
        "{\"id\":\"atlas\",\"rev\":8,\"scopes\":[\"unknown\"]}",
        "{\"id\":\"atlas\",\"rev\":8", "{\"id\":\"atlas\",\"rev\":0}", " ",
        "{\"id\":\"atlas\",\n\"rev\":8}", "{\"id\":\"atlas\",\"rev\":8}\n"
    };

    unit_change_setup(BASE);
    (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas", FOLLOWS("7"),
                       0);

    for (i = 0; i < 2; i++) {
        unit_change_begin();
        changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas", revs[i],
                              0);
        unit_ok(changed == NGX_HTTP_WASSIIT_CHANGED
                && unit_change_untouched() && change.info.rev == 7,
                "what isn't newer changes nothing, and the partner is told");
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        unit_change_setup(BASE);
        unit_change_begin();
        changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas", bad[i],
                              0);
        unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_BAD_LINE,
                       "a line of partner \"atlas\" that another node has made "
                       "can't be taken into \"", "a bad line isn't taken");
    }

    /* what is in the file by hand counts as what it says */

    unit_change_adds(FOLLOWS("8") "\n");
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas",
                          FOLLOWS("8"), 0);
    unit_ok(changed == NGX_HTTP_WASSIIT_CHANGED && change.info.rev == 8,
            "a line that came by hand is put in force");
    unit_change_adds("{\"id\":\"atlas\",\"scopes\":[\"none\"]}\n");
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas",
                          FOLLOWS("8"), 0);
    unit_ok(changed == NGX_HTTP_WASSIIT_CHANGED && change.info.rev == 8,
            "one that is bad holds nothing up");

    /* a deleted partner doesn't come back by what is older */

    unit_change_setup(BASE);
    unit_ok(unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas", gone, 0)
            == NGX_HTTP_WASSIIT_CHANGED && !unit_change_has(1)
            && unit_change_agrees(), "a partner is deleted");
    unit_change_begin();
    unit_ok(unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas", FOLLOWS("8"),
                        0)
            == NGX_HTTP_WASSIIT_CHANGED && unit_change_untouched()
            && !unit_change_has(1), "and stays so");
    unit_ok(unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas",
                        FOLLOWS("10"), 0)
            == NGX_HTTP_WASSIIT_CHANGED && unit_change_has(1)
            && unit_change_agrees(), "until it is created again");

    (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas",
                       "{\"id\":\"atlas\",\"deleted\":true,\"rev\":11}", 0);
    ngx_http_wassiit_zone_forget_gone(&zone);
    unit_ok(unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas", FOLLOWS("1"),
                        0)
            == NGX_HTTP_WASSIIT_CHANGED && unit_change_has(1),
            "or all begins anew");

    /* a key that was just made there works here, whatever the clocks say */

    found.names = names;
    (void) unit_change_fill(line, made);

    for (i = 0; i < 4; i++) {
        unit_change_setup(BASE);
        now += apart[i];
        (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "zed", line, 0);
        now -= apart[i];

        unit_ok(ngx_http_wassiit_zone_find(&zone, digests[MADE], &found, NULL)
                == NGX_OK
                && (found.created == INT64_MIN) == (i < 2),
                "a key made %d seconds ago works %s", (int) apart[i] + 1,
                i < 2 ? "at once" : "by the clock");
        ngx_http_wassiit_zone_unpin(&zone);
    }

    unit_change_setup(BASE);
    (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "zed", "{\"id\":\"zed\","
                       "\"rev\":1,\"keys\":[{\"id\":\"k12345678\",\"sha256\":"
                       "\"@5\",\"created\":\"2026-11-15T11:59:59Z\"}]}", 0);
    unit_ok(ngx_http_wassiit_zone_find(&zone, digests[5], &found, NULL)
            == NGX_OK && found.created != INT64_MIN,
            "so does one that someone else has made");
    ngx_http_wassiit_zone_unpin(&zone);
}


/* A change that is to be ordered first is only drafted. */

static void
unit_change_draft(void)
{
    char                         line[NGX_HTTP_WASSIIT_LINE];
    ngx_uint_t                   i;
    ngx_http_wassiit_changed_e   changed;

    static const struct {
        ngx_http_wassiit_change_e   what;
        const char                 *id;
        const char                 *with;
        const char                 *line;
    } drafts[] = {
        { NGX_HTTP_WASSIIT_CHANGE_PATCH, "zed", "{\"rate\":\"6r/s\"}",
          "{\"id\":\"zed\",\"rate\":\"6r/s\",\"keys\":[],\"rev\":1}" },
        { NGX_HTTP_WASSIIT_CHANGE_PATCH, "zed", "{\"rate\":\"5r/s\"}",
          "{\"id\":\"zed\",\"rate\":\"5r/s\",\"keys\":[],\"rev\":1}" },
        { NGX_HTTP_WASSIIT_CHANGE_PATCH, "old", "{\"name\":\"Old\"}",
          "{\"id\":\"old\",\"rev\":8,\"name\":\"Old\"}" },
        { NGX_HTTP_WASSIIT_CHANGE_CREATE, "new", "{\"name\":\"New\"}",
          "{\"id\":\"new\",\"name\":\"New\",\"keys\":[@K],\"rev\":1}" },
        { NGX_HTTP_WASSIIT_CHANGE_DELETE, "old", NULL,
          "{\"id\":\"old\",\"deleted\":true,\"rev\":8}" },
    };

    drafting = 1;

    for (i = 0; i < sizeof(drafts) / sizeof(drafts[0]); i++) {
        unit_change_setup("{\"id\":\"old\",\"rev\":7}\n" BASE);
        unit_change_begin();

        changed = unit_change(drafts[i].what, drafts[i].id, drafts[i].with, 0);
        (void) unit_change_fill(line, drafts[i].line);

        if (!unit_ok(changed == NGX_HTTP_WASSIIT_CHANGED
                     && draft.len == strlen(line)
                     && memcmp(draft.text, line, draft.len) == 0
                     && unit_change_untouched(),
                     "a change is drafted, and nothing made"))
        {
            unit_note("answer %d: %.*s", changed, (int) draft.len, draft.text);
        }

        /* as it was ordered */

        draft.ordered = 1;
        changed = ngx_http_wassiit_change(&change, &unit_log);
        unit_ok(changed == NGX_HTTP_WASSIIT_CHANGED && unit_change_agrees()
                && (drafts[i].what == NGX_HTTP_WASSIIT_CHANGE_DELETE
                    || change.info.rev == draft.rev),
                "then it is made");
    }

    /* the partner that is gone had a rev */

    unit_ok(unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "old", "{}", 0)
            == NGX_HTTP_WASSIIT_CHANGED && draft.rev == 9,
            "one that comes back goes on by the rev that it had");

    unit_change_setup("{\"id\":\"old\",\"rev\":9007199254740991}\n" BASE);
    unit_change_begin();
    unit_ok(unit_change_patch("zed", "{}") == NGX_HTTP_WASSIIT_CHANGED
            && draft.rev == 0 && unit_change_untouched(),
            "a change of nothing has no draft");

    changed = unit_change_patch("old", "{\"name\":\"Old\"}");
    drafting = 0;
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_FAILED, "",
                   "there is no rev above the highest");

    unit_change_setup(BASE);
    unit_change_begin();
    drafting = 1;
    changed = unit_change_patch("none", "{}");
    drafting = 0;
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "",
                   "what is refused isn't drafted");
}


/* What is as it should be isn't written. */

static void
unit_change_nothing(void)
{
    ngx_uint_t  i;

    static const char *const  forms[] = {
        BASE,
        "{ \"id\": \"atlas\", \"name\":\"Atlas\" }\r\n" RIF ZED,
        "{\"id\":\"atlas\",\"name\":\"Atlas\"}\r\n" RIF ZED
    };

    static const char *const  fields[] = {
        "{\"name\":\"Atlas\",\"rate\":\"10r/m\"}", "{}",
        "{\"name\":\"Atlas\"}"
    };

    for (i = 0; i < 3; i++) {
        unit_change_setup(forms[i]);
        unit_change_begin();

        unit_is(unit_change_patch("atlas", fields[i]),
                NGX_HTTP_WASSIIT_CHANGED, "nothing is to be changed");
        unit_ok(unit_disk.fsyncs == 2, "but it is on the disk");
        unit_ok(change.info.id_len == 5 && change.info.name_len == 5,
                "the partner is told as it is");
        unit_change_same("nothing is written");
    }
}


/* It has changed nothing, and one that follows is made of what was there. */

static void
unit_change_same(const char *name)
{
    ssize_t     n;
    ngx_uint_t  same;

    same = unit_change_untouched();

    unit_disk_heal();
    random_fails = 0;

    if (unit_change_patch("rif", "{\"name\":\"Next\"}")
        != NGX_HTTP_WASSIIT_CHANGED)
    {
        unit_note("no other change can be made: %s", unit_logged);
        same = 0;
    }

    n = unit_disk_get(path, data, TEXT);

    if (n <= saved_len || memcmp(data, saved, saved_len) != 0
        || memchr(data + saved_len, '\n', n - saved_len) != data + n - 1)
    {
        unit_note("the file isn't what it was, and a line");
        same = 0;
    }

    unit_ok(unit_change_agrees() && same, "%s", name);
}


/* It is answered so, and nothing is changed. */

static void
unit_change_is(ngx_http_wassiit_changed_e changed,
    ngx_http_wassiit_changed_e expected, const char *log, const char *name)
{
    if (!unit_ok(changed == expected
                 && (*log ? strstr(unit_logged, log) != NULL
                          : unit_logged[0] == '\0'), "%s", name))
    {
        unit_note("answer %d, expected %d, logged: %s", changed, expected,
                  unit_logged);
    }

    unit_change_same("and nothing is changed");
}


static void
unit_change_compact(void)
{
    size_t       len;
    ngx_uint_t   i, fsyncs;

    unit_change_setup(BASE);
    unit_change_begin();
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGE_NOT_DUE, "a file of few lines");
    unit_change_same("isn't compacted");

    unit_change_setup(BASE BASE BASE RIF);

    for (i = 0; i < 2; i++) {
        unit_is(unit_change_patch("zed", i ? "{\"name\":\"B\"}"
                                           : "{\"name\":\"A\"}"),
                NGX_HTTP_WASSIIT_CHANGED, "lines come");
        unit_is(change.compact, i, "four of a partner are too many");
    }

    unit_change_text(&zone, before);
    unit_disk.fsyncs = 0;

    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "the file is compacted");
    fsyncs = unit_disk.fsyncs;
    unit_ok(unit_change_agrees() && strcmp(text, before) == 0
            && !journal.foreign && journal.lines == 3 && fsyncs == 2,
            "all is in force as it was, and known");

    len = unit_change_fill(base, BASE BASE BASE RIF);
    unit_change_fill(base, ATLAS KEY(1) "}," KEY(2) UNTIL("12:30:00") "],"
                     SECRETS "}\n" RIF);
    (void) len;
    (void) unit_disk_get(path, data, TEXT);
    unit_ok(memcmp(data, base, strlen(base)) == 0
            && access(other, F_OK) == -1, "with the lines that count");

    unit_change_begin();
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGE_NOT_DUE, "once");
    unit_change_same("not twice");

    unit_change_compact_fails();
    unit_change_compact_other();
}


/* Nobody waits for it, so nobody is told: it is logged. */

static void
unit_change_compact_fails(void)
{
    ngx_uint_t  i;

    static const char *const  whats[] = {
        "a disk that is full", "one that fails", "no name", "no descriptor"
    };

    for (i = 0; i < 4; i++) {
        unit_change_setup(BASE BASE BASE BASE);
        unit_change_begin();

        switch (i) {

        case 0:
            unit_disk.full = 100;
            break;

        case 1:
            unit_disk.fsync = 1;
            break;

        case 2:
            unit_disk.rename = 1;
            break;

        default:
            at_call = unit_change_read_only;
        }

        unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0),
                NGX_HTTP_WASSIIT_CHANGE_FAILED, whats[i]);
        at_call = NULL;
        unit_ok(strstr(unit_logged, "warn: ") == unit_logged
                && access(other, F_OK) == -1, "is logged");
        unit_change_same("and the file stays");
        unit_is(change.compact, 0, "until there are twice as many lines");
    }
}


/* Someone has written to the file, and nobody could see it. */

static void
unit_change_compact_other(void)
{
    char             *p, *last;
    struct stat       st;
    struct timespec   times[2];

    unit_change_setup(BASE BASE BASE BASE);
    unit_change_fill(base, BASE BASE BASE BASE);

    for (last = base; (p = strstr(last, "\"atlas\"")) != NULL; last = p + 1) {
        /* void */
    }

    (void) memcpy(last, "atlaz", 5);
    (void) stat(path, &st);
    unit_disk_put(path, base, strlen(base));
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    (void) utimensat(AT_FDCWD, path, times, 0);

    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGE_NOT_DUE,
            "a file whose lines aren't known");
    unit_ok(strstr(unit_logged, "notice: ") == unit_logged
            && unit_disk_get(path, data, TEXT) == (ssize_t) strlen(base)
            && strcmp(data, base) == 0 && access(other, F_OK) == -1,
            "stays, which is logged");
    (void) ngx_http_wassiit_zone_known(&zone, &journal);
    unit_is(journal.foreign, 1, "and looked through from now on");
}


/* The first that is opened once the file is locked is to be made. */

static void
unit_change_read_only(unit_disk_e call, ngx_uint_t after)
{
    if (call == UNIT_DISK_OPEN && !after && locked) {
        unit_disk.openat = 1;
        unit_disk.err = EROFS;
    }
}


/* ---- keys */

/* The line of a partner with n keys, of which the first ones expire then. */

/* A byte order mark before the first line is no part of it, and may stay. */

#define MARK  "\xef\xbb\xbf"

static void
unit_change_mark(void)
{
    ngx_uint_t  i;

    unit_change_setup(MARK BASE);
    unit_is(unit_change_patch("atlas", "{\"name\":\"A\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "the first line's partner is changed");
    unit_ok(unit_logged[0] == '\0' && unit_change_agrees() && !journal.foreign,
            "by what is known of a file with a mark");
    unit_ok(unit_disk_get(path, data, TEXT) > 3 && memcmp(data, MARK, 3) == 0,
            "which it keeps");

    unit_change_setup(BASE);
    unit_change_puts(MARK RIF BASE);
    unit_is(unit_change_patch("zed", "{\"name\":\"Z\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "an editor puts one there");
    unit_is(unit_change_patch("rif", "{\"name\":\"R\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "and lines are looked for");
    unit_ok(unit_change_agrees(), "it is in force");

    unit_change_setup(BASE);
    unit_change_puts(MARK);
    unit_is(unit_change_patch("zed", "{\"name\":\"Z\"}"),
            NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "a mark alone is no line");

    unit_change_setup(MARK "{\"id\":\"first\"}\n" BASE BASE BASE BASE RIF ZED);

    for (i = 0; i < 3; i++) {
        (void) unit_change_patch("zed", i % 2 ? "{\"name\":\"B\"}"
                                              : "{\"name\":\"A\"}");
    }

    unit_change_text(&zone, before);
    unit_is(change.compact, 1, "a file with a mark and many lines");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "is compacted");
    unit_ok(unit_change_agrees() && strcmp(text, before) == 0
            && !journal.foreign && journal.lines == 4,
            "all is in force as it was, and known");
    unit_ok(unit_disk_get(path, data, TEXT) > 0
            && strncmp(data, "   {\"id\":\"first\"}\n", 18) == 0,
            "without the mark");
    unit_is(unit_change_patch("first", "{\"name\":\"F\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "the first line's partner is changed");
    unit_ok(unit_change_agrees() && !journal.foreign, "by what is known");
}


static void
unit_change_many(ngx_uint_t n, const char *one, const char *two)
{
    char        *p;
    ngx_uint_t   i;

    static char  form[TEXT];

    p = form + sprintf(form, "{\"id\":\"atlas\",\"keys\":[");

    for (i = 1; i <= n; i++) {
        p += sprintf(p, "%s{\"id\":\"k%d\",\"sha256\":\"@%d\"%s}",
                     i > 1 ? "," : "", (int) i, (int) i,
                     i == 3 ? one : i == 5 ? two : "");
    }

    (void) sprintf(p, "]}\n" RIF ZED);

    /* of them key 3 is another's here */
    p = strstr(form, "files.send");
    p = strstr(p, "@3");
    p[1] = '9';

    unit_change_setup(form);
    unit_change_begin();
}


static void
unit_change_keys(void)
{
    ngx_http_wassiit_changed_e  changed;

    unit_change_many(8, "", "");
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS, "",
                   "eight keys are the most");

    unit_change_many(8, "", "");
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_ROTATE, "atlas", NULL, 60);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS, "",
                   "when they are to be replaced, too");

    unit_change_many(8, ",\"expires\":\"2026-11-15T12:00:01Z\"",
                     ",\"expires\":\"2026-11-15T12:00:02Z\"");
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_MOST_KEYS, "",
                   "one that is about to expire counts");

    unit_change_many(8, "", "");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_ROTATE, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "all of them are replaced at once");
    unit_ok(unit_change_agrees() && change.info.nkeys == 1
            && unit_change_has(MADE), "by one");

    unit_change_many(7, ",\"expires\":\"2026-11-15T11:00:00Z\"", "");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "an eighth is made");
    unit_ok(unit_change_agrees() && change.info.nkeys == 8
            && unit_change_has(3), "beside one that has expired");

    unit_change_many(8, ",\"expires\":\"2026-11-15T11:30:00Z\"",
                     ",\"expires\":\"2026-11-15T11:00:00Z\"");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "a ninth is made");
    unit_ok(unit_change_agrees() && change.info.nkeys == 8
            && unit_change_has(MADE) && unit_change_has(3)
            && !unit_change_has(5), "in place of the one that expired first");

    unit_change_many(8, ",\"expires\":\"2026-11-15T12:00:00Z\"", "");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_ROTATE, "atlas", NULL, 60),
            NGX_HTTP_WASSIIT_CHANGED, "or of one that expires now");
    unit_ok(unit_change_agrees() && change.info.nkeys == 8
            && !unit_change_has(3), "in force and in the file");
}


/* ---- what can't be changed */

static void
unit_change_unknown(void)
{
    ngx_uint_t                  i;
    ngx_http_wassiit_changed_e  changed;

    for (i = NGX_HTTP_WASSIIT_CHANGE_PATCH;
         i < NGX_HTTP_WASSIIT_CHANGE_COMPACT; i++)
    {
        unit_change_setup(BASE);
        unit_change_begin();
        changed = unit_change(i, "none",
                              i == NGX_HTTP_WASSIIT_CHANGE_PATCH ? "{}" : "k1",
                              0);
        unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "",
                       "there is no such partner");

        /* it was there */

        unit_change_setup(BASE "{\"id\":\"none\"}\n"
                          "{\"id\":\"none\",\"deleted\":true}\n");
        unit_change_begin();
        changed = unit_change(i, "none",
                              i == NGX_HTTP_WASSIIT_CHANGE_PATCH ? "{}" : "k1",
                              0);
        unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "",
                       "there is no more");
    }

    unit_change_setup(BASE);
    unit_change_begin();
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "atlas", "{}", 0);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_TAKEN, "",
                   "there is such a partner already");

    unit_change_setup(BASE);
    unit_change_begin();
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_REVOKE, "atlas", "k3", 0);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_KEY, "",
                   "a key of another is none of the partner's");

    unit_change_setup(BASE "{\"id\":\"none\"}\n"
                      "{\"id\":\"none\",\"deleted\":true}\n");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "none", "{}", 0),
            NGX_HTTP_WASSIIT_CHANGED, "an id that was given back is free");
    unit_ok(unit_change_agrees() && change.info.enabled, "and in force");
}


static void
unit_change_busy(void)
{
    int                         fd;
    ngx_uint_t                  i;
    ngx_http_wassiit_changed_e  changed;

    for (i = 0; i < 4; i++) {
        unit_change_setup(BASE);
        unit_change_begin();

        fd = open(path, O_RDONLY);
        (void) flock(fd, (i % 2) ? LOCK_EX : LOCK_SH);
        changed = (i < 2) ? unit_change_patch("atlas", "{\"name\":\"B\"}")
                          : unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "",
                                        NULL, 0);
        (void) close(fd);

        unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_BUSY, "",
                       "someone else has locked the file");
    }

    unit_change_setup(BASE);
    unit_change_begin();
    zone.sh->opens = UINT64_MAX;
    changed = unit_change_patch("atlas", "{\"name\":\"B\"}");
    zone.sh->opens = 0;
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_BUSY, "",
                   "the zone isn't open to changes yet");

    /* someone who knows of no lock */

    unit_change_setup(BASE);
    at_call = unit_change_beside;
    unit_is(unit_change_patch("atlas", "{\"name\":\"B\"}"),
            NGX_HTTP_WASSIIT_CHANGE_BUSY, "someone adds a line meanwhile");
    at_call = NULL;

    unit_is(unit_change_patch("atlas", "{\"name\":\"C\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "then it can be made");
    unit_ok(unit_change_agrees() && strstr(text, "'C'")
            && strstr(text, "'By hand'"), "and both are in force");
}


static void
unit_change_beside(unit_disk_e call, ngx_uint_t after)
{
    if (call == UNIT_DISK_SYNC && after && ++ncalls == 1) {
        changing = 0;
        unit_change_adds("{\"id\":\"zed\",\"name\":\"By hand\"}\n");
        changing = 1;
    }
}


static void
unit_change_bad_lines(void)
{
    size_t                      len;
    ngx_http_wassiit_changed_e  changed;

    static char  form[TEXT];

    unit_change_setup(BASE);
    unit_change_puts(BASE "{\"id\":\"atlas\",\"name\":5}\n");
    unit_change_begin();
    unit_is(unit_change_patch("atlas", "{\"name\":\"B\"}"),
            NGX_HTTP_WASSIIT_CHANGE_BAD_LINE, "a line of the partner's is bad");
    unit_ok(strstr(unit_logged, "error: the line of partner \"atlas\" in")
            && strstr(unit_logged, "can't be changed: name: must be"),
            "which is logged, and why");
    unit_ok(unit_change_untouched(), "and nothing is changed");

    unit_is(unit_change_patch("zed", "{\"name\":\"Z\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "another's is good");
    unit_change_text(&zone, text);
    unit_ok(strstr(text, "'Z'") && strstr(text, "'Atlas'"),
            "and that is in force");

    /* the same, at the end of a file that is known */

    unit_change_setup(BASE);
    unit_change_adds("{\"id\":\"atlas\",\"name\":5}\n");
    unit_is(unit_change_patch("zed", "{\"name\":\"Z\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "a bad line is added");
    unit_is(unit_change_patch("atlas", "{\"name\":\"B\"}"),
            NGX_HTTP_WASSIIT_CHANGE_BAD_LINE, "which isn't passed over");

    /* what the caller hasn't checked */

    unit_change_setup(BASE);
    unit_change_begin();
    changed = unit_change_patch("atlas", "{\"name\":5}");
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_BAD_LINE,
                   "can't be changed: name: must be",
                   "a line that can't be read isn't written");

    /* one that has no room for more */

    len = sprintf(form, "{\"id\":\"atlas\",\"webhook_secret\":\"");
    memset(form + len, 'x', NGX_HTTP_WASSIIT_LINE - 110);
    len += NGX_HTTP_WASSIIT_LINE - 110;
    (void) sprintf(form + len, "\"}\n" RIF ZED);

    unit_change_setup(form);
    unit_change_begin();
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_BAD_LINE, "",
                   "nor is one that is too long");
    unit_change_long();
}


/* The longest line, and one that is a byte longer. */

static void
unit_change_long(void)
{
    size_t                      len, fill;
    ngx_uint_t                  i;
    ngx_http_wassiit_changed_e  changed;

    static char  form[TEXT];

    for (i = 0; i < 2; i++) {
        /* with a name of one character it is 65535 bytes long, or 65536 */
        fill = NGX_HTTP_WASSIIT_LINE - 1 + i
               - (sizeof("{\"id\":\"atlas\",\"webhook_secret\":\"\","
                         "\"name\":\"B\"}") - 1);

        len = sprintf(form, "{\"id\":\"atlas\",\"webhook_secret\":\"");
        memset(form + len, 'x', fill);
        (void) sprintf(form + len + fill, "\"}\n" RIF ZED);

        unit_change_setup(form);
        unit_change_begin();
        changed = unit_change_patch("atlas", "{\"name\":\"B\"}");

        if (i == 0) {
            unit_ok(changed == NGX_HTTP_WASSIIT_CHANGED
                    && unit_change_agrees(), "the longest line is written");

        } else {
            unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_BAD_LINE, "",
                           "one byte more is too long");
        }
    }
}


/* Takes all lines of the zone's memory but so many, for nothing. */

static void
unit_change_leave(uint32_t left)
{
    ngx_wassiit_lines_t  *lines;

    lines = ngx_http_wassiit_zone_lines(zone.sh);

    while (ngx_wassiit_lines_left(lines) > left) {
        (void) ngx_wassiit_lines_alloc(lines, ZONE_COLD, 1);
    }
}


static void
unit_change_full(void)
{
    ngx_http_wassiit_changed_e  changed;

    static const char  big[] = "{\"rate\":\"3000r/d\"}";

    unit_change_setup(BASE);
    unit_change_begin();
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "new",
                          "{\"rate\":\"1000000r/d\"}", 0);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_ZONE_FULL,
                   "error: no room in wassiit_zone \"z\" to change partner "
                   "\"new\"", "a zone has no room for a partner");

    unit_change_setup(BASE);
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "new", big, 0),
            NGX_HTTP_WASSIIT_CHANGED, "for another it has");
    unit_change_leave(30);

    /* one reader goes on looking at what is given back */
    ngx_wassiit_epoch_pin(ngx_http_wassiit_zone_epoch(zone.sh), NULL);

    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "new", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "which is deleted");
    unit_change_begin();
    changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "new", big, 0);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_ZONE_HELD, "",
                   "what it leaves isn't used while one is stopped");

    ngx_wassiit_epoch_unpin(ngx_http_wassiit_zone_epoch(zone.sh), NULL);

    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "new", big, 0),
            NGX_HTTP_WASSIIT_CHANGED, "as soon as that goes on, it is");
    unit_ok(unit_change_agrees(), "in force and in the file");
}


/* A disk that fails: whatever was written is taken back. */

static void
unit_change_disk(void)
{
    off_t                       size;
    ngx_uint_t                  i, torn;
    ngx_http_wassiit_changed_e  changed;

    static const char *const  logs[] = {
        "crit: write() to", "crit: write() to", "crit: fsync() of the folder",
        "crit: fsync()"
    };

    for (i = 0; i < 8; i++) {
        torn = i / 4;

        /* a line without an end gets one */
        unit_change_setup(torn ? BASE "{\"id\":\"none\"}" : BASE);
        unit_change_begin();
        size = saved_len;

        switch (i % 4) {

        case 0:
            unit_disk.full = size;
            break;

        case 1:
            unit_disk.full = size + 20;
            break;

        default:
            unit_disk.fsync = i % 4 - 1;
        }

        changed = unit_change_patch("atlas", "{\"name\":\"B\"}");

        if (torn) {
            unit_ok(changed == NGX_HTTP_WASSIIT_CHANGE_NO_DISK
                    && strstr(unit_logged, logs[i % 4])
                    && unit_change_untouched(), "a disk fails after that");
            continue;
        }

        unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_DISK, logs[i % 4],
                       "a disk fails");
    }

    unit_change_setup(BASE);
    unit_change_begin();
    (void) rename(path, other);
    changed = unit_change_patch("atlas", "{\"name\":\"B\"}");
    (void) rename(other, path);
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_DISK,
                   "crit: open() \"", "the file isn't there");

    unit_change_setup(BASE);
    unit_change_begin();
    unit_disk.fsync = 1;
    changed = unit_change_patch("atlas", "{}");
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_DISK,
                   "crit: fsync() of the folder", "it can't be waited for");

    unit_change_setup(BASE);
    unit_change_begin();
    unit_disk.fsync = 2;
    changed = unit_change_patch("atlas", "{}");
    unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_NO_DISK,
                   "crit: fsync() \"", "though nothing is to be written");
}


/*
 * What failed and couldn't be taken back doesn't count, whoever comes next,
 * and is taken out by the next change.
 */

static void
unit_change_dead(void)
{
    ngx_uint_t  i;

    for (i = 0; i < 4; i++) {
        unit_change_setup(BASE);
        unit_change_begin();
        unit_change_fail();

        unit_ok(strstr(unit_logged, "taking back a change of") != NULL,
                "a change that failed stays in the file");
        unit_change_text(&zone, text);
        unit_ok(strcmp(text, before) == 0 && unit_change_agrees(),
                "which isn't in force, nor after a reload");

        if (i == 1) {
            /* nor can it be taken out */
            unit_disk.ftruncate = 1;
            unit_is(unit_change_patch("zed", "{\"name\":\"Z\"}"),
                    NGX_HTTP_WASSIIT_CHANGE_NO_DISK,
                    "a disk that fails stays so");
            unit_change_text(&zone, text);
            unit_ok(strcmp(text, before) == 0 && unit_change_agrees(),
                    "and changes nothing");
        }

        if (i == 3) {
            unit_change_writes("Atlas", "Other");
            unit_is(unit_change_patch("atlas", "{\"rate\":\"20r/m\"}"),
                    NGX_HTTP_WASSIIT_CHANGED, "it is written to by hand, too");
            unit_ok(unit_change_agrees() && journal.foreign
                    && strstr(text, "'Other'"), "which isn't passed over");
            continue;
        }

        if (i == 2) {
            unit_change_adds(ZED);
            unit_is(unit_change_patch("rif", "{\"name\":\"Next\"}"),
                    NGX_HTTP_WASSIIT_CHANGED, "lines are added to it");
            unit_ok(unit_change_agrees() && journal.foreign
                    && unit_disk_get(path, data, TEXT) > saved_len
                    && memcmp(data, saved, saved_len) == 0
                    && data[saved_len] == '\n'
                    && data[saved_len + 1] == ' ' && !strstr(data, "Failed"),
                    "it is blanked by the next change");
            continue;
        }

        /* the next change */

        unit_disk_heal();
        unit_is(unit_change_patch("rif", "{\"name\":\"Next\"}"),
                NGX_HTTP_WASSIIT_CHANGED, "the next change is made");
        unit_ok(unit_change_agrees() && !journal.foreign && !journal.dead
                && unit_disk_get(path, data, TEXT) > saved_len
                && memcmp(data, saved, saved_len) == 0
                && !strstr(data, "Failed"), "in place of what failed");
    }
}


/* Nothing can be opened: it needn't be the disk's fault. */

static void
unit_change_opens(void)
{
    ngx_uint_t                  i, n, untried;
    ngx_http_wassiit_changed_e  changed;

    static const struct {
        int                         err;
        ngx_http_wassiit_changed_e  changed;
    } errors[] = {
        { EMFILE, NGX_HTTP_WASSIIT_CHANGE_NO_FD },
        { ENFILE, NGX_HTTP_WASSIIT_CHANGE_NO_FD },
        { EROFS, NGX_HTTP_WASSIIT_CHANGE_NO_DISK },
        { EAGAIN, NGX_HTTP_WASSIIT_CHANGE_BUSY }
    };

    for (i = 0; i < 4; i++) {

        for (n = 1; n < 100; n++) {
            unit_change_setup(BASE);
            unit_change_begin();
            unit_disk.openat = n;
            unit_disk.err = errors[i].err;

            changed = unit_change_patch("atlas", "{\"name\":\"B\"}");

            if (unit_disk.openat) {
                break;
            }

            if (changed != errors[i].changed
                && !(changed == NGX_HTTP_WASSIIT_CHANGE_NO_DISK
                     && errors[i].err == EAGAIN
                     && strstr(unit_logged, "folder")))
            {
                unit_note("answer %d at %d, expected %d: %s", changed, (int) n,
                          errors[i].changed, unit_logged);
                break;
            }

            if (!unit_change_untouched()) {
                unit_note("something is changed at %d", (int) n);
                break;
            }

            unit_disk_heal();

            if (unit_change_patch("rif", "{}") != NGX_HTTP_WASSIIT_CHANGED
                || !unit_change_agrees())
            {
                unit_note("no other change can be made");
                break;
            }
        }

        untried = unit_disk.openat;
        unit_disk_heal();

        unit_ok(untried && n > 3 && changed == NGX_HTTP_WASSIIT_CHANGED
                && unit_change_agrees(), "none of %d can be opened: %s",
                (int) n - 1, strerror(errors[i].err));
    }
}


/* ---- a zone that is left */

/* A configuration that names another file takes the zone over. */

static void
unit_change_reload(unit_disk_e call, ngx_uint_t after)
{
    ngx_http_wassiit_zone_t   newer;
    ngx_http_wassiit_store_t  store;

    if (call == UNIT_DISK_LOOK || ++ncalls != when) {
        return;
    }

    changing = 0;

    newer = zone;
    newer.digest[0] = 1;
    newer.prepared = NULL;

    ngx_memzero(&store, sizeof(store));
    store.journal.foreign = 1;
    newer.store = &store;

    if (ngx_http_wassiit_zone_check_load(&newer, &unit_log) != NGX_OK) {
        exit(2);
    }

    ngx_http_wassiit_zone_load(&newer, &unit_log);
    changing = 1;
}


static void
unit_change_left(void)
{
    ngx_uint_t                  i;
    ngx_http_wassiit_changed_e  changed;

    for (i = 0; i < 3; i++) {
        unit_change_setup(BASE);
        unit_change_begin();

        switch (i) {

        case 0:
            zone.digest[0] = 1;
            break;

        case 1:
            zone.sh->left = UINT64_MAX;
            break;

        default:
            zone.sh->head.superseded = 1;
        }

        changed = unit_change_patch("atlas", "{\"name\":\"B\"}");

        zone.digest[0] = 0;
        zone.sh->left = 0;
        zone.sh->head.superseded = 0;
        unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_LEFT, "",
                       "the zone is another configuration's");
    }

    unit_change_left_meanwhile();
}


/* A newer configuration takes the zone at any of the calls of a change. */

static void
unit_change_left_meanwhile(void)
{
    ngx_uint_t                  i, left, made, wrong;
    ngx_http_wassiit_changed_e  changed;

    left = 0;
    made = 0;
    wrong = 0;

    for (i = 1; i < STEPS; i++) {
        unit_change_setup(BASE);
        unit_change_begin();

        when = i;
        at_call = unit_change_reload;
        changed = unit_change_patch("atlas", "{\"name\":\"B\"}");
        at_call = NULL;

        if (ncalls < when) {
            break;
        }

        (void) unit_disk_get(path, data, TEXT);

        if (changed == NGX_HTTP_WASSIIT_CHANGE_LEFT) {
            left++;

            if (strcmp(data, saved) != 0) {
                unit_note("left at call %d, the file is changed", (int) i);
                wrong++;
            }

        } else if (changed == NGX_HTTP_WASSIIT_CHANGED
                   || changed == NGX_HTTP_WASSIIT_CHANGE_FAILED)
        {
            /* the newer one has deleted the partner since */
            made++;
            wrong += (strcmp(data, saved) == 0);

        } else {
            unit_note("answer %d at call %d", changed, (int) i);
            wrong++;
        }

        wrong += (ngx_http_wassiit_zone_partners(&zone) != 0);
    }

    unit_ok(wrong == 0 && left > 5 && made > 1 && i < STEPS,
            "it is so at once, %d times too early, %d times too late",
            (int) left, (int) made);
}


/* ---- changes of a partner that must be as it was seen */

/* The ETag of a partner as an operator gets it; in one of two places. */

static const char *
unit_change_tag(const char *id)
{
    ngx_str_t                 s;
    ngx_http_wassiit_info_t   info;

    static char        tags[2][NGX_HTTP_WASSIIT_ETAG_LEN + 1];
    static ngx_uint_t  n;

    s.data = (u_char *) id;
    s.len = strlen(id);
    n = !n;

    if (ngx_http_wassiit_zone_get_locked(&zone, &s, &info) != NGX_OK) {
        unit_ok(0, "there is no %s", id);
        return "*";
    }

    ngx_http_wassiit_etag_write((u_char *) tags[n], info.tag);

    return tags[n];
}


static void
unit_change_match(void)
{
    ngx_uint_t                 i, done;
    const char                *seen;
    const unit_change_kind_t  *kind;

    for (i = 0; i < KINDS; i++) {
        kind = &unit_change_kinds[i];

        if (kind->line == NULL
            || kind->what == NGX_HTTP_WASSIIT_CHANGE_FOLLOW)
        {
            continue;
        }

        unit_change_setup(BASE);
        unit_change_begin();

        if (kind->what == NGX_HTTP_WASSIIT_CHANGE_CREATE) {
            match = "*";
            unit_is(unit_change_of(kind), NGX_HTTP_WASSIIT_CHANGE_MISMATCH,
                    "a partner that isn't there is as nobody has seen it");
            unit_ok(unit_change_untouched(), "and is not made");
            match = NULL;
            continue;
        }

        match = "\"0123456789abcdef\"";
        unit_is(unit_change_of(kind), NGX_HTTP_WASSIIT_CHANGE_MISMATCH,
                kind->name);
        unit_ok(unit_change_untouched() && unit_change_agrees(),
                "not if it isn't as it was seen");

        seen = unit_change_tag(kind->id);
        match = NULL;
        unit_is(unit_change_patch(kind->id, "{\"name\":\"Meanwhile\"}"),
                NGX_HTTP_WASSIIT_CHANGED, "another one changes it");

        match = seen;
        unit_change_begin();
        unit_is(unit_change_of(kind), NGX_HTTP_WASSIIT_CHANGE_MISMATCH,
                "nor if it was changed since");
        unit_ok(unit_change_untouched() && unit_change_agrees(),
                "nothing of the other's change is lost");

        match = unit_change_tag(kind->id);
        done = (unit_change_of(kind) == NGX_HTTP_WASSIIT_CHANGED);
        unit_ok(done && unit_change_agrees(), "as it is now it is changed");
        match = NULL;
    }

    unit_change_setup(BASE);
    match = "\"0123456789abcdef\"";
    unit_is(unit_change_patch("nobody", "{}"),
            NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "who isn't there isn't there");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_REVOKE, "atlas", "none", 0),
            NGX_HTTP_WASSIIT_CHANGE_NO_KEY, "nor is a key");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "atlas", "{}", 0),
            NGX_HTTP_WASSIIT_CHANGE_TAKEN, "an id is taken");
    unit_is(unit_change_patch("atlas", "{}"), NGX_HTTP_WASSIIT_CHANGE_MISMATCH,
            "to change nothing is a change");

    match = unit_change_tag("atlas");
    unit_is(unit_change_patch("atlas", "{}"), NGX_HTTP_WASSIIT_CHANGED,
            "which changes nothing");
    unit_ok(strcmp(match, unit_change_tag("atlas")) == 0,
            "nor what it is seen as");
    match = NULL;
}


/* A file that was changed by hand isn't what was seen, and is to be seen. */

static void
unit_change_match_hand(void)
{
    unit_change_setup(BASE);
    match = unit_change_tag("atlas");
    unit_change_puts(ATLAS KEY(2) "}]," SECRETS "}\n" RIF ZED);

    unit_is(unit_change_patch("atlas", "{\"name\":\"A\"}"),
            NGX_HTTP_WASSIIT_CHANGE_MISMATCH, "it was changed by hand");
    unit_ok(unit_change_has(2) && unit_change_agrees(),
            "which is in force, and seen from then on");

    match = unit_change_tag("atlas");
    unit_is(unit_change_patch("atlas", "{\"name\":\"A\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "then it is changed");

    unit_change_setup(BASE);
    unit_change_puts(RIF ZED);
    match = "\"0123456789abcdef\"";
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGE_MISMATCH,
            "one that is served alone is not as it was seen");
    unit_ok(unit_change_has(1), "and stays");

    match = unit_change_tag("atlas");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "as it is seen it is deleted");
    unit_ok(!unit_change_has(1) && unit_change_agrees(), "and is no more");
    match = NULL;
}


/* ---- memory, random numbers, the mutex */

static void
unit_change_failed(void)
{
    ngx_uint_t                  i, n, wrong;
    ngx_http_wassiit_changed_e  changed;

    static const ngx_http_wassiit_change_e  whats[] = {
        NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET,
        NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET
    };

    for (i = 0; i < 3; i++) {
        unit_change_setup(BASE);
        unit_change_begin();
        random_fails = 1;
        changed = unit_change(whats[i], "atlas", NULL, 0);
        unit_change_is(changed, NGX_HTTP_WASSIIT_CHANGE_FAILED, "",
                       "there are no random numbers");
    }

    for (i = 0; i < KINDS; i++) {
        wrong = 0;

        for (n = 1; n < STEPS; n++) {
            unit_change_setup(i % 2 ? BASE : BASE BASE BASE BASE);
            unit_change_begin();

            alloc_fault = n;
            changed = unit_change_of(&unit_change_kinds[i]);

            if (alloc_fault) {
                alloc_fault = 0;
                break;
            }

            wrong += (changed != NGX_HTTP_WASSIIT_CHANGE_FAILED
                      && !(unit_change_kinds[i].line == NULL
                           && changed == NGX_HTTP_WASSIIT_CHANGED));
            wrong += !unit_change_untouched();
            wrong += (unit_change_patch("rif", "{}")
                      != NGX_HTTP_WASSIIT_CHANGED);
            wrong += !unit_change_agrees();
        }

        unit_ok(wrong == 0 && n > 1 && n < STEPS && changed
                == NGX_HTTP_WASSIIT_CHANGED, "%s: no memory, %d times",
                unit_change_kinds[i].name, (int) n - 1);
    }

    unit_change_failed_strange();
}


/* Of a line for which jansson takes more than is set aside for it. */

static void
unit_change_failed_strange(void)
{
    char                        *p;
    ngx_uint_t                   i, n, failed, wrong;
    ngx_http_wassiit_changed_e   changed;

    static char  form[TEXT];

    p = form + sprintf(form, "{\"id\":\"atlas\",\"scopes\":"
                       "[\"audio.send\"");

    for (i = 0; i < 1500; i++) {
        p += sprintf(p, ",\"audio.send\"");
    }

    (void) sprintf(p, "]}\n" RIF ZED);

    failed = 0;
    wrong = 0;

    for (n = 1; n < 5000; n += 1 + n / 32) {
        unit_change_setup(form);
        unit_change_begin();

        alloc_fault = n;
        changed = unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL,
                              0);

        if (alloc_fault) {
            alloc_fault = 0;
            continue;
        }

        failed += (changed != NGX_HTTP_WASSIIT_CHANGED);

        if (changed != NGX_HTTP_WASSIIT_CHANGED) {
            wrong += !unit_change_untouched();
        }

        wrong += (unit_change_patch("rif", "{\"name\":\"Next\"}")
                  != NGX_HTTP_WASSIIT_CHANGED);
        wrong += !unit_change_agrees();
    }

    unit_ok(failed > 10 && wrong == 0,
            "no memory for a strange line, %d times", (int) failed);
}


/* Another process has the zone's mutex, and is stopped. */

static void
unit_change_mutex(void)
{
    ngx_uint_t                  n, i, wrong;
    ngx_http_wassiit_changed_e  changed;

    for (i = 0; i < KINDS; i++) {
        wrong = 0;

        for (n = 1; n < STEPS; n++) {
            unit_change_setup(i % 2 ? BASE : BASE BASE BASE BASE);
            unit_change_begin();

            mutex_fault = n;
            changed = unit_change_of(&unit_change_kinds[i]);

            if (mutex_fault) {
                mutex_fault = 0;
                break;
            }

            if (changed != NGX_HTTP_WASSIIT_CHANGED
                && ((changed != NGX_HTTP_WASSIIT_CHANGE_BUSY
                     && changed != NGX_HTTP_WASSIIT_CHANGE_ZONE_HELD
                     && changed != NGX_HTTP_WASSIIT_CHANGE_LEFT
                     && changed != NGX_HTTP_WASSIIT_CHANGE_FAILED)
                    || !unit_change_untouched()))
            {
                unit_note("%s: answer %d at lock %d", unit_change_kinds[i].name,
                          changed, (int) n);
                wrong++;
            }

            wrong += (unit_change_patch("rif", "{\"name\":\"Next\"}")
                      != NGX_HTTP_WASSIIT_CHANGED);
            wrong += !unit_change_agrees();
        }

        unit_ok(wrong == 0 && n > 1 && n < STEPS,
                "%s: the mutex isn't free, %d times",
                unit_change_kinds[i].name, (int) n - 1);
    }
}


/* ---- files that were changed by hand */

static void
unit_change_hand(void)
{
    unit_change_setup(BASE);
    unit_change_puts("{\"id\":\"hand\",\"name\":\"Hand\"}\n"
                     ATLAS KEY(4) "}]," SECRETS "}\n" ZED RIF);

    unit_is(unit_change_patch("atlas", "{\"name\":\"Other\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "by hand a partner has another key");
    unit_ok(strstr(unit_logged, "notice: \"")
            && strstr(unit_logged, "was changed by another program"),
            "which is logged");
    unit_ok(unit_change_has(4) && !unit_change_has(1) && !unit_change_has(2)
            && change.info.name_len == 5 && change.info.nkeys == 1,
            "with the next change that is in force");

    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "hand", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "by hand there is one more");
    unit_ok(unit_logged[0] == '\0' && unit_change_has(MADE)
            && change.info.name_len == 4, "which can be changed");
    unit_ok(unit_change_agrees() && journal.foreign,
            "the file says what is in force");

    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGE_NOT_DUE, "it isn't compacted");
    unit_ok(unit_change_agrees() && journal.foreign, "until the next reload");

    /* whose last line is looked at */

    unit_change_setup(BASE);
    unit_change_puts(RIF ZED ATLAS KEY(4) "}]," SECRETS "}\n");
    unit_is(unit_change_patch("zed", "{\"name\":\"Z\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "another line is the last one");
    unit_is(leaks, 0, "and no secret of it is left");

    /* though it has lines to spare */

    unit_change_setup(BASE BASE BASE BASE);
    unit_change_puts(BASE BASE BASE BASE);
    unit_is(unit_change_patch("zed", "{\"name\":\"Z\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "nor if it has many lines");
    unit_is(change.compact, 0, "nor is that to be done");
    (void) unit_change(NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0);
    unit_is(unit_disk_get(path, data, TEXT),
            unit_change_fill(base, BASE BASE BASE BASE)
            + sizeof("{\"id\":\"zed\",\"rate\":\"5r/s\",\"keys\":[],"
                     "\"name\":\"Z\"}\n") - 1, "all lines stay");

    /* in place, and of the same length */

    unit_change_setup(BASE);
    unit_change_writes("Atlas", "Other");
    unit_is(unit_change_patch("atlas", "{\"rate\":\"20r/m\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "in place it is written to");
    unit_ok(unit_change_agrees() && strstr(text, "'Other'")
            && journal.foreign, "and as it is then in force");
}


/* By hand, in place: a text becomes another one, as long. */

static void
unit_change_writes(const char *from, const char *to)
{
    char  *p;

    static const struct timespec  times[2];

    (void) unit_disk_get(path, data, TEXT);
    p = strstr(data, from);

    if (p) {
        ngx_memcpy(p, to, strlen(to));
    }

    unit_disk_put(path, data, strlen(data));

    /* at another time, though clocks are slow */
    (void) utimensat(AT_FDCWD, path, times, 0);
}


/* Who is told what a file says that was changed by hand is to find it so. */

static void
unit_change_hand_told(void)
{
    static const char  form[] = BASE "{\"id\":\"hand\",\"keys\":[" KEY(4)
                                "}]}\n";

    unit_change_setup(BASE);
    unit_change_puts(form);
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "hand", "{}", 0),
            NGX_HTTP_WASSIIT_CHANGE_TAKEN, "by hand an id was taken");
    unit_ok(unit_change_agrees() && unit_change_has(4),
            "and its partner is in force");

    unit_change_setup(BASE);
    unit_change_puts(form);
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_REVOKE, "hand", "k5", 0),
            NGX_HTTP_WASSIIT_CHANGE_NO_KEY, "by hand it has no such key");
    unit_ok(unit_change_agrees() && unit_change_has(4), "the same");

    unit_change_setup(BASE);
    unit_change_puts(form);
    unit_disk.fsyncs = 0;
    unit_is(unit_change_patch("hand", "{}"), NGX_HTTP_WASSIIT_CHANGED,
            "nothing is to be changed of it");
    unit_ok(unit_disk.fsyncs == 2 && unit_change_agrees()
            && unit_change_has(4), "but to have it in force");
    unit_is(unit_disk_get(path, data, TEXT), unit_change_fill(base, form),
            "nothing is written");

    unit_change_setup(BASE);
    unit_change_puts(form);
    unit_disk.fsync = 2;
    unit_is(unit_change_patch("hand", "{}"), NGX_HTTP_WASSIIT_CHANGE_NO_DISK,
            "unless it can't be waited for");
    unit_ok(!unit_change_has(4), "then it isn't");

    unit_change_setup(BASE);
    unit_change_puts(BASE "{\"id\":\"atlas\",\"deleted\":true}\n");
    unit_is(unit_change_patch("atlas", "{}"),
            NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "by hand one was deleted");
    unit_ok(unit_change_agrees() && !unit_change_has(1), "and is no more");
}


/* What was taken out by hand is still served, until someone ends it. */

static void
unit_change_hand_ends(void)
{
    ngx_uint_t  i;

    unit_change_setup(BASE);
    unit_change_puts(RIF ZED);

    unit_is(unit_change_patch("atlas", "{}"),
            NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "by hand a line was taken out");
    unit_ok(unit_change_has(1), "the partner is still served");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_REVOKE, "atlas", "k1", 0),
            NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "it has no keys");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGED, "to delete it");
    unit_ok(!unit_change_has(1) && unit_change_agrees(), "ends it");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "atlas", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "once");

    for (i = 0; i < 2; i++) {
        unit_change_setup(BASE);
        unit_change_puts(ATLAS KEY(2) "}]," SECRETS "}\n" RIF ZED);

        if (i == 0) {
            unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_REVOKE, "atlas", "k1x",
                                0),
                    NGX_HTTP_WASSIIT_CHANGE_NO_KEY, "no key has this id");
            unit_ok(!unit_change_has(1), "what the file says is in force");
            continue;
        }

        unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_REVOKE, "atlas", "k1", 0),
                NGX_HTTP_WASSIIT_CHANGED, "by hand a key was taken out");
        unit_ok(!unit_change_has(1) && unit_change_has(2)
                && unit_change_agrees(), "to revoke it ends it");
        unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_REVOKE, "atlas", "k1", 0),
                NGX_HTTP_WASSIIT_CHANGE_NO_KEY, "once");
    }
}


/* The end of a line that is too long looks like the beginning of one. */

static void
unit_change_hand_long(void)
{
    size_t  len;

    static char  form[TEXT];

    len = sprintf(form, BASE "x{\"a\":\"");
    memset(form + len, 'y', NGX_HTTP_WASSIIT_LINE - 6);
    form[len + NGX_HTTP_WASSIIT_LINE - 6] = '\0';

    unit_change_setup(BASE);
    unit_change_puts(form);
    unit_change_begin();

    unit_is(unit_change_patch("zed", "{\"name\":\"Other\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "a line is too long");
    unit_ok(unit_disk_get(path, data, TEXT) > saved_len
            && memcmp(data, saved, saved_len) == 0, "and stays");
}


/* After a power cut there may be zeros where a line was. */

static void
unit_change_hand_zeros(void)
{
    ngx_uint_t   i;
    struct stat  st;

    for (i = 0; i < 8; i++) {
        unit_change_setup(BASE);
        loose = (i >= 4);

        if (i & 1) {
            unit_change_puts(BASE);
        }

        if (i & 4) {
            /* a line that is whole before that */
            unit_change_adds("{\"id\":\"zed\",\"name\":\"Whole\"}");
        }

        (void) stat(path, &st);

        if (truncate(path, st.st_size + 10) == -1) {
            exit(2);
        }

        if (i & 2) {
            unit_change_adds("\n");
        }

        unit_is(unit_change_patch("atlas", "{\"name\":\"Other\"}"),
                NGX_HTTP_WASSIIT_CHANGED, "a file ends in zeros");
        unit_ok(strstr(unit_logged, "ends in the middle of a line, whose")
                && unit_disk_get(path, data, TEXT) > 0
                && unit_change_load(&fresh, 0) == NGX_OK, "which are cut off");
        unit_is(strstr(data, "Whole") != NULL, i >= 4, "what is whole stays");
        unit_is(unit_change_patch("zed", "{}"), NGX_HTTP_WASSIIT_CHANGED,
                "and counts");
        unit_ok(unit_change_agrees(), "in force and in the file");
    }

    loose = 0;
}


/* How a file ends that was changed by hand. */

static void
unit_change_hand_end(void)
{
    ngx_uint_t   i;
    const char  *log;

    static const struct {
        const char  *form;          /* of a file in the place of the base */
        const char  *end;           /* or what is added to that */
        ngx_uint_t   torn;          /* it is cut off */
    } ends[] = {
        { BASE "{\"id\":\"zed\",\"na", NULL, 1 },
        { NULL, "{\"id\":\"zed\",\"na", 1 },
        { BASE "{\"id\":\"zed\",\"rate\":\"5r/s\"}", NULL, 0 },
        { NULL, "{\"id\":\"zed\",\"rate\":\"5r/s\"}", 0 },
        { NULL, "{\"id\":\"zed\",\"rate\":\"5r/s\"}\n", 0 },
        { NULL, "\n", 0 },
        { NULL, " \n{\"id\":\"zed\",\"rate\":\"5r/s\"}\n", 0 },
        { NULL, ZED RIF, 0 },
        { "{\"id\":\"zed\",\"na", NULL, 1 },
        { "", NULL, 0 }
    };

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        unit_change_setup(BASE);

        if (ends[i].form) {
            unit_change_puts(ends[i].form);

        } else {
            unit_change_adds(ends[i].end);
        }

        if (i < 8) {
            unit_is(unit_change_patch("atlas", "{\"name\":\"Other\"}"),
                    NGX_HTTP_WASSIIT_CHANGED, "a file has another end");

        } else {
            unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_CREATE, "atlas", "{}",
                                0),
                    NGX_HTTP_WASSIIT_CHANGED, "a file has nothing else");
        }

        blanks = (i == 5);
        loose = (i == 2 || i == 3);
        log = strstr(unit_logged, "ends in the middle of a line, whose");
        unit_is(log != NULL, ends[i].torn, "what is torn is cut off");

        if (i < 8) {
            unit_ok(unit_change_agrees(), "a line is added to all the rest");
            blanks = 0;
            loose = 0;

        } else {
            unit_log_forget();
            unit_ok(unit_change_load(&fresh, 0) == NGX_OK
                    && unit_logged[0] == '\0'
                    && ngx_http_wassiit_zone_partners(&fresh) == 1,
                    "it has a line then");
        }
    }

    unit_change_hand_zeros();

    /* what isn't cut off for certain is, later */

    unit_change_setup(BASE);
    unit_change_adds("{\"id\":\"zed\",\"na");
    unit_disk.fsync = 1;
    unit_is(unit_change_patch("atlas", "{\"name\":\"Other\"}"),
            NGX_HTTP_WASSIIT_CHANGE_NO_DISK, "what is torn can't be cut off");
    unit_disk_heal();
    unit_is(unit_change_patch("atlas", "{\"name\":\"Other\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "but by the next one");
    unit_ok(unit_change_agrees() && !journal.foreign, "who knows the file");

    unit_change_setup(BASE);
    unit_change_adds("{\"id\":\"zed\",\"na");
    unit_is(unit_change(NGX_HTTP_WASSIIT_CHANGE_DELETE, "none", NULL, 0),
            NGX_HTTP_WASSIIT_CHANGE_NO_PARTNER, "nothing is written");
    unit_is(unit_change_patch("atlas", "{\"name\":\"Other\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "where something was cut off");
    unit_ok(unit_change_agrees() && !journal.foreign, "the file is known");

    unit_change_hand_long();

    /* more than any line has, and than a change has memory */

    unit_change_setup(BASE);

    for (i = 0; i < 40; i++) {
        unit_change_adds(LINES LINES LINES LINES LINES LINES LINES LINES);
    }

    unit_is(unit_change_patch("zed", "{\"name\":\"Other\"}"),
            NGX_HTTP_WASSIIT_CHANGED, "many lines are added");
    unit_ok(unit_change_agrees() && journal.foreign, "as by hand");
}
