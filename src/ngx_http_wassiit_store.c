
#include "ngx_http_wassiit_compact.h"
#include "ngx_http_wassiit_record_last.h"
#include "ngx_http_wassiit_store.h"

#include <sys/wait.h>


/*
 * The file is parsed by processes of their own, a large one in parts at once:
 * jansson takes some microseconds a line, and a reload waits for a million of
 * them.  Threads would do, but for the master: libc takes locks from then on,
 * in a process that has had a second thread and in all that it forks.
 */
#define STORE_PARTS         NGX_HTTP_WASSIIT_STORE_PARTS
#define STORE_PART          (1024 * 1024)   /* the least */

#define STORE_SORTED        48              /* lists of 2^n records */

#define STORE_WAIT          2000            /* milliseconds for all locks */
#define STORE_WAIT_STEP     5


/* A set of keys by digest. */

typedef struct {
    void                            **slots;
    ngx_uint_t                        mask;
} ngx_http_wassiit_set_t;


/*
 * A part of the file, and what is made of it.  It stands at the start of the
 * shared memory that the records follow in.
 */

typedef struct {
    u_char                           *start;
    u_char                           *end;
    u_char                           *last;     /* of the file */
    off_t                             offset;   /* of start */
    ngx_http_wassiit_parse_t          parse;

    ngx_uint_t                        done;     /* its process came so far */
    ngx_int_t                         rc;
    ngx_uint_t                        line;     /* the last, from 1 */
    size_t                            torn;     /* bytes that never came, */
    ngx_uint_t                        torn_line;    /* of this one */
    ngx_http_wassiit_record_t        *records;  /* by id */
} ngx_http_wassiit_part_t;


static ngx_int_t ngx_http_wassiit_store_open(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_load_t *load);
static ngx_int_t ngx_http_wassiit_store_wait(ngx_http_wassiit_file_t *file,
    ngx_uint_t write, ngx_http_wassiit_load_t *load);
static ngx_msec_t ngx_http_wassiit_store_clock(void);
static void ngx_http_wassiit_store_compact(ngx_http_wassiit_store_t *store);
static ngx_int_t ngx_http_wassiit_store_divide(ngx_http_wassiit_store_t *store,
    u_char *data, size_t size, const ngx_wassiit_scopes_t *scopes,
    ngx_log_t *log);
static ngx_uint_t ngx_http_wassiit_store_unchanged(
    ngx_http_wassiit_store_t *store, ngx_http_wassiit_load_t *load);
static ngx_int_t ngx_http_wassiit_store_parse(ngx_http_wassiit_store_t *store,
    ngx_log_t *log);
static void ngx_http_wassiit_store_part(ngx_http_wassiit_part_t *part,
    ngx_http_wassiit_arena_t *arena);
static ngx_int_t ngx_http_wassiit_store_order(ngx_http_wassiit_record_t *a,
    ngx_http_wassiit_record_t *b);
static ngx_http_wassiit_record_t *ngx_http_wassiit_store_sort(
    ngx_http_wassiit_record_t *list);
static ngx_http_wassiit_record_t *ngx_http_wassiit_store_merge(
    ngx_http_wassiit_record_t *a, ngx_http_wassiit_record_t *b);
static ngx_int_t ngx_http_wassiit_store_join(ngx_http_wassiit_store_t *store,
    ngx_str_t *file, ngx_log_t *log);
