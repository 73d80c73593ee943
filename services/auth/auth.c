#include "auth.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REFRESH_MAX_BYTES 16384u
#define END_TIMEOUT_MS    5000

static const struct gh_json_limits refresh_limits = {
    .max_bytes = REFRESH_MAX_BYTES,
    .max_depth = 4,
    .max_nodes = 64,
    .max_members = 16,
    .max_items = 16,
    .max_string_bytes = TOKEN_MAX_BYTES,
    .max_key_bytes = 64,
    .max_number_chars = 32,
    .refuse_nul = true,
};

/* ---- rules ---- */

enum gh_err auth_rules_load(struct gh_config *config, struct auth_rules *ret_rules)
{
    struct auth_rules rules = { 0 };
    enum gh_err err = auth_config_load(config, &rules.cfg);

    if (err == GH_OK) err = auth_config_issuers(config, &rules.cfg, &rules.issuers);
    if (err == GH_OK) err = role_table_new(config, &rules.cfg.roles, &rules.roles);
    if (err != GH_OK) {
        auth_rules_done(&rules);
        return err;
    }
    *ret_rules = rules;
    err = own_new(config, &ret_rules->cfg.tokens, &ret_rules->own);
    if (err == GH_OK && ret_rules->own != NULL &&
        own_trust(ret_rules->own, ret_rules->cfg.leeway_ms, &ret_rules->issuers) != GH_OK)
        err = gh_config_fail(config, "auth", "tokens.issuer",
                             "\"%s\" is one of auth.issuers already; the key of our own is added "
                             "by itself",
                             ret_rules->cfg.tokens.issuer);
    if (err == GH_OK)
        err = certificates_new(config, &ret_rules->cfg.certificates, &ret_rules->certificates);
    if (err == GH_OK && ret_rules->certificates != NULL &&
        issuers_find(&ret_rules->issuers, ret_rules->cfg.certificates.name,
                     strlen(ret_rules->cfg.certificates.name)) != NULL)
        err = gh_config_fail(config, "auth", "certificates.name", "\"%s\" is an issuer of tokens",
                             ret_rules->cfg.certificates.name);
    if (err == GH_OK && ret_rules->issuers.count == 0)
        err = gh_config_fail(config, "auth", "issuers",
                             "no issuer is trusted; write one, or auth.tokens");
    if (err == GH_OK)
        err =
            verifier_new(&ret_rules->issuers, ret_rules->cfg.max_token_bytes, &ret_rules->verifier);
    if (err != GH_OK) auth_rules_done(ret_rules);
    return err;
}

void auth_rules_done(struct auth_rules *rules)
{
    verifier_free(rules->verifier);
    own_free(rules->own);
    certificates_free(rules->certificates);
    role_table_free(rules->roles);
    issuers_done(&rules->issuers);
    gh_config_free(rules->config);
    *rules = (struct auth_rules){ 0 };
}

/* Key sets begin to follow their sources; those of a reload with what the old ones know. */
static enum gh_err start_keysets(struct auth *auth, struct auth_rules *rules,
                                 const struct auth_rules *old)
{
    enum gh_err err = GH_OK;

    for (size_t i = 0; err == GH_OK && i < rules->issuers.count; i++) {
        struct issuer *issuer = &rules->issuers.items[i];
        const struct issuer *was = NULL;

        if (issuer->keyset == NULL) continue;
        if (old != NULL)
            was = issuers_find(&old->issuers, issuer->rule.name, strlen(issuer->rule.name));
        if (was != NULL && was->keyset != NULL) keyset_adopt(issuer->keyset, was->keyset);
        err = keyset_start(issuer->keyset, auth->loop, auth->fetcher, &auth->jwks);
    }
    return err;
}

/* The own issuer and the verifier point into the rules: they must not be moved, so a reload loads
 * into the other of two places. */
