/* gatehouse-auth: judges credentials. */
#include "auth.h"
#include "handlers.h"
#include "offline.h"

#include "common/service.h"

static enum gh_err connect_sessions(struct gh_service *service, struct auth *auth)
{
    struct gh_client_config config;

    gh_service_client_init(service, gh_service_endpoint(service, GH_ROLE_SESSION), GH_ROLE_SESSION,
                           &config);
    return gh_client_new(gh_service_loop(service), &config, &auth->sessions);
}

int main(int argc, char **argv)
{
    if (offline_asked(argc, argv)) return offline_main(argc, argv);

    struct gh_service *service = NULL;
    struct gh_audit *audit = NULL;
    struct auth *auth = NULL;
    struct gh_redis_config redis = { 0 };

    enum gh_err err = gh_service_new("auth", GH_ROLE_AUTH, argc, argv, NULL, &service);
    if (err == GH_OK) err = gh_redis_config_load(gh_service_config(service), &redis);
    if (err == GH_OK)
        err = auth_new(gh_service_loop(service), gh_service_config(service),
                       gh_service_instance(service), gh_service_checking(service) ? NULL : &redis,
                       gh_service_metrics(service), &auth);
    if (err == GH_OK && !gh_service_checking(service)) {
        err = gh_audit_new(service, gh_service_endpoint(service, GH_ROLE_AUDIT), &audit);
        auth->audit = audit;
        if (err == GH_OK) err = connect_sessions(service, auth);
        if (err == GH_OK) {
            gh_service_add_check(service, "revocations", auth_ready, auth);
            gh_service_on_reload(service, auth_reload, auth);
            err = gh_service_bind(service, auth->rules->cfg.bind, auth_routes, auth, &auth->server);
        }
        if (err == GH_OK) err = gh_service_sandbox(service, GH_SANDBOX_SERVICE);
        if (err == GH_OK) err = gh_service_run(service);
    }
    auth_free(auth);
    gh_audit_free(audit);
    return gh_service_exit(service, err);
}
