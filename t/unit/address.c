
/* Every special-purpose block of addresses, both sides of its borders. */


#include "unit.h"

#include "ngx_wassiit_address.h"

#include <arpa/inet.h>
#include <sys/un.h>


typedef struct {
    const char         *text;
    const char         *what;       /* NULL: public */
} unit_address_t;


static void unit_address_table(void);
static void unit_address_every_four(void);
static void unit_address_embedded(void);
static void unit_address_clouds(void);
static void unit_address_others(void);
static void unit_address_is(const char *text, const char *what);
static socklen_t unit_address_parse(const char *text,
    struct sockaddr_storage *ss);
static ngx_uint_t unit_address_same(const char *a, const char *b);


/* the first and the last of each block, and their neighbours */

static const unit_address_t  unit_addresses[] = {
    { "0.0.0.0", "unspecified (RFC 791)" },
    { "0.255.255.255", "unspecified (RFC 791)" },
    { "1.0.0.0", NULL },
    { "9.255.255.255", NULL },
    { "10.0.0.0", "private (RFC 1918)" },
    { "10.255.255.255", "private (RFC 1918)" },
    { "11.0.0.0", NULL },
    { "100.63.255.255", NULL },
    { "100.64.0.0", "shared (RFC 6598)" },
    { "100.127.255.255", "shared (RFC 6598)" },
    { "100.128.0.0", NULL },
    { "126.255.255.255", NULL },
    { "127.0.0.0", "loopback (RFC 1122)" },
    { "127.255.255.255", "loopback (RFC 1122)" },
    { "128.0.0.0", NULL },
    { "168.63.129.15", NULL },
    { "168.63.129.16", "a cloud's own (Azure)" },
    { "168.63.129.17", NULL },
    { "169.253.255.255", NULL },
    { "169.254.0.0", "link-local (RFC 3927)" },
    { "169.254.255.255", "link-local (RFC 3927)" },
    { "169.255.0.0", NULL },
    { "172.15.255.255", NULL },
    { "172.16.0.0", "private (RFC 1918)" },
    { "172.31.255.255", "private (RFC 1918)" },
    { "172.32.0.0", NULL },
    { "191.255.255.255", NULL },
    { "192.0.0.0", "for protocols (RFC 6890)" },
    { "192.0.0.255", "for protocols (RFC 6890)" },
    { "192.0.1.0", NULL },
    { "192.0.1.255", NULL },
    { "192.0.2.0", "for documentation (RFC 5737)" },
    { "192.0.2.255", "for documentation (RFC 5737)" },
    { "192.0.3.0", NULL },
    { "192.88.98.255", NULL },
    { "192.88.99.0", "a former 6to4 relay's (RFC 7526)" },
    { "192.88.99.255", "a former 6to4 relay's (RFC 7526)" },
    { "192.88.100.0", NULL },
    { "192.167.255.255", NULL },
    { "192.168.0.0", "private (RFC 1918)" },
    { "192.168.255.255", "private (RFC 1918)" },
    { "192.169.0.0", NULL },
    { "198.17.255.255", NULL },
    { "198.18.0.0", "for benchmarks (RFC 2544)" },
    { "198.19.255.255", "for benchmarks (RFC 2544)" },
    { "198.20.0.0", NULL },
    { "198.51.99.255", NULL },
    { "198.51.100.0", "for documentation (RFC 5737)" },
    { "198.51.100.255", "for documentation (RFC 5737)" },
    { "198.51.101.0", NULL },
    { "203.0.112.255", NULL },
    { "203.0.113.0", "for documentation (RFC 5737)" },
    { "203.0.113.255", "for documentation (RFC 5737)" },
    { "203.0.114.0", NULL },
    { "223.255.255.255", NULL },
    { "224.0.0.0", "multicast (RFC 5771)" },
    { "239.255.255.255", "multicast (RFC 5771)" },
    { "240.0.0.0", "reserved (RFC 1112)" },
    { "255.255.255.254", "reserved (RFC 1112)" },
    { "255.255.255.255", "broadcast (RFC 919)" },

    { "::", "unspecified (RFC 4291)" },
    { "::1", "loopback (RFC 4291)" },
    { "::2", "IPv4-compatible (RFC 4291)" },
    { "::8.8.8.8", "IPv4-compatible (RFC 4291)" },
    { "::127.0.0.1", "IPv4-compatible (RFC 4291)" },
    { "::ffff:ffff", "IPv4-compatible (RFC 4291)" },
    { "::1:0:0", "nobody's (RFC 4291)" },
    { "::fffe:ffff:ffff", "nobody's (RFC 4291)" },
    { "::1:0:0:0", "nobody's (RFC 4291)" },
    { "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "nobody's (RFC 4291)" },
    { "64:ff9b::1:0:0", "nobody's (RFC 4291)" },
    { "64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "nobody's (RFC 4291)" },
    { "64:ff9b:1::", "local NAT64 (RFC 8215)" },
    { "64:ff9b:1::8.8.8.8", "local NAT64 (RFC 8215)" },
    { "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "local NAT64 (RFC 8215)" },
    { "64:ff9b:2::", "nobody's (RFC 4291)" },
    { "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "nobody's (RFC 4291)" },
    { "100::", "for discarding (RFC 6666)" },
    { "100::ffff:ffff:ffff:ffff", "for discarding (RFC 6666)" },
    { "100:0:0:1::", "nobody's (RFC 4291)" },
    { "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "nobody's (RFC 4291)" },
    { "2000::", NULL },
    { "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
    { "2001::", "for protocols (RFC 2928)" },
    { "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "for protocols (RFC 2928)" },
    { "2001:1::1", "for protocols (RFC 2928)" },
    { "2001:2::", "for protocols (RFC 2928)" },
    { "2001:20::1", "for protocols (RFC 2928)" },
    { "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "for protocols (RFC 2928)" },
    { "2001:200::", NULL },
    { "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
    { "2001:db8::", "for documentation (RFC 3849)" },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
      "for documentation (RFC 3849)" },
    { "2001:db9::", NULL },
    { "2001:4860:4860::8888", NULL },
    { "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
    { "2003::", NULL },
    { "2a00:1450::1", NULL },
    { "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
    { "3fff::", "for documentation (RFC 9637)" },
    { "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
      "for documentation (RFC 9637)" },
    { "3fff:1000::", NULL },
    { "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
    { "4000::", "nobody's (RFC 4291)" },
    { "5f00::1", "nobody's (RFC 4291)" },
    { "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "nobody's (RFC 4291)" },
    { "fc00::", "private (RFC 4193)" },
    { "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "private (RFC 4193)" },
    { "fe00::", "nobody's (RFC 4291)" },
    { "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "nobody's (RFC 4291)" },
    { "fe80::", "link-local (RFC 4291)" },
    { "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local (RFC 4291)" },
    { "fec0::", "site-local (RFC 3879)" },
    { "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local (RFC 3879)" },
    { "ff00::", "multicast (RFC 4291)" },
    { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast (RFC 4291)" }
};


int
main(void)
{
    unit_start();

    unit_address_table();
    unit_address_every_four();
    unit_address_embedded();
    unit_address_clouds();
    unit_address_others();

    return unit_done();
}


static void
unit_address_table(void)
{
    size_t  i;

    for (i = 0; i < sizeof(unit_addresses) / sizeof(unit_address_t); i++) {
        unit_address_is(unit_addresses[i].text, unit_addresses[i].what);
    }
}


/*
 * The borders above in another way: of all /24 that IPv4 has, as many are
 * public as the registries leave.  256 /24 are a /16.
 */

static void
unit_address_every_four(void)
{
    uint32_t             n, public;
    struct sockaddr_in   sin;

    ngx_memzero(&sin, sizeof(struct sockaddr_in));
    sin.sin_family = AF_INET;
    public = 0;

    for (n = 0; n < 1 << 24; n++) {
        sin.sin_addr.s_addr = htonl(n << 8);
        public += ngx_wassiit_address_special((struct sockaddr *) &sin,
                                              sizeof(sin))
                  == NULL;
    }

    unit_is(public, (1 << 24)
                    - 3 * 65536             /* 0, 10, 127 */
                    - 64 * 256              /* 100.64 */
                    - 256                   /* 169.254 */
                    - 16 * 256              /* 172.16 */
                    - 1 - 1 - 1             /* 192.0.0, 192.0.2, 192.88.99 */
                    - 256                   /* 192.168 */
                    - 2 * 256               /* 198.18 */
                    - 1 - 1                 /* 198.51.100, 203.0.113 */
                    - 32 * 65536,           /* 224/3 */
            "the public ones of all /24");
}


/* An IPv4 address within an IPv6 one is what it is alone. */

static void
unit_address_embedded(void)
{
    char                      text[64];
    size_t                    i, n;
    u_char                   *p;
    const char               *what, *alone;
    struct sockaddr_in       *sin;
    struct sockaddr_storage   ss;

    static const char  *forms[] = {
        "::ffff:%d.%d.%d.%d", "64:ff9b::%d.%d.%d.%d",
        "2002:%02x%02x:%02x%02x::1"
    };

    for (i = 0; i < sizeof(unit_addresses) / sizeof(unit_address_t); i++) {

        if (unit_address_parse(unit_addresses[i].text, &ss)
            != sizeof(struct sockaddr_in))
        {
            continue;
        }

        alone = unit_addresses[i].what;
        sin = (struct sockaddr_in *) &ss;
        p = (u_char *) &sin->sin_addr;

        for (n = 0; n < sizeof(forms) / sizeof(forms[0]); n++) {
            struct sockaddr_storage  six;

            (void) snprintf(text, sizeof(text), forms[n], p[0], p[1], p[2],
                            p[3]);
            (void) unit_address_parse(text, &six);
            what = ngx_wassiit_address_special((struct sockaddr *) &six,
                                               sizeof(struct sockaddr_in6));

            unit_ok(unit_address_same(what, alone), "%s: %s", text,
                    alone ? alone : "public");
        }
    }
}


static void
unit_address_clouds(void)
{
    size_t  i;

    static const char  *metadata[] = {
        "169.254.169.254",      /* nearly all */
        "169.254.170.2",        /* Amazon's containers */
        "fd00:ec2::254",        /* Amazon */
        "fd20:ce::254",         /* Google */
        "100.100.100.200",      /* Alibaba */
        "192.0.0.192",          /* Oracle, formerly */
        "168.63.129.16",        /* Azure */
        "::ffff:169.254.169.254"
    };

    for (i = 0; i < sizeof(metadata) / sizeof(metadata[0]); i++) {
        struct sockaddr_storage  ss;
        socklen_t                len;

        len = unit_address_parse(metadata[i], &ss);
        unit_ok(ngx_wassiit_address_special((struct sockaddr *) &ss, len)
                != NULL,
                "%s offers metadata", metadata[i]);
    }
}


static void
unit_address_others(void)
{
    socklen_t                len;
    struct sockaddr_un       un;
    struct sockaddr_storage  ss;

    ngx_memzero(&un, sizeof(struct sockaddr_un));
    un.sun_family = AF_UNIX;

    unit_ok(unit_address_same(
                ngx_wassiit_address_special((struct sockaddr *) &un,
                                            sizeof(struct sockaddr_un)),
                "a unix socket"),
            "a unix socket");

    ngx_memzero(&ss, sizeof(struct sockaddr_storage));
    ss.ss_family = AF_UNSPEC;

    unit_ok(unit_address_same(
                ngx_wassiit_address_special((struct sockaddr *) &ss,
                                            sizeof(ss)),
                "of an unknown family"),
            "no family");

    len = unit_address_parse("8.8.8.8", &ss);

    unit_ok(ngx_wassiit_address_special((struct sockaddr *) &ss, len) == NULL,
            "8.8.8.8 in full");
    unit_ok(ngx_wassiit_address_special((struct sockaddr *) &ss, len - 1)
            != NULL,
            "8.8.8.8 cut short");
    unit_ok(ngx_wassiit_address_special((struct sockaddr *) &ss, 0) != NULL,
            "8.8.8.8 without a byte");

    len = unit_address_parse("2600::1", &ss);

    unit_ok(ngx_wassiit_address_special((struct sockaddr *) &ss, len) == NULL,
            "2600::1 in full");
    unit_ok(ngx_wassiit_address_special((struct sockaddr *) &ss, len - 1)
            != NULL,
            "2600::1 cut short");
}


static void
unit_address_is(const char *text, const char *what)
{
    socklen_t                len;
    const char              *got;
    struct sockaddr_storage  ss;

    len = unit_address_parse(text, &ss);
    got = ngx_wassiit_address_special((struct sockaddr *) &ss, len);

    if (!unit_ok(len && unit_address_same(got, what), "%s: %s", text,
                 what ? what : "public"))
    {
        unit_note("got %s", got ? got : "public");
    }
}


/* Returns the length of the socket's address, or 0 if text is none. */

static socklen_t
unit_address_parse(const char *text, struct sockaddr_storage *ss)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    ngx_memzero(ss, sizeof(struct sockaddr_storage));

    sin = (struct sockaddr_in *) ss;
    sin6 = (struct sockaddr_in6 *) ss;

    if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
        sin->sin_family = AF_INET;
        return sizeof(struct sockaddr_in);
    }

    if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1) {
        sin6->sin6_family = AF_INET6;
        return sizeof(struct sockaddr_in6);
    }

    return 0;
}


static ngx_uint_t
unit_address_same(const char *a, const char *b)
{
    return (a == NULL || b == NULL) ? a == b : strcmp(a, b) == 0;
}
