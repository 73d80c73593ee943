/*
 * inbound - a connection's frames become messages.
 *
 * Decodes, checks UTF-8 as the bytes come, puts fragments together under the cap, answers pings and
 * Close frames, and hands each whole message to the batcher. Whatever breaks the protocol ends the
 * connection with the close code RFC 6455 names.
 */
#ifndef EDGE_INBOUND_H
#define EDGE_INBOUND_H

#include <stddef.h>
#include <stdint.h>

struct conn;

/* data may be changed (unmasked in place). The connection may be closing when this returns. */
void inbound_rx(struct conn *conn, uint8_t *data, size_t len);

#endif
