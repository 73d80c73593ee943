/*
 * The metaschemas of both drafts, in our own words: what they say about the form of a schema,
 * without the descriptions and defaults. A schema may refer to them like to any document.
 *
 * Source: JSON Schema Core and Validation, drafts 2020-12 and 07.
 */
#include "validator/schema/registry.h"

#define D2020 "https://json-schema.org/draft/2020-12/"

#define META_HEAD(name)                                                                            \
    "{\"$schema\":\"" D2020 "schema\",\"$id\":\"" D2020 "meta/" name                               \
    "\",\"$vocabulary\":{\"" D2020 "vocab/" name                                                   \
    "\":true},\"$dynamicAnchor\":\"meta\",\"type\":[\"object\",\"boolean\"],"

#define SCHEMA_VALUE "{\"$dynamicRef\":\"#meta\"}"
#define SCHEMA_MAP   "{\"type\":\"object\",\"additionalProperties\":{\"$dynamicRef\":\"#meta\"}}"
#define SCHEMA_LIST  "{\"type\":\"array\",\"minItems\":1,\"items\":{\"$dynamicRef\":\"#meta\"}}"
#define SIZE         "{\"type\":\"integer\",\"minimum\":0}"
#define NAMES        "{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"uniqueItems\":true}"
#define NAMES_MAP    "{\"type\":\"object\",\"additionalProperties\":" NAMES "}"
#define STRING       "{\"type\":\"string\"}"
#define NUMBER       "{\"type\":\"number\"}"
#define BOOLEAN      "{\"type\":\"boolean\"}"
#define URI          "{\"type\":\"string\",\"format\":\"uri\"}"
#define URI_REF      "{\"type\":\"string\",\"format\":\"uri-reference\"}"
#define ANCHOR       "{\"type\":\"string\",\"pattern\":\"^[A-Za-z_][-A-Za-z0-9._]*$\"}"
#define SIMPLE_TYPES                                                                               \
    "{\"enum\":[\"null\",\"boolean\",\"integer\",\"number\",\"string\",\"array\",\"object\"]}"
#define TYPES                                                                                      \
    "{\"anyOf\":[" SIMPLE_TYPES ",{\"type\":\"array\",\"minItems\":1,\"uniqueItems\":true,"        \
    "\"items\":" SIMPLE_TYPES "}]}"

static const char meta_2020_12[] =
    "{\"$schema\":\"" D2020 "schema\",\"$id\":\"" D2020 "schema\",\"$dynamicAnchor\":\"meta\","
    "\"$vocabulary\":{\"" D2020 "vocab/core\":true,\"" D2020 "vocab/applicator\":true,\"" D2020
    "vocab/unevaluated\":true,\"" D2020 "vocab/validation\":true,\"" D2020
    "vocab/meta-data\":true,\"" D2020 "vocab/format-annotation\":true,\"" D2020
    "vocab/content\":true},\"type\":[\"object\",\"boolean\"],"
    "\"allOf\":[{\"$ref\":\"meta/core\"},{\"$ref\":\"meta/applicator\"},{\"$ref\":\"meta/"
    "unevaluated\"},{\"$ref\":\"meta/validation\"},{\"$ref\":\"meta/meta-data\"},{\"$ref\":\"meta/"
    "format-annotation\"},{\"$ref\":\"meta/content\"}],"
    "\"properties\":{\"definitions\":" SCHEMA_MAP ",\"dependencies\":{\"type\":\"object\","
    "\"additionalProperties\":{\"anyOf\":[" SCHEMA_VALUE "," NAMES "]}}}}";

static const char meta_core[] = META_HEAD(
    "core") "\"properties\":{\"$id\":{\"type\":\"string\",\"format\":\"uri-reference\",\"pattern\":\"^[^#]*#?$\"},\"$schema\":" URI
            ",\"$ref\":" URI_REF ",\"$dynamicRef\":" URI_REF ",\"$anchor\":" ANCHOR
            ",\"$dynamicAnchor\":" ANCHOR
            ",\"$vocabulary\":{\"type\":\"object\",\"propertyNames\":" URI
            ",\"additionalProperties\":" BOOLEAN "},\"$comment\":" STRING ",\"$defs\":" SCHEMA_MAP
            "}}";

static const char meta_applicator[] = META_HEAD(
    "applicator") "\"properties\":{\"prefixItems\":" SCHEMA_LIST ",\"items\":" SCHEMA_VALUE
                  ",\"contains\":" SCHEMA_VALUE ",\"additionalProperties\":" SCHEMA_VALUE
                  ",\"properties\":" SCHEMA_MAP
                  ",\"patternProperties\":{\"type\":\"object\",\"propertyNames\":{\"format\":\"regex\"},"
                  "\"additionalProperties\":" SCHEMA_VALUE "},\"dependentSchemas\":" SCHEMA_MAP
                  ",\"propertyNames\":" SCHEMA_VALUE ",\"if\":" SCHEMA_VALUE
                  ",\"then\":" SCHEMA_VALUE ",\"else\":" SCHEMA_VALUE ",\"allOf\":" SCHEMA_LIST
                  ",\"anyOf\":" SCHEMA_LIST ",\"oneOf\":" SCHEMA_LIST ",\"not\":" SCHEMA_VALUE "}}";

