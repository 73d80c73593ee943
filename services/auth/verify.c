#include "verify.h"

#include "common/random.h"

#include <math.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define TIME_MAX_S 253402300799.0 /* the end of the year 9999 */

struct verifier {
    const struct issuers *issuers;
    size_t max_token_bytes;
    struct token *token;
    char scratch[TOKEN_MAX_BYTES];
};

enum gh_err verifier_new(const struct issuers *issuers, size_t max_token_bytes,
                         struct verifier **ret_verifier)
{
    struct verifier *verifier = calloc(1, sizeof(*verifier));

    if (verifier == NULL) return GH_ERR_NOMEM;
    verifier->issuers = issuers;
    verifier->max_token_bytes =
        max_token_bytes < TOKEN_MAX_BYTES ? max_token_bytes : TOKEN_MAX_BYTES;
    if (token_new(&verifier->token) != GH_OK) {
        free(verifier);
        return GH_ERR_NOMEM;
    }
    *ret_verifier = verifier;
    return GH_OK;
}

void verifier_free(struct verifier *verifier)
{
    if (verifier == NULL) return;
    token_free(verifier->token);
    free(verifier);
}

bool verify_is_role_name(const char *name, size_t len)
{
    if (len == 0 || len > VERIFY_ROLE_MAX_BYTES) return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == ':' || c == '-'))
            return false;
    }
    return true;
}

bool verify_is_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f ||
            (c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0))
            return false;
    }
    return true;
}

/* A string claim of 1..max bytes without control characters, copied NUL-ended. */
static enum auth_reason take_text(struct verifier *v, const char *name, char *dst, size_t max,
                                  size_t *ret_len, enum auth_reason missing,
                                  enum auth_reason malformed)
{
    const struct gh_tape *claims = &v->token->claims;
    uint32_t node = gh_tape_get(claims, 0, name, strlen(name));
    const char *text;
    size_t len;

    if (node == GH_TAPE_NONE) return missing;
    if (gh_tape_kind(claims, node) != GH_JSON_STR) return malformed;
    text = gh_tape_str(claims, node, v->scratch, &len);
    if (len == 0 || len > max || !verify_is_text(text, len)) return malformed;
    memcpy(dst, text, len);
    dst[len] = '\0';
    *ret_len = len;
    return AUTH_OK;
}

/* NumericDate (RFC 7519 section 2) in milliseconds; fractions are allowed there. */
static enum auth_reason take_time(struct verifier *v, const char *name, int64_t *ret_ms,
                                  enum auth_reason missing, enum auth_reason malformed)
{
    const struct gh_tape *claims = &v->token->claims;
    uint32_t node = gh_tape_get(claims, 0, name, strlen(name));
    double seconds;

    if (node == GH_TAPE_NONE) return missing;
    if (gh_tape_kind(claims, node) != GH_JSON_NUM ||
        gh_tape_double(claims, node, &seconds) != GH_OK || !(seconds >= 0) || seconds > TIME_MAX_S)
        return malformed;
    *ret_ms = (int64_t)floor(seconds * 1000.0);
    return AUTH_OK;
}

static bool text_in(const struct issuer_texts *texts, const struct gh_tape *tape, uint32_t node)
{
    for (size_t i = 0; i < texts->count; i++) {
        if (gh_tape_str_eq(tape, node, texts->items[i], strlen(texts->items[i]))) return true;
    }
    return false;
}

static enum auth_reason check_type(const struct issuer_rule *rule, const struct token *token)
{
    if (token->typ_len == 0) return rule->type_required ? AUTH_TYP_OTHER : AUTH_OK;
    for (size_t i = 0; i < rule->types.count; i++) {
        if (strlen(rule->types.items[i]) == token->typ_len &&
            strncasecmp(rule->types.items[i], token->typ, token->typ_len) == 0)
            return AUTH_OK;
    }
    return AUTH_TYP_OTHER;
}

