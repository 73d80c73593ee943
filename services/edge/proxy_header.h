/*
 * proxy_header - the PROXY protocol, versions 1 and 2: who the balancer says the client is.
 *
 * Only ever asked about bytes from a peer the configuration trusts. A header must begin at the
 * first byte of the connection. Strict: what is not exactly a header is refused, never guessed.
 * Pure. Source: The PROXY protocol, versions 1 & 2, haproxy.org (2020/03/05).
 */
#ifndef EDGE_PROXY_HEADER_H
#define EDGE_PROXY_HEADER_H

#include "addr.h"

#define PROXY_HEADER_V1_MAX 107
#define PROXY_HEADER_MAX    1024 /* of version 2 with its TLVs; more is refused */

enum proxy_result {
    PROXY_OK,   /* a whole header; *ret_proxy */
    PROXY_MORE, /* the beginning of one */
    PROXY_NONE, /* not a PROXY header: the connection's own bytes */
    PROXY_BAD,  /* begins like one, and is not */
};

struct proxy_header {
    size_t len;       /* bytes to take off the connection */
    bool has_address; /* false: LOCAL or UNKNOWN, the peer speaks for itself */
    struct addr source;
    uint16_t source_port;
};

enum proxy_result proxy_header_parse(const uint8_t *data, size_t len,
                                     struct proxy_header *ret_proxy);

#endif
