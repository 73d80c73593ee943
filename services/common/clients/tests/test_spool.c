#include "common/clients/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    snprintf(f->dir, sizeof(f->dir), "/tmp/gh-spool-XXXXXX");
    if (mkdtemp(f->dir) == NULL) return -1;
    *state = f;
    return 0;
}

static unsigned files_in(const char *dir, const char *ending, char *ret_name)
{
    DIR *d = opendir(dir);
    const struct dirent *e;
    unsigned n = 0;

    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name), want = strlen(ending);
        if (e->d_name[0] == '.' || len < want || strcmp(e->d_name + len - want, ending) != 0)
            continue;
        n++;
        if (ret_name != NULL) snprintf(ret_name, 256, "%s", e->d_name);
    }
    if (d != NULL) closedir(d);
    return n;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char path[512], name[256];

    while (files_in(f->dir, "", name) > 0) {
        snprintf(path, sizeof(path), "%s/%s", f->dir, name);
        unlink(path);
    }
    rmdir(f->dir);
    free(f);
    return 0;
}

static enum gh_err put(struct gh_spool *spool, uint64_t number, size_t size)
{
    uint8_t payload[GH_SPOOL_PAYLOAD_MAX];
    uint8_t record[GH_SPOOL_RECORD_MAX];

    memset(payload, (int)(number % 251), size);
    return gh_spool_append(spool, record, gh_spool_record_write(record, number, payload, size));
}

static uint64_t take(struct gh_spool *spool)
{
    const struct gh_spool_record *record = gh_spool_peek(spool);

    if (record == NULL) return 0;
    for (size_t i = 0; i < record->len; i++)
        assert_int_equal(record->payload[i], record->number % 251);
    uint64_t number = record->number;
    gh_spool_advance(spool);
    return number;
}

/* As a process that is killed leaves it: no lock, nothing tidied. */
static void leave_behind(const char *dir, const char *sender, uint64_t first, uint64_t last)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        struct gh_spool *spool = NULL;
        if (gh_spool_create(dir, sender, &spool) != GH_OK) _exit(1);
        for (uint64_t n = first; n <= last; n++)
            if (put(spool, n, 100) != GH_OK) _exit(2);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
}

static void reads_back_in_order_and_rewinds(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;

    assert_int_equal(gh_spool_create(f->dir, "edge-1", &spool), GH_OK);
    assert_null(gh_spool_peek(spool));
    for (uint64_t n = 1; n <= 3; n++)
        assert_int_equal(put(spool, n, n * 50), GH_OK);
    assert_int_equal(take(spool), 1);
    assert_int_equal(take(spool), 2);
    gh_spool_rewind(spool);
    assert_int_equal(take(spool), 1);
    gh_spool_ack(spool);
    gh_spool_rewind(spool);
    assert_int_equal(take(spool), 2);
    assert_int_equal(take(spool), 3);
    assert_int_equal(take(spool), 0);
    assert_int_equal(put(spool, 4, 0), GH_OK);
    assert_int_equal(take(spool), 4);
    assert_true(gh_spool_unacked_bytes(spool) > 0);
    gh_spool_ack(spool);
    assert_int_equal(gh_spool_unacked_bytes(spool), 0);
    gh_spool_free(spool);
    assert_int_equal(files_in(f->dir, "", NULL), 0);
}

static void unacknowledged_stay_for_the_next(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    char name[256] = "";

    assert_int_equal(gh_spool_create(f->dir, "edge-1", &spool), GH_OK);
    assert_int_equal(put(spool, 1, 10), GH_OK);
    assert_int_equal(put(spool, 2, 10), GH_OK);
    assert_int_equal(take(spool), 1);
    gh_spool_ack(spool);
    char id[GH_SPOOL_ID_LEN + 1];
    memcpy(id, gh_spool_id(spool), sizeof(id));
    gh_spool_free(spool);

    assert_int_equal(files_in(f->dir, GH_SPOOL_SUFFIX, name), 1);
    assert_int_equal(gh_spool_adopt(f->dir, name, &spool), GH_OK);
    assert_string_equal(gh_spool_sender(spool), "edge-1");
    assert_string_equal(gh_spool_id(spool), id);
    assert_int_equal(take(spool), 1); /* acknowledged ones may come again: audit knows them */
    assert_int_equal(take(spool), 2);
    gh_spool_ack(spool);
    gh_spool_free(spool);
    assert_int_equal(files_in(f->dir, "", NULL), 0);
}

