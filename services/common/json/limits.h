/*
 * limits - what the JSON parser accepts and how it says no.
 *
 * Every size a client controls has a cap here. A cap is inclusive: a document exactly at it passes.
 * The hard maxima bound what a policy may ask for, since the tape packs counts into 23 bits.
 */
#ifndef GH_JSON_LIMITS_H
#define GH_JSON_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#define GH_JSON_MAX_BYTES ((1u << 23) - 1) /* source bytes and nodes, whatever the limits say */
#define GH_JSON_MAX_DEPTH 1024             /* what recursive walkers may rely on */

struct gh_json_limits {
    uint32_t max_bytes;        /* the whole text, white space included */
    uint32_t max_depth;        /* nested arrays and objects; `[]` has depth 1, a bare scalar 0 */
    uint32_t max_nodes;        /* values plus keys */
    uint32_t max_members;      /* keys of one object */
    uint32_t max_items;        /* elements of one array */
    uint32_t max_string_bytes; /* one string value, decoded */
    uint32_t max_key_bytes;    /* one key, decoded */
    uint32_t max_number_chars; /* the text of one number */
    bool refuse_nul;           /* refuse \u0000 in strings and keys (RFC 8259 allows it) */
    bool allow_duplicates;     /* the bare grammar: for inspection only, never for messages */
};

/* 64 KiB, depth 32, 16384 nodes, 1024 members, 16384 items, 64 KiB strings, 256-byte keys,
 * 128-character numbers, \u0000 allowed. */
extern const struct gh_json_limits gh_json_limits_default;

/* Only the hard maxima: for texts of our own (configuration, schemas, test data). */
extern const struct gh_json_limits gh_json_limits_trusted;

/* The first half is grammar and encoding, the second (from GH_JSON_TOO_BIG) is policy. */
#define GH_JSON_ERR_LIST(X)                                                                        \
    X(GH_JSON_OK, "ok")                                                                            \
    X(GH_JSON_EMPTY, "no value")                                                                   \
    X(GH_JSON_TRUNCATED, "the text ends inside a value")                                           \
    X(GH_JSON_TRAILING, "something follows the value")                                             \
    X(GH_JSON_BOM, "byte order mark")                                                              \
    X(GH_JSON_UTF8, "not valid UTF-8")                                                             \
    X(GH_JSON_VALUE, "a value was expected")                                                       \
    X(GH_JSON_LITERAL, "not true, false or null")                                                  \
    X(GH_JSON_NUMBER, "malformed number")                                                          \
    X(GH_JSON_KEY, "a key in double quotes was expected")                                          \
    X(GH_JSON_COLON, "':' was expected")                                                           \
    X(GH_JSON_COMMA_OBJECT, "',' or '}' was expected")                                             \
    X(GH_JSON_COMMA_ARRAY, "',' or ']' was expected")                                              \
    X(GH_JSON_CONTROL, "unescaped control character in a string")                                  \
    X(GH_JSON_ESCAPE, "unknown escape in a string")                                                \
    X(GH_JSON_SURROGATE, "lone surrogate in a string")                                             \
    X(GH_JSON_DUPLICATE, "the object has this key already")                                        \
    X(GH_JSON_TOO_BIG, "more bytes than allowed")                                                  \
    X(GH_JSON_TOO_DEEP, "nested deeper than allowed")                                              \
    X(GH_JSON_NODES, "more values than allowed")                                                   \
    X(GH_JSON_MEMBERS, "more keys in one object than allowed")                                     \
    X(GH_JSON_ITEMS, "more elements in one array than allowed")                                    \
    X(GH_JSON_STRING_SIZE, "string longer than allowed")                                           \
    X(GH_JSON_KEY_SIZE, "key longer than allowed")                                                 \
    X(GH_JSON_NUMBER_SIZE, "number longer than allowed")                                           \
    X(GH_JSON_NUMBER_RANGE, "number out of range")                                                 \
    X(GH_JSON_NUL, "NUL character in a string")                                                    \
    X(GH_JSON_NOMEM, "out of memory")
#define GH_JSON_ERR_ENUM(name, text) name,
enum gh_json_err { GH_JSON_ERR_LIST(GH_JSON_ERR_ENUM) GH_JSON_ERR_COUNT };

/* Never NULL; "unknown error" for a value outside the list. */
const char *gh_json_err_text(enum gh_json_err err);

#endif
