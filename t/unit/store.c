
/*
 * The partners' file: loaded whole and cut at every byte, changed, compacted,
 * compared with what is known of it; and a disk that fails.
 */


#include "unit.h"
#include "objects.h"
#include "disk.h"
#include "steps.h"

#include "ngx_http_wassiit_compact.h"
#include "ngx_http_wassiit_store.h"


#define STORE_TEXT      (4 * 1024 * 1024)   /* the largest file here */
#define STORE_SPANS     512

#define STORE_MOVES     3                   /* of a file, while it is loaded */

#define KEY(id, first)                                                       \
    "{\"id\":\"" id "\",\"sha256\":\"" first                                 \
    "112233445566778899aabbccddeeffffeeddccbbaa99887766554433221100\","      \
    "\"created\":\"2026-11-01T09:00:00Z\",\"expires\":\"2036-12-01T00:00:00Z\"}"


/* what someone does to files on the way, right before the n-th call */

typedef struct {
    ngx_uint_t  at;
    int         what;
} unit_store_move_t;


/* a text, which may hold zeros */

typedef struct {
    const char  *data;
    size_t       len;
} unit_store_text_t;


static void unit_store_loads(void);
static void unit_store_cuts(void);
static ngx_uint_t unit_store_cut_line(const char *base, const char *line,
    const char *next);
static ngx_uint_t unit_store_cut_at(unit_store_text_t *base,
    unit_store_text_t *line, size_t n, size_t whole, const char *next);
static void unit_store_cut_strange(void);
static void unit_store_zeros(void);
static void unit_store_lost(void);
static ngx_uint_t unit_store_lost_of(const char *line);
static ngx_uint_t unit_store_lost_at(size_t base, size_t lf, size_t len,
    size_t whole, ngx_uint_t lost);
static void unit_store_lost_sectors(void);
static void unit_store_lost_before(void);
static void unit_store_no_lf(void);
static void unit_store_bad_lines(void);
static void unit_store_parts(void);
static void unit_store_appends(void);
static void unit_store_append_fails(void);
static void unit_store_cut_fails(void);
static void unit_store_compacts(void);
static void unit_store_compact_settle(void);
static void unit_store_compact_many(void);
static void unit_store_compact_fails(void);
static void unit_store_checks(void);
static void unit_store_checked(ngx_int_t expected, const char *what);
#if (UNIT_STEPS)
static void unit_store_journals(void);
static ngx_uint_t unit_store_journals_stop(ngx_uint_t at);
static void unit_store_journals_stopped(void);
static void unit_store_journals_died(void);
static void unit_store_journals_tell(ngx_http_wassiit_journals_t *journals,
    ngx_uint_t n);
static ngx_uint_t unit_store_journals_told(
    ngx_http_wassiit_journals_t *journals);
static ngx_uint_t unit_store_journals_which(
    ngx_http_wassiit_journal_t *journal);
#endif
static void unit_store_searches(void);
static void unit_store_locks(void);
static void unit_store_waits(void);
static void unit_store_syncs_before(void);
static void unit_store_syncs(void);
static void unit_store_modes(void);
static void unit_store_added(void);
static void unit_store_moves(void);
static void unit_store_marks(void);
static void unit_store_unchanged(void);
static ngx_uint_t unit_store_reads(ngx_uint_t partners);
static void unit_store_moves_of(const char *kinds, const char *what);
static ngx_uint_t unit_store_moved(void);
static void unit_store_called(unit_disk_e call, ngx_uint_t after);
static void unit_store_move(int what);
static ngx_http_wassiit_store_t *unit_store_load_on(ngx_uint_t write);


static char                    unit_store_dir[256];
static char                    unit_store_path[300];
static char                    unit_store_other[300];
static ngx_str_t               unit_store_name;
static ngx_wassiit_scopes_t    unit_store_scopes;

static unit_store_move_t       unit_store_moving[STORE_MOVES];
static ngx_uint_t              unit_store_calls;
static char                    unit_store_victim[320];
static char                    unit_store_kept[300];    /* its folder */
static char                    unit_store_on[300];      /* the folder, */
static char                    unit_store_off[300];     /* put aside */
static char                    unit_store_in[320];      /* the file, */
static char                    unit_store_out[320];     /* put aside */
static char                    unit_store_beside[340];  /* its next one */

static char                    unit_store_data[STORE_TEXT];
static char                    unit_store_made[STORE_TEXT];

static ngx_http_wassiit_store_t    *unit_store;     /* the one loaded last */
static ngx_http_wassiit_journal_t   unit_store_journal;
static ngx_http_wassiit_journals_t  unit_store_told;
static ngx_http_wassiit_journals_t *unit_store_former;
static ngx_http_wassiit_load_t      unit_store_how;
static ngx_http_wassiit_journals_t  unit_store_loaded;
static ngx_http_wassiit_file_t      unit_store_file;

/* journals: where the reader stops, how many are told then, what was wrong */

#if (UNIT_STEPS)
static ngx_http_wassiit_journals_t  unit_store_shared;
static ngx_uint_t  unit_store_stop, unit_store_tells, unit_store_wrong;
#endif


static const char  unit_store_base[] =
    "{\"id\":\"atlas\",\"name\":\"Atlas\",\"rate\":\"10r/m\",\"keys\":["
        KEY("k1", "a0") "]}\n"
    "{\"id\":\"rif\",\"scopes\":[\"messages.send\"],\"hmac_secret\":"
        "\"c2VjcmV0\",\"enabled\":false}\n";

/* all that the endpoint may write, and what it would never write like that */

static const char  *unit_store_lines[] = {

    "{\"id\":\"new\",\"name\":\"\303\251\342\202\254\360\237\230\200 \\u00e9"
        "\\u20ac\\ud83d\\ude00 \\\"q\\\" \\\\ \\/\",\"enabled\":true,"
        "\"scopes\":[\"messages.send\",\"audio.send\",\"files.send\","
        "\"calls.initiate\",\"conversations.read\",\"webhooks.manage\"],"
        "\"rate\":\"1000000r/d\",\"keys\":["
        KEY("k1", "00") "," KEY("k2", "01") "," KEY("k3", "02") ","
        KEY("k4", "03") "," KEY("k5", "04") "," KEY("k6", "05") ","
        KEY("k7", "06") "," KEY("k8", "07") "],"
        "\"hmac_secret\":\"AAECAwQFBgcICQoLDA0ODw==\","
        "\"webhook_secret\":\"\\b\\f\\n\\r\\t \303\251 \\u20ac\"}\n",

    "{\"id\":\"new\",\"enabled\":true}\n",
    "{\"enabled\":false,\"id\":\"new\"}\n",
    "{\"id\":\"atlas\",\"deleted\":true}\n",
    "{\"id\":\"rif\",\"name\":\"Rif\",\"keys\":[]}\n",
    "{\"id\":\"new\",\"scopes\":[]}\r\n",
    " \t{ \"id\" : \"new\" ,\t\"keys\" : [ ] , \"enabled\" : false } \t\n",
    "\r \r{\"id\":\"new\"}\r\n",
    "{\"\\u0069\\u0064\":\"\\u006eew\"}\n",
    "{\"id\":\"new\",\"name\":\"\360\237\230\200\"}\n",
    "{\"id\":\"new\",\"hmac_secret\":\"AAAA\",\"former_hmac_secret\":"
        "{\"value\":\"BBBB\",\"expires\":\"2026-11-15T12:00:00Z\"},"
        "\"webhook_secret\":\"a\",\"next_webhook_secret\":{\"value\":"
        "\"\\u20ac\",\"expires\":\"2026-11-16T12:00:00Z\"}}\n"
};


int
main(void)
{
    unit_start();

    unit_disk_hook = unit_store_called;

    unit_folder(unit_store_dir, sizeof(unit_store_dir), NULL, "store");

    snprintf(unit_store_path, sizeof(unit_store_path), "%s/partners.jsonl",
             unit_store_dir);
    snprintf(unit_store_other, sizeof(unit_store_other),
             "%s/partners.jsonl.compact", unit_store_dir);

    unit_store_name.data = (u_char *) unit_store_path;
    unit_store_name.len = strlen(unit_store_path);

    ngx_wassiit_scopes_init(&unit_store_scopes, NULL);
    ngx_wassiit_scopes_settle(&unit_store_scopes);

    /* as a worker does that changes the file */
    ngx_http_wassiit_arena_install();

    unit_store_loads();
    unit_store_marks();
    unit_store_unchanged();
    unit_store_cuts();
    unit_store_cut_strange();
    unit_store_zeros();
    unit_store_lost();
    unit_store_lost_sectors();
    unit_store_lost_before();
    unit_store_no_lf();
    unit_store_bad_lines();
    unit_store_parts();
    unit_store_appends();
    unit_store_append_fails();
    unit_store_cut_fails();
    unit_store_compacts();
    unit_store_compact_settle();
    unit_store_compact_many();
    unit_store_compact_fails();
    unit_store_checks();
#if (UNIT_STEPS)
    unit_store_journals();
#endif
    unit_store_searches();
    unit_store_locks();
    unit_store_waits();
    unit_store_syncs_before();
    unit_store_syncs();
    unit_store_modes();
    unit_store_added();
    unit_store_moves();

    if (unit_store) {
        ngx_http_wassiit_store_destroy(unit_store);
    }

    (void) unlink(unit_store_path);
    (void) unlink(unit_store_other);
    unit_is(rmdir(unit_store_dir), 0, "nothing else is left in the folder");

    return unit_done();
}


/* ---- files */

/* A new file, never one that anything knows of. */

static void
unit_store_put(const char *data, size_t len)
{
    (void) unlink(unit_store_path);
    unit_disk_put(unit_store_path, data, len);
}


static void
unit_store_puts(const char *text)
{
    unit_store_put(text, strlen(text));
}


/* What is in it now; -1 if it isn't there. */

static ssize_t
unit_store_get_at(const char *path)
{
    return unit_disk_get(path, unit_store_data, STORE_TEXT);
}


static ssize_t
unit_store_get(void)
{
    return unit_store_get_at(unit_store_path);
}


static ngx_uint_t
unit_store_holds(const char *data, size_t len)
{
    return unit_store_get() == (ssize_t) len
           && memcmp(unit_store_data, data, len) == 0;
}


static ngx_uint_t
unit_store_has_other(void)
{
    return access(unit_store_other, F_OK) == 0;
}


/* ---- stores */

/* Loads the file in place of what was loaded before. */

static ngx_http_wassiit_store_t *
unit_store_load(ngx_uint_t write)
{
    unit_store_how.waited = 0;

    return unit_store_load_on(write);
}


/* And the same as one of several files. */

static ngx_http_wassiit_store_t *
unit_store_load_on(ngx_uint_t write)
{
    if (unit_store) {
        ngx_http_wassiit_store_destroy(unit_store);
    }

    unit_log_forget();

    unit_store_how.scopes = &unit_store_scopes;
    unit_store_how.user = geteuid();
    unit_store_how.former = unit_store_former;
    unit_store_how.write = write;

    unit_store = ngx_http_wassiit_store_load(&unit_store_name, &unit_store_how,
                                             &unit_log);
    return unit_store;
}


/*
 * Lets go of the file, as nginx does when workers take over.  The first change
 * would wait for the folder.
 */

static void
unit_store_leave(void)
{
    unit_store_journal = unit_store->journal;
    unit_store_journal.folder = 0;

    ngx_http_wassiit_store_destroy(unit_store);
    unit_store = NULL;
}


/* All that the partners are, as a text to compare. */

