/*
 * scan - taking apart the small texts this service writes for itself (anchor, state file, names).
 *
 * Each moves *at past what it took, or leaves it and returns false. *at is NUL-ended. Pure.
 */
#ifndef AUDIT_SCAN_H
#define AUDIT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool scan_literal(const char **at, const char *text);
bool scan_u64(const char **at, uint64_t *ret_value); /* decimal digits, no overflow */
/* Up to a space, line feed, quote or the end; 1..size-1 bytes, NUL-ended. */
bool scan_word(const char **at, char *dst, size_t size);

#endif
