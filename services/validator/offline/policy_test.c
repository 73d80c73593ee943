/* Messages in, verdicts out: the judge without the bus. */
#include "common/clock.h"
#include "common/json/builder.h"
#include "offline/offline.h"
#include "policy/check.h"
#include "replay/replay.h"
#include "verdict/judge.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
    const char *dir, *route, *roles, *csrf, *session;
    bool outbound, binary;
    uint64_t now_ms; /* 0: the clock */
};

struct run {
    struct options options;
    struct policy *policy;
    struct replay *replay;
    struct judge *judge;
    struct judge_context context;
    struct gh_buf out;
    bool refused;
};

static int usage(const char *what)
{
    fprintf(stderr,
            "policy test: %s\nusage: policy test DIR --route R --roles a,b [--out] [--csrf TOKEN] "
            "[--session NAME] [--now MS] [--binary]\n",
            what);
    return 2;
}

/* NULL: fine; else what is wrong. */
static const char *parse(int argc, char **argv, struct options *o)
{
    for (int i = 0; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        const char **at = NULL;
        char *end;

        if (strcmp(argv[i], "--out") == 0) {
            o->outbound = true;
        } else if (strcmp(argv[i], "--binary") == 0) {
            o->binary = true;
        } else if (strncmp(argv[i], "--", 2) != 0) {
            if (o->dir != NULL) return "more than one DIR";
            o->dir = argv[i];
        } else if (strcmp(argv[i], "--now") == 0) {
            if (value == NULL) return "--now needs milliseconds";
            o->now_ms = strtoull(value, &end, 10);
            if (*end != '\0' || o->now_ms == 0) return "--now needs milliseconds";
            i++;
        } else {
            if (strcmp(argv[i], "--route") == 0) at = &o->route;
            if (strcmp(argv[i], "--roles") == 0) at = &o->roles;
            if (strcmp(argv[i], "--csrf") == 0) at = &o->csrf;
            if (strcmp(argv[i], "--session") == 0) at = &o->session;
            if (at == NULL) return "unknown option";
            if (value == NULL) return "an option lacks its value";
            *at = value;
            i++;
        }
    }
    if (o->dir == NULL) return "DIR is missing";
    return o->route == NULL ? "--route is missing" : NULL;
}

static enum gh_err open_run(struct run *run)
{
    const struct options *o = &run->options;
    const struct policy_compiled from = offline_compiled();
    struct report report;
    enum gh_err err;
    int fd = -1;

    report_init(&report);
    err = policy_check(o->dir, &from, &report, NULL, &run->policy);
    for (size_t i = 0; i < report.n_lines; i++)
        fprintf(stderr, "%s\n", report.lines[i]);
    report_done(&report);
    if (err == GH_OK) err = replay_create(16, &fd);
    if (err == GH_OK) err = replay_map(fd, &run->replay);
    if (fd >= 0) close(fd);
    if (err == GH_OK) err = judge_new(run->policy, run->replay, &run->judge);
    if (err != GH_OK) return err;
    run->context.route = policy_find_route(run->policy, o->route, strlen(o->route));
    run->context.roles = policy_roles(run->policy, o->roles, strlen(o->roles));
    run->context.csrf = o->csrf;
    run->context.csrf_len = o->csrf != NULL ? strlen(o->csrf) : 0;
    run->context.csrf_not_asked = o->csrf == NULL;
    run->context.session = o->session;
    run->context.session_len = strlen(o->session);
    gh_buf_init(&run->out, 0);
    return GH_OK;
}

static void put_span(struct gh_json *j, const char *key, const struct run *run,
                     struct judge_span span)
{
    if (span.len > 0) gh_json_kv_str_n(j, key, judge_bytes(run->judge) + span.off, span.len);
}

static void put_output(struct gh_json *j, const struct run *run, struct judge_span output)
{
    const char *bytes = judge_bytes(run->judge) + output.off;
    char *text;

    if (!run->options.binary) {
        gh_json_kv_str_n(j, "output", bytes, output.len);
        return;
    }
    text = malloc(output.len / 3 * 4 + 8);
    if (text == NULL) return;
    (void)EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes, (int)output.len);
    gh_json_kv_str(j, "output", text);
    free(text);
}

