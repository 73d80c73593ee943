#include "common/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TOKEN_CHUNK_BYTES 48 /* a multiple of 3: chunks join without padding */

enum gh_err gh_random_bytes(void *buf, size_t len)
{
    unsigned char *at = buf;

    /* The kernel is asked every time: nothing is kept that a fork or a memory leak could show. */
    while (len > 0) {
        const ssize_t got = getrandom(at, len, 0);

        if (got < 0) {
            if (errno == EINTR) continue;
            return GH_ERR_IO;
        }
        at += got;
        len -= (size_t)got;
    }
    return GH_OK;
}

uint64_t gh_random_u64(void)
{
    uint64_t value = 0;

    if (gh_random_bytes(&value, sizeof value) != GH_OK) abort();
    return value;
}

void gh_b64url_encode(const void *src, size_t len, char *dst)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *in = src;

    for (; len >= 3; len -= 3, in += 3) {
        const uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];

        *dst++ = alphabet[v >> 18];
        *dst++ = alphabet[v >> 12 & 63];
        *dst++ = alphabet[v >> 6 & 63];
        *dst++ = alphabet[v & 63];
    }
    if (len > 0) {
        const uint32_t v = (uint32_t)in[0] << 16 | (len == 2 ? (uint32_t)in[1] << 8 : 0);

        *dst++ = alphabet[v >> 18];
        *dst++ = alphabet[v >> 12 & 63];
        if (len == 2) *dst++ = alphabet[v >> 6 & 63];
    }
    *dst = '\0';
}

void gh_random_token(size_t n_bytes, char *dst)
{
    unsigned char chunk[TOKEN_CHUNK_BYTES];

    *dst = '\0';
    while (n_bytes > 0) {
        const size_t take = n_bytes < sizeof chunk ? n_bytes : sizeof chunk;

        if (gh_random_bytes(chunk, take) != GH_OK) abort();
        gh_b64url_encode(chunk, take, dst);
        dst += GH_B64URL_LEN(take);
        n_bytes -= take;
    }
    explicit_bzero(chunk, sizeof chunk);
}

void gh_request_id(char dst[GH_REQUEST_ID_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    const uint64_t value = gh_random_u64();

    dst[0] = 'r';
    for (int i = 0; i < 16; i++)
        dst[1 + i] = hex[value >> (60 - 4 * i) & 15];
    dst[GH_REQUEST_ID_LEN] = '\0';
}
