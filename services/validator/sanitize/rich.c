#include "sanitize/rich_internal.h"

#include "common/json/utf8.h"
#include "sanitize/markup.h"
#include "sanitize/name.h"
#include "sanitize/unicode.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* Gumbo's memory for one text: enough for any honest one, see tests/test_rich.c. */
#define WORK_BASE_BYTES (128u << 10)
#define WORK_PER_BYTE   96u
#define ALIGN           16u
#define CLEAN_MAX_BYTES (1u << 20)

struct rich {
    char *arena;
    size_t size, used;
    uint32_t tags; /* in this message */
    jmp_buf refused;
    struct unicode unicode;
    struct gh_buf clean;
    int16_t row[GUMBO_TAG_LAST + 1]; /* of rich_tags; -1 none */
};

/* --- memory ----------------------------------------------------------------------------------- */

/* Gumbo does not look for NULL, so running out leaves the parse as a whole. Nothing is lost: all it
 * had is in the arena. */
static void *arena_alloc(void *ctx, size_t size)
{
    struct rich *rich = ctx;
    size_t need = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    void *at;

    if (need < size || need > rich->size - rich->used) longjmp(rich->refused, 1);
    at = rich->arena + rich->used;
    rich->used += need;
    return at;
}

static void arena_free(void *ctx, void *at)
{
    (void)ctx;
    (void)at;
}

static bool arena_fit(struct rich *rich, size_t len)
{
    size_t size = WORK_BASE_BYTES + len * WORK_PER_BYTE;
    char *arena;

    rich->used = 0;
    if (size <= rich->size) return true;
    arena = malloc(size);
    if (arena == NULL) return false;
    free(rich->arena);
    rich->arena = arena;
    rich->size = size;
    return true;
}

enum gh_err rich_new(struct rich **ret_rich)
{
    struct rich *rich = calloc(1, sizeof *rich);

    if (rich == NULL) return GH_ERR_NOMEM;
    unicode_init();
    gh_buf_init(&rich->clean, CLEAN_MAX_BYTES);
    memset(rich->row, -1, sizeof rich->row);
    for (unsigned i = 0; i < rich_tags_count; i++)
        rich->row[rich_tags[i].tag] = (int16_t)i;
    *ret_rich = rich;
    return GH_OK;
}

void rich_begin(struct rich *rich)
{
    rich->tags = 0;
}

void rich_free(struct rich *rich)
{
    if (rich == NULL) return;
    unicode_done(&rich->unicode);
    gh_buf_done(&rich->clean);
    free(rich->arena);
    free(rich);
}

/* --- writing ---------------------------------------------------------------------------------- */

struct writing {
    struct rich *rich;
    const struct rich_rules *rules; /* NULL: text only */
    struct gh_buf *out;
    size_t start;
    unsigned depth;
    enum gh_err err;
};

static void put(struct writing *w, const char *text)
{
    if (w->err == GH_OK) w->err = gh_buf_append(w->out, text, strlen(text));
}

/* What references resolved to may be anything. Points *text at the canonical form. */
static void make_clean(struct writing *w, const char **text, size_t *len)
{
    struct rich *rich = w->rich;

    if ((markup_scan(*text, *len) & (MARKUP_CONTROL | MARKUP_HIGH)) == 0) return;
    if (!gh_utf8_valid(*text, *len)) { /* a reference past 2^31 wraps around in Gumbo 0.10 */
        w->err = GH_ERR_BAD_MESSAGE;
        return;
    }
    gh_buf_reset(&rich->clean);
    switch (unicode_clean(&rich->unicode, *text, *len, &rich->clean, NULL)) {
    case UNICODE_SAME: return;
    case UNICODE_CHANGED:
        *text = rich->clean.data;
        *len = rich->clean.len;
        return;
    case UNICODE_MARKS: w->err = GH_ERR_LIMIT; return;
    case UNICODE_NOMEM: w->err = GH_ERR_NOMEM; return;
    }
}

static void put_line(struct writing *w)
{
    if (w->out->len > w->start && w->out->data[w->out->len - 1] != '\n') put(w, "\n");
}

/* Their content is no prose: it goes with them. */
static bool is_dropped_whole(const GumboElement *element)
{
    if (element->tag_namespace != GUMBO_NAMESPACE_HTML) return true;
    switch (element->tag) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_TEMPLATE:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_NOEMBED:
    case GUMBO_TAG_NOFRAMES:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_APPLET:
    case GUMBO_TAG_TITLE:
    case GUMBO_TAG_TEXTAREA:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_XMP:
    case GUMBO_TAG_PLAINTEXT:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO: return true;
    default: return false;
    }
}

static bool value_within(const char *value, unsigned flags)
{
    size_t len = strlen(value);

    if (flags & RICH_NUMBER) return len >= 1 && len <= 4 && strspn(value, "0123456789") == len;
    if (flags & RICH_WORD)
        return len <= 40 && strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                          "0123456789-:.+") == len;
    return true;
}

static bool url_allowed(const struct rich_rules *rules, const char *url)
{
    char scheme[32];
    size_t n = name_url_scheme(url, strlen(url), scheme);

    if (n == SIZE_MAX || strlen(url) > URL_MAX_BYTES) return false;
    if (n == 0) return rules->relative_urls;
    for (const char *const *s = rules->schemes; *s != NULL; s++)
        if (strcmp(*s, scheme) == 0) return true;
    return false;
}

