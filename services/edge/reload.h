/*
 * reload - the configuration and the certificates again, under the connections that are there.
 *
 * All or nothing: a file with an error, a certificate that does not load, or a change of what only
 * a start can change (where it listens, which routes and applications there are) is refused with a
 * message, and what is in use stays. Otherwise new limits, lists, timers, origins, credentials and
 * certificates hold from the next event on: connections that are open keep their place and meet the
 * new limits.
 */
#ifndef EDGE_RELOAD_H
#define EDGE_RELOAD_H

struct edge;
struct gh_config;

/* For gh_service_on_reload. */
void reload_all(void *edge);

#endif
