/* A PROXY header: a verdict must not change once it is given, however many bytes follow. */
#include "proxy_header.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole = { 0 }, prefix;
    enum proxy_result result = proxy_header_parse(data, size, &whole);

    if (result == PROXY_OK && (whole.len > size || whole.len > PROXY_HEADER_MAX)) abort();
    for (size_t n = 0; n < size; n++) {
        enum proxy_result early = proxy_header_parse(data, n, &prefix);

        if (early == PROXY_MORE) continue;
        if (early != result) abort();
        if (early == PROXY_OK && prefix.len != whole.len) abort();
        break;
    }
    return 0;
}
