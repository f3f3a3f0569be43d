
#include "ngx_wassiit_address.h"


typedef struct {
    uint32_t            first;
    uint32_t            last;
    const char         *what;
} ngx_wassiit_block4_t;


typedef struct {
    u_char              prefix[16];
    ngx_uint_t          bits;
    const char         *what;
} ngx_wassiit_block6_t;


static const char *ngx_wassiit_address_special4(uint32_t address);
static const char *ngx_wassiit_address_special6(const u_char *p);
static ngx_uint_t ngx_wassiit_address_within(const u_char *p,
    const u_char *prefix, ngx_uint_t bits);
static uint32_t ngx_wassiit_address_four(const u_char *p);


/*
 * iana.org/assignments/iana-ipv4-special-registry, ipv4-address-space and
 * multicast-addresses.  192.0.0.0/24 is meant as a whole: the anycast
 * addresses in it, which are reachable, belong to the nearest network.
 */

static const ngx_wassiit_block4_t  ngx_wassiit_blocks4[] = {
    { 0x00000000, 0x00ffffff, "unspecified (RFC 791)" },
    { 0x0a000000, 0x0affffff, "private (RFC 1918)" },
    { 0x64400000, 0x647fffff, "shared (RFC 6598)" },
    { 0x7f000000, 0x7fffffff, "loopback (RFC 1122)" },
    { 0xa83f8110, 0xa83f8110, "a cloud's own (Azure)" },
    { 0xa9fe0000, 0xa9feffff, "link-local (RFC 3927)" },
    { 0xac100000, 0xac1fffff, "private (RFC 1918)" },
    { 0xc0000000, 0xc00000ff, "for protocols (RFC 6890)" },
    { 0xc0000200, 0xc00002ff, "for documentation (RFC 5737)" },
    { 0xc0586300, 0xc05863ff, "a former 6to4 relay's (RFC 7526)" },
    { 0xc0a80000, 0xc0a8ffff, "private (RFC 1918)" },
    { 0xc6120000, 0xc613ffff, "for benchmarks (RFC 2544)" },
    { 0xc6336400, 0xc63364ff, "for documentation (RFC 5737)" },
    { 0xcb007100, 0xcb0071ff, "for documentation (RFC 5737)" },
    { 0xe0000000, 0xefffffff, "multicast (RFC 5771)" },
    { 0xf0000000, 0xfffffffe, "reserved (RFC 1112)" },
    { 0xffffffff, 0xffffffff, "broadcast (RFC 919)" }
};


/*
 * iana.org/assignments/iana-ipv6-special-registry and ipv6-address-space; the
 * first that fits counts.  2001::/23 is meant as a whole: what is reachable in
 * it is anycast, or no host's.
 */

static const ngx_wassiit_block6_t  ngx_wassiit_blocks6[] = {
    { { 0 }, 128, "unspecified (RFC 4291)" },
    { { [15] = 0x01 }, 128, "loopback (RFC 4291)" },
    { { 0 }, 96, "IPv4-compatible (RFC 4291)" },
    { { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, "local NAT64 (RFC 8215)" },
    { { 0x01, 0x00 }, 64, "for discarding (RFC 6666)" },
    { { 0xfc }, 7, "private (RFC 4193)" },
    { { 0xfe, 0x80 }, 10, "link-local (RFC 4291)" },
    { { 0xfe, 0xc0 }, 10, "site-local (RFC 3879)" },
    { { 0xff }, 8, "multicast (RFC 4291)" },
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, "for documentation (RFC 3849)" },
    { { 0x20, 0x01 }, 23, "for protocols (RFC 2928)" },
    { { 0x3f, 0xff }, 20, "for documentation (RFC 9637)" }
};


const char *
ngx_wassiit_address_special(const struct sockaddr *sockaddr, socklen_t socklen)
{
    u_char  p[16];

    if (socklen >= (socklen_t) sizeof(struct sockaddr_in)
        && sockaddr->sa_family == AF_INET)
    {
        ngx_memcpy(p, &((struct sockaddr_in *) sockaddr)->sin_addr, 4);

        return ngx_wassiit_address_special4(ngx_wassiit_address_four(p));
    }

    if (socklen >= (socklen_t) sizeof(struct sockaddr_in6)
        && sockaddr->sa_family == AF_INET6)
    {
        ngx_memcpy(p, &((struct sockaddr_in6 *) sockaddr)->sin6_addr, 16);

        return ngx_wassiit_address_special6(p);
    }

    if (socklen >= (socklen_t) sizeof(sa_family_t)
        && sockaddr->sa_family == AF_UNIX)
    {
        return "a unix socket";
    }

    return "of an unknown family";
}


static const char *
ngx_wassiit_address_special4(uint32_t address)
{
    ngx_uint_t                   i;
    const ngx_wassiit_block4_t  *block;

    block = ngx_wassiit_blocks4;

    for (i = 0; i < sizeof(ngx_wassiit_blocks4) / sizeof(block[0]); i++) {
        if (address >= block[i].first && address <= block[i].last) {
            return block[i].what;
        }
    }

    return NULL;
}


static const char *
ngx_wassiit_address_special6(const u_char *p)
{
    ngx_uint_t                   i;
    const ngx_wassiit_block6_t  *block;

    static const u_char  mapped[12] = { [10] = 0xff, [11] = 0xff };
    static const u_char  nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    static const u_char  sixto4[2] = { 0x20, 0x02 };
    static const u_char  global[1] = { 0x20 };

    /* RFC 4291, section 2.5.5.2; RFC 6052, section 2.1; RFC 3056, section 2 */

    if (ngx_wassiit_address_within(p, mapped, 96)
        || ngx_wassiit_address_within(p, nat64, 96))
    {
        return ngx_wassiit_address_special4(ngx_wassiit_address_four(p + 12));
    }

    if (ngx_wassiit_address_within(p, sixto4, 16)) {
        return ngx_wassiit_address_special4(ngx_wassiit_address_four(p + 2));
    }

    block = ngx_wassiit_blocks6;

    for (i = 0; i < sizeof(ngx_wassiit_blocks6) / sizeof(block[0]); i++) {
        if (ngx_wassiit_address_within(p, block[i].prefix, block[i].bits)) {
            return block[i].what;
        }
    }

    return ngx_wassiit_address_within(p, global, 3)
           ? NULL : "nobody's (RFC 4291)";
}


static ngx_uint_t
ngx_wassiit_address_within(const u_char *p, const u_char *prefix,
    ngx_uint_t bits)
{
    ngx_uint_t  i, rest;

    for (i = 0; i < bits / 8; i++) {
        if (p[i] != prefix[i]) {
            return 0;
        }
    }

    rest = bits % 8;

    return rest == 0 || ((p[i] ^ prefix[i]) >> (8 - rest)) == 0;
}


static uint32_t
ngx_wassiit_address_four(const u_char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}
