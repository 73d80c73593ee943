/*
 * writer - canonical JSON from a tape, with the changes a sanitizer asked for.
 *
 * Canonical: no insignificant white space, members in source order, strings decoded and written
 * anew with the fewest escapes (\" \\ \b \f \n \r \t, \u00xx for the other control characters,
 * UTF-8 for all else), numbers as their source text. Without edits the output is never longer than
 * the source. Writing a parsed output again gives the same bytes.
 *
 * What is known from the parse to be canonical already is copied in one piece; that is decided per
 * subtree, so an edit in one string does not slow the rest.
 */
#ifndef GH_JSON_WRITER_H
#define GH_JSON_WRITER_H

#include "common/json/buf.h"
#include "common/json/tape.h"

enum gh_json_edit_op {
    GH_JSON_EDIT_TEXT, /* a string or key gets other decoded bytes */
    GH_JSON_EDIT_RAW,  /* a value's subtree gets other JSON text */
    GH_JSON_EDIT_DROP, /* a member (by its key node) or an array element is left out */
};

struct gh_json_edit {
    uint32_t node;
    uint32_t op;
    uint32_t off; /* into the list's own bytes */
    uint32_t len;
};

/* Edits of one tape, kept in node order. Reused from message to message; zero-initialise once. */
struct gh_json_edits {
    struct gh_json_edit *list;
    uint32_t n;
    uint32_t cap;
    bool keys_changed;
    struct gh_buf bytes;
    struct gh_tape raw; /* reads what gh_json_edit_raw is given */
};

void gh_json_edits_init(struct gh_json_edits *edits, size_t max_bytes); /* max as in gh_buf_init */
void gh_json_edits_done(struct gh_json_edits *edits);
void gh_json_edits_reset(struct gh_json_edits *edits);

/* Each replaces an earlier edit of the same node; an edit inside a subtree that is dropped or
 * replaced has no effect. Bytes are copied. In node order each is O(1), else O(edits).
 * Errors: GH_ERR_NOMEM, GH_ERR_LIMIT; GH_ERR_BAD_MESSAGE when the node is of the wrong kind or the
 * bytes are not UTF-8 (text) or not one strict JSON value within gh_json_limits_trusted (raw). */
GH_NODISCARD enum gh_err gh_json_edit_text(struct gh_json_edits *edits, const struct gh_tape *tape,
                                           uint32_t str, const void *utf8, size_t len);
GH_NODISCARD enum gh_err gh_json_edit_raw(struct gh_json_edits *edits, const struct gh_tape *tape,
                                          uint32_t value, const void *json, size_t len);
GH_NODISCARD enum gh_err gh_json_edit_drop(struct gh_json_edits *edits, const struct gh_tape *tape,
                                           uint32_t key_or_element);

/* The latest text edit of a node, or NULL: so that a second sanitizer works on the first's result.
 */
const char *gh_json_edit_find_text(const struct gh_json_edits *edits, uint32_t str,
                                   size_t *ret_len);

/* Appends the node's canonical text to out. edits may be NULL. Errors: GH_ERR_NOMEM, GH_ERR_LIMIT
 * (out keeps its old length); GH_ERR_EXISTS when changed keys would give an object the same key
 * twice; GH_ERR_NOT_FOUND when the node itself is dropped. */
GH_NODISCARD enum gh_err gh_json_write(const struct gh_tape *tape, uint32_t node,
                                       const struct gh_json_edits *edits, struct gh_buf *out);

/* Appends the quoted, escaped string. Bytes that are not UTF-8 become U+FFFD each. */
GH_NODISCARD enum gh_err gh_json_write_string(struct gh_buf *out, const void *bytes, size_t len);

#endif
