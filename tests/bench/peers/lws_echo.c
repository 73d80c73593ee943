/*
 * lws_echo - what libwebsockets does alone: its ws role, its own loop, and every message sent back.
 * The floor that the bench compares against. Loopback only.
 *
 *   lws_echo PORT [CERT KEY]
 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 64

struct message {
    unsigned char *data; /* LWS_PRE bytes, then the message */
    size_t len;
    int binary;
};

struct session {
    struct message queue[QUEUE_MAX];
    unsigned head, count;
    unsigned char *partial; /* fragments of the message being received */
    size_t partial_len;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static int receive(struct lws *wsi, struct session *s, const void *in, size_t len)
{
    unsigned char *grown = realloc(s->partial, LWS_PRE + s->partial_len + len);
    if (grown == NULL) return -1;
    memcpy(grown + LWS_PRE + s->partial_len, in, len);
    s->partial = grown;
    s->partial_len += len;
    if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi) > 0) return 0;
    if (s->count == QUEUE_MAX) return -1;
    s->queue[(s->head + s->count++) % QUEUE_MAX] =
        (struct message){ s->partial, s->partial_len, lws_frame_is_binary(wsi) };
    s->partial = NULL;
    s->partial_len = 0;
    lws_callback_on_writable(wsi);
    return 0;
}

static int send_one(struct lws *wsi, struct session *s)
{
    if (s->count == 0) return 0;
    struct message *m = &s->queue[s->head];
    int n =
        lws_write(wsi, m->data + LWS_PRE, m->len, m->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT);
    if (n < (int)m->len) return -1;
    free(m->data);
    s->head = (s->head + 1) % QUEUE_MAX;
    if (--s->count > 0) lws_callback_on_writable(wsi);
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t len)
{
    struct session *s = user;
    switch (reason) {
    case LWS_CALLBACK_RECEIVE: return receive(wsi, s, in, len);
    case LWS_CALLBACK_SERVER_WRITEABLE: return send_one(wsi, s);
    case LWS_CALLBACK_CLOSED:
        for (; s->count > 0; s->count--, s->head = (s->head + 1) % QUEUE_MAX)
            free(s->queue[s->head].data);
        free(s->partial);
        s->partial = NULL;
        return 0;
    default: return 0;
    }
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        { "gatehouse.v1", on_event, sizeof(struct session), 4096, 0, NULL, 0 },
        { NULL, NULL, 0, 0, 0, NULL, 0 },
    };
    struct lws_context_creation_info info = { 0 };
    if (argc != 2 && argc != 4) return 2;
    lws_set_log_level(LLL_ERR, NULL);
    info.port = (int)strtol(argv[1], NULL, 10);
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    if (argc == 4) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = argv[2];
        info.ssl_private_key_filepath = argv[3];
    }
    struct lws_context *context = lws_create_context(&info);
    if (context == NULL) return 1;
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    while (!stop && lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return 0;
}
