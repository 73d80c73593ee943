#include "journal.h"

#include "common/json/builder.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAITING_BYTES_MAX (64u << 20) /* of one batch */

struct journal {
    int fd;
    struct gh_buf waiting;
};

enum gh_err journal_new(const char *path, struct journal **ret_journal)
{
    struct journal *journal = calloc(1, sizeof(*journal));

    if (journal == NULL) return GH_ERR_NOMEM;
    journal->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal->fd < 0) {
        gh_log(GH_LOG_ERROR, "journal_unopened", "file=%s error=\"%s\"", path, strerror(errno));
        free(journal);
        return GH_ERR_IO;
    }
    gh_buf_init(&journal->waiting, WAITING_BYTES_MAX);
    *ret_journal = journal;
    return GH_OK;
}

void journal_free(struct journal *journal)
{
    if (journal == NULL) return;
    close(journal->fd);
    gh_buf_done(&journal->waiting);
    free(journal);
}

enum gh_err journal_add(struct journal *journal, const void *user, size_t user_len,
                        const void *message, size_t message_len)
{
    struct gh_json j;
    enum gh_err err;

    if (journal == NULL) return GH_OK;
    gh_json_init(&j, &journal->waiting);
    gh_json_begin_object(&j);
    gh_json_kv_str_n(&j, "user", user, user_len);
    gh_json_key(&j, "message");
    gh_json_raw(&j, message, message_len);
    gh_json_end_object(&j);
    err = gh_json_finish(&j);
    return err == GH_OK ? gh_buf_append(&journal->waiting, "\n", 1) : err;
}

enum gh_err journal_flush(struct journal *journal)
{
    size_t done = 0;

    if (journal == NULL) return GH_OK;
    while (done < journal->waiting.len) {
        ssize_t n = write(journal->fd, journal->waiting.data + done, journal->waiting.len - done);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            gh_log(GH_LOG_ERROR, "journal_unwritten", "error=\"%s\"", strerror(errno));
            gh_buf_reset(&journal->waiting);
            return GH_ERR_IO;
        }
        done += (size_t)n;
    }
    gh_buf_reset(&journal->waiting);
    return GH_OK;
}
