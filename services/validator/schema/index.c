#include "validator/schema/index.h"

#include "validator/schema/uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANCHOR_MAX_BYTES 256

enum gh_err index_string(struct index *ix, uint32_t doc_id, uint32_t node, size_t max,
                         char **ret_text)
{
    const struct schema_document *doc = index_document(ix, doc_id);
    size_t len;
    char *text;
    const char *bytes;

    if (gh_tape_kind(&doc->tape, node) != GH_JSON_STR)
        return schema_problem_at(ix->problem, doc, node, "must be a string");
    len = gh_tape_str_len(&doc->tape, node);
    if (len > max) return schema_problem_at(ix->problem, doc, node, "longer than %zu bytes", max);
    text = malloc(len + 1);
    if (text == NULL) return GH_ERR_NOMEM;
    bytes = gh_tape_str(&doc->tape, node, text, &len);
    if (bytes != text) memcpy(text, bytes, len);
    text[len] = '\0';
    if (memchr(text, '\0', len) != NULL) {
        free(text);
        return schema_problem_at(ix->problem, doc, node, "must not hold a NUL character");
    }
    *ret_text = text;
    return GH_OK;
}

static size_t anchor_key(char dst[ANCHOR_MAX_BYTES + 16], uint32_t resource, const char *name)
{
    return (size_t)snprintf(dst, ANCHOR_MAX_BYTES + 16, "%u#%s", resource, name);
}

uint32_t index_anchor(const struct index *ix, uint32_t resource, const char *name)
{
    char key[ANCHOR_MAX_BYTES + 16];

    if (strlen(name) > ANCHOR_MAX_BYTES) return INDEX_NONE;
    return strmap_get(&ix->anchor_ids, key, anchor_key(key, resource, name));
}

