/*
 * Our frame decoder against wslay's: whatever one makes of a stream of masked frames, the other
 * must, too, as far as wslay goes (it judges neither fragment order nor caps, accepts unmasked
 * frames, and reports a frame only when its first payload byte is there). And the decoder against
 * itself: cut anywhere, the result is the same.
 */
#include "frame.h"

#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct stream {
    const uint8_t *data;
    size_t left;
};

static ssize_t give(uint8_t *buf, size_t len, int flags, void *user)
{
    struct stream *stream = user;
    size_t n = len < stream->left ? len : stream->left;

    (void)flags;
    if (n == 0) return WSLAY_ERR_WANT_READ;
    memcpy(buf, stream->data, n);
    stream->data += n;
    stream->left -= n;
    return (ssize_t)n;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

struct outcome {
    uint64_t payload; /* of every data byte, in order */
    size_t bytes;
    enum frame_result end;
};

static void decode(const uint8_t *bytes, size_t size, size_t cut, struct outcome *out)
{
    const struct frame_limits limits = { 1u << 20, 1000, (1u << 20) + 100 };
    struct frame_decoder decoder = { 0 };
    uint8_t *copy = malloc(size + 1);

    *out = (struct outcome){ .payload = 1, .end = FRAME_MORE };
    if (copy == NULL) return;
    memcpy(copy, bytes, size);
    for (int part = 0; part < 2 && out->end == FRAME_MORE; part++) {
        uint8_t *at = part == 0 ? copy : copy + cut;
        size_t len = part == 0 ? cut : size - cut;
        struct frame_piece piece;
        enum frame_result result;

        while ((result = frame_decode(&decoder, &limits, &at, &len, &piece)) != FRAME_MORE) {
            if (result == FRAME_BAD || result == FRAME_TOO_LARGE) {
                out->end = result;
                break;
            }
            if (result == FRAME_CONTROL && piece.len > FRAME_CONTROL_MAX) abort();
            out->payload = mix(out->payload, piece.data, piece.len);
            out->bytes += piece.len;
        }
    }
    free(copy);
}

/* wslay's view of the same bytes: a hash of the payload and whether it met an error. */
static bool oracle(const uint8_t *bytes, size_t size, size_t limit, uint64_t *ret_payload)
{
    const struct wslay_frame_callbacks callbacks = { .recv_callback = give };
    struct stream stream = { bytes, size };
    struct wslay_frame_iocb io;
    wslay_frame_context_ptr context;
    uint64_t payload = 1;
    size_t seen = 0;
    bool good = true;

    if (wslay_frame_context_init(&context, &callbacks, &stream) != 0) return true;
    for (;;) {
        ssize_t n = wslay_frame_recv(context, &io);

        if (n < 0) {
            good = n == WSLAY_ERR_WANT_READ;
            break;
        }
        if (seen + io.data_length > limit) { /* what ours did not pass on is not compared */
            payload = mix(payload, io.data, limit - seen);
            break;
        }
        payload = mix(payload, io.data, io.data_length);
        seen += io.data_length;
    }
    wslay_frame_context_free(context);
    *ret_payload = payload;
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;
    uint64_t theirs = 1;

    decode(data, size, size, &whole);
    decode(data, size, size > 0 ? data[0] % (size + 1) : 0, &cut);
    if (whole.end != cut.end || whole.bytes != cut.bytes || whole.payload != cut.payload) abort();
    /* A stream that ours takes to its end must be good for wslay, byte for byte. Part of a control
     * frame is passed on by wslay at once and by us when it is whole, so payloads are compared only
     * as far as ours came. */
    if (whole.end == FRAME_MORE &&
        (!oracle(data, size, whole.bytes, &theirs) || theirs != whole.payload))
        abort();
    return 0;
}
