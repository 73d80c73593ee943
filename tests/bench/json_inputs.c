#include "json_inputs.h"

#include "common/json/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const words[] = {
    "the",    "deploy", "is",    "green", "lunch",  "at",   "noon", "please", "review", "my",
    "branch", "thanks", "again", "who",   "broke",  "it",   "this", "build",  "number", "seven",
    "window", "closes", "soon",  "maybe", "better", "than", "last", "week",   "friday", "ok",
};
static const char *const cyrillic[] = { "привет", "как",    "дела",    "сегодня", "вечером",
                                        "сборка", "готова", "спасибо", "за",      "помощь" };
static const char *const cjk[] = { "今日は",       "会議", "資料を", "確認",
                                   "お願いします", "明日", "了解",   "完了しました" };

static uint32_t state = 12345;

static uint32_t next(uint32_t below)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
}

static void add(struct gh_buf *b, const char *fmt, ...)
{
    char part[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(part, sizeof part, fmt, ap);
    va_end(ap);
    if (n < 0 || gh_buf_append(b, part, (size_t)n) != GH_OK) abort();
}

static void sentence(struct gh_buf *b, size_t bytes, const char *const *list, uint32_t n)
{
    size_t end = b->len + bytes;

    while (b->len < end)
        add(b, "%s ", list[next(n)]);
    add(b, ".");
}

#define WORDS(list) list, sizeof(list) / sizeof *(list)

static void envelope(struct gh_buf *b, size_t text_bytes, const char *const *list, uint32_t n)
{
    add(b, "{\"type\":\"chat\",\"payload\":{\"room\":\"general\",\"text\":\"");
    sentence(b, text_bytes, list, n);
    add(b,
        "\"},\"timestamp\":17%011u,\"csrfToken\":\"mXk2uT9qkV0aYw3ZpQ7rB1sLd8eHf4Gc\","
        "\"id\":\"m-%06u\"}",
        next(1000000000), next(1000000));
}

/* Records as an application's state update has them: every kind of value. */
static void records(struct gh_buf *b, size_t bytes, const char *line, const char *space,
                    const char *const *list, uint32_t n)
{
    uint32_t id = 100;

    add(b, "{\"type\":\"snapshot\",%s\"payload\":%s[", line, space);
    while (b->len < bytes) {
        add(b, "%s{\"id\":%s%u,%s\"user\":%s\"user%u\",%s\"text\":%s\"", line, space, id, line,
            space, next(10000), line, space);
        sentence(b, 20 + next(60), list, n);
        add(b, "\",%s\"at\":%s17%011u,%s\"score\":%s%u.%u,%s\"read\":%s%s,%s\"ref\":%snull,", line,
            space, next(1000000000), line, space, next(100), next(1000), line, space,
            next(2) ? "true" : "false", line, space);
        add(b, "%s\"tags\":%s[\"%s\",%s\"%s\"],%s\"pos\":%s{\"x\":%s-%u.%u,%s\"y\":%s%u}},", line,
            space, words[next(30)], space, words[next(30)], line, space, space, next(90),
            next(100000), line, space, next(180));
        id++;
    }
    b->len--;
    add(b, "%s]}", line);
}

static void numbers(struct gh_buf *b, size_t bytes)
{
    add(b, "[");
    while (b->len < bytes)
        add(b, "%u.%06u,-%u,%ue-%u,", next(1000), next(1000000), next(100000), next(100), next(20));
    b->len--;
    add(b, "]");
}

static void unique_keys(struct gh_buf *b, unsigned n)
{
    add(b, "{");
    for (unsigned i = 0; i < n; i++)
        add(b, "\"key%05u\":%u,", i * 7919 % 100000, next(10));
    b->len--;
    add(b, "}");
}

static void escaped(struct gh_buf *b, size_t bytes)
{
    add(b, "{\"type\":\"chat\",\"payload\":{\"text\":\"");
    while (b->len < bytes)
        add(b, "%s \\u0434\\u0430 %s \\\"%s\\\"\\n\\t\\/%s ", words[next(30)], words[next(30)],
            words[next(30)], words[next(30)]);
    add(b, "\"}}");
}

/* ---- the most expensive texts we know how to make, within the default limits ---- */

static void repeated(struct gh_buf *b, const char *open, const char *part, const char *close,
                     unsigned n)
{
    add(b, "%s", open);
    for (unsigned i = 0; i < n; i++)
        add(b, "%s%s", i ? "," : "", part);
    add(b, "%s", close);
}

/* Objects of 16 members whose keys share their first bytes and differ in the last, in escapes. */
static void twins(struct gh_buf *b, unsigned n, const char *stem)
{
    add(b, "[");
    for (unsigned i = 0; i < n; i++) {
        add(b, "%s{", i ? "," : "");
        for (unsigned k = 0; k < 16; k++)
            add(b, "%s\"%s\\u00%02x\":0", k ? "," : "", stem, 0x40 + k);
        add(b, "}");
    }
    add(b, "]");
}

static void wide_objects(struct gh_buf *b, unsigned objects, unsigned keys)
{
    add(b, "[");
    for (unsigned i = 0; i < objects; i++) {
        add(b, "%s{", i ? "," : "");
        for (unsigned k = 0; k < keys; k++)
            add(b, "%s\"%x\":0", k ? "," : "", k);
        add(b, "}");
    }
    add(b, "]");
}

static void text_of(struct gh_buf *b, const char *part, size_t bytes)
{
    add(b, "[\"");
    while (b->len < bytes)
        add(b, "%s", part);
    add(b, "\"]");
}

size_t json_inputs_make(struct json_input inputs[JSON_INPUTS_MAX])
{
    struct gh_buf b;
    size_t n = 0;

    state = 12345;
#define INPUT(label, call)                                                                         \
    do {                                                                                           \
        gh_buf_init(&b, 0);                                                                        \
        call;                                                                                      \
        inputs[n] = (struct json_input){ label, NULL, b.len };                                     \
        for (int pad = 0; pad < 64; pad++)                                                         \
            add(&b, "%c", 0);                                                                      \
        inputs[n++].text = b.data;                                                                 \
    } while (0)
    INPUT("chat 200 B", envelope(&b, 50, WORDS(words)));
    INPUT("chat 200 B cyrillic", envelope(&b, 60, WORDS(cyrillic)));
    INPUT("chat 4 KiB", envelope(&b, 3900, WORDS(words)));
    INPUT("records 4 KiB", records(&b, 3900, "", "", WORDS(words)));
    INPUT("records 64 KiB", records(&b, 65000, "", "", WORDS(words)));
    INPUT("records 64 KiB cjk", records(&b, 65000, "", "", WORDS(cjk)));
    INPUT("pretty 64 KiB", records(&b, 65000, "\n      ", " ", WORDS(words)));
    INPUT("escapes 64 KiB", escaped(&b, 65000));
    INPUT("numbers 64 KiB", numbers(&b, 65000));
    INPUT("1000 keys", unique_keys(&b, 1000));
    INPUT("worst: one-digit numbers", repeated(&b, "[", "1", "]", 16383));
    INPUT("worst: empty objects", repeated(&b, "[", "{}", "]", 16383));
    INPUT("worst: nested",
          repeated(&b, "[", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "]", 560));
    INPUT("worst: objects of 16 keys", wide_objects(&b, 480, 16));
    INPUT("worst: objects of 17 keys", wide_objects(&b, 450, 17));
    INPUT("worst: objects of 1000 keys", wide_objects(&b, 8, 1000));
    INPUT("worst: escaped keys alike", twins(&b, 170, "aaaaaaaaaaa"));
    INPUT("worst: short escaped keys", twins(&b, 260, ""));
    INPUT("worst: escapes of 2 bytes", text_of(&b, "\\/", 65000));
    INPUT("worst: escape and letter", text_of(&b, "\\na", 65000));
    INPUT("worst: \\u of 2 bytes", text_of(&b, "\\u00e9", 65000));
    INPUT("worst: 1 and 4 byte UTF-8", text_of(&b, "a\xF0\x9F\x98\x80", 65000));
    INPUT("worst: blanks", repeated(&b, "[", " \t0 ", "]", 13000));
#undef INPUT
    return n;
}

void json_inputs_free(struct json_input inputs[JSON_INPUTS_MAX], size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(inputs[i].text);
}
