/* RFC 3492, with the parameters of section 5. */
#include "validator/schema/idna.h"

#include <string.h>

enum { BASE = 36, TMIN = 1, TMAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_N = 128 };

static uint32_t adapt(uint32_t delta, uint32_t n_points, bool first)
{
    uint32_t k = 0;

    delta = first ? delta / DAMP : delta / 2;
    delta += delta / n_points;
    for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
        delta /= BASE - TMIN;
    return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}

static uint32_t threshold(uint32_t k, uint32_t bias)
{
    return k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
}

static uint32_t digit_of(char c)
{
    if (c >= '0' && c <= '9') return (uint32_t)(c - '0') + 26;
    if (c >= 'a' && c <= 'z') return (uint32_t)(c - 'a');
    if (c >= 'A' && c <= 'Z') return (uint32_t)(c - 'A');
    return BASE;
}

bool punycode_decode(const char *text, size_t len, uint32_t dst[PUNYCODE_MAX], size_t *ret_n)
{
    uint32_t n = FIRST_N, bias = FIRST_BIAS, i = 0;
    size_t count = 0, at = 0;

    if (len >= PUNYCODE_MAX) return false;
    for (size_t j = len; j > 0; j--)
        if (text[j - 1] == '-') {
            for (; count < j - 1; count++)
                dst[count] = (unsigned char)text[count];
            at = j;
            break;
        }
    while (at < len) {
        uint32_t before = i, weight = 1;

        for (uint32_t k = BASE;; k += BASE) {
            uint32_t digit = at < len ? digit_of(text[at++]) : BASE;
            uint32_t t = threshold(k, bias);

            if (digit >= BASE || digit > (UINT32_MAX - i) / weight) return false;
            i += digit * weight;
            if (digit < t) break;
            if (weight > UINT32_MAX / (BASE - t)) return false;
            weight *= BASE - t;
        }
        bias = adapt(i - before, (uint32_t)count + 1, before == 0);
        if (i / (count + 1) > 0x10FFFF - n || count + 1 >= PUNYCODE_MAX) return false;
        n += i / (uint32_t)(count + 1);
        i %= (uint32_t)(count + 1);
        memmove(dst + i + 1, dst + i, (count - i) * sizeof(*dst));
        dst[i++] = n;
        count++;
    }
    *ret_n = count;
    return true;
}

bool punycode_encode(const uint32_t *text, size_t n_text, char dst[PUNYCODE_MAX], size_t *ret_len)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    uint32_t n = FIRST_N, delta = 0, bias = FIRST_BIAS;
    size_t len = 0, done, basic;

    if (n_text >= PUNYCODE_MAX) return false;
    for (size_t i = 0; i < n_text; i++)
        if (text[i] < 0x80) dst[len++] = (char)text[i];
    done = basic = len;
    if (len > 0) dst[len++] = '-';
    while (done < n_text) {
        uint32_t next = UINT32_MAX;

        for (size_t i = 0; i < n_text; i++)
            if (text[i] >= n && text[i] < next) next = text[i];
        delta += (next - n) * (uint32_t)(done + 1); /* 64 * 0x110000 fits */
        n = next;
        for (size_t i = 0; i < n_text; i++) {
            uint32_t q;

            if (text[i] < n) delta++;
            if (text[i] != n) continue;
            q = delta;
            for (uint32_t k = BASE;; k += BASE) {
                uint32_t t = threshold(k, bias);

                if (len >= PUNYCODE_MAX) return false;
                if (q < t) break;
                dst[len++] = digits[t + (q - t) % (BASE - t)];
                q = (q - t) / (BASE - t);
            }
            if (len >= PUNYCODE_MAX) return false;
            dst[len++] = digits[q];
            bias = adapt(delta, (uint32_t)done + 1, done == basic);
            delta = 0;
            done++;
        }
        delta++;
        n++;
    }
    *ret_len = len;
    return true;
}
