/* What a configuration may not say, and what is said back. */
#include "config_fixture.h"

struct bad_row {
    const char *name;
    const char *yaml;
    const char *want; /* after FILE */
};

static const struct bad_row bad_rows[] = {
    /* YAML itself */
    { "yaml: a tab", "edge:\n\tflag: true\n", ":2: a tab in the indentation" },
    { "yaml: an open bracket", "edge:\n  list: [a\n", ": not valid YAML: " },
    { "yaml: an open quote", "edge:\n  text: \"a\n", ": not valid YAML: " },
    { "yaml: not UTF-8", "edge:\n  text: \xff\n", ":2: not valid YAML: " },
    { "yaml: a control character", "edge:\n  text: \x01\n", ":2: not valid YAML: " },
    { "yaml: two documents", "edge: {}\n---\nedge: {}\n", ":2: a second document" },
    { "yaml: a list at the top", "- edge\n", ":1: the file must be a mapping" },
    { "yaml: a word at the top", "edge\n", ":1: the file must be a mapping" },
    { "yaml: a key twice", "edge:\n  flag: true\n  count: 4\n  flag: false\n",
      ":4: key \"flag\" stands twice (first on line 2)" },
    { "yaml: a section twice", "edge: {}\nedge: {}\n", ":2: key \"edge\" stands twice" },
    { "yaml: an anchor", "edge:\n  list: &a [x]\n", ":2: anchors (&name) are not supported" },
    { "yaml: an alias", "edge:\n  list: *a\n", ":2: aliases (*name) are not supported" },
    { "yaml: an alias as a key", "edge:\n  *a : 1\n", ":2: a key must be a plain word" },
    { "yaml: a tag", "edge:\n  text: !!python/object x\n", ":2: tags (!name) are not supported" },
    { "yaml: a list as a key", "edge:\n  [a]: 1\n", ":2: a key must be a plain word" },
    { "yaml: an empty key", "edge:\n  \"\": 1\n", ":2: a key must have" },
    { "yaml: too deep", "edge: [[[[[[[[[[[[[[[[[[x]]]]]]]]]]]]]]]]]]\n", ":1: nested too deeply" },
    { "yaml: a directive of the future", "%YAML 3.0\n---\nedge: {}\n", ": not valid YAML: " },

    /* the top level */
    { "top: unknown section", "egde:\n  flag: true\n",
      ":1: egde: unknown section; did you mean edge; known sections: run_dir, " },
    { "top: nothing near", "\n\nnonsense: 1\n", ":3: nonsense: unknown section; known sections: " },
    { "top: run_dir names itself", "run_dir: ${run_dir}/x\n",
      ":1: run_dir: \"${run_dir}\" cannot be expanded; write ${run_dir}, ${state_dir}, " },
    { "top: run_dir is a mapping", "run_dir: {a: b}\n",
      ":1: run_dir: a mapping stands here; a single value is wanted" },

    /* shapes */
    { "shape: the section is a word", "edge: on\n", ":1: edge: a single value stands here; a map" },
    { "shape: the section is a list", "edge: [a]\n", ":1: edge: a list stands here; a mapping" },
    { "shape: unknown key", "edge:\n  cuont: 4\n",
      ":2: edge.cuont: unknown key; did you mean count; known keys: flag, count, big, wait, " },
    { "shape: unknown nested key", "edge:\n  tls:\n    onn: true\n",
      ":3: edge.tls.onn: unknown key; did you mean on; known keys: on, path" },
    { "shape: merge keys are unknown", "edge:\n  <<: {flag: true}\n", ":2: edge.<<: unknown key" },
    { "shape: a list for a scalar", "edge:\n  count: [1]\n",
      ":2: edge.count: a list stands here; a single value is wanted" },
    { "shape: no value", "edge:\n  count:\n", ":2: edge.count: has no value; give one or leave" },
    { "shape: null", "edge:\n  wait: null\n",
      ":2: edge.wait: has no value; give one or leave the key out (how long to wait)" },
    { "shape: a scalar for a list", "edge:\n  list: a\n",
      ":2: edge.list: a single value stands here; a list is wanted: [a, b]" },
    { "shape: a mapping in a list", "edge:\n  list:\n    - a\n    - {b: c}\n",
      ":4: edge.list: a mapping stands here; a single value is wanted" },
    { "shape: a list too long", "edge:\n  list: [a, b, c, d, e]\n",
      ":2: edge.list: 5 items is out of range; accepted: 0 to 4" },
    { "shape: a mapping for items", "edge:\n  items: {a: b}\n",
      ":2: edge.items: a mapping stands here; a list of mappings (- key: value) is wanted" },
    { "shape: a word among items", "edge:\n  items:\n    - label: a\n    - b\n",
      ":4: edge.items[1]: a single value stands here; a mapping (key: value) is wanted" },
    { "shape: too many items", "edge:\n  items: [{label: a}, {label: b}, {label: c}, {label: d}]\n",
      ":2: edge.items: 4 items is out of range; accepted: 0 to 3" },
    { "shape: an item lacks a key", "edge:\n  items:\n    - rate: 3\n",
      ":3: edge.items[0].label: is missing" },
    { "shape: an item's key is empty", "edge:\n  items:\n    - label: \"\"\n",
      ":3: edge.items[0].label: must not be empty" },
    { "shape: an item's value is wrong", "edge:\n  items:\n    - label: a\n      rate: 101\n",
      ":4: edge.items[0].rate: 101 is out of range; accepted: 1 to 100" },
    { "shape: a list for a map", "edge:\n  classes: [a]\n",
      ":2: edge.classes: a list stands here; a mapping of name: {...} is wanted" },
    { "shape: a word in a map", "edge:\n  classes:\n    user: 5\n",
      ":3: edge.classes.user: a single value stands here; a mapping (key: value) is wanted" },
    { "shape: unknown key in a map", "edge:\n  classes:\n    user: {rates: 5}\n",
      ":3: edge.classes.user.rates: unknown key; did you mean rate; known keys: rate, tags" },

    /* scalars */
    { "bool: yes", "edge:\n  flag: yes\n", ":2: edge.flag: \"yes\" is not true or false" },
    { "bool: True", "edge:\n  flag: True\n", ":2: edge.flag: \"True\" is not true or false" },
    { "u32: a word", "edge:\n  count: many\n", ":2: edge.count: \"many\" is not a whole number" },
    { "u32: negative", "edge:\n  count: -4\n", ":2: edge.count: \"-4\" is not a whole number" },
    { "u32: octal", "edge:\n  count: 010\n", ":2: edge.count: \"010\" is not a whole number" },
    { "u32: hex", "edge:\n  count: 0x10\n", ":2: edge.count: \"0x10\" is not a whole number" },
    { "u32: a fraction", "edge:\n  count: 4.5\n", ":2: edge.count: \"4.5\" is not a whole" },
    { "u32: a space", "edge:\n  count: \"4 \"\n", ":2: edge.count: \"4 \" is not a whole" },
    { "u32: too small", "edge:\n  count: 1\n",
      ":2: edge.count: 1 is out of range; accepted: 2 to 5000000000" },
    { "u32: past its type", "edge:\n  count: 4294967296\n",
      ":2: edge.count: 4294967296 is out of range; accepted: up to 4294967295" },
    { "u64: zero", "edge:\n  big: 0\n", ":2: edge.big: 0 is out of range; accepted: 1 or more" },
    { "u64: past its type", "edge:\n  big: 18446744073709551616\n", ":2: edge.big: \"1844" },
    { "ms: no unit", "edge:\n  wait: 10\n",
      ":2: edge.wait: \"10\" is not a duration; write 250ms, 10s, 5m, 2h or 1d (how long to " },
    { "ms: unknown unit", "edge:\n  wait: 10min\n", ":2: edge.wait: \"10min\" is not a duration" },
    { "ms: too short", "edge:\n  wait: 99ms\n",
      ":2: edge.wait: 99ms is out of range; accepted: 100ms to 1h (how long to wait)" },
    { "ms: too long", "edge:\n  wait: 2d\n",
      ":2: edge.wait: 2d is out of range; accepted: 100ms to 1h" },
    { "ms: overflow", "edge:\n  wait: 213503982335d\n", ":2: edge.wait: \"213503982335d\" is not" },
    { "bytes: words", "edge:\n  max_bytes: 64 kilo\n",
      ":2: edge.max_bytes: \"64 kilo\" is not a size; write a number of bytes or 64KiB, 1MiB" },
    { "bytes: KB", "edge:\n  max_bytes: 64KB\n", ":2: edge.max_bytes: \"64KB\" is not a size" },
    { "bytes: too small", "edge:\n  max_bytes: 1023\n",
      ":2: edge.max_bytes: 1023 is out of range; accepted: 1KiB to 1GiB" },
    { "bytes: overflow", "edge:\n  max_bytes: 17179869184GiB\n", ":2: edge.max_bytes: \"1717" },
    { "enum: unknown", "edge:\n  mode: alow\n",
      ":2: edge.mode: \"alow\" is not a choice; did you mean allow; accepted: refuse, allow, end_" },
    { "string: too long", "edge:\n  text: 12345678901234567890123456789012345678901\n",
      ":2: edge.text: 41 bytes is out of range; accepted: 0 to 40" },
    { "string: NUL", "edge:\n  text: \"a\\0b\"\n", ":2: edge.text: the value holds a NUL" },
    { "string: unknown variable", "edge:\n  text: ${HOME}/x\n",
      ":2: edge.text: \"${HOME}\" cannot be expanded; write ${run_dir}, " },
    { "string: variable without end", "edge:\n  text: ${run_dir\n",
      ":2: edge.text: \"${run_dir\" cannot be expanded" },
    { "string: a long bad value is cut",
      "edge:\n  count: "
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
      "\n",
      "aaaa...(cut)\" is not a whole number" },
    { "string: a bad value cannot break the line", "edge:\n  count: \"a\\nb\\\"c\"\n",
      ":2: edge.count: \"a\\x0ab\\\"c\" is not a whole number" },

    /* secrets */
    { "secret: not there", "edge:\n  key_file: none\n", "edge.key_file: cannot read " },
    { "secret: others may read", "edge:\n  key_file: open\n",
      "/open has mode 0644: others could read the secret; chmod 0400" },
    { "secret: group may write", "edge:\n  key_file: group\n", "/group has mode 0660: " },
    { "secret: a folder", "edge:\n  key_file: .\n", " is not a regular file" },
    { "secret: a fifo", "edge:\n  key_file: fifo\n", "/fifo is not a regular file" },
    { "secret: empty", "edge:\n  key_file: empty\n", "/empty is empty" },
    { "secret: only a newline", "edge:\n  key_file: newline\n", "/newline is empty" },
    { "secret: too large", "edge:\n  key_file: large\n", "/large is larger than 64 KiB" },
};

