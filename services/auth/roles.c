#include "roles.h"

#include "verify.h"

#include "common/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct role {
    char *name;
    char **from;
    size_t from_count;
    size_t *inherits; /* indexes */
    size_t inherit_count;
    bool reached[ROLES_MAX]; /* itself and all it inherits, by index */
};

struct role_table {
    bool set;
    struct role *roles; /* sorted by name, so that equal tables look alike */
    size_t count;
    Gh__RoleTable message;
    Gh__RoleGrant *grants;
    Gh__RoleGrant **grant_list;
    ProtobufCBinaryData *worth; /* ROLES_MAX for each grant */
};

void role_table_free(struct role_table *table)
{
    if (table == NULL) return;
    for (size_t i = 0; i < table->count; i++) {
        for (size_t k = 0; k < table->roles[i].from_count; k++)
            free(table->roles[i].from[k]);
        free(table->roles[i].from);
        free(table->roles[i].inherits);
        free(table->roles[i].name);
    }
    free(table->roles);
    free(table->grants);
    free(table->grant_list);
    free(table->worth);
    free(table);
}

static size_t find(const struct role_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->roles[i].name, name) == 0) return i;
    }
    return SIZE_MAX;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct role_config *const *)a)->name,
                  (*(const struct role_config *const *)b)->name);
}

static enum gh_err copy_role(struct role *role, const struct role_config *from)
{
    role->name = strdup(from->name);
    role->from = calloc(from->from.count + 1, sizeof(char *));
    role->inherits = calloc(from->inherits.count + 1, sizeof(size_t));
    if (role->name == NULL || role->from == NULL || role->inherits == NULL) return GH_ERR_NOMEM;
    for (size_t k = 0; k < from->from.count; k++) {
        role->from[k] = strdup(from->from.items[k]);
        if (role->from[k] == NULL) return GH_ERR_NOMEM;
        role->from_count++;
    }
    return GH_OK;
}

/* Marks what `at` reaches. False: a circle. */
static bool reach(const struct role_table *table, struct role *role, size_t at, size_t depth)
{
    if (depth > table->count) return false;
    role->reached[at] = true;
    for (size_t k = 0; k < table->roles[at].inherit_count; k++) {
        if (!reach(table, role, table->roles[at].inherits[k], depth + 1)) return false;
    }
    return true;
}

static enum gh_err link_roles(struct gh_config *config, struct role_table *table,
                              const struct role_config *const *from)
{
    char where[160];

    for (size_t i = 0; i < table->count; i++) {
        (void)snprintf(where, sizeof(where), "roles.%s.inherits", from[i]->name);
        for (size_t k = 0; k < from[i]->inherits.count; k++) {
            size_t other = find(table, from[i]->inherits.items[k]);

            if (other == SIZE_MAX)
                return gh_config_fail(config, "auth", where, "there is no role \"%s\"",
                                      from[i]->inherits.items[k]);
            table->roles[i].inherits[table->roles[i].inherit_count++] = other;
        }
    }
    for (size_t i = 0; i < table->count; i++) {
        (void)snprintf(where, sizeof(where), "roles.%s.inherits", from[i]->name);
        if (!reach(table, &table->roles[i], i, 0))
            return gh_config_fail(config, "auth", where, "the role inherits itself in a circle");
    }
    return GH_OK;
}

/* ---- the message ---- */

static bool known_grant(const struct role_table *table, const char *grant)
{
    for (size_t i = 0; i < table->message.n_grants; i++) {
        if (gh_bytes_eq(table->grants[i].grant, grant)) return true;
    }
    return false;
}

static void add_grant(struct role_table *table, const char *grant)
{
    size_t at = table->message.n_grants;
    Gh__RoleGrant *message = &table->grants[at];
    ProtobufCBinaryData *worth = &table->worth[at * ROLES_MAX];
    struct role_set set;

    if (known_grant(table, grant) || role_table_expand(table, &grant, 1, &set) != GH_OK) return;
    gh__role_grant__init(message);
    message->grant = gh_bytes_str(grant);
    message->roles = worth;
    message->n_roles = set.count;
    for (size_t i = 0; i < set.count; i++)
        worth[i] = gh_bytes_str(set.names[i]);
    table->grant_list[at] = message;
    table->message.n_grants++;
}

static enum gh_err make_message(struct role_table *table)
{
    size_t count = table->count;

