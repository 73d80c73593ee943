#include "scripts.h"
#include "prelude.h"

struct gh_script session_script_create = {
    .name = "session_create",
    .source = PRELUDE
    "local id, idle, max_age = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])\n"
    "local limit, policy, cred = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9])\n"
    "local ended = {}\n"
    "local gone = redis.call('ZRANGEBYSCORE', live, '-inf', now - slack, 'LIMIT', 0, 100)\n"
    "for _, other in ipairs(gone) do finish(other, dead(other), ended) end\n"
    "local expires = math.min(cred, now + max_age)\n"
    "if expires <= now then return {EXPIRED, 0, 0, ended} end\n"
    "if redis.call('EXISTS', base .. 't:' .. id) == 1 then return {ENDED, 0, 0, ended} end\n"
    "local over = redis.call('ZCARD', live) - limit\n"
    "if over >= 0 and policy == '0' then\n"
    "  local first = redis.call('ZRANGE', live, 0, 0, 'WITHSCORES')\n"
    "  local retry = math.min(math.max(tonumber(first[2]) - now, 1000), 60000)\n"
    "  return {LIMIT, 0, retry, ended}\n"
    "end\n"
    "if over >= 0 then\n"
    "  for _, other in ipairs(redis.call('ZRANGE', born, 0, over)) do\n"
    "    finish(other, SUPERSEDED, ended)\n"
    "  end\n"
    "end\n"
    "local rec = base .. 's:' .. id\n"
    "redis.call('HSET', rec, 'u', ARGV[10], 'a', ARGV[11], 'g', ARGV[12], 'r', ARGV[13],\n"
    "  'e', ARGV[14], 'b', ARGV[15], 'k', ARGV[16], 'm', ARGV[17], 'R', ARGV[18],\n"
    "  'x', expires, 'y', cred, 'c', now, 't', now, 'v', now, 'i', 0, 'o', 0)\n"
    "if ARGV[19] ~= '' then\n"
    "  redis.call('HSET', rec, 'h', ARGV[19], 'w', ARGV[20], 'N', ARGV[21], 'B', ARGV[22],\n"
    "    'n', 1, 'T', 0, 'l', 0, 'C', 0)\n"
    "end\n"
    "redis.call('ZADD', live, math.min(now + idle, expires), id)\n"
    /* Microseconds, and always after the last: two of one moment, or of a clock set back, keep
     * their order, which is what "the oldest" means. Exact in a double for 200 years. */
    "local at = t[1] * 1000000 + t[2]\n"
    "local last = redis.call('ZRANGE', born, -1, -1, 'WITHSCORES')[2]\n"
    "if last then at = math.max(at, tonumber(last) + 1) end\n"
    "redis.call('ZADD', born, string.format('%.0f', at), id)\n"
    /* Should every session service die for good, Redis forgets by itself. */
    "local till = string.format('%.0f', now + max_age + keep)\n"
    "redis.call('PEXPIREAT', rec, till)\n"
    "redis.call('PEXPIREAT', live, till)\n"
    "redis.call('PEXPIREAT', born, till)\n"
    "return {OK, expires, 0, ended}\n",
};

struct gh_script session_script_touch = {
    .name = "session_touch",
    .source = PRELUDE
    "local idle, edge, boot, rotate = tonumber(ARGV[4]), ARGV[5], ARGV[6], tonumber(ARGV[7])\n"
    "local gone, due = {}, {}\n"
    "for i = 8, #ARGV, 3 do\n"
    "  local id = ARGV[i]\n"
    "  if not redis.call('ZSCORE', live, id) then\n"
    "    local code = tonumber(redis.call('GET', base .. 't:' .. id) or ENDED)\n"
    "    gone[#gone + 1] = {id, code, '', ''}\n"
    "  else\n"
    "    local rec = base .. 's:' .. id\n"
    "    local r = redis.call('HMGET', rec, 'x', 'e', 'b', 'v', 'd')\n"
    "    local x = tonumber(r[1] or 0)\n"
    "    if not r[1] then finish(id, ENDED, gone)\n"
    "    elseif x <= now then finish(id, EXPIRED, gone)\n"
    "    elseif r[2] ~= edge or r[3] ~= boot then gone[#gone + 1] = {id, SUPERSEDED, '', ''}\n"
    "    elseif not r[5] then\n" /* not when it was detached meanwhile */
    "      if ARGV[i + 1] ~= '0' then redis.call('HINCRBY', rec, 'i', ARGV[i + 1]) end\n"
    "      if ARGV[i + 2] ~= '0' then redis.call('HINCRBY', rec, 'o', ARGV[i + 2]) end\n"
    "      if rotate > 0 and tonumber(r[4] or 0) + rotate <= now then\n"
    "        redis.call('HSET', rec, 't', now, 'v', now)\n"
    "        due[#due + 1] = id\n"
    "      else\n"
    "        redis.call('HSET', rec, 't', now)\n"
    "      end\n"
    "      redis.call('ZADD', live, 'XX', math.min(now + idle, x), id)\n"
    "    end\n"
    "  end\n"
    "end\n"
    "return {gone, due}\n",
};

