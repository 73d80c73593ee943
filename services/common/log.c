#include "common/log.h"

#include "common/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* PIPE_BUF on Linux: a write up to this size to a pipe is never mixed with another process's. */
#define LINE_MAX_BYTES 4096
#define TEXT_MAX_BYTES 3072
#define NAME_MAX_BYTES 64
#define CUT_MARK       "...(cut)"

static const char *const level_names[] = { "debug", "info", "warn", "error" };

static struct {
    enum gh_log_level level;
    char service[NAME_MAX_BYTES];
    char instance[NAME_MAX_BYTES];
} state = { .level = GH_LOG_INFO, .service = "gatehouse", .instance = "" };

/* The length of the well-formed UTF-8 sequence at s (Unicode table 3-7), 0 if there is none. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
    size_t need = 0;
    unsigned char low = 0x80, high = 0xBF;

    if (s[0] < 0x80) return 1;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) need = 2;
    if (s[0] >= 0xE0 && s[0] <= 0xEF) need = 3;
    if (s[0] >= 0xF0 && s[0] <= 0xF4) need = 4;
    if (s[0] == 0xE0) low = 0xA0;
    if (s[0] == 0xED) high = 0x9F;
    if (s[0] == 0xF0) low = 0x90;
    if (s[0] == 0xF4) high = 0x8F;
    if (need == 0 || need > len || s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < need; i++)
        if (s[i] < 0x80 || s[i] > 0xBF) return 0;
    return need;
}

/* C1 controls (U+0080..U+009F) and the line separators move a terminal like C0 ones do. */
static bool is_control(const unsigned char *s, size_t n)
{
    if (n == 1) return s[0] < 0x20 || s[0] == 0x7F;
    if (n == 2) return s[0] == 0xC2 && s[1] < 0xA0;
    return n == 3 && s[0] == 0xE2 && s[1] == 0x80 && (s[2] == 0xA8 || s[2] == 0xA9);
}

/* Appends src escaped, as far as it fits in size; returns the bytes written (no NUL). */
static size_t escape(char *dst, size_t size, const char *src, size_t len, bool in_quotes,
                     bool *ret_cut)
{
    static const char hex[] = "0123456789abcdef";
    const unsigned char *s = (const unsigned char *)src;
    size_t at = 0;

    while (len > 0) {
        size_t n = utf8_len(s, len);

        if (n > 0 && !is_control(s, n)) {
            const bool slash = in_quotes && (s[0] == '"' || s[0] == '\\');

            if (at + n + slash > size) break;
            if (slash) dst[at++] = '\\';
            memcpy(dst + at, s, n);
            at += n;
        } else {
            if (n == 0) n = 1;
            if (at + 4 * n > size) break;
            for (size_t i = 0; i < n; i++) {
                dst[at++] = '\\';
                dst[at++] = 'x';
                dst[at++] = hex[s[i] >> 4];
                dst[at++] = hex[s[i] & 15];
            }
        }
        s += n;
        len -= n;
    }
    *ret_cut = len > 0;
    return at;
}

static void set_name(char *dst, const char *src)
{
    bool cut = false;
    size_t n = 0;

    if (src != NULL) n = escape(dst, NAME_MAX_BYTES - 1, src, strlen(src), false, &cut);
    dst[n] = '\0';
    for (char *p = dst; *p != '\0'; p++)
        if (*p == ' ' || *p == '"') *p = '_'; /* these are bare words of the line */
}

void gh_log_init(const char *service, const char *instance)
{
    set_name(state.service, service);
    set_name(state.instance, instance);
}

void gh_log_set_level(enum gh_log_level level)
{
    state.level = level;
}

bool gh_log_enabled(enum gh_log_level level)
{
    return level >= state.level;
}

static size_t put_time(char *dst, size_t size)
{
    const int64_t now_ms = gh_clock_wall_ms();
    const time_t secs = (time_t)(now_ms / 1000);
    struct tm tm = { 0 };

    gmtime_r(&secs, &tm);
    return (size_t)snprintf(dst, size, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900,
                            tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                            (int)(now_ms % 1000));
}

static void write_line(const char *line, size_t len)
{
    while (len > 0) {
        const ssize_t n = write(STDERR_FILENO, line, len);

        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return; /* nobody is left to tell */
        line += n;
        len -= (size_t)n;
    }
}

void gh_log(enum gh_log_level level, const char *event, const char *fmt, ...)
{
    char text[TEXT_MAX_BYTES];
    char line[LINE_MAX_BYTES];
    va_list args;
    bool cut = false;

    if (!gh_log_enabled(level)) return;

    const int saved_errno = errno;
    size_t at = put_time(line, sizeof line);
    at += (size_t)snprintf(line + at, sizeof line - at, " level=%s service=%s", level_names[level],
                           state.service);
    if (state.instance[0] != '\0')
        at += (size_t)snprintf(line + at, sizeof line - at, " instance=%s", state.instance);
    at += (size_t)snprintf(line + at, sizeof line - at, " event=%.64s", event);

    va_start(args, fmt);
    const int wanted = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (wanted > 0) {
        const size_t len = (size_t)wanted < sizeof text ? (size_t)wanted : sizeof text - 1;

        line[at++] = ' ';
        at += escape(line + at, sizeof line - at - sizeof CUT_MARK, text, len, false, &cut);
        if (cut || len < (size_t)wanted) {
            memcpy(line + at, CUT_MARK, sizeof CUT_MARK - 1);
            at += sizeof CUT_MARK - 1;
        }
    }
    line[at++] = '\n';
    write_line(line, at);
    errno = saved_errno;
}

const char *gh_log_quote(char *dst, size_t size, const void *src, size_t len)
{
    bool cut = false;
    size_t at = 0;

    if (size < sizeof CUT_MARK + 2) {
        if (size > 0) dst[0] = '\0';
        return size > 0 ? dst : "";
    }
    dst[at++] = '"';
    at += escape(dst + at, size - sizeof CUT_MARK - 2, src, len, true, &cut);
    if (cut) {
        memcpy(dst + at, CUT_MARK, sizeof CUT_MARK - 1);
        at += sizeof CUT_MARK - 1;
    }
    dst[at++] = '"';
    dst[at] = '\0';
    return dst;
}
