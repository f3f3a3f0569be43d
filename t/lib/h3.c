
/*
 * A QUIC connection for H3.pm, which speaks HTTP/3 on it: it is told on its
 * input what to send on which stream, a line each, and tells on its output
 * what came.
 *
 *   bidi, uni           open a stream:          stream ID LIMIT
 *   send ID HEX [fin]   send that ("-": nothing), in a packet of its own if
 *                       the windows have room
 *   reset ID CODE       break off what is sent
 *   stop ID CODE        want no more of what comes
 *   sync                say "synced" when the lines before have had their turn
 *   quit                close; so does the input's end
 *
 *   ready               the handshake is done
 *   limit ID N          the server takes N bytes of the stream in all
 *   data ID HEX, fin ID, reset ID CODE, stopped ID CODE, closed ID
 *   gone WHY            the connection is; nothing follows
 *
 * A server's certificate isn't looked at.  ngtcp2 keeps what it was given until
 * that is acknowledged; nothing is freed before the end.
 */


#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>


#define STREAMS   1024
#define WINDOW    (1024 * 1024)


/* what is to be sent on a stream, in turn */

typedef struct piece_s  piece_t;

struct piece_s {
    uint8_t   *data;
    size_t     len;
    int        fin;
    piece_t   *next;
};


typedef struct {
    int64_t    id;
    piece_t   *first;
    piece_t  **last;
} stream_t;


static ngtcp2_conn              *conn;
static ngtcp2_crypto_conn_ref    ref;
static ngtcp2_path_storage       path;
static stream_t                  streams[STREAMS];
static size_t                    nstreams;
static int                       fd;
static char                      input[1 << 22];
static size_t                    ninput;


static void gone(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));


static void
gone(const char *format, ...)
{
    va_list  args;

    va_start(args, format);
    printf("gone ");
    vprintf(format, args);
    printf("\n");
    va_end(args);

    fflush(stdout);
    _exit(0);
}


static ngtcp2_tstamp
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (ngtcp2_tstamp) ts.tv_sec * NGTCP2_SECONDS + ts.tv_nsec;
}


static void
tell_hex(const char *what, int64_t id, const uint8_t *data, size_t len)
{
    size_t  i;

    printf("%s %lld ", what, (long long) id);

    for (i = 0; i < len; i++) {
        printf("%02x", data[i]);
    }

    printf("\n");
}


/* ngtcp2's callbacks */

static void
on_rand(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
    (void) ctx;
    (void) gnutls_rnd(GNUTLS_RND_NONCE, dest, len);
}


static int
on_connection_id(ngtcp2_conn *c, ngtcp2_cid *cid, uint8_t *token, size_t len,
    void *data)
{
    (void) c;
    (void) data;

    (void) gnutls_rnd(GNUTLS_RND_NONCE, cid->data, len);
    cid->datalen = len;
    (void) gnutls_rnd(GNUTLS_RND_NONCE, token, NGTCP2_STATELESS_RESET_TOKENLEN);

    return 0;
}


static int
on_ready(ngtcp2_conn *c, void *data)
{
    (void) c;
    (void) data;

    printf("ready\n");

    return 0;
}


static int
on_data(ngtcp2_conn *c, uint32_t flags, int64_t id, uint64_t offset,
    const uint8_t *bytes, size_t len, void *data, void *stream)
{
    (void) offset;
    (void) data;
    (void) stream;

    if (len) {
        tell_hex("data", id, bytes, len);
        ngtcp2_conn_extend_max_stream_offset(c, id, len);
        ngtcp2_conn_extend_max_offset(c, len);
    }

    if (flags & NGTCP2_STREAM_DATA_FLAG_FIN) {
        printf("fin %lld\n", (long long) id);
    }

    return 0;
}


static int
on_limit(ngtcp2_conn *c, int64_t id, uint64_t max, void *data, void *stream)
{
    (void) c;
    (void) data;
    (void) stream;

    printf("limit %lld %llu\n", (long long) id, (unsigned long long) max);

    return 0;
}


static int
on_reset(ngtcp2_conn *c, int64_t id, uint64_t size, uint64_t code, void *data,
    void *stream)
{
    (void) c;
    (void) size;
    (void) data;
    (void) stream;

    printf("reset %lld %llu\n", (long long) id, (unsigned long long) code);

    return 0;
}


