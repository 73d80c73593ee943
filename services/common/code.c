#include "common/code.h"

#define GH_CODE_ROW(sym, name, http, close, sev, text) [sym] = { name, http, close, sev, text },

const struct gh_code_info *gh_code_info(uint32_t code)
{
    static const struct gh_code_info rows[GH_CODE_COUNT] = { GH_CODE_LIST(GH_CODE_ROW) };

    return &rows[code < GH_CODE_COUNT ? code : GH_CODE_INTERNAL];
}