static void ngx_http_wassiit_store_last(ngx_http_wassiit_store_t *store);
static ngx_int_t ngx_http_wassiit_store_unique(ngx_http_wassiit_store_t *store,
    ngx_str_t *file, ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_store_set(ngx_http_wassiit_set_t *set,
    ngx_uint_t count, ngx_log_t *log);


ngx_http_wassiit_store_t *
ngx_http_wassiit_store_load(ngx_str_t *file, ngx_http_wassiit_load_t *load,
    ngx_log_t *log)
{
    size_t                     size, alive;
    u_char                    *data;
    ngx_int_t                  rc;
    ngx_http_wassiit_store_t  *store;

    store = ngx_calloc(sizeof(ngx_http_wassiit_store_t), log);
    if (store == NULL) {
        return NULL;
    }

    store->file.name = *file;
    store->file.user = load->user;
    store->file.log = log;
    store->file.level = NGX_LOG_EMERG;

    if (ngx_http_wassiit_store_open(&store->file, load) != NGX_OK) {
        ngx_free(store);
        return NULL;
    }

    ngx_http_wassiit_path_warn(&store->file.path, log);

    if (ngx_http_wassiit_store_unchanged(store, load)) {
        return store;
    }

    data = ngx_http_wassiit_file_read(file, store->file.fd, &size, log);
    if (data == NULL) {
        ngx_http_wassiit_store_destroy(store);
        return NULL;
    }

    (void) ngx_http_wassiit_file_unmark(data, size);

    alive = load->former
            ? ngx_http_wassiit_file_alive(&store->file, &store->journal,
                                          load->former, data, size)
            : size;

    rc = ngx_http_wassiit_store_divide(store, data, alive, load->scopes, log);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_store_parse(store, log);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_store_join(store, file, log);
    }

    if (rc == NGX_OK) {
        store->journal.dev = store->file.dev;
        store->journal.ino = store->file.ino;
        store->journal.folder = 1;
        store->journal.mtime = store->file.mtime;
        store->journal.ctime = store->file.ctime;
        store->journal.crc = ngx_http_wassiit_file_crc(data,
                                                       store->journal.size);

        rc = ngx_http_wassiit_store_unique(store, file, log);
    }

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        /* it is left as it is */
        ngx_http_wassiit_file_close(&store->file);

    } else if (rc == NGX_OK) {
        /* its writer may have been killed before he waited for the disk */
        rc = ngx_http_wassiit_file_sync_read(&store->file);
    }

    if (rc != NGX_OK) {
        ngx_http_wassiit_store_destroy(store);
        return NULL;
    }

    return store;
}


static ngx_uint_t
ngx_http_wassiit_store_unchanged(ngx_http_wassiit_store_t *store,
    ngx_http_wassiit_load_t *load)
{
    if (load->loaded == NULL) {
        return 0;
    }

    ngx_http_wassiit_journal_get(load->loaded, &store->journal);

    store->untouched = ngx_http_wassiit_file_is_unchanged(&store->file,
                                                          &store->journal);

    if (store->untouched && store->journal.lines == load->partners) {
        store->partners = load->partners;
        store->unchanged = 1;
        return 1;
    }

    ngx_memzero(&store->journal, sizeof(ngx_http_wassiit_journal_t));

    return 0;
}


static ngx_int_t
ngx_http_wassiit_store_open(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_load_t *load)
{
    ngx_uint_t  write;

    if (ngx_process == NGX_PROCESS_SIGNALLER) {
        /* the master will have to wait, not who tells it to */
        return ngx_http_wassiit_file_open(file, NGX_HTTP_WASSIIT_FILE_PEEK)
               == NGX_OK ? NGX_OK : NGX_ERROR;
    }

    /* it is a worker that makes the changes */

    if (load->write && geteuid() == 0
        && !ngx_http_wassiit_path_reachable(&file->name, load->user,
                                            load->group))
    {
        ngx_log_error(NGX_LOG_WARN, file->log, 0,
                      "\"%V\" can't be reached by the workers' user, so "
                      "wassiit_admin can't change it: \"namei -l %V\" shows "
                      "the folder that is closed to it", &file->name,
                      &file->name);
    }

    write = (load->write && !ngx_test_config);

    if (write && !ngx_http_wassiit_path_writable(&file->name)) {
        ngx_log_error(NGX_LOG_WARN, file->log, ngx_errno,
                      "\"%V\" can't be written, so wassiit_admin can't change "
                      "it", &file->name);
        write = 0;
    }

    return ngx_http_wassiit_store_wait(file, write, load);
}


