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
 * of the index entry, R roles. Of a resumable one also: h digest of the secret, n generation, w
 * window (ms), N and B most messages and bytes kept, l number of the last message, C bytes ever
 * kept, T the last turn of this generation, V cursors (packed, for C alone), d when it was
 * detached. base..'q:'..id is its stream, ids SEQ-0, fields f (1: binary), d data, c the value of C
 * with it; base..'p:'..id its topics.
 *
 * Those that end are returned as {id, code, address, stamp}; address and stamp are what the indexes
 * need, empty when the record was lost. The state machine of DESIGN section 6 is the presence of id
 * in `live`, and d: active without it, detached with it. Who is not in `live` cannot come back,
 * since nothing adds an id but a creation with a new one.
 */
#ifndef SESSION_SCRIPTS_H
#define SESSION_SCRIPTS_H

#include "common/redis.h"

/* ARGV: id, idle_ms, max_age_ms, limit, policy (0 refuse, 1 end the oldest), credential's expiry,
 * then u, a, g, r, e, b, k, m, R, and h ("": not resumable), w, N, B. Returns {code, expires,
 * retry_after, ended...}. */
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

/* ARGV: id, idle_ms, max_age_ms, credential's expiry, digest of the secret, last number seen,
 * grace_ms (beyond the window, for an edge that died without a word), then u, a, g, r, e, b, k, R,
 * and the new h, w, N, B. Returns {what, code, ended...}: "refused"; "unknown": no trace of it with
 * this user; "fresh": it is over, a new one may be had; or "resumed" and expires, n, l, m, 1 if it
 * was detached, V, topics, {f, d} of each message not seen. */
extern struct gh_script session_script_resume;

/* ARGV: for each item id, n, turn, first number, acknowledged up to, 1 to detach, V, how many
 * entries, how many topics, then f, d of each entry, and 1 (left) or 0, topic. Returns a code for
 * each: unavailable is a hole before the first number. */
extern struct gh_script session_script_append;

#endif
