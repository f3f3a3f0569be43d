
/*
 * Changes of partners, and what they make of a file and of a zone.
 *
 * What is in force is held against a second, fresh zone, which loads the file:
 * the two must be alike.  Random numbers are the same for each change, so that
 * it makes the same key whenever it is made.  Included once, after unit.h; what
 * includes it is linked with --wrap=free.
 */


#ifndef _UNIT_CHANGES_H_INCLUDED_
#define _UNIT_CHANGES_H_INCLUDED_


#include "unit.h"
#include "objects.h"
#include "disk.h"
#include "walk.h"

#include "ngx_http_wassiit_change.h"
#include "ngx_http_wassiit_zone_load.h"

#include "ngx_wassiit_time.h"

#include <dlfcn.h>
#include <malloc.h>
#include <sys/random.h>


#define MEMORY          ((size_t) 96 * 1024)
#define TEXT            (160 * 1024)        /* of a file, of a zone */
#define STATE           8192
#define DIED            99                  /* the status of a writer */
#define STEPS           500                 /* more than a change has */

#define KEYS            16                  /* whose digests are looked up */
#define SECRET_KEYS     4
#define MADE            0                   /* of them, the one that is made */

#define NOW             "2026-11-15T12:00:00Z"
#define CREATED         "\"created\":\"2026-11-01T09:00:00Z\""
#define KEY(n)          "{\"id\":\"k" #n "\",\"sha256\":\"@" #n "\"," CREATED
#define HMAC            "c2VjcmV0IG9mIHRoZSBwYXJ0bmVyIGF0bGFz"
#define WEBHOOK         "the webhook secret of atlas"
#define FORMER          "Zm9ybWVyIHNlY3JldCBvZiByaWY="
#define NEXT            "the next webhook secret of rif"

#define SECRETS         "\"hmac_secret\":\"" HMAC "\",\"webhook_secret\":\""   \
                        WEBHOOK "\""
#define ATLAS           "{\"id\":\"atlas\",\"name\":\"Atlas\",\"scopes\":"     \
                        "[\"messages.send\",\"audio.send\"],\"rate\":"         \
                        "\"10r/m\",\"keys\":["
#define UNTIL(time)     ",\"expires\":\"2026-11-15T" time "Z\"}"

#define RIF             "{\"id\":\"rif\",\"scopes\":[\"files.send\"],"         \
                        "\"enabled\":false,\"keys\":[" KEY(3) "}]," OVERLAP   \
                        "}\n"
#define OVERLAP         "\"hmac_secret\":\"cmlm\",\"former_hmac_secret\":"     \
                        "{\"value\":\"" FORMER "\"" UNTIL("12:30:00") ","   \
                        "\"webhook_secret\":\"rif\",\"next_webhook_secret\":"\
                        "{\"value\":\"" NEXT "\"" UNTIL("12:40:00")
#define ZED             "{\"id\":\"zed\",\"rate\":\"5r/s\",\"keys\":[]}\n"
#define FOLLOWS(rev)    "{\"id\":\"atlas\",\"name\":\"Followed\",\"rev\":"     \
                        rev ",\"keys\":[" KEY(1) "}]," SECRETS "}"
#define BASE            ATLAS KEY(1) "}," KEY(2) UNTIL("12:30:00") "],"        \
                        SECRETS "}\n" RIF ZED


/* a change of the base, and the line that comes of it */

typedef struct {
    const char                 *name;
    ngx_http_wassiit_change_e   what;
    const char                 *id;
    const char                 *with;       /* the fields, or the key's id */
    time_t                      grace;
    const char                 *line;
} unit_change_kind_t;


/* in shared memory: what was written to the file, and its name */

typedef struct {
    ngx_uint_t                  data;
    ngx_uint_t                  name;
} unit_change_late_t;


