/*
 * policy_internal - what the loader's files share.
 *
 *   policy.c        the policy as a whole, look-ups
 *   load.c          one file: route, limits, types
 *   load_schema.c   the bundle's JSON files, and the schemas types name
 *   load_signatures.c  the rules, and thresholds
 *   load_content.c  what is said of content: sanitize, outbound, rich, binary
 */
#ifndef VALIDATOR_POLICY_INTERNAL_H
#define VALIDATOR_POLICY_INTERNAL_H

#include "common/arena.h"
#include "policy/bind.h"
#include "policy/policy.h"

#define POLICY_ARENA_MAX (64u << 20)

struct policy {
    struct gh_arena *arena;
    uint64_t version;
    struct policy_route *routes;
    uint32_t n_routes;
    const char *roles[POLICY_ROLES_MAX + 1]; /* by bit; 0 is "*" */
    uint32_t n_roles;
    struct policy_schema {
        const char *ref;
        bool assert_format;
        struct schema *schema;
    } * schemas; /* each compiled once, however many types name it */
    uint32_t n_schemas, cap_schemas;
    uint32_t schema_steps;
    struct signatures *signatures;
};

struct load {
    struct bind bind; /* its ctx is this */
    const struct bundle *bundle;
    struct policy *policy;
    struct schema_registry *registry;
    struct policy_route *route; /* being filled */
};

uint32_t policy_hash(const void *bytes, size_t len);

/* One file; the route is appended to the policy. */
GH_NODISCARD enum gh_err policy_load_file(struct load *load, const struct bundle_file *file);

/* Every *.json of the bundle becomes known under file:///NAME and its own $id. */
GH_NODISCARD enum gh_err load_schemas(struct load *load);
/* "FILE" or "FILE#fragment", relative to the policy folder. The route's `formats` must be known. */
GH_NODISCARD enum gh_err load_schema_ref(struct bind *bind, const struct ynode *node,
                                         const struct schema **ret_schema);

/* The YAML files in the bundle's folder "signatures", if any. */
GH_NODISCARD enum gh_err load_signatures(struct load *load);
enum gh_err load_threshold(struct bind *bind, const struct ynode *node,
                           void *target); /* uint32_t */

/* 1 to POLICY_NAME_MAX of A-Z a-z 0-9 _ . : - */
bool load_word_valid(const char *text);

/* pfield functions; the target is what the comment says. */
enum gh_err load_roles(struct bind *bind, const struct ynode *node, void *target); /* uint64_t */
enum gh_err load_sanitize(struct bind *bind, const struct ynode *node,
                          void *target); /* struct policy_type */
enum gh_err load_outbound(struct bind *bind, const struct ynode *node,
                          void *target); /* struct policy_type */
enum gh_err load_rich(struct bind *bind, const struct ynode *node,
                      void *target); /* struct rich_rules */
enum gh_err load_binary(struct bind *bind, const struct ynode *node,
                        void *target); /* struct policy_binary */

#endif
