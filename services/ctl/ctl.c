#include "ctl.h"

#include "common/log.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef GH_VERSION
#define GH_VERSION "unknown"
#endif

#define DEFAULT_CONFIG "/etc/gatehouse/gatehouse.yaml"

/* ---- help ---- */

static void print_help(FILE *out)
{
    fputs("usage: gatehousectl [--config FILE] [--json] COMMAND [ARGUMENTS]\n\n", out);
    for (const struct ctl_command *c = ctl_commands; c->name != NULL; c++) {
        int width = (int)(strlen(c->name) + 1 + strlen(c->args));
        fprintf(out, "  %s %s", c->name, c->args);
        if (width > 42)
            fprintf(out, "\n  %*s", 44, "");
        else
            fprintf(out, "%*s", 44 - width, "");
        fprintf(out, "%s\n", c->help);
    }
    fputs("\n  --config FILE  of the suite (default: $GATEHOUSE_CONFIG or " DEFAULT_CONFIG ")\n"
          "  --json         print for a machine to read, where a command can\n"
          "  --version\n\n"
          "gatehousectl COMMAND --help says more. Exit status: 0 right, 1 wrong or not there,\n"
          "2 usage, 3 something could not be reached.\n",
          out);
}

static void print_command_help(const struct ctl_command *self, const struct ctl_option *options)
{
    printf("usage: gatehousectl %s %s\n\n%s\n", self->name, self->args, self->help);
    for (const struct ctl_option *o = options; o != NULL && o->name != NULL; o++) {
        char left[64];
        snprintf(left, sizeof(left), "%s %s", o->name, o->arg != NULL ? o->arg : "");
        printf("%s  %-22s %s\n", o == options ? "\n" : "", left, o->help);
    }
}

int ctl_usage(const struct ctl_command *self, const char *fmt, ...)
{
    va_list args;

    fputs("gatehousectl: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fprintf(stderr, "\nusage: gatehousectl %s %s\n", self->name, self->args);
    return CTL_USAGE;
}

int ctl_fail(enum ctl_exit status, const char *fmt, ...)
{
    va_list args;

    fputs("gatehousectl: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return (int)status;
}

/* ---- arguments ---- */

bool ctl_parse(const struct ctl_command *self, const struct ctl_option *options, int argc,
               char **argv, int min, int max, struct ctl_args *ret_args, int *ret_status)
{
    bool rest = false;

    *ret_args = (struct ctl_args){ 0 };
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i];
        const struct ctl_option *o = options;

        if (rest || arg[0] != '-' || arg[1] == '\0') {
            if (ret_args->count == CTL_POSITIONALS_MAX || ret_args->count == max) {
                *ret_status = ctl_usage(self, "too many arguments at \"%s\"", arg);
                return false;
            }
            ret_args->items[ret_args->count++] = arg;
            continue;
        }
        if (strcmp(arg, "--") == 0) {
            rest = true;
            continue;
        }
        if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
            print_command_help(self, options);
            *ret_status = CTL_OK;
            return false;
        }
        size_t name_len = strcspn(arg, "=");
        while (o != NULL && o->name != NULL &&
               (strlen(o->name) != name_len || strncmp(o->name, arg, name_len) != 0))
            o++;
        if (o == NULL || o->name == NULL) {
            *ret_status = ctl_usage(self, "unknown option %s", arg);
            return false;
        }
        if (o->flag != NULL && arg[name_len] == '\0') {
            *o->flag = true;
        } else if (o->value != NULL && arg[name_len] == '=') {
            *o->value = arg + name_len + 1;
        } else if (o->value != NULL && i + 1 < argc) {
            *o->value = argv[++i];
        } else {
            *ret_status = ctl_usage(self, "%s %s", o->name,
                                    o->flag != NULL ? "takes no argument" : "needs an argument");
            return false;
        }
    }
    if (ret_args->count < min) {
        *ret_status = ctl_usage(self, "something is missing");
        return false;
    }
    return true;
}