static const char *
unit_store_text(void)
{
    size_t                      n;
    ngx_uint_t                  i;
    ngx_http_wassiit_key_t     *key;
    ngx_http_wassiit_record_t  *rec;

    static char  text[65536];

    if (unit_store == NULL) {
        return "not loaded";
    }

    n = snprintf(text, sizeof(text), "%u partners:",
                 (unsigned) unit_store->partners);

    for (rec = unit_store->records; rec && n < sizeof(text) / 2;
         rec = rec->next)
    {
        if (rec->deleted) {
            continue;
        }

        n += snprintf(text + n, sizeof(text) - n,
                      " [%.*s '%.*s' %d scopes %llx %u/%u",
                      (int) rec->id.len, rec->id.data, (int) rec->name.len,
                      rec->name.data, rec->enabled,
                      (unsigned long long) rec->scopes,
                      (unsigned) rec->rate.limit,
                      (unsigned) rec->rate.seconds);

        for (i = 0; i < rec->nkeys; i++) {
            key = &rec->keys[i];

            n += snprintf(text + n, sizeof(text) - n, " %.*s=%08x %lld-%lld",
                          (int) key->id.len, key->id.data,
                          ngx_crc32_long(key->digest, NGX_WASSIIT_DIGEST_LEN),
                          (long long) key->created, (long long) key->expires);
        }

        if (rec->secrets) {
            n += snprintf(text + n, sizeof(text) - n, " secrets %u %u %08x",
                          (unsigned) rec->secrets->has_hmac,
                          (unsigned) rec->secrets->has_webhook,
                          ngx_crc32_long((u_char *) rec->secrets,
                             ngx_http_wassiit_record_secrets_size(
                                                             rec->secrets)));
        }

        n += snprintf(text + n, sizeof(text) - n, "]");
    }

    return text;
}


/* Does the store hold what another file would give?  Loads both. */

static char   unit_store_wanted[4][65536];
static char  *unit_store_expected = unit_store_wanted[0];

static void
unit_store_expect(const char *data, size_t len)
{
    unit_store_put(data, len);
    unit_store_load(0);

    snprintf(unit_store_expected, sizeof(unit_store_wanted[0]), "%s",
             unit_store_text());
}


static ngx_uint_t
unit_store_as_expected(void)
{
    return strcmp(unit_store_text(), unit_store_expected) == 0;
}


/* Do spans tell where the lines are?  Those of a file without spaces. */

static ngx_uint_t
unit_store_spans_right(void)
{
    char                        id[NGX_HTTP_WASSIIT_ID_LEN + 16];
    ssize_t                     size;
    ngx_http_wassiit_record_t  *rec;

    size = unit_store_get();

    for (rec = unit_store->records; rec; rec = rec->next) {

        if (rec->deleted) {
            continue;
        }

        snprintf(id, sizeof(id), "{\"id\":\"%.*s\"", (int) rec->id.len,
                 rec->id.data);

        if (rec->offset + (ssize_t) rec->len > size
            || (rec->offset && unit_store_data[rec->offset - 1] != LF)
            || strncmp(unit_store_data + rec->offset, id, strlen(id)) != 0
            || (unit_store_data[rec->offset + rec->len - 1] != LF
                && rec->offset + (ssize_t) rec->len != size)
            || memchr(unit_store_data + rec->offset, LF, rec->len - 1))
        {
            unit_note("the line of %.*s isn't at %lld", (int) rec->id.len,
                      rec->id.data, (long long) rec->offset);
            return 0;
        }
    }

    return 1;
}


/* ---- changes, as a worker makes them, that knows what it has loaded */

static ngx_int_t
unit_store_open(void)
{
    unit_store_file.name = unit_store_name;
    unit_store_file.log = &unit_log;
    unit_store_file.level = NGX_LOG_CRIT;

    return ngx_http_wassiit_file_open(&unit_store_file, 1);
}


static ngx_int_t
unit_store_add(const char *line, ngx_http_wassiit_span_t *span)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_file_append(&unit_store_file, &unit_store_journal,
                                      (u_char *) line, strlen(line), span);
    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_file_known(&unit_store_file,
                                         &unit_store_journal, 1);
    }

    return rc;
}


/* What failed is taken out first. */

