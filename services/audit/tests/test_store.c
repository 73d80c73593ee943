/* The store on real files, with a loop of its own. */
#include "recover.h"
#include "segment.h"
#include "store.h"
#include "tail.h"

#include "common/bus.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char pem[256]; /* one key for all tests */
static size_t pem_len;

struct fixture {
    char root[64], dir[80], anchor[80];
    uv_loop_t loop;
    struct store *store;
    unsigned good, bad;
    enum gh_err last_err;
    uint64_t told; /* lines given to on_durable */
    bool fatal;
};

static int make_key(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    FILE *out = fmemopen(pem, sizeof(pem), "w");

    int ok = PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    pem_len = (size_t)ftell(out);
    fclose(out);
    EVP_PKEY_free(key);
    return ok == 1 ? 0 : -1;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->root, sizeof(f->root), "/tmp/gh-store-XXXXXX");
    if (mkdtemp(f->root) == NULL) return -1;
    snprintf(f->dir, sizeof(f->dir), "%s/log", f->root);
    snprintf(f->anchor, sizeof(f->anchor), "%s/anchor", f->root);
    uv_loop_init(&f->loop);
    *state = f;
    return 0;
}

static void shut(struct fixture *f)
{
    store_free(f->store);
    f->store = NULL;
    while (uv_run(&f->loop, UV_RUN_NOWAIT) != 0)
        ;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[128];

    shut(f);
    uv_loop_close(&f->loop);
    snprintf(command, sizeof(command), "rm -rf %s", f->root);
    if (system(command) != 0) return -1;
    free(f);
    return 0;
}

static void on_line(void *ctx, uint64_t seq, const char *line, size_t len)
{
    struct fixture *f = ctx;
    char start[32];

    f->told++;
    int n = snprintf(start, sizeof(start), "{\"seq\":%llu,", (unsigned long long)seq);
    assert_true(len > (size_t)n);
    assert_memory_equal(line, start, (size_t)n);
}

static void on_fatal(void *ctx)
{
    ((struct fixture *)ctx)->fatal = true;
}

static enum gh_err start(struct fixture *f, uint64_t rotate_bytes)
{
    const struct store_config config = { .dir = f->dir,
                                         .anchor_file = f->anchor,
                                         .key_pem = pem,
                                         .key_len = pem_len,
                                         .rotate_bytes = rotate_bytes,
                                         .on_durable = on_line,
                                         .on_fatal = on_fatal,
                                         .ctx = f };

    f->told = 0;
    enum gh_err err = store_new(&f->loop, &config, &f->store);
    if (err != GH_OK) {
        f->store = NULL;
        while (uv_run(&f->loop, UV_RUN_NOWAIT) != 0)
            ;
    }
    return err;
}

static void on_done(void *ctx, enum gh_err err)
{
    struct fixture *f = ctx;

    f->last_err = err;
    *(err == GH_OK ? &f->good : &f->bad) += 1;
}

static void drain(struct fixture *f)
{
    while (!store_idle(f->store) && !f->fatal)
        uv_run(&f->loop, UV_RUN_ONCE);
}

static void append(struct fixture *f, const char *sender, uint64_t number)
{
    Gh__AuditEvent event = GH__AUDIT_EVENT__INIT;
    const struct line_source source = { .sender = sender, .spool = "s", .via = "edge" };

    event.number = number;
    event.kind = gh_bytes_str("test.event");
    struct ledger_mark *mark = ledger_mark(store_ledger(f->store), sender, "s");
    assert_non_null(mark);
    assert_int_equal(store_append(f->store, &source, &event, mark), GH_OK);
}

static void write_some(struct fixture *f, const char *sender, uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n <= last; n++) {
        append(f, sender, n);
        if (n % 10 == 0) drain(f);
    }
    assert_int_equal(store_wait(f->store, on_done, f), GH_OK);
    drain(f);
}

static uint64_t durable_of(struct fixture *f, const char *sender)
{
    const struct ledger_mark *mark = ledger_find(store_ledger(f->store), sender, "s");

    return mark == NULL ? 0 : mark->durable;
}

