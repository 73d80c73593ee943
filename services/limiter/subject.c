#include "subject.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

enum gh_err subject_address_parse(const void *text, size_t len, struct subject_address *ret_address)
{
    char copy[INET6_ADDRSTRLEN + 1];
    struct subject_address address = { 0 };

    if (len == 0 || len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
        return GH_ERR_BAD_MESSAGE;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, address.bytes) == 1) {
        address.family_bits = 32;
    } else if (inet_pton(AF_INET6, copy, address.bytes) == 1) {
        address.family_bits = 128;
        if (memcmp(address.bytes, mapped, sizeof(mapped)) == 0) {
            address.family_bits = 32;
            memmove(address.bytes, address.bytes + 12, 4);
            memset(address.bytes + 4, 0, 12);
        }
    } else {
        return GH_ERR_BAD_MESSAGE;
    }
    *ret_address = address;
    return GH_OK;
}

void subject_address_text(const struct subject_address *address, unsigned prefix, char *dst,
                          size_t size)
{
    struct subject_address net = *address;
    char text[INET6_ADDRSTRLEN];

    for (unsigned bit = prefix; bit < net.family_bits; bit++)
        net.bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    (void)inet_ntop(net.family_bits == 32 ? AF_INET : AF_INET6, net.bytes, text, sizeof(text));
    if (prefix == net.family_bits)
        (void)snprintf(dst, size, "%s", text);
    else
        (void)snprintf(dst, size, "%s/%u", text, prefix);
}

void subject_key_of_network(const struct subject_address *address, unsigned prefix,
                            struct subject_key *ret_key)
{
    memcpy(ret_key->text, "a:", 2);
    subject_address_text(address, prefix, ret_key->text + 2, sizeof(ret_key->text) - 2);
    ret_key->len = strlen(ret_key->text);
}

/* Digits only, no leading zero, 1..max. */
static bool parse_prefix(const char *text, size_t len, unsigned max, unsigned *ret_prefix)
{
    unsigned n = 0;

    if (len == 0 || len > 3 || text[0] == '0') return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') return false;
        n = n * 10 + (unsigned)(text[i] - '0');
    }
    if (n > max) return false;
    *ret_prefix = n;
    return true;
}

static enum gh_err address_key(const char *text, size_t len, struct subject_key *ret_key)
{
    const char *slash = memchr(text, '/', len);
    size_t address_len = slash != NULL ? (size_t)(slash - text) : len;
    struct subject_address address;
    unsigned prefix;
    enum gh_err err = subject_address_parse(text, address_len, &address);

    if (err != GH_OK) return err;
    prefix = address.family_bits;
    if (slash != NULL) {
        bool was_mapped = address.family_bits == 32 && memchr(text, ':', address_len) != NULL;

        if (!parse_prefix(slash + 1, len - address_len - 1, was_mapped ? 128 : prefix, &prefix))
            return GH_ERR_BAD_MESSAGE;
        if (was_mapped) {
            if (prefix <= 96) return GH_ERR_BAD_MESSAGE; /* all of IPv4 and more */
            prefix -= 96;
        }
    }
    subject_key_of_network(&address, prefix, ret_key);
    return GH_OK;
}

enum gh_err subject_key_make(Gh__BanKind kind, const void *subject, size_t len,
                             struct subject_key *ret_key)
{
    const uint8_t *bytes = subject;

    if (len == 0 || len > SUBJECT_MAX_BYTES) return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] < 0x20 || bytes[i] == 0x7f) return GH_ERR_BAD_MESSAGE;
    }
    switch ((int)kind) {
    case GH__BAN_KIND__BAN_ADDRESS: return address_key(subject, len, ret_key);
    case GH__BAN_KIND__BAN_USER:
    case GH__BAN_KIND__BAN_TOKEN:
        ret_key->text[0] = kind == GH__BAN_KIND__BAN_USER ? 'u' : 't';
        ret_key->text[1] = ':';
        memcpy(ret_key->text + 2, subject, len);
        ret_key->len = len + 2;
        ret_key->text[ret_key->len] = '\0';
        return GH_OK;
    default: return GH_ERR_BAD_MESSAGE;
    }
}

bool subject_key_prefix(const char *key, size_t len, unsigned *ret_family_bits,
                        unsigned *ret_prefix)
{
    const char *slash;
    unsigned family;

    if (len < 3 || key[0] != 'a' || key[1] != ':') return false;
    family = memchr(key + 2, ':', len - 2) != NULL ? 128 : 32;
    slash = memchr(key, '/', len);
    if (slash == NULL)
        *ret_prefix = family;
    else if (!parse_prefix(slash + 1, len - (size_t)(slash + 1 - key), family, ret_prefix))
        return false;
    *ret_family_bits = family;
    return true;
}