static ngx_int_t
unit_store_known(void)
{
    ngx_int_t                    rc;
    ngx_http_wassiit_journal_t  *journal = &unit_store_journal;

    if (journal->dead) {
        rc = ngx_http_wassiit_file_bury(&unit_store_file, journal);
        ngx_http_wassiit_file_stamp(&unit_store_file, journal);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_http_wassiit_file_check(&unit_store_file, journal);
}


/* Opens, compares, adds, closes: NGX_BUSY, and the file is longer. */

static ngx_int_t
unit_store_change(const char *line)
{
    ngx_int_t                rc;
    ngx_http_wassiit_span_t  span;

    if (unit_store_open() != NGX_OK) {
        return NGX_ERROR;
    }

    rc = unit_store_known();

    if (rc == NGX_OK && unit_store_file.size > unit_store_journal.size) {
        rc = NGX_BUSY;
    }

    if (rc == NGX_OK) {
        rc = unit_store_add(line, &span);
    }

    ngx_http_wassiit_file_close(&unit_store_file);

    return rc;
}


/* ---- the tests */

static void
unit_store_loads(void)
{
    unit_store_puts(unit_store_base);

    if (!unit_ok(unit_store_load(0) != NULL, "a file is loaded")) {
        unit_note("%s", unit_logged);
        return;
    }

    unit_is(unit_store->partners, 2, "with its partners");
    unit_is(unit_store->journal.lines, 2, "and lines");
    unit_is(unit_store->journal.size, strlen(unit_store_base), "and bytes");
    unit_ok(unit_store_spans_right(), "and it is known where they are");
    unit_ok(strcmp(unit_logged, "") == 0, "nothing is logged");

    unit_store_puts("");
    unit_ok(unit_store_load(1) && unit_store->partners == 0
            && unit_store->journal.size == 0, "so is an empty file");

    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_store_leave();

    unit_is(unit_store_change("{\"id\":\"first\"}\n"), NGX_OK,
            "a line is added to it");
    unit_ok(unit_store_load(0) && unit_store->partners == 1, "and counts");

    unit_store_puts("\n \t\n{\"id\":\"a\"}\n\n{\"id\":\"b\"}\r\n\r\n"
                    "{\"id\":\"a\",\"name\":\"A\"}\n"
                    "{\"id\":\"c\"}\n{\"id\":\"c\",\"deleted\":true}\n");
    unit_ok(unit_store_load(0) && unit_store->partners == 2
            && strcmp(unit_store_text(), "2 partners: "
                      "[a 'A' 1 scopes 0 0/0] [b '' 1 scopes 0 0/0]") == 0,
            "the later line counts, blank ones don't, one deletes");

    (void) unlink(unit_store_path);
    unit_ok(unit_store_load(0) == NULL && strstr(unit_logged, "emerg: open()"),
            "a file that isn't there is an error");
}


/*
 * A byte order mark is passed over, wherever what is known of the file's end
 * begins.
 */

static void
unit_store_marks(void)
{
    size_t  len;

    for (len = 18; len < 100; len++) {
        snprintf(unit_store_made, STORE_TEXT,
                 "\xef\xbb\xbf{\"id\":\"a\"}%*s\n", (int) len - 14, "");
        unit_store_puts(unit_store_made);

        if (!unit_ok(unit_store_load(1) && unit_store->partners == 1
                     && unit_store->journal.size == (off_t) len
                     && unit_store->records->len == len
                     && strcmp(unit_logged, "") == 0,
                     "a file with a mark, of %u bytes", (unsigned) len))
        {
            unit_note("%s", unit_logged);
            return;
        }

        ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
        unit_store_leave();

        ngx_http_wassiit_journal_set(&unit_store_loaded, &unit_store_journal);
        unit_is(unit_store_reads(1), 0, "is known");
        ngx_http_wassiit_store_destroy(unit_store);
        unit_store = NULL;

        unit_is(unit_store_change("{\"id\":\"b\"}\n"), NGX_OK,
                "and a line is added to it");
        unit_ok(unit_store_load(0) && unit_store->partners == 2,
                "which counts");
    }

    unit_store_puts("\xef\xbb\xbf");
    unit_ok(unit_store_load(0) && unit_store->partners == 0, "a mark alone");

    unit_store_puts("\xef\xbb\xbf\n{\"id\":\"a\"}\n");
    unit_ok(unit_store_load(0) && unit_store->partners == 1,
            "a mark and a blank line");

    unit_store_puts("{\"id\":\"a\"}\n\xef\xbb\xbf{\"id\":\"b\"}\n");
    unit_ok(unit_store_load(0) == NULL && strstr(unit_logged, ":2: column"),
            "it is one at the beginning alone");

    unit_store_puts("\xef\xbb\xbf\xef\xbb\xbf{\"id\":\"b\"}\n");
    unit_ok(unit_store_load(0) == NULL && strstr(unit_logged, ":1: column"),
            "and one");
}


/* Of a file that is in force, and that nobody has touched, nothing is read. */

static void
unit_store_unchanged(void)
{
    int                           fd;
    u_char                        c;
    ngx_uint_t                    i;
    struct stat                   sb;
    struct timespec               times[2];
    ngx_http_wassiit_journal_t    journal;
    ngx_http_wassiit_journals_t  *journals;

    static const char *const  whats[] = {
        "or if others have changed it",
        "or a line is being added",
        "or lines are being moved",
        "or a change of it has failed",
        "or it isn't known when it was changed",
        "or its end is another"
    };

    unit_store_puts(unit_store_base);
    (void) chmod(unit_store_path, 0644);
    (void) unit_store_load(1);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_store_leave();

    journals = &unit_store_loaded;
    ngx_http_wassiit_journal_set(journals, &unit_store_journal);

    unit_is(unit_store_reads(2), 0, "an unchanged file isn't read again");
    unit_ok(unit_store->partners == 2 && unit_store->journal.lines == 2
            && unit_store->journal.size == (off_t) strlen(unit_store_base)
            && unit_store->journal.crc == unit_store_journal.crc,
            "and all is known of it");
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    ngx_http_wassiit_journal_set(journals, &unit_store->journal);
    unit_is(unit_store_reads(2), 0, "nor a third time");
    unit_is(unit_store_reads(3), 1, "it is if there are other partners");

    for (i = 0; i < sizeof(whats) / sizeof(whats[0]); i++) {
        journal = unit_store_journal;

        switch (i) {

        case 0:
            journal.foreign = 1;
            break;

        case 1:
            journal.writing = 1;
            break;

        case 2:
            journal.moving = 1;
            break;

        case 3:
            ngx_http_wassiit_journal_mark_dead(&journal, journal.dev,
                                               journal.ino, 0, 1);
            break;

        case 4:
            journal.ctime = 0;
            break;

        default:
            journal.crc ^= 1;
        }

        ngx_http_wassiit_journal_set(journals, &journal);
        unit_is(unit_store_reads(2), 1, whats[i]);
    }

    ngx_http_wassiit_journal_set(journals, &unit_store_journal);
    unit_is(unit_store_reads(2), 0, "otherwise it isn't");

    /* its time is put back, as some programs do it */

    (void) stat(unit_store_path, &sb);
    fd = open(unit_store_path, O_RDWR);
    unit_ok(pread(fd, &c, 1, 5) == 1 && pwrite(fd, &c, 1, 5) == 1,
            "someone writes what is there");
    times[0] = sb.st_atim;
    times[1] = sb.st_mtim;
    (void) futimens(fd, times);
    (void) close(fd);
    unit_is(unit_store_reads(2), 1, "it is read even if its time is put back");

    unit_store_leave();
    ngx_http_wassiit_journal_set(journals, &unit_store_journal);
    unit_is(unit_store_reads(2), 0, "once");

    unit_store_puts(unit_store_base);
    unit_is(unit_store_reads(2), 1, "so is another file with the same lines");
}


/* Were lines read in this load, by what is known of the last one? */

static ngx_uint_t
unit_store_reads(ngx_uint_t partners)
{
    ngx_uint_t  read;

    unit_store_how.loaded = &unit_store_loaded;
    unit_store_how.partners = partners;

    (void) unit_store_load(0);
    read = !unit_store->unchanged;
    unit_is(read, unit_store->records != NULL, "read or not");

    unit_store_how.loaded = NULL;

    return read;
}


/* ---- a file that was cut */

static void
unit_store_cuts(void)
{
    ngx_uint_t  i, k;

    static const char  next[] = "{\"id\":\"next\",\"keys\":[" KEY("k1", "f0")
                                "]}\n";
    static const char  *bases[] = { unit_store_base, "" };

    /* processes take time, above all where an address space is large */
    unit_disk.forks = 1;

    for (k = 0; k < 2; k++) {
        for (i = 0; i < sizeof(unit_store_lines) / sizeof(char *); i++) {

            if (k == 1 && strstr(unit_store_lines[i], "deleted")) {
                continue;
            }

            unit_ok(unit_store_cut_line(bases[k], unit_store_lines[i], next),
                    "line %u, %s, is there or not, wherever it was cut",
                    (unsigned) i, k ? "alone" : "after others");
        }
    }

    unit_disk_heal();
}


static ngx_uint_t
unit_store_cut_line(const char *base, const char *line, const char *next)
{
    size_t             n, whole;
    ngx_uint_t         wrong;
    unit_store_text_t  before, last;

    before.data = base;
    before.len = strlen(base);
    last.data = line;
    last.len = strlen(line);

    /* what follows the brace doesn't matter */
    whole = strrchr(line, '}') + 1 - line;
    wrong = 0;

    /* without and with it, and the same with one more */

    for (n = 0; n < 4; n++) {
        unit_store_expected = unit_store_wanted[n];
        snprintf(unit_store_made, STORE_TEXT, "%s%s%s", base,
                 (n & 1) ? line : "", (n & 2) ? next : "");
        unit_store_expect(unit_store_made, strlen(unit_store_made));
    }

    for (n = 0; n <= last.len; n++) {
        if (!unit_store_cut_at(&before, &last, n, whole, next)) {
            unit_note("cut at byte %u of %u, whole from %u on", (unsigned) n,
                      (unsigned) last.len, (unsigned) whole);

            if (++wrong == 10) {
                break;
            }
        }
    }

    return wrong == 0;
}


static ngx_uint_t
unit_store_said(ngx_uint_t good, const char *what)
{
    if (!good) {
        unit_note("%s", what);
        unit_note("%s", unit_store_text());
        unit_note("%s", unit_store_expected);
        unit_note("%s", unit_logged);
    }

    return good;
}


static ngx_uint_t
unit_store_cut_at(unit_store_text_t *base, unit_store_text_t *line, size_t n,
    size_t whole, const char *next)
{
    off_t       size;
    size_t      len, blank;
    ngx_uint_t  torn, compact;

    blank = strspn(line->data, " \t\r");
    torn = (n > blank && n < whole);
    len = base->len + n;

    ngx_memcpy(unit_store_made, base->data, base->len);
    ngx_memcpy(unit_store_made + base->len, line->data, line->len);

    unit_store_expected = unit_store_wanted[n >= whole];

    unit_store_put(unit_store_made, len);

    if (!unit_store_said(unit_store_load(1) != NULL, "it isn't loaded")
        || !unit_store_said(unit_store_as_expected(), "other partners"))
    {
        return 0;
    }

    if (!unit_store_said((strstr(unit_logged, "warn: ") != NULL) == torn,
                         torn ? "no warning" : "a warning"))
    {
        return 0;
    }

    size = torn ? base->len : len;

    if (!unit_store_said(unit_store->journal.size == size, "another size")
        || !unit_store_said(unit_store_holds(unit_store_made, len),
                            "it was changed when it was loaded"))
    {
        return 0;
    }

    compact = (unit_store->journal.lines != unit_store->partners);

    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_store_leave();

    if (!compact
        && !unit_store_said(unit_store_holds(unit_store_made, size),
                            "what was left out is still there"))
    {
        return 0;
    }

    if (!unit_store_said(unit_store_load(0) && unit_store_as_expected()
                         && strcmp(unit_logged, "") == 0,
                         "it isn't loaded when it was settled"))
    {
        return 0;
    }

    unit_store_leave();

    /* what was settled can be changed */

    if (!unit_store_said(unit_store_change(next) == NGX_OK,
                         "nothing can be added"))
    {
        return 0;
    }

    unit_store_expected = unit_store_wanted[2 + (n >= whole)];

    return unit_store_said(unit_store_load(0) && unit_store_as_expected()
                           && strcmp(unit_logged, "") == 0,
                           "what was added isn't there, or more has gone");
}


/* Lines that are JSON, though none of ours: torn they aren't bad. */

static void
unit_store_cut_strange(void)
{
    size_t       n, whole, base;
    char        *p;
    ngx_uint_t   i;

    static const char  *lines[] = {
        "{\"id\":\"new\",\"a\":null}",
        "{\"id\":\"new\",\"a\":[true,false,null,{}],\"b\":{\"c\":[[]]}}",
        "{\"a\":true}",
        "{\"id\":\"new\",\"a\":-12.5e+3}",
        "{\"id\":\"new\",\"a\":0.25E-7,\"b\":1234567890}",
        "{\"id\":\"new\",\"rate\":\"0r/m\"}",
        "{\"id\":\"new\",\"name\":\"\\u0007\"}"
    };

    base = strlen(unit_store_base);

    for (i = 0; i < sizeof(lines) / sizeof(char *); i++) {

        unit_disk.forks = 1;
        unit_store_expect(unit_store_base, base);

        whole = strlen(lines[i]);
        p = unit_store_made;
        ngx_memcpy(p, unit_store_base, base);
        ngx_memcpy(p + base, lines[i], whole);

        for (n = 1; n < whole; n++) {
            unit_store_put(p, base + n);

            if (unit_store_load(0) == NULL || !unit_store_as_expected()
                || strstr(unit_logged, "warn: ") == NULL)
            {
                break;
            }
        }

        if (!unit_ok(n == whole, "%s, cut, is left out", lines[i])) {
            unit_note("at byte %u: %s", (unsigned) n, unit_logged);
        }

        unit_store_put(p, base + whole);
        unit_ok(unit_store_load(0) == NULL
                && strstr(unit_logged, "partners.jsonl:3: "),
                "whole, it is an error");
    }

    unit_disk_heal();
}


/* What a file system leaves of a line whose blocks never came. */

static void
unit_store_zeros(void)
{
    size_t       n, base, cut, wrong;
    char        *p;
    const char  *line;

    base = strlen(unit_store_base);
    p = unit_store_made;

    unit_disk.forks = 1;
    unit_store_expect(unit_store_base, base);

    ngx_memcpy(p, unit_store_base, base);
    ngx_memzero(p + base, 70000);
    wrong = 0;

    for (n = 1; n <= 300; n++) {
        unit_store_put(p, base + n);

        wrong += (unit_store_load(1) == NULL || !unit_store_as_expected()
                  || strstr(unit_logged, "warn: ") == NULL
                  || unit_store->journal.size != (off_t) base);

        if (unit_store) {
            ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
            unit_store_leave();
        }

        wrong += !unit_store_holds(unit_store_base, base);
    }

    unit_is(wrong, 0, "1 to 300 zeros are left out, and cut off");

    unit_store_put(p, base + 65535);
    unit_ok(unit_store_load(0) && unit_store_as_expected(),
            "as many as a line may have bytes, too");

    unit_store_put(p + base, 300);
    unit_ok(unit_store_load(0) && unit_store->partners == 0
            && unit_store->journal.size == 0, "and a file of nothing else");

    /* the beginning came, the rest didn't */

    line = unit_store_lines[0];
    wrong = 0;

    for (cut = 1; cut < (size_t) (strrchr(line, '}') + 1 - line); cut++) {
        ngx_memcpy(p + base, line, cut);
        ngx_memzero(p + base + cut, 512);

        unit_store_put(p, base + 512 * (cut / 512 + 1));

        wrong += (unit_store_load(0) == NULL || !unit_store_as_expected()
                  || strstr(unit_logged, "warn: ") == NULL);
    }

    unit_is(wrong, 0, "so is a line that ends in zeros");

    unit_disk_heal();

    /* more than a line may have, too */

    ngx_memzero(p + base, 70000);

    for (n = 65534; n < 70000; n += 700) {
        unit_store_put(p, base + n);
        unit_ok(unit_store_load(1) && unit_store_as_expected()
                && strstr(unit_logged, "warn: ")
                && unit_store->journal.size == (off_t) base,
                "%u zeros are left out", (unsigned) n);
        ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
        unit_ok(unit_store_holds(unit_store_base, base), "and cut off");
    }

    /* a file in parts, with nothing left for the last ones */

    ngx_memzero(p + base, STORE_TEXT - base);
    unit_store_put(p, STORE_TEXT);
    unit_ok(unit_store_load(1) && unit_store_as_expected()
            && unit_store->journal.size == (off_t) base,
            "as many as make parts of their own are left out");
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_ok(unit_store_holds(unit_store_base, base), "and cut off");
}


/*
 * Of a line that was never waited for some bytes are zeros, its LF there or
 * not: what was before is there, to the byte, and can be added to.
 */

static void
unit_store_lost(void)
{
    ngx_uint_t  i;

    unit_disk.forks = 1;

    for (i = 0; i < sizeof(unit_store_lines) / sizeof(char *); i++) {
        unit_ok(unit_store_lost_of(unit_store_lines[i]),
                "line %u is there or not, wherever it has zeros",
                (unsigned) i);
    }

    unit_disk_heal();
}


static ngx_uint_t
unit_store_lost_of(const char *line)
{
    char       *p;
    size_t      from, to, base, lf, len, whole, n;
    ngx_uint_t  wrong, k;

    len = strlen(line);
    whole = strrchr(line, '}') + 1 - line;
    wrong = 0;
    p = unit_store_made;

    /* after a line that ends with an LF, and after one that got none yet */

    for (lf = 0; lf < 2; lf++) {

        base = strlen(unit_store_base) - lf;

        ngx_memcpy(p, unit_store_base, base + lf);
        ngx_memcpy(p + base + lf, line, len);

        unit_store_expected = unit_store_wanted[0];
        unit_store_expect(p, base);
        unit_store_expected = unit_store_wanted[1];
        unit_store_expect(p, base + lf + len);

        for (n = 0; n < len + lf && wrong < 10; n++) {

            /* to its end, one, up to its LF, and from its start on */

            for (k = 0; k < 4; k++) {

                from = (k == 3) ? 0 : n;
                to = (k == 0) ? len + lf
                     : (k == 1) ? n + 1 : (k == 2) ? len + lf - 1 : n + 1;

                ngx_memcpy(p, unit_store_base, base + lf);
                ngx_memcpy(p + base + lf, line, len);

                if (from < to) {
                    ngx_memzero(p + base + from, to - from);
                }

                if (!unit_store_lost_at(base, lf, len, whole, from < to)) {
                    unit_note("zeros from %u to %u of %u, whole from %u on%s",
                              (unsigned) from, (unsigned) to,
                              (unsigned) (len + lf), (unsigned) (whole + lf),
                              lf ? ", after a line without LF" : "");
                    wrong++;
                }
            }
        }
    }

    return wrong == 0;
}


/* Loads and settles what stands in unit_store_made. */

static ngx_uint_t
unit_store_lost_at(size_t base, size_t lf, size_t len, size_t whole,
    ngx_uint_t lost)
{
    char        *p, *zero;
    off_t        size;
    size_t       all;
    ngx_int_t    n;
    ngx_uint_t   counts;

    p = unit_store_made;
    all = base + lf + len;
    zero = memchr(p + base, '\0', all - base);
    counts = (zero == NULL || zero >= p + base + lf + whole);

    /* up to which byte it stays, unless it is compacted */

    size = counts ? (zero ? zero - p : (off_t) all)
           : (zero == p + base) ? (off_t) base : (off_t) (base + lf);

    unit_store_put(p, all);

    unit_store_expected = unit_store_wanted[counts];

    if (!unit_store_said(unit_store_load(1) != NULL, "it isn't loaded")
        || !unit_store_said(unit_store_as_expected(), "other partners")
        || !unit_store_said(unit_store->journal.size == size, "another size")
        || !unit_store_said((strstr(unit_logged, "warn: ") != NULL) == lost,
                            lost ? "no warning" : "a warning")
        || !unit_store_said(unit_store_holds(p, all),
                            "it was changed when it was loaded"))
    {
        return 0;
    }

    unit_store->partners = unit_store->journal.lines;
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);

    if (!unit_store_said(unit_store_holds(p, size), "another end")) {
        return 0;
    }

    unit_store_leave();

    if (unit_random(8)) {
        return 1;
    }

    n = unit_store_change("{\"id\":\"next\"}\n");

    return unit_store_said(n == NGX_OK, "nothing can be added")
           && unit_store_said(unit_store_load(0)
                              && strcmp(unit_logged, "") == 0,
                              "it isn't loaded again");
}


