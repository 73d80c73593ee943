/*
 * ledger - the last number taken of every spool, so that no event stands in the log twice.
 *
 * A number is `taken` when its line is made and `durable` when the line is on disk; what did not
 * reach the disk is taken back. At most LEDGER_MAX spools are remembered; the one longest unused
 * goes first (every start of a process is a spool, and one that is finished is never used again).
 * Pure: no I/O.
 */
#ifndef AUDIT_LEDGER_H
#define AUDIT_LEDGER_H

#include "common/err.h"
#include "common/json/buf.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_MAX      65536u
#define LEDGER_NAME_MAX 64u

struct ledger;

struct ledger_mark {
    char sender[LEDGER_NAME_MAX + 1];
    char spool[LEDGER_NAME_MAX + 1];
    uint64_t taken;
    uint64_t durable;
    unsigned pins; /* kept while a commit that names it is under way */
    struct ledger_mark *chain;
    struct ledger_mark *older, *newer;
};

GH_NODISCARD enum gh_err ledger_new(uint32_t max, uint64_t seed, struct ledger **ret_ledger);
void ledger_free(struct ledger *ledger);
size_t ledger_count(const struct ledger *ledger);
void ledger_clear(struct ledger *ledger);

/* Made when new; used now. NULL: no memory, or all are pinned. */
struct ledger_mark *ledger_mark(struct ledger *ledger, const char *sender, const char *spool);
/* NULL: not known. Does not count as a use. */
const struct ledger_mark *ledger_find(const struct ledger *ledger, const char *sender,
                                      const char *spool);
void ledger_rollback(struct ledger *ledger); /* taken = durable for all */

/* Lines "mark SENDER SPOOL DURABLE\n", longest unused first; ledger_load_line takes one back. */
GH_NODISCARD enum gh_err ledger_save(const struct ledger *ledger, struct gh_buf *out);
GH_NODISCARD enum gh_err ledger_load_line(struct ledger *ledger, const char *line, size_t len);

#endif
