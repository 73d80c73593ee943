#include "handshake.h"

#include "admission.h"
#include "edge.h"
#include "forwarded.h"
#include "http.h"
#include "refusal.h"
#include "tls.h"

#include "common/clock.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

void handshake_free(struct handshake *handshake)
{
    if (handshake == NULL) return;
    http_free(handshake->http);
    free(handshake->certificate);
    gh_buf_done(&handshake->bytes);
    free(handshake);
}

bool handshake_begun(const struct conn *conn)
{
    return conn->handshake != NULL;
}

void handshake_abandon(struct conn *conn)
{
    if (conn->handshake == NULL) return;
    admission_abandon(conn->handshake->admission);
    handshake_free(conn->handshake);
    conn->handshake = NULL;
}

/* Behind a balancer that speaks HTTP, the client's address is in a header; from now on everything
 * that counts per address uses it. */
static enum gh_code take_forwarded(struct conn *conn, const char **ret_reason)
{
    struct edge *edge = conn->edge;
    const struct head *head = &conn->handshake->head;
    struct addr addr;
    uint64_t retry_ms;
    enum forwarded_result result;

    if (edge->config.forwarded_header == EDGE_FORWARDED_NONE ||
        !edge_config_trusts(&edge->config, &conn->addr))
        return GH_CODE_OK;
    if (edge->config.forwarded_header == EDGE_FORWARDED_XFF)
        result = forwarded_xff(head->x_forwarded_for, edge->config.trusted, edge->config.n_trusted,
                               &addr);
    else
        result =
            forwarded_rfc7239(head->forwarded, edge->config.trusted, edge->config.n_trusted, &addr);
    *ret_reason = "forwarded address";
    if (result == FORWARDED_BAD) return GH_CODE_BAD_REQUEST;
    if (result == FORWARDED_NONE) return GH_CODE_OK;
    conn->addr = addr;
    if (ban_table_address(edge->bans, &addr, (uint64_t)gh_clock_wall_ms())) return GH_CODE_BANNED;
    if (conn->address_entry != NULL) conn->address_entry->handshakes--;
    address_leave(&edge->addresses, conn->address_entry);
    conn->address_entry = NULL;
    switch (
        address_enter(&edge->addresses, &addr, edge_now(edge), &conn->address_entry, &retry_ms)) {
    case ADDRESS_OK:
        if (conn->address_entry != NULL) conn->address_entry->handshakes++;
        return GH_CODE_OK;
    case ADDRESS_RATE: return GH_CODE_RATE_LIMITED;
    case ADDRESS_FULL: return GH_CODE_FULL;
    }
    return GH_CODE_OK;
}

/* TLS has verified it against the authorities; whose it is, auth says. */
static void take_certificate(struct conn *conn)
{
    struct handshake *hs = conn->handshake;
    SSL *ssl = conn->tls ? transport_tls(conn->wsi) : NULL;

    if (ssl == NULL || (conn->route->credentials.accepted &
                        CREDENTIAL_BIT(GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE)) == 0)
        return;
    (void)tls_client_certificate(ssl, &hs->certificate, &hs->certificate_len);
}

/* The head is whole: everything that can be said without asking anybody. */
static enum gh_code judge(struct conn *conn, const char **ret_reason)
{
    struct edge *edge = conn->edge;
    struct handshake *hs = conn->handshake;
    const struct head_limits limits = { (uint32_t)edge->config.max_head_bytes,
                                        edge->config.max_headers, 4096 };
    enum gh_code code, credential;

    code = head_parse(hs->bytes.data, hs->scanner.at, &limits, &hs->head, ret_reason);
    if (code != GH_CODE_OK) return code;
    if (!conn->tls && !edge->config.development &&
        (conn->plain_on_tls || !edge_config_trusts(&edge->config, &conn->addr))) {
        *ret_reason = "not over TLS";
        return GH_CODE_UPGRADE_REQUIRED;
    }
    if (conn->plain_on_tls) {
        *ret_reason = "plain HTTP on the TLS port";
        return GH_CODE_UPGRADE_REQUIRED;
    }
    code = take_forwarded(conn, ret_reason);
    if (code != GH_CODE_OK) return code;
    if (http_takes(edge, hs->head.path)) return http_judge(conn, ret_reason);
    conn->route = route_find(&edge->routes, hs->head.path);
    if (conn->route == NULL) {
        *ret_reason = "path";
        return GH_CODE_NOT_FOUND;
    }
    code = head_judge_upgrade(&hs->head, ret_reason);
    if (code != GH_CODE_OK) return code;
    code = route_check_host(conn->route, &hs->head, ret_reason);
    if (code != GH_CODE_OK) return code;
    /* The Origin is judged first: a page that may not connect learns nothing of credentials. */
    take_certificate(conn);
    credential =
        credential_find(&hs->head, &conn->route->credentials,
                        (struct span){ (const char *)hs->certificate, hs->certificate_len },
                        &hs->credential, ret_reason);
    if (credential != GH_CODE_OK) hs->credential.kind = GH__CREDENTIAL_KIND__CREDENTIAL_BEARER;
    const char *origin_reason = NULL;
    code = route_check_origin(conn->route, &hs->head, hs->credential.kind, &origin_reason);
    if (code != GH_CODE_OK) {
        *ret_reason = origin_reason;
        return code;
    }
    if (credential != GH_CODE_OK) return credential;
    code = resume_claim_find(&hs->head, &hs->resume, ret_reason);
    if (code != GH_CODE_OK) return code;
    if (hs->credential.kind == GH__CREDENTIAL_KIND__CREDENTIAL_TICKET)
        return credential_check_ticket(hs->credential.value, ret_reason);
    if (hs->credential.kind == GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE) {
        *ret_reason = "certificate too large";
        return hs->credential.value.len <= CREDENTIAL_MAX_BYTES ? GH_CODE_OK
                                                                : GH_CODE_UNAUTHENTICATED;
    }
    return credential_check_jwt(&edge->tape, hs->credential.value, gh_clock_wall_ms() / 1000, 60,
                                ret_reason);
}

