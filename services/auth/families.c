#include "families.h"

#include "common/random.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BYTES 32
#define DIGEST_LEN   GH_B64URL_LEN(SHA256_DIGEST_LENGTH)

/* Fields: u user, c client, g grants, p digest of the proof, h digest of the good secret, n
 * rotations, i and a the ends of idle and absolute life, d 1 when dead. A family is kept until its
 * absolute end, dead or alive, so that a spent token is known for what it is. */
#define PRELUDE                                                                                    \
    "local key = KEYS[1]\n"                                                                        \
    "local t = redis.call('TIME')\n"                                                               \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"

static struct gh_script begin_script = {
    .name = "family_begin",
    .source = PRELUDE
    /* ARGV: idle, max, user, client, grants, digests of the secret and the proof */
    "local idle, ends = now + ARGV[1], now + ARGV[2]\n"
    "redis.call('HSET', key, 'u', ARGV[3], 'c', ARGV[4], 'g', ARGV[5], 'h', ARGV[6], 'p', ARGV[7], 'n', 0,\n"
    "  'i', idle, 'a', ends, 'd', 0)\n"
    "redis.call('PEXPIREAT', key, string.format('%.0f', ends))\n"
    "return {'ok', ARGV[3], ARGV[4], ARGV[5], 0, math.min(idle, ends) - now}\n",
};

static struct gh_script rotate_script = {
    .name = "family_rotate",
    .source = PRELUDE
    /* ARGV: idle, digest brought, digest of the next, digest of the proof */
    "local f = redis.call('HMGET', key, 'u', 'c', 'g', 'h', 'i', 'a', 'd', 'p')\n"
    "if not f[1] or f[8] ~= ARGV[4] then return {'unknown'} end\n"
    "if f[7] == '1' then return {'dead'} end\n"
    "if f[4] ~= ARGV[2] then\n"
    "  redis.call('HSET', key, 'd', 1)\n"
    "  return {'reused', f[1], f[2], f[3], tonumber(redis.call('HGET', key, 'n')), 0}\n"
    "end\n"
    "if tonumber(f[5]) <= now or tonumber(f[6]) <= now then return {'expired'} end\n"
    "local idle = now + ARGV[1]\n"
    "redis.call('HSET', key, 'h', ARGV[3], 'i', idle)\n"
    "local n = redis.call('HINCRBY', key, 'n', 1)\n"
    "return {'ok', f[1], f[2], f[3], n, math.min(idle, tonumber(f[6])) - now}\n",
};

static struct gh_script revoke_script = {
    .name = "family_revoke",
    .source = PRELUDE "local f = redis.call('HMGET', key, 'u', 'c', 'g', 'd', 'n')\n"
                      "if not f[1] then return {'unknown'} end\n"
                      "if f[4] == '1' then return {'dead'} end\n"
                      "redis.call('HSET', key, 'd', 1)\n"
                      "return {'ok', f[1], f[2], f[3], tonumber(f[5]), 0}\n",
};

struct request {
    family_fn fn;
    void *ctx;
    struct family_answer answer;
};

static void digest_of(const char *secret, size_t len, char dst[DIGEST_LEN + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)secret, len, digest);
    gh_b64url_encode(digest, sizeof(digest), dst);
}

static enum family_outcome outcome_of(const char *word)
{
    static const struct {
        const char *word;
        enum family_outcome outcome;
    } words[] = { { "ok", FAMILY_OK },
                  { "unknown", FAMILY_UNKNOWN },
                  { "expired", FAMILY_EXPIRED },
                  { "dead", FAMILY_DEAD },
                  { "reused", FAMILY_REUSED } };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].word, word) == 0) return words[i].outcome;
    }
    return FAMILY_AWAY;
}

static void on_reply(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct request *request = ctx;
    struct family_answer *answer = &request->answer;

    answer->outcome = FAMILY_AWAY;
    if (err == GH_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements >= 1 &&
        reply->element[0]->type == REDIS_REPLY_STRING) {
        answer->outcome = outcome_of(reply->element[0]->str);
        if (reply->elements == 6) {
            answer->user = reply->element[1]->str;
            answer->client = reply->element[2]->str;
            answer->grants = reply->element[3]->str;
            answer->number = (uint64_t)reply->element[4]->integer;
            answer->refresh_left_ms = (uint64_t)reply->element[5]->integer;
        }
    }
    request->fn(request->ctx, answer);
    explicit_bzero(answer->token, sizeof(answer->token));
    free(request);
}