static void living_owner_is_left_alone(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL, *thief = NULL;
    char name[256] = "";

    assert_int_equal(gh_spool_create(f->dir, "edge-1", &spool), GH_OK);
    assert_int_equal(put(spool, 1, 10), GH_OK);
    assert_int_equal(files_in(f->dir, GH_SPOOL_SUFFIX, name), 1);
    assert_int_equal(gh_spool_adopt(f->dir, name, &thief), GH_ERR_BUSY);
    assert_null(thief);
    assert_int_equal(take(spool), 1);
    gh_spool_ack(spool);
    gh_spool_free(spool);
}

static void killed_owner_loses_nothing(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    char name[256] = "";

    leave_behind(f->dir, "edge-1", 1, 30000); /* more than one turn of the two files */
    assert_int_equal(files_in(f->dir, GH_SPOOL_SUFFIX, name), 1);
    assert_int_equal(gh_spool_adopt(f->dir, name, &spool), GH_OK);
    for (uint64_t n = 1; n <= 30000; n++)
        assert_int_equal(take(spool), n);
    assert_int_equal(take(spool), 0);
    assert_int_equal(gh_spool_damaged_bytes(spool), 0);
    gh_spool_ack(spool);
    gh_spool_free(spool);
    assert_int_equal(files_in(f->dir, "", NULL), 0);
}

/* Reader a little behind the writer for far longer than the files may grow. */
static void room_is_used_again(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    uint64_t put_n = 0, got_n = 0;
    off_t largest = 0;

    assert_int_equal(gh_spool_create(f->dir, "edge-1", &spool), GH_OK);
    for (int round = 0; round < 400; round++) {
        for (int i = 0; i < 50; i++)
            assert_int_equal(put(spool, ++put_n, 1000), GH_OK);
        for (int i = 0; i < 50 && put_n - got_n > 20; i++)
            assert_int_equal(take(spool), ++got_n);
        gh_spool_ack(spool);

        char path[512], name[256];
        for (int h = 0; h < 2; h++) {
            struct stat st;
            assert_int_equal(files_in(f->dir, h == 0 ? GH_SPOOL_SUFFIX : GH_SPOOL_SUFFIX "2", name),
                             1);
            snprintf(path, sizeof(path), "%s/%s", f->dir, name);
            assert_int_equal(stat(path, &st), 0);
            largest = st.st_size > largest ? st.st_size : largest;
        }
    }
    while (got_n < put_n)
        assert_int_equal(take(spool), ++got_n);
    assert_int_equal(take(spool), 0);
    gh_spool_ack(spool);
    assert_int_equal(gh_spool_unacked_bytes(spool), 0);
    assert_true(largest < 2 * (off_t)GH_SPOOL_TURN_BYTES); /* 20 MB went through */
    gh_spool_free(spool);
}

