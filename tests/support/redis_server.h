/*
 * redis_server - a real redis-server for one test: on a Unix socket in a folder of its own, without
 * persistence, gone with the test (also when the test crashes).
 *
 * Link gh_test_support. What cannot be set up is printed and answered with NULL or false.
 */
#ifndef GH_TESTS_REDIS_SERVER_H
#define GH_TESTS_REDIS_SERVER_H

#include <hiredis/hiredis.h>
#include <stdbool.h>

struct redis_server;

/* extra: further arguments for redis-server, NULL-ended ("--requirepass", "x", NULL), or NULL. */
struct redis_server *redis_server_start(const char *const *extra);
void redis_server_stop(struct redis_server *server); /* NULL is a no-op */

const char *redis_server_url(const struct redis_server *server);  /* "unix:/tmp/.../redis.sock" */
const char *redis_server_path(const struct redis_server *server); /* the socket */
const char *redis_server_dir(const struct redis_server *server);

void redis_server_kill(struct redis_server *server); /* kill -9, waited for */
/* Starts it again on the same socket, empty. Returns once it answers. */
bool redis_server_restart(struct redis_server *server);

/* One command on a fresh connection, blocking. Free the reply with freeReplyObject. */
redisReply *redis_server_call(const struct redis_server *server, const char *format, ...);

#endif
