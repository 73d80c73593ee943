/* Load errors, what a failure says, and the caps. */
#include "validator/schema/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct load_row {
    const char *schema, *pointer, *text;
} load_rows[] = {
    { "{\"type\": \"strin\"}", "/type", "unknown type" },
    { "{\"properties\": []}", "/properties", "must be an object" },
    { "{\"a\": 1,}", "", "not strict JSON" },
    { "{\"$ref\": \"#/x\"}", "/$ref", "nothing at" },
    { "{\"$ref\": \"http://elsewhere/x\"}", "/$ref", "nothing is fetched" },
    { "{\"$ref\": \"#\"}", "", "endless loop" },
    { "{\"allOf\":[{\"$ref\":\"#/$defs/a\"}],\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},"
      "\"b\":{\"anyOf\":[{\"$ref\":\"#/$defs/a\"}]}}}",
      "/$defs", "endless loop" },
    { "{\"$schema\": \"http://json-schema.org/draft-03/schema#\"}", "", "unknown \"$schema\"" },
    { "{\"properties\":{\"a\":{\"pattern\":\"(a)\\\\1\"}}}", "/properties/a/pattern",
      "back-reference" },
    { "{\"$defs\":{\"unused\":{\"minLength\":-1}}}", "/$defs/unused/minLength", "whole number" },
    { "{\"multipleOf\": 0}", "/multipleOf", "above 0" },
    { "{\"items\": [true]}", "/items", "prefixItems" },
    { "{\"$defs\":{\"a\":{\"$anchor\":\"x\"},\"b\":{\"$anchor\":\"x\"}}}", "/$defs/b/$anchor",
      "already" },
    { "{\"required\": [1]}", "/required/0", "name" },
    { "3", "", "object, true or false" },
};

static void reports_load_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(load_rows) / sizeof(load_rows[0]); i++) {
        const struct load_row *row = &load_rows[i];
        struct schema_problem problem = { 0 };
        struct schema *schema = NULL;

        assert_int_equal(
            schema_compile_text("t", row->schema, strlen(row->schema), NULL, &schema, &problem),
            GH_ERR_CONFIG);
        assert_null(schema);
        if (strncmp(problem.pointer, row->pointer, strlen(row->pointer)) != 0 ||
            strstr(problem.text, row->text) == NULL)
            fail_msg("%s: \"%s\" \"%s\"", row->schema, problem.pointer, problem.text);
    }
}

static const struct fail_row {
    const char *schema, *data, *keyword, *path, *instance, *detail;
} fail_rows[] = {
    { "{\"type\":\"object\"}", "[]", "type", "#/type", "", "" },
    { "{\"properties\":{\"a/b\":{\"maxLength\":1}}}", "{\"a/b\":\"xy\"}", "maxLength",
      "#/properties/a~1b/maxLength", "/a~1b", "" },
    { "{\"required\":[\"x\",\"y\"]}", "{\"x\":1}", "required", "#/required", "", "y" },
    { "{\"properties\":{\"a\":true},\"additionalProperties\":false}", "{\"a\":1,\"b\":2}",
      "additionalProperties", "#/additionalProperties", "/b", "" },
    { "{\"items\":{\"$ref\":\"#/$defs/n\"},\"$defs\":{\"n\":{\"minimum\":5}}}", "[7,4]", "minimum",
      "#/$defs/n/minimum", "/1", "5" },
    { "{\"anyOf\":[{\"type\":\"string\"},{\"const\":1}]}", "2", "anyOf", "#/anyOf", "", "" },
    { "{\"properties\":{\"a\":false}}", "{\"a\":0}", "false schema", "#/properties/a/false schema",
      "/a", "" },
    { "{\"unevaluatedProperties\":false,\"allOf\":[{\"properties\":{\"a\":true}}]}",
      "{\"a\":1,\"z\":1}", "unevaluatedProperties", "#/unevaluatedProperties", "/z", "" },
    { "{\"format\":\"uuid\"}", "\"x\"", "format", "#/format", "", "uuid" },
    { "{\"uniqueItems\":true}", "[1,{\"a\":2},3,4,5,6,7,{\"a\":2.0}]", "uniqueItems",
      "#/uniqueItems", "/7", "" },
    { "{\"multipleOf\":0.01}", "19.991", "multipleOf", "#/multipleOf", "", "" },
    { "{\"maximum\":9007199254740992}", "9007199254740993.0", "maximum", "#/maximum", "",
      "9007199254740992" },
};