static size_t segments_of(const struct fixture *f, uint64_t *ret_last)
{
    struct segment_list list = { 0 };
    int fd = open(f->dir, O_RDONLY | O_DIRECTORY);

    assert_int_equal(segment_list(fd, &list), GH_OK);
    size_t count = list.count;
    if (ret_last != NULL && count > 0) *ret_last = list.first[count - 1];
    segment_list_done(&list);
    close(fd);
    return count;
}

static void segment_path(const struct fixture *f, uint64_t first, char dst[160])
{
    char name[SEGMENT_NAME_BYTES];

    segment_name(first, name);
    snprintf(dst, 160, "%s/%s", f->dir, name);
}

static void add_bytes(const struct fixture *f, uint64_t first, const char *bytes, size_t len)
{
    char path[160];

    segment_path(f, first, path);
    int fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static void goes_on_where_it_stopped(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, 1u << 20), GH_OK);
    write_some(f, "edge-1", 1, 25);
    assert_int_equal(f->good, 1);
    assert_int_equal(store_durable_seq(f->store), 26); /* audit.created is the first */
    assert_int_equal(f->told, 26);
    shut(f);

    assert_int_equal(start(f, 1u << 20), GH_OK);
    assert_int_equal(durable_of(f, "edge-1"), 25);
    assert_int_equal(f->told, 26);
    write_some(f, "edge-1", 26, 30);
    assert_int_equal(store_durable_seq(f->store), 26 + 1 + 5); /* and audit.opened */
    assert_int_equal(segments_of(f, NULL), 1);
}

static void rotates_and_remembers_without_reading_all(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, 4096), GH_OK);
    write_some(f, "edge-1", 1, 200);
    write_some(f, "edge-2", 1, 200);
    size_t segments = segments_of(f, NULL);
    assert_true(segments > 10);
    shut(f);
    assert_int_equal(start(f, 4096), GH_OK);
    assert_true(f->told < 100); /* the state file spared the rest */
    assert_int_equal(durable_of(f, "edge-1"), 200);
    assert_int_equal(durable_of(f, "edge-2"), 200);
    shut(f);

    char path[160];
    snprintf(path, sizeof(path), "%s/%s", f->dir, STATE_FILE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(start(f, 4096), GH_OK); /* it can be rebuilt */
    assert_true(f->told > 400);
    assert_int_equal(durable_of(f, "edge-1"), 200);
}

static void a_forged_state_file_is_not_believed(void **state)
{
    struct fixture *f = *state;
    char path[160];

    assert_int_equal(start(f, 1u << 20), GH_OK);
    write_some(f, "edge-1", 1, 5);
    assert_int_equal(store_save_state(f->store), GH_OK);
    shut(f);
    snprintf(path, sizeof(path), "%s/%s", f->dir, STATE_FILE);
    FILE *file = fopen(path, "r+");
    char text[2048];
    size_t len = fread(text, 1, sizeof(text) - 1, file);
    text[len] = '\0';
    char *mark = strstr(text, "mark edge-1 s 5");
    assert_non_null(mark);
    mark[14] = '9'; /* events 6 to 9 would be taken for known, and lost */
    rewind(file);
    fwrite(text, 1, len, file);
    fclose(file);
    assert_int_equal(start(f, 1u << 20), GH_OK);
    assert_int_equal(durable_of(f, "edge-1"), 5);
}

static void a_torn_tail_is_cut_back(void **state)
{
    struct fixture *f = *state;
    static const char torn[] = "{\"seq\":8,\"prev\":\"00";

    assert_int_equal(start(f, 1u << 20), GH_OK);
    write_some(f, "edge-1", 1, 6);
    shut(f);
    add_bytes(f, 1, torn, sizeof(torn) - 1);
    assert_int_equal(start(f, 1u << 20), GH_OK);
    assert_int_equal(durable_of(f, "edge-1"), 6);
    write_some(f, "edge-1", 7, 9);
    shut(f);
    assert_int_equal(start(f, 1u << 20), GH_OK); /* and the chain goes on over the place */
    assert_int_equal(durable_of(f, "edge-1"), 9);
}

