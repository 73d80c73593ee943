/*
 * offline - `gatehouse-auth --offline token verify [--config FILE] [--now SECONDS]`
 *
 * The verification the service runs, over NDJSON: each line of standard input is {"token": "..."},
 * optionally with "now" in seconds, or the token as a JSON string; each gets one line
 *   {"line":1,"valid":true,"user":...,"issuer":...,"tokenId":...,"expiresAt":MS,"roles":[...]}
 *   {"line":2,"valid":false,"reason":"expired"}
 * on standard output. A line that is not such JSON has the reason "not_a_request". Revocations are
 * in Redis and not looked at. This is what gatehousectl runs for `token verify`.
 *
 * Returns the exit status: 0 all valid, 1 some refused, 2 usage or configuration.
 */
#ifndef AUTH_OFFLINE_H
#define AUTH_OFFLINE_H

#include <stdbool.h>

bool offline_asked(int argc, char **argv); /* argv[1] is --offline */
int offline_main(int argc, char **argv);

#endif
