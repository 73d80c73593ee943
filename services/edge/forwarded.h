/*
 * forwarded - the client's address from X-Forwarded-For or Forwarded, as a trusted balancer wrote
 * it.
 *
 * Read from the right: the last element was written by the peer we trust, the one before by whom it
 * saw, and so on. The first address that is not itself a trusted proxy is the client; what stands
 * left of it is the client's own invention. Pure. Source: RFC 7239.
 */
#ifndef EDGE_FORWARDED_H
#define EDGE_FORWARDED_H

#include "addr.h"
#include "head.h"

enum forwarded_result { FORWARDED_OK, FORWARDED_NONE, FORWARDED_BAD };

enum forwarded_result forwarded_xff(struct span header, const struct cidr *trusted,
                                    size_t n_trusted, struct addr *ret_addr);
enum forwarded_result forwarded_rfc7239(struct span header, const struct cidr *trusted,
                                        size_t n_trusted, struct addr *ret_addr);

#endif
