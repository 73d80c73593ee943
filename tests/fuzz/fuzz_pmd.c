/*
 * Compressed messages from a client, and back. The first byte chooses the windows, the next two the
 * length of the first of two messages. What is inflated must be what zlib makes of the same bytes
 * in one go and within the caps; what is inflated can be deflated, and comes back the same.
 */
#include "pmd.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define CAP   20000
#define RATIO 50

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* zlib alone, without caps of ours: the messages so far as one stream. Returns the length of what
 * came out, or -1 when it is no DEFLATE data or more than size. */
static long oracle(const uint8_t *past, size_t past_len, const uint8_t *data, size_t len,
                   uint8_t *dst, size_t size)
{
    static const uint8_t tail[] = { 0, 0, 0xff, 0xff };
    z_stream z = { 0 };
    long out = -1;

    if (inflateInit2(&z, -15) != Z_OK) return -1;
    if (past_len > 0) (void)inflateSetDictionary(&z, past, (uInt)past_len);
    z.next_out = dst;
    z.avail_out = (uInt)size;
    for (int part = 0; part < 2; part++) {
        int status = Z_OK;

        z.next_in = (z_const Bytef *)(part == 0 ? data : tail);
        z.avail_in = (uInt)(part == 0 ? len : sizeof tail);
        while (z.avail_in > 0 && z.avail_out > 0 && (status == Z_OK || status == Z_STREAM_END)) {
            status = inflate(&z, Z_SYNC_FLUSH);
            if (status == Z_STREAM_END) { /* the same stream goes on, for RFC 7692 */
                uint8_t window[32768];
                uInt n = 0;

                (void)inflateGetDictionary(&z, window, &n);
                (void)inflateReset(&z);
                (void)inflateSetDictionary(&z, window, n);
            }
        }
        if (z.avail_out == 0 || (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR))
            goto done;
    }
    out = (long)(size - z.avail_out);
done:
    (void)inflateEnd(&z);
    return out;
}

static void back_and_forth(struct pmd *pmd, const struct pmd_params *params, const uint8_t *data,
                           size_t len)
{
    struct pmd_params mirror = *params;
    struct pmd_peer *sender = NULL, *receiver = NULL;
    uint8_t *text = malloc(len + 1);
    const uint8_t *wire, *plain;
    size_t n, plain_len;

    /* One side's server is the other's client. */
    mirror.client_takeover = params->server_takeover;
    mirror.client_bits = params->server_bits;
    if (text == NULL || pmd_peer_new(params, &sender) != GH_OK ||
        pmd_peer_new(&mirror, &receiver) != GH_OK)
        goto done;
    memcpy(text, data, len);
    for (int i = 0; i < 3; i++) {
        uint8_t *copy;

        if (!pmd_deflate(pmd, sender, text, len, &wire, &n)) continue;
        if (n >= len) abort();
        copy = malloc(n + 1);
        if (copy == NULL) break;
        memcpy(copy, wire, n);
        if (n * RATIO >= len || len <= PMD_RATIO_FLOOR) {
            if (pmd_inflate(pmd, receiver, copy, n, &plain, &plain_len) != PMD_GOOD) abort();
            if (plain_len != len || memcmp(plain, text, len) != 0) abort();
        }
        free(copy);
        if (n * RATIO < len && len > PMD_RATIO_FLOOR) break; /* the two windows differ from here */
    }
done:
    pmd_peer_free(sender);
    pmd_peer_free(receiver);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct pmd_config config = { CAP, RATIO, 6, 1 };
    static uint8_t theirs[CAP + 2], past[CAP];
    struct pmd_params params;
    struct pmd_peer *peer = NULL;
    struct pmd *pmd = NULL;
    size_t cut, past_len = 0;

    if (size < 3) return 0;
    params = (struct pmd_params){ .server_bits = (uint8_t)(PMD_BITS_MIN + (data[0] & 7)),
                                  .client_bits = PMD_BITS_MAX,
                                  .server_takeover = (data[0] & 0x40) != 0,
                                  .client_takeover = (data[0] & 0x80) != 0 };
    cut = (size_t)data[1] << 8 | data[2];
    data += 3;
    size -= 3;
    if (cut > size) cut = size;
    if (pmd_new(&config, &pmd) != GH_OK || pmd_peer_new(&params, &peer) != GH_OK) goto done;
    for (int part = 0; part < 2; part++) {
        const uint8_t *bytes = part == 0 ? data : data + cut, *plain;
        size_t len = part == 0 ? cut : size - cut, plain_len;

        if (pmd_inflate(pmd, peer, bytes, len, &plain, &plain_len) != PMD_GOOD) break;
        if (plain_len > CAP || (plain_len > PMD_RATIO_FLOOR && plain_len > len * RATIO)) abort();
        if (oracle(past, past_len, bytes, len, theirs, sizeof theirs) != (long)plain_len) abort();
        if (memcmp(theirs, plain, plain_len) != 0) abort();
        if (params.client_takeover) {
            past_len = plain_len;
            memcpy(past, plain, plain_len);
        }
        if (plain_len > 0) {
            uint8_t *copy = malloc(plain_len);

            if (copy == NULL) break;
            memcpy(copy, plain, plain_len);
            back_and_forth(pmd, &params, copy, plain_len);
            free(copy);
        }
    }
done:
    pmd_peer_free(peer);
    pmd_free(pmd);
    return 0;
}
