// Two users on Node's `ws`: one token in the header, one as a subprotocol. Prints what happened as JSON.
//
//   node node_client.mjs URL CA TOKEN_A TOKEN_B [deflate]
import { readFileSync } from 'node:fs'
import WebSocket from 'ws'

const [url, caFile, tokenA, tokenB, deflate] = process.argv.slice(2)
const ca = readFileSync(caFile)

class Client {
  constructor(protocols, headers) {
    this.inbox = []
    this.waiting = []
    this.ws = new WebSocket(url, protocols, { ca, headers, perMessageDeflate: deflate ? { threshold: 0 } : false })
    this.ws.on('message', (data) => {
      this.inbox.push(JSON.parse(data.toString()))
      this.waiting.splice(0).forEach((wake) => wake())
    })
    this.opened = new Promise((resolve, reject) => {
      this.ws.once('open', resolve)
      this.ws.once('unexpected-response', (_, response) => reject(new Error(`HTTP ${response.statusCode}`)))
      this.ws.once('error', reject)
    })
    this.closed = new Promise((resolve) => this.ws.once('close', (code) => resolve(code)))
  }
  async next(...types) {
    for (;;) {
      const at = this.inbox.findIndex((m) => types.includes(m.type))
      if (at >= 0) return this.inbox.splice(at, 1)[0]
      await new Promise((wake) => this.waiting.push(wake))
    }
  }
  async welcome() {
    await this.opened
    const message = await this.next('welcome')
    this.csrf = message.payload.csrfToken
    return message
  }
  say(type, payload, more = {}) {
    this.ws.send(JSON.stringify({ type, payload, csrfToken: this.csrf, ...more }))
  }
}

const out = {}
const a = new Client(['gatehouse.v1'], { Authorization: `Bearer ${tokenA}` })
const b = new Client(['gatehouse.v1', `gatehouse.bearer.${tokenB}`])
out.welcomeA = (await a.welcome()).type
out.welcomeB = (await b.welcome()).type
out.protocolB = b.ws.protocol
out.extensions = [a.ws.extensions, b.ws.extensions]

a.say('join', { room: 'node' }, { id: 'j' })
await a.next('ack')
b.say('join', { room: 'node' }, { id: 'j' })
await b.next('ack')
a.say('chat', { room: 'node', text: 'grüße 👋' })
out.heard = (await b.next('chat')).payload

a.say('chat', { room: 'node', text: 'forged' }, { csrfToken: 'wrong' })
out.attack = (await a.next('error')).payload.code
a.say('chat', { room: 'node', text: 'still here' })
out.after = (await b.next('chat')).payload.text

out.long = []
for (let i = 0; i < 3; i++) {
  const text = `line ${i} ` + 'the same words again '.repeat(80) + '€'
  a.say('chat', { room: 'node', text })
  out.long.push((await b.next('chat')).payload.text === text)
}

out.pong = await new Promise((resolve) => {
  a.ws.once('pong', (data) => resolve(data.toString()))
  a.ws.ping('latency')
})
a.ws.close(1000, 'bye')
out.closeA = await a.closed
b.ws.close(1000)
out.closeB = await b.closed

const refused = new Client(['gatehouse.v1'], { Authorization: 'Bearer no' })
out.refused = await refused.opened.then(
  () => 'opened',
  (error) => error.message
)
console.log(JSON.stringify(out))
process.exit(0)
