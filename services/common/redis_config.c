/* Where Redis is: the URL, and the section `redis` of the file. */
#include "common/config.h"
#include "common/redis_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum gh_err redis_parse_url(struct gh_redis *redis, const char *url)
{
    if (strncmp(url, "unix:", 5) == 0 && url[5] == '/') {
        redis->unix_path = strdup(url + 5);
        return redis->unix_path != NULL ? GH_OK : GH_ERR_NOMEM;
    }
    const char *colon = strrchr(url, ':');
    if (strncmp(url, "tcp:", 4) != 0 || colon < url + 5) return GH_ERR_CONFIG;

    const char *host = url + 4;
    size_t host_len = (size_t)(colon - host);
    if (host_len > 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    }
    char *end = NULL;
    const unsigned long port = strtoul(colon + 1, &end, 10);
    if (host_len > REDIS_HOST_MAX || colon[1] < '0' || colon[1] > '9' || *end != '\0' ||
        port == 0 || port > 65535)
        return GH_ERR_CONFIG;
    memcpy(redis->host, host, host_len);
    redis->host[host_len] = '\0';
    redis->port_number = (int)port;
    (void)snprintf(redis->port, sizeof redis->port, "%lu", port);
    return GH_OK;
}

static bool url_ok(const char *url)
{
    struct gh_redis probe = { 0 };
    const bool ok = redis_parse_url(&probe, url) == GH_OK;

    free(probe.unix_path);
    return ok;
}

struct bound {
    const char *url, *user;
    struct gh_config_secret password;
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
    { .key = "timeout",
      .kind = GH_CFG_MS,
      .offset = offsetof(struct bound, timeout_ms),
      .dflt = "1s",
      .min = 10,
      .max = 60000 },
    { 0 },
};

enum gh_err gh_redis_config_load(struct gh_config *config, struct gh_redis_config *ret_config)
{
    struct bound bound = { 0 };
    enum gh_err err = gh_config_bind(config, "redis", fields, &bound);

    if (err != GH_OK) return err;
    if (!url_ok(bound.url))
        return gh_config_fail(config, "redis", "url",
                              "\"%s\" is not an address; write unix:/path.sock or tcp:host:port",
                              bound.url);
    *ret_config = (struct gh_redis_config){ .url = bound.url,
                                            .user = bound.user,
                                            .secret = bound.password.data,
                                            .secret_len = bound.password.len,
                                            .timeout_ms = bound.timeout_ms };
    return GH_OK;
}
