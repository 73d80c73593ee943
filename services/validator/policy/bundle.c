#include "policy/bundle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEAL_MAGIC "gatehouse-policy-2"

enum gh_err bundle_new(struct bundle **ret_bundle)
{
    struct bundle *bundle = calloc(1, sizeof *bundle);

    if (bundle == NULL) return GH_ERR_NOMEM;
    *ret_bundle = bundle;
    return GH_OK;
}

void bundle_free(struct bundle *bundle)
{
    if (bundle == NULL) return;
    for (uint32_t i = 0; i < bundle->n_files; i++) {
        free((void *)(uintptr_t)bundle->files[i].name);
        free((void *)(uintptr_t)bundle->files[i].data);
    }
    free(bundle->files);
    free(bundle->own);
    if (bundle->map != NULL) munmap(bundle->map, bundle->map_len);
    free(bundle);
}

static uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++)
        digest = (digest ^ at[i]) * 0x100000001b3u; /* FNV-1a: names a version, secures nothing */
    return digest;
}

static void digest_update(struct bundle *bundle)
{
    uint64_t digest = 0xcbf29ce484222325u;

    for (uint32_t i = 0; i < bundle->n_files; i++) {
        const struct bundle_file *file = &bundle->files[i];

        digest = digest_bytes(digest, file->name, strlen(file->name) + 1);
        digest = digest_bytes(digest, &file->len, sizeof file->len);
        digest = digest_bytes(digest, file->data, file->len);
    }
    bundle->digest = digest;
}

static uint32_t bundle_place(const struct bundle *bundle, const char *name, bool *ret_there)
{
    uint32_t low = 0, high = bundle->n_files;

    *ret_there = false;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = strcmp(bundle->files[mid].name, name);

        if (order == 0) {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static enum gh_err insert(struct bundle *bundle, const char *name, const void *data, size_t len)
{
    struct bundle_file *files;
    size_t total = len;
    char *own_name, *own_data;
    bool there;
    uint32_t at = bundle_place(bundle, name, &there);

    if (there) return GH_ERR_EXISTS;
    for (uint32_t i = 0; i < bundle->n_files; i++)
        total += bundle->files[i].len;
    if (bundle->n_files == BUNDLE_FILES_MAX || len > BUNDLE_FILE_MAX_BYTES ||
        total > BUNDLE_MAX_BYTES || strlen(name) > BUNDLE_NAME_MAX)
        return GH_ERR_LIMIT;
    files = realloc(bundle->files, (bundle->n_files + 1) * sizeof *files);
    if (files == NULL) return GH_ERR_NOMEM;
    bundle->files = files;
    own_name = strdup(name);
    own_data = malloc(len + 1);
    if (own_name == NULL || own_data == NULL) {
        free(own_name);
        free(own_data);
        return GH_ERR_NOMEM;
    }
    if (len > 0) memcpy(own_data, data, len);
    own_data[len] = '\0';
    memmove(&files[at + 1], &files[at], (bundle->n_files - at) * sizeof *files);
    files[at] = (struct bundle_file){ own_name, own_data, (uint32_t)len };
    bundle->n_files++;
    return GH_OK;
}

enum gh_err bundle_add(struct bundle *bundle, const char *name, const void *data, size_t len)
{
    enum gh_err err = insert(bundle, name, data, len);

    if (err == GH_OK) digest_update(bundle);
    return err;
}

enum gh_err bundle_set_compiled(struct bundle *bundle, const void *data, size_t len)
{
    char *own;

    if (len > BUNDLE_COMPILED_MAX) return GH_ERR_LIMIT;
    own = malloc(len + 1);
    if (own == NULL) return GH_ERR_NOMEM;
    if (len > 0) memcpy(own, data, len);
    free(bundle->own);
    bundle->own = own;
    bundle->compiled = own;
    bundle->compiled_len = len;
    return GH_OK;
}

const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name)
{
    bool there;
    uint32_t at = bundle_place(bundle, name, &there);

    return there ? &bundle->files[at] : NULL;
}

/* --- folders ---------------------------------------------------------------------------------- */

struct walk {
    struct bundle *bundle;
    struct report *report;
    char *buffer; /* BUNDLE_FILE_MAX_BYTES + 1 */
};

static bool wanted(const char *name)
{
    const char *dot = strrchr(name, '.');

    return name[0] != '.' && dot != NULL &&
           (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".json") == 0);
}

