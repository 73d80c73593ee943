/*
 * ctl - what the commands of gatehousectl share: options, configuration, the bus, output.
 *
 * A command is a row of ctl_commands: its words, what follows them, one line of help, and a
 * function that gets the arguments after its words and returns the exit status.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "common/client.h"
#include "common/service_options.h"

#include <stdbool.h>
#include <stdio.h>

enum ctl_exit {
    CTL_OK = 0,
    CTL_WRONG = 1, /* what was looked at is not right, or is not there */
    CTL_USAGE = 2,
    CTL_AWAY = 3, /* a service, file or key could not be reached */
};

#define CTL_POSITIONALS_MAX 64

struct ctl {
    const char *config_path;
    bool json;
    const char *program; /* argv[0], for finding the sibling binaries */
    /* Filled by ctl_load. */
    struct gh_config *config;
    struct service_sections sections;
    struct gh_bus_keys *keys;
};

struct ctl_command {
    const char *name; /* one or two words */
    const char *args;
    const char *help;
    int (*fn)(struct ctl *ctl, const struct ctl_command *self, int argc, char **argv);
};
extern const struct ctl_command ctl_commands[]; /* ends with name NULL */

/* Finds the command, runs it. */
int ctl_main(int argc, char **argv);

struct ctl_option {
    const char *name;   /* "--ttl"; NULL ends the table */
    const char **value; /* set to the argument */
    bool *flag;         /* or set to true */
    const char *arg;    /* the argument's name in the help */
    const char *help;
};

struct ctl_args {
    const char *items[CTL_POSITIONALS_MAX];
    int count;
};

/* Sorts argv into options and the rest (-- ends the options). False: *ret_status is the exit
 * status, and help or what is wrong was printed. */
bool ctl_parse(const struct ctl_command *self, const struct ctl_option *options, int argc,
               char **argv, int min, int max, struct ctl_args *ret_args, int *ret_status);

int ctl_usage(const struct ctl_command *self, const char *fmt, ...) GH_PRINTF(2, 3);
int ctl_fail(enum ctl_exit status, const char *fmt, ...) GH_PRINTF(2, 3);

/* "90s", "1h" ... in milliseconds. */
bool ctl_duration(const char *text, uint64_t *ret_ms);
bool ctl_number(const char *text, uint64_t max, uint64_t *ret_value);

/* Loads ctl->config_path (GATEHOUSE_CONFIG, --config, or the default). Reports what is wrong. */
GH_NODISCARD enum gh_err ctl_load(struct ctl *ctl);
void ctl_done(struct ctl *ctl);

/* One question to a service: loads the configuration, connects, waits for the answer, whose arm is
 * answer_arm; take is called with it. Returns an exit status; failures were printed. */
typedef int (*ctl_take_fn)(void *ctx, const void *body);
int ctl_ask(struct ctl *ctl, enum gh_role service, uint32_t arm, void *body, uint32_t answer_arm,
            ctl_take_fn take, void *ctx);

/* Text from a service or a log on a terminal: control characters, C1 ones and bidi overrides are
 * shown as \u....; at most width columns when width > 0. */
void ctl_put_text(FILE *out, const void *text, size_t len, int width);
/* As a JSON string with its quotes. */
void ctl_put_json(FILE *out, const void *text, size_t len);
/* A wall-clock time in milliseconds as RFC 3339 UTC; "-" for 0. */
void ctl_put_time(FILE *out, uint64_t ms);

/* DIR of this program / NAME. */
bool ctl_sibling(const struct ctl *ctl, const char *name, char *dst, size_t size);

#endif
