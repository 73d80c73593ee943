#include "tickets.h"

#include "common/clock.h"
#include "common/random.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 80

static void key_of(const void *ticket, char key[KEY_BYTES])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char text[GH_B64URL_LEN(SHA256_DIGEST_LENGTH) + 1];

    SHA256(ticket, TICKET_LEN, digest);
    gh_b64url_encode(digest, sizeof(digest), text);
    (void)snprintf(key, KEY_BYTES, "gh:{%s}:ticket", text);
}

struct making {
    ticket_made_fn fn;
    void *ctx;
    char ticket[TICKET_LEN + 1];
};

static void on_made(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct making *making = ctx;

    (void)reply;
    making->fn(making->ctx, err == GH_OK ? making->ticket : NULL);
    explicit_bzero(making->ticket, sizeof(making->ticket));
    free(making);
}

/* What is kept is a verdict without the roles: these are the table's to say when it is used. */
static size_t pack(const struct identity *identity, uint8_t **ret_bytes)
{
    Gh__AuthVerdict kept = GH__AUTH_VERDICT__INIT;
    ProtobufCBinaryData grants[VERIFY_GRANTS_MAX];

    kept.user = gh_bytes(identity->user, identity->user_len);
    kept.token_id = gh_bytes(identity->token_id, identity->token_id_len);
    kept.issuer = gh_bytes_str(identity->issuer->rule.name);
    kept.key_id = gh_bytes_str(identity->kid != NULL ? identity->kid : "");
    kept.expires_ms = (uint64_t)identity->expires_ms;
    kept.issued_ms = identity->issued_ms >= 0 ? (uint64_t)identity->issued_ms : 0;
    kept.grants = grants;
    kept.n_grants = identity->grant_count;
    for (size_t i = 0; i < identity->grant_count; i++)
        grants[i] = gh_bytes_str(identity->grants[i]);
    *ret_bytes = malloc(gh__auth_verdict__get_packed_size(&kept));
    return *ret_bytes != NULL ? gh__auth_verdict__pack(&kept, *ret_bytes) : 0;
}

enum gh_err ticket_make(struct auth *auth, const struct identity *identity, ticket_made_fn fn,
                        void *ctx)
{
    struct making *making = calloc(1, sizeof(*making));
    uint8_t *bytes = NULL;
    char key[KEY_BYTES], ttl[24];
    enum gh_err err = GH_ERR_NOMEM;
    size_t len = pack(identity, &bytes);

    if (making != NULL && bytes != NULL) {
        const char *argv[] = { "SET", key, (char *)bytes, "PX", ttl, "NX" };
        size_t lens[6];

        making->fn = fn;
        making->ctx = ctx;
        gh_random_token(32, making->ticket);
        key_of(making->ticket, key);
        (void)snprintf(ttl, sizeof(ttl), "%" PRIu64, auth->rules->cfg.ticket_ttl_ms);
        for (size_t i = 0; i < 6; i++)
            lens[i] = i == 2 ? len : strlen(argv[i]);
        err = gh_redis_command(auth->redis, on_made, making, 6, argv, lens);
    }
    if (err != GH_OK) free(making);
    free(bytes);
    return err;
}

/* ---- using one ---- */

struct use {
    struct auth *auth;
    ticket_used_fn fn;
    void *ctx;
};

static bool restore(const struct auth *auth, const Gh__AuthVerdict *kept, struct identity *id)
{
    struct issuer *issuer =
        issuers_find(&auth->rules->issuers, (const char *)kept->issuer.data, kept->issuer.len);

    memset(id, 0, sizeof(*id));
    if (issuer == NULL || kept->n_grants > VERIFY_GRANTS_MAX ||
        gh_bytes_copy(kept->user, id->user, sizeof(id->user)) != GH_OK ||
        gh_bytes_copy(kept->token_id, id->token_id, sizeof(id->token_id)) != GH_OK)
        return false;
    id->issuer = issuer;
    id->user_len = kept->user.len;
    id->token_id_len = kept->token_id.len;
    id->expires_ms = (int64_t)kept->expires_ms;
    id->issued_ms = kept->issued_ms > 0 ? (int64_t)kept->issued_ms : -1;
    for (size_t i = 0; i < issuer->key_count; i++) {
        const char *kid = key_kid(issuer->keys[i]);

        if (kid != NULL && gh_bytes_eq(kept->key_id, kid)) id->kid = kid;
    }
    for (size_t i = 0; i < kept->n_grants; i++) {
        if (gh_bytes_copy(kept->grants[i], id->grants[i], sizeof(id->grants[i])) != GH_OK)
            return false;
        id->grant_count++;
    }
    /* A key that is no longer ours: its tokens would not be taken either. */
    return kept->key_id.len == 0 || id->kid != NULL;
}

static enum auth_reason judge(struct use *use, const redisReply *reply, struct identity *id)
{
    const int64_t now_ms = gh_clock_wall_ms();
    enum auth_reason reason = AUTH_TICKET;
    Gh__AuthVerdict *kept;

    if (reply->type != REDIS_REPLY_STRING) return AUTH_TICKET; /* used, expired, never made */
    kept = gh__auth_verdict__unpack(NULL, reply->len, (const uint8_t *)reply->str);
    if (kept != NULL && restore(use->auth, kept, id)) {
        reason = AUTH_OK;
        if (now_ms >= id->expires_ms + (int64_t)id->issuer->rule.leeway_ms)
            reason = AUTH_EXPIRED;
        else
            reason = revocations_check(use->auth->revocations, id, (uint64_t)now_ms);
    }
    if (kept != NULL) gh__auth_verdict__free_unpacked(kept, NULL);
    return reason;
}

static void on_used(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct use *use = ctx;
    struct identity identity;
    enum auth_reason reason = AUTH_TICKET;

    identity.issuer = NULL;
    if (err == GH_OK) reason = judge(use, reply, &identity);
    use->fn(use->ctx, reason, err != GH_OK, &identity);
    free(use);
}

enum gh_err ticket_use(struct auth *auth, ProtobufCBinaryData ticket, ticket_used_fn fn, void *ctx)
{
    char key[KEY_BYTES];
    const char *argv[] = { "GETDEL", key };
    struct use *use;
    enum gh_err err;

    if (ticket.len != TICKET_LEN) return GH_ERR_BAD_MESSAGE;
    use = malloc(sizeof(*use));
    if (use == NULL) return GH_ERR_NOMEM;
    *use = (struct use){ auth, fn, ctx };
    key_of(ticket.data, key);
    err = gh_redis_command(auth->redis, on_used, use, 2, argv, NULL);
    if (err != GH_OK) free(use);
    return err;
}
