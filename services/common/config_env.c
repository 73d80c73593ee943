/* Overrides: GATEHOUSE_ and the key path in capitals, everything but letters and digits as '_'. */
#include "common/config_internal.h"
#include "common/log.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX     "GATEHOUSE_"
#define PREFIX_LEN (sizeof PREFIX - 1)

static void env_name(const char *path, char *dst, size_t size)
{
    size_t at = (size_t)snprintf(dst, size, PREFIX);

    for (; *path != '\0' && at + 1 < size; path++)
        dst[at++] = isalnum((unsigned char)*path) ? (char)toupper((unsigned char)*path) : '_';
    dst[at] = '\0';
}

enum gh_err cfg_env_collect(struct gh_config *config)
{
    size_t count = 0;

    for (char **at = environ; *at != NULL; at++)
        if (strncmp(*at, PREFIX, PREFIX_LEN) == 0) count++;
    if (count == 0) return GH_OK;
    config->env = calloc(count, sizeof *config->env);
    if (config->env == NULL) return GH_ERR_NOMEM;
    for (char **at = environ; *at != NULL && config->env_count < count; at++) {
        const char *equals = strchr(*at, '=');

        if (strncmp(*at, PREFIX, PREFIX_LEN) != 0 || equals == NULL) continue;
        struct cfg_env *env = &config->env[config->env_count++];
        env->name = strndup(*at, (size_t)(equals - *at));
        env->value = strdup(equals + 1);
        env->best_distance = UINT32_MAX;
        if (env->name == NULL || env->value == NULL) return GH_ERR_NOMEM;
    }
    return GH_OK;
}

void cfg_env_free(struct gh_config *config)
{
    for (size_t i = 0; i < config->env_count; i++) {
        free(config->env[i].name);
        free(config->env[i].value);
    }
    free(config->env);
    config->env = NULL;
    config->env_count = 0;
}

const struct cfg_env *cfg_env_find(struct gh_config *config, const char *path)
{
    char name[CFG_PATH_MAX_BYTES];
    struct cfg_env *found = NULL;

    if (config->env_count == 0) return NULL;
    env_name(path, name, sizeof name);
    for (size_t i = 0; i < config->env_count; i++) {
        struct cfg_env *env = &config->env[i];

        if (strcmp(env->name, name) == 0) {
            env->used = true;
            found = env;
        } else if (!env->used) { /* remembered for the warning, should nobody take it */
            const unsigned distance = cfg_distance(env->name + PREFIX_LEN, name + PREFIX_LEN);

            if (distance < env->best_distance && strlen(name) < sizeof env->best) {
                env->best_distance = distance;
                strcpy(env->best, name);
            }
        }
    }
    return found;
}

const struct cfg_env *cfg_env_used(const struct gh_config *config, const char *path)
{
    char name[CFG_PATH_MAX_BYTES];

    env_name(path, name, sizeof name);
    for (size_t i = 0; i < config->env_count; i++)
        if (config->env[i].used && strcmp(config->env[i].name, name) == 0) return &config->env[i];
    return NULL;
}

bool cfg_env_in_section(const struct cfg_env *env, const char *section)
{
    char name[CFG_PATH_MAX_BYTES];

    env_name(section, name, sizeof name);
    const size_t len = strlen(name);
    return strncmp(env->name, name, len) == 0 && (env->name[len] == '\0' || env->name[len] == '_');
}

/* A warning only: Kubernetes puts GATEHOUSE_EDGE_SERVICE_HOST and the like into every container. */
static void warn_once(struct cfg_env *env)
{
    const bool near = env->best[0] != '\0' && env->best_distance <= 2;

    if (env->used || env->warned) return;
    env->warned = true;
    gh_log(GH_LOG_WARN, "config_warning", "environment %s: no such setting; ignored%s%s%s",
           env->name, near ? "; did you mean " : "", near ? env->best : "", near ? "?" : "");
}

void cfg_env_warn_section(struct gh_config *config, const char *section)
{
    for (size_t i = 0; i < config->env_count; i++)
        if (cfg_env_in_section(&config->env[i], section)) warn_once(&config->env[i]);
}

void cfg_env_warn_unplaced(struct gh_config *config, const char *const *sections)
{
    for (size_t i = 0; i < config->env_count; i++) {
        bool placed = false;

        for (size_t s = 0; sections[s] != NULL && !placed; s++)
            placed = cfg_env_in_section(&config->env[i], sections[s]);
        if (!placed) warn_once(&config->env[i]);
    }
}
