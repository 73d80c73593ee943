#include "credential.h"

#include <string.h>
#include <strings.h>

static int8_t digit(char c)
{
    if (c >= 'A' && c <= 'Z') return (int8_t)(c - 'A');
    if (c >= 'a' && c <= 'z') return (int8_t)(c - 'a' + 26);
    if (c >= '0' && c <= '9') return (int8_t)(c - '0' + 52);
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool credential_decode(struct span text, char *dst, size_t *ret_len)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t out = 0;

    if (text.len == 0 || text.len > CREDENTIAL_MAX_BYTES || text.len % 4 == 1) return false;
    for (size_t i = 0; i < text.len; i++) {
        int8_t d = digit(text.data[i]);

        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        held += 6;
        if (held >= 8) {
            held -= 8;
            dst[out++] = (char)(bits >> held);
        }
    }
    if ((bits & ((1u << held) - 1)) != 0) return false; /* bits beyond the last byte */
    *ret_len = out;
    return true;
}

/* A run of JWT characters with two dots, as tokens look wherever they are put. */
static bool looks_like_jwt(struct span text)
{
    unsigned dots = 0;

    if (text.len < 20 || !span_starts(text, "eyJ")) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '.')
            dots++;
        else if (digit(text.data[i]) < 0)
            return false;
    }
    return dots == 2;
}

/* *ret_ticket, *ret_tickets: the value of the last parameter `ticket` and how many there are. */
static bool query_has_token(struct span query, struct span *ret_ticket, unsigned *ret_tickets)
{
    static const char *const names[] = { "access_token", "token", "jwt", "id_token" };
    struct span item;

    while (span_next_item(&query, '&', &item)) {
        const char *eq = item.len > 0 ? memchr(item.data, '=', item.len) : NULL;
        struct span name = item, value = { NULL, 0 };

        if (eq != NULL) {
            name.len = (size_t)(eq - item.data);
            value = (struct span){ eq + 1, item.len - name.len - 1 };
        }
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (span_case_eq(name, names[i])) return true;
        if (looks_like_jwt(value) || looks_like_jwt(name)) return true;
        if (!span_eq(name, "ticket")) continue;
        *ret_ticket = value;
        (*ret_tickets)++;
    }
    return false;
}

bool credential_offers_v1(const struct head *head)
{
    for (size_t i = 0; i < head->n_protocols; i++)
        if (span_eq(head->protocols[i], CREDENTIAL_PROTOCOL)) return true;
    return false;
}

struct finder {
    struct credential found;
    unsigned count;
};

static void offer(struct finder *finder, Gh__CredentialKind kind, struct span value)
{
    finder->found = (struct credential){ kind, value };
    finder->count++;
}

static struct span after(struct span span, const char *prefix)
{
    size_t n = strlen(prefix);

    return (struct span){ span.data + n, span.len - n };
}

static void find_cookie(struct finder *finder, struct span cookies, const char *name)
{
    struct span item;

    while (span_next_item(&cookies, ';', &item)) {
        const char *eq = item.len > 0 ? memchr(item.data, '=', item.len) : NULL;
        struct span key = item;

        if (eq == NULL) continue;
        key.len = (size_t)(eq - item.data);
        if (span_eq(key, name))
            offer(finder, GH__CREDENTIAL_KIND__CREDENTIAL_COOKIE,
                  (struct span){ eq + 1, item.len - key.len - 1 });
    }
}

