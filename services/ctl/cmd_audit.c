#include "commands.h"

#include "audit_verify.h"

#include "common/json/tape.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_MAX 1000u

/* ---- tail ---- */

struct tail {
    bool json;
    struct gh_tape tape;
    uint64_t last_seq;
    uint64_t shown;
};

static void put_member(const struct tail *tail, uint32_t node, int width)
{
    char scratch[8192];
    size_t len = 0;

    if (node == GH_TAPE_NONE || gh_tape_kind(&tail->tape, node) != GH_JSON_STR ||
        gh_tape_str_len(&tail->tape, node) > sizeof(scratch)) {
        ctl_put_text(stdout, "-", 1, width);
        return;
    }
    const char *text = gh_tape_str(&tail->tape, node, scratch, &len);
    ctl_put_text(stdout, len > 0 ? text : "-", len > 0 ? len : 1, width);
}

static uint64_t number_of(const struct tail *tail, uint32_t node)
{
    uint64_t value = 0;

    if (node == GH_TAPE_NONE || gh_tape_uint64(&tail->tape, node, &value) != GH_OK) return 0;
    return value;
}

static void print_record(struct tail *tail, ProtobufCBinaryData line)
{
    static const char *const extra[] = { "user", "address", "code", "request_id", "session_id" };
    struct gh_tape *tape = &tail->tape;

    if (gh_tape_parse(tape, line.data, line.len, &gh_json_limits_trusted) != GH_JSON_OK) {
        fputs("? ", stdout);
        ctl_put_text(stdout, line.data, line.len, 0);
        putchar('\n');
        return;
    }
    printf("%-8" PRIu64 " ", number_of(tail, gh_tape_get_lit(tape, 0, "seq")));
    ctl_put_time(stdout, number_of(tail, gh_tape_get_lit(tape, 0, "time")));
    putchar(' ');
    put_member(tail, gh_tape_get_lit(tape, 0, "severity"), 8);
    putchar(' ');
    put_member(tail, gh_tape_get_lit(tape, 0, "sender"), 12);
    putchar(' ');
    put_member(tail, gh_tape_get_lit(tape, 0, "kind"), 0);
    for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
        uint32_t node = gh_tape_get(tape, 0, extra[i], strlen(extra[i]));
        if (node == GH_TAPE_NONE) continue;
        printf(" %s=", extra[i]);
        put_member(tail, node, 0);
    }
    uint64_t count = number_of(tail, gh_tape_get_lit(tape, 0, "count"));
    if (count > 1) printf(" count=%" PRIu64, count);
    uint32_t fields = gh_tape_get_lit(tape, 0, "fields");
    if (fields != GH_TAPE_NONE && gh_tape_kind(tape, fields) == GH_JSON_OBJ) {
        for (uint32_t k = fields + 1; k < tape->nodes[fields].next; k = tape->nodes[k + 1].next) {
            putchar(' ');
            put_member(tail, k, 0);
            putchar('=');
            put_member(tail, k + 1, 0);
        }
    }
    putchar('\n');
}

static int take_lines(void *ctx, const void *body)
{
    struct tail *tail = ctx;
    const Gh__AuditTailed *tailed = body;

    for (size_t i = 0; i < tailed->n_lines; i++) {
        if (tail->json)
            printf("%.*s\n", (int)tailed->lines[i].len, (const char *)tailed->lines[i].data);
        else
            print_record(tail, tailed->lines[i]);
    }
    tail->shown = tailed->n_lines;
    tail->last_seq = tailed->last_seq;
    return CTL_OK;
}

static int ask_lines(struct ctl *ctl, struct tail *tail, uint64_t limit)
{
    Gh__AuditTail msg = GH__AUDIT_TAIL__INIT;

    msg.limit = (uint32_t)(limit < TAIL_MAX ? limit : TAIL_MAX);
    msg.after_seq = tail->last_seq;
    return ctl_ask(ctl, GH_ROLE_AUDIT, GH__ENVELOPE__BODY_AUDIT_TAIL, &msg,
                   GH__ENVELOPE__BODY_AUDIT_TAILED, take_lines, tail);
}

