
/* Memory that a program leaves to the one that takes its place. */


#include "unit.h"
#include "objects.h"

#include "ngx_http_wassiit_memory.h"

#include <dirent.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>


#define MEMORY_SIZE         ((size_t) 10000)
#define MEMORY_LAYOUT       7


static void unit_memory_create(void);
static void unit_memory_exec(const char *self);
static void unit_memory_names(const char *self);
static void unit_memory_secluded(const char *self);
static void unit_memory_dropped(const char *self);
static void unit_memory_strange(const char *self);
static void unit_memory_without(void);
static void unit_memory_large(const char *self);
static long unit_memory_free_pages(void);
static int unit_memory_child(const char *what, const char *name);
static int unit_memory_run(const char *self, const char *what,
    const char *name);
static ngx_http_wassiit_memory_t *unit_memory_make(const char *name);
static uint64_t *unit_memory_word(ngx_http_wassiit_memory_t *memory);
static ngx_uint_t unit_memory_is_dumped(void *p);
static int unit_memory_count(void);


int
main(int argc, char **argv)
{
    if (argc == 3) {
        return unit_memory_child(argv[1], argv[2]);
    }

    unit_start();

    unit_memory_create();
    unit_memory_exec(argv[0]);
    unit_memory_names(argv[0]);
    unit_memory_secluded(argv[0]);
    unit_memory_dropped(argv[0]);
    unit_memory_strange(argv[0]);
    unit_memory_without();
    unit_memory_large(argv[0]);

    return unit_done();
}


static void
unit_memory_create(void)
{
    u_char                     *p;
    size_t                      i;
    ngx_str_t                   name = ngx_string("api");
    ngx_http_wassiit_memory_t       *memory;
    ngx_http_wassiit_memory_head_t  *head;

    memory = ngx_http_wassiit_memory_create(&name, MEMORY_SIZE, MEMORY_LAYOUT,
                                            &unit_log);

    if (!unit_ok(memory != NULL, "memory is made")) {
        return;
    }

    head = memory->head;

    unit_is(sizeof(*head), 64, "its first line is one");
    unit_is(head->layout, MEMORY_LAYOUT, "the layout stands in it");
    unit_is(head->size, MEMORY_SIZE, "and the size");
    unit_is(head->superseded, 0, "nothing has taken its place");

    p = (u_char *) head;

    for (i = sizeof(*head); i < MEMORY_SIZE && p[i] == 0; i++) { /* void */ }

    unit_is(i, MEMORY_SIZE, "the rest is zero");

    unit_is(ftruncate(memory->fd, 0), -1, "nobody makes it smaller");
    unit_is(ftruncate(memory->fd, 1 << 20), -1, "or larger");
    unit_is(unit_memory_is_dumped(head), 0, "it is left out of core files");

    ngx_http_wassiit_memory_free(memory);
    unit_is(unit_memory_count(), 0, "it goes with its user");

    unit_log_forget();
    memory = ngx_http_wassiit_memory_create(&name, (size_t) 1 << 60,
                                            MEMORY_LAYOUT, &unit_log);
    unit_ok(memory == NULL && strstr(unit_logged, "\"api\" can't be had"),
            "more than there may be isn't had, which is logged");
    unit_is(unit_memory_count(), 0, "and nothing of it is left");
}


static void
unit_memory_exec(const char *self)
{
    ngx_http_wassiit_memory_t  *memory;

    memory = unit_memory_make("api");
    *unit_memory_word(memory) = 1000;

    unit_is(unit_memory_run(self, "add", "api"), 0, "a program finds it");
    unit_is(*unit_memory_word(memory), 1001, "and what it writes is seen");

    unit_is(unit_memory_run(self, "again", "api"), 0,
            "and has it once, not twice");

    memory->users++;
    ngx_http_wassiit_memory_free(memory);
    unit_is(unit_memory_run(self, "add", "api"), 0,
            "it stays as long as it has a user");

    ngx_http_wassiit_memory_free(memory);
    unit_is(unit_memory_run(self, "add", "api"), 1, "and no longer");
}


static void
unit_memory_names(const char *self)
{
    u_char                 longest[NGX_HTTP_WASSIIT_MEMORY_NAME + 1];
    ngx_str_t              name;
    ngx_http_wassiit_memory_t  *memory, *other;

    memory = unit_memory_make("api");
    other = unit_memory_make("api (deleted)/%s");

    unit_is(unit_memory_run(self, "add", "ap"), 1, "a shorter name is another");
    unit_is(unit_memory_run(self, "add", "apis"), 1, "so is a longer one");
    unit_is(unit_memory_run(self, "add", "api (deleted)/%s"), 0,
            "any bytes may be in it");
    unit_is(*unit_memory_word(other), 1, "that one was found");
    unit_is(*unit_memory_word(memory), 0, "and not the other");

    ngx_http_wassiit_memory_free(memory);
    ngx_http_wassiit_memory_free(other);

    memset(longest, 'n', NGX_HTTP_WASSIIT_MEMORY_NAME);
    longest[NGX_HTTP_WASSIIT_MEMORY_NAME] = '\0';
    name.data = longest;
    name.len = NGX_HTTP_WASSIIT_MEMORY_NAME;

    memory = ngx_http_wassiit_memory_create(&name, MEMORY_SIZE, MEMORY_LAYOUT,
                                            &unit_log);
    unit_is(unit_memory_run(self, "add", (char *) longest), 0,
            "the longest name is found");
    ngx_http_wassiit_memory_free(memory);
}


