/* Memory that runs out, at every single allocation in turn: an error, nothing lost, nothing wrong.
 */
#include "common/json/builder.h"
#include "common/json/writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int left = -1; /* allocations that still succeed; -1: all */

void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);

static bool refuse(void)
{
    return left == 0 || (left > 0 && left-- == 0);
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_realloc(void *p, size_t size)
{
    return refuse() ? NULL : __real_realloc(p, size);
}

/* Twenty keys, so that the table is needed; white space, so that it is walked. */
static const char text[] =
    "{\"a\": [1,2,\"x\\/\"],\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,\"h\":1,\"i\":1,\"j\":1,"
    "\"k\":1,\"l\":1,\"m\":1,\"n\":1,\"o\":1,\"p\":1,\"q\":1,\"r\":1,\"s\":1,\"\\u0061a\":1}";
/* The same in another order, and as a text that has no bracket of its own at the end. */
static const char turned[] =
    "{\"aa\":1,\"s\":1,\"r\":1,\"q\":1,\"p\":1,\"o\":1,\"n\":1,\"m\":1,\"l\":1,\"k\":1,\"j\":1,"
    "\"i\":1,\"h\":1,\"g\":1,\"f\":1,\"e\":1,\"d\":1,\"c\":1,\"b\":1,\"a\":[1,2,\"x/\"]}";

/* Runs all there is. GH_OK, or what the first failure said. */
static enum gh_err everything(unsigned *ret_steps)
{
    struct gh_tape tape;
    struct gh_tape other;
    struct gh_buf out;
    struct gh_json_edits edits;
    struct gh_json j;
    enum gh_json_err parsed;
    enum gh_err err = GH_OK;
    bool same = false;
    unsigned step = 0;

    gh_tape_init(&tape);
    gh_tape_init(&other);
    gh_buf_init(&out, 0);
    gh_json_edits_init(&edits, 0);

    static const struct {
        const char *text;
        size_t len;
    } texts[] = { { "12", 2 }, { text, sizeof text - 1 } };

    for (size_t i = 0; i < 2 && err == GH_OK; i++) {
        parsed = gh_tape_parse(&tape, texts[i].text, texts[i].len, NULL);
        if (parsed != GH_JSON_OK) {
            assert_int_equal(parsed, GH_JSON_NOMEM);
            err = GH_ERR_NOMEM;
        }
    }
    step += err == GH_OK;
    if (err == GH_OK && gh_tape_parse(&other, turned, sizeof turned - 1, NULL) != GH_JSON_OK)
        err = GH_ERR_NOMEM;
    step += err == GH_OK;
    if (err == GH_OK) err = gh_tape_equal(&tape, 0, &other, 0, &same);
    if (err == GH_OK) assert_true(same);
    step += err == GH_OK;
    if (err == GH_OK) err = gh_json_write(&tape, 0, NULL, &out);
    step += err == GH_OK;
    if (err == GH_OK) err = gh_json_edit_text(&edits, &tape, 1, "another", 7);
    if (err == GH_OK) err = gh_json_edit_raw(&edits, &tape, 2, "[null]", 6);
    if (err == GH_OK) err = gh_json_write(&tape, 0, &edits, &out);
    step += err == GH_OK;
    if (err == GH_OK) {
        size_t before = out.len;

        gh_json_init(&j, &out);
        gh_json_begin_array(&j);
        for (int i = 0; i < 200; i++)
            gh_json_fmt(&j, "%0*d", 300, i);
        gh_json_end_array(&j);
        err = gh_json_finish(&j);
        if (err != GH_OK) assert_int_equal(out.len, before);
    }
    step += err == GH_OK;
    gh_tape_done(&tape);
    gh_tape_done(&other);
    gh_buf_done(&out);
    gh_json_edits_done(&edits);
    *ret_steps = step;
    return err;
}

static void each_allocation_may_fail(void **state)
{
    enum gh_err err = GH_ERR_NOMEM;
    unsigned most = 0;
    int allowed = 0;

    (void)state;
    for (; err != GH_OK; allowed++) {
        unsigned steps;

        assert_in_range(allowed, 0, 10000);
        left = allowed;
        err = everything(&steps);
        left = -1;
        if (err != GH_OK && err != GH_ERR_NOMEM)
            fail_msg("after %d allocations: %s", allowed, gh_err_text(err));
        assert_true(steps >= most); /* with more memory it gets as far at least */
        most = steps;
    }
    assert_int_equal(most, 6);
    assert_true(allowed > 10);
}

static void failed_growth_keeps_the_bytes(void **state)
{
    struct gh_buf b;

    (void)state;
    gh_buf_init(&b, 0);
    assert_int_equal(gh_buf_append(&b, "kept", 4), GH_OK);
    left = 0;
    assert_int_equal(gh_buf_reserve(&b, 100000), GH_ERR_NOMEM);
    left = -1;
    assert_int_equal(b.len, 4);
    assert_memory_equal(b.data, "kept", 4);
    gh_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(failed_growth_keeps_the_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
