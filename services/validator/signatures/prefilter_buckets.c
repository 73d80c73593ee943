/*
 * Which four bytes of a literal to look for, and in which of thirty-two buckets the first three go.
 * A bucket is found by the halves of each byte, so it lets through whatever mixes those of its
 * windows: each literal goes, worst first, where it adds least to what ordinary text would get
 * through. A wrong guess of what is ordinary costs time and nothing else.
 */
#include "validator/signatures/prefilter_internal.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS (BUCKET_GROUPS * 8)
#define FOUND   8 /* what a window that is there costs, beside one that only seems to be */

struct bucket {
    uint16_t low[BUCKET_POSITIONS], high[BUCKET_POSITIONS]; /* halves it has at each position */
    float share; /* of the positions of ordinary text that it lets through */
};

struct chooser {
    float low_sum[16][256], high_sum[16][256]; /* by high half: of the low halves 0-7, and 8-15 */
    struct bucket buckets[BUCKETS];
};

struct turn {
    uint32_t entry;
    float share; /* of its best window alone */
};

/* In chats of many kinds; what is not a letter counts for more than prose has of it, for code. */
static float frequency(unsigned c)
{
    static const float letters[26] = { 8.2f, 1.5f, 2.8f, 4.3f, 12.7f, 2.2f, 2.0f, 6.1f, 7.0f,
                                       .2f,  .8f,  4.0f, 2.4f, 6.7f,  7.5f, 1.9f, .1f,  6.0f,
                                       6.3f, 9.0f, 2.8f, 1.0f, 2.4f,  .2f,  2.0f, .1f };

    if (c >= 'a' && c <= 'z') return letters[c - 'a'] * .0075f;
    if (c >= 'A' && c <= 'Z') return letters[c - 'A'] * .0006f;
    if (c == ' ') return .17f;
    if (c == '.' || c == ',') return .012f;
    if (c >= '0' && c <= '9') return .005f;
    if (c < 0x20) return .0005f;
    return c < 0x80 ? .004f : .003f;
}

static void sum_frequencies(struct chooser *ch)
{
    for (unsigned high = 0; high < 16; high++)
        for (unsigned set = 0; set < 256; set++)
            for (unsigned bit = 0; bit < 8; bit++) {
                if ((set >> bit & 1) == 0) continue;
                ch->low_sum[high][set] += frequency(high * 16 + bit);
                ch->high_sum[high][set] += frequency(high * 16 + 8 + bit);
            }
}

static float share_of(const struct chooser *ch, const struct bucket *b)
{
    float share = 1;

    for (unsigned p = 0; p < BUCKET_POSITIONS; p++) {
        float sum = 0;

        for (unsigned highs = b->high[p]; highs != 0; highs &= highs - 1) {
            unsigned high = (unsigned)__builtin_ctz(highs);

            sum += ch->low_sum[high][b->low[p] & 0xFF] + ch->high_sum[high][b->low[p] >> 8];
        }
        share *= sum;
    }
    return share;
}

/* Where a window may start at the latest. */
static unsigned last_window(const struct required_literal *l)
{
    return l->len > PREFILTER_WINDOW ? l->len - PREFILTER_WINDOW : 0;
}

/* Letters of both sizes; past the end of a short literal, any byte. */
static void add_window(struct bucket *b, const char *bytes, unsigned n)
{
    for (unsigned p = 0; p < BUCKET_POSITIONS; p++) {
        unsigned char c = p < n ? (unsigned char)bytes[p] : 0;

        if (p >= n) {
            b->low[p] = b->high[p] = 0xFFFF;
            continue;
        }
        b->low[p] |= (uint16_t)(1u << (c & 15));
        b->high[p] |= (uint16_t)(1u << (c >> 4));
        if (c >= 'a' && c <= 'z') b->high[p] |= (uint16_t)(1u << ((c >> 4) ^ 2));
    }
}

static float share_alone(const struct chooser *ch, const struct required_literal *l)
{
    unsigned last = last_window(l);
    float best = 2;

    for (unsigned at = 0; at <= last; at++) {
        struct bucket b = { 0 };
        float share;

        add_window(&b, l->bytes + at, l->len - at);
        share = share_of(ch, &b);
        if (share < best) best = share;
    }
    return best;
}

static void place(struct chooser *ch, struct entry *e)
{
    const struct required_literal *l = &e->literal;
    unsigned last = last_window(l), best_bucket = 0;
    float best = 1e9f;
    struct bucket best_state = { 0 };
    float alone[REQUIRED_MAX_BYTES];

    for (unsigned at = 0; at <= last; at++) {
        struct bucket b = { 0 };

        add_window(&b, l->bytes + at, l->len - at);
        alone[at] = share_of(ch, &b) * FOUND;
    }
    for (unsigned k = 0; k < BUCKETS; k++)
        for (unsigned at = 0; at <= last; at++) {
            struct bucket b = ch->buckets[k];
            float more;

            add_window(&b, l->bytes + at, l->len - at);
            b.share = share_of(ch, &b);
            more = b.share - ch->buckets[k].share + alone[at];
            if (more >= best) continue;
            best = more;
            best_bucket = k;
            best_state = b;
            e->window = (uint8_t)at;
        }
    ch->buckets[best_bucket] = best_state;
}

static int worst_first(const void *a, const void *b)
{
    const struct turn *x = a, *y = b;

    if (x->share != y->share) return x->share > y->share ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static void fill(const struct chooser *ch, struct buckets *out)
{
    for (unsigned k = 0; k < BUCKETS; k++)
        for (unsigned p = 0; p < BUCKET_POSITIONS; p++)
            for (unsigned half = 0; half < 16; half++) {
                uint8_t bit = (uint8_t)(1u << k % 8);

                if ((ch->buckets[k].low[p] >> half & 1) != 0) out->low[p][k / 8][half] |= bit;
                if ((ch->buckets[k].high[p] >> half & 1) != 0) out->high[p][k / 8][half] |= bit;
            }
}

enum gh_err prefilter_choose_windows(struct prefilter *pf)
{
    struct chooser *ch = calloc(1, sizeof(*ch));
    struct turn *turns = calloc(pf->n_entries + 1, sizeof(*turns));
    enum gh_err err = ch == NULL || turns == NULL ? GH_ERR_NOMEM : GH_OK;

    if (err == GH_OK) sum_frequencies(ch);
    for (unsigned tier = 0; tier < PREFILTER_TIERS && err == GH_OK; tier++) {
        uint32_t n = 0;

        memset(ch->buckets, 0, sizeof(ch->buckets));
        for (uint32_t i = 0; i < pf->n_entries; i++)
            if (pf->entries[i].tier == tier)
                turns[n++] = (struct turn){ i, share_alone(ch, &pf->entries[i].literal) };
        qsort(turns, n, sizeof(*turns), worst_first);
        for (uint32_t i = 0; i < n; i++)
            place(ch, &pf->entries[turns[i].entry]);
        fill(ch, &pf->tiers[tier]);
        pf->tiers[tier].used = n > 0;
    }
    free(turns);
    free(ch);
    return err;
}
