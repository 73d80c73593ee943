/*
 * conn - one client connection, from the accepted socket to its last byte.
 *
 *     HEAD -> ADMITTING -> OPEN -> CLOSING -> LINGER -> gone
 *
 * HEAD collects the request, ADMITTING waits for auth, session and limiter, OPEN passes messages,
 * CLOSING has sent a Close frame and waits for the client's, LINGER has said its last word (an HTTP
 * refusal or both Close frames) and reads on until the client has it: closing a socket with unread
 * bytes resets the connection, and a reset can overtake what was sent. After a refusal the wheel
 * does that reading (conn_timer.c), and the connection takes nobody's place.
 *
 * A connection is small: what only a handshake or a half message needs is allocated while it is
 * needed. It is named towards other modules and processes by its id, never by pointer, because it
 * may be gone when an answer comes.
 */
#ifndef EDGE_CONN_H
#define EDGE_CONN_H

#include "addr.h"
#include "frame.h"
#include "hmap.h"
#include "outbox.h"
#include "utf8.h"
#include "wheel.h"

#include "common/code.h"
#include "common/random.h"

#include <stdbool.h>

struct edge;
struct lws;
struct route;
struct handshake;
struct lease;
struct held;
struct out_entry;
struct resume;
struct subscription;
struct address_entry;
struct app_lane;
struct validator_lane;
struct user_entry;
struct origin;
struct refusals;
struct pmd_peer;

enum conn_state { CONN_HEAD, CONN_ADMITTING, CONN_OPEN, CONN_CLOSING, CONN_LINGER };

/* Reasons for not reading a socket; it is read while none holds. */
enum conn_pause {
    CONN_PAUSE_VALIDATOR = 1 << 0, /* its validator's window is full */
    CONN_PAUSE_HELD = 1 << 1,      /* messages wait for a lease or for the application */
    CONN_PAUSE_DRAIN = 1 << 2,     /* the edge is going away: nothing new is taken */
    CONN_PAUSE_OUTBOUND = 1 << 3,  /* much for it waits for a verdict */
    CONN_PAUSE_ANSWERED = 1 << 4,  /* it has its answer, and conn_timer.c sees to its end */
};

#define IDENTITY_CSRF_MAX   64
#define IDENTITY_OVERLAP_MS 60000 /* how long the CSRF token before the last is good */

/* What admission said; made once, freed with the connection. */
struct identity {
    struct hmap_node by_session; /* in the directory */
    struct user_entry *user_entry;
    struct identity *user_prev, *user_next; /* the user's other connections */
    struct conn *conn;
    uint64_t expires_ms;     /* wall clock: credential or session age, whichever ends first */
    uint64_t session_end_ms; /* wall clock: absolute session age */
    char csrf[IDENTITY_CSRF_MAX + 1];
    char csrf_previous[IDENTITY_CSRF_MAX + 1];        /* "" or still good until csrf_until_ms */
    int64_t csrf_until_ms;                            /* monotonic */
    const char *session_id, *user, *roles, *token_id; /* NUL-ended; roles: comma-separated */
    uint16_t user_len, roles_len, token_id_len;
    uint32_t rules_epoch;  /* role_bits are of this one; 0: of none */
    uint64_t role_bits;    /* outbound.c */
    char *renewed;         /* what a token_refresh brought; roles and token_id point into it */
    struct origin *origin; /* of the credential, for revocations */
    char text[];
};

struct conn {
    struct edge *edge;
    struct lws *wsi;
    uint64_t id;
    struct wheel_timer timer;
    struct conn *dirty_next, **dirty_at; /* in edge.dirty; dirty_at NULL: not in it */
    struct route *route;
    struct handshake *handshake; /* HEAD, ADMITTING */
    struct identity *identity;   /* from OPEN on */
    struct pmd_peer *pmd;        /* permessage-deflate was agreed on */
    struct address_entry *address_entry;
    struct addr addr;
    uint16_t port;
    uint8_t state;
    uint8_t paused; /* enum conn_pause */

    bool tls : 1;
    bool counted : 1;    /* in the open-connection figures */
    bool close_sent : 1; /* our Close frame is queued or gone */
    bool finished : 1;   /* transport_finish was called */
    bool killed : 1;     /* its socket is closed at the end of this turn */
    bool close_seen : 1; /* the client's Close frame came */
    bool ping_waiting : 1;
    bool expiry_warned : 1;
    bool draining : 1;     /* told to go away */
    bool plain_on_tls : 1; /* spoke HTTP to the TLS port */
    bool left : 1;         /* session ended, application told */
    bool announced : 1;    /* APP_OPEN went to its lane */
    bool refresh_waiting : 1;

    uint8_t refuse;   /* enum gh_code decided at accept; told at the first byte */
    uint16_t ws_code; /* close code that ended it, 0 while open */
    uint8_t code;     /* enum gh_code that ended it */

