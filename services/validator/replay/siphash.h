/*
 * siphash - SipHash-2-4 with 128 bits of output: a keyed hash nobody can aim without the key.
 *
 * Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF" and its reference test vectors.
 */
#ifndef VALIDATOR_SIPHASH_H
#define VALIDATOR_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

void siphash128(const uint64_t key[2], const void *data, size_t len, uint64_t ret_hash[2]);

#endif