struct gh_script session_script_renew = {
    .name = "session_renew",
    .source = PRELUDE
    "local id, idle, max_age, cred = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]), "
    "tonumber(ARGV[7])\n"
    "if not redis.call('ZSCORE', live, id) then\n"
    "  return {tonumber(redis.call('GET', base .. 't:' .. id) or ENDED), 0}\n"
    "end\n"
    "local rec = base .. 's:' .. id\n"
    "local r = redis.call('HMGET', rec, 'c', 'y')\n"
    "if not r[1] then return {ENDED, 0} end\n"
    "local expires = math.min(cred, tonumber(r[1]) + max_age)\n"
    "if expires <= now then return {EXPIRED, 0} end\n"
    /* y: the latest expiry of any credential it ever had; its tombstone outlives that. */
    "redis.call('HSET', rec, 'x', expires, 'y', math.max(cred, tonumber(r[2] or 0)),\n"
    "  'k', ARGV[8], 't', now, 'v', now)\n"
    "redis.call('ZADD', live, 'XX', math.min(now + idle, expires), id)\n"
    "return {OK, expires}\n",
};

struct gh_script session_script_end = {
    .name = "session_end",
    .source = PRELUDE
    "local code, max_age, address = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]\n"
    "local ids, ended = {}, {}\n"
    "if #ARGV == 6 then ids = redis.call('ZRANGE', born, 0, -1)\n"
    "else for i = 7, #ARGV do ids[#ids + 1] = ARGV[i] end end\n"
    "for _, id in ipairs(ids) do\n"
    "  if redis.call('ZSCORE', live, id) then\n"
    "    if address == '' or redis.call('HGET', base .. 's:' .. id, 'a') == address then\n"
    "      finish(id, code, ended)\n"
    "    end\n"
    "  elseif address == '' then\n"
    "    redis.call('SET', base .. 't:' .. id, code, 'NX', 'PX',\n"
    "      string.format('%.0f', max_age + keep))\n"
    "  end\n"
    "end\n"
    "return ended\n",
};

struct gh_script session_script_fetch = {
    .name = "session_fetch",
    .source = PRELUDE "local ids, out = {}, {}\n"
                      "local from, count = tonumber(ARGV[4]), tonumber(ARGV[5])\n"
                      "if from >= 0 then ids = redis.call('ZRANGE', born, from, from + count - 1)\n"
                      "else for i = 6, #ARGV do ids[#ids + 1] = ARGV[i] end end\n"
                      "for _, id in ipairs(ids) do\n"
                      "  local score = redis.call('ZSCORE', live, id)\n"
                      "  if score and tonumber(score) + slack > now then\n"
                      "    out[#out + 1] = {id, redis.call('HGETALL', base .. 's:' .. id)}\n"
                      "  end\n"
                      "end\n"
                      "return {#ids, out}\n",
};

struct gh_script session_script_sweep = {
    .name = "session_sweep",
    .source = PRELUDE
    "local stale, ended = ARGV[4], {}\n"
    "for i = 5, #ARGV, 2 do\n"
    "  local id = ARGV[i]\n"
    "  local score = redis.call('ZSCORE', live, id)\n"
    "  if not score then\n"
    /* A creation in flight is indexed before it lives: only an old entry is stale. */
    "    if ARGV[i + 1] < stale then ended[#ended + 1] = {id, OK, '', ARGV[i + 1]} end\n"
    "  elseif tonumber(score) + slack <= now then finish(id, dead(id), ended)\n"
    "  end\n"
    "end\n"
    "return ended\n",
};