static enum gh_err read_file(struct walk *walk, int fd, const char *name)
{
    size_t len = 0;
    ssize_t got;
    enum gh_err err;

    while ((got = read(fd, walk->buffer + len, BUNDLE_FILE_MAX_BYTES + 1 - len)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return report_add(walk->report, name, 0, "", "%s", strerror(errno));
        len += (size_t)got;
        if (len > BUNDLE_FILE_MAX_BYTES)
            return report_add(walk->report, name, 0, "", "more than %u bytes",
                              BUNDLE_FILE_MAX_BYTES);
    }
    err = insert(walk->bundle, name, walk->buffer, len);
    if (err == GH_ERR_LIMIT)
        return report_add(walk->report, name, 0, "", "too many files, or more than %u bytes in all",
                          BUNDLE_MAX_BYTES);
    return err;
}

static enum gh_err walk_dir(struct walk *walk, int dir_fd, const char *prefix, unsigned depth);

static enum gh_err walk_entry(struct walk *walk, DIR *dir, const struct dirent *entry,
                              const char *prefix, unsigned depth)
{
    char name[BUNDLE_NAME_MAX + 1];
    struct stat target;
    enum gh_err err = GH_OK;
    bool is_dir;
    int fd;

    if (entry->d_name[0] == '.') return GH_OK;
    if (fstatat(dirfd(dir), entry->d_name, &target, 0) != 0)
        return report_add(walk->report, entry->d_name, 0, "", "%s", strerror(errno));
    is_dir = S_ISDIR(target.st_mode);
    if (!is_dir && !wanted(entry->d_name)) return GH_OK;
    if ((size_t)snprintf(name, sizeof name - 1, "%s%s", prefix, entry->d_name) >= sizeof name - 1)
        return report_add(walk->report, prefix, 0, "", "a name longer than %d bytes",
                          BUNDLE_NAME_MAX);
    /* Not blocking: somebody may have put a FIFO there. */
    fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return report_add(walk->report, name, 0, "", "%s", strerror(errno));
    if (is_dir) {
        (void)strcat(name, "/");
        return walk_dir(walk, fd, name, depth + 1); /* closes fd */
    }
    if (fstat(fd, &target) == 0 && S_ISREG(target.st_mode))
        err = read_file(walk, fd, name);
    else
        err = report_add(walk->report, name, 0, "", "not a regular file");
    close(fd);
    return err;
}

static enum gh_err walk_dir(struct walk *walk, int dir_fd, const char *prefix, unsigned depth)
{
    DIR *dir = depth > BUNDLE_DEPTH_MAX ? NULL : fdopendir(dir_fd);
    const struct dirent *entry;
    enum gh_err err = GH_OK;

    if (dir == NULL) {
        close(dir_fd);
        return report_add(walk->report, prefix, 0, "", "folders nested deeper than %d",
                          BUNDLE_DEPTH_MAX);
    }
    while (err == GH_OK && (entry = readdir(dir)) != NULL)
        err = walk_entry(walk, dir, entry, prefix, depth);
    closedir(dir);
    return err;
}

enum gh_err bundle_add_dir(struct bundle *bundle, const char *dir, const char *prefix,
                           struct report *report)
{
    struct walk walk = { bundle, report, malloc(BUNDLE_FILE_MAX_BYTES + 1) };
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum gh_err err;

    if (fd < 0 || walk.buffer == NULL) {
        err = fd < 0
                  ? report_add(report, dir, 0, "", "cannot open this folder: %s", strerror(errno))
                  : GH_ERR_NOMEM;
        if (fd >= 0) close(fd);
        free(walk.buffer);
        return err;
    }
    err = walk_dir(&walk, fd, prefix, 0);
    free(walk.buffer);
    digest_update(bundle);
    return err;
}

/* --- sealing ---------------------------------------------------------------------------------- */

static bool write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t put = write(fd, at, len);

        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        at += put;
        len -= (size_t)put;
    }
    return true;
}

