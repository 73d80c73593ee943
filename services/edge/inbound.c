#include "inbound.h"

#include "batcher.h"
#include "edge.h"
#include "pmd.h"
#include "replies.h"

#include "common/clock.h"
#include "common/json/utf8.h"

#include <stdlib.h>
#include <string.h>

#define CONTROLS_PER_S 64 /* pings, pongs and closes a client may send */

/* The local bucket of messages: what no other process need be asked for. */
static bool take_token(struct conn *conn, int64_t now_ms)
{
    const struct edge_rates *rates = &conn->edge->config.rates;

    if (conn->tokens_ms == 0) {
        conn->tokens = (float)rates->messages_burst;
        conn->tokens_ms = now_ms;
    } else if (now_ms > conn->tokens_ms) {
        conn->tokens += (float)rates->messages_per_s * (float)(now_ms - conn->tokens_ms) / 1000.0f;
        if (conn->tokens > (float)rates->messages_burst)
            conn->tokens = (float)rates->messages_burst;
        conn->tokens_ms = now_ms;
    }
    if (conn->tokens < 1) return false;
    conn->tokens -= 1;
    return true;
}

static void take_message(struct conn *conn, const uint8_t *data, size_t len, bool binary)
{
    int64_t now = edge_now(conn->edge);

    conn->messages_in++;
    (*conn->route->messages_in)++;
    *conn->route->bytes_in += len;
    conn->last_rx_ms = now;
    conn->edge->message_ms = now;
    if (!take_token(conn, now)) {
        replies_error(conn, NULL, GH_CODE_RATE_LIMITED, NULL, 0,
                      1 + 1000 / conn->edge->config.rates.messages_per_s);
        return;
    }
    batcher_add(conn, data, len, binary);
}

static bool assemble(struct conn *conn, const uint8_t *data, size_t len)
{
    size_t need = conn->assembly_len + len;

    if (need > conn->assembly_cap) {
        /* The headers so far tell how much of the message is announced. */
        size_t cap = conn->decoder.message_bytes > need ? conn->decoder.message_bytes : need;
        uint8_t *bigger;

        /* What is announced may never come: memory follows what has come, twice over at most. */
        if (cap > need * 2 + 1024) cap = need * 2 + 1024;
        bigger = realloc(conn->assembly, cap);
        if (bigger == NULL) {
            conn_close(conn, GH_CODE_INTERNAL, 0, "no memory");
            return false;
        }
        conn->assembly = bigger;
        conn->assembly_cap = (uint32_t)cap;
    }
    if (len > 0) memcpy(conn->assembly + conn->assembly_len, data, len);
    conn->assembly_len += (uint32_t)len;
    return true;
}

/* A compressed message is inflated when it is whole, and its text judged then. */
static void take_deflated(struct conn *conn, const uint8_t *data, size_t len, bool text)
{
    struct stats *stats = &conn->edge->stats;
    const uint8_t *plain;
    size_t plain_len;

    switch (pmd_inflate(conn->edge->pmd, conn->pmd, data, len, &plain, &plain_len)) {
    case PMD_GOOD: break;
    case PMD_BROKEN: conn_close(conn, GH_CODE_PROTOCOL_ERROR, 1007, "bad deflate data"); return;
    case PMD_TOO_LARGE: conn_close(conn, GH_CODE_TOO_LARGE, 0, "inflates past the cap"); return;
    case PMD_NOMEM: conn_close(conn, GH_CODE_INTERNAL, 0, "no memory to inflate"); return;
    }
    (*stats->deflated_in)++;
    *stats->deflated_in_plain += plain_len;
    *stats->deflated_in_wire += len;
    if (text && !gh_utf8_valid(plain, plain_len)) {
        conn_close(conn, GH_CODE_BAD_UTF8, 0, "bad UTF-8");
        return;
    }
    take_message(conn, plain, plain_len, !text);
}

static void take_whole(struct conn *conn, const uint8_t *data, size_t len,
                       const struct frame_piece *piece)
{
    if (piece->deflated)
        take_deflated(conn, data, len, piece->opcode == FRAME_TEXT);
    else
        take_message(conn, data, len, piece->opcode != FRAME_TEXT);
}

