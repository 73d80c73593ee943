#include "config.h"
#include "handlers.h"

#include "common/service.h"

int main(int argc, char **argv)
{
    struct gh_service *service = NULL;
    struct audit_config cfg = { 0 };
    struct audit *audit = NULL;

    enum gh_err err = gh_service_new("audit", GH_ROLE_AUDIT, argc, argv, NULL, &service);
    if (err == GH_OK) err = audit_config_load(gh_service_config(service), &cfg);
    if (err != GH_OK || gh_service_checking(service)) return gh_service_exit(service, err);

    err = audit_new(service, &cfg, &audit); /* recovers the log */
    if (err == GH_OK) err = gh_service_bind(service, cfg.bind, audit_routes, audit, NULL);
    if (err == GH_OK) err = gh_service_sandbox(service, GH_SANDBOX_SERVICE);
    if (err == GH_OK) err = gh_service_run(service);
    if (err == GH_OK) err = audit_outcome(audit);

    audit_free(audit);
    return gh_service_exit(service, err);
}