/* magic, count, length of what is compiled; for each file name length, data length, name, data;
 * what is compiled. */
enum gh_err bundle_seal(const struct bundle *bundle, int *ret_fd)
{
    int fd = memfd_create("gatehouse-policy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    uint32_t compiled_len = (uint32_t)bundle->compiled_len; /* at most BUNDLE_COMPILED_MAX */
    bool ok;

    if (fd < 0) return GH_ERR_IO;
    ok = write_all(fd, SEAL_MAGIC, sizeof SEAL_MAGIC) &&
         write_all(fd, &bundle->n_files, sizeof bundle->n_files) &&
         write_all(fd, &compiled_len, sizeof compiled_len);
    for (uint32_t i = 0; ok && i < bundle->n_files; i++) {
        const struct bundle_file *file = &bundle->files[i];
        uint32_t lens[2] = { (uint32_t)strlen(file->name), file->len };

        ok = write_all(fd, lens, sizeof lens) && write_all(fd, file->name, lens[0]) &&
             write_all(fd, file->data, lens[1]);
    }
    ok = ok && write_all(fd, bundle->compiled, compiled_len);
    if (!ok ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        close(fd);
        return GH_ERR_IO;
    }
    *ret_fd = fd;
    return GH_OK;
}

struct cursor {
    const char *at;
    size_t left;
};

static const void *take(struct cursor *c, size_t len)
{
    const char *at = c->at;

    if (len > c->left) return NULL;
    c->at += len;
    c->left -= len;
    return at;
}

static enum gh_err unpack(struct cursor *c, struct bundle *bundle)
{
    const char *magic = take(c, sizeof SEAL_MAGIC);
    const void *counts = take(c, 2 * sizeof(uint32_t));
    uint32_t n, compiled_len;

    if (magic == NULL || counts == NULL || memcmp(magic, SEAL_MAGIC, sizeof SEAL_MAGIC) != 0)
        return GH_ERR_BAD_MESSAGE;
    memcpy(&n, counts, sizeof n);
    memcpy(&compiled_len, (const char *)counts + sizeof n, sizeof compiled_len);
    for (uint32_t i = 0; i < n; i++) {
        const void *lens = take(c, 2 * sizeof(uint32_t));
        char name[BUNDLE_NAME_MAX + 1];
        const void *from, *data;
        uint32_t len[2];
        enum gh_err err;

        if (lens == NULL) return GH_ERR_BAD_MESSAGE;
        memcpy(len, lens, sizeof len);
        if (len[0] > BUNDLE_NAME_MAX) return GH_ERR_BAD_MESSAGE;
        from = take(c, len[0]);
        data = take(c, len[1]);
        if (from == NULL || data == NULL) return GH_ERR_BAD_MESSAGE;
        memcpy(name, from, len[0]);
        name[len[0]] = '\0';
        err = insert(bundle, name, data, len[1]);
        if (err != GH_OK) return err == GH_ERR_NOMEM ? err : GH_ERR_BAD_MESSAGE;
    }
    digest_update(bundle);
    if (compiled_len > 0) {
        bundle->compiled = take(c, compiled_len);
        bundle->compiled_len = compiled_len;
    }
    return c->left == 0 && (compiled_len == 0 || bundle->compiled != NULL) ? GH_OK
                                                                           : GH_ERR_BAD_MESSAGE;
}

enum gh_err bundle_unseal(int fd, struct bundle **ret_bundle)
{
    struct bundle *bundle = NULL;
    struct stat st;
    void *map;
    enum gh_err err;

    if (fstat(fd, &st) != 0 || st.st_size <= 0) return GH_ERR_BAD_MESSAGE;
    map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) return GH_ERR_IO;
    err = bundle_new(&bundle);
    if (err != GH_OK) {
        munmap(map, (size_t)st.st_size);
        return err;
    }
    bundle->map = map;
    bundle->map_len = (size_t)st.st_size;
    err = unpack(&(struct cursor){ map, (size_t)st.st_size }, bundle);
    if (err != GH_OK) {
        bundle_free(bundle);
        return err;
    }
    *ret_bundle = bundle;
    return GH_OK;
}
