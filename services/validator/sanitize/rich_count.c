/* How much work a text would be for an HTML parser, told without parsing it.
 *
 * Where a parser sees a tag depends on all before it (comments, scripts, foreign elements), so
 * every place that could be one is counted as one: never too few. From each, attributes are told
 * apart as the HTML tokenizer does. */
#include "sanitize/rich_internal.h"

#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* Attributes of the tag whose name starts at `at`; stops counting past RICH_ATTRS_MAX. */
static unsigned count_attributes(const char *at, const char *end)
{
    unsigned count = 0;

    while (at < end && !is_space(*at) && *at != '/' && *at != '>')
        at++; /* the name */
    while (at < end && *at != '>' && count <= RICH_ATTRS_MAX) {
        if (is_space(*at) || *at == '/') {
            at++;
            continue;
        }
        count++;
        at++; /* a name may start with '=' */
        while (at < end && !is_space(*at) && *at != '/' && *at != '>' && *at != '=')
            at++;
        while (at < end && is_space(*at))
            at++;
        if (at == end || *at != '=') continue;
        at++;
        while (at < end && is_space(*at))
            at++;
        if (at == end) break;
        if (*at == '"' || *at == '\'') {
            at = memchr(at + 1, *at, (size_t)(end - at - 1));
            if (at == NULL) break;
            at++;
        } else {
            while (at < end && !is_space(*at) && *at != '>')
                at++;
        }
    }
    return count;
}

bool rich_count_tags(const char *html, size_t len, uint32_t max, uint32_t *count)
{
    const char *at = html, *end = html + len;

    while ((at = memchr(at, '<', (size_t)(end - at))) != NULL) {
        at++;
        if (at < end && *at == '/') at++;
        if (at == end || !is_letter(*at)) continue;
        if (++*count > max || count_attributes(at, end) > RICH_ATTRS_MAX) return false;
    }
    return true;
}
