/*
 * escape - string bytes to canonical JSON, for the writer and the builder. Private to json/.
 */
#ifndef GH_JSON_ESCAPE_H
#define GH_JSON_ESCAPE_H

#include "common/json/writer.h"

/* The source of a checked string, spelled canonically; never longer, but out has room for
 * GH_JSON_RECODE_SLACK bytes more. Returns past the output. */
#define GH_JSON_RECODE_SLACK 32
char *gh_json_recode(const char *src, size_t len, char *out);

/* GH_ERR_EXISTS if two members of one object at or below node would have the same key once the
 * edits are applied; GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_json_edits_check(const struct gh_json_edits *edits,
                                             const struct gh_tape *tape, uint32_t node);

#endif
