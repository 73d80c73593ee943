#include "policy/report.h"

#include "common/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_init(struct report *report)
{
    *report = (struct report){ 0 };
}

void report_done(struct report *report)
{
    for (size_t i = 0; i < report->n_lines; i++)
        free(report->lines[i]);
    report_init(report);
}

enum gh_err report_add(struct report *report, const char *file, uint32_t line, const char *pointer,
                       const char *fmt, ...)
{
    char text[1024], where[32] = "";
    char *whole = NULL;
    va_list args;

    report->n_problems++;
    if (report->n_lines == REPORT_MAX) return GH_ERR_CONFIG;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (line > 0) (void)snprintf(where, sizeof where, ":%u", line);
    if (asprintf(&whole, "%s%s: %s%s%s", file, where, pointer, *pointer != '\0' ? ": " : "", text) <
        0)
        return GH_ERR_CONFIG;
    report->lines[report->n_lines++] = whole;
    return GH_ERR_CONFIG;
}

void report_log(const struct report *report)
{
    for (size_t i = 0; i < report->n_lines; i++)
        gh_log(GH_LOG_ERROR, "policy_error", "%s", report->lines[i]);
    if (report->n_problems > report->n_lines)
        gh_log(GH_LOG_ERROR, "policy_error", "and %zu more", report->n_problems - report->n_lines);
}