/*
 * Waits for the lock, but not for long: the master hears nothing meanwhile,
 * neither that a worker has died nor that it is to stop.
 */

static ngx_int_t
ngx_http_wassiit_store_wait(ngx_http_wassiit_file_t *file, ngx_uint_t write,
    ngx_http_wassiit_load_t *load)
{
    ngx_int_t   rc;
    ngx_msec_t  start, waited;

    start = ngx_http_wassiit_store_clock();
    waited = 0;

    for ( ;; ) {
        rc = ngx_http_wassiit_file_open(file,
                                        write ? NGX_HTTP_WASSIIT_FILE_WRITE
                                              : NGX_HTTP_WASSIIT_FILE_READ);

        if (rc != NGX_AGAIN || load->waited + waited >= STORE_WAIT) {
            break;
        }

        ngx_msleep(STORE_WAIT_STEP);

        waited = ngx_http_wassiit_store_clock() - start;
    }

    load->waited += waited;

    if (rc == NGX_AGAIN) {
        ngx_log_error(NGX_LOG_EMERG, file->log, 0,
                      "\"%V\" is locked by another process, and was for as "
                      "long as it is waited for, %d seconds: \"lslocks\" or "
                      "\"fuser -v %V\" tells by which one; end that, or let "
                      "it come to its end, and try again", &file->name,
                      STORE_WAIT / 1000, &file->name);
        return NGX_ERROR;
    }

    return rc;
}


/* Milliseconds, whatever is done to the clock on the wall. */

static ngx_msec_t
ngx_http_wassiit_store_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (ngx_msec_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


void
ngx_http_wassiit_store_settle(ngx_http_wassiit_store_t *store, uid_t uid)
{
    ngx_file_info_t           fi;
    ngx_http_wassiit_file_t  *file;

    file = &store->file;
    file->level = NGX_LOG_ERR;

    if (!file->writable) {
        return;
    }

    ngx_http_wassiit_compact_clean(file);

    if (ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ERR, file->log, ngx_errno,
                      ngx_fd_info_n " \"%V\" failed", &file->name);
        return;
    }

    if (ngx_http_wassiit_file_bury(file, &store->journal) != NGX_OK) {
        return;
    }

    if (file->size > store->journal.size
        && ngx_http_wassiit_file_cut(file, store->journal.size) != NGX_OK)
    {
        ngx_http_wassiit_file_stamp(file, &store->journal);
        return;
    }

    (void) ngx_http_wassiit_file_known(file, &store->journal, 0);

    if ((uid != (uid_t) -1 && fi.st_uid != uid
         && fchown(file->fd, uid, (gid_t) -1) == -1)
        || ((fi.st_mode & 077) && fchmod(file->fd, 0600) == -1))
    {
        ngx_log_error(NGX_LOG_ERR, file->log, ngx_errno,
                      "can't make \"%V\" the workers' alone", &file->name);
    }

    if (ngx_fd_info(file->fd, &fi) != NGX_FILE_ERROR
        && ngx_http_wassiit_file_mtime(&fi) == store->journal.mtime)
    {
        /* its owner and mode may be others by now, and that was us */
        store->journal.ctime = ngx_http_wassiit_file_ctime(&fi);
    }

    if (store->journal.lines != store->partners && !store->journal.foreign) {
        ngx_http_wassiit_store_compact(store);
    }
}


/* Makes the file anew, with the lines that count. */

static void
ngx_http_wassiit_store_compact(ngx_http_wassiit_store_t *store)
{
    ngx_uint_t                  i, n;
    ngx_http_wassiit_span_t    *spans;
    ngx_http_wassiit_record_t  *rec;

    spans = ngx_alloc((store->partners + 1) * sizeof(ngx_http_wassiit_span_t),
                      store->file.log);
    if (spans == NULL) {
        return;
    }

    for (rec = store->records, n = 0; rec; rec = rec->next) {
        if (!rec->deleted) {
            spans[n].offset = rec->offset;
            spans[n].len = rec->len;
            spans[n].id = rec->id;
            spans[n++].owner = rec;
        }
    }

    if (ngx_http_wassiit_compact(&store->file, &store->journal, spans, n)
        == NGX_OK)
    {
        for (i = 0; i < n; i++) {
            rec = spans[i].owner;
            rec->offset = spans[i].offset;
            rec->len = spans[i].len;
        }

        (void) ngx_http_wassiit_file_known(&store->file, &store->journal, 0);
    }

    ngx_free(spans);
}


