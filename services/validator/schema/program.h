/*
 * program - a compiled schema: flat arrays, no pointers into documents. Private to schema/.
 *
 * Each subschema is a `snode`: a mask of accepted kinds and runs of instructions by what they apply
 * to, so that a string never meets an object's keywords. Node 0 accepts everything.
 */
#ifndef VALIDATOR_SCHEMA_PROGRAM_H
#define VALIDATOR_SCHEMA_PROGRAM_H

#include "validator/schema/decimal.h"
#include "validator/schema/format.h"
#include "validator/schema/keyset.h"
#include "validator/schema/keywords.h"
#include "validator/schema/pattern.h"
#include "validator/schema/schema.h"
#include "validator/schema/vec.h"

#define SNODE_TRUE 0u
#define SNODE_NONE UINT32_MAX

/* What instructions of a run apply to; RUN_ANY after the class's own, RUN_LATE after all. */
enum run { RUN_OBJECT, RUN_ARRAY, RUN_STRING, RUN_NUMBER, RUN_ANY, RUN_LATE, RUN_COUNT };

#define TYPES_ALL      0x7Fu /* 1 << enum gh_json_kind */
#define TYPES_INTEGER  0x80u /* numbers only when whole */
#define TYPE_BIT(kind) (1u << (kind))

struct snode {
    uint32_t first;          /* instruction */
    uint16_t end[RUN_COUNT]; /* each run's end, counted from first */
    uint16_t resource;       /* for the dynamic scope */
    uint8_t types;           /* TYPES_* */
    uint8_t needs;           /* TYPE_BIT of the kinds that `types` alone does not decide */
    bool is_false;           /* the schema `false` */
    uint32_t path;           /* in strings: its location, "#/properties/a" */
};

enum op {
    OP_NOTHING,
    OP_OBJECT,         /* a: plan */
    OP_MIN_PROPERTIES, /* a */
    OP_MAX_PROPERTIES, /* a */
    OP_ARRAY,          /* a: list of prefix schemas, b: how many, c: schema for the rest or NONE */
    OP_CONTAINS,       /* a: schema, b: min, c: max */
    OP_MIN_ITEMS,      /* a */
    OP_MAX_ITEMS,      /* a */
    OP_UNIQUE_ITEMS,
    OP_MIN_LENGTH, /* a */
    OP_MAX_LENGTH, /* a */
    OP_PATTERN,    /* a: pattern */
    OP_FORMAT,     /* a: enum format_id, detail: its name */
    OP_MINIMUM,    /* a: bound */
    OP_MAXIMUM,
    OP_EXCLUSIVE_MINIMUM,
    OP_EXCLUSIVE_MAXIMUM,
    OP_MULTIPLE_OF, /* a: divisor */
    OP_ENUM,        /* a: enumeration; also const */
    OP_REF,         /* a: schema */
    OP_DYNAMIC_REF, /* a: schema, b: dynamic name */
    OP_ALL_OF,      /* a: list, b: count */
    OP_ANY_OF,
    OP_ONE_OF,
    OP_NOT,                    /* a: schema */
    OP_IF,                     /* a: if, b: then or NONE, c: else or NONE */
    OP_UNEVALUATED_PROPERTIES, /* a: schema */
    OP_UNEVALUATED_ITEMS,      /* a: schema */
};

struct insn {
    uint8_t op; /* enum op */
    uint8_t kw; /* enum kw: for errors */
    uint16_t unused;
    uint32_t detail; /* in strings; 0 is "" */
    uint32_t a, b, c;
};

/* One of the keys an object plan knows, in the order of its keyset. Bit i of presence masks. */
struct plan_key {
    uint32_t schema;  /* from properties, or NONE */
    uint32_t needs;   /* dependentRequired: index of a mask in masks, or NONE */
    uint32_t then;    /* dependentSchemas: schema, or NONE */
    uint8_t needs_kw; /* the keyword they come from */
    uint8_t then_kw;
};

struct plan_pattern {
    uint32_t pattern;
    uint32_t schema;
};

struct plan {
    struct keyset keys;
    uint32_t first_key;     /* in plan_keys */
    uint32_t first_pattern; /* in plan_patterns */
    uint32_t n_patterns;
    uint32_t additional; /* schema, or NONE when anything goes; a false schema: closed */
    uint32_t names;      /* propertyNames, or NONE */
    uint32_t words;      /* of a presence mask: (keys + 63) / 64 */
    uint32_t required;   /* index of a mask in masks, or NONE */
    bool has_dependents;
    bool has_properties; /* members get marked as evaluated */
    bool presence_only;  /* nothing but required: stop when all are found */
};

struct bound {
    double number;
    int64_t integer;
    bool is_integer;
    uint32_t text; /* in strings */
    uint32_t text_len;
};

struct enumeration {
    struct keyset strings;
    uint8_t kinds;        /* TYPE_BIT of null, false, true that are listed */
    uint32_t first_other; /* in others */
    uint32_t n_others;
};

/* Numbers, arrays and objects of enum and const: a node of `constants` and its hash. */
struct other {
    uint32_t node;
    uint64_t hash;
};

#define OTHER_HASH_SEED 0x6A09E667F3BCC908u

struct schema {
    struct vec nodes;         /* struct snode */
    struct vec insns;         /* struct insn */
    struct vec lists;         /* uint32_t */
    struct vec plans;         /* struct plan */
    struct vec plan_keys;     /* struct plan_key */
    struct vec plan_patterns; /* struct plan_pattern */
    struct vec masks;         /* uint64_t */
    struct vec bounds;        /* struct bound */
    struct vec divisors;      /* struct decimal */
    struct vec enumerations;  /* struct enumeration */
    struct vec others;        /* struct other */
    struct vec patterns;      /* struct pattern * */
    struct vec strings;       /* char, NUL-ended each; 0 is "" */
    struct vec dynamic;       /* uint32_t [name][resource]: schema or NONE */
    uint32_t n_resources;
    uint32_t root;
    char *constants_text; /* "[...]": what others point into */
    struct gh_tape constants;
};

static inline const char *schema_string(const struct schema *schema, uint32_t at)
{
    return VEC_AT(&schema->strings, char, at);
}

#endif
