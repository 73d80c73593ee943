#include "message_id.h"

#include "common/json/builder.h"

#include <string.h>

static const struct gh_json_limits limits = {
    .max_bytes = 1u << 20,
    .max_depth = 64,
    .max_nodes = 65536,
    .max_members = 4096,
    .max_items = 65536,
    .max_string_bytes = 1u << 20,
    .max_key_bytes = 1024,
    .max_number_chars = 64,
    .refuse_nul = true,
};

bool message_id_find(struct gh_tape *tape, const void *data, size_t len,
                     char dst[MESSAGE_ID_TEXT_MAX], size_t *ret_len)
{
    char decoded[MESSAGE_ID_MAX], quoted[MESSAGE_ID_TEXT_MAX + 2];
    struct gh_buf buf;
    struct gh_json j;
    const char *text;
    uint32_t node;
    size_t n;

    if (gh_tape_parse(tape, data, len, &limits) != GH_JSON_OK ||
        gh_tape_kind(tape, 0) != GH_JSON_OBJ)
        return false;
    node = gh_tape_get_lit(tape, 0, "id");
    if (node == GH_TAPE_NONE || gh_tape_kind(tape, node) != GH_JSON_STR) return false;
    n = gh_tape_str_len(tape, node);
    if (n == 0 || n > MESSAGE_ID_MAX) return false;
    text = gh_tape_str(tape, node, decoded, &n);
    gh_buf_init_fixed(&buf, quoted, sizeof quoted);
    gh_json_init(&j, &buf);
    gh_json_str_n(&j, text, n);
    if (gh_json_finish(&j) != GH_OK || buf.len < 2) return false;
    *ret_len = buf.len - 2; /* without the quotes */
    memcpy(dst, quoted + 1, *ret_len);
    return true;
}
