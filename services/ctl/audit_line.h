/*
 * audit_line - reading the log without believing it: records, anchors, signatures.
 *
 * Written from the description of the format (services/audit/README.md), not from the writer: it
 * shares only the hash step with it (common/clients/audit_hash.h). Pure.
 */
#ifndef CTL_AUDIT_LINE_H
#define CTL_AUDIT_LINE_H

#include "common/clients/audit_hash.h"

#include <stdbool.h>
#include <stdint.h>

struct audit_line {
    uint64_t seq;
    struct gh_audit_hash prev;
};

/* line without its line feed. False: it does not begin {"seq":N,"prev":"64 hex digits", and end
 * with }, or holds a control character. What else is in it, the hash says. */
bool audit_line_parse(const char *line, size_t len, struct audit_line *ret_line);

struct audit_anchor {
    uint64_t seq;
    struct gh_audit_hash hash;
    uint64_t time_ms;
};

/* The anchor's two lines. NULL: it is good and signed by key; else what is wrong with it. */
struct evp_pkey_st;
const char *audit_anchor_parse(const char *text, size_t len, struct evp_pkey_st *key,
                               struct audit_anchor *ret_anchor);

#endif
