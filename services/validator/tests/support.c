#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static enum gh_err load(const char *yaml, const char *name2, const char *text2,
                        struct report *report, struct policy **ret_policy)
{
    struct bundle *bundle = NULL;
    enum gh_err err;

    assert_int_equal(bundle_new(&bundle), GH_OK);
    assert_int_equal(bundle_add(bundle, "test.yaml", yaml, strlen(yaml)), GH_OK);
    if (name2 != NULL) assert_int_equal(bundle_add(bundle, name2, text2, strlen(text2)), GH_OK);
    err = policy_load(bundle, report, ret_policy);
    bundle_free(bundle);
    return err;
}

struct policy *support_policy(const char *yaml, const char *name2, const char *text2)
{
    struct policy *policy = NULL;
    struct report report;
    enum gh_err err;

    report_init(&report);
    err = load(yaml, name2, text2, &report, &policy);
    for (size_t i = 0; i < report.n_lines; i++)
        print_error("%s\n", report.lines[i]);
    report_done(&report);
    assert_int_equal(err, GH_OK);
    return policy;
}

void support_problems(const char *yaml, char *dst, size_t size)
{
    struct policy *policy = NULL;
    struct report report;
    size_t len = 0;

    report_init(&report);
    assert_int_equal(load(yaml, NULL, NULL, &report, &policy), GH_ERR_CONFIG);
    assert_null(policy);
    dst[0] = '\0';
    for (size_t i = 0; i < report.n_lines && len < size; i++)
        len += (size_t)snprintf(dst + len, size - len, "%s\n", report.lines[i]);
    report_done(&report);
}

struct support *support_new(struct policy *policy, const char *roles)
{
    struct support *s = calloc(1, sizeof *s);
    int fd = -1;

    assert_non_null(s);
    s->policy = policy;
    assert_int_equal(replay_create(4, &fd), GH_OK);
    assert_int_equal(replay_map(fd, &s->replay), GH_OK);
    close(fd);
    assert_int_equal(judge_new(policy, s->replay, &s->judge), GH_OK);
    s->context.route = policy_route_at(policy, 0);
    s->context.roles = policy_roles(policy, roles, strlen(roles));
    s->context.csrf = SUPPORT_CSRF;
    s->context.csrf_len = strlen(SUPPORT_CSRF);
    s->context.csrf_previous = SUPPORT_PREVIOUS;
    s->context.session = "session-1";
    s->context.session_len = 9;
    s->context.csrf_previous_len = strlen(SUPPORT_PREVIOUS);
    return s;
}

void support_free(struct support *support)
{
    if (support == NULL) return;
    judge_free(support->judge);
    replay_unmap(support->replay);
    policy_free(support->policy);
    free(support);
}

static void copy(const struct support *s, struct judge_span span, char *dst, size_t size)
{
    assert_true(span.len < size);
    if (span.len > 0) memcpy(dst, judge_bytes(s->judge) + span.off, span.len);
    dst[span.len] = '\0';
}

enum gh_code support_judge(struct support *s, const void *data, size_t len, bool outbound,
                           bool binary)
{
    /* An exact copy on the heap: a sanitizer sees every byte read past the end. */
    char *exact = malloc(len == 0 ? 1 : len);
    struct judge_item item = {
        .data = exact, .len = len, .outbound = outbound, .binary = binary, .now_ms = SUPPORT_NOW
    };

    assert_non_null(exact);
    if (len > 0) memcpy(exact, data, len);
    judge_begin(s->judge);
    judge_message(s->judge, &s->context, &item, &s->verdict);
    copy(s, s->verdict.output, s->output, sizeof s->output);
    copy(s, s->verdict.id, s->id, sizeof s->id);
    copy(s, s->verdict.pointer, s->pointer, sizeof s->pointer);
    copy(s, s->verdict.rule, s->rule, sizeof s->rule);
    free(exact);
    return s->verdict.code;
}