/* A disk writes sectors, in any order. */

static void
unit_store_lost_sectors(void)
{
    char        *p;
    size_t       base, len, whole, sector, at, next;
    const char  *line;
    ngx_uint_t   i, k, wrong, lost;

    static const size_t  sectors[] = { 8, 32, 128, 512 };

    unit_disk.forks = 1;

    p = unit_store_made;
    base = strlen(unit_store_base);
    line = unit_store_lines[0];
    len = strlen(line);
    whole = strrchr(line, '}') + 1 - line;
    wrong = 0;

    unit_store_expected = unit_store_wanted[0];
    unit_store_expect(unit_store_base, base);
    ngx_memcpy(p, unit_store_base, base);
    ngx_memcpy(p + base, line, len);
    unit_store_expected = unit_store_wanted[1];
    unit_store_expect(p, base + len);

    for (i = 0; i < 4; i++) {
        sector = sectors[i];

        for (k = 0; k < 200 && wrong < 10; k++) {

            ngx_memcpy(p + base, line, len);
            lost = 0;

            for (at = base; at < base + len; at = next) {
                next = ngx_min((at / sector + 1) * sector, base + len);

                if (unit_random(2)) {
                    ngx_memzero(p + at, next - at);
                    lost = 1;
                }
            }

            wrong += !unit_store_lost_at(base, 0, len, whole, lost);
        }
    }

    unit_is(wrong, 0, "a line is there or not, whatever sectors came");
    unit_disk_heal();
}


/* Only the last line was never waited for: others are for someone to mend. */

static void
unit_store_lost_before(void)
{
    char    *p;
    size_t   base;

    base = strlen(unit_store_base);
    p = unit_store_made;
    ngx_memcpy(p, unit_store_base, base);
    ngx_memcpy(p + base, "{\"id\":\"next\"}\n", 14);
    p[base - 5] = '\0';

    unit_store_put(p, base + 14);
    unit_ok(unit_store_load(1) == NULL
            && strstr(unit_logged, "partners.jsonl:2: column ")
            && strstr(unit_logged, "a zero byte"),
            "zeros before the last line are a bad line");

    unit_store_puts("{\"id\":\"a\"}\n{\"id\":\"b\",\"c\":1}\n");
    unit_ok(unit_store_load(1) == NULL
            && strstr(unit_logged, "partners.jsonl:2: "),
            "so is a last one that is merely wrong");

    unit_store_puts("{\"id\":\"a\"}\n{\"id\":\"b\"\n");
    unit_ok(unit_store_load(1) == NULL
            && strstr(unit_logged, "partners.jsonl:2: "),
            "and one that has its LF and no end");
}


static void
unit_store_no_lf(void)
{
    size_t  len;

    len = strlen(unit_store_base);
    unit_store_expect(unit_store_base, len);

    unit_store_put(unit_store_base, len - 1);
    unit_ok(unit_store_load(1) && unit_store_as_expected()
            && strcmp(unit_logged, "") == 0
            && unit_store->journal.size == (off_t) len - 1,
            "a whole last line without LF counts");
    unit_ok(unit_store_spans_right(), "and ends where the file does");

    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_ok(unit_store_holds(unit_store_base, len - 1),
            "to settle it changes nothing");

    unit_store_leave();
    unit_is(unit_store_change("{\"id\":\"z\"}\n"), NGX_OK, "one is added");

    ngx_memcpy(unit_store_made, unit_store_base, len);
    ngx_memcpy(unit_store_made + len, "{\"id\":\"z\"}\n", 11);
    unit_ok(unit_store_holds(unit_store_made, len + 11),
            "and stands on a line of its own");
    unit_ok(unit_store_journal.size == (off_t) len + 11
            && unit_store_journal.lines == 3, "the journal counts them");
}


static void
unit_store_bad_lines(void)
{
    size_t       n;
    ngx_uint_t   i;
    const char  *data;

    static const char  *where[] = { "first", "in the middle", "last" };

    static const struct {
        const char  *bad;
        const char  *reason;
    } lines[] = {
        { "{\"id\":\"new\"", "column " },
        { "{\"id\":\"new\",}", "column " },
        { "hush", "column " },
        { "{\"id\":\"new\"} x", "column " },
        { "{\"id\":\"new\"}{", "column " },
        { "{\"id\":\"new\",\"id\":\"new\"}", "column " },
        { "{\"id\":\"new\",\"name\":\"\377\"}", "column " },
        { "{\"id\":\"new\",\"rate\":\"5r/w\"}", "rate: " },
        { "{\"id\":\"New\"}", "id: " },
        { "{\"name\":\"new\"}", "id: " },
        { "{\"id\":\"new\",\"other\":1}", "other: " },
        { "{\"id\":\"new\",\"keys\":[{\"id\":\"k1\"}]}", "keys[0].sha256: " },
        { "{\"id\":\"new\",\"deleted\":false}", "deleted: " },
        { "[]", "not a JSON object" },
        { "\"new\"", "column " },
    };

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {

        for (n = 0; n < 3; n++) {
            snprintf(unit_store_made, STORE_TEXT, "%s%s\n%s%s",
                     n > 0 ? "{\"id\":\"a\"}\n" : "", lines[i].bad,
                     n < 2 ? "{\"id\":\"b\"}\n" : "",
                     n == 1 ? "{\"id\":\"c\"}" : "");

            unit_store_puts(unit_store_made);
            data = "";

            if (!unit_ok(unit_store_load(1) == NULL
                         && (data = strstr(unit_logged,
                                           n ? "partners.jsonl:2: "
                                             : "partners.jsonl:1: ")) != NULL
                         && strstr(data, lines[i].reason)
                         && strstr(unit_logged, "emerg: ") == unit_logged,
                         "%s, %s, is an error that names the line",
                         lines[i].bad, where[n]))
            {
                unit_note("%s", unit_logged);
            }

            if (!unit_store_holds(unit_store_made, strlen(unit_store_made))) {
                unit_ok(0, "the file is left as it is");
            }
        }
    }

    /* complete, but for its LF */

    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {

        if (strstr(lines[i].reason, "column ") == lines[i].reason
            && strstr(lines[i].bad, "\"new\",\"") == NULL)
        {
            /* none that is complete */
            continue;
        }

        snprintf(unit_store_made, STORE_TEXT, "{\"id\":\"a\"}\n%s",
                 lines[i].bad);
        unit_store_puts(unit_store_made);

        if (!unit_ok(unit_store_load(1) == NULL
                     && strstr(unit_logged, "partners.jsonl:2: ")
                     && strstr(unit_logged, lines[i].reason),
                     "%s, last without LF, is one, too", lines[i].bad))
        {
            unit_note("%s", unit_logged);
        }
    }
}


/* A file so large that it is parsed in several parts. */

static void
unit_store_parts(void)
{
    char        *p;
    size_t       len, part, cut;
    ngx_uint_t   i, n, wrong;

    for (p = unit_store_made, n = 0; p < unit_store_made + 3 * 1024 * 1024;
         n++)
    {
        p += sprintf(p, "{\"id\":\"p%u\",\"name\":\"%u\"}\n", (unsigned) n,
                     (unsigned) (n * 7919));
    }

    len = p - unit_store_made;

    unit_store_put(unit_store_made, len);
    unit_ok(unit_store_load(0) && unit_store->partners == n
            && unit_store->journal.lines == n
            && unit_store->journal.size == (off_t) len,
            "a file of several parts is loaded");
    unit_ok(unit_store->parts[1].addr != NULL, "there are several");
    unit_ok(unit_store_spans_right(), "with every line's place");

    wrong = 0;

    for (cut = 1; cut < 20; cut++) {
        unit_store_put(unit_store_made, len - cut);
        unit_store_load(0);

        /* the last line's LF and its brace */
        wrong += (unit_store == NULL
                  || unit_store->partners != n - (cut > 1)
                  || (strstr(unit_logged, "warn: ") != NULL) != (cut > 1));
    }

    unit_is(wrong, 0, "its last line is cut off if it is torn");

    snprintf(unit_store_expected, 64, "partners.jsonl:%u: ", (unsigned) n);
    unit_ok(strstr(unit_logged, unit_store_expected) != NULL,
            "the warning names the line");

    /* a line that looks torn where a part ends is no file's last */

    wrong = 0;

    for (i = 1; i < 3; i++) {
        part = len / 3 * i;
        p = memchr(unit_store_made + part, LF, len - part);
        p[-1] = ' ';

        unit_store_put(unit_store_made, len);
        wrong += (unit_store_load(0) != NULL
                  || strstr(unit_logged, "emerg: ") == NULL);
        p[-1] = '}';
    }

    unit_is(wrong, 0, "a bad line before a part's end is an error");
}


/* ---- changes */