void auth_reload(void *ctx)
{
    struct auth *auth = ctx;
    struct auth_rules *fresh =
        auth->rules == &auth->places[0] ? &auth->places[1] : &auth->places[0];
    struct auth_rules *old = auth->rules;
    struct gh_config *config = NULL;
    Gh__AuthOrder order = GH__AUTH_ORDER__INIT;
    enum gh_err err = gh_config_load(auth->config_path, auth->instance, &config);

    if (err == GH_OK) err = auth_rules_load(config, fresh);
    if (err == GH_OK && auth->fetcher != NULL && start_keysets(auth, fresh, old) != GH_OK) {
        auth_rules_done(fresh);
        err = GH_ERR_NOMEM;
    }
    if (err != GH_OK) {
        gh_config_free(config);
        gh_log(GH_LOG_ERROR, "reload_refused", "kept=\"the configuration that was loaded before\"");
        return;
    }
    fresh->config = config;
    auth->rules = fresh;
    if (!role_table_equal(old->roles, fresh->roles) && auth->server != NULL) {
        order.version = revocations_version(auth->revocations);
        order.roles = role_table_message(fresh->roles);
        (void)gh_server_push_all(auth->server, GH_ROLE_EDGE, GH__ENVELOPE__BODY_AUTH_ORDER, &order);
    }
    auth_rules_done(old);
    gh_log(GH_LOG_INFO, "reloaded", "issuers=%zu", fresh->issuers.count);
    gh_audit_emit(auth->audit, GH_SEV_NOTICE, "auth.reloaded", NULL);
}

/* ---- life ---- */

static void push_order(void *ctx, Gh__AuthOrder *order)
{
    struct auth *auth = ctx;

    if (auth->server == NULL) return;
    gh_server_set_orders_version(auth->server, order->version);
    (void)gh_server_push_all(auth->server, GH_ROLE_EDGE, GH__ENVELOPE__BODY_AUTH_ORDER, order);
}

static uint64_t read_revocations(void *ctx)
{
    return revocations_count(((struct auth *)ctx)->revocations);
}

static void make_metrics(struct auth *auth, struct gh_metrics *metrics)
{
#define COUNTER(name, help) gh_metrics_counter(metrics, "gatehouse_auth_" name, NULL, help)
    for (unsigned i = 0; i < AUTH_REASON_COUNT; i++) {
        char labels[96];

        (void)snprintf(labels, sizeof(labels), "reason=\"%s\"",
                       auth_reason_name((enum auth_reason)i));
        auth->verdicts[i] = gh_metrics_counter(metrics, "gatehouse_auth_verdicts_total", labels,
                                               "Credentials judged, by reason.");
    }
    auth->unavailable = COUNTER("unavailable_total", "Answers not given for want of Redis.");
    auth->tickets_made = COUNTER("tickets_total", "Tickets made.");
    auth->tokens_made = COUNTER("tokens_total", "Access tokens signed.");
    auth->refreshed = COUNTER("refreshed_total", "Refresh tokens rotated.");
    auth->jwks.fetched = COUNTER("jwks_read_total", "Key sets read, also unchanged ones.");
    auth->jwks.failed = COUNTER("jwks_failed_total", "Key sets that could not be read.");
    auth->jwks.waited = COUNTER("jwks_waited_total", "Requests that waited for a key set.");
    auth->jwks.not_waited =
        COUNTER("jwks_not_waited_total", "Unknown keys for which no key set was asked for.");
    auth->reused = COUNTER("refresh_reused_total", "Families that died of a spent refresh token.");
#undef COUNTER
    gh_metrics_gauge_fn(metrics, "gatehouse_auth_revocations", NULL, "Revocations in force.",
                        read_revocations, auth);
}

enum gh_err auth_new(uv_loop_t *loop, struct gh_config *config, const char *instance,
                     const struct gh_redis_config *redis, struct gh_metrics *metrics,
                     struct auth **ret_auth)
{
    struct auth *auth = calloc(1, sizeof(*auth));
    enum gh_err err;

