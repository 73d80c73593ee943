/*
 * handlers - ValidateBatch in, VerdictBatch out.
 *
 * What is wrong with one item is answered in its verdict; only a batch that breaks the contract of
 * proto/validator.proto as a whole is GH_ERR_BAD_MESSAGE. Nothing a peer sends is fatal.
 */
#ifndef VALIDATOR_HANDLERS_H
#define VALIDATOR_HANDLERS_H

#include "common/server.h"
#include "policy/policy.h"
#include "stats.h"

#define HANDLERS_CONTEXTS_MAX   1024u
#define HANDLERS_ITEMS_MAX      4096u
#define HANDLERS_DATA_MAX_BYTES (4u << 20)
/* What the verdicts of one batch may carry back: the bus takes 8 MiB, envelope and fields included.
 */
#define HANDLERS_OUTPUT_MAX_BYTES (7u << 20)

struct handlers; /* ctx of validator_routes */

struct replay;

/* Borrows all. */
GH_NODISCARD enum gh_err handlers_new(const struct policy *policy, struct replay *replay,
                                      struct stats *stats, struct handlers **ret_handlers);
void handlers_free(struct handlers *handlers);

extern const struct gh_route validator_routes[];

/* The work without the bus; for tests and benches. boot_id is the edge's. The answer is valid until
 * the next call. */
GH_NODISCARD enum gh_err handlers_validate(struct handlers *handlers, uint64_t boot_id,
                                           const Gh__ValidateBatch *batch,
                                           Gh__VerdictBatch **ret_answer);

#endif
