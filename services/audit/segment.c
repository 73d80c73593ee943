#include "segment.h"

#include "scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void segment_name(uint64_t first_seq, char dst[SEGMENT_NAME_BYTES])
{
    snprintf(dst, SEGMENT_NAME_BYTES, "audit-%020" PRIu64 ".log", first_seq);
}

static bool parse_name(const char *name, uint64_t *ret_first)
{
    char again[SEGMENT_NAME_BYTES];
    const char *at = name;
    uint64_t first = 0;

    if (!scan_literal(&at, "audit-") || !scan_u64(&at, &first)) return false;
    segment_name(first, again);
    *ret_first = first;
    return strcmp(again, name) == 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

enum gh_err segment_list(int dir_fd, struct segment_list *ret_list)
{
    struct segment_list list = { 0 };
    size_t cap = 0;
    const struct dirent *entry;
    enum gh_err err = GH_OK;

    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0) close(fd);
        return GH_ERR_IO;
    }
    while (err == GH_OK && (entry = readdir(dir)) != NULL) {
        uint64_t first = 0;

        if (!parse_name(entry->d_name, &first)) continue;
        if (list.count == cap) {
            size_t more = cap == 0 ? 64 : cap * 2;
            uint64_t *grown = realloc(list.first, more * sizeof(*grown));
            if (grown == NULL) {
                err = GH_ERR_NOMEM;
                break;
            }
            list.first = grown;
            cap = more;
        }
        list.first[list.count++] = first;
    }
    closedir(dir);
    if (err != GH_OK) {
        segment_list_done(&list);
        return err;
    }
    if (list.count > 0) qsort(list.first, list.count, sizeof(*list.first), by_value);
    *ret_list = list;
    return GH_OK;
}

void segment_list_done(struct segment_list *list)
{
    free(list->first);
    *list = (struct segment_list){ 0 };
}

enum gh_err segment_open(int dir_fd, uint64_t first_seq, bool create, int *ret_fd)
{
    char name[SEGMENT_NAME_BYTES];

    segment_name(first_seq, name);
    int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT | O_EXCL : 0),
                    0600);
    if (fd < 0) return errno == ENOENT ? GH_ERR_NOT_FOUND : GH_ERR_IO;
    *ret_fd = fd;
    return GH_OK;
}

enum gh_err file_write_all(int fd, const void *bytes, size_t len, uint64_t off)
{
    const char *at = bytes;

    while (len > 0) {
        ssize_t n = pwrite(fd, at, len, (off_t)off);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return GH_ERR_IO;
        at += n;
        off += (uint64_t)n;
        len -= (size_t)n;
    }
    return GH_OK;
}

enum gh_err file_replace(int dir_fd, const char *name, const void *bytes, size_t len)
{
    char other[300];

    if (snprintf(other, sizeof(other), "%s.new", name) >= (int)sizeof(other)) return GH_ERR_IO;
    int fd = openat(dir_fd, other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return GH_ERR_IO;
    enum gh_err err = file_write_all(fd, bytes, len, 0);
    if (err == GH_OK && fsync(fd) != 0) err = GH_ERR_IO;
    if (close(fd) != 0) err = GH_ERR_IO;
    if (err == GH_OK && renameat(dir_fd, other, dir_fd, name) != 0) err = GH_ERR_IO;
    if (err == GH_OK && fsync(dir_fd) != 0) err = GH_ERR_IO;
    return err;
}

enum gh_err file_read(int dir_fd, const char *name, size_t max, char **ret_bytes, size_t *ret_len)
{
    struct stat st;
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return errno == ENOENT ? GH_ERR_NOT_FOUND : GH_ERR_IO;
    enum gh_err err = fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) ? GH_ERR_IO : GH_OK;
    if (err == GH_OK && (uint64_t)st.st_size > max) err = GH_ERR_LIMIT;
    char *bytes = err == GH_OK ? malloc((size_t)st.st_size + 1) : NULL;
    if (err == GH_OK && bytes == NULL) err = GH_ERR_NOMEM;
    size_t got = 0;
    while (err == GH_OK && got < (size_t)st.st_size) {
        ssize_t n = pread(fd, bytes + got, (size_t)st.st_size - got, (off_t)got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) err = GH_ERR_IO;
        if (n <= 0) break;
        got += (size_t)n;
    }
    close(fd);
    if (err != GH_OK) {
        free(bytes);
        return err;
    }
    bytes[got] = '\0';
    *ret_bytes = bytes;
    *ret_len = got;
    return GH_OK;
}