    if (auth == NULL) return GH_ERR_NOMEM;
    auth->loop = loop;
    auth->config_path = gh_config_path(config);
    auth->instance = instance;
    auth->rules = &auth->places[0];
    err = auth_rules_load(config, auth->rules);
    if (err == GH_OK && redis != NULL) make_metrics(auth, metrics);
    if (err == GH_OK && redis != NULL) err = fetcher_new(loop, &auth->fetcher);
    if (err == GH_OK && redis != NULL) err = start_keysets(auth, auth->rules, NULL);
    if (err == GH_OK && redis != NULL) err = gh_redis_new(loop, redis, &auth->redis);
    if (err == GH_OK && redis != NULL)
        err = revocations_new(
            &(struct revocations_config){
                .loop = loop,
                .redis = auth->redis,
                .poll_ms = auth->rules->cfg.poll_ms,
                .max = auth->rules->cfg.max_revocations,
                .age_ms = auth->rules->cfg.revocation_age_ms,
                .ctx = auth,
                .on_order = push_order,
            },
            &auth->revocations);
    if (err != GH_OK) {
        auth_free(auth);
        return err;
    }
    *ret_auth = auth;
    return GH_OK;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL) return;
    auth->server = NULL;
    gh_client_free(auth->sessions);
    auth_rules_done(auth->rules); /* who waits for keys is answered while all else is there */
    fetcher_free(auth->fetcher);
    revocations_free(auth->revocations);
    gh_redis_free(auth->redis);
    free(auth);
}

bool auth_ready(void *ctx)
{
    return revocations_loaded(((struct auth *)ctx)->revocations);
}

/* ---- judging ---- */

/* {"type":"token_refresh","payload":{"token":"..."}}: the token is decoded into dst of
 * TOKEN_MAX_BYTES. */
static enum auth_reason refresh_token(const ProtobufCBinaryData *message, char *dst,
                                      size_t *ret_len)
{
    struct gh_node nodes[80];
    struct gh_tape tape;
    enum auth_reason reason = AUTH_REFRESH_MESSAGE;
    uint32_t token = GH_TAPE_NONE;

    gh_tape_init_fixed(&tape, nodes, sizeof(nodes) / sizeof(nodes[0]));
    if (message->len <= REFRESH_MAX_BYTES &&
        gh_tape_parse(&tape, message->data, message->len, &refresh_limits) == GH_JSON_OK)
        token = gh_tape_pointer(&tape, 0, "/payload/token", 14);
    if (token != GH_TAPE_NONE && gh_tape_kind(&tape, token) == GH_JSON_STR &&
        gh_tape_str_len(&tape, token) <= TOKEN_MAX_BYTES) {
        const char *text = gh_tape_str(&tape, token, dst, ret_len);

        if (text != dst) memcpy(dst, text, *ret_len);
        reason = AUTH_OK;
    }
    gh_tape_done(&tape);
    return reason;
}

static enum auth_reason judge_token(struct auth *auth, const char *text, size_t len, int64_t now_ms,
                                    struct identity *identity)
{
    enum auth_reason reason = verifier_check(auth->rules->verifier, text, len, now_ms, identity);

    if (reason == AUTH_OK)
        reason = revocations_check(auth->revocations, identity, (uint64_t)now_ms);
    return reason;
}

static enum auth_reason judge_refresh(struct auth *auth, const Gh__AuthVerify *msg, int64_t now_ms,
                                      struct identity *identity)
{
    char token[TOKEN_MAX_BYTES];
    size_t len;
    enum auth_reason reason = refresh_token(&msg->credential, token, &len);

    if (reason == AUTH_OK) reason = judge_token(auth, token, len, now_ms, identity);
    if (reason == AUTH_OK && (msg->subject.len != identity->user_len ||
                              memcmp(msg->subject.data, identity->user, identity->user_len) != 0))
        reason = AUTH_SUBJECT_CHANGED;
    return reason;
}

static enum auth_reason judge_certificate(struct auth *auth, const Gh__AuthVerify *msg,
                                          int64_t now_ms, struct identity *identity)
{
    enum auth_reason reason;

    if (auth->rules->certificates == NULL) return AUTH_CREDENTIAL_KIND;
    reason = certificates_check(auth->rules->certificates, msg->credential.data,
                                msg->credential.len, now_ms, identity);
    if (reason == AUTH_OK)
        reason = revocations_check(auth->revocations, identity, (uint64_t)now_ms);
    return reason;
}

