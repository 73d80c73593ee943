/*
 * builder - JSON text made piece by piece, for messages and records of our own.
 *
 *     struct gh_json j;
 *     gh_json_init(&j, &buf);
 *     gh_json_begin_object(&j);
 *     gh_json_key(&j, "type");
 *     gh_json_str(&j, "welcome");
 *     gh_json_end_object(&j);
 *     enum gh_err err = gh_json_finish(&j);
 *
 * Output is always one valid, canonical JSON text: commas and colons are the builder's, invalid
 * UTF-8 becomes U+FFFD. The first failure sticks and is returned by gh_json_finish, which then
 * takes back all that was written; so calls need no check each. Wrong order of calls (a value
 * without its key, an end that does not match) is GH_ERR_INTERNAL. Keys are not checked for
 * repetition.
 */
#ifndef GH_JSON_BUILDER_H
#define GH_JSON_BUILDER_H

#include "common/json/buf.h"
#include "common/json/tape.h"

#define GH_JSON_BUILDER_DEPTH 64

struct gh_json {
    struct gh_buf *out;
    size_t start;
    enum gh_err err;
    uint8_t depth;
    bool need_comma;
    bool after_key;
    bool complete;
    uint64_t is_object; /* one bit per open level */
};

void gh_json_init(struct gh_json *j, struct gh_buf *out); /* appends to out */

void gh_json_begin_object(struct gh_json *j);
void gh_json_end_object(struct gh_json *j);
void gh_json_begin_array(struct gh_json *j);
void gh_json_end_array(struct gh_json *j);

void gh_json_key(struct gh_json *j, const char *key);
void gh_json_key_n(struct gh_json *j, const void *key, size_t len);

void gh_json_null(struct gh_json *j);
void gh_json_bool(struct gh_json *j, bool v);
void gh_json_int(struct gh_json *j, int64_t v);
void gh_json_uint(struct gh_json *j, uint64_t v);
void gh_json_double(struct gh_json *j, double v);   /* shortest that reads back; not finite: null */
void gh_json_str(struct gh_json *j, const char *v); /* NULL: null */
void gh_json_str_n(struct gh_json *j, const void *v, size_t len);
void gh_json_fmt(struct gh_json *j, const char *fmt, ...) GH_PRINTF(2, 3); /* a string value */
void gh_json_node(struct gh_json *j, const struct gh_tape *tape, uint32_t node);
void gh_json_raw(struct gh_json *j, const void *json, size_t len); /* trusted: must be one value */

/* GH_OK when exactly one value was written. */
GH_NODISCARD enum gh_err gh_json_finish(struct gh_json *j);

/* Shorthands: key and value. */
void gh_json_kv_str(struct gh_json *j, const char *key, const char *v);
void gh_json_kv_str_n(struct gh_json *j, const char *key, const void *v, size_t len);
void gh_json_kv_int(struct gh_json *j, const char *key, int64_t v);
void gh_json_kv_uint(struct gh_json *j, const char *key, uint64_t v);
void gh_json_kv_bool(struct gh_json *j, const char *key, bool v);

#endif
