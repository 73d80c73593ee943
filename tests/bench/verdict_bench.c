/*
 * verdict_bench - what judging a message costs: the sample policy's chat beside parse + write
 * alone, simdjson, jansson and Node; and the most expensive messages beside an ordinary one of
 * their size.
 *
 *     verdict_bench --policies DIR [--rounds N] [--round-ms N] [--node SCRIPT] [--json FILE]
 *                   [--only NAME]
 *
 * Best of the rounds in thread CPU time, since whatever else the machine does only ever adds; Node
 * measures itself. The verdict includes everything a worker does but the bus: parse, envelope, CSRF
 * token, role, schema, sanitizing, signatures, canonical output.
 */
#include "verdict_inputs.h"

#include "common/json/builder.h"
#include "common/json/writer.h"
#include "policy/policy.h"
#include "verdict/judge.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_SIMDJSON
size_t peer_simdjson(const char *text, size_t len);
#endif

static const char bench_yaml[] = "route: bench\n"
                                 "types:\n"
                                 "  free: { send: [user] }\n"
                                 "  rich: { send: [user], sanitize: rich }\n"
                                 "  any: { send: [user], schema: bench.json#/$defs/any }\n"
                                 "  unique: { send: [user], schema: bench.json#/$defs/unique }\n"
                                 "  self: { send: [user], schema: bench.json#/$defs/self }\n"
                                 "  pattern: { send: [user], schema: bench.json#/$defs/pattern }\n";

static const char *only; /* the message of this name alone */
static struct judge *judge;
static struct judge_context chat_context, bench_context;
static const struct judge_context *context;
static enum gh_code last_code;
static struct gh_tape tape;
static struct gh_buf out;

static size_t whole_verdict(const char *text, size_t len)
{
    struct judge_item item = { .data = text, .len = len, .now_ms = 1700000000000 };
    struct judgement verdict;

    judge_begin(judge);
    judge_message(judge, context, &item, &verdict);
    last_code = verdict.code;
    return verdict.output.len;
}

