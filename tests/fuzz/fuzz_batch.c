/* A frame off the bus that says it is a ValidateBatch: unpacked, judged, answered. Whatever the
 * bytes, every item has a verdict, and what is accepted is one strict, canonical JSON text without
 * the token. Corpus: envelopes as they travel. */
#include "common/bus_internal.h"
#include "common/json/tape.h"
#include "common/json/writer.h"
#include "handlers.h"
#include "policy/bundle.h"
#include "replay/replay.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char yaml[] =
    "route: main\n"
    "limits: { depth: 16, schema_steps: 20000 }\n"
    "unsafe_keys: remove\n"
    "types:\n"
    "  chat: { send: [user], receive: [user], rate: c, schema: s.json }\n"
    "  rich: { send: ['*'], csrf: exempt, sanitize: rich }\n"
    "  strip: { send: ['*'], csrf: exempt, sanitize: strip }\n"
    "  files:\n"
    "    send: ['*']\n"
    "    csrf: exempt\n"
    "    sanitize: { default: reject, /payload/*/name: filename, /payload/0: path, /payload/u: url,"
    " /payload/p: plain }\n"
    "  pay: { send: ['*'], csrf: exempt, replay: { window: 30s } }\n"
    "  out: { receive: ['*'], outbound: { redact: [cards, jwt, private_keys, cloud_keys,"
    " /payload/x/*] } }\n"
    "binary: { kinds: [png, zip], send: [user], max_bytes: 1KiB }\n";
static const char schema[] =
    "{\"type\":\"object\",\"properties\":{\"text\":{\"type\":\"string\",\"maxLength\":100},"
    "\"n\":{\"multipleOf\":0.5},\"e\":{\"enum\":[1,\"a\",null]},\"l\":{\"uniqueItems\":true},"
    "\"self\":{\"$ref\":\"#\"}},\"patternProperties\":{\"^x+$\":{\"format\":\"date-time\"}},"
    "\"unevaluatedProperties\":false,\"anyOf\":[{\"required\":[\"text\"]},{\"minProperties\":2}]}";

static struct handlers *handlers;
static struct stats stats;
static struct gh_arena *arena;
static struct gh_tape tape;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct bundle *bundle = NULL;
    struct policy *policy = NULL;
    struct replay *replay = NULL;
    struct report report;
    int fd = -1;

    (void)argc;
    (void)argv;
    report_init(&report);
    if (bundle_new(&bundle) != GH_OK ||
        bundle_add(bundle, "p.yaml", yaml, sizeof yaml - 1) != GH_OK ||
        bundle_add(bundle, "s.json", schema, sizeof schema - 1) != GH_OK ||
        policy_load(bundle, &report, &policy) != GH_OK || replay_create(1, &fd) != GH_OK ||
        replay_map(fd, &replay) != GH_OK ||
        handlers_new(policy, replay, &stats, &handlers) != GH_OK ||
        gh_arena_new(GH_BUS_ARENA_MAX, &arena) != GH_OK)
        abort();
    close(fd);
    bundle_free(bundle);
    gh_tape_init(&tape);
    return 0;
}

static void check_output(ProtobufCBinaryData output, bool inbound)
{
    struct gh_buf again;

    if (gh_tape_parse(&tape, output.data, output.len, &gh_json_limits_trusted) != GH_JSON_OK)
        abort();
    if (gh_tape_kind(&tape, 0) != GH_JSON_OBJ) abort();
    if (gh_tape_get_lit(&tape, 0, "csrfToken") != GH_TAPE_NONE) abort();
    gh_buf_init(&again, 0);
    if (gh_json_write(&tape, 0, NULL, &again) != GH_OK || again.len != output.len ||
        memcmp(again.data, output.data, output.len) != 0)
        abort();
    gh_buf_done(&again);
    for (uint32_t i = 0; inbound && i < tape.n_nodes; i++)
        if ((tape.nodes[i].flags & GH_NODE_KEY) != 0 &&
            (gh_tape_str_eq_lit(&tape, i, "__proto__") ||
             gh_tape_str_eq_lit(&tape, i, "constructor")))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t call_id = 0;
    uint32_t arm = 0;
    const void *body = NULL;
    const Gh__ValidateBatch *batch;
    Gh__VerdictBatch *answer = NULL;

    gh_arena_reset(arena);
    if (gh_bus_decode(arena, data, size, &call_id, &arm, &body) != GH_OK ||
        arm != GH__ENVELOPE__BODY_VALIDATE_BATCH)
        return 0;
    batch = body;
    if (handlers_validate(handlers, 1, batch, &answer) != GH_OK) return 0;
    if (answer->n_verdicts != batch->n_items) abort();
    for (size_t i = 0; i < answer->n_verdicts; i++) {
        const Gh__Verdict *v = answer->verdicts[i];

        if (v->code >= GH_CODE_COUNT || (v->code != GH_CODE_OK && v->output.len != 0)) abort();
        if (v->id.len > 64) abort();
        if (v->code == GH_CODE_OK && !batch->items[i]->binary)
            check_output(v->output, batch->items[i]->direction == 0);
    }
    return 0;
}
