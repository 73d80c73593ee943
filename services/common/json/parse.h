/*
 * parse - between tape.c and the parser's builds for each instruction set. Private to json/.
 */
#ifndef GH_JSON_PARSE_H
#define GH_JSON_PARSE_H

#include "common/json/tape.h"

struct gh_json_impl {
    const char *name;
    /* tape->src and src_len are set. Fills the tape; on failure err and err_off are set too. */
    enum gh_json_err (*parse)(struct gh_tape *tape, const struct gh_json_limits *limits);
};

/* Every implementation this processor can run, the best first; tests run them all. */
const struct gh_json_impl *const *gh_json_impls(size_t *ret_n);

extern const struct gh_json_impl gh_json_impl_base; /* SSE2, NEON or the plain one */
extern const struct gh_json_impl gh_json_impl_scalar;
#if defined(__x86_64__)
extern const struct gh_json_impl gh_json_impl_avx2;
#endif

/* Doubles tape->nodes, up to max_nodes. NODES if that is reached or the array is fixed; NOMEM. */
GH_NODISCARD enum gh_json_err gh_tape_grow(struct gh_tape *tape, uint32_t max_nodes);

/* A copy of the source with `pad` zero bytes behind it, or NULL without memory. */
const char *gh_tape_copy_source(struct gh_tape *tape, uint32_t len, uint32_t pad);

/* What the escapes of one string come to. */
struct gh_json_escapes {
    uint32_t saved;       /* source bytes less decoded bytes, over all escapes so far */
    const char *odd;      /* just past the last escape the writer would spell otherwise, or NULL */
    bool nul;             /* a \u0000 among them */
    enum gh_json_err err; /* set when an escape is refused */
};

/* One escape at p (a backslash) with p < end. Returns past it, or the offending byte with esc->err.
 */
const char *gh_json_escape_check(const char *p, const char *end, struct gh_json_escapes *esc);

/* Decodes one escape that was checked. Returns past it. */
const char *gh_json_escape_decode(const char *p, uint32_t *ret_code_point);

/* The next decoded piece (1 to 4 bytes) of a checked string's source. Returns past its source. */
const char *gh_json_next_piece(const char *p, char piece[4], unsigned *ret_n);

/* Decoded bytes of a checked string's source; out holds at least the decoded length. */
char *gh_json_decode(const char *src, size_t len, char *out);

/* A number whose text needs a look: is it finite and within what number.c compares exactly? */
bool gh_json_num_in_range(const char *text, size_t len);

/* Does the text of an integer (with sign, without leading zeros) fit an int64_t? */
bool gh_json_num_fits_int64(const char *text, size_t len);

/* Equal for numbers of equal value. */
uint64_t gh_json_hash_num(const char *text, size_t len, uint64_t seed);

/* dup.c: the index of a key that repeats an earlier one, GH_TAPE_NONE if all differ, or
 * GH_TAPE_NONE - 1 without memory. The object's node need not be complete. */
#define GH_DUP_NOMEM (GH_TAPE_NONE - 1)
uint32_t gh_tape_find_duplicate(struct gh_tape *tape, uint32_t obj, uint32_t end, uint32_t count);

/* Keyed, almost universal hash of decoded string bytes (dup.c says why it cannot be flooded). */
uint64_t gh_json_hash_str(const struct gh_tape *tape, uint32_t str, const uint64_t seed[2]);

/* The same for plain bytes. */
uint64_t gh_json_hash_bytes(const void *bytes, size_t len, const uint64_t seed[2]);

/* Do two string nodes decode to the same bytes? */
bool gh_tape_same_str(const struct gh_tape *a, uint32_t i, const struct gh_tape *b, uint32_t j);

/* Makes room for n entries in the tape's table (a power of two, zeroed) or pairs (contents kept).
 */
GH_NODISCARD bool gh_tape_clear_table(struct gh_tape *tape, uint32_t n);
GH_NODISCARD bool gh_tape_room_for_pairs(struct gh_tape *tape, uint32_t n);

#endif
