#include "replay/replay.h"

#include "common/random.h"
#include "replay/siphash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC     0x67685265706c6179u
#define PROBE_MAX 64u /* entries looked at; a lot this crowded counts as full */
#define KEY_MAX   1024u

struct entry { /* free: until_ms is 0 or past */
    uint64_t hash[2];
    uint64_t until_ms;
    uint64_t owner;
};

struct shared {
    uint64_t magic;
    uint64_t key[2];
    uint32_t lots;
    pthread_mutex_t lock;
    _Alignas(64) struct entry entries[];
};

struct replay {
    struct shared *shared;
    size_t size;
    uint32_t lots; /* our own: another process could write to the shared one */
};

static size_t size_of(uint32_t lots)
{
    return sizeof(struct shared) + (size_t)lots * REPLAY_LOT_ENTRIES * sizeof(struct entry);
}

static enum gh_err init_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;
    int rc = pthread_mutexattr_init(&attr);

    if (rc == 0) rc = pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    if (rc == 0) rc = pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    if (rc == 0) rc = pthread_mutex_init(lock, &attr);
    return rc == 0 ? GH_OK : GH_ERR_INTERNAL;
}

enum gh_err replay_create(uint32_t lots, int *ret_fd)
{
    int fd = memfd_create("gatehouse-replay", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct shared *shared = MAP_FAILED;
    enum gh_err err = GH_ERR_IO;

    if (fd < 0 || lots == 0) goto fail;
    if (ftruncate(fd, (off_t)size_of(lots)) != 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        goto fail;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) goto fail;
    shared->magic = MAGIC;
    shared->lots = lots;
    err = gh_random_bytes(shared->key, sizeof shared->key);
    if (err == GH_OK) err = init_lock(&shared->lock);
    munmap(shared, sizeof *shared);
    if (err != GH_OK) goto fail;
    *ret_fd = fd;
    return GH_OK;
fail:
    if (fd >= 0) close(fd);
    return err;
}

enum gh_err replay_map(int fd, struct replay **ret_replay)
{
    struct replay *replay = calloc(1, sizeof *replay);
    struct stat st;
    void *map;

    if (replay == NULL) return GH_ERR_NOMEM;
    if (fstat(fd, &st) != 0 || st.st_size < (off_t)sizeof(struct shared)) {
        free(replay);
        return GH_ERR_BAD_MESSAGE;
    }
    map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (map == MAP_FAILED) {
        free(replay);
        return GH_ERR_IO;
    }
    replay->shared = map;
    replay->size = (size_t)st.st_size;
    if (replay->shared->magic != MAGIC || replay->shared->lots == 0 ||
        size_of(replay->shared->lots) != replay->size) {
        replay_unmap(replay);
        return GH_ERR_BAD_MESSAGE;
    }
    replay->lots = (uint32_t)((replay->size - sizeof(struct shared)) /
                              (REPLAY_LOT_ENTRIES * sizeof(struct entry)));
    *ret_replay = replay;
    return GH_OK;
}

void replay_unmap(struct replay *replay)
{
    if (replay == NULL) return;
    munmap(replay->shared, replay->size);
    free(replay);
}

/* --- look and note ---------------------------------------------------------------------------- */

static bool put(unsigned char *key, size_t *len, const void *bytes, size_t n)
{
    uint32_t n32 = (uint32_t)n;

    if (n > KEY_MAX || *len + n + sizeof n32 > KEY_MAX) return false;
    memcpy(key + *len, &n32, sizeof n32); /* so that "a","bc" is not "ab","c" */
    *len += sizeof n32;
    if (n > 0) memcpy(key + *len, bytes, n);
    *len += n;
    return true;
}

static enum replay_verdict look(const struct replay *replay, const struct replay_message *m,
                                uint64_t lot, const uint64_t hash[2])
{
    struct entry *entries = &replay->shared->entries[lot % replay->lots * REPLAY_LOT_ENTRIES];
    struct entry *room = NULL;

    for (uint32_t i = 0; i < PROBE_MAX; i++) {
        struct entry *e = &entries[(hash[0] + i) % REPLAY_LOT_ENTRIES];

        if (e->until_ms < m->now_ms) {
            if (room == NULL) room = e;
            continue;
        }
        if (e->hash[0] != hash[0] || e->hash[1] != hash[1]) continue;
        return m->owner != 0 && e->owner == m->owner ? REPLAY_AGAIN : REPLAY_SEEN;
    }
    if (room == NULL) return REPLAY_FULL;
    room->until_ms = 0; /* dead until it is whole */
    room->hash[0] = hash[0];
    room->hash[1] = hash[1];
    room->owner = m->owner;
    room->until_ms = m->timestamp_ms + m->window_ms + REPLAY_SKEW_MS;
    return REPLAY_NEW;
}

enum replay_verdict replay_judge(struct replay *replay, const struct replay_message *m)
{
    struct shared *shared = replay->shared;
    unsigned char key[KEY_MAX];
    uint64_t lot[2], hash[2];
    enum replay_verdict verdict;
    size_t len = 0;
    int rc;

    if (m->now_ms > m->timestamp_ms && m->now_ms - m->timestamp_ms > m->window_ms)
        return REPLAY_TOO_OLD;
    if (m->timestamp_ms > m->now_ms && m->timestamp_ms - m->now_ms > m->window_ms)
        return REPLAY_TOO_NEW;
    if (!put(key, &len, m->session, m->session_len)) return REPLAY_FULL;
    siphash128(shared->key, key, len, lot);
    if (!put(key, &len, m->type, m->type_len) || !put(key, &len, m->id, m->id_len))
        return REPLAY_FULL;
    siphash128(shared->key, key, len, hash);

    rc = pthread_mutex_lock(&shared->lock);
    if (rc == EOWNERDEAD) rc = pthread_mutex_consistent(&shared->lock);
    if (rc != 0) return REPLAY_FULL;
    verdict = look(replay, m, lot[0], hash);
    (void)pthread_mutex_unlock(&shared->lock);
    return verdict;
}

uint64_t replay_count(const struct replay *replay, uint64_t now_ms)
{
    const struct shared *shared = replay->shared;
    uint64_t count = 0;

    for (size_t i = 0; i < (size_t)replay->lots * REPLAY_LOT_ENTRIES; i++)
        count += shared->entries[i].until_ms >= now_ms;
    return count;
}
