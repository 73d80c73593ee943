/*
 * format - what `format` asserts. Each check is linear in the text, allocates nothing and is pure.
 *
 * Sources: RFC 3339 (date-time, date, time; duration from its appendix A), RFC 5321 and 6531
 * (email), RFC 1123 and 5890 (hostname), RFC 2673 and 4291 (ipv4, ipv6), RFC 3986 and 3987 (uri,
 * iri), RFC 4122 (uuid), RFC 6570 (uri-template), RFC 6901 (json-pointer), ECMA-262 (regex).
 */
#ifndef VALIDATOR_SCHEMA_FORMAT_H
#define VALIDATOR_SCHEMA_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#define FORMAT_LIST(X)                                                                             \
    X(FORMAT_DATE_TIME, "date-time", format_date_time)                                             \
    X(FORMAT_DATE, "date", format_date)                                                            \
    X(FORMAT_TIME, "time", format_time)                                                            \
    X(FORMAT_DURATION, "duration", format_duration)                                                \
    X(FORMAT_EMAIL, "email", format_email)                                                         \
    X(FORMAT_IDN_EMAIL, "idn-email", format_idn_email)                                             \
    X(FORMAT_HOSTNAME, "hostname", format_hostname)                                                \
    X(FORMAT_IDN_HOSTNAME, "idn-hostname", format_idn_hostname)                                    \
    X(FORMAT_IPV4, "ipv4", format_ipv4)                                                            \
    X(FORMAT_IPV6, "ipv6", format_ipv6)                                                            \
    X(FORMAT_URI, "uri", format_uri)                                                               \
    X(FORMAT_URI_REFERENCE, "uri-reference", format_uri_reference)                                 \
    X(FORMAT_IRI, "iri", format_iri)                                                               \
    X(FORMAT_IRI_REFERENCE, "iri-reference", format_iri_reference)                                 \
    X(FORMAT_URI_TEMPLATE, "uri-template", format_uri_template)                                    \
    X(FORMAT_UUID, "uuid", format_uuid)                                                            \
    X(FORMAT_JSON_POINTER, "json-pointer", format_json_pointer)                                    \
    X(FORMAT_RELATIVE_JSON_POINTER, "relative-json-pointer", format_relative_json_pointer)         \
    X(FORMAT_REGEX, "regex", format_regex)
#define FORMAT_ENUM(sym, name, check) sym,
enum format_id { FORMAT_LIST(FORMAT_ENUM) FORMAT_COUNT };

/* FORMAT_COUNT when the name is unknown (unknown formats assert nothing). */
enum format_id format_find(const char *name, size_t len);
bool format_check(enum format_id id, const char *text, size_t len);

/* The checks; text is valid UTF-8 and may hold NUL. */
#define FORMAT_DECLARE(sym, name, check) bool check(const char *text, size_t len);
FORMAT_LIST(FORMAT_DECLARE)

#endif
