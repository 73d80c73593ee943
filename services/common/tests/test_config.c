/* What a configuration may say, and what is said back when it may not. */
#include "common/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture.h"

struct inner {
    bool on;
    const char *path;
};

struct item {
    const char *name;
    uint32_t rate;
    struct gh_config_list tags;
};

struct bound {
    bool flag;
    uint32_t count;
    uint64_t big, wait_ms, size_bytes;
    const char *text;
    uint32_t mode;
    const char *path;
    struct gh_config_secret secret;
    struct gh_config_list list;
    struct inner inner;
    struct gh_config_structs items, map;
};

static const char *const modes[] = { "refuse", "allow", "end_oldest", NULL };

static const struct gh_config_field inner_fields[] = {
    { .key = "on", .kind = GH_CFG_BOOL, .offset = offsetof(struct inner, on), .dflt = "true" },
    { .key = "path", .kind = GH_CFG_PATH, .offset = offsetof(struct inner, path) },
    { 0 },
};

static const struct gh_config_field item_fields[] = {
    { .key = "label",
      .kind = GH_CFG_STRING,
      .offset = offsetof(struct item, name),
      .required = true },
    { .key = "rate",
      .kind = GH_CFG_U32,
      .offset = offsetof(struct item, rate),
      .dflt = "7",
      .min = 1,
      .max = 100 },
    { .key = "tags", .kind = GH_CFG_LIST, .offset = offsetof(struct item, tags), .dflt = "[x, y]" },
    { 0 },
};

static const struct gh_config_field map_fields[] = {
    { .key = "rate", .kind = GH_CFG_U32, .offset = offsetof(struct item, rate), .dflt = "7" },
    { .key = "tags", .kind = GH_CFG_LIST, .offset = offsetof(struct item, tags) },
    { 0 },
};

static const struct gh_config_field fields[] = {
    { .key = "flag", .kind = GH_CFG_BOOL, .offset = offsetof(struct bound, flag) },
    { .key = "count",
      .kind = GH_CFG_U32,
      .offset = offsetof(struct bound, count),
      .dflt = "3",
      .min = 2,
      .max = 5000000000 },
    { .key = "big", .kind = GH_CFG_U64, .offset = offsetof(struct bound, big), .min = 1 },
    { .key = "wait",
      .kind = GH_CFG_MS,
      .offset = offsetof(struct bound, wait_ms),
      .dflt = "5s",
      .min = 100,
      .max = 3600000,
      .help = "how long to wait" },
    { .key = "max_bytes",
      .kind = GH_CFG_BYTES,
      .offset = offsetof(struct bound, size_bytes),
      .dflt = "64KiB",
      .min = 1024,
      .max = 1 << 30 },
    { .key = "text",
      .kind = GH_CFG_STRING,
      .offset = offsetof(struct bound, text),
      .dflt = "dflt",
      .max = 40 },
    { .key = "mode",
      .kind = GH_CFG_ENUM,
      .offset = offsetof(struct bound, mode),
      .choices = modes,
      .dflt = "allow" },
    { .key = "path", .kind = GH_CFG_PATH, .offset = offsetof(struct bound, path) },
    { .key = "key_file", .kind = GH_CFG_SECRET_FILE, .offset = offsetof(struct bound, secret) },
    { .key = "list", .kind = GH_CFG_LIST, .offset = offsetof(struct bound, list), .max = 4 },
    { .key = "tls",
      .kind = GH_CFG_STRUCT,
      .offset = offsetof(struct bound, inner),
      .fields = inner_fields },
    { .key = "items",
      .kind = GH_CFG_STRUCTS,
      .offset = offsetof(struct bound, items),
      .fields = item_fields,
      .item_size = sizeof(struct item),
      .max = 3 },
    { .key = "classes",
      .kind = GH_CFG_MAP,
      .offset = offsetof(struct bound, map),
      .fields = map_fields,
      .item_size = sizeof(struct item) },
    { 0 },
};

static char dir[32];
static char file[64];

