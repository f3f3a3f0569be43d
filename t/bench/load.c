
/*
 * The load of t/bench/run: keepalive connections, one request at a time on
 * each, another key in each request.
 *
 *     load CONNECTIONS PATH BACKEND PORT:PID:STATUS:KEYS ...
 *
 * PORT is a server on 127.0.0.1, PID the worker behind it, STATUS what it is to
 * answer, KEYS a file of keys, all of one length, a line each, perhaps with
 * headers behind them.  A line "N COUNT" on the standard input has server N
 * (from 0 on) sent COUNT requests, their keys in random order, each used once
 * before any is used again.  Answers "COUNT BAD WALL CPU P99": how many were
 * answered, how many of these with another status, the nanoseconds that passed,
 * those that the worker was on a processor, and the 99th percentile of those
 * between a request and its answer.
 *
 * Before these, a quarter as many are sent that don't count, as the caches of
 * the processor hold what another server needs; "N COUNT first" leaves them
 * out.  With "N COUNT alone", no ordinary process gets between: the worker, the
 * backend's worker of pid BACKEND and the load run at real-time priority, for
 * that moment, and then leave the processors to others for as long.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>


#define LOAD_BUFFER     8192
#define LOAD_EVENTS     256

#define LOAD_HEAD                                                            \
    "GET %s HTTP/1.1\r\n"                                                    \
    "Host: 127.0.0.1\r\n"                                                    \
    "User-Agent: load/1.0\r\n"                                               \
    "Accept: */*\r\n"                                                        \
    "X-API-Key: "


typedef struct {
    int             fd;
    uint64_t        start;
    size_t          len;        /* of what was received */
    size_t          end;        /* of the answer, 0: not known yet */
    char           *request;
    char            buf[LOAD_BUFFER];
} load_connection_t;


typedef struct {
    int                 port;
    int                 pid;
    int                 status;     /* of an answer as it is to be */
    int                 epoll;
    size_t              head;       /* where the key stands in a request */
    size_t              size;       /* of a request */
    char               *keys;
    size_t              key_len;
    uint32_t            nkeys;
    uint32_t            next;       /* an index of order[] */
    uint32_t           *order;
    load_connection_t  *connections;
    uint32_t           *times;      /* of the requests of a turn */
} load_server_t;


static int  connections;
static int  backend;


static void
load_die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "odd");
    exit(1);
}


static void *
load_alloc(size_t size)
{
    void  *p;

    p = calloc(1, size);

    if (p == NULL) {
        load_die("calloc()");
    }

    return p;
}


static uint64_t
load_clock(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* The time that a process has run, exact while it sleeps. */

static uint64_t
load_cpu(int pid)
{
    FILE                *in;
    char                 name[64];
    unsigned long long   ns;

    (void) usleep(1000);

    snprintf(name, sizeof(name), "/proc/%d/schedstat", pid);
    in = fopen(name, "r");

    if (in == NULL || fscanf(in, "%llu", &ns) != 1) {
        load_die(name);
    }

    fclose(in);

    return ns;
}


static void
load_schedule(int pid, int policy)
{
    struct sched_param  param;

    param.sched_priority = (policy == SCHED_FIFO);

    if (sched_setscheduler(pid, policy, &param) == -1) {
        load_die("sched_setscheduler()");
    }
}


/* SplitMix64 */

static uint64_t
load_random(uint64_t n)
{
    uint64_t         z;
    static uint64_t  state = 20261101;

    state += 0x9e3779b97f4a7c15;

    z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;

    return (z ^ (z >> 31)) % n;
}


static void
load_keys(load_server_t *s, const char *file)
{
    int          fd;
    char        *eol;
    uint32_t     i, k, n;
    struct stat  st;

    fd = open(file, O_RDONLY);

    if (fd == -1 || fstat(fd, &st) == -1 || st.st_size == 0) {
        load_die(file);
    }

    s->keys = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

    if (s->keys == MAP_FAILED) {
        load_die(file);
    }

    close(fd);

    eol = memchr(s->keys, '\n', st.st_size);

    while (eol && eol > s->keys && eol[-1] == '\r') {
        /* the key isn't all: further headers follow it */
        eol = memchr(eol + 1, '\n', s->keys + st.st_size - eol - 1);
    }

    if (eol == NULL || st.st_size % (eol + 1 - s->keys) != 0) {
        load_die(file);
    }

    s->key_len = eol - s->keys;
    s->nkeys = st.st_size / (s->key_len + 1);
    s->order = load_alloc(s->nkeys * sizeof(uint32_t));

    for (i = 0; i < s->nkeys; i++) {
        s->order[i] = i;
    }

    for (i = s->nkeys - 1; i > 0; i--) {
        k = load_random(i + 1);
        n = s->order[i];
        s->order[i] = s->order[k];
        s->order[k] = n;
    }
}


static void
load_connect(load_server_t *s, load_connection_t *c, const char *path)
{
    int                 on = 1;
    struct epoll_event  event;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(s->port);
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
        || fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1)
    {
        load_die("connect()");
    }

    event.events = EPOLLIN;
    event.data.ptr = c;

    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &event) == -1) {
        load_die("epoll_ctl()");
    }

    s->head = snprintf(NULL, 0, LOAD_HEAD, path);
    s->size = s->head + s->key_len + 4;

    c->request = load_alloc(s->size + 1);
    sprintf(c->request, LOAD_HEAD, path);
    memcpy(c->request + s->head + s->key_len, "\r\n\r\n", 4);
}


