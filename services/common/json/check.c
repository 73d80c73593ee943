#include "common/json/check.h"
#include "common/json/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct checker {
    struct gh_json_limits limits;
    bool ndjson;
    bool quiet;
    bool canonical;
    struct gh_tape tape;
    struct gh_buf out;
    int status;
};

static const char usage[] =
    "usage: json check [--ndjson] [--quiet] [--canonical] [--trusted] [--allow-duplicates]\n"
    "                  [--max-bytes N] [--max-depth N] FILE...|-\n";

/* One text; `line` is the file's line it starts on. */
static void check_text(struct checker *c, const char *name, uint32_t line, const char *text,
                       size_t len, size_t file_off)
{
    enum gh_json_err err = gh_tape_parse(&c->tape, text, len, &c->limits);
    uint32_t in_text;
    uint32_t column;

    if (err != GH_JSON_OK) {
        gh_json_position(text, len, c->tape.err_off, &in_text, &column);
        printf("%s:%u:%u: offset %zu: %s\n", name, line + in_text - 1, column,
               file_off + c->tape.err_off, gh_json_err_text(err));
        c->status = c->status == 0 ? 1 : c->status;
        return;
    }
    if (c->canonical) {
        gh_buf_reset(&c->out);
        if (gh_json_write(&c->tape, 0, NULL, &c->out) != GH_OK) {
            fprintf(stderr, "%s:%u: out of memory\n", name, line);
            c->status = 2;
            return;
        }
        fwrite(c->out.data, 1, c->out.len, stdout);
        putchar('\n');
    } else if (!c->quiet && c->ndjson) {
        printf("%s:%u: accept\n", name, line);
    } else if (!c->quiet) {
        printf("%s: accept\n", name);
    }
}

static bool is_blank(const char *text, size_t len)
{
    return strspn(text, " \t\r\n") >= len;
}

static int check_lines(struct checker *c, const char *name, FILE *f)
{
    char *text = NULL;
    size_t cap = 0;
    size_t off = 0;
    uint32_t line = 0;
    ssize_t n;

    while ((n = getline(&text, &cap, f)) > 0) {
        size_t len = (size_t)n - (text[n - 1] == '\n');

        line++;
        if (!is_blank(text, len)) check_text(c, name, line, text, len, off);
        off += (size_t)n;
    }
    free(text);
    return ferror(f) ? errno : 0;
}

/* The whole file, or as much of it as shows that it is too big. */
static int check_whole(struct checker *c, const char *name, FILE *f)
{
    size_t most = (size_t)c->limits.max_bytes + 1;
    size_t cap = 0;
    size_t len = 0;
    char *text = NULL;

    while (len < most) {
        if (len == cap) {
            char *more = realloc(text, cap = cap ? cap * 2 : 65536);

            if (more == NULL) {
                free(text);
                return ENOMEM;
            }
            text = more;
        }

        size_t n = fread(text + len, 1, (cap < most ? cap : most) - len, f);

        if (n == 0) break;
        len += n;
    }
    if (!ferror(f)) check_text(c, name, 1, text, len, 0);
    free(text);
    return ferror(f) ? errno : 0;
}

static void check_file(struct checker *c, const char *path)
{
    bool is_stdin = strcmp(path, "-") == 0;
    const char *name = is_stdin ? "stdin" : path;
    FILE *f = is_stdin ? stdin : fopen(path, "rb");
    int err = f == NULL ? errno : c->ndjson ? check_lines(c, name, f) : check_whole(c, name, f);

    if (err != 0) {
        fprintf(stderr, "%s: %s\n", name, strerror(err));
        c->status = 2;
    }
    if (f != NULL && !is_stdin) fclose(f);
}

static bool number(const char *text, uint32_t max, uint32_t *ret_v)
{
    char *end;
    unsigned long v;

    errno = 0;
    v = text != NULL ? strtoul(text, &end, 10) : 0;
    if (text == NULL || *text < '0' || *text > '9' || *end != '\0' || errno != 0 || v > max) {
        fprintf(stderr, "json check: a number from 0 to %u was expected\n", max);
        return false;
    }
    *ret_v = (uint32_t)v;
    return true;
}

/* The index of the first file, or 0 if the options make no sense. */
static int read_options(struct checker *c, int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        if (strcmp(argv[i], "--ndjson") == 0)
            c->ndjson = true;
        else if (strcmp(argv[i], "--quiet") == 0)
            c->quiet = true;
        else if (strcmp(argv[i], "--canonical") == 0)
            c->canonical = true;
        else if (strcmp(argv[i], "--trusted") == 0)
            c->limits = gh_json_limits_trusted;
        else if (strcmp(argv[i], "--allow-duplicates") == 0)
            c->limits.allow_duplicates = true;
        else if (strcmp(argv[i], "--max-bytes") == 0) {
            if (!number(argv[++i], GH_JSON_MAX_BYTES, &c->limits.max_bytes)) return 0;
            c->limits.max_string_bytes = c->limits.max_bytes;
        } else if (strcmp(argv[i], "--max-depth") == 0) {
            if (!number(argv[++i], GH_JSON_MAX_DEPTH, &c->limits.max_depth)) return 0;
        } else if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        } else {
            fprintf(stderr, "json check: no such option: %s\n", argv[i]);
            return 0;
        }
    }
    return i < argc ? i : 0;
}

int gh_json_check_main(int argc, char **argv)
{
    struct checker c = { .limits = gh_json_limits_default };
    int first;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    first = read_options(&c, argc, argv);
    if (first == 0) {
        fputs(usage, stderr);
        return 2;
    }
    gh_tape_init(&c.tape);
    gh_buf_init(&c.out, 0);
    for (int i = first; i < argc; i++)
        check_file(&c, argv[i]);
    gh_buf_done(&c.out);
    gh_tape_done(&c.tape);
    return c.status;
}
