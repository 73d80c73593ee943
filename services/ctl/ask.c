#include "ctl.h"

#include "common/log.h"
#include "common/random.h"

#include <czmq.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 5000u
#define ANSWER_MS  10000u

struct question {
    uv_loop_t loop;
    uv_timer_t timer;
    struct gh_client *client;
    uint32_t arm, answer_arm;
    void *body;
    ctl_take_fn take;
    void *ctx;
    bool asked;
    bool done;
    enum gh_err err;
    int status;
};

enum gh_err ctl_load(struct ctl *ctl)
{
    if (ctl->config != NULL) return GH_OK;
    enum gh_err err = gh_config_load(ctl->config_path, "ctl", &ctl->config);
    if (err == GH_OK) err = service_sections_bind(ctl->config, &ctl->sections);
    if (err == GH_OK && ctl->sections.keys_dir[0] != '\0')
        err = gh_bus_keys_load(ctl->sections.keys_dir, GH_ROLE_CTL, &ctl->keys);
    return err;
}

void ctl_done(struct ctl *ctl)
{
    gh_bus_keys_free(ctl->keys);
    gh_config_free(ctl->config);
    ctl->keys = NULL;
    ctl->config = NULL;
}

static const char *endpoint_of(const struct ctl *ctl, enum gh_role service)
{
    switch ((unsigned)service) {
    case GH_ROLE_AUTH: return ctl->sections.endpoints.auth;
    case GH_ROLE_SESSION: return ctl->sections.endpoints.session;
    case GH_ROLE_LIMITER: return ctl->sections.endpoints.limiter;
    case GH_ROLE_AUDIT: return ctl->sections.endpoints.audit;
    default: return NULL;
    }
}

static void finish(struct question *q, enum gh_err err)
{
    q->done = true;
    q->err = err;
    uv_stop(&q->loop);
}

static void on_answer(void *ctx, enum gh_err err, const void *body)
{
    struct question *q = ctx;

    if (q->done) return;
    if (err == GH_OK) q->status = q->take(q->ctx, body);
    finish(q, err);
}

static void on_up(void *ctx, struct gh_client_peer *peer, uint64_t orders_version)
{
    struct question *q = ctx;

    (void)orders_version;
    if (q->asked) return;
    q->asked = true;
    enum gh_err err =
        gh_client_call(q->client, peer, q->arm, q->body, q->answer_arm, ANSWER_MS, on_answer, q);
    if (err != GH_OK) finish(q, err);
}

static void on_deadline(uv_timer_t *timer)
{
    struct question *q = timer->data;

    if (!q->asked) finish(q, GH_ERR_UNAVAILABLE);
}

static int ask(struct ctl *ctl, enum gh_role service, struct question *q)
{
    char instance[32];
    struct gh_metrics *metrics = NULL;

    snprintf(instance, sizeof(instance), "ctl-%d", (int)getpid());
    struct gh_client_config config = { .endpoint = endpoint_of(ctl, service),
                                       .self = GH_ROLE_CTL,
                                       .service = service,
                                       .instance = instance,
                                       .boot_id = gh_random_u64(),
                                       .keys = ctl->keys,
                                       .ctx = q,
                                       .on_up = on_up };
    enum gh_err err = gh_metrics_new(&metrics);
    if (err != GH_OK) return ctl_fail(CTL_AWAY, "%s", gh_err_text(err));
    config.metrics = metrics;
    uv_timer_init(&q->loop, &q->timer);
    q->timer.data = q;
    uv_timer_start(&q->timer, on_deadline, CONNECT_MS, 0);
    err = gh_client_new(&q->loop, &config, &q->client);
    if (err == GH_OK) {
        uv_run(&q->loop, UV_RUN_DEFAULT);
        err = q->err;
    }
    q->done = true;
    gh_client_free(q->client);
    uv_close((uv_handle_t *)&q->timer, NULL);
    while (uv_run(&q->loop, UV_RUN_NOWAIT) != 0)
        ;
    gh_metrics_free(metrics);
    switch (err) {
    case GH_OK: return q->status;
    case GH_ERR_UNAVAILABLE:
        return ctl_fail(CTL_AWAY, "%s does not answer at %s", gh_role_name(service),
                        config.endpoint);
    case GH_ERR_NOT_FOUND: return ctl_fail(CTL_WRONG, "there is no such thing");
    case GH_ERR_BAD_MESSAGE:
        return ctl_fail(CTL_USAGE, "%s refused it: %s", gh_role_name(service), gh_err_text(err));
    default: return ctl_fail(CTL_AWAY, "%s: %s", gh_role_name(service), gh_err_text(err));
    }
}

int ctl_ask(struct ctl *ctl, enum gh_role service, uint32_t arm, void *body, uint32_t answer_arm,
            ctl_take_fn take, void *ctx)
{
    struct question q = {
        .arm = arm, .answer_arm = answer_arm, .body = body, .take = take, .ctx = ctx
    };

    if (ctl_load(ctl) != GH_OK) return ctl_fail(CTL_USAGE, "%s cannot be used", ctl->config_path);
    (void)setenv("ZSYS_SIGHANDLER", "false", 1); /* Ctrl-C ends us */
    zsys_handler_set(NULL);
    zsys_set_logsystem(false);
    if (uv_loop_init(&q.loop) != 0) return ctl_fail(CTL_AWAY, "no event loop");
    int status = ask(ctl, service, &q);
    (void)uv_loop_close(&q.loop);
    return status;
}
