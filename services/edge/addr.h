/*
 * addr - network addresses and CIDR blocks, IPv4 and IPv6 in one form.
 *
 * An IPv4 address is held as its IPv4-mapped IPv6 form (RFC 4291 section 2.5.5.2), so that
 * "::ffff:192.0.2.1" and "192.0.2.1" are the same address and no ban is dodged by spelling.
 * Pure: no I/O, no resolver.
 */
#ifndef EDGE_ADDR_H
#define EDGE_ADDR_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDR_TEXT_MAX 46 /* INET6_ADDRSTRLEN */

struct addr {
    uint8_t ip[16];
};

struct cidr {
    struct addr base; /* host bits are zero */
    uint8_t bits;     /* 0..128; an IPv4 block counts its 96 mapped bits too */
};

/* Text without port, brackets or zone. Errors: GH_ERR_BAD_MESSAGE. */
GH_NODISCARD enum gh_err addr_parse(const char *text, size_t len, struct addr *ret_addr);
/* AF_INET and AF_INET6; any other family gives the unspecified address. */
void addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr);
void addr_format(const struct addr *addr, char dst[ADDR_TEXT_MAX]);
bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_v4(const struct addr *addr);
/* Keeps the first bits bits. */
void addr_mask(const struct addr *addr, uint8_t bits, struct addr *ret_addr);

/* "192.0.2.0/24", "2001:db8::/32" or a bare address (a block of one). Host bits that are set are
 * an error: they are nearly always a typing mistake. Errors: GH_ERR_BAD_MESSAGE. */
GH_NODISCARD enum gh_err cidr_parse(const char *text, size_t len, struct cidr *ret_cidr);
bool cidr_contains(const struct cidr *cidr, const struct addr *addr);

#endif