static void
unit_store_appends(void)
{
    size_t                   len, base;
    ngx_uint_t               fsyncs;
    ngx_http_wassiit_span_t  span;

    base = strlen(unit_store_base);

    unit_store_puts(unit_store_base);
    unit_store_load(1);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_store_leave();

    fsyncs = unit_disk.fsyncs;

    unit_is(unit_store_open(), NGX_OK, "the file is opened");
    unit_is(ngx_http_wassiit_file_check(&unit_store_file,
                                        &unit_store_journal),
            NGX_OK, "and known");
    unit_is(unit_store_add(unit_store_lines[0], &span), NGX_OK,
            "a line is added");
    unit_is(unit_disk.fsyncs, fsyncs + 1, "and waited for");

    len = strlen(unit_store_lines[0]);
    unit_ok(span.offset == (off_t) base && span.len == len,
            "it is known where it is");
    unit_ok(unit_store_journal.lines == 3
            && unit_store_journal.size == (off_t) (base + len)
            && unit_store_file.size == (off_t) (base + len),
            "the journal tells of it");

    unit_is(unit_store_add(unit_store_lines[3], &span), NGX_OK,
            "one more, while it is open");
    unit_is(span.offset, base + len, "stands behind it");
    ngx_http_wassiit_file_close(&unit_store_file);

    snprintf(unit_store_made, STORE_TEXT, "%s%s%s", unit_store_base,
             unit_store_lines[0], unit_store_lines[3]);
    unit_ok(unit_store_holds(unit_store_made, strlen(unit_store_made)),
            "the file has these lines");
    unit_ok(unit_store_load(0) && unit_store->partners == 2,
            "and they count when it is loaded");
    unit_ok(unit_store->journal.size == unit_store_journal.size
            && unit_store->journal.lines == unit_store_journal.lines
            && unit_store->journal.crc == unit_store_journal.crc
            && unit_store->journal.dev == unit_store_journal.dev
            && unit_store->journal.ino == unit_store_journal.ino,
            "who loads it knows what who changed it knew");
}


static void
unit_store_append_fails(void)
{
    size_t                   n, base, len, lf;
    ngx_uint_t               wrong;
    ngx_http_wassiit_span_t  span;

    static const char  line[] = "{\"id\":\"new\",\"name\":\"Never here\"}\n";

    for (lf = 0; lf < 2; lf++) {

        base = strlen(unit_store_base) - !lf;
        len = sizeof(line) - 1 + !lf;
        unit_store_put(unit_store_base, base);
        unit_store_load(1);
        unit_store_leave();

        wrong = 0;

        for (n = 0; n < len; n++) {
            unit_disk.full = base + n;
            wrong += (unit_store_change(line) != NGX_ERROR
                      || !unit_store_holds(unit_store_base, base)
                      || unit_store_journal.dead);
        }

        unit_disk_heal();
        unit_is(wrong, 0, lf ? "a disk that is full at any byte changes nothing"
                             : "nor after a line without LF");
        unit_ok(strstr(unit_logged, "crit: write() to ") != NULL,
                "it is logged");

        unit_disk.fsync = 1;
        unit_is(unit_store_change(line), NGX_ERROR, "fsync() fails");
        unit_ok(unit_store_holds(unit_store_base, base), "nothing has changed");
        unit_ok(unit_store_journal.size == (off_t) base
                && unit_store_journal.lines == 2 && !unit_store_journal.dead,
                "the journal neither");
        unit_disk_heal();
        unit_log_forget();

        unit_is(unit_store_change(line), NGX_OK, "then it works");
        unit_ok(unit_store_load(0) && unit_store->partners == 3,
                "and is loaded");
        unit_store_leave();
    }

    /* what can't be taken back, is when it can */

    base = strlen(unit_store_base);

    for (n = 0; n < 2; n++) {
        unit_store_puts(unit_store_base);
        unit_store_load(1);
        unit_store_leave();

        if (n == 0) {
            unit_disk.fsync = 1;

        } else {
            unit_disk.full = base + 7;
        }

        unit_disk.ftruncate = 1;
        unit_log_forget();

        unit_is(unit_store_change(line), NGX_ERROR, "it can't be taken back");
        unit_ok(strstr(unit_logged, "crit: taking back ") != NULL,
                "which is logged");
        unit_ok(unit_store_get() > (ssize_t) base, "it is still there");
        unit_ok(unit_store_journal.dead
                && unit_store_journal.size == (off_t) base,
                "but is known not to count");

        ngx_http_wassiit_journal_set(&unit_store_told, &unit_store_journal);
        unit_store_former = &unit_store_told;
        unit_ok(unit_store_load(0) && unit_store->partners == 2,
                "nor does it for who loads the file now");
        unit_store_leave();
        unit_store_former = NULL;

        unit_disk.ftruncate = 1;
        unit_is(unit_store_change("{\"id\":\"z\"}\n"), NGX_ERROR,
                "while it can't, nothing is added");
        unit_disk_heal();
        unit_is(unit_store_change("{\"id\":\"z\"}\n"), NGX_OK, "then it is");

        snprintf(unit_store_made, STORE_TEXT, "%s{\"id\":\"z\"}\n",
                 unit_store_base);
        unit_ok(unit_store_holds(unit_store_made, strlen(unit_store_made)),
                "in place of what failed");
        unit_ok(!unit_store_journal.dead, "and what comes later counts");
    }

    /* the folder isn't on the disk */

    unit_store_puts(unit_store_base);
    unit_store_load(1);
    unit_store_leave();
    unit_store_journal.folder = 1;
    unit_disk.fsync = 1;

    unit_is(unit_store_change(line), NGX_ERROR,
            "nothing is added while the folder isn't on the disk");
    unit_ok(unit_store_holds(unit_store_base, base)
            && unit_store_journal.folder, "nothing has changed");

    unit_disk.fsyncs = 0;
    unit_is(unit_store_change(line), NGX_OK, "it is waited for");
    unit_ok(!unit_store_journal.folder && unit_disk.fsyncs == 2,
            "once");

    /* one that may only be read */

    unit_store_file.name = unit_store_name;
    unit_is(ngx_http_wassiit_file_open(&unit_store_file, 0), NGX_OK,
            "a file opened to be read");
    unit_is(unit_store_add(line, &span), NGX_ERROR, "can't be changed");
    ngx_http_wassiit_file_close(&unit_store_file);
}


/* What failed doesn't count, and nothing else is taken for it. */

static void
unit_store_cut_fails(void)
{
    ngx_uint_t               i;
    ngx_http_wassiit_span_t  span;

    static const char  dead[] = "{\"id\":\"dead\"}\n";
    static const char  hand[] = "{\"id\":\"hand\"}\n";

    for (i = 0; i < 3; i++) {
        unit_store_puts(unit_store_base);
        unit_store_load(1);
        unit_store_leave();

        switch (i) {

        case 0:
            unit_disk.full = strlen(unit_store_base);
            unit_disk.ftruncate = 1;
            unit_is(unit_store_change(dead), NGX_ERROR,
                    "neither a byte is written nor is the file cut");
            break;

        case 1:
            unit_disk.full = strlen(unit_store_base) + 5;
            unit_disk.ftruncate = 1;
            unit_is(unit_store_change(dead), NGX_ERROR,
                    "half a line is written, and the file isn't cut");
            break;

        default:
            unit_disk.fsync = 1;
            unit_disk.ftruncate = 1;
            unit_is(unit_store_change(dead), NGX_ERROR,
                    "a line is written, and can't be taken back");
            unit_disk.fsync = 1;
            unit_is(unit_store_change(dead), NGX_ERROR,
                    "it is, but that isn't on the disk");
            unit_ok(!unit_store_journal.dead, "though nobody reads it now");
        }

        unit_disk_heal();
        unit_is(unit_store_change("{\"id\":\"z\"}\n"), NGX_OK,
                "then it works");

        snprintf(unit_store_made, STORE_TEXT, "%s{\"id\":\"z\"}\n%s",
                 unit_store_base, hand);
        unit_ok(unit_store_holds(unit_store_made,
                                 strlen(unit_store_made) - strlen(hand)),
                "and nothing is left of what failed");

        unit_disk_put(unit_store_path, unit_store_made,
                          strlen(unit_store_made));
        (void) unit_store_change(dead);
        unit_ok(unit_store_get() > 0 && strstr(unit_store_data, hand),
                "a line added by hand then isn't taken for one that failed");
    }

    /* nothing was written: what comes next is someone else's */

    unit_store_puts(unit_store_base);
    unit_store_load(1);
    unit_store_leave();
    unit_disk.full = strlen(unit_store_base);
    unit_disk.ftruncate = 1;
    unit_is(unit_store_change(dead), NGX_ERROR, "not a byte is written");
    unit_disk_heal();

    snprintf(unit_store_made, STORE_TEXT, "%s%s", unit_store_base, hand);
    unit_disk_put(unit_store_path, unit_store_made,
                      strlen(unit_store_made));
    (void) unit_store_change(dead);
    unit_ok(unit_store_get() > 0 && strstr(unit_store_data, hand),
            "a line added by hand then is no part of that");

    /* in a file that someone else has changed before */

    unit_store_puts(unit_store_base);
    unit_store_load(1);
    unit_store_leave();
    unit_disk_put(unit_store_other, unit_store_base,
                      strlen(unit_store_base));
    (void) rename(unit_store_other, unit_store_path);

    unit_disk.fsync = 1;
    unit_disk.ftruncate = 1;

    if (unit_store_open() == NGX_OK) {
        unit_is(unit_store_known(), NGX_DECLINED, "a file that isn't known");
        unit_is(unit_store_add(dead, &span), NGX_ERROR,
                "a line can't be taken back from it");
        ngx_http_wassiit_file_close(&unit_store_file);
    }

    unit_disk_heal();

    if (unit_store_open() == NGX_OK) {
        (void) unit_store_known();
        (void) unit_store_add("{\"id\":\"z\"}\n", &span);
        ngx_http_wassiit_file_close(&unit_store_file);
    }

    if (!unit_ok(unit_store_load(0)
                 && strstr(unit_store_text(), "dead") == NULL,
                 "after the next change it is loaded without it"))
    {
        unit_note("%s", unit_store_text());
        unit_note("%s", unit_logged);
    }
}


/* ---- compaction */

/* As who compacts tells it. */

static ngx_int_t
unit_store_compact(ngx_http_wassiit_span_t *spans, ngx_uint_t n)
{
    ngx_int_t  rc;

    rc = ngx_http_wassiit_compact(&unit_store->file, &unit_store->journal,
                                  spans, n);
    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_file_known(&unit_store->file,
                                         &unit_store->journal, 0);
    }

    return rc;
}


static ngx_uint_t
unit_store_spans(ngx_http_wassiit_span_t *spans)
{
    ngx_uint_t                  n;
    ngx_http_wassiit_record_t  *rec;

    n = 0;

    for (rec = unit_store->records; rec && n < STORE_SPANS; rec = rec->next) {
        if (!rec->deleted) {
            spans[n].offset = rec->offset;
            spans[n].len = rec->len;
            spans[n].id = rec->id;
            spans[n++].owner = rec;
        }
    }

    return n;
}


static const char  unit_store_old[] =
    "{\"id\":\"c\",\"name\":\"1\"}\n"
    "{\"id\":\"a\",\"name\":\"2\"}\n"
    "\n"
    "{\"id\":\"b\",\"name\":\"3\"}\n"
    "{\"id\":\"d\",\"name\":\"4\"}\n"
    "{\"id\":\"b\",\"name\":\"5\"}\n"
    "{\"id\":\"d\",\"deleted\":true}\n"
    "{\"id\":\"e\",\"name\":\"6\"}\n"
    " \t\r\n"
    "{\"id\":\"c\",\"name\":\"7\"}";

static const char  unit_store_new[] =
    "{\"id\":\"a\",\"name\":\"2\"}\n"
    "{\"id\":\"b\",\"name\":\"5\"}\n"
    "{\"id\":\"e\",\"name\":\"6\"}\n"
    "{\"id\":\"c\",\"name\":\"7\"}\n";