static const unit_change_kind_t  unit_change_kinds[] = {

    { "create", NGX_HTTP_WASSIIT_CHANGE_CREATE, "new",
      "{\"name\":\"New\",\"scopes\":[\"calls.initiate\"],\"rate\":\"7r/m\"}",
      0,
      "{\"id\":\"new\",\"name\":\"New\",\"scopes\":[\"calls.initiate\"],"
      "\"rate\":\"7r/m\",\"keys\":[@K]}" },

    { "patch", NGX_HTTP_WASSIIT_CHANGE_PATCH, "atlas",
      "{\"name\":\"Other\",\"enabled\":false,\"scopes\":[],"
      "\"rate\":\"90r/h\"}", 0,
      "{\"id\":\"atlas\",\"name\":\"Other\",\"enabled\":false,\"scopes\":[],"
      "\"rate\":\"90r/h\",\"keys\":[" KEY(1) "}," KEY(2) UNTIL("12:30:00") "],"
      SECRETS "}" },

    { "delete", NGX_HTTP_WASSIIT_CHANGE_DELETE, "atlas", NULL, 0,
      "{\"id\":\"atlas\",\"deleted\":true}" },

    { "one key more", NGX_HTTP_WASSIIT_CHANGE_ADD_KEY, "atlas", NULL, 0,
      ATLAS KEY(1) "}," KEY(2) UNTIL("12:30:00") ",@K]," SECRETS "}" },

    { "rotate", NGX_HTTP_WASSIIT_CHANGE_ROTATE, "atlas", NULL, 3600,
      ATLAS KEY(1) UNTIL("13:00:00") "," KEY(2) UNTIL("12:30:00") ",@K],"
      SECRETS "}" },

    { "rotate, sooner", NGX_HTTP_WASSIIT_CHANGE_ROTATE, "atlas", NULL, 60,
      ATLAS KEY(1) UNTIL("12:01:00") "," KEY(2) UNTIL("12:01:00") ",@K],"
      SECRETS "}" },

    { "rotate at once", NGX_HTTP_WASSIIT_CHANGE_ROTATE, "atlas", NULL, 0,
      ATLAS "@K]," SECRETS "}" },

    { "revoke", NGX_HTTP_WASSIIT_CHANGE_REVOKE, "atlas", "k1", 0,
      ATLAS KEY(2) UNTIL("12:30:00") "]," SECRETS "}" },

    { "HMAC secret", NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET, "zed", NULL, 0,
      "{\"id\":\"zed\",\"rate\":\"5r/s\",\"keys\":[],"
      "\"hmac_secret\":\"@M\"}" },

    { "webhook secret", NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET, "atlas", NULL,
      0,
      ATLAS KEY(1) "}," KEY(2) UNTIL("12:30:00") "],"
      "\"hmac_secret\":\"" HMAC "\",\"webhook_secret\":\"@M\"}" },

    { "HMAC secret with a grace", NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET, "atlas",
      NULL, 3600,
      ATLAS KEY(1) "}," KEY(2) UNTIL("12:30:00") "],"
      "\"hmac_secret\":\"@M\",\"webhook_secret\":\"" WEBHOOK "\","
      "\"former_hmac_secret\":{\"value\":\"" HMAC "\"" UNTIL("13:00:00")
      "}" },

    { "webhook secret with a grace", NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET,
      "atlas", NULL, 3600,
      ATLAS KEY(1) "}," KEY(2) UNTIL("12:30:00") "]," SECRETS ","
      "\"next_webhook_secret\":{\"value\":\"@M\"" UNTIL("13:00:00") "}" },

    { "HMAC secret within a grace", NGX_HTTP_WASSIIT_CHANGE_HMAC_SECRET, "rif",
      NULL, 3600,
      "{\"id\":\"rif\",\"scopes\":[\"files.send\"],\"enabled\":false,"
      "\"keys\":[" KEY(3) "}],\"hmac_secret\":\"@M\",\"webhook_secret\":"
      "\"rif\",\"next_webhook_secret\":{\"value\":\"" NEXT "\""
      UNTIL("12:40:00") ",\"former_hmac_secret\":{\"value\":\"cmlm\""
      UNTIL("13:00:00") "}" },

    { "webhook secret at once", NGX_HTTP_WASSIIT_CHANGE_WEBHOOK_SECRET, "rif",
      NULL, 0,
      "{\"id\":\"rif\",\"scopes\":[\"files.send\"],\"enabled\":false,"
      "\"keys\":[" KEY(3) "}],\"hmac_secret\":\"cmlm\","
      "\"former_hmac_secret\":{\"value\":\"" FORMER "\"" UNTIL("12:30:00")
      ",\"webhook_secret\":\"@M\"}" },

    { "another node's", NGX_HTTP_WASSIIT_CHANGE_FOLLOW, "atlas", FOLLOWS("7"),
      0, FOLLOWS("7") },

    { "another node's, of a new partner", NGX_HTTP_WASSIIT_CHANGE_FOLLOW,
      "new", "{\"rev\":1,\"id\":\"new\",\"keys\":[" KEY(4) "}]}", 0,
      "{\"rev\":1,\"id\":\"new\",\"keys\":[" KEY(4) "}]}" },

    { "compact", NGX_HTTP_WASSIIT_CHANGE_COMPACT, "", NULL, 0, NULL }
};

