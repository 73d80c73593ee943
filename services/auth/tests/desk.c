#include "desk.h"

#include "common/clock.h"
#include "common/random.h"

#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static EVP_PKEY *signer;

/* base64 of "backend:correct-backend-secret-0123456789" */
const char desk_basic[] = "Basic YmFja2VuZDpjb3JyZWN0LWJhY2tlbmQtc2VjcmV0LTAxMjM0NTY3ODk=";

void desk_write(struct desk *desk, const char *name, const char *text)
{
    char path[128];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/%s", desk->stage.dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static void write_pem(struct desk *desk, const char *name, EVP_PKEY *pkey, bool private_half)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *text;
    long len;

    if (private_half)
        assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    else
        assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    len = BIO_get_mem_data(bio, &data);
    text = strndup(data, (size_t)len);
    desk_write(desk, name, text);
    free(text);
    BIO_free(bio);
}

static void config_text(const struct desk *desk, const char *more, char *dst, size_t size)
{
    (void)snprintf(dst, size,
                   "auth:\n"
                   "  poll: 10ms\n"
                   "  issuers:\n"
                   "    - name: https://es.example\n"
                   "      audiences: [gatehouse]\n"
                   "      algorithm: ES256\n"
                   "      key_file: %s/es.pub\n"
                   "      kid: es1\n"
                   "  tokens:\n"
                   "    issuer: https://own.example\n"
                   "    key_file: %s/own.pem\n"
                   "    access_ttl: 5m\n"
                   "    clients:\n"
                   "      backend: { secret_file: %s/client, roles: [user, moderator] }\n"
                   "%s",
                   desk->stage.dir, desk->stage.dir, desk->stage.dir, more);
}

void desk_configure(struct desk *desk, const char *more)
{
    char text[4096];

    config_text(desk, more, text, sizeof(text));
    desk_write(desk, "gatehouse.yaml", text);
}

static bool all_ready(void *ctx)
{
    struct desk *desk = ctx;

    return auth_ready(desk->services[0]) && auth_ready(desk->services[1]);
}

static void print_table(struct desk *desk, const Gh__RoleTable *table)
{
    size_t at = 0;

    desk->last_table[0] = '\0';
    for (size_t i = 0; i < table->n_grants; i++) {
        at += (size_t)snprintf(desk->last_table + at, sizeof(desk->last_table) - at,
                               "%.*s=", (int)table->grants[i]->grant.len,
                               table->grants[i]->grant.data);
        for (size_t k = 0; k < table->grants[i]->n_roles; k++)
            at += (size_t)snprintf(desk->last_table + at, sizeof(desk->last_table) - at, "%s%.*s",
                                   k > 0 ? "," : "", (int)table->grants[i]->roles[k].len,
                                   table->grants[i]->roles[k].data);
        at += (size_t)snprintf(desk->last_table + at, sizeof(desk->last_table) - at, ";");
    }
}

static void on_push(void *ctx, uint32_t arm, const void *body)
{
    const Gh__AuthOrder *order = body;
    struct desk *desk = ctx;

    assert_int_equal(arm, GH__ENVELOPE__BODY_AUTH_ORDER);
    if (order->roles != NULL) {
        desk->role_orders++;
        print_table(desk, order->roles);
    }
    if (order->version <= desk->seen_version) return;
    desk->seen_version = order->version;
    desk->added += order->n_added;
    desk->lifted += order->n_lifted;
    if (order->n_added > 0)
        assert_int_equal(
            gh_bytes_copy(order->added[0]->subject, desk->last_subject, sizeof(desk->last_subject)),
            GH_OK);
}

