/*
 * audit_verify - is this log what was written, all of it, in order?
 *
 * Feeds the lines of all segments in order to a checker that names each place where the log is not
 * what was written. The checker is pure; audit_verify_dir reads the files, in pieces: a log may be
 * of any size.
 *
 * What shows: a changed byte, a missing, moved or repeated record, a missing segment, a cut tail
 * (by the anchor), an anchor not signed by the key. What does not show: records after the anchor
 * that were never acknowledged; they are counted as `unanchored`.
 */
#ifndef CTL_AUDIT_VERIFY_H
#define CTL_AUDIT_VERIFY_H

#include "audit_line.h"

#define AUDIT_PROBLEMS_MAX 100u

struct audit_problem {
    char file[64]; /* segment, or "anchor" */
    uint64_t line; /* 0: not in a line */
    uint64_t seq;
    char text[160];
};

struct audit_verdict {
    uint64_t records, segments;
    uint64_t first_seq, last_seq;
    uint64_t unanchored;
    uint64_t unfinished_bytes; /* a record being written when the process died; not a problem */
    bool anchored;
    struct audit_anchor anchor;
    struct audit_problem problems[AUDIT_PROBLEMS_MAX];
    uint64_t problem_count; /* also those past the array */
};

/* One line's place, kept until the next line has confirmed it. */
struct audit_place {
    char file[64];
    uint64_t line, seq;
};

struct audit_checker {
    struct audit_verdict *verdict;
    const struct audit_anchor *anchor; /* NULL: none is used */
    struct gh_audit_hash chain;        /* of the last line */
    uint64_t expected;                 /* its seq + 1 */
    struct audit_place last;
    struct audit_place doubted; /* the record before last, when last's prev does not match it */
    bool doubt;
    bool told; /* that records are missing before this segment */
    bool anchor_seen;
};

void audit_checker_init(struct audit_checker *checker, const struct audit_anchor *anchor,
                        struct audit_verdict *verdict);
/* A segment begins; its name says it begins with first_seq. */
void audit_checker_segment(struct audit_checker *checker, const char *file, uint64_t first_seq);
void audit_checker_line(struct audit_checker *checker, const char *file, uint64_t line_number,
                        const char *line, size_t len);
void audit_checker_end(struct audit_checker *checker);

/* anchor_file NULL: without. Errors: GH_ERR_IO (said on standard error), GH_ERR_CRYPTO when
 * key_file is no Ed25519 public key. A log that is wrong is GH_OK with problems. */
GH_NODISCARD enum gh_err audit_verify_dir(const char *dir, const char *key_file,
                                          const char *anchor_file,
                                          struct audit_verdict *ret_verdict);

#endif
