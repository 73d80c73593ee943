/*
 * err - the one list of failures a function can return.
 *
 * A function that can fail returns enum gh_err and leaves its ret_ outputs untouched on failure.
 * gh_err is what happened inside; what a client is told is a gh_code (code.h).
 */
#ifndef GH_ERR_H
#define GH_ERR_H

#define GH_ERR_LIST(X)                                                                             \
    X(GH_OK, "ok")                                                                                 \
    X(GH_ERR_NOMEM, "out of memory")                                                               \
    X(GH_ERR_CONFIG, "bad configuration")                                                          \
    X(GH_ERR_BAD_MESSAGE, "malformed or out-of-range message")                                     \
    X(GH_ERR_FORBIDDEN, "peer may not send this message")                                          \
    X(GH_ERR_UNAVAILABLE, "dependency unreachable; retry may help")                                \
    X(GH_ERR_TIMEOUT, "no answer in time")                                                         \
    X(GH_ERR_NOT_FOUND, "no such object")                                                          \
    X(GH_ERR_EXISTS, "already there")                                                              \
    X(GH_ERR_LIMIT, "a size, count or rate limit was reached")                                     \
    X(GH_ERR_BUSY, "window full; try again when something was answered")                           \
    X(GH_ERR_IO, "input or output failed")                                                         \
    X(GH_ERR_CRYPTO, "a cryptographic check or operation failed")                                  \
    X(GH_ERR_INTERNAL, "a bug of ours")
#define GH_ERR_ENUM(name, text) name,
enum gh_err { GH_ERR_LIST(GH_ERR_ENUM) GH_ERR_COUNT };

#define GH_NODISCARD       __attribute__((warn_unused_result))
#define GH_PRINTF(fmt, va) __attribute__((format(printf, fmt, va)))

/* Never NULL; "unknown error" for a value outside the list. */
const char *gh_err_text(enum gh_err err);

#endif
