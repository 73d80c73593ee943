/* Messages that are no text: only where the route says so, and only what they claim by their bytes.
 */
#include "sanitize/magic.h"
#include "verdict/judge_internal.h"

void judge_binary(struct trial *t)
{
    const struct policy_route *route = t->context->route;
    const struct policy_binary *binary = &route->binary;
    uint64_t may = t->item->outbound ? binary->type.receive : binary->type.send;

    if (binary->kinds == 0) {
        judge_refuse(t, GH_CODE_BINARY, "binary: not allowed on this route", "");
        return;
    }
    t->result->type = &binary->type;
    if ((may & t->context->roles) == 0 && !(t->item->outbound && t->context->any_receiver))
        judge_refuse(t, GH_CODE_ROLE, "role: may not send or receive binary messages", "");
    else if (t->item->len > binary->type.max_bytes)
        judge_refuse(t, GH_CODE_TOO_LARGE, "binary: more bytes than allowed", "");
    else if ((magic_detect(t->item->data, t->item->len) & binary->kinds) == 0)
        judge_refuse(t, GH_CODE_BINARY, "binary: not one of the allowed kinds", "");
    else
        t->result->output = judge_keep(t->judge, t->item->data, t->item->len);
    if (t->result->code == GH_CODE_OK && t->result->output.len != t->item->len)
        judge_refuse(t, GH_CODE_INTERNAL, "binary: out of memory", "");
}
