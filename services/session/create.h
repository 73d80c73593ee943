/*
 * create - admission: one session more for a user, if the limit allows it, or one had back.
 *
 * Private to create.c and resume.c. A creation is answered exactly once; what answers it frees it.
 */
#ifndef SESSION_CREATE_H
#define SESSION_CREATE_H

#include "session.h"

#define CREATION_AGENT_MAX    256u
#define CREATION_ROLES_MAX    4224u
#define CREATION_SECRET_BYTES 32u
#define CREATION_SECRET_LEN   43u
#define CREATION_DIGEST_LEN   43u

struct creation {
    struct session *session;
    struct gh_reply *reply;
    struct session_user user;
    char id[SESSION_ID_LEN + 1];
    char stamp[SESSION_STAMP_LEN + 1];
    size_t address_len, request_id_len;
    char address[64], request_id[64];
    bool resumable;
    char secret[CREATION_SECRET_LEN + 1]; /* of resumable ones */
    Gh__SessionCreate *msg;               /* a copy, while it is tried to have one back */
};

/* A new session; frees c in the end. msg need not outlive the call. */
void creation_begin(struct creation *c, const Gh__SessionCreate *msg);
void creation_refuse(struct creation *c, uint32_t code, uint64_t retry_ms);
void creation_free(struct creation *c);

size_t creation_roles(const Gh__SessionCreate *msg, char dst[CREATION_ROLES_MAX]);
void creation_digest(const void *secret, size_t len, char dst[CREATION_DIGEST_LEN + 1]);
/* Adds whose it is and where: user, address, agent, route, edge, its boot, token. */
void creation_who_args(const struct creation *c, const Gh__SessionCreate *msg, struct args *args);
/* Makes the secret, and adds h, w, N, B (scripts.h); digest must live until args are sent. */
void creation_keep_args(struct creation *c, const Gh__SessionCreate *msg, struct args *args,
                        char digest[CREATION_DIGEST_LEN + 1]);

/* Tries to have back what msg->resume names; a new one is begun where that may be. On failure
 * (GH_ERR_UNAVAILABLE, GH_ERR_NOMEM) c is still the caller's. */
GH_NODISCARD enum gh_err session_resume(struct creation *c, const Gh__SessionCreate *msg);

#endif
