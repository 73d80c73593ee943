/*
 * reason - why a credential was refused: one word for the log and the audit event.
 *
 * The client hears `unauthenticated` whatever stands here.
 */
#ifndef AUTH_REASON_H
#define AUTH_REASON_H

/* clang-format off */
#define AUTH_REASON_LIST(X)                                                              \
    X(AUTH_OK,                  "ok")                                                    \
    /* shape */                                                                          \
    X(AUTH_EMPTY,               "empty")                                                 \
    X(AUTH_TOO_LARGE,           "too_large")                                             \
    X(AUTH_NOT_THREE_PARTS,     "not_three_parts")                                       \
    X(AUTH_ENCRYPTED,           "encrypted_token")                                       \
    X(AUTH_BASE64,              "bad_base64url")                                         \
    /* header */                                                                         \
    X(AUTH_HEADER_TOO_LARGE,    "header_too_large")                                      \
    X(AUTH_HEADER_JSON,         "header_not_strict_json")                                \
    X(AUTH_HEADER_DUPLICATE,    "header_duplicate_member")                               \
    X(AUTH_HEADER_NOT_OBJECT,   "header_not_object")                                     \
    X(AUTH_ALG_MISSING,         "alg_missing")                                           \
    X(AUTH_ALG_NONE,            "alg_none")                                              \
    X(AUTH_ALG_UNKNOWN,         "alg_unknown")                                           \
    X(AUTH_ALG_NOT_OF_KEY,      "alg_not_of_key")                                        \
    X(AUTH_CRIT,                "header_crit")                                           \
    X(AUTH_JKU,                 "header_jku")                                            \
    X(AUTH_JWK,                 "header_jwk")                                            \
    X(AUTH_X5U,                 "header_x5u")                                            \
    X(AUTH_X5C,                 "header_x5c")                                            \
    X(AUTH_ZIP,                 "header_zip")                                            \
    X(AUTH_B64,                 "header_b64")                                            \
    X(AUTH_ENC,                 "header_enc")                                            \
    X(AUTH_CTY,                 "header_cty")                                            \
    X(AUTH_KID,                 "kid_malformed")                                         \
    X(AUTH_TYP,                 "typ_malformed")                                         \
    X(AUTH_TYP_OTHER,           "typ_not_accepted")                                      \
    /* claims before the signature: only what chooses the key */                         \
    X(AUTH_CLAIMS_JSON,         "claims_not_strict_json")                                \
    X(AUTH_CLAIMS_DUPLICATE,    "claims_duplicate_member")                               \
    X(AUTH_CLAIMS_LIMIT,        "claims_too_large_or_deep")                              \
    X(AUTH_CLAIMS_NOT_OBJECT,   "claims_not_object")                                     \
    X(AUTH_ISS_MISSING,         "iss_missing")                                           \
    X(AUTH_ISS_MALFORMED,       "iss_malformed")                                         \
    X(AUTH_ISS_UNKNOWN,         "iss_unknown")                                           \
    X(AUTH_KEY_UNKNOWN,         "key_unknown")                                           \
    X(AUTH_KEY_AMBIGUOUS,       "kid_missing_with_several_keys")                         \
    X(AUTH_KEYS_AWAY,           "issuer_keys_not_loaded")                                \
    X(AUTH_SIGNATURE_EMPTY,     "signature_empty")                                       \
    X(AUTH_SIGNATURE_SIZE,      "signature_size")                                        \
    X(AUTH_SIGNATURE_RANGE,     "signature_value_out_of_range")                          \
    X(AUTH_SIGNATURE,           "signature_wrong")                                       \
    /* claims after it */                                                                \
    X(AUTH_EXP_MISSING,         "exp_missing")                                           \
    X(AUTH_EXP_MALFORMED,       "exp_malformed")                                         \
    X(AUTH_EXPIRED,             "expired")                                               \
    X(AUTH_NBF_MALFORMED,       "nbf_malformed")                                         \
    X(AUTH_NOT_YET,             "not_yet_valid")                                         \
    X(AUTH_IAT_MISSING,         "iat_missing")                                           \
    X(AUTH_IAT_MALFORMED,       "iat_malformed")                                         \
    X(AUTH_IAT_FUTURE,          "iat_in_the_future")                                     \
    X(AUTH_LIFETIME,            "lifetime_too_long")                                     \
    X(AUTH_AUD_MISSING,         "aud_missing")                                           \
    X(AUTH_AUD_MALFORMED,       "aud_malformed")                                         \
    X(AUTH_AUD_OTHER,           "aud_other")                                             \
    X(AUTH_SUB_MISSING,         "sub_missing")                                           \
    X(AUTH_SUB_MALFORMED,       "sub_malformed")                                         \
    X(AUTH_JTI_MALFORMED,       "jti_malformed")                                         \
    X(AUTH_CLAIM_REQUIRED,      "required_claim_missing")                                \
    X(AUTH_ROLES_MALFORMED,     "roles_malformed")                                       \
    X(AUTH_ROLES_MANY,          "roles_too_many")                                        \
    /* outside the token */                                                              \
    X(AUTH_REVOKED_TOKEN,       "revoked_token")                                         \
    X(AUTH_REVOKED_USER,        "revoked_user")                                          \
    X(AUTH_REVOKED_ISSUER,      "revoked_issuer")                                        \
    X(AUTH_REVOKED_KEY,         "revoked_key")                                           \
    X(AUTH_REVOKED_SESSION,     "revoked_session")                                       \
    X(AUTH_SUBJECT_CHANGED,     "subject_changed")                                       \
    X(AUTH_CREDENTIAL_KIND,     "credential_kind_not_accepted")                          \
    X(AUTH_REFRESH_MESSAGE,     "token_refresh_message_malformed")                       \
    X(AUTH_TICKET,              "ticket_unknown_or_used")                                \
    X(AUTH_CERTIFICATE,         "certificate_not_verified")                              \
    X(AUTH_CERTIFICATE_NAME,    "certificate_names_nobody")                              \
    X(AUTH_BEARER_HEADER,       "authorization_header_malformed")                        \
    X(AUTH_NO_MEMORY,           "out_of_memory")
/* clang-format on */
#define AUTH_REASON_ENUM(name, text) name,
enum auth_reason { AUTH_REASON_LIST(AUTH_REASON_ENUM) AUTH_REASON_COUNT };

const char *auth_reason_name(enum auth_reason reason); /* never NULL */

#endif