void desk_open(struct desk *desk, const char *more)
{
    struct gh_redis_config redis;
    EVP_PKEY *own = EVP_EC_gen("P-256");
    char text[4096];

    memset(desk, 0, sizeof(*desk));
    stage_init(&desk->stage, true, NULL);
    if (signer == NULL) signer = EVP_EC_gen("P-256");
    write_pem(desk, "es.pub", signer, false);
    write_pem(desk, "own.pem", own, true);
    EVP_PKEY_free(own);
    desk_write(desk, "client", "correct-backend-secret-0123456789\n");
    config_text(desk, more, text, sizeof(text));
    desk->config = stage_config(&desk->stage, text);
    stage_redis_config(&desk->stage, &redis);
    redis.timeout_ms = 500;
    for (int i = 0; i < DESK_SERVICES; i++) {
        assert_int_equal(auth_new(&desk->stage.loop, desk->config, "test", &redis,
                                  desk->stage.metrics, &desk->services[i]),
                         GH_OK);
        desk->services[i]->server =
            stage_serve(&desk->stage, "auth", auth_routes, desk->services[i]);
    }
    stage_spin(&desk->stage, all_ready, desk);
    stage_call_as_edges(&desk->stage, "auth", GH_ROLE_AUTH, desk->edges, DESK_EDGES);
    desk->ctl = stage_call_as(&desk->stage, "auth", GH_ROLE_CTL, GH_ROLE_AUTH, "ctl");
    desk->edges[0]->on_push = on_push;
    desk->edges[0]->ctx = desk;
}

void desk_close(struct desk *desk)
{
    for (int i = 0; i < DESK_SERVICES; i++)
        auth_free(desk->services[i]);
    stage_done(&desk->stage);
    gh_config_free(desk->config);
}

/* ---- asking ---- */

const char *desk_token(const char *user, const char *more, int64_t life_s)
{
    static char token[8192];
    const int64_t now = gh_clock_wall_ms() / 1000;
    char claims[4096];
    unsigned char der[128], raw[64];
    const unsigned char *at = der;
    size_t len, n = sizeof(der);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ECDSA_SIG *sig;

    (void)snprintf(claims, sizeof(claims),
                   "{\"iss\":\"https://es.example\",\"sub\":\"%s\",\"aud\":\"gatehouse\","
                   "\"iat\":%lld,\"exp\":%lld%s}",
                   user, (long long)now, (long long)(now + life_s), more);
    gh_b64url_encode("{\"alg\":\"ES256\",\"kid\":\"es1\"}", 27, token);
    len = strlen(token);
    token[len++] = '.';
    gh_b64url_encode(claims, strlen(claims), token + len);
    len = strlen(token);
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, signer), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &n, (unsigned char *)token, len), 1);
    EVP_MD_CTX_free(ctx);
    sig = d2i_ECDSA_SIG(NULL, &at, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);
    token[len++] = '.';
    gh_b64url_encode(raw, sizeof(raw), token + len);
    return token;
}

static void join(char *dst, size_t size, size_t n, const ProtobufCBinaryData *parts)
{
    size_t at = 0;

    dst[0] = '\0';
    for (size_t i = 0; i < n; i++)
        at += (size_t)snprintf(dst + at, size - at, "%s%.*s", i > 0 ? "," : "", (int)parts[i].len,
                               parts[i].data);
}

static void on_verdict(void *ctx, enum gh_err err, const void *body)
{
    const Gh__AuthVerdict *msg = body;
    struct desk *desk = ctx;

    if (err != GH_OK) return;
    desk->code = msg->code;
    desk->expires_ms = msg->expires_ms;
    assert_int_equal(gh_bytes_copy(msg->user, desk->user, sizeof(desk->user)), GH_OK);
    assert_int_equal(gh_bytes_copy(msg->reason, desk->reason, sizeof(desk->reason)), GH_OK);
    assert_int_equal(gh_bytes_copy(msg->token_id, desk->token_id, sizeof(desk->token_id)), GH_OK);
    join(desk->roles, sizeof(desk->roles), msg->n_roles, msg->roles);
    join(desk->grants, sizeof(desk->grants), msg->n_grants, msg->grants);
}

uint32_t desk_verify(struct desk *desk, int edge, Gh__CredentialKind kind, const char *credential,
                     const char *subject)
{
    Gh__AuthVerify msg = GH__AUTH_VERIFY__INIT;

    msg.kind = kind;
    msg.credential = gh_bytes_str(credential);
    msg.subject = gh_bytes_str(subject);
    msg.route = gh_bytes_str("main");
    msg.address = gh_bytes_str("192.0.2.1");
    msg.request_id = gh_bytes_str("r1");
    assert_int_equal(stage_ask(desk->edges[edge], GH__ENVELOPE__BODY_AUTH_VERIFY, &msg,
                               GH__ENVELOPE__BODY_AUTH_VERDICT, on_verdict, desk),
                     GH_OK);
    return desk->code;
}

