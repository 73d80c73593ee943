#include "recover.h"

#include "line.h"
#include "scan.h"
#include "segment.h"

#include "common/json/tape.h"
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATE_MAX   (32u << 20)
#define CHUNK_BYTES (1u << 20)

struct walk {
    int dir_fd;
    struct ledger *ledger;
    struct gh_tape tape;
    recover_keep_fn keep;
    void *ctx;
    const struct anchor *anchor;
    bool anchor_met;
    struct recovered at;
    char *chunk;
};

/* ---- the state file ---- */

enum gh_err recover_state_write(const struct signer *signer, const struct ledger *ledger,
                                uint64_t segment_first, uint64_t segment_bytes, uint64_t seq,
                                const struct gh_audit_hash *hash, struct gh_buf *out)
{
    char line[256], hex[GH_AUDIT_HASH_HEX + 1], signature[SIGNATURE_HEX + 1];
    size_t start = out->len;

    gh_audit_hash_hex(hash, hex);
    int n =
        snprintf(line, sizeof(line), STATE_CONTEXT "at %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n",
                 segment_first, segment_bytes, seq, hex);
    enum gh_err err = gh_buf_append(out, line, (size_t)n);
    if (err == GH_OK) err = ledger_save(ledger, out);
    if (err == GH_OK) err = signer_sign(signer, out->data + start, out->len - start, signature);
    if (err == GH_OK) err = gh_buf_append(out, signature, SIGNATURE_HEX);
    if (err == GH_OK) err = gh_buf_append(out, "\n", 1);
    if (err != GH_OK) out->len = start;
    return err;
}

static enum gh_err state_parse(struct walk *walk, const struct signer *signer, const char *text,
                               size_t len)
{
    const size_t tail = SIGNATURE_HEX + 1;
    const size_t context = strlen(STATE_CONTEXT);
    char hex[GH_AUDIT_HASH_HEX + 1];
    struct recovered at = { 0 };

    if (len < context + tail || text[len - 1] != '\n' ||
        memcmp(text, STATE_CONTEXT, context) != 0 ||
        !signer_check(signer, text, len - tail, text + len - tail, SIGNATURE_HEX))
        return GH_ERR_CRYPTO;
    const char *line = text + context, *end = text + len - tail;
    if (!scan_literal(&line, "at ") || !scan_u64(&line, &at.segment_first) ||
        !scan_literal(&line, " ") || !scan_u64(&line, &at.segment_bytes) ||
        !scan_literal(&line, " ") || !scan_u64(&line, &at.seq) || !scan_literal(&line, " ") ||
        !scan_word(&line, hex, sizeof(hex)) || !scan_literal(&line, "\n") ||
        gh_audit_hash_parse(hex, strlen(hex), &at.hash) != GH_OK)
        return GH_ERR_BAD_MESSAGE;
    while (line < end) {
        const char *feed = memchr(line, '\n', (size_t)(end - line));
        if (feed == NULL) return GH_ERR_BAD_MESSAGE;
        enum gh_err err = ledger_load_line(walk->ledger, line, (size_t)(feed - line));
        if (err != GH_OK) return err;
        line = feed + 1;
    }
    walk->at = at;
    return GH_OK;
}

