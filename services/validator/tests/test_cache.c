/* Compiled signatures: taken from the cache or the sealed bundle when they are good, compiled anew
 * when anything about them is not; the verdicts are the same either way. */
#include "policy/cache.h"
#include "policy/check.h"
#include "support.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define RULE(id, pattern, match)                                                                   \
    "  - { id: " id ", description: d, pattern: '" pattern "', score: 5, examples: { match: "      \
    "[" match "], no_match: [x] } }\n"
#define ONE RULE("one", "abc+d", "abcd")
#define TWO RULE("two", "efg\\d{2,4}h", "efg123h")
#define SIX RULE("six", "klmn[op]q", "klmnoq")

struct folder {
    char dir[32];
    char cache[64];
};

static void put(const struct folder *f, const char *name, const char *text)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", f->dir, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void set_rules(const struct folder *f, const char *rules)
{
    char text[2048];

    (void)snprintf(text, sizeof text, "family: f\nrules:\n%s", rules);
    put(f, "signatures/r.yaml", text);
}

static int folder_new(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    char path[128];

    assert_non_null(f);
    strcpy(f->dir, "/tmp/gh-cache-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(path, sizeof path, "%s/signatures", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(f->cache, sizeof f->cache, "%s/compiled", f->dir);
    put(f, "main.yaml", "route: main\ntypes:\n  chat: { send: [user] }\n");
    set_rules(f, ONE TWO);
    *state = f;
    return 0;
}

static int folder_free(void **state)
{
    static const char *const names[] = { "signatures/r.yaml", "signatures", "main.yaml",
                                         "compiled",          "link",       "" };
    struct folder *f = *state;
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        (void)remove(path);
    }
    free(f);
    return 0;
}

static uint32_t score(const struct policy *policy, const char *text)
{
    const struct signatures *s = policy_signatures(policy);
    struct signatures_scratch *scratch = NULL;
    uint32_t got;

    assert_int_equal(signatures_scratch_new(s, 0, &scratch), GH_OK);
    signatures_begin(scratch);
    signatures_scan(s, scratch, SIGNATURES_TEXT, text, strlen(text), 0);
    got = signatures_result(scratch)->score;
    signatures_scratch_free(scratch);
    return got;
}

/* How many rules had to be compiled; their verdicts are looked at. */
static uint32_t load(const struct folder *f, const char *cache, const struct bundle *before,
                     struct bundle **ret_bundle)
{
    const struct policy_compiled from = { .cache = cache, .before = before };
    struct policy *policy = NULL;
    struct report report;
    uint32_t compiled;

    report_init(&report);
    assert_int_equal(policy_check(f->dir, &from, &report, ret_bundle, &policy), GH_OK);
    report_done(&report);
    compiled = signatures_compiled(policy_signatures(policy));
    assert_int_equal(score(policy, "--abccccd-- EFG1234H --"), 10);
    assert_int_equal(score(policy, "abd efg1h"), 0);
    policy_free(policy);
    return compiled;
}

