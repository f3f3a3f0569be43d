
#include <jansson.h>
#include <sys/wait.h>

#include "ngx_http_wassiit_store.h"
#include "ngx_wassiit_time.h"


/*
 * The file is parsed by processes of their own, a large one in parts at once:
 * jansson takes some microseconds a line, and a reload waits for a million of
 * them.  Threads would do, but for the workers: libc takes locks from then on,
 * in a process that has had a second thread and in all that it forks.
 */
#define STORE_PARTS         NGX_HTTP_WASSIIT_STORE_PARTS
#define STORE_PART          (1024 * 1024)   /* the least */

#define STORE_LINE          65536           /* a line is shorter */

/* what jansson makes of a line, a strange one excepted */
#define STORE_ARENA         65536


/* A set of records by id, or of keys by digest. */

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
    const ngx_wassiit_scopes_t       *scopes;

    u_char                           *pos;      /* of free memory */

    ngx_uint_t                        done;     /* its process came so far */
    ngx_uint_t                        secrets;  /* are there any? */
    ngx_int_t                         rc;
    ngx_uint_t                        line;     /* the last, from 1 */
    ngx_http_wassiit_record_t        *records;
    ngx_http_wassiit_record_t       **last;
    size_t                            fault_len;
    u_char                            fault[NGX_MAX_ERROR_STR / 2];
} ngx_http_wassiit_part_t;


/* jansson's memory while a line is parsed, ngx_http_wassiit_arena_alloc() */

typedef struct {
    u_char                           *start;
    size_t                            used;
    ngx_uint_t                        elsewhere;
    ngx_log_t                        *log;
} ngx_http_wassiit_arena_t;


