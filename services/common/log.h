/*
 * log - one structured line per happening on standard error.
 *
 *   2026-01-02T03:04:05.678Z level=warn service=edge instance=edge-1 event=handshake_refused
 * request_id=... reason="..."
 *
 * `event` is a fixed snake_case word; the rest is printf text of key=value pairs. The finished text
 * is escaped (control characters, DEL and bytes that are not valid UTF-8 become \xNN), so nothing a
 * client sends can start a new line. Never pass secrets, tokens or message content.
 * Modules below handlers return errors; the top logs once.
 */
#ifndef GH_LOG_H
#define GH_LOG_H

#include "common/err.h"

#include <stdbool.h>
#include <stddef.h>

enum gh_log_level { GH_LOG_DEBUG, GH_LOG_INFO, GH_LOG_WARN, GH_LOG_ERROR };

/* Both strings are copied. Until called, lines carry service=gatehouse. */
void gh_log_init(const char *service, const char *instance);
void gh_log_set_level(enum gh_log_level level);
bool gh_log_enabled(enum gh_log_level level);
void gh_log(enum gh_log_level level, const char *event, const char *fmt, ...) GH_PRINTF(3, 4);

/* dst = src in double quotes, with quotes and backslashes escaped too: for a value somebody else
 * chose, so that it cannot end its quotes and add pairs of its own. Cut to fit; returns dst. */
const char *gh_log_quote(char *dst, size_t size, const void *src, size_t len);

#endif
