/* /auth/token, /auth/refresh, /auth/logout: our own tokens from their making to their end. */
#include "families.h"
#include "http.h"

#include "common/clock.h"
#include "common/code.h"
#include "common/json/builder.h"
#include "common/log.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRANTS_MAX_BYTES (VERIFY_GRANTS_MAX * (VERIFY_GRANT_MAX_BYTES + 1))
#define DIVIDER          '\n' /* in no grant: control characters are refused */

/* ---- the answer with tokens ---- */

static size_t split_grants(char *text, const char *grants[VERIFY_GRANTS_MAX])
{
    size_t count = 0;

    for (char *at = text; *at != '\0' && count < VERIFY_GRANTS_MAX;) {
        char *end = strchrnul(at, DIVIDER);

        grants[count++] = at;
        if (*end == '\0') break;
        *end = '\0';
        at = end + 1;
    }
    return count;
}

static enum gh_err sign(struct http_call *call, const struct family_answer *family,
                        char **ret_token)
{
    const char *grants[VERIFY_GRANTS_MAX];
    char token_id[FAMILY_ID_LEN + 24];
    char *text = strdup(family->grants);
    struct own_claims claims = {
        .user = family->user, .client = family->client, .token_id = token_id, .grants = grants
    };
    enum gh_err err;

    if (text == NULL) return GH_ERR_NOMEM;
    (void)snprintf(token_id, sizeof(token_id), "%s.%" PRIu64, family->id, family->number);
    claims.grant_count = split_grants(text, grants);
    err = own_sign(call->auth->rules->own, &claims, gh_clock_wall_ms(), ret_token);
    free(text);
    return err;
}

static void answer_tokens(struct http_call *call, const struct family_answer *family)
{
    char *token = NULL;
    struct gh_buf buf;
    struct gh_json j;

    if (call->auth->rules->own == NULL || sign(call, family, &token) != GH_OK) {
        http_refuse(call, GH_CODE_INTERNAL, NULL, "signing_failed");
        return;
    }
    (*call->auth->tokens_made)++;
    gh_buf_init(&buf, 0);
    gh_json_init(&j, &buf);
    gh_json_begin_object(&j);
    gh_json_kv_str(&j, "access_token", token);
    gh_json_kv_str(&j, "token_type", "Bearer");
    gh_json_kv_uint(&j, "expires_in", own_config(call->auth->rules->own)->access_ttl_ms / 1000);
    gh_json_kv_str(&j, "refresh_token", family->token);
    gh_json_kv_uint(&j, "refresh_expires_in", family->refresh_left_ms / 1000);
    gh_json_end_object(&j);
    if (gh_json_finish(&j) == GH_OK)
        http_json(call, buf.data, buf.len);
    else
        http_refuse(call, GH_CODE_INTERNAL, NULL, "out_of_memory");
    if (buf.data != NULL) explicit_bzero(buf.data, buf.len);
    gh_buf_done(&buf);
    explicit_bzero(token, strlen(token));
    free(token);
}

/* ---- /auth/token ---- */

/* base64 of RFC 4648 section 4 with padding, as Basic has it. */
static bool decode_basic(ProtobufCBinaryData header, char *dst, size_t size)
{
    const char *text = (const char *)header.data;
    size_t len;
    int got, padding = 0;

    if (header.len < 6 + 4 || strncasecmp(text, "Basic ", 6) != 0) return false;
    text += 6;
    len = header.len - 6;
    if (len % 4 != 0 || len / 4 * 3 >= size) return false;
    if (text[len - 1] == '=') padding++;
    if (text[len - 2] == '=') padding++;
    got = EVP_DecodeBlock((unsigned char *)dst, (const unsigned char *)text, (int)len);
    if (got < padding) return false;
    dst[got - padding] = '\0';
    return strlen(dst) == (size_t)(got - padding);
}

