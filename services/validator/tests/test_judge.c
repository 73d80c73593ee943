/* One message in, one verdict out: for each rule the message that passes, then the one that does
 * not. */
#include "support.h"

static const char yaml[] = "route: main\n"
                           "max_bytes: 4KiB\n"
                           "limits: { depth: 8, key: 32 }\n"
                           "rich: { max_bytes: 1KiB }\n"
                           "types:\n"
                           "  chat: { send: [user], receive: [user], rate: chat }\n"
                           "  news: { send: [editor], receive: ['*'] }\n"
                           "  ping: { send: ['*'], csrf: exempt, max_bytes: 64 }\n"
                           "  post:\n"
                           "    send: [user]\n"
                           "    csrf: exempt\n"
                           "    sanitize:\n"
                           "      default: escape\n"
                           "      /payload/html: rich\n"
                           "      /payload/text: strip\n"
                           "      /payload/raw: plain\n"
                           "      /payload/code: reject\n"
                           "      /payload/files/*/name: filename\n"
                           "      /payload/files/0/path: path\n"
                           "      /payload/link: url\n";

#define CSRF          ",\"csrfToken\":\"" SUPPORT_CSRF "\""
#define CSRF2         ",\"csrfToken\":\"" SUPPORT_PREVIOUS "\""
#define POST(payload) "{\"type\":\"post\",\"payload\":" payload "}"

struct row {
    const char *name;
    const char *roles;
    const char *message;
    enum gh_code code;
    const char *expected; /* output, or the pointer of a refusal */
};

