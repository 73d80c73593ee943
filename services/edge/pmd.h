/*
 * pmd - permessage-deflate: a message's bytes, deflated and inflated (RFC 7692 section 7.2).
 *
 * One struct pmd serves every connection of the process: a message is inflated when it is whole and
 * deflated in one go, so zlib's state is needed by one message at a time. A connection keeps
 * nothing between messages, or with context takeover the last 2^bits bytes of each direction, which
 * are given back to zlib as a dictionary. So memory for a connection is what struct pmd_params says
 * and no more: zlib's own 256 KiB + 40 KiB exist once.
 *
 * Inflating stops at the first byte past max_bytes, or past max_ratio times what the message took
 * on the wire (PMD_RATIO_FLOOR bytes are always allowed), or when it consists of far more DEFLATE
 * blocks than its content explains: each may cost a Huffman table and give nothing. What comes out
 * lies in a buffer of struct pmd until the next call.
 *
 * Pure but for memory. Single-threaded. Source: RFC 7692 sections 7.2 and 8, RFC 1951.
 */
#ifndef EDGE_PMD_H
#define EDGE_PMD_H

#include "pmd_offer.h"

#include "common/err.h"

#define PMD_RATIO_FLOOR 4096u
#define PMD_OUT_MAX     (256u << 10) /* longer messages go as they are: they would hold up a turn */

struct pmd_config {
    uint64_t max_bytes; /* of an inflated message */
    uint32_t max_ratio;
    uint32_t level;     /* zlib's, 1 to 9 */
    uint64_t min_bytes; /* shorter messages are sent as they are */
};

struct pmd;      /* of the process */
struct pmd_peer; /* of a connection */

/* Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err pmd_new(const struct pmd_config *config, struct pmd **ret_pmd);
void pmd_free(struct pmd *pmd); /* NULL is a no-op */

/* Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err pmd_peer_new(const struct pmd_params *params, struct pmd_peer **ret_peer);
void pmd_peer_free(struct pmd_peer *peer); /* NULL is a no-op */
/* Called now and then: a peer that was sent nothing since the last call forgets what it was sent,
 * which a sender may do at any time. What it sent itself must be kept. */
void pmd_peer_rest(struct pmd_peer *peer);

enum pmd_result {
    PMD_GOOD,
    PMD_BROKEN,    /* not DEFLATE data, or not ended as RFC 7692 section 7.2.1 says: close 1007 */
    PMD_TOO_LARGE, /* close 1009 */
    PMD_NOMEM,
};

/* data: the payload of a message's frames, with RSV1 on the first. After anything but PMD_GOOD the
 * peer is spent. */
enum pmd_result pmd_inflate(struct pmd *pmd, struct pmd_peer *peer, const uint8_t *data, size_t len,
                            const uint8_t **ret_data, size_t *ret_len);

/* What to send with RSV1 set. False: send the message as it is; it is short or long, or would
 * grow. */
GH_NODISCARD bool pmd_deflate(struct pmd *pmd, struct pmd_peer *peer, const uint8_t *data,
                              size_t len, const uint8_t **ret_data, size_t *ret_len);

/* A payload may be this much longer than the message in it, when it cannot be compressed. */
uint64_t pmd_wire_max(uint64_t max_bytes);

#endif