static void write_bytes(const char *name, const char *bytes, size_t len, mode_t mode)
{
    char path[96];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
    const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* Loads yaml and binds its section edge; what was said is in *capture. */
static enum gh_err bind_yaml(const char *yaml, size_t len, struct capture *capture,
                             struct bound *bound, struct gh_config **ret_config)
{
    struct gh_config *config = NULL;

    write_bytes("gatehouse.yaml", yaml, len, 0644);
    memset(bound, 0, sizeof *bound);
    capture_begin(capture);
    enum gh_err err = gh_config_load(file, "edge-1", &config);
    if (err == GH_OK) err = gh_config_bind(config, "edge", fields, bound);
    capture_end(capture);
    *ret_config = config;
    return err;
}

static struct gh_config *must_bind(const char *yaml, struct bound *bound)
{
    static struct capture capture;
    struct gh_config *config = NULL;
    const enum gh_err err = bind_yaml(yaml, strlen(yaml), &capture, bound, &config);

    if (err != GH_OK) fail_msg("refused: %s", capture.text);
    assert_string_equal(capture.text, "");
    return config;
}

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

static void binds_defaults(void **state)
{
    static const char *const yamls[] = {
        "", "edge:\n", "edge: {}\n", "edge: ~\n", "# nothing", "---\n# note\n", "audit: {x: 1}\n"
    };
    struct bound b;

    (void)state;
    for (size_t i = 0; i < sizeof yamls / sizeof yamls[0]; i++) {
        struct gh_config *config = must_bind(yamls[i], &b);

        assert_false(b.flag);
        assert_int_equal(b.count, 3);
        assert_int_equal(b.big, 0);
        assert_int_equal(b.wait_ms, 5000);
        assert_int_equal(b.size_bytes, 65536);
        assert_string_equal(b.text, "dflt");
        assert_int_equal(b.mode, 1);
        assert_null(b.path);
        assert_null(b.secret.data);
        assert_int_equal(b.list.count, 0);
        assert_true(b.inner.on);
        assert_int_equal(b.items.count, 0);
        assert_int_equal(b.map.count, 0);
        gh_config_free(config);
    }
}

static void binds_every_kind(void **state)
{
    struct bound b;
    char want[96];

    (void)state;
    struct gh_config *config = must_bind("run_dir: /run/g/\n"
                                         "edge:\n"
                                         "  flag: true\n"
                                         "  count: 4294967295\n"
                                         "  big: 18446744073709551615\n"
                                         "  wait: 2m\n"
                                         "  max_bytes: 1GiB\n"
                                         "  text: \"${run_dir}x ${instance} $${a} $\"\n"
                                         "  mode: end_oldest\n"
                                         "  path: tls/a.crt\n"
                                         "  key_file: secret\n"
                                         "  list: [a, \"b, c\", '']\n"
                                         "  tls: {on: false, path: /abs}\n"
                                         "  items:\n"
                                         "    - label: one\n"
                                         "      tags: []\n"
                                         "    - {label: two, rate: 9}\n"
                                         "  classes:\n"
                                         "    user: {rate: 1, tags: [t]}\n"
                                         "    \"odd name\":\n",
                                         &b);
    assert_true(b.flag);
    assert_int_equal(b.count, UINT32_MAX);
    assert_true(b.big == UINT64_MAX);
    assert_int_equal(b.wait_ms, 120000);
    assert_int_equal(b.size_bytes, 1 << 30);
    assert_string_equal(b.text, "/run/g/x edge-1 ${a} $");
    assert_int_equal(b.mode, 2);
    (void)snprintf(want, sizeof want, "%s/tls/a.crt", dir);
    assert_string_equal(b.path, want);
    assert_int_equal(b.secret.len, 5);
    assert_memory_equal(b.secret.data, "p\0w\n\xff", 6); /* NUL-ended beyond */
    assert_int_equal(b.list.count, 3);
    assert_string_equal(b.list.items[1], "b, c");
    assert_string_equal(b.list.items[2], "");
    assert_false(b.inner.on);
    assert_string_equal(b.inner.path, "/abs");

    const struct item *items = b.items.items;
    assert_int_equal(b.items.count, 2);
    assert_string_equal(items[0].name, "one");
    assert_int_equal(items[0].rate, 7);
    assert_int_equal(items[0].tags.count, 0);
    assert_string_equal(items[1].name, "two");
    assert_int_equal(items[1].rate, 9);
    assert_int_equal(items[1].tags.count, 2);
    assert_string_equal(items[1].tags.items[1], "y");

    const struct item *map = b.map.items;
    assert_int_equal(b.map.count, 2);
    assert_string_equal(map[0].name, "user");
    assert_int_equal(map[0].rate, 1);
    assert_string_equal(map[1].name, "odd name");
    assert_int_equal(map[1].rate, 7);
    assert_string_equal(gh_config_path(config), file);
    gh_config_free(config);
}

static void takes_a_secret_from_root_for_a_group(void **state)
{
    struct bound b;

    (void)state;
    write_bytes("shared", "k", 1, 0440);
    if (geteuid() != 0) {
        print_message("skipped: only root can give a file to root\n");
        skip();
    }
    gh_config_free(must_bind("edge: {key_file: shared}\n", &b));

    static struct capture capture;
    struct gh_config *config = NULL;
    char path[96];
    (void)snprintf(path, sizeof path, "%s/shared", dir);
    assert_int_equal(chown(path, 1, 1), 0); /* the same file of somebody else's */
    const char *yaml = "edge: {key_file: shared}\n";
    assert_int_equal(bind_yaml(yaml, strlen(yaml), &capture, &b, &config), GH_ERR_CONFIG);
    gh_config_free(config);
}

static void reports_all_errors_at_once(void **state)
{
    static struct capture capture;
    struct gh_config *config = NULL;
    struct bound b;
    const char *yaml = "edge:\n  flag: 1\n  nope: 2\n  wait: 3\n  tls: {on: 4}\n";

    (void)state;
    assert_int_equal(bind_yaml(yaml, strlen(yaml), &capture, &b, &config), GH_ERR_CONFIG);
    gh_config_free(config);
    assert_non_null(strstr(capture.text, ":2: edge.flag: "));
    assert_non_null(strstr(capture.text, ":3: edge.nope: "));
    assert_non_null(strstr(capture.text, ":4: edge.wait: "));
    assert_non_null(strstr(capture.text, ":5: edge.tls.on: "));
}

struct env_row {
    const char *name;
    const char *variable, *value;
    const char *want; /* what is said; NULL: it is taken in silence */
};

#define ENV_YAML                                                                                   \
    "edge: {count: 9, list: [z], classes: {user: {rate: 1}}, items: [{label: a, rate: 3}]}\n"

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

static void env_wins_over_the_file(void **state)
{
    struct bound b;

    (void)state;
    setenv("GATEHOUSE_EDGE_COUNT", "12", 1);
    setenv("GATEHOUSE_EDGE_TLS_ON", "false", 1);
    setenv("GATEHOUSE_EDGE_LIST", " a, \"b c\" ,,d", 1);
    setenv("GATEHOUSE_EDGE_CLASSES_USER_RATE", "44", 1);
    setenv("GATEHOUSE_RUN_DIR", "/elsewhere", 1);
    setenv("GATEHOUSE_EDGE_TEXT", "${run_dir}", 1);
    setenv("GATEHOUSE_EDGE_PATH", "rel", 1);
    struct gh_config *config = must_bind(ENV_YAML, &b);
    static struct capture capture;
    capture_begin(&capture);
    assert_int_equal(gh_config_fail(config, "edge", "count", "is not prime"), GH_ERR_CONFIG);
    capture_end(&capture);
    unsetenv("GATEHOUSE_EDGE_COUNT");
    unsetenv("GATEHOUSE_EDGE_TLS_ON");
    unsetenv("GATEHOUSE_EDGE_LIST");
    unsetenv("GATEHOUSE_EDGE_CLASSES_USER_RATE");
    unsetenv("GATEHOUSE_RUN_DIR");
    unsetenv("GATEHOUSE_EDGE_TEXT");
    unsetenv("GATEHOUSE_EDGE_PATH");

    assert_int_equal(b.count, 12);
    assert_false(b.inner.on);
    assert_int_equal(b.list.count, 3);
    assert_string_equal(b.list.items[1], "b c");
    assert_int_equal(((const struct item *)b.map.items)[0].rate, 44);
    assert_string_equal(b.text, "/elsewhere");
    assert_memory_equal(b.path, dir, strlen(dir));
    assert_non_null(
        strstr(capture.text, "environment GATEHOUSE_EDGE_COUNT: edge.count: is not prime\n"));
    gh_config_free(config);
}

static void binds_top_level_lists_and_maps(void **state)
{
    struct {
        struct gh_config_structs routes, apps;
    } top = { 0 };
    const struct gh_config_field top_fields[] = {
        { .key = "routes",
          .kind = GH_CFG_STRUCTS,
          .offset = 0,
          .fields = item_fields,
          .item_size = sizeof(struct item),
          .min = 1,
          .required = true },
        { .key = "apps",
          .kind = GH_CFG_MAP,
          .offset = sizeof(struct gh_config_structs),
          .fields = map_fields,
          .item_size = sizeof(struct item) },
        { 0 },
    };
    struct bound b;
    static struct capture capture;

    (void)state;
    setenv("GATEHOUSE_APPS_CHAT_RATE", "5", 1);
    struct gh_config *config =
        must_bind("routes: [{label: x}, {label: y}]\napps: {chat: {}}\nedge: {}\n", &b);
    assert_int_equal(gh_config_bind(config, NULL, top_fields, &top), GH_OK);
    unsetenv("GATEHOUSE_APPS_CHAT_RATE");
    assert_int_equal(top.routes.count, 2);
    assert_string_equal(((const struct item *)top.routes.items)[1].name, "y");
    assert_string_equal(((const struct item *)top.apps.items)[0].name, "chat");
    assert_int_equal(((const struct item *)top.apps.items)[0].rate, 5);
    gh_config_free(config);

    config = must_bind("edge: {}\n", &b);
    capture_begin(&capture);
    assert_int_equal(gh_config_bind(config, NULL, top_fields, &top), GH_ERR_CONFIG);
    capture_end(&capture);
    assert_non_null(strstr(capture.text, "routes: is missing"));
    gh_config_free(config);
}

static void fails_where_the_value_stands(void **state)
{
    struct bound b;
    static struct capture capture;
    char want[128];
    struct gh_config *config = must_bind("edge:\n"
                                         "  tls:\n"
                                         "    on: true\n"
                                         "  items:\n"
                                         "    - label: a\n"
                                         "    - label: b\n"
                                         "      rate: 5\n"
                                         "routes: []\n",
                                         &b);
    static const struct {
        const char *section, *key;
        unsigned line;
        const char *path;
    } places[] = {
        { "edge", "tls.on", 3, "edge.tls.on" },
        { "edge", "items[1].rate", 7, "edge.items[1].rate" },
        { "edge", "items[1]", 6, "edge.items[1]" },
        { "edge", "tls.key_file", 2, "edge.tls.key_file" }, /* not there: the nearest above */
        { "edge", NULL, 1, "edge" },
        { NULL, "routes", 8, "routes" },
        { NULL, "routes[4].path", 8, "routes[4].path" },
        { "edge", "tls[0", 2, "edge.tls[0" },
        { "edge", "..", 1, "edge..." },
    };

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        capture_begin(&capture);
        assert_int_equal(gh_config_fail(config, places[i].section, places[i].key, "bad %d", 7),
                         GH_ERR_CONFIG);
        capture_end(&capture);
        (void)snprintf(want, sizeof want, "%s:%u: %s: bad 7\n", file, places[i].line,
                       places[i].path);
        if (strstr(capture.text, want) == NULL) fail_msg("said: %s\nnot: %s", capture.text, want);
    }
    gh_config_free(config);
}

