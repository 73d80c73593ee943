#include "forwarded.h"

#include <string.h>
#include <strings.h>

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". */
static bool parse_node(struct span node, struct addr *ret_addr)
{
    const char *colon;

    if (node.len > 1 && node.data[0] == '[') {
        const char *close = memchr(node.data, ']', node.len);

        if (close == NULL) return false;
        return addr_parse(node.data + 1, (size_t)(close - node.data) - 1, ret_addr) == GH_OK;
    }
    if (addr_parse(node.data, node.len, ret_addr) == GH_OK) return true;
    colon = memchr(node.data, ':', node.len);
    return colon != NULL && addr_parse(node.data, (size_t)(colon - node.data), ret_addr) == GH_OK;
}

static bool is_trusted(const struct addr *addr, const struct cidr *trusted, size_t n_trusted)
{
    for (size_t i = 0; i < n_trusted; i++)
        if (cidr_contains(&trusted[i], addr)) return true;
    return false;
}

/* Takes the last element off. */
static bool last_item(struct span *list, struct span *ret_item)
{
    size_t at = list->len;

    if (list->data == NULL) return false;
    while (at > 0 && list->data[at - 1] != ',')
        at--;
    *ret_item = span_trim((struct span){ list->data + at, list->len - at });
    if (at == 0)
        *list = (struct span){ NULL, 0 };
    else
        list->len = at - 1;
    return true;
}

/* The node of one Forwarded element: its `for` parameter, without quotes. */
static bool forwarded_for(struct span element, struct span *ret_node)
{
    struct span param;

    while (span_next_item(&element, ';', &param)) {
        struct span node;

        if (param.len < 4 || strncasecmp(param.data, "for=", 4) != 0) continue;
        node = (struct span){ param.data + 4, param.len - 4 };
        if (node.len >= 2 && node.data[0] == '"' && node.data[node.len - 1] == '"') {
            node.data++;
            node.len -= 2;
        }
        *ret_node = node;
        return true;
    }
    return false;
}

static enum forwarded_result walk(struct span list, bool rfc7239, const struct cidr *trusted,
                                  size_t n_trusted, struct addr *ret_addr)
{
    struct span item;
    struct addr addr;
    bool any = false;

    while (last_item(&list, &item)) {
        if (item.len == 0) continue;
        if (rfc7239 && !forwarded_for(item, &item)) return FORWARDED_BAD;
        if (!parse_node(item, &addr)) return FORWARDED_BAD;
        any = true;
        *ret_addr = addr;
        if (!is_trusted(&addr, trusted, n_trusted)) break;
    }
    return any ? FORWARDED_OK : FORWARDED_NONE;
}

enum forwarded_result forwarded_xff(struct span header, const struct cidr *trusted,
                                    size_t n_trusted, struct addr *ret_addr)
{
    return walk(header, false, trusted, n_trusted, ret_addr);
}

enum forwarded_result forwarded_rfc7239(struct span header, const struct cidr *trusted,
                                        size_t n_trusted, struct addr *ret_addr)
{
    return walk(header, true, trusted, n_trusted, ret_addr);
}
