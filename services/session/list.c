/* Listings, a page at a time: of one user by age, or of all by the shards of the index. */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MAX    1000u
#define CURSOR_USER  'U' /* U and a rank */
#define CURSOR_SHARD 'A' /* a letter for the shard and the last index entry seen */
#define FIELDS       6

struct record {
    Gh__SessionRecord msg;
    char id[SESSION_ID_LEN];
    char text[FIELDS][SESSION_USER_MAX];
};

struct listing {
    struct session *session;
    struct gh_reply *reply;
    unsigned left;
    enum gh_err err;
    uint32_t limit;
    bool of_user;
    struct session_user user;
    unsigned long rank; /* of_user: where this page begins */
    unsigned shard;
    size_t after_len; /* the last entry seen of the shard */
    char after[SESSION_ENTRY_MAX];
    size_t page_len; /* entries of the page being read, until they are all fetched */
    uint32_t page_asked;
    size_t count;
    struct record *records[LIMIT_MAX];
    Gh__SessionRecord *list[LIMIT_MAX];
};

static void next_page(struct listing *l);

static void finish(struct listing *l, bool more)
{
    Gh__SessionListed listed = GH__SESSION_LISTED__INIT;
    char cursor[SESSION_ENTRY_MAX + 1];

    if (l->err == GH_OK) {
        for (size_t i = 0; i < l->count; i++)
            l->list[i] = &l->records[i]->msg;
        listed.n_sessions = l->count;
        listed.sessions = l->list;
        if (more && l->of_user) {
            listed.cursor = gh_bytes(
                cursor, (size_t)snprintf(cursor, sizeof(cursor), "%c%lu", CURSOR_USER, l->rank));
        } else if (more) {
            cursor[0] = (char)(CURSOR_SHARD + l->shard);
            memcpy(cursor + 1, l->after, l->after_len);
            listed.cursor = gh_bytes(cursor, l->after_len + 1);
        }
        gh_reply_send(l->reply, GH__ENVELOPE__BODY_SESSION_LISTED, &listed);
    } else {
        gh_reply_fail(l->reply, GH_ERR_UNAVAILABLE);
    }
    for (size_t i = 0; i < l->count; i++)
        free(l->records[i]);
    free(l);
}

/* ---- records ---- */

static void keep(struct record *record, unsigned at, const redisReply *value,
                 ProtobufCBinaryData *field)
{
    size_t len = value->len < SESSION_USER_MAX ? value->len : SESSION_USER_MAX;

    memcpy(record->text[at], value->str, len);
    *field = gh_bytes(record->text[at], len);
}

static void take_field(struct record *record, char name, const redisReply *value)
{
    Gh__SessionRecord *msg = &record->msg;

    switch (name) {
    case 'u': keep(record, 0, value, &msg->user); break;
    case 'a': keep(record, 1, value, &msg->address); break;
    case 'g': keep(record, 2, value, &msg->agent); break;
    case 'r': keep(record, 3, value, &msg->route); break;
    case 'e': keep(record, 4, value, &msg->edge); break;
    case 'c': msg->created_ms = strtoull(value->str, NULL, 10); break;
    case 't': msg->touched_ms = strtoull(value->str, NULL, 10); break;
    case 'x': msg->expires_ms = strtoull(value->str, NULL, 10); break;
    case 'i': msg->messages_in = strtoull(value->str, NULL, 10); break;
    case 'o': msg->messages_out = strtoull(value->str, NULL, 10); break;
    case 'd': msg->state = gh_bytes_str("detached"); break;
    default: break;
    }
}

static void add_record(struct listing *l, const redisReply *row)
{
    struct record *record;
    const redisReply *fields;

    if (row->type != REDIS_REPLY_ARRAY || row->elements != 2 ||
        row->element[0]->len != SESSION_ID_LEN || row->element[1]->type != REDIS_REPLY_ARRAY ||
        row->element[1]->elements == 0 || l->count == LIMIT_MAX)
        return;
    record = calloc(1, sizeof(*record));
    if (record == NULL) {
        l->err = GH_ERR_NOMEM;
        return;
    }
    gh__session_record__init(&record->msg);
    memcpy(record->id, row->element[0]->str, SESSION_ID_LEN);
    record->msg.session_id = gh_bytes(record->id, SESSION_ID_LEN);
    record->msg.state = gh_bytes_str("active");
    fields = row->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (fields->element[i]->len == 1)
            take_field(record, fields->element[i]->str[0], fields->element[i + 1]);
    }
    l->records[l->count++] = record;
}

/* ---- pages ---- */

static void page_done(struct listing *l)
{
    bool more;

    if (--l->left > 0) return;
    if (l->err != GH_OK) {
        finish(l, false);
        return;
    }
    more = l->page_len == l->page_asked; /* a full page: there may be another behind it */
    if (l->of_user) {
        l->rank += l->page_len;
        finish(l, more);
        return;
    }
    if (!more) {
        l->shard++;
        l->after_len = 0;
    }
    if (l->shard == SESSION_SHARDS)
        finish(l, false);
    else if (l->count >= l->limit)
        finish(l, true);
    else
        next_page(l);
}

static void on_fetched(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct listing *l = ctx;

    if (err == GH_OK && (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
                         reply->element[1]->type != REDIS_REPLY_ARRAY))
        err = GH_ERR_IO;
    if (err != GH_OK) {
        l->err = err;
    } else {
        if (l->of_user) l->page_len = (size_t)reply->element[0]->integer;
        for (size_t i = 0; i < reply->element[1]->elements; i++)
            add_record(l, reply->element[1]->element[i]);
    }
    page_done(l);
}

