#include "create.h"

#include "hijack.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/log.h"
#include "common/random.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define ROLES_MAX      64u
#define KEEP_MS_MAX    3600000u
#define KEEP_BYTES_MAX (4u << 20) /* it must fit into one answer */

void creation_free(struct creation *c)
{
    if (c->msg != NULL) gh__session_create__free_unpacked(c->msg, NULL);
    explicit_bzero(c->secret, sizeof(c->secret));
    free(c);
}

static void answer(struct creation *c, uint32_t code, uint64_t expires_ms, uint64_t retry_ms)
{
    Gh__SessionCreated created = GH__SESSION_CREATED__INIT;
    char csrf[SESSION_CSRF_LEN + 1];

    created.code = code;
    created.retry_after_ms = retry_ms;
    if (code == GH_CODE_OK) {
        gh_random_token(SESSION_CSRF_BYTES, csrf);
        created.session_id = gh_bytes(c->id, SESSION_ID_LEN);
        created.csrf_token = gh_bytes(csrf, SESSION_CSRF_LEN);
        created.expires_ms = expires_ms;
        if (c->resumable) {
            created.resume_secret = gh_bytes(c->secret, CREATION_SECRET_LEN);
            created.generation = 1;
        }
    }
    gh_reply_send(c->reply, GH__ENVELOPE__BODY_SESSION_CREATED, &created);
    explicit_bzero(csrf, sizeof(csrf));
}

void creation_refuse(struct creation *c, uint32_t code, uint64_t retry_ms)
{
    if (code == GH_CODE_UNAVAILABLE) (*c->session->redis_failed)++;
    answer(c, code, 0, retry_ms);
    creation_free(c);
}

static void tell_refused(struct creation *c, uint32_t code)
{
    gh_log(GH_LOG_INFO, "session_refused", "request_id=%.*s user=\"%.*s\" address=%.*s code=%s",
           (int)c->request_id_len, c->request_id, (int)c->user.len, c->user.name,
           (int)c->address_len, c->address, gh_code_info(code)->name);
    gh_audit_emit(c->session->audit, GH_SEV_NOTICE, "session.refused",
                  &(struct gh_audit_event){
                      .request_id = gh_bytes(c->request_id, c->request_id_len),
                      .user = gh_bytes(c->user.name, c->user.len),
                      .address = gh_bytes(c->address, c->address_len),
                      .code = gh_code_info(code)->name,
                      .fields = { { "limit", .number = c->session->cfg.max_per_user } } });
}

static void tell_superseded(struct creation *c, uint32_t count)
{
    gh_audit_emit(
        c->session->audit, GH_SEV_NOTICE, "session.superseded",
        &(struct gh_audit_event){ .request_id = gh_bytes(c->request_id, c->request_id_len),
                                  .session_id = gh_bytes(c->id, SESSION_ID_LEN),
                                  .user = gh_bytes(c->user.name, c->user.len),
                                  .address = gh_bytes(c->address, c->address_len),
                                  .code = gh_code_info(GH_CODE_SUPERSEDED)->name,
                                  .fields = { { "ended", .number = count } } });
}

static void forget_index(struct creation *c)
{
    session_index_remove(c->session, &c->user, c->id, c->stamp, c->address, c->address_len);
}

static void on_created(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct creation *c = ctx;
    struct session *session = c->session;
    uint32_t code, ended;

    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 4)) err = GH_ERR_IO;
    if (err != GH_OK) {
        /* Redis may have done it and died before it could say so: then it is ended when it is back,
         * for nobody will ever use it. */
        ledger_add(session->ledger, c->id, c->user.name, c->user.len, GH_CODE_SESSION_ENDED,
                   gh_clock_mono_ms());
        creation_refuse(c, GH_CODE_UNAVAILABLE, SESSION_RETRY_MS);
        return;
    }
    code = (uint32_t)reply->element[0]->integer;
    ended = session_ended(session, &c->user, reply->element[3], true);
    if (code == GH_CODE_OK) {
        (*session->created)++;
        if (ended > 0) tell_superseded(c, ended);
    } else {
        if (code == GH_CODE_SESSION_LIMIT) (*session->refused_limit)++;
        forget_index(c);
        tell_refused(c, code);
    }
    answer(c, code, (uint64_t)reply->element[1]->integer, (uint64_t)reply->element[2]->integer);
    creation_free(c);
}

static bool valid_resume(const Gh__SessionCreate *msg)
{
    const Gh__SessionResume *resume = msg->resume;

    if (msg->keep != NULL && (msg->keep->window_ms == 0 || msg->keep->window_ms > KEEP_MS_MAX ||
                              msg->keep->max_messages == 0 || msg->keep->max_bytes == 0 ||
                              msg->keep->max_bytes > KEEP_BYTES_MAX))
        return false;
    return resume == NULL || (msg->keep != NULL && resume->last_seq <= SESSION_SEQ_MAX &&
                              resume->secret.len == CREATION_SECRET_LEN &&
                              session_id_valid(resume->session_id.data, resume->session_id.len));
}

static bool valid(const Gh__SessionCreate *msg)
{
    size_t roles = 0;

    if (msg->address.len == 0 || msg->address.len > 63 || msg->route.len > 64 ||
        msg->token_id.len > 128 || msg->edge.len == 0 || msg->edge.len > GH_BUS_INSTANCE_MAX ||
        msg->request_id.len > 63 || msg->n_roles > ROLES_MAX || !valid_resume(msg))
        return false;
    for (size_t i = 0; i < msg->n_roles; i++)
        roles += msg->roles[i].len + 1;
    return roles <= CREATION_ROLES_MAX;
}