static size_t parse_write(const char *text, size_t len)
{
    gh_buf_reset(&out);
    if (gh_tape_parse(&tape, text, len, NULL) != GH_JSON_OK ||
        gh_json_write(&tape, 0, NULL, &out) != GH_OK)
        return 0;
    return out.len;
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

static double cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static double best_of(size_t (*run)(const char *, size_t), const struct verdict_input *in,
                      int rounds, int round_ms)
{
    size_t batch = 1 + 20000 / in->len;
    double best = 0;

    for (int round = 0; round <= rounds; round++) { /* the first warms up */
        double start = cpu_ns(), now;
        size_t n = 0;

        do {
            for (size_t i = 0; i < batch; i++)
                (void)run(in->text, in->len);
            n += batch;
            now = cpu_ns();
        } while (now - start < round_ms * 1e6);
        if (round == 1 || (round > 1 && (now - start) / (double)n < best))
            best = (now - start) / (double)n;
    }
    return best;
}

/* The schemas that make the most work: 50 alternatives, comparing all with all, recursion. */
static void bench_schemas(char *dst, size_t size)
{
    size_t len = (size_t)snprintf(dst, size, "{\"$defs\":{\"any\":{\"items\":{\"anyOf\":[");

    for (int i = 0; i < 50; i++)
        len +=
            (size_t)snprintf(dst + len, size - len,
                             "%s{\"type\":\"object\",\"required\":[\"k%d\"]}", i > 0 ? "," : "", i);
    (void)snprintf(dst + len, size - len,
                   "]}},\"unique\":{\"uniqueItems\":true},"
                   "\"self\":{\"anyOf\":[{\"type\":\"integer\"},{\"properties\":{\"n\":{\"$ref\":"
                   "\"#/$defs/self\"}}},{\"properties\":{\"n\":{\"$ref\":\"#/$defs/self\"}},"
                   "\"required\":[\"x\"]}]},"
                   "\"pattern\":{\"pattern\":\"^(a+b?)+c$\"}}}");
}

static struct policy *load(const char *dir)
{
    struct bundle *bundle = NULL;
    struct policy *policy = NULL;
    struct report report;
    char schemas[8192];

    report_init(&report);
    bench_schemas(schemas, sizeof schemas);
    if (bundle_new(&bundle) != GH_OK || bundle_add_dir(bundle, dir, "", &report) != GH_OK ||
        bundle_add(bundle, "bench.yaml", bench_yaml, sizeof bench_yaml - 1) != GH_OK ||
        bundle_add(bundle, "bench.json", schemas, strlen(schemas)) != GH_OK ||
        policy_load(bundle, &report, &policy) != GH_OK)
        for (size_t i = 0; i < report.n_lines; i++)
            fprintf(stderr, "%s\n", report.lines[i]);
    report_done(&report);
    bundle_free(bundle);
    return policy;
}

static struct judge_context context_of(const struct policy *policy, const char *route)
{
    return (struct judge_context){ .route = policy_find_route(policy, route, strlen(route)),
                                   .roles = policy_roles(policy, "user", 4),
                                   .csrf = VERDICT_CSRF,
                                   .csrf_len = strlen(VERDICT_CSRF) };
}

static void run_node(const char *script, const struct verdict_input *inputs, size_t n, int rounds,
                     int round_ms, double *ret_ns)
{
    char folder[] = "/tmp/verdict_bench.XXXXXX", path[64], command[1024], line[256];
    FILE *pipe;

    if (mkdtemp(folder) == NULL) return;
    for (size_t i = 0; i < n; i++) {
        FILE *f;

        (void)snprintf(path, sizeof path, "%s/%02zu", folder, i);
        f = fopen(path, "wb");
        if (f == NULL) continue;
        (void)fwrite(inputs[i].text, 1, inputs[i].len, f);
        (void)fclose(f);
    }
    (void)snprintf(command, sizeof command, "node '%s' '%s' %d %d", script, folder, rounds,
                   round_ms);
    pipe = popen(command, "r");
    while (pipe != NULL && fgets(line, sizeof line, pipe) != NULL) {
        char *tab;
        unsigned long i = strtoul(line, &tab, 10);

        if (*tab == '\t' && i < n) ret_ns[i] = strtod(tab + 1, NULL);
    }
    if (pipe == NULL || pclose(pipe) != 0) fprintf(stderr, "verdict_bench: Node did not run\n");
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(path, sizeof path, "%s/%02zu", folder, i);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* The last column: how long it takes beside the verdict. */
static void row(struct gh_json *json, const char *name, const char *key, double ns,
                const struct verdict_input *in, double verdict_ns)
{
    if (ns <= 0) return;
    printf("  %-28s %10.2f us %9.1f MB/s   x%.2f\n", name, ns / 1e3, (double)in->len * 1e3 / ns,
           ns / verdict_ns);
    gh_json_key(json, key);
    gh_json_double(json, round(ns * 10) / 10);
}

static double ordinary(struct gh_json *json, int rounds, int round_ms, const char *node)
{
    struct verdict_input inputs[VERDICT_ORDINARY];
    double node_ns[VERDICT_ORDINARY] = { 0 }, last = 0;

    verdict_ordinary(inputs);
    if (node != NULL) run_node(node, inputs, VERDICT_ORDINARY, rounds, round_ms, node_ns);
    context = &chat_context;
    gh_json_key(json, "messages");
    gh_json_begin_object(json);
    for (size_t i = 0; i < VERDICT_ORDINARY; i++) {
        const struct verdict_input *in = &inputs[i];

        if (only != NULL && strcmp(only, in->name) != 0) continue;
        printf("chat message of %s (%zu bytes)\n", in->name, in->len);
        gh_json_key(json, in->name);
        gh_json_begin_object(json);
        gh_json_kv_uint(json, "bytes", in->len);
        last = best_of(whole_verdict, in, rounds, round_ms);
        if (last_code != GH_CODE_OK) printf("  refused: %s\n", gh_code_info(last_code)->name);
        row(json, "the whole verdict", "verdict_ns", last, in, last);
        row(json, "parse + write alone", "parse_write_ns",
            best_of(parse_write, in, rounds, round_ms), in, last);
#ifdef HAVE_SIMDJSON
        row(json, "simdjson: parse + minify", "simdjson_ns",
            best_of(peer_simdjson, in, rounds, round_ms), in, last);
#endif
        row(json, "jansson: load + dump", "jansson_ns", best_of(by_jansson, in, rounds, round_ms),
            in, last);
        row(json, "Node: parse + stringify", "node_ns", node_ns[i], in, last);
        gh_json_end_object(json);
    }
    gh_json_end_object(json);
    verdict_inputs_free(inputs, VERDICT_ORDINARY);
    return last;
}

static void worst(struct gh_json *json, int rounds, int round_ms, double median_ns)
{
    struct verdict_input inputs[VERDICT_WORST_MAX];
    size_t n = verdict_worst(inputs);

    context = &bench_context;
    printf("the most expensive messages of 64 KiB, beside the chat message of that size\n");
    gh_json_key(json, "worst");
    gh_json_begin_object(json);
    for (size_t i = 0; i < n; i++) {
        double ns;

        if (only != NULL && strcmp(only, inputs[i].name) != 0) continue;
        ns = best_of(whole_verdict, &inputs[i], rounds, round_ms);
        printf("  %-42s %6zu B %9.1f us   x%-6.2f %s\n", inputs[i].name, inputs[i].len, ns / 1e3,
               median_ns > 0 ? ns / median_ns : 0, gh_code_info(last_code)->name);
        gh_json_key(json, inputs[i].name);
        gh_json_double(json, round(ns));
    }
    gh_json_end_object(json);
    verdict_inputs_free(inputs, n);
}

int main(int argc, char **argv)
{
    const char *policies = NULL, *node = NULL, *json_path = NULL;
    struct gh_buf text;
    struct gh_json json;
    struct policy *policy;
    int rounds = 5, round_ms = 100, status = 0;
    FILE *f;

    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--policies") == 0) policies = argv[i + 1];
        if (strcmp(argv[i], "--rounds") == 0) rounds = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--round-ms") == 0) round_ms = atoi(argv[i + 1]);
        if (strcmp(argv[i], "--node") == 0) node = argv[i + 1];
        if (strcmp(argv[i], "--only") == 0) only = argv[i + 1];
        if (strcmp(argv[i], "--json") == 0) json_path = argv[i + 1];
    }
    policy = policies != NULL ? load(policies) : NULL;
    if (policy == NULL || judge_new(policy, NULL, &judge) != GH_OK) {
        fprintf(stderr, "verdict_bench: --policies DIR must name a good policy\n");
        return 2;
    }
    chat_context = context_of(policy, "main");
    bench_context = context_of(policy, "bench");
    gh_tape_init(&tape);
    gh_buf_init(&out, 0);
    gh_buf_init(&text, 0);
    gh_json_init(&json, &text);
    gh_json_begin_object(&json);
    worst(&json, rounds, round_ms, ordinary(&json, rounds, round_ms, node));
    gh_json_end_object(&json);
    if (gh_json_finish(&json) != GH_OK) status = 1;
    if (status == 0 && json_path != NULL) {
        f = fopen(json_path, "w");
        if (f == NULL || fwrite(text.data, 1, text.len, f) != text.len || fclose(f) != 0)
            status = 1;
    }
    gh_buf_done(&text);
    gh_buf_done(&out);
    gh_tape_done(&tape);
    judge_free(judge);
    policy_free(policy);
    return status;
}