static void on_http(void *ctx, enum gh_err err, const void *body)
{
    const Gh__AuthHttpReply *msg = body;
    struct desk *desk = ctx;

    if (err != GH_OK) return;
    desk->status = msg->status;
    assert_int_equal(gh_bytes_copy(msg->body, desk->body, sizeof(desk->body)), GH_OK);
    assert_int_equal(gh_bytes_copy(msg->www_authenticate, desk->www, sizeof(desk->www)), GH_OK);
}

uint32_t desk_post(struct desk *desk, const char *path, const char *authorization, const char *body)
{
    Gh__AuthHttp msg = GH__AUTH_HTTP__INIT;
    const char *space = strchr(path, ' ');

    msg.method = space != NULL ? gh_bytes(path, (size_t)(space - path)) : gh_bytes_str("POST");
    msg.path = gh_bytes_str(space != NULL ? space + 1 : path);
    msg.authorization = gh_bytes_str(authorization);
    msg.content_type = gh_bytes_str("application/json");
    msg.body = gh_bytes_str(body);
    msg.address = gh_bytes_str("192.0.2.1");
    msg.request_id = gh_bytes_str("r1");
    assert_int_equal(stage_ask(desk->edges[1], GH__ENVELOPE__BODY_AUTH_HTTP, &msg,
                               GH__ENVELOPE__BODY_AUTH_HTTP_REPLY, on_http, desk),
                     GH_OK);
    return desk->status;
}

const char *desk_member(struct desk *desk, const char *name)
{
    static struct {
        char name[32];
        char value[8192];
    } kept[8];
    struct gh_tape tape;
    uint32_t node;
    size_t len;
    int slot = 0;

    while (slot < 7 && kept[slot].name[0] != '\0' && strcmp(kept[slot].name, name) != 0)
        slot++;
    (void)snprintf(kept[slot].name, sizeof(kept[slot].name), "%s", name);
    gh_tape_init(&tape);
    assert_int_equal(gh_tape_parse(&tape, desk->body, strlen(desk->body), NULL), GH_JSON_OK);
    node = gh_tape_get(&tape, 0, name, strlen(name));
    assert_true(node != GH_TAPE_NONE && gh_tape_kind(&tape, node) == GH_JSON_STR);
    {
        char scratch[8192];
        const char *text = gh_tape_str(&tape, node, scratch, &len);

        assert_true(len < sizeof(kept[slot].value));
        memcpy(kept[slot].value, text, len);
        kept[slot].value[len] = '\0';
    }
    gh_tape_done(&tape);
    return kept[slot].value;
}

static void on_revoked(void *ctx, enum gh_err err, const void *body)
{
    const Gh__AuthRevokeReply *msg = body;
    struct desk *desk = ctx;

    if (err != GH_OK) return;
    desk->changed = msg->changed;
    desk->version = msg->version;
}

enum gh_err desk_revoke(struct desk *desk, struct stage_caller *by, Gh__RevokeKind kind,
                        const char *subject, const char *issuer, uint64_t before_ms, bool lift)
{
    Gh__AuthRevoke msg = GH__AUTH_REVOKE__INIT;
    Gh__Revocation revocation = GH__REVOCATION__INIT;

    revocation.kind = kind;
    revocation.subject = gh_bytes_str(subject);
    revocation.issuer = gh_bytes_str(issuer);
    revocation.before_ms = before_ms;
    revocation.reason = gh_bytes_str("test");
    msg.revocation = &revocation;
    msg.lift = lift;
    return stage_ask(by, GH__ENVELOPE__BODY_AUTH_REVOKE, &msg, GH__ENVELOPE__BODY_AUTH_REVOKE_REPLY,
                     on_revoked, desk);
}

static bool settled(void *ctx)
{
    struct desk *desk = ctx;
    uint64_t version = revocations_version(desk->services[0]->revocations);

    return version >= desk->version &&
           version == revocations_version(desk->services[1]->revocations) &&
           desk->seen_version >= desk->version;
}

void desk_settle(struct desk *desk)
{
    stage_spin(&desk->stage, settled, desk);
}