/* Where the walk may start. Without a state worth believing: at the beginning. */
static void state_load(struct walk *walk, const struct signer *signer)
{
    char *text = NULL;
    size_t len = 0;
    int fd = -1;
    struct stat st;

    enum gh_err err = file_read(walk->dir_fd, STATE_FILE, STATE_MAX, &text, &len);
    if (err == GH_OK) err = state_parse(walk, signer, text, len);
    free(text);
    if (err == GH_OK && walk->at.seq > walk->anchor->seq) err = GH_ERR_CRYPTO;
    if (err == GH_OK && walk->at.segment_first != 0) {
        err = segment_open(walk->dir_fd, walk->at.segment_first, false, &fd);
        if (err == GH_ERR_NOT_FOUND && walk->at.segment_bytes == 0)
            err = GH_OK; /* written just before its first record */
        else if (err == GH_OK &&
                 (fstat(fd, &st) != 0 || (uint64_t)st.st_size < walk->at.segment_bytes))
            err = GH_ERR_CRYPTO;
        if (fd >= 0) close(fd);
    }
    if (err == GH_OK) return;
    if (err != GH_ERR_NOT_FOUND)
        gh_log(GH_LOG_WARN, "audit_state_unusable", "reason=\"%s\" next=\"read the whole log\"",
               gh_err_text(err));
    ledger_clear(walk->ledger);
    walk->at = (struct recovered){ 0 };
}

/* ---- the walk ---- */

static enum gh_err take_line(struct walk *walk, const char *line, size_t len)
{
    struct line_view view;

    enum gh_err err = line_read(&walk->tape, line, len, &walk->at.hash, &view);
    if (err == GH_OK && view.seq != walk->at.seq + 1) err = GH_ERR_BAD_MESSAGE;
    if (err != GH_OK) return err;
    if (view.number > 0 && view.sender[0] != '\0') {
        struct ledger_mark *mark = ledger_mark(walk->ledger, view.sender, view.spool);
        if (mark == NULL) return GH_ERR_NOMEM;
        if (view.number > mark->durable) mark->taken = mark->durable = view.number;
    }
    walk->at.seq = view.seq;
    walk->at.hash = view.hash;
    walk->at.scanned++;
    if (view.seq == walk->anchor->seq)
        walk->anchor_met = memcmp(&view.hash, &walk->anchor->hash, sizeof(view.hash)) == 0;
    if (walk->keep != NULL) walk->keep(walk->ctx, view.seq, line, len);
    return GH_OK;
}

/* Whole lines of fd from at.segment_bytes on. GH_ERR_BAD_MESSAGE: stopped at the first that is no
 * record of the chain; at.segment_bytes is where it begins. */
static enum gh_err walk_segment(struct walk *walk, int fd)
{
    size_t have = 0;

    for (;;) {
        ssize_t n = pread(fd, walk->chunk + have, CHUNK_BYTES - have,
                          (off_t)(walk->at.segment_bytes + have));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return GH_ERR_IO;
        if (n == 0) return have == 0 ? GH_OK : GH_ERR_BAD_MESSAGE; /* a line without its end */
        have += (size_t)n;

        size_t used = 0;
        const char *feed;
        while ((feed = memchr(walk->chunk + used, '\n', have - used)) != NULL) {
            size_t len = (size_t)(feed - walk->chunk) - used;
            enum gh_err err = take_line(walk, walk->chunk + used, len);
            if (err != GH_OK) return err;
            used += len + 1;
            walk->at.segment_bytes += len + 1;
        }
        if (used == 0 && have >= AUDIT_LINE_MAX) return GH_ERR_BAD_MESSAGE;
        have -= used;
        memmove(walk->chunk, walk->chunk + used, have);
    }
}

static enum gh_err refuse(const struct walk *walk, const char *what)
{
    gh_log(GH_LOG_ERROR, "audit_log_broken",
           "reason=\"%s\" last_good_seq=%" PRIu64 " anchor_seq=%" PRIu64
           " next=\"run gatehousectl audit verify; nothing was changed\"",
           what, walk->at.seq, walk->anchor->seq);
    return GH_ERR_CRYPTO;
}

static enum gh_err cut_tail(struct walk *walk, int fd)
{
    struct stat st;

    if (fstat(fd, &st) != 0) return GH_ERR_IO;
    walk->at.cut_bytes = (uint64_t)st.st_size - walk->at.segment_bytes;
    if (walk->at.cut_bytes == 0) return GH_OK;
    gh_log(GH_LOG_WARN, "audit_tail_cut", "bytes=%" PRIu64 " after_seq=%" PRIu64,
           walk->at.cut_bytes, walk->at.seq);
    if (ftruncate(fd, (off_t)walk->at.segment_bytes) != 0 || fsync(fd) != 0) return GH_ERR_IO;
    return GH_OK;
}