static void unacknowledged_whole_records_count(void **state)
{
    struct fixture *f = *state;
    struct stat before;
    char path[160], kept[ANCHOR_MAX];

    assert_int_equal(start(f, 1u << 20), GH_OK);
    write_some(f, "edge-1", 1, 6);
    FILE *anchor = fopen(f->anchor, "r");
    size_t len = fread(kept, 1, sizeof(kept), anchor);
    fclose(anchor);
    write_some(f, "edge-1", 7, 8);
    shut(f);
    anchor = fopen(f->anchor, "w"); /* killed after the log's fdatasync, before the anchor */
    fwrite(kept, 1, len, anchor);
    fclose(anchor);
    segment_path(f, 1, path);
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(start(f, 1u << 20), GH_OK);
    assert_int_equal(durable_of(f, "edge-1"), 8);
}

/* What no crash leaves behind is refused, and nothing is changed by that. */
static void expect_refused(struct fixture *f)
{
    assert_int_equal(start(f, 4096), GH_ERR_CRYPTO);
    assert_int_equal(start(f, 4096), GH_ERR_CRYPTO);
}

static void a_cut_log_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160];
    struct stat st;

    assert_int_equal(start(f, 1u << 20), GH_OK);
    write_some(f, "edge-1", 1, 6);
    shut(f);
    segment_path(f, 1, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    expect_refused(f);
}

static void a_changed_log_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160];

    assert_int_equal(start(f, 1u << 20), GH_OK);
    write_some(f, "edge-1", 1, 6);
    shut(f);
    segment_path(f, 1, path);
    int fd = open(path, O_RDWR);
    char c = 0;
    assert_int_equal(pread(fd, &c, 1, 300), 1);
    c ^= 1;
    assert_int_equal(pwrite(fd, &c, 1, 300), 1);
    close(fd);
    expect_refused(f);
}

static void a_missing_segment_is_refused(void **state)
{
    struct fixture *f = *state;
    char path[160];
    uint64_t last = 0;

    assert_int_equal(start(f, 4096), GH_OK);
    write_some(f, "edge-1", 1, 100);
    shut(f);
    assert_true(segments_of(f, &last) > 2);
    segment_path(f, last, path);
    assert_int_equal(unlink(path), 0);
    expect_refused(f);
}

static void a_missing_anchor_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(start(f, 4096), GH_OK);
    write_some(f, "edge-1", 1, 3);
    shut(f);
    assert_int_equal(unlink(f->anchor), 0);
    expect_refused(f);
}

static void two_writers_are_refused(void **state)
{
    struct fixture *f = *state;
    struct fixture other = *f;

    assert_int_equal(start(f, 4096), GH_OK);
    uv_loop_init(&other.loop);
    assert_int_equal(start(&other, 4096), GH_ERR_EXISTS);
    uv_loop_close(&other.loop);
}

static void a_full_disk_takes_back_and_recovers(void **state)
{
    struct fixture *f = *state;
    struct rlimit old, tight;
    struct stat st;
    char path[160];

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(start(f, 1u << 20), GH_OK);
    write_some(f, "edge-1", 1, 5);
    segment_path(f, 1, path);
    assert_int_equal(stat(path, &st), 0);
    getrlimit(RLIMIT_FSIZE, &old);
    tight = (struct rlimit){ .rlim_cur = (rlim_t)st.st_size + 400, .rlim_max = old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &tight);
    for (uint64_t n = 6; n <= 12; n++)
        append(f, "edge-1", n);
    assert_int_equal(store_wait(f->store, on_done, f), GH_OK);
    uv_run(&f->loop, UV_RUN_NOWAIT); /* handed over: what follows joins the next group */
    append(f, "edge-1", 13);
    assert_int_equal(store_wait(f->store, on_done, f), GH_OK);
    drain(f);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(f->bad, 2);
    assert_int_equal(f->last_err, GH_ERR_IO);
    assert_false(store_healthy(f->store));
    assert_false(f->fatal);
    assert_int_equal(ledger_find(store_ledger(f->store), "edge-1", "s")->taken, 5);

    write_some(f, "edge-1", 6, 13); /* sent again */
    assert_true(store_healthy(f->store));
    assert_int_equal(durable_of(f, "edge-1"), 13);
    shut(f);
    assert_int_equal(start(f, 1u << 20), GH_OK);
    assert_int_equal(durable_of(f, "edge-1"), 13);
    assert_int_equal(store_durable_seq(f->store), 1 + 13);
}

