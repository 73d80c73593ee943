/* Replays: exact within the window, whatever dies. */
#include "replay/replay.h"
#include "replay/siphash.h"
#include "support.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW    1700000000000u
#define WINDOW 30000u

static struct replay *table(uint32_t lots)
{
    struct replay *replay = NULL;
    int fd = -1;

    assert_int_equal(replay_create(lots, &fd), GH_OK);
    assert_int_equal(replay_map(fd, &replay), GH_OK);
    close(fd);
    return replay;
}

static enum replay_verdict say(struct replay *replay, const char *session, const char *id,
                               uint64_t timestamp_ms, uint64_t now_ms, uint64_t owner)
{
    struct replay_message m = { .session = session,
                                .session_len = strlen(session),
                                .type = "pay",
                                .type_len = 3,
                                .id = id,
                                .id_len = strlen(id),
                                .timestamp_ms = timestamp_ms,
                                .now_ms = now_ms,
                                .window_ms = WINDOW,
                                .owner = owner };

    return replay_judge(replay, &m);
}

static void told_apart(void **state)
{
    struct replay *r = table(4);

    (void)state;
    assert_int_equal(say(r, "s", "1", NOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "s", "1", NOW, NOW, 0), REPLAY_SEEN);
    assert_int_equal(say(r, "s", "1", NOW + 5, NOW, 0), REPLAY_SEEN); /* a new time, the old id */
    assert_int_equal(say(r, "s", "2", NOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "t", "1", NOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "s1", "", NOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "s", "1", NOW, NOW, 0), REPLAY_SEEN);
    replay_unmap(r);
}

static void window_is_exact(void **state)
{
    struct replay *r = table(4);

    (void)state;
    assert_int_equal(say(r, "s", "a", NOW - WINDOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "s", "b", NOW - WINDOW - 1, NOW, 0), REPLAY_TOO_OLD);
    assert_int_equal(say(r, "s", "c", NOW + WINDOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "s", "d", NOW + WINDOW + 1, NOW, 0), REPLAY_TOO_NEW);
    /* Noted with a time to come: known as long as that time would pass. */
    assert_int_equal(say(r, "s", "c", NOW + WINDOW, NOW + 2 * WINDOW, 0), REPLAY_SEEN);
    assert_int_equal(say(r, "s", "c", NOW + WINDOW, NOW + 2 * WINDOW + 1, 0), REPLAY_TOO_OLD);
    /* Refused ones are not noted. */
    assert_int_equal(say(r, "s", "d", NOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "s", "x", 0, NOW, 0), REPLAY_TOO_OLD);
    assert_int_equal(say(r, "s", "x", UINT64_MAX, NOW, 0), REPLAY_TOO_NEW);
    replay_unmap(r);
}

static void sent_again_by_the_edge(void **state)
{
    struct replay *r = table(4);

    (void)state;
    assert_int_equal(say(r, "s", "1", NOW, NOW, 77), REPLAY_NEW);
    assert_int_equal(say(r, "s", "1", NOW, NOW, 77), REPLAY_AGAIN);
    assert_int_equal(say(r, "s", "1", NOW, NOW, 78), REPLAY_SEEN);
    assert_int_equal(say(r, "s", "1", NOW, NOW, 0), REPLAY_SEEN);
    assert_int_equal(say(r, "s", "2", NOW, NOW, 0), REPLAY_NEW);
    assert_int_equal(say(r, "s", "2", NOW, NOW, 0), REPLAY_SEEN); /* no name is no excuse */
    replay_unmap(r);
}

