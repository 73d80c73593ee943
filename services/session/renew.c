/* A connection has a new credential: the session's expiry moves, its CSRF token is rotated. */
#include "hijack.h"
#include "session.h"

#include "common/code.h"
#include "common/random.h"

#include <stdlib.h>
#include <string.h>

struct renewal {
    struct session *session;
    struct gh_reply *reply;
};

static void answer(struct renewal *r, uint32_t code, uint64_t expires_ms)
{
    Gh__SessionRenewed renewed = GH__SESSION_RENEWED__INIT;
    char csrf[SESSION_CSRF_LEN + 1];

    renewed.code = code;
    if (code == GH_CODE_OK) {
        gh_random_token(SESSION_CSRF_BYTES, csrf);
        renewed.csrf_token = gh_bytes(csrf, SESSION_CSRF_LEN);
        renewed.expires_ms = expires_ms;
        (*r->session->renewed)++;
    } else if (code == GH_CODE_UNAVAILABLE) {
        renewed.retry_after_ms = SESSION_RETRY_MS;
        (*r->session->redis_failed)++;
    }
    gh_reply_send(r->reply, GH__ENVELOPE__BODY_SESSION_RENEWED, &renewed);
    explicit_bzero(csrf, sizeof(csrf));
    free(r);
}

static void on_renewed(void *ctx, enum gh_err err, const redisReply *reply)
{
    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)) err = GH_ERR_IO;
    if (err != GH_OK)
        answer(ctx, GH_CODE_UNAVAILABLE, 0);
    else
        answer(ctx, (uint32_t)reply->element[0]->integer, (uint64_t)reply->element[1]->integer);
}

enum gh_err session_on_renew(void *ctx, const struct gh_peer *peer, const void *body,
                             struct gh_reply *reply)
{
    const Gh__SessionRenew *msg = body;
    struct session *session = ctx;
    struct session_user user;
    struct renewal *r;
    struct args args;
    enum gh_err err = session_user_make(msg->user, &user);

    (void)peer;
    if (err != GH_OK) return err;
    if (!session_id_valid(msg->session_id.data, msg->session_id.len) || msg->token_id.len > 128)
        return GH_ERR_BAD_MESSAGE;
    r = malloc(sizeof(*r));
    if (r == NULL) return GH_ERR_NOMEM;
    *r = (struct renewal){ session, reply };
    hijack_look(session, &user,
                &(struct hijack_sight){ .token_id = msg->token_id,
                                        .address = msg->address,
                                        .session_id = msg->session_id,
                                        .request_id = msg->request_id,
                                        .expires_ms = msg->expires_ms });
    session_args_begin(session, &user.keys, &args);
    args_data(&args, msg->session_id);
    args_u64(&args, session->cfg.idle_ms);
    args_u64(&args, session->cfg.max_age_ms);
    args_u64(&args, msg->expires_ms);
    args_data(&args, msg->token_id);
    err = args_script(&args, session->redis, &session_script_renew, 2, on_renewed, r);
    args_done(&args);
    if (err != GH_OK) answer(r, GH_CODE_UNAVAILABLE, 0);
    return GH_OK;
}