/* As long for an unknown client as for a wrong secret: digests are compared either way. */
static const struct auth_client_config *check_client(const struct own_issuer *own,
                                                     ProtobufCBinaryData header)
{
    static const struct auth_client_config nobody = {
        .name = "", .secret = { .data = (const unsigned char *)"", .len = 0 }
    };
    unsigned char given[SHA256_DIGEST_LENGTH], known[SHA256_DIGEST_LENGTH];
    const struct auth_client_config *client = NULL;
    char pair[1024];
    char *secret;
    bool same;

    if (!decode_basic(header, pair, sizeof(pair))) return NULL;
    secret = strchr(pair, ':');
    if (secret == NULL) return NULL;
    *secret++ = '\0';
    client = own_client(own, pair, strlen(pair));
    if (client == NULL) client = &nobody;
    SHA256((const unsigned char *)secret, strlen(secret), given);
    SHA256(client->secret.data, client->secret.len, known);
    same = CRYPTO_memcmp(given, known, sizeof(given)) == 0;
    explicit_bzero(pair, sizeof(pair));
    return same && client != &nobody ? client : NULL;
}

static bool may_give(const struct auth_client_config *client, const char *grant)
{
    if (client->roles.count == 0) return true;
    for (size_t i = 0; i < client->roles.count; i++) {
        if (strcmp(client->roles.items[i], grant) == 0) return true;
    }
    return false;
}

enum grants_error { GRANTS_OK, GRANTS_MALFORMED, GRANTS_FORBIDDEN };

/* The `roles` member, joined by DIVIDER into dst of GRANTS_MAX_BYTES. */
static enum grants_error take_grants(const struct http_body *body,
                                     const struct auth_client_config *client, char *dst)
{
    const struct gh_tape *tape = &body->tape;
    uint32_t roles = gh_tape_get_lit(tape, 0, "roles");
    char grant[VERIFY_GRANT_MAX_BYTES + 1];
    size_t at = 0, count = 0;

    dst[0] = '\0';
    if (roles == GH_TAPE_NONE) return GRANTS_OK;
    if (gh_tape_kind(tape, roles) != GH_JSON_ARR) return GRANTS_MALFORMED;
    for (uint32_t i = roles + 1; i < tape->nodes[roles].next; i = tape->nodes[i].next) {
        const char *text;
        size_t len;

        if (gh_tape_kind(tape, i) != GH_JSON_STR || count == VERIFY_GRANTS_MAX ||
            gh_tape_str_len(tape, i) > VERIFY_GRANT_MAX_BYTES || gh_tape_str_len(tape, i) == 0)
            return GRANTS_MALFORMED;
        text = gh_tape_str(tape, i, grant, &len);
        if (!verify_is_text(text, len)) return GRANTS_MALFORMED;
        if (at > 0) dst[at++] = DIVIDER;
        memmove(grant, text, len);
        grant[len] = '\0';
        if (!may_give(client, grant)) return GRANTS_FORBIDDEN;
        memcpy(dst + at, grant, len + 1);
        at += len;
        count++;
    }
    return GRANTS_OK;
}

static void on_begun(void *ctx, const struct family_answer *family)
{
    struct http_call *call = ctx;

    if (family->outcome != FAMILY_OK) {
        http_refuse(call, GH_CODE_UNAVAILABLE, NULL, "redis");
        return;
    }
    gh_audit_emit(call->auth->audit, GH_SEV_INFO, "auth.token_issued",
                  &(struct gh_audit_event){ .request_id = gh_bytes_str(call->request_id),
                                            .user = gh_bytes_str(family->user),
                                            .address = gh_bytes_str(call->address),
                                            .fields = { { "client", gh_bytes_str(family->client) },
                                                        { "family", gh_bytes_str(family->id) } } });
    answer_tokens(call, family);
}

static struct family_lives lives_of(const struct auth *auth)
{
    const struct auth_tokens_config *cfg = own_config(auth->rules->own);

    return (struct family_lives){ cfg->refresh_idle_ms, cfg->refresh_max_ms };
}

