/* A request head: fed in two pieces; what is accepted must hold what head.h promises. */
#include "head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct head_limits limits = { 4096, 32, 1024 };
    struct head_scanner whole = { 0 }, parts = { 0 };
    const char *reason = NULL;
    struct head head;
    enum head_scan scan, half;
    char *text = malloc(size + 1);

    if (text == NULL) return 0;
    memcpy(text, data, size);
    scan = head_scan(&whole, &limits, text, size);
    half = head_scan(&parts, &limits, text, size / 2);
    if (half == HEAD_MORE) half = head_scan(&parts, &limits, text, size);
    if (half != scan) abort();
    if (scan == HEAD_DONE) {
        if (whole.at > limits.max_bytes) abort();
        if (head_parse(text, whole.at, &limits, &head, &reason) == GH_CODE_OK) {
            if (head.path.len == 0 || head.path.data[0] != '/' || head.host.len == 0) abort();
            if (head.has_transfer_encoding) abort();
            if (head_judge_upgrade(&head, &reason) == GH_CODE_OK &&
                (head.method != HEAD_GET || head.ws_key.len != HEAD_KEY_LEN))
                abort();
        } else if (reason == NULL) {
            abort();
        }
    }
    free(text);
    return 0;
}