static int
on_stop(ngtcp2_conn *c, int64_t id, uint64_t code, void *data, void *stream)
{
    (void) c;
    (void) data;
    (void) stream;

    printf("stopped %lld %llu\n", (long long) id, (unsigned long long) code);

    return 0;
}


static int
on_closed(ngtcp2_conn *c, uint32_t flags, int64_t id, uint64_t code,
    void *data, void *stream)
{
    (void) c;
    (void) flags;
    (void) code;
    (void) data;
    (void) stream;

    printf("closed %lld\n", (long long) id);

    return 0;
}


static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *r)
{
    (void) r;

    return conn;
}


/* Sends what there is, as far as windows and the way let it. */

static void
flush(void)
{
    size_t           i;
    uint8_t          packet[1500];
    uint32_t         flags;
    ngtcp2_vec       vec;
    ngtcp2_ssize     n, taken;
    stream_t        *s;
    piece_t         *p;
    ngtcp2_pkt_info  pi;

    for (i = 0; i <= nstreams; i++) {
        s = (i < nstreams) ? &streams[i] : NULL;

        for ( ;; ) {
            p = s ? s->first : NULL;

            if (s && p == NULL) {
                break;
            }

            vec.base = p ? p->data : NULL;
            vec.len = p ? p->len : 0;
            flags = (p && p->fin) ? NGTCP2_WRITE_STREAM_FLAG_FIN : 0;
            taken = -1;

            n = ngtcp2_conn_writev_stream(conn, &path.path, &pi, packet,
                                          sizeof(packet), &taken, flags,
                                          s ? s->id : -1, &vec, p ? 1 : 0,
                                          now());

            if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
                break;
            }

            if (n == NGTCP2_ERR_STREAM_SHUT_WR
                || n == NGTCP2_ERR_STREAM_NOT_FOUND)
            {
                s->first = NULL;
                s->last = &s->first;
                break;
            }

            if (n < 0) {
                gone("write: %s", ngtcp2_strerror((int) n));
            }

            if (p && taken >= 0) {
                p->data += taken;
                p->len -= taken;

                if (p->len == 0) {
                    s->first = p->next;

                    if (s->first == NULL) {
                        s->last = &s->first;
                    }
                }
            }

            if (n == 0) {
                break;
            }

            if (send(fd, packet, n, 0) == -1 && errno != ECONNREFUSED) {
                gone("send: %s", strerror(errno));
            }
        }
    }

    ngtcp2_conn_update_pkt_tx_time(conn, now());
}


static void
receive(void)
{
    int              rc;
    ssize_t          n;
    uint8_t          packet[65536];
    ngtcp2_pkt_info  pi;

    for ( ;; ) {
        n = recv(fd, packet, sizeof(packet), MSG_DONTWAIT);

        if (n == -1) {
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                return;
            }

            gone("recv: %s", strerror(errno));
        }

        memset(&pi, 0, sizeof(pi));
        rc = ngtcp2_conn_read_pkt(conn, &path.path, &pi, packet, n, now());

        if (rc == NGTCP2_ERR_DRAINING) {
            gone("closed by the server");
        }

        if (rc != 0) {
            gone("read: %s", ngtcp2_strerror(rc));
        }
    }
}


static void
quit(void)
{
    uint8_t          packet[1500];
    ngtcp2_ssize     n;
    ngtcp2_pkt_info  pi;

#if (NGTCP2_VERSION_NUM >= 0x010000)
    ngtcp2_ccerr     error;

    ngtcp2_ccerr_default(&error);
#else
    ngtcp2_connection_close_error  error;

    ngtcp2_connection_close_error_default(&error);
#endif

    n = ngtcp2_conn_write_connection_close(conn, &path.path, &pi, packet,
                                           sizeof(packet), &error, now());

    if (n > 0) {
        (void) !send(fd, packet, n, 0);
    }

    gone("closed");
}


