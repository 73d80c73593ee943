/*
 * roles - the role table: what a grant of the claims is worth, with inheritance.
 *
 * With a table, deny by default: a grant (a value of the roles claim) is worth the roles that list
 * it under `from`, or, for a role without `from`, the role of its own name; and all that these
 * inherit. Without a table grants are roles as they are. Built at load and never changed; a reload
 * makes another.
 */
#ifndef AUTH_ROLES_H
#define AUTH_ROLES_H

#include "common/config.h"

#include <auth.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

#define ROLES_MAX 64u

struct role_config {
    const char *name;
    struct gh_config_list from;
    struct gh_config_list inherits;
};

struct role_table;

/* configs: struct role_config, the `auth.roles` section; none: a table that is not set. Their texts
 * are copied. Reports what is wrong with its place: a name that is none, an unknown role, a circle.
 */
GH_NODISCARD enum gh_err role_table_new(struct gh_config *config,
                                        const struct gh_config_structs *configs,
                                        struct role_table **ret_table);
void role_table_free(struct role_table *table);

struct role_set { /* borrows from the table and from the grants */
    size_t count;
    const char *names[ROLES_MAX];
};

/* Errors: GH_ERR_LIMIT when it would be more than ROLES_MAX. */
GH_NODISCARD enum gh_err role_table_expand(const struct role_table *table,
                                           const char *const *grants, size_t count,
                                           struct role_set *ret_set);

bool role_table_set(const struct role_table *table);
bool role_table_equal(const struct role_table *a, const struct role_table *b);

/* Borrowed by the caller; lives as long as the table. */
Gh__RoleTable *role_table_message(struct role_table *table);

#endif