#define KINDS           (sizeof(unit_change_kinds) / sizeof(unit_change_kind_t))


static void unit_change_step(void);
static void unit_change_order(const char *line);

void *__real_free(void *p);
void __wrap_free(void *p);


ngx_uint_t                         ngx_pagesize = 4096;

static char                        dir[256], path[300], other[320];
static ngx_wassiit_scopes_t        scopes;
static int64_t                     now;

/* what is in force, and what the file gives; what is known of that */
static ngx_http_wassiit_zone_t     zone, fresh;
static ngx_http_wassiit_journal_t  journal, fresh_journal;

/* the last change; whether one is being made, what was left of secrets then */
static ngx_http_wassiit_change_t   change;
static ngx_uint_t                  changing, leaks;

/* the If-Match header of changes, or NULL */
static const char                 *match;

/* the draft of changes, and whether they have one */
static ngx_http_wassiit_draft_t    draft;
static ngx_uint_t                  drafting;

/* of the secrets of atlas: what is kept of them in memory */
static ngx_wassiit_hmac_key_t      secret_keys[SECRET_KEYS];

static u_char                      digests[KEYS][NGX_WASSIIT_DIGEST_LEN];
static char                        data[TEXT], saved[TEXT];
static ssize_t                     saved_len;
static char                        text[TEXT], before[TEXT], given[TEXT];

/* random numbers: their state, and whether there are none */
static uint64_t                    random_state;
static ngx_uint_t                  random_fails;

/* the step in which this process dies, how many there were, and the last one */
static ngx_uint_t                  death, nsteps, dying, locked;

/* what needn't be on the disk yet; how often that was told as made */
static unit_change_late_t         *late;
static ngx_uint_t                  unsafe;

/* blank lines that don't count, and whether a line got its LF later */
static ngx_uint_t                  blanks, loose;

/* what else is to be done at a call, and at which one */
static void                      (*at_call)(unit_disk_e call,
                                     ngx_uint_t after);
static ngx_uint_t                  when, ncalls, mutex_fault, alloc_fault;

/* the lock, by libc */
static int  (*clocklock)(pthread_mutex_t *mutex, clockid_t clock,
    const struct timespec *ts);
static int  (*unlock)(pthread_mutex_t *mutex);


/* ---- random numbers, locks and memory */

ssize_t
getrandom(void *buf, size_t len, unsigned flags)
{
    size_t   i;
    u_char  *p = buf;

    if (random_fails) {
        errno = ENOSYS;
        return -1;
    }

    for (i = 0; i < len; i++) {
        random_state = random_state * 6364136223846793005 + 1;
        p[i] = random_state >> 56;
    }

    return len;
}


int
pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
    const struct timespec *ts)
{
    int  rc;

    if (changing && mutex_fault && --mutex_fault == 0) {
        return ETIMEDOUT;
    }

    rc = clocklock(mutex, clock, ts);

    if (changing) {
        unit_change_step();
    }

    return rc;
}


