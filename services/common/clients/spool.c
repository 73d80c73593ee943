#include "common/clients/spool.h"

#include "common/random.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_BYTES (128u * 1024u)

struct half {
    int fd;
    uint64_t size;  /* bytes that count */
    uint64_t base;  /* where records start: past the header in the first file, 0 in the second */
    uint64_t acked; /* all before is acknowledged */
    uint64_t damage_end; /* damage before this is counted already */
};

struct gh_spool {
    char dir[PATH_MAX];
    char name[GH_SPOOL_SENDER_MAX + GH_SPOOL_ID_LEN + 16];
    char sender[GH_SPOOL_SENDER_MAX + 1];
    char id[GH_SPOOL_ID_LEN + 1];
    int dir_fd;
    struct half halves[2];
    unsigned active; /* appended to */
    unsigned oldest; /* read and acknowledged first; == active when the other is empty */

    /* Reading position. */
    unsigned at;
    uint64_t off;
    bool have; /* record is what stands at the position */
    struct gh_spool_record record;
    size_t record_bytes;
    uint64_t damaged;

    /* Bytes window_off.. of half window_half; valid while window_len > 0. */
    uint8_t *window;
    unsigned window_half;
    uint64_t window_off;
    size_t window_len;
};

static void second_name(const struct gh_spool *spool, char *dst, size_t size)
{
    snprintf(dst, size, "%s2", spool->name);
}

static enum gh_err pwrite_all(int fd, const uint8_t *bytes, size_t len, uint64_t off)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)off);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return GH_ERR_IO;
        bytes += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return GH_OK;
}

static enum gh_err spool_alloc(const char *dir, struct gh_spool **ret_spool)
{
    struct gh_spool *spool = calloc(1, sizeof(*spool));

    if (spool == NULL) return GH_ERR_NOMEM;
    spool->dir_fd = spool->halves[0].fd = spool->halves[1].fd = -1;
    spool->window = malloc(WINDOW_BYTES);
    if (spool->window == NULL) {
        gh_spool_free(spool);
        return GH_ERR_NOMEM;
    }
    if (snprintf(spool->dir, sizeof(spool->dir), "%s", dir) >= (int)sizeof(spool->dir)) {
        gh_spool_free(spool);
        return GH_ERR_CONFIG;
    }
    *ret_spool = spool;
    return GH_OK;
}

static enum gh_err open_halves(struct gh_spool *spool, int flags)
{
    char second[sizeof(spool->name) + 2];

