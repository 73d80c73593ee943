/* RFC 5892: which code points a U-label may hold, and in which company. */
#include "validator/schema/idna.h"

#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>

enum idna_class { IDNA_DISALLOWED, IDNA_PVALID, IDNA_CONTEXT };

static bool in(uint32_t c, uint32_t lo, uint32_t hi)
{
    return c >= lo && c <= hi;
}

/* Section 2.6; true when c is one of them. */
static bool exception(uint32_t c, enum idna_class *ret_class)
{
    static const uint32_t pvalid[] = { 0x00DF, 0x03C2, 0x06FD, 0x06FE, 0x0F0B, 0x3007 };
    static const uint32_t context[] = { 0x00B7, 0x0375, 0x05F3, 0x05F4, 0x30FB };
    static const uint32_t disallowed[] = { 0x0640, 0x07FA, 0x302E, 0x302F, 0x303B };

    for (size_t i = 0; i < sizeof(pvalid) / sizeof(pvalid[0]); i++)
        if (c == pvalid[i]) {
            *ret_class = IDNA_PVALID;
            return true;
        }
    for (size_t i = 0; i < sizeof(context) / sizeof(context[0]); i++)
        if (c == context[i]) {
            *ret_class = IDNA_CONTEXT;
            return true;
        }
    if (in(c, 0x0660, 0x0669) || in(c, 0x06F0, 0x06F9)) {
        *ret_class = IDNA_CONTEXT;
        return true;
    }
    *ret_class = IDNA_DISALLOWED;
    for (size_t i = 0; i < sizeof(disallowed) / sizeof(disallowed[0]); i++)
        if (c == disallowed[i]) return true;
    return in(c, 0x3031, 0x3035);
}

/* Section 2.2: changed by normalising and folding case. */
static bool is_unstable(uint32_t c)
{
    uint32_t once[64], twice[128];
    size_t n_once = sizeof(once) / sizeof(once[0]);
    size_t n_twice = sizeof(twice) / sizeof(twice[0]);
    uint32_t *a = u32_normalize(UNINORM_NFKC, &c, 1, once, &n_once);
    uint32_t *b = NULL;
    bool same = false;

    if (a != NULL) b = u32_casefold(a, n_once, NULL, UNINORM_NFKC, twice, &n_twice);
    if (b != NULL) same = n_twice == 1 && b[0] == c;
    if (a != once) free(a);
    if (b != twice) free(b);
    return !same;
}

/* Section 3, in its order. */
static enum idna_class class_of(uint32_t c)
{
    static const char *const letters[] = { "Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc" };
    enum idna_class found;

    if (exception(c, &found)) return found;
    if (c == '-' || in(c, '0', '9') || in(c, 'a', 'z')) return IDNA_PVALID;
    if (c == 0x200C || c == 0x200D) return IDNA_CONTEXT;
    if (in(c, 0x1100, 0x11FF) || in(c, 0xA960, 0xA97C) || in(c, 0xD7B0, 0xD7FB))
        return IDNA_DISALLOWED; /* old Hangul jamo */
    if (in(c, 0x20D0, 0x20FF) || in(c, 0x1D100, 0x1D24F)) return IDNA_DISALLOWED; /* blocks */
    if (uc_is_property_default_ignorable_code_point(c) || uc_is_property_white_space(c) ||
        uc_is_property_not_a_character(c) || is_unstable(c))
        return IDNA_DISALLOWED;
    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if (uc_is_general_category(c, uc_general_category_byname(letters[i]))) return IDNA_PVALID;
    return IDNA_DISALLOWED;
}

static bool is_script(uint32_t c, const char *name)
{
    const uc_script_t *script = uc_script(c);

    return script != NULL && strcmp(script->name, name) == 0;
}

/* Appendix A.1: (L | D) T* ZWNJ T* (R | D). */
static bool joins_both_ways(const uint32_t *label, size_t n, size_t at)
{
    size_t i = at;
    int type = UC_JOINING_TYPE_T;

    while (i > 0 && type == UC_JOINING_TYPE_T)
        type = uc_joining_type(label[--i]);
    if (type != UC_JOINING_TYPE_L && type != UC_JOINING_TYPE_D) return false;
    type = UC_JOINING_TYPE_T;
    for (i = at + 1; i < n && type == UC_JOINING_TYPE_T; i++)
        type = uc_joining_type(label[i]);
    return type == UC_JOINING_TYPE_R || type == UC_JOINING_TYPE_D;
}

/* Appendix A: is this character allowed where it stands? */
static bool context_allows(const uint32_t *label, size_t n, size_t at)
{
    uint32_t c = label[at];
    bool after_virama = at > 0 && uc_combining_class(label[at - 1]) == UC_CCC_VR;

    switch (c) {
    case 0x200C: return after_virama || joins_both_ways(label, n, at);
    case 0x200D: return after_virama;
    case 0x00B7: return at > 0 && at + 1 < n && label[at - 1] == 'l' && label[at + 1] == 'l';
    case 0x0375: return at + 1 < n && is_script(label[at + 1], "Greek");
    case 0x05F3:
    case 0x05F4: return at > 0 && is_script(label[at - 1], "Hebrew");
    case 0x30FB:
        for (size_t i = 0; i < n; i++)
            if (is_script(label[i], "Hiragana") || is_script(label[i], "Katakana") ||
                is_script(label[i], "Han"))
                return true;
        return false;
    default: break;
    }
    for (size_t i = 0; i < n; i++) /* the two kinds of Arabic digits never together */
        if (in(c, 0x0660, 0x0669) ? in(label[i], 0x06F0, 0x06F9) : in(label[i], 0x0660, 0x0669))
            return false;
    return true;
}

static bool is_nfc(const uint32_t *label, size_t n)
{
    uint32_t room[4 * PUNYCODE_MAX];
    size_t n_room = sizeof(room) / sizeof(room[0]);
    uint32_t *made = u32_normalize(UNINORM_NFC, label, n, room, &n_room);
    bool same = made != NULL && n_room == n && memcmp(made, label, n * sizeof(*label)) == 0;

    if (made != room) free(made);
    return same;
}

bool idna_is_u_label(const uint32_t *label, size_t n)
{
    if (label[0] == '-' || label[n - 1] == '-') return false;
    if (n >= 4 && label[2] == '-' && label[3] == '-') return false;
    if (uc_is_general_category(label[0], UC_CATEGORY_M)) return false;
    for (size_t i = 0; i < n; i++) {
        enum idna_class found = class_of(label[i]);

        if (found == IDNA_DISALLOWED) return false;
        if (found == IDNA_CONTEXT && !context_allows(label, n, i)) return false;
    }
    return is_nfc(label, n);
}
