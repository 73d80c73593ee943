/*
 * yaml_peek - one scalar out of a YAML file, without binding it.
 *
 * For defaults that are nice to have (the issuer of a development token); what a section means is
 * its service's business. path: keys and list positions, "auth.issuers.0.name".
 */
#ifndef CTL_YAML_PEEK_H
#define CTL_YAML_PEEK_H

#include <stdbool.h>
#include <stddef.h>

bool yaml_peek(const char *file, const char *path, char *dst, size_t size);

#endif
