/* Is a shared secret one that a machine made? What a person made can be guessed offline from one
 * token, so it must not be used at all (RFC 8725 section 3.5). */
#include "key.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SECRET_MIN_BITS 256.0

/* Long enough that chance puts none of them into 64 random characters. */
static const char *const words[] = {
    "password",  "passwort", "passwd",   "secret",  "changeme", "change-me",
    "change_me", "qwerty",   "letmein",  "example", "default",  "gatehouse",
    "websocket", "your-",    "12345678", "abcdefg", "00000000",
};

/* Bits per character that the alphabet the secret keeps to can hold. */
static double bits_per_char(const unsigned char *s, size_t len)
{
    bool lower = false, upper = false, digit = false, hex = true, base64 = true, other = false,
         binary = false;
    int alphabet = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = s[i];

        if (c < 0x20 || c > 0x7e) {
            binary = true;
        } else if (isdigit(c)) {
            digit = true;
        } else if (islower(c)) {
            lower = true;
        } else if (isupper(c)) {
            upper = true;
        } else {
            other = true;
            if (strchr("+/-_=", c) == NULL) base64 = false;
        }
        if (!isxdigit(c)) hex = false;
    }
    if (binary) return 8.0;
    if (hex) return 4.0;
    alphabet =
        (lower ? 26 : 0) + (upper ? 26 : 0) + (digit ? 10 : 0) + (other ? (base64 ? 2 : 33) : 0);
    return log2(alphabet);
}

static bool like_password(const unsigned char *s, size_t len)
{
    char lower[KEY_SECRET_MAX_BYTES + 1];
    unsigned spaces = 0;

    for (size_t i = 0; i < len; i++) {
        if (s[i] == 0 || s[i] > 0x7e)
            return false; /* bytes of a machine: a word in them is chance */
        lower[i] = (char)tolower(s[i]);
        if (s[i] == ' ') spaces++;
    }
    lower[len] = '\0';
    if (spaces >= 3) return true; /* a pass phrase */
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(lower, words[i]) != NULL) return true;
    }
    return false;
}

/* The longest run of equal or evenly stepping bytes ("aaaa", "1234", "zyxw"). */
static size_t longest_run(const unsigned char *s, size_t len)
{
    size_t best = 1, run = 1;
    int step = INT32_MAX;

    for (size_t i = 1; i < len; i++) {
        int d = (int)s[i] - (int)s[i - 1];

        if (d == step && d >= -1 && d <= 1) {
            run++;
        } else {
            run = 2;
            step = d;
        }
        if (d >= -1 && d <= 1 && run > best) best = run;
    }
    return best;
}

/* Is the secret one block said again and again? */
static bool repeats(const unsigned char *s, size_t len)
{
    for (size_t period = 1; period <= len / 2; period++) {
        if (memcmp(s, s + period, len - period) == 0) return true;
    }
    return false;
}

const char *key_secret_weakness(const void *secret, size_t len)
{
    const unsigned char *s = secret;
    unsigned counts[256] = { 0 };
    double entropy = 0;
    size_t distinct = 0;

    if (len < 32)
        return "the secret is shorter than 256 bits; use 32 random bytes or more "
               "(openssl rand -base64 48)";
    if (len > KEY_SECRET_MAX_BYTES) return "the secret is longer than 512 bytes";
    if (memmem(s, len, "-----BEGIN ", 11) != NULL)
        return "the secret is a PEM file; a public key is no secret: use RS256 or ES256";
    if (bits_per_char(s, len) * (double)len < SECRET_MIN_BITS - 0.5)
        return "the secret's characters cannot hold 256 bits; use 64 hex digits, 43 characters of "
               "base64, or more";
    for (size_t i = 0; i < len; i++) {
        if (counts[s[i]]++ == 0) distinct++;
    }
    for (size_t i = 0; i < 256; i++) {
        if (counts[i] > 0) {
            double p = counts[i] / (double)len;

            entropy -= p * log2(p);
        }
    }
    if (distinct < 10 || entropy < 3.0 || repeats(s, len) || longest_run(s, len) >= 8)
        return "the secret repeats itself; use random bytes (openssl rand -base64 48)";
    if (like_password(s, len))
        return "the secret looks like a password; use random bytes (openssl rand -base64 48)";
    return NULL;
}