static void order_holds_across_the_turn_after_a_kill(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    char name[256] = "";
    pid_t pid = fork();

    if (pid == 0) { /* leaves the older records in the second file */
        uint64_t n = 0;
        if (gh_spool_create(f->dir, "edge-1", &spool) != GH_OK) _exit(1);
        while (n < 1500)
            if (put(spool, ++n, 1000) != GH_OK) _exit(2);
        for (int i = 0; i < 1490; i++)
            take(spool);
        gh_spool_ack(spool);
        while (n < 3000)
            if (put(spool, ++n, 1000) != GH_OK) _exit(2);
        for (int i = 0; i < 1000; i++)
            take(spool);
        gh_spool_ack(spool);
        while (n < 3100)
            if (put(spool, ++n, 1000) != GH_OK) _exit(2);
        kill(getpid(), SIGKILL);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(files_in(f->dir, GH_SPOOL_SUFFIX, name), 1);
    assert_int_equal(gh_spool_adopt(f->dir, name, &spool), GH_OK);
    uint64_t last = 0, n;
    while ((n = take(spool)) != 0) {
        assert_true(n > last);
        last = n;
    }
    assert_int_equal(last, 3100);
    gh_spool_ack(spool);
    gh_spool_free(spool);
}

static void spoil(const char *dir, off_t at, size_t bytes, bool cut)
{
    char path[512], name[256];
    uint8_t junk[64];

    assert_int_equal(files_in(dir, GH_SPOOL_SUFFIX, name), 1);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (cut) {
        assert_int_equal(truncate(path, at), 0);
        return;
    }
    int fd = open(path, O_WRONLY);
    memset(junk, 0xa5, sizeof(junk));
    assert_int_equal(pwrite(fd, junk, bytes, at), (ssize_t)bytes);
    close(fd);
}

#define HEADER_BYTES (20 + 6 + 1 + 16)
#define EACH_BYTES   120

static void torn_tail_costs_only_itself(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    char name[256] = "";

    leave_behind(f->dir, "edge-1", 1, 3);
    spoil(f->dir, HEADER_BYTES + 2 * EACH_BYTES + 50, 0, true);
    files_in(f->dir, GH_SPOOL_SUFFIX, name);
    assert_int_equal(gh_spool_adopt(f->dir, name, &spool), GH_OK);
    assert_int_equal(take(spool), 1);
    assert_int_equal(take(spool), 2);
    assert_int_equal(take(spool), 0);
    assert_int_equal(gh_spool_damaged_bytes(spool), 0);
    gh_spool_ack(spool);
    gh_spool_free(spool);
    assert_int_equal(files_in(f->dir, "", NULL), 0);
}

static void damage_is_skipped_counted_and_kept(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    char name[256] = "";

    leave_behind(f->dir, "edge-1", 1, 5);
    spoil(f->dir, HEADER_BYTES + EACH_BYTES + 40, 8, false); /* inside record 2 */
    files_in(f->dir, GH_SPOOL_SUFFIX, name);
    assert_int_equal(gh_spool_adopt(f->dir, name, &spool), GH_OK);
    assert_int_equal(take(spool), 1);
    assert_int_equal(take(spool), 3);
    assert_int_equal(take(spool), 4);
    gh_spool_rewind(spool);
    assert_int_equal(take(spool), 1);
    assert_int_equal(take(spool), 3);
    assert_int_equal(gh_spool_damaged_bytes(spool), EACH_BYTES);
    while (take(spool) != 0)
        ;
    gh_spool_ack(spool);
    assert_int_equal(gh_spool_unacked_bytes(spool), 0);
    gh_spool_free(spool);
    assert_int_equal(files_in(f->dir, GH_SPOOL_SUFFIX, NULL), 0);
    assert_int_equal(files_in(f->dir, ".damaged", NULL), 1);
}

static void killed_before_its_header_is_nothing(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    char name[256] = "";

    leave_behind(f->dir, "edge-1", 1, 1);
    spoil(f->dir, 10, 0, true);
    files_in(f->dir, GH_SPOOL_SUFFIX, name);
    assert_int_equal(gh_spool_adopt(f->dir, name, &spool), GH_ERR_NOT_FOUND);
    assert_null(spool);
    assert_int_equal(files_in(f->dir, "", NULL), 0);
}

static void refused_write_leaves_what_was(void **state)
{
    const struct fixture *f = *state;
    struct gh_spool *spool = NULL;
    struct rlimit old, tight;

    assert_int_equal(gh_spool_create(f->dir, "edge-1", &spool), GH_OK);
    assert_int_equal(put(spool, 1, 100), GH_OK);
    /* A disk that is full in the middle of a record: the file may not grow past 300 bytes. */
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight = (struct rlimit){ .rlim_cur = 300, .rlim_max = old.rlim_max };
    setrlimit(RLIMIT_FSIZE, &tight);
    enum gh_err second = put(spool, 2, 100), third = put(spool, 3, 100);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(second, GH_OK);
    assert_int_equal(third, GH_ERR_IO);
    assert_int_equal(put(spool, 4, 100), GH_OK);
    assert_int_equal(take(spool), 1);
    assert_int_equal(take(spool), 2);
    assert_int_equal(take(spool), 4);
    assert_int_equal(take(spool), 0);
    assert_int_equal(gh_spool_damaged_bytes(spool), 0);
    gh_spool_ack(spool);
    gh_spool_free(spool);
}

static void bad_senders_are_refused(void **state)
{
    const struct fixture *f = *state;
    static const char *const bad[] = { "", "../x", "a b", ".hidden", "a/b", "a\nb" };
    struct gh_spool *spool = NULL;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(gh_spool_create(f->dir, bad[i], &spool), GH_ERR_CONFIG);
    assert_null(spool);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(reads_back_in_order_and_rewinds),
        T(unacknowledged_stay_for_the_next),
        T(living_owner_is_left_alone),
        T(killed_owner_loses_nothing),
        T(room_is_used_again),
        T(order_holds_across_the_turn_after_a_kill),
        T(torn_tail_costs_only_itself),
        T(damage_is_skipped_counted_and_kept),
        T(killed_before_its_header_is_nothing),
        T(refused_write_leaves_what_was),
        T(bad_senders_are_refused),
    };
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