static void begin(struct http_call *call, const struct auth_client_config *client,
                  const struct http_body *body)
{
    const struct family_lives lives = lives_of(call->auth);
    char user[VERIFY_USER_MAX_BYTES + 1];
    char *grants = malloc(GRANTS_MAX_BYTES + 1);
    enum grants_error error = GRANTS_MALFORMED;

    if (grants == NULL) {
        http_refuse(call, GH_CODE_INTERNAL, NULL, "out_of_memory");
        return;
    }
    if (http_body_text(body, "user", user, sizeof(user))) error = take_grants(body, client, grants);
    if (error == GRANTS_FORBIDDEN)
        http_refuse(call, GH_CODE_FORBIDDEN, NULL, "client_may_not_give_role");
    else if (error == GRANTS_MALFORMED)
        http_refuse(call, GH_CODE_BAD_REQUEST, NULL, "body");
    else if (family_begin(call->auth->redis, &lives, user, client->name, grants, on_begun, call) !=
             GH_OK)
        http_refuse(call, GH_CODE_UNAVAILABLE, NULL, "redis");
    free(grants);
}

void http_token(struct http_call *call, const Gh__AuthHttp *msg)
{
    const struct own_issuer *own = call->auth->rules->own;
    const struct auth_client_config *client;
    struct http_body body;

    if (own == NULL) {
        http_refuse(call, GH_CODE_NOT_FOUND, NULL, "no_own_issuer");
        return;
    }
    client = check_client(own, msg->authorization);
    if (client == NULL) {
        http_refuse(call, GH_CODE_UNAUTHENTICATED, "Basic", "client_credential");
        return;
    }
    if (!http_body_parse(msg, &body)) {
        http_refuse(call, GH_CODE_BAD_REQUEST, NULL, "body");
        return;
    }
    begin(call, client, &body);
    http_body_done(&body);
}

/* ---- the death of a family ---- */

static void on_revoked(void *ctx, enum gh_err err, uint64_t version, bool changed)
{
    (void)ctx, (void)version, (void)changed;
    if (err != GH_OK)
        gh_log(GH_LOG_WARN, "revocation_failed",
               "error=\"%s\" effect=\"access tokens live on until they expire\"", gh_err_text(err));
}

/* Every access token of the family goes with it, and the connections these opened. */
static void revoke_tokens(struct auth *auth, const char *token_id, const char *issuer,
                          const char *reason, int64_t until_ms)
{
    Gh__Revocation revocation = GH__REVOCATION__INIT;
    enum gh_err err;

    revocation.kind = GH__REVOKE_KIND__REVOKE_TOKEN;
    revocation.subject = gh_bytes_str(token_id);
    revocation.issuer = gh_bytes_str(issuer);
    revocation.reason = gh_bytes_str(reason);
    revocation.by = gh_bytes_str("auth");
    revocation.expires_ms = (uint64_t)until_ms;
    err = revocations_add(auth->revocations, &revocation, (uint64_t)gh_clock_wall_ms(), on_revoked,
                          NULL);
    if (err != GH_OK) on_revoked(NULL, err, 0, false);
}

static void revoke_family_tokens(struct auth *auth, const char *family, const char *reason)
{
    const struct auth_tokens_config *cfg = own_config(auth->rules->own);

    revoke_tokens(auth, family, cfg->issuer, reason,
                  gh_clock_wall_ms() + (int64_t)cfg->access_ttl_ms +
                      2 * (int64_t)auth->rules->cfg.leeway_ms + 60000);
}

static void tell_reuse(struct http_call *call, const struct family_answer *family)
{
    (*call->auth->reused)++;
    gh_log(GH_LOG_WARN, "refresh_token_reused", "request_id=%s address=%s user=\"%s\" family=%s",
           call->request_id, call->address, family->user, family->id);
    gh_audit_emit(
        call->auth->audit, GH_SEV_ERROR, "auth.refresh_reused",
        &(struct gh_audit_event){ .request_id = gh_bytes_str(call->request_id),
                                  .user = gh_bytes_str(family->user),
                                  .address = gh_bytes_str(call->address),
                                  .code = gh_code_info(GH_CODE_UNAUTHENTICATED)->name,
                                  .fields = { { "family", gh_bytes_str(family->id) },
                                              { "client", gh_bytes_str(family->client) },
                                              { "rotations", .number = family->number } } });
}

