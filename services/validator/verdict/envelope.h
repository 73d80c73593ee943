/*
 * envelope - the members every text message has, found on its tape.
 *
 *   {"type": string, "payload": any, "timestamp"?: ms, "csrfToken"?: string, "id"?: string}
 *
 * type 1..64 bytes, id 1..64 bytes as canonical JSON string content, csrfToken up to 128 bytes,
 * timestamp a whole number from 0 to 2^53. Any other member is refused. Pure.
 */
#ifndef VALIDATOR_ENVELOPE_H
#define VALIDATOR_ENVELOPE_H

#include "common/json/tape.h"

#define ENVELOPE_TYPE_MAX      64
#define ENVELOPE_ID_MAX        64
#define ENVELOPE_CSRF_MAX      128
#define ENVELOPE_TIMESTAMP_MAX ((uint64_t)1 << 53)

struct envelope { /* tape nodes of the values; GH_TAPE_NONE when absent. A key is its value - 1 */
    uint32_t type;
    uint32_t payload;
    uint32_t timestamp;
    uint32_t csrf;
    uint32_t id;
    uint64_t timestamp_ms; /* when there is one */
};

struct envelope_problem {
    const char *rule;    /* static; NULL: none */
    const char *pointer; /* static */
};

/* *ret_envelope holds what was found even when there is a problem: only then are the kinds of the
 * values not certain, but for id, which is a good one or absent. */
struct envelope_problem envelope_read(const struct gh_tape *tape, struct envelope *ret_envelope);

#endif
