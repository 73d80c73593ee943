/*
 * signatures - known attack shapes in decoded strings, scored.
 *
 * Rules come from YAML files (deploy/signatures/README.md has the form), each compiled at load into
 * a Vectorscan database behind one prefilter. A string is scanned as it is and, when it holds
 * anything that would change, once more after normalisation: percent- and HTML-decoding (twice at
 * most, for double encoding), comments cut, white space folded, ASCII lower case. Each rule counts
 * once per message; scores add up, saturating. The caller compares the sum with its threshold.
 *
 * Cost is linear in the text, and in the number of rules the text has something of. That is a few
 * in prose and fifty to a hundred in 64 KiB of source code; a message may be made to have something
 * of all of them, so each look of a rule at a text is charged with the text's bytes, and past a
 * limit the rest is not looked at and `exhausted` is set: the caller should refuse the message.
 *
 * Scanning allocates nothing: a scratch per worker. Of a text past
 * max_text_bytes only that much is normalised, and `truncated` is set; as it is, all of it is
 * scanned. After SIGNATURES_MAX_HITS hits a message is not looked at any further.
 *
 * Not thread-safe, but for the compiled rules, which never change after load.
 */
#ifndef VALIDATOR_SIGNATURES_H
#define VALIDATOR_SIGNATURES_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct signatures;
struct signatures_scratch;

#define SIGNATURES_DEFAULT_THRESHOLD 10 /* what the shipped scores are made for */
#define SIGNATURES_MAX_HITS          16
#define SIGNATURES_MAX_RULES         4096
#define SIGNATURES_DEFAULT_WORK      (8u << 20) /* bytes of texts, for each rule that looks */

/* Where a text stands; a rule says for which places it is. */
enum signatures_field {
    SIGNATURES_TEXT = 1u << 0, /* any string value */
    SIGNATURES_KEY = 1u << 1,  /* a member's name */
    SIGNATURES_NAME = 1u << 2, /* a file name or path */
    SIGNATURES_URL = 1u << 3,
};

struct signatures_problem {
    char file[256];
    uint32_t line; /* 1-based, 0: unknown */
    char rule[64]; /* "" if unknown */
    char text[256];
};

struct signatures_rule {
    const char *id; /* "sqli-union-select" */
    const char *family;
    const char *description;
    uint32_t score;
    uint32_t fields; /* enum signatures_field, or-ed */
};

/* path is a .yaml file or a folder of them (read in name order). With examples checked, a rule
 * whose own example does not do as it says is an error. Errors: GH_ERR_CONFIG with *problem filled
 * (may be NULL), GH_ERR_NOMEM, GH_ERR_IO. */
GH_NODISCARD enum gh_err signatures_load(const char *path, bool check_examples,
                                         struct signatures **ret_signatures,
                                         struct signatures_problem *problem);

/* The same from texts in memory, in the order given. */
struct signatures_text {
    const char *name; /* for messages */
    const char *yaml;
    size_t len;
};
GH_NODISCARD enum gh_err signatures_load_texts(const struct signatures_text *texts, size_t n_texts,
                                               bool check_examples,
                                               struct signatures **ret_signatures,
                                               struct signatures_problem *problem);

/* The same, but rules found in `compiled` are taken from there: what signatures_export() wrote, of
 * these or other rules. NULL, or anything wrong in it, only costs time (see compiled.h for whom it
 * must come from). */
GH_NODISCARD enum gh_err signatures_load_compiled(const struct signatures_text *texts,
                                                  size_t n_texts, const void *compiled, size_t len,
                                                  struct signatures **ret_signatures,
                                                  struct signatures_problem *problem);
void signatures_free(struct signatures *signatures); /* NULL is a no-op */

/* Every rule's database, to load the same rules elsewhere on this machine without compiling; then,
 * from an older export, those of rules we do not have, while it stays under max_bytes. To an empty
 * buffer. Errors: GH_ERR_NOMEM, GH_ERR_LIMIT of the buffer. */
struct gh_buf;
GH_NODISCARD enum gh_err signatures_export(const struct signatures *signatures, const void *older,
                                           size_t older_len, size_t max_bytes, struct gh_buf *out);

/* How many rules had to be compiled. */
uint32_t signatures_compiled(const struct signatures *signatures);

uint32_t signatures_count(const struct signatures *signatures);
const struct signatures_rule *signatures_rule(const struct signatures *signatures, uint32_t i);

/* max_text_bytes 0: 65536. */
GH_NODISCARD enum gh_err signatures_scratch_new(const struct signatures *signatures,
                                                uint32_t max_text_bytes,
                                                struct signatures_scratch **ret_scratch);
void signatures_scratch_free(struct signatures_scratch *scratch); /* NULL is a no-op */

/* One message: begin, scan each string, read the result. */
void signatures_begin(struct signatures_scratch *scratch);

/* What all messages from now on may take. Until called: SIGNATURES_DEFAULT_WORK. */
void signatures_limit(struct signatures_scratch *scratch, uint64_t max_work_bytes);

/* text is decoded UTF-8, may hold NUL. tag is the caller's (a tape node): kept with each hit. */
void signatures_scan(const struct signatures *signatures, struct signatures_scratch *scratch,
                     enum signatures_field field, const char *text, size_t len, uint32_t tag);

/* The same in the plainest way: every rule is tried on every text. What the quick way must agree
 * with, for tests. */
void signatures_scan_plain(const struct signatures *signatures, struct signatures_scratch *scratch,
                           enum signatures_field field, const char *text, size_t len, uint32_t tag);

struct signatures_hit {
    uint32_t rule; /* signatures_rule() */
    uint32_t tag;
};

struct signatures_result {
    uint32_t score;
    uint32_t n_hits;
    bool truncated;
    bool exhausted;                                  /* some rules have not looked at some texts */
    struct signatures_hit hits[SIGNATURES_MAX_HITS]; /* in order of discovery */
    uint32_t top; /* index into hits of the highest score; 0 without hits */
};

/* Valid until the next signatures_begin. */
const struct signatures_result *signatures_result(const struct signatures_scratch *scratch);

#endif
