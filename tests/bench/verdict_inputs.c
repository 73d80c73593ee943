#include "verdict_inputs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL 65500u

static const char prose[] =
    "Hello everybody, the meeting moves to Thursday at half past ten; please bring the figures for "
    "the second quarter and say who cannot come. I have put the draft of the report on the shared "
    "drive, and Anna will check the numbers before we send it. Somebody asked about lunch: there "
    "is a new place round the corner, not expensive, good soup. ";

static char *head(struct verdict_input *in, const char *type, const char *open)
{
    in->text = calloc(1, FULL + 4096);
    in->len = 0;
    if (in->text == NULL) return NULL;
    return in->text + sprintf(in->text,
                              "{\"type\":\"%s\",\"csrfToken\":\"" VERDICT_CSRF
                              "\",\"id\":\"m-17\",\"timestamp\":1700000000000,\"payload\":%s",
                              type, open);
}

static void chat(struct verdict_input *in, const char *name, size_t size)
{
    char *at = head(in, "chat", "{\"text\":\"");
    size_t tail = strlen("\",\"room\":\"lobby\"}}");

    in->name = name;
    if (at == NULL) return;
    for (size_t i = 0; (size_t)(at - in->text) + tail < size; i++)
        *at++ = prose[i % (sizeof prose - 1)];
    at += sprintf(at, "\",\"room\":\"lobby\"}}");
    in->len = (size_t)(at - in->text);
}

void verdict_ordinary(struct verdict_input inputs[VERDICT_ORDINARY])
{
    chat(&inputs[0], "200 B", 200);
    chat(&inputs[1], "4 KiB", 4096);
    chat(&inputs[2], "64 KiB", FULL);
}

/* Something of every shipped rule, and a hit of none: all of them have to look. */
#define ALL_RULES                                                                                  \
    "= < = like = or || -- # -- select select select select select union/* select/* /*! drop de"   \
    "lete drop truncate = having order group pg_sleep sleep pg_sleep sleep benchmark waitfor db"   \
    "ms_lock.sleep dbms_pipe.receiv information_sche sys.tables select ascii ord select extract"   \
    "value updatexml group_concat_ws group_concat nchar nchr load_file outfile dumpfile execute"   \
    " exec program select exists procedure select ; && etc/passwd etc/shadow passwd shadow & ; "   \
    "cat ls $( ` $( ` ${ifs} ${ifs {cat, {ls, / nc ncat /dev/tcp/ /dev/udp/ >& > mkfifo mknod c"   \
    "url wget \\\"https:// \\\"http:// base64 ; | rm python2 python3 socket fsockopen powershel"   \
    "l.exe powershell iex invoke-expressio -nop -noprofile \\\"c:\\\\ 'c:\\\\ cmd.exe cmd -urlc"   \
    "ache /transfer { /var/www/ /usr/share/nginx chmod /etc/cron /var/spool/cron @$_get @$_post"   \
    " @base64_decode @gzinflate <?php <?= __import__ runtime \\\"node:child_proc \\\"child_proc"   \
    " process script script script alert confirm onerror onload onbegin onload onpageshow autof"   \
    "ocus onfocus < pointerraw pointerover error load script svg = javascript javascript vbscri"   \
    "pt vbscript text/html image/svg+xml iframe frame iframe applet isindex http-equiv base exp"   \
    "ression -moz-binding alert confirm alert confirm document string eval settimeout window se"   \
    "lf [ .innerhtml .outerhtml </ data: javascript: < {{ ${ #{ <%= <% lipsum cycler {{ attr ja"   \
    "va scope context .getclass getclass #context freemarker new .class .getclass constructor "    \
    "\\\"constructor\\\" $eval _self \\\"system\\\" php} system <%= <% {{#with system. ${ jndi "   \
    "lower upper ${ secret passw ${ ${ etc proc etc proc .. %25 // \\\\\\\\ /proc/ etc/ proc/ w"   \
    "in.ini system.ini file: .git/config .git/head ssh/ ssh\\\\ %00 \\\\0 ../ ..\\\\ / \\\\ .jp"   \
    "eg .jpg 169.254.169.254/ metadata.google. meta-data/iam/se /v1/instance/ser 169.254.169.25"   \
    "4 metadata.google. :// :// https:// http:// gopher:// dict:// dict:/ .nip.io .xip.io oast."   \
    "pro oast.live https:// http:// docker.sock/ localhost:2375/ *) ) | =* %00 \\\\00 $where $n"   \
    "e \\\"$ne\\\" \\\"$ne' \\\"$where\\\" \\\"$where' $ne $gte || && return while config slave"   \
    "of ] count login signin cmd hyperlink <!entity <!entity <!entity <!doctype <!doctype xi:in"   \
    "clude \\\"http://www.w3.o xsl:value-of xsl:copy-of <!-- esi:include esi:inline set-cookie "   \
    "location __proto__ __definegetter__ \\\"__proto__\\\" \\\"__proto__' \\\"constructor\\\" "    \
    "\\\"constructor' \\\"__proto__ '__proto__ ro0ab3 ro0abq :{ ganv garv aaeaaad///// \\\"syst"   \
    "em. \\\"rce\\\" !!python/ javax.script.scr com.sun.rowset.j org.apache.commo \\\"@type\\\""   \
    " \\\"@class\\\"  !\\\"#$%&'()*+,-./0:;<=>?@[\\\\]^_`{|}~"