static void a_key_of_another_kind_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct store_config config = {
        .dir = f->dir, .anchor_file = f->anchor, .key_pem = "secret", .key_len = 6
    };
    struct store *store = NULL;

    assert_int_equal(store_new(&f->loop, &config, &store), GH_ERR_CRYPTO);
    assert_null(store);
}

/* ---- tail ---- */

struct asked {
    uint64_t first, last, next;
    size_t count;
    unsigned calls;
};

static void on_lines(void *ctx, enum gh_err err, const struct tail_line *lines, size_t count,
                     uint64_t last_seq)
{
    struct asked *asked = ctx;

    assert_int_equal(err, GH_OK);
    asked->calls++;
    for (size_t i = 0; i < count; i++) {
        uint64_t seq = strtoull(lines[i].text + strlen("{\"seq\":"), NULL, 10);
        if (asked->count == 0) asked->first = seq;
        if (asked->count > 0) assert_int_equal(seq, asked->last + 1);
        asked->last = seq;
        asked->count++;
    }
    asked->next = last_seq;
}

static struct asked ask(struct fixture *f, struct tail *tail, uint64_t after, uint32_t limit)
{
    struct asked asked = { 0 };

    assert_int_equal(tail_ask(tail, after, limit, on_lines, &asked), GH_OK);
    while (asked.calls == 0)
        uv_run(&f->loop, UV_RUN_ONCE);
    return asked;
}

static void tail_gives_memory_and_files(void **state)
{
    struct fixture *f = *state;
    struct tail *tail = NULL;
    char line[64];

    assert_int_equal(start(f, 8192), GH_OK);
    write_some(f, "edge-1", 1, 299); /* 300 records in several segments */
    assert_int_equal(tail_new(&f->loop, f->dir, &tail), GH_OK);
    for (uint64_t seq = 251; seq <= 300; seq++) { /* memory has the last 50 */
        snprintf(line, sizeof(line), "{\"seq\":%u,", (unsigned)seq);
        tail_add(tail, seq, line, strlen(line));
    }
    struct asked a = ask(f, tail, 0, 10);
    assert_int_equal(a.first, 291);
    assert_int_equal(a.last, 300);
    a = ask(f, tail, 280, 1000);
    assert_int_equal(a.first, 281);
    assert_int_equal(a.count, 20);
    a = ask(f, tail, 300, 10);
    assert_int_equal(a.count, 0);
    assert_int_equal(a.next, 300);
    a = ask(f, tail, 5, 20); /* from the files */
    assert_int_equal(a.first, 6);
    assert_int_equal(a.count, 20);
    a = ask(f, tail, 0, 100); /* the newest 100, the older half of them first */
    assert_int_equal(a.first, 201);
    assert_int_equal(a.last, 250);
    a = ask(f, tail, a.next, 100);
    assert_int_equal(a.first, 251);
    assert_int_equal(a.last, 300);
    tail_free(tail);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(goes_on_where_it_stopped),
        T(rotates_and_remembers_without_reading_all),
        T(a_forged_state_file_is_not_believed),
        T(a_torn_tail_is_cut_back),
        T(unacknowledged_whole_records_count),
        T(a_cut_log_is_refused),
        T(a_changed_log_is_refused),
        T(a_missing_segment_is_refused),
        T(a_missing_anchor_is_refused),
        T(two_writers_are_refused),
        T(a_full_disk_takes_back_and_recovers),
        T(a_key_of_another_kind_is_refused),
        T(tail_gives_memory_and_files),
    };
    return cmocka_run_group_tests_name("store", tests, make_key, NULL);
}