static enum auth_reason check_times(struct verifier *v, const struct issuer_rule *rule,
                                    int64_t now_ms, struct identity *id)
{
    int64_t leeway = (int64_t)rule->leeway_ms;
    int64_t nbf = 0;
    enum auth_reason reason;

    reason = take_time(v, "exp", &id->expires_ms, AUTH_EXP_MISSING, AUTH_EXP_MALFORMED);
    if (reason != AUTH_OK) return reason;
    /* RFC 7519 section 4.1.4: on or after exp it must not be accepted. */
    if (now_ms >= id->expires_ms + leeway) return AUTH_EXPIRED;
    reason = take_time(v, "nbf", &nbf, AUTH_OK, AUTH_NBF_MALFORMED);
    if (reason != AUTH_OK) return reason;
    if (now_ms + leeway < nbf) return AUTH_NOT_YET;
    id->issued_ms = -1;
    reason = take_time(v, "iat", &id->issued_ms,
                       rule->max_lifetime_ms > 0 ? AUTH_IAT_MISSING : AUTH_OK, AUTH_IAT_MALFORMED);
    if (reason != AUTH_OK) return reason;
    if (id->issued_ms >= 0 && id->issued_ms > now_ms + leeway) return AUTH_IAT_FUTURE;
    if (rule->max_lifetime_ms > 0 &&
        id->expires_ms - id->issued_ms > (int64_t)rule->max_lifetime_ms)
        return AUTH_LIFETIME;
    return AUTH_OK;
}

static enum auth_reason check_audience(const struct issuer_rule *rule, const struct gh_tape *claims)
{
    uint32_t aud = gh_tape_get_lit(claims, 0, "aud");
    bool ours = false;

    if (aud == GH_TAPE_NONE) return AUTH_AUD_MISSING;
    if (gh_tape_kind(claims, aud) == GH_JSON_STR)
        return text_in(&rule->audiences, claims, aud) ? AUTH_OK : AUTH_AUD_OTHER;
    if (gh_tape_kind(claims, aud) != GH_JSON_ARR) return AUTH_AUD_MALFORMED;
    for (uint32_t i = aud + 1; i < claims->nodes[aud].next; i = claims->nodes[i].next) {
        if (gh_tape_kind(claims, i) != GH_JSON_STR) return AUTH_AUD_MALFORMED;
        ours = ours || text_in(&rule->audiences, claims, i);
    }
    return ours ? AUTH_OK : AUTH_AUD_OTHER;
}

static enum auth_reason check_required(const struct issuer_rule *rule, const struct gh_tape *claims)
{
    for (size_t i = 0; i < rule->required.count; i++) {
        const char *name = rule->required.items[i];
        uint32_t node = gh_tape_get(claims, 0, name, strlen(name));

        if (node == GH_TAPE_NONE || gh_tape_kind(claims, node) == GH_JSON_NULL)
            return AUTH_CLAIM_REQUIRED;
    }
    return AUTH_OK;
}

static enum auth_reason add_grant(struct identity *id, const char *name, size_t len)
{
    if (len == 0 || len > VERIFY_GRANT_MAX_BYTES || !verify_is_text(name, len))
        return AUTH_OK; /* can be in no role table: is worth nothing */
    for (size_t i = 0; i < id->grant_count; i++) {
        if (strlen(id->grants[i]) == len && memcmp(id->grants[i], name, len) == 0) return AUTH_OK;
    }
    if (id->grant_count == VERIFY_GRANTS_MAX) return AUTH_ROLES_MANY;
    memcpy(id->grants[id->grant_count], name, len);
    id->grants[id->grant_count++][len] = '\0';
    return AUTH_OK;
}

/* An array of strings, or one string of names divided by spaces (as `scope` is). */
static enum auth_reason take_roles(struct verifier *v, const struct issuer_rule *rule,
                                   struct identity *id)
{
    const struct gh_tape *claims = &v->token->claims;
    const char *claim = rule->roles_claim;
    uint32_t node;
    enum auth_reason reason = AUTH_OK;
    const char *text;
    size_t len;

    id->grant_count = 0;
    if (claim == NULL || claim[0] == '\0') return AUTH_OK;
    node = claim[0] == '/' ? gh_tape_pointer(claims, 0, claim, strlen(claim))
                           : gh_tape_get(claims, 0, claim, strlen(claim));
    if (node == GH_TAPE_NONE) return AUTH_OK; /* no roles: may connect, may send what "*" may */
    if (gh_tape_kind(claims, node) == GH_JSON_ARR) {
        for (uint32_t i = node + 1; reason == AUTH_OK && i < claims->nodes[node].next;
             i = claims->nodes[i].next) {
            if (gh_tape_kind(claims, i) != GH_JSON_STR) return AUTH_ROLES_MALFORMED;
            text = gh_tape_str(claims, i, v->scratch, &len);
            reason = add_grant(id, text, len);
        }
        return reason;
    }
    if (gh_tape_kind(claims, node) != GH_JSON_STR) return AUTH_ROLES_MALFORMED;
    text = gh_tape_str(claims, node, v->scratch, &len);
    for (size_t at = 0, end; reason == AUTH_OK && at < len; at = end + 1) {
        const char *space = memchr(text + at, ' ', len - at);

        end = space != NULL ? (size_t)(space - text) : len;
        reason = add_grant(id, text + at, end - at);
    }
    return reason;
}

