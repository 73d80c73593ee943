/*
 * pmd_offer - which of a client's permessage-deflate offers is taken, and on what terms.
 *
 * An offer with a parameter that is unknown, given twice or has a value RFC 7692 does not allow is
 * declined and the next one looked at; the first good one is taken. None: no extension, and nothing
 * of it in the answer. Whether the header follows the grammar of RFC 6455 section 9.1 at all is
 * judged by pmd_offer_wellformed(): a head that breaks it is refused whole.
 *
 * Pure. Source: RFC 7692 sections 5 and 7.1.
 */
#ifndef EDGE_PMD_OFFER_H
#define EDGE_PMD_OFFER_H

#include "head.h"

#include "common/err.h"

#define PMD_BITS_MIN   8
#define PMD_BITS_MAX   15
#define PMD_ANSWER_MAX 160

enum pmd_mode {
    PMD_OFF,
    PMD_ON,       /* each message by itself: no memory between messages */
    PMD_TAKEOVER, /* later messages may refer to earlier ones, where the client agrees */
};

struct pmd_policy {
    uint32_t mode; /* enum pmd_mode */
    uint32_t bits; /* largest window kept for a connection, with PMD_TAKEOVER */
};

struct pmd_params {
    uint8_t server_bits, client_bits; /* windows of 2^bits bytes */
    bool server_takeover, client_takeover;
    bool tell_server_bits, tell_client_bits; /* to be named in the answer */
};

/* token *( ";" token [ "=" token-or-quoted-token ] ) */
bool pmd_offer_wellformed(struct span offer);

/* offers: well-formed extensions in the order of the head, others among them. False: none is taken,
 * and *ret_params is untouched. */
GH_NODISCARD bool pmd_offer_choose(const struct span *offers, size_t n_offers,
                                   const struct pmd_policy *policy, struct pmd_params *ret_params);

/* The value of Sec-WebSocket-Extensions in the answer; NUL-ended. Returns its length. */
size_t pmd_offer_answer(const struct pmd_params *params, char dst[PMD_ANSWER_MAX]);

#endif