/* ---- /auth/refresh ---- */

static void on_rotated(void *ctx, const struct family_answer *family)
{
    struct http_call *call = ctx;

    switch (family->outcome) {
    case FAMILY_OK:
        (*call->auth->refreshed)++;
        answer_tokens(call, family);
        return;
    case FAMILY_REUSED:
        tell_reuse(call, family);
        revoke_family_tokens(call->auth, family->id, "refresh token reused");
        http_refuse(call, GH_CODE_UNAUTHENTICATED, NULL, "refresh_reused");
        return;
    case FAMILY_UNKNOWN:
        http_refuse(call, GH_CODE_UNAUTHENTICATED, NULL, "refresh_unknown");
        return;
    case FAMILY_EXPIRED:
        http_refuse(call, GH_CODE_UNAUTHENTICATED, NULL, "refresh_expired");
        return;
    case FAMILY_DEAD: http_refuse(call, GH_CODE_UNAUTHENTICATED, NULL, "refresh_revoked"); return;
    case FAMILY_AWAY: break;
    }
    http_refuse(call, GH_CODE_UNAVAILABLE, NULL, "redis");
}

void http_refresh(struct http_call *call, const Gh__AuthHttp *msg)
{
    char token[FAMILY_TOKEN_LEN + 2] = "";
    struct family_lives lives;
    struct http_body body;
    enum gh_err err;

    if (call->auth->rules->own == NULL) {
        http_refuse(call, GH_CODE_NOT_FOUND, NULL, "no_own_issuer");
        return;
    }
    if (!http_body_parse(msg, &body)) {
        http_refuse(call, GH_CODE_BAD_REQUEST, NULL, "body");
        return;
    }
    (void)http_body_text(&body, "refresh_token", token, sizeof(token));
    http_body_done(&body);
    lives = lives_of(call->auth);
    err = family_rotate(call->auth->redis, &lives, token, strlen(token), on_rotated, call);
    explicit_bzero(token, sizeof(token));
    if (err == GH_ERR_BAD_MESSAGE)
        http_refuse(call, GH_CODE_UNAUTHENTICATED, NULL, "refresh_malformed");
    else if (err != GH_OK)
        http_refuse(call, GH_CODE_UNAVAILABLE, NULL, "redis");
}

/* ---- /auth/logout ---- */

struct logout {
    struct http_call *call;
    unsigned left;
    enum gh_err err;
};

static void logout_done(struct logout *logout)
{
    static const char yes[] = "{\"logged_out\":true}";

    if (--logout->left > 0) return;
    if (logout->err != GH_OK)
        http_refuse(logout->call, GH_CODE_UNAVAILABLE, NULL, "redis");
    else
        http_json(logout->call, yes, sizeof(yes) - 1);
    free(logout);
}

static void on_token_revoked(void *ctx, enum gh_err err, uint64_t version, bool changed)
{
    struct logout *logout = ctx;

    (void)version, (void)changed;
    if (err != GH_OK) logout->err = err;
    logout_done(logout);
}

static void on_family_revoked(void *ctx, const struct family_answer *family)
{
    struct logout *logout = ctx;

    if (family->outcome == FAMILY_AWAY) logout->err = GH_ERR_UNAVAILABLE;
    logout_done(logout);
}

static void on_user_ended(void *ctx, enum gh_err err, const void *body)
{
    (void)body;
    (void)err; /* edges close on the revocation; the session service only hears of it sooner */
    logout_done(ctx);
}

