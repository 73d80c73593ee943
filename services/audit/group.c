#include "group.h"

#include <stdlib.h>

void group_init(struct group *group)
{
    *group = (struct group){ 0 };
    gh_buf_init(&group->lines, 0);
}

void group_reset(struct group *group)
{
    for (size_t i = 0; i < group->pin_count; i++)
        group->pins[i].mark->pins--;
    gh_buf_reset(&group->lines);
    group->first_seq = group->last_seq = 0;
    group->pin_count = 0;
}

void group_tell(struct group *group, enum gh_err err)
{
    struct group_waiter *waiters = group->waiters;
    size_t count = group->waiter_count;

    group->waiters = NULL;
    group->waiter_count = group->waiter_cap = 0;
    for (size_t i = 0; i < count; i++)
        waiters[i].fn(waiters[i].ctx, err);
    free(waiters);
}

bool group_empty(const struct group *group)
{
    return group->last_seq == 0 && group->waiter_count == 0;
}

void group_done(struct group *group)
{
    gh_buf_done(&group->lines);
    free(group->waiters);
    free(group->pins);
}

void group_settle(struct group *group)
{
    for (size_t i = 0; i < group->pin_count; i++) {
        struct group_pin *pin = &group->pins[i];

        if (pin->number > pin->mark->durable) pin->mark->durable = pin->number;
    }
}

static enum gh_err grow(void **array, size_t count, size_t *cap, size_t item)
{
    if (count < *cap) return GH_OK;
    size_t more = *cap == 0 ? 64 : *cap * 2;
    void *grown = realloc(*array, more * item);
    if (grown == NULL) return GH_ERR_NOMEM;
    *array = grown;
    *cap = more;
    return GH_OK;
}

static void pin(struct group *group, struct ledger_mark *mark, uint64_t number)
{
    struct group_pin *last = group->pin_count > 0 ? &group->pins[group->pin_count - 1] : NULL;

    mark->taken = number;
    if (last != NULL && last->mark == mark) {
        last->number = number;
        return;
    }
    group->pins[group->pin_count++] = (struct group_pin){ mark, number };
    mark->pins++;
}

enum gh_err group_append(struct group *group, uint64_t seq, const struct gh_audit_hash *before,
                         const struct line_source *source, const Gh__AuditEvent *event,
                         struct ledger_mark *mark)
{
    struct gh_audit_hash hash;
    enum gh_err err = mark == NULL ? GH_OK
                                   : grow((void **)&group->pins, group->pin_count, &group->pin_cap,
                                          sizeof(*group->pins));

    if (err == GH_OK) err = line_write(&group->lines, seq, before, source, event, &hash);
    if (err != GH_OK) return err;
    if (group->first_seq == 0) group->first_seq = seq;
    group->last_seq = seq;
    group->hash = hash;
    if (mark != NULL) pin(group, mark, event->number);
    return GH_OK;
}

enum gh_err group_wait(struct group *group, group_done_fn fn, void *ctx)
{
    enum gh_err err = grow((void **)&group->waiters, group->waiter_count, &group->waiter_cap,
                           sizeof(*group->waiters));

    if (err != GH_OK) return err;
    group->waiters[group->waiter_count++] = (struct group_waiter){ fn, ctx };
    return GH_OK;
}
