/*
 * offline - the validator's code on files instead of the bus; gatehousectl execs it.
 *
 *   gatehouse-validator --offline policy check DIR
 *     Prints "DIR: ok ..." or a line for each mistake: FILE:LINE: POINTER: what is wrong.
 *
 *   gatehouse-validator --offline policy test DIR --route R --roles a,b
 *       [--out] [--csrf TOKEN] [--session NAME] [--now MS] [--binary]
 *     stdin: NDJSON, a message each line; stdout: NDJSON, a verdict each line:
 *       {"accept":true,"type":T,"id":I,"output":"...","score":N,"rate":C}
 *       {"accept":false,"code":C,"pointer":P,"rule":R,"score":N,"type":T,"id":I}
 *     --out judges them on the way to the client. Without --csrf the token is not asked for.
 *     --now fixes the clock. --binary: lines are base64 of binary messages; so is the output.
 *
 *   gatehouse-validator --offline schema check|validate ...   see schema/offline.h
 *
 * GATEHOUSE_VALIDATOR_SIGNATURE_CACHE names the file of compiled signatures (policy/cache.h), as it
 * does for the service; without it they are compiled each time.
 *
 * Exit status: 0 all well (test: all accepted), 1 something refused, 2 usage or unreadable.
 */
#ifndef VALIDATOR_OFFLINE_H
#define VALIDATOR_OFFLINE_H

#include "policy/check.h"

/* argv: what follows --offline, "policy", "check" ... */
int offline_main(int argc, char **argv);

int offline_policy_check(int argc, char **argv); /* what follows "check" */
int offline_policy_test(int argc, char **argv);

struct policy_compiled offline_compiled(void);

#endif
