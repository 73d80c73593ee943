// Puts texts into pages of a real Chromium and tells which of them did anything.
//
//   node inject_browser.mjs JOBS.json OUT.json
//
// JOBS:  { name: { "batch": 40, "cases": [{ "html": text put between tags, or null,
//                                            "attr": text put in attributes, between either quote, or null }] } }
// OUT:   { name: [{ "fired": ["alert", "request ...", ...], "names": {"img": ["src"], ...}, "markup": "...", "whole": true }] }
//
// A job with "frames": true is told only which of its cases call xss(), OUT: [{ "fired": ["xss"] }, ...]: each
// stands in a frame of its own, which is quick where many do run.
//
// One browser for all. `batch` cases share a document (1: each has its own); when one of them does something, each is seen
// again alone, so that it is told which. In the document the text stands in the served page (the parser's
// way, in which scripts run), is set by innerHTML, and is read back and set again (mutations). Then
// every element gets every event that could wake a handler. Nothing leaves the browser: all but
// the page itself is trapped and refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [jobsFile, outFile] = process.argv.slice(2)
const jobs = JSON.parse(readFileSync(jobsFile))
const profile = mkdtempSync(join(tmpdir(), 'gh-chromium-'))
const HOME = 'https://page.test/'
const MARK = 'ran by itself: '
const PAGES = 3

// In every frame, before anything else: what a script would call tells.
const trap = (mark) => {
  const say = console.log.bind(console)
  // (Not eval, which the driver itself needs: what is evaluated is caught at what it calls.)
  for (const name of ['alert', 'prompt', 'confirm', 'print', 'open', 'fetch', 'xss'])
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

const inAttributes = (attr) => `<p title="${attr}">x</p><input value="${attr}"><i title='${attr}'>x</i>`

// Sets the texts again in both ways, wakes everything, gives what stands there.
const provoke = async ({ texts, mark }) => {
  const seen = texts.map((html, i) => {
    const served = document.querySelector(`body > gh-served[data-case="${i}"]`)
    const set = document.body.appendChild(document.createElement('div'))
    const again = document.body.appendChild(document.createElement('div'))
    set.innerHTML = html
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
  const texts = some.map(({ html, attr }) => html ?? inAttributes(attr))
  const inside = texts.map((html, i) => `<gh-served data-case="${i}">${html}</gh-served><hr>`)
  state.body = `<!doctype html><link rel=icon href=data:,><title>page</title><body>${inside.join('')}`
  let seen = some.map(() => ({}))
  try {
    await state.page.goto(HOME, { waitUntil: 'domcontentloaded', timeout: 30000 })
    seen = await state.page.evaluate(provoke, { texts, mark: MARK })
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

// In a frame, its elements hovered, focused and clicked.
const poke = () => {
  for (const at of document.querySelectorAll('body *')) {
    for (const kind of ['mouseover', 'mouseenter', 'focus', 'click'])
      at.dispatchEvent(new MouseEvent(kind, { bubbles: true, cancelable: true }))
    at.focus?.()
  }
}

async function inFrames({ batch, cases }) {
  const ran = new Set()
  for (let from = 0; from < cases.length; from += batch) {
    const page = await context.newPage()
    await page.exposeFunction('note', (index) => ran.add(index))
    await page.route('**', (route) => route.request().url() === HOME
      ? route.fulfill({ contentType: 'text/html', body: '<!doctype html><body></body>' }) : route.abort())
    await page.goto(HOME)
    const frames = cases.slice(from, from + batch).map(({ html, attr }, i) =>
      `<script>window.xss=()=>top.note(${from + i});window.alert=xss</script>${html ?? inAttributes(attr)}`)
    await page.evaluate(async (sources) => Promise.all(sources.map((source) => new Promise((loaded) => {
      const at = document.createElement('iframe')
      at.onload = loaded
      at.srcdoc = source
      document.body.append(at)
      setTimeout(loaded, 5000) // one that navigates away in time may never say so
    }))), frames)
    await page.waitForTimeout(200)
    for (const child of page.frames().slice(1))
      await child.evaluate(poke).catch(() => {}) // it left: what it did is noted
    await page.waitForTimeout(200)
    await page.close()
  }
  return cases.map((_, i) => ({ fired: ran.has(i) ? ['xss'] : [] }))
}

async function work({ batch, cases, frames }) {
  if (frames) return inFrames({ batch, cases })
  const out = new Array(cases.length)
  let next = 0
  await Promise.all(Array.from({ length: PAGES }, async () => {
    const state = await newPage()
    while (next < cases.length) {
      const at = next
      next += batch
      for (const [i, saw] of (await judge(state, cases.slice(at, at + batch))).entries()) out[at + i] = saw
    }
    await state.page.close()
  }))
  return out
}

try {
  const out = {}
  for (const [name, job] of Object.entries(jobs)) out[name] = await work(job)
  writeFileSync(outFile, JSON.stringify(out))
  console.log(JSON.stringify({ cases: Object.values(out).flat().length }))
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