static enum auth_reason take_token_id(struct verifier *v, struct identity *id)
{
    enum auth_reason reason = take_text(v, "jti", id->token_id, VERIFY_TOKEN_ID_MAX_BYTES,
                                        &id->token_id_len, AUTH_EMPTY, AUTH_JTI_MALFORMED);
    unsigned char digest[SHA256_DIGEST_LENGTH];

    if (reason != AUTH_EMPTY) return reason;
    /* Of what was signed, not of the whole text: an ECDSA signature has a second form that verifies
     * too, and it must not be another token to a revocation. */
    SHA256((const unsigned char *)v->token->signed_part, v->token->signed_len, digest);
    memcpy(id->token_id, "sha256.", 7);
    gh_b64url_encode(digest, sizeof(digest), id->token_id + 7);
    id->token_id_len = strlen(id->token_id);
    return AUTH_OK;
}

/* What costs as much as a real verification, when there is no key to verify with: a refusal for an
 * unknown issuer or key takes as long as one for a wrong signature. */
static void verify_decoy(struct verifier *v)
{
    for (size_t i = 0; i < v->issuers->count; i++) {
        const struct issuer *issuer = &v->issuers->items[i];

        for (size_t k = 0; k < issuer->key_count; k++) {
            if (key_alg(issuer->keys[k]) == v->token->alg) {
                enum auth_reason ignored = key_verify(issuer->keys[k], v->token);

                (void)ignored;
                return;
            }
        }
    }
}

static enum auth_reason choose_key(struct verifier *v, struct issuer **ret_issuer,
                                   struct key **ret_key)
{
    const struct gh_tape *claims = &v->token->claims;
    uint32_t iss = gh_tape_get_lit(claims, 0, "iss");
    struct issuer *issuer;
    enum auth_reason reason;
    const char *name;
    size_t len;

    if (iss == GH_TAPE_NONE) return AUTH_ISS_MISSING;
    if (gh_tape_kind(claims, iss) != GH_JSON_STR) return AUTH_ISS_MALFORMED;
    name = gh_tape_str(claims, iss, v->scratch, &len);
    issuer = issuers_find(v->issuers, name, len);
    if (issuer == NULL) return AUTH_ISS_UNKNOWN;
    *ret_issuer = issuer;
    reason = issuer_choose_key(issuer, v->token, ret_key);
    return reason;
}

enum auth_reason verifier_check(struct verifier *v, const char *text, size_t len, int64_t now_ms,
                                struct identity *id)
{
    struct issuer *issuer = NULL;
    struct key *key = NULL;
    const struct gh_tape *claims = &v->token->claims;
    const struct issuer_rule *rule;
    enum auth_reason reason;

    id->issuer = NULL;
    id->missing = NULL;
    reason = token_parse(v->token, text, len, v->max_token_bytes);
    if (reason != AUTH_OK) return reason;
    reason = choose_key(v, &issuer, &key);
    if (reason != AUTH_OK) {
        if (reason == AUTH_KEY_UNKNOWN || reason == AUTH_KEYS_AWAY) id->missing = issuer->keyset;
        verify_decoy(v);
        return reason;
    }
    reason = key_verify(key, v->token);
    if (reason != AUTH_OK) return reason;

    rule = &issuer->rule;
    id->issuer = issuer;
    id->kid = key_kid(key);
    reason = check_type(rule, v->token);
    if (reason == AUTH_OK) reason = check_times(v, rule, now_ms, id);
    if (reason == AUTH_OK) reason = check_audience(rule, claims);
    if (reason == AUTH_OK) reason = check_required(rule, claims);
    if (reason == AUTH_OK)
        reason =
            take_text(v, rule->subject_claim != NULL ? rule->subject_claim : "sub", id->user,
                      VERIFY_USER_MAX_BYTES, &id->user_len, AUTH_SUB_MISSING, AUTH_SUB_MALFORMED);
    if (reason == AUTH_OK) reason = take_token_id(v, id);
    if (reason == AUTH_OK) reason = take_roles(v, rule, id);
    return reason;
}
