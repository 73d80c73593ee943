/*
 * index - who is who among the documents: schema resources by URI, anchors, and which node belongs
 * to which resource. Made for one compilation. Private to schema/.
 *
 * A resource is a document's root or a schema with its own $id. Nodes are indexed when they stand
 * where a keyword of the dialect puts a schema, or when a reference points at them.
 */
#ifndef VALIDATOR_SCHEMA_INDEX_H
#define VALIDATOR_SCHEMA_INDEX_H

#include "validator/schema/keywords.h"
#include "validator/schema/registry.h"
#include "validator/schema/strmap.h"
#include "validator/schema/vec.h"

#define INDEX_NONE          UINT32_MAX
#define INDEX_MAX_RESOURCES 65000u

struct dialect {
    enum draft draft;      /* 0: unknown; an error once something of it is compiled */
    uint32_t vocabularies; /* enum vocabulary */
};

struct resource {
    uint32_t doc;
    uint32_t node;
    char *base; /* absolute, without fragment */
    struct dialect dialect;
};

struct anchor {
    uint32_t resource;
    uint32_t node;
    bool dynamic;
};

struct index {
    const struct schema_registry *registry;
    enum draft default_draft;
    struct vec resources;     /* struct resource */
    struct strmap uris;       /* to resource */
    struct vec anchors;       /* struct anchor */
    struct strmap anchor_ids; /* "<resource>#<name>" to anchor */
    uint32_t **owners;        /* [doc][node]: resource + 1, 0 when not indexed */
    struct schema_problem *problem;
};

/* Where a reference leads. */
struct target {
    uint32_t doc;
    uint32_t node;
    uint32_t resource;
    uint32_t anchor; /* when named by an anchor, else INDEX_NONE */
};

GH_NODISCARD enum gh_err index_init(struct index *ix, const struct schema_registry *registry,
                                    enum draft default_draft, struct schema_problem *problem);
void index_done(struct index *ix);

static inline const struct resource *index_resource(const struct index *ix, uint32_t i)
{
    return VEC_AT(&ix->resources, struct resource, i);
}

static inline const struct schema_document *index_document(const struct index *ix, uint32_t doc)
{
    return ix->registry->documents[doc];
}

/* A member of an object by keyword, or GH_TAPE_NONE. */
static inline uint32_t index_member(const struct schema_document *doc, uint32_t obj, enum kw kw)
{
    return gh_tape_get(&doc->tape, obj, kw_table[kw].name, strlen(kw_table[kw].name));
}

/* Resolves a reference that stands in `resource`. from_doc and from_node are for messages.
 * Errors: GH_ERR_CONFIG with the problem filled, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err index_find(struct index *ix, uint32_t resource, const char *ref,
                                    uint32_t from_doc, uint32_t from_node,
                                    struct target *ret_target);

/* Resolves an absolute URI given from outside. */
GH_NODISCARD enum gh_err index_find_uri(struct index *ix, const char *uri,
                                        struct target *ret_target);

/* The anchor of that name in a resource, or INDEX_NONE. */
uint32_t index_anchor(const struct index *ix, uint32_t resource, const char *name);

/* A string node as a C string on the heap. GH_ERR_CONFIG with the problem filled when the node is
 * no string or holds NUL or is longer than `max`. */
GH_NODISCARD enum gh_err index_string(struct index *ix, uint32_t doc, uint32_t node, size_t max,
                                      char **ret_text);

/* dialect.c: what a "$schema" URI stands for; draft 0 when unknown, with no error. A required
 * vocabulary we do not know is GH_ERR_CONFIG. */
GH_NODISCARD enum gh_err dialect_find(struct index *ix, const char *uri, unsigned depth,
                                      struct dialect *ret_dialect);

#endif
