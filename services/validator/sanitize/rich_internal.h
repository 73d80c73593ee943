/*
 * rich_internal - the tables rich.c writes by.
 */
#ifndef VALIDATOR_RICH_INTERNAL_H
#define VALIDATOR_RICH_INTERNAL_H

#include "sanitize/rich.h"

#include <gumbo.h>

#define RICH_DEFAULT 0x01u
#define RICH_VOID    0x02u /* no content, no end tag */
#define RICH_BLOCK   0x04u /* stands on lines of its own when only text is written */
#define RICH_URL     0x08u /* the value's scheme is checked */
#define RICH_NUMBER  0x10u /* 1 to 4 digits */
#define RICH_WORD    0x20u /* up to 40 of A-Z a-z 0-9 - : . + */

struct rich_tag {
    GumboTag tag;
    const char *name;
    unsigned flags;
};

struct rich_attr {
    const char *name;
    GumboTag on; /* GUMBO_TAG_LAST: any */
    unsigned flags;
};

/* Adds the tags in html to *count, seeing a tag wherever Gumbo might. False: one has more than
 * RICH_ATTRS_MAX attributes, or there are more than max tags. */
bool rich_count_tags(const char *html, size_t len, uint32_t max, uint32_t *count);

extern const struct rich_tag rich_tags[];
extern const unsigned rich_tags_count;
extern const struct rich_attr rich_attrs[];
extern const unsigned rich_attrs_count;

#endif
