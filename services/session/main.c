/* gatehouse-session: who is connected, since when, for how long. */
#include "handlers.h"
#include "session.h"

#include "common/service.h"

int main(int argc, char **argv)
{
    struct gh_service *service = NULL;
    struct session *session = NULL;
    struct gh_audit *audit = NULL;
    struct session_config cfg = { 0 };
    struct gh_redis_config redis = { 0 };

    enum gh_err err = gh_service_new("session", GH_ROLE_SESSION, argc, argv, NULL, &service);
    if (err == GH_OK) err = session_config_load(gh_service_config(service), &cfg);
    if (err == GH_OK) err = gh_redis_config_load(gh_service_config(service), &redis);
    if (err == GH_OK && !gh_service_checking(service)) {
        err = gh_audit_new(service, gh_service_endpoint(service, GH_ROLE_AUDIT), &audit);
        if (err == GH_OK)
            err = session_new(gh_service_loop(service), &cfg, &redis, gh_service_metrics(service),
                              &session);
        if (err == GH_OK) {
            session->audit = audit;
            gh_service_add_check(service, "redis", session_ready, session);
            err = gh_service_bind(service, cfg.bind, session_routes, session, &session->server);
        }
        if (err == GH_OK) err = gh_service_sandbox(service, GH_SANDBOX_SERVICE);
        if (err == GH_OK) err = gh_service_run(service);
    }
    session_free(session);
    gh_audit_free(audit);
    return gh_service_exit(service, err);
}
