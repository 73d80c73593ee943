/*
 * handlers - what others may ask of the limiter.
 */
#ifndef LIMITER_HANDLERS_H
#define LIMITER_HANDLERS_H

#include "common/server.h"

extern const struct gh_route limiter_routes[]; /* ctx: struct limiter */

#endif
