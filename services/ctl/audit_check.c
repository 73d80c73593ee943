#include "audit_verify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void problem(struct audit_checker *checker, const struct audit_place *place, const char *fmt,
                    ...) GH_PRINTF(3, 4);

static void problem(struct audit_checker *checker, const struct audit_place *place, const char *fmt,
                    ...)
{
    struct audit_verdict *verdict = checker->verdict;
    va_list args;

    if (verdict->problem_count < AUDIT_PROBLEMS_MAX) {
        struct audit_problem *p = &verdict->problems[verdict->problem_count];
        memcpy(p->file, place->file, sizeof(p->file));
        p->line = place->line;
        p->seq = place->seq;
        va_start(args, fmt);
        vsnprintf(p->text, sizeof(p->text), fmt, args);
        va_end(args);
    }
    verdict->problem_count++;
}

static struct audit_place place_at(const char *file, uint64_t line, uint64_t seq)
{
    struct audit_place place = { .line = line, .seq = seq };

    snprintf(place.file, sizeof(place.file), "%s", file);
    return place;
}

static bool same(const struct gh_audit_hash *a, const struct gh_audit_hash *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

void audit_checker_init(struct audit_checker *checker, const struct audit_anchor *anchor,
                        struct audit_verdict *verdict)
{
    *checker = (struct audit_checker){ .verdict = verdict, .anchor = anchor, .expected = 1 };
}

/* The next line's prev, or the anchor, says what the hash of the last line was when it was written:
 * that tells which of two neighbours that do not fit was changed. */
static void settle_doubt(struct audit_checker *checker, const struct gh_audit_hash *written)
{
    if (!checker->doubt) return;
    checker->doubt = false;
    bool last_intact = written != NULL && same(&checker->chain, written);
    const struct audit_place *changed =
        last_intact && checker->doubted.seq != 0 ? &checker->doubted : &checker->last;
    problem(checker, changed, "the record is not what was written");
    if (!last_intact && written != NULL) checker->chain = *written;
}

void audit_checker_segment(struct audit_checker *checker, const char *file, uint64_t first_seq)
{
    checker->verdict->segments++;
    checker->told = first_seq != checker->expected;
    if (!checker->told) return;
    struct audit_place place = place_at(file, 0, first_seq);
    if (first_seq > checker->expected)
        problem(checker, &place, "a segment is missing before it: records %" PRIu64 " to %" PRIu64,
                checker->expected, first_seq - 1);
    else
        problem(checker, &place, "its name says it begins with %" PRIu64 "; %" PRIu64 " is next",
                first_seq, checker->expected);
}

static void out_of_place(struct audit_checker *checker, const struct audit_place *here)
{
    if (here->seq < checker->expected)
        problem(checker, here, "record %" PRIu64 " stands where %" PRIu64 " belongs", here->seq,
                checker->expected);
    else if (!checker->told && here->seq == checker->expected + 1)
        problem(checker, here, "record %" PRIu64 " is missing before it", checker->expected);
    else if (!checker->told)
        problem(checker, here, "records %" PRIu64 " to %" PRIu64 " are missing before it",
                checker->expected, here->seq - 1);
}

static void check_anchor(struct audit_checker *checker)
{
    if (checker->anchor == NULL || checker->last.seq != checker->anchor->seq) return;
    checker->anchor_seen = true;
    if (checker->doubt) {
        settle_doubt(checker, &checker->anchor->hash);
    } else if (!same(&checker->chain, &checker->anchor->hash)) {
        problem(checker, &checker->last,
                "the record is not what was written: the anchor has another hash for it");
        checker->chain = checker->anchor->hash;
    }
}

void audit_checker_line(struct audit_checker *checker, const char *file, uint64_t line_number,
                        const char *line, size_t len)
{
    struct audit_line parsed;
    struct gh_audit_hash hash;
    struct audit_place here = place_at(file, line_number, checker->expected);

    checker->verdict->records++;
    if (!audit_line_parse(line, len, &parsed)) {
        settle_doubt(checker, NULL);
        problem(checker, &here, "the line is no record");
        checker->last = here;
        checker->doubted.seq = 0;
        checker->expected++; /* it was one, most likely; its hash is not known */
        memset(&checker->chain, 0xff, sizeof(checker->chain));
        return;
    }
    here.seq = parsed.seq;
    settle_doubt(checker, &parsed.prev);

    static const struct gh_audit_hash unknown = {
        { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }
    };
    bool in_place = parsed.seq == checker->expected;
    if (!in_place) out_of_place(checker, &here);
    checker->told = false;
    bool fits = same(&parsed.prev, &checker->chain) || same(&checker->chain, &unknown);
    if (gh_audit_hash_next(&parsed.prev, line, len, &hash) != GH_OK) {
        problem(checker, &here, "SHA-256 failed");
        return;
    }
    checker->doubt = in_place && !fits;
    checker->doubted = checker->last;
    checker->last = here;
    checker->chain = hash;
    checker->expected = parsed.seq + 1;
    if (checker->verdict->first_seq == 0) checker->verdict->first_seq = parsed.seq;
    checker->verdict->last_seq = parsed.seq;
    check_anchor(checker);
}

void audit_checker_end(struct audit_checker *checker)
{
    struct audit_verdict *verdict = checker->verdict;
    const struct audit_anchor *anchor = checker->anchor;

    settle_doubt(checker, NULL);
    if (anchor == NULL) {
        verdict->unanchored = verdict->records;
        return;
    }
    uint64_t last = checker->expected - 1;
    if (last < anchor->seq) {
        struct audit_place place = checker->last;
        if (place.seq == 0) place = place_at("anchor", 0, anchor->seq);
        problem(checker, &place,
                "the log ends after it; the anchor says records up to %" PRIu64 " were written",
                anchor->seq);
    } else {
        verdict->unanchored = last - anchor->seq;
        if (anchor->seq > 0 && !checker->anchor_seen && verdict->problem_count == 0) {
            struct audit_place place = place_at("anchor", 0, anchor->seq);
            problem(checker, &place, "the record it names is not in the log");
        }
    }
}
