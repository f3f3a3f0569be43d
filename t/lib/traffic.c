
/*
 * Both ends of the requests that t/lib/Wassiit/Cluster.pm sends through front
 * doors: whoever sends them, and the backend that sees what was admitted.
 *
 *     traffic load SCHEDULE LOG FIRST PORT ...
 *     traffic backend LOG
 *
 * SCHEDULE has a line a request, "MICROSECONDS NODE PARTNER KEY", in order:
 * when it is due after the start, to which PORT (from 1 on) it goes, and whose
 * key it carries.  It is sent then, or as soon as a connection to that node is
 * free; if the node can't be reached, at once and in vain.  "start" is printed
 * at the start.  Each answer is a line of LOG, "NUMBER NODE PARTNER SENT DONE
 * STATUS": NUMBER is FIRST for the schedule's first line, and so on; STATUS
 * is 0 if there was no answer.
 *
 * The backend listens on a port of 127.0.0.1 that it prints.  Of each request,
 * its LOG gets "NUMBER NODE PARTNER ARRIVED PASSED SEEN".  ARRIVED and PASSED
 * are what headers of these names say, the node's $msec at two moments.  SEEN
 * is when the request's bytes came to the backend's socket, by the kernel's
 * timestamp: that doesn't depend on when this process gets a processor.
 *
 * All times are microseconds of CLOCK_MONOTONIC, which is one for a machine.
 * $msec and the kernel's timestamps are of the wall clock, and are converted
 * at the moment that they are read, SEEN to what is surely not too early and
 * the others to what is surely not too late.
 */


#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>


#define TRAFFIC_BUFFER       8192
#define TRAFFIC_EVENTS       256
#define TRAFFIC_NODES        16
#define TRAFFIC_CONNECTIONS  48         /* to a node */
#define TRAFFIC_PATIENCE     20000000   /* without an answer */
#define TRAFFIC_TEXT         64


typedef struct {
    int64_t   due;
    int       node;
    char      partner[TRAFFIC_TEXT];
    char      key[TRAFFIC_TEXT];
    int64_t   sent;
} traffic_request_t;


typedef struct traffic_connection_s  traffic_connection_t;

struct traffic_connection_s {
    int                    fd;          /* -1: none */
    int                    node;
    long                   request;     /* -1: idle */
    size_t                 len;
    int64_t                seen;
    traffic_connection_t  *next;        /* among the idle ones of its node */
    char                   buf[TRAFFIC_BUFFER];
};


typedef struct {
    int                    port;
    long                  *queue;       /* due, and no connection was free */
    long                   first;
    long                   last;
    traffic_connection_t  *idle;
    traffic_connection_t   connections[TRAFFIC_CONNECTIONS];
} traffic_node_t;


static int                 traffic_epoll;
static FILE               *traffic_log;
static traffic_node_t     *traffic_nodes;
static traffic_request_t  *traffic_requests;
static long                traffic_count;
static long                traffic_done;
static long                traffic_first;


static void
traffic_die(const char *what)
{
    fprintf(stderr, "traffic: %s: %s\n", what, errno ? strerror(errno) : "odd");
    exit(1);
}


static void *
traffic_alloc(size_t size)
{
    void  *p;

    p = calloc(1, size);

    if (p == NULL) {
        traffic_die("calloc()");
    }

    return p;
}


