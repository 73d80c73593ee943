/* The parser with what every processor of the architecture has: SSE2, NEON, or the plain scan. */
#include "common/json/utf8.h"
#define utf8_check gh_utf8_check
#include "common/json/parse_core.h"

const struct gh_json_impl gh_json_impl_base = { SCAN_NAME, parse };
