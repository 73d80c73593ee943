/*
 * rich - HTML from strangers, read as a browser reads it and written anew from an allow-list.
 *
 * The text is parsed by Gumbo (the HTML5 algorithm) as the inside of a <div>; what is written is
 * only elements and attributes of the list, in well-formed nesting, every attribute quoted, every
 * text escaped. Elements that are not allowed vanish and their text stays, but for those whose
 * text is no prose (script, style, svg, template ...), which go whole. Comments go. href, src and
 * cite must have a scheme of the list; links get rel="nofollow noopener noreferrer".
 *
 * Parsing HTML can cost the square of its tags, and formatting elements multiply. So tags are
 * counted before Gumbo sees the text, over all rich texts of one message; a tag has at most
 * RICH_ATTRS_MAX attributes; and Gumbo works in an arena of bounded size. What is past a cap is
 * refused, never served. Nesting is written RICH_DEPTH_MAX deep; what is deeper loses its tags.
 *
 * Text and attribute values are made canonical (unicode.h) after their character references are
 * resolved, and none starts with a mark that would join the '>' before it when somebody normalises
 * the whole.
 */
#ifndef VALIDATOR_RICH_H
#define VALIDATOR_RICH_H

#include "common/json/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define RICH_DEPTH_MAX   48
#define RICH_SCHEMES_MAX 8
#define RICH_ATTRS_MAX   64
#define RICH_MAX_BYTES   (16u << 10) /* default cap of one rich string */
#define RICH_MAX_TAGS    400         /* default cap of one message */

/* What a policy allows: a bit for each row of the tables in rich_rules.c. */
struct rich_rules {
    uint64_t tags;
    uint32_t attrs;
    const char *schemes[RICH_SCHEMES_MAX + 1]; /* lower case, NULL-ended */
    bool relative_urls;
    uint32_t max_bytes;
    uint32_t max_tags;
};

/* Prose, headings, lists, quotes, code and links. */
void rich_rules_init(struct rich_rules *rules);

/* The bit of a name in a policy; 0: nothing that could ever be allowed. */
uint64_t rich_tag_bit(const char *name);
uint32_t rich_attr_bit(const char *name);

struct rich;
GH_NODISCARD enum gh_err rich_new(struct rich **ret_rich);
void rich_free(struct rich *rich);

void rich_begin(struct rich *rich); /* of a message */

/* html is valid UTF-8. Appends the clean HTML. rules NULL: no tags at all, only the escaped text,
 * blocks on lines of their own. Errors: GH_ERR_LIMIT (too long, or too much work: refuse the text);
 * GH_ERR_BAD_MESSAGE (a reference to no character: refuse it too); GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err rich_clean(struct rich *rich, const struct rich_rules *rules,
                                    const char *html, size_t len, struct gh_buf *out);

#endif