static int64_t
traffic_clock(clockid_t id)
{
    struct timespec  ts;

    (void) clock_gettime(id, &ts);

    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


static int64_t
traffic_now(void)
{
    return traffic_clock(CLOCK_MONOTONIC);
}


/*
 * How far the wall clock is ahead just now.  What comes between the readings
 * of two clocks makes it too small, or too large if real is read last.
 */

static int64_t
traffic_ahead(int late)
{
    int64_t  real, now;

    real = traffic_clock(CLOCK_REALTIME);
    now = traffic_now();

    if (late) {
        real = traffic_clock(CLOCK_REALTIME);
    }

    return real - now;
}


static void
traffic_watch(int fd, void *data)
{
    struct epoll_event  event;

    event.events = EPOLLIN;
    event.data.ptr = data;

    if (epoll_ctl(traffic_epoll, EPOLL_CTL_ADD, fd, &event) == -1) {
        traffic_die("epoll_ctl()");
    }
}


static void
traffic_open(const char *log)
{
    traffic_log = fopen(log, "w");
    traffic_epoll = epoll_create1(0);

    if (traffic_log == NULL || traffic_epoll == -1) {
        traffic_die(log);
    }
}


static void
traffic_address(struct sockaddr_in *sin, int port)
{
    memset(sin, 0, sizeof(struct sockaddr_in));
    sin->sin_family = AF_INET;
    sin->sin_port = htons(port);
    sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
}


/* ---- the backend */

/*
 * Reads with the kernel's timestamp, which is that of the last byte, and sets
 * c->seen to it; to now if there is none.
 */

static ssize_t
traffic_receive(traffic_connection_t *c)
{
    ssize_t           n;
    int64_t           ahead;
    struct iovec      iov;
    struct msghdr     msg;
    struct cmsghdr   *cmsg;
    struct timespec   ts;
    union {
        struct cmsghdr  header;
        char            bytes[256];
    } control;

    iov.iov_base = c->buf + c->len;
    iov.iov_len = TRAFFIC_BUFFER - 1 - c->len;

    memset(&msg, 0, sizeof(msg));
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.bytes;
    msg.msg_controllen = sizeof(control.bytes);

    n = recvmsg(c->fd, &msg, 0);
    c->seen = traffic_now();

    if (n <= 0) {
        return n;
    }

    for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
        if (cmsg->cmsg_level == SOL_SOCKET
            && cmsg->cmsg_type == SCM_TIMESTAMPNS)
        {
            memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));

            ahead = traffic_ahead(0);
            c->seen = (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000 + 1
                      - ahead;
        }
    }

    return n;
}


static void
traffic_field(const char *head, const char *name, char *text)
{
    char  *p;

    p = strstr(head, name);

    if (p == NULL || sscanf(p + strlen(name), "%63[^\r]", text) != 1) {
        traffic_die(name);
    }
}


/* $msec is seconds with three digits after a point. */

static long long
traffic_msec(const char *head, const char *name)
{
    char       *end, text[TRAFFIC_TEXT];
    long long   ms;

    traffic_field(head, name, text);
    ms = strtoll(text, &end, 10) * 1000 + atoi(end + 1);

    return ms * 1000 - traffic_ahead(1) - 1;
}


static void
traffic_answer(traffic_connection_t *c)
{
    char  *end, node[TRAFFIC_TEXT], partner[TRAFFIC_TEXT];
    long   number;

    static const char  answer[] = "HTTP/1.1 200 OK\r\n"
                                  "Content-Length: 0\r\n\r\n";

    c->buf[c->len] = '\0';
    end = strstr(c->buf, "\r\n\r\n");

    if (end == NULL) {
        return;
    }

    if (sscanf(c->buf, "GET /%ld ", &number) != 1) {
        traffic_die(c->buf);
    }

    traffic_field(c->buf, "\r\nX-Node: ", node);
    traffic_field(c->buf, "\r\nX-Partner: ", partner);

    fprintf(traffic_log, "%ld %s %s %lld %lld %lld\n", number, node, partner,
            traffic_msec(c->buf, "\r\nX-Arrived: "),
            traffic_msec(c->buf, "\r\nX-Passed: "), (long long) c->seen);

    c->len = 0;
    (void) send(c->fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
}


static int
traffic_listen(void)
{
    int                 fd, on = 1;
    socklen_t           len;
    struct sockaddr_in  sin;

    traffic_address(&sin, 0);
    len = sizeof(sin);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    /* what is accepted inherits the option */

    if (fd == -1
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) == -1
        || listen(fd, 4096) == -1
        || getsockname(fd, (struct sockaddr *) &sin, &len) == -1)
    {
        traffic_die("listen()");
    }

    printf("%d\n", ntohs(sin.sin_port));
    fflush(stdout);

    return fd;
}


static void
traffic_accept(int listener)
{
    int                    fd, on = 1;
    traffic_connection_t  *c;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) != -1) {
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        (void) setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));

        c = traffic_alloc(sizeof(traffic_connection_t));
        c->fd = fd;

        traffic_watch(fd, c);
    }
}


