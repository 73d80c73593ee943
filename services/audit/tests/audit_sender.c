/*
 * audit_sender - a process that raises warnings, for tests that kill it.
 *
 *   audit_sender ENDPOINT SPOOL_DIR INSTANCE COUNT FIRST [MAX_BYTES]
 *
 * Raises COUNT warnings with field n = FIRST, FIRST+1 ..., and prints each n in one write(2) after
 * gh_audit_emit has returned: what was printed is promised. Between warnings it raises infos of the
 * same look. COUNT 0: only delivers what others left in the spool. Then says "emitted", and when
 * all is acknowledged "idle", and waits to be stopped by SIGTERM. Prints "full" and "relieved" when
 * gh_audit_full changes; while full it raises nothing.
 */
#include "common/clients/audit_client.h"
#include "common/random.h"

#include <czmq.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PER_TURN 20

struct sender {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t term;
    struct gh_audit *audit;
    uint64_t next, end;
    bool told_emitted, told_idle, full;
};

static void say(const char *text)
{
    char line[64];
    int n = snprintf(line, sizeof(line), "%s\n", text);

    if (write(STDOUT_FILENO, line, (size_t)n) != n) _exit(3);
}

static void on_timer(uv_timer_t *timer)
{
    struct sender *s = timer->data;
    char text[32];

    if (gh_audit_full(s->audit) != s->full) {
        s->full = !s->full;
        say(s->full ? "full" : "relieved");
    }
    for (int i = 0; i < PER_TURN && s->next < s->end && !gh_audit_full(s->audit); i++) {
        struct gh_audit_event event = { .user = gh_bytes_str("mallory"),
                                        .address = gh_bytes_str("192.0.2.7"),
                                        .code = "forbidden",
                                        .fields = { { "n", .number = s->next } } };
        gh_audit_emit(s->audit, GH_SEV_WARNING, "test.warning", &event);
        snprintf(text, sizeof(text), "%" PRIu64, s->next++);
        say(text);
        gh_audit_emit(s->audit, GH_SEV_INFO, "test.info", &event);
    }
    if (s->next == s->end && !s->told_emitted) {
        s->told_emitted = true;
        say("emitted");
    }
    if (s->told_emitted && !s->told_idle && gh_audit_idle(s->audit)) {
        s->told_idle = true;
        say("idle");
    }
}

static void on_term(uv_signal_t *handle, int signum)
{
    struct sender *s = handle->data;

    (void)signum;
    gh_audit_free(s->audit);
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_close((uv_handle_t *)&s->term, NULL);
}

int main(int argc, char **argv)
{
    struct sender s = { .audit = NULL };

    if (argc < 6) return 2;
    (void)setenv("ZSYS_SIGHANDLER", "false", 1);
    zsys_handler_set(NULL);
    s.next = strtoull(argv[5], NULL, 10);
    s.end = s.next + strtoull(argv[4], NULL, 10);
    struct gh_metrics *metrics = NULL;
    if (gh_metrics_new(&metrics) != GH_OK) return 1;
    uv_loop_init(&s.loop);
    struct gh_audit_config config = {
        .loop = &s.loop,
        .client = { .endpoint = argv[1],
                    .self = GH_ROLE_EDGE,
                    .service = GH_ROLE_AUDIT,
                    .instance = argv[3],
                    .boot_id = gh_random_u64(),
                    .metrics = metrics },
        .spool_dir = argv[2],
        .spool_max_bytes = argc > 6 ? strtoull(argv[6], NULL, 10) : 0,
        .adopt_ms = 500,
    };
    enum gh_err err = gh_audit_open(&config, &s.audit);
    if (err != GH_OK) {
        fprintf(stderr, "audit_sender: %s\n", gh_err_text(err));
        return 1;
    }
    uv_timer_init(&s.loop, &s.timer);
    uv_signal_init(&s.loop, &s.term);
    s.timer.data = s.term.data = &s;
    uv_timer_start(&s.timer, on_timer, 0, 1);
    uv_signal_start(&s.term, on_term, SIGTERM);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    uv_loop_close(&s.loop);
    gh_metrics_free(metrics);
    zsys_shutdown();
    return 0;
}
