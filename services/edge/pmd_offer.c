#include "pmd_offer.h"

#include <stdio.h>
#include <string.h>

enum parameter {
    P_SERVER_NO_TAKEOVER,
    P_CLIENT_NO_TAKEOVER,
    P_SERVER_BITS,
    P_CLIENT_BITS,
    P_COUNT,
};

enum value { VALUE_NONE, VALUE_NEEDED, VALUE_OPTIONAL };

static const struct {
    const char *name;
    enum value value;
} rows[P_COUNT] = {
    [P_SERVER_NO_TAKEOVER] = { "server_no_context_takeover", VALUE_NONE },
    [P_CLIENT_NO_TAKEOVER] = { "client_no_context_takeover", VALUE_NONE },
    [P_SERVER_BITS] = { "server_max_window_bits", VALUE_NEEDED },
    /* Without a value: the client can be told, and has no wish of its own. */
    [P_CLIENT_BITS] = { "client_max_window_bits", VALUE_OPTIONAL },
};

struct offer {
    bool has[P_COUNT];
    uint8_t bits[P_COUNT];
};

/* "=" and what follows taken off *item; false: there was no "=". */
static bool cut_value(struct span *item, struct span *ret_value)
{
    const char *equals = memchr(item->data, '=', item->len);

    if (equals == NULL) return false;
    ret_value->data = equals + 1;
    ret_value->len = item->len - (size_t)(equals + 1 - item->data);
    item->len = (size_t)(equals - item->data);
    *item = span_trim(*item);
    *ret_value = span_trim(*ret_value);
    return true;
}

/* A quoted value must be a token once unquoted (RFC 6455 section 9.1), so that a backslash in it is
 * only a longer way to write the same: it is not taken. */
static bool unquote(struct span *value)
{
    if (value->len == 0 || value->data[0] != '"') return true;
    if (value->len < 2 || value->data[value->len - 1] != '"') return false;
    value->data++;
    value->len -= 2;
    return true;
}

bool pmd_offer_wellformed(struct span offer)
{
    struct span item, value;

    while (span_next_item(&offer, ';', &item)) {
        if (cut_value(&item, &value) && (!unquote(&value) || !span_is_token(value))) return false;
        if (!span_is_token(item)) return false;
    }
    return true;
}

/* 8 to 15, in decimal without leading zeros. */
static bool read_bits(struct span value, uint8_t *ret_bits)
{
    unsigned bits = 0;

    if (!unquote(&value) || value.len == 0 || value.len > 2 || value.data[0] == '0') return false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') return false;
        bits = bits * 10 + (unsigned)(value.data[i] - '0');
    }
    if (bits < PMD_BITS_MIN || bits > PMD_BITS_MAX) return false;
    *ret_bits = (uint8_t)bits;
    return true;
}

static bool take_parameter(struct offer *offer, struct span item)
{
    struct span value = { NULL, 0 };
    bool has_value = cut_value(&item, &value);
    unsigned id = 0;

    while (id < P_COUNT && !span_eq(item, rows[id].name))
        id++;
    if (id == P_COUNT || offer->has[id]) return false;
    offer->has[id] = true;
    offer->bits[id] = PMD_BITS_MAX;
    if (has_value ? rows[id].value == VALUE_NONE : rows[id].value == VALUE_NEEDED) return false;
    return !has_value || read_bits(value, &offer->bits[id]);
}

static bool read_offer(struct span text, struct offer *ret_offer)
{
    struct offer offer = { 0 };
    struct span item;

    if (!span_next_item(&text, ';', &item) || !span_eq(item, "permessage-deflate")) return false;
    while (span_next_item(&text, ';', &item))
        if (!take_parameter(&offer, item)) return false;
    *ret_offer = offer;
    return true;
}

/* A server may forbid both takeovers unasked, and its own window is its own affair; the client's
 * window it may limit only when the client has offered that. */
static struct pmd_params agree(const struct offer *offer, const struct pmd_policy *policy)
{
    bool takeover = policy->mode == PMD_TAKEOVER;
    struct pmd_params params = { .server_bits = PMD_BITS_MAX, .client_bits = PMD_BITS_MAX };

    params.server_takeover = takeover && !offer->has[P_SERVER_NO_TAKEOVER];
    params.client_takeover = takeover && !offer->has[P_CLIENT_NO_TAKEOVER];
    if (takeover) params.server_bits = (uint8_t)policy->bits;
    if (offer->has[P_SERVER_BITS] && offer->bits[P_SERVER_BITS] < params.server_bits)
        params.server_bits = offer->bits[P_SERVER_BITS];
    params.tell_server_bits = offer->has[P_SERVER_BITS] || params.server_bits < PMD_BITS_MAX;
    if (offer->has[P_CLIENT_BITS]) {
        params.client_bits = offer->bits[P_CLIENT_BITS];
        if (params.client_takeover && policy->bits < params.client_bits)
            params.client_bits = (uint8_t)policy->bits;
        params.tell_client_bits = params.client_takeover;
    }
    /* A window larger than what is kept for a client, which cannot be told to use a smaller one. */
    if (params.client_bits > policy->bits) params.client_takeover = false;
    return params;
}

bool pmd_offer_choose(const struct span *offers, size_t n_offers, const struct pmd_policy *policy,
                      struct pmd_params *ret_params)
{
    struct offer offer;

    if (policy->mode == PMD_OFF) return false;
    for (size_t i = 0; i < n_offers; i++) {
        if (!read_offer(offers[i], &offer)) continue;
        *ret_params = agree(&offer, policy);
        return true;
    }
    return false;
}

size_t pmd_offer_answer(const struct pmd_params *params, char dst[PMD_ANSWER_MAX])
{
    char server[32] = "", client[32] = "";

    if (params->tell_server_bits)
        (void)snprintf(server, sizeof server, "; server_max_window_bits=%u", params->server_bits);
    if (params->tell_client_bits)
        (void)snprintf(client, sizeof client, "; client_max_window_bits=%u", params->client_bits);
    return (size_t)snprintf(dst, PMD_ANSWER_MAX, "permessage-deflate%s%s%s%s",
                            params->server_takeover ? "" : "; server_no_context_takeover",
                            params->client_takeover ? "" : "; client_no_context_takeover", server,
                            client);
}