static void ngx_http_wassiit_store_wipe(void *data);
static u_char *ngx_http_wassiit_store_read(ngx_str_t *file, size_t *size,
    ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_store_divide(
    ngx_http_wassiit_store_t *store, u_char *data, size_t size,
    const ngx_wassiit_scopes_t *scopes, ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_store_parse(ngx_http_wassiit_store_t *store,
    ngx_log_t *log);
static void ngx_http_wassiit_store_part(ngx_http_wassiit_part_t *part);
static void *ngx_http_wassiit_part_alloc(ngx_http_wassiit_part_t *part,
    size_t size, size_t align);
static ngx_int_t ngx_http_wassiit_store_join(ngx_http_wassiit_store_t *store,
    ngx_str_t *file, ngx_log_t *log);
static void *ngx_http_wassiit_arena_alloc(size_t size);
static void ngx_http_wassiit_arena_free(void *p);
static ngx_int_t ngx_http_wassiit_store_line(ngx_http_wassiit_part_t *part,
    u_char *p, size_t len);
static ngx_int_t ngx_http_wassiit_store_record(ngx_http_wassiit_part_t *part,
    json_t *json, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_scopes(ngx_http_wassiit_part_t *part,
    json_t *json, uint64_t *scopes);
static ngx_int_t ngx_http_wassiit_store_keys(ngx_http_wassiit_part_t *part,
    json_t *json, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_key(ngx_http_wassiit_part_t *part,
    json_t *json, ngx_uint_t n, ngx_http_wassiit_key_t *key);
static ngx_int_t ngx_http_wassiit_store_digest(json_t *json, u_char *digest);
static ngx_int_t ngx_http_wassiit_store_time(json_t *json, int64_t *seconds);
static ngx_http_wassiit_secrets_t *ngx_http_wassiit_store_owns(
    ngx_http_wassiit_part_t *part, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_hmac(ngx_http_wassiit_part_t *part,
    json_t *json, ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_id(json_t *json);
static ngx_int_t ngx_http_wassiit_store_name(json_t *json);
static void ngx_http_wassiit_store_copy(ngx_http_wassiit_part_t *part,
    json_t *json, ngx_str_t *value);
static void ngx_http_wassiit_store_merge(ngx_http_wassiit_store_t *store,
    ngx_http_wassiit_set_t *ids, ngx_http_wassiit_record_t ***last,
    ngx_http_wassiit_record_t *rec);
static ngx_int_t ngx_http_wassiit_store_unique(
    ngx_http_wassiit_store_t *store, ngx_str_t *file, ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_store_set(ngx_http_wassiit_set_t *set,
    ngx_uint_t count, ngx_log_t *log);
static ngx_int_t ngx_http_wassiit_store_fault(ngx_http_wassiit_part_t *part,
    const char *fmt, ...);


static ngx_http_wassiit_arena_t  ngx_http_wassiit_arena;


ngx_http_wassiit_store_t *
ngx_http_wassiit_store_load(ngx_str_t *file,
    const ngx_wassiit_scopes_t *scopes, ngx_log_t *log)
{
    size_t                     size;
    u_char                    *data;
    ngx_int_t                  rc;
    ngx_http_wassiit_store_t  *store;

    store = ngx_calloc(sizeof(ngx_http_wassiit_store_t), log);
    if (store == NULL) {
        return NULL;
    }

    data = ngx_http_wassiit_store_read(file, &size, log);
    if (data == NULL) {
        ngx_free(store);
        return NULL;
    }

    rc = ngx_http_wassiit_store_divide(store, data, size, scopes, log);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_store_parse(store, log);
    }

    ngx_explicit_memzero(data, size);
    ngx_free(data);

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_store_join(store, file, log);
    }

    if (rc == NGX_OK) {
        rc = ngx_http_wassiit_store_unique(store, file, log);
    }

    if (rc != NGX_OK) {
        ngx_http_wassiit_store_destroy(store);
        return NULL;
    }

    return store;
}


void
ngx_http_wassiit_store_destroy(ngx_http_wassiit_store_t *store)
{
    ngx_uint_t                i;
    ngx_http_wassiit_part_t  *part;

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        part = (ngx_http_wassiit_part_t *) store->parts[i].addr;

        if (part->secrets) {
            ngx_explicit_memzero(part, part->pos - (u_char *) part);
        }

        ngx_shm_free(&store->parts[i]);
    }

    ngx_free(store);
}


ngx_int_t
ngx_http_wassiit_store_secret(ngx_str_t *file, ngx_wassiit_hmac_key_t *key,
    ngx_log_t *log)
{
    u_char   *data, *p, *secret;
    size_t    size;
    ssize_t   n;

    data = ngx_http_wassiit_store_read(file, &size, log);
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

    data = ngx_http_wassiit_store_read(file, &size, log);
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


static u_char *
ngx_http_wassiit_store_read(ngx_str_t *file, size_t *size, ngx_log_t *log)
{
    u_char           *data;
    size_t            room, used;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_open_file_n " \"%V\" failed", file);
        return NULL;
    }

    data = NULL;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_fd_info_n " \"%V\" failed", file);
        goto done;
    }

    if (!ngx_is_file(&fi) && !ngx_is_dir(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "file \"%V\" is not a regular file", file);
        goto done;
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
        goto done;
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
            goto done;
        }

        used += n;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "file \"%V\" grew while it was read", file);

failed:

    ngx_explicit_memzero(data, used);
    ngx_free(data);
    data = NULL;

done:

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", file);
    }

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

        /*
         * A record for each line, and its secrets; what is copied is no longer
         * than the line, and a key is shorter than its text.
         */

        shm = &store->parts[i];
        shm->size = sizeof(ngx_http_wassiit_part_t) + STORE_LINE
                    + lines * (sizeof(ngx_http_wassiit_record_t)
                               + sizeof(ngx_http_wassiit_secrets_t)
                               + 3 * NGX_ALIGNMENT)
                    + 2 * (eol - p);
        ngx_str_set(&shm->name, "wassiit partners' file");
        shm->log = log;

        if (ngx_shm_alloc(shm) != NGX_OK) {
            shm->addr = NULL;
            return NGX_ERROR;
        }

        part = (ngx_http_wassiit_part_t *) shm->addr;

        part->start = p;
        part->end = eol;
        part->scopes = scopes;

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

    ngx_http_wassiit_arena.log = log;
    ngx_http_wassiit_arena.start = ngx_alloc(STORE_ARENA, log);

    if (ngx_http_wassiit_arena.start == NULL) {
        return NGX_ERROR;
    }

    json_get_alloc_funcs(&json_malloc, &json_free);
    json_set_alloc_funcs(ngx_http_wassiit_arena_alloc,
                         ngx_http_wassiit_arena_free);
    json_object_seed(0);

    /* nginx's own handler would take our processes for workers */

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void) sigprocmask(SIG_BLOCK, &set, &former);

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        pids[i] = fork();

        if (pids[i] == 0) {
            ngx_http_wassiit_store_part(
                           (ngx_http_wassiit_part_t *) store->parts[i].addr);
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
            ngx_http_wassiit_store_part(part);
        }
    }

    (void) sigprocmask(SIG_SETMASK, &former, NULL);

    json_set_alloc_funcs(json_malloc, json_free);
    ngx_free(ngx_http_wassiit_arena.start);

    return NGX_OK;
}


