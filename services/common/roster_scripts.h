/* What a roster does inside Redis. KEYS of all: items, exp, version,
 * log, epoch. The epoch is a random word that changes when numbers begin anew, so that nobody takes
 * version 7 of one history for version 7 of another. */
#ifndef GH_ROSTER_SCRIPTS_H
#define GH_ROSTER_SCRIPTS_H

/* ARGV: key, value, expires_ms, max_items, log_max. Returns {version, changed}; changed -1: full.
 */
#define ROSTER_ADD                                                                                 \
    "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"                                           \
    "local new = ARGV[3] .. ' ' .. ARGV[2]\n"                                                      \
    "local version = tonumber(redis.call('GET', KEYS[3]) or 0)\n"                                  \
    "if old == new then return {version, 0} end\n"                                                 \
    "if not old and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[4]) then return {version, -1} "   \
    "end\n"                                                                                        \
    "redis.call('HSET', KEYS[1], ARGV[1], new)\n"                                                  \
    "if ARGV[3] == '0' then redis.call('ZREM', KEYS[2], ARGV[1])\n"                                \
    "else redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1]) end\n"                                     \
    "version = redis.call('INCR', KEYS[3])\n"                                                      \
    "redis.call('XADD', KEYS[4], 'MAXLEN', ARGV[5], version .. '-1', 'k', ARGV[1], 'v', new)\n"    \
    "return {version, 1}\n"

/* ARGV: key, log_max. Returns {version, changed}. */
#define ROSTER_LIFT                                                                                \
    "if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then\n"                                          \
    "  return {tonumber(redis.call('GET', KEYS[3]) or 0), 0}\n"                                    \
    "end\n"                                                                                        \
    "redis.call('ZREM', KEYS[2], ARGV[1])\n"                                                       \
    "local version = redis.call('INCR', KEYS[3])\n"                                                \
    "redis.call('XADD', KEYS[4], 'MAXLEN', ARGV[2], version .. '-1', 'k', ARGV[1])\n"              \
    "return {version, 1}\n"

/* ARGV: version we have, log_max, a random word. Takes out what has expired, then returns
 * {version, epoch, entries}: the changes since (stream entries, at most 256), or {version, epoch}
 * when the log cannot tell. */
#define ROSTER_POLL                                                                                \
    "redis.call('SET', KEYS[5], ARGV[3], 'NX')\n"                                                  \
    "local epoch = redis.call('GET', KEYS[5])\n"                                                   \
    "local t = redis.call('TIME')\n"                                                               \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"                                          \
    "for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 64)) do\n" \
    "  redis.call('HDEL', KEYS[1], key)\n"                                                         \
    "  redis.call('ZREM', KEYS[2], key)\n"                                                         \
    "  local v = redis.call('INCR', KEYS[3])\n"                                                    \
    "  redis.call('XADD', KEYS[4], 'MAXLEN', ARGV[2], v .. '-1', 'k', key)\n"                      \
    "end\n"                                                                                        \
    "local version = tonumber(redis.call('GET', KEYS[3]) or 0)\n"                                  \
    "local since = tonumber(ARGV[1])\n"                                                            \
    "if since == version then return {version, epoch, {}} end\n"                                   \
    "if since > version then return {version, epoch} end\n"                                        \
    "local first = string.format('%.0f-1', since + 1)\n"                                           \
    "local log = redis.call('XRANGE', KEYS[4], first, '+', 'COUNT', 256)\n"                        \
    "if #log == 0 or log[1][1] ~= first then return {version, epoch} end\n"                        \
    "return {version, epoch, log}\n"

/* ARGV: version we have, a random word. Redis lost what we know: numbers go on from ours. */
#define ROSTER_RAISE                                                                               \
    "local version = tonumber(redis.call('GET', KEYS[3]) or 0)\n"                                  \
    "if version < tonumber(ARGV[1]) then\n"                                                        \
    "  redis.call('SET', KEYS[3], ARGV[1])\n"                                                      \
    "  redis.call('SET', KEYS[5], ARGV[2])\n"                                                      \
    "  redis.call('DEL', KEYS[4])\n"                                                               \
    "end\n"                                                                                        \
    "return 1\n"

#endif