static void
unit_memory_secluded(const char *self)
{
    ngx_http_wassiit_memory_t  *memory;

    memory = unit_memory_make("api");
    ngx_http_wassiit_memory_seclude(memory);
    *unit_memory_word(memory) = 5;

    unit_is(unit_memory_run(self, "add", "api"), 1,
            "memory without its descriptor is not found");
    unit_is(*unit_memory_word(memory), 5, "and is still there");

    ngx_http_wassiit_memory_free(memory);
}


static void
unit_memory_dropped(const char *self)
{
    ngx_http_wassiit_memory_t  *memory, *other;

    memory = unit_memory_make("api");
    other = unit_memory_make("former");

    unit_is(unit_memory_run(self, "drop", "api"), 0,
            "what nobody uses is found by no name, too");

    ngx_http_wassiit_memory_free(other);

    other = unit_memory_make("api");
    *unit_memory_word(other) = 2;
    *unit_memory_word(memory) = 1;
    unit_is(unit_memory_run(self, "newest", "api"), 0,
            "of two with a name the last one is found");

    ngx_http_wassiit_memory_free(memory);
    ngx_http_wassiit_memory_free(other);
}


/* what isn't as we make it, under a name as we give it */

static void
unit_memory_strange(const char *self)
{
    int                    fd;
    ngx_http_wassiit_memory_t  *memory;

    memory = unit_memory_make("api");
    memory->head->magic[0] ^= 1;
    unit_is(unit_memory_run(self, "add", "api"), 1, "not if it isn't ours");

    memory->head->magic[0] ^= 1;
    memory->head->size = (uint64_t) 1 << 40;
    unit_is(unit_memory_run(self, "add", "api"), 1,
            "nor if it is smaller than it says");
    ngx_http_wassiit_memory_free(memory);

    fd = memfd_create("wassiit:api", MFD_ALLOW_SEALING);
    (void) ftruncate(fd, MEMORY_SIZE);
    unit_is(unit_memory_run(self, "add", "api"), 1,
            "nor if someone may make it smaller");

    memory = unit_memory_make("api");
    unit_is(unit_memory_run(self, "add", "api"), 0,
            "such a one doesn't hide ours");
    ngx_http_wassiit_memory_free(memory);
    (void) close(fd);
}


static void
unit_memory_without(void)
{
    pid_t                  pid;
    struct rlimit          limit, none;
    ngx_http_wassiit_memory_t  *memory;

    (void) getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = 0;
    (void) setrlimit(RLIMIT_NOFILE, &none);

    memory = unit_memory_make("api");

    (void) setrlimit(RLIMIT_NOFILE, &limit);

    unit_is(memory->fd, -1, "there is memory without a descriptor, too");

    pid = fork();

    if (pid == 0) {
        *unit_memory_word(memory) = 3;
        _exit(0);
    }

    (void) waitpid(pid, NULL, 0);
    unit_is(*unit_memory_word(memory), 3, "which children share");

    ngx_http_wassiit_memory_free(memory);

    (void) getrlimit(RLIMIT_FSIZE, &limit);
    none = limit;
    none.rlim_cur = MEMORY_SIZE - 1;
    (void) setrlimit(RLIMIT_FSIZE, &none);

    memory = unit_memory_make("api");
    unit_ok(memory && memory->fd == -1, "and where files may not be so large");
    ngx_http_wassiit_memory_free(memory);

    (void) setrlimit(RLIMIT_FSIZE, &limit);
}


/* What the system has reserved is used; nothing fails if that is nothing. */

