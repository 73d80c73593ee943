/* The parser for x86-64 with AVX2, BMI and BMI2: compiled with those options, run when they are
 * there. */
#include "common/json/utf8.h"
#include "common/json/utf8_avx2.h"
#define utf8_check utf8_check_avx2
#include "common/json/parse_core.h"

const struct gh_json_impl gh_json_impl_avx2 = { SCAN_NAME, parse };