static void
unit_store_compacts(void)
{
    off_t                       offset;
    ngx_uint_t                  i, n, order, places;
    ngx_http_wassiit_span_t     spans[STORE_SPANS];
    ngx_http_wassiit_record_t  *rec;

    unit_store_puts(unit_store_old);
    unit_disk_put(unit_store_other, "half of a for", 13);
    unit_store_load(1);
    n = unit_store_spans(spans);

    unit_disk.fsyncs = 0;
    unit_is(unit_store_compact(spans, n), NGX_OK,
            "a file is made shorter");
    unit_ok(unit_store_holds(unit_store_new, sizeof(unit_store_new) - 1),
            "it has the lines that count, in their order, each with its LF");
    unit_ok(!unit_store_has_other(), "and is the only one");
    unit_is(unit_disk.fsyncs, 2, "it is on the disk, its name too");

    unit_ok(unit_store->journal.lines == n
            && unit_store->journal.size == sizeof(unit_store_new) - 1
            && unit_store->journal.due == 0
            && !unit_store->journal.folder, "the journal tells of it");
    unit_is(ngx_http_wassiit_file_check(&unit_store->file,
                                        &unit_store->journal),
            NGX_OK, "and knows it");

    offset = 0;
    order = 1;
    places = 1;

    for (i = 0; i < n; i++) {
        rec = spans[i].owner;
        order &= (spans[i].offset == offset);
        places &= (strncmp(unit_store_data + spans[i].offset + 7,
                           (char *) rec->id.data, 1) == 0
                   && unit_store_data[offset + spans[i].len - 1] == LF);
        offset += spans[i].len;
    }

    unit_ok(order && offset == sizeof(unit_store_new) - 1,
            "the new places follow one another");
    unit_ok(places, "and each is its owner's");

    unit_is(unit_store_open(), NGX_AGAIN, "it is locked as the old one was");

    unit_store_leave();
    unit_is(unit_store_change("{\"id\":\"z\"}\n"), NGX_OK,
            "what is added then");
    unit_ok(unit_store_load(0) && unit_store->partners == n + 1, "counts");

    /* no partner is left */

    unit_store_puts("{\"id\":\"a\"}\n{\"id\":\"a\",\"deleted\":true}\n");
    unit_store_load(1);
    n = unit_store_spans(spans);
    unit_is(unit_store_compact(spans, n), NGX_OK,
            "one without a partner, too");
    unit_ok(unit_store_holds("", 0), "and is empty");
    unit_ok(unit_store->journal.size == 0 && unit_store->journal.lines == 0,
            "the journal tells it");
    unit_store_leave();
    unit_is(unit_store_change("{\"id\":\"z\"}\n"), NGX_OK,
            "what is added to it");
    unit_ok(unit_store_load(0) && unit_store->partners == 1, "counts, too");
}


static void
unit_store_compact_settle(void)
{
    struct stat  before, after;

    unit_store_puts(unit_store_old);
    unit_disk_put(unit_store_other, "half of a for", 13);
    unit_store_load(1);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);

    unit_ok(unit_store_holds(unit_store_new, sizeof(unit_store_new) - 1),
            "who loads a file makes it shorter");
    unit_ok(unit_store_spans_right(), "and knows the new places");
    unit_ok(!unit_store_has_other(), "what lay beside it has gone");

    unit_store_leave();
    (void) stat(unit_store_path, &before);
    unit_store_load(1);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_store_leave();
    (void) stat(unit_store_path, &after);
    unit_ok(before.st_ino == after.st_ino, "once is enough");
    unit_is(after.st_mode & 07777, 0600, "it is its owner's alone");

    /* with a torn line at its end */

    snprintf(unit_store_made, STORE_TEXT, "%s\n{\"id\":\"tor",
             unit_store_old);
    unit_store_puts(unit_store_made);
    unit_store_load(1);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_ok(unit_store_holds(unit_store_new, sizeof(unit_store_new) - 1),
            "a torn line is taken out, too");
    unit_ok(unit_store_spans_right(), "places are known here, too");
    unit_store_leave();

    /* not to be written */

    unit_store_puts(unit_store_made);
    unit_store_load(0);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_ok(unit_store_holds(unit_store_made, strlen(unit_store_made)),
            "who only reads it leaves it as it is");
    unit_store_leave();

    ngx_test_config = 1;
    unit_store_load(1);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    ngx_test_config = 0;
    unit_ok(unit_store_holds(unit_store_made, strlen(unit_store_made))
            && strstr(unit_logged, "warn: ") != NULL,
            "so does who tests a configuration, with a warning");
    unit_store_leave();
}


/* More than is copied at once, with gaps, and not in the order of the ids. */

static void
unit_store_compact_many(void)
{
    char                       *p, *q;
    off_t                       last;
    ngx_uint_t                  i, k, m, n, next, other, wrong;
    ngx_http_wassiit_span_t     span, *spans;
    ngx_http_wassiit_record_t  *rec;

    static char  expected[STORE_TEXT];

    wrong = 0;

    for (k = 0; k < 20; k++) {
        p = unit_store_made;

        for (i = 0; i < 400; i++) {
            n = unit_random(1100);

            /* blanks make it long, as names can't be */

            if (unit_random(3) == 0) {
                p += sprintf(p, "{\"id\":\"p%u\"}\n",
                             (unsigned) unit_random(400));

                continue;
            }

            p += sprintf(p, "{\"id\":\"q%u\",%*s\"name\":\"%u\"}\n",
                         (unsigned) (i * 7 % 400), (int) n, "", (unsigned) i);
        }

        if (k & 1) {
            p--;
        }

        unit_store_put(unit_store_made, p - unit_store_made);

        if (unit_store_load(1) == NULL) {
            wrong++;
            continue;
        }

        snprintf(unit_store_expected, sizeof(unit_store_wanted[0]), "%s",
                 unit_store_text());

        spans = malloc(STORE_SPANS * sizeof(ngx_http_wassiit_span_t));
        n = unit_store_spans(spans);

        for (i = 0; i < n; i++) {
            other = unit_random(n);
            span = spans[i];
            spans[i] = spans[other];
            spans[other] = span;
        }

        /* where each line goes, by what it was */

        last = -1;
        q = expected;

        for (m = 0; m < n; m++) {
            next = n;

            for (i = 0; i < n; i++) {
                if (spans[i].offset > last
                    && (next == n || spans[i].offset < spans[next].offset))
                {
                    next = i;
                }
            }

            last = spans[next].offset;
            q = (char *) ngx_cpymem(q, unit_store_made + last,
                                    spans[next].len);
            if (q[-1] != LF) {
                *q++ = LF;
            }
        }

        wrong += (unit_store_compact(spans, n) != NGX_OK);

        for (i = 0; i < n; i++) {
            rec = spans[i].owner;
            rec->offset = spans[i].offset;
            rec->len = spans[i].len;
        }

        wrong += !unit_store_holds(expected, q - expected);
        wrong += (unit_store->journal.size != q - expected);
        wrong += !unit_store_spans_right();
        free(spans);

        wrong += (unit_store_load(0) == NULL || !unit_store_as_expected()
                  || strcmp(unit_logged, "") != 0);
    }

    unit_is(wrong, 0, "large files with gaps keep all that counts");
}


static void
unit_store_compact_fails(void)
{
    ngx_uint_t                  i, n, wrong;
    ngx_http_wassiit_span_t     spans[STORE_SPANS];
    ngx_http_wassiit_journal_t  journal;

    static const char  *what[] = { "fsync() of the new file", "rename()",
                                   "a write" };

    for (i = 0; i < 3; i++) {
        unit_store_puts(unit_store_old);
        unit_store_load(1);
        journal = unit_store->journal;
        n = unit_store_spans(spans);

        if (i == 0) {
            unit_disk.fsync = 1;

        } else if (i == 1) {
            unit_disk.rename = 1;

        } else {
            unit_disk.full = 30;
        }

        unit_is(unit_store_compact(spans, n), NGX_ERROR, what[i]);
        unit_disk_heal();

        unit_ok(unit_store_holds(unit_store_old, sizeof(unit_store_old) - 1),
                "the file is as it was");
        unit_ok(!unit_store_has_other(), "no other lies beside it");
        unit_ok(strstr(unit_logged, ".jsonl") != NULL, "it is logged");
        unit_ok(unit_store->journal.due > journal.lines,
                "it isn't tried again at once");

        unit_store->journal.due = journal.due;
        unit_ok(unit_store->journal.size == journal.size
                && unit_store->journal.lines == journal.lines
                && unit_store->journal.crc == journal.crc
                && unit_store->journal.ino == journal.ino
                && ngx_http_wassiit_file_check(&unit_store->file,
                                               &unit_store->journal)
                   == NGX_OK, "and known as it was");

        unit_store_leave();
        unit_is(unit_store_change("{\"id\":\"z\"}\n"), NGX_OK,
                "a line can be added");
        unit_ok(unit_store_load(0) && unit_store->partners == 5, "and counts");
    }

    /* a place that is another line's, or none's */

    for (i = 0; i < 4; i++) {
        unit_store_puts(unit_store_old);
        unit_store_load(1);
        n = unit_store_spans(spans);

        switch (i) {

        case 0:
            spans[0].len -= 2;
            break;

        case 1:
            spans[1].offset++;
            break;

        case 2:
            spans[0].offset = spans[1].offset;
            spans[0].len = spans[1].len;
            spans[1].offset = spans[2].offset;
            spans[1].len = spans[2].len;
            break;

        default:
            spans[2].offset = sizeof(unit_store_old);
        }

        unit_ok(unit_store_compact(spans, n) != NGX_OK,
                "a file whose lines are elsewhere isn't compacted");
        unit_ok(unit_store_holds(unit_store_old, sizeof(unit_store_old) - 1)
                && !unit_store_has_other(), "it is as it was");
    }

    /* a folder that isn't on the disk yet: the file is the new one */

    unit_store_puts(unit_store_old);
    unit_store_load(1);
    n = unit_store_spans(spans);
    unit_disk.fsync = 2;
    unit_is(unit_store_compact(spans, n), NGX_OK,
            "fsync() of the folder");
    unit_disk_heal();
    unit_ok(unit_store->journal.folder
            && unit_store_holds(unit_store_new, sizeof(unit_store_new) - 1),
            "is to be waited for before the next change");

    /* in the middle of a load */

    wrong = 0;

    for (i = 0; i < 3; i++) {
        unit_store_puts(unit_store_old);
        unit_store_load(1);

        if (i == 0) {
            unit_disk.fsync = 1;

        } else if (i == 1) {
            unit_disk.rename = 1;

        } else {
            unit_disk.full = 30;
        }

        ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
        unit_disk_heal();
        wrong += (!unit_store_holds(unit_store_old,
                                    sizeof(unit_store_old) - 1)
                  || !unit_store_spans_right());
    }

    unit_is(wrong, 0, "who loads a file knows its places if that fails");
}


/* ---- what is known of the file */

