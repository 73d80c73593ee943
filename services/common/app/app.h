/*
 * app - an application on the bus, in C: what chat is made of and what an author copies.
 *
 *     static void on_message(void *ctx, struct gh_app_conn *conn, const struct gh_app_message *msg)
 *     {
 *         gh_app_send(app, gh_app_to_conn(conn), (struct gh_app_out){ "chat", text, len });
 *     }
 *
 * Edges connect to the application, announce each connection with its identity, and send validated
 * messages in order. Everything the application sends in a turn of the loop leaves in one message
 * per edge; for the edge that asked it rides on the answer. What it sends to a topic or a user goes
 * to every edge, and each edge delivers to its own connections: a room of thousands costs one
 * message per edge.
 *
 * Delivery is at most once: an edge that dies takes with it what it had not written. On a resumable
 * route (`resume:` in the configuration) it is exactly once while the client comes back in time:
 * the kit keeps what was said of late, and says again to the session's next edge what had not
 * reached it. Such a connection has no on_close when its client goes away and no on_open when it is
 * back: it is the same one, and may be sent to all the while. `seq` in the envelope is the gate's
 * there. An application
 * that dies is told of all open connections again when it is back; what it had not acknowledged in
 * its own words, the client must ask again.
 *
 * Identity comes from gh_app_conn, never from a payload. Single-threaded, on the service's loop.
 */
#ifndef GH_APP_H
#define GH_APP_H

#include "common/service.h"

#define GH_APP_TOPIC_MAX  128u /* bytes of a topic's name */
#define GH_APP_ROLES_MAX  32u
#define GH_APP_TOPICS_MAX 256u /* of one connection; the edge refuses more */

struct gh_app;
struct gh_app_edge;

struct gh_app_conn { /* read only; valid from on_open to the end of on_close */
    struct gh_app_edge *edge;
    uint64_t id; /* unique within the edge's boot */
    ProtobufCBinaryData session_id;
    ProtobufCBinaryData user;
    ProtobufCBinaryData route;
    ProtobufCBinaryData address;
    ProtobufCBinaryData roles[GH_APP_ROLES_MAX];
    size_t role_count;
    void *user_data; /* the application's */
    bool resumable;
    /* During on_open only: the session is not new, but another instance knew it, or this one before
     * it was restarted. These are the topics it is in. */
    bool resumed;
    const ProtobufCBinaryData *topics;
    size_t topic_count;

    /* The kit's own. edge is NULL while the client is away. */
    struct gh_app_conn *chain, *session_chain;
    struct gh_app_conn *older, *newer; /* detached ones, by when */
    bool detached;
    int64_t detached_ms;
    char *text;
};

struct gh_app_message {
    ProtobufCBinaryData type;
    ProtobufCBinaryData
        id; /* the client's name for it, escaped as in JSON, without quotes; may be empty */
    ProtobufCBinaryData data; /* the whole canonical message */
    bool binary;
};

/* All but on_message are optional. */
struct gh_app_handlers {
    void (*on_open)(void *ctx, struct gh_app_conn *conn);
    void (*on_message)(void *ctx, struct gh_app_conn *conn, const struct gh_app_message *msg);
    void (*on_close)(void *ctx, struct gh_app_conn *conn, uint32_t close_code);
    /* After the last item of a batch, before its answer (and all that was sent meanwhile) leaves:
     * the place to make durable what the answers acknowledge. An error drops all that the batch
     * sent, to any edge; the edge that asked is told. */
    enum gh_err (*on_batch)(void *ctx);
};

GH_NODISCARD enum gh_err gh_app_new(struct gh_service *service, const char *endpoint,
                                    const struct gh_app_handlers *handlers, void *ctx,
                                    struct gh_app **ret_app);
void gh_app_free(struct gh_app *app); /* on_close is called for each open connection */

bool gh_app_has_role(const struct gh_app_conn *conn, const char *role);

/* Whom to send to. */
struct gh_app_target {
    const struct gh_app_conn *conn;
    ProtobufCBinaryData session_id, user, topic;
    const struct gh_app_conn *except; /* with a topic: not to this one */
};

struct gh_app_out {
    const char *type; /* message type, static or outliving the turn */
    const void *data; /* copied */
    size_t len;
    bool binary;
    bool conflatable; /* to a topic: a slow reader may lose it for a newer one of the same topic */
};

static inline struct gh_app_target gh_app_to_conn(const struct gh_app_conn *conn)
{
    return (struct gh_app_target){ .conn = conn };
}

static inline struct gh_app_target gh_app_to_user(ProtobufCBinaryData user)
{
    return (struct gh_app_target){ .user = user };
}

static inline struct gh_app_target gh_app_to_topic(ProtobufCBinaryData topic)
{
    return (struct gh_app_target){ .topic = topic };
}

/* Never fails its caller: what cannot be queued (memory, an edge's full queue) is counted in
 * gatehouse_app_lost_total. */
void gh_app_send(struct gh_app *app, struct gh_app_target target, struct gh_app_out out);
void gh_app_subscribe(struct gh_app *app, const struct gh_app_conn *conn,
                      ProtobufCBinaryData topic);
void gh_app_unsubscribe(struct gh_app *app, const struct gh_app_conn *conn,
                        ProtobufCBinaryData topic);
void gh_app_disconnect(struct gh_app *app, const struct gh_app_conn *conn, uint16_t close_code,
                       const char *reason);
size_t gh_app_conn_count(const struct gh_app *app);

#endif
