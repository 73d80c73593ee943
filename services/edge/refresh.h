/*
 * refresh - a new token on an open connection (`token_refresh`).
 *
 * The message goes to auth as the validator wrote it; auth answers for a token of the same subject
 * only. The session is renewed with the new expiry, which rotates the CSRF token, and the client is
 * told. One at a time per connection. A refusal leaves the connection as it was.
 */
#ifndef EDGE_REFRESH_H
#define EDGE_REFRESH_H

#include <validator.pb-c.h>

struct conn;

void refresh_start(struct conn *conn, const Gh__Verdict *verdict);

#endif
