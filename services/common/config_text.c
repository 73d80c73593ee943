#include "common/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX_BYTES 8192

static const char *variable(const struct gh_config *config, const char *name, size_t len)
{
    const struct {
        const char *name, *value;
    } variables[] = {
        { "run_dir", config->run_dir },
        { "state_dir", config->state_dir },
        { "config_dir", config->dir },
        { "instance", config->instance },
    };

    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        if (strlen(variables[i].name) == len && memcmp(variables[i].name, name, len) == 0)
            return variables[i].value;
    return NULL;
}

/* "$${" stands for "${". */
enum gh_err cfg_expand(struct gh_config *config, const struct cfg_where *where, const char *text,
                       const char **ret_text)
{
    char out[TEXT_MAX_BYTES], quoted[128];
    size_t at = 0;

    while (*text != '\0') {
        const char *piece = text;
        size_t take = 1, skip = 1;

        if (strncmp(text, "$${", 3) == 0) {
            piece = text + 1;
            take = 2;
            skip = 3;
        } else if (strncmp(text, "${", 2) == 0) {
            const char *end = strchr(text, '}');
            const size_t len = end != NULL ? (size_t)(end - text - 2) : 0;

            piece = end != NULL ? variable(config, text + 2, len) : NULL;
            if (piece == NULL) {
                cfg_report(config, where,
                           "%s cannot be expanded; write ${run_dir}, ${state_dir}, ${config_dir} "
                           "or ${instance} ($${ for a plain ${)",
                           cfg_quote(quoted, text, end != NULL ? len + 3 : strlen(text)));
                return GH_ERR_CONFIG;
            }
            take = strlen(piece);
            skip = len + 3;
        }
        if (at + take >= sizeof out) {
            cfg_report(config, where, "longer than %d bytes", TEXT_MAX_BYTES - 1);
            return GH_ERR_CONFIG;
        }
        memcpy(out + at, piece, take);
        at += take;
        text += skip;
    }
    const char *copy = cfg_strndup(config, out, at);
    if (copy == NULL) return GH_ERR_NOMEM;
    *ret_text = copy;
    return GH_OK;
}

enum gh_err cfg_path(struct gh_config *config, const struct cfg_where *where, const char *text,
                     const char **ret_path)
{
    const char *path = NULL;
    enum gh_err err = cfg_expand(config, where, text, &path);

    if (err != GH_OK) return err;
    if (path[0] != '\0' && path[0] != '/') {
        const size_t dir_len = strlen(config->dir), len = strlen(path);
        char *joined = cfg_alloc(config, dir_len + len + 2, false);

        if (joined == NULL) return GH_ERR_NOMEM;
        memcpy(joined, config->dir, dir_len);
        joined[dir_len] = '/';
        memcpy(joined + dir_len + 1, path, len);
        path = joined;
    }
    *ret_path = path;
    return GH_OK;
}

static enum gh_err secret_read(struct gh_config *config, const struct cfg_where *where, int fd,
                               const char *path, struct gh_config_secret *ret_secret)
{
    struct stat st = { 0 };
    size_t len = 0;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        cfg_report(config, where, "%s is not a regular file", path);
        return GH_ERR_CONFIG;
    }
    /* root may hand a file to the service's group (0440, also how Kubernetes mounts with fsGroup);
     * nobody else may read or write it. */
    const mode_t allowed = st.st_uid == 0 ? 0740 : 0700;
    if ((st.st_mode & 0777 & ~allowed) != 0) {
        cfg_report(config, where,
                   "%s has mode %04o: others could read the secret; chmod 0400 (or 0440 when root "
                   "owns it)",
                   path, (unsigned)st.st_mode & 0777);
        return GH_ERR_CONFIG;
    }
    if (st.st_size > CFG_SECRET_MAX_BYTES) {
        cfg_report(config, where, "%s is larger than 64 KiB", path);
        return GH_ERR_CONFIG;
    }

    unsigned char *data = cfg_alloc(config, (size_t)st.st_size + 1, true);
    if (data == NULL) return GH_ERR_NOMEM;
    while (len < (size_t)st.st_size) {
        const ssize_t n = read(fd, data + len, (size_t)st.st_size - len);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            cfg_report(config, where, "cannot read %s: %s", path, strerror(errno));
            return GH_ERR_CONFIG;
        }
        if (n == 0) break;
        len += (size_t)n;
    }
    if (len > 0 && data[len - 1] == '\n') data[--len] = '\0';
    if (len == 0) {
        cfg_report(config, where, "%s is empty", path);
        return GH_ERR_CONFIG;
    }
    *ret_secret = (struct gh_config_secret){ .path = path, .data = data, .len = len };
    return GH_OK;
}

enum gh_err cfg_secret(struct gh_config *config, const struct cfg_where *where, const char *text,
                       struct gh_config_secret *ret_secret)
{
    const char *path = NULL;
    enum gh_err err = cfg_path(config, where, text, &path);

    if (err != GH_OK) return err;
    if (path[0] == '\0') {
        *ret_secret = (struct gh_config_secret){ .path = path };
        return GH_OK;
    }
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        cfg_report(config, where, "cannot read %s: %s", path, strerror(errno));
        return GH_ERR_CONFIG;
    }
    err = secret_read(config, where, fd, path, ret_secret);
    close(fd);
    return err;
}
