
#include "ngx_http_wassiit_store.h"

#include <sys/file.h>
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

#define STORE_WAIT          30000           /* milliseconds for the lock */
#define STORE_WAIT_STEP     5

#define STORE_PATH          (PATH_MAX + sizeof(".compact"))

#define STORE_ANCHOR        64              /* bytes that tell a file's end */

#define STORE_BUFFER        262144          /* to copy by */


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
    off_t                             offset;   /* of start */
    ngx_http_wassiit_parse_t          parse;

    ngx_uint_t                        done;     /* its process came so far */
    ngx_int_t                         rc;
    ngx_uint_t                        line;     /* the last, from 1 */
    size_t                            torn;     /* bytes of an unended line */
    ngx_http_wassiit_record_t        *records;  /* by id */
} ngx_http_wassiit_part_t;


static size_t ngx_http_wassiit_store_alive(ngx_http_wassiit_store_t *store,
    ngx_http_wassiit_journal_t *former, u_char *data, size_t size);
static void ngx_http_wassiit_store_blank(u_char *p, size_t len);
static int64_t ngx_http_wassiit_store_mtime(ngx_file_info_t *fi);
static ngx_uint_t ngx_http_wassiit_store_names(u_char *p, u_char *last,
    u_char *quoted, size_t len);
static ngx_int_t ngx_http_wassiit_store_wait(ngx_http_wassiit_file_t *file,
    ngx_uint_t write);
static u_char *ngx_http_wassiit_store_read(ngx_str_t *file, ngx_fd_t fd,
    size_t *size, ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_store_divide(ngx_http_wassiit_store_t *store,
    u_char *data, size_t size, const ngx_wassiit_scopes_t *scopes,
    ngx_log_t *log);
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
static ngx_uint_t ngx_http_wassiit_store_same(ngx_http_wassiit_file_t *file);
static ngx_int_t ngx_http_wassiit_store_line(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_span_t *span, u_char *p);
static uint32_t ngx_http_wassiit_store_crc(u_char *data, off_t size);
static ngx_int_t ngx_http_wassiit_store_anchor(ngx_http_wassiit_file_t *file,
    off_t size, uint32_t *crc);
static ngx_int_t ngx_http_wassiit_store_write(ngx_http_wassiit_file_t *file,
    u_char *p, size_t len);
static ngx_int_t ngx_http_wassiit_store_beside(ngx_http_wassiit_file_t *file,
    char *real, u_char *path);
static ngx_int_t ngx_http_wassiit_store_folder(ngx_http_wassiit_file_t *file);
static int ngx_libc_cdecl ngx_http_wassiit_store_span_order(const void *one,
    const void *two);
static ngx_int_t ngx_http_wassiit_store_copy(ngx_http_wassiit_file_t *from,
    ngx_http_wassiit_file_t *to, ngx_http_wassiit_span_t *spans, ngx_uint_t n,
    u_char *buffer);
static void ngx_http_wassiit_store_moved(ngx_http_wassiit_span_t *spans,
    ngx_uint_t n);
static void ngx_http_wassiit_store_wipe(void *data);
static u_char *ngx_http_wassiit_store_read_secret(ngx_str_t *file,
    size_t *size, ngx_log_t *log);


ngx_http_wassiit_store_t *
ngx_http_wassiit_store_load(ngx_str_t *file,
    const ngx_wassiit_scopes_t *scopes, ngx_uint_t write,
    ngx_http_wassiit_journal_t *former, ngx_log_t *log)
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
    store->file.log = log;
    store->file.level = NGX_LOG_EMERG;

    if (ngx_http_wassiit_store_wait(&store->file, write && !ngx_test_config)
        != NGX_OK) {
        ngx_free(store);
        return NULL;
    }

    data = ngx_http_wassiit_store_read(file, store->file.fd, &size, log);
    if (data == NULL) {
        ngx_http_wassiit_store_destroy(store);
        return NULL;
    }

    alive = former ? ngx_http_wassiit_store_alive(store, former, data, size)
                   : size;

    rc = ngx_http_wassiit_store_divide(store, data, alive, scopes, log);

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
        store->journal.crc = ngx_http_wassiit_store_crc(data,
                                                        store->journal.size);

        rc = ngx_http_wassiit_store_unique(store, file, log);
    }

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    if (rc != NGX_OK) {
        ngx_http_wassiit_store_destroy(store);
        return NULL;
    }

    if (ngx_test_config || ngx_process == NGX_PROCESS_SIGNALLER) {
        /* it is left as it is */
        ngx_http_wassiit_store_close(&store->file);
    }

    return store;
}