/* Until it is killed; the log is complete whenever there is nothing to do. */

static void
traffic_backend(void)
{
    int                    i, n, fd;
    ssize_t                size;
    traffic_connection_t  *c;
    struct epoll_event     events[TRAFFIC_EVENTS];

    fd = traffic_listen();
    traffic_watch(fd, NULL);

    for ( ;; ) {
        n = epoll_wait(traffic_epoll, events, TRAFFIC_EVENTS, 0);

        if (n == 0) {
            fflush(traffic_log);
            n = epoll_wait(traffic_epoll, events, TRAFFIC_EVENTS, -1);
        }

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            if (c == NULL) {
                traffic_accept(fd);
                continue;
            }

            size = traffic_receive(c);

            if (size > 0) {
                c->len += size;
                traffic_answer(c);

            } else if (size == 0 || errno != EAGAIN) {
                close(c->fd);
                free(c);
            }
        }
    }
}


/* ---- the load */

static void
traffic_finish(long number, int status)
{
    traffic_request_t  *r;

    r = &traffic_requests[number];

    fprintf(traffic_log, "%ld %d %s %lld %lld %d\n",
            traffic_first + number, r->node, r->partner,
            (long long) r->sent, (long long) traffic_now(), status);

    traffic_done++;
}


static void
traffic_lose(traffic_connection_t *c)
{
    close(c->fd);
    c->fd = -1;

    if (c->request != -1) {
        traffic_finish(c->request, 0);
        c->request = -1;

        c->next = traffic_nodes[c->node].idle;
        traffic_nodes[c->node].idle = c;
    }
}


static int
traffic_connect(traffic_connection_t *c)
{
    int                 on = 1;
    struct sockaddr_in  sin;

    traffic_address(&sin, traffic_nodes[c->node].port);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1) {
        traffic_die("socket()");
    }

    /* on loopback it is through, or refused, at once */

    if (connect(c->fd, (struct sockaddr *) &sin, sizeof(sin)) == -1
        || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == -1
        || fcntl(c->fd, F_SETFL, O_NONBLOCK) == -1)
    {
        close(c->fd);
        c->fd = -1;

        return -1;
    }

    traffic_watch(c->fd, c);

    return 0;
}


static void
traffic_send(traffic_connection_t *c, long number)
{
    int                 n;
    char                text[512];
    traffic_request_t  *r;

    r = &traffic_requests[number];
    r->sent = traffic_now();

    c->request = number;
    c->len = 0;

    if (c->fd == -1 && traffic_connect(c) == -1) {
        traffic_lose(c);
        return;
    }

    n = snprintf(text, sizeof(text), "GET /%ld HTTP/1.1\r\n"
                 "Host: 127.0.0.1\r\nX-API-Key: %s\r\n\r\n",
                 traffic_first + number, r->key);

    if (send(c->fd, text, n, MSG_NOSIGNAL) != n) {
        traffic_lose(c);
    }
}


static void
traffic_flush(traffic_node_t *node)
{
    traffic_connection_t  *c;

    while (node->first < node->last && node->idle) {
        c = node->idle;
        node->idle = c->next;

        traffic_send(c, node->queue[node->first++]);
    }
}


/* Returns the status of an answer that is complete, or 0. */

static int
traffic_status(traffic_connection_t *c)
{
    char  *end, *p;

    c->buf[c->len] = '\0';
    end = strstr(c->buf, "\r\n\r\n");

    if (end == NULL) {
        return 0;
    }

    end += 4;
    p = strstr(c->buf, "Content-Length: ");

    if (p == NULL || p > end) {
        traffic_die("no Content-Length");
    }

    p += sizeof("Content-Length: ") - 1;

    return end + strtol(p, NULL, 10) <= c->buf + c->len
           ? atoi(c->buf + sizeof("HTTP/1.1 ") - 1) : 0;
}


