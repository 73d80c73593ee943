/*
 * resume_claim - "I was here before": what a client that wants its session back says of it.
 *
 * It comes as one more subprotocol, which browsers and everybody else can send, and which no log of
 * a proxy keeps as it keeps a query string:
 *
 *     Sec-WebSocket-Protocol: gatehouse.v1, gatehouse.resume.SESSION.SECRET.SEQ
 *
 * SESSION and SECRET as `welcome` gave them, SEQ the number of the last message seen, in decimal
 * (0: none). It is beside the credential, never instead of one. Judged for form alone. Pure.
 */
#ifndef EDGE_RESUME_CLAIM_H
#define EDGE_RESUME_CLAIM_H

#include "head.h"

#define RESUME_PROTOCOL    "gatehouse.resume."
#define RESUME_SESSION_LEN 22u
#define RESUME_SECRET_LEN  43u
#define RESUME_SEQ_MAX     (1ull << 53) /* what JSON can count to */

struct resume_claim { /* spans into the head; session_id.data NULL: none */
    struct span session_id, secret;
    uint64_t last_seq;
};

/* GH_CODE_OK, with or without one; GH_CODE_BAD_REQUEST: malformed, or more than one. */
enum gh_code resume_claim_find(const struct head *head, struct resume_claim *ret_claim,
                               const char **ret_reason);

#endif
