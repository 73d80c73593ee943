#include "pmd.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define WINDOW_MAX (1u << PMD_BITS_MAX)
#define MEM_LEVEL  8
#define TAIL       4 /* 00 00 ff ff: what both sides leave out */
/* zlib at its lowest memory level ends a block after 127 symbols; nobody needs shorter ones. */
#define BLOCKS_FREE 64
#define BLOCK_BYTES 64

static const uint8_t tail[TAIL] = { 0x00, 0x00, 0xff, 0xff };

struct window { /* the end of what was said with context takeover; NULL: nothing yet */
    uint8_t *data;
    uint32_t len;
};

struct pmd_peer {
    struct pmd_params params;
    bool sent; /* since the last rest */
    struct window in, out;
};

struct pmd {
    struct pmd_config config;
    z_stream inflater;
    z_stream *deflaters[PMD_BITS_MAX + 1]; /* by bits, made when first needed */
    uint8_t *inflated;                     /* config.max_bytes + 1 */
    uint8_t *deflated;                     /* deflated_cap */
    size_t deflated_cap;
    uint8_t window[WINDOW_MAX];
    /* The last message deflated by itself. The same goes to many when a topic is served, and it is
     * deflated once. */
    uint8_t *last;
    size_t last_len, last_cap, last_out; /* last_out 0: it would have grown */
    uint8_t last_bits;                   /* 0: there is none */
};

/* --- life ------------------------------------------------------------------------------------- */

enum gh_err pmd_new(const struct pmd_config *config, struct pmd **ret_pmd)
{
    struct pmd *pmd = calloc(1, sizeof *pmd);

    if (pmd == NULL) return GH_ERR_NOMEM;
    pmd->config = *config;
    pmd->inflated = malloc(config->max_bytes + 1);
    if (pmd->inflated == NULL || inflateInit2(&pmd->inflater, -PMD_BITS_MAX) != Z_OK) {
        free(pmd->inflated);
        free(pmd);
        return GH_ERR_NOMEM;
    }
    *ret_pmd = pmd;
    return GH_OK;
}

void pmd_free(struct pmd *pmd)
{
    if (pmd == NULL) return;
    (void)inflateEnd(&pmd->inflater);
    for (size_t i = 0; i < sizeof pmd->deflaters / sizeof pmd->deflaters[0]; i++) {
        if (pmd->deflaters[i] != NULL) (void)deflateEnd(pmd->deflaters[i]);
        free(pmd->deflaters[i]);
    }
    free(pmd->inflated);
    free(pmd->deflated);
    free(pmd->last);
    free(pmd);
}

enum gh_err pmd_peer_new(const struct pmd_params *params, struct pmd_peer **ret_peer)
{
    struct pmd_peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL) return GH_ERR_NOMEM;
    peer->params = *params;
    *ret_peer = peer;
    return GH_OK;
}

static void window_done(struct window *window)
{
    free(window->data);
    *window = (struct window){ NULL, 0 };
}

void pmd_peer_free(struct pmd_peer *peer)
{
    if (peer == NULL) return;
    window_done(&peer->in);
    window_done(&peer->out);
    free(peer);
}

void pmd_peer_rest(struct pmd_peer *peer)
{
    if (!peer->sent) window_done(&peer->out);
    peer->sent = false;
}

uint64_t pmd_wire_max(uint64_t max_bytes)
{
    return max_bytes + max_bytes / 16 + 64;
}

/* Keeps the last `max` bytes of what was there and data. False: no memory, and nothing is kept. */
static bool window_add(struct window *window, size_t max, const uint8_t *data, size_t len)
{
    size_t old = window->len;
    uint8_t *bigger;

    if (len > max) {
        data += len - max;
        len = max;
    }
    if (old + len > max) {
        size_t gone = old + len - max;

        memmove(window->data, window->data + gone, old - gone);
        old -= gone;
    }
    if (old + len > window->len) {
        bigger = realloc(window->data, old + len);
        if (bigger == NULL) {
            window_done(window);
            return false;
        }
        window->data = bigger;
    }
    if (len > 0) memcpy(window->data + old, data, len);
    window->len = (uint32_t)(old + len);
    return true;
}

/* --- inflating -------------------------------------------------------------------------------- */

struct run {
    struct pmd *pmd;
    z_stream *z;
    size_t allowed;
    size_t blocks;
};

static size_t produced(const struct run *run)
{
    return run->allowed + 1 - run->z->avail_out;
}

/* A block with BFINAL ends a DEFLATE stream, not the message (RFC 7692 section 7.2.3.4): what
 * follows may still refer to what came before. */
static enum pmd_result begin_again(struct run *run)
{
    uInt len = 0;

    if (inflateGetDictionary(run->z, run->pmd->window, &len) != Z_OK ||
        inflateReset(run->z) != Z_OK || inflateSetDictionary(run->z, run->pmd->window, len) != Z_OK)
        return PMD_NOMEM;
    return PMD_GOOD;
}

static enum pmd_result feed(struct run *run, const uint8_t *data, size_t len)
{
    z_stream *z = run->z;

    z->next_in = (z_const Bytef *)data;
    z->avail_in = (uInt)len;
    while (z->avail_in > 0) {
        int status = inflate(z, Z_BLOCK);

        if (z->avail_out == 0) return PMD_TOO_LARGE;
        if (status == Z_STREAM_END) {
            enum pmd_result result = begin_again(run);

            if (result != PMD_GOOD) return result;
            continue;
        }
        if (status == Z_MEM_ERROR) return PMD_NOMEM;
        /* Z_BUF_ERROR: a block that lay in the bits read before; nothing was read or written. */
        if (status != Z_OK && status != Z_BUF_ERROR) return PMD_BROKEN;
        if ((z->data_type & 128) != 0 && ++run->blocks > BLOCKS_FREE + produced(run) / BLOCK_BYTES)
            return PMD_TOO_LARGE;
    }
    return PMD_GOOD;
}