void
ngx_http_wassiit_store_destroy(ngx_http_wassiit_store_t *store)
{
    ngx_uint_t                i;
    ngx_http_wassiit_part_t  *part;

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        part = (ngx_http_wassiit_part_t *) store->parts[i].addr;

        if (part->parse.secrets) {
            ngx_explicit_memzero(part, part->parse.pos - (u_char *) part);
        }

        ngx_shm_free(&store->parts[i]);
    }

    ngx_http_wassiit_file_close(&store->file);
    ngx_free(store);
}


/* Divides the file where lines end, and gets each part its memory. */

static ngx_int_t
ngx_http_wassiit_store_divide(ngx_http_wassiit_store_t *store, u_char *data,
    size_t size, const ngx_wassiit_scopes_t *scopes, ngx_log_t *log)
{
    u_char                   *p, *eol, *end, *last;
    ngx_shm_t                *shm;
    ngx_uint_t                i, n, lines;
    ngx_http_wassiit_part_t  *part;

    n = ngx_min(size / STORE_PART + 1, STORE_PARTS);

    p = data;
    last = data + size;

    for (i = 0; i < n; i++) {
        end = (i == n - 1) ? last : data + size / n * (i + 1);

        for (lines = 0, eol = p; eol < end; lines++) {
            eol = memchr(eol, LF, last - eol);
            eol = (eol == NULL) ? last : eol + 1;
        }

        shm = &store->parts[i];
        shm->size = sizeof(ngx_http_wassiit_part_t)
                    + NGX_HTTP_WASSIIT_PARSE_SIZE(lines, eol - p);
        ngx_str_set(&shm->name, "wassiit partners' file");
        shm->log = log;

        if (ngx_shm_alloc(shm) != NGX_OK) {
            shm->addr = NULL;
            return NGX_ERROR;
        }

        part = (ngx_http_wassiit_part_t *) shm->addr;

        part->start = p;
        part->end = eol;
        part->last = last;
        part->offset = p - data;
        part->parse.scopes = scopes;

        p = eol;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_parse(ngx_http_wassiit_store_t *store, ngx_log_t *log)
{
    pid_t                     pids[STORE_PARTS];
    sigset_t                  set, former;
    ngx_uint_t                i;
    json_free_t               json_free;
    json_malloc_t             json_malloc;
    ngx_http_wassiit_part_t  *part;
    ngx_http_wassiit_arena_t  arena;

    arena.size = NGX_HTTP_WASSIIT_LINE_ARENA;
    arena.start = ngx_alloc(arena.size, log);

    if (arena.start == NULL) {
        return NGX_ERROR;
    }

    json_get_alloc_funcs(&json_malloc, &json_free);
    ngx_http_wassiit_arena_install();
    json_object_seed(0);

    /* nginx's own handler would take our processes for workers */

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &set, &former);

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            ngx_http_wassiit_store_part(
                    (ngx_http_wassiit_part_t *) store->parts[i].addr, &arena);
            _exit(0);
        }
    }

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        part = (ngx_http_wassiit_part_t *) store->parts[i].addr;

        while (pids[i] != -1 && waitpid(pids[i], NULL, 0) == -1
               && ngx_errno == NGX_EINTR)
        {
            /* void */
        }

        if (!part->done) {
            /* no process could be had, or it didn't come to its end */
            ngx_http_wassiit_store_part(part, &arena);
        }
    }

    (void) sigprocmask(SIG_SETMASK, &former, NULL);

    json_set_alloc_funcs(json_malloc, json_free);
    ngx_free(arena.start);

    return NGX_OK;
}


