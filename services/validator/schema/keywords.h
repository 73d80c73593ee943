/*
 * keywords - the one table of schema keywords: where each holds subschemas, in which drafts, and to
 * which vocabulary of 2020-12 it belongs.
 */
#ifndef VALIDATOR_SCHEMA_KEYWORDS_H
#define VALIDATOR_SCHEMA_KEYWORDS_H

#include <stddef.h>
#include <stdint.h>

enum kw_holds {
    HOLDS_NOTHING,
    HOLDS_SCHEMA,
    HOLDS_LIST,  /* array of schemas */
    HOLDS_MAP,   /* object of schemas */
    HOLDS_ITEMS, /* a schema or, in draft-07, an array of them */
    HOLDS_DEPS,  /* object of schemas or string arrays */
};

enum draft {
    DRAFT_07 = 1,
    DRAFT_2020_12 = 2,
    DRAFT_BOTH = 3,
};

enum vocabulary {
    VOCAB_CORE = 1u << 0,
    VOCAB_APPLICATOR = 1u << 1,
    VOCAB_UNEVALUATED = 1u << 2,
    VOCAB_VALIDATION = 1u << 3,
    VOCAB_META_DATA = 1u << 4,
    VOCAB_FORMAT_ANNOTATION = 1u << 5,
    VOCAB_FORMAT_ASSERTION = 1u << 6,
    VOCAB_CONTENT = 1u << 7,
    VOCAB_STANDARD = 0xBFu, /* what the 2020-12 metaschema has: all but FORMAT_ASSERTION */
    VOCAB_FORMAT = VOCAB_FORMAT_ANNOTATION | VOCAB_FORMAT_ASSERTION,
};

/* clang-format off */
#define KW_LIST(X)                                                                  \
    X(KW_SCHEMA,             "$schema",               HOLDS_NOTHING, BOTH,    CORE)        \
    X(KW_ID,                 "$id",                   HOLDS_NOTHING, BOTH,    CORE)        \
    X(KW_REF,                "$ref",                  HOLDS_NOTHING, BOTH,    CORE)        \
    X(KW_ANCHOR,             "$anchor",               HOLDS_NOTHING, 2020_12, CORE)        \
    X(KW_DYNAMIC_REF,        "$dynamicRef",           HOLDS_NOTHING, 2020_12, CORE)        \
    X(KW_DYNAMIC_ANCHOR,     "$dynamicAnchor",        HOLDS_NOTHING, 2020_12, CORE)        \
    X(KW_VOCABULARY,         "$vocabulary",           HOLDS_NOTHING, 2020_12, CORE)        \
    X(KW_DEFS,               "$defs",                 HOLDS_MAP,     2020_12, CORE)        \
    X(KW_DEFINITIONS,        "definitions",           HOLDS_MAP,     BOTH,    CORE)        \
    X(KW_TYPE,               "type",                  HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_ENUM,               "enum",                  HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_CONST,              "const",                 HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MULTIPLE_OF,        "multipleOf",            HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MAXIMUM,            "maximum",               HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_EXCLUSIVE_MAXIMUM,  "exclusiveMaximum",      HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MINIMUM,            "minimum",               HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_EXCLUSIVE_MINIMUM,  "exclusiveMinimum",      HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MAX_LENGTH,         "maxLength",             HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MIN_LENGTH,         "minLength",             HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_PATTERN,            "pattern",               HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_FORMAT,             "format",                HOLDS_NOTHING, BOTH,    FORMAT)      \
    X(KW_MAX_ITEMS,          "maxItems",              HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MIN_ITEMS,          "minItems",              HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_UNIQUE_ITEMS,       "uniqueItems",           HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MAX_CONTAINS,       "maxContains",           HOLDS_NOTHING, 2020_12, VALIDATION)  \
    X(KW_MIN_CONTAINS,       "minContains",           HOLDS_NOTHING, 2020_12, VALIDATION)  \
    X(KW_MAX_PROPERTIES,     "maxProperties",         HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_MIN_PROPERTIES,     "minProperties",         HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_REQUIRED,           "required",              HOLDS_NOTHING, BOTH,    VALIDATION)  \
    X(KW_DEPENDENT_REQUIRED, "dependentRequired",     HOLDS_NOTHING, 2020_12, VALIDATION)  \
    X(KW_DEPENDENT_SCHEMAS,  "dependentSchemas",      HOLDS_MAP,     2020_12, APPLICATOR)  \
    X(KW_DEPENDENCIES,       "dependencies",          HOLDS_DEPS,    BOTH,    APPLICATOR)  \
    X(KW_PROPERTIES,         "properties",            HOLDS_MAP,     BOTH,    APPLICATOR)  \
    X(KW_PATTERN_PROPERTIES, "patternProperties",     HOLDS_MAP,     BOTH,    APPLICATOR)  \
    X(KW_ADDITIONAL_PROPERTIES, "additionalProperties", HOLDS_SCHEMA, BOTH,   APPLICATOR)  \
    X(KW_PROPERTY_NAMES,     "propertyNames",         HOLDS_SCHEMA,  BOTH,    APPLICATOR)  \
    X(KW_PREFIX_ITEMS,       "prefixItems",           HOLDS_LIST,    2020_12, APPLICATOR)  \
    X(KW_ITEMS,              "items",                 HOLDS_ITEMS,   BOTH,    APPLICATOR)  \
    X(KW_ADDITIONAL_ITEMS,   "additionalItems",       HOLDS_SCHEMA,  07,      APPLICATOR)  \
    X(KW_CONTAINS,           "contains",              HOLDS_SCHEMA,  BOTH,    APPLICATOR)  \
    X(KW_ALL_OF,             "allOf",                 HOLDS_LIST,    BOTH,    APPLICATOR)  \
    X(KW_ANY_OF,             "anyOf",                 HOLDS_LIST,    BOTH,    APPLICATOR)  \
    X(KW_ONE_OF,             "oneOf",                 HOLDS_LIST,    BOTH,    APPLICATOR)  \
    X(KW_NOT,                "not",                   HOLDS_SCHEMA,  BOTH,    APPLICATOR)  \
    X(KW_IF,                 "if",                    HOLDS_SCHEMA,  BOTH,    APPLICATOR)  \
    X(KW_THEN,               "then",                  HOLDS_SCHEMA,  BOTH,    APPLICATOR)  \
    X(KW_ELSE,               "else",                  HOLDS_SCHEMA,  BOTH,    APPLICATOR)  \
    X(KW_UNEVALUATED_PROPERTIES, "unevaluatedProperties", HOLDS_SCHEMA, 2020_12, UNEVALUATED) \
    X(KW_UNEVALUATED_ITEMS,  "unevaluatedItems",      HOLDS_SCHEMA,  2020_12, UNEVALUATED) \
    X(KW_CONTENT_SCHEMA,     "contentSchema",         HOLDS_SCHEMA,  2020_12, CONTENT)
/* clang-format on */

#define KW_ENUM(sym, name, holds, draft, vocab) sym,
enum kw { KW_LIST(KW_ENUM) KW_COUNT, KW_FALSE_SCHEMA = KW_COUNT, KW_UNKNOWN };

struct kw_info {
    const char *name;
    enum kw_holds holds;
    uint8_t drafts;
    uint8_t vocabularies;
};

extern const struct kw_info kw_table[KW_COUNT];

enum kw kw_find(const char *name, size_t len); /* KW_UNKNOWN when it is none */
const char *kw_name(enum kw kw);               /* KW_FALSE_SCHEMA: "false schema" */

#endif