static void bad_row(void **state)
{
    const struct bad_row *row = *state;
    static struct capture capture;
    struct gh_config *config = NULL;
    struct bound bound;

    assert_int_equal(bind_yaml(row->yaml, strlen(row->yaml), &capture, &bound, &config),
                     GH_ERR_CONFIG);
    gh_config_free(config);
    if (strstr(capture.text, row->want) == NULL)
        fail_msg("said: %s\nnot: %s", capture.text, row->want);
    assert_non_null(strstr(capture.text, "event=config_error "));
    assert_non_null(strstr(capture.text, file));
}

struct env_row {
    const char *name;
    const char *variable, *value;
    const char *want; /* what is said; NULL: it is taken in silence */
};

static const struct env_row env_rows[] = {
    { "env: a number", "GATEHOUSE_EDGE_COUNT", "12", NULL },
    { "env: nested", "GATEHOUSE_EDGE_TLS_ON", "false", NULL },
    { "env: a list", "GATEHOUSE_EDGE_LIST", " a, \"b c\" ,,d", NULL },
    { "env: an empty list", "GATEHOUSE_EDGE_LIST", "", NULL },
    { "env: under a map's name", "GATEHOUSE_EDGE_CLASSES_USER_RATE", "44", NULL },
    { "env: top level", "GATEHOUSE_RUN_DIR", "/elsewhere", NULL },
    { "env: of another section", "GATEHOUSE_AUDIT_DIR", "x", NULL },
    { "env: a bad number", "GATEHOUSE_EDGE_COUNT", "x",
      "environment GATEHOUSE_EDGE_COUNT: edge.count: \"x\" is not a whole number" },
    { "env: out of range", "GATEHOUSE_EDGE_WAIT", "1ms",
      "environment GATEHOUSE_EDGE_WAIT: edge.wait: 1ms is out of range; accepted: 100ms to 1h" },
    { "env: a bad choice", "GATEHOUSE_EDGE_MODE", "refuze",
      "environment GATEHOUSE_EDGE_MODE: edge.mode: \"refuze\" is not a choice; did you mean ref" },
    { "env: too long a list", "GATEHOUSE_EDGE_LIST", "1,2,3,4,5",
      "environment GATEHOUSE_EDGE_LIST: edge.list: 5 items is out of range; accepted: 0 to 4" },
    { "env: a bad run_dir", "GATEHOUSE_RUN_DIR", "${nope}",
      "environment GATEHOUSE_RUN_DIR: run_dir: \"${nope}\" cannot be expanded" },
    { "env: misspelt", "GATEHOUSE_EDGE_CUONT", "1",
      "environment GATEHOUSE_EDGE_CUONT: no such setting; ignored; did you mean "
      "GATEHOUSE_EDGE_COUNT?" },
    { "env: no such section", "GATEHOUSE_EGDE_COUNT", "1",
      "environment GATEHOUSE_EGDE_COUNT: no such setting; ignored" },
    { "env: not inside a list", "GATEHOUSE_EDGE_ITEMS_0_RATE", "1",
      "environment GATEHOUSE_EDGE_ITEMS_0_RATE: no such setting; ignored" },
    { "env: what Kubernetes adds", "GATEHOUSE_EDGE_SERVICE_HOST", "10.0.0.1",
      "environment GATEHOUSE_EDGE_SERVICE_HOST: no such setting; ignored" },
};