int
pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    int  rc;

    if (changing) {
        unit_change_step();
    }

    rc = unlock(mutex);

    if (changing) {
        unit_change_step();
    }

    return rc;
}


/* Is a secret among these bytes, or what its HMAC is made with? */

static ngx_inline ngx_uint_t
unit_change_secret(const void *p, size_t size)
{
    ngx_uint_t  i;

    for (i = 0; i < SECRET_KEYS; i++) {
        if (memmem(p, size, &secret_keys[i], sizeof(secret_keys[i]))) {
            return 1;
        }
    }

    return memmem(p, size, HMAC, sizeof(HMAC) - 1)
           || memmem(p, size, WEBHOOK, sizeof(WEBHOOK) - 1)
           || (change.made.len && change.made_data[0]
               && memmem(p, size, change.made_data, change.made.len));
}


/* Whatever the sources give back: all of them free what they allocate. */

void
__wrap_free(void *p)
{
    if (changing && p) {
        leaks += unit_change_secret(p, malloc_usable_size(p));
    }

    __real_free(p);
}


/* ---- steps of a change */

static void
unit_change_step(void)
{
    nsteps++;

    if (nsteps == death) {
        _exit(DIED);
    }
}


static ngx_inline void
unit_change_synced(void)
{
    struct stat  st;

    if (syscall(SYS_newfstatat, unit_disk.synced, "", &st, AT_EMPTY_PATH) == 0
        && S_ISDIR(st.st_mode))
    {
        late->name = 0;

    } else {
        late->data = 0;
    }
}


static ngx_inline void
unit_change_called(unit_disk_e call, ngx_uint_t after)
{
    if (call == UNIT_DISK_RENAME && after) {
        late->name = 1;

    } else if (call == UNIT_DISK_SYNC && after) {
        unit_change_synced();
    }

    if (!changing) {
        return;
    }

    if (at_call) {
        at_call(call, after);
    }

    if (call == UNIT_DISK_LOOK) {
        return;
    }

    if (call == UNIT_DISK_LOCK) {
        locked = 1;
    }

    if (call == UNIT_DISK_WRITE || call == UNIT_DISK_CUT) {
        late->data = 1;

    }

    if (!locked) {
        return;
    }

    if (dying) {
        _exit(DIED);
    }

    unit_change_step();

    if (call == UNIT_DISK_WRITE && !after && ++nsteps == death) {
        /* in the middle of it */
        unit_disk.half = 1;
        dying = 1;
    }
}


/* ---- files, zones, changes */

/*
 * Puts in what stands for something: @1 the digest of key 1 in hex, @K the key
 * that was made, @I its id, @M a secret that was made.  Returns the length.
 */

static ngx_inline size_t
unit_change_fill(char *to, const char *from)
{
    char    *p;
    u_char   hex[2 * NGX_WASSIIT_DIGEST_LEN], time[NGX_WASSIIT_TIME_LEN];

    for (p = to; *from; from++) {

        if (*from != '@') {
            *p++ = *from;
            continue;
        }

        from++;

        if (*from == 'M') {
            p = (char *) ngx_cpymem(p, change.made.data, change.made.len);
            continue;
        }

        (void) ngx_hex_dump(hex, digests[(*from >= '1' && *from <= '9')
                                         ? *from - '0' : MADE],
                            NGX_WASSIIT_DIGEST_LEN);

        if (*from == 'I') {
            p += sprintf(p, "k%.8s", hex);

        } else if (*from == 'K') {
            ngx_wassiit_time_format(now - 1, time);
            p += sprintf(p, "{\"id\":\"k%.8s\",\"sha256\":\"%.64s\","
                         "\"created\":\"%.20s\"}", hex, hex, time);

        } else {
            p += sprintf(p, "%.64s", hex);
        }
    }

    *p = '\0';

    return p - to;
}