/*
 * What someone was told of as failed is not in force, though it is there.
 * Returns the bytes that are left.
 */

static size_t
ngx_http_wassiit_store_alive(ngx_http_wassiit_store_t *store,
    ngx_http_wassiit_journal_t *former, u_char *data, size_t size)
{
    if (!former->dead || former->dead_dev != store->file.dev
        || former->dead_ino != store->file.ino
        || former->dead_to > (off_t) size)
    {
        return size;
    }

    store->journal.dead = 1;
    store->journal.dead_dev = former->dead_dev;
    store->journal.dead_ino = former->dead_ino;
    store->journal.dead_from = former->dead_from;
    store->journal.dead_to = former->dead_to;

    if (former->dead_to == (off_t) size) {
        return former->dead_from;
    }

    ngx_http_wassiit_store_blank(data + former->dead_from,
                                 former->dead_to - former->dead_from);

    return size;
}


/* Blank lines, whatever stands before and behind. */

static void
ngx_http_wassiit_store_blank(u_char *p, size_t len)
{
    ngx_memset(p, ' ', len);
    p[0] = LF;
    p[len - 1] = LF;
}


/* Waits for the lock, but not for ever: a reload is then refused. */

static ngx_int_t
ngx_http_wassiit_store_wait(ngx_http_wassiit_file_t *file, ngx_uint_t write)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    if (write && access((char *) file->name.data, W_OK) == -1) {
        ngx_log_error(NGX_LOG_WARN, file->log, ngx_errno,
                      "\"%V\" can't be written, so wassiit_admin can't change "
                      "it", &file->name);
        write = 0;
    }

    for (i = 0; i < STORE_WAIT / STORE_WAIT_STEP; i++) {
        rc = ngx_http_wassiit_store_open(file, write);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        ngx_msleep(STORE_WAIT_STEP);
    }

    ngx_log_error(NGX_LOG_EMERG, file->log, 0,
                  "\"%V\" is locked by another process", &file->name);

    return NGX_ERROR;
}


void
ngx_http_wassiit_store_settle(ngx_http_wassiit_store_t *store, uid_t uid)
{
    ngx_uint_t                  i, n;
    ngx_file_info_t             fi;
    ngx_http_wassiit_file_t    *file;
    ngx_http_wassiit_span_t    *spans;
    ngx_http_wassiit_record_t  *rec;
    char                        real[PATH_MAX];
    u_char                      path[STORE_PATH];

    file = &store->file;
    file->level = NGX_LOG_ERR;

    if (!file->writable) {
        return;
    }

    /* who died in the middle of making one has left partners in it */

    if (ngx_http_wassiit_store_beside(file, real, path) == NGX_OK) {
        (void) ngx_delete_file(path);
    }

    if (ngx_http_wassiit_store_bury(file, &store->journal) != NGX_OK) {
        return;
    }

    if (file->size > store->journal.size
        && ngx_http_wassiit_store_cut(file, store->journal.size) != NGX_OK)
    {
        ngx_http_wassiit_store_stamp(file, &store->journal);
        return;
    }

    (void) ngx_http_wassiit_store_known(file, &store->journal, 0);

    if (ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR
        || (uid != (uid_t) -1 && fi.st_uid != uid
            && fchown(file->fd, uid, (gid_t) -1) == -1)
        || ((fi.st_mode & 077) && fchmod(file->fd, 0600) == -1))
    {
        ngx_log_error(NGX_LOG_ERR, file->log, ngx_errno,
                      "can't make \"%V\" the workers' alone", &file->name);
    }

    if (store->journal.lines == store->partners || store->journal.foreign) {
        return;
    }

    spans = ngx_alloc((store->partners + 1) * sizeof(ngx_http_wassiit_span_t),
                      file->log);
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

    if (ngx_http_wassiit_store_compact(file, &store->journal, spans, n)
        == NGX_OK)
    {
        for (i = 0; i < n; i++) {
            rec = spans[i].owner;
            rec->offset = spans[i].offset;
            rec->len = spans[i].len;
        }

        (void) ngx_http_wassiit_store_known(file, &store->journal, 0);
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

    ngx_http_wassiit_store_close(&store->file);
    ngx_free(store);
}


static u_char *
ngx_http_wassiit_store_read(ngx_str_t *file, ngx_fd_t fd, size_t *size,
    ngx_log_t *log)
{
    u_char           *data;
    size_t            room, used;
    ssize_t           n;
    ngx_file_info_t   fi;

    data = NULL;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_fd_info_n " \"%V\" failed", file);
        return data;
    }

    if (!ngx_is_file(&fi) && !ngx_is_dir(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "file \"%V\" is not a regular file", file);
        return data;
    }

    if (fi.st_mode & S_IROTH) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "file \"%V\" can be read by everyone, "
                      "its mode should be 0600", file);
    }

    room = ngx_file_size(&fi) + 1;
    used = 0;

    data = ngx_alloc(room, log);
    if (data == NULL) {
        return data;
    }

    while (used < room) {
        n = ngx_read_fd(fd, data + used, room - used);

        if (n == -1) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          ngx_read_fd_n " \"%V\" failed", file);
            goto failed;
        }

        if (n == 0) {
            *size = used;
            return data;
        }

        used += n;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "file \"%V\" grew while it was read", file);

