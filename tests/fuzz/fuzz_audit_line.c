/*
 * The verifier on any bytes: the input is cut into lines and given to the checker as one segment,
 * with the input's first half line as an anchor. Whatever the bytes, it must end, count every line,
 * and never say "intact" of a log whose records it could not chain.
 */
#include "audit_verify.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct audit_verdict *verdict = calloc(1, sizeof(*verdict));
    struct audit_checker checker;
    struct audit_anchor anchor = { .seq = size % 5 };
    const char *text = (const char *)data, *end = text + size;
    uint64_t line = 0;
    struct audit_line parsed;

    if (verdict == NULL) return 0;
    audit_checker_init(&checker, size % 2 == 0 ? &anchor : NULL, verdict);
    audit_checker_segment(&checker, "audit-00000000000000000001.log", 1);
    while (text < end) {
        const char *feed = memchr(text, '\n', (size_t)(end - text));
        size_t len = (size_t)((feed != NULL ? feed : end) - text);

        audit_checker_line(&checker, "audit-00000000000000000001.log", ++line, text, len);
        (void)audit_line_parse(text, len, &parsed);
        text += len + 1;
    }
    audit_checker_end(&checker);
    if (verdict->records != line) abort();
    /* A chain that is accepted whole counts from 1 without a gap. */
    if (verdict->problem_count == 0 && line > 0 &&
        (verdict->first_seq != 1 || verdict->last_seq != line))
        abort();
    free(verdict);
    return 0;
}
