#include "addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

enum gh_err addr_parse(const char *text, size_t len, struct addr *ret_addr)
{
    char copy[ADDR_TEXT_MAX];
    struct addr addr;

    if (len == 0 || len >= sizeof copy || memchr(text, 0, len) != NULL) return GH_ERR_BAD_MESSAGE;
    memcpy(copy, text, len);
    copy[len] = 0;
    if (inet_pton(AF_INET6, copy, addr.ip) == 1) {
        *ret_addr = addr;
        return GH_OK;
    }
    memcpy(addr.ip, mapped, sizeof mapped);
    if (inet_pton(AF_INET, copy, addr.ip + sizeof mapped) != 1) return GH_ERR_BAD_MESSAGE;
    *ret_addr = addr;
    return GH_OK;
}

void addr_from_sockaddr(const struct sockaddr *sa, struct addr *ret_addr)
{
    memset(ret_addr, 0, sizeof *ret_addr);
    if (sa->sa_family == AF_INET) {
        memcpy(ret_addr->ip, mapped, sizeof mapped);
        memcpy(ret_addr->ip + sizeof mapped,
               &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    } else if (sa->sa_family == AF_INET6) {
        memcpy(ret_addr->ip, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    }
}

void addr_format(const struct addr *addr, char dst[ADDR_TEXT_MAX])
{
    if (addr_is_v4(addr))
        (void)inet_ntop(AF_INET, addr->ip + sizeof mapped, dst, ADDR_TEXT_MAX);
    else
        (void)inet_ntop(AF_INET6, addr->ip, dst, ADDR_TEXT_MAX);
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool addr_is_v4(const struct addr *addr)
{
    return memcmp(addr->ip, mapped, sizeof mapped) == 0;
}

void addr_mask(const struct addr *addr, uint8_t bits, struct addr *ret_addr)
{
    size_t whole = bits / 8;
    struct addr out = { { 0 } };

    memcpy(out.ip, addr->ip, whole < sizeof out.ip ? whole : sizeof out.ip);
    if (whole < sizeof out.ip && bits % 8 != 0)
        out.ip[whole] = addr->ip[whole] & (uint8_t)(0xff00u >> bits % 8);
    *ret_addr = out;
}

enum gh_err cidr_parse(const char *text, size_t len, struct cidr *ret_cidr)
{
    const char *slash = memchr(text, '/', len);
    size_t addr_len = slash != NULL ? (size_t)(slash - text) : len;
    struct cidr cidr;
    struct addr masked;
    unsigned bits = 0;

    if (addr_parse(text, addr_len, &cidr.base) != GH_OK) return GH_ERR_BAD_MESSAGE;
    if (slash == NULL) {
        cidr.bits = 128;
        *ret_cidr = cidr;
        return GH_OK;
    }
    size_t digits = len - addr_len - 1;
    if (digits == 0 || digits > 3 || (digits > 1 && slash[1] == '0')) return GH_ERR_BAD_MESSAGE;
    for (size_t i = 1; i <= digits; i++) {
        if (slash[i] < '0' || slash[i] > '9') return GH_ERR_BAD_MESSAGE;
        bits = bits * 10 + (unsigned)(slash[i] - '0');
    }
    /* The length counts the bits of the form it was written in. */
    if (memchr(text, ':', addr_len) == NULL) {
        if (bits > 32) return GH_ERR_BAD_MESSAGE;
        bits += 96;
    }
    if (bits > 128) return GH_ERR_BAD_MESSAGE;
    cidr.bits = (uint8_t)bits;
    addr_mask(&cidr.base, cidr.bits, &masked);
    if (!addr_equal(&masked, &cidr.base)) return GH_ERR_BAD_MESSAGE;
    *ret_cidr = cidr;
    return GH_OK;
}

bool cidr_contains(const struct cidr *cidr, const struct addr *addr)
{
    struct addr masked;

    addr_mask(addr, cidr->bits, &masked);
    return addr_equal(&masked, &cidr->base);
}
