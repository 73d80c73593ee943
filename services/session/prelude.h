/*
 * prelude - what every script of the session service begins with: the codes, the arguments all have
 * (scripts.h), the time, and how a session ends.
 */
#ifndef SESSION_PRELUDE_H
#define SESSION_PRELUDE_H

#include "common/code.h"

/* Codes as numbers inside Lua; held to code.h below. */
#define LUA_CODES                                                                                  \
    "local OK, FORBIDDEN, UNAVAILABLE, LIMIT, SUPERSEDED, ENDED = 0, 3, 13, 14, 15, 16\n"          \
    "local EXPIRED, IDLE, AWAY = 17, 18, 19\n"
_Static_assert(GH_CODE_OK == 0 && GH_CODE_FORBIDDEN == 3 && GH_CODE_UNAVAILABLE == 13 &&
                   GH_CODE_GOING_AWAY == 19 && GH_CODE_SESSION_LIMIT == 14 &&
                   GH_CODE_SUPERSEDED == 15 && GH_CODE_SESSION_ENDED == 16 &&
                   GH_CODE_TOKEN_EXPIRED == 17 && GH_CODE_IDLE == 18,
               "LUA_CODES");

/* dead(): why a session whose deadline has passed is dead. finish(): ends one. */
#define PRELUDE                                                                                    \
    LUA_CODES                                                                                      \
    "local live, born = KEYS[1], KEYS[2]\n"                                                        \
    "local base, keep, slack = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])\n"                    \
    "local t = redis.call('TIME')\n"                                                               \
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"                                          \
    "local function finish(id, code, out)\n"                                                       \
    "  local rec = base .. 's:' .. id\n"                                                           \
    "  local r = redis.call('HMGET', rec, 'a', 'm', 'x', 'y')\n"                                   \
    "  redis.call('DEL', rec, base .. 'q:' .. id, base .. 'p:' .. id)\n"                           \
    "  redis.call('ZREM', live, id)\n"                                                             \
    "  redis.call('ZREM', born, id)\n"                                                             \
    "  local till = math.max(now, tonumber(r[3] or 0), tonumber(r[4] or 0)) + keep\n"              \
    "  till = math.min(till, now + 31 * 86400000)\n"                                               \
    "  redis.call('SET', base .. 't:' .. id, code, 'PXAT', string.format('%.0f', till))\n"         \
    "  out[#out + 1] = {id, code, r[1] or '', r[2] or ''}\n"                                       \
    "end\n"                                                                                        \
    "local function dead(id)\n"                                                                    \
    "  local x = tonumber(redis.call('HGET', base .. 's:' .. id, 'x') or 0)\n"                     \
    "  if x > 0 and x <= now then return EXPIRED end\n"                                            \
    "  return IDLE\n"                                                                              \
    "end\n"

#endif