static const struct row rows[] = {
    /* envelope */
    { "envelope: type and payload are enough", "", "{\"type\":\"ping\",\"payload\":null}",
      GH_CODE_OK, "{\"type\":\"ping\",\"payload\":null}" },
    { "envelope: white space and escapes are not passed on", "",
      " { \"\\u0074ype\" : \"p\\u0069ng\" ,\n\"payload\" : [ 1 , 2.50 ] } ", GH_CODE_OK,
      "{\"type\":\"ping\",\"payload\":[1,2.50]}" },
    { "envelope: members keep their order", "", "{\"payload\":1,\"id\":\"7\",\"type\":\"ping\"}",
      GH_CODE_OK, "{\"payload\":1,\"id\":\"7\",\"type\":\"ping\"}" },
    { "envelope: timestamp", "", "{\"type\":\"ping\",\"payload\":1,\"timestamp\":1700000000000}",
      GH_CODE_OK, "{\"type\":\"ping\",\"payload\":1,\"timestamp\":1700000000000}" },
    { "envelope: not an object", "", "[]", GH_CODE_BAD_ENVELOPE, "" },
    { "envelope: a string", "", "\"ping\"", GH_CODE_BAD_ENVELOPE, "" },
    { "envelope: no type", "", "{\"payload\":1}", GH_CODE_BAD_ENVELOPE, "" },
    { "envelope: no payload", "", "{\"type\":\"ping\"}", GH_CODE_BAD_ENVELOPE, "" },
    { "envelope: type is a number", "", "{\"type\":1,\"payload\":1}", GH_CODE_BAD_ENVELOPE,
      "/type" },
    { "envelope: type is empty", "", "{\"type\":\"\",\"payload\":1}", GH_CODE_BAD_ENVELOPE,
      "/type" },
    { "envelope: type of 65 bytes", "",
      "{\"type\":\"ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp\","
      "\"payload\":1}",
      GH_CODE_BAD_ENVELOPE, "/type" },
    { "envelope: a member nobody knows", "", "{\"type\":\"ping\",\"payload\":1,\"x\":1}",
      GH_CODE_BAD_ENVELOPE, "" },
    { "envelope: Type is not type", "", "{\"Type\":\"ping\",\"payload\":1}", GH_CODE_BAD_ENVELOPE,
      "" },
    { "envelope: type twice", "", "{\"type\":\"ping\",\"payload\":1,\"type\":\"ping\"}",
      GH_CODE_BAD_JSON, "" },
    { "envelope: type twice, once spelled with an escape", "",
      "{\"type\":\"ping\",\"payload\":1,\"t\\u0079pe\":\"ping\"}", GH_CODE_BAD_JSON, "" },
    { "envelope: timestamp is a string", "",
      "{\"type\":\"ping\",\"payload\":1,\"timestamp\":\"1\"}", GH_CODE_BAD_ENVELOPE, "/timestamp" },
    { "envelope: timestamp is negative", "", "{\"type\":\"ping\",\"payload\":1,\"timestamp\":-1}",
      GH_CODE_BAD_ENVELOPE, "/timestamp" },
    { "envelope: timestamp with a fraction", "",
      "{\"type\":\"ping\",\"payload\":1,\"timestamp\":1.5}", GH_CODE_BAD_ENVELOPE, "/timestamp" },
    { "envelope: timestamp past 2^53", "",
      "{\"type\":\"ping\",\"payload\":1,\"timestamp\":9007199254740993}", GH_CODE_BAD_ENVELOPE,
      "/timestamp" },
    { "envelope: id is a number", "", "{\"type\":\"ping\",\"payload\":1,\"id\":7}",
      GH_CODE_BAD_ENVELOPE, "/id" },
    { "envelope: id is markup", "", "{\"type\":\"ping\",\"payload\":1,\"id\":\"<b>\"}",
      GH_CODE_BAD_ENVELOPE, "/id" },
    { "envelope: id with a bidi override", "",
      "{\"type\":\"ping\",\"payload\":1,\"id\":\"\\u202e\"}", GH_CODE_BAD_ENVELOPE, "/id" },
    { "envelope: csrfToken is an object", "user",
      "{\"type\":\"chat\",\"payload\":1,\"csrfToken\":{}}", GH_CODE_BAD_ENVELOPE, "/csrfToken" },
    /* size and JSON */
    { "size: a type's own cap", "",
      "{\"type\":\"ping\",\"payload\":\"0123456789012345678901234567890123456789\"}",
      GH_CODE_TOO_LARGE, "" },
    { "json: nothing", "", "", GH_CODE_BAD_JSON, "" },
    { "json: something after it", "", "{\"type\":\"ping\",\"payload\":1}x", GH_CODE_BAD_JSON, "" },
    { "json: bad UTF-8", "", "{\"type\":\"ping\",\"payload\":\"\xff\"}", GH_CODE_BAD_UTF8, "" },
    { "json: lone surrogate", "", "{\"type\":\"ping\",\"payload\":\"\\ud800\"}", GH_CODE_BAD_JSON,
      "" },
    { "json: NUL", "", "{\"type\":\"ping\",\"payload\":\"\\u0000\"}", GH_CODE_BAD_JSON, "" },
    { "json: at the depth the policy allows", "", "{\"type\":\"ping\",\"payload\":[[[[[[[]]]]]]]}",
      GH_CODE_OK, "{\"type\":\"ping\",\"payload\":[[[[[[[]]]]]]]}" },
    { "json: deeper than the policy allows", "", "{\"type\":\"ping\",\"payload\":[[[[[[[[]]]]]]]]}",
      GH_CODE_BAD_JSON, "" },
    /* type, csrf, role */
    { "type: not in the policy", "user", "{\"type\":\"nope\",\"payload\":1" CSRF "}",
      GH_CODE_UNKNOWN_TYPE, "/type" },
    { "type: a prefix of one", "user", "{\"type\":\"cha\",\"payload\":1" CSRF "}",
      GH_CODE_UNKNOWN_TYPE, "/type" },
    { "csrf: the current token, taken off", "user", "{\"type\":\"chat\",\"payload\":1" CSRF "}",
      GH_CODE_OK, "{\"type\":\"chat\",\"payload\":1}" },
    { "csrf: before the payload", "user",
      "{\"type\":\"chat\",\"csrfToken\":\"" SUPPORT_CSRF "\",\"payload\":\"a&b\"}", GH_CODE_OK,
      "{\"type\":\"chat\",\"payload\":\"a&amp;b\"}" },
    { "csrf: the previous token", "user", "{\"type\":\"chat\",\"payload\":1" CSRF2 "}", GH_CODE_OK,
      "{\"type\":\"chat\",\"payload\":1}" },
    { "csrf: none", "user", "{\"type\":\"chat\",\"payload\":1}", GH_CODE_CSRF, "" },
    { "csrf: empty", "user", "{\"type\":\"chat\",\"payload\":1,\"csrfToken\":\"\"}", GH_CODE_CSRF,
      "/csrfToken" },
    { "csrf: one character short", "user",
      "{\"type\":\"chat\",\"payload\":1,\"csrfToken\":\"0123456789abcdef0123456789abcdef0123456789\"}",
      GH_CODE_CSRF, "/csrfToken" },
    { "csrf: last character wrong", "user",
      "{\"type\":\"chat\",\"payload\":1,\"csrfToken\":"
      "\"0123456789abcdef0123456789abcdef0123456789b\"}",
      GH_CODE_CSRF, "/csrfToken" },
    { "csrf: exempt type with a token all the same", "",
      "{\"type\":\"ping\",\"payload\":1,\"csrfToken\":\"x\"}", GH_CODE_OK,
      "{\"type\":\"ping\",\"payload\":1}" },
    { "role: one of several", "guest,editor", "{\"type\":\"news\",\"payload\":1" CSRF "}",
      GH_CODE_OK, "{\"type\":\"news\",\"payload\":1}" },
    { "role: another", "user", "{\"type\":\"news\",\"payload\":1" CSRF "}", GH_CODE_ROLE, "/type" },
    { "role: none", "", "{\"type\":\"chat\",\"payload\":1" CSRF "}", GH_CODE_ROLE, "/type" },
    { "role: a prefix of one", "edit", "{\"type\":\"news\",\"payload\":1" CSRF "}", GH_CODE_ROLE,
      "/type" },
    { "role: '*' is no role to claim", "*", "{\"type\":\"news\",\"payload\":1" CSRF "}",
      GH_CODE_ROLE, "/type" },
    /* content */
    { "keys: __proto__", "user", POST("{\"a\":{\"__proto__\":1}}"), GH_CODE_CONTENT,
      "/payload/a/__proto__" },
    { "keys: __proto__ in escapes", "user", POST("{\"\\u005f_proto__\":1}"), GH_CODE_CONTENT,
      "/payload/__proto__" },
    { "keys: constructor", "user", POST("[{\"constructor\":{}}]"), GH_CODE_CONTENT,
      "/payload/0/constructor" },
    { "keys: prototype", "user", POST("{\"prototype\":{}}"), GH_CODE_CONTENT,
      "/payload/prototype" },
    { "keys: as values they are words", "user", POST("[\"__proto__\"]"), GH_CODE_OK,
      POST("[\"__proto__\"]") },
    { "keys: markup", "user", POST("{\"<b>\":1}"), GH_CODE_OK, POST("{\"&lt;b&gt;\":1}") },
    { "keys: the same once escaped", "user", POST("{\"<\":1,\"&lt;\":2}"), GH_CODE_OK,
      POST("{\"&lt;\":1,\"&amp;lt;\":2}") },
    { "keys: the same once cleaned", "user", POST("{\"a\\u202e\":1,\"a\":2}"), GH_CODE_CONTENT,
      "/payload" },
    { "escape: by default", "user", POST("{\"x\":[\"<script>'\\\"&\"]}"), GH_CODE_OK,
      POST("{\"x\":[\"&lt;script&gt;&#39;&#34;&amp;\"]}") },
    { "escape: spelled with JSON escapes", "user", POST("\"\\u003cb\\u003e\""), GH_CODE_OK,
      POST("\"&lt;b&gt;\"") },
    { "escape: NFC", "user", POST("\"e\\u0301\""), GH_CODE_OK, POST("\"\xc3\xa9\"") },
    { "escape: control and bidi characters go", "user", POST("\"a\\u0001\\u202e\\u2066b\\t\""),
      GH_CODE_OK, POST("\"ab\\t\"") },
    { "rich: formatting stays", "user", POST("{\"html\":\"<b>hi</b><script>x</script>\"}"),
      GH_CODE_OK, POST("{\"html\":\"<b>hi</b>\"}") },
    { "rich: too long", "user", NULL, GH_CODE_CONTENT, "/payload/html" },
    { "strip: tags go", "user", POST("{\"text\":\"<p>a<br>b</p> 1 < 2\"}"), GH_CODE_OK,
      POST("{\"text\":\"a\\nb\\n 1 &lt; 2\"}") },
    { "plain: markup stays", "user", POST("{\"raw\":\"<b>\\u0007\"}"), GH_CODE_OK,
      POST("{\"raw\":\"<b>\"}") },
    { "reject: nothing to change", "user", POST("{\"code\":\"A-1\"}"), GH_CODE_OK,
      POST("{\"code\":\"A-1\"}") },
    { "reject: markup", "user", POST("{\"code\":\"A<1\"}"), GH_CODE_CONTENT, "/payload/code" },
    { "reject: bidi", "user", POST("{\"code\":\"A\\u202e1\"}"), GH_CODE_CONTENT, "/payload/code" },
    { "filename: any element", "user",
      POST("{\"files\":[{\"name\":\"a.txt\"},{\"name\":\"b c.pdf\"}]}"), GH_CODE_OK,
      POST("{\"files\":[{\"name\":\"a.txt\"},{\"name\":\"b c.pdf\"}]}") },
    { "filename: traversal in the second", "user",
      POST("{\"files\":[{\"name\":\"a.txt\"},{\"name\":\"../b\"}]}"), GH_CODE_CONTENT,
      "/payload/files/1/name" },
    { "path: only where the pointer says", "user", POST("{\"files\":[{\"path\":\"a/b\"}]}"),
      GH_CODE_OK, POST("{\"files\":[{\"path\":\"a/b\"}]}") },
    { "path: absolute", "user", POST("{\"files\":[{\"path\":\"/a/b\"}]}"), GH_CODE_CONTENT,
      "/payload/files/0/path" },
    { "url: https", "user", POST("{\"link\":\"https://a.example/?x=1&y=2\"}"), GH_CODE_OK,
      POST("{\"link\":\"https://a.example/?x=1&y=2\"}") },
    { "url: javascript", "user", POST("{\"link\":\"javascript:alert(1)\"}"), GH_CODE_CONTENT,
      "/payload/link" },
    { "fields: a mode holds for all below", "user", POST("{\"raw\":{\"x\":[\"<\"]}}"), GH_CODE_OK,
      POST("{\"raw\":{\"x\":[\"<\"]}}") },
};