static void loads_other_files(void **state)
{
    static const char *const sections[] = { "route", "types", NULL };
    struct {
        const char *route;
    } bound = { 0 };
    const struct gh_config_field other[] = {
        { .key = "route", .kind = GH_CFG_STRING, .required = true },
        { 0 },
    };
    static struct capture capture;
    struct gh_config *config = NULL;

    (void)state;
    const char *good = "route: main\ntypes: {}\n", *bad = "route: main\ntpyes: {}\n";
    write_bytes("gatehouse.yaml", good, strlen(good), 0644);
    setenv("GATEHOUSE_ROUTE", "not this", 1);
    assert_int_equal(gh_config_load_other(file, sections, &config), GH_OK);
    assert_int_equal(gh_config_bind(config, NULL, other, &bound), GH_OK);
    unsetenv("GATEHOUSE_ROUTE");
    assert_string_equal(bound.route, "main");
    gh_config_free(config);

    write_bytes("gatehouse.yaml", bad, strlen(bad), 0644);
    capture_begin(&capture);
    assert_int_equal(gh_config_load_other(file, sections, &config), GH_ERR_CONFIG);
    capture_end(&capture);
    assert_non_null(strstr(capture.text, ":2: tpyes: unknown section; did you mean types"));
}

static void refuses_files_it_cannot_use(void **state)
{
    static const char *const paths[] = { "/nonexistent/g.yaml", "/", "." };
    static struct capture capture;
    struct gh_config *config = NULL;
    struct bound b;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        capture_begin(&capture);
        assert_int_equal(gh_config_load(paths[i], NULL, &config), GH_ERR_CONFIG);
        capture_end(&capture);
        assert_non_null(strstr(capture.text, "config_error"));
    }
    static char large[1024 * 1024 + 2];
    memset(large, '#', sizeof large);
    assert_int_equal(bind_yaml(large, sizeof large, &capture, &b, &config), GH_ERR_CONFIG);
    assert_non_null(strstr(capture.text, "larger than 1 MiB"));
    gh_config_free(config);
    assert_int_equal(bind_yaml(large, sizeof large - 2, &capture, &b, &config), GH_OK);
    gh_config_free(config);
    gh_config_free(NULL);
}

