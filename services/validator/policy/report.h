/*
 * report - what is wrong with a policy, for the person who wrote it.
 *
 *   main.yaml:12: /types/chat/sned: unknown key; known: send, receive, rate ...
 *
 * Messages are collected so that one run names every mistake; past REPORT_MAX they are only
 * counted. Pure: whoever asked prints them. Memory failures lose texts, never the count.
 */
#ifndef VALIDATOR_POLICY_REPORT_H
#define VALIDATOR_POLICY_REPORT_H

#include "common/err.h"

#include <stddef.h>
#include <stdint.h>

#define REPORT_MAX 50

struct report {
    char *lines[REPORT_MAX];
    size_t n_lines;
    size_t n_problems; /* may be more than n_lines */
};

void report_init(struct report *report);
void report_done(struct report *report);

/* line 0: unknown; pointer may be "". Returns GH_ERR_CONFIG, so that callers can return it. */
enum gh_err report_add(struct report *report, const char *file, uint32_t line, const char *pointer,
                       const char *fmt, ...) GH_PRINTF(5, 6);

/* To the log, one line each, and how many were left out. */
void report_log(const struct report *report);

#endif
