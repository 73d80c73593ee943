/*
 * text - one decoded string, sanitized as the policy says.
 *
 *   reject     refuse what escape would change
 *   escape     & < > " ' as character references (the default)
 *   strip      tags and comments go, as a browser would see them; what is left is escaped
 *   rich       allow-listed HTML (rich.h)
 *   plain      only normalised: for applications that escape where they write
 *   filename, path, url   checked (name.h), never changed but for NFC
 *
 * Every mode first makes the text canonical (unicode.h): NFC, deceptive characters out.
 */
#ifndef VALIDATOR_TEXT_H
#define VALIDATOR_TEXT_H

#include "sanitize/rich.h"
#include "sanitize/unicode.h"

#define TEXT_MODE_LIST(X)                                                                          \
    X(TEXT_ESCAPE, "escape")                                                                       \
    X(TEXT_REJECT, "reject")                                                                       \
    X(TEXT_STRIP, "strip")                                                                         \
    X(TEXT_RICH, "rich")                                                                           \
    X(TEXT_PLAIN, "plain")                                                                         \
    X(TEXT_FILENAME, "filename")                                                                   \
    X(TEXT_PATH, "path")                                                                           \
    X(TEXT_URL, "url")
#define TEXT_MODE_ENUM(sym, name) sym,
enum text_mode { TEXT_MODE_LIST(TEXT_MODE_ENUM) TEXT_MODE_COUNT };

extern const char *const text_mode_names[]; /* NULL-ended, in order */

struct text; /* one owner's memory */
GH_NODISCARD enum gh_err text_new(struct text **ret_text);
void text_free(struct text *text);

void text_begin(struct text *text); /* of a message: its budget of markup is full again */

enum text_result {
    TEXT_SAME,    /* as it was */
    TEXT_CHANGED, /* *ret_out, *ret_len: until the next call */
    TEXT_REFUSED, /* *ret_rule, static */
};

/* `in` is valid UTF-8. */
enum text_result text_sanitize(struct text *text, enum text_mode mode,
                               const struct rich_rules *rules, const char *in, size_t len,
                               const char **ret_out, size_t *ret_len, const char **ret_rule);

#endif
