/* gh_json_check_main on real files: what it prints and how it exits. */
#include "common/json/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct row {
    const char *name;
    const char *options; /* parted by blanks */
    const char *text;
    int status;
    const char *out; /* F stands for the file */
};

static const struct row rows[] = {
    { "accepts", "", "{\"a\": 1}\n", 0, "F: accept\n" },
    { "quiet", "--quiet", "{\"a\": 1}\n", 0, "" },
    { "canonical", "--canonical", "{ \"\\u0061\": [1, 2] }\n", 0, "{\"a\":[1,2]}\n" },
    { "names the place", "", "{\n  \"a\": 1,\n  \"b\": tru\n}\n", 1,
      "F:3:8: offset 19: not true, false or null\n" },
    { "empty", "", "", 1, "F:1:1: offset 0: no value\n" },
    { "lines", "--ndjson", "1\n\n[1,]\n{}\r\n\"a", 1,
      "F:1: accept\nF:3:4: offset 6: a value was expected\nF:4: accept\n"
      "F:5:3: offset 14: the text ends inside a value\n" },
    { "lines, canonical", "--ndjson --canonical", "[ 1 ]\n[ 2 ]\n", 0, "[1]\n[2]\n" },
    { "duplicates", "", "{\"a\":1,\"a\":2}", 1,
      "F:1:8: offset 7: the object has this key already\n" },
    { "duplicates allowed", "--allow-duplicates", "{\"a\":1,\"a\":2}", 0, "F: accept\n" },
    { "bytes", "--max-bytes 4", "[1,2]", 1, "F:1:5: offset 4: more bytes than allowed\n" },
    { "depth", "--max-depth 1", "[[]]", 1, "F:1:2: offset 1: nested deeper than allowed\n" },
    { "depth, default", "", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 1,
      "F:1:33: offset 32: nested deeper than allowed\n" },
    { "depth, trusted", "--trusted",
      "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", 0, "F: accept\n" },
    { "unknown option", "--nope", "1", 2, "" },
    { "bad number", "--max-depth x", "1", 2, "" },
    { "number past the hard maximum", "--max-depth 2000", "1", 2, "" },
};

static void check_row(void **state)
{
    const struct row *row = *state;
    char path[] = "/tmp/test_json_check.XXXXXX";
    char printed_path[] = "/tmp/test_json_check.XXXXXX";
    char options[128];
    char *argv[16] = { (char *)"check" };
    char want[1024] = "";
    char got[1024] = "";
    int argc = 1;
    int in = mkstemp(path);
    int printed = mkstemp(printed_path);
    int real_out;
    int status;

    assert_true(in >= 0 && printed >= 0);
    assert_int_equal(write(in, row->text, strlen(row->text)), strlen(row->text));
    close(in);
    snprintf(options, sizeof options, "%s", row->options);
    for (char *save, *o = strtok_r(options, " ", &save); o != NULL; o = strtok_r(NULL, " ", &save))
        argv[argc++] = o;
    argv[argc++] = path;

    fflush(stdout);
    real_out = dup(1);
    dup2(printed, 1);
    status = gh_json_check_main(argc, argv);
    fflush(stdout);
    dup2(real_out, 1);
    close(real_out);

    assert_true(pread(printed, got, sizeof got - 1, 0) >= 0);
    close(printed);
    unlink(path);
    unlink(printed_path);
    for (const char *p = row->out; *p; p++) {
        size_t n = strlen(want);

        if (*p == 'F' && (p == row->out || p[-1] == '\n'))
            snprintf(want + n, sizeof want - n, "%s", path);
        else
            snprintf(want + n, sizeof want - n, "%c", *p);
    }
    assert_string_equal(got, want);
    assert_int_equal(status, row->status);
}

static void missing_file_is_status_2(void **state)
{
    char *argv[] = { (char *)"check", (char *)"/nonexistent/file.json" };

    (void)state;
    assert_int_equal(gh_json_check_main(2, argv), 2);
    assert_int_equal(gh_json_check_main(1, argv), 2);
}

int main(void)
{
    enum { ROWS = sizeof rows / sizeof *rows };
    static struct CMUnitTest tests[ROWS + 1];
    static char names[ROWS][64];

    for (size_t i = 0; i < ROWS; i++) {
        snprintf(names[i], sizeof names[i], "json check: %s", rows[i].name);
        tests[i] = (struct CMUnitTest){ names[i], check_row, NULL, NULL, (void *)&rows[i] };
    }
    tests[ROWS] = (struct CMUnitTest){ "json check: a file that is not there",
                                       missing_file_is_status_2, NULL, NULL, NULL };
    return _cmocka_run_group_tests("json check", tests, ROWS + 1, NULL, NULL);
}
