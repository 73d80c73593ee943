#include "offline.h"

#include "auth.h"

#include "common/clock.h"
#include "common/json/builder.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CONFIG "/etc/gatehouse/gatehouse.yaml"
#define LINE_MAX_BYTES (4u << 20)

static const struct gh_json_limits line_limits = {
    .max_bytes = LINE_MAX_BYTES,
    .max_depth = 3,
    .max_nodes = 64,
    .max_members = 16,
    .max_items = 16,
    .max_string_bytes = LINE_MAX_BYTES,
    .max_key_bytes = 64,
    .max_number_chars = 32,
};

struct options {
    const char *config;
    int64_t now_ms; /* 0: the clock */
};

bool offline_asked(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "--offline") == 0;
}

static bool parse_options(int argc, char **argv, struct options *ret_options)
{
    struct options o = { .config = DEFAULT_CONFIG };

    if (argc < 4 || strcmp(argv[2], "token") != 0 || strcmp(argv[3], "verify") != 0) return false;
    for (int i = 4; i < argc; i += 2) {
        if (i + 1 == argc) return false;
        if (strcmp(argv[i], "--config") == 0) {
            o.config = argv[i + 1];
        } else if (strcmp(argv[i], "--now") == 0) {
            char *end;

            o.now_ms = strtoll(argv[i + 1], &end, 10) * 1000;
            if (*end != '\0' || o.now_ms <= 0) return false;
        } else {
            return false;
        }
    }
    *ret_options = o;
    return true;
}

/* The token of a line, decoded into dst (as long as the line), and its own clock. */
static bool parse_line(struct gh_tape *tape, const char *line, size_t len, char *dst,
                       const char **ret_token, size_t *ret_len, int64_t *now_ms)
{
    uint32_t token = 0, now;
    int64_t seconds;

    if (gh_tape_parse(tape, line, len, &line_limits) != GH_JSON_OK) return false;
    if (gh_tape_kind(tape, 0) == GH_JSON_OBJ) {
        token = gh_tape_get_lit(tape, 0, "token");
        now = gh_tape_get_lit(tape, 0, "now");
        if (now != GH_TAPE_NONE) {
            if (gh_tape_int64(tape, now, &seconds) != GH_OK) return false;
            *now_ms = seconds * 1000;
        }
    }
    if (token == GH_TAPE_NONE || gh_tape_kind(tape, token) != GH_JSON_STR) return false;
    *ret_token = gh_tape_str(tape, token, dst, ret_len);
    return true;
}

static void print_identity(struct gh_json *j, const struct identity *identity,
                           const struct role_set *roles)
{
    gh_json_kv_str_n(j, "user", identity->user, identity->user_len);
    gh_json_kv_str(j, "issuer", identity->issuer->rule.name);
    gh_json_kv_str(j, "keyId", identity->kid);
    gh_json_kv_str_n(j, "tokenId", identity->token_id, identity->token_id_len);
    gh_json_kv_int(j, "expiresAt", identity->expires_ms);
    gh_json_key(j, "roles");
    gh_json_begin_array(j);
    for (size_t i = 0; i < roles->count; i++)
        gh_json_str(j, roles->names[i]);
    gh_json_end_array(j);
}

static bool judge_line(const struct auth_rules *rules, const struct options *o,
                       struct gh_tape *tape, uint64_t number, const char *line, size_t len,
                       char *scratch)
{
    int64_t now_ms = o->now_ms != 0 ? o->now_ms : gh_clock_wall_ms();
    const char *grants[VERIFY_GRANTS_MAX];
    struct identity identity;
    struct role_set roles = { 0 };
    enum auth_reason reason = AUTH_OK;
    const char *token = NULL;
    size_t token_len = 0;
    bool understood = parse_line(tape, line, len, scratch, &token, &token_len, &now_ms);
    struct gh_buf out;
    struct gh_json j;

    if (understood) reason = verifier_check(rules->verifier, token, token_len, now_ms, &identity);
    if (understood && reason == AUTH_OK) {
        for (size_t i = 0; i < identity.grant_count; i++)
            grants[i] = identity.grants[i];
        if (role_table_expand(rules->roles, grants, identity.grant_count, &roles) != GH_OK)
            reason = AUTH_ROLES_MANY;
    }
    gh_buf_init(&out, 0);
    gh_json_init(&j, &out);
    gh_json_begin_object(&j);
    gh_json_kv_uint(&j, "line", number);
    gh_json_kv_bool(&j, "valid", understood && reason == AUTH_OK);
    if (!understood)
        gh_json_kv_str(&j, "reason", "not_a_request");
    else if (reason != AUTH_OK)
        gh_json_kv_str(&j, "reason", auth_reason_name(reason));
    else
        print_identity(&j, &identity, &roles);
    gh_json_end_object(&j);
    if (gh_json_finish(&j) == GH_OK) printf("%.*s\n", (int)out.len, out.data);
    gh_buf_done(&out);
    return understood && reason == AUTH_OK;
}

static int judge_all(const struct auth_rules *rules, const struct options *o)
{
    char *line = NULL, *scratch = NULL;
    size_t cap = 0, scratch_cap = 0;
    struct gh_tape tape;
    uint64_t number = 0;
    bool all = true;
    ssize_t len;

    gh_tape_init(&tape);
    while ((len = getline(&line, &cap, stdin)) >= 0) {
        if (len > 0 && line[len - 1] == '\n') len--;
        number++;
        if (len == 0) continue;
        if (scratch_cap < cap) {
            free(scratch);
            scratch = malloc(cap);
            scratch_cap = scratch != NULL ? cap : 0;
            if (scratch == NULL) {
                all = false;
                break;
            }
        }
        if (!judge_line(rules, o, &tape, number, line, (size_t)len, scratch)) all = false;
    }
    gh_tape_done(&tape);
    free(line);
    free(scratch);
    return fflush(stdout) != 0 ? 2 : all ? 0 : 1;
}

int offline_main(int argc, char **argv)
{
    struct gh_config *config = NULL;
    struct auth_rules rules = { 0 };
    struct options o;
    int status = 2;

    if (!parse_options(argc, argv, &o)) {
        bool asked = argc == 5 && strcmp(argv[4], "--help") == 0;

        fprintf(asked ? stdout : stderr,
                "usage: gatehousectl token verify [--config FILE] [--now SECONDS] < NDJSON\n"
                "  each line: {\"token\":\"...\"} or \"...\"\n");
        return asked ? 0 : 2;
    }
    gh_log_init("auth", "offline");
    if (gh_config_load(o.config, NULL, &config) == GH_OK &&
        auth_rules_load(config, &rules) == GH_OK) {
        status = judge_all(&rules, &o);
        auth_rules_done(&rules);
    }
    gh_config_free(config);
    return status;
}