    for (size_t i = 0; i < table->count; i++)
        count += table->roles[i].from_count;
    gh__role_table__init(&table->message);
    table->message.set = table->set;
    if (!table->set) return GH_OK;
    table->grants = calloc(count, sizeof(*table->grants));
    table->grant_list = calloc(count, sizeof(*table->grant_list));
    table->worth = calloc(count * ROLES_MAX, sizeof(*table->worth));
    if (table->grants == NULL || table->grant_list == NULL || table->worth == NULL)
        return GH_ERR_NOMEM;
    table->message.grants = table->grant_list;
    for (size_t i = 0; i < table->count; i++) {
        if (table->roles[i].from_count == 0) add_grant(table, table->roles[i].name);
        for (size_t k = 0; k < table->roles[i].from_count; k++)
            add_grant(table, table->roles[i].from[k]);
    }
    return GH_OK;
}

Gh__RoleTable *role_table_message(struct role_table *table)
{
    return &table->message;
}

/* ---- making and using ---- */

enum gh_err role_table_new(struct gh_config *config, const struct gh_config_structs *configs,
                           struct role_table **ret_table)
{
    struct role_table *table = calloc(1, sizeof(*table));
    const struct role_config *from[ROLES_MAX];
    char where[160];
    enum gh_err err = GH_OK;

    if (table == NULL) return GH_ERR_NOMEM;
    table->set = configs->count > 0;
    if (table->set) table->roles = calloc(configs->count, sizeof(*table->roles));
    if (table->set && table->roles == NULL) err = GH_ERR_NOMEM;
    for (size_t i = 0; err == GH_OK && i < configs->count; i++) {
        from[i] = &((const struct role_config *)configs->items)[i];
        (void)snprintf(where, sizeof(where), "roles.%s", from[i]->name);
        if (!verify_is_role_name(from[i]->name, strlen(from[i]->name)))
            err = gh_config_fail(config, "auth", where,
                                 "a role's name is 1 to %u of A-Z a-z 0-9 . _ : -",
                                 VERIFY_ROLE_MAX_BYTES);
    }
    if (err == GH_OK && table->set) qsort(from, configs->count, sizeof(from[0]), by_name);
    for (size_t i = 0; err == GH_OK && i < configs->count; i++) {
        table->count++;
        err = copy_role(&table->roles[i], from[i]);
    }
    if (err == GH_OK) err = link_roles(config, table, from);
    if (err == GH_OK) err = make_message(table);
    if (err != GH_OK) {
        role_table_free(table);
        return err;
    }
    *ret_table = table;
    return GH_OK;
}

static bool grants_role(const struct role *role, const char *grant)
{
    if (role->from_count == 0) return strcmp(role->name, grant) == 0;
    for (size_t i = 0; i < role->from_count; i++) {
        if (strcmp(role->from[i], grant) == 0) return true;
    }
    return false;
}

enum gh_err role_table_expand(const struct role_table *table, const char *const *grants,
                              size_t count, struct role_set *ret_set)
{
    bool reached[ROLES_MAX] = { false };

    ret_set->count = 0;
    if (!table->set) {
        for (size_t i = 0; i < count; i++) {
            /* What is no role's name gives no role: a comma in it would be two. */
            if (!verify_is_role_name(grants[i], strlen(grants[i]))) continue;
            if (ret_set->count == ROLES_MAX) return GH_ERR_LIMIT;
            ret_set->names[ret_set->count++] = grants[i];
        }
        return GH_OK;
    }
    for (size_t g = 0; g < count; g++) {
        for (size_t i = 0; i < table->count; i++) {
            if (!grants_role(&table->roles[i], grants[g])) continue;
            for (size_t k = 0; k < table->count; k++)
                reached[k] = reached[k] || table->roles[i].reached[k];
        }
    }
    for (size_t k = 0; k < table->count; k++) {
        if (reached[k]) ret_set->names[ret_set->count++] = table->roles[k].name;
    }
    return GH_OK;
}

bool role_table_set(const struct role_table *table)
{
    return table->set;
}

bool role_table_equal(const struct role_table *a, const struct role_table *b)
{
    if (a->set != b->set || a->message.n_grants != b->message.n_grants) return false;
    for (size_t i = 0; i < a->message.n_grants; i++) {
        const Gh__RoleGrant *x = &a->grants[i], *y = &b->grants[i];

        if (x->n_roles != y->n_roles || x->grant.len != y->grant.len ||
            memcmp(x->grant.data, y->grant.data, x->grant.len) != 0)
            return false;
        for (size_t k = 0; k < x->n_roles; k++) {
            if (x->roles[k].len != y->roles[k].len ||
                memcmp(x->roles[k].data, y->roles[k].data, x->roles[k].len) != 0)
                return false;
        }
    }
    return true;
}
