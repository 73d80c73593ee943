#include "policy/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_BYTES 4096

static bool read_all(int fd, size_t size, struct gh_buf *bytes)
{
    if (gh_buf_reserve(bytes, size) != GH_OK) return false;
    while (bytes->len < size) {
        ssize_t got = read(fd, bytes->data + bytes->len, size - bytes->len);

        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false; /* cut meanwhile */
        bytes->len += (size_t)got;
    }
    return true;
}

bool cache_read(const char *path, struct gh_buf *ret_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat st;
    bool ok;

    if (fd < 0) return false;
    ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
         (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 && st.st_size > 0 &&
         st.st_size <= CACHE_MAX_BYTES && read_all(fd, (size_t)st.st_size, ret_bytes);
    close(fd);
    if (!ok) gh_buf_reset(ret_bytes);
    return ok;
}

static bool write_all(int fd, const struct gh_buf *bytes)
{
    size_t done = 0;

    while (done < bytes->len) {
        ssize_t put = write(fd, bytes->data + done, bytes->len - done);

        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        done += (size_t)put;
    }
    return true;
}

static enum gh_err replace(const char *path, const struct gh_buf *bytes)
{
    char temporary[PATH_MAX_BYTES];
    int fd;
    bool ok;

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= sizeof temporary)
        return GH_ERR_IO;
    fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
    if (fd < 0) return GH_ERR_IO;
    ok = write_all(fd, bytes);
    ok = close(fd) == 0 && ok;
    if (ok && rename(temporary, path) == 0) return GH_OK;
    (void)unlink(temporary);
    return GH_ERR_IO;
}

enum gh_err cache_write(const char *path, const struct signatures *signatures)
{
    struct gh_buf older, bytes;
    enum gh_err err;

    gh_buf_init(&older, 0);
    gh_buf_init(&bytes, 0);
    (void)cache_read(path, &older);
    err = signatures_export(signatures, older.data, older.len, CACHE_MAX_BYTES / 2, &bytes);
    if (err == GH_OK && bytes.len > CACHE_MAX_BYTES) err = GH_ERR_IO;
    if (err == GH_OK) err = replace(path, &bytes);
    gh_buf_done(&older);
    gh_buf_done(&bytes);
    return err;
}
