/*
 * segment - the files of the log: DIR/audit-<first seq, 20 digits>.log, in order of name.
 *
 * Blocking file calls only, no state: called at the start, and later by the commit worker.
 */
#ifndef AUDIT_SEGMENT_H
#define AUDIT_SEGMENT_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_NAME_BYTES 32u

struct segment_list {
    uint64_t *first; /* ascending first seqs */
    size_t count;
};

void segment_name(uint64_t first_seq, char dst[SEGMENT_NAME_BYTES]);
/* Files of other names are not listed. Errors: GH_ERR_IO, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err segment_list(int dir_fd, struct segment_list *ret_list);
void segment_list_done(struct segment_list *list);

/* create: it must not exist. Errors: GH_ERR_IO, GH_ERR_NOT_FOUND. */
GH_NODISCARD enum gh_err segment_open(int dir_fd, uint64_t first_seq, bool create, int *ret_fd);

/* All bytes or GH_ERR_IO. */
GH_NODISCARD enum gh_err file_write_all(int fd, const void *bytes, size_t len, uint64_t off);

/* Replaces DIR/NAME by bytes so that after a crash it is the old file or the new one: written under
 * another name, fsync, rename, fsync of the folder. Errors: GH_ERR_IO. */
GH_NODISCARD enum gh_err file_replace(int dir_fd, const char *name, const void *bytes, size_t len);

/* A whole small file, NUL-ended beyond len; malloc'd. Errors: GH_ERR_NOT_FOUND, GH_ERR_IO,
 * GH_ERR_LIMIT, GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err file_read(int dir_fd, const char *name, size_t max, char **ret_bytes,
                                   size_t *ret_len);

#endif
