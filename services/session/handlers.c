#include "handlers.h"

#include "session.h"

const struct gh_route session_routes[] = {
    { GH__ENVELOPE__BODY_SESSION_CREATE, GH_ROLE_EDGE, session_on_create },
    { GH__ENVELOPE__BODY_SESSION_TOUCH, GH_ROLE_EDGE, session_on_touch },
    { GH__ENVELOPE__BODY_SESSION_RENEW, GH_ROLE_EDGE, session_on_renew },
    { GH__ENVELOPE__BODY_SESSION_APPEND, GH_ROLE_EDGE, session_on_append },
    /* An edge may end its own by id; whole users and addresses are for the others (end.c). */
    { GH__ENVELOPE__BODY_SESSION_END,
      GH_ROLE_EDGE | GH_ROLE_AUTH | GH_ROLE_AUDIT | GH_ROLE_CTL | GH_ROLE_CONSOLE, session_on_end },
    { GH__ENVELOPE__BODY_SESSION_LIST, GH_ROLE_CTL | GH_ROLE_CONSOLE, session_on_list },
    { 0 },
};
