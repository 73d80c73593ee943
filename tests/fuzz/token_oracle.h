/*
 * token_oracle - what fuzz_token and fuzz_claims share: a verifier with fixed keys, and libjwt to
 * hold its yes against.
 */
#ifndef GH_FUZZ_TOKEN_ORACLE_H
#define GH_FUZZ_TOKEN_ORACLE_H

#include <stddef.h>
#include <stdint.h>

struct token_oracle;

struct token_oracle *token_oracle_new(void); /* lives as long as the process */
/* Aborts when our yes is not theirs. */
void token_oracle_try(struct token_oracle *oracle, const char *token, size_t len);
/* HS256 with the fixed secret; malloc'd, NUL-ended; NULL when too large. */
char *token_oracle_sign(struct token_oracle *oracle, const void *header, size_t header_len,
                        const void *claims, size_t claims_len, size_t *ret_len);

#endif
