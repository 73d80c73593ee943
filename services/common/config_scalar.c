#include "common/config_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* From the largest: cfg_show takes the first that divides. */
static const struct unit ms_units[] = {
    { "d", 86400000 }, { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 }, { NULL, 0 },
};
static const struct unit byte_units[] = {
    { "GiB", 1 << 30 }, { "MiB", 1 << 20 }, { "KiB", 1 << 10 }, { "", 1 }, { NULL, 0 },
};

/* Decimal digits, no sign, no leading zero (YAML 1.1 reads 010 as eight); *ret_rest: what follows.
 */
static bool scan_digits(const char *text, uint64_t *ret_value, const char **ret_rest)
{
    uint64_t value = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        const unsigned digit = (unsigned)(*at - '0');

        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (at == text || (text[0] == '0' && at > text + 1)) return false;
    *ret_value = value;
    *ret_rest = at;
    return true;
}

static bool scan_units(const char *text, const struct unit *units, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *rest = NULL;

    if (!scan_digits(text, &value, &rest)) return false;
    if (value == 0 && *rest == '\0') {
        *ret_value = 0;
        return true;
    }
    for (; units->name != NULL; units++) {
        if (strcmp(rest, units->name) != 0) continue;
        if (value > UINT64_MAX / units->factor) return false;
        *ret_value = value * units->factor;
        return true;
    }
    return false;
}

bool cfg_scan_u64(const char *text, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *rest = NULL;

    if (!scan_digits(text, &value, &rest) || *rest != '\0') return false;
    *ret_value = value;
    return true;
}

bool cfg_scan_ms(const char *text, uint64_t *ret_ms)
{
    return scan_units(text, ms_units, ret_ms);
}

bool cfg_scan_bytes(const char *text, uint64_t *ret_bytes)
{
    return scan_units(text, byte_units, ret_bytes);
}

const char *cfg_show(enum gh_config_kind kind, uint64_t value, char dst[32])
{
    const struct unit *unit = kind == GH_CFG_MS ? ms_units : byte_units;

    if ((kind == GH_CFG_MS || kind == GH_CFG_BYTES) && value > 0) {
        while (value % unit->factor != 0)
            unit++;
        (void)snprintf(dst, 32, "%" PRIu64 "%s", value / unit->factor, unit->name);
    } else {
        (void)snprintf(dst, 32, "%" PRIu64, value);
    }
    return dst;
}
