/*
 * offline - `gatehousectl schema check` and `schema validate`, on the code that runs online.
 *
 * schema check [--draft 7|2020-12] [--format] [--add FILE]... FILE...
 *   Loads and compiles each file (all files may refer to each other by $id) and prints
 *   "FILE: ok" or "FILE:LINE:COLUMN: POINTER: reason".
 *
 * schema validate [--draft 7|2020-12] [--format] [--add FILE]... [--schema FILE]
 *   stdin: NDJSON, lines {"schema": ..., "data": ...}; with --schema, each line is the data.
 *   stdout, a line for each: {"valid": bool, "error": string|null, "instancePath": string,
 *   "schemaPath": string}. A schema that does not load: valid is null and error says why.
 *
 * --add FILE  makes a document known under its $id (and file:///FILE).
 * Exit status: 0 all well (for validate: all valid), 1 something refused, 2 usage or a file that
 * cannot be read.
 */
#ifndef VALIDATOR_SCHEMA_OFFLINE_H
#define VALIDATOR_SCHEMA_OFFLINE_H

int schema_check_main(int argc, char **argv); /* argv[0] is the command's name */
int schema_validate_main(int argc, char **argv);

#endif
