
#include "ngx_http_wassiit_memory.h"

#include <dirent.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/resource.h>


/* as they stand in /proc/self/fd; what has no file counts as deleted */
#define MEMORY_LINK         "/memfd:"
#define MEMORY_PREFIX       "wassiit:"
#define MEMORY_DELETED      " (deleted)"

#define MEMORY_LINK_LEN                                                      \
    (sizeof(MEMORY_LINK MEMORY_PREFIX MEMORY_DELETED)                        \
     + NGX_HTTP_WASSIIT_MEMORY_NAME)

#define MEMORY_SEALS        (F_SEAL_SHRINK|F_SEAL_GROW|F_SEAL_SEAL)


static int ngx_http_wassiit_memory_open(ngx_str_t *name, size_t size,
    unsigned flags);
static ngx_http_wassiit_memory_t *ngx_http_wassiit_memory_map(int fd,
    size_t size, ngx_log_t *log);
static ngx_http_wassiit_memory_t *ngx_http_wassiit_memory_adopt(int fd,
    ngx_log_t *log);
static int ngx_http_wassiit_memory_next(DIR *dir, const char *name);
static ngx_uint_t ngx_http_wassiit_memory_is_used(int fd);
static ngx_uint_t ngx_http_wassiit_memory_is_advised(void);


static const u_char  ngx_http_wassiit_memory_magic[8] = "wassiit";

/* all that this process has */
static ngx_queue_t   ngx_http_wassiit_memories;


ngx_http_wassiit_memory_t *
ngx_http_wassiit_memory_create(ngx_str_t *name, size_t size, uint32_t layout,
    ngx_log_t *log)
{
    int                              fd;
    size_t                           mapped;
    ngx_uint_t                       pages;
    struct timespec                  ts;
    ngx_http_wassiit_memory_t       *memory;
    ngx_http_wassiit_memory_head_t  *head;

    fd = -1;
    mapped = size;
    pages = NGX_HTTP_WASSIIT_MEMORY_SMALL;

    if (size >= NGX_HTTP_WASSIIT_MEMORY_LARGE && !ngx_test_config) {
        mapped = ngx_align(size, NGX_HTTP_WASSIIT_MEMORY_LARGE);
        pages = NGX_HTTP_WASSIIT_MEMORY_RESERVED;

        fd = ngx_http_wassiit_memory_open(name, mapped,
                                          MFD_HUGETLB|MFD_HUGE_2MB);

        if (fd == -1) {
            mapped = size;
            pages = ngx_http_wassiit_memory_is_advised()
                    ? NGX_HTTP_WASSIIT_MEMORY_ADVISED
                    : NGX_HTTP_WASSIIT_MEMORY_SMALL;
        }
    }

    if (fd == -1) {
        fd = ngx_http_wassiit_memory_open(name, mapped, 0);
    }

    memory = ngx_http_wassiit_memory_map(fd, mapped, log);

    if (memory == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "%uz bytes of memory for wassiit_zone \"%V\" can't be "
                      "had", size, name);

        if (fd != -1) {
            (void) close(fd);
        }

        return NULL;
    }

    memory->pages = pages;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    head = memory->head;
    head->made = (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;

    ngx_memcpy(head->magic, ngx_http_wassiit_memory_magic, sizeof(head->magic));
    head->layout = layout;
    head->size = size;

    return memory;
}


/*
 * Its size is sealed: who has the descriptor can't make anyone who uses the
 * memory fault.  Large pages are taken at once, as there may be too few of them
 * by the time that they are used.  Returns -1 if it can't be had.
 */

static int
ngx_http_wassiit_memory_open(ngx_str_t *name, size_t size, unsigned flags)
{
    int            fd, at;
    char           text[sizeof(MEMORY_PREFIX) + NGX_HTTP_WASSIIT_MEMORY_NAME];
    struct rlimit  limit;

    if (getrlimit(RLIMIT_FSIZE, &limit) == -1 || size > limit.rlim_cur) {
        /* to make it larger than files may be is to be sent SIGXFSZ */
        return -1;
    }

    (void) snprintf(text, sizeof(text), MEMORY_PREFIX "%.*s", (int) name->len,
                    (char *) name->data);

    fd = memfd_create(text, MFD_ALLOW_SEALING|flags);

    if (fd != -1 && fd <= STDERR_FILENO) {
        /* where nginx opens other things later */
        at = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);
        (void) close(fd);
        fd = at;
    }

    if (fd == -1) {
        return -1;
    }

    if (ftruncate(fd, size) == -1
        || fcntl(fd, F_ADD_SEALS, MEMORY_SEALS) == -1
        || ((flags & MFD_HUGETLB) && fallocate(fd, 0, 0, size) == -1))
    {
        (void) close(fd);
        return -1;
    }

    return fd;
}


/* Does the system give large pages to memory that asks for them? */

static ngx_uint_t
ngx_http_wassiit_memory_is_advised(void)
{
    int      fd;
    char     text[128];
    ssize_t  n;

    fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, text, sizeof(text) - 1);
    (void) close(fd);

    if (n <= 0) {
        return 0;
    }

    text[n] = '\0';

    return strstr(text, "[never]") == NULL && strstr(text, "[deny]") == NULL;
}


/* fd may be -1; if NULL is returned it is still the caller's. */

