#include "offline/offline.h"

#include "validator/schema/offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int offline_main(int argc, char **argv)
{
    if (argc >= 1 && strcmp(argv[0], "schema") == 0) return schema_main(argc - 1, argv + 1);
    if (argc >= 1 && strcmp(argv[0], "policy") == 0) return policy_main(argc - 1, argv + 1);
    fprintf(stderr, "usage: --offline policy check|test ... | schema check|validate ...\n");
    return 2;
}
