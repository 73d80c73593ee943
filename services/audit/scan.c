#include "scan.h"

#include <string.h>

bool scan_literal(const char **at, const char *text)
{
    size_t len = strlen(text);

    if (strncmp(*at, text, len) != 0) return false;
    *at += len;
    return true;
}

bool scan_u64(const char **at, uint64_t *ret_value)
{
    const char *c = *at;
    uint64_t value = 0;

    for (; *c >= '0' && *c <= '9'; c++) {
        uint64_t digit = (uint64_t)(*c - '0');
        if (value > (UINT64_MAX - digit) / 10) return false;
        value = value * 10 + digit;
    }
    if (c == *at) return false;
    *at = c;
    *ret_value = value;
    return true;
}

bool scan_word(const char **at, char *dst, size_t size)
{
    size_t len = strcspn(*at, " \n\"");

    if (len == 0 || len >= size) return false;
    memcpy(dst, *at, len);
    dst[len] = '\0';
    *at += len;
    return true;
}