static void
load_open(load_server_t *s, char *text, const char *path)
{
    int   i, n;

    if (sscanf(text, "%d:%d:%d:%n", &s->port, &s->pid, &s->status, &n) != 3) {
        load_die(text);
    }

    load_keys(s, text + n);

    s->epoll = epoll_create1(0);

    if (s->epoll == -1) {
        load_die("epoll_create1()");
    }

    s->connections = load_alloc(connections * sizeof(load_connection_t));

    for (i = 0; i < connections; i++) {
        load_connect(s, &s->connections[i], path);
    }
}


static void
load_send(load_server_t *s, load_connection_t *c)
{
    memcpy(c->request + s->head,
           s->keys + (size_t) s->order[s->next] * (s->key_len + 1),
           s->key_len);

    if (++s->next == s->nkeys) {
        s->next = 0;
    }

    c->len = 0;
    c->end = 0;
    c->start = load_clock();

    if (send(c->fd, c->request, s->size, MSG_NOSIGNAL) != (ssize_t) s->size) {
        load_die("send()");
    }
}


/* Returns the status of an answer that is complete, or 0. */

static int
load_receive(load_connection_t *c)
{
    char     *p;
    ssize_t   n;

    n = recv(c->fd, c->buf + c->len, LOAD_BUFFER - 1 - c->len, 0);

    if (n == -1 && errno == EAGAIN) {
        return 0;
    }

    if (n <= 0) {
        load_die("recv()");
    }

    c->len += n;
    c->buf[c->len] = '\0';

    if (c->end == 0) {
        p = strstr(c->buf, "\r\n\r\n");

        if (p == NULL) {
            return 0;
        }

        c->end = p + 4 - c->buf;
        p = strcasestr(c->buf, "Content-Length: ");

        if (p == NULL || (size_t) (p - c->buf) > c->end) {
            load_die("no Content-Length");
        }

        c->end += strtoul(p + sizeof("Content-Length: ") - 1, NULL, 10);
    }

    return (c->len < c->end) ? 0 : atoi(c->buf + sizeof("HTTP/1.1 ") - 1);
}


/* Returns how many were answered with another status than they are to be. */

static unsigned long
load_requests(load_server_t *s, unsigned long count)
{
    int                 i, n, status;
    unsigned long       sent, done, bad;
    load_connection_t  *c;
    struct epoll_event  events[LOAD_EVENTS];

    sent = 0;
    done = 0;
    bad = 0;

    for (i = 0; i < connections && sent < count; i++, sent++) {
        load_send(s, &s->connections[i]);
    }

    while (done < count) {
        n = epoll_wait(s->epoll, events, LOAD_EVENTS, 10000);

        if (n == 0) {
            errno = ETIMEDOUT;
        }

        if (n <= 0) {
            load_die("epoll_wait()");
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;
            status = load_receive(c);

            if (status == 0) {
                continue;
            }

            s->times[done++] = load_clock() - c->start;
            bad += (status != s->status);

            if (sent < count) {
                load_send(s, c);
                sent++;
            }
        }
    }

    return bad;
}


static int
load_compare(const void *one, const void *two)
{
    uint32_t  a, b;

    a = *(const uint32_t *) one;
    b = *(const uint32_t *) two;

    return (a > b) - (a < b);
}


static void
load_turn(load_server_t *s, unsigned long count, const char *how)
{
    int            alone;
    uint64_t       cpu, wall, start;
    unsigned long  bad;

    alone = (strcmp(how, "alone") == 0);

    if (alone) {
        load_schedule(s->pid, SCHED_FIFO);
        load_schedule(backend, SCHED_FIFO);
        load_schedule(0, SCHED_FIFO);
    }

    s->times = load_alloc((count + 1) * sizeof(uint32_t));
    start = load_clock();
    bad = 0;

    if (strcmp(how, "first") != 0) {
        bad = load_requests(s, count / 4);
    }

    cpu = load_cpu(s->pid);
    wall = load_clock();

    bad += load_requests(s, count);

    wall = load_clock() - wall;
    cpu = load_cpu(s->pid) - cpu;

    if (alone) {
        load_schedule(0, SCHED_OTHER);
        load_schedule(backend, SCHED_OTHER);
        load_schedule(s->pid, SCHED_OTHER);

        (void) usleep((load_clock() - start) / 1000);
    }

    qsort(s->times, count, sizeof(uint32_t), load_compare);

    printf("%lu %lu %llu %llu %u\n", count, bad, (unsigned long long) wall,
           (unsigned long long) cpu, s->times[count * 99 / 100]);
    fflush(stdout);

    free(s->times);
}


int
main(int argc, char **argv)
{
    int             i, n, servers;
    char            line[64], how[8];
    load_server_t  *server;
    unsigned long   count;

    if (argc < 5 || (connections = atoi(argv[1])) <= 0) {
        fprintf(stderr,
                "load CONNECTIONS PATH BACKEND PORT:PID:STATUS:KEYS ...\n");
        return 2;
    }

    backend = atoi(argv[3]);
    servers = argc - 4;
    server = load_alloc(servers * sizeof(load_server_t));

    for (i = 0; i < servers; i++) {
        load_open(&server[i], argv[i + 4], argv[2]);
    }

    while (fgets(line, sizeof(line), stdin)) {
        how[0] = '\0';

        if (sscanf(line, "%d %lu %7s", &n, &count, how) < 2
            || n < 0 || n >= servers)
        {
            load_die(line);
        }

        load_turn(&server[n], count, how);
    }

    return 0;
}
