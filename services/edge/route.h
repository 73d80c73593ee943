/*
 * route - which paths there are, and who may ask for them.
 *
 * A route is found by its exact path. Origins are compared byte by byte with the list: no wildcard,
 * no prefix, no case folding (a browser always sends the serialised form of RFC 6454 section 6.1).
 * Pure, made once from the configuration.
 */
#ifndef EDGE_ROUTE_H
#define EDGE_ROUTE_H

#include "credential.h"
#include "pmd_offer.h"

#include "common/config.h"
#include "common/metrics.h"

struct app_link;

struct route_resume {   /* resume.h */
    uint64_t window_ms; /* 0: sessions end with their connection */
    uint32_t max_messages;
    uint64_t max_bytes;
};

enum route_missing_origin { ROUTE_ORIGIN_ALLOW, ROUTE_ORIGIN_REFUSE };

struct route {
    /* From the configuration. */
    const char *path;
    const char *name;
    const char *app;
    struct gh_config_list origins;
    uint32_t missing_origin; /* enum route_missing_origin */
    struct gh_config_list credentials_list;
    const char *cookie;          /* cookie name for the credential "cookie" */
    struct gh_config_list hosts; /* allowed Host values; empty: any well-formed one */
    uint32_t compression;        /* enum pmd_mode */
    struct route_resume resume;
    /* Derived. */
    struct credential_rules credentials;
    struct app_link *link;
    uint64_t *opened, *active, *messages_in, *messages_out, *bytes_in, *bytes_out;
};

struct route_table {
    struct route *routes;
    size_t count;
};

/* NULL: no such route. */
struct route *route_find(const struct route_table *table, struct span path);

/* GH_CODE_OK or GH_CODE_ORIGIN. A missing Origin is refused with a cookie credential whatever the
 * route says: only a browser sends cookies by itself, and every browser sends Origin. */
enum gh_code route_check_origin(const struct route *route, const struct head *head,
                                Gh__CredentialKind credential, const char **ret_reason);

/* GH_CODE_OK or GH_CODE_BAD_REQUEST. */
enum gh_code route_check_host(const struct route *route, const struct head *head,
                              const char **ret_reason);

/* "bearer" ... to its bit; 0 for another word. */
uint32_t route_credential_bit(const char *name);

#endif
