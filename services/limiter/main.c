/* gatehouse-limiter: limits that span edges, and bans. */
#include "handlers.h"
#include "limiter.h"

#include "common/service.h"

int main(int argc, char **argv)
{
    struct gh_service *service = NULL;
    struct limiter *limiter = NULL;
    struct gh_audit *audit = NULL;
    struct limiter_config cfg = { 0 };
    struct gh_redis_config redis = { 0 };

    enum gh_err err = gh_service_new("limiter", GH_ROLE_LIMITER, argc, argv, NULL, &service);
    if (err == GH_OK) err = limiter_config_load(gh_service_config(service), &cfg);
    if (err == GH_OK) err = gh_redis_config_load(gh_service_config(service), &redis);
    if (err == GH_OK && !gh_service_checking(service)) {
        err = gh_audit_new(service, gh_service_endpoint(service, GH_ROLE_AUDIT), &audit);
        if (err == GH_OK)
            err = limiter_new(gh_service_loop(service), &cfg, &redis, gh_service_metrics(service),
                              &limiter);
        if (err == GH_OK) {
            limiter->audit = audit;
            gh_service_add_check(service, "redis", limiter_ready, limiter);
            err = gh_service_bind(service, cfg.bind, limiter_routes, limiter, &limiter->server);
        }
        if (err == GH_OK) err = gh_service_sandbox(service, GH_SANDBOX_SERVICE);
        if (err == GH_OK) err = gh_service_run(service);
    }
    limiter_free(limiter);
    gh_audit_free(audit);
    return gh_service_exit(service, err);
}