static void
open_stream(int bidi)
{
    int       rc;
    stream_t  *s;

    s = &streams[nstreams];

    rc = (nstreams == STREAMS) ? NGTCP2_ERR_STREAM_ID_BLOCKED
         : bidi ? ngtcp2_conn_open_bidi_stream(conn, &s->id, NULL)
                : ngtcp2_conn_open_uni_stream(conn, &s->id, NULL);

    if (rc != 0) {
        gone("open: %s", ngtcp2_strerror(rc));
    }

    s->last = &s->first;
    nstreams++;

    printf("stream %lld %llu\n", (long long) s->id,
           (unsigned long long)
               ngtcp2_conn_get_max_stream_data_left(conn, s->id));
}


static void
send_piece(int64_t id, const char *hex, int fin)
{
    size_t     i;
    piece_t   *p;
    stream_t  *s;

    p = calloc(1, sizeof(piece_t));
    p->len = (*hex == '-') ? 0 : strlen(hex) / 2;
    p->data = calloc(1, p->len + 1);
    p->fin = fin;

    for (i = 0; i < p->len; i++) {
        unsigned  byte;

        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            gone("not hex");
        }

        p->data[i] = (uint8_t) byte;
    }

    for (s = streams; s < streams + nstreams; s++) {
        if (s->id == id) {
            *s->last = p;
            s->last = &p->next;
            return;
        }
    }

    gone("no stream %lld", (long long) id);
}


static void
command(char *line)
{
    char       *word[4], *state;
    int         n;
    int64_t     id;

    n = 0;

    for (word[0] = strtok_r(line, " ", &state);
         word[n] && n < 3;
         word[n] = strtok_r(NULL, " ", &state))
    {
        n++;
    }

    id = (n > 1) ? atoll(word[1]) : -1;

    if (n == 0) {
        return;
    }

    if (strcmp(word[0], "bidi") == 0 || strcmp(word[0], "uni") == 0) {
        open_stream(*word[0] == 'b');

    } else if (strcmp(word[0], "send") == 0 && n > 2) {
        send_piece(id, word[2], word[3] != NULL);

    } else if (strcmp(word[0], "reset") == 0 && n > 2) {
#if (NGTCP2_VERSION_NUM >= 0x010000)
        ngtcp2_conn_shutdown_stream_write(conn, 0, id, atoll(word[2]));
#else
        ngtcp2_conn_shutdown_stream_write(conn, id, atoll(word[2]));
#endif

    } else if (strcmp(word[0], "stop") == 0 && n > 2) {
#if (NGTCP2_VERSION_NUM >= 0x010000)
        ngtcp2_conn_shutdown_stream_read(conn, 0, id, atoll(word[2]));
#else
        ngtcp2_conn_shutdown_stream_read(conn, id, atoll(word[2]));
#endif

    } else if (strcmp(word[0], "sync") == 0) {
        printf("synced\n");

    } else {
        quit();
    }

    flush();
}


static void
commands(void)
{
    char     *end;
    ssize_t   n;

    n = read(STDIN_FILENO, input + ninput, sizeof(input) - 1 - ninput);

    if (n <= 0) {
        quit();
    }

    ninput += n;

    while ((end = memchr(input, '\n', ninput)) != NULL) {
        *end = '\0';
        n = end + 1 - input;

        command(input);

        ninput -= n;
        memmove(input, input + n, ninput);
    }
}


