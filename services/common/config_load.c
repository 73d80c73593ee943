#include "common/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What deploy/gatehouse.yaml may hold at its top level. */
static const char *const suite_sections[] = {
    "run_dir",   "state_dir", "log",     "drain", "admin", "bus",     "redis",
    "endpoints", "edge",      "routes",  "apps",  "auth",  "session", "limiter",
    "validator", "audit",     "console", "chat",  "spool", NULL,
};

static enum gh_err fail_file(const struct gh_config *config, const char *text)
{
    const struct cfg_where where = { 0 };

    cfg_report(config, &where, "%s", text);
    return GH_ERR_CONFIG;
}

static enum gh_err read_file(struct gh_config *config, unsigned char **ret_bytes, size_t *ret_len)
{
    const int fd = open(config->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    unsigned char *bytes = NULL;
    size_t len = 0;
    enum gh_err err = GH_OK;

    if (fd < 0) return fail_file(config, strerror(errno));
    bytes = malloc(CFG_FILE_MAX_BYTES + 1);
    if (bytes == NULL) err = GH_ERR_NOMEM;
    while (err == GH_OK && len <= CFG_FILE_MAX_BYTES) {
        const ssize_t n = read(fd, bytes + len, CFG_FILE_MAX_BYTES + 1 - len);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) err = fail_file(config, strerror(errno));
        if (n <= 0) break;
        len += (size_t)n;
    }
    close(fd);
    if (err == GH_OK && len > CFG_FILE_MAX_BYTES) err = fail_file(config, "larger than 1 MiB");
    if (err != GH_OK) {
        free(bytes);
        return err;
    }
    *ret_bytes = bytes;
    *ret_len = len;
    return GH_OK;
}

static enum gh_err set_dir(struct gh_config *config)
{
    const char *slash = strrchr(config->path, '/');
    char *folder =
        slash == NULL
            ? strdup(".")
            : strndup(config->path, slash == config->path ? 1 : (size_t)(slash - config->path));
    /* absolute now: a later change of the working folder must not move the paths */
    char *full = folder != NULL ? realpath(folder, NULL) : NULL;
    const char *dir = full != NULL ? full : folder;

    if (dir != NULL) config->dir = cfg_strndup(config, dir, strlen(dir));
    free(full);
    free(folder);
    return config->dir != NULL ? GH_OK : GH_ERR_NOMEM;
}

static enum gh_err check_sections(struct gh_config *config, const char *const *sections)
{
    enum gh_err err = GH_OK;

    for (const struct cfg_node *node = config->root->first; node != NULL; node = node->next) {
        const struct cfg_where where = { .path = node->key, .line = node->line };
        struct cfg_names names;
        char hint[160];
        bool known = false;

        cfg_names_init(&names, node->key);
        for (size_t i = 0; sections[i] != NULL && !known; i++) {
            known = strcmp(sections[i], node->key) == 0;
            cfg_names_add(&names, sections[i]);
        }
        if (known) continue;
        cfg_report(config, &where, "unknown section%s; known sections: %s",
                   cfg_names_hint(&names, hint), names.list);
        err = GH_ERR_CONFIG;
    }
    return err;
}

/* run_dir and state_dir come first: the other values expand them. */
static enum gh_err bind_dirs(struct gh_config *config)
{
    struct {
        const char *run_dir, *state_dir;
    } dirs = { 0 };
    static const struct gh_config_field run_field[] = {
        { .key = "run_dir", .kind = GH_CFG_PATH, .dflt = "/run/gatehouse", .min = 1 },
        { 0 },
    };
    static const struct gh_config_field state_field[] = {
        { .key = "state_dir", .kind = GH_CFG_PATH, .dflt = "/var/lib/gatehouse", .min = 1 },
        { 0 },
    };
    enum gh_err err = gh_config_bind(config, NULL, run_field, &dirs.run_dir);

    if (err != GH_OK) return err;
    config->run_dir = dirs.run_dir;
    err = gh_config_bind(config, NULL, state_field, &dirs.state_dir);
    if (err == GH_OK) config->state_dir = dirs.state_dir;
    return err;
}

static enum gh_err load(const char *path, const char *instance, const char *const *sections,
                        bool suite, struct gh_config **ret_config)
{
    struct gh_config *config = calloc(1, sizeof *config);
    unsigned char *bytes = NULL;
    size_t len = 0;
    enum gh_err err = GH_OK;

    if (config == NULL) return GH_ERR_NOMEM;
    if (instance == NULL) instance = "";
    config->path = cfg_strndup(config, path, strlen(path));
    config->instance = cfg_strndup(config, instance, strlen(instance));
    if (config->path == NULL || config->instance == NULL) err = GH_ERR_NOMEM;
    if (err == GH_OK) err = set_dir(config);
    if (err == GH_OK) err = read_file(config, &bytes, &len);
    if (err == GH_OK) err = cfg_parse(config, bytes, len);
    free(bytes);
    if (err == GH_OK) err = check_sections(config, sections);
    if (err == GH_OK && suite) {
        err = cfg_env_collect(config);
        if (err == GH_OK) err = bind_dirs(config);
        if (err == GH_OK) cfg_env_warn_unplaced(config, sections);
    }
    if (err != GH_OK) {
        gh_config_free(config);
        return err;
    }
    *ret_config = config;
    return GH_OK;
}

enum gh_err gh_config_load(const char *path, const char *instance, struct gh_config **ret_config)
{
    return load(path, instance, suite_sections, true, ret_config);
}

enum gh_err gh_config_load_other(const char *path, const char *const *sections,
                                 struct gh_config **ret_config)
{
    return load(path, NULL, sections, false, ret_config);
}

void gh_config_free(struct gh_config *config)
{
    if (config == NULL) return;
    cfg_env_free(config);
    cfg_free_all(config);
    free(config);
}

const char *gh_config_path(const struct gh_config *config)
{
    return config->path;
}

/* The deepest node on the way that "edge.tls.enabled" or "routes[1].path" describes. */
static const struct cfg_node *locate(const struct gh_config *config, const char *path)
{
    const struct cfg_node *node = config->root, *found = NULL;
    char key[CFG_KEY_MAX_BYTES + 1];

    while (*path != '\0' && node != NULL) {
        if (*path == '[') {
            char *end = NULL;
            unsigned long index = strtoul(path + 1, &end, 10);

            node = node->kind == CFG_SEQUENCE ? node->first : NULL;
            while (node != NULL && index-- > 0)
                node = node->next;
            path = *end == ']' ? end + 1 : end;
        } else {
            const size_t len = strcspn(path, ".[");

            if (len > CFG_KEY_MAX_BYTES) break;
            memcpy(key, path, len);
            key[len] = '\0';
            node = cfg_find(node, key);
            path += len;
        }
        if (*path == '.') path++;
        if (node != NULL) found = node;
    }
    return found;
}

enum gh_err gh_config_fail(const struct gh_config *config, const char *section, const char *key,
                           const char *fmt, ...)
{
    char path[CFG_PATH_MAX_BYTES], text[1024];
    va_list args;

    (void)snprintf(path, sizeof path, "%s%s%s", section != NULL ? section : "",
                   section != NULL && key != NULL ? "." : "", key != NULL ? key : "");
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);

    const struct cfg_node *node = locate(config, path);
    const struct cfg_where where = { .path = path[0] != '\0' ? path : NULL,
                                     .line = node != NULL ? node->line : 0,
                                     .env = cfg_env_used(config, path) };
    cfg_report(config, &where, "%s", text);
    return GH_ERR_CONFIG;
}
