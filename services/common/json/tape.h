/*
 * tape - strict JSON (RFC 8259) parsed in one pass into a flat array of nodes.
 *
 * A tape is reused from message to message: gh_tape_parse() overwrites the last one. It allocates
 * nothing per value, and after warm-up nothing per message. Nodes point into the source, which the
 * caller keeps unchanged for as long as it uses the tape.
 *
 * What a parsed tape guarantees, so that nobody checks again: the grammar, nothing but white space
 * after the value, UTF-8 (no overlong form, no surrogate, nothing past U+10FFFF), well-formed
 * escapes, no lone surrogates, no object with the same key twice after decoding, every number
 * finite as a double, every limit held. Cost is linear in the source's length whatever the bytes;
 * the table for keys is seeded per tape with a universal hash, so it cannot be flooded.
 *
 * Layout: the root is node 0 and a value is always followed by what is inside it. An array's
 * elements are its direct children; an object's are key, value, key, value: node key + 1 is the
 * key's value. node.next is the index just past the whole subtree, so skipping is O(1):
 *
 *     for (uint32_t i = arr + 1; i < tape->nodes[arr].next; i = tape->nodes[i].next)        element
 * i for (uint32_t k = obj + 1; k < tape->nodes[obj].next; k = tape->nodes[k + 1].next)    key k,
 * value k + 1
 *
 * Not thread-safe: one owner at a time. No I/O, no clock; entropy is read once, by gh_tape_init.
 */
#ifndef GH_JSON_TAPE_H
#define GH_JSON_TAPE_H

#include "common/err.h"
#include "common/json/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gh_json_kind {
    GH_JSON_NULL,
    GH_JSON_FALSE,
    GH_JSON_TRUE,
    GH_JSON_NUM,
    GH_JSON_STR, /* a value or a key */
    GH_JSON_ARR,
    GH_JSON_OBJ,
};

/* Flags. ESCAPED and NONASCII: strings; INT, INT64: numbers; VERBATIM: any node. */
#define GH_NODE_ESCAPED  0x01u /* the source has backslash escapes: decode before use */
#define GH_NODE_NONASCII 0x02u /* the source (not an escape) has bytes of 0x80 and more */
#define GH_NODE_INT      0x04u /* neither fraction nor exponent */
#define GH_NODE_INT64    0x08u /* INT, and gh_tape_int64 will succeed */
#define GH_NODE_KEY      0x10u /* a string that is a member's key */
#define GH_NODE_VERBATIM 0x20u /* the source text is already what the canonical writer writes */

struct gh_node {
    uint32_t off;        /* of the first byte; for strings, of the first byte after the quote */
    uint32_t len;        /* source bytes; for strings, without the quotes */
    uint32_t next;       /* index just past this node and all inside it */
    uint32_t kind : 3;   /* enum gh_json_kind */
    uint32_t flags : 6;  /* GH_NODE_* */
    uint32_t count : 23; /* array: elements; object: members; string: source minus decoded bytes */
};

struct gh_json_impl; /* parse.h: one per instruction set */

struct gh_tape {
    struct gh_node *nodes; /* n_nodes of them; valid after a successful parse */
    uint32_t n_nodes;
    const char *src;
    uint32_t src_len;
    enum gh_json_err err;
    uint32_t err_off; /* offset into the source of what was wrong; src_len for TRUNCATED */

    /* private */
    const struct gh_json_impl *impl;
    uint32_t cap_nodes;
    bool fixed;
    uint64_t seed[2];
    uint64_t *table; /* keys of one large object */
    uint32_t cap_table;
    uint32_t *pairs; /* members matched up by gh_tape_equal */
    uint32_t cap_pairs;
    char *copy; /* the source again with a NUL behind it, when it lacks an end of its own */
    uint32_t cap_copy;
};

/* Cannot fail; memory comes with use. */
void gh_tape_init(struct gh_tape *tape);

/* As gh_tape_init, with a node array of the caller's that is never grown: a document that needs
 * more is refused with GH_JSON_NODES. The table for keys of large objects still comes from the
 * heap. */
void gh_tape_init_fixed(struct gh_tape *tape, struct gh_node *nodes, uint32_t n_nodes);

void gh_tape_done(struct gh_tape *tape); /* a zeroed or done tape is a no-op */

/* limits NULL means gh_json_limits_default. On failure tape->err and err_off say why and where, and
 * the nodes are not to be used. src need not end in NUL and is never read past src + len. */