static void
ngx_http_wassiit_store_part(ngx_http_wassiit_part_t *part)
{
    u_char  *p, *eol;

    part->pos = (u_char *) part + sizeof(ngx_http_wassiit_part_t);
    part->line = 0;
    part->records = NULL;
    part->last = &part->records;
    part->rc = NGX_OK;

    for (p = part->start; p < part->end && part->rc == NGX_OK; p = eol + 1) {
        eol = memchr(p, LF, part->end - p);

        if (eol == NULL) {
            eol = part->end;
        }

        part->rc = ngx_http_wassiit_store_line(part, p, eol - p);
    }

    part->done = 1;
}


/* Memory that lives as long as the store; there is always enough. */

static void *
ngx_http_wassiit_part_alloc(ngx_http_wassiit_part_t *part, size_t size,
    size_t align)
{
    u_char  *p;

    p = ngx_align_ptr(part->pos, align);
    part->pos = p + size;

    return p;
}


/*
 * While a file is parsed, jansson's memory comes from here: a line's values
 * lie together, go at once, and are wiped, as secrets are among them.
 */

static void *
ngx_http_wassiit_arena_alloc(size_t size)
{
    void                      *p;
    ngx_http_wassiit_arena_t  *arena;

    arena = &ngx_http_wassiit_arena;
    size = ngx_align(size, NGX_ALIGNMENT);

    if (size > STORE_ARENA - arena->used) {
        arena->elsewhere++;
        return ngx_alloc(size, arena->log);
    }

    p = arena->start + arena->used;
    arena->used += size;

    return p;
}


static void
ngx_http_wassiit_arena_free(void *p)
{
    u_char  *start;

    start = ngx_http_wassiit_arena.start;

    if (p && ((u_char *) p < start || (u_char *) p >= start + STORE_ARENA)) {
        ngx_free(p);
    }
}


static ngx_int_t
ngx_http_wassiit_store_line(ngx_http_wassiit_part_t *part, u_char *p,
    size_t len)
{
    json_t                     *json;
    size_t                      i;
    ngx_int_t                   rc;
    json_error_t                error;
    ngx_http_wassiit_record_t  *rec;

    part->line++;

    if (len >= STORE_LINE) {
        return ngx_http_wassiit_store_fault(part, "line too long, the most "
                                            "is %d bytes", STORE_LINE - 1);
    }

    for (i = 0; i < len; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != CR) {
            break;
        }
    }

    if (i == len) {
        return NGX_OK;
    }

    rec = ngx_http_wassiit_part_alloc(part, sizeof(ngx_http_wassiit_record_t),
                                      NGX_ALIGNMENT);
    ngx_memzero(rec, sizeof(ngx_http_wassiit_record_t));

    ngx_http_wassiit_arena.used = 0;
    ngx_http_wassiit_arena.elsewhere = 0;

    json = json_loadb((char *) p, len, JSON_REJECT_DUPLICATES, &error);

    if (json == NULL) {
        /* jansson's own text may quote what is secret */

        if (json_error_code(&error) == json_error_duplicate_key) {
            rc = ngx_http_wassiit_store_fault(part,
                                              "column %d: field given twice",
                                              error.column);
        } else {
            rc = ngx_http_wassiit_store_fault(part,
                                              "column %d: not valid JSON",
                                              error.column);
        }

        goto done;
    }

    rc = ngx_http_wassiit_store_record(part, json, rec);

    if (rc == NGX_OK) {
        *part->last = rec;
        part->last = &rec->next;
    }

    if (ngx_http_wassiit_arena.elsewhere) {
        json_decref(json);
    }

