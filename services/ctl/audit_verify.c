#include "audit_verify.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES (1u << 20) /* also the longest line */

static void say(const char *file, const char *what)
{
    fprintf(stderr, "gatehousectl: %s: %s\n", file, what);
}

static EVP_PKEY *read_key(const char *file)
{
    FILE *in = fopen(file, "rb");

    if (in == NULL) {
        say(file, strerror(errno));
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PUBKEY(in, NULL, NULL, NULL);
    fclose(in);
    if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return key;
    EVP_PKEY_free(key);
    say(file, "not an Ed25519 public key in PEM");
    return NULL;
}

static enum gh_err read_anchor(const char *file, EVP_PKEY *key, struct audit_verdict *verdict)
{
    char text[1024];
    FILE *in = fopen(file, "rb");

    if (in == NULL) {
        say(file, strerror(errno));
        return GH_ERR_IO;
    }
    size_t len = fread(text, 1, sizeof(text), in);
    fclose(in);
    const char *wrong = audit_anchor_parse(text, len, key, &verdict->anchor);
    if (wrong == NULL) {
        verdict->anchored = true;
        return GH_OK;
    }
    struct audit_problem *p = &verdict->problems[verdict->problem_count++];
    snprintf(p->file, sizeof(p->file), "anchor");
    snprintf(p->text, sizeof(p->text), "%s", wrong);
    return GH_OK;
}

/* ---- segments ---- */

struct names {
    uint64_t *first;
    size_t count, cap;
};

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void name_of(uint64_t first, char dst[64])
{
    snprintf(dst, 64, "audit-%020" PRIu64 ".log", first);
}

static enum gh_err list_segments(const char *dir, struct names *names)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    if (d == NULL) {
        say(dir, strerror(errno));
        return GH_ERR_IO;
    }
    while ((entry = readdir(d)) != NULL) {
        char again[64];
        if (strncmp(entry->d_name, "audit-", 6) != 0) continue;
        uint64_t first = strtoull(entry->d_name + 6, NULL, 10);
        name_of(first, again); /* what was not read whole does not come out the same */
        if (strcmp(again, entry->d_name) != 0) continue;
        if (names->count == names->cap) {
            names->cap = names->cap == 0 ? 64 : names->cap * 2;
            uint64_t *grown = realloc(names->first, names->cap * sizeof(*grown));
            if (grown == NULL) {
                closedir(d);
                return GH_ERR_NOMEM;
            }
            names->first = grown;
        }
        names->first[names->count++] = first;
    }
    closedir(d);
    if (names->count > 0) qsort(names->first, names->count, sizeof(*names->first), by_value);
    return GH_OK;
}

static enum gh_err check_segment(struct audit_checker *checker, const char *dir, const char *name,
                                 char *buffer, bool last)
{
    char path[4096];
    uint64_t line = 0;
    size_t have = 0, got;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path)) return GH_ERR_IO;
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        say(path, strerror(errno));
        return GH_ERR_IO;
    }
    while ((got = fread(buffer + have, 1, BUFFER_BYTES - have, in)) > 0) {
        size_t used = 0;
        const char *feed;

        have += got;
        while ((feed = memchr(buffer + used, '\n', have - used)) != NULL) {
            size_t len = (size_t)(feed - buffer) - used;
            audit_checker_line(checker, name, ++line, buffer + used, len);
            used += len + 1;
        }
        if (used == 0 && have == BUFFER_BYTES) { /* no record is as long: judged as it stands */
            audit_checker_line(checker, name, ++line, buffer, have);
            used = have;
        }
        have -= used;
        memmove(buffer, buffer + used, have);
    }
    bool failed = ferror(in) != 0;
    fclose(in);
    if (failed) {
        say(path, "cannot be read");
        return GH_ERR_IO;
    }
    if (have == 0) return GH_OK;
    uint64_t anchored = checker->anchor != NULL ? checker->anchor->seq : 0;
    if (last && checker->expected > anchored)
        checker->verdict->unfinished_bytes = have;
    else /* cut off: whatever is left of it, no record */
        audit_checker_line(checker, name, ++line, buffer, 0);
    return GH_OK;
}

enum gh_err audit_verify_dir(const char *dir, const char *key_file, const char *anchor_file,
                             struct audit_verdict *ret_verdict)
{
    struct audit_checker checker;
    struct names names = { 0 };
    EVP_PKEY *key = read_key(key_file);
    char *buffer = malloc(BUFFER_BYTES);

    memset(ret_verdict, 0, sizeof(*ret_verdict));
    enum gh_err err = key == NULL ? GH_ERR_CRYPTO : buffer == NULL ? GH_ERR_NOMEM : GH_OK;
    if (err == GH_OK && anchor_file != NULL) err = read_anchor(anchor_file, key, ret_verdict);
    if (err == GH_OK) err = list_segments(dir, &names);
    audit_checker_init(&checker, ret_verdict->anchored ? &ret_verdict->anchor : NULL, ret_verdict);
    for (size_t i = 0; i < names.count && err == GH_OK; i++) {
        char name[64];

        name_of(names.first[i], name);
        audit_checker_segment(&checker, name, names.first[i]);
        err = check_segment(&checker, dir, name, buffer, i + 1 == names.count);
    }
    if (err == GH_OK) audit_checker_end(&checker);
    free(names.first);
    free(buffer);
    EVP_PKEY_free(key);
    return err;
}
