#include "sanitize/text.h"

#include "sanitize/markup.h"
#include "sanitize/name.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MAX_BYTES (8u << 20)

#define TEXT_MODE_NAME(sym, name) name,
const char *const text_mode_names[] = { TEXT_MODE_LIST(TEXT_MODE_NAME) NULL };

struct text {
    struct unicode unicode;
    struct gh_buf clean; /* canonical */
    struct gh_buf out;
    struct gh_buf scratch;
    struct rich *rich;
};

/* What the steps hand on. */
struct piece {
    const char *text;
    size_t len;
    unsigned kinds; /* MARKUP_* */
    bool dropped;   /* deceptive characters went */
    const char *rule;
};

enum gh_err text_new(struct text **ret_text)
{
    struct text *text = calloc(1, sizeof *text);
    enum gh_err err;

    if (text == NULL) return GH_ERR_NOMEM;
    unicode_init();
    gh_buf_init(&text->clean, OUT_MAX_BYTES);
    gh_buf_init(&text->out, OUT_MAX_BYTES);
    gh_buf_init(&text->scratch, OUT_MAX_BYTES);
    err = rich_new(&text->rich);
    if (err != GH_OK) {
        text_free(text);
        return err;
    }
    *ret_text = text;
    return GH_OK;
}

void text_free(struct text *text)
{
    if (text == NULL) return;
    unicode_done(&text->unicode);
    gh_buf_done(&text->clean);
    gh_buf_done(&text->out);
    gh_buf_done(&text->scratch);
    rich_free(text->rich);
    free(text);
}

void text_begin(struct text *text)
{
    rich_begin(text->rich);
}

static enum text_result refuse(struct piece *piece, const char *rule)
{
    piece->rule = rule;
    return TEXT_REFUSED;
}

static enum text_result canonical(struct text *text, struct piece *piece)
{
    if ((piece->kinds & (MARKUP_CONTROL | MARKUP_HIGH)) == 0) return TEXT_SAME;
    gh_buf_reset(&text->clean);
    switch (unicode_clean(&text->unicode, piece->text, piece->len, &text->clean, &piece->dropped)) {
    case UNICODE_SAME: return TEXT_SAME;
    case UNICODE_MARKS: return refuse(piece, "text: too many combining marks in a row");
    case UNICODE_NOMEM: return refuse(piece, "text: out of memory");
    case UNICODE_CHANGED: break;
    }
    piece->text = text->clean.data;
    piece->len = text->clean.len;
    return TEXT_CHANGED;
}

static enum text_result take_out(struct text *text, struct piece *piece, enum gh_err err)
{
    if (err == GH_ERR_BAD_MESSAGE)
        return refuse(piece, "text: a character reference to no character");
    if (err != GH_OK)
        return refuse(piece, err == GH_ERR_LIMIT ? "text: too long or too entangled for markup"
                                                 : "text: out of memory");
    piece->text = text->out.data;
    piece->len = text->out.len;
    return TEXT_CHANGED;
}

static enum text_result apply_rich(struct text *text, const struct rich_rules *rules,
                                   struct piece *piece)
{
    gh_buf_reset(&text->out);
    if (memchr(piece->text, '<', piece->len) != NULL ||
        memchr(piece->text, '&', piece->len) != NULL)
        return take_out(text, piece,
                        rich_clean(text->rich, rules, piece->text, piece->len, &text->out));
    if (rules == NULL)
        return take_out(text, piece, markup_escape(piece->text, piece->len, &text->out));
    if (memchr(piece->text, '>', piece->len) == NULL) return TEXT_SAME;
    return take_out(text, piece, markup_escape_text(piece->text, piece->len, &text->out));
}

static enum text_result apply(struct text *text, enum text_mode mode,
                              const struct rich_rules *rules, struct piece *piece)
{
    static const char *const no_schemes[] = { "https", "http", NULL };
    bool html = (piece->kinds & MARKUP_HTML) != 0;
    const char *rule = NULL;

    switch (mode) {
    case TEXT_PLAIN: return TEXT_SAME;
    case TEXT_REJECT:
        if (html) return refuse(piece, "text: markup is not allowed here");
        return piece->dropped ? refuse(piece, "text: control or bidi character") : TEXT_SAME;
    case TEXT_ESCAPE:
        if (!html) return TEXT_SAME;
        gh_buf_reset(&text->out);
        return take_out(text, piece, markup_escape(piece->text, piece->len, &text->out));
    case TEXT_STRIP: return html ? apply_rich(text, NULL, piece) : TEXT_SAME;
    case TEXT_RICH: return html ? apply_rich(text, rules, piece) : TEXT_SAME;
    case TEXT_FILENAME:
        rule = name_check_file(&text->unicode, &text->scratch, piece->text, piece->len);
        break;
    case TEXT_PATH:
        rule = name_check_path(&text->unicode, &text->scratch, piece->text, piece->len);
        break;
    case TEXT_URL:
        rule = name_check_url(piece->text, piece->len, rules != NULL ? rules->schemes : no_schemes);
        break;
    case TEXT_MODE_COUNT: return refuse(piece, "text: no such mode");
    }
    if (rule == NULL && piece->dropped) rule = "text: control or bidi character";
    return rule != NULL ? refuse(piece, rule) : TEXT_SAME;
}

enum text_result text_sanitize(struct text *text, enum text_mode mode,
                               const struct rich_rules *rules, const char *in, size_t len,
                               const char **ret_out, size_t *ret_len, const char **ret_rule)
{
    struct piece piece = { .text = in, .len = len, .kinds = markup_scan(in, len) };
    enum text_result first = TEXT_SAME, second;

    if (piece.kinds == 0 && mode < TEXT_FILENAME) return TEXT_SAME;
    if (mode == TEXT_FILENAME || mode == TEXT_PATH) {
        /* The tricks are judged before they could be taken out. */
        second = apply(text, mode, rules, &piece);
        if (second == TEXT_REFUSED) goto refused;
    }
    first = canonical(text, &piece);
    second = first == TEXT_REFUSED ? first : apply(text, mode, rules, &piece);
    if (second == TEXT_REFUSED) goto refused;
    if (first == TEXT_SAME && second == TEXT_SAME) return TEXT_SAME;
    *ret_out = piece.text;
    *ret_len = piece.len;
    return TEXT_CHANGED;
refused:
    *ret_rule = piece.rule;
    return TEXT_REFUSED;
}
