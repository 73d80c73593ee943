/*
 * bundle - the files of a policy, read once and then only looked at in memory.
 *
 * A generation of workers judges by the bundle its monitor checked, whatever has happened to the
 * folder since: the monitor packs it into a sealed memfd, each worker unpacks that. Names are
 * relative to the folder, with '/' ("schemas/chat.json"), sorted. Only *.yaml and *.json are read;
 * names that start with a dot and everything else are passed over. Symbolic links are followed to
 * files and folders; what leads nowhere is an error.
 *
 * Beside the files it may carry what was compiled from them (signatures.h), so that it is compiled
 * once for all workers; that is no part of the policy and does not change its version.
 */
#ifndef VALIDATOR_POLICY_BUNDLE_H
#define VALIDATOR_POLICY_BUNDLE_H

#include "policy/report.h"

#include <stdint.h>

#define BUNDLE_FILES_MAX      1024
#define BUNDLE_FILE_MAX_BYTES (4u << 20)
#define BUNDLE_MAX_BYTES      (32u << 20)
#define BUNDLE_DEPTH_MAX      8
#define BUNDLE_NAME_MAX       255
#define BUNDLE_COMPILED_MAX   (256u << 20) /* bytes */

struct bundle_file {
    const char *name;
    const char *data; /* a NUL follows, not counted */
    uint32_t len;
};

struct bundle {
    struct bundle_file *files;
    uint32_t n_files;
    uint64_t digest;      /* of names and contents: the policy's version */
    const char *compiled; /* NULL: nothing */
    size_t compiled_len;
    char *own; /* compiled, when it is on the heap */
    void *map; /* what bundle_unseal mapped: compiled points into it */
    size_t map_len;
};

GH_NODISCARD enum gh_err bundle_new(struct bundle **ret_bundle); /* empty */
void bundle_free(struct bundle *bundle);

/* Copies. Errors: GH_ERR_EXISTS, GH_ERR_LIMIT, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err bundle_add(struct bundle *bundle, const char *name, const void *data,
                                    size_t len);

/* Adds every file below dir under prefix ("" or "signatures/"). Errors go to report. */
GH_NODISCARD enum gh_err bundle_add_dir(struct bundle *bundle, const char *dir, const char *prefix,
                                        struct report *report);

/* NULL: not there. */
const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name);

/* Copies; what was there before goes. Errors: GH_ERR_LIMIT, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err bundle_set_compiled(struct bundle *bundle, const void *data, size_t len);

/* A memfd with all of it, sealed against every change, close-on-exec. */
GH_NODISCARD enum gh_err bundle_seal(const struct bundle *bundle, int *ret_fd);
/* Reads what bundle_seal wrote. Errors: GH_ERR_BAD_MESSAGE for anything else. */
GH_NODISCARD enum gh_err bundle_unseal(int fd, struct bundle **ret_bundle);

#endif