static void take_piece(struct conn *conn, const struct frame_piece *piece)
{
    bool text = piece->opcode == FRAME_TEXT && !piece->deflated;

    if (piece->first) {
        conn->utf8 = (struct utf8){ 0 };
        conn->assembly_len = 0;
    }
    if (text && (!utf8_feed(&conn->utf8, piece->data, piece->len) ||
                 (piece->last && !utf8_whole(&conn->utf8)))) {
        conn_close(conn, GH_CODE_BAD_UTF8, 0, "bad UTF-8");
        return;
    }
    if (piece->first && piece->last) { /* the usual case: nothing is copied here */
        take_whole(conn, piece->data, piece->len, piece);
        return;
    }
    if (piece->first) {
        conn->assembly_due_ms =
            edge_now(conn->edge) + (int64_t)conn->edge->config.message_timeout_ms;
        conn_rearm(conn);
    }
    if (!assemble(conn, piece->data, piece->len) || !piece->last) return;
    conn->assembly_due_ms = 0;
    take_whole(conn, conn->assembly, conn->assembly_len, piece);
    free(conn->assembly);
    conn->assembly = NULL;
    conn->assembly_len = conn->assembly_cap = 0;
}

/* RFC 6455 section 5.5.1. Returns the gh_code of what is wrong with the payload. */
static enum gh_code judge_close(const uint8_t *data, size_t len)
{
    struct utf8 utf8 = { 0 };

    if (len == 0) return GH_CODE_OK;
    if (len == 1) return GH_CODE_PROTOCOL_ERROR;
    if (!frame_close_code_ok((uint16_t)(data[0] << 8 | data[1]))) return GH_CODE_PROTOCOL_ERROR;
    if (!utf8_feed(&utf8, data + 2, len - 2) || !utf8_whole(&utf8)) return GH_CODE_BAD_UTF8;
    return GH_CODE_OK;
}

static void take_close(struct conn *conn, const uint8_t *data, size_t len)
{
    enum gh_code bad = judge_close(data, len);

    if (conn->close_sent) { /* the answer to ours */
        conn->close_seen = true;
        conn_mark_dirty(conn);
        return;
    }
    if (bad != GH_CODE_OK) {
        conn_close(conn, bad, 0, "bad close frame");
        conn->close_seen = true;
        return;
    }
    /* Its code comes back; without one, 1000. */
    conn_close(conn, GH_CODE_OK, len >= 2 ? (uint16_t)(data[0] << 8 | data[1]) : 1000,
               "closed by the client");
    conn->close_seen = true;
}

static void take_pong(struct conn *conn, const uint8_t *data, size_t len)
{
    if (!conn->ping_waiting || len != sizeof conn->ping_us ||
        memcmp(data, &conn->ping_us, sizeof conn->ping_us) != 0)
        return; /* unasked for, which RFC 6455 section 5.5.3 allows */
    conn->ping_waiting = false;
    conn->latency_us = gh_clock_mono_us() - conn->ping_us;
    gh_histogram_add(conn->edge->stats.pong_us, (uint64_t)conn->latency_us);
}

static void take_control(struct conn *conn, const struct frame_piece *piece)
{
    int64_t now = edge_now(conn->edge);

    if (now - conn->controls_ms >= 1000) {
        conn->controls_ms = now;
        conn->controls = 0;
    }
    if (++conn->controls > CONTROLS_PER_S) {
        conn_close(conn, GH_CODE_RATE_LIMITED, 0, "control frame flood");
        return;
    }
    if (piece->opcode == FRAME_CLOSE)
        take_close(conn, piece->data, piece->len);
    else if (piece->opcode == FRAME_PONG)
        take_pong(conn, piece->data, piece->len);
    else if (!conn->close_sent)
        conn_send_control(conn, FRAME_PONG, piece->data, piece->len);
}

void inbound_rx(struct conn *conn, uint8_t *data, size_t len)
{
    const struct edge_config *config = &conn->edge->config;
    const struct frame_limits limits = {
        .max_message_bytes = config->max_message_bytes,
        .max_fragments = config->max_fragments,
        .max_deflated_bytes = conn->pmd != NULL ? pmd_wire_max(config->max_message_bytes) : 0,
    };
    struct frame_piece piece;

    /* Once a Close frame went out, only the client's is of interest. */
    while (conn->state == CONN_OPEN || (conn->state == CONN_CLOSING && !conn->close_seen)) {
        enum frame_result result = frame_decode(&conn->decoder, &limits, &data, &len, &piece);

        switch (result) {
        case FRAME_MORE: return;
        case FRAME_PIECE:
            if (conn->state == CONN_OPEN) take_piece(conn, &piece);
            break;
        case FRAME_CONTROL: take_control(conn, &piece); break;
        case FRAME_BAD:
        case FRAME_TOO_LARGE:
            if (conn->state == CONN_OPEN)
                conn_close(conn, result == FRAME_BAD ? GH_CODE_PROTOCOL_ERROR : GH_CODE_TOO_LARGE,
                           0, "bad frame");
            /* Where its next frame begins cannot be known: its Close frame will not be found. */
            conn->close_seen = true;
            conn_mark_dirty(conn);
            return;
        }
    }
}
