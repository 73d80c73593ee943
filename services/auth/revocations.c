#include "revocations.h"

#include "common/bus.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX_BYTES 1536u
#define DIVIDER         '\x1f' /* in no name: control characters are refused */

struct revocations {
    struct revocations_config config;
    struct gh_roster *roster;
};

struct entry_key {
    size_t len;
    char text[REVOCATION_SUBJECT_MAX + REVOCATION_ISSUER_MAX + 4];
};

static const char kind_letters[] = { [GH__REVOKE_KIND__REVOKE_TOKEN] = 't',
                                     [GH__REVOKE_KIND__REVOKE_USER] = 'u',
                                     [GH__REVOKE_KIND__REVOKE_ISSUER] = 'i',
                                     [GH__REVOKE_KIND__REVOKE_KEY] = 'k' };

static void make_key(struct entry_key *key, char letter, const void *subject, size_t len,
                     const void *issuer, size_t issuer_len)
{
    key->text[0] = letter;
    key->text[1] = ':';
    memcpy(key->text + 2, subject, len);
    key->text[2 + len] = DIVIDER;
    if (issuer_len > 0) memcpy(key->text + 3 + len, issuer, issuer_len);
    key->len = 3 + len + issuer_len;
}

static bool printable(ProtobufCBinaryData text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < 0x20 || text.data[i] == 0x7f) return false;
    }
    return true;
}

static enum gh_err key_of(const Gh__Revocation *r, struct entry_key *ret_key)
{
    bool about_issuer = r->kind == GH__REVOKE_KIND__REVOKE_ISSUER;

    if ((unsigned)r->kind >= sizeof(kind_letters) || kind_letters[r->kind] == 0 ||
        r->subject.len == 0 || r->subject.len > REVOCATION_SUBJECT_MAX ||
        r->issuer.len > REVOCATION_ISSUER_MAX || !printable(r->subject) || !printable(r->issuer) ||
        (r->kind == GH__REVOKE_KIND__REVOKE_KEY && r->issuer.len == 0) ||
        (about_issuer && r->issuer.len > 0))
        return GH_ERR_BAD_MESSAGE;
    make_key(ret_key, kind_letters[r->kind], r->subject.data, r->subject.len, r->issuer.data,
             r->issuer.len);
    return GH_OK;
}

/* ---- orders ---- */

static void on_reload(void *ctx, uint64_t version)
{
    struct revocations *revocations = ctx;
    Gh__AuthOrder order = GH__AUTH_ORDER__INIT;

    order.version = version;
    if (revocations->config.on_order != NULL)
        revocations->config.on_order(revocations->config.ctx, &order);
}

/* A lift has the key alone. */
static bool revocation_of_key(const struct gh_roster_item *item, Gh__Revocation *revocation)
{
    const char *divider = memchr(item->key, DIVIDER, item->key_len);

    gh__revocation__init(revocation);
    if (item->key_len < 4 || divider == NULL) return false;
    for (unsigned kind = 0; kind < sizeof(kind_letters); kind++) {
        if (kind_letters[kind] == item->key[0]) revocation->kind = (Gh__RevokeKind)kind;
    }
    revocation->subject = gh_bytes(item->key + 2, (size_t)(divider - item->key) - 2);
    revocation->issuer = gh_bytes(divider + 1, item->key_len - (size_t)(divider + 1 - item->key));
    return true;
}

static void on_change(void *ctx, uint64_t version, const struct gh_roster_item *item, bool lifted)
{
    struct revocations *revocations = ctx;
    Gh__AuthOrder order = GH__AUTH_ORDER__INIT;
    Gh__Revocation bare, *one = &bare, *unpacked = NULL;

    if (!revocation_of_key(item, &bare)) return;
    order.version = version;
    if (lifted) {
        order.n_lifted = 1;
        order.lifted = &one;
    } else {
        unpacked = gh__revocation__unpack(NULL, item->value_len, (const uint8_t *)item->value);
        if (unpacked != NULL) one = unpacked;
        order.n_added = 1;
        order.added = &one;
    }
    if (revocations->config.on_order != NULL)
        revocations->config.on_order(revocations->config.ctx, &order);
    if (unpacked != NULL) gh__revocation__free_unpacked(unpacked, NULL);
}

/* ---- life ---- */

enum gh_err revocations_new(const struct revocations_config *config,
                            struct revocations **ret_revocations)
{
    struct revocations *revocations = calloc(1, sizeof(*revocations));
    enum gh_err err;

    if (revocations == NULL) return GH_ERR_NOMEM;
    revocations->config = *config;
    err = gh_roster_new(
        &(struct gh_roster_config){
            .loop = config->loop,
            .redis = config->redis,
            .name = "revoked",
            .poll_ms = config->poll_ms,
            .max_items = config->max,
            .ctx = revocations,
            .on_change = on_change,
            .on_reload = on_reload,
        },
        &revocations->roster);
    if (err != GH_OK) {
        free(revocations);
        return err;
    }
    *ret_revocations = revocations;
    return GH_OK;
}

void revocations_free(struct revocations *revocations)
{
    if (revocations == NULL) return;
    gh_roster_free(revocations->roster);
    free(revocations);
}

bool revocations_loaded(const struct revocations *revocations)
{
    return gh_roster_loaded(revocations->roster);
}

uint64_t revocations_version(const struct revocations *revocations)
{
    return gh_roster_version(revocations->roster);
}

size_t revocations_count(const struct revocations *revocations)
{
    return gh_roster_count(revocations->roster);
}

/* ---- asking ---- */