static const char meta_unevaluated[] =
    META_HEAD("unevaluated") "\"properties\":{\"unevaluatedItems\":" SCHEMA_VALUE
                             ",\"unevaluatedProperties\":" SCHEMA_VALUE "}}";

static const char meta_validation[] = META_HEAD(
    "validation") "\"properties\":{\"type\":" TYPES ",\"const\":true,\"enum\":{\"type\":\"array\"},"
                  "\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0},\"maximum\":" NUMBER
                  ",\"exclusiveMaximum\":" NUMBER ",\"minimum\":" NUMBER
                  ",\"exclusiveMinimum\":" NUMBER ",\"maxLength\":" SIZE ",\"minLength\":" SIZE
                  ",\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},"
                  "\"maxItems\":" SIZE ",\"minItems\":" SIZE ",\"uniqueItems\":" BOOLEAN
                  ",\"maxContains\":" SIZE ",\"minContains\":" SIZE ",\"maxProperties\":" SIZE
                  ",\"minProperties\":" SIZE ",\"required\":" NAMES
                  ",\"dependentRequired\":" NAMES_MAP "}}";

static const char meta_meta_data[] =
    META_HEAD("meta-data") "\"properties\":{\"title\":" STRING ",\"description\":" STRING
                           ",\"default\":true,\"deprecated\":" BOOLEAN ",\"readOnly\":" BOOLEAN
                           ",\"writeOnly\":" BOOLEAN ",\"examples\":{\"type\":\"array\"}}}";

static const char meta_format_annotation[] =
    META_HEAD("format-annotation") "\"properties\":{\"format\":" STRING "}}";

static const char meta_format_assertion[] =
    META_HEAD("format-assertion") "\"properties\":{\"format\":" STRING "}}";

static const char meta_content[] =
    META_HEAD("content") "\"properties\":{\"contentEncoding\":" STRING
                         ",\"contentMediaType\":" STRING ",\"contentSchema\":" SCHEMA_VALUE "}}";

#define SELF      "{\"$ref\":\"#\"}"
#define SELF_MAP  "{\"type\":\"object\",\"additionalProperties\":{\"$ref\":\"#\"}}"
#define SELF_LIST "{\"type\":\"array\",\"minItems\":1,\"items\":{\"$ref\":\"#\"}}"

static const char meta_07[] =
    "{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"$id\":\"http://json-schema.org/"
    "draft-07/schema#\",\"type\":[\"object\",\"boolean\"],\"properties\":{"
    "\"$id\":" URI_REF ",\"$schema\":" URI ",\"$ref\":" URI_REF ",\"$comment\":" STRING
    ",\"title\":" STRING ",\"description\":" STRING ",\"default\":true,\"readOnly\":" BOOLEAN
    ",\"writeOnly\":" BOOLEAN ",\"examples\":{\"type\":\"array\"},"
    "\"multipleOf\":{\"type\":\"number\",\"exclusiveMinimum\":0},\"maximum\":" NUMBER
    ",\"exclusiveMaximum\":" NUMBER ",\"minimum\":" NUMBER ",\"exclusiveMinimum\":" NUMBER
    ",\"maxLength\":" SIZE ",\"minLength\":" SIZE
    ",\"pattern\":{\"type\":\"string\",\"format\":\"regex\"},\"additionalItems\":" SELF
    ",\"items\":{\"anyOf\":[" SELF "," SELF_LIST "]},\"maxItems\":" SIZE ",\"minItems\":" SIZE
    ",\"uniqueItems\":" BOOLEAN ",\"contains\":" SELF ",\"maxProperties\":" SIZE
    ",\"minProperties\":" SIZE ",\"required\":" NAMES ",\"additionalProperties\":" SELF
    ",\"definitions\":" SELF_MAP ",\"properties\":" SELF_MAP
    ",\"patternProperties\":{\"type\":\"object\",\"propertyNames\":{\"format\":\"regex\"},"
    "\"additionalProperties\":" SELF "},\"dependencies\":{\"type\":\"object\","
    "\"additionalProperties\":{\"anyOf\":[" SELF "," NAMES "]}},\"propertyNames\":" SELF
    ",\"const\":true,\"enum\":{\"type\":\"array\"},\"type\":" TYPES ",\"format\":" STRING
    ",\"contentMediaType\":" STRING ",\"contentEncoding\":" STRING ",\"if\":" SELF ",\"then\":" SELF
    ",\"else\":" SELF ",\"allOf\":" SELF_LIST ",\"anyOf\":" SELF_LIST ",\"oneOf\":" SELF_LIST
    ",\"not\":" SELF "}}";

const struct schema_builtin schema_builtins[] = {
    { D2020 "schema", meta_2020_12 },
    { D2020 "meta/core", meta_core },
    { D2020 "meta/applicator", meta_applicator },
    { D2020 "meta/unevaluated", meta_unevaluated },
    { D2020 "meta/validation", meta_validation },
    { D2020 "meta/meta-data", meta_meta_data },
    { D2020 "meta/format-annotation", meta_format_annotation },
    { D2020 "meta/format-assertion", meta_format_assertion },
    { D2020 "meta/content", meta_content },
    { "http://json-schema.org/draft-07/schema", meta_07 },
    { NULL, NULL },
};
