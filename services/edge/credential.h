/*
 * credential - what a client shows to be let in, found in its handshake and judged for form.
 *
 * The form is judged here so that garbage never reaches the bus; whether a token is true is for
 * auth alone, and nothing here makes one good. Pure: wall-clock time is passed in.
 * Source: RFC 7519, RFC 7515 section 7.1 (compact form), RFC 6750 section 2.
 */
#ifndef EDGE_CREDENTIAL_H
#define EDGE_CREDENTIAL_H

#include "head.h"

#include "common/json/tape.h"

#include <auth.pb-c.h>

#define CREDENTIAL_MAX_BYTES  (8u << 10)
#define CREDENTIAL_TICKET_LEN 43u /* 32 bytes as base64url */
#define CREDENTIAL_PROTOCOL   "gatehouse.v1"
#define CREDENTIAL_BEARER     "gatehouse.bearer."
#define CREDENTIAL_TICKET     "gatehouse.ticket."

/* Bits of what a route takes, in the order of Gh__CredentialKind. */
#define CREDENTIAL_BIT(kind) (1u << (kind))

struct credential {
    Gh__CredentialKind kind;
    struct span value; /* into the head */
};

struct credential_rules {
    uint32_t accepted;       /* CREDENTIAL_BIT of each kind the route takes */
    const char *cookie_name; /* for CREDENTIAL_COOKIE */
};

/* Finds the one credential of a handshake. certificate: the client's, verified, as DER; absent:
 * none. GH_CODE_OK; GH_CODE_UNAUTHENTICATED: none, or of a kind
 * the route does not take, or in the query string; GH_CODE_BAD_REQUEST: two of them. A ticket alone
 * may stand in the query string (?ticket=), since it is worth nothing once it was used. */
enum gh_code credential_find(const struct head *head, const struct credential_rules *rules,
                             struct span certificate, struct credential *ret_credential,
                             const char **ret_reason);

/* Does the handshake offer the subprotocol gatehouse.v1? */
bool credential_offers_v1(const struct head *head);

/* Could this be a JWT worth verifying: size, three base64url parts, a JSON header with a known
 * algorithm name, JSON claims whose exp is not past by more than leeway_s. tape is scratch. */
enum gh_code credential_check_jwt(struct gh_tape *tape, struct span token, int64_t now_s,
                                  int64_t leeway_s, const char **ret_reason);

/* Could this be a ticket: as many base64url characters as one has. */
enum gh_code credential_check_ticket(struct span ticket, const char **ret_reason);

/* base64url without padding (RFC 4648 section 5) into dst (CREDENTIAL_MAX_BYTES). False: not
 * canonical. */
bool credential_decode(struct span text, char *dst, size_t *ret_len);

#endif
