/*
 * policy - what the messages of each route may be: the bundle's YAML files, compiled.
 *
 * Every *.yaml at the top of the folder is the policy of one route. A policy with any mistake does
 * not load; the report names all of them. Once loaded it never changes and needs no memory but its
 * own. README.md in deploy/policies describes the form.
 *
 * Roles are bits: bit 0 is everybody ("*"), the others are the names that occur in the policies.
 */
#ifndef VALIDATOR_POLICY_H
#define VALIDATOR_POLICY_H

#include "common/json/limits.h"
#include "policy/bundle.h"
#include "policy/report.h"
#include "sanitize/fields.h"
#include "sanitize/rich.h"

#include <stdbool.h>
#include <stdint.h>

#define POLICY_NAME_MAX  64 /* bytes of a type's, route's, role's or rate class's name */
#define POLICY_TYPES_MAX 1024
#define POLICY_ROLES_MAX 63

/* What judging one payload by its schema may take; a policy's limits.schema_steps changes it. An
 * ordinary chat message takes about 30. */
#define POLICY_SCHEMA_STEPS 50000

enum policy_keys { POLICY_KEYS_REFUSE, POLICY_KEYS_REMOVE };

struct schema;
struct signatures;

struct policy_type {
    const char *name;
    uint32_t name_len;
    uint64_t send;    /* roles that may send it to the application */
    uint64_t receive; /* roles it may be sent to */
    const char *rate; /* rate class; "" none */
    uint32_t rate_len;
    uint32_t max_bytes; /* of the whole message */
    bool csrf_exempt;
    const struct schema *schema;     /* of the payload, inbound; NULL: any */
    const struct schema *out_schema; /* outbound */
    uint32_t threshold;              /* signature score that refuses; 0: not looked for */
    uint32_t mode;                   /* enum text_mode of what fields says nothing of */
    struct fields fields;            /* inbound */
    uint64_t replay_window_ms;       /* 0: it may be said again */
    uint32_t redact;                 /* outbound: enum redact bits */
    struct fields out_fields;        /* outbound: places redacted whole */
};

struct policy_binary {
    uint32_t kinds; /* magic.h; 0: no binary messages */
    struct policy_type type;
};

struct policy_route {
    const char *name;
    uint32_t name_len;
    struct gh_json_limits limits;
    struct policy_type *types; /* in file order */
    uint32_t n_types;
    uint16_t *slots; /* open addressing by name; types' index + 1 */
    uint32_t slot_mask;
    uint32_t unsafe_keys;    /* enum policy_keys */
    uint32_t threshold;      /* of types that say nothing */
    uint32_t signature_work; /* signatures_limit() */
    uint32_t formats;        /* schema keyword `format`: 0 asserted, 1 annotation */
    struct rich_rules rich;
    struct policy_binary binary;
};

struct policy;

/* On GH_OK the caller owns *ret_policy. Errors: GH_ERR_CONFIG with the report filled;
 * GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err policy_load(const struct bundle *bundle, struct report *report,
                                     struct policy **ret_policy);
void policy_free(struct policy *policy);

uint64_t policy_version(const struct policy *policy); /* the bundle's digest */
uint32_t policy_route_count(const struct policy *policy);
const struct policy_route *policy_route_at(const struct policy *policy, uint32_t i);

/* Every schema of it, for schema_scratch_fit. NULL past the last. */
const struct schema *policy_schema_at(const struct policy *policy, uint32_t i);
uint32_t policy_schema_steps(const struct policy *policy); /* what one evaluation may take */

/* The rules in the bundle's signatures folder. NULL: it has none. */
const struct signatures *policy_signatures(const struct policy *policy);

/* NULL: no such route, or type. */
const struct policy_route *policy_find_route(const struct policy *policy, const void *name,
                                             size_t len);
const struct policy_type *policy_find_type(const struct policy_route *route, const char *name,
                                           size_t len);

/* Bits of a comma-separated list; names the policy does not know give none. Bit 0 is always set. */
uint64_t policy_roles(const struct policy *policy, const char *list, size_t len);

#endif
