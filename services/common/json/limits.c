#include "common/json/limits.h"

const struct gh_json_limits gh_json_limits_default = {
    .max_bytes = 64 * 1024,
    .max_depth = 32,
    .max_nodes = 16384,
    .max_members = 1024,
    .max_items = 16384,
    .max_string_bytes = 64 * 1024,
    .max_key_bytes = 256,
    .max_number_chars = 128,
};

const struct gh_json_limits gh_json_limits_trusted = {
    .max_bytes = GH_JSON_MAX_BYTES,
    .max_depth = GH_JSON_MAX_DEPTH,
    .max_nodes = GH_JSON_MAX_BYTES,
    .max_members = GH_JSON_MAX_BYTES,
    .max_items = GH_JSON_MAX_BYTES,
    .max_string_bytes = GH_JSON_MAX_BYTES,
    .max_key_bytes = GH_JSON_MAX_BYTES,
    .max_number_chars = GH_JSON_MAX_BYTES,
};

#define GH_JSON_ERR_TEXT(name, text) [name] = text,

const char *gh_json_err_text(enum gh_json_err err)
{
    static const char *const texts[GH_JSON_ERR_COUNT] = { GH_JSON_ERR_LIST(GH_JSON_ERR_TEXT) };

    return (unsigned)err < GH_JSON_ERR_COUNT ? texts[err] : "unknown error";
}
