#include "hijack.h"

#include "prelude.h"

#include "common/code.h"
#include "common/log.h"
#include "common/random.h"

#include <arpa/inet.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAG_BYTES 12

/* ARGV: tag of the token, its network, the credential's expiry, then id, address, agent when a
 * session is resumed. Returns {network before or '', address before or '', 1 when the agent is
 * another}. base..'k:'..tag is the network a token was last seen in. */
static struct gh_script look_script = {
    .name = "session_hijack",
    .source = PRELUDE
    "local was, address, agent = '', '', 0\n"
    "if ARGV[4] ~= '' then\n"
    "  local key = base .. 'k:' .. ARGV[4]\n"
    "  local seen = redis.call('GET', key)\n"
    "  if seen and seen ~= ARGV[5] then was = seen end\n"
    "  if seen ~= ARGV[5] then\n"
    "    local life = math.min(math.max(tonumber(ARGV[6]) - now, 1000), 31 * 86400000)\n"
    "    redis.call('SET', key, ARGV[5], 'PX', string.format('%.0f', life))\n"
    "  end\n"
    "end\n"
    "if ARGV[7] ~= '' then\n"
    "  local r = redis.call('HMGET', base .. 's:' .. ARGV[7], 'a', 'g')\n"
    "  if r[1] and r[1] ~= ARGV[8] then address = r[1] end\n"
    "  if r[2] and r[2] ~= ARGV[9] then agent = 1 end\n"
    "end\n"
    "return {was, address, agent}\n",
};

/* ARGV: code, token id. Ends every session of the user that was opened with this token. */
static struct gh_script end_script = {
    .name = "session_end_token",
    .source = PRELUDE "local ended = {}\n"
                      "for _, id in ipairs(redis.call('ZRANGE', born, 0, -1)) do\n"
                      "  if redis.call('HGET', base .. 's:' .. id, 'k') == ARGV[5] then\n"
                      "    finish(id, tonumber(ARGV[4]), ended)\n"
                      "  end\n"
                      "end\n"
                      "return ended\n",
};

struct look {
    struct session *session;
    struct session_user user;
    char network[64], address[64], request_id[64], session_id[SESSION_ID_LEN + 1];
    size_t token_len;
    char token[129];
};

void hijack_network(const char *address, size_t len, char dst[64])
{
    unsigned char bytes[16];
    char text[64];

    if (len >= sizeof(text)) len = sizeof(text) - 1;
    memcpy(text, address, len);
    text[len] = '\0';
    if (inet_pton(AF_INET, text, bytes) == 1)
        (void)snprintf(dst, 64, "%u.%u.%u.0/24", bytes[0], bytes[1], bytes[2]);
    else if (inet_pton(AF_INET6, text, bytes) == 1)
        (void)snprintf(dst, 64, "%x:%x:%x::/48", bytes[0] << 8 | bytes[1], bytes[2] << 8 | bytes[3],
                       bytes[4] << 8 | bytes[5]);
    else
        (void)snprintf(dst, 64, "%s", text);
}

static void on_ended(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct look *look = ctx;

    if (err == GH_OK) {
        uint32_t count = session_ended(look->session, &look->user, reply, true);

        gh_log(GH_LOG_WARN, "hijack_ended", "request_id=%s sessions=%u", look->request_id, count);
    }
    free(look);
}

/* True when the look goes on living for it. */
static bool end_token(struct look *look)
{
    struct args args;
    enum gh_err err;

    if (look->token_len == 0) return false;
    session_args_begin(look->session, &look->user.keys, &args);
    args_u64(&args, GH_CODE_SESSION_ENDED);
    args_bytes(&args, look->token, look->token_len);
    err = args_script(&args, look->session->redis, &end_script, 2, on_ended, look);
    args_done(&args);
    return err == GH_OK;
}

static void tell(struct look *look, const char *was_network, const char *was_address, bool agent)
{
    char signs[32];

    (void)snprintf(signs, sizeof(signs), "%s%s%s", was_network[0] != '\0' ? "network " : "",
                   was_address[0] != '\0' ? "address " : "", agent ? "agent " : "");
    signs[strlen(signs) - 1] = '\0';
    (*look->session->hijack)++;
    gh_log(GH_LOG_WARN, "hijack_suspected", "request_id=%s session=%s address=%s signs=\"%s\"",
           look->request_id, look->session_id, look->address, signs);
    gh_audit_emit(
        look->session->audit, GH_SEV_WARNING, "session.hijack_suspected",
        &(struct gh_audit_event){
            .request_id = gh_bytes_str(look->request_id),
            .session_id = gh_bytes_str(look->session_id),
            .user = gh_bytes(look->user.name, look->user.len),
            .address = gh_bytes_str(look->address),
            .fields = { { "signs", gh_bytes_str(signs) },
                        { "network", gh_bytes_str(look->network) },
                        { "network_before", gh_bytes_str(was_network) },
                        { "address_before", gh_bytes_str(was_address) },
                        { "policy", gh_bytes_str(look->session->cfg.on_hijack == SESSION_HIJACK_END
                                                     ? "end"
                                                     : "report") } } });
}

static void on_looked(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct look *look = ctx;
    bool network, address, agent;

    if (err != GH_OK || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_STRING ||
        reply->element[2]->type != REDIS_REPLY_INTEGER) {
        free(look);
        return;
    }
    network = reply->element[0]->len > 0;
    address = reply->element[1]->len > 0;
    agent = reply->element[2]->integer != 0;
    if (network || address || agent) {
        tell(look, reply->element[0]->str, reply->element[1]->str, agent);
        if (look->session->cfg.on_hijack == SESSION_HIJACK_END && (network || agent) &&
            end_token(look))
            return;
    }
    free(look);
}

static struct look *look_new(struct session *session, const struct session_user *user,
                             const struct hijack_sight *sight)
{
    struct look *look = calloc(1, sizeof(*look));

    if (look == NULL) return NULL;
    look->session = session;
    look->user = *user;
    if (gh_bytes_copy(sight->address, look->address, sizeof(look->address)) != GH_OK ||
        gh_bytes_copy(sight->request_id, look->request_id, sizeof(look->request_id)) != GH_OK ||
        gh_bytes_copy(sight->session_id, look->session_id, sizeof(look->session_id)) != GH_OK ||
        gh_bytes_copy(sight->token_id, look->token, sizeof(look->token)) != GH_OK) {
        free(look);
        return NULL;
    }
    look->token_len = sight->token_id.len;
    hijack_network(look->address, sight->address.len, look->network);
    return look;
}

void hijack_look(struct session *session, const struct session_user *user,
                 const struct hijack_sight *sight)
{
    char tag[GH_B64URL_LEN(TAG_BYTES) + 1] = "";
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct look *look;
    struct args args;

    if (session->cfg.on_hijack == SESSION_HIJACK_IGNORE || sight->address.len == 0 ||
        (sight->token_id.len == 0 && !sight->resumed))
        return;
    look = look_new(session, user, sight);
    if (look == NULL) return;
    if (look->token_len > 0) {
        SHA256((const unsigned char *)look->token, look->token_len, digest);
        gh_b64url_encode(digest, TAG_BYTES, tag);
    }
    session_args_begin(session, &user->keys, &args);
    args_str(&args, tag);
    args_str(&args, look->network);
    args_u64(&args, sight->expires_ms);
    args_str(&args, sight->resumed ? look->session_id : "");
    args_data(&args, sight->address);
    args_data(&args, sight->agent);
    if (args_script(&args, session->redis, &look_script, 2, on_looked, look) != GH_OK) free(look);
    args_done(&args);
}