done:

    ngx_explicit_memzero(ngx_http_wassiit_arena.start,
                         ngx_http_wassiit_arena.used);

    return rc;
}


static ngx_int_t
ngx_http_wassiit_store_record(ngx_http_wassiit_part_t *part, json_t *json,
    ngx_http_wassiit_record_t *rec)
{
    json_t      *value, *id;
    const char  *field;

    if (!json_is_object(json)) {
        return ngx_http_wassiit_store_fault(part, "not a JSON object");
    }

    id = json_object_get(json, "id");

    if (id == NULL) {
        return ngx_http_wassiit_store_fault(part, "id: missing");
    }

    if (ngx_http_wassiit_store_id(id) != NGX_OK) {
        return ngx_http_wassiit_store_fault(part, "id: must be a string of "
                                            "1 to 64 of a-z 0-9 . _ -");
    }

    ngx_http_wassiit_store_copy(part, id, &rec->id);
    rec->enabled = 1;
    ngx_str_set(&rec->name, "");
    rec->line = part->line;

    json_object_foreach(json, field, value) {

        if (ngx_strcmp(field, "id") == 0) {
            continue;
        }

        if (ngx_strcmp(field, "name") == 0) {
            if (ngx_http_wassiit_store_name(value) != NGX_OK) {
                return ngx_http_wassiit_store_fault(part, "name: must be a "
                                        "string of 1 to 128 bytes without "
                                        "control characters");
            }

            ngx_http_wassiit_store_copy(part, value, &rec->name);

        } else if (ngx_strcmp(field, "enabled") == 0) {
            if (!json_is_boolean(value)) {
                return ngx_http_wassiit_store_fault(part, "enabled: must be "
                                                    "true or false");
            }

            rec->enabled = json_is_true(value);

        } else if (ngx_strcmp(field, "deleted") == 0) {
            if (!json_is_true(value) || json_object_size(json) != 2) {
                return ngx_http_wassiit_store_fault(part, "deleted: must be "
                                                    "true, beside an id "
                                                    "alone");
            }

            rec->deleted = 1;

        } else if (ngx_strcmp(field, "scopes") == 0) {
            if (ngx_http_wassiit_store_scopes(part, value, &rec->scopes)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(field, "rate") == 0) {
            if (!json_is_string(value)
                || ngx_wassiit_rate_parse((u_char *) json_string_value(value),
                                          json_string_length(value),
                                          &rec->rate)
                   != NGX_OK)
            {
                return ngx_http_wassiit_store_fault(part, "rate: must be a "
                                        "string such as \"100r/m\", from 1 "
                                        "to %d, r/s, r/m, r/h or r/d",
                                        NGX_WASSIIT_RATE_MAX);
            }

        } else if (ngx_strcmp(field, "keys") == 0) {
            if (ngx_http_wassiit_store_keys(part, value, rec) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(field, "hmac_secret") == 0) {
            if (ngx_http_wassiit_store_hmac(part, value, rec) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (ngx_strcmp(field, "webhook_secret") == 0) {
            if (!json_is_string(value) || json_string_length(value) == 0) {
                return ngx_http_wassiit_store_fault(part, "webhook_secret: "
                                                    "must be a string that "
                                                    "isn't empty");
            }

            ngx_http_wassiit_store_owns(part, rec)->has_webhook = 1;
            ngx_wassiit_hmac_key(&rec->secrets->webhook,
                                 (u_char *) json_string_value(value),
                                 json_string_length(value));

        } else {
            return ngx_http_wassiit_store_fault(part, "%s: unknown field",
                                                field);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_scopes(ngx_http_wassiit_part_t *part, json_t *json,
    uint64_t *scopes)
{
    size_t      i, len;
    u_char     *p;
    json_t     *value;
    uint64_t    scope;
    ngx_str_t   nearest;

    if (!json_is_array(json)) {
        return ngx_http_wassiit_store_fault(part, "scopes: must be an array");
    }

    json_array_foreach(json, i, value) {

        if (!json_is_string(value)) {
            return ngx_http_wassiit_store_fault(part, "scopes[%uz]: must be a "
                                                "string", i);
        }

        p = (u_char *) json_string_value(value);
        len = json_string_length(value);

        scope = ngx_wassiit_scopes_find(part->scopes, p, len);

        if (scope == 0) {
            ngx_wassiit_scopes_nearest(part->scopes, p, len, &nearest);

            return ngx_http_wassiit_store_fault(part, "scopes[%uz]: unknown "
                                      "scope \"%s\", the nearest is \"%V\"",
                                      i, p, &nearest);
        }

        *scopes |= scope;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_keys(ngx_http_wassiit_part_t *part, json_t *json,
    ngx_http_wassiit_record_t *rec)
{
    size_t                   i, n;
    json_t                  *value;
    ngx_http_wassiit_key_t  *keys;

    if (!json_is_array(json)) {
        return ngx_http_wassiit_store_fault(part, "keys: must be an array");
    }

    if (json_array_size(json) > NGX_HTTP_WASSIIT_KEYS) {
        return ngx_http_wassiit_store_fault(part, "keys: %uz of them, the most "
                                            "is %d", json_array_size(json),
                                            NGX_HTTP_WASSIIT_KEYS);
    }

    rec->nkeys = json_array_size(json);

    keys = ngx_http_wassiit_part_alloc(part, rec->nkeys
                                             * sizeof(ngx_http_wassiit_key_t),
                                       NGX_ALIGNMENT);
    rec->keys = keys;

    json_array_foreach(json, i, value) {

        if (ngx_http_wassiit_store_key(part, value, i, &keys[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        for (n = 0; n < i; n++) {
            if (keys[n].id.len == keys[i].id.len
                && ngx_memcmp(keys[n].id.data, keys[i].id.data,
                              keys[i].id.len)
                   == 0)
            {
                return ngx_http_wassiit_store_fault(part, "keys[%uz].id: "
                                          "\"%V\" is keys[%uz]'s already",
                                          i, &keys[i].id, n);
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_key(ngx_http_wassiit_part_t *part, json_t *json,
    ngx_uint_t n, ngx_http_wassiit_key_t *key)
{
    json_t      *value;
    const char  *field;

    if (!json_is_object(json)) {
        return ngx_http_wassiit_store_fault(part, "keys[%ui]: must be an "
                                            "object", n);
    }

    if (json_object_get(json, "id") == NULL) {
        return ngx_http_wassiit_store_fault(part, "keys[%ui].id: missing", n);
    }

    if (json_object_get(json, "sha256") == NULL) {
        return ngx_http_wassiit_store_fault(part, "keys[%ui].sha256: missing",
                                            n);
    }

    key->created = INT64_MIN;
    key->expires = INT64_MAX;

    json_object_foreach(json, field, value) {

        if (ngx_strcmp(field, "id") == 0) {
            if (ngx_http_wassiit_store_id(value) != NGX_OK) {
                return ngx_http_wassiit_store_fault(part, "keys[%ui].id: must "
                                        "be a string of 1 to 64 of "
                                        "a-z 0-9 . _ -", n);
            }

            ngx_http_wassiit_store_copy(part, value, &key->id);

        } else if (ngx_strcmp(field, "sha256") == 0) {
            if (ngx_http_wassiit_store_digest(value, key->digest) != NGX_OK) {
                return ngx_http_wassiit_store_fault(part, "keys[%ui].sha256: "
                                                    "must be a string of 64 "
                                                    "hex digits", n);
            }

        } else if (ngx_strcmp(field, "created") == 0) {
            if (ngx_http_wassiit_store_time(value, &key->created) != NGX_OK) {
                return ngx_http_wassiit_store_fault(part, "keys[%ui].created: "
                                        "must be a time such as "
                                        "\"2026-11-01T09:00:00Z\"", n);
            }

        } else if (ngx_strcmp(field, "expires") == 0) {
            if (ngx_http_wassiit_store_time(value, &key->expires) != NGX_OK) {
                return ngx_http_wassiit_store_fault(part, "keys[%ui].expires: "
                                        "must be a time such as "
                                        "\"2026-11-01T09:00:00Z\"", n);
            }

        } else {
            return ngx_http_wassiit_store_fault(part, "keys[%ui].%s: unknown "
                                                "field", n, field);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_digest(json_t *json, u_char *digest)
{
    u_char         c;
    ngx_uint_t     i, valid, value;
    const char    *p;

    static uint32_t  hex[] = { 0, 0x03ff0000, 0x7e, 0x7e, 0, 0, 0, 0 };

    if (!json_is_string(json)
        || json_string_length(json) != 2 * NGX_WASSIIT_DIGEST_LEN)
    {
        return NGX_ERROR;
    }

    p = json_string_value(json);
    valid = 1;
    value = 0;

    /* without branches, as digits and letters come at random */

    for (i = 0; i < 2 * NGX_WASSIIT_DIGEST_LEN; i++) {
        c = p[i];
        valid &= hex[c >> 5] >> (c & 0x1f);
        value = (value << 4) | ((c & 0xf) + 9 * (c >> 6));
        digest[i / 2] = value;
    }

    return valid ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_wassiit_store_time(json_t *json, int64_t *seconds)
{
    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    return ngx_wassiit_time_parse((u_char *) json_string_value(json),
                                  json_string_length(json), seconds);
}


static ngx_http_wassiit_secrets_t *
ngx_http_wassiit_store_owns(ngx_http_wassiit_part_t *part,
    ngx_http_wassiit_record_t *rec)
{
    if (rec->secrets == NULL) {
        rec->secrets = ngx_http_wassiit_part_alloc(part,
                                           sizeof(ngx_http_wassiit_secrets_t),
                                           NGX_ALIGNMENT);
        ngx_memzero(rec->secrets, sizeof(ngx_http_wassiit_secrets_t));
        part->secrets = 1;
    }

    return rec->secrets;
}


static ngx_int_t
ngx_http_wassiit_store_hmac(ngx_http_wassiit_part_t *part, json_t *json,
    ngx_http_wassiit_record_t *rec)
{
    size_t   len;
    u_char  *secret;
    ssize_t  n;

    n = NGX_ERROR;

    if (json_is_string(json)) {
        len = json_string_length(json);

        /* it goes with the line's other values, and is wiped with them */

        secret = ngx_http_wassiit_arena_alloc(NGX_WASSIIT_HMAC_DECODED(len));
        if (secret == NULL) {
            return NGX_ERROR;
        }

        n = ngx_wassiit_hmac_decode(secret, (u_char *) json_string_value(json),
                                    len);
        if (n != NGX_ERROR) {
            ngx_http_wassiit_store_owns(part, rec)->has_hmac = 1;
            ngx_wassiit_hmac_key(&rec->secrets->hmac, secret, n);
        }

        ngx_explicit_memzero(secret, NGX_WASSIIT_HMAC_DECODED(len));
        ngx_http_wassiit_arena_free(secret);
    }

    if (n == NGX_ERROR) {
        return ngx_http_wassiit_store_fault(part, "hmac_secret: must be a "
                                            "string of base64");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_id(json_t *json)
{
    size_t       i, len;
    const char  *p;

    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    p = json_string_value(json);
    len = json_string_length(json);

    if (len == 0 || len > NGX_HTTP_WASSIIT_ID_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= '0' && p[i] <= '9')
              || p[i] == '.' || p[i] == '_' || p[i] == '-'))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_wassiit_store_name(json_t *json)
{
    size_t       i, len;
    const char  *p;

    if (!json_is_string(json)) {
        return NGX_ERROR;
    }

    p = json_string_value(json);
    len = json_string_length(json);

    if (len == 0 || len > NGX_HTTP_WASSIIT_NAME_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        if ((u_char) p[i] < 0x20 || p[i] == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_wassiit_store_copy(ngx_http_wassiit_part_t *part, json_t *json,
    ngx_str_t *value)
{
    value->len = json_string_length(json);
    value->data = ngx_http_wassiit_part_alloc(part, value->len, 1);
    ngx_memcpy(value->data, json_string_value(json), value->len);
}


/* Puts the parts together, and reports the file's first fault. */

static ngx_int_t
ngx_http_wassiit_store_join(ngx_http_wassiit_store_t *store, ngx_str_t *file,
    ngx_log_t *log)
{
    ngx_uint_t                   i, lines;
    ngx_http_wassiit_set_t       ids;
    ngx_http_wassiit_part_t     *part;
    ngx_http_wassiit_record_t   *rec, *next, **last;

    lines = 0;

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        part = (ngx_http_wassiit_part_t *) store->parts[i].addr;
        lines += part->line;

        if (part->rc != NGX_OK) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "%V:%ui: %*s",
                          file, lines, part->fault_len, part->fault);
            return NGX_ERROR;
        }
    }

    if (ngx_http_wassiit_store_set(&ids, lines, log) != NGX_OK) {
        return NGX_ERROR;
    }

    lines = 0;
    last = &store->records;

    for (i = 0; i < STORE_PARTS && store->parts[i].addr; i++) {
        part = (ngx_http_wassiit_part_t *) store->parts[i].addr;

        for (rec = part->records; rec; rec = next) {
            next = rec->next;
            rec->next = NULL;
            rec->line += lines;

            ngx_http_wassiit_store_merge(store, &ids, &last, rec);
        }

        lines += part->line;
    }

    ngx_free(ids.slots);

    return NGX_OK;
}


static void
ngx_http_wassiit_store_merge(ngx_http_wassiit_store_t *store,
    ngx_http_wassiit_set_t *ids, ngx_http_wassiit_record_t ***last,
    ngx_http_wassiit_record_t *rec)
{
    ngx_uint_t                  i;
    ngx_http_wassiit_record_t  *next, *found;

    store->keys += rec->nkeys;

    for (i = ngx_murmur_hash2(rec->id.data, rec->id.len) & ids->mask;
         ids->slots[i];
         i = (i + 1) & ids->mask)
    {
        found = ids->slots[i];

        if (found->id.len == rec->id.len
            && ngx_memcmp(found->id.data, rec->id.data, rec->id.len) == 0)
        {
            store->partners += (ngx_uint_t) found->deleted - rec->deleted;

            next = found->next;
            *found = *rec;
            found->next = next;

            return;
        }
    }

    ids->slots[i] = rec;
    store->partners += !rec->deleted;

    **last = rec;
    *last = &rec->next;
}


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
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "%V:%ui: keys[%ui].sha256: partner \"%V\" has the "
                          "same key, on line %ui",
                          file, rec->line, n, &other->id, other->line);
            break;
        }
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


/* Always returns NGX_ERROR. */

static ngx_int_t
ngx_http_wassiit_store_fault(ngx_http_wassiit_part_t *part,
    const char *fmt, ...)
{
    u_char   *p;
    va_list   args;

    va_start(args, fmt);
    p = ngx_vslprintf(part->fault, part->fault + sizeof(part->fault), fmt,
                      args);
    va_end(args);

    part->fault_len = p - part->fault;

    /* names from the file are quoted: they must not make lines of the log */

    while (p-- > part->fault) {
        if (*p < 0x20 || *p == 0x7f) {
            *p = '?';
        }
    }

    return NGX_ERROR;
}