static void
start(const char *port)
{
    socklen_t                len;
    ngtcp2_cid               scid, dcid;
    ngtcp2_settings          settings;
    struct sockaddr_in       local, remote;
    gnutls_session_t         session;
    ngtcp2_callbacks         cb;
    ngtcp2_transport_params  params;

    static gnutls_datum_t    alpn = { (unsigned char *) "h3", 2 };

    gnutls_certificate_credentials_t  cred;

    memset(&remote, 0, sizeof(remote));
    remote.sin_family = AF_INET;
    remote.sin_port = htons(atoi(port));
    remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    fd = socket(AF_INET, SOCK_DGRAM, 0);
    len = sizeof(local);

    if (fd == -1
        || connect(fd, (struct sockaddr *) &remote, sizeof(remote)) == -1
        || getsockname(fd, (struct sockaddr *) &local, &len) == -1)
    {
        gone("socket: %s", strerror(errno));
    }

    ngtcp2_path_storage_init(&path, (struct sockaddr *) &local, sizeof(local),
                             (struct sockaddr *) &remote, sizeof(remote),
                             NULL);

    memset(&cb, 0, sizeof(cb));
    cb.client_initial = ngtcp2_crypto_client_initial_cb;
    cb.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb;
    cb.encrypt = ngtcp2_crypto_encrypt_cb;
    cb.decrypt = ngtcp2_crypto_decrypt_cb;
    cb.hp_mask = ngtcp2_crypto_hp_mask_cb;
    cb.recv_retry = ngtcp2_crypto_recv_retry_cb;
    cb.update_key = ngtcp2_crypto_update_key_cb;
    cb.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
    cb.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
    cb.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
    cb.version_negotiation = ngtcp2_crypto_version_negotiation_cb;
    cb.rand = on_rand;
    cb.get_new_connection_id = on_connection_id;
    cb.handshake_completed = on_ready;
    cb.recv_stream_data = on_data;
    cb.extend_max_stream_data = on_limit;
    cb.stream_reset = on_reset;
    cb.stream_stop_sending = on_stop;
    cb.stream_close = on_closed;

    ngtcp2_settings_default(&settings);
    settings.initial_ts = now();

    ngtcp2_transport_params_default(&params);
    params.initial_max_stream_data_bidi_local = WINDOW;
    params.initial_max_stream_data_uni = WINDOW;
    params.initial_max_data = 16 * WINDOW;
    params.initial_max_streams_uni = 16;
    params.max_idle_timeout = 120 * NGTCP2_SECONDS;

    scid.datalen = 8;
    dcid.datalen = 18;
    (void) gnutls_rnd(GNUTLS_RND_NONCE, scid.data, scid.datalen);
    (void) gnutls_rnd(GNUTLS_RND_NONCE, dcid.data, dcid.datalen);

    ref.get_conn = get_conn;

    if (ngtcp2_conn_client_new(&conn, &dcid, &scid, &path.path,
                               NGTCP2_PROTO_VER_V1, &cb, &settings, &params,
                               NULL, NULL)
        != 0
        || gnutls_certificate_allocate_credentials(&cred) < 0
        || gnutls_init(&session, GNUTLS_CLIENT) < 0
        || gnutls_priority_set_direct(session,
                                      "NORMAL:-VERS-ALL:+VERS-TLS1.3:"
                                      "%DISABLE_TLS13_COMPAT_MODE", NULL) < 0
        || ngtcp2_crypto_gnutls_configure_client_session(session) != 0
        || gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, cred) < 0
        || gnutls_alpn_set_protocols(session, &alpn, 1,
                                     GNUTLS_ALPN_MANDATORY) < 0
        || gnutls_server_name_set(session, GNUTLS_NAME_DNS, "localhost", 9)
           < 0)
    {
        gone("no session");
    }

    gnutls_session_set_ptr(session, &ref);
    ngtcp2_conn_set_tls_native_handle(conn, session);
}


int
main(int argc, char **argv)
{
    int            wait;
    ngtcp2_tstamp  expiry, t;
    struct pollfd  fds[2];

    if (argc != 2) {
        fprintf(stderr, "usage: h3 PORT\n");
        return 2;
    }

    start(argv[1]);

    for ( ;; ) {
        flush();
        fflush(stdout);

        expiry = ngtcp2_conn_get_expiry(conn);
        t = now();
        wait = (expiry == UINT64_MAX) ? -1
               : (expiry <= t) ? 0
               : (int) ((expiry - t + NGTCP2_MILLISECONDS - 1)
                        / NGTCP2_MILLISECONDS);

        fds[0].fd = fd;
        fds[0].events = POLLIN;
        fds[1].fd = STDIN_FILENO;
        fds[1].events = ngtcp2_conn_get_handshake_completed(conn) ? POLLIN
                                                                  : 0;

        if (poll(fds, 2, wait) == -1 && errno != EINTR) {
            gone("poll: %s", strerror(errno));
        }

        receive();

        if (ngtcp2_conn_get_expiry(conn) <= now()
            && ngtcp2_conn_handle_expiry(conn, now()) != 0)
        {
            gone("timed out");
        }

        if (fds[1].revents) {
            commands();
        }
    }
}
