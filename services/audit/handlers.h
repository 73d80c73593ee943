/*
 * handlers - what the audit service answers, and the one object it is.
 */
#ifndef AUDIT_HANDLERS_H
#define AUDIT_HANDLERS_H

#include "config.h"

#include "common/server.h"
#include "common/service.h"

struct audit;

/* Recovers the log; see store_new for the errors. */
GH_NODISCARD enum gh_err audit_new(struct gh_service *service, const struct audit_config *config,
                                   struct audit **ret_audit);
void audit_free(struct audit *audit);
enum gh_err audit_outcome(const struct audit *audit); /* why the loop ended; GH_OK: was asked to */

extern const struct gh_route audit_routes[];

#endif