enum gh_code credential_find(const struct head *head, const struct credential_rules *rules,
                             struct span certificate, struct credential *ret_credential,
                             const char **ret_reason)
{
    struct finder finder = { 0 };
    struct span ticket = { NULL, 0 };

    if (query_has_token(head->query, &ticket, &finder.count)) {
        *ret_reason = "credential in the query string";
        return GH_CODE_UNAUTHENTICATED;
    }
    finder.found = (struct credential){ GH__CREDENTIAL_KIND__CREDENTIAL_TICKET, ticket };
    if (head->authorization.data != NULL) {
        if (head->authorization.len < 7 || strncasecmp(head->authorization.data, "Bearer ", 7)) {
            *ret_reason = "authorization is not Bearer";
            return GH_CODE_UNAUTHENTICATED;
        }
        offer(&finder, GH__CREDENTIAL_KIND__CREDENTIAL_BEARER,
              span_trim(after(head->authorization, "Bearer ")));
    }
    for (size_t i = 0; i < head->n_protocols; i++) {
        if (span_starts(head->protocols[i], CREDENTIAL_BEARER))
            offer(&finder, GH__CREDENTIAL_KIND__CREDENTIAL_SUBPROTOCOL,
                  after(head->protocols[i], CREDENTIAL_BEARER));
        else if (span_starts(head->protocols[i], CREDENTIAL_TICKET))
            offer(&finder, GH__CREDENTIAL_KIND__CREDENTIAL_TICKET,
                  after(head->protocols[i], CREDENTIAL_TICKET));
    }
    /* A browser sends its cookies whatever else it shows: they count only where nothing else is. */
    if (finder.count == 0 && rules->cookie_name != NULL && head->cookie.data != NULL &&
        (rules->accepted & CREDENTIAL_BIT(GH__CREDENTIAL_KIND__CREDENTIAL_COOKIE)) != 0)
        find_cookie(&finder, head->cookie, rules->cookie_name);
    /* So is a certificate shown on every connection of its owner. */
    if (finder.count == 0 && certificate.data != NULL &&
        (rules->accepted & CREDENTIAL_BIT(GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE)) != 0)
        offer(&finder, GH__CREDENTIAL_KIND__CREDENTIAL_CERTIFICATE, certificate);
    if (finder.count == 0) {
        *ret_reason = "no credential";
        return GH_CODE_UNAUTHENTICATED;
    }
    if (finder.count > 1) {
        *ret_reason = "more than one credential";
        return GH_CODE_BAD_REQUEST;
    }
    if ((rules->accepted & CREDENTIAL_BIT(finder.found.kind)) == 0) {
        *ret_reason = "credential of a kind this route does not take";
        return GH_CODE_UNAUTHENTICATED;
    }
    *ret_credential = finder.found;
    return GH_CODE_OK;
}

enum gh_code credential_check_ticket(struct span ticket, const char **ret_reason)
{
    *ret_reason = "ticket is not one";
    if (ticket.len != CREDENTIAL_TICKET_LEN) return GH_CODE_UNAUTHENTICATED;
    for (size_t i = 0; i < ticket.len; i++)
        if (digit(ticket.data[i]) < 0) return GH_CODE_UNAUTHENTICATED;
    return GH_CODE_OK;
}

static bool algorithm_known(const struct gh_tape *tape, uint32_t alg)
{
    static const char *const names[] = { "HS256", "HS384", "HS512", "RS256", "RS384",
                                         "RS512", "ES256", "ES384", "ES512", "PS256",
                                         "PS384", "PS512", "EdDSA" };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (gh_tape_str_eq(tape, alg, names[i], strlen(names[i]))) return true;
    return false;
}

static bool parse_object(struct gh_tape *tape, struct span part, char *scratch)
{
    size_t len;

    return credential_decode(part, scratch, &len) &&
           gh_tape_parse(tape, scratch, len, NULL) == GH_JSON_OK &&
           gh_tape_kind(tape, 0) == GH_JSON_OBJ;
}

enum gh_code credential_check_jwt(struct gh_tape *tape, struct span token, int64_t now_s,
                                  int64_t leeway_s, const char **ret_reason)
{
    char scratch[CREDENTIAL_MAX_BYTES];
    struct span rest = token, parts[3], extra;
    uint32_t node;
    double exp;
    size_t len;

    if (token.len > CREDENTIAL_MAX_BYTES) {
        *ret_reason = "token too large";
        return GH_CODE_UNAUTHENTICATED;
    }
    *ret_reason = "token is not three base64url parts";
    for (size_t i = 0; i < 3; i++)
        if (!span_next_item(&rest, '.', &parts[i])) return GH_CODE_UNAUTHENTICATED;
    if (span_next_item(&rest, '.', &extra)) return GH_CODE_UNAUTHENTICATED;
    if (!credential_decode(parts[2], scratch, &len)) return GH_CODE_UNAUTHENTICATED;

    *ret_reason = "token header";
    if (!parse_object(tape, parts[0], scratch)) return GH_CODE_UNAUTHENTICATED;
    node = gh_tape_get_lit(tape, 0, "alg");
    if (node == GH_TAPE_NONE || !algorithm_known(tape, node)) {
        *ret_reason = "token algorithm";
        return GH_CODE_UNAUTHENTICATED;
    }
    *ret_reason = "token claims";
    if (!parse_object(tape, parts[1], scratch)) return GH_CODE_UNAUTHENTICATED;
    node = gh_tape_get_lit(tape, 0, "exp");
    if (node == GH_TAPE_NONE || gh_tape_double(tape, node, &exp) != GH_OK)
        return GH_CODE_UNAUTHENTICATED;
    if (exp + (double)leeway_s < (double)now_s) {
        *ret_reason = "token expired";
        return GH_CODE_UNAUTHENTICATED;
    }
    return GH_CODE_OK;
}
