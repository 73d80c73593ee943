/*
 * schema - JSON Schema, compiled at load and run over a tape.
 *
 * Draft 2020-12 (what a schema without "$schema" is) and draft-07. All required keywords; `format`
 * is an annotation unless asserted. Three objects:
 *
 *   struct schema_registry  the documents by URI, from strings and files; nothing is ever fetched
 *   struct schema           one compiled schema; immutable, stands alone (the registry may go)
 *   struct schema_scratch   a worker's memory for evaluation; one serves every schema fitted to it
 *
 * A load error names the document, the JSON pointer in it and, for text that is not JSON, line and
 * column. What is an error at load: an unresolvable or ambiguous reference, an unknown dialect or
 * required vocabulary, a keyword of the wrong type, a pattern that needs back-tracking (the
 * construct is named), a reference loop that consumes nothing of the instance.
 *
 * Evaluation allocates nothing once the scratch is warm, recurses at most max_depth, takes at most
 * max_steps; past either the verdict is SCHEMA_LIMIT, never SCHEMA_VALID. A step is about one
 * keyword, member or element looked at, or 64 bytes hashed or matched.
 *
 * Not thread-safe, but for compiled schemas, which only their scratch and tape change.
 */
#ifndef VALIDATOR_SCHEMA_H
#define VALIDATOR_SCHEMA_H

#include "common/err.h"
#include "common/json/tape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- documents ---- */

struct schema_registry;

/* Why something did not load. All strings are NUL-ended, cut when too long, "" when unknown. */
struct schema_problem {
    char document[256]; /* URI or file name */
    char pointer[256];  /* JSON pointer into it */
    uint32_t line;      /* 1-based, 0: unknown */
    uint32_t column;
    char text[256]; /* what is wrong and what would be accepted */
};

GH_NODISCARD enum gh_err schema_registry_new(struct schema_registry **ret_registry);
void schema_registry_free(struct schema_registry *registry); /* NULL is a no-op */

/* Adds a document under an absolute URI; its own $id, if any, is a second name. The text is copied.
 * The metaschemas of both drafts are there from the start. Errors: GH_ERR_CONFIG with *problem
 * filled (may be NULL); GH_ERR_EXISTS if the URI is taken; GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err schema_registry_add(struct schema_registry *registry, const char *uri,
                                             const char *json, size_t len,
                                             struct schema_problem *problem);

/* As above, from a file of at most 8 MiB, under the URI "file:///" + path given (as it is). */
GH_NODISCARD enum gh_err schema_registry_add_file(struct schema_registry *registry,
                                                  const char *path, struct schema_problem *problem);

/* Forgets a document; schemas compiled from it stay. Nothing happens when it is not there. */
void schema_registry_remove(struct schema_registry *registry, const char *uri);

/* ---- compiling ---- */

struct schema;

struct schema_options {
    bool assert_format;    /* format refuses instead of annotating */
    bool default_draft07;  /* what a document without $schema is */
    uint32_t max_schemas;  /* compiled subschemas; 0: 20000 */
    uint32_t max_patterns; /* 0: 1000 */
};

/* uri names a document, or with a fragment a part of one. options NULL: all zero.
 * Errors: GH_ERR_CONFIG with *problem filled (may be NULL); GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err schema_compile(struct schema_registry *registry, const char *uri,
                                        const struct schema_options *options,
                                        struct schema **ret_schema, struct schema_problem *problem);

/* Registry, add and compile in one, for a schema that needs no other document. name is for
 * messages. */
GH_NODISCARD enum gh_err schema_compile_text(const char *name, const char *json, size_t len,
                                             const struct schema_options *options,
                                             struct schema **ret_schema,
                                             struct schema_problem *problem);

void schema_free(struct schema *schema); /* NULL is a no-op */

/* ---- evaluating ---- */

struct schema_scratch;

struct schema_limits {
    uint32_t max_steps;        /* 0: 500000 */
    uint32_t max_depth;        /* nested evaluations; 0: 1024, at most 4096 */
    uint32_t max_string_bytes; /* decoded; 0: 65536. Strings past it are SCHEMA_LIMIT */
};

GH_NODISCARD enum gh_err schema_scratch_new(const struct schema_limits *limits,
                                            struct schema_scratch **ret_scratch);
void schema_scratch_free(struct schema_scratch *scratch); /* NULL is a no-op */

/* Call once for each schema to be used with this scratch, at load. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err schema_scratch_fit(struct schema_scratch *scratch,
                                            const struct schema *schema);

enum schema_verdict {
    SCHEMA_VALID,
    SCHEMA_INVALID,
    SCHEMA_LIMIT, /* steps, depth or string size: refuse */
    SCHEMA_NOMEM, /* refuse */
};

struct schema_failure {
    const char *keyword;     /* "type", "required" ...; "false schema" for the schema `false` */
    const char *schema_path; /* "#/properties/a/type"; with the URI before '#' in other documents.
                                Lives as long as the schema and until the scratch's next use */
    const char *detail; /* the missing key, the format's name ...; "" if there is none; as above */
    uint32_t node;      /* of the tape: what was refused. For additionalProperties and
                           unevaluated*: the member's value or the element */
};

/* Evaluates the value at `node`. The tape's nodes are not changed (its private tables may be).
 * *ret_failure is written unless SCHEMA_VALID; it may be NULL, which costs less. */
enum schema_verdict schema_validate(const struct schema *schema, struct schema_scratch *scratch,
                                    struct gh_tape *tape, uint32_t node,
                                    struct schema_failure *ret_failure);

/* JSON pointer (RFC 6901) from `root` to `node`, NUL-ended, cut at size with "..." at the end.
 * Returns its length. Linear in the members passed on the way. */
size_t schema_instance_path(const struct gh_tape *tape, uint32_t root, uint32_t node, char *dst,
                            size_t size);

/* Steps the last evaluation took: for tests, benches and metrics. */
uint32_t schema_scratch_steps(const struct schema_scratch *scratch);

#endif
