#include "common/clients/spool_record.h"

#include <string.h>
#include <zlib.h>

/* Not text, so that no value a client chose looks like the start of a record by accident; made on
 * purpose, it still needs the CRC, and then gives a record that carries what that client said. */
static const uint8_t magic[4] = { 0xc7, 'G', 'H', 0x1e };

static void put32(uint8_t *dst, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        dst[i] = (uint8_t)(v >> (8 * i));
}

static void put64(uint8_t *dst, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        dst[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get32(const uint8_t *src)
{
    return (uint32_t)src[0] | (uint32_t)src[1] << 8 | (uint32_t)src[2] << 16 |
           (uint32_t)src[3] << 24;
}

static uint64_t get64(const uint8_t *src)
{
    return get32(src) | (uint64_t)get32(src + 4) << 32;
}

static uint32_t record_crc(const uint8_t *head, const uint8_t *payload, size_t len)
{
    uLong crc = crc32(0, head, 16);

    return (uint32_t)crc32(crc, payload, (uInt)len);
}

size_t gh_spool_record_write(uint8_t *dst, uint64_t number, const void *payload, size_t len)
{
    uint8_t *body = dst + GH_SPOOL_HEAD_BYTES;

    memcpy(dst, magic, sizeof(magic));
    put32(dst + 4, (uint32_t)len);
    put64(dst + 8, number);
    if (body != payload) memmove(body, payload, len);
    put32(dst + 16, record_crc(dst, body, len));
    return GH_SPOOL_HEAD_BYTES + len;
}

/* How many bytes from buf on cannot be the start of a record. */
static size_t skip_to_magic(const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        size_t n = len - i < sizeof(magic) ? len - i : sizeof(magic);
        if (memcmp(buf + i, magic, n) == 0) return i;
    }
    return len;
}

enum gh_spool_read gh_spool_record_read(const uint8_t *buf, size_t len, bool final,
                                        struct gh_spool_record *ret_record, size_t *ret_used)
{
    if (len == 0) {
        *ret_used = 0;
        return final ? GH_SPOOL_END : GH_SPOOL_MORE;
    }

    size_t skip = skip_to_magic(buf, len);
    if (skip > 0) {
        *ret_used = skip;
        return GH_SPOOL_DAMAGED;
    }
    *ret_used = 0;
    size_t payload_len = len >= GH_SPOOL_HEAD_BYTES ? get32(buf + 4) : 0;
    bool cut = len < GH_SPOOL_HEAD_BYTES || len - GH_SPOOL_HEAD_BYTES < payload_len;

    if (payload_len <= GH_SPOOL_PAYLOAD_MAX) {
        if (cut && !final) return GH_SPOOL_MORE;
        const uint8_t *payload = buf + GH_SPOOL_HEAD_BYTES;
        if (!cut && record_crc(buf, payload, payload_len) == get32(buf + 16)) {
            ret_record->number = get64(buf + 8);
            ret_record->payload = payload;
            ret_record->len = payload_len;
            *ret_used = GH_SPOOL_HEAD_BYTES + payload_len;
            return GH_SPOOL_RECORD;
        }
    }
    *ret_used = 1 + skip_to_magic(buf + 1, len - 1);
    bool torn = cut && payload_len <= GH_SPOOL_PAYLOAD_MAX && *ret_used == len;
    return torn ? GH_SPOOL_TORN : GH_SPOOL_DAMAGED;
}

static bool is_name_char(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

enum gh_err gh_spool_header_parse(const uint8_t *payload, size_t len,
                                  char sender[GH_SPOOL_SENDER_MAX + 1],
                                  char id[GH_SPOOL_ID_LEN + 1])
{
    if (len < GH_SPOOL_ID_LEN + 2 || len > GH_SPOOL_ID_LEN + 1 + GH_SPOOL_SENDER_MAX)
        return GH_ERR_BAD_MESSAGE;

    size_t sender_len = len - GH_SPOOL_ID_LEN - 1;
    for (size_t i = 0; i < len; i++) {
        if (i == sender_len ? payload[i] != ' ' : !is_name_char(payload[i]))
            return GH_ERR_BAD_MESSAGE;
    }
    memcpy(sender, payload, sender_len);
    sender[sender_len] = '\0';
    memcpy(id, payload + sender_len + 1, GH_SPOOL_ID_LEN);
    id[GH_SPOOL_ID_LEN] = '\0';
    return GH_OK;
}
