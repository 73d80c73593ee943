/* Policies: what loads, and what every mistake is answered with: file, line, pointer. */
#include "policy/yaml.h"
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOOD       "route: main\ntypes:\n  chat: { send: [user] }\n"
#define TYPE(rest) "route: main\ntypes:\n  chat:\n    send: [user]\n" rest

struct row {
    const char *name;
    const char *yaml;
    const char *expected; /* part of the report; NULL: it loads */
};

static const struct row rows[] = {
    { "the least", GOOD, NULL },
    { "everything",
      "route: r-1\nmax_bytes: 1MiB\nunsafe_keys: remove\nformats: annotate\n"
      "limits: { depth: 8, values: 100, members: 10, items: 10, string: 1KiB, key: 64, number: 32,"
      " schema_steps: 1000, signature_work: 1MiB }\n"
      "rich: { tags: [b, img], attributes: [src], schemes: [https], relative_urls: true,"
      " max_bytes: 8KiB, max_tags: 10 }\n"
      "binary: { type: file, kinds: [png, zip], send: [user], receive: ['*'], rate: up,"
      " max_bytes: 1MiB }\n"
      "types:\n  a:\n    send: user\n    receive: ['*', x]\n    rate: r\n    csrf: required\n"
      "    max_bytes: 2KiB\n    replay: { window: 30s }\n"
      "    sanitize: { default: plain, /payload/a/*/b~1c: rich, /payload/0: filename }\n"
      "    outbound: { redact: [cards, jwt, private_keys, cloud_keys, /payload/secret] }\n",
      NULL },
    { "quoted and block style", "'route': \"main\"\ntypes:\n  \"chat\":\n    send:\n      - user\n",
      NULL },
    { "comments", "# hello\n" GOOD "# bye\n", NULL },

    { "no route", "types:\n  chat: { send: [user] }\n", "test.yaml:1: route is missing" },
    { "no types", "route: main\n", "test.yaml:1: types is missing" },
    { "empty file", "", "test.yaml:1: route is missing" },
    { "a list", "- a\n", "test.yaml:1: a mapping was expected" },
    { "empty types", "route: main\ntypes: {}\n",
      "test.yaml:2: /types: a mapping of message types was expected" },
    { "types is a list", "route: main\ntypes: [a]\n",
      "test.yaml:2: /types: a mapping of message types" },
    { "unknown key at the top", GOOD "typos: 1\n",
      "test.yaml:4: /typos: unknown key; known: route," },
    { "unknown key in a type", TYPE("    sned: [x]\n"),
      "test.yaml:5: /types/chat/sned: unknown key; known: send, receive" },
    { "key twice", GOOD "route: other\n",
      "test.yaml:4: \"route\" is there twice, first in line 1" },
    { "bad type name", "route: main\ntypes:\n  'a b': {}\n",
      "test.yaml:3: /types/a b: a type is 1 to 64" },
    { "bad role", TYPE("    receive: ['a,b']\n"), "test.yaml:5: /types/chat/receive/0: a role is" },
    { "roles is a mapping", TYPE("    receive: { a: b }\n"),
      "test.yaml:5: /types/chat/receive: a list of roles" },
    { "csrf", TYPE("    csrf: no\n"), "\"no\" is not one of: required, exempt" },
    { "size",
      "route: main\nmax_bytes: 64 kilo\n"
      "types: { a: {} }\n",
      "test.yaml:2: /max_bytes: \"64 kilo\" is not a size" },
    { "size too large", "route: main\nmax_bytes: 2MiB\ntypes: { a: {} }\n", "from 2 to 1048576" },
    { "negative", "route: main\nmax_bytes: -1\ntypes: { a: {} }\n", "is not a size" },
    { "overflow", "route: main\nmax_bytes: 99999999999999999999GiB\ntypes: { a: {} }\n",
      "is not a size" },
    { "depth 0", "route: main\nlimits: { depth: 0 }\ntypes: { a: {} }\n",
      "test.yaml:2: /limits/depth: \"0\" is not a whole number from 2 to 256" },
    { "sanitize mode", TYPE("    sanitize: escpae\n"), "not one of: escape, reject, strip, rich" },
    { "sanitize pointer", TYPE("    sanitize: { text: rich }\n"),
      "/types/chat/sanitize/text: not a JSON pointer into the payload" },
    { "sanitize pointer with a bad escape", TYPE("    sanitize: { /payload/a~2: rich }\n"),
      "not a JSON pointer" },
    { "pointers in messages are escaped", TYPE("    sanitize: { /payload/x: no }\n"),
      "/types/chat/sanitize/~1payload~1x: \"no\" is not one of" },
    { "redact", TYPE("    outbound: { redact: [creditcards] }\n"),
      "test.yaml:5: /types/chat/outbound/redact/0: \"creditcards\" is not one of: cards, jwt" },
    { "rich: script", "route: main\nrich: { tags: [script] }\ntypes: { a: {} }\n",
      "test.yaml:2: /rich/tags/0: <script> is not an element that can be allowed" },
    { "rich: onclick", "route: main\nrich: { attributes: [onclick] }\ntypes: { a: {} }\n",
      "\"onclick\" is not an attribute that can be allowed" },
    { "rich: javascript", "route: main\nrich: { schemes: [javascript] }\ntypes: { a: {} }\n",
      "the scheme javascript can never be allowed" },
    { "binary without kinds", "route: main\nbinary: { max_bytes: 1KiB }\ntypes: { a: {} }\n",
      "test.yaml:2: /binary: kinds is missing" },
    { "binary kind", "route: main\nbinary: { kinds: [exe], max_bytes: 1 }\ntypes: { a: {} }\n",
      "\"exe\" is not one of: png, jpeg" },
    { "replay without window", TYPE("    replay: {}\n"), "/types/chat/replay: window is missing" },
    { "replay window", TYPE("    replay: { window: 2h }\n"), "\"2h\" is not a duration" },
    { "schema that is not there", TYPE("    schema: a.json\n"),
      "test.yaml:5: /types/chat/schema: \"a.json\" is no *.json file in the policy folder" },
    { "schema outside", TYPE("    schema: ../a.json\n"), "is no *.json file in the policy folder" },
    { "anchors", "route: &a main\ntypes: { a: {} }\n", "test.yaml:1: anchors (&name)" },
    { "aliases", "route: main\ntypes: { a: *x }\n", "aliases (*name) are not supported" },
    { "tags", "route: !!str main\ntypes: { a: {} }\n", "tags (!name) are not supported" },
    { "two documents", GOOD "---\n" GOOD, "more than one document" },
    { "not YAML", "route: [\n", "not valid YAML" },
    { "too deep", "route: main\nx: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n",
      "nested too deep" },
    { "two mistakes, both named", "rout: main\ntypes:\n  chat: { csrf: maybe }\n",
      "test.yaml:3: /types/chat/csrf: \"maybe\"" },
};

