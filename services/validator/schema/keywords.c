#include "validator/schema/keywords.h"

#include <string.h>

#define KW_ROW(sym, name, holds, draft, vocab) { name, holds, DRAFT_##draft, VOCAB_##vocab },
const struct kw_info kw_table[KW_COUNT] = { KW_LIST(KW_ROW) };

/* Only at load: a walk over fifty short names is fine. */
enum kw kw_find(const char *name, size_t len)
{
    for (enum kw i = 0; i < KW_COUNT; i++)
        if (kw_table[i].name[0] == (len > 0 ? name[0] : '\0') && strlen(kw_table[i].name) == len &&
            memcmp(kw_table[i].name, name, len) == 0)
            return i;
    return KW_UNKNOWN;
}

const char *kw_name(enum kw kw)
{
    return kw < KW_COUNT ? kw_table[kw].name : kw == KW_FALSE_SCHEMA ? "false schema" : "";
}
