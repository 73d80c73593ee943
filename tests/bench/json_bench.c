/*
 * json_bench - parse + canonical write, beside what others do, in one run.
 *
 *     json_bench [--rounds N] [--round-ms N] [--node SCRIPT] [--json FILE] [--only NAME]
 *
 * Contestants take turns on each text, `rounds` times; the figure is each one's best round, since
 * whatever else the machine does only ever adds. Ours runs as in the validator: default limits,
 * duplicate keys and UTF-8 checked, tape and buffer reused. simdjson gets padded input, jansson
 * JSON_REJECT_DUPLICATES and JSON_COMPACT, Node the bytes as a Buffer.
 */
#include "json_inputs.h"

#include "common/json/builder.h"
#include "common/json/parse.h"
#include "common/json/writer.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SIMDJSON
const char *peer_simdjson_name(void);
size_t peer_simdjson(const char *text, size_t len);
size_t peer_simdjson_parse(const char *text, size_t len);
size_t peer_simdjson_strip(const char *text, size_t len);
#endif

static struct gh_tape tape;
static struct gh_tape plain_tape; /* without the best instruction set */
static struct gh_buf out;

static size_t parse_write(struct gh_tape *t, const char *text, size_t len)
{
    gh_buf_reset(&out);
    if (gh_tape_parse(t, text, len, NULL) != GH_JSON_OK || gh_json_write(t, 0, NULL, &out) != GH_OK)
        return 0;
    return out.len;
}

static size_t ours(const char *text, size_t len)
{
    return parse_write(&tape, text, len);
}

static size_t ours_base(const char *text, size_t len)
{
    return parse_write(&plain_tape, text, len);
}

static size_t ours_parse(const char *text, size_t len)
{
    return gh_tape_parse(&tape, text, len, NULL) == GH_JSON_OK ? len : 0;
}

static size_t by_jansson(const char *text, size_t len)
{
    json_t *doc = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    char *dump = doc != NULL ? json_dumps(doc, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    size_t n = dump != NULL ? strlen(dump) : 0;

    free(dump);
    json_decref(doc);
    return n;
}

struct contestant {
    const char *name;
    const char *key;
    size_t (*run)(const char *text, size_t len);
    double best_ns;
    size_t out_len;
};

static struct contestant contestants[] = {
    { "ours: parse + write", "ours", ours, 0, 0 },
    { "ours, baseline instructions", "ours_base", ours_base, 0, 0 },
    { "ours: parse alone", "ours_parse", ours_parse, 0, 0 },
#ifdef HAVE_SIMDJSON
    { "simdjson: parse + minify", "simdjson", peer_simdjson, 0, 0 },
    { "simdjson: parse + strip source", "simdjson_strip", peer_simdjson_strip, 0, 0 },
    { "simdjson: parse alone", "simdjson_parse", peer_simdjson_parse, 0, 0 },
#endif
    { "jansson: load + dump", "jansson", by_jansson, 0, 0 },
};

#define CONTESTANTS (sizeof contestants / sizeof *contestants)

static double now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double one_round(struct contestant *c, const struct json_input *in, double round_ns)
{
    size_t batch = 1 + 20000 / in->len;
    double start = now_ns();
    double now;
    size_t n = 0;

    do {
        for (size_t i = 0; i < batch; i++)
            c->out_len = c->run(in->text, in->len);
        n += batch;
        now = now_ns();
    } while (now - start < round_ns);
    return (now - start) / (double)n;
}

static void print_row(const char *name, double ns, size_t len, double ours_ns, struct gh_json *json,
                      const char *key)
{
    printf("  %-32s %10.1f ns %9.1f MB/s   x%.2f\n", name, ns, (double)len * 1e3 / ns,
           ns / ours_ns);
    gh_json_key(json, key);
    gh_json_begin_object(json);
    gh_json_key(json, "ns");
    gh_json_double(json, round(ns * 10) / 10);
    gh_json_key(json, "mb_per_s");
    gh_json_double(json, round((double)len * 1e4 / ns) / 10);
    gh_json_end_object(json);
}

static int save(const char *path, struct gh_json *json, const struct gh_buf *text)
{
    FILE *f;

    if (gh_json_finish(json) != GH_OK) return 1;
    if (path == NULL) return 0;
    f = fopen(path, "w");
    if (f == NULL || fwrite(text->data, 1, text->len, f) != text->len || fputc('\n', f) == EOF) {
        perror(path);
        return 1;
    }
    return fclose(f) != 0;
}

/* Runs the Node peer over all texts; ns by input, 0 where it gave none. */
static void run_node(const char *script, const struct json_input *inputs, size_t n, int rounds,
                     int round_ms, double *ret_ns)
{
    char folder[] = "/tmp/json_bench.XXXXXX";
    char path[64];
    char command[1024];
    char line[256];
    FILE *pipe;

    if (mkdtemp(folder) == NULL) return;
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%02zu", folder, i);

        FILE *f = fopen(path, "wb");

        if (f != NULL) {
            fwrite(inputs[i].text, 1, inputs[i].len, f);
            fclose(f);
        }
    }
    snprintf(command, sizeof command, "node '%s' '%s' %d %d", script, folder, rounds, round_ms);
    pipe = popen(command, "r");
    while (pipe != NULL && fgets(line, sizeof line, pipe) != NULL) {
        char *tab;
        unsigned long i = strtoul(line, &tab, 10);

        if (*tab == '\t' && i < n) ret_ns[i] = strtod(tab + 1, NULL);
    }
    if (pipe == NULL || pclose(pipe) != 0) fprintf(stderr, "json_bench: Node peer did not run\n");
    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%02zu", folder, i);
        unlink(path);
    }
    rmdir(folder);
}