static void policy_row(void **state)
{
    const struct row *row = *state;
    char problems[4096];

    if (row->expected == NULL) {
        policy_free(support_policy(row->yaml, NULL, NULL));
        return;
    }
    support_problems(row->yaml, problems, sizeof problems);
    if (strstr(problems, row->expected) == NULL)
        print_error("got:  %swant: %s\n", problems, row->expected);
    assert_non_null(strstr(problems, row->expected));
}

static void schema_mistakes_name_the_schema(void **state)
{
    struct policy *policy = NULL;
    struct bundle *bundle = NULL;
    struct report report;
    static const char yaml[] = TYPE("    schema: s/a.json\n");
    static const char json[] = "{\"type\":\n\"strnig\"}";

    (void)state;
    report_init(&report);
    assert_int_equal(bundle_new(&bundle), GH_OK);
    assert_int_equal(bundle_add(bundle, "test.yaml", yaml, strlen(yaml)), GH_OK);
    assert_int_equal(bundle_add(bundle, "s/a.json", json, strlen(json)), GH_OK);
    assert_int_equal(policy_load(bundle, &report, &policy), GH_ERR_CONFIG);
    assert_null(policy);
    assert_int_equal(report.n_lines, 2);
    assert_non_null(strstr(report.lines[0], "s/a.json"));
    assert_non_null(strstr(report.lines[0], "/type"));
    assert_non_null(strstr(report.lines[1], "test.yaml:5: /types/chat/schema"));
    report_done(&report);
    bundle_free(bundle);
}

static void one_route_one_file(void **state)
{
    struct policy *policy = NULL;
    struct bundle *bundle = NULL;
    struct report report;

    (void)state;
    report_init(&report);
    assert_int_equal(bundle_new(&bundle), GH_OK);
    assert_int_equal(bundle_add(bundle, "a.yaml", GOOD, strlen(GOOD)), GH_OK);
    assert_int_equal(bundle_add(bundle, "b.yaml", GOOD, strlen(GOOD)), GH_OK);
    assert_int_equal(bundle_add(bundle, "sub/c.yaml", "x", 1), GH_OK); /* not a policy */
    assert_int_equal(policy_load(bundle, &report, &policy), GH_ERR_CONFIG);
    assert_int_equal(report.n_lines, 1);
    assert_non_null(strstr(report.lines[0], "b.yaml:1: /route: another file has the policy"));
    report_done(&report);
    bundle_free(bundle);
}