static void
unit_store_checks(void)
{
    size_t       len;
    char        *p;
    const char  *base;

    base = unit_store_base;
    len = strlen(base);
    p = unit_store_made;

#define known()                                                              \
    ngx_memcpy(p, base, len);                                                \
    unit_store_put(base, len);                                               \
    unit_store_load(1);                                                      \
    unit_store_leave()

    known();
    unit_store_checked(NGX_OK, "untouched, it is known");

    known();
    ngx_memcpy(p + len, "{\"id\":\"z\"}\n", 11);
    unit_disk_put(unit_store_path, p, len + 11);
    unit_store_checked(NGX_OK, "longer by a line, too");
    unit_disk_put(unit_store_path, p, len + 4);
    unit_store_checked(NGX_OK, "or by half of one");
    unit_disk_put(unit_store_path, p, len);
    unit_store_checked(NGX_DECLINED,
                       "as long as it was, but written by someone else");

    known();
    unit_disk_put(unit_store_other, base, len);
    (void) rename(unit_store_other, unit_store_path);
    unit_store_checked(NGX_DECLINED, "replaced by one of the same bytes");
    unit_store_checked(NGX_DECLINED, "that lasts");

    known();
    unit_disk_put(unit_store_path, base, len - 1);
    unit_store_checked(NGX_DECLINED, "shorter by its LF");
    unit_disk_put(unit_store_path, base, len);
    unit_store_checked(NGX_DECLINED, "and as it was again: no one knows");

    known();
    unit_disk_put(unit_store_path, "", 0);
    unit_store_checked(NGX_DECLINED, "emptied");

    known();
    p[len - 3] ^= 1;
    unit_disk_put(unit_store_path, p, len);
    unit_store_checked(NGX_DECLINED, "another byte in its last line");

    known();
    ngx_memmove(p + 2, p + 1, len - 1);
    p[1] = ' ';
    unit_disk_put(unit_store_path, p, len + 1);
    unit_store_checked(NGX_DECLINED, "one byte more in its first line");

    known();
    ngx_memmove(p + 1, p + 2, len - 2);
    unit_disk_put(unit_store_path, p, len - 1);
    unit_store_checked(NGX_DECLINED, "one byte less there");

    known();
    snprintf(p, STORE_TEXT, "{\"id\":\"z\"}\n%s", base);
    unit_disk_put(unit_store_path, p, strlen(p));
    unit_store_checked(NGX_DECLINED, "a line before the others");

    known();
    p[8] ^= 1;
    unit_disk_put(unit_store_path, p, len);
    unit_store_checked(NGX_DECLINED, "another byte in its first line");

    unit_store_put("", 0);
    unit_store_load(1);
    unit_store_leave();
    unit_store_checked(NGX_OK, "an empty one, untouched");
    unit_disk_put(unit_store_path, base, len);
    unit_store_checked(NGX_OK, "that has got lines");
}


static void
unit_store_checked(ngx_int_t expected, const char *what)
{
    ngx_int_t  rc;

    rc = NGX_ERROR;

    if (unit_store_open() == NGX_OK) {
        rc = ngx_http_wassiit_file_check(&unit_store_file,
                                         &unit_store_journal);
        ngx_http_wassiit_file_close(&unit_store_file);
    }

    unit_is(rc, expected, what);
}


#if (UNIT_STEPS)

/*
 * Whoever reads the journal takes no lock: it is one that was told, whole,
 * wherever the reader or the writer stands still or dies.
 */

static void
unit_store_journals(void)
{
    ngx_uint_t  at, found, most, wrong;

    unit_steps_init();

    for (most = 0; most <= 3; most++) {
        unit_store_tells = most;
        wrong = 0;

        /* under sanitizers, not after each of very many instructions */

        for (at = 1; at == 1 || total >= at - 1; at += 1 + total / 200) {
            found = unit_store_journals_stop(at);

            if (found < 1 || found > 1 + most) {
                unit_note("stopped at %u: journal %u", (unsigned) at,
                          (unsigned) found);
                wrong++;
            }
        }

        unit_ok(wrong == 0 && total > 10, "one who reads the journal stands "
                "still anywhere, %u are told", (unsigned) most);
    }

    ngx_memzero(&unit_store_shared, sizeof(ngx_http_wassiit_journals_t));
    unit_store_journals_tell(&unit_store_shared, 1);
    unit_store_wrong = 0;

    for (at = 2; at <= 3; at++) {
        unit_store_stop = at;
        unit_steps_begin(unit_store_journals_died);
        unit_store_journals_tell(&unit_store_shared, at);
        unit_steps_end();

        unit_store_wrong += (unit_store_journals_told(&unit_store_shared)
                             != at);
    }

    unit_ok(unit_store_wrong == 0 && total > 10,
            "one who tells a journal dies anywhere: the former or the new one");
}


/* One who reads stops after so many instructions; which journal it reads. */

static ngx_uint_t
unit_store_journals_stop(ngx_uint_t at)
{
    ngx_http_wassiit_journal_t  journal;

    ngx_memzero(&unit_store_shared, sizeof(ngx_http_wassiit_journals_t));
    unit_store_journals_tell(&unit_store_shared, 1);

    unit_store_stop = at;
    unit_steps_begin(unit_store_journals_stopped);
    ngx_http_wassiit_journal_get(&unit_store_shared, &journal);
    unit_steps_end();

    return unit_store_journals_which(&journal);
}


static void
unit_store_journals_stopped(void)
{
    ngx_uint_t  n;

    if (steps == unit_store_stop) {
        for (n = 0; n < unit_store_tells; n++) {
            unit_store_journals_tell(&unit_store_shared, 2 + n);
        }
    }
}


/* What a writer leaves that dies here, for readers and for the next writer. */

static void
unit_store_journals_died(void)
{
    ngx_uint_t                   n;
    ngx_http_wassiit_journals_t  copy;

    n = unit_store_journals_told(&unit_store_shared);

    copy = unit_store_shared;
    unit_store_journals_tell(&copy, 9);

    unit_store_wrong += (n != unit_store_stop - 1 && n != unit_store_stop)
                        || unit_store_journals_told(&copy) != 9;
}


static void
unit_store_journals_tell(ngx_http_wassiit_journals_t *journals, ngx_uint_t n)
{
    ngx_http_wassiit_journal_t  journal;

    ngx_memset(&journal, n, sizeof(ngx_http_wassiit_journal_t));
    ngx_http_wassiit_journal_set(journals, &journal);
}


static ngx_uint_t
unit_store_journals_told(ngx_http_wassiit_journals_t *journals)
{
    ngx_http_wassiit_journal_t  journal;

    ngx_http_wassiit_journal_get(journals, &journal);

    return unit_store_journals_which(&journal);
}


/* 0: it has parts of several */

static ngx_uint_t
unit_store_journals_which(ngx_http_wassiit_journal_t *journal)
{
    ngx_uint_t                  n;
    ngx_http_wassiit_journal_t  expected;

    n = journal->dead;
    ngx_memset(&expected, n, sizeof(ngx_http_wassiit_journal_t));

    return (journal->dev == expected.dev && journal->ino == expected.ino
            && journal->size == expected.size && journal->crc == expected.crc
            && journal->mtime == expected.mtime
            && journal->dead_from == expected.dead_from
            && journal->dead_to == expected.dead_to
            && journal->writing == expected.writing
            && journal->next_dev == expected.next_dev
            && journal->next_size == expected.next_size
            && journal->next_lines == expected.next_lines
            && journal->moving == expected.moving)
           ? n : 0;
}

#endif


static void
unit_store_searches(void)
{
    u_char                    *memory, *values;
    ngx_int_t                  rc;
    ngx_str_t                  id;
    ngx_uint_t                 i;
    ngx_http_wassiit_span_t    span;
    ngx_http_wassiit_arena_t   arena;
    ngx_http_wassiit_parse_t   parse;

    static const char  text[] =
        "{\"id\":\"atlas\",\"name\":\"1\"}\n"
        "{\"id\":\"atlas2\",\"name\":\"atlas\"}\n"
        "\n"
        "{ \"name\" : \"2\" , \"id\" : \"atlas\" }\r\n"
        "{\"id\":\"other\",\"webhook_secret\":\"atlas\"}\n"
        "{\"id\":\"\\u0072if\",\"name\":\"3\"}\n"
        "{\"id\":\"gone\"}\n"
        "{\"id\":\"gone\",\"deleted\":true}\n"
        "{\"id\":\"last\",\"name\":\"\\\"atlas\\\"\"}";

    static const struct {
        const char  *id;
        ngx_int_t    rc;
        const char  *line;
    } asked[] = {
        { "atlas", NGX_OK, "{ \"name\" : \"2\"" },
        { "atlas2", NGX_OK, "{\"id\":\"atlas2\"" },
        { "other", NGX_OK, "{\"id\":\"other\"" },
        { "rif", NGX_OK, "{\"id\":\"\\u0072if\"" },
        { "gone", NGX_OK, "{\"id\":\"gone\",\"deleted\"" },
        { "last", NGX_OK, "{\"id\":\"last\"" },
        { "name", NGX_DECLINED, NULL },
        { "atla", NGX_DECLINED, NULL },
        { "a", NGX_DECLINED, NULL }
    };

    memory = malloc(NGX_HTTP_WASSIIT_PARSE_SIZE(2,
                                                2 * NGX_HTTP_WASSIIT_LINE));
    values = malloc(NGX_HTTP_WASSIIT_LINE_ARENA);

    unit_store_puts(text);

    parse.scopes = &unit_store_scopes;
    parse.pos = memory;
    arena.start = values;
    arena.size = NGX_HTTP_WASSIIT_LINE_ARENA;

    if (!unit_ok(unit_store_open() == NGX_OK, "a file is looked through")) {
        return;
    }

    for (i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        id.data = (u_char *) asked[i].id;
        id.len = strlen(asked[i].id);

        rc = ngx_http_wassiit_file_search(&unit_store_file, &parse, &arena,
                                          &id, &span);

        unit_ok(rc == asked[i].rc && parse.pos == memory
                && (rc != NGX_OK
                    || strncmp(text + span.offset, asked[i].line,
                               strlen(asked[i].line)) == 0),
                "the last line of %s is found, or none", asked[i].id);

        if (rc == NGX_OK && i < 5) {
            unit_ok(text[span.offset + span.len - 1] == LF
                    && memchr(text + span.offset, LF, span.len - 1) == NULL,
                    "whole, with its LF");
        }
    }

    unit_is(span.offset, 0, "it looks up to the first line");

    ngx_http_wassiit_file_close(&unit_store_file);
    free(memory);
    free(values);
}


static void
unit_store_locks(void)
{
    int  fd;

    unit_store_puts(unit_store_base);

    fd = open(unit_store_path, O_RDONLY);
    unit_is(flock(fd, LOCK_EX|LOCK_NB), 0, "someone else has the lock");
    unit_is(unit_store_open(), NGX_AGAIN, "so one waits");
    (void) close(fd);
    unit_is(unit_store_open(), NGX_OK, "until it is free");
    fd = open(unit_store_path, O_RDONLY);
    unit_ok(flock(fd, LOCK_EX|LOCK_NB) == -1, "then it is ours");
    ngx_http_wassiit_file_close(&unit_store_file);
    unit_is(flock(fd, LOCK_EX|LOCK_NB), 0, "and then no one's");
    (void) close(fd);

    unit_store_load(1);
    unit_is(unit_store_open(), NGX_AGAIN, "who loads a file has it");
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_is(unit_store_open(), NGX_AGAIN, "until it is through");
    unit_store_leave();
    unit_is(unit_store_open(), NGX_OK, "and then no more");
    ngx_http_wassiit_file_close(&unit_store_file);

    unit_store_load(0);
    unit_is(unit_store_open(), NGX_AGAIN, "who only reads it, too");
    fd = open(unit_store_path, O_RDONLY);
    unit_is(flock(fd, LOCK_SH|LOCK_NB), 0, "but not against others who do");
    (void) close(fd);
    unit_store_leave();
}


/* All files together are waited for as long as one. */

