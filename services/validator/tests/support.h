/*
 * support - policies from text and messages judged one at a time, for the validator's tests.
 */
#ifndef VALIDATOR_TESTS_SUPPORT_H
#define VALIDATOR_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* needs those before it */

#include "replay/replay.h"
#include "verdict/judge.h"

#include <stdio.h>

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SUPPORT_NOW      1700000000000
#define SUPPORT_CSRF     "0123456789abcdef0123456789abcdef0123456789a"
#define SUPPORT_PREVIOUS "fedcba9876543210fedcba9876543210fedcba98765"

/* A policy of one file "test.yaml" and, if given, one more; fails the test when it does not load.
 */
struct policy *support_policy(const char *yaml, const char *name2, const char *text2);

/* What the report says of a policy that must not load. */
void support_problems(const char *yaml, char *dst, size_t size);

struct support { /* a judge with one context */
    struct policy *policy;
    struct replay *replay;
    struct judge *judge;
    struct judge_context context;
    struct judgement verdict;
    char output[1 << 20]; /* NUL-ended copies of the last verdict's spans */
    char id[256], pointer[512], rule[512];
};

struct support *support_new(struct policy *policy, const char *roles); /* owns policy */
void support_free(struct support *support);
enum gh_code support_judge(struct support *support, const void *data, size_t len, bool outbound,
                           bool binary);

#endif