static ngx_http_wassiit_memory_t *
ngx_http_wassiit_memory_map(int fd, size_t size, ngx_log_t *log)
{
    void                       *p;
    ngx_err_t                   err;
    ngx_http_wassiit_memory_t  *memory;

    memory = ngx_alloc(sizeof(ngx_http_wassiit_memory_t), log);
    if (memory == NULL) {
        return NULL;
    }

    p = mmap(NULL, size, PROT_READ|PROT_WRITE,
             (fd == -1) ? MAP_ANON|MAP_SHARED : MAP_SHARED, fd, 0);

    if (p == MAP_FAILED) {
        err = ngx_errno;
        ngx_free(memory);
        ngx_set_errno(err);
        return NULL;
    }

    /* there are secrets in it */
    (void) madvise(p, size, MADV_DONTDUMP);

    if (size >= NGX_HTTP_WASSIIT_MEMORY_LARGE
        && ngx_http_wassiit_memory_is_advised())
    {
        /* which each process asks for, and large pages refuse */
        (void) madvise(p, size, MADV_HUGEPAGE);
    }

    memory->head = p;
    memory->mapped = size;
    memory->fd = fd;
    memory->users = 1;
    memory->pages = NGX_HTTP_WASSIIT_MEMORY_SMALL;
    memory->inherited = 0;
    memory->damaged = 0;

    if (ngx_http_wassiit_memories.next == NULL) {
        ngx_queue_init(&ngx_http_wassiit_memories);
    }

    ngx_queue_insert_tail(&ngx_http_wassiit_memories, &memory->queue);

    return memory;
}


ngx_http_wassiit_memory_t *
ngx_http_wassiit_memory_inherit(ngx_str_t *name, ngx_log_t *log)
{
    int                         fd;
    DIR                        *dir;
    char                        link[MEMORY_LINK_LEN];
    ngx_http_wassiit_memory_t  *memory, *found;

    dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return NULL;
    }

    if (name) {
        (void) snprintf(link, sizeof(link),
                        MEMORY_LINK MEMORY_PREFIX "%.*s" MEMORY_DELETED,
                        (int) name->len, (char *) name->data);
    }

    found = NULL;

    for ( ;; ) {
        fd = ngx_http_wassiit_memory_next(dir, name ? link : NULL);

        if (fd == -1) {
            break;
        }

        memory = ngx_http_wassiit_memory_adopt(fd, log);

        if (memory == NULL) {
            continue;
        }

        if (found && (found->damaged < memory->damaged
                      || found->head->made > memory->head->made))
        {
            ngx_http_wassiit_memory_free(memory);
            continue;
        }

        if (found) {
            ngx_http_wassiit_memory_free(found);
        }

        found = memory;

        if (name == NULL) {
            break;
        }
    }

    (void) closedir(dir);

    return found;
}


/* Returns NULL if it is nothing that we have made. */

static ngx_http_wassiit_memory_t *
ngx_http_wassiit_memory_adopt(int fd, ngx_log_t *log)
{
    int                         seals;
    struct stat                 sb;
    ngx_http_wassiit_memory_t  *memory;

    seals = fcntl(fd, F_GET_SEALS);

    if (seals == -1 || (seals & MEMORY_SEALS) != MEMORY_SEALS
        || fstat(fd, &sb) == -1
        || sb.st_size < (off_t) sizeof(ngx_http_wassiit_memory_head_t))
    {
        return NULL;
    }

    memory = ngx_http_wassiit_memory_map(fd, sb.st_size, log);
    if (memory == NULL) {
        return NULL;
    }

    memory->inherited = 1;
    memory->damaged = (ngx_memcmp(memory->head->magic,
                                  ngx_http_wassiit_memory_magic,
                                  sizeof(memory->head->magic)) != 0
                       || memory->head->size > memory->mapped);

    return memory;
}


/*
 * The next descriptor that stands for memory of ours that isn't used; name is
 * the whole link, or NULL for any.  Returns -1: there is none.
 */

static int
ngx_http_wassiit_memory_next(DIR *dir, const char *name)
{
    int             fd, folder;
    ssize_t         n;
    char            link[MEMORY_LINK_LEN];
    struct dirent  *entry;

    folder = dirfd(dir);

    for ( ;; ) {
        entry = readdir(dir);

        if (entry == NULL || folder == -1) {
            return -1;
        }

        n = readlinkat(folder, entry->d_name, link, sizeof(link) - 1);

        if (n == -1) {
            continue;
        }

        link[n] = '\0';

        if (name ? strcmp(link, name) != 0
                 : strncmp(link, MEMORY_LINK MEMORY_PREFIX,
                           sizeof(MEMORY_LINK MEMORY_PREFIX) - 1)
                   != 0)
        {
            continue;
        }

        fd = (int) strtol(entry->d_name, NULL, 10);

        if (!ngx_http_wassiit_memory_is_used(fd)) {
            return fd;
        }
    }
}


static ngx_uint_t
ngx_http_wassiit_memory_is_used(int fd)
{
    ngx_queue_t                *q;
    ngx_http_wassiit_memory_t  *memory;

    if (ngx_http_wassiit_memories.next == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(&ngx_http_wassiit_memories);
         q != ngx_queue_sentinel(&ngx_http_wassiit_memories);
         q = ngx_queue_next(q))
    {
        memory = ngx_queue_data(q, ngx_http_wassiit_memory_t, queue);

        if (memory->fd == fd) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_wassiit_memory_seclude(ngx_http_wassiit_memory_t *memory)
{
    if (memory->fd != -1) {
        (void) close(memory->fd);
        memory->fd = -1;
    }
}


void
ngx_http_wassiit_memory_free(ngx_http_wassiit_memory_t *memory)
{
    if (--memory->users) {
        return;
    }

    ngx_queue_remove(&memory->queue);

    (void) munmap(memory->head, memory->mapped);

    ngx_http_wassiit_memory_seclude(memory);

    ngx_free(memory);
}
