#include "reason.h"

const char *auth_reason_name(enum auth_reason reason)
{
#define AUTH_REASON_NAME(name, text) [name] = text,
    static const char *const names[] = { AUTH_REASON_LIST(AUTH_REASON_NAME) };

    return (unsigned)reason < AUTH_REASON_COUNT ? names[reason] : "unknown";
}