int main(int argc, char **argv)
{
    struct json_input inputs[JSON_INPUTS_MAX];
    double node_ns[JSON_INPUTS_MAX] = { 0 };
    const char *node = NULL;
    const char *only = NULL;
    const char *json_path = NULL;
    struct gh_buf json_text;
    struct gh_json json;
    int rounds = 5;
    int round_ms = 100;
    size_t n_impls;
    int status = 0;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rounds") == 0)
            rounds = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--round-ms") == 0)
            round_ms = atoi(argv[i + 1]);
        else if (strcmp(argv[i], "--node") == 0)
            node = argv[i + 1];
        else if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
        else if (strcmp(argv[i], "--json") == 0)
            json_path = argv[i + 1];
    }

    size_t n = json_inputs_make(inputs);
    const struct gh_json_impl *const *impls = gh_json_impls(&n_impls);

    gh_tape_init(&tape);
    gh_tape_init(&plain_tape);
    for (size_t i = 0; i < n_impls; i++)
        if (impls[i] == &gh_json_impl_base) plain_tape.impl = impls[i];
    gh_buf_init(&out, 0);
    printf("ours: %s, baseline %s", tape.impl->name, plain_tape.impl->name);
#ifdef HAVE_SIMDJSON
    printf("; simdjson: %s", peer_simdjson_name());
#endif
    printf("; jansson %s; best of %d rounds of %d ms\n", JANSSON_VERSION, rounds, round_ms);
    if (node != NULL) run_node(node, inputs, n, rounds, round_ms, node_ns);

    gh_buf_init(&json_text, 0);
    gh_json_init(&json, &json_text);
    gh_json_begin_object(&json);
    for (size_t i = 0; i < n; i++) {
        if (only != NULL && strcmp(only, inputs[i].name) != 0) continue;
        for (int round = 0; round <= rounds; round++) /* the first warms up */
            for (size_t c = 0; c < CONTESTANTS; c++) {
                double ns = one_round(&contestants[c], &inputs[i], round_ms * 1e6);

                if (round == 1 || (round > 1 && ns < contestants[c].best_ns))
                    contestants[c].best_ns = ns;
            }
        printf("%s (%zu bytes)\n", inputs[i].name, inputs[i].len);
        gh_json_key(&json, inputs[i].name);
        gh_json_begin_object(&json);
        gh_json_kv_uint(&json, "bytes", inputs[i].len);
        for (size_t c = 0; c < CONTESTANTS; c++) {
            if (contestants[c].out_len == 0) {
                printf("  %-32s refused it\n", contestants[c].name);
                status |= c == 0;
                continue;
            }
            print_row(contestants[c].name, contestants[c].best_ns, inputs[i].len,
                      contestants[0].best_ns, &json, contestants[c].key);
        }
        if (node_ns[i] > 0)
            print_row("Node: parse + stringify", node_ns[i], inputs[i].len, contestants[0].best_ns,
                      &json, "node");
        gh_json_end_object(&json);
    }
    gh_json_end_object(&json);
    status |= save(json_path, &json, &json_text);
    gh_buf_done(&json_text);
    gh_buf_done(&out);
    gh_tape_done(&plain_tape);
    gh_tape_done(&tape);
    json_inputs_free(inputs, n);
    return status;
}