static void judge_row(void **state)
{
    const struct row *row = *state;
    struct support *s = support_new(support_policy(yaml, NULL, NULL), row->roles);
    char big[2048];
    const char *message = row->message;
    enum gh_code code;

    if (message == NULL) {
        (void)snprintf(big, sizeof big, POST("{\"html\":\"%01100d<b>\"}"), 0);
        message = big;
    }
    code = support_judge(s, message, strlen(message), false, false);
    if (code != row->code) print_error("rule: %s\n", s->rule);
    assert_int_equal(code, row->code);
    assert_string_equal(code == GH_CODE_OK ? s->output : s->pointer, row->expected);
    if (code != GH_CODE_OK) {
        assert_int_equal(s->verdict.output.len, 0);
        assert_true(s->rule[0] != '\0');
    } else { /* judging an output again changes nothing, but for escaping twice */
        assert_int_equal(s->rule[0], '\0');
    }
    support_free(s);
}

static void names_survive_refusal(void **state)
{
    struct support *s = support_new(support_policy(yaml, NULL, NULL), "user");
    static const char message[] = "{\"id\":\"a\\u002fb\",\"type\":\"chat\",\"payload\":1}";

    (void)state;
    assert_int_equal(support_judge(s, message, strlen(message), false, false), GH_CODE_CSRF);
    assert_string_equal(s->id, "a/b");
    assert_string_equal(s->verdict.type->name, "chat");
    assert_string_equal(s->verdict.type->rate, "chat");
    support_free(s);
}