    spool->dir_fd = open(spool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (spool->dir_fd < 0) return GH_ERR_IO;
    spool->halves[0].fd =
        openat(spool->dir_fd, spool->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (spool->halves[0].fd < 0) return errno == ENOENT ? GH_ERR_NOT_FOUND : GH_ERR_IO;
    if (flock(spool->halves[0].fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? GH_ERR_BUSY : GH_ERR_IO;

    /* Between our open and our lock the former owner may have removed it. */
    struct stat opened, named;
    if (fstat(spool->halves[0].fd, &opened) != 0) return GH_ERR_IO;
    if (fstatat(spool->dir_fd, spool->name, &named, AT_SYMLINK_NOFOLLOW) != 0 ||
        named.st_ino != opened.st_ino)
        return GH_ERR_NOT_FOUND;

    /* Made after the first and removed before it, so none is ever left alone. */
    second_name(spool, second, sizeof(second));
    spool->halves[1].fd =
        openat(spool->dir_fd, second, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT, 0600);
    return spool->halves[1].fd < 0 ? GH_ERR_IO : GH_OK;
}

static bool sender_ok(const char *sender)
{
    size_t len = strlen(sender);

    return len >= 1 && len <= GH_SPOOL_SENDER_MAX && sender[0] != '.' &&
           strspn(sender, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
               len;
}

enum gh_err gh_spool_create(const char *dir, const char *sender, struct gh_spool **ret_spool)
{
    struct gh_spool *spool = NULL;
    uint8_t header[GH_SPOOL_HEAD_BYTES + GH_SPOOL_SENDER_MAX + 1 + GH_SPOOL_ID_LEN + 1];
    char text[GH_SPOOL_SENDER_MAX + 1 + GH_SPOOL_ID_LEN + 1];

    if (!sender_ok(sender)) return GH_ERR_CONFIG;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) return GH_ERR_IO;

    /* Between our making the file and our locking it, one who looks for dead spools may have taken
     * and removed it: then another name. */
    enum gh_err err = GH_ERR_BUSY;
    for (int i = 0; i < 8 && (err == GH_ERR_BUSY || err == GH_ERR_NOT_FOUND); i++) {
        gh_spool_free(spool);
        spool = NULL;
        err = spool_alloc(dir, &spool);
        if (err != GH_OK) return err;
        memcpy(spool->sender, sender, strlen(sender) + 1);
        snprintf(spool->id, sizeof(spool->id), "%016" PRIx64, gh_random_u64());
        snprintf(spool->name, sizeof(spool->name), "%s.%s" GH_SPOOL_SUFFIX, sender, spool->id);
        err = open_halves(spool, O_CREAT | O_EXCL);
    }
    if (err != GH_OK) goto fail;
    int text_len = snprintf(text, sizeof(text), "%s %s", sender, spool->id);
    size_t header_len = gh_spool_record_write(header, 0, text, (size_t)text_len);
    err = pwrite_all(spool->halves[0].fd, header, header_len, 0);
    if (err != GH_OK) goto fail;
    spool->halves[0].base = spool->halves[0].size = spool->halves[0].acked = header_len;
    gh_spool_rewind(spool);
    *ret_spool = spool;
    return GH_OK;
fail:
    gh_spool_free(spool);
    return err;
}

/* Fills the window so that it starts at off of this half. False at the end or on an error. */
static bool window_fill(struct gh_spool *spool, unsigned h, uint64_t off)
{
    const struct half *half = &spool->halves[h];
    size_t want = half->size - off < WINDOW_BYTES ? (size_t)(half->size - off) : WINDOW_BYTES;
    size_t got = 0;

    while (got < want) {
        ssize_t n = pread(half->fd, spool->window + got, want - got, (off_t)(off + got));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        got += (size_t)n;
    }
    spool->window_half = h;
    spool->window_off = off;
    spool->window_len = got;
    return got > 0;
}

/* Counts damage once, however often it is read over. */
static void note_damage(struct gh_spool *spool, unsigned h, uint64_t off, uint64_t len)
{
    struct half *half = &spool->halves[h];
    uint64_t end = off + len;

    if (end > half->damage_end) {
        spool->damaged += end - (off > half->damage_end ? off : half->damage_end);
        half->damage_end = end;
    }
}

/* Reads the record at (h, *off), skipping what is none. */
static bool read_at(struct gh_spool *spool, unsigned h, uint64_t *off,
                    struct gh_spool_record *ret_record, size_t *ret_bytes)
{
    const struct half *half = &spool->halves[h];
    bool fresh = false; /* the window was just filled from *off */

    while (*off < half->size) {
        bool inside = spool->window_len > 0 && spool->window_half == h &&
                      *off >= spool->window_off && *off < spool->window_off + spool->window_len;
        if (!inside) {
            if (!window_fill(spool, h, *off)) return false;
            fresh = true;
        }

        size_t at = (size_t)(*off - spool->window_off);
        bool final = spool->window_off + spool->window_len >= half->size;
        size_t used = 0;
        switch (gh_spool_record_read(spool->window + at, spool->window_len - at, final, ret_record,
                                     &used)) {
        case GH_SPOOL_RECORD: *ret_bytes = used; return true;
        case GH_SPOOL_MORE: /* a record is far smaller than the window: from its start it fits */
            if (fresh || !window_fill(spool, h, *off)) return false;
            fresh = true;
            continue;
        case GH_SPOOL_DAMAGED: note_damage(spool, h, *off, used); break;
        case GH_SPOOL_TORN: break;
        case GH_SPOOL_END: return false;
        }
        *off += used;
        fresh = false;
    }
    return false;
}

enum gh_err gh_spool_adopt(const char *dir, const char *name, struct gh_spool **ret_spool)
{
    struct gh_spool *spool = NULL;
    struct gh_spool_record record;
    size_t bytes = 0;
    uint64_t off = 0;

    enum gh_err err = spool_alloc(dir, &spool);
    if (err != GH_OK) return err;
    if (strchr(name, '/') != NULL ||
        snprintf(spool->name, sizeof(spool->name), "%s", name) >= (int)sizeof(spool->name)) {
        spool->name[0] = '\0';
        err = GH_ERR_NOT_FOUND;
        goto fail;
    }
    err = open_halves(spool, 0);
    if (err != GH_OK) goto fail;
    for (unsigned h = 0; h < 2; h++) {
        struct stat st;
        if (fstat(spool->halves[h].fd, &st) != 0) {
            err = GH_ERR_IO;
            goto fail;
        }
        spool->halves[h].size = (uint64_t)st.st_size;
    }

    bool found = read_at(spool, 0, &off, &record, &bytes);
    if (!found || off != 0 || record.number != 0 ||
        gh_spool_header_parse(record.payload, record.len, spool->sender, spool->id) != GH_OK) {
        /* Killed before its header was whole: nothing was ever spooled. Anything else: keep it. */
        if (spool->damaged == 0 && (found || spool->halves[1].size > 0)) spool->damaged = 1;
        err = GH_ERR_NOT_FOUND;
        spool->halves[0].acked = spool->halves[0].size;
        spool->halves[1].acked = spool->halves[1].size;
        goto fail;
    }
    spool->halves[0].base = spool->halves[0].acked = bytes;

    uint64_t first[2] = { UINT64_MAX, UINT64_MAX };
    for (unsigned h = 0; h < 2; h++) {
        uint64_t pos = spool->halves[h].base;
        if (read_at(spool, h, &pos, &record, &bytes)) first[h] = record.number;
    }
    spool->oldest = first[1] < first[0] ? 1 : 0;
    spool->active = 1 - spool->oldest; /* read last; a dead spool is never appended to */
    gh_spool_rewind(spool);
    *ret_spool = spool;
    return GH_OK;
fail:
    if (err == GH_ERR_BUSY) { /* not ours: nothing of it may be removed */
        close(spool->halves[0].fd);
        spool->halves[0].fd = -1;
    }
    gh_spool_free(spool);
    return err;
}

static void remove_files(struct gh_spool *spool)
{
    char second[sizeof(spool->name) + 2];

    second_name(spool, second, sizeof(second));
    if (spool->damaged > 0) {
        char kept[sizeof(second) + 16];
        if (spool->halves[1].size > 0) {
            snprintf(kept, sizeof(kept), "%s.damaged", second);
            renameat(spool->dir_fd, second, spool->dir_fd, kept);
        } else {
            unlinkat(spool->dir_fd, second, 0);
        }
        snprintf(kept, sizeof(kept), "%s.damaged", spool->name);
        renameat(spool->dir_fd, spool->name, spool->dir_fd, kept);
        return;
    }
    unlinkat(spool->dir_fd, second, 0);
    unlinkat(spool->dir_fd, spool->name, 0);
}

void gh_spool_free(struct gh_spool *spool)
{
    if (spool == NULL) return;
    if (spool->halves[0].fd >= 0 && spool->halves[1].fd >= 0 && gh_spool_unacked_bytes(spool) == 0)
        remove_files(spool); /* the lock is held: nobody adopts it half removed */
    for (unsigned h = 0; h < 2; h++) {
        if (spool->halves[h].fd >= 0) close(spool->halves[h].fd);
    }
    if (spool->dir_fd >= 0) close(spool->dir_fd);
    free(spool->window);
    free(spool);
}

const char *gh_spool_sender(const struct gh_spool *spool)
{
    return spool->sender;
}

const char *gh_spool_id(const struct gh_spool *spool)
{
    return spool->id;
}

uint64_t gh_spool_unacked_bytes(const struct gh_spool *spool)
{
    return spool->halves[0].size - spool->halves[0].acked + spool->halves[1].size -
           spool->halves[1].acked;
}

uint64_t gh_spool_damaged_bytes(const struct gh_spool *spool)
{
    return spool->damaged;
}

enum gh_err gh_spool_append(struct gh_spool *spool, const uint8_t *record, size_t len)
{
    struct half *half = &spool->halves[spool->active];
    unsigned other = 1 - spool->active;

    if (half->size >= GH_SPOOL_TURN_BYTES && spool->oldest == spool->active &&
        spool->halves[other].size == spool->halves[other].base) {
        spool->active = other;
        half = &spool->halves[other];
    }
    if (pwrite_all(half->fd, record, len, half->size) != GH_OK) {
        /* What was written of it is past size and will be overwritten; cut it, so that a reader
         * after our death meets no damage. */
        if (ftruncate(half->fd, (off_t)half->size) != 0)
            errno = EIO; /* nothing better to do: a reader skips it */
        return GH_ERR_IO;
    }
    half->size += len;
    return GH_OK;
}

const struct gh_spool_record *gh_spool_peek(struct gh_spool *spool)
{
    if (spool->have) return &spool->record;
    for (;;) {
        if (read_at(spool, spool->at, &spool->off, &spool->record, &spool->record_bytes)) {
            spool->have = true;
            return &spool->record;
        }
        if (spool->at == spool->active || spool->off < spool->halves[spool->at].size)
            return NULL; /* the end, or a file that cannot be read now */
        spool->at = spool->active;
        spool->off = spool->halves[spool->at].acked;
    }
}

void gh_spool_advance(struct gh_spool *spool)
{
    if (spool->have) {
        spool->off += spool->record_bytes;
        spool->have = false;
    }
}

void gh_spool_rewind(struct gh_spool *spool)
{
    spool->at = spool->oldest;
    spool->off = spool->halves[spool->oldest].acked;
    spool->have = false;
}

static void half_empty(struct gh_spool *spool, unsigned h)
{
    struct half *half = &spool->halves[h];

    if (spool->window_half == h) spool->window_len = 0;
    /* Damaged bytes are evidence: their file stays as it is until the spool ends. */
    if (spool->damaged == 0 && ftruncate(half->fd, (off_t)half->base) == 0) half->size = half->base;
    half->acked = half->size;
}

void gh_spool_ack(struct gh_spool *spool)
{
    spool->have = false;
    while (spool->oldest != spool->at) {
        half_empty(spool, spool->oldest);
        spool->oldest = spool->active;
    }
    struct half *half = &spool->halves[spool->oldest];
    half->acked = spool->off;
    if (half->acked == half->size && half->size > half->base) {
        half_empty(spool, spool->oldest);
        if (spool->oldest != spool->active) spool->oldest = spool->active;
        gh_spool_rewind(spool);
    }
}
