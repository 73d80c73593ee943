/*
 * handlers - what others may ask of auth.
 */
#ifndef AUTH_HANDLERS_H
#define AUTH_HANDLERS_H

#include "common/server.h"

extern const struct gh_route auth_routes[]; /* ctx: struct auth */

#endif
