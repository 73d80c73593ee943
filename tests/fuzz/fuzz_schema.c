/*
 * A schema and a value for it, with a line break between: the loader and the evaluation, which must
 * give the same verdict with and without somebody to tell the failure to.
 */
#include "validator/schema/schema.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct schema *compile(const char *text, size_t len, bool draft07)
{
    struct schema_options options = {
        .assert_format = true,
        .default_draft07 = draft07,
        .max_schemas = 500,
        .max_patterns = 8,
    };
    struct schema_problem problem = { 0 };
    struct schema *schema = NULL;

    if (schema_compile_text("fuzz", text, len, &options, &schema, &problem) != GH_OK) return NULL;
    return schema;
}

static void validate(const struct schema *schema, const char *text, size_t len)
{
    static const struct schema_limits limits = { .max_steps = 20000, .max_depth = 200 };
    struct schema_scratch *scratch = NULL;
    struct schema_failure failure;
    struct gh_tape tape;
    char path[64];

    gh_tape_init(&tape);
    if (schema_scratch_new(&limits, &scratch) == GH_OK &&
        schema_scratch_fit(scratch, schema) == GH_OK &&
        gh_tape_parse(&tape, text, len, NULL) == GH_JSON_OK) {
        enum schema_verdict told = schema_validate(schema, scratch, &tape, 0, &failure);
        enum schema_verdict quiet;

        if (told != SCHEMA_VALID) {
            schema_instance_path(&tape, 0, failure.node, path, sizeof(path));
            if (strlen(failure.schema_path) > (1u << 20) || strlen(failure.detail) > (1u << 20))
                abort();
        }
        quiet = schema_validate(schema, scratch, &tape, 0, NULL);
        if (told != quiet) abort();
    }
    gh_tape_done(&tape);
    schema_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *line = size > 1 ? memchr(text + 1, '\n', size - 1) : NULL;
    size_t len = line != NULL ? (size_t)(line - text) : size;
    struct schema *schema;

    if (size < 2 || size > 8192) return 0;
    schema = compile(text + 1, len - 1, (data[0] & 1) != 0);
    if (schema == NULL) return 0;
    if (line != NULL) validate(schema, line + 1, size - len - 1);
    schema_free(schema);
    return 0;
}
