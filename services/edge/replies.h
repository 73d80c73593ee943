/*
 * replies - the messages the edge itself sends: welcome, error, health-check, token_expiring,
 * token_refresh, csrf_rotated, going_away, resume_lost. The shapes stand in proto/README.md
 * (gatehouse.v1).
 */
#ifndef EDGE_REPLIES_H
#define EDGE_REPLIES_H

#include <stddef.h>
#include <stdint.h>

struct conn;

void replies_welcome(struct conn *conn);
/* request_id: the one in log and audit; NULL makes one. id: canonical JSON string content of the
 * message refused, or NULL. */
void replies_error(struct conn *conn, const char *request_id, uint32_t code, const void *id,
                   size_t id_len, uint64_t retry_after_ms);
void replies_health(struct conn *conn, const void *id, size_t id_len);
void replies_token_expiring(struct conn *conn);
void replies_token_refreshed(struct conn *conn, const void *id, size_t id_len);
void replies_csrf_rotated(struct conn *conn);
void replies_resume_lost(struct conn *conn);
void replies_going_away(struct conn *conn, uint64_t reconnect_after_ms);

#endif