static void
unit_memory_large(const char *self)
{
    long                        before, size;
    ngx_str_t                   name = ngx_string("api");
    ngx_http_wassiit_memory_t  *memory;

    before = unit_memory_free_pages();
    size = 2 * NGX_HTTP_WASSIIT_MEMORY_LARGE - 100;

    memory = ngx_http_wassiit_memory_create(&name, size, MEMORY_LAYOUT,
                                            &unit_log);

    unit_is(memory->pages == NGX_HTTP_WASSIIT_MEMORY_RESERVED, before >= 2,
            "large pages are used if there are enough");
    unit_is(before - unit_memory_free_pages(), before >= 2 ? 2 : 0,
            "which are taken at once");
    unit_is((int64_t) memory->head->size, size, "the size is as asked for");

    ((u_char *) memory->head)[size - 1] = 1;
    unit_is(unit_memory_run(self, "size", "api"), 0, "a program finds it, too");
    ngx_http_wassiit_memory_free(memory);

    ngx_test_config = 1;
    memory = ngx_http_wassiit_memory_create(&name, size, MEMORY_LAYOUT,
                                            &unit_log);
    unit_is(memory->pages, NGX_HTTP_WASSIIT_MEMORY_SMALL,
            "a test of the configuration takes none");
    ngx_http_wassiit_memory_free(memory);
    ngx_test_config = 0;

    unit_is(unit_memory_free_pages(), before, "all are free again");
}


static long
unit_memory_free_pages(void)
{
    long   n;
    FILE  *in;
    char   line[128];

    in = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
    n = 0;

    if (in) {
        if (fgets(line, sizeof(line), in)) {
            n = strtol(line, NULL, 10);
        }

        (void) fclose(in);
    }

    return n;
}


/* In the program that is executed.  Returns 0: it is as it should be. */

static int
unit_memory_child(const char *what, const char *name)
{
    ngx_str_t              s;
    ngx_http_wassiit_memory_t  *memory;

    s.data = (u_char *) name;
    s.len = strlen(name);

    memory = ngx_http_wassiit_memory_inherit(&s, &unit_log);

    if (memory == NULL || memory->damaged) {
        return 1;
    }

    if (strcmp(what, "size") == 0) {
        return ((u_char *) memory->head)[memory->head->size - 1] != 1;
    }

    if (memory->head->layout != MEMORY_LAYOUT
        || memory->head->size != MEMORY_SIZE)
    {
        return 2;
    }

    if (strcmp(what, "add") == 0) {
        ++*unit_memory_word(memory);
        return unit_memory_is_dumped(memory->head) ? 3 : 0;
    }

    if (strcmp(what, "again") == 0) {
        return ngx_http_wassiit_memory_inherit(&s, &unit_log) ? 4 : 0;
    }

    if (strcmp(what, "newest") == 0) {
        return (*unit_memory_word(memory) == 2) ? 0 : 5;
    }

    if (unit_memory_count() != 2) {
        return 6;
    }

    memory = ngx_http_wassiit_memory_inherit(NULL, &unit_log);
    ngx_http_wassiit_memory_free(memory);

    return (unit_memory_count() == 1
            && ngx_http_wassiit_memory_inherit(NULL, &unit_log) == NULL)
           ? 0 : 7;
}


/* Executes this program anew.  Returns its exit code. */

static int
unit_memory_run(const char *self, const char *what, const char *name)
{
    int    status;
    pid_t  pid;

    pid = fork();

    if (pid == 0) {
        execl(self, self, what, name, (char *) NULL);
        _exit(127);
    }

    (void) waitpid(pid, &status, 0);

    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}


static ngx_http_wassiit_memory_t *
unit_memory_make(const char *name)
{
    ngx_str_t  s;

    s.data = (u_char *) name;
    s.len = strlen(name);

    return ngx_http_wassiit_memory_create(&s, MEMORY_SIZE, MEMORY_LAYOUT,
                                            &unit_log);
}


/* the last whole word of it */

static uint64_t *
unit_memory_word(ngx_http_wassiit_memory_t *memory)
{
    return (uint64_t *) ((u_char *) memory->head + MEMORY_SIZE - 8);
}


static ngx_uint_t
unit_memory_is_dumped(void *p)
{
    FILE           *in;
    char            line[512];
    unsigned long   from, to;
    ngx_uint_t      ours, dumped;

    in = fopen("/proc/self/smaps", "r");
    ours = 0;
    dumped = 1;

    while (in && fgets(line, sizeof(line), in)) {
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            ours = ((uintptr_t) p >= from && (uintptr_t) p < to);

        } else if (ours && strncmp(line, "VmFlags:", 8) == 0) {
            dumped = (strstr(line, " dd") == NULL);
        }
    }

    if (in) {
        (void) fclose(in);
    }

    return dumped;
}


/* descriptors of ours that this process has */

static int
unit_memory_count(void)
{
    int             n;
    DIR            *dir;
    char            link[300];
    ssize_t         len;
    struct dirent  *entry;

    dir = opendir("/proc/self/fd");
    n = 0;

    while (dir && (entry = readdir(dir)) != NULL) {
        len = readlinkat(dirfd(dir), entry->d_name, link, sizeof(link));
        n += (len > 15 && strncmp(link, "/memfd:wassiit:", 15) == 0);
    }

    if (dir) {
        (void) closedir(dir);
    }

    return n;
}
