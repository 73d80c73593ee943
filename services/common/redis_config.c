/* Where Redis is: the URL, and the section `redis` of the file. */
#include "common/config.h"
#include "common/redis_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum gh_err redis_address_set(struct redis_address *address, const char *host, size_t host_len,
                              const char *port)
{
    char *end = NULL;
    const unsigned long number = strtoul(port, &end, 10);

    if (host_len == 0 || host_len > REDIS_HOST_MAX || port[0] < '0' || port[0] > '9' ||
        *end != '\0' || number == 0 || number > 65535)
        return GH_ERR_CONFIG;
    memcpy(address->host, host, host_len);
    address->host[host_len] = '\0';
    address->port_number = (int)number;
    (void)snprintf(address->port, sizeof address->port, "%lu", number);
    address->unix_path = NULL;
    return GH_OK;
}

enum gh_err redis_parse_host(const char *text, size_t len, struct redis_address *ret_address)
{
    const char *colon = memrchr(text, ':', len);
    size_t host_len;

    if (colon == NULL || colon == text || text[len] != '\0') return GH_ERR_CONFIG;
    host_len = (size_t)(colon - text);
    if (host_len > 2 && text[0] == '[' && text[host_len - 1] == ']') {
        text++;
        host_len -= 2;
    }
    return redis_address_set(ret_address, text, host_len, colon + 1);
}

enum gh_err redis_parse_url(struct gh_redis *redis, const char *url)
{
    if (strncmp(url, "unix:", 5) == 0 && url[5] == '/') {
        redis->unix_path = strdup(url + 5);
        redis->address.unix_path = redis->unix_path;
        return redis->unix_path != NULL ? GH_OK : GH_ERR_NOMEM;
    }
    if (strncmp(url, "tcp:", 4) != 0) return GH_ERR_CONFIG;
    return redis_parse_host(url + 4, strlen(url + 4), &redis->address);
}

static bool url_ok(const char *url)
{
    struct gh_redis probe = { 0 };
    const bool ok = redis_parse_url(&probe, url) == GH_OK;

    free(probe.unix_path);
    return ok;
}

struct bound {
    const char *url, *user, *master;
    struct gh_config_secret password, sentinel_password;
    struct gh_config_list sentinels;
    uint64_t timeout_ms;
};

static const struct gh_config_field fields[] = {
    { .key = "url",
      .kind = GH_CFG_STRING,
      .offset = offsetof(struct bound, url),
      .dflt = "unix:${run_dir}/redis.sock",
      .min = 1,
      .help = "unix:/path.sock or tcp:host:port" },
    { .key = "user", .kind = GH_CFG_STRING, .offset = offsetof(struct bound, user), .dflt = "" },
    { .key = "password_file",
      .kind = GH_CFG_SECRET_FILE,
      .offset = offsetof(struct bound, password) },
    { .key = "sentinels",
      .kind = GH_CFG_LIST,
      .offset = offsetof(struct bound, sentinels),
      .dflt = "",
      .max = 16,
      .help = "host:port of each; the master of that name is used instead of url" },
    { .key = "master",
      .kind = GH_CFG_STRING,
      .offset = offsetof(struct bound, master),
      .dflt = "",
      .max = 128 },
    { .key = "sentinel_password_file",
      .kind = GH_CFG_SECRET_FILE,
      .offset = offsetof(struct bound, sentinel_password) },
    { .key = "timeout",
      .kind = GH_CFG_MS,
      .offset = offsetof(struct bound, timeout_ms),
      .dflt = "1s",
      .min = 10,
      .max = 60000 },
    { 0 },
};

static enum gh_err check_sentinels(struct gh_config *config, const struct bound *bound)
{
    struct redis_address probe;

    for (size_t i = 0; i < bound->sentinels.count; i++)
        if (redis_parse_host(bound->sentinels.items[i], strlen(bound->sentinels.items[i]),
                             &probe) != GH_OK)
            return gh_config_fail(config, "redis", "sentinels",
                                  "\"%s\" is not an address; write host:port",
                                  bound->sentinels.items[i]);
    if (bound->sentinels.count > 0 && bound->master[0] == '\0')
        return gh_config_fail(config, "redis", "master",
                              "is missing; write what the sentinels call the master");
    if (bound->sentinels.count == 0 && bound->master[0] != '\0')
        return gh_config_fail(config, "redis", "master", "says nothing without sentinels");
    return GH_OK;
}

enum gh_err gh_redis_config_load(struct gh_config *config, struct gh_redis_config *ret_config)
{
    struct bound bound = { 0 };
    enum gh_err err = gh_config_bind(config, "redis", fields, &bound);

    if (err != GH_OK) return err;
    if (!url_ok(bound.url))
        return gh_config_fail(config, "redis", "url",
                              "\"%s\" is not an address; write unix:/path.sock or tcp:host:port",
                              bound.url);
    err = check_sentinels(config, &bound);
    if (err != GH_OK) return err;
    *ret_config = (struct gh_redis_config){ .url = bound.url,
                                            .user = bound.user,
                                            .secret = bound.password.data,
                                            .secret_len = bound.password.len,
                                            .timeout_ms = bound.timeout_ms,
                                            .sentinels = bound.sentinels.items,
                                            .sentinel_count = bound.sentinels.count,
                                            .master = bound.master,
                                            .sentinel_secret = bound.sentinel_password.data,
                                            .sentinel_secret_len = bound.sentinel_password.len };
    return GH_OK;
}
