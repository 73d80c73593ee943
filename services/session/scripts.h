/*
 * scripts - what happens to sessions, atomically, inside Redis and by its clock.
 *
 * Nothing changes a session but these. KEYS of all: live, born (keys.h). ARGV begins for all with
 *   base, keep_ms (how long a tombstone outlives the credential), slack_ms
 * A tombstone lives until the last credential bound to the session has expired and keep_ms more, at
 * most 31 days. slack_ms is added to every deadline: how long Redis or every session service was
 * away, when no edge could touch what is alive.
 *
 * Record fields: u user, a address, g agent, r route, e edge, b its boot id, k token id, x expiry
 * (ms), c created, t touched, v when the CSRF token was made, i and o messages in and out, m stamp
 * of the index entry, R roles.
 *
 * Those that end are returned as {id, code, address, stamp}; address and stamp are what the indexes
 * need, empty when the record was lost. The state machine of DESIGN section 6 is the presence of id
 * in `live`: who is not in it cannot come back, since nothing adds an id but a creation with a new
 * one.
 */
#ifndef SESSION_SCRIPTS_H
#define SESSION_SCRIPTS_H

#include "common/redis.h"

/* ARGV: id, idle_ms, max_age_ms, limit, policy (0 refuse, 1 end the oldest), credential's expiry,
 * then u, a, g, r, e, b, k, m, R. Returns {code, expires, retry_after, ended...}. */
extern struct gh_script session_script_create;

/* ARGV: idle_ms, edge, boot id, rotate_ms, then id, in, out for each. Returns {gone, due}: those
 * that do not live (here) any more, and the ids whose CSRF token is due for rotation. */
extern struct gh_script session_script_touch;

/* ARGV: id, idle_ms, max_age_ms, credential's expiry, token id. Returns {code, expires}. */
extern struct gh_script session_script_renew;

/* ARGV: code, max_age_ms, address or "" (only those from it), then ids; none: all of the user. An
 * id that does not live gets its tombstone all the same. Returns those that ended. */
extern struct gh_script session_script_end;

/* ARGV: from, count (ranks by age), or -1, 0 and ids. Returns {id, fields as HGETALL}... */
extern struct gh_script session_script_fetch;

/* ARGV: stale_before (stamps older than this second, in hex), then id, stamp for each. Returns
 * those that ended now, and with code 0 those whose index entry names nothing. */
extern struct gh_script session_script_sweep;

#endif