static void
ngx_http_wassiit_store_part(ngx_http_wassiit_part_t *part,
    ngx_http_wassiit_arena_t *arena)
{
    size_t                       keep;
    u_char                      *p, *eol, *next;
    ngx_int_t                    rc;
    ngx_uint_t                   sorted;
    ngx_http_wassiit_record_t   *rec, *former, **last;

    part->parse.pos = (u_char *) part + sizeof(ngx_http_wassiit_part_t);
    part->line = 0;
    part->records = NULL;
    part->rc = NGX_OK;
    part->torn = 0;

    last = &part->records;
    former = NULL;
    sorted = 1;

    for (p = part->start; p < part->end; p = next) {
        eol = memchr(p, LF, part->end - p);

        next = eol ? eol + 1 : part->end;
        eol = eol ? eol : next;
        keep = next - p;

        if (next == part->last) {
            rc = ngx_http_wassiit_record_parse_last(&part->parse, arena, p,
                                                    next - p, &rec, &keep);
        } else {
            rc = ngx_http_wassiit_record_parse(&part->parse, arena, p, eol - p,
                                               &rec);
        }

        if (p + keep < next) {
            part->torn = next - p - keep;
            part->torn_line = part->line + 1;
        }

        if (keep == 0) {
            break;
        }

        part->line++;

        if (rc == NGX_ERROR) {
            part->rc = NGX_ERROR;
            break;
        }

        if (rc == NGX_DONE) {
            continue;
        }

        rec->line = part->line;
        rec->offset = part->offset + (p - part->start);
        rec->len = keep;

        if (former && ngx_http_wassiit_store_order(former, rec) > 0) {
            sorted = 0;
        }

        *last = rec;
        last = &rec->next;
        former = rec;
    }

    if (!sorted) {
        part->records = ngx_http_wassiit_store_sort(part->records);
    }

    part->done = 1;
}


static ngx_int_t
ngx_http_wassiit_store_order(ngx_http_wassiit_record_t *a,
    ngx_http_wassiit_record_t *b)
{
    return ngx_http_wassiit_record_order(a->id.data, a->id.len, b->id.data,
                                         b->id.len);
}


/* Sorts by id; of equal ones the first stays the first. */

static ngx_http_wassiit_record_t *
ngx_http_wassiit_store_sort(ngx_http_wassiit_record_t *list)
{
    ngx_uint_t                  i;
    ngx_http_wassiit_record_t  *rec, *next, *sorted[STORE_SORTED];

    ngx_memzero(sorted, sizeof(sorted));

    /* sorted[i] has 2^i of them, all from before those of sorted[i - 1] */

    for ( /* void */ ; list; list = next) {
        next = list->next;
        list->next = NULL;
        rec = list;

        for (i = 0; sorted[i]; i++) {
            rec = ngx_http_wassiit_store_merge(sorted[i], rec);
            sorted[i] = NULL;
        }

        sorted[i] = rec;
    }

    for (i = 0; i < STORE_SORTED; i++) {
        list = ngx_http_wassiit_store_merge(sorted[i], list);
    }

    return list;
}


/* Of equal ids those of a come first. */

static ngx_http_wassiit_record_t *
ngx_http_wassiit_store_merge(ngx_http_wassiit_record_t *a,
    ngx_http_wassiit_record_t *b)
{
    ngx_http_wassiit_record_t  *list, **last;

    last = &list;

    while (a && b) {
        if (ngx_http_wassiit_store_order(a, b) <= 0) {
            *last = a;
            last = &a->next;
            a = a->next;

        } else {
            *last = b;
            last = &b->next;
            b = b->next;
        }
    }

    *last = a ? a : b;

    return list;
}


/* Puts the parts together, and reports the file's first fault. */