/* ids NULL: `count` of the user from l->rank. */
static void fetch(struct listing *l, const struct session_user *user,
                  const struct session_entry *entries, size_t count)
{
    struct args args;

    session_args_begin(l->session, &user->keys, &args);
    if (entries == NULL) {
        args_u64(&args, l->rank);
        args_u64(&args, count);
    } else {
        args_str(&args, "-1");
        args_str(&args, "0");
        for (size_t i = 0; i < count; i++)
            args_bytes(&args, entries[i].session_id, SESSION_ID_LEN);
    }
    l->err = args_script(&args, l->session->redis, &session_script_fetch, 2, on_fetched, l);
    args_done(&args);
    if (l->err == GH_OK) l->left++;
}

static int by_user(const void *a, const void *b)
{
    const struct session_entry *x = a, *y = b;

    if (x->user_len != y->user_len) return x->user_len < y->user_len ? -1 : 1;
    return memcmp(x->user, y->user, x->user_len);
}

static void fetch_entries(struct listing *l, struct session_entry *entries, size_t count)
{
    struct session_user user;

    if (count > 0) qsort(entries, count, sizeof(*entries), by_user);
    for (size_t i = 0, n; i < count && l->err == GH_OK; i += n) {
        for (n = 1; i + n < count && by_user(&entries[i], &entries[i + n]) == 0; n++)
            ;
        l->err = session_user_make(gh_bytes(entries[i].user, entries[i].user_len), &user);
        if (l->err == GH_OK) fetch(l, &user, &entries[i], n);
    }
}

static void on_page(void *ctx, enum gh_err err, const redisReply *reply)
{
    struct listing *l = ctx;
    struct session_entry *entries = NULL;
    size_t count = 0;

    if (err == GH_OK && reply->type != REDIS_REPLY_ARRAY) err = GH_ERR_IO;
    if (err == GH_OK && reply->elements > 0) {
        entries = calloc(reply->elements, sizeof(*entries));
        if (entries == NULL) err = GH_ERR_NOMEM;
    }
    if (err != GH_OK) {
        l->err = err;
    } else {
        l->page_len = reply->elements;
        for (size_t i = 0; i < reply->elements; i++) {
            const redisReply *entry = reply->element[i];

            if (session_entry_parse(entry->str, entry->len, &entries[count]) == GH_OK) count++;
            if (entry->len > 0 && entry->len <= SESSION_ENTRY_MAX) {
                memcpy(l->after, entry->str, entry->len);
                l->after_len = entry->len;
            }
        }
        fetch_entries(l, entries, count);
    }
    free(entries);
    page_done(l);
}

static void next_page(struct listing *l)
{
    char key[SESSION_KEY_BYTES], from[SESSION_ENTRY_MAX + 1];
    struct args args;

    l->left = 1;
    l->page_asked = l->limit - (uint32_t)l->count;
    l->page_len = 0;
    from[0] = l->after_len > 0 ? '(' : '-';
    memcpy(from + 1, l->after, l->after_len);
    session_key_of_shard(l->shard, key);
    args_init(&args);
    args_str(&args, "ZRANGEBYLEX");
    args_str(&args, key);
    args_bytes(&args, from, l->after_len + 1);
    args_str(&args, "+");
    args_str(&args, "LIMIT");
    args_str(&args, "0");
    args_u64(&args, l->page_asked);
    l->err = args_command(&args, l->session->redis, on_page, l);
    args_done(&args);
    if (l->err != GH_OK) finish(l, false);
}

static bool take_cursor(struct listing *l, ProtobufCBinaryData cursor)
{
    char number[16] = "";

    if (cursor.len == 0) return true;
    if (l->of_user) {
        if (cursor.data[0] != CURSOR_USER || cursor.len < 2 || cursor.len >= sizeof(number))
            return false;
        memcpy(number, cursor.data + 1, cursor.len - 1);
        l->rank = strtoul(number, NULL, 10);
        return true;
    }
    if (cursor.data[0] < CURSOR_SHARD || cursor.data[0] >= CURSOR_SHARD + SESSION_SHARDS ||
        cursor.len - 1 > SESSION_ENTRY_MAX)
        return false;
    l->shard = cursor.data[0] - (unsigned)CURSOR_SHARD;
    l->after_len = cursor.len - 1;
    memcpy(l->after, cursor.data + 1, l->after_len);
    return true;
}

enum gh_err session_on_list(void *ctx, const struct gh_peer *peer, const void *body,
                            struct gh_reply *reply)
{
    const Gh__SessionList *msg = body;
    struct listing *l;
    enum gh_err err = GH_OK;

    (void)peer;
    if (msg->limit > LIMIT_MAX) return GH_ERR_BAD_MESSAGE;
    l = calloc(1, sizeof(*l));
    if (l == NULL) return GH_ERR_NOMEM;
    l->session = ctx;
    l->reply = reply;
    l->limit = msg->limit > 0 ? msg->limit : 100;
    l->of_user = msg->user.len > 0;
    if (l->of_user) err = session_user_make(msg->user, &l->user);
    if (err == GH_OK && !take_cursor(l, msg->cursor)) err = GH_ERR_BAD_MESSAGE;
    if (err != GH_OK) {
        free(l);
        return err;
    }
    if (!l->of_user) {
        next_page(l);
        return GH_OK;
    }
    l->left = 1;
    l->page_asked = l->limit;
    fetch(l, &l->user, NULL, l->limit);
    page_done(l);
    return GH_OK;
}