static void size_cap_is_inclusive(void **state)
{
    struct support *s = support_new(support_policy(yaml, NULL, NULL), "user");
    char message[5000];
    int len = snprintf(message, sizeof message, POST("{\"raw\":\"%0*d\"}"),
                       4096 - (int)strlen(POST("{\"raw\":\"\"}")), 0);

    (void)state;
    assert_int_equal(len, 4096);
    assert_int_equal(support_judge(s, message, 4096, false, false), GH_CODE_OK);
    message[4096] = ' ';
    assert_int_equal(support_judge(s, message, 4097, false, false), GH_CODE_TOO_LARGE);
    support_free(s);
}

static void no_route(void **state)
{
    struct support *s = support_new(support_policy(yaml, NULL, NULL), "user");

    (void)state;
    s->context.route = NULL;
    assert_int_equal(support_judge(s, "{}", 2, false, false), GH_CODE_NOT_FOUND);
    support_free(s);
}

static void no_session_token_matches_nothing(void **state)
{
    struct support *s = support_new(support_policy(yaml, NULL, NULL), "user");
    static const char message[] = "{\"type\":\"chat\",\"payload\":1,\"csrfToken\":\"\"}";

    (void)state;
    s->context.csrf_len = s->context.csrf_previous_len = 0;
    assert_int_equal(support_judge(s, message, strlen(message), false, false), GH_CODE_CSRF);
    support_free(s);
}

