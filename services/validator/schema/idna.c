#include "validator/schema/idna.h"

#include "common/json/utf8.h"

#include <string.h>
#include <unictype.h>

#define NAME_MAX_BYTES  1024 /* as typed */
#define HOST_MAX_BYTES  253  /* as it goes into the DNS */
#define LABEL_MAX_BYTES 63

struct host {
    size_t dns_bytes; /* with the dots */
    bool bidi_domain; /* some label has right-to-left characters */
    bool bidi_fails;  /* some label breaks the Bidi rule, which counts in a Bidi domain */
};

/* RFC 5893 section 2. */
static void check_bidi(const uint32_t *label, size_t n, struct host *host)
{
    int first = uc_bidi_class(label[0]);
    bool rtl = first == UC_BIDI_R || first == UC_BIDI_AL;
    bool ok = rtl || first == UC_BIDI_L;
    bool en = false, an = false, ends_well = false;

    for (size_t i = 0; i < n; i++) {
        int c = uc_bidi_class(label[i]);
        bool any = c == UC_BIDI_EN || c == UC_BIDI_ES || c == UC_BIDI_CS || c == UC_BIDI_ET ||
                   c == UC_BIDI_ON || c == UC_BIDI_BN || c == UC_BIDI_NSM;
        bool right = c == UC_BIDI_R || c == UC_BIDI_AL || c == UC_BIDI_AN;

        host->bidi_domain |= right;
        ok = ok && (any || (rtl ? right : c == UC_BIDI_L));
        en |= c == UC_BIDI_EN;
        an |= c == UC_BIDI_AN;
        if (c != UC_BIDI_NSM) ends_well = c == UC_BIDI_EN || (rtl ? right : c == UC_BIDI_L);
    }
    if (!ok || !ends_well || (rtl && en && an)) host->bidi_fails = true;
}

static bool is_ldh(const uint32_t *label, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((label[i] >= '0' && label[i] <= '9') ||
              ((label[i] | 0x20) >= 'a' && (label[i] | 0x20) <= 'z' && label[i] < 0x80) ||
              label[i] == '-'))
            return false;
    return label[0] != '-' && label[n - 1] != '-';
}

/* "xn--..." in ASCII: what it decodes to is a U-label, and encodes to the same again. */
static bool a_label(const uint32_t *label, size_t n, struct host *host)
{
    uint32_t decoded[PUNYCODE_MAX];
    char text[PUNYCODE_MAX], again[PUNYCODE_MAX];
    size_t len = n - 4, n_decoded, n_again;
    bool ascii = true;

    for (size_t i = 0; i < len; i++)
        text[i] =
            (char)(label[i + 4] >= 'A' && label[i + 4] <= 'Z' ? label[i + 4] + 32 : label[i + 4]);
    if (len == 0 || !punycode_decode(text, len, decoded, &n_decoded) || n_decoded == 0)
        return false;
    for (size_t i = 0; i < n_decoded; i++)
        if (decoded[i] >= 0x80) ascii = false;
    if (ascii || !idna_is_u_label(decoded, n_decoded) ||
        !punycode_encode(decoded, n_decoded, again, &n_again) || n_again != len ||
        memcmp(again, text, len) != 0)
        return false;
    check_bidi(decoded, n_decoded, host);
    return true;
}

static bool check_label(const uint32_t *label, size_t n, struct host *host)
{
    char encoded[PUNYCODE_MAX];
    size_t len = n;

    if (n == 0 || n > LABEL_MAX_BYTES) return false;
    if (is_ldh(label, n)) {
        if (n >= 4 && label[2] == '-' && label[3] == '-') {
            if ((label[0] | 0x20) != 'x' || (label[1] | 0x20) != 'n' || !a_label(label, n, host))
                return false;
        } else {
            check_bidi(label, n, host);
        }
    } else {
        if (!idna_is_u_label(label, n) || !punycode_encode(label, n, encoded, &len)) return false;
        len += 4;
        if (len > LABEL_MAX_BYTES) return false;
        check_bidi(label, n, host);
    }
    host->dns_bytes += len;
    return true;
}

static size_t next_char(const unsigned char *p, size_t left, uint32_t *ret_c)
{
    unsigned n = gh_utf8_sequence(p, left);

    *ret_c = n == 2   ? (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F)
             : n == 3 ? (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F)
             : n == 4 ? (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 |
                            (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F)
                      : p[0];
    return n == 0 ? 1 : n;
}

bool idna_is_host_name(const char *text, size_t len)
{
    uint32_t label[LABEL_MAX_BYTES + 1];
    struct host host = { 0 };
    size_t n = 0;

    if (len == 0 || len > NAME_MAX_BYTES) return false;
    for (size_t i = 0; i < len;) {
        uint32_t c;

        i += next_char((const unsigned char *)text + i, len - i, &c);
        if (c == '.' || c == 0x3002 || c == 0xFF0E || c == 0xFF61) {
            if (!check_label(label, n, &host)) return false;
            host.dns_bytes++;
            n = 0;
        } else {
            if (n > LABEL_MAX_BYTES - 1) return false;
            label[n++] = c;
        }
    }
    return check_label(label, n, &host) && host.dns_bytes <= HOST_MAX_BYTES &&
           !(host.bidi_domain && host.bidi_fails);
}