bool ctl_number(const char *text, uint64_t max, uint64_t *ret_value)
{
    char *end = NULL;

    if (!isdigit((unsigned char)text[0])) return false;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end != '\0' || strlen(text) > 19 || value > max) return false;
    *ret_value = value;
    return true;
}

bool ctl_duration(const char *text, uint64_t *ret_ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 } };
    size_t digits = strspn(text, "0123456789");
    char number[20];
    uint64_t value = 0;

    if (digits == 0 || digits > 12) return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    if (!ctl_number(number, UINT64_MAX, &value)) return false;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].unit) == 0) {
            *ret_ms = value * units[i].ms;
            return true;
        }
    }
    return false;
}

bool ctl_sibling(const struct ctl *ctl, const char *name, char *dst, size_t size)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0) n = snprintf(self, sizeof(self), "%s", ctl->program);
    if (n <= 0 || n >= (ssize_t)sizeof(self)) return false;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL) *slash = '\0';
    int len = snprintf(dst, size, "%s/%s", slash != NULL ? self : ".", name);
    return len > 0 && (size_t)len < size && access(dst, X_OK) == 0;
}

/* ---- commands ---- */

/* How many of argv's words name the command; 0: none does. */
static int words_of(const struct ctl_command *command, int argc, char **argv)
{
    const char *space = strchr(command->name, ' ');

    if (argc < 1) return 0;
    if (space == NULL) return strcmp(argv[0], command->name) == 0 ? 1 : 0;
    size_t first = (size_t)(space - command->name);
    if (argc < 2 || strlen(argv[0]) != first || strncmp(argv[0], command->name, first) != 0 ||
        strcmp(argv[1], space + 1) != 0)
        return 0;
    return 2;
}

static const struct ctl_command *find(int argc, char **argv, int *ret_words)
{
    const struct ctl_command *found = NULL;

    *ret_words = 0;
    for (const struct ctl_command *c = ctl_commands; c->name != NULL; c++) {
        int words = words_of(c, argc, argv);
        if (words > *ret_words) {
            *ret_words = words;
            found = c;
        }
    }
    return found;
}

static int unknown(int argc, char **argv)
{
    bool group = false;

    for (const struct ctl_command *c = ctl_commands; c->name != NULL; c++) {
        size_t first = strcspn(c->name, " ");
        if (strlen(argv[0]) != first || strncmp(argv[0], c->name, first) != 0) continue;
        if (!group) fprintf(stderr, "gatehousectl: %s what?\n", argv[0]);
        group = true;
        fprintf(stderr, "  %s %s\n", c->name, c->args);
    }
    if (!group) fprintf(stderr, "gatehousectl: unknown command \"%s\"; see --help\n", argv[0]);
    (void)argc;
    return CTL_USAGE;
}

int ctl_main(int argc, char **argv)
{
    const char *from_env = getenv("GATEHOUSE_CONFIG");
    struct ctl ctl = {
        .config_path = from_env != NULL && from_env[0] != '\0' ? from_env : DEFAULT_CONFIG,
        .program = argc > 0 ? argv[0] : "gatehousectl",
    };
    int i = 1, words = 0;

    gh_log_init("ctl", "ctl");
    gh_log_set_level(GH_LOG_WARN);
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            ctl.config_path = argv[++i];
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            ctl.config_path = argv[i] + 9;
        } else if (strcmp(argv[i], "--json") == 0) {
            ctl.json = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            puts("gatehousectl " GH_VERSION);
            return CTL_OK;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return CTL_OK;
        } else {
            fprintf(stderr, "gatehousectl: unknown option %s; see --help\n", argv[i]);
            return CTL_USAGE;
        }
    }
    if (i == argc) {
        print_help(stderr);
        return CTL_USAGE;
    }
    const struct ctl_command *command = find(argc - i, argv + i, &words);
    if (command == NULL) return unknown(argc - i, argv + i);
    int status = command->fn(&ctl, command, argc - i - words, argv + i + words);
    ctl_done(&ctl);
    if (fflush(stdout) != 0 && status == CTL_OK)
        status = ctl_fail(CTL_AWAY, "the output could not be written");
    return status;
}