static bool put_attribute(struct writing *w, const GumboAttribute *given, GumboTag tag)
{
    const struct rich_attr *attr = NULL;
    const char *value = given->value;
    size_t len = strlen(value);

    if (given->attr_namespace != GUMBO_ATTR_NAMESPACE_NONE) return false;
    for (unsigned i = 0; i < rich_attrs_count && attr == NULL; i++)
        if ((w->rules->attrs >> i & 1) != 0 && strcmp(rich_attrs[i].name, given->name) == 0 &&
            (rich_attrs[i].on == GUMBO_TAG_LAST || rich_attrs[i].on == tag))
            attr = &rich_attrs[i];
    if (attr == NULL || !value_within(given->value, attr->flags)) return false;
    if ((attr->flags & RICH_URL) != 0 && !url_allowed(w->rules, given->value)) return false;
    put(w, " ");
    put(w, attr->name);
    put(w, "=\"");
    make_clean(w, &value, &len);
    if (w->err == GH_OK) w->err = markup_escape(value, len, w->out);
    put(w, "\"");
    return (attr->flags & RICH_URL) != 0;
}

static const struct rich_tag *allowed(const struct writing *w, const GumboElement *element)
{
    int row = w->rich->row[element->tag];

    if (row < 0 || w->rules == NULL || (w->rules->tags >> row & 1) == 0) return NULL;
    return &rich_tags[row];
}

static bool is_block(const struct writing *w, const GumboElement *element)
{
    int row = w->rich->row[element->tag];

    return row >= 0 && (rich_tags[row].flags & RICH_BLOCK) != 0;
}

static void open_element(struct writing *w, const GumboElement *element)
{
    const struct rich_tag *tag = allowed(w, element);
    bool linked = false;

    if (w->rules == NULL && is_block(w, element)) put_line(w);
    if (tag == NULL || w->depth > RICH_DEPTH_MAX) return;
    put(w, "<");
    put(w, tag->name);
    for (unsigned i = 0; i < element->attributes.length; i++)
        linked |= put_attribute(w, element->attributes.data[i], element->tag);
    if (linked && element->tag == GUMBO_TAG_A) put(w, " rel=\"nofollow noopener noreferrer\"");
    put(w, ">");
}

static void close_element(struct writing *w, const GumboElement *element)
{
    const struct rich_tag *tag = allowed(w, element);

    if (w->rules == NULL && is_block(w, element)) put_line(w);
    if (tag == NULL || (tag->flags & RICH_VOID) != 0 || w->depth > RICH_DEPTH_MAX) return;
    put(w, "</");
    put(w, tag->name);
    put(w, ">");
}

static void put_text(struct writing *w, const char *text)
{
    size_t len = strlen(text);

    make_clean(w, &text, &len);
    if (w->out->len > w->start && w->out->data[w->out->len - 1] == '>') {
        const char *end = text + len, *at = text;

        while (text < end && unicode_joins(unicode_next(&at)))
            text = at;
        len = (size_t)(end - text);
    }
    if (w->err != GH_OK) return;
    w->err =
        w->rules != NULL ? markup_escape_text(text, len, w->out) : markup_escape(text, len, w->out);
}

/* Opens what can be opened; true when its children are to be visited. */
static bool enter(struct writing *w, const GumboNode *node)
{
    switch (node->type) {
    case GUMBO_NODE_TEXT:
    case GUMBO_NODE_CDATA:
    case GUMBO_NODE_WHITESPACE: put_text(w, node->v.text.text); return false;
    case GUMBO_NODE_ELEMENT:
        if (is_dropped_whole(&node->v.element)) return false;
        w->depth++;
        open_element(w, &node->v.element);
        return true;
    default: return false;
    }
}

/* Without recursion: a tree may be as deep as the text is long. */
static void write_tree(struct writing *w, const GumboNode *root)
{
    const GumboNode *node = root;

    if (root->v.element.children.length == 0) return;
    node = root->v.element.children.data[0];
    while (w->err == GH_OK && node != root) {
        const GumboNode *parent;

        if (enter(w, node)) {
            if (node->v.element.children.length > 0) {
                node = node->v.element.children.data[0];
                continue;
            }
            close_element(w, &node->v.element);
            w->depth--;
        }
        while (node != root) {
            parent = node->parent;
            if (node->index_within_parent + 1 < parent->v.element.children.length) {
                node = parent->v.element.children.data[node->index_within_parent + 1];
                break;
            }
            node = parent;
            if (node == root) break;
            close_element(w, &node->v.element);
            w->depth--;
        }
    }
}

enum gh_err rich_clean(struct rich *rich, const struct rich_rules *rules, const char *html,
                       size_t len, struct gh_buf *out)
{
    GumboOptions options = kGumboDefaultOptions;
    struct writing w = { .rich = rich, .rules = rules, .out = out, .start = out->len };
    uint32_t max_tags = rules != NULL ? rules->max_tags : RICH_MAX_TAGS;

    if (len > (rules != NULL ? rules->max_bytes : RICH_MAX_BYTES)) return GH_ERR_LIMIT;
    /* A parse costs like some tags, even of a text that has none. */
    if (rich->tags++ >= max_tags || !rich_count_tags(html, len, max_tags, &rich->tags))
        return GH_ERR_LIMIT;
    if (!arena_fit(rich, len)) return GH_ERR_NOMEM;
    options.allocator = arena_alloc;
    options.deallocator = arena_free;
    options.userdata = rich;
    options.max_errors = 0;
    options.fragment_context = GUMBO_TAG_DIV;
    if (setjmp(rich->refused) != 0) return GH_ERR_LIMIT;

    const GumboOutput *output = gumbo_parse_with_options(&options, html, len);

    write_tree(&w, output->root);
    if (w.err == GH_OK && rules == NULL) /* the line after the last block */
        while (out->len > w.start && out->data[out->len - 1] == '\n')
            out->len--;
    if (w.err != GH_OK) out->len = w.start;
    return w.err;
}