static struct request *make_request(const char *id, family_fn fn, void *ctx)
{
    struct request *request = calloc(1, sizeof(*request));

    if (request == NULL) return NULL;
    request->fn = fn;
    request->ctx = ctx;
    memcpy(request->answer.id, id, FAMILY_ID_LEN);
    return request;
}

#define PROOF_AT  (FAMILY_ID_LEN + 1)
#define SECRET_AT (PROOF_AT + FAMILY_PROOF_LEN)

/* proof: FAMILY_PROOF_LEN characters. */
static void next_token(struct family_answer *answer, const char *proof, char digest[DIGEST_LEN + 1])
{
    memcpy(answer->token, answer->id, FAMILY_ID_LEN);
    answer->token[FAMILY_ID_LEN] = '.';
    memcpy(answer->token + PROOF_AT, proof, FAMILY_PROOF_LEN);
    gh_random_token(SECRET_BYTES, answer->token + SECRET_AT);
    digest_of(answer->token + SECRET_AT, FAMILY_TOKEN_LEN - SECRET_AT, digest);
}

static enum gh_err run(struct gh_redis *redis, struct gh_script *script, struct request *request,
                       int argc, const char **argv)
{
    char key[64];
    enum gh_err err;

    (void)snprintf(key, sizeof(key), "gh:{%s}:family", request->answer.id);
    argv[0] = key;
    err = gh_redis_script(redis, script, on_reply, request, 1, argc, argv, NULL);
    if (err != GH_OK) free(request);
    return err == GH_ERR_BUSY ? GH_ERR_UNAVAILABLE : err;
}

enum gh_err family_begin(struct gh_redis *redis, const struct family_lives *lives, const char *user,
                         const char *client, const char *grants, family_fn fn, void *ctx)
{
    char id[FAMILY_ID_LEN + 1], proof[FAMILY_PROOF_LEN + 1], idle[24], max[24];
    char digest[DIGEST_LEN + 1], proof_digest[DIGEST_LEN + 1];
    const char *argv[] = { NULL, idle, max, user, client, grants, digest, proof_digest };
    struct request *request;

    gh_random_token(16, id);
    gh_random_token(16, proof);
    digest_of(proof, FAMILY_PROOF_LEN, proof_digest);
    request = make_request(id, fn, ctx);
    if (request == NULL) return GH_ERR_NOMEM;
    (void)snprintf(idle, sizeof(idle), "%" PRIu64, lives->idle_ms);
    (void)snprintf(max, sizeof(max), "%" PRIu64, lives->max_ms);
    next_token(&request->answer, proof, digest);
    return run(redis, &begin_script, request, 8, argv);
}

static bool well_formed(const char *token, size_t len)
{
    if (len != FAMILY_TOKEN_LEN || token[FAMILY_ID_LEN] != '.') return false;
    for (size_t i = 0; i < len; i++) {
        char c = token[i];

        if (i != FAMILY_ID_LEN && !((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                    (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

enum gh_err family_rotate(struct gh_redis *redis, const struct family_lives *lives,
                          const char *token, size_t len, family_fn fn, void *ctx)
{
    char idle[24], brought[DIGEST_LEN + 1], digest[DIGEST_LEN + 1], proof[DIGEST_LEN + 1];
    const char *argv[] = { NULL, idle, brought, digest, proof };
    struct request *request;

    if (!well_formed(token, len)) return GH_ERR_BAD_MESSAGE;
    request = make_request(token, fn, ctx);
    if (request == NULL) return GH_ERR_NOMEM;
    (void)snprintf(idle, sizeof(idle), "%" PRIu64, lives->idle_ms);
    digest_of(token + SECRET_AT, len - SECRET_AT, brought);
    digest_of(token + PROOF_AT, FAMILY_PROOF_LEN, proof);
    next_token(&request->answer, token + PROOF_AT, digest);
    return run(redis, &rotate_script, request, 5, argv);
}

enum gh_err family_revoke(struct gh_redis *redis, const char *id, family_fn fn, void *ctx)
{
    const char *argv[] = { NULL };
    struct request *request = make_request(id, fn, ctx);

    if (request == NULL) return GH_ERR_NOMEM;
    return run(redis, &revoke_script, request, 1, argv);
}