static ngx_inline void
unit_change_digests(void)
{
    char        key[16];
    u_char      made[NGX_WASSIIT_KEY_LEN], secret[sizeof(HMAC)];
    ngx_int_t   n;
    ngx_uint_t  i;

    for (i = 1; i < KEYS; i++) {
        (void) snprintf(key, sizeof(key), "key-%d", (int) i);
        ngx_wassiit_key_digest((u_char *) key, strlen(key), digests[i]);
    }

    random_state = UNIT_SEED;
    (void) ngx_wassiit_key_make(made);
    ngx_wassiit_key_digest(made, NGX_WASSIIT_KEY_LEN, digests[MADE]);

    n = ngx_wassiit_hmac_decode(secret, (u_char *) HMAC, sizeof(HMAC) - 1);
    ngx_wassiit_hmac_key(&secret_keys[0], secret, n);
    ngx_wassiit_hmac_key(&secret_keys[1], (u_char *) WEBHOOK,
                         sizeof(WEBHOOK) - 1);

    n = ngx_wassiit_hmac_decode(secret, (u_char *) FORMER, sizeof(FORMER) - 1);
    ngx_wassiit_hmac_key(&secret_keys[2], secret, n);
    ngx_wassiit_hmac_key(&secret_keys[3], (u_char *) NEXT, sizeof(NEXT) - 1);
}


/* By hand: another file in the place of this one, or the same with one more. */

static ngx_inline void
unit_change_puts(const char *form)
{
    size_t  len;

    static char  filled[TEXT];

    /* its number is another than that of the one which is there until then */

    len = unit_change_fill(filled, form);
    unit_disk_put(other, filled, len);

    if (rename(other, path) == -1) {
        perror(path);
        exit(2);
    }

    late->name = 1;
}


static ngx_inline void
unit_change_adds(const char *form)
{
    int     fd;
    size_t  len;

    static char  filled[TEXT];

    len = unit_change_fill(filled, form);
    fd = open(path, O_WRONLY|O_APPEND);

    if (fd == -1 || write(fd, filled, len) != (ssize_t) len) {
        perror(path);
        exit(2);
    }

    (void) close(fd);
}


/* Loads the file into a new zone, as nginx does when it starts. */

static ngx_inline ngx_int_t
unit_change_load(ngx_http_wassiit_zone_t *z, ngx_uint_t write)
{
    ngx_http_wassiit_load_t    load;
    ngx_http_wassiit_store_t  *store;

    ngx_memzero(&load, sizeof(load));
    load.scopes = &scopes;
    load.user = geteuid();
    load.group = getegid();
    load.write = write;
    load.former = (z == &fresh) ? ngx_http_wassiit_zone_journals(&zone) : NULL;

    ngx_http_wassiit_zone_unmap(z);
    ngx_memzero(z, sizeof(ngx_http_wassiit_zone_t));

    ngx_str_set(&z->name, "z");
    z->file.data = (u_char *) path;
    z->file.len = strlen(path);
    z->rate.limit = 50;
    z->rate.seconds = 1;
    z->size = MEMORY;

    unit_disk.forks = 1;
    store = ngx_http_wassiit_store_load(&z->file, &load, &unit_log);
    unit_disk.forks = 0;

    if (store == NULL) {
        return NGX_ERROR;
    }

    z->store = store;

    /* of what is the same the zones have the same tags */
    random_state = UNIT_SEED;

    if (ngx_http_wassiit_zone_map(z, NULL, 0, &unit_log) != NGX_OK
        || ngx_http_wassiit_zone_check_load(z, &unit_log) != NGX_OK)
    {
        unit_note("%s", unit_logged);
        exit(2);
    }

    ngx_http_wassiit_store_settle(store, (uid_t) -1);
    ngx_http_wassiit_zone_load(z, &unit_log);
    ngx_http_wassiit_store_destroy(store);
    z->store = NULL;

    return NGX_OK;
}


/* A file, and a zone that it is loaded into. */

static ngx_inline void
unit_change_setup(const char *form)
{
    unit_disk_heal();
    unit_change_puts(form);
    unit_log_forget();

    if (unit_change_load(&zone, 0) != NGX_OK) {
        unit_note("%s", unit_logged);
        exit(2);
    }

    unit_disk_heal();
}


