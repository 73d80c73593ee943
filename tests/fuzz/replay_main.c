/*
 * replay_main - runs a fuzz target over files, without libFuzzer: what CI does with a corpus.
 *
 *     replay_x FILE|FOLDER...
 *
 * Folders are read one level deep, hidden files left out. Exits 1 when there was nothing to run.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned long files;

static int run_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t size = 0;
    size_t cap = 0;

    if (f == NULL) {
        perror(path);
        return 1;
    }
    for (;;) {
        if (size == cap) {
            uint8_t *more = realloc(data, cap = cap ? cap * 2 : 4096);

            if (more == NULL) break;
            data = more;
        }

        size_t n = fread(data + size, 1, cap - size, f);

        if (n == 0) break;
        size += n;
    }
    fclose(f);

    /* A block of exactly this size, so that a sanitizer sees a read past its end. */
    uint8_t *exact = malloc(size ? size : 1);

    if (exact == NULL) {
        free(data);
        return 1;
    }
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    files++;
    return 0;
}

static int run_folder(const char *path)
{
    DIR *dir = opendir(path);
    int failed = 0;

    if (dir == NULL) {
        perror(path);
        return 1;
    }
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char file[4096];
        struct stat st;

        if (e->d_name[0] == '.') continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) failed |= run_file(file);
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;

    if (LLVMFuzzerInitialize != NULL) LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat st;

        if (stat(argv[i], &st) != 0) {
            perror(argv[i]);
            failed = 1;
        } else {
            unsigned long before = files;

            failed |= S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
            if (files == before) {
                fprintf(stderr, "%s: nothing to replay\n", argv[i]);
                failed = 1;
            }
        }
    }
    printf("%lu inputs replayed\n", files);
    return failed || files == 0;
}
