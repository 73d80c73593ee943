#include "ctl.h"

#include <inttypes.h>
#include <time.h>

/* One character: its code point, and its bytes in *ret_len; invalid bytes come one by one as -1. */
static int32_t next_char(const uint8_t *text, size_t len, size_t *ret_len)
{
    uint8_t c = text[0];
    size_t want = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
    int32_t point = want == 1 ? c : c & (0xff >> (want + 1));
    static const int32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    *ret_len = 1;
    if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || want > len) return -1;
    for (size_t i = 1; i < want; i++) {
        if ((text[i] & 0xc0) != 0x80) return -1;
        point = point << 6 | (text[i] & 0x3f);
    }
    if (point < least[want] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return -1;
    *ret_len = want;
    return point;
}

static bool harmless(int32_t point)
{
    return point >= 0x20 && point != 0x7f && !(point >= 0x80 && point < 0xa0) &&
           !(point >= 0x200b && point <= 0x200f) && !(point >= 0x2028 && point <= 0x202e) &&
           !(point >= 0x2060 && point <= 0x206f) && point != 0xfeff;
}

void ctl_put_text(FILE *out, const void *text, size_t len, int width)
{
    const uint8_t *at = text;
    int columns = 0;

    for (size_t i = 0, used; i < len && (width <= 0 || columns < width); i += used) {
        int32_t point = next_char(at + i, len - i, &used);
        if (point < 0)
            columns += fprintf(out, "\\x%02x", at[i]);
        else if (!harmless(point))
            columns += fprintf(out, "\\u%04" PRIx32, (uint32_t)point);
        else
            columns += fwrite(at + i, 1, used, out) > 0;
    }
    if (width > 0) fprintf(out, "%*s", width > columns ? width - columns : 0, "");
}

void ctl_put_json(FILE *out, const void *text, size_t len)
{
    const uint8_t *at = text;

    fputc('"', out);
    for (size_t i = 0, used; i < len; i += used) {
        int32_t point = next_char(at + i, len - i, &used);
        if (point < 0)
            fputs("\\ufffd", out);
        else if (point == '"' || point == '\\')
            fprintf(out, "\\%c", (char)point);
        else if (!harmless(point) && point < 0x10000)
            fprintf(out, "\\u%04" PRIx32, (uint32_t)point);
        else
            fwrite(at + i, 1, used, out);
    }
    fputc('"', out);
}

void ctl_put_time(FILE *out, uint64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    char text[32];

    if (ms == 0 || gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        fprintf(out, "%-24s", "-");
        return;
    }
    fprintf(out, "%s.%03uZ", text, (unsigned)(ms % 1000));
}