static ngx_int_t
ngx_http_wassiit_store_join(ngx_http_wassiit_store_t *store, ngx_str_t *file,
    ngx_log_t *log)
{
    ngx_uint_t                   i, lines;
    ngx_http_wassiit_part_t     *part;
    ngx_http_wassiit_record_t   *rec;

    lines = 0;

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        part = (ngx_http_wassiit_part_t *) store->parts[i].addr;

        if (part->rc != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "%V:%ui: %*s",
                          file, lines + part->line, part->parse.fault_len,
                          part->parse.fault);
            return NGX_ERROR;
        }

        for (rec = part->records; rec; rec = rec->next) {
            rec->line += lines;
        }

        store->records = ngx_http_wassiit_store_merge(store->records,
                                                      part->records);
        store->journal.size += part->end - part->start - part->torn;

        if (part->torn) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "%V:%ui: ends in the middle of a line, as when "
                          "power is cut; its %uz bytes are left out",
                          file, lines + part->torn_line, part->torn);
        }

        lines += part->line;
    }

    store->journal.lines = lines;

    ngx_http_wassiit_store_last(store);

    return NGX_OK;
}


/* Of the lines with one id, the last one counts. */

static void
ngx_http_wassiit_store_last(ngx_http_wassiit_store_t *store)
{
    ngx_http_wassiit_record_t  *rec, **last;

    last = &store->records;

    while (*last) {
        rec = *last;

        if (rec->next && ngx_http_wassiit_store_order(rec, rec->next) == 0) {
            *last = rec->next;
            continue;
        }

        store->partners += !rec->deleted;
        store->keys += rec->nkeys;
        last = &rec->next;
    }
}


static const char  ngx_http_wassiit_same_key[] =
    "%V:%ui: keys[%ui].sha256: partner \"%V\" has the same key, on line %ui";

/* No two keys of the file's final state may be the same. */

static ngx_int_t
ngx_http_wassiit_store_unique(ngx_http_wassiit_store_t *store,
    ngx_str_t *file, ngx_log_t *log)
{
    uint32_t                    hash;
    ngx_int_t                   rc;
    ngx_uint_t                  i, n;
    ngx_http_wassiit_set_t      set;
    ngx_http_wassiit_key_t     *key, *found;
    ngx_http_wassiit_record_t  *rec, *other;

    if (ngx_http_wassiit_store_set(&set, store->keys, log) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    for (rec = store->records; rec; rec = rec->next) {

        for (n = 0; n < rec->nkeys; n++) {

            key = &rec->keys[n];
            ngx_memcpy(&hash, key->digest, sizeof(uint32_t));

            for (i = hash & set.mask; set.slots[i]; i = (i + 1) & set.mask) {
                found = set.slots[i];

                if (ngx_memcmp(found->digest, key->digest,
                               NGX_WASSIIT_DIGEST_LEN)
                    == 0)
                {
                    goto found;
                }
            }

            set.slots[i] = key;
        }
    }

    rc = NGX_OK;
    goto done;

found:

    for (other = store->records; other; other = other->next) {
        if (other->nkeys && found >= other->keys
            && found < other->keys + other->nkeys)
        {
            break;
        }
    }

    if (other == NULL) {
        goto done;
    }

    /* the later one is named first */

    if (other->line > rec->line) {
        n = found - other->keys;

        ngx_log_error(NGX_LOG_EMERG, log, 0, ngx_http_wassiit_same_key, file,
                      other->line, n, &rec->id, rec->line);
    } else {
        ngx_log_error(NGX_LOG_EMERG, log, 0, ngx_http_wassiit_same_key, file,
                      rec->line, n, &other->id, other->line);
    }

done:

    ngx_free(set.slots);

    return rc;
}


/* A set for so many, at most half of whose slots are taken then. */

static ngx_int_t
ngx_http_wassiit_store_set(ngx_http_wassiit_set_t *set, ngx_uint_t count,
    ngx_log_t *log)
{
    ngx_uint_t  size;

    for (size = 64; size / 2 < count; size *= 2) { /* void */ }

    set->mask = size - 1;
    set->slots = ngx_calloc(size * sizeof(void *), log);

    return set->slots ? NGX_OK : NGX_ERROR;
}
