#include "edge.h"

int main(int argc, char **argv)
{
    struct gh_service *service = NULL;
    struct edge *edge = NULL;
    enum gh_err err = gh_service_new("edge", GH_ROLE_EDGE, argc, argv, NULL, &service);

    if (err == GH_OK) err = edge_new(service, &edge);
    if (err == GH_OK && !gh_service_checking(service)) {
        err = gh_service_sandbox(service, GH_SANDBOX_SERVICE);
        if (err == GH_OK) err = gh_service_run(service);
    }
    edge_free(edge);
    return gh_service_exit(service, err);
}
