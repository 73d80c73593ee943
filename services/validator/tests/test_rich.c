/* Rich text: what stays, what goes, and how much work a text may make. Whether a browser agrees is
 * tests/e2e's to say. */
#include "sanitize/rich.h"
#include "support.h"

#include <stdlib.h>

struct row {
    const char *name;
    const char *in;
    const char *out;
};

#define REL " rel=\"nofollow noopener noreferrer\""

static const struct row rows[] = {
    { "text", "plain", "plain" },
    { "formatting", "<b>a</b> <i>b</i> <em>c</em> <strong>d</strong> <u>e</u> <s>f</s>",
      "<b>a</b> <i>b</i> <em>c</em> <strong>d</strong> <u>e</u> <s>f</s>" },
    { "lists", "<ul><li>a</li><li>b</li></ul><ol start=\"3\"><li>c</li></ol>",
      "<ul><li>a</li><li>b</li></ul><ol start=\"3\"><li>c</li></ol>" },
    { "code and quotes", "<pre><code>a &lt; b</code></pre><blockquote>q</blockquote>",
      "<pre><code>a &lt; b</code></pre><blockquote>q</blockquote>" },
    { "headings, lines", "<h1>a</h1>b<br>c<hr>", "<h1>a</h1>b<br>c<hr>" },
    { "capitals", "<B>a</B>", "<b>a</b>" },
    { "unclosed is closed", "<b>a<i>b", "<b>a<i>b</i></b>" },
    { "wrongly nested is nested", "<b>a<i>b</b>c</i>", "<b>a<i>b</i></b><i>c</i>" },
    { "a bare less-than", "1 < 2 & 3 > 2", "1 &lt; 2 &amp; 3 &gt; 2" },
    { "references are resolved and made anew", "&lt;script&gt; &copy; &#65;",
      "&lt;script&gt; \xc2\xa9 A" },
    { "link", "<a href=\"https://a.example/?a=1&amp;b=2\" title='t'>x</a>",
      "<a href=\"https://a.example/?a=1&amp;b=2\" title=\"t\"" REL ">x</a>" },
    { "link, mailto", "<a href=mailto:a@b.example>x</a>",
      "<a href=\"mailto:a@b.example\"" REL ">x</a>" },
    { "link, javascript", "<a href=\"javascript:alert(1)\">x</a>", "<a>x</a>" },
    { "link, javascript in references", "<a href=\"&#106;avascript&colon;alert(1)\">x</a>",
      "<a>x</a>" },
    { "link, javascript with white space", "<a href=\" java\nscript:alert(1)\">x</a>", "<a>x</a>" },
    { "link, data", "<a href=\"data:text/html,<script>x</script>\">x</a>", "<a>x</a>" },
    { "link, relative", "<a href=\"/logout\">x</a>", "<a>x</a>" },
    { "link, protocol-relative", "<a href=\"//evil.example\">x</a>", "<a>x</a>" },
    { "event handlers", "<b onclick=\"x()\" ONMOUSEOVER=y>a</b>", "<b>a</b>" },
    { "style and class and id", "<p style=\"x\" class=y id=z>a</p>", "<p>a</p>" },
    { "attribute with a quote", "<b title='\"><script>x</script>'>a</b>",
      "<b title=\"&#34;&gt;&lt;script&gt;x&lt;/script&gt;\">a</b>" },
    { "script", "a<script>alert(1)</script>b", "ab" },
    { "script, unclosed", "a<script>alert(1)", "a" },
    { "style", "a<style>b{}</style>c", "ac" },
    { "svg", "a<svg><script>x</script><b>y</b></svg>c", "ac" },
    { "math", "a<math><mi>x</mi></math>c", "ac" },
    { "template", "a<template><b>x</b></template>c", "ac" },
    { "iframe", "a<iframe src=x>b</iframe>c", "ac" },
    { "noscript", "a<noscript><p title=\"</noscript><img src=x onerror=y>\">b", "a" },
    { "textarea", "a<textarea><b>x</b></textarea>c", "ac" },
    { "comment", "a<!-- <b>x</b> -->c", "ac" },
    { "conditional comment", "a<!--[if IE]><script>x</script><![endif]-->c", "ac" },
    { "processing instruction", "a<?php x ?>c", "ac" },
    { "unknown element", "<blink>a</blink><x-y onclick=z>b</x-y>", "ab" },
    { "form goes, text stays", "<form action=x><button formaction=y>a</button></form>", "a" },
    { "image is not of the default", "<img src=https://a.example/x.png onerror=y>", "" },
    { "no mark joins a tag", "<b>\xcc\xb8 a</b>", "<b> a</b>" },
    { "no mark from a reference joins a tag", "<b>&#x338;onmouseover=x</b>",
      "<b>onmouseover=x</b>" },
    { "bidi from a reference goes", "<b>a&#x202e;b</b>", "<b>ab</b>" },
    { "control from a reference goes", "<b title=\"&#1;a\">&#27;b</b>", "<b title=\"a\">b</b>" },
    { "lang", "<b lang=en-GB>a</b><b lang=\"en x\">b</b>", "<b lang=\"en-GB\">a</b><b>b</b>" },
};

