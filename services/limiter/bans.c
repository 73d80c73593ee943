#include "bans.h"

#include "common/bus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX_BYTES 1024u

struct bans {
    struct bans_config config;
    struct gh_roster *roster;
    /* How many bans there are of each prefix length: only those in use are looked up. */
    uint32_t prefixes4[33];
    uint32_t prefixes6[129];
};

static void count_prefix(struct bans *bans, const char *key, size_t len)
{
    unsigned family, prefix;

    if (!subject_key_prefix(key, len, &family, &prefix)) return;
    if (family == 32)
        bans->prefixes4[prefix]++;
    else
        bans->prefixes6[prefix]++;
}

static void tell(const struct bans *bans, Gh__BanOrder *order)
{
    if (bans->config.on_order != NULL) bans->config.on_order(bans->config.ctx, order);
}

static void on_reload(void *ctx, uint64_t version)
{
    struct bans *bans = ctx;
    Gh__BanOrder order = GH__BAN_ORDER__INIT;
    const struct gh_roster_item *item = NULL;

    memset(bans->prefixes4, 0, sizeof(bans->prefixes4));
    memset(bans->prefixes6, 0, sizeof(bans->prefixes6));
    for (;;) {
        item = gh_roster_after(bans->roster, item != NULL ? item->key : NULL,
                               item != NULL ? item->key_len : 0);
        if (item == NULL) break;
        count_prefix(bans, item->key, item->key_len);
    }
    order.version = version;
    tell(bans, &order);
}

/* What a key alone says of a ban: enough to lift it. */
static void ban_of_key(const struct gh_roster_item *item, Gh__Ban *ban)
{
    gh__ban__init(ban);
    ban->kind = item->key[0] == 'a'   ? GH__BAN_KIND__BAN_ADDRESS
                : item->key[0] == 'u' ? GH__BAN_KIND__BAN_USER
                                      : GH__BAN_KIND__BAN_TOKEN;
    ban->subject = gh_bytes(item->key + 2, item->key_len - 2);
}

/* A prefix length stays counted until the next reload when its ban is lifted or replaced: a count
 * that is too high costs a look-up, one that is too low would let somebody in. */
static void on_change(void *ctx, uint64_t version, const struct gh_roster_item *item, bool lifted)
{
    struct bans *bans = ctx;
    Gh__BanOrder order = GH__BAN_ORDER__INIT;
    Gh__Ban bare, *one = &bare, *unpacked = NULL;

    if (item->key_len < 3) return;
    order.version = version;
    ban_of_key(item, &bare);
    if (lifted) {
        order.n_lifted = 1;
        order.lifted = &one;
    } else {
        count_prefix(bans, item->key, item->key_len);
        unpacked = gh__ban__unpack(NULL, item->value_len, (const uint8_t *)item->value);
        if (unpacked != NULL) one = unpacked;
        one->expires_ms = item->expires_ms;
        order.n_added = 1;
        order.added = &one;
    }
    tell(bans, &order);
    if (unpacked != NULL) gh__ban__free_unpacked(unpacked, NULL);
}

enum gh_err bans_new(const struct bans_config *config, struct bans **ret_bans)
{
    struct bans *bans = calloc(1, sizeof(*bans));
    enum gh_err err;

    if (bans == NULL) return GH_ERR_NOMEM;
    bans->config = *config;
    err = gh_roster_new(
        &(struct gh_roster_config){
            .loop = config->loop,
            .redis = config->redis,
            .name = "bans",
            .poll_ms = config->poll_ms,
            .max_items = config->max,
            .ctx = bans,
            .on_change = on_change,
            .on_reload = on_reload,
        },
        &bans->roster);
    if (err != GH_OK) {
        free(bans);
        return err;
    }
    *ret_bans = bans;
    return GH_OK;
}

void bans_free(struct bans *bans)
{
    if (bans == NULL) return;
    gh_roster_free(bans->roster);
    free(bans);
}

bool bans_loaded(const struct bans *bans)
{
    return gh_roster_loaded(bans->roster);
}

uint64_t bans_version(const struct bans *bans)
{
    return gh_roster_version(bans->roster);
}

size_t bans_count(const struct bans *bans)
{
    return gh_roster_count(bans->roster);
}

