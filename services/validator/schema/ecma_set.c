#include "validator/schema/ecma.h"

#include <string.h>
#include <unictype.h>

#define LAST            0x10FFFFu
#define FIRST_SURROGATE 0xD800u
#define LAST_SURROGATE  0xDFFFu

enum gh_err ecma_set_add(struct vec *set, uint32_t lo, uint32_t hi)
{
    struct ecma_range *range = vec_push(set);

    if (range == NULL) return GH_ERR_NOMEM;
    *range = (struct ecma_range){ lo, hi };
    return GH_OK;
}

static int compare(const void *a, const void *b)
{
    const struct ecma_range *ra = a;
    const struct ecma_range *rb = b;

    return (ra->lo > rb->lo) - (ra->lo < rb->lo);
}

void ecma_set_normalise(struct vec *set)
{
    struct ecma_range *r = set->data;
    uint32_t n = 0;

    if (set->n == 0) return;
    qsort(r, set->n, sizeof(*r), compare);
    for (uint32_t i = 0; i < set->n; i++) {
        struct ecma_range range = r[i];

        /* No UTF-8 text holds a surrogate: cut them off the ends so that what is left merges. */
        if (range.lo >= FIRST_SURROGATE && range.lo <= LAST_SURROGATE)
            range.lo = LAST_SURROGATE + 1;
        if (range.hi >= FIRST_SURROGATE && range.hi <= LAST_SURROGATE)
            range.hi = FIRST_SURROGATE - 1;
        if (range.lo > range.hi) continue;
        if (n > 0 && range.lo <= r[n - 1].hi + 1) {
            if (range.hi > r[n - 1].hi) r[n - 1].hi = range.hi;
        } else {
            r[n++] = range;
        }
    }
    set->n = n;
}

enum gh_err ecma_set_complement(struct vec *set)
{
    struct vec out = VEC_INIT(struct ecma_range);
    uint32_t from = 0;
    enum gh_err err = GH_OK;

    ecma_set_normalise(set);
    for (uint32_t i = 0; i < set->n && err == GH_OK; i++) {
        struct ecma_range r = *VEC_AT(set, struct ecma_range, i);

        if (r.lo > from) err = ecma_set_add(&out, from, r.lo - 1);
        from = r.hi + 1;
    }
    if (err == GH_OK && from <= LAST) err = ecma_set_add(&out, from, LAST);
    if (err != GH_OK) {
        vec_done(&out);
        return err;
    }
    ecma_set_normalise(&out);
    vec_done(set);
    *set = out;
    return GH_OK;
}

static enum gh_err append(struct vec *set, const struct vec *more)
{
    if (more->n == 0) return GH_OK;

    void *to = vec_push_n(set, more->n);

    if (to == NULL) return GH_ERR_NOMEM;
    memcpy(to, more->data, more->n * sizeof(struct ecma_range));
    return GH_OK;
}

