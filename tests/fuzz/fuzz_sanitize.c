/* One string in every mode. The first byte chooses the mode. What comes out is held to a grammar
 * far smaller than HTML: so small that a mistake in the sanitizer has nowhere to hide. */
#include "common/json/utf8.h"
#include "sanitize/name.h"
#include "sanitize/redact.h"
#include "sanitize/rich_internal.h"
#include "sanitize/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct text *text;
static struct rich_rules rules;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    rich_rules_init(&rules);
    rules.tags |= rich_tag_bit("img") | rich_tag_bit("table") | rich_tag_bit("td");
    rules.attrs |= rich_attr_bit("src");
    if (text_new(&text) != GH_OK) abort();
    return 0;
}

static void must(bool holds)
{
    if (!holds) abort();
}

/* "&" only as one of the references we write. */
static const char *reference(const char *at, const char *end)
{
    static const char *const all[] = { "&amp;", "&lt;", "&gt;", "&#34;", "&#39;" };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if ((size_t)(end - at) >= strlen(all[i]) && memcmp(at, all[i], strlen(all[i])) == 0)
            return at + strlen(all[i]);
    abort();
}

static void check_escaped(const char *at, const char *end)
{
    while (at < end) {
        must(strchr("<>\"'", *at) == NULL || *at == '\0');
        at = *at == '&' ? reference(at, end) : at + 1;
    }
}

/* </name> or <name( name="value")*>, name and attribute of our tables. */
static const char *check_tag(const char *at, const char *end)
{
    char name[16] = "", *to = name;
    bool closing = *at == '/';

    if (closing) at++;
    while (at < end && to < name + 15 && *at != ' ' && *at != '>')
        *to++ = *at++;
    must((rich_tag_bit(name) & rules.tags) != 0);
    while (at < end && *at == ' ') {
        char scheme[32];
        const char *value;
        bool is_url;

        must(!closing);
        memset(name, 0, sizeof name);
        for (to = name, at++; at < end && to < name + 15 && *at != '=';)
            *to++ = *at++;
        must(strcmp(name, "rel") == 0 || (rich_attr_bit(name) & rules.attrs) != 0);
        is_url = strcmp(name, "href") == 0 || strcmp(name, "src") == 0;
        must(end - at > 2 && at[0] == '=' && at[1] == '"');
        value = at += 2;
        while (at < end && *at != '"') {
            must(strchr("<>'", *at) == NULL || *at == '\0');
            at = *at == '&' ? reference(at, end) : at + 1;
        }
        must(at < end);
        if (is_url) {
            size_t n = name_url_scheme(value, (size_t)(at - value), scheme);

            must(n != 0 && n != SIZE_MAX &&
                 (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0 ||
                  strcmp(scheme, "mailto") == 0));
        }
        at++;
    }
    must(at < end && *at == '>');
    return at + 1;
}

static void check_rich(const char *at, const char *end)
{
    while (at < end) {
        if (*at == '<') {
            at = check_tag(at + 1, end);
            if (at < end) { /* nothing joins the '>' */
                const char *next = at;

                must(!unicode_joins(unicode_next(&next)));
            }
            continue;
        }
        must(*at != '>');
        at = *at == '&' ? reference(at, end) : at + 1;
    }
}

static void check_canonical(const char *at, const char *end)
{
    while (at < end) {
        uint32_t cp = unicode_next(&at);

        must(!unicode_is_deceptive(cp) && cp != 0x2028 && cp != 0x2029);
    }
}

static void check_redact(const char *in, size_t len)
{
    struct gh_buf out, again;
    bool changed = false, more = true;

    gh_buf_init(&out, 0);
    gh_buf_init(&again, 0);
    must(redact_text(15, in, len, &out, &changed) == GH_OK);
    if (changed) must(redact_text(15, out.data, out.len, &again, &more) == GH_OK);
    gh_buf_done(&out);
    gh_buf_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum text_mode mode;
    const char *in = (const char *)data + 1, *out, *rule = NULL;
    size_t len, out_len;
    enum text_result result;

    if (size < 1 || !gh_utf8_valid(in, size - 1) || memchr(in, 0, size - 1) != NULL) return 0;
    mode = (enum text_mode)(data[0] % TEXT_MODE_COUNT);
    len = size - 1;
    out = in;
    out_len = len;
    text_begin(text);
    result = text_sanitize(text, mode, &rules, in, len, &out, &out_len, &rule);
    if (result == TEXT_REFUSED) {
        must(rule != NULL);
        return 0;
    }
    if (result == TEXT_SAME) must(out == in && out_len == len);
    must(gh_utf8_valid(out, out_len));
    check_canonical(out, out + out_len);
    if (mode == TEXT_ESCAPE || mode == TEXT_REJECT || mode == TEXT_STRIP)
        check_escaped(out, out + out_len);
    else if (mode == TEXT_RICH)
        check_rich(out, out + out_len);
    check_redact(in, len);
    return 0;
}