static void roles_are_bits(void **state)
{
    struct policy *p =
        support_policy("route: main\ntypes:\n  a: { send: [x, yy, x] }\n", NULL, NULL);

    (void)state;
    assert_int_equal(policy_roles(p, "", 0), 1);
    assert_int_equal(policy_roles(p, "x", 1), 3);
    assert_int_equal(policy_roles(p, "yy,x", 4), 7);
    assert_int_equal(policy_roles(p, "y", 1), 1);
    assert_int_equal(policy_roles(p, "yyy", 3), 1);
    assert_int_equal(policy_roles(p, ",,x,", 4), 3);
    assert_int_equal(policy_roles(p, "*", 1), 1);
    assert_int_equal(policy_roles(p, "X", 1), 1);
    assert_int_equal(policy_find_type(policy_route_at(p, 0), "a", 1)->send, 6);
    policy_free(p);
}

static void more_roles_than_bits(void **state)
{
    char yaml[4096] = "route: main\ntypes:\n  a:\n    send:\n", problems[4096];
    size_t len = strlen(yaml);

    (void)state;
    for (int i = 0; i < POLICY_ROLES_MAX; i++)
        len += (size_t)snprintf(yaml + len, sizeof yaml - len, "      - role%d\n", i);
    policy_free(support_policy(yaml, NULL, NULL));
    (void)snprintf(yaml + len, sizeof yaml - len, "      - onemore\n");
    support_problems(yaml, problems, sizeof problems);
    assert_non_null(strstr(problems, "more than 63 different roles"));
}

/* A sealed bundle comes out as it went in, and cannot be changed on the way. */
static void sealed_bundle(void **state)
{
    struct bundle *in = NULL, *out = NULL;
    int fd = -1;

    (void)state;
    assert_int_equal(bundle_new(&in), GH_OK);
    assert_int_equal(bundle_add(in, "b.yaml", "B\0B", 3), GH_OK);
    assert_int_equal(bundle_add(in, "a.json", "", 0), GH_OK);
    assert_int_equal(bundle_add(in, "a.json", "", 0), GH_ERR_EXISTS);
    assert_int_equal(bundle_seal(in, &fd), GH_OK);
    assert_true(write(fd, "x", 1) < 0);
    assert_true(ftruncate(fd, 1) < 0);
    assert_int_equal(bundle_unseal(fd, &out), GH_OK);
    assert_int_equal(out->n_files, 2);
    assert_string_equal(out->files[0].name, "a.json");
    assert_string_equal(out->files[1].name, "b.yaml");
    assert_int_equal(out->files[1].len, 3);
    assert_memory_equal(out->files[1].data, "B\0B", 4);
    assert_int_equal(out->digest, in->digest);
    assert_int_equal(bundle_add(out, "c.yaml", "", 0), GH_OK);
    assert_int_not_equal(out->digest, in->digest);
    close(fd);
    bundle_free(in);
    bundle_free(out);
    out = NULL;
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_not_equal(bundle_unseal(fd, &out), GH_OK);
    assert_null(out);
    close(fd);
}

static void folder_is_read_with_care(void **state)
{
    char dir[] = "/tmp/gh-policy-XXXXXX", path[128], sub[64];
    struct bundle *bundle = NULL;
    struct report report;
    FILE *file;

    (void)state;
    report_init(&report);
    assert_non_null(mkdtemp(dir));
    assert_int_equal(bundle_new(&bundle), GH_OK);
    (void)snprintf(sub, sizeof sub, "%s/s", dir);
    assert_int_equal(mkdir(sub, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/a.json", sub);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    (void)snprintf(path, sizeof path, "%s/.hidden.yaml", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(bundle_add_dir(bundle, dir, "", &report), GH_OK);
    assert_int_equal(bundle->n_files, 1);
    assert_string_equal(bundle->files[0].name, "s/a.json");
    (void)unlink(path);
    /* A FIFO must not make it wait. */
    (void)snprintf(path, sizeof path, "%s/x.yaml", dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    bundle_free(bundle);
    bundle = NULL;
    assert_int_equal(bundle_new(&bundle), GH_OK);
    assert_int_equal(bundle_add_dir(bundle, dir, "", &report), GH_ERR_CONFIG);
    assert_non_null(strstr(report.lines[0], "x.yaml: not a regular file"));
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/a.json", sub);
    (void)unlink(path);
    (void)rmdir(sub);
    (void)rmdir(dir);
    assert_int_equal(bundle_add_dir(bundle, dir, "", &report), GH_ERR_CONFIG);
    report_done(&report);
    bundle_free(bundle);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 6];
    size_t n = 0;

    for (; n < COUNT(rows); n++)
        tests[n] = (struct CMUnitTest){ rows[n].name, policy_row, NULL, NULL,
                                        (void *)(uintptr_t)&rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(schema_mistakes_name_the_schema);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(one_route_one_file);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(roles_are_bits);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(more_roles_than_bits);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(sealed_bundle);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(folder_is_read_with_care);
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
