// The WebSocket security guide's design as its readers would build it: one Node process with `ws`,
// `zod`, `jsonwebtoken` and `sanitize-html`. Per connection: bearer token, session, CSRF token. Per
// message, in the guide's order: size, parse, rate limit, envelope, CSRF, role, payload schema,
// sanitize, then the handler, which echoes. Plain ws on loopback.
//
//   node node_guide.mjs PORT PUBLIC_KEY.pem
import { createServer } from 'node:http'
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { WebSocketServer } from 'ws'
import { z } from 'zod'
import jwt from 'jsonwebtoken'
import sanitizeHtml from 'sanitize-html'

const [port, keyFile] = process.argv.slice(2)
const publicKey = readFileSync(keyFile, 'utf8')
const MAX_BYTES = 64 * 1024
const LIMIT = { perSecond: 1e6, burst: 2e6 }

const envelope = z.strictObject({
  type: z.string().min(1).max(64),
  payload: z.unknown(),
  timestamp: z.number().int().optional(),
  csrfToken: z.string().max(256).optional(),
  id: z.string().max(128).optional()
})
const payloads = {
  chat: z.strictObject({
    text: z.string().min(1).max(10000),
    room: z.string().max(128).optional(),
    to: z.string().max(128).optional()
  }),
  'health-check': z.unknown()
}
const permissions = { chat: new Set(['user', 'moderator', 'admin']), 'health-check': new Set(['user']) }
const csrfExempt = new Set(['health-check'])
const sanitizer = { allowedTags: [], allowedAttributes: {}, disallowedTagsMode: 'escape' }

class RateLimiter {
  #buckets = new Map()
  take(key) {
    const now = Date.now()
    let b = this.#buckets.get(key)
    if (!b) this.#buckets.set(key, (b = { tokens: LIMIT.burst, at: now }))
    b.tokens = Math.min(LIMIT.burst, b.tokens + ((now - b.at) / 1000) * LIMIT.perSecond)
    b.at = now
    if (b.tokens < 1) return false
    b.tokens -= 1
    return true
  }
}
const perUser = new RateLimiter()
const perConnection = new RateLimiter()
const sessions = new Map()

function sanitize(value, depth = 0) {
  if (depth > 32) throw new Error('too deep')
  if (typeof value === 'string') return sanitizeHtml(value, sanitizer)
  if (Array.isArray(value)) return value.map((v) => sanitize(v, depth + 1))
  if (value && typeof value === 'object') {
    const clean = {}
    for (const [k, v] of Object.entries(value)) {
      if (k === '__proto__' || k === 'constructor' || k === 'prototype') continue
      clean[k] = sanitize(v, depth + 1)
    }
    return clean
  }
  return value
}

function sameToken(given, expected) {
  const a = Buffer.from(String(given ?? ''))
  const b = Buffer.from(expected)
  return a.length === b.length && timingSafeEqual(a, b)
}

function fail(ws, code, id) {
  ws.send(JSON.stringify({ type: 'error', payload: { code, message: code, id }, timestamp: Date.now() }))
}

function onMessage(ws, session, data, isBinary) {
  if (isBinary || data.length > MAX_BYTES) return fail(ws, 'bad_request')
  let parsed
  try {
    parsed = JSON.parse(data.toString())
  } catch {
    return fail(ws, 'bad_json')
  }
  if (!perConnection.take(session.id) || !perUser.take(session.user)) return fail(ws, 'rate_limit_exceeded')
  const checked = envelope.safeParse(parsed)
  if (!checked.success) return fail(ws, 'bad_envelope')
  const message = checked.data
  const schema = payloads[message.type]
  if (!schema) return fail(ws, 'unknown_type', message.id)
  if (!csrfExempt.has(message.type) && !sameToken(message.csrfToken, session.csrfToken)) {
    return fail(ws, 'csrf_failed', message.id)
  }
  const allowed = permissions[message.type]
  if (!session.roles.some((r) => allowed.has(r))) return fail(ws, 'role_forbidden', message.id)
  const payload = schema.safeParse(message.payload)
  if (!payload.success) return fail(ws, 'schema_violation', message.id)
  const clean = sanitize(payload.data)
  session.messages += 1
  session.lastActivity = Date.now()
  ws.send(
    JSON.stringify({
      type: message.type,
      payload: { ...clean, from: session.user },
      timestamp: Date.now(),
      id: message.id
    })
  )
}

const server = createServer((_, response) => response.writeHead(404).end())
const wss = new WebSocketServer({ noServer: true, maxPayload: MAX_BYTES, perMessageDeflate: false })

server.on('upgrade', (request, socket, head) => {
  let claims
  try {
    const token = (request.headers.authorization ?? '').replace(/^Bearer /, '')
    claims = jwt.verify(token, publicKey, {
      algorithms: ['ES256'],
      issuer: 'https://issuer.localhost',
      audience: 'gatehouse'
    })
  } catch {
    socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
    return
  }
  wss.handleUpgrade(request, socket, head, (ws) => {
    const session = {
      id: randomBytes(16).toString('base64url'),
      user: claims.sub,
      roles: claims.roles ?? [],
      csrfToken: randomBytes(32).toString('base64url'),
      messages: 0,
      lastActivity: Date.now()
    }
    sessions.set(session.id, session)
    ws.on('message', (data, isBinary) => onMessage(ws, session, data, isBinary))
    ws.on('close', () => sessions.delete(session.id))
    ws.on('error', () => ws.terminate())
    ws.send(
      JSON.stringify({
        type: 'welcome',
        payload: { sessionId: session.id, csrfToken: session.csrfToken, expiresAt: claims.exp * 1000 },
        timestamp: Date.now()
      })
    )
  })
})
server.listen(Number(port), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
