/*
 * mint - keys, issuers and tokens for the tests of verification: good ones, and bad in one way
 * each.
 */
#ifndef AUTH_TESTS_MINT_H
#define AUTH_TESTS_MINT_H

#include "verify.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#define MINT_NOW_S  1700000000LL
#define MINT_NOW_MS (MINT_NOW_S * 1000)
#define MINT_MAX    16384

/* Who signs. The issuers trust: es.example ES1 (kid es1) and ES2 (es2); rs.example RS1 (rs1);
 * hs.example HS1 (no kid); mixed.example ESM, RSM, HSM (es-m, rs-m, hs-m); typed.example ES1 under
 * kid t1 with a strict rule. */
enum signer {
    BY_ES1,
    BY_ES2,
    BY_ESM,
    BY_RS1,
    BY_RSM,
    BY_HS1,
    BY_HSM,
    BY_ES_STRANGER,
    BY_RS_STRANGER,
    BY_HS_STRANGER,
    BY_HS_ES1_PEM, /* HMAC with the text of ES1's public key */
    BY_HS_RS1_PEM,
    BY_HS_RSM_PEM,
    BY_HS_RS1_DER,
    BY_HS_EMPTY, /* HMAC with an empty key */
    BY_RS1_PSS,  /* RSASSA-PSS */
    BY_RS1_SHA1, /* PKCS#1 v1.5 over SHA-1 */
    BY_ES_P384,  /* a key on another curve */
    BY_NOBODY,   /* empty signature */
};

struct mint;

struct mint *mint_new(void);
void mint_free(struct mint *mint);
struct verifier *mint_verifier(struct mint *mint);
struct issuers *mint_issuers(struct mint *mint);
const char *mint_public_pem(struct mint *mint, enum signer who); /* RS1, RSM, ES1 */

/* header and claims are JSON, or with a leading '!' text to be put in place as it is. Returns the
 * token, valid until the next call. */
char *mint_token(struct mint *mint, const char *header, const char *claims, enum signer who);
/* The same from bytes. */
char *mint_bytes(struct mint *mint, const char *header, const void *claims, size_t claims_len,
                 enum signer who);

/* One row of a table of tokens. */
struct mint_row {
    const char *name;
    const char *header; /* NULL: that of who, with its kid */
    const char *claims; /* NULL: good ones for who */
    enum signer who;
    void (*tweak)(struct mint *mint, char *token); /* in place, within MINT_MAX; NULL: none */
    enum auth_reason expect;
};
void mint_check_row(struct mint *mint, const struct mint_row *row);
/* Runs rows as named cmocka tests; returns what main returns. */
int mint_run(const char *group, const struct mint_row *rows, size_t count);

/* Good claims of an issuer with more behind them: MINT_CLAIMS(",\"nbf\":1"). */
#define MINT_ISS(iss, more)                                                                        \
    "{\"iss\":\"" iss "\",\"sub\":\"alice\",\"aud\":\"gatehouse\",\"exp\":1700000600,"             \
    "\"iat\":1699999990" more "}"
#define MINT_CLAIMS(more) MINT_ISS("https://es.example", more)
#define MINT_HEADER(more) "{\"alg\":\"ES256\",\"typ\":\"JWT\",\"kid\":\"es1\"" more "}"

/* Tweaks on a finished token. */
size_t mint_part(const char *token, int part, size_t *ret_len); /* offset of the part */
void mint_set_signature(char *token, const void *sig, size_t len);
size_t mint_get_signature(const char *token, void *sig);

#endif
