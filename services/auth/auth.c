#include "auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_MAX_BYTES 16384u

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

static void make_metrics(struct auth *auth, struct gh_metrics *metrics)
{
    for (unsigned i = 0; i < AUTH_REASON_COUNT; i++) {
        char labels[96];

        snprintf(labels, sizeof(labels), "reason=\"%s\"", auth_reason_name((enum auth_reason)i));
        auth->verdicts[i] = gh_metrics_counter(metrics, "gatehouse_auth_verdicts_total", labels,
                                               "Credentials judged, by reason.");
    }
}

enum gh_err auth_new(struct gh_config *config, struct gh_metrics *metrics, struct auth **ret_auth)
{
    struct auth *auth = calloc(1, sizeof(*auth));
    enum gh_err err;

    if (auth == NULL) return GH_ERR_NOMEM;
    err = auth_config_load(config, &auth->cfg);
    if (err == GH_OK) err = auth_config_issuers(config, &auth->cfg, &auth->issuers);
    if (err == GH_OK)
        err = verifier_new(&auth->issuers, auth->cfg.max_token_bytes, &auth->verifier);
    if (err != GH_OK) {
        auth_free(auth);
        return err;
    }
    make_metrics(auth, metrics);
    *ret_auth = auth;
    return GH_OK;
}

void auth_free(struct auth *auth)
{
    if (auth == NULL) return;
    verifier_free(auth->verifier);
    issuers_done(&auth->issuers);
    free(auth);
}

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

static enum auth_reason judge_refresh(struct auth *auth, const Gh__AuthVerify *msg, int64_t now_ms,
                                      struct identity *identity)
{
    char token[TOKEN_MAX_BYTES];
    size_t len;
    enum auth_reason reason = refresh_token(&msg->credential, token, &len);

    if (reason == AUTH_OK) reason = verifier_check(auth->verifier, token, len, now_ms, identity);
    if (reason == AUTH_OK && (msg->subject.len != identity->user_len ||
                              memcmp(msg->subject.data, identity->user, identity->user_len) != 0))
        reason = AUTH_SUBJECT_CHANGED;
    return reason;
}

enum auth_reason auth_judge(struct auth *auth, const Gh__AuthVerify *msg, int64_t now_ms,
                            struct identity *identity)
{
    enum auth_reason reason;

    identity->issuer = NULL;
    switch ((int)msg->kind) {
    case GH__CREDENTIAL_KIND__CREDENTIAL_BEARER:
    case GH__CREDENTIAL_KIND__CREDENTIAL_SUBPROTOCOL:
    case GH__CREDENTIAL_KIND__CREDENTIAL_COOKIE:
        reason = verifier_check(auth->verifier, (const char *)msg->credential.data,
                                msg->credential.len, now_ms, identity);
        break;
    case GH__CREDENTIAL_KIND__CREDENTIAL_REFRESH:
        reason = judge_refresh(auth, msg, now_ms, identity);
        break;
    default: reason = AUTH_CREDENTIAL_KIND; break;
    }
    (*auth->verdicts[reason])++;
    return reason;
}
