/*
 * A token whose signature is good and whose content is anybody's: header, a line break, claims. So
 * the fuzzer reaches what stands behind the signature.
 */
#include "token_oracle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token_oracle *oracle;
    const uint8_t *line = memchr(data, '\n', size);
    char *token;
    size_t len;

    if (oracle == NULL) oracle = token_oracle_new();
    if (line == NULL) return 0;
    token = token_oracle_sign(oracle, data, (size_t)(line - data), line + 1,
                              size - (size_t)(line + 1 - data), &len);
    if (token == NULL) return 0;
    token_oracle_try(oracle, token, len);
    free(token);
    return 0;
}