static void
unit_store_waits(void)
{
    int         fd;
    ngx_uint_t  i;

    unit_store_puts(unit_store_base);

    fd = open(unit_store_path, O_RDONLY);
    (void) flock(fd, LOCK_EX|LOCK_NB);

    unit_disk_heal();
    unit_ok(unit_store_load(0) == NULL
            && strstr(unit_logged, "emerg: ") != NULL
            && strstr(unit_logged, unit_store_path) != NULL
            && strstr(unit_logged, "locked by another process") != NULL,
            "a file that stays locked is refused by name");
    unit_ok(unit_disk.flocks > 1, "it was waited for");
    unit_is(unit_disk.slept / 1000, 2000,
            "for two seconds, whatever the wall clock says");

    for (i = 0; i < 3; i++) {
        unit_disk_heal();
        unit_ok(unit_store_load_on(i & 1) == NULL
                && unit_disk.flocks == 1,
                "no other one is, of the same configuration");
    }

    ngx_process = NGX_PROCESS_SIGNALLER;
    unit_disk_heal();
    unit_ok(unit_store_load(0) != NULL && unit_disk.flocks == 0,
            "who only sends a signal asks for no lock");
    ngx_process = 0;

    (void) close(fd);
    unit_ok(unit_store_load_on(1) != NULL, "one that is free is loaded");
    unit_store_leave();
    unit_disk_heal();
}


/*
 * What another program has written is on the disk before a line is added to it:
 * else a power cut could leave zeros in any line.
 */

static void
unit_store_syncs_before(void)
{
    ngx_uint_t               i;
    ngx_http_wassiit_span_t  span;

    unit_store_puts(unit_store_base);
    unit_store_load(1);
    unit_store_leave();
    unit_store_journal.foreign = 1;

    for (i = 1; i <= 2; i++) {
        unit_store_open();
        unit_log_forget();
        unit_disk_heal();
        unit_disk.fsync = i;
        unit_disk.full = 1;
        unit_ok(unit_store_add("{\"id\":\"z\"}\n", &span) == NGX_ERROR
                && strstr(unit_logged, "fsync() ")
                && strstr(unit_logged, "write() ") == NULL,
                "what isn't ours can't be waited for, %s: nothing is added",
                (i == 1) ? "its folder" : "itself");
        ngx_http_wassiit_file_close(&unit_store_file);
    }

    unit_disk_heal();
}


/* What was loaded is on the disk, however its writer ended. */

static void
unit_store_syncs(void)
{
    ngx_uint_t  i, write;

    static const int  never[] = { EROFS, EINVAL, ENOSYS, EOPNOTSUPP };

    static const char  *what[] = { "the file", "its folder" };

    unit_store_puts(unit_store_base);

    for (write = 0; write < 2; write++) {
        unit_disk_heal();
        unit_ok(unit_store_load(write) && unit_disk.fsyncs == 2,
                "a load waits for the disk, %s",
                write ? "to write" : "to read");

        for (i = 1; i <= 2; i++) {
            unit_disk_heal();
            unit_disk.fsync = i;
            unit_ok(unit_store_load(write) == NULL
                    && strstr(unit_logged, "emerg: fsync()")
                    && strstr(unit_logged, unit_store_path),
                    "that fails for %s: it isn't loaded", what[i - 1]);
        }
    }

    for (i = 0; i < 2 * sizeof(never) / sizeof(never[0]); i++) {
        unit_disk_heal();
        unit_disk.fsync = 1 + i % 2;
        unit_disk.err = never[i / 2];
        unit_ok(unit_store_load(0) && strcmp(unit_logged, "") == 0,
                "it can't be done for %s, errno %d: it is loaded",
                what[i % 2], never[i / 2]);
    }

    unit_disk_heal();
    ngx_test_config = 1;
    unit_ok(unit_store_load(1) && unit_disk.fsyncs == 0,
            "a test of the configuration waits for nothing");
    ngx_test_config = 0;
}


static void
unit_store_modes(void)
{
    struct stat  st;

    unit_store_puts(unit_store_base);
    (void) chmod(unit_store_path, 0644);
    unit_store_load(1);
    unit_ok(strstr(unit_logged, "warn: ") != NULL,
            "a file that everyone can read is warned of");
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    (void) stat(unit_store_path, &st);
    unit_is(st.st_mode & 07777, 0600, "and made its owner's alone");
    unit_store_leave();
}


/* By who asks for no lock, between the load and the cut. */

static void
unit_store_added(void)
{
    static const char  torn[] = "{\"id\":\"a\"}\n{\"id\":\"to";
    static const char  whole[] = "{\"id\":\"a\"}\n{\"id\":\"torn\"}\n";

    unit_store_puts(torn);
    unit_store_load(1);
    unit_disk_put(unit_store_path, whole, sizeof(whole) - 1);
    ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    unit_ok(unit_store_holds(whole, sizeof(whole) - 1),
            "a line that was ended after it was read isn't cut");
    unit_store_leave();
}


/*
 * In a folder that others may write, another file, or another folder, may take
 * the place of ours between any two calls, and be gone again: it is neither
 * read nor changed.
 */

static void
unit_store_moves(void)
{
    snprintf(unit_store_kept, sizeof(unit_store_kept), "%s/kept",
             unit_store_dir);
    snprintf(unit_store_victim, sizeof(unit_store_victim),
             "%s/partners.jsonl", unit_store_kept);
    snprintf(unit_store_on, sizeof(unit_store_on), "%s/on", unit_store_dir);
    snprintf(unit_store_off, sizeof(unit_store_off), "%s/off",
             unit_store_dir);
    snprintf(unit_store_in, sizeof(unit_store_in), "%s/partners.jsonl",
             unit_store_on);
    snprintf(unit_store_out, sizeof(unit_store_out), "%s/aside",
             unit_store_on);

    snprintf(unit_store_beside, sizeof(unit_store_beside), "%s.compact",
             unit_store_in);

    if (mkdir(unit_store_kept, 0755) == -1 || mkdir(unit_store_on, 0777) == -1
        || chmod(unit_store_on, 0777) == -1
        || chmod(unit_store_dir, 0777) == -1)
    {
        perror(unit_store_dir);
        exit(2);
    }

    unit_store_name.data = (u_char *) unit_store_in;
    unit_store_name.len = strlen(unit_store_in);
    unit_disk.forks = 1;

    unit_store_moves_of("so", "a symbolic link in its place");

    /* nobody writes to it: who waits for that is ended */
    (void) alarm(300);
    unit_store_moves_of("po", "a pipe in its place");
    (void) alarm(0);

    unit_store_moves_of("ho", "a hard link in its place");
    unit_store_moves_of("h-", "a hard link that goes and comes again");
    unit_store_moves_of("db", "a link in place of its folder");
    unit_store_moves_of("ce", "a hard link where it is made anew");

    unit_disk_heal();
    (void) unlink(unit_store_in);
    (void) unlink(unit_store_victim);
    (void) rmdir(unit_store_on);
    (void) rmdir(unit_store_kept);
    (void) chmod(unit_store_dir, 0700);
    unit_store_name.data = (u_char *) unit_store_path;
    unit_store_name.len = strlen(unit_store_path);
}


/* These two moves in turn, as often and as late as may be. */

static void
unit_store_moves_of(const char *kinds, const char *what)
{
    ngx_uint_t  i, k, n, most, wrong, taken;

    ngx_memzero(unit_store_moving, sizeof(unit_store_moving));
    wrong = unit_store_moved();
    most = unit_store_calls;
    taken = (unit_store != NULL);
    n = 0;

    unit_store_moving[0].what = kinds[0];
    unit_store_moving[1].what = kinds[1];
    unit_store_moving[2].what = kinds[0];

    for (i = 1; i <= most && wrong < 10; i++) {
        for (k = i; k <= most + 1; k++) {
            unit_store_moving[0].at = i;
            unit_store_moving[1].at = k;
            unit_store_moving[2].at = k + unit_random(4);

            wrong += unit_store_moved();
            n++;
        }
    }

    unit_ok(wrong == 0 && taken && n > 100,
            "%s, between any two calls", what);
}


/*
 * Opens, as for secrets, loads and settles; returns 1 if the other file came
 * into it.
 */

static ngx_uint_t
unit_store_moved(void)
{
    ino_t                       ino;
    ssize_t                     n;
    ngx_fd_t                    fd;
    ngx_uint_t                  wrong;
    struct stat                 st;
    ngx_http_wassiit_path_t     path;
    ngx_http_wassiit_record_t  *rec;

    static const char  ours[] = "{\"id\":\"ours\"}\n{\"id\":\"ours\"}\n"
                                "{\"id\":\"to";
    static const char  victim[] = "{\"id\":\"victim\"}\n{\"id\":\"to";

    unit_store_calls = 0;
    unit_disk_put(unit_store_in, ours, sizeof(ours) - 1);
    unit_disk_put(unit_store_victim, victim, sizeof(victim) - 1);
    (void) chmod(unit_store_victim, 0640);
    (void) stat(unit_store_victim, &st);
    ino = st.st_ino;
    wrong = 0;

    unit_store_calls = 1;

    if (ngx_http_wassiit_path_open(&path, &unit_store_name, O_RDONLY,
                                   geteuid(), &fd, &st)
        == NGX_OK)
    {
        wrong |= (st.st_ino == ino);
        ngx_http_wassiit_path_close(&path);
        (void) close(fd);
    }

    if (unit_store_load(1)) {
        for (rec = unit_store->records; rec; rec = rec->next) {
            wrong |= (rec->id.len != 4);
        }

        ngx_http_wassiit_store_settle(unit_store, (uid_t) -1);
    }

    unit_store_moving[0].at = 0;
    unit_store_moving[1].at = 0;
    unit_store_moving[2].at = 0;
    unit_store_move('b');
    unit_store_move('o');
    unit_store_move('e');

    n = unit_store_get_at(unit_store_victim);

    wrong |= (n != sizeof(victim) - 1
              || memcmp(unit_store_data, victim, n) != 0
              || stat(unit_store_victim, &st) == -1
              || (st.st_mode & 07777) != 0640);

    return wrong;
}


static void
unit_store_called(unit_disk_e call, ngx_uint_t after)
{
    ngx_uint_t  i, n;

    if (unit_store_calls == 0 || after
        || (call != UNIT_DISK_LOOK && call != UNIT_DISK_OPEN))
    {
        return;
    }

    n = unit_store_calls++;

    for (i = 0; i < STORE_MOVES; i++) {
        if (unit_store_moving[i].at == n) {
            unit_store_move(unit_store_moving[i].what);
        }
    }
}


static void
unit_store_move(int what)
{
    if (what == 'd') {
        (void) rename(unit_store_on, unit_store_off);
        (void) symlink(unit_store_kept, unit_store_on);
        return;
    }

    if (what == 'b') {
        if (access(unit_store_off, F_OK) == 0) {
            (void) unlink(unit_store_on);
            (void) rename(unit_store_off, unit_store_on);
        }

        return;
    }

    if (what == 'c') {
        (void) link(unit_store_victim, unit_store_beside);
        return;
    }

    if (what == 'e') {
        (void) unlink(unit_store_beside);
        return;
    }

    if (what == 'o') {
        (void) rename(unit_store_out, unit_store_in);
        return;
    }

    if (access(unit_store_out, F_OK) == 0) {
        (void) unlink(unit_store_in);

    } else {
        (void) rename(unit_store_in, unit_store_out);
    }

    if (what == 's') {
        (void) symlink(unit_store_victim, unit_store_in);

    } else if (what == 'h') {
        (void) link(unit_store_victim, unit_store_in);

    } else if (what == 'p') {
        (void) mkfifo(unit_store_in, 0600);
    }
}
