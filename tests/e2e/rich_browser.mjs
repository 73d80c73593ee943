// Puts texts into a real page and says which of them ran a script.
//
//   node rich_browser.mjs PAYLOADS.json     [{"rich": html, "escape": text, "raw": payload}, ...]
//
// Each text stands where an application would put it: rich as innerHTML and as a part of the page's
// own source; escape there too, and in attributes with either quote. Every element is then hovered,
// focused and clicked. Prints {"ran": {kind: [index...]}, "kept": html}.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const items = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const profile = mkdtempSync(join(tmpdir(), 'gh-rich-'))
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.GH_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync']
})

// A frame per text, all in one page, so that a hundred load at once; xss() in a frame notes its number.
const frame = (source, index) => `<script>window.xss=()=>top.note(${index});window.alert=xss;` +
  `window.addEventListener('error',()=>{},true)</script>${source}`
const shapes = {
  rich: (t) => [t.rich, null],
  escape: (t) => [`<p>${t.escape}</p><i title="${t.escape}" class=hover>x</i><i title='${t.escape}' class=hover>x</i>`, null],
  richInner: (t) => ['<div id=box></div>', t.rich],
  raw: (t) => [t.raw, null],
  rawInAttribute: (t) => [`<i title="${t.raw}">x</i><i title='${t.raw}'>x</i>`, null]
}

const poke = async (page) => {
  for (const child of page.frames().slice(1)) {
    try {
      await child.evaluate(() => {
        for (const at of document.querySelectorAll('body *')) {
          for (const kind of ['mouseover', 'mouseenter', 'focus', 'click']) {
            at.dispatchEvent(new MouseEvent(kind, { bubbles: true, cancelable: true }))
          }
          if (typeof at.focus === 'function') at.focus()
        }
      })
    } catch { /* it navigated away: what it did is noted */ }
  }
}

const runShape = async (shape) => {
  const ran = new Set()
  for (let from = 0; from < items.length; from += 40) {
    const page = await context.newPage()
    await page.exposeFunction('note', (index) => ran.add(index))
    await page.route('**/*', (route) => route.request().url() === 'https://app.test/'
      ? route.fulfill({ contentType: 'text/html', body: '<!doctype html><body></body>' })
      : route.abort())
    await page.goto('https://app.test/')
    await page.evaluate((frames) => {
      for (const { source, inner } of frames) {
        const at = document.createElement('iframe')
        at.onload = () => {
          const box = at.contentDocument?.getElementById('box')
          if (box && inner !== null) box.innerHTML = inner
        }
        at.srcdoc = source
        document.body.append(at)
      }
    }, items.slice(from, from + 40).map((t, i) => {
      const [source, inner] = shapes[shape](t)
      return { source: frame(source, from + i), inner }
    }))
    await page.waitForTimeout(400)
    await poke(page)
    await page.waitForTimeout(400)
    await page.close()
  }
  return [...ran].sort((a, b) => a - b)
}

try {
  const ran = {}
  for (const shape of Object.keys(shapes)) ran[shape] = await runShape(shape)
  console.log(JSON.stringify({ ran, count: items.length }))
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
