/*
 * stage - one loop with a real Redis, services bound in it, and callers of any role over real ipc.
 *
 * For tests of a service's handlers: everything but the process boundary is the real thing. Calls
 * that fail are test failures (cmocka). Include after cmocka's preamble is not needed: it is in
 * here.
 */
#ifndef GH_TESTS_STAGE_H
#define GH_TESTS_STAGE_H

#include "common/client.h"
#include "common/config.h"
#include "common/redis.h"
#include "common/server.h"
#include "support/redis_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <uv.h>

#include <cmocka.h>

#define STAGE_SERVERS_MAX 4
#define STAGE_CALLERS_MAX 64

struct stage {
    uv_loop_t loop;
    char dir[64];
    struct redis_server *redis;
    struct gh_metrics *metrics;
    struct gh_server *servers[STAGE_SERVERS_MAX];
    size_t server_count;
    struct stage_caller *callers[STAGE_CALLERS_MAX];
    size_t caller_count;
};

/* redis: start one too; extra as in redis_server_start. */
void stage_init(struct stage *stage, bool redis, const char *const *extra);
/* Frees callers and servers; what the test made on the loop must be freed before (its handles close
 * here). */
void stage_done(struct stage *stage);

void stage_redis_config(const struct stage *stage, struct gh_redis_config *ret_config);
/* Writes text to DIR/gatehouse.yaml and loads it. */
struct gh_config *stage_config(struct stage *stage, const char *text);

/* Binds at DIR/<name>.<n>; callers of name find all of them. */
struct gh_server *stage_serve(struct stage *stage, const char *name, const struct gh_route *routes,
                              void *ctx);

struct stage_caller {
    struct stage *stage;
    struct gh_client *client;
    unsigned up;
    unsigned pending;
    uint64_t orders_version;
    void (*on_push)(void *ctx, uint32_t arm, const void *body); /* set by the test */
    void *ctx;
};

/* Waits until all servers of that name are up. */
struct stage_caller *stage_call_as(struct stage *stage, const char *name, enum gh_role role,
                                   enum gh_role service, const char *instance);

/* The same for n edges: edge-0, edge-1 and so on. */
void stage_call_as_edges(struct stage *stage, const char *name, enum gh_role service,
                         struct stage_caller **ret_edges, int n);

/* Asks and waits; fn sees the answer. Returns what the answer's err was. */
enum gh_err stage_ask(struct stage_caller *caller, uint32_t arm, void *body, uint32_t answer_arm,
                      gh_answer_fn fn, void *ctx);
/* Asks the index-th server without waiting; pending counts down when it is answered. */
void stage_send(struct stage_caller *caller, size_t index, uint32_t arm, void *body,
                uint32_t answer_arm, gh_answer_fn fn, void *ctx);
void stage_tell(struct stage_caller *caller, uint32_t arm, void *body);

/* Turns the loop until done says so; fails the test when that never happens. */
void stage_spin(struct stage *stage, bool (*done)(void *ctx), void *ctx);
void stage_spin_ms(struct stage *stage, int64_t ms);
void stage_settle(struct stage *stage); /* until no caller waits */

#endif