GH_NODISCARD enum gh_json_err gh_tape_parse(struct gh_tape *tape, const void *src, size_t len,
                                            const struct gh_json_limits *limits);

/* 1-based line and column (in bytes) of an offset. Lines end at LF, CR or CRLF. */
void gh_json_position(const void *src, size_t len, size_t off, uint32_t *ret_line,
                      uint32_t *ret_column);

/* ---- reading ---- */

static inline enum gh_json_kind gh_tape_kind(const struct gh_tape *tape, uint32_t node)
{
    return (enum gh_json_kind)tape->nodes[node].kind;
}

/* Array: elements. Object: members. Others: 0. */
static inline uint32_t gh_tape_count(const struct gh_tape *tape, uint32_t node)
{
    const struct gh_node *n = &tape->nodes[node];

    return n->kind >= GH_JSON_ARR ? n->count : 0;
}

#define GH_TAPE_NONE UINT32_MAX

/* The value of a member, or GH_TAPE_NONE when obj is no object or has no such key. Keys are
 * compared decoded; key may hold NUL. Linear in the members. */
uint32_t gh_tape_get(const struct gh_tape *tape, uint32_t obj, const char *key, size_t key_len);
#define gh_tape_get_lit(tape, obj, literal) gh_tape_get(tape, obj, literal, sizeof(literal) - 1)

/* Element i of an array, or GH_TAPE_NONE. Linear in i. */
uint32_t gh_tape_at(const struct gh_tape *tape, uint32_t arr, uint32_t i);

/* RFC 6901 ("" is the node itself), or GH_TAPE_NONE for an absent value or a malformed pointer. */
uint32_t gh_tape_pointer(const struct gh_tape *tape, uint32_t node, const char *ptr, size_t len);

/* Decoded bytes of a string or key node. */
static inline uint32_t gh_tape_str_len(const struct gh_tape *tape, uint32_t str)
{
    return tape->nodes[str].len - tape->nodes[str].count;
}

/* The decoded string: in the source itself when it has no escapes, else written to `scratch`, which
 * must hold gh_tape_str_len() bytes (it may be NULL if the node is not ESCAPED). Not NUL-ended. */
const char *gh_tape_str(const struct gh_tape *tape, uint32_t str, char *scratch, size_t *ret_len);

/* Is the decoded string (or key) equal to these bytes? False for a node that is no string. */
bool gh_tape_str_eq(const struct gh_tape *tape, uint32_t str, const char *bytes, size_t len);
#define gh_tape_str_eq_lit(tape, str, literal)                                                     \
    gh_tape_str_eq(tape, str, literal, sizeof(literal) - 1)

/* Code points of a decoded string: what JSON Schema calls its length. */
uint32_t gh_tape_str_chars(const struct gh_tape *tape, uint32_t str);

/* A number whose value is a whole number within the type, "1.0" and "1e2" included.
 * Errors: GH_ERR_BAD_MESSAGE if it is no number or has a fraction; GH_ERR_LIMIT out of range. */
GH_NODISCARD enum gh_err gh_tape_int64(const struct gh_tape *tape, uint32_t num, int64_t *ret_v);
GH_NODISCARD enum gh_err gh_tape_uint64(const struct gh_tape *tape, uint32_t num, uint64_t *ret_v);

/* Nearest double, as strtod in the C locale. Errors: GH_ERR_BAD_MESSAGE if it is no number. */
GH_NODISCARD enum gh_err gh_tape_double(const struct gh_tape *tape, uint32_t num, double *ret_v);

/* ---- comparing ---- */

/* JSON Schema equality: numbers by exact decimal value (1 == 1.0 == 10e-1), strings decoded, arrays
 * in order, objects in any order. Linear (the larger objects go through tape a's table, which may
 * have to grow). a and b may be the same tape. Errors: GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_tape_equal(struct gh_tape *a, uint32_t i, const struct gh_tape *b,
                                       uint32_t j, bool *ret_equal);

/* A hash that is equal for nodes that are gh_tape_equal, under a seed of the caller's: for enum
 * tables and uniqueItems. Two tapes give comparable hashes only under the same seed. */
uint64_t gh_tape_hash(const struct gh_tape *tape, uint32_t node, uint64_t seed);

/* Exact comparison of two number texts that the parser accepted: < 0, 0 or > 0. */
int gh_json_num_cmp(const char *a, size_t a_len, const char *b, size_t b_len);

/* Is the number text whole (5, 5.0, 50e-1)? */
bool gh_json_num_is_whole(const char *text, size_t len);

#endif