static void clean(struct rich *rich, const struct rich_rules *rules, const char *in,
                  const char *expected)
{
    struct gh_buf out;

    gh_buf_init(&out, 0);
    assert_int_equal(rich_clean(rich, rules, in, strlen(in), &out), GH_OK);
    if (out.len != strlen(expected) ||
        strncmp(out.data != NULL ? out.data : "", expected, out.len) != 0)
        print_error("got:  %.*s\nwant: %s\n", (int)out.len, out.data, expected);
    assert_int_equal(out.len, strlen(expected));
    if (out.len > 0) assert_memory_equal(out.data, expected, out.len);
    gh_buf_done(&out);
}

static void rich_row(void **state)
{
    const struct row *row = *state;
    struct rich_rules rules;
    struct rich *rich = NULL;

    rich_rules_init(&rules);
    assert_int_equal(rich_new(&rich), GH_OK);
    clean(rich, &rules, row->in, row->out);
    clean(rich, &rules, row->out, row->out); /* its own output it leaves alone */
    rich_free(rich);
}

static void what_a_policy_may_add(void **state)
{
    struct rich_rules rules;
    struct rich *rich = NULL;

    (void)state;
    rich_rules_init(&rules);
    rules.tags |= rich_tag_bit("img") | rich_tag_bit("table") | rich_tag_bit("tbody") |
                  rich_tag_bit("tr") | rich_tag_bit("td");
    rules.attrs |= rich_attr_bit("src") | rich_attr_bit("width") | rich_attr_bit("colspan");
    rules.relative_urls = true;
    assert_int_equal(rich_new(&rich), GH_OK);
    clean(rich, &rules, "<img src=/a.png alt=b width=99 height=1 onerror=x>",
          "<img src=\"/a.png\" alt=\"b\" width=\"99\">");
    clean(rich, &rules, "<img src=javascript:x width=99999 alt=b>", "<img alt=\"b\">");
    clean(rich, &rules, "<table><tr><td colspan=2 src=x>a</table>",
          "<table><tbody><tr><td colspan=\"2\">a</td></tr></tbody></table>");
    assert_int_equal(rich_tag_bit("script"), 0);
    assert_int_equal(rich_tag_bit("iframe"), 0);
    assert_int_equal(rich_attr_bit("onclick"), 0);
    assert_int_equal(rich_attr_bit("style"), 0);
    rich_free(rich);
}

static void without_rules_only_text(void **state)
{
    struct rich *rich = NULL;

    (void)state;
    assert_int_equal(rich_new(&rich), GH_OK);
    clean(rich, NULL, "<p>a</p><p>b<b>c</b></p><script>x</script>", "a\nbc");
    clean(rich, NULL, "<<b>script>x</<b>script>", "&lt;script&gt;xscript&gt;");
    clean(rich, NULL, "&lt;b&gt; &amp;lt;", "&lt;b&gt; &amp;lt;");
    clean(rich, NULL, "<a href=\"x\">\"y\"</a>", "&#34;y&#34;");
    rich_free(rich);
}

/* Texts made to make much work, at the cap of tags: served or refused, in bounded memory. */
struct shape {
    const char *name;
    const char *parts[3]; /* a third of the text each; %d counts */
    enum gh_err err;
};

static const struct shape shapes[] = {
    { "deep", { "<b>", "<b>", "<b>" }, GH_OK },
    { "deep lists", { "<ul><li>", "<ul><li>", "<ul><li>" }, GH_OK },
    { "formatting reopened in every paragraph",
      { "<p><i a=%d>", "</p><p>x", "</p><p>x" },
      GH_ERR_LIMIT },
    { "tables in tables", { "<table><tr><td>", "x", "<table>" }, GH_OK },
    { "misnested", { "<b a%d=1><div>", "</b>", "</div>" }, GH_OK },
    { "comments", { "<!--", "<!--", "<!--" }, GH_OK },
    { "references", { "&#x", "&amp", "&#%d;" }, GH_OK },
    { "open attribute", { "<a b=\"", "x", "y" }, GH_ERR_LIMIT },
};

static void hostile_shape(void **state)
{
    const struct shape *shape = *state;
    struct rich_rules rules;
    struct rich *rich = NULL;
    char *html = malloc(RICH_MAX_BYTES + 64);
    struct gh_buf out;
    size_t len = 0;
    int n = 0;

    assert_non_null(html);
    rich_rules_init(&rules);
    assert_int_equal(rich_new(&rich), GH_OK);
    gh_buf_init(&out, 0);
    for (int third = 0; third < 3; third++) {
        for (unsigned tags = 0; tags < RICH_MAX_TAGS / 3 - 2 && len + 64 < RICH_MAX_BYTES;) {
            char piece[64];
            int written;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            written = snprintf(piece, sizeof piece, shape->parts[third], n++);
#pragma GCC diagnostic pop
            memcpy(html + len, piece, (size_t)written);
            len += (size_t)written;
            for (const char *p = piece; (p = strchr(p, '<')) != NULL; p++)
                tags++;
            tags += strchr(piece, '<') == NULL;
        }
    }
    assert_int_equal(rich_clean(rich, &rules, html, len, &out), shape->err);
    assert_true(out.len <= 32 * RICH_MAX_BYTES);
    gh_buf_done(&out);
    rich_free(rich);
    free(html);
}

