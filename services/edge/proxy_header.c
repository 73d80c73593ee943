#include "proxy_header.h"

#include <string.h>

static const uint8_t v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                          0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

#define V2_HEAD   16
#define V2_LOCAL  0x20
#define V2_PROXY  0x21
#define V2_UNSPEC 0x00
#define V2_TCP4   0x11
#define V2_TCP6   0x21

static enum proxy_result parse_v2(const uint8_t *data, size_t len, struct proxy_header *ret_proxy)
{
    struct proxy_header proxy = { 0 };
    size_t body;

    if (len < V2_HEAD) return PROXY_MORE;
    if (data[12] != V2_LOCAL && data[12] != V2_PROXY) return PROXY_BAD;
    body = (size_t)data[14] << 8 | data[15];
    if (body > PROXY_HEADER_MAX - V2_HEAD) return PROXY_BAD;
    if (len < V2_HEAD + body) return PROXY_MORE;
    proxy.len = V2_HEAD + body;
    if (data[12] == V2_LOCAL || data[13] == V2_UNSPEC) {
        *ret_proxy = proxy;
        return PROXY_OK;
    }
    if (data[13] == V2_TCP4 && body >= 12) {
        memset(proxy.source.ip, 0, 10);
        memset(proxy.source.ip + 10, 0xff, 2);
        memcpy(proxy.source.ip + 12, data + V2_HEAD, 4);
        proxy.source_port = (uint16_t)(data[V2_HEAD + 8] << 8 | data[V2_HEAD + 9]);
    } else if (data[13] == V2_TCP6 && body >= 36) {
        memcpy(proxy.source.ip, data + V2_HEAD, 16);
        proxy.source_port = (uint16_t)(data[V2_HEAD + 32] << 8 | data[V2_HEAD + 33]);
    } else {
        return PROXY_BAD; /* datagrams, Unix sockets, or too short for its addresses */
    }
    proxy.has_address = true;
    *ret_proxy = proxy;
    return PROXY_OK;
}

/* The field up to the next space or the end; at moves past the space. */
static bool next_field(const char **at, const char *end, const char **field, size_t *field_len)
{
    const char *space;

    if (*at >= end) return false;
    space = memchr(*at, ' ', (size_t)(end - *at));
    *field = *at;
    *field_len = (size_t)((space != NULL ? space : end) - *at);
    *at = space != NULL ? space + 1 : end;
    return *field_len > 0;
}

static bool parse_port(const char *text, size_t len, uint16_t *ret_port)
{
    unsigned port = 0;

    if (len == 0 || len > 5 || (len > 1 && text[0] == '0')) return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port > 65535) return false;
    *ret_port = (uint16_t)port;
    return true;
}

static enum proxy_result parse_v1_line(const char *line, size_t len, struct proxy_header *proxy)
{
    const char *at = line + 6; /* past "PROXY " */
    const char *end = line + len;
    const char *field;
    size_t field_len;
    struct addr destination;
    uint16_t destination_port;
    bool v4;

    if (!next_field(&at, end, &field, &field_len)) return PROXY_BAD;
    if (field_len == 7 && memcmp(field, "UNKNOWN", 7) == 0) return PROXY_OK;
    if (field_len != 4 || memcmp(field, "TCP", 3) != 0 || (field[3] != '4' && field[3] != '6'))
        return PROXY_BAD;
    v4 = field[3] == '4';
    if (!next_field(&at, end, &field, &field_len) ||
        addr_parse(field, field_len, &proxy->source) != GH_OK ||
        v4 != (memchr(field, ':', field_len) == NULL))
        return PROXY_BAD;
    if (!next_field(&at, end, &field, &field_len) ||
        addr_parse(field, field_len, &destination) != GH_OK ||
        v4 != (memchr(field, ':', field_len) == NULL))
        return PROXY_BAD;
    if (!next_field(&at, end, &field, &field_len) ||
        !parse_port(field, field_len, &proxy->source_port))
        return PROXY_BAD;
    if (!next_field(&at, end, &field, &field_len) ||
        !parse_port(field, field_len, &destination_port) || at != end || end[-1] == ' ')
        return PROXY_BAD;
    proxy->has_address = true;
    return PROXY_OK;
}

static enum proxy_result parse_v1(const uint8_t *data, size_t len, struct proxy_header *ret_proxy)
{
    struct proxy_header proxy = { 0 };
    size_t scan = len < PROXY_HEADER_V1_MAX ? len : PROXY_HEADER_V1_MAX;
    const uint8_t *lf = memchr(data, '\n', scan);
    enum proxy_result result;

    if (lf == NULL) return len >= PROXY_HEADER_V1_MAX ? PROXY_BAD : PROXY_MORE;
    if (lf[-1] != '\r') return PROXY_BAD;
    proxy.len = (size_t)(lf - data) + 1;
    result = parse_v1_line((const char *)data, proxy.len - 2, &proxy);
    if (result == PROXY_OK) *ret_proxy = proxy;
    return result;
}

static bool begins(const uint8_t *data, size_t len, const void *with, size_t with_len)
{
    return memcmp(data, with, len < with_len ? len : with_len) == 0;
}

enum proxy_result proxy_header_parse(const uint8_t *data, size_t len,
                                     struct proxy_header *ret_proxy)
{
    if (len == 0) return PROXY_MORE;
    if (begins(data, len, v2_signature, sizeof v2_signature))
        return len < sizeof v2_signature ? PROXY_MORE : parse_v2(data, len, ret_proxy);
    if (begins(data, len, "PROXY ", 6))
        return len < 6 ? PROXY_MORE : parse_v1(data, len, ret_proxy);
    return PROXY_NONE;
}
