/*
 * A credential as a client sends it. The first byte chooses the issuer's kind; the rest is the
 * token.
 *
 * What verification lets in is asked of libjwt again: with the same key and the algorithm fixed it
 * must say yes too.
 */
#include "token_oracle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token_oracle *oracle;

    if (oracle == NULL) oracle = token_oracle_new();
    token_oracle_try(oracle, (const char *)data, size);
    return 0;
}