int cmd_audit_tail(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    const char *limit_text = "20", *after_text = NULL;
    bool follow = false;
    const struct ctl_option options[] = {
        { "-n", &limit_text, .arg = "N", .help = "so many records (default 20, at most 1000)" },
        { "--limit", &limit_text, .arg = "N", .help = "the same" },
        { "--after", &after_text, .arg = "SEQ", .help = "those after this one, not the newest" },
        { "--follow", .flag = &follow, .help = "go on as they come" },
        { 0 },
    };
    struct tail tail = { .json = ctl->json };
    struct ctl_args args;
    uint64_t limit = 0;
    int status;

    if (!ctl_parse(self, options, argc, argv, 0, 0, &args, &status)) return status;
    if (!ctl_number(limit_text, TAIL_MAX, &limit) || limit == 0)
        return ctl_usage(self, "-n %s is no number from 1 to %u", limit_text, TAIL_MAX);
    if (after_text != NULL && !ctl_number(after_text, UINT64_MAX / 2, &tail.last_seq))
        return ctl_usage(self, "--after %s is no number", after_text);
    gh_tape_init(&tail.tape);
    do {
        status = ask_lines(ctl, &tail, limit);
        if (status == CTL_OK && tail.shown > 0 && tail.shown < limit) {
            limit -= tail.shown; /* older ones come from the files, in parts */
            continue;
        }
        fflush(stdout);
        if (!follow) break;
        limit = TAIL_MAX;
        if (tail.shown == 0) usleep(500000);
    } while (status == CTL_OK && (follow || tail.shown > 0));
    gh_tape_done(&tail.tape);
    return status;
}

/* ---- verify ---- */

static void print_json(const struct audit_verdict *v)
{
    printf("{\"ok\":%s,\"records\":%" PRIu64 ",\"segments\":%" PRIu64 ",\"firstSeq\":%" PRIu64
           ",\"lastSeq\":%" PRIu64 ",\"unanchored\":%" PRIu64 ",\"unfinishedBytes\":%" PRIu64
           ",\"anchorSeq\":",
           v->problem_count == 0 ? "true" : "false", v->records, v->segments, v->first_seq,
           v->last_seq, v->unanchored, v->unfinished_bytes);
    if (v->anchored)
        printf("%" PRIu64, v->anchor.seq);
    else
        fputs("null", stdout);
    printf(",\"problemCount\":%" PRIu64 ",\"problems\":[", v->problem_count);
    for (size_t i = 0; i < v->problem_count && i < AUDIT_PROBLEMS_MAX; i++) {
        const struct audit_problem *p = &v->problems[i];
        printf("%s{\"file\":\"%s\",\"line\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"problem\":",
               i > 0 ? "," : "", p->file, p->line, p->seq);
        ctl_put_json(stdout, p->text, strlen(p->text));
        putchar('}');
    }
    puts("]}");
}

static void print_verdict(const struct audit_verdict *v)
{
    for (size_t i = 0; i < v->problem_count && i < AUDIT_PROBLEMS_MAX; i++) {
        const struct audit_problem *p = &v->problems[i];
        fputs(p->file, stdout);
        if (p->line > 0) printf(":%" PRIu64, p->line);
        if (p->seq > 0) printf(": seq %" PRIu64, p->seq);
        printf(": %s\n", p->text);
    }
    if (v->problem_count > AUDIT_PROBLEMS_MAX)
        printf("... and %" PRIu64 " more\n", v->problem_count - AUDIT_PROBLEMS_MAX);
    printf("%s: %" PRIu64 " records (%" PRIu64 " to %" PRIu64 ") in %" PRIu64 " segments",
           v->problem_count == 0 ? "intact" : "NOT INTACT", v->records, v->first_seq, v->last_seq,
           v->segments);
    if (v->anchored)
        printf(", anchored up to %" PRIu64, v->anchor.seq);
    else
        fputs(", no anchor: a cut tail would not show", stdout);
    if (v->anchored && v->unanchored > 0)
        printf("; %" PRIu64 " after the anchor, never acknowledged", v->unanchored);
    if (v->unfinished_bytes > 0)
        printf("; %" PRIu64 " bytes of an unfinished record at the end", v->unfinished_bytes);
    putchar('\n');
}

int cmd_audit_verify(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    const char *dir = NULL, *key = NULL, *anchor = NULL;
    bool no_anchor = false;
    const struct ctl_option options[] = {
        { "--dir", &dir, .arg = "DIR", .help = "the log (audit.dir)" },
        { "--key", &key, .arg = "FILE", .help = "its public key, PEM" },
        { "--anchor", &anchor, .arg = "FILE", .help = "audit.anchor_file, or a copy of it" },
        { "--no-anchor", .flag = &no_anchor, .help = "without: a cut tail will not show" },
        { 0 },
    };
    struct audit_verdict *verdict;
    struct ctl_args args;
    int status;

    if (!ctl_parse(self, options, argc, argv, 0, 0, &args, &status)) return status;
    if (dir == NULL || key == NULL || (anchor == NULL) == !no_anchor)
        return ctl_usage(self, "--dir, --key, and --anchor or --no-anchor");
    verdict = malloc(sizeof(*verdict));
    if (verdict == NULL) return CTL_AWAY;
    enum gh_err err = audit_verify_dir(dir, key, anchor, verdict);
    if (err != GH_OK) {
        free(verdict);
        return CTL_AWAY;
    }
    if (ctl->json)
        print_json(verdict);
    else
        print_verdict(verdict);
    status = verdict->problem_count == 0 ? CTL_OK : CTL_WRONG;
    free(verdict);
    return status;
}
