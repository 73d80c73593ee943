/* From "$schema" to a draft and its vocabularies. */
#include "validator/schema/index.h"

#include "validator/schema/uri.h"

#include <string.h>

#define D2020     "https://json-schema.org/draft/2020-12/"
#define MAX_DEPTH 8 /* metaschemas of metaschemas */

static const struct {
    const char *uri;
    struct dialect dialect;
} known[] = {
    { D2020 "schema", { DRAFT_2020_12, VOCAB_STANDARD } },
    { "http://json-schema.org/draft-07/schema", { DRAFT_07, VOCAB_STANDARD } },
    { "https://json-schema.org/draft-07/schema", { DRAFT_07, VOCAB_STANDARD } },
};

static const struct {
    const char *uri;
    uint32_t bit;
} vocabularies[] = {
    { D2020 "vocab/core", VOCAB_CORE },
    { D2020 "vocab/applicator", VOCAB_APPLICATOR },
    { D2020 "vocab/unevaluated", VOCAB_UNEVALUATED },
    { D2020 "vocab/validation", VOCAB_VALIDATION },
    { D2020 "vocab/meta-data", VOCAB_META_DATA },
    { D2020 "vocab/format-annotation", VOCAB_FORMAT_ANNOTATION },
    { D2020 "vocab/format-assertion", VOCAB_FORMAT_ASSERTION },
    { D2020 "vocab/content", VOCAB_CONTENT },
};

/* A document by its URI or its root's $id. */
static uint32_t find_document(struct index *ix, const char *uri, size_t len)
{
    for (uint32_t i = 0; i < ix->registry->n_documents; i++) {
        const struct schema_document *doc = index_document(ix, i);
        uint32_t id = index_member(doc, 0, KW_ID);

        if (strlen(doc->uri) == len && memcmp(doc->uri, uri, len) == 0) return i;
        if (id != GH_TAPE_NONE && gh_tape_str_eq(&doc->tape, id, uri, len)) return i;
    }
    return INDEX_NONE;
}

static enum gh_err read_vocabularies(struct index *ix, uint32_t doc_id, uint32_t obj,
                                     uint32_t *ret_bits)
{
    const struct schema_document *doc = index_document(ix, doc_id);
    const struct gh_tape *tape = &doc->tape;
    uint32_t bits = VOCAB_CORE;

    if (gh_tape_kind(tape, obj) != GH_JSON_OBJ)
        return schema_problem_at(ix->problem, doc, obj, "$vocabulary must be an object");
    for (uint32_t k = obj + 1; k < tape->nodes[obj].next; k = tape->nodes[k + 1].next) {
        uint32_t bit = 0;

        for (size_t i = 0; i < sizeof(vocabularies) / sizeof(vocabularies[0]); i++)
            if (gh_tape_str_eq(tape, k, vocabularies[i].uri, strlen(vocabularies[i].uri)))
                bit = vocabularies[i].bit;
        if (bit == 0 && gh_tape_kind(tape, k + 1) == GH_JSON_TRUE)
            return schema_problem_at(ix->problem, doc, k + 1, "unknown vocabulary is required");
        bits |= bit;
    }
    *ret_bits = bits;
    return GH_OK;
}

enum gh_err dialect_find(struct index *ix, const char *uri, unsigned depth,
                         struct dialect *ret_dialect)
{
    size_t len = strcspn(uri, "#");
    struct dialect found = { 0 };
    enum gh_err err = GH_OK;
    uint32_t doc;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i].uri) == len && memcmp(known[i].uri, uri, len) == 0) {
            *ret_dialect = known[i].dialect;
            return GH_OK;
        }
    doc = find_document(ix, uri, len);
    if (doc != INDEX_NONE && depth < MAX_DEPTH) {
        uint32_t schema = index_member(index_document(ix, doc), 0, KW_SCHEMA);
        uint32_t vocabulary = index_member(index_document(ix, doc), 0, KW_VOCABULARY);
        char *text = NULL;

        found = (struct dialect){ ix->default_draft, VOCAB_STANDARD };
        if (schema != GH_TAPE_NONE) {
            err = index_string(ix, doc, schema, URI_MAX_BYTES - 1, &text);
            if (err == GH_OK) err = dialect_find(ix, text, depth + 1, &found);
            free(text);
        }
        if (err == GH_OK && found.draft == DRAFT_2020_12 && vocabulary != GH_TAPE_NONE)
            err = read_vocabularies(ix, doc, vocabulary, &found.vocabularies);
    }
    if (err == GH_OK) *ret_dialect = found;
    return err;
}