    struct frame_decoder decoder;
    struct utf8 utf8;
    uint8_t *assembly; /* a message in parts */
    uint32_t assembly_len, assembly_cap;
    int64_t assembly_due_ms; /* 0: none in parts */

    struct outbox outbox;
    uint32_t controls; /* control frames in this window of a second */
    int64_t controls_ms;
    float tokens; /* local message bucket */
    int64_t tokens_ms;

    int64_t opened_ms, last_rx_ms, ping_ms, close_due_ms, latency_us;
    int64_t ping_us;

    struct validator_lane *lane;
    uint64_t lane_epoch;
    uint32_t unanswered; /* messages at the validator */
    uint32_t app_unanswered;
    uint64_t context_batch; /* number of the batch its context is in */
    uint32_t context_index;
    struct conn *lane_next; /* in its validator lane's list of paused connections */
    bool lane_listed;

    struct app_lane *app_lane;
    struct conn *app_prev, *app_next; /* in its app lane's list of connections */

    struct held *held, *held_last; /* accepted messages that wait, in order */
    uint32_t held_bytes;
    struct lease *user_lease, *type_lease; /* pinned */
    struct conn *wait_next, **wait_at; /* in the list of what its first held message waits for */

    struct out_entry *out_first, *out_last; /* behind a message without a verdict yet */
    uint32_t out_bytes;
    struct latest *latest; /* held while it is behind */

    struct resume *resume; /* NULL: its session ends with it */

    struct subscription *subscriptions;
    uint32_t n_subscriptions;

    uint64_t messages_in, messages_out; /* since the connection opened */
    uint64_t touched_in, touched_out;   /* as of the last SessionTouch */
    uint64_t bytes_in, bytes_out;
    uint32_t refused;          /* messages */
    struct refusals *refusals; /* of the last second; NULL: none */
    char request_id[GH_REQUEST_ID_LEN + 1];
};

struct conn_socket { /* what the listener knows of an accepted socket */
    int fd;
    bool tls;
    bool plain_on_tls; /* HTTP in the clear on the TLS port: answered 426 */
    struct addr addr;  /* the client's, from the PROXY header where one is trusted */
    uint16_t port;
    uint32_t refuse; /* enum gh_code to be told over HTTP, GH_CODE_OK for none */
    struct address_entry *address_entry;
    int64_t accepted_ms;
};

/* Takes the socket and its address entry over, whatever comes of it. */
void conn_accept(struct edge *edge, const struct conn_socket *socket);

/* From the transport. */
void conn_on_rx(void *ctx, void *user, uint8_t *data, size_t len);
void conn_on_writable(void *ctx, void *user);
void conn_on_closed(void *ctx, void *user);
/* From the wheel: every deadline of a connection goes through its one timer. */
void conn_on_timer(struct conn *conn, int64_t now_ms);
void conn_rearm(struct conn *conn); /* after a deadline was set or moved nearer */

/* The HTTP answer that ends a handshake (HEAD, ADMITTING). reason: for the log and the audit. */
void conn_refuse(struct conn *conn, uint32_t code, uint64_t retry_after_ms, const char *reason);
/* The whole HTTP answer to what was no handshake (HEAD, ADMITTING); it ends after it. */
void conn_answer(struct conn *conn, const void *answer, size_t len);
/* Ends an open connection with the close code of `code` (or ws_code when not 0): a Close frame
 * goes out behind what is queued. reason may be NULL. */
void conn_close(struct conn *conn, uint32_t code, uint16_t ws_code, const char *reason);
/* Ends it at the end of this turn of the loop, in any state; the connection stays valid until then.
 */
void conn_kill(struct conn *conn);
/* Both ways, the connection leaves: its session is ended and its application told. Idempotent. */
void conn_leave(struct conn *conn);
/* The session has a new CSRF token: the last one stays good for a while, and the client is told. */
void conn_rotate_csrf(struct conn *conn, const char *csrf);
/* After admission: answers 101 and welcome. */
void conn_open(struct conn *conn);

/* Queues one text (or binary) message, compressed where that was agreed on. A full outbox ends the
 * connection (slow consumer). */
void conn_send(struct conn *conn, const void *data, size_t len, bool binary);
/* The same, never compressed: for what holds a secret, whose length must not depend on it. */
void conn_send_plain(struct conn *conn, const void *data, size_t len, bool binary);
/* The same for one of the application, which may have to be kept first (resume.h). */
void conn_deliver(struct conn *conn, const void *data, size_t len, bool binary);
void conn_send_control(struct conn *conn, uint8_t opcode, const void *data, size_t len);
void conn_mark_dirty(struct conn *conn);
/* Writes what is queued: once a turn of the loop. */
void conn_flush(struct conn *conn);

void conn_pause(struct conn *conn, unsigned why);
void conn_resume(struct conn *conn, unsigned why);

#endif