/* The sample the suite ships is what these sections are. */
static void knows_every_section_of_the_sample(void **state)
{
    static struct capture capture;
    struct gh_config *config = NULL;

    (void)state;
    capture_begin(&capture);
    const enum gh_err err = gh_config_load(GH_SOURCE_DIR "/deploy/gatehouse.yaml", "x", &config);
    capture_end(&capture);
    if (err != GH_OK) fail_msg("%s", capture.text);
    gh_config_free(config);
}

static int make_files(void **state)
{
    static char large[64 * 1024 + 1];
    char path[64];

    (void)state;
    strcpy(dir, "/tmp/gatehouse-config-XXXXXX");
    if (mkdtemp(dir) == NULL) return -1;
    (void)snprintf(file, sizeof file, "%s/gatehouse.yaml", dir);
    memset(large, 'x', sizeof large);
    write_bytes("secret", "p\0w\n\xff\n", 6, 0600);
    write_bytes("open", "pw", 2, 0644);
    write_bytes("group", "pw", 2, 0660);
    write_bytes("empty", "", 0, 0400);
    write_bytes("newline", "\n", 1, 0400);
    write_bytes("large", large, sizeof large, 0400);
    (void)snprintf(path, sizeof path, "%s/fifo", dir);
    return mkfifo(path, 0600);
}