/* One session's flood fills its own lot and refuses itself; another still has room. */
static void flood_hurts_itself(void **state)
{
    struct replay *r = table(64);
    unsigned news = 0, full = 0;
    char id[32];

    (void)state;
    for (unsigned i = 0; i < 3 * REPLAY_LOT_ENTRIES; i++) {
        enum replay_verdict v;

        (void)snprintf(id, sizeof id, "%u", i);
        v = say(r, "flood", id, NOW, NOW, 0);
        assert_true(v == REPLAY_NEW || v == REPLAY_FULL);
        news += v == REPLAY_NEW;
        full += v == REPLAY_FULL;
    }
    assert_true(news >= REPLAY_LOT_ENTRIES * 3 / 4);
    assert_true(news <= REPLAY_LOT_ENTRIES);
    assert_true(full > 0);
    assert_int_equal(replay_count(r, NOW), news);
    for (unsigned i = 0; i < news / 2; i++) { /* what was noted is still known */
        (void)snprintf(id, sizeof id, "%u", i);
        assert_true(say(r, "flood", id, NOW, NOW, 0) != REPLAY_NEW);
    }
    full = 0;
    for (unsigned i = 0; i < 16; i++) {
        (void)snprintf(id, sizeof id, "other-%u", i);
        full += say(r, id, "1", NOW, NOW, 0) == REPLAY_FULL;
    }
    assert_true(full <= 2); /* 1 in 64 shares the lot */
    /* Once the window is over the room is there again. */
    assert_int_equal(say(r, "flood", "late", NOW + 2 * WINDOW, NOW + 2 * WINDOW, 0), REPLAY_NEW);
    replay_unmap(r);
}

/* Processes share it; one is killed with the lock in its hand. */
static void shared_and_robust(void **state)
{
    struct replay *r = table(4);
    int status = 0;
    pid_t pid;

    (void)state;
    for (int round = 0; round < 20; round++) {
        char id[32], begun;
        int told[2];

        (void)snprintf(id, sizeof id, "r%d", round);
        assert_int_equal(pipe(told), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)say(r, "s", id, NOW, NOW, 0);
            if (write(told[1], "x", 1) != 1) _exit(1);
            for (unsigned i = 0;; i++) { /* in and out of the lock until killed */
                char more[32];

                (void)snprintf(more, sizeof more, "m%d-%u", round, i % 64);
                (void)say(r, "s", more, NOW, NOW, 0);
            }
        }
        assert_int_equal(read(told[0], &begun, 1), 1); /* a busy machine may start it late */
        close(told[0]);
        close(told[1]);
        usleep(3000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void)say(r, "s", "p", NOW, NOW, 0);
        assert_int_equal(say(r, "s", "p", NOW, NOW, 0), REPLAY_SEEN);
    }
    assert_int_equal(say(r, "s", "r0", NOW, NOW, 0), REPLAY_SEEN);
    replay_unmap(r);
}

static void not_ours_is_refused(void **state)
{
    struct replay *r = NULL;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_not_equal(replay_map(fds[0], &r), GH_OK);
    assert_null(r);
    close(fds[0]);
    close(fds[1]);
}

/* The first vectors of the reference implementation: key 00..0f, input 00..n-1. */
static void siphash_reference(void **state)
{
    static const uint64_t expected[][2] = {
        { 0xe6a825ba047f81a3u, 0x930255c71472f66du },
        { 0x44af996bd8c187dau, 0x45fc229b11597634u },
        { 0xc75da4a48d227781u, 0xe4ff0af6de8ba3fcu },
    };
    static const uint64_t key[2] = { 0x0706050403020100u, 0x0f0e0d0c0b0a0908u };
    unsigned char input[4] = { 0, 1, 2, 3 };

    (void)state;
    for (size_t i = 0; i < COUNT(expected); i++) {
        uint64_t hash[2];

        siphash128(key, input, i, hash);
        assert_int_equal(hash[0], expected[i][0]);
        assert_int_equal(hash[1], expected[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_apart),
        cmocka_unit_test(window_is_exact),
        cmocka_unit_test(sent_again_by_the_edge),
        cmocka_unit_test(flood_hurts_itself),
        cmocka_unit_test(shared_and_robust),
        cmocka_unit_test(not_ours_is_refused),
        cmocka_unit_test(siphash_reference),
    };

    return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