static enum gh_err walk_all(struct walk *walk)
{
    struct segment_list list = { 0 };
    uint64_t from = walk->at.segment_first;

    enum gh_err err = segment_list(walk->dir_fd, &list);
    for (size_t i = 0; err == GH_OK && i < list.count; i++) {
        bool last = i + 1 == list.count;
        int fd = -1;

        if (list.first[i] < from) continue;
        if (list.first[i] != walk->at.segment_first) {
            if (list.first[i] != walk->at.seq + 1) {
                err = refuse(walk, "a segment is missing");
                break;
            }
            walk->at.segment_first = list.first[i];
            walk->at.segment_bytes = 0;
        }
        err = segment_open(walk->dir_fd, list.first[i], false, &fd);
        if (err != GH_OK) break;
        err = walk_segment(walk, fd);
        if (err == GH_ERR_BAD_MESSAGE) {
            bool signed_all = walk->anchor_met || walk->anchor->seq == 0;
            err = last && signed_all
                      ? GH_OK
                      : refuse(walk, "a record is not what was written, or is missing");
        }
        if (err == GH_OK && !walk->anchor_met && walk->at.seq >= walk->anchor->seq &&
            walk->anchor->seq > 0)
            err = refuse(walk, "the record the anchor names has another hash");
        if (err == GH_OK && last && walk->at.seq >= walk->anchor->seq) err = cut_tail(walk, fd);
        close(fd);
    }
    if (err == GH_OK && walk->at.seq < walk->anchor->seq)
        err = refuse(walk, "the log ends before the record the anchor names");
    if (err == GH_OK && walk->anchor->seq > 0 && !walk->anchor_met)
        err = refuse(walk, "the record the anchor names has another hash");
    segment_list_done(&list);
    return err;
}

enum gh_err recover_run(int dir_fd, int anchor_dir_fd, const char *anchor_name,
                        const struct signer *signer, struct ledger *ledger, recover_keep_fn keep,
                        void *ctx, struct recovered *ret_recovered)
{
    struct anchor anchor = { 0 };
    struct walk walk = {
        .dir_fd = dir_fd, .ledger = ledger, .keep = keep, .ctx = ctx, .anchor = &anchor
    };
    struct segment_list list = { 0 };
    char *text = NULL;
    size_t len = 0;

    enum gh_err err = segment_list(dir_fd, &list);
    size_t segments = list.count;
    segment_list_done(&list);
    if (err != GH_OK) return err;
    err = file_read(anchor_dir_fd, anchor_name, ANCHOR_MAX, &text, &len);
    if (err == GH_ERR_NOT_FOUND) {
        if (segments > 0) return refuse(&walk, "there is a log but no anchor");
        *ret_recovered = (struct recovered){ .fresh = true };
        return GH_OK;
    }
    if (err == GH_OK) err = anchor_read(signer, text, len, &anchor);
    free(text);
    if (err != GH_OK) {
        (void)refuse(&walk, err == GH_ERR_CRYPTO ? "the anchor was not signed with this key"
                                                 : "the anchor cannot be read");
        return err;
    }

    gh_tape_init(&walk.tape);
    walk.chunk = malloc(CHUNK_BYTES);
    if (walk.chunk == NULL) return GH_ERR_NOMEM;
    state_load(&walk, signer);
    if (walk.at.seq == anchor.seq)
        walk.anchor_met = memcmp(&walk.at.hash, &anchor.hash, sizeof(anchor.hash)) == 0;
    err = walk_all(&walk);
    free(walk.chunk);
    gh_tape_done(&walk.tape);
    if (err == GH_OK) *ret_recovered = walk.at;
    return err;
}
