/* What a configuration may say, and where it ends up. */
#include "config_fixture.h"

static struct gh_config *must_bind(const char *yaml, struct bound *bound)
{
    static struct capture capture;
    struct gh_config *config = NULL;
    const enum gh_err err = bind_yaml(yaml, strlen(yaml), &capture, bound, &config);

    if (err != GH_OK) fail_msg("refused: %s", capture.text);
    assert_string_equal(capture.text, "");
    return config;
}

static const char *nth(const struct gh_config_list *list, size_t i)
{
    return list->items != NULL && i < list->count ? list->items[i] : "(none)";
}

static const struct item *item_at(const struct gh_config_structs *structs, size_t i)
{
    if (structs->items == NULL || i >= structs->count) abort();
    return (const struct item *)structs->items + i;
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
    assert_string_equal(nth(&b.list, 1), "b, c");
    assert_string_equal(nth(&b.list, 2), "");
    assert_false(b.inner.on);
    assert_string_equal(b.inner.path, "/abs");

    assert_int_equal(b.items.count, 2);
    assert_string_equal(item_at(&b.items, 0)->name, "one");
    assert_int_equal(item_at(&b.items, 0)->rate, 7);
    assert_int_equal(item_at(&b.items, 0)->tags.count, 0);
    assert_string_equal(item_at(&b.items, 1)->name, "two");
    assert_int_equal(item_at(&b.items, 1)->rate, 9);
    assert_int_equal(item_at(&b.items, 1)->tags.count, 2);
    assert_string_equal(nth(&item_at(&b.items, 1)->tags, 1), "y");

    assert_int_equal(b.map.count, 2);
    assert_string_equal(item_at(&b.map, 0)->name, "user");
    assert_int_equal(item_at(&b.map, 0)->rate, 1);
    assert_string_equal(item_at(&b.map, 1)->name, "odd name");
    assert_int_equal(item_at(&b.map, 1)->rate, 7);
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
    assert_string_equal(nth(&b.list, 1), "b c");
    assert_int_equal(item_at(&b.map, 0)->rate, 44);
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
    assert_string_equal(item_at(&top.routes, 1)->name, "y");
    assert_string_equal(item_at(&top.apps, 0)->name, "chat");
    assert_int_equal(item_at(&top.apps, 0)->rate, 5);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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

    return cmocka_run_group_tests_name("config", tests, make_files, remove_files);
}