static ngx_inline ngx_http_wassiit_changed_e
unit_change(ngx_http_wassiit_change_e what, const char *id, const char *with,
    time_t grace)
{
    ngx_http_wassiit_changed_e  changed;

    ngx_memzero(&change, sizeof(change));
    change.what = what;
    change.zone = &zone;
    change.scopes = &scopes;
    change.id.data = (u_char *) id;
    change.id.len = strlen(id);
    change.now = now;
    change.grace = grace;

    if (match) {
        change.match.data = (u_char *) match;
        change.match.len = strlen(match);
    }

    if (drafting) {
        change.draft = &draft;
        draft.ordered = 0;
        draft.theirs = 0;
    }

    if (what == NGX_HTTP_WASSIIT_CHANGE_FOLLOW) {
        change.draft = &draft;
        unit_change_order(with);

    } else if (with && *with == '{') {
        change.fields = json_loads(with, 0, NULL);

    } else if (with) {
        change.key_id.data = (u_char *) with;
        change.key_id.len = strlen(with);
    }

    unit_log_forget();
    random_state = UNIT_SEED;
    nsteps = 0;
    locked = 0;
    ncalls = 0;

    unit_alloc_fails = alloc_fault;
    changing = 1;
    changed = ngx_http_wassiit_change(&change, &unit_log);
    changing = 0;
    alloc_fault = unit_alloc_fails;
    unit_alloc_fails = 0;

    json_decref(change.fields);

    /* nobody is told of a compaction, and if it fails, nothing is left of it */
    unsafe += (changed == NGX_HTTP_WASSIIT_CHANGED
               && what != NGX_HTTP_WASSIIT_CHANGE_COMPACT
               && (late->data || late->name));

    if (what == NGX_HTTP_WASSIIT_CHANGE_COMPACT) {
        late->data = 0;
    }

    leaks += unit_change_secret(unit_logged, unit_logged_len);

    return changed;
}


static ngx_inline ngx_http_wassiit_changed_e
unit_change_patch(const char *id, const char *fields)
{
    return unit_change(NGX_HTTP_WASSIIT_CHANGE_PATCH, id, fields, 0);
}


static ngx_inline ngx_http_wassiit_changed_e
unit_change_of(const unit_change_kind_t *kind)
{
    return unit_change(kind->what, kind->id, kind->with, kind->grace);
}


/* What an operator learns of a partner, less the use of its window. */

static ngx_inline size_t
unit_change_text_info(ngx_http_wassiit_info_t *info, char *to)
{
    char        *p;
    ngx_uint_t   i;

    p = to + sprintf(to, "%.*s '%.*s' %lld %d %llx %d/%d %d%d %016llx %lld "
                     "%lld",
                     (int) info->id_len, info->id, (int) info->name_len,
                     info->name, (long long) info->rev, info->enabled,
                     (long long) info->scopes,
                     (int) info->rate.limit, (int) info->rate.seconds,
                     info->hmac, info->webhook, (long long) info->tag,
                     (long long) info->former_expires,
                     (long long) info->next_expires);

    for (i = 0; i < info->nkeys; i++) {
        p += sprintf(p, " %.*s %lld-%lld", (int) info->keys[i].id_len,
                     info->keys[i].id, (long long) info->keys[i].created,
                     (long long) info->keys[i].expires);
    }

    return p - to;
}


/* All that is to be seen of the partners in a zone, as a text to compare. */

