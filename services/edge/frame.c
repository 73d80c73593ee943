#include "frame.h"

#include <string.h>

uint8_t frame_unmask(uint8_t *data, size_t len, const uint8_t mask[4], uint8_t at)
{
    uint8_t key[8];
    uint64_t word, wide;
    size_t i = 0;

    for (size_t k = 0; k < sizeof key; k++)
        key[k] = mask[(at + k) & 3];
    memcpy(&wide, key, sizeof wide);
    for (; i + sizeof word <= len; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        word ^= wide;
        memcpy(data + i, &word, sizeof word);
    }
    for (size_t k = 0; i < len; i++, k++)
        data[i] ^= key[k];
    return (uint8_t)((at + len) & 3);
}

bool frame_close_code_ok(uint16_t code)
{
    if (code >= 3000 && code <= 4999) return true;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

size_t frame_encode_head(uint8_t opcode, bool deflated, uint64_t len, uint8_t *dst)
{
    dst[0] = (uint8_t)(0x80u | (deflated ? 0x40u : 0) | opcode);
    if (len < 126) {
        dst[1] = (uint8_t)len;
        return 2;
    }
    if (len <= 0xffff) {
        dst[1] = 126;
        dst[2] = (uint8_t)(len >> 8);
        dst[3] = (uint8_t)len;
        return 4;
    }
    dst[1] = 127;
    for (unsigned i = 0; i < 8; i++)
        dst[2 + i] = (uint8_t)(len >> (56 - 8 * i));
    return 10;
}

bool frame_idle(const struct frame_decoder *decoder)
{
    return !decoder->in_payload && decoder->have == 0 && decoder->fragments == 0;
}

bool frame_in_message(const struct frame_decoder *decoder)
{
    return !frame_idle(decoder);
}

/* What can be told from the first two bytes alone. */
static enum frame_result judge_start(const struct frame_decoder *d,
                                     const struct frame_limits *limits)
{
    uint8_t opcode = d->head[0] & 0x0f;
    bool fin = (d->head[0] & 0x80) != 0;
    bool rsv1 = (d->head[0] & 0x40) != 0;
    uint8_t len7 = d->head[1] & 0x7f;

    if ((d->head[0] & 0x30) != 0) return FRAME_BAD;
    if ((d->head[1] & 0x80) == 0) return FRAME_BAD;
    if ((opcode & 0x8) != 0) {
        if (opcode > FRAME_PONG || !fin || rsv1 || len7 > FRAME_CONTROL_MAX) return FRAME_BAD;
        return FRAME_MORE;
    }
    if (opcode > FRAME_BINARY) return FRAME_BAD;
    if ((opcode == FRAME_CONTINUATION) != (d->fragments > 0)) return FRAME_BAD;
    /* RFC 7692 section 6: RSV1 only on the first fragment, and only when negotiated. */
    if (rsv1 && (limits->max_deflated_bytes == 0 || opcode == FRAME_CONTINUATION)) return FRAME_BAD;
    return FRAME_MORE;
}

static enum frame_result judge_length(struct frame_decoder *d, const struct frame_limits *limits)
{
    uint8_t len7 = d->head[1] & 0x7f;
    uint64_t len = len7, max;
    bool deflated;

    if (len7 == 126) {
        len = (uint64_t)d->head[2] << 8 | d->head[3];
        if (len < 126) return FRAME_BAD;
    } else if (len7 == 127) {
        len = 0;
        for (unsigned i = 0; i < 8; i++)
            len = len << 8 | d->head[2 + i];
        if (len <= 0xffff || len >> 63 != 0) return FRAME_BAD;
    }
    d->left = len;
    if ((d->head[0] & 0x8) != 0) return FRAME_MORE;
    deflated = d->fragments > 0 ? d->message_deflated : (d->head[0] & 0x40) != 0;
    max = deflated ? limits->max_deflated_bytes : limits->max_message_bytes;
    if (len > max || d->message_bytes > max - len) return FRAME_TOO_LARGE;
    if (d->fragments >= limits->max_fragments) return FRAME_TOO_LARGE;
    return FRAME_MORE;
}

static size_t head_size(const struct frame_decoder *d)
{
    uint8_t len7 = d->head[1] & 0x7f;

    return 6u + (len7 == 126 ? 2u : len7 == 127 ? 8u : 0u);
}

static void begin_payload(struct frame_decoder *d, size_t size)
{
    memcpy(d->mask, d->head + size - 4, 4);
    d->mask_at = 0;
    d->fin = (d->head[0] & 0x80) != 0;
    d->opcode = d->head[0] & 0x0f;
    d->have = 0;
    d->control_len = 0;
    d->in_payload = true;
    if ((d->opcode & 0x8) != 0) return;
    if (d->opcode != FRAME_CONTINUATION) {
        d->message_opcode = d->opcode;
        d->message_deflated = (d->head[0] & 0x40) != 0;
    }
    d->message_bytes += d->left;
    d->fragments++;
}

/* FRAME_MORE with in_payload set: the header is complete and good. */
static enum frame_result take_head(struct frame_decoder *d, const struct frame_limits *limits,
                                   uint8_t **data, size_t *len)
{
    while (*len > 0) {
        enum frame_result result;
        size_t size;

        d->head[d->have++] = **data;
        (*data)++;
        (*len)--;
        if (d->have < 2) continue;
        if (d->have == 2) {
            result = judge_start(d, limits);
            if (result != FRAME_MORE) return result;
        }
        size = head_size(d);
        if (d->have == size - 4) { /* the length is known before the mask */
            result = judge_length(d, limits);
            if (result != FRAME_MORE) return result;
        }
        if (d->have == size) {
            begin_payload(d, size);
            return FRAME_MORE;
        }
    }
    return FRAME_MORE;
}

static enum frame_result take_control(struct frame_decoder *d, uint8_t **data, size_t *len,
                                      struct frame_piece *piece)
{
    size_t n = *len < d->left ? *len : (size_t)d->left;

    memcpy(d->control + d->control_len, *data, n);
    *data += n;
    *len -= n;
    d->control_len = (uint8_t)(d->control_len + n);
    d->left -= n;
    if (d->left > 0) return FRAME_MORE;
    frame_unmask(d->control, d->control_len, d->mask, 0);
    d->in_payload = false;
    piece->opcode = d->opcode;
    piece->deflated = false;
    piece->first = piece->last = true;
    piece->data = d->control;
    piece->len = d->control_len;
    return FRAME_CONTROL;
}

static enum frame_result take_data(struct frame_decoder *d, uint8_t **data, size_t *len,
                                   struct frame_piece *piece, bool first)
{
    size_t n = *len < d->left ? *len : (size_t)d->left;

    d->mask_at = frame_unmask(*data, n, d->mask, d->mask_at);
    piece->opcode = d->message_opcode;
    piece->deflated = d->message_deflated;
    piece->first = first;
    piece->data = *data;
    piece->len = n;
    *data += n;
    *len -= n;
    d->left -= n;
    if (d->left == 0) d->in_payload = false;
    piece->last = d->left == 0 && d->fin;
    if (piece->last) {
        d->fragments = 0;
        d->message_bytes = 0;
    }
    return FRAME_PIECE;
}

enum frame_result frame_decode(struct frame_decoder *decoder, const struct frame_limits *limits,
                               uint8_t **data, size_t *len, struct frame_piece *ret_piece)
{
    bool began = false;

    if (!decoder->in_payload) {
        enum frame_result result = take_head(decoder, limits, data, len);

        if (result != FRAME_MORE || !decoder->in_payload) return result;
        began = true;
    }
    if ((decoder->opcode & 0x8) != 0) return take_control(decoder, data, len, ret_piece);
    /* A frame that begins is told at once, with no payload if none is there yet: the first piece of
     * a message resets what the caller keeps for it. */
    if (!began && *len == 0) return FRAME_MORE;
    return take_data(decoder, data, len, ret_piece, began && decoder->opcode != FRAME_CONTINUATION);
}
