/* File names, paths and URLs: the honest ones first, then every trick. */
#include "sanitize/name.h"
#include "support.h"

enum what { A_FILE, A_PATH, A_URL };

struct row {
    const char *name;
    enum what what;
    const char *text;
    const char *rule; /* NULL: good */
};

static const char *const schemes[] = { "https", "http", "mailto", NULL };

static const struct row rows[] = {
    { "file: plain", A_FILE, "report.pdf", NULL },
    { "file: spaces inside", A_FILE, "my report (final).pdf", NULL },
    { "file: one character", A_FILE, "a", NULL },
    { "file: no extension", A_FILE, "Makefile", NULL },
    { "file: a leading dot", A_FILE, ".profile", NULL },
    { "file: several dots", A_FILE, "archive.tar.gz", NULL },
    { "file: German", A_FILE, "Übersicht.pdf", NULL },
    { "file: Japanese, with a no that looks like a slash", A_FILE, "山ノ手線.png", NULL },
    { "file: Arabic digits", A_FILE, "تقرير٠١.pdf", NULL },
    { "file: Hindi with a visarga", A_FILE, "दुःख.txt", NULL },
    { "file: Persian with a joiner", A_FILE, "می‌خواهم.txt", NULL },
    { "file: emoji with joiners and selectors", A_FILE, "👨‍👩‍👧❤️.png", NULL },
    { "file: percent that is no encoding", A_FILE, "100% sure.txt", NULL },
    { "file: percent-encoded space", A_FILE, "a%20b.txt", NULL },
    { "file: com without a digit", A_FILE, "com.txt", NULL },
    { "file: com10 is no device", A_FILE, "com10.txt", NULL },
    { "file: con as a part of a word", A_FILE, "console.log", NULL },
    { "file: 255 bytes", A_FILE,
      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
      "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
      "2345678901234567890123456789012345678901234567890123456789012345678901234",
      NULL },

    { "file: empty", A_FILE, "", "name: empty" },
    { "file: 256 bytes", A_FILE,
      "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
      "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"
      "23456789012345678901234567890123456789012345678901234567890123456789012345",
      "name: too long" },
    { "file: dot", A_FILE, ".", "name: traversal" },
    { "file: dot dot", A_FILE, "..", "name: traversal" },
    { "file: dot dot inside", A_FILE, "a..b", "name: traversal" },
    { "file: slash", A_FILE, "a/b", "name: separator" },
    { "file: back-slash", A_FILE, "a\\b", "name: separator" },
    { "file: up", A_FILE, "../etc/passwd", "name: traversal" },
    { "file: up, Windows", A_FILE, "..\\..\\boot.ini", "name: traversal" },
    { "file: percent-encoded slash", A_FILE, "a%2fb", "name: separator" },
    { "file: percent-encoded up", A_FILE, "%2e%2e%2fetc", "name: traversal" },
    { "file: percent-encoded twice", A_FILE, "%252e%252e%252fetc", "name: traversal" },
    { "file: percent-encoded three times", A_FILE, "a%25252fb", "name: separator" },
    { "file: IIS %u", A_FILE, "a%u002fb", "name: separator" },
    { "file: overlong slash, percent-encoded", A_FILE, "a%c0%afb", "name: percent-encoded bytes" },
    { "file: percent-encoded NUL", A_FILE, "a.php%00.jpg", "name: invisible or control character" },
    { "file: full-width slash", A_FILE, "a／b", "name: look-alike of a separator" },
    { "file: full-width slash, percent-encoded", A_FILE, "a%EF%BC%8Fb",
      "name: look-alike of a separator" },
    { "file: full-width back-slash", A_FILE, "a＼b", "name: look-alike of a separator" },
    { "file: fraction slash", A_FILE, "a⁄b", "name: look-alike of a separator" },
    { "file: division slash", A_FILE, "a∕b", "name: look-alike of a separator" },
    { "file: set minus", A_FILE, "a∖b", "name: look-alike of a separator" },
    { "file: big solidus", A_FILE, "a⧸b", "name: look-alike of a separator" },
    { "file: two dot leader", A_FILE, "‥", "name: look-alike of a separator" },
    { "file: full-width full stops", A_FILE, "．．", "name: look-alike of a separator" },
    { "file: one dot leaders", A_FILE, "․․", "name: look-alike of a separator" },
    { "file: ratio as colon", A_FILE, "c∶x", "name: look-alike of a separator" },
    { "file: full-width colon", A_FILE, "c：x", "name: look-alike of a separator" },
    { "file: drive", A_FILE, "C:autoexec.bat", "name: drive or stream" },
    { "file: alternate stream", A_FILE, "a.txt:evil.exe", "name: drive or stream" },
    { "file: ::$DATA", A_FILE, "a.php::$DATA", "name: drive or stream" },
    { "file: line feed", A_FILE, "a\nb", "name: invisible or control character" },
    { "file: DEL", A_FILE, "a\x7f", "name: invisible or control character" },
    { "file: C1 control", A_FILE, "a\xc2\x85", "name: invisible or control character" },
    { "file: right-to-left override", A_FILE, "exe\xe2\x80\xaegpj.scr",
      "name: invisible or control character" },
    { "file: zero-width space", A_FILE, "a\xe2\x80\x8b.txt",
      "name: invisible or control character" },
    { "file: byte order mark", A_FILE,
      "\xef\xbb\xbf"
      "a",
      "name: invisible or control character" },
    { "file: Hangul filler", A_FILE, "a\xe3\x85\xa4", "name: invisible or control character" },
    { "file: tag characters", A_FILE, "a\xf3\xa0\x81\xa1", "name: invisible or control character" },
    { "file: CON", A_FILE, "CON", "name: reserved device" },
    { "file: con.txt", A_FILE, "con.txt", "name: reserved device" },
    { "file: NUL.tar.gz", A_FILE, "NUL.tar.gz", "name: reserved device" },
    { "file: aux with a space", A_FILE, "aux .c", "name: reserved device" },
    { "file: LPT1", A_FILE, "lpt1", "name: reserved device" },
    { "file: COM superscript one", A_FILE, "COM\xc2\xb9", "name: reserved device" },
    { "file: CONIN$", A_FILE, "conin$", "name: reserved device" },
    { "file: full-width CON", A_FILE, "ＣＯＮ", "name: reserved device" },
    { "file: trailing dot", A_FILE, "a.exe.", "name: space or dot at an end" },
    { "file: trailing space", A_FILE, "a.exe ", "name: space or dot at an end" },
    { "file: trailing space, percent-encoded", A_FILE, "a.exe%20", "name: space or dot at an end" },
    { "file: trailing no-break space", A_FILE, "a.exe\xc2\xa0", "name: space or dot at an end" },
    { "file: leading space", A_FILE, " a", "name: space or dot at an end" },
    { "file: home", A_FILE, "~root", "name: leading ~ or -" },
    { "file: option", A_FILE, "-rf", "name: leading ~ or -" },
    { "file: pipe", A_FILE, "a|b", "name: character not allowed" },
    { "file: wildcard", A_FILE, "*.c", "name: character not allowed" },
    { "file: quotes", A_FILE, "a\"b", "name: character not allowed" },
    { "file: back-tick", A_FILE, "`id`", "name: character not allowed" },
    { "file: angle brackets", A_FILE, "<svg onload=x>.png", "name: character not allowed" },

    { "path: one part", A_PATH, "a.txt", NULL },
    { "path: parts", A_PATH, "docs/2024/a b.txt", NULL },
    { "path: up", A_PATH, "docs/../../etc", "name: traversal" },
    { "path: percent-encoded up", A_PATH, "docs/%2e%2e/x", "name: traversal" },
    { "path: one dot", A_PATH, "./a", "name: traversal" },
    { "path: absolute", A_PATH, "/etc/passwd", "name: absolute" },
    { "path: percent-encoded absolute", A_PATH, "%2fetc", "name: absolute" },
    { "path: drive", A_PATH, "c:/x", "name: drive or stream" },
    { "path: UNC", A_PATH, "\\\\host\\share", "name: absolute" },
    { "path: UNC with slashes", A_PATH, "//host/share", "name: absolute" },
    { "path: back-slash", A_PATH, "a\\b", "name: separator" },
    { "path: empty part", A_PATH, "a//b", "name: empty part" },
    { "path: trailing slash", A_PATH, "a/", "name: empty part" },
    { "path: a part is a device", A_PATH, "a/nul/b", "name: reserved device" },
    { "path: a part ends in a dot", A_PATH, "a./b", "name: space or dot at an end" },
    { "path: a look-alike adds a part", A_PATH, "a∕..∕b", "name: look-alike of a separator" },

    { "url: https", A_URL, "https://example.org/a?b=c&d#e", NULL },
    { "url: scheme in capitals", A_URL, "HTTPS://example.org", NULL },
    { "url: port", A_URL, "http://example.org:8080/", NULL },
    { "url: mailto", A_URL, "mailto:a@example.org", NULL },
    { "url: not ASCII", A_URL, "https://bücher.example/ä", NULL },
    { "url: at sign in the path", A_URL, "https://example.org/@user", NULL },
    { "url: relative", A_URL, "/a/b", "url: not absolute" },
    { "url: empty", A_URL, "", "url: not absolute" },
    { "url: protocol-relative", A_URL, "//evil.example/", "url: not absolute" },
    { "url: javascript", A_URL, "javascript:alert(1)", "url: scheme not allowed" },
    { "url: JavaScript in mixed case", A_URL, "jAvAsCrIpT:alert(1)", "url: scheme not allowed" },
    { "url: javascript behind a tab", A_URL, "java\tscript:alert(1)",
      "url: character not allowed" },
    { "url: data", A_URL, "data:text/html,x", "url: scheme not allowed" },
    { "url: no host", A_URL, "https:///x", "url: no host" },
    { "url: no slashes", A_URL, "https:example.org", "url: no host" },
    { "url: user information", A_URL, "https://good.example@evil.example/",
      "url: user information" },
    { "url: back-slash", A_URL, "https:\\\\evil.example", "url: character not allowed" },
    { "url: space", A_URL, "https://a b", "url: character not allowed" },
    { "url: quote", A_URL, "https://a/\"onload=x", "url: character not allowed" },
    { "url: angle bracket", A_URL, "https://a/<svg>", "url: character not allowed" },
};

