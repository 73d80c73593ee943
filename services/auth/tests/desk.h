/*
 * desk - an auth service on a stage: real Redis, key files, edges and an operator to ask it.
 */
#ifndef AUTH_TESTS_DESK_H
#define AUTH_TESTS_DESK_H

#include "auth.h"
#include "handlers.h"

#include "support/stage.h"

#define DESK_SERVICES 2
#define DESK_EDGES    3

struct desk {
    struct stage stage;
    struct gh_config *config;
    struct auth *services[DESK_SERVICES];
    struct stage_caller *edges[DESK_EDGES];
    struct stage_caller *ctl;
    /* of the last verdict */
    uint32_t code;
    char user[300], reason[64], roles[512], grants[512], token_id[160];
    uint64_t expires_ms;
    /* of the last HTTP answer */
    uint32_t status;
    char body[16384], www[64];
    /* of the last change */
    uint64_t version;
    bool changed;
    size_t listed;
    /* orders seen by edge 0 */
    uint64_t seen_version;
    unsigned added, lifted, role_orders;
    char last_subject[300], last_table[1024];
};

/* more: lines added to the `auth:` section. Keys: DIR/es.pub (issuer https://es.example, signed by
 * desk_token), DIR/own.pem, DIR/client (the secret of client "backend"). */
void desk_open(struct desk *desk, const char *more);
void desk_close(struct desk *desk);
void desk_write(struct desk *desk, const char *name, const char *text); /* mode 0600 */
/* Writes the configuration again, for a reload. */
void desk_configure(struct desk *desk, const char *more);

/* A token of https://es.example; claims as in mint.h's MINT_CLAIMS but with life from now. Valid
 * until the next call. */
const char *desk_token(const char *user, const char *more, int64_t life_s);

uint32_t desk_verify(struct desk *desk, int edge, Gh__CredentialKind kind, const char *credential,
                     const char *subject);
uint32_t desk_post(struct desk *desk, const char *path, const char *authorization,
                   const char *body); /* "METHOD /path" for another than POST */
/* A string member of the last HTTP answer; valid until the next call with the same name. */
const char *desk_member(struct desk *desk, const char *name);
enum gh_err desk_revoke(struct desk *desk, struct stage_caller *by, Gh__RevokeKind kind,
                        const char *subject, const char *issuer, uint64_t before_ms, bool lift);
/* Until both services know what the last change made. */
void desk_settle(struct desk *desk);

extern const char desk_basic[]; /* backend's Authorization header */

#endif
