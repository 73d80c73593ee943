#include "offline/offline.h"

#include "validator/schema/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: policy check DIR\n"
    "       policy test DIR --route R [--roles a,b] [--out] [--csrf TOKEN] [--session NAME]\n"
    "                   [--now MS] [--binary] < NDJSON\n"
    "       schema check [--draft 7|2020-12] [--format] [--add FILE]... FILE...\n"
    "       schema validate [--draft 7|2020-12] [--format] [--add FILE]... [--schema FILE] < NDJSON\n"
    "Lines in, lines out. Exit status: 0 all is right, 1 something is not, 2 it could not be judged.\n";

struct policy_compiled offline_compiled(void)
{
    const char *file = getenv("GATEHOUSE_VALIDATOR_SIGNATURE_CACHE");

    return (struct policy_compiled){ .cache = file != NULL && file[0] != '\0' ? file : NULL };
}

int offline_policy_check(int argc, char **argv)
{
    struct report report;
    struct policy *policy = NULL;
    uint32_t types = 0, schemas = 0;
    const struct policy_compiled from = offline_compiled();
    enum gh_err err;

    if (argc != 1) {
        fprintf(stderr, "usage: policy check DIR\n");
        return 2;
    }
    report_init(&report);
    err = policy_check(argv[0], &from, &report, NULL, &policy);
    for (size_t i = 0; i < report.n_lines; i++)
        printf("%s\n", report.lines[i]);
    if (report.n_problems > report.n_lines)
        printf("and %zu more\n", report.n_problems - report.n_lines);
    report_done(&report);
    if (err != GH_OK) {
        if (err != GH_ERR_CONFIG) fprintf(stderr, "%s: %s\n", argv[0], gh_err_text(err));
        return err == GH_ERR_CONFIG ? 1 : 2;
    }
    for (uint32_t i = 0; i < policy_route_count(policy); i++)
        types += policy_route_at(policy, i)->n_types;
    while (policy_schema_at(policy, schemas) != NULL)
        schemas++;
    printf("%s: ok: %u routes, %u types, %u schemas, version %016llx\n", argv[0],
           policy_route_count(policy), types, schemas, (unsigned long long)policy_version(policy));
    policy_free(policy);
    return 0;
}

static int policy_main(int argc, char **argv)
{
    if (argc >= 1 && strcmp(argv[0], "check") == 0) return offline_policy_check(argc - 1, argv + 1);
    if (argc >= 1 && strcmp(argv[0], "test") == 0) return offline_policy_test(argc - 1, argv + 1);
    fprintf(stderr, "usage: policy check DIR | policy test DIR --route R --roles a,b\n");
    return 2;
}

static int schema_main(int argc, char **argv)
{
    if (argc >= 1 && strcmp(argv[0], "check") == 0) return schema_check_main(argc, argv);
    if (argc >= 1 && strcmp(argv[0], "validate") == 0) return schema_validate_main(argc, argv);
    fprintf(stderr, "usage: schema check FILE... | schema validate [--schema FILE] < NDJSON\n");
    return 2;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) return true;
    return false;
}

int offline_main(int argc, char **argv)
{
    if (wants_help(argc, argv)) {
        fputs(help, stdout);
        return 0;
    }
    if (argc >= 1 && strcmp(argv[0], "schema") == 0) return schema_main(argc - 1, argv + 1);
    if (argc >= 1 && strcmp(argv[0], "policy") == 0) return policy_main(argc - 1, argv + 1);
    fprintf(stderr, "usage: --offline policy check|test ... | schema check|validate ...\n");
    return 2;
}
