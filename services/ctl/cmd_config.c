/* The services judge their own sections: each sibling binary is run with --check. Also the way to
 * the siblings' offline modes, and json check. */
#include "commands.h"

#include "common/json/check.h"

#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const services[] = { "audit",     "auth", "session", "limiter",
                                        "validator", "chat", "edge" };
#define SERVICES (sizeof(services) / sizeof(services[0]))

struct check {
    bool installed;
    bool good;
    char output[8192]; /* what it said, cut */
};

static void run_check(const char *binary, const char *config, const char *instance,
                      struct check *ret_check)
{
    int fds[2];

    if (pipe(fds) != 0) return;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        execl(binary, binary, "--config", config, "--instance", instance, "--check", (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    size_t len = 0;
    ssize_t n;
    char drop[512];
    while ((n = len < sizeof(ret_check->output) - 1
                    ? read(fds[0], ret_check->output + len, sizeof(ret_check->output) - 1 - len)
                    : read(fds[0], drop, sizeof(drop))) > 0)
        len += len < sizeof(ret_check->output) - 1 ? (size_t)n : 0;
    ret_check->output[len] = '\0';
    close(fds[0]);
    int status = 0;
    ret_check->good =
        pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    ret_check->installed = true;
}

static void print_json(const struct check *checks)
{
    fputs("{\"services\":[", stdout);
    for (size_t i = 0; i < SERVICES; i++) {
        printf("%s{\"service\":\"%s\",\"installed\":%s,\"ok\":%s,\"output\":", i > 0 ? "," : "",
               services[i], checks[i].installed ? "true" : "false",
               checks[i].good ? "true" : "false");
        ctl_put_json(stdout, checks[i].output, strlen(checks[i].output));
        putchar('}');
    }
    puts("]}");
}

static void print_table(const struct check *checks)
{
    for (size_t i = 0; i < SERVICES; i++) {
        if (!checks[i].installed)
            printf("%-10s not asked: no gatehouse-%s beside this program\n", services[i],
                   services[i]);
        else
            printf("%-10s %s\n", services[i], checks[i].good ? "ok" : "refuses it:");
        if (!checks[i].installed || checks[i].good) continue;
        for (const char *line = checks[i].output; *line != '\0';) {
            size_t len = strcspn(line, "\n");
            fputs("    ", stdout);
            ctl_put_text(stdout, line, len, 0);
            putchar('\n');
            line += len + (line[len] == '\n');
        }
    }
}

int cmd_config_check(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    static struct check checks[SERVICES];
    struct ctl_args args;
    char binary[PATH_MAX], name[64], instance[64];
    int status;
    unsigned asked = 0, refused = 0;

    if (!ctl_parse(self, NULL, argc, argv, 0, 1, &args, &status)) return status;
    const char *config = args.count > 0 ? args.items[0] : ctl->config_path;
    fflush(stdout);
    for (size_t i = 0; i < SERVICES; i++) {
        snprintf(name, sizeof(name), "gatehouse-%s", services[i]);
        snprintf(instance, sizeof(instance), "%s-check", services[i]);
        if (!ctl_sibling(ctl, name, binary, sizeof(binary))) continue;
        run_check(binary, config, instance, &checks[i]);
        asked++;
        refused += !checks[i].good;
    }
    if (ctl->json)
        print_json(checks);
    else
        print_table(checks);
    if (asked == 0) return ctl_fail(CTL_AWAY, "no service is installed beside this program");
    return refused == 0 ? CTL_OK : CTL_WRONG;
}

int cmd_json_check(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    (void)ctl;
    (void)self;
    return gh_json_check_main(argc + 1, argv - 1); /* its argv[0] is our last word */
}

/* The very code that runs in the service, on files instead of the bus. */
static int pass_on(struct ctl *ctl, const struct ctl_command *self, const char *service, int argc,
                   char **argv)
{
    char binary[PATH_MAX], group[32], verb[32];
    char *all[CTL_POSITIONALS_MAX + 8] = { 0 };
    int n = 0;

    if (!ctl_sibling(ctl, service, binary, sizeof(binary)))
        return ctl_fail(CTL_AWAY, "there is no %s beside this program", service);
    if (argc > CTL_POSITIONALS_MAX) return ctl_usage(self, "too many arguments");
    (void)sscanf(self->name, "%31s %31s", group, verb);
    all[n++] = binary;
    all[n++] = (char *)"--offline";
    all[n++] = group;
    all[n++] = verb;
    for (int i = 0; i < argc; i++)
        all[n++] = argv[i];
    fflush(stdout);
    execv(binary, all);
    return ctl_fail(CTL_AWAY, "%s: cannot be run", binary);
}

int cmd_validator(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    return pass_on(ctl, self, "gatehouse-validator", argc, argv);
}

int cmd_auth(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv)
{
    return pass_on(ctl, self, "gatehouse-auth", argc, argv);
}
