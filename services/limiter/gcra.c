#include "gcra.h"

#define UNITS_PER_S 16000000u
#define MONTH_UNITS (30.0 * 86400 * UNITS_PER_S)

/* 1735689600 is 2025-01-01T00:00:00Z. A script that writes after TIME is replicated by its effects
 * (Redis 7), so a replica holds the same numbers. */
#define NOW                                                                                        \
    "local t = redis.call('TIME')\n"                                                               \
    "local now = ((t[1] - 1735689600) * 1000000 + t[2]) * 16\n"

/* PX: when TAT is reached the bucket is full, which is what a missing key means. */
#define STORE                                                                                      \
    "redis.call('SET', KEYS[i], string.format('%.0f', tat), 'PX',\n"                               \
    "  string.format('%.0f', math.ceil((tat - now) / 16000) + 1))\n"

struct gh_script gcra_take_script = {
    .name = "gcra_take",
    .source = NOW "local out = {}\n"
                  "for i = 1, #KEYS do\n"
                  "  local interval = tonumber(ARGV[i * 3 - 2])\n"
                  "  local burst = tonumber(ARGV[i * 3 - 1])\n"
                  "  local want = tonumber(ARGV[i * 3])\n"
                  "  local tat = tonumber(redis.call('GET', KEYS[i]) or now)\n"
                  "  if tat < now then tat = now end\n"
                  "  local room = burst * interval - (tat - now)\n"
                  "  local n = math.min(want, math.floor(room / interval))\n"
                  "  local retry = 0\n"
                  "  if n > 0 then\n"
                  "    tat = tat + n * interval\n" STORE "  else\n"
                  "    n = 0\n"
                  "    retry = math.ceil((interval - room) / 16000)\n"
                  "  end\n"
                  "  out[#out + 1] = n\n"
                  "  out[#out + 1] = retry\n"
                  "end\n"
                  "return out\n",
};

struct gh_script gcra_return_script = {
    .name = "gcra_return",
    .source = NOW "for i = 1, #KEYS do\n"
                  "  local tat = tonumber(redis.call('GET', KEYS[i]) or now)\n"
                  "  if tat > now then\n"
                  "    tat = tat - tonumber(ARGV[i * 2 - 1]) * tonumber(ARGV[i * 2])\n"
                  "    if tat <= now then redis.call('DEL', KEYS[i]) else\n" STORE "    end\n"
                  "  end\n"
                  "end\n"
                  "return 1\n",
};

enum gh_err gcra_rate_make(uint64_t per_s, uint64_t per_min, uint64_t burst,
                           struct gcra_rate *ret_rate)
{
    uint64_t interval;

    if ((per_s == 0) == (per_min == 0) || burst == 0) return GH_ERR_CONFIG;
    if (per_s > GCRA_RATE_MAX || per_min > 60ull * GCRA_RATE_MAX || burst > GCRA_BURST_MAX)
        return GH_ERR_CONFIG;
    interval = per_s > 0 ? (UNITS_PER_S + per_s - 1) / per_s
                         : (60ull * UNITS_PER_S + per_min - 1) / per_min;
    if ((double)interval * (double)burst > MONTH_UNITS) return GH_ERR_CONFIG;
    *ret_rate = (struct gcra_rate){ (int64_t)interval, (int64_t)burst };
    return GH_OK;
}

struct gcra_taken gcra_take(const struct gcra_rate *rate, int64_t now, uint32_t want, int64_t *tat)
{
    int64_t at = *tat > now ? *tat : now;
    int64_t room = rate->burst * rate->interval - (at - now);
    int64_t n = room > 0 ? room / rate->interval : 0;

    if (n > want) n = want;
    if (n > 0) {
        *tat = at + n * rate->interval;
        return (struct gcra_taken){ .tokens = (uint32_t)n };
    }
    return (struct gcra_taken){
        .retry_after_ms =
            (uint64_t)((rate->interval - room + GCRA_UNITS_PER_MS - 1) / GCRA_UNITS_PER_MS),
    };
}
