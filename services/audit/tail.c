#include "tail.h"

#include "line.h"
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct kept {
    uint64_t seq;
    char *text;
    size_t len;
};

struct tail {
    uv_loop_t *loop;
    int dir_fd;
    struct kept ring[TAIL_LINES];
    size_t first, count, bytes;
    unsigned readers;
};

struct reading {
    uv_work_t work;
    struct tail *tail;
    uint64_t after_seq, before_seq; /* both exclusive */
    uint32_t limit;
    tail_fn fn;
    void *ctx;
    enum gh_err err;
    struct gh_buf text; /* the lines one after the other */
    struct tail_line lines[TAIL_LINES];
    size_t count;
    uint64_t last_seq;
};

enum gh_err tail_new(uv_loop_t *loop, const char *dir, struct tail **ret_tail)
{
    struct tail *tail = calloc(1, sizeof(*tail));

    if (tail == NULL) return GH_ERR_NOMEM;
    tail->loop = loop;
    tail->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tail->dir_fd < 0) {
        free(tail);
        return GH_ERR_IO;
    }
    *ret_tail = tail;
    return GH_OK;
}

static void drop_oldest(struct tail *tail)
{
    struct kept *oldest = &tail->ring[tail->first];

    tail->bytes -= oldest->len;
    free(oldest->text);
    tail->first = (tail->first + 1) % TAIL_LINES;
    tail->count--;
}

void tail_free(struct tail *tail)
{
    if (tail == NULL) return;
    while (tail->readers > 0)
        uv_run(tail->loop, UV_RUN_ONCE);
    while (tail->count > 0)
        drop_oldest(tail);
    close(tail->dir_fd);
    free(tail);
}

void tail_add(struct tail *tail, uint64_t seq, const char *line, size_t len)
{
    char *text = malloc(len);

    if (text == NULL) { /* a hole would be a lie: older ones are in the files */
        while (tail->count > 0)
            drop_oldest(tail);
        return;
    }
    memcpy(text, line, len);
    while (tail->count > 0 && (tail->count == TAIL_LINES || tail->bytes + len > TAIL_BYTES))
        drop_oldest(tail);
    tail->ring[(tail->first + tail->count) % TAIL_LINES] =
        (struct kept){ .seq = seq, .text = text, .len = len };
    tail->count++;
    tail->bytes += len;
}

/* ---- from the files ---- */

/* Lines begin {"seq":N, */
static bool line_seq(const char *line, size_t len, uint64_t *ret_seq)
{
    static const char start[] = "{\"seq\":";
    uint64_t seq = 0;
    size_t i = sizeof(start) - 1;

    if (len <= i || memcmp(line, start, i) != 0) return false;
    for (; i < len && line[i] >= '0' && line[i] <= '9'; i++)
        seq = seq * 10 + (uint64_t)(line[i] - '0');
    *ret_seq = seq;
    return i < len && line[i] == ',';
}

static bool take(struct reading *r, const char *line, size_t len, uint64_t seq)
{
    if (r->count == r->limit || r->text.len + len > TAIL_BYTES) return false;
    size_t off = r->text.len;
    if (gh_buf_append(&r->text, line, len) != GH_OK) {
        r->err = GH_ERR_NOMEM;
        return false;
    }
    /* Offsets now, pointers when the buffer does not move any more. */
    r->lines[r->count++] = (struct tail_line){ (const char *)(uintptr_t)off, len };
    r->last_seq = seq;
    return true;
}

static bool read_segment(struct reading *r, int fd, char *chunk)
{
    uint64_t off = 0;
    size_t have = 0;

    for (;;) {
        ssize_t n = pread(fd, chunk + have, 2 * AUDIT_LINE_MAX - have, (off_t)(off + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) r->err = GH_ERR_IO;
        if (n <= 0) return n == 0;
        have += (size_t)n;
        size_t used = 0;
        const char *feed;
        while ((feed = memchr(chunk + used, '\n', have - used)) != NULL) {
            size_t len = (size_t)(feed - chunk) - used;
            uint64_t seq = 0;
            if (!line_seq(chunk + used, len, &seq) || seq >= r->before_seq) return false;
            if (seq > r->after_seq && !take(r, chunk + used, len, seq)) return false;
            used += len + 1;
        }
        if (used == 0 && have >= AUDIT_LINE_MAX) return false;
        have -= used;
        off += used;
        memmove(chunk, chunk + used, have);
    }
}

static void read_work(uv_work_t *work)
{
    struct reading *r = work->data;
    struct segment_list list = { 0 };
    char *chunk = malloc(2 * (size_t)AUDIT_LINE_MAX);

    r->err = chunk == NULL ? GH_ERR_NOMEM : segment_list(r->tail->dir_fd, &list);
    bool more = true;
    for (size_t i = 0; r->err == GH_OK && more && i < list.count; i++) {
        int fd = -1;
        if (i + 1 < list.count && list.first[i + 1] <= r->after_seq + 1) continue;
        r->err = segment_open(r->tail->dir_fd, list.first[i], false, &fd);
        if (r->err != GH_OK) break;
        more = read_segment(r, fd, chunk);
        close(fd);
    }
    segment_list_done(&list);
    free(chunk);
}

static void read_after(uv_work_t *work, int status)
{
    struct reading *r = work->data;

    (void)status;
    r->tail->readers--;
    for (size_t i = 0; i < r->count; i++)
        r->lines[i].text = r->text.data + (uintptr_t)r->lines[i].text;
    r->fn(r->ctx, r->err, r->lines, r->err == GH_OK ? r->count : 0, r->last_seq);
    gh_buf_done(&r->text);
    free(r);
}

enum gh_err tail_ask(struct tail *tail, uint64_t after_seq, uint32_t limit, tail_fn fn, void *ctx)
{
    if (limit > TAIL_LINES) limit = TAIL_LINES;
    if (limit == 0) limit = 1;
    uint64_t oldest = tail->count > 0 ? tail->ring[tail->first].seq : UINT64_MAX;
    uint64_t newest = tail->count > 0 ? oldest + tail->count - 1 : 0;

    if (after_seq == 0 && newest > limit) after_seq = newest - limit;
    if (tail->count > 0 && after_seq >= oldest - 1) {
        struct tail_line lines[TAIL_LINES];
        uint32_t n = 0;
        for (size_t i = after_seq >= newest ? tail->count : (size_t)(after_seq + 1 - oldest);
             i < tail->count && n < limit; i++) {
            const struct kept *kept = &tail->ring[(tail->first + i) % TAIL_LINES];
            lines[n++] = (struct tail_line){ kept->text, kept->len };
            after_seq = kept->seq;
        }
        fn(ctx, GH_OK, lines, n, after_seq);
        return GH_OK;
    }

    if (tail->readers >= TAIL_READERS_MAX) return GH_ERR_BUSY;
    struct reading *r = calloc(1, sizeof(*r));
    if (r == NULL) return GH_ERR_NOMEM;
    *r = (struct reading){ .tail = tail,
                           .after_seq = after_seq,
                           .before_seq = oldest,
                           .limit = limit,
                           .fn = fn,
                           .ctx = ctx,
                           .last_seq = after_seq };
    gh_buf_init(&r->text, 0);
    r->work.data = r;
    tail->readers++;
    uv_queue_work(tail->loop, &r->work, read_work, read_after);
    return GH_OK;
}