static ngx_inline void
unit_change_text(ngx_http_wassiit_zone_t *z, char *to)
{
    char                       *p;
    u_char                      last[NGX_HTTP_WASSIIT_ID_LEN];
    ngx_int_t                   rc;
    ngx_str_t                   id;
    ngx_uint_t                  i, has_next;
    ngx_wassiit_hmac_key_t      hmac, other;
    ngx_http_wassiit_info_t     info;
    ngx_http_wassiit_partner_t  found;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    id.data = last;
    id.len = 0;
    found.names = names;

    p = to + sprintf(to, "%d:", (int) ngx_http_wassiit_zone_partners(z));

    while (unit_walk_after(z, &id, &info) == NGX_OK) {
        id.len = info.id_len;
        ngx_memcpy(last, info.id, info.id_len);

        rc = ngx_http_wassiit_zone_get_locked(z, &id, &info);

        p += sprintf(p, "; %d ", (int) rc);
        p += unit_change_text_info(&info, p);

        if (ngx_http_wassiit_zone_webhook(z, &id, now, &hmac, &other,
                                          &has_next)
            == NGX_OK)
        {
            p += sprintf(p, " %08x %08x",
                         ngx_crc32_long((u_char *) &hmac, sizeof(hmac)),
                         has_next ? ngx_crc32_long((u_char *) &other,
                                                   sizeof(other)) : 0);
        }
    }

    for (i = 0; i < KEYS; i++) {
        rc = ngx_http_wassiit_zone_find(z, digests[i], &found, &hmac);

        if (rc != NGX_OK) {
            p += sprintf(p, "; %d: %d", (int) i, (int) rc);
            continue;
        }

        p += sprintf(p, "; %d: %.*s %llx %d %lld %08x", (int) i,
                     found.id_len + found.key_id_len + found.name_len, names,
                     (long long) found.scopes, found.enabled,
                     (long long) found.expires,
                     found.hmac ? ngx_crc32_long((u_char *) &hmac,
                                                 sizeof(hmac)) : 0);

        if (ngx_http_wassiit_zone_former(z, &found, now, &other) == NGX_OK) {
            p += sprintf(p, " %08x", ngx_crc32_long((u_char *) &other,
                                                    sizeof(other)));
        }
    }

    ngx_http_wassiit_zone_unpin(z);
}


/* Is it known where the lines are, and how the file ends? */

static ngx_inline ngx_uint_t
unit_change_knows(void)
{
    u_char                   last[NGX_HTTP_WASSIIT_ID_LEN];
    ngx_str_t                id;
    ngx_uint_t               knows;
    ngx_http_wassiit_info_t  info;
    ngx_http_wassiit_span_t  a, b;

    knows = (journal.dev == fresh_journal.dev
             && journal.ino == fresh_journal.ino
             && journal.size == fresh_journal.size
             && journal.crc == fresh_journal.crc
             && journal.lines + blanks == fresh_journal.lines
             && (journal.mtime == fresh_journal.mtime || journal.writing));

    id.data = last;
    id.len = 0;

    while (unit_walk_after(&zone, &id, &info) == NGX_OK) {
        id.len = info.id_len;
        ngx_memcpy(last, info.id, info.id_len);

        if (ngx_http_wassiit_zone_span(&zone, &id, &a) != NGX_OK
            || ngx_http_wassiit_zone_span(&fresh, &id, &b) != NGX_OK
            || a.offset != b.offset
            || (a.len != b.len && !(loose && a.len + 1 == b.len)))
        {
            knows = 0;
        }
    }

    ngx_http_wassiit_zone_unpin(&zone);

    return knows;
}


/* Is exactly that in force which the file says, and is all at rest? */

static ngx_inline ngx_uint_t
unit_change_agrees(void)
{
    ngx_int_t           rc;
    unit_change_late_t  was;

    unit_log_forget();

    /* it isn't for this to wait for the disk */

    was = *late;
    rc = unit_change_load(&fresh, 0);
    *late = was;

    if (rc != NGX_OK || unit_logged[0]) {
        unit_note("the file isn't as it should be: %s", unit_logged);
        return 0;
    }

    if (ngx_http_wassiit_zone_known(&zone, &journal) != NGX_OK
        || ngx_http_wassiit_zone_known(&fresh, &fresh_journal) != NGX_OK)
    {
        unit_note("the zone can't be changed");
        return 0;
    }

    unit_change_text(&zone, text);
    unit_change_text(&fresh, given);

    if (strcmp(text, given) != 0) {
        unit_note("in force: %s", text);
        unit_note("the file: %s", given);
        return 0;
    }

    if (!journal.foreign && !unit_change_knows()) {
        unit_note("it isn't known how the file is");
        return 0;
    }

    if (ngx_http_wassiit_change_left(&zone)) {
        unit_note("a change is still being made");
        return 0;
    }

    return 1;
}


