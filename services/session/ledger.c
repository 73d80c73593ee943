#include "ledger.h"

#include <stdlib.h>
#include <string.h>

struct ledger {
    struct ledger_note *ring;
    size_t first, count, cap;
};

enum gh_err ledger_new(struct ledger **ret_ledger)
{
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (ledger == NULL) return GH_ERR_NOMEM;
    *ret_ledger = ledger;
    return GH_OK;
}

static struct ledger_note *note_at(const struct ledger *ledger, size_t index)
{
    return &ledger->ring[(ledger->first + index) % ledger->cap];
}

static void drop_first(struct ledger *ledger)
{
    free((char *)ledger->ring[ledger->first].user);
    ledger->first = (ledger->first + 1) % ledger->cap;
    ledger->count--;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) return;
    while (ledger->count > 0)
        drop_first(ledger);
    free(ledger->ring);
    free(ledger);
}

static bool make_room(struct ledger *ledger)
{
    struct ledger_note *grown;
    size_t cap;

    if (ledger->count < ledger->cap) return true;
    if (ledger->cap == LEDGER_MAX) {
        drop_first(ledger);
        return true;
    }
    cap = ledger->cap > 0 ? ledger->cap * 2 : 256;
    grown = malloc(cap * sizeof(*grown));
    if (grown == NULL) return false;
    for (size_t i = 0; i < ledger->count; i++)
        grown[i] = *note_at(ledger, i);
    free(ledger->ring);
    ledger->ring = grown;
    ledger->first = 0;
    ledger->cap = cap;
    return true;
}

void ledger_add(struct ledger *ledger, const void *session_id, const void *user, size_t user_len,
                uint32_t code, int64_t now_ms)
{
    struct ledger_note note = { .time_ms = now_ms, .code = code, .user_len = (uint16_t)user_len };
    char *copy;

    if (user_len == 0 || user_len > SESSION_USER_MAX || !make_room(ledger)) return;
    copy = malloc(user_len);
    if (copy == NULL) return;
    memcpy(copy, user, user_len);
    memcpy(note.session_id, session_id, SESSION_ID_LEN);
    note.user = copy;
    ledger->count++;
    *note_at(ledger, ledger->count - 1) = note;
}

void ledger_trim(struct ledger *ledger, int64_t now_ms)
{
    while (ledger->count > 0 && note_at(ledger, 0)->time_ms + LEDGER_KEEP_MS <= now_ms)
        drop_first(ledger);
}

size_t ledger_count(const struct ledger *ledger)
{
    return ledger->count;
}

const struct ledger_note *ledger_at(const struct ledger *ledger, size_t index)
{
    return index < ledger->count ? note_at(ledger, index) : NULL;
}
