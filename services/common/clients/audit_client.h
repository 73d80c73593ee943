/*
 * audit_client - how every service says what happened.
 *
 *     gh_audit_emit(audit, GH_SEV_WARNING, "handshake.refused",
 *                   &(struct gh_audit_event){
 *                       .request_id = gh_bytes_str(request_id),
 *                       .address = gh_bytes_str(address),
 *                       .code = "unauthenticated",
 *                       .fields = { { "reason", gh_bytes_str("expired") },
 *                                   { "head_bytes", .number = head_bytes } } });
 *
 * gh_audit_emit never blocks on another process, never fails its caller and copies all it needs.
 *
 * Warning and above are numbered and written to the spool (write(2), so that they survive kill -9
 * of this process) before gh_audit_emit returns, sent in batches, and kept until the audit service
 * has them on disk. They are never dropped and never summed. What a dead process left in the spool
 * folder is adopted by the next one that starts there and sent under its own name, so the audit
 * service writes each event exactly once.
 *
 * Info and notice live in memory only. The first GH_AUDIT_SINGLE_MAX of one (kind, code, address)
 * in a second are kept as they are, the rest of that second are summed into one with a count. When
 * the audit service is away and GH_AUDIT_QUEUE_BYTES are waiting, further ones are dropped and
 * counted (gatehouse_audit_client_dropped_total, and an event audit.dropped once it is back).
 *
 * Size cap: when unacknowledged warnings reach spool.max_bytes, gh_audit_full() becomes true and
 * the ready check "audit_spool" fails: the service must take on no new work (an edge answers
 * handshakes with `unavailable`) until it is false again. Warnings of the work in hand are still
 * written, past the cap. If the disk refuses the write, they wait in memory (GH_AUDIT_MEMORY_BYTES)
 * and are written when it recovers; only past that are they put on the log in full
 * (event=audit_unspooled), which is the last thing that cannot be full without the operator seeing.
 *
 * Values longer than their limit are cut. Never pass secrets, tokens or message content.
 * Single-threaded, on the service's loop. Open before gh_service_sandbox(); after that it opens
 * files only to adopt spools, so a process in GH_SANDBOX_PURE holds none of these: its parent
 * speaks for it.
 */
#ifndef GH_AUDIT_CLIENT_H
#define GH_AUDIT_CLIENT_H

#include "common/client.h"
#include "common/code.h"

#include <stdbool.h>
#include <stdint.h>

#define GH_AUDIT_FIELDS_MAX   16u
#define GH_AUDIT_KIND_MAX     64u  /* [a-z0-9_.] */
#define GH_AUDIT_NAME_MAX     32u  /* [a-z0-9_] */
#define GH_AUDIT_VALUE_MAX    512u /* a field's value */
#define GH_AUDIT_ID_MAX       256u /* request_id, session_id, user, address, code */
#define GH_AUDIT_BATCH_MAX    512u
#define GH_AUDIT_SINGLE_MAX   8u
#define GH_AUDIT_QUEUE_BYTES  (1u << 20)
#define GH_AUDIT_MEMORY_BYTES (4u << 20)

struct gh_service;
struct gh_audit;

struct gh_audit_field {
    const char *name; /* ours, fixed; NULL ends the list */
    ProtobufCBinaryData value;
    uint64_t number; /* written in decimal when value.data is NULL */
};

/* All optional; absent ones are left out of the record. */
struct gh_audit_event {
    ProtobufCBinaryData request_id;
    ProtobufCBinaryData session_id;
    ProtobufCBinaryData user;
    ProtobufCBinaryData address;
    const char *code; /* gh_code_info(code)->name when the event is a refusal */
    struct gh_audit_field fields[GH_AUDIT_FIELDS_MAX];
};

/* endpoint: endpoints.audit of the configuration. Opens the spool in `spool.dir` (default
 * ${state_dir}/spool), adopts what dead processes left there. The service owns nothing: free it
 * before gh_service_exit. Errors: GH_ERR_IO when the spool cannot be made, GH_ERR_CONFIG,
 * GH_ERR_NOMEM. */
GH_NODISCARD enum gh_err gh_audit_new(struct gh_service *service, const char *endpoint,
                                      struct gh_audit **ret_audit);

/* Without a service, for tests and tools: config.on_* and ctx are ignored. */
struct gh_audit_config {
    uv_loop_t *loop;
    struct gh_client_config client;
    const char *spool_dir;
    uint64_t spool_max_bytes; /* 0: 256 MiB */
    uint64_t adopt_ms;        /* how often to look for dead spools after the start; 0: never */
};
GH_NODISCARD enum gh_err gh_audit_open(const struct gh_audit_config *config,
                                       struct gh_audit **ret_audit);

/* Unacknowledged events (info and notice too) stay in the spool for the next start. NULL is a
 * no-op. Its loop handles are closed: run the loop once more after, as gh_service_exit does. */
void gh_audit_free(struct gh_audit *audit);

/* audit NULL is a no-op. severity is an enum gh_severity; kind is ours and fixed. event may be
 * NULL. */
void gh_audit_emit(struct gh_audit *audit, enum gh_severity severity, const char *kind,
                   const struct gh_audit_event *event);

bool gh_audit_full(const struct gh_audit *audit);

/* What waits for the audit service's acknowledgement: warnings and above, then the rest. */
uint64_t gh_audit_unacked_bytes(const struct gh_audit *audit);
bool gh_audit_idle(const struct gh_audit *audit); /* nothing of ours waits */

#endif
