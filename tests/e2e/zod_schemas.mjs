// What the real zod makes of schemas and values: the JSON Schema it exports, and its own verdicts.
//
//   node zod_schemas.mjs
//
// Out: [{ "name", "schema": z.toJSONSchema(), "values": [{ "value", "valid": safeParse().success }] }]
// Exported as input (what is sent), which is what safeParse judges.
import { z } from 'zod'

const user = z.object({ name: z.string().min(1).max(20), age: z.number().int().min(0).max(150).optional() })
const tree = z.object({ name: z.string(), get children() { return z.array(tree) } })

const rows = {
  object: [user, { name: 'Ada' }, { name: 'Ada', age: 36 }, { name: 'Ada', age: 0, extra: true },
    {}, { name: '' }, { name: 1 }, { name: 'x'.repeat(20) }, { name: 'x'.repeat(21) }, { name: 'é'.repeat(20) },
    { name: 'Ada', age: 1.5 }, { name: 'Ada', age: 151 }, { name: 'Ada', age: null }, [], 'Ada', null, 1],
  strictObject: [z.strictObject({ a: z.string(), b: z.boolean().optional() }),
    { a: 'x' }, { a: 'x', b: false }, { a: 'x', c: 1 }, { b: true }, { a: 'x', b: 'true' }, { A: 'x' }],
  looseObject: [z.looseObject({ a: z.string() }), { a: 'x' }, { a: 'x', more: [1] }, { more: 1 }],
  catchall: [z.object({ a: z.string() }).catchall(z.number()), { a: 'x' }, { a: 'x', n: 1 }, { a: 'x', n: '1' }],
  enum: [z.enum(['red', 'green', 'blue']), 'red', 'blue', 'Red', '', 'red ', 1, null],
  nativeEnum: [z.enum({ Low: 1, High: 9, Named: 'name' }), 1, 9, 'name', 'Low', 2, '1'],
  literal: [z.literal('on'), 'on', 'off', true, null],
  literals: [z.literal([1, 'two', true, null]), 1, 'two', true, null, 2, '1', false, 'null'],
  union: [z.union([z.string().max(3), z.number().positive(), z.boolean()]), 'abc', 'abcd', 1, 0, -1, 0.5, true, null, []],
  objectUnion: [z.union([z.object({ a: z.string() }), z.object({ b: z.number() })]),
    { a: 'x' }, { b: 1 }, { a: 1, b: 1 }, { a: 1 }, { b: 'x' }, {}],
  discriminatedUnion: [z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('circle'), r: z.number().nonnegative() }),
    z.strictObject({ kind: z.literal('box'), w: z.number(), h: z.number() }),
    z.object({ kind: z.literal('none') })]),
    { kind: 'circle', r: 2 }, { kind: 'circle', r: 0 }, { kind: 'circle', r: -1 }, { kind: 'circle' },
    { kind: 'box', w: 1, h: 2 }, { kind: 'box', w: 1 }, { kind: 'box', w: 1, h: 2, d: 3 }, { kind: 'none', x: 1 },
    { kind: 'line' }, { r: 2 }, {}],
  array: [z.array(z.string()).min(1).max(3), ['a'], ['a', 'b', 'c'], [], ['a', 'b', 'c', 'd'], ['a', 1], 'a', { 0: 'a' }],
  arrayLength: [z.array(z.number()).length(2), [1, 2], [1], [1, 2, 3], [1, '2']],
  optional: [z.object({ a: z.string().optional(), b: z.number().default(7), c: z.string().nullish() }),
    {}, { a: 'x' }, { b: 1 }, { c: null }, { c: 'x' }, { a: null }, { b: 'x' }, { b: null }, { c: 1 }],
  nullable: [z.string().nullable(), 'x', null, 1, false, {}],
  record: [z.record(z.string(), z.number()), {}, { a: 1, b: -2.5 }, { a: '1' }, { a: null }, [], 'x'],
  recordKeys: [z.record(z.string().regex(/^[a-z]{2,4}$/), z.boolean()),
    { ab: true }, { abcd: false }, { a: true }, { abcde: true }, { AB: true }, { ab: 1 }],
  recordEnum: [z.record(z.enum(['x', 'y']), z.number()), { x: 1, y: 2 }, { x: 1 }, { x: 1, y: 2, z: 3 }, { x: 1, y: '2' }],
  partialRecord: [z.partialRecord(z.enum(['x', 'y']), z.number()), {}, { x: 1 }, { z: 1 }, { x: 'a' }],
  tuple: [z.tuple([z.string(), z.number()]), ['a', 1], ['a', '1'], ['a'], ['a', 1, 2], [], {}],
  tupleRest: [z.tuple([z.string()], z.number()), ['a'], ['a', 1, 2], ['a', 'b'], [1], []],
  integer: [z.int(), 0, -5, 9007199254740991, 1.5, 1e3, '1', null],
  range: [z.number().gt(0).lt(10), 0.001, 9.999, 0, 10, -1, 11, '5'],
  multipleOf: [z.number().multipleOf(5), 0, 5, -10, 3, 12],
  int32: [z.int32(), 2147483647, -2147483648, 2147483648, -2147483649, 0.5],
  uint32: [z.uint32(), 0, 4294967295, 4294967296, -1],
  boolean: [z.boolean(), true, false, 0, 'true', null],
  null: [z.null(), null, 0, '', false],
  regex: [z.string().regex(/^[A-Z]{2}-\d{4}$/), 'AB-1234', 'ab-1234', 'AB-12345', 'xAB-1234', 'AB-1234\n', ''],
  unanchored: [z.string().regex(/\bcat\b/), 'a cat sat', 'cat', 'concat', 'cats', ''],
  startsEnds: [z.string().startsWith('gh.').endsWith('.v1').includes('-'), 'gh.a-b.v1', 'gh.ab.v1', 'x.a-b.v1', 'gh.a-b.v2'],
  uuid: [z.uuid(), '123e4567-e89b-42d3-a456-426614174000', '123e4567-e89b-02d3-a456-426614174000', '123e4567', '',
    '{123e4567-e89b-42d3-a456-426614174000}', '00000000-0000-0000-0000-000000000000'],
  uuidv4: [z.uuidv4(), '123e4567-e89b-42d3-a456-426614174000', '123e4567-e89b-12d3-a456-426614174000'],
  ipv4: [z.ipv4(), '127.0.0.1', '255.255.255.255', '256.1.1.1', '1.2.3', '01.2.3.4', '::1'],
  ipv6: [z.ipv6(), '::1', '2001:db8::8a2e:370:7334', '1.2.3.4', ':::1', 'g::1'],
  cidr: [z.cidrv4(), '10.0.0.0/8', '10.0.0.0', '10.0.0.0/33'],
  date: [z.iso.date(), '2024-02-29', '2023-02-29', '2024-13-01', '2024-1-1', 'today'],
  datetime: [z.iso.datetime(), '2024-05-06T07:08:09Z', '2024-05-06T07:08:09.123Z', '2024-05-06T07:08:09', '2024-05-06',
    '2024-05-06T25:08:09Z'],
  datetimeOffset: [z.iso.datetime({ offset: true }), '2024-05-06T07:08:09+02:00', '2024-05-06T07:08:09Z', '2024-05-06T07:08:09'],
  email: [z.email(), 'ada@example.com', 'a.b+c@example.co.uk', 'ada', '@example.com', 'ada@', 'a b@example.com', 'a..b@example.com'],
  url: [z.url(), 'https://example.com/a?b#c', 'not a url', ''],
  base64: [z.base64(), 'aGVsbG8=', 'aGVsbG8', 'a$==', ''],
  cuid2: [z.cuid2(), 'tz4a98xxat96iws9zmbrgj3a', 'UPPER', ''],
  nanoid: [z.nanoid(), 'V1StGXR8_Z5jdHi6B-myT', 'short'],
  ulid: [z.ulid(), '01ARZ3NDEKTSV4RRFFQ69G5FAV', '01ARZ3NDEKTSV4RRFFQ69G5FAU!'],
  intersection: [z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
    { a: 'x', b: 1 }, { a: 'x' }, { b: 1 }, { a: 'x', b: '1' }],
  templateLiteral: [z.templateLiteral(['v', z.number(), '.', z.enum(['a', 'b'])]), 'v1.a', 'v12.b', 'v1.c', 'x1.a'],
  extended: [user.extend({ role: z.enum(['user', 'admin']) }), { name: 'a', role: 'user' }, { name: 'a' }, { name: 'a', role: 'root' }],
  picked: [user.pick({ age: true }).partial(), {}, { age: 1 }, { age: '1' }],
  any: [z.object({ a: z.any(), b: z.unknown() }), { a: 1, b: null }, { a: [], b: {} }, 'a', [1, 2]],
  never: [z.object({ a: z.string(), b: z.never().optional() }), { a: 'x' }, { a: 'x', b: 1 }],
  recursive: [tree, { name: 'r', children: [] }, { name: 'r', children: [{ name: 'c', children: [] }] }, { name: 'r' },
    { name: 'r', children: [{ name: 'c' }] }, { name: 'r', children: [{ name: 1, children: [] }] }],
  nested: [z.object({
    room: z.string().min(1).max(64),
    author: user,
    tags: z.array(z.enum(['a', 'b', 'c'])).max(2),
    attachments: z.array(z.strictObject({ name: z.string(), size: z.int().nonnegative() })).optional(),
    meta: z.record(z.string(), z.union([z.string(), z.number(), z.null()])) }),
    { room: 'r', author: { name: 'Ada' }, tags: ['a'], meta: {} },
    { room: 'r', author: { name: 'Ada', age: 3 }, tags: [], meta: { k: null, l: 1, m: 's' }, attachments: [{ name: 'f', size: 0 }] },
    { room: 'r', author: { name: '' }, tags: [], meta: {} },
    { room: 'r', author: { name: 'Ada' }, tags: ['a', 'b', 'c'], meta: {} },
    { room: 'r', author: { name: 'Ada' }, tags: ['d'], meta: {} },
    { room: 'r', author: { name: 'Ada' }, tags: [], meta: { k: true } },
    { room: 'r', author: { name: 'Ada' }, tags: [], meta: {}, attachments: [{ name: 'f', size: -1 }] },
    { room: 'r', author: { name: 'Ada' }, tags: [], meta: {}, attachments: [{ name: 'f', size: 1, x: 1 }] },
    { room: 'r', tags: [], meta: {} }]
}

const out = Object.entries(rows).map(([name, [schema, ...values]]) => ({
  name,
  schema: z.toJSONSchema(schema, { io: 'input' }),
  values: values.map((value) => ({ value, valid: schema.safeParse(value).success }))
}))
console.log(JSON.stringify(out))