static void says_what_failed(void **state)
{
    struct schema_options options = { .assert_format = true };

    (void)state;
    for (size_t i = 0; i < sizeof(fail_rows) / sizeof(fail_rows[0]); i++) {
        const struct fail_row *row = &fail_rows[i];
        struct schema_scratch *scratch = NULL;
        struct schema *schema = NULL;
        struct schema_failure failure;
        struct gh_tape tape;
        char path[64];

        gh_tape_init(&tape);
        assert_int_equal(
            schema_compile_text("t", row->schema, strlen(row->schema), &options, &schema, NULL),
            GH_OK);
        assert_int_equal(schema_scratch_new(NULL, &scratch), GH_OK);
        assert_int_equal(schema_scratch_fit(scratch, schema), GH_OK);
        assert_int_equal(gh_tape_parse(&tape, row->data, strlen(row->data), NULL), GH_JSON_OK);
        assert_int_equal(schema_validate(schema, scratch, &tape, 0, &failure), SCHEMA_INVALID);
        schema_instance_path(&tape, 0, failure.node, path, sizeof(path));
        assert_string_equal(failure.keyword, row->keyword);
        assert_string_equal(failure.schema_path, row->path);
        assert_string_equal(path, row->instance);
        assert_string_equal(failure.detail, row->detail);
        schema_scratch_free(scratch);
        schema_free(schema);
        gh_tape_done(&tape);
    }
}

static enum schema_verdict judge(const char *text, const char *data,
                                 const struct schema_limits *limits, uint32_t *ret_steps)
{
    struct schema_scratch *scratch = NULL;
    struct schema *schema = NULL;
    enum schema_verdict verdict;
    struct gh_tape tape;

    gh_tape_init(&tape);
    assert_int_equal(schema_compile_text("t", text, strlen(text), NULL, &schema, NULL), GH_OK);
    assert_int_equal(schema_scratch_new(limits, &scratch), GH_OK);
    assert_int_equal(schema_scratch_fit(scratch, schema), GH_OK);
    assert_int_equal(gh_tape_parse(&tape, data, strlen(data), &gh_json_limits_trusted), GH_JSON_OK);
    verdict = schema_validate(schema, scratch, &tape, 0, NULL);
    *ret_steps = schema_scratch_steps(scratch);
    schema_scratch_free(scratch);
    schema_free(schema);
    gh_tape_done(&tape);
    return verdict;
}

static void caps_steps_and_depth(void **state)
{
    static const char doubling[] = /* two evaluations a level: 2^n without a cap */
        "{\"anyOf\":[{\"items\":{\"$ref\":\"#\"}},{\"items\":{\"$ref\":\"#\"}}],\"not\":{\"const\":1}}";
    static const char nested[] = "{\"items\":{\"$ref\":\"#\"},\"minItems\":0}";
    char deep[256];
    struct schema_limits few = { .max_steps = 1000 };
    struct schema_limits shallow = { .max_depth = 10 };
    uint32_t steps;

    (void)state;
    memset(deep, '[', 60);
    deep[60] = '1';
    memset(deep + 61, ']', 60);
    deep[121] = '\0';
    assert_int_equal(judge(doubling, deep, &few, &steps), SCHEMA_LIMIT);
    assert_int_equal(judge(doubling, deep, NULL, &steps), SCHEMA_LIMIT);
    assert_int_equal(judge(nested, deep, NULL, &steps), SCHEMA_VALID);
    assert_int_equal(judge(nested, deep, &shallow, &steps), SCHEMA_LIMIT);
}

static void is_linear_in_unique_items(void **state)
{
    size_t n = 16000;
    char *data = malloc(n * 8 + 2);
    uint32_t steps;
    size_t len = 0;

    (void)state;
    assert_non_null(data);
    data[len++] = '[';
    for (size_t i = 0; i < n; i++)
        len += (size_t)snprintf(data + len, 9, "%s%zu", i > 0 ? "," : "", i);
    data[len++] = ']';
    data[len] = '\0';
    assert_int_equal(judge("{\"uniqueItems\":true}", data, NULL, &steps), SCHEMA_VALID);
    assert_true(steps < n * 4);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_load_errors),
        cmocka_unit_test(says_what_failed),
        cmocka_unit_test(caps_steps_and_depth),
        cmocka_unit_test(is_linear_in_unique_items),
    };

    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
