
/*
 * Which addresses of the Internet are public: those that IANA's registries
 * give to anyone, and to no special purpose.
 */


#ifndef _NGX_WASSIIT_ADDRESS_H_INCLUDED_
#define _NGX_WASSIIT_ADDRESS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Judges a socket's address; the port doesn't matter.  Returns NULL if it is
 * public, else a static text that says what it is: "private (RFC 1918)".
 *
 * Not public are the blocks of IANA's "IPv4 and IPv6 Special-Purpose Address
 * Registries" (RFC 6890) that aren't globally reachable, multicast, what is
 * reserved, what IANA has not given to anyone (RFC 4291, section 2.4: all of
 * IPv6 beyond 2000::/3), the addresses under which clouds offer metadata, and
 * every family but IPv4 and IPv6.  An IPv6 address with an IPv4 address in it
 * (mapped, NAT64, 6to4) is what that is.  An address that is too short for
 * its family isn't public.
 */
const char *ngx_wassiit_address_special(const struct sockaddr *sockaddr,
    socklen_t socklen);


#endif /* _NGX_WASSIIT_ADDRESS_H_INCLUDED_ */
