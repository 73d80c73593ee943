// Chromium as the client, driven by playwright-core. The page is given by request interception under
// an origin the policy allows (and one it does not); the WebSocket is real. The certificate is
// accepted by its key alone.
//
//   node browser_client.mjs URL SPKI_SHA256_BASE64 TOKEN_A TOKEN_B
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const [url, spki, tokenA, tokenB] = process.argv.slice(2)
const profile = mkdtempSync(join(tmpdir(), 'gh-chromium-'))
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  // Intercepted pages have no address, so the browser would not let them reach loopback.
  '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets',
  `--ignore-certificate-errors-spki-list=${spki}`]

// Runs inside the page: one connection, driven by a list of steps, giving all that it saw.
const session = async ({ url, token, steps }) => {
  const inbox = []
  const waiting = []
  const ws = new WebSocket(url, ['gatehouse.v1', `gatehouse.bearer.${token}`])
  const seen = { events: [] }
  const wake = () => waiting.splice(0).forEach((w) => w())
  ws.onmessage = (event) => (inbox.push(JSON.parse(event.data)), wake())
  const opened = await new Promise((resolve) => {
    ws.onopen = () => resolve(true)
    ws.onerror = () => resolve(false)
  })
  if (!opened) return { opened }
  seen.opened = true
  seen.protocol = ws.protocol
  const next = async (...types) => {
    for (;;) {
      const at = inbox.findIndex((m) => types.includes(m.type))
      if (at >= 0) return inbox.splice(at, 1)[0]
      await new Promise((w) => waiting.push(w))
    }
  }
  const csrf = (await next('welcome')).payload.csrfToken
  for (const step of steps) {
    if (step.send) ws.send(JSON.stringify({ csrfToken: csrf, ...step.send }))
    if (step.raw) ws.send(step.raw)
    if (step.expect) seen.events.push(await next(...step.expect))
    if (step.signal) await globalThis.signal(step.signal)
    if (step.wait) await globalThis.waitFor(step.wait)
  }
  const closed = new Promise((resolve) => (ws.onclose = (event) => resolve(event.code)))
  ws.close(1000)
  seen.close = await closed
  return seen
}

const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.GH_CHROMIUM ?? '/usr/bin/chromium',
  headless: true,
  args: flags
})
const signals = new Map()
const gateOf = (name) => {
  if (!signals.has(name)) {
    let open
    const promise = new Promise((resolve) => (open = resolve))
    signals.set(name, { promise, open })
  }
  return signals.get(name)
}
async function pageAt(origin) {
  const page = await context.newPage()
  await page.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '<title>app</title>' }))
  await page.exposeFunction('signal', (name) => gateOf(name).open())
  await page.exposeFunction('waitFor', (name) => gateOf(name).promise)
  await page.goto(`${origin}/`)
  return page
}

const out = {}
try {
  const home = 'https://localhost:8443'
  const alice = await pageAt(home)
  const bob = await pageAt(home)
  const evil = await pageAt('https://evil.example')
  const join = { send: { type: 'join', payload: { room: 'browser' }, id: 'j' }, expect: ['ack'] }
  ;[out.alice, out.bob] = await Promise.all([
    alice.evaluate(session, { url, token: tokenA, steps: [
      { wait: 'bob joined' }, join,
      { send: { type: 'chat', payload: { room: 'browser', text: 'hello from a browser' } } },
      { send: { type: 'chat', payload: { room: 'browser', text: 'forged' }, csrfToken: 'wrong' }, expect: ['error'] },
      { raw: '{"type":"chat","payload":{"text":"<script>"},', expect: ['error'] },
      { send: { type: 'chat', payload: { room: 'browser', text: 'still here' } } },
      { wait: 'bob heard' }] }),
    bob.evaluate(session, { url, token: tokenB, steps: [
      join, { signal: 'bob joined' },
      { expect: ['chat'] }, { expect: ['chat'] }, { signal: 'bob heard' }] })
  ])
  out.evil = await evil.evaluate(session, { url, token: tokenA, steps: [] })
  out.badToken = await alice.evaluate(session, { url, token: 'a.b.c', steps: [] })
  console.log(JSON.stringify(out))
} finally {
  await context.close()
  rmSync(profile, { recursive: true, force: true })
}