static bool has(const struct bans *bans, const struct subject_key *key, uint64_t now_ms)
{
    return gh_roster_find(bans->roster, key->text, key->len, now_ms) != NULL;
}

static bool check_address(const struct bans *bans, ProtobufCBinaryData text, uint64_t now_ms)
{
    struct subject_address address;
    struct subject_key key;
    const uint32_t *counts;

    if (text.len == 0 || subject_address_parse(text.data, text.len, &address) != GH_OK)
        return false;
    counts = address.family_bits == 32 ? bans->prefixes4 : bans->prefixes6;
    for (unsigned prefix = 1; prefix <= address.family_bits; prefix++) {
        if (counts[prefix] == 0) continue;
        subject_key_of_network(&address, prefix, &key);
        if (has(bans, &key, now_ms)) return true;
    }
    return false;
}

static bool check_name(const struct bans *bans, Gh__BanKind kind, ProtobufCBinaryData name,
                       uint64_t now_ms)
{
    struct subject_key key;

    return name.len > 0 && subject_key_make(kind, name.data, name.len, &key) == GH_OK &&
           has(bans, &key, now_ms);
}

bool bans_check(const struct bans *bans, ProtobufCBinaryData address, ProtobufCBinaryData user,
                ProtobufCBinaryData token_id, uint64_t now_ms)
{
    return check_address(bans, address, now_ms) ||
           check_name(bans, GH__BAN_KIND__BAN_USER, user, now_ms) ||
           check_name(bans, GH__BAN_KIND__BAN_TOKEN, token_id, now_ms);
}

enum gh_err bans_add(struct bans *bans, const Gh__Ban *ban, gh_roster_done_fn fn, void *ctx)
{
    uint8_t value[VALUE_MAX_BYTES];
    struct subject_key key;
    Gh__Ban stored = *ban;
    enum gh_err err = subject_key_make(ban->kind, ban->subject.data, ban->subject.len, &key);

    if (err != GH_OK) return err;
    if (ban->reason.len > BANS_REASON_MAX_BYTES || ban->by.len > GH_BUS_INSTANCE_MAX)
        return GH_ERR_BAD_MESSAGE;
    stored.subject = gh_bytes(key.text + 2, key.len - 2);
    return gh_roster_add(bans->roster,
                         &(struct gh_roster_item){
                             .key = key.text,
                             .key_len = key.len,
                             .value = (const char *)value,
                             .value_len = gh__ban__pack(&stored, value),
                             .expires_ms = ban->expires_ms,
                         },
                         fn, ctx);
}

enum gh_err bans_lift(struct bans *bans, const Gh__BanLift *lift, gh_roster_done_fn fn, void *ctx)
{
    struct subject_key key;
    enum gh_err err = subject_key_make(lift->kind, lift->subject.data, lift->subject.len, &key);

    if (err != GH_OK) return err;
    return gh_roster_lift(bans->roster, key.text, key.len, fn, ctx);
}

enum gh_err bans_list(const struct bans *bans, ProtobufCBinaryData cursor, uint64_t now_ms,
                      struct bans_page *page)
{
    const struct gh_roster_item *item;

    if (cursor.len > SUBJECT_KEY_MAX_BYTES) return GH_ERR_BAD_MESSAGE;
    gh__ban_listed__init(&page->listed);
    page->listed.bans = page->items;
    page->listed.version = gh_roster_version(bans->roster);
    item = gh_roster_after(bans->roster, cursor.data, cursor.len);
    for (; item != NULL && page->listed.n_bans < BANS_PAGE;
         item = gh_roster_after(bans->roster, item->key, item->key_len)) {
        Gh__Ban *ban;

        if (item->expires_ms != 0 && item->expires_ms <= now_ms) continue;
        ban = gh__ban__unpack(NULL, item->value_len, (const uint8_t *)item->value);
        if (ban == NULL) continue; /* not a value of ours */
        page->items[page->listed.n_bans++] = ban;
        memcpy(page->cursor, item->key, item->key_len);
        page->listed.cursor = gh_bytes(page->cursor, item->key_len);
    }
    if (item == NULL) page->listed.cursor.len = 0;
    return GH_OK;
}

void bans_page_free(struct bans_page *page)
{
    for (size_t i = 0; i < page->listed.n_bans; i++)
        gh__ban__free_unpacked(page->items[i], NULL);
    page->listed.n_bans = 0;
}
