/*
 * check - `gatehousectl json check [options] FILE...|-`
 *
 * Prints for each file "FILE: accept" or "FILE:LINE:COLUMN: offset N: reason", to stdout.
 * Options: --ndjson (each non-empty line is a text; lines are numbered in the file), --quiet (only
 * what is refused), --canonical (print the canonical text of what is accepted instead),
 * --trusted (no caps but the hard ones), --allow-duplicates, --max-bytes N, --max-depth N. A file
 * that is larger than the cap is read no further than that. Returns the exit status: 0 all
 * accepted, 1 something refused, 2 usage or a file that cannot be read.
 */
#ifndef GH_JSON_CHECK_H
#define GH_JSON_CHECK_H

int gh_json_check_main(int argc, char **argv); /* argv[0] is the command's name */

#endif