/* Buffers are reused: a refusal must leave nothing that shows in the next verdict. */
static void verdicts_do_not_leak(void **state)
{
    struct support *s = support_new(support_policy(yaml, NULL, NULL), "user");

    (void)state;
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT(rows); i++) {
            const struct row *row = &rows[i];

            if (row->message == NULL || strcmp(row->roles, "user") != 0) continue;
            assert_int_equal(support_judge(s, row->message, strlen(row->message), false, false),
                             row->code);
            assert_string_equal(row->code == GH_CODE_OK ? s->output : s->pointer, row->expected);
        }
    }
    support_free(s);
}

/* Scores add up over the strings of a message; each type has its threshold. */
static void signatures_score(void **state)
{
    static const char types[] =
        "route: main\nsignatures: { threshold: 10 }\ntypes:\n"
        "  ten: { send: ['*'], csrf: exempt }\n"
        "  five: { send: ['*'], csrf: exempt, signatures: { threshold: 5 } }\n"
        "  never: { send: ['*'], csrf: exempt, signatures: off }\n"
        "  name:\n    send: ['*']\n    csrf: exempt\n"
        "    sanitize: { default: escape, /payload/f: filename }\n";
    static const char rules[] =
        "family: test\nrules:\n"
        "  - id: one\n    description: a word\n    pattern: 'evilword'\n    score: 6\n"
        "    fields: [text, key]\n    references: [CWE-1]\n"
        "    examples: { match: [evilword], no_match: [good] }\n"
        "  - id: two\n    description: a word\n    pattern: 'worseword'\n    score: 7\n"
        "    fields: [text]\n    references: [CWE-1]\n"
        "    examples: { match: [worseword], no_match: [good] }\n"
        "  - id: three\n    description: a word\n    pattern: 'badname'\n    score: 10\n"
        "    fields: [name]\n    references: [CWE-1]\n"
        "    examples: { match: [badname], no_match: [good] }\n";
    static const struct {
        const char *message;
        enum gh_code code;
        uint32_t score;
        const char *pointer;
    } cases[] = {
        { "{\"type\":\"ten\",\"payload\":[\"good\"]}", GH_CODE_OK, 0, "" },
        { "{\"type\":\"ten\",\"payload\":[\"evilword\",\"evilword\"]}", GH_CODE_OK, 6, "" },
        { "{\"type\":\"ten\",\"payload\":[\"evilword\",{\"x\":\"a worseword\"}]}", GH_CODE_CONTENT,
          13, "/payload/1/x" },
        { "{\"type\":\"five\",\"payload\":[\"\\u0065vilword\"]}", GH_CODE_CONTENT, 6,
          "/payload/0" },
        { "{\"type\":\"five\",\"payload\":{\"an evilword\":1}}", GH_CODE_CONTENT, 6,
          "/payload/an evilword" },
        { "{\"type\":\"never\",\"payload\":\"evilword worseword\"}", GH_CODE_OK, 0, "" },
        { "{\"type\":\"name\",\"payload\":{\"f\":\"badname\",\"g\":\"x\"}}", GH_CODE_CONTENT, 10,
          "/payload/f" },
        { "{\"type\":\"name\",\"payload\":{\"f\":\"x\",\"g\":\"badname\"}}", GH_CODE_OK, 0, "" },
        { "{\"type\":\"ten\",\"payload\":[\"good\"]}", GH_CODE_OK, 0, "" },
    };
    struct support *s = support_new(support_policy(types, "signatures/x.yaml", rules), "");

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(support_judge(s, cases[i].message, strlen(cases[i].message), false, false),
                         cases[i].code);
        assert_int_equal(s->verdict.score, cases[i].score);
        assert_string_equal(s->pointer, cases[i].pointer);
    }
    support_free(s);
}

