// simdjson as a peer of json_bench: one parser, one output string, both reused.
#include <cstring>
#include <simdjson.h>

static simdjson::dom::parser parser;
static simdjson::internal::string_builder<> out;
static char raw[1 << 20];

extern "C" const char *peer_simdjson_name()
{
    return simdjson::get_active_implementation()->name().c_str();
}

// Parse, then serialise the document. The length of the output, 0 if refused.
extern "C" size_t peer_simdjson(const char *text, size_t len)
{
    simdjson::dom::element doc;

    if (parser.parse(text, len, false).get(doc))
        return 0;
    out.clear();
    out.append(doc);
    return out.str().size();
}

extern "C" size_t peer_simdjson_parse(const char *text, size_t len)
{
    simdjson::dom::element doc;

    return parser.parse(text, len, false).get(doc) ? 0 : len;
}

// Parse, then strip the white space of the source: not a serialisation, but the fastest way there is
// to have checked text without white space.
extern "C" size_t peer_simdjson_strip(const char *text, size_t len)
{
    simdjson::dom::element doc;
    size_t n = 0;

    if (len > sizeof raw || parser.parse(text, len, false).get(doc) ||
        simdjson::minify(text, len, raw, n))
        return 0;
    return n;
}
