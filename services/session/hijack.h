/*
 * hijack - signs that a session or its token is in other hands (N6).
 *
 * Looked at when a session is begun, resumed or given a new credential:
 *   network  one token is used from another network than before (/24 of IPv4, /48 of IPv6)
 *   address  a session is resumed from another address
 *   agent    a session is resumed by another User-Agent
 * Each is an audit event `session.hijack_suspected` (warning), which is what the anomaly score is
 * made of. With session.on_hijack: end, a network or agent sign ends every session opened with that
 * token, the new one too; an address alone does not, for phones change theirs. It is asked of Redis
 * before the session is, and delays nothing: what is found comes after the fact.
 */
#ifndef SESSION_HIJACK_H
#define SESSION_HIJACK_H

#include "session.h"

struct hijack_sight {
    ProtobufCBinaryData token_id; /* empty: not looked at */
    ProtobufCBinaryData address;  /* empty: not known, nothing is looked at */
    ProtobufCBinaryData agent;
    ProtobufCBinaryData session_id; /* of the session resumed or renewed; empty: a new one */
    ProtobufCBinaryData request_id;
    bool resumed;
    uint64_t expires_ms; /* of the credential */
};

/* Borrows for the call only. Never fails: without Redis or memory nothing is found. */
void hijack_look(struct session *session, const struct session_user *user,
                 const struct hijack_sight *sight);

/* The network of an address, as text; dst holds 64 bytes. What is no address is its own network.
 * Pure.
 */
void hijack_network(const char *address, size_t len, char dst[64]);

#endif