/* Every rule that has to look at a text is charged with its bytes, over all texts of a message. */
static void signature_work_is_capped(void **state)
{
    static const char types[] = "route: main\nlimits: { signature_work: 64KiB }\ntypes:\n"
                                "  a: { send: ['*'], csrf: exempt }\n";
    static const char rules[] =
        "family: test\nrules:\n"
        "  - id: one\n    description: d\n    pattern: 'evil\\s+word'\n    score: 6\n"
        "    examples: { match: [evil word], no_match: [good] }\n"
        "  - id: two\n    description: d\n    pattern: 'evil\\s+good'\n    score: 6\n"
        "    examples: { match: [evil good], no_match: [good] }\n";
    static char message[65536];
    struct support *s = support_new(support_policy(types, "signatures/x.yaml", rules), "");
    static const struct {
        unsigned bytes;
        const char *words;
        enum gh_code code;
    } cases[] = {
        { 30000, "evil", GH_CODE_OK },
        { 33000, "evil", GH_CODE_CONTENT }, /* twice 33,000 is past 64 KiB */
        { 33000, "good", GH_CODE_OK },      /* both rules need "evil": none looks */
        { 60000, "good", GH_CODE_OK },
        { 30000, "evil", GH_CODE_OK }, /* each message begins anew */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int head = sprintf(message, "{\"type\":\"a\",\"payload\":\"%s ", cases[i].words);
        size_t len;

        memset(message + head, 'x', cases[i].bytes);
        len = (size_t)head + cases[i].bytes;
        len += (size_t)sprintf(message + len, "\"}");
        assert_int_equal(support_judge(s, message, len, false, false), cases[i].code);
        if (cases[i].code == GH_CODE_OK) continue;
        assert_string_equal(s->pointer, "/payload");
        assert_non_null(strstr(s->rule, "signature_work"));
    }
    support_free(s);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 7];
    size_t n = 0;

    for (; n < COUNT(rows); n++)
        tests[n] =
            (struct CMUnitTest){ rows[n].name, judge_row, NULL, NULL, (void *)(uintptr_t)&rows[n] };
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(names_survive_refusal);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(size_cap_is_inclusive);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_route);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_session_token_matches_nothing);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(verdicts_do_not_leak);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(signatures_score);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(signature_work_is_capped);
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