size_t creation_roles(const Gh__SessionCreate *msg, char dst[CREATION_ROLES_MAX])
{
    size_t len = 0;

    for (size_t i = 0; i < msg->n_roles; i++) {
        if (i > 0) dst[len++] = ',';
        memcpy(dst + len, msg->roles[i].data, msg->roles[i].len);
        len += msg->roles[i].len;
    }
    return len;
}

void creation_digest(const void *secret, size_t len, char dst[CREATION_DIGEST_LEN + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256(secret, len, digest);
    gh_b64url_encode(digest, sizeof(digest), dst);
}

void creation_who_args(const struct creation *c, const Gh__SessionCreate *msg, struct args *args)
{
    args_bytes(args, c->user.name, c->user.len);
    args_data(args, msg->address);
    args_bytes(args, msg->agent.data,
               msg->agent.len < CREATION_AGENT_MAX ? msg->agent.len : CREATION_AGENT_MAX);
    args_data(args, msg->route);
    args_data(args, msg->edge);
    args_u64(args, msg->edge_boot_id);
    args_data(args, msg->token_id);
}

void creation_keep_args(struct creation *c, const Gh__SessionCreate *msg, struct args *args,
                        char digest[CREATION_DIGEST_LEN + 1])
{
    c->resumable = msg->keep != NULL;
    digest[0] = '\0';
    if (c->resumable) {
        gh_random_token(CREATION_SECRET_BYTES, c->secret);
        creation_digest(c->secret, CREATION_SECRET_LEN, digest);
    }
    args_str(args, digest);
    args_u64(args, c->resumable ? msg->keep->window_ms : 0);
    args_u64(args, c->resumable ? msg->keep->max_messages : 0);
    args_u64(args, c->resumable ? msg->keep->max_bytes : 0);
}

static enum gh_err ask_redis(struct creation *c, const Gh__SessionCreate *msg)
{
    const struct session_config *cfg = &c->session->cfg;
    char roles[CREATION_ROLES_MAX], digest[CREATION_DIGEST_LEN + 1];
    struct args args;
    enum gh_err err;

    session_args_begin(c->session, &c->user.keys, &args);
    args_bytes(&args, c->id, SESSION_ID_LEN);
    args_u64(&args, cfg->idle_ms);
    args_u64(&args, cfg->max_age_ms);
    args_u64(&args, cfg->max_per_user);
    args_str(&args, cfg->on_limit == SESSION_REFUSE ? "0" : "1");
    args_u64(&args, msg->expires_ms);
    creation_who_args(c, msg, &args);
    args_bytes(&args, c->stamp, SESSION_STAMP_LEN);
    args_bytes(&args, roles, creation_roles(msg, roles));
    creation_keep_args(c, msg, &args, digest);
    err = args_script(&args, c->session->redis, &session_script_create, 2, on_created, c);
    args_done(&args);
    return err;
}

void creation_begin(struct creation *c, const Gh__SessionCreate *msg)
{
    struct session *session = c->session;
    enum gh_err err = GH_ERR_UNAVAILABLE;

    gh_random_token(16, c->id);
    session_stamp_make(gh_clock_wall_ms(), c->stamp);
    if (gh_redis_up(session->redis)) {
        session_index_add(session, &c->user, c->id, c->stamp, msg->address, msg->expires_ms);
        err = ask_redis(c, msg);
    }
    if (err != GH_OK) creation_refuse(c, GH_CODE_UNAVAILABLE, SESSION_RETRY_MS);
}

enum gh_err session_on_create(void *ctx, const struct gh_peer *peer, const void *body,
                              struct gh_reply *reply)
{
    const Gh__SessionCreate *msg = body;
    struct session *session = ctx;
    struct creation *c;
    enum gh_err err;

    (void)peer;
    if (!valid(msg)) return GH_ERR_BAD_MESSAGE;
    c = calloc(1, sizeof(*c));
    if (c == NULL) return GH_ERR_NOMEM;
    c->session = session;
    c->reply = reply;
    err = session_user_make(msg->user, &c->user);
    if (err != GH_OK) {
        free(c);
        return err;
    }
    c->address_len = msg->address.len;
    memcpy(c->address, msg->address.data, msg->address.len);
    c->request_id_len = msg->request_id.len;
    if (msg->request_id.len > 0) memcpy(c->request_id, msg->request_id.data, msg->request_id.len);
    hijack_look(session, &c->user,
                &(struct hijack_sight){
                    .token_id = msg->token_id,
                    .address = msg->address,
                    .agent = gh_bytes(msg->agent.data, msg->agent.len < CREATION_AGENT_MAX
                                                           ? msg->agent.len
                                                           : CREATION_AGENT_MAX),
                    .session_id = msg->resume != NULL ? msg->resume->session_id : gh_bytes("", 0),
                    .request_id = msg->request_id,
                    .resumed = msg->resume != NULL,
                    .expires_ms = msg->expires_ms });
    err = msg->resume != NULL ? session_resume(c, msg) : GH_OK;
    if (err == GH_OK && msg->resume == NULL) creation_begin(c, msg);
    if (err != GH_OK) creation_refuse(c, GH_CODE_UNAVAILABLE, SESSION_RETRY_MS);
    return GH_OK;
}