static int remove_files(void **state)
{
    static const char *const names[] = { "secret", "open", "group",  "empty",         "newline",
                                         "large",  "fifo", "shared", "gatehouse.yaml" };
    char path[64];

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

int main(void)
{
    enum {
        BAD = sizeof bad_rows / sizeof bad_rows[0],
        ENV = sizeof env_rows / sizeof env_rows[0],
        OTHERS = 10
    };
    struct CMUnitTest tests[OTHERS + BAD + ENV] = {
        cmocka_unit_test(binds_defaults),
        cmocka_unit_test(binds_every_kind),
        cmocka_unit_test(takes_a_secret_from_root_for_a_group),
        cmocka_unit_test(reports_all_errors_at_once),
        cmocka_unit_test(env_wins_over_the_file),
        cmocka_unit_test(binds_top_level_lists_and_maps),
        cmocka_unit_test(fails_where_the_value_stands),
        cmocka_unit_test(loads_other_files),
        cmocka_unit_test(refuses_files_it_cannot_use),
        cmocka_unit_test(knows_every_section_of_the_sample),
    };

    for (size_t i = 0; i < BAD; i++)
        tests[OTHERS + i] =
            (struct CMUnitTest){ bad_rows[i].name, bad_row, NULL, NULL, (void *)&bad_rows[i] };
    for (size_t i = 0; i < ENV; i++)
        tests[OTHERS + BAD + i] =
            (struct CMUnitTest){ env_rows[i].name, env_row, NULL, NULL, (void *)&env_rows[i] };
    return cmocka_run_group_tests_name("config", tests, make_files, remove_files);
}