struct shape {
    const char *name, *type, *open, *piece, *last, *close;
};

/* piece again and again, %d counting; last once; close. */
static const struct shape shapes[] = {
    { "prose, escaped", "free", "[\"", "Don't say \\\"no\\\" & <br>, ", "", "\"]" },
    { "one string, every byte escaped", "free", "[\"", "\\u0041", "", "\"]" },
    { "one string of quotes", "free", "[\"", "''''''''", "", "\"]" },
    { "many short strings", "free", "[\"a\"", ",\"b\"", "", "]" },
    { "many empty strings", "free", "[\"\"", ",\"\"", "", "]" },
    { "many keys, 900 to an object", "free", "[{\"k\":1}", ",{\"a%d\":1,\"b%d\":2,\"c\":3}", "",
      "]" },
    { "keys with markup", "free", "{\"x\":1", ",\"<%d>\":1", "", "}" },
    { "many numbers", "free", "[0", ",1.5e-7", "", "]" },
    { "deep", "free", "[0", ",[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]", "", "]" },
    { "letters with marks", "free", "[\"", "e\xcc\x81\xcc\xa3", "", "\"]" },
    { "marks in the wrong order, 30 to a letter", "free", "[\"",
      "x\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81"
      "\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3"
      "\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3\xcc\x81\xcc\xa3",
      "", "\"]" },
    { "Hangul in pieces", "free", "[\"", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", "", "\"]" },
    { "rich: deep lists", "rich", "[\"\"", ",\"<ul><li><ul><li><ul><li>%d\"", "", "]" },
    { "rich: formatting reopened", "rich", "[\"", "<p><i a=%d></p><p>x", "", "\"]" },
    { "rich: prose with a little markup", "rich", "[\"\"",
      ",\"a <b>word</b> and some more of the text that nobody marks up, which goes on %d\"", "",
      "]" },
    { "rich: references", "rich", "[\"\"", ",\"&amp;&lt;&#65;&copy;&notit;%d\"", "", "]" },
    { "schema: anyOf of 50, none matches", "any", "[1", ",%d", "", "]" },
    { "schema: uniqueItems of objects", "unique", "[{}", ",{\"a\":[%d,\"x\"]}", "", "]" },
    { "schema: recursive, deep", "self", "", "{\"n\":", "1", "" },
    { "schema: pattern on a long string", "pattern", "\"", "aaaaaaaaab", "", "\"" },
    { "signatures: many near misses", "free", "[\"", "union selec<scrip ${jnd ..%%2 ' or 1", "",
      "\"]" },
    { "signatures: many hits", "free", "[\"", "<script>alert(1)</script>' or 1=1-- ", "", "\"]" },
    { "signatures: every rule in play, prose", "free", "[\"" ALL_RULES, "word and word ", "",
      "\"]" },
    { "signatures: every rule, near misses", "free", "[\"" ALL_RULES, "${${", "", "\"]" },
    { "signatures: every rule, braces", "free", "[\"" ALL_RULES, "{{X{{{{{{", "", "\"]" },
    { "signatures: percent-encoded", "free", "[\"", "%%253Cscript%%253E", "", "\"]" },
};

static void build(struct verdict_input *in, const struct shape *shape)
{
    char *at = head(in, shape->type, shape->open);
    size_t tail = strlen(shape->last) + strlen(shape->close) + 64;
    unsigned n = 0, deep = 0;

    in->name = shape->name;
    if (at == NULL) return;
    while ((size_t)(at - in->text) + strlen(shape->piece) + 16 + tail + deep < FULL) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        at += sprintf(at, shape->piece, n, n);
#pragma GCC diagnostic pop
        n++;
        if (strcmp(shape->type, "self") == 0 && ++deep == 29) break; /* the policy's depth */
    }
    at += sprintf(at, "%s", shape->last);
    for (; deep > 0; deep--)
        *at++ = '}';
    at += sprintf(at, "%s}", shape->close);
    in->len = (size_t)(at - in->text);
}

size_t verdict_worst(struct verdict_input inputs[VERDICT_WORST_MAX])
{
    size_t n = sizeof shapes / sizeof shapes[0];

    for (size_t i = 0; i < n; i++)
        build(&inputs[i], &shapes[i]);
    return n;
}

void verdict_inputs_free(struct verdict_input *inputs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(inputs[i].text);
}