failed:

    ngx_explicit_memzero(data, used);
    ngx_free(data);
    data = NULL;

    return data;
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

        rc = ngx_http_wassiit_record_parse(&part->parse, arena, p, eol - p,
                                           &rec);

        if (rc == NGX_ERROR && eol == next && part->parse.torn) {
            /* no line before ends without an LF: this is the file's last */
            part->torn = eol - p;
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
        rec->len = next - p;

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
        store->journal.size = part->offset + (part->end - part->start);
        lines += part->line;

        if (part->torn) {
            store->journal.size -= part->torn;

            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "%V:%ui: ends in the middle of a line, as when "
                          "power is cut; its %uz bytes are left out",
                          file, lines + 1, part->torn);
        }
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
        if (found >= other->keys && found < other->keys + other->nkeys) {
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


/* what is known of a file's last bytes, to tell that they are the same */

static uint32_t
ngx_http_wassiit_store_crc(u_char *data, off_t size)
{
    size_t  n;

    n = ngx_min(size, STORE_ANCHOR);

    return ngx_crc32_long(data + size - n, n);
}


ngx_int_t
ngx_http_wassiit_store_open(ngx_http_wassiit_file_t *file, ngx_uint_t write)
{
    ngx_file_info_t  fi, path;

    for ( ;; ) {
        file->writable = write;
        file->fd = ngx_open_file(file->name.data,
                                 (write ? NGX_FILE_RDWR|O_APPEND
                                        : NGX_FILE_RDONLY)
                                 |O_CLOEXEC, NGX_FILE_OPEN, 0);

        if (file->fd == NGX_INVALID_FILE) {
            ngx_log_error(file->level, file->log, ngx_errno,
                          ngx_open_file_n " \"%V\" failed", &file->name);
            return NGX_ERROR;
        }

        if (flock(file->fd, (write ? LOCK_EX : LOCK_SH)|LOCK_NB) == -1) {
            if (ngx_errno == EWOULDBLOCK) {
                ngx_http_wassiit_store_close(file);
                return NGX_AGAIN;
            }

            ngx_log_error(file->level, file->log, ngx_errno,
                          "flock() \"%V\" failed", &file->name);
            break;
        }

        if (ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR) {
            ngx_log_error(file->level, file->log, ngx_errno,
                          ngx_fd_info_n " \"%V\" failed", &file->name);
            break;
        }

        /* it may have been replaced before it was locked */

        if (ngx_file_info(file->name.data, &path) != NGX_FILE_ERROR
            && path.st_dev == fi.st_dev && path.st_ino == fi.st_ino)
        {
            file->dev = fi.st_dev;
            file->ino = fi.st_ino;
            file->size = ngx_file_size(&fi);
            file->mtime = ngx_http_wassiit_store_mtime(&fi);

            return NGX_OK;
        }

        ngx_http_wassiit_store_close(file);
    }

    ngx_http_wassiit_store_close(file);

    return NGX_ERROR;
}


static int64_t
ngx_http_wassiit_store_mtime(ngx_file_info_t *fi)
{
    return (int64_t) fi->st_mtim.tv_sec * 1000000000 + fi->st_mtim.tv_nsec;
}


void
ngx_http_wassiit_store_close(ngx_http_wassiit_file_t *file)
{
    if (file->fd == NGX_INVALID_FILE) {
        return;
    }

    if (ngx_close_file(file->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, file->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &file->name);
    }

    file->fd = NGX_INVALID_FILE;
}


ngx_int_t
ngx_http_wassiit_store_read_at(ngx_http_wassiit_file_t *file, u_char *p,
    size_t len, off_t offset)
{
    ssize_t  n;

    while (len) {
        n = pread(file->fd, p, len, offset);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            ngx_log_error(file->level, file->log, (n == -1) ? ngx_errno : 0,
                          "pread() of %uz bytes at %O from \"%V\" failed",
                          len, offset, &file->name);
            return NGX_ERROR;
        }

        p += n;
        len -= n;
        offset += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_anchor(ngx_http_wassiit_file_t *file, off_t size,
    uint32_t *crc)
{
    size_t  n;
    u_char  data[STORE_ANCHOR];

    n = ngx_min(size, STORE_ANCHOR);

    if (ngx_http_wassiit_store_read_at(file, data, n, size - n) != NGX_OK) {
        return NGX_ERROR;
    }

    *crc = ngx_http_wassiit_store_crc(data, n);
    ngx_explicit_memzero(data, n);

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_store_check(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    uint32_t  crc;

    if (journal->foreign) {
        return NGX_DECLINED;
    }

    if (file->dev == journal->dev && file->ino == journal->ino
        && (file->size > journal->size
            || (file->size == journal->size
                && file->mtime == journal->mtime)))
    {
        if (ngx_http_wassiit_store_anchor(file, journal->size, &crc)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (crc == journal->crc) {
            return NGX_OK;
        }
    }

    journal->foreign = 1;

    ngx_log_error(NGX_LOG_NOTICE, file->log, 0,
                  "\"%V\" was changed by another program: until the next "
                  "reload each change looks through all of it", &file->name);

    return NGX_DECLINED;
}


ngx_int_t
ngx_http_wassiit_store_search(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_parse_t *parse, ngx_http_wassiit_arena_t *arena,
    ngx_str_t *id, ngx_http_wassiit_span_t *span)
{
    u_char                     *data, *p, *eol, *pos;
    u_char                      quoted[NGX_HTTP_WASSIIT_ID_LEN + 2];
    ngx_int_t                   rc, parsed;
    ngx_uint_t                  ours;
    ngx_http_wassiit_record_t  *rec;

    if (file->size == 0) {
        return NGX_DECLINED;
    }

    data = ngx_alloc(file->size, file->log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_wassiit_store_read_at(file, data, file->size, 0);

    if (rc == NGX_OK) {
        ngx_sprintf(quoted, "\"%V\"", id);
        pos = parse->pos;
        rc = NGX_DECLINED;

        for (eol = data + file->size; rc == NGX_DECLINED && eol > data;
             eol = p)
        {
            p = memrchr(data, LF, eol - 1 - data);
            p = p ? p + 1 : data;

            span->offset = p - data;
            span->len = eol - p;

            /* most lines needn't be parsed to know that they are another's */

            if (memmem(p, eol - p, quoted, id->len + 2) == NULL
                && memmem(p, eol - p, "\\u00", 4) == NULL)
            {
                continue;
            }

            rec = NULL;
            parsed = ngx_http_wassiit_record_parse(parse, arena, p,
                                                   eol - p - (eol[-1] == LF),
                                                   &rec);

            if (parsed == NGX_ERROR && (rec == NULL || rec->id.len == 0)) {
                /* not even JSON */
                ours = ngx_http_wassiit_store_names(p, eol, quoted,
                                                    id->len + 2);
            } else {
                ours = (parsed != NGX_DONE && rec->id.len == id->len
                        && ngx_memcmp(rec->id.data, id->data, id->len) == 0);
            }

            if (ours) {
                rc = (parsed == NGX_OK) ? NGX_OK : NGX_ABORT;
            }

            ngx_explicit_memzero(pos, parse->pos - pos);
            parse->pos = pos;
        }
    }

    ngx_explicit_memzero(data, file->size);
    ngx_free(data);

    return rc;
}


/* Does a line that can't be parsed have the field "id" with this value? */

static ngx_uint_t
ngx_http_wassiit_store_names(u_char *p, u_char *last, u_char *quoted,
    size_t len)
{
    while ((p = memmem(p, last - p, "\"id\"", 4)) != NULL) {
        p += 4;

        while (p < last && ngx_strchr(" \t:", *p)) {
            p++;
        }

        if ((size_t) (last - p) >= len && ngx_memcmp(p, quoted, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Is the file, as far as it was read, still the one of this name? */

static ngx_uint_t
ngx_http_wassiit_store_same(ngx_http_wassiit_file_t *file)
{
    ngx_file_info_t  fi, path;

    return ngx_fd_info(file->fd, &fi) != NGX_FILE_ERROR
           && ngx_file_size(&fi) == file->size
           && ngx_file_info(file->name.data, &path) != NGX_FILE_ERROR
           && path.st_dev == fi.st_dev && path.st_ino == fi.st_ino;
}


ngx_int_t
ngx_http_wassiit_store_cut(ngx_http_wassiit_file_t *file, off_t size)
{
    if (!ngx_http_wassiit_store_same(file)) {
        ngx_log_error(file->level, file->log, 0,
                      "\"%V\" changed while it was looked at", &file->name);
        return NGX_ERROR;
    }

    if (ftruncate(file->fd, size) == -1) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "cutting \"%V\" to %O bytes failed", &file->name, size);
        return NGX_ERROR;
    }

    file->size = size;

    return ngx_http_wassiit_store_sync(file);
}


ngx_int_t
ngx_http_wassiit_store_bury(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    u_char    *p;
    size_t     len;
    ssize_t    n;
    ngx_fd_t   fd;

    if (!journal->dead) {
        return NGX_OK;
    }

    if (file->dev != journal->dead_dev || file->ino != journal->dead_ino
        || file->size < journal->dead_to)
    {
        /* someone has put another in its place */
        journal->dead = 0;
        return NGX_OK;
    }

    if (file->size == journal->dead_to) {
        if (ngx_http_wassiit_store_cut(file, journal->dead_from) != NGX_OK) {
            return NGX_ERROR;
        }

        journal->dead = 0;
        return NGX_OK;
    }

    /* someone has added lines to it: the file that is open adds, too */

    len = journal->dead_to - journal->dead_from;
    n = -1;

    p = ngx_alloc(len, file->log);
    fd = ngx_open_file(file->name.data, NGX_FILE_WRONLY|O_CLOEXEC,
                       NGX_FILE_OPEN, 0);

    if (p && fd != NGX_INVALID_FILE && ngx_http_wassiit_store_same(file)) {
        ngx_http_wassiit_store_blank(p, len);
        n = pwrite(fd, p, len, journal->dead_from);
    }

    if (p) {
        ngx_free(p);
    }

    if (n != (ssize_t) len) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "taking a change that failed out of \"%V\" failed",
                      &file->name);
    }

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    if (n != (ssize_t) len || ngx_http_wassiit_store_sync(file) != NGX_OK) {
        return NGX_ERROR;
    }

    journal->dead = 0;

    return NGX_OK;
}


void
ngx_http_wassiit_store_stamp(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal)
{
    ngx_file_info_t  fi;

    if (ngx_fd_info(file->fd, &fi) != NGX_FILE_ERROR) {
        file->mtime = ngx_http_wassiit_store_mtime(&fi);
    }

    journal->mtime = file->mtime;
}


ngx_int_t
ngx_http_wassiit_store_sync(ngx_http_wassiit_file_t *file)
{
    if (fsync(file->fd) == -1) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "fsync() \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_store_append(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, u_char *line, size_t len,
    ngx_http_wassiit_span_t *span)
{
    off_t   offset;
    u_char  c;

    if (journal->folder) {
        if (ngx_http_wassiit_store_folder(file) != NGX_OK) {
            return NGX_ERROR;
        }

        journal->folder = 0;
    }

    offset = file->size;
    c = LF;

    if (offset
        && ngx_http_wassiit_store_read_at(file, &c, 1, offset - 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_wassiit_store_same(file)) {
        /* by someone who knows of no lock */
        return NGX_AGAIN;
    }

    /* an editor may leave the last line without one */

    if ((c == LF
         || ngx_http_wassiit_store_write(file, (u_char *) "\n", 1) == NGX_OK)
        && ngx_http_wassiit_store_write(file, line, len) == NGX_OK
        && ngx_http_wassiit_store_sync(file) == NGX_OK)
    {
        span->offset = file->size - len;
        span->len = len;

        return NGX_OK;
    }

    if (file->size > offset && ftruncate(file->fd, offset) == -1) {
        ngx_log_error(NGX_LOG_CRIT, file->log, ngx_errno,
                      "taking back a change of \"%V\" failed, what stands "
                      "from %O to %O doesn't count", &file->name, offset,
                      file->size);

        journal->dead = 1;
        journal->dead_dev = file->dev;
        journal->dead_ino = file->ino;
        journal->dead_from = offset;
        journal->dead_to = file->size;
    }

    file->size = offset;

    if (!journal->foreign) {
        ngx_http_wassiit_store_stamp(file, journal);
    }

    (void) fsync(file->fd);

    return NGX_ERROR;
}


/* Appends, and counts what was written where that is possible. */

static ngx_int_t
ngx_http_wassiit_store_write(ngx_http_wassiit_file_t *file, u_char *p,
    size_t len)
{
    ssize_t  n;

    while (len) {
        n = write(file->fd, p, len);

        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }

        if (n <= 0) {
            ngx_log_error(file->level, file->log, (n == -1) ? ngx_errno : 0,
                          "write() to \"%V\" failed", &file->name);
            return NGX_ERROR;
        }

        p += n;
        len -= n;
        file->size += n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_wassiit_store_known(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_uint_t lines)
{
    uint32_t  crc;

    /* if someone else wrote beside us, it isn't known where */

    if (!ngx_http_wassiit_store_same(file)
        || ngx_http_wassiit_store_anchor(file, file->size, &crc) != NGX_OK)
    {
        journal->foreign = 1;
        return NGX_ERROR;
    }

    journal->crc = crc;
    journal->lines += lines;
    journal->size = file->size;
    ngx_http_wassiit_store_stamp(file, journal);

    return NGX_OK;
}


/*
 * Where the file lies itself, as a link to it stays one, and where one that is
 * to take its place is made.
 */

static ngx_int_t
ngx_http_wassiit_store_beside(ngx_http_wassiit_file_t *file, char *real,
    u_char *path)
{
    if (realpath((char *) file->name.data, real) == NULL) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "realpath() \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    ngx_sprintf(path, "%s.compact%Z", real);

    return NGX_OK;
}


/* What was made or renamed in the file's folder is there after a crash. */

static ngx_int_t
ngx_http_wassiit_store_folder(ngx_http_wassiit_file_t *file)
{
    char       *p;
    ngx_fd_t    fd;
    ngx_int_t   rc;
    char        path[PATH_MAX];
    u_char      beside[STORE_PATH];

    if (ngx_http_wassiit_store_beside(file, path, beside) != NGX_OK) {
        return NGX_ERROR;
    }

    p = strrchr(path, '/');
    p[p == path] = '\0';

    fd = ngx_open_file(path, NGX_FILE_RDONLY|O_DIRECTORY|O_CLOEXEC,
                       NGX_FILE_OPEN, 0);

    rc = (fd != NGX_INVALID_FILE && fsync(fd) == 0) ? NGX_OK : NGX_ERROR;

    if (rc != NGX_OK) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "fsync() of the folder \"%s\" failed", path);
    }

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    return rc;
}


ngx_int_t
ngx_http_wassiit_store_compact(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_journal_t *journal, ngx_http_wassiit_span_t *spans,
    ngx_uint_t n)
{
    u_char                   *buffer;
    ngx_int_t                 rc;
    ngx_file_info_t           fi;
    ngx_http_wassiit_file_t   next;
    char                      real[PATH_MAX];
    u_char                    path[STORE_PATH];

    /* if it fails: not at every change from now on */
    journal->due = ngx_max(2 * journal->lines, 4);

    if (ngx_http_wassiit_store_beside(file, real, path) != NGX_OK) {
        return NGX_ERROR;
    }

    next = *file;
    next.size = 0;
    next.name.data = path;
    next.name.len = ngx_strlen(path);

    buffer = ngx_alloc(STORE_BUFFER, file->log);
    if (buffer == NULL) {
        return NGX_ERROR;
    }

    /* one may have been left by who died in the middle */
    (void) ngx_delete_file(path);

    next.fd = ngx_open_file(path, NGX_FILE_RDWR|O_EXCL|O_CLOEXEC,
                            NGX_FILE_CREATE_OR_OPEN, 0600);

    if (next.fd == NGX_INVALID_FILE) {
        ngx_log_error(file->level, file->log, ngx_errno,
                      ngx_open_file_n " \"%s\" failed", path);
        ngx_free(buffer);
        return NGX_ERROR;
    }

    ngx_qsort(spans, n, sizeof(ngx_http_wassiit_span_t),
              ngx_http_wassiit_store_span_order);

    rc = ngx_http_wassiit_store_copy(file, &next, spans, n, buffer);

    ngx_explicit_memzero(buffer, STORE_BUFFER);
    ngx_free(buffer);

    /*
     * Whoever finds the new file by its name finds it locked, until offsets
     * are known to all.
     */

    if (rc == NGX_OK
        && (flock(next.fd, LOCK_EX|LOCK_NB) == -1
            || ngx_fd_info(file->fd, &fi) == NGX_FILE_ERROR
            || (fi.st_uid != geteuid()
                && fchown(next.fd, fi.st_uid, fi.st_gid) == -1)
            || fsync(next.fd) == -1
            || ngx_fd_info(next.fd, &fi) == NGX_FILE_ERROR
            || !ngx_http_wassiit_store_same(file)
            || ngx_rename_file(path, real) == NGX_FILE_ERROR))
    {
        ngx_log_error(file->level, file->log, ngx_errno,
                      "putting \"%s\" in place of \"%V\" failed", path,
                      &file->name);
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        (void) ngx_delete_file(path);
        ngx_http_wassiit_store_close(&next);
        return rc;
    }

    ngx_http_wassiit_store_moved(spans, n);

    ngx_http_wassiit_store_close(file);

    file->fd = next.fd;
    file->size = next.size;
    file->dev = fi.st_dev;
    file->ino = fi.st_ino;

    journal->dev = file->dev;
    journal->ino = file->ino;
    journal->lines = n;
    journal->due = 0;
    journal->folder = (ngx_http_wassiit_store_folder(file) != NGX_OK);

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_http_wassiit_store_span_order(const void *one, const void *two)
{
    const ngx_http_wassiit_span_t  *a = one;
    const ngx_http_wassiit_span_t  *b = two;

    return (a->offset > b->offset) - (a->offset < b->offset);
}


/*
 * Copies the lines one after another, as many at once as lie together.
 * NGX_DECLINED: there is no line of this partner where it should be.
 */

static ngx_int_t
ngx_http_wassiit_store_copy(ngx_http_wassiit_file_t *from,
    ngx_http_wassiit_file_t *to, ngx_http_wassiit_span_t *spans, ngx_uint_t n,
    u_char *buffer)
{
    u_char      *p;
    off_t        offset;
    size_t       len, before;
    ngx_uint_t   i, k;

    for (i = 0; i < n; i = k) {
        offset = spans[i].offset;
        before = (offset > 0);
        len = before;

        for (k = i; k < n; k++) {
            if (spans[k].offset != offset + (off_t) (len - before)
                || len + spans[k].len > STORE_BUFFER)
            {
                break;
            }

            len += spans[k].len;
        }

        if (k == i) {
            return NGX_DECLINED;
        }

        if (ngx_http_wassiit_store_read_at(from, buffer, len, offset - before)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (before && buffer[0] != LF) {
            return NGX_DECLINED;
        }

        p = buffer + before;

        for ( /* void */ ; i < k; p += spans[i].len, i++) {
            if (ngx_http_wassiit_store_line(from, &spans[i], p) != NGX_OK) {
                return NGX_DECLINED;
            }
        }

        if (ngx_http_wassiit_store_write(to, buffer + before, len - before)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (p[-1] != LF) {
            if (ngx_http_wassiit_store_write(to, (u_char *) "\n", 1)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            spans[k - 1].len++;
        }
    }

    return NGX_OK;
}


/* Is this a line, and can it be the owner's? */

static ngx_int_t
ngx_http_wassiit_store_line(ngx_http_wassiit_file_t *file,
    ngx_http_wassiit_span_t *span, u_char *p)
{
    off_t    end;
    u_char  *eol, next;
    u_char   quoted[NGX_HTTP_WASSIIT_ID_LEN + 2];

    eol = memchr(p, LF, span->len);
    end = span->offset + span->len;
    next = LF;

    /* what was the last line without an LF has got one since */

    if (eol ? (eol != p + span->len - 1)
            : (end < file->size
               && (ngx_http_wassiit_store_read_at(file, &next, 1, end)
                   != NGX_OK
                   || next != LF)))
    {
        return NGX_DECLINED;
    }

    ngx_sprintf(quoted, "\"%V\"", &span->id);

    return (memmem(p, span->len, quoted, span->id.len + 2)
            || memmem(p, span->len, "\\u00", 4))
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_wassiit_store_moved(ngx_http_wassiit_span_t *spans, ngx_uint_t n)
{
    off_t       offset;
    ngx_uint_t  i;

    offset = 0;

    for (i = 0; i < n; i++) {
        spans[i].offset = offset;
        offset += spans[i].len;
    }
}


ngx_int_t
ngx_http_wassiit_store_secret(ngx_str_t *file, ngx_wassiit_hmac_key_t *key,
    ngx_log_t *log)
{
    u_char   *data, *p, *secret;
    size_t    size;
    ssize_t   n;

    data = ngx_http_wassiit_store_read_secret(file, &size, log);
    if (data == NULL) {
        return NGX_ERROR;
    }

    p = data + size;

    if (p > data && p[-1] == LF) {
        p--;
    }

    if (p > data && p[-1] == CR) {
        p--;
    }

    n = NGX_ERROR;

    secret = ngx_alloc(NGX_WASSIIT_HMAC_DECODED(size), log);
    if (secret == NULL) {
        goto done;
    }

    n = ngx_wassiit_hmac_decode(secret, data, p - data);

    if (n == NGX_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      (p == data) ? "secret file \"%V\" is empty"
                                  : "secret file \"%V\" is not one line of "
                                    "base64", file);

    } else {
        ngx_wassiit_hmac_key(key, secret, n);
    }

    ngx_explicit_memzero(secret, NGX_WASSIIT_HMAC_DECODED(size));
    ngx_free(secret);

done:

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    return (n == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


ngx_array_t *
ngx_http_wassiit_store_secrets(ngx_str_t *file, ngx_pool_t *pool,
    ngx_log_t *log)
{
    u_char                  *data, *p, *eol, *next, *last;
    size_t                   size;
    ngx_uint_t               line;
    ngx_array_t             *keys;
    ngx_pool_cleanup_t      *cln;
    ngx_wassiit_hmac_key_t  *key;

    data = ngx_http_wassiit_store_read_secret(file, &size, log);
    if (data == NULL) {
        return NULL;
    }

    last = data + size;
    keys = NULL;

    for (p = data, line = 1; p < last; p++) {
        line += (*p == LF);
    }

    /* no larger than it will be: as it grew it would leave copies behind */

    keys = ngx_array_create(pool, line, sizeof(ngx_wassiit_hmac_key_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (keys == NULL || cln == NULL) {
        keys = NULL;
        goto done;
    }

    cln->handler = ngx_http_wassiit_store_wipe;
    cln->data = keys;

    if (size == 0) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "secret file \"%V\" is empty",
                      file);
        keys = NULL;
        goto done;
    }

    for (p = data, line = 1; p < last; p = next, line++) {
        eol = memchr(p, LF, last - p);

        next = eol ? eol + 1 : last;
        eol = eol ? eol : last;

        if (eol > p && eol[-1] == CR) {
            eol--;
        }

        if (eol == p) {
            /* anyone can sign with nothing */
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "secret file \"%V\" has an empty line: %ui",
                          file, line);
            keys = NULL;
            goto done;
        }

        key = ngx_array_push(keys);
        if (key == NULL) {
            keys = NULL;
            goto done;
        }

        ngx_wassiit_hmac_key(key, p, eol - p);
    }

done:

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    return keys;
}


static void
ngx_http_wassiit_store_wipe(void *data)
{
    ngx_array_t *keys = data;

    ngx_explicit_memzero(keys->elts, keys->nalloc * keys->size);
}


/* The same for a file that is read once. */

static u_char *
ngx_http_wassiit_store_read_secret(ngx_str_t *file, size_t *size,
    ngx_log_t *log)
{
    u_char    *data;
    ngx_fd_t   fd;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_open_file_n " \"%V\" failed", file);
        return NULL;
    }

    data = ngx_http_wassiit_store_read(file, fd, size, log);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", file);
    }

    return data;
}
