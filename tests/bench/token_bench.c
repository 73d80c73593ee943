/*
 * token_bench - how many tokens a second auth judges: the very code of the service, from the text
 * of a token to the identity and the roles it is worth. No verdict is remembered.
 *
 *     token_bench CONFIG ROUND_MS < tokens
 *
 * Reads the names of files of tokens from standard input, one a line; measures each for ROUND_MS of
 * its own CPU time and answers with a line "file<TAB>nanoseconds per token<TAB>accepted of all".
 * Whoever asks decides about rounds, so that those of others can lie between.
 */
#include "auth.h"

#include "common/clock.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOKENS_MAX 100000u

struct tokens {
    char *text[TOKENS_MAX];
    size_t len[TOKENS_MAX];
    size_t count;
};

static double cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void read_tokens(const char *path, struct tokens *tokens)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;

    if (file == NULL) {
        perror(path);
        exit(1);
    }
    tokens->count = 0;
    while (tokens->count < TOKENS_MAX && (len = getline(&line, &cap, file)) > 0) {
        if (line[len - 1] == '\n') line[--len] = '\0';
        tokens->text[tokens->count] = strdup(line);
        tokens->len[tokens->count++] = (size_t)len;
    }
    free(line);
    fclose(file);
}

static bool judge(struct auth *auth, const struct tokens *tokens, size_t i)
{
    Gh__AuthVerdict verdict = GH__AUTH_VERDICT__INIT;
    struct auth_roles roles;
    struct identity identity;

    return verifier_check(auth->rules->verifier, tokens->text[i], tokens->len[i],
                          gh_clock_wall_ms(), &identity) == AUTH_OK &&
           auth_verdict_fill(auth, &identity, &roles, &verdict) == GH_OK;
}

int main(int argc, char **argv)
{
    static struct tokens tokens;
    struct gh_config *config = NULL;
    struct auth auth = { .rules = &auth.places[0] };
    double round_ns;
    char path[512];

    gh_log_init("auth", "bench");
    gh_log_set_level(GH_LOG_ERROR);
    if (argc != 3 || gh_config_load(argv[1], NULL, &config) != GH_OK ||
        auth_rules_load(config, auth.rules) != GH_OK) {
        fprintf(stderr, "usage: token_bench CONFIG ROUND_MS < names of token files\n");
        return 1;
    }
    round_ns = atof(argv[2]) * 1e6;
    while (fgets(path, sizeof(path), stdin) != NULL) {
        size_t done = 0, accepted = 0;
        double start, took;

        path[strcspn(path, "\n")] = '\0';
        read_tokens(path, &tokens);
        for (size_t i = 0; i < tokens.count; i++)
            (void)judge(&auth, &tokens, i); /* warm */
        start = cpu_ns();
        do {
            for (size_t k = 0; k < 16; k++, done++)
                accepted += judge(&auth, &tokens, done % tokens.count);
            took = cpu_ns() - start;
        } while (took < round_ns);
        printf("%s\t%.1f\t%zu/%zu\n", path, took / (double)done, accepted, done);
        fflush(stdout);
        for (size_t i = 0; i < tokens.count; i++)
            free(tokens.text[i]);
    }
    auth_rules_done(auth.rules);
    gh_config_free(config);
    return 0;
}
