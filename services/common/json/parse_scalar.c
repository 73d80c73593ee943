/* The parser with no vector instructions: what it is everywhere else, and a check on the others. */
#define GH_SCAN_SCALAR
#include "common/json/utf8.h"
#define utf8_check gh_utf8_check
#include "common/json/parse_core.h"

const struct gh_json_impl gh_json_impl_scalar = { SCAN_NAME, parse };
