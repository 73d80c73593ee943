/* What a policy says of content: sanitize, outbound, rich, binary. */
#include "policy/policy_internal.h"
#include "sanitize/magic.h"
#include "sanitize/redact.h"

#include <string.h>

/* --- lists of names --------------------------------------------------------------------------- */

typedef enum gh_err (*item_fn)(struct bind *bind, const struct ynode *node, const char *text,
                               void *target);

static enum gh_err each_item(struct bind *bind, const struct ynode *node, item_fn fn, void *target)
{
    enum gh_err first = GH_OK;

    if (node->kind != Y_SEQUENCE) return bind_fail(bind, node, "a list was expected");
    for (const struct ynode *n = node->first; n != NULL; n = n->next) {
        const char *text = "";
        enum gh_err err = bind_text(bind, n, &text);

        if (err == GH_OK) err = fn(bind, n, text, target);
        if (err == GH_ERR_NOMEM) return err;
        if (first == GH_OK) first = err;
    }
    return first;
}

static enum gh_err bit_of(struct bind *bind, const struct ynode *node, const char *const *names,
                          uint32_t *bits)
{
    uint32_t index = 0;
    enum gh_err err = bind_choice(bind, node, names, &index);

    if (err == GH_OK) *bits |= (uint32_t)1 << index;
    return err;
}

/* --- sanitize --------------------------------------------------------------------------------- */

static enum gh_err add_pointer(struct bind *bind, const struct ynode *node, const char *pointer,
                               struct fields *fields, uint32_t *ret_step)
{
    enum gh_err err = GH_ERR_BAD_MESSAGE;

    if (strcmp(pointer, "/payload") == 0 || strncmp(pointer, "/payload/", 9) == 0)
        err = fields_add(fields, bind->arena, pointer, ret_step);
    if (err == GH_ERR_BAD_MESSAGE)
        return bind_fail(bind, node,
                         "not a JSON pointer into the payload, such as /payload/text or "
                         "/payload/items/*/name");
    if (err == GH_ERR_LIMIT) return bind_fail(bind, node, "too many or too long pointers");
    return err;
}

static enum gh_err sanitize_one(struct bind *bind, const struct ynode *node,
                                struct policy_type *type)
{
    uint32_t mode = 0, step = 0;
    enum gh_err err = bind_choice(bind, node, text_mode_names, &mode);

    if (err != GH_OK) return err;
    if (strcmp(node->key, "default") == 0) {
        type->mode = mode;
        return GH_OK;
    }
    err = add_pointer(bind, node, node->key, &type->fields, &step);
    if (err == GH_OK) type->fields.steps[step].mode = (uint8_t)mode;
    return err;
}

enum gh_err load_sanitize(struct bind *bind, const struct ynode *node, void *target)
{
    struct policy_type *type = target;
    enum gh_err first = GH_OK;

    if (node->kind == Y_SCALAR) return bind_choice(bind, node, text_mode_names, &type->mode);
    if (node->kind != Y_MAPPING)
        return bind_fail(bind, node, "a mode, or a mapping of pointers to modes, was expected");
    for (const struct ynode *n = node->first; n != NULL; n = n->next) {
        enum gh_err err = sanitize_one(bind, n, type);

        if (err == GH_ERR_NOMEM) return err;
        if (first == GH_OK) first = err;
    }
    return first;
}

/* --- outbound --------------------------------------------------------------------------------- */

static enum gh_err redact_item(struct bind *bind, const struct ynode *node, const char *text,
                               void *target)
{
    struct policy_type *type = target;
    uint32_t step = 0;
    enum gh_err err;

    if (text[0] != '/') return bit_of(bind, node, redact_names, &type->redact);
    err = add_pointer(bind, node, text, &type->out_fields, &step);
    if (err == GH_OK) type->out_fields.steps[step].redact = true;
    return err;
}

static enum gh_err load_redact(struct bind *bind, const struct ynode *node, void *target)
{
    return each_item(bind, node, redact_item, target);
}

static enum gh_err load_out_schema(struct bind *bind, const struct ynode *node, void *target)
{
    return load_schema_ref(bind, node, &((struct policy_type *)target)->out_schema);
}

enum gh_err load_outbound(struct bind *bind, const struct ynode *node, void *target)
{
    static const struct pfield fields[] = {
        { "schema", P_FN, 0, .fn = load_out_schema },
        { "redact", P_FN, 0, .fn = load_redact },
        { NULL },
    };

    return bind_mapping(bind, node, fields, target);
}

/* --- rich ------------------------------------------------------------------------------------- */

static enum gh_err rich_tag(struct bind *bind, const struct ynode *node, const char *text,
                            void *target)
{
    uint64_t bit = rich_tag_bit(text);

    if (bit == 0)
        return bind_fail(bind, node,
                         "<%.32s> is not an element that can be allowed; see "
                         "sanitize/rich_rules.c for those that can",
                         text);
    *(uint64_t *)target |= bit;
    return GH_OK;
}

