#include "intake.h"

#include "common/clients/audit_client.h"

#include <string.h>

#define TIME_MAX_MS 253402300799999u /* the end of the year 9999 */

static bool copy_name(ProtobufCBinaryData name, char dst[LEDGER_NAME_MAX + 1])
{
    if (name.len == 0 || name.len > LEDGER_NAME_MAX) return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
        if (!ok) return false;
    }
    memcpy(dst, name.data, name.len);
    dst[name.len] = '\0';
    return true;
}

static bool word_ok(ProtobufCBinaryData word, size_t max, bool dots)
{
    if (word.len == 0 || word.len > max) return false;
    for (size_t i = 0; i < word.len; i++) {
        uint8_t c = word.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (dots && c == '.')))
            return false;
    }
    return true;
}

static bool event_ok(const Gh__AuditEvent *event)
{
    if (event->time_ms > TIME_MAX_MS || (unsigned)event->severity > GH_SEV_CRITICAL ||
        !word_ok(event->kind, GH_AUDIT_KIND_MAX, true) || event->n_fields > GH_AUDIT_FIELDS_MAX ||
        event->request_id.len > GH_AUDIT_ID_MAX || event->session_id.len > GH_AUDIT_ID_MAX ||
        event->user.len > GH_AUDIT_ID_MAX || event->address.len > GH_AUDIT_ID_MAX ||
        event->code.len > GH_AUDIT_ID_MAX)
        return false;
    if (event->count > 1 && (unsigned)event->severity >= GH_SEV_WARNING) return false;
    for (size_t i = 0; i < event->n_fields; i++) {
        const Gh__AuditField *field = event->fields[i];
        if (!word_ok(field->name, GH_AUDIT_NAME_MAX, false) ||
            field->value.len > GH_AUDIT_VALUE_MAX)
            return false;
    }
    return true;
}

enum gh_err intake_check(const Gh__AuditAppend *msg, char ret_sender[LEDGER_NAME_MAX + 1],
                         char ret_spool[LEDGER_NAME_MAX + 1])
{
    uint64_t last = 0;

    if (!copy_name(msg->sender, ret_sender) || !copy_name(msg->spool, ret_spool) ||
        msg->n_events == 0 || msg->n_events > GH_AUDIT_BATCH_MAX)
        return GH_ERR_BAD_MESSAGE;
    for (size_t i = 0; i < msg->n_events; i++) {
        const Gh__AuditEvent *event = msg->events[i];
        if (event->number <= last || !event_ok(event)) return GH_ERR_BAD_MESSAGE;
        last = event->number;
    }
    return GH_OK;
}
