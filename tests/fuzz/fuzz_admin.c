/*
 * The request head of the admin endpoint, arriving in pieces whose size the first byte gives.
 */
#include "common/admin_http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct admin_head head;
    unsigned status = 0;
    size_t at = 1, len = 0;
    char *answer = NULL;

    if (size == 0) return 0;
    const size_t piece = data[0] == 0 ? size : data[0];
    admin_head_init(&head);
    while (status == 0 && at < size) {
        const size_t take = size - at < piece ? size - at : piece;

        status = admin_head_feed(&head, (const char *)data + at, take);
        at += take;
    }
    if (status == 0) {
        if (head.bytes >= ADMIN_HEAD_MAX_BYTES) abort(); /* it must have been refused */
        return 0;
    }
    if (status != 200 && status != 400 && status != 405 && status != 431) abort();
    if (head.bytes > ADMIN_HEAD_MAX_BYTES) abort();
    if (status == 200 &&
        (!head.done || memchr(head.path, '\0', sizeof head.path) == NULL || strchr(head.path, '?')))
        abort();
    if (admin_answer(status, "text/plain", "body", 4, admin_head_only(&head), &answer, &len) !=
        GH_OK)
        abort();
    if (len < 12 || memcmp(answer, "HTTP/1.1 ", 9) != 0) abort();
    free(answer);
    return 0;
}
