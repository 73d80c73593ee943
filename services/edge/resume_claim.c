#include "resume_claim.h"

#include <string.h>

static bool is_base64url(struct span span)
{
    for (size_t i = 0; i < span.len; i++) {
        char c = span.data[i];

        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_'))
            return false;
    }
    return true;
}

/* Decimal, without a sign, leading zeros or more digits than such a number has. */
static bool parse_seq(struct span span, uint64_t *ret_seq)
{
    uint64_t seq = 0;

    if (span.len == 0 || span.len > 16 || (span.len > 1 && span.data[0] == '0')) return false;
    for (size_t i = 0; i < span.len; i++) {
        if (span.data[i] < '0' || span.data[i] > '9') return false;
        seq = seq * 10 + (uint64_t)(span.data[i] - '0');
    }
    if (seq > RESUME_SEQ_MAX) return false;
    *ret_seq = seq;
    return true;
}

static bool parse(struct span text, struct resume_claim *ret_claim)
{
    const size_t prefix = sizeof RESUME_PROTOCOL - 1;
    const size_t dot1 = prefix + RESUME_SESSION_LEN, dot2 = dot1 + 1 + RESUME_SECRET_LEN;
    struct resume_claim claim;
    struct span seq;

    if (text.len <= dot2 + 1 || text.data[dot1] != '.' || text.data[dot2] != '.') return false;
    claim.session_id = (struct span){ text.data + prefix, RESUME_SESSION_LEN };
    claim.secret = (struct span){ text.data + dot1 + 1, RESUME_SECRET_LEN };
    seq = (struct span){ text.data + dot2 + 1, text.len - dot2 - 1 };
    if (!is_base64url(claim.session_id) || !is_base64url(claim.secret) ||
        !parse_seq(seq, &claim.last_seq))
        return false;
    *ret_claim = claim;
    return true;
}

enum gh_code resume_claim_find(const struct head *head, struct resume_claim *ret_claim,
                               const char **ret_reason)
{
    struct resume_claim claim = { 0 };

    for (size_t i = 0; i < head->n_protocols; i++) {
        if (!span_starts(head->protocols[i], RESUME_PROTOCOL)) continue;
        if (claim.session_id.data != NULL) {
            *ret_reason = "more than one session to resume";
            return GH_CODE_BAD_REQUEST;
        }
        if (!parse(head->protocols[i], &claim)) {
            *ret_reason = "malformed resume";
            return GH_CODE_BAD_REQUEST;
        }
    }
    *ret_claim = claim;
    return GH_CODE_OK;
}