static void
traffic_read(traffic_connection_t *c)
{
    int              status;
    ssize_t          n;
    traffic_node_t  *node;

    node = &traffic_nodes[c->node];
    n = recv(c->fd, c->buf + c->len, TRAFFIC_BUFFER - 1 - c->len, 0);

    if (n == -1 && errno == EAGAIN) {
        return;
    }

    if (n <= 0) {
        traffic_lose(c);
        traffic_flush(node);
        return;
    }

    c->len += n;
    status = traffic_status(c);

    if (status) {
        traffic_finish(c->request, status);

        c->request = -1;
        c->next = node->idle;
        node->idle = c;

        if (strstr(c->buf, "\r\nConnection: close")) {
            traffic_lose(c);
        }

        traffic_flush(node);
    }
}


static void
traffic_schedule(const char *file)
{
    FILE               *in;
    char                line[256];
    long                room;
    traffic_request_t  *r;

    in = fopen(file, "r");

    if (in == NULL) {
        traffic_die(file);
    }

    for (room = 0; fgets(line, sizeof(line), in); traffic_count++) {
        if (traffic_count == room) {
            room += 65536;
            traffic_requests = realloc(traffic_requests,
                                       room * sizeof(traffic_request_t));

            if (traffic_requests == NULL) {
                traffic_die("realloc()");
            }
        }

        r = &traffic_requests[traffic_count];

        if (sscanf(line, "%lld %d %63s %63s", (long long *) &r->due, &r->node,
                   r->partner, r->key) != 4
            || r->node < 1 || r->node > TRAFFIC_NODES)
        {
            traffic_die(line);
        }
    }

    fclose(in);
}


static void
traffic_load(char **ports, int count)
{
    int                  i, k, n, timer;
    long                 next;
    int64_t              start, last;
    traffic_node_t      *node;
    struct epoll_event   events[TRAFFIC_EVENTS];
    struct itimerspec    due;

    traffic_nodes = traffic_alloc((TRAFFIC_NODES + 1) * sizeof(traffic_node_t));

    for (i = 1; i <= count; i++) {
        node = &traffic_nodes[i];
        node->port = atoi(ports[i - 1]);
        node->queue = traffic_alloc(traffic_count * sizeof(long));

        for (k = 0; k < TRAFFIC_CONNECTIONS; k++) {
            node->connections[k].fd = -1;
            node->connections[k].node = i;
            node->connections[k].request = -1;
            node->connections[k].next = node->idle;
            node->idle = &node->connections[k];
        }
    }

    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    traffic_watch(timer, NULL);

    printf("start\n");
    fflush(stdout);

    start = traffic_now();
    last = start;
    next = 0;

    while (traffic_done < traffic_count) {
        while (next < traffic_count
               && start + traffic_requests[next].due <= traffic_now())
        {
            node = &traffic_nodes[traffic_requests[next].node];
            node->queue[node->last++] = next++;
            traffic_flush(node);
        }

        memset(&due, 0, sizeof(due));

        if (next < traffic_count) {
            due.it_value.tv_sec = (start + traffic_requests[next].due)
                                  / 1000000;
            due.it_value.tv_nsec = (start + traffic_requests[next].due)
                                   % 1000000 * 1000 + 1;
        }

        (void) timerfd_settime(timer, TFD_TIMER_ABSTIME, &due, NULL);
        n = epoll_wait(traffic_epoll, events, TRAFFIC_EVENTS, 1000);

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                traffic_read(events[i].data.ptr);
                last = traffic_now();
            }
        }

        if (next == traffic_count && traffic_now() - last > TRAFFIC_PATIENCE) {
            errno = ETIMEDOUT;
            traffic_die("an answer");
        }
    }

    fclose(traffic_log);
}


int
main(int argc, char **argv)
{
    (void) signal(SIGPIPE, SIG_IGN);

    if (argc == 3 && strcmp(argv[1], "backend") == 0) {
        traffic_open(argv[2]);
        traffic_backend();
        return 0;
    }

    if (argc > 5 && argc - 5 <= TRAFFIC_NODES && strcmp(argv[1], "load") == 0) {
        traffic_open(argv[3]);
        traffic_schedule(argv[2]);
        traffic_first = atol(argv[4]);
        traffic_load(argv + 5, argc - 5);
        return 0;
    }

    fprintf(stderr, "traffic load SCHEDULE LOG FIRST PORT ... | backend LOG\n");

    return 2;
}
