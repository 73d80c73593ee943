// Puts texts into pages of a real Chromium and tells which of them did anything.
//
//   node inject_browser.mjs CASES.json OUT.json BATCH
//
// CASES: [{ "html": text put between tags, or null, "attr": text put between double quotes, or null }]
// OUT:   [{ "fired": ["alert", "request ...", ...], "names": {"img": ["src"], ...}, "markup": "...", "whole": true }]
//
// BATCH cases share a document (1: each has its own); when one of them does something, each is seen
// again alone, so that it is told which. In the document the text stands in the served page (the parser's
// way, in which scripts run), is set by innerHTML, and is read back and set again (mutations). Then
// every element gets every event that could wake a handler. Nothing leaves the browser: all but
// the page itself is trapped and refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [casesFile, outFile, batch] = process.argv.slice(2)
const cases = JSON.parse(readFileSync(casesFile))
const profile = mkdtempSync(join(tmpdir(), 'gh-chromium-'))
const HOME = 'https://page.test/'
const MARK = 'ran by itself: '
const PAGES = 3

// In every frame, before anything else: what a script would call tells.
const trap = (mark) => {
  const say = console.log.bind(console)
  // (Not eval, which the driver itself needs: what is evaluated is caught at what it calls.)
  for (const name of ['alert', 'prompt', 'confirm', 'print', 'open', 'fetch'])
    globalThis[name] = () => say(mark + name)
  const write = document.write.bind(document)
  document.write = (...args) => (say(mark + 'document.write'), write(...args))
  addEventListener('error', (e) => e instanceof ErrorEvent && say(mark + 'error ' + e.message))
  addEventListener('securitypolicyviolation', () => say(mark + 'policy'))
  // A click on an honest link would only leave the page.
  addEventListener('click', (e) => {
    const link = e.target.closest?.('a[href],area[href]')
    if (link && ['http:', 'https:', 'mailto:'].includes(link.protocol)) e.preventDefault()
  })
}

// Sets the texts again in both ways, wakes everything, gives what stands there.
const provoke = async ({ cases, mark }) => {
  const seen = cases.map(({ html, attr }, i) => {
    const served = document.querySelector(`body > gh-served[data-case="${i}"]`)
    const set = document.body.appendChild(document.createElement('div'))
    const again = document.body.appendChild(document.createElement('div'))
    set.innerHTML = html ?? `<p title="${attr}">x</p><input value="${attr}">`
    const names = {}
    const markup = set.innerHTML
    again.innerHTML = markup
    for (const host of [served, set, again].filter(Boolean))
      for (const e of host.querySelectorAll('*'))
        names[e.localName] = [...new Set([...(names[e.localName] ?? []), ...e.getAttributeNames()])].sort()
    // Whole: it neither closed what stands around it nor swallowed what comes after.
    return { names, markup, whole: served !== null && served.nextSibling?.localName === 'hr' }
  })
  if ('config' in window) console.log(mark + 'clobbered')
  const kinds = ['mouseover', 'mouseenter', 'mousemove', 'mousedown', 'mouseup', 'dblclick', 'contextmenu',
    'pointerover', 'wheel', 'scroll', 'touchstart', 'copy', 'cut', 'paste', 'drag', 'drop', 'focus', 'focusin',
    'blur', 'load', 'error', 'input', 'change', 'submit', 'toggle', 'beforetoggle', 'close', 'keydown', 'keyup',
    'selectstart', 'animationstart', 'animationend', 'transitionend', 'begin', 'end', 'beginEvent', 'endEvent',
    'start', 'finish', 'pageshow', 'hashchange', 'contentvisibilityautostatechange']
  for (const e of document.querySelectorAll('*')) {
    for (const kind of kinds)
      e.dispatchEvent(new Event(kind, { bubbles: kind.startsWith('mouse'), cancelable: true }))
    e.focus?.()
    if (e.localName === 'a' || e.localName === 'area' || e.localName === 'button' || e.localName === 'input')
      e.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))
    else e.dispatchEvent(new Event('click', { cancelable: true }))
  }
  await new Promise((r) => setTimeout(r, 25))
  return seen
}

const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.GH_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync']
})
await context.addInitScript(trap, MARK)

async function newPage(state = {}) {
  const page = await context.newPage()
  const fired = new Set()
  Object.assign(state, { page, fired, body: null })
  page.on('console', (m) => {
    if (m.text().startsWith(MARK)) fired.add(m.text().slice(MARK.length))
    else if (m.type() === 'error') fired.add('console ' + m.text())
  })
  page.on('dialog', (d) => (fired.add('dialog'), d.dismiss().catch(() => {})))
  page.on('pageerror', (e) => fired.add('pageerror ' + e.message))
  page.on('popup', (p) => (fired.add('popup'), p.close().catch(() => {})))
  page.on('download', () => fired.add('download'))
  page.on('framenavigated', (f) => {
    if (f.url() !== HOME && f.url() !== 'about:blank') fired.add('navigated ' + f.url().slice(0, 80))
  })
  await page.route('**', (route) => {
    const { body } = state
    state.body = null
    if (body !== null && route.request().url() === HOME)
      return route.fulfill({ contentType: 'text/html; charset=utf-8', body })
    fired.add('request ' + route.request().url().slice(0, 80))
    return route.abort()
  })
  return state
}

// One document with all of the cases. A page in which something happened is not used again.
async function judge(state, some) {
  const inside = some.map(({ html, attr }, i) =>
    `<gh-served data-case="${i}">${html ?? `<p title="${attr}">x</p><input value="${attr}">`}</gh-served><hr>`)
  state.body = `<!doctype html><link rel=icon href=data:,><title>page</title><body>${inside.join('')}`
  let seen = some.map(() => ({}))
  try {
    await state.page.goto(HOME, { waitUntil: 'domcontentloaded', timeout: 30000 })
    seen = await state.page.evaluate(provoke, { cases: some, mark: MARK })
    // What was started has had its turn by now: one more round trip through the page's loop.
    await state.page.evaluate(() => new Promise((r) => setTimeout(r)))
  } catch (error) {
    state.fired.add('page lost: ' + String(error.message).split('\n')[0])
  }
  const fired = [...state.fired]
  if (fired.length > 0) {
    await state.page.close().catch(() => {})
    await newPage(state)
    if (some.length > 1) {
      const alone = []
      for (const kase of some) alone.push(...(await judge(state, [kase])))
      // Together only: then it is told of all of them.
      return alone.some((s) => s.fired.length > 0) ? alone : alone.map((s) => ({ ...s, fired }))
    }
  }
  return seen.map((s) => ({ fired, ...s }))
}

const out = new Array(cases.length)
const size = Number(batch)
let next = 0
try {
  await Promise.all(Array.from({ length: PAGES }, async () => {
    const state = await newPage()
    while (next < cases.length) {
      const at = next
      next += size
      for (const [i, saw] of (await judge(state, cases.slice(at, at + size))).entries()) out[at + i] = saw
    }
  }))
  writeFileSync(outFile, JSON.stringify(out))
  console.log(JSON.stringify({ cases: out.length }))
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