static enum gh_err rich_attr(struct bind *bind, const struct ynode *node, const char *text,
                             void *target)
{
    uint32_t bit = rich_attr_bit(text);

    if (bit == 0)
        return bind_fail(bind, node,
                         "\"%.32s\" is not an attribute that can be allowed; see "
                         "sanitize/rich_rules.c for those that can",
                         text);
    *(uint32_t *)target |= bit;
    return GH_OK;
}

static enum gh_err rich_scheme(struct bind *bind, const struct ynode *node, const char *text,
                               void *target)
{
    static const char *const never[] = { "javascript", "vbscript", "data",        "file", "blob",
                                         "filesystem", "about",    "view-source", NULL };
    struct rich_rules *rules = target;
    size_t n = 0;

    for (size_t i = 0; never[i] != NULL; i++)
        if (strcmp(never[i], text) == 0)
            return bind_fail(bind, node, "the scheme %s can never be allowed", text);
    if (text[0] == '\0' || strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") != strlen(text))
        return bind_fail(bind, node, "a scheme in lower case was expected, such as https");
    while (rules->schemes[n] != NULL)
        n++;
    if (n == RICH_SCHEMES_MAX)
        return bind_fail(bind, node, "more than %d schemes", RICH_SCHEMES_MAX);
    rules->schemes[n] = text;
    return GH_OK;
}

static enum gh_err load_tags(struct bind *bind, const struct ynode *node, void *target)
{
    ((struct rich_rules *)target)->tags = 0;
    return each_item(bind, node, rich_tag, &((struct rich_rules *)target)->tags);
}

static enum gh_err load_attrs(struct bind *bind, const struct ynode *node, void *target)
{
    ((struct rich_rules *)target)->attrs = 0;
    return each_item(bind, node, rich_attr, &((struct rich_rules *)target)->attrs);
}

static enum gh_err load_schemes(struct bind *bind, const struct ynode *node, void *target)
{
    ((struct rich_rules *)target)->schemes[0] = NULL;
    memset(((struct rich_rules *)target)->schemes, 0, sizeof((struct rich_rules *)target)->schemes);
    return each_item(bind, node, rich_scheme, target);
}

enum gh_err load_rich(struct bind *bind, const struct ynode *node, void *target)
{
    static const struct pfield fields[] = {
        { "tags", P_FN, 0, .fn = load_tags },
        { "attributes", P_FN, 0, .fn = load_attrs },
        { "schemes", P_FN, 0, .fn = load_schemes },
        { "relative_urls", P_BOOL, offsetof(struct rich_rules, relative_urls) },
        { "max_bytes", P_BYTES, offsetof(struct rich_rules, max_bytes), .min = 64, .max = 1 << 20 },
        { "max_tags", P_U32, offsetof(struct rich_rules, max_tags), .min = 1, .max = 4000 },
        { NULL },
    };

    return bind_mapping(bind, node, fields, target);
}

/* --- binary ----------------------------------------------------------------------------------- */

static enum gh_err kind_item(struct bind *bind, const struct ynode *node, const char *text,
                             void *target)
{
    (void)text;
    return bit_of(bind, node, magic_names, target);
}

static enum gh_err load_kinds(struct bind *bind, const struct ynode *node, void *target)
{
    return each_item(bind, node, kind_item, target);
}

#define BINARY(member) offsetof(struct policy_binary, member)

enum gh_err load_binary(struct bind *bind, const struct ynode *node, void *target)
{
    static const struct pfield fields[] = {
        { "type", P_TEXT, BINARY(type.name), .min = 1, .max = POLICY_NAME_MAX },
        { "kinds", P_FN, BINARY(kinds), .fn = load_kinds },
        { "send", P_FN, BINARY(type.send), .fn = load_roles },
        { "receive", P_FN, BINARY(type.receive), .fn = load_roles },
        { "rate", P_TEXT, BINARY(type.rate), .min = 0, .max = POLICY_NAME_MAX },
        { "max_bytes", P_BYTES, BINARY(type.max_bytes), .min = 1, .max = 4 << 20 },
        { NULL },
    };
    struct policy_binary *binary = target;
    enum gh_err err;

    *binary = (struct policy_binary){ .type = { .name = "binary", .rate = "" } };
    err = bind_mapping(bind, node, fields, binary);
    if (err != GH_OK) return err;
    if (binary->kinds == 0) return bind_fail(bind, node, "kinds is missing");
    if (binary->type.max_bytes == 0) return bind_fail(bind, node, "max_bytes is missing");
    binary->type.name_len = (uint32_t)strlen(binary->type.name);
    binary->type.rate_len = (uint32_t)strlen(binary->type.rate);
    return GH_OK;
}
