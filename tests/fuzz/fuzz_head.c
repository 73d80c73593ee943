/* A request head: fed in two pieces; what is accepted must hold what head.h promises. What it
 * offers of permessage-deflate is answered with what pmd_offer.h allows, and a session it wants
 * back has the form of one. */
#include "pmd_offer.h"
#include "resume_claim.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void negotiate(const struct head *head)
{
    for (uint32_t bits = PMD_BITS_MIN; bits <= PMD_BITS_MAX; bits++)
        for (uint32_t mode = PMD_OFF; mode <= PMD_TAKEOVER; mode++) {
            const struct pmd_policy policy = { mode, bits };
            struct pmd_params params;
            char answer[PMD_ANSWER_MAX];

            if (!pmd_offer_choose(head->extensions, head->n_extensions, &policy, &params)) continue;
            if (mode == PMD_OFF || pmd_offer_answer(&params, answer) >= sizeof answer) abort();
            if (params.server_bits < PMD_BITS_MIN || params.server_bits > PMD_BITS_MAX) abort();
            if (params.client_takeover && params.client_bits > bits) abort();
            if (params.server_takeover && params.server_bits > bits) abort();
            if (mode == PMD_ON && (params.server_takeover || params.client_takeover)) abort();
        }
}

static void resume(const struct head *head)
{
    struct resume_claim claim;
    const char *reason = NULL;

    if (resume_claim_find(head, &claim, &reason) != GH_CODE_OK) {
        if (reason == NULL) abort();
        return;
    }
    if (claim.session_id.data == NULL) return;
    if (claim.session_id.len != RESUME_SESSION_LEN || claim.secret.len != RESUME_SECRET_LEN ||
        claim.last_seq > RESUME_SEQ_MAX || claim.secret.data <= claim.session_id.data)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct head_limits limits = { 4096, 32, 1024 };
    struct head_scanner whole = { 0 }, parts = { 0 };
    const char *reason = NULL;
    struct head head;
    enum head_scan scan, half;
    char *text = malloc(size + 1);

    if (text == NULL) return 0;
    memcpy(text, data, size);
    scan = head_scan(&whole, &limits, text, size);
    half = head_scan(&parts, &limits, text, size / 2);
    if (half == HEAD_MORE) half = head_scan(&parts, &limits, text, size);
    if (half != scan) abort();
    if (scan == HEAD_DONE) {
        if (whole.at > limits.max_bytes) abort();
        if (head_parse(text, whole.at, &limits, &head, &reason) == GH_CODE_OK) {
            if (head.path.len == 0 || head.path.data[0] != '/' || head.host.len == 0) abort();
            if (head.has_transfer_encoding) abort();
            negotiate(&head);
            resume(&head);
            if (head_judge_upgrade(&head, &reason) == GH_CODE_OK &&
                (head.method != HEAD_GET || head.ws_key.len != HEAD_KEY_LEN))
                abort();
        } else if (reason == NULL) {
            abort();
        }
    }
    free(text);
    return 0;
}
