/* When shedding begins and when it ends, as a table of what was measured at which time. */
#include "shed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct look {
    int64_t ms;
    uint64_t value;
    bool on;
};

static const struct {
    const char *name;
    struct look looks[8];
    size_t count;
} rows[] = {
    { "below the limit nothing begins", { { 0, 0, false }, { 50, 99, false } }, 2 },
    { "at the limit it begins", { { 0, 100, true } }, 1 },
    { "between the marks it goes on", { { 0, 100, true }, { 9000, 80, true } }, 2 },
    { "calm has to last",
      { { 0, 100, true }, { 1000, 70, true }, { 2999, 70, true }, { 3000, 70, false } },
      4 },
    { "a peak starts the calm anew",
      { { 0, 100, true },
        { 1000, 70, true },
        { 2500, 80, true },
        { 2600, 70, true },
        { 4500, 70, true },
        { 4600, 70, false } },
      6 },
    { "it may begin again at once",
      { { 0, 100, true }, { 1, 0, true }, { 2001, 0, false }, { 2002, 100, true } },
      4 },
};

static void marks(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shed_level level = { 0 };

        for (size_t j = 0; j < rows[i].count; j++) {
            const struct look *look = &rows[i].looks[j];
            bool was = level.on;
            bool changed = shed_level_look(&level, look->value, 100, 75, look->ms);

            if (level.on != look->on) fail_msg("%s: at %d ms", rows[i].name, (int)look->ms);
            assert_int_equal(changed, was != level.on);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(marks) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