void handshake_rx(struct conn *conn, const uint8_t *data, size_t len)
{
    struct edge *edge = conn->edge;
    const struct head_limits limits = { (uint32_t)edge->config.max_head_bytes,
                                        edge->config.max_headers, 4096 };
    struct handshake *hs = conn->handshake;
    const char *reason = "";
    enum gh_code code;
    size_t room;

    if (hs == NULL) transport_own_deadlines(conn->wsi);
    if (hs != NULL && hs->http != NULL) {
        http_rx(conn, data, len);
        return;
    }
    if (conn->refuse != GH_CODE_OK) { /* decided at accept; said now that there is a channel */
        conn_refuse(conn, conn->refuse, conn->refuse == GH_CODE_UNAVAILABLE ? 5000 : 1000,
                    "at accept");
        return;
    }
    if (hs == NULL) {
        hs = calloc(1, sizeof *hs);
        if (hs == NULL) {
            conn_kill(conn);
            return;
        }
        conn->handshake = hs;
        gh_buf_init(&hs->bytes, 0);
        hs->started_us = gh_clock_mono_us();
    }
    /* One byte past the cap is enough to know that it is passed. */
    room = limits.max_bytes + 1 - hs->bytes.len;
    if (gh_buf_append(&hs->bytes, data, len < room ? len : room) != GH_OK) {
        conn_kill(conn);
        return;
    }
    switch (head_scan(&hs->scanner, &limits, hs->bytes.data, hs->bytes.len)) {
    case HEAD_MORE: return;
    case HEAD_BAD: conn_refuse(conn, GH_CODE_BAD_REQUEST, 0, "malformed head"); return;
    case HEAD_TOO_LARGE: conn_refuse(conn, GH_CODE_HEAD_TOO_LARGE, 0, "head too large"); return;
    case HEAD_DONE: break;
    }
    code = judge(conn, &reason);
    if (code == GH_CODE_OK && hs->http == NULL && (hs->scanner.at < hs->bytes.len || len > room)) {
        code = GH_CODE_BAD_REQUEST;
        reason = "bytes before the answer";
    }
    if (code == GH_CODE_OK && (edge->draining || gh_audit_full(edge->audit))) {
        code = GH_CODE_UNAVAILABLE;
        reason = edge->draining ? "draining" : "audit spool full";
    }
    if (code != GH_CODE_OK) {
        conn_refuse(conn, code, 1000, reason);
        return;
    }
    if (hs->http != NULL) {
        http_begin(conn, (const uint8_t *)hs->bytes.data + hs->scanner.at,
                   hs->bytes.len - hs->scanner.at, data + len - (len > room ? len - room : 0),
                   len > room ? len - room : 0);
        return;
    }
    conn->state = CONN_ADMITTING;
    admission_start(conn);
}

/* permessage-deflate where the route has it on and an offer is good. Writes the answer's line. */
static enum gh_err agree_extension(struct conn *conn, char *line, size_t size)
{
    const struct head *head = &conn->handshake->head;
    const struct pmd_policy policy = { conn->route->compression,
                                       conn->edge->config.compression.window_bits };
    char value[PMD_ANSWER_MAX];
    struct pmd_params params;
    enum gh_err err;

    line[0] = 0;
    if (!pmd_offer_choose(head->extensions, head->n_extensions, &policy, &params)) return GH_OK;
    err = pmd_peer_new(&params, &conn->pmd);
    if (err != GH_OK) return err;
    (void)pmd_offer_answer(&params, value);
    (void)snprintf(line, size, "Sec-WebSocket-Extensions: %s\r\n", value);
    return GH_OK;
}

void handshake_answer(struct conn *conn)
{
    const struct handshake *hs = conn->handshake;
    unsigned char digest[EVP_MAX_MD_SIZE], accept[32];
    char text[HEAD_KEY_LEN + sizeof GUID], answer[768], extension[PMD_ANSWER_MAX + 32];
    unsigned digest_len = 0;
    int len;

    memcpy(text, hs->head.ws_key.data, HEAD_KEY_LEN);
    memcpy(text + HEAD_KEY_LEN, GUID, sizeof GUID);
    if (EVP_Digest(text, HEAD_KEY_LEN + sizeof GUID - 1, digest, &digest_len, EVP_sha1(), NULL) !=
            1 ||
        agree_extension(conn, extension, sizeof extension) != GH_OK) {
        conn_kill(conn);
        return;
    }
    (void)EVP_EncodeBlock(accept, digest, (int)digest_len);
    len = snprintf(answer, sizeof answer,
                   "HTTP/1.1 101 Switching Protocols\r\n"
                   "Upgrade: websocket\r\n"
                   "Connection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: %s\r\n"
                   "%s%s%sX-Request-Id: %s\r\n\r\n",
                   accept,
                   credential_offers_v1(&hs->head) ? "Sec-WebSocket-Protocol: " CREDENTIAL_PROTOCOL
                                                     "\r\n"
                                                   : "",
                   extension, conn->tls ? REFUSAL_HSTS : "", conn->request_id);
    if (outbox_bytes(&conn->outbox, &conn->edge->pool, answer, (size_t)len, sizeof answer) != GH_OK)
        conn_kill(conn);
    else
        conn_mark_dirty(conn);
}