static void env_row(void **state)
{
    const struct env_row *row = *state;
    static struct capture capture;
    struct gh_config *config = NULL;
    struct bound b;

    setenv(row->variable, row->value, 1);
    const enum gh_err err = bind_yaml(ENV_YAML, strlen(ENV_YAML), &capture, &b, &config);
    unsetenv(row->variable);
    if (row->want == NULL) {
        assert_string_equal(capture.text, "");
    } else if (strstr(capture.text, row->want) == NULL) {
        fail_msg("said: %s\nnot: %s", capture.text, row->want);
    }
    const bool warning = row->want == NULL || strstr(row->want, "ignored") != NULL;
    assert_int_equal(err, warning ? GH_OK : GH_ERR_CONFIG);
    gh_config_free(config);
}

int main(void)
{
    enum { BAD = sizeof bad_rows / sizeof bad_rows[0], ENV = sizeof env_rows / sizeof env_rows[0] };
    struct CMUnitTest tests[BAD + ENV];

    for (size_t i = 0; i < BAD; i++)
        tests[i] =
            (struct CMUnitTest){ bad_rows[i].name, bad_row, NULL, NULL, (void *)&bad_rows[i] };
    for (size_t i = 0; i < ENV; i++)
        tests[BAD + i] =
            (struct CMUnitTest){ env_rows[i].name, env_row, NULL, NULL, (void *)&env_rows[i] };
    return cmocka_run_group_tests_name("config_errors", tests, make_files, remove_files);
}
