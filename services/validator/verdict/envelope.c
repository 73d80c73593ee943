#include "verdict/envelope.h"

#include <string.h>

static bool string_within(const struct gh_tape *tape, uint32_t node, uint32_t min, uint32_t max)
{
    uint32_t len;

    if (gh_tape_kind(tape, node) != GH_JSON_STR) return false;
    len = gh_tape_str_len(tape, node);
    return len >= min && len <= max;
}

/* Where the value of this member goes, or NULL for a member nobody knows. */
static uint32_t *member(const struct gh_tape *tape, uint32_t key, struct envelope *env)
{
    switch (gh_tape_str_len(tape, key)) {
    case 2: return gh_tape_str_eq_lit(tape, key, "id") ? &env->id : NULL;
    case 4: return gh_tape_str_eq_lit(tape, key, "type") ? &env->type : NULL;
    case 7: return gh_tape_str_eq_lit(tape, key, "payload") ? &env->payload : NULL;
    case 9:
        if (gh_tape_str_eq_lit(tape, key, "csrfToken")) return &env->csrf;
        return gh_tape_str_eq_lit(tape, key, "timestamp") ? &env->timestamp : NULL;
    default: return NULL;
    }
}

static struct envelope_problem judge_values(const struct gh_tape *tape, struct envelope *env)
{
    if (env->type == GH_TAPE_NONE)
        return (struct envelope_problem){ "envelope: type is missing", "" };
    if (!string_within(tape, env->type, 1, ENVELOPE_TYPE_MAX))
        return (struct envelope_problem){ "envelope: type is not a string of 1 to 64 bytes",
                                          "/type" };
    if (env->payload == GH_TAPE_NONE)
        return (struct envelope_problem){ "envelope: payload is missing", "" };
    if (env->timestamp != GH_TAPE_NONE &&
        (gh_tape_uint64(tape, env->timestamp, &env->timestamp_ms) != GH_OK ||
         env->timestamp_ms > ENVELOPE_TIMESTAMP_MAX))
        return (struct envelope_problem){ "envelope: timestamp is not a count of milliseconds",
                                          "/timestamp" };
    if (env->csrf != GH_TAPE_NONE && !string_within(tape, env->csrf, 0, ENVELOPE_CSRF_MAX))
        return (struct envelope_problem){ "envelope: csrfToken is not a short string",
                                          "/csrfToken" };
    return (struct envelope_problem){ NULL, "" };
}

struct envelope_problem envelope_read(const struct gh_tape *tape, struct envelope *ret_envelope)
{
    struct envelope env = {
        GH_TAPE_NONE, GH_TAPE_NONE, GH_TAPE_NONE, GH_TAPE_NONE, GH_TAPE_NONE, 0
    };
    struct envelope_problem problem = { NULL, "" };

    if (gh_tape_kind(tape, 0) != GH_JSON_OBJ) {
        *ret_envelope = env;
        return (struct envelope_problem){ "envelope: not an object", "" };
    }
    for (uint32_t key = 1; key < tape->nodes[0].next; key = tape->nodes[key + 1].next) {
        uint32_t *at = member(tape, key, &env);

        if (at != NULL)
            *at = key + 1;
        else if (problem.rule == NULL)
            problem.rule = "envelope: a member that is none of type, payload, timestamp, "
                           "csrfToken, id";
    }
    if (env.id != GH_TAPE_NONE && !string_within(tape, env.id, 1, ENVELOPE_ID_MAX)) {
        env.id = GH_TAPE_NONE;
        if (problem.rule == NULL)
            problem =
                (struct envelope_problem){ "envelope: id is not a string of 1 to 64 bytes", "/id" };
    }
    if (problem.rule == NULL) problem = judge_values(tape, &env);
    *ret_envelope = env;
    return problem;
}
