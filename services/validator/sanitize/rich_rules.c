/* What rich text may be made of. Nothing outside these tables can be allowed by a policy. */
#include "sanitize/rich_internal.h"

#include <string.h>

const struct rich_tag rich_tags[] = {
    { GUMBO_TAG_A, "a", RICH_DEFAULT },
    { GUMBO_TAG_ABBR, "abbr", RICH_DEFAULT },
    { GUMBO_TAG_B, "b", RICH_DEFAULT },
    { GUMBO_TAG_BLOCKQUOTE, "blockquote", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_BR, "br", RICH_VOID | RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_CITE, "cite", RICH_DEFAULT },
    { GUMBO_TAG_CODE, "code", RICH_DEFAULT },
    { GUMBO_TAG_DD, "dd", RICH_BLOCK },
    { GUMBO_TAG_DEL, "del", RICH_DEFAULT },
    { GUMBO_TAG_DFN, "dfn", 0 },
    { GUMBO_TAG_DIV, "div", RICH_BLOCK },
    { GUMBO_TAG_DL, "dl", RICH_BLOCK },
    { GUMBO_TAG_DT, "dt", RICH_BLOCK },
    { GUMBO_TAG_EM, "em", RICH_DEFAULT },
    { GUMBO_TAG_FIGCAPTION, "figcaption", RICH_BLOCK },
    { GUMBO_TAG_FIGURE, "figure", RICH_BLOCK },
    { GUMBO_TAG_H1, "h1", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_H2, "h2", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_H3, "h3", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_H4, "h4", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_H5, "h5", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_H6, "h6", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_HR, "hr", RICH_VOID | RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_I, "i", RICH_DEFAULT },
    { GUMBO_TAG_IMG, "img", RICH_VOID },
    { GUMBO_TAG_INS, "ins", RICH_DEFAULT },
    { GUMBO_TAG_KBD, "kbd", RICH_DEFAULT },
    { GUMBO_TAG_LI, "li", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_MARK, "mark", RICH_DEFAULT },
    { GUMBO_TAG_OL, "ol", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_P, "p", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_PRE, "pre", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_Q, "q", RICH_DEFAULT },
    { GUMBO_TAG_S, "s", RICH_DEFAULT },
    { GUMBO_TAG_SAMP, "samp", RICH_DEFAULT },
    { GUMBO_TAG_SMALL, "small", RICH_DEFAULT },
    { GUMBO_TAG_SPAN, "span", RICH_DEFAULT },
    { GUMBO_TAG_STRONG, "strong", RICH_DEFAULT },
    { GUMBO_TAG_SUB, "sub", RICH_DEFAULT },
    { GUMBO_TAG_SUP, "sup", RICH_DEFAULT },
    { GUMBO_TAG_TABLE, "table", RICH_BLOCK },
    { GUMBO_TAG_TBODY, "tbody", RICH_BLOCK },
    { GUMBO_TAG_TD, "td", 0 },
    { GUMBO_TAG_TFOOT, "tfoot", RICH_BLOCK },
    { GUMBO_TAG_TH, "th", 0 },
    { GUMBO_TAG_THEAD, "thead", RICH_BLOCK },
    { GUMBO_TAG_TR, "tr", RICH_BLOCK },
    { GUMBO_TAG_U, "u", RICH_DEFAULT },
    { GUMBO_TAG_UL, "ul", RICH_BLOCK | RICH_DEFAULT },
    { GUMBO_TAG_VAR, "var", 0 },
    { GUMBO_TAG_WBR, "wbr", RICH_VOID },
};
const unsigned rich_tags_count = sizeof rich_tags / sizeof rich_tags[0];
_Static_assert(sizeof rich_tags / sizeof rich_tags[0] <= 64, "a bit each");

/* href and the like only on the elements they are made for. */
const struct rich_attr rich_attrs[] = {
    { "href", GUMBO_TAG_A, RICH_URL | RICH_DEFAULT },
    { "src", GUMBO_TAG_IMG, RICH_URL },
    { "cite", GUMBO_TAG_BLOCKQUOTE, RICH_URL },
    { "alt", GUMBO_TAG_IMG, RICH_DEFAULT },
    { "title", GUMBO_TAG_LAST, RICH_DEFAULT },
    { "width", GUMBO_TAG_IMG, RICH_NUMBER },
    { "height", GUMBO_TAG_IMG, RICH_NUMBER },
    { "colspan", GUMBO_TAG_LAST, RICH_NUMBER },
    { "rowspan", GUMBO_TAG_LAST, RICH_NUMBER },
    { "start", GUMBO_TAG_OL, RICH_NUMBER | RICH_DEFAULT },
    { "lang", GUMBO_TAG_LAST, RICH_WORD | RICH_DEFAULT },
    { "dir", GUMBO_TAG_LAST, RICH_WORD | RICH_DEFAULT },
    { "datetime", GUMBO_TAG_LAST, RICH_WORD },
};
const unsigned rich_attrs_count = sizeof rich_attrs / sizeof rich_attrs[0];
_Static_assert(sizeof rich_attrs / sizeof rich_attrs[0] <= 32, "a bit each");

void rich_rules_init(struct rich_rules *rules)
{
    *rules = (struct rich_rules){ .schemes = { "http", "https", "mailto", NULL },
                                  .max_bytes = RICH_MAX_BYTES,
                                  .max_tags = RICH_MAX_TAGS };
    for (unsigned i = 0; i < rich_tags_count; i++)
        if (rich_tags[i].flags & RICH_DEFAULT) rules->tags |= (uint64_t)1 << i;
    for (unsigned i = 0; i < rich_attrs_count; i++)
        if (rich_attrs[i].flags & RICH_DEFAULT) rules->attrs |= 1u << i;
}

uint64_t rich_tag_bit(const char *name)
{
    for (unsigned i = 0; i < rich_tags_count; i++)
        if (strcmp(rich_tags[i].name, name) == 0) return (uint64_t)1 << i;
    return 0;
}

uint32_t rich_attr_bit(const char *name)
{
    for (unsigned i = 0; i < rich_attrs_count; i++)
        if (strcmp(rich_attrs[i].name, name) == 0) return 1u << i;
    return 0;
}