static void budget_is_the_message_s(void **state)
{
    struct rich_rules rules;
    struct rich *rich = NULL;
    struct gh_buf out;

    (void)state;
    rich_rules_init(&rules);
    rules.max_tags = 6; /* two texts of two tags and a parse */
    assert_int_equal(rich_new(&rich), GH_OK);
    gh_buf_init(&out, 0);
    for (int message = 0; message < 2; message++) {
        rich_begin(rich);
        assert_int_equal(rich_clean(rich, &rules, "<b>a</b>", 8, &out), GH_OK);
        assert_int_equal(rich_clean(rich, &rules, "<b>a</b>", 8, &out), GH_OK);
        assert_int_equal(rich_clean(rich, &rules, "<b>a</b>", 8, &out), GH_ERR_LIMIT);
    }
    gh_buf_done(&out);
    rich_free(rich);
}

/* Gumbo 0.10 lets the number wrap around and would write a stray byte. */
static void references_past_all_characters(void **state)
{
    struct rich_rules rules;
    struct rich *rich = NULL;
    struct gh_buf out;

    (void)state;
    rich_rules_init(&rules);
    assert_int_equal(rich_new(&rich), GH_OK);
    gh_buf_init(&out, 0);
    assert_int_equal(rich_clean(rich, &rules, "&#xA9;", 6, &out), GH_OK);
    assert_int_equal(rich_clean(rich, &rules, "&#x1FFFFFFFFFFFFFFA9;", 21, &out),
                     GH_ERR_BAD_MESSAGE);
    assert_int_equal(rich_clean(rich, NULL, "<b title='&#xFFFFFFA9;'>&#xFFFFFFA9;", 35, &out),
                     GH_ERR_BAD_MESSAGE);
    gh_buf_done(&out);
    rich_free(rich);
}

/* The count stops a text before Gumbo compares each attribute with all others. */
static void attributes_are_counted(void **state)
{
    static const char *const good[] = { "<a x='1 2 3 4 5 6 7 8 9' y=/a/b/c z>",
                                        "<a x=\"/////////////////////////////////////////////////"
                                        "////////////////////////////////////////////\">" };
    struct rich_rules rules;
    struct rich *rich = NULL;
    struct gh_buf out;
    char many[1024] = "<!-- \"><a ", *at = many + strlen(many);

    (void)state;
    rich_rules_init(&rules);
    assert_int_equal(rich_new(&rich), GH_OK);
    gh_buf_init(&out, 0);
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(rich_clean(rich, &rules, good[i], strlen(good[i]), &out), GH_OK);
    for (int i = 0; i < RICH_ATTRS_MAX; i++)
        at += sprintf(at, "a%d/", i);
    assert_int_equal(rich_clean(rich, &rules, many, strlen(many), &out), GH_OK);
    strcpy(at, "z");
    assert_int_equal(rich_clean(rich, &rules, many, strlen(many), &out), GH_ERR_LIMIT);
    gh_buf_done(&out);
    rich_free(rich);
}

static void caps_are_inclusive(void **state)
{
    struct rich_rules rules;
    struct rich *rich = NULL;
    struct gh_buf out;
    static const char html[] = "<b>0123456789</b>";

    (void)state;
    rich_rules_init(&rules);
    rules.max_bytes = sizeof html - 1;
    assert_int_equal(rich_new(&rich), GH_OK);
    gh_buf_init(&out, 0);
    assert_int_equal(rich_clean(rich, &rules, html, sizeof html - 1, &out), GH_OK);
    rules.max_bytes--;
    assert_int_equal(rich_clean(rich, &rules, html, sizeof html - 1, &out), GH_ERR_LIMIT);
    gh_buf_done(&out);
    rich_free(rich);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + COUNT(shapes) + 6];
    size_t n = 0;

    for (; n < COUNT(rows); n++)
        tests[n] =
            (struct CMUnitTest){ rows[n].name, rich_row, NULL, NULL, (void *)(uintptr_t)&rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_a_policy_may_add);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(without_rules_only_text);
    for (size_t i = 0; i < COUNT(shapes); i++)
        tests[n++] = (struct CMUnitTest){ shapes[i].name, hostile_shape, NULL, NULL,
                                          (void *)(uintptr_t)&shapes[i] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(budget_is_the_message_s);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(attributes_are_counted);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(references_past_all_characters);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(caps_are_inclusive);
    return cmocka_run_group_tests_name("rich", tests, NULL, NULL);
}