static size_t allowance(const struct pmd_config *config, size_t len)
{
    uint64_t by_ratio = (uint64_t)len * config->max_ratio;

    if (by_ratio < PMD_RATIO_FLOOR) by_ratio = PMD_RATIO_FLOOR;
    return by_ratio < config->max_bytes ? by_ratio : config->max_bytes;
}

enum pmd_result pmd_inflate(struct pmd *pmd, struct pmd_peer *peer, const uint8_t *data, size_t len,
                            const uint8_t **ret_data, size_t *ret_len)
{
    struct run run = { .pmd = pmd, .z = &pmd->inflater, .allowed = allowance(&pmd->config, len) };
    enum pmd_result result;
    size_t before;

    if (inflateReset(run.z) != Z_OK) return PMD_NOMEM;
    if (peer->in.len > 0 && inflateSetDictionary(run.z, peer->in.data, peer->in.len) != Z_OK)
        return PMD_NOMEM;
    run.z->next_out = pmd->inflated;
    run.z->avail_out = (uInt)(run.allowed + 1);
    result = feed(&run, data, len);
    before = produced(&run);
    if (result == PMD_GOOD) result = feed(&run, tail, sizeof tail);
    if (result != PMD_GOOD) return result;
    /* The tail must have been the end of an empty stored block: at a block's end, on a byte. */
    if ((run.z->data_type & 128) == 0 || (run.z->data_type & 63) != 0 || produced(&run) != before)
        return PMD_BROKEN;
    if (peer->params.client_takeover &&
        !window_add(&peer->in, (size_t)1 << peer->params.client_bits, pmd->inflated, before))
        return PMD_NOMEM;
    *ret_data = pmd->inflated;
    *ret_len = before;
    return PMD_GOOD;
}

/* --- deflating -------------------------------------------------------------------------------- */

/* zlib's raw deflate takes no window of 8 bits. With 9 it never refers back further than 2^9 less
 * its look-ahead of 262 bytes, which is 250: what a window of 2^8 holds. */
static z_stream *deflater(struct pmd *pmd, unsigned bits)
{
    z_stream *z;

    if (bits == PMD_BITS_MIN) bits++;
    if (pmd->deflaters[bits] != NULL)
        return deflateReset(pmd->deflaters[bits]) == Z_OK ? pmd->deflaters[bits] : NULL;
    z = calloc(1, sizeof *z);
    if (z == NULL) return NULL;
    if (deflateInit2(z, (int)pmd->config.level, Z_DEFLATED, -(int)bits, MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(z);
        return NULL;
    }
    pmd->deflaters[bits] = z;
    return z;
}

static bool grow(uint8_t **data, size_t *cap, size_t need)
{
    uint8_t *bigger;

    if (need <= *cap) return true;
    bigger = realloc(*data, need);
    if (bigger == NULL) return false;
    *data = bigger;
    *cap = need;
    return true;
}

/* Bytes in pmd->deflated, the tail cut off; 0: not worth it, or not possible. */
static size_t deflate_one(struct pmd *pmd, const struct pmd_peer *peer, const uint8_t *data,
                          size_t len)
{
    z_stream *z = deflater(pmd, peer->params.server_bits);
    size_t room = len + TAIL, n;

    if (z == NULL || !grow(&pmd->deflated, &pmd->deflated_cap, room)) return 0;
    if (peer->out.len > 0 && deflateSetDictionary(z, peer->out.data, peer->out.len) != Z_OK)
        return 0;
    z->next_in = (z_const Bytef *)data;
    z->avail_in = (uInt)len;
    z->next_out = pmd->deflated;
    z->avail_out = (uInt)room;
    /* No room left over: it is not all out, and is at least as long as the message. */
    if (deflate(z, Z_SYNC_FLUSH) != Z_OK || z->avail_in > 0 || z->avail_out == 0) return 0;
    n = room - z->avail_out;
    if (n <= TAIL || memcmp(pmd->deflated + n - TAIL, tail, TAIL) != 0) return 0;
    return n - TAIL;
}

static void remember(struct pmd *pmd, uint8_t bits, const uint8_t *data, size_t len, size_t out)
{
    pmd->last_bits = 0;
    if (!grow(&pmd->last, &pmd->last_cap, len)) return;
    memcpy(pmd->last, data, len);
    pmd->last_len = len;
    pmd->last_out = out;
    pmd->last_bits = bits;
}

bool pmd_deflate(struct pmd *pmd, struct pmd_peer *peer, const uint8_t *data, size_t len,
                 const uint8_t **ret_data, size_t *ret_len)
{
    const struct pmd_params *params = &peer->params;
    size_t n;

    if (len == 0 || len < pmd->config.min_bytes || len > PMD_OUT_MAX) return false;
    if (params->server_takeover) {
        pmd->last_bits = 0; /* its result is overwritten */
        n = deflate_one(pmd, peer, data, len);
        if (n == 0) return false;
        peer->sent = true;
        (void)window_add(&peer->out, (size_t)1 << params->server_bits, data, len);
    } else if (pmd->last_bits == params->server_bits && pmd->last_len == len &&
               memcmp(pmd->last, data, len) == 0) {
        n = pmd->last_out;
    } else {
        n = deflate_one(pmd, peer, data, len);
        remember(pmd, params->server_bits, data, len, n);
    }
    if (n == 0) return false;
    *ret_data = pmd->deflated;
    *ret_len = n;
    return true;
}
