#include "route.h"

#include <string.h>

struct route *route_find(const struct route_table *table, struct span path)
{
    for (size_t i = 0; i < table->count; i++)
        if (span_eq(path, table->routes[i].path)) return &table->routes[i];
    return NULL;
}

enum gh_code route_check_origin(const struct route *route, const struct head *head,
                                Gh__CredentialKind credential, const char **ret_reason)
{
    if (head->origin.data == NULL) {
        if (route->missing_origin == ROUTE_ORIGIN_ALLOW &&
            credential != GH__CREDENTIAL_KIND__CREDENTIAL_COOKIE)
            return GH_CODE_OK;
        *ret_reason = "no origin";
        return GH_CODE_ORIGIN;
    }
    for (size_t i = 0; i < route->origins.count; i++)
        if (span_eq(head->origin, route->origins.items[i])) return GH_CODE_OK;
    *ret_reason = "origin not in the list";
    return GH_CODE_ORIGIN;
}

enum gh_code route_check_host(const struct route *route, const struct head *head,
                              const char **ret_reason)
{
    if (route->hosts.count == 0) return GH_CODE_OK;
    for (size_t i = 0; i < route->hosts.count; i++)
        if (span_case_eq(head->host, route->hosts.items[i])) return GH_CODE_OK;
    *ret_reason = "host not in the list";
    return GH_CODE_BAD_REQUEST;
}

uint32_t route_credential_bit(const char *name)
{
    static const struct {
        const char *name;
        Gh__CredentialKind kind;
    } rows[] = {
        { "bearer", GH__CREDENTIAL_KIND__CREDENTIAL_BEARER },
        { "subprotocol", GH__CREDENTIAL_KIND__CREDENTIAL_SUBPROTOCOL },
        { "ticket", GH__CREDENTIAL_KIND__CREDENTIAL_TICKET },
        { "cookie", GH__CREDENTIAL_KIND__CREDENTIAL_COOKIE },
        { "certificate", GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(name, rows[i].name) == 0) return CREDENTIAL_BIT(rows[i].kind);
    return 0;
}
