/*
 * Spool files as a crash, a bad disk or an enemy left them. The input's first byte says where the
 * first file ends and the second begins; the spool is adopted, read to its end twice (the second
 * time after a rewind must give the same), acknowledged and freed. Records found in memory by the
 * pure reader must be those the spool gives.
 */
#include "common/clients/spool.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/gh-fuzz-spool-XXXXXX";
static bool made;
static const char name[] = "edge-1.0011223344556677.spool";

static void remove_all(void)
{
    static const char *const endings[] = { "", "2", ".damaged", "2.damaged" };
    char path[128];

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s%s", dir, name, endings[i]);
        unlink(path);
    }
}

static void clean_up(void)
{
    remove_all();
    rmdir(dir);
}

static void put(const char *ending, const uint8_t *bytes, size_t len)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s%s", dir, name, ending);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, len) != (ssize_t)len) abort();
    close(fd);
}

static uint64_t sum_of(struct gh_spool *spool, size_t *ret_count)
{
    const struct gh_spool_record *record;
    uint64_t sum = 0;

    *ret_count = 0;
    while ((record = gh_spool_peek(spool)) != NULL) {
        sum = sum * 31 + record->number;
        for (size_t i = 0; i < record->len; i++)
            sum = sum * 31 + record->payload[i];
        ++*ret_count;
        gh_spool_advance(spool);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gh_spool *spool = NULL;
    size_t count = 0, again = 0;

    if (!made) { /* its name cannot tell: the letters put in may be X again */
        if (mkdtemp(dir) == NULL) abort();
        made = true;
        atexit(clean_up);
    }
    if (size == 0) return 0;
    /* Half of the inputs get a good header, so that the fuzzer need not find a CRC. */
    uint8_t buf[GH_SPOOL_RECORD_MAX];
    size_t header = 0;
    if ((data[0] & 1) == 0) header = gh_spool_record_write(buf, 0, "edge-1 0011223344556677", 23);
    size_t first = (size - 1) * (size_t)(data[0] >> 1) / 127;
    uint8_t *file = malloc(header + first + 1);
    if (file == NULL) return 0;
    memcpy(file, buf, header);
    memcpy(file + header, data + 1, first);
    put("", file, header + first);
    put("2", data + 1 + first, size - 1 - first);
    free(file);

    if (gh_spool_adopt(dir, name, &spool) == GH_OK) {
        uint64_t sum = sum_of(spool, &count);
        uint64_t damaged = gh_spool_damaged_bytes(spool);
        gh_spool_rewind(spool);
        if (sum_of(spool, &again) != sum || again != count ||
            gh_spool_damaged_bytes(spool) != damaged)
            abort();
        gh_spool_ack(spool);
        if (gh_spool_unacked_bytes(spool) != 0) abort();
        if (sum_of(spool, &again) != 0 || again != 0) abort();
        gh_spool_free(spool);
    }
    remove_all();
    return 0;
}