/* The id is canonical string content already: it goes in as it is. */
static void put_id(struct gh_json *j, const struct run *run, struct judge_span id)
{
    char quoted[300];

    if (id.len == 0 || id.len > sizeof quoted - 2) return;
    quoted[0] = quoted[id.len + 1] = '"';
    memcpy(quoted + 1, judge_bytes(run->judge) + id.off, id.len);
    gh_json_key(j, "id");
    gh_json_raw(j, quoted, id.len + 2);
}

static enum gh_err print_verdict(struct run *run, const struct judgement *v)
{
    struct gh_json j;
    enum gh_err err;
    bool accepted = v->code == GH_CODE_OK;

    gh_buf_reset(&run->out);
    gh_json_init(&j, &run->out);
    gh_json_begin_object(&j);
    gh_json_kv_bool(&j, "accept", accepted);
    if (!accepted) {
        gh_json_kv_str(&j, "code", gh_code_info(v->code)->name);
        gh_json_key(&j, "pointer");
        gh_json_str_n(&j, v->pointer.len > 0 ? judge_bytes(run->judge) + v->pointer.off : "",
                      v->pointer.len);
        put_span(&j, "rule", run, v->rule);
    }
    gh_json_kv_uint(&j, "score", v->score);
    if (v->type != NULL) gh_json_kv_str(&j, "type", v->type->name);
    put_id(&j, run, v->id);
    if (accepted) {
        if (v->type != NULL && v->type->rate_len > 0) gh_json_kv_str(&j, "rate", v->type->rate);
        if (v->redactions > 0) gh_json_kv_uint(&j, "redactions", v->redactions);
        put_output(&j, run, v->output);
    }
    gh_json_end_object(&j);
    err = gh_json_finish(&j);
    if (err == GH_OK && (fwrite(run->out.data, 1, run->out.len, stdout) != run->out.len ||
                         putchar('\n') == EOF || fflush(stdout) != 0))
        err = GH_ERR_IO;
    return err;
}

/* In place; the decoded length, or -1. */
static ssize_t decode_base64(char *line, ssize_t len)
{
    ssize_t padding = 0;
    int n;

    while (padding < len && padding < 2 && line[len - 1 - padding] == '=')
        padding++;
    n = EVP_DecodeBlock((unsigned char *)line, (const unsigned char *)line, (int)len);
    return n < 0 ? -1 : n - padding;
}

static enum gh_err judge_line(struct run *run, char *line, ssize_t len)
{
    struct judge_item item = { .data = line,
                               .outbound = run->options.outbound,
                               .binary = run->options.binary,
                               .now_ms = run->options.now_ms };
    struct judgement verdict;

    if (item.binary) {
        len = decode_base64(line, len);
        if (len < 0) {
            fprintf(stderr, "policy test: a line that is no base64\n");
            return GH_ERR_BAD_MESSAGE;
        }
    }
    item.len = (size_t)len;
    if (item.now_ms == 0) item.now_ms = (uint64_t)gh_clock_wall_ms();
    judge_begin(run->judge);
    judge_message(run->judge, &run->context, &item, &verdict);
    run->refused |= verdict.code != GH_CODE_OK;
    return print_verdict(run, &verdict);
}

static enum gh_err judge_lines(struct run *run)
{
    enum gh_err err = GH_OK;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    while (err == GH_OK && (len = getline(&line, &cap, stdin)) > 0) {
        if (line[len - 1] == '\n') len--;
        if (len > 0) err = judge_line(run, line, len);
    }
    free(line);
    return err;
}

int offline_policy_test(int argc, char **argv)
{
    struct run run = { .options = { .roles = "", .session = "offline" } };
    const char *wrong = parse(argc, argv, &run.options);
    enum gh_err err;

    if (wrong != NULL) return usage(wrong);
    err = open_run(&run);
    if (err == GH_OK) err = judge_lines(&run);
    if (err != GH_OK) fprintf(stderr, "policy test: %s\n", gh_err_text(err));
    gh_buf_done(&run.out);
    judge_free(run.judge);
    replay_unmap(run.replay);
    policy_free(run.policy);
    if (err != GH_OK) return 2;
    return run.refused ? 1 : 0;
}