/* The line of a draft that is ordered. */

static ngx_inline void
unit_change_order(const char *line)
{
    char  *rev;

    static char  filled[NGX_HTTP_WASSIIT_LINE];

    draft.ordered = 1;
    draft.theirs = 1;
    draft.len = unit_change_fill(filled, line);
    ngx_memcpy(draft.text, filled, draft.len);

    rev = strstr(filled, "\"rev\":");
    draft.rev = rev ? strtoull(rev + 6, NULL, 10) : 0;
}


/* The file, and what is in force, before a change that is to change nothing. */

static ngx_inline void
unit_change_begin(void)
{
    saved_len = unit_disk_get(path, saved, TEXT);
    unit_change_text(&zone, before);
}


static ngx_inline ngx_uint_t
unit_change_untouched(void)
{
    unit_change_text(&zone, text);

    if (strcmp(text, before) != 0) {
        unit_note("was in force: %s", before);
        unit_note("in force: %s", text);
        return 0;
    }

    return unit_disk_get(path, data, TEXT) == saved_len
           && memcmp(data, saved, saved_len) == 0;
}


static ngx_inline ngx_uint_t
unit_change_has(ngx_uint_t n)
{
    ngx_int_t                   rc;
    ngx_http_wassiit_partner_t  found;

    static u_char  names[NGX_HTTP_WASSIIT_NAMES_LEN];

    found.names = names;
    rc = ngx_http_wassiit_zone_find(&zone, digests[n], &found, NULL);
    ngx_http_wassiit_zone_unpin(&zone);

    return rc == NGX_OK;
}


/* A change that fails and can't be taken back. */

static ngx_inline void
unit_change_fail(void)
{
    unit_disk_heal();
    unit_disk.fsync = 2;
    unit_disk.ftruncate = 1;

    if (unit_change_patch("zed", "{\"name\":\"Failed\"}")
        != NGX_HTTP_WASSIIT_CHANGE_NO_DISK)
    {
        unit_ok(0, "a change fails");
    }

    unit_disk_heal();
}


/* To be called first; the folder is name's. */

static ngx_inline void
unit_change_init(const char *name)
{
    unit_start();

    late = unit_shared(sizeof(unit_change_late_t));
    clocklock = dlsym(RTLD_NEXT, "pthread_mutex_clocklock");
    unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");

    if (clocklock == NULL || unlock == NULL) {
        exit(2);
    }

    /* what a change takes is large, and comes and goes with each */
    (void) mallopt(M_MMAP_THRESHOLD, 64 * 1024 * 1024);
    (void) mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);

    unit_folder(dir, sizeof(dir), NULL, name);
    snprintf(path, sizeof(path), "%s/partners.jsonl", dir);
    snprintf(other, sizeof(other), "%s.compact", path);

    ngx_wassiit_scopes_init(&scopes, NULL);
    ngx_wassiit_scopes_settle(&scopes);
    (void) ngx_wassiit_time_parse((u_char *) NOW, NGX_WASSIIT_TIME_LEN, &now);

    /* as a worker does that changes the file */
    ngx_http_wassiit_arena_install();

    unit_disk_hook = unit_change_called;
    unit_change_digests();
}


static ngx_inline int
unit_change_done(void)
{
    unit_is(unsafe, 0, "what is told as made is on the disk");
    unit_is(leaks, 0, "no secret is left in memory that is given back");

    ngx_http_wassiit_zone_unmap(&zone);
    ngx_http_wassiit_zone_unmap(&fresh);
    (void) unlink(path);
    unit_is(rmdir(dir), 0, "nothing else is left in the folder");

    return unit_done();
}


#endif /* _UNIT_CHANGES_H_INCLUDED_ */
