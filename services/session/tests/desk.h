/*
 * desk - session services on a stage: real Redis, edges and an operator to ask them. What an answer
 * said stands in the desk until the next.
 */
#ifndef SESSION_TESTS_DESK_H
#define SESSION_TESTS_DESK_H

#include "handlers.h"
#include "session.h"

#include "support/stage.h"

#define DESK_EDGES    4
#define DESK_SERVICES 2

struct desk {
    struct stage stage;
    struct gh_config *config;
    struct session_config cfg;
    struct session *services[DESK_SERVICES];
    struct stage_caller *edges[DESK_EDGES];
    struct stage_caller *ctl;
    /* of the last answer */
    uint32_t code, count;
    uint64_t expires_ms, retry_ms, orders_version;
    char id[SESSION_ID_LEN + 1], csrf[SESSION_CSRF_LEN + 1];
    size_t gone, rotated, listed;
    uint32_t gone_code;
    char gone_id[SESSION_ID_LEN + 1];
    char cursor[512], user[300];
    uint64_t messages_in;
    /* orders pushed to edge 3 */
    unsigned orders, ordered;
    uint32_t ordered_code;
};

struct desk_live {
    const char *id, *user;
};

int desk_setup(void **state); /* three sessions a user, idle for two minutes */
int desk_setup_oldest(void **state);
int desk_setup_idle(void **state); /* for four seconds */
int desk_setup_rotate(void **state);
int desk_setup_many(void **state);
int desk_teardown(void **state);
bool desk_ready(void *ctx); /* both services have Redis */

uint64_t desk_in_ms(int64_t ms); /* wall clock */
/* To gh_code; the session's id, token and expiry are in the desk. */
uint32_t desk_create(struct desk *f, const char *user);
uint32_t desk_create_at(struct desk *f, const char *user, const char *address, int edge,
                        uint64_t expires_ms);
void desk_fill_create(Gh__SessionCreate *msg, const char *user, const char *address, int edge,
                      uint64_t expires_ms);
void desk_on_created(void *ctx, enum gh_err err, const void *body);
enum gh_err desk_touch(struct desk *f, int edge, uint64_t boot, const struct desk_live *live,
                       size_t n);
enum gh_err desk_end(struct desk *f, struct stage_caller *by, const char *id, const char *user,
                     const char *address, bool quiet);
uint32_t desk_renew(struct desk *f, const char *id, const char *user, uint64_t expires_ms);
size_t desk_list(struct desk *f, const char *user, uint32_t limit); /* all pages */
long long desk_count_keys(struct desk *f);

#endif
