/*
 * registry - the documents a schema may refer to, parsed. Private to schema/.
 */
#ifndef VALIDATOR_SCHEMA_REGISTRY_H
#define VALIDATOR_SCHEMA_REGISTRY_H

#include "validator/schema/schema.h"

struct schema_document {
    char *uri;  /* as given, without fragment */
    char *name; /* for messages */
    char *text;
    struct gh_tape tape;
    bool builtin;
};

struct schema_registry {
    struct schema_document **documents;
    uint32_t n_documents;
    uint32_t cap_documents;
};

/* The metaschemas, as text: metaschema.c. NULL-ended. */
struct schema_builtin {
    const char *uri;
    const char *json;
};
extern const struct schema_builtin schema_builtins[];

/* Fills *problem (may be NULL) for a place in a document; returns GH_ERR_CONFIG. */
enum gh_err schema_problem_at(struct schema_problem *problem, const struct schema_document *doc,
                              uint32_t node, const char *fmt, ...) GH_PRINTF(4, 5);
enum gh_err schema_problem_text(struct schema_problem *problem, const char *name, const char *fmt,
                                ...) GH_PRINTF(3, 4);

#endif