static const struct gh_roster_item *look_up(const struct revocations *revocations, char letter,
                                            const void *subject, size_t len, const char *issuer,
                                            uint64_t now_ms)
{
    const size_t issuer_len = strlen(issuer);
    struct entry_key key;

    if (len == 0 || len > REVOCATION_SUBJECT_MAX || issuer_len > REVOCATION_ISSUER_MAX) return NULL;
    make_key(&key, letter, subject, len, issuer, issuer_len);
    return gh_roster_find(revocations->roster, key.text, key.len, now_ms);
}

static bool user_revoked(const struct revocations *revocations, const struct identity *id,
                         const char *issuer, uint64_t now_ms)
{
    const struct gh_roster_item *item =
        look_up(revocations, 'u', id->user, id->user_len, issuer, now_ms);
    Gh__Revocation *revocation;
    bool applies = true;

    if (item == NULL) return false;
    revocation = gh__revocation__unpack(NULL, item->value_len, (const uint8_t *)item->value);
    if (revocation != NULL) {
        applies = revocation->before_ms == 0 || id->issued_ms < 0 ||
                  (uint64_t)id->issued_ms < revocation->before_ms;
        gh__revocation__free_unpacked(revocation, NULL);
    }
    return applies;
}

/* By its whole id, or by the family it was issued in: what stands before the last dot. */
static bool token_revoked(const struct revocations *revocations, const struct identity *id,
                          const char *issuer, uint64_t now_ms)
{
    const char *dot = memrchr(id->token_id, '.', id->token_id_len);

    return look_up(revocations, 't', id->token_id, id->token_id_len, issuer, now_ms) != NULL ||
           (dot != NULL && look_up(revocations, 't', id->token_id, (size_t)(dot - id->token_id),
                                   issuer, now_ms) != NULL);
}

enum auth_reason revocations_check(const struct revocations *r, const struct identity *id,
                                   uint64_t now_ms)
{
    const char *issuer = id->issuer->rule.name;

    if (gh_roster_count(r->roster) == 0) return AUTH_OK;
    if (token_revoked(r, id, issuer, now_ms) || token_revoked(r, id, "", now_ms))
        return AUTH_REVOKED_TOKEN;
    if (user_revoked(r, id, issuer, now_ms) || user_revoked(r, id, "", now_ms))
        return AUTH_REVOKED_USER;
    if (look_up(r, 'i', issuer, strlen(issuer), "", now_ms) != NULL) return AUTH_REVOKED_ISSUER;
    if (id->kid != NULL && look_up(r, 'k', id->kid, strlen(id->kid), issuer, now_ms) != NULL)
        return AUTH_REVOKED_KEY;
    return AUTH_OK;
}

/* ---- changing ---- */

enum gh_err revocations_add(struct revocations *revocations, const Gh__Revocation *revocation,
                            uint64_t now_ms, gh_roster_done_fn fn, void *ctx)
{
    uint8_t value[VALUE_MAX_BYTES];
    Gh__Revocation stored = *revocation;
    struct entry_key key;
    enum gh_err err = key_of(revocation, &key);

    if (err != GH_OK) return err;
    if (revocation->reason.len > REVOCATION_REASON_MAX || revocation->by.len > GH_BUS_INSTANCE_MAX)
        return GH_ERR_BAD_MESSAGE;
    if (stored.expires_ms == 0 && (stored.kind == GH__REVOKE_KIND__REVOKE_TOKEN ||
                                   stored.kind == GH__REVOKE_KIND__REVOKE_USER))
        stored.expires_ms = now_ms + revocations->config.age_ms;
    stored.created_ms = now_ms;
    return gh_roster_add(revocations->roster,
                         &(struct gh_roster_item){
                             .key = key.text,
                             .key_len = key.len,
                             .value = (const char *)value,
                             .value_len = gh__revocation__pack(&stored, value),
                             .expires_ms = stored.expires_ms,
                         },
                         fn, ctx);
}

enum gh_err revocations_lift(struct revocations *revocations, const Gh__Revocation *revocation,
                             gh_roster_done_fn fn, void *ctx)
{
    struct entry_key key;
    enum gh_err err = key_of(revocation, &key);

    if (err != GH_OK) return err;
    return gh_roster_lift(revocations->roster, key.text, key.len, fn, ctx);
}

/* ---- listing ---- */

enum gh_err revocations_list(const struct revocations *revocations, ProtobufCBinaryData cursor,
                             uint64_t now_ms, struct revocations_page *page)
{
    const struct gh_roster_item *item;

    if (cursor.len > sizeof(page->cursor)) return GH_ERR_BAD_MESSAGE;
    gh__auth_revocations_reply__init(&page->reply);
    page->reply.revocations = page->items;
    page->reply.version = gh_roster_version(revocations->roster);
    item = gh_roster_after(revocations->roster, cursor.data, cursor.len);
    for (; item != NULL && page->reply.n_revocations < REVOCATIONS_PAGE;
         item = gh_roster_after(revocations->roster, item->key, item->key_len)) {
        Gh__Revocation *one;

        if (item->expires_ms != 0 && item->expires_ms <= now_ms) continue;
        one = gh__revocation__unpack(NULL, item->value_len, (const uint8_t *)item->value);
        if (one == NULL) continue; /* not a value of ours */
        page->items[page->reply.n_revocations++] = one;
        memcpy(page->cursor, item->key, item->key_len);
        page->reply.cursor = gh_bytes(page->cursor, item->key_len);
    }
    if (item == NULL) page->reply.cursor.len = 0;
    return GH_OK;
}

void revocations_page_free(struct revocations_page *page)
{
    for (size_t i = 0; i < page->reply.n_revocations; i++)
        gh__revocation__free_unpacked(page->items[i], NULL);
    page->reply.n_revocations = 0;
}
