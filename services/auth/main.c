/* gatehouse-auth: judges credentials. */
#include "auth.h"
#include "handlers.h"
#include "offline.h"

#include "common/service.h"

int main(int argc, char **argv)
{
    if (offline_asked(argc, argv)) return offline_main(argc, argv);

    struct gh_service *service = NULL;
    struct gh_audit *audit = NULL;
    struct auth *auth = NULL;

    enum gh_err err = gh_service_new("auth", GH_ROLE_AUTH, argc, argv, NULL, &service);
    if (err == GH_OK)
        err = auth_new(gh_service_config(service), gh_service_metrics(service), &auth);
    if (err == GH_OK && !gh_service_checking(service)) {
        err = gh_audit_new(service, gh_service_endpoint(service, GH_ROLE_AUDIT), &audit);
        auth->audit = audit;
        if (err == GH_OK) err = gh_service_bind(service, auth->cfg.bind, auth_routes, auth, NULL);
        if (err == GH_OK) err = gh_service_sandbox(service, GH_SANDBOX_SERVICE);
        if (err == GH_OK) err = gh_service_run(service);
    }
    gh_audit_free(audit);
    int status = gh_service_exit(service, err);
    auth_free(auth);
    return status;
}
