#include "roles.h"

#include "edge.h"

#include "common/log.h"

#include <stdlib.h>
#include <string.h>

#define ROLE_MAX 64u

struct list {
    char *text;
    size_t len, size;
    bool full;
};

static bool is_in(const struct list *list, const void *role, size_t len)
{
    for (size_t at = 0, end; at < list->len; at = end + 1) {
        const char *comma = memchr(list->text + at, ',', list->len - at);

        end = comma != NULL ? (size_t)(comma - list->text) : list->len;
        if (end - at == len && memcmp(list->text + at, role, len) == 0) return true;
    }
    return false;
}

/* As auth has them: 1..64 of [A-Za-z0-9._:-]; a comma inside would read as another role. */
static bool is_role(const char *name, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("._:-", c) != NULL)))
            return false;
    }
    return len > 0 && len <= ROLE_MAX;
}

static void add(struct list *list, const void *role, size_t len)
{
    if (!is_role(role, len) || is_in(list, role, len)) return;
    if (list->len + len + 1 > list->size) {
        list->full = true;
        return;
    }
    if (list->len > 0) list->text[list->len++] = ',';
    memcpy(list->text + list->len, role, len);
    list->len += len;
}

static const Gh__RoleGrant *find(const Gh__RoleTable *table, const char *grant, size_t len)
{
    for (size_t i = 0; i < table->n_grants; i++) {
        const ProtobufCBinaryData known = table->grants[i]->grant;

        if (known.len == len && memcmp(known.data, grant, len) == 0) return table->grants[i];
    }
    return NULL;
}

bool roles_expand(const Gh__RoleTable *table, const struct origin *origin, char *dst, size_t size,
                  size_t *ret_len)
{
    struct list list = { .text = dst, .size = size };
    const char *grant = origin->grants;

    for (size_t i = 0; i < origin->grant_count; i++, grant += strlen(grant) + 1) {
        const Gh__RoleGrant *worth = NULL;

        if (!table->set) {
            add(&list, grant, strlen(grant));
            continue;
        }
        worth = find(table, grant, strlen(grant));
        for (size_t k = 0; worth != NULL && k < worth->n_roles; k++)
            add(&list, worth->roles[k].data, worth->roles[k].len);
    }
    *ret_len = list.full ? 0 : list.len;
    return !list.full;
}

static bool adopt(struct identity *who, const char *roles, size_t len)
{
    char *text = malloc(len + who->token_id_len + 2u);

    if (text == NULL) return false;
    memcpy(text, roles, len);
    text[len] = 0;
    memcpy(text + len + 1, who->token_id, who->token_id_len);
    text[len + 1 + who->token_id_len] = 0;
    free(who->renewed);
    who->renewed = text;
    who->roles = text;
    who->roles_len = (uint16_t)len;
    who->token_id = text + len + 1;
    who->rules_epoch = 0;
    return true;
}

void roles_apply(struct conn *conn, const Gh__RoleTable *table)
{
    struct identity *who = conn->identity;
    char roles[ROLES_LIST_MAX];
    size_t len = 0;

    if (who == NULL || who->origin == NULL) return;
    if (!roles_expand(table, who->origin, roles, sizeof roles, &len))
        gh_log(GH_LOG_WARN, "roles_too_many", "connection=%s left=none", conn->request_id);
    if (who->roles_len == len && memcmp(who->roles, roles, len) == 0) return;
    conn->context_batch = 0; /* the next message is not judged by what the batch knows of it */
    /* Deny by default: without memory for the new ones there are none. */
    if (!adopt(who, roles, len)) {
        who->roles_len = 0;
        who->rules_epoch = 0;
    }
}

void roles_apply_all(struct edge *edge, const Gh__RoleTable *table)
{
    struct conn *conn;
    uint32_t at = 0;
    size_t looked_at = 0;

    while ((conn = conn_table_walk(&edge->conns, &at)) != NULL) {
        if (conn->state != CONN_OPEN) continue;
        roles_apply(conn, table);
        looked_at++;
    }
    gh_log(GH_LOG_INFO, "roles_applied", "connections=%zu grants=%zu table=%s", looked_at,
           table->n_grants, table->set ? "yes" : "no");
}
