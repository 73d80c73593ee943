/*
 * What any peer can put on the bus: a frame through a server's decoder, route table and answer
 * path, in every role. The first byte picks the role.
 */
#include "common/log.h"
#include "common/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum gh_err on_anything(void *ctx, const struct gh_peer *peer, const void *body,
                               struct gh_reply *reply)
{
    const Gh__LeaseRequest *msg = body;
    Gh__LeaseReply answer = GH__LEASE_REPLY__INIT;
    size_t bytes = 0;

    (void)ctx;
    (void)peer;
    for (size_t i = 0; i < msg->n_asks; i++)
        for (size_t k = 0; k < msg->asks[i]->key.len; k++)
            bytes += msg->asks[i]->key.data[k]; /* every byte it names is there to read */
    if (bytes == 1) return GH_ERR_LIMIT;
    gh_reply_send(reply, GH__ENVELOPE__BODY_LEASE_REPLY, &answer);
    return GH_OK;
}

static const struct gh_route routes[] = {
    { GH__ENVELOPE__BODY_LEASE_REQUEST, GH_ROLE_EDGE | GH_ROLE_APP, on_anything },
    { 0 },
};

static struct gh_server *server;
static uv_loop_t loop;
static char dir[] = "/tmp/gh-fuzz-XXXXXX";
static const char *const sockets[] = { "x.edge.sock", "x.app.sock" }; /* of the roles in routes */

static void clean_up(void)
{
    gh_server_free(server);
    for (int i = 0; i < 10; i++)
        (void)uv_run(&loop, UV_RUN_NOWAIT);
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++) {
        char path[64];

        (void)snprintf(path, sizeof path, "%s/%s", dir, sockets[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void start(void)
{
    static struct gh_metrics *metrics;
    char endpoint[64];
    struct gh_server_config config = { .endpoint = endpoint, .instance = "fuzz", .routes = routes };

    (void)setenv("ZSYS_SIGHANDLER", "false", 1);
    gh_log_set_level(GH_LOG_ERROR + 1);
    if (mkdtemp(dir) == NULL || uv_loop_init(&loop) != 0 || gh_metrics_new(&metrics) != GH_OK)
        abort();
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/x", dir);
    config.metrics = metrics;
    if (gh_server_new(&loop, &config, &server) != GH_OK) abort();
    (void)atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (server == NULL) start();
    if (size == 0) return 0;
    gh_server_feed(server, (enum gh_role)(1u << (data[0] % GH_ROLE_COUNT)), data + 1, size - 1);
    return 0;
}