static void name_row(void **state)
{
    const struct row *row = *state;
    struct unicode unicode = { 0 };
    struct gh_buf scratch;
    const char *rule;
    size_t len = strlen(row->text);

    unicode_init();
    gh_buf_init(&scratch, 0);
    if (row->what == A_FILE)
        rule = name_check_file(&unicode, &scratch, row->text, len);
    else if (row->what == A_PATH)
        rule = name_check_path(&unicode, &scratch, row->text, len);
    else
        rule = name_check_url(row->text, len, schemes);
    if (row->rule == NULL) {
        if (rule != NULL) print_error("%s\n", rule);
        assert_null(rule);
    } else {
        assert_non_null(rule);
        assert_string_equal(rule, row->rule);
    }
    gh_buf_done(&scratch);
    unicode_done(&unicode);
}

static void scheme_as_a_browser_sees_it(void **state)
{
    static const struct {
        const char *url;
        size_t len;
        const char *scheme;
    } cases[] = {
        { "https://x", 5, "https" },
        { " \x01\x1fJaVa\tScr\nipt:x", 10, "javascript" },
        { "/a:b", 0, NULL },
        { "?a:b", 0, NULL },
        { "#a:b", 0, NULL },
        { "abc", 0, NULL },
        { "", 0, NULL },
        { ":x", SIZE_MAX, NULL },
        { "1a:x", SIZE_MAX, NULL },
        { "a b!:x", SIZE_MAX, NULL },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:x", SIZE_MAX, NULL },
        { "java\xc2\xadscript:x", SIZE_MAX, NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char dst[32];
        size_t n = name_url_scheme(cases[i].url, strlen(cases[i].url), dst);

        assert_int_equal(n, cases[i].len);
        if (cases[i].scheme != NULL) assert_string_equal(dst, cases[i].scheme);
    }
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 1];

    for (size_t i = 0; i < COUNT(rows); i++)
        tests[i] =
            (struct CMUnitTest){ rows[i].name, name_row, NULL, NULL, (void *)(uintptr_t)&rows[i] };
    tests[COUNT(rows)] = (struct CMUnitTest)cmocka_unit_test(scheme_as_a_browser_sees_it);
    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