enum auth_reason auth_judge(struct auth *auth, const Gh__AuthVerify *msg, int64_t now_ms,
                            struct identity *identity)
{
    identity->issuer = NULL;
    identity->missing = NULL;
    switch ((int)msg->kind) {
    case GH__CREDENTIAL_KIND__CREDENTIAL_BEARER:
    case GH__CREDENTIAL_KIND__CREDENTIAL_SUBPROTOCOL:
    case GH__CREDENTIAL_KIND__CREDENTIAL_COOKIE:
        return judge_token(auth, (const char *)msg->credential.data, msg->credential.len, now_ms,
                           identity);
    case GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE:
        return judge_certificate(auth, msg, now_ms, identity);
    case GH__CREDENTIAL_KIND__CREDENTIAL_REFRESH: return judge_refresh(auth, msg, now_ms, identity);
    default: return AUTH_CREDENTIAL_KIND;
    }
}

enum auth_reason auth_judge_bearer(struct auth *auth, ProtobufCBinaryData header, int64_t now_ms,
                                   struct identity *identity)
{
    const char *text = (const char *)header.data;

    identity->issuer = NULL;
    identity->missing = NULL;
    /* RFC 7235: the scheme in any case, one or more spaces. */
    if (header.len < 8 || strncasecmp(text, "Bearer ", 7) != 0) return AUTH_BEARER_HEADER;
    return judge_token(auth, text + 7, header.len - 7, now_ms, identity);
}

enum gh_err auth_verdict_fill(const struct auth *auth, const struct identity *identity,
                              struct auth_roles *roles, Gh__AuthVerdict *verdict)
{
    const struct role_table *table = auth->rules->roles;
    const char *grants[VERIFY_GRANTS_MAX];
    enum gh_err err;

    for (size_t i = 0; i < identity->grant_count; i++) {
        grants[i] = identity->grants[i];
        roles->grants[i] = gh_bytes_str(grants[i]);
    }
    err = role_table_expand(table, grants, identity->grant_count, &roles->set);
    if (err != GH_OK) return err;
    for (size_t i = 0; i < roles->set.count; i++)
        roles->roles[i] = gh_bytes_str(roles->set.names[i]);
    verdict->code = GH_CODE_OK;
    verdict->user = gh_bytes(identity->user, identity->user_len);
    verdict->n_roles = roles->set.count;
    verdict->roles = roles->roles;
    /* Without a table they are the same, and the edge takes them as they are. */
    verdict->n_grants = role_table_set(table) ? identity->grant_count : roles->set.count;
    verdict->grants = role_table_set(table) ? roles->grants : roles->roles;
    verdict->expires_ms = (uint64_t)identity->expires_ms;
    verdict->issued_ms = identity->issued_ms >= 0 ? (uint64_t)identity->issued_ms : 0;
    verdict->token_id = gh_bytes(identity->token_id, identity->token_id_len);
    verdict->issuer = gh_bytes_str(identity->issuer->rule.name);
    verdict->key_id = gh_bytes_str(identity->kid != NULL ? identity->kid : "");
    return GH_OK;
}

enum gh_err auth_end_sessions(struct auth *auth, ProtobufCBinaryData user,
                              ProtobufCBinaryData session_id, ProtobufCBinaryData reason,
                              ProtobufCBinaryData by, gh_answer_fn fn, void *ctx)
{
    Gh__SessionEnd end = GH__SESSION_END__INIT;

    if (auth->sessions == NULL) return GH_ERR_UNAVAILABLE;
    end.user = user;
    end.session_id = session_id;
    end.code = GH_CODE_SESSION_ENDED;
    end.reason = reason;
    end.by = by;
    return gh_client_call(auth->sessions, gh_client_peer_any(auth->sessions),
                          GH__ENVELOPE__BODY_SESSION_END, &end, GH__ENVELOPE__BODY_SESSION_ENDED,
                          END_TIMEOUT_MS, fn, ctx);
}