enum gh_err ecma_set_add_class(struct vec *set, char class_letter)
{
    static const struct ecma_range digits[] = { { '0', '9' } };
    static const struct ecma_range words[] = {
        { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' }
    };
    static const struct ecma_range spaces[] = {
        { 0x09, 0x0D },     { 0x20, 0x20 },     { 0xA0, 0xA0 },     { 0x1680, 0x1680 },
        { 0x2000, 0x200A }, { 0x2028, 0x2029 }, { 0x202F, 0x202F }, { 0x205F, 0x205F },
        { 0x3000, 0x3000 }, { 0xFEFF, 0xFEFF },
    };
    struct vec one = VEC_INIT(struct ecma_range);
    const struct ecma_range *from = digits;
    size_t n = 1;
    enum gh_err err = GH_OK;

    if (class_letter == 'w' || class_letter == 'W') {
        from = words;
        n = sizeof(words) / sizeof(words[0]);
    } else if (class_letter == 's' || class_letter == 'S') {
        from = spaces;
        n = sizeof(spaces) / sizeof(spaces[0]);
    }
    for (size_t i = 0; i < n && err == GH_OK; i++)
        err = ecma_set_add(&one, from[i].lo, from[i].hi);
    if (err == GH_OK && class_letter < 'a') err = ecma_set_complement(&one);
    if (err == GH_OK) err = append(set, &one);
    vec_done(&one);
    return err;
}

/* ---- Unicode properties ---- */

static const struct {
    const char *name, *alias;
    const char *category;
} categories[] = {
    { "Letter", NULL, "L" },
    { "Cased_Letter", NULL, "LC" },
    { "Uppercase_Letter", NULL, "Lu" },
    { "Lowercase_Letter", NULL, "Ll" },
    { "Titlecase_Letter", NULL, "Lt" },
    { "Modifier_Letter", NULL, "Lm" },
    { "Other_Letter", NULL, "Lo" },
    { "Mark", "Combining_Mark", "M" },
    { "Nonspacing_Mark", NULL, "Mn" },
    { "Spacing_Mark", NULL, "Mc" },
    { "Enclosing_Mark", NULL, "Me" },
    { "Number", NULL, "N" },
    { "Decimal_Number", "digit", "Nd" },
    { "Letter_Number", NULL, "Nl" },
    { "Other_Number", NULL, "No" },
    { "Punctuation", "punct", "P" },
    { "Connector_Punctuation", NULL, "Pc" },
    { "Dash_Punctuation", NULL, "Pd" },
    { "Open_Punctuation", NULL, "Ps" },
    { "Close_Punctuation", NULL, "Pe" },
    { "Initial_Punctuation", NULL, "Pi" },
    { "Final_Punctuation", NULL, "Pf" },
    { "Other_Punctuation", NULL, "Po" },
    { "Symbol", NULL, "S" },
    { "Math_Symbol", NULL, "Sm" },
    { "Currency_Symbol", NULL, "Sc" },
    { "Modifier_Symbol", NULL, "Sk" },
    { "Other_Symbol", NULL, "So" },
    { "Separator", NULL, "Z" },
    { "Space_Separator", NULL, "Zs" },
    { "Line_Separator", NULL, "Zl" },
    { "Paragraph_Separator", NULL, "Zp" },
    { "Other", NULL, "C" },
    { "Control", "cntrl", "Cc" },
    { "Format", NULL, "Cf" },
    { "Surrogate", NULL, "Cs" },
    { "Private_Use", NULL, "Co" },
    { "Unassigned", NULL, "Cn" },
};

struct property {
    uc_general_category_t category;
    bool by_category;
    bool not_category; /* Assigned */
    const uc_script_t *script;
    uc_property_t property;
    uint32_t last; /* Any, ASCII: all up to here; else 0 */
};

static bool find_category(const char *name, struct property *p)
{
    for (size_t i = 0; i < sizeof(categories) / sizeof(categories[0]); i++)
        if (strcmp(name, categories[i].name) == 0 || strcmp(name, categories[i].category) == 0 ||
            (categories[i].alias != NULL && strcmp(name, categories[i].alias) == 0)) {
            p->category = uc_general_category_byname(categories[i].category);
            p->by_category = true;
            return true;
        }
    return false;
}

/* The binary properties ECMA-262 lists that libunistring knows; its own extras are not offered. */
static bool find_binary(const char *name, struct property *p)
{
    static const char *const names[] = {
        "ASCII_Hex_Digit",
        "Alphabetic",
        "Bidi_Control",
        "Bidi_Mirrored",
        "Case_Ignorable",
        "Cased",
        "Changes_When_Casefolded",
        "Changes_When_Casemapped",
        "Changes_When_Lowercased",
        "Changes_When_Titlecased",
        "Changes_When_Uppercased",
        "Dash",
        "Default_Ignorable_Code_Point",
        "Deprecated",
        "Diacritic",
        "Emoji",
        "Emoji_Component",
        "Emoji_Modifier",
        "Emoji_Modifier_Base",
        "Emoji_Presentation",
        "Extended_Pictographic",
        "Extender",
        "Grapheme_Base",
        "Grapheme_Extend",
        "Hex_Digit",
        "IDS_Binary_Operator",
        "IDS_Trinary_Operator",
        "ID_Continue",
        "ID_Start",
        "Ideographic",
        "Join_Control",
        "Logical_Order_Exception",
        "Lowercase",
        "Math",
        "Noncharacter_Code_Point",
        "Pattern_Syntax",
        "Pattern_White_Space",
        "Quotation_Mark",
        "Radical",
        "Regional_Indicator",
        "Sentence_Terminal",
        "Soft_Dotted",
        "Terminal_Punctuation",
        "Unified_Ideograph",
        "Uppercase",
        "Variation_Selector",
        "White_Space",
        "XID_Continue",
        "XID_Start",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0) {
            p->property = uc_property_byname(name);
            return uc_property_is_valid(p->property);
        }
    return false;
}

static bool find_property(const char *name, struct property *p)
{
    const char *value = strchr(name, '=');

    if (value != NULL) {
        size_t n = (size_t)(value++ - name);

        if ((n == 2 && strncmp(name, "gc", n) == 0) ||
            (n == 16 && strncmp(name, "General_Category", n) == 0))
            return find_category(value, p);
        if ((n == 2 && strncmp(name, "sc", n) == 0) || (n == 6 && strncmp(name, "Script", n) == 0))
            p->script = uc_script_byname(value);
        return p->script != NULL;
    }
    if (strcmp(name, "Any") == 0 || strcmp(name, "ASCII") == 0) {
        p->last = name[1] == 'n' ? LAST : 0x7F;
        return true;
    }
    if (strcmp(name, "Assigned") == 0) {
        p->not_category = true;
        name = "Cn";
    }
    return find_category(name, p) || find_binary(name, p);
}

static bool has_property(uint32_t c, const struct property *p)
{
    if (p->last != 0) return c <= p->last;
    if (p->by_category) return uc_is_general_category(c, p->category) != p->not_category;
    if (p->script != NULL) return uc_script(c) == p->script;
    return uc_is_property(c, p->property);
}

/* In the planes 4 to 13 (unassigned), 15 and 16 (private use) all but the last two code points are
 * alike: the last of those that are like c. Looking at each would be most of a policy's load. */
static uint32_t last_alike(uint32_t c)
{
    uint32_t plane = c >> 16;

    if ((c & 0xFFFF) != 0 || plane < 4 || plane == 14 || plane > 16) return c;
    return c + 0xFFFD;
}

enum gh_err ecma_set_add_property(struct vec *set, const char *name, size_t len, bool complement)
{
    struct vec one = VEC_INIT(struct ecma_range);
    struct property p = { 0 };
    char text[64];
    uint32_t from = 0;
    bool in = false;
    enum gh_err err = GH_OK;

    if (len >= sizeof(text) || memchr(name, '\0', len) != NULL) return GH_ERR_NOT_FOUND;
    memcpy(text, name, len);
    text[len] = '\0';
    if (!find_property(text, &p)) return GH_ERR_NOT_FOUND;
    for (uint32_t c = 0; c <= LAST + 1 && err == GH_OK; c++) {
        bool now = c <= LAST && has_property(c, &p);

        if (now && !in) from = c;
        if (!now && in) err = ecma_set_add(&one, from, c - 1);
        in = now;
        c = last_alike(c);
    }
    if (err == GH_OK && complement) err = ecma_set_complement(&one);
    if (err == GH_OK) err = append(set, &one);
    vec_done(&one);
    return err;
}