static void second_start_compiles_nothing(void **state)
{
    const struct folder *f = *state;
    struct stat st;

    assert_int_equal(load(f, NULL, NULL, NULL), 2);
    assert_int_equal(load(f, f->cache, NULL, NULL), 2);
    assert_int_equal(stat(f->cache, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(load(f, f->cache, NULL, NULL), 0);
}

static void only_what_changed_is_compiled(void **state)
{
    const struct folder *f = *state;

    assert_int_equal(load(f, f->cache, NULL, NULL), 2);
    set_rules(f, ONE TWO SIX);
    assert_int_equal(load(f, f->cache, NULL, NULL), 1);
    set_rules(f, SIX TWO ONE);
    assert_int_equal(load(f, f->cache, NULL, NULL), 0);
    /* The same expression, but capitals matter now: another database. */
    set_rules(f, TWO "  - { id: one, description: d, pattern: 'abc+d', case: sensitive, score: 5, "
                     "examples: { match: [abcd], no_match: [x] } }\n");
    assert_int_equal(load(f, f->cache, NULL, NULL), 1);
    set_rules(f, ONE TWO); /* what another policy put there is still there */
    assert_int_equal(load(f, f->cache, NULL, NULL), 0);
}

static void a_bundle_carries_them(void **state)
{
    const struct folder *f = *state;
    struct bundle *first = NULL, *sealed = NULL, *second = NULL;
    struct policy *policy = NULL;
    struct report report;
    int fd = -1;

    assert_int_equal(load(f, NULL, NULL, &first), 2);
    assert_int_equal(bundle_seal(first, &fd), GH_OK);
    assert_int_equal(bundle_unseal(fd, &sealed), GH_OK);
    close(fd);
    assert_int_equal(sealed->digest, first->digest);
    assert_int_equal(sealed->compiled_len, first->compiled_len);
    report_init(&report);
    assert_int_equal(policy_load(sealed, &report, &policy), GH_OK);
    report_done(&report);
    assert_int_equal(signatures_compiled(policy_signatures(policy)), 0);
    assert_int_equal(score(policy, "abcd"), 5);
    policy_free(policy);
    set_rules(f, ONE TWO SIX);
    assert_int_equal(load(f, NULL, sealed, &second), 1);
    bundle_free(first);
    bundle_free(sealed);
    bundle_free(second);
}

/* Every byte of the file in turn, wrong by one bit, and every length. */
static void damage_costs_time_only(void **state)
{
    const struct folder *f = *state;
    struct gh_buf good;
    unsigned long again = 0;

    assert_int_equal(load(f, f->cache, NULL, NULL), 2);
    gh_buf_init(&good, 0);
    assert_true(cache_read(f->cache, &good));
    for (size_t i = 0; i < good.len; i += good.len / 61) {
        int fd = open(f->cache, O_WRONLY | O_CLOEXEC);

        assert_true(fd >= 0);
        good.data[i] ^= 0x10;
        assert_int_equal(pwrite(fd, good.data, good.len, 0), good.len);
        good.data[i] ^= 0x10;
        close(fd);
        again += load(f, f->cache, NULL, NULL);
        assert_int_equal(truncate(f->cache, (off_t)i), 0);
        again += load(f, f->cache, NULL, NULL);
    }
    assert_true(again > 61);
    gh_buf_done(&good);
}

static void reads_only_its_owners_file(void **state)
{
    const struct folder *f = *state;
    struct gh_buf bytes;
    char link[64];

    assert_int_equal(load(f, f->cache, NULL, NULL), 2);
    gh_buf_init(&bytes, 0);
    assert_true(cache_read(f->cache, &bytes));
    gh_buf_reset(&bytes);
    assert_int_equal(chmod(f->cache, 0620), 0);
    assert_false(cache_read(f->cache, &bytes));
    assert_int_equal(chmod(f->cache, 0602), 0);
    assert_false(cache_read(f->cache, &bytes));
    assert_int_equal(chmod(f->cache, 0600), 0);
    (void)snprintf(link, sizeof link, "%s/link", f->dir);
    assert_int_equal(symlink(f->cache, link), 0);
    assert_false(cache_read(link, &bytes));
    assert_false(cache_read(f->dir, &bytes));
    if (geteuid() == 0) {
        assert_int_equal(chown(f->cache, 12345, (gid_t)-1), 0);
        assert_false(cache_read(f->cache, &bytes));
    }
    assert_int_equal(bytes.len, 0);
    gh_buf_done(&bytes);
    /* A place that cannot be written only warns. */
    assert_int_equal(load(f, "/proc/gatehouse/none", NULL, NULL), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_new, folder_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(second_start_compiles_nothing), TEST(only_what_changed_is_compiled),
        TEST(a_bundle_carries_them),         TEST(damage_costs_time_only),
        TEST(reads_only_its_owners_file),
    };

    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
