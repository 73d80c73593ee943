/* From a node back to its JSON pointer: a walk down from the root, skipping what does not hold it.
 */
#include "validator/schema/schema.h"

#include <stdio.h>
#include <string.h>

struct out {
    char *dst;
    size_t size;
    size_t n;
    bool full;
};

static void put(struct out *out, const char *text, size_t len)
{
    if (out->full || len >= out->size - out->n) {
        out->full = true;
        return;
    }
    memcpy(out->dst + out->n, text, len);
    out->n += len;
}

/* A key's decoded bytes with ~ and / escaped. Long keys go over the heap-free buffer piecewise:
 * keys longer than it are cut. */
static void put_key(struct out *out, const struct gh_tape *tape, uint32_t key)
{
    char scratch[1024];
    size_t len = gh_tape_str_len(tape, key);
    const char *text;

    if (len > sizeof(scratch) && (tape->nodes[key].flags & GH_NODE_ESCAPED) != 0) {
        out->full = true;
        return;
    }
    text = gh_tape_str(tape, key, scratch, &len);
    put(out, "/", 1);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '~')
            put(out, "~0", 2);
        else if (text[i] == '/')
            put(out, "~1", 2);
        else if (text[i] == '\0')
            put(out, "\xEF\xBF\xBD", 3); /* the result is a C string */
        else
            put(out, text + i, 1);
    }
}

size_t schema_instance_path(const struct gh_tape *tape, uint32_t root, uint32_t node, char *dst,
                            size_t size)
{
    struct out out = { dst, size, 0, size == 0 };
    uint32_t at = root;

    if (size == 0) return 0;
    while (at != node) {
        bool object = gh_tape_kind(tape, at) == GH_JSON_OBJ;
        uint32_t i = at + 1;
        uint32_t n = 0;
        char index[16];

        if (object) {
            while (tape->nodes[i + 1].next <= node)
                i = tape->nodes[i + 1].next;
            put_key(&out, tape, i);
            if (i == node) break; /* a key: its member's path */
            at = i + 1;
            continue;
        }
        for (; tape->nodes[i].next <= node; n++)
            i = tape->nodes[i].next;
        put(&out, index, (size_t)snprintf(index, sizeof(index), "/%u", n));
        at = i;
    }
    if (out.full) { /* drop a character cut in two, then say so */
        size_t room = size > 4 ? size - 4 : 0;

        if (out.n > room) out.n = room;
        while (out.n > 0 && ((unsigned char)dst[out.n] & 0xC0) == 0x80)
            out.n--;
        if (size > 4) {
            memcpy(dst + out.n, "...", 3);
            out.n += 3;
        }
    }
    dst[out.n] = '\0';
    return out.n;
}
