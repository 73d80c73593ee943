/*
 * handlers - what others may ask of the session service.
 */
#ifndef SESSION_HANDLERS_H
#define SESSION_HANDLERS_H

#include "common/server.h"

extern const struct gh_route session_routes[]; /* ctx: struct session */

#endif