static bool anchor_is_well_formed(const char *s)
{
    if (!((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z') || *s == '_')) return false;
    return s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")] ==
           '\0';
}

static enum gh_err add_anchor(struct index *ix, uint32_t doc, uint32_t node, uint32_t where,
                              uint32_t resource, const char *name, bool dynamic)
{
    char key[ANCHOR_MAX_BYTES + 16];
    struct anchor *anchor;
    enum gh_err err;
    uint32_t old;

    if (strlen(name) > ANCHOR_MAX_BYTES)
        return schema_problem_at(ix->problem, index_document(ix, doc), where,
                                 "an anchor is at most %d bytes", ANCHOR_MAX_BYTES);
    old = index_anchor(ix, resource, name);
    if (old != INDEX_NONE) {
        anchor = VEC_AT(&ix->anchors, struct anchor, old);
        if (anchor->node != node)
            return schema_problem_at(ix->problem, index_document(ix, doc), where,
                                     "the anchor \"%s\" is there already", name);
        anchor->dynamic = anchor->dynamic || dynamic;
        return GH_OK;
    }
    err = strmap_put(&ix->anchor_ids, key, anchor_key(key, resource, name), ix->anchors.n);
    if (err != GH_OK) return err;
    anchor = vec_push(&ix->anchors);
    if (anchor == NULL) return GH_ERR_NOMEM;
    *anchor = (struct anchor){ .resource = resource, .node = node, .dynamic = dynamic };
    return GH_OK;
}

static enum gh_err add_uri(struct index *ix, uint32_t doc, uint32_t where, const char *uri,
                           uint32_t resource)
{
    uint32_t old = strmap_get(&ix->uris, uri, strlen(uri));

    if (old == resource) return GH_OK;
    if (old != STRMAP_NONE)
        return schema_problem_at(ix->problem, index_document(ix, doc), where,
                                 "another schema has the identifier %s already", uri);
    return strmap_put(&ix->uris, uri, strlen(uri), resource);
}

static enum gh_err add_resource(struct index *ix, uint32_t doc, uint32_t node, const char *base,
                                struct dialect dialect, uint32_t *ret_resource)
{
    struct resource *res;
    char *copy;

    if (ix->resources.n >= INDEX_MAX_RESOURCES)
        return schema_problem_at(ix->problem, index_document(ix, doc), node, "too many $id");
    copy = strdup(base);
    if (copy == NULL) return GH_ERR_NOMEM;
    res = vec_push(&ix->resources);
    if (res == NULL) {
        free(copy);
        return GH_ERR_NOMEM;
    }
    *res = (struct resource){ doc, node, copy, dialect };
    *ret_resource = ix->resources.n - 1;
    return GH_OK;
}

/* The "$schema" of a resource's root, else what was inherited. */
static enum gh_err read_dialect(struct index *ix, uint32_t doc, uint32_t node,
                                struct dialect *dialect)
{
    uint32_t at = index_member(index_document(ix, doc), node, KW_SCHEMA);
    char *uri = NULL;
    enum gh_err err;

    if (at == GH_TAPE_NONE) return GH_OK;
    err = index_string(ix, doc, at, URI_MAX_BYTES - 1, &uri);
    if (err == GH_OK) err = dialect_find(ix, uri, 0, dialect);
    free(uri);
    return err;
}

/* $id: a new resource, or in draft-07 "#name" an anchor. */
static enum gh_err read_id(struct index *ix, uint32_t doc, uint32_t node, uint32_t at,
                           uint32_t *resource)
{
    struct resource parent = *index_resource(ix, *resource);
    struct dialect dialect = parent.dialect;
    char base[URI_MAX_BYTES];
    const char *fragment;
    char *id = NULL;
    enum gh_err err;

    err = index_string(ix, doc, at, URI_MAX_BYTES - 1, &id);
    if (err != GH_OK) return err;
    err = uri_resolve(parent.base, id, base, &fragment);
    if (err != GH_OK) {
        err = schema_problem_at(ix->problem, index_document(ix, doc), at, "the URI is too long");
        goto done;
    }
    if (*fragment != '\0' && parent.dialect.draft != DRAFT_07) {
        err = schema_problem_at(ix->problem, index_document(ix, doc), at,
                                "$id must not have a fragment; use $anchor");
        goto done;
    }
    if (id[0] != '#' && id[0] != '\0') {
        if (node == parent.node) { /* the document's root: the same resource under a better name */
            char *copy = strdup(base);

            err = copy == NULL ? GH_ERR_NOMEM : GH_OK;
            if (err != GH_OK) goto done;
            free(VEC_AT(&ix->resources, struct resource, *resource)->base);
            VEC_AT(&ix->resources, struct resource, *resource)->base = copy;
        } else {
            err = read_dialect(ix, doc, node, &dialect);
            if (err == GH_OK) err = add_resource(ix, doc, node, base, dialect, resource);
        }
        if (err == GH_OK) err = add_uri(ix, doc, at, base, *resource);
    }
    if (err == GH_OK && *fragment != '\0')
        err = add_anchor(ix, doc, node, at, *resource, fragment, false);
done:
    free(id);
    return err;
}

static enum gh_err read_anchor(struct index *ix, uint32_t doc, uint32_t node, uint32_t at,
                               uint32_t resource, bool dynamic)
{
    char *name = NULL;
    enum gh_err err = index_string(ix, doc, at, ANCHOR_MAX_BYTES, &name);

    if (err == GH_OK && !anchor_is_well_formed(name))
        err = schema_problem_at(ix->problem, index_document(ix, doc), at,
                                "an anchor is a letter or '_' and then letters, digits, '-_.'");
    if (err == GH_OK) err = add_anchor(ix, doc, node, at, resource, name, dynamic);
    free(name);
    return err;
}

static enum gh_err visit(struct index *ix, uint32_t doc, uint32_t node, uint32_t resource);

/* The subschemas in a keyword's value. Values of a wrong form are the compiler's to report. */
static enum gh_err visit_children(struct index *ix, uint32_t doc, uint32_t value,
                                  enum kw_holds holds, uint32_t resource)
{
    const struct gh_tape *tape = &index_document(ix, doc)->tape;
    enum gh_json_kind kind = gh_tape_kind(tape, value);
    uint32_t end = tape->nodes[value].next;
    enum gh_err err = GH_OK;

    if (holds == HOLDS_SCHEMA || (holds == HOLDS_ITEMS && kind != GH_JSON_ARR))
        return visit(ix, doc, value, resource);
    if ((holds == HOLDS_LIST || holds == HOLDS_ITEMS) && kind == GH_JSON_ARR)
        for (uint32_t i = value + 1; i < end && err == GH_OK; i = tape->nodes[i].next)
            err = visit(ix, doc, i, resource);
    if ((holds == HOLDS_MAP || holds == HOLDS_DEPS) && kind == GH_JSON_OBJ)
        for (uint32_t k = value + 1; k < end && err == GH_OK; k = tape->nodes[k + 1].next)
            if (holds == HOLDS_MAP || gh_tape_kind(tape, k + 1) != GH_JSON_ARR)
                err = visit(ix, doc, k + 1, resource);
    return err;
}

static enum gh_err visit(struct index *ix, uint32_t doc, uint32_t node, uint32_t resource)
{
    const struct gh_tape *tape = &index_document(ix, doc)->tape;
    enum gh_json_kind kind = gh_tape_kind(tape, node);
    bool ref_alone = false; /* draft-07: nothing counts beside $ref */
    enum gh_err err = GH_OK;
    uint32_t at;

    if (ix->owners[doc][node] != 0) return GH_OK;
    if (kind == GH_JSON_OBJ) {
        if (index_resource(ix, resource)->dialect.draft == DRAFT_07)
            ref_alone = index_member(index_document(ix, doc), node, KW_REF) != GH_TAPE_NONE;
        at = ref_alone ? GH_TAPE_NONE : index_member(index_document(ix, doc), node, KW_ID);
        if (at != GH_TAPE_NONE) err = read_id(ix, doc, node, at, &resource);
        if (err != GH_OK) return err;
    }
    ix->owners[doc][node] = resource + 1;
    if (kind != GH_JSON_OBJ) return GH_OK;

    struct dialect dialect = index_resource(ix, resource)->dialect;

    if (dialect.draft == 0) dialect = (struct dialect){ DRAFT_2020_12, VOCAB_STANDARD };
    for (uint32_t k = node + 1; k < tape->nodes[node].next && err == GH_OK;
         k = tape->nodes[k + 1].next) {
        char scratch[64];
        size_t len = gh_tape_str_len(tape, k);
        enum kw kw;

        if (len > sizeof(scratch)) continue;
        kw = kw_find(gh_tape_str(tape, k, scratch, &len), len);
        if (kw == KW_UNKNOWN || (kw_table[kw].drafts & dialect.draft) == 0 ||
            (kw_table[kw].vocabularies & dialect.vocabularies) == 0)
            continue;
        if (ref_alone && kw != KW_DEFINITIONS) continue;
        if (kw == KW_ANCHOR || kw == KW_DYNAMIC_ANCHOR)
            err = read_anchor(ix, doc, node, k + 1, resource, kw == KW_DYNAMIC_ANCHOR);
        else if (kw_table[kw].holds != HOLDS_NOTHING)
            err = visit_children(ix, doc, k + 1, kw_table[kw].holds, resource);
    }
    return err;
}

static enum gh_err add_document(struct index *ix, uint32_t doc)
{
    const struct schema_document *document = index_document(ix, doc);
    struct dialect dialect = { ix->default_draft, VOCAB_STANDARD };
    uint32_t resource = 0;
    enum gh_err err;

    ix->owners[doc] = calloc(document->tape.n_nodes, sizeof(uint32_t));
    if (ix->owners[doc] == NULL) return GH_ERR_NOMEM;
    err = read_dialect(ix, doc, 0, &dialect);
    if (err == GH_OK) err = add_resource(ix, doc, 0, document->uri, dialect, &resource);
    if (err == GH_OK) err = add_uri(ix, doc, 0, document->uri, resource);
    if (err == GH_OK) err = visit(ix, doc, 0, resource);
    return err;
}

enum gh_err index_init(struct index *ix, const struct schema_registry *registry,
                       enum draft default_draft, struct schema_problem *problem)
{
    enum gh_err err = GH_OK;

    *ix = (struct index){
        .registry = registry,
        .default_draft = default_draft,
        .resources = VEC_INIT(struct resource),
        .anchors = VEC_INIT(struct anchor),
        .problem = problem,
    };
    ix->owners = calloc(registry->n_documents + 1, sizeof(*ix->owners));
    if (ix->owners == NULL) return GH_ERR_NOMEM;
    for (uint32_t i = 0; i < registry->n_documents && err == GH_OK; i++)
        err = add_document(ix, i);
    return err;
}

void index_done(struct index *ix)
{
    for (uint32_t i = 0; i < ix->resources.n; i++)
        free(VEC_AT(&ix->resources, struct resource, i)->base);
    if (ix->owners != NULL)
        for (uint32_t i = 0; i < ix->registry->n_documents; i++)
            free(ix->owners[i]);
    free(ix->owners);
    vec_done(&ix->resources);
    vec_done(&ix->anchors);
    strmap_done(&ix->uris);
    strmap_done(&ix->anchor_ids);
}

/* The innermost indexed resource on the way from the document's root to a node. */
static uint32_t resource_of(const struct index *ix, uint32_t doc, uint32_t node)
{
    const struct gh_tape *tape = &index_document(ix, doc)->tape;
    uint32_t at = 0;
    uint32_t owner = ix->owners[doc][0];

    while (at != node) {
        uint32_t step = gh_tape_kind(tape, at) == GH_JSON_OBJ ? 1 : 0;
        uint32_t i = at + 1 + step;

        while (tape->nodes[i].next <= node)
            i = tape->nodes[i].next + step;
        at = i;
        if (ix->owners[doc][at] != 0) owner = ix->owners[doc][at];
    }
    return owner - 1;
}

/* A place found by pointer may stand where no keyword puts a schema: index it now. */
static enum gh_err settle(struct index *ix, struct target *target)
{
    enum gh_err err = GH_OK;

    if (ix->owners[target->doc][target->node] == 0)
        err = visit(ix, target->doc, target->node, resource_of(ix, target->doc, target->node));
    if (err == GH_OK) target->resource = ix->owners[target->doc][target->node] - 1;
    return err;
}

static enum gh_err find_fragment(struct index *ix, uint32_t resource, const char *fragment,
                                 struct target *ret_target, bool *ret_found)
{
    const struct resource *res = index_resource(ix, resource);
    struct target target = { res->doc, res->node, resource, INDEX_NONE };
    char *text = strdup(fragment);
    bool found = true;
    enum gh_err err = GH_OK;

    if (text == NULL) return GH_ERR_NOMEM;
    if (!uri_percent_decode(text)) {
        found = false;
    } else if (text[0] == '/') {
        target.node =
            gh_tape_pointer(&index_document(ix, res->doc)->tape, res->node, text, strlen(text));
        found = target.node != GH_TAPE_NONE;
        if (found) err = settle(ix, &target);
    } else if (text[0] != '\0') {
        target.anchor = index_anchor(ix, resource, text);
        found = target.anchor != INDEX_NONE;
        if (found) target.node = VEC_AT(&ix->anchors, struct anchor, target.anchor)->node;
    }
    free(text);
    if (err != GH_OK) return err;
    *ret_found = found;
    if (found) *ret_target = target;
    return GH_OK;
}

enum gh_err index_find(struct index *ix, uint32_t resource, const char *ref, uint32_t from_doc,
                       uint32_t from_node, struct target *ret_target)
{
    const struct schema_document *from = index_document(ix, from_doc);
    char uri[URI_MAX_BYTES];
    const char *fragment;
    struct target target;
    uint32_t found;
    bool there = false;
    enum gh_err err;

    if (uri_resolve(index_resource(ix, resource)->base, ref, uri, &fragment) != GH_OK)
        return schema_problem_at(ix->problem, from, from_node, "the reference is too long");
    found = strmap_get(&ix->uris, uri, strlen(uri));
    if (found == STRMAP_NONE)
        return schema_problem_at(ix->problem, from, from_node,
                                 "no loaded document is %s (nothing is fetched)", uri);
    err = find_fragment(ix, found, fragment, &target, &there);
    if (err != GH_OK) return err;
    if (!there)
        return schema_problem_at(ix->problem, from, from_node, "nothing at #%s in %s", fragment,
                                 uri);
    *ret_target = target;
    return GH_OK;
}

enum gh_err index_find_uri(struct index *ix, const char *uri, struct target *ret_target)
{
    size_t len = strcspn(uri, "#");
    uint32_t resource = strmap_get(&ix->uris, uri, len);
    struct target target;
    bool there = false;
    enum gh_err err;

    if (resource == STRMAP_NONE)
        return schema_problem_text(ix->problem, uri, "no loaded document has this URI");
    err = find_fragment(ix, resource, uri[len] == '#' ? uri + len + 1 : uri + len, &target, &there);
    if (err != GH_OK) return err;
    if (!there) return schema_problem_text(ix->problem, uri, "nothing at this fragment");
    *ret_target = target;
    return GH_OK;
}
