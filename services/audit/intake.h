/*
 * intake - is this AuditAppend one we take?
 *
 * Pure. What is refused here is refused for good, so the limits are those that audit_client cuts
 * to (common/clients/audit_client.h).
 */
#ifndef AUDIT_INTAKE_H
#define AUDIT_INTAKE_H

#include "ledger.h"

#include <audit.pb-c.h>

/* Names as NUL-ended copies. Errors: GH_ERR_BAD_MESSAGE. */
GH_NODISCARD enum gh_err intake_check(const Gh__AuditAppend *msg,
                                      char ret_sender[LEDGER_NAME_MAX + 1],
                                      char ret_spool[LEDGER_NAME_MAX + 1]);

#endif