static void add_revocation(struct logout *logout, const struct identity *id, bool everywhere)
{
    struct auth *auth = logout->call->auth;
    Gh__Revocation revocation = GH__REVOCATION__INIT;
    const int64_t now_ms = gh_clock_wall_ms();
    enum gh_err err;

    if (everywhere) {
        /* What is issued from this second on is a new login. */
        revocation.kind = GH__REVOKE_KIND__REVOKE_USER;
        revocation.subject = gh_bytes(id->user, id->user_len);
        revocation.before_ms = (uint64_t)(now_ms / 1000 * 1000);
        if (id->issued_ms >= (int64_t)revocation.before_ms) revocation.before_ms += 1000;
    } else {
        revocation.kind = GH__REVOKE_KIND__REVOKE_TOKEN;
        revocation.subject = gh_bytes(id->token_id, id->token_id_len);
        revocation.expires_ms =
            (uint64_t)(id->expires_ms + 2 * (int64_t)id->issuer->rule.leeway_ms + 60000);
    }
    revocation.issuer = gh_bytes_str(id->issuer->rule.name);
    revocation.reason = gh_bytes_str("logout");
    revocation.by = gh_bytes_str("auth");
    err =
        revocations_add(auth->revocations, &revocation, (uint64_t)now_ms, on_token_revoked, logout);
    if (err == GH_OK)
        logout->left++;
    else
        logout->err = err;
    if (everywhere && auth_end_sessions(auth, gh_bytes(id->user, id->user_len), gh_bytes("", 0),
                                        gh_bytes_str("logout"), gh_bytes_str("auth"), on_user_ended,
                                        logout) == GH_OK)
        logout->left++;
}

static void end_family(struct logout *logout, const struct identity *id)
{
    struct auth *auth = logout->call->auth;
    const struct own_issuer *own = auth->rules->own;
    char family[FAMILY_ID_LEN + 1];

    if (own == NULL || strcmp(id->issuer->rule.name, own_config(own)->issuer) != 0 ||
        id->token_id_len <= FAMILY_ID_LEN || id->token_id[FAMILY_ID_LEN] != '.')
        return;
    memcpy(family, id->token_id, FAMILY_ID_LEN);
    family[FAMILY_ID_LEN] = '\0';
    if (family_revoke(auth->redis, family, on_family_revoked, logout) == GH_OK)
        logout->left++;
    else
        logout->err = GH_ERR_UNAVAILABLE;
    revoke_family_tokens(auth, family, "logout");
}

void http_logout(struct http_call *call, const Gh__AuthHttp *msg)
{
    struct identity identity;
    struct http_body body;
    struct logout *logout;
    uint32_t node;
    bool everywhere;
    enum auth_reason reason =
        auth_judge_bearer(call->auth, msg->authorization, gh_clock_wall_ms(), &identity);

    if (reason != AUTH_OK) {
        http_refuse(call, GH_CODE_UNAUTHENTICATED, "Bearer", auth_reason_name(reason));
        return;
    }
    if (!http_body_parse(msg, &body)) {
        http_refuse(call, GH_CODE_BAD_REQUEST, NULL, "body");
        return;
    }
    node = body.empty ? GH_TAPE_NONE : gh_tape_get_lit(&body.tape, 0, "everywhere");
    everywhere = node != GH_TAPE_NONE && gh_tape_kind(&body.tape, node) == GH_JSON_TRUE;
    http_body_done(&body);
    logout = calloc(1, sizeof(*logout));
    if (logout == NULL) {
        http_refuse(call, GH_CODE_INTERNAL, NULL, "out_of_memory");
        return;
    }
    logout->call = call;
    logout->left = 1;
    gh_audit_emit(call->auth->audit, GH_SEV_NOTICE, "auth.logout",
                  &(struct gh_audit_event){ .request_id = gh_bytes_str(call->request_id),
                                            .user = gh_bytes(identity.user, identity.user_len),
                                            .address = gh_bytes_str(call->address),
                                            .fields = { { "everywhere", .number = everywhere } } });
    add_revocation(logout, &identity, everywhere);
    end_family(logout, &identity);
    logout_done(logout);
}
