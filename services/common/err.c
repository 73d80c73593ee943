#include "common/err.h"

#define GH_ERR_TEXT(name, text) [name] = text,

const char *gh_err_text(enum gh_err err)
{
    static const char *const texts[GH_ERR_COUNT] = { GH_ERR_LIST(GH_ERR_TEXT) };

    return (unsigned)err < GH_ERR_COUNT ? texts[err] : "unknown error";
}
